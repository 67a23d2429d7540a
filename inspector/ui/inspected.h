/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_INSPECTED_H
#define UI_INSPECTED_H

/*
 * What a verb may ask of the inspected process, and nothing more: verbs stand below the session that
 * answers them, so they see it through this. One implementation is the session's (main.c), one
 * watches over another's answers for the console, one is a fake for tests.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "heap/counter.h"
#include "targets/target.h"
#include "ui/report.h"

/** One look at the process: how it went. */
struct session_look {
	/** How long the process stood still: in the stop that counted, and in all of them. */
	uint64_t pause_ns;
	uint64_t pause_total_ns;
	/** 1 when the first moment was a consistent one. */
	unsigned stops;
	bool consistent;
	/** The runtime's own sum of all reference counts at that moment, -1 when it keeps none, and
	 *  its parts that are in no object's row (struct target_verdict). A census alone fills these. */
	int64_t ref_total;
	int64_t ref_total_static;
	int64_t ref_total_hidden;
	/** Why the last stop was not consistent; "" otherwise. */
	char reason[160];
};

struct inspected;

struct inspected_ops {
	struct error *(*census)(struct inspected *inspected, struct session_look *look,
				struct census *ret);
	struct error *(*facts)(struct inspected *inspected, struct session_look *look,
			       struct target_facts *ret);
	void (*head)(const struct inspected *inspected, const char *verb,
		     const struct session_look *look, const struct census *census,
		     struct report_head *ret);
};

/** Implementations embed this as their first member. */
struct inspected {
	const struct inspected_ops *ops;
	pid_t pid;
};

/** Stops the process, counts every object, lets it go. The caller deinits the census. */
MUST_USE static inline struct error *inspected_census(struct inspected *inspected,
						      struct session_look *look, struct census *ret)
{
	return inspected->ops->census(inspected, look, ret);
}

/** Stops the process briefly, reads the facts of `info`, lets it go. The caller deinits them. */
MUST_USE static inline struct error *
inspected_facts(struct inspected *inspected, struct session_look *look, struct target_facts *ret)
{
	return inspected->ops->facts(inspected, look, ret);
}

/** The head of a report; @a look and @a census may be NULL, else they outlive the head. */
static inline void inspected_head(const struct inspected *inspected, const char *verb,
				  const struct session_look *look, const struct census *census,
				  struct report_head *ret)
{
	inspected->ops->head(inspected, verb, look, census, ret);
	if (look)
		ret->pause_total_ns = look->pause_total_ns;
	if (census) {
		ret->problem_texts = (const char *const *)census->problem_texts;
		ret->problem_text_count = census->problem_text_count;
	}
}

#endif
