// SPDX-License-Identifier: GPL-3.0-or-later
#include "analyze/marks.h"

struct error *marks_of_parts(const struct heap *heap, uint64_t **ret)
{
	*ret = bits_alloc(heap->object_count);
	if (!*ret)
		return error_no_memory();
	for (uint32_t i = 0; i < heap->object_count; i++)
		if (heap->flags[i] & HEAP_PART)
			bits_set(*ret, i);
	return NULL;
}

struct error *marks_of_classes(const struct heap *heap, uint64_t **ret)
{
	*ret = bits_alloc(heap->object_count);
	if (!*ret)
		return error_no_memory();
	for (uint32_t i = 0; i < heap->type_count; i++) {
		addr_t at = heap->types[i].at;
		uint32_t object = at ? heap_find(heap, at) : HEAP_NO_OBJECT;
		if (object != HEAP_NO_OBJECT)
			bits_set(*ret, object);
	}
	return NULL;
}
