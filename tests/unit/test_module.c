// SPDX-License-Identifier: GPL-3.0-or-later
// Modules of a process that says itself where its things are (tests/programs/mapped.c), and the
// debug files they may have.
#include "debug/module.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "debug/layout_cache.h"
#include "support/scratch.h"

static struct scratch *scratch;
/** The running program; 0 for none. */
static pid_t pid;
/** What it printed. */
static char *truth;
static struct module_list *modules;
static struct maps maps;

static int set_up(void **state)
{
	scratch = scratch_create();
	setenv("XDG_CACHE_HOME", scratch_path(scratch, "cache"), 1);
	unsetenv("LEAKINSPECT_DEBUG_PATH");
	return 0;
}

static void program_stop(void)
{
	module_list_destroy(modules);
	maps_deinit(&maps);
	modules = NULL;
	free(truth);
	truth = NULL;
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	pid = 0;
}

static int tear_down(void **state)
{
	program_stop();
	scratch_destroy(scratch);
	return 0;
}

/** Compiles $S/program and $S/libmapped.so; @a after is run in $S then. */
static void program_compile(const char *flags, const char *after)
{
	scratch_run(scratch,
		    "gcc %s -shared -fPIC -o $S/libmapped.so tests/programs/mapped_library.c && "
		    "gcc %s -o $S/program tests/programs/mapped.c $S/libmapped.so && cd $S && %s",
		    flags, flags, after);
}

/** Starts $S/program and waits until it is ready. */
static void program_start(void)
{
	int ends[2];
	char line[256];
	const char *path = scratch_path(scratch, "program");

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		execl(path, path, NULL);
		_exit(127);
	}
	close(ends[1]);
	FILE *output = fdopen(ends[0], "re");
	assert_non_null(output);
	truth = calloc(1, 4096);
	while (fgets(line, sizeof(line), output) && strcmp(line, "ready\n") != 0)
		strncat(truth, line, 4095 - strlen(truth));
	fclose(output);
	assert_non_null(strstr(truth, "library_function"));
}

static void succeeds(struct error *error)
{
	if (error)
		fail_msg("%s", error->message);
}

static void modules_read(void)
{
	char path[64];
	size_t bytes = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	_cleanup_free_ char *text = scratch_read(path, &bytes);
	succeeds(maps_parse(text, bytes, &maps));
	succeeds(module_list_create(&maps, pid, &modules));
}

static void program_run(const char *flags, const char *after)
{
	program_compile(flags, after);
	program_start();
	modules_read();
}

static addr_t truth_of(const char *name)
{
	const char *at = strstr(truth, name);

	assert_non_null(at);
	return strtoul(at + strlen(name), NULL, 10);
}

static struct module *module_named(const char *name)
{
	for (size_t i = 0; i < modules->count; i++)
		if (strcmp(strrchr(modules->list[i].path, '/') + 1, name) == 0)
			return &modules->list[i];
	fail_msg("no module %s", name);
	return NULL;
}

static void symbol_is(const char *module, const char *name, addr_t expected)
{
	bool present = false;
	addr_t address = 0;

	succeeds(module_symbol(module_named(module), name, &present, &address));
	if (!present)
		fail_msg("%s has no %s", module, name);
	assert_int_equal(address, expected);
}

/** Layout, bias and all: where the debug information has a variable is where the process has it. */
static void variable_is(const char *module, const char *name, addr_t expected)
{
	struct layout_source *layout = NULL;
	struct layout_variable variable;
	addr_t bias = 0;
	bool present = false;

	succeeds(module_layout(module_named(module), &layout));
	succeeds(layout_variable(layout, name, "probe", &present, &variable));
	if (!present)
		fail_msg("%s has no %s", module, name);
	succeeds(module_bias(module_named(module), &bias));
	assert_int_equal(variable.address + bias, expected);
}

static void everything_is_found(void)
{
	symbol_is("program", "program_probe", truth_of("program_probe"));
	symbol_is("program", "program_hidden", truth_of("program_hidden"));
	symbol_is("program", "program_function", truth_of("program_function"));
	symbol_is("libmapped.so", "library_function", truth_of("library_function"));
	symbol_is("libmapped.so", "hidden", truth_of("library_hidden"));
	variable_is("program", "program_probe", truth_of("program_probe"));
	variable_is("program", "program_hidden", truth_of("program_hidden"));
	variable_is("libmapped.so", "hidden", truth_of("library_hidden"));
}

static void layout_fails(const char *module, enum error_code code, const char *const *words)
{
	struct layout_source *layout = NULL;
	_cleanup_error_ struct error *error = module_layout(module_named(module), &layout);

	assert_non_null(error);
	assert_int_equal(error->code, code);
	for (; *words; words++)
		if (!strstr(error->message, *words))
			fail_msg("\"%s\" is not in: %s", *words, error->message);
	assert_null(module_debug_path(module_named(module)));
}

static void a_program_and_its_library_are_found_with_everything_in_them(void **state)
{
	program_run("-g", "true");
	everything_is_found();
	assert_string_equal(module_debug_path(module_named("program")),
			    scratch_path(scratch, "program"));
}

static void a_program_at_a_fixed_address_is_found(void **state)
{
	addr_t bias = 1;

	program_run("-g -no-pie -fno-pie", "true");
	everything_is_found();
	succeeds(module_bias(module_named("program"), &bias));
	assert_int_equal(bias, 0);
}

static void a_program_whose_segments_share_pages_is_found(void **state)
{
	program_run("-g -Wl,-z,noseparate-code", "true");
	everything_is_found();
}

static void an_address_belongs_to_the_module_that_is_mapped_there(void **state)
{
	program_run("-g", "true");
	struct module *program = module_named("program"), *library = module_named("libmapped.so");

	assert_ptr_equal(module_list_find(modules, truth_of("program_function")), program);
	assert_ptr_equal(module_list_find(modules, truth_of("library_function")), library);
	assert_ptr_equal(module_list_find(modules, library->start), library);
	assert_ptr_equal(module_list_find(modules, library->end - 1), library);
	assert_null(module_list_find(modules, library->start - 1));
	assert_null(module_list_find(modules, 0));
	assert_null(module_list_find(modules, UINT64_MAX));
	assert_true(library->flags & MAPPING_EXEC);
	assert_true(library->flags & MAPPING_WRITE);
	assert_false(library->flags & MAPPING_DELETED);
}

static void a_symbol_is_named_by_an_address_within_it(void **state)
{
	const char *name = NULL;
	uint64_t distance = 0;

	// The name is in the separate debug file alone.
	program_run("-g -Wl,--build-id",
		    "objcopy --only-keep-debug program program.debug && strip program && "
		    "objcopy --add-gnu-debuglink=program.debug program");
	succeeds(module_symbol_at(module_named("program"), truth_of("program_function") + 3, &name,
				  &distance));
	assert_string_equal(name, "program_function");
	assert_int_equal(distance, 3);
	succeeds(module_symbol_at(module_named("program"), 1, &name, &distance));
	assert_null(name);
}

static void a_function_is_known_by_its_address_and_name(void **state)
{
	bool is_symbol;

	program_run("-g -Wl,--build-id",
		    "objcopy --only-keep-debug program program.debug && strip program && "
		    "objcopy --add-gnu-debuglink=program.debug program");
	addr_t at = truth_of("program_function");
	succeeds(module_is_symbol(module_named("program"), "program_function", at, &is_symbol));
	assert_true(is_symbol);
	succeeds(module_is_symbol(module_named("program"), "program_function", at + 1, &is_symbol));
	assert_false(is_symbol);
	succeeds(module_is_symbol(module_named("program"), "main", at, &is_symbol));
	assert_false(is_symbol);
}

#define BY_BUILD_ID                                                                          \
	"for file in program libmapped.so; do "                                              \
	"id=$(readelf -n $file | sed -n 's/.*Build ID: //p') && "                            \
	"dir=$S/extra/.build-id/$(echo $id | cut -c1-2) && mkdir -p $dir && "                \
	"objcopy --only-keep-debug $file $dir/$(echo $id | cut -c3-).debug && strip $file; " \
	"done"

static void a_debug_file_is_found_by_build_id(void **state)
{
	_cleanup_free_ char *path = NULL;

	assert_true(asprintf(&path, "/nonexistent:%s", scratch_path(scratch, "extra")) >= 0);
	setenv("LEAKINSPECT_DEBUG_PATH", path, 1);
	program_run("-g", BY_BUILD_ID);
	everything_is_found();
	assert_non_null(strstr(module_debug_path(module_named("program")), "/extra/.build-id/"));
}

static void a_debug_file_of_another_build_is_rejected_with_words(void **state)
{
	setenv("LEAKINSPECT_DEBUG_PATH", scratch_path(scratch, "extra"), 1);
	program_run("-g", BY_BUILD_ID
		    "; cd $S/extra/.build-id && "
		    "cp \"$(ls -d $(readelf -n $S/libmapped.so | sed -n 's/.*Build ID: //p' | "
		    "cut -c1-2)/*)\" $(ls -d $(readelf -n $S/program | "
		    "sed -n 's/.*Build ID: //p' | cut -c1-2)/*)");
	layout_fails(
		"program", ERROR_UNSUPPORTED,
		(const char *[]){"is of another build", "build-id ", "/extra/.build-id/", NULL});
	variable_is("libmapped.so", "hidden", truth_of("library_hidden"));
}

#define BY_DEBUGLINK(directory)                                                  \
	"mkdir -p " directory " && objcopy --only-keep-debug program " directory \
	"/side.debug && strip program && objcopy --add-gnu-debuglink=" directory \
	"/side.debug program"

static void a_debug_file_is_found_by_debuglink_beside_the_file(void **state)
{
	program_run("-g -Wl,--build-id=none", BY_DEBUGLINK("."));
	everything_is_found();
}

static void a_debug_file_is_found_by_debuglink_in_dot_debug(void **state)
{
	program_run("-g", BY_DEBUGLINK(".debug"));
	everything_is_found();
	assert_string_equal(module_debug_path(module_named("program")),
			    scratch_path(scratch, ".debug/side.debug"));
}

static void a_debug_file_is_found_by_debuglink_in_a_directory_of_its_own(void **state)
{
	setenv("LEAKINSPECT_DEBUG_PATH", scratch_path(scratch, "extra"), 1);
	program_run("-g -Wl,--build-id=none", BY_DEBUGLINK("extra$S"));
	everything_is_found();
}

static void a_debug_file_with_another_crc_is_rejected_with_words(void **state)
{
	program_run("-g -Wl,--build-id=none", BY_DEBUGLINK(".") " && printf x >>side.debug");
	layout_fails("program", ERROR_UNSUPPORTED,
		     (const char *[]){"side.debug", "CRC", "no build-id", NULL});
}

static void a_damaged_debug_file_is_named(void **state)
{
	program_run("-g", BY_DEBUGLINK(".") " && truncate -s 3000 side.debug");
	layout_fails("program", ERROR_FAILED,
		     (const char *[]){"side.debug", "truncated or damaged", "reinstall", NULL});
}

static void without_debug_information_the_message_says_what_to_do(void **state)
{
	program_run("-Wl,--build-id=0x1234567890", "strip program");
	layout_fails("program", ERROR_UNSUPPORTED,
		     (const char *[]){"no debug information", scratch_path(scratch, "program"),
				      "1234567890", "-g", "/usr/lib/debug/.build-id/12/34567890",
				      NULL});
	// And it says so again when asked again.
	layout_fails("program", ERROR_UNSUPPORTED, (const char *[]){"1234567890", NULL});
	bool present = true;
	addr_t address = 0;
	succeeds(module_symbol(module_named("program"), "program_hidden", &present, &address));
	assert_false(present);
}

static void the_layout_of_a_known_build_needs_no_debug_information(void **state)
{
	struct layout_source *layout = NULL;
	bool present = false;
	uint64_t bytes = 0;

	setenv("LEAKINSPECT_DEBUG_PATH", scratch_path(scratch, "extra"), 1);
	program_run("-g", BY_BUILD_ID);
	everything_is_found();
	succeeds(module_list_save(modules));
	module_list_destroy(modules);
	scratch_run(scratch, "rm -r $S/extra");
	succeeds(module_list_create(&maps, pid, &modules));

	variable_is("program", "program_hidden", truth_of("program_hidden"));

	succeeds(module_layout(module_named("program"), &layout));
	assert_false(layout_cache_is_cold(layout));
	_cleanup_error_ struct error *error = layout_type_size(layout, "unasked", &present, &bytes);
	assert_non_null(error);
	assert_int_equal(error->code, ERROR_UNSUPPORTED);
}

// Needs CAP_CHECKPOINT_RESTORE, or a program that is its process's /proc/PID/exe.
static void a_program_that_was_deleted_is_still_found(void **state)
{
	program_compile("-g", "true");
	program_start();
	scratch_run(scratch, "rm $S/program");
	modules_read();
	assert_true(module_named("program")->flags & MAPPING_DELETED);
	symbol_is("program", "program_hidden", truth_of("program_hidden"));
	variable_is("program", "program_hidden", truth_of("program_hidden"));
}

static void a_program_replaced_by_another_is_read_as_it_was(void **state)
{
	program_compile("-g", "true");
	program_start();
	scratch_run(scratch, "cd $S && cp libmapped.so other && mv other program");
	modules_read();
	variable_is("program", "program_hidden", truth_of("program_hidden"));
}

/** Mappings of the program with the library's inode changed, and @a shift added to its addresses.
 *  */
static void modules_forge(addr_t shift)
{
	modules_read();
	module_list_destroy(modules);
	modules = NULL;
	for (size_t i = 0; i < maps.count; i++) {
		struct mapping *mapping = &maps.list[i];
		if (!strstr(mapping->path, "libmapped.so"))
			continue;
		mapping->inode += 1000000;
		mapping->start += shift;
		mapping->end += shift;
	}
	succeeds(module_list_create(&maps, pid, &modules));
}

// given: maps with an inode that stat() does not show, as with overlayfs and btrfs.
static void a_file_of_another_inode_with_the_same_first_page_is_the_one(void **state)
{
	program_compile("-g", "true");
	program_start();
	modules_forge(0);
	symbol_is("libmapped.so", "library_function", truth_of("library_function"));
	variable_is("libmapped.so", "hidden", truth_of("library_hidden"));
}

// given: maps with another inode, and nothing at these addresses that would tell.
static void a_file_that_is_not_the_mapped_one_is_refused_with_words(void **state)
{
	const struct elf_file *elf = NULL;

	program_compile("-g", "true");
	program_start();
	modules_forge(0x10000000);
	_cleanup_error_ struct error *error = module_elf(module_named("libmapped.so"), &elf);
	assert_non_null(error);
	assert_int_equal(error->code, ERROR_FAILED);
	assert_non_null(strstr(error->message, scratch_path(scratch, "libmapped.so")));
	assert_non_null(strstr(error->message, "replaced"));
}

static void a_process_that_has_ended_is_gone(void **state)
{
	const struct elf_file *elf = NULL;

	program_compile("-g", "true");
	program_start();
	modules_forge(0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	_cleanup_error_ struct error *error = module_elf(module_named("libmapped.so"), &elf);
	assert_non_null(error);
	assert_int_equal(error->code, ERROR_GONE);
	pid = 0;
}

static void without_a_process_paths_are_opened_as_they_are(void **state)
{
	program_run("-g", "true");
	module_list_destroy(modules);
	succeeds(module_list_create(&maps, 0, &modules));
	everything_is_found();
}

static void modules_parse(const char *text)
{
	succeeds(maps_parse(text, strlen(text), &maps));
	succeeds(module_list_create(&maps, 0, &modules));
}

static void only_files_with_code_are_modules(void **state)
{
	modules_parse("1000-2000 r--p 00000000 08:01 7 /lib/a.so\n"
		      "2000-3000 r-xp 00001000 08:01 7 /lib/a.so\n"
		      "3000-4000 r--p 00000000 08:01 8 /usr/share/data\n"
		      "4000-5000 rw-p 00002000 08:01 7 /lib/a.so\n"
		      "5000-6000 rwxp 00000000 00:00 0 \n"
		      "6000-7000 r--p 00000000 08:02 7 /lib/a.so\n"
		      "7000-8000 r-xp 00001000 08:02 7 /lib/a.so (deleted)\n"
		      "8000-9000 r-xp 00000000 00:00 0 [vdso]\n");
	assert_int_equal(modules->count, 2);
	assert_int_equal(modules->list[0].start, 0x1000);
	assert_int_equal(modules->list[0].end, 0x5000);
	assert_int_equal(modules->list[1].start, 0x6000);
	assert_int_equal(modules->list[1].end, 0x8000);
	assert_true(modules->list[1].flags & MAPPING_DELETED);
	// Data between a module's mappings is not the module's.
	assert_ptr_equal(module_list_find(modules, 0x2800), &modules->list[0]);
	assert_null(module_list_find(modules, 0x3800));
	assert_ptr_equal(module_list_find(modules, 0x4800), &modules->list[0]);
	assert_null(module_list_find(modules, 0x5800));
	assert_ptr_equal(module_list_find(modules, 0x6800), &modules->list[1]);
}

static void no_mappings_are_no_modules(void **state)
{
	modules_parse("");
	assert_int_equal(modules->count, 0);
	assert_null(module_list_find(modules, 0x1000));
	succeeds(module_list_save(modules));
}

#define WITH_PROGRAM(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PROGRAM(a_program_and_its_library_are_found_with_everything_in_them),
		WITH_PROGRAM(a_program_at_a_fixed_address_is_found),
		WITH_PROGRAM(a_program_whose_segments_share_pages_is_found),
		WITH_PROGRAM(an_address_belongs_to_the_module_that_is_mapped_there),
		WITH_PROGRAM(a_symbol_is_named_by_an_address_within_it),
		WITH_PROGRAM(a_function_is_known_by_its_address_and_name),
		WITH_PROGRAM(a_debug_file_is_found_by_build_id),
		WITH_PROGRAM(a_debug_file_of_another_build_is_rejected_with_words),
		WITH_PROGRAM(a_debug_file_is_found_by_debuglink_beside_the_file),
		WITH_PROGRAM(a_debug_file_is_found_by_debuglink_in_dot_debug),
		WITH_PROGRAM(a_debug_file_is_found_by_debuglink_in_a_directory_of_its_own),
		WITH_PROGRAM(a_debug_file_with_another_crc_is_rejected_with_words),
		WITH_PROGRAM(a_damaged_debug_file_is_named),
		WITH_PROGRAM(without_debug_information_the_message_says_what_to_do),
		WITH_PROGRAM(the_layout_of_a_known_build_needs_no_debug_information),
		WITH_PROGRAM(a_program_that_was_deleted_is_still_found),
		WITH_PROGRAM(a_program_replaced_by_another_is_read_as_it_was),
		WITH_PROGRAM(a_file_of_another_inode_with_the_same_first_page_is_the_one),
		WITH_PROGRAM(a_file_that_is_not_the_mapped_one_is_refused_with_words),
		WITH_PROGRAM(a_process_that_has_ended_is_gone),
		WITH_PROGRAM(without_a_process_paths_are_opened_as_they_are),
		WITH_PROGRAM(only_files_with_code_are_modules),
		WITH_PROGRAM(no_mappings_are_no_modules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
