// SPDX-License-Identifier: GPL-3.0-or-later
// What stands still while it is read: the process, or its clone.
#include <stdio.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "mem/clone/clone.h"
#include "mem/core/corefile.h"
#include "mem/pause.h"
#include "session_look.h"

void session_use_snapshot(struct session *session, enum inspected_snapshot snapshot)
{
	if (!session->core)
		session->snapshot = snapshot;
}

static void look_not_cloned(struct session_look *look, const char *reason)
{
	snprintf(look->not_cloned, sizeof(look->not_cloned), "%s", reason ? reason : "?");
}

struct error *session_prepare_clone(struct session *session, char **ret_reason)
{
	*ret_reason = NULL;
	if (session->cloner)
		return NULL;
	return mem_cloner_create(session->pid, session->process.source, &session->maps,
				 &session->cloner, ret_reason);
}

// Before the process is stopped.
static struct error *held_prepare(struct session *session, struct session_look *look)
{
	_cleanup_free_ char *reason = NULL;

	look->snapshot = INSPECTED_COPY;
	look->clone_ns = 0;
	look->left_behind[0] = '\0';
	look->not_cloned[0] = '\0';
	if (session->snapshot != INSPECTED_CLONE)
		return NULL;
	struct error *error = session_prepare_clone(session, &reason);
	if (reason)
		look_not_cloned(look, reason);
	return error;
}

struct error *session_stop(struct session *session, struct session_look *look,
			   struct session_held *ret)
{
	*ret = (struct session_held){0};
	if (!session->core)
		return pause_begin(session->pid, &ret->pause);
	look->snapshot = INSPECTED_CORE;
	return NULL;
}

struct error *session_hold(struct session *session, struct session_look *look,
			   struct session_held *ret)
{
	*ret = (struct session_held){0};
	struct error *error = held_prepare(session, look);

	return error ? error : session_stop(session, look, ret);
}

const struct pause_thread *session_threads(const struct session *session,
					   const struct session_held *held, size_t *ret_count)
{
	if (held->pause)
		return pause_threads(held->pause, ret_count);
	return mem_corefile_threads(session->process.source, ret_count);
}

struct error *session_explain(const struct session *session, struct error *error)
{
	const char *missing =
		session->core ? mem_corefile_shortcomings(session->process.source) : "";

	if (!error || error->code == ERROR_NO_MEMORY || error->code == ERROR_INTERRUPTED ||
	    !*missing)
		return error;
	struct error *explained = error_create(error->code, "%s; %s", error->message, missing);
	error_destroy(error);
	return explained;
}

struct error *session_wants_process(const struct session *session, const char *what)
{
	if (!session->core)
		return NULL;
	return error_create(ERROR_USAGE, "there is no process to %s: '%s' is a core file", what,
			    session->core);
}

// What there is to read: the clone, or the process itself where none could be made.
static struct error *held_open(struct session_held *held, struct session_look *look,
			       const char *reason, struct mem_source **ret)
{
	if (!held->clone) {
		look_not_cloned(look, reason);
		return NULL;
	}
	struct error *error = mem_clone_open(held->clone);
	if (error)
		return error;
	look->snapshot = INSPECTED_CLONE;
	*ret = mem_clone_source(held->clone);
	return NULL;
}

struct error *session_freeze(struct session *session, struct session_held *held,
			     struct session_look *look, struct mem_source **ret)
{
	_cleanup_free_ char *reason = NULL;

	*ret = session->process.source;
	if (session->snapshot != INSPECTED_CLONE || !session->cloner)
		return NULL;
	struct error *error = mem_clone_create(session->cloner, held->pause, held->tid, true,
					       &held->clone, &reason);
	return error ? error : held_open(held, look, reason, ret);
}

struct error *session_hold_frozen(struct session *session, struct session_look *look,
				  struct session_held *ret, struct mem_source **ret_source)
{
	_cleanup_free_ char *reason = NULL;

	*ret = (struct session_held){0};
	*ret_source = session->process.source;
	struct error *error = held_prepare(session, look);
	if (error)
		return error;
	if (session->snapshot != INSPECTED_CLONE || !session->cloner)
		return session_stop(session, look, ret);
	error = mem_clone_create_first(session->cloner, &ret->pause, &ret->clone, &reason);
	return error ? error : held_open(ret, look, reason, ret_source);
}

void session_let_go(struct session_held *held, struct session_look *look)
{
	if (held->clone) {
		uint64_t made_ns = mem_clone_made_ns(held->clone);
		_cleanup_error_ struct error *left = mem_clone_end(held->clone);
		snprintf(look->left_behind, sizeof(look->left_behind), "%s",
			 left ? left->message : "");
		look->clone_ns = clock_now_ns() - made_ns;
		held->clone = NULL;
	}
	if (held->pause)
		session_look_add(look, pause_end(&held->pause));
}
