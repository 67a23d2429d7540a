// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/scan/marks.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr_map.h"
#include "base/array.h"

enum { MARK_HEAD = 1, MARK_NEXT = 2, MARK_PREV = 4, MARK_LIST = 8, MARKS_PER_WORD = 64 };

/** Heads stand at multiples of this. */
static const uint64_t GRANULE_BYTES = 8;

struct marks_range {
	addr_t start;
	addr_t end;
	/** Index of its first word in each bitmap. */
	size_t word;
};

struct py_marks {
	struct marks_range *ranges;
	size_t range_count;
	size_t word_count;
	/** What was added; who was a member when last settled. */
	uint64_t *members;
	uint64_t *heads;
	uint64_t *nexts;
	uint64_t *prevs;

	/** What is outside the ranges, generations' heads among them. */
	pthread_mutex_t lock;
	struct addr_map outside;
	addr_t *outside_list;
	size_t outside_count;
	size_t outside_capacity;
	bool outside_lost;
};

static struct error *marks_set_ranges(struct py_marks *marks, const struct py_marks_range *ranges,
				      size_t count)
{
	marks->ranges = calloc(count ? count : 1, sizeof(*marks->ranges));
	if (!marks->ranges)
		return error_no_memory();
	for (size_t i = 0; i < count; i++) {
		addr_t start = ranges[i].start & ~(GRANULE_BYTES * MARKS_PER_WORD - 1);
		struct marks_range *last =
			marks->range_count ? &marks->ranges[marks->range_count - 1] : NULL;
		// Neighbours become one: fewer to search, and no word belongs to two.
		if (last && start <= last->end) {
			if (ranges[i].end > last->end)
				last->end = ranges[i].end;
		} else {
			marks->ranges[marks->range_count++] =
				(struct marks_range){.start = start, .end = ranges[i].end};
		}
	}
	for (size_t i = 0; i < marks->range_count; i++) {
		marks->ranges[i].word = marks->word_count;
		marks->word_count += (marks->ranges[i].end - marks->ranges[i].start) /
					     (GRANULE_BYTES * MARKS_PER_WORD) +
				     1;
	}
	return NULL;
}

struct error *py_marks_create(const struct py_marks_range *ranges, size_t count, uint64_t bytes_max,
			      struct py_marks **ret)
{
	struct py_marks *marks = calloc(1, sizeof(*marks));

	if (!marks)
		return error_no_memory();
	pthread_mutex_init(&marks->lock, NULL);
	struct error *error = marks_set_ranges(marks, ranges, count);
	uint64_t bytes = (uint64_t)marks->word_count * 4 * sizeof(uint64_t);
	if (!error && bytes > bytes_max)
		error = error_create(ERROR_FAILED,
				     "telling the objects in the collector's lists from those that "
				     "only look so would take %llu MiB",
				     (unsigned long long)(bytes >> 20));
	if (!error) {
		size_t words = marks->word_count ? marks->word_count : 1;
		marks->members = calloc(words, sizeof(uint64_t));
		marks->heads = calloc(words, sizeof(uint64_t));
		marks->nexts = calloc(words, sizeof(uint64_t));
		marks->prevs = calloc(words, sizeof(uint64_t));
		if (!marks->members || !marks->heads || !marks->nexts || !marks->prevs)
			error = error_no_memory();
	}
	if (error) {
		py_marks_destroy(marks);
		return error;
	}
	*ret = marks;
	return NULL;
}

void py_marks_destroy(struct py_marks *marks)
{
	if (!marks)
		return;
	free(marks->ranges);
	free(marks->members);
	free(marks->heads);
	free(marks->nexts);
	free(marks->prevs);
	addr_map_deinit(&marks->outside);
	free(marks->outside_list);
	pthread_mutex_destroy(&marks->lock);
	free(marks);
}

static const struct marks_range *marks_range_of(const struct py_marks *marks, addr_t at)
{
	size_t low = 0, high = marks->range_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (at >= marks->ranges[middle].end)
			low = middle + 1;
		else
			high = middle;
	}
	return low < marks->range_count && at >= marks->ranges[low].start ? &marks->ranges[low]
									  : NULL;
}

// The word and bit of an address within the ranges; false outside.
static bool marks_locate(const struct py_marks *marks, addr_t at, size_t *ret_word,
			 uint64_t *ret_bit)
{
	const struct marks_range *range = marks_range_of(marks, at);

	if (!range || at % GRANULE_BYTES != 0)
		return false;
	uint64_t index = (at - range->start) / GRANULE_BYTES;
	*ret_word = range->word + index / MARKS_PER_WORD;
	*ret_bit = 1ULL << index % MARKS_PER_WORD;
	return true;
}

static void marks_set_outside(struct py_marks *marks, addr_t at, uint32_t mark)
{
	uint32_t value = 0;
	struct error *error = NULL;

	if (at == 0)
		return;
	pthread_mutex_lock(&marks->lock);
	if (!addr_map_get(&marks->outside, at, &value)) {
		if (marks->outside_count == PY_MARKS_OUTSIDE_MAX) {
			marks->outside_lost = true;
			pthread_mutex_unlock(&marks->lock);
			return;
		}
		error = array_reserve(&marks->outside_list, &marks->outside_capacity,
				      marks->outside_count + 1, sizeof(addr_t));
		if (!error)
			marks->outside_list[marks->outside_count++] = at;
	}
	if (!error)
		error = addr_map_put(&marks->outside, at, value | mark);
	// Without memory the lists cannot be told whole.
	if (error)
		marks->outside_lost = true;
	error_destroy(error);
	pthread_mutex_unlock(&marks->lock);
}

static void marks_set(struct py_marks *marks, addr_t at, uint64_t *bitmap, uint32_t mark)
{
	uint64_t bit;
	size_t word;

	if (marks_locate(marks, at, &word, &bit))
		__atomic_fetch_or(&bitmap[word], bit, __ATOMIC_RELAXED);
	else
		marks_set_outside(marks, at, mark);
}

void py_marks_add(struct py_marks *marks, addr_t head_at, addr_t next, addr_t prev)
{
	marks_set(marks, head_at, marks->heads, MARK_HEAD);
	marks_set(marks, next, marks->nexts, MARK_NEXT);
	marks_set(marks, prev, marks->prevs, MARK_PREV);
}

void py_marks_add_list(struct py_marks *marks, addr_t head_at, addr_t next, addr_t prev)
{
	uint64_t bit;
	size_t word;

	// Until 3.10 the interpreter's state, and the heads in it, come from malloc: inside a range.
	if (!marks_locate(marks, head_at, &word, &bit))
		marks_set_outside(marks, head_at, MARK_LIST);
	py_marks_add(marks, head_at, next, prev);
}

size_t py_marks_outside_count(const struct py_marks *marks)
{
	return marks->outside_count;
}

addr_t py_marks_outside(const struct py_marks *marks, size_t index)
{
	addr_t at = marks->outside_list[index];
	uint32_t value;

	return addr_map_get(&marks->outside, at, &value) && value & MARK_LIST ? 0 : at;
}

bool py_marks_was_found(const struct py_marks *marks, addr_t head_at)
{
	uint32_t value;

	return addr_map_get(&marks->outside, head_at, &value) && value & MARK_HEAD;
}

static addr_t marks_address(const struct py_marks *marks, size_t word, uint64_t bits)
{
	for (size_t i = marks->range_count; i-- > 0;) {
		const struct marks_range *range = &marks->ranges[i];
		if (word >= range->word)
			return range->start + ((word - range->word) * MARKS_PER_WORD +
					       (unsigned)__builtin_ctzll(bits)) *
						      GRANULE_BYTES;
	}
	return 0;
}

bool py_marks_settle(struct py_marks *marks, uint64_t *ret_stray, addr_t *ret_at)
{
	bool whole = !marks->outside_lost;

	*ret_stray = 0;
	*ret_at = 0;
	for (size_t i = 0; i < marks->word_count; i++) {
		uint64_t heads = marks->heads[i], nexts = marks->nexts[i], prevs = marks->prevs[i];
		uint64_t torn = ((nexts | prevs) & ~heads) | (heads & (nexts ^ prevs));
		*ret_stray += (uint64_t)__builtin_popcountll(heads & ~nexts & ~prevs);
		if (torn && whole) {
			whole = false;
			*ret_at = marks_address(marks, i, torn);
		}
		// Torn or not, what something points to is the best guess at a member.
		marks->members[i] = heads & (nexts | prevs);
	}
	for (size_t i = 0; i < marks->outside_count && whole; i++) {
		uint32_t value = 0;
		addr_map_get(&marks->outside, marks->outside_list[i], &value);
		if ((value & (MARK_HEAD | MARK_NEXT | MARK_PREV)) !=
		    (MARK_HEAD | MARK_NEXT | MARK_PREV)) {
			whole = false;
			*ret_at = marks->outside_list[i];
		}
	}
	return whole;
}

void py_marks_restart(struct py_marks *marks)
{
	size_t bytes = marks->word_count * sizeof(uint64_t);

	memset(marks->heads, 0, bytes);
	memset(marks->nexts, 0, bytes);
	memset(marks->prevs, 0, bytes);
	addr_map_deinit(&marks->outside);
	marks->outside_count = 0;
	marks->outside_lost = false;
}

bool py_marks_is_stray(const struct py_marks *marks, addr_t head_at)
{
	uint64_t bit;
	size_t word;

	return marks_locate(marks, head_at, &word, &bit) && !(marks->members[word] & bit);
}

bool py_marks_is_member(const struct py_marks *marks, addr_t head_at)
{
	uint32_t value;
	uint64_t bit;
	size_t word;

	if (marks_locate(marks, head_at, &word, &bit))
		return marks->members[word] & bit;
	return addr_map_get(&marks->outside, head_at, &value) && value & (MARK_NEXT | MARK_PREV);
}
