// SPDX-License-Identifier: GPL-3.0-or-later
// The table of verbs, and the verbs against a process that is not there.
#include "ui/command.h"

#include <ctype.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "mem/process.h"
#include "ui/console/complete.h"
#include "ui/console/words.h"
#include "ui/help.h"

/** A process of our imagination; what it cannot do fails. */
struct fake {
	struct inspected inspected;
	const struct census_row *rows;
	size_t row_count;
	unsigned census_count;
	bool gone;
};

static struct error *fake_census(struct inspected *inspected, bool caches,
				 struct session_look *look, struct census *ret)
{
	struct fake *fake = (struct fake *)inspected;

	fake->census_count++;
	if (fake->gone)
		return error_create(ERROR_GONE, "process 4711 has ended");
	*look = (struct session_look){.pause_ns = 1000000, .stops = 1, .consistent = true};
	*ret = (struct census){.rows = calloc(fake->row_count, sizeof(*ret->rows)),
			       .row_count = fake->row_count};
	for (size_t i = 0; i < fake->row_count; i++) {
		ret->rows[i] = fake->rows[i];
		ret->rows[i].name = strdup(fake->rows[i].name);
	}
	return NULL;
}

static struct error *fake_facts(struct inspected *inspected, struct session_look *look,
				struct target_facts *ret)
{
	*look = (struct session_look){.pause_ns = 1000000, .stops = 1, .consistent = true};
	*ret = (struct target_facts){
		.interpreter_count = 1,
		.threads = calloc(2, sizeof(*ret->threads)),
		.thread_count = 2,
		.gc_enabled = 0,
		.gc_debug = 4,
		.generation_count = 3,
		.thresholds = {700, 10, 10},
		.counts = {1, 2, 3},
		.garbage_count = 5,
		.frozen_count = -1,
		.ref_total = -1,
	};
	ret->threads[0] = (struct target_thread){.tid = getpid(), .holds_gil = true};
	return NULL;
}

static void fake_head(const struct inspected *inspected, const char *verb,
		      const struct session_look *look, const struct census *census,
		      struct report_head *ret)
{
	*ret = (struct report_head){
		.verb = verb,
		.pid = inspected->pid,
		.runtime = "cpython",
		.stops = look ? look->stops : 0,
		.consistent = look && look->consistent,
	};
}

static void fake_redact(struct inspected *inspected, bool redacts)
{
}

static struct error *fake_arguments(struct inspected *inspected, char **ret, size_t *ret_bytes)
{
	return process_arguments(inspected->pid, ret, ret_bytes);
}

static const struct inspected_ops fake_ops = {
	.arguments = fake_arguments,
	.census = fake_census,
	.facts = fake_facts,
	.redact = fake_redact,
	.head = fake_head,
};

static const struct census_row rows[] = {
	{.name = "dict", .count = 30, .tracked = 20, .size_bytes = 100, .refs = 40},
	{.name = "shop.Cart", .count = 20, .tracked = 20, .size_bytes = 900, .refs = 10},
	{.name = "shop.Item", .count = 10, .tracked = 0, .size_bytes = 500, .refs = 70},
};

static struct fake fake;
static char folder[] = "/tmp/leakinspect-test-XXXXXX";
static char answer_path[sizeof(folder) + 16];

static int given_a_process(void **state)
{
	// Ours, so that what /proc tells is there.
	fake = (struct fake){.inspected = {.ops = &fake_ops, .pid = getpid()},
			     .rows = rows,
			     .row_count = ARRAY_COUNT(rows)};
	unlink(answer_path);
	return 0;
}

static struct error *run(const char *line)
{
	_cleanup_words_ struct words words = {0};
	_cleanup_arguments_ struct arguments arguments = {0};
	const struct command *command;
	int status;

	assert_null(words_split(line, &words));
	assert_null(command_find(words.list[0], COMMAND_IN_SHELL, &command));
	assert_null(arguments_parse(command, (int)words.count, words.list, &arguments));
	return command_run(command, &arguments, &fake.inspected, NULL, NULL, &status);
}

// Runs @line with its answer in a file and returns the file's text, to be freed.
static char *answer(const char *line)
{
	char with_output[256];
	char *text = NULL;
	size_t size = 0;

	snprintf(with_output, sizeof(with_output), "%s --force -o %s", line, answer_path);
	assert_null(run(with_output));
	FILE *file = fopen(answer_path, "r");
	assert_non_null(file);
	assert_true(getdelim(&text, &size, '\0', file) > 0);
	fclose(file);
	return text;
}

static json_t *answer_json(const char *line)
{
	_cleanup_free_ char *text = answer(line);
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	assert_non_null(root);
	return root;
}

// Names of the rows as "a b c".
static void assert_types(const char *line, const char *names)
{
	_cleanup_text_ struct text text = {0};
	json_t *root = answer_json(line);
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(root, "types"), i, row) assert_null(text_appendf(
		&text, "%s%s", i ? " " : "", json_string_value(json_object_get(row, "name"))));
	assert_string_equal(text_chars(&text), names);
	json_decref(root);
}

static bool is_sentence_part(const char *text)
{
	size_t length = strlen(text);

	return length > 3 && !isupper((unsigned char)text[0]) && text[length - 1] != '.';
}

static void every_verb_is_described(void **state)
{
	for (size_t i = 0; commands[i]; i++) {
		assert_true(is_sentence_part(commands[i]->summary));
		assert_non_null(commands[i]->description);
		assert_non_null(commands[i]->words);
		assert_non_null(commands[i]->run);
		assert_true(commands[i]->flags & COMMAND_EVERYWHERE);
		assert_true(commands[i]->words_max >= commands[i]->words_min);
		assert_true(commands[i]->option_count <= ARGUMENTS_OPTIONS_MAX);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(commands[i]->name, commands[j]->name);
	}
}

static void every_option_is_whole(void **state)
{
	for (size_t i = 0; commands[i]; i++) {
		for (size_t j = 0; j < commands[i]->option_count; j++) {
			const struct command_option *option = &commands[i]->options[j];
			assert_non_null(option->name);
			assert_int_equal(option->word == COMMAND_FLAG, option->argument == NULL);
			assert_int_equal(option->word == COMMAND_CHOICE, option->choices != NULL);
			for (size_t k = 0; k < ARGUMENTS_COMMON_COUNT; k++) {
				const struct command_option *common = &command_options_common[k];
				assert_string_not_equal(option->name, common->name);
				assert_true(!option->letter || option->letter != common->letter);
			}
		}
	}
}

// The verb is looked for before its options are known, so that an option must not take an argument
// in one verb and none in another.
static void an_option_means_the_same_in_every_verb(void **state)
{
	for (size_t i = 0; commands[i]; i++)
		for (size_t j = 0; commands[j]; j++)
			for (size_t k = 0; k < commands[i]->option_count; k++)
				for (size_t l = 0; l < commands[j]->option_count; l++) {
					const struct command_option *a = &commands[i]->options[k];
					const struct command_option *b = &commands[j]->options[l];
					if (!strcmp(a->name, b->name) ||
					    (a->letter && a->letter == b->letter))
						assert_int_equal(a->word == COMMAND_FLAG,
								 b->word == COMMAND_FLAG);
				}
}

// What makes a verb end with status 3 is asked for, or does not happen.
static void an_option_without_a_default_names_none_in_help(void **state)
{
	for (size_t i = 0; commands[i]; i++)
		for (size_t j = 0; j < commands[i]->option_count; j++) {
			const struct command_option *option = &commands[i]->options[j];
			_cleanup_free_ char *text = NULL;
			size_t bytes;
			FILE *out = open_memstream(&text, &bytes);
			if (strcmp(option->name, "fail-on") != 0) {
				fclose(out);
				continue;
			}
			help_command(out, commands[i], COMMAND_IN_SHELL);
			fclose(out);
			const char *line = strstr(text, "--fail-on ");
			assert_non_null(line);
			assert_null(memmem(line, strcspn(line, "\n"), "unless given", 12));
		}
}

static void every_example_can_be_parsed(void **state)
{
	for (size_t i = 0; commands[i]; i++) {
		for (size_t j = 0; j < commands[i]->example_count; j++) {
			_cleanup_words_ struct words words = {0};
			_cleanup_arguments_ struct arguments arguments = {0};
			assert_null(words_split(commands[i]->examples[j].words, &words));
			assert_string_equal(words.list[0], commands[i]->name);
			assert_null(arguments_parse(commands[i], (int)words.count, words.list,
						    &arguments));
		}
	}
}

static void types_sorts_by_every_column(void **state)
{
	assert_types("types --json", "dict shop.Cart shop.Item");
	assert_types("types --json --sort count", "dict shop.Cart shop.Item");
	assert_types("types --json --sort tracked", "dict shop.Cart shop.Item");
	assert_types("types --json --sort size", "shop.Cart shop.Item dict");
	assert_types("types --json --sort refs", "shop.Item dict shop.Cart");
	assert_types("types --json --sort name", "dict shop.Cart shop.Item");
}

static void types_filters_by_text_and_by_pattern(void **state)
{
	assert_types("types --json --filter shop", "shop.Cart shop.Item");
	assert_types("types --json --filter Cart", "shop.Cart");
	assert_types("types --json --filter 'shop.*'", "shop.Cart shop.Item");
	assert_types("types --json --filter '*.[IJ]tem'", "shop.Item");
	assert_types("types --json --filter 'Cart*'", "");
	assert_types("types --json --filter nothing", "");
}

static void the_total_is_that_of_what_was_asked_for(void **state)
{
	json_t *root = answer_json("types --json --filter shop -n 1");
	int count, tracked, size, refs, rest_types, rest_size;

	assert_int_equal(json_unpack(root, "{s:{s:i, s:i, s:i, s:i}, s:{s:i, s:i}}", "total",
				     "count", &count, "tracked", &tracked, "size", &size, "refs",
				     &refs, "rest", "types", &rest_types, "size", &rest_size),
			 0);
	assert_int_equal(count, 30);
	assert_int_equal(tracked, 20);
	assert_int_equal(size, 1400);
	assert_int_equal(refs, 80);
	assert_int_equal(rest_types, 1);
	assert_int_equal(rest_size, 500);
	assert_int_equal(json_array_size(json_object_get(root, "types")), 1);
	json_decref(root);
}

static void what_a_limit_leaves_out_is_one_row(void **state)
{
	_cleanup_free_ char *text = answer("types -q -n 1");

	assert_string_equal(text, "TYPE            COUNT  TRACKED     SIZE  REFS\n"
				  "dict               30       20    100 B    40\n"
				  "(2 more types)     30       20  1.4 KiB    80\n"
				  "total              60       40  1.5 KiB   120\n");
}

static void info_tells_what_is_known(void **state)
{
	json_t *root = answer_json("info --json");
	int enabled, debug, garbage, gil, interpreters, rss;

	assert_int_equal(json_unpack(root,
				     "{s:{s:b, s:i, s:[i, i, i], s:i, s:n}, s:[{s:i, s:b}, {s:n}], "
				     "s:i, s:{s:i}}",
				     "gc", "enabled", &enabled, "debug", &debug, "thresholds", &rss,
				     &rss, &rss, "garbage", &garbage, "frozen", "threads", "tid",
				     &rss, "gil", &gil, "tid", "interpreters", &interpreters,
				     "memory", "rss", &rss),
			 0);
	assert_false(enabled);
	assert_int_equal(debug, 4);
	assert_int_equal(garbage, 5);
	assert_true(gil);
	assert_int_equal(interpreters, 1);
	assert_true(rss > 0);
	assert_null(json_object_get(root, "ref_total"));
	assert_true(json_array_size(json_object_get(root, "argv")) > 0);
	json_decref(root);
}

static void an_existing_file_is_not_overwritten_and_the_process_not_stopped(void **state)
{
	char line[128];

	snprintf(line, sizeof(line), "types -o %s", answer_path);
	assert_null(run(line));
	_cleanup_error_ struct error *error = run(line);
	assert_non_null(error);
	assert_int_equal(error->code, ERROR_FAILED);
	assert_non_null(strstr(error->message, "--force"));
	assert_int_equal(fake.census_count, 1);
	strcat(line, " --force");
	assert_null(run(line));
}

static void a_failure_leaves_no_file(void **state)
{
	char line[128];

	fake.gone = true;
	snprintf(line, sizeof(line), "types -o %s", answer_path);
	_cleanup_error_ struct error *error = run(line);
	assert_non_null(error);
	assert_int_equal(error->code, ERROR_GONE);
	// Neither under its name nor under another: the folder is empty.
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(mkdir(folder, 0700), 0);
}

static void a_failure_leaves_the_old_file_as_it_was(void **state)
{
	char line[128];

	_cleanup_free_ char *before = answer("types -q");
	fake.gone = true;
	snprintf(line, sizeof(line), "types --force -o %s", answer_path);
	_cleanup_error_ struct error *error = run(line);
	assert_non_null(error);
	fake.gone = false;
	FILE *file = fopen(answer_path, "r");
	_cleanup_free_ char *after = calloc(1, 4096);
	assert_int_equal(fread(after, 1, 4095, file), strlen(before));
	fclose(file);
	assert_string_equal(after, before);
}

static void a_file_gets_the_rights_that_the_umask_leaves(void **state)
{
	struct stat status;
	mode_t before = umask(027);

	free(answer("types"));
	umask(before);
	assert_int_equal(stat(answer_path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0640);
}

static void a_symbolic_link_stays_one(void **state)
{
	char link_path[sizeof(answer_path) + 8], line[128];
	struct stat status;

	free(answer("types"));
	snprintf(link_path, sizeof(link_path), "%s-link", answer_path);
	assert_int_equal(symlink(answer_path, link_path), 0);
	snprintf(line, sizeof(line), "types --force -o %s", link_path);
	assert_null(run(line));
	assert_int_equal(lstat(link_path, &status), 0);
	assert_true(S_ISLNK(status.st_mode));
	unlink(link_path);
}

static void a_device_is_written_in_place(void **state)
{
	struct stat status;

	assert_null(run("types -o /dev/null"));
	assert_int_equal(stat("/dev/null", &status), 0);
	assert_true(S_ISCHR(status.st_mode));
}

static void assert_completes(unsigned place, const char *before, const char *word,
			     const char *expected)
{
	static char *const types[] = {(char *)"shop.Cart", (char *)"shop.Item", (char *)"dict"};
	_cleanup_words_ struct words words = {0};
	_cleanup_completion_ struct completion completion = {0};
	_cleanup_text_ struct text got = {0};

	assert_null(words_split(before, &words));
	const struct complete_question question = {
		.place = place,
		.before = words.list,
		.before_count = words.count,
		.word = word,
		.types = types,
		.type_count = ARRAY_COUNT(types),
	};
	assert_null(complete_words(&question, &completion));
	for (size_t i = 0; i < completion.count; i++)
		assert_null(text_appendf(&got, "%s%s", i ? " " : "", completion.list[i]));
	if (completion.other == COMMAND_PID)
		assert_null(text_appendf(&got, "@pid"));
	if (completion.other == COMMAND_FILE)
		assert_null(text_appendf(&got, "@file"));
	assert_string_equal(text_chars(&got), expected);
}

static void completion_knows_what_may_stand_next(void **state)
{
	assert_completes(COMMAND_IN_SHELL, "", "t", "types threads");
	assert_completes(COMMAND_IN_SHELL, "", "q", "");
	assert_completes(COMMAND_IN_CONSOLE, "", "q", "quit");
	assert_completes(COMMAND_IN_SHELL, "types", "", "@pid");
	assert_completes(COMMAND_IN_SHELL, "types --json", "", "@pid");
	assert_completes(COMMAND_IN_SHELL, "types -p", "", "@pid");
	assert_completes(COMMAND_IN_SHELL, "types -p 1", "", "");
	assert_completes(COMMAND_IN_CONSOLE, "types", "", "");
	assert_completes(COMMAND_IN_SHELL, "types 1", "--so", "--sort");
	assert_completes(COMMAND_IN_SHELL, "types 1 --sort", "s", "size");
	assert_completes(COMMAND_IN_SHELL, "types 1", "--sort=",
			 "--sort=count --sort=tracked "
			 "--sort=size --sort=refs "
			 "--sort=name");
	assert_completes(COMMAND_IN_SHELL, "types 1", "-s", "");
	assert_completes(COMMAND_IN_CONSOLE, "types -f", "sh", "shop.Cart shop.Item");
	assert_completes(COMMAND_IN_CONSOLE, "types --filter", "shop.C", "shop.Cart");
	assert_completes(COMMAND_IN_CONSOLE, "types -o", "", "@file");
	assert_completes(COMMAND_IN_CONSOLE, "help", "ty", "types");
	assert_completes(COMMAND_IN_CONSOLE, "referrers", "shop.C", "shop.Cart");
	assert_completes(COMMAND_IN_CONSOLE, "refs dict", "d", "dict");
	assert_completes(COMMAND_IN_CONSOLE, "show", "shop.I", "shop.Item");
	assert_completes(COMMAND_IN_CONSOLE, "cycles --state", "p", "pending");
	assert_completes(COMMAND_IN_CONSOLE, "", "refr", "refresh");
	assert_completes(COMMAND_IN_SHELL, "", "refr", "");
	assert_completes(COMMAND_IN_SHELL, "show", "", "@pid");
	assert_completes(COMMAND_IN_CONSOLE, "types", "--p", "");
	assert_completes(COMMAND_IN_SHELL, "nonsense", "", "");
	assert_completes(COMMAND_IN_SHELL, "help", "--",
			 "--no-color --quiet --verbose --help "
			 "--version");
}

static void errors_are_shown_without_harm(void **state)
{
	_cleanup_text_ struct text text = {0};
	_cleanup_error_ struct error *error =
		error_create(ERROR_USAGE, "no '\033[31m\nroot: done'");

	assert_null(command_format_error(error, &command_types, COMMAND_IN_SHELL, &text));
	assert_string_equal(text_chars(&text), "leakinspect: no '\\x1b[31m\\x0aroot: done'\n"
					       "try 'leakinspect help types'\n");
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup(function, given_a_process)
	const struct CMUnitTest tests[] = {
		TEST(every_verb_is_described),
		TEST(every_option_is_whole),
		TEST(an_option_means_the_same_in_every_verb),
		TEST(an_option_without_a_default_names_none_in_help),
		TEST(every_example_can_be_parsed),
		TEST(types_sorts_by_every_column),
		TEST(types_filters_by_text_and_by_pattern),
		TEST(the_total_is_that_of_what_was_asked_for),
		TEST(what_a_limit_leaves_out_is_one_row),
		TEST(info_tells_what_is_known),
		TEST(an_existing_file_is_not_overwritten_and_the_process_not_stopped),
		TEST(a_failure_leaves_no_file),
		TEST(a_failure_leaves_the_old_file_as_it_was),
		TEST(a_file_gets_the_rights_that_the_umask_leaves),
		TEST(a_symbolic_link_stays_one),
		TEST(a_device_is_written_in_place),
		TEST(completion_knows_what_may_stand_next),
		TEST(errors_are_shown_without_harm),
	};

	if (!mkdtemp(folder))
		return 1;
	snprintf(answer_path, sizeof(answer_path), "%s/answer", folder);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(answer_path);
	rmdir(folder);
	return failed;
}
