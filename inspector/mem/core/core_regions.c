// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/core/core_regions.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/fnv.h"
#include "mem/core/core_names.h"
#include "mem/maps.h"

enum {
	/** Each takes a mapping of ours, of which the kernel gives 65,530 (vm.max_map_count). */
	FILES_MAX = 16384,
};

/** The upper half is the kernel's (GDB writes its vsyscall page); also keeps sums from overflowing. */
static const addr_t ADDRESS_MAX = 1ULL << 62;
#define NOWHERE (~(addr_t)0)

/** A PT_LOAD of the core. */
struct segment {
	addr_t start;
	addr_t end;
	uint32_t flags;
	const unsigned char *bytes;
	uint64_t held_bytes;
	uint64_t dumped_bytes;
};

struct segments {
	struct segment *list;
	size_t count;
	size_t capacity;
};

void core_regions_deinit(struct core_regions *regions)
{
	for (size_t i = 0; i < regions->file_count; i++)
		core_file_deinit(&regions->files[i]);
	free(regions->files);
	free(regions->list);
	*regions = (struct core_regions){0};
}

static void segments_deinit(struct segments *segments)
{
	free(segments->list);
}

static bool header_is_possible(const Elf64_Phdr *header)
{
	return header->p_memsz <= ADDRESS_MAX && header->p_vaddr % CORE_PAGE_BYTES == 0 &&
	       header->p_memsz % CORE_PAGE_BYTES == 0 && header->p_filesz <= header->p_memsz &&
	       header->p_offset <= ADDRESS_MAX;
}

static struct error *segments_add(struct segments *segments, const struct core_bytes *core,
				  const Elf64_Phdr *header)
{
	struct error *error = array_reserve(&segments->list, &segments->capacity,
					    segments->count + 1, sizeof(*segments->list));

	if (error)
		return error;
	uint64_t left = header->p_offset < core->count ? core->count - header->p_offset : 0;
	segments->list[segments->count++] = (struct segment){
		.start = header->p_vaddr,
		.end = header->p_vaddr + header->p_memsz,
		.flags = core_elf_mapping_flags(header->p_flags),
		.bytes = left ? core->at + header->p_offset : NULL,
		.held_bytes = header->p_filesz < left ? header->p_filesz : left,
		.dumped_bytes = header->p_filesz,
	};
	return NULL;
}

static int compare_segments(const void *left, const void *right)
{
	const struct segment *a = left, *b = right;

	return a->start < b->start ? -1 : a->start > b->start;
}

// Of two that overlap the first stays.
static void segments_sort(struct segments *segments, struct core_regions *regions)
{
	size_t count = 0;
	addr_t last = 0;

	if (segments->count)
		qsort(segments->list, segments->count, sizeof(*segments->list), compare_segments);
	for (size_t i = 0; i < segments->count; i++) {
		if (segments->list[i].start < last) {
			regions->damaged_count++;
			continue;
		}
		last = segments->list[i].end;
		segments->list[count++] = segments->list[i];
		regions->dumped_bytes += segments->list[i].dumped_bytes;
		regions->held_bytes += segments->list[i].held_bytes;
	}
	segments->count = count;
}

static struct error *segments_read(struct segments *segments, const struct core_bytes *core,
				   const Elf64_Ehdr *header, struct core_regions *regions)
{
	uint64_t count = core_elf_segment_count(core, header);
	struct error *error = NULL;
	Elf64_Phdr segment;

	for (uint64_t i = 0; !error && i < count; i++) {
		if (!core_elf_segment(core, header, i, &segment) || segment.p_type != PT_LOAD ||
		    segment.p_memsz == 0 || segment.p_vaddr > ADDRESS_MAX)
			continue;
		if (header_is_possible(&segment))
			error = segments_add(segments, core, &segment);
		else
			regions->damaged_count++;
	}
	segments_sort(segments, regions);
	return error;
}

/** Number of the file at a path, from 1, for the paths met so far: an open hash table. */
struct paths {
	uint32_t *slots;
	size_t slot_count;
};

static void paths_deinit(struct paths *paths)
{
	free(paths->slots);
}

static struct error *file_add(struct core_regions *regions, const char *path, size_t length,
			      bool was_deleted)
{
	struct error *error = array_reserve(&regions->files, &regions->file_capacity,
					    regions->file_count + 1, sizeof(*regions->files));

	if (error)
		return error;
	struct core_file *file = &regions->files[regions->file_count];
	*file = (struct core_file){.path = strndup(path, length), .was_deleted = was_deleted};
	if (!file->path)
		return error_no_memory();
	regions->file_count++;
	return NULL;
}

static struct error *file_number(struct core_regions *regions, struct paths *paths,
				 const char *path, uint32_t *ret)
{
	static const char deleted[] = " (deleted)";
	size_t length = strlen(path), suffix = sizeof(deleted) - 1;
	bool was_deleted = length > suffix && strcmp(path + length - suffix, deleted) == 0;

	length -= was_deleted ? suffix : 0;
	uint64_t slot = fnv64(FNV64_START, path, length) % paths->slot_count;
	for (; paths->slots[slot]; slot = (slot + 1) % paths->slot_count) {
		const struct core_file *file = &regions->files[paths->slots[slot] - 1];
		if (strncmp(file->path, path, length) == 0 && !file->path[length] &&
		    file->was_deleted == was_deleted)
			break;
	}
	if (!paths->slots[slot]) {
		struct error *error = file_add(regions, path, length, was_deleted);
		if (error)
			return error;
		paths->slots[slot] = (uint32_t)regions->file_count;
	}
	*ret = paths->slots[slot];
	return NULL;
}

/** What the two lists say of one address, and how far. */
struct sweep {
	const struct segment *segment;
	const struct core_mapped *mapped;
	addr_t end;
};

static struct core_region region_of(const struct sweep *sweep, addr_t at)
{
	const struct segment *segment = sweep->segment;
	struct core_region region = {
		.start = at,
		.end = sweep->end,
		.flags = MAPPING_READ,
		.name = "",
	};
	uint64_t bytes = sweep->end - at;

	if (segment) {
		uint64_t skipped = at - segment->start;
		region.has_segment = true;
		region.flags = segment->flags;
		if (segment->dumped_bytes > skipped)
			region.dumped_bytes = segment->dumped_bytes - skipped;
		if (segment->held_bytes > skipped) {
			region.held_bytes = segment->held_bytes - skipped;
			region.bytes = segment->bytes + skipped;
		}
	}
	if (region.dumped_bytes > bytes)
		region.dumped_bytes = bytes;
	if (region.held_bytes > bytes)
		region.held_bytes = bytes;
	if (sweep->mapped)
		region.file_offset = sweep->mapped->file_offset + (at - sweep->mapped->start);
	return region;
}

static struct error *regions_add(struct core_regions *regions, struct paths *paths,
				 const struct sweep *sweep, addr_t at)
{
	struct core_region region = region_of(sweep, at);
	struct error *error = NULL;

	if (sweep->mapped)
		error = file_number(regions, paths, sweep->mapped->path, &region.file);
	if (!error)
		error = array_reserve(&regions->list, &regions->capacity, regions->count + 1,
				      sizeof(*regions->list));
	if (!error)
		regions->list[regions->count++] = region;
	return error;
}

// The bound behind @a at of what begins at @a start and ends at @a end.
static addr_t bound_behind(addr_t at, addr_t start, addr_t end)
{
	return start > at ? start : end;
}

// Both lists ascend: what lies between two of their bounds is one region.
static struct error *regions_sweep(struct core_regions *regions, struct paths *paths,
				   const struct segments *segments, const struct core_notes *notes)
{
	static const struct segment no_segment = {.start = NOWHERE, .end = NOWHERE};
	static const struct core_mapped no_mapped = {.start = NOWHERE, .end = NOWHERE};
	const struct segment *segment = segments->list, *last = segment + segments->count;
	const struct core_mapped *mapped = notes->mapped, *end = mapped + notes->mapped_count;
	struct error *error = NULL;

	for (addr_t at = 0; !error;) {
		while (segment < last && segment->end <= at)
			segment++;
		while (mapped < end && mapped->end <= at)
			mapped++;
		const struct segment *one = segment < last ? segment : &no_segment;
		const struct core_mapped *other = mapped < end ? mapped : &no_mapped;
		addr_t one_bound = bound_behind(at, one->start, one->end);
		addr_t other_bound = bound_behind(at, other->start, other->end);
		const struct sweep sweep = {
			.segment = one->start <= at ? one : NULL,
			.mapped = other->start <= at ? other : NULL,
			.end = one_bound < other_bound ? one_bound : other_bound,
		};
		if (sweep.end == NOWHERE)
			return NULL;
		if (sweep.segment || sweep.mapped)
			error = regions_add(regions, paths, &sweep, at);
		at = sweep.end;
	}
	return error;
}

// What the core has of a file's first page tells which file it was.
static void regions_find_beginnings(struct core_regions *regions)
{
	Elf64_Ehdr header;

	for (size_t i = 0; i < regions->count; i++) {
		const struct core_region *region = &regions->list[i];
		struct core_file *file = region->file ? &regions->files[region->file - 1] : NULL;
		if (!file)
			continue;
		if (region->flags & MAPPING_EXEC)
			file->is_program = true;
		if (region->file_offset != 0 || file->beginning.count)
			continue;
		const struct core_bytes bytes = {region->bytes, region->held_bytes};
		if (!core_elf_header(&bytes, &header))
			continue;
		file->beginning = bytes;
		file->is_program = true;
	}
}

// GDB writes no segment for code and constants: how they were mapped the program itself tells.
static void regions_find_flags(struct core_regions *regions)
{
	for (size_t i = 0; i < regions->count; i++) {
		struct core_region *region = &regions->list[i];
		if (region->has_segment)
			continue;
		struct core_file *file = &regions->files[region->file - 1];
		if (!core_elf_flags_at(&file->beginning, region->file_offset, &region->flags))
			(void)core_elf_flags_at(&file->bytes, region->file_offset, &region->flags);
		if (region->flags & MAPPING_EXEC)
			file->is_program = true;
	}
}

struct error *core_regions_make(const struct core_bytes *core, const Elf64_Ehdr *header,
				const struct core_notes *notes, struct core_regions *ret)
{
	CLEANUP(segments_deinit) struct segments segments = {0};
	CLEANUP(paths_deinit) struct paths paths = {.slot_count = 2 * notes->mapped_count + 1};
	struct error *error = segments_read(&segments, core, header, ret);

	if (!error && !(paths.slots = calloc(paths.slot_count, sizeof(*paths.slots))))
		error = error_no_memory();
	if (!error)
		error = regions_sweep(ret, &paths, &segments, notes);
	if (error)
		return error;
	regions_find_beginnings(ret);
	for (size_t i = 0; !error && i < ret->file_count && i < FILES_MAX; i++)
		error = core_file_find(&ret->files[i]);
	if (error)
		return error;
	regions_find_flags(ret);
	core_names_find(ret, notes);
	return NULL;
}

size_t core_regions_find(const struct core_regions *regions, addr_t at)
{
	size_t low = 0, high = regions->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (regions->list[middle].end <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

// The last page that a file has bytes for is zeros behind them; beyond that there is nothing.
static bool file_piece(const struct core_file *file, uint64_t offset, const unsigned char **ret,
		       uint64_t *ret_count)
{
	uint64_t size = file->bytes.count;
	uint64_t rounded = (size + CORE_PAGE_BYTES - 1) & ~(uint64_t)(CORE_PAGE_BYTES - 1);

	if (offset >= rounded)
		return false;
	*ret = offset < size ? file->bytes.at + offset : NULL;
	uint64_t count = (offset < size ? size : rounded) - offset;
	if (count < *ret_count)
		*ret_count = count;
	return true;
}

bool core_regions_piece(const struct core_regions *regions, const struct core_region *region,
			addr_t at, const unsigned char **ret, uint64_t *ret_count)
{
	uint64_t offset = at - region->start;

	*ret_count = region->end - at;
	if (offset < region->held_bytes) {
		*ret = region->bytes + offset;
		*ret_count = region->held_bytes - offset;
		return true;
	}
	if (offset < region->dumped_bytes)
		return false;
	if (region->file)
		return file_piece(&regions->files[region->file - 1], region->file_offset + offset,
				  ret, ret_count);
	// The kernel leaves out what was never touched.
	*ret = NULL;
	return region->flags & MAPPING_READ;
}
