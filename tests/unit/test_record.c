// SPDX-License-Identifier: GPL-3.0-or-later
// Records: bounded in memory, and files of them that nobody can trust.
#include "ui/record/record_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/duration.h"
#include "support/scratch.h"

static struct scratch *scratch;

static int given_a_folder(void **state)
{
	scratch = scratch_create();
	return 0;
}

static int afterwards(void **state)
{
	scratch_destroy(scratch);
	return 0;
}

static void given_series(struct record *record)
{
	struct record_series *series;

	record->process.pid = 4711;
	record->process.start_ticks = 5;
	assert_null(record_add_series(record, "rss", SERIES_BYTES, &series));
	assert_null(record_add_series(record, "objects", SERIES_COUNT, &series));
}

static void add(struct record *record, int64_t time_ms, int64_t rss, int64_t objects)
{
	const int64_t values[] = {rss, objects};

	assert_null(record_add(record, time_ms, values, NULL));
}

static void a_record_knows_first_last_and_extremes(void **state)
{
	_cleanup_record_ struct record record = {0};
	int64_t change;

	given_series(&record);
	add(&record, 1000, 50, SERIES_ABSENT);
	add(&record, 2000, 90, 7);
	add(&record, 3000, 20, SERIES_ABSENT);
	const struct record_series *rss = record_find(&record, "rss");
	assert_int_equal(rss->first.value, 50);
	assert_int_equal(rss->last.value, 20);
	assert_int_equal(rss->min, 20);
	assert_int_equal(rss->max, 90);
	assert_int_equal(rss->sum, 160);
	assert_true(record_change(rss, &change));
	assert_int_equal(change, -30);
	assert_false(record_change(record_find(&record, "objects"), &change));
	assert_null(record_find(&record, "nonsense"));
	assert_int_equal(record.recorded_ms, 2000);
}

static void what_is_not_later_is_not_taken(void **state)
{
	_cleanup_record_ struct record record = {0};
	const int64_t values[] = {1, 1};
	bool taken;

	given_series(&record);
	add(&record, 1000, 50, 1);
	assert_null(record_add(&record, 1000, values, &taken));
	assert_false(taken);
	assert_int_equal(record.point_count, 1);
}

static void another_run_begins_behind_a_gap(void **state)
{
	_cleanup_record_ struct record record = {0};

	given_series(&record);
	record_interrupt(&record);
	add(&record, 1000, 1, 1);
	add(&record, 2000, 2, 1);
	record_interrupt(&record);
	add(&record, 60000, 3, 1);
	add(&record, 61000, 4, 1);
	const struct record_series *rss = record_find(&record, "rss");
	assert_int_equal(rss->count, 5);
	assert_int_equal(rss->points[2].value, SERIES_ABSENT);
	assert_int_equal(rss->value_count, 4);
	assert_int_equal(record.recorded_ms, 2000);
}

// How many kept points lie in each of @count equal parts of the time; the fewest of them.
static size_t fewest_in_a_part(const struct record_series *series, size_t count)
{
	size_t fewest = SIZE_MAX, *parts = calloc(count, sizeof(*parts));
	int64_t begin = series->points[0].time_ms;
	int64_t span = series->points[series->count - 1].time_ms - begin + 1;

	for (size_t i = 0; i < series->count; i++) {
		assert_true(i == 0 || series->points[i].time_ms >= series->points[i - 1].time_ms);
		parts[(size_t)((series->points[i].time_ms - begin) * (int64_t)count / span)]++;
	}
	for (size_t i = 0; i < count; i++)
		fewest = parts[i] < fewest ? parts[i] : fewest;
	free(parts);
	return fewest;
}

static bool has(const struct record_series *series, int64_t value)
{
	for (size_t i = 0; i < series->count; i++)
		if (series->points[i].value == value)
			return true;
	return false;
}

static void a_record_without_end_keeps_its_extremes_in_bounded_memory(void **state)
{
	enum { POINTS = 500000 };
	_cleanup_record_ struct record record = {0};

	given_series(&record);
	for (int64_t i = 0; i < POINTS; i++) {
		int64_t rss = i == 333333 ? 1000000 : i == 77 ? 1 : 1000 + i % 13;
		// From time to time nothing can be counted.
		add(&record, 1000 + i * 1000, rss, i % 1000 ? i : SERIES_ABSENT);
		assert_true(record.series[0].count <= RECORD_POINTS_MAX);
	}
	const struct record_series *rss = record_find(&record, "rss");
	assert_int_equal(rss->value_count, POINTS);
	assert_int_equal(rss->points[0].time_ms, 1000);
	assert_int_equal(rss->points[rss->count - 1].time_ms, rss->last.time_ms);
	assert_true(has(rss, 1000000) && has(rss, 1));
	// Old times are known as well as new ones.
	assert_true(fewest_in_a_part(rss, 800) >= 2);
	assert_true(fewest_in_a_part(record_find(&record, "objects"), 800) >= 2);
	assert_true(has(record_find(&record, "objects"), SERIES_ABSENT));
}

static void points_that_come_fast_after_a_long_time_stay_bounded(void **state)
{
	_cleanup_record_ struct record record = {0};
	int64_t time_ms = 1000;

	given_series(&record);
	for (size_t i = 0; i < 10000; i++)
		add(&record, time_ms += 86400000, (int64_t)i, 1);
	for (size_t i = 0; i < 100000; i++) {
		add(&record, time_ms += 1, i == 50000 ? 999999 : 5, 1);
		assert_true(record.series[0].count <= RECORD_POINTS_MAX);
	}
	assert_true(has(record_find(&record, "rss"), 999999));
}

static void there_are_only_so_many_series(void **state)
{
	_cleanup_record_ struct record record = {0};
	struct record_series *series;
	char name[16];

	for (size_t i = 0; i < RECORD_SERIES_MAX; i++) {
		snprintf(name, sizeof(name), "s%zu", i);
		assert_null(record_add_series(&record, name, SERIES_COUNT, &series));
	}
	_cleanup_error_ struct error *error =
		record_add_series(&record, "more", SERIES_COUNT, &series);
	assert_non_null(error);
	assert_null(record_add_series(&record, "s3", SERIES_COUNT, &series));
	assert_ptr_equal(series, &record.series[3]);
}

// Writes a run of two points into @name.
static void given_a_file(const char *name)
{
	_cleanup_record_ struct record record = {0};
	struct record_writer *writer;
	const int64_t first[] = {50, 100}, second[] = {60, SERIES_ABSENT};

	given_series(&record);
	strcpy(record.process.version, "3.11.2");
	strcpy(record.process.program, "python3 \"x\"\n\xff.py");
	assert_null(record_writer_open(scratch_path(scratch, name), &writer));
	assert_null(record_writer_begin(writer, &record, 1000));
	assert_null(record_writer_add(writer, &record, 1100, first, false));
	assert_null(record_writer_add(writer, &record, 2100, second, true));
	assert_null(record_writer_end(writer, &record, 2200, "interrupted"));
	record_writer_close(writer);
}

static struct error *read_file(const char *name, struct record_file *ret)
{
	return record_file_read(scratch_path(scratch, name), ret);
}

static void what_was_written_is_read(void **state)
{
	_cleanup_record_file_ struct record_file file = {0};

	given_a_file("a");
	assert_null(read_file("a", &file));
	assert_int_equal(file.record_count, 1);
	assert_int_equal(file.unreadable + file.truncated, 0);
	const struct record *record = file.records[0];
	assert_int_equal(record->process.pid, 4711);
	assert_string_equal(record->process.version, "3.11.2");
	assert_string_equal(record->process.program, "python3 \"x\"\n\\xff.py");
	assert_string_equal(record->ended, "interrupted");
	assert_int_equal(record->point_count, 2);
	assert_int_equal(record->inexact_count, 1);
	assert_int_equal(record_find(record, "rss")->last.value, 60);
	assert_int_equal(record_find(record, "rss")->unit, SERIES_BYTES);
	assert_int_equal(record_find(record, "objects")->value_count, 1);
}

static void a_file_cut_off_anywhere_is_read_up_to_there(void **state)
{
	size_t bytes;

	given_a_file("whole");
	_cleanup_free_ char *whole = scratch_read(scratch_path(scratch, "whole"), &bytes);
	size_t head = (size_t)(strchr(whole, '\n') - whole);
	for (size_t cut = 0; cut <= bytes; cut++) {
		_cleanup_record_file_ struct record_file file = {0};

		scratch_write(scratch, "cut", whole, cut);
		_cleanup_error_ struct error *error = read_file("cut", &file);
		assert_int_equal(!error, cut >= head);
		if (error)
			continue;
		// Whole but for its newline, a line is a line.
		assert_true(file.unreadable <= 1);
		assert_true(file.records[0]->point_count <= 2);
	}
}

static void a_file_that_was_cut_off_is_gone_on_with_on_a_line_of_its_own(void **state)
{
	_cleanup_record_file_ struct record_file file = {0};
	size_t bytes;

	given_a_file("b");
	_cleanup_free_ char *whole = scratch_read(scratch_path(scratch, "b"), &bytes);
	scratch_write(scratch, "b", whole, bytes - 20);
	given_a_file("b");
	assert_null(read_file("b", &file));
	assert_int_equal(file.unreadable, 3);
	assert_string_equal(file.problem_texts[0], "line 4: no line of a record");
	// The points of the second run are not later than those of the first.
	assert_int_equal(file.records[0]->point_count, 2);
}

static void a_file_that_is_something_else_is_not_appended_to(void **state)
{
	struct record_writer *writer;
	size_t bytes;

	scratch_write(scratch, "precious", "precious text, not ours", 23);
	_cleanup_error_ struct error *error =
		record_writer_open(scratch_path(scratch, "precious"), &writer);
	assert_non_null(error);
	assert_non_null(strstr(error->message, "no record of leakinspect"));
	_cleanup_free_ char *after = scratch_read(scratch_path(scratch, "precious"), &bytes);
	assert_int_equal(bytes, 23);
	assert_memory_equal(after, "precious text, not ours", bytes);
}

static void hostile_lines_are_counted_and_do_no_harm(void **state)
{
	static const char head[] =
		"{\"leakinspect\":\"record\",\"format\":1,\"pid\":7,\"series\":"
		"{\"rss\":\"bytes\",\"--x\":\"count\",\"y\":\"miles\",\"z\":7,\"\":\"count\"}}\n";
	static const char *const lines[] = {
		"[]\n",
		"7\n",
		"{\"pid\":\"7\"}\n",
		"{\"pid\":-1,\"time_ms\":5}\n",
		"{\"pid\":99999999999,\"time_ms\":5}\n",
		"{\"pid\":8,\"time_ms\":5,\"rss\":1}\n",
		"{\"pid\":7,\"rss\":1}\n",
		"{\"pid\":7,\"time_ms\":-5,\"rss\":1}\n",
		"{\"pid\":7,\"time_ms\":9223372036854775807,\"rss\":1}\n",
		"{\"pid\":7,\"time_ms\":1e3,\"rss\":1}\n",
		"\x00\x01\x02\n",
		"{\"pid\":7\n",
		"{\"leakinspect\":\"other\",\"pid\":7}\n",
		"{\"leakinspect\":\"record\",\"format\":2,\"pid\":7}\n",
		"{\"pid\":7,\"time_ms\":10,\"rss\":99999999999999999999999}\n",
	};
	static const char odd[] = "{\"pid\":7,\"time_ms\":20,\"rss\":\"much\"}\n"
				  "{\"pid\":7,\"time_ms\":30,\"rss\":-4}\n"
				  "{\"pid\":7,\"time_ms\":40,\"rss\":9223372036854775807}\n\n"
				  "{\"pid\":7,\"time_ms\":50,\"rss\":9223372036854775807}\n";
	_cleanup_record_file_ struct record_file file = {0};
	_cleanup_text_ struct text text = {0};

	assert_null(text_append(&text, head, strlen(head)));
	for (size_t i = 0; i < ARRAY_COUNT(lines); i++)
		assert_null(text_append(&text, lines[i], lines[i][0] ? strlen(lines[i]) : 4));
	assert_null(text_append(&text, odd, strlen(odd)));
	scratch_write(scratch, "hostile", text_chars(&text), text.length);
	assert_null(read_file("hostile", &file));
	// Four series, the lines, and two values that are none.
	assert_int_equal(file.unreadable, 4 + ARRAY_COUNT(lines) + 2);
	assert_int_equal(file.problem_text_count, RECORD_PROBLEM_TEXTS_MAX);
	const struct record_series *rss = record_find(file.records[0], "rss");
	assert_int_equal(file.records[0]->series_count, 1);
	assert_int_equal(rss->value_count, 2);
	assert_int_equal(rss->sum, INT64_MAX);
	assert_int_equal(file.records[0]->point_count, 4);
}

static void a_line_without_end_is_one_problem(void **state)
{
	_cleanup_record_file_ struct record_file file = {0};
	size_t bytes;

	given_a_file("long");
	_cleanup_free_ char *whole = scratch_read(scratch_path(scratch, "long"), &bytes);
	_cleanup_text_ struct text text = {0};
	assert_null(text_append(&text, whole, bytes));
	for (size_t i = 0; i < 3 * RECORD_LINE_BYTES_MAX; i++)
		assert_null(text_append(&text, "[", 1));
	scratch_write(scratch, "long", text_chars(&text), text.length);
	assert_null(read_file("long", &file));
	assert_int_equal(file.unreadable, 1);
	assert_int_equal(file.records[0]->point_count, 2);
}

static void there_are_only_so_many_processes_in_a_file(void **state)
{
	_cleanup_record_file_ struct record_file file = {0};
	_cleanup_text_ struct text text = {0};

	for (int pid = 1; pid <= RECORD_PROCESSES_MAX + 5; pid++)
		assert_null(text_appendf(
			&text,
			"{\"leakinspect\":\"record\",\"format\":1,\"pid\":%d,\"series\":"
			"{\"rss\":\"bytes\"}}\n",
			pid));
	scratch_write(scratch, "many", text_chars(&text), text.length);
	assert_null(read_file("many", &file));
	assert_int_equal(file.record_count, RECORD_PROCESSES_MAX);
	assert_int_equal(file.truncated, 5);
}

static void a_process_id_given_again_is_another_process(void **state)
{
	static const char text[] =
		"{\"leakinspect\":\"record\",\"format\":1,\"pid\":7,\"start_ticks\":1,\"series\":"
		"{\"rss\":\"bytes\"}}\n"
		"{\"pid\":7,\"time_ms\":50,\"rss\":1}\n"
		"{\"leakinspect\":\"record\",\"format\":1,\"pid\":7,\"start_ticks\":2,\"series\":"
		"{\"rss\":\"bytes\"}}\n"
		"{\"pid\":7,\"time_ms\":60,\"rss\":2}\n";
	_cleanup_record_file_ struct record_file file = {0};

	scratch_write(scratch, "again", text, strlen(text));
	assert_null(read_file("again", &file));
	assert_int_equal(file.record_count, 2);
	assert_int_equal(file.records[0]->point_count, 1);
	assert_int_equal(file.records[1]->series[0].first.value, 2);
}

static void what_is_no_record_is_refused(void **state)
{
	static const char *const names[] = {"text", "empty", ".", "nowhere"};

	scratch_write(scratch, "text", "{\"verb\": \"types\"}\n", 18);
	scratch_write(scratch, "empty", "", 0);
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		_cleanup_record_file_ struct record_file file = {0};
		_cleanup_error_ struct error *error = read_file(names[i], &file);
		assert_non_null(error);
		assert_int_equal(error->code, ERROR_FAILED);
	}
	_cleanup_record_file_ struct record_file file = {0};
	_cleanup_error_ struct error *error = record_file_read("/dev/zero", &file);
	assert_non_null(error);
}

static void durations_are_read_as_they_are_written(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {
		{"10", 10000000000},    {"10s", 10000000000},   {"500ms", 500000000},
		{"1.5m", 90000000000},  {"2min", 120000000000}, {"1h", 3600000000000},
		{"1d", 86400000000000}, {"3us", 3000},
	};
	static const char *const bad[] = {
		"",       "s",    "-1s", "1e3",  "inf",  "0",   "0s",
		"1.2.3s", "10 s", "10x", "400d", "0x10", "nan", "99999999999999999999999s"};
	uint64_t ns;

	for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
		assert_true(duration_parse(good[i].text, &ns));
		assert_int_equal(ns, good[i].ns);
	}
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		assert_false(duration_parse(bad[i], &ns));
}

static void durations_are_written_in_two_units_at_most(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} spans[] = {
		{0, "0 us"},
		{850000, "850 us"},
		{6200000, "6.2 ms"},
		{999960000, "1 s"},
		{10000000000, "10 s"},
		{12500000000, "12.5 s"},
		{59960000000, "1 min"},
		{90000000000, "1 min 30 s"},
		{3599900000000, "1 h"},
		{7500000000000, "2 h 5 min"},
		{86400000000000, "1 d"},
		{273600000000000, "3 d 4 h"},
	};
	char text[DURATION_CHARS];

	for (size_t i = 0; i < ARRAY_COUNT(spans); i++)
		assert_string_equal(duration_format(spans[i].ns, text), spans[i].text);
	assert_non_null(duration_format(UINT64_MAX, text));
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, given_a_folder, afterwards)
	const struct CMUnitTest tests[] = {
		TEST(a_record_knows_first_last_and_extremes),
		TEST(what_is_not_later_is_not_taken),
		TEST(another_run_begins_behind_a_gap),
		TEST(a_record_without_end_keeps_its_extremes_in_bounded_memory),
		TEST(points_that_come_fast_after_a_long_time_stay_bounded),
		TEST(there_are_only_so_many_series),
		TEST(what_was_written_is_read),
		TEST(a_file_cut_off_anywhere_is_read_up_to_there),
		TEST(a_file_that_was_cut_off_is_gone_on_with_on_a_line_of_its_own),
		TEST(a_file_that_is_something_else_is_not_appended_to),
		TEST(hostile_lines_are_counted_and_do_no_harm),
		TEST(a_line_without_end_is_one_problem),
		TEST(there_are_only_so_many_processes_in_a_file),
		TEST(a_process_id_given_again_is_another_process),
		TEST(what_is_no_record_is_refused),
		TEST(durations_are_read_as_they_are_written),
		TEST(durations_are_written_in_two_units_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
