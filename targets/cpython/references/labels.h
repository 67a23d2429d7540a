/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_REFERENCES_LABELS_H
#define TARGETS_CPYTHON_REFERENCES_LABELS_H

/*
 * What a person calls a reference: ".child", "['key']", "[3]", ".__closure__".
 */

#include "base/text.h"
#include "targets/cpython/references/edges.h"
#include "targets/target.h"

/** What labels are made from; whoever fills it owns what is pointed to. */
struct py_labels {
	const struct py_layout *layout;
	struct mem_window *window;
	struct py_types *types;
	struct py_plans *plans;
	/** Of the object whose references they are. */
	enum target_telling telling;
};

/**
 * Appends the label of reference @a number of those that @a edges last collected, from the object of
 * @a type at @a at; nothing when it has no name. @a visited_before is how many visited references
 * without a name of their own came before it.
 */
MUST_USE struct error *py_labels_append(const struct py_labels *labels, struct py_edges *edges,
					const struct heap_reference *references, size_t number,
					const struct py_type *type, addr_t at,
					size_t visited_before, struct text *into);

#endif
