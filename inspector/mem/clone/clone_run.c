// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/clone/clone_run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "mem/clone/clone_inner.h"
#include "mem/clone/clone_seal.h"

struct clone_run {
	struct mem_clone *clone;
	struct clone_thread thread;
	int mem_fd;
	addr_t room_at;
	addr_t stack_end;
};

void clone_run_destroy(struct clone_run *run)
{
	if (!run)
		return;
	// mem_clone_destroy() waits for it.
	kill(run->thread.pid, SIGKILL);
	if (run->mem_fd >= 0)
		close(run->mem_fd);
	free(run);
}

static void run_cleanup(struct clone_run **run)
{
	clone_run_destroy(*run);
}

static struct error *run_seal(void *context)
{
	return clone_seal(context);
}

struct error *clone_run_create(struct mem_clone *clone, const struct clone_run_limits *limits,
			       struct clone_run **ret, char **ret_reason)
{
	CLEANUP(run_cleanup) struct clone_run *run = calloc(1, sizeof(*run));
	char path[64];

	*ret = NULL;
	*ret_reason = NULL;
	if (!run)
		return error_no_memory();
	run->clone = clone;
	run->thread = (struct clone_thread){
		.pid = mem_clone_pid(clone),
		.syscall_at = mem_clone_code(clone)->syscall_at,
	};
	snprintf(path, sizeof(path), "/proc/%d/mem", run->thread.pid);
	run->mem_fd = open(path, O_RDWR | O_CLOEXEC);
	if (run->mem_fd < 0)
		return error_create_os(errno, "cannot open the memory of a clone");
	struct clone_sealing sealing = {
		.thread = &run->thread,
		.limits = limits,
		.mem_fd = run->mem_fd,
	};
	struct error *error = mem_clone_trace(clone, run_seal, &sealing);
	run->room_at = sealing.room_at;
	run->stack_end = sealing.stack_end;
	if (!error && !sealing.reason)
		*ret = take_ptr(run);
	if (error)
		free(sealing.reason);
	else
		*ret_reason = sealing.reason;
	return error;
}

struct mem_source *clone_run_source(const struct clone_run *run)
{
	return mem_clone_source(run->clone);
}

addr_t clone_run_room(const struct clone_run *run)
{
	return run->room_at;
}

static struct error *run_transfer_failed(ssize_t done)
{
	if (done < 0)
		return error_create_os(errno, "cannot reach the memory of a clone");
	return error_create(ERROR_FAILED, "the clone's memory is gone");
}

struct error *clone_run_read(struct clone_run *run, addr_t at, void *into, size_t bytes)
{
	ssize_t done = pread(run->mem_fd, into, bytes, (off_t)at);

	return done == (ssize_t)bytes ? NULL : run_transfer_failed(done);
}

struct error *clone_run_write(struct clone_run *run, addr_t at, const void *from, size_t bytes)
{
	ssize_t done = pwrite(run->mem_fd, from, bytes, (off_t)at);

	return done == (ssize_t)bytes ? NULL : run_transfer_failed(done);
}

struct run_call {
	struct clone_run *run;
	addr_t at;
	uint64_t args[CLONE_THREAD_ARGS_MAX];
	uint64_t timeout_ns;
	struct clone_outcome *outcome;
};

static struct error *run_do_call(void *context)
{
	struct run_call *call = context;

	return clone_thread_call(&call->run->thread, call->at, call->args, call->run->stack_end,
				 call->timeout_ns, call->outcome);
}

struct error *clone_run_call(struct clone_run *run, addr_t at, const uint64_t *args, size_t count,
			     uint64_t timeout_ns, struct clone_outcome *ret)
{
	struct run_call call = {.run = run, .at = at, .timeout_ns = timeout_ns, .outcome = ret};

	if (run->thread.is_over || count > CLONE_THREAD_ARGS_MAX)
		return error_create(ERROR_FAILED, "the clone is over");
	memcpy(call.args, args, count * sizeof(*args));
	return mem_clone_trace(run->clone, run_do_call, &call);
}

void clone_outcome_text(const struct clone_outcome *outcome, char *into, size_t bytes)
{
	switch (outcome->end) {
	case CLONE_RETURNED:
		snprintf(into, bytes, "it returned");
		break;
	case CLONE_CRASHED:
		if (outcome->signal == SIGXCPU)
			snprintf(into, bytes, "it used up the processor time that it was given");
		else
			snprintf(into, bytes, "it crashed: SIG%s at 0x%" PRIx64,
				 sigabbrev_np(outcome->signal), outcome->at);
		break;
	case CLONE_EXITED:
		snprintf(into, bytes, "it ended itself with status %d", outcome->status);
		break;
	case CLONE_KILLED:
		// The kernel's own kill, which no tracer sees coming.
		if (outcome->signal == SIGSYS)
			snprintf(
				into, bytes,
				"a seccomp filter of the process killed it, as it forbids a system "
				"call that is needed");
		else
			snprintf(into, bytes,
				 "it was killed, as the first to go when memory is short");
		break;
	case CLONE_TIMED_OUT:
		snprintf(into, bytes, "it did not come to an end in time");
		break;
	case CLONE_INTERRUPTED:
		snprintf(into, bytes, "interrupted");
		break;
	}
}
