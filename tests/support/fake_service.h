/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SUPPORT_FAKE_SERVICE_H
#define SUPPORT_FAKE_SERVICE_H

/*
 * A process of our imagination that commands put load on: each line they write into its file is a request,
 * which leaves an object behind, or none. Its memory and its processor time are the test's own.
 */

#include "support/scratch.h"
#include "ui/inspected.h"

struct fake_service {
	struct inspected inspected;
	/** The file. */
	const char *path;
	/** The type of what the request @a line leaves behind, NULL for none; NULL for the line itself. */
	const char *(*leaves)(const char *line);
	/** Looks so far. */
	unsigned census_count;
	/** From that many looks on there is no process; 0 is never. */
	unsigned gone_at;
	bool torn;
	bool redacts;
	struct inspected_graph graph;
};

/** With an empty file in @a scratch, which outlives it. */
void fake_service_init(struct fake_service *fake, struct scratch *scratch);

#endif
