// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/clone/inject.h"

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

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "mem/clone/inject_frames.h"
#include "mem/clone/inject_thread.h"
#include "mem/machine/machine.h"
#include "mem/maps.h"

#ifndef __WALL
#define __WALL 0x40000000
#endif

enum { EARLIER_STOPS_MAX = 4 };

struct injection {
	pid_t pid;
	pid_t tid;
	struct inject_code code;
	struct inject_state state;
	uint64_t signal_mask;
	/** The frames, where they lie, and what was there before. */
	unsigned char *frames;
	addr_t frames_at;
	unsigned char *before;
	size_t frames_bytes;
	/** The registers are not the thread's own at present. */
	bool is_changed;
	bool is_masked;
	bool is_written;
};

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
			machine_scan_code(piece, bytes, at, &ret->syscall_at, &ret->sigreturn_at);
			*ret_found = ret->syscall_at && ret->sigreturn_at;
		}
	}
	return NULL;
}

bool inject_code_is_there(pid_t tid, const struct inject_code *code)
{
	unsigned char bytes[2][MACHINE_CODE_BYTES];
	struct iovec into[] = {{bytes[0], sizeof(bytes[0])}, {bytes[1], sizeof(bytes[1])}};
	struct iovec from[] = {
		{(void *)(uintptr_t)code->syscall_at, MACHINE_CODE_BYTES},
		{(void *)(uintptr_t)code->sigreturn_at, MACHINE_CODE_BYTES},
	};
	struct inject_code found[2] = {{0}, {0}};

	if (process_vm_readv(tid, into, 2, from, 2, 0) != (ssize_t)sizeof(bytes))
		return false;
	machine_scan_code(bytes[0], MACHINE_CODE_BYTES, code->syscall_at, &found[0].syscall_at,
			  &found[0].sigreturn_at);
	machine_scan_code(bytes[1], MACHINE_CODE_BYTES, code->sigreturn_at, &found[1].syscall_at,
			  &found[1].sigreturn_at);
	return found[0].syscall_at == code->syscall_at &&
	       found[1].sigreturn_at == code->sigreturn_at;
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
	addr_t below = machine_stack_pointer(&injection->state.registers) - MACHINE_RED_ZONE_BYTES;
	const struct mapping *mapping = maps_find(maps, below);

	injection->frames_bytes = inject_frames_bytes(&injection->state);
	if (!mapping || !(mapping->flags & MAPPING_WRITE) || (mapping->flags & MAPPING_SHARED) ||
	    below - mapping->start < injection->frames_bytes + MACHINE_ALIGN_BYTES)
		return false;
	injection->frames_at =
		(below - injection->frames_bytes) & ~(addr_t)(MACHINE_ALIGN_BYTES - 1);
	return true;
}

static struct error *injection_save(struct injection *injection, bool *ret_usable)
{
	struct error *error =
		inject_state_read(injection->pid, injection->tid, &injection->state, ret_usable);

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
	return injection_memory(injection, true, injection->frames, ret_done);
}

static struct error *injection_prepare(struct injection *injection, const struct maps *maps,
				       const char **ret_why)
{
	bool usable;
	struct error *error =
		inject_thread_ask_filters(injection->tid, injection->code.syscall_at, ret_why);

	if (error || *ret_why)
		return error;
	*ret_why = "none of its threads stands where it can be made to fork; try again";
	if (!inject_code_is_there(injection->tid, &injection->code))
		return NULL;
	error = injection_save(injection, &usable);
	if (error || !usable || !injection_place(injection, maps))
		return error;
	error = injection_write_frames(injection, &usable);
	if (!error && usable)
		*ret_why = NULL;
	return error;
}

struct error *injection_begin(pid_t pid, pid_t tid, const struct maps *maps,
			      const struct inject_code *code, struct injection **ret,
			      const char **ret_why)
{
	CLEANUP(injection_cleanup) struct injection *injection = calloc(1, sizeof(*injection));

	*ret = NULL;
	*ret_why = NULL;
	if (!injection)
		return error_no_memory();
	injection->pid = pid;
	injection->tid = tid;
	injection->code = *code;
	struct error *error = injection_prepare(injection, maps, ret_why);
	if (!error && !*ret_why)
		*ret = take_ptr(injection);
	return error;
}

bool injection_restores_all(const struct injection *injection)
{
	return !injection->state.is_remembered;
}

static struct error *injection_await(const struct injection *injection, int *ret_status)
{
	return inject_await_stop(injection->pid, injection->tid, ret_status);
}

struct error *inject_hold_child(pid_t pid, pid_t child)
{
	int status;
	struct error *error = inject_await_stop(pid, child, &status);

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

// The kernel has written the child's id, as the process sees it, into the way back.
static struct error *injection_child_ids(const struct injection *injection,
					 const struct inject_call *call, struct inject_child *ret)
{
	unsigned long child = 0;
	struct iovec into = {.iov_base = &ret->own, .iov_len = sizeof(ret->own)};
	struct iovec from = {.iov_base = (void *)(uintptr_t)call->args[2],
			     .iov_len = sizeof(ret->own)};

	if (ptrace(PTRACE_GETEVENTMSG, injection->tid, NULL, &child) < 0 ||
	    process_vm_readv(injection->tid, &into, 1, &from, 1, 0) != (ssize_t)sizeof(ret->own))
		return injection_failed(injection, "read the child");
	ret->pid = (pid_t)child;
	return NULL;
}

struct error *injection_clone(struct injection *injection,
			      void (*made)(void *context, const struct inject_child *child),
			      void *context, struct inject_child *ret_child, int *ret_errno)
{
	const struct inject_call call = inject_call_clone(injection->frames_at);
	int status = 0;
	struct error *error = injection_call(injection, &call, &status);

	*ret_child = (struct inject_child){0};
	*ret_errno = 0;
	if (!error && status >> 8 == (SIGTRAP | PTRACE_EVENT_CLONE << 8)) {
		error = injection_child_ids(injection, &call, ret_child);
		if (!error)
			made(context, ret_child);
	} else if (!error) {
		error = inject_state_result(injection->tid, NULL, ret_errno);
		if (!error && !*ret_errno)
			error = error_create(ERROR_FAILED,
					     "thread %d of process %d was made to fork and has no "
					     "child",
					     injection->tid, injection->pid);
	}
	return error ? error : injection_come_back(injection);
}

struct error *injection_collect(struct injection *injection, pid_t own, bool *ret_collected)
{
	const struct inject_call call = inject_call_collect(injection->frames_at, own);
	uint64_t result = 0;
	int status, failed = 0;
	struct error *error = injection_call(injection, &call, &status);

	*ret_collected = false;
	if (!error)
		error = inject_state_result(injection->tid, &result, &failed);
	if (!error)
		error = injection_come_back(injection);
	if (!error)
		*ret_collected = !failed && (pid_t)result == own;
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
