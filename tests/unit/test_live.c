// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/live.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "mem/maps.h"
#include "mem/pagemap.h"
#include "mem/process.h"
#include "support/child.h"

enum {
	PAGES = 64,
	/** Two pages that cannot be read. */
	HOLE = 40,
	HOLE_PAGES = 2,
	SPANS = 5000,
	MOMENTS = 300,
	ROOMS = 512,
	ROOM_PAGES = 8,
};

// The child has the memory of the test at its fork, at the same addresses: what the test knows of
// itself is true of the child.
static char *area;
static size_t page;

static addr_t area_at(size_t offset)
{
	return (addr_t)(uintptr_t)area + offset;
}

static int make_area(void **state)
{
	page = (size_t)sysconf(_SC_PAGESIZE);
	area = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < PAGES * page; i++)
		area[i] = (char)(i * 7 + i / page);
	return munmap(area + HOLE * page, HOLE_PAGES * page);
}

static void run_idle(struct child *child, void *argument)
{
	child_ready(child);
	child_sleep_for_ever();
}

static struct mem_source *open_source(pid_t pid)
{
	struct mem_source *source = NULL;
	_cleanup_error_ struct error *error = mem_live_create(pid, &source);

	if (error)
		fail_msg("%s", error->message);
	return source;
}

static void reads(struct mem_source *source, size_t offset, size_t bytes)
{
	_cleanup_free_ char *into = malloc(bytes + 1);
	_cleanup_error_ struct error *error = mem_source_read(source, area_at(offset), into, bytes);

	if (error)
		fail_msg("%s", error->message);
	assert_memory_equal(into, area + offset, bytes);
}

static void fault_is_at(struct mem_source *source, addr_t at, size_t bytes, addr_t bad)
{
	_cleanup_free_ char *into = malloc(bytes + 1);
	_cleanup_error_ struct error *error = mem_source_read(source, at, into, bytes);

	assert_non_null(error);
	assert_int_equal(error->code, ERROR_FAULT);
	assert_int_equal(error->address, bad);
}

static void bytes_come_as_they_are(void **state)
{
	struct child *child = child_start(run_idle, NULL);
	struct mem_source *source = open_source(child->pid);

	reads(source, 0, 1);
	reads(source, 12345, 8);
	reads(source, 0, HOLE * page);
	reads(source, 3, HOLE * page - 3);
	reads(source, HOLE * page - 1, 1);
	reads(source, (HOLE + HOLE_PAGES) * page, (PAGES - HOLE - HOLE_PAGES) * page);
	reads(source, 5, 0);
	mem_source_destroy(source);
	child_stop(child);
}

static void the_first_bad_address_is_told(void **state)
{
	struct child *child = child_start(run_idle, NULL);
	struct mem_source *source = open_source(child->pid);
	addr_t hole = area_at(HOLE * page);

	fault_is_at(source, hole, 1, hole);
	fault_is_at(source, hole + 77, 8, hole + 77);
	fault_is_at(source, hole - 1, 2, hole);
	fault_is_at(source, hole - 8, 3 * page, hole);
	fault_is_at(source, area_at(100), PAGES * page - 100, hole);
	fault_is_at(source, 0, 8, 0);
	fault_is_at(source, 0x123456789, 100, 0x123456789);
	// Beyond what a process can have, and around the end of all addresses.
	fault_is_at(source, 0x8000000000000000, 8, 0x8000000000000000);
	fault_is_at(source, UINT64_MAX - 3, 3, UINT64_MAX - 3);
	fault_is_at(source, UINT64_MAX - 3, 100, UINT64_MAX - 3);
	mem_source_destroy(source);
	child_stop(child);
}

static void scattered_pieces_come_and_bad_ones_are_marked(void **state)
{
	struct child *child = child_start(run_idle, NULL);
	struct mem_source *source = open_source(child->pid);
	_cleanup_free_ struct mem_span *spans = calloc(SPANS, sizeof(*spans));
	_cleanup_free_ char *into = malloc(SPANS * 64);
	const size_t area_bytes = PAGES * page - 64;

	srandom(3);
	// Ever denser with bad ones: from one in a hundred to nearly all.
	for (unsigned bad = 1; bad < 100; bad += 14) {
		for (size_t i = 0; i < SPANS; i++) {
			size_t offset = (unsigned)random() % 100 < bad
						? HOLE * page + (size_t)random() % page
						: (size_t)random() % area_bytes;
			spans[i] = (struct mem_span){.at = area_at(offset),
						     .into = into + i * 64,
						     .bytes = (size_t)random() % 65,
						     .ok = i % 2};
		}
		assert_null(mem_source_gather(source, spans, SPANS));
		for (size_t i = 0; i < SPANS; i++) {
			size_t first = spans[i].at - area_at(0), last = first + spans[i].bytes;
			bool good = spans[i].bytes == 0 || last <= HOLE * page ||
				    first >= (HOLE + HOLE_PAGES) * page;

			assert_int_equal(spans[i].ok, good);
			if (good)
				assert_memory_equal(spans[i].into, area + first, spans[i].bytes);
		}
	}
	assert_null(mem_source_gather(source, NULL, 0));
	mem_source_destroy(source);
	child_stop(child);
}

static void mappings_are_those_of_the_process(void **state)
{
	struct child *child = child_start(run_idle, NULL);
	struct mem_source *source = open_source(child->pid);
	_cleanup_maps_ struct maps maps = {0};

	assert_null(mem_source_maps(source, &maps));

	assert_non_null(maps_find(&maps, area_at(0)));
	assert_null(maps_find(&maps, area_at(HOLE * page)));
	assert_true(mapping_is_anonymous(maps_find(&maps, area_at(0))));
	mem_source_destroy(source);
	child_stop(child);
}

struct sparse {
	char *memory;
	size_t pages;
};

static bool sparse_page_is_touched(size_t number)
{
	return number % 97 < 3 || (number > 3000 && number < 9000) || number % 16 == 5;
}

static void run_touching(struct child *child, void *argument)
{
	struct sparse *sparse = argument;

	for (size_t i = 0; i < sparse->pages; i++)
		if (sparse_page_is_touched(i))
			sparse->memory[i * page] = 1;
	child_ready(child);
	child_sleep_for_ever();
}

static size_t next_touched(size_t from, size_t pages, bool touched)
{
	while (from < pages && sparse_page_is_touched(from) != touched)
		from++;
	return from;
}

static void pages_never_touched_are_skipped(void **state)
{
	struct sparse sparse = {.pages = 20000};

	// Not touched by the test itself, and no huge pages.
	sparse.memory = mmap(NULL, sparse.pages * page, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(sparse.memory, sparse.pages * page, MADV_NOHUGEPAGE);
	struct child *child = child_start(run_touching, &sparse);
	struct mem_source *source = open_source(child->pid);
	addr_t start = (addr_t)(uintptr_t)sparse.memory;
	addr_t end = start + sparse.pages * page;
	addr_t run_start, run_end;

	for (size_t number = 0; number < sparse.pages;) {
		size_t first = next_touched(number, sparse.pages, true);
		size_t last = next_touched(first, sparse.pages, false);

		assert_null(mem_source_resident(source, start + number * page, end, &run_start,
						&run_end));
		assert_int_equal((run_start - start) / page, first);
		assert_int_equal((run_end - start) / page, last);
		number = last;
	}
	// The range need not begin and end with a page.
	assert_null(mem_source_resident(source, start + 5 * page + 100, start + 5 * page + 200,
					&run_start, &run_end));
	assert_int_equal(run_start, start + 5 * page + 100);
	assert_int_equal(run_end, start + 5 * page + 200);
	// Nothing there.
	assert_null(mem_source_resident(source, start + 6 * page, start + 20 * page, &run_start,
					&run_end));
	assert_int_equal(run_start, start + 20 * page);
	assert_int_equal(run_end, start + 20 * page);
	assert_null(mem_source_resident(source, end, start, &run_start, &run_end));
	assert_int_equal(run_start, run_end);
	assert_null(mem_source_resident(source, 0x8000000000000000, 0x8000000000100000, &run_start,
					&run_end));
	assert_int_equal(run_start, run_end);
	mem_source_destroy(source);
	child_stop(child);
	munmap(sparse.memory, sparse.pages * page);
}

static void both_ways_to_ask_for_pages_agree(void **state)
{
	struct sparse sparse = {.pages = 20000};
	char path[64];

	sparse.memory = mmap(NULL, sparse.pages * page, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(sparse.memory, sparse.pages * page, MADV_NOHUGEPAGE);
	struct child *child = child_start(run_touching, &sparse);
	addr_t at = (addr_t)(uintptr_t)sparse.memory, end = at + sparse.pages * page;
	struct pagemap_run scanned, read;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", child->pid);
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (; at < end; at = read.end ? read.end : end) {
		assert_null(pagemap_find(fd, at, end, &scanned));
		assert_null(pagemap_find_by_reading(fd, at, end, &read));
		assert_int_equal(scanned.start, read.start);
		assert_int_equal(scanned.end, read.end);
	}
	child_stop(child);
	munmap(sparse.memory, sparse.pages * page);
}

// As malloc() of many threads does: what is reserved becomes readable piece by piece, and is given back.
static void run_changing(struct child *child, void *argument)
{
	size_t room = ROOMS * ROOM_PAGES * page;
	char *at = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	child_ready(child);
	for (size_t i = 0;; i = (i + 1) % ROOMS) {
		char *start = at + i * ROOM_PAGES * page;
		mprotect(start, (i % 5 + 2) * page, PROT_READ | PROT_WRITE);
		mprotect(start + 2 * page, (ROOM_PAGES - 2) * page, PROT_NONE);
	}
}

static void mappings_are_told_while_they_change(void **state)
{
	struct child *child = child_start(run_changing, NULL);
	struct mem_source *source = open_source(child->pid);

	for (unsigned i = 0; i < MOMENTS; i++) {
		_cleanup_maps_ struct maps maps = {0};
		_cleanup_error_ struct error *error = mem_source_maps(source, &maps);

		if (error)
			fail_msg("%s", error->message);
		assert_non_null(maps_find(&maps, area_at(0)));
		for (size_t m = 1; m < maps.count; m++)
			assert_true(maps.list[m - 1].end <= maps.list[m].start);
	}
	mem_source_destroy(source);
	child_stop(child);
}

static void fails_as_gone(struct error *error)
{
	_cleanup_error_ struct error *owned = error;

	assert_non_null(owned);
	assert_int_equal(owned->code, ERROR_GONE);
}

static void all_fail_as_gone(struct mem_source *source)
{
	_cleanup_maps_ struct maps maps = {0};
	char bytes[64];
	struct mem_span span = {.at = area_at(0), .into = bytes, .bytes = sizeof(bytes)};
	addr_t start, end;

	fails_as_gone(mem_source_read(source, area_at(0), bytes, sizeof(bytes)));
	fails_as_gone(mem_source_gather(source, &span, 1));
	fails_as_gone(mem_source_maps(source, &maps));
	fails_as_gone(mem_source_resident(source, area_at(0), area_at(PAGES * page), &start, &end));
}

static void a_process_that_ends_is_gone(void **state)
{
	struct child *child = child_start(run_idle, NULL);
	struct mem_source *source = open_source(child->pid);
	pid_t pid = child->pid;

	kill(pid, SIGKILL);
	assert_true(thread_reaches_state(pid, 'Z'));
	all_fail_as_gone(source);
	child_stop(child);
	all_fail_as_gone(source);
	mem_source_destroy(source);
	fails_as_gone(mem_live_create(pid, &source));
}

static void run_exec_at_the_word(struct child *child, void *argument)
{
	char word;

	child_ready(child);
	if (read(child->from_test, &word, 1) == 1)
		execl("/bin/sleep", "sleep", "600", (char *)NULL);
}

// Stands for a process id that is used again: the id is the same, the memory another.
static void a_process_that_becomes_another_program_is_gone(void **state)
{
	struct child *child = child_start(run_exec_at_the_word, NULL);
	struct mem_source *source = open_source(child->pid);
	char name[32] = "";

	assert_int_equal(write(child->to_child, "x", 1), 1);
	while (strcmp(name, "sleep") != 0)
		process_thread_name(child->pid, child->pid, name, sizeof(name));

	all_fail_as_gone(source);
	mem_source_destroy(source);
	child_stop(child);
}

static void *idle(void *number)
{
	child_sleep_for_ever();
}

static void run_without_main_thread(struct child *child, void *argument)
{
	child_start_threads(2, idle);
	child_ready(child);
	pthread_exit(NULL);
}

static void has_area(struct mem_source *source)
{
	_cleanup_maps_ struct maps maps = {0};
	_cleanup_error_ struct error *error = mem_source_maps(source, &maps);
	addr_t start, end;

	if (error)
		fail_msg("%s", error->message);
	assert_non_null(maps_find(&maps, area_at(0)));
	assert_null(mem_source_resident(source, area_at(0), area_at(page), &start, &end));
	assert_int_equal(start, area_at(0));
	reads(source, 100, page);
}

static void memory_outlives_the_main_thread(void **state)
{
	struct child *child = child_start(run_without_main_thread, NULL);
	// Opened while the main thread may still be there, and when it is not.
	struct mem_source *early = open_source(child->pid);
	assert_true(thread_reaches_state(child->pid, 'Z'));
	struct mem_source *late = open_source(child->pid);

	has_area(early);
	has_area(late);
	mem_source_destroy(early);
	mem_source_destroy(late);
	child_stop(child);
}

// For some microseconds a main thread that ends is not dead, and has no memory any more.
static void memory_is_there_at_each_moment_of_the_main_threads_end(void **state)
{
	for (unsigned i = 0; i < MOMENTS; i++) {
		struct child *child = child_start(run_without_main_thread, NULL);
		char main_thread;

		do {
			main_thread = thread_state_of(child->pid);
			struct mem_source *source = open_source(child->pid);
			has_area(source);
			mem_source_destroy(source);
		} while (main_thread != 'Z');
		child_stop(child);
	}
}

static void run_with_another_area(struct child *child, void *argument)
{
	memset(area, 'x', HOLE * page);
	child_ready(child);
	child_sleep_for_ever();
}

// A process with the id @wanted, which nobody has; NULL where ids cannot be chosen.
static struct child *child_with_id(pid_t wanted)
{
	for (unsigned tries = 0; tries < 100; tries++) {
		_cleanup_file_ FILE *last = fopen("/proc/sys/kernel/ns_last_pid", "we");

		if (!last || fprintf(last, "%d", wanted - 1) < 0 || fflush(last) != 0)
			return NULL;
		struct child *child = child_start(run_with_another_area, NULL);
		if (child->pid == wanted)
			return child;
		child_stop(child);
	}
	return NULL;
}

static void who_gets_the_id_of_an_ended_thread_is_not_read(void **state)
{
	struct child *child = child_start(child_run_mortal_threads, NULL);
	pid_t thread;

	assert_true(thread_reaches_state(child->pid, 'Z'));
	// It reads through the first thread there is.
	struct mem_source *source = open_source(child->pid);
	assert_null(process_memory_thread(child->pid, &thread));
	thread_end(child->pid, thread);
	struct child *other = child_with_id(thread);
	if (other) {
		reads(source, 100, 8);
		reads(source, 0, HOLE * page);
		has_area(source);
	}
	mem_source_destroy(source);
	child_stop(child);
	child_stop(other);
	if (!other)
		skip();
}

static void *read_often(void *source)
{
	unsigned seed = 5;

	for (unsigned i = 0; i < 2000; i++) {
		char into[256];
		size_t offset = (size_t)rand_r(&seed) % (HOLE * page - sizeof(into));
		struct error *error = mem_source_read(source, area_at(offset), into, sizeof(into));

		if (error || memcmp(into, area + offset, sizeof(into)) != 0)
			return source;
	}
	return NULL;
}

static void several_threads_may_read_at_once(void **state)
{
	struct child *child = child_start(run_idle, NULL);
	struct mem_source *source = open_source(child->pid);
	pthread_t readers[4];

	for (size_t i = 0; i < ARRAY_COUNT(readers); i++)
		assert_int_equal(pthread_create(&readers[i], NULL, read_often, source), 0);
	for (size_t i = 0; i < ARRAY_COUNT(readers); i++) {
		void *wrong;
		pthread_join(readers[i], &wrong);
		assert_null(wrong);
	}
	mem_source_destroy(source);
	child_stop(child);
}

static void run_as_nobody(struct child *child, void *other)
{
	struct mem_source *source;

	child_become_nobody();
	struct error *error = mem_live_create((pid_t)(size_t)other, &source);
	atomic_store(&child->shared->values[0],
		     error && error->code == ERROR_FAILED && strstr(error->message, "belongs to"));
	child_ready(child);
}

static void whose_memory_it_is_that_may_not_be_read_is_told(void **state)
{
	if (geteuid() != 0)
		skip();
	struct child *child = child_start(run_idle, NULL);
	struct child *nobody = child_start(run_as_nobody, (void *)(size_t)child->pid);

	assert_true(atomic_load(&nobody->shared->values[0]));
	child_stop(nobody);
	child_stop(child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_come_as_they_are),
		cmocka_unit_test(the_first_bad_address_is_told),
		cmocka_unit_test(scattered_pieces_come_and_bad_ones_are_marked),
		cmocka_unit_test(mappings_are_those_of_the_process),
		cmocka_unit_test(mappings_are_told_while_they_change),
		cmocka_unit_test(pages_never_touched_are_skipped),
		cmocka_unit_test(both_ways_to_ask_for_pages_agree),
		cmocka_unit_test(a_process_that_ends_is_gone),
		cmocka_unit_test(a_process_that_becomes_another_program_is_gone),
		cmocka_unit_test(memory_outlives_the_main_thread),
		cmocka_unit_test(memory_is_there_at_each_moment_of_the_main_threads_end),
		cmocka_unit_test(who_gets_the_id_of_an_ended_thread_is_not_read),
		cmocka_unit_test(several_threads_may_read_at_once),
		cmocka_unit_test(whose_memory_it_is_that_may_not_be_read_is_told),
	};

	return cmocka_run_group_tests(tests, make_area, NULL);
}
