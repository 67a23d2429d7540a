// SPDX-License-Identifier: GPL-3.0-or-later
#include "analyze/retention/path_words.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/names.h"
#include "base/fnv.h"

const char path_item_label[] = "[...]";

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

// Numbers, hexadecimal ones too, become '#': threads, lines, addresses.
static struct error *append_without_numbers(const char *name, struct text *into)
{
	struct error *error = NULL;

	for (const char *c = name; *c && !error;) {
		if (!is_digit(*c)) {
			error = text_append(into, c++, 1);
			continue;
		}
		if (c[0] == '0' && c[1] == 'x')
			c += 2;
		while (is_digit(*c) || (*c >= 'a' && *c <= 'f' && c > name && is_digit(c[-1])))
			c++;
		error = text_append(into, "#", 1);
	}
	return error;
}

struct error *path_label_generalize(const char *label, struct text *into)
{
	size_t length = strlen(label);

	// ".name[3]" as it comes from an attribute dict with a strange key stays whole: it is no item.
	if (length >= 2 && label[0] == '[' && label[length - 1] == ']')
		return text_append(into, path_item_label, strlen(path_item_label));
	return text_append(into, label, length);
}

// Each part ends with its NUL.
static uint64_t hash_add(uint64_t hash, const char *part)
{
	return fnv64(hash, part, strlen(part) + 1);
}

struct error *path_start_generalize(const struct heap *heap, const struct path_start *start,
				    struct text *into)
{
	const struct heap_root_row *root =
		start->root == PATH_LEAK ? NULL : &heap->roots[start->root];
	_cleanup_text_ struct text name = {0};
	struct error *error = text_appendf(into, "%d ", root ? (int)root->kind : -1);

	if (!error && root)
		error = heap_root_name(root, &name);
	return error ? error : append_without_numbers(text_chars(&name), into);
}

static struct error *words_sign(const struct heap *heap, const struct path *path,
				struct path_words *words)
{
	_cleanup_text_ struct text start = {0};
	struct error *error = path_start_generalize(heap, &path->start, &start);
	uint64_t hash = hash_add(FNV64_START, text_chars(&start));

	for (size_t i = 0; i < words->count && !error; i++) {
		_cleanup_text_ struct text label = {0};
		// However long a chain of the same is.
		if (i &&
		    heap->type[words->list[i].object] == heap->type[words->list[i - 1].object] &&
		    !strcmp(words->list[i].label, words->list[i - 1].label))
			continue;
		error = path_label_generalize(words->list[i].label, &label);
		if (!error)
			hash = hash_add(hash_add(hash, text_chars(&label)),
					heap_type_name(heap, words->list[i].object));
	}
	if (!error)
		snprintf(words->signature, sizeof(words->signature), "%012" PRIx64,
			 (hash ^ hash >> 48) & 0xffffffffffffU);
	return error;
}

static uint32_t count_alike(const struct heap *heap, uint32_t object, uint32_t next)
{
	const heap_edge *edges = heap_edges(heap, object);
	uint32_t count = heap_edge_count(heap, object), alike = 0;

	for (uint32_t i = 0; i < count; i++)
		alike += heap_edge_holds(edges[i]) &&
			 heap->type[heap_edge_target(edges[i])] == heap->type[next];
	return alike;
}

static struct error *add_word(const struct heap *heap, const struct path *path, size_t number,
			      bool folded, struct path_words *words)
{
	const struct path_step *step = &path->steps[number];
	_cleanup_text_ struct text label = {0}, whole = {0};
	struct error *error = NULL;

	// The object before a gap is none that refers to this one.
	bool behind_gap = path->skipped && number == PATH_HEAD_STEPS;
	if (number && !behind_gap)
		error = heap_label(heap, path->steps[number - 1].object, step->edge, &label);
	// Empty is a string, too.
	if (!error)
		error = text_append(&whole, "", 0);
	if (!error && folded && label.length)
		error = names_append_attribute(&label, &whole);
	else if (!error)
		error = text_appendf(&whole, "%s", text_chars(&label));
	if (error)
		return error;
	if (behind_gap) {
		words->skipped = path->skipped;
		words->skipped_at = words->count;
	}
	words->list[words->count++] =
		(struct path_word){.object = step->object, .label = take_ptr(whole.chars)};
	return NULL;
}

// Of those that hold many of a kind the last: what is nearest to the objects asked about.
static void words_mark(const struct heap *heap, const struct path *path, struct path_words *words)
{
	uint32_t most = PATH_MANY - 1;

	words->marked = SIZE_MAX;
	for (size_t i = 0, word = 0; i < path->count; i++) {
		// Attribute dicts are no words, and what they hold is their owner's.
		if (word + 1 < words->count &&
		    path->steps[i].object == words->list[word + 1].object)
			word++;
		bool at_gap = path->skipped && i + 1 == PATH_HEAD_STEPS;
		if (i + 1 == path->count || at_gap)
			continue;
		uint32_t alike =
			count_alike(heap, path->steps[i].object, path->steps[i + 1].object);
		if (alike > words->list[word].alike_count)
			words->list[word].alike_count = alike;
		if (alike >= most && alike >= PATH_MANY) {
			most = alike;
			words->marked = word;
		}
	}
}

/*
 * Whether step @a number is an attribute dict on the way to an attribute: an object's own, a module's or a
 * class's, which others refer to as well, but not so.
 */
static struct error *words_fold(const struct heap *heap, const struct path *path, size_t number,
				bool *ret)
{
	_cleanup_text_ struct text label = {0};
	bool at_gap = path->skipped && (number == PATH_HEAD_STEPS || number + 1 == PATH_HEAD_STEPS);

	*ret = false;
	if (number == 0 || number + 1 == path->count || at_gap)
		return NULL;
	uint32_t owner = path->steps[number - 1].object, dict = path->steps[number].object;
	struct error *error = heap_label(heap, owner, path->steps[number].edge, &label);
	*ret = label.length ? !strcmp(text_chars(&label), names_dict_label)
			    : names_may_fold(heap, owner, dict);
	return error;
}

struct error *path_words_make(const struct heap *heap, const struct path *path,
			      struct path_words *ret)
{
	struct error *error = NULL;
	bool folded = false;

	*ret = (struct path_words){0};
	for (size_t i = 0; i < path->count && !error; i++) {
		bool folds = false;
		if (!folded)
			error = words_fold(heap, path, i, &folds);
		if (!error && !folds)
			error = add_word(heap, path, i, folded, ret);
		folded = folds;
	}
	if (!error)
		words_mark(heap, path, ret);
	return error ? error : words_sign(heap, path, ret);
}

void path_words_deinit(struct path_words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->list[i].label);
	*words = (struct path_words){0};
}
