// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/holders/words.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr_map.h"
#include "base/cleanup.h"

// Bits of a filter before the map: most words of a heap are no address that is looked for.
enum { FILTER_BITS_LOG2 = 18 };

struct py_words {
	struct addr_map by_address;
	addr_t *addresses;
	addr_t lowest;
	addr_t highest;
	size_t count;
	uint64_t filter[(1 << FILTER_BITS_LOG2) / 64];
	atomic_uint_least64_t totals[];
};

static inline uint32_t words_filter_bit(addr_t at)
{
	return (uint32_t)(at * 0x9e3779b97f4a7c15U >> (64 - FILTER_BITS_LOG2));
}

struct error *py_words_create(const addr_t *at, size_t count, struct py_words **ret)
{
	struct py_words *words = calloc(1, sizeof(*words) + count * sizeof(words->totals[0]));
	struct error *error = NULL;

	if (!words)
		return error_no_memory();
	words->addresses = calloc(count + 1, sizeof(*words->addresses));
	if (!words->addresses)
		error = error_no_memory();
	words->count = count;
	words->lowest = ~(addr_t)0;
	for (size_t i = 0; !error && i < count; i++) {
		uint32_t bit = words_filter_bit(at[i]);
		words->filter[bit / 64] |= 1ULL << bit % 64;
		if (at[i] < words->lowest)
			words->lowest = at[i];
		if (at[i] > words->highest)
			words->highest = at[i];
		words->addresses[i] = at[i];
		error = addr_map_put(&words->by_address, at[i], (uint32_t)i);
	}
	if (error) {
		py_words_destroy(words);
		return error;
	}
	*ret = words;
	return NULL;
}

void py_words_destroy(struct py_words *words)
{
	if (!words)
		return;
	addr_map_deinit(&words->by_address);
	free(words->addresses);
	free(words);
}

static void words_add(struct py_words *words, const void *data, size_t bytes, addr_t at,
		      uint64_t delta, py_words_found *found, void *context)
{
	const unsigned char *begin = data;

	for (size_t offset = 0; offset + sizeof(addr_t) <= bytes; offset += sizeof(addr_t)) {
		addr_t word;
		uint32_t number;
		memcpy(&word, begin + offset, sizeof(word));
		if (word < words->lowest || word > words->highest)
			continue;
		uint32_t bit = words_filter_bit(word);
		if (!(words->filter[bit / 64] >> bit % 64 & 1) ||
		    !addr_map_get(&words->by_address, word, &number))
			continue;
		atomic_fetch_add_explicit(&words->totals[number], delta, memory_order_relaxed);
		if (found)
			found(context, at + offset, number);
	}
}

void py_words_count(struct py_words *words, const void *data, size_t bytes, addr_t at,
		    py_words_found *found, void *context)
{
	words_add(words, data, bytes, at, 1, found, context);
}

void py_words_discount(struct py_words *words, const void *data, size_t bytes)
{
	words_add(words, data, bytes, 0, (uint64_t)-1, NULL, NULL);
}

void py_words_discount_one(struct py_words *words, size_t number)
{
	atomic_fetch_sub_explicit(&words->totals[number], 1, memory_order_relaxed);
}

addr_t py_words_address(const struct py_words *words, size_t number)
{
	return words->addresses[number];
}

uint64_t py_words_total(const struct py_words *words, size_t number)
{
	// More may have been taken back than was there, where an object's words made no sense.
	int64_t total = (int64_t)atomic_load_explicit(&words->totals[number], memory_order_relaxed);

	return total > 0 ? (uint64_t)total : 0;
}
