/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_CONSOLE_COMPLETE_H
#define UI_CONSOLE_COMPLETE_H

/*
 * What may stand next, from the table of verbs: for the console's Tab key, and for the shell's
 * (completion.bash asks `leakinspect help --complete`).
 */

#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "ui/command.h"

/** Zero-initialised is empty and valid. */
struct completion {
	char **list;
	size_t count;
	size_t capacity;
	/** COMMAND_FILE or COMMAND_PID when it is one of these, which only the asker can list. */
	enum command_word other;
};

struct complete_question {
	/** COMMAND_IN_SHELL or COMMAND_IN_CONSOLE. */
	unsigned place;
	/** The words before the one that is completed, without "leakinspect". */
	char *const *before;
	size_t before_count;
	/** What there is of the word. */
	const char *word;
	/** Type names that are known; may be none. */
	char *const *types;
	size_t type_count;
};

MUST_USE struct error *complete_words(const struct complete_question *question,
				      struct completion *ret);

void completion_deinit(struct completion *completion);
#define _cleanup_completion_ CLEANUP(completion_deinit)

#endif
