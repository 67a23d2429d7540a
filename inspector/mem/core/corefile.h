/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_COREFILE_H
#define MEM_COREFILE_H

/*
 * A core file as a mem_source: the memory of a process at one moment, as the kernel (core_pattern), gcore
 * or GDB wrote it. What the process had mapped of files and not changed is mostly not in it, and is read
 * from those files (mem/core/core_files.h), when they are the same ones.
 *
 * Nothing in a core is taken for granted: what says what cannot be is left out and counted, and what was
 * lost when it was cut short reads as a fault. It is mapped and not copied; whoever shortens the file
 * while it is read has this process killed (SIGBUS).
 *
 * The heap that malloc began with, the first stack and the vDSO have the kernel's names ("[heap]",
 * "[stack]", "[vdso]") where notes tell where they are. A mapping of a file has its number, from 1, as its
 * inode.
 */

#include <stddef.h>
#include <sys/types.h>

#include "mem/pause.h"
#include "mem/source.h"

/**
 * Opens the core file @a path. ERROR_UNSUPPORTED when it is none, of 32 bits, of another machine, or
 * compressed: the message says which; ERROR_FAILED when it cannot be opened.
 */
MUST_USE struct error *mem_corefile_create(const char *path, struct mem_source **ret);

/** The process's id; 0 when the core does not tell. */
pid_t mem_corefile_pid(const struct mem_source *core);

/** The threads, with the registers that each had; live as long as the source. */
const struct pause_thread *mem_corefile_threads(const struct mem_source *core, size_t *ret_count);

/** The first 79 bytes of the command line, blanks between arguments; "" when the core does not tell. */
const char *mem_corefile_arguments(const struct mem_source *core);

/** What is missing of the core or of the files that belong to it, in words; "" for nothing. Lives as long
 *  as the source. */
const char *mem_corefile_shortcomings(const struct mem_source *core);

/** Where the file that is mapped at @a at is on our side. ERROR_FAILED, saying which is wanted, when it is
 *  not here or another one is. */
MUST_USE struct error *mem_corefile_file(const struct mem_source *core, addr_t at,
					 const char **ret);

#endif
