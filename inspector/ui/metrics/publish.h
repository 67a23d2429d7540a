/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_METRICS_PUBLISH_H
#define UI_METRICS_PUBLISH_H

/*
 * The last points of a fleet as metrics: into a file, and to a server.
 */

#include "ui/metrics/metrics.h"
#include "ui/watch/fleet.h"

/** @a top is how many of the biggest and of the most grown types of each. The caller deinits, after an error
 *  too. */
MUST_USE struct error *publish_gather(const struct fleet *fleet, size_t top, struct metrics *ret);

/** ERROR_FAILED when a file is there that has no metrics of ours in it. */
MUST_USE struct error *publish_check_file(const char *path);

/** In the place of what was there: who reads the file meanwhile has the one or the other. */
MUST_USE struct error *publish_to_file(const struct metrics *metrics, const char *path);

#endif
