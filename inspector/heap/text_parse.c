// SPDX-License-Identifier: GPL-3.0-or-later
#include "heap/text_parse.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/fnv.h"
#include "heap/index.h"
#include "heap/text_words.h"

void parsed_heap_deinit(struct parsed_heap *parsed)
{
	text_line_deinit(&parsed->line);
	for (size_t i = 0; i < parsed->type_count; i++)
		free(parsed->types[i].name);
	free(parsed->types);
	addr_map_deinit(&parsed->types_by_hash);
	addr_map_deinit(&parsed->types_by_at);
	free(parsed->objects);
	addr_map_deinit(&parsed->objects_by_at);
	for (size_t i = 0; i < parsed->edge_count; i++)
		free(parsed->edges[i].label);
	free(parsed->edges);
	for (size_t i = 0; i < parsed->root_count; i++)
		free(parsed->roots[i].name);
	free(parsed->roots);
	free(parsed->leaks);
}

static struct error *make_no_sense(const struct text_word *word)
{
	return error_create(ERROR_FAILED, "'%s' makes no sense here", word->chars);
}

static struct error *take_word(struct parsed_heap *parsed, const char *what, struct text_word **ret)
{
	*ret = text_line_take(&parsed->line);
	return *ret ? NULL : error_create(ERROR_FAILED, "%s is missing", what);
}

static struct error *take_address(struct parsed_heap *parsed, const char *what, addr_t *ret)
{
	struct text_word *word;
	struct error *error = take_word(parsed, what, &word);

	if (!error && (word->quoted || !text_number(word->chars, ret)))
		error = error_create(ERROR_FAILED, "%s, '%s', is no number", what, word->chars);
	return error;
}

/* The position of @a word in @a words, or @a count. */
static size_t find_word(const char *const *words, size_t count, const char *word)
{
	size_t i = 0;

	while (i < count && strcmp(words[i], word) != 0)
		i++;
	return i;
}

static uint64_t name_hash(const char *name)
{
	uint64_t hash = fnv64(FNV64_START, name, strlen(name));

	// 0 is no key.
	return hash ? hash : 1;
}

static struct parsed_type *find_type(const struct parsed_heap *parsed, const char *name)
{
	uint32_t next = 0;

	if (!addr_map_get(&parsed->types_by_hash, name_hash(name), &next))
		return NULL;
	while (next && strcmp(parsed->types[next - 1].name, name) != 0)
		next = parsed->types[next - 1].same_hash;
	return next ? &parsed->types[next - 1] : NULL;
}

static struct error *add_type(struct parsed_heap *parsed, const char *name,
			      struct parsed_type **ret)
{
	uint64_t hash = name_hash(name);

	if (parsed->type_count == HEAP_TYPES_MAX)
		return error_create(ERROR_FAILED, "too many types");
	struct error *error = array_reserve(&parsed->types, &parsed->types_capacity,
					    parsed->type_count + 1, sizeof(*parsed->types));
	if (error)
		return error;
	struct parsed_type *type = &parsed->types[parsed->type_count];
	*type = (struct parsed_type){.row.id = (uint32_t)parsed->type_count};
	addr_map_get(&parsed->types_by_hash, hash, &type->same_hash);
	error = addr_map_put(&parsed->types_by_hash, hash, type->row.id + 1);
	if (error)
		return error;
	type->name = strdup(name);
	if (!type->name)
		return error_no_memory();
	parsed->type_count++;
	*ret = type;
	return NULL;
}

static struct error *parse_finalizer(const struct text_word *word, bool *ret_is,
				     enum heap_finalizer *ret)
{
	static const char key[] = "finalizer=";
	size_t kind;

	*ret_is = !word->quoted && strncmp(word->chars, key, strlen(key)) == 0;
	if (!*ret_is)
		return NULL;
	kind = find_word(text_finalizers, ARRAY_COUNT(text_finalizers), word->chars + strlen(key));
	if (kind == ARRAY_COUNT(text_finalizers))
		return make_no_sense(word);
	*ret = (enum heap_finalizer)kind;
	return NULL;
}

static struct error *parse_type(struct parsed_heap *parsed)
{
	struct heap_type row = {0};
	struct text_word *name, *word;
	struct error *error = take_word(parsed, "the type's name", &name);

	while (!error && (word = text_line_take(&parsed->line))) {
		bool known = false;
		error = text_assignment(word, "at", &known, &row.at);
		if (!error && !known)
			error = text_assignment(word, "basic", &known, &row.basic_size_bytes);
		if (!error && !known)
			error = parse_finalizer(word, &known, &row.finalizer);
		if (!error && !known && !word->quoted && strcmp(word->chars, "grows") == 0)
			row.grows = known = true;
		if (!error && !known)
			error = make_no_sense(word);
	}
	if (error)
		return error;
	uint32_t other;
	struct parsed_type *type = find_type(parsed, name->chars);
	if (row.at && addr_map_get(&parsed->types_by_at, row.at, &other))
		return error_create(ERROR_FAILED, "a type at 0x%" PRIx64 " was announced already",
				    row.at);
	if (type && type->announced && (!row.at || !type->row.at))
		return error_create(ERROR_FAILED, "the type '%s' was announced already",
				    name->chars);
	if (!type || type->announced)
		error = add_type(parsed, name->chars, &type);
	if (!error && row.at)
		error = addr_map_put(&parsed->types_by_at, row.at, type->row.id);
	if (error)
		return error;
	row.id = type->row.id;
	type->row = row;
	type->announced = true;
	return NULL;
}

static struct error *parse_type_of_object(struct parsed_heap *parsed, uint32_t *ret)
{
	struct text_word *word;
	struct error *error = take_word(parsed, "the object's type", &word);
	struct parsed_type *type;
	addr_t at;

	if (error)
		return error;
	if (word->chars[0] == '@' && !word->quoted) {
		if (text_number(word->chars + 1, &at) &&
		    addr_map_get(&parsed->types_by_at, at, ret))
			return NULL;
		return error_create(ERROR_FAILED, "no type was announced at '%s'", word->chars + 1);
	}
	type = find_type(parsed, word->chars);
	if (!type)
		error = add_type(parsed, word->chars, &type);
	if (!error)
		*ret = type->row.id;
	return error;
}

static struct error *parse_object_word(struct parsed_object *object, const struct text_word *word)
{
	struct heap_object *row = &object->row;
	uint64_t generation = 0;
	bool known = false, has_generation = false;

	for (const struct text_flag *flag = text_flags; flag->word && !word->quoted; flag++) {
		if (strcmp(word->chars, flag->word) == 0) {
			row->flags |= flag->flag;
			return NULL;
		}
	}
	struct error *error = text_assignment(word, "size", &known, &row->size_bytes);
	object->has_size |= known;
	if (!error && !known) {
		error = text_assignment(word, "refs", &known, &row->refcount);
		object->has_refs |= known;
	}
	if (!error && !known) {
		error = text_assignment(word, "generation", &has_generation, &generation);
		if (!error && has_generation && (generation < 1 || generation > 4))
			error = error_create(ERROR_FAILED, "generations are 1 to 4");
		row->flags |= (uint32_t)generation << HEAP_GENERATION_SHIFT;
	}
	if (!error && !known && !has_generation)
		error = make_no_sense(word);
	return error;
}

static struct error *parse_object(struct parsed_heap *parsed)
{
	struct parsed_object object = {0};
	struct text_word *word;
	uint32_t other;
	struct error *error = take_address(parsed, "the object's address", &object.row.at);

	if (!error && !heap_index_takes(object.row.at))
		error = error_create(ERROR_FAILED, "an object's address is a multiple of 8, not 0, "
						   "and has at most 48 bits");
	if (!error && addr_map_get(&parsed->objects_by_at, object.row.at, &other))
		error = error_create(ERROR_FAILED, "the object at 0x%" PRIx64 " has a line already",
				     object.row.at);
	if (!error)
		error = parse_type_of_object(parsed, &object.row.type);
	while (!error && (word = text_line_take(&parsed->line)))
		error = parse_object_word(&object, word);
	if (!error && parsed->object_count == HEAP_OBJECTS_MAX)
		error = error_create(ERROR_FAILED, "too many objects");
	if (!error)
		error = array_reserve(&parsed->objects, &parsed->objects_capacity,
				      parsed->object_count + 1, sizeof(*parsed->objects));
	if (!error)
		error = addr_map_put(&parsed->objects_by_at, object.row.at,
				     (uint32_t)parsed->object_count);
	if (!error)
		parsed->objects[parsed->object_count++] = object;
	return error;
}

static struct error *parse_edge(struct parsed_heap *parsed)
{
	struct parsed_edge edge = {.line = parsed->line_number};
	struct error *error = take_address(parsed, "where the reference is", &edge.from);

	if (!error)
		error = take_address(parsed, "where the reference leads to", &edge.to.to);
	struct text_word *word = text_line_take(&parsed->line);
	if (word && !word->quoted) {
		size_t kind = find_word(text_edge_kinds, ARRAY_COUNT(text_edge_kinds), word->chars);
		if (kind < ARRAY_COUNT(text_edge_kinds)) {
			edge.to.kind = (uint32_t)kind;
			word = text_line_take(&parsed->line);
		}
	}
	struct text_word *more = text_line_take(&parsed->line);
	if (!error && more)
		error = make_no_sense(more);
	if (!error)
		error = array_reserve(&parsed->edges, &parsed->edges_capacity,
				      parsed->edge_count + 1, sizeof(*parsed->edges));
	if (error)
		return error;
	if (word && !(edge.label = strdup(word->chars)))
		return error_no_memory();
	parsed->edges[parsed->edge_count++] = edge;
	return NULL;
}

static struct error *parse_leak(struct parsed_heap *parsed)
{
	struct parsed_leak leak = {.count = 1};
	uint64_t count = 1;
	struct error *error = take_address(parsed, "the object's address", &leak.at);
	struct text_word *word = error ? NULL : text_line_take(&parsed->line);

	if (error)
		return error;
	if (word && (word->quoted || !text_number(word->chars, &count) || count > UINT32_MAX))
		return make_no_sense(word);
	word = text_line_take(&parsed->line);
	if (word)
		return make_no_sense(word);
	leak.count = (uint32_t)count;
	error = array_reserve(&parsed->leaks, &parsed->leaks_capacity, parsed->leak_count + 1,
			      sizeof(*parsed->leaks));
	if (!error)
		parsed->leaks[parsed->leak_count++] = leak;
	return error;
}

static struct error *parse_root(struct parsed_heap *parsed)
{
	struct parsed_root root = {0};
	struct text_word *word = NULL;
	struct error *error = take_address(parsed, "the object's address", &root.row.object_at);

	if (!error)
		error = take_word(parsed, "the kind of the root", &word);
	if (error)
		return error;
	size_t kind = find_word(text_root_kinds, ARRAY_COUNT(text_root_kinds), word->chars);
	if (kind == ARRAY_COUNT(text_root_kinds))
		return make_no_sense(word);
	root.row.kind = (enum heap_root_kind)kind;
	word = text_line_take(&parsed->line);
	if (word && !word->quoted && strcmp(word->chars, "owns") == 0) {
		root.row.owns = true;
		word = text_line_take(&parsed->line);
	}
	struct text_word *more = text_line_take(&parsed->line);
	if (more)
		return make_no_sense(more);
	error = array_reserve(&parsed->roots, &parsed->roots_capacity, parsed->root_count + 1,
			      sizeof(*parsed->roots));
	if (error)
		return error;
	root.name = strdup(word ? word->chars : "");
	if (!root.name)
		return error_no_memory();
	parsed->roots[parsed->root_count++] = root;
	return NULL;
}

static struct error *parse_collector(struct parsed_heap *parsed)
{
	struct text_word *word;
	struct error *error = NULL;

	while (!error && (word = text_line_take(&parsed->line))) {
		bool known = false;
		if (!word->quoted && strcmp(word->chars, "disabled") == 0) {
			parsed->collector.enabled = false;
			continue;
		}
		if (!word->quoted && strcmp(word->chars, "saveall") == 0) {
			parsed->collector.saves_all = true;
			continue;
		}
		error = text_assignment(word, "garbage", &known, &parsed->collector.garbage_at);
		if (!error && !known)
			error = make_no_sense(word);
	}
	return error;
}

static struct error *parse_line(struct parsed_heap *parsed, const char *start)
{
	static const struct {
		const char *word;
		struct error *(*parse)(struct parsed_heap *parsed);
	} statements[] = {
		{"type", parse_type}, {"object", parse_object},       {"edge", parse_edge},
		{"root", parse_root}, {"collector", parse_collector}, {"leak", parse_leak},
	};
	struct error *error = text_line_split(&parsed->line, start);
	if (error)
		return error;
	struct text_word *word = text_line_take(&parsed->line);
	if (!word)
		return NULL;
	for (size_t i = 0; i < ARRAY_COUNT(statements); i++)
		if (!word->quoted && strcmp(word->chars, statements[i].word) == 0)
			return statements[i].parse(parsed);
	return make_no_sense(word);
}

struct error *parsed_heap_read(struct parsed_heap *parsed, const char *text)
{
	parsed->collector.enabled = true;
	for (const char *start = text; *start;) {
		parsed->line_number++;
		struct error *error = parse_line(parsed, start);
		if (error)
			return error_prefix(error, "line %zu", parsed->line_number);
		start += strcspn(start, "\n");
		if (*start == '\n')
			start++;
	}
	return NULL;
}
