/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_REFERENCES_READER_H
#define TARGETS_CPYTHON_REFERENCES_READER_H

/*
 * Answers about single objects of a moment: their references with labels, what repr() might say.
 * Keeps what it learned of types from one question to the next.
 */

#include "debug/module.h"
#include "targets/cpython/layout.h"
#include "targets/target.h"

struct py_reader;

/** @a layout, @a modules and the moment's source must outlive it. */
MUST_USE struct error *py_reader_create(const struct py_layout *layout, struct module_list *modules,
					const struct target_moment *moment, struct py_reader **ret);
/** Takes NULL. */
void py_reader_destroy(struct py_reader *reader);

/** Contract of target_ops.references(). */
MUST_USE struct error *py_reader_references(struct py_reader *reader, addr_t at,
					    enum target_telling telling,
					    struct target_references *ret);

/** Contract of target_ops.describe(). */
MUST_USE struct error *py_reader_describe(struct py_reader *reader, addr_t at,
					  enum target_telling telling, size_t chars_max,
					  struct text *into);

#endif
