// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/clone/inject_frames.h"

#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "mem/clone/inject_thread.h"

enum inject_frame {
	/** Has the child of clone() waited for; its id is written into the registers by the kernel. */
	FRAME_WAIT,
	/** The child's: it ends. */
	FRAME_CHILD,
	/** Has everything as it was. */
	FRAME_LAST,
};

static addr_t frame_at(addr_t frames_at, enum inject_frame frame)
{
	// Those before the last one have no vectors.
	return frames_at + frame * machine_frame_bytes(NULL);
}

// That of a futex with FUTEX_WAIT_BITSET, which is the C library's: made again, the wait ends when it would have.
static bool limit_is_time_of_clock(const struct inject_state *state)
{
	uint64_t operation = machine_argument(&state->registers, 1);

	return state->timed_call == SYS_futex && (operation & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET;
}

struct error *inject_state_read(pid_t pid, pid_t tid, struct inject_state *state, bool *ret_usable)
{
	struct machine_registers *registers = &state->registers;
	uint64_t timed_call = 0;
	bool known;
	struct error *error = machine_registers_read(tid, registers, &known);

	*ret_usable = false;
	if (!error && known && machine_restart_is_open(tid, registers)) {
		// The kernel has forgotten its number then.
		timed_call = machine_timed_call(tid, registers);
		error = inject_thread_settle(pid, tid);
		if (!error)
			error = machine_registers_read(tid, registers, &known);
	}
	if (error || !known ||
	    inject_thread_is_in_sequence(tid, machine_program_counter(registers)))
		return error;
	state->is_remembered = machine_restart_is_remembered(tid, registers);
	if (state->is_remembered) {
		state->timed_call = timed_call ? timed_call : machine_timed_call(tid, registers);
		state->is_remembered = !limit_is_time_of_clock(state);
	}
	error = machine_vectors_read(tid, &state->vectors);
	*ret_usable = state->vectors;
	return error;
}

void inject_state_deinit(struct inject_state *state)
{
	free(state->vectors);
}

struct error *inject_state_write(pid_t tid, const struct inject_state *state)
{
	// As long as the other registers are the call's, the way back would restore both.
	struct error *error = machine_vectors_write(tid, state->vectors);

	return error ? error : machine_registers_write(tid, &state->registers);
}

struct error *inject_state_call(pid_t tid, const struct inject_state *state,
				const struct inject_code *code, const struct inject_call *call)
{
	struct machine_registers registers = state->registers;

	machine_set_syscall(&registers, code->syscall_at, call->number, call->args, call->back_at,
			    code->sigreturn_at);
	return machine_registers_write(tid, &registers);
}

struct error *inject_state_result(pid_t tid, uint64_t *ret, int *ret_errno)
{
	enum { ERRNO_MAX = 4095 };
	struct machine_registers registers;
	bool known;
	struct error *error = machine_registers_read(tid, &registers, &known);

	if (error)
		return error;
	int64_t result = (int64_t)machine_result(&registers);
	*ret_errno = result < 0 && result >= -ERRNO_MAX ? (int)-result : 0;
	if (ret)
		*ret = machine_result(&registers);
	return NULL;
}

size_t inject_frames_bytes(const struct inject_state *state)
{
	return frame_at(0, FRAME_LAST) + machine_frame_bytes(state->vectors);
}

struct error *inject_frames_make(const struct inject_state *state, const struct inject_code *code,
				 uint64_t signal_mask, addr_t at, unsigned char **ret)
{
	// No child has this id: when clone() fails there is none to wait for.
	static const uint64_t wait_args[MACHINE_ARGS_MAX] = {INT_MAX, 0, (unsigned)__WALL, 0};
	static const uint64_t end_args[MACHINE_ARGS_MAX] = {0};
	static const uint64_t all_signals = UINT64_MAX;
	struct machine_registers registers = state->registers;
	unsigned char *frames = aligned_alloc(MACHINE_ALIGN_BYTES, inject_frames_bytes(state));

	*ret = frames;
	if (!frames)
		return error_no_memory();
	memset(frames, 0, inject_frames_bytes(state));
	machine_set_syscall(&registers, code->syscall_at, SYS_wait4, wait_args,
			    frame_at(at, FRAME_LAST), code->sigreturn_at);
	machine_frame_make(frames + frame_at(0, FRAME_WAIT), frame_at(at, FRAME_WAIT),
			   code->sigreturn_at, &registers, NULL, all_signals);
	machine_set_syscall(&registers, code->syscall_at, SYS_exit_group, end_args, 0, 0);
	machine_frame_make(frames + frame_at(0, FRAME_CHILD), frame_at(at, FRAME_CHILD),
			   code->sigreturn_at, &registers, NULL, all_signals);
	registers = machine_restarted(&state->registers, state->timed_call);
	machine_frame_make(frames + frame_at(0, FRAME_LAST), frame_at(at, FRAME_LAST),
			   code->sigreturn_at, &registers, state->vectors, signal_mask);
	return NULL;
}

struct inject_call inject_call_clone(addr_t frames_at)
{
	addr_t wait_at = frame_at(frames_at, FRAME_WAIT);

	// No signal at its end. The kernel writes its id before the child or the parent runs on. These
	// three arguments are the first ones on every machine.
	return (struct inject_call){
		.number = SYS_clone,
		.args = {CLONE_PARENT_SETTID, frame_at(frames_at, FRAME_CHILD),
			 wait_at + machine_frame_argument_at()},
		.back_at = wait_at,
	};
}

struct inject_call inject_call_collect(addr_t frames_at, pid_t child)
{
	return (struct inject_call){
		.number = SYS_wait4,
		.args = {(uint64_t)child, 0, (uint64_t)(unsigned)(WNOHANG | __WALL)},
		.back_at = frame_at(frames_at, FRAME_LAST),
	};
}
