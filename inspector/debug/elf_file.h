/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DEBUG_ELF_FILE_H
#define DEBUG_ELF_FILE_H

/*
 * One ELF file through libelf: its build-id, where its debug file may be, its symbols. Types are
 * debug/dwarf_types.h's business.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct elf_file;

/** ERROR_UNSUPPORTED when @a path is no ELF file, ERROR_FAILED when it cannot be opened or is
 *  truncated. */
MUST_USE struct error *elf_file_open(const char *path, struct elf_file **ret);
/** Takes NULL. */
void elf_file_close(struct elf_file *file);
void elf_file_cleanup(struct elf_file **file);
#define _cleanup_elf_file_ CLEANUP(elf_file_cleanup)

/** Lower-case hex, "" when it has none; owned by the file. */
const char *elf_file_build_id(const struct elf_file *file);
/** Name and CRC-32 of .gnu_debuglink; NULL when it has none. */
const char *elf_file_debuglink(const struct elf_file *file, uint32_t *ret_crc);
bool elf_file_has_dwarf(const struct elf_file *file);
bool elf_file_is_64bit(const struct elf_file *file);
/** EM_X86_64 and the like. */
unsigned elf_file_machine(const struct elf_file *file);

/** Address minus file offset of the loadable segment, @a executable or not, whose pages hold
 *  @a file_offset; *@a present false when none does. Two segments may share a page of the file,
 *  which is then mapped twice: hence @a executable, as the mapping has it. */
int64_t elf_file_segment_delta(const struct elf_file *file, uint64_t file_offset, bool executable,
			       bool *present);

/** The value (unrelocated address) of a defined symbol in .symtab or .dynsym. A suffix the compiler
 *  added (".lto_priv.0", ".part.1") is ignored when no exact match exists. */
bool elf_file_symbol(const struct elf_file *file, const char *name, addr_t *ret_address,
		     uint64_t *ret_bytes);

/** Whether a symbol @a name begins at @a address, but for a suffix that the compiler added. For a few
 *  names and many addresses: each name is looked for once, while asking for the symbol at an address has
 *  all of them sorted first. */
MUST_USE struct error *elf_file_is_symbol(const struct elf_file *file, const char *name,
					  addr_t address, bool *ret);

/** The name of the symbol that covers @a address, and the distance from its start; NULL
 *  when none. */
const char *elf_file_symbol_at(const struct elf_file *file, addr_t address, uint64_t *ret_distance);

/** CRC-32 of a file's bytes as .gnu_debuglink has it. */
MUST_USE struct error *elf_file_crc(const char *path, uint32_t *ret);

#endif
