// SPDX-License-Identifier: GPL-3.0-or-later
// LD_PRELOAD for leakinspect: notes in the file named by KILL_MARKS how far it has come in making a clone
// (kill_marks.h), told by the system calls that it cannot do without.

#define _GNU_SOURCE

#include "kill_marks.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static struct kill_marks *marks;
// The keeper, a fork, is not followed.
static pid_t own_pid;

static long (*ptrace_next)(int request, pid_t pid, void *at, void *data);
static ssize_t (*writev_next)(pid_t pid, const struct iovec *ours, unsigned long ours_count,
			      const struct iovec *theirs, unsigned long theirs_count,
			      unsigned long flags);
static int (*kill_next)(pid_t pid, int number);

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("KILL_MARKS");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;

	ptrace_next = dlsym(RTLD_NEXT, "ptrace");
	writev_next = dlsym(RTLD_NEXT, "process_vm_writev");
	kill_next = dlsym(RTLD_NEXT, "kill");
	own_pid = getpid();
	if (fd < 0)
		return;
	void *mapped = mmap(NULL, sizeof(*marks), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mapped != MAP_FAILED)
		marks = mapped;
	close(fd);
}

static void reach(enum kill_step from, enum kill_step to)
{
	struct timespec now;

	if (!marks || getpid() != own_pid || atomic_load(&marks->step) != (int)from)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	atomic_store(&marks->at_ns[to], (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec);
	atomic_store(&marks->step, to);
}

static bool is_child(pid_t pid)
{
	return marks && atomic_load(&marks->child) == pid;
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list args;

	va_start(args, request);
	pid_t pid = va_arg(args, pid_t);
	void *at = va_arg(args, void *);
	void *data = va_arg(args, void *);
	va_end(args);
	if (request == PTRACE_SEIZE) {
		reach(STEP_BEFORE, STEP_STOP);
		// A moment that was not consistent is followed by another.
		reach(STEP_AFTER, STEP_STOP);
	}
	if (request == PTRACE_SETREGSET)
		reach(STEP_FRAMES, STEP_CALL);
	if (request == PTRACE_DETACH)
		reach(STEP_CHILD, STEP_LET_GO);
	long result = ptrace_next((int)request, pid, at, data);
	if (request == PTRACE_GETEVENTMSG && result == 0 && marks && getpid() == own_pid) {
		atomic_store(&marks->child, (int)*(unsigned long *)data);
		reach(STEP_CALL, STEP_CHILD);
	}
	if (request == PTRACE_SETOPTIONS && is_child(pid))
		reach(STEP_LET_GO, STEP_LIVES);
	if (request == PTRACE_DETACH)
		reach(STEP_COLLECT, STEP_AFTER);
	return result;
}

ssize_t process_vm_writev(pid_t pid, const struct iovec *ours, unsigned long ours_count,
			  const struct iovec *theirs, unsigned long theirs_count,
			  unsigned long flags)
{
	reach(STEP_STOP, STEP_FRAMES);
	return writev_next(pid, ours, ours_count, theirs, theirs_count, flags);
}

int kill(pid_t pid, int number)
{
	if (number == SIGKILL && is_child(pid))
		reach(STEP_LIVES, STEP_COLLECT);
	return kill_next(pid, number);
}
