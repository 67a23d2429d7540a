// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/load/settle.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/interrupt.h"
#include "mem/process.h"

enum {
	/** A moment. */
	SETTLE_MOMENT_MS = 20,
	/** So many in a row without work are rest; one may fall between two steps of the work. */
	SETTLE_MOMENTS = 3,
	/** Next to nothing: a twentieth of it. A server that looks for work ten times a second needs less. */
	SETTLE_WORK_SHARE = 20,
};

/** What the threads have used of the processors so far, and how many there are. */
struct usage {
	uint64_t ns;
	size_t thread_count;
};

// Threads that end in between take their part with them: then their number has changed, too.
static struct error *usage_read(pid_t pid, struct usage *ret)
{
	_cleanup_free_ pid_t *tids = NULL;
	struct error *error = process_threads(pid, &tids, &ret->thread_count);

	ret->ns = 0;
	for (size_t i = 0; i < ret->thread_count && !error; i++) {
		_cleanup_text_ struct text text = {0};
		uint64_t ns = 0;
		struct error *ended = process_file(tids[i], "schedstat", &text);
		if (!ended && sscanf(text_chars(&text), "%" SCNu64, &ns) == 1)
			ret->ns += ns;
		error_destroy(ended);
	}
	return error;
}

static bool is_rest(const struct usage *before, const struct usage *now, uint64_t passed_ns)
{
	return now->thread_count == before->thread_count && now->ns >= before->ns &&
	       now->ns - before->ns <= passed_ns / SETTLE_WORK_SHARE;
}

struct error *settle_wait(pid_t pid, uint64_t max_ns, bool *ret_idle)
{
	uint64_t begin_ns = clock_now_ns(), then_ns = begin_ns;
	struct usage before = {0}, now = {0};
	struct error *error = usage_read(pid, &before);

	*ret_idle = false;
	for (int moments = 0; !error && moments < SETTLE_MOMENTS;) {
		uint64_t now_ns = clock_now_ns();
		if (now_ns - begin_ns >= max_ns)
			return NULL;
		poll(NULL, 0, SETTLE_MOMENT_MS);
		error = interrupt_check();
		if (!error)
			error = usage_read(pid, &now);
		now_ns = clock_now_ns();
		moments = is_rest(&before, &now, now_ns - then_ns) ? moments + 1 : 0;
		before = now;
		then_ns = now_ns;
	}
	*ret_idle = !error;
	return error;
}
