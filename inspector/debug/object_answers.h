/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef DEBUG_OBJECT_ANSWERS_H
#define DEBUG_OBJECT_ANSWERS_H

/*
 * What is known of the structs of objects, absences too, and its form as text, a line for each:
 *
 *	object function.1a2b3c.PyObject.176 = PyCodeObject 176 co_consts 24 1 co_names 32 1
 *	object struct.PyCodeObject.PyObject.0 absent
 *
 * The numbers behind a member's name are its offset and its count. layout_answers.c has the text
 * around it.
 */

#include "base/text.h"
#include "debug/layout.h"
#include "debug/object_members.h"

struct object_answer {
	/** The words of the question, points between them; owned. */
	char *words;
	/** Owned, as are the strings in it; NULL when absent. */
	struct object_members *members;
	/** Number + 1 of the next answer in the same bucket; 0 ends the chain. */
	uint32_t next;
};

enum { OBJECT_ANSWERS_BUCKETS = 256 };

/** Zero-initialised is empty and valid. */
struct object_answers {
	struct object_answer *list;
	size_t count;
	size_t capacity;
	uint32_t buckets[OBJECT_ANSWERS_BUCKETS];
};

void object_answers_deinit(struct object_answers *answers);

/** Whether the answer to @a object is known; *@a ret is it then (NULL: absent) and lives as long as
 *  @a answers. */
MUST_USE struct error *object_answers_find(const struct object_answers *answers,
					   const struct layout_object *object, bool *known,
					   const struct object_members **ret);

/** Adds a copy of @a members (NULL: absent) as the answer to @a object, which was not known;
 *  *@a ret is the copy. */
MUST_USE struct error *object_answers_add(struct object_answers *answers,
					  const struct layout_object *object,
					  const struct object_members *members,
					  const struct object_members **ret);

/** Appends their lines; not those with names that have no form as text. */
MUST_USE struct error *object_answers_print(const struct object_answers *answers,
					    struct text *into);

/** Reads a line, which is untrusted and used up, without its first word. *@a valid false when it is
 *  none that object_answers_print() writes. Fails for want of memory only. */
MUST_USE struct error *object_answers_parse(char *line, struct object_answers *answers,
					    bool *valid);

#endif
