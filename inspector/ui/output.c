// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct error *output_exists(const char *path)
{
	return error_create(ERROR_FAILED, "'%s' exists; --force overwrites it", path);
}

// A symbolic link stays one: what it points to is what is replaced.
static struct error *output_resolve(const char *path, char **ret)
{
	*ret = realpath(path, NULL);
	if (!*ret)
		*ret = strdup(path);
	return *ret ? NULL : error_no_memory();
}

static struct error *output_open_temporary(struct output *output)
{
	const char *slash = strrchr(output->path, '/');
	int directory_length = slash ? (int)(slash - output->path + 1) : 0;
	const char *name = slash ? slash + 1 : output->path;

	if (asprintf(&output->temporary, "%.*s.%s.XXXXXX", directory_length, output->path, name) <
	    0) {
		output->temporary = NULL;
		return error_no_memory();
	}
	int fd = mkostemp(output->temporary, O_CLOEXEC);
	if (fd < 0) {
		int errnum = errno;
		free(take_ptr(output->temporary));
		return error_create_os(errnum, "cannot write '%s'", output->path);
	}
	// mkostemp() gives 0600; the file gets what a plain open() would have given it.
	mode_t mask = umask(0);
	umask(mask);
	if (fchmod(fd, 0666 & ~mask) < 0 || !(output->stream = fdopen(fd, "w"))) {
		int errnum = errno;
		close(fd);
		return error_create_os(errnum, "cannot write '%s'", output->path);
	}
	output->owned = true;
	return NULL;
}

struct error *output_open(const char *path, bool force, struct output *ret)
{
	struct stat status;

	*ret = (struct output){.stream = stdout, .force = force};
	if (!path)
		return NULL;
	bool exists = stat(path, &status) == 0;
	if (exists && S_ISDIR(status.st_mode))
		return error_create(ERROR_FAILED, "'%s' is a directory", path);
	if (exists && !S_ISREG(status.st_mode)) {
		// A device or a pipe has nothing in it that could be lost, and no other name.
		ret->stream = fopen(path, "we");
		ret->owned = ret->stream;
		if (!ret->stream)
			return error_create_os(errno, "cannot write '%s'", path);
		ret->path = strdup(path);
		if (ret->path)
			return NULL;
		output_deinit(ret);
		return error_no_memory();
	}
	if (exists && !force)
		return output_exists(path);
	struct error *error = output_resolve(path, &ret->path);
	if (!error)
		error = output_open_temporary(ret);
	if (error)
		output_deinit(ret);
	return error;
}

struct error *output_check_ours(const char *path, bool (*is_ours)(const char *begin))
{
	char begin[OUTPUT_BEGIN_BYTES + 1] = "";
	struct stat status;

	if (stat(path, &status) < 0 || !S_ISREG(status.st_mode) || !status.st_size)
		return NULL;
	_cleanup_file_ FILE *in = fopen(path, "re");
	size_t length = in ? fread(begin, 1, OUTPUT_BEGIN_BYTES, in) : 0;
	begin[length] = '\0';
	if (!length || is_ours(begin))
		return NULL;
	return error_create(ERROR_FAILED, "'%s' exists and is none of ours; --force overwrites it",
			    path);
}

struct error *output_hold(struct output *ret)
{
	*ret = (struct output){.is_held = true, .owned = true};
	ret->stream = open_memstream(&ret->held, &ret->held_bytes);
	return ret->stream ? NULL : error_no_memory();
}

// The name may have been taken since we looked: without --force it must be new.
static int output_rename_new(const char *from, const char *to)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	// This file system cannot; a hard link never replaces either.
	if (link(from, to) < 0)
		return -1;
	return unlink(from);
}

static struct error *output_failed(const struct output *output, int errnum)
{
	if (!output->path)
		return error_create_os(errnum, "cannot write the answer");
	return error_create_os(errnum, "cannot write '%s'", output->path);
}

struct error *output_commit(struct output *output)
{
	bool failed = ferror(output->stream);

	errno = 0;
	if (fflush(output->stream) == EOF || failed)
		return output_failed(output, errno ? errno : EIO);
	// Some file systems tell only here that there is no room.
	if (output->owned && fclose(take_ptr(output->stream)) == EOF)
		return output_failed(output, errno);
	if (!output->temporary)
		return NULL;
	int result = output->force ? rename(output->temporary, output->path)
				   : output_rename_new(output->temporary, output->path);
	if (result < 0 && errno == EEXIST)
		return output_exists(output->path);
	if (result < 0)
		return error_create_os(errno, "cannot write '%s'", output->path);
	free(take_ptr(output->temporary));
	return NULL;
}

void output_deinit(struct output *output)
{
	if (output->owned && output->stream)
		fclose(output->stream);
	if (output->temporary)
		unlink(output->temporary);
	free(output->temporary);
	free(output->path);
	free(output->held);
	*output = (struct output){0};
}
