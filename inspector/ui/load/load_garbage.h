/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_LOAD_LOAD_GARBAGE_H
#define UI_LOAD_LOAD_GARBAGE_H

/*
 * What only waits for the collector is no growth, and no count tells it from what is leaked. So the last
 * iteration is looked at more closely: the graph of references before it and after it tells by how many more
 * objects of each type the next collection would free.
 */

#include "ui/load/load_growth.h"

/** Before the last iteration of the block: builds the graph in one more stop and keeps what a collection
 *  would free. Does nothing where no type has grown in each step so far, unless @a always. */
MUST_USE struct error *load_garbage_note(struct load *load, bool always);

/** After it: moves to `waiting` each type of which a collection would free as many more as there are more
 *  since. With the collector disabled nobody frees them: then that is growth. */
MUST_USE struct error *load_garbage_leave_out(struct load *load, struct load_growth *growth);

#endif
