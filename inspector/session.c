// SPDX-License-Identifier: GPL-3.0-or-later
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "debug/module.h"
#include "mem/clone/clone.h"
#include "mem/core/corefile.h"
#include "mem/live.h"
#include "mem/mirror/mirror.h"
#include "mem/pause.h"
#include "mem/process.h"
#include "session_look.h"

enum { STOPS_DEFAULT = 64, CALLS_STOPS_MAX = 4 };

/** A clone of a process with no more memory than this is read out before its objects are counted. Above it
 *  the counting keeps up with the reading, and the memory would be missed. */
static const uint64_t READ_OUT_BYTES_MAX = 128ULL << 20;

static const uint64_t CALLS_WAIT_NS = 1000 * 1000;

void session_close(struct session *session)
{
	if (!session)
		return;
	session_end_code(session);
	mem_cloner_destroy(session->cloner);
	target_close(session->target);
	module_list_destroy(session->process.modules);
	mem_source_destroy(session->process.source);
	maps_deinit(&session->maps);
	free(session->core);
	free(session);
}

static void session_cleanup(struct session **session)
{
	session_close(*session);
}

static void session_default_options(struct session *session, const struct session_options *options)
{
	if (options)
		session->options = *options;
	if (!session->options.stops_max)
		session->options.stops_max = STOPS_DEFAULT;
	if (!session->options.threads) {
		long count = sysconf(_SC_NPROCESSORS_ONLN);
		session->options.threads = count > 0 ? (unsigned)count : 1;
	}
}

unsigned session_thread_count(const struct session *session)
{
	return session->options.threads;
}

// With the source that it has.
static struct error *session_open_target(struct session *session)
{
	struct error *error = mem_source_maps(session->process.source, &session->maps);

	session->process.maps = &session->maps;
	if (!error && session->core)
		error = module_list_create_of_core(&session->maps, session->process.source,
						   &session->process.modules);
	else if (!error)
		error = module_list_create(&session->maps, session->pid, &session->process.modules);
	if (!error)
		error = target_open(&session->process, &session->target);
	// The answer does not depend on it: without a cache the next start reads DWARF again.
	if (!error)
		error_destroy(module_list_save(session->process.modules));
	return error;
}

struct error *session_open(pid_t pid, const struct session_options *options, struct session **ret)
{
	CLEANUP(session_cleanup) struct session *session = calloc(1, sizeof(*session));
	struct error *error = session ? process_check(pid) : error_no_memory();

	if (error)
		return error;
	session->pid = pid;
	session_default_options(session, options);
	error = mem_live_create(pid, &session->process.source);
	if (!error)
		error = session_open_target(session);
	if (!error)
		*ret = take_ptr(session);
	return error;
}

struct error *session_open_core(const char *path, const struct session_options *options,
				struct session **ret)
{
	CLEANUP(session_cleanup) struct session *session = calloc(1, sizeof(*session));

	if (!session || !(session->core = strdup(path)))
		return error_no_memory();
	session_default_options(session, options);
	session->snapshot = INSPECTED_CORE;
	struct error *error = mem_corefile_create(path, &session->process.source);
	if (error)
		return error;
	session->pid = mem_corefile_pid(session->process.source);
	error = session_explain(session, session_open_target(session));
	if (!error)
		*ret = take_ptr(session);
	return error;
}

struct error *session_arguments(const struct session *session, char **ret, size_t *ret_bytes)
{
	if (!session->core)
		return process_arguments(session->pid, ret, ret_bytes);
	*ret = strdup(mem_corefile_arguments(session->process.source));
	if (!*ret)
		return error_no_memory();
	*ret_bytes = **ret ? strlen(*ret) + 1 : 0;
	for (char *at = *ret; (at = strchr(at, ' ')); at++)
		*at = '\0';
	return NULL;
}

void session_redact(struct session *session, bool redacts)
{
	session->redacts = redacts;
}

pid_t session_pid(const struct session *session)
{
	return session->pid;
}

void session_head(const struct session *session, const char *verb, const struct session_look *look,
		  const struct census *census, struct report_head *ret)
{
	*ret = (struct report_head){
		.verb = verb,
		.pid = session->pid,
		.core = session->core,
		.shortcomings =
			session->core ? mem_corefile_shortcomings(session->process.source) : NULL,
		.runtime = session->target->ops->name,
		.version = session->target->version,
		.build = session->target->build,
		.snapshot = session->core ? "core" : "copy",
		.debug_info = session->target->debug_info,
		.consistent = true,
		.inconsistency = "",
		.is_redacted = session->redacts,
	};
	if (look) {
		ret->pause_ns = look->pause_ns;
		ret->stops = look->stops;
		ret->consistent = look->consistent;
		ret->inconsistency = look->reason;
	}
	if (census) {
		ret->unreadable = census->unreadable;
		ret->truncated = census->truncated;
	}
}

/** A stop in which the process's own memory, or that of its clone, is walked. */
struct session_census_stop {
	struct session_stop stop;
	struct heap_sink *sink;
	/** For what a clone holds, so that it need not live until all is counted; NULL: there is no room. */
	struct mem_source *mirror;
};

// NULL for an error that says that memory is short: then the clone is read as the objects are counted.
static struct error *unless_memory_is_short(struct error *error)
{
	if (!error || (error->code != ERROR_FAILED && error->code != ERROR_NO_MEMORY))
		return error;
	error_destroy(error);
	return NULL;
}

// While the process runs.
static struct error *census_make_room(struct session *session, struct session_census_stop *stop)
{
	_cleanup_free_ char *reason = NULL;
	struct process_status status;

	if (session->snapshot != INSPECTED_CLONE)
		return NULL;
	struct error *error = session_prepare_clone(session, &reason);
	if (error || !session->cloner)
		return error;
	// To find out what exactly there is takes long where it is much.
	error = process_status_read(session->pid, &status);
	if (error || status.rss_bytes > READ_OUT_BYTES_MAX)
		return error;
	return unless_memory_is_short(mem_mirror_create(session->process.source,
							session->options.threads,
							READ_OUT_BYTES_MAX, &stop->mirror));
}

// Reads out the clone and ends it; *@a source is then what was read.
static struct error *census_read_out(struct session *session, struct mem_source *mirror,
				     struct session_held *held, struct session_look *look,
				     struct mem_source **source)
{
	struct error *error = mem_mirror_fill_from(mirror, *source, session->options.threads);

	if (error)
		return unless_memory_is_short(error);
	*source = mirror;
	session_let_go(held, look);
	return NULL;
}

static struct error *session_stop_and_walk(struct session *session, struct session_stop *base,
					   enum target_effort effort, struct session_look *look,
					   struct target_verdict *verdict)
{
	const struct session_census_stop *stop = (const struct session_census_stop *)base;
	struct session_held held;
	struct target_moment moment = {0};

	heap_sink_reset(stop->sink);
	struct error *error = session_hold_frozen(session, look, &held, &moment.source);
	if (!error && held.clone && stop->mirror)
		error = census_read_out(session, stop->mirror, &held, look, &moment.source);
	if (!error)
		error = session->target->ops->walk(session->target, &moment, stop->sink,
						   session->options.threads, effort, verdict);
	session_let_go(&held, look);
	return error;
}

static void session_destroy_sink(struct heap_sink **sink)
{
	heap_sink_destroy(*sink);
}

struct error *session_census(struct session *session, bool caches, struct session_look *look,
			     struct census *ret)
{
	CLEANUP(session_destroy_sink) struct heap_sink *counter = NULL;
	struct error *error =
		caches ? counter_create(&counter) : counter_create_without_cached(&counter);

	struct session_census_stop stop = {.stop.run = session_stop_and_walk, .sink = counter};
	if (!error)
		error = census_make_room(session, &stop);
	if (!error)
		error = session_look_at(session, &stop.stop, look);
	mem_source_destroy(stop.mirror);
	return error ? error : counter_census(counter, ret);
}

// The kernel's id of a thread that the runtime knows by its pthread_self() alone.
static void session_name_thread(const struct session *session, const struct session_held *held,
				struct target_thread *thread)
{
	size_t count;
	const struct pause_thread *stopped = session_threads(session, held, &count);

	for (size_t i = 0; !thread->tid && i < count; i++)
		if (stopped[i].pthread_at == thread->pthread_at)
			thread->tid = stopped[i].tid;
}

struct error *session_facts(struct session *session, struct session_look *look,
			    struct target_facts *ret)
{
	struct session_held held;

	*look = (struct session_look){.consistent = true, .ref_total = -1};
	struct error *error = session_stop(session, look, &held);
	if (!error)
		error = session->target->ops->facts(session->target, ret);
	for (size_t i = 0; !error && i < ret->thread_count; i++)
		session_name_thread(session, &held, &ret->threads[i]);
	session_let_go(&held, look);
	return error;
}

static struct error *session_stop_and_look_at_calls(struct session *session,
						    struct session_look *look,
						    struct target_call_stacks *ret)
{
	struct session_held held;
	struct error *error = session_stop(session, look, &held);

	if (!error)
		error = session->target->ops->call_stacks(session->target, ret);
	for (size_t i = 0; !error && i < ret->count; i++)
		session_name_thread(session, &held, &ret->list[i].thread);
	session_let_go(&held, look);
	return error;
}

// A thread that is in the middle of a call may have a chain that leads nowhere, for some nanoseconds.
struct error *session_call_stacks(struct session *session, struct session_look *look,
				  struct target_call_stacks *ret)
{
	struct error *error = NULL;

	*look = (struct session_look){.ref_total = -1};
	do {
		target_call_stacks_deinit(ret);
		if (look->stops)
			clock_sleep_ns(CALLS_WAIT_NS);
		error = session_stop_and_look_at_calls(session, look, ret);
	} while (!error && ret->is_truncated && !session->core && look->stops < CALLS_STOPS_MAX);
	look->consistent = !ret->is_truncated;
	if (ret->is_truncated)
		snprintf(look->reason, sizeof(look->reason),
			 "the calls of a thread could not be followed to their end");
	return error;
}
