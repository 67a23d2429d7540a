// SPDX-License-Identifier: GPL-3.0-or-later
#include "support/py_graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "heap/builder.h"
#include "support/py_code.h"
#include "support/scratch.h"
#include "targets/cpython/scan/walk.h"

/** Where a type keeps what stands behind its traversal: its tp_clear, which nobody else reads. */
enum { BEHIND = 192, PAGE_BYTES = 4096, SUBTYPE_TRAVERSE_BYTES = 16, DICT_TRAVERSE_BYTES = 2048 };

/*
 * Classes written in Python are known by the names of these two. What one visits is at the address in
 * its class's tp_clear: mov 8(%rdi),%rax; jmp *192(%rax).
 */
__asm__(".text\n"
	".globl subtype_traverse\n"
	".type subtype_traverse, @function\n"
	"subtype_traverse:\n"
	"	.byte 0x48, 0x8b, 0x47, 0x08, 0xff, 0xa0, 0xc0, 0x00, 0x00, 0x00\n"
	".size subtype_traverse, . - subtype_traverse\n"
	".globl subtype_dealloc.lto_priv.0\n"
	".type subtype_dealloc.lto_priv.0, @function\n"
	"subtype_dealloc.lto_priv.0:\n"
	"	.byte 0xc3\n"
	".size subtype_dealloc.lto_priv.0, . - subtype_dealloc.lto_priv.0\n");
extern const unsigned char subtype_traverse[];
extern const unsigned char subtype_dealloc[] __asm__("subtype_dealloc.lto_priv.0");

/* Structs for the debug information of this program. */

typedef struct _object {
	long ob_refcnt;
	struct _object *ob_type;
} PyObject;

typedef struct {
	PyObject base;
	PyObject *owner;
	PyObject *items[2];
	struct {
		PyObject *label;
	} inner;
	PyObject *basket_weaklist;
	void *raw;
	PyObject *next;
	PyObject *prev;
} basket;

typedef struct _PyWeakReference {
	PyObject base;
	PyObject *wr_object;
	PyObject *wr_callback;
	long hash;
	struct _PyWeakReference *wr_prev;
	struct _PyWeakReference *wr_next;
} PyWeakReference;

typedef struct {
	PyObject base;
	long hash;
	unsigned char hastzinfo;
	PyObject *tzinfo;
} moment;

_Static_assert(sizeof(basket) == PY_GRAPH_BASKET_BYTES, "as py_graph.h says");

void py_graph_basket_dealloc(void *object)
{
	basket *volatile self = object;

	self->owner = NULL;
}

void py_graph_weakref_dealloc(void *object)
{
	PyWeakReference *volatile self = object;

	self->wr_callback = NULL;
}

void py_graph_moment_dealloc(void *object)
{
	moment *volatile self = object;

	self->tzinfo = NULL;
}

/** What dict_traverse() has to know of an era's dicts. */
struct dict_shape {
	uint32_t is_python2;
	uint32_t keys;
	uint32_t values;
	uint32_t first_value;
	uint32_t has_embedded;
	uint32_t entry_count;
	uint32_t entries;
	/** 0 where a slot count tells the width of the index. */
	uint32_t log2_index;
	uint32_t kind;
	uint32_t has_unicode_entries;
	uint64_t general_kind;
};

typedef int visit_function(void *object, void *argument);

/** Of functions that run on the image, never in the test, and so without what checks the test. */
#define ON_IMAGE \
	__attribute__((no_sanitize("address", "undefined"), no_profile_instrument_function))

ON_IMAGE static inline uint64_t code_word(const char *at)
{
	return *(const uint64_t *)(const void *)at;
}

// dict_traverse() of each version.
ON_IMAGE int py_graph_dict_traverse(const char *self, visit_function *visit, void *argument);
int py_graph_dict_traverse(const char *self, visit_function *visit, void *argument)
{
	const char *type = *(const char *const *)(const void *)(self + 8);
	const struct dict_shape *shape =
		*(const struct dict_shape *const *)(const void *)(type + BEHIND);
	const char *keys = *(const char *const *)(const void *)(self + shape->keys);
	const char *values = NULL, *entries = keys;
	uint64_t count, stride = 24, key_offset = 8;
	bool visits_keys = true;

	if (shape->is_python2) {
		count = code_word(self + shape->entry_count) + 1;
	} else {
		uint64_t kind = shape->log2_index ? *(const unsigned char *)(keys + shape->kind)
						  : code_word(keys + shape->kind);
		uint64_t index = shape->log2_index
					 ? 1UL << *(const unsigned char *)(keys + shape->log2_index)
					 : code_word(keys + 8);
		count = code_word(keys + shape->entry_count);
		entries = keys + shape->entries + index;
		values = *(const char *const *)(const void *)(self + shape->values);
		visits_keys = kind == shape->general_kind;
		if (shape->has_unicode_entries && !visits_keys) {
			stride = 16;
			key_offset = 0;
		}
		if (values && shape->has_embedded && values[2])
			return 0;
	}
	for (uint64_t i = 0; i < count; i++) {
		const char *entry = entries + i * stride + key_offset;
		uint64_t value = values ? code_word(values + shape->first_value + i * 8)
					: code_word(entry + 8);
		if (value && visits_keys)
			visit((void *)(uintptr_t)code_word(entry), argument);
		if (value)
			visit((void *)(uintptr_t)value, argument);
	}
	return 0;
}

static void graph_succeeds(struct error *error)
{
	if (error)
		fail_msg("%s", error->message);
}

struct module_list *py_graph_own_modules(void)
{
	static struct module_list *modules;

	if (!modules) {
		size_t bytes = 0;
		_cleanup_free_ char *text = scratch_read("/proc/self/maps", &bytes);
		struct maps maps = {0};
		graph_succeeds(maps_parse(text, bytes, &maps));
		graph_succeeds(module_list_create(&maps, getpid(), &modules));
		maps_deinit(&maps);
	}
	return modules;
}

static addr_t graph_lower(addr_t a, addr_t b)
{
	return a < b ? a : b;
}

// The pages of this program in which the two traversals stand become memory of the image.
static void graph_lend_code(struct py_graph *graph)
{
	addr_t dict = (addr_t)(uintptr_t)py_graph_dict_traverse;
	addr_t subtype = (addr_t)(uintptr_t)subtype_traverse;
	addr_t start = graph_lower(dict, subtype) & ~(addr_t)(PAGE_BYTES - 1);
	addr_t dict_end = dict + DICT_TRAVERSE_BYTES,
	       subtype_end = subtype + SUBTYPE_TRAVERSE_BYTES;
	addr_t end = (dict_end > subtype_end ? dict_end : subtype_end) | (PAGE_BYTES - 1);

	fake_source_add(graph->image->fake, start, (const void *)(uintptr_t)start,
			(size_t)(end + 1 - start));
}

static void graph_set_word(struct py_graph *graph, addr_t at, addr_t to)
{
	*py_image_word(graph->image, at) = to;
}

static void graph_place_dict(struct py_graph *graph)
{
	struct py_image *image = graph->image;
	const struct py_layout *layout = &image->layout;
	addr_t at = py_image_alloc_static(image, sizeof(struct dict_shape));
	bool is_new = layout->f.keys_log2_index_bytes.present;

	*(struct dict_shape *)py_image_at(image, at) = (struct dict_shape){
		.is_python2 = layout->is_python2,
		.keys = layout->is_python2 ? layout->f.dict_table.offset
					   : layout->f.dict_keys.offset,
		.values = layout->f.dict_values.offset,
		.first_value = layout->f.values_values.offset,
		.has_embedded = layout->f.values_embedded.present,
		.entry_count = layout->is_python2 ? layout->f.dict_mask.offset
						  : layout->f.keys_nentries.offset,
		.entries = layout->f.keys_indices.offset,
		.log2_index = is_new ? layout->f.keys_log2_index_bytes.offset : 0,
		.kind = is_new ? layout->f.keys_kind.offset : layout->f.keys_lookup.offset,
		.has_unicode_entries = layout->f.unicode_entry_key.present,
		.general_kind = is_new ? 0 : PY_IMAGE_LOOKUP_AT + 16 * PY_IMAGE_GENERAL,
	};
	graph_set_word(graph, image->type[IMAGE_DICT] + BEHIND, at);
	py_image_set(image, image->type[IMAGE_DICT], layout->f.type_traverse,
		     (addr_t)(uintptr_t)py_graph_dict_traverse);
}

static void graph_place_types(struct py_graph *graph)
{
	struct py_image *image = graph->image;
	struct py_layout *layout = &image->layout;
	const int32_t of_class[] = {
		(int32_t)layout->f.type_dict.offset,
		(int32_t)layout->f.type_mro.offset,
		(int32_t)layout->f.type_base.offset,
	};
	const int32_t of_weakref[] = {(int32_t)layout->f.weakref_callback.offset};

	layout->var.list_type = image->type[IMAGE_LIST];
	layout->var.tuple_type = image->type[IMAGE_TUPLE];
	layout->var.dict_type = image->type[IMAGE_DICT];
	py_image_set(image, image->type[IMAGE_LIST], layout->f.type_traverse,
		     py_code_visit_list(image));
	py_image_set(image, image->type[IMAGE_TUPLE], layout->f.type_traverse,
		     py_code_visit_tuple(image));
	py_image_set(image, image->type[IMAGE_TYPE], layout->f.type_traverse,
		     py_code_visit_members(image, of_class, 3));
	graph_place_dict(graph);
	graph->weakref_type = py_graph_static_type(
		graph, "weakref", fake_layout_size(image->fields, "PyWeakReference"),
		py_code_visit_members(image, of_weakref, 1), py_graph_weakref_dealloc);
	layout->var.weakref_type = graph->weakref_type;
}

struct py_graph *py_graph_create(enum py_era era)
{
	struct py_graph *graph = calloc(1, sizeof(*graph));

	if (!graph)
		abort();
	graph->image = py_image_create(era);
	graph->modules = py_graph_own_modules();
	graph_lend_code(graph);
	graph_place_types(graph);
	return graph;
}

void py_graph_forget(struct py_graph *graph)
{
	py_edges_destroy(graph->edges);
	py_plans_destroy(graph->context.plans);
	py_types_destroy(graph->types);
	graph->edges = NULL;
	graph->context = (struct py_edges_context){0};
	graph->types = NULL;
}

void py_graph_destroy(struct py_graph *graph)
{
	if (!graph)
		return;
	py_graph_forget(graph);
	py_image_destroy(graph->image);
	free(graph);
}

void py_graph_cleanup(struct py_graph **graph)
{
	py_graph_destroy(*graph);
}

void py_graph_set_visits(struct py_graph *graph, addr_t class, addr_t visits)
{
	graph_set_word(graph, class + BEHIND, visits);
}

addr_t py_graph_class(struct py_graph *graph, const char *name, uint64_t basicsize, uint64_t flags,
		      const struct py_image_slot *slots, size_t slot_count, addr_t visits)
{
	struct py_image *image = graph->image;
	const struct py_layout *layout = &image->layout;
	addr_t class = py_image_slotted_class(image, "shop", name, basicsize, flags | PY_TYPE_GC,
					      slots, slot_count);

	py_image_set(image, class, layout->f.type_traverse, (addr_t)(uintptr_t)subtype_traverse);
	py_image_set(image, class, layout->f.type_dealloc, (addr_t)(uintptr_t)subtype_dealloc);
	py_graph_set_visits(graph, class, visits);
	return class;
}

addr_t py_graph_static_type(struct py_graph *graph, const char *name, uint64_t basicsize,
			    addr_t traverse_at, void (*dealloc)(void *))
{
	struct py_image *image = graph->image;
	addr_t type = py_image_static_type(image, name, basicsize, 0, PY_TYPE_GC);

	py_image_set(image, type, image->layout.f.type_traverse, traverse_at);
	py_image_set(image, type, image->layout.f.type_dealloc, (addr_t)(uintptr_t)dealloc);
	return type;
}

addr_t py_graph_object(struct py_graph *graph, addr_t type)
{
	struct py_image *image = graph->image;
	uint64_t bytes = py_image_get(image, type, image->layout.f.type_basicsize);
	addr_t at = py_image_object(image, type, bytes);

	py_image_track(image, at);
	return at;
}

addr_t py_graph_str(struct py_graph *graph, const char *text)
{
	return py_image_str(graph->image, text);
}

static void graph_prepare(struct py_graph *graph)
{
	const struct py_layout *layout = &graph->image->layout;

	mem_window_clear(graph->image->window);
	if (!graph->types) {
		graph_succeeds(py_types_create(layout, &graph->types));
		graph->context = (struct py_edges_context){
			.layout = layout,
			.source = py_image_source(graph->image),
		};
		graph_succeeds(py_plans_create(layout, graph->modules, &graph->context.plans));
	}
	// With windows of its own: the image may have changed.
	py_edges_destroy(graph->edges);
	graph->edges = NULL;
	graph_succeeds(py_edges_create(&graph->context, true, &graph->edges));
}

const struct heap_reference *py_graph_collect(struct py_graph *graph, addr_t at, size_t *ret_count)
{
	const struct py_image *image = graph->image;

	graph_prepare(graph);
	const struct py_type *type = py_types_look_up(
		graph->types, image->window, py_image_get(image, at, image->layout.f.object_type));
	assert_non_null(type);
	const struct heap_reference *list = py_edges_collect(graph->edges, type, at, ret_count);
	graph_succeeds(py_edges_take_error(graph->edges));
	graph_succeeds(py_plans_take_error(graph->context.plans));
	return list;
}

static int graph_compare(const void *a, const void *b)
{
	const struct heap_reference *left = a, *right = b;

	if (left->to != right->to)
		return left->to > right->to ? 1 : -1;
	return (left->kind > right->kind) - (left->kind < right->kind);
}

static void graph_print(const char *what, const struct heap_reference *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		print_error("%s: 0x%llx, kind %u%s\n", what, (unsigned long long)list[i].to,
			    list[i].kind & 3, list[i].kind & HEAP_REFERENCE_PART ? ", part" : "");
}

void py_graph_expect(struct py_graph *graph, addr_t at, const struct heap_reference *expected,
		     size_t count)
{
	size_t found_count = 0;
	const struct heap_reference *list = py_graph_collect(graph, at, &found_count);
	_cleanup_free_ struct heap_reference *found = calloc(found_count + 1, sizeof(*found));
	_cleanup_free_ struct heap_reference *wanted = calloc(count + 1, sizeof(*wanted));

	for (size_t i = 0; i < found_count; i++)
		found[i] = list[i];
	for (size_t i = 0; i < count; i++)
		wanted[i] = expected[i];
	qsort(found, found_count, sizeof(*found), graph_compare);
	qsort(wanted, count, sizeof(*wanted), graph_compare);
	bool same = found_count == count;
	for (size_t i = 0; same && i < count; i++)
		same = graph_compare(&found[i], &wanted[i]) == 0;
	if (same)
		return;
	graph_print("expected", wanted, count);
	graph_print("found", found, found_count);
	fail_msg("%s: not the references of the object at 0x%llx", py_era_name(graph->image->era),
		 (unsigned long long)at);
}

struct error *py_graph_try_walk(struct py_graph *graph, enum target_effort effort,
				struct target_verdict *verdict, struct heap **ret)
{
	const struct py_walk_context context = {
		.layout = &graph->image->layout,
		.source = py_image_source(graph->image),
		.modules = graph->modules,
		.thread_count = 1,
	};
	struct heap_sink *builder;
	struct error *error = heap_builder_create(1, &builder);

	*ret = NULL;
	if (error)
		return error;
	error = py_walk(&context, builder, effort, verdict);
	if (!error)
		error = heap_builder_finish(builder, ret);
	heap_sink_destroy(builder);
	return error;
}

struct heap *py_graph_walk(struct py_graph *graph)
{
	struct target_verdict verdict;
	struct heap *heap;

	graph_succeeds(py_graph_try_walk(graph, TARGET_EFFORT_FIRST, &verdict, &heap));
	if (!verdict.consistent)
		fail_msg("%s: %s", py_era_name(graph->image->era), verdict.reason);
	return heap;
}

size_t py_graph_count(const struct heap *heap, addr_t from, addr_t to, enum heap_edge_kind kind)
{
	uint32_t object = heap_find(heap, from), target = heap_find(heap, to);
	size_t count = 0;

	if (object == HEAP_NO_OBJECT || target == HEAP_NO_OBJECT)
		return 0;
	for (uint32_t i = 0; i < heap_edge_count(heap, object); i++)
		count += heap_edges(heap, object)[i] == heap_edge_make(target, kind);
	return count;
}
