// SPDX-License-Identifier: GPL-3.0-or-later
#include "debug/layout_path.h"

#include <string.h>

static struct error *path_refused(const char *path)
{
	return error_create(ERROR_USAGE, "\"%s\" is no member path such as \"a.b[2].c\"", path);
}

static bool index_parse(const char **cursor, uint32_t *ret)
{
	const char *at = *cursor;
	uint64_t value = 0;

	if (*at < '0' || *at > '9')
		return false;
	for (; *at >= '0' && *at <= '9'; at++) {
		value = value * 10 + (uint64_t)(*at - '0');
		if (value > UINT32_MAX)
			return false;
	}
	*ret = (uint32_t)value;
	*cursor = at;
	return true;
}

struct error *layout_path_next(const char *path, const char **cursor, bool *present,
			       struct layout_step *ret)
{
	const char *at = *cursor;

	*present = *at != '\0';
	if (!*at)
		return at == path ? path_refused(path) : NULL;
	*ret = (struct layout_step){0};
	if (*at == '[') {
		at++;
		if (!index_parse(&at, &ret->index) || *at != ']')
			return path_refused(path);
		*cursor = at + 1;
		return NULL;
	}
	if (at != path && *at++ != '.')
		return path_refused(path);
	ret->name = at;
	ret->length = strcspn(at, ".[]");
	if (ret->length == 0 || at[ret->length] == ']')
		return path_refused(path);
	*cursor = at + ret->length;
	return NULL;
}
