// SPDX-License-Identifier: GPL-3.0-or-later
#include "debug/object_answers.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/fnv.h"

static void members_destroy(struct object_members *members)
{
	struct object_member *list;

	if (!members)
		return;
	list = (struct object_member *)members->list;
	for (size_t i = 0; i < members->count; i++)
		free((char *)list[i].name);
	free(list);
	free((char *)members->struct_name);
	free(members);
}

static void members_cleanup(struct object_members **members)
{
	members_destroy(*members);
}
#define _cleanup_members_ CLEANUP(members_cleanup)

void object_answers_deinit(struct object_answers *answers)
{
	for (size_t i = 0; i < answers->count; i++) {
		free(answers->list[i].words);
		members_destroy(answers->list[i].members);
	}
	free(answers->list);
	*answers = (struct object_answers){0};
}

static uint32_t *bucket_of(struct object_answers *answers, const char *words)
{
	uint32_t hash = fnv32(FNV32_START, words, strlen(words));

	return &answers->buckets[(hash ^ hash >> 16) % OBJECT_ANSWERS_BUCKETS];
}

static struct error *words_make(const struct layout_object *object, char **ret)
{
	int length = object->name ? asprintf(ret, "struct.%s.%s.%" PRIu64, object->name,
					     object->base, object->size_bytes)
				  : asprintf(ret, "function.%" PRIx64 ".%s.%" PRIu64,
					     object->function, object->base, object->size_bytes);

	if (length >= 0)
		return NULL;
	*ret = NULL;
	return error_no_memory();
}

static const struct object_answer *words_find(const struct object_answers *answers,
					      const char *words)
{
	uint32_t i = *bucket_of((struct object_answers *)answers, words);

	for (; i; i = answers->list[i - 1].next)
		if (strcmp(answers->list[i - 1].words, words) == 0)
			return &answers->list[i - 1];
	return NULL;
}

struct error *object_answers_find(const struct object_answers *answers,
				  const struct layout_object *object, bool *known,
				  const struct object_members **ret)
{
	_cleanup_free_ char *words = NULL;
	struct error *error = words_make(object, &words);

	*known = false;
	*ret = NULL;
	if (error)
		return error;
	const struct object_answer *answer = words_find(answers, words);
	*known = answer != NULL;
	if (answer)
		*ret = answer->members;
	return NULL;
}

static struct error *members_copy(const struct object_members *from, struct object_members **ret)
{
	_cleanup_members_ struct object_members *copy = calloc(1, sizeof(*copy));

	if (!copy)
		return error_no_memory();
	struct object_member *list = calloc(from->count + 1, sizeof(*list));
	copy->list = list;
	copy->struct_name = strdup(from->struct_name);
	copy->struct_bytes = from->struct_bytes;
	if (!list || !copy->struct_name)
		return error_no_memory();
	for (; copy->count < from->count; copy->count++) {
		struct object_member *member = &list[copy->count];
		*member = from->list[copy->count];
		member->name = strdup(member->name);
		if (!member->name)
			return error_no_memory();
	}
	*ret = take_ptr(copy);
	return NULL;
}

/** Takes over @a words, and @a members unless it fails. */
static struct error *answer_append(struct object_answers *answers, char *words,
				   struct object_members *members)
{
	struct error *error = array_reserve(&answers->list, &answers->capacity, answers->count + 1,
					    sizeof(*answers->list));

	if (error) {
		free(words);
		return error;
	}
	uint32_t *bucket = bucket_of(answers, words);
	answers->list[answers->count++] = (struct object_answer){words, members, *bucket};
	*bucket = (uint32_t)answers->count;
	return NULL;
}

struct error *object_answers_add(struct object_answers *answers, const struct layout_object *object,
				 const struct object_members *members,
				 const struct object_members **ret)
{
	_cleanup_members_ struct object_members *copy = NULL;
	char *words = NULL;
	struct error *error = members ? members_copy(members, &copy) : NULL;

	*ret = NULL;
	if (!error)
		error = words_make(object, &words);
	if (!error)
		error = answer_append(answers, words, copy);
	if (!error)
		*ret = take_ptr(copy);
	return error;
}

// Letters of C identifiers and of member paths; nothing that the text form has a use for.
static bool word_is_plain(const char *word)
{
	return word[0] && strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "0123456789_.$[]") == strlen(word);
}

static bool answer_is_plain(const struct object_answer *answer)
{
	const struct object_members *members = answer->members;

	if (!word_is_plain(answer->words))
		return false;
	if (members && !word_is_plain(members->struct_name))
		return false;
	for (size_t i = 0; members && i < members->count; i++)
		if (!word_is_plain(members->list[i].name))
			return false;
	return true;
}

static struct error *answer_print(const struct object_answer *answer, struct text *into)
{
	const struct object_members *members = answer->members;
	struct error *error;

	if (!members)
		return text_appendf(into, "object %s absent\n", answer->words);
	error = text_appendf(into, "object %s = %s %" PRIu64, answer->words, members->struct_name,
			     members->struct_bytes);
	for (size_t i = 0; !error && i < members->count; i++) {
		const struct object_member *member = &members->list[i];
		error = text_appendf(into, " %s %" PRIu32 " %" PRIu32, member->name,
				     member->offset_bytes, member->count);
	}
	return error ? error : text_append(into, "\n", 1);
}

struct error *object_answers_print(const struct object_answers *answers, struct text *into)
{
	struct error *error = NULL;

	for (size_t i = 0; !error && i < answers->count; i++)
		if (answer_is_plain(&answers->list[i]))
			error = answer_print(&answers->list[i], into);
	return error;
}

/** The next word of *@a line; NULL when there is none or it has letters it should not. */
static char *word_take(char **line)
{
	char *word = *line;

	if (!word)
		return NULL;
	*line = strchr(word, ' ');
	if (*line)
		*(*line)++ = '\0';
	return word_is_plain(word) ? word : NULL;
}

static bool number_take(char **line, uint64_t limit, uint64_t *ret)
{
	const char *word = word_take(line);
	uint64_t value = 0;

	for (; word && *word >= '0' && *word <= '9'; word++)
		if (__builtin_mul_overflow(value, 10U, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*word - '0'), &value))
			return false;
	*ret = value;
	return word && *word == '\0' && value <= limit;
}

/** Reads what stands behind the "=" into @a into, whose words are those of @a line. */
static struct error *list_parse(char *line, struct object_members *into,
				struct object_member **list, bool *valid)
{
	size_t capacity = 0;

	into->struct_name = word_take(&line);
	*valid = into->struct_name && number_take(&line, UINT64_MAX, &into->struct_bytes);
	while (*valid && line) {
		uint64_t offset = 0, count = 0;
		struct error *error =
			array_reserve(list, &capacity, into->count + 1, sizeof(**list));
		if (error)
			return error;
		const char *name = word_take(&line);
		*valid = name && number_take(&line, UINT32_MAX, &offset) &&
			 number_take(&line, UINT32_MAX, &count);
		(*list)[into->count++] =
			(struct object_member){(uint32_t)offset, (uint32_t)count, name};
	}
	into->list = *list;
	return NULL;
}

struct error *object_answers_parse(char *line, struct object_answers *answers, bool *valid)
{
	_cleanup_members_ struct object_members *copy = NULL;
	_cleanup_free_ struct object_member *list = NULL;
	struct object_members parsed = {0};
	const char *question = word_take(&line);
	struct error *error = NULL;

	*valid = question && line && !words_find(answers, question);
	if (!*valid)
		return NULL;
	if (strncmp(line, "= ", 2) == 0) {
		error = list_parse(line + 2, &parsed, &list, valid);
		if (!error && *valid)
			error = members_copy(&parsed, &copy);
	} else {
		*valid = strcmp(line, "absent") == 0;
	}
	if (error || !*valid)
		return error;
	char *words = strdup(question);
	if (!words)
		return error_no_memory();
	error = answer_append(answers, words, copy);
	if (!error)
		copy = NULL;
	return error;
}
