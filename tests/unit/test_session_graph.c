// SPDX-License-Identifier: GPL-3.0-or-later
// The graph that a session builds: of a copy of a real process, with an adapter that says what the test
// wants. Its adapters stand here in place of targets.c.
#include "session.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/interrupt.h"
#include "heap/heap.h"
#include "mem/live.h"
#include "support/child.h"

enum { WALKS_MAX = 8 };

/** What the adapter says, and what was asked of it. */
static struct {
	/** Of the first walks; those after them are consistent. */
	size_t bad_count;
	/** Which walk fails; 0 for none. */
	size_t fail_at;
	/** How often the process is not calm before it is. */
	size_t restless_count;

	size_t walk_count;
	enum target_effort effort[WALKS_MAX];
	char process_state[WALKS_MAX];
	size_t calm_count;
	size_t close_count;
	size_t references_count;
	enum target_telling telling;
	/** Of the last walk: what it found in memory, and whether that stood still while the process
	 *  went on. */
	uint64_t ticks;
	bool ticks_stood_still;
	size_t stack_count;
	size_t stacks_told;
	pid_t pid;
} script;

/** Goes up in the child as long as that runs. */
static _Atomic uint64_t ticking;

static uint64_t ticks_in(struct mem_source *source)
{
	uint64_t ticks;

	assert_null(mem_source_read(source, (addr_t)(uintptr_t)&ticking, &ticks, sizeof(ticks)));
	return ticks;
}

// Of a copy: the process goes on, and the copy does not.
static void script_watch_ticks(struct mem_source *moment)
{
	struct mem_source *live = NULL;

	assert_null(mem_live_create(script.pid, &live));
	script.ticks = ticks_in(moment);
	for (unsigned tries = 0; ticks_in(live) <= script.ticks + 1 && tries < 2000; tries++)
		clock_sleep_ns(1000 * 1000);
	script.ticks_stood_still =
		ticks_in(moment) == script.ticks && ticks_in(live) > script.ticks + 1;
	mem_source_destroy(live);
}

/** What the first object refers to; there is nothing at the second address. */
static const struct {
	addr_t to;
	const char *label;
} script_references[] = {{32, ".left"}, {0x99990, ".gone"}, {32, "['right']"}, {16, ""}};

static struct error *script_report_references(struct heap_sink *sink)
{
	struct heap_reference references[ARRAY_COUNT(script_references)];

	for (size_t i = 0; i < ARRAY_COUNT(references); i++)
		references[i] = (struct heap_reference){.to = script_references[i].to};
	return heap_sink_references(sink, 16, references, ARRAY_COUNT(references));
}

static struct error *script_walk(struct target *target, const struct target_moment *moment,
				 struct heap_sink *sink, unsigned thread_count,
				 enum target_effort effort, struct target_verdict *ret)
{
	size_t walk = script.walk_count++;

	assert_true(walk < WALKS_MAX);
	script.effort[walk] = effort;
	script.process_state[walk] = thread_state_of(script.pid);
	*ret = (struct target_verdict){.consistent = walk >= script.bad_count, .ref_total = -1};
	if (script.fail_at == walk + 1)
		return error_create(ERROR_NO_MEMORY, "the test made this walk fail");
	// One object more each time: none of an earlier walk may be left.
	for (size_t i = 0; i <= walk; i++) {
		struct heap_object object = {.type = 0, .at = 16 * i + 16};
		struct error *error = heap_sink_objects(sink, &object, 1);
		if (!error && i == 0)
			error = script_report_references(sink);
		if (error)
			return error;
	}
	script_watch_ticks(moment->source);
	script.stack_count = moment->stack_count;
	script.stacks_told = 0;
	for (size_t i = 0; i < moment->stack_count; i++)
		script.stacks_told +=
			moment->stacks[i].stack_pointer && moment->stacks[i].register_count >= 16;
	return heap_sink_types(sink, &(struct heap_type){.id = 0, .name = "thing"}, 1);
}

static bool script_is_calm(struct target *target)
{
	return script.calm_count++ >= script.restless_count;
}

static struct error *script_tell_references(struct target *target,
					    const struct target_moment *moment, addr_t at,
					    enum target_telling telling,
					    struct target_references *ret)
{
	script.references_count++;
	script.telling = telling;
	for (size_t i = 0; at == 16 && i < ARRAY_COUNT(script_references); i++) {
		struct error *error =
			array_reserve(&ret->list, &ret->capacity, i + 1, sizeof(*ret->list));
		if (error)
			return error;
		ret->list[ret->count++] = (struct target_reference){
			.to = script_references[i].to,
			.label = strdup(script_references[i].label),
		};
	}
	return NULL;
}

static struct error *script_describe(struct target *target, const struct target_moment *moment,
				     addr_t at, enum target_telling telling, size_t chars_max,
				     struct text *into)
{
	script.telling = telling;
	return text_appendf(into, "thing %d of %d ticks, in %zu characters", (int)at,
			    ticks_in(moment->source) == script.ticks, chars_max);
}

static void script_forget(struct target *target)
{
}

static const struct target_ops script_ops = {
	.name = "script",
	.walk = script_walk,
	.references = script_tell_references,
	.forget = script_forget,
	.describe = script_describe,
	.is_calm = script_is_calm,
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

static void *tick(void *number)
{
	for (;;) {
		atomic_fetch_add(&ticking, 1);
		clock_sleep_ns(100 * 1000);
	}
	return NULL;
}

static void run_child(struct child *child, void *argument)
{
	child_start_threads(1, tick);
	child_ready(child);
	child_sleep_for_ever();
}

struct given {
	struct child *child;
	struct session *session;
	struct session_look look;
	struct session_graph *graph;
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
	session_graph_destroy(given->graph);
	session_close(given->session);
	assert_int_equal(script.close_count, 1);
	child_stop(given->child);
	free(given);
	return 0;
}

static struct error *graph(struct given *given)
{
	return session_graph(given->session, &given->look, &given->graph);
}

static void a_graph_is_made_of_a_copy_while_the_process_runs_on(void **state)
{
	struct given *given = *state;

	assert_null(graph(given));
	assert_true(script.ticks_stood_still);
	assert_int_not_equal(script.process_state[0], 't');
	assert_int_equal(given->look.stops, 1);
	assert_true(given->look.consistent);
	assert_true(given->look.pause_ns > 0);
	uint64_t taken_ns = session_graph_taken_ns(given->graph);
	assert_true(taken_ns > 0 && taken_ns < clock_now_ns());
	const struct heap *heap = session_graph_heap(given->graph);
	assert_int_equal(heap->object_count, 1);
	assert_int_equal(heap->at[0], 16);
}

static void what_building_a_graph_took_is_known(void **state)
{
	struct given *given = *state;
	uint64_t begin_ns = clock_now_ns();

	// The second moment is the good one: the walk over the first counts, too.
	script.bad_count = 1;
	assert_null(graph(given));
	uint64_t waited_ns = clock_now_ns() - begin_ns;
	const struct inspected_cost *cost = session_graph_cost(given->graph);
	assert_true(cost->copy_ns > 0 && cost->walk_ns > 0 && cost->pack_ns > 0);
	assert_true(cost->copy_ns + cost->walk_ns + cost->pack_ns <= cost->build_ns);
	assert_true(cost->build_ns <= waited_ns);
	assert_true(cost->build_ns >= given->look.pause_total_ns);
	assert_true(cost->copied_bytes >= sizeof(ticking));
}

static void a_graph_comes_with_the_stacks_of_all_threads(void **state)
{
#if defined(__x86_64__) || defined(__aarch64__)
	struct given *given = *state;

	assert_null(graph(given));
	assert_int_equal(script.stack_count, 2);
	assert_int_equal(script.stacks_told, 2);
#else
	skip();
#endif
}

static void a_bad_copy_is_followed_by_another_with_more_effort(void **state)
{
	struct given *given = *state;

	script.bad_count = 2;
	assert_null(graph(given));
	assert_int_equal(given->look.stops, 3);
	assert_true(given->look.consistent);
	assert_true(given->look.pause_total_ns > given->look.pause_ns);
	assert_int_equal(script.effort[0], TARGET_EFFORT_FIRST);
	assert_int_equal(script.effort[2], TARGET_EFFORT_THOROUGH);
	assert_true(script.ticks_stood_still);
	// What earlier walks saw is forgotten.
	assert_int_equal(session_graph_heap(given->graph)->object_count, 3);
}

static void a_moment_that_shows_itself_as_bad_is_not_copied(void **state)
{
	struct given *given = *state;

	script.restless_count = 3;
	assert_null(graph(given));
	assert_int_equal(given->look.stops, 2);
	assert_int_equal(script.walk_count, 1);
	assert_true(given->look.consistent);
}

static void a_bad_moment_that_is_the_last_is_copied_all_the_same(void **state)
{
	struct given *given = *state;
	struct session_options options = {.stops_max = 1};

	session_close(given->session);
	script.close_count = 0;
	assert_null(session_open(given->child->pid, &options, &given->session));
	script.restless_count = SIZE_MAX;
	script.bad_count = SIZE_MAX;
	assert_null(graph(given));
	assert_int_equal(script.effort[0], TARGET_EFFORT_LAST);
	assert_false(given->look.consistent);
	assert_int_equal(session_graph_heap(given->graph)->object_count, 1);
}

static void the_nth_label_is_that_of_the_nth_reference_in_the_heap(void **state)
{
	struct given *given = *state;
	static const char *const labels[] = {".left", "['right']", ""};

	// Two objects: the second one is what the first refers to.
	script.bad_count = 1;
	assert_null(graph(given));
	const struct heap *heap = session_graph_heap(given->graph);
	uint32_t first = heap_find(heap, 16);
	assert_int_equal(heap_edge_count(heap, first), ARRAY_COUNT(labels));
	for (uint32_t i = 0; i < ARRAY_COUNT(labels); i++) {
		_cleanup_text_ struct text text = {0};
		assert_null(heap_label(heap, first, i, &text));
		assert_string_equal(text_chars(&text), labels[i]);
	}
	// The adapter is asked once for all of them.
	assert_int_equal(script.references_count, 1);
	assert_int_equal(script.telling, TARGET_TELL_ALL);
	// What is kept was told with values.
	session_redact(given->session, true);
	for (int again = 0; again < 2; again++) {
		_cleanup_text_ struct text text = {0};
		assert_null(heap_label(heap, first, 0, &text));
		assert_int_equal(script.references_count, 2);
		assert_int_equal(script.telling, TARGET_TELL_SHAPES);
	}
	_cleanup_text_ struct text text = {0};
	session_redact(given->session, false);
	assert_null(heap_label(heap, first, 0, &text));
	assert_int_equal(script.references_count, 3);
	assert_int_equal(script.telling, TARGET_TELL_ALL);
}

static void an_object_is_described_from_the_copy(void **state)
{
	struct given *given = *state;
	_cleanup_text_ struct text text = {0};

	assert_null(graph(given));
	assert_null(session_graph_describe(given->session, given->graph, 0, 40, &text));
	assert_string_equal(text_chars(&text), "thing 16 of 1 ticks, in 40 characters");
	assert_int_equal(script.telling, TARGET_TELL_ALL);
	session_redact(given->session, true);
	assert_null(session_graph_describe(given->session, given->graph, 0, 40, &text));
	assert_int_equal(script.telling, TARGET_TELL_SHAPES);
}

static void a_graph_outlives_its_process(void **state)
{
	struct given *given = *state;
	_cleanup_text_ struct text text = {0};

	assert_null(graph(given));
	kill(given->child->pid, SIGKILL);
	assert_true(thread_reaches_state(given->child->pid, 'Z'));
	assert_null(session_graph_describe(given->session, given->graph, 0, 40, &text));
	assert_string_equal(text_chars(&text), "thing 16 of 1 ticks, in 40 characters");
}

static void a_walk_over_the_copy_that_fails_ends_the_look(void **state)
{
	struct given *given = *state;

	script.bad_count = SIZE_MAX;
	script.fail_at = 2;
	_cleanup_error_ struct error *error = graph(given);
	assert_non_null(error);
	assert_int_equal(error->code, ERROR_NO_MEMORY);
	assert_int_equal(script.walk_count, 2);
	assert_null(given->graph);
}

static void there_is_no_graph_of_a_process_that_has_ended(void **state)
{
	struct given *given = *state;

	kill(given->child->pid, SIGKILL);
	assert_true(thread_reaches_state(given->child->pid, 'Z'));
	_cleanup_error_ struct error *error = graph(given);
	assert_non_null(error);
	assert_int_equal(error->code, ERROR_GONE);
	assert_int_equal(script.walk_count, 0);
}

#define WITH_SESSION(test) cmocka_unit_test_setup_teardown(test, given_session, drop_session)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SESSION(a_graph_is_made_of_a_copy_while_the_process_runs_on),
		WITH_SESSION(what_building_a_graph_took_is_known),
		WITH_SESSION(a_graph_comes_with_the_stacks_of_all_threads),
		WITH_SESSION(a_bad_copy_is_followed_by_another_with_more_effort),
		WITH_SESSION(a_moment_that_shows_itself_as_bad_is_not_copied),
		WITH_SESSION(a_bad_moment_that_is_the_last_is_copied_all_the_same),
		WITH_SESSION(the_nth_label_is_that_of_the_nth_reference_in_the_heap),
		WITH_SESSION(an_object_is_described_from_the_copy),
		WITH_SESSION(a_graph_outlives_its_process),
		WITH_SESSION(a_walk_over_the_copy_that_fails_ends_the_look),
		WITH_SESSION(there_is_no_graph_of_a_process_that_has_ended),
	};

	if (!tracing_is_there())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
