// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/scan/int_blocks.h"

#include <inttypes.h>

#include "targets/cpython/holders/owned_memory.h"

/** A block is a kilobyte: 16 GiB of numbers. A chain that is longer has a loop. */
static const uint64_t BLOCKS_MAX = 1 << 24;

struct block_chain {
	addr_t head_variable;
	addr_t type_at;
	uint32_t block_bytes;
	uint32_t object_bytes;
	struct py_field next;
	struct py_field objects;
};

static void int_blocks_scan_chain(struct py_scan *scan, const struct block_chain *chain)
{
	const struct py_layout *layout = scan->layout;
	const struct py_type *type =
		py_types_find(scan->types, &scan->cache, scan->window, chain->type_at);
	addr_t at = mem_window_word(scan->window, chain->head_variable, 0);

	if (!type || !chain->block_bytes || !chain->object_bytes)
		return;
	for (uint64_t count = 0; at && !scan->error; count++) {
		const unsigned char *block =
			count < BLOCKS_MAX ? mem_window_at(scan->window, at, chain->block_bytes)
					   : NULL;
		if (!block) {
			py_scan_problem(scan, HEAP_PROBLEM_TRUNCATED, at,
					"the chain of number blocks breaks at 0x%" PRIx64, at);
			return;
		}
		addr_t next = py_get(block, chain->next);
		// What a number is may look like an address: id() tells those.
		if (scan->mode == PY_SCAN_COUNT_WORDS) {
			py_unused_block(scan, at);
			at = next;
			continue;
		}
		for (uint32_t offset = chain->objects.offset;
		     offset + chain->object_bytes <= chain->objects.offset + chain->objects.size;
		     offset += chain->object_bytes) {
			const unsigned char *object = block + offset;
			// A free one has the next free one for its type.
			if (py_get(object, layout->f.object_type) == chain->type_at &&
			    py_get(object, layout->f.object_refcnt) != 0)
				py_scan_plain_object(scan, type, object, at + offset);
		}
		at = next;
	}
}

void py_int_blocks_scan(struct py_scan *scan)
{
	const struct py_layout *layout = scan->layout;
	const struct block_chain chains[] = {
		{layout->var.int_blocks, layout->var.int_type, layout->size.intblock,
		 layout->size.int_object, layout->f.intblock_next, layout->f.intblock_objects},
		{layout->var.float_blocks, layout->var.float_type, layout->size.floatblock,
		 layout->size.float_object, layout->f.floatblock_next,
		 layout->f.floatblock_objects},
	};

	for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++)
		if (chains[i].head_variable && chains[i].next.present && chains[i].objects.present)
			int_blocks_scan_chain(scan, &chains[i]);
}
