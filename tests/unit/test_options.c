// SPDX-License-Identifier: GPL-3.0-or-later
// The words of the command line and of a line of the console.
#include "options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "ui/command.h"
#include "ui/console/words.h"

// The indices of the verb's own table.
enum { SORT, FILTER };
enum { LINES };

// Parses "leakinspect LINE"; the words live as long as @line.
static struct error *parse(const char *line, struct words *words, struct options *options)
{
	char program[256];

	snprintf(program, sizeof(program), "leakinspect %s", line);
	assert_null(words_split(program, words));
	return options_parse((int)words->count, words->list, options);
}

static void assert_usage(const char *line, const char *what)
{
	_cleanup_words_ struct words words = {0};
	_cleanup_options_ struct options options = {0};
	_cleanup_error_ struct error *error = parse(line, &words, &options);

	assert_non_null(error);
	assert_int_equal(error->code, ERROR_USAGE);
	if (!strstr(error->message, what))
		fail_msg("%s: '%s' is not in: %s", line, what, error->message);
}

static void options_may_stand_anywhere(void **state)
{
	static const char *const lines[] = {
		"types --json -n 5 --sort size 4711",    "types 4711 --json -n5 --sort=size",
		"--json --sort size types -n 5 4711",    "-n 5 types --js -s size -p 4711",
		"-p 4711 --limit=5 types -ssize --json", "types --json -n 5 --sort size -- 4711",
	};

	for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
		_cleanup_words_ struct words words = {0};
		_cleanup_options_ struct options options = {0};
		assert_null(parse(lines[i], &words, &options));
		assert_ptr_equal(options.command, &command_types);
		assert_int_equal(options.pid, 4711);
		assert_true(arguments_has(&options.arguments, ARGUMENTS_JSON));
		assert_int_equal(arguments_limit(&options.arguments), 5);
		assert_string_equal(options.arguments.options[SORT].text, "size");
		assert_int_equal(options.arguments.options[SORT].number, 2);
		assert_int_equal(options.arguments.word_count, 0);
	}
}

static void without_options_there_are_the_defaults(void **state)
{
	_cleanup_words_ struct words words = {0};
	_cleanup_options_ struct options options = {0};

	assert_null(parse("types 1", &words, &options));
	assert_int_equal(options.arguments.options[SORT].number, 0);
	assert_null(options.arguments.options[FILTER].text);
	assert_int_equal(arguments_limit(&options.arguments), SIZE_MAX);
	assert_false(arguments_has(&options.arguments, ARGUMENTS_JSON));
}

static void a_limit_of_0_is_none(void **state)
{
	_cleanup_words_ struct words words = {0};
	_cleanup_options_ struct options options = {0};

	assert_null(parse("types 1 -n 0", &words, &options));
	assert_int_equal(arguments_limit(&options.arguments), SIZE_MAX);
}

static void lines_of_the_console_may_be_many(void **state)
{
	_cleanup_words_ struct words words = {0};
	_cleanup_options_ struct options options = {0};

	assert_null(parse("attach -c 'types -n 1' 4711 -c info --command=quit", &words, &options));
	const struct arguments_value *lines = &options.arguments.options[LINES];
	assert_int_equal(lines->count, 3);
	assert_string_equal(lines->texts[0], "types -n 1");
	assert_string_equal(lines->texts[1], "info");
	assert_string_equal(lines->texts[2], "quit");
}

static void help_and_version_need_no_target(void **state)
{
	static const char *const lines[] = {
		"types --help",     "--help types", "types -h --sort size",
		"attach --version", "--help",       "-h",
		"--version"};

	for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
		_cleanup_words_ struct words words = {0};
		_cleanup_options_ struct options options = {0};
		assert_null(parse(lines[i], &words, &options));
		assert_non_null(options.command);
		assert_int_equal(options.pid, 0);
	}
}

static void wrong_words_are_told_in_a_sentence(void **state)
{
	assert_usage("", "a verb is missing");
	assert_usage("--json", "a verb is missing");
	assert_usage("tpyes 1", "did you mean 'types'?");
	assert_usage("inf 1", "did you mean 'info'?");
	assert_usage("nonsense 1", "there is no verb 'nonsense'");
	assert_usage("4711", "leakinspect types 4711");
	assert_usage("quit", "console only");
	assert_usage("types", "wants a TARGET");
	assert_usage("types 0", "no process id");
	assert_usage("types 4294967297", "no process id");
	assert_usage("types 99999999999999999999999", "no process id");
	assert_usage("types 12x", "neither a process id nor a file");
	assert_usage("types ''", "neither a process id nor a file");
	assert_usage("types -p x", "no process id");
	assert_usage("types 1 2", "'2' is one word too many");
	assert_usage("types -p 1 2", "'2' is one word too many");
	assert_usage("types 1 --sort", "--sort wants KEY");
	assert_usage("types 1 -n", "--limit wants N");
	assert_usage("types 1 --sort weight", "one of count, tracked, size, refs, name");
	assert_usage("types 1 -n many", "--limit wants a number from 0, not 'many'");
	assert_usage("types 1 -n -1", "--limit wants a number from 0, not '-1'");
	assert_usage("types 1 -n ''", "--limit wants a number");
	assert_usage("types 1 -n 99999999999999999999999", "--limit wants a number");
	assert_usage("types 1 -n 1 -n 2", "--limit was given twice");
	assert_usage("types 1 --nonsense=5", "types has no option '--nonsense'");
	assert_usage("types 1 -Z", "types has no option '-Z'");
	assert_usage("types 1 --fo=1", "--force takes no argument");
	assert_usage("types 1 --ver", "'--ver' may be more than one option");
	assert_usage("--nonsense", "leakinspect has no option '--nonsense'");
	assert_usage("attach 1 --json", "attach has no option '--json'");
	assert_usage("version 1", "one word too many");
}

static void a_file_is_taken_for_a_core_file(void **state)
{
	_cleanup_words_ struct words words = {0};
	_cleanup_options_ struct options options = {0};

	assert_null(parse("types /proc/self/exe", &words, &options));
	assert_int_equal(options.pid, 0);
	assert_string_equal(options.core, "/proc/self/exe");
}

static void a_line_is_split_as_a_shell_would(void **state)
{
	static const struct {
		const char *line;
		const char *words[5];
	} cases[] = {
		{"", {NULL}},
		{"  \t \n", {NULL}},
		{"# nothing but a comment", {NULL}},
		{"types -n 5\n", {"types", "-n", "5", NULL}},
		{"types 'a b'\"c d\"e # and so on", {"types", "a bc de", NULL}},
		{"a#b '#c'", {"a#b", "#c", NULL}},
		{"'' \"\"", {"", "", NULL}},
		{"a\\ b '\\n' \"\\\"\\\\\\n\"", {"a b", "\\n", "\"\\\\n", NULL}},
		{"a\\", {"a\\", NULL}},
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		_cleanup_words_ struct words words = {0};
		size_t count = 0;
		assert_null(words_split(cases[i].line, &words));
		for (; cases[i].words[count]; count++)
			assert_string_equal(words.list[count], cases[i].words[count]);
		assert_int_equal(words.count, count);
		assert_null(words.list[count]);
	}
}

static void a_quote_that_is_not_closed_is_told(void **state)
{
	static const char *const lines[] = {"types 'a", "types \"a", "'", "\"\\\""};

	for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
		_cleanup_words_ struct words words = {0};
		_cleanup_error_ struct error *error = words_split(lines[i], &words);
		assert_non_null(error);
		assert_int_equal(error->code, ERROR_USAGE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_may_stand_anywhere),
		cmocka_unit_test(without_options_there_are_the_defaults),
		cmocka_unit_test(a_limit_of_0_is_none),
		cmocka_unit_test(lines_of_the_console_may_be_many),
		cmocka_unit_test(help_and_version_need_no_target),
		cmocka_unit_test(wrong_words_are_told_in_a_sentence),
		cmocka_unit_test(a_file_is_taken_for_a_core_file),
		cmocka_unit_test(a_line_is_split_as_a_shell_would),
		cmocka_unit_test(a_quote_that_is_not_closed_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
