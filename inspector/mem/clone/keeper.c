// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/clone/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "mem/clone/clone_collect.h"

/** Somebody may have the process in a debugger, and a busy machine a killed clone wait for a processor. */
static const uint64_t patience_ns = 60000000000U;
/** Mostly it ends at once. */
static const uint64_t end_wait_ns = 50000000U;
static const uint64_t end_nap_ns = 100000U;

/** Shared with it, so that a note wakes nobody. Whole at any instant: the id for us above the process's own;
 *  0 without a child. */
typedef _Atomic uint64_t keeper_child;

struct keeper {
	pid_t pid;
	keeper_child *child;
	/** Closed by our end. */
	int fd;
};

_Noreturn static void keeper_run(pid_t pid, const struct inject_code *code, keeper_child *noted,
				 int fd)
{
	char nothing;

	while (read(fd, &nothing, sizeof(nothing)) < 0 && errno == EINTR)
		continue;
	uint64_t last = atomic_load(noted);
	struct inject_child child = {.pid = (pid_t)(last >> 32), .own = (pid_t)(uint32_t)last};
	// The kernel killed it when its tracer ended.
	if (child.pid)
		error_destroy(clone_collect(pid, code, &child, patience_ns));
	_exit(0);
}

// A terminal's signals, and those for a group, are not for it: it ends when we do.
static void keeper_leave(int fd)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	prctl(PR_SET_NAME, "leakinspect-end");
	// Whoever reads our output to its end is not to wait for the keeper.
	if (fd != STDERR_FILENO + 1)
		dup2(fd, STDERR_FILENO + 1);
	close_range(STDERR_FILENO + 2, ~0U, 0);
	for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
		close(i);
	if (chdir("/") < 0)
		return;
}

static void keeper_free(struct keeper *keeper)
{
	munmap(keeper->child, sizeof(*keeper->child));
	free(keeper);
}

static void keeper_cleanup(struct keeper **keeper)
{
	if (*keeper)
		keeper_free(*keeper);
}

static struct error *keeper_allocate(struct keeper **ret)
{
	struct keeper *keeper = calloc(1, sizeof(*keeper));
	void *shared = keeper ? mmap(NULL, sizeof(*keeper->child), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0)
			      : MAP_FAILED;

	if (shared == MAP_FAILED) {
		free(keeper);
		return error_no_memory();
	}
	keeper->child = shared;
	*ret = keeper;
	return NULL;
}

struct error *keeper_create(pid_t pid, const struct inject_code *code, struct keeper **ret)
{
	CLEANUP(keeper_cleanup) struct keeper *keeper = NULL;
	int ends[2];
	struct error *error = keeper_allocate(&keeper);

	if (error)
		return error;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_create_os(errno, "cannot make a pipe");
	keeper->pid = fork();
	if (keeper->pid == 0) {
		keeper_leave(ends[0]);
		keeper_run(pid, code, keeper->child, STDERR_FILENO + 1);
	}
	close(ends[0]);
	if (keeper->pid < 0) {
		close(ends[1]);
		return error_create_os(errno, "cannot start a process");
	}
	keeper->fd = ends[1];
	*ret = take_ptr(keeper);
	return NULL;
}

void keeper_note(struct keeper *keeper, const struct inject_child *child)
{
	atomic_store(keeper->child, (uint64_t)(uint32_t)child->pid << 32 | (uint32_t)child->own);
}

void keeper_destroy(struct keeper *keeper)
{
	if (!keeper)
		return;
	close(keeper->fd);
	uint64_t start = clock_now_ns();
	while (waitpid(keeper->pid, NULL, WNOHANG) == 0 && clock_now_ns() - start < end_wait_ns)
		clock_sleep_ns(end_nap_ns);
	keeper_free(keeper);
}
