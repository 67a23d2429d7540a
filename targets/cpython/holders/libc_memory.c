// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/holders/libc_memory.h"

#include <stddef.h>
#include <stdio.h>

#include "targets/cpython/holders/owned_memory.h"
#include "targets/cpython/scan/blocks.h"

enum {
	/** No process has more files open. */
	STREAMS_MAX = 1 << 20,
	/** Words of a table of the dynamic linker's among which its block is, and such tables in a row. */
	TABLE_HEADER_WORDS = 8,
	TABLES_MAX = 64,
};

static addr_t libc_find(struct module *module, const char *name)
{
	bool present = false;
	addr_t at;

	// A file that cannot be read has no symbol.
	error_destroy(module_symbol(module, name, &present, &at));
	return present ? at : 0;
}

// The struct of a stream is public, for getc() was a macro once, and has not changed since glibc 2.1.
static void libc_streams(struct py_scan *scan, addr_t list_at)
{
	addr_t at = mem_window_word(scan->window, list_at, 0);

	for (int count = 0; at && count < STREAMS_MAX; count++) {
		py_unused_block(scan,
				mem_window_word(scan->window,
						at + offsetof(struct _IO_FILE, _IO_buf_base), 0));
		at = mem_window_word(scan->window, at + offsetof(struct _IO_FILE, _chain), 0);
	}
}

/*
 * elf/dl-find_object.c, since 2.35: a chain of tables, aligned within larger blocks: the table before,
 * the block itself, and numbers come first.
 */
static void libc_tables(struct py_scan *scan, addr_t at)
{
	const struct py_blocks blocks = {scan->layout, scan->window, scan->arenas, scan->regions};
	struct mem_window *window = scan->window;

	for (int count = 0; at && count < TABLES_MAX; count++) {
		addr_t next = mem_window_word(window, at, 0);
		for (int i = 1; i < TABLE_HEADER_WORDS; i++) {
			addr_t block_at = mem_window_word(window, at + i * sizeof(addr_t), 0);
			if (block_at <= at && py_block_end(&blocks, block_at) > at) {
				py_unused_block(scan, block_at);
				break;
			}
		}
		at = next;
	}
}

void py_unused_of_libc(struct py_scan *scan, struct module_list *modules)
{
	for (size_t i = 0; modules && i < modules->count; i++) {
		struct module *module = &modules->list[i];
		addr_t streams_at = libc_find(module, "_IO_list_all");
		addr_t tables_at = libc_find(module, "_dlfo_loaded_mappings");

		if (streams_at)
			libc_streams(scan, streams_at);
		// Two, one of which is in use.
		for (int table = 0; tables_at && table < 2; table++)
			libc_tables(scan, mem_window_word(scan->window,
							  tables_at + table * sizeof(addr_t), 0));
	}
}
