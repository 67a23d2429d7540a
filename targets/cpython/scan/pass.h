/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_SCAN_PASS_H
#define TARGETS_CPYTHON_SCAN_PASS_H

/*
 * One pass over all memory in which objects can be, in address order, shared out among threads:
 * pymalloc's pools, malloc's blocks, Python 2's blocks of numbers. Which passes a walk needs and
 * what they mean is walk.h's business.
 */

#include <pthread.h>

#include "base/addr_map.h"
#include "mem/malloc_heap.h"
#include "targets/cpython/scan/marks.h"
#include "targets/cpython/scan/pymalloc.h"
#include "targets/cpython/scan/scan.h"
#include "targets/target.h"

/** What a pass goes over and with what; set up by the walk, which owns what is pointed to. */
struct py_pass {
	const struct py_layout *layout;
	struct mem_source *source;
	struct py_types *types;
	const struct py_arenas *arenas;
	const struct malloc_regions *regions;
	/** NULL unless somebody marks. */
	struct py_marks *marks;
	const struct addr_map *frozen;
	struct heap_sink *sink;
	/** NULL unless the sink wants references. */
	const struct py_edges_context *edges;
	/** For the names of threads; may be NULL. */
	const struct target_stack *stacks;
	size_t stack_count;
	unsigned thread_count;
	/** As in walk.h. */
	bool process_runs;
	const struct maps *maps;
	addr_t lowest_address;
	bool collecting;
	enum py_scan_mode mode;
	/** While counting words; the heap whose references are known. */
	struct py_words *words;
	const struct heap *words_heap;
	/** While marking: leave out the strays of the round before. */
	bool marks_again;

	/** What makes the moment a doubtful one; py_pass_doubt() keeps the first reason. */
	struct target_verdict *verdict;
	pthread_mutex_t lock;
	/** Out: over all heads seen. */
	struct py_link_sums sums;
};

/** Runs it once in pass->mode. Objects and problems go to the sink, doubts to the verdict. */
MUST_USE struct error *py_pass_run(struct py_pass *pass);

/** A scan of its own, set up like those of the pass, for objects met otherwise. */
MUST_USE struct error *py_pass_create_scan(const struct py_pass *pass, enum py_scan_mode mode,
					   struct py_scan **ret);

/** Notes that the moment was not a consistent one. From any thread. */
PRINTF_LIKE(3, 4) void py_pass_doubt(struct py_pass *pass, addr_t at, const char *format, ...);

#endif
