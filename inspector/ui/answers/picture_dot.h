/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_ANSWERS_PICTURE_DOT_H
#define UI_ANSWERS_PICTURE_DOT_H

/*
 * A picture of objects (analyze/picture.h) as a graph in DOT, Graphviz's language. Who holds stands left
 * of what is held. An object's node is named by its address, so that programs find it; what a colour
 * says, a word or a line says, too.
 */

#include "analyze/picture.h"
#include "base/text.h"
#include "ui/inspected.h"

struct picture_dot {
	const struct picture *picture;
	struct inspected *inspected;
	const struct heap *heap;
	/** Of heap_excess(). */
	const int64_t *excess;
	/** What stands above it. */
	const char *title;
};

/** Appends the whole graph. Reprs and labels are read from the copy of the process's memory. */
MUST_USE struct error *picture_dot_write(const struct picture_dot *dot, struct text *into);

#endif
