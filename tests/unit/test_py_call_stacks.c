// SPDX-License-Identifier: GPL-3.0-or-later
// Which functions run in which thread, in words: of every era, bounded, and of damaged memory.
#include "targets/cpython/call_stacks.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "support/py_objects.h"

enum { OBJECT_BYTES = 512, FIRST_LINE = 42 };

#define FOR_EACH_ERA(era) for (enum py_era era = 0; era < PY_ERA_COUNT; era++)

static addr_t given_code(struct py_image *image, const char *name)
{
	const struct py_layout *layout = &image->layout;
	addr_t at = py_image_object(image, image->type[IMAGE_OBJECT], OBJECT_BYTES - 64);

	py_image_set(image, at, layout->f.code_name, py_image_str(image, name));
	py_image_set(image, at, layout->f.code_filename, py_image_str(image, "/srv/shop.py"));
	py_image_set(image, at, layout->f.code_firstlineno, FIRST_LINE);
	return at;
}

static addr_t given_frame(struct py_image *image, addr_t code, addr_t back)
{
	const struct py_layout *layout = &image->layout;
	bool is_new = layout->f.iframe_previous.present;
	addr_t at = is_new ? py_image_alloc_outside(image, OBJECT_BYTES)
			   : py_image_object(image, image->type[IMAGE_OBJECT], OBJECT_BYTES - 64);

	py_image_set(image, at, is_new ? layout->f.iframe_code : layout->f.frame_code, code);
	py_image_set(image, at, is_new ? layout->f.iframe_previous : layout->f.frame_back, back);
	return at;
}

static void start_at(struct py_image *image, addr_t first)
{
	const struct py_layout *layout = &image->layout;

	if (layout->f.tstate_current_frame.present) {
		py_image_set(image, image->thread, layout->f.tstate_current_frame, first);
	} else if (layout->f.cframe_current.present) {
		addr_t cframe = py_image_alloc_outside(image, 64);
		py_image_set(image, cframe, layout->f.cframe_current, first);
		py_image_set(image, image->thread, layout->f.tstate_cframe, cframe);
	} else {
		py_image_set(image, image->thread, layout->f.tstate_frame, first);
	}
	mem_window_clear(image->window);
}

static void calls_come_with_function_file_and_line(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		_cleanup_target_call_stacks_ struct target_call_stacks stacks = {0};
		addr_t handle = given_code(image, "handle"), again = given_code(image, "again");
		addr_t frame = given_frame(image, handle, 0);

		for (int i = 0; i < 3; i++)
			frame = given_frame(image, again, frame);
		start_at(image, frame);
		assert_null(py_call_stacks(&image->layout, image->window, &stacks));
		assert_false(stacks.is_truncated);
		assert_int_equal(stacks.interpreter_count, 1);
		assert_int_equal(stacks.count, 1);
		assert_int_equal(stacks.list[0].count, 4);
		assert_int_equal(stacks.list[0].left_out, 0);
		// A function that runs three times is one function.
		assert_int_equal(stacks.function_count, 2);
		for (size_t i = 0; i < 4; i++) {
			const struct target_call *call = &stacks.calls[i];
			const struct target_function *function = &stacks.functions[call->function];
			assert_string_equal(function->name, i < 3 ? "again" : "handle");
			assert_string_equal(function->file, "/srv/shop.py");
			assert_int_equal(call->line, FIRST_LINE);
			assert_int_equal(function->qualified_name != NULL,
					 image->layout.f.code_qualname.present);
		}
	}
}

static void a_thread_may_run_nothing(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		_cleanup_target_call_stacks_ struct target_call_stacks stacks = {0};

		start_at(image, 0);
		assert_null(py_call_stacks(&image->layout, image->window, &stacks));
		assert_int_equal(stacks.count, 1);
		assert_int_equal(stacks.list[0].count, 0);
		assert_false(stacks.is_truncated);
	}
}

static void of_very_many_calls_the_innermost_are_told(void **state)
{
	enum { MORE = 100, FRAME_BYTES = 80 };
	_cleanup_py_image_ struct py_image *image = py_image_create(PY_ERA_311);
	const struct py_layout *layout = &image->layout;
	_cleanup_target_call_stacks_ struct target_call_stacks stacks = {0};
	addr_t code = given_code(image, "deep"), inner = given_code(image, "inner");
	size_t count = TARGET_CALLS_MAX + MORE;
	addr_t frames = py_image_alloc_outside(image, count * FRAME_BYTES);

	for (size_t i = 0; i < count; i++) {
		addr_t at = frames + i * FRAME_BYTES;
		py_image_set(image, at, layout->f.iframe_code, i + 1 == count ? inner : code);
		py_image_set(image, at, layout->f.iframe_previous, i ? at - FRAME_BYTES : 0);
	}
	start_at(image, frames + (count - 1) * FRAME_BYTES);
	assert_null(py_call_stacks(layout, image->window, &stacks));
	assert_int_equal(stacks.list[0].count, TARGET_CALLS_MAX);
	assert_int_equal(stacks.list[0].left_out, MORE);
	assert_string_equal(stacks.functions[stacks.calls[0].function].name, "inner");
}

static void a_chain_that_leads_nowhere_is_told_as_far_as_it_goes(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		_cleanup_target_call_stacks_ struct target_call_stacks stacks = {0};

		start_at(image, given_frame(image, given_code(image, "handle"), 0x1234567890));
		assert_null(py_call_stacks(&image->layout, image->window, &stacks));
		assert_true(stacks.is_truncated);
		assert_int_equal(stacks.list[0].count, 1);
	}
}

static void code_that_cannot_be_read_is_a_question_mark(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		_cleanup_target_call_stacks_ struct target_call_stacks stacks = {0};

		start_at(image, given_frame(image, 0x1234567890, 0));
		assert_null(py_call_stacks(&image->layout, image->window, &stacks));
		assert_int_equal(stacks.list[0].count, 1);
		assert_string_equal(stacks.functions[0].name, "?");
		assert_string_equal(stacks.functions[0].file, "?");
		assert_int_equal(stacks.calls[0].line, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_come_with_function_file_and_line),
		cmocka_unit_test(a_thread_may_run_nothing),
		cmocka_unit_test(of_very_many_calls_the_innermost_are_told),
		cmocka_unit_test(a_chain_that_leads_nowhere_is_told_as_far_as_it_goes),
		cmocka_unit_test(code_that_cannot_be_read_is_a_question_mark),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
