// SPDX-License-Identifier: GPL-3.0-or-later
// The integer instructions among the opcodes of two and three bytes, and those with VEX.
#include "cpu/cpu_decode.h"
#include "cpu/cpu_runs.h"

static cpu_run *decode_reg_rm(struct cpu_decoder *decoder, uint8_t src_size, cpu_run *run)
{
	cpu_decoder_modrm(decoder);
	cpu_decoder_reg_rm(decoder, cpu_decoder_size(decoder), src_size);
	return run;
}

static cpu_run *decode_rm_reg(struct cpu_decoder *decoder, uint8_t size, cpu_run *run)
{
	cpu_decoder_modrm(decoder);
	cpu_decoder_rm_reg(decoder, size);
	return run;
}

static cpu_run *decode_bit_test(struct cpu_decoder *decoder)
{
	decoder->insn->extra = decoder->opcode >> 3 & 3;
	return decode_rm_reg(decoder, cpu_decoder_size(decoder), cpu_run_bit_test);
}

static cpu_run *decode_bit_test_imm(struct cpu_decoder *decoder)
{
	cpu_decoder_modrm(decoder);
	cpu_decoder_rm(decoder, cpu_decoder_size(decoder), true);
	decoder->insn->imm = cpu_decoder_take(decoder, 1);
	decoder->insn->extra = decoder->reg & 3;
	return (decoder->reg & 7) >= 4 ? cpu_run_bit_test : NULL;
}

static cpu_run *decode_shift_double(struct cpu_decoder *decoder)
{
	bool by_cl = decoder->opcode & 1;
	bool right = decoder->opcode & 8;

	decode_rm_reg(decoder, cpu_decoder_size(decoder), NULL);
	decoder->insn->extra = (uint8_t)(right | by_cl << 1);
	if (!by_cl)
		decoder->insn->imm = cpu_decoder_take(decoder, 1);
	return cpu_run_shift_double;
}

// Fences, the one that stores the control word of SSE, fxsave, fxrstor, xsave, xrstor.
static cpu_run *decode_group_15(struct cpu_decoder *decoder)
{
	cpu_decoder_modrm(decoder);
	if (decoder->repeat)
		return NULL;
	if (!cpu_decoder_is_memory(decoder))
		return (decoder->reg & 7) >= 5 ? cpu_run_nop : NULL;
	switch (decoder->reg & 7) {
	case 0:
	case 4:
		return cpu_run_save_vectors;
	case 1:
	case 5:
		return cpu_run_restore_vectors;
	case 3:
		return cpu_run_stmxcsr;
	default:
		return NULL;
	}
}

// cmpxchg8b, cmpxchg16b, xsavec.
static cpu_run *decode_group_9(struct cpu_decoder *decoder)
{
	cpu_decoder_modrm(decoder);
	if ((decoder->reg & 7) == 4 && cpu_decoder_is_memory(decoder))
		return cpu_run_save_vectors;
	decoder->insn->size = decoder->rex & 8 ? 8 : 4;
	return (decoder->reg & 7) == 1 && cpu_decoder_is_memory(decoder) ? cpu_run_cmpxchg_pair
									 : NULL;
}

static cpu_run *decode_bswap(struct cpu_decoder *decoder)
{
	decoder->insn->size = decoder->rex & 8 ? 8 : 4;
	decoder->insn->dst = (uint8_t)(8 * ((decoder->opcode & 7) | (decoder->rex & 1) << 3));
	return cpu_run_bswap;
}

// Prefetches and hints; rdsspq too, which without a shadow stack leaves its register.
static cpu_run *decode_hint(struct cpu_decoder *decoder)
{
	cpu_decoder_modrm(decoder);
	return cpu_run_nop;
}

static cpu_run *decode_condition(struct cpu_decoder *decoder)
{
	decoder->insn->extra = decoder->opcode & 15;
	if (decoder->opcode < 0x50)
		return decode_reg_rm(decoder, cpu_decoder_size(decoder), cpu_run_cmov);
	cpu_decoder_modrm(decoder);
	cpu_decoder_rm(decoder, 1, false);
	return cpu_run_setcc;
}

static cpu_run *decode_0f38(struct cpu_decoder *decoder)
{
	uint8_t size = cpu_decoder_size(decoder);

	if ((decoder->opcode & 0xfe) == 0xf0 && !decoder->repeat) {
		cpu_decoder_modrm(decoder);
		if (!cpu_decoder_is_memory(decoder))
			return NULL;
		if (decoder->opcode == 0xf0)
			cpu_decoder_reg_rm(decoder, size, size);
		else
			cpu_decoder_rm_reg(decoder, size);
		return cpu_run_movbe;
	}
	if (decoder->opcode == 0xf6 && decoder->repeat != 0xf2 &&
	    (decoder->prefix_66 || decoder->repeat)) {
		decoder->insn->extra = decoder->repeat == 0xf3;
		size = decoder->rex & 8 ? 8 : 4;
		cpu_decoder_modrm(decoder);
		cpu_decoder_reg_rm(decoder, size, size);
		return cpu_run_adcx;
	}
	return NULL;
}

cpu_run *cpu_decode_0f(struct cpu_decoder *decoder)
{
	uint8_t opcode = decoder->opcode;
	uint8_t size = cpu_decoder_size(decoder);
	bool is_f3 = decoder->repeat == 0xf3;

	if (decoder->map != CPU_MAP_0F)
		return decoder->map == CPU_MAP_0F38 ? decode_0f38(decoder) : NULL;
	if ((opcode >= 0x40 && opcode < 0x50) || (opcode >= 0x90 && opcode < 0xa0))
		return decode_condition(decoder);
	if (opcode >= 0xc8 && opcode < 0xd0)
		return decode_bswap(decoder);
	switch (opcode) {
	case 0x05:
		return cpu_run_system_call;
	case 0x0d:
	case 0x18:
	case 0x19:
	case 0x1a:
	case 0x1b:
	case 0x1c:
	case 0x1d:
	case 0x1e:
	case 0x1f:
		return decode_hint(decoder);
	case 0xa3:
	case 0xab:
	case 0xb3:
	case 0xbb:
		return decode_bit_test(decoder);
	case 0xba:
		return decode_bit_test_imm(decoder);
	case 0xa4:
	case 0xa5:
	case 0xac:
	case 0xad:
		return decode_shift_double(decoder);
	case 0xae:
		return decode_group_15(decoder);
	case 0xaf:
		return decode_reg_rm(decoder, size, cpu_run_imul);
	case 0xb0:
	case 0xb1:
		return decode_rm_reg(decoder, opcode & 1 ? size : 1, cpu_run_cmpxchg);
	case 0xc0:
	case 0xc1:
		return decode_rm_reg(decoder, opcode & 1 ? size : 1, cpu_run_xadd);
	case 0xb6:
	case 0xb7:
		return decode_reg_rm(decoder, opcode & 1 ? 2 : 1, cpu_run_movzx);
	case 0xbe:
	case 0xbf:
		return decode_reg_rm(decoder, opcode & 1 ? 2 : 1, cpu_run_movsx);
	case 0xb8:
		return is_f3 ? decode_reg_rm(decoder, size, cpu_run_popcnt) : NULL;
	case 0xbc:
		return decode_reg_rm(decoder, size, is_f3 ? cpu_run_tzcnt : cpu_run_bsf);
	case 0xbd:
		return decode_reg_rm(decoder, size, is_f3 ? cpu_run_lzcnt : cpu_run_bsr);
	case 0xc3:
		if (decoder->repeat || decoder->prefix_66)
			return NULL;
		decode_rm_reg(decoder, size, NULL);
		return cpu_decoder_is_memory(decoder) ? cpu_alu_run(CPU_MOV, size, CPU_MR) : NULL;
	case 0xc7:
		return decode_group_9(decoder);
	default:
		return NULL;
	}
}

static cpu_run *decode_bmi_run(struct cpu_decoder *decoder)
{
	bool is_66 = decoder->prefix_66;
	uint8_t repeat = decoder->repeat;

	switch (decoder->opcode) {
	case 0xf2:
		return is_66 || repeat ? NULL : cpu_run_andn;
	case 0xf3:
		return is_66 || repeat ? NULL : cpu_run_lowest_bit;
	case 0xf5:
		if (repeat)
			return repeat == 0xf2 ? cpu_run_pdep : cpu_run_pext;
		return is_66 ? NULL : cpu_run_bzhi;
	case 0xf6:
		return repeat == 0xf2 ? cpu_run_mulx : NULL;
	case 0xf7:
		if (repeat)
			return repeat == 0xf2 ? cpu_run_shrx : cpu_run_sarx;
		return is_66 ? cpu_run_shlx : cpu_run_bextr;
	default:
		return NULL;
	}
}

cpu_run *cpu_decode_bmi(struct cpu_decoder *decoder)
{
	uint8_t size = decoder->rex & 8 ? 8 : 4;
	bool is_rorx =
		decoder->map == CPU_MAP_0F3A && decoder->opcode == 0xf0 && decoder->repeat == 0xf2;
	cpu_run *run = is_rorx                        ? cpu_run_rorx
		       : decoder->map == CPU_MAP_0F38 ? decode_bmi_run(decoder)
						      : NULL;

	if (!run || decoder->vex_256)
		return NULL;
	cpu_decoder_modrm(decoder);
	cpu_decoder_reg_rm(decoder, size, size);
	decoder->insn->third = (uint8_t)(8 * decoder->vvvv);
	decoder->insn->extra = decoder->reg & 7;
	if (is_rorx)
		decoder->insn->imm = cpu_decoder_take(decoder, 1);
	if (run == cpu_run_lowest_bit && (decoder->insn->extra < 1 || decoder->insn->extra > 3))
		return NULL;
	return run;
}
