/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_TARGET_H
#define TARGETS_TARGET_H

/*
 * SEAM 4: an inspected runtime. An adapter recognises its runtime in a process, checks everything it
 * needs to know up front in open(), and reports a heap into a sink. It does not stop the process,
 * print, or retry: session.c does.
 *
 * open() and is_calm() run while the process runs and read no heap; walk(), facts() and call_stacks() run
 * while it is paused.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/text.h"
#include "debug/module.h"
#include "heap/heap.h"
#include "heap/sink.h"
#include "mem/maps.h"
#include "mem/source.h"

/** What an adapter may look at; outlives the target. */
struct target_process {
	struct mem_source *source;
	struct module_list *modules;
	/** Mappings at the moment of open(); a walk asks the source for those of its own moment. */
	const struct maps *maps;
};

struct target;

/** A moment's state that makes numbers wrong, found by a walk. */
struct target_verdict {
	/** The numbers agree with each other. */
	bool consistent;
	/** Why not: "a collection was under way", "list of generation 0 torn at 0x..."; "" if
	 *  consistent. */
	char reason[160];
	/** Where, so that damage that stays is told from a bad moment; 0 when it has no place. */
	addr_t at;
	/** The runtime's own sum of all reference counts at that moment (debug builds; -1 elsewhere),
	 *  the part of it that belongs to objects on no heap, which are not reported, and the part
	 *  that the reference counts of objects leave out on purpose. */
	int64_t ref_total;
	int64_t ref_total_static;
	int64_t ref_total_hidden;
};

/** What a stopped thread's processor held. */
struct target_stack {
	pid_t tid;
	addr_t pthread_at;
	/** Below it the stack is dead. 0 when it could not be read. */
	addr_t stack_pointer;
	/** 0 likewise. */
	addr_t program_counter;
	/** The base of %fs; 0 when it could not be read. */
	addr_t thread_pointer;
	const uint64_t *registers;
	size_t register_count;
};

/** A moment to be walked: the memory to read, which is the paused process's or a copy of it made then. */
struct target_moment {
	struct mem_source *source;
	const struct target_stack *stacks;
	size_t stack_count;
};

/** How much is told of values. */
enum target_telling {
	TARGET_TELL_ALL,
	/** Types, sizes, and names that code has (of attributes, functions, modules, files): no characters of
	 *  strings, no numbers, no keys of dicts. */
	TARGET_TELL_SHAPES,
	/** The same of an object that is an attribute dict: its keys are names that code has. */
	TARGET_TELL_NAMES,
};

/** One reference of an object, told anew for a reader. */
struct target_reference {
	addr_t to;
	/** enum heap_edge_kind with heap_reference_flags. */
	uint32_t kind;
	/** ".child", "['key']", "[3]"; "" when it has no name. Owned. */
	char *label;
};

struct target_references {
	struct target_reference *list;
	size_t count;
	size_t capacity;
};

void target_references_deinit(struct target_references *references);
#define _cleanup_target_references_ CLEANUP(target_references_deinit)

/** What the runtime's own collection does, tried over a copy of the memory. */
struct target_collection {
	/** It came to its end. Otherwise `reason` says why not, and the rest means nothing. */
	bool done;
	char reason[160];
	/** How many objects it says it found. */
	int64_t returned;
	/** What it added to the list of those it could not free. Owned. */
	addr_t *garbage;
	size_t garbage_count;
	/** Instructions that it took. */
	uint64_t steps;
};

void target_collection_deinit(struct target_collection *collection);
#define _cleanup_target_collection_ CLEANUP(target_collection_deinit)

/** How firmly the runtime stands at a moment, for code to be run in a clone of it. */
enum target_footing {
	/** It was in the middle of something: nothing can be expected to work. */
	TARGET_FOOTING_NONE,
	/** Somewhere in its own code. */
	TARGET_FOOTING_LOOSE,
	/** Between two things, or waiting. */
	TARGET_FOOTING_FIRM,
};

struct target_standing {
	enum target_footing footing;
	/** Why it is not firm; "" when it is. */
	char reason[160];
	/** The thread that is to have the code run; 0: any. */
	pid_t tid;
};

enum target_code_kind {
	/** An expression, whose value is the answer. */
	TARGET_CODE_EXPRESSION,
	/** A program. */
	TARGET_CODE_PROGRAM,
	/** Lines typed so far; there may be more to come. */
	TARGET_CODE_LINES,
};

/** Code in the language of the runtime. */
struct target_code {
	enum target_code_kind kind;
	/** What it is called where it fails: "<stdin>". */
	const char *name;
	const char *text;
	size_t bytes;
	uint64_t timeout_ns;
};

/** A piece of what code wrote: it is behind the one before. */
struct target_piece {
	size_t bytes;
	bool is_error;
};

enum target_answer_state {
	TARGET_ANSWER_DONE,
	/** Of TARGET_CODE_LINES: they are the beginning of something. */
	TARGET_ANSWER_MORE,
	/** An exception, which is in the output. */
	TARGET_ANSWER_RAISED,
	/** It asked to leave, with `status`. */
	TARGET_ANSWER_LEFT,
	/** The clone is over; `lost` says why. Nothing more can be run in it. */
	TARGET_ANSWER_LOST,
};

struct target_answer {
	enum target_answer_state state;
	int status;
	char lost[160];
	/** Lost because a signal asked us to stop. */
	bool is_interrupted;
	/** What it wrote, in pieces, and whether there was more than is kept. */
	struct text output;
	struct target_piece *pieces;
	size_t piece_count;
	size_t piece_capacity;
	bool is_cut;
	/** Of an expression: what repr() says of the value, and its type's name. */
	struct text value;
	struct text type;
};

void target_answer_deinit(struct target_answer *answer);
#define _cleanup_target_answer_ CLEANUP(target_answer_deinit)

struct clone_run;
/** The runtime of a clone, ready to run code. */
struct target_runner;

/** How much a walk spends on a moment that does not look consistent. */
enum target_effort {
	/** The usual: fast, gives up at once when the moment is a bad one. */
	TARGET_EFFORT_FIRST,
	/** After that: tells a torn heap from one that only looks so. */
	TARGET_EFFORT_THOROUGH,
	/** There will be no other: the best numbers there are, whatever the moment. */
	TARGET_EFFORT_LAST,
};

struct target_thread {
	/** pthread_self() of the thread, and its kernel id where the runtime knows it, else 0. */
	addr_t pthread_at;
	pid_t tid;
	bool holds_gil;
	/** Index of the interpreter it belongs to. */
	uint32_t interpreter;
};

enum {
	/** Of a thread's running functions so many are told, the innermost; and of all threads. */
	TARGET_CALLS_MAX = 4096,
	TARGET_CALLS_TOTAL_MAX = 1 << 20,
};

/** A function of the program. Owned texts. */
struct target_function {
	char *name;
	/** With the classes and functions around it; NULL where the runtime does not know. */
	char *qualified_name;
	char *file;
};

/** A function that runs: which, and the line it is on, 0 when that is not known. */
struct target_call {
	uint32_t function;
	int32_t line;
};

/** What runs in a thread. */
struct target_call_stack {
	struct target_thread thread;
	/** Its calls, the innermost first: calls[first] up to calls[first + count]. */
	size_t first;
	size_t count;
	/** Outer ones that are not among them. */
	size_t left_out;
};

struct target_call_stacks {
	struct target_call_stack *list;
	size_t count;
	size_t capacity;
	struct target_call *calls;
	size_t call_count;
	size_t call_capacity;
	/** Each once. */
	struct target_function *functions;
	size_t function_count;
	size_t function_capacity;
	uint32_t interpreter_count;
	/** The calls of some thread could not be followed to their end. */
	bool is_truncated;
};

void target_call_stacks_deinit(struct target_call_stacks *stacks);
#define _cleanup_target_call_stacks_ CLEANUP(target_call_stacks_deinit)

enum { TARGET_GENERATIONS_MAX = 8 };

/** What the collections of a generation came to, since the runtime was started. -1 where that is not told. */
struct target_gc_stats {
	int64_t collections;
	/** Objects. */
	int64_t collected;
	int64_t uncollectable;
};

/** The facts of `info`. -1 where the runtime does not tell. */
struct target_facts {
	uint32_t interpreter_count;
	struct target_thread *threads;
	size_t thread_count;
	int64_t gc_enabled;
	int64_t gc_debug;
	uint32_t generation_count;
	int64_t thresholds[TARGET_GENERATIONS_MAX];
	int64_t counts[TARGET_GENERATIONS_MAX];
	/** Of each generation; none where the runtime does not tell. */
	struct target_gc_stats stats[TARGET_GENERATIONS_MAX];
	uint32_t stats_count;
	/** Objects in gc.garbage, and frozen by gc.freeze(). */
	int64_t garbage_count;
	int64_t frozen_count;
	/** The runtime's own sum of reference counts; -1 but for debug builds. */
	int64_t ref_total;
};

struct target_ops {
	/** As in the JSON: "cpython". */
	const char *name;
	/**
	 * Whether this runtime is in the process; cheap, reads no debug information. *@a ret_sure is
	 * 0 (not here) to 100; @a why_not (of @a why_bytes) tells why it is 0.
	 */
	struct error *(*probe)(const struct target_process *process, int *ret_sure, char *why_not,
			       size_t why_bytes);
	struct error *(*open)(const struct target_process *process, struct target **ret);
	/**
	 * Reports every object of @a moment into @a sink, with up to @a thread_count threads, and, if
	 * the sink wants them, their references, the roots and the collector's settings. *@a ret says
	 * whether the moment was a consistent one; the numbers in the sink are the best there are then.
	 */
	struct error *(*walk)(struct target *target, const struct target_moment *moment,
			      struct heap_sink *sink, unsigned thread_count,
			      enum target_effort effort, struct target_verdict *ret);
	/** The references of the object at @a at, in the order in which walk() reports them, with
	 *  labels. Empty when there is no such object. The caller deinits. */
	struct error *(*references)(struct target *target, const struct target_moment *moment,
				    addr_t at, enum target_telling telling,
				    struct target_references *ret);
	/** Appends what repr() might say of the object at @a at, in at most @a chars_max characters;
	 *  no code of the process runs. */
	struct error *(*describe)(struct target *target, const struct target_moment *moment,
				  addr_t at, enum target_telling telling, size_t chars_max,
				  struct text *into);
	/** Drops what the two above keep of a moment; before its memory goes. */
	void (*forget)(struct target *target);
	/** Adds to @a heap, built from a walk over @a moment, what takes another look at the memory:
	 *  what in C code holds objects (heap_add_holders()) and in which generation each is. */
	struct error *(*annotate)(struct target *target, const struct target_moment *moment,
				  struct heap *heap, unsigned thread_count);
	/** Runs a full collection, with all finalizers and callbacks, over a copy of @a moment's
	 *  memory: nothing of it reaches the process. @a object_count, about how many objects there
	 *  are, bounds it. The caller deinits. */
	struct error *(*collect)(struct target *target, const struct target_moment *moment,
				 uint64_t object_count, struct target_collection *ret);
	/**
	 * Whether a stop right now would have a chance of being a consistent one, as far as the
	 * running process shows; cheap. True when it cannot tell.
	 */
	bool (*is_calm)(struct target *target);
	struct error *(*facts)(struct target *target, struct target_facts *ret);
	/** Which functions run in which thread, of the process that stands still. The caller deinits
	 *  *@a ret, after an error too. */
	struct error *(*call_stacks)(struct target *target, struct target_call_stacks *ret);
	/** Of the process that stands still. Before, once, with a moment without stacks: then what takes
	 *  longer is made ready, and *@a ret means nothing. */
	struct error *(*standing)(struct target *target, const struct target_moment *moment,
				  struct target_standing *ret);
	/** Makes the runtime ready to run code in @a run, a clone of such a moment. *@a ret is NULL when
	 *  the clone was lost by it; @a ret_answer says how. The caller deinits that. */
	struct error *(*runner_create)(struct target *target, struct clone_run *run,
				       uint64_t timeout_ns, struct target_runner **ret,
				       struct target_answer *ret_answer);
	/** Not after TARGET_ANSWER_LOST. The caller deinits *@a ret. */
	struct error *(*runner_run)(struct target_runner *runner, const struct target_code *code,
				    struct target_answer *ret);
	/** Runs a full collection: what it returns, or, when @a saves, what it found unreachable, kept
	 *  from being freed (`garbage`). The caller deinits *@a ret. */
	struct error *(*runner_collect)(struct target_runner *runner, bool saves,
					uint64_t timeout_ns, struct target_collection *ret);
	/** Takes NULL. */
	void (*runner_destroy)(struct target_runner *runner);
	void (*close)(struct target *target);
};

/** Adapters embed this as their first member. */
struct target {
	const struct target_ops *ops;
	/** "3.11.2"; owned by the target. NULL when it cannot be read (a core file that was cut short). */
	const char *version;
	/** "release" or "debug". */
	const char *build;
	/** The file the layouts came from; owned by the target. */
	const char *debug_info;
};

/** The table of adapters, ended by NULL. */
extern const struct target_ops *const target_adapters[];

/**
 * Asks all adapters and opens the surest. ERROR_UNSUPPORTED with every adapter's reason when none
 * knows the process.
 */
MUST_USE struct error *target_open(const struct target_process *process, struct target **ret);

/** Takes NULL. */
void target_close(struct target *target);

void target_facts_deinit(struct target_facts *facts);

#endif
