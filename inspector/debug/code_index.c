// SPDX-License-Identifier: GPL-3.0-or-later
#include "debug/code_index.h"

#include "base/array.h"
#include "base/cleanup.h"

enum {
	FUNCTIONS_LIMIT = 1 << 22,
};

struct code_place {
	struct die_range range;
	uint32_t unit;
};

struct code_function {
	struct die_range range;
	/** Of the subprogram, in .debug_info. */
	uint64_t die_at;
};

struct code_unit {
	/** What the range lists of the unit count from. */
	addr_t base;
	bool is_read;
	/** Of its functions. */
	size_t first;
	size_t count;
};

void code_index_deinit(struct code_index *index)
{
	free(index->places);
	free(index->units);
	free(index->functions);
	error_destroy(index->damage);
	*index = (struct code_index){0};
}

static int range_compare(const struct die_range *one, const struct die_range *other)
{
	return (one->start > other->start) - (one->start < other->start);
}

static int place_compare(const void *one, const void *other)
{
	return range_compare(&((const struct code_place *)one)->range,
			     &((const struct code_place *)other)->range);
}

static int function_compare(const void *one, const void *other)
{
	return range_compare(&((const struct code_function *)one)->range,
			     &((const struct code_function *)other)->range);
}

static struct error *unit_places_add(struct code_index *index, uint32_t number, size_t *capacity)
{
	_cleanup_die_ struct Dwarf_Die_s *root = NULL;
	_cleanup_ranges_ struct die_ranges ranges = {0};
	struct code_unit *unit = &index->units[number];
	bool present = false;
	addr_t end = 0;
	struct error *error = die_file_unit(index->file, number, &root);

	if (!error)
		error = die_low_pc(index->file, root, &present, &unit->base, &end);
	if (!error)
		error = die_code_ranges(index->file, root, unit->base, &ranges);
	if (!error)
		error = array_reserve(&index->places, capacity, index->place_count + ranges.count,
				      sizeof(*index->places));
	if (error)
		return error;
	for (size_t i = 0; i < ranges.count; i++)
		index->places[index->place_count++] = (struct code_place){ranges.list[i], number};
	return NULL;
}

static struct error *places_read(struct code_index *index)
{
	size_t unit_count = die_file_unit_count(index->file), capacity = 0;
	struct error *error = NULL;

	index->units = calloc(unit_count + 1, sizeof(*index->units));
	if (!index->units)
		return error_no_memory();
	for (size_t i = 0; !error && i < unit_count; i++)
		error = unit_places_add(index, (uint32_t)i, &capacity);
	if (!error && index->place_count > 0)
		qsort(index->places, index->place_count, sizeof(*index->places), place_compare);
	return error;
}

static struct error *function_add(struct code_index *index, const struct code_unit *unit,
				  struct Dwarf_Die_s *die)
{
	_cleanup_ranges_ struct die_ranges ranges = {0};
	bool in_info = false;
	uint64_t die_at = 0;
	struct error *error = die_code_ranges(index->file, die, unit->base, &ranges);

	if (!error)
		error = die_offset(index->file, die, &die_at, &in_info);
	if (error || !in_info)
		return error;
	if (index->function_count + ranges.count > FUNCTIONS_LIMIT)
		return die_file_damaged(index->file, "its functions do not end");
	error = array_reserve(&index->functions, &index->function_capacity,
			      index->function_count + ranges.count, sizeof(*index->functions));
	for (size_t i = 0; !error && i < ranges.count; i++)
		index->functions[index->function_count++] =
			(struct code_function){ranges.list[i], die_at};
	return error;
}

static struct error *unit_read(struct code_index *index, uint32_t number)
{
	_cleanup_die_ struct Dwarf_Die_s *root = NULL;
	_cleanup_die_ struct Dwarf_Die_s *die = NULL;
	struct code_unit *unit = &index->units[number];
	struct error *error = die_file_unit(index->file, number, &root);

	unit->is_read = true;
	unit->first = index->function_count;
	if (!error)
		error = die_child(index->file, root, &die);
	while (!error && die) {
		unsigned tag = 0;
		error = die_tag(index->file, die, &tag);
		if (!error && tag == DIE_TAG_SUBPROGRAM)
			error = function_add(index, unit, die);
		if (!error)
			error = die_next(index->file, &die);
	}
	unit->count = index->function_count - unit->first;
	if (!error && unit->count > 0)
		qsort(index->functions + unit->first, unit->count, sizeof(*index->functions),
		      function_compare);
	return error;
}

// Ranges of units do not overlap in a sound file; in another one something may not be found.
static const struct code_place *place_find(const struct code_index *index, addr_t address)
{
	size_t low = 0, high = index->place_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct code_place *place = &index->places[middle];
		if (address >= place->range.start && address < place->range.end)
			return place;
		if (address < place->range.start)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static const struct code_function *function_find(const struct code_index *index,
						 const struct code_unit *unit, addr_t address)
{
	size_t low = unit->first, high = unit->first + unit->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct code_function *function = &index->functions[middle];
		if (address >= function->range.start && address < function->range.end)
			return function;
		if (address < function->range.start)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

struct error *code_index_function(struct code_index *index, addr_t address,
				  struct Dwarf_Die_s **ret)
{
	const struct code_place *place = NULL;
	const struct code_function *function = NULL;

	*ret = NULL;
	if (!index->damage && !index->units)
		index->damage = places_read(index);
	if (!index->damage) {
		place = place_find(index, address);
		if (place && !index->units[place->unit].is_read)
			index->damage = unit_read(index, place->unit);
	}
	// Going on behind damage would answer "absent" for what was not read.
	if (index->damage)
		return error_create(index->damage->code, "%s", index->damage->message);
	if (place)
		function = function_find(index, &index->units[place->unit], address);
	return function ? die_at(index->file, function->die_at, true, ret) : NULL;
}
