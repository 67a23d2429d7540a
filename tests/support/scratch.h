/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SUPPORT_SCRATCH_H
#define SUPPORT_SCRATCH_H

/*
 * A directory of a test's own, gone with all that is in it when the test ends, and commands that
 * make files in it. Whatever fails in here aborts the test program with what went wrong.
 */

#include <stdbool.h>
#include <stddef.h>

struct scratch;

struct scratch *scratch_create(void);
/** Takes NULL. */
void scratch_destroy(struct scratch *scratch);

/** The path of the directory, and of @a name in it; they live as long as @a scratch. */
const char *scratch_directory(const struct scratch *scratch);
const char *scratch_path(struct scratch *scratch, const char *name);

/** Writes a file, replacing it. */
void scratch_write(struct scratch *scratch, const char *name, const void *bytes, size_t count);

/** The bytes of a file with a NUL behind them, freed by the caller. */
char *scratch_read(const char *path, size_t *ret_bytes);

/** Runs a shell command that must succeed, with $S set to the directory. */
void scratch_run(struct scratch *scratch, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** What a command, as above, writes to its standard output; freed by the caller. */
char *scratch_output(struct scratch *scratch, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** Whether a shell would find @a program. */
bool scratch_has_program(const char *program);

#endif
