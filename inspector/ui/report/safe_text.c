// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/report/safe_text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "base/cleanup.h"

#include "base/array.h"

// RFC 3629: shortest form, no surrogates, up to U+10FFFF. Returns the number of bytes, 0 if they are
// no UTF-8. The terminating NUL is no continuation byte, so nothing behind it is read.
static size_t safe_text_decode(const char *chars, uint32_t *ret)
{
	const unsigned char *bytes = (const unsigned char *)chars;
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t code = bytes[0];
	size_t length;

	if (code < 0x80) {
		*ret = code;
		return 1;
	}
	if (code >= 0xf0 && code < 0xf8)
		length = 4;
	else if (code >= 0xe0 && code < 0xf0)
		length = 3;
	else if (code >= 0xc0 && code < 0xe0)
		length = 2;
	else
		return 0;
	code &= 0x7fU >> length;
	for (size_t i = 1; i < length; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (bytes[i] & 0x3f);
	}
	if (code < smallest[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*ret = code;
	return length;
}

// Controls, and what reorders, hides or breaks lines (Unicode TR 36, "Trojan Source").
static bool safe_text_is_harmful(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} harmful[] = {
		{0x0, 0x1f},        {0x7f, 0x9f},        {0xad, 0xad},     {0x61c, 0x61c},
		{0x180e, 0x180e},   {0x200b, 0x200f},    {0x2028, 0x202e}, {0x2060, 0x206f},
		{0xfeff, 0xfeff},   {0xfff0, 0xfffb},    {0xfffe, 0xffff}, {0xe000, 0xf8ff},
		{0xe0000, 0xe0fff}, {0xf0000, 0x10ffff},
	};

	for (size_t i = 0; i < ARRAY_COUNT(harmful); i++)
		if (code >= harmful[i].first && code <= harmful[i].last)
			return true;
	return false;
}

static size_t safe_text_columns(uint32_t code)
{
	// -1 in a locale that does not know the character; one column is the best guess then.
	int columns = code < 0x80 ? 1 : wcwidth((wchar_t)code);

	return columns < 0 ? 1 : (size_t)columns;
}

struct error *safe_text_terminal(struct text *into, const char *chars, size_t *width)
{
	size_t columns = 0;

	while (*chars) {
		uint32_t code;
		size_t length = safe_text_decode(chars, &code);
		size_t before = into->length;
		struct error *error;

		if (length > 0 && !safe_text_is_harmful(code)) {
			error = text_append(into, chars, length);
			columns += safe_text_columns(code);
		} else {
			if (length <= 1)
				error = text_appendf(into, "\\x%02x", (unsigned char)*chars);
			else
				error = text_appendf(into, code > 0xffff ? "\\U%08x" : "\\u%04x",
						     code);
			columns += into->length - before;
		}
		if (error)
			return error;
		chars += length ? length : 1;
	}
	if (width)
		*width += columns;
	return NULL;
}

struct error *safe_text_vappendf(struct text *into, const char *format, va_list args)
{
	_cleanup_free_ char *chars = NULL;

	if (vasprintf(&chars, format, args) < 0) {
		chars = NULL;
		return error_no_memory();
	}
	return safe_text_terminal(into, chars, NULL);
}

struct error *safe_text_appendf(struct text *into, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	struct error *error = safe_text_vappendf(into, format, args);
	va_end(args);
	return error;
}

struct error *safe_text_utf8(struct text *into, const char *chars)
{
	while (*chars) {
		uint32_t code;
		size_t length = safe_text_decode(chars, &code);
		struct error *error;

		if (length > 0)
			error = text_append(into, chars, length);
		else
			error = text_appendf(into, "\\x%02x", (unsigned char)*chars);
		if (error)
			return error;
		chars += length ? length : 1;
	}
	return NULL;
}

bool safe_text_is_word(const char *chars)
{
	if (!*chars || strpbrk(chars, " '\"\\"))
		return false;
	while (*chars) {
		uint32_t code;
		size_t length = safe_text_decode(chars, &code);

		if (length == 0 || safe_text_is_harmful(code))
			return false;
		chars += length;
	}
	return true;
}
