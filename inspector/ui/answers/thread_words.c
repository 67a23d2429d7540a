// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/answers/thread_words.h"

#include <stdio.h>
#include <string.h>

#include "mem/process.h"

int thread_words_compare(const struct target_thread *left, const struct target_thread *right)
{
	if (left->tid <= 0 || right->tid <= 0)
		return (left->tid <= 0) - (right->tid <= 0);
	return (left->tid > right->tid) - (left->tid < right->tid);
}

void thread_words_name(pid_t pid, const struct target_thread *thread, bool redacts, char *name)
{
	name[0] = '\0';
	if (pid > 0 && thread->tid > 0)
		process_thread_name(pid, thread->tid, name, THREAD_NAME_BYTES);
	if (redacts && *name)
		snprintf(name, THREAD_NAME_BYTES, "<name of %zu bytes>", strlen(name));
}
