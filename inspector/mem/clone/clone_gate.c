// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/clone/clone_gate.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "base/array.h"
#include "base/cleanup.h"

// null, zero, random, urandom: Documentation/admin-guide/devices.txt.
static bool device_is_harmless(dev_t device)
{
	static const unsigned minors[] = {3, 5, 8, 9};

	for (size_t i = 0; major(device) == 1 && i < ARRAY_COUNT(minors); i++)
		if (minor(device) == minors[i])
			return true;
	return false;
}

bool clone_gate_allows(pid_t pid, int fd)
{
	char path[64];
	struct stat status;
	struct statfs system;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	_cleanup_fd_ int place = open(path, O_PATH | O_CLOEXEC);
	if (place < 0 || fstat(place, &status) < 0 || fstatfs(place, &system) < 0)
		return false;
	// To read some of their files takes from others who read them (trace_pipe).
	if (system.f_type == DEBUGFS_MAGIC || system.f_type == TRACEFS_MAGIC)
		return false;
	return S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) ||
	       (S_ISCHR(status.st_mode) && device_is_harmless(status.st_rdev));
}
