// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/answers/object_choice.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/array.h"
#include "base/text.h"
#include "ui/nearest.h"

enum { OBJECT_CHOICE_SUGGESTIONS = 3 };

// No name of a type begins with a digit.
static bool object_choice_is_address(const char *word)
{
	return isdigit((unsigned char)word[0]);
}

static struct error *object_choice_address(const char *word, addr_t *ret)
{
	char *end = NULL;

	errno = 0;
	if (word[0] == '0' && (word[1] == 'x' || word[1] == 'X') &&
	    isxdigit((unsigned char)word[2]))
		*ret = strtoull(word, &end, 16);
	if (!end || *end || errno)
		return error_create(ERROR_USAGE,
				    "'%s' is no address: those are 0x and hexadecimal digits",
				    word);
	return NULL;
}

struct error *object_choice_check_words(const char *const *words, size_t word_count)
{
	struct error *error = NULL;
	addr_t unused;

	for (size_t i = 0; i < word_count && !error; i++) {
		if (!*words[i])
			error = error_create(ERROR_USAGE, "an empty word is no object");
		else if (object_choice_is_address(words[i]))
			error = object_choice_address(words[i], &unused);
	}
	return error;
}

struct error *object_choice_check(const struct arguments *arguments)
{
	return object_choice_check_words((const char *const *)arguments->words,
					 arguments->word_count);
}

static struct error *object_choice_add(struct object_choice *choice, uint32_t object,
				       uint8_t *taken)
{
	if (taken[object])
		return NULL;
	taken[object] = 1;
	struct error *error = array_reserve(&choice->ids, &choice->capacity, choice->count + 1,
					    sizeof(*choice->ids));
	if (!error)
		choice->ids[choice->count++] = object;
	return error;
}

// How far a type's name is from @word: 0 when just the module is missing.
static size_t object_choice_distance(const char *word, const char *name)
{
	const char *last = strrchr(name, '.');

	if (last && !strcmp(last + 1, word))
		return 0;
	size_t whole = nearest_distance(word, name);
	size_t part = last ? nearest_distance(word, last + 1) : whole;
	return whole < part ? whole : part;
}

/** Names near the one that is not there, the nearest first. */
struct object_choice_names {
	const char *list[OBJECT_CHOICE_SUGGESTIONS];
	size_t distances[OBJECT_CHOICE_SUGGESTIONS];
	size_t count;
};

static void object_choice_suggest(struct object_choice_names *names, const char *name,
				  size_t distance)
{
	size_t at = names->count;

	for (size_t i = 0; i < names->count; i++)
		if (!strcmp(names->list[i], name))
			return;
	while (at > 0 && names->distances[at - 1] > distance)
		at--;
	if (at == OBJECT_CHOICE_SUGGESTIONS)
		return;
	if (names->count < OBJECT_CHOICE_SUGGESTIONS)
		names->count++;
	for (size_t i = names->count - 1; i > at; i--) {
		names->list[i] = names->list[i - 1];
		names->distances[i] = names->distances[i - 1];
	}
	names->list[at] = name;
	names->distances[at] = distance;
}

static struct error *object_choice_unknown(const struct heap *heap, const char *word)
{
	_cleanup_text_ struct text near = {0};
	struct object_choice_names names = {0};
	// Most names of a program begin alike: what is behind the modules tells them apart.
	const char *last = strrchr(word, '.');
	size_t bound = nearest_bound(last ? last + 1 : word);
	struct error *error = NULL;

	for (uint32_t i = 0; i < heap->type_count; i++) {
		size_t distance = object_choice_distance(word, heap->types[i].name);
		if (distance <= bound && strcmp(word, heap->types[i].name) != 0)
			object_choice_suggest(&names, heap->types[i].name, distance);
	}
	for (size_t i = 0; i < names.count && !error; i++)
		error = text_appendf(&near, "%s'%s'", i ? ", " : "; did you mean ", names.list[i]);
	if (error)
		return error;
	return error_create(ERROR_FAILED, "there is no object of a type named '%s'%s%s", word,
			    text_chars(&near), names.count ? "?" : "");
}

// The one type that has objects and is called @word behind its module; NULL when there is no such, or more.
static const char *object_choice_whole_name(const struct heap *heap, const char *word)
{
	const char *whole = NULL;

	for (uint32_t i = 0; i < heap->type_count; i++) {
		const char *name = heap->types[i].name;
		const char *last = strrchr(name, '.');
		if (!strcmp(name, word))
			return name;
		if (!last || strcmp(last + 1, word) != 0)
			continue;
		if (whole && strcmp(whole, name) != 0)
			return NULL;
		whole = name;
	}
	return whole;
}

static struct error *object_choice_add_type(const struct heap *heap, const char *word, bool all,
					    uint8_t *taken, struct object_choice *choice)
{
	_cleanup_free_ uint8_t *meant = calloc((size_t)heap->type_count + 1, 1);
	struct error *error = NULL;
	size_t found = 0;

	if (!meant)
		return error_no_memory();
	const char *name = object_choice_whole_name(heap, word);
	for (uint32_t i = 0; name && i < heap->type_count; i++)
		meant[i] = !strcmp(heap->types[i].name, name);
	// By address: those of the heap first, as their ids are.
	for (uint32_t i = 0; i < heap->object_count && !error; i++) {
		if (!meant[heap->type[i]])
			continue;
		if (found++ == 0 || all)
			error = object_choice_add(choice, i, taken);
		else
			choice->others++;
	}
	if (!error && !found)
		error = object_choice_unknown(heap, word);
	return error;
}

static struct error *object_choice_add_address(const struct heap *heap, const char *word,
					       uint8_t *taken, struct object_choice *choice)
{
	addr_t at;
	struct error *error = object_choice_address(word, &at);

	if (error)
		return error;
	uint32_t object = heap_find(heap, at);
	if (object == HEAP_NO_OBJECT)
		return error_create(ERROR_FAILED,
				    "there is no object at 0x%" PRIx64
				    ": an object's address is where it begins, and it may have "
				    "ended since",
				    at);
	return object_choice_add(choice, object, taken);
}

struct error *object_choice_of_words(const struct heap *heap, const char *const *words,
				     size_t word_count, bool all, struct object_choice *ret)
{
	_cleanup_free_ uint8_t *taken = calloc((size_t)heap->object_count + 1, 1);
	struct error *error = NULL;

	if (!taken)
		return error_no_memory();
	for (size_t i = 0; i < word_count && !error; i++) {
		if (object_choice_is_address(words[i]))
			error = object_choice_add_address(heap, words[i], taken, ret);
		else
			error = object_choice_add_type(heap, words[i], all, taken, ret);
	}
	return error;
}

struct error *object_choice_make(const struct heap *heap, const struct arguments *arguments,
				 bool all, struct object_choice *ret)
{
	return object_choice_of_words(heap, (const char *const *)arguments->words,
				      arguments->word_count, all, ret);
}

struct error *object_choice_note(const struct object_choice *choice, struct report *report,
				 const char *hint)
{
	char others[HUMAN_CHARS];

	if (!choice->others)
		return NULL;
	return report_note(report, "this is the first by address, there %s %s more of the type: %s",
			   choice->others == 1 ? "is" : "are",
			   human_count((int64_t)choice->others, others), hint);
}

void object_choice_deinit(struct object_choice *choice)
{
	free(choice->ids);
	*choice = (struct object_choice){0};
}
