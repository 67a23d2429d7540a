// SPDX-License-Identifier: GPL-3.0-or-later
// Code run in a clone: from a moment at which that can be expected to work to the answer.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/interrupt.h"
#include "mem/clone/clone.h"
#include "mem/clone/clone_run.h"
#include "mem/memory_left.h"
#include "mem/pause.h"
#include "session_look.h"

enum {
	/** Clones that are lost before they can run anything. */
	LOST_MAX = 5,
	/** Moments at which the thread that stands firm cannot be made to fork. */
	REFUSED_MAX = 8,
	CPU_SECONDS = 3600,
	/** More than an adapter asks for. */
	ROOM_BYTES = 64 << 20,
};

/** How long a firm moment is waited for, and then one at which the runtime is at least in its own code. */
static const uint64_t FIRM_WAIT_NS = 2000000000U;
static const uint64_t LOOSE_WAIT_NS = 4000000000U;
static const uint64_t NAP_MAX_NS = 4000000U;
static const uint64_t PREPARE_TIMEOUT_NS = 3000000000U;
static const uint64_t MEMORY_MAX_BYTES = 1ULL << 30;
static const uint64_t SHARED_MAX_BYTES = 256ULL << 20;

void session_code_deinit(struct session *session, struct session_code *code)
{
	session->target->ops->runner_destroy(code->runner);
	clone_run_destroy(code->run);
	mem_clone_destroy(code->clone);
	pause_end(&code->pause);
	*code = (struct session_code){0};
}

void session_end_code(struct session *session)
{
	if (session->code)
		session_code_deinit(session, session->code);
	free(session->code);
	session->code = NULL;
}

// What a moment must offer, the longer one has waited the less.
static enum target_footing code_wanted(uint64_t waited_ns)
{
	if (waited_ns < FIRM_WAIT_NS)
		return TARGET_FOOTING_FIRM;
	return waited_ns < LOOSE_WAIT_NS ? TARGET_FOOTING_LOOSE : TARGET_FOOTING_NONE;
}

static void code_nap(void)
{
	uint64_t random;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = clock_now_ns();
	clock_sleep_ns(random % NAP_MAX_NS);
}

// Stops the process; at a moment that will do it stays stopped.
static struct error *code_stop(struct session *session, struct session_code *code,
			       enum target_footing wanted, struct target_standing *ret)
{
	_cleanup_session_stacks_ struct session_stacks stacks = {0};
	struct error *error = pause_begin(session->pid, &code->pause);

	if (!error) {
		size_t count;
		const struct pause_thread *threads = pause_threads(code->pause, &count);
		error = session_stacks_take(&stacks, threads, count);
	}
	const struct target_moment moment = {
		.source = session->process.source,
		.stacks = stacks.list,
		.stack_count = stacks.count,
	};
	if (!error)
		error = session->target->ops->standing(session->target, &moment, ret);
	if (error || ret->footing < wanted)
		return error;
	return NULL;
}

static struct error *code_wait(struct session *session, struct session_code *code,
			       struct inspected_clone *clone, struct target_standing *ret)
{
	uint64_t begin_ns = clock_now_ns();

	for (;;) {
		enum target_footing wanted = code_wanted(clock_now_ns() - begin_ns);
		struct error *error = code_stop(session, code, wanted, ret);
		clone->stops++;
		if (!error && ret->footing >= wanted)
			return NULL;
		clone->pause_total_ns += pause_end(&code->pause);
		if (!error)
			error = interrupt_check();
		if (error)
			return error;
		code_nap();
	}
}

static struct error *code_refused(const char *how, const char *reason)
{
	return error_create(ERROR_FAILED, "no code can be run in a copy of this process: %s: %s",
			    how, reason);
}

static struct error *code_seal(struct session *session, struct session_code *code)
{
	_cleanup_free_ char *reason = NULL;
	uint64_t left = memory_left_bytes_of(session->pid, "") / 2;
	const struct clone_run_limits limits = {
		.memory_bytes = left < MEMORY_MAX_BYTES ? left : MEMORY_MAX_BYTES,
		.cpu_seconds = CPU_SECONDS,
		.room_bytes = ROOM_BYTES,
		.shared_bytes = SHARED_MAX_BYTES,
	};
	struct error *error = clone_run_create(code->clone, &limits, &code->run, &reason);

	if (error || code->run)
		return error;
	return code_refused("not sealed", reason);
}

struct error *session_code_prepare(struct session *session, struct session_code *code,
				   struct target_answer *answer)
{
	struct error *error = code_seal(session, code);

	if (error)
		return error;
	return session->target->ops->runner_create(session->target, code->run, PREPARE_TIMEOUT_NS,
						   &code->runner, answer);
}

// One clone, ready to run code; none when it was lost, and @a clone says how, or when there was none to be
// had at that moment, and *@a ret_reason says why.
static struct error *code_try(struct session *session, struct session_code *code,
			      struct inspected_clone *clone, char **ret_reason)
{
	_cleanup_target_answer_ struct target_answer answer = {0};
	struct target_standing standing;
	struct error *error = code_wait(session, code, clone, &standing);

	if (error)
		return error;
	snprintf(clone->unsafe, sizeof(clone->unsafe), "%s", standing.reason);
	error = mem_clone_create(session->cloner, code->pause, standing.tid, true, &code->clone,
				 ret_reason);
	clone->pause_total_ns += pause_let_go(code->pause);
	if (error || *ret_reason)
		return error ? error : interrupt_check();
	error = mem_clone_open(code->clone);
	if (!error)
		error = session_code_prepare(session, code, &answer);
	if (error || code->runner)
		return error;
	clone->lost_count++;
	snprintf(clone->lost, sizeof(clone->lost), "%s", answer.lost);
	return interrupt_check();
}

struct error *session_prepare_standing(struct session *session)
{
	const struct target_moment nothing = {.source = session->process.source};
	struct target_standing standing;

	return session->target->ops->standing(session->target, &nothing, &standing);
}

static struct error *code_open(struct session *session, struct session_code *code,
			       struct inspected_clone *clone)
{
	_cleanup_free_ char *reason = NULL;
	struct error *error = session_prepare_clone(session, &reason);

	if (reason)
		return code_refused("not cloned", reason);
	if (!error)
		error = session_prepare_standing(session);
	for (unsigned refused = 0;
	     !error && !code->runner && clone->lost_count < LOST_MAX && refused < REFUSED_MAX;) {
		free(take_ptr(reason));
		error = code_try(session, code, clone, &reason);
		if (!code->runner)
			session_code_deinit(session, code);
		refused += reason != NULL;
		if (reason)
			code_nap();
	}
	if (error || code->runner)
		return error;
	if (reason)
		return code_refused("not cloned", reason);
	return error_create(ERROR_FAILED,
			    "%u copies of the process were made to run code, and each was lost; of "
			    "the last one: %s",
			    clone->lost_count, clone->lost);
}

struct error *session_run_code(struct session *session, const struct target_code *code,
			       struct inspected_clone *clone, struct target_answer *ret)
{
	struct error *error = session_wants_process(session, "run code in a copy of");

	*clone = (struct inspected_clone){0};
	if (error)
		return error;
	if (!session->code) {
		session->code = calloc(1, sizeof(*session->code));
		if (!session->code)
			return error_no_memory();
		clone->is_new = true;
		error = code_open(session, session->code, clone);
	}
	if (!error)
		error = session->target->ops->runner_run(session->code->runner, code, ret);
	if (error || ret->state == TARGET_ANSWER_LOST)
		session_end_code(session);
	return error;
}
