// SPDX-License-Identifier: GPL-3.0-or-later
// Shifts, rotates, single bits, BMI1, BMI2, ADX.
#include "cpu/cpu_runs.h"

__extension__ typedef unsigned __int128 wide;

static uint64_t bits_cut(uint64_t value, size_t bytes)
{
	return bytes == 8 ? value : value & ((UINT64_C(1) << 8 * bytes) - 1);
}

static unsigned int bits_count(const struct cpu *cpu, const struct cpu_insn *insn)
{
	bool immediate = insn->form == CPU_RI || insn->form == CPU_MI;
	uint64_t count = immediate ? insn->imm : cpu->regs[CPU_RCX];

	return count & (insn->size == 8 ? 63 : 31);
}

// Rotates change carry and overflow alone. @a count is not 0.
static uint64_t bits_rotate(struct cpu_flags *flags, unsigned int kind, uint64_t value,
			    unsigned int count, size_t bytes)
{
	unsigned int width = 8 * (unsigned int)bytes;
	// rcl and rcr turn through the carry: one bit more.
	bool through = kind >= 2;
	unsigned int turn = width + through;
	wide ring = through ? (wide)flags->carry << width | value : value;
	unsigned int left = count % turn;

	if (kind & 1)
		left = (turn - left) % turn;
	if (left > 0)
		ring = ring << left | ring >> (turn - left);
	uint64_t result = bits_cut((uint64_t)ring, bytes);

	if (through)
		flags->carry = (uint64_t)(ring >> width) & 1;
	else
		flags->carry = (kind & 1 ? result >> (width - 1) : result) & 1;
	bool top = result >> (width - 1) & 1;
	flags->overflow = top != (kind & 1 ? result >> (width - 2) & 1 : flags->carry);
	return result;
}

// @a count is not 0, but may be more than the operand has bits.
static uint64_t bits_shift(struct cpu_flags *flags, unsigned int kind, uint64_t value,
			   unsigned int count, size_t bytes)
{
	unsigned int width = 8 * (unsigned int)bytes;
	uint64_t result;

	if (kind == 4 || kind == 6) {
		wide shifted = (wide)value << count;

		result = bits_cut((uint64_t)shifted, bytes);
		flags->carry = (uint64_t)(shifted >> width) & 1;
		flags->overflow = (result >> (width - 1) & 1) != flags->carry;
	} else if (kind == 5) {
		result = value >> count;
		flags->carry = value >> (count - 1) & 1;
		flags->overflow = value >> (width - 1) & 1;
	} else {
		int64_t extended = (int64_t)(value << (64 - width)) >> (64 - width);

		result = bits_cut((uint64_t)(extended >> count), bytes);
		flags->carry = extended >> (count - 1) & 1;
		flags->overflow = false;
	}
	cpu_flags_of_result(flags, result, bytes);
	return result;
}

void cpu_run_shift(struct cpu *cpu, const struct cpu_insn *insn)
{
	addr_t at;
	unsigned int count = bits_count(cpu, insn);
	uint64_t value = cpu_target(cpu, insn, insn->size, insn->form, &at);

	// A shift by 0 changes no flag.
	if (count > 0 && insn->extra < 4)
		value = bits_rotate(&cpu->flags, insn->extra, value, count, insn->size);
	else if (count > 0)
		value = bits_shift(&cpu->flags, insn->extra, value, count, insn->size);
	cpu_set_target(cpu, insn, insn->size, insn->form, at, value);
}

// With 16 bits and a count above 16 the result is undefined.
void cpu_run_shift_double(struct cpu *cpu, const struct cpu_insn *insn)
{
	addr_t at;
	size_t bytes = insn->size;
	unsigned int width = 8 * (unsigned int)bytes;
	uint64_t counted = insn->extra & 2 ? cpu->regs[CPU_RCX] : insn->imm;
	unsigned int count = counted & (bytes == 8 ? 63 : 31);
	uint64_t value = cpu_target(cpu, insn, bytes, insn->form, &at);
	uint64_t fill = cpu_get(cpu, insn->src, bytes);
	uint64_t result = value;

	if (count > 0 && insn->extra & 1) {
		wide both = (wide)fill << width | value;

		result = bits_cut((uint64_t)(both >> count), bytes);
		cpu->flags.carry = (uint64_t)(both >> (count - 1)) & 1;
	} else if (count > 0) {
		wide both = (wide)value << width | fill;
		unsigned int back = count > width ? 0 : width - count;

		result = bits_cut((uint64_t)(both >> back), bytes);
		cpu->flags.carry = (uint64_t)(both >> (2 * width - count)) & 1;
	}
	if (count > 0) {
		cpu_flags_of_result(&cpu->flags, result, bytes);
		cpu->flags.overflow = (value ^ result) >> (width - 1) & 1;
	}
	cpu_set_target(cpu, insn, bytes, insn->form, at, result);
}

// With the number of the bit in a register, memory is a string of bits that reaches to both sides of
// its address. ZF is unaffected, the rest undefined.
void cpu_run_bit_test(struct cpu *cpu, const struct cpu_insn *insn)
{
	size_t bytes = insn->size;
	unsigned int width = 8 * (unsigned int)bytes;
	uint64_t number = insn->imm;
	addr_t at = 0;
	uint64_t value;

	if (insn->form == CPU_RR || insn->form == CPU_MR)
		number = cpu_get(cpu, insn->src, bytes);
	if (cpu_into_memory(insn->form)) {
		at = cpu_address(cpu, insn);
		if (insn->form == CPU_MR) {
			unsigned int rest = 64 - width;
			int64_t word = (int64_t)(number << rest) >> rest;

			at += (uint64_t)(word >> __builtin_ctz(width)) * bytes;
		}
		value = cpu_load(cpu, at, bytes);
	} else {
		value = cpu_get(cpu, insn->dst, bytes);
	}

	uint64_t bit = UINT64_C(1) << (number & (width - 1));
	cpu->flags.carry = (value & bit) != 0;
	if (insn->extra == 0)
		return;
	if (insn->extra == 1)
		value |= bit;
	else if (insn->extra == 2)
		value &= ~bit;
	else
		value ^= bit;
	cpu_set_target(cpu, insn, bytes, insn->form, at, value);
}

// Of 0 the destination stays: so the manuals of both makers, whatever Intel calls it.
void cpu_run_bsf(struct cpu *cpu, const struct cpu_insn *insn)
{
	uint64_t value = cpu_source(cpu, insn, insn->size, insn->form);

	cpu->flags.zero = value;
	if (value != 0)
		cpu_set(cpu, insn->dst, (uint64_t)__builtin_ctzll(value), insn->size);
}

void cpu_run_bsr(struct cpu *cpu, const struct cpu_insn *insn)
{
	uint64_t value = cpu_source(cpu, insn, insn->size, insn->form);

	cpu->flags.zero = value;
	if (value != 0)
		cpu_set(cpu, insn->dst, 63 - (uint64_t)__builtin_clzll(value), insn->size);
}

static void bits_set_counted(struct cpu *cpu, const struct cpu_insn *insn, uint64_t value,
			     uint64_t count)
{
	cpu->flags.carry = value == 0;
	cpu->flags.zero = count;
	cpu_set(cpu, insn->dst, count, insn->size);
}

void cpu_run_tzcnt(struct cpu *cpu, const struct cpu_insn *insn)
{
	uint64_t value = cpu_source(cpu, insn, insn->size, insn->form);
	unsigned int count = value ? (unsigned int)__builtin_ctzll(value) : 8U * insn->size;

	bits_set_counted(cpu, insn, value, count);
}

void cpu_run_lzcnt(struct cpu *cpu, const struct cpu_insn *insn)
{
	uint64_t value = cpu_source(cpu, insn, insn->size, insn->form);
	unsigned int width = 8U * insn->size;
	unsigned int count = value ? (unsigned int)__builtin_clzll(value) - (64 - width) : width;

	bits_set_counted(cpu, insn, value, count);
}

void cpu_run_popcnt(struct cpu *cpu, const struct cpu_insn *insn)
{
	uint64_t value = cpu_source(cpu, insn, insn->size, insn->form);

	cpu_flags_of_logic(&cpu->flags, 1, insn->size);
	cpu->flags.zero = value;
	cpu_set(cpu, insn->dst, (uint64_t)__builtin_popcountll(value), insn->size);
}

// The operand in VEX.vvvv.
static uint64_t bits_third(const struct cpu *cpu, const struct cpu_insn *insn)
{
	return cpu_get(cpu, insn->third, insn->size);
}

void cpu_run_andn(struct cpu *cpu, const struct cpu_insn *insn)
{
	uint64_t source = cpu_source(cpu, insn, insn->size, insn->form);
	uint64_t result = ~bits_third(cpu, insn) & source;

	cpu_flags_of_logic(&cpu->flags, result, insn->size);
	cpu_set(cpu, insn->dst, result, insn->size);
}

void cpu_run_bextr(struct cpu *cpu, const struct cpu_insn *insn)
{
	uint64_t value = cpu_source(cpu, insn, insn->size, insn->form);
	uint64_t control = bits_third(cpu, insn);
	unsigned int start = control & 0xff;
	unsigned int length = control >> 8 & 0xff;
	uint64_t result = start < 64 ? value >> start : 0;

	if (length < 64)
		result &= (UINT64_C(1) << length) - 1;
	cpu_flags_of_logic(&cpu->flags, result, insn->size);
	cpu_set(cpu, insn->dst, result, insn->size);
}

void cpu_run_bzhi(struct cpu *cpu, const struct cpu_insn *insn)
{
	uint64_t value = cpu_source(cpu, insn, insn->size, insn->form);
	unsigned int from = bits_third(cpu, insn) & 0xff;
	bool beyond = from >= 8U * insn->size;
	uint64_t result = beyond ? value : value & ((UINT64_C(1) << from) - 1);

	cpu_flags_of_logic(&cpu->flags, result, insn->size);
	cpu->flags.carry = beyond;
	cpu_set(cpu, insn->dst, result, insn->size);
}

void cpu_run_lowest_bit(struct cpu *cpu, const struct cpu_insn *insn)
{
	uint64_t value = cpu_source(cpu, insn, insn->size, insn->form);
	uint64_t result;

	if (insn->extra == 1)
		result = value & (value - 1);
	else if (insn->extra == 2)
		result = bits_cut(value ^ (value - 1), insn->size);
	else
		result = value & (0 - value);
	cpu_flags_of_logic(&cpu->flags, result, insn->size);
	cpu->flags.carry = (value == 0) != (insn->extra == 3);
	cpu_set(cpu, insn->third, result, insn->size);
}

void cpu_run_pdep(struct cpu *cpu, const struct cpu_insn *insn)
{
	uint64_t mask = cpu_source(cpu, insn, insn->size, insn->form);
	uint64_t value = bits_third(cpu, insn);
	uint64_t result = 0;

	for (; mask; mask &= mask - 1, value >>= 1) {
		if (value & 1)
			result |= mask & (0 - mask);
	}
	cpu_set(cpu, insn->dst, result, insn->size);
}

void cpu_run_pext(struct cpu *cpu, const struct cpu_insn *insn)
{
	uint64_t mask = cpu_source(cpu, insn, insn->size, insn->form);
	uint64_t value = bits_third(cpu, insn);
	uint64_t result = 0;

	for (unsigned int to = 0; mask; mask &= mask - 1, to++) {
		if (value & mask & (0 - mask))
			result |= UINT64_C(1) << to;
	}
	cpu_set(cpu, insn->dst, result, insn->size);
}

// The high half goes to dst, last: they may be the same register.
void cpu_run_mulx(struct cpu *cpu, const struct cpu_insn *insn)
{
	wide product = (wide)cpu_source(cpu, insn, insn->size, insn->form) *
		       cpu_get(cpu, 8 * CPU_RDX, insn->size);

	cpu_set(cpu, insn->third, (uint64_t)product, insn->size);
	cpu_set(cpu, insn->dst, (uint64_t)(product >> 8 * insn->size), insn->size);
}

void cpu_run_rorx(struct cpu *cpu, const struct cpu_insn *insn)
{
	uint64_t value = cpu_source(cpu, insn, insn->size, insn->form);
	unsigned int width = 8U * insn->size;
	unsigned int count = insn->imm & (width - 1);

	if (count > 0)
		value = value >> count | value << (width - count);
	cpu_set(cpu, insn->dst, value, insn->size);
}

static unsigned int bits_third_count(const struct cpu *cpu, const struct cpu_insn *insn)
{
	return bits_third(cpu, insn) & (8U * insn->size - 1);
}

void cpu_run_sarx(struct cpu *cpu, const struct cpu_insn *insn)
{
	uint64_t value = cpu_source(cpu, insn, insn->size, insn->form);
	int64_t extended = insn->size == 4 ? (int32_t)value : (int64_t)value;

	cpu_set(cpu, insn->dst, (uint64_t)(extended >> bits_third_count(cpu, insn)), insn->size);
}

void cpu_run_shlx(struct cpu *cpu, const struct cpu_insn *insn)
{
	uint64_t value = cpu_source(cpu, insn, insn->size, insn->form);

	cpu_set(cpu, insn->dst, value << bits_third_count(cpu, insn), insn->size);
}

void cpu_run_shrx(struct cpu *cpu, const struct cpu_insn *insn)
{
	uint64_t value = cpu_source(cpu, insn, insn->size, insn->form);

	cpu_set(cpu, insn->dst, value >> bits_third_count(cpu, insn), insn->size);
}

void cpu_run_adcx(struct cpu *cpu, const struct cpu_insn *insn)
{
	bool *carry = insn->extra ? &cpu->flags.overflow : &cpu->flags.carry;
	wide sum = (wide)cpu_get(cpu, insn->dst, insn->size) +
		   cpu_source(cpu, insn, insn->size, insn->form) + *carry;

	*carry = (uint64_t)(sum >> 8 * insn->size) & 1;
	cpu_set(cpu, insn->dst, (uint64_t)sum, insn->size);
}
