/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_LOAD_LOAD_H
#define UI_LOAD_LOAD_H

/*
 * Runs a command that puts load on a process, again and again, and counts the objects of the process before,
 * between and after. Tells nothing: the verb reports.
 */

#include "base/text.h"
#include "ui/inspected.h"
#include "ui/record/snapshot.h"

struct load_options {
	/** The command, ended by NULL; "{url}" stands for the URL of an iteration. */
	char *const *words;
	/** How long the process may take at most to come to rest before each look; 0 does not wait. */
	uint64_t settle_ns;
	/** Files to write at each look, or NULL (ui/load/scoreboard.h, ui/load/memory_log.h). */
	const char *scoreboard;
	/** A file of another kind may be there where the scoreboard goes. */
	bool force;
	const char *leak_log;
	const char *memory_log;
};

/** One look at the process. */
struct load_look {
	struct snapshot snapshot;
	struct session_look look;
	/** The process had come to rest. */
	bool idle;
};

/** One iteration: what ran, and between which looks of the block. */
struct load_iteration {
	/** From 1; the first of a block is the warm-up. */
	unsigned number;
	/** What it is called in logs and reports, or NULL; the command. Owned. */
	char *page_id;
	char *command;
	/** The exit status, or 128 and the number of the signal, as a shell tells it. */
	int exit_status;
	uint64_t command_ns;
	/** The look before it, and the one after it is the next. */
	size_t look;
};

/** Looks and iterations that belong together. Zero-initialised is empty and valid. */
struct load {
	struct load_options options;
	struct inspected *inspected;
	/** Where the command's program is. */
	char *program;
	struct load_look *looks;
	size_t look_count;
	size_t look_capacity;
	/** Of the block under way. */
	unsigned iteration_count;
	/** Somebody asked us to stop in the middle of it. */
	bool is_interrupted;
	/** What a collection would have freed before the last iteration, by type (ui/load/load_garbage.h);
	 *  without rows where that was not looked at, or nobody collects. */
	struct census freed;
	/** Over all looks, those of earlier blocks too. */
	unsigned stops;
	uint64_t pause_total_ns;
	uint64_t inexact_count;
	uint64_t busy_count;
	uint64_t run_count;
	uint64_t failed_count;
	/** What the last command that failed wrote to its stderr, its last lines. */
	struct text complaint;
};

/** Finds the program and takes the first look. @a options and what they point to outlive *@a ret. */
MUST_USE struct error *load_init(struct load *ret, struct inspected *inspected,
				 const struct load_options *options);
void load_deinit(struct load *load);
#define _cleanup_load_ CLEANUP(load_deinit)

/** Begins a block: of the looks so far the last one stays, and is its first; its first iteration is a
 *  warm-up again. */
void load_begin_block(struct load *load);

/** Of the looks so far the last one stays; the block goes on. */
void load_drop_looks(struct load *load);

/** Drops what was kept of garbage. */
void load_garbage_forget(struct load *load);

/** One more look, with nothing run before it. */
MUST_USE struct error *load_look(struct load *load);

/** Runs the command for each of @a urls (or once, when there is none), waits until the process is at rest,
 *  and looks. The caller gives *@a ret to load_iteration_deinit(), after an error too. */
MUST_USE struct error *load_iterate(struct load *load, const char *page_id, const char *const *urls,
				    size_t url_count, struct load_iteration *ret);
void load_iteration_deinit(struct load_iteration *iteration);
#define _cleanup_load_iteration_ CLEANUP(load_iteration_deinit)

/** The words as a person would type them into a shell, with @a url for "{url}" unless NULL. */
MUST_USE struct error *load_command_text(char *const *words, const char *url, struct text *into);

#endif
