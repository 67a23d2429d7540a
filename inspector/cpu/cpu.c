// SPDX-License-Identifier: GPL-3.0-or-later
#include "cpu/cpu.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/interrupt.h"
#include "base/pages.h"
#include "cpu/cpu_decode.h"
#include "cpu/cpu_runs.h"
#include "cpu/cpu_state.h"

enum {
	INSNS = 1 << 15,
	ARGUMENTS_MAX = 6,
	/** Above the first return address: what a function may take for arguments on the stack. */
	STACK_HEADROOM = 256,
	/** So often somebody is asked whether to go on. */
	SLICE_STEPS = 1 << 20,
	/** An odd distance spreads them over the decoded instructions. */
	FREE_DISTANCE = 80,
};

/** Nobody's addresses: cpu_free_address(); the first one is where the called function returns to. */
static const addr_t FREE_AT = UINT64_C(0xffffd00000000000);

bool cpu_is_supported(void)
{
#if defined(__x86_64__)
	return true;
#else
	return false;
#endif
}

void cpu_stop(struct cpu *cpu, enum cpu_outcome outcome)
{
	if (cpu->stopped)
		return;
	cpu->stopped = true;
	cpu->outcome = outcome;
	cpu->left_when_stopped = cpu->left;
	cpu->left = 0;
}

void cpu_stop_fault(struct cpu *cpu)
{
	cpu_stop(cpu, cpu->memory.too_much ? CPU_TOO_MUCH : CPU_FAULT);
}

const uint8_t *cpu_readable_slow(struct cpu *cpu, addr_t at, size_t bytes)
{
	const uint8_t *found = cpu_memory_find(&cpu->memory, at, bytes, cpu->bounce);

	if (found)
		return found;
	cpu_stop_fault(cpu);
	memset(cpu->bounce, 0, sizeof(cpu->bounce));
	return cpu->bounce;
}

void cpu_store_slow(struct cpu *cpu, addr_t at, const void *from, size_t bytes)
{
	if (!cpu->stopped && !cpu_memory_write(&cpu->memory, at, from, bytes))
		cpu_stop_fault(cpu);
}

addr_t cpu_address_odd(struct cpu *cpu, const struct cpu_insn *insn, addr_t at)
{
	if (insn->address & CPU_ADDRESS_32)
		at = (uint32_t)at;
	if (insn->address & CPU_ADDRESS_FS) {
		if (cpu->thread_pointer == 0) {
			cpu->memory.fault_at = at;
			cpu_stop(cpu, CPU_FAULT);
		}
		at += cpu->thread_pointer;
	}
	if (insn->address & CPU_ADDRESS_GS) {
		cpu->memory.fault_at = at;
		cpu_stop(cpu, CPU_FAULT);
	}
	return at;
}

// Bits of the flags register.
enum {
	FLAG_CARRY = 1 << 0,
	FLAG_ALWAYS = 1 << 1,
	FLAG_PARITY = 1 << 2,
	FLAG_ADJUST = 1 << 4,
	FLAG_ZERO = 1 << 6,
	FLAG_SIGN = 1 << 7,
	FLAG_INTERRUPTS = 1 << 9,
	FLAG_DIRECTION = 1 << 10,
	FLAG_OVERFLOW = 1 << 11,
};

uint64_t cpu_flags_pack(const struct cpu_flags *flags)
{
	return FLAG_ALWAYS | FLAG_INTERRUPTS | (flags->carry ? FLAG_CARRY : 0) |
	       (cpu_parity(flags) ? FLAG_PARITY : 0) | (flags->adjust & FLAG_ADJUST) |
	       (flags->zero == 0 ? FLAG_ZERO : 0) | (flags->sign >> 63 ? FLAG_SIGN : 0) |
	       (flags->direction ? FLAG_DIRECTION : 0) | (flags->overflow ? FLAG_OVERFLOW : 0);
}

void cpu_flags_unpack(struct cpu_flags *flags, uint64_t packed)
{
	flags->carry = packed & FLAG_CARRY;
	flags->parity = packed & FLAG_PARITY ? 0 : 1;
	flags->adjust = packed & FLAG_ADJUST;
	flags->zero = !(packed & FLAG_ZERO);
	flags->sign = packed & FLAG_SIGN ? UINT64_C(1) << 63 : 0;
	flags->direction = packed & FLAG_DIRECTION;
	flags->overflow = packed & FLAG_OVERFLOW;
}

// The called function has returned.
static void cpu_run_end(struct cpu *cpu, const struct cpu_insn *insn)
{
	cpu_stop(cpu, CPU_RETURNED);
}

static void cpu_run_gate(struct cpu *cpu, const struct cpu_insn *insn)
{
	const struct cpu_gate_entry *entry = &cpu->gates[insn->imm];
	struct cpu_gate_call call = {
		.args = {cpu->regs[CPU_RDI], cpu->regs[CPU_RSI], cpu->regs[CPU_RDX],
			 cpu->regs[CPU_RCX], cpu->regs[8], cpu->regs[9]},
		.context = entry->context,
	};

	if (!entry->gate(cpu, &call)) {
		cpu_stop(cpu, cpu->memory.too_much ? CPU_TOO_MUCH : CPU_STOPPED);
		return;
	}
	cpu->regs[CPU_RAX] = call.result;
	cpu->rip = cpu_pop(cpu);
}

static struct cpu_insn *cpu_slot(const struct cpu *cpu, addr_t at)
{
	return &cpu->insns[at % INSNS];
}

struct error *cpu_create(struct mem_source *memory, struct cpu **ret)
{
	struct cpu *cpu = calloc(1, sizeof(*cpu));

	if (!cpu)
		return error_no_memory();
	cpu->insns = pages_alloc_sparse(INSNS * sizeof(*cpu->insns));
	struct error *error = cpu->insns ? NULL : error_no_memory();
	if (!error)
		error = cpu_memory_init(&cpu->memory, memory);
	if (error) {
		cpu_destroy(cpu);
		return error;
	}
	// Empty slots are those of address 0; its own must not be empty.
	*cpu_slot(cpu, 0) = (struct cpu_insn){.at = 1};
	// The first one is FREE_AT.
	cpu_free_address(cpu);
	cpu_set_limits(cpu, CPU_STEPS_DEFAULT, CPU_PAGES_DEFAULT);
	*ret = cpu;
	return NULL;
}

void cpu_destroy(struct cpu *cpu)
{
	if (!cpu)
		return;
	cpu_memory_deinit(&cpu->memory);
	addr_map_deinit(&cpu->gate_index);
	free(cpu->gates);
	pages_free_sparse(cpu->insns, INSNS * sizeof(*cpu->insns));
	free(cpu);
}

void cpu_set_limits(struct cpu *cpu, uint64_t steps_max, size_t pages_max)
{
	cpu->steps_max = steps_max;
	cpu->memory.written_max = pages_max;
}

void cpu_set_thread_pointer(struct cpu *cpu, addr_t thread_pointer)
{
	cpu->thread_pointer = thread_pointer;
}

void cpu_set_system_call(struct cpu *cpu, cpu_system_call *answer, void *context)
{
	cpu->answer = answer;
	cpu->answer_context = context;
}

addr_t cpu_free_address(struct cpu *cpu)
{
	return FREE_AT + FREE_DISTANCE * cpu->free_count++;
}

struct error *cpu_add_gate(struct cpu *cpu, addr_t at, cpu_gate *gate, void *context)
{
	struct error *error = array_reserve(&cpu->gates, &cpu->gates_capacity, cpu->gates_count + 1,
					    sizeof(*cpu->gates));

	if (!error)
		error = addr_map_put(&cpu->gate_index, at, (uint32_t)cpu->gates_count);
	if (error)
		return error;
	cpu->gates[cpu->gates_count++] = (struct cpu_gate_entry){.gate = gate, .context = context};
	// What was decoded there before is not to be found any more.
	cpu_slot(cpu, at)->at = at + 1;
	return NULL;
}

// The bytes of an instruction that straddles two pages.
static size_t cpu_code_across(struct cpu *cpu, addr_t at, const uint8_t *bytes, size_t count,
			      uint8_t *into)
{
	memcpy(into, bytes, count);
	const uint8_t *rest = cpu_memory_code(&cpu->memory, at + count);
	if (!rest)
		return count;
	memcpy(into + count, rest, CPU_INSN_BYTES_MAX - count);
	return CPU_INSN_BYTES_MAX;
}

// Decodes the instruction at rip. NULL when the call has ended with it.
static const struct cpu_insn *cpu_fetch(struct cpu *cpu)
{
	addr_t at = cpu->rip;
	struct cpu_insn *slot = cpu_slot(cpu, at);
	uint8_t straddling[CPU_INSN_BYTES_MAX];
	uint32_t gate;

	if (at == FREE_AT || (at != 0 && addr_map_get(&cpu->gate_index, at, &gate))) {
		*slot = (struct cpu_insn){.at = at, .run = cpu_run_end};
		if (at != FREE_AT) {
			slot->run = cpu_run_gate;
			slot->imm = gate;
		}
		return slot;
	}

	const uint8_t *bytes = cpu_memory_code(&cpu->memory, at);
	if (!bytes) {
		cpu_stop(cpu, CPU_FAULT);
		return NULL;
	}
	struct cpu_insn insn;
	size_t count = CPU_PAGE_BYTES - at % CPU_PAGE_BYTES;
	enum cpu_decoded decoded = cpu_decode(bytes, count, at, &insn);
	if (decoded == CPU_DECODED_SHORT) {
		count = cpu_code_across(cpu, at, bytes, count, straddling);
		decoded = cpu_decode(straddling, count, at, &insn);
	}
	if (decoded != CPU_DECODED) {
		cpu_stop(cpu, decoded == CPU_DECODED_SHORT ? CPU_FAULT : CPU_UNKNOWN_INSTRUCTION);
		return NULL;
	}
	*slot = insn;
	return slot;
}

static void cpu_run_slice(struct cpu *cpu)
{
	while (cpu->left > 0) {
		const struct cpu_insn *insn = cpu_slot(cpu, cpu->rip);

		if (__builtin_expect(insn->at != cpu->rip, 0)) {
			insn = cpu_fetch(cpu);
			if (!insn) {
				cpu->at = cpu->rip;
				return;
			}
		}
		cpu->left--;
		cpu->at = insn->at;
		cpu->rip = insn->at + insn->length;
		insn->run(cpu, insn);
	}
}

// Counts the steps.
static void cpu_loop(struct cpu *cpu)
{
	cpu->steps = 0;
	while (!cpu->stopped && cpu->steps < cpu->steps_max) {
		uint64_t rest = cpu->steps_max - cpu->steps;
		uint64_t slice = rest < SLICE_STEPS ? rest : SLICE_STEPS;

		cpu->left = slice;
		cpu_run_slice(cpu);
		cpu->steps += slice - (cpu->stopped ? cpu->left_when_stopped : cpu->left);
		if (interrupt_pending())
			cpu_stop(cpu, CPU_STOPPED);
	}
}

enum cpu_outcome cpu_call(struct cpu *cpu, addr_t function, const uint64_t *args, size_t count,
			  uint64_t *ret_result)
{
	static const uint8_t registers[ARGUMENTS_MAX] = {CPU_RDI, CPU_RSI, CPU_RDX, CPU_RCX, 8, 9};

	// One run is like another: nothing of the last one is left.
	memset(cpu->regs, 0, sizeof(cpu->regs));
	memset(&cpu->flags, 0, sizeof(cpu->flags));
	for (size_t i = 0; i < count && i < ARGUMENTS_MAX; i++)
		cpu->regs[registers[i]] = args[i];
	cpu->stopped = false;
	cpu->left = 0;
	cpu->memory.too_much = false;
	cpu->regs[CPU_RSP] = CPU_STACK_AT + CPU_STACK_BYTES - STACK_HEADROOM;
	cpu_push(cpu, FREE_AT);
	cpu->rip = function;
	cpu->at = function;
	cpu_loop(cpu);
	if (!cpu->stopped)
		cpu->outcome = CPU_TOO_LONG;
	if (cpu->outcome == CPU_RETURNED)
		*ret_result = cpu->regs[CPU_RAX];
	return cpu->outcome;
}

addr_t cpu_at(const struct cpu *cpu)
{
	return cpu->at;
}

uint64_t cpu_steps(const struct cpu *cpu)
{
	return cpu->steps;
}

bool cpu_read(struct cpu *cpu, addr_t at, void *into, size_t bytes)
{
	return cpu_memory_read(&cpu->memory, at, into, bytes);
}

bool cpu_write(struct cpu *cpu, addr_t at, const void *from, size_t bytes)
{
	return cpu_memory_write(&cpu->memory, at, from, bytes);
}

bool cpu_map(struct cpu *cpu, addr_t at, uint64_t bytes)
{
	return cpu_memory_map(&cpu->memory, at, bytes);
}

void cpu_forget_writes(struct cpu *cpu)
{
	cpu_memory_forget(&cpu->memory);
}

static void cpu_describe_unknown(struct cpu *cpu, char *into, size_t bytes)
{
	char text[3 * CPU_INSN_BYTES_MAX + 1] = "";
	uint8_t byte;

	for (size_t i = 0; i < 8 && cpu_read(cpu, cpu->at + i, &byte, 1); i++)
		snprintf(text + 3 * i, sizeof(text) - 3 * i, " %02x", byte);
	snprintf(into, bytes, "unknown instruction%s at 0x%llx", text, (unsigned long long)cpu->at);
}

const char *cpu_describe(struct cpu *cpu, enum cpu_outcome outcome, char *into, size_t bytes)
{
	unsigned long long at = cpu->at;

	switch (outcome) {
	case CPU_RETURNED:
		snprintf(into, bytes, "returned");
		break;
	case CPU_STOPPED:
		snprintf(into, bytes, "stopped at 0x%llx", at);
		break;
	case CPU_UNKNOWN_INSTRUCTION:
		cpu_describe_unknown(cpu, into, bytes);
		break;
	case CPU_FAULT:
		snprintf(into, bytes, "fault at 0x%llx, at address 0x%llx", at,
			 (unsigned long long)cpu->memory.fault_at);
		break;
	case CPU_SYSTEM_CALL:
		snprintf(into, bytes, "system call at 0x%llx", at);
		break;
	case CPU_TOO_LONG:
		snprintf(into, bytes, "not done after %llu steps, at 0x%llx",
			 (unsigned long long)cpu->steps, at);
		break;
	case CPU_TOO_MUCH:
		snprintf(into, bytes, "more than %zu pages written, at 0x%llx",
			 cpu->memory.written_max, at);
		break;
	}
	return into;
}
