// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/clone/clone_thread.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "mem/clone/clone_filter.h"
#include "mem/clone/clone_gate.h"
#include "mem/machine/machine.h"

/** A system call of a clone is one of those that do not wait. */
static const uint64_t syscall_patience_ns = 3000000000U;
static const uint64_t spin_ns = 300000U;
static const uint64_t nap_short_ns = 50000U;
static const uint64_t nap_long_ns = 1000000U;
static const uint64_t nap_short_until_ns = 20000000U;

static struct error *thread_failed(const struct clone_thread *thread, const char *what)
{
	return error_create_os(errno, "cannot %s the clone %d", what, thread->pid);
}

static void thread_ended(struct clone_thread *thread, int status, struct clone_outcome *outcome)
{
	thread->is_over = true;
	outcome->end = WIFEXITED(status) ? CLONE_EXITED : CLONE_KILLED;
	outcome->status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
	outcome->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static struct error *thread_over(struct clone_thread *thread, int status)
{
	char how[CLONE_OUTCOME_CHARS];
	struct clone_outcome outcome = {0};

	thread_ended(thread, status, &outcome);
	clone_outcome_text(&outcome, how, sizeof(how));
	return error_create(ERROR_FAILED, "the clone (%d) is lost: %s", thread->pid, how);
}

static void thread_kill(struct clone_thread *thread)
{
	kill(thread->pid, SIGKILL);
	thread->is_over = true;
}

// The next thing that happens to it; false when the time is over, or somebody wants us to stop.
static bool thread_await(const struct clone_thread *thread, uint64_t timeout_ns, bool heeds,
			 int *ret_status)
{
	uint64_t begin_ns = clock_now_ns();

	for (;;) {
		pid_t got = waitpid(thread->pid, ret_status, __WALL | WNOHANG);
		if (got == thread->pid)
			return true;
		if (got < 0 && errno != EINTR) {
			*ret_status = SIGKILL;
			return true;
		}
		uint64_t waited_ns = clock_now_ns() - begin_ns;
		if (waited_ns > timeout_ns || (heeds && interrupt_pending()))
			return false;
		if (waited_ns < spin_ns)
			sched_yield();
		else
			clock_sleep_ns(waited_ns < nap_short_until_ns ? nap_short_ns : nap_long_ns);
	}
}

static struct error *thread_registers(const struct clone_thread *thread,
				      struct machine_registers *ret)
{
	bool known;
	struct error *error = machine_registers_read(thread->pid, ret, &known);

	if (!error && !known)
		error = error_create(ERROR_FAILED, "the clone (%d) runs in another mode",
				     thread->pid);
	return error;
}

struct error *clone_thread_take(struct clone_thread *thread)
{
	uint64_t none = 0;

	if (ptrace(PTRACE_SETOPTIONS, thread->pid, NULL,
		   PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACESECCOMP) < 0)
		return thread_failed(thread, "trace");
	if (ptrace(PTRACE_SETSIGMASK, thread->pid, (void *)sizeof(none), &none) < 0)
		return thread_failed(thread, "set the signals of");
	return NULL;
}

// To the next border of a system call.
static struct error *thread_run_to_border(struct clone_thread *thread)
{
	int status;

	for (;;) {
		if (ptrace(PTRACE_SYSCALL, thread->pid, NULL, NULL) < 0)
			return thread_failed(thread, "resume");
		if (!thread_await(thread, syscall_patience_ns, false, &status)) {
			thread_kill(thread);
			return error_create(ERROR_FAILED,
					    "the clone does not come back from a system call");
		}
		if (!WIFSTOPPED(status))
			return thread_over(thread, status);
		if (WSTOPSIG(status) == (SIGTRAP | 0x80))
			return NULL;
		if (status >> 16)
			continue;
		thread_kill(thread);
		return error_create(ERROR_FAILED, "the clone got signal %d in a system call",
				    WSTOPSIG(status));
	}
}

struct error *clone_thread_syscall(struct clone_thread *thread, uint64_t number,
				   const uint64_t args[CLONE_THREAD_ARGS_MAX], int64_t *ret)
{
	struct machine_registers registers;
	struct error *error = thread_registers(thread, &registers);

	if (error)
		return error;
	machine_set_syscall(&registers, thread->syscall_at, number, args, 0, 0);
	error = machine_registers_write(thread->pid, &registers);
	if (!error)
		error = thread_run_to_border(thread);
	if (!error)
		error = thread_run_to_border(thread);
	if (!error)
		error = thread_registers(thread, &registers);
	if (!error)
		*ret = (int64_t)machine_result(&registers);
	return error;
}

// It is about to open something, in the kernel: has it open the mere place instead. *@a ret_fd is that, or
// below 0 when there is none, and then the program has its answer.
static struct error *thread_open_place(struct clone_thread *thread,
				       const struct machine_registers *asked, int64_t *ret_fd)
{
	unsigned flags_argument = clone_filter_open_flags(asked->call);
	uint64_t flags = machine_argument(asked, flags_argument);
	struct machine_registers registers = *asked;

	machine_set_argument(&registers, flags_argument, flags | O_PATH | O_CLOEXEC);
	struct error *error = machine_registers_write(thread->pid, &registers);
	if (!error)
		error = thread_run_to_border(thread);
	if (!error)
		error = thread_registers(thread, &registers);
	if (error)
		return error;
	*ret_fd = (int64_t)machine_result(&registers);
	machine_set_argument(&registers, flags_argument, flags);
	return machine_registers_write(thread->pid, &registers);
}

// The filter asks what is to become of a call; it is one that opens.
static struct error *thread_look_at_open(struct clone_thread *thread)
{
	struct machine_registers asked;
	int64_t fd = -1, closed;
	struct error *error = thread_registers(thread, &asked);

	if (error)
		return error;
	if (thread->may_open) {
		thread->may_open = false;
		return NULL;
	}
	error = thread_open_place(thread, &asked, &fd);
	if (error || fd < 0)
		return error;
	thread->may_open = clone_gate_allows(thread->pid, (int)fd);
	const uint64_t args[CLONE_THREAD_ARGS_MAX] = {(uint64_t)fd};
	error = clone_thread_syscall(thread, SYS_close, args, &closed);
	if (thread->may_open)
		machine_call_again(&asked);
	else
		machine_call_answer(&asked, (uint64_t)-EACCES);
	return error ? error : machine_registers_write(thread->pid, &asked);
}

// A signal of which no program makes anything good, or that its handler would not come back from.
static bool signal_is_end(int number)
{
	switch (number) {
	case SIGSEGV:
	case SIGBUS:
	case SIGILL:
	case SIGFPE:
	case SIGABRT:
	case SIGTRAP:
	case SIGSYS:
	case SIGXCPU:
		return true;
	}
	return false;
}

// What a stop means; false when it is to run on, with *@a signal.
static struct error *thread_judge(struct clone_thread *thread, int status, int *ret_signal,
				  bool *ret_over, struct clone_outcome *outcome)
{
	struct machine_registers registers;

	*ret_over = true;
	if (WIFEXITED(status) || WIFSIGNALED(status)) {
		thread_ended(thread, status, outcome);
		return NULL;
	}
	*ret_signal = status >> 16 ? 0 : WSTOPSIG(status);
	if (status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8)) {
		*ret_over = false;
		return thread_look_at_open(thread);
	}
	if (!signal_is_end(*ret_signal)) {
		*ret_over = false;
		return NULL;
	}
	struct error *error = thread_registers(thread, &registers);
	if (error)
		return error;
	outcome->at = machine_program_counter(&registers);
	outcome->end = *ret_signal == SIGSEGV && !outcome->at ? CLONE_RETURNED : CLONE_CRASHED;
	outcome->value = machine_result(&registers);
	outcome->signal = *ret_signal;
	thread->is_over = outcome->end != CLONE_RETURNED;
	return NULL;
}

static struct error *thread_run(struct clone_thread *thread, uint64_t timeout_ns,
				struct clone_outcome *outcome)
{
	uint64_t end_ns = clock_now_ns() + timeout_ns;
	struct error *error = NULL;
	bool is_over = false;
	int signal = 0, status;

	while (!error && !is_over) {
		uint64_t now_ns = clock_now_ns();
		if (ptrace(PTRACE_CONT, thread->pid, NULL, (void *)(uintptr_t)signal) < 0 &&
		    errno != ESRCH)
			return thread_failed(thread, "resume");
		if (thread_await(thread, now_ns < end_ns ? end_ns - now_ns : 0, true, &status)) {
			error = thread_judge(thread, status, &signal, &is_over, outcome);
			continue;
		}
		outcome->end = interrupt_pending() ? CLONE_INTERRUPTED : CLONE_TIMED_OUT;
		thread->is_over = is_over = true;
		// Stopped: what it wrote is still to be read.
		ptrace(PTRACE_INTERRUPT, thread->pid, NULL, NULL);
		if (!thread_await(thread, syscall_patience_ns, false, &status))
			thread_kill(thread);
	}
	return error;
}

struct error *clone_thread_call(struct clone_thread *thread, addr_t at,
				const uint64_t args[CLONE_THREAD_ARGS_MAX], addr_t stack_end,
				uint64_t timeout_ns, struct clone_outcome *ret)
{
	struct machine_registers registers;
	struct error *error = thread_registers(thread, &registers);

	*ret = (struct clone_outcome){0};
	if (error)
		return error;
	// What is at the end of the stack is 0: nothing was ever written there, or the call before had it.
	machine_set_function(&registers, at, args, stack_end);
	error = machine_registers_write(thread->pid, &registers);
	return error ? error : thread_run(thread, timeout_ns, ret);
}
