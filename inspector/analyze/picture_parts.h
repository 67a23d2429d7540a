/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ANALYZE_PICTURE_PARTS_H
#define ANALYZE_PICTURE_PARTS_H

/*
 * What the parts of picture.h share. Private to analyze/.
 */

#include "analyze/attribute.h"
#include "analyze/picture.h"
#include "base/addr_map.h"
#include "base/bits.h"

/** An object one step from a node. */
struct neighbour {
	uint32_t object;
	/** Only weak references lead there, or from there. */
	bool is_weak;
	/** How many of its type come before it, and how many there are. */
	uint32_t rank;
	uint32_t of_type;
};

/** A growing list of them. */
struct neighbours {
	struct neighbour *list;
	size_t count;
	size_t capacity;
};

struct painter {
	const struct heap *heap;
	const struct picture_question *question;
	struct picture *picture;
	struct attribute_dicts attributes;
	/** Object + 1 to its node. */
	struct addr_map nodes;
	/** A bit per object: it is a class; it is shown, or the attribute dict of what is. */
	uint64_t *classes;
	uint64_t *shown;
	/** Numbers of roots by object. */
	uint32_t *roots;
	struct neighbours neighbours;
};

/** The node of @a object, or false. */
static inline bool painter_find(const struct painter *painter, uint32_t object, uint32_t *ret)
{
	return addr_map_get(&painter->nodes, (addr_t)object + 1, ret);
}

/** Whether the reference of @a from to @a to is left out: one to its own class, and nobody asked. */
bool painter_is_class_reference(const struct painter *painter, uint32_t from, uint32_t to);

/** Sets painter.neighbours: who is one step from @a node on @a way, each once, strong ones first, by
 *  object. */
MUST_USE struct error *painter_look(struct painter *painter, uint32_t node, enum picture_way way);

/** Sorts them by type, weak ones last. */
void painter_group(struct painter *painter);

/** Puts those first that are to be shown before the others. */
void painter_rank(struct painter *painter);

/** Makes painter.roots. */
MUST_USE struct error *painter_sort_roots(struct painter *painter);

/** Whether a root of @a kinds (bit 1 << enum heap_root_kind) holds @a object. */
bool painter_has_root(const struct painter *painter, uint32_t object, unsigned kinds);

/** Adds the roots of objects that were met among holders. */
MUST_USE struct error *painter_add_roots(struct painter *painter);

/** Adds all references among what is shown. */
MUST_USE struct error *painter_connect(struct painter *painter);

#endif
