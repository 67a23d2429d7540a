// SPDX-License-Identifier: GPL-3.0-or-later
// The verbs diff, over files of snapshots, snapshot and save.
#include "ui/command.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "support/fake_service.h"
#include "ui/console/words.h"

static struct scratch *scratch;
static struct fake_service fake;

/** What a file of given() has besides types. */
struct document {
	int64_t time_ms;
	int64_t rss;
	int64_t ref_total;
	int pid;
	const char *exact;
	const char *runtime;
};

static const struct document plain = {.time_ms = 1000,
				      .rss = 4096,
				      .ref_total = -1,
				      .pid = 1,
				      .exact = "true",
				      .runtime = "cpython"};

static void given(const char *name, const char *types, struct document document)
{
	_cleanup_text_ struct text text = {0};

	assert_null(text_appendf(
		&text,
		"{\"leakinspect\":\"snapshot\",\"format\":1,\"time_ms\":%lld,\"pid\":%d,"
		"\"start_ticks\":2,\"runtime\":\"%s\",\"rss\":%lld,\"vss\":4,\"ref_total\":%lld,"
		"\"exact\":%s,\"types\":[%s]}",
		(long long)document.time_ms, document.pid, document.runtime,
		(long long)document.rss, (long long)document.ref_total, document.exact, types));
	scratch_write(scratch, name, text.chars, text.length);
}

static int given_two_files(void **state)
{
	scratch = scratch_create();
	fake_service_init(&fake, scratch);
	given("a", "[\"dict\",30,20,0,3000,40],[\"Cart\",5,5,0,250,10],[\"gone\",2,0,0,20,2]",
	      plain);
	given("b", "[\"dict\",31,20,0,9000,30],[\"Cart\",15,5,0,750,20],[\"new\",1,0,0,10,100]",
	      (struct document){.time_ms = 3500,
				.rss = 1024,
				.ref_total = -1,
				.pid = 1,
				.exact = "true",
				.runtime = "cpython"});
	return 0;
}

static int end(void **state)
{
	scratch_destroy(scratch);
	return 0;
}

static struct error *run(const char *line, char **ret)
{
	_cleanup_words_ struct words words = {0};
	_cleanup_arguments_ struct arguments arguments = {0};
	_cleanup_free_ char *expanded = scratch_output(scratch, "printf %%s \"%s\"", line);
	_cleanup_text_ struct text text = {0};
	const struct command *command;
	size_t bytes;
	int status;

	assert_null(text_appendf(&text, "%s --force -o '%s'", expanded,
				 scratch_path(scratch, "answer")));
	struct error *error = words_split(text_chars(&text), &words);
	if (!error)
		error = command_find(words.list[0], COMMAND_IN_SHELL, &command);
	if (!error)
		error = arguments_parse(command, (int)words.count, words.list, &arguments);
	if (!error)
		error = command_check(command, &arguments);
	if (!error)
		error = command_run(command, &arguments, &fake.inspected, NULL, NULL, &status);
	if (!error)
		*ret = scratch_read(scratch_path(scratch, "answer"), &bytes);
	return error;
}

static char *answer(const char *line)
{
	char *text = NULL;
	struct error *error = run(line, &text);

	if (error)
		fail_msg("%s: %s", line, error->message);
	return text;
}

static json_t *answer_json(const char *line)
{
	char with_json[256];

	snprintf(with_json, sizeof(with_json), "%s --json", line);
	_cleanup_free_ char *text = answer(with_json);
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	return root;
}

static void then_types(const char *line, const char *names)
{
	_cleanup_text_ struct text text = {0};
	json_t *root = answer_json(line);
	const json_t *types = json_object_get(root, "types");

	for (size_t i = 0; i < json_array_size(types); i++)
		assert_null(text_appendf(
			&text, "%s%s", i ? " " : "",
			json_string_value(json_object_get(json_array_get(types, i), "name"))));
	assert_string_equal(text_chars(&text), names);
	json_decref(root);
}

static void rows_come_in_the_order_asked_for(void **state)
{
	then_types("diff $S/a $S/b", "Cart dict new gone");
	then_types("diff $S/a $S/b --sort instances", "Cart dict new gone");
	then_types("diff $S/a $S/b --sort refs", "new Cart gone dict");
	then_types("diff $S/a $S/b --sort size", "dict Cart new gone");
	then_types("diff $S/a $S/b --sort name", "Cart dict gone new");
	then_types("diff $S/a $S/b --filter Ca", "Cart");
	then_types("diff $S/a $S/b --filter nothing", "");
	then_types("diff $S/a $S/a", "");
	then_types("diff $S/b $S/a", "gone new dict Cart");
}

static int64_t number_of(const json_t *root, const char *key)
{
	return json_integer_value(json_object_get(root, key));
}

static void changes_are_told_in_numbers(void **state)
{
	json_t *root = answer_json("diff $S/a $S/b");
	const json_t *cart = json_array_get(json_object_get(root, "types"), 0);

	assert_int_equal(number_of(cart, "instances"), 10);
	assert_int_equal(number_of(cart, "refs"), 10);
	assert_int_equal(number_of(cart, "size"), 500);
	assert_int_equal(number_of(cart, "now"), 15);
	assert_null(json_object_get(cart, "trend"));
	assert_int_equal(number_of(root, "sys_refcount"), 150);
	assert_int_equal(number_of(root, "change"), 98);
	assert_int_equal(number_of(root, "rss_change"), -3072);
	assert_int_equal(number_of(root, "to_ms") - number_of(root, "from_ms"), 2500);
	assert_true(json_is_true(json_object_get(root, "exact")));
	json_decref(root);
}

static void what_a_limit_leaves_out_is_one_row(void **state)
{
	_cleanup_free_ char *text = answer("diff $S/a $S/b -q -n 1");
	_cleanup_free_ char *all = answer("diff $S/a $S/b -n 0");

	assert_non_null(strstr(text, "\n(3 more types) "));
	assert_non_null(strstr(text, "\ntotal"));
	assert_null(strstr(all, "more type"));
	assert_non_null(strstr(all, "\ngone "));
	assert_non_null(strstr(all, "2.5 s apart"));
}

static void three_tell_a_trend(void **state)
{
	given("c", "[\"dict\",32,20,0,9000,30],[\"Cart\",15,5,0,750,20]", plain);
	then_types("diff $S/a $S/b $S/c --grows", "dict");
	then_types("diff $S/a $S/b --grows", "");
	json_t *root = answer_json("diff $S/a $S/b $S/c");
	const json_t *cart = json_array_get(json_object_get(root, "types"), 0);
	assert_string_equal(json_string_value(json_object_get(cart, "trend")), "once");
	json_decref(root);
}

// A debug build's own total beside the sum over a release build's heap would be no change.
static void totals_of_two_kinds_are_not_compared(void **state)
{
	struct document debug = plain;

	debug.ref_total = 1000000;
	given("debug", "[\"dict\",30,20,0,3000,50]", debug);
	json_t *root = answer_json("diff $S/a $S/debug");
	assert_int_equal(number_of(root, "sys_refcount"), 1000000);
	assert_int_equal(number_of(root, "change"), -2);
	json_decref(root);
}

static void what_is_not_exact_or_of_another_process_is_told(void **state)
{
	struct document other = plain;

	other.pid = 2;
	other.exact = "false";
	given("other", "", other);
	_cleanup_free_ char *text = answer("diff $S/a $S/other");
	assert_non_null(strstr(text, "number 2 of these is not exact"));
	assert_non_null(strstr(text, "of more than one process"));
	_cleanup_free_ char *same = answer("diff $S/a $S/b");
	assert_null(strstr(same, "not exact"));
	assert_null(strstr(same, "more than one process"));
}

static void words_of_a_file_cannot_harm_a_terminal(void **state)
{
	struct document hostile = plain;

	hostile.runtime = "\\u001b[2J\\nrm";
	given("hostile", "[\"\\u001b]0;x\\u0007\",1,0,0,1,1]", hostile);
	_cleanup_free_ char *text = answer("diff $S/a $S/hostile");
	assert_null(strchr(text, '\033'));
	assert_null(strchr(text, '\007'));
	assert_null(strstr(text, "\nrm"));
	given("hostile", "\\u001b[2J", plain);
	_cleanup_error_ struct error *error = run("diff $S/a $S/hostile", NULL);
	assert_non_null(strstr(error->message, "hostile'"));
}

static void the_largest_numbers_are_told(void **state)
{
	struct document late = plain, early = plain;

	late.time_ms = INT64_MAX / 1000000;
	late.rss = late.ref_total = INT64_MAX;
	early.time_ms = early.rss = early.ref_total = 0;
	given("early", "[\"b\",9223372036854775807,0,0,0,9223372036854775807]", early);
	given("late", "[\"a\",9223372036854775807,0,0,9223372036854775807,0]", late);
	json_t *root = answer_json("diff $S/early $S/late -n 1");
	assert_true(number_of(root, "change") == INT64_MAX);
	assert_true(number_of(json_object_get(root, "rest"), "instances") == -INT64_MAX);
	assert_true(number_of(json_object_get(root, "total"), "instances") == 0);
	json_decref(root);
	_cleanup_free_ char *text = answer("diff $S/late $S/early");
	assert_non_null(strstr(text, "apart"));
}

static void then_refused(const char *line, const char *why)
{
	_cleanup_error_ struct error *error = run(line, NULL);

	if (!error)
		fail_msg("'%s' is done", line);
	if (!strstr(error->message, why))
		fail_msg("'%s': %s", line, error->message);
}

static void wrong_words_are_refused(void **state)
{
	then_refused("diff", "two snapshots");
	then_refused("diff $S/a", "two snapshots");
	then_refused("diff $S/a $S/nowhere", "nowhere': cannot read it");
	then_refused("diff $S/a ''", "cannot read it");
	then_refused("diff $S/a now", "cannot read it");
	then_refused("diff $S/a $S/b --sort count", "--sort wants one of");
	then_refused("diff $S/a $S", "it is no file");
	then_refused("diff $S/a /dev/null", "it is no file");
}

static void a_snapshot_is_what_diff_reads(void **state)
{
	scratch_run(scratch, "printf 'Cart\\nCart\\nItem\\n' >$S/requests");
	scratch_run(scratch, "rm -f $S/answer");
	_cleanup_free_ char *told = answer("snapshot -q");
	assert_non_null(strstr(told, "\"Cart\",2,0,0,100,4"));
	// Whole: the arguments of this program are in it.
	assert_non_null(strstr(told, "test_command_diff"));
	scratch_run(scratch, "cp $S/answer $S/one; echo Item >>$S/requests");
	free(answer("snapshot -q"));
	scratch_run(scratch, "cp $S/answer $S/two");
	then_types("diff $S/one $S/two", "Item");
}

static void a_snapshot_without_values_has_no_arguments(void **state)
{
	_cleanup_free_ char *told = answer("snapshot -q --redact");

	assert_non_null(strstr(told, "\"program\":\"\""));
	assert_null(strstr(told, "test_command_diff"));
}

static struct error *check_in_console(const char *line)
{
	_cleanup_words_ struct words words = {0};
	_cleanup_arguments_ struct arguments arguments = {0};
	const struct command *command;
	struct error *error = words_split(line, &words);

	if (!error)
		error = command_find(words.list[0], COMMAND_IN_CONSOLE, &command);
	if (!error)
		error = arguments_parse(command, (int)words.count, words.list, &arguments);
	return error ? error : command_check(command, &arguments);
}

static void names_of_what_is_kept_are_checked(void **state)
{
	static const struct {
		const char *line, *why;
	} refused[] = {
		{"save now", "'now' is what diff calls"},
		{"save 0123456789012345678901234567890123456789", "fewer than 40"},
		{"save a b", "save"},
	};

	assert_null(check_in_console("save"));
	assert_null(check_in_console("save now2"));
	assert_null(check_in_console("save 012345678901234567890123456789012345678"));
	for (size_t i = 0; i < ARRAY_COUNT(refused); i++) {
		_cleanup_error_ struct error *error = check_in_console(refused[i].line);
		assert_non_null(error);
		assert_int_equal(error->code, ERROR_USAGE);
		assert_non_null(strstr(error->message, refused[i].why));
	}
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, given_two_files, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rows_come_in_the_order_asked_for),
		TEST(changes_are_told_in_numbers),
		TEST(what_a_limit_leaves_out_is_one_row),
		TEST(three_tell_a_trend),
		TEST(totals_of_two_kinds_are_not_compared),
		TEST(what_is_not_exact_or_of_another_process_is_told),
		TEST(words_of_a_file_cannot_harm_a_terminal),
		TEST(the_largest_numbers_are_told),
		TEST(wrong_words_are_refused),
		TEST(a_snapshot_is_what_diff_reads),
		TEST(a_snapshot_without_values_has_no_arguments),
		TEST(names_of_what_is_kept_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
