/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CPU_CPU_H
#define CPU_CPU_H

/*
 * Runs a function of the inspected process without running anything in it: an interpreter of its
 * machine code (x86-64) over a copy of its memory. What the function writes goes to pages of our own
 * that are forgotten afterwards, its system calls never reach the kernel, and it ends after a bounded
 * number of steps. So a type's own tp_traverse tells which references an object has, for every build and every
 * extension, on a core file too.
 *
 * It knows nothing of Python. A gate is an address at which the caller stands instead of the code
 * there: the visitor given to a tp_traverse, malloc, memcpy.
 *
 * What is not known (an instruction, a system call, memory that cannot be read) ends the call with
 * an outcome that says so; it is never guessed.
 *
 * One cpu per thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "mem/source.h"

struct cpu;

enum cpu_outcome {
	/** It returned; the value is there. */
	CPU_RETURNED,
	/** A gate said to stop, or a signal asked us to (base/interrupt.h). */
	CPU_STOPPED,
	/** An instruction that is not known, at cpu_at(). */
	CPU_UNKNOWN_INSTRUCTION,
	/** Memory that cannot be read, or wild code. */
	CPU_FAULT,
	/** One that nobody answers: cpu_set_system_call(). */
	CPU_SYSTEM_CALL,
	/** More steps than cpu_set_limits() allows. */
	CPU_TOO_LONG,
	/** Wrote to more pages than cpu_set_limits() allows. */
	CPU_TOO_MUCH,
};

/** The integer arguments of the call at a gate (System V ABI), and what it returns. */
struct cpu_gate_call {
	uint64_t args[6];
	uint64_t result;
	/** What was set up with the gate. */
	void *context;
};

/** Stands for the function at a gate. False stops the whole run (CPU_STOPPED). It may read and write
 *  memory with cpu_read() and cpu_write(), and must not start another cpu_call() on the same cpu. */
typedef bool cpu_gate(struct cpu *cpu, struct cpu_gate_call *call);

/** Stands for the kernel: system call @a number with @a args; *@a ret_result is what it answers. False
 *  ends the run (CPU_SYSTEM_CALL). As a gate, it may read, write and cpu_map(). */
typedef bool cpu_system_call(struct cpu *cpu, uint64_t number, const uint64_t args[6],
			     int64_t *ret_result, void *context);

/** Whether this build knows the machine code of this machine's processes. */
bool cpu_is_supported(void);

/** @a memory must outlive the cpu and be safe to read from this thread. */
MUST_USE struct error *cpu_create(struct mem_source *memory, struct cpu **ret);
/** Takes NULL. */
void cpu_destroy(struct cpu *cpu);

enum {
	CPU_STEPS_DEFAULT = 1 << 20,
	CPU_PAGES_DEFAULT = 64,
};
/** Instructions of one call, and pages of 4 KiB written in it. */
void cpu_set_limits(struct cpu *cpu, uint64_t steps_max, size_t pages_max);

/** The base of %fs, where a thread's own variables are; 0 until set: then reading them is a fault. */
void cpu_set_thread_pointer(struct cpu *cpu, addr_t thread_pointer);

/** Who answers system calls; nobody at first. */
void cpu_set_system_call(struct cpu *cpu, cpu_system_call *answer, void *context);

/** An address that is nobody's, for gates that replace no code. */
addr_t cpu_free_address(struct cpu *cpu);

/** Whenever control reaches @a at, @a gate is called and control returns to the caller. */
MUST_USE struct error *cpu_add_gate(struct cpu *cpu, addr_t at, cpu_gate *gate, void *context);

/**
 * Calls the function at @a function with up to six integer arguments on a stack of its own. What it
 * wrote stays visible for cpu_read() and the next cpu_call() until cpu_forget_writes().
 */
enum cpu_outcome cpu_call(struct cpu *cpu, addr_t function, const uint64_t *args, size_t count,
			  uint64_t *ret_result);

/** Where the last call ended, for messages; and how many instructions it took. */
addr_t cpu_at(const struct cpu *cpu);
uint64_t cpu_steps(const struct cpu *cpu);

/** Memory as the called function would see it. False when it cannot be read, or written. */
bool cpu_read(struct cpu *cpu, addr_t at, void *into, size_t bytes);
bool cpu_write(struct cpu *cpu, addr_t at, const void *from, size_t bytes);

/** Zeros at the whole pages of [@a at, @a at + @a bytes), in pages of our own that count as written.
 *  False when there is something of our own already, or there would be too many. */
bool cpu_map(struct cpu *cpu, addr_t at, uint64_t bytes);

/** Drops all pages written, so that memory is the source's again. Cheap when there were few. */
void cpu_forget_writes(struct cpu *cpu);

/** "unknown instruction 0f 0b at 0x7f..."; for messages about @a outcome of the last call. */
const char *cpu_describe(struct cpu *cpu, enum cpu_outcome outcome, char *into, size_t bytes);

#endif
