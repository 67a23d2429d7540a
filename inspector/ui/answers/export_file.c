// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/answers/export_file.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/interrupt.h"
#include "base/text.h"
#include "ui/answers/graph_text.h"
#include "ui/report/safe_text.h"

enum {
	/** Objects between two looks whether somebody wants us to stop. */
	EXPORT_FILE_STEP = 4096,
	/** The same for steps of SQLite's machine, while it makes the indexes. */
	EXPORT_FILE_MACHINE_STEPS = 100000,
	EXPORT_FILE_ADDRESS_CHARS = 32,
};

static const char export_file_tables[] =
	// The file has another name until it is whole, so that nothing need be undone. The cache
	// stays small: the indexes are sorted in pieces of its size, and big ones are slower.
	"PRAGMA journal_mode = OFF;"
	"PRAGMA synchronous = OFF;"
	"PRAGMA locking_mode = EXCLUSIVE;"
	"BEGIN;"
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value);"
	"CREATE TABLE types(id INTEGER PRIMARY KEY, name TEXT, finalizer TEXT, basic_size INTEGER,"
	" address TEXT);"
	"CREATE TABLE objects(id INTEGER PRIMARY KEY, address TEXT, type INTEGER, size INTEGER,"
	" refcount INTEGER, tracked INTEGER, generation INTEGER, frozen INTEGER, static INTEGER,"
	" immortal INTEGER, legacy INTEGER, finalized INTEGER, part INTEGER);"
	"CREATE TABLE refs(src INTEGER, dst INTEGER, label TEXT, kind TEXT);"
	"CREATE TABLE roots(object INTEGER, kind TEXT, name TEXT, owns INTEGER);";

static const char export_file_indexes[] = "CREATE INDEX objects_type ON objects(type);"
					  "CREATE INDEX objects_address ON objects(address);"
					  "CREATE INDEX refs_src ON refs(src);"
					  "CREATE INDEX refs_dst ON refs(dst);"
					  "COMMIT;";

struct export_file {
	sqlite3 *database;
	sqlite3_stmt *statement;
	const struct heap *heap;
	/** Text that is bound has to stay until its row is inserted. */
	struct text scratch;
	struct text label;
};

static void export_file_deinit(struct export_file *file)
{
	sqlite3_finalize(file->statement);
	sqlite3_close(file->database);
	text_deinit(&file->scratch);
	text_deinit(&file->label);
}

static struct error *export_file_failed(const struct export_file *file)
{
	struct error *interrupted = interrupt_check();

	if (interrupted)
		return interrupted;
	const char *reason = file->database ? sqlite3_errmsg(file->database) : "out of memory";
	int errnum = file->database ? sqlite3_system_errno(file->database) : 0;

	return error_create(ERROR_FAILED, "cannot write the database: %s%s%s", reason,
			    errnum ? ": " : "", errnum ? strerror(errnum) : "");
}

static struct error *export_file_execute(struct export_file *file, const char *sql)
{
	if (sqlite3_exec(file->database, sql, NULL, NULL, NULL) != SQLITE_OK)
		return export_file_failed(file);
	return NULL;
}

static struct error *export_file_prepare(struct export_file *file, const char *sql)
{
	sqlite3_finalize(take_ptr(file->statement));
	if (sqlite3_prepare_v2(file->database, sql, -1, &file->statement, NULL) != SQLITE_OK)
		return export_file_failed(file);
	return NULL;
}

// Binding fails for want of memory alone, and the row's insertion tells of a wrong number.
static void export_file_bind(struct export_file *file, int column, int64_t number)
{
	sqlite3_bind_int64(file->statement, column, number);
}

static void export_file_bind_absent(struct export_file *file, int column)
{
	sqlite3_bind_null(file->statement, column);
}

// @chars live until the row is inserted; NULL is NULL there, too.
static struct error *export_file_bind_words(struct export_file *file, int column, const char *chars)
{
	if (sqlite3_bind_text(file->statement, column, chars, -1, SQLITE_STATIC) != SQLITE_OK)
		return export_file_failed(file);
	return NULL;
}

// A name of the process, which may be no UTF-8.
static struct error *export_file_bind_name(struct export_file *file, int column, const char *chars)
{
	file->scratch.length = 0;
	struct error *error = safe_text_utf8(&file->scratch, chars);

	if (error)
		return error;
	if (sqlite3_bind_text(file->statement, column, text_chars(&file->scratch),
			      (int)file->scratch.length, SQLITE_TRANSIENT) != SQLITE_OK)
		return export_file_failed(file);
	return NULL;
}

static struct error *export_file_bind_address(struct export_file *file, int column, addr_t at)
{
	char chars[EXPORT_FILE_ADDRESS_CHARS];

	snprintf(chars, sizeof(chars), "0x%" PRIx64, at);
	if (sqlite3_bind_text(file->statement, column, chars, -1, SQLITE_TRANSIENT) != SQLITE_OK)
		return export_file_failed(file);
	return NULL;
}

static struct error *export_file_insert(struct export_file *file)
{
	if (sqlite3_step(file->statement) != SQLITE_DONE)
		return export_file_failed(file);
	sqlite3_reset(file->statement);
	return NULL;
}

static struct error *export_file_meta_text(struct export_file *file, const char *key,
					   const char *value)
{
	if (!value || !*value)
		return NULL;
	struct error *error = export_file_bind_words(file, 1, key);
	if (!error)
		error = export_file_bind_name(file, 2, value);
	return error ? error : export_file_insert(file);
}

static struct error *export_file_meta_number(struct export_file *file, const char *key,
					     int64_t value)
{
	struct error *error = export_file_bind_words(file, 1, key);

	export_file_bind(file, 2, value);
	return error ? error : export_file_insert(file);
}

static struct error *export_file_meta(struct export_file *file, const struct report_head *head)
{
	const struct {
		const char *key;
		const char *value;
	} texts[] = {
		{"leakinspect", LEAKINSPECT_VERSION},
		{"core", head->core},
		{"runtime", head->runtime},
		{"version", head->version},
		{"build", head->build},
		{"debug_info", head->debug_info},
		{"inconsistency", head->inconsistency},
	};
	const struct {
		const char *key;
		int64_t value;
	} numbers[] = {
		{"format", EXPORT_FILE_FORMAT},
		{"pid", head->pid},
		{"pause_ns", (int64_t)head->pause_ns},
		{"consistent", head->consistent},
		{"unreadable", (int64_t)head->unreadable},
		{"truncated", (int64_t)head->truncated},
		{"redacted", head->is_redacted},
		{"gc_enabled", file->heap->collector.enabled},
	};
	struct error *error = export_file_prepare(file, "INSERT INTO meta VALUES(?, ?)");

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && !error; i++)
		error = export_file_meta_text(file, texts[i].key, texts[i].value);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]) && !error; i++)
		error = export_file_meta_number(file, numbers[i].key, numbers[i].value);
	return error;
}

static struct error *export_file_types(struct export_file *file)
{
	const struct heap *heap = file->heap;
	struct error *error = export_file_prepare(file, "INSERT INTO types VALUES(?, ?, ?, ?, ?)");

	for (uint32_t i = 0; i < heap->type_count && !error; i++) {
		const struct heap_type_row *type = &heap->types[i];

		export_file_bind(file, 1, i);
		export_file_bind(file, 4, (int64_t)type->basic_size_bytes);
		error = export_file_bind_name(file, 2, type->name);
		if (!error)
			error = export_file_bind_words(file, 3,
						       graph_finalizer_name(type->finalizer));
		if (!error)
			error = export_file_bind_address(file, 5, type->at);
		if (!error)
			error = export_file_insert(file);
	}
	return error;
}

static struct error *export_file_object(struct export_file *file, uint32_t object)
{
	static const unsigned flags[] = {
		HEAP_FROZEN,           HEAP_STATIC,    HEAP_IMMORTAL,
		HEAP_LEGACY_FINALIZER, HEAP_FINALIZED, HEAP_PART,
	};
	enum { FIRST_FLAG = 8 };
	const struct heap *heap = file->heap;
	int generation = graph_object_generation(heap, object);

	export_file_bind(file, 1, object);
	export_file_bind(file, 3, heap->type[object]);
	export_file_bind(file, 4, (int64_t)heap->size_bytes[object]);
	if (heap->flags[object] & HEAP_IMMORTAL)
		export_file_bind_absent(file, 5);
	else
		export_file_bind(file, 5, heap->refcount[object]);
	export_file_bind(file, 6, (heap->flags[object] & HEAP_TRACKED) != 0);
	if (generation < 0)
		export_file_bind_absent(file, 7);
	else
		export_file_bind(file, 7, generation);
	for (int i = 0; i < (int)(sizeof(flags) / sizeof(flags[0])); i++)
		export_file_bind(file, FIRST_FLAG + i, (heap->flags[object] & flags[i]) != 0);
	struct error *error = export_file_bind_address(file, 2, heap->at[object]);
	return error ? error : export_file_insert(file);
}

static struct error *export_file_objects(struct export_file *file)
{
	struct error *error = export_file_prepare(
		file, "INSERT INTO objects VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");

	for (uint32_t i = 0; i < file->heap->object_count && !error; i++) {
		if (i % EXPORT_FILE_STEP == 0)
			error = interrupt_check();
		if (!error)
			error = export_file_object(file, i);
	}
	return error;
}

static struct error *export_file_bind_label(struct export_file *file, uint32_t from,
					    uint32_t number)
{
	file->label.length = 0;
	struct error *error = heap_label(file->heap, from, number, &file->label);

	if (!error && file->label.length)
		error = export_file_bind_name(file, 3, text_chars(&file->label));
	else if (!error)
		export_file_bind_absent(file, 3);
	return error;
}

static struct error *export_file_references_of(struct export_file *file, uint32_t from, bool labels)
{
	const heap_edge *edges = heap_edges(file->heap, from);
	uint32_t count = heap_edge_count(file->heap, from);
	struct error *error = NULL;

	for (uint32_t i = 0; i < count && !error; i++) {
		export_file_bind(file, 1, from);
		export_file_bind(file, 2, heap_edge_target(edges[i]));
		if (labels)
			error = export_file_bind_label(file, from, i);
		if (!error)
			error = export_file_bind_words(
				file, 4, graph_edge_kind_name(heap_edge_kind(edges[i])));
		if (!error)
			error = export_file_insert(file);
	}
	return error;
}

static struct error *export_file_references(struct export_file *file, bool labels)
{
	struct error *error = export_file_prepare(file, "INSERT INTO refs VALUES(?, ?, ?, ?)");

	for (uint32_t i = 0; i < file->heap->object_count && !error; i++) {
		if (i % EXPORT_FILE_STEP == 0)
			error = interrupt_check();
		if (!error)
			error = export_file_references_of(file, i, labels);
	}
	return error;
}

static struct error *export_file_roots(struct export_file *file)
{
	struct error *error = export_file_prepare(file, "INSERT INTO roots VALUES(?, ?, ?, ?)");

	for (size_t i = 0; i < file->heap->root_count && !error; i++) {
		const struct heap_root_row *root = &file->heap->roots[i];

		export_file_bind(file, 1, root->object);
		export_file_bind(file, 4, root->owns);
		error = export_file_bind_words(file, 2, graph_root_kind_name(root->kind));
		file->label.length = 0;
		if (!error)
			error = heap_root_name(root, &file->label);
		if (!error)
			error = export_file_bind_name(file, 3, text_chars(&file->label));
		if (!error)
			error = export_file_insert(file);
	}
	return error;
}

static int export_file_stop(void *unused)
{
	return interrupt_pending();
}

struct error *export_file_write(const char *path, const struct inspected_graph *graph,
				const struct report_head *head, bool labels)
{
	CLEANUP(export_file_deinit) struct export_file file = {.heap = graph->heap};

	if (sqlite3_open_v2(path, &file.database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK)
		return export_file_failed(&file);
	sqlite3_progress_handler(file.database, EXPORT_FILE_MACHINE_STEPS, export_file_stop, NULL);
	struct error *error = export_file_execute(&file, export_file_tables);
	if (!error)
		error = export_file_meta(&file, head);
	if (!error)
		error = export_file_types(&file);
	if (!error)
		error = export_file_objects(&file);
	if (!error)
		error = export_file_references(&file, labels);
	if (!error)
		error = export_file_roots(&file);
	if (!error)
		error = interrupt_check();
	return error ? error : export_file_execute(&file, export_file_indexes);
}
