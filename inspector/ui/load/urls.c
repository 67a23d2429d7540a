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

// One line as it is in the file, read up to @a bytes of them.
static struct error *urls_take(struct urls *urls, const char *path, char *line, size_t bytes)
{
	if (memchr(line, '\0', bytes))
		return error_create(ERROR_FAILED, "'%s' is no text: there are zeros in it", path);
	if (bytes > URL_BYTES_MAX && line[bytes - 1] != '\n')
		return error_create(ERROR_FAILED, "'%s' has a line of more than %d bytes: no URL",
				    path, URL_BYTES_MAX);
	while (bytes && strchr(" \t\r\n", line[bytes - 1]))
		bytes--;
	line[bytes] = '\0';
	const char *begin = line + strspn(line, " \t");
	return *begin && *begin != '#' ? urls_add(urls, path, begin) : NULL;
}

// As fgets(), but it tells how much there was: a zero within a line would hide that.
static size_t line_read(FILE *in, char *line, size_t bytes_max)
{
	size_t bytes = 0;
	int c = 0;

	while (bytes < bytes_max && c != '\n' && (c = getc(in)) != EOF)
		line[bytes++] = (char)c;
	return bytes;
}

struct error *urls_read(const char *path, struct urls *ret)
{
	_cleanup_file_ FILE *in = fopen(path, "re");
	char line[URL_BYTES_MAX + 2];
	struct error *error = NULL;
	size_t bytes;

	*ret = (struct urls){0};
	if (!in)
		return error_create_os(errno, "cannot read '%s'", path);
	while (!error && (bytes = line_read(in, line, URL_BYTES_MAX + 1)))
		error = urls_take(ret, path, line, bytes);
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
	static const char of_schemes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					 "0123456789+-.";
	const char *host = url + strspn(url, of_schemes);

	if (host == url || strncmp(host, "://", 3) != 0)
		return url;
	// A slash behind ? or # is none of its path.
	const char *path = host + 3 + strcspn(host + 3, "/?#");
	return *path == '/' ? path : "/";
}
