/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_MIRROR_JOBS_H
#define MEM_MIRROR_JOBS_H

/*
 * The work of a mirror, shared out to threads: runs of bytes, cut and gathered into jobs of a size
 * that is worth a system call and soon done.
 */

#include "mem/mirror/mirror_memory.h"
#include "mem/source.h"

enum {
	/** A huge page: two threads that touch the same one make it twice. */
	MIRROR_JOB_BYTES = 2 << 20,
	/** Half a millisecond of reading a clone. */
	MIRROR_SHORT_JOB_BYTES = 512 << 10,
	/** Runs per job, where they are short. */
	MIRROR_JOB_SPANS = 256,
};

/** Does one job: @a count pieces, whose `into` is their place in our memory. */
struct mirror_work {
	struct error *(*run)(struct mirror_work *work, struct mem_span *spans, size_t count);
	/** Per job, one of the two above. */
	uint64_t job_bytes;
	/** The process runs meanwhile: base/yield.h. */
	bool yields;
};

/**
 * Has @a work done for the bytes of @a runs, all of which @a blocks holds, by up to @a thread_count
 * threads; no two of them get bytes of the same page. The first error ends it, as a signal does
 * (ERROR_INTERRUPTED).
 */
MUST_USE struct error *mirror_jobs_run(const struct mirror_run *runs, size_t run_count,
				       const struct mirror_blocks *blocks, unsigned thread_count,
				       struct mirror_work *work);

#endif
