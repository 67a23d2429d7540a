/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef BASE_DURATION_H
#define BASE_DURATION_H

/*
 * Spans of time as people write and read them.
 */

#include <stdbool.h>
#include <stdint.h>

enum { DURATION_CHARS = 32 };

/** "500ms", "10s", "1.5m", "2min", "1h", "1d", and "10" for seconds. False for anything else, for
 *  nothing, and for more than a year. */
bool duration_parse(const char *text, uint64_t *ret_ns);

/** "850 us", "6.2 ms", "10 s", "12.5 s", "20 min", "1 min 30 s", "2 h 5 min", "3 d 4 h": two units at
 *  most. @a into has DURATION_CHARS chars and is returned. */
const char *duration_format(uint64_t ns, char *into);

#endif
