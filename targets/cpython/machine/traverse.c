// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/machine/traverse.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "cpu/cpu.h"

enum {
	/** Visits of one object; a deque or a table of C code may have as many as a list. */
	VISITS_MAX = 1 << 28,
	PAGES_MAX = 64,
};

/** Some instructions for each of the references of a large object. */
static const uint64_t STEPS_MAX = 1ULL << 28;

struct py_traverse {
	struct cpu *cpu;
	addr_t visit_at;
	addr_t attach_at;
	addr_t *visited;
	size_t count;
	size_t capacity;
	struct error *error;
	char reason[120];
};

static bool traverse_visit(struct cpu *cpu, struct cpu_gate_call *call)
{
	struct py_traverse *traverse = call->context;

	if (traverse->count == traverse->capacity) {
		struct error *error =
			traverse->count >= VISITS_MAX
				? error_create(ERROR_FAILED, "a tp_traverse does not end")
				: array_reserve(&traverse->visited, &traverse->capacity,
						traverse->count + 1, sizeof(*traverse->visited));
		if (error) {
			error_destroy(traverse->error);
			traverse->error = error;
			return false;
		}
	}
	traverse->visited[traverse->count++] = call->args[0];
	call->result = 0;
	return true;
}

struct error *py_traverse_create(struct mem_source *memory, addr_t thread_pointer,
				 const struct py_libc_gates *gates, struct py_traverse **ret)
{
	*ret = NULL;
	if (!cpu_is_supported())
		return NULL;
	struct py_traverse *traverse = calloc(1, sizeof(*traverse));
	struct error *error = traverse ? cpu_create(memory, &traverse->cpu) : error_no_memory();

	if (!error) {
		cpu_set_limits(traverse->cpu, STEPS_MAX, PAGES_MAX);
		cpu_set_thread_pointer(traverse->cpu, thread_pointer);
		traverse->visit_at = cpu_free_address(traverse->cpu);
		error = cpu_add_gate(traverse->cpu, traverse->visit_at, traverse_visit, traverse);
	}
	if (!error)
		error = py_libc_gates_add(gates, traverse->cpu);
	if (error) {
		py_traverse_destroy(traverse);
		return error;
	}
	*ret = traverse;
	return NULL;
}

void py_traverse_set_attach(struct py_traverse *traverse, addr_t attach_at)
{
	traverse->attach_at = attach_at;
}

void py_traverse_destroy(struct py_traverse *traverse)
{
	if (!traverse)
		return;
	cpu_destroy(traverse->cpu);
	error_destroy(traverse->error);
	free(traverse->visited);
	free(traverse);
}

static bool traverse_finish(struct py_traverse *traverse, enum cpu_outcome outcome)
{
	cpu_forget_writes(traverse->cpu);
	if (outcome == CPU_RETURNED)
		return true;
	cpu_describe(traverse->cpu, outcome, traverse->reason, sizeof(traverse->reason));
	return false;
}

// What it writes stays for the next call. When it cannot be run, the reason is still that of before.
static bool traverse_attach(struct py_traverse *traverse)
{
	uint64_t ignored;

	if (!traverse->attach_at)
		return false;
	if (cpu_call(traverse->cpu, traverse->attach_at, NULL, 0, &ignored) == CPU_RETURNED)
		return true;
	cpu_forget_writes(traverse->cpu);
	return false;
}

bool py_traverse_run(struct py_traverse *traverse, addr_t traverse_at, addr_t object_at,
		     const addr_t **ret, size_t *ret_count)
{
	const uint64_t args[] = {object_at, traverse->visit_at, 0};
	uint64_t result = 0;

	traverse->count = 0;
	enum cpu_outcome outcome =
		cpu_call(traverse->cpu, traverse_at, args, ARRAY_COUNT(args), &result);
	bool has_returned = traverse_finish(traverse, outcome);
	if (outcome == CPU_FAULT && traverse_attach(traverse)) {
		traverse->count = 0;
		outcome = cpu_call(traverse->cpu, traverse_at, args, ARRAY_COUNT(args), &result);
		has_returned = traverse_finish(traverse, outcome);
	}
	*ret = traverse->visited;
	*ret_count = traverse->count;
	return has_returned;
}

const char *py_traverse_reason(const struct py_traverse *traverse)
{
	return traverse->reason;
}

bool py_traverse_call(struct py_traverse *traverse, addr_t function_at, addr_t argument,
		      uint64_t *ret)
{
	return traverse_finish(traverse, cpu_call(traverse->cpu, function_at, &argument, 1, ret));
}

struct error *py_traverse_take_error(struct py_traverse *traverse)
{
	return traverse ? take_ptr(traverse->error) : NULL;
}
