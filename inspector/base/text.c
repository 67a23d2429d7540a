// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

void text_deinit(struct text *text)
{
	free(text->chars);
	*text = (struct text){0};
}

struct error *text_append(struct text *text, const char *chars, size_t length)
{
	struct error *error =
		array_reserve(&text->chars, &text->capacity, text->length + length + 1, 1);

	if (error)
		return error;
	memcpy(text->chars + text->length, chars, length);
	text->length += length;
	text->chars[text->length] = '\0';
	return NULL;
}

struct error *text_appendf(struct text *text, const char *format, ...)
{
	va_list args;
	char *chars = NULL;

	va_start(args, format);
	int length = vasprintf(&chars, format, args);
	va_end(args);
	if (length < 0)
		return error_no_memory();
	struct error *error = text_append(text, chars, (size_t)length);
	free(chars);
	return error;
}

const char *text_chars(const struct text *text)
{
	return text->chars ? text->chars : "";
}

const char *human_bytes(int64_t bytes, char *into)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	const char *sign = bytes < 0 ? "-" : "";
	uint64_t magnitude = bytes < 0 ? -(uint64_t)bytes : (uint64_t)bytes;
	double value = (double)magnitude;
	size_t unit = 0;

	// 1023.95 KiB would print as "1024.0 KiB": go on to the next unit before that.
	while (value >= 1023.95 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1024;
		unit++;
	}
	if (unit == 0)
		snprintf(into, HUMAN_CHARS, "%s%" PRIu64 " B", sign, magnitude);
	else
		snprintf(into, HUMAN_CHARS, "%s%.1f %s", sign, value, units[unit]);
	return into;
}

const char *human_count(int64_t count, char *into)
{
	char digits[HUMAN_CHARS];
	uint64_t magnitude = count < 0 ? -(uint64_t)count : (uint64_t)count;
	int length = snprintf(digits, sizeof(digits), "%" PRIu64, magnitude);
	char *out = into;

	if (count < 0)
		*out++ = '-';
	for (int i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			*out++ = ',';
		*out++ = digits[i];
	}
	*out = '\0';
	return into;
}

const char *human_duration_ns(uint64_t ns, char *into)
{
	if (ns < 1000000)
		snprintf(into, HUMAN_CHARS, "%" PRIu64 " us", ns / 1000);
	// 999.95 ms would print as "1000.0 ms".
	else if (ns < 999950000)
		snprintf(into, HUMAN_CHARS, "%.1f ms", (double)ns / 1e6);
	else
		snprintf(into, HUMAN_CHARS, "%.1f s", (double)ns / 1e9);
	return into;
}
