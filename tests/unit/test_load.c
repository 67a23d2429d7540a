// SPDX-License-Identifier: GPL-3.0-or-later
// Commands that are run for their load, and what is seen before and after.
#include "ui/load/load.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/interrupt.h"
#include "support/fake_service.h"
#include "support/graphs.h"
#include "ui/load/load_growth.h"

static struct scratch *scratch;
static struct fake_service fake;
static struct load load;

static int given_a_service(void **state)
{
	scratch = scratch_create();
	fake_service_init(&fake, scratch);
	setenv("REQUESTS", fake.path, 1);
	return 0;
}

static int end(void **state)
{
	load_deinit(&load);
	scratch_destroy(scratch);
	return 0;
}

static void given_load(const struct load_options *options)
{
	assert_null(load_init(&load, &fake.inspected, options));
}

static struct load_iteration when_iterated(void)
{
	struct load_iteration iteration;
	struct error *error = load_iterate(&load, NULL, NULL, 0, &iteration);

	if (error)
		fail_msg("%s", error->message);
	return iteration;
}

static void iterate_once(void)
{
	struct load_iteration iteration = when_iterated();

	load_iteration_deinit(&iteration);
}

/** What a command comes to, in one iteration of its own. */
static int exit_status_of(const char *command)
{
	char *const words[] = {(char *)"sh", (char *)"-c", (char *)command, NULL};

	load_deinit(&load);
	given_load(&(struct load_options){.words = words});
	_cleanup_load_iteration_ struct load_iteration iteration = when_iterated();
	assert_true(iteration.command_ns > 0);
	assert_int_equal(load.failed_count, iteration.exit_status != 0);
	assert_int_equal(load.run_count, 1);
	return iteration.exit_status;
}

static void exit_statuses_are_as_a_shell_tells_them(void **state)
{
	assert_int_equal(exit_status_of("true"), 0);
	assert_int_equal(exit_status_of("false"), 1);
	assert_int_equal(exit_status_of("exit 255"), 255);
	assert_int_equal(exit_status_of("kill -9 $$"), 128 + SIGKILL);
	assert_int_equal(exit_status_of("kill -TERM $$"), 128 + SIGTERM);
}

static void the_end_of_what_it_complained_about_is_kept(void **state)
{
	exit_status_of("echo first >&2; echo 'no such host' >&2; echo not this; exit 3");
	assert_string_equal(text_chars(&load.complaint), "first\nno such host");
	exit_status_of("exit 3");
	assert_string_equal(text_chars(&load.complaint), "");
	exit_status_of("echo it went well >&2");
	assert_string_equal(text_chars(&load.complaint), "");
	exit_status_of("printf '\\n \\n\\n' >&2; exit 3");
	assert_string_equal(text_chars(&load.complaint), "");
}

static void of_megabytes_the_last_lines_are_kept(void **state)
{
	exit_status_of("yes 'a line of some length' | head -c 5000000 >&2; echo >&2; "
		       "echo the last one >&2; exit 3");
	const char *kept = text_chars(&load.complaint);
	assert_true(load.complaint.length < 1000);
	assert_memory_equal(kept, "a line of some length\n", 22);
	assert_string_equal(kept + strlen(kept) - 12, "the last one");
	exit_status_of("head -c 5000000 /dev/zero | tr '\\0' x >&2; exit 3");
	assert_int_equal(strspn(text_chars(&load.complaint), "x"), load.complaint.length);
	assert_int_equal(load.complaint.length, 600);
}

static void what_a_child_that_stays_writes_takes_no_memory(void **state)
{
	// It holds the file of complaints, and the test sees its size.
	exit_status_of(
		"(echo $(exec sh -c 'echo $PPID') >$REQUESTS.pid; trap '' TERM; "
		"exec >/dev/null; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; "
		"do sleep 0.05; head -c 100000 /dev/zero >&2; done; "
		"stat -L -c %s /proc/self/fd/2 >$REQUESTS.size) & exit 0");
	for (int i = 0; i < 200 && access(scratch_path(scratch, "requests.size"), F_OK); i++)
		usleep(50000);
	_cleanup_free_ char *size = scratch_output(scratch, "sleep 0.1; cat $S/requests.size");
	assert_true(atol(size) < 1000000);
}

static void what_it_writes_while_it_runs_takes_no_memory(void **state)
{
	exit_status_of("head -c 20000000 /dev/zero >&2; sleep 0.5; "
		       "stat -L -c %b /proc/self/fd/2 >$REQUESTS.blocks; echo the end >&2; exit 3");
	_cleanup_free_ char *blocks = scratch_output(scratch, "cat $S/requests.blocks");
	assert_true(atol(blocks) > 0 && atol(blocks) < 1000);
	assert_true(load.complaint.length > 7);
	assert_string_equal(load.complaint.chars + load.complaint.length - 7, "the end");
}

static void what_it_does_is_between_two_looks(void **state)
{
	char *const words[] = {(char *)"sh", (char *)"-c",
			       (char *)"echo shop.Cart >>$REQUESTS; read line && exit 9; exit 0",
			       NULL};

	given_load(&(struct load_options){.words = words});
	for (unsigned i = 1; i <= 3; i++) {
		_cleanup_load_iteration_ struct load_iteration iteration = when_iterated();
		assert_int_equal(iteration.number, i);
		assert_int_equal(iteration.look, i - 1);
		// Its stdin is empty and does not wait.
		assert_int_equal(iteration.exit_status, 0);
		assert_null(iteration.page_id);
		assert_int_equal(load.looks[i - 1].snapshot.census.total.count, i - 1);
		assert_int_equal(load.looks[i].snapshot.census.total.count, i);
	}
	assert_int_equal(load.stops, 4);
	assert_int_equal(load.inexact_count, 0);
	load_begin_block(&load);
	assert_int_equal(load.look_count, 1);
	assert_int_equal(load.looks[0].snapshot.census.total.count, 3);
	load_begin_block(&load);
	assert_int_equal(load.look_count, 1);
	_cleanup_load_iteration_ struct load_iteration iteration = when_iterated();
	assert_int_equal(iteration.number, 1);
	assert_int_equal(load.looks[1].snapshot.census.total.count, 4);
}

static void a_program_that_is_nowhere_is_told(void **state)
{
	char *const words[][2] = {{(char *)"no-such-program", NULL},
				  {(char *)"/etc/passwd", NULL},
				  {(char *)"", NULL},
				  {(char *)"/tmp", NULL}};

	for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
		_cleanup_error_ struct error *error = load_init(
			&load, &fake.inspected, &(struct load_options){.words = words[i]});
		assert_non_null(error);
		assert_non_null(strstr(error->message, "there is no program"));
		assert_int_equal(fake.census_count, 0);
		load_deinit(&load);
	}
}

static void a_program_that_cannot_be_run_is_told(void **state)
{
	const char *script = scratch_path(scratch, "script");
	char *const words[] = {(char *)script, NULL};
	struct load_iteration iteration;

	scratch_run(scratch, "echo '#!/no/such/interpreter' >$S/script; chmod +x $S/script");
	given_load(&(struct load_options){.words = words});
	_cleanup_error_ struct error *error = load_iterate(&load, NULL, NULL, 0, &iteration);
	assert_non_null(error);
	assert_non_null(strstr(error->message, script));
	load_iteration_deinit(&iteration);
}

static void a_process_that_ends_is_told(void **state)
{
	char *const words[] = {(char *)"true", NULL};
	struct load_iteration iteration;

	fake.gone_at = 2;
	given_load(&(struct load_options){.words = words});
	_cleanup_error_ struct error *error = load_iterate(&load, "page", NULL, 0, &iteration);
	assert_int_equal(error->code, ERROR_GONE);
	assert_string_equal(iteration.page_id, "page");
	assert_int_equal(load.look_count, 1);
	load_iteration_deinit(&iteration);
}

static void who_started_us_may_ignore_children(void **state)
{
	signal(SIGCHLD, SIG_IGN);
	assert_null(interrupt_install());
	assert_int_equal(exit_status_of("exit 7"), 7);
}

// Ctrl-C goes to all programs of a terminal: the command ends by itself.
static void an_interrupt_that_ends_the_command_ends_the_load(void **state)
{
	char *const words[] = {(char *)"sh", (char *)"-c", (char *)"kill -INT $PPID; kill -INT $$",
			       NULL};
	static const char *const urls[] = {"a", "b", "c"};
	struct load_iteration iteration;

	assert_null(interrupt_install());
	given_load(&(struct load_options){.words = words});
	_cleanup_error_ struct error *error =
		load_iterate(&load, NULL, urls, ARRAY_COUNT(urls), &iteration);
	interrupt_clear();
	assert_non_null(error);
	assert_int_equal(error->code, ERROR_INTERRUPTED);
	assert_int_equal(load.run_count, 0);
	assert_int_equal(load.look_count, 1);
	load_iteration_deinit(&iteration);
}

// One that does not end when it is asked to is killed a second later.
static void an_interrupt_ends_a_command_that_does_not_want_to_end(void **state)
{
	char *const words[] = {(char *)"sh", (char *)"-c",
			       (char *)"trap '' INT TERM; kill -INT $PPID; while :; do :; done",
			       NULL};
	struct load_iteration iteration;

	given_load(&(struct load_options){.words = words});
	_cleanup_error_ struct error *error = load_iterate(&load, NULL, NULL, 0, &iteration);
	interrupt_clear();
	assert_non_null(error);
	assert_int_equal(error->code, ERROR_INTERRUPTED);
	load_iteration_deinit(&iteration);
}

static void looks_that_are_not_exact_are_counted(void **state)
{
	char *const words[] = {(char *)"true", NULL};

	fake.torn = true;
	given_load(&(struct load_options){.words = words});
	iterate_once();
	assert_int_equal(load.inexact_count, 2);
}

// Who did not want to wait is not told that the process was at work.
static void a_process_that_nobody_waits_for_is_not_said_to_work(void **state)
{
	char *const words[] = {(char *)"true", NULL};

	given_load(&(struct load_options){.words = words, .settle_ns = 0});
	iterate_once();
	assert_int_equal(load.busy_count, 0);
	load_deinit(&load);
	given_load(&(struct load_options){.words = words, .settle_ns = 1});
	assert_int_equal(load.busy_count, 1);
}

static void urls_are_words_with_nothing_done_to_them(void **state)
{
	static const char *const urls[] = {"http://a/?b=1&c='d e'",
					   "$(reboot)`reboot`;{url}",
					   "-n",
					   "\"\\",
					   "{url}{url}",
					   "%s%n%d",
					   "\xff\xfe"};
	char *const words[] = {(char *)"sh",
			       (char *)"-c",
			       (char *)"printf '%s|%s\\n' \"$1\" \"$2\" >>$REQUESTS",
			       (char *)"sh",
			       (char *)"{url}",
			       (char *)"<{url}{url}>",
			       NULL};
	_cleanup_text_ struct text expected = {0};
	size_t bytes;

	given_load(&(struct load_options){.words = words});
	_cleanup_load_iteration_ struct load_iteration iteration = {0};
	assert_null(load_iterate(&load, "all", urls, ARRAY_COUNT(urls), &iteration));
	assert_int_equal(load.run_count, ARRAY_COUNT(urls));
	for (size_t i = 0; i < ARRAY_COUNT(urls); i++)
		assert_null(text_appendf(&expected, "%s|<%s%s>\n", urls[i], urls[i], urls[i]));
	_cleanup_free_ char *written = scratch_read(fake.path, &bytes);
	assert_string_equal(written, text_chars(&expected));
	// Of many it is told where they stand.
	assert_non_null(strstr(iteration.command, "{url}"));
}

static void the_logs_get_a_line_for_each_iteration(void **state)
{
	const char *const board = scratch_path(scratch, "board-%d"),
			  *leaks = scratch_path(scratch, "leaks"),
			  *memory = scratch_path(scratch, "memory");
	char *const words[] = {(char *)"sh", (char *)"-c", (char *)"echo shop.Cart >>$REQUESTS",
			       NULL};

	given_load(&(struct load_options){
		.words = words, .scoreboard = board, .leak_log = leaks, .memory_log = memory});
	for (int i = 0; i < 3; i++)
		iterate_once();
	scratch_run(scratch, "test $(grep -c \"'shop.Cart'>=1$\" $S/leaks) = 3");
	scratch_run(scratch, "test $(wc -l <$S/memory) = 3");
	scratch_run(scratch, "grep -q \"^3 <class 'shop.Cart'>$\" $S/board-%d", getpid());
}

static void a_log_that_cannot_be_written_is_told(void **state)
{
	char *const words[] = {(char *)"true", NULL};
	const struct load_options options[] = {
		{.words = words, .leak_log = "/no/such/folder/log"},
		{.words = words, .memory_log = "/no/such/folder/log"},
	};
	struct load_iteration iteration;

	for (size_t i = 0; i < ARRAY_COUNT(options); i++) {
		given_load(&options[i]);
		_cleanup_error_ struct error *error =
			load_iterate(&load, NULL, NULL, 0, &iteration);
		assert_non_null(error);
		assert_non_null(strstr(error->message, "/no/such/folder/log"));
		load_iteration_deinit(&iteration);
		load_deinit(&load);
	}
}

static size_t open_fd_count(void)
{
	_cleanup_dir_ DIR *fds = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(fds);
	while (readdir(fds))
		count++;
	return count;
}

static void nothing_is_left_open(void **state)
{
	exit_status_of("false");
	size_t before = open_fd_count();
	for (int i = 0; i < 10; i++)
		exit_status_of("echo no >&2; false");
	assert_int_equal(open_fd_count(), before);
}

// What is printed, read by a shell, is the words.
static void then_a_shell_reads(char *const *words, const char *url)
{
	_cleanup_text_ struct text command = {0};
	_cleanup_text_ struct text expected = {0};
	size_t bytes;

	assert_null(text_appendf(&command, "printf '%%s\\0' "));
	assert_null(load_command_text(words, url, &command));
	for (size_t i = 0; words[i]; i++)
		assert_null(text_append(
			&expected, url && !strcmp(words[i], "{url}") ? url : words[i],
			strlen(url && !strcmp(words[i], "{url}") ? url : words[i]) + 1));
	scratch_write(scratch, "command", text_chars(&command), command.length);
	for (int i = 0; i < 2; i++) {
		scratch_run(scratch, "%s $S/command >$S/words",
			    i && scratch_has_program("bash") ? "bash" : "sh");
		_cleanup_free_ char *read = scratch_read(scratch_path(scratch, "words"), &bytes);
		if (bytes != expected.length || memcmp(read, expected.chars, bytes) != 0)
			fail_msg("%s", text_chars(&command));
	}
}

static void what_is_printed_is_what_a_shell_would_run(void **state)
{
	static const char *const words[] = {
		"ab",   "",     "it's", "it's $HOME", "'",    "''",   "\"",    "\"'\"", "`id`'",
		"a b",  "!x'y", "\\'",  "\\",         "$'a'", "~",    "#",     "{a,b}", "{1..3}",
		"a\nb", "*",    "?",    "[a]",        "&",    "\xff", "{url}", "-n",    "a=b"};

	for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
		char *const list[] = {(char *)"x", (char *)words[i], (char *)"y", NULL};
		then_a_shell_reads(list, NULL);
		char *const marked[] = {(char *)"x", (char *)"{url}", NULL};
		then_a_shell_reads(marked, words[i]);
	}
}

static void words_at_random_are_printed_for_a_shell(void **state)
{
	static const char chars[] = "ab'\"\\$`! \n{},.*&;<>()|#~=%-";
	uint64_t seed = 20261129;

	for (int round = 0; round < 200; round++) {
		char words[4][9] = {{0}};
		char *list[5] = {0};
		for (size_t i = 0; i < 4; i++) {
			for (size_t j = graph_random(&seed) % 9; j > 0; j--)
				words[i][j - 1] = chars[graph_random(&seed) % (sizeof(chars) - 1)];
			list[i] = words[i];
		}
		then_a_shell_reads(list, NULL);
	}
}

static void plain_words_are_printed_as_they_are(void **state)
{
	char *const words[] = {(char *)"ab",   (char *)"-n",  (char *)"100", (char *)"{url}",
			       (char *)"it's", (char *)"a b", NULL};
	_cleanup_text_ struct text text = {0};
	_cleanup_text_ struct text with_url = {0};

	assert_null(load_command_text(words, NULL, &text));
	assert_string_equal(text_chars(&text), "ab -n 100 {url} \"it's\" 'a b'");
	assert_null(load_command_text(words, "http://a:80/b?c", &with_url));
	assert_string_equal(text_chars(&with_url), "ab -n 100 'http://a:80/b?c' \"it's\" 'a b'");
}

static void when_requested(const char *command)
{
	char *const words[] = {(char *)"sh", (char *)"-c", (char *)command, NULL};

	load.options.words = words;
	iterate_once();
}

static void what_grows_linearly_is_found_from_the_warm_up_on(void **state)
{
	CLEANUP(load_growth_deinit) struct load_growth growth = {0};
	char *const words[] = {(char *)"sh", NULL};

	given_load(&(struct load_options){.words = words});
	when_requested("yes shop.Module | head -n 500 >>$REQUESTS");
	for (int i = 0; i < 3; i++)
		when_requested("printf 'shop.Cart\\nshop.Item\\nshop.Item\\n' >>$REQUESTS");
	assert_null(load_growth_find(&load, "http://a/b", &growth));
	assert_string_equal(growth.url, "http://a/b");
	assert_int_equal(growth.growth.row_count, 2);
	assert_int_equal(growth.growth.step_count, 3);
	assert_string_equal(growth.growth.rows[0].name, "shop.Item");
	assert_true(growth.growth.rows[0].per_iteration == 2);
	assert_true(growth.objects_per_iteration == 3);
	assert_true(growth.bytes_per_iteration == 150);
	assert_true(load_growth_is_found(&growth));
	// The names are its own.
	load_begin_block(&load);
	assert_string_equal(growth.growth.rows[1].name, "shop.Cart");
}

static void one_iteration_tells_no_growth(void **state)
{
	CLEANUP(load_growth_deinit) struct load_growth growth = {0};
	char *const words[] = {(char *)"sh", NULL};

	given_load(&(struct load_options){.words = words});
	when_requested("echo shop.Cart >>$REQUESTS");
	assert_null(load_growth_find(&load, NULL, &growth));
	assert_null(growth.url);
	assert_false(load_growth_is_found(&growth));
	assert_true(growth.bytes_per_iteration == 0);
}

static void of_the_last_run_what_is_more_by_enough_counts(void **state)
{
	char *const words[] = {(char *)"sh", NULL};

	given_load(&(struct load_options){.words = words});
	when_requested("printf 'a\\na\\na\\nb\\n' >>$REQUESTS");
	for (uint64_t least = 1; least <= 4; least++) {
		CLEANUP(load_growth_deinit) struct load_growth growth = {0};
		assert_null(load_growth_of_last(&load, "u", least, &growth));
		assert_int_equal(growth.growth.row_count, least == 1 ? 2 : least <= 3 ? 1 : 0);
		assert_true(growth.objects_per_iteration == (least == 1 ? 4 : least <= 3 ? 3 : 0));
	}
	when_requested(": >$REQUESTS");
	CLEANUP(load_growth_deinit) struct load_growth growth = {0};
	assert_null(load_growth_of_last(&load, "u", 1, &growth));
	assert_false(load_growth_is_found(&growth));
	assert_true(growth.bytes_per_iteration == -200);
}

static void those_that_leak_most_come_first(void **state)
{
	static const struct {
		double objects, bytes;
		const char *url;
	} blocks[] = {{1, 10, "c"}, {0, -5, "f"}, {3, 0, "a"},
		      {1, 10, "d"}, {1, 11, "b"}, {0, 0, "e"}};
	CLEANUP(load_ranking_deinit) struct load_ranking ranking = {0};
	char order[8] = "";

	for (size_t i = 0; i < ARRAY_COUNT(blocks); i++) {
		struct load_growth growth = {.url = strdup(blocks[i].url),
					     .objects_per_iteration = blocks[i].objects,
					     .bytes_per_iteration = blocks[i].bytes};
		assert_null(load_ranking_add(&ranking, &growth));
		assert_null(growth.url);
	}
	for (size_t i = 0; i < ranking.count; i++)
		strcat(order, ranking.list[i].url);
	// Of equals the first one stays first.
	assert_string_equal(order, "abcdef");
	assert_false(load_ranking_is_found(&ranking));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, given_a_service, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(exit_statuses_are_as_a_shell_tells_them),
		TEST(the_end_of_what_it_complained_about_is_kept),
		TEST(of_megabytes_the_last_lines_are_kept),
		TEST(what_a_child_that_stays_writes_takes_no_memory),
		TEST(what_it_writes_while_it_runs_takes_no_memory),
		TEST(what_it_does_is_between_two_looks),
		TEST(a_program_that_is_nowhere_is_told),
		TEST(a_program_that_cannot_be_run_is_told),
		TEST(a_process_that_ends_is_told),
		TEST(who_started_us_may_ignore_children),
		TEST(an_interrupt_that_ends_the_command_ends_the_load),
		TEST(an_interrupt_ends_a_command_that_does_not_want_to_end),
		TEST(looks_that_are_not_exact_are_counted),
		TEST(a_process_that_nobody_waits_for_is_not_said_to_work),
		TEST(urls_are_words_with_nothing_done_to_them),
		TEST(the_logs_get_a_line_for_each_iteration),
		TEST(a_log_that_cannot_be_written_is_told),
		TEST(nothing_is_left_open),
		TEST(what_is_printed_is_what_a_shell_would_run),
		TEST(words_at_random_are_printed_for_a_shell),
		TEST(plain_words_are_printed_as_they_are),
		TEST(what_grows_linearly_is_found_from_the_warm_up_on),
		TEST(one_iteration_tells_no_growth),
		TEST(of_the_last_run_what_is_more_by_enough_counts),
		TEST(those_that_leak_most_come_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
