/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_CHART_CHART_SVG_H
#define UI_CHART_CHART_SVG_H

/*
 * A line chart as an SVG file that stands alone: no script, no font, no style from elsewhere, light or
 * dark as its reader's system is. Of more points than it has columns of pixels, it draws what can be
 * told apart: the first, the lowest, the highest and the last of each column.
 */

#include <stdio.h>

#include "base/error.h"
#include "ui/chart/series.h"

struct chart {
	/** One line each; any bytes. */
	const char *title;
	const char *note;
	enum series_unit unit;
	const struct series_point *points;
	size_t count;
};

/** Writes the chart; there must be a point with a value. That @a out takes it all is the caller's to
 *  check. */
MUST_USE struct error *chart_svg_write(const struct chart *chart, FILE *out);

#endif
