// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/watch/fleet_children.h"

#include <stdio.h>
#include <string.h>

#include "base/interrupt.h"
#include "mem/process.h"

/** An interpreter that has just been started may not be there yet: so long it is asked again. */
static const double fleet_young_seconds = 5;

static bool fleet_has(const struct fleet *fleet, pid_t pid)
{
	for (size_t i = 0; i < fleet->count; i++)
		if (fleet->members[i]->identity.pid == pid && fleet->members[i]->recorder.running)
			return true;
	return false;
}

static bool fleet_has_refused(const struct fleet *fleet, const struct process_identity *identity)
{
	for (size_t i = 0; i < fleet->refused_count; i++)
		if (process_identity_is(&fleet->refused[i], identity))
			return true;
	return false;
}

// Those that are there no more are forgotten.
static void fleet_prune_refused(struct fleet *fleet)
{
	size_t kept = 0;

	for (size_t i = 0; i < fleet->refused_count; i++) {
		struct process_identity now;
		if (process_identify(fleet->refused[i].pid, &now) &&
		    process_identity_is(&now, &fleet->refused[i]))
			fleet->refused[kept++] = now;
	}
	fleet->refused_count = kept;
}

static struct error *fleet_refuse(struct fleet *fleet, struct fleet_watcher *watcher,
				  const struct process_identity *identity, const char *why)
{
	char text[400];

	if (fleet_age_seconds(identity) < fleet_young_seconds)
		return NULL;
	if (fleet->refused_count < FLEET_REFUSED_MAX)
		fleet->refused[fleet->refused_count++] = *identity;
	snprintf(text, sizeof(text), "process %d is not watched: %s", identity->pid, why);
	return watcher->on_word(watcher, text);
}

static struct error *fleet_welcome(struct fleet *fleet, struct fleet_watcher *watcher)
{
	struct fleet_member *member = fleet->members[fleet->count - 1];
	char text[RECORD_PROGRAM_CHARS + 60];

	snprintf(text, sizeof(text), "process %d is watched, too: %s", member->identity.pid,
		 member->recorder.record.process.program);
	struct error *error = watcher->on_word(watcher, text);
	return error ? error : watcher->on_point(watcher, member);
}

static struct error *fleet_tell_full(struct fleet *fleet, struct fleet_watcher *watcher)
{
	char text[120];

	if (fleet->told_full)
		return NULL;
	fleet->told_full = true;
	snprintf(text, sizeof(text), "there are more children; %d processes are watched at a time",
		 FLEET_MEMBERS_MAX);
	return watcher->on_word(watcher, text);
}

static struct error *fleet_meet(struct fleet *fleet, struct fleet_watcher *watcher, pid_t pid)
{
	struct process_identity identity, after;

	if (fleet_has(fleet, pid) || !process_identify(pid, &identity) ||
	    fleet_has_refused(fleet, &identity))
		return NULL;
	// With no room to remember who was refused, nobody new is asked.
	if (fleet->count == FLEET_MEMBERS_MAX || fleet->refused_count == FLEET_REFUSED_MAX)
		return fleet_tell_full(fleet, watcher);
	struct error *error = fleet_open(fleet, pid, true);
	if (!error)
		return fleet_welcome(fleet, watcher);
	if (error->code == ERROR_INTERRUPTED || error->code == ERROR_NO_MEMORY)
		return error;
	_cleanup_error_ struct error *why = error;
	// One that has ended meanwhile is nothing to tell of.
	if (!process_identify(pid, &after) || !process_identity_is(&identity, &after))
		return NULL;
	return fleet_refuse(fleet, watcher, &identity, why->message);
}

struct error *fleet_look_for_children(struct fleet *fleet, struct fleet_watcher *watcher)
{
	_cleanup_free_ pid_t *pids = NULL;
	size_t count = 0;
	struct error *error =
		process_descendants(fleet->members[0]->identity.pid,
				    FLEET_REFUSED_MAX + FLEET_MEMBERS_MAX, &pids, &count);

	fleet_prune_refused(fleet);
	for (size_t i = 0; i < count && !error; i++) {
		error = interrupt_check();
		if (!error)
			error = fleet_meet(fleet, watcher, pids[i]);
	}
	return error;
}
