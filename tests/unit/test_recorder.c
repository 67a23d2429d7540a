// SPDX-License-Identifier: GPL-3.0-or-later
// The recorder, over a process whose stops take as long as a test wants: points, what fails, the share.
#include "ui/record/recorder.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "mem/process.h"
#include "support/scratch.h"

/** A process that is there, with answers of the test. */
struct fake {
	struct inspected inspected;
	uint64_t pause_ns;
	uint64_t objects;
	bool fails, census_fails;
	enum error_code code;
	bool inconsistent;
	unsigned facts_count, census_count;
};

static struct session_look fake_look(const struct fake *fake)
{
	return (struct session_look){
		.pause_ns = fake->pause_ns,
		.pause_total_ns = fake->pause_ns,
		.stops = 1,
		.consistent = !fake->inconsistent,
	};
}

static struct error *fake_facts(struct inspected *inspected, struct session_look *look,
				struct target_facts *ret)
{
	struct fake *fake = (struct fake *)inspected;

	fake->facts_count++;
	if (fake->fails)
		return error_create(fake->code, "a debugger is there");
	*look = fake_look(fake);
	*ret = (struct target_facts){.garbage_count = 3};
	return NULL;
}

static struct error *fake_census(struct inspected *inspected, bool caches,
				 struct session_look *look, struct census *ret)
{
	struct fake *fake = (struct fake *)inspected;

	fake->census_count++;
	if (fake->census_fails)
		return error_create(ERROR_FAILED, "a debugger came");
	*look = fake_look(fake);
	*ret = (struct census){.total.count = fake->objects};
	return NULL;
}

static void fake_head(const struct inspected *inspected, const char *verb,
		      const struct session_look *look, const struct census *census,
		      struct report_head *ret)
{
	*ret = (struct report_head){
		.verb = verb, .pid = inspected->pid, .runtime = "cpython", .version = "3.11.2"};
}

static struct error *fake_arguments(struct inspected *inspected, char **ret, size_t *ret_bytes)
{
	return process_arguments(inspected->pid, ret, ret_bytes);
}

static const struct inspected_ops ops = {
	.arguments = fake_arguments, .facts = fake_facts, .census = fake_census, .head = fake_head};

static struct fake fake;
static struct recorder recorder;
static struct scratch *scratch;

static int given_a_process(void **state)
{
	fake = (struct fake){
		.inspected = {.ops = &ops, .pid = getpid()}, .pause_ns = 1000000, .objects = 100};
	recorder = (struct recorder){0};
	scratch = scratch_create();
	return 0;
}

static int afterwards(void **state)
{
	recorder_deinit(&recorder);
	scratch_destroy(scratch);
	return 0;
}

static void given_a_run(const struct recorder_options *options)
{
	assert_null(recorder_start(&recorder, &fake.inspected, options));
	assert_null(recorder_take(&recorder, &fake.inspected));
}

static const struct recorder_options one_second = {.interval_ns = 1000000000, .pause_share_max = 1};

static void a_point_has_what_proc_and_the_process_tell(void **state)
{
	given_a_run(&one_second);
	assert_true(recorder.values[RECORDER_RSS] > 0);
	assert_true(recorder.values[RECORDER_VSS] >= recorder.values[RECORDER_RSS]);
	assert_int_equal(recorder.values[RECORDER_OBJECTS], 100);
	assert_int_equal(recorder.values[RECORDER_GARBAGE], 3);
	// Two stops of a millisecond.
	assert_int_equal(recorder.values[RECORDER_PAUSE], 2000000);
	assert_int_equal(recorder.record.process.pid, getpid());
	assert_true(recorder.running);
	assert_int_equal(recorder_due_ns(&recorder), recorder.began_ns + 1000000000);
}

static void without_stops_nothing_is_stopped(void **state)
{
	struct recorder_options options = one_second;

	options.no_stop = true;
	given_a_run(&options);
	assert_int_equal(fake.facts_count + fake.census_count, 0);
	assert_int_equal(recorder.values[RECORDER_OBJECTS], SERIES_ABSENT);
	assert_true(recorder.values[RECORDER_RSS] > 0);
}

static void a_long_pause_puts_off_the_next_point(void **state)
{
	struct recorder_options options = one_second;

	options.pause_share_max = 0.001;
	given_a_run(&options);
	// Two milliseconds are a thousandth of two seconds.
	uint64_t after_ns = recorder_due_ns(&recorder) - recorder.began_ns;
	assert_true(after_ns > 1990000000 && after_ns < 2010000000);
	assert_int_equal(recorder.longest_interval_ns, 0);
	assert_null(recorder_take(&recorder, &fake.inspected));
	assert_true(recorder.longest_interval_ns > 1990000000);
}

static void a_pause_beyond_measure_is_no_overflow(void **state)
{
	struct recorder_options options = one_second;

	options.pause_share_max = 1e-300;
	fake.pause_ns = UINT64_MAX / 4;
	given_a_run(&options);
	assert_true(recorder_due_ns(&recorder) > clock_now_ns());
}

static void missed_points_are_not_made_up_for(void **state)
{
	struct recorder_options options = one_second;

	options.interval_ns = 1000;
	given_a_run(&options);
	clock_sleep_ns(2000000);
	assert_null(recorder_take(&recorder, &fake.inspected));
	assert_true(recorder_due_ns(&recorder) + 1000000000 > clock_now_ns());
	assert_int_equal(recorder.point_count, 2);
}

static void the_first_failure_is_one_and_a_later_one_is_a_gap(void **state)
{
	fake.fails = true;
	assert_null(recorder_start(&recorder, &fake.inspected, &one_second));
	_cleanup_error_ struct error *error = recorder_take(&recorder, &fake.inspected);
	assert_non_null(error);
	assert_false(recorder.running);
	fake.fails = false;
	given_a_run(&one_second);
	fake.fails = true;
	assert_null(recorder_take(&recorder, &fake.inspected));
	assert_int_equal(recorder.values[RECORDER_OBJECTS], SERIES_ABSENT);
	assert_true(recorder.values[RECORDER_RSS] > 0);
	assert_int_equal(recorder.failed_count, 1);
	assert_string_equal(recorder.failure, "a debugger is there");
	assert_true(recorder.running);
}

static void without_a_count_there_is_no_garbage_either(void **state)
{
	given_a_run(&one_second);
	assert_int_equal(recorder.values[RECORDER_GARBAGE], 3);
	fake.census_fails = true;
	assert_null(recorder_take(&recorder, &fake.inspected));
	assert_int_equal(recorder.values[RECORDER_OBJECTS], SERIES_ABSENT);
	assert_int_equal(recorder.values[RECORDER_GARBAGE], SERIES_ABSENT);
	assert_string_equal(recorder.failure, "a debugger came");
}

static void an_interruption_ends_the_run(void **state)
{
	given_a_run(&one_second);
	fake.fails = true;
	fake.code = ERROR_INTERRUPTED;
	_cleanup_error_ struct error *error = recorder_take(&recorder, &fake.inspected);
	assert_int_equal(error->code, ERROR_INTERRUPTED);
	assert_false(recorder.running);
	assert_string_equal(recorder.record.ended, "interrupted");
	assert_int_equal(recorder.record.point_count, 1);
	assert_int_equal(recorder_due_ns(&recorder), UINT64_MAX);
}

static void what_is_not_exact_is_counted(void **state)
{
	fake.inconsistent = true;
	given_a_run(&one_second);
	assert_int_equal(recorder.record.inexact_count, 1);
	assert_int_equal(recorder.values[RECORDER_OBJECTS], 100);
}

static void it_ends_after_its_points(void **state)
{
	struct recorder_options options = one_second;

	options.points_max = 2;
	given_a_run(&options);
	assert_null(recorder_take(&recorder, &fake.inspected));
	assert_false(recorder.running);
	assert_string_equal(recorder.record.ended, "all points were taken");
}

static void it_ends_with_the_process(void **state)
{
	pid_t child = fork();

	if (child == 0) {
		pause();
		_exit(0);
	}
	fake.inspected.pid = child;
	given_a_run(&one_second);
	assert_true(recorder_process_lives(&recorder));
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_false(recorder_process_lives(&recorder));
	assert_null(recorder_take(&recorder, &fake.inspected));
	assert_false(recorder.running);
	assert_string_equal(recorder.record.ended, "the process has ended");
	assert_int_equal(recorder.record.point_count, 1);
}

static void runs_of_one_recorder_are_one_record(void **state)
{
	given_a_run(&one_second);
	assert_null(recorder_stop(&recorder, "switched off"));
	given_a_run(&one_second);
	assert_int_equal(recorder.record.point_count, 2);
	// The gap between them.
	assert_int_equal(record_find(&recorder.record, "rss")->count, 3);
	assert_int_equal(recorder.record.recorded_ms, 0);
}

static void a_full_disk_ends_the_run(void **state)
{
	struct recorder_options options = one_second;

	options.path = "/dev/full";
	_cleanup_error_ struct error *error = recorder_start(&recorder, &fake.inspected, &options);
	assert_non_null(strstr(error->message, "No space left"));
	assert_false(recorder.running);
	assert_int_equal(fake.facts_count + fake.census_count, 0);
}

static void the_file_has_all_of_it(void **state)
{
	_cleanup_record_file_ struct record_file file = {0};
	struct recorder_options options = one_second;

	options.path = scratch_path(scratch, "r");
	given_a_run(&options);
	fake.objects = 200;
	assert_null(recorder_take(&recorder, &fake.inspected));
	assert_null(recorder_stop(&recorder, "enough"));
	assert_null(record_file_read(scratch_path(scratch, "r"), &file));
	const struct record *record = file.records[0];
	assert_int_equal(record->series_count, RECORDER_SERIES_COUNT);
	assert_int_equal(record->point_count, 2);
	assert_int_equal(record_find(record, "objects")->last.value, 200);
	assert_int_equal(record_find(record, "pause")->sum, 4000000);
	assert_string_equal(record->ended, "enough");
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, given_a_process, afterwards)
	const struct CMUnitTest tests[] = {
		TEST(a_point_has_what_proc_and_the_process_tell),
		TEST(without_stops_nothing_is_stopped),
		TEST(a_long_pause_puts_off_the_next_point),
		TEST(a_pause_beyond_measure_is_no_overflow),
		TEST(missed_points_are_not_made_up_for),
		TEST(the_first_failure_is_one_and_a_later_one_is_a_gap),
		TEST(without_a_count_there_is_no_garbage_either),
		TEST(an_interruption_ends_the_run),
		TEST(what_is_not_exact_is_counted),
		TEST(it_ends_after_its_points),
		TEST(it_ends_with_the_process),
		TEST(runs_of_one_recorder_are_one_record),
		TEST(a_full_disk_ends_the_run),
		TEST(the_file_has_all_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
