// SPDX-License-Identifier: GPL-3.0-or-later
// What `cycles` and `garbage` say of heaps from text.
#include "ui/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "support/fake_inspected.h"

static struct fake_inspected fake;

// A reachable pair with a finalizer, two pairs that a collection frees, one that none frees, one set
// aside, and a pair without a finalizer.
static const char heap_text[] = "type a.Parent finalizer=del\n"
				"type a.Child\n"
				"type old.Node finalizer=legacy\n"
				"object 0x1000 dict size=64 tracked\n"
				"object 0x2000 a.Parent size=48 tracked\n"
				"object 0x2100 a.Child size=40 tracked\n"
				"object 0x3000 a.Parent size=48 tracked\n"
				"object 0x3100 a.Child size=40 tracked\n"
				"object 0x4000 a.Parent size=48 tracked\n"
				"object 0x4100 a.Child size=40 tracked\n"
				"object 0x5000 old.Node size=32 tracked legacy\n"
				"object 0x5100 old.Node size=32 tracked legacy\n"
				"object 0x6000 a.Parent size=48 tracked frozen\n"
				"object 0x6100 a.Child size=40 tracked frozen\n"
				"object 0x7000 a.Child size=40 tracked\n"
				"object 0x7100 a.Child size=40 tracked\n"
				"object 0x8000 list size=80 tracked\n"
				"object 0x8100 a.Parent size=48\n"
				"edge 0x1000 0x2000 gc \"['p']\"\n"
				"edge 0x2000 0x2100 gc .child\n"
				"edge 0x2100 0x2000 gc .parent\n"
				"edge 0x3000 0x3100 gc .child\n"
				"edge 0x3100 0x3000 gc .parent\n"
				"edge 0x4000 0x4100 gc .child\n"
				"edge 0x4100 0x4000 gc .parent\n"
				"edge 0x5000 0x5100 gc .next\n"
				"edge 0x5100 0x5000 gc .next\n"
				"edge 0x6000 0x6100 gc .child\n"
				"edge 0x6100 0x6000 gc .parent\n"
				"edge 0x7000 0x7100 gc .peer\n"
				"edge 0x7100 0x7000 gc .peer\n"
				"edge 0x8000 0x8100 gc [0]\n"
				"root 0x1000 module owns a\n"
				"root 0x7000 frame owns main\n"
				"root 0x8000 garbage owns\n"
				"collector garbage=0x8000\n";

static int given_a_heap(void **state)
{
	fake_inspected_init(&fake, heap_text);
	return 0;
}

static int end(void **state)
{
	fake_inspected_deinit(&fake);
	return 0;
}

static void given_another(const char *text)
{
	fake_inspected_deinit(&fake);
	fake_inspected_init(&fake, text);
}

static void assert_json(const char *line, const char *key, const char *expected)
{
	json_t *root = fake_inspected_json(&fake, line);
	json_t *wanted = json_loads(expected, JSON_DECODE_ANY, NULL);
	json_t *got = json_object_get(root, key);

	assert_non_null(wanted);
	if (!json_equal(wanted, got)) {
		_cleanup_free_ char *text = json_dumps(got, JSON_ENCODE_ANY);
		fail_msg("%s: %s is %s", line, key, text ? text : "nothing");
	}
	json_decref(wanted);
	json_decref(root);
}

// The states of the rows, as "a b c".
static void assert_states(const char *line, const char *states)
{
	_cleanup_text_ struct text text = {0};
	json_t *root = fake_inspected_json(&fake, line);
	json_t *rows = json_object_get(root, "cycles");

	for (size_t i = 0; i < json_array_size(rows); i++)
		assert_null(text_appendf(
			&text, "%s%s", i ? " " : "",
			json_string_value(json_object_get(json_array_get(rows, i), "state"))));
	assert_string_equal(text_chars(&text), states);
	json_decref(root);
}

static void assert_says(const char *line, const char *words, bool does)
{
	_cleanup_free_ char *text = NULL;

	assert_null(fake_inspected_run(&fake, line, &text));
	if ((strstr(text, words) != NULL) != does)
		fail_msg("%s says\n%s", line, text);
}

static void a_row_has_what_the_contract_says(void **state)
{
	assert_json(
		"cycles --state pending", "cycles",
		"[{\"state\": \"pending\", \"count\": 2, \"objects\": 4, \"size\": 176,"
		" \"shape\": \"Parent.child -> Child.parent\","
		" \"finalizers\": [{\"type\": \"a.Parent\", \"kind\": \"del\"}],"
		" \"types\": [\"a.Child\", \"a.Parent\"], \"example\": [\"0x3000\", \"0x3100\"],"
		" \"holder\": null}]");
	assert_json(
		"cycles --state reachable", "cycles",
		"[{\"state\": \"reachable\", \"count\": 1, \"objects\": 2, \"size\": 88,"
		" \"shape\": \"Parent.child -> Child.parent\","
		" \"finalizers\": [{\"type\": \"a.Parent\", \"kind\": \"del\"}],"
		" \"types\": [\"a.Child\", \"a.Parent\"], \"example\": [\"0x2000\", \"0x2100\"],"
		" \"holder\": {\"address\": \"0x1000\", \"type\": \"dict\","
		" \"label\": \"['p']\", \"held\": \"0x2000\"}}]");
}

static void rows_are_chosen_by_state_and_name(void **state)
{
	assert_states("cycles", "uncollectable pending reachable frozen");
	assert_states("cycles --all", "uncollectable pending reachable reachable frozen");
	assert_states("cycles --state any --filter old", "uncollectable");
	assert_states("cycles --filter '*.child -> *'", "pending reachable frozen");
	assert_states("cycles --filter a.Child --state frozen", "frozen");
	assert_states("cycles --filter nothing", "");
	assert_states("cycles -n 2", "uncollectable pending");
}

static void the_sum_is_of_all_that_was_asked_for(void **state)
{
	assert_json("cycles -n 1", "total",
		    "{\"count\": 5, \"objects\": 10, \"size\": 416, \"rows\": 4}");
	assert_json("cycles -n 1", "rest",
		    "{\"count\": 4, \"objects\": 8, \"size\": 352, \"rows\": 3}");
	assert_json("cycles", "without_finalizer", "1");
	assert_json("cycles --all", "without_finalizer", "0");
}

static void people_are_told_what_becomes_of_them(void **state)
{
	assert_says("cycles", "held by dict['p'], the object at 0x1000", true);
	assert_says("cycles", "the next collection of all generations frees them\n", true);
	assert_says("cycles", "gc.freeze()", true);
	assert_says("cycles", "1 cycle without a finalizer left out", true);
	assert_says("cycles", "collector is disabled", false);
	assert_says("cycles --state frozen", "the next collection", false);
	given_another("type P finalizer=del\n"
		      "object 0x10 P tracked\n"
		      "edge 0x10 0x10 gc .self\n"
		      "collector disabled\n");
	assert_says("cycles", "but the collector is disabled", true);
}

static void who_holds_without_being_an_object_is_told(void **state)
{
	given_another("type P finalizer=del\n"
		      "object 0x10 P tracked\n"
		      "object 0x20 P tracked refs=7\n"
		      "edge 0x10 0x10 gc .self\n"
		      "edge 0x20 0x20 gc .me\n"
		      "root 0x10 frame owns \"thread 9 in run() at shop.py:3\"\n"
		      "object 0x10000 None\n");
	assert_says("cycles", "held by thread 9 in run() at shop.py:3", true);
	assert_says("cycles", "held by C code alone", true);
}

static void garbage_tells_what_a_collection_would_find(void **state)
{
	assert_json("garbage", "unreachable", "4");
	assert_json("garbage", "uncollectable", "2");
	assert_json("garbage", "by_type",
		    "[{\"name\": \"a.Child\", \"count\": 2, \"size\": 80},"
		    " {\"name\": \"a.Parent\", \"count\": 2, \"size\": 96},"
		    " {\"name\": \"old.Node\", \"count\": 2, \"size\": 64}]");
	assert_json("garbage", "uncollectable_by_type",
		    "[{\"name\": \"old.Node\", \"count\": 2, \"size\": 64}]");
	assert_json("garbage", "to_garbage", "2");
	assert_json("garbage", "garbage", "1");
	assert_json("garbage", "garbage_by_type",
		    "[{\"name\": \"a.Parent\", \"count\": 1, \"size\": 48}]");
	assert_json("garbage", "unfinalized", "2");
	assert_json("garbage", "callbacks", "0");
	assert_json("garbage", "enabled", "true");
	assert_says("garbage", "gc.collect() would return 6: 4 to be freed, 2 that cannot be freed",
		    true);
	assert_says("garbage", "uncollectable by type\n", true);
	assert_says("garbage -n 1", "(2 more types)", true);
}

static void a_collection_that_could_be_tried_has_the_last_word(void **state)
{
	// given a heap with finalizers, when a trial finds fewer and saves one
	addr_t saved[] = {0x10, 0x7777};

	given_another("type P finalizer=del\n"
		      "object 0x10 P tracked size=8\n"
		      "edge 0x10 0x10 gc .self\n"
		      "object 0x20 P tracked size=8\n"
		      "edge 0x20 0x20 gc .self\n");
	fake.collection = (struct target_collection){
		.done = true, .returned = 1, .garbage = saved, .garbage_count = 2};
	assert_json("garbage", "tried", "true");
	assert_json("garbage", "unreachable", "1");
	assert_json("garbage", "to_garbage", "2");
	assert_json("garbage", "to_garbage_by_type",
		    "[{\"name\": \"P\", \"count\": 1, \"size\": 8}]");
	assert_says("garbage", "over a copy of the process's memory", true);
	assert_true(fake.collect_count > 0);
}

static void why_a_collection_could_not_be_tried_is_told(void **state)
{
	assert_json("garbage", "tried", "false");
	assert_says("garbage", "what finalizers would do could not be tried: it is made of text",
		    true);
	// without code that could run, there is nothing to try
	given_another("type P\n"
		      "object 0x10 P tracked\n"
		      "edge 0x10 0x10 gc .self\n");
	assert_json("garbage", "unreachable", "1");
	assert_says("garbage", "tried:", false);
	assert_int_equal(fake.collect_count, 0);
}

static void types_of_one_name_are_one_row(void **state)
{
	given_another("type P at=0x100\n"
		      "type P at=0x200\n"
		      "object 0x10 P tracked size=8\n"
		      "edge 0x10 0x10 gc .self\n"
		      "collector disabled saveall\n");
	assert_json("garbage", "by_type", "[{\"name\": \"P\", \"count\": 1, \"size\": 8}]");
	assert_says("garbage", "put into gc.garbage (DEBUG_SAVEALL)", true);
	assert_says("garbage", "the collector is disabled", true);
}

static void an_empty_heap_has_none(void **state)
{
	given_another("");
	assert_json("cycles", "cycles", "[]");
	assert_json("cycles --all", "without_finalizer", "0");
	assert_says("cycles", "cycles: none", true);
	assert_json("garbage", "by_type", "[]");
	assert_json("garbage", "garbage_by_type", "[]");
	assert_says("garbage", "gc.collect() would return 0", true);
	assert_says("garbage", "garbage by type", false);
}

static void a_hostile_name_does_no_harm(void **state)
{
	static const char *const lines[] = {"cycles", "garbage"};

	given_another("type \"\033[2J\xff\" finalizer=del\n"
		      "object 0x10 \"\033[2J\xff\" tracked refs=2\n"
		      "object 0x20 \"\033[2J\xff\" tracked\n"
		      "edge 0x10 0x10 gc \".\033[8m\"\n"
		      "edge 0x20 0x20 gc .x\n"
		      "root 0x10 frame \"\033]0;x\007\"\n");
	for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
		_cleanup_free_ char *text = NULL;
		assert_null(fake_inspected_run(&fake, lines[i], &text));
		for (const char *c = text; *c; c++)
			assert_true((unsigned char)*c >= ' ' || *c == '\n');
		json_decref(fake_inspected_json(&fake, lines[i]));
	}
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, given_a_heap, end)
	const struct CMUnitTest tests[] = {
		TEST(a_row_has_what_the_contract_says),
		TEST(rows_are_chosen_by_state_and_name),
		TEST(the_sum_is_of_all_that_was_asked_for),
		TEST(people_are_told_what_becomes_of_them),
		TEST(who_holds_without_being_an_object_is_told),
		TEST(garbage_tells_what_a_collection_would_find),
		TEST(a_collection_that_could_be_tried_has_the_last_word),
		TEST(why_a_collection_could_not_be_tried_is_told),
		TEST(types_of_one_name_are_one_row),
		TEST(an_empty_heap_has_none),
		TEST(a_hostile_name_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
