// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/describe/describe_forms.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/array.h"
#include "targets/cpython/describe/describe_numbers.h"
#include "targets/cpython/objects/code.h"
#include "targets/cpython/objects/dict.h"
#include "targets/cpython/objects/string.h"

enum { BASES_MAX = 64, NAME_BYTES = 256 };

/** Of tp_flags, in every version. */
static const uint64_t TYPE_EXCEPTION = 1 << 30;

// An object at hand, for those who write it.
struct subject {
	struct py_repr *repr;
	struct py_types *types;
	const struct py_type *type;
	const struct py_layout *layout;
	struct mem_window *window;
	addr_t at;
	struct py_form *form;
};

static addr_t forms_word(const struct subject *subject, addr_t at, struct py_field field)
{
	return field.present && at ? mem_window_word(subject->window, at + field.offset, 0) : 0;
}

const char *py_forms_bare_name(const struct py_type *type)
{
	const char *name = type->name ? type->name : "?";
	const char *dot = strrchr(name, '.');

	return dot ? dot + 1 : name;
}

static bool forms_c_name(const struct py_layout *layout, struct mem_window *window, addr_t type_at,
			 char *into, size_t bytes)
{
	addr_t name_at = mem_window_word(window, type_at + layout->f.type_name.offset, 0);

	return name_at && py_c_string_read(window, name_at, into, bytes);
}

bool py_forms_derives(const struct py_layout *layout, struct mem_window *window, addr_t type_at,
		      const char *c_name)
{
	for (int depth = 0; type_at && depth < BASES_MAX; depth++) {
		char name[NAME_BYTES];
		if (forms_c_name(layout, window, type_at, name, sizeof(name)) &&
		    strcmp(name, c_name) == 0)
			return true;
		type_at = mem_window_word(window, type_at + layout->f.type_base.offset, 0);
	}
	return false;
}

// The name in C of the first base that is no class of a class statement; "" when there is none.
static void forms_static_name(const struct subject *subject, char *into, size_t bytes)
{
	const struct py_layout *layout = subject->layout;
	addr_t at = subject->type->at;

	into[0] = '\0';
	for (int depth = 0; at && depth < BASES_MAX; depth++) {
		uint64_t flags = forms_word(subject, at, layout->f.type_flags);
		if (!(flags & PY_TYPE_HEAP)) {
			forms_c_name(layout, subject->window, at, into, bytes);
			return;
		}
		at = forms_word(subject, at, layout->f.type_base);
	}
}

// A string that is an attribute; "?" when it cannot be read.
static const char *forms_text(const struct subject *subject, addr_t at, struct py_field field,
			      char *into)
{
	addr_t text_at = forms_word(subject, at, field);

	if (!text_at ||
	    !py_string_read(subject->layout, subject->window, text_at, into, NAME_BYTES))
		snprintf(into, NAME_BYTES, "?");
	return into;
}

static const struct py_type *forms_type_of(const struct subject *subject, addr_t at)
{
	addr_t type_at = forms_word(subject, at, subject->layout->f.object_type);

	return type_at ? py_types_look_up(subject->types, subject->window, type_at) : NULL;
}

// tp_name, which has no module for a class of a class statement.
static const char *forms_type_c_name(const struct subject *subject, addr_t type_at, char *into)
{
	if (!type_at || !forms_c_name(subject->layout, subject->window, type_at, into, NAME_BYTES))
		snprintf(into, NAME_BYTES, "?");
	return into;
}

void py_forms_default(struct py_repr *repr, const struct py_type *type, addr_t at)
{
	py_repr_putf(repr, "<%s %s at 0x%" PRIx64 ">", type->name ? type->name : "?",
		     type->shape == PY_SHAPE_INSTANCE2 ? "instance" : "object", at);
}

static void forms_default(const struct subject *subject)
{
	py_forms_default(subject->repr, subject->type, subject->at);
}

static void forms_parts(const struct subject *subject, size_t count, const char *close)
{
	subject->form->has_parts = true;
	subject->form->count = count;
	subject->form->close = close;
}

static void forms_none(const struct subject *subject)
{
	py_repr_puts(subject->repr, "None");
}

static void forms_ellipsis(const struct subject *subject)
{
	py_repr_puts(subject->repr, "Ellipsis");
}

static void forms_not_implemented(const struct subject *subject)
{
	py_repr_puts(subject->repr, "NotImplemented");
}

static void forms_class(const struct subject *subject)
{
	const struct py_type *class =
		py_types_look_up(subject->types, subject->window, subject->at);
	bool is_class = !subject->layout->is_python2 || (class && class->flags & PY_TYPE_HEAP);

	if (class && class->name)
		py_repr_putf(subject->repr, "<%s '%s'>", is_class ? "class" : "type", class->name);
	else
		forms_default(subject);
}

// "module.Name" of an old-style class of Python 2.
static void forms_class2_name(const struct subject *subject, addr_t class_at, char *module,
			      char *name)
{
	const struct py_layout *layout = subject->layout;
	addr_t dict_at = forms_word(subject, class_at, layout->f.class_dict);
	addr_t module_at = py_dict_find(layout, subject->window, dict_at, "__module__");

	if (!module_at || !py_string_read(layout, subject->window, module_at, module, NAME_BYTES))
		snprintf(module, NAME_BYTES, "?");
	forms_text(subject, class_at, layout->f.class_name, name);
}

static void forms_class2(const struct subject *subject)
{
	char name[NAME_BYTES], module[NAME_BYTES];

	forms_class2_name(subject, subject->at, module, name);
	py_repr_putf(subject->repr, "<class %s.%s at 0x%" PRIx64 ">", module, name, subject->at);
}

static void forms_instance2(const struct subject *subject)
{
	addr_t class_at = forms_word(subject, subject->at, subject->layout->f.instance_class);
	char name[NAME_BYTES], module[NAME_BYTES];

	forms_class2_name(subject, class_at, module, name);
	py_repr_putf(subject->repr, "<%s.%s instance at 0x%" PRIx64 ">", module, name, subject->at);
}

static void forms_function(const struct subject *subject)
{
	char name[NAME_BYTES];

	forms_text(subject, subject->at, subject->layout->f.function_name, name);
	py_repr_putf(subject->repr, "<function %s at 0x%" PRIx64 ">", name, subject->at);
}

static void forms_module(const struct subject *subject)
{
	const struct py_layout *layout = subject->layout;
	addr_t dict_at = forms_word(subject, subject->at, layout->f.module_dict);
	addr_t name_at = forms_word(subject, subject->at, layout->f.module_name);
	addr_t file_at = py_dict_find(layout, subject->window, dict_at, "__file__");
	struct py_string_span span;
	char name[NAME_BYTES] = "?";

	if (!name_at)
		name_at = py_dict_find(layout, subject->window, dict_at, "__name__");
	if (name_at)
		py_string_read(layout, subject->window, name_at, name, sizeof(name));
	py_repr_putf(subject->repr, "<module '%s'", name);
	if (file_at && py_string_locate(layout, subject->window, file_at, &span)) {
		py_repr_puts(subject->repr, " from ");
		py_repr_string(subject->repr, file_at);
	} else if (layout->is_python2) {
		py_repr_puts(subject->repr, " (built-in)");
	}
	py_repr_puts(subject->repr, ">");
}

static void forms_method2(const struct subject *subject, const char *function)
{
	const struct py_layout *layout = subject->layout;
	addr_t self_at = forms_word(subject, subject->at, layout->f.method_self);
	addr_t class_at = forms_word(subject, subject->at, layout->f.method_class);
	const struct py_type *meta = forms_type_of(subject, class_at);
	char class[NAME_BYTES] = "?";

	if (meta && meta->shape == PY_SHAPE_TYPE) {
		const struct py_type *type =
			py_types_look_up(subject->types, subject->window, class_at);
		if (type)
			snprintf(class, sizeof(class), "%s", py_forms_bare_name(type));
	} else if (class_at) {
		forms_text(subject, class_at, layout->f.class_name, class);
	}
	if (!self_at) {
		py_repr_putf(subject->repr, "<unbound method %s.%s>", class, function);
		return;
	}
	snprintf(subject->form->open, PY_FORM_CHARS, "<bound method %.150s.%.150s of ", class,
		 function);
	subject->form->parts[0] = self_at;
	forms_parts(subject, 1, ">");
}

static void forms_method(const struct subject *subject)
{
	const struct py_layout *layout = subject->layout;
	addr_t function_at = forms_word(subject, subject->at, layout->f.method_function);
	const struct py_type *type = forms_type_of(subject, function_at);
	char name[NAME_BYTES] = "?";

	if (type && strcmp(type->name ? type->name : "", "function") == 0)
		forms_text(subject, function_at, layout->f.function_name, name);
	if (layout->f.method_class.present) {
		forms_method2(subject, name);
		return;
	}
	snprintf(subject->form->open, PY_FORM_CHARS, "<bound method %s of ", name);
	subject->form->parts[0] = forms_word(subject, subject->at, layout->f.method_self);
	forms_parts(subject, 1, ">");
}

static void forms_builtin(const struct subject *subject)
{
	const struct py_layout *layout = subject->layout;
	addr_t def_at = forms_word(subject, subject->at, layout->f.cfunction_def);
	addr_t self_at = forms_word(subject, subject->at, layout->f.cfunction_self);
	addr_t name_at = forms_word(subject, def_at, layout->f.method_def_name);
	const struct py_type *type = forms_type_of(subject, self_at);
	char name[NAME_BYTES], type_name[NAME_BYTES];

	if (!name_at || !py_c_string_read(subject->window, name_at, name, sizeof(name)))
		snprintf(name, sizeof(name), "?");
	if (!type || py_forms_derives(layout, subject->window, type->at, "module"))
		py_repr_putf(subject->repr, "<built-in function %s>", name);
	else
		py_repr_putf(subject->repr, "<built-in method %s of %s object at 0x%" PRIx64 ">",
			     name, forms_type_c_name(subject, type->at, type_name), self_at);
}

static void forms_code(const struct subject *subject)
{
	const struct py_layout *layout = subject->layout;
	char name[NAME_BYTES], file[NAME_BYTES];

	py_code_name(layout, subject->window, subject->at, name, sizeof(name));
	py_code_file(layout, subject->window, subject->at, file, sizeof(file));
	py_repr_putf(subject->repr,
		     "<code object %s at 0x%" PRIx64 ", file \"%s\", line %" PRId64 ">", name,
		     subject->at, file, py_code_first_line(layout, subject->window, subject->at));
}

// From 3.7 on, where there is a struct of the runtime, a frame tells its place.
static void forms_frame(const struct subject *subject)
{
	const struct py_layout *layout = subject->layout;
	char name[NAME_BYTES];
	addr_t code_at;
	int64_t line;

	if (!layout->f.runtime_interpreters.present ||
	    !py_code_of_frame_object(layout, subject->window, subject->at, &code_at, &line)) {
		forms_default(subject);
		return;
	}
	py_repr_putf(subject->repr, "<frame at 0x%" PRIx64 ", file ", subject->at);
	py_repr_string(subject->repr, forms_word(subject, code_at, layout->f.code_filename));
	py_code_name(layout, subject->window, code_at, name, sizeof(name));
	py_repr_putf(subject->repr, ", line %" PRId64 ", code %s>", line, name);
}

static void forms_generator(const struct subject *subject)
{
	const struct py_layout *layout = subject->layout;
	char name[NAME_BYTES];

	if (layout->f.generator_name.present)
		forms_text(subject, subject->at, layout->f.generator_name, name);
	else
		py_code_name(layout, subject->window,
			     forms_word(subject, subject->at, layout->f.generator_code), name,
			     sizeof(name));
	py_repr_putf(subject->repr, "<%s object %s at 0x%" PRIx64 ">", subject->type->name, name,
		     subject->at);
}

// __name__ of what has one: functions, classes, modules. "" for others.
static void forms_name_of(const struct subject *subject, const struct py_type *type, addr_t at,
			  char *into)
{
	const struct py_layout *layout = subject->layout;
	const char *name = type->name ? type->name : "";

	into[0] = '\0';
	if (strcmp(name, "function") == 0) {
		forms_text(subject, at, layout->f.function_bare_name, into);
	} else if (strcmp(name, "module") == 0 && layout->f.module_name.present) {
		forms_text(subject, at, layout->f.module_name, into);
	} else if (type->shape == PY_SHAPE_TYPE) {
		const struct py_type *class = py_types_look_up(subject->types, subject->window, at);
		if (class)
			snprintf(into, NAME_BYTES, "%s", py_forms_bare_name(class));
	}
}

static void forms_weakref(const struct subject *subject)
{
	addr_t to = forms_word(subject, subject->at, subject->layout->f.weakref_object);
	const struct py_type *type = forms_type_of(subject, to);
	char type_name[NAME_BYTES], name[NAME_BYTES];

	if (!type || strcmp(type->name ? type->name : "", "NoneType") == 0) {
		py_repr_putf(subject->repr, "<weakref at 0x%" PRIx64 "; dead>", subject->at);
		return;
	}
	forms_name_of(subject, type, to, name);
	py_repr_putf(subject->repr, "<weakref at 0x%" PRIx64 "; to '%s' at 0x%" PRIx64 "%s%s%s>",
		     subject->at, forms_type_c_name(subject, type->at, type_name), to,
		     name[0] ? " (" : "", name, name[0] ? ")" : "");
}

static void forms_cell(const struct subject *subject)
{
	addr_t to = forms_word(subject, subject->at, subject->layout->f.cell_value);
	const struct py_type *type = forms_type_of(subject, to);
	char name[NAME_BYTES];

	if (!type)
		py_repr_putf(subject->repr, "<cell at 0x%" PRIx64 ": empty>", subject->at);
	else
		py_repr_putf(subject->repr, "<cell at 0x%" PRIx64 ": %s object at 0x%" PRIx64 ">",
			     subject->at, forms_type_c_name(subject, type->at, name), to);
}

static void forms_slice(const struct subject *subject)
{
	const struct py_layout *layout = subject->layout;
	struct py_form *form = subject->form;

	snprintf(form->open, sizeof(form->open), "slice(");
	form->parts[0] = forms_word(subject, subject->at, layout->f.slice_start);
	form->parts[1] = forms_word(subject, subject->at, layout->f.slice_stop);
	form->parts[2] = forms_word(subject, subject->at, layout->f.slice_step);
	forms_parts(subject, 3, ")");
}

static void forms_range(const struct subject *subject)
{
	const struct py_layout *layout = subject->layout;
	struct py_form *form = subject->form;

	snprintf(form->open, sizeof(form->open), "range(");
	form->parts[0] = forms_word(subject, subject->at, layout->f.range_start);
	form->parts[1] = forms_word(subject, subject->at, layout->f.range_stop);
	form->parts[2] = forms_word(subject, subject->at, layout->f.range_step);
	forms_parts(subject, py_numbers_is(layout, subject->window, form->parts[2], 1) ? 2 : 3,
		    ")");
}

// range_repr() of Python 2.
static void forms_xrange(const struct subject *subject)
{
	const struct py_layout *layout = subject->layout;
	int64_t start = (int64_t)forms_word(subject, subject->at, layout->f.range_start);
	int64_t step = (int64_t)forms_word(subject, subject->at, layout->f.range_step);
	uint64_t length = forms_word(subject, subject->at, layout->f.range_len);

	if (subject->form->shapes) {
		forms_default(subject);
		return;
	}
	int64_t stop = (int64_t)((uint64_t)start + length * (uint64_t)step);

	if (start == 0 && step == 1)
		py_repr_putf(subject->repr, "xrange(%" PRId64 ")", stop);
	else if (step == 1)
		py_repr_putf(subject->repr, "xrange(%" PRId64 ", %" PRId64 ")", start, stop);
	else
		py_repr_putf(subject->repr, "xrange(%" PRId64 ", %" PRId64 ", %" PRId64 ")", start,
			     stop, step);
}

// BaseException_repr(): from 3.7 on, where there is a struct of the runtime, a single argument stands
// without the comma of a tuple.
static void forms_exception(const struct subject *subject)
{
	const struct py_layout *layout = subject->layout;
	struct py_form *form = subject->form;
	const char *name = py_forms_bare_name(subject->type);
	addr_t args_at = forms_word(subject, subject->at, layout->f.exception_args);

	if (!args_at || !layout->f.tuple_items.present) {
		forms_default(subject);
		return;
	}
	if (layout->f.runtime_interpreters.present &&
	    forms_word(subject, args_at, layout->f.var_size) == 1) {
		snprintf(form->open, sizeof(form->open), "%.300s(", name);
		form->parts[0] = forms_word(subject, args_at, layout->f.tuple_items);
		forms_parts(subject, 1, ")");
		return;
	}
	snprintf(form->open, sizeof(form->open), "%.300s", name);
	form->parts[0] = args_at;
	forms_parts(subject, 1, "");
}

static void forms_descriptor(const struct subject *subject, const char *what)
{
	const struct py_layout *layout = subject->layout;
	char name[NAME_BYTES], type[NAME_BYTES];

	forms_text(subject, subject->at, layout->f.descr_name, name);
	forms_type_c_name(subject, forms_word(subject, subject->at, layout->f.descr_type), type);
	py_repr_putf(subject->repr, "<%s '%s' of '%s' objects>", what, name, type);
}

static void forms_method_descriptor(const struct subject *subject)
{
	forms_descriptor(subject, "method");
}

static void forms_slot_wrapper(const struct subject *subject)
{
	forms_descriptor(subject, "slot wrapper");
}

static void forms_attribute(const struct subject *subject)
{
	forms_descriptor(subject, "attribute");
}

static void forms_member(const struct subject *subject)
{
	forms_descriptor(subject, "member");
}

// By the name in C of a type that no class statement made. Without `needs` in the layout (an offset of
// a struct py_field there) the default form is written.
static const struct {
	const char *name;
	size_t needs;
	void (*write)(const struct subject *subject);
} forms[] = {
#define NEEDS(field) offsetof(struct py_layout, f.field)
	{"NoneType", NEEDS(object_type), forms_none},
	{"ellipsis", NEEDS(object_type), forms_ellipsis},
	{"NotImplementedType", NEEDS(object_type), forms_not_implemented},
	{"classobj", NEEDS(class_name), forms_class2},
	{"function", NEEDS(function_name), forms_function},
	{"module", NEEDS(module_dict), forms_module},
	{"method", NEEDS(method_self), forms_method},
	{"instancemethod", NEEDS(method_self), forms_method},
	{"builtin_function_or_method", NEEDS(cfunction_def), forms_builtin},
	{"code", NEEDS(code_name), forms_code},
	{"frame", NEEDS(code_name), forms_frame},
	{"generator", NEEDS(code_name), forms_generator},
	{"coroutine", NEEDS(code_name), forms_generator},
	{"async_generator", NEEDS(code_name), forms_generator},
	{"weakref", NEEDS(weakref_object), forms_weakref},
	{"weakref.ReferenceType", NEEDS(weakref_object), forms_weakref},
	{"cell", NEEDS(cell_value), forms_cell},
	{"slice", NEEDS(slice_start), forms_slice},
	{"range", NEEDS(range_stop), forms_range},
	{"xrange", NEEDS(range_len), forms_xrange},
	{"method_descriptor", NEEDS(descr_name), forms_method_descriptor},
	{"classmethod_descriptor", NEEDS(descr_name), forms_method_descriptor},
	{"wrapper_descriptor", NEEDS(descr_name), forms_slot_wrapper},
	{"getset_descriptor", NEEDS(descr_name), forms_attribute},
	{"member_descriptor", NEEDS(descr_name), forms_member},
#undef NEEDS
};

static void forms_write_named(const struct subject *subject)
{
	char name[NAME_BYTES];

	forms_static_name(subject, name, sizeof(name));
	for (size_t i = 0; i < ARRAY_COUNT(forms); i++) {
		const struct py_field *needs =
			(const struct py_field *)((const char *)subject->layout + forms[i].needs);
		if (needs->present && strcmp(forms[i].name, name) == 0) {
			forms[i].write(subject);
			return;
		}
	}
	forms_default(subject);
}

void py_forms_write(struct py_repr *repr, struct py_types *types, const struct py_type *type,
		    addr_t at, struct py_form *ret)
{
	const struct subject subject = {
		.repr = repr,
		.types = types,
		.type = type,
		.layout = repr->layout,
		.window = repr->window,
		.at = at,
		.form = ret,
	};

	if (type->shape == PY_SHAPE_TYPE)
		forms_class(&subject);
	else if (type->shape == PY_SHAPE_INSTANCE2)
		forms_instance2(&subject);
	else if (type->flags & TYPE_EXCEPTION)
		forms_exception(&subject);
	else if (!py_numbers_write(repr, type, at))
		forms_write_named(&subject);
}
