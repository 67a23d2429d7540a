// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/interrupt.h"

extern char **environ;

enum { PROGRAM_WAIT_MS = 100 };

static const uint64_t program_grace_ns = 1000000000;

static bool program_is_there(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

struct error *program_find(const char *name, char **ret)
{
	const char *folders = strchr(name, '/') ? NULL : getenv("PATH");

	*ret = NULL;
	if (strchr(name, '/') && program_is_there(name)) {
		*ret = strdup(name);
		return *ret ? NULL : error_no_memory();
	}
	while (folders && *folders) {
		size_t length = strcspn(folders, ":");
		_cleanup_free_ char *path = NULL;
		// An empty one would be the folder we are in: nothing is run from there by chance.
		if (length && asprintf(&path, "%.*s/%s", (int)length, folders, name) < 0) {
			path = NULL;
			return error_no_memory();
		}
		if (path && program_is_there(path)) {
			*ret = take_ptr(path);
			return NULL;
		}
		folders += length + (folders[length] == ':');
	}
	return NULL;
}

struct error *program_memory(const char *bytes, size_t count, int *ret)
{
	*ret = memfd_create("leakinspect", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (*ret < 0)
		return error_create_os(errno, "cannot make a file in memory");
	for (size_t done = 0; done < count;) {
		ssize_t written = write(*ret, bytes + done, count - done);
		if (written < 0 && errno != EINTR)
			return error_create_os(errno, "cannot write a file in memory");
		done += written > 0 ? (size_t)written : 0;
	}
	if (lseek(*ret, 0, SEEK_SET) < 0)
		return error_create_os(errno, "cannot read a file in memory");
	return NULL;
}

static int program_spawn(const struct program *program, int input, pid_t *ret)
{
	const int fds[] = {input, program->output_fd, program->complaint_fd};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t defaults;

	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	// What we handle is its own anew; what we ignore would stay ignored.
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	posix_spawnattr_setsigdefault(&attributes, &defaults);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	for (int i = 0; i < 3; i++)
		if (fds[i] >= 0)
			posix_spawn_file_actions_adddup2(&actions, fds[i], i);
	int errnum =
		posix_spawn(ret, program->path, &actions, &attributes, program->words, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return errnum;
}

// Asks it to end once there is a reason to, and kills it when it does not.
static void program_press(const struct program *program, pid_t pid, enum program_end *end,
			  uint64_t *until_ns)
{
	bool late = *until_ns && clock_now_ns() > *until_ns;

	if (*end != PROGRAM_ENDED && late)
		kill(pid, SIGKILL);
	if (*end != PROGRAM_ENDED || !(late || interrupt_pending()))
		return;
	*end = late ? PROGRAM_LATE : PROGRAM_INTERRUPTED;
	kill(pid, program->ending_signal);
	*until_ns = clock_now_ns() + program_grace_ns;
}

// What is taken out stays as zeros, which need no memory: its writer goes on where it was.
static void program_trim(const struct program *program)
{
	off_t tail = (off_t)program->complaint_tail_bytes;
	struct stat status;

	if (tail && fstat(program->complaint_fd, &status) == 0 && status.st_size > tail)
		fallocate(program->complaint_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			  status.st_size - tail);
}

struct error *program_run(const struct program *program, enum program_end *ret_end, int *ret_status)
{
	_cleanup_fd_ int input = -1;
	_cleanup_fd_ int pidfd = -1;
	struct error *error = program_memory(program->input, program->input_bytes, &input);
	uint64_t until_ns = program->timeout_ns ? clock_now_ns() + program->timeout_ns : 0;
	pid_t pid, ended;

	*ret_end = PROGRAM_ENDED;
	if (error)
		return error;
	int errnum = program_spawn(program, input, &pid);
	if (errnum)
		return error_create_os(errnum, "cannot run '%s'", program->path);
	pidfd = pidfd_open(pid, 0);
	while ((ended = waitpid(pid, ret_status, WNOHANG)) == 0) {
		struct pollfd wait = {.fd = pidfd, .events = POLLIN};
		program_press(program, pid, ret_end, &until_ns);
		poll(&wait, 1, PROGRAM_WAIT_MS);
		program_trim(program);
	}
	if (program->complaint_tail_bytes)
		fcntl(program->complaint_fd, F_ADD_SEALS, F_SEAL_GROW);
	return ended < 0 ? error_create_os(errno, "cannot wait for '%s'", program->path) : NULL;
}
