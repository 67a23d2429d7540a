// SPDX-License-Identifier: GPL-3.0-or-later
#include "support/scratch.h"

#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct scratch {
	char *directory;
	char **paths;
	size_t path_count;
};

_Noreturn static void give_up(const char *what, const char *which)
{
	fprintf(stderr, "scratch: %s: %s\n", what, which);
	abort();
}

static void *or_give_up(void *pointer)
{
	if (!pointer)
		give_up("no memory", "");
	return pointer;
}

struct scratch *scratch_create(void)
{
	const char *base = getenv("TMPDIR");
	struct scratch *scratch = or_give_up(calloc(1, sizeof(*scratch)));

	if (asprintf(&scratch->directory, "%s/leakinspect-test.XXXXXX", base ? base : "/tmp") < 0)
		give_up("no memory", "");
	if (!mkdtemp(scratch->directory))
		give_up("cannot create", scratch->directory);
	return scratch;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	return remove(path);
}

void scratch_destroy(struct scratch *scratch)
{
	if (!scratch)
		return;
	if (nftw(scratch->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS))
		give_up("cannot remove", scratch->directory);
	for (size_t i = 0; i < scratch->path_count; i++)
		free(scratch->paths[i]);
	free(scratch->paths);
	free(scratch->directory);
	free(scratch);
}

const char *scratch_directory(const struct scratch *scratch)
{
	return scratch->directory;
}

const char *scratch_path(struct scratch *scratch, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", scratch->directory, name) < 0)
		give_up("no memory", "");
	scratch->paths = or_give_up(
		realloc(scratch->paths, (scratch->path_count + 1) * sizeof(*scratch->paths)));
	scratch->paths[scratch->path_count++] = path;
	return path;
}

void scratch_write(struct scratch *scratch, const char *name, const void *bytes, size_t count)
{
	const char *path = scratch_path(scratch, name);
	FILE *file = fopen(path, "we");

	if (!file || fwrite(bytes, 1, count, file) != count || fclose(file))
		give_up("cannot write", path);
}

static char *read_all(FILE *file, size_t *ret_bytes)
{
	size_t count = 0, room = 0;
	char *bytes = NULL;

	do {
		room += 65536;
		bytes = or_give_up(realloc(bytes, room + 1));
		count += fread(bytes + count, 1, room - count, file);
	} while (count == room);
	bytes[count] = '\0';
	*ret_bytes = count;
	return bytes;
}

char *scratch_read(const char *path, size_t *ret_bytes)
{
	FILE *file = fopen(path, "re");

	if (!file)
		give_up("cannot read", path);
	char *bytes = read_all(file, ret_bytes);
	fclose(file);
	return bytes;
}

__attribute__((format(printf, 1, 0))) static char *command_format(const char *format, va_list args)
{
	char *command;

	if (vasprintf(&command, format, args) < 0)
		give_up("no memory", "");
	return command;
}

void scratch_run(struct scratch *scratch, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	char *command = command_format(format, args);
	va_end(args);
	setenv("S", scratch->directory, 1);
	if (system(command) != 0)
		give_up("failed", command);
	free(command);
}

char *scratch_output(struct scratch *scratch, const char *format, ...)
{
	va_list args;
	size_t bytes;

	va_start(args, format);
	char *command = command_format(format, args);
	va_end(args);
	setenv("S", scratch->directory, 1);
	FILE *pipe = popen(command, "re");
	if (!pipe)
		give_up("cannot run", command);
	char *output = read_all(pipe, &bytes);
	if (pclose(pipe) != 0)
		give_up("failed", command);
	free(command);
	return output;
}

bool scratch_has_program(const char *program)
{
	char command[256];

	snprintf(command, sizeof(command), "command -v %s >/dev/null 2>&1", program);
	return system(command) == 0;
}
