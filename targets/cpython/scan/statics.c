// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/scan/statics.h"

#include <stdlib.h>

#include "base/cleanup.h"

enum { PIECE_BYTES = 64 << 10 };

/*
 * What a static object's count was set to when the program was built, which the interpreter never
 * added to its total: PyObject_HEAD_INIT gives 1, and the objects of 3.11's runtime state
 * _PyObject_IMMORTAL_REFCNT (Include/internal/pycore_object.h), which is counted on from there.
 */
static const uint64_t REFCOUNT_INITIAL = 1;
static const uint64_t REFCOUNT_INITIAL_IMMORTAL = 999999999;
/** More references than anything has, fewer than would reach the other initial count. */
static const uint64_t REFCOUNT_GAINED_MAX = 1 << 28;

// Only what comes from a file: behind it, anonymous memory of any other use may follow.
static bool statics_is_data(const struct mapping *mapping)
{
	return mapping->flags & MAPPING_WRITE && !(mapping->flags & MAPPING_SHARED) &&
	       mapping->path[0] == '/';
}

// References that were counted for a static object with this count; 0 when that is no count.
static int64_t statics_gained(const struct py_layout *layout, uint64_t refcount)
{
	if (layout->has_immortals && (int32_t)refcount < 0)
		return 0;
	if (refcount - REFCOUNT_INITIAL < REFCOUNT_GAINED_MAX)
		return (int64_t)(refcount - REFCOUNT_INITIAL);
	int64_t gained = (int64_t)(refcount - REFCOUNT_INITIAL_IMMORTAL);
	return llabs(gained) < (int64_t)REFCOUNT_GAINED_MAX ? gained : 0;
}

// A table of C's may have an address and a type's side by side.
static bool statics_is_pointer(const struct maps *maps, uint64_t value)
{
	return value % sizeof(addr_t) == 0 && maps_find(maps, value);
}

static int64_t statics_sum_piece(struct py_scan *scan, const struct maps *maps,
				 const unsigned char *bytes, size_t length)
{
	const struct py_layout *layout = scan->layout;
	size_t header_bytes = layout->f.object_type.offset + layout->f.object_type.size;
	int64_t sum = 0;

	for (size_t offset = 0; offset + header_bytes <= length; offset += sizeof(addr_t)) {
		uint64_t refcount = py_get(bytes + offset, layout->f.object_refcnt);
		addr_t type_at = py_get(bytes + offset, layout->f.object_type);
		if (refcount == 0 || type_at < MEM_WINDOW_PAGE_BYTES ||
		    type_at % sizeof(addr_t) != 0 || statics_is_pointer(maps, refcount) ||
		    !py_types_find(scan->types, &scan->cache, scan->window, type_at))
			continue;
		sum += statics_gained(layout, refcount);
	}
	return sum;
}

struct error *py_statics_refs(struct py_scan *scan, struct mem_source *source,
			      const struct maps *maps, int64_t *ret)
{
	_cleanup_free_ unsigned char *piece = malloc(PIECE_BYTES);

	*ret = 0;
	if (!piece)
		return error_no_memory();
	for (size_t i = 0; i < maps->count; i++) {
		if (!statics_is_data(&maps->list[i]))
			continue;
		for (addr_t at = maps->list[i].start; at < maps->list[i].end; at += PIECE_BYTES) {
			size_t length = maps->list[i].end - at < PIECE_BYTES
						? (size_t)(maps->list[i].end - at)
						: PIECE_BYTES;
			struct error *error = mem_source_read(source, at, piece, length);
			if (error && error->code != ERROR_FAULT)
				return error;
			if (!error)
				*ret += statics_sum_piece(scan, maps, piece, length);
			error_destroy(error);
		}
	}
	return NULL;
}
