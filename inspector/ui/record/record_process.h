/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_RECORD_RECORD_PROCESS_H
#define UI_RECORD_RECORD_PROCESS_H

/*
 * Which process a record or a snapshot is of, so that a file can be told from another's.
 */

#include <stdint.h>

#include "base/error.h"

struct inspected;

enum { RECORD_PROGRAM_CHARS = 200 };

/** Empty is not known. */
struct record_process {
	int pid;
	/** With the pid, it names a process for good (mem/process.h). */
	uint64_t start_ticks;
	char runtime[32];
	char version[32];
	char build[16];
	/** Its arguments, cut; empty also where no values are to be told. */
	char program[RECORD_PROGRAM_CHARS];
};

/** Reads it, without a stop. */
MUST_USE struct error *record_process_read(struct inspected *inspected, struct record_process *ret);

/** Milliseconds since 1970. */
int64_t record_now_ms(void);

#endif
