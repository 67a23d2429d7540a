// SPDX-License-Identifier: GPL-3.0-or-later
// A C program with an interpreter inside that is not there yet ("ready"), is there, and is no more:
// each line of standard input leads on to the next, and is answered when it has.

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <unistd.h>

static void say(const char *line)
{
	if (write(1, line, strlen(line)) < 0)
		_exit(1);
}

static void wait_for_line(void)
{
	char line[80];

	if (read(0, line, sizeof(line)) <= 0)
		_exit(0);
}

int main(void)
{
	alarm(600);
	say("ready\n");
	wait_for_line();
	Py_Initialize();
	say("initialised\n");
	wait_for_line();
	if (Py_FinalizeEx() < 0)
		return 1;
	say("finalised\n");
	wait_for_line();
	return 0;
}
