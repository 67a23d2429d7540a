// SPDX-License-Identifier: GPL-3.0-or-later
// Launchpad's log of memory: eight columns.
#include "ui/load/memory_log.h"

#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "support/graphs.h"
#include "support/scratch.h"

// 2026-11-28 21:51:19 in UTC.
static const int64_t some_time_ms = 1795902679123;

static struct scratch *scratch;
static const char *path;

static int given_a_directory(void **state)
{
	setenv("TZ", "UTC", 1);
	tzset();
	scratch = scratch_create();
	path = scratch_path(scratch, "memory.log");
	return 0;
}

static int end(void **state)
{
	scratch_destroy(scratch);
	return 0;
}

static void then_log_is(const char *expected)
{
	size_t bytes;
	_cleanup_free_ char *log = scratch_read(path, &bytes);

	assert_string_equal(log, expected);
	assert_int_equal(bytes, strlen(expected));
}

static void when_appended(const struct memory_log_line *line)
{
	assert_null(memory_log_append(path, line));
}

static void a_line_has_eight_columns(void **state)
{
	when_appended(&(struct memory_log_line){
		.time_ms = some_time_ms,
		.page_id = "/shop/cart",
		.oops_id = "OOPS-1",
		.duration_ns = 1250000000,
		.start_vss_bytes = 1,
		.start_rss_bytes = 2,
		.end_vss_bytes = 3,
		.end_rss_bytes = UINT64_MAX,
	});
	then_log_is("2026-11-28T21:51:19 /shop/cart OOPS-1 1.250000 1 2 3 18446744073709551615\n");
}

static void what_there_is_none_of_is_a_dash(void **state)
{
	when_appended(&(struct memory_log_line){.time_ms = some_time_ms});
	when_appended(&(struct memory_log_line){
		.time_ms = some_time_ms + 1000, .page_id = "", .oops_id = ""});
	then_log_is("2026-11-28T21:51:19 - - 0.000000 0 0 0 0\n"
		    "2026-11-28T21:51:20 - - 0.000000 0 0 0 0\n");
}

static void an_id_is_one_word_on_one_line(void **state)
{
	when_appended(&(struct memory_log_line){.time_ms = some_time_ms,
						.page_id = " a page\twith\nall\r ",
						.oops_id = "\x1b[31m\xff"});
	then_log_is("2026-11-28T21:51:19 _a_page_with_all__ \\x1b[31m\\xff 0.000000 0 0 0 0\n");
}

static void a_duration_is_rounded_to_six_places(void **state)
{
	static const struct {
		uint64_t ns;
		const char *seconds;
	} durations[] = {
		{499, "0.000000"},          {500, "0.000001"},
		{999999499, "0.999999"},    {999999500, "1.000000"},
		{60000000000, "60.000000"}, {UINT64_MAX, "18446744073.709552"},
	};
	char line[200];

	for (size_t i = 0; i < ARRAY_COUNT(durations); i++) {
		unlink(path);
		when_appended(&(struct memory_log_line){.time_ms = some_time_ms,
							.duration_ns = durations[i].ns});
		snprintf(line, sizeof(line), "2026-11-28T21:51:19 - - %s 0 0 0 0\n",
			 durations[i].seconds);
		then_log_is(line);
	}
}

static void the_time_is_the_local_one(void **state)
{
	setenv("TZ", "XYZ-2", 1);
	tzset();
	when_appended(&(struct memory_log_line){.time_ms = some_time_ms});
	then_log_is("2026-11-28T23:51:19 - - 0.000000 0 0 0 0\n");
}

static void what_cannot_be_written_is_an_error(void **state)
{
	const struct memory_log_line line = {.time_ms = some_time_ms};
	const char *paths[] = {scratch_path(scratch, "no/such/folder"), scratch_directory(scratch),
			       "/dev/full"};

	for (size_t i = 0; i < ARRAY_COUNT(paths); i++) {
		struct error *error = memory_log_append(paths[i], &line);
		assert_non_null(error);
		assert_int_equal(error->code, ERROR_FAILED);
		assert_non_null(strstr(error->message, paths[i]));
		error_destroy(error);
	}
}

static const char form[] = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2} "
			   "[^[:space:]]+ [^[:space:]]+ ([0-9]+\\.[0-9]{6}) "
			   "([0-9]+) ([0-9]+) ([0-9]+) ([0-9]+)$";

enum { ROUNDS = 50, WRITERS = 4, GROUPS = 6 };

static const char *const some_ids[] = {NULL, "", "-", "/a b", "\xe2\x80\xae", "x\ny", "%d%n", "ok"};

static struct memory_log_line random_line(uint64_t *seed)
{
	struct memory_log_line line = {.time_ms = (int64_t)(graph_random(seed) >> 22)};

	line.page_id = some_ids[graph_random(seed) % ARRAY_COUNT(some_ids)];
	line.oops_id = some_ids[graph_random(seed) % ARRAY_COUNT(some_ids)];
	line.duration_ns = graph_random(seed) >> graph_random(seed) % 64;
	line.start_vss_bytes = graph_random(seed);
	line.start_rss_bytes = graph_random(seed) >> graph_random(seed) % 64;
	line.end_vss_bytes = graph_random(seed);
	line.end_rss_bytes = graph_random(seed) >> graph_random(seed) % 64;
	return line;
}

static void then_matches(const regex_t *compiled, const char *text, regmatch_t *groups)
{
	if (regexec(compiled, text, GROUPS, groups, 0) != 0)
		fail_msg("has not the form: %s", text);
}

static void then_number(const char *text, regmatch_t group, uint64_t expected)
{
	assert_true(strtoull(text + group.rm_so, NULL, 10) == expected);
}

static void random_lines_have_the_form(void **state)
{
	uint64_t seed = 20261128;
	regmatch_t groups[GROUPS];
	regex_t compiled;

	assert_int_equal(regcomp(&compiled, form, REG_EXTENDED), 0);
	for (int round = 0; round < ROUNDS; round++) {
		const struct memory_log_line line = random_line(&seed);
		size_t bytes;
		unlink(path);
		when_appended(&line);
		_cleanup_free_ char *log = scratch_read(path, &bytes);
		assert_ptr_equal(strchr(log, '\n'), log + bytes - 1);
		log[bytes - 1] = '\0';
		then_matches(&compiled, log, groups);
		double seconds = strtod(log + groups[1].rm_so, NULL);
		assert_true(seconds * 1e9 - (double)line.duration_ns < 1e4 + seconds);
		then_number(log, groups[2], line.start_vss_bytes);
		then_number(log, groups[3], line.start_rss_bytes);
		then_number(log, groups[4], line.end_vss_bytes);
		then_number(log, groups[5], line.end_rss_bytes);
	}
	regfree(&compiled);
}

static void write_many(uint64_t seed)
{
	for (int round = 0; round < ROUNDS; round++) {
		const struct memory_log_line line = random_line(&seed);
		if (memory_log_append(path, &line))
			_exit(1);
	}
	_exit(0);
}

static void lines_of_several_writers_do_not_mix(void **state)
{
	regmatch_t groups[GROUPS];
	regex_t compiled;
	size_t bytes, lines = 0;
	int status;

	for (uint64_t writer = 1; writer <= WRITERS; writer++)
		if (fork() == 0)
			write_many(writer);
	for (int writer = 0; writer < WRITERS; writer++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(regcomp(&compiled, form, REG_EXTENDED), 0);
	_cleanup_free_ char *log = scratch_read(path, &bytes);
	for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n"), lines++)
		then_matches(&compiled, line, groups);
	assert_int_equal(lines, WRITERS * ROUNDS);
	regfree(&compiled);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, given_a_directory, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_line_has_eight_columns),      TEST(what_there_is_none_of_is_a_dash),
		TEST(an_id_is_one_word_on_one_line), TEST(a_duration_is_rounded_to_six_places),
		TEST(the_time_is_the_local_one),     TEST(what_cannot_be_written_is_an_error),
		TEST(random_lines_have_the_form),    TEST(lines_of_several_writers_do_not_mix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
