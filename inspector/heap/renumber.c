// SPDX-License-Identifier: GPL-3.0-or-later
#include "heap/renumber.h"

#include <stdlib.h>

struct error *renumber_init(struct renumber *renumber, uint32_t *old_below, uint32_t count,
			    uint32_t old_count)
{
	size_t block_count = ((size_t)old_count >> RENUMBER_BLOCK_BITS) + 2;

	*renumber = (struct renumber){.steps = old_below};
	if (count == 0)
		return NULL;
	renumber->blocks = calloc(block_count, sizeof(*renumber->blocks));
	if (!renumber->blocks)
		return error_no_memory();
	uint32_t step = 0;
	for (size_t i = 0; i < block_count; i++) {
		while (step < count && old_below[step] <= i << RENUMBER_BLOCK_BITS)
			step++;
		renumber->blocks[i] = step;
	}
	return NULL;
}

void renumber_deinit(struct renumber *renumber)
{
	free(renumber->steps);
	free(renumber->blocks);
}

// An object that is new moves up all old ones that are not below it.
uint32_t renumber_search(const struct renumber *renumber, uint32_t id)
{
	const uint32_t *block = &renumber->blocks[id >> RENUMBER_BLOCK_BITS];
	uint32_t low = block[0], high = block[1];

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (renumber->steps[middle] <= id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
