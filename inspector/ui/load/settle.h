/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_LOAD_SETTLE_H
#define UI_LOAD_SETTLE_H

/*
 * Waits until a process has done what it was asked for. The client of a service has its last answer while
 * the thread that gave it still closes the connection, and what that thread holds would be counted.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/**
 * Until the threads of @a pid are as many as a moment ago, use next to no processor and wait for none, at most for
 * @a max_ns; *@a ret_idle says whether it came to that. ERROR_GONE when the process has ended,
 * ERROR_INTERRUPTED on Ctrl-C.
 */
MUST_USE struct error *settle_wait(pid_t pid, uint64_t max_ns, bool *ret_idle);

#endif
