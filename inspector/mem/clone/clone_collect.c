// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/clone/clone_collect.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "mem/clone/inject.h"
#include "mem/live.h"
#include "mem/maps.h"
#include "mem/process.h"
#include "mem/source.h"

static const uint64_t stop_patience_ns = 1000000000U;
static const uint64_t spin_ns = 500000U;
static const uint64_t nap_ns = 100000U;
/** Between two tries, the longer the longer it has not been to be had. */
static const uint64_t try_min_ns = 2000000U;
static const uint64_t try_max_ns = 100000000U;

static bool thread_is_ours(pid_t tid)
{
	struct process_status status;
	_cleanup_error_ struct error *unseen = process_status_read(tid, &status);

	return !unseen && status.tracer_pid == gettid();
}

// Seizes and stops one thread; false when it ends, does not stop or is about to take a signal. One that has
// not stopped in time cannot be let go: it is ours the next time, and has stopped by then, perhaps.
static bool thread_stop(pid_t tid)
{
	uint64_t start = clock_now_ns();
	int status;

	if (ptrace(PTRACE_SEIZE, tid, NULL, PTRACE_O_TRACEEXEC) < 0 && !thread_is_ours(tid))
		return false;
	if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) < 0)
		return false;
	for (;;) {
		pid_t got = waitpid(tid, &status, __WALL | WNOHANG);
		if (got == tid && WIFSTOPPED(status) && status >> 16 == PTRACE_EVENT_STOP)
			return true;
		if (got == tid && WIFSTOPPED(status)) {
			// A signal came first: it is taken, and another thread may do.
			ptrace(PTRACE_DETACH, tid, NULL, (void *)(uintptr_t)WSTOPSIG(status));
			return false;
		}
		if (got == tid || (got < 0 && errno != EINTR))
			return false;
		uint64_t waited = clock_now_ns() - start;
		if (waited > stop_patience_ns)
			return false;
		if (waited < spin_ns)
			sched_yield();
		else
			clock_sleep_ns(nap_ns);
	}
}

static struct error *thread_collect(pid_t pid, pid_t tid, const struct maps *maps,
				    const struct inject_code *code, pid_t own, bool *ret_asked)
{
	struct injection *injection = NULL;
	const char *why;
	bool collected;
	struct error *error = injection_begin(pid, tid, maps, code, &injection, &why);

	*ret_asked = injection;
	if (!injection)
		return error;
	error = injection_collect(injection, own, &collected);
	struct error *failure = injection_end(injection);
	if (error)
		error_destroy(failure);
	return error ? error : failure;
}

// The code that is to be used, in what the process is now.
static struct error *process_code(pid_t pid, const struct inject_code *code, struct maps *maps,
				  struct inject_code *ret)
{
	struct mem_source *live;
	bool found = true;
	pid_t thread;
	struct error *error = mem_live_create(pid, &live);

	if (error)
		return error;
	*ret = *code;
	error = mem_source_maps(live, maps);
	if (!error)
		error = process_memory_thread(pid, &thread);
	if (!error && !inject_code_is_there(thread, code))
		error = inject_find_code(live, maps, ret, &found);
	mem_source_destroy(live);
	if (!error && !found)
		error = error_create(ERROR_FAILED, "process %d has no code to be used", pid);
	return error;
}

static struct error *process_collect(pid_t pid, const struct inject_code *before, pid_t own)
{
	_cleanup_maps_ struct maps maps = {0};
	_cleanup_free_ pid_t *tids = NULL;
	struct inject_code code;
	size_t count = 0;
	bool asked = false;
	struct error *error = process_code(pid, before, &maps, &code);

	// Last, as they may come and go.
	if (!error)
		error = process_threads(pid, &tids, &count);
	for (size_t i = 0; !error && !asked && i < count; i++) {
		if (!thread_stop(tids[i]))
			continue;
		error = thread_collect(pid, tids[i], &maps, &code, own, &asked);
		ptrace(PTRACE_DETACH, tids[i], NULL, NULL);
	}
	return error;
}

enum child_state {
	/** Killed, it may wait for a processor to end on: not a reason to stop the process. */
	CHILD_IS_THERE,
	CHILD_HAS_ENDED,
	/** Nobody has it any more, not even as a zombie; or somebody else, as its parent has ended. Who has become
	 *  another program has it still. */
	CHILD_IS_NOT_ITS,
};

static enum child_state child_look(pid_t child, pid_t pid)
{
	struct process_status status;
	_cleanup_error_ struct error *unseen = process_stat_read(child, &status);

	if (unseen ? kill(child, 0) < 0 && errno == ESRCH : status.parent_pid != pid)
		return CHILD_IS_NOT_ITS;
	// Where nobody may see it, as good as ended: then its parent is to tell.
	return unseen || process_state_is_dead(status.state) ? CHILD_HAS_ENDED : CHILD_IS_THERE;
}

struct error *clone_collect(pid_t pid, const struct inject_code *code,
			    const struct inject_child *child, uint64_t patience_ns)
{
	uint64_t start = clock_now_ns();

	for (;;) {
		struct error *error = NULL;
		enum child_state state = child_look(child->pid, pid);
		if (state == CHILD_HAS_ENDED) {
			error = process_collect(pid, code, child->own);
			state = child_look(child->pid, pid);
		}
		if (state == CHILD_IS_NOT_ITS) {
			error_destroy(error);
			return NULL;
		}
		uint64_t waited = clock_now_ns() - start, wait = waited / 8;
		if (waited > patience_ns)
			return error ? error
				     : error_create(ERROR_FAILED,
						    "process %d could not be made to collect its "
						    "clone %d",
						    pid, child->pid);
		error_destroy(error);
		clock_sleep_ns(wait < try_min_ns   ? try_min_ns
			       : wait > try_max_ns ? try_max_ns
						   : wait);
	}
}
