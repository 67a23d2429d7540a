/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CPU_CPU_VECTOR_H
#define CPU_CPU_VECTOR_H

/*
 * The runs of SSE and AVX. `size` is 16 or 32. `dst`, `third` and `src` are numbers of vector registers:
 * dst = third OP src, where SSE has third == dst. In the form RM the source is src_size bytes of memory
 * and the rest of it reads as zeros; in the form MR dst is memory. A run that stands for several
 * instructions finds the opcode in `extra` and the prefix (0, 66, f2, f3) in `repeat`.
 *
 * Where one operand is an integer register, it is a byte offset, and `extra` its size.
 */

#include "cpu/cpu_state.h"

union cpu_vector cpu_vector_source(struct cpu *cpu, const struct cpu_insn *insn);
/** Writes a vector register. Beyond `size` VEX clears the rest and SSE leaves it. */
void cpu_vector_set(struct cpu *cpu, const struct cpu_insn *insn, const union cpu_vector *result);

/* cpu_vector.c: moving */
cpu_run cpu_run_vmove, cpu_run_vstore, cpu_run_vmove_scalar, cpu_run_vmove_quad;
cpu_run cpu_run_vload_low, cpu_run_vload_high, cpu_run_vstore_half, cpu_run_vstore_high;
cpu_run cpu_run_vdup, cpu_run_vzero, cpu_run_vfrom_int, cpu_run_vto_int, cpu_run_vmask;
cpu_run cpu_run_vinsert, cpu_run_vextract, cpu_run_vextract_word;
cpu_run cpu_run_vbroadcast, cpu_run_vextract128, cpu_run_vinsert128, cpu_run_vperm128;
cpu_run cpu_run_vextend, cpu_run_vunpack, cpu_run_vpack, cpu_run_vshuffle, cpu_run_vshuffle2;
cpu_run cpu_run_vpshufb, cpu_run_valign, cpu_run_vpermq, cpu_run_vblendvb, cpu_run_vblend;

/* cpu_lanes.c: integers */
cpu_run cpu_run_vand, cpu_run_vandn, cpu_run_vor, cpu_run_vxor, cpu_run_vtest;
cpu_run cpu_run_vaddb, cpu_run_vaddw, cpu_run_vaddd, cpu_run_vaddq;
cpu_run cpu_run_vsubb, cpu_run_vsubw, cpu_run_vsubd, cpu_run_vsubq;
cpu_run cpu_run_veqb, cpu_run_veqw, cpu_run_veqd, cpu_run_veqq;
cpu_run cpu_run_vgtb, cpu_run_vgtw, cpu_run_vgtd, cpu_run_vgtq;
cpu_run cpu_run_vminub, cpu_run_vminuw, cpu_run_vminud, cpu_run_vminsb, cpu_run_vminsw;
cpu_run cpu_run_vminsd, cpu_run_vmaxub, cpu_run_vmaxuw, cpu_run_vmaxud, cpu_run_vmaxsb;
cpu_run cpu_run_vmaxsw, cpu_run_vmaxsd;
cpu_run cpu_run_vaddusb, cpu_run_vaddusw, cpu_run_vaddsb, cpu_run_vaddsw;
cpu_run cpu_run_vsubusb, cpu_run_vsubusw, cpu_run_vsubsb, cpu_run_vsubsw;
cpu_run cpu_run_vavgb, cpu_run_vavgw, cpu_run_vabsb, cpu_run_vabsw, cpu_run_vabsd;
cpu_run cpu_run_vmullw, cpu_run_vmulhw, cpu_run_vmulhuw, cpu_run_vmulld, cpu_run_vmuludq;
cpu_run cpu_run_vmuldq, cpu_run_vmaddwd, cpu_run_vsadbw;
/** Shifts by a count for all lanes, in the source or, with the opcodes 71 to 73, in imm; then `third`
 *  is the operand, `dst` where to, and `src` which of the group. */
cpu_run cpu_run_vshift, cpu_run_vshift_imm, cpu_run_vshift_each;

/* cpu_float.c */
cpu_run cpu_run_vcalc, cpu_run_vcompare, cpu_run_vcompare_flags;
cpu_run cpu_run_vint_to_float, cpu_run_vfloat_to_int, cpu_run_vconvert, cpu_run_vconvert_ints;

#endif
