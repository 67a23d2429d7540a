/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_PROGRAM_H
#define UI_PROGRAM_H

/*
 * Another program, run for what it does with a text of ours: it reads that as a file and never waits for
 * us. No shell is in between.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct program {
	/** Of program_find(). */
	const char *path;
	/** Its words, the name first, ended by NULL. */
	char *const *words;
	/** Its stdin. */
	const char *input;
	size_t input_bytes;
	/** Its stdout and stderr; -1 is ours. */
	int output_fd;
	int complaint_fd;
	/** Only so much at least of the end of complaint_fd, a file of program_memory(), is kept, and what its
	 *  children write there when it has ended fails: neither fills the memory. 0 keeps all. */
	size_t complaint_tail_bytes;
	/** How long it may take; 0 is as long as it likes. */
	uint64_t timeout_ns;
	/** How it is asked to end when it takes longer or when we are interrupted. A second later it is
	 *  killed. */
	int ending_signal;
};

enum program_end { PROGRAM_ENDED, PROGRAM_LATE, PROGRAM_INTERRUPTED };

/** Where @a name is on PATH, to be freed; NULL when it is nowhere. A name with a slash is its path. */
MUST_USE struct error *program_find(const char *name, char **ret);

/** Runs it until it has ended. *@a ret_status is that of waitpid(). A signal of ours stays pending. */
MUST_USE struct error *program_run(const struct program *program, enum program_end *ret_end,
				   int *ret_status);

/** A file in memory with these bytes in it, at its begin; closed when something else is run. */
MUST_USE struct error *program_memory(const char *bytes, size_t count, int *ret);

#endif
