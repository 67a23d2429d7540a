// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/console/repl_line.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <readline/readline.h>

#include "base/cleanup.h"
#include "base/interrupt.h"
#include "ui/console/history.h"

enum { REPL_LINE_WAIT_MS = 1000 };

// readline is one per process and calls back without an argument of ours.
static struct {
	char *line;
	bool done;
	/** What was set before. */
	rl_completion_func_t *complete;
} repl_line;

static void repl_line_take(char *line)
{
	// Out of the callback interface at once: while a statement runs, the terminal and its signals are
	// as they were before.
	rl_callback_handler_remove();
	repl_line.line = line;
	repl_line.done = true;
}

// What is completed is the application's, which only its own interpreter knows; a tab indents.
static char **repl_line_complete(const char *text, int start, int end)
{
	rl_attempted_completion_over = 1;
	if (start == end)
		rl_insert_text("    ");
	return NULL;
}

struct error *repl_line_open(void)
{
	repl_line.complete = rl_attempted_completion_function;
	rl_readline_name = "leakinspect";
	rl_instream = stdin;
	rl_outstream = isatty(STDOUT_FILENO) ? stdout : stderr;
	rl_attempted_completion_function = repl_line_complete;
	rl_catch_signals = 1;
	rl_persistent_signal_handlers = 1;
	return history_enter("repl_history");
}

char *repl_line_read(const char *prompt, bool *ret_emptied)
{
	*ret_emptied = false;
	if (interrupt_pending())
		return NULL;
	repl_line.done = false;
	repl_line.line = NULL;
	rl_callback_handler_install(prompt, repl_line_take);
	while (!repl_line.done) {
		struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
		rl_check_signals();
		if (interrupt_pending()) {
			*ret_emptied = interrupt_pending() == SIGINT;
			rl_callback_sigcleanup();
			repl_line_take(NULL);
		} else if (poll(&input, 1, REPL_LINE_WAIT_MS) > 0) {
			rl_callback_read_char();
		}
	}
	if (*ret_emptied) {
		fprintf(rl_outstream, "\nKeyboardInterrupt\n");
		interrupt_clear();
	} else if (repl_line.line) {
		history_remember(repl_line.line);
	} else {
		fprintf(rl_outstream, "\n");
	}
	return take_ptr(repl_line.line);
}

struct error *repl_line_close(void)
{
	rl_attempted_completion_function = repl_line.complete;
	return history_leave();
}
