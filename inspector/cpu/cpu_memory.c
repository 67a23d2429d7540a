// SPDX-License-Identifier: GPL-3.0-or-later
#include "cpu/cpu_memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/pages.h"

enum {
	/** Then all of them are dropped: 64 MiB. */
	CACHED_PAGES_MAX = 1 << 14,
	BUCKETS_MIN = 256,
	STACK_PAGES = CPU_STACK_BYTES / CPU_PAGE_BYTES,
};

static const uint64_t STACK_PAGE = CPU_STACK_AT >> CPU_PAGE_BITS;
static const uint64_t NO_PAGE = UINT64_MAX;

static void memory_clear_slots(struct cpu_memory *memory)
{
	for (size_t i = 0; i < CPU_READ_SLOTS; i++)
		memory->read[i].page = NO_PAGE;
	for (size_t i = 0; i < CPU_WRITE_SLOTS; i++)
		memory->write[i].page = NO_PAGE;
}

struct error *cpu_memory_init(struct cpu_memory *memory, struct mem_source *source)
{
	memory->source = source;
	memory_clear_slots(memory);
	// Zeros, not what our own heap held: a call must give the same answer each time.
	memory->stack = pages_alloc_sparse(CPU_STACK_BYTES);
	memory->buckets = calloc(BUCKETS_MIN, sizeof(*memory->buckets));
	memory->bucket_count = BUCKETS_MIN;
	return memory->stack && memory->buckets ? NULL : error_no_memory();
}

void cpu_memory_deinit(struct cpu_memory *memory)
{
	for (size_t i = 0; i < memory->written_capacity; i++)
		free(memory->written[i].bytes);
	free(memory->written);
	free(memory->buckets);
	for (size_t i = 0; i < memory->cached_capacity; i++)
		free(memory->cached[i]);
	free(memory->cached);
	addr_map_deinit(&memory->cached_index);
	addr_map_deinit(&memory->code);
	pages_free_sparse(memory->stack, CPU_STACK_BYTES);
}

// A page that cannot be kept for want of memory reads as one that is not there: the call ends.
static uint8_t *memory_cached(struct cpu_memory *memory, uint64_t page)
{
	uint32_t index;

	if (addr_map_get(&memory->cached_index, page, &index))
		return memory->cached[index];
	if (memory->cached_count == CACHED_PAGES_MAX) {
		addr_map_deinit(&memory->cached_index);
		memory->cached_index = (struct addr_map){0};
		memory->cached_count = 0;
		memory_clear_slots(memory);
	}

	size_t count = memory->cached_count;
	struct error *error = array_reserve(&memory->cached, &memory->cached_capacity, count + 1,
					    sizeof(*memory->cached));
	if (!error && !memory->cached[count]) {
		memory->cached[count] = malloc(CPU_PAGE_BYTES);
		if (!memory->cached[count])
			error = error_no_memory();
	}
	if (!error)
		error = mem_source_read(memory->source, page << CPU_PAGE_BITS,
					memory->cached[count], CPU_PAGE_BYTES);
	if (!error)
		error = addr_map_put(&memory->cached_index, page, (uint32_t)count);
	if (error) {
		error_destroy(error);
		return NULL;
	}
	memory->cached_count++;
	return memory->cached[count];
}

static uint8_t *memory_written(const struct cpu_memory *memory, uint64_t page)
{
	for (uint32_t i = memory->buckets[page & (memory->bucket_count - 1)]; i > 0;
	     i = memory->written[i - 1].next) {
		if (memory->written[i - 1].page == page)
			return memory->written[i - 1].bytes;
	}
	return NULL;
}

static uint8_t *memory_stack(const struct cpu_memory *memory, uint64_t page)
{
	if (page - STACK_PAGE < STACK_PAGES)
		return memory->stack + (page - STACK_PAGE) * CPU_PAGE_BYTES;
	return NULL;
}

// Not to be written when it is neither a written page nor one of the stack.
static uint8_t *memory_page(struct cpu_memory *memory, uint64_t page)
{
	struct cpu_page_slot *slot = &memory->read[page % CPU_READ_SLOTS];

	if (slot->page == page)
		return slot->bytes;
	uint8_t *bytes = memory_stack(memory, page);
	if (!bytes && memory->written_count > 0)
		bytes = memory_written(memory, page);
	if (!bytes && page > 0) {
		const void *view =
			mem_source_view(memory->source, page << CPU_PAGE_BITS, CPU_PAGE_BYTES);
		bytes = view ? (uint8_t *)view : memory_cached(memory, page);
	}
	if (bytes)
		*slot = (struct cpu_page_slot){.page = page, .bytes = bytes};
	return bytes;
}

// As many buckets as pages, so that they stay short; they serve as they are when there is no memory.
static void memory_grow_buckets(struct cpu_memory *memory)
{
	size_t count = 4 * memory->bucket_count;
	uint32_t *buckets = calloc(count, sizeof(*buckets));

	if (!buckets)
		return;
	for (size_t i = 0; i < memory->written_count; i++) {
		uint32_t *bucket = &buckets[memory->written[i].page & (count - 1)];

		memory->written[i].next = *bucket;
		*bucket = (uint32_t)i + 1;
	}
	free(memory->buckets);
	memory->buckets = buckets;
	memory->bucket_count = count;
}

// A copy of @a page that can be written, or zeros when @a from is NULL; NULL without memory.
static uint8_t *memory_copy(struct cpu_memory *memory, uint64_t page, const uint8_t *from)
{
	size_t count = memory->written_count;
	struct error *error = array_reserve(&memory->written, &memory->written_capacity, count + 1,
					    sizeof(*memory->written));

	if (error) {
		error_destroy(error);
		return NULL;
	}
	struct cpu_written_page *written = &memory->written[count];
	if (!written->bytes)
		written->bytes = malloc(CPU_PAGE_BYTES);
	if (!written->bytes)
		return NULL;
	if (from)
		memcpy(written->bytes, from, CPU_PAGE_BYTES);
	else
		memset(written->bytes, 0, CPU_PAGE_BYTES);
	if (count >= memory->bucket_count)
		memory_grow_buckets(memory);
	uint32_t *bucket = &memory->buckets[page & (memory->bucket_count - 1)];
	written->page = page;
	written->next = *bucket;
	*bucket = (uint32_t)++memory->written_count;
	return written->bytes;
}

static uint8_t *memory_writable(struct cpu_memory *memory, uint64_t page)
{
	struct cpu_page_slot *slot = &memory->write[page % CPU_WRITE_SLOTS];
	uint32_t code;

	if (slot->page == page)
		return slot->bytes;
	uint8_t *bytes = memory_stack(memory, page);
	if (!bytes)
		bytes = memory_written(memory, page);
	if (!bytes) {
		const uint8_t *from = memory_page(memory, page);

		if (!from || addr_map_get(&memory->code, page, &code))
			return NULL;
		if (memory->written_count >= memory->written_max) {
			memory->too_much = true;
			return NULL;
		}
		bytes = memory_copy(memory, page, from);
		if (!bytes)
			return NULL;
		memory->read[page % CPU_READ_SLOTS] =
			(struct cpu_page_slot){.page = page, .bytes = bytes};
	}
	*slot = (struct cpu_page_slot){.page = page, .bytes = bytes};
	return bytes;
}

// How many of @a bytes bytes from @a at lie on its page.
static size_t memory_piece(addr_t at, size_t bytes)
{
	size_t rest = CPU_PAGE_BYTES - at % CPU_PAGE_BYTES;

	return bytes < rest ? bytes : rest;
}

bool cpu_memory_read(struct cpu_memory *memory, addr_t at, void *into, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		size_t piece = memory_piece(at + done, bytes - done);
		const uint8_t *page = memory_page(memory, (at + done) >> CPU_PAGE_BITS);

		if (!page) {
			memory->fault_at = at + done;
			memory->too_much = false;
			return false;
		}
		memcpy((uint8_t *)into + done, page + (at + done) % CPU_PAGE_BYTES, piece);
		done += piece;
	}
	return true;
}

bool cpu_memory_write(struct cpu_memory *memory, addr_t at, const void *from, size_t bytes)
{
	memory->too_much = false;
	for (size_t done = 0; done < bytes;) {
		size_t piece = memory_piece(at + done, bytes - done);
		uint8_t *page = memory_writable(memory, (at + done) >> CPU_PAGE_BITS);

		if (!page) {
			memory->fault_at = at + done;
			return false;
		}
		memcpy(page + (at + done) % CPU_PAGE_BYTES, (const uint8_t *)from + done, piece);
		done += piece;
	}
	return true;
}

const uint8_t *cpu_memory_find(struct cpu_memory *memory, addr_t at, size_t bytes, uint8_t *bounce)
{
	if (memory_piece(at, bytes) < bytes)
		return cpu_memory_read(memory, at, bounce, bytes) ? bounce : NULL;

	const uint8_t *page = memory_page(memory, at >> CPU_PAGE_BITS);
	if (!page) {
		memory->fault_at = at;
		memory->too_much = false;
		return NULL;
	}
	return page + at % CPU_PAGE_BYTES;
}

const uint8_t *cpu_memory_code(struct cpu_memory *memory, addr_t at)
{
	uint64_t page = at >> CPU_PAGE_BITS;
	uint32_t code;

	memory->fault_at = at;
	if (memory_stack(memory, page) || memory_written(memory, page))
		return NULL;
	const uint8_t *bytes = memory_page(memory, page);
	if (!bytes)
		return NULL;
	if (!addr_map_get(&memory->code, page, &code)) {
		struct error *error = addr_map_put(&memory->code, page, 0);

		if (error) {
			error_destroy(error);
			return NULL;
		}
	}
	return bytes + at % CPU_PAGE_BYTES;
}

bool cpu_memory_map(struct cpu_memory *memory, addr_t at, uint64_t bytes)
{
	uint64_t first = at >> CPU_PAGE_BITS;
	uint64_t last = (at + bytes - 1) >> CPU_PAGE_BITS;

	memory->fault_at = at;
	memory->too_much = false;
	if (at == 0 || bytes == 0 || at + bytes < at)
		return false;
	if (last - first >= memory->written_max - memory->written_count) {
		memory->too_much = true;
		return false;
	}
	for (uint64_t page = first; page <= last; page++) {
		uint32_t code;

		if (memory_stack(memory, page) || memory_written(memory, page) ||
		    addr_map_get(&memory->code, page, &code))
			return false;
		uint8_t *bytes_of_page = memory_copy(memory, page, NULL);
		if (!bytes_of_page)
			return false;
		memory->read[page % CPU_READ_SLOTS] =
			(struct cpu_page_slot){.page = page, .bytes = bytes_of_page};
	}
	return true;
}

void cpu_memory_forget(struct cpu_memory *memory)
{
	for (size_t i = 0; i < memory->written_count; i++) {
		uint64_t page = memory->written[i].page;
		struct cpu_page_slot *read = &memory->read[page % CPU_READ_SLOTS];
		struct cpu_page_slot *write = &memory->write[page % CPU_WRITE_SLOTS];

		if (read->page == page)
			read->page = NO_PAGE;
		if (write->page == page)
			write->page = NO_PAGE;
		memory->buckets[page & (memory->bucket_count - 1)] = 0;
	}
	memory->written_count = 0;
}
