/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_ANSWERS_CODE_ANSWER_H
#define UI_ANSWERS_CODE_ANSWER_H

/*
 * What `eval` and `repl` have in common: what code wrote goes where it would have gone, what happened to
 * its clone is told on stderr.
 */

#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "ui/arguments.h"
#include "ui/inspected.h"

enum { CODE_TIMEOUT_SECONDS = 10 };

/** Of the option --timeout. */
uint64_t code_timeout_ns(const struct arguments_value *timeout);
/** ERROR_USAGE for a time that is none. */
MUST_USE struct error *code_check_timeout(const struct arguments_value *timeout);

/** What was written to sys.stdout to @a out, to sys.stderr to ours; escaped for a terminal. */
MUST_USE struct error *code_answer_print(const struct target_answer *answer, FILE *out);

/** Text of the clone, escaped for a terminal and as it is for anything else. */
MUST_USE struct error *code_print_text(const char *chars, size_t length, FILE *out);

/** On stderr what is to be known about the clone that was made, if anything is. */
void code_tell_clone(const struct inspected_clone *clone);

/** How the clone was lost as an error, ERROR_INTERRUPTED when we were asked to stop. */
MUST_USE struct error *code_lost(const struct target_answer *answer);

#endif
