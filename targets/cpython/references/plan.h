/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_REFERENCES_PLAN_H
#define TARGETS_CPYTHON_REFERENCES_PLAN_H

/*
 * How the references of a type's objects are found: worked out once per type. Lists, tuples, dicts,
 * and instances of classes are so many that their layouts are read directly; every other type's own
 * tp_traverse is run (traverse.h). What an object owns beyond that is known from the debug
 * information of the struct that its tp_dealloc works on, and where there is none from the words of
 * the object itself, as guesses.
 *
 * Plans belong to all threads of a walk.
 */

#include <pthread.h>
#include <stdatomic.h>

#include "debug/module.h"
#include "targets/cpython/layout.h"
#include "targets/cpython/objects/types.h"

/** What the tp_traverse does that stands behind those of classes written in Python. */
enum py_visit {
	/** There is none. */
	PY_VISIT_NOTHING,
	PY_VISIT_LIST,
	PY_VISIT_TUPLE,
	PY_VISIT_DICT,
	/** Only running it tells. */
	PY_VISIT_RUN,
};

/** Where an object may own another one beyond what its traversal visits. */
struct py_owned {
	uint32_t offset;
	/** Pointers in a row. */
	uint32_t count;
	enum heap_edge_kind kind;
	/** Of the C member; NULL for a guess. Lives as long as the module. */
	const char *name;
	/** Only when this byte of the object is not 0, unless it is 0 itself. */
	uint32_t guard_offset;
};

/** A slot of a class written in Python: where in the object, and its name, a C string. */
struct py_slot {
	uint32_t offset;
	addr_t name_at;
};

enum { PY_PLAN_SLOTS_MAX = 4096, PY_PLAN_TRIALS = 3, PY_PLAN_VARIANTS = 4 };

struct py_plan {
	const struct py_type *type;
	/** Its objects have no references at all. */
	bool is_bare;
	/** Its objects may have HEAP_LEGACY_FINALIZER or HEAP_FINALIZED. */
	bool may_finalize;
	addr_t traverse_at;
	enum py_visit visit;
	/** It is a class written in Python: attributes and slots around what `visit` says. */
	bool is_instance;
	/** Its objects own a reference to their type, which the traversal visits or does not. */
	bool owns_type;
	atomic_bool visits_type;
	struct py_slot *slots;
	size_t slot_count;
	/** tp_dictoffset where the attribute dict is this type's business; 0 when there is none. */
	int64_t dict_offset;
	bool managed_dict;
	bool inline_values;
	addr_t cached_keys_at;
	/** How many attribute names the class shares out at this moment. */
	uint64_t shared_key_count;
	struct py_owned *owned;
	size_t owned_count;
	size_t owned_capacity;
	/** Of the struct that `owned` is from; NULL when it is not known. */
	const char *struct_name;
	/** Objects still to be checked against their own tp_traverse, by where they have their attributes
	 *  (values, a dict, both); one difference makes it run for all of them. */
	atomic_int trials[PY_PLAN_VARIANTS];
	atomic_bool run_always;
};

struct py_plans;

/** All must outlive the plans; @a modules may be NULL, then nothing is known of structs. */
MUST_USE struct error *py_plans_create(const struct py_layout *layout, struct module_list *modules,
				       struct py_plans **ret);
/** Takes NULL. */
void py_plans_destroy(struct py_plans *plans);

/** The plan of @a type, made when first asked for; from any thread, reading through the caller's
 *  @a window. NULL after a failure, which py_plans_take_error() tells. */
struct py_plan *py_plans_get(struct py_plans *plans, const struct py_type *type,
			     struct mem_window *window);

/**
 * Whether the traversal of dicts visits the keys of tables of @a kind (py_dict_cursor.kind): some
 * kinds hold nothing but strings, and which is not written anywhere. False in *@a ret_known until
 * py_plans_learn_keys() was told.
 */
bool py_plans_visits_keys(struct py_plans *plans, uint64_t kind, bool *ret_known);
void py_plans_learn_keys(struct py_plans *plans, uint64_t kind, bool visits);

MUST_USE struct error *py_plans_take_error(struct py_plans *plans);

#endif
