// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/clone/seccomp_filter.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>

#include "base/cleanup.h"
#include "mem/machine/machine.h"

#ifndef PTRACE_SECCOMP_GET_FILTER
#define PTRACE_SECCOMP_GET_FILTER 0x420c
#endif

enum {
	/** A thread's filters; the kernel allows 32768 instructions in all. */
	FILTERS_MAX = 1024,
};

struct machine {
	uint32_t a;
	uint32_t x;
	uint32_t memory[BPF_MEMWORDS];
	const unsigned char *data;
};

static bool machine_load(struct machine *machine, const struct sock_filter *insn, uint32_t *into)
{
	switch (BPF_MODE(insn->code)) {
	case BPF_ABS:
		if (BPF_SIZE(insn->code) != BPF_W ||
		    insn->k > sizeof(struct seccomp_data) - sizeof(uint32_t))
			return false;
		memcpy(into, machine->data + insn->k, sizeof(*into));
		return true;
	case BPF_IMM:
		*into = insn->k;
		return true;
	case BPF_LEN:
		*into = sizeof(struct seccomp_data);
		return true;
	case BPF_MEM:
		if (insn->k >= BPF_MEMWORDS)
			return false;
		*into = machine->memory[insn->k];
		return true;
	}
	return false;
}

static bool machine_alu(struct machine *machine, const struct sock_filter *insn)
{
	uint32_t operand = BPF_SRC(insn->code) == BPF_X ? machine->x : insn->k;

	switch (BPF_OP(insn->code)) {
	case BPF_ADD:
		machine->a += operand;
		return true;
	case BPF_SUB:
		machine->a -= operand;
		return true;
	case BPF_MUL:
		machine->a *= operand;
		return true;
	case BPF_DIV:
		if (operand == 0)
			return false;
		machine->a /= operand;
		return true;
	case BPF_OR:
		machine->a |= operand;
		return true;
	case BPF_AND:
		machine->a &= operand;
		return true;
	case BPF_XOR:
		machine->a ^= operand;
		return true;
	case BPF_LSH:
		machine->a = operand < 32 ? machine->a << operand : 0;
		return true;
	case BPF_RSH:
		machine->a = operand < 32 ? machine->a >> operand : 0;
		return true;
	case BPF_NEG:
		machine->a = -machine->a;
		return true;
	}
	return false;
}

// By how many instructions beyond the next one; false for none that there is.
static bool machine_jump(const struct machine *machine, const struct sock_filter *insn,
			 uint32_t *ret_skip)
{
	uint32_t operand = BPF_SRC(insn->code) == BPF_X ? machine->x : insn->k;
	bool taken;

	switch (BPF_OP(insn->code)) {
	case BPF_JA:
		*ret_skip = insn->k;
		return true;
	case BPF_JEQ:
		taken = machine->a == operand;
		break;
	case BPF_JGT:
		taken = machine->a > operand;
		break;
	case BPF_JGE:
		taken = machine->a >= operand;
		break;
	case BPF_JSET:
		taken = machine->a & operand;
		break;
	default:
		return false;
	}
	*ret_skip = taken ? insn->jt : insn->jf;
	return true;
}

// Everything but jumps and the end; false for what there is not.
static bool machine_step(struct machine *machine, const struct sock_filter *insn)
{
	switch (BPF_CLASS(insn->code)) {
	case BPF_LD:
		return machine_load(machine, insn, &machine->a);
	case BPF_LDX:
		return machine_load(machine, insn, &machine->x);
	case BPF_ST:
	case BPF_STX:
		if (insn->k >= BPF_MEMWORDS)
			return false;
		machine->memory[insn->k] =
			BPF_CLASS(insn->code) == BPF_ST ? machine->a : machine->x;
		return true;
	case BPF_ALU:
		return machine_alu(machine, insn);
	case BPF_MISC:
		if (BPF_MISCOP(insn->code) == BPF_TAX)
			machine->x = machine->a;
		else
			machine->a = machine->x;
		return true;
	}
	return false;
}

uint32_t seccomp_filter_run(const struct sock_filter *program, size_t count,
			    const struct seccomp_data *data)
{
	struct machine machine = {.data = (const unsigned char *)data};

	// Jumps lead forwards alone, so it ends.
	for (size_t at = 0; at < count; at++) {
		const struct sock_filter *insn = &program[at];
		uint32_t skip = 0;
		bool known = true;

		if (BPF_CLASS(insn->code) == BPF_RET)
			return BPF_RVAL(insn->code) == BPF_A ? machine.a : insn->k;
		if (BPF_CLASS(insn->code) == BPF_JMP)
			known = machine_jump(&machine, insn, &skip);
		else
			known = machine_step(&machine, insn);
		if (!known || skip >= count - at)
			break;
		at += skip;
	}
	return SECCOMP_RET_KILL_PROCESS;
}

static bool filter_passes(uint32_t said)
{
	uint32_t action = said & SECCOMP_RET_ACTION_FULL;

	return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG;
}

struct error *seccomp_filters_ask(pid_t tid, uint64_t number, const uint64_t args[6], uint64_t at,
				  enum seccomp_answer *ret)
{
	struct seccomp_data data = {
		.nr = (int)number,
		.arch = machine_audit_arch(),
		.instruction_pointer = at,
	};

	for (size_t i = 0; i < 6; i++)
		data.args[i] = args[i];
	*ret = SECCOMP_PASSES;
	for (long i = 0; i < FILTERS_MAX; i++) {
		long count = ptrace(PTRACE_SECCOMP_GET_FILTER, tid, (void *)i, NULL);
		// Behind the last one.
		if (count < 0 && errno == ENOENT)
			return NULL;
		if (count < 0 && errno == ESRCH)
			return error_create(ERROR_GONE, "thread %d has ended", tid);
		if (count <= 0 || count > BPF_MAXINSNS)
			break;
		_cleanup_free_ struct sock_filter *program =
			calloc((size_t)count, sizeof(*program));
		if (!program)
			return error_no_memory();
		if (ptrace(PTRACE_SECCOMP_GET_FILTER, tid, (void *)i, program) != count)
			break;
		if (!filter_passes(seccomp_filter_run(program, (size_t)count, &data))) {
			*ret = SECCOMP_REFUSES;
			return NULL;
		}
	}
	*ret = SECCOMP_CANNOT_TELL;
	return NULL;
}
