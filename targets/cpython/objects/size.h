/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_OBJECTS_SIZE_H
#define TARGETS_CPYTHON_OBJECTS_SIZE_H

/*
 * How large an object is: the bytes of its own block, which a block found in the heap must have, and
 * the bytes that sys.getsizeof() would say.
 */

#include "mem/window.h"
#include "targets/cpython/layout.h"
#include "targets/cpython/objects/types.h"

/**
 * Bytes of the object itself, without type->presize and without what it keeps in blocks of its own.
 * @a object is a copy of at least type->header_bytes bytes of it. Nonsense in the object gives a
 * large number, never an overflow.
 */
uint64_t py_size_own(const struct py_layout *layout, const struct py_type *type,
		     const void *object);

/** What sys.getsizeof() says of the object at @a at, whose own bytes are @a own. */
uint64_t py_size_of(const struct py_layout *layout, struct mem_window *window,
		    const struct py_type *type, addr_t at, const void *object, uint64_t own);

#endif
