// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/clone/clone_seal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "mem/clone/clone_filter.h"
#include "mem/maps.h"
#include "mem/process.h"

enum { STACK_BYTES = 16 << 20, GUARD_BYTES = 1 << 16, PIECE_BYTES = 1 << 16 };

__attribute__((format(printf, 2, 3))) static struct error *
seal_refuse(struct clone_sealing *sealing, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int length = vasprintf(&sealing->reason, format, args);
	va_end(args);
	if (length >= 0)
		return NULL;
	sealing->reason = NULL;
	return error_no_memory();
}

static struct error *seal_call(struct clone_sealing *sealing, uint64_t number,
			       const uint64_t args[CLONE_THREAD_ARGS_MAX], int64_t *ret)
{
	return clone_thread_syscall(sealing->thread, number, args, ret);
}

// A call that must succeed; @a what follows "cannot ".
static struct error *seal_must(struct clone_sealing *sealing, const char *what, uint64_t number,
			       const uint64_t args[CLONE_THREAD_ARGS_MAX])
{
	int64_t result = 0;
	struct error *error = seal_call(sealing, number, args, &result);

	if (error || result >= 0)
		return error;
	return seal_refuse(sealing, "it cannot %s: %s", what, strerror((int)-result));
}

static struct error *seal_write(const struct clone_sealing *sealing, addr_t at, const void *from,
				size_t bytes)
{
	if (pwrite(sealing->mem_fd, from, bytes, (off_t)at) == (ssize_t)bytes)
		return NULL;
	return error_create_os(errno, "cannot write the memory of a clone");
}

// Room and stack in one mapping, with pages between them that nobody may touch.
static struct error *seal_map_room(struct clone_sealing *sealing)
{
	size_t room_bytes = sealing->limits->room_bytes;
	int64_t at = 0;
	const uint64_t map[] = {0,
				room_bytes + GUARD_BYTES + STACK_BYTES,
				PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				UINT64_MAX,
				0};
	struct error *error = seal_call(sealing, SYS_mmap, map, &at);

	if (error)
		return error;
	if (at < 0 && at > -4096)
		return seal_refuse(sealing,
				   "it gets no %zu MiB of address space: %s; look at the limit of "
				   "the process (prlimit --as --pid PID)",
				   (room_bytes + GUARD_BYTES + STACK_BYTES) >> 20,
				   strerror((int)-at));
	sealing->room_at = (addr_t)at;
	sealing->stack_end = sealing->room_at + room_bytes + GUARD_BYTES + STACK_BYTES;
	const uint64_t guard[CLONE_THREAD_ARGS_MAX] = {sealing->room_at + room_bytes, GUARD_BYTES,
						       PROT_NONE};
	return seal_must(sealing, "protect its stack", SYS_mprotect, guard);
}

static struct error *seal_descriptor(struct clone_sealing *sealing, int64_t null_fd, int fd)
{
	const uint64_t to_null[CLONE_THREAD_ARGS_MAX] = {(uint64_t)null_fd, (uint64_t)fd,
							 O_CLOEXEC};
	const uint64_t away[CLONE_THREAD_ARGS_MAX] = {(uint64_t)fd};
	int64_t result;

	if (fd == null_fd)
		return NULL;
	if (null_fd >= 0)
		return seal_must(sealing, "replace a descriptor", SYS_dup3, to_null);
	// In a tree without devices. What close() says, it does.
	return seal_call(sealing, SYS_close, away, &result);
}

static struct error *seal_descriptors(struct clone_sealing *sealing)
{
	static const char null_path[] = "/dev/null";
	const uint64_t args[CLONE_THREAD_ARGS_MAX] = {(uint64_t)AT_FDCWD, sealing->room_at,
						      O_RDWR | O_CLOEXEC};
	char path[64];
	int64_t null_fd = -1;
	struct error *error = seal_write(sealing, sealing->room_at, null_path, sizeof(null_path));

	if (!error)
		error = seal_call(sealing, SYS_openat, args, &null_fd);
	snprintf(path, sizeof(path), "/proc/%d/fd", sealing->thread->pid);
	_cleanup_dir_ DIR *folder = opendir(path);
	if (!error && !folder)
		error = error_create_os(errno, "cannot list the descriptors of a clone");
	for (struct dirent *entry; !error && !sealing->reason && (entry = readdir(folder));)
		if (entry->d_name[0] != '.')
			error = seal_descriptor(sealing, null_fd, atoi(entry->d_name));
	return error;
}

// Shared memory that is a device's, or the kernel's own: to read it may have effects.
static bool mapping_is_device(const struct mapping *mapping)
{
	static const char *const memory[] = {"/dev/zero", "/dev/shm/"};

	for (size_t i = 0; i < ARRAY_COUNT(memory); i++)
		if (strncmp(mapping->path, memory[i], strlen(memory[i])) == 0)
			return false;
	return strncmp(mapping->path, "/dev/", strlen("/dev/")) == 0 || mapping->path[0] != '/';
}

static struct error *seal_replace(struct clone_sealing *sealing, const struct mapping *mapping,
				  bool readable)
{
	uint64_t protection = (mapping->flags & MAPPING_READ ? PROT_READ : 0U) |
			      (mapping->flags & MAPPING_WRITE ? PROT_WRITE : 0U) |
			      (mapping->flags & MAPPING_EXEC ? PROT_EXEC : 0U);
	const uint64_t map[] = {mapping->start,
				mapping->end - mapping->start,
				readable ? protection : PROT_NONE,
				MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE,
				UINT64_MAX,
				0};

	return seal_must(sealing, "give up shared memory", SYS_mmap, map);
}

// Of zeros nothing is written: pages that were never used take no memory.
static struct error *seal_write_used(const struct clone_sealing *sealing, addr_t at,
				     const char *from, size_t bytes)
{
	static const char zeros[4096];
	struct error *error = NULL;

	for (size_t done = 0; !error && done < bytes; done += sizeof(zeros))
		if (memcmp(from + done, zeros, sizeof(zeros)) != 0)
			error = seal_write(sealing, at + done, from + done, sizeof(zeros));
	return error;
}

static struct error *seal_copy(struct clone_sealing *sealing, const struct mapping *mapping)
{
	size_t bytes = mapping->end - mapping->start;
	_cleanup_free_ char *copy = calloc(1, bytes);

	if (!copy)
		return error_no_memory();
	// What cannot be read (behind the end of the file) would be a bus error, and is zeros now.
	for (size_t done = 0; done < bytes; done += PIECE_BYTES) {
		size_t piece = bytes - done < PIECE_BYTES ? bytes - done : PIECE_BYTES;
		if (pread(sealing->mem_fd, copy + done, piece, (off_t)(mapping->start + done)) < 0)
			break;
	}
	struct error *error = seal_replace(sealing, mapping, true);
	if (!error && !sealing->reason)
		error = seal_write_used(sealing, mapping->start, copy, bytes);
	return error;
}

static struct error *seal_shared_memory(struct clone_sealing *sealing)
{
	_cleanup_maps_ struct maps maps = {0};
	_cleanup_text_ struct text text = {0};
	uint64_t left = sealing->limits->shared_bytes;
	struct error *error = process_file(sealing->thread->pid, "maps", &text);

	if (!error)
		error = maps_parse(text_chars(&text), text.length, &maps);
	for (size_t i = 0; !error && !sealing->reason && i < maps.count; i++) {
		const struct mapping *mapping = &maps.list[i];
		uint64_t bytes = mapping->end - mapping->start;
		if (!(mapping->flags & MAPPING_SHARED))
			continue;
		if (mapping_is_device(mapping) || bytes > left) {
			error = seal_replace(sealing, mapping, false);
			continue;
		}
		left -= bytes;
		error = seal_copy(sealing, mapping);
	}
	return error;
}

static struct error *seal_limits(struct clone_sealing *sealing)
{
	struct process_status status;
	struct error *error = process_status_read(sealing->thread->pid, &status);

	if (error)
		return error;
	const struct {
		uint64_t resource, value;
	} limits[] = {
		{RLIMIT_AS, status.vss_bytes + sealing->limits->memory_bytes},
		{RLIMIT_CPU, sealing->limits->cpu_seconds},
		{RLIMIT_NPROC, 0},
		{RLIMIT_FSIZE, 0},
		{RLIMIT_CORE, 0},
		{RLIMIT_MEMLOCK, 0},
	};
	for (size_t i = 0; !error && !sealing->reason && i < ARRAY_COUNT(limits); i++) {
		const struct rlimit limit = {limits[i].value, limits[i].value};
		const uint64_t args[CLONE_THREAD_ARGS_MAX] = {limits[i].resource, sealing->room_at};
		int64_t result;
		error = seal_write(sealing, sealing->room_at, &limit, sizeof(limit));
		// One that is lower already is as good.
		if (!error)
			error = seal_call(sealing, SYS_setrlimit, args, &result);
	}
	return error;
}

static struct error *seal_filter(struct clone_sealing *sealing)
{
	struct sock_filter filter[CLONE_FILTER_MAX];
	size_t count = clone_filter_make(filter);
	addr_t filter_at = sealing->room_at + sizeof(struct sock_fprog);
	const struct sock_fprog program = {
		.len = (unsigned short)count,
		.filter = (struct sock_filter *)(uintptr_t)filter_at,
	};
	const uint64_t no_new[CLONE_THREAD_ARGS_MAX] = {PR_SET_NO_NEW_PRIVS, 1};
	const uint64_t set[CLONE_THREAD_ARGS_MAX] = {SECCOMP_SET_MODE_FILTER, 0, sealing->room_at};
	struct error *error = seal_write(sealing, sealing->room_at, &program, sizeof(program));

	if (!error)
		error = seal_write(sealing, filter_at, filter, count * sizeof(filter[0]));
	if (!error)
		error = seal_must(sealing, "give up privileges", SYS_prctl, no_new);
	if (!error && !sealing->reason)
		error = seal_must(sealing, "set a seccomp filter", SYS_seccomp, set);
	return error;
}

static struct error *seal_leave_session(struct clone_sealing *sealing)
{
	const uint64_t none[CLONE_THREAD_ARGS_MAX] = {0};

	return seal_must(sealing, "leave its session", SYS_setsid, none);
}

// What is run here may compute without end, and nobody else would have that processor then. A higher nice
// value is not set: a clone that is killed needs a processor to end on, and would get it late.
static struct error *seal_step_back(struct clone_sealing *sealing)
{
	static const struct sched_param no_priority = {0};
	pid_t pid = sealing->thread->pid;
	int policy = sched_getscheduler(pid);

	if ((policy == SCHED_FIFO || policy == SCHED_RR) &&
	    sched_setscheduler(pid, SCHED_OTHER, &no_priority) < 0)
		return seal_refuse(sealing, "its real-time priority cannot be given up: %s",
				   strerror(errno));
	return NULL;
}

struct error *clone_seal(struct clone_sealing *sealing)
{
	static struct error *(*const steps[])(struct clone_sealing * sealing) = {
		seal_map_room,      seal_descriptors, seal_shared_memory, seal_limits,
		seal_leave_session, seal_step_back,   seal_filter,
	};
	struct error *error = clone_thread_take(sealing->thread);

	for (size_t i = 0; !error && !sealing->reason && i < ARRAY_COUNT(steps); i++)
		error = steps[i](sealing);
	if (!error && !sealing->reason) {
		// Nothing of ours stays behind in the room.
		_cleanup_free_ char *zeros = calloc(1, PIECE_BYTES);
		error = zeros ? seal_write(sealing, sealing->room_at, zeros, PIECE_BYTES)
			      : error_no_memory();
	}
	return error;
}
