/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * An extension module of the tests: threads that wait in C, one that has no Python function in it, and
 * one that keeps the GIL.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

static int waits_ready[2];

static void *waits_run(void *unused)
{
	int32_t tid;

	(void)unused;
	PyGILState_Ensure();
	PyEval_SaveThread();
	tid = (int32_t)syscall(SYS_gettid);
	if (write(waits_ready[1], &tid, sizeof(tid)) != sizeof(tid))
		return NULL;
	for (;;)
		pause();
}

/** start_bare(): the kernel's id of a new thread that has a state in the interpreter, and waits. */
static PyObject *waits_start_bare(PyObject *module, PyObject *unused)
{
	pthread_t thread;
	int32_t tid = 0;
	ssize_t got;

	(void)module;
	(void)unused;
	if (pipe(waits_ready) < 0 || pthread_create(&thread, NULL, waits_run, NULL) != 0)
		return PyErr_SetFromErrno(PyExc_OSError);
	Py_BEGIN_ALLOW_THREADS got = read(waits_ready[0], &tid, sizeof(tid));
	Py_END_ALLOW_THREADS if (got != sizeof(tid)) return PyErr_SetFromErrno(PyExc_OSError);
	return Py_BuildValue("i", (int)tid);
}

/** hold(): waits for ever, and keeps the GIL. */
static PyObject *waits_hold(PyObject *module, PyObject *unused)
{
	(void)module;
	(void)unused;
	for (;;)
		pause();
}

static PyMethodDef waits_methods[] = {
	{"start_bare", waits_start_bare, METH_NOARGS, NULL},
	{"hold", waits_hold, METH_NOARGS, NULL},
	{NULL, NULL, 0, NULL},
};

#if PY_MAJOR_VERSION >= 3
static struct PyModuleDef waits_module = {
	PyModuleDef_HEAD_INIT, "waits", NULL, -1, waits_methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_waits(void)
{
	return PyModule_Create(&waits_module);
}
#else
PyMODINIT_FUNC initwaits(void)
{
	PyEval_InitThreads();
	Py_InitModule("waits", waits_methods);
}
#endif
