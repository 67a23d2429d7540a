// SPDX-License-Identifier: GPL-3.0-or-later
// The structs that functions work on, against what the compiler says: tests/programs/objects.c,
// compiled in every way that matters, prints the truth about them. And what of it is saved.
#include "debug/object_members.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "debug/dwarf_types.h"
#include "debug/layout_cache.h"
#include "support/scratch.h"

static const char sources[] = "tests/programs/objects.c tests/programs/objects_other.c";

enum {
	LINE_CHARS = 1024,
	CHANGES = 150,
	CHANGED_BYTES_MAX = 6,
};

static void succeeds(struct error *error)
{
	if (error)
		fail_msg("%s", error->message);
}

/** "absent", or the struct and its members in the words of objects.c. */
static void members_print(bool present, const struct object_members *members, struct text *into)
{
	if (!present) {
		succeeds(text_appendf(into, "absent"));
		return;
	}
	succeeds(text_appendf(into, "%s %" PRIu64, members->struct_name, members->struct_bytes));
	for (size_t i = 0; i < members->count; i++)
		succeeds(text_appendf(into, " %s %u %u", members->list[i].name,
				      members->list[i].offset_bytes, members->list[i].count));
}

/** Asks what a line of objects.c is about; *@a ret_truth is what it says to that. */
static struct error *line_ask(struct layout_source *source, const char *line, bool *present,
			      const struct object_members **ret, const char **ret_truth)
{
	char name[64];
	struct layout_object object = {.base = "PyObject"};
	int used = 0;

	assert_int_equal(sscanf(line, "%63s %" SCNx64 " %" SCNu64 " %n", name, &object.function,
				&object.size_bytes, &used),
			 3);
	*ret_truth = line + used;
	return layout_object(source, &object, present, ret);
}

static void answers_line(struct layout_source *source, const char *line)
{
	_cleanup_text_ struct text answer = {0};
	const struct object_members *members = NULL;
	const char *truth = NULL;
	bool present = false;

	succeeds(line_ask(source, line, &present, &members, &truth));
	members_print(present, members, &answer);
	if (strcmp(text_chars(&answer), truth) != 0)
		fail_msg("%s\nbut the answer is: %s", line, text_chars(&answer));
}

// given: objects.c, compiled; when: each function is asked about; then: its struct is as the
// compiler has it.
static void agrees_with_the_compiler(void **state)
{
	const char *compiler = *state;
	struct layout_source *source = NULL;
	char *line_state = NULL;
	size_t count = 0;

	if (strncmp(compiler, "clang", 5) == 0 && !scratch_has_program("clang"))
		skip();
	struct scratch *scratch = scratch_create();
	scratch_run(scratch, "%s -std=gnu11 -no-pie -o $S/objects %s", compiler, sources);
	_cleanup_free_ char *truth = scratch_output(scratch, "$S/objects");
	succeeds(dwarf_types_create(scratch_path(scratch, "objects"), &source));

	for (char *line = strtok_r(truth, "\n", &line_state); line;
	     line = strtok_r(NULL, "\n", &line_state)) {
		answers_line(source, line);
		count++;
	}

	assert_in_range(count, 15, 40);
	layout_source_destroy(source);
	scratch_destroy(scratch);
}

// What LTO may come to: the definition is described, its code is not.
static void a_function_whose_code_is_not_described_is_found_by_its_symbol(void **state)
{
	static const char text[] =
		"typedef struct _object { long ob_refcnt; struct _typeobject *ob_type; } "
		"PyObject;\n"
		"typedef struct { PyObject head; PyObject *held; } thing;\n"
		"struct _typeobject { PyObject head; };\n"
		"static inline __attribute__((always_inline)) void dealloc(thing *self)\n"
		"{ self->held = 0; }\n"
		"void user(thing *self) { dealloc(self); }\n"
		"__asm__(\".text\\n.type dealloc.lto_priv.0, @function\\n\"\n"
		"        \"dealloc.lto_priv.0: nop\\nnop\\n.size dealloc.lto_priv.0, 2\\n\");\n"
		"int main(void) { return 0; }\n";
	struct scratch *scratch = scratch_create();
	struct layout_source *source = NULL;
	const struct object_members *members = NULL;
	bool present = false;

	scratch_write(scratch, "t.c", text, strlen(text));
	scratch_run(scratch, "gcc -g -O2 -no-pie -o $S/t $S/t.c");
	_cleanup_free_ char *address =
		scratch_output(scratch, "nm $S/t | sed -n 's/ t dealloc.lto_priv.0//p'");
	succeeds(dwarf_types_create(scratch_path(scratch, "t"), &source));
	const struct layout_object object = {strtoul(address, NULL, 16), NULL, "PyObject", 24};

	succeeds(layout_object(source, &object, &present, &members));

	assert_true(present);
	assert_string_equal(members->struct_name, "thing");
	assert_int_equal(members->count, 1);
	layout_source_destroy(source);
	scratch_destroy(scratch);
}

static void a_struct_is_found_by_its_name(void **state)
{
	struct scratch *scratch = scratch_create();
	struct layout_source *source = NULL;
	const struct object_members *members = NULL, *again = NULL;
	bool present = false;

	scratch_run(scratch, "gcc -g -std=gnu11 -o $S/objects %s", sources);
	succeeds(dwarf_types_create(scratch_path(scratch, "objects"), &source));

	const struct layout_object tagged = {.name = "pair_tag", .base = "PyObject"};
	succeeds(layout_object(source, &tagged, &present, &members));
	assert_true(present);
	assert_string_equal(members->struct_name, "pair_tag");
	assert_int_equal(members->count, 5);
	succeeds(layout_object(source, &tagged, &present, &again));
	assert_ptr_equal(members, again);
	static const char *const others[] = {"plain", "entry", "nosuch", "long"};
	for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
		const struct layout_object other = {.name = others[i], .base = "PyObject"};
		succeeds(layout_object(source, &other, &present, &members));
		assert_false(present);
	}
	const struct layout_object baseless = {.name = "pair_tag", .base = "nosuch"};
	succeeds(layout_object(source, &baseless, &present, &members));
	assert_false(present);
	layout_source_destroy(source);
	scratch_destroy(scratch);
}

/** Asks all lines of @a truth of a damaged file. */
static bool damaged_answers(const char *path, const char *truth)
{
	_cleanup_free_ char *copy = strdup(truth);
	struct layout_source *source = NULL;
	char *line_state = NULL;
	_cleanup_error_ struct error *refused = dwarf_types_create(path, &source);

	if (refused)
		return false;
	for (char *line = strtok_r(copy, "\n", &line_state); line;
	     line = strtok_r(NULL, "\n", &line_state)) {
		const struct object_members *members = NULL;
		const char *ignored = NULL;
		bool present = false;
		_cleanup_error_ struct error *error =
			line_ask(source, line, &present, &members, &ignored);
		if (error && !strstr(error->message, path))
			fail_msg("does not name the file: %s", error->message);
		if (!error)
			assert_true(present == (members != NULL));
	}
	layout_source_destroy(source);
	return true;
}

// given: a file with some bytes of its debug information changed; then: it is refused or answers,
// and ends.
static void a_damaged_file_answers_or_is_refused(void **state)
{
	struct scratch *scratch = scratch_create();
	size_t bytes = 0, answered = 0;
	unsigned seed = 7;

	scratch_run(scratch, "%s -std=gnu11 -no-pie -o $S/healthy %s", (const char *)*state,
		    sources);
	_cleanup_free_ char *truth = scratch_output(scratch, "$S/healthy");
	_cleanup_free_ char *healthy = scratch_read(scratch_path(scratch, "healthy"), &bytes);
	_cleanup_free_ char *damaged = malloc(bytes);
	_cleanup_free_ char *start = scratch_output(
		scratch, "readelf -WS $S/healthy | sed -n 's/.*debug_info *[A-Z_0-9]* *[0-9a-f]* "
			 "\\([0-9a-f]*\\) .*/\\1/p'");
	size_t from = strtoul(start, NULL, 16);
	assert_in_range(from, 1, bytes - 1);
	for (size_t i = 0; i < CHANGES; i++) {
		memcpy(damaged, healthy, bytes);
		int count = 1 + rand_r(&seed) % CHANGED_BYTES_MAX;
		for (int c = 0; c < count; c++)
			damaged[from + (size_t)rand_r(&seed) % (bytes - from)] =
				(char)(rand_r(&seed) % 3 ? rand_r(&seed) : 0xff);
		scratch_write(scratch, "damaged", damaged, bytes);
		answered += damaged_answers(scratch_path(scratch, "damaged"), truth);
	}
	// Were all of them refused at once, this would test nothing.
	assert_in_range(answered, CHANGES / 10, CHANGES);
	scratch_destroy(scratch);
}

/** The modules of this process. */
static struct module_list *own_modules(void)
{
	struct module_list *modules = NULL;
	struct maps maps = {0};
	size_t bytes = 0;
	_cleanup_free_ char *text = scratch_read("/proc/self/maps", &bytes);

	succeeds(maps_parse(text, bytes, &maps));
	succeeds(module_list_create(&maps, getpid(), &modules));
	maps_deinit(&maps);
	return modules;
}

/** "absent", or the struct of a function of this process. */
static void own_function_is(struct module_list *modules, const void *library, const char *name,
			    uint64_t size_bytes, const char *truth)
{
	_cleanup_text_ struct text answer = {0};
	struct object_members members;
	bool present = true;
	addr_t at = (uintptr_t)dlsym((void *)library, name);
	struct module *module = module_list_find(modules, at);

	assert_non_null(module);
	succeeds(
		object_members_of_function(module, at, "PyObject", size_bytes, &present, &members));
	members_print(present, &members, &answer);
	assert_string_equal(text_chars(&answer), truth);
}

// given: a module whose debug file was read once and has gone since; then: what was asked is
// answered all the same, and what was not is absent.
static void what_was_asked_once_is_answered_without_debug_information(void **state)
{
	static const char helped[] = "helped 24 by_helper 16 1";
	struct scratch *scratch = scratch_create();
	bool present = false;
	struct layout_source *layout = NULL;
	struct object_members members;

	setenv("XDG_CACHE_HOME", scratch_path(scratch, "cache"), 1);
	unsetenv("LEAKINSPECT_DEBUG_PATH");
	scratch_run(
		scratch,
		"gcc -g -O2 -std=gnu11 -shared -fPIC -Wl,--build-id=sha1 -o $S/objects.so %s && "
		"cd $S && objcopy --only-keep-debug objects.so objects.debug && "
		"objcopy --strip-debug --add-gnu-debuglink=objects.debug objects.so",
		sources);
	void *library = dlopen(scratch_path(scratch, "objects.so"), RTLD_NOW);
	assert_non_null(library);
	struct module_list *modules = own_modules();
	own_function_is(modules, library, "helped_dealloc", 24, helped);
	own_function_is(modules, library, "object_dealloc", 24, "absent");
	succeeds(module_list_save(modules));
	module_list_destroy(modules);
	scratch_run(scratch, "mv $S/objects.debug $S/gone");

	modules = own_modules();
	own_function_is(modules, library, "helped_dealloc", 24, helped);
	own_function_is(modules, library, "object_dealloc", 24, "absent");

	struct module *module = module_list_find(modules, (uintptr_t)dlsym(library, "fail"));
	succeeds(module_layout(module, &layout));
	assert_false(layout_cache_is_cold(layout));
	own_function_is(modules, library, "pair_dealloc", 104, "absent");
	succeeds(object_members_of_struct(module, "helped", "PyObject", &present, &members));
	assert_false(present);
	module_list_destroy(modules);
	dlclose(library);
	scratch_destroy(scratch);
}

static void without_debug_information_all_is_absent(void **state)
{
	struct scratch *scratch = scratch_create();

	setenv("XDG_CACHE_HOME", scratch_path(scratch, "cache"), 1);
	unsetenv("LEAKINSPECT_DEBUG_PATH");
	scratch_run(scratch, "gcc -O2 -std=gnu11 -shared -fPIC -o $S/bare.so %s", sources);
	void *library = dlopen(scratch_path(scratch, "bare.so"), RTLD_NOW);
	assert_non_null(library);
	struct module_list *modules = own_modules();

	for (int again = 0; again < 2; again++)
		own_function_is(modules, library, "helped_dealloc", 24, "absent");
	module_list_destroy(modules);
	dlclose(library);
	scratch_destroy(scratch);
}

static const char *const compilers[] = {
	"gcc -gdwarf-4 -O0",
	"gcc -gdwarf-5 -O0",
	"gcc -gdwarf-4 -O2",
	"gcc -gdwarf-5 -O2",
	"gcc -gdwarf-3 -gstrict-dwarf -O2",
	"gcc -gdwarf-5 -O2 -flto=1",
	"gcc -gdwarf-4 -O2 -flto=1 -flto-partition=max",
	"gcc -gdwarf-5 -O3 -ffunction-sections -fdebug-types-section",
	"clang -gdwarf-4 -O0",
	"clang -gdwarf-5 -O2",
};

int main(void)
{
	const struct CMUnitTest others[] = {
		cmocka_unit_test(a_function_whose_code_is_not_described_is_found_by_its_symbol),
		cmocka_unit_test(a_struct_is_found_by_its_name),
		cmocka_unit_test_prestate(a_damaged_file_answers_or_is_refused,
					  (void *)"gcc -gdwarf-5 -O2"),
		cmocka_unit_test_prestate(a_damaged_file_answers_or_is_refused,
					  (void *)"gcc -gdwarf-4 -O2 -flto=1"),
		cmocka_unit_test(what_was_asked_once_is_answered_without_debug_information),
		cmocka_unit_test(without_debug_information_all_is_absent),
	};
	struct CMUnitTest tests[ARRAY_COUNT(compilers) + ARRAY_COUNT(others)];

	for (size_t i = 0; i < ARRAY_COUNT(compilers); i++)
		tests[i] = (struct CMUnitTest){
			.name = compilers[i],
			.test_func = agrees_with_the_compiler,
			.initial_state = (void *)compilers[i],
		};
	memcpy(tests + ARRAY_COUNT(compilers), others, sizeof(others));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
