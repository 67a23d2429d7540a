/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A leaking service to look at: a C program that embeds CPython and serves HTTP on 127.0.0.1. What
 * leaks, and at which URL, is Python: handlers.py, which this program carries inside itself. C adds
 * the one thing Python can no longer say: a legacy finalizer.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

/* The bytes of handlers.py and a NUL: one file to run, wherever it is copied to. */
__asm__(".pushsection .rodata\n"
	"demo_handlers:\n"
	".incbin \"" LEAK_DEMO_HANDLERS "\"\n"
	".byte 0\n"
	".popsection\n");
extern const char demo_handlers[];

enum { PORT_MAX = 65535, PORT_DEFAULT = 8000 };

struct demo_options {
	int port;
	bool no_gc;
};

static void demo_finalize(PyObject *self)
{
	// That it is there is all it is for: the collector asks a type whether tp_del is set, and
	// keeps out of every cycle that has such an object.
}

/**
 * give_legacy_finalizer(type): sets the type's tp_del. Since Python 3.4 a `__del__` fills
 * tp_finalize, which the collector calls and goes on; tp_del is what `__del__` filled before that.
 * A cycle with one ends in gc.garbage to this day (move_legacy_finalizers in Modules/gcmodule.c).
 */
static PyObject *demo_give_legacy_finalizer(PyObject *module, PyObject *object)
{
	PyTypeObject *type = (PyTypeObject *)object;

	// A static type is shared by all of the process; only a class made by Python code is ours.
	if (!PyType_Check(object) || !PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE)) {
		PyErr_SetString(PyExc_TypeError, "give_legacy_finalizer() needs a Python class");
		return NULL;
	}
	type->tp_del = demo_finalize;
	PyType_Modified(type);
	Py_RETURN_NONE;
}

static PyMethodDef demo_methods[] = {
	{"give_legacy_finalizer", demo_give_legacy_finalizer, METH_O, NULL},
	{NULL, NULL, 0, NULL},
};

static struct PyModuleDef demo_module = {
	PyModuleDef_HEAD_INIT,
	.m_name = "_leak_demo",
	.m_size = 0,
	.m_methods = demo_methods,
};

static PyObject *demo_create_module(void)
{
	return PyModule_Create(&demo_module);
}

static PyStatus demo_start_python(char *program)
{
	PyStatus status;
	PyConfig config;

	PyConfig_InitPythonConfig(&config);
	config.parse_argv = 0;
	// The library's own standard library, whichever python3 comes first on PATH.
	status = PyConfig_SetBytesString(&config, &config.home, LEAK_DEMO_HOME);
	if (!PyStatus_Exception(status))
		status = PyConfig_SetBytesArgv(&config, 1, &program);
	if (!PyStatus_Exception(status))
		status = Py_InitializeFromConfig(&config);
	PyConfig_Clear(&config);
	return status;
}

/** Serves until SIGTERM or SIGINT; false with a Python exception set if it could not. */
static bool demo_serve(const struct demo_options *options)
{
	PyObject *code = NULL;
	PyObject *handlers = NULL;
	PyObject *served = NULL;

	code = Py_CompileString(demo_handlers, LEAK_DEMO_HANDLERS, Py_file_input);
	if (code)
		handlers = PyImport_ExecCodeModule("leak_demo", code);
	if (handlers)
		served = PyObject_CallMethod(handlers, "serve", "iO", options->port,
					     options->no_gc ? Py_True : Py_False);
	Py_XDECREF(code);
	Py_XDECREF(handlers);
	Py_XDECREF(served);
	return served;
}

static void demo_print_help(void)
{
	printf("Usage: leak_demo [--port N] [--no-gc]\n"
	       "A web service on 127.0.0.1 that leaks on request, to be inspected while it runs.\n"
	       "\n"
	       "  --port N  the port to listen on; 0 takes a free one (default: %d)\n"
	       "  --no-gc   switches the cyclic garbage collector off\n"
	       "  --help    this text\n"
	       "\n"
	       "/cycle    a parent and a child with legacy finalizers: ends in gc.garbage\n"
	       "/pending  the same with __del__: stays for as long as nobody collects (--no-gc)\n"
	       "/fixed    the same with `del child.parent` at the end: nothing stays\n"
	       "/global   appends to a list that nobody clears\n"
	       "/session  a request held by a session: a bound method, a traceback\n"
	       "/ok       keeps nothing\n"
	       "/stats    what the process itself knows of its objects, as JSON\n"
	       "/collect  runs gc.collect(), then as /stats\n"
	       "\n"
	       "SIGTERM or Ctrl-C end it.\n",
	       PORT_DEFAULT);
}

static bool demo_parse_port(const char *word, int *ret)
{
	char *end;
	long port = strtol(word, &end, 10);

	if (end == word || *end || port < 0 || port > PORT_MAX)
		return false;
	*ret = (int)port;
	return true;
}

int main(int argc, char **argv)
{
	static const struct option words[] = {
		{"port", required_argument, NULL, 'p'},
		{"no-gc", no_argument, NULL, 'n'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct demo_options options = {.port = PORT_DEFAULT};
	PyStatus status;
	bool served;
	int word;

	while ((word = getopt_long(argc, argv, "", words, NULL)) != -1) {
		switch (word) {
		case 'p':
			if (!demo_parse_port(optarg, &options.port)) {
				fprintf(stderr, "leak_demo: --port takes a number from 0 to %d\n",
					PORT_MAX);
				return 2;
			}
			break;
		case 'n':
			options.no_gc = true;
			break;
		case 'h':
			demo_print_help();
			return 0;
		default:
			return 2;
		}
	}
	if (optind != argc) {
		fprintf(stderr, "leak_demo: what is '%s'? See --help\n", argv[optind]);
		return 2;
	}

	// Where Yama restricts ptrace to one's own children (ptrace_scope 1), this lets the user's
	// other processes attach. Without Yama it fails, and is not needed.
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);

	PyImport_AppendInittab("_leak_demo", demo_create_module);
	status = demo_start_python(argv[0]);
	if (PyStatus_Exception(status))
		Py_ExitStatusException(status);
	served = demo_serve(&options);
	if (!served)
		PyErr_Print(); // a SystemExit with a message ends here
	if (Py_FinalizeEx() < 0)
		return 120; // as python3 itself: standard output could not be flushed
	return served ? 0 : 1;
}
