// SPDX-License-Identifier: GPL-3.0-or-later
#include "heap/counter.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"

struct counter_row {
	uint64_t count;
	uint64_t tracked;
	uint64_t frozen;
	uint64_t size_bytes;
	uint64_t refs;
};

struct counter {
	struct heap_sink sink;
	/** By type id. */
	struct counter_row *rows;
	size_t rows_capacity;
	/** By type id; NULL until announced. */
	char **names;
	size_t names_capacity;
	uint64_t problem_counts[2];
	char *problem_texts[CENSUS_PROBLEM_TEXTS_MAX];
	size_t problem_text_count;
	/** What only caches keep: of one type, whose name is owned. */
	struct heap_cached cached;
	char *cached_name;
};

// Types are dense: no runtime has more of them, and a wild id must not ask for all memory.
enum { TYPE_IDS_MAX = 1 << 26 };

static struct error *counter_types(struct heap_sink *sink, const struct heap_type *types,
				   size_t count)
{
	struct counter *counter = (struct counter *)sink;

	for (size_t i = 0; i < count; i++) {
		uint32_t id = types[i].id;
		if (id >= TYPE_IDS_MAX)
			return error_create(ERROR_FAILED, "type id %u is out of range", id);
		struct error *error = array_reserve(&counter->names, &counter->names_capacity,
						    (size_t)id + 1, sizeof(char *));
		if (error)
			return error;
		free(counter->names[id]);
		counter->names[id] = strdup(types[i].name);
		if (!counter->names[id])
			return error_no_memory();
	}
	return NULL;
}

static struct error *counter_objects(struct heap_sink *sink, const struct heap_object *objects,
				     size_t count)
{
	struct counter *counter = (struct counter *)sink;

	for (size_t i = 0; i < count; i++) {
		const struct heap_object *object = &objects[i];
		if (object->type >= counter->rows_capacity) {
			if (object->type >= TYPE_IDS_MAX)
				return error_create(ERROR_FAILED, "type id %u is out of range",
						    object->type);
			struct error *error =
				array_reserve(&counter->rows, &counter->rows_capacity,
					      (size_t)object->type + 1, sizeof(*counter->rows));
			if (error)
				return error;
		}
		struct counter_row *row = &counter->rows[object->type];
		row->count++;
		row->tracked += object->flags & HEAP_TRACKED ? 1 : 0;
		row->frozen += object->flags & HEAP_FROZEN ? 1 : 0;
		row->size_bytes += object->size_bytes;
		row->refs += object->refcount;
	}
	return NULL;
}

static struct error *counter_keep_text(struct counter *counter, const char *text)
{
	if (counter->problem_text_count == CENSUS_PROBLEM_TEXTS_MAX)
		return NULL;
	char *copy = strdup(text);
	if (!copy)
		return error_no_memory();
	counter->problem_texts[counter->problem_text_count++] = copy;
	return NULL;
}

static struct error *counter_problem(struct heap_sink *sink, const struct heap_problem *problem)
{
	struct counter *counter = (struct counter *)sink;

	counter->problem_counts[problem->kind]++;
	return counter_keep_text(counter, problem->text);
}

static struct error *counter_fork(struct heap_sink *sink, struct heap_sink **ret)
{
	return counter_create(ret);
}

static struct error *counter_join(struct heap_sink *sink, struct heap_sink *child_sink)
{
	struct counter *counter = (struct counter *)sink, *child = (struct counter *)child_sink;
	struct error *error = array_reserve(&counter->rows, &counter->rows_capacity,
					    child->rows_capacity, sizeof(*counter->rows));

	for (size_t i = 0; !error && i < child->rows_capacity; i++) {
		counter->rows[i].count += child->rows[i].count;
		counter->rows[i].tracked += child->rows[i].tracked;
		counter->rows[i].frozen += child->rows[i].frozen;
		counter->rows[i].size_bytes += child->rows[i].size_bytes;
		counter->rows[i].refs += child->rows[i].refs;
	}
	for (size_t i = 0; i < 2; i++)
		counter->problem_counts[i] += child->problem_counts[i];
	for (size_t i = 0; !error && i < child->problem_text_count; i++)
		error = counter_keep_text(counter, child->problem_texts[i]);
	heap_sink_destroy(child_sink);
	return error;
}

static void counter_reset(struct heap_sink *sink)
{
	struct counter *counter = (struct counter *)sink;

	if (counter->rows)
		memset(counter->rows, 0, counter->rows_capacity * sizeof(*counter->rows));
	for (size_t i = 0; i < counter->names_capacity; i++) {
		free(counter->names[i]);
		counter->names[i] = NULL;
	}
	for (size_t i = 0; i < counter->problem_text_count; i++)
		free(counter->problem_texts[i]);
	counter->problem_text_count = 0;
	memset(counter->problem_counts, 0, sizeof(counter->problem_counts));
	free(take_ptr(counter->cached_name));
	counter->cached = (struct heap_cached){0};
}

static void counter_destroy(struct heap_sink *sink)
{
	struct counter *counter = (struct counter *)sink;

	counter_reset(sink);
	free(counter->rows);
	free(counter->names);
	free(counter);
}

static struct error *counter_cached(struct heap_sink *sink, const struct heap_cached *cached)
{
	struct counter *counter = (struct counter *)sink;

	free(counter->cached_name);
	counter->cached_name = strdup(cached->name);
	if (!counter->cached_name)
		return error_no_memory();
	counter->cached = *cached;
	counter->cached.name = counter->cached_name;
	return NULL;
}

static const struct heap_sink_ops counter_ops = {
	.types = counter_types,
	.objects = counter_objects,
	.problem = counter_problem,
	.fork = counter_fork,
	.join = counter_join,
	.reset = counter_reset,
	.destroy = counter_destroy,
};

static const struct heap_sink_ops counter_without_cached_ops = {
	.types = counter_types,
	.objects = counter_objects,
	.problem = counter_problem,
	.cached = counter_cached,
	.fork = counter_fork,
	.join = counter_join,
	.reset = counter_reset,
	.destroy = counter_destroy,
};

struct error *counter_create_without_cached(struct heap_sink **ret)
{
	struct error *error = counter_create(ret);

	if (!error)
		(*ret)->ops = &counter_without_cached_ops;
	return error;
}

struct error *counter_create(struct heap_sink **ret)
{
	struct counter *counter = calloc(1, sizeof(*counter));

	if (!counter)
		return error_no_memory();
	counter->sink.ops = &counter_ops;
	*ret = &counter->sink;
	return NULL;
}

static int census_by_name(const void *a, const void *b)
{
	return strcmp(((const struct census_row *)a)->name, ((const struct census_row *)b)->name);
}

static int census_by_count(const void *a, const void *b)
{
	const struct census_row *left = a, *right = b;

	if (left->count != right->count)
		return left->count < right->count ? 1 : -1;
	return strcmp(left->name, right->name);
}

static void census_add(struct census_row *sum, const struct census_row *row)
{
	sum->count += row->count;
	sum->tracked += row->tracked;
	sum->frozen += row->frozen;
	sum->size_bytes += row->size_bytes;
	sum->refs += row->refs;
}

// Rows of one name become one: two classes made by one factory are one line to a reader.
static void census_merge_names(struct census *census)
{
	size_t kept = 0;

	if (census->row_count)
		qsort(census->rows, census->row_count, sizeof(*census->rows), census_by_name);
	for (size_t i = 0; i < census->row_count; i++) {
		if (kept && strcmp(census->rows[kept - 1].name, census->rows[i].name) == 0) {
			census_add(&census->rows[kept - 1], &census->rows[i]);
			free((char *)census->rows[i].name);
		} else {
			census->rows[kept++] = census->rows[i];
		}
	}
	census->row_count = kept;
}

static void census_sort(struct census *census)
{
	if (census->row_count)
		qsort(census->rows, census->row_count, sizeof(*census->rows), census_by_count);
}

void census_merge(struct census *census)
{
	census_merge_names(census);
	census_sort(census);
}

static struct error *census_fill(const struct counter *counter, struct census *census)
{
	size_t capacity = 0;

	for (size_t i = 0; i < counter->rows_capacity; i++) {
		const struct counter_row *row = &counter->rows[i];
		if (row->count == 0)
			continue;
		struct error *error = array_reserve(&census->rows, &capacity, census->row_count + 1,
						    sizeof(*census->rows));
		if (error)
			return error;
		const char *name = i < counter->names_capacity ? counter->names[i] : NULL;
		char *copy = strdup(name ? name : "(type without a name)");
		if (!copy)
			return error_no_memory();
		census->rows[census->row_count++] = (struct census_row){
			.name = copy,
			.count = row->count,
			.tracked = row->tracked,
			.frozen = row->frozen,
			.size_bytes = row->size_bytes,
			.refs = row->refs,
		};
	}
	census->unreadable = counter->problem_counts[HEAP_PROBLEM_UNREADABLE];
	census->truncated = counter->problem_counts[HEAP_PROBLEM_TRUNCATED];
	for (size_t i = 0; i < counter->problem_text_count; i++) {
		census->problem_texts[i] = strdup(counter->problem_texts[i]);
		if (!census->problem_texts[i])
			return error_no_memory();
		census->problem_text_count++;
	}
	return NULL;
}

// A number that makes no sense leaves everything as it is.
static void census_leave_out(struct census *census, const struct heap_cached *cached)
{
	for (size_t i = 0; cached->name && i < census->row_count; i++) {
		struct census_row *row = &census->rows[i];
		if (strcmp(row->name, cached->name) != 0 || row->count < cached->count ||
		    row->size_bytes < cached->size_bytes || row->refs < cached->refs)
			continue;
		row->count -= cached->count;
		row->size_bytes -= cached->size_bytes;
		row->refs -= cached->refs;
		census->cached_count += cached->count;
		if (!row->count) {
			free((char *)row->name);
			*row = census->rows[--census->row_count];
		}
		return;
	}
}

struct error *counter_census(const struct heap_sink *sink, struct census *ret)
{
	_cleanup_census_ struct census census = {.total.name = "total"};
	struct error *error = census_fill((const struct counter *)sink, &census);

	if (error)
		return error;
	census_merge_names(&census);
	census_leave_out(&census, &((const struct counter *)sink)->cached);
	census_sort(&census);
	for (size_t i = 0; i < census.row_count; i++)
		census_add(&census.total, &census.rows[i]);
	*ret = census;
	census = (struct census){0};
	return NULL;
}

void census_drop_types(struct census *census)
{
	for (size_t i = 0; i < census->row_count; i++)
		free((char *)census->rows[i].name);
	free(take_ptr(census->rows));
	census->row_count = 0;
}

void census_deinit(struct census *census)
{
	census_drop_types(census);
	for (size_t i = 0; i < census->problem_text_count; i++)
		free(census->problem_texts[i]);
	*census = (struct census){0};
}

const struct census_row *census_find(const struct census *census, const char *name)
{
	for (size_t i = 0; i < census->row_count; i++)
		if (strcmp(census->rows[i].name, name) == 0)
			return &census->rows[i];
	return NULL;
}
