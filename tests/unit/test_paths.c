// SPDX-License-Identifier: GPL-3.0-or-later
// Shortest paths from roots, against a slow search, and their words.
#include "analyze/retention/paths.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyze/retention/path_groups.h"
#include "analyze/retention/path_words.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "support/graphs.h"

static const uint32_t FAR = 1000000;

static bool is_module(const struct heap *heap, uint32_t object)
{
	for (size_t i = 0; i < heap->root_count; i++)
		if (heap->roots[i].object == object && heap->roots[i].kind == HEAP_ROOT_MODULE)
			return true;
	return false;
}

// Rounds until nothing changes. A step out of a module is free.
static void slow_distances(const struct heap *heap, const uint8_t *avoided, uint32_t *distances,
			   unsigned kinds, bool leaks)
{
	bool changed = true;

	for (uint32_t i = 0; i < heap->object_count; i++)
		distances[i] = FAR;
	for (size_t i = 0; i < heap->root_count; i++)
		if (kinds >> heap->roots[i].kind & 1 &&
		    !(avoided && avoided[heap->roots[i].object]))
			distances[heap->roots[i].object] = 0;
	for (size_t i = 0; i < heap->leak_count && leaks; i++)
		if (!(avoided && avoided[heap->leaks[i].object]))
			distances[heap->leaks[i].object] = 0;
	while (changed) {
		changed = false;
		for (uint32_t i = 0; i < heap->object_count; i++) {
			for (uint32_t j = 0; j < heap_edge_count(heap, i); j++) {
				heap_edge edge = heap_edges(heap, i)[j];
				uint32_t to = heap_edge_target(edge);
				uint32_t far = distances[i] + (distances[i] || !is_module(heap, i));
				if (!heap_edge_holds(edge) || (avoided && avoided[to]) ||
				    far >= distances[to])
					continue;
				distances[to] = far;
				changed = true;
			}
		}
	}
}

static struct heap *random_heap(uint64_t seed, uint32_t count)
{
	struct heap *heap = graph_at_random(seed * 104729 + 3, count, count * 2);
	struct heap_root_row roots[5];
	struct heap_leak leak = {(uint32_t)(seed % count), 1};
	size_t root_count = seed % (ARRAY_COUNT(roots) + 1);

	for (size_t i = 0; i < root_count; i++)
		roots[i] = (struct heap_root_row){
			.object = (uint32_t)((seed * 37 + i * 11) % count),
			.kind = (enum heap_root_kind)((seed / 7 + i) % HEAP_ROOT_KIND_COUNT)};
	graph_hold(heap, roots, root_count, &leak, seed % 2);
	// Attribute dicts have tests of their own: here each step counts.
	for (uint32_t i = 0; i < count; i++)
		heap->flags[i] &= (uint16_t)~HEAP_PART;
	return heap;
}

static void assert_is_path(const struct heap *heap, const struct path *path, uint32_t object)
{
	assert_int_equal(path->steps[path->count - 1].object, object);
	assert_int_equal(path->steps[0].object, path->start.object);
	if (path->start.root != PATH_LEAK)
		assert_int_equal(heap->roots[path->start.root].object, path->start.object);
	for (size_t i = 1; i < path->count; i++) {
		heap_edge edge = heap_edges(heap, path->steps[i - 1].object)[path->steps[i].edge];
		assert_int_equal(heap_edge_target(edge), path->steps[i].object);
		assert_int_not_equal(heap_edge_kind(edge), HEAP_EDGE_WEAK);
	}
}

static bool is_kind_of_program(enum heap_root_kind kind)
{
	return kind == HEAP_ROOT_MODULE || kind == HEAP_ROOT_FRAME || kind == HEAP_ROOT_THREAD ||
	       kind == HEAP_ROOT_GARBAGE;
}

static void no_path_is_shorter(void **state)
{
	enum { COUNT = 40 };
	uint32_t far[COUNT], program[COUNT];

	for (uint64_t seed = 1; seed <= 2000; seed++) {
		_cleanup_heap_ struct heap *heap = random_heap(seed, COUNT);
		_cleanup_paths_ struct paths paths = {0};
		uint8_t avoided[COUNT] = {0};
		struct path path;

		if (seed % 3 == 0)
			avoided[seed % COUNT] = avoided[seed * 7 % COUNT] = 1;
		slow_distances(heap, avoided, far, ~0U, true);
		slow_distances(heap, avoided, program,
			       1U << HEAP_ROOT_MODULE | 1U << HEAP_ROOT_FRAME |
				       1U << HEAP_ROOT_THREAD | 1U << HEAP_ROOT_GARBAGE,
			       false);
		assert_null(paths_find(heap, avoided, &paths));
		for (uint32_t i = 0; i < COUNT; i++) {
			assert_int_equal(paths_reach(&paths, i), far[i] != FAR);
			if (far[i] == FAR)
				continue;
			paths_get(&paths, heap, i, &path);
			assert_is_path(heap, &path, i);
			if (program[i] == FAR)
				continue;
			bool from_module = is_module(heap, path.start.object);
			assert_int_equal(path.count - 1 - (from_module && path.count > 1),
					 program[i]);
			assert_true(is_kind_of_program(heap->roots[path.start.root].kind));
		}
	}
}

static void every_root_that_leads_there_has_a_path(void **state)
{
	enum { COUNT = 30 };

	for (uint64_t seed = 1; seed <= 1000; seed++) {
		_cleanup_heap_ struct heap *heap = random_heap(seed, COUNT);
		_cleanup_path_list_ struct path_list list = {0};
		uint32_t object = (uint32_t)(seed * 3 % COUNT), far[COUNT], shortest = FAR;

		// All the same here.
		for (size_t i = 0; i < heap->root_count; i++)
			heap->roots[i].kind = HEAP_ROOT_FRAME;
		slow_distances(heap, NULL, far, ~0U, true);
		assert_null(paths_from_all(heap, 1, object, NULL, 100, &list));
		assert_int_equal(list.count > 0, far[object] != FAR);
		for (size_t i = 0; i < list.count; i++) {
			assert_is_path(heap, &list.list[i], object);
			assert_true(i == 0 || list.list[i - 1].count <= list.list[i].count);
			if (list.list[i].count - 1 < shortest)
				shortest = (uint32_t)list.list[i].count - 1;
			for (size_t j = 0; j < i; j++)
				assert_memory_not_equal(&list.list[i].start, &list.list[j].start,
							sizeof(struct path_start));
		}
		if (list.count)
			assert_int_equal(shortest, far[object]);
	}
}

static void assert_words(const struct path_words *words, const char *const *labels, size_t count)
{
	assert_int_equal(words->count, count);
	for (size_t i = 0; i < count; i++)
		assert_string_equal(words->list[i].label, labels[i]);
}

static const char shop[] = "type shop.Cart\n"
			   "object 0x1000 module\n"
			   "object 0x1010 dict part\n"
			   "object 0x1020 list\n"
			   "object 0x1030 shop.Cart\n"
			   "object 0x1040 dict part\n"
			   "object 0x1050 str\n"
			   "edge 0x1000 0x1010 gc .__dict__\n"
			   "edge 0x1010 0x1020 gc \"['CARTS']\"\n"
			   "edge 0x1020 0x1030 gc [7]\n"
			   "edge 0x1030 0x1040 gc .__dict__\n"
			   "edge 0x1040 0x1050 gc \"['a name']\"\n"
			   "root 0x1000 module shop\n";

static void attribute_dicts_are_folded_into_their_owners(void **state)
{
	_cleanup_heap_ struct heap *heap = graph_parse(shop);
	_cleanup_paths_ struct paths paths = {0};
	_cleanup_path_words_ struct path_words words = {0}, dict = {0};
	struct path path;

	assert_null(paths_find(heap, NULL, &paths));
	paths_get(&paths, heap, graph_find(heap, 0x1050), &path);
	assert_null(path_words_make(heap, &path, &words));
	assert_words(&words, (const char *const[]){"", ".CARTS", "[7]", ".__dict__['a name']"}, 4);
	// Who asks about an attribute dict itself is told about it.
	paths_get(&paths, heap, graph_find(heap, 0x1040), &path);
	assert_null(path_words_make(heap, &path, &dict));
	assert_words(&dict, (const char *const[]){"", ".CARTS", "[7]", ".__dict__"}, 4);
}

static void what_is_behind_an_attribute_dict_is_as_near_as_what_is_in_a_slot(void **state)
{
	// By the dict of `a` it is as far as by the slots of `b` and `c`, which are first in the queue.
	_cleanup_heap_ struct heap *heap = graph_parse("object 0x1000 a\n"
						       "object 0x1010 dict part\n"
						       "object 0x1020 b\n"
						       "object 0x1030 c\n"
						       "edge 0x1000 0x1020\n"
						       "edge 0x1000 0x1010\n"
						       "edge 0x1020 0x1030\n"
						       "edge 0x1010 0x1030\n"
						       "root 0x1000 module m\n");
	_cleanup_paths_ struct paths paths = {0};

	assert_null(paths_find(heap, NULL, &paths));
	assert_int_equal(paths.via[3], 1);
}

static void many_of_a_kind_mark_their_holder(void **state)
{
	struct text text = {0};
	struct path path;

	assert_null(text_appendf(&text, "object 0x1000 module\nobject 0x1010 list\n"
					"root 0x1000 module shop\nedge 0x1000 0x1010 gc .CARTS\n"));
	for (int i = 0; i < 500; i++)
		assert_null(text_appendf(&text, "object %#x shop.Cart\nedge 0x1010 %#x gc [%d]\n",
					 0x2000 + 16 * i, 0x2000 + 16 * i, i));
	_cleanup_heap_ struct heap *heap = graph_parse(text_chars(&text));
	_cleanup_paths_ struct paths paths = {0};
	_cleanup_path_words_ struct path_words words = {0};
	assert_null(paths_find(heap, NULL, &paths));
	paths_get(&paths, heap, 300, &path);
	assert_null(path_words_make(heap, &path, &words));
	assert_int_equal(words.marked, 1);
	assert_int_equal(words.list[1].alike_count, 500);
	text_deinit(&text);
}

// The signature of the path to the object at 0x1040.
static void sign(const char *text, char *ret)
{
	_cleanup_heap_ struct heap *heap = graph_parse(text);
	_cleanup_paths_ struct paths paths = {0};
	_cleanup_path_words_ struct path_words words = {0};
	struct path path;

	assert_null(paths_find(heap, NULL, &paths));
	paths_get(&paths, heap, graph_find(heap, 0x1040), &path);
	assert_null(path_words_make(heap, &path, &words));
	strcpy(ret, words.signature);
}

static void equal_leaks_have_equal_signatures(void **state)
{
	char first[PATH_SIGNATURE_CHARS], other[PATH_SIGNATURE_CHARS], third[PATH_SIGNATURE_CHARS];

	sign("object 0x1000 list\nobject 0x1040 shop.Cart\nedge 0x1000 0x1040 gc [3]\n"
	     "root 0x1000 frame \"thread 4711 in run() at a.py:12, local variable x\"\n",
	     first);
	sign("object 0x2000 list\nobject 0x1040 shop.Cart\nedge 0x2000 0x1040 gc [77]\n"
	     "root 0x2000 frame \"thread 815 in run() at a.py:13, local variable x\"\n",
	     other);
	sign("object 0x1000 list\nobject 0x1040 shop.Cart\nedge 0x1000 0x1040 gc [3]\n"
	     "root 0x1000 frame \"thread 4711 in run() at a.py:12, local variable y\"\n",
	     third);
	assert_int_equal(strlen(first), PATH_SIGNATURE_CHARS - 1);
	assert_string_equal(first, other);
	assert_string_not_equal(first, third);
}

static void a_long_chain_has_the_signature_of_a_short_one(void **state)
{
	char both[2][PATH_SIGNATURE_CHARS];

	for (int i = 0; i < 2; i++) {
		struct text text = {0};
		int length = i ? 1000 : 5;
		assert_null(text_appendf(&text, "root 0x100000 module m\nobject 0x100000 Node\n"
						"object 0x1040 Last\n"));
		for (int j = 1; j < length; j++)
			assert_null(text_appendf(&text, "object %#x Node\nedge %#x %#x gc .next\n",
						 0x100000 + 16 * j, 0x100000 + 16 * (j - 1),
						 0x100000 + 16 * j));
		assert_null(text_appendf(&text, "edge %#x 0x1040 gc .last\n",
					 0x100000 + 16 * (length - 1)));
		sign(text_chars(&text), both[i]);
		text_deinit(&text);
	}
	// The one is longer than what is kept of it.
	assert_string_not_equal(both[0], "");
}

static void objects_are_grouped_by_how_they_are_held(void **state)
{
	struct text text = {0};

	assert_null(text_appendf(&text, "object 0x1000 module\nobject 0x1010 list\n"
					"object 0x1020 dict\nroot 0x1000 module shop\n"
					"edge 0x1000 0x1010 gc .CARTS\n"
					"edge 0x1000 0x1020 gc .BY_NAME\n"));
	for (int i = 0; i < 300; i++)
		assert_null(text_appendf(&text, "object %#x shop.Cart size=10\n", 0x2000 + 16 * i));
	for (int i = 0; i < 200; i++)
		assert_null(text_appendf(&text, "edge 0x1010 %#x gc [%d]\n", 0x2000 + 16 * i, i));
	for (int i = 200; i < 290; i++)
		assert_null(text_appendf(&text, "edge 0x1020 %#x gc ['%d']\n", 0x2000 + 16 * i, i));
	_cleanup_heap_ struct heap *heap = graph_parse(text_chars(&text));
	_cleanup_paths_ struct paths paths = {0};
	_cleanup_path_groups_ struct path_groups groups = {0};
	uint32_t ids[300];
	for (uint32_t i = 0; i < ARRAY_COUNT(ids); i++)
		ids[i] = 3 + i;
	assert_null(paths_find(heap, NULL, &paths));
	assert_null(path_groups_make(heap, &paths, ids, ARRAY_COUNT(ids), &groups));
	assert_int_equal(groups.count, 2);
	assert_int_equal(groups.list[0].count, 200);
	assert_int_equal(groups.list[0].size_bytes, 2000);
	assert_int_equal(groups.list[0].example, 3);
	assert_int_equal(groups.list[1].count, 90);
	assert_int_equal(groups.list[1].example, 203);
	assert_int_equal(groups.unreached_count, 10);
	assert_int_equal(groups.unreached_example, 293);
	text_deinit(&text);
}

// Objects of one type whose references of equal number have different names are all looked at.
static void names_that_differ_are_read_one_by_one(void **state)
{
	struct text text = {0};

	assert_null(text_appendf(&text, "object 0x1000 list\nroot 0x1000 module m\n"));
	for (int i = 0; i < 200; i++)
		assert_null(text_appendf(
			&text,
			"object %#x Pair\nobject %#x Item\nedge 0x1000 %#x gc [%d]\n"
			"edge %#x %#x gc %s\n",
			0x10000 + 16 * i, 0x20000 + 16 * i, 0x10000 + 16 * i, i, 0x10000 + 16 * i,
			0x20000 + 16 * i, i % 2 ? ".left" : ".right"));
	_cleanup_heap_ struct heap *heap = graph_parse(text_chars(&text));
	_cleanup_paths_ struct paths paths = {0};
	_cleanup_path_groups_ struct path_groups groups = {0};
	uint32_t ids[200];
	for (uint32_t i = 0; i < ARRAY_COUNT(ids); i++)
		ids[i] = graph_find(heap, 0x20000 + 16 * i);
	assert_null(paths_find(heap, NULL, &paths));
	assert_null(path_groups_make(heap, &paths, ids, ARRAY_COUNT(ids), &groups));
	assert_int_equal(groups.count, 2);
	assert_int_equal(groups.list[0].count, 100);
	assert_int_equal(groups.list[1].count, 100);
	text_deinit(&text);
}

static void *find_in_list(void *argument)
{
	enum { MILLION = 1000000 };
	struct heap *heap = graph_list(MILLION, false, false);
	const struct heap_root_row root = {.object = 0, .kind = HEAP_ROOT_MODULE};
	struct paths paths = {0};
	struct path_groups groups = {0};
	uint32_t last = MILLION - 1;
	bool *ok = argument;
	struct path path;

	graph_hold(heap, &root, 1, NULL, 0);
	*ok = !paths_find(heap, NULL, &paths) &&
	      !path_groups_make(heap, &paths, &last, 1, &groups) && groups.count == 1;
	if (*ok) {
		paths_get(&paths, heap, last, &path);
		*ok = path.count == PATH_STEPS_MAX && path.skipped == MILLION - PATH_STEPS_MAX &&
		      path.steps[PATH_STEPS_MAX - 2].object == last - 1;
	}
	path_groups_deinit(&groups);
	paths_deinit(&paths);
	heap_destroy(heap);
	return NULL;
}

static void a_path_of_a_million_needs_no_stack_and_is_cut(void **state)
{
	bool ok;

	graph_on_small_stack(find_in_list, &ok);
	assert_true(ok);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_path_is_shorter),
		cmocka_unit_test(every_root_that_leads_there_has_a_path),
		cmocka_unit_test(attribute_dicts_are_folded_into_their_owners),
		cmocka_unit_test(what_is_behind_an_attribute_dict_is_as_near_as_what_is_in_a_slot),
		cmocka_unit_test(many_of_a_kind_mark_their_holder),
		cmocka_unit_test(equal_leaks_have_equal_signatures),
		cmocka_unit_test(a_long_chain_has_the_signature_of_a_short_one),
		cmocka_unit_test(objects_are_grouped_by_how_they_are_held),
		cmocka_unit_test(names_that_differ_are_read_one_by_one),
		cmocka_unit_test(a_path_of_a_million_needs_no_stack_and_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
