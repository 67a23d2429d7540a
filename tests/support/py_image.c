// SPDX-License-Identifier: GPL-3.0-or-later
#include "support/py_image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "support/py_objects.h"

enum {
	STATICS_BYTES = 2 << 20,
	HEAP_BYTES = 1 << 20,
	ARENA_BYTES = 256 << 10,
	OUTSIDE_BYTES = 512 << 10,
	BLOCK_BYTES_MAX = 512,
	ARENA_OBJECTS = 4,
	/** What stands in the heap before the first chunk of a test's: malloc's own tcache. */
	TCACHE_BYTES = 0x280,
	METHOD_CACHE_ENTRIES = 4096,
};

static const addr_t STATICS_AT = 0x555555000000;
static const addr_t HEAP_AT = 0x555556000000;
// Aligned to a page, not to a large pool.
static const addr_t ARENA_AT = 0x7f1234501000;
static const addr_t OUTSIDE_AT = 0x7f2000000000;

static const char MAPS[] = "555555000000-555555200000 rw-p 00000000 08:01 7 /usr/bin/python\n"
			   "555556000000-555556100000 rw-p 00000000 00:00 0 [heap]\n"
			   "7f1234501000-7f1234541000 rw-p 00000000 00:00 0 \n"
			   "7f2000000000-7f2000010000 rw-p 00000000 08:01 8 /usr/lib/other.so\n";

// A mistake of the test, not of what it tests.
__attribute__((noreturn)) static void image_fail(const char *what)
{
	fprintf(stderr, "py_image: %s\n", what);
	abort();
}

struct mem_source *py_image_source(const struct py_image *image)
{
	return fake_source_source(image->fake);
}

static void memory_init(struct py_image *image, struct py_image_memory *memory, addr_t start,
			size_t bytes)
{
	*memory = (struct py_image_memory){.start = start, .bytes = bytes, .next = start};
	memory->data = calloc(1, bytes);
	if (!memory->data)
		image_fail("no memory");
	fake_source_add(image->fake, start, memory->data, bytes);
}

static addr_t memory_take(struct py_image_memory *memory, size_t bytes)
{
	addr_t at = memory->next;

	memory->next += (bytes + 15) & ~15UL;
	if (memory->next > memory->start + memory->bytes)
		image_fail("the statics or what is outside are full");
	return at;
}

void *py_image_at(const struct py_image *image, addr_t at)
{
	const struct py_image_memory *const memories[] = {&image->statics, &image->arena,
							  &image->outside};

	for (size_t i = 0; i < sizeof(memories) / sizeof(memories[0]); i++)
		if (at >= memories[i]->start && at - memories[i]->start < memories[i]->bytes)
			return memories[i]->data + (at - memories[i]->start);
	if (at < image->heap.start || at >= image->heap.end)
		image_fail("nothing is at that address");
	return image->heap.bytes + (at - image->heap.start);
}

uint64_t *py_image_word(const struct py_image *image, addr_t at)
{
	return py_image_at(image, at);
}

void py_image_set(const struct py_image *image, addr_t at, struct py_field field, uint64_t value)
{
	size_t bytes = field.size < 8 ? field.size : 8;
	unsigned char *place = py_image_at(image, at + field.offset);

	if (!field.present)
		image_fail("that era has no such field");
	if (field.bit_count) {
		uint64_t word = 0, mask = ((1ULL << field.bit_count) - 1) << field.bit_offset;
		memcpy(&word, place, bytes);
		value = (word & ~mask) | (value << field.bit_offset & mask);
	}
	memcpy(place, &value, bytes);
}

uint64_t py_image_get(const struct py_image *image, addr_t at, struct py_field field)
{
	return py_get(py_image_at(image, at), field);
}

addr_t py_image_alloc_static(struct py_image *image, size_t bytes)
{
	return memory_take(&image->statics, bytes);
}

addr_t py_image_alloc_outside(struct py_image *image, size_t bytes)
{
	return memory_take(&image->outside, bytes);
}

addr_t py_image_pool_of(const struct py_image *image, addr_t block)
{
	return block - block % image->pool_bytes;
}

static addr_t pool_create(struct py_image *image, size_t size_class)
{
	const struct py_layout *layout = &image->layout;
	uint32_t block_bytes = ((uint32_t)size_class + 1) * image->alignment_bytes;
	addr_t pool = image->arena.next + (image->pool_bytes - 1);

	pool -= pool % image->pool_bytes;
	image->arena.next = pool + image->pool_bytes;
	if (image->arena.next > image->arena.start + image->arena.bytes)
		image_fail("the arena is full");
	py_image_set(image, image->arenas, layout->f.arena_pool_address, image->arena.next);
	py_image_set(image, pool, layout->f.pool_szidx, size_class);
	py_image_set(image, pool, layout->f.pool_nextoffset, layout->size.pool_header);
	py_image_set(image, pool, layout->f.pool_maxnextoffset, image->pool_bytes - block_bytes);
	return pool;
}

static addr_t pool_alloc(struct py_image *image, size_t bytes)
{
	const struct py_layout *layout = &image->layout;
	size_t size_class = bytes ? (bytes - 1) / image->alignment_bytes : 0;
	uint64_t block_bytes = (size_class + 1) * image->alignment_bytes;
	addr_t pool = image->pool[size_class];

	if (!pool ||
	    py_image_get(image, pool, layout->f.pool_nextoffset) + block_bytes > image->pool_bytes)
		pool = image->pool[size_class] = pool_create(image, size_class);
	uint64_t next = py_image_get(image, pool, layout->f.pool_nextoffset);
	uint64_t used = py_image_get(image, pool, layout->f.pool_count);
	py_image_set(image, pool, layout->f.pool_nextoffset, next + block_bytes);
	py_image_set(image, pool, layout->f.pool_count, used + 1);
	return pool + next;
}

addr_t py_image_alloc(struct py_image *image, size_t bytes)
{
	if (bytes > BLOCK_BYTES_MAX)
		return fake_heap_add(&image->heap, bytes);
	return pool_alloc(image, bytes);
}

void py_image_free(struct py_image *image, addr_t block)
{
	const struct py_layout *layout = &image->layout;
	addr_t pool = py_image_pool_of(image, block);

	*py_image_word(image, block) = py_image_get(image, pool, layout->f.pool_freeblock);
	py_image_set(image, pool, layout->f.pool_freeblock, block);
	py_image_set(image, pool, layout->f.pool_count,
		     py_image_get(image, pool, layout->f.pool_count) - 1);
}

static void image_set_refs(const struct py_image *image, addr_t head, int64_t refs)
{
	const struct py_layout *layout = &image->layout;

	py_image_set(image, head, layout->f.gc_refs, (uint64_t)refs << layout->gc_refs_shift);
}

uint32_t py_image_presize(const struct py_image *image, addr_t type)
{
	uint64_t flags = py_image_get(image, type, image->layout.f.type_flags);

	return (flags & PY_TYPE_GC ? image->layout.size.gc_head : 0) +
	       (flags & image->layout.preheader_flags ? 16 : 0);
}

struct py_image_made *py_image_made(struct py_image *image, addr_t type)
{
	for (size_t i = 0; i < image->made_count; i++)
		if (image->made[i].type == type)
			return &image->made[i];
	if (image->made_count == PY_IMAGE_MADE_MAX)
		image_fail("too many types");
	image->made[image->made_count++] = (struct py_image_made){.type = type};
	return &image->made[image->made_count - 1];
}

addr_t py_image_head(const struct py_image *image, addr_t object)
{
	return object - image->layout.size.gc_head;
}

addr_t py_image_object_in(struct py_image *image, addr_t block, addr_t type)
{
	const struct py_layout *layout = &image->layout;
	addr_t object = block + py_image_presize(image, type);

	py_image_set(image, object, layout->f.object_refcnt, 1);
	py_image_set(image, object, layout->f.object_type, type);
	// _PyGC_REFS_UNTRACKED
	if (layout->f.gc_refs.present &&
	    py_image_get(image, type, layout->f.type_flags) & PY_TYPE_GC)
		image_set_refs(image, py_image_head(image, object), -2);
	py_image_made(image, type)->count++;
	return object;
}

addr_t py_image_object(struct py_image *image, addr_t type, size_t bytes)
{
	return py_image_object_in(
		image, py_image_alloc(image, bytes + py_image_presize(image, type)), type);
}

// Links keep the flags in their low bits.
static void image_link(const struct py_image *image, addr_t head, struct py_field field, addr_t to)
{
	py_image_set(image, head, field, to | (py_image_get(image, head, field) & 3));
}

void py_image_track_in(struct py_image *image, addr_t object, addr_t head)
{
	const struct py_layout *layout = &image->layout;
	addr_t self = py_image_head(image, object);
	addr_t last = py_image_get(image, head, layout->f.gc_prev) & ~3UL;

	image_link(image, last, layout->f.gc_next, self);
	image_link(image, self, layout->f.gc_prev, last);
	image_link(image, self, layout->f.gc_next, head);
	image_link(image, head, layout->f.gc_prev, self);
	// _PyGC_REFS_REACHABLE
	if (layout->f.gc_refs.present)
		image_set_refs(image, self, -3);
	py_image_made(image, py_image_get(image, object, layout->f.object_type))->tracked++;
}

void py_image_track(struct py_image *image, addr_t object)
{
	py_image_track_in(image, object, image->generation[0]);
}

void py_image_untrack(struct py_image *image, addr_t object)
{
	const struct py_layout *layout = &image->layout;
	addr_t self = py_image_head(image, object);
	addr_t next = py_image_get(image, self, layout->f.gc_next) & ~3UL;
	addr_t prev = py_image_get(image, self, layout->f.gc_prev) & ~3UL;

	image_link(image, prev, layout->f.gc_next, next);
	image_link(image, next, layout->f.gc_prev, prev);
	py_image_set(image, self, layout->f.gc_next, 0);
	if (layout->f.gc_refs.present)
		image_set_refs(image, self, -2);
	py_image_made(image, py_image_get(image, object, layout->f.object_type))->tracked--;
}

static void image_variable(struct py_image *image, const char *name, const char *type, addr_t at,
			   size_t bytes)
{
	fake_layout_set_variable(
		image->fields, name, type,
		&(struct layout_variable){.address = at, .size_bytes = (uint32_t)bytes});
}

static addr_t image_new_variable(struct py_image *image, const char *name, const char *type,
				 size_t bytes)
{
	addr_t at = py_image_alloc_static(image, bytes);

	image_variable(image, name, type, at, bytes);
	return at;
}

static bool image_has_type(const struct py_image *image, enum py_image_type type)
{
	return image->era == PY_ERA_27 ? type != IMAGE_ORDERED_DICT : type < IMAGE_INT2;
}

// Variables that the structs at hand ask for, as in that era.
static void image_place_variables(struct py_image *image)
{
	static const struct {
		enum py_image_type type;
		const char *variable;
	} types[] = {
		{IMAGE_TYPE, "PyType_Type"},           {IMAGE_SET, "PySet_Type"},
		{IMAGE_FROZENSET, "PyFrozenSet_Type"}, {IMAGE_BYTEARRAY, "PyByteArray_Type"},
		{IMAGE_FLOAT, "PyFloat_Type"},         {IMAGE_INT2, "PyInt_Type"},
		{IMAGE_INSTANCE2, "PyInstance_Type"},  {IMAGE_ORDERED_DICT, "PyODict_Type"},
	};
	const struct fake_layout *fields = image->fields;
	size_t type_bytes = fake_layout_size(fields, "PyTypeObject");
	size_t runtime_bytes = fake_layout_size(fields, "pyruntimestate");
	bool is_old = runtime_bytes == 0;

	for (size_t i = 0; i < IMAGE_TYPES; i++)
		image->type[i] = py_image_alloc_static(image, type_bytes);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (image_has_type(image, types[i].type))
			image_variable(image, types[i].variable, NULL, image->type[types[i].type],
				       type_bytes);
	image->interpreter = py_image_alloc_static(image, fake_layout_size(fields, "_is"));
	image->thread = py_image_alloc_static(image, fake_layout_size(fields, "_ts"));
	if (!is_old) {
		image_new_variable(image, "_PyRuntime", NULL, runtime_bytes);
	} else {
		image_new_variable(image, "interp_head", "_is", 8);
		image_new_variable(image, "generations", "gc_generation",
				   PY_IMAGE_GENERATIONS *
					   fake_layout_size(fields, "gc_generation"));
		image->collecting = image_new_variable(image, "collecting", NULL, 4);
		image_new_variable(image, "enabled", NULL, 4);
		image_new_variable(image, "debug", NULL, 4);
		image_new_variable(image, "garbage", NULL, 8);
	}
	if (!fake_layout_size(fields, "_obmalloc_state")) {
		image_new_variable(image, "arenas", "arena_object", 8);
		image_new_variable(image, "maxarenas", NULL, 4);
	}
	size_t entry_bytes = fake_layout_size(fields, "method_cache_entry");
	if (entry_bytes)
		image_new_variable(image, "method_cache", "method_cache_entry",
				   METHOD_CACHE_ENTRIES * entry_bytes);
	if (image->era == PY_ERA_27) {
		image_new_variable(image, "block_list", "_intblock", 8);
		image_new_variable(image, "block_list", "_floatblock", 8);
	}
}

static void image_place_gc(struct py_image *image)
{
	const struct py_layout *layout = &image->layout;
	addr_t gc = layout->f.interp_gc.present ? image->interpreter + layout->f.interp_gc.offset
						: layout->var.runtime + layout->f.runtime_gc.offset;
	addr_t generations = layout->var.generations;

	if (!generations) {
		generations = gc + layout->f.gc_generations.offset;
		image->permanent = gc + layout->f.gc_permanent.offset;
		image->collecting = gc + layout->f.gc_collecting.offset;
		py_image_set(image, gc, layout->f.gc_enabled, 1);
	} else {
		*(uint32_t *)py_image_at(image, layout->var.gc_enabled) = 1;
	}
	for (size_t i = 0; i <= PY_IMAGE_GENERATIONS; i++) {
		bool frozen = i == PY_IMAGE_GENERATIONS;
		addr_t head = frozen ? image->permanent : generations + i * layout->size.generation;
		if (!frozen)
			image->generation[i] = head;
		if (!head)
			continue;
		py_image_set(image, head, layout->f.generation_threshold, i ? 10 : 700);
		py_image_set(image, head, layout->f.gc_next, head);
		py_image_set(image, head, layout->f.gc_prev, head);
	}
}

static void image_place_arena(struct py_image *image)
{
	const struct py_layout *layout = &image->layout;

	image->arenas = py_image_alloc_static(image, ARENA_OBJECTS * layout->size.arena);
	py_image_set(image, image->arenas, layout->f.arena_address, image->arena.start);
	py_image_set(image, image->arenas, layout->f.arena_pool_address, image->arena.start);
	if (layout->var.arenas) {
		*py_image_word(image, layout->var.arenas) = image->arenas;
		*(uint32_t *)py_image_at(image, layout->var.maxarenas) = ARENA_OBJECTS;
		return;
	}
	addr_t state = image->interpreter + layout->f.interp_obmalloc.offset;
	if (layout->f.interp_obmalloc.is_pointer) {
		// Only its end is asked about.
		addr_t apart = py_image_alloc_static(image, 4096);
		*py_image_word(image, state) = apart;
		state = apart;
	}
	py_image_set(image, state, layout->f.obmalloc_arenas, image->arenas);
	py_image_set(image, state, layout->f.obmalloc_maxarenas, ARENA_OBJECTS);
}

static void image_place_interpreter(struct py_image *image)
{
	const struct py_layout *layout = &image->layout;
	char version[64];

	if (layout->var.interp_head)
		*py_image_word(image, layout->var.interp_head) = image->interpreter;
	else
		py_image_set(image, layout->var.runtime, layout->f.runtime_interpreters,
			     image->interpreter);
	py_image_set(image, image->interpreter, layout->f.interp_tstate_head, image->thread);
	py_image_set(image, image->thread, layout->f.tstate_thread_id, 0x7f0000001740);
	snprintf(version, sizeof(version), "%s.99 (main, a day) [GCC]", py_era_name(image->era));
	struct py_image_item item = {py_image_str(image, "version"), py_image_str(image, version)};
	py_image_set(image, image->interpreter, layout->f.interp_sysdict,
		     py_image_dict(image, PY_IMAGE_COMBINED, &item, 1));
}

struct py_image *py_image_create(enum py_era era)
{
	struct py_image *image = calloc(1, sizeof(*image));
	unsigned char *heap = malloc(HEAP_BYTES);

	if (!image || !heap)
		image_fail("no memory");
	image->era = era;
	image->pool_bytes = era >= PY_ERA_311 ? 16 << 10 : 4 << 10;
	image->alignment_bytes = era >= PY_ERA_38 ? 16 : 8;
	image->fake = fake_source_create();
	fake_source_set_maps(image->fake, MAPS);
	memory_init(image, &image->statics, STATICS_AT, STATICS_BYTES);
	memory_init(image, &image->arena, ARENA_AT, ARENA_BYTES);
	memory_init(image, &image->outside, OUTSIDE_AT, OUTSIDE_BYTES);
	fake_heap_init(&image->heap, HEAP_AT, heap, HEAP_BYTES, 0);
	fake_source_add(image->fake, HEAP_AT, heap, HEAP_BYTES);
	fake_heap_add(&image->heap, TCACHE_BYTES);

	image->fields = fake_layout_create();
	py_era_describe(era, image->fields);
	image_place_variables(image);
	struct error *error = py_layout_fill(fake_layout_source(image->fields), 0, &image->layout);
	if (!error)
		error = mem_window_create(py_image_source(image), &image->window);
	if (error)
		image_fail(error->message);
	image_place_gc(image);
	image_place_arena(image);
	py_image_place_types(image);
	image_place_interpreter(image);
	return image;
}

void py_image_destroy(struct py_image *image)
{
	if (!image)
		return;
	mem_window_destroy(image->window);
	fake_layout_destroy(image->fields);
	fake_source_destroy(image->fake);
	free(image->statics.data);
	free(image->arena.data);
	free(image->outside.data);
	free(image->heap.bytes);
	free(image);
}

void py_image_cleanup(struct py_image **image)
{
	py_image_destroy(*image);
}
