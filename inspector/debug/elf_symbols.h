/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DEBUG_ELF_SYMBOLS_H
#define DEBUG_ELF_SYMBOLS_H

/*
 * The defined symbols of one ELF file, by name and by address. Read and checked once when the file
 * is opened; the two orders are made when first asked for, in memory reserved then, so that asking
 * cannot fail. elf_file.c's own; everybody else asks debug/elf_file.h.
 */

#include <libelf.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct elf_symbols;

/** From @a symtab and @a dynsym, either of which may be NULL. The names stay @a elf's; @a path is
 *  for messages only. */
MUST_USE struct error *elf_symbols_create(Elf *elf, const char *path, Elf_Scn *symtab,
					  Elf_Scn *dynsym, struct elf_symbols **ret);
/** Takes NULL. */
void elf_symbols_destroy(struct elf_symbols *symbols);

/** As elf_file_symbol(). */
bool elf_symbols_find(struct elf_symbols *symbols, const char *name, addr_t *ret_address,
		      uint64_t *ret_bytes);

/** As elf_file_is_symbol(). */
MUST_USE struct error *elf_symbols_has(struct elf_symbols *symbols, const char *name,
				       addr_t address, bool *ret);

/** As elf_file_symbol_at(). */
const char *elf_symbols_find_at(struct elf_symbols *symbols, addr_t address,
				uint64_t *ret_distance);

#endif
