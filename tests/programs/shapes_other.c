// SPDX-License-Identifier: GPL-3.0-or-later
// The other unit of shapes.c: names it has too, for other things.
#include "shapes.h"

#include <stdio.h>

struct secret {
	char letter;
	long number;
};

typedef struct float_block {
	double value;
	struct float_block *next;
} float_block;

static float_block *twin;
static long twin_count = 3;

secret_t the_secret;

const void *other_truth(void)
{
	printf("variable twin float_block %lu %zu pointer\n", (unsigned long)&twin, sizeof(twin));
	printf("variable the_secret secret %lu %zu struct\n", (unsigned long)&the_secret,
	       sizeof(the_secret));
	printf("size secret %zu\n", sizeof(struct secret));
	printf("size secret_t %zu\n", sizeof(secret_t));
	printf("member secret_t number %zu 8 signed 0\n", __builtin_offsetof(secret_t, number));
	return twin_count == 3 ? twin : NULL;
}
