// SPDX-License-Identifier: GPL-3.0-or-later
#include "analyze/retention/suspects.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/names.h"
#include "base/bits.h"

const char *suspect_state_name(enum suspect_state state)
{
	static const char *const names[] = {
		[SUSPECT_UNCOLLECTABLE] = "uncollectable",
		[SUSPECT_LEAKED] = "leaked",
		[SUSPECT_PENDING] = "pending",
		[SUSPECT_REACHABLE] = "reachable",
	};

	return names[state];
}

struct search {
	const struct suspects_evidence *evidence;
	uint32_t *first_types;
	struct suspects *suspects;
	/** By type: scratch, all 0 between uses. */
	uint64_t *counts;
	uint64_t *bytes;
};

static double share(const struct search *search, uint64_t bytes)
{
	uint64_t all = search->evidence->retained->bytes[0];

	return all ? (double)bytes / (double)all : 0;
}

static void suspect_deinit(struct suspect *suspect)
{
	free(suspect->shape);
}

// Into its place; the least likely falls out. Takes over the shape.
static void suspect_add(struct search *search, struct suspect suspect)
{
	struct suspects *suspects = search->suspects;
	size_t at = suspects->count;

	if (at == SUSPECTS_MAX) {
		suspects->more++;
		if (suspects->list[at - 1].score >= suspect.score) {
			suspect_deinit(&suspect);
			return;
		}
		suspect_deinit(&suspects->list[--at]);
	} else {
		suspects->count++;
	}
	for (; at && suspects->list[at - 1].score < suspect.score; at--)
		suspects->list[at] = suspects->list[at - 1];
	suspects->list[at] = suspect;
}

/*
 * What would be freed with all objects that @a is_meant: of those that one of them retains, that one alone
 * counts. Numbers ascend from dominators to those they dominate.
 */
static struct error *retained_of(const struct search *search, const uint64_t *is_meant,
				 uint64_t *ret)
{
	const struct dominators *dominators = search->evidence->dominators;
	uint32_t count = dominators->object_count;
	_cleanup_free_ uint64_t *below = bits_alloc((uint64_t)count + 1);

	if (!below)
		return error_no_memory();
	*ret = 0;
	for (uint32_t i = 1; i <= count; i++) {
		bool is_inner = bits_get(below, dominators->above[i]);
		bool meant = bits_get(is_meant, dominators->order[i]);
		if (meant || is_inner)
			bits_set(below, i);
		if (meant && !is_inner)
			*ret += search->evidence->retained->bytes[i];
	}
	return NULL;
}

// The type that the shape begins with; its object has a finalizer, if any has.
static uint32_t type_of_row(const struct search *search, const struct cycle_row *row)
{
	return search->first_types[search->evidence->heap->type[row->example[0]]];
}

static bool is_in_state(const struct search *search, uint32_t object, enum cycle_state state)
{
	enum garbage_state wanted =
		state == CYCLE_PENDING ? GARBAGE_UNREACHABLE : GARBAGE_UNCOLLECTABLE;

	return search->evidence->garbage->state[object] == wanted;
}

// gc.garbage reaches what is uncollectable: those are all of its items.
static void mark_garbage(const struct search *search, uint64_t *is_meant)
{
	const struct heap *heap = search->evidence->heap;
	uint32_t list = heap->garbage_list;

	for (uint32_t i = 0; list != HEAP_NO_OBJECT && i < heap_edge_count(heap, list); i++)
		bits_set(is_meant, heap_edge_target(heap_edges(heap, list)[i]));
}

static struct error *retained_of_row(const struct search *search, const struct cycle_row *row,
				     uint64_t *ret)
{
	const struct heap *heap = search->evidence->heap;
	_cleanup_free_ uint64_t *is_garbage = bits_alloc(heap->object_count);
	_cleanup_free_ uint64_t *is_meant = bits_alloc(heap->object_count);
	_cleanup_free_ uint64_t *is_of_row = bits_alloc(heap->type_count);

	if (!is_garbage || !is_meant || !is_of_row)
		return error_no_memory();
	for (size_t i = 0; i < row->type_count; i++)
		bits_set(is_of_row, search->first_types[row->types[i]]);
	if (row->state == CYCLE_UNCOLLECTABLE)
		mark_garbage(search, is_garbage);
	for (uint32_t i = 0; i < heap->object_count; i++)
		if ((bits_get(is_garbage, i) || is_in_state(search, i, row->state)) &&
		    bits_get(is_of_row, search->first_types[heap->type[i]]))
			bits_set(is_meant, i);
	return retained_of(search, is_meant, ret);
}

static double score_of_row(const struct search *search, const struct cycle_row *row, double part)
{
	enum { SURELY_A_LEAK = 10 };
	bool collects = search->evidence->heap->collector.enabled;

	if (row->state == CYCLE_UNCOLLECTABLE)
		return (row->count >= SURELY_A_LEAK ? 0.9 : 0.5) + 0.1 * part;
	return (collects ? 0.4 : 0.6) + 0.3 * part;
}

static struct error *add_cycles(struct search *search)
{
	const struct cycles *cycles = search->evidence->cycles;
	size_t looked_at[CYCLE_FROZEN + 1] = {0};

	for (size_t i = 0; i < cycles->count; i++) {
		const struct cycle_row *row = &cycles->rows[i];
		uint64_t bytes = 0;
		bool is_suspect = row->state == CYCLE_UNCOLLECTABLE ||
				  (row->state == CYCLE_PENDING &&
				   row->count >= SUSPECT_PENDING_MIN && row->finalizer_count);
		if (!is_suspect)
			continue;
		// Rows of a state come largest first: what follows so many is no news.
		if (looked_at[row->state]++ >= SUSPECTS_MAX) {
			search->suspects->more++;
			continue;
		}
		struct error *error = retained_of_row(search, row, &bytes);
		if (error)
			return error;
		char *shape = strdup(row->shape);
		if (!shape)
			return error_no_memory();
		suspect_add(search,
			    (struct suspect){
				    .state = row->state == CYCLE_UNCOLLECTABLE
						     ? SUSPECT_UNCOLLECTABLE
						     : SUSPECT_PENDING,
				    .type = type_of_row(search, row),
				    .count = row->count,
				    .retained_bytes = bytes,
				    .example = row->example[0],
				    .holder = HEAP_NO_OBJECT,
				    .shape = shape,
				    .score = score_of_row(search, row, share(search, bytes)),
			    });
	}
	return NULL;
}

// Unreachable objects without a finalizer are freed sooner or later; much of them is worth a word.
static struct error *add_garbage(struct search *search)
{
	const struct heap *heap = search->evidence->heap;
	const struct garbage *garbage = search->evidence->garbage;
	const struct garbage_types *types = &garbage->unreachable_types;
	const double much = 0.1;
	uint64_t bytes = 0;
	size_t most = 0;

	for (size_t i = 0; i < types->count; i++) {
		bytes += types->list[i].size_bytes;
		if (types->list[i].size_bytes > types->list[most].size_bytes)
			most = i;
	}
	double part = share(search, bytes);
	if (part < much)
		return NULL;
	uint32_t type = types->list[most].type, example = 0;
	while (garbage->state[example] != GARBAGE_UNREACHABLE || heap->type[example] != type)
		example++;
	suspect_add(search, (struct suspect){
				    .state = SUSPECT_PENDING,
				    .type = search->first_types[type],
				    .count = garbage->unreachable_count,
				    .retained_bytes = bytes,
				    .example = example,
				    .holder = HEAP_NO_OBJECT,
				    .score = (heap->collector.enabled ? 0.3 : 0.5) + 0.3 * part,
			    });
	return NULL;
}

// Objects that only leaked references hold, by type.
static struct error *add_leaked(struct search *search)
{
	const struct heap *heap = search->evidence->heap;
	const struct dominators *dominators = search->evidence->dominators;
	_cleanup_free_ uint32_t *examples = calloc((size_t)heap->type_count + 1, sizeof(*examples));

	if (!examples)
		return error_no_memory();
	for (size_t i = 0; i < heap->leak_count; i++) {
		uint32_t object = heap->leaks[i].object,
			 type = search->first_types[heap->type[object]];
		if (search->counts[type]++ == 0)
			examples[type] = object;
		search->bytes[type] +=
			search->evidence->retained->bytes[dominators->number[object]];
	}
	for (uint32_t i = 0; i < heap->type_count; i++) {
		if (search->counts[i] >= SUSPECT_LEAKED_MIN)
			suspect_add(search,
				    (struct suspect){
					    .state = SUSPECT_LEAKED,
					    .type = i,
					    .count = search->counts[i],
					    .retained_bytes = search->bytes[i],
					    .example = examples[i],
					    .holder = HEAP_NO_OBJECT,
					    .score = 0.7 + 0.3 * share(search, search->bytes[i]),
				    });
		search->counts[i] = search->bytes[i] = 0;
	}
	return NULL;
}

static bool has_module(const char *name)
{
	return strchr(name, '.') != NULL;
}

// Counts what hangs on an object by type; the caller sets what was seen back to 0.
static struct error *count_below(struct search *search, uint32_t top, uint32_t *examples)
{
	const struct suspects_evidence *evidence = search->evidence;
	const struct dominators *dominators = evidence->dominators;
	uint32_t count = dominators->object_count;
	_cleanup_free_ uint64_t *below = bits_alloc((uint64_t)count + 1);

	if (!below)
		return error_no_memory();
	bits_set(below, top);
	for (uint32_t i = top + 1; i <= count; i++) {
		if (!bits_get(below, dominators->above[i]))
			continue;
		bits_set(below, i);
		uint32_t object = dominators->order[i];
		uint32_t type = search->first_types[evidence->heap->type[object]];
		if (search->counts[type]++ == 0)
			examples[type] = object;
		search->bytes[type] += evidence->retained->bytes[i];
	}
	return NULL;
}

/*
 * A container's suspect names, of what hangs on it, the type with a module's name of which there is about
 * one for each element and that retains most, rather than a dict; the elements' own when that is one, or
 * when there is none.
 */
static struct error *find_telling(struct search *search, struct suspect *suspect)
{
	const struct heap *heap = search->evidence->heap;
	_cleanup_free_ uint32_t *examples = calloc((size_t)heap->type_count + 1, sizeof(*examples));
	uint64_t most_bytes = 0;

	if (has_module(heap->types[suspect->type].name))
		return NULL;
	if (!examples)
		return error_no_memory();
	struct error *error = count_below(
		search, search->evidence->dominators->number[suspect->holder], examples);
	for (uint32_t i = 0; i < heap->type_count && !error; i++) {
		bool fits = search->counts[i] >= suspect->element_count / 2 &&
			    search->counts[i] / 2 <= suspect->element_count &&
			    has_module(heap->types[i].name);
		if (fits && search->bytes[i] > most_bytes) {
			most_bytes = search->bytes[i];
			suspect->type = i;
			suspect->count = search->counts[i];
			suspect->example = examples[i];
		}
		search->counts[i] = search->bytes[i] = 0;
	}
	return error;
}

// Whether @a number lies below @a above; the way up is short.
static bool is_below(const struct dominators *dominators, uint32_t number, uint32_t above)
{
	while (number > above)
		number = dominators->above[number];
	return number == above;
}

/*
 * Of two containers of which one hangs on the other, the outer is meant unless the inner has nearly all of
 * it. @a list has the most bytes first, so that an outer one comes before its inner ones.
 */
static bool is_part_of_another(const struct search *search, size_t index)
{
	const struct growers *growers = search->evidence->growers;
	const struct dominators *dominators = search->evidence->dominators;
	const struct grower *grower = &growers->list[index];
	uint32_t number = dominators->number[grower->object];

	for (size_t i = 0; i < growers->count && i < GROWERS_COMPARED; i++) {
		const struct grower *other = &growers->list[i];
		uint32_t other_number = dominators->number[other->object];
		if (i == index)
			continue;
		bool is_inner = is_below(dominators, number, other_number);
		if (is_inner && grower->bytes < other->bytes / 5 * 4)
			return true;
		if (!is_inner && is_below(dominators, other_number, number) &&
		    other->bytes >= grower->bytes / 5 * 4)
			return true;
	}
	return false;
}

static double score_of_grower(const struct search *search, const struct grower *grower)
{
	double part = share(search, grower->bytes);
	double many = log10((double)grower->count / GROWER_COUNT_MIN) / 4;

	if (many < 0)
		many = 0;
	return 0.3 + 0.4 * part + 0.2 * (many > 1 ? 1 : many);
}

static struct error *add_growers(struct search *search)
{
	const struct growers *growers = search->evidence->growers;
	struct suspects *suspects = search->suspects;
	struct error *error = NULL;

	for (size_t i = 0; i < growers->count && i < GROWERS_COMPARED; i++) {
		const struct grower *grower = &growers->list[i];
		if (is_part_of_another(search, i))
			continue;
		suspect_add(search, (struct suspect){
					    .state = SUSPECT_REACHABLE,
					    .type = grower->type,
					    .count = grower->count,
					    .retained_bytes = grower->bytes,
					    .example = grower->example,
					    .holder = grower->object,
					    .element_type = grower->type,
					    .element_count = grower->count,
					    .peer_count = grower->peer_count,
					    .peer_near_count = grower->peer_near_count,
					    .score = score_of_grower(search, grower),
				    });
	}
	if (growers->count > GROWERS_COMPARED)
		suspects->more += growers->count - GROWERS_COMPARED;
	for (size_t i = 0; i < suspects->count && !error; i++)
		if (suspects->list[i].state == SUSPECT_REACHABLE)
			error = find_telling(search, &suspects->list[i]);
	return error;
}

struct error *suspects_find(const struct suspects_evidence *evidence, struct suspects *ret)
{
	size_t types = (size_t)evidence->heap->type_count + 1;
	_cleanup_free_ uint64_t *counts = calloc(types, sizeof(*counts));
	_cleanup_free_ uint64_t *bytes = calloc(types, sizeof(*bytes));
	_cleanup_free_ uint32_t *first_types = NULL;
	struct search search = {
		.evidence = evidence, .suspects = ret, .counts = counts, .bytes = bytes};

	*ret = (struct suspects){0};
	if (!counts || !bytes)
		return error_no_memory();
	struct error *error = names_first_types(evidence->heap, &first_types);
	search.first_types = first_types;
	if (!error)
		error = add_cycles(&search);
	if (!error)
		error = add_garbage(&search);
	if (!error)
		error = add_leaked(&search);
	if (!error)
		error = add_growers(&search);
	return error;
}

void suspects_deinit(struct suspects *suspects)
{
	for (size_t i = 0; i < suspects->count; i++)
		suspect_deinit(&suspects->list[i]);
	*suspects = (struct suspects){0};
}
