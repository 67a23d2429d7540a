// SPDX-License-Identifier: GPL-3.0-or-later
#include "analyze/cycle_through.h"

#include <string.h>

#include "analyze/cycle_shape.h"
#include "analyze/marks.h"
#include "base/cleanup.h"

/** What both rounds need. */
struct through {
	const struct heap *heap;
	const uint32_t *ids;
	size_t count;
	uint64_t *parts;
	uint8_t *skip;
};

static struct error *search(const struct through *through, const uint8_t *classless,
			    struct cycle_path *ret)
{
	_cleanup_components_ struct components components = {0};
	_cleanup_cycle_search_ struct cycle_search *search = NULL;
	struct error *error = components_find(through->heap, 1U << HEAP_EDGE_GC, through->skip,
					      classless, &components);

	if (!error)
		error = cycle_search_create(through->heap, &components, through->parts, &search);
	for (size_t i = 0; !error && !ret->count && i < through->count; i++)
		if (components.of[through->ids[i]] != UINT32_MAX)
			error = cycle_search_find(search, through->ids[i], UINT32_MAX, UINT64_MAX,
						  ret);
	return error;
}

struct error *cycle_through(const struct heap *heap, const uint32_t *ids, size_t count,
			    struct cycle_path *ret)
{
	_cleanup_free_ uint8_t *skip = calloc((size_t)heap->object_count + 1, 1);
	_cleanup_free_ uint8_t *classless = malloc((size_t)heap->object_count + 1);
	_cleanup_free_ uint64_t *parts = NULL;

	ret->count = 0;
	if (!skip || !classless)
		return error_no_memory();
	memset(classless, 1, (size_t)heap->object_count + 1);
	if (heap->garbage_list != HEAP_NO_OBJECT)
		skip[heap->garbage_list] = 1;
	struct error *error = marks_of_parts(heap, &parts);
	struct through through = {heap, ids, count, parts, skip};
	if (!error)
		error = search(&through, classless, ret);
	if (!error && !ret->count)
		error = search(&through, NULL, ret);
	return error;
}

struct error *cycle_through_shape(const struct heap *heap, const struct cycle_path *path,
				  struct text *into)
{
	_cleanup_cycle_shape_ struct cycle_shape shape = {0};
	struct error *error = cycle_shape_make(heap, path, &shape);

	return error ? error : text_append(into, text_chars(&shape.text), shape.text.length);
}
