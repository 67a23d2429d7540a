// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/addr_map.h"

#include <stdlib.h>

void addr_map_deinit(struct addr_map *map)
{
	free(map->slots);
	*map = (struct addr_map){0};
}

static struct addr_map_slot *addr_map_slot(const struct addr_map *map, addr_t key)
{
	size_t mask = map->size - 1;
	size_t i = (size_t)addr_hash(key) & mask;

	while (map->slots[i].key != 0 && map->slots[i].key != key)
		i = (i + 1) & mask;
	return &map->slots[i];
}

bool addr_map_get(const struct addr_map *map, addr_t key, uint32_t *ret)
{
	if (map->count == 0 || key == 0)
		return false;
	const struct addr_map_slot *slot = addr_map_slot(map, key);
	if (slot->key != key)
		return false;
	*ret = slot->value;
	return true;
}

static struct error *addr_map_grow(struct addr_map *map)
{
	struct addr_map grown = {.count = map->count, .size = map->size ? map->size * 2 : 64};

	grown.slots = calloc(grown.size, sizeof(*grown.slots));
	if (!grown.slots)
		return error_no_memory();
	for (size_t i = 0; i < map->size; i++)
		if (map->slots[i].key != 0)
			*addr_map_slot(&grown, map->slots[i].key) = map->slots[i];
	free(map->slots);
	*map = grown;
	return NULL;
}

struct error *addr_map_put(struct addr_map *map, addr_t key, uint32_t value)
{
	if (map->count * 4 >= map->size * 3) {
		struct error *error = addr_map_grow(map);
		if (error)
			return error;
	}
	struct addr_map_slot *slot = addr_map_slot(map, key);
	if (slot->key == 0)
		map->count++;
	*slot = (struct addr_map_slot){.key = key, .value = value};
	return NULL;
}
