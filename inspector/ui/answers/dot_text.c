// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/answers/dot_text.h"

#include "base/cleanup.h"
#include "ui/report/safe_text.h"

struct error *dot_text_escape(const char *chars, struct text *into)
{
	struct error *error = NULL;

	for (; *chars && !error; chars++) {
		switch (*chars) {
		case '"':
			error = text_append(into, "\\\"", 2);
			break;
		case '\\':
			error = text_append(into, "\\\\", 2);
			break;
		case '&':
			error = text_append(into, "&amp;", 5);
			break;
		case '\n':
			error = text_append(into, "\\n", 2);
			break;
		default:
			error = text_append(into, chars, 1);
			break;
		}
	}
	return error;
}

// The byte at which character number @number of @text begins.
static size_t dot_text_offset(const struct text *text, size_t number)
{
	size_t at = 0;

	for (; at < text->length; at++)
		if (text_begins_character(text->chars[at]) && number-- == 0)
			break;
	return at;
}

struct error *dot_text_cut(const char *chars, size_t chars_max, bool keep_end, struct text *into)
{
	static const char ellipsis[] = "…";
	_cleanup_text_ struct text safe = {0};
	struct error *error = safe_text_terminal(&safe, chars, NULL);
	size_t count = 0;

	if (error)
		return error;
	for (size_t i = 0; i < safe.length; i++)
		count += text_begins_character(safe.chars[i]);
	if (count <= chars_max)
		return text_append(into, text_chars(&safe), safe.length);
	if (keep_end) {
		size_t from = dot_text_offset(&safe, count - chars_max + 1);
		error = text_append(into, ellipsis, sizeof(ellipsis) - 1);
		return error ? error : text_append(into, safe.chars + from, safe.length - from);
	}
	error = text_append(into, safe.chars, dot_text_offset(&safe, chars_max - 1));
	return error ? error : text_append(into, ellipsis, sizeof(ellipsis) - 1);
}

void dot_text_wrap(struct text *text, size_t chars_wanted)
{
	char *blank = NULL;
	size_t in_line = 0;

	for (size_t i = 0; i < text->length; i++) {
		char *c = &text->chars[i];
		if (*c == '\n') {
			blank = NULL;
			in_line = 0;
			continue;
		}
		in_line += text_begins_character(*c);
		if (in_line > chars_wanted && blank && *c != ' ') {
			*blank = '\n';
			in_line = (size_t)(c - blank);
			blank = NULL;
		}
		if (*c == ' ')
			blank = c;
	}
}
