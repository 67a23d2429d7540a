// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/console/history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <readline/history.h>

#include "base/cleanup.h"

enum { HISTORY_LINES_MAX = 2000 };

// readline keeps one history per process, and so do we.
static int history_new_lines;
static const char *history_name = "history";

/** What was kept while another history is in use. */
static struct {
	HISTORY_STATE *state;
	int new_lines;
	const char *name;
} history_outer;

// NULL where there is no place for it: no home.
static struct error *history_path(char **ret)
{
	const char *state = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");
	int length = 0;

	*ret = NULL;
	// The XDG specification has relative paths ignored.
	if (state && state[0] == '/')
		length = asprintf(ret, "%s/leakinspect/%s", state, history_name);
	else if (home && home[0] == '/')
		length = asprintf(ret, "%s/.local/state/leakinspect/%s", home, history_name);
	if (length >= 0)
		return NULL;
	*ret = NULL;
	return error_no_memory();
}

static struct error *history_make_folders(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		int result = mkdir(path, 0700);
		int errnum = errno;
		struct error *error = NULL;
		if (result < 0 && errnum != EEXIST)
			error = error_create_os(errnum, "cannot keep the history: '%s'", path);
		*slash = '/';
		if (error)
			return error;
	}
	return NULL;
}

struct error *history_load(void)
{
	_cleanup_free_ char *path = NULL;
	struct error *error = history_path(&path);

	using_history();
	stifle_history(HISTORY_LINES_MAX);
	history_new_lines = 0;
	if (error || !path)
		return error;
	int errnum = read_history(path);
	if (errnum && errnum != ENOENT)
		return error_create_os(errnum, "cannot read the history '%s'", path);
	return NULL;
}

struct error *history_enter(const char *name)
{
	static const HISTORY_STATE empty;
	HISTORY_STATE none = empty;

	history_outer.state = history_get_history_state();
	history_outer.new_lines = history_new_lines;
	history_outer.name = history_name;
	if (!history_outer.state)
		return error_no_memory();
	history_set_history_state(&none);
	history_name = name;
	return history_load();
}

struct error *history_leave(void)
{
	struct error *error = history_save();

	if (!history_outer.state)
		return error;
	// readline's malloc() is ours; it clears the list and keeps its memory, which it then forgets.
	clear_history();
	HISTORY_STATE *inner = history_get_history_state();
	if (inner)
		free(inner->entries);
	free(inner);
	history_set_history_state(history_outer.state);
	free(history_outer.state);
	history_outer.state = NULL;
	history_new_lines = history_outer.new_lines;
	history_name = history_outer.name;
	return error;
}

void history_remember(const char *line)
{
	const HIST_ENTRY *last =
		history_length ? history_get(history_base + history_length - 1) : NULL;

	if (!line[strspn(line, " \t")] || (last && !strcmp(last->line, line)))
		return;
	add_history(line);
	history_new_lines++;
}

struct error *history_save(void)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_fd_ int fd = -1;
	struct error *error = history_path(&path);

	if (error || !path || !history_new_lines)
		return error;
	error = history_make_folders(path);
	if (error)
		return error;
	// Here rather than by readline, whose new files depend on the umask.
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || fchmod(fd, 0600) < 0)
		return error_create_os(errno, "cannot keep the history '%s'", path);
	int lines = history_new_lines < history_length ? history_new_lines : history_length;
	int errnum = append_history(lines, path);
	if (!errnum)
		errnum = history_truncate_file(path, HISTORY_LINES_MAX);
	if (errnum)
		return error_create_os(errnum, "cannot keep the history '%s'", path);
	history_new_lines = 0;
	return NULL;
}
