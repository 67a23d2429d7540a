// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/core/core_files.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/cleanup.h"

enum { HEX_CHARS = 2 * CORE_BUILD_ID_MAX + 1 };

void core_file_deinit(struct core_file *file)
{
	if (file->bytes.count)
		munmap((void *)(uintptr_t)file->bytes.at, file->bytes.count);
	free(file->host_path);
	free(file->path);
	*file = (struct core_file){0};
}

// False for what is no file with bytes in it: opening a device may do things.
static bool file_map(const char *path, struct core_bytes *ret)
{
	struct stat status;

	if (stat(path, &status) != 0 || !S_ISREG(status.st_mode))
		return false;
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size <= 0)
		return false;
	void *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return false;
	*ret = (struct core_bytes){.at = bytes, .count = (uint64_t)status.st_size};
	return true;
}

static bool ids_are_equal(const struct core_build_id *one, const struct core_build_id *other)
{
	return one->count == other->count && memcmp(one->bytes, other->bytes, one->count) == 0;
}

// Without a build-id the program headers tell one build from another.
static bool headers_are_equal(const struct core_bytes *one, const struct core_bytes *other)
{
	Elf64_Ehdr header, its_header;
	Elf64_Phdr segment, its_segment;

	if (!core_elf_header(one, &header) || !core_elf_header(other, &its_header) ||
	    header.e_phnum != its_header.e_phnum || header.e_entry != its_header.e_entry)
		return false;
	uint64_t count = core_elf_segment_count(one, &header);
	for (uint64_t i = 0; i < count; i++)
		if (!core_elf_segment(one, &header, i, &segment) ||
		    !core_elf_segment(other, &its_header, i, &its_segment) ||
		    memcmp(&segment, &its_segment, sizeof(segment)) != 0)
			return false;
	return true;
}

static enum core_file_state file_compare(const struct core_file *file,
					 const struct core_bytes *found)
{
	struct core_build_id wanted, its;
	Elf64_Ehdr header;

	if (!core_elf_header(&file->beginning, &header))
		return CORE_FILE_UNCHECKED;
	core_elf_build_id(&file->beginning, &wanted);
	core_elf_build_id(found, &its);
	if (wanted.count || its.count)
		return ids_are_equal(&wanted, &its) ? CORE_FILE_SAME : CORE_FILE_OTHER;
	return headers_are_equal(&file->beginning, found) ? CORE_FILE_SAME : CORE_FILE_OTHER;
}

static struct error *file_try(struct core_file *file, const char *root)
{
	_cleanup_free_ char *path = NULL;
	struct core_bytes found;

	if (asprintf(&path, "%s%s", root, file->path) < 0) {
		path = NULL;
		return error_no_memory();
	}
	if (!file_map(path, &found))
		return NULL;
	file->state = file_compare(file, &found);
	if (file->state == CORE_FILE_OTHER) {
		munmap((void *)(uintptr_t)found.at, found.count);
		return NULL;
	}
	file->bytes = found;
	file->host_path = take_ptr(path);
	return NULL;
}

struct error *core_file_find(struct core_file *file)
{
	const char *root = getenv("LEAKINSPECT_SYSROOT");
	struct error *error = NULL;

	file->state = CORE_FILE_MISSING;
	if (root && *root)
		error = file_try(file, root);
	if (!error && !file->host_path)
		error = file_try(file, "");
	return error;
}

static void id_format(const struct core_bytes *bytes, char text[HEX_CHARS])
{
	struct core_build_id id;

	core_elf_build_id(bytes, &id);
	text[0] = '\0';
	for (size_t i = 0; i < id.count; i++)
		snprintf(text + 2 * i, 3, "%02x", id.bytes[i]);
}

void core_file_complain(const struct core_file *file, char *into, size_t into_bytes)
{
	char wanted[HEX_CHARS];
	size_t used = strlen(into);

	id_format(&file->beginning, wanted);
	if (file->state == CORE_FILE_MISSING || file->state == CORE_FILE_OTHER)
		snprintf(into + used, into_bytes - used, "%s%s%s is %s", file->path,
			 *wanted ? " with build-id " : "", wanted,
			 file->state == CORE_FILE_MISSING ? "not here" : "another file here");
}
