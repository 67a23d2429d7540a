/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_MEMORY_LEFT_H
#define MEM_MEMORY_LEFT_H

#include <stdint.h>
#include <sys/types.h>

/**
 * How many bytes we can still take before this machine swaps or the limit of a control group (version
 * 1 or 2, ours or one above) is reached, whichever comes first. UINT64_MAX when nothing tells.
 * @a root stands before the paths below /proc and /sys: "" but for tests.
 */
uint64_t memory_left_bytes(const char *root);

/** The same for process @a pid and the control groups that it is in. */
uint64_t memory_left_bytes_of(pid_t pid, const char *root);

#endif
