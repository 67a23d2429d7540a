/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SESSION_LOOK_H
#define SESSION_LOOK_H

/*
 * Private to session*.c: what a session is made of, and how it comes to a consistent moment: stop after
 * stop, with the process running on in between, until one is good or there is no hope.
 */

#include "session.h"

struct session {
	pid_t pid;
	struct session_options options;
	struct maps maps;
	struct target_process process;
	struct target *target;
};

struct session_stop {
	/**
	 * Stops the process, tells @a look about it (session_look_add()), and says in *@a verdict
	 * whether the moment was a consistent one; called again for another moment, which forgets the
	 * one before. A stop that saw at once that it came at a bad moment, and has no answer to
	 * give, sets `skipped`: only one with TARGET_EFFORT_LAST must not.
	 */
	struct error *(*run)(struct session *session, struct session_stop *stop,
			     enum target_effort effort, struct session_look *look,
			     struct target_verdict *verdict);
	bool skipped;
};

/** Counts one more stop, which took @a pause_ns. */
void session_look_add(struct session_look *look, uint64_t pause_ns);

/** Stops until a moment was consistent or none can be expected; the answer is that of the last stop. */
MUST_USE struct error *session_look_at(struct session *session, struct session_stop *stop,
				       struct session_look *look);

#endif
