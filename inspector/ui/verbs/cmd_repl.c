// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/command.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/interrupt.h"
#include "ui/answers/code_answer.h"
#include "ui/console/repl_line.h"

enum repl_option { REPL_COMMAND, REPL_FILE, REPL_TIMEOUT };

static const struct command_option repl_options[] = {
	[REPL_COMMAND] = {.name = "command",
			  .letter = 'c',
			  .word = COMMAND_TEXT,
			  .argument = "CODE",
			  .summary = "run this program and leave"},
	[REPL_FILE] = {.name = "file",
		       .word = COMMAND_FILE,
		       .argument = "FILE",
		       .summary = "run the program in FILE and leave; - is stdin"},
	[REPL_TIMEOUT] = {.name = "timeout",
			  .word = COMMAND_NUMBER,
			  .argument = "SECONDS",
			  .summary = "give up a statement after this long; 10 unless given"},
};

struct repl {
	struct command_context *context;
	uint64_t timeout_ns;
	/** The lines of a statement so far. */
	struct text lines;
	bool is_terminal;
	bool leave;
	/** Of the first statement that failed. */
	int status;
};

static void repl_fail(struct repl *repl, int status)
{
	if (!repl->status)
		repl->status = status;
}

// At a prompt the next statement runs in a new clone, and the person has to know.
static struct error *repl_lost(struct repl *repl, const struct target_answer *answer)
{
	repl_fail(repl, 1);
	if (!repl->is_terminal)
		return code_lost(answer);
	fprintf(stderr,
		"leakinspect: the copy of the process is gone: %s. The process itself did not "
		"notice.\nThe next statement runs in a new copy, without what was defined in this "
		"one.\n",
		answer->lost);
	if (interrupt_pending() == SIGINT)
		interrupt_clear();
	return interrupt_check();
}

static struct error *repl_run_code(struct repl *repl, const struct target_code *code,
				   enum target_answer_state *ret)
{
	_cleanup_target_answer_ struct target_answer answer = {0};
	struct inspected_clone clone;
	struct error *error = inspected_run_code(repl->context->inspected, code, &clone, &answer);

	*ret = answer.state;
	if (error)
		return error;
	if (clone.is_new)
		code_tell_clone(&clone);
	error = code_answer_print(&answer, repl->context->out);
	if (error)
		return error;
	switch (answer.state) {
	case TARGET_ANSWER_DONE:
	case TARGET_ANSWER_MORE:
		break;
	case TARGET_ANSWER_RAISED:
		repl_fail(repl, 1);
		break;
	case TARGET_ANSWER_LEFT:
		repl->leave = true;
		repl_fail(repl, answer.status ? 1 : 0);
		break;
	case TARGET_ANSWER_LOST:
		return repl_lost(repl, &answer);
	}
	return NULL;
}

// One more line; the statement is run when it is whole.
static struct error *repl_take_line(struct repl *repl, const char *line, size_t length,
				    bool *ret_more)
{
	enum target_answer_state state = TARGET_ANSWER_DONE;
	struct error *error = *ret_more ? text_append(&repl->lines, "\n", 1) : NULL;

	if (!error)
		error = text_append(&repl->lines, line, length);
	const struct target_code code = {
		.kind = TARGET_CODE_LINES,
		.name = "<stdin>",
		.text = text_chars(&repl->lines),
		.bytes = repl->lines.length,
		.timeout_ns = repl->timeout_ns,
	};

	if (!error)
		error = repl_run_code(repl, &code, &state);
	*ret_more = !error && state == TARGET_ANSWER_MORE;
	if (!*ret_more)
		text_deinit(&repl->lines);
	return error;
}

static struct error *repl_run_stdin(struct repl *repl)
{
	_cleanup_free_ char *line = NULL;
	bool more = false;
	size_t size = 0;
	struct error *error = NULL;

	while (!error && !repl->leave && !interrupt_pending()) {
		errno = 0;
		ssize_t length = getline(&line, &size, stdin);
		if (length < 0 && errno && errno != EINTR)
			return error_create_os(errno, "cannot read stdin");
		if (length < 0) {
			// The end of a block that nothing follows.
			return more ? repl_take_line(repl, "", 0, &more) : interrupt_check();
		}
		if (length && line[length - 1] == '\n')
			length--;
		error = repl_take_line(repl, line, (size_t)length, &more);
	}
	return error ? error : interrupt_check();
}

static void repl_complain(const struct error *error)
{
	_cleanup_text_ struct text text = {0};
	_cleanup_error_ struct error *failed =
		command_format_error(error, &command_repl, COMMAND_IN_SHELL, &text);

	fputs(failed ? failed->message : text_chars(&text), stderr);
}

static struct error *repl_run_terminal(struct repl *repl)
{
	_cleanup_error_ struct error *no_history = repl_line_open();
	bool more = false;

	if (no_history)
		repl_complain(no_history);
	while (!repl->leave) {
		bool emptied = false;
		_cleanup_free_ char *line = repl_line_read(more ? "... " : ">>> ", &emptied);
		if (emptied) {
			text_deinit(&repl->lines);
			more = false;
			continue;
		}
		if (!line)
			break;
		_cleanup_error_ struct error *error =
			repl_take_line(repl, line, strlen(line), &more);
		if (!error)
			continue;
		repl_complain(error);
		if (error->code == ERROR_GONE || error->code == ERROR_INTERRUPTED)
			break;
	}
	_cleanup_error_ struct error *unsaved = repl_line_close();
	if (unsaved)
		repl_complain(unsaved);
	// The person has seen what failed.
	repl->status = 0;
	if (interrupt_pending() == SIGINT)
		interrupt_clear();
	return interrupt_check();
}

static struct error *repl_run_program(struct repl *repl, const char *name, const char *text,
				      size_t bytes)
{
	enum target_answer_state state;
	const struct target_code code = {
		.kind = TARGET_CODE_PROGRAM,
		.name = name,
		.text = text,
		.bytes = bytes,
		.timeout_ns = repl->timeout_ns,
	};

	return repl_run_code(repl, &code, &state);
}

static struct error *repl_run_file(struct repl *repl, const char *path)
{
	_cleanup_text_ struct text text = {0};
	_cleanup_file_ FILE *file = NULL;
	bool is_stdin = !strcmp(path, "-");
	char piece[4096];
	size_t count;
	struct error *error = NULL;

	if (!is_stdin && !(file = fopen(path, "re")))
		return error_create_os(errno, "cannot read '%s'", path);
	errno = 0;
	while (!error && (count = fread(piece, 1, sizeof(piece), is_stdin ? stdin : file)))
		error = text_append(&text, piece, count);
	if (!error && ferror(is_stdin ? stdin : file))
		error = error_create_os(errno, "cannot read '%s'", path);
	return error ? error
		     : repl_run_program(repl, is_stdin ? "<stdin>" : path, text_chars(&text),
					text.length);
}

static void repl_say_hello(const struct command_context *context)
{
	struct report_head head;

	inspected_head(context->inspected, "repl", NULL, NULL, &head);
	printf("Python %s of process %d, running in a frozen copy: nothing you do here reaches the "
	       "process.\nFiles can be read, nothing can be written, sent or started. Ctrl-C gives "
	       "a statement up, Ctrl-D leaves.\n",
	       head.version ? head.version : "(version unknown)", (int)context->inspected->pid);
	fflush(stdout);
}

static struct error *repl_run(struct command_context *context)
{
	const struct arguments *arguments = context->arguments;
	const struct arguments_value *command = &arguments->options[REPL_COMMAND];
	const struct arguments_value *file = &arguments->options[REPL_FILE];
	struct repl repl = {
		.context = context,
		.timeout_ns = code_timeout_ns(&arguments->options[REPL_TIMEOUT]),
	};
	struct error *error;

	if (command->count) {
		error = repl_run_program(&repl, "<string>", command->text, strlen(command->text));
	} else if (file->count) {
		error = repl_run_file(&repl, file->text);
	} else if (isatty(STDIN_FILENO)) {
		repl.is_terminal = true;
		if (!arguments_has(arguments, ARGUMENTS_QUIET))
			repl_say_hello(context);
		error = repl_run_terminal(&repl);
	} else {
		error = repl_run_stdin(&repl);
	}
	inspected_end_code(context->inspected);
	text_deinit(&repl.lines);
	context->exit_status = repl.status;
	return error;
}

static struct error *repl_check(const struct arguments *arguments)
{
	if (arguments->options[REPL_COMMAND].count && arguments->options[REPL_FILE].count)
		return error_create(ERROR_USAGE, "repl takes -c or --file, not both");
	return code_check_timeout(&arguments->options[REPL_TIMEOUT]);
}

static const struct command_example repl_examples[] = {
	{"repl 4711 -c 'import gc; print(gc.collect(), len(gc.garbage))'",
	 "what a collection would return, and leave"},
	{"repl 4711", "Python's prompt inside the state of the process"},
	{"repl 4711 --file look.py --timeout 60", "a script of one's own"},
};

const struct command command_repl = {
	.name = "repl",
	.summary = "a Python prompt in a frozen copy of the process",
	.words = "",
	.description =
		"Runs Python code in __main__ of the application, as it was at one instant: its "
		"modules, its\n"
		"objects, its interpreter. The code runs in a frozen copy of the process (a fork "
		"that "
		"never went\n"
		"on), and nothing of it reaches the process, which runs on.\n"
		"\n"
		"The copy is walled in: all its descriptors are /dev/null, memory shared with "
		"others "
		"is its own,\n"
		"files can be opened for reading alone, and there are no sockets, no signals to "
		"others, no threads\n"
		"and no other programs. It has a limit on memory, and each statement one on time "
		"(--timeout). Code\n"
		"that hangs or crashes ends the copy and nothing else; the next statement runs in "
		"a "
		"new one. The\n"
		"copy has one of the process's threads: locks that others held stay locked.\n"
		"\n"
		"What is written to sys.stdout and sys.stderr is shown when the statement has "
		"ended. "
		"With -c,\n"
		"--file, and lines on a stdin that is no terminal, the exit status is 1 when code "
		"raised an\n"
		"exception. While the copy lives, the process pays for each page that it writes: "
		"do "
		"not leave it\n"
		"open for longer than needed.",
	.options = repl_options,
	.option_count = ARRAY_COUNT(repl_options),
	.examples = repl_examples,
	.example_count = ARRAY_COUNT(repl_examples),
	// clang-format off
	.example_output =
		"247 1000\n",
	// clang-format on
	.flags = COMMAND_INSPECTS | COMMAND_EVERYWHERE | COMMAND_PRINTS_ITSELF | COMMAND_RUNS_CODE |
		 COMMAND_WANTS_PROCESS,
	.check = repl_check,
	.run = repl_run,
};
