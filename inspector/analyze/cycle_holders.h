/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ANALYZE_CYCLE_HOLDERS_H
#define ANALYZE_CYCLE_HOLDERS_H

/*
 * Who holds reachable cycles: in one pass over all references, as asking for the referrers of a few
 * objects takes a table of those of all. Private to analyze/.
 */

#include "analyze/components.h"
#include "analyze/cycles.h"

/** Sets holder and held of the reachable rows. @a examples has the component of each row's example. */
MUST_USE struct error *cycle_holders_find(const struct heap *heap, const struct garbage *garbage,
					  const struct components *components,
					  const uint32_t *examples, struct cycles *cycles);

#endif
