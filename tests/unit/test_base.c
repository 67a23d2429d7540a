// SPDX-License-Identifier: GPL-3.0-or-later
// Errors, growable arrays, text and the map of addresses: what everything else stands on.
#include "base/error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr_map.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/pages.h"
#include "base/text.h"
#include "support/child.h"

static void an_error_says_what_and_where(void **state)
{
	struct error *failed = error_create(ERROR_FAILED, "no %s in %d", "needle", 7);
	struct error *fault = error_create_fault(0x7f00, "cannot read 0x%x", 0x7f00);

	assert_string_equal(failed->message, "no needle in 7");
	assert_int_equal(failed->address, 0);
	assert_int_equal(fault->code, ERROR_FAULT);
	assert_int_equal(fault->address, 0x7f00);
	error_destroy(failed);
	error_destroy(fault);
}

static void an_error_of_the_system_carries_its_text(void **state)
{
	struct error *error = error_create_os(ENOENT, "cannot open %s", "/x");

	assert_int_equal(error->code, ERROR_FAILED);
	assert_string_equal(error->message, "cannot open /x: No such file or directory");
	error_destroy(error);
}

static void a_prefix_keeps_code_and_address(void **state)
{
	struct error *error = error_create_fault(0x1234, "cannot read it");

	error = error_prefix(error, "thread %d", 3);
	assert_string_equal(error->message, "thread 3: cannot read it");
	assert_int_equal(error->code, ERROR_FAULT);
	assert_int_equal(error->address, 0x1234);
	error_destroy(error);
}

static void the_error_without_memory_can_be_prefixed_and_destroyed(void **state)
{
	struct error *error = error_prefix(error_no_memory(), "while counting");

	assert_int_equal(error->code, ERROR_NO_MEMORY);
	error_destroy(error);
	error_destroy(error_no_memory());
	error_destroy(NULL);
	assert_int_equal(error_no_memory()->code, ERROR_NO_MEMORY);
}

static void every_error_has_the_exit_status_it_promises(void **state)
{
	static const struct {
		enum error_code code;
		int status;
	} expected[] = {
		{ERROR_FAILED, 1}, {ERROR_USAGE, 2},       {ERROR_UNSUPPORTED, 4}, {ERROR_FAULT, 1},
		{ERROR_GONE, 1},   {ERROR_INTERRUPTED, 1}, {ERROR_NO_MEMORY, 1},
	};

	for (size_t i = 0; i < ARRAY_COUNT(expected); i++)
		assert_int_equal(error_exit_status(&(struct error){.code = expected[i].code}),
				 expected[i].status);
}

static void an_array_grows_and_keeps_what_it_holds(void **state)
{
	_cleanup_free_ uint32_t *items = NULL;
	size_t capacity = 0;

	for (uint32_t i = 0; i < 1000; i++) {
		assert_null(array_reserve(&items, &capacity, i + 1, sizeof(*items)));
		assert_true(capacity > i);
		assert_int_equal(items[i], 0);
		items[i] = i;
	}
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(items[i], i);
}

static void an_array_that_cannot_grow_stays_as_it_was(void **state)
{
	_cleanup_free_ uint64_t *items = NULL;
	size_t capacity = 0;

	assert_null(array_reserve(&items, &capacity, 4, sizeof(*items)));
	uint64_t *before = items;
	size_t before_capacity = capacity;
	struct error *error = array_reserve(&items, &capacity, SIZE_MAX / 4, sizeof(*items));

	assert_int_equal(error->code, ERROR_NO_MEMORY);
	assert_ptr_equal(items, before);
	assert_int_equal(capacity, before_capacity);
	error_destroy(error);
}

static void text_grows_and_stays_terminated(void **state)
{
	struct text text = {0};

	assert_string_equal(text_chars(&text), "");
	assert_null(text_append(&text, "ab\0c", 2));
	assert_null(text_appendf(&text, "%d-%s", 42, "x"));
	assert_string_equal(text_chars(&text), "ab42-x");
	assert_int_equal(text.length, 6);
	for (int i = 0; i < 500; i++)
		assert_null(text_append(&text, "0123456789", 10));
	assert_int_equal(strlen(text_chars(&text)), 5006);
	text_deinit(&text);
	assert_string_equal(text_chars(&text), "");
}

static void text_keeps_bytes_that_are_nul(void **state)
{
	struct text text = {0};

	assert_null(text_append(&text, "a\0b", 3));
	assert_int_equal(text.length, 3);
	assert_memory_equal(text.chars, "a\0b", 4);
	text_deinit(&text);
}

static void bytes_read_as_a_person_reads_them(void **state)
{
	static const struct {
		int64_t bytes;
		const char *text;
	} expected[] = {
		{0, "0 B"},
		{1023, "1023 B"},
		{1024, "1.0 KiB"},
		{1536, "1.5 KiB"},
		{(1 << 20) - 1, "1.0 MiB"},
		{1LL << 31, "2.0 GiB"},
		{-512, "-512 B"},
		{-1536, "-1.5 KiB"},
		{INT64_MAX, "8.0 EiB"},
		{INT64_MIN, "-8.0 EiB"},
	};
	char into[HUMAN_CHARS];

	for (size_t i = 0; i < ARRAY_COUNT(expected); i++)
		assert_string_equal(human_bytes(expected[i].bytes, into), expected[i].text);
}

static void counts_have_a_comma_every_three_digits(void **state)
{
	static const struct {
		int64_t count;
		const char *text;
	} expected[] = {
		{0, "0"},
		{999, "999"},
		{1000, "1,000"},
		{12345678, "12,345,678"},
		{-123, "-123"},
		{-1234, "-1,234"},
		{INT64_MAX, "9,223,372,036,854,775,807"},
		{INT64_MIN, "-9,223,372,036,854,775,808"},
	};
	char into[HUMAN_CHARS];

	for (size_t i = 0; i < ARRAY_COUNT(expected); i++)
		assert_string_equal(human_count(expected[i].count, into), expected[i].text);
}

static void durations_change_their_unit_with_their_size(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} expected[] = {
		{0, "0 us"},           {85000, "85 us"},    {999999, "999 us"},
		{1000000, "1.0 ms"},   {3100000, "3.1 ms"}, {2400000000U, "2.4 s"},
		{1000000000, "1.0 s"},
	};
	char into[HUMAN_CHARS];

	for (size_t i = 0; i < ARRAY_COUNT(expected); i++)
		assert_string_equal(human_duration_ns(expected[i].ns, into), expected[i].text);
	human_duration_ns(UINT64_MAX, into);
	assert_true(strlen(into) < HUMAN_CHARS);
}

static void a_millisecond_short_of_a_second_is_no_thousand_milliseconds(void **state)
{
	char into[HUMAN_CHARS];

	assert_string_equal(human_duration_ns(999990000, into), "1.0 s");
}

static void an_empty_map_has_nothing(void **state)
{
	struct addr_map map = {0};
	uint32_t value = 5;

	assert_false(addr_map_get(&map, 0x1000, &value));
	assert_int_equal(value, 5);
	addr_map_deinit(&map);
}

static void a_map_finds_what_was_put_and_nothing_else(void **state)
{
	enum { KEYS = 10000 };
	struct addr_map map = {0};
	uint32_t value;

	// Addresses of a heap: close together, their low bits equal.
	for (uint32_t i = 1; i <= KEYS; i++)
		assert_null(addr_map_put(&map, 0x7f0000000000 + i * 16, i));
	assert_int_equal(map.count, KEYS);
	for (uint32_t i = 1; i <= KEYS; i++) {
		assert_true(addr_map_get(&map, 0x7f0000000000 + i * 16, &value));
		assert_int_equal(value, i);
		assert_false(addr_map_get(&map, 0x7f0000000000 + i * 16 + 8, &value));
	}
	assert_false(addr_map_get(&map, 0, &value));
	addr_map_deinit(&map);
}

static void a_key_put_again_has_the_new_value(void **state)
{
	struct addr_map map = {0};
	uint32_t value;

	assert_null(addr_map_put(&map, UINT64_MAX, 1));
	assert_null(addr_map_put(&map, UINT64_MAX, 2));
	assert_int_equal(map.count, 1);
	assert_true(addr_map_get(&map, UINT64_MAX, &value));
	assert_int_equal(value, 2);
	addr_map_deinit(&map);
}

static void large_arrays_are_not_there_in_children(void **state)
{
	enum { BYTES = 3 << 20 };
	void *arrays[] = {pages_alloc(BYTES), pages_alloc_sparse(BYTES)};

	for (size_t i = 0; i < ARRAY_COUNT(arrays); i++)
		assert_true(page_is_not_inherited(arrays[i]));
	pages_free(arrays[0], BYTES);
	pages_free_sparse(arrays[1], BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_says_what_and_where),
		cmocka_unit_test(an_error_of_the_system_carries_its_text),
		cmocka_unit_test(a_prefix_keeps_code_and_address),
		cmocka_unit_test(the_error_without_memory_can_be_prefixed_and_destroyed),
		cmocka_unit_test(every_error_has_the_exit_status_it_promises),
		cmocka_unit_test(an_array_grows_and_keeps_what_it_holds),
		cmocka_unit_test(an_array_that_cannot_grow_stays_as_it_was),
		cmocka_unit_test(text_grows_and_stays_terminated),
		cmocka_unit_test(text_keeps_bytes_that_are_nul),
		cmocka_unit_test(bytes_read_as_a_person_reads_them),
		cmocka_unit_test(counts_have_a_comma_every_three_digits),
		cmocka_unit_test(durations_change_their_unit_with_their_size),
		cmocka_unit_test(a_millisecond_short_of_a_second_is_no_thousand_milliseconds),
		cmocka_unit_test(large_arrays_are_not_there_in_children),
		cmocka_unit_test(an_empty_map_has_nothing),
		cmocka_unit_test(a_map_finds_what_was_put_and_nothing_else),
		cmocka_unit_test(a_key_put_again_has_the_new_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
