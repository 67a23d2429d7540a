/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SUPPORT_LANDING_H
#define SUPPORT_LANDING_H

/*
 * For tests of frames that rt_sigreturn restores: registers full of numbers, and a place in the code that
 * notes what it finds in them. Each machine has a file, as in mem/machine/.
 */

#include <stddef.h>
#include <stdint.h>

#include "mem/machine/machine.h"

enum { LANDING_GENERAL_MAX = 32, LANDING_VECTOR_BYTES = 16 << 10 };

/** What the registers hold; those of a kind at the same places in what was asked for and in what was found. */
struct landing {
	uint64_t general[LANDING_GENERAL_MAX];
	size_t general_count;
	addr_t stack_pointer;
	/** As far as the processor has them. */
	unsigned char vectors[LANDING_VECTOR_BYTES];
	size_t vector_bytes;
};

/** Registers of a thread at the landing, on the stack that ends at @a stack_end. @a scalable as of
 *  machine_vectors_make(): false is returned where the processor has no such vectors. */
bool landing_prepare(addr_t stack_end, bool scalable, struct machine_registers *registers,
		     struct machine_vectors **vectors, struct landing *ret);

/** Has rt_sigreturn, at @a sigreturn_at, restore the frame at @a frame, which lands; what is found then. */
void landing_leap(const void *frame, addr_t sigreturn_at, struct landing *ret);

/** The leap alone: to frames that do not land. */
_Noreturn void landing_leave(const void *frame, addr_t sigreturn_at);

#endif
