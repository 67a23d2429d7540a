// SPDX-License-Identifier: GPL-3.0-or-later
// Who in C code holds objects, which counted references nobody holds, and generations: after a walk
// over an image, a second look at all of its words.
#include "targets/cpython/holders/holders.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "support/py_code.h"
#include "support/py_graph.h"
#include "targets/cpython/memory.h"

enum {
	PAGE_BYTES = 4096,
	STACK_WORDS = 2 * PAGE_BYTES / 8,
	TID = 4242,
	/** ROOTS_PER_OBJECT_MAX of holders.c. */
	ROOTS_MAX = 16,
	RAW_BYTES = 64,
};

static const addr_t STACK_AT = 0x7ffc00000000;

/** A stack from pthread_create() with a guard below. */
static const addr_t THREAD_STACK_AT = 0x7ff000000000;

/** A variable of this program that the inspected process has, too, alone on its page. Not zero at first:
 *  what is, lies in memory that is no mapping of the file's. */
static _Alignas(PAGE_BYTES) addr_t shop_cache[PAGE_BYTES / 8] = {1};

#define FOR_EACH_ERA(era) for (enum py_era era = 0; era < PY_ERA_COUNT; era++)

/** A graph and a thread's stack. */
struct given {
	struct py_graph *graph;
	struct py_image *image;
	addr_t stack[STACK_WORDS];
	uint64_t registers[4];
	struct target_stack thread;
	addr_t thread_stack[STACK_WORDS];
	bool has_guard;
	struct heap *heap;
};

static void cleanup_given(struct given *given)
{
	heap_destroy(given->heap);
	py_graph_destroy(given->graph);
}
#define _cleanup_given_ CLEANUP(cleanup_given)

// Adds the stack, which is behind everything else, and the variable, wherever it is.
static void give_maps(struct given *given)
{
	_cleanup_text_ struct text text = {0};
	struct maps maps = {0};
	addr_t cache = (addr_t)(uintptr_t)shop_cache;
	bool placed = false;

	assert_null(mem_source_maps(py_image_source(given->image), &maps));
	for (size_t i = 0; i <= maps.count; i++) {
		if (!placed && (i == maps.count || maps.list[i].start > cache)) {
			assert_null(text_appendf(
				&text, "%" PRIx64 "-%" PRIx64 " rw-p 00000000 08:01 9 /shop\n",
				cache, cache + sizeof(shop_cache)));
			placed = true;
		}
		if (i < maps.count)
			assert_null(text_appendf(
				&text, "%" PRIx64 "-%" PRIx64 " rw-p 00000000 00:00 0 %s\n",
				maps.list[i].start, maps.list[i].end, maps.list[i].path));
	}
	if (given->has_guard)
		assert_null(text_appendf(&text, "%" PRIx64 "-%" PRIx64 " ---p 00000000 00:00 0\n",
					 THREAD_STACK_AT - PAGE_BYTES, THREAD_STACK_AT));
	assert_null(text_appendf(&text, "%" PRIx64 "-%" PRIx64 " rw-p 00000000 00:00 0\n",
				 THREAD_STACK_AT, THREAD_STACK_AT + sizeof(given->thread_stack)));
	assert_null(text_appendf(&text, "%" PRIx64 "-%" PRIx64 " rw-p 00000000 00:00 0 [stack]\n",
				 STACK_AT, STACK_AT + sizeof(given->stack)));
	maps_deinit(&maps);
	fake_source_set_maps(given->image->fake, text_chars(&text));
	fake_source_add(given->image->fake, STACK_AT, given->stack, sizeof(given->stack));
	fake_source_add(given->image->fake, THREAD_STACK_AT, given->thread_stack,
			sizeof(given->thread_stack));
	fake_source_add(given->image->fake, cache, shop_cache, sizeof(shop_cache));
}

// @a given stays where it is: its stack is memory of the image.
static void given_process_on(struct given *given, enum py_era era, bool has_guard)
{
	*given = (struct given){.graph = py_graph_create(era), .has_guard = has_guard};
	given->image = given->graph->image;
	memset(shop_cache, 0, sizeof(shop_cache));
	given->thread = (struct target_stack){
		.tid = TID,
		.stack_pointer = STACK_AT + sizeof(given->stack) / 2,
		.registers = given->registers,
		.register_count = ARRAY_COUNT(given->registers),
	};
	give_maps(given);
}

static void given_process(struct given *given, enum py_era era)
{
	given_process_on(given, era, true);
}

static struct error *try_annotate(struct given *given)
{
	const struct target_moment moment = {
		.source = py_image_source(given->image),
		.stacks = &given->thread,
		.stack_count = 1,
	};

	return py_holders_annotate(&given->image->layout, py_graph_own_modules(), &moment,
				   given->heap, 2);
}

static void annotate(struct given *given)
{
	heap_destroy(given->heap);
	given->heap = py_graph_walk(given->graph);
	_cleanup_error_ struct error *error = try_annotate(given);

	if (error)
		fail_msg("%s: %s", py_era_name(given->image->era), error->message);
	assert_true(given->heap->is_annotated);
}

static uint32_t leaked(const struct given *given, addr_t at)
{
	uint32_t object = heap_find(given->heap, at);

	assert_int_not_equal(object, HEAP_NO_OBJECT);
	for (size_t i = 0; i < given->heap->leak_count; i++)
		if (given->heap->leaks[i].object == object)
			return given->heap->leaks[i].count;
	return 0;
}

static const struct heap_root_row *root_of(const struct given *given, addr_t at)
{
	for (size_t i = 0; i < given->heap->root_count; i++)
		if (given->heap->at[given->heap->roots[i].object] == at)
			return &given->heap->roots[i];
	return NULL;
}

static size_t count_roots(const struct given *given, addr_t at)
{
	size_t count = 0;

	for (size_t i = 0; i < given->heap->root_count; i++)
		count += given->heap->at[given->heap->roots[i].object] == at;
	return count;
}

static void assert_held(const struct given *given, addr_t at, enum heap_root_kind kind,
			const char *name)
{
	const struct heap_root_row *root = root_of(given, at);

	assert_non_null(root);
	assert_int_equal(root->kind, kind);
	assert_string_equal(root->name, name);
	assert_int_equal(leaked(given, at), 0);
}

static addr_t given_object(struct given *given, uint64_t refcount)
{
	addr_t at = py_graph_str(given->graph, "object");

	py_image_set(given->image, at, given->image->layout.f.object_refcnt, refcount);
	return at;
}

static void references_that_nobody_holds_are_leaked(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given;
		given_process(&given, era);
		addr_t held = given_object(&given, 1), lost = given_object(&given, 1);
		addr_t more = given_object(&given, 4);
		const addr_t items[] = {held, more};
		addr_t list = py_image_list(given.image, items, 2);
		shop_cache[0] = list;
		annotate(&given);

		assert_int_equal(leaked(&given, held), 0);
		assert_int_equal(leaked(&given, lost), 1);
		assert_int_equal(leaked(&given, more), 3);
		assert_int_equal(leaked(&given, list), 0);
		assert_null(root_of(&given, lost));
	}
}

static void a_variable_is_told_by_its_name(void **state)
{
	_cleanup_given_ struct given given;
	char address[32];

	given_process(&given, PY_ERA_311);
	addr_t first = given_object(&given, 1), second = given_object(&given, 1);
	addr_t nameless = py_image_alloc_static(given.image, 8), third = given_object(&given, 1);
	shop_cache[0] = first;
	shop_cache[2] = second;
	*py_image_word(given.image, nameless) = third;
	annotate(&given);

	assert_held(&given, first, HEAP_ROOT_C_VARIABLE, "shop_cache (test_py_holders)");
	assert_held(&given, second, HEAP_ROOT_C_VARIABLE, "shop_cache+0x10 (test_py_holders)");
	snprintf(address, sizeof(address), "0x%" PRIx64, nameless);
	assert_held(&given, third, HEAP_ROOT_C_VARIABLE, address);
}

static void a_stack_holds_down_to_its_pointer(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given;
		given_process(&given, era);
		addr_t dead = given_object(&given, 1), live = given_object(&given, 1);
		addr_t last = given_object(&given, 1), kept = given_object(&given, 1);
		given.stack[STACK_WORDS / 2 - 1] = dead;
		given.stack[STACK_WORDS / 2] = live;
		given.stack[STACK_WORDS - 1] = last;
		given.registers[2] = kept;
		annotate(&given);

		assert_int_equal(leaked(&given, dead), 1);
		assert_held(&given, live, HEAP_ROOT_C_STACK, "thread 4242");
		assert_held(&given, last, HEAP_ROOT_C_STACK, "thread 4242");
		assert_held(&given, kept, HEAP_ROOT_C_STACK, "thread 4242");
	}
}

static void the_stack_of_a_thread_that_has_ended_holds_nothing(void **state)
{
	enum { CONTROL_BLOCK = STACK_WORDS - 64, SELF = 2 };
	enum { ENDED, RUNS, NO_GUARD, NO_CONTROL_BLOCK, UNKNOWN_THREAD, KINDS };
	const addr_t control_at = THREAD_STACK_AT + CONTROL_BLOCK * sizeof(addr_t);

	for (int kind = ENDED; kind < KINDS; kind++) {
		_cleanup_given_ struct given given;
		given_process_on(&given, PY_ERA_38, kind != NO_GUARD);
		addr_t object = given_object(&given, 1);
		given.thread.thread_pointer = kind == RUNS             ? control_at
					      : kind == UNKNOWN_THREAD ? 0
								       : STACK_AT;
		given.thread_stack[40] = object;
		given.thread_stack[CONTROL_BLOCK] = control_at;
		given.thread_stack[CONTROL_BLOCK + SELF] =
			kind == NO_CONTROL_BLOCK ? 0 : control_at;
		annotate(&given);
		assert_int_equal(leaked(&given, object), kind == ENDED ? 1 : 0);
	}
}

static void memory_that_is_no_object_holds(void **state)
{
	static const size_t sizes[] = {RAW_BYTES, 4000};

	FOR_EACH_ERA(era)
	{
		for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
			_cleanup_given_ struct given given;
			given_process(&given, era);
			addr_t object = given_object(&given, 1);
			addr_t raw = py_image_alloc(given.image, sizes[i]);
			*py_image_word(given.image, raw + 24) = object;
			annotate(&given);
			assert_held(&given, object, HEAP_ROOT_C_MEMORY, "memory that is no object");
		}
	}
}

static void what_was_given_back_holds_nothing(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given;
		given_process(&given, era);
		const struct py_layout *layout = &given.image->layout;
		addr_t object = given_object(&given, 1), other = given_object(&given, 1);
		addr_t raw = py_image_alloc(given.image, RAW_BYTES);
		*py_image_word(given.image, raw + 24) = object;
		py_image_free(given.image, raw);
		// A tuple that the interpreter keeps for later.
		addr_t tuple = py_image_tuple(given.image, &object, 1);
		py_image_untrack(given.image, tuple);
		py_image_set(given.image, tuple, layout->f.object_refcnt, 0);
		// Behind the items of a list.
		addr_t list = py_image_list(given.image, &other, 1);
		py_image_set(given.image, list, layout->f.var_size, 0);
		annotate(&given);

		assert_int_equal(leaked(&given, object), 1);
		assert_int_equal(leaked(&given, other), 1);
	}
}

static void a_weak_reference_holds_nothing(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given;
		given_process(&given, era);
		addr_t object = given_object(&given, 1), both = given_object(&given, 1);
		addr_t weakref[2];
		for (int i = 0; i < 2; i++) {
			weakref[i] = py_graph_object(given.graph, given.graph->weakref_type);
			py_image_set(given.image, weakref[i], given.image->layout.f.weakref_object,
				     i ? both : object);
		}
		shop_cache[0] = both;
		annotate(&given);

		assert_int_equal(leaked(&given, object), 1);
		assert_int_equal(leaked(&given, both), 0);
	}
}

// Words of an object in the program's own data are its references, not variables.
static void a_static_object_is_no_variable(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given;
		given_process(&given, era);
		addr_t type = py_image_static_type(given.image, "shop.Node", 32, 0, 0);
		addr_t node = py_image_alloc_static(given.image, 32);
		addr_t object = given_object(&given, 2);
		*py_image_word(given.image, node) = 1;
		*py_image_word(given.image, node + 8) = type;
		*py_image_word(given.image, node + 16) = object;
		addr_t list = py_image_list(given.image, &node, 1);
		shop_cache[0] = list;
		annotate(&given);

		assert_int_equal(leaked(&given, object), 1);
		assert_null(root_of(&given, object));
		// Nor is it looked for who holds it.
		assert_int_equal(leaked(&given, node), 0);
	}
}

static void the_unused_end_of_a_stack_of_functions_holds_nothing(void **state)
{
	for (enum py_era era = PY_ERA_311; era < PY_ERA_COUNT; era++) {
		_cleanup_given_ struct given given;
		given_process(&given, era);
		const struct py_layout *layout = &given.image->layout;
		addr_t dead = given_object(&given, 1), live = given_object(&given, 1);
		addr_t behind = given_object(&given, 1);
		addr_t stack = py_image_alloc_outside(given.image, 3 * PAGE_BYTES);
		*py_image_word(given.image, stack) = live;
		*py_image_word(given.image, stack + 64) = dead;
		*py_image_word(given.image, stack + 2 * PAGE_BYTES - 8) = dead;
		*py_image_word(given.image, stack + 2 * PAGE_BYTES) = behind;
		py_image_set(given.image, given.image->thread, layout->f.tstate_datastack_top,
			     stack + 64);
		py_image_set(given.image, given.image->thread, layout->f.tstate_datastack_limit,
			     stack + 2 * PAGE_BYTES);
		annotate(&given);

		assert_int_equal(leaked(&given, dead), 1);
		assert_int_equal(leaked(&given, live), 0);
		assert_int_equal(leaked(&given, behind), 0);
	}
}

static void who_is_held_many_times_has_a_few_rows(void **state)
{
	_cleanup_given_ struct given given;

	given_process(&given, PY_ERA_38);
	addr_t object = given_object(&given, 100);
	for (size_t i = 0; i < 100; i++)
		shop_cache[i] = object;
	annotate(&given);
	assert_int_equal(count_roots(&given, object), ROOTS_MAX);
	assert_int_equal(leaked(&given, object), 0);
}

static unsigned generation(const struct given *given, addr_t at)
{
	uint32_t object = heap_find(given->heap, at);

	assert_int_not_equal(object, HEAP_NO_OBJECT);
	return (given->heap->flags[object] & HEAP_GENERATION_MASK) >> HEAP_GENERATION_SHIFT;
}

static void objects_are_in_their_generations(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given;
		given_process(&given, era);
		struct py_image *image = given.image;
		addr_t member[PY_IMAGE_GENERATIONS + 1];
		for (size_t i = 0; i <= PY_IMAGE_GENERATIONS; i++) {
			addr_t head =
				i < PY_IMAGE_GENERATIONS ? image->generation[i] : image->permanent;
			for (int j = 0; head && j < 5; j++) {
				member[i] = py_image_object(image, image->type[IMAGE_LIST], 40);
				py_image_track_in(image, member[i], head);
			}
		}
		addr_t untracked = given_object(&given, 1);
		annotate(&given);

		assert_int_equal(generation(&given, member[0]), 1);
		assert_int_equal(generation(&given, member[1]), 2);
		assert_int_equal(generation(&given, member[2]), 3);
		if (image->permanent)
			assert_int_equal(generation(&given, member[3]), 4);
		assert_int_equal(generation(&given, untracked), 0);
	}
}

static void a_list_of_the_collector_that_loops_ends(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given;
		given_process(&given, era);
		struct py_image *image = given.image;
		addr_t list[4];
		for (size_t i = 0; i < 4; i++)
			list[i] = py_image_list(image, NULL, 0);
		given.heap = py_graph_walk(given.graph);
		py_image_set(image, py_image_head(image, list[3]), image->layout.f.gc_next,
			     py_image_head(image, list[1]));
		assert_null(try_annotate(&given));
		assert_int_equal(generation(&given, list[3]), 1);
		// Or leads nowhere.
		heap_destroy(take_ptr(given.heap));
		py_image_set(image, py_image_head(image, list[3]), image->layout.f.gc_next,
			     image->generation[0]);
		given.heap = py_graph_walk(given.graph);
		py_image_set(image, py_image_head(image, list[1]), image->layout.f.gc_next,
			     0x1234567890);
		assert_null(try_annotate(&given));
		assert_int_equal(generation(&given, list[1]), 1);
		assert_int_equal(generation(&given, list[2]), 0);
	}
}

static void whichever_read_fails_it_ends_well(void **state)
{
	static const enum error_code codes[] = {ERROR_FAULT, ERROR_GONE};

	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given;
		given_process(&given, era);
		addr_t object = given_object(&given, 2);
		addr_t list = py_image_list(given.image, &object, 1);
		shop_cache[0] = list;
		size_t before = fake_source_read_count(given.image->fake);
		annotate(&given);
		size_t reads = fake_source_read_count(given.image->fake) - before;
		// Most are of pages of variables, which are all alike.
		for (size_t nth = 1; nth <= reads; nth += nth < 40 ? 1 : 17) {
			for (size_t i = 0; i < ARRAY_COUNT(codes); i++) {
				heap_destroy(take_ptr(given.heap));
				given.heap = py_graph_walk(given.graph);
				fake_source_fail_nth(given.image->fake, nth, codes[i]);
				_cleanup_error_ struct error *error = try_annotate(&given);
				fake_source_fail_nth(given.image->fake, 0, codes[i]);
				assert_true(error || given.heap->is_annotated);
				if (error && codes[i] == ERROR_GONE)
					assert_int_equal(error->code, ERROR_GONE);
			}
		}
	}
}

static void memory_is_known_by_its_arenas_and_heaps(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		_cleanup_py_memory_ struct py_memory memory = {0};
		struct mem_source *source = py_image_source(image);
		assert_null(py_memory_read_state(&image->layout, image->window, &memory));
		assert_null(py_memory_find(&image->layout, image->window, source, &memory));

		assert_int_equal(memory.interpreters.count, 1);
		assert_int_equal(memory.interpreters.at[0], image->interpreter);
		assert_int_equal(memory.gc.list_count,
				 PY_IMAGE_GENERATIONS + (image->permanent ? 1 : 0));
		assert_int_equal(memory.arenas.count, 1);
		assert_int_equal(memory.arenas.list[0].address, image->arena.start);
		assert_int_equal(memory.lowest_address, image->statics.start);
		assert_true(memory.regions.count > 0);
		// No region has any of the arena.
		for (size_t i = 0; i < memory.regions.count; i++)
			assert_true(memory.regions.list[i].end <= image->arena.start ||
				    memory.regions.list[i].start >= memory.arenas.list[0].end);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(references_that_nobody_holds_are_leaked),
		cmocka_unit_test(a_variable_is_told_by_its_name),
		cmocka_unit_test(a_stack_holds_down_to_its_pointer),
		cmocka_unit_test(the_stack_of_a_thread_that_has_ended_holds_nothing),
		cmocka_unit_test(memory_that_is_no_object_holds),
		cmocka_unit_test(what_was_given_back_holds_nothing),
		cmocka_unit_test(a_weak_reference_holds_nothing),
		cmocka_unit_test(a_static_object_is_no_variable),
		cmocka_unit_test(the_unused_end_of_a_stack_of_functions_holds_nothing),
		cmocka_unit_test(who_is_held_many_times_has_a_few_rows),
		cmocka_unit_test(objects_are_in_their_generations),
		cmocka_unit_test(a_list_of_the_collector_that_loops_ends),
		cmocka_unit_test(whichever_read_fails_it_ends_well),
		cmocka_unit_test(memory_is_known_by_its_arenas_and_heaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
