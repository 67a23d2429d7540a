// SPDX-License-Identifier: GPL-3.0-or-later
// Children of children, and a pid that comes to be another program, over real processes.
#include "mem/process_tree.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { DEPTH = 4 };

// A chain of processes, each the child of the one before; their pids come through @fd.
static void chain(int fd)
{
	for (int depth = 0; depth < DEPTH; depth++) {
		pid_t self = getpid();

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (write(fd, &self, sizeof(self)) != sizeof(self))
			_exit(1);
		if (depth + 1 == DEPTH || fork() != 0)
			break;
	}
	pause();
	_exit(0);
}

static pid_t pids[DEPTH];

static int given_a_chain(void **state)
{
	int ends[2];

	if (pipe(ends) < 0)
		return -1;
	if (fork() == 0)
		chain(ends[1]);
	for (int i = 0; i < DEPTH; i++)
		if (read(ends[0], &pids[i], sizeof(pids[i])) != sizeof(pids[i]))
			return -1;
	close(ends[0]);
	close(ends[1]);
	return 0;
}

static int afterwards(void **state)
{
	// Each dies with its parent.
	kill(pids[0], SIGKILL);
	return waitpid(pids[0], NULL, 0) == pids[0] ? 0 : -1;
}

static bool has(const pid_t *found, size_t count, pid_t pid)
{
	for (size_t i = 0; i < count; i++)
		if (found[i] == pid)
			return true;
	return false;
}

static void children_of_children_are_found(void **state)
{
	pid_t *found;
	size_t count;

	assert_null(process_descendants(pids[0], 100, &found, &count));
	assert_int_equal(count, DEPTH - 1);
	assert_false(has(found, count, pids[0]));
	for (int i = 1; i < DEPTH; i++)
		assert_true(has(found, count, pids[i]));
	for (size_t i = 1; i < count; i++)
		assert_true(found[i - 1] < found[i]);
	free(found);
	assert_null(process_descendants(getpid(), 100, &found, &count));
	assert_true(has(found, count, pids[0]) && has(found, count, pids[DEPTH - 1]));
	free(found);
}

static void no_more_are_told_than_asked_for(void **state)
{
	pid_t *found;
	size_t count;

	assert_null(process_descendants(pids[0], 2, &found, &count));
	assert_int_equal(count, 2);
	free(found);
	assert_null(process_descendants(pids[DEPTH - 1], 100, &found, &count));
	assert_int_equal(count, 0);
	free(found);
}

static void a_program_that_is_started_anew_is_another_one(void **state)
{
	struct process_identity before, after;
	int orders[2], answers[2];
	char byte;

	assert_int_equal(pipe(orders) | pipe(answers), 0);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(orders[0], 0);
		dup2(answers[1], 1);
		execlp("sh", "sh", "-c", "echo; read line; exec sh -c 'echo; read line'", NULL);
		_exit(1);
	}
	assert_int_equal(read(answers[0], &byte, 1), 1);
	assert_true(process_identify(pid, &before));
	assert_int_equal(write(orders[1], "\n", 1), 1);
	assert_int_equal(read(answers[0], &byte, 1), 1);
	assert_true(process_identify(pid, &after));
	assert_true(before.program_inode == after.program_inode);
	// Without randomised addresses nobody can tell.
	if (before.stack_start && !(personality(0xffffffff) & ADDR_NO_RANDOMIZE))
		assert_false(process_identity_is(&before, &after));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (int i = 0; i < 2; i++) {
		close(orders[i]);
		close(answers[i]);
	}
}

static void a_process_is_itself_until_it_runs_another_program(void **state)
{
	struct process_identity before, same, after;
	int ends[2], byte = 0;

	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(ends[1]);
		if (read(ends[0], &byte, 1) >= 0)
			execlp("sleep", "sleep", "60", NULL);
		_exit(1);
	}
	assert_true(process_identify(pid, &before));
	assert_true(process_identify(pid, &same));
	assert_true(process_identity_is(&before, &same));
	close(ends[1]);
	for (int i = 0; i < 3000; i++) {
		assert_true(process_identify(pid, &after));
		if (!process_identity_is(&before, &after))
			break;
		usleep(10000);
	}
	assert_false(process_identity_is(&before, &after));
	assert_int_equal(before.start_ticks, after.start_ticks);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_false(process_identify(pid, &after));
	close(ends[0]);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, given_a_chain, afterwards)
	const struct CMUnitTest tests[] = {
		TEST(children_of_children_are_found),
		TEST(no_more_are_told_than_asked_for),
		TEST(a_program_that_is_started_anew_is_another_one),
		TEST(a_process_is_itself_until_it_runs_another_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
