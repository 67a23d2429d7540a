// SPDX-License-Identifier: GPL-3.0-or-later
#include "debug/elf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <libelf.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "debug/elf_symbols.h"

enum {
	// SHA-1 is 20 bytes, --build-id=0x... may give more.
	BUILD_ID_BYTES_LIMIT = 64,
	SECTIONS_LIMIT = 65536,
	SEGMENTS_LIMIT = 4096,
	// The smallest page of the machines Linux runs on; the ELF rules ask for offsets and
	// addresses to agree modulo every larger one too.
	PAGE_BYTES = 4096,
	CRC_CHUNK_BYTES = 1 << 16,
	// deflate cannot do better than 1032:1 (zlib's own figure): who claims more, lies.
	COMPRESSION_RATIO_LIMIT = 1100,
};

// libdwarf holds a section in memory, decompressed. The largest of CPython has 30 MB.
static const uint64_t DEBUG_SECTION_BYTES_LIMIT = 2ULL << 30;

struct elf_file {
	char *path;
	int fd;
	Elf *elf;
	GElf_Ehdr header;
	uint64_t file_bytes;
	char build_id[2 * BUILD_ID_BYTES_LIMIT + 1];
	char *debuglink;
	uint32_t debuglink_crc;
	bool has_dwarf;
	GElf_Phdr *loads;
	size_t load_count;
	size_t load_capacity;
	struct elf_symbols *symbols;
};

static struct error *elf_file_damaged(const struct elf_file *file, const char *what)
{
	return error_create(ERROR_FAILED,
			    "%s is truncated or damaged (%s); reinstall the package that has it",
			    file->path, what);
}

static bool elf_file_holds(const struct elf_file *file, uint64_t offset, uint64_t bytes)
{
	return offset <= file->file_bytes && bytes <= file->file_bytes - offset;
}

static void build_id_set(struct elf_file *file, const unsigned char *bytes, size_t count)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < count; i++) {
		file->build_id[2 * i] = digits[bytes[i] >> 4];
		file->build_id[2 * i + 1] = digits[bytes[i] & 15];
	}
	file->build_id[2 * count] = '\0';
}

static void notes_scan(struct elf_file *file, Elf_Data *data)
{
	GElf_Nhdr note;
	size_t name_at, desc_at, at = 0;

	if (!data || !data->d_buf)
		return;
	while (at < data->d_size && !file->build_id[0]) {
		size_t next = gelf_getnote(data, at, &note, &name_at, &desc_at);
		if (next <= at)
			return;
		at = next;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof("GNU") &&
		    memcmp((char *)data->d_buf + name_at, "GNU", sizeof("GNU")) == 0 &&
		    note.n_descsz > 0 && note.n_descsz <= BUILD_ID_BYTES_LIMIT)
			build_id_set(file, (unsigned char *)data->d_buf + desc_at, note.n_descsz);
	}
}

// A NUL-terminated file name, padded to four bytes, then the CRC (BFD's bfd/opncls.c).
static struct error *debuglink_read(struct elf_file *file, Elf_Scn *section)
{
	Elf_Data *data = elf_rawdata(section, NULL);

	if (!data || !data->d_buf)
		return NULL;
	size_t length = strnlen(data->d_buf, data->d_size);
	size_t crc_at = (length + 4) & ~(size_t)3;
	if (length == 0 || crc_at + 4 > data->d_size || memchr(data->d_buf, '/', length))
		return NULL;
	const unsigned char *crc = (unsigned char *)data->d_buf + crc_at;
	bool little = file->header.e_ident[EI_DATA] != ELFDATA2MSB;
	for (int i = 0; i < 4; i++)
		file->debuglink_crc |= (uint32_t)crc[i] << (little ? 8 * i : 24 - 8 * i);
	file->debuglink = strdup(data->d_buf);
	return file->debuglink ? NULL : error_no_memory();
}

/** What a compressed section says its size will be; false when it does not say. Not gelf_getchdr():
 *  that reads all of the section. */
static bool uncompressed_bytes(const struct elf_file *file, const GElf_Shdr *header, uint64_t *ret)
{
	size_t bytes = gelf_fsize(file->elf, ELF_T_CHDR, 1, EV_CURRENT);

	if (bytes == 0 || header->sh_size < bytes)
		return false;
	const Elf_Data *data =
		elf_getdata_rawchunk(file->elf, (int64_t)header->sh_offset, bytes, ELF_T_CHDR);
	if (!data || !data->d_buf)
		return false;
	*ret = elf_file_is_64bit(file) ? ((const Elf64_Chdr *)data->d_buf)->ch_size
				       : ((const Elf32_Chdr *)data->d_buf)->ch_size;
	return true;
}

static bool is_debug_section(const char *name)
{
	return strncmp(name, ".debug_", 7) == 0 || strncmp(name, ".zdebug_", 8) == 0;
}

static struct error *section_check(const struct elf_file *file, const char *name,
				   const GElf_Shdr *header)
{
	uint64_t bytes = header->sh_size;

	if (header->sh_type == SHT_NOBITS || header->sh_type == SHT_NULL)
		return NULL;
	if (!elf_file_holds(file, header->sh_offset, header->sh_size))
		return elf_file_damaged(file, "a section lies beyond its end");
	if ((header->sh_flags & SHF_COMPRESSED) && !uncompressed_bytes(file, header, &bytes))
		return elf_file_damaged(file, "a compressed section has no header");
	if (bytes / COMPRESSION_RATIO_LIMIT > header->sh_size)
		return elf_file_damaged(file, "a compressed section claims an absurd size");
	if (is_debug_section(name) && bytes > DEBUG_SECTION_BYTES_LIMIT)
		return error_create(ERROR_UNSUPPORTED,
				    "%s has %" PRIu64 " bytes of %s; more than %" PRIu64
				    " are not read",
				    file->path, bytes, name, DEBUG_SECTION_BYTES_LIMIT);
	return NULL;
}

static struct error *sections_scan(struct elf_file *file)
{
	size_t names = 0, count = 0;
	Elf_Scn *section = NULL, *symtab = NULL, *dynsym = NULL;
	GElf_Shdr header;

	if (elf_getshdrnum(file->elf, &count) || count > SECTIONS_LIMIT)
		return elf_file_damaged(file, "its section headers cannot be read");
	if (count == 0)
		return elf_symbols_create(file->elf, file->path, NULL, NULL, &file->symbols);
	if (elf_getshdrstrndx(file->elf, &names))
		return elf_file_damaged(file, "its section names cannot be read");
	while ((section = elf_nextscn(file->elf, section))) {
		if (!gelf_getshdr(section, &header))
			return elf_file_damaged(file, "a section header cannot be read");
		const char *name = elf_strptr(file->elf, names, header.sh_name);
		if (!name)
			return elf_file_damaged(file, "a section's name cannot be read");
		struct error *error = section_check(file, name, &header);
		if (error)
			return error;
		if (header.sh_type == SHT_NOBITS)
			continue;
		if (strcmp(name, ".debug_info") == 0 || strcmp(name, ".zdebug_info") == 0)
			file->has_dwarf = header.sh_size > 0;
		else if (strcmp(name, ".gnu_debuglink") == 0 && !file->debuglink)
			error = debuglink_read(file, section);
		else if (header.sh_type == SHT_NOTE)
			notes_scan(file, elf_getdata(section, NULL));
		else if (header.sh_type == SHT_SYMTAB)
			symtab = section;
		else if (header.sh_type == SHT_DYNSYM)
			dynsym = section;
		if (error)
			return error;
	}
	return elf_symbols_create(file->elf, file->path, symtab, dynsym, &file->symbols);
}

static struct error *segments_scan(struct elf_file *file)
{
	size_t count = 0;
	GElf_Phdr segment;

	if (elf_getphdrnum(file->elf, &count) || count > SEGMENTS_LIMIT)
		return elf_file_damaged(file, "its program headers cannot be read");
	struct error *error =
		array_reserve(&file->loads, &file->load_capacity, count, sizeof(*file->loads));
	if (error)
		return error;
	for (size_t i = 0; i < count; i++) {
		if (!gelf_getphdr(file->elf, (int)i, &segment))
			return elf_file_damaged(file, "a program header cannot be read");
		if (segment.p_type == PT_LOAD)
			file->loads[file->load_count++] = segment;
		// A file without section headers still has its build-id in a segment. In a file
		// made by objcopy --only-keep-debug the segments' offsets mean nothing: hence
		// sections first.
		if (segment.p_type == PT_NOTE && !file->build_id[0] &&
		    elf_file_holds(file, segment.p_offset, segment.p_filesz))
			notes_scan(file, elf_getdata_rawchunk(file->elf, (int64_t)segment.p_offset,
							      segment.p_filesz,
							      segment.p_align == 8 ? ELF_T_NHDR8
										   : ELF_T_NHDR));
	}
	return NULL;
}

static struct error *header_read(struct elf_file *file)
{
	// Reading instead of mapping: a file that shrinks under us is then an error and no SIGBUS.
	file->elf = elf_begin(file->fd, ELF_C_READ, NULL);
	if (!file->elf || elf_kind(file->elf) != ELF_K_ELF)
		return error_create(ERROR_UNSUPPORTED, "%s is no ELF file", file->path);
	if (!gelf_getehdr(file->elf, &file->header))
		return elf_file_damaged(file, "its header cannot be read");
	// libelf would take a table that is cut off for one that is absent.
	const GElf_Ehdr *header = &file->header;
	size_t sections = header->e_shnum ? header->e_shnum : header->e_shoff ? 1 : 0;
	if (!elf_file_holds(file, header->e_shoff, (uint64_t)sections * header->e_shentsize))
		return elf_file_damaged(file, "its section headers lie beyond its end");
	if (!elf_file_holds(file, header->e_phoff, (uint64_t)header->e_phnum * header->e_phentsize))
		return elf_file_damaged(file, "its program headers lie beyond its end");
	return NULL;
}

struct error *elf_file_open(const char *path, struct elf_file **ret)
{
	struct stat status;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return error_create(ERROR_FAILED, "libelf is too old: %s", elf_errmsg(-1));
	_cleanup_elf_file_ struct elf_file *file = calloc(1, sizeof(*file));
	if (!file)
		return error_no_memory();
	file->fd = -1;
	file->path = strdup(path);
	if (!file->path)
		return error_no_memory();
	// Without O_NONBLOCK a FIFO in its place would hold us for ever.
	file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (file->fd < 0)
		return error_create_os(errno, "cannot open %s", path);
	if (fstat(file->fd, &status) < 0)
		return error_create_os(errno, "cannot stat %s", path);
	if (!S_ISREG(status.st_mode))
		return error_create(ERROR_UNSUPPORTED, "%s is no regular file", path);
	file->file_bytes = (uint64_t)status.st_size;

	struct error *error = header_read(file);
	if (!error)
		error = sections_scan(file);
	if (!error)
		error = segments_scan(file);
	if (error)
		return error;
	*ret = take_ptr(file);
	return NULL;
}

void elf_file_close(struct elf_file *file)
{
	if (!file)
		return;
	elf_symbols_destroy(file->symbols);
	elf_end(file->elf);
	if (file->fd >= 0)
		close(file->fd);
	free(file->loads);
	free(file->debuglink);
	free(file->path);
	free(file);
}

void elf_file_cleanup(struct elf_file **file)
{
	elf_file_close(*file);
}

const char *elf_file_build_id(const struct elf_file *file)
{
	return file->build_id;
}

const char *elf_file_debuglink(const struct elf_file *file, uint32_t *ret_crc)
{
	*ret_crc = file->debuglink_crc;
	return file->debuglink;
}

bool elf_file_has_dwarf(const struct elf_file *file)
{
	return file->has_dwarf;
}

bool elf_file_is_64bit(const struct elf_file *file)
{
	return file->header.e_ident[EI_CLASS] == ELFCLASS64;
}

unsigned elf_file_machine(const struct elf_file *file)
{
	return file->header.e_machine;
}

int64_t elf_file_segment_delta(const struct elf_file *file, uint64_t file_offset, bool executable,
			       bool *present)
{
	*present = false;
	for (size_t i = 0; i < file->load_count; i++) {
		const GElf_Phdr *load = &file->loads[i];
		uint64_t first = load->p_offset & ~(uint64_t)(PAGE_BYTES - 1);
		if (((load->p_flags & PF_X) != 0) != executable || file_offset < first)
			continue;
		if (file_offset - first >= load->p_filesz + (load->p_offset - first))
			continue;
		*present = true;
		return (int64_t)(load->p_vaddr - load->p_offset);
	}
	return 0;
}

bool elf_file_symbol(const struct elf_file *file, const char *name, addr_t *ret_address,
		     uint64_t *ret_bytes)
{
	return elf_symbols_find(file->symbols, name, ret_address, ret_bytes);
}

struct error *elf_file_is_symbol(const struct elf_file *file, const char *name, addr_t address,
				 bool *ret)
{
	return elf_symbols_has(file->symbols, name, address, ret);
}

const char *elf_file_symbol_at(const struct elf_file *file, addr_t address, uint64_t *ret_distance)
{
	return elf_symbols_find_at(file->symbols, address, ret_distance);
}

// The CRC-32 of zlib and gzip: reflected polynomial 0xedb88320, start and end inverted.
static void crc_table_fill(uint32_t table[256])
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0xedb88320U : crc >> 1;
		table[i] = crc;
	}
}

struct error *elf_file_crc(const char *path, uint32_t *ret)
{
	uint32_t table[256], crc = ~0U;
	struct stat status;

	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return error_create_os(errno, "cannot open %s", path);
	if (fstat(fd, &status) < 0)
		return error_create_os(errno, "cannot stat %s", path);
	if (!S_ISREG(status.st_mode))
		return error_create(ERROR_UNSUPPORTED, "%s is no regular file", path);
	_cleanup_free_ unsigned char *chunk = malloc(CRC_CHUNK_BYTES);
	if (!chunk)
		return error_no_memory();
	crc_table_fill(table);
	for (;;) {
		ssize_t got = read(fd, chunk, CRC_CHUNK_BYTES);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_create_os(errno, "cannot read %s", path);
		if (got == 0)
			break;
		for (ssize_t i = 0; i < got; i++)
			crc = table[(crc ^ chunk[i]) & 255] ^ crc >> 8;
	}
	*ret = ~crc;
	return NULL;
}
