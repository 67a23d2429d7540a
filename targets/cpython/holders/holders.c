// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/holders/holders.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/interrupt.h"
#include "targets/cpython/holders/dead_stacks.h"
#include "targets/cpython/holders/libc_memory.h"
#include "targets/cpython/holders/owned_memory.h"
#include "targets/cpython/holders/words.h"
#include "targets/cpython/memory.h"
#include "targets/cpython/scan/pass.h"

enum {
	PIECE_BYTES = MEM_WINDOW_PAGE_BYTES,
	NAME_CHARS = 200,
	/** Rows of one object: who is held a thousand times over is held. */
	ROOTS_PER_OBJECT_MAX = 16,
	/** See HEAP_GENERATION_SHIFT. */
	GENERATION_PERMANENT = 4,
};

struct holders {
	const struct py_layout *layout;
	struct module_list *modules;
	const struct target_moment *moment;
	struct heap *heap;
	struct mem_window *window;
	struct py_memory memory;
	/** Objects with more references counted than found; their ids, and how many more. */
	uint32_t *objects;
	int64_t *excess;
	size_t object_count;
	struct py_words *words;
	/** Words of each that a root was made for. */
	uint32_t *explained;
	/** Weak references to each: words that own nothing. */
	uint32_t *weak;
	/** Where objects lie that are no part of a heap, sorted: their words are no variables. */
	struct py_range *statics;
	size_t static_count;
	struct py_dead dead;
	struct heap_root *roots;
	size_t root_count;
	size_t root_capacity;
	/** The first arena and region of malloc's that is not behind the words looked at. */
	size_t next_arena;
	size_t next_region;
	/** What roots found at present are called. */
	enum heap_root_kind kind;
	pid_t tid;
	struct error *error;
};

static void holders_deinit(struct holders *holders)
{
	for (size_t i = 0; i < holders->root_count; i++)
		free((char *)holders->roots[i].name);
	free(holders->roots);
	free(holders->objects);
	free(holders->excess);
	free(holders->explained);
	free(holders->weak);
	free(holders->statics);
	py_dead_deinit(&holders->dead);
	py_words_destroy(holders->words);
	py_memory_deinit(&holders->memory);
	mem_window_destroy(holders->window);
	error_destroy(holders->error);
}

// The program's own data is never freed, whatever is counted for it (3.11 begins with 999,999,999).
static bool holders_is_wanted(const struct heap *heap, uint32_t object, int64_t excess)
{
	return excess > 0 && !(heap->flags[object] & HEAP_STATIC);
}

static struct error *holders_pick_objects(struct holders *holders)
{
	const struct heap *heap = holders->heap;
	_cleanup_free_ int64_t *excess = NULL;
	_cleanup_free_ addr_t *at = NULL;
	size_t count = 0;
	struct error *error = heap_excess(heap, &excess);

	if (error)
		return error;
	for (uint32_t i = 0; i < heap->object_count; i++)
		count += holders_is_wanted(heap, i, excess[i]);
	at = calloc(count + 1, sizeof(*at));
	holders->objects = calloc(count + 1, sizeof(*holders->objects));
	holders->excess = calloc(count + 1, sizeof(*holders->excess));
	holders->explained = calloc(count + 1, sizeof(*holders->explained));
	holders->weak = calloc(count + 1, sizeof(*holders->weak));
	if (!at || !holders->objects || !holders->excess || !holders->explained || !holders->weak)
		return error_no_memory();
	for (uint32_t i = 0; i < heap->object_count; i++) {
		if (!holders_is_wanted(heap, i, excess[i]))
			continue;
		at[holders->object_count] = heap->at[i];
		holders->excess[holders->object_count] = excess[i];
		holders->objects[holders->object_count++] = i;
	}
	return py_words_create(at, count, &holders->words);
}

static int holders_compare_ids(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

static void holders_count_weak(struct holders *holders)
{
	const struct heap *heap = holders->heap;

	for (uint32_t i = 0; i < heap->first_edge[heap->object_count]; i++) {
		if (heap_edge_kind(heap->edges[i]) != HEAP_EDGE_WEAK)
			continue;
		uint32_t target = heap_edge_target(heap->edges[i]);
		const uint32_t *found = bsearch(&target, holders->objects, holders->object_count,
						sizeof(target), holders_compare_ids);
		if (found)
			holders->weak[found - holders->objects]++;
	}
}

static int holders_compare_ranges(const void *a, const void *b)
{
	const struct py_range *left = a, *right = b;

	return (left->start > right->start) - (left->start < right->start);
}

static struct error *holders_find_statics(struct holders *holders)
{
	const struct heap *heap = holders->heap;

	for (uint32_t i = 0; i < heap->object_count; i++)
		holders->static_count += heap->flags[i] & HEAP_STATIC ? 1 : 0;
	holders->statics = calloc(holders->static_count + 1, sizeof(*holders->statics));
	if (!holders->statics)
		return error_no_memory();
	size_t count = 0;
	for (uint32_t i = 0; i < heap->object_count; i++)
		if (heap->flags[i] & HEAP_STATIC)
			holders->statics[count++] =
				(struct py_range){heap->at[i], heap->at[i] + heap->size_bytes[i]};
	qsort(holders->statics, count, sizeof(*holders->statics), holders_compare_ranges);
	return NULL;
}

static bool holders_is_in_static(const struct holders *holders, addr_t at)
{
	size_t low = 0, high = holders->static_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (holders->statics[middle].start <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && at < holders->statics[low - 1].end;
}

// "variable+0x10 (libpython3.11.so.1.0)", or as much of it as is known.
static void holders_name_variable(struct holders *holders, addr_t at, char *name)
{
	struct module *module = module_list_find(holders->modules, at);
	const char *symbol = NULL;
	uint64_t distance = 0;

	if (!module) {
		snprintf(name, NAME_CHARS, "0x%" PRIx64, at);
		return;
	}
	const char *slash = strrchr(module->path, '/');
	const char *file = slash ? slash + 1 : module->path;
	// Without symbols the address says it.
	error_destroy(module_symbol_at(module, at, &symbol, &distance));
	if (!symbol)
		snprintf(name, NAME_CHARS, "0x%" PRIx64 " (%s)", at, file);
	else if (distance)
		snprintf(name, NAME_CHARS, "%s+0x%" PRIx64 " (%s)", symbol, distance, file);
	else
		snprintf(name, NAME_CHARS, "%s (%s)", symbol, file);
}

static void holders_add_root(struct holders *holders, uint32_t number, enum heap_root_kind kind,
			     const char *name)
{
	struct error *error = array_reserve(&holders->roots, &holders->root_capacity,
					    holders->root_count + 1, sizeof(*holders->roots));
	char *copy = error ? NULL : strdup(name);

	if (!error && !copy)
		error = error_no_memory();
	if (error) {
		if (holders->error)
			error_destroy(error);
		else
			holders->error = error;
		return;
	}
	holders->roots[holders->root_count++] = (struct heap_root){
		.object_at = holders->heap->at[holders->objects[number]],
		.kind = kind,
		.name = copy,
	};
}

// _PyRuntime has the main interpreter's state in it from 3.12 on: the subclasses of builtin types and more.
static bool holders_is_runtimes(const struct holders *holders, addr_t word_at)
{
	addr_t runtime_at = holders->layout->var.runtime;

	return runtime_at && word_at - runtime_at < holders->layout->var_size.runtime;
}

static void holders_found(void *context, addr_t word_at, uint32_t number)
{
	struct holders *holders = context;
	char name[NAME_CHARS];

	if (holders->kind == HEAP_ROOT_C_VARIABLE && holders_is_in_static(holders, word_at))
		return;
	if (holders->explained[number]++ >= ROOTS_PER_OBJECT_MAX)
		return;
	if (holders->kind == HEAP_ROOT_C_VARIABLE)
		holders_name_variable(holders, word_at, name);
	else
		snprintf(name, sizeof(name), "thread %d", (int)holders->tid);
	holders_add_root(holders, number,
			 holders_is_runtimes(holders, word_at) ? HEAP_ROOT_INTERPRETER
							       : holders->kind,
			 name);
}

// Counts the words of [@a start, @a end), as far as it can be read.
static struct error *holders_count_range(struct holders *holders, addr_t start, addr_t end)
{
	// Page by page, so that one that cannot be read hides no other.
	for (addr_t at = start, next; at < end; at = next) {
		next = (at | (PIECE_BYTES - 1)) + 1;
		if (next > end)
			next = end;
		at = py_dead_skip(&holders->dead, at, &next);
		if (at >= next) {
			next = at;
			continue;
		}
		size_t bytes = (size_t)(next - at);
		const void *piece = mem_window_at(holders->window, at, bytes);
		struct error *error = interrupt_check();
		if (error)
			return error;
		if (piece)
			py_words_count(holders->words, piece, bytes, at, holders_found, holders);
	}
	return mem_window_take_error(holders->window);
}

static struct error *holders_count_stacks(struct holders *holders)
{
	struct error *error = NULL;

	for (size_t i = 0; !error && i < holders->moment->stack_count; i++) {
		const struct target_stack *stack = &holders->moment->stacks[i];
		const struct mapping *mapping =
			maps_find(&holders->memory.maps, stack->stack_pointer);
		holders->kind = HEAP_ROOT_C_STACK;
		holders->tid = stack->tid;
		py_words_count(holders->words, stack->registers,
			       stack->register_count * sizeof(uint64_t), 0, holders_found, holders);
		// Not the 128 bytes below the pointer that a leaf function may use: no call is
		// running that could own anything there.
		if (mapping)
			error = holders_count_range(holders, stack->stack_pointer & ~(addr_t)7,
						    mapping->end);
	}
	return error;
}

static bool holders_is_stack(const struct holders *holders, const struct mapping *mapping)
{
	for (size_t i = 0; i < holders->moment->stack_count; i++) {
		addr_t at = holders->moment->stacks[i].stack_pointer;
		if (at >= mapping->start && at < mapping->end)
			return true;
	}
	return strcmp(mapping->path, "[stack]") == 0;
}

// The first of the arenas and of malloc's heaps that ends behind @a at; false when there is none. Both
// are in address order, and so is what is asked.
static bool holders_next_known(struct holders *holders, addr_t at, struct py_range *ret)
{
	const struct py_arenas *arenas = &holders->memory.arenas;
	const struct malloc_regions *regions = &holders->memory.regions;

	while (holders->next_arena < arenas->count && arenas->list[holders->next_arena].end <= at)
		holders->next_arena++;
	while (holders->next_region < regions->count &&
	       (regions->list[holders->next_region].kind != MALLOC_REGION_HEAP ||
		regions->list[holders->next_region].end <= at))
		holders->next_region++;
	*ret = (struct py_range){~(addr_t)0, ~(addr_t)0};
	if (holders->next_arena < arenas->count) {
		const struct py_arena *arena = &arenas->list[holders->next_arena];
		*ret = (struct py_range){arena->address, arena->end};
	}
	if (holders->next_region < regions->count &&
	    regions->list[holders->next_region].start < ret->start) {
		const struct malloc_region *region = &regions->list[holders->next_region];
		*ret = (struct py_range){region->start, region->end};
	}
	return ret->start != ~(addr_t)0;
}

// The parts of a mapping that neither pymalloc nor malloc's heaps account for. What may be one large
// block of malloc's is counted whole: it is in use.
static struct error *holders_count_mapping(struct holders *holders, const struct mapping *mapping)
{
	struct error *error = NULL;

	for (addr_t at = mapping->start; !error && at < mapping->end;) {
		struct py_range known;
		bool is_last =
			!holders_next_known(holders, at, &known) || known.start >= mapping->end;
		addr_t end = is_last ? mapping->end : known.start;
		if (end > at)
			error = holders_count_range(holders, at, end);
		at = is_last ? mapping->end : known.end;
	}
	return error;
}

static struct error *holders_count_variables(struct holders *holders)
{
	struct error *error = NULL;

	holders->kind = HEAP_ROOT_C_VARIABLE;
	for (size_t i = 0; !error && i < holders->memory.maps.count; i++) {
		const struct mapping *mapping = &holders->memory.maps.list[i];
		if ((mapping->flags & (MAPPING_READ | MAPPING_WRITE)) !=
			    (MAPPING_READ | MAPPING_WRITE) ||
		    mapping->flags & MAPPING_SHARED || holders_is_stack(holders, mapping))
			continue;
		error = holders_count_mapping(holders, mapping);
	}
	return error;
}

// Drops the regions that holders_count_variables() has counted.
static void holders_keep_heaps(struct malloc_regions *regions)
{
	size_t kept = 0;

	for (size_t i = 0; i < regions->count; i++)
		if (regions->list[i].kind == MALLOC_REGION_HEAP)
			regions->list[kept++] = regions->list[i];
	regions->count = kept;
}

static struct error *holders_take_back(struct holders *holders, const struct py_pass *pass)
{
	struct py_scan *scan;
	struct error *error = py_pass_create_scan(pass, PY_SCAN_COUNT_WORDS, &scan);

	if (error)
		return error;
	py_unused_kept(scan, &holders->memory.interpreters);
	py_unused_of_libc(scan, holders->modules);
	error = py_scan_finish(scan);
	py_scan_destroy(scan);
	return error;
}

static struct error *holders_count_blocks(struct holders *holders, unsigned thread_count)
{
	struct target_verdict verdict = {.consistent = true};
	struct py_pass pass = {
		.layout = holders->layout,
		.source = holders->moment->source,
		.arenas = &holders->memory.arenas,
		.regions = &holders->memory.regions,
		.thread_count = thread_count,
		.maps = &holders->memory.maps,
		.lowest_address = holders->memory.lowest_address,
		.mode = PY_SCAN_COUNT_WORDS,
		.words = holders->words,
		.words_heap = holders->heap,
		.verdict = &verdict,
	};
	struct error *error = py_types_create(holders->layout, &pass.types);

	if (error)
		return error;
	pthread_mutex_init(&pass.lock, NULL);
	error = holders_take_back(holders, &pass);
	holders_keep_heaps(&holders->memory.regions);
	if (!error)
		error = py_pass_run(&pass);
	pthread_mutex_destroy(&pass.lock);
	py_types_destroy(pass.types);
	return error;
}

/*
 * Every strong reference that was found stands in one word, every weak one, too; a word beyond those
 * may be an owner's, as long as there are references left to own.
 */
static struct error *holders_settle(struct holders *holders)
{
	const struct heap *heap = holders->heap;
	_cleanup_free_ struct heap_leak *leaks = calloc(holders->object_count + 1, sizeof(*leaks));
	size_t leak_count = 0;

	if (!leaks)
		return error_no_memory();
	for (size_t i = 0; i < holders->object_count; i++) {
		uint32_t object = holders->objects[i];
		uint64_t words = py_words_total(holders->words, i);
		uint64_t found = heap->refcount[object] - (uint64_t)holders->excess[i];
		uint64_t told = found + holders->weak[i];
		uint64_t left = words > told ? words - told : 0;
		if (left > holders->explained[i])
			holders_add_root(holders, (uint32_t)i, HEAP_ROOT_C_MEMORY,
					 "memory that is no object");
		if ((uint64_t)holders->excess[i] > left) {
			uint64_t count = (uint64_t)holders->excess[i] - left;
			leaks[leak_count++] = (struct heap_leak){
				object, count < UINT32_MAX ? (uint32_t)count : UINT32_MAX};
		}
	}
	if (holders->error)
		return take_ptr(holders->error);
	return heap_add_holders(holders->heap, holders->roots, holders->root_count, leaks,
				leak_count);
}

// The list of each generation says who is in it; nothing else does.
static struct error *holders_generations(struct holders *holders)
{
	const struct py_gc_state *gc = &holders->memory.gc;
	struct heap *heap = holders->heap;
	unsigned generation = 0;

	for (size_t i = 0; i < gc->list_count; i++) {
		const struct py_gc_list *list = &gc->lists[i];
		unsigned number = list->permanent ? GENERATION_PERMANENT : ++generation;
		addr_t at = list->next & ~PY_LINK_FLAGS;
		// The next interpreter's begin again.
		if (list->permanent)
			generation = 0;
		for (uint32_t seen = 0; at != list->head_at && seen < heap->object_count; seen++) {
			uint32_t object = heap_find(heap, at + holders->layout->size.gc_head);
			if (object == HEAP_NO_OBJECT)
				break;
			heap->flags[object] &= (uint16_t)~HEAP_GENERATION_MASK;
			heap->flags[object] |= (uint16_t)(number << HEAP_GENERATION_SHIFT);
			at = mem_window_word(holders->window,
					     at + holders->layout->f.gc_next.offset, 0) &
			     ~PY_LINK_FLAGS;
		}
	}
	return mem_window_take_error(holders->window);
}

struct error *py_holders_annotate(const struct py_layout *layout, struct module_list *modules,
				  const struct target_moment *moment, struct heap *heap,
				  unsigned thread_count)
{
	CLEANUP(holders_deinit)
	struct holders holders = {
		.layout = layout,
		.modules = modules,
		.moment = moment,
		.heap = heap,
	};
	struct error *error = mem_window_create(moment->source, &holders.window);

	if (!error)
		error = py_memory_read_state(layout, holders.window, &holders.memory);
	if (!error)
		error = py_memory_find(layout, holders.window, moment->source, &holders.memory);
	if (!error)
		error = holders_pick_objects(&holders);
	if (!error)
		error = holders_find_statics(&holders);
	if (error)
		return error;
	holders_count_weak(&holders);
	error = py_dead_find(layout, holders.window, moment, &holders.memory, &holders.dead);
	if (!error)
		error = holders_count_variables(&holders);
	if (!error)
		error = holders_count_stacks(&holders);
	if (!error)
		error = holders_count_blocks(&holders, thread_count);
	if (!error)
		error = holders_settle(&holders);
	return error ? error : holders_generations(&holders);
}
