// SPDX-License-Identifier: GPL-3.0-or-later
// A C program with an interpreter inside: runs the script of its first argument the way an
// application does that has its own main() and its own name, not as python itself would.

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdio.h>

static int fail(const PyConfig *config, PyStatus status)
{
	fprintf(stderr, "embed: %s\n", status.err_msg ? status.err_msg : "no interpreter");
	return 1;
}

int main(int argc, char **argv)
{
	PyConfig config;
	PyStatus status;
	FILE *script;
	int failed;

	if (argc < 2) {
		fprintf(stderr, "usage: embed SCRIPT [ARGUMENT]...\n");
		return 2;
	}
	PyConfig_InitPythonConfig(&config);
	config.parse_argv = 0;
	// sys.path gets the folder of argv[0], which is the script's, as a script expects it.
	status = PyConfig_SetBytesArgv(&config, argc - 1, argv + 1);
	if (PyStatus_Exception(status))
		return fail(&config, status);
	status = Py_InitializeFromConfig(&config);
	if (PyStatus_Exception(status))
		return fail(&config, status);
	PyConfig_Clear(&config);
	PyRun_SimpleString("import os, sys\n"
			   "sys.path.insert(0, os.path.dirname(os.path.abspath(sys.argv[0])))\n");
	script = fopen(argv[1], "rb");
	if (!script) {
		perror(argv[1]);
		return 1;
	}
	failed = PyRun_SimpleFileExFlags(script, argv[1], 1, NULL);
	return Py_FinalizeEx() < 0 || failed;
}
