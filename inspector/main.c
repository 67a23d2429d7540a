// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * argv -> options -> session -> one verb or the console. The only place that exits.
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/interrupt.h"
#include "options.h"
#include "session.h"
#include "ui/command.h"
#include "ui/inspected.h"

/** The session as the verbs see it. */
struct main_inspected {
	struct inspected inspected;
	struct session *session;
	/** NULL until somebody asks for it, and `shown` is what is told of it. */
	struct session_graph *graph;
	struct inspected_graph shown;
};

static struct error *main_census(struct inspected *inspected, bool caches,
				 struct session_look *look, struct census *ret)
{
	return session_census(((struct main_inspected *)inspected)->session, caches, look, ret);
}

static struct error *main_facts(struct inspected *inspected, struct session_look *look,
				struct target_facts *ret)
{
	return session_facts(((struct main_inspected *)inspected)->session, look, ret);
}

static struct error *main_call_stacks(struct inspected *inspected, struct session_look *look,
				      struct target_call_stacks *ret)
{
	return session_call_stacks(((struct main_inspected *)inspected)->session, look, ret);
}

static void main_show_graph(struct main_inspected *own, const struct session_look *look,
			    const struct inspected_graph **ret)
{
	own->shown = (struct inspected_graph){
		.heap = session_graph_heap(own->graph),
		.look = *look,
		.taken_ns = session_graph_taken_ns(own->graph),
		.cost = *session_graph_cost(own->graph),
		.thread_count = session_thread_count(own->session),
	};
	*ret = &own->shown;
}

static struct error *main_graph(struct inspected *inspected, const struct inspected_graph **ret)
{
	struct main_inspected *own = (struct main_inspected *)inspected;

	if (!own->graph) {
		struct session_look look = {0};
		struct error *error = session_graph(own->session, &look, &own->graph);
		if (error)
			return error;
		main_show_graph(own, &look, ret);
	}
	*ret = &own->shown;
	return NULL;
}

static struct error *main_describe(struct inspected *inspected, uint32_t object, size_t chars_max,
				   struct text *into)
{
	struct main_inspected *own = (struct main_inspected *)inspected;

	return session_graph_describe(own->session, own->graph, object, chars_max, into);
}

static struct error *main_annotate(struct inspected *inspected)
{
	struct main_inspected *own = (struct main_inspected *)inspected;

	return session_graph_annotate(own->session, own->graph);
}

static struct error *main_collect(struct inspected *inspected, struct target_collection *ret)
{
	struct main_inspected *own = (struct main_inspected *)inspected;

	return session_graph_collect(own->session, own->graph, ret);
}

static struct error *main_verify(struct inspected *inspected, const struct inspected_graph **ret,
				 struct target_collection *returned,
				 struct target_collection *saved)
{
	struct main_inspected *own = (struct main_inspected *)inspected;
	struct session_look look = {0};

	inspected_forget(inspected);
	struct error *error =
		session_verified_graph(own->session, &look, &own->graph, returned, saved);
	if (!error)
		main_show_graph(own, &look, ret);
	return error;
}

static struct error *main_run_code(struct inspected *inspected, const struct target_code *code,
				   struct inspected_clone *clone, struct target_answer *ret)
{
	return session_run_code(((struct main_inspected *)inspected)->session, code, clone, ret);
}

static void main_end_code(struct inspected *inspected)
{
	session_end_code(((struct main_inspected *)inspected)->session);
}

static void main_forget(struct inspected *inspected)
{
	struct main_inspected *own = (struct main_inspected *)inspected;

	session_graph_destroy(own->graph);
	own->graph = NULL;
}

static struct error *main_arguments(struct inspected *inspected, char **ret, size_t *ret_bytes)
{
	return session_arguments(((struct main_inspected *)inspected)->session, ret, ret_bytes);
}

static void main_use_snapshot(struct inspected *inspected, enum inspected_snapshot snapshot)
{
	session_use_snapshot(((struct main_inspected *)inspected)->session, snapshot);
}

static void main_redact(struct inspected *inspected, bool redacts)
{
	session_redact(((struct main_inspected *)inspected)->session, redacts);
}

static void main_head(const struct inspected *inspected, const char *verb,
		      const struct session_look *look, const struct census *census,
		      struct report_head *ret)
{
	session_head(((const struct main_inspected *)inspected)->session, verb, look, census, ret);
}

static const struct inspected_ops main_inspected_ops = {
	.census = main_census,
	.facts = main_facts,
	.call_stacks = main_call_stacks,
	.graph = main_graph,
	.describe = main_describe,
	.annotate = main_annotate,
	.collect = main_collect,
	.verify = main_verify,
	.run_code = main_run_code,
	.end_code = main_end_code,
	.forget = main_forget,
	.arguments = main_arguments,
	.use_snapshot = main_use_snapshot,
	.redact = main_redact,
	.head = main_head,
};

static void main_close(struct main_inspected *inspected)
{
	main_forget(&inspected->inspected);
	session_close(inspected->session);
}

static struct error *main_open(pid_t pid, struct main_inspected *ret)
{
	const struct session_options session_options = {0};

	*ret = (struct main_inspected){.inspected = {.ops = &main_inspected_ops, .pid = pid}};
	return session_open(pid, &session_options, &ret->session);
}

static struct error *main_open_core(const char *path, struct main_inspected *ret)
{
	const struct session_options session_options = {0};

	*ret = (struct main_inspected){.inspected = {.ops = &main_inspected_ops, .core = path}};
	return session_open_core(path, &session_options, &ret->session);
}

static struct error *main_open_another(struct inspected_opener *opener, pid_t pid,
				       struct inspected **ret)
{
	struct main_inspected *inspected = malloc(sizeof(*inspected));

	if (!inspected)
		return error_no_memory();
	struct error *error = main_open(pid, inspected);
	if (error)
		free(inspected);
	else
		*ret = &inspected->inspected;
	return error;
}

static void main_close_another(struct inspected_opener *opener, struct inspected *inspected)
{
	if (!inspected)
		return;
	main_close((struct main_inspected *)inspected);
	free(inspected);
}

static struct error *main_run(const struct options *options, int *ret_status)
{
	struct inspected_opener opener = {.open = main_open_another, .close = main_close_another};
	CLEANUP(main_close) struct main_inspected inspected = {0};
	bool inspects = options->pid || options->core;
	struct error *error = NULL;

	if (options->core)
		error = main_open_core(options->core, &inspected);
	else if (options->pid)
		error = main_open(options->pid, &inspected);
	if (error)
		return error;
	return command_run(options->command, &options->arguments,
			   inspects ? &inspected.inspected : NULL, &opener, NULL, ret_status);
}

static int main_complain(const struct error *error, const struct command *command)
{
	_cleanup_text_ struct text text = {0};
	_cleanup_error_ struct error *failed =
		command_format_error(error, command, COMMAND_IN_SHELL, &text);

	fputs(failed ? failed->message : text_chars(&text), stderr);
	return error_exit_status(error);
}

int main(int argc, char **argv)
{
	_cleanup_options_ struct options options = {0};
	int status = 0;

	// How wide a character is and how it is told from a byte; numbers stay as they are.
	setlocale(LC_CTYPE, "");
	_cleanup_error_ struct error *error = interrupt_install();
	if (!error)
		error = options_parse(argc, argv, &options);
	if (!error)
		error = main_run(&options, &status);
	if (error)
		status = main_complain(error, options.command);
	return status;
}
