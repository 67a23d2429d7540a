// SPDX-License-Identifier: GPL-3.0-or-later
// Whole walks into a graph of references: what is beyond the heap, roots, the collector's settings,
// kinds of finalizers, and memory that cannot be read.
#include "targets/cpython/references/graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "cpu/cpu.h"
#include "support/py_code.h"
#include "support/py_graph.h"

enum {
	NODE_BYTES = 32,
	CHAIN = 20,
	DEBUG_SAVEALL = 32,
	DEBUG_STATS = 1,
};

#define FOR_EACH_ERA(era) for (enum py_era era = 0; era < PY_ERA_COUNT; era++)

static addr_t gc_at(const struct py_image *image)
{
	const struct py_layout *layout = &image->layout;

	return layout->f.interp_gc.present ? image->interpreter + layout->f.interp_gc.offset
					   : layout->var.runtime + layout->f.runtime_gc.offset;
}

static void set_collector(const struct py_image *image, bool enabled, uint32_t debug,
			  addr_t garbage)
{
	const struct py_layout *layout = &image->layout;

	if (!layout->var.gc_enabled) {
		py_image_set(image, gc_at(image), layout->f.gc_enabled, enabled);
		py_image_set(image, gc_at(image), layout->f.gc_debug, debug);
		py_image_set(image, gc_at(image), layout->f.gc_garbage, garbage);
		return;
	}
	*(uint32_t *)py_image_at(image, layout->var.gc_enabled) = enabled;
	*(uint32_t *)py_image_at(image, layout->var.gc_debug) = debug;
	*py_image_word(image, layout->var.gc_garbage) = garbage;
}

static void set_sys(const struct py_image *image, addr_t dict)
{
	py_image_set(image, image->interpreter, image->layout.f.interp_sysdict, dict);
}

static uint32_t flags_at(const struct heap *heap, addr_t at)
{
	uint32_t object = heap_find(heap, at);

	assert_int_not_equal(object, HEAP_NO_OBJECT);
	return heap->flags[object];
}

static const struct heap_root_row *find_root(const struct heap *heap, addr_t at,
					     enum heap_root_kind kind)
{
	for (size_t i = 0; i < heap->root_count; i++)
		if (heap->roots[i].kind == kind && heap->at[heap->roots[i].object] == at)
			return &heap->roots[i];
	return NULL;
}

static void assert_root(const struct heap *heap, addr_t at, enum heap_root_kind kind,
			const char *name)
{
	const struct heap_root_row *root = find_root(heap, at, kind);

	assert_non_null(root);
	assert_string_equal(root->name, name);
}

// given: a list with an instance whose dict has a value, and a weak reference to it.
static void a_walk_brings_objects_and_references(void **state)
{
	static const int32_t visited[] = {16, 8};

	FOR_EACH_ERA(era)
	{
		for (enum target_effort effort = 0; effort <= TARGET_EFFORT_LAST; effort++) {
			_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
			struct py_image *image = graph->image;
			const struct py_layout *layout = &image->layout;
			addr_t class = py_graph_class(graph, "Cart", 32, 0, NULL, 0,
						      py_code_visit_members(image, visited, 2));
			py_image_set(image, class, layout->f.type_dictoffset, 16);
			addr_t cart = py_graph_object(graph, class);
			addr_t key = py_graph_str(graph, "key"),
			       value = py_graph_str(graph, "value");
			const struct py_image_item item = {key, value};
			addr_t dict = py_image_dict(image, PY_IMAGE_COMBINED, &item, 1);
			py_image_track(image, dict);
			*py_image_word(image, cart + 16) = dict;
			addr_t list = py_image_list(image, &cart, 1);
			addr_t weakref = py_graph_object(graph, graph->weakref_type);
			py_image_set(image, weakref, layout->f.weakref_object, cart);
			struct target_verdict verdict;
			_cleanup_heap_ struct heap *heap = NULL;

			assert_null(py_graph_try_walk(graph, effort, &verdict, &heap));
			assert_true(verdict.consistent);
			if (heap->truncated + heap->unreadable)
				fail_msg("%s", heap->problem_texts[0]);
			assert_int_equal(py_graph_count(heap, list, cart, HEAP_EDGE_GC), 1);
			assert_int_equal(py_graph_count(heap, cart, dict, HEAP_EDGE_GC), 1);
			assert_int_equal(py_graph_count(heap, cart, class, HEAP_EDGE_GC), 1);
			assert_int_equal(py_graph_count(heap, dict, value, HEAP_EDGE_GC), 1);
			assert_int_equal(py_graph_count(heap, weakref, cart, HEAP_EDGE_WEAK), 1);
			assert_true(flags_at(heap, dict) & HEAP_PART);
			assert_false(flags_at(heap, cart) & HEAP_PART);
			assert_true(flags_at(heap, cart) & HEAP_TRACKED);
			assert_string_equal(heap_type_name(heap, heap_find(heap, cart)),
					    "shop.Cart");
		}
	}
}

static void a_dict_that_two_refer_to_is_no_part(void **state)
{
	static const int32_t visited[] = {16, 8};
	_cleanup_py_graph_ struct py_graph *graph = py_graph_create(PY_ERA_311);
	struct py_image *image = graph->image;
	addr_t class = py_graph_class(graph, "Cart", 32, 0, NULL, 0,
				      py_code_visit_members(image, visited, 2));
	addr_t dict = py_image_dict(image, PY_IMAGE_COMBINED, NULL, 0);

	py_image_set(image, class, image->layout.f.type_dictoffset, 16);
	for (int i = 0; i < 2; i++)
		*py_image_word(image, py_graph_object(graph, class) + 16) = dict;
	_cleanup_heap_ struct heap *heap = py_graph_walk(graph);
	assert_false(flags_at(heap, dict) & HEAP_PART);
}

/** Objects in the program's own data: each refers to the next one. */
static addr_t given_node(struct py_graph *graph, addr_t type, addr_t next)
{
	const struct py_layout *layout = &graph->image->layout;
	addr_t node = py_image_alloc_static(graph->image, NODE_BYTES);

	py_image_set(graph->image, node, layout->f.object_refcnt,
		     layout->has_immortals ? UINT32_MAX : 1);
	py_image_set(graph->image, node, layout->f.object_type, type);
	*py_image_word(graph->image, node + 16) = next;
	return node;
}

static void what_is_no_part_of_the_heap_is_followed_to_its_end(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		// None of the collector's: nothing stands before its objects.
		addr_t type = py_image_static_type(graph->image, "shop.Node", NODE_BYTES, 0, 0);
		addr_t chain[CHAIN], last = py_graph_str(graph, "last");
		for (size_t i = CHAIN; i-- > 0;)
			chain[i] = given_node(graph, type, i + 1 < CHAIN ? chain[i + 1] : last);
		*py_image_word(graph->image, chain[CHAIN - 1] + 24) = chain[0];
		addr_t list = py_image_list(graph->image, chain, 1);

		_cleanup_heap_ struct heap *heap = py_graph_walk(graph);
		assert_int_equal(py_graph_count(heap, list, chain[0], HEAP_EDGE_GC), 1);
		for (size_t i = 0; i < CHAIN; i++) {
			addr_t next = i + 1 < CHAIN ? chain[i + 1] : last;
			assert_true(flags_at(heap, chain[i]) & HEAP_STATIC);
			assert_int_equal(py_graph_count(heap, chain[i], next, HEAP_EDGE_GUESS), 1);
		}
		assert_int_equal(py_graph_count(heap, chain[CHAIN - 1], chain[0], HEAP_EDGE_GUESS),
				 1);
		assert_false(flags_at(heap, last) & HEAP_STATIC);
		if (graph->image->layout.has_immortals)
			assert_true(flags_at(heap, chain[0]) & HEAP_IMMORTAL);
	}
}

static void types_of_objects_are_followed_only_where_somebody_refers_to_them(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		addr_t list_type = graph->image->type[IMAGE_LIST];
		addr_t list = py_image_list(graph->image, &list_type, 1);
		_cleanup_heap_ struct heap *heap = py_graph_walk(graph);

		assert_int_equal(py_graph_count(heap, list, list_type, HEAP_EDGE_GC), 1);
		assert_true(flags_at(heap, list_type) & HEAP_STATIC);
		assert_int_equal(heap_find(heap, graph->image->type[IMAGE_DEQUE]), HEAP_NO_OBJECT);
	}
}

static void wild_addresses_are_left_out(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		struct py_image *image = graph->image;
		addr_t unmapped_type = py_image_alloc_static(image, 64);
		*py_image_word(image, unmapped_type) = 1;
		*py_image_word(image, unmapped_type + 8) = 0x1234567890;
		addr_t uncounted = given_node(graph, image->type[IMAGE_FLOAT], 0);
		*py_image_word(image, uncounted) = 0;
		const addr_t wild[] = {1,          8,      0x1234567890,  UINT64_MAX, 1ULL << 60,
				       1ULL << 47, 0x1003, unmapped_type, uncounted};
		addr_t list = py_image_list(image, wild, ARRAY_COUNT(wild));
		_cleanup_heap_ struct heap *heap = py_graph_walk(graph);

		assert_int_equal(heap_edge_count(heap, heap_find(heap, list)), 0);
		assert_true(heap->dangling_count[HEAP_EDGE_GC] >= ARRAY_COUNT(wild));
	}
}

static void modules_are_roots_under_their_names(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		struct py_image *image = graph->image;
		addr_t shop = py_image_list(image, NULL, 0), sys = py_image_list(image, NULL, 0);
		addr_t odd = py_image_list(image, NULL, 0);
		const struct py_image_item modules[] = {
			{py_graph_str(graph, "sys"), sys},
			{py_graph_str(graph, "shop.web"), shop},
			// A name that is no string at all.
			{shop, odd},
		};
		addr_t modules_at = py_image_dict(image, PY_IMAGE_COMBINED, modules, 3);
		const struct py_image_item items[] = {
			{py_graph_str(graph, "version"), py_graph_str(graph, "3.99 ")},
			{py_graph_str(graph, "modules"), modules_at},
		};
		addr_t sys_at = py_image_dict(image, PY_IMAGE_COMBINED, items, 2);
		set_sys(image, sys_at);
		_cleanup_heap_ struct heap *heap = py_graph_walk(graph);

		assert_root(heap, sys_at, HEAP_ROOT_INTERPRETER, "sys.__dict__");
		assert_root(heap, modules_at, HEAP_ROOT_INTERPRETER, "sys.modules");
		assert_root(heap, sys, HEAP_ROOT_MODULE, "sys");
		assert_root(heap, shop, HEAP_ROOT_MODULE, "shop.web");
		assert_root(heap, odd, HEAP_ROOT_MODULE, "?");
		assert_false(find_root(heap, shop, HEAP_ROOT_MODULE)->owns);
	}
}

static void without_modules_there_are_the_other_roots(void **state)
{
	static const addr_t nonsense[] = {0, 8, 0x1234567890, UINT64_MAX};

	FOR_EACH_ERA(era)
	{
		for (size_t i = 0; i < ARRAY_COUNT(nonsense); i++) {
			_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
			set_sys(graph->image, nonsense[i]);
			_cleanup_heap_ struct heap *heap = py_graph_walk(graph);
			assert_int_equal(heap->root_count, 0);
			assert_int_equal(heap->dangling_root_count, nonsense[i] ? 1 : 0);
		}
	}
}

static void what_a_thread_holds_is_a_root_that_owns(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		addr_t dict = py_image_dict(graph->image, PY_IMAGE_COMBINED, NULL, 0);
		py_image_set(graph->image, graph->image->thread, graph->image->layout.f.tstate_dict,
			     dict);
		_cleanup_heap_ struct heap *heap = py_graph_walk(graph);
		const struct heap_root_row *root = find_root(heap, dict, HEAP_ROOT_THREAD);

		assert_non_null(root);
		assert_true(root->owns);
	}
}

static void interned_strings_are_roots_where_a_variable_has_them(void **state)
{
	_cleanup_py_graph_ struct py_graph *graph = py_graph_create(PY_ERA_38);
	addr_t dict = py_image_dict(graph->image, PY_IMAGE_COMBINED, NULL, 0);

	graph->image->layout.var.interned = py_image_alloc_static(graph->image, 8);
	*py_image_word(graph->image, graph->image->layout.var.interned) = dict;
	_cleanup_heap_ struct heap *heap = py_graph_walk(graph);
	assert_root(heap, dict, HEAP_ROOT_INTERNED, "interned strings");
}

static void the_collectors_settings_are_told(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		addr_t garbage = py_image_list(graph->image, NULL, 0);
		set_collector(graph->image, true, DEBUG_STATS, 0);
		_cleanup_heap_ struct heap *usual = py_graph_walk(graph);
		set_collector(graph->image, false, DEBUG_SAVEALL | DEBUG_STATS, garbage);
		_cleanup_heap_ struct heap *heap = py_graph_walk(graph);

		assert_true(usual->collector.enabled);
		assert_false(usual->collector.saves_all);
		assert_int_equal(usual->garbage_list, HEAP_NO_OBJECT);
		assert_false(heap->collector.enabled);
		assert_true(heap->collector.saves_all);
		assert_int_equal(heap->collector.garbage_at, garbage);
		assert_int_equal(heap->garbage_list, heap_find(heap, garbage));
		assert_root(heap, garbage, HEAP_ROOT_GARBAGE, "gc.garbage");
	}
}

static void finalizers_are_told_of_types_and_of_objects(void **state)
{
	for (enum py_era era = PY_ERA_36; era < PY_ERA_COUNT; era++) {
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		struct py_image *image = graph->image;
		const struct py_layout *layout = &image->layout;
		struct py_field state_of =
			layout->f.gc_refs.present ? layout->f.gc_refs : layout->f.gc_prev;
		addr_t finalizes = py_graph_class(graph, "Finalizes", 24, 0, NULL, 0, 0);
		addr_t legacy = py_graph_class(graph, "Legacy", 24, 0, NULL, 0, 0);
		py_image_set(image, finalizes, layout->f.type_finalize, 0x1000);
		py_image_set(image, legacy, layout->f.type_del, 0x1000);
		addr_t first = py_graph_object(graph, finalizes);
		addr_t second = py_graph_object(graph, legacy);
		addr_t head = py_image_head(image, first);
		py_image_set(image, head, state_of, py_image_get(image, head, state_of) | 1);
		_cleanup_heap_ struct heap *heap = py_graph_walk(graph);

		assert_int_equal(heap_finalizer(heap, heap_find(heap, first)),
				 HEAP_FINALIZER_BUILTIN);
		assert_int_equal(heap_finalizer(heap, heap_find(heap, second)),
				 HEAP_FINALIZER_LEGACY);
		assert_true(flags_at(heap, first) & HEAP_FINALIZED);
		assert_true(flags_at(heap, second) & HEAP_LEGACY_FINALIZER);
		assert_false(flags_at(heap, second) & HEAP_FINALIZED);
	}
}

static void old_style_instances_count_under_their_class_and_its_finalizer(void **state)
{
	_cleanup_py_graph_ struct py_graph *graph = py_graph_create(PY_ERA_27);
	struct py_image *image = graph->image;
	const struct py_layout *layout = &image->layout;
	const struct py_image_item item = {py_graph_str(graph, "__del__"),
					   py_image_list(image, NULL, 0)};
	addr_t class = py_image_object(image, image->type[IMAGE_CLASS2], 72);
	addr_t instance = py_graph_object(graph, image->type[IMAGE_INSTANCE2]);

	py_image_set(image, class, layout->f.class_name, py_graph_str(graph, "Cart"));
	py_image_set(image, class, layout->f.class_dict,
		     py_image_dict(image, PY_IMAGE_COMBINED, &item, 1));
	py_image_set(image, instance, layout->f.instance_class, class);
	_cleanup_heap_ struct heap *heap = py_graph_walk(graph);
	uint32_t object = heap_find(heap, instance);

	assert_string_equal(heap_type_name(heap, object), "Cart");
	assert_int_equal(heap_finalizer(heap, object), HEAP_FINALIZER_DEL);
	assert_true(heap->flags[object] & HEAP_LEGACY_FINALIZER);
	assert_int_equal(py_graph_count(heap, instance, class, HEAP_EDGE_GUESS), 1);
}

static void a_traversal_that_fails_is_a_problem_told(void **state)
{
	if (!cpu_is_supported())
		skip();
	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = py_graph_create(era);
		addr_t type = py_graph_static_type(graph, "shop.Node", NODE_BYTES,
						   py_code_unknown(graph->image), NULL);
		addr_t list = py_image_list(graph->image, NULL, 0);
		for (int i = 0; i < 3; i++)
			*py_image_word(graph->image, py_graph_object(graph, type) + 16) = list;
		_cleanup_heap_ struct heap *heap = py_graph_walk(graph);

		assert_int_equal(heap->truncated, 1);
		assert_non_null(strstr(heap->problem_texts[0], "shop.Node"));
		assert_non_null(strstr(heap->problem_texts[0], "0f 0b"));
	}
}

/** A shop of everything above, for memory that cannot be read. */
static struct py_graph *given_shop(enum py_era era)
{
	static const struct py_image_slot slot = {"owner", 16, 16};
	static const int32_t visited[] = {16, 24, 8};
	struct py_graph *graph = py_graph_create(era);
	struct py_image *image = graph->image;
	addr_t code = py_code_visit_members(image, visited, 3);
	addr_t class = py_graph_class(graph, "Cart", 32, 0, &slot, 1, code);
	addr_t basket = py_graph_static_type(graph, "shop.Basket", PY_GRAPH_BASKET_BYTES, code,
					     py_graph_basket_dealloc);

	py_image_set(image, class, image->layout.f.type_dictoffset, 24);
	for (int i = 0; i < 10; i++) {
		addr_t cart = py_graph_object(graph, class), key = py_graph_str(graph, "key");
		const struct py_image_item item = {key, cart};
		addr_t dict = py_image_dict(image, i % 2 ? PY_IMAGE_GENERAL : PY_IMAGE_COMBINED,
					    &item, 1);
		addr_t other = py_graph_object(graph, basket);
		*py_image_word(image, cart + 16) = py_image_tuple(image, &cart, 1);
		*py_image_word(image, cart + 24) = dict;
		*py_image_word(image, other + 16) = cart;
		*py_image_word(image, other + 40) = image->type[IMAGE_LIST];
	}
	const struct py_image_item items[] = {
		{py_graph_str(graph, "version"), py_graph_str(graph, "3.99 ")},
		{py_graph_str(graph, "modules"), py_image_dict(image, PY_IMAGE_COMBINED, NULL, 0)},
	};
	set_sys(image, py_image_dict(image, PY_IMAGE_COMBINED, items, 2));
	set_collector(image, true, 0, py_image_list(image, NULL, 0));
	return graph;
}

// Every read but for those of what may be anything (guesses, strings) is told or has no consequence:
// the count of objects tells of the first, and nothing ends badly.
static void whichever_read_fails_the_walk_ends_well(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = given_shop(era);
		struct target_verdict verdict;
		size_t before = fake_source_read_count(graph->image->fake);
		_cleanup_heap_ struct heap *whole = py_graph_walk(graph);
		size_t reads = fake_source_read_count(graph->image->fake) - before;
		assert_true(reads > 20);
		for (size_t nth = 1; nth <= reads; nth++) {
			_cleanup_heap_ struct heap *heap = NULL;
			fake_source_fail_nth(graph->image->fake, nth, ERROR_FAULT);
			_cleanup_error_ struct error *error =
				py_graph_try_walk(graph, TARGET_EFFORT_LAST, &verdict, &heap);
			fake_source_fail_nth(graph->image->fake, 0, ERROR_FAULT);
			if (error)
				continue;
			bool told = !verdict.consistent || heap->truncated || heap->unreadable;
			assert_true(told || heap->object_count <= whole->object_count);
		}
	}
}

static void whenever_the_process_ends_so_does_the_walk(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_graph_ struct py_graph *graph = given_shop(era);
		struct target_verdict verdict;
		size_t before = fake_source_read_count(graph->image->fake);
		heap_destroy(py_graph_walk(graph));
		size_t reads = fake_source_read_count(graph->image->fake) - before;
		for (size_t nth = 1; nth <= reads; nth++) {
			_cleanup_heap_ struct heap *heap = NULL;
			fake_source_fail_nth(graph->image->fake, nth, ERROR_GONE);
			_cleanup_error_ struct error *error =
				py_graph_try_walk(graph, TARGET_EFFORT_FIRST, &verdict, &heap);
			fake_source_fail_nth(graph->image->fake, 0, ERROR_GONE);
			if (!error)
				fail_msg("%s: read %zu of %zu: no error", py_era_name(era), nth,
					 reads);
			assert_int_equal(error->code, ERROR_GONE);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_walk_brings_objects_and_references),
		cmocka_unit_test(a_dict_that_two_refer_to_is_no_part),
		cmocka_unit_test(what_is_no_part_of_the_heap_is_followed_to_its_end),
		cmocka_unit_test(types_of_objects_are_followed_only_where_somebody_refers_to_them),
		cmocka_unit_test(wild_addresses_are_left_out),
		cmocka_unit_test(modules_are_roots_under_their_names),
		cmocka_unit_test(without_modules_there_are_the_other_roots),
		cmocka_unit_test(what_a_thread_holds_is_a_root_that_owns),
		cmocka_unit_test(interned_strings_are_roots_where_a_variable_has_them),
		cmocka_unit_test(the_collectors_settings_are_told),
		cmocka_unit_test(finalizers_are_told_of_types_and_of_objects),
		cmocka_unit_test(old_style_instances_count_under_their_class_and_its_finalizer),
		cmocka_unit_test(a_traversal_that_fails_is_a_problem_told),
		cmocka_unit_test(whichever_read_fails_the_walk_ends_well),
		cmocka_unit_test(whenever_the_process_ends_so_does_the_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
