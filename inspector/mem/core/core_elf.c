// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/core/core_elf.h"

#include <string.h>

#include "mem/maps.h"

enum {
	/** Of a file's own program headers; a core has more. */
	SEGMENTS_MAX = 1024,
	NOTE_ALIGN = 4,
};

static bool core_bytes_copy(const struct core_bytes *from, uint64_t offset, void *into,
			    size_t bytes)
{
	if (offset > from->count || bytes > from->count - offset)
		return false;
	memcpy(into, from->at + offset, bytes);
	return true;
}

bool core_elf_header(const struct core_bytes *bytes, Elf64_Ehdr *ret)
{
	const unsigned char order =
		__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;

	return core_bytes_copy(bytes, 0, ret, sizeof(*ret)) &&
	       memcmp(ret->e_ident, ELFMAG, SELFMAG) == 0 && ret->e_ident[EI_CLASS] == ELFCLASS64 &&
	       ret->e_ident[EI_DATA] == order;
}

uint64_t core_elf_segment_count(const struct core_bytes *bytes, const Elf64_Ehdr *header)
{
	uint64_t count = header->e_phnum;
	Elf64_Shdr first;

	if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phoff >= bytes->count)
		return 0;
	// A process of very many mappings: the number has no place in the header (elf(5), PN_XNUM).
	if (count == PN_XNUM)
		count = core_bytes_copy(bytes, header->e_shoff, &first, sizeof(first))
				? first.sh_info
				: UINT64_MAX;
	uint64_t room = (bytes->count - header->e_phoff) / sizeof(Elf64_Phdr);
	return count < room ? count : room;
}

bool core_elf_segment(const struct core_bytes *bytes, const Elf64_Ehdr *header, uint64_t index,
		      Elf64_Phdr *ret)
{
	return core_bytes_copy(bytes, header->e_phoff + index * sizeof(*ret), ret, sizeof(*ret));
}

static uint64_t note_padded(uint32_t bytes)
{
	return ((uint64_t)bytes + NOTE_ALIGN - 1) & ~(uint64_t)(NOTE_ALIGN - 1);
}

bool core_elf_note(const struct core_bytes *bytes, uint64_t *offset, uint64_t end,
		   struct core_note *ret)
{
	Elf64_Nhdr header;

	if (end > bytes->count)
		end = bytes->count;
	if (*offset > end || end - *offset < sizeof(header) ||
	    !core_bytes_copy(bytes, *offset, &header, sizeof(header)))
		return false;
	uint64_t left = end - *offset - sizeof(header);
	uint64_t name_bytes = note_padded(header.n_namesz);
	if (name_bytes > left || header.n_descsz > left - name_bytes)
		return false;
	*ret = (struct core_note){
		.name = (const char *)bytes->at + *offset + sizeof(header),
		.name_bytes = header.n_namesz,
		.type = header.n_type,
		.bytes = bytes->at + *offset + sizeof(header) + name_bytes,
		.count = header.n_descsz,
	};
	// The last one's padding may be missing: the next call finds no room then.
	*offset += sizeof(header) + name_bytes + note_padded(header.n_descsz);
	return true;
}

bool core_note_is(const struct core_note *note, const char *name)
{
	size_t bytes = strlen(name) + 1;

	// Some writers leave out the NUL.
	return (note->name_bytes == bytes || note->name_bytes == bytes - 1) &&
	       memcmp(note->name, name, note->name_bytes) == 0;
}

void core_elf_build_id(const struct core_bytes *bytes, struct core_build_id *ret)
{
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	struct core_note note;

	ret->count = 0;
	if (!core_elf_header(bytes, &header))
		return;
	uint64_t count = core_elf_segment_count(bytes, &header);
	for (uint64_t i = 0; i < count && i < SEGMENTS_MAX; i++) {
		if (!core_elf_segment(bytes, &header, i, &segment) || segment.p_type != PT_NOTE ||
		    segment.p_offset > bytes->count ||
		    segment.p_filesz > bytes->count - segment.p_offset)
			continue;
		uint64_t at = segment.p_offset, end = segment.p_offset + segment.p_filesz;
		while (core_elf_note(bytes, &at, end, &note)) {
			if (note.type != NT_GNU_BUILD_ID || !core_note_is(&note, "GNU") ||
			    note.count == 0 || note.count > CORE_BUILD_ID_MAX)
				continue;
			memcpy(ret->bytes, note.bytes, note.count);
			ret->count = note.count;
			return;
		}
	}
}

uint32_t core_elf_mapping_flags(uint32_t segment_flags)
{
	return (segment_flags & PF_R ? MAPPING_READ : 0) |
	       (segment_flags & PF_W ? MAPPING_WRITE : 0) |
	       (segment_flags & PF_X ? MAPPING_EXEC : 0);
}

bool core_elf_flags_at(const struct core_bytes *bytes, uint64_t offset, uint32_t *ret)
{
	const uint64_t page_mask = ~(uint64_t)(CORE_PAGE_BYTES - 1);
	bool found = false;
	Elf64_Ehdr header;
	Elf64_Phdr segment;

	if (!core_elf_header(bytes, &header))
		return false;
	uint64_t count = core_elf_segment_count(bytes, &header);
	for (uint64_t i = 0; i < count && i < SEGMENTS_MAX; i++) {
		if (!core_elf_segment(bytes, &header, i, &segment) || segment.p_type != PT_LOAD)
			continue;
		uint64_t begin = segment.p_offset & page_mask;
		if (offset < begin || offset - begin >= segment.p_offset - begin + segment.p_filesz)
			continue;
		// Two segments may share a page of the file: the one that begins with it is meant.
		if (!found || begin == offset)
			*ret = core_elf_mapping_flags(segment.p_flags);
		found = true;
	}
	return found;
}
