// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/chart/chart_svg.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/duration.h"
#include "base/text.h"
#include "ui/chart/axis.h"
#include "ui/report/safe_text.h"

enum {
	CHART_WIDTH = 860,
	CHART_HEIGHT = 430,
	CHART_TOP = 78,
	CHART_BOTTOM = CHART_HEIGHT - 62,
	CHART_RIGHT = CHART_WIDTH - 30,
	/** Room for the labels of the values, by their longest; and no more than that. */
	CHART_CHAR_PX = 7,
	CHART_LEFT_MIN = 56,
	CHART_LEFT_MAX = 190,
	CHART_VALUE_TICKS = 5,
	CHART_TIME_TICKS = 8,
	/** Up to so many points each is marked, and says its value when it is pointed at. */
	CHART_MARKED_MAX = 120,
	/** Characters of a title, and of the note below. */
	CHART_TITLE_MAX = 80,
	CHART_NOTE_MAX = 60,
};

static const char chart_style[] =
	":root{color-scheme:light dark}\n"
	"text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;"
	"font-size:12px;fill:#57606a}\n"
	".paper{fill:#ffffff}\n"
	".title{font-size:18px;font-weight:600;fill:#1f2328}\n"
	".change{font-size:14px;fill:#1f2328}\n"
	".value{text-anchor:end}\n"
	".time{text-anchor:middle}\n"
	".note{text-anchor:end}\n"
	".grid{stroke:#d8dee4;stroke-width:1}\n"
	".axis{stroke:#8c959f;stroke-width:1}\n"
	".line{fill:none;stroke:#0a5fd1;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}"
	"\n"
	".dot{fill:#0a5fd1}\n"
	"@media (prefers-color-scheme:dark){\n"
	"text{fill:#9aa4af}\n"
	".paper{fill:#0d1117}\n"
	".title,.change{fill:#e6edf3}\n"
	".grid{stroke:#2a313a}\n"
	".axis{stroke:#6e7681}\n"
	".line{stroke:#58a6ff}\n"
	".dot{fill:#58a6ff}\n"
	"}\n";

/** What is known of the points before the first of them is drawn. */
struct chart_frame {
	FILE *out;
	struct axis values;
	struct axis times;
	int64_t begin_ms;
	double left;
	const struct series_point *first, *last;
};

// Any bytes, at most @chars_max characters of them, for XML.
static struct error *chart_put(FILE *out, const char *chars, size_t chars_max)
{
	_cleanup_text_ struct text text = {0};
	struct error *error = safe_text_terminal(&text, chars, NULL);
	size_t shown = 0;

	for (const char *c = text_chars(&text); *c && !error; c++) {
		// The bytes of a character that has begun belong to it.
		bool begins = text_begins_character(*c);
		if (begins && shown++ == chars_max) {
			fputs("...", out);
			break;
		}
		if (*c == '&')
			fputs("&amp;", out);
		else if (*c == '<')
			fputs("&lt;", out);
		else if (*c == '>')
			fputs("&gt;", out);
		else if (*c == '"')
			fputs("&quot;", out);
		else
			fputc(*c, out);
	}
	return error;
}

static double chart_x(const struct chart_frame *frame, int64_t time_ms)
{
	double since = (double)time_ms - (double)frame->begin_ms;
	double share = (since - frame->times.low) / (frame->times.high - frame->times.low);

	return frame->left + share * (CHART_RIGHT - frame->left);
}

static double chart_y(const struct chart_frame *frame, double value)
{
	double share = (value - frame->values.low) / (frame->values.high - frame->values.low);

	return CHART_BOTTOM - share * (CHART_BOTTOM - CHART_TOP);
}

static struct tm chart_clock(int64_t time_ms)
{
	time_t seconds = (time_t)(time_ms / 1000);
	struct tm parts = {0};

	// It fails for years that no int holds, and then the year says enough.
	localtime_r(&seconds, &parts);
	return parts;
}

static void chart_line(const struct chart_frame *frame, const char *name, double x1, double y1,
		       double x2, double y2)
{
	fprintf(frame->out,
		"<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", name, x1,
		y1, x2, y2);
}

static void chart_draw_axes(const struct chart_frame *frame)
{
	for (size_t i = 0; i < frame->values.tick_count; i++) {
		const struct axis_tick *tick = &frame->values.ticks[i];
		double y = chart_y(frame, tick->value);

		chart_line(frame, i ? "grid" : "axis", frame->left, y, CHART_RIGHT, y);
		fprintf(frame->out, "<text class=\"value\" x=\"%.1f\" y=\"%.1f\">%s</text>\n",
			frame->left - 8, y + 4, tick->label);
	}
	for (size_t i = 0; i < frame->times.tick_count; i++) {
		const struct axis_tick *tick = &frame->times.ticks[i];
		double x = chart_x(frame, frame->begin_ms + (int64_t)tick->value);

		chart_line(frame, "axis", x, CHART_BOTTOM, x, CHART_BOTTOM + 5);
		fprintf(frame->out, "<text class=\"time\" x=\"%.1f\" y=\"%d\">%s</text>\n", x,
			CHART_BOTTOM + 20, tick->label);
	}
}

/** A stretch of points without a gap: a line, or, of one point, a dot. */
struct chart_stretch {
	const struct chart_frame *frame;
	struct series_point first;
	size_t drawn;
};

static void chart_dot(const struct chart_frame *frame, const struct series_point *point)
{
	fprintf(frame->out, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>\n",
		chart_x(frame, point->time_ms), chart_y(frame, (double)point->value));
}

static void chart_stretch_add(struct chart_stretch *stretch, const struct series_point *point)
{
	const struct chart_frame *frame = stretch->frame;

	if (stretch->drawn++ == 0) {
		stretch->first = *point;
		return;
	}
	if (stretch->drawn == 2)
		fprintf(frame->out, "<path class=\"line\" d=\"M%.1f %.1f",
			chart_x(frame, stretch->first.time_ms),
			chart_y(frame, (double)stretch->first.value));
	fprintf(frame->out, "L%.1f %.1f", chart_x(frame, point->time_ms),
		chart_y(frame, (double)point->value));
}

static void chart_stretch_end(struct chart_stretch *stretch)
{
	if (stretch->drawn == 1)
		chart_dot(stretch->frame, &stretch->first);
	else if (stretch->drawn > 1)
		fprintf(stretch->frame->out, "\"/>\n");
	stretch->drawn = 0;
}

/** The points of one column of pixels. */
struct chart_column {
	const struct series_point *first, *min, *max, *last;
};

// In the order of time, each once.
static void chart_column_flush(struct chart_column *column, struct chart_stretch *stretch)
{
	const bool min_first = column->min < column->max;
	const struct series_point *const order[] = {
		column->first, min_first ? column->min : column->max,
		min_first ? column->max : column->min, column->last};

	if (!column->first)
		return;
	for (size_t i = 0; i < ARRAY_COUNT(order); i++)
		if (i == 0 || order[i] > order[i - 1])
			chart_stretch_add(stretch, order[i]);
	*column = (struct chart_column){0};
}

static void chart_column_add(struct chart_column *column, const struct series_point *point)
{
	if (!column->first)
		*column = (struct chart_column){point, point, point, point};
	if (point->value < column->min->value)
		column->min = point;
	if (point->value > column->max->value)
		column->max = point;
	column->last = point;
}

static void chart_draw_points(const struct chart_frame *frame, const struct chart *chart)
{
	struct chart_stretch stretch = {.frame = frame};
	struct chart_column column = {0};
	double at = -1;

	for (size_t i = 0; i < chart->count; i++) {
		const struct series_point *point = &chart->points[i];
		double x = floor(chart_x(frame, point->time_ms));

		if (point->value == SERIES_ABSENT || x != at)
			chart_column_flush(&column, &stretch);
		if (point->value == SERIES_ABSENT) {
			chart_stretch_end(&stretch);
			continue;
		}
		at = x;
		chart_column_add(&column, point);
	}
	chart_column_flush(&column, &stretch);
	chart_stretch_end(&stretch);
}

static void chart_draw_marks(const struct chart_frame *frame, const struct chart *chart)
{
	char value[HUMAN_CHARS], clock[40];

	for (size_t i = 0; i < chart->count && chart->count <= CHART_MARKED_MAX; i++) {
		const struct series_point *point = &chart->points[i];
		if (point->value == SERIES_ABSENT)
			continue;
		const struct tm parts = chart_clock(point->time_ms);
		strftime(clock, sizeof(clock), "%H:%M:%S", &parts);
		fprintf(frame->out,
			"<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\">"
			"<title>%s: %s</title></circle>\n",
			chart_x(frame, point->time_ms), chart_y(frame, (double)point->value), clock,
			series_format(chart->unit, point->value, false, value));
	}
}

// "+46.2 MiB in 20 min: from 52.1 MiB to 98.3 MiB"
static struct error *chart_change(const struct chart_frame *frame, const struct chart *chart,
				  struct text *into)
{
	char change[HUMAN_CHARS], from[HUMAN_CHARS], to[HUMAN_CHARS], span[DURATION_CHARS];
	int64_t difference, first = frame->first->value, last = frame->last->value;
	uint64_t ms = (uint64_t)(frame->last->time_ms - frame->first->time_ms);

	series_format(chart->unit, first, false, from);
	series_format(chart->unit, last, false, to);
	if (frame->first == frame->last)
		return text_appendf(into, "one point: %s", from);
	duration_format(ms > UINT64_MAX / 1000000 ? UINT64_MAX : ms * 1000000, span);
	if (first == last)
		return text_appendf(into, "no change in %s: %s", span, to);
	if (__builtin_sub_overflow(last, first, &difference))
		return text_appendf(into, "in %s from %s to %s", span, from, to);
	series_format(chart->unit, difference, true, change);
	// 1.0 GiB and some may be 1.0 GiB still.
	if (!strcmp(from, to))
		return text_appendf(into, "%s in %s: about %s", change, span, to);
	return text_appendf(into, "%s in %s: from %s to %s", change, span, from, to);
}

static void chart_measure(const struct chart *chart, struct chart_frame *ret)
{
	int64_t min = INT64_MAX, max = INT64_MIN;
	size_t longest = 0;

	for (size_t i = 0; i < chart->count; i++) {
		const struct series_point *point = &chart->points[i];
		if (point->value == SERIES_ABSENT)
			continue;
		if (!ret->first)
			ret->first = point;
		ret->last = point;
		min = point->value < min ? point->value : min;
		max = point->value > max ? point->value : max;
	}
	if (!ret->first)
		return;
	ret->begin_ms = ret->first->time_ms;
	axis_of_values(chart->unit, min, max, CHART_VALUE_TICKS, &ret->values);
	axis_of_time(ret->last->time_ms - ret->begin_ms, CHART_TIME_TICKS, &ret->times);
	for (size_t i = 0; i < ret->values.tick_count; i++)
		if (strlen(ret->values.ticks[i].label) > longest)
			longest = strlen(ret->values.ticks[i].label);
	ret->left = 22 + (double)longest * CHART_CHAR_PX;
	ret->left = fmin(fmax(ret->left, CHART_LEFT_MIN), CHART_LEFT_MAX);
}

static struct error *chart_write_texts(const struct chart_frame *frame, const struct chart *chart,
				       const char *change)
{
	const struct tm begin = chart_clock(frame->begin_ms);
	char since[64];
	FILE *out = frame->out;

	fprintf(out, "<text class=\"title\" x=\"20\" y=\"32\">");
	struct error *error = chart_put(out, chart->title, CHART_TITLE_MAX);
	fprintf(out, "</text>\n<text class=\"change\" x=\"20\" y=\"54\">%s</text>\n", change);
	strftime(since, sizeof(since), "%Y-%m-%d %H:%M:%S %z", &begin);
	fprintf(out, "<text x=\"%.1f\" y=\"%d\">time since %s</text>\n", frame->left,
		CHART_HEIGHT - 18, since);
	fprintf(out, "<text class=\"note\" x=\"%d\" y=\"%d\">", CHART_RIGHT, CHART_HEIGHT - 18);
	if (!error)
		error = chart_put(out, chart->note, CHART_NOTE_MAX);
	fprintf(out, "</text>\n");
	return error;
}

struct error *chart_svg_write(const struct chart *chart, FILE *out)
{
	struct chart_frame frame = {.out = out};
	_cleanup_text_ struct text change = {0};

	chart_measure(chart, &frame);
	if (!frame.first)
		return error_create(ERROR_FAILED, "there is no point to draw");
	struct error *error = chart_change(&frame, chart, &change);
	if (error)
		return error;
	fprintf(out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
		"viewBox=\"0 0 %d %d\" role=\"img\">\n<title>",
		CHART_WIDTH, CHART_HEIGHT, CHART_WIDTH, CHART_HEIGHT);
	error = chart_put(out, chart->title, CHART_TITLE_MAX);
	fprintf(out, "</title>\n<desc>%s</desc>\n<style>\n%s</style>\n", text_chars(&change),
		chart_style);
	fprintf(out, "<rect class=\"paper\" width=\"%d\" height=\"%d\"/>\n", CHART_WIDTH,
		CHART_HEIGHT);
	if (!error)
		error = chart_write_texts(&frame, chart, text_chars(&change));
	chart_draw_axes(&frame);
	chart_draw_points(&frame, chart);
	chart_draw_marks(&frame, chart);
	fprintf(out, "</svg>\n");
	return error;
}
