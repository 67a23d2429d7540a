// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/scan/method_cache.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "targets/cpython/objects/size.h"

enum {
	/** Of one cache; there are 4,096 entries of 24 bytes. */
	METHOD_CACHE_BYTES_MAX = 1 << 20,
	/** The head of an object: all that is gathered. */
	OBJECT_HEAD_BYTES = 32,
	STRING_HEAD_BYTES_MAX = 256,
};

/** Names in the caches of all interpreters, one as often as it is there. */
struct names {
	addr_t *list;
	size_t count;
	size_t capacity;
};

static int compare_addresses(const void *left, const void *right)
{
	addr_t a = *(const addr_t *)left, b = *(const addr_t *)right;

	return (a > b) - (a < b);
}

static struct error *names_of_cache(const struct py_layout *layout, struct mem_source *source,
				    addr_t at, size_t bytes, struct names *names)
{
	const struct py_field *name = &layout->f.method_cache_name;
	size_t entry_bytes = layout->size.method_cache_entry;
	_cleanup_free_ unsigned char *cache = NULL;

	if (!at || !name->present || !entry_bytes || bytes > METHOD_CACHE_BYTES_MAX ||
	    name->offset + name->size > entry_bytes)
		return NULL;
	cache = malloc(bytes + 1);
	if (!cache)
		return error_no_memory();
	struct error *error = mem_source_read(source, at, cache, bytes);
	if (error && error->code == ERROR_FAULT) {
		// Nothing is left out then, which the census says anyway.
		error_destroy(error);
		return NULL;
	}
	for (size_t i = 0; i + entry_bytes <= bytes && !error; i += entry_bytes) {
		addr_t name_at = py_get(cache + i, *name);
		if (!name_at || name_at % sizeof(addr_t) != 0)
			continue;
		error = array_reserve(&names->list, &names->capacity, names->count + 1,
				      sizeof(*names->list));
		if (!error)
			names->list[names->count++] = name_at;
	}
	return error;
}

static struct error *names_collect(const struct py_layout *layout, struct mem_source *source,
				   const struct py_interpreters *interpreters, struct names *names)
{
	const struct py_field *table = &layout->f.interp_method_cache;
	struct error *error = names_of_cache(layout, source, layout->var.method_cache,
					     layout->var_size.method_cache, names);

	for (size_t i = 0; table->present && i < interpreters->count && !error; i++)
		error = names_of_cache(layout, source, interpreters->at[i] + table->offset,
				       table->size, names);
	if (names->count)
		qsort(names->list, names->count, sizeof(*names->list), compare_addresses);
	return error;
}

/** What the caches keep, all of one type, `str`. */
struct sole {
	const struct py_type *type;
	struct heap_cached cached;
};

static bool is_string(const struct py_type *type)
{
	return type && (type->shape == PY_SHAPE_STR || type->shape == PY_SHAPE_BYTES2);
}

// The references of the cache count in any case; the string is left out when there are no others.
static void sole_add(const struct py_layout *layout, struct mem_window *window,
		     struct py_types *types, addr_t at, const unsigned char *head, uint64_t held,
		     struct sole *sole)
{
	unsigned char copy[STRING_HEAD_BYTES_MAX];
	uint64_t refcount = py_get(head, layout->f.object_refcnt);
	const struct py_type *type =
		py_types_look_up(types, window, py_get(head, layout->f.object_type));

	if (!is_string(type) || (sole->type && sole->type != type) || refcount < held ||
	    (layout->has_immortals && (int32_t)refcount < 0))
		return;
	sole->type = type;
	sole->cached.refs += held;
	// Its size may lead elsewhere, for which the window moves.
	if (refcount > held || type->header_bytes > sizeof(copy) ||
	    !mem_window_read(window, at, copy, type->header_bytes))
		return;
	sole->cached.count++;
	sole->cached.size_bytes +=
		py_size_of(layout, window, type, at, copy, py_size_own(layout, type, copy));
}

struct error *py_method_cache_report(const struct py_layout *layout, struct mem_source *source,
				     struct mem_window *window, struct py_types *types,
				     const struct py_interpreters *interpreters,
				     struct heap_sink *sink)
{
	_cleanup_free_ addr_t *list = NULL;
	_cleanup_free_ struct mem_span *spans = NULL;
	_cleanup_free_ unsigned char *heads = NULL;
	struct names names = {0};
	struct sole sole = {0};
	size_t count = 0;
	struct error *error = names_collect(layout, source, interpreters, &names);

	list = names.list;
	if (error || !names.count)
		return error;
	spans = calloc(names.count, sizeof(*spans));
	heads = calloc(names.count, OBJECT_HEAD_BYTES);
	if (!spans || !heads)
		return error_no_memory();
	for (size_t i = 0; i < names.count; i++)
		if (i == 0 || list[i] != list[i - 1]) {
			spans[count] = (struct mem_span){.at = list[i],
							 .into = heads + count * OBJECT_HEAD_BYTES,
							 .bytes = OBJECT_HEAD_BYTES};
			count++;
		}
	error = mem_source_gather(source, spans, count);
	for (size_t i = 0, next = 0; i < count && !error; i++) {
		uint64_t held = 0;
		for (; next < names.count && list[next] == spans[i].at; next++)
			held++;
		if (spans[i].ok)
			sole_add(layout, window, types, spans[i].at, spans[i].into, held, &sole);
	}
	if (error || !sole.type)
		return error;
	sole.cached.name = sole.type->name;
	return heap_sink_cached(sink, &sole.cached);
}
