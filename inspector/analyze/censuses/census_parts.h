/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ANALYZE_CENSUSES_CENSUS_PARTS_H
#define ANALYZE_CENSUSES_CENSUS_PARTS_H

/*
 * The rows of several censuses, those of one type beside each other, so that a type can be followed
 * from census to census in one pass.
 */

#include <stddef.h>

#include "heap/counter.h"

/** A type in one of the censuses. */
struct census_part {
	/** Lives as long as the census. */
	const struct census_row *row;
	/** Which one, from 0. */
	size_t census;
};

/** All rows of all @a count censuses in the order of their names, those of one name in the order
 *  of the censuses. The caller frees *@a ret, which is never NULL, not even without a row. */
MUST_USE struct error *census_parts_sort(const struct census *const *censuses, size_t count,
					 struct census_part **ret, size_t *ret_count);

/** Where the parts with the name of parts[begin] end; @a begin is less than @a part_count. */
size_t census_parts_end(const struct census_part *parts, size_t part_count, size_t begin);

#endif
