// SPDX-License-Identifier: GPL-3.0-or-later
// Reports of verbs that go on: tables that are shown as they come, and what is known at the end only.
#include "ui/report/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/array.h"
#include "base/text.h"
#include "ui/report/safe_text.h"

static const struct report_column columns[] = {
	{.key = "name", .title = "type", .unit = REPORT_TEXT},
	{.key = "count", .unit = REPORT_COUNT},
	{.key = "size", .unit = REPORT_BYTES},
};

static struct report_head head;

static int given_head(void **state)
{
	head = (struct report_head){
		.verb = "types",
		.pid = 4711,
		.runtime = "cpython",
		.version = "3.11.2",
		.build = "release",
		.debug_info = "/usr/lib/debug/x.debug",
		.pause_ns = 3100000,
		.pause_total_ns = 3100000,
		.stops = 1,
		.consistent = true,
		.inconsistency = "",
	};
	return 0;
}

/** A report into memory. */
struct paper {
	char *chars;
	size_t length;
	FILE *stream;
	struct report *report;
};

static void paper_open_text(struct paper *paper, const struct report_style *style)
{
	paper->stream = open_memstream(&paper->chars, &paper->length);
	assert_null(report_text_create(paper->stream, style, &paper->report));
}

static void paper_open_json(struct paper *paper)
{
	paper->stream = open_memstream(&paper->chars, &paper->length);
	assert_null(report_json_create(paper->stream, &paper->report));
}

static const char *paper_end(struct paper *paper)
{
	assert_null(report_end(paper->report));
	return paper->chars;
}

static void paper_close(struct paper *paper)
{
	report_destroy(paper->report);
	fclose(paper->stream);
	free(paper->chars);
}

static void put_row(struct report *report, const char *name, int64_t count, int64_t size)
{
	const struct report_cell cells[] = {{.text = name}, {.number = count}, {.number = size}};

	assert_null(report_row(report, cells));
}

static json_t *parsed(const char *chars)
{
	json_error_t problem;
	json_t *root = json_loads(chars, JSON_REJECT_DUPLICATES, &problem);

	if (!root)
		fail_msg("%s at %d:\n%s", problem.text, problem.position, chars);
	return root;
}

static void given_a_live_row(struct paper *paper, const char *name, int64_t count)
{
	put_row(paper->report, name, count, 2048);
	fflush(paper->stream);
}

static void a_live_table_is_shown_as_it_comes(void **state)
{
	CLEANUP(paper_close) struct paper paper = {0};

	paper_open_text(&paper, &(struct report_style){0});
	assert_null(report_begin(paper.report, &head));
	assert_null(report_live(paper.report, columns, ARRAY_COUNT(columns)));
	fflush(paper.stream);
	assert_string_equal(paper.chars, "process 4711: cpython 3.11.2, release build\n"
					 "\n"
					 "TYPE        COUNT        SIZE\n");
	given_a_live_row(&paper, "dict", 12);
	assert_non_null(strstr(paper.chars, "\ndict           12     2.0 KiB\n"));
	// What is wider than all before it moves the columns from there on.
	given_a_live_row(&paper, "a.longer.name", 1);
	assert_non_null(strstr(paper.chars, "\na.longer.name            1     2.0 KiB\n"));
	assert_null(report_table(paper.report, "types", columns, ARRAY_COUNT(columns)));
	put_row(paper.report, "list", 1, 1);
	const char *all = paper_end(&paper);
	assert_non_null(strstr(all, "2.0 KiB\n\ntypes\nTYPE  COUNT  SIZE\nlist      1   1 B\n\n"));
	assert_non_null(strstr(all, "everything was read"));
}

static void a_live_table_is_for_people_alone(void **state)
{
	CLEANUP(paper_close) struct paper paper = {0};

	paper_open_json(&paper);
	assert_null(report_begin(paper.report, &head));
	assert_null(report_live(paper.report, columns, ARRAY_COUNT(columns)));
	put_row(paper.report, "dict", 12, 1);
	fflush(paper.stream);
	assert_true(!paper.chars || !paper.chars[0]);
	assert_null(report_table(paper.report, "types", columns, ARRAY_COUNT(columns)));
	put_row(paper.report, "list", 1, 1);
	json_t *root = parsed(paper_end(&paper));
	assert_int_equal(json_array_size(json_object_get(root, "types")), 1);
	json_decref(root);
}

static void what_was_not_known_at_the_beginning_is_told_at_the_end(void **state)
{
	CLEANUP(paper_close) struct paper text = {0}, json = {0};
	int unreadable;

	paper_open_text(&text, &(struct report_style){0});
	paper_open_json(&json);
	assert_null(report_begin(text.report, &head));
	assert_null(report_begin(json.report, &head));
	head.unreadable = 3;
	head.stops = 2;
	assert_null(report_amend(text.report, &head));
	assert_null(report_amend(json.report, &head));
	const char *all = paper_end(&text);
	assert_null(strstr(all, "everything was read"));
	assert_non_null(strstr(all, "in the last of 2 stops"));
	assert_non_null(strstr(all, "unreadable: 3, truncated: 0"));
	json_t *root = parsed(paper_end(&json));
	assert_int_equal(json_unpack(root, "{s:{s:i}}", "problems", "unreadable", &unreadable), 0);
	assert_int_equal(unreadable, 3);
	json_decref(root);
}

static void a_figure_has_the_unit_and_the_sign_of_its_row(void **state)
{
	CLEANUP(paper_close) struct paper text = {0};
	static const struct report_column figures[] = {{.key = "value", .unit = REPORT_FIGURE},
						       {.key = "change", .unit = REPORT_FIGURE},
						       {.key = "share", .unit = REPORT_REAL}};
	const struct report_cell rows[][3] = {
		{{.number = 2048, .unit = REPORT_BYTES},
		 {.number = -1024, .unit = REPORT_BYTES, .is_change = true},
		 {.real = 0.25}},
		{{.number = 1234, .unit = REPORT_COUNT},
		 {.number = 4, .unit = REPORT_COUNT, .is_change = true},
		 {.absent = true}},
		{{.number = 6200000, .unit = REPORT_DURATION},
		 {.number = -90000000000, .unit = REPORT_DURATION, .is_change = true},
		 {.real = 1e-9}},
	};

	paper_open_text(&text, &(struct report_style){.quiet = true});
	assert_null(report_begin(text.report, &head));
	assert_null(report_table(text.report, "t", figures, ARRAY_COUNT(figures)));
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		assert_null(report_row(text.report, rows[i]));
	assert_string_equal(paper_end(&text), "  VALUE       CHANGE  SHARE\n"
					      "2.0 KiB     -1.0 KiB  0.250\n"
					      "  1,234           +4      -\n"
					      " 6.2 ms  -1 min 30 s  0.000\n");
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup(function, given_head)
	const struct CMUnitTest tests[] = {
		TEST(a_live_table_is_shown_as_it_comes),
		TEST(a_live_table_is_for_people_alone),
		TEST(what_was_not_known_at_the_beginning_is_told_at_the_end),
		TEST(a_figure_has_the_unit_and_the_sign_of_its_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
