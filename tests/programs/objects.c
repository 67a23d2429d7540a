// SPDX-License-Identifier: GPL-3.0-or-later
// Objects as CPython's C code has them, and functions that work on them. The program prints the
// truth about each function's struct, in lines of words:
//
//	FUNCTION ADDRESS SIZE-TO-ASK absent
//	FUNCTION ADDRESS SIZE-TO-ASK STRUCT BYTES { MEMBER OFFSET COUNT }
//
// objects_other.c defines what is only declared here.
#include <stddef.h>
#include <stdio.h>

#define NOINLINE __attribute__((noinline, used))
#define INLINED static inline __attribute__((always_inline))

typedef struct _object {
	long ob_refcnt;
	struct _typeobject *ob_type;
} PyObject;

typedef struct {
	PyObject ob_base;
	long ob_size;
} PyVarObject;

typedef struct _typeobject {
	PyVarObject ob_base;
	const char *tp_name;
	PyObject *tp_dict;
	void (*tp_dealloc)(PyObject *);
} PyTypeObject;

typedef struct {
	PyTypeObject ht_type;
	PyObject *ht_name;
} heap_type;

typedef struct pair_tag {
	PyObject ob_base;
	PyObject *first;
	long number;
	PyObject *const volatile second;
	PyObject **no_object;
	void *nobody_knows;
	char *text;
	PyTypeObject *kind;
	struct pair_tag *next;
	struct opaque *elsewhere;
	struct never_defined *nowhere;
	struct plain *no_object_either;
} pair_object;

struct plain {
	PyObject *inside;
};

struct entry {
	long hash;
	PyObject *key;
};

struct nested {
	PyVarObject head;
	struct entry table[3];
	union {
		PyObject *object;
		PyVarObject *same_place;
		long number;
	} one_of;
	struct {
		PyObject *unnamed;
		struct {
			PyObject *deep;
		} inner;
	};
	PyObject embedded;
	PyObject *slots[4];
	PyObject *grid[2][3];
	PyObject *items[];
};

struct flexible {
	PyVarObject head;
	PyObject *kept;
	struct entry entries[];
};

// PyObject_HEAD of Python 2.
struct old {
	long ob_refcnt;
	struct _typeobject *ob_type;
	long ob_size;
	PyObject *held;
	struct old *other;
};

struct helped {
	PyObject ob_base;
	PyObject *by_helper;
};

struct tuple {
	PyVarObject ob_base;
	PyObject *ob_item[1];
};

volatile long sink;

static void drop(const void *what)
{
	sink += what != NULL;
}

NOINLINE void fail(void) __attribute__((cold));
NOINLINE void fail(void)
{
	sink++;
}

NOINLINE void pair_dealloc(PyObject *op)
{
	pair_object *self = (pair_object *)op;

	drop(self->first);
	drop(self->second);
}

NOINLINE int nested_traverse(struct nested *self, int (*visit)(PyObject *, void *), void *arg)
{
	for (int i = 0; i < 4; i++) {
		PyObject *slot = self->slots[i];
		int stop = slot ? visit(slot, arg) : 0;
		if (stop)
			return stop;
	}
	return 0;
}

NOINLINE void flexible_dealloc(const struct flexible *const self)
{
	drop(self->kept);
}

NOINLINE void old_dealloc(struct old *self)
{
	drop(self->held);
}

INLINED void helped_clear(PyObject *op)
{
	struct helped *self = (struct helped *)op;

	drop(self->by_helper);
}

NOINLINE void helped_dealloc(PyObject *op)
{
	helped_clear(op);
	sink++;
}

NOINLINE void block_dealloc(PyObject *op)
{
	if (sink >= 0) {
		pair_object *within = (pair_object *)op;
		drop(within->next);
	}
}

NOINLINE void tuple_dealloc(PyVarObject *sized, struct tuple *op)
{
	sink += sized->ob_size;
	drop(op->ob_item[0]);
}

NOINLINE void either_dealloc(struct helped *small, struct old *middle, pair_object *large)
{
	drop(small->by_helper);
	drop(middle->held);
	drop(large->first);
}

// What works on objects of any type.
NOINLINE void any_dealloc(PyObject *op)
{
	PyTypeObject *type = op->ob_type;

	drop(type->tp_dict);
}

NOINLINE void type_dealloc(PyTypeObject *type)
{
	heap_type *heap = (heap_type *)type;

	drop(heap->ht_name);
}

NOINLINE void object_dealloc(PyObject *op)
{
	drop(op->ob_type);
}

// GCC moves the failure out of the function: its code is in two ranges.
NOINLINE void split_dealloc(pair_object *self)
{
	if (__builtin_expect(self->number == 42, 0)) {
		fail();
		drop(self->text);
		fail();
	}
	drop(self->first);
}

extern void other_dealloc(PyObject *op);
extern void other_print(void);

#define ASK(function, bytes) \
	printf("\n%s %lx %zu", #function, (unsigned long)(function), (size_t)(bytes))
#define STRUCT(name, type) printf(" %s %zu", name, sizeof(type))
#define MEMBER(type, member, count) printf(" %s %zu %d", #member, offsetof(type, member), count)

static void pair_print(void)
{
	STRUCT("pair_object", pair_object);
	MEMBER(pair_object, first, 1);
	MEMBER(pair_object, second, 1);
	MEMBER(pair_object, kind, 1);
	MEMBER(pair_object, next, 1);
	MEMBER(pair_object, elsewhere, 1);
}

static void nested_print(void)
{
	STRUCT("nested", struct nested);
	MEMBER(struct nested, table[0].key, 1);
	MEMBER(struct nested, table[1].key, 1);
	MEMBER(struct nested, table[2].key, 1);
	MEMBER(struct nested, one_of.object, 1);
	MEMBER(struct nested, unnamed, 1);
	MEMBER(struct nested, inner.deep, 1);
	MEMBER(struct nested, slots, 4);
	MEMBER(struct nested, grid, 6);
	MEMBER(struct nested, items, 0);
}

static void old_print(void)
{
	STRUCT("old", struct old);
	MEMBER(struct old, held, 1);
	MEMBER(struct old, other, 1);
}

static void helped_print(void)
{
	STRUCT("helped", struct helped);
	MEMBER(struct helped, by_helper, 1);
}

static void of_their_own(void)
{
	ASK(pair_dealloc, sizeof(pair_object));
	pair_print();
	ASK(nested_traverse, sizeof(struct nested));
	nested_print();
	ASK(flexible_dealloc, sizeof(struct flexible));
	STRUCT("flexible", struct flexible);
	MEMBER(struct flexible, kept, 1);
	ASK(old_dealloc, sizeof(struct old));
	old_print();
	ASK(helped_dealloc, sizeof(struct helped));
	helped_print();
	ASK(block_dealloc, sizeof(pair_object));
	pair_print();
	ASK(split_dealloc, sizeof(pair_object));
	pair_print();
}

static void by_size(void)
{
	ASK(either_dealloc, sizeof(struct helped));
	helped_print();
	ASK(either_dealloc, sizeof(struct old));
	old_print();
	ASK(either_dealloc, sizeof(pair_object) + 8);
	pair_print();
	// As tp_basicsize has it, which leaves out the one item.
	ASK(tuple_dealloc, offsetof(struct tuple, ob_item));
	STRUCT("tuple", struct tuple);
	MEMBER(struct tuple, ob_item, 1);
	ASK(type_dealloc, sizeof(heap_type));
	STRUCT("heap_type", heap_type);
	MEMBER(heap_type, ht_type.tp_dict, 1);
	MEMBER(heap_type, ht_name, 1);
}

static void absences(void)
{
	ASK(any_dealloc, 24);
	printf(" absent");
	ASK(any_dealloc, 4096);
	printf(" absent");
	ASK(object_dealloc, 24);
	printf(" absent");
	ASK(pair_dealloc, 24);
	printf(" absent");
	// No code is there.
	printf("\nnowhere 10 24 absent");
}

int main(void)
{
	of_their_own();
	by_size();
	absences();
	ASK(other_dealloc, 24);
	other_print();
	printf("\n");
	return 0;
}
