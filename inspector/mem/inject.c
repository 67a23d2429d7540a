// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/inject.h"

#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "mem/inject_frames.h"
#include "mem/maps.h"

#ifndef __WALL
#define __WALL 0x40000000
#endif

enum { EARLIER_STOPS_MAX = 4 };

static const uint64_t event_patience_ns = 2000000000U;
static const uint64_t spin_ns = 2000000U;
static const uint64_t nap_ns = 50000U;

struct injection {
	pid_t pid;
	pid_t tid;
	struct inject_code code;
	struct inject_state state;
	uint64_t signal_mask;
	/** The frames, where they lie, and what was there before. */
	struct inject_frames *frames;
	addr_t frames_at;
	unsigned char *before;
	size_t frames_bytes;
	/** The registers are not the thread's own at present. */
	bool is_changed;
	bool is_masked;
	bool is_written;
};

bool inject_is_supported(void)
{
	return inject_frames_are_supported();
}

struct error *inject_find_code(struct mem_source *source, const struct maps *maps,
			       struct inject_code *ret, bool *ret_found)
{
	enum { CODE_BYTES_MAX = 64 << 20, PIECE_BYTES = 1 << 16, OVERLAP_BYTES = 16 };
	_cleanup_free_ unsigned char *piece = malloc(PIECE_BYTES + OVERLAP_BYTES);

	*ret = (struct inject_code){0};
	*ret_found = false;
	if (!piece)
		return error_no_memory();
	for (size_t i = 0; i < maps->count && !*ret_found; i++) {
		const struct mapping *mapping = &maps->list[i];
		if (!(mapping->flags & MAPPING_EXEC) ||
		    mapping->end - mapping->start > CODE_BYTES_MAX)
			continue;
		for (addr_t at = mapping->start; at < mapping->end && !*ret_found;
		     at += PIECE_BYTES) {
			size_t bytes = PIECE_BYTES + OVERLAP_BYTES;
			if (mapping->end - at < bytes)
				bytes = (size_t)(mapping->end - at);
			struct error *error = mem_source_read(source, at, piece, bytes);
			if (error && error->code != ERROR_FAULT)
				return error;
			if (error) {
				// [vsyscall], a device: no code that can be read.
				error_destroy(error);
				break;
			}
			inject_scan_code(piece, bytes, at, ret);
			*ret_found = ret->syscall_at && ret->sigreturn_at;
		}
	}
	return NULL;
}

static struct error *injection_gone(const struct injection *injection)
{
	return error_create(ERROR_GONE, "process %d has ended", injection->pid);
}

static struct error *injection_failed(const struct injection *injection, const char *what)
{
	if (errno == ESRCH)
		return injection_gone(injection);
	return error_create_os(errno, "cannot %s of thread %d of process %d", what, injection->tid,
			       injection->pid);
}

// Within what the mapping allows, unlike /proc/PID/mem. *@a ret_done is false when it does not.
static struct error *injection_memory(const struct injection *injection, bool writes, void *bytes,
				      bool *ret_done)
{
	struct iovec ours = {.iov_base = bytes, .iov_len = injection->frames_bytes};
	struct iovec theirs = {.iov_base = (void *)(uintptr_t)injection->frames_at,
			       .iov_len = injection->frames_bytes};
	ssize_t count = writes ? process_vm_writev(injection->tid, &ours, 1, &theirs, 1, 0)
			       : process_vm_readv(injection->tid, &ours, 1, &theirs, 1, 0);

	*ret_done = count == (ssize_t)injection->frames_bytes;
	if (count < 0 && errno != EFAULT)
		return injection_failed(injection, writes ? "write the stack" : "read the stack");
	return NULL;
}

static void injection_free(struct injection *injection)
{
	free(injection->frames);
	free(injection->before);
	inject_state_deinit(&injection->state);
	free(injection);
}

static void injection_cleanup(struct injection **injection)
{
	if (*injection)
		error_destroy(injection_end(*injection));
}

// The frames lie below what the thread may use, whole within the mapping of its stack. Memory that was
// never touched there would stay with the process: so near to what is in use as can be.
static bool injection_place(struct injection *injection, const struct maps *maps)
{
	addr_t below = inject_stack_pointer(&injection->state) - INJECT_RED_ZONE_BYTES;
	const struct mapping *mapping = maps_find(maps, below);

	injection->frames_bytes = inject_frames_bytes(&injection->state);
	if (!mapping || !(mapping->flags & MAPPING_WRITE) || (mapping->flags & MAPPING_SHARED) ||
	    below - mapping->start < injection->frames_bytes + INJECT_ALIGN_BYTES)
		return false;
	injection->frames_at =
		(below - injection->frames_bytes) & ~(addr_t)(INJECT_ALIGN_BYTES - 1);
	return true;
}

static struct error *injection_save(struct injection *injection, bool *ret_usable)
{
	struct error *error = inject_state_read(injection->tid, &injection->state, ret_usable);

	if (error || !*ret_usable)
		return error;
	if (ptrace(PTRACE_GETSIGMASK, injection->tid, (void *)sizeof(injection->signal_mask),
		   &injection->signal_mask) < 0)
		return injection_failed(injection, "read the signal mask");
	return NULL;
}

static struct error *injection_write_frames(struct injection *injection, bool *ret_done)
{
	struct error *error;

	*ret_done = false;
	injection->before = malloc(injection->frames_bytes);
	if (!injection->before)
		return error_no_memory();
	error = inject_frames_make(&injection->state, &injection->code, injection->signal_mask,
				   injection->frames_at, &injection->frames);
	if (!error)
		error = injection_memory(injection, false, injection->before, ret_done);
	if (error || !*ret_done)
		return error;
	injection->is_written = true;
	return injection_memory(injection, true, inject_frames_content(injection->frames),
				ret_done);
}

struct error *injection_begin(pid_t pid, pid_t tid, const struct maps *maps,
			      const struct inject_code *code, struct injection **ret)
{
	CLEANUP(injection_cleanup) struct injection *injection = calloc(1, sizeof(*injection));
	bool usable;

	*ret = NULL;
	if (!injection)
		return error_no_memory();
	injection->pid = pid;
	injection->tid = tid;
	injection->code = *code;
	struct error *error = injection_save(injection, &usable);
	if (error || !usable || !injection_place(injection, maps))
		return error;
	error = injection_write_frames(injection, &usable);
	if (!error && usable)
		*ret = take_ptr(injection);
	return error;
}

bool injection_restores_all(const struct injection *injection)
{
	return inject_state_is_restorable(&injection->state);
}

// The next stop of @a tid. *@a ret_status as of waitpid(). Everything that is waited for takes some
// microseconds.
static struct error *await_stop(pid_t pid, pid_t tid, int *ret_status)
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

static struct error *injection_await(const struct injection *injection, int *ret_status)
{
	return await_stop(injection->pid, injection->tid, ret_status);
}

struct error *inject_hold_child(pid_t pid, pid_t child)
{
	int status;
	struct error *error = await_stop(pid, child, &status);

	if (!error && ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_EXITKILL) < 0)
		error = error_create_os(errno, "cannot hold the clone of process %d", pid);
	return error;
}

// No signal may come between: its handler would run on the frames.
static struct error *injection_mask(struct injection *injection)
{
	uint64_t all = ~UINT64_C(0);

	if (ptrace(PTRACE_SETSIGMASK, injection->tid, (void *)sizeof(all), &all) < 0)
		return injection_failed(injection, "set the signal mask");
	injection->is_masked = true;
	return NULL;
}

static struct error *injection_run_on(const struct injection *injection, int *ret_status)
{
	if (ptrace(PTRACE_SYSCALL, injection->tid, NULL, NULL) < 0)
		return injection_failed(injection, "resume the run");
	return injection_await(injection, ret_status);
}

/*
 * Sets the registers for a call and lets the thread run to the event behind its entry into the kernel: the
 * call's end, or the child. The registers come first: their way back has the thread's own signal mask,
 * which nobody would put back otherwise.
 */
static struct error *injection_call(struct injection *injection, const struct inject_call *call,
				    int *ret_status)
{
	struct error *error = NULL;

	if (ptrace(PTRACE_SETOPTIONS, injection->tid, NULL,
		   PTRACE_O_TRACEEXEC | PTRACE_O_TRACECLONE | PTRACE_O_TRACESYSGOOD) < 0)
		return injection_failed(injection, "trace the calls");
	injection->is_changed = true;
	error = inject_state_call(injection->tid, &injection->state, &injection->code, call);
	if (!error)
		error = injection_mask(injection);
	// What was asked of it before, an interruption in a process that is stopped anyway, may come first.
	for (int i = 0; !error && i < EARLIER_STOPS_MAX; i++) {
		error = injection_run_on(injection, ret_status);
		if (!error && WSTOPSIG(*ret_status) == (SIGTRAP | 0x80))
			return injection_run_on(injection, ret_status);
	}
	return error ? error
		     : error_create(ERROR_FAILED,
				    "thread %d of process %d stopped for another reason (%#x)",
				    injection->tid, injection->pid, (unsigned)*ret_status);
}

// From inside the kernel to its border, where registers that are put back count: there the kernel also
// looks for a call to be restarted. Not earlier, as a pending interruption keeps clone() from forking.
static struct error *injection_come_back(struct injection *injection)
{
	int status;

	if (ptrace(PTRACE_INTERRUPT, injection->tid, NULL, NULL) < 0 ||
	    ptrace(PTRACE_CONT, injection->tid, NULL, NULL) < 0)
		return injection_failed(injection, "resume the run");
	return injection_await(injection, &status);
}

struct error *injection_clone(struct injection *injection, void (*made)(void *context, pid_t child),
			      void *context, pid_t *ret_child, int *ret_errno)
{
	const struct inject_call call = inject_call_clone(injection->frames_at);
	unsigned long child = 0;
	int status = 0;
	struct error *error = injection_call(injection, &call, &status);

	*ret_child = 0;
	*ret_errno = 0;
	if (!error && status >> 8 != (SIGTRAP | PTRACE_EVENT_CLONE << 8))
		error = inject_state_result(injection->tid, NULL, ret_errno);
	else if (!error && ptrace(PTRACE_GETEVENTMSG, injection->tid, NULL, &child) < 0)
		error = injection_failed(injection, "read the event");
	if (!error && child) {
		*ret_child = (pid_t)child;
		made(context, (pid_t)child);
	}
	return error ? error : injection_come_back(injection);
}

struct error *injection_collect(struct injection *injection, pid_t child, bool *ret_collected)
{
	const struct inject_call call = inject_call_collect(injection->frames_at, child);
	uint64_t result = 0;
	int status, failed = 0;
	struct error *error = injection_call(injection, &call, &status);

	*ret_collected = false;
	if (!error)
		error = inject_state_result(injection->tid, &result, &failed);
	if (!error)
		error = injection_come_back(injection);
	if (!error)
		*ret_collected = !failed && (pid_t)result == child;
	return error;
}

struct error *injection_end(struct injection *injection)
{
	struct error *error = NULL;
	bool done;

	if (!injection)
		return NULL;
	// As long as the registers are the call's, the way back puts the mask right.
	if (injection->is_masked &&
	    ptrace(PTRACE_SETSIGMASK, injection->tid, (void *)sizeof(injection->signal_mask),
		   &injection->signal_mask) < 0)
		error = injection_failed(injection, "restore the signal mask");
	if (!error && injection->is_changed)
		error = inject_state_write(injection->tid, &injection->state);
	// Only when it does not need them any more. Memory that cannot be written any more needs nothing.
	if (!error && injection->is_written)
		error = injection_memory(injection, true, injection->before, &done);
	if (injection->is_changed && !error &&
	    ptrace(PTRACE_SETOPTIONS, injection->tid, NULL, PTRACE_O_TRACEEXEC) < 0)
		error = injection_failed(injection, "trace the calls");
	injection_free(injection);
	return error;
}
