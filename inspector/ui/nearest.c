// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/nearest.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

// Damerau-Levenshtein, neighbours swapped only: typing errors are that.
size_t nearest_distance(const char *a, const char *b)
{
	size_t a_length = strlen(a), b_length = strlen(b);
	size_t costs[NEAREST_NAME_MAX + 1][NEAREST_NAME_MAX + 1];

	if (a_length > NEAREST_NAME_MAX || b_length > NEAREST_NAME_MAX)
		return SIZE_MAX;
	for (size_t i = 0; i <= a_length; i++) {
		for (size_t j = 0; j <= b_length; j++) {
			if (i == 0 || j == 0) {
				costs[i][j] = i + j;
				continue;
			}
			bool same = a[i - 1] == b[j - 1];
			size_t best = costs[i - 1][j - 1] + !same;
			if (best > costs[i - 1][j] + 1)
				best = costs[i - 1][j] + 1;
			if (best > costs[i][j - 1] + 1)
				best = costs[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    best > costs[i - 2][j - 2] + 1)
				best = costs[i - 2][j - 2] + 1;
			costs[i][j] = best;
		}
	}
	return costs[a_length][b_length];
}

size_t nearest_bound(const char *name)
{
	// A third of the letters wrong is no typing error any more.
	return 1 + strlen(name) / 3;
}
