/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_LIVE_H
#define MEM_LIVE_H

/*
 * The memory of a live process: process_vm_readv in large pieces, /proc/PID/maps, /proc/PID/pagemap.
 * It reads whether the process runs or is paused; who needs it to hold still uses mem/pause.h.
 */

#include <sys/types.h>

#include "mem/source.h"

/** *@a ret is destroyed with mem_source_destroy(). Opens what it needs under /proc/PID once, so
 *  that a process id that is used again by another process is noticed as ERROR_GONE. */
MUST_USE struct error *mem_live_create(pid_t pid, struct mem_source **ret);

#endif
