// SPDX-License-Identifier: GPL-3.0-or-later
// Calls over a copy of memory: this process's own, so that its functions tell what is right.
#include "cpu/cpu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/array.h"
#include "mem/live.h"
#include "support/cpu_samples.h"
#include "support/fake_source.h"

#if defined(__x86_64__)

enum { PAGE = 4096, PAGES = 8, ROUNDS = 300 };

/** A cpu over this process, and one over pages with code of the test's. */
struct given {
	struct mem_source *source;
	struct cpu *cpu;
	struct fake_source *fake;
	struct cpu *fake_cpu;
	uint8_t *code;
	uint8_t *data;
};

static const addr_t CODE_AT = 0x400000;
static const addr_t DATA_AT = 0x500000;

static int given_cpus(void **state)
{
	struct given *given = calloc(1, sizeof(*given));
	addr_t thread;

	assert_null(mem_live_create(getpid(), &given->source));
	assert_null(cpu_create(given->source, &given->cpu));
	__asm__("mov %%fs:0, %0" : "=r"(thread));
	cpu_set_thread_pointer(given->cpu, thread);
	given->fake = fake_source_create();
	given->code = calloc(1, PAGE);
	given->data = calloc(PAGES, PAGE);
	fake_source_add(given->fake, CODE_AT, given->code, PAGE);
	fake_source_add(given->fake, DATA_AT, given->data, (size_t)PAGES * PAGE);
	assert_null(cpu_create(fake_source_source(given->fake), &given->fake_cpu));
	*state = given;
	return 0;
}

static int drop_cpus(void **state)
{
	struct given *given = *state;

	cpu_destroy(given->cpu);
	cpu_destroy(given->fake_cpu);
	mem_source_destroy(given->source);
	fake_source_destroy(given->fake);
	free(given->code);
	free(given->data);
	free(given);
	return 0;
}

static uint64_t seed = 88172645463325252U;

static uint64_t any(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/** Runs @a bytes at CODE_AT. */
static enum cpu_outcome run(struct given *given, const char *bytes, size_t count,
			    const uint64_t *args, uint64_t *ret)
{
	memcpy(given->code, bytes, count);
	return cpu_call(given->fake_cpu, CODE_AT, args, 2, ret);
}
#define RUN(given, bytes, args, ret) run(given, bytes, sizeof(bytes) - 1, args, ret)

static void check_samples(struct given *given, const struct cpu_sample *samples)
{
	static uint8_t buffer[SAMPLE_BYTES] __attribute__((aligned(64)));
	static uint8_t emulated[SAMPLE_BYTES];
	addr_t at = (addr_t)(uintptr_t)buffer;
	char text[128];

	for (const struct cpu_sample *sample = samples; sample->name; sample++) {
		for (int round = 0; round < ROUNDS; round++) {
			uint64_t x = round % 3 ? any() : any() & 0xff;
			uint64_t args[2] = {at, x};
			uint64_t result = 0;

			for (size_t i = 0; i < SAMPLE_BYTES; i++)
				buffer[i] = (uint8_t)any();
			cpu_write(given->cpu, at, buffer, sizeof(buffer));
			enum cpu_outcome outcome = cpu_call(
				given->cpu, (addr_t)(uintptr_t)sample->run, args, 2, &result);
			if (outcome != CPU_RETURNED)
				fail_msg("%s: %s", sample->name,
					 cpu_describe(given->cpu, outcome, text, sizeof(text)));
			assert_true(cpu_read(given->cpu, at, emulated, sizeof(emulated)));
			uint64_t truth = sample->run(buffer, x);
			if (truth != result || memcmp(buffer, emulated, sizeof(buffer)) != 0)
				fail_msg("%s(0x%llx): 0x%llx, cpu 0x%llx", sample->name,
					 (unsigned long long)x, (unsigned long long)truth,
					 (unsigned long long)result);
		}
	}
}

static bool move_bytes(struct cpu *cpu, struct cpu_gate_call *call)
{
	uint8_t bytes[SAMPLE_BYTES];

	call->result = call->args[0];
	return call->args[2] <= sizeof(bytes) &&
	       cpu_read(cpu, call->args[1], bytes, call->args[2]) &&
	       cpu_write(cpu, call->args[0], bytes, call->args[2]);
}

static bool set_bytes(struct cpu *cpu, struct cpu_gate_call *call)
{
	uint8_t bytes[SAMPLE_BYTES];

	memset(bytes, (int)call->args[1], sizeof(bytes));
	call->result = call->args[0];
	return call->args[2] <= sizeof(bytes) &&
	       cpu_write(cpu, call->args[0], bytes, call->args[2]);
}

// What the compiler calls by itself, and glibc does with AVX-512 on some processors.
static void add_gates_for_libc(struct cpu *cpu)
{
	void *(*volatile copy)(void *, const void *, size_t) = memcpy;
	void *(*volatile move)(void *, const void *, size_t) = memmove;
	void *(*volatile set)(void *, int, size_t) = memset;

	assert_null(cpu_add_gate(cpu, (addr_t)(uintptr_t)copy, move_bytes, NULL));
	assert_null(cpu_add_gate(cpu, (addr_t)(uintptr_t)move, move_bytes, NULL));
	assert_null(cpu_add_gate(cpu, (addr_t)(uintptr_t)set, set_bytes, NULL));
}

static void functions_give_what_the_processor_gives(void **state)
{
	struct given *given = *state;

	add_gates_for_libc(given->cpu);
	check_samples(*state, cpu_samples_plain);
	check_samples(*state, cpu_samples_slow);
	check_samples(*state, cpu_samples_fast);
}

static int compare_bytes(const void *a, const void *b)
{
	return *(const uint8_t *)a - *(const uint8_t *)b;
}

/** One function of the C library; volatile, or the compiler would compute it. */
static uint64_t call_libc(unsigned int which, char *a, char *b, size_t bytes)
{
	static size_t (*volatile len)(const char *) = strlen;
	static void *(*volatile copy)(void *, const void *, size_t) = memcpy;
	static void *(*volatile move)(void *, const void *, size_t) = memmove;
	static void *(*volatile set)(void *, int, size_t) = memset;
	static int (*volatile compare)(const void *, const void *, size_t) = memcmp;
	static int (*volatile compare_text)(const char *, const char *) = strcmp;
	static void *(*volatile find)(const void *, int, size_t) = memchr;

	switch (which) {
	case 0:
		return len(a);
	case 1:
		return (uint64_t)(uintptr_t)copy(a, b, bytes);
	case 2:
		return (uint64_t)(uintptr_t)move(a, a + 5, bytes);
	case 3:
		return (uint64_t)(uintptr_t)set(a, 'x', bytes);
	case 4:
		return compare(a, b, bytes) > 0;
	case 5:
		return compare_text(a, b) > 0;
	case 6:
		return (uint64_t)(uintptr_t)find(a, 'q', bytes);
	case 7:
		qsort(a, bytes, 1, compare_bytes);
		return 0;
	default:
		return (uint64_t)snprintf(a, 200, "%d %.20s %zx", (int)bytes, b, bytes);
	}
}

enum { LIBC_FUNCTIONS = 9 };

static uint64_t call_libc_by_args(const uint64_t *args)
{
	return call_libc((unsigned int)args[0], (char *)(uintptr_t)args[1],
			 (char *)(uintptr_t)args[2], args[3]);
}

static void the_c_library_gives_what_it_gives(void **state)
{
	static char a[SAMPLE_BYTES], b[SAMPLE_BYTES], emulated[SAMPLE_BYTES];
	struct given *given = *state;
	char text[128];

	for (unsigned int which = 0; which < LIBC_FUNCTIONS; which++) {
		for (int round = 0; round < 40; round++) {
			uint64_t args[4] = {which, (uintptr_t)a, (uintptr_t)b, any() % 500};
			uint64_t result = 0;

			for (size_t i = 0; i < SAMPLE_BYTES - 1; i++) {
				a[i] = (char)('a' + any() % 20);
				b[i] = round & 1 ? a[i] : (char)('a' + any() % 20);
			}
			a[any() % SAMPLE_BYTES] = '\0';
			assert_true(cpu_write(given->cpu, args[1], a, sizeof(a)));
			assert_true(cpu_write(given->cpu, args[2], b, sizeof(b)));
			enum cpu_outcome outcome = cpu_call(
				given->cpu, (addr_t)(uintptr_t)call_libc, args, 4, &result);
			if (outcome != CPU_RETURNED) {
				// glibc chooses AVX-512 where the processor has it.
				assert_int_equal(outcome, CPU_UNKNOWN_INSTRUCTION);
				cpu_describe(given->cpu, outcome, text, sizeof(text));
				print_message("function %u not compared: %s\n", which, text);
				break;
			}
			assert_true(cpu_read(given->cpu, args[1], emulated, sizeof(a)));
			assert_int_equal(result, call_libc_by_args(args));
			assert_memory_equal(a, emulated, sizeof(a));
		}
	}
}

/** What a gate was called with. */
struct seen {
	uint64_t calls;
	uint64_t args[6];
	uint64_t stop_at;
};

static bool see(struct cpu *cpu, struct cpu_gate_call *call)
{
	struct seen *seen = call->context;

	seen->calls++;
	memcpy(seen->args, call->args, sizeof(seen->args));
	call->result = 40 + seen->calls;
	return seen->calls != seen->stop_at;
}

typedef uint64_t six_arguments(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);

static __attribute__((noinline)) uint64_t replaced(uint64_t a, uint64_t b, uint64_t c, uint64_t d,
						   uint64_t e, uint64_t f)
{
	return a + b + c + d + e + f;
}

static __attribute__((noinline)) uint64_t calls_twice(six_arguments *gate, uint64_t x)
{
	uint64_t sum = gate(x, 2, 3, 4, 5, 6);

	return sum * 100 + gate(x + 1, 7, 8, 9, 10, 11);
}

static void a_gate_stands_for_a_function(void **state)
{
	struct given *given = *state;
	struct seen seen = {0};
	six_arguments *volatile function = replaced;
	addr_t nobodys = cpu_free_address(given->cpu);
	uint64_t result;

	assert_int_not_equal(nobodys, cpu_free_address(given->cpu));
	assert_null(cpu_add_gate(given->cpu, nobodys, see, &seen));
	const addr_t gates[2] = {nobodys, (addr_t)(uintptr_t)function};
	uint64_t args[2] = {gates[1], 1};

	// before it is a gate, the function itself runs
	assert_int_equal(cpu_call(given->cpu, (addr_t)(uintptr_t)calls_twice, args, 2, &result),
			 CPU_RETURNED);
	assert_int_equal(result, (1 + 20) * 100 + 2 + 45);

	assert_null(cpu_add_gate(given->cpu, gates[1], see, &seen));
	for (size_t i = 0; i < ARRAY_COUNT(gates); i++) {
		seen = (struct seen){0};
		args[0] = gates[i];
		assert_int_equal(
			cpu_call(given->cpu, (addr_t)(uintptr_t)calls_twice, args, 2, &result),
			CPU_RETURNED);
		assert_int_equal(result, 41 * 100 + 42);
		assert_int_equal(seen.args[0], 2);
		assert_int_equal(seen.args[5], 11);
	}

	seen = (struct seen){.stop_at = 1};
	assert_int_equal(cpu_call(given->cpu, (addr_t)(uintptr_t)calls_twice, args, 2, &result),
			 CPU_STOPPED);
	assert_int_equal(seen.calls, 1);
	assert_int_equal(seen.args[0], 1);
}

static void what_is_written_is_seen_until_it_is_forgotten(void **state)
{
	struct given *given = *state;
	uint64_t args[2] = {DATA_AT + 8, 77};
	uint64_t result, word;

	// mov %rsi,(%rdi); mov (%rdi),%rax; ret
	assert_int_equal(RUN(given, "\x48\x89\x37\x48\x8b\x07\xc3", args, &result), CPU_RETURNED);
	assert_int_equal(result, 77);
	assert_true(cpu_read(given->fake_cpu, DATA_AT + 8, &word, sizeof(word)));
	assert_int_equal(word, 77);
	// the process has not changed
	memcpy(&word, given->data + 8, sizeof(word));
	assert_int_equal(word, 0);

	cpu_forget_writes(given->fake_cpu);
	assert_true(cpu_read(given->fake_cpu, DATA_AT + 8, &word, sizeof(word)));
	assert_int_equal(word, 0);
}

static void words_straddle_pages(void **state)
{
	struct given *given = *state;
	uint64_t args[2] = {DATA_AT + PAGE - 3, 0x1122334455667788};
	uint64_t result;
	uint8_t byte;

	assert_int_equal(RUN(given, "\x48\x89\x37\x48\x8b\x07\xc3", args, &result), CPU_RETURNED);
	assert_int_equal(result, args[1]);
	assert_true(cpu_read(given->fake_cpu, DATA_AT + PAGE, &byte, 1));
	assert_int_equal(byte, 0x55);
}

static void an_endless_loop_ends(void **state)
{
	struct given *given = *state;
	uint64_t result = 5;
	uint64_t args[2] = {0};
	char text[128];

	cpu_set_limits(given->fake_cpu, 1000, 4);
	assert_int_equal(RUN(given, "\xeb\xfe", args, &result), CPU_TOO_LONG);
	assert_int_equal(cpu_steps(given->fake_cpu), 1000);
	assert_int_equal(cpu_at(given->fake_cpu), CODE_AT);
	assert_string_equal(cpu_describe(given->fake_cpu, CPU_TOO_LONG, text, sizeof(text)),
			    "not done after 1000 steps, at 0x400000");
	assert_int_equal(result, 5);
}

static void a_long_repetition_ends(void **state)
{
	struct given *given = *state;
	uint64_t args[2] = {DATA_AT, 0};
	uint64_t result;

	cpu_set_limits(given->fake_cpu, 1000, 4);
	// mov $-1,%rcx; rep stosb
	assert_int_equal(RUN(given, "\x48\xc7\xc1\xff\xff\xff\xff\xf3\xaa\xc3", args, &result),
			 CPU_TOO_LONG);
}

static void too_many_pages_are_not_written(void **state)
{
	struct given *given = *state;
	uint64_t args[2] = {DATA_AT, 0};
	uint64_t result;

	cpu_set_limits(given->fake_cpu, 100000, 4);
	assert_int_equal(RUN(given, "\x48\xc7\xc1\xff\xff\xff\xff\xf3\xaa\xc3", args, &result),
			 CPU_TOO_MUCH);
	cpu_forget_writes(given->fake_cpu);
	cpu_set_limits(given->fake_cpu, 100000, 100);
	assert_int_equal(RUN(given, "\x48\xc7\xc1\xff\xff\xff\xff\xf3\xaa\xc3", args, &result),
			 CPU_FAULT);
}

static void what_cannot_be_done_says_so(void **state)
{
	static const struct {
		const char *bytes;
		size_t count;
		enum cpu_outcome outcome;
		const char *text;
	} cases[] = {
		// mov (%rdi),%rax
		{"\x48\x8b\x07", 3, CPU_FAULT, "fault at 0x400000, at address 0x10"},
		// mov %rsi,(%rdi)
		{"\x48\x89\x37", 3, CPU_FAULT, "fault at 0x400000, at address 0x10"},
		// call *%rdi
		{"\xff\xd7", 2, CPU_FAULT, "fault at 0x10, at address 0x10"},
		// mov %fs:0x28,%rax
		{"\x64\x48\x8b\x04\x25\x28\0\0\0", 9, CPU_FAULT,
		 "fault at 0x400000, at address 0x28"},
		// xor %ecx,%ecx; div %ecx
		{"\x31\xc9\xf7\xf1", 4, CPU_FAULT, "fault at 0x400002, at address 0x400002"},
		{"\x0f\x05", 2, CPU_SYSTEM_CALL, "system call at 0x400000"},
		{"\xcd\x80", 2, CPU_SYSTEM_CALL, "system call at 0x400000"},
		{"\x0f\x0b\x90\x90\x90\x90\x90\x90", 8, CPU_UNKNOWN_INSTRUCTION,
		 "unknown instruction 0f 0b 90 90 90 90 90 90 at 0x400000"},
		// cpuid, rdtsc, push %rsp loop
		{"\x0f\xa2", 2, CPU_UNKNOWN_INSTRUCTION, NULL},
		{"\x0f\x31", 2, CPU_UNKNOWN_INSTRUCTION, NULL},
		{"\x54\xeb\xfd", 3, CPU_FAULT, NULL},
	};
	char text[128];

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		// what was decoded stays, so each has a cpu of its own
		struct given *given;
		uint64_t args[2] = {0x10, 0};
		uint64_t result;

		given_cpus((void **)&given);
		enum cpu_outcome outcome =
			run(given, cases[i].bytes, cases[i].count, args, &result);
		assert_int_equal(outcome, cases[i].outcome);
		cpu_describe(given->fake_cpu, outcome, text, sizeof(text));
		if (cases[i].text)
			assert_string_equal(text, cases[i].text);
		drop_cpus((void **)&given);
	}
}

struct asked {
	uint64_t number;
	uint64_t args[6];
	bool refuses;
};

static bool answer(struct cpu *cpu, uint64_t number, const uint64_t args[6], int64_t *ret_result,
		   void *context)
{
	struct asked *asked = context;

	asked->number = number;
	memcpy(asked->args, args, sizeof(asked->args));
	*ret_result = -11;
	return !asked->refuses;
}

static void a_system_call_is_answered(void **state)
{
	struct given *given = *state;
	uint64_t args[2] = {7, 8};
	struct asked asked = {0};
	uint64_t result = 0;

	// when somebody answers: mov $9,%r10d; mov $202,%eax; syscall; ret
	cpu_set_system_call(given->fake_cpu, answer, &asked);
	static const char bytes[] = "\x41\xba\x09\0\0\0\xb8\xca\0\0\0\x0f\x05\xc3";
	assert_int_equal(RUN(given, bytes, args, &result), CPU_RETURNED);
	// then it has the number and the arguments, and the code its answer
	assert_int_equal(asked.number, 202);
	assert_int_equal(asked.args[0], 7);
	assert_int_equal(asked.args[1], 8);
	assert_int_equal(asked.args[3], 9);
	assert_int_equal((int64_t)result, -11);
	// and a refusal ends the call
	asked.refuses = true;
	assert_int_equal(RUN(given, bytes, args, &result), CPU_SYSTEM_CALL);
}

static void the_old_door_to_the_kernel_is_closed(void **state)
{
	struct given *given = *state;
	uint64_t args[2] = {0};
	struct asked asked = {0};
	uint64_t result;

	cpu_set_system_call(given->fake_cpu, answer, &asked);
	assert_int_equal(RUN(given, "\xcd\x80\xc3", args, &result), CPU_SYSTEM_CALL);
	assert_int_equal(asked.number, 0);
}

static void fresh_pages_are_zeros_until_they_are_forgotten(void **state)
{
	static const addr_t fresh = 0x700000;
	struct given *given = *state;
	struct cpu *cpu = given->fake_cpu;
	uint64_t value = 1;

	assert_false(cpu_read(cpu, fresh, &value, sizeof(value)));
	cpu_set_limits(cpu, 1000, 1000);
	assert_true(cpu_map(cpu, fresh, 600 * PAGE));
	for (addr_t at = fresh; at < fresh + 600 * PAGE; at += PAGE) {
		assert_true(cpu_read(cpu, at, &value, sizeof(value)));
		assert_int_equal(value, 0);
		assert_true(cpu_write(cpu, at, &at, sizeof(at)));
	}
	for (addr_t at = fresh; at < fresh + 600 * PAGE; at += PAGE) {
		assert_true(cpu_read(cpu, at, &value, sizeof(value)));
		assert_int_equal(value, at);
	}
	// not twice, and not too many
	assert_false(cpu_map(cpu, fresh, PAGE));
	assert_false(cpu_map(cpu, fresh + 1000 * PAGE, 401 * PAGE));
	cpu_forget_writes(cpu);
	assert_false(cpu_read(cpu, fresh, &value, sizeof(value)));
	assert_true(cpu_map(cpu, fresh, PAGE));
	assert_true(cpu_read(cpu, fresh, &value, sizeof(value)));
	assert_int_equal(value, 0);
}

// More than the steps that are made in one go (1 << 20).
static void a_long_repetition_is_done_to_its_end(void **state)
{
	struct given *given = *state;
	uint64_t args[2] = {DATA_AT, 0};
	uint64_t result = 0;
	uint8_t byte = 0;

	// xor %edx,%edx; again: mov %rdi,%r8; mov $1000,%ecx; mov $7,%al; rep stosb;
	// mov %r8,%rdi; inc %edx; cmp $3000,%edx; jne again; lea 1000(%rdi),%rax; ret
	static const char bytes[] = "\x31\xd2\x49\x89\xf8\xb9\xe8\x03\0\0\xb0\x07\xf3\xaa"
				    "\x4c\x89\xc7\xff\xc2\x81\xfa\xb8\x0b\0\0\x75\xe7"
				    "\x48\x8d\x87\xe8\x03\0\0\xc3";
	cpu_set_limits(given->fake_cpu, 1 << 24, 4);
	assert_int_equal(RUN(given, bytes, args, &result), CPU_RETURNED);
	assert_int_equal(result, DATA_AT + 1000);
	assert_true(cpu_read(given->fake_cpu, DATA_AT + 999, &byte, 1) && byte == 7);
	assert_true(cpu_steps(given->fake_cpu) > 3000000);
}

static void code_is_not_written_nor_what_was_written_run(void **state)
{
	struct given *given = *state;
	uint64_t args[2] = {CODE_AT + 64, 0};
	uint64_t result;

	assert_int_equal(RUN(given, "\x48\x89\x37\xc3", args, &result), CPU_FAULT);
	assert_true(cpu_write(given->fake_cpu, DATA_AT, "\xc3", 1));
	assert_int_equal(cpu_call(given->fake_cpu, DATA_AT, args, 2, &result), CPU_FAULT);
	cpu_forget_writes(given->fake_cpu);
	given->data[PAGE] = 0xc3;
	assert_int_equal(cpu_call(given->fake_cpu, DATA_AT + PAGE, args, 2, &result), CPU_RETURNED);
}

static void an_instruction_straddles_pages(void **state)
{
	struct given *given = *state;
	uint64_t args[2] = {0};
	uint64_t result;

	// mov $0x11223344,%eax; ret
	memcpy(given->data + PAGE - 2, "\xb8\x44\x33\x22\x11\xc3", 6);
	assert_int_equal(cpu_call(given->fake_cpu, DATA_AT + PAGE - 2, args, 2, &result),
			 CPU_RETURNED);
	assert_int_equal(result, 0x11223344);
	memcpy(given->data + PAGES * PAGE - 2, "\xb8\x44", 2);
	assert_int_equal(cpu_call(given->fake_cpu, DATA_AT + PAGES * PAGE - 2, args, 2, &result),
			 CPU_FAULT);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, given_cpus, drop_cpus)
	const struct CMUnitTest tests[] = {
		TEST(functions_give_what_the_processor_gives),
		TEST(the_c_library_gives_what_it_gives),
		TEST(a_gate_stands_for_a_function),
		TEST(what_is_written_is_seen_until_it_is_forgotten),
		TEST(words_straddle_pages),
		TEST(an_endless_loop_ends),
		TEST(a_long_repetition_ends),
		TEST(too_many_pages_are_not_written),
		TEST(what_cannot_be_done_says_so),
		TEST(a_system_call_is_answered),
		TEST(the_old_door_to_the_kernel_is_closed),
		TEST(fresh_pages_are_zeros_until_they_are_forgotten),
		TEST(a_long_repetition_is_done_to_its_end),
		TEST(code_is_not_written_nor_what_was_written_run),
		TEST(an_instruction_straddles_pages),
	};

	// Without AVX-512 glibc chooses functions that the cpu knows.
	if (!getenv("GLIBC_TUNABLES") && argc == 1 &&
	    setenv("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW", 1) == 0)
		execv("/proc/self/exe", argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
	puts("skipped, as this machine's code is not x86-64: test_cpu");
	return 0;
}

#endif
