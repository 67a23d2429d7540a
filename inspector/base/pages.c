// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/pages.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

static size_t pages_round(size_t bytes)
{
	return (bytes + PAGES_HUGE_BYTES - 1) & ~((size_t)PAGES_HUGE_BYTES - 1);
}

// A child that stays (mem/clone/keeper.h) would keep all after it was freed.
static void pages_advise(void *pages, size_t bytes, int advice)
{
	madvise(pages, bytes, advice);
	madvise(pages, bytes, MADV_DONTFORK);
}

void *pages_alloc(size_t bytes)
{
	if (bytes < PAGES_HUGE_BYTES)
		return calloc(1, bytes ? bytes : 1);
	if (bytes > PTRDIFF_MAX - 2 * (size_t)PAGES_HUGE_BYTES)
		return NULL;
	// A huge page lies at a multiple of its size: one too many is mapped, and the ends go back.
	size_t wanted = pages_round(bytes);
	size_t mapped = wanted + PAGES_HUGE_BYTES;
	char *start = mmap(NULL, mapped, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (start == MAP_FAILED)
		return NULL;
	size_t before = -(uintptr_t)start & (PAGES_HUGE_BYTES - 1);
	if (before)
		munmap(start, before);
	munmap(start + before + wanted, mapped - wanted - before);
	pages_advise(start + before, wanted, MADV_HUGEPAGE);
	return start + before;
}

void pages_free(void *pages, size_t bytes)
{
	if (!pages)
		return;
	if (bytes < PAGES_HUGE_BYTES)
		free(pages);
	else
		munmap(pages, pages_round(bytes));
}

void *pages_alloc_sparse(size_t bytes)
{
	if (bytes == 0 || bytes > PTRDIFF_MAX)
		return NULL;
	void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (pages == MAP_FAILED)
		return NULL;
	pages_advise(pages, bytes, MADV_NOHUGEPAGE);
	return pages;
}

void pages_free_sparse(void *pages, size_t bytes)
{
	if (pages)
		munmap(pages, bytes);
}
