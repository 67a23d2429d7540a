// SPDX-License-Identifier: GPL-3.0-or-later
#include "support/fake_service.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mem/process.h"
#include "support/graphs.h"

static void fake_abort_unless(bool good)
{
	if (!good)
		abort();
}

static void fake_add(struct census *census, const char *name)
{
	census->rows = reallocarray(census->rows, census->row_count + 1, sizeof(*census->rows));
	fake_abort_unless(census->rows);
	census->rows[census->row_count++] =
		(struct census_row){.name = strdup(name), .count = 1, .size_bytes = 50, .refs = 2};
	census->total.count++;
	census->total.size_bytes += 50;
	census->total.refs += 2;
}

static struct error *fake_census(struct inspected *inspected, bool caches,
				 struct session_look *look, struct census *ret)
{
	struct fake_service *fake = (struct fake_service *)inspected;
	size_t bytes;
	char *lines = NULL, *rest = NULL;

	*ret = (struct census){.total.name = "total"};
	if (++fake->census_count >= fake->gone_at && fake->gone_at)
		return error_create(ERROR_GONE, "process %d has ended", inspected->pid);
	*look = (struct session_look){
		.pause_total_ns = 1000, .stops = 1, .consistent = !fake->torn, .ref_total = -1};
	lines = scratch_read(fake->path, &bytes);
	for (char *line = strtok_r(lines, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		const char *name = fake->leaves ? fake->leaves(line) : line;
		if (name)
			fake_add(ret, name);
	}
	free(lines);
	census_merge(ret);
	return NULL;
}

static void fake_head(const struct inspected *inspected, const char *verb,
		      const struct session_look *look, const struct census *census,
		      struct report_head *ret)
{
	*ret = (struct report_head){
		.verb = verb,
		.pid = inspected->pid,
		.runtime = "cpython",
		.version = "3.11.2",
		.stops = look ? look->stops : 0,
		.consistent = look && look->consistent,
		.is_redacted = ((const struct fake_service *)inspected)->redacts,
	};
}

static void fake_redact(struct inspected *inspected, bool redacts)
{
	((struct fake_service *)inspected)->redacts = redacts;
}

static struct error *fake_arguments(struct inspected *inspected, char **ret, size_t *ret_bytes)
{
	return process_arguments(inspected->pid, ret, ret_bytes);
}

// Nobody collects in it.
static struct error *fake_graph(struct inspected *inspected, const struct inspected_graph **ret)
{
	struct fake_service *fake = (struct fake_service *)inspected;

	if (!fake->graph.heap)
		fake->graph.heap = graph_parse("collector disabled\n");
	*ret = &fake->graph;
	return NULL;
}

static void fake_forget(struct inspected *inspected)
{
	struct fake_service *fake = (struct fake_service *)inspected;

	heap_destroy(fake->graph.heap);
	fake->graph.heap = NULL;
}

void fake_service_init(struct fake_service *fake, struct scratch *scratch)
{
	static const struct inspected_ops ops = {.census = fake_census,
						 .head = fake_head,
						 .redact = fake_redact,
						 .arguments = fake_arguments,
						 .graph = fake_graph,
						 .forget = fake_forget};

	*fake = (struct fake_service){.inspected = {.ops = &ops, .pid = getpid()},
				      .path = scratch_path(scratch, "requests")};
	scratch_write(scratch, "requests", "", 0);
}
