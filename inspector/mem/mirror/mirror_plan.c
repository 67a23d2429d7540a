// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/mirror/mirror_plan.h"

#include <stdlib.h>

#include "base/addr_map.h"
#include "base/array.h"
#include "base/cleanup.h"

enum {
	/** Constant tables of a program are smaller, what else it maps to read (fonts, locales,
	 *  models) is of no use to us. */
	CONSTANT_BYTES_MAX = 16 << 20,
	/** The mappings of a loaded file stand together, with gaps or a .bss in between at most. */
	NEIGHBOURS_MAX = 8,
};

/** A file mapped to be changed in private is somebody's data set when it is larger. */
static const uint64_t PRIVATE_FILE_BYTES_MAX = 1ULL << 30;
/** The upper half is the kernel's; also keeps sums of addresses from overflowing. */
static const addr_t ADDRESS_MAX = 1ULL << 62;

void mirror_plan_deinit(struct mirror_plan *plan)
{
	maps_deinit(&plan->maps);
	free(plan->regions);
	free(plan->runs);
	*plan = (struct mirror_plan){0};
}

static bool is_same_file(const struct mapping *one, const struct mapping *other)
{
	return one->inode == other->inode && one->device_major == other->device_major &&
	       one->device_minor == other->device_minor;
}

// Whether it is part of a file that is also mapped to be run: a program or a library.
static bool is_of_program(const struct maps *maps, size_t index)
{
	const struct mapping *mapping = &maps->list[index];
	size_t first = index > NEIGHBOURS_MAX ? index - NEIGHBOURS_MAX : 0;

	if (mapping->inode == 0)
		return false;
	for (size_t i = first; i < maps->count && i <= index + NEIGHBOURS_MAX; i++)
		if ((maps->list[i].flags & MAPPING_EXEC) && is_same_file(mapping, &maps->list[i]))
			return true;
	return false;
}

static bool is_constant(const struct maps *maps, size_t index)
{
	const struct mapping *mapping = &maps->list[index];

	return !(mapping->flags & (MAPPING_WRITE | MAPPING_EXEC)) &&
	       mapping->end - mapping->start <= CONSTANT_BYTES_MAX && is_of_program(maps, index);
}

static bool is_copied(const struct maps *maps, size_t index)
{
	const struct mapping *mapping = &maps->list[index];

	if (!(mapping->flags & MAPPING_READ) || (mapping->flags & MAPPING_SHARED) ||
	    mapping->end > ADDRESS_MAX)
		return false;
	if (mapping_is_anonymous(mapping))
		return true;
	if (mapping->flags & MAPPING_WRITE)
		return mapping->inode != 0 &&
		       mapping->end - mapping->start <= PRIVATE_FILE_BYTES_MAX;
	return is_constant(maps, index);
}

static uint64_t constant_id(const struct mapping *mapping)
{
	uint64_t id = addr_hash(mapping->inode);

	id = addr_hash(id ^ ((uint64_t)mapping->device_major << 32 | mapping->device_minor));
	id = addr_hash(id ^ mapping->file_offset);
	return id ? id : 1;
}

static struct error *plan_add_run(struct mirror_plan *plan, addr_t start, addr_t end, uint64_t id)
{
	struct mirror_run *last = plan->run_count ? &plan->runs[plan->run_count - 1] : NULL;

	plan->bytes += end - start;
	plan->regions[plan->region_count - 1].run_bytes += end - start;
	if (last && last->end == start && last->constant_id == 0 && id == 0) {
		last->end = end;
		return NULL;
	}
	struct error *error = array_reserve(&plan->runs, &plan->run_capacity, plan->run_count + 1,
					    sizeof(*plan->runs));
	if (!error)
		plan->runs[plan->run_count++] =
			(struct mirror_run){.start = start, .end = end, .constant_id = id};
	return error;
}

static struct error *plan_add_region(struct mirror_plan *plan, const struct mapping *mapping)
{
	struct mirror_region *last =
		plan->region_count ? &plan->regions[plan->region_count - 1] : NULL;

	if (last && last->end == mapping->start) {
		last->end = mapping->end;
		return NULL;
	}
	struct error *error = array_reserve(&plan->regions, &plan->region_capacity,
					    plan->region_count + 1, sizeof(*plan->regions));
	if (!error)
		plan->regions[plan->region_count++] =
			(struct mirror_region){.start = mapping->start, .end = mapping->end};
	return error;
}

// Only anonymous memory is zeros where it was never touched.
static struct error *plan_add_resident(struct mirror_plan *plan, struct mem_source *live,
				       const struct mapping *mapping)
{
	struct error *error = NULL;

	for (addr_t at = mapping->start, start, end; !error && at < mapping->end; at = end) {
		error = mem_source_resident(live, at, mapping->end, &start, &end);
		if (error || start >= end)
			return error;
		error = plan_add_run(plan, start, end, 0);
	}
	return error;
}

struct error *mirror_plan_make(struct mem_source *live, struct mirror_plan *ret)
{
	struct error *error = mem_source_maps(live, &ret->maps);

	for (size_t i = 0; !error && i < ret->maps.count; i++) {
		const struct mapping *mapping = &ret->maps.list[i];
		if (!is_copied(&ret->maps, i))
			continue;
		error = plan_add_region(ret, mapping);
		if (error)
			break;
		if (mapping_is_anonymous(mapping))
			error = plan_add_resident(ret, live, mapping);
		else
			error = plan_add_run(ret, mapping->start, mapping->end,
					     is_constant(&ret->maps, i) ? constant_id(mapping) : 0);
	}
	return error;
}
