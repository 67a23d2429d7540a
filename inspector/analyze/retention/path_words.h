/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ANALYZE_RETENTION_PATH_WORDS_H
#define ANALYZE_RETENTION_PATH_WORDS_H

/*
 * A path as a person reads it: a line per object, attribute dicts folded into their owners (".child" and
 * not ".__dict__['child']"), and the step marked at which few become many.
 *
 * Its signature is the path less what differs between equal leaks: numbers and keys of containers' items,
 * numbers in the names of roots (addresses, threads, lines). Equal in another process, and another day.
 */

#include "analyze/retention/paths.h"
#include "base/text.h"

/** The signature, in hexadecimal digits, and its NUL. */
enum { PATH_SIGNATURE_CHARS = 12 + 1 };

struct path_word {
	uint32_t object;
	/** What it is called in the object before; "" in the first, which a root holds. Owned. */
	char *label;
	/** References of the object to others of the type of the next one's; 0 in the last. */
	uint32_t alike_count;
};

struct path_words {
	struct path_word list[PATH_STEPS_MAX];
	size_t count;
	/** Objects left out behind the word before number @a skipped_at; of a very long path. */
	size_t skipped;
	size_t skipped_at;
	/** The word whose object holds the most alike, SIZE_MAX when none holds as many as PATH_MANY. */
	size_t marked;
	char signature[PATH_SIGNATURE_CHARS];
};

/** What holds so many of a kind is worth a look. */
enum { PATH_MANY = 10 };

MUST_USE struct error *path_words_make(const struct heap *heap, const struct path *path,
				       struct path_words *ret);
/** Zero-initialised is valid. */
void path_words_deinit(struct path_words *words);
#define _cleanup_path_words_ CLEANUP(path_words_deinit)

/** What items of containers are called in a signature. */
extern const char path_item_label[];

/** What a label is in a signature: "[...]" for any item of a container, attributes as they are. Appends. */
MUST_USE struct error *path_label_generalize(const char *label, struct text *into);

/** What a root is in a signature. Appends. */
MUST_USE struct error *path_start_generalize(const struct heap *heap,
					     const struct path_start *start, struct text *into);

#endif
