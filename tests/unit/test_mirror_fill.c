// SPDX-License-Identifier: GPL-3.0-or-later
// How a copy of a process's memory comes to be: what changes between the preparation and the copy, or
// from one copy to the next, and what fails on the way.
#include "mem/mirror/mirror.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/interrupt.h"
#include "base/text.h"
#include "support/fake_source.h"

enum { PAGE = 4096, PAGES = 4096 };
static const addr_t HEAP_AT = 0x10000000;

struct given {
	struct fake_source *fake;
	struct mem_source *source;
	struct mem_source *mirror;
	/** PAGES pages without a zero in them. */
	unsigned char *memory;
};

static int given_process(void **state)
{
	struct given *given = calloc(1, sizeof(*given));

	interrupt_clear();
	given->fake = fake_source_create();
	given->source = fake_source_source(given->fake);
	given->memory = malloc((size_t)PAGES * PAGE);
	for (size_t i = 0; i < (size_t)PAGES * PAGE; i++)
		given->memory[i] = (unsigned char)(1 + (i ^ i / 251) % 255);
	*state = given;
	return 0;
}

static int drop_process(void **state)
{
	struct given *given = *state;

	mem_source_destroy(given->mirror);
	fake_source_destroy(given->fake);
	free(given->memory);
	free(given);
	return 0;
}

// Pages [first, end) of the heap hold the same pages of the memory.
static void add_pages(struct given *given, size_t first, size_t end)
{
	fake_source_add(given->fake, HEAP_AT + first * PAGE, given->memory + first * PAGE,
			(end - first) * PAGE);
}

// The heap is one mapping, of pages [first, end).
static void map_pages(struct given *given, size_t first, size_t end)
{
	char text[100];

	snprintf(text, sizeof(text), "%zx-%zx rw-p 00000000 00:00 0 \n",
		 (size_t)HEAP_AT + first * PAGE, (size_t)HEAP_AT + end * PAGE);
	fake_source_set_maps(given->fake, text);
}

static void create(struct given *given)
{
	assert_null(mem_mirror_create(given->source, 2, UINT64_MAX, &given->mirror));
}

static void fill(struct given *given)
{
	assert_null(mem_mirror_fill(given->mirror, 2));
}

static const unsigned char *view(struct given *given, size_t first, size_t end)
{
	return mem_source_view(given->mirror, HEAP_AT + first * PAGE, (end - first) * PAGE);
}

static void assert_copied(struct given *given, size_t first, size_t end)
{
	const unsigned char *bytes = view(given, first, end);

	assert_non_null(bytes);
	// Without a word for each byte that differs.
	assert_true(memcmp(bytes, given->memory + first * PAGE, (end - first) * PAGE) == 0);
}

static void assert_zeros(struct given *given, size_t first, size_t end)
{
	const unsigned char *bytes = view(given, first, end);

	assert_non_null(bytes);
	for (size_t i = 0; i < (end - first) * PAGE; i++)
		assert_true(bytes[i] == 0);
}

static void much_memory_is_copied_by_several_threads(void **state)
{
	struct given *given = *state;

	map_pages(given, 0, PAGES);
	add_pages(given, 0, PAGES);
	create(given);
	assert_null(mem_mirror_fill(given->mirror, 4));
	assert_copied(given, 0, PAGES);
	assert_int_equal(mem_mirror_copied_bytes(given->mirror), (uint64_t)PAGES * PAGE);
}

static void a_thousand_scattered_pages_are_copied(void **state)
{
	struct given *given = *state;

	map_pages(given, 0, PAGES);
	for (size_t page = 0; page < 2000; page += 2)
		add_pages(given, page, page + 1);
	create(given);
	fill(given);
	for (size_t page = 0; page < 2000; page += 2) {
		assert_copied(given, page, page + 1);
		assert_zeros(given, page + 1, page + 2);
	}
}

static void nothing_is_answered_from_before_the_first_fill(void **state)
{
	struct given *given = *state;
	unsigned char byte;

	map_pages(given, 0, 2);
	add_pages(given, 0, 2);
	create(given);
	assert_null(view(given, 0, 1));
	given->memory[0] = 77;
	assert_null(mem_source_read(given->mirror, HEAP_AT, &byte, 1));
	assert_int_equal(byte, 77);
	assert_int_equal(mem_mirror_copied_bytes(given->mirror), 0);
}

static void memory_that_came_since_the_preparation_is_copied(void **state)
{
	struct given *given = *state;

	map_pages(given, 1000, 1100);
	add_pages(given, 1000, 1100);
	create(given);
	// It grows at both ends, and elsewhere.
	fake_source_remove_all(given->fake);
	map_pages(given, 900, 1200);
	add_pages(given, 950, 1150);
	fill(given);
	assert_zeros(given, 900, 950);
	assert_copied(given, 950, 1150);
	assert_non_null(view(given, 900, 1200));
}

static void mappings_far_away_that_come_later_are_copied(void **state)
{
	struct given *given = *state;
	addr_t far_at = 0x7f0000000000;

	map_pages(given, 0, 4);
	add_pages(given, 0, 4);
	create(given);
	fill(given);
	fake_source_add(given->fake, far_at, given->memory, PAGE);
	fake_source_set_maps(given->fake, "10000000-10004000 rw-p 00000000 00:00 0 \n"
					  "7f0000000000-7f0000001000 rw-p 00000000 00:00 0 \n");
	fill(given);
	assert_memory_equal(mem_source_view(given->mirror, far_at, PAGE), given->memory, PAGE);
	assert_copied(given, 0, 4);
}

static void a_mapping_that_grows_out_of_its_place_is_read_all_the_same(void **state)
{
	struct given *given = *state;
	addr_t late_at = 0x4fff0000;
	static unsigned char copy[64 * PAGE];

	map_pages(given, 0, 4);
	add_pages(given, 0, 4);
	create(given);
	fill(given);
	// Now one that began a gigabyte behind, and goes on beyond what was set aside for growth.
	fake_source_set_maps(given->fake, "10000000-10004000 rw-p 00000000 00:00 0 \n"
					  "4fff0000-51000000 rw-p 00000000 00:00 0 \n");
	fake_source_add(given->fake, late_at, given->memory, sizeof(copy));
	fill(given);
	assert_null(mem_source_view(given->mirror, late_at, sizeof(copy)));
	assert_null(mem_source_read(given->mirror, late_at, copy, sizeof(copy)));
	assert_memory_equal(copy, given->memory, sizeof(copy));
	// What it had there is zeros when it is gone.
	fake_source_remove_all(given->fake);
	fill(given);
	assert_null(mem_source_read(given->mirror, late_at, copy, sizeof(copy)));
	for (size_t i = 0; i < sizeof(copy); i++)
		assert_true(copy[i] == 0);
}

static void mappings_that_vanished_are_forgotten(void **state)
{
	struct given *given = *state;
	unsigned char byte;

	map_pages(given, 0, 8);
	add_pages(given, 0, 8);
	create(given);
	fill(given);
	map_pages(given, 0, 4);
	fill(given);
	assert_copied(given, 0, 4);
	assert_null(view(given, 4, 5));
	_cleanup_error_ struct error *error =
		mem_source_read(given->mirror, HEAP_AT + 4 * PAGE, &byte, 1);
	assert_non_null(error);
	assert_int_equal(error->code, ERROR_FAULT);
}

static void another_fill_shows_nothing_of_the_one_before(void **state)
{
	struct given *given = *state;

	map_pages(given, 0, PAGES);
	add_pages(given, 0, PAGES);
	create(given);
	fill(given);
	// A little, much, and the ends: they are given back to the kernel.
	fake_source_remove_all(given->fake);
	add_pages(given, 3, 10);
	add_pages(given, 11, 600);
	add_pages(given, 3000, 4000);
	given->memory[5 * PAGE] ^= 0xff;
	fill(given);
	assert_zeros(given, 0, 3);
	assert_copied(given, 3, 10);
	assert_zeros(given, 10, 11);
	assert_copied(given, 11, 600);
	assert_zeros(given, 600, 3000);
	assert_copied(given, 3000, 4000);
	assert_zeros(given, 4000, PAGES);
	// And once more with all of it.
	fake_source_remove_all(given->fake);
	add_pages(given, 0, PAGES);
	fill(given);
	assert_copied(given, 0, PAGES);
}

static void what_vanished_and_came_again_is_zeros_where_untouched(void **state)
{
	struct given *given = *state;

	map_pages(given, 0, 100);
	add_pages(given, 0, 100);
	create(given);
	fill(given);
	map_pages(given, 0, 50);
	fill(given);
	map_pages(given, 0, 100);
	fake_source_remove_all(given->fake);
	add_pages(given, 0, 50);
	fill(given);
	assert_copied(given, 0, 50);
	assert_zeros(given, 50, 100);
}

static const char program_maps[] = "10000000-10004000 r--p 00000000 08:01 77 /bin/program\n"
				   "10004000-10005000 r-xp 00004000 08:01 77 /bin/program\n"
				   "10005000-10006000 rw-p 00005000 08:01 77 /bin/program\n";

static void tables_that_cannot_change_are_copied_once(void **state)
{
	struct given *given = *state;

	fake_source_set_maps(given->fake, program_maps);
	add_pages(given, 0, 6);
	create(given);
	// While it stood still there was nothing but its variables to read.
	fill(given);
	size_t reads = fake_source_read_count(given->fake);
	fill(given);
	assert_int_equal(fake_source_read_count(given->fake), reads + 1);
	assert_copied(given, 0, 4);
	assert_copied(given, 5, 6);
}

static void tables_of_another_file_are_copied_anew(void **state)
{
	struct given *given = *state;

	fake_source_set_maps(given->fake, program_maps);
	add_pages(given, 0, 6);
	create(given);
	fill(given);
	fake_source_set_maps(given->fake, "10000000-10004000 r--p 00000000 08:01 78 /bin/other\n"
					  "10004000-10005000 r-xp 00004000 08:01 78 /bin/other\n");
	given->memory[0] ^= 0xff;
	fill(given);
	assert_copied(given, 0, 4);
}

// Of a file: all of its pages are read, and pages 4 and 600 are not there.
static void map_with_bad_pages(struct given *given)
{
	fake_source_set_maps(given->fake, "10000000-10400000 rw-p 00000000 08:01 77 /data\n");
	add_pages(given, 0, 4);
	add_pages(given, 5, 600);
	add_pages(given, 601, 1024);
}

static void one_bad_page_does_not_lose_the_rest(void **state)
{
	struct given *given = *state;
	static unsigned char into[8 * PAGE];
	struct mem_span span = {.at = HEAP_AT + 4 * PAGE - 8, .into = into, .bytes = 16};

	map_with_bad_pages(given);
	create(given);
	fill(given);
	assert_copied(given, 0, 4);
	assert_copied(given, 5, 600);
	assert_copied(given, 601, 1024);
	assert_null(view(given, 4, 5));
	assert_null(view(given, 0, 1024));
	assert_null(mem_source_view(given->mirror, span.at, 9));
	assert_int_equal(mem_mirror_copied_bytes(given->mirror), 1022 * PAGE);
	assert_null(mem_source_gather(given->mirror, &span, 1));
	assert_false(span.ok);
	_cleanup_error_ struct error *error =
		mem_source_read(given->mirror, HEAP_AT, into, sizeof(into));
	assert_non_null(error);
	assert_int_equal(error->code, ERROR_FAULT);
	assert_int_equal(error->address, HEAP_AT + 4 * PAGE);
}

static void a_bad_page_may_be_good_the_next_time(void **state)
{
	struct given *given = *state;

	map_with_bad_pages(given);
	create(given);
	fill(given);
	add_pages(given, 4, 5);
	add_pages(given, 600, 601);
	fill(given);
	assert_copied(given, 0, 1024);
}

static void map_for_failures(struct given *given)
{
	fake_source_set_maps(given->fake, "10000000-10004000 r--p 00000000 08:01 77 /bin/program\n"
					  "10004000-10005000 r-xp 00004000 08:01 77 /bin/program\n"
					  "10005000-10006000 rw-p 00005000 08:01 77 /bin/program\n"
					  "10006000-10020000 rw-p 00000000 00:00 0 \n");
	add_pages(given, 0, 8);
	add_pages(given, 10, 12);
}

static void whichever_read_finds_the_process_gone_the_fill_says_so(void **state)
{
	struct given *given = *state;
	size_t nth = 0;

	map_for_failures(given);
	create(given);
	for (bool failed = true; failed;) {
		fake_source_fail_nth(given->fake, ++nth, ERROR_GONE);
		_cleanup_error_ struct error *error = mem_mirror_fill(given->mirror, 1);
		failed = error;
		assert_true(!error || error->code == ERROR_GONE);
		assert_true(!error || !view(given, 5, 6));
	}
	assert_true(nth > 4);
	assert_copied(given, 5, 8);
}

static void whichever_read_of_the_preparation_fails_is_an_error(void **state)
{
	struct given *given = *state;
	size_t nth = 0;

	map_for_failures(given);
	while (!given->mirror) {
		fake_source_fail_nth(given->fake, ++nth, ERROR_NO_MEMORY);
		_cleanup_error_ struct error *error =
			mem_mirror_create(given->source, 2, UINT64_MAX, &given->mirror);
		assert_true(!error || error->code == ERROR_NO_MEMORY);
	}
	assert_true(nth > 4);
	fake_source_fail_nth(given->fake, 0, ERROR_FAILED);
	fill(given);
	assert_copied(given, 0, 4);
}

static void a_read_that_fails_once_is_tried_again(void **state)
{
	struct given *given = *state;

	map_for_failures(given);
	create(given);
	fill(given);
	size_t reads = fake_source_read_count(given->fake);
	fill(given);
	reads = fake_source_read_count(given->fake) - reads;
	// The last ones are those of the copy; before them it asks what there is.
	for (size_t nth = reads - 1; nth <= reads; nth++) {
		fake_source_fail_nth(given->fake, nth, ERROR_FAULT);
		fill(given);
		assert_copied(given, 5, 8);
		assert_copied(given, 10, 12);
	}
}

static void a_signal_ends_the_fill(void **state)
{
	struct given *given = *state;

	map_pages(given, 0, 8);
	add_pages(given, 0, 8);
	create(given);
	assert_null(interrupt_install());
	raise(SIGINT);
	_cleanup_error_ struct error *error = mem_mirror_fill(given->mirror, 2);
	interrupt_clear();
	assert_non_null(error);
	assert_int_equal(error->code, ERROR_INTERRUPTED);
	assert_null(view(given, 0, 1));
	fill(given);
	assert_copied(given, 0, 8);
}

static void a_copy_for_which_there_is_no_memory_is_refused(void **state)
{
	struct given *given = *state;
	_cleanup_text_ struct text maps = {0};

	// 64 TiB of files mapped to be changed in private.
	for (size_t i = 1; i <= 65536; i++)
		assert_null(text_appendf(&maps, "%zx-%zx rw-p 00000000 08:01 7 /data\n", i << 30,
					 (i + 1) << 30));
	fake_source_set_maps(given->fake, text_chars(&maps));
	_cleanup_error_ struct error *error =
		mem_mirror_create(given->source, 2, UINT64_MAX, &given->mirror);
	assert_non_null(error);
	assert_int_equal(error->code, ERROR_FAILED);
	assert_non_null(strstr(error->message, "needs 64.0 TiB more"));
	assert_non_null(strstr(error->message, "left"));
}

static void more_than_was_allowed_is_not_copied(void **state)
{
	struct given *given = *state;
	const uint64_t most = 64 * PAGE;

	// A file mapped to be changed in private, of which nothing is in memory.
	fake_source_set_maps(given->fake, "20000000-30000000 rw-p 00000000 08:01 7 /data\n");
	_cleanup_error_ struct error *error =
		mem_mirror_create(given->source, 2, most, &given->mirror);
	assert_non_null(error);
	assert_int_equal(error->code, ERROR_FAILED);
	assert_non_null(strstr(error->message, "256.0 MiB"));
	assert_null(given->mirror);

	// nor when it came later
	map_pages(given, 0, PAGES);
	add_pages(given, 0, 60);
	assert_null(mem_mirror_create(given->source, 2, most, &given->mirror));
	fill(given);
	add_pages(given, 60, 70);
	_cleanup_error_ struct error *later = mem_mirror_fill(given->mirror, 2);
	assert_non_null(later);
	assert_int_equal(later->code, ERROR_FAILED);
}

#define WITH_PROCESS(test) cmocka_unit_test_setup_teardown(test, given_process, drop_process)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PROCESS(much_memory_is_copied_by_several_threads),
		WITH_PROCESS(a_thousand_scattered_pages_are_copied),
		WITH_PROCESS(nothing_is_answered_from_before_the_first_fill),
		WITH_PROCESS(memory_that_came_since_the_preparation_is_copied),
		WITH_PROCESS(mappings_far_away_that_come_later_are_copied),
		WITH_PROCESS(a_mapping_that_grows_out_of_its_place_is_read_all_the_same),
		WITH_PROCESS(mappings_that_vanished_are_forgotten),
		WITH_PROCESS(another_fill_shows_nothing_of_the_one_before),
		WITH_PROCESS(what_vanished_and_came_again_is_zeros_where_untouched),
		WITH_PROCESS(tables_that_cannot_change_are_copied_once),
		WITH_PROCESS(tables_of_another_file_are_copied_anew),
		WITH_PROCESS(one_bad_page_does_not_lose_the_rest),
		WITH_PROCESS(a_bad_page_may_be_good_the_next_time),
		WITH_PROCESS(whichever_read_finds_the_process_gone_the_fill_says_so),
		WITH_PROCESS(whichever_read_of_the_preparation_fails_is_an_error),
		WITH_PROCESS(a_read_that_fails_once_is_tried_again),
		WITH_PROCESS(a_signal_ends_the_fill),
		WITH_PROCESS(a_copy_for_which_there_is_no_memory_is_refused),
		WITH_PROCESS(more_than_was_allowed_is_not_copied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
