/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_ALARMS_BACKGROUND_H
#define UI_ALARMS_BACKGROUND_H

/*
 * Commands of a shell that run while we go on: few at a time, each for a minute at most, each in a
 * process group of its own, by which it is ended. What they write comes out on stderr.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"

enum { BACKGROUND_COMMANDS_MAX = 8, BACKGROUND_TIMEOUT_SECONDS = 60 };

struct background_command {
	/** The shell, and its process group; 0 is none. */
	pid_t pid;
	/** When it is ended (base/clock.h). */
	uint64_t until_ns;
	bool is_late;
	/** Of its starter. */
	uint64_t number;
};

/** Zero-initialised is none running, and valid. */
struct background {
	struct background_command commands[BACKGROUND_COMMANDS_MAX];
};

/** How one ended. */
struct background_end {
	uint64_t number;
	/** It was ended after a minute, or because we end. */
	bool was_killed;
	/** Of waitpid(). */
	int status;
};

/** Starts `/bin/sh -c @a line` with @a variables ("NAME=value", @a count of them) in its environment; @a number
 *  comes back with its end. ERROR_FAILED when BACKGROUND_COMMANDS_MAX are running already. */
MUST_USE struct error *background_start(struct background *background, const char *line,
					const char *const *variables, size_t count,
					uint64_t number);

/** Ends what has run too long, and tells of one that has ended: false when there is none. */
bool background_collect(struct background *background, struct background_end *ret);

bool background_is_busy(const struct background *background);

/** Ends all of them: the next background_collect() has them. */
void background_kill(struct background *background);

/** Ends all of them and waits for it. */
void background_deinit(struct background *background);

#endif
