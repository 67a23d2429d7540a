// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/record/snapshot.h"

#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "mem/process.h"
#include "ui/report/safe_text.h"

// Python 2's classes may be named by any bytes. A file has them as UTF-8; what is compared with one, too.
static struct error *names_as_in_files(struct census *census)
{
	bool changed = false;

	for (size_t i = 0; i < census->row_count; i++) {
		_cleanup_text_ struct text name = {0};
		struct error *error = safe_text_utf8(&name, census->rows[i].name);
		if (error)
			return error;
		if (!strcmp(text_chars(&name), census->rows[i].name))
			continue;
		free((char *)census->rows[i].name);
		census->rows[i].name = take_ptr(name.chars);
		changed = true;
	}
	if (changed)
		census_merge(census);
	return NULL;
}

// When a core file was written is when its process was so.
static int64_t snapshot_core_ms(const char *path, int64_t otherwise_ms)
{
	struct stat status;

	if (stat(path, &status) != 0)
		return otherwise_ms;
	return (int64_t)status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1000000;
}

struct error *snapshot_take(struct inspected *inspected, struct session_look *look,
			    struct snapshot *ret)
{
	struct process_status status = {0};

	*ret = (struct snapshot){.time_ms = record_now_ms()};
	*look = (struct session_look){0};
	struct error *error = record_process_read(inspected, &ret->process);
	if (!error && inspected->core)
		ret->time_ms = snapshot_core_ms(inspected->core, ret->time_ms);
	else if (!error)
		error = process_status_read(inspected->pid, &status);
	if (!error)
		error = inspected_census_without_caches(inspected, look, &ret->census);
	if (!error)
		error = names_as_in_files(&ret->census);
	if (error)
		return error;
	ret->rss_bytes = status.rss_bytes;
	ret->vss_bytes = status.vss_bytes;
	ret->ref_total = look->ref_total;
	ret->exact = look->consistent && !ret->census.unreadable && !ret->census.truncated;
	return NULL;
}

int64_t snapshot_refs(const struct snapshot *snapshot)
{
	return snapshot->ref_total >= 0 ? snapshot->ref_total
					: (int64_t)snapshot->census.total.refs;
}

bool snapshot_is_of_same(const struct snapshot *one, const struct snapshot *other)
{
	return one->process.pid == other->process.pid &&
	       one->process.start_ticks == other->process.start_ticks;
}

void snapshot_deinit(struct snapshot *snapshot)
{
	census_deinit(&snapshot->census);
	*snapshot = (struct snapshot){0};
}
