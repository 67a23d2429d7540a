/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_CPYTHON_H
#define TARGETS_CPYTHON_CPYTHON_H

/*
 * The adapter for CPython 2.7 and 3.6 and later, builds with a GIL.
 */

#include "targets/target.h"

extern const struct target_ops cpython_target_ops;

#endif
