/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_SECCOMP_FILTER_H
#define MEM_SECCOMP_FILTER_H

/*
 * What a thread's seccomp filters would say of a system call, without making it: a filter may kill the
 * process for one that it does not know.
 */

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/** SECCOMP_RET_* with its data, of one filter for @a data; SECCOMP_RET_KILL_PROCESS for a program that
 *  the kernel would not have taken. */
uint32_t seccomp_filter_run(const struct sock_filter *program, size_t count,
			    const struct seccomp_data *data);

enum seccomp_answer {
	/** No filter, or all of them let it pass. */
	SECCOMP_PASSES,
	SECCOMP_REFUSES,
	/** The filters cannot be read (CAP_SYS_ADMIN; a kernel without CONFIG_CHECKPOINT_RESTORE). */
	SECCOMP_CANNOT_TELL,
};

/** Of thread @a tid, which the caller traces and which is stopped, for the call @a number with @a args
 *  made at @a at. */
MUST_USE struct error *seccomp_filters_ask(pid_t tid, uint64_t number, const uint64_t args[6],
					   uint64_t at, enum seccomp_answer *ret);

#endif
