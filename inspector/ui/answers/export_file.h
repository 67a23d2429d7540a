/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_ANSWERS_EXPORT_FILE_H
#define UI_ANSWERS_EXPORT_FILE_H

/*
 * The graph of references as a database of SQLite, to be asked what no verb answers. The tables and
 * their columns are those of the command line's contract; more columns may follow behind them.
 */

#include "ui/inspected.h"
#include "ui/report/report.h"

enum {
	EXPORT_FILE_FORMAT = 1,
};

/** Writes @a graph into the empty file @a path; @a head is what stands in its table `meta`, and
 *  @a labels whether references have theirs. What a failure leaves in the file is of no use. */
MUST_USE struct error *export_file_write(const char *path, const struct inspected_graph *graph,
					 const struct report_head *head, bool labels);

#endif
