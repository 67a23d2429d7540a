/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CPU_CPU_RUNS_H
#define CPU_CPU_RUNS_H

/*
 * The runs of integer instructions, by the manual's names. What each expects in `dst`, `src`, `third`
 * and `extra` is what the decoder puts there.
 */

#include "cpu/cpu_state.h"

/** In the order of opcodes 00 to 38 and of group 1. */
enum cpu_alu {
	CPU_ADD,
	CPU_OR,
	CPU_ADC,
	CPU_SBB,
	CPU_AND,
	CPU_SUB,
	CPU_XOR,
	CPU_CMP,
	CPU_TEST,
	CPU_MOV,
	CPU_ALUS,
};

/** @a size is 1, 2, 4 or 8. */
cpu_run *cpu_alu_run(enum cpu_alu alu, size_t size, enum cpu_form form);
cpu_run *cpu_jump_run(unsigned int condition);

/* cpu_integer.c; src and src_size are the source of movzx and movsx. */
cpu_run cpu_run_lea, cpu_run_movzx, cpu_run_movsx, cpu_run_movbe, cpu_run_bswap;
cpu_run cpu_run_xchg, cpu_run_xadd, cpu_run_cmpxchg, cpu_run_cmpxchg_pair;
cpu_run cpu_run_inc, cpu_run_dec, cpu_run_not, cpu_run_neg;
cpu_run cpu_run_cmov, cpu_run_setcc, cpu_run_sign_a, cpu_run_sign_d;
/** imul with two or three (`imm`) operands: `extra` says three. */
cpu_run cpu_run_imul, cpu_run_mul_wide, cpu_run_imul_wide, cpu_run_div, cpu_run_idiv;
cpu_run cpu_run_flag, cpu_run_lahf, cpu_run_sahf, cpu_run_nop, cpu_run_stmxcsr, cpu_run_fnstcw;
cpu_run cpu_run_save_vectors, cpu_run_restore_vectors;

/* cpu_bits.c; the count is `imm` or, in the forms RR and MR, cl. */
/** `extra` is the number in group 2: rol, ror, rcl, rcr, shl, shr, shl, sar. */
cpu_run cpu_run_shift;
/** `extra` bit 0: to the right; bit 1: by cl. */
cpu_run cpu_run_shift_double;
/** `extra` is 0 bt, 1 bts, 2 btr, 3 btc. */
cpu_run cpu_run_bit_test;
cpu_run cpu_run_bsf, cpu_run_bsr, cpu_run_tzcnt, cpu_run_lzcnt, cpu_run_popcnt;
cpu_run cpu_run_andn, cpu_run_bextr, cpu_run_bzhi, cpu_run_pdep, cpu_run_pext, cpu_run_mulx;
/** `extra` is 1 blsr, 2 blsmsk, 3 blsi. */
cpu_run cpu_run_lowest_bit;
cpu_run cpu_run_rorx, cpu_run_sarx, cpu_run_shlx, cpu_run_shrx;
/** `extra` is 1 for adox. */
cpu_run cpu_run_adcx;

/* cpu_control.c */
cpu_run cpu_run_jump, cpu_run_jump_to, cpu_run_call, cpu_run_call_to, cpu_run_ret;
/** `extra` is the opcode's low two bits: loopne, loope, loop, jrcxz. */
cpu_run cpu_run_loop;
cpu_run cpu_run_push, cpu_run_pop, cpu_run_pushf, cpu_run_popf, cpu_run_enter, cpu_run_leave;
cpu_run cpu_run_system_call, cpu_run_interrupt;
cpu_run cpu_run_movs, cpu_run_stos, cpu_run_lods, cpu_run_cmps, cpu_run_scas;

#endif
