// SPDX-License-Identifier: GPL-3.0-or-later
// What is said where there is no debug file. Where there is one: test_module.c.
#include "debug/debug_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "support/scratch.h"

static struct scratch *scratch;
static struct elf_file *bare;

static int set_up(void **state)
{
	static const char source[] = "int main(void) { return 0; }\n";

	unsetenv("LEAKINSPECT_DEBUG_PATH");
	scratch = scratch_create();
	scratch_write(scratch, "bare.c", source, strlen(source));
	scratch_run(scratch, "gcc -s -Wl,--build-id=0x1234567890 -o $S/bare $S/bare.c");
	assert_null(elf_file_open(scratch_path(scratch, "bare"), &bare));
	return 0;
}

static int tear_down(void **state)
{
	elf_file_close(bare);
	scratch_destroy(scratch);
	return 0;
}

/** Looks for the debug file of a file that the process would see as @a path. */
static struct error *find_fails(const char *path)
{
	const struct debug_query query = {.path = path, .elf = bare};
	_cleanup_elf_file_ struct elf_file *found = NULL;
	_cleanup_free_ char *found_path = NULL;
	struct error *error = debug_file_find(&query, &found_path, &found);

	assert_non_null(error);
	assert_int_equal(error->code, ERROR_UNSUPPORTED);
	assert_non_null(strstr(error->message, path));
	assert_non_null(strstr(error->message, "build-id 1234567890"));
	assert_non_null(strstr(error->message, "/usr/lib/debug/.build-id/12/34567890.debug"));
	return error;
}

static void the_package_of_a_python_of_debian_is_named(void **state)
{
	static const struct {
		const char *path, *words;
	} pythons[] = {
		{"/usr/bin/python3.7", "apt install python3.7-dbg"},
		{"/usr/bin/python3.14", "apt install python3.14-dbg"},
		{"/usr/bin/python2.7", "apt install python2.7-dbg"},
		{"/usr/lib/x86_64-linux-gnu/libpython3.9.so.1.0", "apt install python3.9-dbg"},
	};

	if (access("/etc/debian_version", F_OK) != 0)
		skip();
	for (size_t i = 0; i < ARRAY_COUNT(pythons); i++) {
		_cleanup_error_ struct error *error = find_fails(pythons[i].path);
		assert_non_null(strstr(error->message, pythons[i].words));
	}
}

static void of_any_other_file_no_package_is_guessed(void **state)
{
	static const char *const paths[] = {
		"/usr/local/bin/python3.11", "/usr/local/lib/libpython3.11.so.1.0",
		"/opt/python3.11",           "/usr/bin/python",
		"/usr/bin/python3",          "/usr/bin/python3.",
		"/usr/lib/libc.so.6",        "/a.out",
	};

	for (size_t i = 0; i < ARRAY_COUNT(paths); i++) {
		_cleanup_error_ struct error *error = find_fails(paths[i]);
		assert_null(strstr(error->message, "apt"));
		assert_non_null(strstr(error->message, "-g"));
	}
}

static void the_directories_of_the_environment_are_looked_in_first(void **state)
{
	setenv("LEAKINSPECT_DEBUG_PATH", "/first::/second", 1);
	_cleanup_error_ struct error *error = find_fails("/usr/bin/anything");
	const char *first = strstr(error->message, "/first/.build-id/12/34567890.debug");
	const char *second = strstr(error->message, "/second/.build-id/12/34567890.debug");
	const char *last = strstr(error->message, "/usr/lib/debug/.build-id/12/34567890.debug");
	assert_true(first && second && last && first < second && second < last);
	unsetenv("LEAKINSPECT_DEBUG_PATH");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_package_of_a_python_of_debian_is_named),
		cmocka_unit_test(of_any_other_file_no_package_is_guessed),
		cmocka_unit_test(the_directories_of_the_environment_are_looked_in_first),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
