// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/clone/clone_source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "mem/maps.h"
#include "mem/pagemap.h"
#include "mem/process.h"

struct clone_source {
	struct mem_source source;
	pid_t pid;
	int mem_fd;
	/** -1 when it cannot be opened. */
	int pagemap_fd;
};

static struct clone_source *clone_of(struct mem_source *source)
{
	return (struct clone_source *)source;
}

static struct error *source_gone(const struct clone_source *clone)
{
	return error_create(
		ERROR_GONE,
		"the clone of the process (%d) was killed, as the first to go when memory "
		"is short; try --snapshot copy",
		clone->pid);
}

// As much as comes; fewer bytes than asked for: the next one is bad.
static struct error *source_transfer(const struct clone_source *clone, addr_t at, void *into,
				     size_t bytes, size_t *ret_done)
{
	*ret_done = 0;
	// An offset of a file is signed: the upper half is not to be had, and the kernel's anyway.
	if (at > INT64_MAX)
		return NULL;
	while (*ret_done < bytes) {
		ssize_t got = pread(clone->mem_fd, (char *)into + *ret_done, bytes - *ret_done,
				    (off_t)(at + *ret_done));
		if (got < 0 && errno == EINTR)
			continue;
		// Nothing at all, and no error: there is no memory any more.
		if (got == 0)
			return source_gone(clone);
		if (got < 0 && errno == ENOMEM)
			return error_no_memory();
		if (got < 0)
			return NULL;
		*ret_done += (size_t)got;
	}
	return NULL;
}

static struct error *source_read(struct mem_source *source, addr_t at, void *into, size_t bytes)
{
	const struct clone_source *clone = clone_of(source);
	size_t done;
	struct error *error = source_transfer(clone, at, into, bytes, &done);

	if (error || done == bytes)
		return error;
	return error_create_fault(at + done,
				  "cannot read %zu bytes at 0x%" PRIx64
				  " of a clone: nothing readable at 0x%" PRIx64,
				  bytes, at, at + done);
}

static struct error *source_gather(struct mem_source *source, struct mem_span *spans, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t done;
		struct error *error = source_transfer(clone_of(source), spans[i].at, spans[i].into,
						      spans[i].bytes, &done);
		if (error)
			return error;
		spans[i].ok = done == spans[i].bytes;
	}
	return NULL;
}

static struct error *source_maps(struct mem_source *source, struct maps *ret)
{
	_cleanup_text_ struct text text = {0};
	struct error *error = process_file(clone_of(source)->pid, "maps", &text);

	return error ? error : maps_parse(text_chars(&text), text.length, ret);
}

static struct error *source_resident(struct mem_source *source, addr_t start, addr_t end,
				     addr_t *ret_start, addr_t *ret_end)
{
	return pagemap_resident(clone_of(source)->pagemap_fd, start, end, ret_start, ret_end);
}

static void source_destroy(struct mem_source *source)
{
	struct clone_source *clone = clone_of(source);

	if (clone->mem_fd >= 0)
		close(clone->mem_fd);
	if (clone->pagemap_fd >= 0)
		close(clone->pagemap_fd);
	free(clone);
}

static const struct mem_source_ops source_ops = {
	.read = source_read,
	.gather = source_gather,
	.maps = source_maps,
	.resident = source_resident,
	.destroy = source_destroy,
};

static int source_open(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

struct error *clone_source_create(pid_t pid, struct mem_source **ret)
{
	struct clone_source *clone = calloc(1, sizeof(*clone));

	if (!clone)
		return error_no_memory();
	*clone = (struct clone_source){
		.source.ops = &source_ops,
		.pid = pid,
		.mem_fd = source_open(pid, "mem"),
		.pagemap_fd = source_open(pid, "pagemap"),
	};
	if (clone->mem_fd < 0) {
		struct error *error = error_create_os(errno, "cannot open the memory of a clone");
		source_destroy(&clone->source);
		return error;
	}
	*ret = &clone->source;
	return NULL;
}
