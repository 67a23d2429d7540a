// SPDX-License-Identifier: GPL-3.0-or-later
// What the debug information says, against what the compiler says: tests/programs/shapes.c,
// compiled in every way that matters, prints the truth about its types and variables. What is not
// as it should be is in test_damaged_files.c.
#include "debug/dwarf_types.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "support/scratch.h"

static const char sources[] = "tests/programs/shapes.c tests/programs/shapes_other.c";

struct variant {
	/** The compiler and its flags. */
	const char *compiler;
	/** Run on $S/shapes afterwards; the debug information is in $S/debug then. NULL
	 *  for none. */
	const char *split;
};

enum { LINE_CHARS = 256 };

static const char *const kinds[] = {
	[LAYOUT_UNSIGNED] = "unsigned", [LAYOUT_SIGNED] = "signed", [LAYOUT_POINTER] = "pointer",
	[LAYOUT_FLOAT] = "float",       [LAYOUT_STRUCT] = "struct", [LAYOUT_ARRAY] = "array",
	[LAYOUT_OTHER] = "other",
};

static void succeeds(struct error *error)
{
	if (error)
		fail_msg("%s", error->message);
}

static struct layout_source *source_open(const char *path)
{
	struct layout_source *source = NULL;

	succeeds(dwarf_types_create(path, &source));
	return source;
}

// Each of these writes what the source answers in the words of shapes.c.

static void size_print(struct layout_source *source, char **words, char *into)
{
	bool present = false;
	uint64_t bytes = 0;

	succeeds(layout_type_size(source, words[1], &present, &bytes));
	if (present)
		snprintf(into, LINE_CHARS, "size %s %" PRIu64, words[1], bytes);
	else
		snprintf(into, LINE_CHARS, "absent-size %s", words[1]);
}

static void member_print(struct layout_source *source, char **words, char *into)
{
	bool present = false;
	struct layout_member member;

	succeeds(layout_member(source, words[1], words[2], &present, &member));
	if (!present)
		snprintf(into, LINE_CHARS, "absent-member %s %s", words[1], words[2]);
	else if (member.bit_count == 0)
		snprintf(into, LINE_CHARS, "member %s %s %u %u %s %u", words[1], words[2],
			 member.offset_bytes, member.size_bytes, kinds[member.kind],
			 member.element_count);
	else if (member.bit_offset + member.bit_count > 8 * member.size_bytes)
		snprintf(into, LINE_CHARS, "%s is not within its word", words[2]);
	else
		snprintf(into, LINE_CHARS, "bits %s %s %u %u %s", words[1], words[2],
			 8 * member.offset_bytes + member.bit_offset, member.bit_count,
			 kinds[member.kind]);
}

static void variable_print(struct layout_source *source, char **words, char *into)
{
	bool present = false;
	struct layout_variable variable;
	const char *type = strcmp(words[2], "-") == 0 ? NULL : words[2];

	succeeds(layout_variable(source, words[1], type, &present, &variable));
	if (!present)
		snprintf(into, LINE_CHARS, "absent-variable %s %s", words[1], words[2]);
	else
		snprintf(into, LINE_CHARS, "variable %s %s %" PRIu64 " %u %s", words[1], words[2],
			 variable.address, variable.size_bytes, kinds[variable.kind]);
}

static void answers_line(struct layout_source *source, const char *line)
{
	char copy[LINE_CHARS], answer[LINE_CHARS] = "", *words[8] = {0}, *state = NULL;
	size_t count = 0;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok_r(copy, " ", &state); word && count < ARRAY_COUNT(words);
	     word = strtok_r(NULL, " ", &state))
		words[count++] = word;
	if (strstr(words[0], "size"))
		size_print(source, words, answer);
	else if (strstr(words[0], "variable"))
		variable_print(source, words, answer);
	else
		member_print(source, words, answer);
	assert_string_equal(answer, line);
}

static size_t answers_all(struct layout_source *source, const char *truth)
{
	_cleanup_free_ char *copy = strdup(truth);
	char *state = NULL;
	size_t count = 0;

	for (char *line = strtok_r(copy, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
		answers_line(source, line);
		count++;
	}
	return count;
}

// given: shapes.c, compiled; when: everything is asked; then: the answers are those of the
// compiler.
static void agrees_with_the_compiler(void **state)
{
	const struct variant *variant = *state;

	if (strncmp(variant->compiler, "clang", 5) == 0 && !scratch_has_program("clang"))
		skip();
	struct scratch *scratch = scratch_create();
	scratch_run(scratch, "%s -std=gnu11 -no-pie -o $S/shapes %s", variant->compiler, sources);
	_cleanup_free_ char *truth = scratch_output(scratch, "$S/shapes");
	if (variant->split)
		scratch_run(scratch, "%s", variant->split);
	struct layout_source *source =
		source_open(scratch_path(scratch, variant->split ? "debug" : "shapes"));

	size_t count = answers_all(source, truth);

	assert_in_range(count, 100, 1000);
	layout_source_destroy(source);
	scratch_destroy(scratch);
}

static void answers_do_not_depend_on_what_was_asked_before(void **state)
{
	struct scratch *scratch = scratch_create();
	scratch_run(scratch, "gcc -g -std=gnu11 -no-pie -o $S/shapes %s", sources);
	_cleanup_free_ char *truth = scratch_output(scratch, "$S/shapes");
	const char *path = scratch_path(scratch, "shapes");
	char *line_state = NULL;

	for (char *line = strtok_r(truth, "\n", &line_state); line;
	     line = strtok_r(NULL, "\n", &line_state)) {
		struct layout_source *fresh = source_open(path);
		answers_line(fresh, line);
		layout_source_destroy(fresh);
	}
	scratch_destroy(scratch);
}

static void of_several_definitions_the_first_of_the_file_is_taken(void **state)
{
	static const char one[] = "struct same { char c[3]; } a; int main(void) { return a.c[0]; }";
	static const char two[] = "struct same { char c[5]; } b; static int x; int *y = &x;";
	struct scratch *scratch = scratch_create();
	bool present = false;
	uint64_t bytes = 0;

	scratch_write(scratch, "one.c", one, strlen(one));
	scratch_write(scratch, "two.c", two, strlen(two));
	scratch_run(scratch,
		    "cd $S && gcc -g -o first one.c two.c && gcc -g -o second two.c one.c");
	struct layout_source *first = source_open(scratch_path(scratch, "first"));
	struct layout_source *second = source_open(scratch_path(scratch, "second"));

	// A name that is nowhere makes the one index everything before it is asked.
	succeeds(layout_type_size(second, "nosuch", &present, &bytes));
	succeeds(layout_type_size(first, "same", &present, &bytes));
	assert_int_equal(bytes, 3);
	succeeds(layout_type_size(second, "same", &present, &bytes));
	assert_int_equal(bytes, 5);
	layout_source_destroy(first);
	layout_source_destroy(second);
	scratch_destroy(scratch);
}

static void a_path_that_is_none_is_an_error_and_no_absence(void **state)
{
	static const char *const paths[] = {
		"",     ".",   "a.", ".a",    "a..b", "a[",    "a[]",
		"a[x]", "a[1", "a]", "a[-1]", "[",    "a[1]b", "a[99999999999]",
	};
	struct scratch *scratch = scratch_create();
	scratch_run(scratch, "gcc -g -std=gnu11 -o $S/shapes %s", sources);
	struct layout_source *source = source_open(scratch_path(scratch, "shapes"));

	for (size_t i = 0; i < ARRAY_COUNT(paths); i++) {
		bool present = true;
		struct layout_member member;
		_cleanup_free_ char *path = NULL;
		// Where the first steps exist, so that all of it is looked at.
		assert_true(asprintf(&path, "%s%s", paths[i][0] == 'a' ? "list" : "",
				     paths[i][0] == 'a' ? paths[i] + 1 : paths[i]) >= 0);
		_cleanup_error_ struct error *error =
			layout_member(source, "outer", path, &present, &member);
		if (!error)
			fail_msg("\"%s\" was taken", path);
		assert_int_equal(error->code, ERROR_USAGE);
		assert_non_null(strstr(error->message, path));
	}
	layout_source_destroy(source);
	scratch_destroy(scratch);
}

static void is_refused(const char *path, enum error_code code, const char *words)
{
	struct layout_source *source = NULL;
	_cleanup_error_ struct error *error = dwarf_types_create(path, &source);

	assert_non_null(error);
	assert_int_equal(error->code, code);
	assert_non_null(strstr(error->message, path));
	if (!strstr(error->message, words))
		fail_msg("\"%s\" is not in: %s", words, error->message);
}

static void a_file_without_debug_information_is_refused(void **state)
{
	struct scratch *scratch = scratch_create();

	scratch_run(scratch, "gcc -std=gnu11 -o $S/bare %s", sources);
	scratch_run(scratch, "gcc -std=gnu11 -g -o $S/stripped %s && strip $S/stripped", sources);
	is_refused(scratch_path(scratch, "bare"), ERROR_UNSUPPORTED, "no debug information");
	is_refused(scratch_path(scratch, "stripped"), ERROR_UNSUPPORTED, "no debug information");
	scratch_destroy(scratch);
}

static void debug_information_in_dwo_files_is_refused_with_words(void **state)
{
	struct scratch *scratch = scratch_create();

	scratch_run(scratch, "gcc -gdwarf-5 -gsplit-dwarf -std=gnu11 -dumpdir $S/ -o $S/split %s",
		    sources);
	is_refused(scratch_path(scratch, "split"), ERROR_UNSUPPORTED, "-gsplit-dwarf");
	scratch_destroy(scratch);
}

static void what_is_no_elf_file_is_refused(void **state)
{
	struct scratch *scratch = scratch_create();

	scratch_write(scratch, "text", "hello\n", 6);
	scratch_write(scratch, "empty", "", 0);
	scratch_run(scratch, "mkfifo $S/fifo");
	is_refused(scratch_path(scratch, "text"), ERROR_UNSUPPORTED, "no ELF file");
	is_refused(scratch_path(scratch, "empty"), ERROR_UNSUPPORTED, "no ELF file");
	is_refused(scratch_path(scratch, "fifo"), ERROR_UNSUPPORTED, "no regular file");
	is_refused(scratch_directory(scratch), ERROR_UNSUPPORTED, "no regular file");
	is_refused(scratch_path(scratch, "absent"), ERROR_FAILED, "No such file");
	scratch_destroy(scratch);
}

static void the_origin_names_the_file(void **state)
{
	struct scratch *scratch = scratch_create();

	scratch_run(scratch, "gcc -g -std=gnu11 -o $S/shapes %s", sources);
	struct layout_source *source = source_open(scratch_path(scratch, "shapes"));
	assert_non_null(strstr(source->origin, scratch_path(scratch, "shapes")));
	layout_source_destroy(source);
	scratch_destroy(scratch);
}

#define SPLIT "cd $S && objcopy --only-keep-debug shapes debug && strip shapes"

static const struct {
	const char *name;
	struct variant variant;
} comparisons[] = {
	{"dwarf_5_agrees_with_the_compiler", {"gcc -gdwarf-5 -O0", NULL}},
	{"dwarf_5_of_optimised_code_agrees", {"gcc -gdwarf-5 -O2", NULL}},
	{"dwarf_4_agrees_with_the_compiler", {"gcc -gdwarf-4 -O0", NULL}},
	{"dwarf_4_of_optimised_code_agrees", {"gcc -gdwarf-4 -O2", NULL}},
	{"dwarf_3_agrees_with_the_compiler", {"gcc -gdwarf-3 -O2", NULL}},
	{"dwarf_2_agrees_with_the_compiler", {"gcc -gdwarf-2 -gstrict-dwarf -O0", NULL}},
	{"dwarf_5_after_lto_agrees", {"gcc -gdwarf-5 -O2 -flto", NULL}},
	{"dwarf_4_after_lto_agrees", {"gcc -gdwarf-4 -O2 -flto", NULL}},
	{"compressed_sections_agree", {"gcc -gdwarf-5 -O2 -gz", NULL}},
	{"sections_compressed_the_old_way_agree", {"gcc -gdwarf-4 -O2 -gz=zlib-gnu", NULL}},
	{"type_units_of_dwarf_5_agree", {"gcc -gdwarf-5 -fdebug-types-section", NULL}},
	{"type_units_of_dwarf_4_agree", {"gcc -gdwarf-4 -fdebug-types-section", NULL}},
	{"a_separate_debug_file_agrees", {"gcc -gdwarf-5 -O2", SPLIT}},
	{"a_compressed_separate_debug_file_agrees", {"gcc -gdwarf-4 -O0 -gz", SPLIT}},
	{"a_separate_debug_file_like_debians_agrees", {"gcc -gdwarf-5 -O2 -flto -gz", SPLIT}},
	{"dwarf_5_of_clang_agrees", {"clang -gdwarf-5 -O0", NULL}},
	{"dwarf_4_of_clang_agrees", {"clang -gdwarf-4 -O2", NULL}},
};

int main(void)
{
	const struct CMUnitTest others[] = {
		cmocka_unit_test(answers_do_not_depend_on_what_was_asked_before),
		cmocka_unit_test(of_several_definitions_the_first_of_the_file_is_taken),
		cmocka_unit_test(a_path_that_is_none_is_an_error_and_no_absence),
		cmocka_unit_test(a_file_without_debug_information_is_refused),
		cmocka_unit_test(debug_information_in_dwo_files_is_refused_with_words),
		cmocka_unit_test(what_is_no_elf_file_is_refused),
		cmocka_unit_test(the_origin_names_the_file),
	};
	struct CMUnitTest tests[ARRAY_COUNT(comparisons) + ARRAY_COUNT(others)];

	for (size_t i = 0; i < ARRAY_COUNT(comparisons); i++)
		tests[i] = (struct CMUnitTest){
			.name = comparisons[i].name,
			.test_func = agrees_with_the_compiler,
			.initial_state = (void *)&comparisons[i].variant,
		};
	memcpy(tests + ARRAY_COUNT(comparisons), others, sizeof(others));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
