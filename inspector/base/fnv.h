/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef BASE_FNV_H
#define BASE_FNV_H

/*
 * Hashes of names: FNV-1a, of 64 and of 32 bits (draft-eastlake-fnv). Quick on short strings; no shield
 * against someone who wants collisions.
 */

#include <stddef.h>
#include <stdint.h>

/** What hashing begins with. */
static const uint64_t FNV64_START = UINT64_C(14695981039346656037);
static const uint32_t FNV32_START = UINT32_C(2166136261);

static inline uint64_t fnv64(uint64_t hash, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(1099511628211);
	return hash;
}

static inline uint32_t fnv32(uint32_t hash, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)bytes[i]) * UINT32_C(16777619);
	return hash;
}

#endif
