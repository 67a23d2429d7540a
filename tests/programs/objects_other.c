// SPDX-License-Identifier: GPL-3.0-or-later
// A second unit of objects.c, whose PyObject is not defined: only the other one says what it is.
#include <stdio.h>

typedef struct _object PyObject;

struct head {
	long ob_refcnt;
	struct _typeobject *ob_type;
};

struct opaque {
	struct head head;
	PyObject *content;
};

extern volatile long sink;
void other_dealloc(PyObject *op);
void other_print(void);

__attribute__((noinline)) void other_dealloc(PyObject *op)
{
	struct opaque *self = (struct opaque *)op;

	sink += self->content != 0;
}

void other_print(void)
{
	printf(" opaque %zu content %zu 1", sizeof(struct opaque),
	       __builtin_offsetof(struct opaque, content));
}
