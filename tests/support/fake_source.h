/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SUPPORT_FAKE_SOURCE_H
#define SUPPORT_FAKE_SOURCE_H

/*
 * A mem_source over arrays of the test: ranges of bytes at addresses, a text of mappings, and a read
 * that fails when the test wants it to. Aborts when the test itself runs out of memory.
 */

#include <stddef.h>

#include "mem/source.h"

struct fake_source;

struct fake_source *fake_source_create(void);
/** Takes NULL. */
void fake_source_destroy(struct fake_source *fake);

/** To read from; lives and dies with @a fake (mem_source_destroy() destroys both). */
struct mem_source *fake_source_source(struct fake_source *fake);

/** @a bytes bytes at @a at are those at @a from, which stays the test's and may change. Ranges must not
 *  overlap; adjoining ones read as one. */
void fake_source_add(struct fake_source *fake, addr_t at, const void *from, size_t bytes);

/** Takes back all that was added: there is nothing anywhere. */
void fake_source_remove_all(struct fake_source *fake);

/** From now on it has views: of what lies in one range. Before a window or the like sees it. */
void fake_source_give_views(struct fake_source *fake);

/** The mappings, in the form of /proc/PID/maps; none before the first call. */
void fake_source_set_maps(struct fake_source *fake, const char *text);

/**
 * Makes the @a nth read from now on fail with @a code (ERROR_FAULT, ERROR_GONE ...), 1 being the next;
 * 0 takes it back. ERROR_GONE lasts: every read after it fails too. Each span of a gather and each
 * look for resident pages counts as one read.
 */
void fake_source_fail_nth(struct fake_source *fake, size_t nth, enum error_code code);

/** From now on it is not what it was (mem_source_check()), and reads as before. */
void fake_source_become_another(struct fake_source *fake);

/** How many reads there were so far: a test makes each of them fail in turn. */
size_t fake_source_read_count(const struct fake_source *fake);

#endif
