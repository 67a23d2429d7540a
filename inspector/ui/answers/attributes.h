/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_ANSWERS_ATTRIBUTES_H
#define UI_ANSWERS_ATTRIBUTES_H

/*
 * The attributes of an object by name: those of its attribute dict, those that it keeps itself (values
 * inline, slots), members of C that have a name in Python.
 */

#include "ui/inspected.h"
#include "ui/report/report.h"

/** Attributes that are shown unless a limit says otherwise. */
enum { ATTRIBUTES_SHOWN = 20 };

/** The table "attributes" with at most @a limit rows, and how many there are. */
MUST_USE struct error *attributes_report(struct report *report, struct inspected *inspected,
					 const struct heap *heap, uint32_t object, size_t limit);

#endif
