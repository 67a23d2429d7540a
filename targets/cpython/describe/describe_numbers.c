// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/describe/describe_numbers.h"

#include <inttypes.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "targets/cpython/describe/describe_forms.h"

/** Include/object.h of Python 2: Py_TPFLAGS_INT_SUBCLASS. Something else in Python 3. */
static const uint64_t TYPE_INT2 = 1 << 23;

static bool numbers_is_bool(const struct py_type *type)
{
	// No class can derive from it.
	return type->name && strcmp(type->name, "bool") == 0;
}

bool py_numbers_is(const struct py_layout *layout, struct mem_window *window, addr_t at,
		   uint32_t wanted)
{
	uint64_t word = 0;
	uint32_t digit = 0;
	bool tagged = layout->f.long_tag.present;
	addr_t head_at = at + (tagged ? layout->f.long_tag.offset : layout->f.var_size.offset);

	if (!mem_window_read(window, head_at, &word, sizeof(word)))
		return false;
	if (tagged)
		word >>= 3;
	if (word == 0)
		return wanted == 0;
	return word == 1 &&
	       mem_window_read(window, at + layout->f.long_digits.offset, &digit,
			       layout->size.digit == 2 ? 2 : 4) &&
	       digit == wanted;
}

static void numbers_write_long(struct py_repr *repr, const struct py_type *type, addr_t at)
{
	if (!repr->layout->is_python2 && numbers_is_bool(type))
		py_repr_puts(repr,
			     py_numbers_is(repr->layout, repr->window, at, 0) ? "False" : "True");
	else
		py_repr_long(repr, at);
}

static void numbers_write_int2(struct py_repr *repr, const struct py_type *type, addr_t at)
{
	int64_t value;

	if (!mem_window_read(repr->window, at + repr->layout->f.int_value.offset, &value,
			     sizeof(value)))
		py_repr_unreadable(repr);
	else if (numbers_is_bool(type))
		py_repr_puts(repr, value ? "True" : "False");
	else
		py_repr_putf(repr, "%" PRId64, value);
}

static bool numbers_double(struct py_repr *repr, addr_t at, struct py_field field, double *ret)
{
	return field.present && field.size == sizeof(*ret) &&
	       mem_window_read(repr->window, at + field.offset, ret, sizeof(*ret));
}

static bool numbers_write_float(struct py_repr *repr, addr_t at)
{
	double value;

	if (!numbers_double(repr, at, repr->layout->f.float_value, &value))
		return false;
	py_repr_float(repr, value);
	return true;
}

static bool numbers_write_complex(struct py_repr *repr, addr_t at)
{
	double real, imag;

	if (!numbers_double(repr, at, repr->layout->f.complex_real, &real) ||
	    !numbers_double(repr, at, repr->layout->f.complex_imag, &imag))
		return false;
	py_repr_complex(repr, real, imag);
	return true;
}

bool py_numbers_write(struct py_repr *repr, const struct py_type *type, addr_t at)
{
	const struct py_layout *layout = repr->layout;

	if (type->shape == PY_SHAPE_LONG) {
		numbers_write_long(repr, type, at);
		return true;
	}
	if (layout->is_python2 && type->flags & TYPE_INT2) {
		numbers_write_int2(repr, type, at);
		return true;
	}
	if (py_forms_derives(layout, repr->window, type->at, "float"))
		return numbers_write_float(repr, at);
	if (py_forms_derives(layout, repr->window, type->at, "complex"))
		return numbers_write_complex(repr, at);
	return false;
}

bool py_numbers_count_digits(struct py_repr *repr, const struct py_type *type, addr_t at,
			     size_t *ret)
{
	_cleanup_text_ struct text text = {0};
	struct py_repr scratch = {
		.layout = repr->layout,
		.window = repr->window,
		.into = &text,
		.chars_max = PY_REPR_DIGITS_MAX * 16,
	};
	bool is_int = type->shape == PY_SHAPE_LONG ||
		      (repr->layout->is_python2 && type->flags & TYPE_INT2);

	*ret = 0;
	if (!py_numbers_write(&scratch, type, at))
		return false;
	// What is too large is told as "<int of N bits>".
	bool counts = is_int && !numbers_is_bool(type) && text_chars(&text)[0] != '<';
	for (const char *c = text_chars(&text); counts && *c; c++)
		*ret += *c >= '0' && *c <= '9';
	if (scratch.error && !repr->error) {
		repr->error = scratch.error;
		repr->full = true;
	}
	return true;
}
