// SPDX-License-Identifier: GPL-3.0-or-later
// The opcodes of one byte.
#include "cpu/cpu_decode.h"
#include "cpu/cpu_runs.h"

// The size of an opcode whose lowest bit says whether it is more than a byte.
static uint8_t decoder_size_by_opcode(const struct cpu_decoder *decoder)
{
	return decoder->opcode & 1 ? cpu_decoder_size(decoder) : 1;
}

static void decoder_immediate(struct cpu_decoder *decoder, uint8_t size)
{
	decoder->insn->imm = cpu_decoder_take(decoder, size > 4 ? 4 : size);
}

// rax and an immediate.
static void decoder_a_imm(struct cpu_decoder *decoder, uint8_t size)
{
	decoder->insn->size = size;
	decoder->insn->form = CPU_RI;
	decoder->insn->dst = 8 * CPU_RAX;
	decoder_immediate(decoder, size);
}

static cpu_run *decoder_alu(const struct cpu_decoder *decoder, enum cpu_alu alu)
{
	return cpu_alu_run(alu, decoder->insn->size, decoder->insn->form);
}

// Opcodes 00 to 3f.
static cpu_run *decode_arithmetic(struct cpu_decoder *decoder)
{
	uint8_t size = decoder_size_by_opcode(decoder);

	switch (decoder->opcode & 7) {
	case 0:
	case 1:
		cpu_decoder_modrm(decoder);
		cpu_decoder_rm_reg(decoder, size);
		break;
	case 2:
	case 3:
		cpu_decoder_modrm(decoder);
		cpu_decoder_reg_rm(decoder, size, size);
		break;
	case 4:
	case 5:
		decoder_a_imm(decoder, size);
		break;
	default:
		return NULL;
	}
	return decoder_alu(decoder, (enum cpu_alu)(decoder->opcode >> 3));
}

static cpu_run *decode_arithmetic_imm(struct cpu_decoder *decoder)
{
	uint8_t size = decoder_size_by_opcode(decoder);

	cpu_decoder_modrm(decoder);
	cpu_decoder_rm(decoder, size, true);
	decoder_immediate(decoder, decoder->opcode == 0x83 ? 1 : size);
	return decoder_alu(decoder, (enum cpu_alu)(decoder->reg & 7));
}

cpu_run *cpu_decode_jump(struct cpu_decoder *decoder, size_t bytes, cpu_run *run)
{
	uint64_t offset = cpu_decoder_take(decoder, bytes);

	// Jumps are the last thing that is read, so the length is known.
	decoder->insn->imm =
		decoder->insn->at + (uint64_t)(decoder->next - decoder->start) + offset;
	return run;
}

static cpu_run *decode_stack(struct cpu_decoder *decoder, cpu_run *run)
{
	decoder->insn->size = decoder->prefix_66 ? 2 : 8;
	decoder->insn->form = CPU_RR;
	decoder->insn->dst = (uint8_t)(8 * ((decoder->opcode & 7) | cpu_decoder_high(decoder, 0)));
	return run;
}

static cpu_run *decode_push_imm(struct cpu_decoder *decoder)
{
	decoder->insn->size = decoder->prefix_66 ? 2 : 8;
	decoder->insn->form = CPU_RI;
	decoder_immediate(decoder, decoder->opcode == 0x6a ? 1 : decoder->insn->size);
	return cpu_run_push;
}

static cpu_run *decode_imul_imm(struct cpu_decoder *decoder)
{
	uint8_t size = cpu_decoder_size(decoder);

	cpu_decoder_modrm(decoder);
	cpu_decoder_reg_rm(decoder, size, size);
	decoder_immediate(decoder, decoder->opcode == 0x6b ? 1 : size);
	decoder->insn->extra = 1;
	return cpu_run_imul;
}

static cpu_run *decode_shift(struct cpu_decoder *decoder)
{
	uint8_t size = decoder_size_by_opcode(decoder);
	bool by_cl = decoder->opcode >= 0xd2;

	cpu_decoder_modrm(decoder);
	cpu_decoder_rm(decoder, size, !by_cl);
	if (decoder->opcode < 0xd0)
		decoder->insn->imm = cpu_decoder_take(decoder, 1);
	else
		decoder->insn->imm = 1;
	decoder->insn->extra = decoder->reg & 7;
	return cpu_run_shift;
}

static cpu_run *decode_group_3(struct cpu_decoder *decoder)
{
	static cpu_run *const runs[8] = {
		NULL,
		NULL,
		cpu_run_not,
		cpu_run_neg,
		cpu_run_mul_wide,
		cpu_run_imul_wide,
		cpu_run_div,
		cpu_run_idiv,
	};
	uint8_t size = decoder_size_by_opcode(decoder);

	cpu_decoder_modrm(decoder);
	cpu_decoder_rm(decoder, size, (decoder->reg & 7) < 2);
	if ((decoder->reg & 7) >= 2)
		return runs[decoder->reg & 7];
	decoder_immediate(decoder, size);
	return decoder_alu(decoder, CPU_TEST);
}

static cpu_run *decode_group_5(struct cpu_decoder *decoder)
{
	uint8_t size = decoder_size_by_opcode(decoder);

	cpu_decoder_modrm(decoder);
	unsigned int which = decoder->reg & 7;
	if (which >= 2 && decoder->opcode == 0xfe)
		return NULL;
	if (which >= 2)
		size = which == 6 && decoder->prefix_66 ? 2 : 8;
	cpu_decoder_rm(decoder, size, false);
	switch (which) {
	case 0:
		return cpu_run_inc;
	case 1:
		return cpu_run_dec;
	case 2:
		return cpu_run_call_to;
	case 4:
		return cpu_run_jump_to;
	case 6:
		return cpu_run_push;
	default:
		return NULL;
	}
}

// %rsi with its segment, for those that read there.
static cpu_run *decode_string(struct cpu_decoder *decoder, cpu_run *run)
{
	struct cpu_insn *insn = decoder->insn;

	insn->size = decoder_size_by_opcode(decoder);
	insn->repeat = decoder->repeat;
	insn->base = CPU_RSI;
	return insn->address & CPU_ADDRESS_32 ? NULL : run;
}

static cpu_run *decode_mov_absolute(struct cpu_decoder *decoder)
{
	struct cpu_insn *insn = decoder->insn;

	insn->size = decoder_size_by_opcode(decoder);
	insn->disp = cpu_decoder_take(decoder, 8);
	insn->form = decoder->opcode < 0xa2 ? CPU_RM : CPU_MR;
	return insn->address & CPU_ADDRESS_32 ? NULL : decoder_alu(decoder, CPU_MOV);
}

static cpu_run *decode_mov_imm(struct cpu_decoder *decoder)
{
	struct cpu_insn *insn = decoder->insn;
	uint8_t number = (decoder->opcode & 7) | cpu_decoder_high(decoder, 0);

	insn->size = decoder->opcode < 0xb8 ? 1 : cpu_decoder_size(decoder);
	insn->form = CPU_RI;
	insn->dst = cpu_decoder_register(decoder, number, insn->size);
	insn->imm = cpu_decoder_take(decoder, insn->size);
	return decoder_alu(decoder, CPU_MOV);
}

static cpu_run *decode_xchg_a(struct cpu_decoder *decoder)
{
	struct cpu_insn *insn = decoder->insn;

	insn->size = cpu_decoder_size(decoder);
	insn->form = CPU_RR;
	insn->src = 8 * CPU_RAX;
	insn->dst = (uint8_t)(8 * ((decoder->opcode & 7) | cpu_decoder_high(decoder, 0)));
	return insn->dst == insn->src ? cpu_run_nop : cpu_run_xchg;
}

static cpu_run *decode_enter(struct cpu_decoder *decoder)
{
	decoder->insn->imm = cpu_decoder_take(decoder, 2) & 0xffff;
	// Nested frames: no compiler uses them.
	return cpu_decoder_take(decoder, 1) == 0 ? cpu_run_enter : NULL;
}

// ModRM and two operands, of which @a into_reg says the direction.
static cpu_run *decode_two(struct cpu_decoder *decoder, uint8_t size, bool into_reg, int alu,
			   cpu_run *run)
{
	cpu_decoder_modrm(decoder);
	if (into_reg)
		cpu_decoder_reg_rm(decoder, size, size);
	else
		cpu_decoder_rm_reg(decoder, size);
	return run ? run : decoder_alu(decoder, (enum cpu_alu)alu);
}

static cpu_run *decode_lea(struct cpu_decoder *decoder)
{
	cpu_decoder_modrm(decoder);
	cpu_decoder_reg_rm(decoder, cpu_decoder_size(decoder), 8);
	// Computing an address has no segment.
	decoder->insn->address &= CPU_ADDRESS_32;
	return cpu_decoder_is_memory(decoder) ? cpu_run_lea : NULL;
}

static cpu_run *decode_middle(struct cpu_decoder *decoder)
{
	struct cpu_insn *insn = decoder->insn;
	uint8_t size = decoder_size_by_opcode(decoder);

	switch (decoder->opcode) {
	case 0x80:
	case 0x81:
	case 0x83:
		return decode_arithmetic_imm(decoder);
	case 0x84:
	case 0x85:
		return decode_two(decoder, size, false, CPU_TEST, NULL);
	case 0x86:
	case 0x87:
		return decode_two(decoder, size, false, 0, cpu_run_xchg);
	case 0x88:
	case 0x89:
		return decode_two(decoder, size, false, CPU_MOV, NULL);
	case 0x8a:
	case 0x8b:
		return decode_two(decoder, size, true, CPU_MOV, NULL);
	case 0x8d:
		return decode_lea(decoder);
	case 0x8f:
		cpu_decoder_modrm(decoder);
		cpu_decoder_rm(decoder, decoder->prefix_66 ? 2 : 8, false);
		// The rest of 8f is AMD's XOP.
		return decoder->reg == 0 ? cpu_run_pop : NULL;
	case 0x98:
		insn->size = cpu_decoder_size(decoder);
		return cpu_run_sign_a;
	case 0x99:
		insn->size = cpu_decoder_size(decoder);
		return cpu_run_sign_d;
	case 0x9c:
		return decoder->prefix_66 ? NULL : cpu_run_pushf;
	case 0x9d:
		return decoder->prefix_66 ? NULL : cpu_run_popf;
	case 0x9e:
		return cpu_run_sahf;
	case 0x9f:
		return cpu_run_lahf;
	case 0xa4:
	case 0xa5:
		return decode_string(decoder, cpu_run_movs);
	case 0xa6:
	case 0xa7:
		return decode_string(decoder, cpu_run_cmps);
	case 0xa8:
	case 0xa9:
		decoder_a_imm(decoder, size);
		return decoder_alu(decoder, CPU_TEST);
	case 0xaa:
	case 0xab:
		return decode_string(decoder, cpu_run_stos);
	case 0xac:
	case 0xad:
		return decode_string(decoder, cpu_run_lods);
	case 0xae:
	case 0xaf:
		return decode_string(decoder, cpu_run_scas);
	default:
		return NULL;
	}
}

// The control word alone: no x87 instruction that it would change is known.
static cpu_run *decode_x87(struct cpu_decoder *decoder)
{
	cpu_decoder_modrm(decoder);
	if (!cpu_decoder_is_memory(decoder))
		return NULL;
	if ((decoder->reg & 7) == 5)
		return cpu_run_nop;
	return (decoder->reg & 7) == 7 ? cpu_run_fnstcw : NULL;
}

static cpu_run *decode_upper(struct cpu_decoder *decoder)
{
	uint8_t opcode = decoder->opcode;

	switch (opcode) {
	case 0xc0:
	case 0xc1:
	case 0xd0:
	case 0xd1:
	case 0xd2:
	case 0xd3:
		return decode_shift(decoder);
	case 0xc2:
		decoder->insn->imm = cpu_decoder_take(decoder, 2) & 0xffff;
		return cpu_run_ret;
	case 0xc3:
		return cpu_run_ret;
	case 0xc6:
	case 0xc7:
		cpu_decoder_modrm(decoder);
		if (decoder->reg & 7)
			return NULL;
		cpu_decoder_rm(decoder, decoder_size_by_opcode(decoder), true);
		decoder_immediate(decoder, decoder->insn->size);
		return decoder_alu(decoder, CPU_MOV);
	case 0xc8:
		return decode_enter(decoder);
	case 0xc9:
		return cpu_run_leave;
	case 0xcc:
		return cpu_run_interrupt;
	case 0xcd:
		cpu_decoder_take(decoder, 1);
		return cpu_run_interrupt;
	case 0xd9:
		return decode_x87(decoder);
	case 0xe0:
	case 0xe1:
	case 0xe2:
	case 0xe3:
		decoder->insn->extra = opcode & 3;
		return cpu_decode_jump(decoder, 1, cpu_run_loop);
	case 0xe8:
		return cpu_decode_jump(decoder, 4, cpu_run_call);
	case 0xe9:
		return cpu_decode_jump(decoder, 4, cpu_run_jump);
	case 0xeb:
		return cpu_decode_jump(decoder, 1, cpu_run_jump);
	case 0xf5:
	case 0xf8:
	case 0xf9:
	case 0xfc:
	case 0xfd:
		decoder->insn->extra = opcode;
		return cpu_run_flag;
	case 0xf6:
	case 0xf7:
		return decode_group_3(decoder);
	case 0xfe:
	case 0xff:
		return decode_group_5(decoder);
	default:
		return NULL;
	}
}

cpu_run *cpu_decode_one_byte(struct cpu_decoder *decoder)
{
	uint8_t opcode = decoder->opcode;

	if (opcode < 0x40)
		return decode_arithmetic(decoder);
	if (opcode >= 0x50 && opcode < 0x60)
		return decode_stack(decoder, opcode < 0x58 ? cpu_run_push : cpu_run_pop);
	if (opcode == 0x63) {
		cpu_decoder_modrm(decoder);
		cpu_decoder_reg_rm(decoder, cpu_decoder_size(decoder), 4);
		return decoder->insn->size == 2 ? NULL : cpu_run_movsx;
	}
	if (opcode == 0x68 || opcode == 0x6a)
		return decode_push_imm(decoder);
	if (opcode == 0x69 || opcode == 0x6b)
		return decode_imul_imm(decoder);
	if (opcode >= 0x70 && opcode < 0x80)
		return cpu_decode_jump(decoder, 1, cpu_jump_run(opcode & 15));
	if (opcode >= 0x90 && opcode < 0x98)
		return decode_xchg_a(decoder);
	if (opcode >= 0xa0 && opcode < 0xa4)
		return decode_mov_absolute(decoder);
	if (opcode >= 0xb0 && opcode < 0xc0)
		return decode_mov_imm(decoder);
	return opcode < 0xb0 ? decode_middle(decoder) : decode_upper(decoder);
}
