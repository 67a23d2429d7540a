// SPDX-License-Identifier: GPL-3.0-or-later
// The table of CPython's fields, filled from a fake source of layouts: what is derived from which
// members exist, and that hostile debug information is refused.
#include "targets/cpython/layout.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "support/py_eras.h"

static const struct layout_variable somewhere = {.address = 0x1000, .size_bytes = 8};

static void cleanup_fake_layout(struct fake_layout **fake)
{
	fake_layout_destroy(*fake);
}
#define _cleanup_fake_layout_ CLEANUP(cleanup_fake_layout)

static struct fake_layout *describe(enum py_era era)
{
	struct fake_layout *fake = fake_layout_create();

	py_era_describe(era, fake);
	return fake;
}

static struct py_layout fill(struct fake_layout *fake)
{
	struct py_layout layout;
	_cleanup_error_ struct error *error = py_layout_fill(fake_layout_source(fake), 0, &layout);

	if (error)
		fail_msg("%s", error->message);
	return layout;
}

static void assert_refused(struct fake_layout *fake, enum error_code code, const char *what)
{
	struct py_layout layout;
	_cleanup_error_ struct error *error = py_layout_fill(fake_layout_source(fake), 0, &layout);

	assert_non_null(error);
	assert_int_equal(error->code, code);
	if (!strstr(error->message, what))
		fail_msg("no \"%s\" in \"%s\"", what, error->message);
}

static void every_era_has_what_is_required(void **state)
{
	for (enum py_era era = 0; era < PY_ERA_COUNT; era++) {
		_cleanup_fake_layout_ struct fake_layout *fake = describe(era);
		struct py_layout layout = fill(fake);

		assert_int_equal(layout.f.object_type.offset, 8);
		assert_true(layout.f.object_type.is_pointer);
		assert_int_equal(layout.size.gc_head, era <= PY_ERA_36 ? 32 : 16);
		assert_false(layout.f.object_tid.present);
	}
}

static void what_no_member_tells_follows_from_those_that_exist(void **state)
{
	static const struct {
		uint64_t preheader_flags;
		uint32_t gc_refs_shift;
		bool has_immortals;
		bool is_python2;
	} expected[PY_ERA_COUNT] = {
		[PY_ERA_27] = {.is_python2 = true},
		[PY_ERA_36] = {.gc_refs_shift = 1},
		[PY_ERA_38] = {0},
		[PY_ERA_311] = {.preheader_flags = 1 << 4},
		[PY_ERA_312] = {.preheader_flags = 1 << 4 | 1 << 3, .has_immortals = true},
		[PY_ERA_313] = {.preheader_flags = 1 << 4 | 1 << 3, .has_immortals = true},
	};

	for (enum py_era era = 0; era < PY_ERA_COUNT; era++) {
		_cleanup_fake_layout_ struct fake_layout *fake = describe(era);
		struct py_layout layout = fill(fake);

		assert_int_equal(layout.preheader_flags, expected[era].preheader_flags);
		assert_int_equal(layout.gc_refs_shift, expected[era].gc_refs_shift);
		assert_int_equal(layout.has_immortals, expected[era].has_immortals);
		assert_int_equal(layout.is_python2, expected[era].is_python2);
		assert_false(layout.is_debug);
	}
}

// Where an instance has its attributes; which flags of its type say so.
static void managed_dicts_have_a_form_in_each_era(void **state)
{
	static const struct {
		enum py_managed managed;
		uint64_t dict_flag;
		uint64_t values_flag;
	} expected[PY_ERA_COUNT] = {
		[PY_ERA_311] = {PY_MANAGED_APART, 1 << 4, 0},
		[PY_ERA_312] = {PY_MANAGED_TAGGED, 1 << 4, 0},
		[PY_ERA_313] = {PY_MANAGED_INLINE, 1 << 4, 1 << 2},
	};

	for (enum py_era era = 0; era < PY_ERA_COUNT; era++) {
		_cleanup_fake_layout_ struct fake_layout *fake = describe(era);
		struct py_layout layout = fill(fake);

		assert_int_equal(layout.managed, expected[era].managed);
		assert_int_equal(layout.managed_dict_flag, expected[era].dict_flag);
		assert_int_equal(layout.inline_values_flag, expected[era].values_flag);
		assert_int_equal(layout.preheader_flags & layout.managed_dict_flag,
				 layout.managed_dict_flag);
	}
}

static void a_build_that_counts_all_references_is_a_debug_build(void **state)
{
	_cleanup_fake_layout_ struct fake_layout *old = describe(PY_ERA_38);
	_cleanup_fake_layout_ struct fake_layout *new = describe(PY_ERA_313);

	fake_layout_set_variable(old, "_Py_RefTotal", NULL, &somewhere);
	fake_layout_set_member(new, "_is", "object_state.reftotal",
			       &(struct layout_member){.offset_bytes = 8, .size_bytes = 8});

	assert_true(fill(old).is_debug);
	assert_true(fill(new).is_debug);
}

static void variables_are_moved_by_the_bias(void **state)
{
	_cleanup_fake_layout_ struct fake_layout *fake = describe(PY_ERA_38);
	struct py_layout layout;

	fake_layout_set_variable(fake, "PyType_Type", NULL, &somewhere);
	assert_null(py_layout_fill(fake_layout_source(fake), 0x550000000000, &layout));

	assert_int_equal(layout.var.type_type, 0x550000001000);
	assert_int_equal(layout.var_size.type_type, 8);
	// Absent is absent, wherever the file is.
	assert_int_equal(layout.var.instance_type, 0);
}

static void a_required_member_that_is_absent_is_named(void **state)
{
	_cleanup_fake_layout_ struct fake_layout *fake = describe(PY_ERA_311);

	fake_layout_set_member(fake, "PyTypeObject", "tp_flags", NULL);
	assert_refused(fake, ERROR_UNSUPPORTED, "PyTypeObject:tp_flags");
}

static void a_required_size_that_is_absent_is_named(void **state)
{
	_cleanup_fake_layout_ struct fake_layout *fake = describe(PY_ERA_311);

	fake_layout_set_size(fake, "setentry", 0);
	assert_refused(fake, ERROR_UNSUPPORTED, "setentry");
}

static void a_free_threaded_build_is_refused_before_anything_it_lacks(void **state)
{
	_cleanup_fake_layout_ struct fake_layout *fake = describe(PY_ERA_313);

	fake_layout_set_member(fake, "PyObject", "ob_tid",
			       &(struct layout_member){.offset_bytes = 0, .size_bytes = 8});
	fake_layout_set_member(fake, "PyObject", "ob_refcnt", NULL);
	assert_refused(fake, ERROR_UNSUPPORTED, "free-threaded");
}

static void a_member_outside_its_struct_is_refused(void **state)
{
	static const struct layout_member hostile[] = {
		{.offset_bytes = 416 - 7, .size_bytes = 8},
		{.offset_bytes = UINT32_MAX, .size_bytes = 8},
		{.offset_bytes = 0, .size_bytes = UINT32_MAX},
		{.offset_bytes = 168, .size_bytes = 8, .bit_offset = 0, .bit_count = 32},
		{.offset_bytes = 168, .size_bytes = 8, .bit_offset = 60, .bit_count = 5},
	};

	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		_cleanup_fake_layout_ struct fake_layout *fake = describe(PY_ERA_313);

		fake_layout_set_member(fake, "PyTypeObject", "tp_flags", &hostile[i]);
		assert_refused(fake, ERROR_UNSUPPORTED, "impossible place");
	}
}

static void a_struct_of_impossible_size_is_refused(void **state)
{
	_cleanup_fake_layout_ struct fake_layout *fake = describe(PY_ERA_38);

	// Read as one piece, so it must fit into one.
	fake_layout_set_size(fake, "setentry", 4097);
	assert_refused(fake, ERROR_UNSUPPORTED, "setentry");
	// Larger than any struct that members are read from.
	fake_layout_set_size(fake, "setentry", 16);
	fake_layout_set_size(fake, "_is", (uint64_t)PY_STRUCT_BYTES_MAX + 1);
	assert_refused(fake, ERROR_UNSUPPORTED, "_is");
}

static void a_question_that_fails_fails_the_filling(void **state)
{
	_cleanup_fake_layout_ struct fake_layout *fake = describe(PY_ERA_312);

	fill(fake);
	size_t questions = fake_layout_question_count(fake);
	for (size_t nth = 1; nth <= questions; nth++) {
		fake_layout_fail_nth(fake, nth);
		assert_refused(fake, ERROR_FAILED, "the test made this question fail");
	}
}

static void bits_and_signs_are_cut_out_of_copies(void **state)
{
	const uint64_t word = 0xfffffffe00000014;
	struct py_field kind = {.size = 4, .bit_offset = 2, .bit_count = 3, .present = true};
	struct py_field high = {.offset = 4, .size = 4, .present = true};
	struct py_field whole = {.size = 8, .present = true};

	assert_int_equal(py_get(&word, kind), 5);
	assert_int_equal(py_get(&word, high), 0xfffffffe);
	assert_int_equal(py_get_signed(&word, high), -2);
	assert_true(py_get_signed(&word, whole) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_era_has_what_is_required),
		cmocka_unit_test(what_no_member_tells_follows_from_those_that_exist),
		cmocka_unit_test(managed_dicts_have_a_form_in_each_era),
		cmocka_unit_test(a_build_that_counts_all_references_is_a_debug_build),
		cmocka_unit_test(variables_are_moved_by_the_bias),
		cmocka_unit_test(a_required_member_that_is_absent_is_named),
		cmocka_unit_test(a_required_size_that_is_absent_is_named),
		cmocka_unit_test(a_free_threaded_build_is_refused_before_anything_it_lacks),
		cmocka_unit_test(a_member_outside_its_struct_is_refused),
		cmocka_unit_test(a_struct_of_impossible_size_is_refused),
		cmocka_unit_test(a_question_that_fails_fails_the_filling),
		cmocka_unit_test(bits_and_signs_are_cut_out_of_copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
