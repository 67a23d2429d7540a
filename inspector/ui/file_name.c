// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/file_name.h"

#include <string.h>
#include <time.h>

#include "base/cleanup.h"

static struct error *file_name_unknown(const char *pattern, const char *place,
				       const struct file_name_value *values, size_t count)
{
	_cleanup_text_ struct text known = {0};
	struct error *error = NULL;

	for (size_t i = 0; i < count && !error; i++)
		error = text_appendf(&known, "%%%c, ", values[i].letter);
	return error ? error
		     : error_create(ERROR_USAGE, "'%.2s' in '%s' is none of %sand %%%%", place,
				    pattern, text_chars(&known));
}

struct error *file_name_fill(const char *pattern, const struct file_name_value *values,
			     size_t count, struct text *into)
{
	const char *at = pattern;
	struct error *error = NULL;

	for (const char *place; !error && (place = strchr(at, '%')); at = place + 2) {
		const char *filling = place[1] == '%' ? "%" : NULL;
		for (size_t i = 0; i < count; i++)
			if (values[i].letter == place[1])
				filling = values[i].text;
		error = text_append(into, at, (size_t)(place - at));
		if (!error && !filling)
			error = file_name_unknown(pattern, place, values, count);
		if (!error)
			error = text_appendf(into, "%s", filling);
	}
	return error ? error : text_appendf(into, "%s", at);
}

bool file_name_has(const char *pattern, char letter)
{
	for (const char *at = strchr(pattern, '%'); at && at[1]; at = strchr(at + 2, '%'))
		if (at[1] == letter)
			return true;
	return false;
}

const char *file_name_time(int64_t time_ms, char into[FILE_NAME_TIME_CHARS])
{
	time_t seconds = (time_t)(time_ms / 1000);
	struct tm parts = {0};

	localtime_r(&seconds, &parts);
	strftime(into, FILE_NAME_TIME_CHARS, "%Y%m%d-%H%M%S", &parts);
	return into;
}
