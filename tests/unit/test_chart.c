// SPDX-License-Identifier: GPL-3.0-or-later
// Ticks with round numbers, shapes in a word, and charts; tests/e2e/test_stats.py looks at the pictures.
#include "ui/chart/chart_svg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "ui/chart/axis.h"
#include "ui/chart/sparkline.h"

static const int64_t MIB = 1 << 20;

// The labels of an axis, with blanks between them.
static const char *labels(const struct axis *axis)
{
	static char all[AXIS_TICKS_MAX * (AXIS_LABEL_CHARS + 2)];

	all[0] = '\0';
	for (size_t i = 0; i < axis->tick_count; i++) {
		strcat(all, i ? " | " : "");
		strcat(all, axis->ticks[i].label);
	}
	return all;
}

static const char *labels_of_values(enum series_unit unit, int64_t min, int64_t max)
{
	static struct axis axis;

	axis_of_values(unit, min, max, 5, &axis);
	assert_true(axis.low <= (double)min && axis.high >= (double)max && axis.low < axis.high);
	assert_true(axis.tick_count >= 2);
	assert_true(axis.ticks[0].value == axis.low);
	assert_true(axis.ticks[axis.tick_count - 1].value == axis.high);
	return labels(&axis);
}

static const char *labels_of_time(int64_t span_ms)
{
	static struct axis axis;

	axis_of_time(span_ms, 6, &axis);
	return labels(&axis);
}

static void ticks_are_round_in_the_unit_that_suits_them(void **state)
{
	assert_string_equal(labels_of_values(SERIES_BYTES, 52 * MIB, 98 * MIB),
			    "50 MiB | 60 MiB | 70 MiB | 80 MiB | 90 MiB | 100 MiB");
	assert_string_equal(labels_of_values(SERIES_BYTES, 700 * MIB, 1350 * MIB),
			    "0.6 GiB | 0.8 GiB | 1.0 GiB | 1.2 GiB | 1.4 GiB");
	assert_string_equal(labels_of_values(SERIES_COUNT, 100000, 160000),
			    "100,000 | 120,000 | 140,000 | 160,000");
	assert_string_equal(labels_of_values(SERIES_NS, 6000000, 9000000),
			    "6 ms | 7 ms | 8 ms | 9 ms");
	assert_string_equal(labels_of_values(SERIES_COUNT, 300000000, 359000000),
			    "300 M | 320 M | 340 M | 360 M");
}

static void values_near_nothing_are_shown_with_nothing(void **state)
{
	assert_string_equal(labels_of_values(SERIES_COUNT, 10, 100), "0 | 20 | 40 | 60 | 80 | 100");
}

static void a_constant_has_its_place_in_the_middle(void **state)
{
	struct axis axis;

	assert_string_equal(labels_of_values(SERIES_COUNT, 0, 0), "0 | 1");
	axis_of_values(SERIES_BYTES, 55 * MIB, 55 * MIB, 5, &axis);
	assert_true(axis.low < (double)(55 * MIB) && (double)(55 * MIB) < axis.high);
}

static void there_is_no_half_object(void **state)
{
	assert_string_equal(labels_of_values(SERIES_COUNT, 3, 4), "3 | 4");
	assert_string_equal(labels_of_values(SERIES_BYTES, 1, 2), "1 B | 2 B");
}

static void values_may_be_below_nothing_and_huge(void **state)
{
	assert_string_equal(labels_of_values(SERIES_COUNT, -1500, 400),
			    "-1,500 | -1,000 | -500 | 0 | 500");
	labels_of_values(SERIES_COUNT, INT64_MIN + 1, INT64_MAX);
	labels_of_values(SERIES_BYTES, INT64_MAX - 1, INT64_MAX);
	labels_of_values(SERIES_NS, INT64_MAX, INT64_MAX);
	labels_of_values(SERIES_NS, INT64_MIN + 1, INT64_MIN + 1);
}

static void time_is_told_in_seconds_minutes_hours_and_days(void **state)
{
	assert_string_equal(labels_of_time(0), "0");
	assert_string_equal(labels_of_time(2500), "0 | 0.5 s | 1 s | 1.5 s | 2 s | 2.5 s");
	assert_string_equal(labels_of_time(60000),
			    "0 | 10 s | 20 s | 30 s | 40 s | 50 s | 1:00 min");
	assert_string_equal(labels_of_time(150000),
			    "0 | 30 s | 1:00 min | 1:30 min | 2:00 min | 2:30 min");
	assert_string_equal(labels_of_time(1200000), "0 | 5 min | 10 min | 15 min | 20 min");
	assert_string_equal(labels_of_time(9000000), "0 | 30 min | 1:00 h | 1:30 h | 2:00 h | "
						     "2:30 h");
	assert_string_equal(labels_of_time(86400000), "0 | 6 h | 12 h | 18 h | 24 h");
	assert_string_equal(labels_of_time(INT64_C(10) * 86400000),
			    "0 | 2 d | 4 d | 6 d | 8 d | 10 d");
}

static void a_sparkline_goes_from_the_lowest_to_the_highest(void **state)
{
	const struct series_point points[] = {{1, 10}, {2, 20}, {3, SERIES_ABSENT}, {4, 80}};
	_cleanup_text_ struct text text = {0}, ascii = {0}, narrow = {0}, none = {0};

	assert_null(sparkline_append(points, ARRAY_COUNT(points), 20, true, &text));
	assert_string_equal(text_chars(&text), "▁▂ █");
	assert_null(sparkline_append(points, ARRAY_COUNT(points), 20, false, &ascii));
	assert_string_equal(text_chars(&ascii), "_. #");
	assert_null(sparkline_append(points, ARRAY_COUNT(points), 2, false, &narrow));
	assert_string_equal(text_chars(&narrow), "_#");
	assert_null(sparkline_append(points, 0, 20, true, &none));
	assert_string_equal(text_chars(&none), "");
}

static void a_sparkline_of_extremes_stays_within_its_levels(void **state)
{
	const struct series_point points[] = {{1, INT64_MIN + 1}, {2, INT64_MAX}};
	_cleanup_text_ struct text text = {0};

	assert_null(sparkline_append(points, ARRAY_COUNT(points), 20, false, &text));
	assert_string_equal(text_chars(&text), "_#");
}

static struct error *draw(const struct chart *chart, char **ret)
{
	size_t bytes;
	FILE *stream = open_memstream(ret, &bytes);

	assert_non_null(stream);
	struct error *error = chart_svg_write(chart, stream);
	fclose(stream);
	return error;
}

static size_t occurrences(const char *text, const char *word)
{
	size_t count = 0;

	for (; (text = strstr(text, word)); text += strlen(word))
		count++;
	return count;
}

static void a_gap_ends_a_line_and_a_lone_point_is_a_dot(void **state)
{
	const struct series_point points[] = {
		{1000, 1}, {2000, 2}, {3000, SERIES_ABSENT}, {4000, 3}, {4500, SERIES_ABSENT},
		{5000, 4}, {6000, 5},
	};
	const struct chart chart = {"t", "n", SERIES_COUNT, points, ARRAY_COUNT(points)};
	_cleanup_free_ char *svg = NULL;

	assert_null(draw(&chart, &svg));
	assert_int_equal(occurrences(svg, "<path"), 2);
	// One for the lone point, one for each that can be pointed at.
	assert_int_equal(occurrences(svg, "<circle"), 1 + 5);
}

static void texts_of_the_process_can_do_no_harm(void **state)
{
	const struct series_point point = {1000, 1};
	const struct chart chart = {"<script>&\"\x01\xff", "]]></svg>\xe2\x80\xae", SERIES_COUNT,
				    &point, 1};
	_cleanup_free_ char *svg = NULL;

	assert_null(draw(&chart, &svg));
	assert_null(strstr(svg, "<script"));
	assert_int_equal(occurrences(svg, "</svg>"), 1);
	assert_non_null(strstr(svg, "&lt;script&gt;&amp;&quot;\\x01\\xff"));
	assert_null(strstr(svg, "\xe2\x80\xae"));
	assert_non_null(strstr(svg, "one point: 1"));
}

static void what_is_too_long_is_cut_between_characters(void **state)
{
	char title[601] = "";
	const struct series_point point = {1000, 1};
	const struct chart chart = {title, "", SERIES_COUNT, &point, 1};
	_cleanup_free_ char *svg = NULL;

	for (size_t i = 0; i < 300; i++)
		strcat(title, "\xc3\xa4");
	assert_null(draw(&chart, &svg));
	assert_non_null(strstr(svg, "\xc3\xa4...</text>"));
}

static void more_points_than_pixels_keep_the_extremes(void **state)
{
	enum { COUNT = 100000 };
	struct series_point *points = calloc(COUNT, sizeof(*points));
	const struct chart chart = {"t", "n", SERIES_COUNT, points, COUNT};
	_cleanup_free_ char *svg = NULL;

	for (size_t i = 0; i < COUNT; i++)
		points[i] = (struct series_point){1000 + (int64_t)i * 10, 500 + (int64_t)(i % 7)};
	points[77777].value = 1000;
	points[33333].value = 0;
	assert_null(draw(&chart, &svg));
	free(points);
	assert_true(strlen(svg) < 100000);
	// The top and the bottom of the axis, which 0 and 1,000 are.
	assert_non_null(strstr(svg, " 78.0L"));
	assert_non_null(strstr(svg, " 368.0L"));
}

static void a_change_is_told_with_its_sign(void **state)
{
	struct series_point points[] = {{1000, 98 * MIB}, {61000, 52 * MIB}};
	const struct chart chart = {"t", "n", SERIES_BYTES, points, 2};
	_cleanup_free_ char *down = NULL, *flat = NULL, *wide = NULL;

	assert_null(draw(&chart, &down));
	assert_non_null(strstr(down, "-46.0 MiB in 1 min: from 98.0 MiB to 52.0 MiB"));
	points[1].value = points[0].value;
	assert_null(draw(&chart, &flat));
	assert_non_null(strstr(flat, "no change in 1 min: 98.0 MiB"));
	points[0].value = INT64_MIN + 1;
	points[1].value = INT64_MAX;
	assert_null(draw(&chart, &wide));
	assert_non_null(strstr(wide, "in 1 min from -8.0 EiB to 8.0 EiB"));
}

static void nothing_is_no_chart(void **state)
{
	const struct series_point point = {1000, SERIES_ABSENT};
	const struct chart chart = {"t", "n", SERIES_COUNT, &point, 1};
	_cleanup_free_ char *svg = NULL;
	_cleanup_error_ struct error *error = draw(&chart, &svg);

	assert_non_null(error);
	assert_int_equal(error->code, ERROR_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ticks_are_round_in_the_unit_that_suits_them),
		cmocka_unit_test(values_near_nothing_are_shown_with_nothing),
		cmocka_unit_test(a_constant_has_its_place_in_the_middle),
		cmocka_unit_test(there_is_no_half_object),
		cmocka_unit_test(values_may_be_below_nothing_and_huge),
		cmocka_unit_test(time_is_told_in_seconds_minutes_hours_and_days),
		cmocka_unit_test(a_sparkline_goes_from_the_lowest_to_the_highest),
		cmocka_unit_test(a_sparkline_of_extremes_stays_within_its_levels),
		cmocka_unit_test(a_gap_ends_a_line_and_a_lone_point_is_a_dot),
		cmocka_unit_test(texts_of_the_process_can_do_no_harm),
		cmocka_unit_test(what_is_too_long_is_cut_between_characters),
		cmocka_unit_test(more_points_than_pixels_keep_the_extremes),
		cmocka_unit_test(a_change_is_told_with_its_sign),
		cmocka_unit_test(nothing_is_no_chart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
