// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/pagemap.h"

#include <errno.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
	/** Entries per read. Small ones first: the caller goes from run to run, and they may be short. */
	ENTRIES_MIN = 64,
	ENTRIES_MAX = 4096,
};

/** Bits of an entry, from Documentation/admin-guide/mm/pagemap.rst. */
static const uint64_t entry_present = (uint64_t)1 << 63;
static const uint64_t entry_swapped = (uint64_t)1 << 62;

// The interface of PAGEMAP_SCAN, from include/uapi/linux/fs.h; the headers to build with may be older
// than the kernel to run on.
struct scan_region {
	uint64_t start;
	uint64_t end;
	uint64_t categories;
};

struct scan_arg {
	uint64_t size;
	uint64_t flags;
	uint64_t start;
	uint64_t end;
	uint64_t walk_end;
	uint64_t vec;
	uint64_t vec_len;
	uint64_t max_pages;
	uint64_t category_inverted;
	uint64_t category_mask;
	uint64_t category_anyof_mask;
	uint64_t return_mask;
};

#define SCAN_REQUEST _IOWR('f', 16, struct scan_arg)

enum {
	SCAN_PRESENT = 1 << 3,
	SCAN_SWAPPED = 1 << 4,
};

static bool find_by_scan(int fd, addr_t start, addr_t end, struct pagemap_run *ret)
{
	struct scan_region region;
	// Categories that are not returned do not split regions, so there is no need for one.
	struct scan_arg arg = {
		.size = sizeof(arg),
		.start = start,
		.end = end,
		.vec = (uintptr_t)&region,
		.vec_len = 1,
		.category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED,
	};
	int found = ioctl(fd, SCAN_REQUEST, &arg);

	if (found < 0)
		return false;
	*ret = (struct pagemap_run){0};
	if (found > 0)
		*ret = (struct pagemap_run){.start = region.start, .end = region.end};
	return true;
}

// Extends @a run by what @a entries tell of the pages from @a at on; whether it has ended.
static bool run_extend(struct pagemap_run *run, const uint64_t *entries, size_t count, addr_t at,
		       uint64_t page_bytes)
{
	for (size_t i = 0; i < count; i++, at += page_bytes) {
		bool held = entries[i] & (entry_present | entry_swapped);

		if (held && run->start == run->end)
			run->start = at;
		if (held)
			run->end = at + page_bytes;
		else if (run->start != run->end)
			return true;
	}
	return false;
}

static uint64_t page_size(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

struct error *pagemap_find_by_reading(int fd, addr_t start, addr_t end, struct pagemap_run *ret)
{
	uint64_t page_bytes = page_size();
	uint64_t entries[ENTRIES_MAX];
	size_t ask = ENTRIES_MIN;
	uint64_t page = start / page_bytes;
	uint64_t page_end = end / page_bytes + (end % page_bytes != 0);

	*ret = (struct pagemap_run){0};
	while (page < page_end) {
		size_t count = page_end - page < ask ? (size_t)(page_end - page) : ask;
		ssize_t got = pread(fd, entries, count * sizeof(*entries),
				    (off_t)(page * sizeof(*entries)));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_create_os(errno, "cannot read which pages are in memory");
		count = (size_t)got / sizeof(*entries);
		// Behind the last address that a process can have, or the process has ended.
		if (count == 0 || run_extend(ret, entries, count, page * page_bytes, page_bytes))
			break;
		page += count;
		ask = ask * 2 < ENTRIES_MAX ? ask * 2 : ENTRIES_MAX;
	}
	return NULL;
}

struct error *pagemap_find(int fd, addr_t start, addr_t end, struct pagemap_run *ret)
{
	uint64_t page_bytes = page_size();
	addr_t first = start - start % page_bytes;
	addr_t rest = end % page_bytes;
	addr_t last = rest ? end + (page_bytes - rest) : end;

	// What the scan does not take (an older kernel, an address that no process can have) is for
	// reading to judge.
	if (last >= end && find_by_scan(fd, first, last, ret))
		return NULL;
	return pagemap_find_by_reading(fd, start, end, ret);
}

struct error *pagemap_resident(int fd, addr_t start, addr_t end, addr_t *ret_start, addr_t *ret_end)
{
	struct pagemap_run run = {.start = start, .end = end};

	*ret_start = *ret_end = end;
	if (start >= end)
		return NULL;
	struct error *error = fd >= 0 ? pagemap_find(fd, start, end, &run) : NULL;
	if (error || run.start == run.end)
		return error;
	*ret_start = run.start < start ? start : run.start;
	*ret_end = run.end > end ? end : run.end;
	return NULL;
}
