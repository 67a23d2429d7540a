// SPDX-License-Identifier: GPL-3.0-or-later
#if !defined(__clang__)
#pragma GCC optimize("O3")
#endif
#define SAMPLES cpu_samples_fast
#include "cpu_samples.inc"
