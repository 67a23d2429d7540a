// SPDX-License-Identifier: GPL-3.0-or-later
// What calls code when an object dies: kinds of types, and flags of objects.
#include "targets/cpython/objects/finalizer.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "cpu/cpu.h"
#include "support/py_code.h"
#include "support/py_objects.h"

enum { CART_BYTES = 48, CLASS_BYTES = 72, CLASSES = 5, FUNCTION_AT = 0x1000 };

#define FOR_EACH_ERA(era) for (enum py_era era = 0; era < PY_ERA_COUNT; era++)
#define FOR_EACH_NEW_ERA(era) for (enum py_era era = PY_ERA_36; era < PY_ERA_COUNT; era++)

struct given {
	struct py_image *image;
	struct py_types *types;
	/** What `__del__` of a class written in Python is. */
	addr_t method;
	addr_t wrapper;
	struct py_traverse *traverse;
};

static void cleanup_given(struct given *given)
{
	py_traverse_destroy(given->traverse);
	py_types_destroy(given->types);
	py_image_destroy(given->image);
}
#define _cleanup_given_ CLEANUP(cleanup_given)

static struct given given_image(enum py_era era)
{
	struct given given = {.image = py_image_create(era)};
	addr_t wrapper_type =
		py_image_static_type(given.image, "wrapper_descriptor", CART_BYTES, 0, 0);

	assert_null(py_types_create(&given.image->layout, &given.types));
	given.image->layout.var.wrapper_descriptor_type = wrapper_type;
	given.wrapper = py_image_object(given.image, wrapper_type, CART_BYTES);
	given.method = py_image_object(given.image, given.image->type[IMAGE_OBJECT], 16);
	return given;
}

static const struct py_type *type_of(struct given *given, addr_t at)
{
	mem_window_clear(given->image->window);
	const struct py_type *type = py_types_look_up(given->types, given->image->window, at);

	assert_non_null(type);
	return type;
}

static enum heap_finalizer kind_of(struct given *given, addr_t at)
{
	return py_finalizer_of_type(&given->image->layout, given->image->window,
				    type_of(given, at));
}

static uint32_t flags_of(struct given *given, addr_t object)
{
	addr_t type = py_image_get(given->image, object, given->image->layout.f.object_type);

	return py_finalizer_flags(&given->image->layout, given->image->window, given->traverse,
				  type_of(given, type), object);
}

// A dict with `__del__` behind something else.
static addr_t given_dict_with_del(struct given *given, addr_t method)
{
	const struct py_image_item items[] = {
		{py_image_str(given->image, "__init__"), given->method},
		{py_image_str(given->image, "__del__"), method},
	};

	return py_image_dict(given->image, PY_IMAGE_COMBINED, items, ARRAY_COUNT(items));
}

static addr_t given_class(struct given *given)
{
	return py_image_class(given->image, "shop", "Cart", CART_BYTES, PY_TYPE_GC);
}

static void give_mro(struct given *given, addr_t class, const addr_t *classes, size_t count)
{
	py_image_set(given->image, class, given->image->layout.f.type_mro,
		     py_image_tuple(given->image, classes, count));
}

static void a_type_without_one_has_none(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_image(era);
		assert_int_equal(kind_of(&given, given.image->type[IMAGE_LIST]),
				 HEAP_FINALIZER_NONE);
		assert_int_equal(kind_of(&given, given_class(&given)), HEAP_FINALIZER_NONE);
	}
}

static void del_of_a_class_or_its_base_is_one_in_python(void **state)
{
	FOR_EACH_NEW_ERA(era)
	{
		_cleanup_given_ struct given given = given_image(era);
		const struct py_layout *layout = &given.image->layout;
		addr_t base = given_class(&given), class = given_class(&given);
		const addr_t mro[] = {class, base, given.image->type[IMAGE_OBJECT]};
		give_mro(&given, base, mro + 1, 2);
		give_mro(&given, class, mro, 3);
		py_image_set(given.image, base, layout->f.type_dict,
			     given_dict_with_del(&given, given.method));
		py_image_set(given.image, base, layout->f.type_finalize, FUNCTION_AT);
		py_image_set(given.image, class, layout->f.type_finalize, FUNCTION_AT);

		assert_int_equal(kind_of(&given, base), HEAP_FINALIZER_DEL);
		assert_int_equal(kind_of(&given, class), HEAP_FINALIZER_DEL);
	}
}

// A wrapper around a tp_finalize is what the dict of such a type has.
static void a_finalizer_in_c_is_a_builtin_one(void **state)
{
	FOR_EACH_NEW_ERA(era)
	{
		_cleanup_given_ struct given given = given_image(era);
		const struct py_layout *layout = &given.image->layout;
		addr_t bare = given_class(&given), class = given_class(&given);
		addr_t list = given.image->type[IMAGE_LIST];
		const addr_t mro[] = {class};
		give_mro(&given, class, mro, 1);
		py_image_set(given.image, class, layout->f.type_dict,
			     given_dict_with_del(&given, given.wrapper));
		py_image_set(given.image, class, layout->f.type_finalize, FUNCTION_AT);
		py_image_set(given.image, bare, layout->f.type_finalize, FUNCTION_AT);
		py_image_set(given.image, list, layout->f.type_finalize, FUNCTION_AT);

		assert_int_equal(kind_of(&given, class), HEAP_FINALIZER_BUILTIN);
		assert_int_equal(kind_of(&given, bare), HEAP_FINALIZER_BUILTIN);
		assert_int_equal(kind_of(&given, list), HEAP_FINALIZER_BUILTIN);
	}
}

// In Python 2 it is what `__del__` of a class comes to, and every generator has one.
static void tp_del_is_a_legacy_finalizer_but_for_what_python_2_has_it(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_image(era);
		struct py_layout *layout = &given.image->layout;
		bool is_old = era == PY_ERA_27;
		addr_t class = given_class(&given), list = given.image->type[IMAGE_LIST];
		addr_t generator = given.image->type[IMAGE_SET];
		layout->var.generator_type = generator;
		py_image_set(given.image, class, layout->f.type_del, FUNCTION_AT);
		py_image_set(given.image, list, layout->f.type_del, FUNCTION_AT);
		py_image_set(given.image, generator, layout->f.type_del, FUNCTION_AT);

		assert_int_equal(kind_of(&given, class),
				 is_old ? HEAP_FINALIZER_DEL : HEAP_FINALIZER_LEGACY);
		assert_int_equal(kind_of(&given, list), HEAP_FINALIZER_LEGACY);
		assert_int_equal(kind_of(&given, generator),
				 is_old ? HEAP_FINALIZER_BUILTIN : HEAP_FINALIZER_LEGACY);
	}
}

static void an_impossible_mro_has_no_method(void **state)
{
	static const uint64_t hostile[] = {1ULL << 60, UINT64_MAX, 1ULL << 63};

	FOR_EACH_NEW_ERA(era)
	{
		_cleanup_given_ struct given given = given_image(era);
		const struct py_layout *layout = &given.image->layout;
		addr_t class = given_class(&given), mro;
		py_image_set(given.image, class, layout->f.type_finalize, FUNCTION_AT);
		give_mro(&given, class, &class, 1);
		mro = py_image_get(given.image, class, layout->f.type_mro);
		for (size_t i = 0; i < ARRAY_COUNT(hostile); i++) {
			py_image_set(given.image, mro, layout->f.var_size, hostile[i]);
			assert_int_equal(kind_of(&given, class), HEAP_FINALIZER_BUILTIN);
		}
		py_image_set(given.image, class, layout->f.type_mro, 0x1234567890);
		assert_int_equal(kind_of(&given, class), HEAP_FINALIZER_BUILTIN);
	}
}

/** Old-style classes of Python 2: each has the next one as its base. */
struct old_style {
	addr_t class[CLASSES];
	addr_t instance;
};

static addr_t given_old_class(struct given *given, addr_t dict)
{
	const struct py_layout *layout = &given->image->layout;
	addr_t at = py_image_object(given->image, given->image->type[IMAGE_CLASS2], CLASS_BYTES);

	py_image_set(given->image, at, layout->f.class_name, py_image_str(given->image, "Cart"));
	py_image_set(given->image, at, layout->f.class_dict, dict);
	return at;
}

static struct old_style given_old_style(struct given *given)
{
	const struct py_layout *layout = &given->image->layout;
	struct old_style old;

	for (size_t i = CLASSES; i-- > 0;) {
		addr_t empty = py_image_dict(given->image, PY_IMAGE_COMBINED, NULL, 0);
		old.class[i] = given_old_class(given, empty);
		const addr_t bases[] = {given_old_class(given, empty),
					i + 1 < CLASSES ? old.class[i + 1] : 0};
		py_image_set(given->image, old.class[i], layout -> f.class_bases,
			     py_image_tuple(given->image, bases, i + 1 < CLASSES ? 2 : 1));
	}
	old.instance = py_image_object(given->image, given->image->type[IMAGE_INSTANCE2], 40);
	py_image_set(given->image, old.instance, layout->f.instance_class, old.class[0]);
	py_image_set(given->image, old.instance, layout->f.instance_dict,
		     py_image_dict(given->image, PY_IMAGE_COMBINED, NULL, 0));
	return old;
}

static enum heap_finalizer kind_of_class(struct given *given, addr_t class)
{
	struct py_type_cache *cache = calloc(1, sizeof(*cache));

	mem_window_clear(given->image->window);
	const struct py_type *type =
		py_types_of_class(given->types, cache, given->image->window, class);
	assert_non_null(type);
	enum heap_finalizer kind =
		py_finalizer_of_type(&given->image->layout, given->image->window, type);
	free(cache);
	return kind;
}

static void an_old_style_class_has_the_method_of_any_base(void **state)
{
	_cleanup_given_ struct given given = given_image(PY_ERA_27);
	const struct py_layout *layout = &given.image->layout;
	struct old_style old = given_old_style(&given);

	assert_int_equal(kind_of_class(&given, old.class[0]), HEAP_FINALIZER_NONE);
	assert_int_equal(flags_of(&given, old.instance), 0);
	py_image_set(given.image, old.class[CLASSES - 1], layout -> f.class_dict,
		     given_dict_with_del(&given, given.method));
	assert_int_equal(kind_of_class(&given, old.class[0]), HEAP_FINALIZER_DEL);
	assert_int_equal(flags_of(&given, old.instance), HEAP_LEGACY_FINALIZER);
	// What all instances count under has none.
	assert_int_equal(kind_of(&given, given.image->type[IMAGE_INSTANCE2]), HEAP_FINALIZER_NONE);
}

static void an_old_style_instance_may_have_a_method_of_its_own(void **state)
{
	_cleanup_given_ struct given given = given_image(PY_ERA_27);
	struct old_style old = given_old_style(&given);

	py_image_set(given.image, old.instance, given.image->layout.f.instance_dict,
		     given_dict_with_del(&given, given.method));
	assert_int_equal(flags_of(&given, old.instance), HEAP_LEGACY_FINALIZER);
}

static void bases_without_end_are_followed_a_while(void **state)
{
	_cleanup_given_ struct given given = given_image(PY_ERA_27);
	const struct py_layout *layout = &given.image->layout;
	struct old_style old = given_old_style(&given);
	const addr_t loop[] = {old.class[0], old.class[1], old.class[0]};
	addr_t bases = py_image_tuple(given.image, loop, 3);

	py_image_set(given.image, old.class[2], layout -> f.class_bases, bases);
	assert_int_equal(flags_of(&given, old.instance), 0);
	py_image_set(given.image, bases, layout->f.var_size, 1ULL << 60);
	assert_int_equal(flags_of(&given, old.instance), 0);
	py_image_set(given.image, old.instance, layout->f.instance_class, 0x1234567890);
	assert_int_equal(flags_of(&given, old.instance), 0);
}

static void who_was_finalized_says_so_in_its_head(void **state)
{
	FOR_EACH_NEW_ERA(era)
	{
		_cleanup_given_ struct given given = given_image(era);
		const struct py_layout *layout = &given.image->layout;
		struct py_field field =
			layout->f.gc_refs.present ? layout->f.gc_refs : layout->f.gc_prev;
		addr_t class = given_class(&given);
		addr_t cart = py_image_object(given.image, class, CART_BYTES);
		py_image_track(given.image, cart);
		addr_t head = py_image_head(given.image, cart);
		py_image_set(given.image, class, layout->f.type_finalize, FUNCTION_AT);

		assert_int_equal(flags_of(&given, cart), 0);
		py_image_set(given.image, head, field, py_image_get(given.image, head, field) | 1);
		assert_int_equal(flags_of(&given, cart), HEAP_FINALIZED);
		// Who has no finalizer has not run one.
		py_image_set(given.image, class, layout->f.type_finalize, 0);
		assert_int_equal(flags_of(&given, cart), 0);
	}
}

static void objects_of_a_type_with_tp_del_are_not_collected(void **state)
{
	FOR_EACH_ERA(era)
	{
		_cleanup_given_ struct given given = given_image(era);
		const struct py_layout *layout = &given.image->layout;
		addr_t class = given_class(&given), list = given.image->type[IMAGE_LIST];
		addr_t cart = py_image_object(given.image, class, CART_BYTES);
		addr_t items = py_image_list(given.image, NULL, 0);
		addr_t number = py_image_object(given.image, given.image->type[IMAGE_FLOAT], 24);
		py_image_set(given.image, class, layout->f.type_del, FUNCTION_AT);
		py_image_set(given.image, list, layout->f.type_del, FUNCTION_AT);
		py_image_set(given.image, given.image->type[IMAGE_FLOAT], layout->f.type_del,
			     FUNCTION_AT);

		assert_int_equal(flags_of(&given, cart), HEAP_LEGACY_FINALIZER);
		// has_finalizer() of Python 2 asks heap types alone.
		assert_int_equal(flags_of(&given, items),
				 era == PY_ERA_27 ? 0 : HEAP_LEGACY_FINALIZER);
		// None of the collector's.
		assert_int_equal(flags_of(&given, number), 0);
	}
}

// PyGen_NeedsFinalizing() looks at the blocks of its frame: a generator in a try statement does.
static void a_generator_of_python_2_is_asked_whether_it_needs_it(void **state)
{
	_cleanup_given_ struct given given = given_image(PY_ERA_27);
	struct py_layout *layout = &given.image->layout;
	addr_t type = py_image_static_type(given.image, "generator", CART_BYTES, 0, PY_TYPE_GC);
	addr_t generator = py_image_object(given.image, type, CART_BYTES);
	const struct {
		addr_t function;
		uint32_t flags;
	} cases[] = {
		{py_code_return(given.image, 1), HEAP_LEGACY_FINALIZER},
		{py_code_return(given.image, 0), 0},
		{py_code_unknown(given.image), 0},
		{0, 0},
	};

	layout->var.generator_type = type;
	layout->gen_needs_finalizing_at = cases[0].function;
	assert_int_equal(flags_of(&given, generator), 0);
	if (!cpu_is_supported())
		skip();
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		assert_null(
			py_traverse_create(py_image_source(given.image), 0, NULL, &given.traverse));
		layout->gen_needs_finalizing_at = cases[i].function;
		assert_int_equal(flags_of(&given, generator), cases[i].flags);
		py_traverse_destroy(take_ptr(given.traverse));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_type_without_one_has_none),
		cmocka_unit_test(del_of_a_class_or_its_base_is_one_in_python),
		cmocka_unit_test(a_finalizer_in_c_is_a_builtin_one),
		cmocka_unit_test(tp_del_is_a_legacy_finalizer_but_for_what_python_2_has_it),
		cmocka_unit_test(an_impossible_mro_has_no_method),
		cmocka_unit_test(an_old_style_class_has_the_method_of_any_base),
		cmocka_unit_test(an_old_style_instance_may_have_a_method_of_its_own),
		cmocka_unit_test(bases_without_end_are_followed_a_while),
		cmocka_unit_test(who_was_finalized_says_so_in_its_head),
		cmocka_unit_test(objects_of_a_type_with_tp_del_are_not_collected),
		cmocka_unit_test(a_generator_of_python_2_is_asked_whether_it_needs_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
