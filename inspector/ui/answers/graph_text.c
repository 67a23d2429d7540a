// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/answers/graph_text.h"

#include <string.h>

#include "base/cleanup.h"

const char *graph_edge_kind_name(enum heap_edge_kind kind)
{
	static const char *const names[] = {
		[HEAP_EDGE_GC] = "gc",
		[HEAP_EDGE_OWNED] = "owned",
		[HEAP_EDGE_GUESS] = "guess",
		[HEAP_EDGE_WEAK] = "weak",
	};

	return names[kind];
}

const char *graph_finalizer_name(enum heap_finalizer finalizer)
{
	static const char *const names[] = {
		[HEAP_FINALIZER_NONE] = NULL,
		[HEAP_FINALIZER_DEL] = "del",
		[HEAP_FINALIZER_LEGACY] = "legacy",
		[HEAP_FINALIZER_BUILTIN] = "builtin",
	};

	return names[finalizer];
}

const char *graph_object_finalizer(const struct heap *heap, uint32_t object)
{
	const char *name = graph_finalizer_name(heap_finalizer(heap, object));

	if (!name && heap->flags[object] & HEAP_LEGACY_FINALIZER)
		return graph_finalizer_name(HEAP_FINALIZER_LEGACY);
	return name;
}

int graph_object_generation(const struct heap *heap, uint32_t object)
{
	enum { GENERATIONS = 3 };
	int generation = (heap->flags[object] & HEAP_GENERATION_MASK) >> HEAP_GENERATION_SHIFT;

	return generation > GENERATIONS ? -1 : generation - 1;
}

/** What a kind of root is called. */
struct graph_root_words {
	const char *program;
	const char *person;
};

static const struct graph_root_words graph_roots[HEAP_ROOT_KIND_COUNT] = {
	[HEAP_ROOT_MODULE] = {"module", "module"},
	// Their names say it: "thread 4711 in handle() at web.py:42".
	[HEAP_ROOT_FRAME] = {"frame", ""},
	[HEAP_ROOT_THREAD] = {"thread", ""},
	[HEAP_ROOT_INTERPRETER] = {"interpreter", "interpreter"},
	[HEAP_ROOT_INTERNED] = {"interned", "interned strings"},
	[HEAP_ROOT_STATIC_TYPE] = {"static-type", "static type"},
	[HEAP_ROOT_GARBAGE] = {"garbage", "gc.garbage"},
	[HEAP_ROOT_C_VARIABLE] = {"c-variable", "C variable"},
	[HEAP_ROOT_C_STACK] = {"c-stack", "C stack"},
	[HEAP_ROOT_C_MEMORY] = {"c-memory", "C memory"},
};

const char *graph_root_kind_name(enum heap_root_kind kind)
{
	return graph_roots[kind].program;
}

struct error *graph_root_label(const struct heap_root_row *root, struct text *into)
{
	const char *kind = graph_roots[root->kind].person;
	bool named = *root->name && strcmp(root->name, kind) != 0;
	struct error *error = text_appendf(into, "%s%s", kind, *kind && named ? " " : "");

	return error || !named ? error : heap_root_name(root, into);
}

struct error *graph_repr(struct inspected *inspected, uint32_t object, size_t chars_max,
			 struct text *into)
{
	struct error *error = inspected_describe(inspected, object, chars_max, into);

	// What cannot be read of one object is no reason to be silent about the others.
	if (error && error->code == ERROR_FAULT) {
		error_destroy(error);
		return NULL;
	}
	return error;
}
