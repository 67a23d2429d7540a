// SPDX-License-Identifier: GPL-3.0-or-later
// Single instructions: the processor that runs this test says what they do. The same code, with the same
// random registers and memory, is run by it and by the cpu; registers, defined flags and memory agree.
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

#if defined(__x86_64__)

enum {
	ROUNDS = 400,
	REGISTERS = 9,
	VECTORS = 4,
	BUFFER_BYTES = 1024,
	FLAGS_AT = 72,
	VECTORS_AT = 96,
};

/** What snippet_run() loads before the snippet and stores after it. */
struct snippet_state {
	/** rax rbx rcx rdx rsi rdi r8 r9 r10; rsi and rdi point into the buffer. */
	uint64_t regs[REGISTERS];
	uint64_t flags;
	uint64_t unused[2];
	uint8_t vectors[VECTORS][32];
	uint8_t buffer[BUFFER_BYTES];
};

_Static_assert(offsetof(struct snippet_state, flags) == FLAGS_AT, "as the assembler has it");
_Static_assert(offsetof(struct snippet_state, vectors) == VECTORS_AT, "as the assembler has it");

struct snippet {
	void (*code)(void);
	const char *text;
	uint64_t flags;
	/** Which of the two frames below it needs. */
	uint64_t avx;
};

// Names of sections that are C identifiers get these from the linker.
extern const struct snippet __start_cpu_snippets[];
extern const struct snippet __stop_cpu_snippets[];

void snippet_run(struct snippet_state *state, void (*code)(void));
void snippet_run_avx(struct snippet_state *state, void (*code)(void));

#define FRAME(name, move, reg, step)                                                          \
	asm(".text\n.globl " name "\n.type " name ",@function\n" name ":\n"                   \
	    "push %rbx\npush %rbp\npush %r12\nsub $16, %rsp\n"                                \
	    "mov %rdi, %r12\nmov %rsi, %r11\n" move " 96(%r12), %" reg "0\n" move             \
	    " 128(%r12), %" reg "1\n" move " 160(%r12), %" reg "2\n" move " 192(%r12), %" reg \
	    "3\n"                                                                             \
	    "pushq 72(%r12)\npopfq\n"                                                         \
	    "mov (%r12), %rax\nmov 8(%r12), %rbx\nmov 16(%r12), %rcx\nmov 24(%r12), %rdx\n"   \
	    "mov 32(%r12), %rsi\nmov 40(%r12), %rdi\nmov 48(%r12), %r8\nmov 56(%r12), %r9\n"  \
	    "mov 64(%r12), %r10\n"                                                            \
	    "call *%r11\n"                                                                    \
	    "mov %rax, (%r12)\nmov %rbx, 8(%r12)\nmov %rcx, 16(%r12)\nmov %rdx, 24(%r12)\n"   \
	    "mov %rsi, 32(%r12)\nmov %rdi, 40(%r12)\nmov %r8, 48(%r12)\nmov %r9, 56(%r12)\n"  \
	    "mov %r10, 64(%r12)\n"                                                            \
	    "pushfq\npopq 72(%r12)\ncld\n" move " %" reg "0, 96(%r12)\n" move " %" reg        \
	    "1, 128(%r12)\n" move " %" reg "2, 160(%r12)\n" move " %" reg "3, 192(%r12)\n"    \
	    "add $16, %rsp\npop %r12\npop %rbp\npop %rbx\n" step "ret\n")

FRAME("snippet_run", "movdqu", "xmm", "");
FRAME("snippet_run_avx", "vmovdqu", "ymm", "vzeroupper\n");

// The numbers of the flags that are compared.
#define NO_FLAGS "0"
#define ALL "0x8d5"
#define C_ONLY "0x1"
#define Z_ONLY "0x40"
#define CO "0x801"
#define CZ "0x41"
#define LOGIC "0x8c5"
#define NO_PARITY "0x8c1"
#define SHIFTED "0xc5"
#define NOT_CARRY "0x8d4"

#define SNIPPET_IN(avx, flags, code)                                                     \
	asm(".section .rodata\n771: .string \"" code "\"\n.text\n772: " code "\nret\n"   \
	    ".section cpu_snippets,\"aw\"\n.balign 8\n.quad 772b, 771b, " flags ", " avx \
	    "\n.text\n");
#define SNIPPET(flags, code) SNIPPET_IN("0", flags, code)
#define AVX(code) SNIPPET_IN("1", NO_FLAGS, code)

#define EVERY_SIZE(flags, op)                       \
	SNIPPET(flags, op "b %dl, %al")             \
	SNIPPET(flags, op "b %ah, %bl")             \
	SNIPPET(flags, op "b %ch, 3(%rsi)")         \
	SNIPPET(flags, op "w %dx, %ax")             \
	SNIPPET(flags, op "w 6(%rsi), %ax")         \
	SNIPPET(flags, op "l %edx, %eax")           \
	SNIPPET(flags, op "l %r8d, 8(%rsi)")        \
	SNIPPET(flags, op "q %rdx, %rax")           \
	SNIPPET(flags, op "q 16(%rsi), %r9")        \
	SNIPPET(flags, op "q %r9, (%rdi)")          \
	SNIPPET(flags, op "b $0x83, %al")           \
	SNIPPET(flags, op "w $0x1234, %cx")         \
	SNIPPET(flags, op "l $0x81234567, 4(%rdi)") \
	SNIPPET(flags, op "q $-77, %rdx")           \
	SNIPPET(flags, op "q $-77777, 1(%rdi)")

EVERY_SIZE(ALL, "add")
EVERY_SIZE(ALL, "adc")
EVERY_SIZE(ALL, "sub")
EVERY_SIZE(ALL, "sbb")
EVERY_SIZE(ALL, "cmp")
EVERY_SIZE(LOGIC, "and")
EVERY_SIZE(LOGIC, "or")
EVERY_SIZE(LOGIC, "xor")
EVERY_SIZE(NO_FLAGS, "mov")

#define ONE_OPERAND(flags, op)         \
	SNIPPET(flags, op "b %al")     \
	SNIPPET(flags, op "b %dh")     \
	SNIPPET(flags, op "w %cx")     \
	SNIPPET(flags, op "l %r8d")    \
	SNIPPET(flags, op "q %rdx")    \
	SNIPPET(flags, op "b 5(%rsi)") \
	SNIPPET(flags, op "w 5(%rsi)") \
	SNIPPET(flags, op "l 5(%rsi)") \
	SNIPPET(flags, op "q (%rdi)")

ONE_OPERAND(ALL, "inc")
ONE_OPERAND(ALL, "dec")
ONE_OPERAND(ALL, "neg")
ONE_OPERAND(NO_FLAGS, "not")
ONE_OPERAND(CO, "mul")
ONE_OPERAND(CO, "imul")

SNIPPET(LOGIC, "test %al, %ah")
SNIPPET(LOGIC, "testl $0x80000001, (%rsi)")
SNIPPET(LOGIC, "testq %rdx, (%rsi)")
SNIPPET(LOGIC, "testw $0x8001, %ax")
SNIPPET(CO, "imul %edx, %eax")
SNIPPET(CO, "imul (%rsi), %rcx")
SNIPPET(CO, "imul $-3, %r8, %rax")
SNIPPET(CO, "imul $12345, (%rsi), %ax")
SNIPPET(CO, "imul $1234567, %edx, %ecx")
SNIPPET(NO_FLAGS, "xor %edx, %edx; or $1, %rcx; div %rcx")
SNIPPET(NO_FLAGS, "xor %edx, %edx; or $1, %r8d; div %r8d")
SNIPPET(NO_FLAGS, "movzbl %al, %eax; or $1, %cl; div %cl")
SNIPPET(NO_FLAGS, "cqo; movsbq %cl, %rcx; add $130, %rcx; idiv %rcx")
SNIPPET(NO_FLAGS, "cltd; movsbl %cl, %ecx; sub $130, %ecx; idivl %ecx")
SNIPPET(NO_FLAGS, "cwtd; movsbw %cl, %cx; sub $130, %cx; idivw %cx")
SNIPPET(NO_FLAGS, "cbtw; or $2, %cl; and $0x7f, %cl; idivb %cl")
SNIPPET(NO_FLAGS, "mov $7, %edx; or $1, %rcx; bts $60, %rcx; div %rcx")
SNIPPET(NO_FLAGS, "cbtw; cwtl; cltq; mov %ax, %dx; cwtd")

// A count of one defines the overflow as well, one of zero leaves all flags.
#define SHIFT(op)                                       \
	SNIPPET(SHIFTED "|0x800", op "b %al")           \
	SNIPPET(SHIFTED "|0x800", op "l %eax")          \
	SNIPPET(SHIFTED "|0x800", op "q (%rdi)")        \
	SNIPPET(SHIFTED, op "l $7, %ecx")               \
	SNIPPET(SHIFTED, op "q $33, %rdx")              \
	SNIPPET(SHIFTED, op "w $9, (%rsi)")             \
	SNIPPET(ALL, op "q $0, %rdx")                   \
	SNIPPET(ALL, "mov $32, %ecx;" op "l %cl, %eax") \
	SNIPPET("0xc4", op "l %cl, %eax")               \
	SNIPPET("0xc4", op "q %cl, 8(%rdi)")            \
	SNIPPET("0xc4", op "b %cl, %dl")                \
	SNIPPET("0xc4", op "w %cl, %dx")

SHIFT("shl")
SHIFT("shr")
SHIFT("sar")

#define ROTATE(op)                           \
	SNIPPET(ALL, op "b %al")             \
	SNIPPET(ALL, op "w %dx")             \
	SNIPPET(ALL, op "l (%rdi)")          \
	SNIPPET(ALL, op "q %rdx")            \
	SNIPPET("0xd5", op "b $3, %bl")      \
	SNIPPET("0xd5", op "w $13, %dx")     \
	SNIPPET("0xd5", op "l $31, %edx")    \
	SNIPPET("0xd5", op "q $47, %rdx")    \
	SNIPPET("0xd5", op "b %cl, %al")     \
	SNIPPET("0xd5", op "w %cl, 2(%rsi)") \
	SNIPPET("0xd5", op "l %cl, %eax")    \
	SNIPPET("0xd5", op "q %cl, (%rsi)")

ROTATE("rol")
ROTATE("ror")
ROTATE("rcl")
ROTATE("rcr")

SNIPPET(SHIFTED, "shld $5, %rdx, %rax")
SNIPPET(SHIFTED, "shrd $5, %rdx, %rax")
SNIPPET(SHIFTED, "shld %cl, %rdx, (%rdi)")
SNIPPET(SHIFTED, "shrd %cl, %edx, %eax")
SNIPPET(SHIFTED, "shldw $11, %dx, %ax")
SNIPPET(SHIFTED, "shrdw $11, %dx, %ax")

#define BIT_TEST(op)                                                              \
	SNIPPET(C_ONLY, op "l $37, %eax")                                         \
	SNIPPET(C_ONLY, op "q $61, (%rsi)")                                       \
	SNIPPET(C_ONLY, op "w %dx, %ax")                                          \
	SNIPPET(C_ONLY, op "q %rdx, %rax")                                        \
	SNIPPET(C_ONLY, "movsbq %dl, %rdx;" op "q %rdx, 128(%rdi)")               \
	SNIPPET(C_ONLY, "movswl %dx, %edx; sar $6, %edx;" op "l %edx, 128(%rdi)") \
	SNIPPET(C_ONLY, "movsbw %dl, %dx;" op "w %dx, 128(%rdi)")

BIT_TEST("bt")
BIT_TEST("bts")
BIT_TEST("btr")
BIT_TEST("btc")

SNIPPET(Z_ONLY, "bsf %rdx, %rax")
SNIPPET(Z_ONLY, "bsr %edx, %eax")
SNIPPET(Z_ONLY, "bsr (%rsi), %rax")
SNIPPET(Z_ONLY, "xor %edx, %edx; bsf %rdx, %rax")
SNIPPET(CZ, "tzcnt %rdx, %rax")
SNIPPET(CZ, "tzcnt %dx, %ax")
SNIPPET(CZ, "lzcnt %edx, %eax")
SNIPPET(CZ, "lzcnt %dx, %ax")
SNIPPET(CZ, "xor %edx, %edx; lzcnt %rdx, %rax")
SNIPPET(ALL, "popcnt %rdx, %rax")
SNIPPET(ALL, "popcnt (%rsi), %cx")
SNIPPET(NO_FLAGS, "bswap %rax; bswap %edx")
SNIPPET(NO_FLAGS, "movbe (%rsi), %rax; movbe %edx, (%rdi); movbe 9(%rsi), %cx")
SNIPPET(ALL, "xadd %rdx, (%rdi)")
SNIPPET(ALL, "xadd %dl, %al")
SNIPPET(ALL, "lock xadd %ecx, 4(%rdi)")
SNIPPET(ALL, "lock cmpxchg %rdx, (%rdi)")
SNIPPET(ALL, "mov (%rdi), %eax; lock cmpxchg %edx, (%rdi)")
SNIPPET(ALL, "cmpxchg %dl, %bl")
SNIPPET(ALL, "and $-16, %rdi; lock cmpxchg16b (%rdi)")
SNIPPET(ALL, "and $-16, %rdi; mov (%rdi), %rax; mov 8(%rdi), %rdx; cmpxchg16b (%rdi)")
SNIPPET(ALL, "cmpxchg8b (%rdi)")
SNIPPET(NO_FLAGS, "xchg %rax, %r8; xchg %edx, (%rdi); xchg %al, %ah; xchg %bx, %ax")
SNIPPET(ALL, "stc; cmc; adc $0, %eax")
SNIPPET(ALL, "lahf; inc %ah; sahf")
SNIPPET(ALL, "pushfq; pop %rax; and $0x8d5, %eax; clc")

#define CONDITION(cc)                                   \
	SNIPPET(ALL, "set" cc " %al; set" cc " (%rdi)") \
	SNIPPET(ALL, "cmov" cc " %edx, %eax")           \
	SNIPPET(ALL, "cmov" cc " (%rsi), %r8")          \
	SNIPPET(ALL, "j" cc " 1f; mov $5, %eax; 1:")    \
	SNIPPET(NO_FLAGS, "cmp %edx, %eax; set" cc " %cl")

CONDITION("o")
CONDITION("no")
CONDITION("b")
CONDITION("ae")
CONDITION("e")
CONDITION("ne")
CONDITION("be")
CONDITION("a")
CONDITION("s")
CONDITION("ns")
CONDITION("p")
CONDITION("np")
CONDITION("l")
CONDITION("ge")
CONDITION("le")
CONDITION("g")

SNIPPET(NO_FLAGS, "lea 5(%rax,%rdx,4), %r8; lea (%eax,%edx), %ecx; lea -7(,%r9,8), %r10w")
SNIPPET(NO_FLAGS, "movzbl %ah, %eax; movzwl (%rsi), %edx; movsbq 1(%rsi), %rcx; movslq %r8d, %r8")
SNIPPET(NO_FLAGS, "movsbw %dl, %ax; movzbw %dl, %cx; movswq 3(%rsi), %r9")
SNIPPET(NO_FLAGS, "push %rax; push $-5; push (%rsi); pop %rdx; pop (%rdi); pop %r8")
SNIPPET(NO_FLAGS, "enter $32, $0; mov %rax, -8(%rbp); mov -8(%rbp), %rdx; leave")
SNIPPET(NO_FLAGS, "mov $5, %ecx; 1: add %rcx, %rax; loop 1b")
SNIPPET(NO_FLAGS, "xor %ecx, %ecx; jrcxz 1f; mov $9, %eax; 1:")
SNIPPET(NO_FLAGS, "mov $37, %ecx; rep movsb")
SNIPPET(NO_FLAGS, "mov $5, %ecx; rep movsq; movsw; movsl")
SNIPPET(NO_FLAGS, "mov $37, %ecx; rep stosb; stosl; mov $3, %ecx; rep stosq")
SNIPPET(NO_FLAGS, "add $64, %rdi; std; mov $9, %ecx; rep stosw; cld")
SNIPPET(NO_FLAGS, "xor %ecx, %ecx; rep movsb")
SNIPPET(ALL, "mov $37, %ecx; repe cmpsb")
SNIPPET(ALL, "mov $37, %ecx; mov %rsi, %rdi; repe cmpsl")
SNIPPET(ALL, "mov $200, %ecx; repne scasb")
SNIPPET(ALL, "lodsb; lodsq; lodsw; scasl")
// Parity is undefined after these, and processors differ in it.
SNIPPET(NO_PARITY, "andn %rdx, %rcx, %rax")
SNIPPET("0x841", "bextr %edx, (%rsi), %eax")
SNIPPET(NO_PARITY, "blsr %rdx, %rax")
SNIPPET(NO_PARITY, "blsi %edx, %eax")
SNIPPET("0x881", "blsmsk %rdx, %rax")
SNIPPET(NO_PARITY, "bzhi %rdx, %rcx, %rax")
SNIPPET(ALL, "rorx $13, %edx, %eax; sarx %ecx, %edx, %r8d; shlx %rcx, %rdx, %r9; shrx %rcx, "
	     "(%rsi), %r10")
SNIPPET(ALL, "mulx %rcx, %rax, %rbx; mulx %ecx, %r8d, %r9d; pdep %rdx, %rcx, %r10; pext %rdx, "
	     "%rcx, %rcx")
SNIPPET(ALL, "adcx %rdx, %rax; adox %ecx, %r8d")

#include "cpu_snippets_vector.inc"

static uint64_t seed = 88172645463325252U;

static uint64_t any(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static uint64_t any_interesting(void)
{
	static const uint64_t special[] = {
		0,      1,          2,          0x7f,       0x80,      0xff,       0x7fff,
		0x8000, 0x7fffffff, 0x80000000, 0xffffffff, INT64_MAX, 1ULL << 63, UINT64_MAX};
	uint64_t number = any();

	switch (number % 4) {
	case 0:
		return special[any() % ARRAY_COUNT(special)];
	case 1:
		return any() & 0xff;
	default:
		return any();
	}
}

// Doubles and floats of ordinary size among the bits that come.
static void fill_vectors(struct snippet_state *state)
{
	for (size_t i = 0; i < VECTORS * 4; i++) {
		uint64_t word = any_interesting();
		double number = (double)(int64_t)any() / (double)(1ULL << any() % 60);
		float small[2] = {(float)number, (float)(int32_t)any()};

		if (any() % 3 == 0)
			memcpy(&word, &number, sizeof(word));
		else if (any() % 2 == 0)
			memcpy(&word, small, sizeof(word));
		memcpy(&state->vectors[0][0] + 8 * i, &word, sizeof(word));
	}
}

static void fill(struct snippet_state *state)
{
	for (size_t i = 0; i < REGISTERS; i++)
		state->regs[i] = any_interesting();
	state->regs[4] = (uint64_t)(uintptr_t)&state->buffer[256 + any() % 16];
	state->regs[5] = (uint64_t)(uintptr_t)&state->buffer[512 + any() % 16];
	state->flags = 0x202 | (any() & 0x8d5);
	for (size_t i = 0; i < BUFFER_BYTES; i += 8) {
		uint64_t word = any_interesting();

		memcpy(&state->buffer[i], &word, sizeof(word));
	}
	fill_vectors(state);
}

static bool agrees(const struct snippet *snippet, struct cpu *cpu)
{
	// Two pages apart from everything, so that what is written is copied once.
	static struct snippet_state state __attribute__((aligned(4096)));
	static struct snippet_state emulated;
	uint64_t args[2] = {(uint64_t)(uintptr_t)&state, (uint64_t)(uintptr_t)snippet->code};
	void (*run)(struct snippet_state *, void (*)(void)) =
		snippet->avx ? snippet_run_avx : snippet_run;
	uint64_t result;
	char text[128];

	fill(&state);
	// The source is read once; so this moment's bytes are written over it.
	assert_true(cpu_write(cpu, args[0], &state, sizeof(state)));
	enum cpu_outcome outcome = cpu_call(cpu, (addr_t)(uintptr_t)run, args, 2, &result);
	if (outcome != CPU_RETURNED) {
		print_error("%s: %s\n", snippet->text,
			    cpu_describe(cpu, outcome, text, sizeof(text)));
		return false;
	}
	assert_true(cpu_read(cpu, args[0], &emulated, sizeof(emulated)));

	struct snippet_state before = state;
	run(&state, snippet->code);
	state.flags &= snippet->flags;
	emulated.flags &= snippet->flags;
	if (memcmp(&state, &emulated, sizeof(state)) == 0)
		return true;
	print_error("%s\n", snippet->text);
	for (size_t i = 0; i < sizeof(state) / 8; i++) {
		uint64_t words[3];

		memcpy(&words[0], (char *)&before + 8 * i, 8);
		memcpy(&words[1], (char *)&state + 8 * i, 8);
		memcpy(&words[2], (char *)&emulated + 8 * i, 8);
		if (words[1] != words[2] || i < 10)
			print_error("word %zu: 0x%016llx -> 0x%016llx, cpu 0x%016llx\n", i,
				    (unsigned long long)words[0], (unsigned long long)words[1],
				    (unsigned long long)words[2]);
	}
	return false;
}

static void instructions_do_what_the_processor_does(void **state)
{
	struct mem_source *source;
	struct cpu *cpu;
	size_t skipped = 0;
	size_t wrong = 0;

	assert_null(mem_live_create(getpid(), &source));
	assert_null(cpu_create(source, &cpu));
	for (const struct snippet *snippet = __start_cpu_snippets; snippet < __stop_cpu_snippets;
	     snippet++) {
		if (snippet->avx && !__builtin_cpu_supports("avx2")) {
			skipped++;
			continue;
		}
		bool same = true;
		for (int round = 0; round < ROUNDS && same; round++)
			same = agrees(snippet, cpu);
		wrong += !same;
	}
	if (skipped)
		print_message("no AVX2 here: %zu snippets not run\n", skipped);
	assert_int_equal(wrong, 0);
	cpu_destroy(cpu);
	mem_source_destroy(source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(instructions_do_what_the_processor_does),
	};

	// BMI, MOVBE and ADX came with Haswell and Broadwell.
	if (!__builtin_cpu_supports("bmi2") || !__builtin_cpu_supports("sse4.1"))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
	puts("skipped, as this machine's code is not x86-64: test_cpu_snippets");
	return 0;
}

#endif
