// SPDX-License-Identifier: GPL-3.0-or-later
// Heaps from text as databases: read back, refused, and when the disk is full.
#include "ui/command.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>
#include <sqlite3.h>

#include "base/cleanup.h"
#include "support/fake_inspected.h"
#include "support/scratch.h"

struct given {
	struct fake_inspected fake;
	struct scratch *scratch;
	const char *path;
};

static struct given given;

static const char heap_text[] = "type shop.Cart basic=48 at=0x9000 finalizer=del\n"
				"object 0x1000 shop.Cart size=48 tracked generation=2\n"
				"object 0x2000 \"e\xff\033\" size=56 refs=4\n"
				"object 0x3000 str size=50 immortal static\n"
				"edge 0x1000 0x2000 gc .item\n"
				"edge 0x1000 0x3000 owned\n"
				"edge 0x2000 0x1000 weak \".\xff\"\n"
				"root 0x1000 module owns shop\n"
				"root 0x2000 c-stack\n";

static int given_a_heap(void **state)
{
	given.scratch = scratch_create();
	given.path = scratch_path(given.scratch, "heap.sqlite");
	fake_inspected_init(&given.fake, heap_text);
	return 0;
}

static int end(void **state)
{
	fake_inspected_deinit(&given.fake);
	scratch_destroy(given.scratch);
	return 0;
}

static struct error *export_with(const char *options, char **ret_text)
{
	char line[512];

	snprintf(line, sizeof(line), "export -o %s %s", given.path, options);
	return fake_inspected_run(&given.fake, line, ret_text);
}

// All rows as "a|b|c;d|e|f".
static char *asked(const char *sql)
{
	_cleanup_text_ struct text text = {0};
	sqlite3 *database;
	sqlite3_stmt *statement;

	assert_int_equal(sqlite3_open_v2(given.path, &database, SQLITE_OPEN_READONLY, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK);
	for (bool first = true; sqlite3_step(statement) == SQLITE_ROW; first = false)
		for (int i = 0; i < sqlite3_column_count(statement); i++) {
			const char *value = (const char *)sqlite3_column_text(statement, i);
			assert_null(text_appendf(&text, "%s%s",
						 i       ? "|"
						 : first ? ""
							 : ";",
						 value ? value : "NULL"));
		}
	assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
	sqlite3_close(database);
	return strdup(text_chars(&text));
}

static void assert_rows(const char *sql, const char *expected)
{
	_cleanup_free_ char *got = asked(sql);

	assert_string_equal(got, expected);
}

static void the_tables_hold_the_graph(void **state)
{
	assert_null(export_with("", NULL));
	assert_rows("SELECT t.name, t.finalizer, t.basic_size, o.id, o.address, o.size, o.refcount,"
		    " o.tracked, o.generation FROM objects o JOIN types t ON t.id = o.type"
		    " ORDER BY o.id",
		    "shop.Cart|del|48|0|0x1000|48|1|1|1;"
		    "e\\xff\033|NULL|0|1|0x2000|56|4|0|NULL;"
		    "str|NULL|0|2|0x3000|50|NULL|0|NULL");
	assert_rows("SELECT src, dst, label, kind FROM refs ORDER BY src, dst",
		    "0|1|.item|gc;0|2|NULL|owned;1|0|.\\xff|weak");
	assert_rows("SELECT object, kind, name, owns FROM roots ORDER BY object",
		    "0|module|shop|1;1|c-stack||0");
	assert_rows("SELECT count(*) FROM objects WHERE NOT static", "2");
	assert_rows("SELECT key, value FROM meta WHERE key IN ('format', 'pid', 'runtime')"
		    " ORDER BY key",
		    "format|1;pid|4711;runtime|cpython");
	assert_rows("PRAGMA integrity_check", "ok");
}

static void labels_can_be_left_out(void **state)
{
	assert_null(export_with("--no-labels", NULL));
	assert_rows("SELECT count(*), count(label) FROM refs", "3|0");
}

static void the_columns_of_the_contract_come_first(void **state)
{
	assert_null(export_with("", NULL));
	assert_rows("SELECT group_concat(name) FROM pragma_table_info('meta')", "key,value");
	assert_rows("SELECT group_concat(name) FROM pragma_table_info('types') WHERE cid < 4",
		    "id,name,finalizer,basic_size");
	assert_rows("SELECT group_concat(name) FROM pragma_table_info('objects') WHERE cid < 7",
		    "id,address,type,size,refcount,tracked,generation");
	assert_rows("SELECT group_concat(name) FROM pragma_table_info('refs')",
		    "src,dst,label,kind");
	assert_rows("SELECT group_concat(name) FROM pragma_table_info('roots') WHERE cid < 3",
		    "object,kind,name");
}

static void the_report_tells_what_was_written(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct stat status;
	json_t *expected;

	assert_null(export_with("--json", &text));
	assert_int_equal(stat(given.path, &status), 0);
	json_t *root = json_loads(text, 0, NULL);
	assert_non_null(root);
	expected = json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:I}", "file", given.path, "types", 3,
			     "objects", 3, "static", 1, "references", 3, "roots", 2, "size",
			     (json_int_t)status.st_size);
	const char *key;
	json_t *value;
	json_object_foreach(expected, key, value)
		assert_true(json_equal(value, json_object_get(root, key)));
	json_decref(expected);
	json_decref(root);
}

static void an_empty_heap_is_an_empty_database(void **state)
{
	fake_inspected_deinit(&given.fake);
	fake_inspected_init(&given.fake, "");
	assert_null(export_with("", NULL));
	assert_rows("SELECT (SELECT count(*) FROM objects), (SELECT count(*) FROM refs)", "0|0");
}

static void an_existing_file_is_not_overwritten_and_the_process_not_stopped(void **state)
{
	scratch_write(given.scratch, "heap.sqlite", "mine", 4);
	_cleanup_error_ struct error *error = export_with("", NULL);
	assert_non_null(error);
	assert_int_equal(error->code, ERROR_FAILED);
	assert_non_null(strstr(error->message, "--force"));
	assert_int_equal(given.fake.graph_count, 0);
	assert_null(export_with("--force", NULL));
	assert_rows("SELECT count(*) FROM objects", "3");
}

static void assert_alone_in_the_folder(size_t expected)
{
	_cleanup_dir_ DIR *dir = opendir(scratch_directory(given.scratch));
	size_t count = 0;

	assert_non_null(dir);
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
		count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	assert_int_equal(count, expected);
}

static void what_is_no_file_is_refused(void **state)
{
	given.path = "/dev/full";
	_cleanup_error_ struct error *device = export_with("--force", NULL);
	assert_non_null(device);
	assert_non_null(strstr(device->message, "'/dev/full' is no file"));
	given.path = scratch_directory(given.scratch);
	_cleanup_error_ struct error *directory = export_with("--force", NULL);
	assert_non_null(directory);
	assert_non_null(strstr(directory->message, "is a directory"));
	given.path = scratch_path(given.scratch, "nowhere/heap.sqlite");
	_cleanup_error_ struct error *nowhere = export_with("", NULL);
	assert_non_null(nowhere);
	assert_non_null(strstr(nowhere->message, "No such file"));
	assert_int_equal(given.fake.graph_count, 0);
}

static void a_full_disk_leaves_nothing(void **state)
{
	struct rlimit before, tight = {.rlim_cur = 8192};

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	tight.rlim_max = before.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	_cleanup_error_ struct error *error = export_with("", NULL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_non_null(error);
	assert_int_equal(error->code, ERROR_FAILED);
	assert_non_null(strstr(error->message, given.path));
	assert_alone_in_the_folder(0);
}

static void a_process_that_has_ended_leaves_nothing(void **state)
{
	given.fake.gone = true;
	_cleanup_error_ struct error *error = export_with("", NULL);
	assert_non_null(error);
	assert_int_equal(error->code, ERROR_GONE);
	assert_alone_in_the_folder(0);
}

static void nothing_but_the_file_is_left(void **state)
{
	assert_null(export_with("", NULL));
	assert_alone_in_the_folder(1);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, given_a_heap, end)
	const struct CMUnitTest tests[] = {
		TEST(the_tables_hold_the_graph),
		TEST(labels_can_be_left_out),
		TEST(the_columns_of_the_contract_come_first),
		TEST(the_report_tells_what_was_written),
		TEST(an_empty_heap_is_an_empty_database),
		TEST(an_existing_file_is_not_overwritten_and_the_process_not_stopped),
		TEST(what_is_no_file_is_refused),
		TEST(a_full_disk_leaves_nothing),
		TEST(a_process_that_has_ended_leaves_nothing),
		TEST(nothing_but_the_file_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
