// SPDX-License-Identifier: GPL-3.0-or-later
#include "heap/text_line.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool is_end(char c)
{
	return c == '\0' || c == '\n';
}

// Copies a word in quotes to *into, both moved behind it; false when the line ends first.
static bool split_quoted(const char **from, char **into)
{
	const char *in = *from + 1;
	char *out = *into;

	for (; *in != '"'; in++) {
		if (*in == '\\')
			in++;
		if (is_end(*in))
			return false;
		*out++ = in[-1] == '\\' && *in == 'n' ? '\n' : *in;
	}
	*out++ = '\0';
	*from = in + 1;
	*into = out;
	return true;
}

struct error *text_line_split(struct text_line *line, const char *start)
{
	size_t length = strcspn(start, "\n");
	// A word of one character takes two with its end, and a blank or the line's end follows it.
	struct error *error = array_reserve(&line->chars, &line->chars_capacity, length + 2, 1);
	char *out = line->chars;

	line->count = 0;
	line->taken = 0;
	for (const char *in = start; !error;) {
		while (is_blank(*in))
			in++;
		if (is_end(*in) || *in == '#')
			break;
		error = array_reserve(&line->words, &line->capacity, line->count + 1,
				      sizeof(*line->words));
		if (error)
			break;
		line->words[line->count++] = (struct text_word){.chars = out, .quoted = *in == '"'};
		if (*in == '"') {
			if (!split_quoted(&in, &out))
				return error_create(ERROR_FAILED, "quotes without an end");
			if (!is_blank(*in) && !is_end(*in))
				return error_create(ERROR_FAILED, "no blank behind quotes");
			continue;
		}
		while (!is_blank(*in) && !is_end(*in) && *in != '#')
			*out++ = *in++;
		*out++ = '\0';
	}
	return error;
}

void text_line_deinit(struct text_line *line)
{
	free(line->words);
	free(line->chars);
	*line = (struct text_line){0};
}

struct text_word *text_line_take(struct text_line *line)
{
	return line->taken < line->count ? &line->words[line->taken++] : NULL;
}

bool text_number(const char *chars, uint64_t *ret)
{
	bool is_hex = strncmp(chars, "0x", 2) == 0;
	const char *digits = is_hex ? chars + 2 : chars;
	char *end;

	if (*digits == '\0' ||
	    strspn(digits, is_hex ? "0123456789abcdefABCDEF" : "0123456789") != strlen(digits))
		return false;
	errno = 0;
	*ret = strtoull(digits, &end, is_hex ? 16 : 10);
	return errno == 0;
}

struct error *text_assignment(const struct text_word *word, const char *key, bool *ret_is,
			      uint64_t *ret)
{
	size_t length = strlen(key);

	*ret_is = !word->quoted && strncmp(word->chars, key, length) == 0 &&
		  word->chars[length] == '=';
	if (!*ret_is || text_number(word->chars + length + 1, ret))
		return NULL;
	return error_create(ERROR_FAILED, "%s is no number", word->chars);
}
