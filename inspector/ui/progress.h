/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_PROGRESS_H
#define UI_PROGRESS_H

/*
 * A sign of life on stderr for work that takes longer than a second, when a person watches. The
 * work needs not know of it.
 */

#include "base/cleanup.h"

struct progress;

/** NULL, which is no failure, when stderr is no terminal or there is no thread to be had. @a what is
 *  a word that lives as long. */
struct progress *progress_start(const char *what);

/** Takes the sign away. Takes NULL. */
void progress_stop(struct progress *progress);

static inline void cleanup_progress(struct progress **progress)
{
	progress_stop(*progress);
}
#define _cleanup_progress_ CLEANUP(cleanup_progress)

#endif
