// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/console/pager.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#include "base/cleanup.h"
#include "ui/console/words.h"
#include "ui/program.h"

/** What less is told: to leave at once when all fits, to leave the text on the screen, to pass bold
 *  headings on, and that Ctrl-C is for leaving, too. */
static char pager_less[] = "less", pager_less_options[] = "-FRXK";

bool pager_is_possible(void)
{
	const char *terminal = getenv("TERM");

	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && terminal && *terminal &&
	       strcmp(terminal, "dumb") != 0;
}

// The characters of an escape sequence of ours (ESC [ ... m) at @text, which take no column.
static size_t pager_escape_length(const char *text)
{
	if (text[0] != '\033' || text[1] != '[')
		return 0;
	size_t length = 2 + strspn(text + 2, "0123456789;");
	return text[length] == 'm' ? length + 1 : 0;
}

size_t pager_count_lines(const char *text, size_t columns)
{
	size_t lines = 0, used = 0;
	mbstate_t state = {0};

	while (*text) {
		size_t escape = pager_escape_length(text);
		wchar_t wide = L' ';
		size_t length = escape ? escape : mbrtowc(&wide, text, MB_CUR_MAX, &state);
		if (length == 0 || length > MB_CUR_MAX + escape) {
			length = 1;
			state = (mbstate_t){0};
		}
		int width = escape || *text == '\n' ? 0 : wcwidth(wide);
		used += width > 0 ? (size_t)width : 0;
		if (*text == '\n' || (columns && used > columns)) {
			lines++;
			used = *text == '\n' ? 0 : (size_t)width;
		}
		text += length;
	}
	return lines + (used > 0);
}

// The line for the prompt behind the answer counts, too.
static bool pager_fits(const char *text)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_row)
		return true;
	return pager_count_lines(text, size.ws_col) < size.ws_row;
}

static struct error *pager_print(const char *text, size_t count)
{
	if (fwrite(text, 1, count, stdout) != count || fflush(stdout) == EOF)
		return error_create_os(errno, "cannot write the answer");
	return NULL;
}

// The program and its words; *@a ret_path is NULL when there is none to be had.
static struct error *pager_choose(struct words *words, char **ret_path)
{
	const char *wanted = getenv("PAGER");
	struct error *error = wanted ? words_split(wanted, words) : NULL;

	*ret_path = NULL;
	// What is no command line is none.
	if (error && error->code == ERROR_USAGE) {
		error_destroy(error);
		return NULL;
	}
	if (error || (wanted && (!words->count || !strcmp(words->list[0], "cat"))))
		return error;
	return program_find(wanted ? words->list[0] : pager_less, ret_path);
}

static struct error *pager_run(const char *path, const struct words *words, const char *text,
			       size_t count)
{
	char *const less[] = {pager_less, pager_less_options, NULL};
	const struct program program = {
		.path = path,
		.words = words->count ? words->list : less,
		.input = text,
		.input_bytes = count,
		.output_fd = -1,
		.complaint_fd = -1,
		.ending_signal = SIGTERM,
	};
	struct termios before;
	bool known = tcgetattr(STDIN_FILENO, &before) == 0;
	enum program_end end = PROGRAM_ENDED;
	int status;
	struct error *error = program_run(&program, &end, &status);

	// One that was killed has not put it back itself.
	if (known)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
	return error;
}

struct error *pager_show(const char *text, size_t count)
{
	_cleanup_words_ struct words words = {0};
	_cleanup_free_ char *path = NULL;
	struct error *error = pager_fits(text) ? NULL : pager_choose(&words, &path);

	if (error)
		return error;
	if (!path)
		return pager_print(text, count);
	fflush(stdout);
	return pager_run(path, &words, text, count);
}
