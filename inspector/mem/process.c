// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/process.h"

#include <ctype.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"

enum {
	PROC_PATH_CHARS = 96,
	/** The kernel hands out no more at once, whatever is asked for (seq_read_iter()). */
	READ_BYTES = 4096,
	/** So many threads may end, one after another, just before the memory is reached through them. */
	THREAD_TRIES_MAX = 100,
	/** The longest files are the maps: some 600,000 mappings, ten times the usual limit. */
	FILE_BYTES_MAX = 64 << 20,
};

/** PF_KTHREAD of include/linux/sched.h, in the flags of /proc/PID/stat. */
static const uint64_t task_flag_kthread = 0x00200000;

static int process_open(pid_t pid, const char *name, int flags)
{
	char path[PROC_PATH_CHARS];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return open(path, flags | O_CLOEXEC);
}

// What only the caller can put into words goes to *ret_errno, 0 otherwise.
static struct error *file_read(int fd, struct text *ret, int *ret_errno)
{
	for (;;) {
		struct error *error =
			array_reserve(&ret->chars, &ret->capacity, ret->length + READ_BYTES + 1, 1);
		if (error)
			return error;
		ssize_t got = read(fd, ret->chars + ret->length, READ_BYTES);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			*ret_errno = errno;
			return NULL;
		}
		ret->length += (size_t)got;
		ret->chars[ret->length] = '\0';
		if (got == 0)
			return NULL;
		if (ret->length > FILE_BYTES_MAX) {
			*ret_errno = EFBIG;
			return NULL;
		}
	}
}

static struct error *file_read_named(pid_t pid, const char *name, struct text *ret, int *ret_errno)
{
	_cleanup_fd_ int fd = process_open(pid, name, O_RDONLY);

	*ret_errno = fd < 0 ? errno : 0;
	return fd < 0 ? NULL : file_read(fd, ret, ret_errno);
}

static struct error *gone_error(pid_t pid)
{
	return error_create(ERROR_GONE,
			    "no process %d: it has ended or never was (ps lists those there are)",
			    pid);
}

struct error *process_file(pid_t pid, const char *name, struct text *ret)
{
	int failed;
	struct error *error = file_read_named(pid, name, ret, &failed);

	if (error)
		return error;
	switch (failed) {
	case 0:
		return NULL;
	case ENOENT:
	case ESRCH:
		return gone_error(pid);
	case EACCES:
	case EPERM:
		return process_refusal(pid);
	default:
		return error_create_os(failed, "cannot read /proc/%d/%s", pid, name);
	}
}

struct error *process_thread_file(pid_t pid, pid_t tid, const char *name, struct text *ret)
{
	char path[PROC_PATH_CHARS];

	// Its own directory may be that of another process by now.
	snprintf(path, sizeof(path), "task/%d/%s", tid, name);
	return process_file(pid, path, ret);
}

// "Name:\tVALUE" of a status file; NULL when it has no such line.
static const char *status_find(const char *text, const char *name)
{
	size_t length = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		if (*line == '\n')
			line++;
		if (strncmp(line, name, length) == 0 && line[length] == ':') {
			line += length + 1;
			return line + strspn(line, " \t");
		}
	}
	return NULL;
}

static uint64_t status_number(const char *text, const char *name, int base)
{
	const char *value = status_find(text, name);

	return value ? strtoull(value, NULL, base) : 0;
}

// The name is in parentheses and may hold spaces and parentheses itself: it ends at the last one.
static bool parse_stat(const char *text, struct process_status *ret)
{
	const char *open = strchr(text, '(');
	const char *close = strrchr(text, ')');
	uint64_t flags;

	if (!open || !close || close < open)
		return false;
	snprintf(ret->comm, sizeof(ret->comm), "%.*s", (int)(close - open - 1), open + 1);
	// Fields 3 (state), 4 (ppid), 9 (flags), 20 (num_threads), 22 (starttime) and 28 (startstack) of proc(5).
	if (sscanf(close + 1,
		   " %c %d %*d %*d %*d %*d %" SCNu64 " %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d"
		   " %zu %*d %" SCNu64 " %*u %*d %*u %*u %*u %" SCNu64,
		   &ret->state, &ret->parent_pid, &flags, &ret->thread_count, &ret->start_ticks,
		   &ret->stack_start) < 5)
		return false;
	ret->kernel_thread = flags & task_flag_kthread;
	return true;
}

// With /proc mounted hidepid=1 or 2 the processes of other users cannot be looked at (EACCES,
// EPERM) or seem to be absent (ENOENT), while kill() still tells that they are there.
static struct error *hidden_or_gone_error(pid_t pid)
{
	if (pid <= 0 || (kill(pid, 0) < 0 && errno == ESRCH))
		return gone_error(pid);
	return error_create(
		ERROR_FAILED,
		"/proc hides process %d from this user (hidepid); run leakinspect as its "
		"owner or as root (sudo leakinspect ...)",
		pid);
}

struct error *process_stat_read(pid_t pid, struct process_status *ret)
{
	_cleanup_text_ struct text stat = {0};
	int failed;

	*ret = (struct process_status){.pid = pid};
	struct error *error = file_read_named(pid, "stat", &stat, &failed);
	if (error)
		return error;
	if (failed)
		return hidden_or_gone_error(pid);
	if (!parse_stat(text_chars(&stat), ret))
		return error_create(ERROR_FAILED, "/proc/%d/stat has an unknown form: '%.120s'",
				    pid, text_chars(&stat));
	return NULL;
}

static struct error *thread_status_read(pid_t pid, struct process_status *ret)
{
	_cleanup_text_ struct text status = {0};
	int failed;
	struct error *error = process_stat_read(pid, ret);

	if (!error)
		error = file_read_named(pid, "status", &status, &failed);
	if (error)
		return error;
	if (failed)
		return hidden_or_gone_error(pid);

	const char *text = text_chars(&status);
	ret->tgid = (pid_t)status_number(text, "Tgid", 10);
	ret->tracer_pid = (pid_t)status_number(text, "TracerPid", 10);
	ret->capabilities_permitted = status_number(text, "CapPrm", 16);
	ret->capabilities_effective = status_number(text, "CapEff", 16);
	ret->rss_bytes = status_number(text, "VmRSS", 10) << 10;
	ret->vss_bytes = status_number(text, "VmSize", 10) << 10;
	const char *uids = status_find(text, "Uid");
	if (!uids || sscanf(uids, "%*u %u", &ret->uid) != 1)
		return error_create(ERROR_FAILED, "/proc/%d/status has no line Uid", pid);
	return NULL;
}

struct error *process_threads(pid_t pid, pid_t **ret_tids, size_t *ret_count)
{
	_cleanup_free_ pid_t *tids = NULL;
	_cleanup_dir_ DIR *tasks = NULL;
	size_t count = 0, capacity = 0;
	char path[PROC_PATH_CHARS];

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	if (!tasks)
		return errno == ENOMEM ? error_no_memory() : hidden_or_gone_error(pid);
	for (;;) {
		errno = 0;
		const struct dirent *entry = readdir(tasks);
		if (!entry && errno)
			return gone_error(pid);
		if (!entry)
			break;
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		struct error *error = array_reserve(&tids, &capacity, count + 1, sizeof(*tids));
		if (error)
			return error;
		tids[count++] = (pid_t)strtol(entry->d_name, NULL, 10);
	}
	if (count == 0)
		return gone_error(pid);
	*ret_tids = take_ptr(tids);
	*ret_count = count;
	return NULL;
}

struct error *process_thread_error(pid_t tid, const char *what)
{
	if (errno == ESRCH)
		return error_create(ERROR_GONE, "thread %d has ended", tid);
	return error_create_os(errno, "cannot %s thread %d", what, tid);
}

bool process_state_is_dead(char state)
{
	return state == 'Z' || state == 'X' || state == 'x';
}

bool process_has_ended(const struct process_status *status)
{
	// The main thread counts until the last of the others has ended.
	return process_state_is_dead(status->state) && status->thread_count <= 1;
}

// One that is ending has let go of the memory for a while before it is dead.
static bool thread_has_memory(const struct process_status *status)
{
	return !process_state_is_dead(status->state) && status->vss_bytes > 0;
}

static struct error *find_other_thread(pid_t pid, struct process_status *ret, bool *ret_found)
{
	_cleanup_free_ pid_t *tids = NULL;
	size_t count;
	struct error *error = process_threads(pid, &tids, &count);

	*ret_found = false;
	for (size_t i = 0; !error && !*ret_found && i < count; i++) {
		_cleanup_error_ struct error *ended = thread_status_read(tids[i], ret);

		*ret_found = !ended && ret->tgid == pid && thread_has_memory(ret);
	}
	return error;
}

// The status of a thread with the memory of @a pid, whose own is @a main_thread and has none.
static struct error *find_memory(pid_t pid, const struct process_status *main_thread,
				 struct process_status *ret)
{
	struct process_status now = *main_thread;

	for (unsigned tries = 0; tries < THREAD_TRIES_MAX && !process_has_ended(&now); tries++) {
		bool found;
		struct error *error = find_other_thread(pid, ret, &found);

		if (error || found)
			return error;
		// Those of the list have ended, and have begun others perhaps.
		sched_yield();
		error = thread_status_read(pid, &now);
		if (error)
			return error;
		// Its id is that of another thread after an exec.
		if (thread_has_memory(&now)) {
			*ret = now;
			return NULL;
		}
	}
	return gone_error(pid);
}

struct error *process_memory_thread(pid_t pid, pid_t *ret)
{
	struct process_status status;
	struct error *error = thread_status_read(pid, &status);

	if (!error && !thread_has_memory(&status))
		error = find_memory(pid, &status, &status);
	*ret = error ? pid : status.pid;
	return error;
}

struct error *process_through_memory_thread(pid_t pid,
					    struct error *(*use)(pid_t thread, void *argument),
					    void *argument)
{
	for (unsigned tries = 1;; tries++) {
		pid_t thread;
		struct error *error = process_memory_thread(pid, &thread);

		if (error)
			return error;
		error = use(thread, argument);
		if (!error || error->code != ERROR_GONE || tries == THREAD_TRIES_MAX)
			return error;
		error_destroy(error);
	}
}

struct error *process_status_read(pid_t pid, struct process_status *ret)
{
	struct process_status other;
	struct error *error = thread_status_read(pid, ret);

	if (error || ret->tgid != pid || ret->thread_count <= 1 || thread_has_memory(ret))
		return error;
	_cleanup_error_ struct error *ended = find_memory(pid, ret, &other);
	if (!ended) {
		ret->rss_bytes = other.rss_bytes;
		ret->vss_bytes = other.vss_bytes;
	}
	return NULL;
}

struct thread_file {
	pid_t pid;
	const char *name;
	struct text text;
};

static struct error *read_thread_file(pid_t thread, void *argument)
{
	struct thread_file *file = argument;
	struct process_status status;

	text_deinit(&file->text);
	file->text = (struct text){0};
	struct error *error = process_thread_file(file->pid, thread, file->name, &file->text);
	if (error || file->text.length > 0)
		return error;
	// Nothing is what it says when it has no memory any more.
	error = thread_status_read(thread, &status);
	return error || thread_has_memory(&status) ? error : gone_error(thread);
}

struct error *process_arguments(pid_t pid, char **ret, size_t *ret_bytes)
{
	struct thread_file file = {.pid = pid, .name = "cmdline"};
	struct error *error = process_through_memory_thread(pid, read_thread_file, &file);

	if (!error) {
		*ret_bytes = file.text.length;
		*ret = take_ptr(file.text.chars);
	}
	text_deinit(&file.text);
	return error;
}

bool process_pss(pid_t pid, uint64_t *ret_bytes)
{
	struct thread_file file = {.pid = pid, .name = "smaps_rollup"};
	_cleanup_error_ struct error *error =
		process_through_memory_thread(pid, read_thread_file, &file);
	const char *text = text_chars(&file.text);
	bool found = !error && status_find(text, "Pss");

	if (found)
		*ret_bytes = status_number(text, "Pss", 10) << 10;
	text_deinit(&file.text);
	return found;
}

void process_thread_name(pid_t pid, pid_t tid, char *into, size_t bytes)
{
	char name[32];
	_cleanup_fd_ int fd = -1;

	snprintf(name, sizeof(name), "task/%d/comm", tid);
	fd = process_open(pid, name, O_RDONLY);
	ssize_t got = fd < 0 ? -1 : read(fd, into, bytes - 1);
	if (got < 0)
		got = 0;
	// The kernel ends it with a newline of its own.
	if (got > 0 && into[got - 1] == '\n')
		got--;
	into[got] = '\0';
}
