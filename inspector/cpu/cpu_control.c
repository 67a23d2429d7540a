// SPDX-License-Identifier: GPL-3.0-or-later
// Jumps, calls, the stack, and instructions that repeat themselves.
#include "cpu/cpu_runs.h"

void cpu_run_jump(struct cpu *cpu, const struct cpu_insn *insn)
{
	cpu->rip = insn->imm;
}

void cpu_run_jump_to(struct cpu *cpu, const struct cpu_insn *insn)
{
	addr_t at;

	cpu->rip = cpu_target(cpu, insn, 8, insn->form, &at);
}

void cpu_run_call(struct cpu *cpu, const struct cpu_insn *insn)
{
	cpu_push(cpu, cpu->rip);
	cpu->rip = insn->imm;
}

void cpu_run_call_to(struct cpu *cpu, const struct cpu_insn *insn)
{
	addr_t at;
	// Before the push: it may be relative to the stack pointer.
	addr_t target = cpu_target(cpu, insn, 8, insn->form, &at);

	cpu_push(cpu, cpu->rip);
	cpu->rip = target;
}

void cpu_run_ret(struct cpu *cpu, const struct cpu_insn *insn)
{
	cpu->rip = cpu_pop(cpu);
	cpu->regs[CPU_RSP] += insn->imm;
}

void cpu_run_loop(struct cpu *cpu, const struct cpu_insn *insn)
{
	size_t bytes = insn->address & CPU_ADDRESS_32 ? 4 : 8;

	if (insn->extra < 3)
		cpu_set(cpu, 8 * CPU_RCX, cpu->regs[CPU_RCX] - 1, bytes);

	bool zero = cpu_get(cpu, 8 * CPU_RCX, bytes) == 0;
	bool taken = insn->extra == 3 ? zero : !zero;
	if (insn->extra < 2)
		taken = taken && (cpu->flags.zero == 0) == (insn->extra == 1);
	if (taken)
		cpu->rip = insn->imm;
}

void cpu_run_push(struct cpu *cpu, const struct cpu_insn *insn)
{
	addr_t at;
	uint64_t value = insn->imm;

	if (insn->form != CPU_RI)
		value = cpu_target(cpu, insn, insn->size, insn->form, &at);
	cpu->regs[CPU_RSP] -= insn->size;
	cpu_store(cpu, cpu->regs[CPU_RSP], value, insn->size);
}

// The address of a destination in memory is computed with the new stack pointer, and so is pop %rsp.
void cpu_run_pop(struct cpu *cpu, const struct cpu_insn *insn)
{
	uint64_t value = cpu_load(cpu, cpu->regs[CPU_RSP], insn->size);

	cpu->regs[CPU_RSP] += insn->size;
	addr_t at = cpu_into_memory(insn->form) ? cpu_address(cpu, insn) : 0;
	cpu_set_target(cpu, insn, insn->size, insn->form, at, value);
}

// Always 64 bits: no compiler pushes 16 bits of flags.
void cpu_run_pushf(struct cpu *cpu, const struct cpu_insn *insn)
{
	cpu_push(cpu, cpu_flags_pack(&cpu->flags));
}

void cpu_run_popf(struct cpu *cpu, const struct cpu_insn *insn)
{
	cpu_flags_unpack(&cpu->flags, cpu_pop(cpu));
}

void cpu_run_enter(struct cpu *cpu, const struct cpu_insn *insn)
{
	cpu_push(cpu, cpu->regs[CPU_RBP]);
	cpu->regs[CPU_RBP] = cpu->regs[CPU_RSP];
	cpu->regs[CPU_RSP] -= insn->imm;
}

void cpu_run_leave(struct cpu *cpu, const struct cpu_insn *insn)
{
	cpu->regs[CPU_RSP] = cpu->regs[CPU_RBP];
	cpu->regs[CPU_RBP] = cpu_pop(cpu);
}

void cpu_run_system_call(struct cpu *cpu, const struct cpu_insn *insn)
{
	const uint64_t args[6] = {cpu->regs[CPU_RDI], cpu->regs[CPU_RSI], cpu->regs[CPU_RDX],
				  cpu->regs[10],      cpu->regs[8],       cpu->regs[9]};
	int64_t result = 0;

	if (!cpu->answer ||
	    !cpu->answer(cpu, cpu->regs[CPU_RAX], args, &result, cpu->answer_context)) {
		cpu_stop(cpu, CPU_SYSTEM_CALL);
		return;
	}
	cpu->regs[CPU_RAX] = (uint64_t)result;
	cpu->regs[CPU_RCX] = cpu->rip;
	cpu->regs[11] = cpu_flags_pack(&cpu->flags);
}

// int: the kernel's old door, with other numbers, and what debuggers use.
void cpu_run_interrupt(struct cpu *cpu, const struct cpu_insn *insn)
{
	cpu_stop(cpu, CPU_SYSTEM_CALL);
}

// Each repetition is a step, or rep would escape the limit. False when it has to end; it goes on as an
// instruction of its own when only the steps have.
static bool control_repeats(struct cpu *cpu, const struct cpu_insn *insn)
{
	if (!insn->repeat || cpu->stopped)
		return false;
	if (--cpu->regs[CPU_RCX] == 0)
		return false;
	if (cpu->left == 0) {
		cpu->rip = insn->at;
		return false;
	}
	cpu->left--;
	return true;
}

// The same for repe and repne, which also end by what they compare.
static bool control_repeats_while(struct cpu *cpu, const struct cpu_insn *insn, bool on)
{
	bool repeats = control_repeats(cpu, insn);

	if (!on)
		cpu->rip = insn->at + insn->length;
	return repeats && on;
}

static bool control_starts(const struct cpu *cpu, const struct cpu_insn *insn)
{
	return !insn->repeat || cpu->regs[CPU_RCX] != 0;
}

static uint64_t control_stride(const struct cpu *cpu, const struct cpu_insn *insn)
{
	return cpu->flags.direction ? UINT64_C(0) - insn->size : insn->size;
}

// %rsi, with the segment there may be.
static uint64_t control_load(struct cpu *cpu, const struct cpu_insn *insn)
{
	uint64_t value = cpu_load(cpu, cpu_address(cpu, insn), insn->size);

	cpu->regs[CPU_RSI] += control_stride(cpu, insn);
	return value;
}

void cpu_run_movs(struct cpu *cpu, const struct cpu_insn *insn)
{
	if (!control_starts(cpu, insn))
		return;
	do {
		cpu_store(cpu, cpu->regs[CPU_RDI], control_load(cpu, insn), insn->size);
		cpu->regs[CPU_RDI] += control_stride(cpu, insn);
	} while (control_repeats(cpu, insn));
}

void cpu_run_stos(struct cpu *cpu, const struct cpu_insn *insn)
{
	if (!control_starts(cpu, insn))
		return;
	do {
		cpu_store(cpu, cpu->regs[CPU_RDI], cpu->regs[CPU_RAX], insn->size);
		cpu->regs[CPU_RDI] += control_stride(cpu, insn);
	} while (control_repeats(cpu, insn));
}

void cpu_run_lods(struct cpu *cpu, const struct cpu_insn *insn)
{
	if (!control_starts(cpu, insn))
		return;
	do
		cpu_set(cpu, 8 * CPU_RAX, control_load(cpu, insn), insn->size);
	while (control_repeats(cpu, insn));
}

// Whether repe and repne go on.
static bool control_compare(struct cpu *cpu, const struct cpu_insn *insn, uint64_t a, uint64_t b)
{
	size_t bytes = insn->size;
	uint64_t result = bytes == 8 ? a - b : (a - b) & ((UINT64_C(1) << 8 * bytes) - 1);

	cpu_flags_of_result(&cpu->flags, result, bytes);
	cpu->flags.adjust = (uint8_t)(a ^ b ^ result);
	cpu->flags.carry = a < b;
	cpu->flags.overflow = ((a ^ b) & (a ^ result)) >> (8 * bytes - 1) & 1;
	return (result == 0) == (insn->repeat == 0xf3);
}

void cpu_run_cmps(struct cpu *cpu, const struct cpu_insn *insn)
{
	bool on;

	if (!control_starts(cpu, insn))
		return;
	do {
		uint64_t a = control_load(cpu, insn);
		uint64_t b = cpu_load(cpu, cpu->regs[CPU_RDI], insn->size);

		cpu->regs[CPU_RDI] += control_stride(cpu, insn);
		on = control_compare(cpu, insn, a, b);
	} while (control_repeats_while(cpu, insn, on));
}

void cpu_run_scas(struct cpu *cpu, const struct cpu_insn *insn)
{
	bool on;

	if (!control_starts(cpu, insn))
		return;
	do {
		uint64_t b = cpu_load(cpu, cpu->regs[CPU_RDI], insn->size);

		cpu->regs[CPU_RDI] += control_stride(cpu, insn);
		on = control_compare(cpu, insn, cpu_get(cpu, 8 * CPU_RAX, insn->size), b);
	} while (control_repeats_while(cpu, insn, on));
}
