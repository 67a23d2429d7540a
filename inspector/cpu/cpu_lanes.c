// SPDX-License-Identifier: GPL-3.0-or-later
// Vectors of integers. All lanes of 32 bytes are computed whatever the size; cpu_vector_set() takes
// what counts.
#include "base/array.h"
#include "cpu/cpu_vector.h"

#define LANES(name, lane, expression)                                      \
	void cpu_run_v##name(struct cpu *cpu, const struct cpu_insn *insn) \
	{                                                                  \
		const union cpu_vector a = cpu->vectors[insn->third];      \
		const union cpu_vector b = cpu_vector_source(cpu, insn);   \
		union cpu_vector r;                                        \
		(void)a;                                                   \
                                                                           \
		for (size_t i = 0; i < ARRAY_COUNT(r.lane); i++)           \
			r.lane[i] = (__typeof__(r.lane[0]))(expression);   \
		cpu_vector_set(cpu, insn, &r);                             \
	}

#define LESS(x, y) ((x) < (y) ? (x) : (y))
#define MORE(x, y) ((x) > (y) ? (x) : (y))
#define CLAMP(x, low, high) LESS(MORE(x, low), high)

LANES(and, q, a.q[i] & b.q[i])
LANES(andn, q, ~a.q[i] & b.q[i])
LANES(or, q, a.q[i] | b.q[i])
LANES(xor, q, a.q[i] ^ b.q[i])
LANES(addb, b, a.b[i] + b.b[i])
LANES(addw, w, a.w[i] + b.w[i])
LANES(addd, d, a.d[i] + b.d[i])
LANES(addq, q, a.q[i] + b.q[i])
LANES(subb, b, a.b[i] - b.b[i])
LANES(subw, w, a.w[i] - b.w[i])
LANES(subd, d, a.d[i] - b.d[i])
LANES(subq, q, a.q[i] - b.q[i])
LANES(eqb, b, -(a.b[i] == b.b[i]))
LANES(eqw, w, -(a.w[i] == b.w[i]))
LANES(eqd, d, -(a.d[i] == b.d[i]))
LANES(eqq, q, -(uint64_t)(a.q[i] == b.q[i]))
LANES(gtb, b, -(a.sb[i] > b.sb[i]))
LANES(gtw, w, -(a.sw[i] > b.sw[i]))
LANES(gtd, d, -(a.sd[i] > b.sd[i]))
LANES(gtq, q, -(uint64_t)(a.sq[i] > b.sq[i]))
LANES(minub, b, LESS(a.b[i], b.b[i]))
LANES(minuw, w, LESS(a.w[i], b.w[i]))
LANES(minud, d, LESS(a.d[i], b.d[i]))
LANES(minsb, sb, LESS(a.sb[i], b.sb[i]))
LANES(minsw, sw, LESS(a.sw[i], b.sw[i]))
LANES(minsd, sd, LESS(a.sd[i], b.sd[i]))
LANES(maxub, b, MORE(a.b[i], b.b[i]))
LANES(maxuw, w, MORE(a.w[i], b.w[i]))
LANES(maxud, d, MORE(a.d[i], b.d[i]))
LANES(maxsb, sb, MORE(a.sb[i], b.sb[i]))
LANES(maxsw, sw, MORE(a.sw[i], b.sw[i]))
LANES(maxsd, sd, MORE(a.sd[i], b.sd[i]))
LANES(addusb, b, LESS(a.b[i] + b.b[i], UINT8_MAX))
LANES(addusw, w, LESS(a.w[i] + b.w[i], UINT16_MAX))
LANES(addsb, sb, CLAMP(a.sb[i] + b.sb[i], INT8_MIN, INT8_MAX))
LANES(addsw, sw, CLAMP(a.sw[i] + b.sw[i], INT16_MIN, INT16_MAX))
LANES(subusb, b, MORE(a.b[i] - b.b[i], 0))
LANES(subusw, w, MORE(a.w[i] - b.w[i], 0))
LANES(subsb, sb, CLAMP(a.sb[i] - b.sb[i], INT8_MIN, INT8_MAX))
LANES(subsw, sw, CLAMP(a.sw[i] - b.sw[i], INT16_MIN, INT16_MAX))
LANES(avgb, b, (a.b[i] + b.b[i] + 1) >> 1)
LANES(avgw, w, (a.w[i] + b.w[i] + 1) >> 1)
LANES(absb, b, b.sb[i] < 0 ? -b.sb[i] : b.sb[i])
LANES(absw, w, b.sw[i] < 0 ? -b.sw[i] : b.sw[i])
LANES(absd, d, b.sd[i] < 0 ? -b.d[i] : b.d[i])
LANES(mullw, w, a.sw[i] * b.sw[i])
LANES(mulhw, w, a.sw[i] * b.sw[i] >> 16)
LANES(mulhuw, w, (uint32_t)a.w[i] * b.w[i] >> 16)
LANES(mulld, d, a.d[i] * b.d[i])
LANES(muludq, q, (a.q[i] & UINT32_MAX) * (b.q[i] & UINT32_MAX))
LANES(muldq, sq, (int64_t)a.sd[2 * i] * b.sd[2 * i])
LANES(maddwd, d,
      (uint32_t)(a.sw[2 * i] * b.sw[2 * i]) + (uint32_t)(a.sw[2 * i + 1] * b.sw[2 * i + 1]))

void cpu_run_vsadbw(struct cpu *cpu, const struct cpu_insn *insn)
{
	const union cpu_vector a = cpu->vectors[insn->third];
	const union cpu_vector b = cpu_vector_source(cpu, insn);
	union cpu_vector r = {0};

	for (size_t i = 0; i < sizeof(r); i++)
		r.q[i / 8] += (uint64_t)(a.b[i] > b.b[i] ? a.b[i] - b.b[i] : b.b[i] - a.b[i]);
	cpu_vector_set(cpu, insn, &r);
}

// ptest: dst is read, not written.
void cpu_run_vtest(struct cpu *cpu, const struct cpu_insn *insn)
{
	const union cpu_vector a = cpu->vectors[insn->dst];
	const union cpu_vector b = cpu_vector_source(cpu, insn);
	uint64_t both = 0;
	uint64_t only_b = 0;

	for (size_t i = 0; i < insn->size / sizeof(a.q[0]); i++) {
		both |= a.q[i] & b.q[i];
		only_b |= ~a.q[i] & b.q[i];
	}
	cpu_flags_of_logic(&cpu->flags, 1, 8);
	cpu->flags.zero = both;
	cpu->flags.carry = only_b == 0;
}

enum lane_shift { SHIFT_RIGHT, SHIFT_ARITHMETIC, SHIFT_LEFT };

// One lane of @a bytes bytes.
static uint64_t lane_shift(uint64_t value, uint64_t count, enum lane_shift shift, size_t bytes)
{
	uint64_t width = 8 * bytes;

	if (shift == SHIFT_ARITHMETIC) {
		int64_t extended = (int64_t)(value << (64 - width)) >> (64 - width);

		return (uint64_t)(extended >> (count < width ? count : width - 1));
	}
	if (count >= width)
		return 0;
	return shift == SHIFT_LEFT ? value << count : value >> count;
}

static union cpu_vector lanes_shift(const union cpu_vector *a, uint64_t count,
				    enum lane_shift shift, size_t bytes)
{
	union cpu_vector r;

	for (size_t i = 0; i < sizeof(r); i += bytes)
		cpu_put(r.b + i, lane_shift(cpu_pick(a->b + i, bytes), count, shift, bytes), bytes);
	return r;
}

// psrldq, pslldq: whole bytes within each 16.
static union cpu_vector lanes_shift_bytes(const union cpu_vector *a, uint64_t count, bool left)
{
	union cpu_vector r = {0};

	for (size_t i = 0; i < sizeof(r); i++) {
		size_t in_half = i % 16;

		if (left && in_half >= count)
			r.b[i] = a->b[i - count];
		if (!left && count < 16 && in_half + count < 16)
			r.b[i] = a->b[i + count];
	}
	return r;
}

// d1-d3 psrl, e1-e2 psra, f1-f3 psll.
void cpu_run_vshift(struct cpu *cpu, const struct cpu_insn *insn)
{
	const union cpu_vector a = cpu->vectors[insn->third];
	const union cpu_vector b = cpu_vector_source(cpu, insn);
	enum lane_shift shift = (enum lane_shift)((insn->extra >> 4) - 0xd);
	union cpu_vector r = lanes_shift(&a, b.q[0], shift, (size_t)1 << (insn->extra & 3));

	cpu_vector_set(cpu, insn, &r);
}

void cpu_run_vshift_imm(struct cpu *cpu, const struct cpu_insn *insn)
{
	const union cpu_vector a = cpu->vectors[insn->third];
	uint64_t count = insn->imm & 0xff;
	unsigned int which = insn->src;
	union cpu_vector r;

	if (which & 1)
		r = lanes_shift_bytes(&a, count, which == 7);
	else
		r = lanes_shift(&a, count, (enum lane_shift)(which / 2 - 1),
				(size_t)2 << (insn->extra - 0x71));
	cpu_vector_set(cpu, insn, &r);
}

// vpsrlv, vpsrav, vpsllv (45 to 47): each lane by its own count. src_size was spent on the memory, so
// the size of a lane is in imm.
void cpu_run_vshift_each(struct cpu *cpu, const struct cpu_insn *insn)
{
	const union cpu_vector a = cpu->vectors[insn->third];
	const union cpu_vector b = cpu_vector_source(cpu, insn);
	enum lane_shift shift = (enum lane_shift)(insn->extra - 0x45);
	size_t bytes = insn->imm;
	union cpu_vector r;

	for (size_t i = 0; i < sizeof(r); i += bytes) {
		uint64_t count = cpu_pick(b.b + i, bytes);

		cpu_put(r.b + i, lane_shift(cpu_pick(a.b + i, bytes), count, shift, bytes), bytes);
	}
	cpu_vector_set(cpu, insn, &r);
}
