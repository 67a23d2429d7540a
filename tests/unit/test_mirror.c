// SPDX-License-Identifier: GPL-3.0-or-later
// What a copy of a process's memory answers. How it comes to be, and what may go wrong then, is in
// test_mirror_fill.c.
#include "mem/mirror/mirror.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "mem/live.h"
#include "mem/maps.h"
#include "mem/pause.h"
#include "support/child.h"
#include "support/fake_source.h"

enum { PAGE = 4096, PAGES = 64 };

/** A heap, untouched but for pages 2 to 5 and 8; behind a gap a program: head, code, tables, data,
 *  variables; a font; memory shared with others; a page that nobody may read. */
static const char maps_text[] = "10000000-10010000 rw-p 00000000 00:00 0 [heap]\n"
				"10010000-10012000 rw-p 00000000 00:00 0 \n"
				"20000000-20002000 r--p 00000000 08:01 77 /bin/program\n"
				"20002000-20004000 r-xp 00002000 08:01 77 /bin/program\n"
				"20004000-20006000 r--p 00004000 08:01 77 /bin/program\n"
				"20006000-20008000 rw-p 00006000 08:01 77 /bin/program\n"
				"20008000-2000a000 rw-p 00000000 00:00 0 \n"
				"30000000-30002000 r--p 00000000 08:01 99 /share/font\n"
				"40000000-40002000 rw-s 00000000 08:01 98 /tmp/shared\n"
				"50000000-50002000 ---p 00000000 00:00 0 \n";

static const addr_t HEAP_AT = 0x10000000, HEAP_END = 0x10012000;
static const addr_t PROGRAM_AT = 0x20000000, CODE_AT = 0x20002000, TABLES_AT = 0x20004000;
static const addr_t PROGRAM_END = 0x2000a000;

struct given {
	struct fake_source *fake;
	struct mem_source *mirror;
	unsigned char *memory;
	unsigned char *program;
};

static int given_copy(void **state)
{
	struct given *given = calloc(1, sizeof(*given));

	given->fake = fake_source_create();
	given->memory = malloc((size_t)PAGES * PAGE);
	for (size_t i = 0; i < (size_t)PAGES * PAGE; i++)
		given->memory[i] = (unsigned char)(1 + (i ^ i / 251) % 255);
	given->program = given->memory + (size_t)20 * PAGE;
	fake_source_set_maps(given->fake, maps_text);
	fake_source_add(given->fake, HEAP_AT + 2 * PAGE, given->memory, (size_t)4 * PAGE);
	fake_source_add(given->fake, HEAP_AT + 8 * PAGE, given->memory + (size_t)4 * PAGE, PAGE);
	fake_source_add(given->fake, 0x10010000, given->memory + (size_t)5 * PAGE,
			(size_t)2 * PAGE);
	fake_source_add(given->fake, PROGRAM_AT, given->program, (size_t)10 * PAGE);
	fake_source_add(given->fake, 0x30000000, given->memory + (size_t)30 * PAGE,
			(size_t)2 * PAGE);
	fake_source_add(given->fake, 0x40000000, given->memory + (size_t)32 * PAGE,
			(size_t)2 * PAGE);
	assert_null(
		mem_mirror_create(fake_source_source(given->fake), 2, UINT64_MAX, &given->mirror));
	assert_null(mem_mirror_fill(given->mirror, 2));
	*state = given;
	return 0;
}

static int drop_copy(void **state)
{
	struct given *given = *state;

	mem_source_destroy(given->mirror);
	fake_source_destroy(given->fake);
	free(given->memory);
	free(given);
	return 0;
}

static unsigned char byte_at(struct given *given, addr_t at)
{
	unsigned char byte = 0;

	assert_null(mem_source_read(given->mirror, at, &byte, 1));
	return byte;
}

static void assert_faults(struct given *given, addr_t at, size_t bytes, addr_t bad)
{
	unsigned char into[4 * PAGE];
	_cleanup_error_ struct error *error = mem_source_read(given->mirror, at, into, bytes);

	assert_non_null(error);
	assert_int_equal(error->code, ERROR_FAULT);
	assert_int_equal(error->address, bad);
	assert_null(mem_source_view(given->mirror, at, bytes));
}

static void what_can_change_is_as_it_was(void **state)
{
	struct given *given = *state;
	unsigned char heap = given->memory[5], data = given->program[7 * PAGE];

	memset(given->memory, 0, (size_t)20 * PAGE);
	given->program[7 * PAGE]++;
	assert_int_equal(byte_at(given, HEAP_AT + 2 * PAGE + 5), heap);
	assert_int_equal(byte_at(given, PROGRAM_AT + 7 * PAGE), data);
}

static void tables_of_a_program_are_in_the_copy_and_its_code_is_not(void **state)
{
	struct given *given = *state;
	unsigned char table = given->program[4 * PAGE + 9];
	size_t reads = fake_source_read_count(given->fake);

	given->program[4 * PAGE + 9]++;
	assert_int_equal(byte_at(given, TABLES_AT + 9), table);
	assert_int_equal(fake_source_read_count(given->fake), reads);
	given->program[2 * PAGE + 9]++;
	assert_int_equal(byte_at(given, CODE_AT + 9), given->program[2 * PAGE + 9]);
	assert_null(mem_source_view(given->mirror, CODE_AT, 1));
}

static void other_files_and_shared_memory_are_read_when_asked_for(void **state)
{
	struct given *given = *state;

	given->memory[30 * PAGE] ^= 0xff;
	given->memory[32 * PAGE] ^= 0xff;
	assert_int_equal(byte_at(given, 0x30000000), given->memory[30 * PAGE]);
	assert_int_equal(byte_at(given, 0x40000000), given->memory[32 * PAGE]);
}

static void memory_never_touched_is_zeros_and_not_read(void **state)
{
	struct given *given = *state;
	static const unsigned char zeros[3 * PAGE];

	assert_memory_equal(mem_source_view(given->mirror, HEAP_AT + 9 * PAGE, sizeof(zeros)),
			    zeros, sizeof(zeros));
	assert_int_equal(byte_at(given, HEAP_AT), 0);
	// 7 pages of the heap, 8 of the program.
	assert_int_equal(mem_mirror_copied_bytes(given->mirror), 15 * PAGE);
}

static void a_view_is_a_pointer_to_the_bytes(void **state)
{
	struct given *given = *state;
	const unsigned char *view = mem_source_view(given->mirror, HEAP_AT + 2 * PAGE, 100);

	assert_memory_equal(view, given->memory, 100);
	// The same memory for all who ask.
	assert_ptr_equal(mem_source_view(given->mirror, HEAP_AT + 2 * PAGE + 50, 8), view + 50);
}

static void a_view_may_span_mappings_that_adjoin(void **state)
{
	struct given *given = *state;
	const unsigned char *heap = mem_source_view(given->mirror, HEAP_AT, HEAP_END - HEAP_AT);
	const unsigned char *data =
		mem_source_view(given->mirror, TABLES_AT, PROGRAM_END - TABLES_AT);

	assert_memory_equal(heap + 0x10000, given->memory + (size_t)5 * PAGE, (size_t)2 * PAGE);
	assert_memory_equal(data, given->program + (size_t)4 * PAGE, (size_t)6 * PAGE);
}

static void a_view_does_not_reach_over_an_end(void **state)
{
	struct given *given = *state;

	assert_non_null(mem_source_view(given->mirror, HEAP_END - 8, 8));
	assert_null(mem_source_view(given->mirror, HEAP_END - 8, 9));
	assert_null(mem_source_view(given->mirror, HEAP_END, 1));
	assert_null(mem_source_view(given->mirror, HEAP_AT - 1, 2));
	assert_null(mem_source_view(given->mirror, HEAP_AT, SIZE_MAX));
	assert_null(mem_source_view(given->mirror, UINT64_MAX, 1));
	assert_null(mem_source_view(given->mirror, TABLES_AT - 4, 8));
}

static void a_read_may_span_what_is_copied_and_what_is_not(void **state)
{
	struct given *given = *state;
	static unsigned char whole[10 * PAGE];

	assert_null(mem_source_read(given->mirror, PROGRAM_AT, whole, sizeof(whole)));
	assert_memory_equal(whole, given->program, sizeof(whole));
}

static void what_was_not_there_is_a_fault(void **state)
{
	struct given *given = *state;
	unsigned char late[PAGE] = {1};

	assert_faults(given, HEAP_END - 8, 16, HEAP_END);
	assert_faults(given, 0x50000000, 1, 0x50000000);
	assert_faults(given, UINT64_MAX - 3, 8, UINT64_MAX - 3);
	assert_faults(given, 0x1000, 4, 0x1000);
	// Nor does it answer from what has come since.
	fake_source_add(given->fake, 0x60000000, late, sizeof(late));
	fake_source_add(given->fake, 0x50000000, late, sizeof(late));
	assert_faults(given, 0x60000000, 1, 0x60000000);
	assert_faults(given, 0x50000000, 1, 0x50000000);
}

static void a_gather_tells_which_pieces_came(void **state)
{
	struct given *given = *state;
	unsigned char into[5][16] = {{0}};
	struct mem_span spans[] = {
		{.at = HEAP_AT + 2 * PAGE, .into = into[0], .bytes = 16},
		{.at = 0x7000, .into = into[1], .bytes = 16},
		{.at = CODE_AT - 8, .into = into[2], .bytes = 16},
		{.at = HEAP_END - 8, .into = into[3], .bytes = 16},
		{.at = CODE_AT + 100, .into = into[4], .bytes = 16},
	};

	assert_null(mem_source_gather(given->mirror, spans, 5));
	assert_true(spans[0].ok && !spans[1].ok && spans[2].ok && !spans[3].ok && spans[4].ok);
	assert_memory_equal(into[0], given->memory, 16);
	assert_memory_equal(into[2], given->program + (size_t)2 * PAGE - 8, 16);
	assert_memory_equal(into[4], given->program + (size_t)2 * PAGE + 100, 16);
}

static void what_was_copied_is_told_run_by_run(void **state)
{
	struct given *given = *state;
	static const addr_t expected[][2] = {
		{0x10002000, 0x10006000}, {0x10008000, 0x10009000}, {0x10010000, 0x10012000},
		{0x20000000, 0x20002000}, {0x20004000, 0x2000a000},
	};
	addr_t at = 0, start, end;

	for (size_t i = 0; i < 5; i++, at = end) {
		assert_null(mem_source_resident(given->mirror, at, 0x60000000, &start, &end));
		assert_int_equal(start, expected[i][0]);
		assert_int_equal(end, expected[i][1]);
	}
	assert_null(mem_source_resident(given->mirror, at, 0x60000000, &start, &end));
	assert_true(start == 0x60000000 && end == 0x60000000);
	// Cut to what was asked for.
	assert_null(mem_source_resident(given->mirror, 0x10003000, 0x10005000, &start, &end));
	assert_true(start == 0x10003000 && end == 0x10005000);
}

static void mappings_are_those_of_the_moment(void **state)
{
	struct given *given = *state;
	_cleanup_maps_ struct maps maps = {0};

	fake_source_set_maps(given->fake, "");
	assert_null(mem_source_maps(given->mirror, &maps));
	assert_int_equal(maps.count, 10);
	assert_string_equal(maps.list[0].path, "[heap]");
	assert_string_equal(maps.list[3].path, "/bin/program");
	assert_int_equal(maps.list[9].end, 0x50002000);
}

static void a_copy_outlives_its_process(void **state)
{
	struct given *given = *state;

	fake_source_fail_nth(given->fake, 1, ERROR_GONE);
	assert_int_equal(byte_at(given, HEAP_AT + 2 * PAGE), given->memory[0]);
	assert_int_equal(byte_at(given, TABLES_AT), given->program[4 * PAGE]);
	assert_faults(given, CODE_AT, 8, CODE_AT);
}

static void what_a_later_program_has_is_not_of_the_copy(void **state)
{
	struct given *given = *state;

	assert_int_equal(byte_at(given, CODE_AT), given->program[2 * PAGE]);
	fake_source_become_another(given->fake);
	assert_int_equal(byte_at(given, HEAP_AT + 2 * PAGE), given->memory[0]);
	assert_faults(given, CODE_AT, 8, CODE_AT);
}

static void children_do_not_get_the_copy(void **state)
{
	struct given *given = *state;
	const void *view = mem_source_view(given->mirror, HEAP_AT + 2 * PAGE, PAGE);
	void *page = (void *)((uintptr_t)view & ~(uintptr_t)(PAGE - 1));

	assert_true(page_is_not_inherited(page));
}

/** A child's own memory: written in part, once, and then over and over again. */
struct child_memory {
	unsigned char *huge;
	unsigned char *changing;
};

enum { CHANGING_BYTES = 3 << 20 };
static const size_t huge_bytes = (size_t)1 << 30;

static void run_changing(struct child *child, void *argument)
{
	struct child_memory *memory = argument;

	memory->huge[5 * PAGE] = 55;
	memset(memory->changing, 1, CHANGING_BYTES);
	child_ready(child);
	for (unsigned char value = 2;; value++)
		memset(memory->changing, value, CHANGING_BYTES);
}

static unsigned char *map_private(size_t bytes)
{
	unsigned char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

// The child writes from the beginning to the end: there is one place where the new ends and the old
// begins, wherever it was stopped.
static void assert_is_of_one_moment(const unsigned char *bytes)
{
	size_t changes = 0;

	for (size_t i = 1; i < CHANGING_BYTES; i++)
		changes += bytes[i] != bytes[i - 1];
	assert_true(changes <= 2);
}

static void a_copy_of_a_running_process_is_of_one_moment(void **state)
{
	struct child_memory memory = {map_private(huge_bytes), map_private(CHANGING_BYTES)};
	struct child *child = child_start(run_changing, &memory);
	struct mem_source *live = NULL, *mirror = NULL;
	static const unsigned char zeros[PAGE];
	addr_t huge_at = (addr_t)(uintptr_t)memory.huge;

	assert_null(mem_live_create(child->pid, &live));
	assert_null(mem_mirror_create(live, 2, UINT64_MAX, &mirror));
	for (unsigned round = 0; round < 3; round++) {
		struct pause *pause = NULL;
		assert_null(pause_begin(child->pid, &pause));
		assert_null(mem_mirror_fill(mirror, 2));
		pause_end(&pause);
		const unsigned char *bytes =
			mem_source_view(mirror, (addr_t)(uintptr_t)memory.changing, CHANGING_BYTES);
		assert_non_null(bytes);
		assert_is_of_one_moment(bytes);
		const unsigned char *huge = mem_source_view(mirror, huge_at, huge_bytes);
		assert_int_equal(huge[5 * PAGE], 55);
		assert_memory_equal(huge + huge_bytes / 2, zeros, PAGE);
	}
	mem_source_destroy(mirror);
	mem_source_destroy(live);
	child_stop(child);
	munmap(memory.huge, huge_bytes);
	munmap(memory.changing, CHANGING_BYTES);
}

#define WITH_COPY(test) cmocka_unit_test_setup_teardown(test, given_copy, drop_copy)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_COPY(what_can_change_is_as_it_was),
		WITH_COPY(tables_of_a_program_are_in_the_copy_and_its_code_is_not),
		WITH_COPY(other_files_and_shared_memory_are_read_when_asked_for),
		WITH_COPY(memory_never_touched_is_zeros_and_not_read),
		WITH_COPY(a_view_is_a_pointer_to_the_bytes),
		WITH_COPY(a_view_may_span_mappings_that_adjoin),
		WITH_COPY(a_view_does_not_reach_over_an_end),
		WITH_COPY(a_read_may_span_what_is_copied_and_what_is_not),
		WITH_COPY(what_was_not_there_is_a_fault),
		WITH_COPY(a_gather_tells_which_pieces_came),
		WITH_COPY(what_was_copied_is_told_run_by_run),
		WITH_COPY(mappings_are_those_of_the_moment),
		WITH_COPY(a_copy_outlives_its_process),
		WITH_COPY(what_a_later_program_has_is_not_of_the_copy),
		WITH_COPY(children_do_not_get_the_copy),
		cmocka_unit_test(a_copy_of_a_running_process_is_of_one_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
