// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/load/load.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "base/interrupt.h"
#include "ui/load/memory_log.h"
#include "ui/load/scoreboard.h"
#include "ui/load/settle.h"
#include "ui/program.h"

static const char load_url_mark[] = "{url}";

enum { LOAD_COMPLAINT_BYTES = 600 };

// A word with the URL in it.
static struct error *word_with_url(const char *word, const char *url, struct text *into)
{
	struct error *error = NULL;

	for (const char *mark; url && !error && (mark = strstr(word, load_url_mark));) {
		error = text_appendf(into, "%.*s%s", (int)(mark - word), word, url);
		word = mark + strlen(load_url_mark);
	}
	return error ? error : text_appendf(into, "%s", word);
}

// Braces are words to some shells, but for the mark.
static bool is_plain(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "-_./:=@%+,";
	size_t mark_length = strlen(load_url_mark);

	if (!*word)
		return false;
	while (*word) {
		size_t length = strspn(word, plain);
		if (!length && !strncmp(word, load_url_mark, mark_length))
			length = mark_length;
		if (!length)
			return false;
		word += length;
	}
	return true;
}

// Between apostrophes nothing means anything but an apostrophe: that one ends them for a moment.
static struct error *word_quoted(const char *word, struct text *into)
{
	bool between_quotes = strchr(word, '\'') && !strpbrk(word, "\"\\$`!");
	struct error *error;

	if (is_plain(word))
		return text_appendf(into, "%s", word);
	if (between_quotes)
		return text_appendf(into, "\"%s\"", word);
	error = text_append(into, "'", 1);
	for (; *word && !error; word++)
		error = *word == '\'' ? text_appendf(into, "'\\''") : text_append(into, word, 1);
	return error ? error : text_append(into, "'", 1);
}

struct error *load_command_text(char *const *words, const char *url, struct text *into)
{
	struct error *error = NULL;

	for (size_t i = 0; words[i] && !error; i++) {
		_cleanup_text_ struct text word = {0};
		error = word_with_url(words[i], url, &word);
		if (!error && i)
			error = text_append(into, " ", 1);
		if (!error)
			error = word_quoted(text_chars(&word), into);
	}
	return error;
}

static void words_free(char ***words)
{
	for (size_t i = 0; *words && (*words)[i]; i++)
		free((*words)[i]);
	free(*words);
}

static struct error *words_for(char *const *words, const char *url, char ***ret)
{
	size_t count = 0;
	struct error *error = NULL;

	while (words[count])
		count++;
	*ret = calloc(count + 1, sizeof(**ret));
	if (!*ret)
		return error_no_memory();
	for (size_t i = 0; i < count && !error; i++) {
		struct text word = {0};
		error = word_with_url(words[i], url, &word);
		if (!error)
			error = text_append(&word, "", 0);
		(*ret)[i] = error ? NULL : word.chars ?: strdup("");
		if (error)
			text_deinit(&word);
		else if (!(*ret)[i])
			error = error_no_memory();
	}
	return error;
}

// The last lines of what it complained about.
static struct error *keep_complaint(int fd, struct text *into)
{
	char chars[LOAD_COMPLAINT_BYTES];
	off_t size = lseek(fd, 0, SEEK_END);
	off_t from = size > (off_t)sizeof(chars) ? size - (off_t)sizeof(chars) : 0;
	ssize_t count = pread(fd, chars, sizeof(chars), from);
	size_t length = count > 0 ? (size_t)count : 0;

	while (length && (chars[length - 1] == '\n' || chars[length - 1] == ' '))
		length--;
	const char *begin = chars;
	const char *end = from ? memchr(chars, '\n', length) : NULL;
	if (end)
		begin = end + 1;
	into->length = 0;
	return text_append(into, begin, length - (size_t)(begin - chars));
}

static struct error *run_once(struct load *load, const char *url, struct load_iteration *iteration)
{
	CLEANUP(words_free) char **words = NULL;
	_cleanup_fd_ int complaints = -1;
	_cleanup_fd_ int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	uint64_t begin_ns = clock_now_ns();
	enum program_end end = PROGRAM_ENDED;
	int status = 0;

	if (nowhere < 0)
		return error_create_os(errno, "cannot open /dev/null");
	struct error *error = words_for(load->options.words, url, &words);
	if (!error)
		error = program_memory("", 0, &complaints);
	const struct program program = {
		.path = load->program,
		.words = words,
		.input = "",
		.output_fd = nowhere,
		.complaint_fd = complaints,
		.complaint_tail_bytes = LOAD_COMPLAINT_BYTES,
		.ending_signal = SIGTERM,
	};
	if (!error)
		error = program_run(&program, &end, &status);
	iteration->command_ns += clock_now_ns() - begin_ns;
	// It may have been told the same, and have ended before we could ask it to.
	if (!error)
		error = interrupt_check();
	if (error)
		return error;
	int exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	load->run_count++;
	if (!exit_status)
		return NULL;
	iteration->exit_status = exit_status;
	load->failed_count++;
	return keep_complaint(complaints, &load->complaint);
}

struct error *load_look(struct load *load)
{
	struct error *error = array_reserve(&load->looks, &load->look_capacity,
					    load->look_count + 1, sizeof(*load->looks));
	if (error)
		return error;
	struct load_look *look = &load->looks[load->look_count];
	*look = (struct load_look){0};
	error = settle_wait(load->inspected->pid, load->options.settle_ns, &look->idle);
	if (!error)
		error = snapshot_take(load->inspected, &look->look, &look->snapshot);
	if (error) {
		snapshot_deinit(&look->snapshot);
		return error;
	}
	load->look_count++;
	load->stops += look->look.stops;
	load->pause_total_ns += look->look.pause_total_ns;
	load->inexact_count += !look->snapshot.exact;
	load->busy_count += !look->idle && load->options.settle_ns;
	return load->options.scoreboard
		       ? scoreboard_write(load->options.scoreboard, &look->snapshot)
		       : NULL;
}

static struct error *write_logs(const struct load *load, const struct load_iteration *iteration)
{
	const struct snapshot *before = &load->looks[iteration->look].snapshot;
	const struct snapshot *after = &load->looks[iteration->look + 1].snapshot;
	const struct memory_log_line line = {
		.time_ms = before->time_ms,
		.page_id = iteration->page_id,
		.duration_ns = iteration->command_ns,
		.start_vss_bytes = before->vss_bytes,
		.start_rss_bytes = before->rss_bytes,
		.end_vss_bytes = after->vss_bytes,
		.end_rss_bytes = after->rss_bytes,
	};
	struct error *error = NULL;

	if (load->options.leak_log)
		error = leak_log_append(load->options.leak_log, iteration->page_id, before, after);
	if (!error && load->options.memory_log)
		error = memory_log_append(load->options.memory_log, &line);
	return error;
}

struct error *load_init(struct load *ret, struct inspected *inspected,
			const struct load_options *options)
{
	const char *name = options->words[0];

	*ret = (struct load){.options = *options, .inspected = inspected};
	struct error *error = program_find(name, &ret->program);
	if (!error && !ret->program)
		error = error_create(ERROR_FAILED, "there is no program '%s'%s", name,
				     strchr(name, '/') ? "" : " on PATH");
	if (!error && options->scoreboard && !options->force)
		error = scoreboard_check_file(options->scoreboard, inspected->pid);
	return error ? error : load_look(ret);
}

void load_garbage_forget(struct load *load)
{
	census_deinit(&load->freed);
}

void load_drop_looks(struct load *load)
{
	for (size_t i = 0; i + 1 < load->look_count; i++)
		snapshot_deinit(&load->looks[i].snapshot);
	if (load->look_count > 1)
		load->looks[0] = load->looks[load->look_count - 1];
	load->look_count = load->look_count > 0;
}

void load_begin_block(struct load *load)
{
	load_drop_looks(load);
	load->iteration_count = 0;
}

struct error *load_iterate(struct load *load, const char *page_id, const char *const *urls,
			   size_t url_count, struct load_iteration *ret)
{
	_cleanup_text_ struct text text = {0};
	struct error *error =
		load_command_text(load->options.words, url_count == 1 ? urls[0] : NULL, &text);

	*ret = (struct load_iteration){.look = load->look_count - 1,
				       .number = ++load->iteration_count};
	if (error)
		return error;
	ret->command = strdup(text_chars(&text));
	ret->page_id = page_id ? strdup(page_id) : NULL;
	if (!ret->command || (page_id && !ret->page_id))
		return error_no_memory();
	if (!url_count)
		error = run_once(load, NULL, ret);
	for (size_t i = 0; i < url_count && !error; i++)
		error = run_once(load, urls[i], ret);
	if (!error)
		error = load_look(load);
	return error ? error : write_logs(load, ret);
}

void load_iteration_deinit(struct load_iteration *iteration)
{
	free(iteration->page_id);
	free(iteration->command);
	*iteration = (struct load_iteration){0};
}

void load_deinit(struct load *load)
{
	for (size_t i = 0; i < load->look_count; i++)
		snapshot_deinit(&load->looks[i].snapshot);
	free(load->looks);
	load_garbage_forget(load);
	free(load->program);
	text_deinit(&load->complaint);
	*load = (struct load){0};
}
