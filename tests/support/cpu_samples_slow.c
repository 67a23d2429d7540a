// SPDX-License-Identifier: GPL-3.0-or-later
#if !defined(__clang__)
#pragma GCC optimize("O0")
#endif
#define SAMPLES cpu_samples_slow
#include "cpu_samples.inc"
