// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/live.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "mem/maps.h"
#include "mem/pagemap.h"
#include "mem/process.h"

enum {
	/** Iovecs per process_vm_readv: the kernel's limit (UIO_MAXIOV). */
	BATCH_SPANS_MAX = 1024,
	BATCH_SPANS_MIN = 16,
	/** The kernel moves at most INT_MAX rounded down to a page per call (MAX_RW_COUNT). */
	BATCH_BYTES_MAX = 1 << 30,
	/** From this size on a look whether it is still the same process costs nothing in comparison. */
	CHECKED_BYTES = 64 << 10,
};

struct live {
	struct mem_source source;
	pid_t pid;
	/** The thread through which the memory is reached, see process_memory_thread(). */
	_Atomic pid_t thread;
	/** An open file of /proc/PID/mem belongs to one memory for ever: it tells the process from a
	 *  later one with the same id, and from what exec makes of it. */
	int mem_fd;
	/** -1 when it cannot be opened. */
	int pagemap_fd;
	uint64_t page_bytes;
};

static struct live *live_of(struct mem_source *source)
{
	return (struct live *)source;
}

// Reading at address 0 fails with EIO as long as the memory is there (or even succeeds), and yields
// nothing once its last user has gone (mem_rw() in fs/proc/base.c).
static struct error *live_check(const struct live *live)
{
	char byte;

	if (pread(live->mem_fd, &byte, 1, 0) != 0)
		return NULL;

	struct process_status status;
	struct error *error = process_status_read(live->pid, &status);
	if (error)
		return error;
	// One that is ending has no memory for a while before it is dead.
	if (process_has_ended(&status) || status.vss_bytes == 0)
		return error_create(ERROR_GONE, "process %d (%s) has ended", live->pid,
				    status.comm);
	return error_create(ERROR_GONE,
			    "process %d has become another program (%s); attach to it again",
			    live->pid, status.comm);
}

// The thread @a lost, through which we read, has no memory any more. Finds another one.
static struct error *live_find_thread(struct live *live, pid_t lost)
{
	pid_t thread;
	struct error *error = live_check(live);

	if (!error)
		error = process_memory_thread(live->pid, &thread);
	if (error)
		return error;
	if (thread == lost)
		return error_create(ERROR_GONE, "process %d is ending", live->pid);
	atomic_store(&live->thread, thread);
	return NULL;
}

// A thread that ends leaves its id to others. Afterwards asked: whoever has it now had it before, too.
static bool live_has_thread(const struct live *live, pid_t thread)
{
	char path[64];

	if (thread == live->pid)
		return true;
	snprintf(path, sizeof(path), "/proc/%d/task/%d", live->pid, thread);
	return access(path, F_OK) == 0;
}

// One process_vm_readv. *ret is the number of bytes that came, counted from the first span on; 0 when
// the very first byte of the first span is bad.
static struct error *live_transfer(struct live *live, const struct iovec *into,
				   const struct iovec *from, size_t count, size_t *ret)
{
	for (;;) {
		pid_t thread = atomic_load(&live->thread);
		ssize_t got = process_vm_readv(thread, into, count, from, count, 0);
		int failed = got < 0 ? errno : 0;

		if (!live_has_thread(live, thread))
			failed = ESRCH;
		*ret = got > 0 ? (size_t)got : 0;
		if (failed == 0 || failed == EFAULT)
			return NULL;
		if (failed == EPERM)
			return process_refusal(live->pid);
		if (failed == ENOMEM)
			return error_no_memory();
		if (failed != ESRCH)
			return error_create_os(failed, "cannot read the memory of process %d",
					       live->pid);
		struct error *error = live_find_thread(live, thread);
		if (error)
			return error;
	}
}

static struct error *live_fault(const struct live *live, addr_t bad, addr_t at, size_t bytes)
{
	struct error *error = live_check(live);

	if (error)
		return error;
	return error_create_fault(
		bad,
		"cannot read %zu bytes at 0x%llx of process %d: nothing readable at "
		"0x%llx",
		bytes, (unsigned long long)at, live->pid, (unsigned long long)bad);
}

static struct error *live_read(struct mem_source *source, addr_t at, void *into, size_t bytes)
{
	struct live *live = live_of(source);
	size_t done = 0;
	// How much to ask for at once. The kernel stops at the first bad page, but documents that it
	// may stop at the beginning of the piece: before blaming an address, ask for its page alone.
	size_t step = BATCH_BYTES_MAX;

	while (done < bytes) {
		addr_t here = at + done;
		size_t ask = bytes - done < step ? bytes - done : step;
		size_t got;

		if (here < at)
			return live_fault(live, at, at, bytes);
		struct iovec local = {.iov_base = (char *)into + done, .iov_len = ask};
		struct iovec remote = {.iov_base = (void *)(uintptr_t)here, .iov_len = ask};
		struct error *error = live_transfer(live, &local, &remote, 1, &got);
		if (error)
			return error;
		done += got;
		if (got > 0)
			continue;
		size_t rest_of_page = live->page_bytes - here % live->page_bytes;
		if (ask <= rest_of_page)
			return live_fault(live, here, at, bytes);
		step = rest_of_page;
	}
	return bytes >= CHECKED_BYTES ? live_check(live) : NULL;
}

// Fills one call's worth of iovecs from @a spans; the number of spans it took, 0 when the first one
// is too large to be one of many.
static size_t batch_fill(const struct mem_span *spans, size_t count, struct iovec *into,
			 struct iovec *from)
{
	size_t total = 0;
	size_t n;

	for (n = 0; n < count; n++) {
		if (spans[n].bytes > BATCH_BYTES_MAX - total)
			break;
		total += spans[n].bytes;
		into[n] = (struct iovec){.iov_base = spans[n].into, .iov_len = spans[n].bytes};
		from[n] = (struct iovec){.iov_base = (void *)(uintptr_t)spans[n].at,
					 .iov_len = spans[n].bytes};
	}
	return n;
}

static struct error *gather_large(struct mem_source *source, struct mem_span *span)
{
	struct error *error = live_read(source, span->at, span->into, span->bytes);

	if (error && error->code == ERROR_FAULT) {
		error_destroy(error);
		return NULL;
	}
	span->ok = !error;
	return error;
}

static struct error *live_gather(struct mem_source *source, struct mem_span *spans, size_t count)
{
	struct live *live = live_of(source);
	struct iovec into[BATCH_SPANS_MAX], from[BATCH_SPANS_MAX];
	// The kernel copies all iovecs of a call before it meets the bad one: where many are bad, ask
	// for fewer at once.
	size_t batch_max = BATCH_SPANS_MAX;
	// Bad pieces may also mean that the process is another one by now.
	bool doubt = count >= BATCH_SPANS_MAX;

	for (size_t i = 0; i < count; i++)
		spans[i].ok = false;
	for (size_t i = 0; i < count;) {
		size_t left = count - i, done;
		size_t n = batch_fill(spans + i, left < batch_max ? left : batch_max, into, from);
		struct error *error;

		if (n == 0) {
			error = gather_large(source, &spans[i++]);
			if (error)
				return error;
			continue;
		}
		error = live_transfer(live, into, from, n, &done);
		if (error)
			return error;
		size_t good = 0;
		while (good < n && done >= spans[i + good].bytes) {
			done -= spans[i + good].bytes;
			spans[i + good++].ok = true;
		}
		// Go on behind the bad one.
		i += good < n ? good + 1 : n;
		doubt |= good < n;
		batch_max = good < n ? batch_max / 2 : batch_max * 2;
		if (batch_max < BATCH_SPANS_MIN)
			batch_max = BATCH_SPANS_MIN;
		if (batch_max > BATCH_SPANS_MAX)
			batch_max = BATCH_SPANS_MAX;
	}
	return doubt ? live_check(live) : NULL;
}

static struct error *live_maps(struct mem_source *source, struct maps *ret)
{
	struct live *live = live_of(source);

	for (;;) {
		_cleanup_text_ struct text text = {0};
		pid_t thread = atomic_load(&live->thread);
		struct error *error = process_thread_file(live->pid, thread, "maps", &text);

		// A thread that has let go of the memory has an empty list; one that ends, a part at most.
		if (error ? error->code == ERROR_GONE : text.length == 0) {
			error_destroy(error);
			error = live_find_thread(live, thread);
			if (error)
				return error;
			continue;
		}
		if (!error)
			error = live_check(live);
		if (!error)
			error = maps_parse(text_chars(&text), text.length, ret);
		return error;
	}
}

static struct error *live_resident(struct mem_source *source, addr_t start, addr_t end,
				   addr_t *ret_start, addr_t *ret_end)
{
	struct live *live = live_of(source);
	struct error *error = pagemap_resident(live->pagemap_fd, start, end, ret_start, ret_end);

	// An ended process has no pages either.
	return !error && start < end && *ret_start == *ret_end ? live_check(live) : error;
}

static struct error *live_check_source(struct mem_source *source)
{
	return live_check(live_of(source));
}

static void live_close(struct live *live)
{
	if (live->mem_fd >= 0)
		close(live->mem_fd);
	if (live->pagemap_fd >= 0)
		close(live->pagemap_fd);
	live->mem_fd = live->pagemap_fd = -1;
}

static void live_destroy(struct mem_source *source)
{
	struct live *live = live_of(source);

	live_close(live);
	free(live);
}

static const struct mem_source_ops live_ops = {
	.read = live_read,
	.gather = live_gather,
	.maps = live_maps,
	.resident = live_resident,
	.check = live_check_source,
	.destroy = live_destroy,
};

static int open_of_thread(const struct live *live, pid_t thread, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", live->pid, thread, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static struct error *live_open(pid_t thread, void *argument)
{
	struct live *live = argument;

	live_close(live);
	live->thread = thread;
	// First, for it says nothing of a thread without memory on older kernels. If there is memory behind
	// the next one, there was when this one was opened.
	live->pagemap_fd = open_of_thread(live, thread, "pagemap");
	live->mem_fd = open_of_thread(live, thread, "mem");
	if (live->mem_fd >= 0)
		return live_check(live);
	if (errno == EACCES || errno == EPERM)
		return process_refusal(live->pid);
	if (errno == ENOENT || errno == ESRCH)
		return error_create(ERROR_GONE, "process %d has ended", live->pid);
	return error_create_os(errno, "cannot open the memory of process %d", live->pid);
}

struct error *mem_live_create(pid_t pid, struct mem_source **ret)
{
	struct live *live = malloc(sizeof(*live));

	if (!live)
		return error_no_memory();
	*live = (struct live){
		.source.ops = &live_ops,
		.pid = pid,
		.mem_fd = -1,
		.pagemap_fd = -1,
		.page_bytes = (uint64_t)sysconf(_SC_PAGESIZE),
	};
	struct error *error = process_through_memory_thread(pid, live_open, live);
	if (error) {
		live_destroy(&live->source);
		return error;
	}
	*ret = &live->source;
	return NULL;
}
