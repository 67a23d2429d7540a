// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdlib.h>
#include <string.h>

#include "mem/pause.h"
#include "session_look.h"

void session_stacks_deinit(struct session_stacks *stacks)
{
	free(stacks->list);
	free(stacks->threads);
	*stacks = (struct session_stacks){0};
}

struct error *session_stacks_take(struct session_stacks *stacks, const struct pause_thread *threads,
				  size_t count)
{
	session_stacks_deinit(stacks);
	// A damaged core file may have none.
	stacks->list = calloc(count + 1, sizeof(*stacks->list));
	stacks->threads = calloc(count + 1, sizeof(*stacks->threads));
	if (!stacks->list || !stacks->threads)
		return error_no_memory();
	if (count)
		memcpy(stacks->threads, threads, count * sizeof(*threads));
	for (size_t i = 0; i < count; i++) {
		const struct pause_thread *thread = &stacks->threads[i];
		stacks->list[i] = (struct target_stack){
			.tid = thread->tid,
			.pthread_at = thread->pthread_at,
			.stack_pointer = thread->stack_pointer,
			.program_counter = thread->program_counter,
			// glibc's struct pthread begins where %fs points to.
			.thread_pointer = thread->pthread_at,
			.registers = thread->registers,
			.register_count = thread->register_count,
		};
	}
	stacks->count = count;
	return NULL;
}
