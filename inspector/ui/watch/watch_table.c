// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/watch/watch_table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/duration.h"
#include "base/text.h"
#include "ui/report/safe_text.h"
#include "ui/report/text_table.h"
#include "ui/watch/watch_report.h"

enum {
	/** Where the terminal does not tell. */
	WATCH_TABLE_ROWS = 24,
	/** Of the processes, where there are several. */
	WATCH_TABLE_PROCESSES_MAX = 10,
};

static const uint64_t watch_table_draw_ns = 1000000000;

// The other screen, no cursor, and no line that goes on in the next one; and all of it back.
static const char watch_table_take[] = "\033[?1049h\033[?25l\033[?7l";
static const char watch_table_give[] = "\033[?7h\033[?25h\033[?1049l";

bool watch_table_fits(FILE *out)
{
	const char *terminal = getenv("TERM");

	return isatty(fileno(out)) && terminal && *terminal && strcmp(terminal, "dumb") != 0;
}

static struct error *watch_table_put(struct watch_table *table, const char *chars, size_t length)
{
	errno = 0;
	if (fwrite(chars, 1, length, table->out) != length || fflush(table->out) == EOF)
		return error_create_os(errno, "cannot write to the terminal");
	return NULL;
}

struct error *watch_table_begin(struct watch_table *table, FILE *out, bool color, size_t types_max)
{
	*table = (struct watch_table){.out = out, .color = color, .types_max = types_max};
	return watch_table_put(table, watch_table_take, strlen(watch_table_take));
}

struct error *watch_table_update(struct watch_table *table, const struct fleet *fleet)
{
	CLEANUP(text_table_deinit) struct text_table types = {0};
	struct watch_type_rows rows = {0};
	size_t skipped = fleet_is_several(fleet) ? 0 : 1;
	struct error *error = watch_types_find(fleet, table->types_max, &rows);
	_cleanup_free_ struct watch_type_row *owned = rows.rows;

	table->drawn_ns = 0;
	table->types.length = 0;
	if (!error)
		error = text_table_init(&types, watch_type_columns + skipped,
					WATCH_TYPE_COLUMNS - skipped);
	for (size_t i = 0; i < rows.count && !error; i++) {
		struct report_cell cells[WATCH_TYPE_COLUMNS];
		watch_type_cells(&owned[i], cells);
		error = text_table_add(&types, cells + skipped);
	}
	return error ? error : text_table_write(&types, table->color, &table->types);
}

struct error *watch_table_say(struct watch_table *table, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return error_no_memory();
	free(table->words[0]);
	memmove(table->words, table->words + 1, sizeof(table->words) - sizeof(table->words[0]));
	table->words[WATCH_TABLE_WORDS_MAX - 1] = copy;
	table->drawn_ns = 0;
	return NULL;
}

/** The screen that is made: lines below each other until it is full. */
struct screen {
	struct text text;
	int left;
};

static void screen_deinit(struct screen *screen)
{
	text_deinit(&screen->text);
}

static struct error *screen_line(struct screen *screen, const char *chars, size_t length)
{
	if (screen->left <= 0)
		return NULL;
	bool is_last = --screen->left == 0;
	struct error *error = text_append(&screen->text, chars, length);
	// To the end of the line there may be something old.
	return error ? error : text_appendf(&screen->text, "\033[K%s", is_last ? "" : "\r\n");
}

static struct error *screen_lines(struct screen *screen, const char *chars)
{
	struct error *error = NULL;

	while (*chars && !error) {
		size_t length = strcspn(chars, "\n");
		error = screen_line(screen, chars, length);
		chars += length + (chars[length] == '\n');
	}
	return error;
}

PRINTF_LIKE(2, 3)
static struct error *screen_say(struct screen *screen, const char *format, ...)
{
	_cleanup_text_ struct text safe = {0};
	va_list args;

	va_start(args, format);
	struct error *error = safe_text_vappendf(&safe, format, args);
	va_end(args);
	return error ? error : screen_line(screen, text_chars(&safe), safe.length);
}

static const char *screen_change(const struct fleet_summary *summary, enum recorder_series series,
				 enum report_unit unit, char *into, size_t size)
{
	char value[HUMAN_CHARS], change[HUMAN_CHARS];
	int64_t more = summary->last[series] - summary->first[series];
	bool bytes = unit == REPORT_BYTES;

	if (summary->last[series] == SERIES_ABSENT)
		return "-";
	if (bytes)
		snprintf(into, size, "%s (%s%s)", human_bytes(summary->last[series], value),
			 more < 0 ? "" : "+", human_bytes(more, change));
	else
		snprintf(into, size, "%s (%s%s)", human_count(summary->last[series], value),
			 more < 0 ? "" : "+", human_count(more, change));
	return into;
}

static const char *screen_share(double share, char *into, size_t size)
{
	if (share < 0)
		return "-";
	snprintf(into, size, "%.2g %%", share * 100);
	return into;
}

static struct error *screen_head(struct screen *screen, const struct fleet *fleet)
{
	const struct fleet_member *first = fleet->members[0];
	char up[DURATION_CHARS], interval[DURATION_CHARS];
	uint64_t up_ns = clock_now_ns() - first->recorder.began_ns;

	// Whole seconds: what is told here changes with each.
	duration_format(up_ns / 1000000000 * 1000000000, up);
	duration_format(first->recorder.planned_ns, interval);
	if (!fleet_is_several(fleet))
		return screen_say(screen, "watching %d for %s, every %s: %s", first->identity.pid,
				  up, interval, first->recorder.record.process.program);
	return screen_say(screen,
			  "watching %zu processes for %s, every %s; %" PRIu64 " came, %" PRIu64
			  " ended",
			  fleet->count, up, interval, fleet->opened_count, fleet->ended_count);
}

static struct error *screen_member(struct screen *screen, const struct fleet *fleet,
				   const struct fleet_member *member)
{
	char rss[80], objects[80], garbage[80], share[32], pid[24] = "";
	struct fleet_summary summary;

	fleet_summarise(member, &summary);
	if (fleet_is_several(fleet))
		snprintf(pid, sizeof(pid), "%-8d ", summary.pid);
	return screen_say(
		screen, "%srss %s   objects %s   garbage %s   stood still %s%s%s", pid,
		screen_change(&summary, RECORDER_RSS, REPORT_BYTES, rss, sizeof(rss)),
		screen_change(&summary, RECORDER_OBJECTS, REPORT_COUNT, objects, sizeof(objects)),
		screen_change(&summary, RECORDER_GARBAGE, REPORT_COUNT, garbage, sizeof(garbage)),
		screen_share(summary.pause_share, share, sizeof(share)),
		summary.ended[0] ? "   " : "", summary.ended);
}

static struct error *screen_members(struct screen *screen, const struct fleet *fleet)
{
	struct error *error = NULL;
	size_t shown =
		fleet->count < WATCH_TABLE_PROCESSES_MAX ? fleet->count : WATCH_TABLE_PROCESSES_MAX;

	for (size_t i = 0; i < shown && !error; i++)
		error = screen_member(screen, fleet, fleet->members[i]);
	if (!error && shown < fleet->count)
		error = screen_say(screen, "and %zu more", fleet->count - shown);
	return error;
}

static struct error *watch_table_draw(struct watch_table *table, const struct fleet *fleet)
{
	CLEANUP(screen_deinit) struct screen screen = {.left = table->rows};
	size_t words = 0;

	for (size_t i = 0; i < WATCH_TABLE_WORDS_MAX; i++)
		words += table->words[i] != NULL;
	struct error *error = text_appendf(&screen.text, "\033[H");
	if (!error)
		error = screen_head(&screen, fleet);
	if (!error)
		error = screen_members(&screen, fleet);
	if (!error)
		error = screen_line(&screen, "", 0);
	// What was said stands below, whatever is left for the types.
	screen.left -= (int)words;
	if (!error)
		error = screen_lines(&screen, text_chars(&table->types));
	screen.left += (int)words;
	for (size_t i = 0; i < WATCH_TABLE_WORDS_MAX && !error; i++)
		if (table->words[i])
			error = screen_say(&screen, "%s", table->words[i]);
	if (!error)
		error = text_appendf(&screen.text, "\033[J");
	return error ? error : watch_table_put(table, text_chars(&screen.text), screen.text.length);
}

static bool watch_table_measure(struct watch_table *table)
{
	struct winsize size = {0};
	int columns = table->columns, rows = table->rows;

	if (ioctl(fileno(table->out), TIOCGWINSZ, &size) < 0 || !size.ws_row)
		size = (struct winsize){.ws_row = WATCH_TABLE_ROWS};
	table->columns = size.ws_col;
	table->rows = size.ws_row;
	return table->columns != columns || table->rows != rows;
}

struct error *watch_table_refresh(struct watch_table *table, const struct fleet *fleet)
{
	bool changed = watch_table_measure(table);
	uint64_t now_ns = clock_now_ns();

	if (!changed && table->drawn_ns && now_ns - table->drawn_ns < watch_table_draw_ns)
		return NULL;
	table->drawn_ns = now_ns;
	return watch_table_draw(table, fleet);
}

void watch_table_end(struct watch_table *table)
{
	if (table->out) {
		// That the terminal is gone is no news here.
		fwrite(watch_table_give, 1, strlen(watch_table_give), table->out);
		fflush(table->out);
	}
	for (size_t i = 0; i < WATCH_TABLE_WORDS_MAX; i++)
		free(table->words[i]);
	text_deinit(&table->types);
	*table = (struct watch_table){0};
}
