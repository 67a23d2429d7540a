// SPDX-License-Identifier: GPL-3.0-or-later
#include "support/landing.h"

#if defined(__aarch64__)

#include <sys/ptrace.h>

#include <asm/hwcap.h>
#include <asm/ptrace.h>
#include <asm/sigcontext.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>

#include <cmocka.h>

enum { GENERAL = 31, VECTORS = 32, VECTOR_BYTES = 16 };

/** What the landing leaves at the end of the stack. */
struct found {
	uint64_t general[GENERAL + 1];
	unsigned char vectors[VECTORS][VECTOR_BYTES];
};

extern void landing_place(void);
extern void landing_store_scalable(void *z, void *p);
extern char *landing_stack_end;
void landing_arrive(const struct found *found);

char *landing_stack_end;
static sigjmp_buf back;
static struct found landed;
static bool is_scalable;
static unsigned char scalable_found[LANDING_VECTOR_BYTES];
static unsigned vector_bytes;
_Alignas(16) static char arrival_stack[64 << 10];

// No register has been touched here, but the stack pointer. Then on to C, on a stack of its own.
__asm__(".text\n"
	".arch_extension sve\n"
	"landing_place:\n"
	"	sub sp, sp, #768\n"
	".irp i, 0,2,4,6,8,10,12,14,16,18,20,22,24,26,28\n"
	"	str x\\i, [sp, #8*\\i]\n"
	".endr\n"
	".irp i, 1,3,5,7,9,11,13,15,17,19,21,23,25,27,29\n"
	"	str x\\i, [sp, #8*\\i]\n"
	".endr\n"
	"	str x30, [sp, #240]\n"
	".irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"	str q\\i, [sp, #256+16*\\i]\n"
	".endr\n"
	".irp i, 16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
	"	str q\\i, [sp, #256+16*\\i]\n"
	".endr\n"
	"	mov x0, sp\n"
	"	adrp x1, landing_stack_end\n"
	"	ldr x1, [x1, #:lo12:landing_stack_end]\n"
	"	mov sp, x1\n"
	"	b landing_arrive\n"
	"landing_store_scalable:\n"
	".irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"	str z\\i, [x0, #\\i, mul vl]\n"
	"	str p\\i, [x1, #\\i, mul vl]\n"
	".endr\n"
	".irp i, 16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
	"	str z\\i, [x0, #\\i, mul vl]\n"
	".endr\n"
	"	ret\n");

// The compiler uses no vectors of its own here before they are stored.
__attribute__((target("general-regs-only"))) void landing_arrive(const struct found *found)
{
	if (is_scalable)
		landing_store_scalable(scalable_found, scalable_found + VECTORS * vector_bytes);
	for (size_t i = 0; i < sizeof(landed) / sizeof(uint64_t); i++)
		((volatile uint64_t *)&landed)[i] = ((const uint64_t *)found)[i];
	siglongjmp(back, 1);
}

static size_t scalable_bytes(void)
{
	return VECTORS * vector_bytes + SVE_NUM_PREGS * vector_bytes / 8;
}

bool landing_prepare(addr_t stack_end, bool scalable, struct machine_registers *registers,
		     struct machine_vectors **vectors, struct landing *ret)
{
	_Alignas(16) unsigned char set[LANDING_VECTOR_BYTES] = {0};
	struct user_sve_header *header = (void *)set;

	if (scalable && !(getauxval(AT_HWCAP) & HWCAP_SVE))
		return false;
	is_scalable = scalable;
	*ret = (struct landing){.general_count = GENERAL, .stack_pointer = stack_end};
	*registers = (struct machine_registers){
		.call = -1,
		.user = {.sp = stack_end, .pc = (addr_t)(uintptr_t)landing_place},
	};
	for (size_t i = 0; i < GENERAL; i++)
		registers->user.regs[i] = ret->general[i] = UINT64_C(0x0123456789abcdef) * (i + 1);
	if (scalable) {
		vector_bytes = (unsigned)prctl(PR_SVE_GET_VL) & PR_SVE_VL_LEN_MASK;
		unsigned vq = sve_vq_from_vl(vector_bytes);
		header->vl = header->max_vl = (uint16_t)vector_bytes;
		header->flags = SVE_PT_REGS_SVE;
		header->size = header->max_size = (uint32_t)SVE_PT_SIZE(vq, SVE_PT_REGS_SVE);
		ret->vector_bytes = scalable_bytes();
		for (size_t i = 0; i < ret->vector_bytes; i++)
			ret->vectors[i] = (unsigned char)(i * 7 + 1);
		memcpy(set + SVE_PT_SVE_ZREGS_OFFSET, ret->vectors, ret->vector_bytes);
		assert_null(machine_vectors_make(set, header->size, true, vectors));
	} else {
		ret->vector_bytes = sizeof(landed.vectors);
		for (size_t i = 0; i < ret->vector_bytes; i++)
			ret->vectors[i] = (unsigned char)(i * 7 + 1);
		memcpy(set, ret->vectors, ret->vector_bytes);
		assert_null(machine_vectors_make(set, sizeof(struct user_fpsimd_state), false,
						 vectors));
	}
	return true;
}

void landing_leave(const void *frame, addr_t sigreturn_at)
{
	__asm__ volatile("mov sp, %0\n\tbr %1" : : "r"(frame), "r"(sigreturn_at) : "memory");
	__builtin_unreachable();
}

void landing_leap(const void *frame, addr_t sigreturn_at, struct landing *ret)
{
	landing_stack_end = arrival_stack + sizeof(arrival_stack);
	if (sigsetjmp(back, 0) == 0)
		landing_leave(frame, sigreturn_at);
	*ret = (struct landing){
		.general_count = GENERAL,
		.vector_bytes = is_scalable ? scalable_bytes() : sizeof(landed.vectors),
	};
	memcpy(ret->general, landed.general, GENERAL * sizeof(uint64_t));
	memcpy(ret->vectors, is_scalable ? (void *)scalable_found : (void *)landed.vectors,
	       ret->vector_bytes);
}

#endif
