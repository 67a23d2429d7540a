// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/console/words.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

static const char words_blanks[] = " \t\r\n";

static bool words_is_blank(char c)
{
	return c && strchr(words_blanks, c);
}

// Copies one word from *@line to *@out without its quotes and moves both on.
static struct error *words_take(const char **line, char **out)
{
	const char *in = *line;
	char *to = *out;
	char quote = '\0';

	for (; *in && (quote || !words_is_blank(*in)); in++) {
		if (quote && *in == quote) {
			quote = '\0';
		} else if (!quote && (*in == '\'' || *in == '"')) {
			quote = *in;
		} else if (*in == '\\' && quote != '\'' && in[1] &&
			   (!quote || in[1] == '"' || in[1] == '\\')) {
			*to++ = *++in;
		} else {
			*to++ = *in;
		}
	}
	if (quote)
		return error_create(ERROR_USAGE, "the line ends before the closing %c", quote);
	*to++ = '\0';
	*line = in;
	*out = to;
	return NULL;
}

struct error *words_split(const char *line, struct words *ret)
{
	// Every word but the last is followed by a blank, which is where its NUL goes.
	char *out = malloc(strlen(line) + 2);
	struct error *error = NULL;

	*ret = (struct words){.chars = out};
	if (!out)
		return error_no_memory();
	while (!error) {
		error = array_reserve(&ret->list, &ret->capacity, ret->count + 1,
				      sizeof(*ret->list));
		if (error)
			break;
		ret->list[ret->count] = NULL;
		line += strspn(line, words_blanks);
		if (!*line || *line == '#')
			return NULL;
		ret->list[ret->count++] = out;
		error = words_take(&line, &out);
	}
	words_deinit(ret);
	return error;
}

void words_deinit(struct words *words)
{
	free(words->list);
	free(words->chars);
	*words = (struct words){0};
}
