// SPDX-License-Identifier: GPL-3.0-or-later
// Text of the inspected process in DOT.
#include "ui/answers/dot_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

static void assert_cut(const char *chars, size_t chars_max, bool keep_end, const char *expected)
{
	_cleanup_text_ struct text text = {0};

	assert_null(dot_text_cut(chars, chars_max, keep_end, &text));
	assert_string_equal(text_chars(&text), expected);
}

static void assert_escaped(const char *chars, const char *expected)
{
	_cleanup_text_ struct text text = {0};

	assert_null(dot_text_escape(chars, &text));
	assert_string_equal(text_chars(&text), expected);
}

static void assert_wrapped(const char *chars, size_t wanted, const char *expected)
{
	_cleanup_text_ struct text text = {0};

	assert_null(text_append(&text, chars, strlen(chars)));
	dot_text_wrap(&text, wanted);
	assert_string_equal(text_chars(&text), expected);
}

static void long_text_is_cut_at_characters(void **state)
{
	assert_cut("shop.Cart", 9, true, "shop.Cart");
	assert_cut("shop.Cart", 5, true, "…Cart");
	assert_cut("shop.Cart", 5, false, "shop…");
	assert_cut("äöüß", 3, false, "äö…");
	assert_cut("äöüß", 3, true, "…üß");
	assert_cut("", 3, true, "");
}

static void what_harms_a_terminal_is_spelled_out(void **state)
{
	assert_cut("\033[1m", 20, false, "\\x1b[1m");
	assert_cut("a\nb", 20, false, "a\\x0ab");
	assert_cut("\xff", 20, false, "\\xff");
	assert_cut("\xe2\x80\xae", 20, false, "\\u202e");
}

static void quotes_backslashes_and_entities_mean_themselves(void **state)
{
	assert_escaped("\"]; evil [label=\"", "\\\"]; evil [label=\\\"");
	assert_escaped("\\N\\l", "\\\\N\\\\l");
	assert_escaped("&lt;<b>", "&amp;lt;<b>");
	assert_escaped("one\ntwo", "one\\ntwo");
}

static void lines_break_at_blanks(void **state)
{
	assert_wrapped("one two three", 7, "one two\nthree");
	assert_wrapped("one two three", 5, "one\ntwo\nthree");
	assert_wrapped("onetwothree four", 5, "onetwothree\nfour");
	assert_wrapped("one\ntwo three", 9, "one\ntwo three");
	assert_wrapped("", 5, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(long_text_is_cut_at_characters),
		cmocka_unit_test(what_harms_a_terminal_is_spelled_out),
		cmocka_unit_test(quotes_backslashes_and_entities_mean_themselves),
		cmocka_unit_test(lines_break_at_blanks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
