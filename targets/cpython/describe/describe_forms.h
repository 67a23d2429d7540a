/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_DESCRIBE_DESCRIBE_FORMS_H
#define TARGETS_CPYTHON_DESCRIBE_DESCRIBE_FORMS_H

/*
 * The notation of each builtin type that is no container: numbers, classes, functions, and what stands
 * in <angle brackets>. An object that shows others in its text (a slice, an exception, a bound method)
 * gives them as parts, for the describer to write.
 */

#include "targets/cpython/describe/repr.h"
#include "targets/cpython/objects/types.h"

enum { PY_FORM_CHARS = 320, PY_FORM_PARTS = 3 };

struct py_form {
	/** In: only what is no value is to be written. */
	bool shapes;
	/** The text is still to come: `open`, the parts separated by ", ", `close`. */
	bool has_parts;
	char open[PY_FORM_CHARS];
	const char *close;
	addr_t parts[PY_FORM_PARTS];
	size_t count;
};

/** Writes the object at @a at of @a type, or fills *@a ret (zeroed by the caller). */
void py_forms_write(struct py_repr *repr, struct py_types *types, const struct py_type *type,
		    addr_t at, struct py_form *ret);

/** `<module.Type object at 0x...>` */
void py_forms_default(struct py_repr *repr, const struct py_type *type, addr_t at);

/** The type's name without module and enclosing classes; lives as long as @a type. */
const char *py_forms_bare_name(const struct py_type *type);

/** Whether the type at @a type_at or one of its bases has the name @a c_name in C. */
bool py_forms_derives(const struct py_layout *layout, struct mem_window *window, addr_t type_at,
		      const char *c_name);

#endif
