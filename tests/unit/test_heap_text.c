// SPDX-License-Identifier: GPL-3.0-or-later
// A heap as text: in and out.
#include "heap/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

static struct heap *parse(const char *text)
{
	struct heap *heap = NULL;
	struct error *error = heap_text_parse(text, &heap);

	if (error)
		fail_msg("%s", error->message);
	return heap;
}

static char *write_out(const struct heap *heap)
{
	char *chars = NULL;
	size_t length;
	FILE *out = open_memstream(&chars, &length);

	assert_non_null(out);
	assert_null(heap_text_write(heap, out));
	fclose(out);
	return chars;
}

static void assert_refused(const char *text, const char *message)
{
	struct heap *heap = NULL;
	_cleanup_error_ struct error *error = heap_text_parse(text, &heap);

	assert_null(heap);
	assert_non_null(error);
	assert_int_equal(error->code, ERROR_FAILED);
	if (!strstr(error->message, message))
		fail_msg("%s: %s", text, error->message);
}

static const char *label_of(const struct heap *heap, uint32_t from, uint32_t number)
{
	static char chars[64];
	_cleanup_text_ struct text label = {0};

	assert_null(heap_label(heap, from, number, &label));
	snprintf(chars, sizeof(chars), "%s", text_chars(&label));
	return chars;
}

static void lines_become_a_heap(void **state)
{
	_cleanup_heap_ struct heap *heap = parse(
		"type shop.Cart at=0x10 basic=48 finalizer=del\n"
		"  # a comment\n"
		"\n"
		"edge 0x2000 0x1000 owned .child # the child\n"
		"object 0x1000 shop.Cart size=56 refs=2 tracked generation=3\n"
		"object 8192 \"a dict\" tracked frozen immortal static legacy finalized part\n"
		"root 0x1000 c-variable owns \"lib.so: state\"\n"
		"collector disabled saveall garbage=0x2000");

	assert_int_equal(heap->object_count, 2);
	assert_int_equal(heap->type_count, 2);
	assert_string_equal(heap->types[0].name, "shop.Cart");
	assert_int_equal(heap->types[0].at, 0x10);
	assert_int_equal(heap->types[0].basic_size_bytes, 48);
	assert_int_equal(heap_finalizer(heap, 0), HEAP_FINALIZER_DEL);
	assert_int_equal(heap_find(heap, 0x1000), 0);
	assert_int_equal(heap_find(heap, 0x2000), 1);
	assert_int_equal(heap->at[1], 0x2000);
	assert_int_equal(heap->size_bytes[0], 56);
	assert_int_equal(heap->refcount[0], 2);
	assert_int_equal(heap->flags[0], HEAP_TRACKED | 3 << HEAP_GENERATION_SHIFT);
	assert_int_equal(heap->flags[1], HEAP_TRACKED | HEAP_FROZEN | HEAP_IMMORTAL | HEAP_STATIC |
						 HEAP_LEGACY_FINALIZER | HEAP_FINALIZED |
						 HEAP_PART);
	assert_string_equal(heap_type_name(heap, 1), "a dict");
	assert_int_equal(heap_edge_count(heap, 0), 0);
	assert_int_equal(heap_edge_count(heap, 1), 1);
	assert_int_equal(heap_edge_target(heap_edges(heap, 1)[0]), 0);
	assert_int_equal(heap_edge_kind(heap_edges(heap, 1)[0]), HEAP_EDGE_OWNED);
	assert_string_equal(label_of(heap, 1, 0), ".child");
	assert_int_equal(heap->root_count, 1);
	assert_int_equal(heap->roots[0].object, 0);
	assert_int_equal(heap->roots[0].kind, HEAP_ROOT_C_VARIABLE);
	assert_true(heap->roots[0].owns);
	assert_string_equal(heap->roots[0].name, "lib.so: state");
	assert_false(heap->collector.enabled);
	assert_true(heap->collector.saves_all);
	assert_int_equal(heap->garbage_list, 1);
}

static void nothing_is_an_empty_heap(void **state)
{
	_cleanup_heap_ struct heap *heap = parse("");

	assert_int_equal(heap->object_count, 0);
	assert_int_equal(heap->garbage_list, HEAP_NO_OBJECT);
	assert_int_equal(heap_find(heap, 0x1000), HEAP_NO_OBJECT);
	assert_true(heap->collector.enabled);
}

static void counts_that_are_not_given_are_those_of_the_references(void **state)
{
	_cleanup_heap_ struct heap *heap = parse("type T basic=40\n"
						 "object 0x1000 T\n"
						 "object 0x2000 T refs=7 size=1\n"
						 "object 0x3000 T immortal\n"
						 "edge 0x1000 0x1000 gc\n"
						 "edge 0x2000 0x1000 owned\n"
						 "edge 0x2000 0x1000 guess\n"
						 "edge 0x2000 0x1000 weak\n"
						 "edge 0x1000 0x2000\n"
						 "edge 0x1000 0x3000\n"
						 "root 0x1000 frame owns f\n"
						 "root 0x1000 module sys\n");

	assert_int_equal(heap->refcount[0], 4);
	assert_int_equal(heap->refcount[1], 7);
	assert_int_equal(heap->refcount[2], 0);
	assert_int_equal(heap->size_bytes[0], 40);
	assert_int_equal(heap->size_bytes[1], 1);
}

static void labels_stay_with_their_references_when_others_lead_nowhere(void **state)
{
	_cleanup_heap_ struct heap *heap = parse("object 0x2000 T\n"
						 "object 0x1000 T\n"
						 "edge 0x2000 0x1000 ['a']\n"
						 "edge 0x1000 0x9000 .lost\n"
						 "edge 0x1000 0x2000 .b\n"
						 "edge 0x2000 0x9008 weak .lost\n"
						 "edge 0x2000 0x2000\n"
						 "edge 0x2000 0x2000 gc gc\n"
						 "edge 0x1000 0x1000 \"weak\"\n");

	assert_int_equal(heap->dangling_count[HEAP_EDGE_GC], 1);
	assert_int_equal(heap->dangling_count[HEAP_EDGE_WEAK], 1);
	assert_int_equal(heap_edge_count(heap, 0), 2);
	assert_int_equal(heap_edge_count(heap, 1), 3);
	assert_string_equal(label_of(heap, 0, 0), ".b");
	assert_string_equal(label_of(heap, 0, 1), "weak");
	assert_string_equal(label_of(heap, 1, 0), "['a']");
	assert_string_equal(label_of(heap, 1, 1), "");
	assert_string_equal(label_of(heap, 1, 2), "gc");
	assert_string_equal(label_of(heap, 1, 3), "");
	assert_string_equal(label_of(heap, 7, 0), "");
}

static void what_is_written_is_read_as_the_same(void **state)
{
	static const char text[] =
		"type T at=0x10 basic=48 finalizer=builtin\n"
		"type \"a \\\"b\\\" \\\\ #c\\nd\"\n"
		"type T at=0x20 finalizer=legacy\n"
		"type \"@0x20\"\n"
		"type \"\"\n"
		"object 0x1000 @0x10 size=56 refs=2 tracked generation=2\n"
		"object 0x1008 @0x20 size=1 refs=4294967295 tracked frozen part generation=4\n"
		"object 0x7fffffffff00 \"a \\\"b\\\" \\\\ #c\\nd\" size=18446744073709551615 "
		"refs=0 "
		"immortal static legacy finalized\n"
		"object 0x7fffffffff08 \"@0x20\" size=0 refs=0\n"
		"object 0x7fffffffff10 \"\" size=0 refs=0\n"
		"edge 0x1000 0x1008 gc ['key']\n"
		"edge 0x1000 0x1008 owned \"['a key']\"\n"
		"edge 0x1000 0x1000 guess\n"
		"edge 0x7fffffffff00 0x1000 weak [3]\n"
		"root 0x1000 module sys\n"
		"root 0x1008 static-type owns \"owns\"\n"
		"root 0x1008 c-memory owns\n"
		"collector disabled saveall garbage=0x1008\n";
	_cleanup_heap_ struct heap *heap = parse(text);
	_cleanup_free_ char *written = write_out(heap);

	assert_string_equal(written, text);
}

static void types_that_nothing_tells_apart_are_written_as_one(void **state)
{
	_cleanup_heap_ struct heap *heap = parse("type T at=0x10\ntype T at=0x20\ntype T at=0x30\n"
						 "object 0x8 @0x10\n"
						 "object 0x10 @0x20\n"
						 "object 0x18 @0x30\n");

	heap->types[0].at = 0;
	heap->types[1].at = 0;
	_cleanup_free_ char *written = write_out(heap);
	assert_string_equal(written, "type T at=0x30\n"
				     "object 0x8 T size=0 refs=0\n"
				     "object 0x10 T size=0 refs=0\n"
				     "object 0x18 T size=0 refs=0\n"
				     "collector\n");
}

static void a_type_may_be_announced_behind_its_objects(void **state)
{
	_cleanup_heap_ struct heap *heap = parse("object 0x8 T\ntype T finalizer=del basic=16\n");

	assert_int_equal(heap->type_count, 1);
	assert_int_equal(heap_finalizer(heap, 0), HEAP_FINALIZER_DEL);
	assert_int_equal(heap->size_bytes[0], 16);
}

static void lines_that_make_no_sense_are_told_by_their_number(void **state)
{
	assert_refused("\n\nthing 0x1000\n", "line 3: 'thing'");
	assert_refused("\"object\" 0x1000 T\n", "line 1: 'object'");
	assert_refused("object\n", "line 1: the object's address is missing");
	assert_refused("object 0x1000\n", "the object's type is missing");
	assert_refused("object 1x T\n", "is no number");
	assert_refused("object -8 T\n", "is no number");
	assert_refused("object 0x T\n", "is no number");
	assert_refused("object \"8\" T\n", "is no number");
	assert_refused("object 0x10000000000000000 T\n", "is no number");
	assert_refused("object 0xfffffffffffffff8 T\n", "48 bits");
	assert_refused("object 0 T\n", "multiple of 8");
	assert_refused("object 12 T\n", "multiple of 8");
	assert_refused("object 8 T\nobject 8 T\n", "line 2: the object at 0x8 has a line already");
	assert_refused("object 8 T size=\n", "is no number");
	assert_refused("object 8 T refs=99999999999999999999\n", "is no number");
	assert_refused("object 8 T generation=5\n", "generations are 1 to 4");
	assert_refused("object 8 T generation=0\n", "generations are 1 to 4");
	assert_refused("object 8 T trackd\n", "'trackd'");
	assert_refused("object 8 T \"tracked\"\n", "'tracked'");
	assert_refused("object 8 @0x10\n", "no type was announced at '0x10'");
	assert_refused("object 8 \"T\n", "quotes without an end");
	assert_refused("object 8 \"T\\\n", "quotes without an end");
	assert_refused("object 8 \"T\\", "quotes without an end");
	assert_refused("object 8 \"T\"x\n", "no blank behind quotes");
	assert_refused("type\n", "the type's name is missing");
	assert_refused("type T\ntype T\n", "line 2: the type 'T' was announced already");
	assert_refused("type T at=8\ntype U at=8\n", "a type at 0x8 was announced already");
	assert_refused("type T finalizer=never\n", "'finalizer=never'");
	assert_refused("type T size=8\n", "'size=8'");
	assert_refused("edge 8\n", "where the reference leads to is missing");
	assert_refused("edge 8 8\n", "line 1: no object has a line for 0x8");
	assert_refused("object 8 T\nedge 8 8 gc a b\n", "line 2: 'b'");
	assert_refused("object 8 T\nroot 8\n", "the kind of the root is missing");
	assert_refused("object 8 T\nroot 8 heap\n", "'heap'");
	assert_refused("object 8 T\nroot 8 frame owns a b\n", "'b'");
	assert_refused("collector enabled\n", "'enabled'");
	assert_refused("collector garbage=x\n", "is no number");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_become_a_heap),
		cmocka_unit_test(nothing_is_an_empty_heap),
		cmocka_unit_test(counts_that_are_not_given_are_those_of_the_references),
		cmocka_unit_test(labels_stay_with_their_references_when_others_lead_nowhere),
		cmocka_unit_test(what_is_written_is_read_as_the_same),
		cmocka_unit_test(types_that_nothing_tells_apart_are_written_as_one),
		cmocka_unit_test(a_type_may_be_announced_behind_its_objects),
		cmocka_unit_test(lines_that_make_no_sense_are_told_by_their_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
