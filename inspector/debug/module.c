// SPDX-License-Identifier: GPL-3.0-or-later
#include "debug/module.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/addr_map.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "debug/debug_file.h"
#include "debug/dwarf_types.h"
#include "debug/layout_cache.h"
#include "debug/mapped_file.h"
#include "mem/core/corefile.h"
#include "mem/process.h"

struct module_state {
	char *path;
	struct mapped_file mapped;
	/** The first executable mapping. */
	addr_t code_at;
	uint64_t code_offset;
	struct elf_file *elf;
	/** The path it was opened by. */
	char *elf_path;
	/** The separate debug file; NULL when the file has its own DWARF, or none was found. */
	struct elf_file *debug_elf;
	/** The file with the DWARF. */
	char *debug_path;
	/** Why there is none: not to be searched again with every question. */
	struct error *debug_error;
	struct layout_source *layout;
	/** There was nothing to make one from: not to be searched again with every question. */
	bool has_no_layout;
};

struct module_range {
	addr_t start;
	addr_t end;
	uint32_t number;
};

/** What a struct module_list is the first member of. */
struct module_table {
	struct module_list modules;
	/** In address order: every mapping of a module. */
	struct module_range *ranges;
	size_t range_count;
	size_t range_capacity;
};

static void state_destroy(struct module_state *state)
{
	if (!state)
		return;
	layout_source_destroy(state->layout);
	elf_file_close(state->debug_elf);
	elf_file_close(state->elf);
	error_destroy(state->debug_error);
	free(state->debug_path);
	free(state->elf_path);
	free(state->path);
	free(state);
}

void module_list_destroy(struct module_list *modules)
{
	struct module_table *table = (struct module_table *)modules;

	if (!table)
		return;
	for (size_t i = 0; i < modules->count; i++)
		state_destroy(modules->list[i].state);
	free(modules->list);
	free(table->ranges);
	free(table);
}

static bool mapping_is_of(const struct mapping *mapping, const struct module *module)
{
	const struct mapped_file *file = &module->state->mapped;

	return mapping->inode == file->inode && mapping->device_major == file->device_major &&
	       mapping->device_minor == file->device_minor &&
	       strcmp(mapping->path, file->path) == 0;
}

static struct error *module_append(struct module_list *modules, const struct mapping *mapping)
{
	struct error *error = array_reserve(&modules->list, &modules->capacity, modules->count + 1,
					    sizeof(*modules->list));

	if (error)
		return error;
	struct module_state *state = calloc(1, sizeof(*state));
	if (!state)
		return error_no_memory();
	state->path = strdup(mapping->path);
	if (!state->path) {
		free(state);
		return error_no_memory();
	}
	state->mapped = (struct mapped_file){
		.path = state->path,
		.pid = modules->pid,
		.core = modules->core,
		.inode = mapping->inode,
		.device_major = mapping->device_major,
		.device_minor = mapping->device_minor,
	};
	modules->list[modules->count++] = (struct module){
		.path = state->path,
		.start = mapping->start,
		.state = state,
	};
	return NULL;
}

static void mapping_note(struct module *module, const struct mapping *mapping)
{
	struct module_state *state = module->state;
	bool has_code = module->flags & MAPPING_EXEC;

	// A file may be mapped once more for other reasons (to be read): the first page that counts
	// is the last one before the code.
	if (mapping->file_offset == 0 && !has_code)
		state->mapped.header_at = mapping->start;
	if ((mapping->flags & MAPPING_EXEC) && !has_code) {
		state->code_at = mapping->start;
		state->code_offset = mapping->file_offset;
		state->mapped.start = mapping->start;
		state->mapped.end = mapping->end;
	}
	module->end = mapping->end;
	module->flags |= mapping->flags;
}

/** Finds or appends the module of @a mapping; @a numbers maps a hash of the inode to the last. */
static struct error *mapping_add(struct module_table *table, struct addr_map *numbers,
				 const struct mapping *mapping)
{
	struct module_list *modules = &table->modules;
	uint64_t key = addr_hash(mapping->inode) ^
		       ((uint64_t)mapping->device_major << 32 | mapping->device_minor);
	uint32_t number = 0;
	struct error *error = NULL;

	key |= 1;
	if (!addr_map_get(numbers, key, &number) ||
	    !mapping_is_of(mapping, &modules->list[number])) {
		number = (uint32_t)modules->count;
		error = module_append(modules, mapping);
		if (!error)
			error = addr_map_put(numbers, key, number);
	}
	if (!error)
		error = array_reserve(&table->ranges, &table->range_capacity,
				      table->range_count + 1, sizeof(*table->ranges));
	if (error)
		return error;
	mapping_note(&modules->list[number], mapping);
	table->ranges[table->range_count++] =
		(struct module_range){mapping->start, mapping->end, number};
	return NULL;
}

// What goes with a core file may be on another machine. Who asks finds no module then, as for code that is
// nobody's, and the core tells what is missing.
static bool module_is_here(const struct module *module)
{
	const struct mapped_file *mapped = &module->state->mapped;
	const char *path = NULL;

	if (mapped->core)
		error_destroy(mem_corefile_file(mapped->core, mapped->start, &path));
	return !mapped->core || path;
}

/** Drops what has no code: locale archives, mapped data; and what cannot be had. */
static struct error *modules_filter(struct module_table *table)
{
	struct module_list *modules = &table->modules;
	size_t count = 0, range_count = 0;
	_cleanup_free_ uint32_t *numbers = calloc(modules->count + 1, sizeof(*numbers));

	if (!numbers)
		return error_no_memory();
	for (size_t i = 0; i < modules->count; i++) {
		struct module module = modules->list[i];
		numbers[i] = UINT32_MAX;
		if ((module.flags & MAPPING_EXEC) && module_is_here(&module)) {
			numbers[i] = (uint32_t)count;
			modules->list[count++] = module;
		} else {
			state_destroy(module.state);
		}
	}
	modules->count = count;
	for (size_t i = 0; i < table->range_count; i++) {
		struct module_range range = table->ranges[i];
		range.number = numbers[range.number];
		if (range.number != UINT32_MAX)
			table->ranges[range_count++] = range;
	}
	table->range_count = range_count;
	return NULL;
}

static struct error *list_create(const struct maps *maps, pid_t pid, const struct mem_source *core,
				 struct module_list **ret)
{
	struct module_table *table = calloc(1, sizeof(*table));
	CLEANUP(addr_map_deinit) struct addr_map numbers = {0};
	struct error *error = NULL;

	if (!table)
		return error_no_memory();
	table->modules.pid = pid;
	table->modules.core = core;
	for (size_t i = 0; !error && i < maps->count; i++)
		if (maps->list[i].path[0] == '/' && maps->list[i].inode != 0)
			error = mapping_add(table, &numbers, &maps->list[i]);
	if (!error)
		error = modules_filter(table);
	if (error) {
		module_list_destroy(&table->modules);
		return error;
	}
	*ret = &table->modules;
	return NULL;
}

struct error *module_list_create(const struct maps *maps, pid_t pid, struct module_list **ret)
{
	pid_t thread = 0;
	struct error *error = pid ? process_memory_thread(pid, &thread) : NULL;

	return error ? error : list_create(maps, thread, NULL, ret);
}

struct error *module_list_create_of_core(const struct maps *maps, const struct mem_source *core,
					 struct module_list **ret)
{
	return list_create(maps, 0, core, ret);
}

struct module *module_list_find(struct module_list *modules, addr_t at)
{
	const struct module_table *table = (const struct module_table *)modules;
	size_t low = 0, high = table->range_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct module_range *range = &table->ranges[middle];
		if (at >= range->start && at < range->end)
			return &modules->list[range->number];
		if (at < range->start)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

struct error *module_elf(struct module *module, const struct elf_file **ret)
{
	struct module_state *state = module->state;

	if (!state->elf) {
		struct error *error =
			mapped_file_open(&state->mapped, &state->elf_path, &state->elf);
		if (error)
			return error;
	}
	*ret = state->elf;
	return NULL;
}

struct error *module_bias(struct module *module, addr_t *ret)
{
	const struct module_state *state = module->state;
	const struct elf_file *elf;
	bool present = false;
	struct error *error = module_elf(module, &elf);

	if (error)
		return error;
	int64_t delta = elf_file_segment_delta(elf, state->code_offset, true, &present);
	if (!present)
		return error_create(ERROR_FAILED,
				    "%s is mapped at %#" PRIx64 " from offset %#" PRIx64
				    ", where it has no code; it has been changed since the process "
				    "started: restart the process",
				    module->path, state->code_at, state->code_offset);
	*ret = state->code_at - state->code_offset - (uint64_t)delta;
	return NULL;
}

/** Sets `debug_path`, or fails as debug_file_find(). */
static struct error *debug_find(struct module_state *state)
{
	const struct debug_query query = {
		.path = state->path,
		.elf = state->elf,
		.pid = state->mapped.pid,
	};

	if (state->debug_path)
		return NULL;
	if (!state->debug_error) {
		if (!elf_file_has_dwarf(state->elf)) {
			state->debug_error =
				debug_file_find(&query, &state->debug_path, &state->debug_elf);
		} else {
			state->debug_path = strdup(state->elf_path);
			if (!state->debug_path)
				return error_no_memory();
		}
		if (!state->debug_error)
			return NULL;
	}
	return error_create(state->debug_error->code, "%s", state->debug_error->message);
}

// Without a debug file there is nowhere else to look; a damaged one might have had the symbol.
static struct error *debug_find_symbols(struct module_state *state)
{
	struct error *error = debug_find(state);

	if (!error || error->code != ERROR_UNSUPPORTED)
		return error;
	error_destroy(error);
	return NULL;
}

struct error *module_symbol(struct module *module, const char *name, bool *present, addr_t *ret)
{
	const struct module_state *state = module->state;
	const struct elf_file *elf;
	addr_t address = 0, bias = 0;
	uint64_t bytes = 0;
	struct error *error = module_bias(module, &bias);

	*present = false;
	if (!error)
		error = module_elf(module, &elf);
	if (error)
		return error;
	*present = elf_file_symbol(elf, name, &address, &bytes);
	if (!*present) {
		error = debug_find_symbols(module->state);
		if (error)
			return error;
		*present = state->debug_elf &&
			   elf_file_symbol(state->debug_elf, name, &address, &bytes);
	}
	if (*present)
		*ret = address + bias;
	return NULL;
}

struct error *module_is_symbol(struct module *module, const char *name, addr_t at, bool *ret)
{
	const struct module_state *state = module->state;
	const struct elf_file *elf;
	addr_t bias = 0;
	struct error *error = module_bias(module, &bias);

	*ret = false;
	if (!error)
		error = module_elf(module, &elf);
	if (!error)
		error = elf_file_is_symbol(elf, name, at - bias, ret);
	if (error || *ret)
		return error;
	error = debug_find_symbols(module->state);
	if (!error && state->debug_elf)
		error = elf_file_is_symbol(state->debug_elf, name, at - bias, ret);
	return error;
}

struct error *module_symbol_at(struct module *module, addr_t at, const char **ret,
			       uint64_t *ret_distance)
{
	const struct module_state *state = module->state;
	const struct elf_file *elf;
	addr_t bias = 0;
	struct error *error = module_bias(module, &bias);

	*ret = NULL;
	if (!error)
		error = module_elf(module, &elf);
	if (error)
		return error;
	*ret = elf_file_symbol_at(elf, at - bias, ret_distance);
	if (*ret)
		return NULL;
	error = debug_find_symbols(module->state);
	if (!error && state->debug_elf)
		*ret = elf_file_symbol_at(state->debug_elf, at - bias, ret_distance);
	return error;
}

/** The slow way to a layout: `context` is a struct module_state. */
static struct error *dwarf_open(void *context, struct layout_source **ret)
{
	struct module_state *state = context;
	struct error *error = debug_find(state);

	return error ? error : dwarf_types_create(state->debug_path, ret);
}

static void layout_cleanup(struct layout_source **layout)
{
	layout_source_destroy(*layout);
}

struct error *module_layout(struct module *module, struct layout_source **ret)
{
	struct module_state *state = module->state;
	const struct elf_file *elf;
	struct error *error = NULL;

	if (state->has_no_layout) {
		error = debug_find(state);
		if (error)
			return error;
	}
	if (!state->layout) {
		_cleanup_error_ struct error *missing = NULL;
		CLEANUP(layout_cleanup) struct layout_source *layout = NULL;
		const struct layout_cache_backing backing = {dwarf_open, state};
		error = module_elf(module, &elf);
		if (!error)
			error = layout_cache_create(elf_file_build_id(elf), &backing, &layout);
		if (error)
			return error;
		missing = debug_find(state);
		// What was saved of it is good even when the debug file has gone since.
		state->has_no_layout = missing && layout_cache_is_empty(layout);
		if (state->has_no_layout)
			return take_ptr(missing);
		state->layout = take_ptr(layout);
	}
	*ret = state->layout;
	return NULL;
}

const char *module_debug_path(const struct module *module)
{
	return module->state->layout ? module->state->debug_path : NULL;
}

struct error *module_list_save(struct module_list *modules)
{
	struct error *first = NULL;

	for (size_t i = 0; i < modules->count; i++) {
		struct layout_source *layout = modules->list[i].state->layout;
		struct error *error = layout ? layout_cache_save(layout) : NULL;
		if (first)
			error_destroy(error);
		else
			first = error;
	}
	return first;
}
