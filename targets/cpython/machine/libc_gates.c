// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/machine/libc_gates.h"

#include <string.h>

#include "base/cleanup.h"
#include "targets/cpython/machine/libc_functions.h"

static void gates_destroy_cpu(struct cpu **cpu)
{
	cpu_destroy(*cpu);
}

struct module *py_libc_module(struct module_list *modules)
{
	for (size_t i = 0; i < modules->count; i++) {
		const char *slash = strrchr(modules->list[i].path, '/');

		// Up to 2.33 it may have its version in its name.
		if (slash &&
		    (strncmp(slash, "/libc.so", 8) == 0 || strncmp(slash, "/libc-2.", 8) == 0))
			return &modules->list[i];
	}
	return NULL;
}

static bool gates_has(const struct py_libc_gates *gates, addr_t at)
{
	for (size_t i = 0; i < gates->count; i++)
		if (gates->list[i].at == at)
			return true;
	return false;
}

/*
 * What is at the symbol is the function itself, where glibc has only one: without arguments it then
 * gives no address of the library, and its code is run as it is.
 */
static void gates_ask(const struct libc_function *function, struct module *libc, struct cpu *cpu,
		      addr_t resolver_at, struct py_libc_gates *gates)
{
	uint64_t chosen_at = 0;
	bool returned = cpu_call(cpu, resolver_at, NULL, 0, &chosen_at) == CPU_RETURNED;

	cpu_forget_writes(cpu);
	if (!returned || chosen_at < libc->start || chosen_at >= libc->end ||
	    gates_has(gates, chosen_at) || gates->count == PY_LIBC_GATES_MAX)
		return;
	gates->list[gates->count++] =
		(struct py_libc_gate){.at = chosen_at, .gate = function->gate};
}

struct error *py_libc_gates_find(struct module_list *modules, struct mem_source *memory,
				 addr_t thread_pointer, struct py_libc_gates *ret)
{
	CLEANUP(gates_destroy_cpu) struct cpu *cpu = NULL;
	struct module *libc = modules ? py_libc_module(modules) : NULL;

	ret->count = 0;
	if (!libc || !cpu_is_supported())
		return NULL;
	struct error *error = cpu_create(memory, &cpu);
	if (error)
		return error;
	cpu_set_thread_pointer(cpu, thread_pointer);
	for (const struct libc_function *function = libc_functions; !error && function->name;
	     function++) {
		bool present;
		addr_t at;

		error = module_symbol(libc, function->name, &present, &at);
		if (!error && present)
			gates_ask(function, libc, cpu, at, ret);
	}
	// A library whose file is gone has no gates: what needs them says so itself.
	if (error && error->code != ERROR_NO_MEMORY) {
		error_destroy(error);
		error = NULL;
	}
	return error;
}

struct error *py_libc_gates_add(const struct py_libc_gates *gates, struct cpu *cpu)
{
	struct error *error = NULL;

	for (size_t i = 0; gates && i < gates->count && !error; i++)
		error = cpu_add_gate(cpu, gates->list[i].at, gates->list[i].gate, NULL);
	return error;
}
