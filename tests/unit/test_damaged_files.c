// SPDX-License-Identifier: GPL-3.0-or-later
// Files that are not what they should be: cut off anywhere, with bytes changed. Whatever the answer
// is, there is one, soon, and an error names the file.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "debug/dwarf_types.h"
#include "debug/elf_file.h"
#include "support/scratch.h"

enum {
	CUTS = 60,
	CHANGES = 100,
	CHANGED_BYTES_MAX = 8,
	// Of all tests together.
	PATIENCE_SECONDS = 120,
};

static const char sources[] = "tests/programs/shapes.c tests/programs/shapes_other.c";

/** A healthy file, the bytes of it, and the damaged one that is asked. */
struct patient {
	struct scratch *scratch;
	char *healthy;
	size_t bytes;
	const char *path;
};

static void patient_make(struct patient *patient, const char *compiler)
{
	patient->scratch = scratch_create();
	scratch_run(patient->scratch, "%s -std=gnu11 -no-pie -o $S/healthy %s", compiler, sources);
	patient->healthy = scratch_read(scratch_path(patient->scratch, "healthy"), &patient->bytes);
	patient->path = scratch_path(patient->scratch, "damaged");
}

static void patient_free(struct patient *patient)
{
	free(patient->healthy);
	scratch_destroy(patient->scratch);
}

/** Whether there is no error; one must be of a known kind and name the file. */
static bool is_fine(const struct patient *patient, struct error *error)
{
	if (!error)
		return true;
	assert_true(error->code == ERROR_FAILED || error->code == ERROR_UNSUPPORTED);
	if (!strstr(error->message, patient->path))
		fail_msg("does not name the file: %s", error->message);
	error_destroy(error);
	return false;
}

static bool elf_answers(const struct patient *patient)
{
	_cleanup_elf_file_ struct elf_file *file = NULL;
	addr_t address = 0;
	uint64_t number = 0;
	uint32_t crc = 0;
	bool present = false;

	if (!is_fine(patient, elf_file_open(patient->path, &file)))
		return false;
	elf_file_symbol(file, "main", &address, &number);
	elf_file_symbol_at(file, address, &number);
	elf_file_symbol_at(file, UINT64_MAX, &number);
	elf_file_segment_delta(file, 0x1000, true, &present);
	elf_file_debuglink(file, &crc);
	return true;
}

static bool types_answer(const struct patient *patient)
{
	static const char *const types[] = {
		"outer",  "inner_alias", "nameless_again", "bits", "packed",    "twofold",
		"secret", "row_t",       "nosuch",         "int",  "undefined",
	};
	static const char *const paths[] = {
		"one.b[2]", "leaf_bytes[3]",  "kind", "nested_high", "grid[1][6]", "items[5].c",
		"across",   "deep.wrapped.c", "[3]",  "nosuch",      "y",          "wide",
	};
	static const char *const variables[] = {"twin", "table", "open_ended", "grid", "nosuch"};
	struct layout_source *source = NULL;
	struct layout_member member;
	struct layout_variable variable;
	uint64_t bytes = 0;
	bool present = false;

	if (!is_fine(patient, dwarf_types_create(patient->path, &source)))
		return false;
	for (size_t t = 0; t < ARRAY_COUNT(types); t++) {
		is_fine(patient, layout_type_size(source, types[t], &present, &bytes));
		for (size_t p = 0; p < ARRAY_COUNT(paths); p++)
			is_fine(patient,
				layout_member(source, types[t], paths[p], &present, &member));
	}
	for (size_t v = 0; v < ARRAY_COUNT(variables); v++) {
		is_fine(patient, layout_variable(source, variables[v], NULL, &present, &variable));
		is_fine(patient,
			layout_variable(source, variables[v], "float_block", &present, &variable));
	}
	layout_source_destroy(source);
	return true;
}

// given: a file with its end missing; then: it is refused, since what tells where everything is
// comes last in it.
static void a_file_cut_off_is_refused(void **state)
{
	struct patient patient;

	patient_make(&patient, *state);
	for (size_t i = 0; i < CUTS; i++) {
		size_t left = i < 8 ? i * 16 : patient.bytes / CUTS * i;
		scratch_write(patient.scratch, "damaged", patient.healthy, left);
		assert_false(elf_answers(&patient));
		assert_false(types_answer(&patient));
	}
	scratch_write(patient.scratch, "damaged", patient.healthy, patient.bytes - 1);
	assert_false(elf_answers(&patient));
	assert_false(types_answer(&patient));
	patient_free(&patient);
}

/** Where the debug information begins: behind what is loaded, which matters less. */
static size_t debug_start(struct patient *patient)
{
	_cleanup_free_ char *offset = scratch_output(
		patient->scratch,
		"readelf -WS $S/healthy | sed -n 's/.*debug_aranges *[A-Z_0-9]* *[0-9a-f]* //p' | "
		"cut -d' ' -f1");
	size_t start = strtoul(offset, NULL, 16);

	assert_in_range(start, 1, patient->bytes - 1);
	return start;
}

// given: a file with some of its bytes changed; then: it is refused or answers, and ends.
static void a_file_with_changed_bytes_answers_or_is_refused(void **state)
{
	struct patient patient;

	patient_make(&patient, *state);
	_cleanup_free_ char *damaged = malloc(patient.bytes);
	size_t from = debug_start(&patient), answered = 0;
	unsigned seed = 20;
	for (size_t i = 0; i < CHANGES; i++) {
		memcpy(damaged, patient.healthy, patient.bytes);
		int count = 1 + rand_r(&seed) % CHANGED_BYTES_MAX;
		for (int c = 0; c < count; c++) {
			size_t at = (size_t)rand_r(&seed);
			at = at % 4 ? from + at % (patient.bytes - from) : at % patient.bytes;
			damaged[at] = (char)(rand_r(&seed) % 3 ? rand_r(&seed) : 0xff);
		}
		scratch_write(patient.scratch, "damaged", damaged, patient.bytes);
		elf_answers(&patient);
		answered += types_answer(&patient);
	}
	// Were all of them refused at once, this would test nothing.
	assert_in_range(answered, CHANGES / 10, CHANGES);
	patient_free(&patient);
}

static void damage_in_a_unit_is_told_and_not_an_absence(void **state)
{
	struct patient patient;
	struct layout_source *source = NULL;
	bool present = false;
	uint64_t bytes = 0;

	patient_make(&patient, "gcc -g");
	_cleanup_free_ char *offset = scratch_output(
		patient.scratch,
		"readelf -WS $S/healthy | sed -n 's/.*debug_abbrev *[A-Z_0-9]* *[0-9a-f]* //p' | "
		"cut -d' ' -f1");
	// An abbreviation table of nothing but ones: no entry can be understood.
	memset(patient.healthy + strtoul(offset, NULL, 16), 1, 256);
	scratch_write(patient.scratch, "damaged", patient.healthy, patient.bytes);

	assert_true(is_fine(&patient, dwarf_types_create(patient.path, &source)));
	for (int again = 0; again < 2; again++) {
		_cleanup_error_ struct error *error =
			layout_type_size(source, "outer", &present, &bytes);
		assert_non_null(error);
		assert_int_equal(error->code, ERROR_FAILED);
		assert_non_null(strstr(error->message, "reinstall"));
	}
	layout_source_destroy(source);
	patient_free(&patient);
}

#define DAMAGED(function, sentence, compiler)                                              \
	{                                                                                  \
		.name = sentence, .test_func = function, .initial_state = (void *)compiler \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DAMAGED(a_file_cut_off_is_refused, "a_file_cut_off_is_refused", "gcc -gdwarf-5"),
		DAMAGED(a_file_cut_off_is_refused, "a_compressed_file_cut_off_is_refused",
			"gcc -gdwarf-5 -gz"),
		DAMAGED(a_file_with_changed_bytes_answers_or_is_refused,
			"a_file_with_changed_bytes_answers_or_is_refused", "gcc -gdwarf-5"),
		DAMAGED(a_file_with_changed_bytes_answers_or_is_refused,
			"changed_dwarf_4_answers_or_is_refused", "gcc -gdwarf-4 -O2"),
		DAMAGED(a_file_with_changed_bytes_answers_or_is_refused,
			"changed_compressed_sections_answer_or_are_refused", "gcc -gdwarf-5 -gz"),
		DAMAGED(a_file_with_changed_bytes_answers_or_is_refused,
			"changed_type_units_answer_or_are_refused",
			"gcc -gdwarf-4 -fdebug-types-section"),
		cmocka_unit_test(damage_in_a_unit_is_told_and_not_an_absence),
	};

	// A walk that does not end is to be a failure and no eternity.
	alarm(PATIENCE_SECONDS);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
