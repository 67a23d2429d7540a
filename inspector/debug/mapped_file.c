// SPDX-License-Identifier: GPL-3.0-or-later
#include "debug/mapped_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "mem/core/corefile.h"

enum {
	// The ELF header, the program headers and, next to them, the build-id.
	BEGINNING_BYTES = 4096,
	WAYS_COUNT = 3,
};

static struct error *way_format(const struct mapped_file *mapped, int way, char **ret)
{
	int length = 0;

	if (way == 0)
		length = asprintf(ret, "%s", mapped->path);
	else if (way == 1)
		length = asprintf(ret, "/proc/%d/root%s", (int)mapped->pid, mapped->path);
	else
		length = asprintf(ret, "/proc/%d/exe", (int)mapped->pid);
	if (length >= 0)
		return NULL;
	*ret = NULL;
	return error_no_memory();
}

static bool read_at(int fd, uint64_t at, char *into, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t got = pread(fd, into + done, bytes - done, (off_t)(at + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		done += (size_t)got;
	}
	return true;
}

// No error in here: what cannot be compared is not the same.
static bool beginning_is_same(const struct mapped_file *mapped, const char *path)
{
	char memory_path[64], in_memory[BEGINNING_BYTES], in_file[BEGINNING_BYTES];

	if (!mapped->header_at)
		return false;
	snprintf(memory_path, sizeof(memory_path), "/proc/%d/mem", (int)mapped->pid);
	_cleanup_fd_ int memory = open(memory_path, O_RDONLY | O_CLOEXEC);
	_cleanup_fd_ int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return memory >= 0 && file >= 0 &&
	       read_at(memory, mapped->header_at, in_memory, sizeof(in_memory)) &&
	       read_at(file, 0, in_file, sizeof(in_file)) &&
	       memcmp(in_memory, in_file, sizeof(in_file)) == 0;
}

static bool inode_is_same(const struct mapped_file *mapped, const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && status.st_ino == mapped->inode &&
	       status.st_dev == makedev(mapped->device_major, mapped->device_minor);
}

static bool file_is_same(const char *path, const char *other)
{
	struct stat one, two;

	return stat(path, &one) == 0 && stat(other, &two) == 0 && one.st_ino == two.st_ino &&
	       one.st_dev == two.st_dev;
}

typedef bool way_test(const struct mapped_file *mapped, const char *path, const char *map_file);

static bool test_inode(const struct mapped_file *mapped, const char *path, const char *map_file)
{
	return inode_is_same(mapped, path);
}

// A path a person can read is better than the one of map_files.
static bool test_map_file(const struct mapped_file *mapped, const char *path, const char *map_file)
{
	return file_is_same(path, map_file);
}

static bool test_beginning(const struct mapped_file *mapped, const char *path, const char *map_file)
{
	return beginning_is_same(mapped, path);
}

/** The first way that passes @a test; *@a ret is NULL when none does. */
static struct error *way_choose(const struct mapped_file *mapped, way_test *test,
				const char *map_file, char **ret)
{
	*ret = NULL;
	for (int way = 0; way < WAYS_COUNT; way++) {
		_cleanup_free_ char *path = NULL;
		struct error *error = way_format(mapped, way, &path);
		if (error)
			return error;
		if (test(mapped, path, map_file)) {
			*ret = take_ptr(path);
			return NULL;
		}
	}
	return NULL;
}

static struct error *nothing_found(const struct mapped_file *mapped)
{
	char process[64];
	struct stat status;
	_cleanup_free_ char *path = NULL;

	snprintf(process, sizeof(process), "/proc/%d", (int)mapped->pid);
	if (stat(process, &status) < 0 && errno == ENOENT)
		return error_create(ERROR_GONE, "process %d has ended", (int)mapped->pid);
	struct error *error = way_format(mapped, 1, &path);
	if (error)
		return error;
	if (stat(path, &status) < 0 && errno != ENOENT)
		return error_create_os(errno, "cannot look at %s", path);
	return error_create(ERROR_FAILED,
			    "%s on disk has been replaced or removed since the process started "
			    "(an upgrade?); restart the process, or run as root to read the file "
			    "that it still has mapped",
			    mapped->path);
}

struct error *mapped_file_open(const struct mapped_file *mapped, char **ret_path,
			       struct elf_file **ret)
{
	char map_file[128];
	struct stat status;
	_cleanup_free_ char *path = NULL;

	if (mapped->pid == 0) {
		const char *host_path = mapped->path;
		struct error *missing =
			mapped->core ? mem_corefile_file(mapped->core, mapped->start, &host_path)
				     : NULL;
		if (missing)
			return missing;
		path = strdup(host_path);
		if (!path)
			return error_no_memory();
	}
	snprintf(map_file, sizeof(map_file), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64,
		 (int)mapped->pid, mapped->start, mapped->end);
	struct error *error = NULL;
	if (!path)
		error = way_choose(mapped, test_inode, map_file, &path);
	if (!error && !path && stat(map_file, &status) == 0) {
		error = way_choose(mapped, test_map_file, map_file, &path);
		if (!error && !path) {
			path = strdup(map_file);
			if (!path)
				error = error_no_memory();
		}
	}
	if (!error && !path)
		error = way_choose(mapped, test_beginning, map_file, &path);
	if (!error && !path)
		error = nothing_found(mapped);
	if (error)
		return error;
	error = elf_file_open(path, ret);
	if (error)
		return error;
	*ret_path = take_ptr(path);
	return NULL;
}
