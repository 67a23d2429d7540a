// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/answers/graphviz.h"

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

enum {
	GRAPHVIZ_WAIT_MS = 100,
	/** Of what it complained about. */
	GRAPHVIZ_COMPLAINT_BYTES = 300,
};

static const uint64_t graphviz_timeout_ns = 60000000000;

static bool graphviz_is_program(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

struct error *graphviz_find(char **ret)
{
	const char *folders = getenv("PATH");

	while (folders && *folders) {
		size_t length = strcspn(folders, ":");
		_cleanup_free_ char *path = NULL;
		// An empty one would be the folder we are in: nothing is run from there by chance.
		if (length && asprintf(&path, "%.*s/dot", (int)length, folders) < 0) {
			path = NULL;
			return error_no_memory();
		}
		if (path && graphviz_is_program(path)) {
			*ret = take_ptr(path);
			return NULL;
		}
		folders += length + (folders[length] == ':');
	}
	return error_create(ERROR_FAILED,
			    "pictures are made by Graphviz, and there is no program 'dot' on PATH: "
			    "install it (the package graphviz), or write the graph itself with "
			    "-o FILE.dot");
}

// A file without a name that has @graph in it; @chars NULL: an empty one.
static struct error *graphviz_memory(const struct text *graph, int *ret)
{
	*ret = memfd_create("graph", MFD_CLOEXEC);
	if (*ret < 0)
		return error_create_os(errno, "cannot make a file in memory");
	for (size_t done = 0; graph && done < graph->length;) {
		ssize_t count = write(*ret, graph->chars + done, graph->length - done);
		if (count < 0 && errno != EINTR)
			return error_create_os(errno, "cannot write a file in memory");
		done += count > 0 ? (size_t)count : 0;
	}
	if (lseek(*ret, 0, SEEK_SET) < 0)
		return error_create_os(errno, "cannot read a file in memory");
	return NULL;
}

static int graphviz_spawn(const char *program, const char *format, const int fds[3], pid_t *ret)
{
	char name[] = "dot", type[32];
	char *const words[] = {name, type, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t defaults;

	snprintf(type, sizeof(type), "-T%s", format);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	// Ours are ignored or handled; its own are what ends it.
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	posix_spawnattr_setsigdefault(&attributes, &defaults);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	for (int i = 0; i < 3; i++)
		posix_spawn_file_actions_adddup2(&actions, fds[i], i);
	int errnum = posix_spawn(ret, program, &actions, &attributes, words, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return errnum;
}

// Until it has ended, time is up, or we are to stop; in the latter two it is ended. *@a ret_late tells.
static struct error *graphviz_wait(pid_t pid, int *ret_status, bool *ret_late)
{
	_cleanup_fd_ int pidfd = pidfd_open(pid, 0);
	uint64_t until_ns = clock_now_ns() + graphviz_timeout_ns;
	pid_t ended = 0;

	*ret_late = false;
	while ((ended = waitpid(pid, ret_status, WNOHANG)) == 0) {
		struct pollfd wait = {.fd = pidfd, .events = POLLIN};
		*ret_late = clock_now_ns() > until_ns;
		if (*ret_late || interrupt_pending()) {
			kill(pid, SIGKILL);
			ended = waitpid(pid, ret_status, 0);
			break;
		}
		poll(&wait, 1, GRAPHVIZ_WAIT_MS);
	}
	if (ended < 0)
		return error_create_os(errno, "cannot wait for dot");
	return interrupt_check();
}

// What it wrote to its stderr, in one line.
static void graphviz_complaint(int fd, char *into, size_t size)
{
	ssize_t count = pread(fd, into, size - 1, 0);

	into[count > 0 ? count : 0] = '\0';
	into[strcspn(into, "\n")] = '\0';
}

struct error *graphviz_run(const char *program, const char *format, const struct text *graph,
			   int fd)
{
	_cleanup_fd_ int input = -1;
	_cleanup_fd_ int complaints = -1;
	char complaint[GRAPHVIZ_COMPLAINT_BYTES];
	struct error *error = graphviz_memory(graph, &input);
	int status = 0;
	bool late;
	pid_t pid;

	if (!error)
		error = graphviz_memory(NULL, &complaints);
	if (error)
		return error;
	int errnum = graphviz_spawn(program, format, (int[]){input, fd, complaints}, &pid);
	if (errnum)
		return error_create_os(errnum, "cannot run '%s'", program);
	error = graphviz_wait(pid, &status, &late);
	if (error)
		return error;
	if (late)
		return error_create(ERROR_FAILED,
				    "'%s' made no picture in %d seconds: a smaller --depth or "
				    "--breadth makes a smaller one, -o FILE.dot writes the graph",
				    program, (int)(graphviz_timeout_ns / 1000000000));
	graphviz_complaint(complaints, complaint, sizeof(complaint));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return error_create(ERROR_FAILED, "'%s' failed (%s %d): %s", program,
				    WIFEXITED(status) ? "status" : "signal",
				    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status),
				    complaint[0] ? complaint : "without a word");
	return NULL;
}
