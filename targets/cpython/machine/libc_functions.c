// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/cpython/machine/libc_functions.h"

#include <string.h>

enum {
	/** Looked at in one go; a piece never straddles pages, as the next one may not be there. */
	PIECE_BYTES = 4096,
	WIDE = sizeof(uint32_t),
};

static const uint64_t NO_LIMIT = UINT64_MAX;

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

// How far it is from @a at to the end of its page.
static uint64_t page_rest(addr_t at)
{
	return PIECE_BYTES - at % PIECE_BYTES;
}

/*
 * How many of at most @a max bytes at @a at come before the first that is @a byte or @a other. All of
 * them: @a max. False when they cannot be read.
 */
static bool scan(struct cpu *cpu, addr_t at, uint64_t max, int byte, int other, uint64_t *ret)
{
	// Most strings are short.
	uint8_t piece[PIECE_BYTES];
	uint64_t bytes_max = 64;

	for (uint64_t done = 0; done < max; bytes_max = PIECE_BYTES) {
		uint64_t bytes = least(least(page_rest(at + done), max - done), bytes_max);

		if (!cpu_read(cpu, at + done, piece, bytes))
			return false;
		for (uint64_t i = 0; i < bytes; i++) {
			if (piece[i] == (uint8_t)byte || piece[i] == (uint8_t)other) {
				*ret = done + i;
				return true;
			}
		}
		done += bytes;
	}
	*ret = max;
	return true;
}

// The same for characters of four bytes.
static bool scan_wide(struct cpu *cpu, addr_t at, uint64_t max, uint32_t wide, uint64_t *ret)
{
	uint32_t value;

	for (uint64_t i = 0; i < max; i++) {
		if (!cpu_read(cpu, at + i * WIDE, &value, WIDE))
			return false;
		if (value == wide) {
			*ret = i;
			return true;
		}
	}
	*ret = max;
	return true;
}

// The first difference of at most @a max bytes, or of those up to a 0 when @a strings.
static bool compare(struct cpu *cpu, struct cpu_gate_call *call, uint64_t max, bool strings)
{
	uint8_t a[PIECE_BYTES], b[PIECE_BYTES];
	addr_t a_at = call->args[0], b_at = call->args[1];
	uint64_t bytes_max = 64;

	call->result = 0;
	for (uint64_t done = 0; done < max; bytes_max = PIECE_BYTES) {
		uint64_t bytes = least(least(page_rest(a_at + done), page_rest(b_at + done)),
				       least(max - done, bytes_max));

		if (!cpu_read(cpu, a_at + done, a, bytes) || !cpu_read(cpu, b_at + done, b, bytes))
			return false;
		for (uint64_t i = 0; i < bytes; i++) {
			if (a[i] != b[i])
				call->result = (uint64_t)(int64_t)((int)a[i] - (int)b[i]);
			if (a[i] != b[i] || (strings && !a[i]))
				return true;
		}
		done += bytes;
	}
	return true;
}

// In the direction in which an overlap does no harm.
static bool copy(struct cpu *cpu, addr_t to, addr_t from, uint64_t count)
{
	uint8_t piece[PIECE_BYTES];
	bool backwards = to - from < count;

	for (uint64_t done = 0; done < count;) {
		uint64_t bytes = least(count - done, PIECE_BYTES);
		uint64_t offset = backwards ? count - done - bytes : done;

		if (!cpu_read(cpu, from + offset, piece, bytes) ||
		    !cpu_write(cpu, to + offset, piece, bytes))
			return false;
		done += bytes;
	}
	return true;
}

static bool fill(struct cpu *cpu, addr_t at, int byte, uint64_t count)
{
	uint8_t piece[PIECE_BYTES];

	memset(piece, byte, least(count, PIECE_BYTES));
	for (uint64_t done = 0; done < count;) {
		uint64_t bytes = least(count - done, PIECE_BYTES);

		if (!cpu_write(cpu, at + done, piece, bytes))
			return false;
		done += bytes;
	}
	return true;
}

static bool gate_strlen(struct cpu *cpu, struct cpu_gate_call *call)
{
	return scan(cpu, call->args[0], NO_LIMIT, 0, 0, &call->result);
}

static bool gate_strnlen(struct cpu *cpu, struct cpu_gate_call *call)
{
	return scan(cpu, call->args[0], call->args[1], 0, 0, &call->result);
}

static bool gate_memchr(struct cpu *cpu, struct cpu_gate_call *call)
{
	uint64_t count = call->args[2], found;
	int byte = (int)call->args[1];

	if (!scan(cpu, call->args[0], count, byte, byte, &found))
		return false;
	call->result = found < count ? call->args[0] + found : 0;
	return true;
}

static bool gate_rawmemchr(struct cpu *cpu, struct cpu_gate_call *call)
{
	int byte = (int)call->args[1];

	if (!scan(cpu, call->args[0], NO_LIMIT, byte, byte, &call->result))
		return false;
	call->result += call->args[0];
	return true;
}

static bool gate_memrchr(struct cpu *cpu, struct cpu_gate_call *call)
{
	call->result = 0;
	for (uint64_t left = call->args[2]; left-- > 0;) {
		uint8_t byte;

		if (!cpu_read(cpu, call->args[0] + left, &byte, 1))
			return false;
		if (byte == (uint8_t)call->args[1]) {
			call->result = call->args[0] + left;
			return true;
		}
	}
	return true;
}

static bool gate_strchrnul(struct cpu *cpu, struct cpu_gate_call *call)
{
	if (!scan(cpu, call->args[0], NO_LIMIT, (int)call->args[1], 0, &call->result))
		return false;
	call->result += call->args[0];
	return true;
}

static bool gate_strchr(struct cpu *cpu, struct cpu_gate_call *call)
{
	uint8_t byte;

	if (!gate_strchrnul(cpu, call) || !cpu_read(cpu, call->result, &byte, 1))
		return false;
	if (byte != (uint8_t)call->args[1])
		call->result = 0;
	return true;
}

static bool gate_strrchr(struct cpu *cpu, struct cpu_gate_call *call)
{
	struct cpu_gate_call whole = *call;

	// The 0 at the end can be looked for, too.
	if (!scan(cpu, call->args[0], NO_LIMIT, 0, 0, &whole.args[2]))
		return false;
	whole.args[2]++;
	if (!gate_memrchr(cpu, &whole))
		return false;
	call->result = whole.result;
	return true;
}

static bool gate_strcmp(struct cpu *cpu, struct cpu_gate_call *call)
{
	return compare(cpu, call, NO_LIMIT, true);
}

static bool gate_strncmp(struct cpu *cpu, struct cpu_gate_call *call)
{
	return compare(cpu, call, call->args[2], true);
}

static bool gate_memcmp(struct cpu *cpu, struct cpu_gate_call *call)
{
	return compare(cpu, call, call->args[2], false);
}

static bool gate_memcpy(struct cpu *cpu, struct cpu_gate_call *call)
{
	call->result = call->args[0];
	return copy(cpu, call->args[0], call->args[1], call->args[2]);
}

static bool gate_mempcpy(struct cpu *cpu, struct cpu_gate_call *call)
{
	call->result = call->args[0] + call->args[2];
	return copy(cpu, call->args[0], call->args[1], call->args[2]);
}

static bool gate_memset(struct cpu *cpu, struct cpu_gate_call *call)
{
	call->result = call->args[0];
	return fill(cpu, call->args[0], (int)call->args[1], call->args[2]);
}

static bool gate_strcpy(struct cpu *cpu, struct cpu_gate_call *call)
{
	uint64_t length;

	call->result = call->args[0];
	return scan(cpu, call->args[1], NO_LIMIT, 0, 0, &length) &&
	       copy(cpu, call->args[0], call->args[1], length + 1);
}

static bool gate_stpcpy(struct cpu *cpu, struct cpu_gate_call *call)
{
	uint64_t length;

	if (!scan(cpu, call->args[1], NO_LIMIT, 0, 0, &length))
		return false;
	call->result = call->args[0] + length;
	return copy(cpu, call->args[0], call->args[1], length + 1);
}

// Zeros behind a string that is shorter.
static bool gate_stpncpy(struct cpu *cpu, struct cpu_gate_call *call)
{
	uint64_t count = call->args[2], length;

	if (!scan(cpu, call->args[1], count, 0, 0, &length))
		return false;
	call->result = call->args[0] + length;
	return copy(cpu, call->args[0], call->args[1], length) &&
	       fill(cpu, call->args[0] + length, 0, count - length);
}

static bool gate_strncpy(struct cpu *cpu, struct cpu_gate_call *call)
{
	bool done = gate_stpncpy(cpu, call);

	call->result = call->args[0];
	return done;
}

static bool gate_append(struct cpu *cpu, struct cpu_gate_call *call, uint64_t max)
{
	uint64_t before, length;
	uint8_t end = 0;

	call->result = call->args[0];
	return scan(cpu, call->args[0], NO_LIMIT, 0, 0, &before) &&
	       scan(cpu, call->args[1], max, 0, 0, &length) &&
	       copy(cpu, call->args[0] + before, call->args[1], length) &&
	       cpu_write(cpu, call->args[0] + before + length, &end, 1);
}

static bool gate_strcat(struct cpu *cpu, struct cpu_gate_call *call)
{
	return gate_append(cpu, call, NO_LIMIT);
}

static bool gate_strncat(struct cpu *cpu, struct cpu_gate_call *call)
{
	return gate_append(cpu, call, call->args[2]);
}

static bool gate_wcslen(struct cpu *cpu, struct cpu_gate_call *call)
{
	return scan_wide(cpu, call->args[0], NO_LIMIT, 0, &call->result);
}

static bool gate_wcsnlen(struct cpu *cpu, struct cpu_gate_call *call)
{
	return scan_wide(cpu, call->args[0], call->args[1], 0, &call->result);
}

static bool gate_wmemchr(struct cpu *cpu, struct cpu_gate_call *call)
{
	uint64_t count = call->args[2], found;

	if (!scan_wide(cpu, call->args[0], count, (uint32_t)call->args[1], &found))
		return false;
	call->result = found < count ? call->args[0] + found * WIDE : 0;
	return true;
}

static bool gate_wmemset(struct cpu *cpu, struct cpu_gate_call *call)
{
	uint32_t value = (uint32_t)call->args[1];

	call->result = call->args[0];
	for (uint64_t i = 0; i < call->args[2]; i++)
		if (!cpu_write(cpu, call->args[0] + i * WIDE, &value, WIDE))
			return false;
	return true;
}

// Those with _chk have the bytes there are for a last argument: it was right when nothing has failed.
const struct libc_function libc_functions[] = {
	{"memcpy", gate_memcpy},
	{"memmove", gate_memcpy},
	{"mempcpy", gate_mempcpy},
	{"memset", gate_memset},
	{"memcmp", gate_memcmp},
	{"bcmp", gate_memcmp},
	{"__memcmpeq", gate_memcmp},
	{"memchr", gate_memchr},
	{"memrchr", gate_memrchr},
	{"rawmemchr", gate_rawmemchr},
	{"strlen", gate_strlen},
	{"strnlen", gate_strnlen},
	{"strcmp", gate_strcmp},
	{"strncmp", gate_strncmp},
	{"strchr", gate_strchr},
	{"strchrnul", gate_strchrnul},
	{"strrchr", gate_strrchr},
	{"strcpy", gate_strcpy},
	{"stpcpy", gate_stpcpy},
	{"strncpy", gate_strncpy},
	{"stpncpy", gate_stpncpy},
	{"strcat", gate_strcat},
	{"strncat", gate_strncat},
	{"wcslen", gate_wcslen},
	{"wcsnlen", gate_wcsnlen},
	{"wmemchr", gate_wmemchr},
	{"wmemset", gate_wmemset},
	{"__memcpy_chk", gate_memcpy},
	{"__memmove_chk", gate_memcpy},
	{"__mempcpy_chk", gate_mempcpy},
	{"__memset_chk", gate_memset},
	{"__wmemset_chk", gate_wmemset},
	{NULL, NULL},
};
