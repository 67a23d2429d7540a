/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SUPPORT_FAKE_LAYOUT_H
#define SUPPORT_FAKE_LAYOUT_H

/*
 * A layout_source over a table of the test. What was not set is absent. Aborts when the test itself
 * runs out of memory.
 */

#include "debug/layout.h"

struct fake_layout;

struct fake_layout *fake_layout_create(void);
/** Takes NULL. */
void fake_layout_destroy(struct fake_layout *fake);

/** To ask; lives and dies with @a fake (layout_source_destroy() destroys both). */
struct layout_source *fake_layout_source(struct fake_layout *fake);

/** Strings stay the test's. What was set before is replaced; NULL, or a size of 0, takes it away. */
void fake_layout_set_size(struct fake_layout *fake, const char *type, uint64_t bytes);
void fake_layout_set_member(struct fake_layout *fake, const char *type, const char *path,
			    const struct layout_member *member);
void fake_layout_set_variable(struct fake_layout *fake, const char *name, const char *type,
			      const struct layout_variable *variable);

/** What was set, for a test that asks without an error in between; 0 when absent. */
uint64_t fake_layout_size(const struct fake_layout *fake, const char *type);
/** NULL when absent. */
const struct layout_member *fake_layout_member(const struct fake_layout *fake, const char *type,
					       const char *path);

/** Makes the @a nth question from now on fail with ERROR_FAILED, 1 being the next; 0 takes it back. */
void fake_layout_fail_nth(struct fake_layout *fake, size_t nth);

/** How many questions there were so far. */
size_t fake_layout_question_count(const struct fake_layout *fake);

#endif
