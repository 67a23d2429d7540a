// SPDX-License-Identifier: GPL-3.0-or-later
// As everything else is compiled.
#define SAMPLES cpu_samples_plain
#include "cpu_samples.inc"
