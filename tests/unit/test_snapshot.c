// SPDX-License-Identifier: GPL-3.0-or-later
// Snapshots in memory and in files: what is written is read again, what is damaged is told.
#include "ui/record/snapshot.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "analyze/censuses/changes.h"
#include "base/array.h"
#include "mem/process.h"
#include "support/graphs.h"
#include "support/scratch.h"
#include "ui/record/saved.h"

enum { ROUNDS = 200, DAMAGES = 5000, ROWS_MAX = 60, NAME_MAX_BYTES = 24 };

static struct scratch *scratch;
static const char *path;

static int given_a_directory(void **state)
{
	scratch = scratch_create();
	path = scratch_path(scratch, "some.snap");
	return 0;
}

static int end(void **state)
{
	scratch_destroy(scratch);
	return 0;
}

// Pieces of which names are made, all UTF-8: what JSON escapes, what terminals obey.
static char *random_name(uint64_t *seed)
{
	static const char *const pieces[] = {"a",
					     "Cart",
					     "\"",
					     "\\",
					     "\n",
					     "\r\n",
					     "\t",
					     "\x1b[31m",
					     "'",
					     "]",
					     "{",
					     ",",
					     "\x7f",
					     "\xc3\xa9",
					     "\xe2\x80\xae",
					     " ",
					     "\xf0\x9f\x90\x8d",
					     "\\u0000"};
	char *name = calloc(1, NAME_MAX_BYTES + 8);

	assert_non_null(name);
	while (strlen(name) < graph_random(seed) % NAME_MAX_BYTES)
		strcat(name, pieces[graph_random(seed) % ARRAY_COUNT(pieces)]);
	return name;
}

static void snapshot_row(struct snapshot *snapshot, char *name, uint64_t count)
{
	struct census *census = &snapshot->census;

	census->rows = reallocarray(census->rows, census->row_count + 1, sizeof(*census->rows));
	assert_non_null(census->rows);
	census->rows[census->row_count++] = (struct census_row){
		.name = name,
		.count = count,
		.tracked = count / 2,
		.frozen = count / 3,
		.size_bytes = count * 50,
		.refs = count * 2,
	};
	census->total.count += count;
	census->total.tracked += count / 2;
	census->total.frozen += count / 3;
	census->total.size_bytes += count * 50;
	census->total.refs += count * 2;
}

static struct snapshot random_snapshot(uint64_t *seed)
{
	struct snapshot snapshot = {
		.process = {.pid = 1 + (int)(graph_random(seed) % 4000000),
			    .start_ticks = graph_random(seed) >> 1,
			    .runtime = "cpython",
			    .version = "3.11.2",
			    .build = "release",
			    .program = "python \"a b\" \n\x1b"},
		.time_ms = (int64_t)(graph_random(seed) % 4000000000000),
		.rss_bytes = graph_random(seed) >> 1,
		.vss_bytes = graph_random(seed) >> 1,
		.ref_total = graph_random(seed) % 2 ? -1 : (int64_t)(graph_random(seed) >> 1),
		.exact = graph_random(seed) % 2,
		.census.total.name = "total",
	};

	for (size_t i = graph_random(seed) % ROWS_MAX; i > 0; i--)
		snapshot_row(&snapshot, random_name(seed), graph_random(seed) >> 16);
	census_merge(&snapshot.census);
	return snapshot;
}

static void when_written(const struct snapshot *snapshot)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_null(snapshot_write(out, snapshot));
	assert_int_equal(fclose(out), 0);
}

static void then_same_row(const struct census_row *one, const struct census_row *other)
{
	assert_string_equal(one->name, other->name);
	assert_true(one->count == other->count && one->tracked == other->tracked &&
		    one->frozen == other->frozen && one->size_bytes == other->size_bytes &&
		    one->refs == other->refs);
}

static void then_same(const struct snapshot *one, const struct snapshot *other)
{
	assert_true(snapshot_is_of_same(one, other));
	assert_string_equal(one->process.runtime, other->process.runtime);
	assert_string_equal(one->process.version, other->process.version);
	assert_string_equal(one->process.build, other->process.build);
	assert_string_equal(one->process.program, other->process.program);
	assert_true(one->time_ms == other->time_ms && one->rss_bytes == other->rss_bytes &&
		    one->vss_bytes == other->vss_bytes && one->ref_total == other->ref_total &&
		    one->exact == other->exact);
	assert_int_equal(one->census.row_count, other->census.row_count);
	for (size_t i = 0; i < one->census.row_count; i++)
		then_same_row(&one->census.rows[i], &other->census.rows[i]);
	then_same_row(&one->census.total, &other->census.total);
	assert_true(snapshot_refs(one) == snapshot_refs(other));
}

static void what_is_written_is_read_again(void **state)
{
	uint64_t seed = 20261129;

	for (int round = 0; round < ROUNDS; round++) {
		_cleanup_snapshot_ struct snapshot before = random_snapshot(&seed);
		_cleanup_snapshot_ struct snapshot after = {0};
		when_written(&before);
		assert_null(snapshot_read(path, &after));
		then_same(&before, &after);
	}
}

static void bytes_that_are_no_text_are_written_as_text(void **state)
{
	_cleanup_snapshot_ struct snapshot before = {.process.pid = 1, .ref_total = -1};
	_cleanup_snapshot_ struct snapshot after = {0};

	snapshot_row(&before, strdup("shop.\xff\xe9t\xe9\xc0\x80"), 3);
	when_written(&before);
	assert_null(snapshot_read(path, &after));
	assert_string_equal(after.census.rows[0].name, "shop.\\xff\\xe9t\\xe9\\xc0\\x80");
}

static struct error *fake_census(struct inspected *inspected, bool caches,
				 struct session_look *look, struct census *ret)
{
	struct snapshot *snapshot = &(struct snapshot){.census.total.name = "total"};

	assert_false(caches);
	snapshot_row(snapshot, strdup("shop.\xff"), 3);
	snapshot_row(snapshot, strdup("shop.\\xff"), 4);
	*look = (struct session_look){.stops = 1, .consistent = true, .ref_total = 77};
	*ret = snapshot->census;
	return NULL;
}

static void fake_head(const struct inspected *inspected, const char *verb,
		      const struct session_look *look, const struct census *census,
		      struct report_head *ret)
{
	*ret = (struct report_head){
		.pid = inspected->pid, .runtime = "cpython", .version = "2.7.18"};
}

static struct error *fake_arguments(struct inspected *inspected, char **ret, size_t *ret_bytes)
{
	return process_arguments(inspected->pid, ret, ret_bytes);
}

static void a_process_and_its_file_have_the_same_names(void **state)
{
	static const struct inspected_ops ops = {
		.census = fake_census, .head = fake_head, .arguments = fake_arguments};
	struct inspected inspected = {.ops = &ops, .pid = getpid()};
	_cleanup_snapshot_ struct snapshot taken = {0};
	_cleanup_snapshot_ struct snapshot read = {0};
	struct session_look look;

	assert_null(snapshot_take(&inspected, &look, &taken));
	assert_int_equal(taken.census.row_count, 1);
	assert_string_equal(taken.census.rows[0].name, "shop.\\xff");
	assert_int_equal(taken.census.rows[0].count, 7);
	assert_true(taken.exact && taken.rss_bytes > 0 && taken.vss_bytes >= taken.rss_bytes);
	assert_true(snapshot_refs(&taken) == 77);
	when_written(&taken);
	assert_null(snapshot_read(path, &read));
	then_same(&taken, &read);
}

// Wraps @a rows and other numbers in a document.
static void given_document(const char *time_ms, const char *rows)
{
	_cleanup_text_ struct text text = {0};

	assert_null(text_appendf(&text,
				 "{\"leakinspect\":\"snapshot\",\"format\":1,\"time_ms\":%s,"
				 "\"pid\":1,\"start_ticks\":2,\"rss\":3,\"vss\":4,"
				 "\"ref_total\":-1,\"exact\":true,\"types\":[%s]}",
				 time_ms, rows));
	scratch_write(scratch, "some.snap", text.chars, text.length);
}

static void then_refused(const char *why)
{
	_cleanup_snapshot_ struct snapshot snapshot = {0};
	_cleanup_error_ struct error *error = snapshot_read(path, &snapshot);

	if (!error)
		fail_msg("a file is taken in which: %s", why);
	assert_int_equal(error->code, ERROR_FAILED);
	assert_non_null(strstr(error->message, path));
	assert_non_null(strstr(error->message, why));
}

static void a_type_that_is_there_twice_is_one(void **state)
{
	_cleanup_snapshot_ struct snapshot snapshot = {0};
	_cleanup_changes_ struct changes changes = {0};

	given_document("5", "[\"a\",1,1,1,1,1],[\"b\",9,0,0,0,0],[\"a\",20,1,1,1,1]");
	assert_null(snapshot_read(path, &snapshot));
	assert_int_equal(snapshot.census.row_count, 2);
	assert_string_equal(snapshot.census.rows[0].name, "a");
	assert_int_equal(snapshot.census.rows[0].count, 21);
	assert_int_equal(snapshot.census.total.count, 30);
	const struct census *const twice[] = {&snapshot.census, &snapshot.census};
	assert_null(changes_find(twice, 2, &changes));
	assert_int_equal(changes.row_count, 0);
}

static void numbers_that_cannot_be_are_refused(void **state)
{
	given_document("5", "");
	_cleanup_snapshot_ struct snapshot snapshot = {0};
	assert_null(snapshot_read(path, &snapshot));
	assert_int_equal(snapshot.census.row_count, 0);
	given_document("-1", "");
	then_refused("a number is missing");
	given_document("9223372036854775807", "");
	then_refused("a number is missing");
	given_document("1e3", "");
	then_refused("a number is missing");
	given_document("9223372036854775808", "");
	then_refused("no snapshot");
	given_document("5", "[\"a\",1,1,1,1]");
	then_refused("type 1 of it is no name with 5 numbers");
	given_document("5", "[\"a\",1,1,1,1,1],[\"b\",1,1,1,1,1.5]");
	then_refused("a number of type 2 of it is none");
	given_document("5", "[1,1,1,1,1,1]");
	then_refused("no name with 5 numbers");
	given_document("5", "{\"a\":1}");
	then_refused("no name with 5 numbers");
	given_document("5", "[\"a\\u0000b\",1,1,1,1,1]");
	then_refused("no snapshot");
	given_document("5", "[\"a\",1,1,1,1,9223372036854775807],[\"b\",1,1,1,1,1]");
	then_refused("more than a number holds");
}

static void what_is_no_regular_file_is_refused(void **state)
{
	scratch_run(scratch, "mkfifo $S/some.snap");
	then_refused("it is no file");
	scratch_run(scratch, "rm $S/some.snap && truncate -s %d $S/some.snap",
		    SNAPSHOT_BYTES_MAX + 1);
	then_refused("has more than");
	scratch_run(scratch, "rm $S/some.snap");
	then_refused("cannot read it");
}

static void a_deep_document_is_refused(void **state)
{
	_cleanup_free_ char *deep = malloc(1 << 20);

	memset(deep, '[', 1 << 20);
	scratch_write(scratch, "some.snap", deep, 1 << 20);
	then_refused("no snapshot");
}

static void a_full_device_is_told(void **state)
{
	uint64_t seed = 7;
	_cleanup_snapshot_ struct snapshot snapshot = random_snapshot(&seed);
	FILE *full = fopen("/dev/full", "w");

	if (!full)
		skip();
	setbuf(full, NULL);
	_cleanup_error_ struct error *error = snapshot_write(full, &snapshot);
	fclose(full);
	assert_non_null(error);
	assert_non_null(strstr(error->message, "cannot write the snapshot"));
}

// One of: some bits, a cut, a piece twice, a piece gone, a digit for another.
static size_t damage(char *bytes, size_t count, uint64_t *seed)
{
	size_t at = graph_random(seed) % count, length = graph_random(seed) % (count - at + 1);

	switch (graph_random(seed) % 5) {
	case 0:
		for (size_t i = graph_random(seed) % 4 + 1; i > 0; i--)
			bytes[graph_random(seed) % count] ^= (char)(1 << graph_random(seed) % 8);
		return count;
	case 1:
		return at + 1;
	case 2:
		length = length % 40;
		memmove(bytes + at + length, bytes + at, count - at);
		return count + length;
	case 3:
		length = length % 40;
		memmove(bytes + at, bytes + at + length, count - at - length);
		return count - length;
	}
	for (; at < count; at++)
		if (strchr("0123456789", bytes[at])) {
			bytes[at] = "-.e9\"[ x"[graph_random(seed) % 8];
			break;
		}
	return count;
}

static void then_plausible(const struct snapshot *snapshot)
{
	const struct census *census = &snapshot->census;
	uint64_t count = 0, refs = 0, bytes = 0;

	assert_true(snapshot->process.pid > 0 && snapshot->time_ms >= 0 &&
		    snapshot->ref_total >= -1 && snapshot->rss_bytes <= INT64_MAX &&
		    snapshot->vss_bytes <= INT64_MAX);
	for (size_t i = 0; i < census->row_count; i++) {
		assert_non_null(census->rows[i].name);
		assert_true(census->rows[i].tracked <= INT64_MAX);
		count += census->rows[i].count;
		refs += census->rows[i].refs;
		bytes += census->rows[i].size_bytes;
	}
	assert_true(census->total.count == count && census->total.refs == refs &&
		    census->total.size_bytes == bytes);
	assert_true(count <= INT64_MAX && refs <= INT64_MAX && bytes <= INT64_MAX);
}

static void a_damaged_file_is_told_or_makes_sense(void **state)
{
	uint64_t seed = 20261129;
	_cleanup_snapshot_ struct snapshot snapshot = random_snapshot(&seed);
	size_t bytes, refused = 0;

	when_written(&snapshot);
	_cleanup_free_ char *good = scratch_read(path, &bytes);
	_cleanup_free_ char *bad = malloc(bytes * 2 + 100);
	for (int i = 0; i < DAMAGES; i++) {
		_cleanup_snapshot_ struct snapshot read = {0};
		memcpy(bad, good, bytes);
		size_t count = damage(bad, bytes, &seed);
		if (graph_random(&seed) % 4 == 0)
			count = damage(bad, count, &seed);
		scratch_write(scratch, "some.snap", bad, count);
		_cleanup_error_ struct error *error = snapshot_read(path, &read);
		refused += error != NULL;
		if (error) {
			assert_int_equal(error->code, ERROR_FAILED);
			assert_non_null(strstr(error->message, path));
		} else {
			then_plausible(&read);
		}
	}
	assert_true(refused > DAMAGES / 4 && refused < DAMAGES);
}

static struct saved saved;

static const struct saved_one *when_saved(const char *name, uint64_t count)
{
	struct snapshot snapshot = {.ref_total = -1};
	const struct saved_one *one;

	snapshot_row(&snapshot, strdup("a"), count);
	assert_null(saved_add(&saved, name, &snapshot, &one));
	assert_null(snapshot.census.rows);
	return one;
}

static uint64_t saved_count_of(const char *name)
{
	const struct saved_one *one = saved_find(&saved, name);

	return one ? one->snapshot.census.total.count : 0;
}

static int end_saved(void **state)
{
	saved_deinit(&saved);
	return 0;
}

static void those_without_a_name_are_numbered(void **state)
{
	assert_string_equal(when_saved(NULL, 1)->name, "1");
	assert_string_equal(when_saved("before", 2)->name, "before");
	assert_string_equal(when_saved(NULL, 3)->name, "3");
	assert_int_equal(saved_count_of("1"), 1);
	assert_int_equal(saved_count_of("before"), 2);
	assert_int_equal(saved_count_of("3"), 3);
	assert_null(saved_find(&saved, "2"));
	assert_null(saved_find(&saved, ""));
}

static void a_number_that_somebody_took_as_a_name_stays_theirs(void **state)
{
	when_saved("2", 20);
	when_saved("4", 40);
	assert_string_equal(when_saved(NULL, 3)->name, "3");
	assert_string_equal(when_saved(NULL, 5)->name, "5");
	assert_int_equal(saved_count_of("2"), 20);
	assert_int_equal(saved_count_of("4"), 40);
	assert_int_equal(saved_count_of("5"), 5);
}

static void one_of_the_same_name_is_replaced(void **state)
{
	when_saved("a", 1);
	when_saved("b", 2);
	when_saved("a", 3);
	assert_int_equal(saved.count, 2);
	assert_int_equal(saved_count_of("a"), 3);
	// It was kept last.
	assert_string_equal(saved.list[1].name, "a");
}

static void of_too_many_the_oldest_goes(void **state)
{
	for (uint64_t i = 1; i <= SAVED_MAX + 5; i++)
		when_saved(NULL, i);
	assert_int_equal(saved.count, SAVED_MAX);
	assert_null(saved_find(&saved, "5"));
	assert_int_equal(saved_count_of("6"), 6);
	assert_int_equal(saved_count_of("105"), 105);
	// Replacing needs no room.
	when_saved("50", 1000);
	assert_int_equal(saved.count, SAVED_MAX);
	assert_int_equal(saved_count_of("6"), 6);
	assert_int_equal(saved_count_of("50"), 1000);
}

#define FILE_TEST(test) cmocka_unit_test_setup_teardown(test, given_a_directory, end)
#define SAVED_TEST(test) cmocka_unit_test_teardown(test, end_saved)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILE_TEST(what_is_written_is_read_again),
		FILE_TEST(bytes_that_are_no_text_are_written_as_text),
		FILE_TEST(a_process_and_its_file_have_the_same_names),
		FILE_TEST(a_type_that_is_there_twice_is_one),
		FILE_TEST(numbers_that_cannot_be_are_refused),
		FILE_TEST(what_is_no_regular_file_is_refused),
		FILE_TEST(a_deep_document_is_refused),
		FILE_TEST(a_full_device_is_told),
		FILE_TEST(a_damaged_file_is_told_or_makes_sense),
		SAVED_TEST(those_without_a_name_are_numbered),
		SAVED_TEST(a_number_that_somebody_took_as_a_name_stays_theirs),
		SAVED_TEST(one_of_the_same_name_is_replaced),
		SAVED_TEST(of_too_many_the_oldest_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
