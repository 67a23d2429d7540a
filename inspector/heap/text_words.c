// SPDX-License-Identifier: GPL-3.0-or-later
#include "heap/text_words.h"

const char *const text_edge_kinds[4] = {
	[HEAP_EDGE_GC] = "gc",
	[HEAP_EDGE_OWNED] = "owned",
	[HEAP_EDGE_GUESS] = "guess",
	[HEAP_EDGE_WEAK] = "weak",
};

const char *const text_root_kinds[HEAP_ROOT_KIND_COUNT] = {
	[HEAP_ROOT_MODULE] = "module",     [HEAP_ROOT_FRAME] = "frame",
	[HEAP_ROOT_THREAD] = "thread",     [HEAP_ROOT_INTERPRETER] = "interpreter",
	[HEAP_ROOT_INTERNED] = "interned", [HEAP_ROOT_STATIC_TYPE] = "static-type",
	[HEAP_ROOT_GARBAGE] = "garbage",   [HEAP_ROOT_C_VARIABLE] = "c-variable",
	[HEAP_ROOT_C_STACK] = "c-stack",   [HEAP_ROOT_C_MEMORY] = "c-memory",
};

const char *const text_finalizers[4] = {
	[HEAP_FINALIZER_NONE] = "none",
	[HEAP_FINALIZER_DEL] = "del",
	[HEAP_FINALIZER_LEGACY] = "legacy",
	[HEAP_FINALIZER_BUILTIN] = "builtin",
};

const struct text_flag text_flags[] = {
	{"tracked", HEAP_TRACKED},
	{"frozen", HEAP_FROZEN},
	{"immortal", HEAP_IMMORTAL},
	{"static", HEAP_STATIC},
	{"legacy", HEAP_LEGACY_FINALIZER},
	{"finalized", HEAP_FINALIZED},
	{"part", HEAP_PART},
	{NULL, 0},
};
