/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_ANSWERS_GRAPH_TEXT_H
#define UI_ANSWERS_GRAPH_TEXT_H

/*
 * The graph of references in words: those of CLI.md for programs, sentences for people.
 */

#include "base/text.h"
#include "ui/inspected.h"

/** "gc", "owned", "guess", "weak". */
const char *graph_edge_kind_name(enum heap_edge_kind kind);

/** "del", "legacy", "builtin"; NULL for none. */
const char *graph_finalizer_name(enum heap_finalizer finalizer);

/** That of the object's type, and "legacy" for an object that is one by its own state. */
const char *graph_object_finalizer(const struct heap *heap, uint32_t object);

/** The generation as the runtime numbers it, 0 the youngest; -1 when it is in none of them. */
int graph_object_generation(const struct heap *heap, uint32_t object);

/** One word: "module", "c-stack". */
const char *graph_root_kind_name(enum heap_root_kind kind);

/** Appends what a root is for people: "module sys", "thread 4711 in handle() at
 *  web.py:42, local variable cart". */
MUST_USE struct error *graph_root_label(const struct heap_root_row *root, struct text *into);

enum {
	/** Of a repr, in characters: in a row, and where it stands alone. */
	GRAPH_REPR_ROW_CHARS = 60,
	GRAPH_REPR_CHARS = 200,
};

/** Appends a repr; nothing when the object cannot be read. */
MUST_USE struct error *graph_repr(struct inspected *inspected, uint32_t object, size_t chars_max,
				  struct text *into);

#endif
