/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SESSION_LOOK_H
#define SESSION_LOOK_H

/*
 * Private to session*.c: what a session is made of, and how it comes to a consistent moment: stop after
 * stop, with the process running on in between, until one is good or there is no hope.
 */

#include "base/cleanup.h"
#include "session.h"

struct pause;

struct session_code;

struct session {
	/** Of a core file: the process that it was; nothing is to be asked of that id. */
	pid_t pid;
	/** The path of the core file that is read, and with it the process's source is one; NULL for a
	 *  process. Owned. */
	char *core;
	struct session_options options;
	struct maps maps;
	struct target_process process;
	struct target *target;
	enum inspected_snapshot snapshot;
	/** No values are told. */
	bool redacts;
	/** Made when the first clone is wanted; NULL before and where there can be none. */
	struct mem_cloner *cloner;
	/** NULL until code is to be run. */
	struct session_code *code;
};

/** A clone that runs code. */
struct session_code {
	struct pause *pause;
	struct mem_clone *clone;
	struct clone_run *run;
	struct target_runner *runner;
};

/** Seals its clone and makes it ready to run code. Without a runner afterwards it was lost, and
 *  @a answer, which the caller deinits, says how. */
MUST_USE struct error *session_code_prepare(struct session *session, struct session_code *code,
					    struct target_answer *answer);
/** While the process runs, before it is stopped to see how it stands. */
MUST_USE struct error *session_prepare_standing(struct session *session);
void session_code_deinit(struct session *session, struct session_code *code);

/** What the processors of stopped threads held. Zero-initialised is empty and valid. */
struct session_stacks {
	struct target_stack *list;
	/** With the registers that these point to. */
	struct pause_thread *threads;
	size_t count;
};

/** A process that stands still, and from session_freeze() on perhaps a clone of it instead. */
struct session_held {
	/** NULL for a core file, which stands still anyhow. */
	struct pause *pause;
	/** NULL while it is the process itself that stands still. */
	struct mem_clone *clone;
	/** The thread that is to have the clone made; 0: any. */
	pid_t tid;
};

MUST_USE struct error *session_stacks_take(struct session_stacks *stacks,
					   const struct pause_thread *threads, size_t count);
void session_stacks_deinit(struct session_stacks *stacks);
#define _cleanup_session_stacks_ CLEANUP(session_stacks_deinit)

/** Makes the cloner, while the process runs; *@a ret_reason says why there is none. What is in the way
 *  may pass, so it is asked each time. */
MUST_USE struct error *session_prepare_clone(struct session *session, char **ret_reason);

/** Collections that are run in clones of the moment that a graph is made of. Zero-initialised is
 *  valid. */
struct session_verifier {
	/** For a second clone, that of the collection that saves what it finds. */
	struct mem_cloner *cloner;
	struct mem_clone *saving;
	/** How they went. */
	struct target_collection returned;
	struct target_collection saved;
};

/** While the process runs. */
MUST_USE struct error *session_verifier_prepare(struct session *session,
						struct session_verifier *verifier);
/** While it stands still: the second clone, and from which thread @a held is to have the first. Neither
 *  when the moment is not a firm one. */
MUST_USE struct error *session_verifier_hold(struct session *session,
					     struct session_verifier *verifier,
					     const struct session_stacks *stacks,
					     struct session_held *held, bool *ret_firm);
/** Runs both collections; @a clone is the one that was read, NULL where there is none. */
MUST_USE struct error *session_verifier_collect(struct session *session,
						struct session_verifier *verifier,
						struct mem_clone *clone);
void session_verifier_deinit(struct session_verifier *verifier);

/** Stops the process, and nothing more: nobody is going to want a clone of it. The caller ends with
 *  session_let_go(), on failure too. */
MUST_USE struct error *session_stop(struct session *session, struct session_look *look,
				    struct session_held *ret);

/** Its threads; live until session_let_go(). */
const struct pause_thread *session_threads(const struct session *session,
					   const struct session_held *held, size_t *ret_count);

/** ERROR_USAGE unless there is a process to do @a what with: "run code". */
MUST_USE struct error *session_wants_process(const struct session *session, const char *what);

/** @a error, which may be NULL, with what is missing of the core file behind it: that may be why. */
MUST_USE struct error *session_explain(const struct session *session, struct error *error);

/** The same as session_stop(), and prepares the clone where one is wanted. */
MUST_USE struct error *session_hold(struct session *session, struct session_look *look,
				    struct session_held *ret);

/**
 * Has the process go on and a clone stand still in its place, where that is wanted and can be had; @a look
 * is told which. *@a ret is what is to be read until session_let_go().
 */
MUST_USE struct error *session_freeze(struct session *session, struct session_held *held,
				      struct session_look *look, struct mem_source **ret);

/** Both in one, which is the shorter pause, for whoever has nothing to look at in between. The caller ends
 *  with session_let_go(), on failure too, and *@a ret_source with it. */
MUST_USE struct error *session_hold_frozen(struct session *session, struct session_look *look,
					   struct session_held *ret,
					   struct mem_source **ret_source);

/** Ends the clone or has the process go on, and tells @a look how long it stood still; nothing the second
 *  time. */
void session_let_go(struct session_held *held, struct session_look *look);

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
