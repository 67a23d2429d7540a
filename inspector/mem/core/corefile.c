// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/core/corefile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "mem/core/core_regions.h"
#include "mem/machine/machine.h"
#include "mem/maps.h"

enum {
	/** So many files that are not here are named. */
	NAMED_MAX = 3,
	NAMED_CHARS = 1200,
	/** Who views memory finds words there: they lie in ours as they do in the process's. Cores of the
	 *  kernel and of GDB are so. */
	VIEW_ALIGN = 8,
};

static const char take_them[] = "take what is missing from the machine that the core file comes "
				"from, to the same path, or to "
				"that path below a directory that LEAKINSPECT_SYSROOT names";

struct corefile {
	struct mem_source source;
	struct core_bytes bytes;
	struct core_notes notes;
	struct core_regions regions;
	/** What is missing of it, in words. */
	struct text shortcomings;
};

static struct corefile *corefile_of(const struct mem_source *source)
{
	return (struct corefile *)(uintptr_t)source;
}

static const struct core_region *corefile_region(const struct corefile *core, addr_t at)
{
	size_t index = core_regions_find(&core->regions, at);

	return index < core->regions.count && core->regions.list[index].start <= at
		       ? &core->regions.list[index]
		       : NULL;
}

static struct error *corefile_fault(const struct corefile *core, addr_t at)
{
	const struct core_region *region = corefile_region(core, at);
	const struct core_file *file =
		region && region->file ? &core->regions.files[region->file - 1] : NULL;

	if (region && at - region->start < region->dumped_bytes)
		return error_create_fault(at, "0x%" PRIx64 " is cut off the core file", at);
	if (file)
		return error_create_fault(at,
					  "0x%" PRIx64 " is not in the core file, but in %s, which "
					  "is not here",
					  at, file->path);
	return error_create_fault(at, "0x%" PRIx64 " is not in the core file", at);
}

static struct error *corefile_read(struct mem_source *source, addr_t at, void *into, size_t bytes)
{
	const struct corefile *core = corefile_of(source);
	unsigned char *out = into;

	if (bytes > ~(addr_t)0 - at)
		return corefile_fault(core, at);
	while (bytes > 0) {
		const struct core_region *region = corefile_region(core, at);
		const unsigned char *piece;
		uint64_t count;

		if (!region || !core_regions_piece(&core->regions, region, at, &piece, &count))
			return corefile_fault(core, at);
		if (count > bytes)
			count = bytes;
		if (piece)
			memcpy(out, piece, count);
		else
			memset(out, 0, count);
		at += count;
		out += count;
		bytes -= count;
	}
	return NULL;
}

static struct error *corefile_gather(struct mem_source *source, struct mem_span *spans,
				     size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct error *error =
			corefile_read(source, spans[i].at, spans[i].into, spans[i].bytes);
		spans[i].ok = !error;
		if (error && error->code != ERROR_FAULT)
			return error;
		error_destroy(error);
	}
	return NULL;
}

static const void *corefile_view(struct mem_source *source, addr_t at, size_t bytes)
{
	const struct corefile *core = corefile_of(source);
	const struct core_region *region = corefile_region(core, at);
	const unsigned char *piece;
	uint64_t count;

	if (!region || !core_regions_piece(&core->regions, region, at, &piece, &count) ||
	    count < bytes || ((uintptr_t)piece - at) % VIEW_ALIGN != 0)
		return NULL;
	return piece;
}

static struct mapping mapping_of(const struct corefile *core, const struct core_region *region)
{
	struct mapping mapping = {
		.start = region->start,
		.end = region->end,
		.flags = region->flags,
		.path = region->name,
	};

	if (region->file) {
		const struct core_file *file = &core->regions.files[region->file - 1];
		mapping.path = file->path;
		mapping.inode = region->file;
		mapping.file_offset = region->file_offset;
		mapping.flags |= file->was_deleted ? MAPPING_DELETED : 0;
	}
	return mapping;
}

static struct error *corefile_maps(struct mem_source *source, struct maps *ret)
{
	const struct corefile *core = corefile_of(source);
	_cleanup_free_ struct mapping *list =
		calloc(core->regions.count + 1, sizeof(struct mapping));

	if (!list)
		return error_no_memory();
	for (size_t i = 0; i < core->regions.count; i++)
		list[i] = mapping_of(core, &core->regions.list[i]);
	// With paths of its own: it may outlive us.
	const struct maps maps = {.list = list, .count = core->regions.count};
	return maps_copy(&maps, ret);
}

// [*ret_start, *ret_end) of a region that is worth reading: what was cut off, too, so that it is missed.
static void region_resident(const struct core_region *region, addr_t *ret_start, addr_t *ret_end)
{
	*ret_start = region->start;
	*ret_end = region->file ? region->end : region->start + region->dumped_bytes;
}

static struct error *corefile_resident(struct mem_source *source, addr_t start, addr_t end,
				       addr_t *ret_start, addr_t *ret_end)
{
	const struct corefile *core = corefile_of(source);

	*ret_start = *ret_end = end;
	for (size_t i = core_regions_find(&core->regions, start);
	     i < core->regions.count && core->regions.list[i].start < end; i++) {
		addr_t first, last;
		region_resident(&core->regions.list[i], &first, &last);
		if (last <= start || last <= first)
			continue;
		*ret_start = first > start ? first : start;
		*ret_end = last < end ? last : end;
		return NULL;
	}
	return NULL;
}

static void corefile_destroy(struct mem_source *source)
{
	struct corefile *core = corefile_of(source);

	core_regions_deinit(&core->regions);
	core_notes_deinit(&core->notes);
	text_deinit(&core->shortcomings);
	if (core->bytes.count)
		munmap((void *)(uintptr_t)core->bytes.at, core->bytes.count);
	free(core);
}

static const struct mem_source_ops corefile_ops = {
	.read = corefile_read,
	.gather = corefile_gather,
	.maps = corefile_maps,
	.resident = corefile_resident,
	.view = corefile_view,
	.destroy = corefile_destroy,
};

static struct error *corefile_map(const char *path, struct core_bytes *ret)
{
	struct stat status;
	// A pipe would wait for somebody to write to it.
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 || fstat(fd, &status) != 0)
		return error_create_os(errno, "cannot open '%s'", path);
	if (!S_ISREG(status.st_mode) || status.st_size <= 0)
		return error_create(ERROR_UNSUPPORTED, "'%s' is %s, not a core file", path,
				    S_ISDIR(status.st_mode)   ? "a directory"
				    : S_ISREG(status.st_mode) ? "empty"
							      : "no regular file");
	void *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return error_create_os(errno, "cannot map '%s'", path);
	*ret = (struct core_bytes){.at = bytes, .count = (uint64_t)status.st_size};
	return NULL;
}

// What compressed files begin with, and what takes that away.
static const char *compressed_by(const struct core_bytes *bytes)
{
	static const struct {
		unsigned char magic[4];
		size_t count;
		const char *program;
	} kinds[] = {
		{{0x28, 0xb5, 0x2f, 0xfd}, 4, "zstd -d"}, {{0x04, 0x22, 0x4d, 0x18}, 4, "lz4 -d"},
		{{0xfd, '7', 'z', 'X'}, 4, "xz -d"},      {{0x1f, 0x8b}, 2, "gzip -d"},
		{{'B', 'Z', 'h'}, 3, "bzip2 -d"},
	};

	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++)
		if (bytes->count >= kinds[i].count &&
		    memcmp(bytes->at, kinds[i].magic, kinds[i].count) == 0)
			return kinds[i].program;
	return NULL;
}

static struct error *corefile_check(const char *path, const struct core_bytes *bytes,
				    Elf64_Ehdr *ret)
{
	const char *program = compressed_by(bytes);

	if (program)
		return error_create(
			ERROR_UNSUPPORTED,
			"'%s' is compressed; '%s' (or 'coredumpctl dump', where systemd "
			"keeps it) makes a core file of it",
			path, program);
	if (bytes->count < SELFMAG || memcmp(bytes->at, ELFMAG, SELFMAG) != 0)
		return error_create(ERROR_UNSUPPORTED, "'%s' is not a core file: it is not ELF",
				    path);
	if (bytes->count > EI_CLASS && bytes->at[EI_CLASS] == ELFCLASS32)
		return error_create(ERROR_UNSUPPORTED,
				    "'%s' is of a 32-bit process, which leakinspect does not read",
				    path);
	if (!core_elf_header(bytes, ret))
		return error_create(ERROR_UNSUPPORTED,
				    "'%s' is not a core file that can be read: its ELF header is "
				    "damaged or of another machine",
				    path);
	if (ret->e_type != ET_CORE)
		return error_create(ERROR_UNSUPPORTED, "'%s' is not a core file but %s", path,
				    ret->e_type == ET_EXEC || ret->e_type == ET_DYN
					    ? "a program or a library"
					    : "another ELF file");
	if (ret->e_machine != machine_elf())
		return error_create(ERROR_UNSUPPORTED,
				    "'%s' is of a process of another machine (ELF machine %u, this "
				    "leakinspect is built for %u)",
				    path, ret->e_machine, machine_elf());
	return NULL;
}

static struct error *corefile_tell_cut(struct corefile *core)
{
	const struct core_regions *regions = &core->regions;
	uint64_t lost = regions->dumped_bytes - regions->held_bytes;
	size_t damaged = regions->damaged_count + core->notes.damaged_count;
	char lost_text[HUMAN_CHARS], whole_text[HUMAN_CHARS];
	struct error *error = NULL;

	if (lost)
		error = text_appendf(&core->shortcomings,
				     "the core file is cut short: %s of %s of memory are missing",
				     human_bytes((int64_t)lost, lost_text),
				     human_bytes((int64_t)regions->dumped_bytes, whole_text));
	if (!error && damaged)
		error = text_appendf(&core->shortcomings, "%s%zu entries of it are damaged",
				     core->shortcomings.length ? "; " : "", damaged);
	if (!error && !core->notes.lists_files)
		error = text_appendf(&core->shortcomings,
				     "%sthe core file does not list the files that were mapped "
				     "(NT_FILE)",
				     core->shortcomings.length ? "; " : "");
	return error;
}

// Only programs: of data that the process had mapped nothing is read.
static struct error *corefile_tell_files(struct corefile *core)
{
	size_t gone = 0, unchecked = 0;
	char named[NAMED_CHARS] = "";
	struct error *error = NULL;

	for (size_t i = 0; i < core->regions.file_count; i++) {
		const struct core_file *file = &core->regions.files[i];
		bool is_gone = file->state == CORE_FILE_MISSING || file->state == CORE_FILE_OTHER;
		if (!file->is_program)
			continue;
		unchecked += file->state == CORE_FILE_UNCHECKED;
		gone += is_gone;
		if (!is_gone || gone > NAMED_MAX)
			continue;
		if (gone > 1)
			strncat(named, ", ", sizeof(named) - strlen(named) - 1);
		core_file_complain(file, named, sizeof(named));
	}
	if (gone)
		error = text_appendf(&core->shortcomings,
				     "%sof its programs and libraries %s%s (%s)",
				     core->shortcomings.length ? "; " : "", named,
				     gone > NAMED_MAX ? ", and others" : "", take_them);
	if (!error && unchecked)
		error = text_appendf(&core->shortcomings,
				     "%s%zu programs and libraries are taken by their path alone, "
				     "since the core file does not tell which they were",
				     core->shortcomings.length ? "; " : "", unchecked);
	return error;
}

struct error *mem_corefile_create(const char *path, struct mem_source **ret)
{
	struct corefile *core = calloc(1, sizeof(*core));
	Elf64_Ehdr header;

	if (!core)
		return error_no_memory();
	core->source.ops = &corefile_ops;
	struct error *error = corefile_map(path, &core->bytes);
	if (!error)
		error = corefile_check(path, &core->bytes, &header);
	if (!error)
		error = core_notes_read(&core->bytes, &header, &core->notes);
	if (!error)
		error = core_regions_make(&core->bytes, &header, &core->notes, &core->regions);
	if (!error)
		error = corefile_tell_cut(core);
	if (!error)
		error = corefile_tell_files(core);
	if (error) {
		corefile_destroy(&core->source);
		return error;
	}
	*ret = &core->source;
	return NULL;
}

pid_t mem_corefile_pid(const struct mem_source *core)
{
	return corefile_of(core)->notes.pid;
}

const struct pause_thread *mem_corefile_threads(const struct mem_source *core, size_t *ret_count)
{
	*ret_count = corefile_of(core)->notes.thread_count;
	return corefile_of(core)->notes.threads;
}

const char *mem_corefile_arguments(const struct mem_source *core)
{
	return corefile_of(core)->notes.arguments;
}

const char *mem_corefile_shortcomings(const struct mem_source *core)
{
	return text_chars(&corefile_of(core)->shortcomings);
}

struct error *mem_corefile_file(const struct mem_source *source, addr_t at, const char **ret)
{
	const struct corefile *core = corefile_of(source);
	const struct core_region *region = corefile_region(core, at);
	char complaint[NAMED_CHARS] = "";

	if (!region || !region->file)
		return error_create(ERROR_FAILED, "no file was mapped at 0x%" PRIx64, at);
	const struct core_file *file = &core->regions.files[region->file - 1];
	core_file_complain(file, complaint, sizeof(complaint));
	if (!file->host_path)
		return error_create(ERROR_FAILED, "%s: %s", complaint, take_them);
	*ret = file->host_path;
	return NULL;
}
