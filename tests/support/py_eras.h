/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SUPPORT_PY_ERAS_H
#define SUPPORT_PY_ERAS_H

/*
 * Where CPython's own builds keep their members, one version for each way in which the structs that
 * are read have changed: types and members only, for variables are where an image puts them.
 */

#include "support/fake_layout.h"

enum py_era {
	/** Heads of 32 bytes with a count in them, old-style instances, blocks of int and float. */
	PY_ERA_27,
	/** Key tables of their own; a flag below the count in the head. */
	PY_ERA_36,
	/** Heads of two words, one collector in _PyRuntime. */
	PY_ERA_38,
	/** A collector per interpreter, pools of 16 KiB, words before the head, unicode entries. */
	PY_ERA_311,
	/** Immortal objects, pools per interpreter. */
	PY_ERA_312,
	/** Pools behind a pointer of the interpreter. */
	PY_ERA_313,
	PY_ERA_COUNT,
};

/** "3.11". */
const char *py_era_name(enum py_era era);

/** Sets all types and members of @a era. */
void py_era_describe(enum py_era era, struct fake_layout *layout);

#endif
