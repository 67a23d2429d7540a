// SPDX-License-Identifier: GPL-3.0-or-later
// The verbs that look at single objects and their references, against heaps from text.
#include "ui/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "support/fake_inspected.h"

static struct fake_inspected fake;

// Two carts in a dict, which a module holds; C code holds an item, and has forgotten another.
static const char shop[] = "type shop.Cart finalizer=del basic=48\n"
			   "type shop.Item\n"
			   "type generator finalizer=builtin\n"
			   "object 0x1000 dict size=232 tracked generation=3\n"
			   "object 0x2000 shop.Cart size=48 tracked generation=1\n"
			   "object 0x2100 shop.Cart size=48 tracked frozen generation=4\n"
			   "object 0x3000 shop.Item size=56 refs=4\n"
			   "object 0x3100 shop.Item size=56 refs=3\n"
			   "object 0x3200 shop.Item size=56 refs=2\n"
			   "object 0x4000 str size=50 immortal\n"
			   "object 0x5000 generator size=104 tracked legacy\n"
			   "edge 0x1000 0x2000 gc \"['a']\"\n"
			   "edge 0x1000 0x2100 gc \"['b']\"\n"
			   "edge 0x2000 0x3000 gc .first\n"
			   "edge 0x2000 0x3000 owned .again\n"
			   "edge 0x2000 0x4000 guess\n"
			   "edge 0x2100 0x3000 weak .seen\n"
			   "root 0x1000 module owns shop\n"
			   "root 0x3200 c-stack\n"
			   "leak 0x3000 2\nleak 0x3100 3\n";

static int given_a_shop(void **state)
{
	fake_inspected_init(&fake, shop);
	return 0;
}

static int end(void **state)
{
	fake_inspected_deinit(&fake);
	return 0;
}

// That @root has what the JSON text @expected has, and perhaps more.
static void assert_json(const char *line, const char *key, const char *expected)
{
	json_t *root = fake_inspected_json(&fake, line);
	json_t *wanted = json_loads(expected, JSON_DECODE_ANY, NULL);
	json_t *got = key ? json_object_get(root, key) : root;

	assert_non_null(wanted);
	if (!json_equal(wanted, got)) {
		_cleanup_free_ char *text = json_dumps(got, JSON_ENCODE_ANY);
		fail_msg("%s: %s is %s", line, key, text ? text : "nothing");
	}
	json_decref(wanted);
	json_decref(root);
}

static void assert_fails(const char *line, enum error_code code, const char *words)
{
	_cleanup_error_ struct error *error = fake_inspected_run(&fake, line, NULL);

	assert_non_null(error);
	if (!strstr(error->message, words))
		fail_msg("%s: %s", line, error->message);
	assert_int_equal(error->code, code);
}

static void assert_says(const char *line, const char *words)
{
	_cleanup_free_ char *text = NULL;

	assert_null(fake_inspected_run(&fake, line, &text));
	if (!strstr(text, words))
		fail_msg("%s says\n%s", line, text);
}

static void refs_has_a_row_for_each_reference(void **state)
{
	assert_json("refs 0x2000", "object", "{\"address\": \"0x2000\", \"type\": \"shop.Cart\"}");
	assert_json("refs 0x2000", "objects",
		    "[{\"address\": \"0x3000\", \"type\": \"shop.Item\", \"label\": \".first\","
		    "  \"kind\": \"gc\", \"of\": \"0x2000\", \"root\": null,"
		    "  \"repr\": \"<shop.Item>\"},"
		    " {\"address\": \"0x3000\", \"type\": \"shop.Item\", \"label\": \".again\","
		    "  \"kind\": \"owned\", \"of\": \"0x2000\", \"root\": null,"
		    "  \"repr\": \"<shop.Item>\"},"
		    " {\"address\": \"0x4000\", \"type\": \"str\", \"label\": \"\","
		    "  \"kind\": \"guess\", \"of\": \"0x2000\", \"root\": null,"
		    "  \"repr\": \"<str>\"}]");
}

// An instance with an attribute dict of its own, one value in a slot, and all kinds of holders.
static const char accounts[] =
	"type shop.Cart\n"
	"object 0x1000 dict size=232 tracked\n"
	"object 0x2000 shop.Cart size=48 tracked\n"
	"object 0x2100 dict size=100 part tracked\n"
	"object 0x3000 str size=50 refs=9\n"
	"object 0x4000 list size=64 tracked\n"
	"object 0x5000 str size=50 refs=1\n"
	"object 0x6000 str size=50 immortal\n"
	"edge 0x1000 0x3000 gc \"['key']\"\n"
	"edge 0x2000 0x2100 gc .__dict__\n"
	"edge 0x2000 0x3000 gc .slot\n"
	"edge 0x2000 0x1000 gc .__class__\n"
	"edge 0x2100 0x3000 gc \"['name']\"\n"
	"edge 0x2100 0x4000 gc \"['strange key']\"\n"
	"edge 0x2100 0x5000 owned \" key\"\n"
	"edge 0x2100 0x6000 gc \"['other']\"\n"
	"edge 0x4000 0x3000 gc \"[0]\"\n"
	"edge 0x4000 0x3000 gc \"[1]\"\n"
	"edge 0x4000 0x5000 weak \"[2]\"\n"
	"edge 0x4000 0x5000 guess \"[3]\"\n"
	"root 0x3000 frame owns \"thread 1 in f() at a.py:1, local variable x\"\n"
	"root 0x3000 frame \"thread 1 in g() at a.py:2, local variable y\"\n"
	"root 0x3000 c-variable cache\n"
	"leak 0x3000 1\n";

#define ACCOUNT(count, source, type, label, kind)                             \
	"{\"count\": " #count ", \"source\": \"" source "\", \"type\": " type \
	", \"label\": \"" label "\", \"kind\": " kind "}"

static void accounts_make_up_the_reference_count(void **state)
{
	struct fake_inspected before = fake;

	fake_inspected_init(&fake, accounts);
	// given nine references that are counted of which six are found and one is leaked
	assert_json(
		"show 0x3000", "accounts",
		"[" ACCOUNT(2, "object", "\"list\"", "[...]", "\"gc\"") "," ACCOUNT(1, "object", "\"dict\"", "['key']", "\"gc\"") "," ACCOUNT(
			1, "object", "\"shop.Cart\"", ".name",
			"\"gc\"") "," ACCOUNT(1, "object", "\"shop.Cart\"", ".slot",
					      "\"gc\"") "," ACCOUNT(1, "root", "null",
								    "thread 1 in f() at a.py:1, "
								    "local variable x",
								    "null") "," ACCOUNT(2, "c",
											"null",
											"C "
											"variable "
											"cache",
											"null") "," ACCOUNT(1,
													    "leaked",
													    "null",
													    "",
													    "null") "]");
	assert_json("show 0x3000", "accounted", "{\"count\": 9}");
	assert_says("show 0x3000 -n 1", "(6 more kinds of references, 7 of them)");
	// Two that are found and one that is counted: a guess is no reference, perhaps.
	assert_json("show 0x5000", "accounted", "{\"count\": 1}");
	assert_says("show 0x5000", "found, not counted");
	// Of an immortal object nothing is counted, so that nothing is missing.
	assert_json("show 0x6000", "accounts",
		    "[" ACCOUNT(1, "object", "\"shop.Cart\"", ".other", "\"gc\"") "]");
	fake_inspected_deinit(&fake);
	fake = before;
}

static void attributes_are_those_of_the_dict_and_of_the_object(void **state)
{
	struct fake_inspected before = fake;

	fake_inspected_init(&fake, accounts);
	assert_json("show 0x2000", "attributes",
		    "[{\"name\": \"slot\", \"type\": \"str\", \"address\": \"0x3000\","
		    "  \"repr\": \"<str>\"},"
		    " {\"name\": \"name\", \"type\": \"str\", \"address\": \"0x3000\","
		    "  \"repr\": \"<str>\"},"
		    " {\"name\": \"__dict__['strange key']\", \"type\": \"list\","
		    "  \"address\": \"0x4000\", \"repr\": \"<list>\"},"
		    " {\"name\": \"other\", \"type\": \"str\", \"address\": \"0x6000\","
		    "  \"repr\": \"<str>\"}]");
	assert_json("show 0x2000", "attribute_count", "4");
	assert_json("show 0x2000 -n 1", "attribute_count", "4");
	assert_says("show 0x2000 -n 1", "(3 more attributes)");
	assert_says("show 0x4000", "attributes: none");
	fake_inspected_deinit(&fake);
	fake = before;
}

static void referrers_have_a_row_for_each_reference_and_for_roots(void **state)
{
	assert_json("referrers 0x3000", "objects",
		    "[{\"address\": \"0x2000\", \"type\": \"shop.Cart\", \"label\": \".first\","
		    "  \"kind\": \"gc\", \"of\": \"0x3000\", \"root\": null,"
		    "  \"repr\": \"<shop.Cart>\"},"
		    " {\"address\": \"0x2000\", \"type\": \"shop.Cart\", \"label\": \".again\","
		    "  \"kind\": \"owned\", \"of\": \"0x3000\", \"root\": null,"
		    "  \"repr\": \"<shop.Cart>\"},"
		    " {\"address\": \"0x2100\", \"type\": \"shop.Cart\", \"label\": \".seen\","
		    "  \"kind\": \"weak\", \"of\": \"0x3000\", \"root\": null,"
		    "  \"repr\": \"<shop.Cart>\"}]");
	assert_json("referrers dict", "objects",
		    "[{\"address\": null, \"type\": \"\", \"label\": \"module shop\","
		    "  \"kind\": \"root\", \"of\": \"0x1000\", \"root\": \"module\","
		    "  \"repr\": null}]");
}

static void referrers_tell_what_was_found_nowhere(void **state)
{
	assert_json("referrers 0x3000", "held_by_c", "2");
	assert_says("referrers 0x3000",
		    "2 more references are counted than were found: C code holds them");
	assert_json("referrers dict", "held_by_c", "0");
}

static void a_type_is_its_first_object_or_all_of_them(void **state)
{
	assert_json("referrers shop.Cart", "object",
		    "{\"address\": \"0x2000\", \"type\": \"shop.Cart\"}");
	assert_says("referrers shop.Cart", "first by address, there is 1 more of the type");
	assert_json("referrers shop.Cart", "count", "1");
	assert_json("referrers shop.Cart --all", "count", "2");
	json_t *root = fake_inspected_json(&fake, "referrers shop.Cart --all");
	assert_null(json_object_get(root, "object"));
	json_decref(root);
	assert_json("refs shop.Cart --all", "count", "4");
	// Each object once, however often it is named.
	assert_json("refs 0x2000 shop.Cart 0x2100 --all", "count", "4");
	assert_says("refs shop.Cart --all", "OF ");
}

static void a_limit_bounds_the_rows_and_not_the_count(void **state)
{
	json_t *root = fake_inspected_json(&fake, "referrers 0x3000 -n 1");

	assert_int_equal(json_array_size(json_object_get(root, "objects")), 1);
	assert_int_equal(json_integer_value(json_object_get(root, "count")), 3);
	json_decref(root);
	assert_says("referrers 0x3000 -n 1", "(2 more rows)");
	assert_says("refs 0x2000 -n 2", "(1 more row)");
	assert_json("refs shop.Cart --all -n 1", "count", "4");
}

static void what_cannot_be_read_has_no_repr(void **state)
{
	fake.unreadable_at = 0x3000;
	assert_json("refs 0x2100", "objects",
		    "[{\"address\": \"0x3000\", \"type\": \"shop.Item\", \"label\": \".seen\","
		    "  \"kind\": \"weak\", \"of\": \"0x2100\", \"root\": null, \"repr\": null}]");
}

static void leaked_objects_have_references_that_were_found_nowhere(void **state)
{
	// 0x3200 is held by a word on a stack, and nobody has forgotten it.
	assert_json("refs --leaked", "objects",
		    "[{\"address\": \"0x3000\", \"type\": \"shop.Item\", \"refcount\": 4,"
		    "  \"excess\": 2, \"size\": 56, \"repr\": \"<shop.Item>\"},"
		    " {\"address\": \"0x3100\", \"type\": \"shop.Item\", \"refcount\": 3,"
		    "  \"excess\": 3, \"size\": 56, \"repr\": \"<shop.Item>\"}]");
	assert_json("refs --leaked --by-type", "types",
		    "[{\"name\": \"shop.Item\", \"count\": 2, \"excess\": 5, \"size\": 112}]");
	assert_json("refs --leaked -n 1", "total", "{\"count\": 2, \"excess\": 5, \"size\": 112}");
	assert_json("refs --leaked --filter dict", "objects", "[]");
	assert_says("refs --leaked -n 1", "(1 more object)");
}

static void show_tells_all_of_one_object(void **state)
{
	assert_json("show 0x3000", "object",
		    "{\"address\": \"0x3000\", \"type\": \"shop.Item\", \"size\": 56,"
		    " \"refcount\": 4, \"tracked\": false, \"generation\": null,"
		    " \"finalizer\": null, \"flags\": [], \"references\": 0, \"referrers\": 3,"
		    " \"held_by_c\": 2, \"repr\": \"<shop.Item>\"}");
	assert_json("show shop.Cart", "object",
		    "{\"address\": \"0x2000\", \"type\": \"shop.Cart\", \"size\": 48,"
		    " \"refcount\": 1, \"tracked\": true, \"generation\": 0,"
		    " \"finalizer\": \"del\", \"flags\": [], \"references\": 3, \"referrers\": 1,"
		    " \"held_by_c\": 0, \"repr\": \"<shop.Cart>\"}");
	assert_says("show shop.Cart", "an address shows another");
}

static void show_tells_what_is_special(void **state)
{
	json_t *root = fake_inspected_json(&fake, "show 0x4000");
	json_t *object = json_object_get(root, "object");

	assert_true(json_is_null(json_object_get(object, "refcount")));
	assert_string_equal(json_string_value(json_array_get(json_object_get(object, "flags"), 0)),
			    "immortal");
	json_decref(root);
	root = fake_inspected_json(&fake, "show generator");
	object = json_object_get(root, "object");
	assert_string_equal(json_string_value(json_object_get(object, "finalizer")), "builtin");
	json_decref(root);
	root = fake_inspected_json(&fake, "show 0x2100");
	object = json_object_get(root, "object");
	// The permanent one is no generation by number.
	assert_true(json_is_null(json_object_get(object, "generation")));
	json_decref(root);
}

static void wrong_words_are_refused_before_the_process_is_looked_at(void **state)
{
	assert_fails("show", ERROR_USAGE, "show wants OBJECT");
	assert_fails("show dict dict", ERROR_USAGE, "one word too many");
	assert_fails("referrers", ERROR_USAGE, "referrers wants OBJECT");
	assert_fails("refs", ERROR_USAGE, "refs wants OBJECT");
	assert_fails("refs 0x", ERROR_USAGE, "'0x' is no address");
	assert_fails("refs 0x12g", ERROR_USAGE, "no address");
	assert_fails("refs 1000", ERROR_USAGE, "no address");
	assert_fails("show ''", ERROR_USAGE, "empty");
	assert_fails("referrers 0x11111111111111111", ERROR_USAGE, "no address");
	assert_fails("refs --leaked dict", ERROR_USAGE, "all objects");
	assert_fails("refs --leaked --all", ERROR_USAGE, "--all");
	assert_fails("refs dict --by-type", ERROR_USAGE, "--leaked");
	assert_fails("cycles --state lost", ERROR_USAGE, "uncollectable");
	assert_fails("export", ERROR_USAGE, "export wants -o FILE");
	assert_fails("export -o x -n 3", ERROR_USAGE, "no option");
	assert_int_equal(fake.graph_count, 0);
}

static void an_object_that_is_not_there_is_told(void **state)
{
	assert_fails("show 0x1008", ERROR_FAILED, "there is no object at 0x1008");
	assert_fails("refs 0xffffffffffffffff", ERROR_FAILED, "no object at");
	assert_fails("refs Crat", ERROR_FAILED, "did you mean 'shop.Cart'?");
	assert_fails("refs shop.Crat", ERROR_FAILED, "did you mean 'shop.Cart'?");
	assert_fails("refs nothing.like.it.here", ERROR_FAILED,
		     "a type named 'nothing.like.it.her");
	assert_fails("refs dict Crat", ERROR_FAILED, "did you mean");
	fake.gone = true;
	assert_fails("show dict", ERROR_GONE, "ended");
}

static void an_empty_heap_has_no_objects(void **state)
{
	fake_inspected_deinit(&fake);
	fake_inspected_init(&fake, "");
	assert_fails("show dict", ERROR_FAILED, "no object of a type named 'dict'");
	assert_fails("referrers 0x10", ERROR_FAILED, "no object at 0x10");
	assert_json("refs --leaked", "objects", "[]");
	assert_json("refs --leaked --by-type", "types", "[]");
	assert_says("refs --leaked", "objects: none");
}

static void a_hostile_name_does_no_harm(void **state)
{
	static const char *const lines[] = {"show 0x10", "refs 0x10", "referrers 0x20",
					    "refs --leaked", "refs --leaked --by-type"};

	fake_inspected_deinit(&fake);
	fake_inspected_init(&fake, "object 0x10 \"\033[2Jevil\r\xff\" refs=3\n"
				   "object 0x20 \"\xe2\x80\xae\"\n"
				   "edge 0x10 0x20 gc \"\033]0;x\007\"\n"
				   "root 0x20 frame \"\033[8m\"\n");
	for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
		_cleanup_free_ char *text = NULL;
		assert_null(fake_inspected_run(&fake, lines[i], &text));
		for (const char *c = text; *c; c++)
			assert_true((unsigned char)*c >= ' ' || *c == '\n');
		json_decref(fake_inspected_json(&fake, lines[i]));
	}
}

static void refresh_drops_the_graph(void **state)
{
	assert_null(fake_inspected_run(&fake, "refresh", NULL));
	assert_int_equal(fake.forget_count, 1);
	assert_int_equal(fake.graph_count, 0);
}

static void an_older_graph_tells_its_age(void **state)
{
	fake.graph.taken_ns = clock_now_ns() - 12000000000;
	assert_says("show dict", "as of 12.0 s ago\n");
	fake.graph.taken_ns = clock_now_ns();
	_cleanup_free_ char *text = NULL;
	assert_null(fake_inspected_run(&fake, "show dict", &text));
	assert_null(strstr(text, "ago"));
}

static void every_answer_tells_how_its_graph_was_built(void **state)
{
	static const char *const lines[] = {"refs dict", "referrers dict", "show dict", "cycles",
					    "garbage"};

	fake.graph.cost = (struct inspected_cost){.build_ns = 12500000, .copied_bytes = 4096};
	for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
		json_t *root = fake_inspected_json(&fake, lines[i]);
		const json_t *graph = json_object_get(root, "graph");
		assert_int_equal(json_integer_value(json_object_get(graph, "objects")),
				 fake.graph.heap->object_count);
		assert_true(json_integer_value(json_object_get(graph, "references")) > 0);
		assert_true(json_integer_value(json_object_get(graph, "bytes")) > 0);
		assert_int_equal(json_integer_value(json_object_get(graph, "copied_bytes")), 4096);
		assert_true(json_real_value(json_object_get(graph, "build_ms")) == 12.5);
		json_decref(root);
	}
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, given_a_shop, end)
	const struct CMUnitTest tests[] = {
		TEST(refs_has_a_row_for_each_reference),
		TEST(accounts_make_up_the_reference_count),
		TEST(attributes_are_those_of_the_dict_and_of_the_object),
		TEST(referrers_have_a_row_for_each_reference_and_for_roots),
		TEST(referrers_tell_what_was_found_nowhere),
		TEST(a_type_is_its_first_object_or_all_of_them),
		TEST(a_limit_bounds_the_rows_and_not_the_count),
		TEST(what_cannot_be_read_has_no_repr),
		TEST(leaked_objects_have_references_that_were_found_nowhere),
		TEST(show_tells_all_of_one_object),
		TEST(show_tells_what_is_special),
		TEST(wrong_words_are_refused_before_the_process_is_looked_at),
		TEST(an_object_that_is_not_there_is_told),
		TEST(an_empty_heap_has_no_objects),
		TEST(a_hostile_name_does_no_harm),
		TEST(refresh_drops_the_graph),
		TEST(an_older_graph_tells_its_age),
		TEST(every_answer_tells_how_its_graph_was_built),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
