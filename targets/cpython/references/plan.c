// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/references/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "debug/object_members.h"
#include "mem/window.h"
#include "targets/cpython/objects/dict.h"

enum {
	/** Chains of base types. */
	CHAIN_MAX = 64,
	/** Kinds of key tables there are (four functions, or three numbers). */
	KEY_KINDS_MAX = 16,
	/** Words of an object looked at where nothing else is known. */
	GUESS_WORDS_MAX = 64,
	/** T_OBJECT_EX of structmember.h: a slot of a class written in Python. */
	MEMBER_OBJECT_EX = 16,
};

struct key_kind {
	uint64_t kind;
	bool visits;
};

struct py_plans {
	const struct py_layout *layout;
	struct module_list *modules;
	pthread_mutex_t lock;
	/** By type id. */
	struct py_plan **list;
	size_t capacity;
	struct key_kind key_kinds[KEY_KINDS_MAX];
	atomic_uint key_kind_count;
	struct error *error;
};

struct error *py_plans_create(const struct py_layout *layout, struct module_list *modules,
			      struct py_plans **ret)
{
	struct py_plans *plans = calloc(1, sizeof(*plans));

	if (!plans)
		return error_no_memory();
	plans->layout = layout;
	plans->modules = modules;
	pthread_mutex_init(&plans->lock, NULL);
	*ret = plans;
	return NULL;
}

void py_plans_destroy(struct py_plans *plans)
{
	if (!plans)
		return;
	for (size_t i = 0; i < plans->capacity; i++) {
		if (!plans->list[i])
			continue;
		free(plans->list[i]->slots);
		free(plans->list[i]->owned);
		free(plans->list[i]);
	}
	free(plans->list);
	error_destroy(plans->error);
	pthread_mutex_destroy(&plans->lock);
	free(plans);
}

static void plans_fail(struct py_plans *plans, struct error *error)
{
	if (plans->error)
		error_destroy(error);
	else
		plans->error = error;
}

static addr_t plan_type_word(const struct py_plans *plans, struct mem_window *window,
			     addr_t type_at, struct py_field field)
{
	return mem_window_word(window, type_at + field.offset, 0);
}

// The name without what a compiler hangs on to it ("subtype_traverse.lto_priv.0").
static bool plan_is_function(struct py_plans *plans, addr_t at, const char *name)
{
	struct module *module = plans->modules ? module_list_find(plans->modules, at) : NULL;
	bool is_symbol = false;

	// A file without symbols is run instead of known.
	if (module)
		error_destroy(module_is_symbol(module, name, at, &is_symbol));
	return is_symbol;
}

static struct error *plan_add_slot(struct py_plan *plan, size_t *capacity, struct py_slot slot)
{
	struct error *error =
		array_reserve(&plan->slots, capacity, plan->slot_count + 1, sizeof(*plan->slots));

	if (!error)
		plan->slots[plan->slot_count++] = slot;
	return error;
}

/*
 * The slots that a class itself has: PyMemberDefs behind the class object, as many as its ob_size
 * says (PyHeapType_GET_MEMBERS() of Objects/typeobject.c).
 */
static struct error *plan_read_slots(struct py_plans *plans, struct mem_window *window,
				     struct py_plan *plan, addr_t type_at, size_t *capacity)
{
	const struct py_layout *layout = plans->layout;
	uint64_t count = plan_type_word(plans, window, type_at, layout->f.var_size);
	addr_t meta_at = plan_type_word(plans, window, type_at, layout->f.object_type);
	uint64_t meta_bytes = plan_type_word(plans, window, meta_at, layout->f.type_basicsize);
	struct error *error = NULL;

	if (count > PY_PLAN_SLOTS_MAX)
		return NULL;
	for (uint64_t i = 0; !error && i < count; i++) {
		unsigned char member[256];
		addr_t at = type_at + meta_bytes + i * layout->size.memberdef;
		if (layout->size.memberdef > sizeof(member) ||
		    !mem_window_read(window, at, member, layout->size.memberdef))
			break;
		uint64_t offset = py_get(member, layout->f.memberdef_offset);
		if ((int32_t)py_get(member, layout->f.memberdef_type) == MEMBER_OBJECT_EX &&
		    offset < plan->type->basicsize)
			error = plan_add_slot(
				plan, capacity,
				(struct py_slot){(uint32_t)offset,
						 py_get(member, layout->f.memberdef_name)});
	}
	return error;
}

// Which of the layouts that are read directly a traversal is; by that of the type it belongs to.
static enum py_visit plan_visit(const struct py_plans *plans, struct mem_window *window,
				addr_t traverse_at)
{
	const struct py_layout *layout = plans->layout;
	struct {
		addr_t type_at;
		enum py_visit visit;
	} const known[] = {
		{layout->var.list_type, PY_VISIT_LIST},
		{layout->var.tuple_type, PY_VISIT_TUPLE},
		{layout->var.dict_type, PY_VISIT_DICT},
	};

	if (!traverse_at)
		return PY_VISIT_NOTHING;
	for (size_t i = 0; i < ARRAY_COUNT(known); i++)
		if (known[i].type_at && plan_type_word(plans, window, known[i].type_at,
						       layout->f.type_traverse) == traverse_at)
			return known[i].visit;
	return PY_VISIT_RUN;
}

// subtype_traverse(): slots of the classes up to the first base that is none, and the dict.
static struct error *plan_instance(struct py_plans *plans, struct mem_window *window,
				   struct py_plan *plan)
{
	const struct py_layout *layout = plans->layout;
	addr_t base_at = plan->type->at, traverse_at = plan->traverse_at;
	struct error *error = NULL;
	size_t capacity = 0;

	for (int i = 0; !error && i < CHAIN_MAX && base_at && traverse_at == plan->traverse_at;
	     i++) {
		error = plan_read_slots(plans, window, plan, base_at, &capacity);
		base_at = plan_type_word(plans, window, base_at, layout->f.type_base);
		traverse_at =
			base_at ? plan_type_word(plans, window, base_at, layout->f.type_traverse)
				: 0;
	}
	plan->is_instance = true;
	plan->visit = plan_visit(plans, window, traverse_at);
	int64_t own =
		(int64_t)plan_type_word(plans, window, plan->type->at, layout->f.type_dictoffset);
	int64_t inherited =
		base_at ? (int64_t)plan_type_word(plans, window, base_at, layout->f.type_dictoffset)
			: 0;
	plan->managed_dict = plan->type->flags & layout->managed_dict_flag;
	plan->inline_values = plan->type->flags & layout->inline_values_flag;
	if (!plan->managed_dict && own != inherited)
		plan->dict_offset = own;
	return error;
}

/*
 * Members that point to an object and do not own it, where the name alone tells: lists of weak
 * references, links to neighbours, what a frame says of its generator, and the first word of what
 * is no array of objects alone.
 */
static bool plan_is_borrowed(const struct object_members *members, const char *name)
{
	static const char *const borrowed[] = {
		"f_gen",
		"wr_next",
		"wr_prev",
		"gi_iframe",
		"cr_iframe",
		"ag_iframe",
		"_f_frame_data",
		"f_localsplus",
		"_spec_cache.getitem",
		"_spec_cache.init",
	};
	const char *last = strrchr(name, '.');

	last = last ? last + 1 : name;
	if (strstr(name, "weak"))
		return true;
	for (size_t i = 0; i < ARRAY_COUNT(borrowed); i++)
		if (strcmp(name, borrowed[i]) == 0 || strcmp(last, borrowed[i]) == 0)
			return true;
	bool is_next = strcmp(last, "next") == 0, is_prev = strcmp(last, "prev") == 0;
	for (size_t i = 0; (is_next || is_prev) && i < members->count; i++)
		if (strcmp(members->list[i].name, is_next ? "prev" : "next") == 0)
			return true;
	return false;
}

static struct error *plan_add_owned(struct py_plan *plan, struct py_owned owned)
{
	struct error *error = array_reserve(&plan->owned, &plan->owned_capacity,
					    plan->owned_count + 1, sizeof(*plan->owned));

	if (!error)
		plan->owned[plan->owned_count++] = owned;
	return error;
}

// A naive datetime is shorter than its struct: `tzinfo` is there when `hastzinfo` says so.
static uint32_t plan_guard(struct module *module, const struct object_members *members,
			   const char *name)
{
	struct layout_source *source;
	struct layout_member member;
	bool present = false;

	if (strcmp(name, "tzinfo") != 0)
		return 0;
	struct error *error = module_layout(module, &source);
	if (!error)
		error = layout_member(source, members->struct_name, "hastzinfo", &present, &member);
	error_destroy(error);
	return !error && present ? member.offset_bytes : 0;
}

static struct error *plan_add_members(struct py_plans *plans, struct py_plan *plan,
				      struct module *module, const struct object_members *members,
				      uint64_t weaklist_offset, uint64_t end)
{
	bool is_weakref = strcmp(members->struct_name, "PyWeakReference") == 0 ||
			  strcmp(members->struct_name, "_PyWeakReference") == 0;
	struct error *error = NULL;

	plan->struct_name = members->struct_name;
	for (size_t i = 0; !error && i < members->count; i++) {
		const struct object_member *member = &members->list[i];
		enum heap_edge_kind kind = HEAP_EDGE_OWNED;
		if (is_weakref && member->offset_bytes == plans->layout->f.weakref_object.offset)
			kind = HEAP_EDGE_WEAK;
		else if (plan_is_borrowed(members, member->name) ||
			 (weaklist_offset && member->offset_bytes == weaklist_offset) ||
			 member->offset_bytes + sizeof(addr_t) > end)
			continue;
		error = plan_add_owned(
			plan, (struct py_owned){
				      .offset = member->offset_bytes,
				      .count = member->count ? member->count : 1,
				      .kind = kind,
				      .name = member->name,
				      .guard_offset = plan_guard(module, members, member->name),
			      });
	}
	return error;
}

static struct error *plan_add_guesses(struct py_plans *plans, struct py_plan *plan,
				      uint64_t weaklist_offset, uint64_t begin, uint64_t end)
{
	struct error *error = NULL;

	for (uint64_t offset = begin; !error && offset + sizeof(addr_t) <= end &&
				      offset < begin + GUESS_WORDS_MAX * sizeof(addr_t);
	     offset += sizeof(addr_t)) {
		if (weaklist_offset && offset == weaklist_offset)
			continue;
		error = plan_add_owned(
			plan,
			(struct py_owned){.offset = offset, .count = 1, .kind = HEAP_EDGE_GUESS});
	}
	return error;
}

// Objects of these are known through and through.
static bool plan_owns_nothing_else(const struct py_plan *plan)
{
	switch (plan->type->shape) {
	case PY_SHAPE_STR:
	case PY_SHAPE_UNICODE2:
	case PY_SHAPE_BYTES2:
	case PY_SHAPE_LONG:
	case PY_SHAPE_LIST:
	case PY_SHAPE_SET:
	case PY_SHAPE_BYTEARRAY:
	case PY_SHAPE_DICT:
		return true;
	case PY_SHAPE_PLAIN:
		return plan->visit == PY_VISIT_TUPLE || plan->type->flags & PY_TYPE_BYTES;
	case PY_SHAPE_ORDERED_DICT:
	case PY_SHAPE_DEQUE:
	case PY_SHAPE_TYPE:
	case PY_SHAPE_INSTANCE2:
		break;
	}
	return false;
}

// What tp_dealloc or tp_traverse call the object: the answer that is just as large, or the larger one.
static struct error *plan_find_members(struct py_plans *plans, struct mem_window *window,
				       addr_t type_at, addr_t dealloc_at, uint64_t bytes,
				       bool *present, struct module **ret_module,
				       struct object_members *ret)
{
	const addr_t functions[] = {
		dealloc_at, plan_type_word(plans, window, type_at, plans->layout->f.type_traverse)};

	*present = false;
	for (size_t i = 0; i < ARRAY_COUNT(functions); i++) {
		struct module *module = functions[i] && plans->modules
						? module_list_find(plans->modules, functions[i])
						: NULL;
		struct object_members members;
		bool found = false;
		if (!module)
			continue;
		struct error *error = object_members_of_function(module, functions[i], "PyObject",
								 bytes, &found, &members);
		if (error)
			return error;
		if (!found || (*present && (ret->struct_bytes == bytes ||
					    (members.struct_bytes != bytes &&
					     members.struct_bytes <= ret->struct_bytes))))
			continue;
		*present = true;
		*ret_module = module;
		*ret = members;
	}
	return NULL;
}

// Whether a type in C has members behind those of the builtin type that it derives from, as the StgDict
// of _ctypes, which is a dict.
static bool plan_is_longer(const struct py_plans *plans, struct mem_window *window,
			   const struct py_plan *plan, uint64_t bytes)
{
	const struct py_layout *layout = plans->layout;
	addr_t builtin_at = plan->type->shape == PY_SHAPE_DICT   ? layout->var.dict_type
			    : plan->type->shape == PY_SHAPE_LIST ? layout->var.list_type
			    : plan->type->shape == PY_SHAPE_SET  ? layout->var.set_type
								 : 0;

	return builtin_at &&
	       bytes > plan_type_word(plans, window, builtin_at, layout->f.type_basicsize);
}

/*
 * The nearest base that is written in C lays the struct out: the first whose tp_dealloc is not that
 * of classes written in Python.
 */
static struct error *plan_owned(struct py_plans *plans, struct mem_window *window,
				struct py_plan *plan)
{
	const struct py_layout *layout = plans->layout;
	addr_t base_at = plan->type->at;
	uint64_t header = layout->f.object_type.offset + layout->f.object_type.size;

	bool is_known = plan_owns_nothing_else(plan);
	addr_t dealloc_at = plan_type_word(plans, window, base_at, layout->f.type_dealloc);
	for (int i = 0; i < CHAIN_MAX && plan_is_function(plans, dealloc_at, "subtype_dealloc");
	     i++) {
		base_at = plan_type_word(plans, window, base_at, layout->f.type_base);
		if (!base_at)
			return NULL;
		dealloc_at = plan_type_word(plans, window, base_at, layout->f.type_dealloc);
	}
	uint64_t bytes = plan_type_word(plans, window, base_at, layout->f.type_basicsize);
	uint64_t weaklist = plan_type_word(plans, window, base_at, layout->f.type_weaklistoffset);
	if (bytes <= header || (is_known && !plan_is_longer(plans, window, plan, bytes)))
		return NULL;
	struct module *module = NULL;
	struct object_members members = {0};
	bool present;
	struct error *error = plan_find_members(plans, window, base_at, dealloc_at, bytes, &present,
						&module, &members);
	if (error || !present)
		return error ? error : plan_add_guesses(plans, plan, weaklist, header, bytes);
	error = plan_add_members(plans, plan, module, &members, weaklist, bytes);
	// A struct that ends earlier is the beginning of one that nobody describes.
	uint64_t known = (members.struct_bytes + sizeof(addr_t) - 1) & ~(sizeof(addr_t) - 1);
	if (!error && known < bytes)
		error = plan_add_guesses(plans, plan, weaklist, known, bytes);
	return error;
}

static struct error *plan_make(struct py_plans *plans, struct mem_window *window,
			       struct py_plan *plan)
{
	const struct py_layout *layout = plans->layout;
	const struct py_type *type = plan->type;
	struct error *error = NULL;

	// Old-style instances count under their class, which is no type.
	addr_t type_at = type->shape == PY_SHAPE_INSTANCE2 ? layout->var.instance_type : type->at;
	plan->owns_type = type->flags & PY_TYPE_HEAP;
	atomic_init(&plan->visits_type, plan->owns_type);
	for (size_t i = 0; i < PY_PLAN_VARIANTS; i++)
		atomic_init(&plan->trials[i], PY_PLAN_TRIALS);
	if (type->is_gc)
		plan->traverse_at = plan_type_word(plans, window, type_at, layout->f.type_traverse);
	plan->visit = plan_visit(plans, window, plan->traverse_at);
	if (plan->visit == PY_VISIT_RUN && type->flags & PY_TYPE_HEAP &&
	    plan_is_function(plans, plan->traverse_at, "subtype_traverse"))
		error = plan_instance(plans, window, plan);
	// Attributes around code that has to be run anyway are its business, too.
	if (!plan->is_instance && type->flags & layout->managed_dict_flag)
		plan->managed_dict = true;
	else if (!plan->is_instance && type->shape != PY_SHAPE_TYPE &&
		 type_at != layout->var.module_type)
		plan->dict_offset =
			(int64_t)plan_type_word(plans, window, type_at, layout->f.type_dictoffset);
	if (layout->f.heaptype_cached_keys.present && type->flags & PY_TYPE_HEAP)
		plan->cached_keys_at =
			plan_type_word(plans, window, type_at, layout->f.heaptype_cached_keys);
	struct py_dict_cursor keys;
	py_dict_begin_keys(layout, window, plan->cached_keys_at, &keys);
	plan->shared_key_count = keys.left;
	plan->may_finalize =
		type->is_gc &&
		(layout->is_python2 || plan_type_word(plans, window, type_at, layout->f.type_del) ||
		 (layout->f.type_finalize.present &&
		  plan_type_word(plans, window, type_at, layout->f.type_finalize)));
	if (!error)
		error = plan_owned(plans, window, plan);
	plan->is_bare = !plan->traverse_at && !plan->owned_count && !plan->owns_type &&
			type->shape != PY_SHAPE_TYPE;
	return error;
}

struct py_plan *py_plans_get(struct py_plans *plans, const struct py_type *type,
			     struct mem_window *window)
{
	struct py_plan *plan = NULL;

	pthread_mutex_lock(&plans->lock);
	struct error *error = array_reserve(&plans->list, &plans->capacity, (size_t)type->id + 1,
					    sizeof(*plans->list));
	if (!error && plans->list[type->id]) {
		plan = plans->list[type->id];
	} else if (!error) {
		plan = calloc(1, sizeof(*plan));
		if (plan) {
			plan->type = type;
			error = plan_make(plans, window, plan);
			plans->list[type->id] = plan;
		} else {
			error = error_no_memory();
		}
	}
	if (error)
		plans_fail(plans, error);
	pthread_mutex_unlock(&plans->lock);
	return plan;
}

bool py_plans_visits_keys(struct py_plans *plans, uint64_t kind, bool *ret_known)
{
	unsigned count = atomic_load_explicit(&plans->key_kind_count, memory_order_acquire);

	for (unsigned i = 0; i < count; i++) {
		if (plans->key_kinds[i].kind == kind) {
			*ret_known = true;
			return plans->key_kinds[i].visits;
		}
	}
	*ret_known = false;
	return false;
}

void py_plans_learn_keys(struct py_plans *plans, uint64_t kind, bool visits)
{
	bool known;

	pthread_mutex_lock(&plans->lock);
	py_plans_visits_keys(plans, kind, &known);
	unsigned count = atomic_load(&plans->key_kind_count);
	if (!known && count < KEY_KINDS_MAX) {
		plans->key_kinds[count] = (struct key_kind){kind, visits};
		atomic_store_explicit(&plans->key_kind_count, count + 1, memory_order_release);
	}
	pthread_mutex_unlock(&plans->lock);
}

struct error *py_plans_take_error(struct py_plans *plans)
{
	return plans ? take_ptr(plans->error) : NULL;
}
