// SPDX-License-Identifier: GPL-3.0-or-later
// Launchpad's scoreboard and leak log.
#include "ui/load/scoreboard.h"

#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/array.h"
#include "support/graphs.h"
#include "support/scratch.h"

enum { ROUNDS = 50, ROWS_MAX = 12 };

// 2026-11-28 21:51:19 in UTC.
static const int64_t some_time_ms = 1795902679123;

static struct scratch *scratch;
static const char *path;
static struct snapshot before, after;
static struct census_row before_rows[ROWS_MAX], after_rows[ROWS_MAX];

static void given_empty(struct snapshot *snapshot, struct census_row *rows)
{
	*snapshot = (struct snapshot){.process = {.pid = 4711, .version = "3.11.2"},
				      .time_ms = some_time_ms,
				      .rss_bytes = 12345,
				      .census.rows = rows};
}

static int given_a_directory(void **state)
{
	setenv("TZ", "UTC", 1);
	tzset();
	scratch = scratch_create();
	path = scratch_path(scratch, "file");
	given_empty(&before, before_rows);
	given_empty(&after, after_rows);
	return 0;
}

static int end(void **state)
{
	scratch_destroy(scratch);
	return 0;
}

static void given(struct snapshot *snapshot, const char *name, uint64_t count)
{
	struct census *census = &snapshot->census;

	census->rows[census->row_count++] = (struct census_row){.name = name, .count = count};
}

static void then_file_is(const char *name, const char *expected)
{
	size_t bytes;
	_cleanup_free_ char *file = scratch_read(scratch_path(scratch, name), &bytes);

	assert_string_equal(file, expected);
	assert_int_equal(bytes, strlen(expected));
}

static void when_written(const char *pattern)
{
	const char *in_directory = scratch_path(scratch, pattern);

	assert_null(scoreboard_check(in_directory));
	assert_null(scoreboard_write(in_directory, &after));
}

static void when_logged(const char *page_id)
{
	assert_null(leak_log_append(path, page_id, &before, &after));
}

static void a_scoreboard_tells_memory_then_types(void **state)
{
	given(&after, "dict", 5021);
	given(&after, "shop.Cart", 304);
	when_written("scoreboard");
	then_file_is("scoreboard", "12345.0\n5021 <class 'dict'>\n304 <class 'shop.Cart'>\n");
}

static void types_of_a_python_2_are_types(void **state)
{
	strcpy(after.process.version, "2.7.18");
	given(&after, "dict", 9);
	when_written("scoreboard");
	then_file_is("scoreboard", "12345.0\n9 <type 'dict'>\n");
	when_logged("-");
	then_file_is("file", "2026-11-28 21:51:19 - 0.00Mb <type 'dict'>=9\n");
}

static void the_process_id_becomes_part_of_the_name(void **state)
{
	when_written("%d.of-%d%%d");
	then_file_is("4711.of-4711%d", "12345.0\n");
}

static void other_patterns_are_refused(void **state)
{
	static const char *const wrong[] = {"", "%s", "a%", "%d%", "%5d", "% d", "%%%n", "%D"};

	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
		struct error *error = scoreboard_check(wrong[i]);
		assert_non_null(error);
		assert_int_equal(error->code, ERROR_USAGE);
		error_destroy(error);
		error = scoreboard_write(wrong[i], &after);
		assert_non_null(error);
		assert_int_equal(error->code, ERROR_USAGE);
		error_destroy(error);
	}
}

static void who_reads_while_it_is_written_anew_reads_the_whole_old_one(void **state)
{
	char old[100] = "";

	when_written("file");
	_cleanup_file_ FILE *reader = fopen(path, "r");
	assert_non_null(reader);
	given(&after, "dict", 1);
	when_written("file");
	size_t bytes = fread(old, 1, sizeof(old) - 1, reader);
	old[bytes] = '\0';
	assert_string_equal(old, "12345.0\n");
	then_file_is("file", "12345.0\n1 <class 'dict'>\n");
	_cleanup_free_ char *files = scratch_output(scratch, "ls -A $S");
	assert_string_equal(files, "file\n");
}

static void a_scoreboard_that_cannot_be_written_is_an_error(void **state)
{
	const char *paths[] = {scratch_path(scratch, "no/such/folder"), scratch_directory(scratch),
			       "/dev/full"};

	for (size_t i = 0; i < ARRAY_COUNT(paths); i++) {
		struct error *error = scoreboard_write(paths[i], &after);
		assert_non_null(error);
		assert_int_equal(error->code, ERROR_FAILED);
		error_destroy(error);
		error = leak_log_append(paths[i], NULL, &before, &after);
		assert_non_null(error);
		assert_int_equal(error->code, ERROR_FAILED);
		error_destroy(error);
	}
}

static void names_forge_neither_lines_nor_types(void **state)
{
	given(&after, "a\n9 <class 'b'>", 3);
	given(&after, "c'>=1; <class 'd", 2);
	given(&after, "\x1b[2J\xe2\x80\xae\xff", 1);
	when_written("file");
	then_file_is("file", "12345.0\n3 <class 'a\\x0a9 <class \\x27b\\x27>'>\n"
			     "2 <class 'c\\x27>=1; <class \\x27d'>\n"
			     "1 <class '\\x1b[2J\\u202e\\xff'>\n");
}

static void the_log_tells_what_grew_most_first(void **state)
{
	given(&before, "dict", 100);
	given(&before, "list", 50);
	given(&before, "set", 7);
	given(&before, "str", 5);
	given(&after, "dict", 103);
	given(&after, "list", 62);
	given(&after, "set", 7);
	given(&after, "tuple", 4);
	given(&after, "str", 1);
	after.rss_bytes += 5 << 18;
	when_logged("/shop/cart");
	then_file_is("file", "2026-11-28 21:51:19 /shop/cart 1.25Mb <class 'list'>=12; "
			     "<class 'tuple'>=4; <class 'dict'>=3\n");
}

static void a_look_at_which_nothing_grew_is_a_line_too(void **state)
{
	given(&before, "dict", 2);
	given(&after, "dict", 1);
	when_logged("/ok");
	when_logged(NULL);
	when_logged("");
	when_logged("two words\n");
	then_file_is("file", "2026-11-28 21:51:19 /ok 0.00Mb\n2026-11-28 21:51:19 - 0.00Mb\n"
			     "2026-11-28 21:51:19 - 0.00Mb\n"
			     "2026-11-28 21:51:19 two_words_ 0.00Mb\n");
}

static void the_change_of_memory_has_two_places_and_a_sign_if_it_is_less(void **state)
{
	static const struct {
		uint64_t before, after;
		const char *size;
	} sizes[] = {
		{1000, 999, "0.00Mb"},         {5242, 0, "0.00Mb"},
		{5243, 0, "-0.01Mb"},          {0, 3 << 20, "3.00Mb"},
		{3 << 20, 1 << 19, "-2.50Mb"}, {UINT64_MAX, 0, "-17592186044416.00Mb"},
	};
	char line[100];

	for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
		unlink(path);
		before.rss_bytes = sizes[i].before;
		after.rss_bytes = sizes[i].after;
		when_logged(NULL);
		snprintf(line, sizeof(line), "2026-11-28 21:51:19 - %s\n", sizes[i].size);
		then_file_is("file", line);
	}
}

static const char memory_form[] = "^[0-9]+\\.0$";
static const char count_form[] = "^([0-9]+) <(class|type) '[^']*'>$";
#define TYPE_FORM "<(class|type) '[^']*'>=[1-9][0-9]*"
static const char log_form[] =
	"^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} "
	"[^[:space:]]+ -?[0-9]+\\.[0-9]{2}Mb( " TYPE_FORM "(; " TYPE_FORM ")*)?$";

static void given_random(struct snapshot *snapshot, struct census_row *rows, uint64_t *seed)
{
	static const char *const names[] = {
		"dict", "shop.Cart", "a'b",          "\n1 <class 'x'>", "'>=5; <class 'y'", "",
		"\xff", "\\x27",     "\xe2\x80\xa8", "caf\xc3\xa9",     "x\x1b[K",
	};
	uint64_t count = 1 << 20;

	given_empty(snapshot, rows);
	if (graph_random(seed) % 2)
		strcpy(snapshot->process.version, "2.7.18");
	snapshot->time_ms = (int64_t)(graph_random(seed) >> 22);
	snapshot->rss_bytes = graph_random(seed) >> graph_random(seed) % 64;
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		count -= graph_random(seed) % 50000;
		if (graph_random(seed) % 4)
			given(snapshot, names[i], count);
	}
}

/** The lines of the file, each of which matches a form: @a first, then @a others. */
static size_t matching_lines(const char *first, const char *others)
{
	size_t bytes, lines = 0;
	_cleanup_free_ char *file = scratch_read(path, &bytes);
	regex_t forms[2];

	assert_int_equal(regcomp(&forms[0], first, REG_EXTENDED | REG_NOSUB), 0);
	assert_int_equal(regcomp(&forms[1], others, REG_EXTENDED | REG_NOSUB), 0);
	for (char *line = file, *newline; *line; line = newline + 1, lines++) {
		newline = strchr(line, '\n');
		assert_non_null(newline);
		*newline = '\0';
		if (regexec(&forms[lines > 0], line, 0, NULL, 0) != 0)
			fail_msg("has not the form: %s", line);
	}
	regfree(&forms[0]);
	regfree(&forms[1]);
	return lines;
}

static void random_scoreboards_have_the_form(void **state)
{
	uint64_t seed = 20261128;

	for (int round = 0; round < ROUNDS; round++) {
		given_random(&after, after_rows, &seed);
		when_written("file");
		assert_int_equal(matching_lines(memory_form, count_form),
				 1 + after.census.row_count);
	}
}

static void random_logs_have_the_form(void **state)
{
	static const char *const pages[] = {NULL, "", "/a b", "x\ny", "\xff", "/ok"};
	uint64_t seed = 20261129;

	for (int round = 0; round < ROUNDS; round++) {
		given_random(&before, before_rows, &seed);
		given_random(&after, after_rows, &seed);
		when_logged(pages[graph_random(&seed) % ARRAY_COUNT(pages)]);
	}
	assert_int_equal(matching_lines(log_form, log_form), ROUNDS);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, given_a_directory, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_scoreboard_tells_memory_then_types),
		TEST(types_of_a_python_2_are_types),
		TEST(the_process_id_becomes_part_of_the_name),
		TEST(other_patterns_are_refused),
		TEST(who_reads_while_it_is_written_anew_reads_the_whole_old_one),
		TEST(a_scoreboard_that_cannot_be_written_is_an_error),
		TEST(names_forge_neither_lines_nor_types),
		TEST(the_log_tells_what_grew_most_first),
		TEST(a_look_at_which_nothing_grew_is_a_line_too),
		TEST(the_change_of_memory_has_two_places_and_a_sign_if_it_is_less),
		TEST(random_scoreboards_have_the_form),
		TEST(random_logs_have_the_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
