/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_OUTPUT_H
#define UI_OUTPUT_H

/*
 * Where an answer goes: stdout, or the FILE of -o. A file appears under its name only when it is
 * whole: until output_commit() it has a temporary name beside it.
 */

#include <stdbool.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/error.h"

enum { OUTPUT_BEGIN_BYTES = 63 };

struct output {
	FILE *stream;
	/** NULL for what was not opened here. */
	char *path;
	/** NULL also for what is written in place (a device, a pipe). */
	char *temporary;
	bool owned;
	bool force;
	/** Of output_hold(): what was written, from output_commit() on. */
	bool is_held;
	char *held;
	size_t held_bytes;
};

/** @a path NULL is stdout. ERROR_FAILED when the file exists, unless @a force. */
MUST_USE struct error *output_open(const char *path, bool force, struct output *ret);

/**
 * For files that are written anew again and again: ERROR_FAILED when there is a file at @a path of which
 * @a is_ours says, of its first OUTPUT_BEGIN_BYTES at most, NUL-terminated, that it was not written by us.
 * What is empty, a device, or cannot be read is none's.
 */
MUST_USE struct error *output_check_ours(const char *path, bool (*is_ours)(const char *begin));

/** For an answer that somebody else shows when it is whole. */
MUST_USE struct error *output_hold(struct output *ret);

/** Writes out what is buffered and gives the file its name; fails when any of it cannot be written. */
MUST_USE struct error *output_commit(struct output *output);

/** Without a commit before it, nothing is left of the file. Zero-initialised is fine. */
void output_deinit(struct output *output);
#define _cleanup_output_ CLEANUP(output_deinit)

#endif
