/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HEAP_CREW_H
#define HEAP_CREW_H

/*
 * Work in equal pieces for several threads. Who is done takes the next piece; a thread that cannot be
 * had leaves its share to the others.
 */

#include <stddef.h>

enum { CREW_MAX = 256 };

/** Calls @a work for 0 to @a count - 1, each once, with up to @a thread_count threads (the calling one
 *  among them), and returns when all is done. */
void crew_run(unsigned thread_count, size_t count, void (*work)(void *context, size_t number),
	      void *context);

#endif
