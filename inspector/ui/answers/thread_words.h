/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_ANSWERS_THREAD_WORDS_H
#define UI_ANSWERS_THREAD_WORDS_H

/*
 * Threads as several verbs tell them: in which order, under which name.
 */

#include "targets/target.h"

enum { THREAD_NAME_BYTES = 64 };

/** By kernel id: the main thread first, as a rule, where the runtime has the youngest first. Those whose
 *  id is not known come last. As for qsort(). */
int thread_words_compare(const struct target_thread *left, const struct target_thread *right);

/** The kernel's name of @a thread of process @a pid into @a name (of THREAD_NAME_BYTES); "" when it is
 *  not known, nor for a @a pid of 0 (a core file has none). The program sets it as it likes: when @a redacts is set its length alone is told. */
void thread_words_name(pid_t pid, const struct target_thread *thread, bool redacts, char *name);

#endif
