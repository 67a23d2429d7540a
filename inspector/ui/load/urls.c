// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/load/urls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

static struct error *urls_add(struct urls *urls, const char *path, const char *line)
{
	struct error *error =
		array_reserve(&urls->list, &urls->capacity, urls->count + 1, sizeof(*urls->list));

	if (error)
		return error;
	if (urls->count == URLS_MAX)
		return error_create(ERROR_FAILED, "'%s' has more than %d URLs", path, URLS_MAX);
	urls->list[urls->count] = strdup(line);
	if (!urls->list[urls->count])
		return error_no_memory();
	urls->count++;
	return NULL;
}

struct error *urls_read(const char *path, struct urls *ret)
{
	_cleanup_file_ FILE *in = fopen(path, "re");
	char line[URL_BYTES_MAX + 2];
	struct error *error = NULL;

	*ret = (struct urls){0};
	if (!in)
		return error_create_os(errno, "cannot read '%s'", path);
	while (!error && fgets(line, sizeof(line), in)) {
		size_t length = strlen(line);
		if (length == sizeof(line) - 1 && line[length - 1] != '\n')
			return error_create(ERROR_FAILED,
					    "'%s' has a line of more than %d bytes: no URL", path,
					    URL_BYTES_MAX);
		while (length && strchr(" \t\r\n", line[length - 1]))
			line[--length] = '\0';
		const char *begin = line + strspn(line, " \t");
		if (*begin && *begin != '#')
			error = urls_add(ret, path, begin);
	}
	if (!error && ferror(in))
		error = error_create_os(errno, "cannot read '%s'", path);
	if (!error && !ret->count)
		error = error_create(ERROR_FAILED, "'%s' has no URL in it", path);
	return error;
}

void urls_deinit(struct urls *urls)
{
	for (size_t i = 0; i < urls->count; i++)
		free(urls->list[i]);
	free(urls->list);
	*urls = (struct urls){0};
}

const char *url_page_id(const char *url)
{
	const char *host = strstr(url, "://");

	if (!host)
		return url;
	const char *path = strchr(host + 3, '/');
	return path ? path : "/";
}
