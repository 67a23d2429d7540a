/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_SCAN_INT_BLOCKS_H
#define TARGETS_CPYTHON_SCAN_INT_BLOCKS_H

/*
 * Python 2 keeps its int and float objects in blocks of its own (Objects/intobject.c, floatobject.c):
 * arrays of objects, chained, with the free ones linked through their type. Does nothing for other
 * versions.
 */

#include "targets/cpython/scan/scan.h"

/** Reports every int and float in use. */
void py_int_blocks_scan(struct py_scan *scan);

#endif
