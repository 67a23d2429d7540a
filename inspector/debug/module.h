/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DEBUG_MODULE_H
#define DEBUG_MODULE_H

/*
 * The ELF files mapped into a process: which file, at which bias, and where its debug information
 * is (in itself, by build-id, by debuglink; on our side and under the process's own root). ELF
 * files are opened and layouts made when first asked for, and only for the modules asked about.
 *
 * LEAKINSPECT_DEBUG_PATH in the environment names further directories for debug files, separated by
 * colons, each laid out like /usr/lib/debug and searched before it.
 */

#include <stddef.h>
#include <sys/types.h>

#include "debug/elf_file.h"
#include "debug/layout.h"
#include "mem/maps.h"

struct module {
	/** As the process sees it. */
	const char *path;
	/** [start, end) of all its mappings. */
	addr_t start;
	addr_t end;
	/** Bit set of mapping_flags over all its mappings. */
	uint32_t flags;
	/** The rest is module.c's. */
	struct module_state *state;
};

struct mem_source;

struct module_list {
	struct module *list;
	size_t count;
	size_t capacity;
	pid_t pid;
	/** NULL but for those of a core file. */
	const struct mem_source *core;
};

/**
 * Groups the file-backed mappings of @a maps that have an executable one. @a pid is the process
 * whose /proc/PID/map_files, /proc/PID/root and /proc/PID/exe are used to open exactly the file
 * that is mapped, even when it has been replaced on disk (those of another thread, where its main thread
 * has ended); 0 opens paths as they are.
 */
MUST_USE struct error *module_list_create(const struct maps *maps, pid_t pid,
					  struct module_list **ret);
/** The same of @a core (mem/core/corefile.h), which says where on our side each file is, and must outlive the
 *  list. Files that are not there, or are others, are no modules of it. */
MUST_USE struct error *module_list_create_of_core(const struct maps *maps,
						  const struct mem_source *core,
						  struct module_list **ret);
/** Takes NULL. */
void module_list_destroy(struct module_list *modules);

/** The module whose mappings hold @a at, or NULL. */
struct module *module_list_find(struct module_list *modules, addr_t at);

/** Opened on first use, owned by the module. ERROR_FAILED when the file on disk is not the one that
 *  is mapped and the latter cannot be had. */
MUST_USE struct error *module_elf(struct module *module, const struct elf_file **ret);

/** What is added to an address of the ELF file to get one of the process. */
MUST_USE struct error *module_bias(struct module *module, addr_t *ret);

/** Runtime address of a symbol, from the file or its separate debug file; *@a present false when
 *  neither has it. */
MUST_USE struct error *module_symbol(struct module *module, const char *name, bool *present,
				     addr_t *ret);

/** Whether a symbol @a name, from the file or its separate debug file, begins at the runtime address
 *  @a at, but for a suffix that the compiler added. */
MUST_USE struct error *module_is_symbol(struct module *module, const char *name, addr_t at,
					bool *ret);

/** The symbol that covers the runtime address @a at, from the file or its separate debug file, and
 *  the distance from its start; *@a ret is NULL when there is none. It lives as long as
 *  the module. */
MUST_USE struct error *module_symbol_at(struct module *module, addr_t at, const char **ret,
					uint64_t *ret_distance);

/**
 * The layouts of this module: its saved layout, with DWARF behind it. Owned by the module.
 * ERROR_UNSUPPORTED when there is no debug information: the message names the places looked at, the
 * build-id, and on Debian and its like the package that has it ("apt install python3.11-dbg") where
 * the file's name tells it; ERROR_FAILED when there is only a damaged debug file.
 */
MUST_USE struct error *module_layout(struct module *module, struct layout_source **ret);

/** The file with the debug information, NULL before module_layout() succeeded. */
const char *module_debug_path(const struct module *module);

/** Saves the layouts learned meanwhile. */
MUST_USE struct error *module_list_save(struct module_list *modules);

#endif
