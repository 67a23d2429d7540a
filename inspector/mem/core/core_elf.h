/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_CORE_ELF_H
#define MEM_CORE_ELF_H

/*
 * ELF as a core file and the beginning of a mapped file have it: program headers and notes, out of bytes
 * in our memory that anybody may have written. Every number is checked against what is there; libelf is
 * for whole files (debug/elf_file.h), and here there is often no more than a first page.
 */

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { CORE_PAGE_BYTES = 4096, CORE_BUILD_ID_MAX = 64 };

/** Bytes of ours that hold the beginning of a file, or all of it. Not owned. */
struct core_bytes {
	const unsigned char *at;
	uint64_t count;
};

/** A build-id; `count` is 0 when there is none. */
struct core_build_id {
	unsigned char bytes[CORE_BUILD_ID_MAX];
	size_t count;
};

/** False when it is no ELF header of 64 bits in the byte order of this machine. */
bool core_elf_header(const struct core_bytes *bytes, Elf64_Ehdr *ret);

/** How many program headers there are by what the file says, and at most as many as have a place in it. */
uint64_t core_elf_segment_count(const struct core_bytes *bytes, const Elf64_Ehdr *header);

/** Number @a index of them; false when it is not there (the file is cut short). */
bool core_elf_segment(const struct core_bytes *bytes, const Elf64_Ehdr *header, uint64_t index,
		      Elf64_Phdr *ret);

/** A note: name and description lie in the file. */
struct core_note {
	const char *name;
	size_t name_bytes;
	uint32_t type;
	const unsigned char *bytes;
	size_t count;
};

/** The note at *@a offset, which lies before @a end, and *@a offset moved behind it; false when there is
 *  no whole one. */
bool core_elf_note(const struct core_bytes *bytes, uint64_t *offset, uint64_t end,
		   struct core_note *ret);

/** Whether its name is @a name. */
bool core_note_is(const struct core_note *note, const char *name);

/** The build-id in the notes that @a bytes, a file's beginning, holds. */
void core_elf_build_id(const struct core_bytes *bytes, struct core_build_id *ret);

/** Bit set of mapping_flags that the program headers of @a bytes ask for where the file is mapped from
 *  @a offset on; false when none of them says so. */
bool core_elf_flags_at(const struct core_bytes *bytes, uint64_t offset, uint32_t *ret);

/** PF_* as mapping_flags. */
uint32_t core_elf_mapping_flags(uint32_t segment_flags);

#endif
