// SPDX-License-Identifier: GPL-3.0-or-later
// ELF files against what binutils say about them.
#include "debug/elf_file.h"

#include <elf.h>
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

static const char program_source[] =
	"int counted[10]; static int hidden = 4; _Thread_local int per_thread;\n"
	"__attribute__((noinline)) int first(int n) { return n + hidden++; }\n"
	"static int suffixed __asm__(\"suffixed.lto_priv.0\") = 1;\n"
	"static int exact __asm__(\"twice\") = 2, other __asm__(\"twice.lto_priv.7\") = 3;\n"
	"int cold(void) __asm__(\"halved.cold\"); int cold(void) { return 9; }\n"
	"int hot(void) __asm__(\"halved.part.0\"); int hot(void) { return 8; }\n"
	"int main(int argc, char **argv) { per_thread = argc;\n"
	"return first(argc) + counted[argc] + suffixed++ + exact++ + other++ + cold() + hot(); }\n";

static struct elf_file *opened(const char *path)
{
	struct elf_file *file = NULL;
	struct error *error = elf_file_open(path, &file);

	if (error)
		fail_msg("%s", error->message);
	return file;
}

static struct elf_file *compiled(struct scratch *scratch, const char *flags)
{
	scratch_write(scratch, "program.c", program_source, strlen(program_source));
	scratch_run(scratch, "gcc %s -o $S/program $S/program.c", flags);
	return opened(scratch_path(scratch, "program"));
}

static void the_build_id_is_that_of_readelf(void **state)
{
	struct scratch *scratch = scratch_create();
	struct elf_file *file = compiled(scratch, "-Wl,--build-id=sha1");
	_cleanup_free_ char *truth = scratch_output(
		scratch, "readelf -n $S/program | sed -n 's/.*Build ID: //p' | tr -d '\\n'");

	assert_string_equal(elf_file_build_id(file), truth);
	assert_int_equal(strlen(truth), 40);
	elf_file_close(file);

	file = compiled(scratch, "-Wl,--build-id=0xabcdef0123");
	assert_string_equal(elf_file_build_id(file), "abcdef0123");
	elf_file_close(file);

	file = compiled(scratch, "-Wl,--build-id=none");
	assert_string_equal(elf_file_build_id(file), "");
	elf_file_close(file);
	scratch_destroy(scratch);
}

// given: section headers taken away, as some strip them; then: the segments have the build-id too.
static void the_build_id_is_found_without_section_headers(void **state)
{
	struct scratch *scratch = scratch_create();
	struct elf_file *file = compiled(scratch, "-Wl,--build-id=0x1122334455667788");
	size_t bytes = 0;
	_cleanup_free_ char *image = scratch_read(scratch_path(scratch, "program"), &bytes);
	Elf64_Ehdr *header = (Elf64_Ehdr *)image;

	elf_file_close(file);
	header->e_shoff = header->e_shnum = header->e_shstrndx = 0;
	scratch_write(scratch, "headless", image, bytes);
	file = opened(scratch_path(scratch, "headless"));
	assert_string_equal(elf_file_build_id(file), "1122334455667788");
	assert_false(elf_file_has_dwarf(file));
	elf_file_close(file);
	scratch_destroy(scratch);
}

static void every_symbol_is_where_nm_has_it(void **state)
{
	struct scratch *scratch = scratch_create();
	struct elf_file *file = compiled(scratch, "-g");
	_cleanup_free_ char *truth =
		scratch_output(scratch, "nm $S/program | grep -i ' [tdb] ' | grep -v '[.@]'");
	char *line_state = NULL;
	size_t count = 0;

	for (char *line = strtok_r(truth, "\n", &line_state); line;
	     line = strtok_r(NULL, "\n", &line_state)) {
		char name[128], type;
		unsigned long expected;
		addr_t address = 0;
		uint64_t bytes = 0;
		assert_int_equal(sscanf(line, "%lx %c %127s", &expected, &type, name), 3);
		if (strcmp(name, "per_thread") == 0)
			continue;
		if (!elf_file_symbol(file, name, &address, &bytes))
			fail_msg("%s was not found", name);
		assert_int_equal(address, expected);
		count++;
	}
	assert_in_range(count, 10, 1000);
	elf_file_close(file);
	scratch_destroy(scratch);
}

static void a_symbol_has_its_size_and_covers_its_addresses(void **state)
{
	struct scratch *scratch = scratch_create();
	struct elf_file *file = compiled(scratch, "");
	addr_t address = 0;
	uint64_t bytes = 0, distance = 0;

	assert_true(elf_file_symbol(file, "counted", &address, &bytes));
	assert_int_equal(bytes, 40);
	assert_string_equal(elf_file_symbol_at(file, address, &distance), "counted");
	assert_int_equal(distance, 0);
	assert_string_equal(elf_file_symbol_at(file, address + 39, &distance), "counted");
	assert_int_equal(distance, 39);
	const char *behind = elf_file_symbol_at(file, address + 40, &distance);
	assert_true(!behind || strcmp(behind, "counted") != 0);
	assert_null(elf_file_symbol_at(file, 0, &distance));
	assert_null(elf_file_symbol_at(file, UINT64_MAX, &distance));
	elf_file_close(file);
	scratch_destroy(scratch);
}

static void thread_locals_and_undefined_symbols_are_none(void **state)
{
	struct scratch *scratch = scratch_create();
	struct elf_file *file = compiled(scratch, "");
	addr_t address = 0;
	uint64_t bytes = 0;

	assert_false(elf_file_symbol(file, "per_thread", &address, &bytes));
	assert_false(elf_file_symbol(file, "__libc_start_main", &address, &bytes));
	assert_false(elf_file_symbol(file, "nosuch", &address, &bytes));
	assert_false(elf_file_symbol(file, "", &address, &bytes));
	elf_file_close(file);
	scratch_destroy(scratch);
}

static void a_suffix_of_the_compiler_is_looked_through(void **state)
{
	struct scratch *scratch = scratch_create();
	struct elf_file *file = compiled(scratch, "");
	addr_t plain = 0, full = 0;
	uint64_t bytes = 0;

	assert_true(elf_file_symbol(file, "suffixed", &plain, &bytes));
	assert_true(elf_file_symbol(file, "suffixed.lto_priv.0", &full, &bytes));
	assert_int_equal(plain, full);
	// The exact name comes first, and a cold part is not the function.
	assert_true(elf_file_symbol(file, "twice", &plain, &bytes));
	assert_true(elf_file_symbol(file, "twice.lto_priv.7", &full, &bytes));
	assert_int_not_equal(plain, full);
	assert_true(elf_file_symbol(file, "halved", &plain, &bytes));
	assert_true(elf_file_symbol(file, "halved.part.0", &full, &bytes));
	assert_int_equal(plain, full);
	assert_false(elf_file_symbol(file, "suffixed.lto_priv.1", &full, &bytes));
	elf_file_close(file);
	scratch_destroy(scratch);
}

static bool is_symbol(const struct elf_file *file, const char *name, addr_t address)
{
	bool is;

	assert_null(elf_file_is_symbol(file, name, address, &is));
	return is;
}

static void of_several_symbols_with_one_name_each_has_its_address(void **state)
{
	struct scratch *scratch = scratch_create();
	struct elf_file *file = compiled(scratch, "");
	addr_t plain = 0, suffixed = 0, cold = 0;
	uint64_t bytes = 0;

	assert_true(elf_file_symbol(file, "twice", &plain, &bytes));
	assert_true(elf_file_symbol(file, "twice.lto_priv.7", &suffixed, &bytes));
	assert_true(is_symbol(file, "twice", plain));
	assert_true(is_symbol(file, "twice", suffixed));
	assert_false(is_symbol(file, "twice", plain + 1));
	assert_false(is_symbol(file, "twic", plain));
	assert_true(elf_file_symbol(file, "halved.cold", &cold, &bytes));
	assert_false(is_symbol(file, "halved", cold));
	elf_file_close(file);
	scratch_destroy(scratch);
}

static void a_stripped_library_has_the_symbols_it_exports(void **state)
{
	struct scratch *scratch = scratch_create();
	struct elf_file *file = compiled(scratch, "-shared -fPIC -s");
	addr_t address = 0;
	uint64_t bytes = 0;

	assert_true(elf_file_symbol(file, "first", &address, &bytes));
	assert_false(elf_file_symbol(file, "hidden", &address, &bytes));
	elf_file_close(file);
	scratch_destroy(scratch);
}

static void the_debuglink_has_the_name_and_crc_of_the_file(void **state)
{
	struct scratch *scratch = scratch_create();
	struct elf_file *file = compiled(scratch, "-g");
	uint32_t linked = 0, own = 0;

	assert_null(elf_file_debuglink(file, &linked));
	assert_true(elf_file_has_dwarf(file));
	elf_file_close(file);
	scratch_run(scratch, "cd $S && objcopy --only-keep-debug program side.debug && "
			     "strip program && objcopy --add-gnu-debuglink=side.debug program");
	file = opened(scratch_path(scratch, "program"));
	assert_string_equal(elf_file_debuglink(file, &linked), "side.debug");
	assert_null(elf_file_crc(scratch_path(scratch, "side.debug"), &own));
	assert_int_equal(linked, own);
	assert_false(elf_file_has_dwarf(file));
	elf_file_close(file);

	file = opened(scratch_path(scratch, "side.debug"));
	assert_true(elf_file_has_dwarf(file));
	elf_file_close(file);
	scratch_destroy(scratch);
}

static void the_crc_is_the_one_of_zlib(void **state)
{
	struct scratch *scratch = scratch_create();
	uint32_t crc = 0;

	// The check value of CRC-32/ISO-HDLC.
	scratch_write(scratch, "digits", "123456789", 9);
	assert_null(elf_file_crc(scratch_path(scratch, "digits"), &crc));
	assert_int_equal(crc, 0xcbf43926);
	struct error *error = elf_file_crc(scratch_path(scratch, "absent"), &crc);
	assert_non_null(error);
	error_destroy(error);
	scratch_destroy(scratch);
}

/** Compares every loadable segment of $S/program with readelf. */
static void segments_agree(struct scratch *scratch, const struct elf_file *file)
{
	_cleanup_free_ char *truth =
		scratch_output(scratch, "readelf -lW $S/program | grep ' LOAD '");
	char *line_state = NULL;
	size_t count = 0;

	for (char *line = strtok_r(truth, "\n", &line_state); line;
	     line = strtok_r(NULL, "\n", &line_state)) {
		uint64_t offset, address, bytes;
		bool present = false, executable = strstr(line, " R E ") != NULL;
		assert_int_equal(sscanf(line, " LOAD %" SCNx64 " %" SCNx64 " %*x %" SCNx64, &offset,
					&address, &bytes),
				 3);
		// As a mapping has it: from the start of the page.
		int64_t delta =
			elf_file_segment_delta(file, offset & ~4095ULL, executable, &present);
		assert_true(present);
		if (executable)
			assert_int_equal(delta, address - offset);
		elf_file_segment_delta(file, offset + bytes, executable, &present);
		count++;
	}
	assert_in_range(count, 1, 16);
}

static void code_is_found_by_its_offset_whatever_shares_its_page(void **state)
{
	static const char *const flags[] = {
		"", "-no-pie", "-Wl,-z,noseparate-code", "-static", "-Wl,-z,max-page-size=0x200000",
	};
	struct scratch *scratch = scratch_create();
	bool present = true;

	for (size_t i = 0; i < ARRAY_COUNT(flags); i++) {
		struct elf_file *file = compiled(scratch, flags[i]);
		segments_agree(scratch, file);
		elf_file_segment_delta(file, 1ULL << 40, true, &present);
		assert_false(present);
		elf_file_close(file);
	}
	scratch_destroy(scratch);
}

static void a_32_bit_file_says_that_it_is_one(void **state)
{
	struct scratch *scratch = scratch_create();

	scratch_write(scratch, "tiny.c", "int value = 3;\n", 15);
	scratch_run(scratch,
		    "gcc -m32 -c -o $S/tiny.o $S/tiny.c && "
		    "ld -m elf_i386 -e value --build-id=0xaabbccdd -o $S/program $S/tiny.o");
	struct elf_file *file = opened(scratch_path(scratch, "program"));
	addr_t address = 0;
	uint64_t bytes = 0;

	assert_false(elf_file_is_64bit(file));
	assert_int_equal(elf_file_machine(file), EM_386);
	assert_string_equal(elf_file_build_id(file), "aabbccdd");
	assert_true(elf_file_symbol(file, "value", &address, &bytes));
	assert_int_equal(bytes, 4);
	elf_file_close(file);

	file = opened("/proc/self/exe");
	assert_true(elf_file_is_64bit(file));
	elf_file_close(file);
	scratch_destroy(scratch);
}

static void what_is_no_elf_file_is_refused(void **state)
{
	struct scratch *scratch = scratch_create();
	struct elf_file *file = NULL;

	scratch_run(scratch, "mkfifo $S/fifo && echo text >$S/text && : >$S/empty");
	const char *const names[] = {"fifo", "text", "empty", ""};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		_cleanup_error_ struct error *error =
			elf_file_open(scratch_path(scratch, names[i]), &file);
		assert_non_null(error);
		assert_int_equal(error->code, ERROR_UNSUPPORTED);
		assert_non_null(strstr(error->message, scratch_path(scratch, names[i])));
	}
	_cleanup_error_ struct error *error = elf_file_open("/nonexistent/file", &file);
	assert_int_equal(error->code, ERROR_FAILED);
	assert_non_null(strstr(error->message, "/nonexistent/file"));
	elf_file_close(NULL);
	scratch_destroy(scratch);
}

// given: a section whose compression header claims a petabyte; then: nobody tries to allocate it.
static void a_compressed_section_that_claims_an_absurd_size_is_refused(void **state)
{
	struct scratch *scratch = scratch_create();
	struct elf_file *file = compiled(scratch, "-g -gz=zlib");
	size_t bytes = 0;
	_cleanup_free_ char *image = scratch_read(scratch_path(scratch, "program"), &bytes);
	Elf64_Ehdr *header = (Elf64_Ehdr *)image;
	Elf64_Shdr *sections = (Elf64_Shdr *)(image + header->e_shoff);

	elf_file_close(file);
	file = NULL;
	for (int i = 0; i < header->e_shnum; i++)
		if (sections[i].sh_flags & SHF_COMPRESSED)
			((Elf64_Chdr *)(image + sections[i].sh_offset))->ch_size = 1ULL << 50;
	scratch_write(scratch, "bomb", image, bytes);
	_cleanup_error_ struct error *error = elf_file_open(scratch_path(scratch, "bomb"), &file);
	assert_non_null(error);
	assert_non_null(strstr(error->message, "absurd"));
	scratch_destroy(scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_build_id_is_that_of_readelf),
		cmocka_unit_test(the_build_id_is_found_without_section_headers),
		cmocka_unit_test(every_symbol_is_where_nm_has_it),
		cmocka_unit_test(a_symbol_has_its_size_and_covers_its_addresses),
		cmocka_unit_test(thread_locals_and_undefined_symbols_are_none),
		cmocka_unit_test(a_suffix_of_the_compiler_is_looked_through),
		cmocka_unit_test(of_several_symbols_with_one_name_each_has_its_address),
		cmocka_unit_test(a_stripped_library_has_the_symbols_it_exports),
		cmocka_unit_test(the_debuglink_has_the_name_and_crc_of_the_file),
		cmocka_unit_test(the_crc_is_the_one_of_zlib),
		cmocka_unit_test(code_is_found_by_its_offset_whatever_shares_its_page),
		cmocka_unit_test(a_32_bit_file_says_that_it_is_one),
		cmocka_unit_test(what_is_no_elf_file_is_refused),
		cmocka_unit_test(a_compressed_section_that_claims_an_absurd_size_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
