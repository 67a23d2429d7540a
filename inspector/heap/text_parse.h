/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HEAP_TEXT_PARSE_H
#define HEAP_TEXT_PARSE_H

/*
 * The lines of a heap as text, taken apart and checked one by one; what they mean together is left to
 * heap_text_parse().
 */

#include "base/addr_map.h"
#include "heap/heap.h"
#include "heap/text_line.h"

struct parsed_type {
	struct heap_type row;
	char *name;
	/** It has a line of its own. */
	bool announced;
	/** The one before it with the same hash of its name, plus 1; 0 ends the list. */
	uint32_t same_hash;
};

struct parsed_object {
	struct heap_object row;
	bool has_size;
	bool has_refs;
};

struct parsed_edge {
	addr_t from;
	struct heap_reference to;
	size_t line;
	/** Owned; NULL without. */
	char *label;
};

struct parsed_root {
	struct heap_root row;
	char *name;
};

struct parsed_leak {
	addr_t at;
	uint32_t count;
};

/** Zero-initialised is empty. */
struct parsed_heap {
	struct text_line line;
	size_t line_number;
	struct parsed_type *types;
	size_t type_count, types_capacity;
	/** Hash of a name to the last type with it, plus 1; address of a type to it. */
	struct addr_map types_by_hash, types_by_at;
	struct parsed_object *objects;
	size_t object_count, objects_capacity;
	struct addr_map objects_by_at;
	struct parsed_edge *edges;
	size_t edge_count, edges_capacity;
	struct parsed_root *roots;
	size_t root_count, roots_capacity;
	struct parsed_leak *leaks;
	size_t leak_count, leaks_capacity;
	struct heap_collector collector;
};

/** ERROR_FAILED with the number of the line that makes no sense. */
MUST_USE struct error *parsed_heap_read(struct parsed_heap *parsed, const char *text);
void parsed_heap_deinit(struct parsed_heap *parsed);

#endif
