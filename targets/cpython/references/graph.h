/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_REFERENCES_GRAPH_H
#define TARGETS_CPYTHON_REFERENCES_GRAPH_H

/*
 * What a graph of references needs beyond the objects of the heap: those that only references lead to
 * (static ones, other allocators'), the roots that the runtime itself knows, the collector's
 * settings.
 */

#include "targets/cpython/runtime.h"
#include "targets/cpython/scan/pass.h"

/** After a pass over the heap into a sink that wants references. @a interpreters and @a gc are those
 *  of the moment. */
MUST_USE struct error *py_graph_complete(struct py_pass *pass, struct mem_window *window,
					 const struct py_interpreters *interpreters,
					 const struct py_gc_state *gc);

#endif
