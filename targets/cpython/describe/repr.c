// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/describe/repr.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "targets/cpython/objects/string.h"

enum { PUTF_BYTES = 1024, NUMBER_CHARS = 40 };

static const char ELLIPSIS[] = "...";

static void repr_append(struct py_repr *repr, const char *chars, size_t length)
{
	repr->error = text_append(repr->into, chars, length);
	if (repr->error)
		repr->full = true;
}

static bool repr_is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

// Takes back characters until the ellipsis fits.
static void repr_cut(struct py_repr *repr)
{
	size_t dots = repr->chars_max < strlen(ELLIPSIS) ? repr->chars_max : strlen(ELLIPSIS);
	struct text *into = repr->into;

	for (; repr->chars > repr->chars_max - dots; repr->chars--)
		while (into->length > 0 && repr_is_continuation(into->chars[--into->length]))
			;
	repr_append(repr, ELLIPSIS, dots);
	repr->full = true;
}

void py_repr_put(struct py_repr *repr, const char *chars, size_t length)
{
	size_t fits = 0;

	if (repr->full)
		return;
	while (fits < length) {
		if (!repr_is_continuation(chars[fits])) {
			if (repr->chars == repr->chars_max)
				break;
			repr->chars++;
		}
		fits++;
	}
	repr_append(repr, chars, fits);
	if (fits < length && !repr->full)
		repr_cut(repr);
}

void py_repr_puts(struct py_repr *repr, const char *text)
{
	py_repr_put(repr, text, strlen(text));
}

void py_repr_putf(struct py_repr *repr, const char *format, ...)
{
	char chars[PUTF_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(chars, sizeof(chars), format, args);
	va_end(args);
	py_repr_puts(repr, chars);
}

void py_repr_unreadable(struct py_repr *repr)
{
	py_repr_puts(repr, "<unreadable>");
}

// What str.isprintable() refuses: controls, formats, separators, surrogates, private use
// (Objects/unicodetype_db.h). Code points that Unicode has not assigned are not known here.
static bool repr_is_printable(uint32_t c)
{
	static const uint32_t refused[][2] = {
		{0x7f, 0xa0},          {0xad, 0xad},       {0x600, 0x605},     {0x61c, 0x61c},
		{0x6dd, 0x6dd},        {0x70f, 0x70f},     {0x890, 0x891},     {0x8e2, 0x8e2},
		{0x1680, 0x1680},      {0x180e, 0x180e},   {0x2000, 0x200f},   {0x2028, 0x202f},
		{0x205f, 0x206f},      {0x3000, 0x3000},   {0xd800, 0xf8ff},   {0xfeff, 0xfeff},
		{0xfff0, 0xfffb},      {0xfffe, 0xffff},   {0x110bd, 0x110bd}, {0x110cd, 0x110cd},
		{0x13430, 0x1343f},    {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe00ff},
		{0xe01f0, 0xffffffff},
	};

	for (size_t i = 0; i < ARRAY_COUNT(refused); i++)
		if (c >= refused[i][0] && c <= refused[i][1])
			return false;
	return c >= ' ';
}

static void repr_character(struct py_repr *repr, uint32_t c, const char *escaped, bool ascii_only)
{
	char encoded[4];

	if (c == (unsigned char)escaped[0] || c == (unsigned char)escaped[1] || c == '\\')
		py_repr_putf(repr, "\\%c", (int)c);
	else if (c == '\n')
		py_repr_puts(repr, "\\n");
	else if (c == '\r')
		py_repr_puts(repr, "\\r");
	else if (c == '\t')
		py_repr_puts(repr, "\\t");
	else if (repr_is_printable(c) && (c < 0x7f || !ascii_only))
		py_repr_put(repr, encoded, py_string_encode(c, encoded));
	else if (c <= 0xff)
		py_repr_putf(repr, "\\x%02" PRIx32, c);
	else if (c <= 0xffff)
		py_repr_putf(repr, "\\u%04" PRIx32, c);
	else
		py_repr_putf(repr, "\\U%08" PRIx32, c);
}

static bool repr_span_at(struct py_repr *repr, const struct py_string_span *span, uint64_t index,
			 uint32_t *ret)
{
	*ret = 0;
	return mem_window_read(repr->window, span->at + index * span->width, ret, span->width);
}

// Double quotes where there are single ones and no double ones in it.
static char repr_quote(struct py_repr *repr, const struct py_string_span *span)
{
	char quote = '\'';
	uint32_t c;

	for (uint64_t i = 0; i < span->length && i < PY_REPR_QUOTE_SEARCH_MAX; i++) {
		if (!repr_span_at(repr, span, i, &c) || c == '"')
			return '\'';
		if (c == '\'')
			quote = '"';
	}
	return quote;
}

static void repr_span(struct py_repr *repr, const char *prefix, const struct py_string_span *span,
		      bool ascii_only, bool escape_single)
{
	char quote = repr_quote(repr, span);
	const char escaped[] = {quote, escape_single ? '\'' : quote};
	uint32_t c;

	// Before anything is written of it: all of a string is there, or it is none.
	if (span->length > 0 &&
	    (!repr_span_at(repr, span, 0, &c) || span->length > UINT64_MAX / 2 / span->width ||
	     !repr_span_at(repr, span, span->length - 1, &c))) {
		py_repr_unreadable(repr);
		return;
	}
	py_repr_putf(repr, "%s%c", prefix, quote);
	for (uint64_t i = 0; i < span->length && !repr->full; i++) {
		if (!repr_span_at(repr, span, i, &c)) {
			py_repr_unreadable(repr);
			return;
		}
		// A "narrow" build of Python 2 keeps pairs of surrogates and shows one character.
		if (ascii_only && span->width == 2 && c >= 0xd800 && c <= 0xdbff) {
			uint32_t low;
			if (i + 1 < span->length && repr_span_at(repr, span, i + 1, &low) &&
			    low >= 0xdc00 && low <= 0xdfff) {
				c = 0x10000 + ((c & 0x3ff) << 10 | (low & 0x3ff));
				i++;
			}
		}
		repr_character(repr, c, escaped, ascii_only);
	}
	py_repr_putf(repr, "%c", quote);
}

void py_repr_string(struct py_repr *repr, addr_t at)
{
	const struct py_layout *layout = repr->layout;
	struct py_string_span span;

	if (!py_string_locate(layout, repr->window, at, &span)) {
		py_repr_unreadable(repr);
		return;
	}
	if (layout->is_python2)
		repr_span(repr, span.is_bytes ? "" : "u", &span, true, false);
	else
		repr_span(repr, span.is_bytes ? "b" : "", &span, span.is_bytes, false);
}

// bytearray_repr() escapes single quotes whichever quotes stand around.
void py_repr_bytearray(struct py_repr *repr, addr_t data_at, uint64_t length)
{
	struct py_string_span span = {data_at, length, 1, true};

	repr_span(repr, "b", &span, true, true);
}

// Base 10^9 from digits of 15 or 30 bits, the lowest first; how many parts.
static size_t repr_decimal(const uint32_t *digits, size_t count, unsigned digit_bits,
			   uint32_t *parts)
{
	size_t part_count = 0;

	for (size_t i = count; i-- > 0;) {
		uint64_t carry = digits[i];
		for (size_t j = 0; j < part_count; j++) {
			carry += (uint64_t)parts[j] << digit_bits;
			parts[j] = (uint32_t)(carry % 1000000000);
			carry /= 1000000000;
		}
		for (; carry; carry /= 1000000000)
			parts[part_count++] = (uint32_t)(carry % 1000000000);
	}
	return part_count;
}

// The sign and the number of digits, however the version keeps them.
static bool repr_long_head(struct py_repr *repr, addr_t at, uint64_t *ret_count, bool *ret_negative)
{
	const struct py_layout *layout = repr->layout;
	uint64_t word;

	if (layout->f.long_tag.present) {
		// Include/cpython/longintrepr.h: two bits of sign (0, zero, negative), one reserved.
		if (!mem_window_read(repr->window, at + layout->f.long_tag.offset, &word,
				     sizeof(word)))
			return false;
		*ret_count = word >> 3;
		*ret_negative = (word & 3) == 2;
		return true;
	}
	if (!mem_window_read(repr->window, at + layout->f.var_size.offset, &word, sizeof(word)))
		return false;
	*ret_negative = (int64_t)word < 0;
	*ret_count = *ret_negative ? -word : word;
	return true;
}

void py_repr_long(struct py_repr *repr, addr_t at)
{
	const struct py_layout *layout = repr->layout;
	uint32_t digits[PY_REPR_DIGITS_MAX] = {0}, parts[PY_REPR_DIGITS_MAX + 2];
	uint32_t digit_bytes = layout->size.digit == 2 ? 2 : 4;
	unsigned digit_bits = digit_bytes == 2 ? 15 : 30;
	addr_t digits_at = at + layout->f.long_digits.offset;
	uint64_t count;
	bool negative;

	if (!repr_long_head(repr, at, &count, &negative) || count > UINT64_MAX / 32) {
		py_repr_unreadable(repr);
		return;
	}
	if (count > PY_REPR_DIGITS_MAX) {
		uint32_t top = 0;
		if (!mem_window_read(repr->window, digits_at + (count - 1) * digit_bytes, &top,
				     digit_bytes))
			py_repr_unreadable(repr);
		else
			py_repr_putf(repr, "<int of %" PRIu64 " bits>",
				     (count - 1) * digit_bits +
					     (top ? 32 - (unsigned)__builtin_clz(top) : 0));
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (!mem_window_read(repr->window, digits_at + i * digit_bytes, &digits[i],
				     digit_bytes)) {
			py_repr_unreadable(repr);
			return;
		}
		digits[i] &= (1U << digit_bits) - 1;
	}
	size_t part = repr_decimal(digits, count, digit_bits, parts);
	py_repr_putf(repr, "%s%" PRIu32, negative ? "-" : "", part ? parts[part - 1] : 0);
	while (part > 1)
		py_repr_putf(repr, "%09" PRIu32, parts[--part - 1]);
	if (layout->is_python2)
		py_repr_puts(repr, "L");
}

// The shortest digits that give the same number; in the notation that float.__repr__ chooses: with an
// exponent below 1e-4 and from 1e16 on.
static void repr_shortest(double value, bool with_point, char *into)
{
	char shortest[NUMBER_CHARS];
	int precision = 0;

	if (isnan(value) || isinf(value)) {
		snprintf(into, NUMBER_CHARS, "%s",
			 isnan(value) ? "nan"
			 : value < 0  ? "-inf"
				      : "inf");
		return;
	}
	for (; precision < 17; precision++) {
		snprintf(shortest, sizeof(shortest), "%.*e", precision, value);
		if (strtod(shortest, NULL) == value)
			break;
	}
	int exponent = atoi(strchr(shortest, 'e') + 1);
	if (exponent >= -4 && exponent < 16) {
		int places = precision - exponent;
		snprintf(into, NUMBER_CHARS, "%.*f", places > 0 ? places : 0, value);
		if (places <= 0 && with_point)
			strcat(into, ".0");
	} else {
		snprintf(into, NUMBER_CHARS, "%s", shortest);
	}
}

void py_repr_float(struct py_repr *repr, double value)
{
	char chars[NUMBER_CHARS];

	repr_shortest(value, true, chars);
	py_repr_puts(repr, chars);
}

void py_repr_complex(struct py_repr *repr, double real, double imag)
{
	char chars[NUMBER_CHARS];

	// complex_repr(): only a real part of +0.0 is left out.
	repr_shortest(imag, false, chars);
	if (real == 0 && !signbit(real)) {
		py_repr_putf(repr, "%sj", chars);
		return;
	}
	char real_chars[NUMBER_CHARS];
	repr_shortest(real, false, real_chars);
	py_repr_putf(repr, "(%s%s%sj)", real_chars, chars[0] == '-' ? "" : "+", chars);
}
