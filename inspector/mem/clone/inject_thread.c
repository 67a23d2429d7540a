// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/clone/inject_thread.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "mem/clone/seccomp_filter.h"
#include "mem/process.h"

#ifndef PTRACE_GET_RSEQ_CONFIGURATION
// Linux 5.13.
#define PTRACE_GET_RSEQ_CONFIGURATION 0x420f
#endif

enum { SETTLE_STOPS_MAX = 8 };

static const uint64_t event_patience_ns = 2000000000U;
static const uint64_t spin_ns = 2000000U;
static const uint64_t nap_ns = 50000U;

// Everything that is waited for takes some microseconds.
struct error *inject_await_stop(pid_t pid, pid_t tid, int *ret_status)
{
	uint64_t start = clock_now_ns();

	for (;;) {
		pid_t got = waitpid(tid, ret_status, __WALL | WNOHANG);
		if (got == tid && WIFSTOPPED(*ret_status))
			return NULL;
		if (got == tid || (got < 0 && errno != EINTR))
			return error_create(ERROR_GONE, "process %d has ended", pid);
		uint64_t waited = clock_now_ns() - start;
		if (waited > event_patience_ns)
			return error_create(ERROR_FAILED,
					    "thread %d of process %d does not come back from a "
					    "system call that it was made to call",
					    tid, pid);
		if (waited > spin_ns)
			clock_sleep_ns(nap_ns);
		else
			sched_yield();
	}
}

// The mode of seccomp that the thread is in (linux/seccomp.h): the kernel tells only some which filters.
static struct error *thread_seccomp_mode(pid_t tid, int *ret)
{
	_cleanup_text_ struct text status = {0};
	struct error *error = process_file(tid, "status", &status);
	const char *line = error ? NULL : strstr(text_chars(&status), "\nSeccomp:\t");

	*ret = line ? atoi(line + strlen("\nSeccomp:\t")) : SECCOMP_MODE_DISABLED;
	return error;
}

// All calls that the thread and its child may make. A filter may kill the process for one of them.
struct error *inject_thread_ask_filters(pid_t tid, addr_t syscall_at, const char **ret_why)
{
	static const struct {
		uint64_t number;
		uint64_t args[6];
	} calls[] = {
		{.number = SYS_clone, .args = {CLONE_PARENT_SETTID}},
		{.number = SYS_wait4},
		{.number = SYS_rt_sigreturn},
		{.number = SYS_exit_group},
	};
	int mode;
	struct error *error = thread_seccomp_mode(tid, &mode);

	if (!error && mode == SECCOMP_MODE_STRICT)
		*ret_why = "it is in seccomp's strict mode";
	for (size_t i = 0;
	     !error && mode == SECCOMP_MODE_FILTER && !*ret_why && i < ARRAY_COUNT(calls); i++) {
		enum seccomp_answer answer;
		error = seccomp_filters_ask(tid, calls[i].number, calls[i].args, syscall_at,
					    &answer);
		if (!error && answer == SECCOMP_REFUSES)
			*ret_why = "a seccomp filter forbids it";
		else if (!error && answer == SECCOMP_CANNOT_TELL)
			*ret_why =
				"it has a seccomp filter, which may forbid it and cannot be read "
				"without CAP_SYS_ADMIN";
	}
	return error;
}

bool inject_thread_is_in_sequence(pid_t tid, addr_t at)
{
	// linux/ptrace.h and linux/rseq.h, which glibc's headers may not go with.
	enum { SEQUENCE_AT = 8, START_AT = 8, LENGTH_AT = 16 };
	struct {
		uint64_t at;
		uint32_t bytes, signature, flags, padding;
	} area = {0};

	if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, tid, (void *)sizeof(area), &area) < 0 || !area.at)
		return false;
	errno = 0;
	addr_t sequence =
		(addr_t)ptrace(PTRACE_PEEKDATA, tid, (void *)(area.at + SEQUENCE_AT), NULL);
	if (errno || !sequence)
		return false;
	addr_t start = (addr_t)ptrace(PTRACE_PEEKDATA, tid, (void *)(sequence + START_AT), NULL);
	addr_t length = (addr_t)ptrace(PTRACE_PEEKDATA, tid, (void *)(sequence + LENGTH_AT), NULL);
	return !errno && at - start < length;
}

struct error *inject_thread_settle(pid_t pid, pid_t tid)
{
	struct error *error = NULL;
	bool has_begun = false;
	int status = 0, signal = 0;

	if (ptrace(PTRACE_SETOPTIONS, tid, NULL, PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD) < 0)
		return process_thread_error(tid, "trace the calls of");
	for (int i = 0; !error && i < SETTLE_STOPS_MAX; i++) {
		// First to the border of the kernel, then with an interruption waiting there.
		if (has_begun && ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) < 0)
			return process_thread_error(tid, "stop");
		if (ptrace(has_begun ? PTRACE_CONT : PTRACE_SYSCALL, tid, NULL,
			   (void *)(uintptr_t)signal) < 0)
			return process_thread_error(tid, "resume");
		error = inject_await_stop(pid, tid, &status);
		bool has_stopped = !error && status >> 16 == PTRACE_EVENT_STOP;
		if (has_begun && has_stopped)
			break;
		// A signal that comes between is taken, as it would have been.
		has_begun |= !has_stopped;
		signal =
			status >> 16 || WSTOPSIG(status) == (SIGTRAP | 0x80) ? 0 : WSTOPSIG(status);
	}
	if (!error && status >> 16 != PTRACE_EVENT_STOP)
		error = error_create(ERROR_FAILED,
				     "thread %d of process %d stops for another reason (%#x)", tid,
				     pid, (unsigned)status);
	if (!error && ptrace(PTRACE_SETOPTIONS, tid, NULL, PTRACE_O_TRACEEXEC) < 0)
		error = process_thread_error(tid, "trace the calls of");
	return error;
}
