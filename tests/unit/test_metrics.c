// SPDX-License-Identifier: GPL-3.0-or-later
// The text of metrics: names, labels of any bytes, what is not known, both formats, who wants which.
#include "ui/metrics/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct metrics metrics;
static struct text text;

static int given_a_process(void **state)
{
	metrics = (struct metrics){.processes = calloc(2, sizeof(*metrics.processes)),
				   .count = 1,
				   .opened_count = 3,
				   .ended_count = 2};
	metrics.processes[0] = (struct metrics_process){
		.pid = 4711,
		.is_up = true,
		.start_seconds = 1795915877.25,
		.point_seconds = 1795915900.5,
		.interval_seconds = 10,
		.rss_bytes = 20000000,
		.vss_bytes = 30000000,
		.pss_bytes = METRICS_ABSENT,
		.objects = 5000,
		.objects_bytes = 600000,
		.growth = -7,
		.garbage = 3,
		.types_known = true,
		.points = 4,
		.stops = 9,
		.pause_seconds = 0.0425,
		.generations = {{4, 30, 0}, {2, METRICS_ABSENT, 1}},
		.generation_count = 2,
		.types = calloc(8, sizeof(struct metrics_type)),
	};
	text = (struct text){0};
	return 0;
}

static int afterwards(void **state)
{
	metrics_deinit(&metrics);
	text_deinit(&text);
	return 0;
}

static void given_a_type(const char *name)
{
	assert_null(metrics_add_type(&metrics.processes[0], name, 10, 640, 5));
}

static void when_written(enum metrics_format format)
{
	text.length = 0;
	assert_null(metrics_write(&metrics, format, &text));
}

static void assert_says(const char *line)
{
	if (!strstr(text_chars(&text), line))
		fail_msg("no %s in\n%s", line, text_chars(&text));
}

static void assert_says_not(const char *words)
{
	if (strstr(text_chars(&text), words))
		fail_msg("%s in\n%s", words, text_chars(&text));
}

static void a_process_has_its_figures(void **state)
{
	when_written(METRICS_PROMETHEUS);
	assert_says("\nprocess_resident_memory_bytes{pid=\"4711\"} 20000000\n");
	assert_says("\nprocess_start_time_seconds{pid=\"4711\"} 1795915877.250000");
	assert_says("\nleakinspect_up{pid=\"4711\"} 1\n");
	assert_says("\nleakinspect_objects_growth{pid=\"4711\"} -7\n");
	assert_says("\nleakinspect_gc_garbage_objects{pid=\"4711\"} 3\n");
	assert_says("\nleakinspect_pause_seconds_total{pid=\"4711\"} 0.0425");
	assert_says("\nleakinspect_stops_total{pid=\"4711\"} 9\n");
	assert_says("\nleakinspect_processes 1\n");
	assert_says("\nleakinspect_processes_ended_total 2\n");
}

static void what_is_not_known_has_no_sample(void **state)
{
	when_written(METRICS_PROMETHEUS);
	assert_says("# TYPE leakinspect_proportional_memory_bytes gauge\n");
	assert_says_not("leakinspect_proportional_memory_bytes{");
}

static void a_type_has_count_size_and_growth(void **state)
{
	given_a_type("app.Session");
	when_written(METRICS_PROMETHEUS);
	assert_says("\nleakinspect_type_objects{pid=\"4711\",type=\"app.Session\"} 10\n");
	assert_says("\nleakinspect_type_bytes{pid=\"4711\",type=\"app.Session\"} 640\n");
	assert_says("\nleakinspect_type_growth_objects{pid=\"4711\",type=\"app.Session\"} 5\n");
}

static void collections_are_told_by_generation(void **state)
{
	when_written(METRICS_PROMETHEUS);
	assert_says("\npython_gc_collections_total{pid=\"4711\",generation=\"0\"} 4\n"
		    "python_gc_collections_total{pid=\"4711\",generation=\"1\"} 2\n");
	assert_says("\npython_gc_objects_collected_total{pid=\"4711\",generation=\"0\"} 30\n#");
	assert_says("\npython_gc_objects_uncollectable_total{pid=\"4711\",generation=\"1\"} 1\n");
}

static void hostile_names_are_labels_all_the_same(void **state)
{
	given_a_type("a\"} 1\nb\\");
	given_a_type("\xff");
	given_a_type("\xc3\xa9");
	when_written(METRICS_OPENMETRICS);
	assert_says("type=\"a\\\"} 1\\nb\\\\\"} 10\n");
	assert_says("type=\"\\\\xff\"} 10\n");
	assert_says("type=\"\xc3\xa9\"} 10\n");
}

static void a_label_is_there_once(void **state)
{
	given_a_type("twice");
	given_a_type("twice");
	// A byte that is no UTF-8, and a name that looks like what stands for it.
	given_a_type("\xff");
	given_a_type("\\xff");
	assert_int_equal(metrics.processes[0].type_count, 2);
}

static void the_samples_of_a_family_stand_together(void **state)
{
	metrics.processes[1] = metrics.processes[0];
	metrics.processes[1].pid = 4712;
	metrics.processes[1].types = NULL;
	metrics.count = 2;
	when_written(METRICS_PROMETHEUS);
	assert_says("\nleakinspect_objects{pid=\"4711\"} 5000\n"
		    "leakinspect_objects{pid=\"4712\"} 5000\n# HELP");
}

static void a_counter_is_named_as_the_format_wants_it(void **state)
{
	when_written(METRICS_PROMETHEUS);
	assert_says("# TYPE leakinspect_stops_total counter\nleakinspect_stops_total{");
	when_written(METRICS_OPENMETRICS);
	assert_says("# TYPE leakinspect_stops counter\nleakinspect_stops_total{");
}

static void both_end_with_a_mark(void **state)
{
	for (int format = METRICS_PROMETHEUS; format <= METRICS_OPENMETRICS; format++) {
		when_written((enum metrics_format)format);
		assert_string_equal(text_chars(&text) + text.length - 7, "\n# EOF\n");
	}
}

static void the_client_chooses_the_format(void **state)
{
	static const struct {
		const char *accept;
		enum metrics_format format;
	} cases[] = {
		{NULL, METRICS_PROMETHEUS},
		{"", METRICS_PROMETHEUS},
		{"*/*", METRICS_PROMETHEUS},
		{"text/plain", METRICS_PROMETHEUS},
		{"application/openmetrics-text", METRICS_OPENMETRICS},
		{"application/openmetrics-textual", METRICS_PROMETHEUS},
		{"application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
		 "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		 METRICS_OPENMETRICS},
		{"application/openmetrics-text; q=0.2, text/plain; q=0.5", METRICS_PROMETHEUS},
		{"application/openmetrics-text;q=0", METRICS_PROMETHEUS},
		{" ,, ,application/openmetrics-text ;q=1", METRICS_OPENMETRICS},
		{"application/openmetrics-text;;;q=", METRICS_PROMETHEUS},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(metrics_format_for(cases[i].accept), cases[i].format);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, given_a_process, afterwards)
	const struct CMUnitTest tests[] = {
		TEST(a_process_has_its_figures),
		TEST(what_is_not_known_has_no_sample),
		TEST(a_type_has_count_size_and_growth),
		TEST(collections_are_told_by_generation),
		TEST(hostile_names_are_labels_all_the_same),
		TEST(a_label_is_there_once),
		TEST(the_samples_of_a_family_stand_together),
		TEST(a_counter_is_named_as_the_format_wants_it),
		TEST(both_end_with_a_mark),
		TEST(the_client_chooses_the_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
