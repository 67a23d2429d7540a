// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/record/record_process.h"

#include <stdio.h>
#include <time.h>

#include "base/cleanup.h"
#include "mem/process.h"
#include "ui/inspected.h"

struct error *record_process_read(struct inspected *inspected, struct record_process *ret)
{
	_cleanup_free_ char *block = NULL;
	size_t bytes = 0;
	struct report_head head;
	struct process_status status = {0};
	struct error *error = NULL;

	// When the process of a core file began nobody knows.
	if (!inspected->core)
		error = process_status_read(inspected->pid, &status);
	if (!error)
		error = inspected_arguments(inspected, &block, &bytes);
	if (error)
		return error;
	inspected_head(inspected, "watch", NULL, NULL, &head);
	*ret = (struct record_process){.pid = head.pid, .start_ticks = status.start_ticks};
	snprintf(ret->runtime, sizeof(ret->runtime), "%s", head.runtime ?: "");
	snprintf(ret->version, sizeof(ret->version), "%s", head.version ?: "");
	snprintf(ret->build, sizeof(ret->build), "%s", head.build ?: "");
	while (bytes && !block[bytes - 1])
		bytes--;
	for (size_t i = 0; i < bytes; i++)
		if (!block[i])
			block[i] = ' ';
	// Arguments are values, too.
	if (bytes && !head.is_redacted)
		snprintf(ret->program, sizeof(ret->program), "%s", block);
	return NULL;
}

int64_t record_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
