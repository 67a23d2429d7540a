// SPDX-License-Identifier: GPL-3.0-or-later
// What the console keeps from line to line, and when an answer is too long for the screen.
#include "ui/console/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "ui/console/complete.h"
#include "ui/console/pager.h"

static void assert_value(const struct settings *settings, const char *name, const char *expected)
{
	char value[HUMAN_CHARS];

	assert_string_equal(settings_value(settings, setting_find(name), value), expected);
}

static void assert_refused(struct settings *settings, const char *name, const char *value,
			   const char *words)
{
	_cleanup_error_ struct error *error = settings_set(settings, name, value);

	assert_non_null(error);
	assert_int_equal(error->code, ERROR_USAGE);
	assert_non_null(strstr(error->message, words));
}

static void settings_begin_as_if_there_were_none(void **state)
{
	struct settings settings = {0};

	assert_value(&settings, "pager", "on");
	assert_value(&settings, "color", "on");
	assert_value(&settings, "limit", "0");
	assert_value(&settings, "snapshot", "copy");
	assert_value(&settings, "redact", "off");
}

static void a_setting_is_what_it_was_set_to(void **state)
{
	struct settings settings = {0};

	assert_null(settings_set(&settings, "pager", "off"));
	assert_null(settings_set(&settings, "limit", "12"));
	assert_null(settings_set(&settings, "snapshot", "clone"));
	assert_value(&settings, "pager", "off");
	assert_value(&settings, "limit", "12");
	assert_value(&settings, "snapshot", "clone");
	assert_null(settings_set(&settings, "pager", "on"));
	assert_value(&settings, "pager", "on");
}

static void what_makes_no_sense_is_refused_and_changes_nothing(void **state)
{
	struct settings settings = {0};

	assert_refused(&settings, "pagr", "off", "there are pager, color, limit");
	assert_refused(&settings, "pager", "maybe", "on or off");
	assert_refused(&settings, "pager", "", "on or off");
	assert_refused(&settings, "limit", "-1", "a number from 0");
	assert_refused(&settings, "limit", "12x", "a number from 0");
	assert_refused(&settings, "limit", "99999999999999999999999", "a number from 0");
	assert_value(&settings, "pager", "on");
	assert_value(&settings, "limit", "0");
}

static void redact_is_for_verbs_that_cannot_do_it_too(void **state)
{
	struct settings settings = {0};
	struct arguments arguments = {0};

	assert_null(settings_set(&settings, "redact", "on"));
	settings_apply(&settings, &command_types, &arguments);
	assert_true(arguments_has(&arguments, ARGUMENTS_REDACT));
	// They refuse.
	arguments = (struct arguments){0};
	settings_apply(&settings, &command_eval, &arguments);
	assert_true(arguments_has(&arguments, ARGUMENTS_REDACT));
	// A console that was started so can be told otherwise.
	settings_begin(&settings, &arguments);
	assert_value(&settings, "redact", "on");
	assert_null(settings_set(&settings, "redact", "off"));
	arguments = (struct arguments){0};
	settings_apply(&settings, &command_types, &arguments);
	assert_false(arguments_has(&arguments, ARGUMENTS_REDACT));
}

static void settings_stand_for_options_that_a_line_does_not_have(void **state)
{
	struct settings settings = {0};
	struct arguments arguments = {0};

	assert_null(settings_set(&settings, "limit", "5"));
	assert_null(settings_set(&settings, "color", "off"));
	settings_apply(&settings, &command_types, &arguments);
	assert_int_equal(arguments_limit(&arguments), 5);
	assert_true(arguments_has(&arguments, ARGUMENTS_NO_COLOR));
	assert_false(arguments_has(&arguments, ARGUMENTS_JSON));

	arguments = (struct arguments){0};
	arguments.common[ARGUMENTS_LIMIT] = (struct arguments_value){.count = 1, .number = 70};
	settings_apply(&settings, &command_types, &arguments);
	assert_int_equal(arguments_limit(&arguments), 70);

	// export has no -n.
	arguments = (struct arguments){0};
	settings_apply(&settings, &command_export, &arguments);
	assert_false(arguments_has(&arguments, ARGUMENTS_LIMIT));
}

static void a_snapshot_of_a_line_is_that_of_the_next(void **state)
{
	struct settings settings;
	struct arguments console = {0}, arguments = {0};

	console.common[ARGUMENTS_SNAPSHOT] = (struct arguments_value){.count = 1, .number = 1};
	settings_begin(&settings, &console);
	assert_value(&settings, "snapshot", "clone");
	settings_apply(&settings, &command_types, &arguments);
	assert_int_equal(arguments.common[ARGUMENTS_SNAPSHOT].number, 1);

	arguments = (struct arguments){0};
	arguments.common[ARGUMENTS_SNAPSHOT].count = 1;
	settings_apply(&settings, &command_types, &arguments);
	assert_int_equal(arguments.common[ARGUMENTS_SNAPSHOT].number, 0);
	assert_value(&settings, "snapshot", "copy");

	settings = (struct settings){0};
	arguments = (struct arguments){0};
	settings_apply(&settings, &command_types, &arguments);
	assert_true(arguments_has(&arguments, ARGUMENTS_SNAPSHOT));
}

static void assert_completes(char *const *before, size_t count, const char *word,
			     const char *expected)
{
	_cleanup_completion_ struct completion completion = {0};
	_cleanup_text_ struct text all = {0};
	const struct complete_question question = {
		.place = COMMAND_IN_CONSOLE,
		.before = before,
		.before_count = count,
		.word = word,
	};

	assert_null(complete_words(&question, &completion));
	for (size_t i = 0; i < completion.count; i++)
		assert_null(text_appendf(&all, "%s%s", i ? " " : "", completion.list[i]));
	assert_string_equal(text_chars(&all), expected);
}

static void names_and_values_are_completed(void **state)
{
	char set[] = "set", pager[] = "pager", limit[] = "limit", off[] = "off";

	assert_completes((char *[]){set}, 1, "pa", "pager");
	assert_completes((char *[]){set, pager}, 2, "", "on off");
	assert_completes((char *[]){set, pager}, 2, "of", "off");
	assert_completes((char *[]){set, limit}, 2, "", "");
	assert_completes((char *[]){set, pager, off}, 3, "", "");
}

static void lines_are_counted_as_a_screen_shows_them(void **state)
{
	assert_int_equal(pager_count_lines("", 80), 0);
	assert_int_equal(pager_count_lines("one\n", 80), 1);
	assert_int_equal(pager_count_lines("one\ntwo", 80), 2);
	assert_int_equal(pager_count_lines("\n\n", 80), 2);
	// Exactly as wide as the screen, and one more.
	assert_int_equal(pager_count_lines("12345\n", 5), 1);
	assert_int_equal(pager_count_lines("123456\n", 5), 2);
	assert_int_equal(pager_count_lines("12345678901\n", 5), 3);
	// Bold takes no place.
	assert_int_equal(pager_count_lines("\033[1m12345\033[0m\n", 5), 1);
	// Nor do bytes that are no character end it.
	assert_int_equal(pager_count_lines("\xff\xfe\n", 5), 1);
	assert_int_equal(pager_count_lines("12345678901\n", 0), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_begin_as_if_there_were_none),
		cmocka_unit_test(a_setting_is_what_it_was_set_to),
		cmocka_unit_test(what_makes_no_sense_is_refused_and_changes_nothing),
		cmocka_unit_test(redact_is_for_verbs_that_cannot_do_it_too),
		cmocka_unit_test(settings_stand_for_options_that_a_line_does_not_have),
		cmocka_unit_test(a_snapshot_of_a_line_is_that_of_the_next),
		cmocka_unit_test(names_and_values_are_completed),
		cmocka_unit_test(lines_are_counted_as_a_screen_shows_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
