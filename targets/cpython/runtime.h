/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_RUNTIME_H
#define TARGETS_CPYTHON_RUNTIME_H

/*
 * The interpreter's own state: is it there, is it up, which interpreters and threads it has, what its
 * collector is doing. Everything is read through a window, so clear that before another moment.
 */

#include "mem/window.h"
#include "targets/cpython/layout.h"
#include "targets/target.h"

enum {
	/** Limits of walks over linked lists of the runtime. */
	PY_INTERPRETERS_MAX = 4096,
	PY_THREADS_MAX = 1 << 20,
	PY_GENERATIONS_MAX = TARGET_GENERATIONS_MAX,
};

/** The module that holds the interpreter, or NULL when none does: by the symbols it exports. */
MUST_USE struct error *py_runtime_find(struct module_list *modules, struct module **ret);

struct py_interpreters {
	addr_t *at;
	size_t count;
};
void py_interpreters_deinit(struct py_interpreters *interpreters);
#define _cleanup_py_interpreters_ CLEANUP(py_interpreters_deinit)

/** The interpreters; none is no error here. */
MUST_USE struct error *py_interpreters_read(const struct py_layout *layout,
					    struct mem_window *window, struct py_interpreters *ret);

/**
 * The version ("3.11.2") from sys.version into @a into, "" where its memory is lost. ERROR_UNSUPPORTED
 * with the reason when the interpreter is not initialised yet or is finalizing.
 */
MUST_USE struct error *py_runtime_version(const struct py_layout *layout, struct mem_window *window,
					  char *into, size_t bytes);

/** A list of the collector: the head's address and what it holds. */
struct py_gc_list {
	addr_t head_at;
	addr_t next;
	addr_t prev;
	int64_t threshold;
	int64_t count;
	/** Where that is, an int. */
	addr_t count_at;
	/** The permanent generation of gc.freeze(). */
	bool permanent;
};

/** The collector of one interpreter, or the one of all. */
struct py_gc_state {
	struct py_gc_list *lists;
	size_t list_count;
	size_t list_capacity;
	bool collecting;
	int64_t enabled;
	/** Where that is, an int; 0 when unknown. */
	addr_t enabled_at;
	int64_t debug;
	/** The list object gc.garbage; 0 when there is none yet. */
	addr_t garbage_at;
	/** The list object gc.callbacks (3.3); 0 when there is none. */
	addr_t callbacks_at;
	/** The array of what gc.get_stats() tells, and how many there are; 0 when there is none. */
	addr_t stats_at;
	uint32_t stats_count;
};
void py_gc_state_deinit(struct py_gc_state *state);
#define _cleanup_py_gc_state_ CLEANUP(py_gc_state_deinit)

/** The lists of all collectors together; flags and numbers are those of the first. */
MUST_USE struct error *py_gc_state_read(const struct py_layout *layout, struct mem_window *window,
					const struct py_interpreters *interpreters,
					struct py_gc_state *ret);

/** Whether a collection calls functions of the program when it begins and ends (gc.callbacks). */
bool py_gc_state_calls_back(const struct py_layout *layout, struct mem_window *window,
			    const struct py_gc_state *state);

/** Where the struct of the GIL of the interpreter at @a interp_at is; 0 where it has none. */
addr_t py_runtime_gil(const struct py_layout *layout, struct mem_window *window, addr_t interp_at);

/** Which thread state holds the GIL of the interpreter at @a interp_at; 0 when none or unknown. */
addr_t py_runtime_gil_holder(const struct py_layout *layout, struct mem_window *window,
			     addr_t interp_at);

/** The runtime's own sum of all reference counts; -1 when this build keeps none. */
int64_t py_runtime_ref_total(const struct py_layout *layout, struct mem_window *window,
			     const struct py_interpreters *interpreters);

/** References that the runtime's own sum has and no object's count: the table of interned strings
 *  holds each of them twice, as key and value, and takes that back from its count. */
int64_t py_runtime_hidden_refs(const struct py_layout *layout, struct mem_window *window);

/** What the state of a thread at @a tstate_at tells of it; its interpreter is number @a number of the
 *  list, the youngest first, and @a holder_at who has that one's GIL. */
struct target_thread py_runtime_thread(const struct py_layout *layout, struct mem_window *window,
				       const struct py_interpreters *interpreters, size_t number,
				       addr_t tstate_at, addr_t holder_at);

/** Adds the threads of all interpreters to @a facts. */
MUST_USE struct error *py_runtime_threads(const struct py_layout *layout, struct mem_window *window,
					  const struct py_interpreters *interpreters,
					  struct target_facts *facts);

/** Fills all of @a ret; the caller frees it with target_facts_deinit(). After a failure it is empty. */
MUST_USE struct error *py_runtime_facts(const struct py_layout *layout, struct mem_window *window,
					struct target_facts *ret);

#endif
