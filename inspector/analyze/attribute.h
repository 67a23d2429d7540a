/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ANALYZE_ATTRIBUTE_H
#define ANALYZE_ATTRIBUTE_H

/*
 * Attribute dicts as a person sees them: part of their object. What a dict of this kind refers to, its
 * owner refers to by a name.
 */

#include "base/addr_map.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "heap/heap.h"

/** Whose the attribute dicts are. */
struct attribute_dicts {
	const struct heap *heap;
	struct heap_referrers referrers;
	/** Owners that took labels to find, by dict + 1. */
	struct addr_map owners;
	/** Dicts of modules, by module + 1, and the number of the reference to each. */
	struct addr_map module_dicts;
	struct addr_map module_numbers;
};

/** A module's dict is its own here, too, for all that functions refer to it. */
MUST_USE struct error *attributes_init(const struct heap *heap,
				       const struct heap_referrers *referrers,
				       struct attribute_dicts *ret);
void attributes_deinit(struct attribute_dicts *attributes);
#define _cleanup_attributes_ CLEANUP(attributes_deinit)

/** Whose attribute dict @a object is: @a object itself when it is nobody's. Where more than one object
 *  refers to a dict, labels tell which of them it belongs to. */
MUST_USE struct error *attributes_owner(struct attribute_dicts *attributes, uint32_t object,
					uint32_t *ret);

/** The attribute dict of @a object and the number of the reference to it; HEAP_NO_OBJECT when it has
 *  none of its own. */
MUST_USE struct error *attributes_dict(struct attribute_dicts *attributes, uint32_t object,
				       uint32_t *ret, uint32_t *ret_number);

#endif
