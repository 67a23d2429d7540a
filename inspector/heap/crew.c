// SPDX-License-Identifier: GPL-3.0-or-later
#include "heap/crew.h"

#include <pthread.h>
#include <signal.h>

struct crew {
	void (*work)(void *context, size_t number);
	void *context;
	size_t count;
	/** The next piece that nobody has; atomic. */
	size_t next;
};

static void *crew_work(void *context)
{
	struct crew *crew = context;
	size_t number;

	while ((number = __atomic_fetch_add(&crew->next, 1, __ATOMIC_RELAXED)) < crew->count)
		crew->work(crew->context, number);
	return NULL;
}

void crew_run(unsigned thread_count, size_t count, void (*work)(void *context, size_t number),
	      void *context)
{
	struct crew crew = {.work = work, .context = context, .count = count};
	pthread_t threads[CREW_MAX];
	unsigned started = 0;
	sigset_t all, before;

	// Signals are for the thread that asks interrupt_check().
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (started + 1 < thread_count && started + 1 < count && started < CREW_MAX)
		if (pthread_create(&threads[started], NULL, crew_work, &crew) == 0)
			started++;
		else
			break;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	crew_work(&crew);
	for (unsigned i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
}
