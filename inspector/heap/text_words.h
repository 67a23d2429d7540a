/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HEAP_TEXT_WORDS_H
#define HEAP_TEXT_WORDS_H

/* The words that both ways of a heap as text share. */

#include <stddef.h>

#include "heap/sink.h"

/** By enum heap_edge_kind. */
extern const char *const text_edge_kinds[4];
/** By enum heap_root_kind. */
extern const char *const text_root_kinds[HEAP_ROOT_KIND_COUNT];
/** By enum heap_finalizer; the first is not written. */
extern const char *const text_finalizers[4];

struct text_flag {
	const char *word;
	uint32_t flag;
};

/** Ended by a word that is NULL. */
extern const struct text_flag text_flags[];

#endif
