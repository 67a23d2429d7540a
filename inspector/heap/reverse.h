/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HEAP_REVERSE_H
#define HEAP_REVERSE_H

/* What heap_reverse() made, for heap_destroy(). */

struct heap_reverse;

/** Takes NULL. */
void reverse_destroy(struct heap_reverse *reverse);

#endif
