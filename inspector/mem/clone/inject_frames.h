/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_INJECT_FRAMES_H
#define MEM_INJECT_FRAMES_H

/*
 * The way back of mem/clone/inject.h: all that a thread had, the frames that give it back, and the calls that
 * come back at them. Private to mem/clone/inject.c and its tests.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "mem/clone/inject.h"
#include "mem/machine/machine.h"

/** All registers of a thread; zero-initialised before inject_state_read(). */
struct inject_state {
	struct machine_registers registers;
	/** Owned. */
	struct machine_vectors *vectors;
	/** The system call with a time limit that it is in and the way back makes again; 0: none, or not known. */
	uint64_t timed_call;
	/** It is in one, and the way back would not have it end when it would have. */
	bool is_remembered;
};

/** A system call, and at which frame the thread comes back from it. */
struct inject_call {
	uint64_t number;
	uint64_t args[MACHINE_ARGS_MAX];
	addr_t back_at;
};

/** *@a ret_usable: all of the state is known, and the way back could restore it. The thread may be let run into
 *  the system call that it is about to make again. */
MUST_USE struct error *inject_state_read(pid_t pid, pid_t tid, struct inject_state *state,
					 bool *ret_usable);
void inject_state_deinit(struct inject_state *state);
MUST_USE struct error *inject_state_write(pid_t tid, const struct inject_state *state);
/** The registers for @a call instead. */
MUST_USE struct error *inject_state_call(pid_t tid, const struct inject_state *state,
					 const struct inject_code *code,
					 const struct inject_call *call);
/** What the call returned; *@a ret_errno is not 0 when that was an error. @a ret may be NULL. */
MUST_USE struct error *inject_state_result(pid_t tid, uint64_t *ret, int *ret_errno);

size_t inject_frames_bytes(const struct inject_state *state);

/** Frames to be written at @a at, inject_frames_bytes() long: the last one restores @a state and
 *  @a signal_mask. Freed with free(). */
MUST_USE struct error *inject_frames_make(const struct inject_state *state,
					  const struct inject_code *code, uint64_t signal_mask,
					  addr_t at, unsigned char **ret);

/** clone() of a process with frames at @a frames_at: the way back waits for the child. */
struct inject_call inject_call_clone(addr_t frames_at);
/** wait4() of an ended child. */
struct inject_call inject_call_collect(addr_t frames_at, pid_t child);

#endif
