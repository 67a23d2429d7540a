// SPDX-License-Identifier: GPL-3.0-or-later
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/interrupt.h"
#include "debug/module.h"
#include "mem/live.h"
#include "mem/pause.h"
#include "mem/process.h"

enum {
	STOPS_DEFAULT = 64,
	/** Further stops that find the same damage. */
	SAME_DAMAGE_MAX = 5,
};

/** Between two stops the process runs on for a random while, longer each time: a collection that takes
 *  a second must not use up all stops. */
static const uint64_t WAIT_FIRST_NS = 300 * 1000;
/** The first wait after a stop that found the same damage as the one before. */
static const uint64_t WAIT_SAME_NS = 5 * 1000 * 1000;
/** How long a look waits in all for moments that show themselves as calm, and how often it asks. */
static const uint64_t CALM_WAIT_MAX_NS = 4000000000U;
static const uint64_t CALM_POLL_NS = 20 * 1000;
/** No look is worth more standing still than this; the numbers of the last stop are told then. */
static const uint64_t PAUSE_TOTAL_MAX_NS = 5000000000U;
static const uint64_t WAIT_LAST_NS = 100 * 1000 * 1000;

struct session {
	pid_t pid;
	struct session_options options;
	struct maps maps;
	struct target_process process;
	struct target *target;
};

void session_close(struct session *session)
{
	if (!session)
		return;
	target_close(session->target);
	module_list_destroy(session->process.modules);
	mem_source_destroy(session->process.source);
	maps_deinit(&session->maps);
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

struct error *session_open(pid_t pid, const struct session_options *options, struct session **ret)
{
	CLEANUP(session_cleanup) struct session *session = calloc(1, sizeof(*session));
	struct error *error = session ? process_check(pid) : error_no_memory();

	if (error)
		return error;
	session->pid = pid;
	session_default_options(session, options);
	session->process.maps = &session->maps;
	error = mem_live_create(pid, &session->process.source);
	if (!error)
		error = mem_source_maps(session->process.source, &session->maps);
	if (!error)
		error = module_list_create(&session->maps, pid, &session->process.modules);
	if (!error)
		error = target_open(&session->process, &session->target);
	if (error)
		return error;
	// The answer does not depend on it: without a cache the next start reads DWARF again.
	error_destroy(module_list_save(session->process.modules));
	*ret = take_ptr(session);
	return NULL;
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
		.runtime = session->target->ops->name,
		.version = session->target->version,
		.build = session->target->build,
		.snapshot = "copy",
		.debug_info = session->target->debug_info,
		.consistent = true,
		.inconsistency = "",
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

/** What a look remembers from one stop to the next. */
struct retries {
	/** How long the process was waited for to be calm, in all. */
	uint64_t calm_wait_ns;
	/** The damage that the last stop found, and how many before it found the same. */
	addr_t damaged_at;
	unsigned same_count;
};

// Lets the process run on for a while, and then until it shows a calm moment, if that comes in time.
static void session_wait(struct session *session, unsigned stop, struct retries *retries)
{
	uint64_t most_ns = WAIT_FIRST_NS << (stop / 4 < 20 ? stop / 4 : 20), random;

	// A thread that lost its processor in the middle of something needs time to get it back.
	if (retries->same_count)
		most_ns = WAIT_SAME_NS << retries->same_count;
	if (most_ns > WAIT_LAST_NS)
		most_ns = WAIT_LAST_NS;
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = clock_now_ns();
	clock_sleep_ns(most_ns / 2 + random % (most_ns / 2));
	uint64_t begin_ns = clock_now_ns(), waited_ns = 0;
	while (retries->calm_wait_ns + waited_ns < CALM_WAIT_MAX_NS && !interrupt_pending() &&
	       !session->target->ops->is_calm(session->target)) {
		clock_sleep_ns(CALM_POLL_NS);
		waited_ns = clock_now_ns() - begin_ns;
	}
	retries->calm_wait_ns += waited_ns;
}

// Whether another stop can be expected to find a better moment.
static bool session_may_retry(const struct session_look *look, const struct target_verdict *verdict,
			      struct retries *retries)
{
	bool same = verdict->at && verdict->at == retries->damaged_at;

	retries->same_count = same ? retries->same_count + 1 : 0;
	retries->damaged_at = verdict->at;
	return retries->same_count < SAME_DAMAGE_MAX && look->pause_total_ns < PAUSE_TOTAL_MAX_NS;
}

// One stop and one walk. The sink has what was seen, the verdict whether it agrees with itself.
static struct error *session_stop_and_walk(struct session *session, struct heap_sink *sink,
					   enum target_effort effort, struct session_look *look,
					   struct target_verdict *verdict)
{
	_cleanup_pause_ struct pause *pause = NULL;
	struct error *error = pause_begin(session->pid, &pause);

	if (error)
		return error;
	struct target_moment moment = {.source = session->process.source};
	error = session->target->ops->walk(session->target, &moment, sink, session->options.threads,
					   effort, verdict);
	look->pause_ns = pause_end(&pause);
	look->pause_total_ns += look->pause_ns;
	look->stops++;
	return error;
}

// A process that somebody else stopped (SIGSTOP) stays at its moment, good or bad.
static bool session_is_stopped(const struct session *session)
{
	struct process_status status;
	struct error *error = process_status_read(session->pid, &status);
	bool stopped = !error && (status.state == 'T' || status.state == 't');

	error_destroy(error);
	return stopped;
}

static enum target_effort session_effort(const struct session *session, unsigned stop,
					 const struct retries *retries)
{
	if (stop && session_is_stopped(session))
		return TARGET_EFFORT_LAST;
	if (stop + 1 >= session->options.stops_max || retries->calm_wait_ns >= CALM_WAIT_MAX_NS)
		return TARGET_EFFORT_LAST;
	return stop ? TARGET_EFFORT_THOROUGH : TARGET_EFFORT_FIRST;
}

static struct error *session_walk(struct session *session, struct heap_sink *sink,
				  struct session_look *look)
{
	struct target_verdict verdict = {0};
	struct retries retries = {0};
	enum target_effort effort = TARGET_EFFORT_FIRST;

	*look = (struct session_look){0};
	for (unsigned stop = 0; effort != TARGET_EFFORT_LAST; stop++) {
		if (stop && !session_is_stopped(session))
			session_wait(session, stop, &retries);
		struct error *error = interrupt_check();
		if (error)
			return error;
		heap_sink_reset(sink);
		effort = session_effort(session, stop, &retries);
		error = session_stop_and_walk(session, sink, effort, look, &verdict);
		if (error)
			return error;
		if (verdict.consistent || !session_may_retry(look, &verdict, &retries))
			break;
	}
	look->consistent = verdict.consistent;
	look->ref_total = verdict.ref_total;
	look->ref_total_static = verdict.ref_total_static;
	look->ref_total_hidden = verdict.ref_total_hidden;
	snprintf(look->reason, sizeof(look->reason), "%s", verdict.reason);
	return NULL;
}

static void session_destroy_sink(struct heap_sink **sink)
{
	heap_sink_destroy(*sink);
}

struct error *session_census(struct session *session, struct session_look *look, struct census *ret)
{
	CLEANUP(session_destroy_sink) struct heap_sink *counter = NULL;
	struct error *error = counter_create(&counter);

	if (!error)
		error = session_walk(session, counter, look);
	return error ? error : counter_census(counter, ret);
}

// The kernel's id of a thread that the runtime knows by its pthread_self() alone.
static void session_name_threads(struct pause *pause, struct target_facts *facts)
{
	size_t count;
	const struct pause_thread *stopped = pause_threads(pause, &count);

	for (size_t i = 0; i < facts->thread_count; i++) {
		struct target_thread *thread = &facts->threads[i];
		for (size_t j = 0; !thread->tid && j < count; j++)
			if (stopped[j].pthread_at == thread->pthread_at)
				thread->tid = stopped[j].tid;
	}
}

struct error *session_facts(struct session *session, struct session_look *look,
			    struct target_facts *ret)
{
	_cleanup_pause_ struct pause *pause = NULL;
	struct error *error = pause_begin(session->pid, &pause);

	*look = (struct session_look){.stops = 1, .consistent = true, .ref_total = -1};
	if (error)
		return error;
	error = session->target->ops->facts(session->target, ret);
	if (!error)
		session_name_threads(pause, ret);
	look->pause_ns = look->pause_total_ns = pause_end(&pause);
	return error;
}
