// SPDX-License-Identifier: GPL-3.0-or-later
// When a session stops its process again, and when it has had enough: a real process, paused for real,
// with an adapter that says what the test wants. Its adapters stand here in place of targets.c.
#include "session.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/interrupt.h"
#include "support/child.h"

enum { WALKS_MAX = 128 };

/** What the adapter says, and what was asked of it. */
static struct {
	/** Of the first walks; those after them are consistent. */
	size_t bad_count;
	/** Where each bad one is torn: here, or one further each time. */
	addr_t torn_at;
	bool torn_elsewhere;
	/** Which walk fails, or asks us to stop; 0 for none. */
	size_t fail_at;
	size_t interrupt_at;
	/** How often the process is not calm before it is. */
	size_t restless_count;

	size_t walk_count;
	enum target_effort effort[WALKS_MAX];
	char process_state[WALKS_MAX];
	unsigned thread_count;
	size_t calm_count;
	size_t close_count;
	pid_t pid;
} script;

static struct error *script_walk(struct target *target, const struct target_moment *moment,
				 struct heap_sink *sink, unsigned thread_count,
				 enum target_effort effort, struct target_verdict *ret)
{
	size_t walk = script.walk_count++;

	assert_true(walk < WALKS_MAX);
	script.effort[walk] = effort;
	script.process_state[walk] = thread_state_of(script.pid);
	script.thread_count = thread_count;
	*ret = (struct target_verdict){.consistent = walk >= script.bad_count, .ref_total = -1};
	if (!ret->consistent) {
		ret->at = script.torn_at + (script.torn_elsewhere ? walk * 16 : 0);
		strcpy(ret->reason, "the test said so");
	}
	if (script.interrupt_at == walk + 1)
		raise(SIGINT);
	if (script.fail_at == walk + 1)
		return error_create(ERROR_NO_MEMORY, "the test made this walk fail");
	// One object more each time: none of an earlier walk may be left.
	for (size_t i = 0; i <= walk; i++) {
		struct heap_object object = {.type = 0, .at = 16 * i + 16};
		struct error *error = heap_sink_objects(sink, &object, 1);
		if (error)
			return error;
	}
	return heap_sink_types(sink, &(struct heap_type){.id = 0, .name = "thing"}, 1);
}

static bool script_is_calm(struct target *target)
{
	return script.calm_count++ >= script.restless_count;
}

static struct error *script_facts(struct target *target, struct target_facts *ret)
{
	*ret = (struct target_facts){.interpreter_count = 1};
	script.process_state[0] = thread_state_of(script.pid);
	return NULL;
}

static const struct target_ops script_ops = {
	.name = "script",
	.walk = script_walk,
	.is_calm = script_is_calm,
	.facts = script_facts,
};

struct error *target_open(const struct target_process *process, struct target **ret)
{
	static struct target target = {.ops = &script_ops, .version = "1", .build = "release"};

	*ret = &target;
	return NULL;
}

void target_close(struct target *target)
{
	script.close_count++;
}

static void run_child(struct child *child, void *argument)
{
	child_ready(child);
	child_sleep_for_ever();
}

struct given {
	struct child *child;
	struct session *session;
	struct session_look look;
	struct census census;
};

static int given_session(void **state)
{
	struct given *given = calloc(1, sizeof(*given));

	memset(&script, 0, sizeof(script));
	interrupt_clear();
	given->child = child_start(run_child, NULL);
	script.pid = given->child->pid;
	assert_null(session_open(given->child->pid, NULL, &given->session));
	*state = given;
	return 0;
}

static int drop_session(void **state)
{
	struct given *given = *state;

	assert_true(process_is_left_alone(given->child->pid));
	session_close(given->session);
	assert_int_equal(script.close_count, 1);
	census_deinit(&given->census);
	child_stop(given->child);
	free(given);
	return 0;
}

static struct error *look(struct given *given)
{
	return session_census(given->session, true, &given->look, &given->census);
}

static void a_consistent_moment_is_enough(void **state)
{
	struct given *given = *state;

	assert_null(look(given));
	assert_int_equal(given->look.stops, 1);
	assert_true(given->look.consistent);
	assert_string_equal(given->look.reason, "");
	assert_true(given->look.pause_ns > 0);
	assert_int_equal(given->look.pause_total_ns, given->look.pause_ns);
	assert_int_equal(script.effort[0], TARGET_EFFORT_FIRST);
	assert_int_equal(given->census.total.count, 1);
	assert_true(script.thread_count >= 1);
}

static void the_process_stands_still_during_a_walk_and_only_then(void **state)
{
	struct given *given = *state;

	script.bad_count = 2;
	assert_null(look(given));
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(script.process_state[i], 't');
	assert_true(thread_reaches_state(given->child->pid, 'S'));
}

static void a_bad_moment_is_followed_by_another_with_more_effort(void **state)
{
	struct given *given = *state;

	script.bad_count = 3;
	assert_null(look(given));
	assert_int_equal(given->look.stops, 4);
	assert_true(given->look.consistent);
	assert_int_equal(script.effort[0], TARGET_EFFORT_FIRST);
	for (size_t i = 1; i < 4; i++)
		assert_int_equal(script.effort[i], TARGET_EFFORT_THOROUGH);
	assert_true(given->look.pause_total_ns > given->look.pause_ns);
	// What earlier walks saw is forgotten.
	assert_int_equal(given->census.total.count, 4);
}

static void the_last_stop_is_told_to_be_the_last(void **state)
{
	struct given *given = *state;
	struct session_options options = {.stops_max = 3, .threads = 2};

	session_close(given->session);
	script.close_count = 0;
	assert_null(session_open(given->child->pid, &options, &given->session));
	script.bad_count = SIZE_MAX;
	assert_null(look(given));
	assert_int_equal(given->look.stops, 3);
	assert_false(given->look.consistent);
	assert_string_equal(given->look.reason, "the test said so");
	assert_int_equal(script.effort[1], TARGET_EFFORT_THOROUGH);
	assert_int_equal(script.effort[2], TARGET_EFFORT_LAST);
	assert_int_equal(script.thread_count, 2);
	assert_int_equal(given->census.total.count, 3);
}

static void one_stop_is_the_last_at_once(void **state)
{
	struct given *given = *state;
	struct session_options options = {.stops_max = 1};

	session_close(given->session);
	script.close_count = 0;
	assert_null(session_open(given->child->pid, &options, &given->session));
	script.bad_count = SIZE_MAX;
	assert_null(look(given));
	assert_int_equal(given->look.stops, 1);
	assert_int_equal(script.effort[0], TARGET_EFFORT_LAST);
}

static void damage_that_stays_is_not_waited_for(void **state)
{
	struct given *given = *state;

	script.bad_count = SIZE_MAX;
	script.torn_at = 0x7f0000001000;
	assert_null(look(given));
	assert_false(given->look.consistent);
	assert_true(given->look.stops < 10);
	assert_int_equal(given->census.total.count, given->look.stops);
}

static void damage_that_moves_is_a_bad_moment_each_time(void **state)
{
	struct given *given = *state;

	script.bad_count = 12;
	script.torn_at = 0x7f0000001000;
	script.torn_elsewhere = true;
	assert_null(look(given));
	assert_true(given->look.consistent);
	assert_int_equal(given->look.stops, 13);
}

static void another_stop_waits_until_the_process_is_calm(void **state)
{
	struct given *given = *state;

	script.bad_count = 1;
	script.restless_count = 20;
	assert_null(look(given));
	assert_int_equal(given->look.stops, 2);
	assert_int_equal(script.calm_count, 21);
}

static void a_process_that_somebody_else_stopped_is_not_looked_at_for_long(void **state)
{
	struct given *given = *state;

	// It stays at its moment, however long one waits.
	kill(given->child->pid, SIGSTOP);
	assert_true(thread_reaches_state(given->child->pid, 'T'));
	script.bad_count = SIZE_MAX;
	assert_null(look(given));
	// Twice, mostly: let go, it runs for an instant before it stands again.
	assert_true(given->look.stops >= 2 && given->look.stops < 8);
	assert_int_equal(script.effort[given->look.stops - 1], TARGET_EFFORT_LAST);
	assert_true(thread_reaches_state(given->child->pid, 'T'));
	kill(given->child->pid, SIGCONT);
}

static void a_walk_that_fails_ends_the_look(void **state)
{
	struct given *given = *state;

	script.bad_count = SIZE_MAX;
	script.fail_at = 3;
	_cleanup_error_ struct error *error = look(given);
	assert_non_null(error);
	assert_int_equal(error->code, ERROR_NO_MEMORY);
	assert_int_equal(script.walk_count, 3);
}

static void a_signal_ends_the_look_between_two_stops(void **state)
{
	struct given *given = *state;

	assert_null(interrupt_install());
	script.bad_count = SIZE_MAX;
	script.interrupt_at = 2;
	_cleanup_error_ struct error *error = look(given);
	interrupt_clear();
	assert_non_null(error);
	assert_int_equal(error->code, ERROR_INTERRUPTED);
	assert_int_equal(script.walk_count, 2);
}

static void a_process_that_has_ended_is_an_error(void **state)
{
	struct given *given = *state;

	kill(given->child->pid, SIGKILL);
	assert_true(thread_reaches_state(given->child->pid, 'Z'));
	_cleanup_error_ struct error *error = look(given);
	assert_non_null(error);
	assert_int_equal(error->code, ERROR_GONE);
	assert_int_equal(script.walk_count, 0);
}

static void facts_are_read_in_one_stop(void **state)
{
	struct given *given = *state;
	struct target_facts facts;

	assert_null(session_facts(given->session, &given->look, &facts));
	assert_int_equal(facts.interpreter_count, 1);
	assert_int_equal(given->look.stops, 1);
	assert_true(given->look.consistent);
	assert_int_equal(script.process_state[0], 't');
	target_facts_deinit(&facts);
}

static void a_report_is_headed_by_what_was_looked_at(void **state)
{
	struct given *given = *state;
	struct report_head head;

	script.bad_count = 1;
	assert_null(look(given));
	given->census.truncated = 3;
	session_head(given->session, "types", &given->look, &given->census, &head);
	assert_string_equal(head.verb, "types");
	assert_string_equal(head.runtime, "script");
	assert_int_equal(head.pid, given->child->pid);
	assert_int_equal(session_pid(given->session), given->child->pid);
	assert_int_equal(head.stops, 2);
	assert_true(head.consistent);
	assert_int_equal(head.truncated, 3);
}

#define WITH_SESSION(test) cmocka_unit_test_setup_teardown(test, given_session, drop_session)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SESSION(a_consistent_moment_is_enough),
		WITH_SESSION(the_process_stands_still_during_a_walk_and_only_then),
		WITH_SESSION(a_bad_moment_is_followed_by_another_with_more_effort),
		WITH_SESSION(the_last_stop_is_told_to_be_the_last),
		WITH_SESSION(one_stop_is_the_last_at_once),
		WITH_SESSION(damage_that_stays_is_not_waited_for),
		WITH_SESSION(damage_that_moves_is_a_bad_moment_each_time),
		WITH_SESSION(another_stop_waits_until_the_process_is_calm),
		WITH_SESSION(a_process_that_somebody_else_stopped_is_not_looked_at_for_long),
		WITH_SESSION(a_walk_that_fails_ends_the_look),
		WITH_SESSION(a_signal_ends_the_look_between_two_stops),
		WITH_SESSION(a_process_that_has_ended_is_an_error),
		WITH_SESSION(facts_are_read_in_one_stop),
		WITH_SESSION(a_report_is_headed_by_what_was_looked_at),
	};

	if (!tracing_is_there())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
