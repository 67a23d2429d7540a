// SPDX-License-Identifier: GPL-3.0-or-later
// Headers of lists of address ranges that libdwarf must not see.
#include "debug/range_lists.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/array.h"

// One contribution: its length, version, sizes of addresses and segments, number of offsets; no lists.
#define CONTRIBUTION(length, version, address_bytes, offsets) \
	(length), 0, 0, 0, (version), 0, (address_bytes), 0, (offsets), 0, 0, 0

static bool is_sound(const unsigned char *bytes, size_t count)
{
	return range_lists_are_sound(bytes, count);
}

static void contributions_that_fill_the_section_are_sound(void **state)
{
	static const unsigned char one[] = {CONTRIBUTION(8, 5, 8, 0)};
	static const unsigned char two[] = {CONTRIBUTION(12, 5, 8, 1), 0, 0, 0, 0,
					    CONTRIBUTION(8, 5, 4, 0)};
	static const unsigned char wide[] = {0xff, 0xff, 0xff, 0xff, 8, 0, 0, 0, 0, 0,
					     0,    0,    5,    0,    8, 0, 0, 0, 0, 0};

	assert_true(is_sound(NULL, 0));
	assert_true(is_sound(one, sizeof(one)));
	assert_true(is_sound(two, sizeof(two)));
	assert_true(is_sound(wide, sizeof(wide)));
}

static void what_does_not_fit_is_not_sound(void **state)
{
	static const unsigned char bad[][12] = {
		{CONTRIBUTION(9, 5, 8, 0)},
		{CONTRIBUTION(7, 5, 8, 0)},
		{CONTRIBUTION(8, 4, 8, 0)},
		{CONTRIBUTION(8, 5, 3, 0)},
		{CONTRIBUTION(8, 5, 8, 1)},
		{0xf0, 0xff, 0xff, 0xff, 5, 0, 8, 0},
		{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	};

	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		if (is_sound(bad[i], sizeof(bad[i])))
			fail_msg("number %zu passes", i);
}

static void a_section_that_is_cut_is_not_sound(void **state)
{
	static const unsigned char two[] = {CONTRIBUTION(8, 5, 8, 0), CONTRIBUTION(8, 5, 8, 0)};

	for (size_t i = 1; i < sizeof(two); i++)
		assert_int_equal(is_sound(two, i), i == sizeof(two) / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contributions_that_fill_the_section_are_sound),
		cmocka_unit_test(what_does_not_fit_is_not_sound),
		cmocka_unit_test(a_section_that_is_cut_is_not_sound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
