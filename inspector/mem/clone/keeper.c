// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/clone/keeper.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
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

struct keeper {
	pid_t pid;
	/** Closed by our end. */
	int fd;
};

_Noreturn static void keeper_run(pid_t pid, const struct inject_code *code, int fd)
{
	struct inject_child child = {0}, note;

	for (;;) {
		ssize_t got = read(fd, &note, sizeof(note));
		if (got < 0 && errno == EINTR)
			continue;
		if (got != (ssize_t)sizeof(note))
			break;
		child = note;
	}
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

struct error *keeper_create(pid_t pid, const struct inject_code *code, struct keeper **ret)
{
	_cleanup_free_ struct keeper *keeper = calloc(1, sizeof(*keeper));
	int ends[2];

	if (!keeper)
		return error_no_memory();
	// A socket: a note must never block, nor raise SIGPIPE.
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return error_create_os(errno, "cannot make a socket");
	keeper->pid = fork();
	if (keeper->pid == 0) {
		keeper_leave(ends[1]);
		keeper_run(pid, code, STDERR_FILENO + 1);
	}
	close(ends[1]);
	if (keeper->pid < 0) {
		close(ends[0]);
		return error_create_os(errno, "cannot start a process");
	}
	keeper->fd = ends[0];
	*ret = take_ptr(keeper);
	return NULL;
}

void keeper_note(struct keeper *keeper, const struct inject_child *child)
{
	while (send(keeper->fd, child, sizeof(*child), MSG_NOSIGNAL) < 0 && errno == EINTR)
		continue;
}

void keeper_destroy(struct keeper *keeper)
{
	if (!keeper)
		return;
	close(keeper->fd);
	uint64_t start = clock_now_ns();
	while (waitpid(keeper->pid, NULL, WNOHANG) == 0 && clock_now_ns() - start < end_wait_ns)
		clock_sleep_ns(end_nap_ns);
	free(keeper);
}
