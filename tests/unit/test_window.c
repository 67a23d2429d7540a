// SPDX-License-Identifier: GPL-3.0-or-later
// Random access through a few cached pages.
#include "mem/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/fake_source.h"

enum { PAGE = MEM_WINDOW_PAGE_BYTES, PAGES = 600 };
static const addr_t MEMORY_AT = 0x10000000;

/** Memory whose bytes tell where they are, and a window on it. */
struct given {
	struct fake_source *fake;
	struct mem_window *window;
	unsigned char *memory;
};

static int given_memory(void **state)
{
	struct given *given = calloc(1, sizeof(*given));

	given->fake = fake_source_create();
	given->memory = malloc((size_t)PAGES * PAGE);
	for (size_t i = 0; i < (size_t)PAGES * PAGE; i++)
		given->memory[i] = (unsigned char)(i ^ i / 251);
	fake_source_add(given->fake, MEMORY_AT, given->memory, (size_t)PAGES * PAGE);
	assert_null(mem_window_create(fake_source_source(given->fake), &given->window));
	*state = given;
	return 0;
}

static int drop_memory(void **state)
{
	struct given *given = *state;

	mem_window_destroy(given->window);
	fake_source_destroy(given->fake);
	free(given->memory);
	free(given);
	return 0;
}

static void bytes_are_those_of_the_process(void **state)
{
	struct given *given = *state;
	uint64_t word;

	memcpy(&word, given->memory + 96, sizeof(word));
	assert_memory_equal(mem_window_at(given->window, MEMORY_AT + 3, 50), given->memory + 3, 50);
	assert_int_equal(mem_window_word(given->window, MEMORY_AT + 96, 0), word);
	// A page that is there is not read again.
	assert_int_equal(fake_source_read_count(given->fake), 1);
}

static void a_read_may_straddle_pages(void **state)
{
	struct given *given = *state;
	static unsigned char copy[3 * PAGE];

	assert_memory_equal(mem_window_at(given->window, MEMORY_AT + PAGE - 5, 13),
			    given->memory + PAGE - 5, 13);
	assert_memory_equal(mem_window_at(given->window, MEMORY_AT + 2 * PAGE - 1, PAGE),
			    given->memory + 2 * PAGE - 1, PAGE);
	assert_true(mem_window_read(given->window, MEMORY_AT + 7, copy, sizeof(copy)));
	assert_memory_equal(copy, given->memory + 7, sizeof(copy));
}

static void a_request_has_a_limit(void **state)
{
	struct given *given = *state;

	assert_non_null(mem_window_at(given->window, MEMORY_AT, MEM_WINDOW_BYTES_MAX));
	assert_null(mem_window_at(given->window, MEMORY_AT, MEM_WINDOW_BYTES_MAX + 1));
	assert_null(mem_window_at(given->window, MEMORY_AT, SIZE_MAX));
}

static void what_cannot_be_read_is_not_there(void **state)
{
	struct given *given = *state;
	addr_t end = MEMORY_AT + (addr_t)PAGES * PAGE;
	uint64_t word = 7;

	assert_null(mem_window_at(given->window, end, 1));
	assert_null(mem_window_at(given->window, end - 4, 8));
	assert_null(mem_window_at(given->window, MEMORY_AT - 1, 1));
	assert_false(mem_window_read(given->window, end - 4, &word, 8));
	assert_int_equal(mem_window_word(given->window, end, 4711), 4711);
	// A bad address is no failure of the window.
	assert_null(mem_window_take_error(given->window));
}

static void what_cannot_be_read_is_asked_for_once(void **state)
{
	struct given *given = *state;

	for (int i = 0; i < 10; i++)
		assert_null(mem_window_at(given->window, 0x1000 + (addr_t)i * 8, 8));
	assert_int_equal(fake_source_read_count(given->fake), 1);
}

static void the_end_of_all_addresses_is_no_way_round(void **state)
{
	struct given *given = *state;
	uint64_t word;

	assert_null(mem_window_at(given->window, UINT64_MAX, 1));
	assert_null(mem_window_at(given->window, UINT64_MAX - 3, 8));
	assert_false(mem_window_read(given->window, UINT64_MAX - 3, &word, 8));
	assert_int_equal(mem_window_word(given->window, UINT64_MAX - 7, 1), 1);
}

static void pages_that_share_a_slot_do_not_mix(void **state)
{
	struct given *given = *state;

	// More pages than slots, there and back again.
	for (int round = 0; round < 2; round++)
		for (size_t page = 0; page < PAGES; page++)
			assert_memory_equal(
				mem_window_at(given->window, MEMORY_AT + page * PAGE + 1, 8),
				given->memory + page * PAGE + 1, 8);
}

static void bytes_stay_those_of_their_moment_until_the_window_is_cleared(void **state)
{
	struct given *given = *state;
	unsigned char before = given->memory[0];

	mem_window_at(given->window, MEMORY_AT, 1);
	given->memory[0] ^= 0xff;
	assert_int_equal(*(const unsigned char *)mem_window_at(given->window, MEMORY_AT, 1),
			 before);
	mem_window_clear(given->window);
	assert_int_equal(*(const unsigned char *)mem_window_at(given->window, MEMORY_AT, 1),
			 given->memory[0]);
}

static void clearing_gives_what_was_unreadable_another_chance(void **state)
{
	struct given *given = *state;

	fake_source_fail_nth(given->fake, 1, ERROR_FAULT);
	assert_null(mem_window_at(given->window, MEMORY_AT, 1));
	assert_null(mem_window_at(given->window, MEMORY_AT, 1));
	mem_window_clear(given->window);
	assert_non_null(mem_window_at(given->window, MEMORY_AT, 1));
}

static void lent_bytes_are_answered_without_reading(void **state)
{
	struct given *given = *state;
	static const char lent[] = "bytes at hand, never in the process";
	char copy[5];

	mem_window_lend(given->window, 0x5000, lent, sizeof(lent));
	assert_ptr_equal(mem_window_at(given->window, 0x5000, sizeof(lent)), lent);
	assert_ptr_equal(mem_window_at(given->window, 0x5009, 4), lent + 9);
	assert_true(mem_window_read(given->window, 0x5006, copy, 5));
	assert_memory_equal(copy, "at ha", 5);
	assert_int_equal(fake_source_read_count(given->fake), 0);
}

static void lent_bytes_may_be_more_than_one_request_may_ask_for(void **state)
{
	struct given *given = *state;

	mem_window_lend(given->window, 0x5000, given->memory, (size_t)64 * PAGE);
	assert_ptr_equal(mem_window_at(given->window, 0x5000 + 5 * PAGE + 9, 100),
			 given->memory + 5 * PAGE + 9);
}

static void what_lies_only_partly_in_lent_bytes_is_read(void **state)
{
	struct given *given = *state;
	unsigned char lent[64] = {0};

	mem_window_lend(given->window, MEMORY_AT + 100, lent, sizeof(lent));
	assert_memory_equal(mem_window_at(given->window, MEMORY_AT + 96, 8), given->memory + 96, 8);
	assert_memory_equal(mem_window_at(given->window, MEMORY_AT + 160, 8), given->memory + 160,
			    8);
	// Around the end of all addresses, and of impossible lengths.
	assert_null(mem_window_at(given->window, UINT64_MAX - 3, 8));
	assert_null(mem_window_at(given->window, MEMORY_AT + 101, SIZE_MAX));
}

static void lent_bytes_are_taken_back(void **state)
{
	struct given *given = *state;
	unsigned char lent[64] = {0};

	mem_window_lend(given->window, MEMORY_AT, lent, sizeof(lent));
	mem_window_lend(given->window, 0, NULL, 0);
	assert_memory_equal(mem_window_at(given->window, MEMORY_AT, 8), given->memory, 8);
	assert_null(mem_window_at(given->window, 0, 8));
}

static void that_the_process_has_ended_is_remembered_once(void **state)
{
	struct given *given = *state;

	fake_source_fail_nth(given->fake, 1, ERROR_GONE);
	assert_null(mem_window_at(given->window, MEMORY_AT, 1));
	assert_int_equal(mem_window_word(given->window, MEMORY_AT + PAGE, 3), 3);
	struct error *error = mem_window_take_error(given->window);
	assert_int_equal(error->code, ERROR_GONE);
	error_destroy(error);
	assert_null(mem_window_take_error(given->window));
}

// The window is told of views when it is made.
static void give_views(struct given *given)
{
	fake_source_give_views(given->fake);
	mem_window_destroy(given->window);
	assert_null(mem_window_create(fake_source_source(given->fake), &given->window));
}

static void bytes_in_our_own_memory_are_neither_read_nor_copied(void **state)
{
	struct given *given = *state;
	static unsigned char copy[3 * PAGE];
	uint64_t word;

	give_views(given);
	assert_ptr_equal(mem_window_at(given->window, MEMORY_AT + PAGE - 5, 13),
			 given->memory + PAGE - 5);
	assert_true(mem_window_read(given->window, MEMORY_AT + 7, copy, sizeof(copy)));
	assert_memory_equal(copy, given->memory + 7, sizeof(copy));
	memcpy(&word, given->memory + 96, sizeof(word));
	assert_int_equal(mem_window_word(given->window, MEMORY_AT + 96, 0), word);
	assert_int_equal(fake_source_read_count(given->fake), 0);
}

static void what_no_view_holds_is_read(void **state)
{
	struct given *given = *state;
	unsigned char behind[PAGE];
	addr_t end = MEMORY_AT + (addr_t)PAGES * PAGE;

	memset(behind, 7, sizeof(behind));
	give_views(given);
	fake_source_add(given->fake, end, behind, sizeof(behind));
	const unsigned char *bytes = mem_window_at(given->window, end - 4, 8);
	assert_memory_equal(bytes, given->memory + (size_t)PAGES * PAGE - 4, 4);
	assert_memory_equal(bytes + 4, behind, 4);
	assert_true(fake_source_read_count(given->fake) > 0);
	assert_null(mem_window_at(given->window, end + PAGE, 1));
	assert_null(mem_window_take_error(given->window));
}

static void lent_bytes_come_before_views(void **state)
{
	struct given *given = *state;
	static const char lent[] = "at hand";

	give_views(given);
	mem_window_lend(given->window, MEMORY_AT, lent, sizeof(lent));
	assert_ptr_equal(mem_window_at(given->window, MEMORY_AT, 4), lent);
}

#define WITH_MEMORY(test) cmocka_unit_test_setup_teardown(test, given_memory, drop_memory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_MEMORY(bytes_are_those_of_the_process),
		WITH_MEMORY(a_read_may_straddle_pages),
		WITH_MEMORY(a_request_has_a_limit),
		WITH_MEMORY(what_cannot_be_read_is_not_there),
		WITH_MEMORY(what_cannot_be_read_is_asked_for_once),
		WITH_MEMORY(the_end_of_all_addresses_is_no_way_round),
		WITH_MEMORY(pages_that_share_a_slot_do_not_mix),
		WITH_MEMORY(bytes_stay_those_of_their_moment_until_the_window_is_cleared),
		WITH_MEMORY(clearing_gives_what_was_unreadable_another_chance),
		WITH_MEMORY(lent_bytes_are_answered_without_reading),
		WITH_MEMORY(lent_bytes_may_be_more_than_one_request_may_ask_for),
		WITH_MEMORY(what_lies_only_partly_in_lent_bytes_is_read),
		WITH_MEMORY(lent_bytes_are_taken_back),
		WITH_MEMORY(that_the_process_has_ended_is_remembered_once),
		WITH_MEMORY(bytes_in_our_own_memory_are_neither_read_nor_copied),
		WITH_MEMORY(what_no_view_holds_is_read),
		WITH_MEMORY(lent_bytes_come_before_views),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
