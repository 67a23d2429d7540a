/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MEM_CLONE_FILTER_H
#define MEM_CLONE_FILTER_H

/*
 * The seccomp filter of a clone that runs. What it does not know is refused with EPERM, or as if this
 * kernel had no such call where programs then use an older one.
 */

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

enum { CLONE_FILTER_MAX = 512 };

/** Into @a ret (of CLONE_FILTER_MAX); its length. Opening for reading is left to the tracer
 *  (SECCOMP_RET_TRACE). */
size_t clone_filter_make(struct sock_filter *ret);

/** Which argument of such a call, @a number, has the flags. */
unsigned clone_filter_open_flags(int64_t number);

#endif
