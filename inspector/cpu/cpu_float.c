// SPDX-License-Identifier: GPL-3.0-or-later
// Floating point: our own processor's, which rounds to nearest as a process does unless it says
// otherwise.
#include <math.h>

#include "cpu/cpu_vector.h"

// What the conversion of a number that does not fit gives.
static const int64_t INDEFINITE_64 = INT64_MIN;
static const int32_t INDEFINITE_32 = INT32_MIN;
static const double TWO_TO_63 = 9223372036854775808.0;
static const double TWO_TO_31 = 2147483648.0;

// min and max give the second one for NaN and for two zeros.
#define CALC(type, name)                                                          \
	static type name(unsigned int opcode, type a, type b)                     \
	{                                                                         \
		if (a != a && opcode != 0x51 && opcode != 0x5d && opcode != 0x5f) \
			return a + a;                                             \
		switch (opcode) {                                                 \
		case 0x51:                                                        \
			return (type)sqrt(b);                                     \
		case 0x58:                                                        \
			return a + b;                                             \
		case 0x59:                                                        \
			return a * b;                                             \
		case 0x5c:                                                        \
			return a - b;                                             \
		case 0x5d:                                                        \
			return a < b ? a : b;                                     \
		case 0x5e:                                                        \
			return a / b;                                             \
		default:                                                          \
			return a > b ? a : b;                                     \
		}                                                                 \
	}

// Of two NaNs the first one comes out; a compiler may swap the operands of + and *.
// sqrt() of a float in double precision, rounded, is the float's own root.
CALC(float, calc_float)
CALC(double, calc_double)

static bool float_is_double(const struct cpu_insn *insn)
{
	return insn->repeat == 0x66 || insn->repeat == 0xf2;
}

static bool float_is_scalar(const struct cpu_insn *insn)
{
	return insn->repeat >= 0xf2;
}

void cpu_run_vcalc(struct cpu *cpu, const struct cpu_insn *insn)
{
	const union cpu_vector a = cpu->vectors[insn->third];
	const union cpu_vector b = cpu_vector_source(cpu, insn);
	union cpu_vector r = a;

	if (float_is_double(insn)) {
		size_t count = float_is_scalar(insn) ? 1 : insn->size / sizeof(r.lf[0]);

		for (size_t i = 0; i < count; i++)
			r.lf[i] = calc_double(insn->extra, a.lf[i], b.lf[i]);
	} else {
		size_t count = float_is_scalar(insn) ? 1 : insn->size / sizeof(r.f[0]);

		for (size_t i = 0; i < count; i++)
			r.f[i] = calc_float(insn->extra, a.f[i], b.f[i]);
	}
	cpu_vector_set(cpu, insn, &r);
}

// The eight predicates of SSE; those above 7 are AVX's and are not decoded.
static bool float_holds(unsigned int predicate, double a, double b)
{
	bool unordered = isnan(a) || isnan(b);
	bool holds = unordered;

	switch (predicate & 3) {
	case 0:
		holds = !unordered && a >= b && a <= b;
		break;
	case 1:
		holds = !unordered && a < b;
		break;
	case 2:
		holds = !unordered && a <= b;
		break;
	default:
		break;
	}
	return holds != (predicate >> 2 & 1);
}

void cpu_run_vcompare(struct cpu *cpu, const struct cpu_insn *insn)
{
	const union cpu_vector a = cpu->vectors[insn->third];
	const union cpu_vector b = cpu_vector_source(cpu, insn);
	unsigned int predicate = insn->imm & 7;
	union cpu_vector r = a;

	if (float_is_double(insn)) {
		size_t count = float_is_scalar(insn) ? 1 : insn->size / sizeof(r.lf[0]);

		for (size_t i = 0; i < count; i++)
			r.q[i] = float_holds(predicate, a.lf[i], b.lf[i]) ? UINT64_MAX : 0;
	} else {
		size_t count = float_is_scalar(insn) ? 1 : insn->size / sizeof(r.f[0]);

		for (size_t i = 0; i < count; i++)
			r.d[i] = float_holds(predicate, (double)a.f[i], (double)b.f[i]) ? UINT32_MAX
											: 0;
	}
	cpu_vector_set(cpu, insn, &r);
}

// ucomis, comis.
void cpu_run_vcompare_flags(struct cpu *cpu, const struct cpu_insn *insn)
{
	const union cpu_vector source = cpu_vector_source(cpu, insn);
	const union cpu_vector *target = &cpu->vectors[insn->dst];
	bool wide = insn->repeat == 0x66;
	double a = wide ? target->lf[0] : (double)target->f[0];
	double b = wide ? source.lf[0] : (double)source.f[0];
	bool unordered = isnan(a) || isnan(b);

	cpu->flags.sign = 0;
	cpu->flags.overflow = false;
	cpu->flags.adjust = 0;
	cpu->flags.carry = unordered || a < b;
	cpu->flags.parity = unordered ? 0 : 1;
	cpu->flags.zero = !unordered && (a < b || a > b);
}

// cvtsi2ss, cvtsi2sd.
void cpu_run_vint_to_float(struct cpu *cpu, const struct cpu_insn *insn)
{
	uint64_t value = cpu_source(cpu, insn, insn->extra, (enum cpu_form)insn->form);
	int64_t number = insn->extra == 4 ? (int32_t)value : (int64_t)value;
	union cpu_vector r = cpu->vectors[insn->third];

	if (insn->repeat == 0xf2)
		r.lf[0] = (double)number;
	else
		r.f[0] = (float)number;
	cpu_vector_set(cpu, insn, &r);
}

static int64_t float_to_64(double number, bool truncate)
{
	double whole = truncate ? trunc(number) : nearbyint(number);

	return whole >= -TWO_TO_63 && whole < TWO_TO_63 ? (int64_t)whole : INDEFINITE_64;
}

static int32_t float_to_32(double number, bool truncate)
{
	double whole = truncate ? trunc(number) : nearbyint(number);

	return whole >= -TWO_TO_31 && whole < TWO_TO_31 ? (int32_t)whole : INDEFINITE_32;
}

// cvttss2si, cvttsd2si, cvtss2si, cvtsd2si; imm says truncate.
void cpu_run_vfloat_to_int(struct cpu *cpu, const struct cpu_insn *insn)
{
	const union cpu_vector source = cpu_vector_source(cpu, insn);
	double number = insn->repeat == 0xf2 ? source.lf[0] : (double)source.f[0];
	bool truncate = insn->imm;

	if (insn->extra == 8)
		cpu_set(cpu, insn->dst, (uint64_t)float_to_64(number, truncate), 8);
	else
		cpu_set(cpu, insn->dst, (uint32_t)float_to_32(number, truncate), 4);
}

// 5a: between float and double.
void cpu_run_vconvert(struct cpu *cpu, const struct cpu_insn *insn)
{
	const union cpu_vector source = cpu_vector_source(cpu, insn);
	union cpu_vector r = {0};

	switch (insn->repeat) {
	case 0xf2:
		r = cpu->vectors[insn->third];
		r.f[0] = (float)source.lf[0];
		break;
	case 0xf3:
		r = cpu->vectors[insn->third];
		r.lf[0] = (double)source.f[0];
		break;
	case 0x66:
		for (size_t i = 0; i < insn->size / sizeof(r.lf[0]); i++)
			r.f[i] = (float)source.lf[i];
		break;
	default:
		for (size_t i = 0; i < insn->size / sizeof(r.lf[0]); i++)
			r.lf[i] = (double)source.f[i];
	}
	cpu_vector_set(cpu, insn, &r);
}

// 5b and e6: between integers of 32 bits and floating point.
void cpu_run_vconvert_ints(struct cpu *cpu, const struct cpu_insn *insn)
{
	const union cpu_vector source = cpu_vector_source(cpu, insn);
	size_t count = insn->size / (insn->extra == 0xe6 ? 8 : 4);
	bool truncate = insn->repeat == (insn->extra == 0xe6 ? 0x66 : 0xf3);
	bool from_int = insn->repeat == (insn->extra == 0xe6 ? 0xf3 : 0);
	union cpu_vector r = {0};

	for (size_t i = 0; i < count; i++) {
		if (from_int && insn->extra == 0xe6)
			r.lf[i] = source.sd[i];
		else if (from_int)
			r.f[i] = (float)source.sd[i];
		else
			r.sd[i] = float_to_32(
				insn->extra == 0xe6 ? source.lf[i] : (double)source.f[i], truncate);
	}
	cpu_vector_set(cpu, insn, &r);
}
