// SPDX-License-Identifier: GPL-3.0-or-later
// Saved layouts: the same answers without the slow source, and nothing of what a file could say
// wrong.
#include "debug/layout_cache.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "debug/object_members.h"
#include "support/scratch.h"

static const char build_id[] = "0123456789abcdef0123456789abcdef01234567";

// A slow source that counts how often it is opened and asked.
static size_t opened_count, asked_count;
/** What opening it, or asking it, fails with; NULL for nothing. */
static const char *open_failure, *ask_failure;

static struct error *slow_ask(void)
{
	asked_count++;
	return ask_failure ? error_create(ERROR_FAILED, "%s", ask_failure) : NULL;
}

static struct error *slow_type_size(struct layout_source *source, const char *type, bool *present,
				    uint64_t *ret)
{
	*present = strcmp(type, "PyObject") == 0;
	if (*present)
		*ret = 16;
	return slow_ask();
}

static struct error *slow_member(struct layout_source *source, const char *type, const char *path,
				 bool *present, struct layout_member *ret)
{
	*present = strcmp(type, "PyASCIIObject") == 0;
	if (*present)
		*ret = (struct layout_member){
			.offset_bytes = 4294967295U,
			.size_bytes = 4,
			.bit_offset = 2,
			.bit_count = 3,
			.kind = LAYOUT_ARRAY,
			.element_count = 7,
		};
	return slow_ask();
}

static struct error *slow_variable(struct layout_source *source, const char *name, const char *type,
				   bool *present, struct layout_variable *ret)
{
	*present = strcmp(name, "block_list") == 0;
	if (*present)
		*ret = (struct layout_variable){
			.address = type ? 0xffffffffffffffffU : 0x5000,
			.size_bytes = 8,
			.kind = LAYOUT_POINTER,
		};
	return slow_ask();
}

static void slow_destroy(struct layout_source *source)
{
	free(source);
}

static struct error *slow_object(struct layout_source *source, const struct layout_object *object,
				 bool *present, const struct object_members **ret)
{
	static const struct object_member list[] = {{16, 1, "first"}, {24, 0, "rest[0].more"}};
	static const struct object_members members = {"thing", 4294967296U, list, 2};

	*present = object->function == 0x1a2b3c;
	*ret = *present ? &members : NULL;
	return slow_ask();
}

static struct error *slow_open(void *context, struct layout_source **ret)
{
	static const struct layout_source_ops ops = {slow_type_size, slow_member, slow_variable,
						     slow_destroy, slow_object};

	opened_count++;
	if (open_failure)
		return error_create(ERROR_UNSUPPORTED, "%s", open_failure);
	*ret = calloc(1, sizeof(**ret));
	assert_non_null(*ret);
	**ret = (struct layout_source){&ops, "the slow source"};
	return NULL;
}

static struct layout_source *cache_open(const char *id)
{
	const struct layout_cache_backing backing = {slow_open, NULL};
	struct layout_source *cache = NULL;
	struct error *error = layout_cache_create(id, &backing, &cache);

	if (error)
		fail_msg("%s", error->message);
	return cache;
}

static void saves(struct layout_source *cache)
{
	struct error *error = layout_cache_save(cache);

	if (error)
		fail_msg("%s", error->message);
}

static void objects_are_answered(struct layout_source *cache)
{
	const struct layout_object object = {0x1a2b3c, NULL, "PyObject", 24};
	const struct layout_object nosuch = {.name = "nosuch", .base = "PyObject"};
	const struct object_members *members = NULL;
	bool present = false;

	assert_null(layout_object(cache, &object, &present, &members));
	assert_true(present);
	assert_string_equal(members->struct_name, "thing");
	assert_true(members->struct_bytes == 4294967296U);
	assert_int_equal(members->count, 2);
	assert_string_equal(members->list[0].name, "first");
	assert_int_equal(members->list[1].offset_bytes, 24);
	assert_int_equal(members->list[1].count, 0);
	assert_string_equal(members->list[1].name, "rest[0].more");
	assert_null(layout_object(cache, &nosuch, &present, &members));
	assert_false(present);
}

/** Asks every kind of question, present and absent, and checks the answers. */
static void answers_everything(struct layout_source *cache)
{
	bool present = false;
	uint64_t bytes = 0;
	struct layout_member member = {0};
	struct layout_variable variable = {0};

	assert_null(layout_type_size(cache, "PyObject", &present, &bytes));
	assert_true(present);
	assert_int_equal(bytes, 16);
	assert_null(layout_type_size(cache, "nosuch", &present, &bytes));
	assert_false(present);
	assert_null(layout_member(cache, "PyASCIIObject", "state.kind[2]", &present, &member));
	assert_true(present);
	assert_int_equal(member.offset_bytes, 4294967295U);
	assert_int_equal(member.size_bytes, 4);
	assert_int_equal(member.bit_offset, 2);
	assert_int_equal(member.bit_count, 3);
	assert_int_equal(member.kind, LAYOUT_ARRAY);
	assert_int_equal(member.element_count, 7);
	assert_null(layout_member(cache, "nosuch", "state", &present, &member));
	assert_false(present);
	assert_null(layout_variable(cache, "block_list", "PyIntBlock", &present, &variable));
	assert_true(present);
	assert_true(variable.address == 0xffffffffffffffffU);
	assert_int_equal(variable.size_bytes, 8);
	assert_int_equal(variable.kind, LAYOUT_POINTER);
	assert_null(layout_variable(cache, "block_list", NULL, &present, &variable));
	assert_true(present);
	assert_int_equal(variable.address, 0x5000);
	assert_null(layout_variable(cache, "interp_head", NULL, &present, &variable));
	assert_false(present);
	objects_are_answered(cache);
}

enum { QUESTIONS = 9 };

static struct scratch *scratch;

/** The saved layout's path. */
static const char *saved_path(void)
{
	return scratch_path(scratch, "cache/leakinspect/"
				     "0123456789abcdef0123456789abcdef01234567.layout");
}

static int set_up(void **state)
{
	scratch = scratch_create();
	setenv("XDG_CACHE_HOME", scratch_path(scratch, "cache"), 1);
	opened_count = asked_count = 0;
	open_failure = ask_failure = NULL;
	return 0;
}

static int tear_down(void **state)
{
	scratch_destroy(scratch);
	return 0;
}

static void save_one(void)
{
	struct layout_source *cache = cache_open(build_id);

	answers_everything(cache);
	saves(cache);
	layout_source_destroy(cache);
}

static void what_was_asked_once_is_answered_without_the_slow_source(void **state)
{
	struct layout_source *cache = cache_open(build_id);
	assert_true(layout_cache_is_empty(cache));
	assert_false(layout_cache_is_cold(cache));
	answers_everything(cache);
	assert_true(layout_cache_is_cold(cache));
	assert_string_equal(cache->origin, "the slow source");
	answers_everything(cache);
	assert_int_equal(asked_count, QUESTIONS);
	saves(cache);
	layout_source_destroy(cache);

	cache = cache_open(build_id);
	assert_false(layout_cache_is_empty(cache));
	answers_everything(cache);

	assert_false(layout_cache_is_cold(cache));
	assert_int_equal(opened_count, 1);
	assert_int_equal(asked_count, QUESTIONS);
	assert_non_null(strstr(cache->origin, saved_path()));
	assert_non_null(strstr(cache->origin, "the slow source"));
	layout_source_destroy(cache);
}

static void a_new_question_is_added_to_what_was_saved(void **state)
{
	bool present = true;
	uint64_t bytes = 0;

	save_one();
	struct layout_source *cache = cache_open(build_id);
	assert_null(layout_type_size(cache, "another", &present, &bytes));
	assert_true(layout_cache_is_cold(cache));
	saves(cache);
	layout_source_destroy(cache);

	cache = cache_open(build_id);
	answers_everything(cache);
	assert_null(layout_type_size(cache, "another", &present, &bytes));
	assert_false(layout_cache_is_cold(cache));
	layout_source_destroy(cache);
}

static void nothing_learned_writes_nothing(void **state)
{
	struct stat before, after;

	struct layout_source *cache = cache_open(build_id);
	saves(cache);
	assert_int_not_equal(access(scratch_path(scratch, "cache"), F_OK), 0);
	layout_source_destroy(cache);

	save_one();
	assert_int_equal(stat(saved_path(), &before), 0);
	cache = cache_open(build_id);
	answers_everything(cache);
	saves(cache);
	assert_int_equal(stat(saved_path(), &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	layout_source_destroy(cache);
}

static void the_file_and_its_directory_are_for_the_user_alone(void **state)
{
	struct stat status;

	save_one();
	assert_int_equal(stat(saved_path(), &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	assert_int_equal(stat(scratch_path(scratch, "cache/leakinspect"), &status), 0);
	assert_int_equal(status.st_mode & 0777, 0700);
	_cleanup_free_ char *files = scratch_output(scratch, "ls -A $S/cache/leakinspect | wc -l");
	assert_int_equal(atoi(files), 1);
}

static void without_a_usable_build_id_nothing_is_saved(void **state)
{
	const char *const ids[] = {
		NULL, "", "abc", "../../../../etc/passwd", "0123456789ABCDEF", "01234567/89abcdef",
	};

	for (size_t i = 0; i < ARRAY_COUNT(ids); i++) {
		struct layout_source *cache = cache_open(ids[i]);
		answers_everything(cache);
		saves(cache);
		layout_source_destroy(cache);
	}
	assert_int_not_equal(access(scratch_path(scratch, "cache"), F_OK), 0);
}

static void without_xdg_cache_home_it_is_in_the_home_directory(void **state)
{
	setenv("HOME", scratch_path(scratch, "home"), 1);
	scratch_run(scratch, "mkdir $S/home");
	// "must be absolute [...] consider the path invalid and ignore it"
	setenv("XDG_CACHE_HOME", "relative", 1);
	save_one();
	scratch_run(scratch, "test -f $S/home/.cache/leakinspect/%s.layout && rm -r $S/home/.cache",
		    build_id);
	unsetenv("XDG_CACHE_HOME");
	save_one();
	scratch_run(scratch, "test -f $S/home/.cache/leakinspect/%s.layout", build_id);
	unsetenv("HOME");
	save_one();
	setenv("HOME", "/", 1);
}

static void an_unwritable_directory_is_reported_and_all_works(void **state)
{
	// A file where the directory should be stops root too.
	scratch_run(scratch, "mkdir $S/cache && : >$S/cache/leakinspect");
	struct layout_source *cache = cache_open(build_id);
	answers_everything(cache);
	_cleanup_error_ struct error *error = layout_cache_save(cache);
	assert_non_null(error);
	assert_non_null(strstr(error->message, "not saved"));
	answers_everything(cache);
	layout_source_destroy(cache);
}

static void a_directory_of_another_user_is_left_alone(void **state)
{
	if (geteuid() != 0)
		skip();
	scratch_run(scratch, "mkdir $S/cache && chown 12345 $S/cache");
	struct layout_source *cache = cache_open(build_id);
	answers_everything(cache);
	_cleanup_error_ struct error *error = layout_cache_save(cache);
	assert_non_null(error);
	assert_non_null(strstr(error->message, "another user"));
	assert_int_not_equal(access(scratch_path(scratch, "cache/leakinspect"), F_OK), 0);
	layout_source_destroy(cache);
}

static void a_file_of_another_user_is_not_read(void **state)
{
	if (geteuid() != 0)
		skip();
	save_one();
	assert_int_equal(chown(saved_path(), 12345, 12345), 0);
	struct layout_source *cache = cache_open(build_id);
	assert_true(layout_cache_is_empty(cache));
	layout_source_destroy(cache);
}

/** Whether the file as it is now is taken for a saved layout. */
static bool is_taken(void)
{
	struct layout_source *cache = cache_open(build_id);
	bool taken = !layout_cache_is_empty(cache);

	// Whatever it is, all questions are answered, and rightly.
	answers_everything(cache);
	layout_source_destroy(cache);
	return taken;
}

static void write_saved(const char *bytes, size_t count)
{
	FILE *file = fopen(saved_path(), "we");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, count, file), count);
	assert_int_equal(fclose(file), 0);
}

static void a_file_that_is_cut_off_anywhere_is_not_there(void **state)
{
	size_t bytes = 0;

	save_one();
	assert_true(is_taken());
	_cleanup_free_ char *text = scratch_read(saved_path(), &bytes);
	for (size_t left = 0; left < bytes; left++) {
		write_saved(text, left);
		assert_false(is_taken());
	}
}

static void a_file_with_any_byte_changed_is_not_there(void **state)
{
	size_t bytes = 0;

	save_one();
	_cleanup_free_ char *text = scratch_read(saved_path(), &bytes);
	for (size_t i = 0; i < bytes; i++) {
		char byte = text[i];
		text[i] ^= 1 << i % 8;
		write_saved(text, bytes);
		assert_false(is_taken());
		text[i] = byte;
	}
	write_saved(text, bytes);
	assert_true(is_taken());
}

/** Writes @a body, in place of the answers, with a checksum that is right. */
static void write_forged(const char *body)
{
	size_t bytes = 0;
	uint64_t hash = 14695981039346656037U;
	_cleanup_free_ char *text = scratch_read(saved_path(), &bytes), *forged = NULL;
	char *answers = strchr(strchr(strchr(text, '\n') + 1, '\n') + 1, '\n') + 1;

	*answers = '\0';
	assert_true(asprintf(&forged, "%s%s", text, body) >= 0);
	for (const char *at = forged; *at; at++)
		hash = (hash ^ (unsigned char)*at) * 1099511628211U;
	FILE *file = fopen(saved_path(), "we");
	assert_non_null(file);
	fprintf(file, "%schecksum %016" PRIx64 "\n", forged, hash);
	assert_int_equal(fclose(file), 0);
}

static void a_line_that_is_not_exactly_right_is_refused_with_its_file(void **state)
{
	static const char *const bodies[] = {
		"size PyObject = 16 \n",
		"size PyObject = \n",
		"size PyObject =\n",
		"size PyObject\n",
		"size PyObject = -16\n",
		"size PyObject = 0x10\n",
		"size PyObject = 99999999999999999999\n",
		"size PyObject absent 3\n",
		"size Py/Object = 16\n",
		"size  = 16\n",
		"weight PyObject = 16\n",
		"\n",
		"member PyObject ob_type = 8 8 0 0 pointer\n",
		"member PyObject ob_type = 8 8 0 0 pointer 0 0\n",
		"member PyObject ob_type = 8 8 0 0 pionter 0\n",
		"member PyObject ob_type = 8 8 0 256 pointer 0\n",
		"member PyObject ob_type = 4294967296 8 0 0 pointer 0\n",
		"member PyObject = 8 8 0 0 pointer 0\n",
		"variable arenas - = 5 4294967296 pointer\n",
		"variable arenas = 5 8 pointer\n",
		"variable arenas - present\n",
		"object function.1a.PyObject.24\n",
		"object function.1a.PyObject.24 absent 1\n",
		"object function.1a.PyObject.24 =\n",
		"object function.1a.PyObject.24 = thing\n",
		"object function.1a.PyObject.24 = thing 24 first 16\n",
		"object function.1a.PyObject.24 = thing 24 first 16 1 \n",
		"object function.1a.PyObject.24 = thing 24 first 4294967296 1\n",
		"object function.1a.PyObject.24 = th/ing 24\n",
		"object a absent\nobject a absent\n",
	};

	save_one();
	write_forged("size PyObject = 16\nvariable block_list - = 20480 8 pointer\n"
		     "object function.1a.PyObject.24 = thing 24 first 16 1\n");
	assert_true(is_taken());
	for (size_t i = 0; i < ARRAY_COUNT(bodies); i++) {
		write_forged(bodies[i]);
		if (is_taken())
			fail_msg("taken: %s", bodies[i]);
	}
}

static void the_layout_of_another_build_or_version_is_not_there(void **state)
{
	save_one();
	scratch_run(scratch, "cd $S/cache/leakinspect && sed -i 's/^build-id 0/build-id 1/' *");
	assert_false(is_taken());
	scratch_run(scratch, "rm $S/cache/leakinspect/*");
	save_one();
	write_forged("");
	scratch_run(scratch, "cd $S/cache/leakinspect && sed -i '1s/ [0-9]* / 999 /' *");
	write_forged("size PyObject = 16\n");
	assert_false(is_taken());
}

static void a_file_that_is_too_large_or_none_is_not_read(void **state)
{
	save_one();
	scratch_run(scratch, "truncate -s 3G $S/cache/leakinspect/*");
	assert_false(is_taken());
	scratch_run(scratch, "cd $S/cache/leakinspect && mv * x && mkfifo %s.layout", build_id);
	assert_false(is_taken());
	scratch_run(scratch, "cd $S/cache/leakinspect && rm -f *.layout && mkdir %s.layout",
		    build_id);
	assert_false(is_taken());
}

static void an_error_is_passed_on_and_not_remembered(void **state)
{
	bool present = false;
	uint64_t bytes = 0;
	struct layout_source *cache = cache_open(build_id);

	ask_failure = "the unit is damaged";
	for (int i = 0; i < 2; i++) {
		_cleanup_error_ struct error *error =
			layout_type_size(cache, "PyObject", &present, &bytes);
		assert_non_null(error);
		assert_string_equal(error->message, "the unit is damaged");
	}
	assert_true(layout_cache_is_empty(cache));
	ask_failure = NULL;
	answers_everything(cache);
	layout_source_destroy(cache);
}

static void a_slow_source_that_cannot_be_opened_is_tried_once(void **state)
{
	bool present = false;
	uint64_t bytes = 0;

	save_one();
	opened_count = 0;
	open_failure = "install the debug package";
	struct layout_source *cache = cache_open(build_id);
	answers_everything(cache);
	for (int i = 0; i < 3; i++) {
		_cleanup_error_ struct error *error =
			layout_type_size(cache, "another", &present, &bytes);
		assert_non_null(error);
		assert_int_equal(error->code, ERROR_UNSUPPORTED);
		assert_string_equal(error->message, "install the debug package");
	}
	assert_int_equal(opened_count, 1);
	saves(cache);
	layout_source_destroy(cache);
}

static void writers_at_the_same_time_leave_one_whole_file(void **state)
{
	enum { WRITERS = 8, ROUNDS = 40 };
	pid_t writers[WRITERS];

	for (int w = 0; w < WRITERS; w++) {
		writers[w] = fork();
		if (writers[w] == 0) {
			for (int round = 0; round < ROUNDS; round++) {
				unlink(saved_path());
				save_one();
			}
			_exit(0);
		}
	}
	for (int i = 0; i < 200; i++)
		is_taken();
	for (int w = 0; w < WRITERS; w++) {
		int status = -1;
		assert_int_equal(waitpid(writers[w], &status, 0), writers[w]);
		assert_int_equal(status, 0);
	}
	assert_true(is_taken());
	_cleanup_free_ char *files = scratch_output(scratch, "ls -A $S/cache/leakinspect | wc -l");
	assert_int_equal(atoi(files), 1);
}

#define WITH_CACHE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CACHE(what_was_asked_once_is_answered_without_the_slow_source),
		WITH_CACHE(a_new_question_is_added_to_what_was_saved),
		WITH_CACHE(nothing_learned_writes_nothing),
		WITH_CACHE(the_file_and_its_directory_are_for_the_user_alone),
		WITH_CACHE(without_a_usable_build_id_nothing_is_saved),
		WITH_CACHE(without_xdg_cache_home_it_is_in_the_home_directory),
		WITH_CACHE(an_unwritable_directory_is_reported_and_all_works),
		WITH_CACHE(a_directory_of_another_user_is_left_alone),
		WITH_CACHE(a_file_of_another_user_is_not_read),
		WITH_CACHE(a_file_that_is_cut_off_anywhere_is_not_there),
		WITH_CACHE(a_file_with_any_byte_changed_is_not_there),
		WITH_CACHE(a_line_that_is_not_exactly_right_is_refused_with_its_file),
		WITH_CACHE(the_layout_of_another_build_or_version_is_not_there),
		WITH_CACHE(a_file_that_is_too_large_or_none_is_not_read),
		WITH_CACHE(an_error_is_passed_on_and_not_remembered),
		WITH_CACHE(a_slow_source_that_cannot_be_opened_is_tried_once),
		WITH_CACHE(writers_at_the_same_time_leave_one_whole_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
