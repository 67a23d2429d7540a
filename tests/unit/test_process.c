// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/process.h"

#include <linux/capability.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "mem/process_tree.h"
#include "support/child.h"

static void read_status(pid_t pid, struct process_status *ret)
{
	_cleanup_error_ struct error *error = process_status_read(pid, ret);

	if (error)
		fail_msg("%s", error->message);
}

static void fails_with(struct error *error, enum error_code code, const char *words)
{
	_cleanup_error_ struct error *owned = error;

	assert_non_null(owned);
	if (owned->code != code || !strstr(owned->message, words))
		fail_msg("code %d, no '%s' in: %s", (int)owned->code, words, owned->message);
}

static void *idle(void *number)
{
	child_sleep_for_ever();
}

static void run_with_threads(struct child *child, void *name)
{
	prctl(PR_SET_NAME, name);
	child_start_threads(4, idle);
	child_ready(child);
	child_sleep_for_ever();
}

static void the_facts_of_a_process_are_read(void **state)
{
	struct child *child = child_start(run_with_threads, (void *)"plain");
	struct process_status status;

	read_status(child->pid, &status);

	assert_int_equal(status.pid, child->pid);
	assert_int_equal(status.tgid, child->pid);
	assert_int_equal(status.thread_count, 5);
	assert_int_equal(status.uid, geteuid());
	assert_int_equal(status.tracer_pid, 0);
	assert_true(status.rss_bytes > 0 && status.rss_bytes % 1024 == 0);
	assert_true(status.vss_bytes > status.rss_bytes);
	assert_true(status.start_ticks > 0);
	assert_false(status.kernel_thread);
	assert_string_equal(status.comm, "plain");
	assert_true(thread_reaches_state(child->pid, 'S'));
	child_stop(child);
}

static void a_name_may_hold_spaces_parentheses_and_newlines(void **state)
{
	static const char *const names[] = {"a) R 1 (b", "))) (((", "(", ")", "two\nlines", ""};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct child *child = child_start(run_with_threads, (void *)names[i]);
		struct process_status status;

		assert_true(thread_reaches_state(child->pid, 'S'));
		read_status(child->pid, &status);
		assert_string_equal(status.comm, names[i]);
		assert_int_equal(status.thread_count, 5);
		child_stop(child);
	}
}

static void threads_are_listed_and_have_names(void **state)
{
	struct child *child = child_start(run_with_threads, (void *)"named");
	_cleanup_free_ pid_t *tids = NULL;
	size_t count;
	char name[32], little[4];

	assert_null(process_threads(child->pid, &tids, &count));
	assert_int_equal(count, 5);
	for (size_t i = 0; i < count; i++) {
		process_thread_name(child->pid, tids[i], name, sizeof(name));
		assert_string_equal(name, "named");
	}
	process_thread_name(child->pid, tids[0], little, sizeof(little));
	assert_string_equal(little, "nam");
	process_thread_name(child->pid, 0, name, sizeof(name));
	assert_string_equal(name, "");
	child_stop(child);
}

static void arguments_are_those_of_the_command_line(void **state)
{
	_cleanup_free_ char *arguments = NULL;
	size_t bytes;

	assert_null(process_arguments(getpid(), &arguments, &bytes));

	assert_non_null(strstr(arguments, "test_process"));
	assert_true(bytes > strlen(arguments));
	assert_int_equal(arguments[bytes - 1], '\0');
}

static void an_ordinary_process_can_be_inspected(void **state)
{
	struct child *child = child_start(run_with_threads, (void *)"plain");
	pid_t thread;

	assert_null(process_check(child->pid));
	assert_null(process_memory_thread(child->pid, &thread));
	assert_int_equal(thread, child->pid);
	child_stop(child);
}

static void no_such_process_is_told(void **state)
{
	// Above the highest process id that Linux hands out.
	pid_t none = 1 << 22;
	struct process_status status;
	pid_t *tids;
	char *arguments;
	size_t count;

	fails_with(process_check(none), ERROR_GONE, "no process 4194304");
	fails_with(process_status_read(none, &status), ERROR_GONE, "no process");
	fails_with(process_threads(none, &tids, &count), ERROR_GONE, "no process");
	fails_with(process_arguments(none, &arguments, &count), ERROR_GONE, "no process");
	fails_with(process_refusal(none), ERROR_GONE, "no process");
	fails_with(process_check(0), ERROR_GONE, "no process 0");
	fails_with(process_check(-1), ERROR_GONE, "no process -1");
}

static void a_kernel_thread_cannot_be_inspected(void **state)
{
	// kthreadd; seen only outside of a pid namespace.
	char name[16];

	process_thread_name(2, 2, name, sizeof(name));
	if (strcmp(name, "kthreadd") != 0)
		skip();
	fails_with(process_check(2), ERROR_UNSUPPORTED, "(kthreadd) is a kernel thread");
}

static void we_cannot_inspect_ourselves(void **state)
{
	fails_with(process_check(getpid()), ERROR_FAILED, "leakinspect itself");
}

static void a_thread_is_told_from_a_process(void **state)
{
	struct child *child = child_start(run_with_threads, (void *)"many");
	_cleanup_free_ pid_t *tids = NULL;
	size_t count;
	char words[64];

	assert_null(process_threads(child->pid, &tids, &count));
	snprintf(words, sizeof(words), "give the id of the process: %d", child->pid);
	fails_with(process_check(tids[count - 1]), ERROR_FAILED, words);
	child_stop(child);
}

static void run_and_end(struct child *child, void *argument)
{
	child_ready(child);
}

static void a_zombie_cannot_be_inspected(void **state)
{
	struct child *child = child_start(run_and_end, NULL);
	pid_t thread;

	assert_true(thread_reaches_state(child->pid, 'Z'));
	fails_with(process_check(child->pid), ERROR_UNSUPPORTED, "is a zombie");
	fails_with(process_memory_thread(child->pid, &thread), ERROR_GONE, "no process");
	child_stop(child);
}

static void run_without_main_thread(struct child *child, void *argument)
{
	child_start_threads(1, idle);
	child_ready(child);
	pthread_exit(NULL);
}

static void a_process_that_lost_its_main_thread_is_no_zombie(void **state)
{
	struct child *child = child_start(run_without_main_thread, NULL);
	struct process_identity identity;
	struct process_status status;
	_cleanup_free_ char *arguments = NULL;
	size_t bytes;
	uint64_t pss;
	pid_t thread;

	assert_true(thread_reaches_state(child->pid, 'Z'));
	assert_null(process_check(child->pid));
	assert_null(process_memory_thread(child->pid, &thread));
	assert_int_not_equal(thread, child->pid);
	assert_null(process_status_read(child->pid, &status));
	assert_false(process_has_ended(&status));
	assert_true(process_pss(child->pid, &pss));
	assert_true(pss > 0 && pss <= status.rss_bytes && status.rss_bytes <= status.vss_bytes);
	assert_null(process_arguments(child->pid, &arguments, &bytes));
	assert_non_null(strstr(arguments, "test_process"));
	assert_true(process_identify(child->pid, &identity));

	// It is ended when the last of its threads is, and not collected yet.
	siginfo_t ended;
	kill(child->pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)child->pid, &ended, WEXITED | WNOWAIT), 0);
	assert_null(process_status_read(child->pid, &status));
	assert_true(process_has_ended(&status));
	assert_false(process_identify(child->pid, &identity));
	assert_false(process_pss(child->pid, &pss));
	child_stop(child);
}

// The first thread given is made to end before it is used.
static struct error *use_the_second(pid_t thread, void *context)
{
	pid_t *ended = context;

	if (!ended[1]) {
		thread_end(ended[0], thread);
		ended[1] = thread;
		return error_create(ERROR_GONE, "thread %d has ended", thread);
	}
	assert_int_not_equal(thread, ended[1]);
	// It may not have come to its sleep yet.
	assert_true(thread_reaches_state(thread, 'S'));
	return NULL;
}

static void another_thread_is_asked_for_then(void **state)
{
	struct child *child = child_start(child_run_mortal_threads, NULL);
	pid_t ended[2] = {child->pid, 0};

	assert_true(thread_reaches_state(child->pid, 'Z'));
	assert_null(process_through_memory_thread(child->pid, use_the_second, ended));
	assert_int_not_equal(ended[1], 0);
	child_stop(child);
}

static struct error *use_when_asked_again(pid_t thread, void *count)
{
	if (++*(unsigned *)count < 3)
		return error_create(ERROR_GONE, "thread %d has ended", thread);
	return NULL;
}

static struct error *use_never(pid_t thread, void *count)
{
	++*(unsigned *)count;
	return error_create(ERROR_FAILED, "not through thread %d", thread);
}

static struct error *use_what_is_gone(pid_t thread, void *count)
{
	++*(unsigned *)count;
	return error_create(ERROR_GONE, "never through thread %d", thread);
}

static void a_thread_that_has_ended_is_no_reason_to_give_up(void **state)
{
	struct child *child = child_start(run_with_threads, (void *)"plain");
	unsigned count = 0;

	assert_null(process_through_memory_thread(child->pid, use_when_asked_again, &count));
	assert_int_equal(count, 3);
	count = 0;
	fails_with(process_through_memory_thread(child->pid, use_never, &count), ERROR_FAILED,
		   "not through");
	assert_int_equal(count, 1);
	// A process that loses one thread after another is not asked for ever.
	count = 0;
	fails_with(process_through_memory_thread(child->pid, use_what_is_gone, &count), ERROR_GONE,
		   "never through");
	assert_in_range(count, 2, 1000);
	child_stop(child);
}

static void run_tracer(struct child *child, void *traced)
{
	prctl(PR_SET_NAME, "debugger");
	if (ptrace(PTRACE_SEIZE, (pid_t)(size_t)traced, NULL, NULL) < 0)
		_exit(1);
	child_ready(child);
	child_sleep_for_ever();
}

static void the_tracer_is_named(void **state)
{
	struct child *child = child_start(run_with_threads, (void *)"plain");
	_cleanup_free_ pid_t *tids = NULL;
	size_t count;
	char words[128];

	assert_null(process_threads(child->pid, &tids, &count));
	snprintf(words, sizeof(words), "to process %d (plain): it is already traced by debugger (",
		 child->pid);

	struct child *tracer = child_start(run_tracer, (void *)(size_t)child->pid);
	fails_with(process_check(child->pid), ERROR_FAILED, words);
	fails_with(process_refusal(child->pid), ERROR_FAILED, words);
	child_stop(tracer);

	// One of the threads is enough for a refusal.
	tracer = child_start(run_tracer, (void *)(size_t)tids[count - 1]);
	fails_with(process_refusal(child->pid), ERROR_FAILED, words);
	child_stop(tracer);
	child_stop(child);
}

enum privilege {
	/** Another user. */
	NOBODY,
	/** Root without CAP_SYS_PTRACE, as in a container. */
	WEAK_ROOT,
	/** All privileges: what is refused then is refused by a policy. */
	ROOT,
};

struct asking {
	pid_t pid;
	enum privilege privilege;
};

static void drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};

	if (syscall(SYS_capset, &header, none) < 0)
		_exit(1);
}

// Answers with the sentence, in the slots of values.
static void run_asking(struct child *child, void *argument)
{
	const struct asking *asking = argument;

	if (asking->privilege == NOBODY)
		child_become_nobody();
	if (asking->privilege == WEAK_ROOT)
		drop_capabilities();
	struct error *error = process_refusal(asking->pid);
	snprintf((char *)child->shared->values, sizeof(child->shared->values), "%s",
		 error->message);
	child_ready(child);
	child_sleep_for_ever();
}

static void asked_with(enum privilege privilege, pid_t pid, const char *words)
{
	struct asking asking = {.pid = pid, .privilege = privilege};
	struct child *child = child_start(run_asking, &asking);
	const char *sentence = (const char *)child->shared->values;

	if (!strstr(sentence, words))
		fail_msg("no '%s' in: %s", words, sentence);
	child_stop(child);
}

static void run_as_nobody(struct child *child, void *dumpable)
{
	child_become_nobody();
	// To change the user is to become undumpable.
	prctl(PR_SET_DUMPABLE, dumpable ? 1 : 0);
	child_ready(child);
	child_sleep_for_ever();
}

static void every_refusal_names_its_reason_and_the_fix(void **state)
{
	if (geteuid() != 0)
		skip();
	struct child *roots = child_start(run_with_threads, (void *)"roots");
	struct child *nobodys = child_start(run_as_nobody, (void *)1);
	struct child *secret = child_start(run_as_nobody, NULL);

	asked_with(NOBODY, roots->pid,
		   "(roots) belongs to user root; run leakinspect as that user or as root (sudo ");
	asked_with(NOBODY, secret->pid, "undumpable");
	asked_with(WEAK_ROOT, nobodys->pid, "--cap-add=SYS_PTRACE");
	asked_with(ROOT, roots->pid, "security policy");
	child_stop(roots);
	child_stop(nobodys);
	child_stop(secret);
}

static void files_of_proc_come_whole(void **state)
{
	_cleanup_text_ struct text text = {0};

	assert_null(process_file(getpid(), "smaps", &text));
	// Many times what the kernel hands out at once.
	assert_true(text.length > 16384);
	assert_int_equal(strlen(text_chars(&text)), text.length);
	assert_int_equal(text.chars[text.length - 1], '\n');
	fails_with(process_file(getpid(), "nothing", &text), ERROR_GONE, "no process");
}

static void only_the_dead_are_dead(void **state)
{
	for (const char *letter = "RSDTtIW"; *letter; letter++)
		assert_false(process_state_is_dead(*letter));
	for (const char *letter = "ZXx"; *letter; letter++)
		assert_true(process_state_is_dead(*letter));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_facts_of_a_process_are_read),
		cmocka_unit_test(a_name_may_hold_spaces_parentheses_and_newlines),
		cmocka_unit_test(threads_are_listed_and_have_names),
		cmocka_unit_test(arguments_are_those_of_the_command_line),
		cmocka_unit_test(an_ordinary_process_can_be_inspected),
		cmocka_unit_test(no_such_process_is_told),
		cmocka_unit_test(a_kernel_thread_cannot_be_inspected),
		cmocka_unit_test(we_cannot_inspect_ourselves),
		cmocka_unit_test(a_thread_is_told_from_a_process),
		cmocka_unit_test(a_zombie_cannot_be_inspected),
		cmocka_unit_test(a_process_that_lost_its_main_thread_is_no_zombie),
		cmocka_unit_test(a_thread_that_has_ended_is_no_reason_to_give_up),
		cmocka_unit_test(another_thread_is_asked_for_then),
		cmocka_unit_test(the_tracer_is_named),
		cmocka_unit_test(every_refusal_names_its_reason_and_the_fix),
		cmocka_unit_test(files_of_proc_come_whole),
		cmocka_unit_test(only_the_dead_are_dead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
