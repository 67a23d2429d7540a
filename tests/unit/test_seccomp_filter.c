// SPDX-License-Identifier: GPL-3.0-or-later
// What a seccomp filter says of a system call, without making it.
#include "mem/clone/seccomp_filter.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/array.h"

#define NUMBER offsetof(struct seccomp_data, nr)
#define FIRST offsetof(struct seccomp_data, args)

static uint32_t said_of(const struct sock_filter *program, size_t count, int number, uint64_t first)
{
	const struct seccomp_data data = {.nr = number, .args = {first}};

	return seccomp_filter_run(program, count, &data);
}

static void a_call_is_told_by_its_number_and_arguments(void **state)
{
	static const struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, NUMBER),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 56, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FIRST),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x10000, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	assert_int_equal(said_of(program, ARRAY_COUNT(program), 55, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(said_of(program, ARRAY_COUNT(program), 56, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(said_of(program, ARRAY_COUNT(program), 56, 0x10011),
			 SECCOMP_RET_ERRNO | 1);
}

// Each leaves its result in A, which is returned.
static void arithmetic_is_that_of_32_bits(void **state)
{
	static const struct {
		uint16_t op;
		uint32_t left, right, result;
	} cases[] = {
		{BPF_ADD, 0xffffffff, 2, 1},
		{BPF_SUB, 1, 2, 0xffffffff},
		{BPF_MUL, 0x10000, 0x10001, 0x10000},
		{BPF_DIV, 7, 2, 3},
		{BPF_AND, 12, 10, 8},
		{BPF_OR, 12, 10, 14},
		{BPF_XOR, 12, 10, 6},
		{BPF_LSH, 1, 31, 0x80000000},
		{BPF_RSH, 0x80000000, 31, 1},
		{BPF_NEG, 1, 0, 0xffffffff},
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		const struct sock_filter program[] = {
			BPF_STMT(BPF_LD | BPF_IMM, cases[i].left),
			BPF_STMT(BPF_ST, 3),
			BPF_STMT(BPF_LD | BPF_IMM, cases[i].right),
			BPF_STMT(BPF_MISC | BPF_TAX, 0),
			BPF_STMT(BPF_LD | BPF_MEM, 3),
			BPF_STMT(BPF_ALU | cases[i].op | BPF_X, 0),
			BPF_STMT(BPF_RET | BPF_A, 0),
		};
		assert_int_equal(said_of(program, ARRAY_COUNT(program), 0, 0), cases[i].result);
	}
}

static void a_program_that_makes_no_sense_lets_nothing_pass(void **state)
{
	static const struct sock_filter bad[][2] = {
		{BPF_STMT(BPF_LD | BPF_IMM, 1), BPF_STMT(BPF_LD | BPF_IMM, 1)},
		{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, sizeof(struct seccomp_data)),
		 BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)},
		{BPF_JUMP(BPF_JMP | BPF_JA, 9, 0, 0), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)},
		{BPF_JUMP(BPF_JMP | BPF_JA, 0xffffffff, 0, 0),
		 BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)},
		{BPF_STMT(BPF_ST, BPF_MEMWORDS), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)},
		{BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0),
		 BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)},
		{BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
		 BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)},
	};

	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		assert_int_equal(said_of(bad[i], 2, 0, 0), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(said_of(bad[0], 0, 0, 0), SECCOMP_RET_KILL_PROCESS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_is_told_by_its_number_and_arguments),
		cmocka_unit_test(arithmetic_is_that_of_32_bits),
		cmocka_unit_test(a_program_that_makes_no_sense_lets_nothing_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
