/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_CHART_SPARKLINE_H
#define UI_CHART_SPARKLINE_H

/*
 * A series in a word: its shape, from its lowest to its highest value, in one line of text.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "ui/chart/series.h"

/** Appends one character for each point, or, when there are more than @a columns, for each of as many
 *  equal parts, whose highest value it is. A blank where there is no value. @a blocks: of Unicode,
 *  ASCII otherwise. */
MUST_USE struct error *sparkline_append(const struct series_point *points, size_t count,
					size_t columns, bool blocks, struct text *into);

#endif
