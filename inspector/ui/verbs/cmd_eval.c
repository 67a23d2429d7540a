// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/command.h"

#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "ui/answers/code_answer.h"

enum eval_option { EVAL_TIMEOUT };

static const struct command_option eval_options[] = {
	[EVAL_TIMEOUT] = {.name = "timeout",
			  .word = COMMAND_NUMBER,
			  .argument = "SECONDS",
			  .summary = "give up after this long; 10 unless given"},
};

static struct error *eval_report(struct command_context *context,
				 const struct inspected_clone *clone,
				 const struct target_answer *answer)
{
	static const struct report_column columns[] = {
		{.key = "value", .unit = REPORT_TEXT},  {.key = "type", .unit = REPORT_TEXT},
		{.key = "output", .unit = REPORT_TEXT}, {.key = "raised", .unit = REPORT_BOOL},
		{.key = "unsafe", .unit = REPORT_TEXT},
	};
	bool done = answer->state == TARGET_ANSWER_DONE;
	const struct report_cell cells[] = {
		{.text = text_chars(&answer->value), .absent = !done},
		{.text = text_chars(&answer->type), .absent = !done},
		{.text = text_chars(&answer->output)},
		{.number = !done},
		{.text = clone->unsafe, .absent = !clone->unsafe[0]},
	};
	const struct session_look look = {
		.snapshot = INSPECTED_CLONE,
		.pause_ns = clone->pause_total_ns,
		.pause_total_ns = clone->pause_total_ns,
		.stops = clone->stops,
		.consistent = true,
	};
	struct report_head head;

	inspected_head(context->inspected, "eval", &look, NULL, &head);
	struct error *error = report_begin(context->report, &head);
	if (!error)
		error = report_object(context->report, NULL, columns, ARRAY_COUNT(columns), cells);
	return error;
}

static struct error *eval_print(struct command_context *context, const struct target_answer *answer)
{
	struct error *error = code_answer_print(answer, context->out);

	if (error || answer->state != TARGET_ANSWER_DONE)
		return error;
	error = code_print_text(text_chars(&answer->value), answer->value.length, context->out);
	if (!error)
		fputc('\n', context->out);
	return error;
}

static struct error *eval_run(struct command_context *context)
{
	_cleanup_target_answer_ struct target_answer answer = {0};
	const struct arguments *arguments = context->arguments;
	struct inspected_clone clone;
	const struct target_code code = {
		.kind = TARGET_CODE_EXPRESSION,
		.name = "<eval>",
		.text = arguments->words[0],
		.bytes = strlen(arguments->words[0]),
		.timeout_ns = code_timeout_ns(&arguments->options[EVAL_TIMEOUT]),
	};
	struct error *error = inspected_run_code(context->inspected, &code, &clone, &answer);

	inspected_end_code(context->inspected);
	if (error)
		return error;
	code_tell_clone(&clone);
	if (answer.state == TARGET_ANSWER_LOST)
		return code_lost(&answer);
	if (answer.state == TARGET_ANSWER_RAISED || answer.status)
		context->exit_status = 1;
	if (arguments_has(arguments, ARGUMENTS_JSON))
		return eval_report(context, &clone, &answer);
	return eval_print(context, &answer);
}

static struct error *eval_check(const struct arguments *arguments)
{
	return code_check_timeout(&arguments->options[EVAL_TIMEOUT]);
}

static const struct command_example eval_examples[] = {
	{"eval 4711 'len(__import__(\"gc\").garbage)'", "how long gc.garbage is"},
	{"eval 4711 --json 'sys.modules[\"app\"].cache'",
	 "a value, its type, and what was printed"},
};

const struct command command_eval = {
	.name = "eval",
	.summary = "the value of a Python expression, in a frozen copy of the process",
	.words = "EXPRESSION",
	.word = COMMAND_TEXT,
	.words_min = 1,
	.words_max = 1,
	.description =
		"Evaluates an expression in __main__ of the application and shows what repr() "
		"says of its value.\n"
		"It is evaluated by the application's own interpreter in a frozen copy of the "
		"process, which is\n"
		"walled in and thrown away afterwards: nothing of it reaches the process. 'help "
		"repl' has what\n"
		"can be done there and what cannot.\n"
		"\n"
		"Where the expression raises, the traceback is shown and the exit status is 1.",
	.options = eval_options,
	.option_count = ARRAY_COUNT(eval_options),
	.examples = eval_examples,
	.example_count = ARRAY_COUNT(eval_examples),
	// clang-format off
	.example_output =
		"758\n",
	// clang-format on
	.flags = COMMAND_INSPECTS | COMMAND_REPORTS | COMMAND_EVERYWHERE | COMMAND_PRINTS_ITSELF |
		 COMMAND_RUNS_CODE | COMMAND_WANTS_PROCESS,
	.check = eval_check,
	.run = eval_run,
};
