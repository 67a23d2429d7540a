/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_CORE_NOTES_H
#define MEM_CORE_NOTES_H

/*
 * What the notes of a core file say about the process: threads and their registers (NT_PRSTATUS), which
 * process it was (NT_PRPSINFO), which files were mapped where (NT_FILE), and where the kernel put things
 * (NT_AUXV).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "mem/core/core_elf.h"
#include "mem/pause.h"

/** A range that a file was mapped to. */
struct core_mapped {
	addr_t start;
	addr_t end;
	uint64_t file_offset;
	/** As the kernel says it; lies in the core file, ended by NUL. */
	const char *path;
};

/** Zero-initialised is empty and valid. */
struct core_notes {
	/** In the order of the file: the first is the one that the core was made for. */
	struct pause_thread *threads;
	size_t thread_count;
	size_t thread_capacity;
	/** Ascending, without overlaps. */
	struct core_mapped *mapped;
	size_t mapped_count;
	size_t mapped_capacity;
	/** There was a list of mapped files at all. */
	bool lists_files;
	/** 0 when no note tells. */
	pid_t pid;
	/** At most 79 bytes of the command line, blanks between arguments; "" when no note tells. */
	char arguments[81];
	/** Addresses of the program's headers, of a spot in its first stack, and of the vDSO; 0 when no
	 *  note tells. */
	addr_t program_headers_at;
	addr_t stack_at;
	addr_t vdso_at;
	/** Entries that say what cannot be. */
	size_t damaged_count;
};

/** Reads the notes of all PT_NOTE segments of @a core into *@a ret (zero-initialised); the caller deinits,
 *  after an error too. Notes that are cut off or damaged are left out. */
MUST_USE struct error *core_notes_read(const struct core_bytes *core, const Elf64_Ehdr *header,
				       struct core_notes *ret);

void core_notes_deinit(struct core_notes *notes);

#endif
