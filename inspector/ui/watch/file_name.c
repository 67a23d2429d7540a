// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/watch/file_name.h"

#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/text.h"

struct error *file_name_check(const char *option, const char *pattern)
{
	for (const char *at = strchr(pattern, '%'); at; at = strchr(at + 2, '%'))
		if (!at[1] || !strchr("pt%", at[1]))
			return error_create(
				ERROR_USAGE,
				"%s '%s': after %% comes p for the pid, t for the time, "
				"or another %%",
				option, pattern);
	return NULL;
}

bool file_name_tells_pid(const char *pattern)
{
	for (const char *at = strchr(pattern, '%'); at && at[1]; at = strchr(at + 2, '%'))
		if (at[1] == 'p')
			return true;
	return false;
}

static struct error *file_name_time(struct text *into, int64_t time_ms)
{
	time_t seconds = (time_t)(time_ms / 1000);
	struct tm parts = {0};
	char time[32];

	localtime_r(&seconds, &parts);
	strftime(time, sizeof(time), "%Y%m%d-%H%M%S", &parts);
	return text_appendf(into, "%s", time);
}

struct error *file_name_expand(const char *pattern, int pid, int64_t time_ms, char **ret)
{
	_cleanup_text_ struct text text = {0};
	struct error *error = NULL;

	while (*pattern && !error) {
		size_t plain = strcspn(pattern, "%");
		error = text_append(&text, pattern, plain);
		pattern += plain;
		if (error || !*pattern)
			break;
		if (pattern[1] == 'p')
			error = text_appendf(&text, "%d", pid);
		else if (pattern[1] == 't')
			error = file_name_time(&text, time_ms);
		else
			error = text_append(&text, "%", 1);
		pattern += pattern[1] ? 2 : 1;
	}
	if (error)
		return error;
	*ret = strdup(text_chars(&text));
	return *ret ? NULL : error_no_memory();
}
