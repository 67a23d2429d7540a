// SPDX-License-Identifier: GPL-3.0-or-later
#include "analyze/sweep.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/interrupt.h"

enum {
	TRIM_SWEEPS_MAX = 32,
	/** A sweep looks at all that is left: it must have taken this part of it to be repeated. */
	TRIM_WORTH = 16,
	/** Below, a search is as fast. */
	GIANT_OBJECTS_MIN = 1024,
	/** The part of what is left that makes a giant. */
	GIANT_PART = 8,
	/** A random graph needs some ten; a long list in no order would need as many as it has links. */
	GIANT_SWEEPS_MAX = 256,
	/** Objects looked at while a giant is searched, as a multiple of those left. */
	GIANT_LOOKS_MAX = 16,
};

static size_t word_count(const struct sweep_graph *graph)
{
	return graph->heap->object_count / 64 + 1;
}

static uint32_t count_bits(const struct sweep_graph *graph, const uint64_t *bits)
{
	uint32_t count = 0;

	for (size_t i = 0; i < word_count(graph); i++)
		count += (uint32_t)__builtin_popcountll(bits[i]);
	return count;
}

/** Sets @a referred for what is left and @a object refers to; whether there is any. */
static bool mark_referred(const struct sweep_graph *graph, uint32_t object, const uint64_t *left,
			  uint64_t *referred)
{
	const heap_edge *edge = heap_edges(graph->heap, object);
	const heap_edge *end = edge + heap_edge_count(graph->heap, object);
	uint32_t ignored = sweep_ignored(graph, object);
	bool any = false;

	for (; edge < end; edge++) {
		uint32_t to = heap_edge_target(*edge);

		if (sweep_edge_counts(graph, *edge, ignored) && bits_get(left, to)) {
			bits_set(referred, to);
			any = true;
		}
	}
	return any;
}

/** Looks at all references without a branch: which way it goes cannot be guessed, and a wrong guess
 *  costs more than the rest of them. */
static bool refers_into(const struct sweep_graph *graph, uint32_t object, const uint64_t *set)
{
	const heap_edge *edge = heap_edges(graph->heap, object);
	const heap_edge *end = edge + heap_edge_count(graph->heap, object);
	uint32_t ignored = sweep_ignored(graph, object);
	unsigned any = 0;

	for (; edge < end; edge++)
		any |= (unsigned)sweep_edge_counts(graph, *edge, ignored) &
		       (unsigned)bits_get(set, heap_edge_target(*edge));
	return any;
}

/** Takes one bit out of *@a bits, the lowest or the highest, and returns its number. */
static unsigned take_bit(uint64_t *bits, bool upward)
{
	unsigned bit =
		upward ? (unsigned)__builtin_ctzll(*bits) : 63 - (unsigned)__builtin_clzll(*bits);

	*bits &= ~(UINT64_C(1) << bit);
	return bit;
}

static size_t nth_word(const struct sweep_graph *graph, size_t n, bool upward)
{
	return upward ? n : word_count(graph) - 1 - n;
}

static void trim_once(const struct sweep_graph *graph, bool upward, uint64_t *left,
		      uint64_t *referred)
{
	memset(referred, 0, word_count(graph) * sizeof(*referred));
	for (size_t i = 0; i < word_count(graph); i++) {
		size_t word = nth_word(graph, i, upward);

		for (uint64_t rest = left[word]; rest;) {
			unsigned bit = take_bit(&rest, upward);

			if (!mark_referred(graph, (uint32_t)(word * 64 + bit), left, referred))
				left[word] &= ~(UINT64_C(1) << bit);
		}
	}
	for (size_t i = 0; i < word_count(graph); i++)
		left[i] &= referred[i];
}

struct error *sweep_trim(const struct sweep_graph *graph, uint64_t *left)
{
	_cleanup_free_ uint64_t *referred = malloc(word_count(graph) * sizeof(*referred));
	uint32_t before = count_bits(graph, left);

	if (!referred)
		return error_no_memory();
	// To and fro: a list whose links lie in order goes in one sweep, one way or the other.
	for (unsigned i = 0; i < TRIM_SWEEPS_MAX && before; i++) {
		struct error *error = interrupt_check();
		uint32_t after;

		if (error)
			return error;
		trim_once(graph, i % 2, left, referred);
		after = count_bits(graph, left);
		if (before - after <= before / TRIM_WORTH)
			break;
		before = after;
	}
	return NULL;
}

/** One that is left with most references: in the giant if there is one, most likely. */
static uint32_t choose_start(const struct sweep_graph *graph, const uint64_t *left)
{
	uint32_t best = 0;
	uint32_t best_edges = 0;

	for (size_t word = 0; word < word_count(graph); word++) {
		for (uint64_t rest = left[word]; rest;) {
			uint32_t object = (uint32_t)(word * 64) + take_bit(&rest, true);

			if (heap_edge_count(graph->heap, object) > best_edges) {
				best = object;
				best_edges = heap_edge_count(graph->heap, object);
			}
		}
	}
	return best;
}

/** Sets @a reached for all that can be reached within @a left from what is in it; @a done is for
 *  its own use. False when it was given up. */
static bool reach(const struct sweep_graph *graph, const uint64_t *left, uint64_t *reached,
		  uint64_t *done)
{
	memset(done, 0, word_count(graph) * sizeof(*done));
	for (unsigned i = 0; i < GIANT_SWEEPS_MAX; i++) {
		bool upward = i % 2 == 0;
		bool any = false;

		for (size_t j = 0; j < word_count(graph); j++) {
			size_t word = nth_word(graph, j, upward);
			uint64_t rest;

			while ((rest = reached[word] & ~done[word])) {
				unsigned bit = take_bit(&rest, upward);

				done[word] |= UINT64_C(1) << bit;
				mark_referred(graph, (uint32_t)(word * 64 + bit), left, reached);
				any = true;
			}
		}
		if (!any)
			return true;
	}
	return false;
}

/** Sets @a reaching for all of @a reached that leads to what is in it, through @a reached. False when
 *  it was given up. */
static bool reach_back(const struct sweep_graph *graph, const uint64_t *reached, uint64_t *reaching)
{
	uint64_t looks = (uint64_t)count_bits(graph, reached) * GIANT_LOOKS_MAX;

	for (unsigned i = 0; i < GIANT_SWEEPS_MAX; i++) {
		bool upward = i % 2;
		bool any = false;

		for (size_t j = 0; j < word_count(graph); j++) {
			size_t word = nth_word(graph, j, upward);
			uint64_t rest = reached[word] & ~reaching[word];
			uint64_t cost = (uint64_t)__builtin_popcountll(rest);

			if (cost > looks)
				return false;
			looks -= cost;
			while (rest) {
				unsigned bit = take_bit(&rest, upward);

				if (!refers_into(graph, (uint32_t)(word * 64 + bit), reaching))
					continue;
				reaching[word] |= UINT64_C(1) << bit;
				any = true;
			}
		}
		if (!any)
			return true;
	}
	return false;
}

struct error *sweep_giant(const struct sweep_graph *graph, uint64_t *left, uint64_t *ret,
			  uint32_t *ret_count)
{
	size_t bytes = word_count(graph) * sizeof(uint64_t);
	uint32_t left_count = count_bits(graph, left);
	_cleanup_free_ uint64_t *reached = NULL;
	uint32_t count;
	uint32_t start;

	*ret_count = 0;
	if (left_count < GIANT_OBJECTS_MIN)
		return NULL;
	reached = calloc(1, bytes);
	if (!reached)
		return error_no_memory();
	start = choose_start(graph, left);
	bits_set(reached, start);
	if (!reach(graph, left, reached, ret) ||
	    count_bits(graph, reached) < left_count / GIANT_PART) {
		memset(ret, 0, bytes);
		return interrupt_check();
	}
	memset(ret, 0, bytes);
	bits_set(ret, start);
	count = reach_back(graph, reached, ret) ? count_bits(graph, ret) : 0;
	if (count < left_count / GIANT_PART) {
		memset(ret, 0, bytes);
		return interrupt_check();
	}
	for (size_t i = 0; i < word_count(graph); i++)
		left[i] &= ~ret[i];
	*ret_count = count;
	return interrupt_check();
}
