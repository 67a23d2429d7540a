// SPDX-License-Identifier: GPL-3.0-or-later
// What reports look like, and that names out of the inspected process can do no harm in them.
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

static void put_total(struct report *report, int64_t count, int64_t size)
{
	const struct report_cell cells[] = {{.number = count}, {.number = size}};

	assert_null(report_object(report, "total", columns + 1, 2, cells));
}

static void put_types(struct report *report)
{
	assert_null(report_begin(report, &head));
	assert_null(report_table(report, "types", columns, ARRAY_COUNT(columns)));
	put_row(report, "dict", 12345, 2048);
	put_row(report, "shop.Cart", 7, 512);
	put_total(report, 12352, 2560);
}

static void a_table_has_numbers_on_the_right_and_text_on_the_left(void **state)
{
	CLEANUP(paper_close) struct paper paper = {0};

	paper_open_text(&paper, &(struct report_style){0});
	put_types(paper.report);
	assert_string_equal(paper_end(&paper), "process 4711: cpython 3.11.2, release build\n"
					       "\n"
					       "TYPE        COUNT     SIZE\n"
					       "dict       12,345  2.0 KiB\n"
					       "shop.Cart       7    512 B\n"
					       "total      12,352  2.5 KiB\n"
					       "\n"
					       "the process stood still for 3.1 ms\n"
					       "everything was read\n");
}

static void nothing_is_written_before_the_end(void **state)
{
	CLEANUP(paper_close) struct paper text = {0};
	CLEANUP(paper_close) struct paper json = {0};

	paper_open_text(&text, &(struct report_style){0});
	paper_open_json(&json);
	put_types(text.report);
	put_types(json.report);
	fflush(text.stream);
	fflush(json.stream);
	assert_int_equal(text.length, 0);
	assert_int_equal(json.length, 0);
}

static void headings_are_bold_only_in_color(void **state)
{
	CLEANUP(paper_close) struct paper paper = {0};

	paper_open_text(&paper, &(struct report_style){.color = true});
	put_types(paper.report);
	assert_non_null(strstr(paper_end(&paper), "\033[1mTYPE        COUNT     SIZE\033[0m\n"));
}

static void a_quiet_report_is_the_answer_alone(void **state)
{
	CLEANUP(paper_close) struct paper paper = {0};

	paper_open_text(&paper, &(struct report_style){.quiet = true});
	put_types(paper.report);
	assert_null(report_note(paper.report, "by the way"));
	assert_string_equal(paper_end(&paper), "TYPE        COUNT     SIZE\n"
					       "dict       12,345  2.0 KiB\n"
					       "shop.Cart       7    512 B\n"
					       "total      12,352  2.5 KiB\n");
}

static void a_quiet_report_tells_what_makes_it_less_than_whole(void **state)
{
	CLEANUP(paper_close) struct paper paper = {0};
	static const char *const texts[] = {"list of generation 0 torn"};

	head.unreadable = 1234;
	head.truncated = 1;
	head.problem_texts = texts;
	head.problem_text_count = 1;
	head.consistent = false;
	head.stops = 64;
	head.inconsistency = "a collection was under way";
	paper_open_text(&paper, &(struct report_style){.quiet = true});
	put_types(paper.report);
	const char *said = paper_end(&paper);
	assert_non_null(strstr(said,
			       "\nno stop fell on a consistent moment (a collection was under "
			       "way): the numbers are near the truth, not exact\n"));
	assert_non_null(strstr(said,
			       "\nunreadable: 1,234, truncated: 1: list of generation 0 torn; "
			       "...\n"));
}

static void stops_that_fell_on_a_bad_moment_are_told(void **state)
{
	CLEANUP(paper_close) struct paper paper = {0};

	head.stops = 3;
	head.pause_total_ns = 9000000;
	paper_open_text(&paper, &(struct report_style){0});
	put_types(paper.report);
	assert_non_null(strstr(paper_end(&paper),
			       "\nthe process stood still for 3.1 ms in the last "
			       "of 3 stops, 9.0 ms in all\n"));
}

static void a_row_that_sums_up_the_rest_names_itself(void **state)
{
	CLEANUP(paper_close) struct paper paper = {0};
	static const struct report_column rest[] = {
		{.key = "name", .unit = REPORT_TEXT, .reader = REPORT_FOR_PEOPLE},
		{.key = "count", .unit = REPORT_COUNT},
		{.key = "types", .unit = REPORT_COUNT, .reader = REPORT_FOR_PROGRAMS},
	};
	const struct report_cell cells[] = {{.text = "(9 more)"}, {.number = 5}, {.number = 9}};

	paper_open_text(&paper, &(struct report_style){.quiet = true});
	assert_null(report_begin(paper.report, &head));
	assert_null(report_table(paper.report, "types", columns, ARRAY_COUNT(columns)));
	put_row(paper.report, "dict", 1, 1);
	assert_null(report_object(paper.report, "rest", rest, ARRAY_COUNT(rest), cells));
	assert_string_equal(paper_end(&paper), "TYPE      COUNT  SIZE\n"
					       "dict          1   1 B\n"
					       "(9 more)      5\n");
}

static void a_very_long_name_moves_its_own_row_only(void **state)
{
	CLEANUP(paper_close) struct paper paper = {0};
	char name[101];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	paper_open_text(&paper, &(struct report_style){.quiet = true});
	assert_null(report_begin(paper.report, &head));
	assert_null(report_table(paper.report, "types", columns, ARRAY_COUNT(columns)));
	put_row(paper.report, "dict", 1, 1);
	put_row(paper.report, name, 1, 1);
	const char *said = paper_end(&paper);
	assert_true(strchr(said, '\n') - said < 80);
	assert_non_null(strstr(said, name));
}

static void a_table_without_rows_says_so(void **state)
{
	CLEANUP(paper_close) struct paper paper = {0};

	paper_open_text(&paper, &(struct report_style){.quiet = true});
	assert_null(report_begin(paper.report, &head));
	assert_null(report_table(paper.report, "cycles", columns, ARRAY_COUNT(columns)));
	assert_string_equal(paper_end(&paper), "cycles: none\n");
}

static void sections_have_titles_and_values(void **state)
{
	CLEANUP(paper_close) struct paper paper = {0};
	static const struct report_column members[] = {
		{.key = "enabled", .unit = REPORT_BOOL},
		{.key = "thresholds", .unit = REPORT_NUMBERS},
		{.key = "frozen", .unit = REPORT_COUNT},
		{.key = "argv", .unit = REPORT_TEXTS},
		{.key = "at", .unit = REPORT_ADDRESS},
	};
	static const int64_t thresholds[] = {700, 10, 10};
	static const char *const argv[] = {"python3", "-c", "print('a b')", ""};
	const struct report_cell cells[] = {
		{.number = 1},
		{.numbers = thresholds, .count = 3},
		{.absent = true},
		{.texts = argv, .count = 4},
		{.number = (int64_t)0xffffffff81000000},
	};

	paper_open_text(&paper, &(struct report_style){.quiet = true});
	assert_null(report_begin(paper.report, &head));
	assert_null(report_object(paper.report, "gc", members, ARRAY_COUNT(members), cells));
	assert_string_equal(paper_end(&paper), "gc\n"
					       "  enabled     yes\n"
					       "  thresholds  700, 10, 10\n"
					       "  frozen      -\n"
					       "  argv        python3 -c \"print('a b')\" ''\n"
					       "  at          0xffffffff81000000\n");
}

static void a_hostile_name_reaches_the_terminal_in_words(void **state)
{
	CLEANUP(paper_close) struct paper paper = {0};

	head.version = "3.11\033]0;title\007";
	paper_open_text(&paper, &(struct report_style){0});
	assert_null(report_begin(paper.report, &head));
	assert_null(report_table(paper.report, "types", columns, ARRAY_COUNT(columns)));
	put_row(paper.report, "\033[2Jevil\nname\r\x7f\xc2\x9b\xff", 1, 1);
	assert_null(report_note(paper.report, "held by %s", "\033[8m"));
	const char *said = paper_end(&paper);
	for (const char *c = said; *c; c++)
		assert_true((unsigned char)*c >= ' ' || *c == '\n');
	assert_non_null(strstr(said, "\\x1b[2Jevil\\x0aname\\x0d\\x7f\\u009b\\xff"));
	assert_non_null(strstr(said, "held by \\x1b[8m"));
	assert_non_null(strstr(said, "cpython 3.11\\x1b]0;title\\x07"));
}

static void notes_that_follow_each_other_stand_together(void **state)
{
	CLEANUP(paper_close) struct paper paper = {0};

	paper_open_text(&paper, &(struct report_style){0});
	put_types(paper.report);
	assert_null(report_note(paper.report, "one"));
	assert_null(report_note(paper.report, "two"));
	assert_null(report_table(paper.report, "more", columns, ARRAY_COUNT(columns)));
	assert_null(report_note(paper.report, "three"));
	assert_non_null(
		strstr(paper_end(&paper), "2.5 KiB\n\none\ntwo\n\nmore: none\n\nthree\n\n"));
}

static json_t *parsed(const char *chars)
{
	json_error_t problem;
	json_t *root = json_loads(chars, JSON_REJECT_DUPLICATES, &problem);

	if (!root)
		fail_msg("%s at %d:\n%s", problem.text, problem.position, chars);
	return root;
}

static void json_has_the_head_of_the_contract(void **state)
{
	CLEANUP(paper_close) struct paper paper = {0};
	int pid, stops, unreadable, count, total;
	const char *verb, *name;
	double pause;

	paper_open_json(&paper);
	put_types(paper.report);
	json_t *root = parsed(paper_end(&paper));
	assert_int_equal(
		json_unpack(root,
			    "{s:s, s:{s:i, s:n, s:f, s:i}, s:{s:i}, s:[{s:s, s:i}, {}], s:{s:i}}",
			    "verb", &verb, "target", "pid", &pid, "core", "pause_ms", &pause,
			    "stops", &stops, "problems", "unreadable", &unreadable, "types", "name",
			    &name, "count", &count, "total", "count", &total),
		0);
	assert_string_equal(verb, "types");
	assert_string_equal(name, "dict");
	assert_int_equal(pid, 4711);
	assert_int_equal(stops, 1);
	assert_int_equal(unreadable, 0);
	assert_int_equal(count, 12345);
	assert_int_equal(total, 12352);
	assert_true(pause > 3.099 && pause < 3.101);
	assert_non_null(strstr(paper.chars, "\"pause_ms\": 3.1,"));
	json_decref(root);
}

static void json_stays_valid_whatever_a_name_holds(void **state)
{
	CLEANUP(paper_close) struct paper paper = {0};
	char name[256];

	// Every byte there is, and then the ways in which UTF-8 can be wrong.
	for (int i = 1; i < 256; i++)
		name[i - 1] = (char)i;
	name[255] = '\0';
	static const char *const wrong[] = {
		"\xc0\xaf",         // overlong
		"\xed\xa0\x80",     // a surrogate
		"\xf4\x90\x80\x80", // beyond U+10FFFF
		"\xe2\x82",         // cut off
		"\xf8\x88\x80\x80\x80",
	};
	paper_open_json(&paper);
	assert_null(report_begin(paper.report, &head));
	assert_null(report_table(paper.report, "types", columns, ARRAY_COUNT(columns)));
	put_row(paper.report, name, 1, 1);
	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
		put_row(paper.report, wrong[i], 1, 1);
	put_row(paper.report, "caf\xc3\xa9 \xf0\x9f\x90\x8d", 1, 1);
	assert_null(report_note(paper.report, "\xff"));
	json_t *root = parsed(paper_end(&paper));
	json_t *types = json_object_get(root, "types");
	assert_int_equal(json_array_size(types), 2 + ARRAY_COUNT(wrong));
	const char *cut_off = json_string_value(json_object_get(json_array_get(types, 4), "name"));
	assert_string_equal(cut_off, "\\xe2\\x82");
	const char *good = json_string_value(
		json_object_get(json_array_get(types, 1 + ARRAY_COUNT(wrong)), "name"));
	assert_string_equal(good, "caf\xc3\xa9 \xf0\x9f\x90\x8d");
	json_decref(root);
}

static void what_is_not_known_is_null_in_json(void **state)
{
	CLEANUP(paper_close) struct paper paper = {0};

	head = (struct report_head){.verb = "types"};
	paper_open_json(&paper);
	assert_null(report_begin(paper.report, &head));
	json_t *root = parsed(paper_end(&paper));
	const json_t *target = json_object_get(root, "target");
	static const char *const keys[] = {"pid",      "core",       "runtime",
					   "version",  "build",      "snapshot",
					   "pause_ms", "debug_info", "consistent"};
	for (size_t i = 0; i < ARRAY_COUNT(keys); i++)
		assert_true(json_is_null(json_object_get(target, keys[i])));
	json_decref(root);
}

static void a_full_disk_is_an_error(void **state)
{
	FILE *full = fopen("/dev/full", "w");
	struct report *reports[2];

	if (!full)
		skip();
	assert_null(report_text_create(full, &(struct report_style){0}, &reports[0]));
	assert_null(report_json_create(full, &reports[1]));
	for (size_t i = 0; i < 2; i++) {
		put_types(reports[i]);
		struct error *error = report_end(reports[i]);
		assert_non_null(error);
		assert_non_null(strstr(error->message, "No space left"));
		error_destroy(error);
		report_destroy(reports[i]);
	}
	fclose(full);
}

static void a_word_is_what_needs_no_quotes_and_does_no_harm(void **state)
{
	assert_true(safe_text_is_word("shop.Cart.<locals>.Item"));
	assert_true(safe_text_is_word("caf\xc3\xa9"));
	static const char *const others[] = {"",     "a b",   "a'b",  "a\\b",
					     "a\tb", "a\033", "\xff", "\xe2\x80\xae"};
	for (size_t i = 0; i < ARRAY_COUNT(others); i++)
		assert_false(safe_text_is_word(others[i]));
}

static const struct report_column nested_members[] = {
	{.key = "type", .unit = REPORT_TEXT},
	{.key = "kind", .unit = REPORT_TEXT},
	{.key = "at", .unit = REPORT_ADDRESS, .reader = REPORT_FOR_PROGRAMS},
};

static const struct report_column nested_columns[] = {
	{.key = "finalizers",
	 .unit = REPORT_OBJECTS,
	 .members = nested_members,
	 .member_count = ARRAY_COUNT(nested_members)},
	{.key = "holder",
	 .unit = REPORT_OBJECT,
	 .members = nested_members,
	 .member_count = ARRAY_COUNT(nested_members)},
	{.key = "example", .unit = REPORT_ADDRESSES},
};

static void put_nested(struct report *report)
{
	static const int64_t example[] = {0x1000, (int64_t)0xffffffff81000000};
	static const struct report_cell finalizers[] = {
		{.text = "a.B"},   {.text = "del"},  {.number = 0x10},
		{.text = "C\x1b"}, {.absent = true}, {.number = 0x20},
	};
	static const struct report_cell holder[] = {
		{.text = "dict"}, {.text = "gc"}, {.number = 0x30}};
	const struct report_cell full[] = {{.members = finalizers, .count = 2},
					   {.members = holder},
					   {.numbers = example, .count = 2}};
	const struct report_cell empty[] = {{.count = 0}, {.absent = true}, {.count = 0}};

	assert_null(report_begin(report, &head));
	assert_null(report_table(report, "cycles", nested_columns, ARRAY_COUNT(nested_columns)));
	assert_null(report_row(report, full));
	assert_null(report_row(report, empty));
}

static void objects_in_a_row_are_words_for_people(void **state)
{
	CLEANUP(paper_close) struct paper paper = {0};

	paper_open_text(&paper, &(struct report_style){.quiet = true});
	put_nested(paper.report);
	assert_string_equal(paper_end(&paper),
			    "FINALIZERS      HOLDER   EXAMPLE\n"
			    "a.B del, C\\x1b  dict gc  0x1000 0xffffffff81000000\n"
			    "-               -        -\n");
}

static void objects_in_a_row_are_objects_in_json(void **state)
{
	CLEANUP(paper_close) struct paper paper = {0};

	paper_open_json(&paper);
	put_nested(paper.report);
	json_t *root = parsed(paper_end(&paper));
	json_t *expected = json_pack(
		"[{s:[{s:s, s:s, s:s}, {s:s, s:n, s:s}], s:{s:s, s:s, s:s}, s:[s, s]}, "
		"{s:[], s:n, s:[]}]",
		"finalizers", "type", "a.B", "kind", "del", "at", "0x10", "type", "C\x1b", "kind",
		"at", "0x20", "holder", "type", "dict", "kind", "gc", "at", "0x30", "example",
		"0x1000", "0xffffffff81000000", "finalizers", "holder", "example");
	assert_non_null(expected);
	assert_true(json_equal(json_object_get(root, "cycles"), expected));
	json_decref(expected);
	json_decref(root);
}

static void what_is_kept_tells_how_old_it_is(void **state)
{
	CLEANUP(paper_close) struct paper paper = {0};
	CLEANUP(paper_close) struct paper young = {0};
	CLEANUP(paper_close) struct paper json = {0};
	double age_ms;

	head.age_ns = 900000000;
	paper_open_text(&young, &(struct report_style){0});
	assert_null(report_begin(young.report, &head));
	assert_null(strstr(paper_end(&young), "ago"));
	head.age_ns = 12000000000;
	paper_open_text(&paper, &(struct report_style){0});
	paper_open_json(&json);
	assert_null(report_begin(paper.report, &head));
	assert_null(report_begin(json.report, &head));
	assert_non_null(strstr(paper_end(&paper),
			       "process 4711: cpython 3.11.2, release build, as of 12.0 s ago\n"));
	json_t *root = parsed(paper_end(&json));
	assert_int_equal(json_unpack(root, "{s:{s:f}}", "target", "age_ms", &age_ms), 0);
	assert_true(age_ms > 11999.0 && age_ms < 12001.0);
	json_decref(root);
}

static void a_table_for_programs_is_nothing_to_people(void **state)
{
	CLEANUP(paper_close) struct paper paper = {0};
	static const struct report_column quiet[] = {
		{.key = "name", .unit = REPORT_TEXT, .reader = REPORT_FOR_PROGRAMS}};

	paper_open_text(&paper, &(struct report_style){.quiet = true});
	assert_null(report_begin(paper.report, &head));
	assert_null(report_table(paper.report, "by_type", columns, ARRAY_COUNT(columns)));
	assert_null(report_table(paper.report, "to_garbage_by_type", quiet, ARRAY_COUNT(quiet)));
	assert_null(report_row(paper.report, &(struct report_cell){.text = "dict"}));
	assert_string_equal(paper_end(&paper), "by type: none\n");
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup(function, given_head)
	const struct CMUnitTest tests[] = {
		TEST(a_table_has_numbers_on_the_right_and_text_on_the_left),
		TEST(nothing_is_written_before_the_end),
		TEST(headings_are_bold_only_in_color),
		TEST(a_quiet_report_is_the_answer_alone),
		TEST(a_quiet_report_tells_what_makes_it_less_than_whole),
		TEST(stops_that_fell_on_a_bad_moment_are_told),
		TEST(a_row_that_sums_up_the_rest_names_itself),
		TEST(a_very_long_name_moves_its_own_row_only),
		TEST(a_table_without_rows_says_so),
		TEST(sections_have_titles_and_values),
		TEST(a_hostile_name_reaches_the_terminal_in_words),
		TEST(notes_that_follow_each_other_stand_together),
		TEST(json_has_the_head_of_the_contract),
		TEST(json_stays_valid_whatever_a_name_holds),
		TEST(what_is_not_known_is_null_in_json),
		TEST(objects_in_a_row_are_words_for_people),
		TEST(objects_in_a_row_are_objects_in_json),
		TEST(what_is_kept_tells_how_old_it_is),
		TEST(a_table_for_programs_is_nothing_to_people),
		TEST(a_full_disk_is_an_error),
		TEST(a_word_is_what_needs_no_quotes_and_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
