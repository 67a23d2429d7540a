// SPDX-License-Identifier: GPL-3.0-or-later
#include "analyze/cycle_shape.h"

#include <string.h>

#include "analyze/names.h"
#include "base/cleanup.h"

/** Labels may have to be read from the process: a cycle with more hops begins where the search for it
 *  did, and only what is shown is asked for. */
enum { TURNED_HOPS_MAX = 64 };

/** An object of the cycle with the name of the reference that leads on: "Parent.child". */
struct hop {
	uint32_t object;
	size_t begin;
	/** Where the name of the reference begins. */
	size_t middle;
	size_t end;
};

struct hops {
	struct hop list[TURNED_HOPS_MAX];
	size_t count;
	/** The words of all. */
	struct text words;
};

bool cycle_has_finalizer(const struct heap *heap, uint32_t object)
{
	return heap_finalizer(heap, object) != HEAP_FINALIZER_NONE ||
	       heap->flags[object] & HEAP_LEGACY_FINALIZER;
}

/** Adds a step: a hop of its own, or, out of the attribute dict of the last hop's object, a part of
 *  that. @a label is that of the step before, and becomes this one's. */
static struct error *add_step(const struct heap *heap, const struct cycle_path *path, size_t number,
			      struct hops *hops, struct text *label)
{
	const struct cycle_step *step = &path->steps[number];
	bool folded = number > 0 &&
		      names_may_fold(heap, path->steps[number - 1].object, step->object) &&
		      (!label->length || strcmp(text_chars(label), names_dict_label) == 0);
	bool named = folded && label->length;
	struct error *error;

	label->length = 0;
	error = text_append(label, "", 0);
	if (!error && !folded) {
		const char *name = names_short(heap_type_name(heap, step->object));

		hops->list[hops->count++] =
			(struct hop){.object = step->object, .begin = hops->words.length};
		error = text_append(&hops->words, name, strlen(name));
		hops->list[hops->count - 1].middle = hops->words.length;
	}
	if (!error)
		error = heap_label(heap, step->object, step->edge, label);
	if (!error && named) {
		// Instead of the label that led into the dict.
		hops->words.length -= strlen(names_dict_label);
		error = names_append_attribute(label, &hops->words);
	} else if (!error) {
		error = text_append(&hops->words, text_chars(label), label->length);
	}
	hops->list[hops->count - 1].end = hops->words.length;
	return error;
}

static struct error *add_steps(const struct heap *heap, const struct cycle_path *path,
			       size_t hops_max, struct hops *hops)
{
	_cleanup_text_ struct text label = {0};

	for (size_t i = 0; i < path->count; i++) {
		// The dict that the last hop's reference may lead into still belongs to it.
		bool is_full =
			hops->count == hops_max &&
			!names_may_fold(heap, path->steps[i - 1].object, path->steps[i].object);
		struct error *error;

		if (is_full || hops->count == TURNED_HOPS_MAX)
			break;
		error = add_step(heap, path, i, hops, &label);
		if (error)
			return error;
	}
	return NULL;
}

static int compare_words(const char *left, size_t left_length, const char *right,
			 size_t right_length)
{
	size_t shorter = left_length < right_length ? left_length : right_length;
	int order = memcmp(left, right, shorter);

	return order ? order : (left_length > right_length) - (left_length < right_length);
}

// By the references' names first: "child" before "parent", whatever the classes are called.
static int compare_hops(const struct hops *hops, const struct hop *left, const struct hop *right)
{
	const char *words = text_chars(&hops->words);
	bool left_named = left->end > left->middle, right_named = right->end > right->middle;
	// Without a name last.
	if (left_named != right_named)
		return left_named ? -1 : 1;
	int order = compare_words(words + left->middle, left->end - left->middle,
				  words + right->middle, right->end - right->middle);

	return order ? order
		     : compare_words(words + left->begin, left->middle - left->begin,
				     words + right->begin, right->middle - right->begin);
}

/** The order of the shapes that begin at hops @a left and @a right. */
static int compare_turns(const struct hops *hops, size_t left, size_t right)
{
	for (size_t i = 0; i < hops->count; i++) {
		int order = compare_hops(hops, &hops->list[(left + i) % hops->count],
					 &hops->list[(right + i) % hops->count]);

		if (order)
			return order;
	}
	return 0;
}

/** Which hop to begin with, so that equal cycles look equal. */
static size_t first_hop(const struct heap *heap, const struct hops *hops)
{
	bool best_finalizes = cycle_has_finalizer(heap, hops->list[0].object);
	size_t best = 0;

	for (size_t i = 1; i < hops->count; i++) {
		bool finalizes = cycle_has_finalizer(heap, hops->list[i].object);

		if (finalizes < best_finalizes ||
		    (finalizes == best_finalizes && compare_turns(hops, i, best) >= 0))
			continue;
		best = i;
		best_finalizes = finalizes;
	}
	return best;
}

static struct error *write_shape(const struct hops *hops, size_t first, size_t hop_count,
				 struct cycle_shape *ret)
{
	struct error *error = NULL;

	for (size_t i = 0; !error && i < hops->count && i < CYCLE_SHAPE_HOPS_MAX; i++) {
		const struct hop *hop = &hops->list[(first + i) % hops->count];

		if (i)
			error = text_append(&ret->text, " -> ", 4);
		if (!error)
			error = text_append(&ret->text, text_chars(&hops->words) + hop->begin,
					    hop->end - hop->begin);
	}
	if (!error && hop_count > CYCLE_SHAPE_HOPS_MAX)
		error = text_appendf(&ret->text, " -> ... (%zu more)",
				     hop_count - CYCLE_SHAPE_HOPS_MAX);
	return error;
}

static void take_hops(const struct hops *hops, size_t first, struct cycle_shape *ret)
{
	for (size_t i = 0; i < hops->count && i < CYCLE_EXAMPLE_MAX; i++)
		ret->objects[ret->object_count++] = hops->list[(first + i) % hops->count].object;
}

static void take_steps(const struct heap *heap, const struct cycle_path *path,
		       struct cycle_shape *ret)
{
	for (size_t i = 0; i < path->count && ret->object_count < CYCLE_EXAMPLE_MAX; i++) {
		uint32_t object = path->steps[i].object;

		if (!i || !names_may_fold(heap, path->steps[i - 1].object, object))
			ret->objects[ret->object_count++] = object;
	}
}

struct error *cycle_shape_make(const struct heap *heap, const struct cycle_path *path,
			       struct cycle_shape *ret)
{
	bool is_turned = path->hops <= TURNED_HOPS_MAX;
	struct hops hops;
	struct error *error;
	size_t first;

	ret->text.length = 0;
	ret->object_count = 0;
	hops.count = 0;
	hops.words = (struct text){0};
	error = add_steps(heap, path, is_turned ? TURNED_HOPS_MAX : CYCLE_SHAPE_HOPS_MAX, &hops);
	if (!error) {
		first = is_turned ? first_hop(heap, &hops) : 0;
		if (is_turned)
			take_hops(&hops, first, ret);
		else
			take_steps(heap, path, ret);
		error = write_shape(&hops, first, is_turned ? hops.count : path->hops, ret);
	}
	text_deinit(&hops.words);
	return error;
}

void cycle_shape_deinit(struct cycle_shape *shape)
{
	text_deinit(&shape->text);
	shape->object_count = 0;
}
