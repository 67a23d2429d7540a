/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CPU_CPU_DECODE_H
#define CPU_CPU_DECODE_H

/*
 * Bytes to a struct cpu_insn. Knows nothing of a cpu's state, so that it can be tried on the code of
 * whole libraries.
 *
 * A decoder (struct cpu_decoder) is where one instruction is read: prefixes, opcode, operands.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu/cpu_state.h"

enum {
	/** The longest instruction there is. */
	CPU_INSN_BYTES_MAX = 15,
};

enum cpu_decoded {
	CPU_DECODED,
	CPU_DECODED_UNKNOWN,
	/** It goes on beyond the bytes given. */
	CPU_DECODED_SHORT,
};

/** The opcode maps, as VEX.mmmmm numbers them. */
enum cpu_map {
	CPU_MAP_1 = 0,
	CPU_MAP_0F = 1,
	CPU_MAP_0F38 = 2,
	CPU_MAP_0F3A = 3,
};

struct cpu_decoder {
	const uint8_t *start;
	const uint8_t *next;
	const uint8_t *end;
	bool is_short;
	/** 66, and whether the other size prefix (67) is there is in insn->address. */
	bool prefix_66;
	/** The last of f2 and f3, 0 when there is none. */
	uint8_t repeat;
	/** 40 to 4f, 0 when there is none; made up for VEX. */
	uint8_t rex;
	bool vex;
	bool vex_256;
	/** VEX.vvvv as a number. */
	uint8_t vvvv;
	enum cpu_map map;
	uint8_t opcode;
	bool has_modrm;
	/** Fields of ModRM, with REX's bits; rm of memory is in the instruction. */
	uint8_t mod;
	uint8_t reg;
	uint8_t rm;
	bool rip_relative;
	struct cpu_insn *insn;
};

/** Decodes one instruction of at most @a count bytes at @a bytes, that lies at @a at. @a ret is
 *  complete (run and all) when it is CPU_DECODED. */
enum cpu_decoded cpu_decode(const uint8_t *bytes, size_t count, addr_t at, struct cpu_insn *ret);

/* For the files of the decoder. */

/** The next @a bytes (1, 2, 4 or 8) of the instruction, sign-extended; 0 when it is too short. */
uint64_t cpu_decoder_take(struct cpu_decoder *decoder, size_t bytes);
/** Reads ModRM and what follows it into the instruction. */
void cpu_decoder_modrm(struct cpu_decoder *decoder);
/** REX.W, .R, .X or .B (@a bit 3 to 0) as what it adds to the number of a register. */
static inline uint8_t cpu_decoder_high(const struct cpu_decoder *decoder, unsigned int bit)
{
	return (uint8_t)((decoder->rex >> bit & 1) << 3);
}
bool cpu_decoder_is_memory(const struct cpu_decoder *decoder);
/** 2, 4 or 8, as the prefixes say. */
uint8_t cpu_decoder_size(const struct cpu_decoder *decoder);
/** Where register @a number of @a size bytes begins. */
uint8_t cpu_decoder_register(const struct cpu_decoder *decoder, uint8_t number, size_t size);
/** The operands "rm, reg" and "reg, rm", of @a size bytes; both expect ModRM to be read. */
void cpu_decoder_rm_reg(struct cpu_decoder *decoder, uint8_t size);
void cpu_decoder_reg_rm(struct cpu_decoder *decoder, uint8_t size, uint8_t src_size);
/** The operand "rm" alone, as destination; with an immediate when @a immediate. */
void cpu_decoder_rm(struct cpu_decoder *decoder, uint8_t size, bool immediate);

/** A jump by the next @a bytes bytes. */
cpu_run *cpu_decode_jump(struct cpu_decoder *decoder, size_t bytes, cpu_run *run);
/** Opcodes of one byte. NULL: unknown. */
cpu_run *cpu_decode_one_byte(struct cpu_decoder *decoder);
/** Opcodes 0f .. that are not vectors', 0f 38 and 0f 3a likewise, and BMI. NULL: not one of them. */
cpu_run *cpu_decode_0f(struct cpu_decoder *decoder);
cpu_run *cpu_decode_bmi(struct cpu_decoder *decoder);
/** SSE and AVX. NULL: unknown. */
cpu_run *cpu_decode_vector(struct cpu_decoder *decoder);

#endif
