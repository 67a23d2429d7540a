/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DEBUG_MAPPED_FILE_H
#define DEBUG_MAPPED_FILE_H

/*
 * Opens exactly the file that is mapped into a process: it may be in another mount namespace, have
 * been deleted, or been replaced by an upgrade while the process runs. module.c's own.
 */

#include <sys/types.h>

#include "debug/elf_file.h"

struct mem_source;

struct mapped_file {
	/** As the process sees it. */
	const char *path;
	/** 0: no process, the path is opened as it is, or as the core file says. */
	pid_t pid;
	/** The core file that it is mapped in; NULL for none. */
	const struct mem_source *core;
	uint64_t inode;
	uint32_t device_major;
	uint32_t device_minor;
	/** One of its mappings, for /proc/PID/map_files. */
	addr_t start;
	addr_t end;
	/** Where the file's first page is mapped; 0 for nowhere. */
	addr_t header_at;
};

/**
 * In this order: the path on our side, under the process's root, and /proc/PID/exe, if the device
 * and inode are those of the mapping; /proc/PID/map_files, where the kernel permits it; one of the
 * former whose first page is that in memory, since overlayfs and btrfs show other inodes in maps.
 *
 * *@a ret_path is the path that was opened, freed by the caller. ERROR_FAILED, saying that the file
 * has been replaced, when there is only another one; ERROR_GONE when the process has ended.
 */
MUST_USE struct error *mapped_file_open(const struct mapped_file *mapped, char **ret_path,
					struct elf_file **ret);

#endif
