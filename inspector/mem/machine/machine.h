/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_MACHINE_H
#define MEM_MACHINE_H

/*
 * What of a stopped thread depends on the machine: its registers as ptrace gives them, how a call is put
 * into them, and the frame of a signal handler, from which rt_sigreturn restores all of them. Each machine
 * has a file with all of these functions (x86_64.c, aarch64.c); nobody else asks which machine it is.
 *
 * Nothing here knows what the calls are for (mem/clone/inject.h) or resumes a thread. What asks ptrace is
 * called by the thread that traces.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "base/error.h"
#include "mem/source.h"

#if !defined(__x86_64__) && !defined(__aarch64__)
#error "there is no file for this machine in inspector/mem/machine"
#endif

enum {
	MACHINE_ARGS_MAX = 6,
	MACHINE_REGISTERS_MAX = 32,
	/** Below the stack pointer, in use: x86-64's functions use so much. */
	MACHINE_RED_ZONE_BYTES = 128,
	/** Of frames. */
	MACHINE_ALIGN_BYTES = 64,
	/** The longest of the pieces of code that machine_scan_code() looks for. */
	MACHINE_CODE_BYTES = 9,
};

/** As seccomp filters see it (AUDIT_ARCH_*). */
uint32_t machine_audit_arch(void);
/** As ELF files name it (EM_*). */
unsigned machine_elf(void);

/**
 * Notes where among the @a count bytes that lie at @a at there is a system call followed by a return, and
 * the system call rt_sigreturn; what is noted already (not 0) stays.
 */
void machine_scan_code(const unsigned char *bytes, size_t count, addr_t at, addr_t *syscall_at,
		       addr_t *sigreturn_at);

struct machine_registers {
	struct user_regs_struct user;
	/** The number of the system call that the thread is in, as far as the kernel may start it again;
	 *  below 0: none. */
	int64_t call;
};

/** *@a ret_known is false for a thread in another mode of the processor (32 bits). */
MUST_USE struct error *machine_registers_read(pid_t tid, struct machine_registers *ret,
					      bool *ret_known);
/** Out of a core file: @a set, of @a bytes, is the pr_reg of a note NT_PRSTATUS. False when it is not that of
 *  a thread that machine_registers_read() would know. */
bool machine_registers_take(const void *set, size_t bytes, struct machine_registers *ret);
MUST_USE struct error *machine_registers_write(pid_t tid,
					       const struct machine_registers *registers);

/** Those that may hold an address, into @a into (of MACHINE_REGISTERS_MAX); their number. */
size_t machine_general(const struct machine_registers *registers, uint64_t *into);
addr_t machine_stack_pointer(const struct machine_registers *registers);
addr_t machine_program_counter(const struct machine_registers *registers);
/** pthread_self() of glibc in that thread; 0 when it cannot be told. */
addr_t machine_pthread(const struct machine_registers *registers);
/** What a function or a system call returned. */
uint64_t machine_result(const struct machine_registers *registers);
/** Of the system call that the thread is about to make. */
uint64_t machine_argument(const struct machine_registers *registers, unsigned index);
void machine_set_argument(struct machine_registers *registers, unsigned index, uint64_t value);

/** The system call @a number at @a syscall_at, a system call followed by a return, which comes back at
 *  machine_frame_make()'s frame at @a frame_at; 0: it does not come back. */
void machine_set_syscall(struct machine_registers *registers, addr_t syscall_at, uint64_t number,
			 const uint64_t args[MACHINE_ARGS_MAX], addr_t frame_at,
			 addr_t sigreturn_at);
/** The function at @a at, on the stack that ends at @a stack_end (aligned to 16), whose words there are 0.
 *  It returns to address 0. */
void machine_set_function(struct machine_registers *registers, addr_t at,
			  const uint64_t args[MACHINE_ARGS_MAX], addr_t stack_end);

/** The system call that the thread is in is to be made again from its beginning. */
void machine_call_again(struct machine_registers *registers);
/** The system call that the thread is in is over, and this is what it returned. */
void machine_call_answer(struct machine_registers *registers, uint64_t result);

/**
 * Whether the kernel decides only when thread @a tid runs on how it starts again a system call that was
 * interrupted, and forgets it when the thread runs on elsewhere. aarch64: registers are those of the same
 * call made again, even where it is to be restart_syscall().
 */
bool machine_restart_is_open(pid_t tid, const struct machine_registers *registers);
/** Whether it is restart_syscall(), which rt_sigreturn makes end with EINTR; not for an open one. */
bool machine_restart_is_remembered(pid_t tid, const struct machine_registers *registers);
/** The number of the call with a time limit that the thread is to make again, open or remembered; 0: none, or
 *  not known. */
uint64_t machine_timed_call(pid_t tid, const struct machine_registers *registers);
/** For a frame: what the kernel does itself where it starts a system call again, as far as registers can: one
 *  that it remembers, and whose number is @a timed_call, is made from its beginning, with all of its time
 *  limit; with 0 it ends with EINTR. */
struct machine_registers machine_restarted(const struct machine_registers *before,
					   uint64_t timed_call);

/** Asks the processor what takes long to ask, and what the first of the others would ask otherwise: before a
 *  process is stopped. */
void machine_prepare(void);

/** The registers that machine_registers_read() does not give: floating point, vectors. */
struct machine_vectors;

/** *@a ret is NULL when there are some that a frame could not restore; destroyed by free(). */
MUST_USE struct error *machine_vectors_read(pid_t tid, struct machine_vectors **ret);
/** From a set of registers as ptrace gives it (NT_X86_XSTATE; NT_ARM_SVE when @a is_scalable, or
 *  NT_PRFPREG). */
MUST_USE struct error *machine_vectors_make(const void *set, size_t bytes, bool is_scalable,
					    struct machine_vectors **ret);
/** Puts back those that a system call takes away: none on x86-64, on aarch64 all beyond 128 bits. */
MUST_USE struct error *machine_vectors_write(pid_t tid, const struct machine_vectors *vectors);

/** A multiple of MACHINE_ALIGN_BYTES. Without @a vectors (NULL) they are whatever they are afterwards. */
size_t machine_frame_bytes(const struct machine_vectors *vectors);
/** A frame for rt_sigreturn into @a frame, which is all zeros: lying at @a frame_at it restores these
 *  registers and @a signal_mask, and leaves the alternate stack as it is. */
void machine_frame_make(void *frame, addr_t frame_at, addr_t sigreturn_at,
			const struct machine_registers *registers,
			const struct machine_vectors *vectors, uint64_t signal_mask);
/** Where in a frame the first argument of a system call lies, 8 bytes. */
size_t machine_frame_argument_at(void);

#endif
