// SPDX-License-Identifier: GPL-3.0-or-later
// Commands beside a watch: their environment, how they end, that none of them outlives its time.
#include "ui/alarms/background.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/clock.h"
#include "support/scratch.h"

static struct background background;
static struct scratch *scratch;

static int given_none(void **state)
{
	background = (struct background){0};
	scratch = scratch_create();
	return 0;
}

static int afterwards(void **state)
{
	background_deinit(&background);
	scratch_destroy(scratch);
	return 0;
}

static void when_run(const char *line, uint64_t number)
{
	static const char *const variables[] = {"LEAKINSPECT_PID=4711", "HOME=/elsewhere"};

	assert_null(background_start(&background, line, variables, ARRAY_COUNT(variables), number));
}

static struct background_end its_end(void)
{
	struct background_end end = {0};

	for (int i = 0; !background_collect(&background, &end); i++) {
		assert_true(i < 3000);
		clock_sleep_ns(10000000);
	}
	return end;
}

static void a_command_ends_with_its_status_and_number(void **state)
{
	struct background_end end;

	assert_false(background_is_busy(&background));
	assert_false(background_collect(&background, &end));
	when_run("exit 7", 42);
	assert_true(background_is_busy(&background));
	end = its_end();
	assert_int_equal(end.number, 42);
	assert_false(end.was_killed);
	assert_true(WIFEXITED(end.status) && WEXITSTATUS(end.status) == 7);
	assert_false(background_is_busy(&background));
}

static void it_finds_what_it_is_told_in_its_environment(void **state)
{
	char line[400], said[100] = "";

	snprintf(line, sizeof(line), "echo \"$LEAKINSPECT_PID $HOME $BACKGROUND_TEST\" >%s",
		 scratch_path(scratch, "said"));
	setenv("BACKGROUND_TEST", "ours", 1);
	when_run(line, 1);
	its_end();
	FILE *file = fopen(scratch_path(scratch, "said"), "re");
	assert_non_null(file);
	assert_non_null(fgets(said, sizeof(said), file));
	fclose(file);
	// In the place of the variable of that name, not beside it.
	assert_string_equal(said, "4711 /elsewhere ours\n");
}

static void what_takes_too_long_is_killed(void **state)
{
	struct background_end end;

	when_run("trap '' TERM INT; sleep 600; sleep 600", 3);
	assert_false(background_collect(&background, &end));
	// A minute later.
	background.commands[0].until_ns = clock_now_ns() - 1;
	end = its_end();
	assert_int_equal(end.number, 3);
	assert_true(end.was_killed);
	assert_true(WIFSIGNALED(end.status) && WTERMSIG(end.status) == SIGKILL);
}

static void all_of_it_is_killed_with_it(void **state)
{
	int ends[2];
	char byte;

	assert_int_equal(pipe(ends), 0);
	// Both sleeps hold the pipe open, and nobody else does then.
	when_run("sleep 600 & sleep 600; :", 1);
	close(ends[1]);
	background_kill(&background);
	assert_true(its_end().was_killed);
	assert_int_equal(read(ends[0], &byte, 1), 0);
	close(ends[0]);
}

static void only_so_many_run_at_a_time(void **state)
{
	for (uint64_t i = 0; i < BACKGROUND_COMMANDS_MAX; i++)
		when_run("sleep 600", i);
	_cleanup_error_ struct error *error = background_start(&background, "true", NULL, 0, 99);
	assert_non_null(error);
	assert_non_null(strstr(error->message, "running already"));
	background_kill(&background);
	for (uint64_t i = 0; i < BACKGROUND_COMMANDS_MAX; i++)
		assert_true(its_end().was_killed);
	when_run("true", 100);
	assert_int_equal(its_end().number, 100);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, given_none, afterwards)
	const struct CMUnitTest tests[] = {
		TEST(a_command_ends_with_its_status_and_number),
		TEST(it_finds_what_it_is_told_in_its_environment),
		TEST(what_takes_too_long_is_killed),
		TEST(all_of_it_is_killed_with_it),
		TEST(only_so_many_run_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
