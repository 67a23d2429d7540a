// SPDX-License-Identifier: GPL-3.0-or-later
// `threads`: the stacks of threads, for people and for programs.
#include "ui/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "support/fake_inspected.h"

static char shop_file[] = "/srv/shop.py", odd_file[] = "/srv/line\nbreak.py";
static char module_name[] = "<module>", again_name[] = "again", again_long[] = "Cart.again";

static struct target_function functions[] = {
	{.name = module_name, .file = shop_file},
	{.name = again_name, .qualified_name = again_long, .file = odd_file},
};

// The innermost first: again() is on line 3, and was called from its line 2 six times.
static struct target_call calls[] = {{1, 3}, {1, 2}, {1, 2}, {1, 2},
				     {1, 2}, {1, 2}, {1, 2}, {0, 9}};

static struct target_call_stack stacks[] = {
	{.thread = {.tid = 20, .holds_gil = true}, .first = 0, .count = ARRAY_COUNT(calls)},
	{.thread = {.tid = 10}},
	{.thread = {.tid = 0}, .first = 7, .count = 1, .left_out = 1234},
};

static void given_threads(struct fake_inspected *fake)
{
	fake_inspected_init(fake, "");
	fake->stacks = (struct target_call_stacks){
		.list = stacks,
		.count = ARRAY_COUNT(stacks),
		.calls = calls,
		.call_count = ARRAY_COUNT(calls),
		.functions = functions,
		.function_count = ARRAY_COUNT(functions),
		.interpreter_count = 1,
	};
}

static void a_stack_is_written_as_a_traceback(void **state)
{
	static const char expected[] = "thread 10\n"
				       "  no Python function runs in it\n"
				       "\n"
				       "thread 20, has the GIL\n"
				       "  File \"/srv/shop.py\", line 9, in <module>\n"
				       "  File \"/srv/line\\x0abreak.py\", line 2, in again\n"
				       "  File \"/srv/line\\x0abreak.py\", line 2, in again\n"
				       "  File \"/srv/line\\x0abreak.py\", line 2, in again\n"
				       "    (the same line 3 more times)\n"
				       "> File \"/srv/line\\x0abreak.py\", line 3, in again\n"
				       "\n"
				       "a thread that is no longer\n"
				       "  (1,234 outer calls left out)\n"
				       "> File \"/srv/shop.py\", line 9, in <module>\n";
	struct fake_inspected fake;
	_cleanup_free_ char *text = NULL;

	given_threads(&fake);
	struct error *error = fake_inspected_run(&fake, "threads -q", &text);
	assert_null(error);
	assert_string_equal(text, expected);
	fake_inspected_deinit(&fake);
}

static void programs_get_every_call(void **state)
{
	struct fake_inspected fake;

	given_threads(&fake);
	json_t *root = fake_inspected_json(&fake, "threads");
	json_t *threads = json_object_get(root, "threads");
	assert_int_equal(json_array_size(threads), 3);
	json_t *busy = json_array_get(threads, 1);
	assert_int_equal(json_integer_value(json_object_get(busy, "tid")), 20);
	assert_true(json_is_true(json_object_get(busy, "gil")));
	json_t *stack = json_object_get(busy, "stack");
	assert_int_equal(json_array_size(stack), ARRAY_COUNT(calls));
	json_t *outer = json_array_get(stack, 0), *inner = json_array_get(stack, 7);
	assert_string_equal(json_string_value(json_object_get(outer, "function")), "<module>");
	assert_true(json_is_null(json_object_get(outer, "qualname")));
	assert_string_equal(json_string_value(json_object_get(inner, "file")),
			    "/srv/line\nbreak.py");
	assert_int_equal(json_integer_value(json_object_get(inner, "line")), 3);
	assert_string_equal(json_string_value(json_object_get(inner, "qualname")), "Cart.again");
	json_t *last = json_array_get(threads, 2);
	assert_true(json_is_null(json_object_get(last, "tid")));
	assert_int_equal(json_integer_value(json_object_get(last, "left_out")), 1234);
	json_decref(root);
	fake_inspected_deinit(&fake);
}

static void a_limit_leaves_threads_out(void **state)
{
	struct fake_inspected fake;
	_cleanup_free_ char *text = NULL;

	given_threads(&fake);
	assert_null(fake_inspected_run(&fake, "threads -n 1", &text));
	assert_non_null(strstr(text, "thread 10\n"));
	assert_null(strstr(text, "thread 20"));
	assert_non_null(strstr(text, "(2 more threads)\n"));
	fake_inspected_deinit(&fake);
}

static void a_chain_that_was_cut_is_told(void **state)
{
	struct fake_inspected fake;
	_cleanup_free_ char *text = NULL;

	given_threads(&fake);
	fake.stacks.is_truncated = true;
	fake.stacks.interpreter_count = 2;
	assert_null(fake_inspected_run(&fake, "threads", &text));
	assert_non_null(strstr(text, "unreadable: 0, truncated: 1"));
	assert_non_null(strstr(text, "thread 20, interpreter 0, has the GIL\n"));
	fake_inspected_deinit(&fake);
}

static void without_values_a_name_is_its_length(void **state)
{
	struct fake_inspected fake;
	_cleanup_free_ char *text = NULL, *plain = NULL;

	given_threads(&fake);
	// given a thread that the kernel has a name for
	stacks[1].thread.tid = fake.inspected.pid;
	assert_null(fake_inspected_run(&fake, "threads --redact", &text));
	assert_true(fake.redacts);
	assert_non_null(strstr(text, " <name of "));
	assert_null(fake_inspected_run(&fake, "threads", &plain));
	assert_false(fake.redacts);
	assert_null(strstr(plain, "<name of "));
	stacks[1].thread.tid = 10;
	fake_inspected_deinit(&fake);
}

static void a_process_that_has_ended_is_an_error(void **state)
{
	struct fake_inspected fake;

	given_threads(&fake);
	fake.gone = true;
	_cleanup_error_ struct error *error = fake_inspected_run(&fake, "threads", NULL);
	assert_non_null(error);
	assert_int_equal(error->code, ERROR_GONE);
	fake_inspected_deinit(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stack_is_written_as_a_traceback),
		cmocka_unit_test(programs_get_every_call),
		cmocka_unit_test(a_limit_leaves_threads_out),
		cmocka_unit_test(a_chain_that_was_cut_is_told),
		cmocka_unit_test(without_values_a_name_is_its_length),
		cmocka_unit_test(a_process_that_has_ended_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
