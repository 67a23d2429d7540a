/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SUPPORT_FAKE_INSPECTED_H
#define SUPPORT_FAKE_INSPECTED_H

/*
 * A process of our imagination for verbs that want the graph of references: its heap comes from text
 * (heap/text.h), and lines of a shell are run against it.
 */

#include <jansson.h>

#include "ui/command.h"

struct fake_inspected {
	struct inspected inspected;
	struct inspected_graph graph;
	/** How often the graph was asked for, and dropped. */
	unsigned graph_count;
	unsigned forget_count;
	enum inspected_snapshot snapshot;
	bool redacts;
	size_t annotate_count;
	unsigned collect_count;
	/** What a collection that is tried comes to; its garbage is the test's. */
	struct target_collection collection;
	/** What code that is run comes to, of what it writes and of a value's repr() and type; and the last
	 *  code. */
	struct target_answer answer;
	const char *answer_output;
	const char *answer_value;
	char code[256];
	unsigned end_count;
	/** What runs in its threads: the test's. */
	struct target_call_stacks stacks;
	/** The graph cannot be had. */
	bool gone;
	/** Objects at and above this address cannot be described; 0 is none of them. */
	addr_t unreadable_at;
};

/** Fails the test for text that makes no sense. Ended by fake_inspected_deinit(). */
void fake_inspected_init(struct fake_inspected *fake, const char *heap_text);
void fake_inspected_deinit(struct fake_inspected *fake);

/** Runs @a line; what it answers is in @a ret_text (to be freed) unless that is NULL. The checks that
 *  come before a process is looked at are made, too. */
struct error *fake_inspected_run(struct fake_inspected *fake, const char *line, char **ret_text);

/** The JSON document that @a line with --json answers. */
json_t *fake_inspected_json(struct fake_inspected *fake, const char *line);

#endif
