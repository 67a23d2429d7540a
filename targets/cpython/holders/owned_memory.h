/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_HOLDERS_OWNED_MEMORY_H
#define TARGETS_CPYTHON_HOLDERS_OWNED_MEMORY_H

/*
 * Memory that objects, or the interpreter, have beside objects, as far as it owns nothing: behind the
 * items of a list, the entries of a dict, the ends of a deque stands what was there before. All of it is
 * in blocks in use, whose words count (words.h); here they are taken back.
 *
 * All functions want a scan that counts words (PY_SCAN_COUNT_WORDS). Nothing is taken back of a block of
 * which nothing was counted.
 *
 * Only what the interpreter itself never reads again is taken back. That a member of some struct is a
 * `char *` is no reason: extensions keep references in such memory (arrays of objects in numpy).
 */

#include "targets/cpython/runtime.h"
#include "targets/cpython/scan/scan.h"

/** Takes back what the object of @a type at @a at, copied to @a object as far as its header_bytes, has in
 *  other blocks and does not use. */
void py_unused_of_object(struct py_scan *scan, const struct py_type *type,
			 const unsigned char *object, addr_t at);

/** How many bytes of the object itself can hold anything, of @a bytes: behind the values that an
 *  instance has within itself stands the order that they were set in. */
uint64_t py_unused_object_end(struct py_scan *scan, const struct py_type *type, addr_t at,
			      uint64_t bytes);

/** Takes back the whole block at @a at. */
void py_unused_block(struct py_scan *scan, addr_t at);

/** Takes back what the interpreter keeps for later: tables of dicts, blocks of deques; and what no state of
 *  a thread was ever given. */
void py_unused_kept(struct py_scan *scan, const struct py_interpreters *interpreters);

#endif
