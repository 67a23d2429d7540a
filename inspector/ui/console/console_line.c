// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/console/console_line.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <readline/readline.h>

#include "base/cleanup.h"
#include "base/interrupt.h"
#include "ui/console/history.h"
#include "ui/console/words.h"

// readline is one per process and calls back without an argument of ours.
static struct {
	char prompt[64];
	const struct console_line_ops *ops;
	void *closure;
	char *line;
	bool done;
} console_line;

static volatile sig_atomic_t console_line_continued;

static void console_line_handle_continue(int signal_number)
{
	console_line_continued = signal_number;
}

static void console_line_take(char *line)
{
	// Out of the callback interface at once: while a verb runs, the terminal and its signals are
	// as they were before.
	rl_callback_handler_remove();
	console_line.line = line;
	console_line.done = true;
}

// readline frees the list and its strings; NULL is "nothing".
static char **console_line_matches(const struct completion *completion)
{
	char **matches = calloc(completion->count + 2, sizeof(*matches));

	if (!matches || completion->count == 0) {
		free(matches);
		return NULL;
	}
	// The first is what all have in common: what replaces the word.
	size_t common = strlen(completion->list[0]);
	for (size_t i = 0; i < completion->count; i++) {
		size_t same = 0;
		while (same < common && completion->list[i][same] == completion->list[0][same])
			same++;
		common = same;
		matches[i + 1] = strdup(completion->list[i]);
	}
	matches[0] = strndup(completion->list[0], common);
	if (completion->count == 1) {
		free(matches[1]);
		matches[1] = NULL;
	}
	return matches;
}

/** Of "--output=FILE": what stands before the file. */
static size_t console_line_prefix;

// readline's generator: it frees what it is given.
static char *console_line_file(const char *text, int state)
{
	char *file = rl_filename_completion_function(text + console_line_prefix, state);
	char *whole = NULL;

	if (!file || !console_line_prefix)
		return file;
	if (asprintf(&whole, "%.*s%s", (int)console_line_prefix, text, file) < 0)
		whole = NULL;
	free(file);
	return whole;
}

static bool console_line_is_folder(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static char **console_line_files(const char *text)
{
	const char *sign = text[0] == '-' ? strchr(text, '=') : NULL;

	console_line_prefix = sign ? (size_t)(sign + 1 - text) : 0;
	// Which lists names without their folders, marks folders, and quotes what needs it.
	rl_filename_completion_desired = 1;
	char **matches = rl_completion_matches(text, console_line_file);
	// readline looks for a file of the whole word, and takes a folder for none.
	if (matches && console_line_prefix && !matches[1] &&
	    console_line_is_folder(matches[0] + console_line_prefix)) {
		char *folder = NULL;
		rl_completion_suppress_append = 1;
		if (asprintf(&folder, "%s/", matches[0]) >= 0) {
			free(matches[0]);
			matches[0] = folder;
		}
	}
	return matches;
}

static char **console_line_complete(const char *text, int start, int end)
{
	_cleanup_completion_ struct completion completion = {0};
	_cleanup_words_ struct words words = {0};
	_cleanup_free_ char *before = strndup(rl_line_buffer, (size_t)start);

	rl_attempted_completion_over = 1;
	if (!before)
		return NULL;
	// A word that began with a quote: the quote stands before `start`.
	size_t length = strlen(before);
	if (length && (before[length - 1] == '"' || before[length - 1] == '\''))
		before[length - 1] = '\0';
	_cleanup_error_ struct error *error = words_split(before, &words);
	if (error)
		return NULL;
	struct complete_question question = {
		.place = COMMAND_IN_CONSOLE,
		.before = words.list,
		.before_count = words.count,
		.word = text,
	};
	console_line.ops->complete(console_line.closure, &question);
	_cleanup_error_ struct error *failed = complete_words(&question, &completion);
	if (failed)
		return NULL;
	if (completion.other == COMMAND_FILE)
		return console_line_files(text);
	rl_completion_suppress_append =
		completion.count == 1 && completion.list[0][strlen(completion.list[0]) - 1] == '=';
	return console_line_matches(&completion);
}

// Ctrl-C while a line is typed: away with the line.
static void console_line_drop(void)
{
	rl_callback_sigcleanup();
	rl_replace_line("", 1);
	rl_crlf();
	rl_on_new_line();
	rl_redisplay();
	interrupt_clear();
}

static void console_line_say(const char *notice)
{
	rl_clear_visible_line();
	fprintf(rl_outstream, "%s\n", notice);
	rl_on_new_line();
	rl_redisplay();
}

// What came while we waited: a signal, or something to say. False when it is time to leave.
static bool console_line_tend(void)
{
	rl_check_signals();
	if (console_line_continued) {
		// Ctrl-Z and back: the shell has written over our line.
		console_line_continued = 0;
		rl_forced_update_display();
	}
	if (interrupt_pending() == SIGINT)
		console_line_drop();
	if (interrupt_pending())
		return false;
	const char *notice = console_line.ops->notice(console_line.closure);
	if (notice)
		console_line_say(notice);
	return true;
}

char *console_line_read(void)
{
	if (interrupt_pending())
		return NULL;
	console_line.done = false;
	console_line.line = NULL;
	// The window may have changed while nobody listened.
	rl_reset_screen_size();
	rl_callback_handler_install(console_line.prompt, console_line_take);
	while (!console_line.done) {
		struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
		bool goes_on = console_line_tend();
		if (goes_on && poll(&input, 1, console_line.ops->wait_ms(console_line.closure)) > 0)
			rl_callback_read_char();
		else if (!goes_on)
			console_line_take(NULL);
	}
	if (console_line.line)
		history_remember(console_line.line);
	else
		fprintf(rl_outstream, "\n");
	return take_ptr(console_line.line);
}

struct error *console_line_open(const char *prompt, const struct console_line_ops *ops,
				void *closure)
{
	snprintf(console_line.prompt, sizeof(console_line.prompt), "%s", prompt);
	console_line.ops = ops;
	console_line.closure = closure;
	rl_readline_name = "leakinspect";
	rl_instream = stdin;
	// `leakinspect attach PID > file` keeps its prompt on the screen.
	rl_outstream = isatty(STDOUT_FILENO) ? stdout : stderr;
	rl_attempted_completion_function = console_line_complete;
	// Names of types have dots and <> in them.
	rl_completer_word_break_characters = " \t\n\"'";
	rl_completer_quote_characters = "\"'";
	rl_filename_quote_characters = " \t\"'\\#";
	// No verb knows what ~ is.
	rl_variable_bind("expand-tilde", "on");
	// readline's handlers put the terminal in order and pass the signal on to ours; all the time
	// that a line is typed, and not only while readline works on a character.
	rl_catch_signals = 1;
	rl_persistent_signal_handlers = 1;
	struct sigaction action = {.sa_handler = console_line_handle_continue};
	sigemptyset(&action.sa_mask);
	sigaction(SIGCONT, &action, NULL);
	return history_load();
}

struct error *console_line_close(void)
{
	return history_save();
}
