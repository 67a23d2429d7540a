// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/machine/machine.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <linux/audit.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>

#include "base/array.h"
#include "mem/process.h"

enum {
	/** Of programs of 32 bits. */
	CODE_SELECTOR_32 = 0x23,
	SYSCALL_INSTRUCTION_BYTES = 2,
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

struct machine_vectors {
	/** Of what follows, without the second magic number. */
	size_t bytes;
	/** As a frame has it, with room for the second magic number. */
	_Alignas(MACHINE_ALIGN_BYTES) unsigned char xstate[];
};

unsigned machine_elf(void)
{
	return EM_X86_64;
}

uint32_t machine_audit_arch(void)
{
	return AUDIT_ARCH_X86_64;
}

void machine_scan_code(const unsigned char *bytes, size_t count, addr_t at, addr_t *syscall_at,
		       addr_t *sigreturn_at)
{
	static const unsigned char call[] = {0x0f, 0x05, 0xc3};
	// mov $15, %rax (or %eax); syscall
	static const unsigned char sigreturn[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
	static const unsigned char sigreturn_short[] = {0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05};
	const unsigned char *found;

	if (!*syscall_at && (found = memmem(bytes, count, call, sizeof(call))))
		*syscall_at = at + (addr_t)(found - bytes);
	if (!*sigreturn_at &&
	    ((found = memmem(bytes, count, sigreturn, sizeof(sigreturn))) ||
	     (found = memmem(bytes, count, sigreturn_short, sizeof(sigreturn_short)))))
		*sigreturn_at = at + (addr_t)(found - bytes);
}

bool machine_registers_take(const void *set, size_t bytes, struct machine_registers *ret)
{
	if (bytes != sizeof(ret->user))
		return false;
	memcpy(&ret->user, set, sizeof(ret->user));
	ret->call = (int64_t)ret->user.orig_rax;
	return ret->user.cs != CODE_SELECTOR_32;
}

struct error *machine_registers_read(pid_t tid, struct machine_registers *ret, bool *ret_known)
{
	struct iovec into = {.iov_base = &ret->user, .iov_len = sizeof(ret->user)};

	*ret_known = false;
	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &into) < 0)
		return process_thread_error(tid, "read the registers of");
	// Another mode has another, shorter set, or at least its selector.
	*ret_known = into.iov_len == sizeof(ret->user) && ret->user.cs != CODE_SELECTOR_32;
	ret->call = (int64_t)ret->user.orig_rax;
	return NULL;
}

struct error *machine_registers_write(pid_t tid, const struct machine_registers *registers)
{
	struct user_regs_struct user = registers->user;
	struct iovec from = {.iov_base = &user, .iov_len = sizeof(user)};

	user.orig_rax = (unsigned long long)registers->call;
	if (ptrace(PTRACE_SETREGSET, tid, (void *)NT_PRSTATUS, &from) < 0)
		return process_thread_error(tid, "set the registers of");
	return NULL;
}

size_t machine_general(const struct machine_registers *registers, uint64_t *into)
{
	const struct user_regs_struct *user = &registers->user;
	const uint64_t general[] = {user->rax, user->rbx, user->rcx, user->rdx,
				    user->rsi, user->rdi, user->rbp, user->rsp,
				    user->r8,  user->r9,  user->r10, user->r11,
				    user->r12, user->r13, user->r14, user->r15};

	_Static_assert(ARRAY_COUNT(general) <= MACHINE_REGISTERS_MAX, "no room for all registers");
	memcpy(into, general, sizeof(general));
	return ARRAY_COUNT(general);
}

addr_t machine_stack_pointer(const struct machine_registers *registers)
{
	return registers->user.rsp;
}

addr_t machine_program_counter(const struct machine_registers *registers)
{
	return registers->user.rip;
}

addr_t machine_pthread(const struct machine_registers *registers)
{
	return registers->user.fs_base;
}

uint64_t machine_result(const struct machine_registers *registers)
{
	return registers->user.rax;
}

// Of a system call; a function has %rcx for %r10.
static unsigned long long *argument_place(struct user_regs_struct *user, unsigned index)
{
	unsigned long long *const places[MACHINE_ARGS_MAX] = {&user->rdi, &user->rsi, &user->rdx,
							      &user->r10, &user->r8,  &user->r9};

	return places[index];
}

uint64_t machine_argument(const struct machine_registers *registers, unsigned index)
{
	struct user_regs_struct user = registers->user;

	return *argument_place(&user, index);
}

void machine_set_argument(struct machine_registers *registers, unsigned index, uint64_t value)
{
	*argument_place(&registers->user, index) = value;
}

// The registers for a call at @a at: of a system call or of a function, both take them nearly alike.
static void registers_set_call(struct machine_registers *registers, addr_t at,
			       const uint64_t args[MACHINE_ARGS_MAX], addr_t stack_pointer)
{
	// Otherwise the kernel would start an interrupted call again, with these registers.
	registers->call = -1;
	registers->user.rip = at;
	registers->user.rsp = stack_pointer;
	for (unsigned i = 0; i < MACHINE_ARGS_MAX; i++)
		machine_set_argument(registers, i, args[i]);
}

void machine_set_syscall(struct machine_registers *registers, addr_t syscall_at, uint64_t number,
			 const uint64_t args[MACHINE_ARGS_MAX], addr_t frame_at,
			 addr_t sigreturn_at)
{
	// The frame itself has the address of rt_sigreturn, as its first word.
	registers_set_call(registers, syscall_at, args, frame_at ? frame_at : registers->user.rsp);
	registers->user.rax = number;
}

void machine_set_function(struct machine_registers *registers, addr_t at,
			  const uint64_t args[MACHINE_ARGS_MAX], addr_t stack_end)
{
	enum { FLAGS_OF_ARITHMETIC = 0x8d5, FLAG_TRAP = 0x100, FLAG_DIRECTION = 0x400 };

	// The address to return to, 0, and below it a stack that is aligned before the call.
	registers_set_call(registers, at, args, stack_end - 3 * sizeof(uint64_t));
	registers->user.rcx = args[3];
	// The number of vector registers among variable arguments.
	registers->user.rax = 0;
	registers->user.rbp = 0;
	// As the ABI wants it at the beginning of a function.
	registers->user.eflags &=
		~(unsigned long long)(FLAGS_OF_ARITHMETIC | FLAG_TRAP | FLAG_DIRECTION);
}

void machine_call_again(struct machine_registers *registers)
{
	registers->user.rax = (unsigned long long)registers->call;
	registers->user.rip -= SYSCALL_INSTRUCTION_BYTES;
	registers->call = -1;
}

void machine_call_answer(struct machine_registers *registers, uint64_t result)
{
	registers->user.rax = result;
	registers->call = -1;
}

// What the kernel says inside when a system call is to be made again (linux/errno.h).
enum {
	KERNEL_RESTARTSYS = -512,
	KERNEL_RESTARTNOINTR = -513,
	KERNEL_RESTARTNOHAND = -514,
	KERNEL_RESTART_RESTARTBLOCK = -516,
};

bool machine_restart_is_open(pid_t tid, const struct machine_registers *registers)
{
	// It is in the registers, and put back with them.
	return false;
}

bool machine_restart_is_remembered(pid_t tid, const struct machine_registers *registers)
{
	return registers->call >= 0 && (int64_t)registers->user.rax == KERNEL_RESTART_RESTARTBLOCK;
}

static bool call_is_timed(uint64_t number)
{
	return number == SYS_poll || number == SYS_futex || number == SYS_nanosleep ||
	       number == SYS_clock_nanosleep;
}

// When the thread was stopped in it before, the kernel knows it as restart_syscall() alone; its number then
// stands in the program, as the C library has it: mov $number, %eax; syscall. Its arguments are still in the
// registers, as the kernel leaves them alone.
uint64_t machine_timed_call(pid_t tid, const struct machine_registers *registers)
{
	static const unsigned char move = 0xb8;
	static const unsigned char call[] = {0x0f, 0x05};
	uint64_t number = (uint64_t)registers->call;
	struct {
		unsigned char unused, move;
		uint32_t number;
		unsigned char call[sizeof(call)];
	} __attribute__((packed)) code;

	if (number == SYS_restart_syscall) {
		errno = 0;
		long word = ptrace(PTRACE_PEEKTEXT, tid,
				   (void *)(registers->user.rip - sizeof(code)), NULL);
		memcpy(&code, &word, sizeof(code));
		if (errno || code.move != move || memcmp(code.call, call, sizeof(call)) != 0)
			return 0;
		number = code.number;
	}
	return call_is_timed(number) ? number : 0;
}

struct machine_registers machine_restarted(const struct machine_registers *before,
					   uint64_t timed_call)
{
	struct machine_registers registers = *before;

	if (before->call < 0)
		return registers;
	switch ((int64_t)before->user.rax) {
	case KERNEL_RESTARTSYS:
	case KERNEL_RESTARTNOINTR:
	case KERNEL_RESTARTNOHAND:
		machine_call_again(&registers);
		break;
	case KERNEL_RESTART_RESTARTBLOCK:
		// Late is better: EINTR would be a sleep cut short, or an error that nobody looks for
		// who has no handlers of signals.
		registers.call = (int64_t)timed_call;
		if (timed_call)
			machine_call_again(&registers);
		else
			machine_call_answer(&registers, (uint64_t)-EINTR);
		break;
	}
	return registers;
}

/** Where each component ends in the layout of XSAVE; 0 where the processor does not have it. */
static size_t xstate_ends[XSTATE_COMPONENTS];
static pthread_once_t xstate_once = PTHREAD_ONCE_INIT;

// Under a hypervisor each question takes some microseconds: it is the hypervisor that answers.
static void xstate_ask(void)
{
	unsigned size, offset, ecx, edx, low, high;

	if (!__get_cpuid_count(0xd, 0, &low, &offset, &ecx, &high))
		return;
	uint64_t features = (uint64_t)high << 32 | low;
	for (unsigned i = 2; i < XSTATE_COMPONENTS; i++)
		if (features >> i & 1 && __get_cpuid_count(0xd, i, &size, &offset, &ecx, &edx))
			xstate_ends[i] = (size_t)size + offset;
}

void machine_prepare(void)
{
	pthread_once(&xstate_once, xstate_ask);
}

// How long the state of the features is in that layout.
static size_t xstate_length(uint64_t features)
{
	size_t bytes = XSTATE_BYTES_MIN;

	machine_prepare();
	for (unsigned i = 2; i < XSTATE_COMPONENTS; i++)
		if (features >> i & 1 && xstate_ends[i] > bytes)
			bytes = xstate_ends[i];
	return bytes;
}

static size_t align_up(size_t bytes)
{
	return (bytes + MACHINE_ALIGN_BYTES - 1) & ~((size_t)MACHINE_ALIGN_BYTES - 1);
}

struct error *machine_vectors_make(const void *set, size_t bytes, bool is_scalable,
				   struct machine_vectors **ret)
{
	uint64_t features, in_use;

	*ret = NULL;
	if (bytes < XSTATE_BYTES_MIN)
		return NULL;
	memcpy(&features, (const char *)set + XSTATE_SOFTWARE_AT, sizeof(features));
	memcpy(&in_use, (const char *)set + XSTATE_IN_USE_AT, sizeof(in_use));
	features &= ~(UINT64_C(1) << XSTATE_TILES);
	size_t xstate_bytes = xstate_length(features);
	if (in_use & ~features || xstate_bytes > bytes)
		return NULL;
	struct machine_vectors *vectors = aligned_alloc(
		MACHINE_ALIGN_BYTES, align_up(sizeof(*vectors) + xstate_bytes + sizeof(FP_MAGIC2)));
	if (!vectors)
		return error_no_memory();
	const struct fp_software software = {
		.magic1 = FP_MAGIC1,
		.extended_bytes = (uint32_t)(xstate_bytes + sizeof(FP_MAGIC2)),
		.features = features,
		.xstate_bytes = (uint32_t)xstate_bytes,
	};
	vectors->bytes = xstate_bytes;
	memcpy(vectors->xstate, set, xstate_bytes);
	memcpy(vectors->xstate + XSTATE_SOFTWARE_AT, &software, sizeof(software));
	memcpy(vectors->xstate + xstate_bytes, &FP_MAGIC2, sizeof(FP_MAGIC2));
	*ret = vectors;
	return NULL;
}

struct error *machine_vectors_read(pid_t tid, struct machine_vectors **ret)
{
	unsigned char *set = calloc(1, XSTATE_BYTES_MAX);
	struct iovec into = {.iov_base = set, .iov_len = XSTATE_BYTES_MAX};
	struct error *error = NULL;

	*ret = NULL;
	if (!set)
		return error_no_memory();
	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_X86_XSTATE, &into) == 0)
		error = machine_vectors_make(set, into.iov_len, false, ret);
	else if (errno == ESRCH)
		error = process_thread_error(tid, "read the registers of");
	free(set);
	return error;
}

struct error *machine_vectors_write(pid_t tid, const struct machine_vectors *vectors)
{
	return NULL;
}

size_t machine_frame_bytes(const struct machine_vectors *vectors)
{
	size_t xstate_bytes = vectors ? vectors->bytes + sizeof(FP_MAGIC2) : 0;

	return align_up(sizeof(struct signal_frame)) + align_up(xstate_bytes);
}

void machine_frame_make(void *frame, addr_t frame_at, addr_t sigreturn_at,
			const struct machine_registers *registers,
			const struct machine_vectors *vectors, uint64_t signal_mask)
{
	const struct user_regs_struct *user = &registers->user;
	const greg_t general[NGREG] = {
		[REG_R8] = (greg_t)user->r8,
		[REG_R9] = (greg_t)user->r9,
		[REG_R10] = (greg_t)user->r10,
		[REG_R11] = (greg_t)user->r11,
		[REG_R12] = (greg_t)user->r12,
		[REG_R13] = (greg_t)user->r13,
		[REG_R14] = (greg_t)user->r14,
		[REG_R15] = (greg_t)user->r15,
		[REG_RDI] = (greg_t)user->rdi,
		[REG_RSI] = (greg_t)user->rsi,
		[REG_RBP] = (greg_t)user->rbp,
		[REG_RBX] = (greg_t)user->rbx,
		[REG_RDX] = (greg_t)user->rdx,
		[REG_RAX] = (greg_t)user->rax,
		[REG_RCX] = (greg_t)user->rcx,
		[REG_RSP] = (greg_t)user->rsp,
		[REG_RIP] = (greg_t)user->rip,
		[REG_EFL] = (greg_t)user->eflags,
		[REG_CSGSFS] = (greg_t)((user->cs & 0xffff) | (user->gs & 0xffff) << 16 |
					(user->fs & 0xffff) << 32 | (user->ss & 0xffff) << 48),
	};
	struct signal_frame *signal_frame = frame;
	size_t xstate_at = align_up(sizeof(*signal_frame));

	signal_frame->return_at = sigreturn_at;
	signal_frame->context.uc_flags = FRAME_FLAGS;
	signal_frame->context.uc_stack.ss_flags = NO_CHANGE;
	memcpy(signal_frame->context.uc_mcontext.gregs, general, sizeof(general));
	memcpy(&signal_frame->context.uc_sigmask, &signal_mask, sizeof(signal_mask));
	if (!vectors)
		return;
	signal_frame->context.uc_mcontext.fpregs = (fpregset_t)(uintptr_t)(frame_at + xstate_at);
	memcpy((char *)frame + xstate_at, vectors->xstate, vectors->bytes + sizeof(FP_MAGIC2));
}

size_t machine_frame_argument_at(void)
{
	return offsetof(struct signal_frame, context.uc_mcontext.gregs) + REG_RDI * sizeof(greg_t);
}

#endif
