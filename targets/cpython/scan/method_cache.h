/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_SCAN_METHOD_CACHE_H
#define TARGETS_CPYTHON_SCAN_METHOD_CACHE_H

/*
 * Strings that nobody but the interpreter's cache of methods keeps. It remembers under which name of which
 * type what was found (_PyType_Lookup() in Objects/typeobject.c), by the address of the name, and owns the
 * name: `getattr(self, "do_" + command)` leaves a string behind in one of its 4,096 places each time, until
 * all are taken. Under load that looks like a leak of strings.
 */

#include "mem/source.h"
#include "targets/cpython/objects/types.h"
#include "targets/cpython/runtime.h"

/** Tells @a sink (heap_sink_cached()) about them. Where there is no such cache, or none that can be read,
 *  there is nothing to tell. */
MUST_USE struct error *py_method_cache_report(const struct py_layout *layout,
					      struct mem_source *source, struct mem_window *window,
					      struct py_types *types,
					      const struct py_interpreters *interpreters,
					      struct heap_sink *sink);

#endif
