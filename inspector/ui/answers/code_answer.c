// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/answers/code_answer.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/interrupt.h"
#include "base/text.h"
#include "ui/report/safe_text.h"

enum { TIMEOUT_SECONDS_MAX = 86400 };

uint64_t code_timeout_ns(const struct arguments_value *timeout)
{
	uint64_t seconds = timeout->count ? timeout->number : CODE_TIMEOUT_SECONDS;

	return seconds * 1000000000U;
}

struct error *code_check_timeout(const struct arguments_value *timeout)
{
	if (!timeout->count || (timeout->number && timeout->number <= TIMEOUT_SECONDS_MAX))
		return NULL;
	return error_create(ERROR_USAGE, "--timeout is 1 to %d seconds", TIMEOUT_SECONDS_MAX);
}

// Line by line: a newline is one, and so is a tab.
static struct error *code_escape(const char *chars, size_t length, struct text *into)
{
	const char *end = chars + length;
	struct error *error = NULL;

	while (!error && chars < end) {
		size_t span = 0;
		while (chars + span < end && chars[span] != '\n' && chars[span] != '\t' &&
		       chars[span])
			span++;
		_cleanup_free_ char *piece = strndup(chars, span);
		error = piece ? safe_text_terminal(into, piece, NULL) : error_no_memory();
		chars += span;
		if (error || chars == end)
			continue;
		error = *chars ? text_append(into, chars, 1) : text_appendf(into, "\\x00");
		chars++;
	}
	return error;
}

struct error *code_print_text(const char *chars, size_t length, FILE *out)
{
	_cleanup_text_ struct text text = {0};

	if (isatty(fileno(out))) {
		struct error *error = code_escape(chars, length, &text);
		if (error)
			return error;
		chars = text_chars(&text);
		length = text.length;
	}
	errno = 0;
	if (fwrite(chars, 1, length, out) != length)
		return error_create_os(errno, "cannot write the answer");
	return NULL;
}

struct error *code_answer_print(const struct target_answer *answer, FILE *out)
{
	const char *chars = text_chars(&answer->output);
	struct error *error = NULL;

	for (size_t i = 0; !error && i < answer->piece_count; i++) {
		const struct target_piece *piece = &answer->pieces[i];
		// In order where both are the same terminal.
		fflush(piece->is_error ? out : stderr);
		error = code_print_text(chars, piece->bytes, piece->is_error ? stderr : out);
		chars += piece->bytes;
	}
	if (!error && fflush(out) == EOF)
		error = error_create_os(errno, "cannot write the answer");
	if (answer->is_cut)
		fputs("leakinspect: there was more output, which is not kept\n", stderr);
	return error;
}

void code_tell_clone(const struct inspected_clone *clone)
{
	if (clone->lost_count)
		fprintf(stderr,
			"leakinspect: %u cop%s of the process did not get as far as running code "
			"(%s); this is another one\n",
			clone->lost_count, clone->lost_count == 1 ? "y" : "ies", clone->lost);
	if (clone->unsafe[0])
		fprintf(stderr,
			"leakinspect: no better moment came in %u stops: %s; what runs in this "
			"copy may fail\n",
			clone->stops, clone->unsafe);
}

struct error *code_lost(const struct target_answer *answer)
{
	if (answer->is_interrupted) {
		struct error *error = interrupt_check();
		if (error)
			return error;
	}
	return error_create(ERROR_FAILED,
			    "the copy of the process is gone: %s. The process itself did not "
			    "notice",
			    answer->lost);
}
