// SPDX-License-Identifier: GPL-3.0-or-later
#include "heap/heap.h"
#include "targets/cpython/objects/dict.h"
#include "targets/cpython/objects/size.h"
#include "targets/cpython/scan/scan.h"

/** A rest that is longer is not worth it: what stands there only hides a leak. */
static const uint64_t REST_BYTES_MAX = 64 << 20;

static uint64_t scan_words_word(const unsigned char *data, uint32_t offset)
{
	uint64_t word;

	memcpy(&word, data + offset, sizeof(word));
	return word;
}

/*
 * The type of the object in the block, of those that nobody has any more, too: the interpreter keeps
 * tuples, frames and others for later, with a count of 0 and with what they had in them.
 */
static const struct py_type *scan_words_type(struct py_scan *scan, const unsigned char *data,
					     size_t bytes, uint32_t *ret_presize)
{
	const struct py_layout *layout = scan->layout;

	for (uint32_t i = 0; i < scan->presize_count; i++) {
		uint32_t presize = scan->presizes[i];
		if (presize + scan->object_header_bytes > bytes)
			continue;
		addr_t type_at = scan_words_word(data, presize + layout->f.object_type.offset);
		if (type_at < scan->lowest_address || type_at % sizeof(addr_t) || type_at >> 57)
			continue;
		const struct py_type *type =
			py_types_find(scan->types, &scan->cache, scan->window, type_at);
		if (type && type->presize == presize && presize + type->header_bytes <= bytes) {
			*ret_presize = presize;
			return type;
		}
	}
	return NULL;
}

static void scan_words_discount(struct py_scan *scan, addr_t start, addr_t end)
{
	for (addr_t at = start, next; at < end && end - start < REST_BYTES_MAX; at = next) {
		next = (at | (MEM_WINDOW_PAGE_BYTES - 1)) + 1;
		if (next > end)
			next = end;
		const void *piece = mem_window_at(scan->window, at, (size_t)(next - at));
		if (piece)
			py_words_discount(scan->words, piece, (size_t)(next - at));
	}
}

// Behind the items of a list and the entries of a dict stands what was there before.
static void scan_words_rests(struct py_scan *scan, const struct py_type *type,
			     const unsigned char *object, addr_t at)
{
	const struct py_layout *layout = scan->layout;
	addr_t start = 0, end = 0, keys_at = 0;

	if (type->shape == PY_SHAPE_LIST) {
		addr_t items_at = py_get(object, layout->f.list_items);
		start = items_at + py_get(object, layout->f.var_size) * sizeof(addr_t);
		end = items_at + py_get(object, layout->f.list_allocated) * sizeof(addr_t);
	} else if ((type->shape == PY_SHAPE_DICT || type->shape == PY_SHAPE_ORDERED_DICT) &&
		   layout->f.dict_keys.present && !py_get(object, layout->f.dict_values)) {
		keys_at = py_get(object, layout->f.dict_keys);
	} else if (type->shape == PY_SHAPE_TYPE && layout->f.heaptype_cached_keys.present &&
		   py_get(object, layout->f.type_flags) & PY_TYPE_HEAP) {
		keys_at = mem_window_word(scan->window, at + layout->f.heaptype_cached_keys.offset,
					  0);
	}
	if (keys_at)
		py_dict_keys_rest(layout, scan->window, keys_at, &start, &end);
	scan_words_discount(scan, start, end);
}

// Text, bytes and numbers: whatever words they have are no pointers (a buffer that is being read into
// has what was there before).
static bool scan_words_has_none(const struct py_type *type)
{
	return type->shape == PY_SHAPE_STR || type->shape == PY_SHAPE_BYTES2 ||
	       type->shape == PY_SHAPE_LONG || type->flags & PY_TYPE_BYTES;
}

/** Words of one block that are the address of a wanted object; more are not looked at. */
enum { HITS_MAX = 64 };

struct hits {
	uint32_t numbers[HITS_MAX];
	size_t count;
};

static void scan_words_hit(void *context, addr_t word_at, uint32_t number)
{
	struct hits *hits = context;

	if (hits->count < HITS_MAX)
		hits->numbers[hits->count++] = number;
}

// Whether every word of an object that owns something is among its references: not where a C struct may
// have members that are no PyObject * in name (tp_subclasses), nor in a running function's frame.
// Python 2's dicts and all sets own a dummy for every entry that is no more, which no traversal visits.
static bool scan_words_is_known(const struct py_layout *layout, const struct py_type *type)
{
	return type->shape == PY_SHAPE_LIST ||
	       (type->shape == PY_SHAPE_DICT && layout->f.dict_keys.present) ||
	       (type->shape == PY_SHAPE_PLAIN && type->flags & PY_TYPE_TUPLE);
}

/*
 * An object's references are known: a word of it beyond those is one that was never written, or owns
 * nothing.
 */
static void scan_words_keep_references(struct py_scan *scan, addr_t object_at,
				       const struct hits *hits)
{
	const struct heap *heap = scan->words_heap;
	uint32_t object = heap_find(heap, object_at);

	if (object == HEAP_NO_OBJECT)
		return;
	for (size_t i = 0; i < hits->count; i++) {
		uint32_t target = heap_find(heap, py_words_address(scan->words, hits->numbers[i]));
		uint32_t edges = 0, before = 0;
		for (size_t j = 0; j < i; j++)
			before += hits->numbers[j] == hits->numbers[i];
		for (uint32_t j = 0; j < heap_edge_count(heap, object); j++)
			edges += heap_edge_target(heap_edges(heap, object)[j]) == target;
		if (before >= edges)
			py_words_discount_one(scan->words, hits->numbers[i]);
	}
}

static void scan_words_raw(struct py_scan *scan, addr_t at, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		size_t piece = MEM_WINDOW_PAGE_BYTES - (at + done) % MEM_WINDOW_PAGE_BYTES;
		if (piece > bytes - done)
			piece = bytes - done;
		const void *data = mem_window_at(scan->window, at + done, piece);
		if (data)
			py_words_count(scan->words, data, piece, at + done, NULL, NULL);
		done += piece;
	}
}

void py_scan_count_words(struct py_scan *scan, const unsigned char *data, size_t data_bytes,
			 addr_t at, size_t bytes)
{
	uint32_t presize = 0;
	const struct py_type *type =
		data ? scan_words_type(scan, data, data_bytes < bytes ? data_bytes : bytes,
				       &presize)
		     : NULL;

	if (type) {
		const unsigned char *object = data + presize;
		if (py_get(object, scan->layout->f.object_refcnt) == 0 || scan_words_has_none(type))
			return;
		scan_words_rests(scan, type, object, at + presize);
		// Its links are heads and no objects, and before 3.8 a word of it is never written.
		uint32_t head = type->is_gc ? scan->layout->size.gc_head : 0;
		if (head)
			py_words_discount(scan->words, object - head, head);
		uint64_t own = presize + py_size_own(scan->layout, type, object);
		// What is behind the object is only the allocator's rounding.
		if (own < bytes && bytes - own < sizeof(addr_t) * 4)
			bytes = (size_t)own;
	}
	if (bytes > data_bytes) {
		scan_words_raw(scan, at, bytes);
		return;
	}
	struct hits hits = {.count = 0};
	py_words_count(scan->words, data, bytes, at, scan_words_hit, &hits);
	if (type && hits.count && scan_words_is_known(scan->layout, type))
		scan_words_keep_references(scan, at + presize, &hits);
}
