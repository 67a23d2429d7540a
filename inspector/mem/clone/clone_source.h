/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_CLONE_SOURCE_H
#define MEM_CLONE_SOURCE_H

/*
 * A stopped process that nothing happens to, read through /proc/PID/mem: its pages stay shared with
 * those of the process it is a clone of. Private to mem/clone/clone.c.
 */

#include <sys/types.h>

#include "mem/source.h"

MUST_USE struct error *clone_source_create(pid_t pid, struct mem_source **ret);

#endif
