/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DEBUG_LAYOUT_ANSWERS_H
#define DEBUG_LAYOUT_ANSWERS_H

/*
 * Answers about a layout, absences too, and their form as text:
 *
 *	leakinspect-layout 2 VERSION
 *	build-id HEX
 *	origin DWARF of /usr/lib/debug/...
 *	size PyObject = 16
 *	member PyObject ob_type = 8 8 0 0 pointer 0
 *	variable block_list PyIntBlock = 3812416 8 pointer
 *	variable interp_head - absent
 *	object struct.PyCodeObject.PyObject.0 absent
 *	checksum 0123456789abcdef
 *
 * Lines of objects are debug/object_answers.h's. A member's numbers are those of struct
 * layout_member in its order, a variable's likewise. The checksum (FNV-1a, 64 bits) is over all
 * that stands before it. Where a text is kept is
 * layout_cache.c's business.
 */

#include "base/text.h"
#include "debug/layout.h"
#include "debug/object_answers.h"

enum {
	LAYOUT_ANSWERS_BYTES_LIMIT = 1 << 20,
	LAYOUT_ANSWERS_LIMIT = 1 << 14,
};

enum layout_question { QUESTION_SIZE, QUESTION_MEMBER, QUESTION_VARIABLE };

struct layout_answer {
	enum layout_question question;
	/** The words of the question, separated by a space; owned. */
	char *words;
	bool present;
	/** By `question`; zero when absent. */
	union {
		uint64_t size_bytes;
		struct layout_member member;
		struct layout_variable variable;
	};
	/** Number + 1 of the next answer in the same bucket; 0 ends the chain. */
	uint32_t next;
};

enum { LAYOUT_ANSWERS_BUCKETS = 512 };

/** Zero-initialised is empty and valid. */
struct layout_answers {
	struct layout_answer *list;
	size_t count;
	size_t capacity;
	/** Where they came from in the first place; owned, NULL when empty. */
	char *origin;
	uint32_t buckets[LAYOUT_ANSWERS_BUCKETS];
	struct object_answers objects;
};

void layout_answers_deinit(struct layout_answers *answers);

/** The answer to @a question about @a first and @a second (NULL for a size, and for a variable of
 *  any type), or NULL. Lives until the next layout_answers_add(). */
const struct layout_answer *layout_answers_find(const struct layout_answers *answers,
						enum layout_question question, const char *first,
						const char *second);

/** Adds @a answer, whose `words` are set here. What has no form as text (a space in a name) and
 *  what is beyond the limit is not added: *@a added is false. */
MUST_USE struct error *layout_answers_add(struct layout_answers *answers, const char *first,
					  const char *second, struct layout_answer answer,
					  bool *added);

/** Appends the text of @a answers, in the order they were added. */
MUST_USE struct error *layout_answers_print(const struct layout_answers *answers,
					    const char *build_id, struct text *into);

/**
 * Reads a text, which is untrusted, into @a answers (empty). *@a valid is false, and @a answers
 * empty, when it is not exactly what layout_answers_print() of this version writes for @a build_id.
 * Fails for want of memory only.
 */
MUST_USE struct error *layout_answers_parse(const char *text, size_t length, const char *build_id,
					    struct layout_answers *answers, bool *valid);

#endif
