/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef BASE_INTERRUPT_H
#define BASE_INTERRUPT_H

/*
 * Ctrl-C and friends. The handlers only set a flag; long walks ask for it between pieces of work
 * and return ERROR_INTERRUPTED, so that every way out resumes the inspected process in order.
 * (Were we killed before we get there, the kernel resumes it: nothing is written to it.)
 */

#include <stdbool.h>

#include "base/error.h"

/** Installs the handlers for SIGINT, SIGTERM, SIGHUP; SIGPIPE becomes EPIPE; SIGCHLD is not ignored. */
MUST_USE struct error *interrupt_install(void);

/** The signal that asked us to stop, or 0. Cheap, and safe from any thread. */
int interrupt_pending(void);

/** Forgets it: the console goes on after Ctrl-C. */
void interrupt_clear(void);

/** ERROR_INTERRUPTED if a signal is pending, else NULL. */
MUST_USE struct error *interrupt_check(void);

#endif
