// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/clone/clone_thread.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "mem/clone/clone_gate.h"

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

static struct error *thread_over(struct clone_thread *thread)
{
	thread->is_over = true;
	return error_create(ERROR_FAILED,
			    "the clone (%d) was killed, as the first to go when memory is short",
			    thread->pid);
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

#if defined(__x86_64__)

static struct error *thread_registers(const struct clone_thread *thread,
				      struct user_regs_struct *ret)
{
	struct iovec into = {.iov_base = ret, .iov_len = sizeof(*ret)};

	if (ptrace(PTRACE_GETREGSET, thread->pid, (void *)NT_PRSTATUS, &into) < 0)
		return thread_failed(thread, "read the registers of");
	return NULL;
}

static struct error *thread_set_registers(const struct clone_thread *thread,
					  const struct user_regs_struct *regs)
{
	struct user_regs_struct copy = *regs;
	struct iovec from = {.iov_base = &copy, .iov_len = sizeof(copy)};

	if (ptrace(PTRACE_SETREGSET, thread->pid, (void *)NT_PRSTATUS, &from) < 0)
		return thread_failed(thread, "set the registers of");
	return NULL;
}

// The registers for a call at @a at: of a system call or of a function, both take them nearly alike.
static struct error *thread_prepare(const struct clone_thread *thread, addr_t at,
				    const uint64_t args[CLONE_THREAD_ARGS_MAX],
				    struct user_regs_struct *regs)
{
	enum { FLAGS_OF_ARITHMETIC = 0x8d5, FLAG_TRAP = 0x100, FLAG_DIRECTION = 0x400 };
	struct error *error = thread_registers(thread, regs);

	if (error)
		return error;
	// Otherwise the kernel might start an interrupted call again.
	regs->orig_rax = UINT64_MAX;
	regs->rip = at;
	regs->rdi = args[0];
	regs->rsi = args[1];
	regs->rdx = args[2];
	regs->rcx = regs->r10 = args[3];
	regs->r8 = args[4];
	regs->r9 = args[5];
	// The number of vector registers among variable arguments.
	regs->rax = 0;
	regs->rbp = 0;
	// As the ABI wants it at the beginning of a function.
	regs->eflags &= ~(uint64_t)(FLAGS_OF_ARITHMETIC | FLAG_TRAP | FLAG_DIRECTION);
	return NULL;
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
			return thread_over(thread);
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
	struct user_regs_struct regs;
	struct error *error = thread_prepare(thread, thread->syscall_at, args, &regs);

	regs.rax = number;
	if (!error)
		error = thread_set_registers(thread, &regs);
	if (!error)
		error = thread_run_to_border(thread);
	if (!error)
		error = thread_run_to_border(thread);
	if (!error)
		error = thread_registers(thread, &regs);
	if (!error)
		*ret = (int64_t)regs.rax;
	return error;
}

// It is about to open something, in the kernel: has it open the mere place instead. *@a ret_fd is that, or
// below 0 when there is none, and then the program has its answer.
static struct error *thread_open_place(struct clone_thread *thread,
				       const struct user_regs_struct *asked, int64_t *ret_fd)
{
	struct user_regs_struct regs = *asked;
	uint64_t flags =
		O_PATH | O_CLOEXEC | (asked->orig_rax == SYS_open ? asked->rsi : asked->rdx);

	*(asked->orig_rax == SYS_open ? &regs.rsi : &regs.rdx) = flags;
	struct error *error = thread_set_registers(thread, &regs);
	if (!error)
		error = thread_run_to_border(thread);
	if (!error)
		error = thread_registers(thread, &regs);
	if (error)
		return error;
	*ret_fd = (int64_t)regs.rax;
	regs.rsi = asked->rsi;
	regs.rdx = asked->rdx;
	return thread_set_registers(thread, &regs);
}

// The filter asks what is to become of a call; it is one that opens.
static struct error *thread_look_at_open(struct clone_thread *thread)
{
	enum { SYSCALL_INSTRUCTION_BYTES = 2 };
	struct user_regs_struct asked;
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
	// Once more from the start, or over.
	asked.rax = thread->may_open ? asked.orig_rax : (uint64_t)-EACCES;
	asked.rip -= thread->may_open ? SYSCALL_INSTRUCTION_BYTES : 0;
	asked.orig_rax = UINT64_MAX;
	return error ? error : thread_set_registers(thread, &asked);
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
	struct user_regs_struct regs;

	*ret_over = true;
	if (WIFEXITED(status) || WIFSIGNALED(status)) {
		thread->is_over = true;
		outcome->end = WIFEXITED(status) ? CLONE_EXITED : CLONE_KILLED;
		outcome->status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
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
	struct error *error = thread_registers(thread, &regs);
	if (error)
		return error;
	outcome->end = *ret_signal == SIGSEGV && !regs.rip ? CLONE_RETURNED : CLONE_CRASHED;
	outcome->value = regs.rax;
	outcome->signal = *ret_signal;
	outcome->at = regs.rip;
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
	struct user_regs_struct regs;
	struct error *error = thread_prepare(thread, at, args, &regs);

	*ret = (struct clone_outcome){0};
	// The address to return to, 0, lies in memory that nothing was ever written to or that had it in
	// the call before.
	regs.rsp = stack_end - 2 * sizeof(uint64_t) - sizeof(uint64_t);
	if (!error)
		error = thread_set_registers(thread, &regs);
	return error ? error : thread_run(thread, timeout_ns, ret);
}

#else

struct error *clone_thread_take(struct clone_thread *thread)
{
	return error_create(ERROR_FAILED, "clones run on x86-64 alone");
}

struct error *clone_thread_syscall(struct clone_thread *thread, uint64_t number,
				   const uint64_t args[CLONE_THREAD_ARGS_MAX], int64_t *ret)
{
	return clone_thread_take(thread);
}

struct error *clone_thread_call(struct clone_thread *thread, addr_t at,
				const uint64_t args[CLONE_THREAD_ARGS_MAX], addr_t stack_end,
				uint64_t timeout_ns, struct clone_outcome *ret)
{
	return clone_thread_take(thread);
}

#endif
