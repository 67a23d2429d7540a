// SPDX-License-Identifier: GPL-3.0-or-later
// SSE to SSE4.1, AVX and AVX2 as compilers and glibc use them. MMX is not known.
#include "cpu/cpu_decode.h"
#include "cpu/cpu_vector.h"

/** Which operand is which. V is a vector register, M a vector register or memory, I an integer
 *  register, J one or memory; the destination stands first. */
enum vector_kind {
	/** No such instruction. */
	NONE,
	/** V = third OP M */
	V_V_M,
	/** V = OP M */
	V_M,
	/** M = V */
	M_V,
	/** V = J, and V = third OP J */
	V_J,
	V_V_J,
	/** J = V */
	J_V,
	/** I = OP M */
	I_M,
	/** The shifts by an immediate: third = OP M, and ModRM says which. */
	SHIFTS,
};

enum {
	/** vector_form.bytes: half of the vector, a quarter, an eighth; 0 is all of it. */
	HALF = 64,
	QUARTER,
	EIGHTH,
	/** An integer of 4 or 8 bytes, as REX.W says. */
	BY_W,
};

enum {
	/** vector_form.flags: an immediate follows; `arg` is not used then. */
	IMM = 1,
	VEX_ONLY = 2,
	SSE_ONLY = 4,
	/** ModRM must be memory, or a register. */
	MEMORY = 8,
	REGISTER = 16,
};

struct vector_form {
	cpu_run *run;
	uint8_t kind;
	/** Of the operand in memory. */
	uint8_t bytes;
	uint8_t flags;
	/** insn->imm, unless an immediate follows. */
	uint8_t arg;
};

// By opcode and prefix: none, 66, f3, f2.
enum { NP, P66, PF3, PF2 };

// What an entry leaves out is 0.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define CALC(opcode)                                   \
	[opcode] = {[NP] = {cpu_run_vcalc, V_V_M},     \
		    [P66] = {cpu_run_vcalc, V_V_M},    \
		    [PF3] = {cpu_run_vcalc, V_V_M, 4}, \
		    [PF2] = {cpu_run_vcalc, V_V_M, 8}}
#define BOTH(opcode, run) [opcode] = {[NP] = {run, V_V_M}, [P66] = {run, V_V_M}}
#define INT(opcode, run) [opcode] = {[P66] = {run, V_V_M}}
#define UNPACK(opcode, arg) [opcode] = {[P66] = {cpu_run_vunpack, V_V_M, 0, 0, arg}}

static const struct vector_form forms_0f[256][4] = {
	[0x10] = {{cpu_run_vmove, V_M},
		  {cpu_run_vmove, V_M},
		  {cpu_run_vmove_scalar, V_V_M, 4},
		  {cpu_run_vmove_scalar, V_V_M, 8}},
	[0x11] = {{cpu_run_vstore, M_V},
		  {cpu_run_vstore, M_V},
		  {cpu_run_vmove_scalar, M_V, 4},
		  {cpu_run_vmove_scalar, M_V, 8}},
	[0x12] = {{cpu_run_vload_low, V_V_M, 8},
		  {cpu_run_vload_low, V_V_M, 8, MEMORY},
		  {cpu_run_vdup, V_M},
		  {cpu_run_vdup, V_M, 8}},
	[0x13] = {{cpu_run_vstore_half, M_V, 8, MEMORY}, {cpu_run_vstore_half, M_V, 8, MEMORY}},
	[0x14] = {{cpu_run_vunpack, V_V_M, 0, 0, 4}, {cpu_run_vunpack, V_V_M, 0, 0, 8}},
	[0x15] = {{cpu_run_vunpack, V_V_M, 0, 0, 20}, {cpu_run_vunpack, V_V_M, 0, 0, 24}},
	[0x16] = {{cpu_run_vload_high, V_V_M, 8},
		  {cpu_run_vload_high, V_V_M, 8, MEMORY},
		  {cpu_run_vdup, V_M}},
	[0x17] = {{cpu_run_vstore_high, M_V, 8, MEMORY}, {cpu_run_vstore_high, M_V, 8, MEMORY}},
	[0x28] = {{cpu_run_vmove, V_M}, {cpu_run_vmove, V_M}},
	[0x29] = {{cpu_run_vstore, M_V}, {cpu_run_vstore, M_V}},
	[0x2a] = {[PF3] = {cpu_run_vint_to_float, V_V_J, BY_W},
		  [PF2] = {cpu_run_vint_to_float, V_V_J, BY_W}},
	[0x2b] = {{cpu_run_vstore, M_V, 0, MEMORY}, {cpu_run_vstore, M_V, 0, MEMORY}},
	[0x2c] = {[PF3] = {cpu_run_vfloat_to_int, I_M, 4, 0, 1},
		  [PF2] = {cpu_run_vfloat_to_int, I_M, 8, 0, 1}},
	[0x2d] = {[PF3] = {cpu_run_vfloat_to_int, I_M, 4}, [PF2] = {cpu_run_vfloat_to_int, I_M, 8}},
	[0x2e] = {{cpu_run_vcompare_flags, V_M, 4}, {cpu_run_vcompare_flags, V_M, 8}},
	[0x2f] = {{cpu_run_vcompare_flags, V_M, 4}, {cpu_run_vcompare_flags, V_M, 8}},
	[0x50] = {{cpu_run_vmask, I_M, 0, REGISTER, 4}, {cpu_run_vmask, I_M, 0, REGISTER, 8}},
	CALC(0x51),
	BOTH(0x54, cpu_run_vand),
	BOTH(0x55, cpu_run_vandn),
	BOTH(0x56, cpu_run_vor),
	BOTH(0x57, cpu_run_vxor),
	CALC(0x58),
	CALC(0x59),
	[0x5a] = {{cpu_run_vconvert, V_M, HALF},
		  {cpu_run_vconvert, V_M},
		  {cpu_run_vconvert, V_V_M, 4},
		  {cpu_run_vconvert, V_V_M, 8}},
	[0x5b] = {{cpu_run_vconvert_ints, V_M},
		  {cpu_run_vconvert_ints, V_M},
		  {cpu_run_vconvert_ints, V_M}},
	CALC(0x5c),
	CALC(0x5d),
	CALC(0x5e),
	CALC(0x5f),
	UNPACK(0x60, 1),
	UNPACK(0x61, 2),
	UNPACK(0x62, 4),
	INT(0x63, cpu_run_vpack),
	INT(0x64, cpu_run_vgtb),
	INT(0x65, cpu_run_vgtw),
	INT(0x66, cpu_run_vgtd),
	INT(0x67, cpu_run_vpack),
	UNPACK(0x68, 16 + 1),
	UNPACK(0x69, 16 + 2),
	UNPACK(0x6a, 16 + 4),
	INT(0x6b, cpu_run_vpack),
	UNPACK(0x6c, 8),
	UNPACK(0x6d, 16 + 8),
	[0x6e] = {[P66] = {cpu_run_vfrom_int, V_J, BY_W}},
	[0x6f] = {[P66] = {cpu_run_vmove, V_M}, [PF3] = {cpu_run_vmove, V_M}},
	[0x70] = {[P66] = {cpu_run_vshuffle, V_M, 0, IMM},
		  [PF3] = {cpu_run_vshuffle, V_M, 0, IMM},
		  [PF2] = {cpu_run_vshuffle, V_M, 0, IMM}},
	[0x71] = {[P66] = {cpu_run_vshift_imm, SHIFTS, 0, IMM | REGISTER}},
	[0x72] = {[P66] = {cpu_run_vshift_imm, SHIFTS, 0, IMM | REGISTER}},
	[0x73] = {[P66] = {cpu_run_vshift_imm, SHIFTS, 0, IMM | REGISTER}},
	INT(0x74, cpu_run_veqb),
	INT(0x75, cpu_run_veqw),
	INT(0x76, cpu_run_veqd),
	[0x7e] = {[P66] = {cpu_run_vto_int, J_V, BY_W}, [PF3] = {cpu_run_vmove_quad, V_M, 8}},
	[0x7f] = {[P66] = {cpu_run_vstore, M_V}, [PF3] = {cpu_run_vstore, M_V}},
	[0xc2] = {{cpu_run_vcompare, V_V_M, 0, IMM},
		  {cpu_run_vcompare, V_V_M, 0, IMM},
		  {cpu_run_vcompare, V_V_M, 4, IMM},
		  {cpu_run_vcompare, V_V_M, 8, IMM}},
	[0xc4] = {[P66] = {cpu_run_vinsert, V_V_J, 2, IMM}},
	[0xc5] = {[P66] = {cpu_run_vextract_word, I_M, 0, IMM | REGISTER}},
	[0xc6] = {{cpu_run_vshuffle2, V_V_M, 0, IMM}, {cpu_run_vshuffle2, V_V_M, 0, IMM}},
	[0xd1] = {[P66] = {cpu_run_vshift, V_V_M, 16}},
	[0xd2] = {[P66] = {cpu_run_vshift, V_V_M, 16}},
	[0xd3] = {[P66] = {cpu_run_vshift, V_V_M, 16}},
	INT(0xd4, cpu_run_vaddq),
	INT(0xd5, cpu_run_vmullw),
	[0xd6] = {[P66] = {cpu_run_vmove_quad, M_V, 8}},
	[0xd7] = {[P66] = {cpu_run_vmask, I_M, 0, REGISTER, 1}},
	INT(0xd8, cpu_run_vsubusb),
	INT(0xd9, cpu_run_vsubusw),
	INT(0xda, cpu_run_vminub),
	INT(0xdb, cpu_run_vand),
	INT(0xdc, cpu_run_vaddusb),
	INT(0xdd, cpu_run_vaddusw),
	INT(0xde, cpu_run_vmaxub),
	INT(0xdf, cpu_run_vandn),
	INT(0xe0, cpu_run_vavgb),
	[0xe1] = {[P66] = {cpu_run_vshift, V_V_M, 16}},
	[0xe2] = {[P66] = {cpu_run_vshift, V_V_M, 16}},
	INT(0xe3, cpu_run_vavgw),
	INT(0xe4, cpu_run_vmulhuw),
	INT(0xe5, cpu_run_vmulhw),
	[0xe6] = {[P66] = {cpu_run_vconvert_ints, V_M},
		  [PF3] = {cpu_run_vconvert_ints, V_M, HALF},
		  [PF2] = {cpu_run_vconvert_ints, V_M}},
	[0xe7] = {[P66] = {cpu_run_vstore, M_V, 0, MEMORY}},
	INT(0xe8, cpu_run_vsubsb),
	INT(0xe9, cpu_run_vsubsw),
	INT(0xea, cpu_run_vminsw),
	INT(0xeb, cpu_run_vor),
	INT(0xec, cpu_run_vaddsb),
	INT(0xed, cpu_run_vaddsw),
	INT(0xee, cpu_run_vmaxsw),
	INT(0xef, cpu_run_vxor),
	[0xf0] = {[PF2] = {cpu_run_vmove, V_M, 0, MEMORY}},
	[0xf1] = {[P66] = {cpu_run_vshift, V_V_M, 16}},
	[0xf2] = {[P66] = {cpu_run_vshift, V_V_M, 16}},
	[0xf3] = {[P66] = {cpu_run_vshift, V_V_M, 16}},
	INT(0xf4, cpu_run_vmuludq),
	INT(0xf5, cpu_run_vmaddwd),
	INT(0xf6, cpu_run_vsadbw),
	INT(0xf8, cpu_run_vsubb),
	INT(0xf9, cpu_run_vsubw),
	INT(0xfa, cpu_run_vsubd),
	INT(0xfb, cpu_run_vsubq),
	INT(0xfc, cpu_run_vaddb),
	INT(0xfd, cpu_run_vaddw),
	INT(0xfe, cpu_run_vaddd),
};

// All with the prefix 66.
static const struct vector_form forms_0f38[256] = {
	[0x00] = {cpu_run_vpshufb, V_V_M},
	[0x10] = {cpu_run_vblendvb, V_V_M, 0, SSE_ONLY},
	[0x17] = {cpu_run_vtest, V_M},
	[0x18] = {cpu_run_vbroadcast, V_M, 4, VEX_ONLY},
	[0x19] = {cpu_run_vbroadcast, V_M, 8, VEX_ONLY},
	[0x1a] = {cpu_run_vbroadcast, V_M, 16, VEX_ONLY | MEMORY},
	[0x1c] = {cpu_run_vabsb, V_M},
	[0x1d] = {cpu_run_vabsw, V_M},
	[0x1e] = {cpu_run_vabsd, V_M},
	[0x20] = {cpu_run_vextend, V_M, HALF},
	[0x21] = {cpu_run_vextend, V_M, QUARTER},
	[0x22] = {cpu_run_vextend, V_M, EIGHTH},
	[0x23] = {cpu_run_vextend, V_M, HALF},
	[0x24] = {cpu_run_vextend, V_M, QUARTER},
	[0x25] = {cpu_run_vextend, V_M, HALF},
	[0x28] = {cpu_run_vmuldq, V_V_M},
	[0x29] = {cpu_run_veqq, V_V_M},
	[0x2a] = {cpu_run_vmove, V_M, 0, MEMORY},
	[0x2b] = {cpu_run_vpack, V_V_M},
	[0x30] = {cpu_run_vextend, V_M, HALF},
	[0x31] = {cpu_run_vextend, V_M, QUARTER},
	[0x32] = {cpu_run_vextend, V_M, EIGHTH},
	[0x33] = {cpu_run_vextend, V_M, HALF},
	[0x34] = {cpu_run_vextend, V_M, QUARTER},
	[0x35] = {cpu_run_vextend, V_M, HALF},
	[0x37] = {cpu_run_vgtq, V_V_M},
	[0x38] = {cpu_run_vminsb, V_V_M},
	[0x39] = {cpu_run_vminsd, V_V_M},
	[0x3a] = {cpu_run_vminuw, V_V_M},
	[0x3b] = {cpu_run_vminud, V_V_M},
	[0x3c] = {cpu_run_vmaxsb, V_V_M},
	[0x3d] = {cpu_run_vmaxsd, V_V_M},
	[0x3e] = {cpu_run_vmaxuw, V_V_M},
	[0x3f] = {cpu_run_vmaxud, V_V_M},
	[0x40] = {cpu_run_vmulld, V_V_M},
	[0x45] = {cpu_run_vshift_each, V_V_M, 0, VEX_ONLY},
	[0x46] = {cpu_run_vshift_each, V_V_M, 0, VEX_ONLY},
	[0x47] = {cpu_run_vshift_each, V_V_M, 0, VEX_ONLY},
	[0x58] = {cpu_run_vbroadcast, V_M, 4, VEX_ONLY},
	[0x59] = {cpu_run_vbroadcast, V_M, 8, VEX_ONLY},
	[0x5a] = {cpu_run_vbroadcast, V_M, 16, VEX_ONLY | MEMORY},
	[0x78] = {cpu_run_vbroadcast, V_M, 1, VEX_ONLY},
	[0x79] = {cpu_run_vbroadcast, V_M, 2, VEX_ONLY},
};

static const struct vector_form forms_0f3a[256] = {
	[0x00] = {cpu_run_vpermq, V_M, 0, IMM | VEX_ONLY},
	[0x02] = {cpu_run_vblend, V_V_M, 0, IMM | VEX_ONLY},
	[0x06] = {cpu_run_vperm128, V_V_M, 0, IMM | VEX_ONLY},
	[0x0e] = {cpu_run_vblend, V_V_M, 0, IMM},
	[0x0f] = {cpu_run_valign, V_V_M, 0, IMM},
	[0x14] = {cpu_run_vextract, J_V, 1, IMM},
	[0x15] = {cpu_run_vextract, J_V, 2, IMM},
	[0x16] = {cpu_run_vextract, J_V, BY_W, IMM},
	[0x18] = {cpu_run_vinsert128, V_V_M, 16, IMM | VEX_ONLY},
	[0x19] = {cpu_run_vextract128, M_V, 16, IMM | VEX_ONLY},
	[0x20] = {cpu_run_vinsert, V_V_J, 1, IMM},
	[0x22] = {cpu_run_vinsert, V_V_J, BY_W, IMM},
	[0x38] = {cpu_run_vinsert128, V_V_M, 16, IMM | VEX_ONLY},
	[0x39] = {cpu_run_vextract128, M_V, 16, IMM | VEX_ONLY},
	[0x46] = {cpu_run_vperm128, V_V_M, 0, IMM | VEX_ONLY},
	[0x4c] = {cpu_run_vblendvb, V_V_M, 0, IMM | VEX_ONLY},
};

#pragma GCC diagnostic pop

static const struct vector_form *vector_form(const struct cpu_decoder *decoder)
{
	size_t prefix = decoder->repeat == 0xf3   ? PF3
			: decoder->repeat == 0xf2 ? PF2
			: decoder->prefix_66      ? P66
						  : NP;

	if (decoder->map == CPU_MAP_0F)
		return &forms_0f[decoder->opcode][prefix];
	if (prefix != P66)
		return NULL;
	return decoder->map == CPU_MAP_0F38 ? &forms_0f38[decoder->opcode]
					    : &forms_0f3a[decoder->opcode];
}

static uint8_t vector_bytes(const struct cpu_decoder *decoder, const struct vector_form *form)
{
	switch (form->bytes) {
	case 0:
		return decoder->insn->size;
	case HALF:
		return decoder->insn->size / 2;
	case QUARTER:
		return decoder->insn->size / 4;
	case EIGHTH:
		return decoder->insn->size / 8;
	case BY_W:
		return decoder->rex & 8 ? 8 : 4;
	default:
		return form->bytes;
	}
}

// What ModRM's rm is when it is no destination.
static void vector_source_rm(struct cpu_decoder *decoder, bool integer)
{
	struct cpu_insn *insn = decoder->insn;

	insn->form = cpu_decoder_is_memory(decoder) ? CPU_RM : CPU_RR;
	if (insn->form == CPU_RR)
		insn->src = integer ? (uint8_t)(8 * decoder->rm) : decoder->rm;
}

static void vector_target_rm(struct cpu_decoder *decoder, bool integer)
{
	struct cpu_insn *insn = decoder->insn;

	insn->src = decoder->reg;
	insn->form = cpu_decoder_is_memory(decoder) ? CPU_MR : CPU_RR;
	if (insn->form == CPU_RR)
		insn->dst = integer ? (uint8_t)(8 * decoder->rm) : decoder->rm;
}

static void vector_operands(struct cpu_decoder *decoder, const struct vector_form *form)
{
	struct cpu_insn *insn = decoder->insn;

	switch ((enum vector_kind)form->kind) {
	case V_V_M:
	case V_M:
	case V_J:
	case V_V_J:
		insn->dst = decoder->reg;
		vector_source_rm(decoder, form->kind == V_J || form->kind == V_V_J);
		break;
	case M_V:
	case J_V:
		vector_target_rm(decoder, form->kind == J_V);
		break;
	case I_M:
		insn->dst = (uint8_t)(8 * decoder->reg);
		vector_source_rm(decoder, false);
		break;
	default:
		insn->dst = decoder->vex ? decoder->vvvv : decoder->rm;
		insn->third = decoder->rm;
		insn->src = decoder->reg & 7;
		return;
	}
	insn->third = decoder->vex ? decoder->vvvv : insn->dst;
	if (form->kind == V_J || form->kind == V_V_J || form->kind == J_V || form->kind == I_M)
		insn->extra = decoder->rex & 8 ? 8 : 4;
}

// What the tables cannot say.
static bool vector_exists(const struct cpu_decoder *decoder)
{
	const struct cpu_insn *insn = decoder->insn;

	if (insn->run == cpu_run_vcompare)
		return insn->imm < 8;
	if (insn->run == cpu_run_vdup)
		return decoder->repeat == 0xf3 || insn->size == 16;
	if (insn->run == cpu_run_vshift_imm)
		return insn->src >= 2 && (insn->src % 2 == 0 || decoder->opcode == 0x73) &&
		       (insn->src % 2 == 1 ? insn->src != 5
					   : insn->src != 4 || decoder->opcode < 0x73);
	return true;
}

cpu_run *cpu_decode_vector(struct cpu_decoder *decoder)
{
	struct cpu_insn *insn = decoder->insn;

	if (decoder->vex && decoder->map == CPU_MAP_0F && decoder->opcode == 0x77) {
		insn->size = decoder->vex_256 ? 32 : 16;
		return cpu_run_vzero;
	}

	const struct vector_form *form = vector_form(decoder);
	if (!form || form->kind == NONE || (form->flags & (decoder->vex ? SSE_ONLY : VEX_ONLY)))
		return NULL;
	cpu_decoder_modrm(decoder);
	bool memory = cpu_decoder_is_memory(decoder);
	if ((memory && form->flags & REGISTER) || (!memory && form->flags & MEMORY))
		return NULL;

	// Scalars ignore the length.
	bool scalar = decoder->repeat && (form->bytes == 4 || form->bytes == 8);
	insn->size = decoder->vex_256 && !scalar ? 32 : 16;
	insn->src_size = vector_bytes(decoder, form);
	insn->extra = decoder->opcode;
	insn->repeat = decoder->repeat ? decoder->repeat : decoder->prefix_66 ? 0x66 : 0;
	insn->run = form->run;
	insn->vex = decoder->vex;
	vector_operands(decoder, form);
	insn->imm = form->arg;
	if (form->flags & IMM)
		insn->imm = cpu_decoder_take(decoder, 1) & 0xff;
	if (form->run == cpu_run_vshift_each)
		insn->imm = decoder->rex & 8 ? 8 : 4;
	return vector_exists(decoder) ? form->run : NULL;
}
