// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/core/core_names.h"

#include <string.h>

#include "mem/maps.h"

enum {
	CHUNK_ALIGN = 16,
	CHUNK_BYTES_MIN = 32,
	/** Before this one is free; of another arena, or a mapping of its own. */
	CHUNK_FLAGS = 7,
	CHUNK_IS_ORDINARY = 1,
	/** So many chunks in a row are no accident. */
	CHUNK_PROOF_COUNT = 3,
};

/** No machine puts the heap farther behind the program (arch_randomize_brk()). */
static const addr_t HEAP_DISTANCE_MAX = 1ULL << 30;

static void name_region_at(struct core_regions *regions, addr_t at, const char *name)
{
	size_t index = core_regions_find(regions, at);

	if (at && index < regions->count && regions->list[index].start <= at &&
	    !regions->list[index].file)
		regions->list[index].name = name;
}

// The chunks of malloc's first heap begin with it (malloc/malloc.c: sysmalloc()).
static bool region_begins_with_chunks(const struct core_region *region)
{
	uint64_t words[2], at = 0;

	for (int i = 0; i < CHUNK_PROOF_COUNT; i++) {
		if (region->held_bytes < sizeof(words) || at > region->held_bytes - sizeof(words))
			return false;
		memcpy(words, region->bytes + at, sizeof(words));
		uint64_t bytes = words[1] & ~(uint64_t)CHUNK_FLAGS;
		if ((i == 0 && words[0] != 0) || bytes % CHUNK_ALIGN != 0 ||
		    bytes < CHUNK_BYTES_MIN || bytes > region->end - region->start - at ||
		    (words[1] & CHUNK_FLAGS & ~(uint64_t)CHUNK_IS_ORDINARY) != 0)
			return false;
		at += bytes;
		// The last one reaches to the end.
		if (at == region->end - region->start)
			return true;
	}
	return true;
}

static void name_heap(struct core_regions *regions, addr_t program_at)
{
	size_t index = core_regions_find(regions, program_at);

	if (index == regions->count || regions->list[index].start > program_at ||
	    !regions->list[index].file)
		return;
	uint32_t program = regions->list[index].file;
	addr_t program_end = regions->list[index].end;
	for (; index < regions->count; index++) {
		struct core_region *region = &regions->list[index];
		if (region->file == program)
			program_end = region->end;
		else if (region->file || region->start - program_end > HEAP_DISTANCE_MAX)
			return;
		else if ((region->flags & MAPPING_WRITE) && region_begins_with_chunks(region)) {
			region->name = "[heap]";
			return;
		}
	}
}

void core_names_find(struct core_regions *regions, const struct core_notes *notes)
{
	name_region_at(regions, notes->stack_at, "[stack]");
	name_region_at(regions, notes->vdso_at, "[vdso]");
	if (notes->program_headers_at)
		name_heap(regions, notes->program_headers_at);
}
