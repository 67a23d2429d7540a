// SPDX-License-Identifier: GPL-3.0-or-later
// The way back of an injected call, taken for real within this process: rt_sigreturn restores the frames,
// and all registers are found again. No ptrace, so it runs under qemu-user, too.
#include "mem/clone/inject_frames.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "support/landing.h"

enum { STACK_BYTES = 256 << 10, FRAMES_BELOW = 64 << 10 };

/** A stack of its own with frames below what is in use, as they lie in an inspected process. */
struct given {
	unsigned char *stack;
	struct inject_code code;
	struct inject_state state;
	struct landing wanted;
	unsigned char *frames_at;
};

// In our own code, as inject_find_code() does it in that of another process.
static struct inject_code own_code(void)
{
	_cleanup_file_ FILE *maps = fopen("/proc/self/maps", "re");
	struct inject_code code = {0};
	char line[1024], flags[5];
	unsigned long start, end;

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps) && !(code.syscall_at && code.sigreturn_at))
		if (sscanf(line, "%lx-%lx %4s", &start, &end, flags) == 3 &&
		    strncmp(flags, "r-x", 3) == 0)
			machine_scan_code((const unsigned char *)start, end - start, start,
					  &code.syscall_at, &code.sigreturn_at);
	assert_true(code.syscall_at && code.sigreturn_at);
	return code;
}

static bool given_frames(struct given *given, bool scalable, const sigset_t *mask)
{
	_cleanup_free_ unsigned char *frames = NULL;
	uint64_t signal_mask;

	*given = (struct given){.code = own_code()};
	given->stack =
		mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(given->stack, MAP_FAILED);
	addr_t stack_end = (addr_t)(uintptr_t)(given->stack + STACK_BYTES);
	if (!landing_prepare(stack_end, scalable, &given->state.registers, &given->state.vectors,
			     &given->wanted)) {
		munmap(given->stack, STACK_BYTES);
		return false;
	}
	assert_non_null(given->state.vectors);
	given->frames_at = given->stack + STACK_BYTES - FRAMES_BELOW;
	assert_true(inject_frames_bytes(&given->state) < FRAMES_BELOW);
	memcpy(&signal_mask, mask, sizeof(signal_mask));
	assert_null(inject_frames_make(&given->state, &given->code, signal_mask,
				       (addr_t)(uintptr_t)given->frames_at, &frames));
	memcpy(given->frames_at, frames, inject_frames_bytes(&given->state));
	return true;
}

static void drop_frames(struct given *given)
{
	inject_state_deinit(&given->state);
	munmap(given->stack, STACK_BYTES);
}

static unsigned char *frame_of_call(const struct given *given, const struct inject_call *call)
{
	return given->stack + (call->back_at - (addr_t)(uintptr_t)given->stack);
}

static void lands_with_all_registers(struct given *given, addr_t back_at)
{
	static struct landing found;
	const struct inject_call call = {.back_at = back_at};

	landing_leap(frame_of_call(given, &call), given->code.sigreturn_at, &found);
	assert_int_equal(found.general_count, given->wanted.general_count);
	assert_memory_equal(found.general, given->wanted.general, sizeof(found.general));
	assert_int_equal(found.vector_bytes, given->wanted.vector_bytes);
	assert_memory_equal(found.vectors, given->wanted.vectors, found.vector_bytes);
}

static void the_last_frame_restores(bool scalable)
{
	struct given given;
	sigset_t before, mask, after;

	assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &before), 0);
	mask = before;
	sigaddset(&mask, SIGUSR2);
	if (!given_frames(&given, scalable, &mask))
		skip();
	struct inject_call collect =
		inject_call_collect((addr_t)(uintptr_t)given.frames_at, getpid());
	lands_with_all_registers(&given, collect.back_at);
	assert_int_equal(sigprocmask(SIG_SETMASK, &before, &after), 0);
	assert_true(sigismember(&after, SIGUSR2));
	assert_false(sigismember(&after, SIGUSR1));
	drop_frames(&given);
}

static void the_last_frame_restores_registers_and_signal_mask(void **state)
{
	the_last_frame_restores(false);
}

static void the_last_frame_restores_scalable_vectors(void **state)
{
	the_last_frame_restores(true);
}

// wait4() is called with the program's own code, for a child that there is not, and returns to the last one.
static void the_first_frame_waits_and_leads_to_the_last(void **state)
{
	struct given given;
	sigset_t mask;

	sigprocmask(SIG_BLOCK, NULL, &mask);
	assert_true(given_frames(&given, false, &mask));
	struct inject_call clone = inject_call_clone((addr_t)(uintptr_t)given.frames_at);
	lands_with_all_registers(&given, clone.back_at);
	drop_frames(&given);
}

// As the kernel does it for CLONE_PARENT_SETTID.
static void the_first_frame_waits_for_the_child_whose_id_is_written_into_it(void **state)
{
	struct given given;
	sigset_t mask;

	sigprocmask(SIG_BLOCK, NULL, &mask);
	assert_true(given_frames(&given, false, &mask));
	struct inject_call clone = inject_call_clone((addr_t)(uintptr_t)given.frames_at);
	pid_t child = fork();
	if (child == 0)
		_exit(0);
	memcpy(given.stack + (clone.args[2] - (addr_t)(uintptr_t)given.stack), &child,
	       sizeof(child));
	lands_with_all_registers(&given, clone.back_at);
	// then it is not there any more
	assert_int_equal(waitpid(child, NULL, 0), -1);
	drop_frames(&given);
}

static void the_frame_of_the_child_ends_it(void **state)
{
	struct given given;
	sigset_t mask;
	int status;

	sigprocmask(SIG_BLOCK, NULL, &mask);
	assert_true(given_frames(&given, false, &mask));
	struct inject_call clone = inject_call_clone((addr_t)(uintptr_t)given.frames_at);
	pid_t child = fork();
	if (child == 0)
		landing_leave(given.stack + (clone.args[1] - (addr_t)(uintptr_t)given.stack),
			      given.code.sigreturn_at);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	drop_frames(&given);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_frame_restores_registers_and_signal_mask),
		cmocka_unit_test(the_last_frame_restores_scalable_vectors),
		cmocka_unit_test(the_first_frame_waits_and_leads_to_the_last),
		cmocka_unit_test(the_first_frame_waits_for_the_child_whose_id_is_written_into_it),
		cmocka_unit_test(the_frame_of_the_child_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
