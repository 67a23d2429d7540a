// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/answers/graphviz.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/interrupt.h"
#include "ui/program.h"

enum {
	/** Of what it complained about. */
	GRAPHVIZ_COMPLAINT_BYTES = 300,
	GRAPHVIZ_TIMEOUT_SECONDS = 60,
};

struct error *graphviz_find(char **ret)
{
	struct error *error = program_find("dot", ret);

	if (error || *ret)
		return error;
	return error_create(ERROR_FAILED,
			    "pictures are made by Graphviz, and there is no program 'dot' on PATH: "
			    "install it (the package graphviz), or write the graph itself with "
			    "-o FILE.dot");
}

// How it ended, when that was not well; @complaints is what it wrote to its stderr.
static struct error *graphviz_outcome(const char *program, enum program_end end, int status,
				      int complaints)
{
	char complaint[GRAPHVIZ_COMPLAINT_BYTES];
	ssize_t count = pread(complaints, complaint, sizeof(complaint) - 1, 0);

	if (end == PROGRAM_LATE)
		return error_create(ERROR_FAILED,
				    "'%s' made no picture in %d seconds: a smaller --depth or "
				    "--breadth makes a smaller one, -o FILE.dot writes the graph",
				    program, GRAPHVIZ_TIMEOUT_SECONDS);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return NULL;
	complaint[count > 0 ? count : 0] = '\0';
	complaint[strcspn(complaint, "\n")] = '\0';
	return error_create(ERROR_FAILED, "'%s' failed (%s %d): %s", program,
			    WIFEXITED(status) ? "status" : "signal",
			    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status),
			    complaint[0] ? complaint : "without a word");
}

struct error *graphviz_run(const char *program, const char *format, const struct text *graph,
			   int fd)
{
	_cleanup_fd_ int complaints = -1;
	char name[] = "dot", type[32];
	char *const words[] = {name, type, NULL};
	struct error *error = program_memory("", 0, &complaints);
	const struct program run = {
		.path = program,
		.words = words,
		.input = text_chars(graph),
		.input_bytes = graph->length,
		.output_fd = fd,
		.complaint_fd = complaints,
		.timeout_ns = GRAPHVIZ_TIMEOUT_SECONDS * UINT64_C(1000000000),
		.ending_signal = SIGKILL,
	};
	enum program_end end = PROGRAM_ENDED;
	int status = 0;

	snprintf(type, sizeof(type), "-T%s", format);
	if (!error)
		error = program_run(&run, &end, &status);
	if (!error)
		error = interrupt_check();
	return error ? error : graphviz_outcome(program, end, status, complaints);
}
