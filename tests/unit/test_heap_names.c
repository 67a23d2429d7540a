// SPDX-License-Identifier: GPL-3.0-or-later
// Texts that are kept once, and what roots are called.
#include "heap/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "heap/heap.h"

enum { MANY = 5000, LONG_CHARS = 100000 };

static void a_text_is_kept_once(void **state)
{
	struct heap_names names = {0};
	char text[32];
	const char *first, *again;

	for (int i = 0; i < MANY; i++) {
		snprintf(text, sizeof(text), "name %d", i);
		assert_null(heap_names_add(&names, text, &first));
		assert_string_equal(first, text);
		assert_null(heap_names_add(&names, text, &again));
		assert_ptr_equal(first, again);
	}
	assert_int_equal(names.count, MANY);
	uint64_t bytes = heap_names_bytes(&names);
	for (int i = 0; i < MANY; i++) {
		snprintf(text, sizeof(text), "name %d", i);
		assert_null(heap_names_add(&names, text, &again));
		assert_string_equal(again, text);
	}
	assert_int_equal(heap_names_bytes(&names), bytes);
	heap_names_deinit(&names);
}

static void no_text_is_an_empty_one_and_long_ones_fit(void **state)
{
	struct heap_names names = {0};
	_cleanup_free_ char *text = malloc(LONG_CHARS + 1);
	const char *kept;

	assert_non_null(text);
	memset(text, 'x', LONG_CHARS);
	text[LONG_CHARS] = '\0';
	assert_null(heap_names_add(&names, NULL, &kept));
	assert_string_equal(kept, "");
	assert_null(heap_names_add(&names, text, &kept));
	assert_string_equal(kept, text);
	heap_names_deinit(&names);
}

static void a_root_is_called_by_its_name_and_part(void **state)
{
	static const struct {
		struct heap_root_row row;
		const char *called;
	} cases[] = {
		{{.name = "thread 1 in f() at a.py:1", .part = "local variable x"},
		 "thread 1 in f() at a.py:1, local variable x"},
		{{.name = "sys", .part = ""}, "sys"},
		{{.name = "", .part = ""}, ""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_text_ struct text text = {0};
		assert_null(heap_root_name(&cases[i].row, &text));
		assert_string_equal(text_chars(&text), cases[i].called);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_is_kept_once),
		cmocka_unit_test(no_text_is_an_empty_one_and_long_ones_fit),
		cmocka_unit_test(a_root_is_called_by_its_name_and_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
