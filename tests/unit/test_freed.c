// SPDX-License-Identifier: GPL-3.0-or-later
// What goes with what a collection frees.
#include "analyze/freed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "support/graphs.h"

static void then_goes(const char *text, const char *type, uint64_t expected)
{
	struct heap *heap = graph_parse(text);
	struct garbage garbage;
	_cleanup_free_ uint64_t *counts = NULL;
	uint64_t found = 0;

	assert_null(garbage_find(heap, &garbage));
	assert_null(freed_count(heap, &garbage, &counts));
	for (uint32_t i = 0; i < heap->type_count; i++)
		if (!strcmp(heap->types[i].name, type))
			found += counts[i];
	assert_int_equal(found, expected);
	garbage_deinit(&garbage);
	heap_destroy(heap);
}

// A cycle of two, each with a string of its own and one that a module has, too.
static const char cycle[] = "object 0x1000 Node tracked\nobject 0x1010 Node tracked\n"
			    "object 0x2000 str\nobject 0x2010 str\nobject 0x2020 str\n"
			    "object 0x3000 module tracked\nroot 0x3000 module owns shop\n"
			    "edge 0x1000 0x1010 gc .other\nedge 0x1010 0x1000 gc .other\n"
			    "edge 0x1000 0x2000 gc .name\nedge 0x1010 0x2010 gc .name\n"
			    "edge 0x1000 0x2020 gc .shop\nedge 0x3000 0x2020 gc .name\n";

static void unreachable_objects_take_their_strings_with_them(void **state)
{
	then_goes(cycle, "Node", 2);
	then_goes(cycle, "str", 2);
	then_goes(cycle, "module", 0);
}

static void what_is_reachable_stays_with_all_it_has(void **state)
{
	char text[1024];

	snprintf(text, sizeof(text), "%sedge 0x3000 0x1000 gc .last\n", cycle);
	then_goes(text, "Node", 0);
	then_goes(text, "str", 0);
}

static void untracked_objects_take_others_with_them(void **state)
{
	then_goes("object 0x1000 Node tracked\nedge 0x1000 0x1000 gc .self\n"
		  "object 0x2000 tuple\nobject 0x2010 int\nobject 0x2020 int\n"
		  "edge 0x1000 0x2000 gc .pair\nedge 0x2000 0x2010 gc [0]\n"
		  "edge 0x2000 0x2020 owned [1]\n",
		  "int", 2);
}

static void what_c_code_holds_stays(void **state)
{
	then_goes("object 0x1000 Node tracked\nedge 0x1000 0x1000 gc .self\n"
		  "object 0x2000 str refs=2\nedge 0x1000 0x2000 gc .name\n",
		  "str", 0);
}

static void weak_references_and_guesses_take_nothing(void **state)
{
	then_goes("object 0x1000 Node tracked\nedge 0x1000 0x1000 gc .self\n"
		  "object 0x2000 str refs=1\nedge 0x1000 0x2000 weak .name\n",
		  "str", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unreachable_objects_take_their_strings_with_them),
		cmocka_unit_test(what_is_reachable_stays_with_all_it_has),
		cmocka_unit_test(untracked_objects_take_others_with_them),
		cmocka_unit_test(what_c_code_holds_stays),
		cmocka_unit_test(weak_references_and_guesses_take_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
