/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DEBUG_DWARF_TYPES_H
#define DEBUG_DWARF_TYPES_H

/*
 * Layouts from DWARF (versions 2 to 5, compressed sections, LTO). dwarf_types.c is the only file
 * that includes libdwarf.
 */

#include "debug/layout.h"

/**
 * @a path is an ELF file with .debug_info; *@a ret is destroyed with layout_source_destroy().
 * ERROR_UNSUPPORTED when the file has no DWARF; ERROR_FAILED when it is corrupt or truncated, with
 * what libdwarf said. Opening is cheap; the compile units are indexed as the first questions come.
 */
MUST_USE struct error *dwarf_types_create(const char *path, struct layout_source **ret);

#endif
