// SPDX-License-Identifier: GPL-3.0-or-later
// The verb load over a service of our imagination: what it checks, what it tells, the search by halves.
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
#include "ui/load/halving.h"

static struct scratch *scratch;
static struct fake_service fake;
static int exit_status;

// A request for /leak... leaves an object behind.
static const char *leak_of(const char *line)
{
	return strstr(line, "/leak") ? "shop.Cart" : NULL;
}

static int given_a_service(void **state)
{
	scratch = scratch_create();
	fake_service_init(&fake, scratch);
	fake.leaves = leak_of;
	setenv("REQUESTS", fake.path, 1);
	return 0;
}

static int end(void **state)
{
	scratch_destroy(scratch);
	return 0;
}

static struct error *run(const char *line)
{
	_cleanup_words_ struct words words = {0};
	_cleanup_arguments_ struct arguments arguments = {0};
	const struct command *command;
	struct error *error = words_split(line, &words);

	if (!error)
		error = command_find(words.list[0], COMMAND_IN_SHELL, &command);
	if (!error)
		error = arguments_parse(command, (int)words.count, words.list, &arguments);
	if (!error)
		error = command_check(command, &arguments);
	return error ? error
		     : command_run(command, &arguments, &fake.inspected, NULL, NULL, &exit_status);
}

/** What `load OPTIONS -- COMMAND` answers; freed by the caller. */
static char *answer(const char *options, const char *command)
{
	const char *path = scratch_path(scratch, "answer");
	_cleanup_text_ struct text line = {0};
	size_t bytes;

	assert_null(text_appendf(&line, "load --settle 0 --force -o '%s' %s -- sh -c '%s' sh {url}",
				 path, options, command));
	if (!strstr(options, "--urls"))
		line.chars[line.length - strlen("{url}")] = '\0';
	struct error *error = run(text_chars(&line));
	if (error)
		fail_msg("%s", error->message);
	return scratch_read(path, &bytes);
}

static json_t *answer_json(const char *options, const char *command)
{
	_cleanup_text_ struct text with_json = {0};

	assert_null(text_appendf(&with_json, "%s --json", options));
	_cleanup_free_ char *text = answer(text_chars(&with_json), command);
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	return root;
}

static void then_refused(const char *line, const char *why)
{
	_cleanup_error_ struct error *error = run(line);

	if (!error)
		fail_msg("'%s' is done", line);
	if (!strstr(error->message, why))
		fail_msg("'%s': %s", line, error->message);
	assert_int_equal(fake.census_count, 0);
}

static void wrong_words_are_refused_before_the_process_is_stopped(void **state)
{
	then_refused("load", "COMMAND");
	then_refused("load -N 0 -- true", "-N wants a number from 1");
	then_refused("load -N 1001 -- true", "-N wants a number from 1 to 1000");
	then_refused("load -N -1 -- true", "--iterations wants a number");
	then_refused("load --per 0 -- true", "--per wants a number from 1");
	then_refused("load --settle -1s -- true", "is no time");
	then_refused("load --settle 2y -- true", "is no time");
	then_refused("load --settle '' -- true", "is no time");
	then_refused("load --bisect -- true", "--bisect is for --urls");
	then_refused("load --urls f --pageid p -- true {url}", "no --pageid");
	then_refused("load --urls f -- true url", "wants {url}");
	then_refused("load -- true a{url}b", "{url} is for --urls");
	then_refused("load --fail-on size -- true", "growth");
	then_refused("load --scoreboard '' -- true", "has no name");
	then_refused("load --scoreboard a%s -- true", "%");
	then_refused("load --urls /no/such/file -- true {url}", "cannot read '/no/such/file'");
	then_refused("load -- no-such-program-anywhere", "there is no program");
	then_refused("load -- ''", "there is no program");
}

static json_t *iteration_of(const json_t *root, size_t index)
{
	return json_array_get(json_object_get(root, "iterations"), index);
}

static bool is_warm_up(const json_t *root, size_t index)
{
	return json_is_true(json_object_get(iteration_of(root, index), "warm_up"));
}

static void each_iteration_is_told_and_what_grows(void **state)
{
	json_t *root = answer_json("--per 2 -N 4 --fail-on growth --pageid shop",
				   "echo /leak >>$REQUESTS; echo /leak >>$REQUESTS");
	const json_t *growing =
		json_array_get(json_object_get(json_object_get(root, "verdict"), "growing"), 0);

	assert_int_equal(json_array_size(json_object_get(root, "iterations")), 4);
	for (size_t i = 0; i < 4; i++) {
		const json_t *row = iteration_of(root, i);
		assert_int_equal(json_integer_value(json_object_get(row, "n")), i + 1);
		assert_int_equal(json_integer_value(json_object_get(row, "change")), 4);
		assert_string_equal(json_string_value(json_object_get(row, "page_id")), "shop");
		assert_int_equal(is_warm_up(root, i), i == 0);
	}
	assert_string_equal(json_string_value(json_object_get(growing, "name")), "shop.Cart");
	assert_true(json_real_value(json_object_get(growing, "per_iteration")) == 2);
	assert_true(json_real_value(json_object_get(growing, "per_request")) == 1);
	assert_int_equal(exit_status, 3);
	json_decref(root);
}

static void what_does_not_grow_is_no_reason_to_fail(void **state)
{
	json_t *root = answer_json("--fail-on growth", "echo /ok >>$REQUESTS");

	assert_int_equal(exit_status, 0);
	json_decref(root);
}

static void two_iterations_are_too_few_and_it_is_said(void **state)
{
	_cleanup_free_ char *text = answer("-N 2", "true");

	assert_non_null(strstr(text, "too few iterations"));
	assert_null(strstr(text, "come to rest"));
	assert_non_null(strstr(text, "Iteration 1 (warm-up)"));
	assert_non_null(strstr(text, "Iteration 2\n"));
}

static void a_failure_leaves_no_answer(void **state)
{
	_cleanup_text_ struct text line = {0};

	fake.gone_at = 3;
	assert_null(text_appendf(&line, "load --json -o '%s' -- true",
				 scratch_path(scratch, "answer")));
	_cleanup_error_ struct error *error = run(text_chars(&line));
	assert_int_equal(error->code, ERROR_GONE);
	scratch_run(scratch, "test ! -e $S/answer && test -z \"$(ls -A $S | grep answer)\"");
}

static void complaints_cannot_harm_a_terminal(void **state)
{
	_cleanup_free_ char *text =
		answer("-N 1", "printf \"\\033[2Jgone\\033]0;x\\007\" >&2; exit 1");

	assert_null(strchr(text, '\033'));
	assert_null(strchr(text, '\007'));
	assert_non_null(strstr(text, "gone"));
}

static char urls_option[300];

static const char *given_urls(const char *command)
{
	scratch_run(scratch, "{ %s; } >$S/urls", command);
	snprintf(urls_option, sizeof(urls_option), "--urls '%s'", scratch_path(scratch, "urls"));
	return urls_option;
}

static const char *hostile_of(const char *line)
{
	return "shop.\033[2J\nC\xff\x27t";
}

static void names_cannot_harm_a_terminal(void **state)
{
	fake.leaves = hostile_of;
	_cleanup_free_ char *text = answer("-N 3 -v", "echo a >>$REQUESTS");

	assert_null(strchr(text, '\033'));
	assert_non_null(strstr(text, "shop.\\x1b[2J\\x0aC\\xff't"));
	json_t *root = answer_json("-N 3 -v", "echo a >>$REQUESTS");
	json_decref(root);
}

static void each_url_has_a_warm_up_of_its_own(void **state)
{
	char options[400];

	snprintf(options, sizeof(options), "-N 3 %s",
		 given_urls("printf 'http://a/ok\\nhttp://a/leak?1\\n'"));
	json_t *root = answer_json(options, "echo $1 >>$REQUESTS");
	const json_t *urls = json_object_get(root, "urls");

	assert_int_equal(json_array_size(json_object_get(root, "iterations")), 6);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(is_warm_up(root, i), i % 3 == 0);
	assert_string_equal(json_string_value(json_object_get(json_array_get(urls, 0), "url")),
			    "http://a/leak?1");
	assert_int_equal(json_array_size(urls), 2);
	json_decref(root);
}

static json_int_t number_of(const json_t *root, const char *key)
{
	return json_integer_value(json_object_get(json_object_get(root, "bisect"), key));
}

static json_t *when_hunted(const char *urls)
{
	char options[400];

	snprintf(options, sizeof(options), "--bisect --per 1 --fail-on growth %s",
		 given_urls(urls));
	return answer_json(options, "echo \"$1\" >>$REQUESTS");
}

static void three_of_sixty_are_found(void **state)
{
	json_t *root = when_hunted("for i in $(seq 60); do case $i in 7|8|41) echo /leak?$i;; "
				   "*) echo /ok?$i;; esac; done");
	const json_t *urls = json_object_get(root, "urls");
	size_t runs = json_array_size(json_object_get(root, "iterations"));

	assert_int_equal(number_of(root, "leaking"), 3);
	assert_int_equal(number_of(root, "unconfirmed"), 0);
	assert_int_equal(number_of(root, "runs"), runs);
	assert_true(runs <= halving_runs_max(60, 3) + 1);
	assert_int_equal(json_array_size(urls), 3);
	for (size_t i = 0; i < 3; i++) {
		const char *url =
			json_string_value(json_object_get(json_array_get(urls, i), "url"));
		assert_memory_equal(url, "/leak?", 6);
	}
	assert_int_equal(exit_status, 3);
	json_decref(root);
}

// All others are told from it by their numbers, too.
static void the_first_run_of_a_hunt_alone_is_the_warm_up(void **state)
{
	json_t *root = when_hunted("seq -f /leak?%.0f 3; echo /ok");
	size_t runs = json_array_size(json_object_get(root, "iterations"));

	assert_true(runs > 4);
	for (size_t i = 0; i < runs; i++) {
		assert_int_equal(is_warm_up(root, i), i == 0);
		assert_int_equal(json_integer_value(json_object_get(iteration_of(root, i), "n")),
				 i + 1);
	}
	json_decref(root);
}

static void where_none_leaks_two_runs_say_so(void **state)
{
	json_t *root = when_hunted("seq -f /ok?%.0f 100");

	assert_int_equal(number_of(root, "runs"), 2);
	assert_int_equal(number_of(root, "leaking"), 0);
	assert_int_equal(json_array_size(json_object_get(root, "urls")), 0);
	assert_int_equal(exit_status, 0);
	json_decref(root);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, given_a_service, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(wrong_words_are_refused_before_the_process_is_stopped),
		TEST(each_iteration_is_told_and_what_grows),
		TEST(what_does_not_grow_is_no_reason_to_fail),
		TEST(two_iterations_are_too_few_and_it_is_said),
		TEST(a_failure_leaves_no_answer),
		TEST(complaints_cannot_harm_a_terminal),
		TEST(names_cannot_harm_a_terminal),
		TEST(each_url_has_a_warm_up_of_its_own),
		TEST(three_of_sixty_are_found),
		TEST(the_first_run_of_a_hunt_alone_is_the_warm_up),
		TEST(where_none_leaks_two_runs_say_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
