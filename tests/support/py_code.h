/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SUPPORT_PY_CODE_H
#define SUPPORT_PY_CODE_H

/*
 * Machine code (x86-64) for a py_image: functions that a type's tp_traverse may be, put together byte
 * by byte. Nothing here is ever run by the test itself.
 */

#include "support/py_image.h"

/** Visits the @a count members at @a offsets from the object (below 0: before it); those that are
 *  NULL are left out. */
addr_t py_code_visit_members(struct py_image *image, const int32_t *offsets, size_t count);

/** Visits these objects, whatever object it is called for. */
addr_t py_code_visit_objects(struct py_image *image, const addr_t *objects, size_t count);

/** list_traverse() and tupletraverse(): from the last item to the first. */
addr_t py_code_visit_list(struct py_image *image);
addr_t py_code_visit_tuple(struct py_image *image);

/** Returns @a value. */
addr_t py_code_return(struct py_image *image, uint32_t value);

/** Writes @a value to the word at @a at. */
addr_t py_code_write_word(struct py_image *image, addr_t at, uint64_t value);

/** Visits the first member of the object whose address is the word at @a at, after it itself. */
addr_t py_code_visit_through(struct py_image *image, addr_t at);

/** What no processor knows; a call of the kernel; a loop without end; a read of what is not there. */
addr_t py_code_unknown(struct py_image *image);
addr_t py_code_system_call(struct py_image *image);
addr_t py_code_endless(struct py_image *image);
addr_t py_code_wild_read(struct py_image *image);

#endif
