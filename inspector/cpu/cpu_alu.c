// SPDX-License-Identifier: GPL-3.0-or-later
// The instructions that most of a program consists of: one function for each operation, size and form,
// so that neither is looked at when it runs.
#include "cpu/cpu_runs.h"

CPU_INLINE uint64_t alu_cut(uint64_t value, size_t bytes)
{
	return bytes == 8 ? value : value & ((UINT64_C(1) << 8 * bytes) - 1);
}

CPU_INLINE uint64_t alu_add(struct cpu_flags *flags, uint64_t a, uint64_t b, bool carry,
			    size_t bytes)
{
	unsigned int top = 8 * (unsigned int)bytes - 1;
	uint64_t result = alu_cut(a + b + carry, bytes);

	cpu_flags_of_result(flags, result, bytes);
	flags->adjust = (uint8_t)(a ^ b ^ result);
	flags->carry = ((a & b) | ((a | b) & ~result)) >> top & 1;
	flags->overflow = ((a ^ result) & (b ^ result)) >> top & 1;
	return result;
}

CPU_INLINE uint64_t alu_sub(struct cpu_flags *flags, uint64_t a, uint64_t b, bool borrow,
			    size_t bytes)
{
	unsigned int top = 8 * (unsigned int)bytes - 1;
	uint64_t result = alu_cut(a - b - borrow, bytes);

	cpu_flags_of_result(flags, result, bytes);
	flags->adjust = (uint8_t)(a ^ b ^ result);
	flags->carry = ((~a & b) | ((~a | b) & result)) >> top & 1;
	flags->overflow = ((a ^ b) & (a ^ result)) >> top & 1;
	return result;
}

CPU_INLINE uint64_t alu_compute(struct cpu_flags *flags, enum cpu_alu alu, uint64_t a, uint64_t b,
				size_t bytes)
{
	uint64_t result = b;

	switch (alu) {
	case CPU_ADD:
		return alu_add(flags, a, b, false, bytes);
	case CPU_ADC:
		return alu_add(flags, a, b, flags->carry, bytes);
	case CPU_SUB:
	case CPU_CMP:
		return alu_sub(flags, a, b, false, bytes);
	case CPU_SBB:
		return alu_sub(flags, a, b, flags->carry, bytes);
	case CPU_OR:
		result = a | b;
		break;
	case CPU_XOR:
		result = a ^ b;
		break;
	case CPU_AND:
	case CPU_TEST:
		result = a & b;
		break;
	default:
		return b;
	}
	cpu_flags_of_logic(flags, result, bytes);
	return result;
}

CPU_INLINE void alu_run(struct cpu *cpu, const struct cpu_insn *insn, enum cpu_alu alu,
			size_t bytes, enum cpu_form form)
{
	uint64_t b = cpu_source(cpu, insn, bytes, form);

	if (alu == CPU_MOV) {
		addr_t to = cpu_into_memory(form) ? cpu_address(cpu, insn) : 0;

		cpu_set_target(cpu, insn, bytes, form, to, b);
		return;
	}

	addr_t at;
	uint64_t a = cpu_target(cpu, insn, bytes, form, &at);
	uint64_t result = alu_compute(&cpu->flags, alu, a, b, bytes);

	if (alu != CPU_CMP && alu != CPU_TEST)
		cpu_set_target(cpu, insn, bytes, form, at, result);
}

#define RUN(alu, bytes, form)                                                                  \
	static void run_##alu##_##bytes##_##form(struct cpu *cpu, const struct cpu_insn *insn) \
	{                                                                                      \
		alu_run(cpu, insn, alu, bytes, form);                                          \
	}

#define RUNS_OF_SIZE(alu, bytes) \
	RUN(alu, bytes, CPU_RR)  \
	RUN(alu, bytes, CPU_RM)  \
	RUN(alu, bytes, CPU_MR)  \
	RUN(alu, bytes, CPU_RI)  \
	RUN(alu, bytes, CPU_MI)

#define RUNS(alu)            \
	RUNS_OF_SIZE(alu, 1) \
	RUNS_OF_SIZE(alu, 2) \
	RUNS_OF_SIZE(alu, 4) \
	RUNS_OF_SIZE(alu, 8)

#define NAMES_OF_SIZE(alu, bytes)                                                   \
	{                                                                           \
		run_##alu##_##bytes##_CPU_RR, run_##alu##_##bytes##_CPU_RM,         \
			run_##alu##_##bytes##_CPU_MR, run_##alu##_##bytes##_CPU_RI, \
			run_##alu##_##bytes##_CPU_MI                                \
	}

#define NAMES(alu)                                                                    \
	[alu] = {NAMES_OF_SIZE(alu, 1), NAMES_OF_SIZE(alu, 2), NAMES_OF_SIZE(alu, 4), \
		 NAMES_OF_SIZE(alu, 8)}

RUNS(CPU_ADD)
RUNS(CPU_OR)
RUNS(CPU_ADC)
RUNS(CPU_SBB)
RUNS(CPU_AND)
RUNS(CPU_SUB)
RUNS(CPU_XOR)
RUNS(CPU_CMP)
RUNS(CPU_TEST)
RUNS(CPU_MOV)

static cpu_run *const alu_runs[CPU_ALUS][4][CPU_FORMS] = {
	NAMES(CPU_ADD), NAMES(CPU_OR),  NAMES(CPU_ADC), NAMES(CPU_SBB),  NAMES(CPU_AND),
	NAMES(CPU_SUB), NAMES(CPU_XOR), NAMES(CPU_CMP), NAMES(CPU_TEST), NAMES(CPU_MOV),
};

cpu_run *cpu_alu_run(enum cpu_alu alu, size_t size, enum cpu_form form)
{
	return alu_runs[alu][__builtin_ctz((unsigned int)size)][form];
}

#define JUMP(condition)                                                                \
	static void run_jump_##condition(struct cpu *cpu, const struct cpu_insn *insn) \
	{                                                                              \
		if (cpu_condition(&cpu->flags, condition))                             \
			cpu->rip = insn->imm;                                          \
	}

JUMP(0)
JUMP(1)
JUMP(2)
JUMP(3)
JUMP(4)
JUMP(5)
JUMP(6)
JUMP(7)
JUMP(8)
JUMP(9)
JUMP(10)
JUMP(11)
JUMP(12)
JUMP(13)
JUMP(14)
JUMP(15)

cpu_run *cpu_jump_run(unsigned int condition)
{
	static cpu_run *const runs[16] = {
		run_jump_0,  run_jump_1,  run_jump_2,  run_jump_3,  run_jump_4,  run_jump_5,
		run_jump_6,  run_jump_7,  run_jump_8,  run_jump_9,  run_jump_10, run_jump_11,
		run_jump_12, run_jump_13, run_jump_14, run_jump_15,
	};

	return runs[condition];
}
