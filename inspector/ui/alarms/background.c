// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/alarms/background.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

extern char **environ;

static const char background_shell[] = "/bin/sh";

// Ours, and @variables behind: a shell takes the last of a name.
static char **background_environment(const char *const *variables, size_t count)
{
	size_t own = 0, kept = 0;

	while (environ[own])
		own++;
	char **ret = calloc(own + count + 1, sizeof(*ret));
	for (size_t i = 0; ret && i < own; i++) {
		size_t name = strcspn(environ[i], "=") + 1;
		bool is_new = true;
		for (size_t j = 0; j < count; j++)
			is_new = is_new && strncmp(environ[i], variables[j], name) != 0;
		if (is_new)
			ret[kept++] = environ[i];
	}
	for (size_t i = 0; ret && i < count; i++)
		ret[kept++] = (char *)variables[i];
	return ret;
}

static int background_spawn(const char *line, char *const *environment, pid_t *ret)
{
	char name[] = "sh", option[] = "-c";
	char *const words[] = {name, option, (char *)line, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t defaults;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
	posix_spawnattr_init(&attributes);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	posix_spawnattr_setsigdefault(&attributes, &defaults);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	int errnum = posix_spawn(ret, background_shell, &actions, &attributes, words, environment);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return errnum;
}

static struct background_command *background_free_place(struct background *background)
{
	for (size_t i = 0; i < BACKGROUND_COMMANDS_MAX; i++)
		if (!background->commands[i].pid)
			return &background->commands[i];
	return NULL;
}

struct error *background_start(struct background *background, const char *line,
			       const char *const *variables, size_t count, uint64_t number)
{
	struct background_command *command = background_free_place(background);

	if (!command)
		return error_create(ERROR_FAILED, "not run: %d commands are running already",
				    BACKGROUND_COMMANDS_MAX);
	_cleanup_free_ char **environment = background_environment(variables, count);
	if (!environment)
		return error_no_memory();
	int errnum = background_spawn(line, environment, &command->pid);
	if (errnum) {
		command->pid = 0;
		return error_create_os(errnum, "cannot run %s", background_shell);
	}
	command->until_ns = clock_now_ns() + BACKGROUND_TIMEOUT_SECONDS * UINT64_C(1000000000);
	command->is_late = false;
	command->number = number;
	return NULL;
}

static void background_end(struct background_command *command)
{
	// Nobody has waited for the shell yet: the group's number is still its own.
	kill(-command->pid, SIGKILL);
	command->is_late = true;
}

bool background_collect(struct background *background, struct background_end *ret)
{
	for (size_t i = 0; i < BACKGROUND_COMMANDS_MAX; i++) {
		struct background_command *command = &background->commands[i];

		if (!command->pid)
			continue;
		if (!command->is_late && clock_now_ns() > command->until_ns)
			background_end(command);
		pid_t ended = waitpid(command->pid, &ret->status, WNOHANG);
		if (ended == 0 || (ended < 0 && errno == EINTR))
			continue;
		ret->number = command->number;
		ret->was_killed = command->is_late;
		*command = (struct background_command){0};
		return true;
	}
	return false;
}

bool background_is_busy(const struct background *background)
{
	for (size_t i = 0; i < BACKGROUND_COMMANDS_MAX; i++)
		if (background->commands[i].pid)
			return true;
	return false;
}

void background_kill(struct background *background)
{
	for (size_t i = 0; i < BACKGROUND_COMMANDS_MAX; i++)
		if (background->commands[i].pid)
			background_end(&background->commands[i]);
}

void background_deinit(struct background *background)
{
	background_kill(background);
	for (size_t i = 0; i < BACKGROUND_COMMANDS_MAX; i++)
		while (background->commands[i].pid &&
		       waitpid(background->commands[i].pid, NULL, 0) < 0 && errno == EINTR)
			continue;
	*background = (struct background){0};
}
