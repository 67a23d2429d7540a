// SPDX-License-Identifier: GPL-3.0-or-later
// Vectors: what moves bytes and does not compute with them.
#include "cpu/cpu_vector.h"

union cpu_vector cpu_vector_source(struct cpu *cpu, const struct cpu_insn *insn)
{
	union cpu_vector vector = {0};

	if (insn->form != CPU_RM)
		return cpu->vectors[insn->src];
	memcpy(&vector, cpu_readable(cpu, cpu_address(cpu, insn), insn->src_size), insn->src_size);
	return vector;
}

void cpu_vector_set(struct cpu *cpu, const struct cpu_insn *insn, const union cpu_vector *result)
{
	union cpu_vector *target = &cpu->vectors[insn->dst];

	memcpy(target, result, insn->size);
	if (insn->vex && insn->size == 16)
		memset(target->b + 16, 0, 16);
}

static void vector_store(struct cpu *cpu, const struct cpu_insn *insn, const void *from,
			 size_t bytes)
{
	addr_t at = cpu_address(cpu, insn);
	uint8_t *own = cpu_memory_own(&cpu->memory, at, bytes);

	if (own)
		memcpy(own, from, bytes);
	else
		cpu_store_slow(cpu, at, from, bytes);
}

void cpu_run_vmove(struct cpu *cpu, const struct cpu_insn *insn)
{
	const union cpu_vector source = cpu_vector_source(cpu, insn);

	cpu_vector_set(cpu, insn, &source);
}

// The register form of a store has its operands the other way round: dst is ModRM's rm.
void cpu_run_vstore(struct cpu *cpu, const struct cpu_insn *insn)
{
	const union cpu_vector source = cpu->vectors[insn->src];

	if (insn->form == CPU_MR)
		vector_store(cpu, insn, &source, insn->src_size);
	else
		cpu_vector_set(cpu, insn, &source);
}

// movss, movsd: a load clears the rest, a move between registers keeps it.
void cpu_run_vmove_scalar(struct cpu *cpu, const struct cpu_insn *insn)
{
	const union cpu_vector source =
		insn->form == CPU_MR ? cpu->vectors[insn->src] : cpu_vector_source(cpu, insn);
	union cpu_vector r = cpu->vectors[insn->third];

	if (insn->form == CPU_MR) {
		vector_store(cpu, insn, &source, insn->src_size);
		return;
	}
	if (insn->form == CPU_RM)
		r = source;
	else
		memcpy(&r, &source, insn->src_size);
	cpu_vector_set(cpu, insn, &r);
}

// movq: clears the upper half even between registers.
void cpu_run_vmove_quad(struct cpu *cpu, const struct cpu_insn *insn)
{
	union cpu_vector r = {0};

	if (insn->form == CPU_MR) {
		vector_store(cpu, insn, &cpu->vectors[insn->src], 8);
		return;
	}
	r.q[0] = cpu_vector_source(cpu, insn).q[0];
	cpu_vector_set(cpu, insn, &r);
}

// movlps, movlpd; and movhlps, where the source is the upper half of a register.
void cpu_run_vload_low(struct cpu *cpu, const struct cpu_insn *insn)
{
	const union cpu_vector source = cpu_vector_source(cpu, insn);
	union cpu_vector r = cpu->vectors[insn->third];

	r.q[0] = insn->form == CPU_RM ? source.q[0] : source.q[1];
	cpu_vector_set(cpu, insn, &r);
}

// movhps, movhpd, movlhps.
void cpu_run_vload_high(struct cpu *cpu, const struct cpu_insn *insn)
{
	const union cpu_vector source = cpu_vector_source(cpu, insn);
	union cpu_vector r = cpu->vectors[insn->third];

	r.q[1] = source.q[0];
	cpu_vector_set(cpu, insn, &r);
}

void cpu_run_vstore_half(struct cpu *cpu, const struct cpu_insn *insn)
{
	vector_store(cpu, insn, &cpu->vectors[insn->src].q[0], 8);
}

void cpu_run_vstore_high(struct cpu *cpu, const struct cpu_insn *insn)
{
	vector_store(cpu, insn, &cpu->vectors[insn->src].q[1], 8);
}

// movddup (f2 12), movsldup (f3 12), movshdup (f3 16).
void cpu_run_vdup(struct cpu *cpu, const struct cpu_insn *insn)
{
	const union cpu_vector source = cpu_vector_source(cpu, insn);
	union cpu_vector r;

	for (size_t i = 0; i < 8; i++) {
		if (insn->repeat == 0xf2)
			r.d[i] = source.d[(i & 4) | (i & 1)];
		else
			r.d[i] = source.d[insn->extra == 0x12 ? i & 6 : i | 1];
	}
	cpu_vector_set(cpu, insn, &r);
}

// vzeroupper, and with 256 bits vzeroall.
void cpu_run_vzero(struct cpu *cpu, const struct cpu_insn *insn)
{
	size_t keep = insn->size == 32 ? 0 : 16;

	for (size_t i = 0; i < CPU_REGISTERS; i++)
		memset(cpu->vectors[i].b + keep, 0, 32 - keep);
}

// movd, movq from an integer register or memory.
void cpu_run_vfrom_int(struct cpu *cpu, const struct cpu_insn *insn)
{
	union cpu_vector r = {0};

	r.q[0] = cpu_source(cpu, insn, insn->extra, (enum cpu_form)insn->form);
	cpu_vector_set(cpu, insn, &r);
}

void cpu_run_vto_int(struct cpu *cpu, const struct cpu_insn *insn)
{
	const union cpu_vector *source = &cpu->vectors[insn->src];

	if (insn->form == CPU_MR)
		vector_store(cpu, insn, source, insn->extra);
	else
		cpu_set(cpu, insn->dst, source->q[0], insn->extra);
}

// pmovmskb, movmskps, movmskpd: imm is the size of a lane.
void cpu_run_vmask(struct cpu *cpu, const struct cpu_insn *insn)
{
	const union cpu_vector *source = &cpu->vectors[insn->src];
	uint64_t mask = 0;

	for (size_t i = 0; i < insn->size / insn->imm; i++)
		mask |= (uint64_t)(source->b[(i + 1) * insn->imm - 1] >> 7) << i;
	cpu_set(cpu, insn->dst, mask, 8);
}

// pinsrb, pinsrw, pinsrd, pinsrq: src_size is the size of a lane.
void cpu_run_vinsert(struct cpu *cpu, const struct cpu_insn *insn)
{
	size_t bytes = insn->src_size;
	union cpu_vector r = cpu->vectors[insn->third];
	uint64_t value = cpu_source(cpu, insn, bytes, (enum cpu_form)insn->form);

	cpu_put(r.b + (insn->imm & (16 / bytes - 1)) * bytes, value, bytes);
	cpu_vector_set(cpu, insn, &r);
}

// pextrb, pextrw, pextrd, pextrq into a register or memory.
void cpu_run_vextract(struct cpu *cpu, const struct cpu_insn *insn)
{
	size_t bytes = insn->src_size;
	const uint8_t *from = cpu->vectors[insn->src].b + (insn->imm & (16 / bytes - 1)) * bytes;

	if (insn->form == CPU_MR)
		vector_store(cpu, insn, from, bytes);
	else
		cpu_set(cpu, insn->dst, cpu_pick(from, bytes), 8);
}

// 0f c5, whose integer register is in ModRM's other field.
void cpu_run_vextract_word(struct cpu *cpu, const struct cpu_insn *insn)
{
	cpu_set(cpu, insn->dst, cpu->vectors[insn->src].w[insn->imm & 7], 8);
}

// src_size is the size of what is repeated.
void cpu_run_vbroadcast(struct cpu *cpu, const struct cpu_insn *insn)
{
	const union cpu_vector source = cpu_vector_source(cpu, insn);
	union cpu_vector r;

	for (size_t i = 0; i < sizeof(r); i += insn->src_size)
		memcpy(r.b + i, &source, insn->src_size);
	cpu_vector_set(cpu, insn, &r);
}

void cpu_run_vextract128(struct cpu *cpu, const struct cpu_insn *insn)
{
	union cpu_vector r = {0};

	memcpy(&r, cpu->vectors[insn->src].b + 16 * (insn->imm & 1), 16);
	if (insn->form == CPU_MR)
		vector_store(cpu, insn, &r, 16);
	else
		cpu->vectors[insn->dst] = r;
}

void cpu_run_vinsert128(struct cpu *cpu, const struct cpu_insn *insn)
{
	const union cpu_vector source = cpu_vector_source(cpu, insn);
	union cpu_vector r = cpu->vectors[insn->third];

	memcpy(r.b + 16 * (insn->imm & 1), &source, 16);
	cpu_vector_set(cpu, insn, &r);
}

void cpu_run_vperm128(struct cpu *cpu, const struct cpu_insn *insn)
{
	const union cpu_vector a = cpu->vectors[insn->third];
	const union cpu_vector b = cpu_vector_source(cpu, insn);
	union cpu_vector r = {0};

	for (size_t half = 0; half < 2; half++) {
		unsigned int control = (unsigned int)insn->imm >> 4 * half;

		if (!(control & 8))
			memcpy(r.b + 16 * half, (control & 2 ? b.b : a.b) + 16 * (control & 1), 16);
	}
	cpu_vector_set(cpu, insn, &r);
}

// Which sizes 20 to 25 and 30 to 35 go from and to.
static const uint8_t EXTEND_FROM[6] = {1, 1, 1, 2, 2, 4};
static const uint8_t EXTEND_TO[6] = {2, 4, 8, 4, 8, 8};

void cpu_run_vextend(struct cpu *cpu, const struct cpu_insn *insn)
{
	const union cpu_vector source = cpu_vector_source(cpu, insn);
	size_t from = EXTEND_FROM[insn->extra & 7];
	size_t to = EXTEND_TO[insn->extra & 7];
	unsigned int rest = 64 - 8 * (unsigned int)from;
	union cpu_vector r = {0};

	for (size_t i = 0; i < insn->size / to; i++) {
		uint64_t value = cpu_pick(source.b + i * from, from);

		if (insn->extra < 0x30)
			value = (uint64_t)((int64_t)(value << rest) >> rest);
		cpu_put(r.b + i * to, value, to);
	}
	cpu_vector_set(cpu, insn, &r);
}

// punpck*, unpck*: imm is the size of a lane, with bit 4 set for the upper halves.
void cpu_run_vunpack(struct cpu *cpu, const struct cpu_insn *insn)
{
	const union cpu_vector a = cpu->vectors[insn->third];
	const union cpu_vector b = cpu_vector_source(cpu, insn);
	size_t bytes = insn->imm & 15;
	size_t from = insn->imm & 16 ? 8 : 0;
	union cpu_vector r;

	for (size_t half = 0; half < sizeof(r); half += 16) {
		for (size_t i = 0; i < 8; i += bytes) {
			memcpy(r.b + half + 2 * i, a.b + half + from + i, bytes);
			memcpy(r.b + half + 2 * i + bytes, b.b + half + from + i, bytes);
		}
	}
	cpu_vector_set(cpu, insn, &r);
}

static int32_t vector_clamp(int32_t value, int32_t low, int32_t high)
{
	return value < low ? low : value > high ? high : value;
}

// 63 packsswb, 67 packuswb, 6b packssdw, and 2b of the map 0f 38, packusdw.
void cpu_run_vpack(struct cpu *cpu, const struct cpu_insn *insn)
{
	const union cpu_vector ab[2] = {cpu->vectors[insn->third], cpu_vector_source(cpu, insn)};
	union cpu_vector r;

	for (size_t half = 0; half < 2; half++) {
		for (size_t i = 0; i < 16; i++) {
			int32_t word = ab[i / 8].sw[8 * half + i % 8];

			if (insn->extra == 0x63)
				r.sb[16 * half + i] =
					(int8_t)vector_clamp(word, INT8_MIN, INT8_MAX);
			else if (insn->extra == 0x67)
				r.b[16 * half + i] = (uint8_t)vector_clamp(word, 0, UINT8_MAX);
		}
		for (size_t i = 0; i < 8; i++) {
			int32_t number = ab[i / 4].sd[4 * half + i % 4];

			if (insn->extra == 0x6b)
				r.sw[8 * half + i] =
					(int16_t)vector_clamp(number, INT16_MIN, INT16_MAX);
			else if (insn->extra == 0x2b)
				r.w[8 * half + i] = (uint16_t)vector_clamp(number, 0, UINT16_MAX);
		}
	}
	cpu_vector_set(cpu, insn, &r);
}

// pshufd (66), pshuflw (f2), pshufhw (f3).
void cpu_run_vshuffle(struct cpu *cpu, const struct cpu_insn *insn)
{
	const union cpu_vector source = cpu_vector_source(cpu, insn);
	size_t upper = insn->repeat == 0xf3 ? 4 : 0;
	union cpu_vector r = source;

	for (size_t half = 0; half < 2; half++) {
		for (size_t i = 0; i < 4; i++) {
			size_t which = insn->imm >> 2 * i & 3;

			if (insn->repeat == 0x66)
				r.d[4 * half + i] = source.d[4 * half + which];
			else
				r.w[8 * half + upper + i] = source.w[8 * half + upper + which];
		}
	}
	cpu_vector_set(cpu, insn, &r);
}

// shufps, shufpd (66).
void cpu_run_vshuffle2(struct cpu *cpu, const struct cpu_insn *insn)
{
	const union cpu_vector a = cpu->vectors[insn->third];
	const union cpu_vector b = cpu_vector_source(cpu, insn);
	union cpu_vector r;

	for (size_t i = 0; i < 4 && insn->repeat == 0x66; i++)
		r.q[i] = (i & 1 ? b : a).q[(i & 2) | (insn->imm >> i & 1)];
	for (size_t i = 0; i < 8 && insn->repeat != 0x66; i++)
		r.d[i] = (i & 2 ? b : a).d[(i & 4) | (insn->imm >> 2 * (i & 3) & 3)];
	cpu_vector_set(cpu, insn, &r);
}

void cpu_run_vpshufb(struct cpu *cpu, const struct cpu_insn *insn)
{
	const union cpu_vector a = cpu->vectors[insn->third];
	const union cpu_vector b = cpu_vector_source(cpu, insn);
	union cpu_vector r;

	for (size_t i = 0; i < sizeof(r); i++)
		r.b[i] = b.b[i] & 0x80 ? 0 : a.b[(i & 16) | (b.b[i] & 15)];
	cpu_vector_set(cpu, insn, &r);
}

// palignr: bytes imm to imm + 15 of third:source, in each half.
void cpu_run_valign(struct cpu *cpu, const struct cpu_insn *insn)
{
	const union cpu_vector a = cpu->vectors[insn->third];
	const union cpu_vector b = cpu_vector_source(cpu, insn);
	union cpu_vector r;

	for (size_t i = 0; i < sizeof(r); i++) {
		size_t from = (i & 15) + (insn->imm & 0xff);

		if (from < 16)
			r.b[i] = b.b[(i & 16) | from];
		else
			r.b[i] = from < 32 ? a.b[(i & 16) | (from - 16)] : 0;
	}
	cpu_vector_set(cpu, insn, &r);
}

void cpu_run_vpermq(struct cpu *cpu, const struct cpu_insn *insn)
{
	const union cpu_vector source = cpu_vector_source(cpu, insn);
	union cpu_vector r;

	for (size_t i = 0; i < 4; i++)
		r.q[i] = source.q[insn->imm >> 2 * i & 3];
	cpu_vector_set(cpu, insn, &r);
}

// VEX's names its mask in the immediate, SSE4.1's is xmm0.
void cpu_run_vblendvb(struct cpu *cpu, const struct cpu_insn *insn)
{
	const union cpu_vector b = cpu_vector_source(cpu, insn);
	const union cpu_vector mask = cpu->vectors[insn->vex ? insn->imm >> 4 & 15 : 0];
	union cpu_vector r = cpu->vectors[insn->third];

	for (size_t i = 0; i < sizeof(r); i++) {
		if (mask.b[i] & 0x80)
			r.b[i] = b.b[i];
	}
	cpu_vector_set(cpu, insn, &r);
}

// 02 vpblendd, 0e pblendw (whose eight bits count for both halves).
void cpu_run_vblend(struct cpu *cpu, const struct cpu_insn *insn)
{
	const union cpu_vector b = cpu_vector_source(cpu, insn);
	union cpu_vector r = cpu->vectors[insn->third];

	for (size_t i = 0; i < 16; i++) {
		size_t bit = insn->extra == 0x02 ? i / 2 : i & 7;

		if (insn->imm >> bit & 1)
			r.w[i] = b.w[i];
	}
	cpu_vector_set(cpu, insn, &r);
}
