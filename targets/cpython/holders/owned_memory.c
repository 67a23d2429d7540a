// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/holders/owned_memory.h"

#include "targets/cpython/objects/dict.h"
#include "targets/cpython/scan/blocks.h"

/** A rest that is longer is not worth it: what stands there only hides a leak. */
static const uint64_t REST_BYTES_MAX = 64 << 20;

/** Blocks of one deque that are looked at: 16 million items. */
enum { DEQUE_BLOCKS_MAX = 1 << 18 };

/** More of a kind than any version keeps for later (80). */
enum { KEPT_MAX = 1024 };

static void unused_take_back(struct py_scan *scan, addr_t start, addr_t end)
{
	struct mem_window *window = scan->window;

	// Words are counted at multiples of their size.
	start = (start + sizeof(addr_t) - 1) & ~(addr_t)(sizeof(addr_t) - 1);
	for (addr_t at = start, next; at < end && end - start < REST_BYTES_MAX; at = next) {
		next = (at | (MEM_WINDOW_PAGE_BYTES - 1)) + 1;
		if (next > end)
			next = end;
		const void *piece = mem_window_at(window, at, (size_t)(next - at));
		if (piece)
			py_words_discount(scan->words, piece, (size_t)(next - at));
	}
}

static addr_t unused_block_end(struct py_scan *scan, addr_t at)
{
	const struct py_blocks blocks = {scan->layout, scan->window, scan->arenas, scan->regions};

	return py_block_end(&blocks, at);
}

static void unused_count_words(struct py_scan *scan, addr_t start, addr_t end)
{
	for (addr_t at = start, next; at < end; at = next) {
		next = (at | (MEM_WINDOW_PAGE_BYTES - 1)) + 1;
		if (next > end)
			next = end;
		const void *piece = mem_window_at(scan->window, at, (size_t)(next - at));
		if (piece)
			py_words_count(scan->words, piece, (size_t)(next - at), at, NULL, NULL);
	}
}

/*
 * An object's block at @a block_at, of which only [@a start, @a end) is in use. To its end goes the
 * rounding of the allocator, too; where that is not known, to @a limit.
 */
static void unused_but(struct py_scan *scan, addr_t block_at, addr_t start, addr_t end,
		       addr_t limit)
{
	addr_t block_end = unused_block_end(scan, block_at);

	if (block_end)
		limit = block_end;
	if (start < block_at || end < start || end > limit)
		return;
	switch (block_end ? py_scan_words_of(scan, block_at, block_end) : PY_SCAN_WORDS_ALL) {
	case PY_SCAN_WORDS_ALL:
		unused_take_back(scan, block_at, start);
		unused_take_back(scan, end, limit);
		break;
	case PY_SCAN_WORDS_NONE:
		// It looks given back, but has an owner: its beginning was not written since.
		unused_count_words(scan, start, end);
		break;
	case PY_SCAN_WORDS_OF_OBJECT:
		break;
	}
}

void py_unused_block(struct py_scan *scan, addr_t at)
{
	unused_but(scan, at, at, at, at);
}

static void unused_keys(struct py_scan *scan, addr_t keys_at)
{
	addr_t start, end;

	py_dict_keys_rest(scan->layout, scan->window, keys_at, &start, &end);
	if (start)
		unused_but(scan, keys_at, keys_at, start, end);
}

static uint64_t unused_key_count(struct py_scan *scan, addr_t keys_at)
{
	struct py_dict_cursor keys;

	py_dict_begin_keys(scan->layout, scan->window, keys_at, &keys);
	return keys.left;
}

/*
 * The values of an instance, apart from it, of which @a count have names. In 3.11 and 3.12 they stand
 * behind the order that they were set in; the byte before them tells how long that is (two bytes more
 * than there are values, rounded up). From 3.13 on it stands behind them. Before, there are values only.
 */
static void unused_values(struct py_scan *scan, addr_t values_at, uint64_t count)
{
	const struct py_layout *layout = scan->layout;
	addr_t block_at = values_at, first_at = values_at + layout->f.values_values.offset;

	if (layout->f.values_capacity.present) {
		const void *values =
			mem_window_at(scan->window, values_at, layout->f.values_values.offset);
		// Those within an instance are in its own block.
		if (!values || py_get(values, layout->f.values_embedded))
			return;
		uint64_t capacity = py_get(values, layout->f.values_capacity);
		count = count < capacity ? count : capacity;
	} else if (layout->f.values_values.present) {
		unsigned char prefix;
		if (!mem_window_read(scan->window, values_at - 1, &prefix, 1) ||
		    prefix < sizeof(addr_t) || prefix % sizeof(addr_t) != 0)
			return;
		block_at = values_at - prefix;
		count = count < prefix - 2U ? count : prefix - 2U;
	}
	unused_but(scan, block_at, first_at, first_at + count * sizeof(addr_t), 0);
}

static void unused_dict(struct py_scan *scan, const unsigned char *object, addr_t at)
{
	const struct py_layout *layout = scan->layout;

	if (!layout->f.dict_keys.present) {
		addr_t table_at = py_get(object, layout->f.dict_table);
		uint64_t mask = py_get(object, layout->f.dict_mask);
		if (table_at != at + layout->f.dict_smalltable.offset && mask < PY_DICT_ENTRIES_MAX)
			unused_but(scan, table_at, table_at,
				   table_at + (mask + 1) * layout->size.entry, 0);
		return;
	}
	addr_t keys_at = py_get(object, layout->f.dict_keys);
	addr_t values_at = py_get(object, layout->f.dict_values);
	// Keys that are shared are their class's business.
	if (values_at)
		unused_values(scan, values_at, unused_key_count(scan, keys_at));
	else
		unused_keys(scan, keys_at);
}

static addr_t unused_cached_keys(struct py_scan *scan, addr_t class_at)
{
	const struct py_field field = scan->layout->f.heaptype_cached_keys;

	return field.present ? mem_window_word(scan->window, class_at + field.offset, 0) : 0;
}

// Values of an instance that has no dict yet.
static void unused_managed(struct py_scan *scan, const struct py_type *type, addr_t at)
{
	struct mem_window *window = scan->window;
	addr_t values_at = 0;

	if (scan->layout->managed == PY_MANAGED_APART) {
		values_at = mem_window_word(window, at - 4 * sizeof(addr_t), 0);
	} else if (scan->layout->managed == PY_MANAGED_TAGGED) {
		addr_t word = mem_window_word(window, at - 3 * sizeof(addr_t), 0);
		values_at = word & 1 ? word + 1 : 0;
	}
	addr_t keys_at = values_at ? unused_cached_keys(scan, type->at) : 0;
	if (keys_at)
		unused_values(scan, values_at, unused_key_count(scan, keys_at));
}

/*
 * A deque has items from `leftindex` of its first block to some index of its last one, and from 3.11 on
 * a few blocks for later.
 */
static void unused_deque(struct py_scan *scan, addr_t at)
{
	const struct py_layout *layout = scan->layout;
	struct mem_window *window = scan->window;
	uint64_t per_block = layout->f.deque_block_data.element_count;
	uint32_t data = layout->f.deque_block_data.offset;

	if (!layout->f.deque_leftblock.present || !per_block)
		return;
	addr_t block_at = mem_window_word(window, at + layout->f.deque_leftblock.offset, 0);
	uint64_t left = mem_window_word(window, at + layout->f.deque_leftindex.offset, 0);
	uint32_t length_offset = layout->f.deque_len.present ? layout->f.deque_len.offset
							     : layout->f.var_size.offset;
	uint64_t length = mem_window_word(window, at + length_offset, 0);
	uint64_t end = length ? left + length : 0;
	if (left > per_block || length > per_block * DEQUE_BLOCKS_MAX)
		return;
	for (uint64_t first = 0; block_at && (first < end || first == 0); first += per_block) {
		uint64_t used = end > first ? end - first : 0;
		used = used < per_block ? used : per_block;
		addr_t items_at = block_at + data;
		unused_but(scan, block_at, items_at + (length ? left : 0) * sizeof(addr_t),
			   items_at + used * sizeof(addr_t), 0);
		left = 0;
		block_at = mem_window_word(window,
					   block_at + layout->f.deque_block_rightlink.offset, 0);
	}
	if (!layout->f.deque_free_blocks.present || !layout->f.deque_free_count.present)
		return;
	uint64_t kept = mem_window_word(window, at + layout->f.deque_free_count.offset, 0);
	for (uint64_t i = 0; i < kept && i < layout->f.deque_free_blocks.element_count; i++)
		py_unused_block(scan, mem_window_word(window,
						      at + layout->f.deque_free_blocks.offset +
							      i * sizeof(addr_t),
						      0));
}

void py_unused_of_object(struct py_scan *scan, const struct py_type *type,
			 const unsigned char *object, addr_t at)
{
	const struct py_layout *layout = scan->layout;
	addr_t items_at, keys_at;

	switch (type->shape) {
	case PY_SHAPE_LIST:
		items_at = py_get(object, layout->f.list_items);
		unused_but(scan, items_at, items_at,
			   items_at + py_get(object, layout->f.var_size) * sizeof(addr_t),
			   items_at + py_get(object, layout->f.list_allocated) * sizeof(addr_t));
		break;
	case PY_SHAPE_DICT:
	case PY_SHAPE_ORDERED_DICT:
		unused_dict(scan, object, at);
		break;
	case PY_SHAPE_TYPE:
		keys_at = py_get(object, layout->f.type_flags) & PY_TYPE_HEAP
				  ? unused_cached_keys(scan, at)
				  : 0;
		if (keys_at)
			unused_keys(scan, keys_at);
		break;
	case PY_SHAPE_DEQUE:
		unused_deque(scan, at);
		break;
	default:
		if (type->lock_offset)
			py_unused_block(scan,
					mem_window_word(scan->window, at + type->lock_offset, 0));
		break;
	}
	if (type->flags & layout->managed_dict_flag && type->flags & PY_TYPE_HEAP)
		unused_managed(scan, type, at);
}

uint64_t py_unused_object_end(struct py_scan *scan, const struct py_type *type, addr_t at,
			      uint64_t bytes)
{
	const struct py_layout *layout = scan->layout;

	if (layout->managed != PY_MANAGED_INLINE || !(type->flags & layout->inline_values_flag) ||
	    !type->is_fixed)
		return bytes;
	const void *values =
		mem_window_at(scan->window, at + type->basicsize, layout->f.values_values.offset);
	if (!values)
		return bytes;
	uint64_t end = type->basicsize;
	if (py_get(values, layout->f.values_valid))
		end += layout->f.values_values.offset +
		       py_get(values, layout->f.values_capacity) * sizeof(addr_t);
	return end < bytes ? end : bytes;
}

// The blocks that an array of @a length addresses at @a array_at begins with, as many as there are kept.
static void unused_array(struct py_scan *scan, addr_t array_at, uint64_t length, uint64_t kept)
{
	// The number is below 0 when the interpreter has given all back.
	for (uint64_t i = 0; i < kept && kept <= length && i < KEPT_MAX; i++)
		py_unused_block(scan,
				mem_window_word(scan->window, array_at + i * sizeof(addr_t), 0));
}

static uint64_t unused_count(struct py_scan *scan, addr_t at, uint32_t bytes)
{
	uint64_t count = 0;

	if (bytes > sizeof(count) || !mem_window_read(scan->window, at, &count, bytes))
		return 0;
	return count;
}

// A member that owns nothing of a struct in a block of its own; one that is part of the program's data
// was zero.
static void unused_member(struct py_scan *scan, addr_t at, struct py_field field)
{
	addr_t end = field.present ? unused_block_end(scan, at) : 0;

	if (end && field.offset + field.size <= end - at &&
	    py_scan_words_of(scan, at, end) == PY_SCAN_WORDS_ALL)
		unused_take_back(scan, at + field.offset, at + field.offset + field.size);
}

// What gives back what others keep with code objects (PEP 523) is 255 functions, none of them set.
static void unused_functions(struct py_scan *scan, addr_t interpreter_at)
{
	const struct py_layout *layout = scan->layout;
	addr_t at = mem_window_word(scan->window,
				    interpreter_at + layout->f.interp_tstate_head.offset, 0);

	unused_member(scan, interpreter_at, layout->f.interp_extra_functions);
	for (int seen = 0; at && seen < PY_THREADS_MAX; seen++) {
		unused_member(scan, at, layout->f.tstate_extra_functions);
		at = mem_window_word(scan->window, at + layout->f.tstate_next.offset, 0);
	}
}

void py_unused_kept(struct py_scan *scan, const struct py_interpreters *interpreters)
{
	const struct py_layout *layout = scan->layout;

	if (layout->var.free_keys && layout->var.free_keys_count)
		unused_array(scan, layout->var.free_keys,
			     layout->var_size.free_keys / sizeof(addr_t),
			     unused_count(scan, layout->var.free_keys_count,
					  layout->var_size.free_keys_count));
	if (layout->var.deque_free_blocks && layout->var.deque_free_count)
		unused_array(scan, layout->var.deque_free_blocks,
			     layout->var_size.deque_free_blocks / sizeof(addr_t),
			     unused_count(scan, layout->var.deque_free_count,
					  layout->var_size.deque_free_count));
	for (size_t i = 0; i < interpreters->count; i++)
		unused_functions(scan, interpreters->at[i]);
	if (!layout->f.interp_free_keys.present || !layout->f.interp_free_keys_count.present)
		return;
	for (size_t i = 0; i < interpreters->count; i++)
		unused_array(
			scan, interpreters->at[i] + layout->f.interp_free_keys.offset,
			layout->f.interp_free_keys.element_count,
			unused_count(scan,
				     interpreters->at[i] + layout->f.interp_free_keys_count.offset,
				     layout->f.interp_free_keys_count.size));
}
