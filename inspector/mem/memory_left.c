// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/memory_left.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "mem/process.h"

/** Where a version of control groups keeps what we ask for. */
struct group_files {
	/** Begins the controllers of its line in /proc/self/cgroup. */
	const char *controller;
	const char *directory;
	const char *limit;
	const char *usage;
	/** Of memory.stat: pages of files that can be dropped at once, and count as used. */
	const char *droppable;
};

static const struct group_files group_versions[] = {
	{"", "/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"},
	{"memory", "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
	 "total_inactive_file"},
};

// The number behind @a name in a file of "NAME NUMBER" lines; with "" the number it begins with.
static bool number_in_file(const char *path, const char *name, uint64_t *ret)
{
	_cleanup_file_ FILE *file = fopen(path, "re");
	size_t length = strlen(name);
	char line[256];

	while (file && fgets(line, sizeof(line), file)) {
		unsigned long long number;
		bool named = strncmp(line, name, length) == 0 &&
			     (length == 0 || line[length] == ' ' || line[length] == ':');
		if (named && sscanf(line + length + (line[length] == ':'), "%llu", &number) == 1) {
			*ret = number;
			return true;
		}
	}
	return false;
}

static bool group_number(const char *directory, const char *file, const char *name, uint64_t *ret)
{
	char path[PATH_MAX];
	int length = snprintf(path, sizeof(path), "%s/%s", directory, file);

	return length > 0 && (size_t)length < sizeof(path) && number_in_file(path, name, ret);
}

static uint64_t group_left(const struct group_files *files, const char *directory)
{
	uint64_t limit, usage, droppable;

	// No limit is the word "max" in version 2, and a number beyond all memory in version 1.
	if (!group_number(directory, files->limit, "", &limit) ||
	    !group_number(directory, files->usage, "", &usage))
		return UINT64_MAX;
	if (group_number(directory, "memory.stat", files->droppable, &droppable))
		usage -= droppable < usage ? droppable : usage;
	return usage < limit ? limit - usage : 0;
}

// A group is bound by the limits of all those above it.
static uint64_t groups_left(const char *root, const struct group_files *files, const char *group)
{
	uint64_t least = UINT64_MAX;
	char directory[PATH_MAX];
	int top = snprintf(directory, sizeof(directory), "%s%s", root, files->directory);
	int length =
		snprintf(directory, sizeof(directory), "%s%s%s", root, files->directory, group);

	if (length < 0 || (size_t)length >= sizeof(directory))
		return UINT64_MAX;
	for (;;) {
		uint64_t left = group_left(files, directory);
		char *slash = strrchr(directory, '/');

		least = left < least ? left : least;
		if (!slash || slash - directory < top)
			return least;
		*slash = '\0';
	}
}

static uint64_t left_bytes(const char *process, const char *root)
{
	uint64_t least = UINT64_MAX, kib;
	char path[PATH_MAX], line[PATH_MAX];

	snprintf(path, sizeof(path), "%s/proc/meminfo", root);
	if (number_in_file(path, "MemAvailable", &kib))
		least = kib * 1024;
	snprintf(path, sizeof(path), "%s/proc/%s/cgroup", root, process);
	_cleanup_file_ FILE *file = fopen(path, "re");
	// "NUMBER:CONTROLLERS:PATH", the controllers of version 2 being none.
	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		char *controllers = strchr(line, ':');
		char *group = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!group)
			continue;
		*controllers++ = *group++ = '\0';
		for (size_t i = 0; i < sizeof(group_versions) / sizeof(group_versions[0]); i++) {
			if (strcmp(controllers, group_versions[i].controller) != 0)
				continue;
			uint64_t left = groups_left(root, &group_versions[i], group);
			least = left < least ? left : least;
		}
	}
	return least;
}

uint64_t memory_left_bytes(const char *root)
{
	return left_bytes("self", root);
}

uint64_t memory_left_bytes_of(pid_t pid, const char *root)
{
	char process[48];
	pid_t thread;

	// A main thread that has ended is in no group of version 1.
	error_destroy(process_memory_thread(pid, &thread));
	snprintf(process, sizeof(process), "%d/task/%d", (int)pid, (int)thread);
	return left_bytes(process, root);
}
