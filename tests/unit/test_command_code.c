// SPDX-License-Identifier: GPL-3.0-or-later
// The verbs that run code: `eval`, `repl`, and `garbage --verify`.
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

// Two objects that hold each other and nobody else holds.
static const char loop[] = "object 0x1000 dict size=64 refs=1 tracked generation=1\n"
			   "object 0x2000 list size=64 refs=1 tracked generation=1\n"
			   "object 0x3000 tuple size=64 refs=1 tracked generation=1\n"
			   "edge 0x1000 0x2000 gc\n"
			   "edge 0x2000 0x1000 gc\n";

static int given_a_loop(void **state)
{
	fake_inspected_init(&fake, loop);
	fake.answer_output = "said\n";
	fake.answer_value = "42";
	return 0;
}

static int end(void **state)
{
	fake_inspected_deinit(&fake);
	return 0;
}

static void assert_prints(const char *line, const char *expected)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_error_ struct error *error = fake_inspected_run(&fake, line, &text);

	if (error)
		fail_msg("%s", error->message);
	assert_string_equal(text, expected);
}

static void assert_refused(const char *line, enum error_code code, const char *part)
{
	_cleanup_error_ struct error *error = fake_inspected_run(&fake, line, NULL);

	assert_non_null(error);
	assert_int_equal(error->code, code);
	assert_non_null(strstr(error->message, part));
}

static void eval_prints_what_was_written_and_the_value(void **state)
{
	assert_prints("eval '6 * 7'", "said\n42\n");
	assert_string_equal(fake.code, "6 * 7");
	assert_int_equal(fake.end_count, 1);
	json_t *root = fake_inspected_json(&fake, "eval x");
	assert_string_equal(json_string_value(json_object_get(root, "value")), "42");
	assert_string_equal(json_string_value(json_object_get(root, "type")), "int");
	assert_string_equal(json_string_value(json_object_get(root, "output")), "said\n");
	json_decref(root);
}

static void what_raises_has_no_value(void **state)
{
	fake.answer.state = TARGET_ANSWER_RAISED;
	assert_prints("eval x", "said\n");
	json_t *root = fake_inspected_json(&fake, "eval x");
	assert_true(json_is_null(json_object_get(root, "value")));
	assert_true(json_is_true(json_object_get(root, "raised")));
	json_decref(root);
}

static void a_clone_that_is_lost_is_an_error_that_tells_how(void **state)
{
	fake.answer.state = TARGET_ANSWER_LOST;
	strcpy(fake.answer.lost, "it crashed");
	assert_refused("eval x", ERROR_FAILED, "it crashed");
	assert_refused("repl -c x", ERROR_FAILED, "it crashed");
	assert_int_equal(fake.end_count, 2);
}

static void repl_runs_a_program(void **state)
{
	assert_prints("repl -c 'print(1)'", "said\n");
	assert_string_equal(fake.code, "print(1)");
	assert_refused("repl --file '/no such file'", ERROR_FAILED, "/no such file");
}

static void wrong_words_are_refused(void **state)
{
	assert_refused("eval", ERROR_USAGE, "EXPRESSION");
	assert_refused("eval --timeout 0 x", ERROR_USAGE, "--timeout");
	assert_refused("repl -c x --file y", ERROR_USAGE, "not both");
}

static json_t *verified(addr_t *found, size_t count, int64_t returned)
{
	fake.collection = (struct target_collection){
		.done = true, .returned = returned, .garbage = found, .garbage_count = count};
	return fake_inspected_json(&fake, "garbage --verify");
}

static void garbage_agrees_with_a_collection_that_found_the_same(void **state)
{
	addr_t found[] = {0x2000, 0x1000, 0x3000};
	json_t *root = verified(found, ARRAY_COUNT(found), 2);
	json_t *answer = json_object_get(root, "verified");

	// The tuple is held from outside.
	assert_true(json_is_false(json_object_get(answer, "agrees")));
	json_decref(root);
	root = verified(found, 2, 2);
	answer = json_object_get(root, "verified");
	assert_true(json_is_true(json_object_get(answer, "agrees")));
	assert_int_equal(json_integer_value(json_object_get(answer, "compared")), 2);
	assert_int_equal(json_array_size(json_object_get(root, "differences")), 0);
	json_decref(root);
}

static void garbage_lists_what_differs(void **state)
{
	addr_t found[] = {0x1000, 0x7000};
	json_t *root = verified(found, ARRAY_COUNT(found), 2);
	json_t *list = json_object_get(root, "differences");

	assert_int_equal(json_array_size(list), 2);
	json_t *unknown = json_array_get(list, 0), *missing = json_array_get(list, 1);
	assert_string_equal(json_string_value(json_object_get(unknown, "address")), "0x7000");
	assert_true(json_is_null(json_object_get(unknown, "type")));
	assert_string_equal(json_string_value(json_object_get(missing, "type")), "list");
	assert_true(json_is_true(json_object_get(missing, "predicted")));
	json_decref(root);
}

static void a_collection_that_failed_agrees_with_nothing(void **state)
{
	json_t *root = fake_inspected_json(&fake, "garbage --verify");
	json_t *answer = json_object_get(root, "verified");

	assert_true(json_is_false(json_object_get(answer, "agrees")));
	assert_string_equal(json_string_value(json_object_get(answer, "reason")),
			    "it is made of text");
	json_decref(root);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, given_a_loop, end)
	const struct CMUnitTest tests[] = {
		TEST(eval_prints_what_was_written_and_the_value),
		TEST(what_raises_has_no_value),
		TEST(a_clone_that_is_lost_is_an_error_that_tells_how),
		TEST(repl_runs_a_program),
		TEST(wrong_words_are_refused),
		TEST(garbage_agrees_with_a_collection_that_found_the_same),
		TEST(garbage_lists_what_differs),
		TEST(a_collection_that_failed_agrees_with_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
