// SPDX-License-Identifier: GPL-3.0-or-later
// How much memory may still be taken, told from files of the kernel's form.
#include "mem/memory_left.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/scratch.h"

static int given_scratch(void **state)
{
	struct scratch *scratch = scratch_create();

	*state = scratch;
	scratch_run(scratch,
		    "mkdir -p $S/proc/self $S/sys/fs/cgroup/memory/a/b $S/sys/fs/cgroup/a/b");
	return 0;
}

static int drop_scratch(void **state)
{
	scratch_destroy(*state);
	return 0;
}

static void write_file(struct scratch *scratch, const char *name, const char *text)
{
	scratch_write(scratch, name, text, strlen(text));
}

static void write_machine(struct scratch *scratch)
{
	write_file(scratch, "proc/meminfo",
		   "MemTotal:       24684236 kB\nMemFree:          500000 kB\n"
		   "MemAvailable:    1000000 kB\n");
}

static uint64_t left(struct scratch *scratch)
{
	return memory_left_bytes(scratch_directory(scratch));
}

static void a_machine_has_what_the_kernel_calls_available(void **state)
{
	write_machine(*state);
	assert_int_equal(left(*state), 1024000000);
}

static void nothing_told_is_no_limit(void **state)
{
	assert_int_equal(left(*state), UINT64_MAX);
}

static void a_control_group_may_have_less(void **state)
{
	write_machine(*state);
	write_file(*state, "proc/self/cgroup", "0::/a/b\n");
	write_file(*state, "sys/fs/cgroup/a/b/memory.max", "500000\n");
	write_file(*state, "sys/fs/cgroup/a/b/memory.current", "300000\n");
	assert_int_equal(left(*state), 200000);
	// Pages of files that can be dropped are not really used.
	write_file(*state, "sys/fs/cgroup/a/b/memory.stat",
		   "anon 250000\nfile 40000\ninactive_file 30000\n");
	assert_int_equal(left(*state), 230000);
}

static void a_control_group_may_have_used_all(void **state)
{
	write_file(*state, "proc/self/cgroup", "0::/a/b\n");
	write_file(*state, "sys/fs/cgroup/a/b/memory.max", "500000\n");
	write_file(*state, "sys/fs/cgroup/a/b/memory.current", "500001\n");
	assert_int_equal(left(*state), 0);
}

static void a_group_above_binds_too(void **state)
{
	write_machine(*state);
	write_file(*state, "proc/self/cgroup", "0::/a/b\n");
	write_file(*state, "sys/fs/cgroup/a/b/memory.max", "max\n");
	write_file(*state, "sys/fs/cgroup/a/b/memory.current", "1\n");
	write_file(*state, "sys/fs/cgroup/a/memory.max", "1000\n");
	write_file(*state, "sys/fs/cgroup/a/memory.current", "10\n");
	assert_int_equal(left(*state), 990);
}

static void a_group_may_be_seen_from_within_a_container(void **state)
{
	// Its path is that of the machine, its files are where those of the first group would be.
	write_file(*state, "proc/self/cgroup", "0::/pod/of/somebody\n");
	write_file(*state, "sys/fs/cgroup/memory.max", "1000\n");
	write_file(*state, "sys/fs/cgroup/memory.current", "100\n");
	assert_int_equal(left(*state), 900);
}

static void the_first_version_of_control_groups_counts_too(void **state)
{
	write_machine(*state);
	write_file(*state, "proc/self/cgroup",
		   "5:cpu,cpuacct:/a\n4:memory:/a/b\n1:name=systemd:/\n0::/\n");
	write_file(*state, "sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "5000\n");
	write_file(*state, "sys/fs/cgroup/memory/a/b/memory.usage_in_bytes", "3000\n");
	write_file(*state, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
	write_file(*state, "sys/fs/cgroup/memory/memory.usage_in_bytes", "4000\n");
	assert_int_equal(left(*state), 2000);
}

static void this_machine_has_some(void **state)
{
	assert_in_range(memory_left_bytes(""), 1, UINT64_MAX);
}

#define WITH_SCRATCH(test) cmocka_unit_test_setup_teardown(test, given_scratch, drop_scratch)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SCRATCH(a_machine_has_what_the_kernel_calls_available),
		WITH_SCRATCH(nothing_told_is_no_limit),
		WITH_SCRATCH(a_control_group_may_have_less),
		WITH_SCRATCH(a_control_group_may_have_used_all),
		WITH_SCRATCH(a_group_above_binds_too),
		WITH_SCRATCH(a_group_may_be_seen_from_within_a_container),
		WITH_SCRATCH(the_first_version_of_control_groups_counts_too),
		cmocka_unit_test(this_machine_has_some),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
