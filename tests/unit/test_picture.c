// SPDX-License-Identifier: GPL-3.0-or-later
// What is in a picture, and what of it is only counted.
#include "analyze/picture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "analyze/cycle_through.h"
#include "base/text.h"
#include "support/graphs.h"

static struct heap *heap;
static struct picture picture;

static int given_nothing(void **state)
{
	heap = NULL;
	picture = (struct picture){0};
	return 0;
}

static int end(void **state)
{
	picture_deinit(&picture);
	heap_destroy(heap);
	return 0;
}

static void paint(const char *text, addr_t asked, uint32_t up, uint32_t down, uint32_t breadth)
{
	heap = graph_parse(text);
	uint32_t ids[] = {graph_find(heap, asked)};
	const struct picture_question question = {
		.asked = ids,
		.asked_count = 1,
		.depth = {up, down},
		.breadth = breadth,
		.nodes_max = 1000,
	};
	assert_null(picture_make(heap, 2, &question, &picture));
}

static void paint_cycle(addr_t asked, struct cycle_path *path)
{
	uint32_t ids[] = {graph_find(heap, asked)};

	assert_null(cycle_through(heap, ids, 1, path));
	const struct picture_question question = {
		.depth = {1, 0},
		.breadth = 3,
		.nodes_max = 1000,
		.cycle = path,
	};
	if (path->count)
		assert_null(picture_make(heap, 1, &question, &picture));
}

// "1000 2000 module:shop", in the order of the nodes.
static void assert_nodes(const char *expected)
{
	_cleanup_text_ struct text text = {0};

	for (size_t i = 0; i < picture.node_count; i++) {
		const struct picture_node *node = &picture.nodes[i];
		if (node->root)
			assert_null(text_appendf(&text, "%s%d:%s", i ? " " : "",
						 (int)node->root->kind, node->root->name));
		else
			assert_null(text_appendf(&text, "%s%llx", i ? " " : "",
						 (unsigned long long)heap->at[node->object]));
	}
	assert_string_equal(text_chars(&text), expected);
}

static const struct picture_node *node_at(addr_t at)
{
	uint32_t object = graph_find(heap, at);

	for (size_t i = 0; i < picture.object_count; i++)
		if (picture.nodes[i].object == object)
			return &picture.nodes[i];
	fail_msg("0x%llx is not in the picture", (unsigned long long)at);
	return NULL;
}

// The edge between two objects, or NULL.
static const struct picture_edge *edge_between(addr_t from, addr_t to)
{
	const struct picture_node *ends[] = {node_at(from), node_at(to)};

	for (size_t i = 0; i < picture.edge_count; i++)
		if (&picture.nodes[picture.edges[i].from] == ends[0] &&
		    &picture.nodes[picture.edges[i].to] == ends[1])
			return &picture.edges[i];
	return NULL;
}

static const char chain[] = "object 0x1000 A tracked\nobject 0x2000 B tracked\n"
			    "object 0x3000 C tracked\nobject 0x4000 D tracked\n"
			    "edge 0x1000 0x2000 gc .b\nedge 0x2000 0x3000 gc .c\n"
			    "edge 0x3000 0x4000 gc .d\nroot 0x1000 frame \"f at x.py:1\"\n";

static void holders_are_as_far_as_was_asked(void **state)
{
	paint(chain, 0x4000, 2, 0, 5);
	assert_nodes("4000 3000 2000");
	assert_true(node_at(0x4000)->is_asked);
	assert_int_equal(node_at(0x2000)->steps[PICTURE_REFERRERS], 2);
	// The next one is counted.
	assert_int_equal(node_at(0x2000)->more[PICTURE_REFERRERS].count, 1);
	assert_false(node_at(0x2000)->is_followed[PICTURE_REFERRERS]);
	assert_int_equal(node_at(0x3000)->more[PICTURE_REFERRERS].count, 0);
	assert_int_equal(picture.edge_count, 2);
}

static void roots_are_shown_where_holders_are(void **state)
{
	paint(chain, 0x3000, 5, 0, 5);
	assert_nodes("3000 2000 1000 1:f at x.py:1");
	picture_deinit(&picture);
	heap_destroy(heap);
	paint(chain, 0x1000, 0, 2, 5);
	assert_nodes("1000 2000 3000");
}

static void both_ways_start_where_was_asked(void **state)
{
	paint(chain, 0x3000, 1, 1, 5);
	assert_nodes("3000 2000 4000");
	assert_int_equal(node_at(0x2000)->steps[PICTURE_REFERENTS], UINT32_MAX);
	assert_int_equal(node_at(0x4000)->steps[PICTURE_REFERRERS], UINT32_MAX);
}

static void rare_holders_come_first_and_the_rest_is_counted(void **state)
{
	_cleanup_text_ struct text text = {0};

	assert_null(text_appendf(&text, "object 0x10 Kept tracked\n"));
	for (int i = 0; i < 1000; i++)
		assert_null(
			text_appendf(&text, "object 0x%x %s tracked\nedge 0x%x 0x10 gc .owner\n",
				     0x1000 + i * 16, i % 10 ? "Item" : "Other", 0x1000 + i * 16));
	assert_null(
		text_appendf(&text, "object 0x90000 dict tracked\nedge 0x90000 0x10 gc ['k']\n"));
	paint(text.chars, 0x10, 1, 0, 4);
	assert_nodes("10 90000 1000 1010 10a0");
	const struct picture_more *more = &node_at(0x10)->more[PICTURE_REFERRERS];
	assert_int_equal(more->count, 1001 - 4);
	assert_true(node_at(0x10)->is_followed[PICTURE_REFERRERS]);
	assert_int_equal(more->type_count, 2);
	assert_string_equal(heap->types[more->types[0].type].name, "Item");
	assert_int_equal(more->types[0].count, 899);
	assert_int_equal(more->types[1].count, 98);
}

static void an_attribute_dict_is_part_of_its_object(void **state)
{
	paint("object 0x1000 A tracked\nobject 0x1100 dict tracked part\nobject 0x2000 B tracked\n"
	      "object 0x2100 dict tracked part\nobject 0x3000 function tracked\n"
	      "edge 0x1000 0x1100 gc .__dict__\nedge 0x1100 0x2000 gc ['b']\n"
	      "edge 0x2000 0x2100 gc .__dict__\nedge 0x2100 0x2000 gc ['itself']\n"
	      "edge 0x3000 0x2100 gc .__globals__\n",
	      0x2100, 3, 0, 5);
	// That of two who refer to the dict to whom it belongs.
	assert_nodes("2000 1000 3000");
	const struct picture_edge *edge = edge_between(0x1000, 0x2000);
	assert_int_equal(edge->count, 1);
	assert_int_equal(edge->references[0].object, graph_find(heap, 0x1100));
	assert_int_equal(edge_between(0x2000, 0x2000)->count, 1);
	assert_non_null(edge_between(0x3000, 0x2000));
}

static void a_modules_dict_is_part_of_it_and_its_holders_are_not_followed(void **state)
{
	paint("object 0x1000 module tracked\nobject 0x1100 dict tracked\n"
	      "object 0x2000 list tracked\nobject 0x3000 function tracked\nobject 0x4000 dict\n"
	      "edge 0x1000 0x1100 gc .__dict__\nedge 0x1100 0x2000 gc ['cache']\n"
	      "edge 0x3000 0x1100 gc .__globals__\nedge 0x4000 0x1000 gc ['shop']\n"
	      "root 0x1000 module shop\n",
	      0x2000, 9, 0, 5);
	assert_nodes("2000 1000 0:shop");
	assert_int_equal(node_at(0x1000)->more[PICTURE_REFERRERS].count, 2);
	assert_int_equal(edge_between(0x1000, 0x2000)->references[0].object,
			 graph_find(heap, 0x1100));
}

static const char classes[] = "type Cart at=0x9000\nobject 0x9000 type tracked\n"
			      "object 0x1000 Cart tracked\nobject 0x1100 Cart tracked\n"
			      "object 0x2000 tuple tracked\n"
			      "edge 0x1000 0x9000 gc .__class__\nedge 0x1100 0x9000 gc .__class__\n"
			      "edge 0x9000 0x2000 gc .__mro__\nedge 0x2000 0x9000 gc [0]\n";

static void an_objects_own_class_is_left_out(void **state)
{
	paint(classes, 0x1000, 0, 3, 5);
	assert_nodes("1000");
	picture_deinit(&picture);
	heap_destroy(heap);
	paint(classes, 0x2000, 3, 0, 5);
	assert_nodes("2000 9000");
	assert_int_equal(node_at(0x9000)->more[PICTURE_REFERRERS].count, 0);
}

static void a_class_that_is_asked_about_has_its_objects(void **state)
{
	paint(classes, 0x9000, 1, 0, 5);
	assert_nodes("9000 2000 1000 1100");
	assert_non_null(edge_between(0x1000, 0x9000));
	assert_int_equal(picture.class_references, 0);
}

static void weak_references_are_shown_and_not_followed(void **state)
{
	paint("object 0x1000 Kept\nobject 0x2000 weakref\nobject 0x3000 dict\nobject 0x4000 list\n"
	      "edge 0x2000 0x1000 weak\nedge 0x3000 0x2000 gc ['w']\nedge 0x4000 0x1000 gc [0]\n",
	      0x1000, 5, 0, 5);
	assert_nodes("1000 4000 2000");
	assert_int_equal(edge_between(0x2000, 0x1000)->kind, HEAP_EDGE_WEAK);
	assert_int_equal(node_at(0x2000)->more[PICTURE_REFERRERS].count, 1);
}

static void many_references_are_one_edge(void **state)
{
	paint("object 0x1000 Kept\nobject 0x2000 list\n"
	      "edge 0x2000 0x1000 weak\nedge 0x2000 0x1000 guess\nedge 0x2000 0x1000 gc [0]\n"
	      "edge 0x2000 0x1000 gc [1]\nroot 0x1000 c-stack \"thread 1\"\n"
	      "root 0x1000 c-stack \"thread 1\"\n",
	      0x1000, 1, 0, 5);
	assert_nodes("1000 2000 8:thread 1");
	assert_int_equal(edge_between(0x2000, 0x1000)->count, 4);
	assert_int_equal(edge_between(0x2000, 0x1000)->kind, HEAP_EDGE_GC);
	assert_int_equal(picture.edge_count, 2);
	assert_int_equal(picture.edges[1].kind, HEAP_EDGE_GUESS);
}

static void roots_are_no_more_than_the_breadth(void **state)
{
	paint("object 0x1000 Kept\nroot 0x1000 frame a\nroot 0x1000 frame b\nroot 0x1000 frame c\n",
	      0x1000, 1, 0, 2);
	assert_nodes("1000 1:a 1:b");
	assert_int_equal(node_at(0x1000)->more_roots, 1);
}

static void variables_of_one_function_are_roots_of_their_own(void **state)
{
	heap = graph_parse("object 0x1000 Kept\nroot 0x1000 frame \"f() at shop.py:1\"\n"
			   "root 0x1000 frame \"f() at shop.py:1\"\n"
			   "root 0x1000 frame \"f() at shop.py:1\"\n");
	heap->roots[0].part = "cart";
	heap->roots[1].part = "basket";
	heap->roots[2].part = "basket";
	uint32_t asked = 0;
	const struct picture_question question = {
		.asked = &asked,
		.asked_count = 1,
		.depth = {1, 0},
		.breadth = 5,
		.nodes_max = 1000,
	};
	assert_null(picture_make(heap, 1, &question, &picture));
	assert_nodes("1000 1:f() at shop.py:1 1:f() at shop.py:1");
	assert_int_equal(picture.edge_count, 2);
}

static void a_picture_has_no_more_nodes_than_were_allowed(void **state)
{
	heap = graph_at_random(7, 2000, 20000);
	uint32_t asked = 5;
	const struct picture_question question = {
		.asked = &asked,
		.asked_count = 1,
		.depth = {100, 100},
		.breadth = 1000,
		.nodes_max = 50,
	};
	assert_null(picture_make(heap, 1, &question, &picture));
	assert_int_equal(picture.node_count, 50);
	// Nothing is lost: what is not shown is counted where it would have hung.
	struct heap_referrers referrers;
	assert_null(heap_reverse(heap, 1, &referrers));
	const struct picture_node *node = &picture.nodes[0];
	uint64_t edges = 0;
	for (size_t i = 0; i < picture.edge_count; i++)
		edges += picture.edges[i].to == 0 && picture.edges[i].from != 0;
	uint64_t holders = 0;
	for (uint32_t i = referrers.first[5]; i < referrers.first[6]; i++)
		holders += referrers.ids[i] != 5 &&
			   (i == referrers.first[5] || referrers.ids[i] != referrers.ids[i - 1]);
	// Attribute dicts at random would be counted with their owners.
	if (!(heap->flags[5] & HEAP_PART))
		assert_true(edges + node->more[PICTURE_REFERRERS].count <= holders);
}

static const char pair[] = "type Parent finalizer=del\nobject 0x1000 Parent tracked\n"
			   "object 0x1100 dict tracked part\nobject 0x2000 Child tracked\n"
			   "object 0x3000 list tracked\nobject 0x4000 Alone tracked\n"
			   "edge 0x1000 0x1100 gc .__dict__\nedge 0x1100 0x2000 gc ['child']\n"
			   "edge 0x2000 0x1000 gc .parent\nedge 0x3000 0x2000 gc [0]\n"
			   "edge 0x2000 0x4000 gc .x\n";

static void a_cycle_is_shown_with_who_holds_it(void **state)
{
	_cleanup_cycle_path_ struct cycle_path path = {0};
	_cleanup_text_ struct text shape = {0};

	heap = graph_parse(pair);
	paint_cycle(0x2000, &path);
	assert_nodes("2000 1000 3000");
	assert_true(node_at(0x2000)->is_asked && !node_at(0x1000)->is_asked);
	assert_true(node_at(0x1000)->is_on_cycle && !node_at(0x3000)->is_on_cycle);
	assert_true(edge_between(0x1000, 0x2000)->is_on_cycle);
	assert_true(edge_between(0x2000, 0x1000)->is_on_cycle);
	assert_false(edge_between(0x3000, 0x2000)->is_on_cycle);
	assert_null(cycle_through_shape(heap, &path, &shape));
	assert_string_equal(text_chars(&shape), "Parent.child -> Child.parent");
}

static void what_is_on_no_cycle_has_none(void **state)
{
	_cleanup_cycle_path_ struct cycle_path path = {0};

	heap = graph_parse(pair);
	paint_cycle(0x4000, &path);
	assert_int_equal(path.count, 0);
}

static void a_cycle_by_way_of_a_class_is_the_last_choice(void **state)
{
	_cleanup_cycle_path_ struct cycle_path path = {0};

	heap = graph_parse("type Cart at=0x9000\nobject 0x9000 type tracked\n"
			   "object 0x1000 Cart tracked\nobject 0x2000 Cart tracked\n"
			   "edge 0x1000 0x9000 gc .__class__\nedge 0x9000 0x1000 gc .all\n"
			   "edge 0x2000 0x2000 gc .itself\n");
	uint32_t ids[] = {graph_find(heap, 0x1000), graph_find(heap, 0x2000)};
	assert_null(cycle_through(heap, ids, 2, &path));
	assert_int_equal(path.count, 1);
	assert_int_equal(path.steps[0].object, ids[1]);
	paint_cycle(0x1000, &path);
	assert_true(edge_between(0x1000, 0x9000)->is_on_cycle);
}

static void a_long_cycle_has_a_gap(void **state)
{
	_cleanup_cycle_path_ struct cycle_path path = {0};

	_cleanup_text_ struct text text = {0};

	for (int i = 0; i < 1000; i++)
		assert_null(text_appendf(
			&text, "object 0x%x Link tracked\nedge 0x%x 0x%x gc .next\n",
			0x1000 + i * 16, 0x1000 + i * 16, 0x1000 + (i + 1) % 1000 * 16));
	heap = graph_parse(text.chars);
	paint_cycle(0x1770, &path);
	assert_int_equal(path.count, 1000);
	assert_int_equal(picture.gap_count, 1000 - PICTURE_CYCLE_MAX);
	assert_int_equal(picture.gap_from, PICTURE_CYCLE_MAX / 2 - 1);
	assert_int_equal(picture.gap_to, PICTURE_CYCLE_MAX / 2);
	// Who holds the first one behind the gap is of the cycle, and one step away.
	assert_int_equal(picture.object_count, PICTURE_CYCLE_MAX + 1);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, given_nothing, end)
	const struct CMUnitTest tests[] = {
		TEST(holders_are_as_far_as_was_asked),
		TEST(roots_are_shown_where_holders_are),
		TEST(both_ways_start_where_was_asked),
		TEST(rare_holders_come_first_and_the_rest_is_counted),
		TEST(an_attribute_dict_is_part_of_its_object),
		TEST(a_modules_dict_is_part_of_it_and_its_holders_are_not_followed),
		TEST(an_objects_own_class_is_left_out),
		TEST(a_class_that_is_asked_about_has_its_objects),
		TEST(weak_references_are_shown_and_not_followed),
		TEST(many_references_are_one_edge),
		TEST(roots_are_no_more_than_the_breadth),
		TEST(variables_of_one_function_are_roots_of_their_own),
		TEST(a_picture_has_no_more_nodes_than_were_allowed),
		TEST(a_cycle_is_shown_with_who_holds_it),
		TEST(what_is_on_no_cycle_has_none),
		TEST(a_cycle_by_way_of_a_class_is_the_last_choice),
		TEST(a_long_cycle_has_a_gap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
