// SPDX-License-Identifier: GPL-3.0-or-later
#include "support/fake_layout.h"

#include <stdlib.h>
#include <string.h>

enum fake_kind { FAKE_SIZE, FAKE_MEMBER, FAKE_VARIABLE };

/** `what` is a member's path or NULL; a variable has its name there and may have no type. */
struct fake_answer {
	enum fake_kind kind;
	const char *type;
	const char *what;
	bool present;
	uint64_t bytes;
	struct layout_member member;
	struct layout_variable variable;
};

struct fake_layout {
	struct layout_source source;
	struct fake_answer *answers;
	size_t count;
	size_t question_count;
	/** In terms of question_count; 0 for none. */
	size_t fail_at;
};

static bool fake_same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static struct fake_answer *fake_find(const struct fake_layout *fake, enum fake_kind kind,
				     const char *type, const char *what)
{
	for (size_t i = 0; i < fake->count; i++) {
		struct fake_answer *answer = &fake->answers[i];
		if (answer->kind == kind && fake_same(answer->type, type) &&
		    fake_same(answer->what, what))
			return answer->present ? answer : NULL;
	}
	return NULL;
}

static void fake_set(struct fake_layout *fake, struct fake_answer answer)
{
	for (size_t i = 0; i < fake->count; i++) {
		const struct fake_answer *old = &fake->answers[i];
		if (old->kind == answer.kind && fake_same(old->type, answer.type) &&
		    fake_same(old->what, answer.what)) {
			fake->answers[i] = answer;
			return;
		}
	}
	fake->answers = reallocarray(fake->answers, fake->count + 1, sizeof(*fake->answers));
	if (!fake->answers)
		abort();
	fake->answers[fake->count++] = answer;
}

static struct error *fake_count(struct layout_source *source)
{
	struct fake_layout *fake = (struct fake_layout *)source;

	if (++fake->question_count != fake->fail_at)
		return NULL;
	return error_create(ERROR_FAILED, "the test made this question fail");
}

static struct error *fake_type_size(struct layout_source *source, const char *type, bool *present,
				    uint64_t *ret)
{
	const struct fake_answer *answer =
		fake_find((struct fake_layout *)source, FAKE_SIZE, type, NULL);

	*present = answer;
	if (answer)
		*ret = answer->bytes;
	return fake_count(source);
}

static struct error *fake_member(struct layout_source *source, const char *type, const char *path,
				 bool *present, struct layout_member *ret)
{
	const struct fake_answer *answer =
		fake_find((struct fake_layout *)source, FAKE_MEMBER, type, path);

	*present = answer;
	if (answer)
		*ret = answer->member;
	return fake_count(source);
}

static struct error *fake_variable(struct layout_source *source, const char *name, const char *type,
				   bool *present, struct layout_variable *ret)
{
	const struct fake_answer *answer =
		fake_find((struct fake_layout *)source, FAKE_VARIABLE, type, name);

	*present = answer;
	if (answer)
		*ret = answer->variable;
	return fake_count(source);
}

static void fake_destroy(struct layout_source *source)
{
	struct fake_layout *fake = (struct fake_layout *)source;

	free(fake->answers);
	free(fake);
}

static const struct layout_source_ops fake_ops = {
	.type_size = fake_type_size,
	.member = fake_member,
	.variable = fake_variable,
	.destroy = fake_destroy,
};

struct fake_layout *fake_layout_create(void)
{
	struct fake_layout *fake = calloc(1, sizeof(*fake));

	if (!fake)
		abort();
	fake->source = (struct layout_source){.ops = &fake_ops, .origin = "a table of the test"};
	return fake;
}

void fake_layout_destroy(struct fake_layout *fake)
{
	if (fake)
		fake_destroy(&fake->source);
}

struct layout_source *fake_layout_source(struct fake_layout *fake)
{
	return &fake->source;
}

void fake_layout_set_size(struct fake_layout *fake, const char *type, uint64_t bytes)
{
	fake_set(fake, (struct fake_answer){
			       .kind = FAKE_SIZE, .type = type, .present = bytes, .bytes = bytes});
}

void fake_layout_set_member(struct fake_layout *fake, const char *type, const char *path,
			    const struct layout_member *member)
{
	struct fake_answer answer = {.kind = FAKE_MEMBER, .type = type, .what = path};

	answer.present = member;
	if (member)
		answer.member = *member;
	fake_set(fake, answer);
}

void fake_layout_set_variable(struct fake_layout *fake, const char *name, const char *type,
			      const struct layout_variable *variable)
{
	struct fake_answer answer = {.kind = FAKE_VARIABLE, .type = type, .what = name};

	answer.present = variable;
	if (variable)
		answer.variable = *variable;
	fake_set(fake, answer);
}

uint64_t fake_layout_size(const struct fake_layout *fake, const char *type)
{
	const struct fake_answer *answer = fake_find(fake, FAKE_SIZE, type, NULL);

	return answer ? answer->bytes : 0;
}

const struct layout_member *fake_layout_member(const struct fake_layout *fake, const char *type,
					       const char *path)
{
	const struct fake_answer *answer = fake_find(fake, FAKE_MEMBER, type, path);

	return answer ? &answer->member : NULL;
}

void fake_layout_fail_nth(struct fake_layout *fake, size_t nth)
{
	fake->fail_at = nth ? fake->question_count + nth : 0;
}

size_t fake_layout_question_count(const struct fake_layout *fake)
{
	return fake->question_count;
}
