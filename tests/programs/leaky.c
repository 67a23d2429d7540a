/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * An extension module of the tests, for CPython 2.7 and 3.6 to 3.13 alike: it leaks references, holds
 * some where only C code knows of them, and has types as the standard library has none: a legacy
 * finalizer, members in an array from malloc(), an owner that the collector does not know, members in
 * structs within structs.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <structmember.h>
#include <unistd.h>

/* Variables of C that own references. */
static PyObject *leaky_held;
static PyObject **leaky_held_many;
static Py_ssize_t leaky_held_count;

/** leak(object): takes a reference and forgets it. */
static PyObject *leaky_leak(PyObject *module, PyObject *object)
{
	Py_INCREF(object);
	Py_RETURN_NONE;
}

/** hold(object): one variable holds it, until the next one. */
static PyObject *leaky_hold(PyObject *module, PyObject *object)
{
	PyObject *before = leaky_held;

	Py_INCREF(object);
	leaky_held = object;
	Py_XDECREF(before);
	Py_RETURN_NONE;
}

static void leaky_release_many(void)
{
	PyObject **many = leaky_held_many;
	Py_ssize_t count = leaky_held_count;

	leaky_held_many = NULL;
	leaky_held_count = 0;
	for (Py_ssize_t i = 0; i < count; i++)
		Py_DECREF(many[i]);
	free(many);
}

/** hold_many(list): an array from malloc() holds what is in the list now. */
static PyObject *leaky_hold_many(PyObject *module, PyObject *list)
{
	if (!PyList_Check(list)) {
		PyErr_SetString(PyExc_TypeError, "hold_many() needs a list");
		return NULL;
	}
	leaky_release_many();
	leaky_held_many = malloc((size_t)(PyList_GET_SIZE(list) + 1) * sizeof(PyObject *));
	if (!leaky_held_many)
		return PyErr_NoMemory();
	leaky_held_count = PyList_GET_SIZE(list);
	for (Py_ssize_t i = 0; i < leaky_held_count; i++) {
		leaky_held_many[i] = PyList_GET_ITEM(list, i);
		Py_INCREF(leaky_held_many[i]);
	}
	Py_RETURN_NONE;
}

/** release(): what hold() and hold_many() took. */
static PyObject *leaky_release(PyObject *module, PyObject *unused)
{
	Py_CLEAR(leaky_held);
	leaky_release_many();
	Py_RETURN_NONE;
}

static void leaky_finalize(PyObject *self)
{
	// That it is there is all it is for: the collector asks a type whether tp_del is set.
}

/** give_legacy_finalizer(class): sets tp_del of a class made by Python code. */
static PyObject *leaky_give_legacy_finalizer(PyObject *module, PyObject *object)
{
	PyTypeObject *type = (PyTypeObject *)object;

	if (!PyType_Check(object) || !PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE)) {
		PyErr_SetString(PyExc_TypeError, "give_legacy_finalizer() needs a Python class");
		return NULL;
	}
	type->tp_del = leaky_finalize;
	PyType_Modified(type);
	Py_RETURN_NONE;
}

/* Legacy: a static type with tp_del, known to the collector. */

struct leaky_legacy {
	PyObject_HEAD PyObject *other;
};

static int leaky_legacy_traverse(PyObject *object, visitproc visit, void *arg)
{
	struct leaky_legacy *self = (struct leaky_legacy *)object;

	Py_VISIT(self->other);
	return 0;
}

static int leaky_legacy_clear(PyObject *object)
{
	struct leaky_legacy *self = (struct leaky_legacy *)object;

	Py_CLEAR(self->other);
	return 0;
}

static void leaky_legacy_dealloc(PyObject *object)
{
	PyObject_GC_UnTrack(object);
	leaky_legacy_clear(object);
	Py_TYPE(object)->tp_free(object);
}

static PyMemberDef leaky_legacy_members[] = {
	{"other", T_OBJECT, offsetof(struct leaky_legacy, other), 0, NULL},
	{NULL},
};

static PyTypeObject leaky_legacy_type = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "leaky.Legacy",
	.tp_basicsize = sizeof(struct leaky_legacy),
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
	.tp_dealloc = leaky_legacy_dealloc,
	.tp_traverse = leaky_legacy_traverse,
	.tp_clear = leaky_legacy_clear,
	.tp_members = leaky_legacy_members,
	.tp_new = PyType_GenericNew,
	.tp_del = leaky_finalize,
};

/* Array: members in an array from malloc(), which the collector visits. */

struct leaky_array {
	PyObject_HEAD Py_ssize_t count;
	PyObject **items;
};

static int leaky_array_traverse(PyObject *object, visitproc visit, void *arg)
{
	struct leaky_array *self = (struct leaky_array *)object;

	for (Py_ssize_t i = 0; i < self->count; i++)
		Py_VISIT(self->items[i]);
	return 0;
}

static int leaky_array_clear(PyObject *object)
{
	struct leaky_array *self = (struct leaky_array *)object;
	PyObject **items = self->items;
	Py_ssize_t count = self->count;

	self->items = NULL;
	self->count = 0;
	for (Py_ssize_t i = 0; i < count; i++)
		Py_DECREF(items[i]);
	free(items);
	return 0;
}

static void leaky_array_dealloc(PyObject *object)
{
	PyObject_GC_UnTrack(object);
	leaky_array_clear(object);
	Py_TYPE(object)->tp_free(object);
}

/** Array.take(object): at the end. */
static PyObject *leaky_array_take(PyObject *object, PyObject *item)
{
	struct leaky_array *self = (struct leaky_array *)object;
	PyObject **items = realloc(self->items, (size_t)(self->count + 1) * sizeof(*items));

	if (!items)
		return PyErr_NoMemory();
	Py_INCREF(item);
	items[self->count] = item;
	self->items = items;
	self->count++;
	Py_RETURN_NONE;
}

static PyMethodDef leaky_array_methods[] = {
	{"take", leaky_array_take, METH_O, NULL},
	{NULL},
};

static PyTypeObject leaky_array_type = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "leaky.Array",
	.tp_basicsize = sizeof(struct leaky_array),
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
	.tp_dealloc = leaky_array_dealloc,
	.tp_traverse = leaky_array_traverse,
	.tp_clear = leaky_array_clear,
	.tp_methods = leaky_array_methods,
	.tp_new = PyType_GenericNew,
};

/* Owner: owns an object, and the collector knows nothing of it. */

struct leaky_owner {
	PyObject_HEAD PyObject *owned;
};

static void leaky_owner_dealloc(PyObject *object)
{
	Py_CLEAR(((struct leaky_owner *)object)->owned);
	Py_TYPE(object)->tp_free(object);
}

static PyMemberDef leaky_owner_members[] = {
	{"owned", T_OBJECT, offsetof(struct leaky_owner, owned), 0, NULL},
	{NULL},
};

static PyTypeObject leaky_owner_type = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "leaky.Owner",
	.tp_basicsize = sizeof(struct leaky_owner),
	.tp_flags = Py_TPFLAGS_DEFAULT,
	.tp_dealloc = leaky_owner_dealloc,
	.tp_members = leaky_owner_members,
	.tp_new = PyType_GenericNew,
};

/* Nested: members in structs within its struct, one of which no traverse visits. */

struct leaky_pair {
	PyObject *left;
	PyObject *right;
};

struct leaky_nested {
	PyObject_HEAD long before[5];
	struct {
		int number;
		struct leaky_pair pair;
	} inner;
	struct leaky_pair pairs[2];
	PyObject *hidden;
};

static int leaky_nested_traverse(PyObject *object, visitproc visit, void *arg)
{
	struct leaky_nested *self = (struct leaky_nested *)object;

	Py_VISIT(self->inner.pair.left);
	Py_VISIT(self->inner.pair.right);
	for (int i = 0; i < 2; i++) {
		Py_VISIT(self->pairs[i].left);
		Py_VISIT(self->pairs[i].right);
	}
	return 0;
}

static int leaky_nested_clear(PyObject *object)
{
	struct leaky_nested *self = (struct leaky_nested *)object;

	Py_CLEAR(self->inner.pair.left);
	Py_CLEAR(self->inner.pair.right);
	for (int i = 0; i < 2; i++) {
		Py_CLEAR(self->pairs[i].left);
		Py_CLEAR(self->pairs[i].right);
	}
	return 0;
}

static void leaky_nested_dealloc(PyObject *object)
{
	PyObject_GC_UnTrack(object);
	leaky_nested_clear(object);
	Py_CLEAR(((struct leaky_nested *)object)->hidden);
	Py_TYPE(object)->tp_free(object);
}

static PyMemberDef leaky_nested_members[] = {
	{"left", T_OBJECT, offsetof(struct leaky_nested, inner.pair.left), 0, NULL},
	{"right", T_OBJECT, offsetof(struct leaky_nested, inner.pair.right), 0, NULL},
	{"first", T_OBJECT, offsetof(struct leaky_nested, pairs[0].left), 0, NULL},
	{"last", T_OBJECT, offsetof(struct leaky_nested, pairs[1].right), 0, NULL},
	{"hidden", T_OBJECT, offsetof(struct leaky_nested, hidden), 0, NULL},
	{NULL},
};

static PyTypeObject leaky_nested_type = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "leaky.Nested",
	.tp_basicsize = sizeof(struct leaky_nested),
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
	.tp_dealloc = leaky_nested_dealloc,
	.tp_traverse = leaky_nested_traverse,
	.tp_clear = leaky_nested_clear,
	.tp_members = leaky_nested_members,
	.tp_new = PyType_GenericNew,
};

static PyTypeObject *leaky_types[] = {
	&leaky_legacy_type,
	&leaky_array_type,
	&leaky_owner_type,
	&leaky_nested_type,
};

/* As a thread that has just taken the GIL, or is about to give it back: says so to the file @fd, until
 * standard input ends. */
static PyObject *leaky_be_nobody(PyObject *module, PyObject *fd)
{
	int told = (int)PyLong_AsLong(fd);
	PyThreadState *state = PyThreadState_Swap(NULL);
	char byte;

	if (write(told, "ready\n", 6) == 6)
		while (read(0, &byte, 1) > 0)
			continue;
	PyThreadState_Swap(state);
	Py_RETURN_NONE;
}

static PyMethodDef leaky_methods[] = {
	{"be_nobody", leaky_be_nobody, METH_O, NULL},
	{"leak", leaky_leak, METH_O, NULL},
	{"hold", leaky_hold, METH_O, NULL},
	{"hold_many", leaky_hold_many, METH_O, NULL},
	{"release", leaky_release, METH_NOARGS, NULL},
	{"give_legacy_finalizer", leaky_give_legacy_finalizer, METH_O, NULL},
	{NULL},
};

static int leaky_add_types(PyObject *module)
{
	for (size_t i = 0; i < sizeof(leaky_types) / sizeof(*leaky_types); i++) {
		PyTypeObject *type = leaky_types[i];

		if (PyType_Ready(type) < 0)
			return -1;
		Py_INCREF(type);
		if (PyModule_AddObject(module, strchr(type->tp_name, '.') + 1, (PyObject *)type) <
		    0)
			return -1;
	}
	return 0;
}

#if PY_MAJOR_VERSION >= 3
static struct PyModuleDef leaky_module = {
	PyModuleDef_HEAD_INIT,
	.m_name = "leaky",
	.m_size = -1,
	.m_methods = leaky_methods,
};

PyMODINIT_FUNC PyInit_leaky(void)
{
	PyObject *module = PyModule_Create(&leaky_module);

	if (module && leaky_add_types(module) < 0)
		Py_CLEAR(module);
	return module;
}
#else
PyMODINIT_FUNC initleaky(void);
PyMODINIT_FUNC initleaky(void)
{
	PyObject *module = Py_InitModule("leaky", leaky_methods);

	if (module)
		leaky_add_types(module);
}
#endif
