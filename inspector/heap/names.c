// SPDX-License-Identifier: GPL-3.0-or-later
#include "heap/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/fnv.h"

enum { PIECE_BYTES = 1 << 14, SLOTS_MIN = 64 };

struct heap_names_piece {
	struct heap_names_piece *next;
	size_t used;
	size_t size;
	char chars[];
};

static uint64_t names_hash(const char *text)
{
	uint64_t hash = fnv64(FNV64_START, text, strlen(text));

	return hash ^ hash >> 32;
}

static const char **names_slot(const char **slots, size_t size, const char *text)
{
	size_t at = names_hash(text) & (size - 1);

	while (slots[at] && strcmp(slots[at], text) != 0)
		at = (at + 1) & (size - 1);
	return &slots[at];
}

static struct error *names_grow(struct heap_names *names)
{
	size_t size = names->size ? names->size * 2 : SLOTS_MIN;
	const char **slots = calloc(size, sizeof(*slots));

	if (!slots)
		return error_no_memory();
	for (size_t i = 0; i < names->size; i++)
		if (names->slots[i])
			*names_slot(slots, size, names->slots[i]) = names->slots[i];
	free(names->slots);
	names->slots = slots;
	names->size = size;
	return NULL;
}

static struct error *names_copy(struct heap_names *names, const char *text, const char **ret)
{
	struct heap_names_piece *piece = names->pieces;
	size_t bytes = strlen(text) + 1;

	if (!piece || piece->size - piece->used < bytes) {
		size_t size = bytes > PIECE_BYTES ? bytes : PIECE_BYTES;
		piece = malloc(sizeof(*piece) + size);
		if (!piece)
			return error_no_memory();
		*piece = (struct heap_names_piece){.next = names->pieces, .size = size};
		names->pieces = piece;
		names->bytes += sizeof(*piece) + size;
	}
	memcpy(piece->chars + piece->used, text, bytes);
	*ret = piece->chars + piece->used;
	piece->used += bytes;
	return NULL;
}

struct error *heap_names_add(struct heap_names *names, const char *text, const char **ret)
{
	struct error *error = NULL;

	text = text ? text : "";
	if (names->count >= names->size / 2)
		error = names_grow(names);
	if (error)
		return error;
	const char **slot = names_slot(names->slots, names->size, text);
	if (!*slot) {
		error = names_copy(names, text, slot);
		if (error)
			return error;
		names->count++;
	}
	*ret = *slot;
	return NULL;
}

uint64_t heap_names_bytes(const struct heap_names *names)
{
	return names->bytes + names->size * sizeof(*names->slots);
}

void heap_names_deinit(struct heap_names *names)
{
	struct heap_names_piece *next;

	for (struct heap_names_piece *piece = names->pieces; piece; piece = next) {
		next = piece->next;
		free(piece);
	}
	free(names->slots);
	*names = (struct heap_names){0};
}
