// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/scan/scan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "targets/cpython/objects/size.h"
#include "targets/cpython/scan/blocks.h"

/** Kinds of memory that debug hooks tell apart (Objects/obmalloc.c), of those in which objects are. */
enum { DEBUG_KIND_OBJECT = 'o', DEBUG_KIND_RAW = 'r' };

static const uint64_t REFCOUNT_MAX = 1ULL << 32;

// Of a larger block's beginning: presize and header of any object.
enum { SCAN_DATA_BYTES_ENOUGH = 2560 };

// _PyGC_REFS_UNTRACKED and _PyGC_REFS_REACHABLE, up to 3.7.
static const int64_t GC_REFS_UNTRACKED = -2;
static const int64_t GC_REFS_REACHABLE = -3;

struct error *py_scan_create(const struct py_layout *layout, struct py_types *types,
			     struct mem_source *source, struct py_scan **ret)
{
	struct py_scan *scan = calloc(1, sizeof(*scan));

	if (!scan)
		return error_no_memory();
	scan->layout = layout;
	scan->types = types;
	scan->object_header_bytes = layout->f.object_type.offset + layout->f.object_type.size;
	scan->presizes[scan->presize_count++] = 0;
	scan->presizes[scan->presize_count++] = layout->size.gc_head;
	if (layout->preheader_flags) {
		scan->presizes[scan->presize_count++] = layout->size.gc_head + 2 * sizeof(addr_t);
		if (layout->size.gc_head != 2 * sizeof(addr_t))
			scan->presizes[scan->presize_count++] = 2 * sizeof(addr_t);
	}
	struct error *error = mem_window_create(source, &scan->window);
	if (error) {
		py_scan_destroy(scan);
		return error;
	}
	*ret = scan;
	return NULL;
}

void py_scan_destroy(struct py_scan *scan)
{
	if (!scan)
		return;
	py_edges_destroy(scan->edges);
	mem_window_destroy(scan->window);
	error_destroy(scan->error);
	free(scan);
}

static inline uint64_t scan_word(const unsigned char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

static void scan_fail(struct py_scan *scan, struct error *error)
{
	if (scan->error)
		error_destroy(error);
	else
		scan->error = error;
}

static void scan_flush(struct py_scan *scan)
{
	struct error *error = heap_sink_objects(scan->sink, scan->batch, scan->batch_count);

	scan->batch_count = 0;
	if (error)
		scan_fail(scan, error);
}

static inline bool scan_is_address(const struct py_scan *scan, addr_t at)
{
	// Nothing of a process is mapped beyond 47 bits unless it asks for it by address.
	return at >= scan->lowest_address && at % sizeof(addr_t) == 0 && at >> 57 == 0;
}

enum head_state { HEAD_NONE, HEAD_UNTRACKED, HEAD_TRACKED };

/*
 * What the words before an object say: no head of the collector's at all (stale memory that looks
 * like an object), one that is in no list, or one that is linked. Up to 3.7 a field of its own tells
 * (_PyGC_REFS_*), and the links of an untracked one mean nothing; since then an untracked one's next
 * is NULL and its prev at most flags. During a collection both fields count references.
 */
static inline enum head_state scan_head_state(const struct py_scan *scan, const unsigned char *head,
					      addr_t *ret_next, addr_t *ret_prev)
{
	const struct py_layout *layout = scan->layout;
	addr_t next = scan_word(head + layout->f.gc_next.offset) & ~PY_LINK_FLAGS;
	addr_t prev = scan_word(head + layout->f.gc_prev.offset) & ~PY_LINK_FLAGS;

	*ret_next = next;
	*ret_prev = prev;
	if (layout->f.gc_refs.present) {
		int64_t refs = (int64_t)scan_word(head + layout->f.gc_refs.offset) >>
			       layout->gc_refs_shift;
		if (refs == GC_REFS_UNTRACKED)
			return HEAD_UNTRACKED;
		if (refs != GC_REFS_REACHABLE && !scan->collecting)
			return HEAD_NONE;
	} else if (next == 0) {
		return prev == 0 || scan->collecting ? HEAD_UNTRACKED : HEAD_NONE;
	}
	if (!scan_is_address(scan, next) || (!scan_is_address(scan, prev) && !scan->collecting))
		return HEAD_NONE;
	return HEAD_TRACKED;
}

// Adds the links of a tracked head to the sums; the state that the object is reported with.
static inline enum head_state scan_link(struct py_scan *scan, const unsigned char *head,
					addr_t head_at)
{
	addr_t next, prev;
	enum head_state state = scan_head_state(scan, head, &next, &prev);

	if (state != HEAD_TRACKED)
		return state;
	// A head that looks linked and is in no list is no head.
	if (scan->mode == PY_SCAN_REPORT_MARKED && !py_marks_is_member(scan->marks, head_at))
		return HEAD_NONE;
	if (scan->marks_again && py_marks_is_stray(scan->marks, head_at))
		return HEAD_NONE;
	if (scan->mode == PY_SCAN_MARK)
		py_marks_add(scan->marks, head_at, next, prev);
	scan->sums.heads += py_link_term(head_at);
	scan->sums.nexts += py_link_term(next);
	scan->sums.prevs += py_link_term(prev);
	return HEAD_TRACKED;
}

static inline bool scan_is_frozen(const struct py_scan *scan, addr_t at)
{
	uint32_t ignored;

	return scan->frozen && scan->frozen->count &&
	       addr_map_get(scan->frozen, at - scan->layout->size.gc_head, &ignored);
}

static void scan_references(struct py_scan *scan, const struct py_type *type, addr_t at)
{
	size_t count;
	const struct heap_reference *references = py_edges_collect(scan->edges, type, at, &count);
	struct error *error =
		count ? heap_sink_references(scan->sink, at, references, count) : NULL;

	if (error)
		scan_fail(scan, error);
}

static inline void scan_emit(struct py_scan *scan, const struct py_type *type,
			     const unsigned char *object, addr_t at, uint64_t refcount,
			     uint32_t flags, uint64_t own)
{
	const struct py_layout *layout = scan->layout;

	if (flags & HEAP_TRACKED && scan_is_frozen(scan, at))
		flags |= HEAP_FROZEN;
	if (scan->edges) {
		if (!(flags & HEAP_STATIC))
			flags |= type->is_gc ? py_edges_finalizer_flags(scan->edges, type, at) : 0;
		scan_references(scan, type, at);
	}

	if (type->shape == PY_SHAPE_INSTANCE2) {
		addr_t class_at = py_get(object, layout->f.instance_class);
		const struct py_type *class_type =
			py_types_of_class(scan->types, &scan->cache, scan->window, class_at);
		if (class_type)
			type = class_type;
	}
	// _Py_IsImmortal(): the low half is negative.
	if (layout->has_immortals && (int32_t)refcount < 0) {
		refcount = 0;
		flags |= HEAP_IMMORTAL;
	}
	uint64_t size = type->is_fixed ? type->basicsize + type->presize
				       : py_size_of(layout, scan->window, type, at, object, own);
	scan->batch[scan->batch_count++] = (struct heap_object){
		.at = at,
		.size_bytes = size,
		.refcount = refcount,
		.type = type->id,
		.flags = flags,
	};
	if (scan->batch_count == PY_SCAN_BATCH)
		scan_flush(scan);
}

/*
 * Whether a "reference count" may as well be an address (a program linked to a fixed place has low
 * ones), as in a C array of pointers whose second one is a type.
 */
static inline bool scan_refcount_is_doubtful(const struct py_scan *scan, uint64_t refcount)
{
	return refcount >= scan->lowest_address && refcount % sizeof(addr_t) == 0;
}

// Whether it is one of data or of a heap, where objects and the runtime's structs are.
static bool scan_is_data_address(const struct py_scan *scan, uint64_t value)
{
	const struct mapping *mapping = scan->maps ? maps_find(scan->maps, value) : NULL;

	return mapping && mapping->flags & MAPPING_WRITE;
}

// Whether an object of @a need bytes would have been given a block of @a bytes: allocators round up,
// and CPython itself leaves room for one item more.
static inline bool scan_block_fits(const struct py_type *type, uint64_t need, size_t bytes)
{
	enum { ROUNDING_BYTES = 32 };

	return need <= bytes && bytes - need < ROUNDING_BYTES + type->itemsize;
}

// Tries the block as an object with @a presize bytes before it.
static inline bool scan_try(struct py_scan *scan, const unsigned char *data, addr_t at,
			    size_t bytes, uint32_t presize)
{
	const struct py_layout *layout = scan->layout;
	const unsigned char *object = data + presize;
	uint64_t refcount = scan_word(object + layout->f.object_refcnt.offset);

	if (refcount == 0 || refcount >= REFCOUNT_MAX)
		return false;
	addr_t type_at = scan_word(object + layout->f.object_type.offset);
	if (type_at < MEM_WINDOW_PAGE_BYTES || type_at % sizeof(addr_t) != 0)
		return false;
	const struct py_type *type =
		py_types_find(scan->types, &scan->cache, scan->window, type_at);
	if (!type || type->presize != presize || presize + type->header_bytes > bytes)
		return false;
	if (type->is_gc && presize + type->basicsize > bytes)
		return false;
	uint64_t own = type->basicsize;
	if (!type->is_fixed) {
		own = py_size_own(layout, type, object);
		// Some types keep something else where ob_size would be.
		if (own + presize > bytes)
			own = type->basicsize;
	}
	bool doubtful = scan_refcount_is_doubtful(scan, refcount);
	if (doubtful && !scan_block_fits(type, presize + own, bytes))
		return false;
	enum head_state state = HEAD_UNTRACKED;
	if (type->is_gc)
		state = scan_link(scan, object - layout->size.gc_head,
				  at + presize - layout->size.gc_head);
	// An array of pointers in memory that an object of just its size had before fits, too, and no
	// list of the collector's vouches for that one.
	if (state == HEAD_NONE ||
	    (state == HEAD_UNTRACKED &&
	     (type->is_always_tracked || (doubtful && scan_is_data_address(scan, refcount)))))
		return false;
	if (scan->mode != PY_SCAN_MARK)
		scan_emit(scan, type, object, at + presize, refcount,
			  state == HEAD_TRACKED ? HEAP_TRACKED : 0, own);
	return true;
}

void py_scan_block(struct py_scan *scan, const unsigned char *data, size_t data_bytes, addr_t at,
		   size_t bytes, bool looks_freed)
{
	bool counts = scan->mode == PY_SCAN_COUNT_WORDS;

	if (scan->error || (data_bytes < PY_DEBUG_HEADER_BYTES && !counts))
		return;
	// What is too large for a pool comes from malloc under hooks of its own: two headers then.
	for (int depth = 0; depth < 2 && data_bytes >= PY_DEBUG_HEADER_BYTES; depth++) {
		uint64_t length;
		unsigned char kind;
		if (!py_debug_header(data, &length, &kind))
			break;
		bool is_object = kind == DEBUG_KIND_OBJECT || kind == DEBUG_KIND_RAW;
		if ((!is_object && !counts) || bytes < PY_DEBUG_HEADER_BYTES ||
		    length > bytes - PY_DEBUG_HEADER_BYTES)
			return;
		data += PY_DEBUG_HEADER_BYTES;
		data_bytes -= PY_DEBUG_HEADER_BYTES;
		at += PY_DEBUG_HEADER_BYTES;
		bytes = length;
		looks_freed = false;
	}
	if (counts) {
		py_scan_count_words(scan, data, data_bytes, at, bytes);
		return;
	}
	// A header (types.c: HEADER_BYTES_MAX) must lie in the bytes at hand.
	if (bytes > data_bytes && data_bytes < SCAN_DATA_BYTES_ENOUGH)
		bytes = data_bytes;
	for (uint32_t i = looks_freed ? 1 : 0; i < scan->presize_count; i++)
		if (scan->presizes[i] + scan->object_header_bytes <= bytes &&
		    scan_try(scan, data, at, bytes, scan->presizes[i]))
			return;
}

void py_scan_plain_object(struct py_scan *scan, const struct py_type *type,
			  const unsigned char *object, addr_t at)
{
	uint64_t refcount = py_get(object, scan->layout->f.object_refcnt);

	if (!scan->error && scan->sink)
		scan_emit(scan, type, object, at, refcount, 0, type->basicsize);
}

bool py_scan_tracked_at(struct py_scan *scan, addr_t head_at)
{
	const struct py_layout *layout = scan->layout;
	unsigned char bytes[SCAN_DATA_BYTES_ENOUGH];
	addr_t at = head_at + layout->size.gc_head;
	addr_t type_at = mem_window_word(scan->window, at + layout->f.object_type.offset, 0);
	const struct py_type *type =
		type_at ? py_types_find(scan->types, &scan->cache, scan->window, type_at) : NULL;

	if (!type || !type->is_gc || scan->error ||
	    !mem_window_read(scan->window, head_at, bytes,
			     layout->size.gc_head + type->header_bytes) ||
	    scan_link(scan, bytes, head_at) != HEAD_TRACKED)
		return false;
	const unsigned char *object = bytes + layout->size.gc_head;
	if (scan->mode != PY_SCAN_MARK)
		scan_emit(scan, type, object, at, py_get(object, layout->f.object_refcnt),
			  HEAP_TRACKED,
			  type->is_fixed ? type->basicsize : py_size_own(layout, type, object));
	return true;
}

bool py_scan_referred_at(struct py_scan *scan, addr_t at)
{
	const struct py_layout *layout = scan->layout;
	unsigned char bytes[SCAN_DATA_BYTES_ENOUGH];

	if (!scan_is_address(scan, at) || scan->error)
		return false;
	uint64_t refcount = mem_window_word(scan->window, at + layout->f.object_refcnt.offset, 0);
	addr_t type_at = mem_window_word(scan->window, at + layout->f.object_type.offset, 0);
	bool immortal = layout->has_immortals && (int32_t)refcount < 0;
	if (!type_at || refcount == 0 || (refcount >= REFCOUNT_MAX && !immortal))
		return false;
	const struct py_type *type =
		py_types_find(scan->types, &scan->cache, scan->window, type_at);
	if (!type || !mem_window_read(scan->window, at, bytes, type->header_bytes))
		return false;
	scan_emit(scan, type, bytes, at, refcount, HEAP_STATIC,
		  type->is_fixed ? type->basicsize : py_size_own(layout, type, bytes));
	return true;
}

struct error *py_scan_finish(struct py_scan *scan)
{
	const char *type, *reason;

	if (scan->sink && scan->batch_count)
		scan_flush(scan);
	while (scan->edges && (type = py_edges_next_failure(scan->edges, &reason)))
		py_scan_problem(scan, HEAP_PROBLEM_TRUNCATED, 0,
				"the traversal of some %s could not be followed (%s): their "
				"references are guesses or missing",
				type, reason);
	struct error *error = mem_window_take_error(scan->window);
	if (!error && scan->edges)
		error = py_edges_take_error(scan->edges);
	if (error)
		scan_fail(scan, error);
	return take_ptr(scan->error);
}

void py_scan_problem(struct py_scan *scan, enum heap_problem_kind kind, addr_t at,
		     const char *format, ...)
{
	char text[200];
	va_list args;

	if (!scan->sink)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	struct heap_problem problem = {.kind = kind, .at = at, .text = text};
	struct error *error = heap_sink_problem(scan->sink, &problem);
	if (error)
		scan_fail(scan, error);
}
