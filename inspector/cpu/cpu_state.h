/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CPU_CPU_STATE_H
#define CPU_CPU_STATE_H

/*
 * What the files of this room share: registers, flags, a decoded instruction, and how an instruction
 * reads and writes its operands. The instruction set is that of Intel's manual, volume 2.
 *
 * An instruction is executed by its `run`. A run cannot fail: it calls cpu_stop() and goes on with
 * zeros, and no further instruction is executed. So every access to memory is checked in one place.
 *
 * Registers and memory hold little-endian bytes, as the inspected machine does; our own must too.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "cpu/cpu.h"
#include "cpu/cpu_memory.h"

#define CPU_INLINE static inline __attribute__((always_inline))

enum cpu_register {
	CPU_RAX,
	CPU_RCX,
	CPU_RDX,
	CPU_RBX,
	CPU_RSP,
	CPU_RBP,
	CPU_RSI,
	CPU_RDI,
	CPU_REGISTERS = 16,
	/** Stands for a base or an index that an address does not have; always 0. */
	CPU_NO_REGISTER = 16,
};

/** Destination and source. R is a register, M memory, I an immediate. */
enum cpu_form {
	CPU_RR,
	CPU_RM,
	CPU_MR,
	CPU_RI,
	CPU_MI,
	CPU_FORMS,
};

/** What makes an address more than base + index + displacement; bits. */
enum {
	CPU_ADDRESS_FS = 1,
	CPU_ADDRESS_GS = 2,
	CPU_ADDRESS_32 = 4,
};

struct cpu_insn;
typedef void cpu_run(struct cpu *cpu, const struct cpu_insn *insn);

struct cpu_insn {
	addr_t at;
	cpu_run *run;
	/** Sign-extended; the target of a relative jump; the number of a gate. */
	uint64_t imm;
	uint64_t disp;
	uint8_t length;
	/** Bytes of the destination; 16 or 32 for vectors. */
	uint8_t size;
	/** Bytes of the source where they differ (movzx), and of a vector's operand in memory. */
	uint8_t src_size;
	/** enum cpu_form */
	uint8_t form;
	/** Byte offsets into the registers (so that ah is 1), or numbers of vector registers. */
	uint8_t dst;
	uint8_t src;
	/** The third operand of those that have one (VEX.vvvv): as dst and src. */
	uint8_t third;
	uint8_t base;
	uint8_t index;
	/** log2 of the index's factor. */
	uint8_t shift;
	/** CPU_ADDRESS_... */
	uint8_t address;
	/** 0, 0xf2 or 0xf3. */
	uint8_t repeat;
	/** The condition of jcc, setcc, cmovcc; otherwise what the run likes. */
	uint8_t extra;
	bool vex;
};

/** The status flags, each in the form that is cheapest to set. */
struct cpu_flags {
	/** ZF is set when this is 0. */
	uint64_t zero;
	/** SF is its highest bit. */
	uint64_t sign;
	/** PF is set when the number of ones is even. */
	uint8_t parity;
	/** AF is bit 4. */
	uint8_t adjust;
	bool carry;
	bool overflow;
	bool direction;
};

union cpu_vector {
	uint8_t b[32];
	int8_t sb[32];
	uint16_t w[16];
	int16_t sw[16];
	uint32_t d[8];
	int32_t sd[8];
	uint64_t q[4];
	int64_t sq[4];
	float f[8];
	double lf[4];
};

struct cpu_gate_entry {
	cpu_gate *gate;
	void *context;
};

struct cpu {
	uint64_t regs[CPU_REGISTERS + 1];
	/** Of the next instruction, while one is executed. */
	addr_t rip;
	struct cpu_flags flags;
	/** Steps that may still be made; 0 also when the call has ended, see stopped. */
	uint64_t left;
	bool stopped;
	enum cpu_outcome outcome;
	/** `left` when it was stopped. */
	uint64_t left_when_stopped;
	/** Where it ended, and how many steps that took. */
	addr_t at;
	uint64_t steps;
	uint64_t steps_max;
	addr_t thread_pointer;
	union cpu_vector vectors[CPU_REGISTERS];
	/** Decoded instructions, direct mapped by address. */
	struct cpu_insn *insns;
	struct cpu_gate_entry *gates;
	size_t gates_count;
	size_t gates_capacity;
	struct addr_map gate_index;
	size_t free_count;
	/** NULL when nobody answers. */
	cpu_system_call *answer;
	void *answer_context;
	/** Operands that straddle pages, and zeros for those that cannot be read. */
	uint8_t bounce[64];
	struct cpu_memory memory;
};

/** Ends the call with @a outcome after this instruction. The first one counts. */
void cpu_stop(struct cpu *cpu, enum cpu_outcome outcome);
/** The same for an access that memory refused. */
void cpu_stop_fault(struct cpu *cpu);
/** cpu_readable() when the page was not found before. */
const uint8_t *cpu_readable_slow(struct cpu *cpu, addr_t at, size_t bytes);
void cpu_store_slow(struct cpu *cpu, addr_t at, const void *from, size_t bytes);
/** An address with a segment, or of 32 bits. */
addr_t cpu_address_odd(struct cpu *cpu, const struct cpu_insn *insn, addr_t at);

/** @a bytes bytes at @a at (at most 64), good until the next access; zeros when the call ended. */
CPU_INLINE const uint8_t *cpu_readable(struct cpu *cpu, addr_t at, size_t bytes)
{
	const uint8_t *found = cpu_memory_peek(&cpu->memory, at, bytes);

	return found ? found : cpu_readable_slow(cpu, at, bytes);
}

CPU_INLINE uint64_t cpu_pick(const uint8_t *from, size_t bytes)
{
	uint64_t value = 0;

	// Each with its own constant size, so that it is one instruction.
	switch (bytes) {
	case 1:
		return *from;
	case 2:
		memcpy(&value, from, 2);
		return value;
	case 4:
		memcpy(&value, from, 4);
		return value;
	default:
		memcpy(&value, from, 8);
		return value;
	}
}

CPU_INLINE void cpu_put(uint8_t *into, uint64_t value, size_t bytes)
{
	switch (bytes) {
	case 1:
		*into = (uint8_t)value;
		break;
	case 2:
		memcpy(into, &value, 2);
		break;
	case 4:
		memcpy(into, &value, 4);
		break;
	default:
		memcpy(into, &value, 8);
	}
}

/** @a bytes is 1, 2, 4 or 8. */
CPU_INLINE uint64_t cpu_load(struct cpu *cpu, addr_t at, size_t bytes)
{
	return cpu_pick(cpu_readable(cpu, at, bytes), bytes);
}

CPU_INLINE void cpu_store(struct cpu *cpu, addr_t at, uint64_t value, size_t bytes)
{
	uint8_t *own = cpu_memory_own(&cpu->memory, at, bytes);

	if (own)
		cpu_put(own, value, bytes);
	else
		cpu_store_slow(cpu, at, &value, bytes);
}

CPU_INLINE addr_t cpu_address(struct cpu *cpu, const struct cpu_insn *insn)
{
	addr_t at = cpu->regs[insn->base] + (cpu->regs[insn->index] << insn->shift) + insn->disp;

	return __builtin_expect(insn->address, 0) ? cpu_address_odd(cpu, insn, at) : at;
}

CPU_INLINE uint64_t cpu_get(const struct cpu *cpu, uint8_t offset, size_t bytes)
{
	return cpu_pick((const uint8_t *)cpu->regs + offset, bytes);
}

/** Writing 4 bytes clears the upper half; writing 1 or 2 leaves the rest. */
CPU_INLINE void cpu_set(struct cpu *cpu, uint8_t offset, uint64_t value, size_t bytes)
{
	if (bytes == 4)
		cpu_put((uint8_t *)cpu->regs + offset, (uint32_t)value, 8);
	else
		cpu_put((uint8_t *)cpu->regs + offset, value, bytes);
}

CPU_INLINE uint64_t cpu_source(struct cpu *cpu, const struct cpu_insn *insn, size_t bytes,
			       enum cpu_form form)
{
	if (form == CPU_RI || form == CPU_MI)
		return bytes == 8 ? insn->imm : insn->imm & ((UINT64_C(1) << 8 * bytes) - 1);
	if (form == CPU_RM)
		return cpu_load(cpu, cpu_address(cpu, insn), bytes);
	return cpu_get(cpu, insn->src, bytes);
}

CPU_INLINE bool cpu_into_memory(enum cpu_form form)
{
	return form == CPU_MR || form == CPU_MI;
}

/** *@a ret_at is for cpu_set_target(). */
CPU_INLINE uint64_t cpu_target(struct cpu *cpu, const struct cpu_insn *insn, size_t bytes,
			       enum cpu_form form, addr_t *ret_at)
{
	*ret_at = 0;
	if (!cpu_into_memory(form))
		return cpu_get(cpu, insn->dst, bytes);
	*ret_at = cpu_address(cpu, insn);
	return cpu_load(cpu, *ret_at, bytes);
}

CPU_INLINE void cpu_set_target(struct cpu *cpu, const struct cpu_insn *insn, size_t bytes,
			       enum cpu_form form, addr_t at, uint64_t value)
{
	if (cpu_into_memory(form))
		cpu_store(cpu, at, value, bytes);
	else
		cpu_set(cpu, insn->dst, value, bytes);
}

CPU_INLINE void cpu_push(struct cpu *cpu, uint64_t value)
{
	cpu->regs[CPU_RSP] -= 8;
	cpu_store(cpu, cpu->regs[CPU_RSP], value, 8);
}

CPU_INLINE uint64_t cpu_pop(struct cpu *cpu)
{
	uint64_t value = cpu_load(cpu, cpu->regs[CPU_RSP], 8);

	cpu->regs[CPU_RSP] += 8;
	return value;
}

/** @a result has @a bytes bytes; carry, overflow and adjust are the caller's. */
CPU_INLINE void cpu_flags_of_result(struct cpu_flags *flags, uint64_t result, size_t bytes)
{
	flags->zero = result;
	flags->sign = result << (64 - 8 * bytes);
	flags->parity = (uint8_t)result;
}

/** What and, or, xor and test leave. */
CPU_INLINE void cpu_flags_of_logic(struct cpu_flags *flags, uint64_t result, size_t bytes)
{
	cpu_flags_of_result(flags, result, bytes);
	flags->adjust = 0;
	flags->carry = false;
	flags->overflow = false;
}

CPU_INLINE bool cpu_parity(const struct cpu_flags *flags)
{
	return __builtin_parity(flags->parity) == 0;
}

/** @a condition as in the low four bits of jcc's opcode. */
CPU_INLINE bool cpu_condition(const struct cpu_flags *flags, unsigned int condition)
{
	bool sign = flags->sign >> 63;
	bool met = false;

	switch (condition >> 1) {
	case 0:
		met = flags->overflow;
		break;
	case 1:
		met = flags->carry;
		break;
	case 2:
		met = flags->zero == 0;
		break;
	case 3:
		met = flags->carry || flags->zero == 0;
		break;
	case 4:
		met = sign;
		break;
	case 5:
		met = cpu_parity(flags);
		break;
	case 6:
		met = sign != flags->overflow;
		break;
	default:
		met = flags->zero == 0 || sign != flags->overflow;
	}
	return met != (condition & 1);
}

/** As pushf would store them. */
uint64_t cpu_flags_pack(const struct cpu_flags *flags);
void cpu_flags_unpack(struct cpu_flags *flags, uint64_t packed);

#endif
