// SPDX-License-Identifier: GPL-3.0-or-later
// What stands for glibc's string functions, against those of this process.
#include "targets/cpython/machine/libc_gates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include <cmocka.h>

#include "base/array.h"
#include "mem/live.h"
#include "targets/cpython/machine/libc_functions.h"

#if defined(__x86_64__)

enum { BYTES = 3 * 4096, PAGES_MAX = 64 };

/** A cpu over this process, and where the gates of its C library are. */
struct given {
	struct mem_source *source;
	struct module_list *modules;
	struct cpu *cpu;
	struct py_libc_gates gates;
	addr_t thread_pointer;
};

static char area[BYTES] __attribute__((aligned(4096)));

static int given_a_cpu(void **state)
{
	struct given *given = calloc(1, sizeof(*given));
	struct maps maps = {0};

	assert_non_null(given);
	assert_null(mem_live_create(getpid(), &given->source));
	assert_null(mem_source_maps(given->source, &maps));
	assert_null(module_list_create(&maps, getpid(), &given->modules));
	maps_deinit(&maps);
	assert_null(cpu_create(given->source, &given->cpu));
	__asm__("mov %%fs:0, %0" : "=r"(given->thread_pointer));
	cpu_set_thread_pointer(given->cpu, given->thread_pointer);
	assert_null(py_libc_gates_find(given->modules, given->source, given->thread_pointer,
				       &given->gates));
	*state = given;
	return 0;
}

static int drop(void **state)
{
	struct given *given = *state;

	cpu_destroy(given->cpu);
	module_list_destroy(given->modules);
	mem_source_destroy(given->source);
	free(given);
	return 0;
}

static addr_t address(const void *at)
{
	return (addr_t)(uintptr_t)at;
}

// The cpu reads a page once: what has changed since is to be written.
static void show_area(struct given *given)
{
	cpu_set_limits(given->cpu, CPU_STEPS_DEFAULT, PAGES_MAX);
	assert_true(cpu_write(given->cpu, address(area), area, sizeof(area)));
}

// Calls the gate of @a name alone.
static uint64_t call(struct given *given, const char *name, addr_t a, uint64_t b, uint64_t c)
{
	const struct libc_function *function = libc_functions;
	const uint64_t args[] = {a, b, c};
	uint64_t result = 0;

	while (function->name && strcmp(function->name, name) != 0)
		function++;
	assert_non_null(function->name);
	addr_t at = cpu_free_address(given->cpu);
	assert_null(cpu_add_gate(given->cpu, at, function->gate, NULL));
	assert_int_equal(cpu_call(given->cpu, at, args, ARRAY_COUNT(args), &result), CPU_RETURNED);
	return result;
}

static int sign(int64_t value)
{
	return (value > 0) - (value < 0);
}

static void the_functions_that_glibc_chose_are_found(void **state)
{
	struct given *given = *state;
	size_t (*volatile length)(const char *) = strlen;
	bool found = false;

	// A C library that is no glibc chooses none.
	if (!py_libc_module(given->modules))
		skip();
	for (size_t i = 0; i < given->gates.count; i++)
		found |= given->gates.list[i].at == address((const void *)(uintptr_t)length);
#if !defined(__SANITIZE_ADDRESS__)
	assert_true(found);
#endif
	assert_null(py_libc_gates_add(&given->gates, given->cpu));
	assert_null(py_libc_gates_add(NULL, given->cpu));
}

static void strings_are_searched_as_glibc_does(void **state)
{
	struct given *given = *state;

	// Across pages, and at every distance from their end.
	for (size_t length = 0; length < 200; length += 7) {
		char *text = area + 4096 - 100;

		memset(area, 'x', sizeof(area));
		text[length] = 0;
		if (length > 3)
			text[length / 2] = 'b';
		show_area(given);
		addr_t at = address(text);
		assert_int_equal(call(given, "strlen", at, 0, 0), strlen(text));
		assert_int_equal(call(given, "strnlen", at, 50, 0), strnlen(text, 50));
		assert_int_equal(call(given, "strchr", at, 'b', 0), address(strchr(text, 'b')));
		assert_int_equal(call(given, "strchr", at, 0, 0), address(strchr(text, 0)));
		assert_int_equal(call(given, "strrchr", at, 'x', 0), address(strrchr(text, 'x')));
		assert_int_equal(call(given, "strrchr", at, 0, 0), at + length);
		assert_int_equal(call(given, "strchrnul", at, 'z', 0), at + length);
		assert_int_equal(call(given, "memchr", at, 'b', length),
				 address(memchr(text, 'b', length)));
		assert_int_equal(call(given, "rawmemchr", at, 0, 0), at + length);
		assert_int_equal(call(given, "memrchr", at, 'q', length), 0);
	}
}

static void bytes_are_compared_as_glibc_does(void **state)
{
	static const char *const texts[] = {"", "a", "ab", "abc", "abd", "\xff", "a\xff", "b"};
	struct given *given = *state;

	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		for (size_t j = 0; j < ARRAY_COUNT(texts); j++) {
			addr_t a = address(texts[i]), b = address(texts[j]);

			assert_int_equal(sign((int)call(given, "strcmp", a, b, 0)),
					 sign(strcmp(texts[i], texts[j])));
			assert_int_equal(sign((int)call(given, "strncmp", a, b, 2)),
					 sign(strncmp(texts[i], texts[j], 2)));
			assert_int_equal(sign((int)call(given, "memcmp", a, b, 1)),
					 sign(memcmp(texts[i], texts[j], 1)));
		}
	}
}

static void bytes_are_moved_as_glibc_does(void **state)
{
	static char expected[BYTES], came[BYTES];
	struct given *given = *state;
	const struct {
		size_t to, from, count;
	} cases[] = {{0, 5000, 100}, {10, 0, 9000}, {0, 10, 9000}, {4090, 1, 0}, {3, 3, 30}};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		for (size_t j = 0; j < BYTES; j++)
			area[j] = expected[j] = (char)(j * 7 + j / 251);
		show_area(given);
		memmove(expected + cases[i].to, expected + cases[i].from, cases[i].count);
		assert_int_equal(call(given, "memmove", address(area + cases[i].to),
				      address(area + cases[i].from), cases[i].count),
				 address(area + cases[i].to));
		assert_true(cpu_read(given->cpu, address(area), came, BYTES));
		assert_memory_equal(came, expected, BYTES);
		cpu_forget_writes(given->cpu);
	}
}

static void strings_are_copied_as_glibc_does(void **state)
{
	struct given *given = *state;
	char came[16];

	memset(area, 'x', sizeof(area));
	memcpy(area, "one", 4);
	show_area(given);
	addr_t at = address(area);
	assert_int_equal(call(given, "strcpy", at + 8, at, 0), at + 8);
	assert_int_equal(call(given, "strcat", at + 8, at, 0), at + 8);
	assert_int_equal(call(given, "stpncpy", at + 100, at, 6), at + 103);
	assert_int_equal(call(given, "mempcpy", at + 200, at, 3), at + 203);
	assert_int_equal(call(given, "memset", at + 300, 'm', 5), at + 300);
	assert_true(cpu_read(given->cpu, at, came, sizeof(came)));
	assert_memory_equal(came, "one\0xxxxoneone\0x", sizeof(came));
	assert_true(cpu_read(given->cpu, at + 100, came, 7));
	assert_memory_equal(came, "one\0\0\0x", 7);
	assert_true(cpu_read(given->cpu, at + 300, came, 6));
	assert_memory_equal(came, "mmmmmx", 6);
}

static void wide_strings_are_read_as_glibc_does(void **state)
{
	static const wchar_t text[] = L"a wide text";
	struct given *given = *state;

	assert_int_equal(call(given, "wcslen", address(text), 0, 0), wcslen(text));
	assert_int_equal(call(given, "wcsnlen", address(text), 3, 0), 3);
	assert_int_equal(call(given, "wmemchr", address(text), 'w', 11), address(text + 2));
}

static void what_cannot_be_read_ends_the_run(void **state)
{
	struct given *given = *state;
	const uint64_t args[] = {16};
	uint64_t result;
	addr_t at = cpu_free_address(given->cpu);

	assert_null(cpu_add_gate(given->cpu, at, libc_functions[0].gate, NULL));
	const uint64_t copy[] = {address(area), 16, 8};
	assert_int_equal(cpu_call(given->cpu, at, copy, 3, &result), CPU_STOPPED);
	assert_int_equal(cpu_call(given->cpu, at, args, 1, &result), CPU_RETURNED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, given_a_cpu, drop)
	const struct CMUnitTest tests[] = {
		TEST(the_functions_that_glibc_chose_are_found),
		TEST(strings_are_searched_as_glibc_does),
		TEST(bytes_are_compared_as_glibc_does),
		TEST(bytes_are_moved_as_glibc_does),
		TEST(strings_are_copied_as_glibc_does),
		TEST(wide_strings_are_read_as_glibc_does),
		TEST(what_cannot_be_read_ends_the_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
	puts("skipped, as this machine's code is not x86-64: test_libc_gates");
	return 0;
}

#endif
