// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/clone/inject_frames.h"

#include <stdlib.h>

#if defined(__x86_64__)

#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <ucontext.h>

#include "base/array.h"
#include "base/cleanup.h"

enum {
	CODE_SELECTOR_64 = 0x33,
	/** More than any processor has (AMX: 11 KiB). */
	XSTATE_BYTES_MAX = 64 << 10,
	/** In what ptrace gives: where XCR0 is (asm/user.h), the bits of what is in use, the legacy part
	 *  and the header. */
	XSTATE_SOFTWARE_AT = 464,
	XSTATE_IN_USE_AT = 512,
	XSTATE_BYTES_MIN = 576,
	XSTATE_COMPONENTS = 63,
	/** XTILEDATA: not in the frames of a process that has not asked for it. */
	XSTATE_TILES = 18,
};

// asm/sigcontext.h, which glibc's headers do not go with.
static const uint32_t FP_MAGIC1 = 0x46505853U;
static const uint32_t FP_MAGIC2 = 0x46505845U;
struct fp_software {
	uint32_t magic1;
	uint32_t extended_bytes;
	uint64_t features;
	uint32_t xstate_bytes;
	uint32_t padding[7];
};

/** uc_flags: the floating-point state is an xstate; the stack's selector is in the frame. */
static const unsigned long FRAME_FLAGS = 1 | 2 | 4;
/** No mode that sigaltstack() knows: it stays as it is. */
static const int NO_CHANGE = 0x1000;

/** As the kernel puts it on the stack of a handler; what follows in a ucontext_t is not looked at. */
struct signal_frame {
	uint64_t return_at;
	ucontext_t context;
};

struct machine_state {
	struct user_regs_struct regs;
	/** As a frame has it, with room for the second magic number. */
	unsigned char *xstate;
	size_t xstate_bytes;
};

struct inject_frames {
	/** Has the child of clone() waited for; its id is written into the registers by the kernel. */
	struct signal_frame wait;
	/** Has everything as it was. */
	struct signal_frame last;
	/** The child's: it ends. */
	struct signal_frame child;
	_Alignas(INJECT_ALIGN_BYTES) unsigned char xstate[];
};

static const struct machine_state *machine_of(const struct inject_state *state)
{
	return state->machine;
}

bool inject_frames_are_supported(void)
{
	return true;
}

void inject_scan_code(const unsigned char *bytes, size_t count, addr_t at, struct inject_code *ret)
{
	static const unsigned char call[] = {0x0f, 0x05, 0xc3};
	// mov $15, %rax (or %eax); syscall
	static const unsigned char sigreturn[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
	static const unsigned char sigreturn_short[] = {0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05};
	const unsigned char *found;

	if (!ret->syscall_at && (found = memmem(bytes, count, call, sizeof(call))))
		ret->syscall_at = at + (addr_t)(found - bytes);
	if (!ret->sigreturn_at &&
	    ((found = memmem(bytes, count, sigreturn, sizeof(sigreturn))) ||
	     (found = memmem(bytes, count, sigreturn_short, sizeof(sigreturn_short)))))
		ret->sigreturn_at = at + (addr_t)(found - bytes);
}

static struct error *state_error(pid_t tid, const char *what)
{
	if (errno == ESRCH)
		return error_create(ERROR_GONE, "thread %d has ended", tid);
	return error_create_os(errno, "cannot %s the registers of thread %d", what, tid);
}

// How long the state of the features is in the layout of XSAVE.
static size_t xstate_length(uint64_t features)
{
	size_t bytes = XSTATE_BYTES_MIN;

	for (unsigned i = 2; i < XSTATE_COMPONENTS; i++) {
		unsigned size, offset, ecx, edx;
		if (!(features >> i & 1) || !__get_cpuid_count(0xd, i, &size, &offset, &ecx, &edx))
			continue;
		if ((size_t)size + offset > bytes)
			bytes = (size_t)size + offset;
	}
	return bytes;
}

static bool xstate_make(struct machine_state *machine, size_t bytes)
{
	uint64_t features, in_use;

	if (bytes < XSTATE_BYTES_MIN)
		return false;
	memcpy(&features, machine->xstate + XSTATE_SOFTWARE_AT, sizeof(features));
	memcpy(&in_use, machine->xstate + XSTATE_IN_USE_AT, sizeof(in_use));
	features &= ~(UINT64_C(1) << XSTATE_TILES);
	machine->xstate_bytes = xstate_length(features);
	if (in_use & ~features || machine->xstate_bytes > bytes)
		return false;
	const struct fp_software software = {
		.magic1 = FP_MAGIC1,
		.extended_bytes = (uint32_t)(machine->xstate_bytes + sizeof(FP_MAGIC2)),
		.features = features,
		.xstate_bytes = (uint32_t)machine->xstate_bytes,
	};
	memcpy(machine->xstate + XSTATE_SOFTWARE_AT, &software, sizeof(software));
	memcpy(machine->xstate + machine->xstate_bytes, &FP_MAGIC2, sizeof(FP_MAGIC2));
	return true;
}

#ifndef PTRACE_GET_RSEQ_CONFIGURATION
// Linux 5.13.
#define PTRACE_GET_RSEQ_CONFIGURATION 0x420f
#endif

/*
 * Whether the thread is in a restartable sequence (rseq(2)): when it was stopped there, the kernel sends
 * it back to the beginning as it goes on, but not when it went somewhere else first.
 */
static bool thread_is_in_sequence(pid_t tid, addr_t at)
{
	// linux/ptrace.h and linux/rseq.h, which glibc's headers may not go with.
	enum { SEQUENCE_AT = 8, START_AT = 8, LENGTH_AT = 16 };
	struct {
		uint64_t at;
		uint32_t bytes, signature, flags, padding;
	} area = {0};

	if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, tid, (void *)sizeof(area), &area) < 0 || !area.at)
		return false;
	errno = 0;
	addr_t sequence =
		(addr_t)ptrace(PTRACE_PEEKDATA, tid, (void *)(area.at + SEQUENCE_AT), NULL);
	if (errno || !sequence)
		return false;
	addr_t start = (addr_t)ptrace(PTRACE_PEEKDATA, tid, (void *)(sequence + START_AT), NULL);
	addr_t length = (addr_t)ptrace(PTRACE_PEEKDATA, tid, (void *)(sequence + LENGTH_AT), NULL);
	return !errno && at - start < length;
}

struct error *inject_state_read(pid_t tid, struct inject_state *state, bool *ret_usable)
{
	struct machine_state *machine = calloc(1, sizeof(*machine));
	struct iovec into;

	*ret_usable = false;
	state->machine = machine;
	if (!machine)
		return error_no_memory();
	machine->xstate = calloc(1, XSTATE_BYTES_MAX + sizeof(FP_MAGIC2));
	if (!machine->xstate)
		return error_no_memory();
	into = (struct iovec){.iov_base = &machine->regs, .iov_len = sizeof(machine->regs)};
	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &into) < 0)
		return state_error(tid, "read");
	// Another mode has another, shorter set.
	if (into.iov_len != sizeof(machine->regs) || machine->regs.cs != CODE_SELECTOR_64 ||
	    thread_is_in_sequence(tid, machine->regs.rip))
		return NULL;
	into = (struct iovec){.iov_base = machine->xstate, .iov_len = XSTATE_BYTES_MAX};
	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_X86_XSTATE, &into) < 0)
		return errno == ESRCH ? state_error(tid, "read") : NULL;
	*ret_usable = xstate_make(machine, into.iov_len);
	return NULL;
}

void inject_state_deinit(struct inject_state *state)
{
	struct machine_state *machine = state->machine;

	if (machine)
		free(machine->xstate);
	free(machine);
}

addr_t inject_stack_pointer(const struct inject_state *state)
{
	return machine_of(state)->regs.rsp;
}

// What the kernel says inside when a system call is to be made again (linux/errno.h).
enum {
	KERNEL_RESTARTSYS = -512,
	KERNEL_RESTARTNOINTR = -513,
	KERNEL_RESTARTNOHAND = -514,
	KERNEL_RESTART_RESTARTBLOCK = -516,
};

static bool regs_are_in_call(const struct user_regs_struct *regs)
{
	return (int64_t)regs->orig_rax >= 0;
}

bool inject_state_is_restorable(const struct inject_state *state)
{
	const struct user_regs_struct *regs = &machine_of(state)->regs;

	return !regs_are_in_call(regs) || (int64_t)regs->rax != KERNEL_RESTART_RESTARTBLOCK;
}

struct error *inject_state_write(pid_t tid, const struct inject_state *state)
{
	struct user_regs_struct regs = machine_of(state)->regs;
	struct iovec from = {.iov_base = &regs, .iov_len = sizeof(regs)};

	if (ptrace(PTRACE_SETREGSET, tid, (void *)NT_PRSTATUS, &from) < 0)
		return state_error(tid, "restore");
	return NULL;
}

struct error *inject_state_call(pid_t tid, const struct inject_state *state,
				const struct inject_code *code, const struct inject_call *call)
{
	struct user_regs_struct regs = machine_of(state)->regs;
	struct iovec from = {.iov_base = &regs, .iov_len = sizeof(regs)};

	// Otherwise the kernel would start the interrupted call again, with these registers.
	regs.orig_rax = UINT64_MAX;
	regs.rip = code->syscall_at;
	regs.rsp = call->back_at;
	regs.rax = call->number;
	regs.rdi = call->args[0];
	regs.rsi = call->args[1];
	regs.rdx = call->args[2];
	regs.r10 = call->args[3];
	regs.r8 = call->args[4];
	regs.r9 = call->args[5];
	if (ptrace(PTRACE_SETREGSET, tid, (void *)NT_PRSTATUS, &from) < 0)
		return state_error(tid, "set");
	return NULL;
}

struct error *inject_state_result(pid_t tid, uint64_t *ret, int *ret_errno)
{
	enum { ERRNO_MAX = 4095 };
	struct user_regs_struct regs;
	struct iovec into = {.iov_base = &regs, .iov_len = sizeof(regs)};

	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &into) < 0)
		return state_error(tid, "read");
	int64_t result = (int64_t)regs.rax;
	*ret_errno = result < 0 && result >= -ERRNO_MAX ? (int)-result : 0;
	if (ret)
		*ret = regs.rax;
	return NULL;
}

size_t inject_frames_bytes(const struct inject_state *state)
{
	size_t bytes =
		sizeof(struct inject_frames) + machine_of(state)->xstate_bytes + sizeof(FP_MAGIC2);

	return (bytes + INJECT_ALIGN_BYTES - 1) & ~((size_t)INJECT_ALIGN_BYTES - 1);
}

static void frame_make(struct signal_frame *frame, const struct inject_code *code,
		       const struct user_regs_struct *regs, const void *signal_mask)
{
	const greg_t general[NGREG] = {
		[REG_R8] = (greg_t)regs->r8,
		[REG_R9] = (greg_t)regs->r9,
		[REG_R10] = (greg_t)regs->r10,
		[REG_R11] = (greg_t)regs->r11,
		[REG_R12] = (greg_t)regs->r12,
		[REG_R13] = (greg_t)regs->r13,
		[REG_R14] = (greg_t)regs->r14,
		[REG_R15] = (greg_t)regs->r15,
		[REG_RDI] = (greg_t)regs->rdi,
		[REG_RSI] = (greg_t)regs->rsi,
		[REG_RBP] = (greg_t)regs->rbp,
		[REG_RBX] = (greg_t)regs->rbx,
		[REG_RDX] = (greg_t)regs->rdx,
		[REG_RAX] = (greg_t)regs->rax,
		[REG_RCX] = (greg_t)regs->rcx,
		[REG_RSP] = (greg_t)regs->rsp,
		[REG_RIP] = (greg_t)regs->rip,
		[REG_EFL] = (greg_t)regs->eflags,
		[REG_CSGSFS] = (greg_t)((regs->cs & 0xffff) | (regs->gs & 0xffff) << 16 |
					(regs->fs & 0xffff) << 32 | (regs->ss & 0xffff) << 48),
	};

	frame->return_at = code->sigreturn_at;
	frame->context.uc_flags = FRAME_FLAGS;
	frame->context.uc_stack.ss_flags = NO_CHANGE;
	memcpy(frame->context.uc_mcontext.gregs, general, sizeof(general));
	memcpy(&frame->context.uc_sigmask, signal_mask, sizeof(uint64_t));
}

// What the kernel itself does where it restarts an interrupted call, as far as a frame can.
static struct user_regs_struct regs_restarted(const struct user_regs_struct *before)
{
	enum { SYSCALL_INSTRUCTION_BYTES = 2 };
	struct user_regs_struct regs = *before;

	if (!regs_are_in_call(before))
		return regs;
	switch ((int64_t)before->rax) {
	case KERNEL_RESTARTSYS:
	case KERNEL_RESTARTNOINTR:
	case KERNEL_RESTARTNOHAND:
		regs.rax = before->orig_rax;
		regs.rip -= SYSCALL_INSTRUCTION_BYTES;
		break;
	case KERNEL_RESTART_RESTARTBLOCK:
		regs.rax = (uint64_t)-EINTR;
		break;
	}
	return regs;
}

static addr_t frame_at(addr_t frames_at, size_t offset)
{
	return frames_at + offset;
}

struct error *inject_frames_make(const struct inject_state *state, const struct inject_code *code,
				 uint64_t signal_mask, addr_t at, struct inject_frames **ret)
{
	static const uint64_t all_signals = UINT64_MAX;
	const struct machine_state *machine = machine_of(state);
	struct inject_frames *frames =
		aligned_alloc(INJECT_ALIGN_BYTES, inject_frames_bytes(state));
	struct user_regs_struct regs = machine->regs;

	if (!frames)
		return error_no_memory();
	memset(frames, 0, inject_frames_bytes(state));
	regs.rip = code->syscall_at;
	regs.rax = SYS_wait4;
	// No child has this id: when clone() fails there is none to wait for.
	regs.rdi = INT_MAX;
	regs.rsi = 0;
	regs.rdx = (uint64_t)(unsigned)__WALL;
	regs.r10 = 0;
	regs.rsp = frame_at(at, offsetof(struct inject_frames, last));
	frame_make(&frames->wait, code, &regs, &all_signals);
	regs.rax = SYS_exit_group;
	regs.rdi = 0;
	frame_make(&frames->child, code, &regs, &all_signals);
	regs = regs_restarted(&machine->regs);
	frame_make(&frames->last, code, &regs, &signal_mask);
	frames->last.context.uc_mcontext.fpregs =
		(fpregset_t)(uintptr_t)frame_at(at, offsetof(struct inject_frames, xstate));
	memcpy(frames->xstate, machine->xstate, machine->xstate_bytes + sizeof(FP_MAGIC2));
	*ret = frames;
	return NULL;
}

void *inject_frames_content(struct inject_frames *frames)
{
	return frames;
}

struct inject_call inject_call_clone(addr_t frames_at)
{
	addr_t id_at =
		frame_at(frames_at, offsetof(struct inject_frames, wait.context.uc_mcontext.gregs) +
					    REG_RDI * sizeof(greg_t));

	// No signal at its end. The kernel writes its id before the child or the parent runs on.
	return (struct inject_call){
		.number = SYS_clone,
		.args = {CLONE_PARENT_SETTID,
			 frame_at(frames_at, offsetof(struct inject_frames, child)), id_at},
		.back_at = frame_at(frames_at, offsetof(struct inject_frames, wait)),
	};
}

struct inject_call inject_call_collect(addr_t frames_at, pid_t child)
{
	return (struct inject_call){
		.number = SYS_wait4,
		.args = {(uint64_t)child, 0, (uint64_t)(unsigned)(WNOHANG | __WALL)},
		.back_at = frame_at(frames_at, offsetof(struct inject_frames, last)),
	};
}

#else

bool inject_frames_are_supported(void)
{
	return false;
}

#endif
