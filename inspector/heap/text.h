/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HEAP_TEXT_H
#define HEAP_TEXT_H

/*
 * A heap as text, in and out, so that analyses can be written and tested without a process. One line
 * each, words separated by blanks, '#' begins a comment; names with blanks or '#' in them stand in
 * double quotes with \" and \\ for themselves and \n for the end of a line:
 *
 *   type NAME [at=0x10] [basic=48] [finalizer=del|legacy|builtin] [grows]
 *   object 0x1000 TYPE [size=56] [refs=2] [tracked] [frozen] [immortal] [static] [legacy]
 *                      [finalized] [part] [generation=1..4]
 *   edge 0x1000 0x2000 [gc|owned|guess|weak] [LABEL]
 *   root 0x1000 KIND [owns] [NAME]     KIND: module frame thread interpreter interned static-type
 *                                            garbage c-variable c-stack c-memory
 *   leak 0x1000 [COUNT]                references that nobody can give back
 *   collector [disabled] [saveall] [garbage=0x3000]
 *
 * A TYPE is a name, or @ and the address of the type where two share a name; one that was not announced
 * is announced so. An object's address is a multiple of 8, and it has one line. Its `size` is, unless
 * given, that of its type; its `refs` are, unless given, as many as references of kinds gc, owned and
 * guess and roots that own lead to it, so that only what C holds needs to be said. Objects may be
 * referred to before their lines. References and roots that lead to no object are left out.
 */

#include <stdio.h>

#include "heap/heap.h"

/** ERROR_FAILED with the number of the line that makes no sense. */
MUST_USE struct error *heap_text_parse(const char *text, struct heap **ret);

/** Writes @a heap so that heap_text_parse() makes the same of it (labels too). */
MUST_USE struct error *heap_text_write(const struct heap *heap, FILE *out);

#endif
