/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_CONSOLE_PAGER_H
#define UI_CONSOLE_PAGER_H

/*
 * An answer that is longer than the screen, shown by $PAGER or by less. It goes to the terminal as it is
 * when it fits, when there is no pager, or when the pager is called "" or "cat".
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/** Whether stdin and stdout are a terminal that a pager can work with. */
bool pager_is_possible(void);

/** Lines that @a text takes on a screen of @a columns: long ones take several. */
size_t pager_count_lines(const char *text, size_t columns);

/** Shows @a count bytes of @a text, ended by a NUL. Ctrl-C ends the pager, and the terminal is as it was
 *  before; the signal stays pending. */
MUST_USE struct error *pager_show(const char *text, size_t count);

#endif
