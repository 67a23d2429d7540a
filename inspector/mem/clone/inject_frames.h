/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_INJECT_FRAMES_H
#define MEM_INJECT_FRAMES_H

/*
 * What of mem/clone/inject.h knows the machine: registers, the frames of signal handlers, and the bytes of the
 * two pieces of code. Private to mem/clone/inject.c and its tests.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "mem/clone/inject.h"

enum {
	/** Below the stack pointer, in use. */
	INJECT_RED_ZONE_BYTES = 128,
	INJECT_ALIGN_BYTES = 64,
	/** The longest of the pieces of code that are looked for. */
	INJECT_CODE_BYTES = 9,
};

/** All registers of a thread; zero-initialised before inject_state_read(). */
struct inject_state {
	void *machine;
};

/** A system call, and at which frame the thread comes back from it. */
struct inject_call {
	uint64_t number;
	uint64_t args[6];
	addr_t back_at;
};

bool inject_frames_are_supported(void);

/** Notes in *@a ret what of both is among the @a count bytes that lie at @a at, unless known. */
void inject_scan_code(const unsigned char *bytes, size_t count, addr_t at, struct inject_code *ret);

/** *@a ret_usable: all of the state is known, and the way back could restore it. */
MUST_USE struct error *inject_state_read(pid_t tid, struct inject_state *state, bool *ret_usable);
void inject_state_deinit(struct inject_state *state);
addr_t inject_stack_pointer(const struct inject_state *state);
/** Whether the way back restarts the system call that was interrupted, if one was. */
bool inject_state_is_restorable(const struct inject_state *state);
MUST_USE struct error *inject_state_write(pid_t tid, const struct inject_state *state);
/** The registers for @a call instead. */
MUST_USE struct error *inject_state_call(pid_t tid, const struct inject_state *state,
					 const struct inject_code *code,
					 const struct inject_call *call);
/** What the call returned; *@a ret_errno is not 0 when that was an error. @a ret may be NULL. */
MUST_USE struct error *inject_state_result(pid_t tid, uint64_t *ret, int *ret_errno);

struct inject_frames;

size_t inject_frames_bytes(const struct inject_state *state);

/** Frames to be written at @a at, inject_frames_bytes() long: the last one restores @a state and
 *  @a signal_mask. Freed with free(). */
MUST_USE struct error *inject_frames_make(const struct inject_state *state,
					  const struct inject_code *code, uint64_t signal_mask,
					  addr_t at, struct inject_frames **ret);
void *inject_frames_content(struct inject_frames *frames);

/** clone() of a process with frames at @a frames_at: the way back waits for the child. */
struct inject_call inject_call_clone(addr_t frames_at);
/** wait4() of an ended child. */
struct inject_call inject_call_collect(addr_t frames_at, pid_t child);

#endif
