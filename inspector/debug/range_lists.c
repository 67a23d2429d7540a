// SPDX-License-Identifier: GPL-3.0-or-later
#include "debug/range_lists.h"

#include <gelf.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"

static const uint32_t LENGTH_IS_64BIT = 0xffffffffU;
/** Lengths from here up to LENGTH_IS_64BIT are reserved. */
static const uint32_t LENGTH_RESERVED = 0xfffffff0U;

static void elf_cleanup(Elf **elf)
{
	if (*elf)
		elf_end(*elf);
}

// The length behind @a at, of which *ret_header_bytes are the length itself; false when it is not there.
static bool contribution_length(const unsigned char *at, size_t left, uint64_t *ret,
				size_t *ret_header_bytes)
{
	uint32_t first;

	if (left < sizeof(first))
		return false;
	memcpy(&first, at, sizeof(first));
	*ret = first;
	*ret_header_bytes = sizeof(first);
	if (first < LENGTH_RESERVED)
		return true;
	if (first != LENGTH_IS_64BIT || left < sizeof(first) + sizeof(*ret))
		return false;
	memcpy(ret, at + sizeof(first), sizeof(*ret));
	*ret_header_bytes += sizeof(*ret);
	return true;
}

bool range_lists_are_sound(const unsigned char *bytes, size_t count)
{
	enum { VERSION = 5, VERSION_BYTES = 2, REST_BYTES = 8, OFFSETS_AT = 4 };

	for (size_t at = 0; at < count;) {
		uint64_t length;
		size_t header_bytes;
		uint16_t version;
		uint32_t offsets;

		if (!contribution_length(bytes + at, count - at, &length, &header_bytes))
			return false;
		at += header_bytes;
		if (length > count - at || length < REST_BYTES)
			return false;
		memcpy(&version, bytes + at, sizeof(version));
		unsigned char address_bytes = bytes[at + VERSION_BYTES];
		memcpy(&offsets, bytes + at + OFFSETS_AT, sizeof(offsets));
		uint64_t offset_bytes = header_bytes > sizeof(uint32_t) ? 8 : 4;
		if (version != VERSION || (address_bytes != 4 && address_bytes != 8) ||
		    offsets > (length - REST_BYTES) / offset_bytes)
			return false;
		at += (size_t)length;
	}
	return true;
}

static struct error *damaged(const char *path)
{
	return error_create(
		ERROR_FAILED,
		"%s is damaged (its lists of address ranges make no sense); reinstall the "
		"package that has it",
		path);
}

static struct error *section_check(Elf_Scn *section, const GElf_Shdr *header, const char *name,
				   const char *path)
{
	bool is_gnu = name[1] == 'z';

	if (header->sh_type == SHT_NOBITS || header->sh_size == 0)
		return NULL;
	if ((is_gnu && elf_compress_gnu(section, 0, 0) < 0) ||
	    ((header->sh_flags & SHF_COMPRESSED) && elf_compress(section, 0, 0) < 0))
		return damaged(path);
	const Elf_Data *data = elf_rawdata(section, NULL);
	if (!data || !data->d_buf || !range_lists_are_sound(data->d_buf, data->d_size))
		return damaged(path);
	return NULL;
}

struct error *range_lists_check(int fd, const char *path)
{
	CLEANUP(elf_cleanup) Elf *elf = NULL;
	size_t names = 0;
	GElf_Ehdr header;
	GElf_Shdr section_header;
	Elf_Scn *section = NULL;

	if (elf_version(EV_CURRENT) == EV_NONE || !(elf = elf_begin(fd, ELF_C_READ, NULL)) ||
	    !gelf_getehdr(elf, &header) || elf_getshdrstrndx(elf, &names))
		return damaged(path);
	// We run on machines of this order alone (cpu/README.md).
	if (header.e_ident[EI_DATA] != ELFDATA2LSB)
		return NULL;
	while ((section = elf_nextscn(elf, section))) {
		const char *name = gelf_getshdr(section, &section_header)
					   ? elf_strptr(elf, names, section_header.sh_name)
					   : NULL;
		if (!name ||
		    (strcmp(name, ".debug_rnglists") != 0 && strcmp(name, ".zdebug_rnglists") != 0))
			continue;
		struct error *error = section_check(section, &section_header, name, path);
		if (error)
			return error;
	}
	return NULL;
}
