/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_LOAD_URLS_H
#define UI_LOAD_URLS_H

/*
 * A list of URLs in a file, one a line; empty lines and those that begin with # are none.
 */

#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"

enum { URLS_MAX = 10000, URL_BYTES_MAX = 4000 };

/** Zero-initialised is empty and valid. */
struct urls {
	char **list;
	size_t count;
	size_t capacity;
};

/** ERROR_FAILED when the file cannot be read, has no URL in it, or more or longer ones than allowed. */
MUST_USE struct error *urls_read(const char *path, struct urls *ret);
void urls_deinit(struct urls *urls);

/** What a URL is called in logs: its path, "/" when it has none; all of it when it is none of "scheme://".
 *  Points into @a url, or is a constant. */
const char *url_page_id(const char *url);

#endif
