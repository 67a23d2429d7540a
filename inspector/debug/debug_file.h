/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DEBUG_DEBUG_FILE_H
#define DEBUG_DEBUG_FILE_H

/*
 * Finds the separate debug file of an ELF file, where distributions and gdb put it. module.c's own.
 *
 *   DIR/.build-id/xx/rest.debug          by build-id, each DIR
 *   beside the file, in .debug/ there    by .gnu_debuglink
 *   DIR/directory/name                   by .gnu_debuglink, each DIR
 *
 * DIR is each directory of the colon-separated LEAKINSPECT_DEBUG_PATH, then /usr/lib/debug; all but
 * the former are looked for on our side and under the process's own root.
 */

#include <sys/types.h>

#include "debug/elf_file.h"

struct debug_query {
	/** As the process sees it. */
	const char *path;
	const struct elf_file *elf;
	/** 0 for none. */
	pid_t pid;
};

/**
 * A file that has the build-id of the ELF file, or (where one of the two has none) the CRC of its
 * .gnu_debuglink, and has DWARF. *@a ret_path is freed by the caller.
 *
 * ERROR_UNSUPPORTED when there is none: the places looked at, what was rejected and why, the
 * build-id, and the package that has it where that is known. ERROR_FAILED when there is only a
 * damaged one.
 */
MUST_USE struct error *debug_file_find(const struct debug_query *query, char **ret_path,
				       struct elf_file **ret);

#endif
