/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DEBUG_DWARF_TYPES_H
#define DEBUG_DWARF_TYPES_H

/*
 * Layouts from DWARF: versions 2 to 5, compressed sections, LTO, type units, a separate debug file.
 * Not read: entries in .dwo files (-gsplit-dwarf) and in a file that several share (dwz -m).
 *
 * The bytes are debug/die.h's business, names debug/dwarf_index.h's, what a type is behind its
 * typedefs debug/type_view.h's.
 */

#include "debug/layout.h"

/**
 * @a path is an ELF file with .debug_info; *@a ret is destroyed with layout_source_destroy().
 * ERROR_UNSUPPORTED when the file has no DWARF; ERROR_FAILED when it is corrupt or truncated, with
 * what libdwarf said. Opening is cheap; the compile units are indexed as the first questions come.
 */
MUST_USE struct error *dwarf_types_create(const char *path, struct layout_source **ret);

#endif
