/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

/*
 * Scope cleanup: what a variable owns is given back when it goes out of scope, on every way out.
 * take_ptr() hands ownership on: `*ret = take_ptr(thing);`.
 */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"

#define CLEANUP(function) __attribute__((cleanup(function)))

#define take_ptr(pointer)                               \
	({                                              \
		__typeof__(pointer) taken_ = (pointer); \
		(pointer) = NULL;                       \
		taken_;                                 \
	})

static inline void cleanup_free(void *slot)
{
	free(*(void **)slot);
}
#define _cleanup_free_ CLEANUP(cleanup_free)

/** A file descriptor, -1 when there is none. */
static inline void cleanup_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define _cleanup_fd_ CLEANUP(cleanup_fd)

static inline void cleanup_file(FILE **file)
{
	if (*file)
		fclose(*file);
}
#define _cleanup_file_ CLEANUP(cleanup_file)

static inline void cleanup_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}
#define _cleanup_dir_ CLEANUP(cleanup_dir)

static inline void cleanup_error(struct error **error)
{
	error_destroy(*error);
}
#define _cleanup_error_ CLEANUP(cleanup_error)

#endif
