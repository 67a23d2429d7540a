// SPDX-License-Identifier: GPL-3.0-or-later
// Integer instructions that are not in cpu_alu.c and not about single bits.
#include "cpu/cpu_runs.h"

__extension__ typedef unsigned __int128 wide;
__extension__ typedef __int128 signed_wide;

static uint64_t integer_cut(uint64_t value, size_t bytes)
{
	return bytes == 8 ? value : value & ((UINT64_C(1) << 8 * bytes) - 1);
}

static int64_t integer_extend(uint64_t value, size_t bytes)
{
	unsigned int rest = 64 - 8 * (unsigned int)bytes;

	return (int64_t)(value << rest) >> rest;
}

void cpu_run_lea(struct cpu *cpu, const struct cpu_insn *insn)
{
	cpu_set(cpu, insn->dst, cpu_address(cpu, insn), insn->size);
}

void cpu_run_movzx(struct cpu *cpu, const struct cpu_insn *insn)
{
	cpu_set(cpu, insn->dst, cpu_source(cpu, insn, insn->src_size, insn->form), insn->size);
}

void cpu_run_movsx(struct cpu *cpu, const struct cpu_insn *insn)
{
	uint64_t value = cpu_source(cpu, insn, insn->src_size, insn->form);

	cpu_set(cpu, insn->dst, (uint64_t)integer_extend(value, insn->src_size), insn->size);
}

static uint64_t integer_swap(uint64_t value, size_t bytes)
{
	return __builtin_bswap64(value) >> (64 - 8 * bytes);
}

void cpu_run_movbe(struct cpu *cpu, const struct cpu_insn *insn)
{
	uint64_t value = integer_swap(cpu_source(cpu, insn, insn->size, insn->form), insn->size);

	if (cpu_into_memory(insn->form))
		cpu_store(cpu, cpu_address(cpu, insn), value, insn->size);
	else
		cpu_set(cpu, insn->dst, value, insn->size);
}

void cpu_run_bswap(struct cpu *cpu, const struct cpu_insn *insn)
{
	uint64_t value = cpu_get(cpu, insn->dst, insn->size);

	cpu_set(cpu, insn->dst, integer_swap(value, insn->size), insn->size);
}

void cpu_run_xchg(struct cpu *cpu, const struct cpu_insn *insn)
{
	addr_t at;
	uint64_t target = cpu_target(cpu, insn, insn->size, insn->form, &at);
	uint64_t source = cpu_get(cpu, insn->src, insn->size);

	cpu_set(cpu, insn->src, target, insn->size);
	cpu_set_target(cpu, insn, insn->size, insn->form, at, source);
}

void cpu_run_xadd(struct cpu *cpu, const struct cpu_insn *insn)
{
	addr_t at;
	size_t bytes = insn->size;
	uint64_t target = cpu_target(cpu, insn, bytes, insn->form, &at);
	uint64_t source = cpu_get(cpu, insn->src, bytes);
	uint64_t sum = integer_cut(target + source, bytes);
	unsigned int top = 8 * (unsigned int)bytes - 1;

	cpu_flags_of_result(&cpu->flags, sum, bytes);
	cpu->flags.adjust = (uint8_t)(target ^ source ^ sum);
	cpu->flags.carry = sum < target;
	cpu->flags.overflow = ((target ^ sum) & (source ^ sum)) >> top & 1;
	cpu_set(cpu, insn->src, target, bytes);
	cpu_set_target(cpu, insn, bytes, insn->form, at, sum);
}

static void integer_compare(struct cpu_flags *flags, uint64_t a, uint64_t b, size_t bytes)
{
	uint64_t result = integer_cut(a - b, bytes);

	cpu_flags_of_result(flags, result, bytes);
	flags->adjust = (uint8_t)(a ^ b ^ result);
	flags->carry = a < b;
	flags->overflow = ((a ^ b) & (a ^ result)) >> (8 * bytes - 1) & 1;
}

void cpu_run_cmpxchg(struct cpu *cpu, const struct cpu_insn *insn)
{
	addr_t at;
	uint64_t target = cpu_target(cpu, insn, insn->size, insn->form, &at);
	uint64_t expected = cpu_get(cpu, 8 * CPU_RAX, insn->size);

	integer_compare(&cpu->flags, expected, target, insn->size);
	if (expected == target)
		cpu_set_target(cpu, insn, insn->size, insn->form, at,
			       cpu_get(cpu, insn->src, insn->size));
	else
		cpu_set(cpu, 8 * CPU_RAX, target, insn->size);
}

// cmpxchg8b and cmpxchg16b: size is that of one half. Of the flags they change ZF alone.
void cpu_run_cmpxchg_pair(struct cpu *cpu, const struct cpu_insn *insn)
{
	addr_t at = cpu_address(cpu, insn);
	size_t bytes = insn->size;
	uint64_t low = cpu_load(cpu, at, bytes);
	uint64_t high = cpu_load(cpu, at + bytes, bytes);
	bool same =
		low == cpu_get(cpu, 8 * CPU_RAX, bytes) && high == cpu_get(cpu, 8 * CPU_RDX, bytes);

	cpu->flags.zero = !same;
	if (same) {
		cpu_store(cpu, at, cpu_get(cpu, 8 * CPU_RBX, bytes), bytes);
		cpu_store(cpu, at + bytes, cpu_get(cpu, 8 * CPU_RCX, bytes), bytes);
	} else {
		cpu_set(cpu, 8 * CPU_RAX, low, bytes);
		cpu_set(cpu, 8 * CPU_RDX, high, bytes);
	}
}

// inc and dec leave the carry.
void cpu_run_inc(struct cpu *cpu, const struct cpu_insn *insn)
{
	addr_t at;
	uint64_t value = cpu_target(cpu, insn, insn->size, insn->form, &at);
	uint64_t result = integer_cut(value + 1, insn->size);

	cpu_flags_of_result(&cpu->flags, result, insn->size);
	cpu->flags.adjust = (uint8_t)(value ^ 1 ^ result);
	cpu->flags.overflow = result == UINT64_C(1) << (8 * insn->size - 1);
	cpu_set_target(cpu, insn, insn->size, insn->form, at, result);
}

void cpu_run_dec(struct cpu *cpu, const struct cpu_insn *insn)
{
	addr_t at;
	uint64_t value = cpu_target(cpu, insn, insn->size, insn->form, &at);
	uint64_t result = integer_cut(value - 1, insn->size);

	cpu_flags_of_result(&cpu->flags, result, insn->size);
	cpu->flags.adjust = (uint8_t)(value ^ 1 ^ result);
	cpu->flags.overflow = value == UINT64_C(1) << (8 * insn->size - 1);
	cpu_set_target(cpu, insn, insn->size, insn->form, at, result);
}

void cpu_run_not(struct cpu *cpu, const struct cpu_insn *insn)
{
	addr_t at;
	uint64_t value = cpu_target(cpu, insn, insn->size, insn->form, &at);

	cpu_set_target(cpu, insn, insn->size, insn->form, at, ~value);
}

void cpu_run_neg(struct cpu *cpu, const struct cpu_insn *insn)
{
	addr_t at;
	uint64_t value = cpu_target(cpu, insn, insn->size, insn->form, &at);

	integer_compare(&cpu->flags, 0, value, insn->size);
	cpu_set_target(cpu, insn, insn->size, insn->form, at, 0 - value);
}

// The source is read, and a 32-bit destination extended, even when the condition is not met.
void cpu_run_cmov(struct cpu *cpu, const struct cpu_insn *insn)
{
	uint64_t value = cpu_source(cpu, insn, insn->size, insn->form);

	if (!cpu_condition(&cpu->flags, insn->extra))
		value = cpu_get(cpu, insn->dst, insn->size);
	cpu_set(cpu, insn->dst, value, insn->size);
}

void cpu_run_setcc(struct cpu *cpu, const struct cpu_insn *insn)
{
	addr_t at = cpu_into_memory(insn->form) ? cpu_address(cpu, insn) : 0;

	cpu_set_target(cpu, insn, 1, insn->form, at, cpu_condition(&cpu->flags, insn->extra));
}

// cbw, cwde, cdqe: size is that of the result.
void cpu_run_sign_a(struct cpu *cpu, const struct cpu_insn *insn)
{
	uint64_t value = cpu_get(cpu, 8 * CPU_RAX, insn->size / 2);

	cpu_set(cpu, 8 * CPU_RAX, (uint64_t)integer_extend(value, insn->size / 2), insn->size);
}

// cwd, cdq, cqo.
void cpu_run_sign_d(struct cpu *cpu, const struct cpu_insn *insn)
{
	int64_t value = integer_extend(cpu_get(cpu, 8 * CPU_RAX, insn->size), insn->size);

	cpu_set(cpu, 8 * CPU_RDX, value < 0 ? UINT64_MAX : 0, insn->size);
}

// Of the flags of a multiplication only carry and overflow are defined.
void cpu_run_imul(struct cpu *cpu, const struct cpu_insn *insn)
{
	size_t bytes = insn->size;
	int64_t a = integer_extend(cpu_source(cpu, insn, bytes, insn->form), bytes);
	int64_t b = insn->extra ? (int64_t)insn->imm
				: integer_extend(cpu_get(cpu, insn->dst, bytes), bytes);
	signed_wide product = (signed_wide)a * b;
	bool lost = product != integer_extend((uint64_t)product, bytes);

	cpu_flags_of_result(&cpu->flags, integer_cut((uint64_t)product, bytes), bytes);
	cpu->flags.carry = lost;
	cpu->flags.overflow = lost;
	cpu_set(cpu, insn->dst, (uint64_t)product, bytes);
}

// The two halves of a product or a dividend: rdx:rax, and ax for bytes.
static void integer_set_halves(struct cpu *cpu, wide value, size_t bytes)
{
	if (bytes == 1) {
		cpu_set(cpu, 8 * CPU_RAX, (uint64_t)value, 2);
		return;
	}
	cpu_set(cpu, 8 * CPU_RAX, (uint64_t)value, bytes);
	cpu_set(cpu, 8 * CPU_RDX, (uint64_t)(value >> 8 * bytes), bytes);
}

static wide integer_halves(const struct cpu *cpu, size_t bytes)
{
	if (bytes == 1)
		return cpu_get(cpu, 8 * CPU_RAX, 2);
	return (wide)cpu_get(cpu, 8 * CPU_RDX, bytes) << 8 * bytes |
	       cpu_get(cpu, 8 * CPU_RAX, bytes);
}

void cpu_run_mul_wide(struct cpu *cpu, const struct cpu_insn *insn)
{
	addr_t at;
	size_t bytes = insn->size;
	wide product = (wide)cpu_target(cpu, insn, bytes, insn->form, &at) *
		       cpu_get(cpu, 8 * CPU_RAX, bytes);
	bool lost = product >> 8 * bytes != 0;

	cpu_flags_of_result(&cpu->flags, integer_cut((uint64_t)product, bytes), bytes);
	cpu->flags.carry = lost;
	cpu->flags.overflow = lost;
	integer_set_halves(cpu, product, bytes);
}

void cpu_run_imul_wide(struct cpu *cpu, const struct cpu_insn *insn)
{
	addr_t at;
	size_t bytes = insn->size;
	uint64_t other = cpu_target(cpu, insn, bytes, insn->form, &at);
	signed_wide product = (signed_wide)integer_extend(other, bytes) *
			      integer_extend(cpu_get(cpu, 8 * CPU_RAX, bytes), bytes);
	bool lost = product != integer_extend((uint64_t)product, bytes);

	cpu_flags_of_result(&cpu->flags, integer_cut((uint64_t)product, bytes), bytes);
	cpu->flags.carry = lost;
	cpu->flags.overflow = lost;
	integer_set_halves(cpu, (wide)product, bytes);
}

static void integer_set_quotient(struct cpu *cpu, uint64_t quotient, uint64_t rest, size_t bytes)
{
	cpu_set(cpu, 8 * CPU_RAX, quotient, bytes);
	// ah for bytes
	cpu_set(cpu, bytes == 1 ? 8 * CPU_RAX + 1 : 8 * CPU_RDX, rest, bytes);
}

void cpu_run_div(struct cpu *cpu, const struct cpu_insn *insn)
{
	addr_t at;
	size_t bytes = insn->size;
	uint64_t divisor = cpu_target(cpu, insn, bytes, insn->form, &at);
	wide dividend = integer_halves(cpu, bytes);

	if (divisor == 0 || dividend >> 8 * bytes >= divisor) {
		cpu->memory.fault_at = insn->at;
		cpu_stop(cpu, CPU_FAULT);
		return;
	}
	integer_set_quotient(cpu, (uint64_t)(dividend / divisor), (uint64_t)(dividend % divisor),
			     bytes);
}

void cpu_run_idiv(struct cpu *cpu, const struct cpu_insn *insn)
{
	addr_t at;
	size_t bytes = insn->size;
	unsigned int rest = 128 - 16 * (unsigned int)bytes;
	int64_t divisor = integer_extend(cpu_target(cpu, insn, bytes, insn->form, &at), bytes);
	signed_wide dividend = (signed_wide)(integer_halves(cpu, bytes) << rest) >> rest;

	// The one quotient that 128 bits cannot hold.
	if (divisor == 0 || (divisor == -1 && (wide)dividend == (wide)1 << 127)) {
		cpu->memory.fault_at = insn->at;
		cpu_stop(cpu, CPU_FAULT);
		return;
	}
	signed_wide quotient = dividend / divisor;
	if (quotient != integer_extend((uint64_t)quotient, bytes)) {
		cpu->memory.fault_at = insn->at;
		cpu_stop(cpu, CPU_FAULT);
		return;
	}
	integer_set_quotient(cpu, (uint64_t)quotient, (uint64_t)(dividend % divisor), bytes);
}

// cmc, clc, stc, cld, std: `extra` is the opcode.
void cpu_run_flag(struct cpu *cpu, const struct cpu_insn *insn)
{
	switch (insn->extra) {
	case 0xf5:
		cpu->flags.carry = !cpu->flags.carry;
		break;
	case 0xf8:
	case 0xf9:
		cpu->flags.carry = insn->extra & 1;
		break;
	default:
		cpu->flags.direction = insn->extra & 1;
	}
}

void cpu_run_lahf(struct cpu *cpu, const struct cpu_insn *insn)
{
	cpu_set(cpu, 8 * CPU_RAX + 1, cpu_flags_pack(&cpu->flags) & 0xff, 1);
}

void cpu_run_sahf(struct cpu *cpu, const struct cpu_insn *insn)
{
	uint64_t packed = cpu_flags_pack(&cpu->flags) & ~UINT64_C(0xff);

	cpu_flags_unpack(&cpu->flags, packed | cpu_get(cpu, 8 * CPU_RAX + 1, 1));
}

void cpu_run_nop(struct cpu *cpu, const struct cpu_insn *insn)
{
}

// What a process starts with: all exceptions masked, round to nearest.
void cpu_run_stmxcsr(struct cpu *cpu, const struct cpu_insn *insn)
{
	cpu_store(cpu, cpu_address(cpu, insn), 0x1f80, 4);
}

void cpu_run_fnstcw(struct cpu *cpu, const struct cpu_insn *insn)
{
	cpu_store(cpu, cpu_address(cpu, insn), 0x37f, 2);
}

// The dynamic linker saves all registers around looking up a function, and restores them; nobody looks
// at what is between. So the layout is our own: 512 bytes, which every one of these areas has.
void cpu_run_save_vectors(struct cpu *cpu, const struct cpu_insn *insn)
{
	addr_t at = cpu_address(cpu, insn);

	cpu_store_slow(cpu, at, cpu->vectors, sizeof(cpu->vectors));
}

void cpu_run_restore_vectors(struct cpu *cpu, const struct cpu_insn *insn)
{
	addr_t at = cpu_address(cpu, insn);

	if (!cpu->stopped && !cpu_memory_read(&cpu->memory, at, cpu->vectors, sizeof(cpu->vectors)))
		cpu_stop_fault(cpu);
}
