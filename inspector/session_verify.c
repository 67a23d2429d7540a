// SPDX-License-Identifier: GPL-3.0-or-later
// A graph and the collections that it is compared with, of one and the same moment.
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "mem/clone/clone.h"
#include "session_look.h"

static const uint64_t COLLECT_TIMEOUT_NS = 120000000000U;

void session_verifier_deinit(struct session_verifier *verifier)
{
	mem_clone_destroy(verifier->saving);
	mem_cloner_destroy(verifier->cloner);
	target_collection_deinit(&verifier->returned);
	target_collection_deinit(&verifier->saved);
	*verifier = (struct session_verifier){0};
}

struct error *session_verifier_hold(struct session *session, struct session_verifier *verifier,
				    const struct session_stacks *stacks, struct session_held *held,
				    bool *ret_firm)
{
	_cleanup_free_ char *reason = NULL;
	struct target_standing standing;
	const struct target_moment moment = {
		.source = session->process.source,
		.stacks = stacks->list,
		.stack_count = stacks->count,
	};
	struct error *error = session->target->ops->standing(session->target, &moment, &standing);

	*ret_firm = !error && standing.footing == TARGET_FOOTING_FIRM;
	if (error)
		return error;
	held->tid = standing.tid;
	if (!*ret_firm || !verifier->cloner)
		return NULL;
	// The clone of the other cloner is the session's own, made by session_freeze().
	return mem_clone_create(verifier->cloner, held->pause, standing.tid, false,
				&verifier->saving, &reason);
}

static struct error *verifier_collect(struct session *session, struct mem_clone *clone, bool saves,
				      struct target_collection *ret)
{
	struct session_code code = {.clone = clone};
	_cleanup_target_answer_ struct target_answer answer = {0};

	*ret = (struct target_collection){0};
	if (!clone) {
		snprintf(ret->reason, sizeof(ret->reason), "it could not be cloned");
		return NULL;
	}
	struct error *error = session_code_prepare(session, &code, &answer);
	if (!error && code.runner)
		error = session->target->ops->runner_collect(code.runner, saves, COLLECT_TIMEOUT_NS,
							     ret);
	else if (!error)
		snprintf(ret->reason, sizeof(ret->reason), "%s", answer.lost);
	// The clone is its maker's.
	code.clone = NULL;
	session_code_deinit(session, &code);
	return error;
}

struct error *session_verifier_collect(struct session *session, struct session_verifier *verifier,
				       struct mem_clone *clone)
{
	target_collection_deinit(&verifier->returned);
	target_collection_deinit(&verifier->saved);
	// The other is open, as it was read.
	struct error *error = verifier->saving ? mem_clone_open(verifier->saving) : NULL;
	if (!error)
		error = verifier_collect(session, clone, false, &verifier->returned);
	if (!error)
		error = verifier_collect(session, verifier->saving, true, &verifier->saved);
	mem_clone_destroy(take_ptr(verifier->saving));
	return error;
}

struct error *session_verifier_prepare(struct session *session, struct session_verifier *verifier)
{
	_cleanup_free_ char *reason = NULL;

	// Each cloner looks after one clone.
	struct error *error = session_prepare_standing(session);
	if (error || verifier->cloner)
		return error;
	return mem_cloner_create(session->pid, session->process.source, &session->maps,
				 &verifier->cloner, &reason);
}
