/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_CORE_FILES_H
#define MEM_CORE_FILES_H

/*
 * The files that a core's process had mapped, found on our side: what they hold and the process never
 * changed is not in the core. A file is taken when its build-id is the one that the core has in memory;
 * where the core has not got it, by its path alone.
 *
 * LEAKINSPECT_SYSROOT in the environment names a directory with the files of the machine that the core
 * comes from, each below it at its own path; it is looked at before the path itself.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mem/core/core_elf.h"

enum core_file_state {
	CORE_FILE_MISSING,
	/** The build-ids agree. */
	CORE_FILE_SAME,
	/** Taken by its path: nothing in the core says which it was. */
	CORE_FILE_UNCHECKED,
	/** There is one at its path, and it is another. */
	CORE_FILE_OTHER,
};

struct core_file {
	/** As the process saw it, without " (deleted)"; owned. */
	char *path;
	bool was_deleted;
	/** It is mapped to be run, or its first page in memory says that it is ELF. */
	bool is_program;
	enum core_file_state state;
	/** Where it is on our side; NULL when it is missing or another. Owned. */
	char *host_path;
	/** All of it, mapped into our memory; empty when it is missing, another, or of no bytes. */
	struct core_bytes bytes;
	/** What is in memory of its beginning: not owned, empty for nothing. */
	struct core_bytes beginning;
};

/** Looks for the file of @a file->path, with what `beginning` says of it, and maps it. Not finding it is a
 *  state and no error. */
MUST_USE struct error *core_file_find(struct core_file *file);

/** Appends to @a into, of @a into_bytes, why the file could not be taken and which is wanted; "" where it
 *  was. */
void core_file_complain(const struct core_file *file, char *into, size_t into_bytes);

void core_file_deinit(struct core_file *file);

#endif
