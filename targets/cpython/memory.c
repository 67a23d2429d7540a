// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/memory.h"

#include <stdlib.h>

#include "base/cleanup.h"

struct error *py_memory_read_state(const struct py_layout *layout, struct mem_window *window,
				   struct py_memory *ret)
{
	struct error *error = py_interpreters_read(layout, window, &ret->interpreters);

	return error ? error : py_gc_state_read(layout, window, &ret->interpreters, &ret->gc);
}

struct error *py_memory_find(const struct py_layout *layout, struct mem_window *window,
			     struct mem_source *source, struct py_memory *memory)
{
	struct error *error =
		py_arenas_read(layout, window, &memory->interpreters, &memory->arenas);
	_cleanup_free_ struct malloc_excluded *excluded = NULL;

	if (error)
		return error;
	excluded = calloc(memory->arenas.count + 1, sizeof(*excluded));
	if (!excluded)
		return error_no_memory();
	for (size_t i = 0; i < memory->arenas.count; i++)
		excluded[i] = (struct malloc_excluded){memory->arenas.list[i].address,
						       memory->arenas.list[i].end};
	error = mem_source_maps(source, &memory->maps);
	if (!error && memory->maps.count)
		memory->lowest_address = memory->maps.list[0].start;
	if (!error)
		error = malloc_regions_find(source, &memory->maps, excluded, memory->arenas.count,
					    &memory->regions);
	return error;
}

void py_memory_deinit(struct py_memory *memory)
{
	malloc_regions_deinit(&memory->regions);
	maps_deinit(&memory->maps);
	py_arenas_deinit(&memory->arenas);
	py_gc_state_deinit(&memory->gc);
	py_interpreters_deinit(&memory->interpreters);
}
