// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/record/snapshot.h"

#include <sys/stat.h>

#include "mem/process.h"

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
