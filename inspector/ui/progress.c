// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/progress.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

static const uint64_t progress_first_ns = 1000000000;
static const uint64_t progress_next_ns = 200000000;

struct progress {
	const char *what;
	uint64_t started_ns;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	bool stopped;
};

static void *progress_show(void *argument)
{
	struct progress *progress = argument;
	uint64_t next_ns = progress->started_ns + progress_first_ns;
	bool shown = false;

	pthread_mutex_lock(&progress->mutex);
	while (!progress->stopped) {
		struct timespec until = {.tv_sec = (time_t)(next_ns / 1000000000),
					 .tv_nsec = (long)(next_ns % 1000000000)};

		if (pthread_cond_timedwait(&progress->wake, &progress->mutex, &until) != ETIMEDOUT)
			continue;
		fprintf(stderr, "\r%s: %.1f s ", progress->what,
			(double)(next_ns - progress->started_ns) / 1e9);
		fflush(stderr);
		shown = true;
		next_ns += progress_next_ns;
	}
	pthread_mutex_unlock(&progress->mutex);
	if (shown)
		fprintf(stderr, "\r%*s\r", 40, "");
	return NULL;
}

static int progress_start_thread(struct progress *progress)
{
	pthread_condattr_t attributes;
	sigset_t all, before;

	pthread_mutex_init(&progress->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&progress->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	// Signals are for the thread that works: they end its waiting.
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int result = pthread_create(&progress->thread, NULL, progress_show, progress);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return result;
}

static void progress_free(struct progress *progress)
{
	pthread_cond_destroy(&progress->wake);
	pthread_mutex_destroy(&progress->mutex);
	free(progress);
}

struct progress *progress_start(const char *what)
{
	if (!isatty(STDERR_FILENO))
		return NULL;
	struct progress *progress = malloc(sizeof(*progress));
	if (!progress)
		return NULL;
	*progress = (struct progress){.what = what, .started_ns = clock_now_ns()};
	if (progress_start_thread(progress) != 0) {
		progress_free(progress);
		return NULL;
	}
	return progress;
}

void progress_stop(struct progress *progress)
{
	if (!progress)
		return;
	pthread_mutex_lock(&progress->mutex);
	progress->stopped = true;
	pthread_cond_signal(&progress->wake);
	pthread_mutex_unlock(&progress->mutex);
	pthread_join(progress->thread, NULL);
	progress_free(progress);
}
