// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/maps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "mem/process.h"

static const char example[] =
	"00400000-00452000 r-xp 00001000 08:02 173521      /usr/bin/dbus daemon\n"
	"00e03000-00e24000 rw-p 00000000 00:00 0           [heap]\n"
	"00e24000-011f7000 rw-p 00000000 00:00 0 \n"
	"35b1a21000-35b1a22000 rw-s 0001f000 103:1a 4294967296  /dev/shm/a (deleted)\n"
	"7f9c2a000000-7f9c2a021000 ---p 00000000 00:00 0\n"
	"7ffd5a7e5000-7ffd5a806000 rw-p 00000000 00:00 0   [stack]\n"
	"7ffd5a9fe000-7ffd5aa00000 r-xp 00000000 00:00 0   [vdso]\n"
	"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0  [vsyscall]\n";

static void parse(const char *text, struct maps *ret)
{
	_cleanup_error_ struct error *error = maps_parse(text, strlen(text), ret);

	if (error)
		fail_msg("%s", error->message);
}

static void every_field_of_a_line_is_read(void **state)
{
	_cleanup_maps_ struct maps maps = {0};

	parse(example, &maps);

	assert_int_equal(maps.count, 8);
	const struct mapping *program = &maps.list[0];
	assert_int_equal(program->start, 0x400000);
	assert_int_equal(program->end, 0x452000);
	assert_int_equal(program->file_offset, 0x1000);
	assert_int_equal(program->inode, 173521);
	assert_int_equal(program->device_major, 8);
	assert_int_equal(program->device_minor, 2);
	assert_int_equal(program->flags, MAPPING_READ | MAPPING_EXEC);
	assert_string_equal(program->path, "/usr/bin/dbus daemon");

	const struct mapping *shared = &maps.list[3];
	assert_int_equal(shared->start, 0x35b1a21000);
	assert_int_equal(shared->inode, 4294967296);
	assert_int_equal(shared->device_major, 0x103);
	assert_int_equal(shared->device_minor, 0x1a);
	assert_int_equal(shared->flags,
			 MAPPING_READ | MAPPING_WRITE | MAPPING_SHARED | MAPPING_DELETED);
	assert_string_equal(shared->path, "/dev/shm/a");

	assert_int_equal(maps.list[4].flags, 0);
	assert_string_equal(maps.list[4].path, "");
	assert_int_equal(maps.list[7].end, 0xffffffffff601000);
}

static void heap_stack_and_nameless_memory_are_anonymous_and_nothing_else(void **state)
{
	static const bool anonymous[] = {false, true, true, false, true, true, false, false};
	_cleanup_maps_ struct maps maps = {0};

	parse(example, &maps);

	for (size_t i = 0; i < maps.count; i++)
		assert_int_equal(mapping_is_anonymous(&maps.list[i]), anonymous[i]);
}

static void memory_named_by_prctl_is_anonymous(void **state)
{
	_cleanup_maps_ struct maps maps = {0};

	parse("1000-2000 rw-p 00000000 00:00 0  [anon:cpython:pymalloc]\n"
	      "2000-3000 rw-p 00000000 00:00 0  [stack:4711]\n"
	      "3000-4000 rw-s 00000000 00:01 5  /dev/zero (deleted)\n",
	      &maps);

	assert_true(mapping_is_anonymous(&maps.list[0]));
	assert_true(mapping_is_anonymous(&maps.list[1]));
	assert_false(mapping_is_anonymous(&maps.list[2]));
}

static void an_address_finds_the_mapping_that_holds_it(void **state)
{
	_cleanup_maps_ struct maps maps = {0};

	parse(example, &maps);

	assert_null(maps_find(&maps, 0));
	assert_null(maps_find(&maps, 0x3fffff));
	assert_ptr_equal(maps_find(&maps, 0x400000), &maps.list[0]);
	assert_ptr_equal(maps_find(&maps, 0x451fff), &maps.list[0]);
	assert_null(maps_find(&maps, 0x452000));
	assert_ptr_equal(maps_find(&maps, 0xe23fff), &maps.list[1]);
	assert_ptr_equal(maps_find(&maps, 0xe24000), &maps.list[2]);
	assert_ptr_equal(maps_find(&maps, 0xffffffffff600fff), &maps.list[7]);
	assert_null(maps_find(&maps, UINT64_MAX));
}

static void a_newline_in_a_name_is_told_from_a_new_line(void **state)
{
	_cleanup_maps_ struct maps maps = {0};

	parse("1000-2000 r--p 00000000 08:02 7  /tmp/two\\012lines \\134 (deleted)\n", &maps);

	assert_string_equal(maps.list[0].path, "/tmp/two\nlines \\134");
	assert_true(maps.list[0].flags & MAPPING_DELETED);
}

static void no_text_is_no_mappings(void **state)
{
	_cleanup_maps_ struct maps maps = {0};

	parse("", &maps);

	assert_int_equal(maps.count, 0);
	assert_null(maps_find(&maps, 0x1000));
}

static void a_line_that_does_not_parse_is_an_error_that_names_it(void **state)
{
	static const char *const lines[] = {
		"1000 2000 r--p 00000000 08:02 7\n",
		"1000-2000 r-zp 00000000 08:02 7\n",
		"1000-2000 r--x 00000000 08:02 7\n",
		"1000-2000 r--p 00000000 08.02 7\n",
		"1000-2000 r--p 00000000 08:02\n",
		"1000-2000 r--p 00000000 08:02 7f\n",
		"1000-2000 r--p 00000000 08:02 x\n",
		"2000-1000 r--p 00000000 08:02 7\n",
		"1000-1000 r--p 00000000 08:02 7\n",
		"-2000 r--p 00000000 08:02 7\n",
		"11112222333344445-2000 r--p 00000000 08:02 7\n",
		"1000-2000 r--p 00000000 08:100000000 7\n",
		"1000-2000 r--p 00000000 08:02 99999999999999999999\n",
		"\n",
	};
	char text[256];

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		_cleanup_maps_ struct maps maps = {0};

		snprintf(text, sizeof(text), "10-20 r--p 00000000 08:02 7\n%s", lines[i]);
		_cleanup_error_ struct error *error = maps_parse(text, strlen(text), &maps);
		if (!error)
			fail_msg("parsed: %s", lines[i]);
		assert_int_equal(error->code, ERROR_FAILED);
		assert_non_null(strstr(error->message, "line 2"));
		assert_int_equal(maps.count, 0);
	}
}

static void text_that_was_cut_off_is_an_error(void **state)
{
	for (size_t length = 1; length < sizeof(example) - 1; length++) {
		_cleanup_maps_ struct maps maps = {0};
		_cleanup_error_ struct error *error = maps_parse(example, length, &maps);

		assert_true(!error == (example[length - 1] == '\n'));
	}
}

// As lists of running processes are, whose mappings change between two reads of one.
static void of_mappings_that_overlap_the_first_stays(void **state)
{
	_cleanup_maps_ struct maps maps = {0};

	parse("2000-4000 r--p 00001000 08:02 7\n"
	      "3000-5000 r--p 00002000 08:02 7\n"
	      "3000-4000 ---p 00000000 00:00 0\n"
	      "2000-5000 rw-p 00000000 00:00 0\n"
	      "4000-6000 rw-p 00000000 00:00 0\n"
	      "6000-7000 ---p 00000000 00:00 0\n",
	      &maps);

	assert_int_equal(maps.count, 4);
	for (size_t i = 0; i < maps.count; i++) {
		static const addr_t starts[] = {0x2000, 0x4000, 0x5000, 0x6000};

		assert_int_equal(maps.list[i].start, starts[i]);
		assert_int_equal(maps.list[i].end, i ? starts[i] + 0x1000 : 0x4000);
	}
	assert_int_equal(maps.list[0].file_offset, 0x1000);
	assert_int_equal(maps.list[1].file_offset, 0x3000);
	assert_int_equal(maps.list[2].file_offset, 0);
	assert_int_equal(maps_find(&maps, 0x4800)->file_offset, 0x3000);
	assert_int_equal(maps_find(&maps, 0x5800)->flags, MAPPING_READ | MAPPING_WRITE);
}

static void our_own_mappings_parse_and_hold_our_own_addresses(void **state)
{
	_cleanup_maps_ struct maps maps = {0};
	_cleanup_text_ struct text text = {0};
	int on_stack = 0;

	assert_null(process_file(getpid(), "maps", &text));
	parse(text_chars(&text), &maps);

	assert_true(maps.count > 5);
	const struct mapping *stack = maps_find(&maps, (addr_t)&on_stack);
	assert_non_null(stack);
	assert_true(mapping_is_anonymous(stack));
	const struct mapping *code = maps_find(&maps, (addr_t)maps_parse);
	assert_non_null(code);
	assert_true(code->flags & MAPPING_EXEC);
	assert_non_null(strstr(code->path, "test_maps"));
	assert_false(mapping_is_anonymous(code));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_of_a_line_is_read),
		cmocka_unit_test(heap_stack_and_nameless_memory_are_anonymous_and_nothing_else),
		cmocka_unit_test(memory_named_by_prctl_is_anonymous),
		cmocka_unit_test(an_address_finds_the_mapping_that_holds_it),
		cmocka_unit_test(a_newline_in_a_name_is_told_from_a_new_line),
		cmocka_unit_test(no_text_is_no_mappings),
		cmocka_unit_test(a_line_that_does_not_parse_is_an_error_that_names_it),
		cmocka_unit_test(text_that_was_cut_off_is_an_error),
		cmocka_unit_test(of_mappings_that_overlap_the_first_stays),
		cmocka_unit_test(our_own_mappings_parse_and_hold_our_own_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
