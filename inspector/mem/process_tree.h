/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_PROCESS_TREE_H
#define MEM_PROCESS_TREE_H

/*
 * Which processes come from which, and which program a process runs.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/** Names a process and what it runs: a pid is used anew, and a process can turn to another program. */
struct process_identity {
	pid_t pid;
	uint64_t start_ticks;
	/** The file of its program; 0 where the kernel does not tell. */
	uint64_t program_device;
	uint64_t program_inode;
	/** Tells a program from the same that was started anew in its place; 0 where the kernel does not tell. */
	uint64_t stack_start;
};

/** False when there is no such process. */
bool process_identify(pid_t pid, struct process_identity *ret);

/** Where the program of one is not known, the rest decides. */
bool process_identity_is(const struct process_identity *one, const struct process_identity *other);

enum { PROCESS_TREE_MAX = 1 << 16 };

/**
 * The children of @a pid, and theirs, that live, ascending by pid: the first @a max of them. Looks at
 * PROCESS_TREE_MAX processes at most. The caller frees *@a ret.
 */
MUST_USE struct error *process_descendants(pid_t pid, size_t max, pid_t **ret, size_t *ret_count);

#endif
