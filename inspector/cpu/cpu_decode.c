// SPDX-License-Identifier: GPL-3.0-or-later
// Prefixes and operands.
#include "cpu/cpu_decode.h"

#include "cpu/cpu_runs.h"

uint64_t cpu_decoder_take(struct cpu_decoder *decoder, size_t bytes)
{
	uint64_t value = 0;

	if ((size_t)(decoder->end - decoder->next) < bytes) {
		decoder->is_short = true;
		return 0;
	}
	for (size_t i = 0; i < bytes; i++)
		value |= (uint64_t)decoder->next[i] << 8 * i;
	decoder->next += bytes;
	unsigned int rest = 64 - 8 * (unsigned int)bytes;
	return (uint64_t)((int64_t)(value << rest) >> rest);
}

static uint8_t decoder_byte(struct cpu_decoder *decoder)
{
	return (uint8_t)cpu_decoder_take(decoder, 1);
}

bool cpu_decoder_is_memory(const struct cpu_decoder *decoder)
{
	return decoder->mod != 3;
}

void cpu_decoder_modrm(struct cpu_decoder *decoder)
{
	struct cpu_insn *insn = decoder->insn;
	uint8_t byte = decoder_byte(decoder);

	decoder->has_modrm = true;
	decoder->mod = byte >> 6;
	decoder->reg = (byte >> 3 & 7) | cpu_decoder_high(decoder, 2);
	decoder->rm = byte & 7;
	if (decoder->mod == 3) {
		decoder->rm |= cpu_decoder_high(decoder, 0);
		return;
	}

	insn->base = decoder->rm | cpu_decoder_high(decoder, 0);
	if (decoder->rm == 4) {
		uint8_t sib = decoder_byte(decoder);

		insn->shift = sib >> 6;
		insn->index = (sib >> 3 & 7) | cpu_decoder_high(decoder, 1);
		if (insn->index == CPU_RSP)
			insn->index = CPU_NO_REGISTER;
		insn->base = (sib & 7) | cpu_decoder_high(decoder, 0);
		if (decoder->mod == 0 && (sib & 7) == 5) {
			insn->base = CPU_NO_REGISTER;
			insn->disp = cpu_decoder_take(decoder, 4);
		}
	} else if (decoder->mod == 0 && decoder->rm == 5) {
		insn->base = CPU_NO_REGISTER;
		insn->disp = cpu_decoder_take(decoder, 4);
		decoder->rip_relative = true;
	}
	if (decoder->mod > 0)
		insn->disp = cpu_decoder_take(decoder, decoder->mod == 1 ? 1 : 4);
}

uint8_t cpu_decoder_size(const struct cpu_decoder *decoder)
{
	if (decoder->rex & 8)
		return 8;
	return decoder->prefix_66 ? 2 : 4;
}

uint8_t cpu_decoder_register(const struct cpu_decoder *decoder, uint8_t number, size_t size)
{
	// Without REX, 4 to 7 are ah, ch, dh and bh.
	if (size == 1 && !decoder->rex && number >= 4)
		return (uint8_t)(8 * (number - 4) + 1);
	return (uint8_t)(8 * number);
}

void cpu_decoder_rm(struct cpu_decoder *decoder, uint8_t size, bool immediate)
{
	struct cpu_insn *insn = decoder->insn;

	insn->size = size;
	if (cpu_decoder_is_memory(decoder)) {
		insn->form = immediate ? CPU_MI : CPU_MR;
	} else {
		insn->form = immediate ? CPU_RI : CPU_RR;
		insn->dst = cpu_decoder_register(decoder, decoder->rm, size);
	}
}

void cpu_decoder_rm_reg(struct cpu_decoder *decoder, uint8_t size)
{
	cpu_decoder_rm(decoder, size, false);
	decoder->insn->src = cpu_decoder_register(decoder, decoder->reg, size);
}

void cpu_decoder_reg_rm(struct cpu_decoder *decoder, uint8_t size, uint8_t src_size)
{
	struct cpu_insn *insn = decoder->insn;

	insn->size = size;
	insn->src_size = src_size;
	insn->form = CPU_RM;
	insn->dst = cpu_decoder_register(decoder, decoder->reg, size);
	if (!cpu_decoder_is_memory(decoder)) {
		insn->form = CPU_RR;
		insn->src = cpu_decoder_register(decoder, decoder->rm, src_size);
	}
}

// Reads all prefixes; lock changes nothing where there is one thread.
static uint8_t decoder_prefixes(struct cpu_decoder *decoder)
{
	for (;;) {
		uint8_t byte = decoder_byte(decoder);

		if (byte >= 0x40 && byte < 0x50) {
			decoder->rex = byte;
			return decoder_byte(decoder);
		}
		switch (byte) {
		case 0x66:
			decoder->prefix_66 = true;
			break;
		case 0x67:
			decoder->insn->address |= CPU_ADDRESS_32;
			break;
		case 0xf2:
		case 0xf3:
			decoder->repeat = byte;
			break;
		case 0x64:
			decoder->insn->address |= CPU_ADDRESS_FS;
			break;
		case 0x65:
			decoder->insn->address |= CPU_ADDRESS_GS;
			break;
		case 0x26:
		case 0x2e:
		case 0x36:
		case 0x3e:
		case 0xf0:
			break;
		default:
			return byte;
		}
		if (decoder->is_short)
			return 0;
	}
}

// c4 and c5. False when it is not a VEX prefix that is known.
static bool decoder_vex(struct cpu_decoder *decoder, uint8_t byte)
{
	static const uint8_t repeats[4] = {0, 0, 0xf3, 0xf2};
	uint8_t first = decoder_byte(decoder);
	uint8_t last = first;

	if (decoder->rex || decoder->prefix_66 || decoder->repeat)
		return false;
	// REX's bits are there inverted.
	decoder->rex = 0x40 | (first & 0x80 ? 0 : 4);
	decoder->map = CPU_MAP_0F;
	if (byte == 0xc4) {
		last = decoder_byte(decoder);
		decoder->rex |= (first & 0x40 ? 0 : 2) | (first & 0x20 ? 0 : 1);
		decoder->rex |= last & 0x80 ? 8 : 0;
		decoder->map = (enum cpu_map)(first & 0x1f);
	}
	decoder->vex = true;
	decoder->vvvv = ~last >> 3 & 15;
	decoder->vex_256 = last & 4;
	decoder->prefix_66 = (last & 3) == 1;
	decoder->repeat = repeats[last & 3];
	decoder->opcode = decoder_byte(decoder);
	return decoder->map >= CPU_MAP_0F && decoder->map <= CPU_MAP_0F3A;
}

static cpu_run *decode_run(struct cpu_decoder *decoder)
{
	uint8_t byte = decoder_prefixes(decoder);

	if (byte == 0xc4 || byte == 0xc5) {
		if (!decoder_vex(decoder, byte))
			return NULL;
		cpu_run *run = cpu_decode_bmi(decoder);
		return run || decoder->has_modrm ? run : cpu_decode_vector(decoder);
	}
	decoder->opcode = byte;
	if (byte != 0x0f)
		return cpu_decode_one_byte(decoder);

	decoder->map = CPU_MAP_0F;
	decoder->opcode = decoder_byte(decoder);
	if (decoder->opcode == 0x38 || decoder->opcode == 0x3a) {
		decoder->map = decoder->opcode == 0x38 ? CPU_MAP_0F38 : CPU_MAP_0F3A;
		decoder->opcode = decoder_byte(decoder);
	} else if ((decoder->opcode & 0xf0) == 0x80) {
		return cpu_decode_jump(decoder, 4, cpu_jump_run(decoder->opcode & 15));
	}
	cpu_run *run = cpu_decode_0f(decoder);
	return run || decoder->has_modrm ? run : cpu_decode_vector(decoder);
}

enum cpu_decoded cpu_decode(const uint8_t *bytes, size_t count, addr_t at, struct cpu_insn *ret)
{
	size_t most = count < CPU_INSN_BYTES_MAX ? count : CPU_INSN_BYTES_MAX;
	struct cpu_decoder decoder = {
		.start = bytes, .next = bytes, .end = bytes + most, .insn = ret};

	*ret = (struct cpu_insn){.at = at, .base = CPU_NO_REGISTER, .index = CPU_NO_REGISTER};
	ret->run = decode_run(&decoder);
	if (decoder.is_short)
		return count < CPU_INSN_BYTES_MAX ? CPU_DECODED_SHORT : CPU_DECODED_UNKNOWN;
	ret->length = (uint8_t)(decoder.next - bytes);
	if (decoder.rip_relative)
		ret->disp += at + ret->length;
	return ret->run ? CPU_DECODED : CPU_DECODED_UNKNOWN;
}
