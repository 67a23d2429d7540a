// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/machine/machine.h"

#if defined(__aarch64__)

// Before the kernel's headers, which define some of its constants as macros.
#include <sys/ptrace.h>

#include <asm/ptrace.h>
#include <asm/sigcontext.h>
#include <elf.h>
#include <errno.h>
#include <linux/audit.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>

#include "base/array.h"
#include "mem/process.h"

// Linux 5.19 and 6.13: newer than elf.h may be.
#ifndef NT_ARM_SSVE
#define NT_ARM_SSVE 0x40b
#endif
#ifndef NT_ARM_ZA
#define NT_ARM_ZA 0x40c
#endif
#ifndef NT_ARM_GCS
#define NT_ARM_GCS 0x410
#endif

enum {
	INSTRUCTION_BYTES = 4,
	/** Of a system call: the number, and where a function returns to. */
	REGISTER_NUMBER = 8,
	REGISTER_FRAME = 29,
	REGISTER_LINK = 30,
	/** The records of a frame, fewer than the kernel allows for. */
	RECORDS_BYTES_MAX = 4096,
	RECORD_ALIGN_BYTES = 16,
	SET_BYTES_MAX = 16 << 10,
};

static const uint32_t SVC_0 = 0xd4000001U;
static const uint32_t RET = 0xd65f03c0U;
/** mov x8, #139 (rt_sigreturn): the vDSO has it, as the kernel's answer to a handler that returns. */
static const uint32_t MOV_X8_SIGRETURN = 0xd2801168U;

/** No mode that sigaltstack() knows: it stays as it is. */
static const int NO_CHANGE = 0x1000;

/** As the kernel puts it on the stack of a handler (arch/arm64/kernel/signal.c), but for the rest of
 *  `records`, which is not looked at. */
struct signal_frame {
	siginfo_t info;
	struct {
		unsigned long flags;
		void *link;
		stack_t stack;
		sigset_t mask;
		_Alignas(16) uint64_t fault_address;
		struct user_regs_struct registers;
		_Alignas(16) unsigned char records[];
	} context;
};

_Static_assert(offsetof(struct signal_frame, context.records) ==
		       sizeof(siginfo_t) + offsetof(ucontext_t, uc_mcontext.__reserved),
	       "not the frame of the kernel");

struct machine_vectors {
	/** NT_ARM_SVE's set, which has all of them, or NT_PRFPREG's. */
	bool is_scalable;
	size_t bytes;
	_Alignas(16) unsigned char set[];
};

static uint32_t word_at(const unsigned char *bytes)
{
	uint32_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

unsigned machine_elf(void)
{
	return EM_AARCH64;
}

uint32_t machine_audit_arch(void)
{
	return AUDIT_ARCH_AARCH64;
}

void machine_scan_code(const unsigned char *bytes, size_t count, addr_t at, addr_t *syscall_at,
		       addr_t *sigreturn_at)
{
	for (size_t i = -at % INSTRUCTION_BYTES; i + 2 * INSTRUCTION_BYTES <= count;
	     i += INSTRUCTION_BYTES) {
		uint32_t first = word_at(bytes + i);
		uint32_t second = word_at(bytes + i + INSTRUCTION_BYTES);
		if (!*syscall_at && first == SVC_0 && second == RET)
			*syscall_at = at + i;
		if (!*sigreturn_at && first == MOV_X8_SIGRETURN && second == SVC_0)
			*sigreturn_at = at + i;
	}
}

bool machine_registers_take(const void *set, size_t bytes, struct machine_registers *ret)
{
	if (bytes != sizeof(ret->user))
		return false;
	memcpy(&ret->user, set, sizeof(ret->user));
	ret->call = -1;
	return !(ret->user.pstate & PSR_MODE32_BIT);
}

struct error *machine_registers_read(pid_t tid, struct machine_registers *ret, bool *ret_known)
{
	struct iovec into = {.iov_base = &ret->user, .iov_len = sizeof(ret->user)};
	int call;

	*ret_known = false;
	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &into) < 0)
		return process_thread_error(tid, "read the registers of");
	// Another mode has another, shorter set.
	*ret_known = into.iov_len == sizeof(ret->user) && !(ret->user.pstate & PSR_MODE32_BIT);
	into = (struct iovec){.iov_base = &call, .iov_len = sizeof(call)};
	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_ARM_SYSTEM_CALL, &into) < 0)
		return process_thread_error(tid, "read the registers of");
	ret->call = call;
	return NULL;
}

struct error *machine_registers_write(pid_t tid, const struct machine_registers *registers)
{
	struct user_regs_struct user = registers->user;
	struct iovec from = {.iov_base = &user, .iov_len = sizeof(user)};
	int call = (int)registers->call;

	if (ptrace(PTRACE_SETREGSET, tid, (void *)NT_PRSTATUS, &from) < 0)
		return process_thread_error(tid, "set the registers of");
	from = (struct iovec){.iov_base = &call, .iov_len = sizeof(call)};
	if (ptrace(PTRACE_SETREGSET, tid, (void *)NT_ARM_SYSTEM_CALL, &from) < 0)
		return process_thread_error(tid, "set the registers of");
	return NULL;
}

size_t machine_general(const struct machine_registers *registers, uint64_t *into)
{
	_Static_assert(ARRAY_COUNT(registers->user.regs) <= MACHINE_REGISTERS_MAX,
		       "no room for all registers");
	for (size_t i = 0; i < ARRAY_COUNT(registers->user.regs); i++)
		into[i] = registers->user.regs[i];
	return ARRAY_COUNT(registers->user.regs);
}

addr_t machine_stack_pointer(const struct machine_registers *registers)
{
	return registers->user.sp;
}

addr_t machine_program_counter(const struct machine_registers *registers)
{
	return registers->user.pc;
}

addr_t machine_pthread(const struct machine_registers *registers)
{
	// It lies sizeof(struct pthread) below the thread pointer, and that size is glibc's secret.
	return 0;
}

uint64_t machine_result(const struct machine_registers *registers)
{
	return registers->user.regs[0];
}

uint64_t machine_argument(const struct machine_registers *registers, unsigned index)
{
	return registers->user.regs[index];
}

void machine_set_argument(struct machine_registers *registers, unsigned index, uint64_t value)
{
	registers->user.regs[index] = value;
}

static void registers_set_call(struct machine_registers *registers, addr_t at,
			       const uint64_t args[MACHINE_ARGS_MAX], addr_t stack_pointer)
{
	// Otherwise the kernel would start an interrupted call again, with these registers.
	registers->call = -1;
	registers->user.pc = at;
	registers->user.sp = stack_pointer;
	// A jump was not what led here: where code is guarded, only a landing pad may follow one.
	registers->user.pstate &= ~(unsigned long long)PSR_BTYPE_J;
	for (unsigned i = 0; i < MACHINE_ARGS_MAX; i++)
		registers->user.regs[i] = args[i];
}

void machine_set_syscall(struct machine_registers *registers, addr_t syscall_at, uint64_t number,
			 const uint64_t args[MACHINE_ARGS_MAX], addr_t frame_at,
			 addr_t sigreturn_at)
{
	registers_set_call(registers, syscall_at, args, frame_at ? frame_at : registers->user.sp);
	registers->user.regs[REGISTER_NUMBER] = number;
	registers->user.regs[REGISTER_LINK] = frame_at ? sigreturn_at : 0;
}

void machine_set_function(struct machine_registers *registers, addr_t at,
			  const uint64_t args[MACHINE_ARGS_MAX], addr_t stack_end)
{
	registers_set_call(registers, at, args, stack_end);
	registers->user.regs[REGISTER_FRAME] = 0;
	registers->user.regs[REGISTER_LINK] = 0;
}

void machine_call_again(struct machine_registers *registers)
{
	registers->user.regs[REGISTER_NUMBER] = (unsigned long long)registers->call;
	registers->user.pc -= INSTRUCTION_BYTES;
	registers->call = -1;
}

void machine_call_answer(struct machine_registers *registers, uint64_t result)
{
	registers->user.regs[0] = result;
	registers->call = -1;
}

// Where the kernel starts a call again, it has set the program counter back to it and x0 to what it was,
// before a tracer sees the registers (do_signal() in arch/arm64/kernel/signal.c).
static bool stands_at_call(pid_t tid, const struct machine_registers *registers)
{
	errno = 0;
	long word = ptrace(PTRACE_PEEKTEXT, tid, (void *)(uintptr_t)registers->user.pc, NULL);

	return !errno && (uint32_t)word == SVC_0;
}

static bool calls_restart(const struct machine_registers *registers)
{
	return registers->user.regs[REGISTER_NUMBER] == SYS_restart_syscall;
}

bool machine_restart_is_open(pid_t tid, const struct machine_registers *registers)
{
	return !calls_restart(registers) && stands_at_call(tid, registers);
}

bool machine_restart_is_remembered(pid_t tid, const struct machine_registers *registers)
{
	return calls_restart(registers) && stands_at_call(tid, registers);
}

// The C library has the number right before the call, mostly: mov x8, #number; svc #0.
static uint64_t number_before_call(pid_t tid, const struct machine_registers *registers)
{
	static const uint32_t move = 0xd2800000U | REGISTER_NUMBER, mask = 0xffe0001fU;
	enum { NUMBER_SHIFT = 5, NUMBER_MASK = 0xffff };
	addr_t at = registers->user.pc - INSTRUCTION_BYTES;

	errno = 0;
	long word = ptrace(PTRACE_PEEKTEXT, tid, (void *)(uintptr_t)at, NULL);
	if (errno || ((uint32_t)word & mask) != move)
		return 0;
	return (uint32_t)word >> NUMBER_SHIFT & NUMBER_MASK;
}

uint64_t machine_timed_call(pid_t tid, const struct machine_registers *registers)
{
	uint64_t number = calls_restart(registers) ? number_before_call(tid, registers)
						   : registers->user.regs[REGISTER_NUMBER];

	if (number == SYS_futex || number == SYS_nanosleep || number == SYS_clock_nanosleep)
		return number;
	return 0;
}

struct machine_registers machine_restarted(const struct machine_registers *before,
					   uint64_t timed_call)
{
	struct machine_registers registers = *before;

	// They are those of the call already.
	if (timed_call)
		registers.user.regs[REGISTER_NUMBER] = timed_call;
	return registers;
}

static const struct user_sve_header *scalable_header(const void *set)
{
	return set;
}

// Each record begins at a multiple of 16.
static size_t scalable_record_bytes(const struct machine_vectors *vectors)
{
	size_t bytes = SVE_SIG_CONTEXT_SIZE(sve_vq_from_vl(scalable_header(vectors->set)->vl));

	return (bytes + RECORD_ALIGN_BYTES - 1) & ~((size_t)RECORD_ALIGN_BYTES - 1);
}

// Without the rest of what the kernel reserves, as no thread needs to have touched it.
static size_t records_bytes(const struct machine_vectors *vectors)
{
	size_t bytes = sizeof(struct fpsimd_context) + sizeof(struct _aarch64_ctx);

	if (vectors && vectors->is_scalable)
		bytes += scalable_record_bytes(vectors);
	return bytes;
}

void machine_prepare(void)
{
}

struct error *machine_vectors_make(const void *set, size_t bytes, bool is_scalable,
				   struct machine_vectors **ret)
{
	const struct user_sve_header *header = set;

	*ret = NULL;
	if (is_scalable && (bytes < sizeof(*header) || !sve_vl_valid(header->vl) ||
			    (header->flags & SVE_PT_REGS_MASK) != SVE_PT_REGS_SVE ||
			    bytes < SVE_PT_SIZE(sve_vq_from_vl(header->vl), SVE_PT_REGS_SVE)))
		return NULL;
	if (!is_scalable && bytes < sizeof(struct user_fpsimd_state))
		return NULL;
	struct machine_vectors *vectors = calloc(1, sizeof(*vectors) + bytes);
	if (!vectors)
		return error_no_memory();
	vectors->is_scalable = is_scalable;
	vectors->bytes = bytes;
	memcpy(vectors->set, set, bytes);
	// Longer ones would be in an extra record.
	if (records_bytes(vectors) > RECORDS_BYTES_MAX)
		free(vectors);
	else
		*ret = vectors;
	return NULL;
}

// The set of registers @a type; false when the kernel or the processor has none, as *@a bytes 0.
static bool set_read(pid_t tid, unsigned type, void *set, size_t *bytes)
{
	struct iovec into = {.iov_base = set, .iov_len = *bytes};

	*bytes = 0;
	if (ptrace(PTRACE_GETREGSET, tid, (void *)(uintptr_t)type, &into) < 0)
		return false;
	*bytes = into.iov_len;
	return true;
}

// What a frame of ours does not restore: a shadow stack, the streaming mode and the matrix of SME.
static bool thread_has_more(pid_t tid, unsigned char *set)
{
	const uint64_t *shadow_stack_enabled = (const void *)set;
	const struct user_sve_header *vectors = (const void *)set;
	const struct user_za_header *matrix = (const void *)set;
	size_t bytes = SET_BYTES_MAX;

	if (set_read(tid, NT_ARM_GCS, set, &bytes) && *shadow_stack_enabled & 1)
		return true;
	bytes = SET_BYTES_MAX;
	if (set_read(tid, NT_ARM_SSVE, set, &bytes) &&
	    (vectors->flags & SVE_PT_REGS_MASK) == SVE_PT_REGS_SVE)
		return true;
	bytes = SET_BYTES_MAX;
	return set_read(tid, NT_ARM_ZA, set, &bytes) && matrix->size > sizeof(*matrix);
}

struct error *machine_vectors_read(pid_t tid, struct machine_vectors **ret)
{
	unsigned char *set = calloc(1, SET_BYTES_MAX);
	size_t bytes = SET_BYTES_MAX;
	struct error *error = NULL;

	*ret = NULL;
	if (!set)
		return error_no_memory();
	if (!thread_has_more(tid, set)) {
		bool is_scalable =
			set_read(tid, NT_ARM_SVE, set, &bytes) &&
			(scalable_header(set)->flags & SVE_PT_REGS_MASK) == SVE_PT_REGS_SVE;
		if (!is_scalable) {
			bytes = SET_BYTES_MAX;
			set_read(tid, NT_PRFPREG, set, &bytes);
		}
		if (!bytes && errno == ESRCH)
			error = process_thread_error(tid, "read the registers of");
		else
			error = machine_vectors_make(set, bytes, is_scalable, ret);
	}
	free(set);
	return error;
}

struct error *machine_vectors_write(pid_t tid, const struct machine_vectors *vectors)
{
	struct iovec from = {.iov_base = (void *)(uintptr_t)vectors->set,
			     .iov_len = vectors->bytes};

	if (!vectors->is_scalable)
		return NULL;
	if (ptrace(PTRACE_SETREGSET, tid, (void *)NT_ARM_SVE, &from) < 0)
		return process_thread_error(tid, "set the registers of");
	return NULL;
}

size_t machine_frame_bytes(const struct machine_vectors *vectors)
{
	size_t bytes = offsetof(struct signal_frame, context.records) + records_bytes(vectors);

	return (bytes + MACHINE_ALIGN_BYTES - 1) & ~((size_t)MACHINE_ALIGN_BYTES - 1);
}

static void record_make_vectors(unsigned char *record, const struct machine_vectors *vectors)
{
	struct fpsimd_context *context = (void *)record;

	context->head = (struct _aarch64_ctx){FPSIMD_MAGIC, sizeof(*context)};
	if (!vectors)
		return;
	const struct user_fpsimd_state *plain = (const void *)vectors->set;
	const unsigned char *scalable = vectors->set;
	unsigned vq = sve_vq_from_vl(scalable_header(scalable)->vl);
	if (!vectors->is_scalable) {
		memcpy(context->vregs, plain->vregs, sizeof(context->vregs));
		context->fpsr = plain->fpsr;
		context->fpcr = plain->fpcr;
		return;
	}
	for (size_t i = 0; i < ARRAY_COUNT(context->vregs); i++)
		memcpy(&context->vregs[i], scalable + SVE_PT_SVE_ZREG_OFFSET(vq, i),
		       sizeof(context->vregs[i]));
	memcpy(&context->fpsr, scalable + SVE_PT_SVE_FPSR_OFFSET(vq), sizeof(context->fpsr));
	memcpy(&context->fpcr, scalable + SVE_PT_SVE_FPCR_OFFSET(vq), sizeof(context->fpcr));
}

static void record_make_scalable(unsigned char *record, const struct machine_vectors *vectors)
{
	struct sve_context *context = (void *)record;
	unsigned vq = sve_vq_from_vl(scalable_header(vectors->set)->vl);

	context->head = (struct _aarch64_ctx){SVE_MAGIC, (uint32_t)scalable_record_bytes(vectors)};
	context->vl = scalable_header(vectors->set)->vl;
	memcpy(record + SVE_SIG_REGS_OFFSET, vectors->set + SVE_PT_REGS_OFFSET,
	       SVE_SIG_REGS_SIZE(vq));
}

void machine_frame_make(void *frame, addr_t frame_at, addr_t sigreturn_at,
			const struct machine_registers *registers,
			const struct machine_vectors *vectors, uint64_t signal_mask)
{
	struct signal_frame *signal_frame = frame;

	// All zeros behind the last record end them. What leads to it is in a register (x30).
	(void)sigreturn_at;
	(void)frame_at;
	signal_frame->context.stack.ss_flags = NO_CHANGE;
	memcpy(&signal_frame->context.mask, &signal_mask, sizeof(signal_mask));
	signal_frame->context.registers = registers->user;
	record_make_vectors(signal_frame->context.records, vectors);
	if (vectors && vectors->is_scalable)
		record_make_scalable(signal_frame->context.records + sizeof(struct fpsimd_context),
				     vectors);
}

size_t machine_frame_argument_at(void)
{
	return offsetof(struct signal_frame, context.registers.regs);
}

#endif
