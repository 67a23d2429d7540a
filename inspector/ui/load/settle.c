// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/load/settle.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/interrupt.h"
#include "mem/process.h"

enum {
	/** A moment, where there is time for as many as it takes. */
	SETTLE_MOMENT_MS = 20,
	/** So many in a row without work are rest; one may fall between two steps of the work. */
	SETTLE_MOMENTS = 3,
	/** Next to nothing: a twentieth of it. A server that looks for work ten times a second needs less. */
	SETTLE_WORK_SHARE = 20,
};

/** What the threads have used of the processors so far, how many there are, and whether any of them works or
 *  would, had it a processor. */
struct usage {
	uint64_t ns;
	size_t thread_count;
	bool runs;
};

// Also one that waits for a disk, and one that somebody has stopped: it will go on.
static bool thread_runs(pid_t tid)
{
	_cleanup_text_ struct text text = {0};
	_cleanup_error_ struct error *ended = process_file(tid, "stat", &text);
	// A name may have anything in it.
	const char *name_end = strrchr(text_chars(&text), ')');

	return !ended && name_end && name_end[1] == ' ' && name_end[2] &&
	       strchr("RDTt", name_end[2]);
}

// Threads that end in between take their part with them: then their number has changed, too.
static struct error *usage_read(pid_t pid, struct usage *ret)
{
	_cleanup_free_ pid_t *tids = NULL;
	struct error *error = process_threads(pid, &tids, &ret->thread_count);

	ret->ns = 0;
	ret->runs = false;
	for (size_t i = 0; i < ret->thread_count && !error; i++) {
		_cleanup_text_ struct text text = {0};
		uint64_t ns = 0;
		struct error *ended = process_file(tids[i], "schedstat", &text);
		if (!ended && sscanf(text_chars(&text), "%" SCNu64, &ns) == 1)
			ret->ns += ns;
		error_destroy(ended);
		ret->runs |= thread_runs(tids[i]);
	}
	return error;
}

static bool is_rest(const struct usage *before, const struct usage *now, uint64_t passed_ns)
{
	return !now->runs && now->thread_count == before->thread_count && now->ns >= before->ns &&
	       now->ns - before->ns <= passed_ns / SETTLE_WORK_SHARE;
}

static int moment_ms(uint64_t max_ns)
{
	uint64_t share_ms = max_ns / 1000000 / (SETTLE_MOMENTS + 1);

	return share_ms > SETTLE_MOMENT_MS ? SETTLE_MOMENT_MS : share_ms ? (int)share_ms : 1;
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
		poll(NULL, 0, moment_ms(max_ns));
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
