// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/core/corefile.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "mem/machine/machine.h"
#include "mem/maps.h"
#include "support/scratch.h"

enum { PAGE = 4096, SEGMENTS_MAX = 16, FILE_BYTES = 64 * PAGE };

#define HEAP_AT UINT64_C(0x10000000)
#define FILE_AT UINT64_C(0x20000000)

/** A core file in the making: headers in the first page, notes in the second, memory behind them. */
struct image {
	unsigned char bytes[FILE_BYTES];
	size_t count;
	size_t note_count;
	Elf64_Phdr segments[SEGMENTS_MAX];
	size_t segment_count;
};

static struct image image;
static struct scratch *scratch;
static struct mem_source *core;

static int given_nothing(void **state)
{
	memset(&image, 0, sizeof(image));
	image.count = 3 * PAGE;
	scratch = scratch_create();
	return 0;
}

static int afterwards(void **state)
{
	mem_source_destroy(core);
	core = NULL;
	scratch_destroy(scratch);
	return 0;
}

// Pages of memory at @a at, all of whose bytes are @a byte; @a dumped of @a pages are in the core.
static Elf64_Phdr *given_memory(uint64_t at, unsigned pages, unsigned dumped, unsigned char byte)
{
	Elf64_Phdr *segment = &image.segments[image.segment_count++];

	*segment = (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_W,
		.p_offset = image.count,
		.p_vaddr = at,
		.p_filesz = (uint64_t)dumped * PAGE,
		.p_memsz = (uint64_t)pages * PAGE,
	};
	memset(image.bytes + image.count, byte, (size_t)dumped * PAGE);
	image.count += (size_t)dumped * PAGE;
	return segment;
}

static void given_note(uint32_t type, const void *bytes, size_t count)
{
	Elf64_Nhdr note = {.n_namesz = 5, .n_descsz = (uint32_t)count, .n_type = type};
	unsigned char *at = image.bytes + PAGE + image.note_count;

	memcpy(at, &note, sizeof(note));
	memcpy(at + sizeof(note), "CORE", 5);
	memcpy(at + sizeof(note) + 8, bytes, count);
	image.note_count += sizeof(note) + 8 + (count + 3) / 4 * 4;
}

/** Of NT_FILE. */
struct entry {
	uint64_t start;
	uint64_t end;
	uint64_t page;
	const char *path;
};

static void given_files(const struct entry *entries, size_t count)
{
	unsigned char note[PAGE / 2];
	uint64_t head[] = {count, PAGE};
	size_t at = sizeof(head);

	memcpy(note, head, sizeof(head));
	for (size_t i = 0; i < count; i++, at += 24)
		memcpy(note + at, &entries[i], 24);
	for (size_t i = 0; i < count; i++)
		at += (size_t)sprintf((char *)note + at, "%s", entries[i].path) + 1;
	given_note(NT_FILE, note, at);
}

static void write_core(size_t count)
{
	Elf64_Ehdr header = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			    EV_CURRENT},
		.e_type = ET_CORE,
		.e_machine = (Elf64_Half)machine_elf(),
		.e_phoff = sizeof(header),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = (Elf64_Half)(image.segment_count + 1),
	};
	Elf64_Phdr notes = {.p_type = PT_NOTE, .p_offset = PAGE, .p_filesz = image.note_count};

	if (!image.bytes[0])
		memcpy(image.bytes, &header, sizeof(header));
	memcpy(image.bytes + sizeof(header), &notes, sizeof(notes));
	memcpy(image.bytes + sizeof(header) + sizeof(notes), image.segments,
	       image.segment_count * sizeof(Elf64_Phdr));
	scratch_write(scratch, "core", image.bytes, count);
}

static void when_opened_cut(size_t count)
{
	write_core(count);
	_cleanup_error_ struct error *error =
		mem_corefile_create(scratch_path(scratch, "core"), &core);
	if (error)
		fail_msg("%s", error->message);
}

static void when_opened(void)
{
	when_opened_cut(image.count);
}

static void then_it_is_refused(const char *words)
{
	_cleanup_error_ struct error *error =
		mem_corefile_create(scratch_path(scratch, "core"), &core);

	assert_non_null(error);
	assert_int_equal(error->code, ERROR_UNSUPPORTED);
	assert_non_null(strstr(error->message, words));
}

static void then_bytes_are(uint64_t at, size_t count, unsigned char byte)
{
	unsigned char bytes[2 * PAGE];
	_cleanup_error_ struct error *error = mem_source_read(core, at, bytes, count);

	if (error)
		fail_msg("%s", error->message);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(bytes[i], byte);
}

static void then_it_faults(uint64_t at, size_t count, uint64_t bad)
{
	unsigned char bytes[4 * PAGE];
	_cleanup_error_ struct error *error = mem_source_read(core, at, bytes, count);

	assert_non_null(error);
	assert_int_equal(error->code, ERROR_FAULT);
	assert_true(error->address == bad);
	assert_null(mem_source_view(core, at, count));
}

static void then_it_lacks(const char *words)
{
	if (!strstr(mem_corefile_shortcomings(core), words))
		fail_msg("'%s' is not in '%s'", words, mem_corefile_shortcomings(core));
}

static void segments_are_read_and_nothing_around_them(void **state)
{
	given_memory(HEAP_AT + 2 * PAGE, 1, 1, 'b');
	given_memory(HEAP_AT, 2, 2, 'a');
	when_opened();
	then_bytes_are(HEAP_AT, 2 * PAGE, 'a');
	then_bytes_are(HEAP_AT + 2 * PAGE, PAGE, 'b');
	then_it_faults(HEAP_AT - 8, 16, HEAP_AT - 8);
	then_it_faults(HEAP_AT + 3 * PAGE - 8, 16, HEAP_AT + 3 * PAGE);
	then_it_faults(UINT64_MAX - 8, 16, UINT64_MAX - 8);
	unsigned char bytes[16];
	assert_null(mem_source_read(core, HEAP_AT + 2 * PAGE - 8, bytes, 16));
	assert_memory_equal(bytes, "aaaaaaaabbbbbbbb", 16);
}

static void what_was_never_touched_reads_as_zeros_and_is_not_resident(void **state)
{
	addr_t start, end;

	given_memory(HEAP_AT, 3, 1, 'a');
	given_memory(HEAP_AT + 3 * PAGE, 1, 1, 'b');
	given_memory(HEAP_AT + 8 * PAGE, 1, 0, 0)->p_flags = 0;
	when_opened();
	then_bytes_are(HEAP_AT + PAGE, 2 * PAGE, 0);
	assert_null(mem_source_resident(core, HEAP_AT, HEAP_AT + 4 * PAGE, &start, &end));
	assert_true(start == HEAP_AT && end == HEAP_AT + PAGE);
	assert_null(mem_source_resident(core, end, HEAP_AT + 4 * PAGE, &start, &end));
	assert_true(start == HEAP_AT + 3 * PAGE && end == HEAP_AT + 4 * PAGE);
	assert_null(mem_source_resident(core, end, HEAP_AT + 9 * PAGE, &start, &end));
	assert_true(start == HEAP_AT + 9 * PAGE && end == start);
	// A guard page.
	then_it_faults(HEAP_AT + 8 * PAGE, 1, HEAP_AT + 8 * PAGE);
}

static void what_was_cut_off_is_a_fault_and_told(void **state)
{
	addr_t start, end;

	given_memory(HEAP_AT, 4, 4, 'a');
	when_opened_cut(image.count - 2 * PAGE - 100);
	then_bytes_are(HEAP_AT, PAGE, 'a');
	then_it_faults(HEAP_AT + PAGE, PAGE, HEAP_AT + 2 * PAGE - 100);
	then_it_lacks("the core file is cut short: 8.1 KiB of 16.0 KiB");
	// So that it is missed.
	assert_null(mem_source_resident(core, HEAP_AT, HEAP_AT + 4 * PAGE, &start, &end));
	assert_true(start == HEAP_AT && end == HEAP_AT + 4 * PAGE);
}

static void pieces_that_cannot_be_read_do_not_stop_the_others(void **state)
{
	char a, b, c;
	struct mem_span spans[] = {{.at = HEAP_AT, .into = &a, .bytes = 1},
				   {.at = 1, .into = &b, .bytes = 1},
				   {.at = HEAP_AT + 1, .into = &c, .bytes = 1}};

	given_memory(HEAP_AT, 1, 1, 'a');
	when_opened();
	assert_null(mem_source_gather(core, spans, 3));
	assert_true(spans[0].ok && !spans[1].ok && spans[2].ok && c == 'a');
}

static void a_view_lies_as_it_did_in_the_process_or_there_is_none(void **state)
{
	given_memory(HEAP_AT, 2, 1, 'a');
	given_memory(FILE_AT, 1, 1, 'b')->p_offset += 4;
	image.count += 4;
	when_opened();
	const unsigned char *view = mem_source_view(core, HEAP_AT + 8, PAGE - 8);
	assert_non_null(view);
	assert_int_equal(*view, 'a');
	assert_null(mem_source_view(core, HEAP_AT + 8, PAGE));
	assert_null(mem_source_view(core, FILE_AT, 8));
	then_bytes_are(FILE_AT, 100, 'b');
}

static void segments_that_cannot_be_are_left_out_and_counted(void **state)
{
	given_memory(HEAP_AT, 2, 2, 'a');
	given_memory(HEAP_AT + PAGE, 2, 2, 'b');
	given_memory(HEAP_AT + 8, 1, 1, 'c');
	given_memory(FILE_AT, 1, 1, 'd')->p_filesz += 1;
	given_memory(FILE_AT, 1, 1, 'd')->p_memsz = UINT64_MAX & ~UINT64_C(4095);
	given_memory(0xffffffffff600000, 1, 1, 'v');
	when_opened();
	then_bytes_are(HEAP_AT, 2 * PAGE, 'a');
	then_it_faults(HEAP_AT + 2 * PAGE, 1, HEAP_AT + 2 * PAGE);
	then_it_faults(FILE_AT, 1, FILE_AT);
	then_it_lacks("4 entries of it are damaged");
}

/** The beginning of a library whose code lies in its second page. */
struct library {
	Elf64_Ehdr header;
	Elf64_Phdr segments[3];
	Elf64_Nhdr note;
	char name[4];
	unsigned char id[4];
};

static struct library library_of(unsigned char id)
{
	struct library library = {
		.header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB},
			   .e_type = ET_DYN,
			   .e_phoff = offsetof(struct library, segments),
			   .e_phentsize = sizeof(Elf64_Phdr),
			   .e_phnum = 3},
		.segments = {{.p_type = PT_LOAD, .p_flags = PF_R, .p_filesz = PAGE},
			     {.p_type = PT_LOAD,
			      .p_flags = PF_R | PF_X,
			      .p_offset = PAGE,
			      .p_filesz = 100},
			     {.p_type = PT_NOTE,
			      .p_offset = offsetof(struct library, note),
			      .p_filesz = 20}},
		.note = {.n_namesz = 4, .n_descsz = 4, .n_type = NT_GNU_BUILD_ID},
		.name = "GNU",
		.id = {id, 2, 3, 4},
	};
	return library;
}

static const char *given_library(unsigned char id)
{
	unsigned char bytes[PAGE + 100];
	struct library library = library_of(id);

	memset(bytes, 'x', sizeof(bytes));
	memcpy(bytes, &library, sizeof(library));
	scratch_write(scratch, "library.so", bytes, sizeof(bytes));
	return scratch_path(scratch, "library.so");
}

// As GDB does it: the first page is in the core, the code is not spoken of.
static void given_mapped_library(const char *path, unsigned char id)
{
	struct library library = library_of(id);
	const struct entry entries[] = {{FILE_AT + PAGE, FILE_AT + 3 * PAGE, 1, path},
					{FILE_AT, FILE_AT + PAGE, 0, path}};
	Elf64_Phdr *segment = given_memory(FILE_AT, 1, 1, 0);

	segment->p_flags = PF_R;
	memcpy(image.bytes + segment->p_offset, &library, sizeof(library));
	given_files(entries, 2);
}

static void what_a_core_leaves_out_is_read_from_the_same_file(void **state)
{
	const char *path = given_library(1), *found = NULL;
	_cleanup_maps_ struct maps maps = {0};

	given_mapped_library(path, 1);
	when_opened();
	then_bytes_are(FILE_AT + PAGE, 100, 'x');
	then_bytes_are(FILE_AT + PAGE + 100, PAGE - 100, 0);
	// The file ends before.
	then_it_faults(FILE_AT + 2 * PAGE, 1, FILE_AT + 2 * PAGE);
	assert_string_equal(mem_corefile_shortcomings(core), "");
	assert_null(mem_corefile_file(core, FILE_AT + PAGE, &found));
	assert_string_equal(found, path);
	assert_null(mem_source_maps(core, &maps));
	assert_int_equal(maps.count, 2);
	assert_string_equal(maps.list[1].path, path);
	assert_int_equal(maps.list[0].inode, maps.list[1].inode);
	assert_int_equal(maps.list[1].file_offset, PAGE);
	assert_int_equal(maps.list[0].flags, MAPPING_READ);
	assert_int_equal(maps.list[1].flags, MAPPING_READ | MAPPING_EXEC);
}

static void another_file_is_not_taken_for_the_one_that_was_mapped(void **state)
{
	const char *found = NULL;

	given_mapped_library(given_library(9), 1);
	when_opened();
	then_it_faults(FILE_AT + PAGE, 1, FILE_AT + PAGE);
	then_it_lacks("library.so with build-id 01020304 is another file here");
	_cleanup_error_ struct error *error = mem_corefile_file(core, FILE_AT, &found);
	assert_non_null(error);
	assert_null(found);
	assert_non_null(strstr(error->message, "LEAKINSPECT_SYSROOT"));
}

static void a_file_that_is_gone_is_named(void **state)
{
	given_mapped_library("/nowhere/library.so", 1);
	when_opened();
	then_it_faults(FILE_AT + PAGE, 1, FILE_AT + PAGE);
	then_it_lacks("/nowhere/library.so with build-id 01020304 is not here");
}

static void a_file_is_looked_for_below_the_directory_that_is_named(void **state)
{
	const char *found = NULL;

	given_library(1);
	given_mapped_library("/library.so", 1);
	setenv("LEAKINSPECT_SYSROOT", scratch_directory(scratch), 1);
	when_opened();
	unsetenv("LEAKINSPECT_SYSROOT");
	then_bytes_are(FILE_AT + PAGE, 100, 'x');
	assert_null(mem_corefile_file(core, FILE_AT, &found));
	assert_string_equal(found, scratch_path(scratch, "library.so"));
}

static void a_program_that_the_core_has_nothing_of_is_taken_by_its_path(void **state)
{
	const struct entry entry = {FILE_AT + PAGE, FILE_AT + 2 * PAGE, 1, given_library(1)};

	given_files(&entry, 1);
	when_opened();
	then_bytes_are(FILE_AT + PAGE, 100, 'x');
	then_it_lacks("1 programs and libraries are taken by their path alone");
}

static void notes_tell_the_process_and_its_threads(void **state)
{
	struct elf_prstatus status = {.pr_pid = 12};
	struct elf_prpsinfo info = {.pr_pid = 11, .pr_psargs = "python3 app.py --port 80 "};
	const Elf64_auxv_t auxiliary[] = {{AT_RANDOM, {FILE_AT + 100}}, {AT_NULL, {0}}};
	_cleanup_maps_ struct maps maps = {0};
	size_t count;

	given_note(NT_PRSTATUS, &status, sizeof(status));
	given_note(NT_PRPSINFO, &info, sizeof(info));
	status.pr_pid = 11;
	given_note(NT_PRSTATUS, &status, sizeof(status));
	given_note(NT_AUXV, auxiliary, sizeof(auxiliary));
	given_memory(FILE_AT, 1, 1, 's');
	when_opened();
	const struct pause_thread *threads = mem_corefile_threads(core, &count);
	assert_int_equal(count, 2);
	assert_int_equal(threads[0].tid, 12);
	assert_int_equal(threads[1].tid, 11);
	assert_true(threads[0].register_count > 8);
	assert_int_equal(mem_corefile_pid(core), 11);
	assert_string_equal(mem_corefile_arguments(core), "python3 app.py --port 80");
	assert_null(mem_source_maps(core, &maps));
	assert_string_equal(maps.list[0].path, "[stack]");
}

static void damaged_notes_are_left_out(void **state)
{
	const uint64_t files[] = {UINT64_MAX, PAGE, 0};
	const struct entry entries[] = {
		{FILE_AT, FILE_AT + 2 * PAGE, 0, "/a"},
		{FILE_AT + PAGE, FILE_AT + 3 * PAGE, 0, "/b"},
		{FILE_AT + 4 * PAGE, FILE_AT + 4 * PAGE, 0, "/c"},
		{FILE_AT + 5 * PAGE, FILE_AT + 6 * PAGE, UINT64_MAX, "/d"},
	};
	_cleanup_maps_ struct maps maps = {0};
	size_t count;

	given_note(NT_PRSTATUS, "short", 5);
	given_note(NT_PRPSINFO, "short", 5);
	given_note(NT_FILE, files, sizeof(files));
	given_files(entries, 4);
	// One whose description would end behind all others.
	const Elf64_Nhdr endless = {.n_namesz = 4, .n_descsz = UINT32_MAX, .n_type = NT_FILE};
	memcpy(image.bytes + PAGE + image.note_count, &endless, sizeof(endless));
	image.note_count += sizeof(endless);
	when_opened();
	mem_corefile_threads(core, &count);
	assert_int_equal(count, 0);
	assert_null(mem_source_maps(core, &maps));
	assert_int_equal(maps.count, 1);
	assert_string_equal(maps.list[0].path, "/a");
	then_it_lacks("6 entries of it are damaged");
}

static void a_number_of_segments_that_has_no_place_is_as_many_as_there_are(void **state)
{
	Elf64_Ehdr header;
	const Elf64_Shdr section = {.sh_info = UINT32_MAX};

	given_memory(HEAP_AT, 1, 1, 'a');
	write_core(image.count);
	memcpy(&header, image.bytes, sizeof(header));
	header.e_phnum = PN_XNUM;
	header.e_shoff = 2 * PAGE;
	memcpy(image.bytes, &header, sizeof(header));
	memcpy(image.bytes + 2 * PAGE, &section, sizeof(section));
	when_opened();
	then_bytes_are(HEAP_AT, PAGE, 'a');
}

static void what_is_no_core_file_is_refused(void **state)
{
	Elf64_Ehdr header;

	scratch_write(scratch, "core", "", 0);
	then_it_is_refused("is empty");
	scratch_write(scratch, "core", "#!/bin/sh\n", 10);
	then_it_is_refused("it is not ELF");
	scratch_write(scratch, "core", "\x1f\x8b\x08 and so on", 13);
	then_it_is_refused("gzip -d");
	write_core(image.count);
	scratch_write(scratch, "core", image.bytes, 63);
	then_it_is_refused("its ELF header is damaged");
	memcpy(&header, image.bytes, sizeof(header));
	header.e_type = ET_EXEC;
	scratch_write(scratch, "core", &header, sizeof(header));
	then_it_is_refused("a program or a library");
	header.e_type = ET_CORE;
	header.e_machine = EM_S390;
	scratch_write(scratch, "core", &header, sizeof(header));
	then_it_is_refused("of another machine");
	header.e_ident[EI_CLASS] = ELFCLASS32;
	scratch_write(scratch, "core", &header, sizeof(header));
	then_it_is_refused("32-bit");
	_cleanup_error_ struct error *error = mem_corefile_create("/nowhere", &core);
	assert_int_equal(error->code, ERROR_FAILED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, given_nothing, afterwards)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(segments_are_read_and_nothing_around_them),
		TEST(what_was_never_touched_reads_as_zeros_and_is_not_resident),
		TEST(what_was_cut_off_is_a_fault_and_told),
		TEST(pieces_that_cannot_be_read_do_not_stop_the_others),
		TEST(a_view_lies_as_it_did_in_the_process_or_there_is_none),
		TEST(segments_that_cannot_be_are_left_out_and_counted),
		TEST(what_a_core_leaves_out_is_read_from_the_same_file),
		TEST(another_file_is_not_taken_for_the_one_that_was_mapped),
		TEST(a_file_that_is_gone_is_named),
		TEST(a_file_is_looked_for_below_the_directory_that_is_named),
		TEST(a_program_that_the_core_has_nothing_of_is_taken_by_its_path),
		TEST(notes_tell_the_process_and_its_threads),
		TEST(damaged_notes_are_left_out),
		TEST(a_number_of_segments_that_has_no_place_is_as_many_as_there_are),
		TEST(what_is_no_core_file_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
