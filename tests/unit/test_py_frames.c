// SPDX-License-Identifier: GPL-3.0-or-later
// What running functions hold: frames of every era, generators, chains that do not end.
#include "targets/cpython/objects/frames.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "support/py_objects.h"

enum { TOLD_MAX = 64, VARIABLES = 2, STACK = 3, OBJECT_BYTES = 512, NAME_BYTES = 64 };

/** enum _frameowner of CPython's. */
enum { BY_THREAD, BY_GENERATOR, BY_FRAME_OBJECT, BY_C_STACK };

#define FOR_EACH_ERA(era) for (enum py_era era = 0; era < PY_ERA_COUNT; era++)
#define FOR_EACH_NEW_ERA(era) for (enum py_era era = PY_ERA_311; era < PY_ERA_COUNT; era++)
#define FOR_EACH_OLD_ERA(era) for (enum py_era era = 0; era < PY_ERA_311; era++)

struct told {
	struct {
		addr_t object_at;
		bool owns;
		enum py_frame_part part;
		char name[NAME_BYTES];
		addr_t generator_at;
	} values[TOLD_MAX];
	size_t count;
	size_t stack_count;
	addr_t thread_at;
	struct py_frame frames[TOLD_MAX];
	size_t frame_count;
	size_t fail_at;
	struct py_frames_tally tally;
};

static struct error *remember_value(void *context, const struct py_frame_value *value)
{
	struct told *told = context;

	assert_non_null(value->name);
	assert_int_equal(told->frame_count > 0, value->part != PY_FRAME_STATE);
	assert_true(told->count < TOLD_MAX);
	if (told->fail_at && told->count + 1 == told->fail_at)
		return error_create(ERROR_FAILED, "the test made this fail");
	told->values[told->count].object_at = value->object_at;
	told->values[told->count].owns = value->owns;
	told->values[told->count].part = value->part;
	snprintf(told->values[told->count].name, NAME_BYTES, "%s", value->name);
	told->values[told->count++].generator_at = value->generator_at;
	return NULL;
}

static struct error *remember_stack(void *context, const struct py_frame_stack *stack)
{
	struct told *told = context;

	assert_int_equal(stack->end - stack->start, STACK * sizeof(addr_t));
	told->stack_count++;
	return NULL;
}

static struct error *remember_thread(void *context, const struct py_frames_thread *thread)
{
	struct told *told = context;

	assert_int_equal(thread->interpreter, 0);
	told->thread_at = thread->tstate_at;
	return NULL;
}

static struct error *remember_frame(void *context, const struct py_frame *frame)
{
	struct told *told = context;

	assert_true(told->frame_count < TOLD_MAX);
	told->frames[told->frame_count++] = *frame;
	return NULL;
}

static struct error *try_visit(const struct py_image *image, struct told *told)
{
	addr_t at = image->interpreter;
	struct py_interpreters interpreters = {&at, 1};
	struct py_frames_visitor visitor = {told, remember_thread, remember_frame, remember_value,
					    remember_stack};

	mem_window_clear(image->window);
	return py_frames_visit(&image->layout, image->window, &interpreters, &visitor,
			       &told->tally);
}

static struct told visit(const struct py_image *image)
{
	struct told told = {0};

	assert_null(try_visit(image, &told));
	return told;
}

// How often it was told as owned.
static size_t count_owned(const struct told *told, addr_t object)
{
	size_t count = 0;

	for (size_t i = 0; i < told->count; i++)
		count += told->values[i].object_at == object && told->values[i].owns;
	return count;
}

static addr_t given_code(struct py_image *image, uint64_t flags)
{
	const struct py_layout *layout = &image->layout;
	addr_t at = py_image_object(image, image->type[IMAGE_OBJECT], OBJECT_BYTES - 64);

	if (layout->f.code_nlocalsplus.present)
		py_image_set(image, at, layout->f.code_nlocalsplus, VARIABLES);
	py_image_set(image, at, layout->f.code_stacksize, STACK);
	py_image_set(image, at, layout->f.code_flags, flags);
	return at;
}

// A frame that has called another; its values are the addresses that follow @a values_at.
static addr_t given_iframe(struct py_image *image, addr_t at, uint64_t owner, int32_t stacktop,
			   addr_t previous)
{
	const struct py_layout *layout = &image->layout;
	static const addr_t object_like = 0x7f0000100000;

	if (!at)
		at = py_image_alloc_outside(image, OBJECT_BYTES);
	py_image_set(image, at, layout->f.iframe_code, given_code(image, 0));
	py_image_set(image, at, layout->f.iframe_function, object_like);
	py_image_set(image, at, layout->f.iframe_owner, owner);
	py_image_set(image, at, layout->f.iframe_stacktop, (uint32_t)stacktop);
	py_image_set(image, at, layout->f.iframe_previous, previous);
	for (uint32_t i = 0; i < VARIABLES + STACK; i++)
		*py_image_word(image, at + layout->f.iframe_values.offset + i * sizeof(addr_t)) =
			object_like + 16 * (i + 1);
	return at;
}

static addr_t value_of(const struct py_image *image, addr_t iframe, uint32_t index)
{
	return *py_image_word(image, iframe + image->layout.f.iframe_values.offset +
					     index * sizeof(addr_t));
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
}

static addr_t given_frame_object(struct py_image *image, addr_t back, bool generator)
{
	const struct py_layout *layout = &image->layout;
	addr_t at = py_image_object(image, image->type[IMAGE_OBJECT], OBJECT_BYTES - 64);

	py_image_set(image, at, layout->f.frame_code, given_code(image, generator ? 0x20 : 0));
	py_image_set(image, at, layout->f.frame_back, back);
	py_image_set(image, at, layout->f.frame_valuestack, at + 400);
	if (generator && layout->f.frame_generator.present)
		py_image_set(image, at, layout->f.frame_generator, at + 16);
	return at;
}

static void a_frame_that_called_a_function_holds_variables_and_stack(void **state)
{
	FOR_EACH_NEW_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		addr_t outer = given_iframe(image, 0, BY_THREAD, VARIABLES + 1, 0);
		start_at(image, outer);
		struct told told = visit(image);

		// The function, its code, two variables and what is on the stack.
		assert_int_equal(told.count, 5);
		for (uint32_t i = 0; i < VARIABLES + 1; i++)
			assert_int_equal(count_owned(&told, value_of(image, outer, i)), 1);
		assert_int_equal(count_owned(&told, value_of(image, outer, VARIABLES + 1)), 0);
		assert_int_equal(told.stack_count, 0);
		assert_int_equal(told.tally.frame_count, 1);
		assert_false(told.tally.truncated);
	}
}

static void of_a_frame_within_an_instruction_the_variables_alone_are_certain(void **state)
{
	FOR_EACH_NEW_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		addr_t inner = given_iframe(image, 0, BY_THREAD, -1, 0);
		start_at(image, inner);
		struct told told = visit(image);

		assert_int_equal(told.count, 4);
		assert_int_equal(count_owned(&told, value_of(image, inner, VARIABLES)), 0);
		assert_int_equal(told.stack_count, 1);
	}
}

static void what_the_traversal_of_a_generator_visits_is_not_told_again(void **state)
{
	static const struct {
		int32_t stacktop;
		size_t told;
		size_t owned;
	} cases[] = {{VARIABLES + 1, VARIABLES + 1, 0}, {-1, VARIABLES, VARIABLES}};

	FOR_EACH_NEW_ERA(era)
	{
		for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
			_cleanup_py_image_ struct py_image *image = py_image_create(era);
			addr_t generator = py_image_alloc_outside(image, OBJECT_BYTES);
			addr_t frame = given_iframe(
				image, generator + image->layout.f.generator_iframe.offset,
				BY_GENERATOR, cases[i].stacktop, 0);
			start_at(image, frame);
			struct told told = visit(image);

			// For their names they are told all the same.
			assert_int_equal(told.count, 1 + cases[i].told);
			assert_int_equal(told.values[0].object_at, generator);
			assert_false(told.values[0].owns);
			for (size_t j = 0; j < told.count; j++)
				assert_int_equal(told.values[j].generator_at, generator);
			for (size_t j = 1; j < told.count; j++)
				assert_int_equal(told.values[j].owns, cases[i].owned > 0);
		}
	}
}

static void frames_of_frame_objects_and_of_c_are_passed_over(void **state)
{
	FOR_EACH_NEW_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		addr_t outer = given_iframe(image, 0, BY_THREAD, VARIABLES, 0);
		addr_t shim = given_iframe(image, 0, BY_C_STACK, VARIABLES, outer);
		addr_t object = given_iframe(image, 0, BY_FRAME_OBJECT, VARIABLES, shim);
		start_at(image, object);
		struct told told = visit(image);

		assert_int_equal(told.tally.frame_count, 3);
		assert_int_equal(told.frame_count, 1);
		assert_int_equal(told.frames[0].at, outer);
		assert_int_equal(told.count, 4);
	}
}

static void before_there_were_such_frames_c_owns_the_frame_objects(void **state)
{
	FOR_EACH_OLD_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		addr_t outer = given_frame_object(image, 0, false);
		addr_t generator = given_frame_object(image, outer, true);
		addr_t inner = given_frame_object(image, generator, false);
		start_at(image, inner);
		struct told told = visit(image);

		assert_int_equal(told.count, 3);
		assert_int_equal(told.stack_count, 3);
		assert_int_equal(count_owned(&told, outer), 1);
		assert_int_equal(count_owned(&told, generator), 0);
		assert_int_equal(count_owned(&told, inner), 1);
	}
}

static void the_state_of_a_thread_owns_what_it_keeps(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		const struct py_layout *layout = &image->layout;

		py_image_set(image, image->thread, layout->f.tstate_dict, 0x7f0000200000);
		py_image_set(image, image->thread, layout->f.tstate_async_exc, 0x7f0000200010);
		py_image_set(image, image->thread, layout->f.tstate_exc_value, 0x7f0000200020);
		struct told told = visit(image);

		assert_int_equal(told.count, 3);
		for (size_t i = 0; i < told.count; i++) {
			assert_true(told.values[i].owns);
			assert_int_equal(told.values[i].part, PY_FRAME_STATE);
		}
		assert_int_equal(told.tally.thread_count, 1);
		assert_false(told.tally.truncated);
	}
}

static void a_chain_that_returns_to_itself_ends_there(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		bool is_new = era >= PY_ERA_311;
		addr_t outer = is_new ? given_iframe(image, 0, BY_THREAD, 0, 0)
				      : given_frame_object(image, 0, false);
		addr_t inner = is_new ? given_iframe(image, 0, BY_THREAD, 0, outer)
				      : given_frame_object(image, outer, false);
		struct py_field link =
			is_new ? image->layout.f.iframe_previous : image->layout.f.frame_back;

		py_image_set(image, outer, link, inner);
		// The list of threads, too.
		py_image_set(image, image->thread, image->layout.f.tstate_next, image->thread);
		start_at(image, inner);
		struct told told = visit(image);
		assert_int_equal(told.tally.frame_count, 2);
		assert_int_equal(told.tally.thread_count, 1);
		assert_true(told.tally.truncated);
		assert_int_equal(told.tally.truncated_at, inner);
	}
}

static void what_is_no_frame_ends_the_chain(void **state)
{
	static const addr_t nonsense[] = {8, 0x1234567890, UINT64_MAX, UINT64_MAX - 100};

	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);

		for (size_t i = 0; i < ARRAY_COUNT(nonsense); i++) {
			start_at(image, nonsense[i]);
			struct told told = visit(image);
			assert_int_equal(told.count, 0);
			assert_true(told.tally.truncated);
			assert_int_equal(told.tally.truncated_at, nonsense[i]);
		}
	}
}

static void a_frame_that_claims_too_many_values_is_left_out(void **state)
{
	FOR_EACH_NEW_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		const struct py_layout *layout = &image->layout;
		addr_t frame = given_iframe(image, 0, BY_THREAD, INT32_MAX, 0);
		addr_t code = py_image_get(image, frame, layout->f.iframe_code);

		start_at(image, frame);
		struct told told = visit(image);
		assert_int_equal(told.count, 0);
		assert_true(told.tally.truncated);
		py_image_set(image, frame, layout->f.iframe_stacktop, UINT32_MAX);
		py_image_set(image, code, layout->f.code_nlocalsplus, UINT32_MAX);
		told = visit(image);
		assert_int_equal(told.count, 0);
		assert_true(told.tally.truncated);
	}
}

// The nth name of one of a code object's tuples.
static addr_t given_names(struct py_image *image, const char *const *names, size_t count)
{
	addr_t items[TOLD_MAX];

	for (size_t i = 0; i < count; i++)
		items[i] = py_image_str(image, names[i]);
	return py_image_tuple(image, items, count);
}

static void assert_variable(const struct told *told, addr_t object, enum py_frame_part part,
			    const char *name, bool owns)
{
	for (size_t i = 0; i < told->count; i++) {
		if (told->values[i].object_at != object)
			continue;
		assert_int_equal(told->values[i].part, part);
		assert_string_equal(told->values[i].name, name);
		assert_int_equal(told->values[i].owns, owns);
		return;
	}
	fail_msg("nobody told of 0x%lx", (unsigned long)object);
}

static void variables_cells_and_free_variables_have_names(void **state)
{
	static const char *const names[] = {"first", "second", "cell", "free"};
	// CO_FAST_LOCAL, CO_FAST_CELL, CO_FAST_FREE; an argument may be a cell.
	static const uint8_t kinds[] = {0x20, 0x20, 0x60, 0x80};
	static const enum py_frame_part parts[] = {PY_FRAME_LOCAL, PY_FRAME_LOCAL, PY_FRAME_CELL,
						   PY_FRAME_FREE};

	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		const struct py_layout *layout = &image->layout;
		bool is_new = era >= PY_ERA_311;
		addr_t frame = is_new ? given_iframe(image, 0, BY_THREAD, -1, 0)
				      : given_frame_object(image, 0, false);
		addr_t code = py_image_get(image, frame,
					   is_new ? layout->f.iframe_code : layout->f.frame_code);
		addr_t values = frame + (is_new ? layout->f.iframe_values.offset
						: layout->f.frame_values.offset);

		start_at(image, frame);
		if (is_new) {
			char text[] = "abcd";
			addr_t bytes = py_image_object(image, image->type[IMAGE_BYTES], 48);
			py_image_set(image, bytes, layout->f.var_size, strlen(text));
			for (size_t i = 0; i < ARRAY_COUNT(kinds); i++)
				*(uint8_t *)py_image_at(image, bytes + layout->f.bytes_data.offset +
								       i) = kinds[i];
			py_image_set(image, code, layout->f.code_nlocalsplus, ARRAY_COUNT(names));
			py_image_set(image, code, layout->f.code_localspluskinds, bytes);
			py_image_set(image, code, layout->f.code_localsplusnames,
				     given_names(image, names, ARRAY_COUNT(names)));
		} else {
			py_image_set(image, code, layout->f.code_varnames,
				     given_names(image, names, 2));
			py_image_set(image, code, layout->f.code_cellvars,
				     given_names(image, names + 2, 1));
			py_image_set(image, code, layout->f.code_freevars,
				     given_names(image, names + 3, 1));
			py_image_set(image, frame, layout->f.frame_valuestack,
				     values + ARRAY_COUNT(names) * sizeof(addr_t));
		}
		for (size_t i = 0; i < ARRAY_COUNT(names); i++)
			*py_image_word(image, values + i * sizeof(addr_t)) =
				0x7f0000300000 + 16 * i;
		struct told told = visit(image);
		for (size_t i = 0; i < ARRAY_COUNT(names); i++)
			assert_variable(&told, 0x7f0000300000 + 16 * i, parts[i], names[i], is_new);
		// A frame object owns what is in it.
		assert_int_equal(count_owned(&told, frame), !is_new);
	}
}

static void without_names_there_are_variables_all_the_same(void **state)
{
	FOR_EACH_NEW_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		addr_t frame = given_iframe(image, 0, BY_THREAD, VARIABLES + 1, 0);

		start_at(image, frame);
		struct told told = visit(image);
		assert_variable(&told, value_of(image, frame, 0), PY_FRAME_LOCAL, "?", true);
		assert_variable(&told, value_of(image, frame, VARIABLES), PY_FRAME_STACK, "", true);
	}
}

static void frames_are_told_with_their_places_the_innermost_first(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		const struct py_layout *layout = &image->layout;
		bool is_new = era >= PY_ERA_311;
		addr_t outer = is_new ? given_iframe(image, 0, BY_THREAD, -1, 0)
				      : given_frame_object(image, 0, false);
		addr_t inner = is_new ? given_iframe(image, 0, BY_THREAD, -1, outer)
				      : given_frame_object(image, outer, false);
		addr_t code = py_image_get(image, inner,
					   is_new ? layout->f.iframe_code : layout->f.frame_code);

		if (is_new)
			py_image_set(image, inner, layout->f.iframe_instruction,
				     code + layout->f.code_instructions.offset + 6);
		else
			py_image_set(image, inner, layout->f.frame_lasti, 6);
		start_at(image, inner);
		struct told told = visit(image);
		assert_int_equal(told.thread_at, image->thread);
		assert_int_equal(told.frame_count, 2);
		assert_int_equal(told.frames[0].at, inner);
		assert_int_equal(told.frames[0].place.code_at, code);
		assert_int_equal(told.frames[0].place.offset, 6);
		assert_int_equal(told.frames[1].at, outer);
	}
}

static void a_failure_of_who_is_told_ends_the_visit(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_py_image_ struct py_image *image = py_image_create(era);
		struct told told = {.fail_at = 2};

		start_at(image, era >= PY_ERA_311 ? given_iframe(image, 0, BY_THREAD, -1, 0)
						  : given_frame_object(image, 0, false));
		py_image_set(image, image->thread, image->layout.f.tstate_dict, 0x7f0000200000);
		_cleanup_error_ struct error *error = try_visit(image, &told);
		assert_non_null(error);
		assert_int_equal(error->code, ERROR_FAILED);
		assert_int_equal(told.count, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_that_called_a_function_holds_variables_and_stack),
		cmocka_unit_test(of_a_frame_within_an_instruction_the_variables_alone_are_certain),
		cmocka_unit_test(what_the_traversal_of_a_generator_visits_is_not_told_again),
		cmocka_unit_test(frames_of_frame_objects_and_of_c_are_passed_over),
		cmocka_unit_test(before_there_were_such_frames_c_owns_the_frame_objects),
		cmocka_unit_test(the_state_of_a_thread_owns_what_it_keeps),
		cmocka_unit_test(a_chain_that_returns_to_itself_ends_there),
		cmocka_unit_test(what_is_no_frame_ends_the_chain),
		cmocka_unit_test(a_frame_that_claims_too_many_values_is_left_out),
		cmocka_unit_test(variables_cells_and_free_variables_have_names),
		cmocka_unit_test(without_names_there_are_variables_all_the_same),
		cmocka_unit_test(frames_are_told_with_their_places_the_innermost_first),
		cmocka_unit_test(a_failure_of_who_is_told_ends_the_visit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
