/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SUPPORT_CPU_SAMPLES_H
#define SUPPORT_CPU_SAMPLES_H

/*
 * Small functions that a processor and the cpu are to agree on, as three levels of optimisation compile
 * them.
 */

#include <stdint.h>

enum {
	SAMPLE_BYTES = 1024,
};

struct cpu_sample {
	const char *name;
	/** Reads and writes SAMPLE_BYTES at @a buffer. */
	uint64_t (*run)(uint8_t *buffer, uint64_t x);
};

/** They end with one without a name. */
extern const struct cpu_sample cpu_samples_plain[];
extern const struct cpu_sample cpu_samples_slow[];
extern const struct cpu_sample cpu_samples_fast[];

#endif
