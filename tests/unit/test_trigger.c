// SPDX-License-Identifier: GPL-3.0-or-later
// Conditions of a watch: every wrong one is refused, a right one fires when it becomes true.
#include "ui/alarms/trigger.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ui/chart/series.h"

static struct watch_growth growth;

static int given_nothing(void **state)
{
	growth = (struct watch_growth){0};
	return 0;
}

static int afterwards(void **state)
{
	watch_growth_deinit(&growth);
	return 0;
}

static struct trigger parsed(const char *text)
{
	struct trigger trigger;

	assert_null(trigger_parse(text, &trigger));
	return trigger;
}

static void right_conditions_are_understood(void **state)
{
	static const struct {
		const char *text;
		enum trigger_subject subject;
		const char *type;
		double threshold;
	} cases[] = {
		{"rss>1GiB", TRIGGER_RSS, NULL, 1073741824},
		{"rss > 500 MiB", TRIGGER_RSS, NULL, 524288000},
		{"vss>2tib", TRIGGER_VSS, NULL, 2199023255552},
		{"pss>1.5kB", TRIGGER_PSS, NULL, 1500},
		{"rss>1000", TRIGGER_RSS, NULL, 1000},
		{"objects>1000000", TRIGGER_OBJECTS, NULL, 1000000},
		{"garbage>0", TRIGGER_GARBAGE, NULL, 0},
		{"growth>1000/min", TRIGGER_GROWTH, NULL, 1000},
		{"growth>2/s", TRIGGER_GROWTH, NULL, 120},
		{"growth>60/h", TRIGGER_GROWTH, NULL, 1},
		{"growth(app.Session)>10/min", TRIGGER_GROWTH, "app.Session", 10},
		{"growth(f.<locals>.A) > 1 /min", TRIGGER_GROWTH, "f.<locals>.A", 1},
		{"growth(a b(c))>1/min", TRIGGER_GROWTH, "a b(c)", 1},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct trigger trigger = parsed(cases[i].text);
		assert_int_equal(trigger.subject, cases[i].subject);
		assert_true(fabs(trigger.threshold - cases[i].threshold) < 1e-6);
		if (cases[i].type)
			assert_string_equal(trigger.type, cases[i].type);
		else
			assert_null(trigger.type);
		trigger_deinit(&trigger);
	}
}

static void wrong_conditions_are_refused(void **state)
{
	static const char *const cases[] = {
		"",
		">",
		"rss",
		"rss>",
		">1GiB",
		"rss<1GiB",
		"rss>=1GiB",
		"rss>1GiB/min",
		"rss>-1",
		"rss>+1",
		"rss>0x10",
		"rss>nan",
		"rss>inf",
		"rss>1e999",
		"rss>1 gigabyte",
		"rss>1GiB and more",
		"rss>1GiB>2",
		"rsss>1",
		"rs>1",
		"rss(dict)>1",
		"objects>1MiB",
		"objects>1/min",
		"objects(dict)>1",
		"garbage>many",
		"growth>1000",
		"growth>1000/day",
		"growth>/min",
		"growth>1MiB/min",
		"growth()>1/min",
		"growth(dict>1/min",
		"growth dict>1/min",
		"growth(dict)x>1/min",
		"load>1",
		"1>rss",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct trigger trigger;
		_cleanup_error_ struct error *error = trigger_parse(cases[i], &trigger);
		if (!error)
			fail_msg("'%s' is taken", cases[i]);
		assert_int_equal(error->code, ERROR_USAGE);
		assert_non_null(strstr(error->message, "--when '"));
		trigger_deinit(&trigger);
	}
}

static struct trigger_point rss_of(int64_t bytes)
{
	return (struct trigger_point){.values = {[TRIGGER_RSS] = bytes}, .growth = &growth};
}

static void it_fires_once_and_again_after_it_was_false(void **state)
{
	struct trigger trigger = parsed("rss>100");
	static const struct {
		int64_t bytes;
		bool fires;
	} points[] = {{50, false},  {100, false}, {101, true}, {500, false}, {101, false},
		      {100, false}, {101, true},  {50, false}, {51, false},  {200, true}};
	bool held = false;

	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		struct trigger_point point = rss_of(points[i].bytes);
		double value = 0;
		assert_int_equal(trigger_fires(&trigger, &point, &held, &value), points[i].fires);
		assert_true(value == (double)points[i].bytes);
	}
	trigger_deinit(&trigger);
}

static void what_is_not_known_changes_nothing(void **state)
{
	struct trigger trigger = parsed("rss>100");
	struct trigger_point unknown = rss_of(SERIES_ABSENT), more = rss_of(101);
	bool held = false;
	double value;

	assert_false(trigger_fires(&trigger, &unknown, &held, &value));
	assert_true(trigger_fires(&trigger, &more, &held, &value));
	assert_false(trigger_fires(&trigger, &unknown, &held, &value));
	assert_true(held);
	assert_false(trigger_fires(&trigger, &more, &held, &value));
	trigger_deinit(&trigger);
}

static void given_a_census(int64_t time_ms, uint64_t sessions, uint64_t others)
{
	struct census census = {.rows = calloc(2, sizeof(struct census_row)), .row_count = 2};

	census.rows[0] = (struct census_row){.name = strdup("app.Session"), .count = sessions};
	census.rows[1] = (struct census_row){.name = strdup("dict"), .count = others};
	census.total.count = sessions + others;
	watch_growth_add(&growth, &census, time_ms);
}

static double rate_of(const char *type)
{
	double rate = -1;

	assert_true(watch_growth_rate(&growth, type, &rate));
	return rate;
}

static void one_census_is_no_growth(void **state)
{
	double rate;

	assert_false(watch_growth_rate(&growth, NULL, &rate));
	given_a_census(1000, 5, 100);
	assert_false(watch_growth_rate(&growth, NULL, &rate));
	assert_int_equal(watch_growth_span_ms(&growth), 0);
}

static void what_came_in_a_second_is_not_taken_for_a_minute(void **state)
{
	given_a_census(1000, 5, 100);
	given_a_census(2000, 15, 100);
	assert_true(rate_of("app.Session") == 10);
	assert_true(rate_of("dict") == 0);
	assert_true(rate_of("no.Such") == 0);
	assert_true(rate_of(NULL) == 10);
}

static void growth_is_that_of_the_last_minutes(void **state)
{
	// An hour of growth by 100 in ten seconds, and then of none.
	for (int64_t i = 0; i < 360; i++)
		given_a_census(i * 10000, (uint64_t)(i * 100), 7);
	assert_true(fabs(rate_of("app.Session") - 600) < 1);
	for (int64_t i = 360; i < 720; i++)
		given_a_census(i * 10000, 36000, 7);
	assert_true(rate_of("app.Session") == 0);
	assert_int_equal(growth.count, WATCH_GROWTH_KEPT_MAX);
	assert_int_equal(growth.moments[0].time_ms, 0);
	assert_int_equal(watch_growth_span_ms(&growth), 7190000);
}

static void growth_by_type_is_since_the_beginning(void **state)
{
	struct changes changes;

	for (int64_t i = 0; i < 100; i++)
		given_a_census(i * 1000, (uint64_t)(5 + i), 50);
	assert_null(watch_growth_find(&growth, &changes));
	assert_int_equal(changes.row_count, 1);
	assert_string_equal(changes.rows[0].name, "app.Session");
	assert_int_equal(changes.rows[0].count, 99);
	assert_int_equal(changes.rows[0].trend, CHANGE_TREND_GROWS);
	assert_true(fabs(watch_growth_per_minute(99, watch_growth_span_ms(&growth)) - 60) < 1e-9);
	changes_deinit(&changes);
}

static void given_types(size_t count, int64_t time_ms)
{
	struct census census = {.rows = calloc(count, sizeof(struct census_row)),
				.row_count = count};
	char name[24];

	for (size_t i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "t%zu", i);
		census.rows[i] = (struct census_row){.name = strdup(name), .count = 1};
	}
	census.total.count = count;
	watch_growth_add(&growth, &census, time_ms);
}

static void as_many_types_as_the_bound_are_all_known(void **state)
{
	given_types(WATCH_GROWTH_TYPES_MAX - 1, 0);
	given_types(WATCH_GROWTH_TYPES_MAX, 60000);
	assert_false(growth.types_unknown);
	assert_int_equal(watch_growth_last(&growth)->row_count, WATCH_GROWTH_TYPES_MAX);
	assert_true(rate_of("t65535") == 1);
	assert_true(rate_of("t65534") == 0);
}

static void beyond_the_bound_no_growth_by_type_is_told_any_more(void **state)
{
	struct trigger trigger = parsed("growth(t1)>0/min");
	struct trigger_point point = {.growth = &growth};
	struct changes changes;
	bool held = false;
	double value;

	given_types(2, 0);
	given_types(WATCH_GROWTH_TYPES_MAX + 1, 60000);
	given_types(2, 120000);
	assert_true(growth.types_unknown);
	for (size_t i = 0; i < growth.count; i++)
		assert_int_equal(growth.moments[i].census.row_count, 0);
	assert_false(watch_growth_rate(&growth, "t1", &value));
	assert_false(trigger_fires(&trigger, &point, &held, &value));
	assert_null(watch_growth_find(&growth, &changes));
	assert_int_equal(changes.row_count, 0);
	// Totals are right as ever.
	assert_true(rate_of(NULL) == 2 - (WATCH_GROWTH_TYPES_MAX + 1));
	assert_int_equal(watch_growth_last(&growth)->total.count, 2);
	trigger_deinit(&trigger);
}

// Of the youngest that is a minute old.
static int64_t age_of_the_base_ms(void)
{
	int64_t now_ms = growth.moments[growth.count - 1].time_ms;
	int64_t age_ms = now_ms - growth.moments[0].time_ms;

	for (size_t i = 1; i < growth.count; i++)
		if (now_ms - growth.moments[i].time_ms >= 60000)
			age_ms = now_ms - growth.moments[i].time_ms;
	return age_ms;
}

static void a_burst_shows_however_long_it_is_watched(void **state)
{
	static const int64_t seconds[] = {1, 2, 3, 5, 7, 8, 9, 10, 14, 15, 30, 45, 50, 100};
	const int64_t day_ms = 8 * 3600 * 1000, burst_ms = day_ms - 200000;

	for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
		int64_t interval_ms = seconds[i] * 1000, more_ms = interval_ms;
		double best = 0;
		if (more_ms < 20000)
			more_ms = 20000;
		for (int64_t now_ms = 0; now_ms < day_ms; now_ms += interval_ms) {
			int64_t late_ms = now_ms - burst_ms;
			int64_t come = late_ms < 0 ? 0 : late_ms > 30000 ? 2000 : late_ms / 15;
			given_a_census(now_ms, (uint64_t)come, 7);
			if (now_ms < 60000)
				continue;
			assert_in_range(age_of_the_base_ms(), 60000, 60000 + more_ms);
			if (rate_of("app.Session") > best)
				best = rate_of("app.Session");
		}
		if (interval_ms <= 30000)
			assert_true(best >= 1400);
		assert_int_equal(growth.moments[0].time_ms, 0);
		watch_growth_deinit(&growth);
	}
}

static void old_moments_are_kept_beside_the_young(void **state)
{
	for (int64_t i = 0; i < 8 * 3600; i++)
		given_a_census(i * 1000, (uint64_t)i, 7);
	size_t old = 0;
	for (size_t i = 0; i < growth.count; i++)
		old += growth.moments[i].time_ms < (8 * 3600 - 600) * 1000;
	assert_true(old >= 3);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, given_nothing, afterwards)
	const struct CMUnitTest tests[] = {
		TEST(right_conditions_are_understood),
		TEST(wrong_conditions_are_refused),
		TEST(it_fires_once_and_again_after_it_was_false),
		TEST(what_is_not_known_changes_nothing),
		TEST(one_census_is_no_growth),
		TEST(what_came_in_a_second_is_not_taken_for_a_minute),
		TEST(growth_is_that_of_the_last_minutes),
		TEST(growth_by_type_is_since_the_beginning),
		TEST(as_many_types_as_the_bound_are_all_known),
		TEST(beyond_the_bound_no_growth_by_type_is_told_any_more),
		TEST(a_burst_shows_however_long_it_is_watched),
		TEST(old_moments_are_kept_beside_the_young),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
