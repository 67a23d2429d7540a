// SPDX-License-Identifier: GPL-3.0-or-later
#include "support/landing.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { GENERAL = 16, VECTORS = 16, VECTOR_BYTES = 16, SET_BYTES = 16 << 10 };
/** In an area of XSAVE. */
enum { CONTROL_AT = 0, MXCSR_AT = 24, XMM_AT = 160, XCR0_AT = 464, IN_USE_AT = 512 };
enum { X87_AND_SSE = 3 };

struct found {
	uint64_t general[GENERAL];
	unsigned char vectors[VECTORS][VECTOR_BYTES];
};

extern struct found landing_found;
extern char landing_stack_end[];
extern void landing_place(void);
void landing_arrive(void);

struct found landing_found;
static sigjmp_buf back;
_Alignas(16) static char arrival_stack[64 << 10];

// No register has been touched here. Then on to C, on a stack of its own.
__asm__(".text\n"
	"landing_place:\n"
	"	mov %rax, landing_found+0(%rip)\n"
	"	mov %rbx, landing_found+8(%rip)\n"
	"	mov %rcx, landing_found+16(%rip)\n"
	"	mov %rdx, landing_found+24(%rip)\n"
	"	mov %rsi, landing_found+32(%rip)\n"
	"	mov %rdi, landing_found+40(%rip)\n"
	"	mov %rbp, landing_found+48(%rip)\n"
	"	mov %rsp, landing_found+56(%rip)\n"
	"	mov %r8, landing_found+64(%rip)\n"
	"	mov %r9, landing_found+72(%rip)\n"
	"	mov %r10, landing_found+80(%rip)\n"
	"	mov %r11, landing_found+88(%rip)\n"
	"	mov %r12, landing_found+96(%rip)\n"
	"	mov %r13, landing_found+104(%rip)\n"
	"	mov %r14, landing_found+112(%rip)\n"
	"	mov %r15, landing_found+120(%rip)\n"
	".irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"	movups %xmm\\i, landing_found+128+16*\\i(%rip)\n"
	".endr\n"
	"	lea landing_stack_end(%rip), %rsp\n"
	"	mov (%rsp), %rsp\n"
	"	call landing_arrive\n"
	"	hlt\n"
	".data\n"
	".balign 8\n"
	"landing_stack_end: .quad 0\n"
	".text\n");

void landing_arrive(void)
{
	siglongjmp(back, 1);
}

static uint64_t enabled_features(void)
{
	uint32_t low, high;

	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

bool landing_prepare(addr_t stack_end, bool scalable, struct machine_registers *registers,
		     struct machine_vectors **vectors, struct landing *ret)
{
	static _Alignas(64) unsigned char set[SET_BYTES];
	static const uint32_t mxcsr = 0x1f80;
	static const uint16_t control = 0x37f;
	static const uint64_t in_use = X87_AND_SSE;
	uint64_t features = enabled_features();
	unsigned eax, bytes = 0, ecx, edx;

	if (scalable || !__get_cpuid_count(0xd, 0, &eax, &bytes, &ecx, &edx) || bytes > SET_BYTES)
		return false;
	*ret = (struct landing){.general_count = GENERAL - 1, .stack_pointer = stack_end};
	for (size_t i = 0; i < GENERAL - 1; i++)
		ret->general[i] = UINT64_C(0x0123456789abcdef) * (i + 1);
	const uint64_t *g = ret->general;
	*registers = (struct machine_registers){
		.call = -1,
		.user = {.rax = g[0],
			 .rbx = g[1],
			 .rcx = g[2],
			 .rdx = g[3],
			 .rsi = g[4],
			 .rdi = g[5],
			 .rbp = g[6],
			 .r8 = g[7],
			 .r9 = g[8],
			 .r10 = g[9],
			 .r11 = g[10],
			 .r12 = g[11],
			 .r13 = g[12],
			 .r14 = g[13],
			 .r15 = g[14],
			 .rsp = stack_end,
			 .rip = (addr_t)(uintptr_t)landing_place,
			 .eflags = 0x202,
			 .cs = 0x33,
			 .ss = 0x2b},
	};
	memcpy(set + CONTROL_AT, &control, sizeof(control));
	memcpy(set + MXCSR_AT, &mxcsr, sizeof(mxcsr));
	memcpy(set + XCR0_AT, &features, sizeof(features));
	memcpy(set + IN_USE_AT, &in_use, sizeof(in_use));
	ret->vector_bytes = VECTORS * VECTOR_BYTES;
	for (size_t i = 0; i < ret->vector_bytes; i++)
		ret->vectors[i] = (unsigned char)(i * 7 + 1);
	memcpy(set + XMM_AT, ret->vectors, ret->vector_bytes);
	assert_null(machine_vectors_make(set, bytes, false, vectors));
	return true;
}

void landing_leave(const void *frame, addr_t sigreturn_at)
{
	// As a handler returns: the frame's first word leads to rt_sigreturn.
	__asm__ volatile("mov %0, %%rsp\n\tret" : : "r"(frame) : "memory");
	__builtin_unreachable();
}

void landing_leap(const void *frame, addr_t sigreturn_at, struct landing *ret)
{
	char *stack_end = arrival_stack + sizeof(arrival_stack);

	memcpy(landing_stack_end, &stack_end, sizeof(stack_end));
	if (sigsetjmp(back, 0) == 0)
		landing_leave(frame, sigreturn_at);
	*ret = (struct landing){
		.general_count = GENERAL - 1,
		.stack_pointer = landing_found.general[7],
		.vector_bytes = sizeof(landing_found.vectors),
	};
	memcpy(ret->general, landing_found.general, 7 * sizeof(uint64_t));
	memcpy(ret->general + 7, landing_found.general + 8, 8 * sizeof(uint64_t));
	memcpy(ret->vectors, landing_found.vectors, sizeof(landing_found.vectors));
}

#endif
