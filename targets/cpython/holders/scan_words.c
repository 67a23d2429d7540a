// SPDX-License-Identifier: GPL-3.0-or-later
#include "heap/heap.h"
#include "targets/cpython/holders/owned_memory.h"
#include "targets/cpython/objects/size.h"
#include "targets/cpython/scan/scan.h"

/** What an allocator may add to what was asked for. */
enum { ROUNDING_BYTES = 32 };

/** Of a block's beginning: what stands before an object and the fields that all have; what tells any
 *  object's size (as in types.c: HEADER_BYTES_MAX). */
enum { FIRST_BYTES = 64, HEADER_BYTES = 2560 };

static uint64_t scan_words_word(const unsigned char *data, uint32_t offset)
{
	uint64_t word;

	memcpy(&word, data + offset, sizeof(word));
	return word;
}

/*
 * Whether there is an object with @a presize bytes before it: one that was found, or one that nobody has
 * any more: the interpreter keeps tuples, frames and others for later, with a count of 0 and with what they
 * had in them. Other words that look like an object's are a C array's, in which a type stands second.
 */
static bool scan_words_is_object(struct py_scan *scan, const struct py_type *type,
				 const unsigned char *object, addr_t at, size_t bytes)
{
	if (py_get(object, scan->layout->f.object_refcnt) != 0)
		return heap_find(scan->words_heap, at + type->presize) != HEAP_NO_OBJECT;
	uint64_t need = type->presize + py_size_own(scan->layout, type, object);
	return need <= bytes && bytes - need < ROUNDING_BYTES + type->itemsize;
}

// What an object that begins at @a object would have for its type.
static const struct py_type *scan_words_type_at(struct py_scan *scan, const unsigned char *object)
{
	addr_t type_at = scan_words_word(object, scan->layout->f.object_type.offset);

	if (type_at < scan->lowest_address || type_at % sizeof(addr_t) || type_at >> 57)
		return NULL;
	return py_types_find(scan->types, &scan->cache, scan->window, type_at);
}

// The type of the object in the block, NULL when there is none.
static const struct py_type *scan_words_type(struct py_scan *scan, const unsigned char *data,
					     size_t data_bytes, addr_t at, size_t bytes,
					     uint32_t *ret_presize)
{
	for (uint32_t i = 0; i < scan->presize_count; i++) {
		uint32_t presize = scan->presizes[i];
		if (presize + scan->object_header_bytes > data_bytes)
			continue;
		const struct py_type *type = scan_words_type_at(scan, data + presize);
		if (type && type->presize == presize &&
		    presize + type->header_bytes <= data_bytes &&
		    scan_words_is_object(scan, type, data + presize, at, bytes)) {
			*ret_presize = presize;
			return type;
		}
	}
	return NULL;
}

enum py_scan_words py_scan_words_of(struct py_scan *scan, addr_t at, addr_t end)
{
	unsigned char data[HEADER_BYTES];
	size_t bytes = (size_t)(end - at), data_bytes = bytes < sizeof(data) ? bytes : sizeof(data);
	uint32_t presize;

	// No type is where an object would have one, in most.
	size_t first_bytes = data_bytes < FIRST_BYTES ? data_bytes : FIRST_BYTES;
	bool may_be_object = false;
	if (!mem_window_read(scan->window, at, data, first_bytes))
		return PY_SCAN_WORDS_OF_OBJECT;
	if (bytes >= 2 * sizeof(addr_t) && scan->regions &&
	    malloc_block_is_cached(scan->regions, at, bytes, scan_words_word(data, 0),
				   scan_words_word(data, sizeof(addr_t))))
		return PY_SCAN_WORDS_NONE;
	for (uint32_t i = 0; i < scan->presize_count; i++) {
		uint32_t presize_bytes = scan->presizes[i];
		if (presize_bytes + scan->object_header_bytes <= first_bytes &&
		    scan_words_type_at(scan, data + presize_bytes))
			may_be_object = true;
	}
	if (!may_be_object)
		return PY_SCAN_WORDS_ALL;
	if (!mem_window_read(scan->window, at, data, data_bytes))
		return PY_SCAN_WORDS_OF_OBJECT;
	if (!scan_words_type(scan, data, data_bytes, at, bytes, &presize))
		return PY_SCAN_WORDS_ALL;
	return py_get(data + presize, scan->layout->f.object_refcnt) == 0 ? PY_SCAN_WORDS_NONE
									  : PY_SCAN_WORDS_OF_OBJECT;
}

// Text, bytes and numbers: whatever words they have are no pointers (a buffer that is being read into
// has what was there before). Those of a class have attributes.
static bool scan_words_has_none(const struct py_type *type)
{
	if (type->flags & PY_TYPE_HEAP)
		return false;
	return type->shape == PY_SHAPE_STR || type->shape == PY_SHAPE_BYTES2 ||
	       type->shape == PY_SHAPE_LONG || type->flags & PY_TYPE_BYTES;
}

/** Words of one block that are the address of a wanted object; more are not looked at. */
enum { HITS_MAX = 128 };

struct hits {
	uint32_t numbers[HITS_MAX];
	size_t count;
	/** Words before may be anything's, and so may those in here: what a running function has on its
	 *  stack. */
	addr_t known_start;
	addr_t unknown_start;
	addr_t unknown_end;
};

static void scan_words_hit(void *context, addr_t word_at, uint32_t number)
{
	struct hits *hits = context;

	if (hits->count == HITS_MAX || word_at < hits->known_start ||
	    (word_at >= hits->unknown_start && word_at < hits->unknown_end))
		return;
	hits->numbers[hits->count++] = number;
}

/*
 * The variables and the stack of a frame that is an object, up to 3.10, and before them its `try` blocks, which
 * are numbers. Of one that does not run all are
 * visited; of a running one all but what is on its stack, whose height nobody knows (frames.h). Python 2
 * does not tell which ones run.
 */
static bool scan_words_of_frame(struct py_scan *scan, addr_t at, struct hits *hits)
{
	const struct py_layout *layout = scan->layout;
	struct mem_window *window = scan->window;
	uint64_t state = 0;
	uint32_t height = 0;

	hits->known_start = at + layout->f.frame_blocks.offset;
	if (layout->f.frame_executing.present) {
		if (!mem_window_read(window, at + layout->f.frame_executing.offset, &state, 1))
			return false;
		if (!state)
			return true;
	} else if (layout->f.frame_stackdepth.present) {
		if (!mem_window_read(window, at + layout->f.frame_stackdepth.offset, &state,
				     sizeof(int)))
			return false;
		if ((int)state >= 0)
			return true;
	}
	addr_t code_at = mem_window_word(window, at + layout->f.frame_code.offset, 0);
	hits->unknown_start = mem_window_word(window, at + layout->f.frame_valuestack.offset, 0);
	if (!code_at || !hits->unknown_start ||
	    !mem_window_read(window, code_at + layout->f.code_stacksize.offset, &height,
			     sizeof(height)))
		return false;
	hits->unknown_end = hits->unknown_start + height * sizeof(addr_t);
	return true;
}

/*
 * The same from 3.11 on, of the frame at @a frame_at within its generator or its frame object. While it
 * runs its stack's height is not known, nor what is visited.
 */
static bool scan_words_of_iframe(struct py_scan *scan, addr_t frame_at, struct hits *hits)
{
	const struct py_layout *layout = scan->layout;
	int height = -1;

	hits->known_start = frame_at + layout->f.iframe_values.offset;
	return mem_window_read(scan->window, frame_at + layout->f.iframe_stacktop.offset, &height,
			       sizeof(height)) &&
	       height >= 0;
}

static bool scan_words_frame(struct py_scan *scan, addr_t at, struct hits *hits)
{
	const struct py_layout *layout = scan->layout;

	if (layout->f.frame_valuestack.present && layout->f.frame_blocks.present)
		return scan_words_of_frame(scan, at, hits);
	if (!layout->f.frame_iframe.present || !layout->f.frame_data.present ||
	    !layout->f.iframe_stacktop.present)
		return false;
	addr_t data_at = at + layout->f.frame_data.offset;
	if (mem_window_word(scan->window, at + layout->f.frame_iframe.offset, 0) == data_at)
		return scan_words_of_iframe(scan, data_at, hits);
	// The function has not returned: what it has is elsewhere, and here is nothing yet.
	hits->known_start = data_at;
	return true;
}

// Whether every word of the object that owns something is among its references: not where a C struct may
// have members that are no PyObject * in name (tp_subclasses). Python 2's dicts and all sets own a dummy
// for every entry that is no more, which no traversal visits.
static bool scan_words_is_known(struct py_scan *scan, const struct py_type *type, addr_t at,
				struct hits *hits)
{
	const struct py_layout *layout = scan->layout;

	if (type->shape == PY_SHAPE_LIST ||
	    (type->shape == PY_SHAPE_DICT && layout->f.dict_keys.present))
		return true;
	if (type->shape != PY_SHAPE_PLAIN)
		return false;
	if (type->flags & PY_TYPE_TUPLE)
		return true;
	// Where a traversal could not be run, references are missing.
	if (scan->words_heap->truncated)
		return false;
	if (type->at == layout->var.frame_type)
		return scan_words_frame(scan, at, hits);
	return (type->at == layout->var.generator_type || type->at == layout->var.coroutine_type ||
		type->at == layout->var.asyncgen_type) &&
	       layout->f.generator_iframe.present && layout->f.iframe_stacktop.present &&
	       scan_words_of_iframe(scan, at + layout->f.generator_iframe.offset, hits);
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

// The words of an object in use, @a bytes of which are in its block from @a at on, behind what stands
// before it.
static void scan_words_object(struct py_scan *scan, const struct py_type *type,
			      const unsigned char *object, size_t data_bytes, addr_t at,
			      size_t bytes)
{
	uint64_t own = py_size_own(scan->layout, type, object);
	struct hits hits = {.count = 0};

	py_unused_of_object(scan, type, object, at);
	// What is behind the object is only the allocator's rounding.
	if (own < bytes && bytes - own < ROUNDING_BYTES + type->itemsize)
		bytes = (size_t)own;
	bytes = (size_t)py_unused_object_end(scan, type, at, bytes);
	if (bytes > data_bytes) {
		scan_words_raw(scan, at, bytes);
		return;
	}
	bool is_known = scan_words_is_known(scan, type, at, &hits);
	py_words_count(scan->words, object, bytes, at, is_known ? scan_words_hit : NULL, &hits);
	if (hits.count)
		scan_words_keep_references(scan, at, &hits);
}

void py_scan_count_words(struct py_scan *scan, const unsigned char *data, size_t data_bytes,
			 addr_t at, size_t bytes)
{
	uint32_t presize = 0;
	const struct py_type *type =
		data ? scan_words_type(scan, data, data_bytes < bytes ? data_bytes : bytes, at,
				       bytes, &presize)
		     : NULL;

	if (!type && bytes > data_bytes) {
		scan_words_raw(scan, at, bytes);
	} else if (!type) {
		py_words_count(scan->words, data, bytes, at, NULL, NULL);
	} else if (py_get(data + presize, scan->layout->f.object_refcnt) == 0) {
		// Some of those kept for later keep their reference to the type.
		uint32_t type_offset = presize + scan->layout->f.object_type.offset;
		py_words_count(scan->words, data + type_offset, sizeof(addr_t), at + type_offset,
			       NULL, NULL);
	} else if (!scan_words_has_none(type)) {
		// The collector's links are heads and no objects, and before 3.8 a word of them is
		// never written.
		uint32_t head = type->is_gc ? scan->layout->size.gc_head : 0;
		py_words_count(scan->words, data, presize - head, at, NULL, NULL);
		scan_words_object(scan, type, data + presize, data_bytes - presize, at + presize,
				  bytes - presize);
	}
}
