// SPDX-License-Identifier: GPL-3.0-or-later
// What can be made of entries without asking libdwarf: copies, expressions, ranges of code.
#include "debug/die.h"

#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "debug/elf_file.h"

enum { RANGES_LIMIT = 1 << 20 };

/** DWARF 5, table 7.9, and the one that GCC had before. */
enum { OP_ADDR = 0x03, OP_PLUS_UCONST = 0x23, OP_ADDRX = 0xa1, OP_GNU_ADDR_INDEX = 0xfb };

// libdwarf looks less closely at sections that lie beyond the file's end, and at compressed ones.
struct error *die_file_check(const char *path)
{
	_cleanup_elf_file_ struct elf_file *elf = NULL;
	struct error *error = elf_file_open(path, &elf);

	if (error)
		return error;
	if (!elf_file_has_dwarf(elf))
		return error_create(ERROR_UNSUPPORTED, "%s has no debug information", path);
	return NULL;
}

struct error *die_file_damaged(const struct die_file *file, const char *what)
{
	return error_create(ERROR_FAILED,
			    "the debug information in %s is damaged or of an unknown kind (%s); "
			    "reinstall the package that has it",
			    die_file_path(file), what);
}

struct error *die_copy(const struct die_file *file, struct Dwarf_Die_s *die,
		       struct Dwarf_Die_s **ret)
{
	uint64_t offset = 0;
	bool in_info = false;

	*ret = NULL;
	if (!die)
		return NULL;
	struct error *error = die_offset(file, die, &offset, &in_info);
	return error ? error : die_at(file, offset, in_info, ret);
}

/** How many bytes it took, 0 when it does not end within @a count. */
static size_t uleb_parse(const unsigned char *bytes, size_t count, uint64_t *ret)
{
	uint64_t value = 0;

	for (size_t i = 0; i < count && i < 9; i++) {
		value |= (uint64_t)(bytes[i] & 0x7f) << (7 * i);
		if (!(bytes[i] & 0x80)) {
			*ret = value;
			return i + 1;
		}
	}
	return 0;
}

struct error *die_address(const struct die_file *file, struct Dwarf_Die_s *die,
			  enum die_attribute attribute, bool *present, addr_t *ret)
{
	const unsigned char *bytes = NULL;
	size_t count = 0, used = 0;
	unsigned address_bytes = 0;
	uint64_t number = 0;
	addr_t address = 0;

	*present = false;
	struct error *error = die_expression(file, die, attribute, &bytes, &count);
	if (error || !bytes || count == 0)
		return error;
	error = die_address_bytes(file, die, &address_bytes);
	if (error)
		return error;
	if (bytes[0] == OP_ADDR && address_bytes <= sizeof(address) && count > address_bytes) {
		// Little-endian, as every machine that is supported.
		memcpy(&address, bytes + 1, address_bytes);
		used = 1 + address_bytes;
	} else if (bytes[0] == OP_ADDRX || bytes[0] == OP_GNU_ADDR_INDEX) {
		used = uleb_parse(bytes + 1, count - 1, &number);
		if (used == 0)
			return NULL;
		used++;
		error = die_indexed_address(file, die, number, &address);
		if (error)
			return error;
	} else {
		return NULL;
	}
	if (used < count && bytes[used] == OP_PLUS_UCONST) {
		size_t more = uleb_parse(bytes + used + 1, count - used - 1, &number);
		if (more == 0)
			return NULL;
		address += number;
		used += 1 + more;
	}
	*present = used == count;
	*ret = address;
	return NULL;
}

struct error *die_member_offset(const struct die_file *file, struct Dwarf_Die_s *die, bool *present,
				uint64_t *ret)
{
	const unsigned char *bytes = NULL;
	size_t count = 0;
	int64_t number = 0;
	struct error *error = die_number(file, die, DIE_AT_DATA_MEMBER_LOCATION, present, &number);

	*ret = (uint64_t)number;
	if (error || *present)
		return error;
	error = die_expression(file, die, DIE_AT_DATA_MEMBER_LOCATION, &bytes, &count);
	if (error || !bytes || count < 2 || bytes[0] != OP_PLUS_UCONST)
		return error;
	*present = uleb_parse(bytes + 1, count - 1, ret) == count - 1;
	return NULL;
}

void die_ranges_deinit(struct die_ranges *ranges)
{
	free(ranges->list);
	*ranges = (struct die_ranges){0};
}

struct error *die_ranges_add(const struct die_file *file, struct die_ranges *ranges, addr_t start,
			     addr_t end)
{
	if (start >= end)
		return NULL;
	if (ranges->count >= RANGES_LIMIT)
		return die_file_damaged(file, "its ranges do not end");
	struct error *error = array_reserve(&ranges->list, &ranges->capacity, ranges->count + 1,
					    sizeof(*ranges->list));
	if (!error)
		ranges->list[ranges->count++] = (struct die_range){start, end};
	return error;
}

struct error *die_code_ranges(const struct die_file *file, struct Dwarf_Die_s *die, addr_t base,
			      struct die_ranges *into)
{
	bool has_list = false, present = false;
	addr_t start = 0, end = 0;
	struct error *error = die_has(file, die, DIE_AT_RANGES, &has_list);

	// A unit with a list has a low_pc too, which is then no range but what the list counts from.
	if (!error && has_list)
		return die_range_list(file, die, base, into);
	if (!error)
		error = die_low_pc(file, die, &present, &start, &end);
	return error || !present ? error : die_ranges_add(file, into, start, end);
}
