// SPDX-License-Identifier: GPL-3.0-or-later
#include "session_look.h"

#include <stdio.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "mem/process.h"

enum {
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

void session_look_add(struct session_look *look, uint64_t pause_ns)
{
	look->pause_ns = pause_ns;
	look->pause_total_ns += pause_ns;
	look->stops++;
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
	// Of a core file there is this one moment.
	if (session->core || (stop && session_is_stopped(session)))
		return TARGET_EFFORT_LAST;
	if (stop + 1 >= session->options.stops_max || retries->calm_wait_ns >= CALM_WAIT_MAX_NS)
		return TARGET_EFFORT_LAST;
	return stop ? TARGET_EFFORT_THOROUGH : TARGET_EFFORT_FIRST;
}

struct error *session_look_at(struct session *session, struct session_stop *stop,
			      struct session_look *look)
{
	struct target_verdict verdict = {0};
	struct retries retries = {0};
	enum target_effort effort = TARGET_EFFORT_FIRST;

	*look = (struct session_look){0};
	for (unsigned count = 0; effort != TARGET_EFFORT_LAST; count++) {
		if (count && !session_is_stopped(session))
			session_wait(session, count, &retries);
		struct error *error = interrupt_check();
		if (error)
			return error;
		effort = session_effort(session, count, &retries);
		stop->skipped = false;
		error = session_explain(session, stop->run(session, stop, effort, look, &verdict));
		if (error)
			return error;
		if (!stop->skipped &&
		    (verdict.consistent || !session_may_retry(look, &verdict, &retries)))
			break;
	}
	look->consistent = verdict.consistent;
	look->ref_total = verdict.ref_total;
	look->ref_total_static = verdict.ref_total_static;
	look->ref_total_hidden = verdict.ref_total_hidden;
	snprintf(look->reason, sizeof(look->reason), "%s", verdict.reason);
	return NULL;
}
