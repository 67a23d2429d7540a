// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/clone/clone.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "mem/clone/clone_collect.h"
#include "mem/clone/clone_inner.h"
#include "mem/clone/clone_source.h"
#include "mem/clone/inject.h"
#include "mem/clone/keeper.h"
#include "mem/machine/machine.h"
#include "mem/maps.h"
#include "mem/memory_left.h"
#include "mem/pause_tracer.h"
#include "mem/process.h"
#include "mem/tracees.h"

enum {
	/** Threads that are looked at for one that the way back restores whole. */
	THREADS_TRIED_MAX = 16,
};

static const uint64_t collect_patience_ns = 200000000U;

/** What must stay free beside what a clone may come to take. */
static const uint64_t MARGIN_BYTES = 64ULL << 20;

struct mem_cloner {
	pid_t pid;
	struct mem_source *live;
	const struct maps *maps;
	struct inject_code code;
	struct keeper *keeper;
};

struct mem_clone {
	struct mem_cloner *cloner;
	struct pause *pause;
	struct inject_child child;
	uint64_t made_ns;
	struct mem_source *source;
};

__attribute__((format(printf, 2, 3))) static struct error *say(char **ret_reason,
							       const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int length = vasprintf(ret_reason, format, args);
	va_end(args);
	if (length >= 0)
		return NULL;
	*ret_reason = NULL;
	return error_no_memory();
}

// The words behind "NAME:" in /proc/PID/status; NULL when there are none.
static const char *status_words(const struct text *status, const char *name)
{
	const char *line = strstr(text_chars(status), name);

	return line ? line + strlen(name) : NULL;
}

static struct error *cloner_read_status(struct mem_cloner *cloner, char **ret_reason)
{
	_cleanup_text_ struct text status = {0};
	struct error *error = process_file(cloner->pid, "status", &status);

	if (error)
		return error;
	const char *features = status_words(&status, "\nx86_Thread_features:\t");
	if (features && strncmp(features, "shstk", strlen("shstk")) == 0)
		return say(ret_reason,
			   "it has a shadow stack, which allows no other way back from a "
			   "system call");
	return NULL;
}

// At worst the process writes every page that it has of its own while the clone lives.
static struct error *cloner_check_memory(pid_t pid, char **ret_reason)
{
	struct process_status status;
	char needs[HUMAN_CHARS], has[HUMAN_CHARS];
	struct error *error = process_status_read(pid, &status);

	if (error)
		return error;
	uint64_t left = memory_left_bytes_of(pid, "");
	uint64_t most = status.rss_bytes + MARGIN_BYTES;
	if (left >= most)
		return NULL;
	return say(
		ret_reason,
		"it may come to take %s more while its clone lives, and its control group or this "
		"machine has %s left",
		human_bytes((int64_t)most, needs), human_bytes((int64_t)left, has));
}

void mem_cloner_destroy(struct mem_cloner *cloner)
{
	if (!cloner)
		return;
	keeper_destroy(cloner->keeper);
	free(cloner);
}

static void cloner_cleanup(struct mem_cloner **cloner)
{
	mem_cloner_destroy(*cloner);
}

struct error *mem_cloner_create(pid_t pid, struct mem_source *live, const struct maps *maps,
				struct mem_cloner **ret, char **ret_reason)
{
	CLEANUP(cloner_cleanup) struct mem_cloner *cloner = calloc(1, sizeof(*cloner));
	bool found;

	*ret = NULL;
	*ret_reason = NULL;
	if (!cloner)
		return error_no_memory();
	cloner->pid = pid;
	cloner->live = live;
	cloner->maps = maps;
	machine_prepare();
	struct error *error = cloner_read_status(cloner, ret_reason);
	if (!error && !*ret_reason)
		error = cloner_check_memory(pid, ret_reason);
	if (error || *ret_reason)
		return error;
	error = inject_find_code(live, maps, &cloner->code, &found);
	if (!error && !found)
		return say(ret_reason, "its code has no system call that could be used");
	if (!error)
		error = keeper_create(pid, &cloner->code, &cloner->keeper);
	if (!error)
		*ret = take_ptr(cloner);
	return error;
}

struct cloning {
	struct mem_cloner *cloner;
	/** The thread that is to fork; 0: whichever can. */
	pid_t tid;
	/** Which is over with the clone; NULL: not yet. */
	struct pause *const *ends;
	/** What is made: whose child, and when. */
	struct mem_clone *clone;
	/** Why a thread could not be used. */
	const char *why;
	char *reason;
};

static void cloning_note(void *context, const struct inject_child *child)
{
	struct cloning *cloning = context;

	cloning->clone->made_ns = clock_now_ns();
	keeper_note(cloning->cloner->keeper, child);
}

static struct error *cloning_run(struct cloning *cloning, struct injection *injection)
{
	int failed = 0;
	struct error *error =
		injection_clone(injection, cloning_note, cloning, &cloning->clone->child, &failed);
	struct error *failure = injection_end(injection);

	if (error)
		error_destroy(failure);
	else
		error = failure;
	if (!error && failed)
		error = say(&cloning->reason, "the kernel refuses: %s", strerror(failed));
	else if (!error && cloning->ends)
		pause_trace_let_go(*cloning->ends);
	return error;
}

static struct error *cloning_begin(struct cloning *cloning, pid_t tid, struct injection **ret)
{
	const struct mem_cloner *cloner = cloning->cloner;
	_cleanup_maps_ struct maps now = {0};
	const char *why;
	struct error *error =
		injection_begin(cloner->pid, tid, cloner->maps, &cloner->code, ret, &why);

	// There is no other than this one, and its stack may have been mapped since.
	if (!error && !*ret && cloning->tid) {
		error = mem_source_maps(cloner->live, &now);
		if (!error)
			error = injection_begin(cloner->pid, tid, &now, &cloner->code, ret, &why);
	}
	if (!*ret)
		cloning->why = why;
	return error;
}

// A thread that can be used, one that the way back would restore whole if there is one.
static struct error *cloning_choose(struct cloning *cloning, const struct tracees *tracees,
				    struct injection **ret)
{
	struct error *error = NULL;
	size_t tried = 0;

	*ret = NULL;
	for (size_t i = 0; !error && i < tracees->count && tried < THREADS_TRIED_MAX; i++) {
		const struct tracee *tracee = &tracees->list[i];
		struct injection *injection;
		if (tracee->state != TRACEE_STOPPED || tracee->in_signal ||
		    (cloning->tid && tracee->tid != cloning->tid))
			continue;
		error = cloning_begin(cloning, tracee->tid, &injection);
		tried++;
		if (error || !injection)
			continue;
		if (!*ret || injection_restores_all(injection)) {
			error = injection_end(*ret);
			*ret = injection;
		} else {
			error = injection_end(injection);
		}
		if (*ret && injection_restores_all(*ret))
			break;
	}
	return error;
}

static struct error *cloning_work(const struct tracees *tracees, void *context)
{
	struct cloning *cloning = context;
	struct injection *injection = NULL;
	struct error *error = cloning_choose(cloning, tracees, &injection);

	if (!error && injection)
		return cloning_run(cloning, injection);
	error_destroy(injection_end(injection));
	if (error)
		return error;
	return say(&cloning->reason, "%s",
		   cloning->why ? cloning->why
				: "each of its threads is about to take a signal; try again");
}

// The first to go when memory is short. Where that is not allowed it is a process like any other.
static void clone_volunteer(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", pid);
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, "1000", 4) != 4)
		return;
}

static struct error *clone_hold(const struct tracees *tracees, void *context)
{
	const struct mem_clone *clone = context;

	return inject_hold_child(clone->cloner->pid, clone->child.pid);
}

static struct error *clone_kill(const struct tracees *tracees, void *context)
{
	static const struct inject_child nobody;
	const struct mem_clone *clone = context;

	kill(clone->child.pid, SIGKILL);
	while (waitpid(clone->child.pid, NULL, __WALL) < 0 && errno == EINTR)
		continue;
	struct error *error = clone_collect(clone->cloner->pid, &clone->cloner->code, &clone->child,
					    collect_patience_ns);
	// Otherwise the keeper tries on.
	if (!error)
		keeper_note(clone->cloner->keeper, &nobody);
	return error;
}

struct error *mem_clone_end(struct mem_clone *clone)
{
	mem_source_destroy(clone->source);
	struct error *error = pause_trace(clone->pause, clone_kill, clone);

	free(clone);
	return error;
}

void mem_clone_destroy(struct mem_clone *clone)
{
	if (clone)
		error_destroy(mem_clone_end(clone));
}

// Takes the @a error of the work. The clone is held by @a pause, if there is one.
static struct error *cloning_end(struct cloning *cloning, struct error *error, struct pause *pause,
				 struct mem_clone **ret, char **ret_reason)
{
	struct mem_clone *clone = take_ptr(cloning->clone);

	clone->pause = pause;
	if (!error && clone->child.pid) {
		*ret = clone;
	} else if (clone->child.pid) {
		// Whoever is to collect it must not be held by us.
		pause_let_go(clone->pause);
		mem_clone_destroy(clone);
	} else {
		free(clone);
		*ret_reason = error ? NULL : take_ptr(cloning->reason);
	}
	free(cloning->reason);
	return error;
}

static struct error *cloning_init(struct cloning *cloning, struct mem_clone **ret,
				  char **ret_reason)
{
	*ret = NULL;
	*ret_reason = NULL;
	cloning->clone = calloc(1, sizeof(*cloning->clone));
	if (!cloning->clone)
		return error_no_memory();
	cloning->clone->cloner = cloning->cloner;
	return NULL;
}

struct error *mem_clone_create(struct mem_cloner *cloner, struct pause *pause, pid_t tid,
			       bool lets_go, struct mem_clone **ret, char **ret_reason)
{
	struct cloning cloning = {.cloner = cloner, .tid = tid, .ends = lets_go ? &pause : NULL};
	struct error *error = cloning_init(&cloning, ret, ret_reason);

	if (error)
		return error;
	error = pause_trace(pause, cloning_work, &cloning);
	return cloning_end(&cloning, error, pause, ret, ret_reason);
}

struct error *mem_clone_create_first(struct mem_cloner *cloner, struct pause **ret_pause,
				     struct mem_clone **ret, char **ret_reason)
{
	struct cloning cloning = {.cloner = cloner, .ends = ret_pause};
	struct error *error = cloning_init(&cloning, ret, ret_reason);

	*ret_pause = NULL;
	if (error)
		return error;
	error = pause_begin_trace(cloner->pid, cloning_work, &cloning, ret_pause);
	return cloning_end(&cloning, error, *ret_pause, ret, ret_reason);
}

struct error *mem_clone_open(struct mem_clone *clone)
{
	struct error *error = pause_trace(clone->pause, clone_hold, clone);

	if (!error)
		error = clone_source_create(clone->child.pid, &clone->source);
	if (!error)
		clone_volunteer(clone->child.pid);
	return error;
}

struct mem_source *mem_clone_source(struct mem_clone *clone)
{
	return clone->source;
}

struct clone_job {
	struct error *(*work)(void *context);
	void *context;
};

static struct error *clone_do_job(const struct tracees *tracees, void *context)
{
	const struct clone_job *job = context;

	return job->work(job->context);
}

struct error *mem_clone_trace(struct mem_clone *clone, struct error *(*work)(void *context),
			      void *context)
{
	struct clone_job job = {.work = work, .context = context};

	return pause_trace(clone->pause, clone_do_job, &job);
}

const struct inject_code *mem_clone_code(const struct mem_clone *clone)
{
	return &clone->cloner->code;
}

uint64_t mem_clone_made_ns(const struct mem_clone *clone)
{
	return clone->made_ns;
}

pid_t mem_clone_pid(const struct mem_clone *clone)
{
	return clone->child.pid;
}
