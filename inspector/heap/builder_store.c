// SPDX-License-Identifier: GPL-3.0-or-later
#include "heap/builder_store.h"

#include <stdlib.h>

#include "base/pages.h"

void *store_add(struct builder_store *store, size_t bytes)
{
	struct builder_piece *piece = store->last;

	if (!piece || bytes > piece->bytes - sizeof(*piece) - piece->used) {
		// The first piece is small: most heaps of the tests, and some threads, need no more.
		size_t wanted = piece ? PAGES_HUGE_BYTES : 1 << 16;
		if (bytes > SIZE_MAX / 2)
			return NULL;
		if (bytes > wanted - sizeof(*piece))
			wanted = bytes + sizeof(*piece);
		piece = pages_alloc(wanted);
		if (!piece)
			return NULL;
		piece->bytes = wanted;
		if (store->last)
			store->last->next = piece;
		else
			store->first = piece;
		store->last = piece;
		store->count++;
	}
	void *room = piece->content + piece->used;
	piece->used += bytes;
	return room;
}

void store_move(struct builder_store *store, struct builder_store *other)
{
	if (!other->first)
		return;
	if (store->last)
		store->last->next = other->first;
	else
		store->first = other->first;
	store->last = other->last;
	store->count += other->count;
	*other = (struct builder_store){0};
}

void store_free_piece(struct builder_piece *piece)
{
	pages_free(piece, piece->bytes);
}

void store_clear(struct builder_store *store)
{
	for (struct builder_piece *piece = store->first, *next; piece; piece = next) {
		next = piece->next;
		store_free_piece(piece);
	}
	*store = (struct builder_store){0};
}

struct builder_piece **store_list(const struct builder_store *store)
{
	struct builder_piece **list = calloc(store->count + 1, sizeof(struct builder_piece *));
	size_t count = 0;

	for (struct builder_piece *piece = store->first; list && piece; piece = piece->next)
		list[count++] = piece;
	return list;
}
