/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HEAP_REVERSE_H
#define HEAP_REVERSE_H

/* What heap_reverse() made, for heap_destroy() and heap_bytes(). */

#include <stdint.h>

struct heap_reverse;

/** Takes NULL. */
void reverse_destroy(struct heap_reverse *reverse);

/** What it takes of our memory; 0 of NULL. */
uint64_t reverse_bytes(const struct heap_reverse *reverse);

#endif
