// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/window.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

// 256 pages: 1 MiB, which stays in the second-level cache beside the stream's buffer.
enum { PAGE_SLOTS = 256 };

static const addr_t NO_PAGE = ~(addr_t)0;

struct mem_window {
	struct mem_source *source;
	/** Its bytes may lie in our memory (mem_source_view()). */
	bool has_views;
	struct error *error;
	/** See mem_window_lend(). */
	addr_t lent_at;
	size_t lent_bytes;
	const unsigned char *lent;
	/** Which page each slot holds; readable[] tells whether it could be read. */
	addr_t page[PAGE_SLOTS];
	bool readable[PAGE_SLOTS];
	unsigned char bytes[PAGE_SLOTS][MEM_WINDOW_PAGE_BYTES];
	/** A request that straddles two pages is put together here. */
	unsigned char straddle[MEM_WINDOW_BYTES_MAX];
};

struct error *mem_window_create(struct mem_source *source, struct mem_window **ret)
{
	struct mem_window *window = malloc(sizeof(*window));

	if (!window)
		return error_no_memory();
	window->source = source;
	window->has_views = source->ops->view;
	window->error = NULL;
	mem_window_lend(window, 0, NULL, 0);
	mem_window_clear(window);
	*ret = window;
	return NULL;
}

void mem_window_destroy(struct mem_window *window)
{
	if (!window)
		return;
	error_destroy(window->error);
	free(window);
}

void mem_window_cleanup(struct mem_window **window)
{
	mem_window_destroy(*window);
}

void mem_window_clear(struct mem_window *window)
{
	for (size_t i = 0; i < PAGE_SLOTS; i++)
		window->page[i] = NO_PAGE;
}

void mem_window_lend(struct mem_window *window, addr_t at, const void *data, size_t bytes)
{
	window->lent = data;
	window->lent_at = at;
	window->lent_bytes = data ? bytes : 0;
}

static const unsigned char *mem_window_lent(const struct mem_window *window, addr_t at,
					    size_t bytes)
{
	addr_t offset = at - window->lent_at;

	if (bytes > window->lent_bytes || offset > window->lent_bytes - bytes)
		return NULL;
	return window->lent + offset;
}

// What needs no reading: @a bytes at @a at where they lie in our memory already.
static const unsigned char *mem_window_at_hand(const struct mem_window *window, addr_t at,
					       size_t bytes)
{
	const unsigned char *lent = mem_window_lent(window, at, bytes);

	if (lent || !window->has_views)
		return lent;
	return mem_source_view(window->source, at, bytes);
}

static const unsigned char *mem_window_page(struct mem_window *window, addr_t page)
{
	size_t slot = (size_t)(page / MEM_WINDOW_PAGE_BYTES) % PAGE_SLOTS;

	if (window->page[slot] == page)
		return window->readable[slot] ? window->bytes[slot] : NULL;
	struct error *error =
		mem_source_read(window->source, page, window->bytes[slot], MEM_WINDOW_PAGE_BYTES);
	window->page[slot] = page;
	window->readable[slot] = !error;
	if (error && error->code != ERROR_FAULT && !window->error)
		window->error = take_ptr(error);
	error_destroy(error);
	return window->readable[slot] ? window->bytes[slot] : NULL;
}

const void *mem_window_at(struct mem_window *window, addr_t at, size_t bytes)
{
	addr_t page = at & ~(addr_t)(MEM_WINDOW_PAGE_BYTES - 1);
	size_t offset = (size_t)(at - page);
	const unsigned char *at_hand = mem_window_at_hand(window, at, bytes);

	if (at_hand)
		return at_hand;
	if (bytes > MEM_WINDOW_BYTES_MAX || at > NO_PAGE - bytes)
		return NULL;
	if (offset + bytes <= MEM_WINDOW_PAGE_BYTES) {
		const unsigned char *found = mem_window_page(window, page);
		return found ? found + offset : NULL;
	}
	return mem_window_read(window, at, window->straddle, bytes) ? window->straddle : NULL;
}

bool mem_window_read(struct mem_window *window, addr_t at, void *into, size_t bytes)
{
	unsigned char *out = into;
	const unsigned char *at_hand = mem_window_at_hand(window, at, bytes);

	if (at_hand) {
		memcpy(into, at_hand, bytes);
		return true;
	}
	if (at > NO_PAGE - bytes)
		return false;
	while (bytes > 0) {
		addr_t page = at & ~(addr_t)(MEM_WINDOW_PAGE_BYTES - 1);
		size_t offset = (size_t)(at - page);
		size_t piece = MEM_WINDOW_PAGE_BYTES - offset;
		const unsigned char *found = mem_window_page(window, page);
		if (!found)
			return false;
		if (piece > bytes)
			piece = bytes;
		memcpy(out, found + offset, piece);
		out += piece;
		at += piece;
		bytes -= piece;
	}
	return true;
}

uint64_t mem_window_word(struct mem_window *window, addr_t at, uint64_t otherwise)
{
	uint64_t word;

	return mem_window_read(window, at, &word, sizeof(word)) ? word : otherwise;
}

struct error *mem_window_take_error(struct mem_window *window)
{
	return take_ptr(window->error);
}
