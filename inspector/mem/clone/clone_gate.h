/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_CLONE_GATE_H
#define MEM_CLONE_GATE_H

/*
 * What a clone that runs may open: files, folders, and the few devices that nothing is taken from. A
 * filter cannot tell, so the clone is first made to open the same path as a mere place (O_PATH), which
 * has no effect on anything; the open itself follows only when that is one of these. Private to
 * mem/clone/clone_thread.c.
 */

#include <stdbool.h>
#include <sys/types.h>

/** Whether what descriptor @a fd of process @a pid stands for may be opened for reading. */
bool clone_gate_allows(pid_t pid, int fd);

#endif
