/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_ANSWERS_GRAPHVIZ_H
#define UI_ANSWERS_GRAPHVIZ_H

/*
 * Graphviz, which makes pictures of graphs: its program `dot`, run as a process of its own when one is
 * asked for. leakinspect itself needs none of it.
 */

#include "base/text.h"

/** Where `dot` is on PATH, to be freed. ERROR_FAILED with what to install when it is nowhere. */
MUST_USE struct error *graphviz_find(char **ret);

/** Has @a program (of graphviz_find()) make @a format ("svg", "png") of @a graph, into the file open at
 *  @a fd. Fails when it does not end in a minute, and when we are interrupted; it is ended then. */
MUST_USE struct error *graphviz_run(const char *program, const char *format,
				    const struct text *graph, int fd);

#endif
