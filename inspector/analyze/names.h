/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ANALYZE_NAMES_H
#define ANALYZE_NAMES_H

/*
 * Names of types and references, shortened for words that people read. For analyze/ and the words of ui/.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "heap/heap.h"

/** The label of the reference to an attribute dict. */
extern const char names_dict_label[];

/** The type's name without its module. "package.module.Class" does not tell where the module ends, so that
 *  the outer class of a nested one is left out, too. */
const char *names_short(const char *name);

/** Whether @a label, of @a length chars, is "['name']": an attribute's, when it comes out of an attribute
 *  dict. The name stands between the first two and the last two chars. */
bool names_is_attribute(const char *label, size_t length);

/** Appends how an owner calls what its attribute dict calls @a label: ".name" for "['name']", and
 *  ".__dict__[3]" for a key that is no name. */
MUST_USE struct error *names_append_attribute(const struct text *label, struct text *into);

/** Whether @a dict may be the attribute dict of @a owner, which refers to it: a person counts them as one. */
bool names_may_fold(const struct heap *heap, uint32_t owner, uint32_t dict);

/** By type: the first one of the same name, for a person takes classes of one name for one. The caller frees
 *  it. */
MUST_USE struct error *names_first_types(const struct heap *heap, uint32_t **ret);

#endif
