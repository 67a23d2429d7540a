/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_OBJECTS_FINALIZER_H
#define TARGETS_CPYTHON_OBJECTS_FINALIZER_H

/*
 * What calls code when an object dies, and whether the collector would refuse to free it for that
 * (has_finalizer() and has_legacy_finalizer() of Modules/gcmodule.c).
 */

#include "heap/sink.h"
#include "mem/window.h"
#include "targets/cpython/layout.h"
#include "targets/cpython/machine/traverse.h"
#include "targets/cpython/objects/types.h"

/** Of a type, or of the class that old-style instances count under. */
enum heap_finalizer py_finalizer_of_type(const struct py_layout *layout, struct mem_window *window,
					 const struct py_type *type);

/**
 * HEAP_LEGACY_FINALIZER and HEAP_FINALIZED, as far as they are true of the object at @a at. @a type is
 * its own type and not the class it counts under. @a traverse may be NULL: then a generator of
 * Python 2 is taken to need no finalizing.
 */
uint32_t py_finalizer_flags(const struct py_layout *layout, struct mem_window *window,
			    struct py_traverse *traverse, const struct py_type *type, addr_t at);

#endif
