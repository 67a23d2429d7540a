// SPDX-License-Identifier: GPL-3.0-or-later
// The verbs that tell who holds what, against heaps from text.
#include "ui/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "support/fake_inspected.h"

static struct fake_inspected fake;

// A module holds two lists of carts, C code one that leaked, and nothing one more; a cart has a part.
static const char shop[] = "type shop.Cart basic=48\n"
			   "object 0x1000 module size=72\n"
			   "object 0x1100 dict size=200 part\n"
			   "object 0x2000 list size=100\n"
			   "object 0x2100 list size=100\n"
			   "object 0x3000 shop.Cart size=48\n"
			   "object 0x3100 shop.Cart size=48\n"
			   "object 0x3200 shop.Cart size=48\n"
			   "object 0x3300 shop.Cart size=48 refs=1\n"
			   "object 0x3400 shop.Cart size=48 tracked\n"
			   "object 0x4000 bytes size=1000\n"
			   "edge 0x1000 0x1100 gc .__dict__\n"
			   "edge 0x1100 0x2000 gc \"['OPEN']\"\n"
			   "edge 0x1100 0x2100 gc \"['PAID']\"\n"
			   "edge 0x2000 0x3000 gc [0]\n"
			   "edge 0x2000 0x3100 gc [1]\n"
			   "edge 0x2100 0x3200 gc [0]\n"
			   "edge 0x3000 0x4000 gc .data\n"
			   "edge 0x3400 0x3400 gc .self\n"
			   "root 0x1000 module shop\n"
			   "leak 0x3300 1\n";

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

// That what @a key of the answer holds is just the JSON text @a expected.
static void assert_json(const char *line, const char *key, const char *expected)
{
	json_t *root = fake_inspected_json(&fake, line);
	json_t *wanted = json_loads(expected, JSON_DECODE_ANY, NULL);
	json_t *got = json_object_get(root, key);

	assert_non_null(wanted);
	if (!json_equal(wanted, got)) {
		_cleanup_free_ char *text = json_dumps(got, JSON_ENCODE_ANY | JSON_INDENT(1));
		fail_msg("%s: %s is %s", line, key, text);
	}
	json_decref(root);
	json_decref(wanted);
}

static void assert_text(const char *line, const char *expected)
{
	_cleanup_free_ char *text = NULL;

	assert_null(fake_inspected_run(&fake, line, &text));
	if (!strstr(text, expected))
		fail_msg("%s:\n%s", line, text);
}

static void assert_refused(const char *line, const char *message)
{
	_cleanup_error_ struct error *error = fake_inspected_run(&fake, line, NULL);

	assert_non_null(error);
	assert_non_null(strstr(error->message, message));
}

static json_t *path_of(json_t *root, size_t way)
{
	return json_array_get(json_object_get(root, "paths"), way);
}

static const char *step_text(json_t *path, size_t step, const char *key)
{
	return json_string_value(json_object_get(json_array_get(path, step), key));
}

static void each_way_is_told_with_how_many_are_held_by_it(void **state)
{
	json_t *root = fake_inspected_json(&fake, "path shop.Cart");
	json_t *ways = json_object_get(root, "ways"), *path = path_of(root, 0);

	assert_int_equal(json_array_size(ways), 3);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(ways, 0), "count")), 2);
	assert_int_equal(json_array_size(path), 3);
	assert_string_equal(step_text(path, 0, "label"), "module shop");
	assert_string_equal(step_text(path, 0, "root"), "module");
	assert_string_equal(step_text(path, 1, "label"), ".OPEN");
	assert_string_equal(step_text(path, 2, "address"), "0x3000");
	assert_string_equal(step_text(path_of(root, 2), 0, "root"), "leaked");
	assert_int_equal(json_integer_value(json_object_get(root, "unreached")), 1);
	json_decref(root);
}

static void people_read_a_path_from_its_root_down(void **state)
{
	assert_text("path 0x3000", "shop.Cart at 0x3000 (signature ");
	assert_text("path 0x3000", "  HELD BY      TYPE       OF A KIND  REPR\n"
				   "  module shop  module             -");
	assert_text("path 0x3300", "C code, which leaked a reference to it");
	assert_text("path 0x3400",
		    "it is held by no root: the next collection frees such as these");
	assert_text("path shop.Cart -n 1", "2 of 5, 96 B, held like this one");
	assert_text("path shop.Cart -n 1", "2 more objects in 2 more ways: -n shows more");
}

static void a_known_holder_is_looked_past(void **state)
{
	json_t *root = fake_inspected_json(&fake, "path 0x3000 --avoid 0x2000");

	assert_int_equal(json_array_size(json_object_get(root, "paths")), 0);
	assert_int_equal(json_integer_value(json_object_get(root, "unreached")), 1);
	json_decref(root);
	// By the type of what is asked about: that one is still found.
	root = fake_inspected_json(&fake, "path 0x3000 --avoid shop.Cart");
	assert_int_equal(json_array_size(json_object_get(root, "paths")), 1);
	json_decref(root);
	assert_text("path 0x3000 --avoid list",
		    "it is held by no root but by way of what is avoided");
}

static void all_roots_are_for_one_object(void **state)
{
	json_t *root = fake_inspected_json(&fake, "path 0x3000 --all-roots 9");

	assert_int_equal(json_array_size(json_object_get(root, "paths")), 1);
	json_decref(root);
	assert_refused("path shop.Cart --all-roots 2", "one object; 5 are named");
	assert_refused("path 0x3000 --all-roots 0", "a number from 1");
	assert_refused("path", "wants OBJECT");
	assert_refused("path 0x3000 --avoid 0xyz", "is no address");
}

static void what_hangs_on_an_object_alone_is_retained(void **state)
{
	assert_json(
		"retained 0x2000 --below", "objects",
		"[{\"retained\": 1048, \"count\": 2, \"address\": \"0x3000\", \"type\": "
		"\"shop.Cart\", \"size\": 48, \"reached\": true, \"accumulation\": {\"address\": "
		"\"0x4000\", \"type\": \"bytes\", \"retained\": 1000}, \"repr\": \"<shop.Cart>\"}, "
		"{\"retained\": 48, \"count\": 1, \"address\": \"0x3100\", \"type\": "
		"\"shop.Cart\", \"size\": 48, \"reached\": true, \"accumulation\": null, "
		"\"repr\": \"<shop.Cart>\"}]");
	assert_json("retained", "total", "{\"retained\": 1712, \"count\": 9}");
	assert_json("retained --by-type --filter Cart", "types",
		    "[{\"name\": \"shop.Cart\", \"count\": 5, \"retained\": 1240}]");
	assert_text("retained -n 1", "1.6 KiB        7  0x1000   module");
	assert_text("retained -n 1", "(2 more: -n shows more)");
	assert_text("retained", "some are held by no root");
}

static void options_that_do_not_go_together_are_refused(void **state)
{
	assert_refused("retained --by-type 0x1000", "--by-type is about all objects");
	assert_refused("retained --below", "--below wants one OBJECT");
	assert_refused("retained --filter x", "--filter goes with --by-type");
	assert_refused("retained nothing", "no object of a type named 'nothing'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_way_is_told_with_how_many_are_held_by_it,
						given_a_shop, end),
		cmocka_unit_test_setup_teardown(people_read_a_path_from_its_root_down, given_a_shop,
						end),
		cmocka_unit_test_setup_teardown(a_known_holder_is_looked_past, given_a_shop, end),
		cmocka_unit_test_setup_teardown(all_roots_are_for_one_object, given_a_shop, end),
		cmocka_unit_test_setup_teardown(what_hangs_on_an_object_alone_is_retained,
						given_a_shop, end),
		cmocka_unit_test_setup_teardown(options_that_do_not_go_together_are_refused,
						given_a_shop, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
