/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_WATCH_FLEET_CHILDREN_H
#define UI_WATCH_FLEET_CHILDREN_H

/*
 * Children that come and go: for ui/watch/fleet.c alone.
 */

#include "ui/watch/fleet.h"

/** Lets children in that are new and Python, with their first point. */
MUST_USE struct error *fleet_look_for_children(struct fleet *fleet, struct fleet_watcher *watcher);

/** Lets in another one; there must be room. A child's first point is taken. */
MUST_USE struct error *fleet_open(struct fleet *fleet, pid_t pid, bool is_child);

/** How long ago it was started. */
double fleet_age_seconds(const struct process_identity *identity);

#endif
