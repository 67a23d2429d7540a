// SPDX-License-Identifier: GPL-3.0-or-later
// killer MARKS LIBRARY COMMAND...: kills runs of COMMAND at chosen instants. MARKS is a file for kill_marks.h,
// which COMMAND writes to with the help of LIBRARY (kill_marks.c). A line of standard input asks for one run: "STEP NANOSECONDS" to kill it that long
// after it has come to STEP, "-1 0" to let it come to its end. The answer, when all that the run has started
// has ended, too (or ORPHAN_NS have passed):
//
//     STATUS STEP KILLED DEAD ORPHANS ENDED BARE AT0 AT1 ...
//
// what waitpid() says of COMMAND, the step at which it ended, when it was killed and when it was dead, whether
// processes of it are still there, when the last of the others ended, how long a process lived that was started
// then and ends at once, and when each step began; nanoseconds of CLOCK_MONOTONIC, 0 for what was not.

#define _GNU_SOURCE

#include "kill_marks.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const uint64_t ORPHAN_NS = 70000000000U;
static const uint64_t RUN_NS = 60000000000U;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static pid_t start(const char *library, char **command)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	setenv("LD_PRELOAD", library, 1);
	int null = open("/dev/null", O_RDWR);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	execv(command[0], command);
	_exit(127);
}

// From the start of a run to its first stop, at least.
static uint64_t first_stop_ns = UINT64_MAX;

// Whether there is time for a nap before the instant, so that the run has the processor.
static bool has_time(const struct kill_marks *marks, uint64_t at_ns, uint64_t delay_ns)
{
	static const uint64_t span_ns = 300000;
	uint64_t now = now_ns();

	if (at_ns)
		return now + span_ns < at_ns + delay_ns;
	return first_stop_ns != UINT64_MAX &&
	       now + span_ns < atomic_load(&marks->at_ns[STEP_BEFORE]) + first_stop_ns;
}

// Spins in the end: the instant is to be met to the microsecond. False when the run ended before.
static bool await_instant(pid_t pid, const struct kill_marks *marks, int step, uint64_t delay_ns,
			  int *ret_status)
{
	struct timespec nap = {.tv_nsec = 20000};
	uint64_t begin_ns = now_ns(), at_ns;

	while (!(at_ns = atomic_load(&marks->at_ns[step])) || now_ns() < at_ns + delay_ns) {
		if (waitpid(pid, ret_status, WNOHANG) == pid)
			return false;
		if (now_ns() - begin_ns > RUN_NS)
			return true;
		if (has_time(marks, at_ns, delay_ns))
			nanosleep(&nap, NULL);
	}
	return true;
}

static void note_first_stop(const struct kill_marks *marks)
{
	uint64_t begin_ns = atomic_load(&marks->at_ns[STEP_BEFORE]);
	uint64_t stop_ns = atomic_load(&marks->at_ns[STEP_STOP]);

	if (stop_ns && stop_ns - begin_ns < first_stop_ns)
		first_stop_ns = stop_ns - begin_ns;
}

// What any process of this machine takes to end that sleeps for a moment, as the keeper does.
static pid_t start_bare(void)
{
	struct timespec nap = {.tv_nsec = 2000000};
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	setsid();
	nanosleep(&nap, NULL);
	_exit(0);
}

// Of the processes that the run has left to us, as the nearest that is called a reaper; the keeper is one.
static unsigned await_orphans(uint64_t *ret_ended_ns, uint64_t *ret_bare_ns)
{
	struct timespec nap = {.tv_nsec = 50000};
	uint64_t begin_ns = now_ns();
	pid_t got, bare = start_bare();

	*ret_ended_ns = *ret_bare_ns = 0;
	for (;;) {
		got = waitpid(-1, NULL, __WALL | WNOHANG);
		if (got == bare)
			*ret_bare_ns = now_ns() - begin_ns;
		else if (got > 0)
			*ret_ended_ns = now_ns();
		else if (got < 0)
			return 0;
		else if (now_ns() - begin_ns > ORPHAN_NS)
			return 1;
		else
			nanosleep(&nap, NULL);
	}
}

static void run_once(struct kill_marks *marks, char **words, int step, uint64_t delay_ns)
{
	uint64_t killed_ns = 0, ended_ns, bare_ns;
	int status = 0;

	for (int i = 0; i < STEP_COUNT; i++)
		atomic_store(&marks->at_ns[i], 0);
	atomic_store(&marks->child, 0);
	atomic_store(&marks->step, STEP_BEFORE);
	atomic_store(&marks->at_ns[STEP_BEFORE], now_ns());
	pid_t pid = start(words[0], words + 1);
	// Not for a pid of -1: that is everybody.
	if (pid < 0)
		exit(1);
	if (step < 0) {
		waitpid(pid, &status, 0);
	} else if (await_instant(pid, marks, step, delay_ns, &status)) {
		killed_ns = now_ns();
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	uint64_t dead_ns = now_ns();
	int reached = atomic_load(&marks->step);
	note_first_stop(marks);
	unsigned orphans = await_orphans(&ended_ns, &bare_ns);
	printf("%d %d %" PRIu64 " %" PRIu64 " %u %" PRIu64 " %" PRIu64, status, reached, killed_ns,
	       dead_ns, orphans, ended_ns, bare_ns);
	for (int i = 0; i < STEP_COUNT; i++)
		printf(" %" PRIu64, atomic_load(&marks->at_ns[i]));
	printf("\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	uint64_t delay_ns;
	char line[128];
	int step;

	if (argc < 4)
		return 2;
	int fd = open(argv[1], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, sizeof(struct kill_marks)) < 0)
		return 1;
	struct kill_marks *marks =
		mmap(NULL, sizeof(*marks), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (marks == MAP_FAILED)
		return 1;
	setenv("KILL_MARKS", argv[1], 1);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	while (fgets(line, sizeof(line), stdin))
		if (sscanf(line, "%d %" SCNu64, &step, &delay_ns) == 2 && step < STEP_COUNT)
			run_once(marks, argv + 2, step, delay_ns);
	return 0;
}
