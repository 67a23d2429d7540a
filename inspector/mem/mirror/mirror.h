/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_MIRROR_H
#define MEM_MIRROR_H

/*
 * A copy of a process's memory in ours, as a mem_source: what can change once the process runs on
 * (writable mappings, and the small relocated read-only data of its ELF files) is copied while it
 * stands still; what cannot (code) is read from the process itself when asked for.
 *
 * Memory of ours that was never touched costs up to twenty times the copy, so it is touched before
 * the process is stopped:
 *
 *   mem_mirror_create(live, 2, &mirror);    the process runs
 *   pause_begin(...);
 *   mem_mirror_fill(mirror, 2);             it stands still
 *   pause_end(...);
 *   ... every read answers as of that moment ...
 *
 * What was mapped then and is not in the copy is read from the process as it is now; once that has
 * ended or become another program it is a fault, like what was not mapped then: the copy outlives the
 * process, and so does what is made of it. mem_source_resident() tells the pages that were copied.
 * Before the first fill, and after one that failed, everything is asked of the process.
 *
 * A mirror may be read by several threads at once; filling it is one thread's business (it starts
 * others itself).
 */

#include "mem/source.h"

/**
 * Reads the mappings of @a live (which must outlive the mirror and is not owned) and touches memory
 * for what they hold now, by up to @a thread_count threads. ERROR_FAILED, saying how much, when this
 * machine has not that much left, or when it is more than @a bytes_max (UINT64_MAX: no limit), which
 * holds for all fills.
 */
MUST_USE struct error *mem_mirror_create(struct mem_source *live, unsigned thread_count,
					 uint64_t bytes_max, struct mem_source **ret);

/**
 * Copies everything, by up to @a thread_count threads; again for another moment, which forgets the
 * one before. Mappings that came or grew since mem_mirror_create() are found. Ends early with
 * ERROR_INTERRUPTED. ERROR_GONE when the process has ended. Pages that cannot be read (a device's)
 * read as a fault afterwards and are no failure here.
 */
MUST_USE struct error *mem_mirror_fill(struct mem_source *mirror, unsigned thread_count);

/** The same from @a source, which is a clone of the process (mem/clone/clone.h): it runs meanwhile, and
 *  is left some of the processors' time. @a source is not needed afterwards. */
MUST_USE struct error *mem_mirror_fill_from(struct mem_source *mirror, struct mem_source *source,
					    unsigned thread_count);

/** Bytes copied by the last fill. */
uint64_t mem_mirror_copied_bytes(const struct mem_source *mirror);

#endif
