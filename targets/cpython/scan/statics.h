/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_SCAN_STATICS_H
#define TARGETS_CPYTHON_SCAN_STATICS_H

/*
 * Objects that are part of the program's own data and on no heap: None, static types, the small ints
 * of newer versions. They are no row of a census; the sum of their reference counts explains how a
 * debug build's own total differs from that of the heap.
 */

#include "mem/maps.h"
#include "targets/cpython/scan/scan.h"

/** The sum of the reference counts of the objects in the data of all mapped ELF files. Memory that
 *  cannot be read adds nothing. */
MUST_USE struct error *py_statics_refs(struct py_scan *scan, struct mem_source *source,
				       const struct maps *maps, int64_t *ret);

#endif
