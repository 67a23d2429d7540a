// SPDX-License-Identifier: GPL-3.0-or-later
#include "debug/layout_answers.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/fnv.h"

// To be counted up whenever the form or the meaning of an answer changes.
#define FORMAT_LINE "leakinspect-layout 2 " LEAKINSPECT_VERSION

static const char *const question_words[] = {
	[QUESTION_SIZE] = "size",
	[QUESTION_MEMBER] = "member",
	[QUESTION_VARIABLE] = "variable",
};

static const char *const kind_words[] = {
	[LAYOUT_UNSIGNED] = "unsigned", [LAYOUT_SIGNED] = "signed", [LAYOUT_POINTER] = "pointer",
	[LAYOUT_FLOAT] = "float",       [LAYOUT_STRUCT] = "struct", [LAYOUT_ARRAY] = "array",
	[LAYOUT_OTHER] = "other",
};

enum { NUMBERS_MAX = 6 };

/** An answer as a row of numbers. The kind is one of them. */
struct number_row {
	uint64_t numbers[NUMBERS_MAX];
	int count;
	/** Which of them is the kind, -1 for none. */
	int kind_at;
};

void layout_answers_deinit(struct layout_answers *answers)
{
	for (size_t i = 0; i < answers->count; i++)
		free(answers->list[i].words);
	free(answers->list);
	free(answers->origin);
	object_answers_deinit(&answers->objects);
	*answers = (struct layout_answers){0};
}

// Letters of C identifiers and of member paths; nothing that the text form has a use for.
static bool word_is_plain(const char *word)
{
	return word[0] && strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "0123456789_.$[]") == strlen(word);
}

/** *@a ret is NULL when the question has no form as text. */
static struct error *words_make(enum layout_question question, const char *first,
				const char *second, char **ret)
{
	*ret = NULL;
	if (!word_is_plain(first) || (second && !word_is_plain(second)))
		return NULL;
	int length = question == QUESTION_SIZE
			     ? asprintf(ret, "%s", first)
			     : asprintf(ret, "%s %s", first, second ? second : "-");
	if (length < 0) {
		*ret = NULL;
		return error_no_memory();
	}
	return NULL;
}

static size_t bucket_of(enum layout_question question, const char *words, size_t length)
{
	uint64_t hash = fnv64(FNV64_START + question, words, length);

	return (hash ^ hash >> 32) % LAYOUT_ANSWERS_BUCKETS;
}

static bool words_match(const char *words, enum layout_question question, const char *first,
			const char *second)
{
	size_t length = strlen(first);

	if (strncmp(words, first, length) != 0)
		return false;
	if (question == QUESTION_SIZE)
		return words[length] == '\0';
	return words[length] == ' ' && strcmp(words + length + 1, second ? second : "-") == 0;
}

const struct layout_answer *layout_answers_find(const struct layout_answers *answers,
						enum layout_question question, const char *first,
						const char *second)
{
	// The hash of "FIRST SECOND" without making it.
	uint64_t hash = fnv64(FNV64_START + question, first, strlen(first));

	if (question != QUESTION_SIZE) {
		const char *last = second ? second : "-";
		hash = fnv64(fnv64(hash, " ", 1), last, strlen(last));
	}
	uint32_t i = answers->buckets[(hash ^ hash >> 32) % LAYOUT_ANSWERS_BUCKETS];
	for (; i; i = answers->list[i - 1].next) {
		const struct layout_answer *answer = &answers->list[i - 1];
		if (answer->question == question &&
		    words_match(answer->words, question, first, second))
			return answer;
	}
	return NULL;
}

/** Takes over `words`. */
static struct error *answer_append(struct layout_answers *answers, struct layout_answer answer)
{
	struct error *error = array_reserve(&answers->list, &answers->capacity, answers->count + 1,
					    sizeof(*answers->list));

	if (error) {
		free(answer.words);
		return error;
	}
	uint32_t *bucket =
		&answers->buckets[bucket_of(answer.question, answer.words, strlen(answer.words))];
	answer.next = *bucket;
	answers->list[answers->count++] = answer;
	*bucket = (uint32_t)answers->count;
	return NULL;
}

struct error *layout_answers_add(struct layout_answers *answers, const char *first,
				 const char *second, struct layout_answer answer, bool *added)
{
	*added = false;
	if (answers->count >= LAYOUT_ANSWERS_LIMIT)
		return NULL;
	struct error *error = words_make(answer.question, first, second, &answer.words);
	if (error || !answer.words)
		return error;
	error = answer_append(answers, answer);
	*added = !error;
	return error;
}

static struct number_row row_of(const struct layout_answer *answer)
{
	const struct layout_member *member = &answer->member;
	const struct layout_variable *variable = &answer->variable;

	switch (answer->question) {
	case QUESTION_MEMBER:
		return (struct number_row){{member->offset_bytes, member->size_bytes,
					    member->bit_offset, member->bit_count,
					    (uint64_t)member->kind, member->element_count},
					   6,
					   4};
	case QUESTION_VARIABLE:
		return (struct number_row){
			{variable->address, variable->size_bytes, (uint64_t)variable->kind}, 3, 2};
	case QUESTION_SIZE:
		break;
	}
	return (struct number_row){{answer->size_bytes}, 1, -1};
}

/** False when a number does not fit where it belongs. */
static bool row_store(const struct number_row *row, struct layout_answer *answer)
{
	const uint64_t *numbers = row->numbers;

	switch (answer->question) {
	case QUESTION_MEMBER:
		answer->member = (struct layout_member){
			.offset_bytes = (uint32_t)numbers[0],
			.size_bytes = (uint32_t)numbers[1],
			.bit_offset = (uint8_t)numbers[2],
			.bit_count = (uint8_t)numbers[3],
			.kind = (enum layout_kind)numbers[4],
			.element_count = (uint32_t)numbers[5],
		};
		return numbers[0] <= UINT32_MAX && numbers[1] <= UINT32_MAX &&
		       numbers[2] <= UINT8_MAX && numbers[3] <= UINT8_MAX &&
		       numbers[5] <= UINT32_MAX;
	case QUESTION_VARIABLE:
		answer->variable = (struct layout_variable){
			.address = numbers[0],
			.size_bytes = (uint32_t)numbers[1],
			.kind = (enum layout_kind)numbers[2],
		};
		return numbers[1] <= UINT32_MAX;
	case QUESTION_SIZE:
		break;
	}
	answer->size_bytes = numbers[0];
	return true;
}

static struct error *answer_print(const struct layout_answer *answer, struct text *into)
{
	struct number_row row = row_of(answer);
	struct error *error = text_appendf(into, "%s %s %s", question_words[answer->question],
					   answer->words, answer->present ? "=" : "absent");

	for (int i = 0; !error && answer->present && i < row.count; i++)
		error = i == row.kind_at ? text_appendf(into, " %s", kind_words[row.numbers[i]])
					 : text_appendf(into, " %" PRIu64, row.numbers[i]);
	return error ? error : text_append(into, "\n", 1);
}

struct error *layout_answers_print(const struct layout_answers *answers, const char *build_id,
				   struct text *into)
{
	struct error *error = text_appendf(into, "%s\nbuild-id %s\norigin %s\n", FORMAT_LINE,
					   build_id, answers->origin ? answers->origin : "");

	for (size_t i = 0; !error && i < answers->count; i++)
		error = answer_print(&answers->list[i], into);
	if (!error)
		error = object_answers_print(&answers->objects, into);
	if (error)
		return error;
	return text_appendf(into, "checksum %016" PRIx64 "\n",
			    fnv64(FNV64_START, text_chars(into), into->length));
}

/** The next word of *@a line, ended by one space or the end; NULL when there is none. */
static char *word_take(char **line)
{
	char *word = *line;

	if (!word || !*word)
		return NULL;
	*line = strchr(word, ' ');
	if (*line)
		*(*line)++ = '\0';
	return word;
}

static bool number_parse(const char *word, uint64_t *ret)
{
	uint64_t value = 0;

	for (; *word >= '0' && *word <= '9'; word++)
		if (__builtin_mul_overflow(value, 10U, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*word - '0'), &value))
			return false;
	*ret = value;
	return *word == '\0';
}

static bool word_look_up(const char *word, const char *const *words, size_t count, uint64_t *ret)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(word, words[i]) == 0) {
			*ret = i;
			return true;
		}
	}
	return false;
}

static bool row_parse(char *line, struct layout_answer *answer)
{
	struct number_row row = row_of(answer);

	for (int i = 0; i < row.count; i++) {
		const char *word = word_take(&line);
		if (!word || !*word)
			return false;
		if (i == row.kind_at ? !word_look_up(word, kind_words, ARRAY_COUNT(kind_words),
						     &row.numbers[i])
				     : !number_parse(word, &row.numbers[i]))
			return false;
	}
	return !line && row_store(&row, answer);
}

static struct error *line_parse(char *line, struct layout_answers *answers, bool *valid)
{
	struct layout_answer answer = {0};
	uint64_t question = 0;
	bool added = false;
	const char *word = word_take(&line);

	if (word && strcmp(word, "object") == 0)
		return object_answers_parse(line, &answers->objects, valid);
	*valid = word && word_look_up(word, question_words, ARRAY_COUNT(question_words), &question);
	if (!*valid)
		return NULL;
	answer.question = (enum layout_question)question;
	const char *first = word_take(&line), *second = NULL;
	if (answer.question != QUESTION_SIZE) {
		second = word_take(&line);
		*valid = second != NULL;
		if (second && answer.question == QUESTION_VARIABLE && strcmp(second, "-") == 0)
			second = NULL;
	}
	const char *state = word_take(&line);
	answer.present = state && strcmp(state, "=") == 0;
	*valid =
		*valid && first && state &&
		(answer.present ? row_parse(line, &answer) : !line && strcmp(state, "absent") == 0);
	if (!*valid)
		return NULL;
	struct error *error = layout_answers_add(answers, first, second, answer, &added);
	*valid = added;
	return error;
}

/** Cuts the next line off; NULL when there is no complete one. */
static char *line_take(char **cursor)
{
	char *line = *cursor, *end = strchr(line, '\n');

	if (!end)
		return NULL;
	*end = '\0';
	*cursor = end + 1;
	return line;
}

static bool header_parse(char **cursor, const char *build_id, char **ret_origin)
{
	const char *format = line_take(cursor);
	const char *id = format ? line_take(cursor) : NULL;
	char *origin = id ? line_take(cursor) : NULL;

	if (!origin || strcmp(format, FORMAT_LINE) != 0 || strncmp(id, "build-id ", 9) != 0 ||
	    strcmp(id + 9, build_id) != 0 || strncmp(origin, "origin ", 7) != 0)
		return false;
	*ret_origin = origin + 7;
	return true;
}

/** Checks the last line and cuts it off. */
static bool checksum_check(char *text, size_t *length)
{
	// "checksum ", 16 digits, newline.
	enum { LINE_CHARS = 9 + 16 + 1 };
	char expected[LINE_CHARS + 1];

	if (*length < LINE_CHARS || memchr(text, '\0', *length))
		return false;
	*length -= LINE_CHARS;
	snprintf(expected, sizeof(expected), "checksum %016" PRIx64 "\n",
		 fnv64(FNV64_START, text, *length));
	if (memcmp(text + *length, expected, LINE_CHARS) != 0)
		return false;
	text[*length] = '\0';
	return true;
}

struct error *layout_answers_parse(const char *text, size_t length, const char *build_id,
				   struct layout_answers *answers, bool *valid)
{
	char *origin = NULL;

	*valid = false;
	if (length > LAYOUT_ANSWERS_BYTES_LIMIT)
		return NULL;
	_cleanup_free_ char *copy = malloc(length + 1);
	if (!copy)
		return error_no_memory();
	memcpy(copy, text, length);
	copy[length] = '\0';
	char *cursor = copy;
	if (!checksum_check(copy, &length) || !header_parse(&cursor, build_id, &origin))
		return NULL;
	struct error *error = NULL;
	answers->origin = strdup(origin);
	if (!answers->origin)
		error = error_no_memory();
	*valid = true;
	while (!error && *valid && *cursor) {
		char *line = line_take(&cursor);
		if (line)
			error = line_parse(line, answers, valid);
		else
			*valid = false;
	}
	if (error || !*valid)
		layout_answers_deinit(answers);
	return error;
}
