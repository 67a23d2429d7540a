// SPDX-License-Identifier: GPL-3.0-or-later
#include "debug/die.h"

#include <dwarf.h>
#include <errno.h>
#include <fcntl.h>
#include <libdwarf.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "debug/elf_file.h"

_Static_assert((int)DIE_TAG_STRUCTURE == DW_TAG_structure_type, "one numbering");
_Static_assert((int)DIE_TAG_ATOMIC == DW_TAG_atomic_type, "one numbering");
_Static_assert((int)DIE_AT_DATA_BIT_OFFSET == DW_AT_data_bit_offset, "one numbering");

enum { UNITS_LIMIT = 1 << 20 };

struct die_unit {
	/** Of its header. */
	uint64_t at;
	/** Of the type it is there for, DWARF 4 and 5 type units only. */
	uint64_t type_at;
	Dwarf_Sig8 signature;
	bool in_info;
	bool has_type;
};

struct die_file {
	char *path;
	int fd;
	Dwarf_Debug debug;
	struct die_unit *units;
	size_t unit_count;
	size_t unit_capacity;
};

static void attribute_cleanup(Dwarf_Attribute *attribute)
{
	if (*attribute)
		dwarf_dealloc_attribute(*attribute);
}
#define _cleanup_attribute_ CLEANUP(attribute_cleanup)

static int debug_open(int fd, Dwarf_Debug *ret, Dwarf_Error *error)
{
#ifdef DW_LIBDWARF_VERSION_MAJOR
	return dwarf_init_b(fd, DW_GROUPNUMBER_ANY, NULL, NULL, ret, error);
#else
	return dwarf_init_b(fd, DW_DLC_READ, DW_GROUPNUMBER_ANY, NULL, NULL, ret, error);
#endif
}

static void debug_close(Dwarf_Debug debug)
{
#ifdef DW_LIBDWARF_VERSION_MAJOR
	dwarf_finish(debug);
#else
	Dwarf_Error error = NULL;

	// What it could report (a failed free) leaves nothing to do.
	dwarf_finish(debug, &error);
#endif
}

struct error *die_file_damaged(const struct die_file *file, const char *what)
{
	return error_create(ERROR_FAILED,
			    "the debug information in %s is damaged or of an unknown kind (%s); "
			    "reinstall the package that has it",
			    file->path, what);
}

// Also where DW_DLV_NO_ENTRY came for what must be there: *error is NULL then.
static struct error *libdwarf_failed(const struct die_file *file, Dwarf_Error *error)
{
	struct error *result =
		die_file_damaged(file, *error ? dwarf_errmsg(*error) : "an entry is missing");

	if (*error)
		dwarf_dealloc_error(file->debug, *error);
	*error = NULL;
	return result;
}

void die_free(struct Dwarf_Die_s *die)
{
	if (die)
		dwarf_dealloc_die(die);
}

void die_cleanup(struct Dwarf_Die_s **die)
{
	die_free(*die);
}

static struct error *headers_read(struct die_file *file, bool in_info, size_t *skeleton_count)
{
	uint64_t at = 0;

	for (;;) {
		Dwarf_Unsigned length = 0, type_offset = 0, next = 0;
		Dwarf_Half version = 0, address_bytes = 0, offset_bytes = 0, extension = 0,
			   type = 0;
		Dwarf_Off abbrev_at = 0;
		Dwarf_Sig8 signature = {{0}};
		Dwarf_Error error = NULL;
		int result = dwarf_next_cu_header_d(
			file->debug, in_info, &length, &version, &abbrev_at, &address_bytes,
			&offset_bytes, &extension, &signature, &type_offset, &next, &type, &error);
		if (result == DW_DLV_NO_ENTRY)
			return NULL;
		if (result != DW_DLV_OK)
			return libdwarf_failed(file, &error);
		if (next <= at || file->unit_count >= UNITS_LIMIT)
			return die_file_damaged(file, "its units do not end");
		struct error *failed = array_reserve(&file->units, &file->unit_capacity,
						     file->unit_count + 1, sizeof(*file->units));
		if (failed)
			return failed;
		file->units[file->unit_count++] = (struct die_unit){
			.at = at,
			.type_at = at + type_offset,
			.signature = signature,
			.in_info = in_info,
			.has_type = type == DW_UT_type || type == DW_UT_split_type,
		};
		if (type == DW_UT_skeleton)
			++*skeleton_count;
		at = next;
	}
}

// Type units last, wherever they are: each has one type without the names around it.
static struct error *units_sort(struct die_file *file)
{
	size_t count = 0;
	struct die_unit *sorted = calloc(file->unit_count + 1, sizeof(*sorted));

	if (!sorted)
		return error_no_memory();
	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < file->unit_count; i++)
			if (file->units[i].has_type == (round == 1))
				sorted[count++] = file->units[i];
	free(file->units);
	file->units = sorted;
	file->unit_capacity = file->unit_count + 1;
	return NULL;
}

static struct error *units_read(struct die_file *file)
{
	size_t skeleton_count = 0;
	struct error *error = headers_read(file, true, &skeleton_count);

	if (!error)
		error = headers_read(file, false, &skeleton_count);
	if (!error)
		error = units_sort(file);
	if (error)
		return error;
	if (file->unit_count > 0 && skeleton_count == file->unit_count)
		return error_create(ERROR_UNSUPPORTED,
				    "the debug information of %s is in .dwo files (-gsplit-dwarf), "
				    "which are not read; use a build without that option",
				    file->path);
	return NULL;
}

// libdwarf looks less closely at sections that lie beyond the file's end, and at compressed ones.
static struct error *elf_check(const char *path)
{
	_cleanup_elf_file_ struct elf_file *elf = NULL;
	struct error *error = elf_file_open(path, &elf);

	if (error)
		return error;
	if (!elf_file_has_dwarf(elf))
		return error_create(ERROR_UNSUPPORTED, "%s has no debug information", path);
	return NULL;
}

struct error *die_file_open(const char *path, struct die_file **ret)
{
	Dwarf_Error libdwarf_error = NULL;
	struct error *error = elf_check(path);

	if (error)
		return error;
	struct die_file *file = calloc(1, sizeof(*file));
	if (!file)
		return error_no_memory();
	file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	file->path = strdup(path);
	if (file->fd < 0)
		error = error_create_os(errno, "cannot open %s", path);
	else if (!file->path)
		error = error_no_memory();
	else if (debug_open(file->fd, &file->debug, &libdwarf_error) != DW_DLV_OK)
		error = libdwarf_failed(file, &libdwarf_error);
	else
		error = units_read(file);
	if (error) {
		die_file_close(file);
		return error;
	}
	*ret = file;
	return NULL;
}

void die_file_close(struct die_file *file)
{
	if (!file)
		return;
	if (file->debug)
		debug_close(file->debug);
	if (file->fd >= 0)
		close(file->fd);
	free(file->units);
	free(file->path);
	free(file);
}

const char *die_file_path(const struct die_file *file)
{
	return file->path;
}

size_t die_file_unit_count(const struct die_file *file)
{
	return file->unit_count;
}

struct error *die_file_unit(const struct die_file *file, size_t number, struct Dwarf_Die_s **ret)
{
	const struct die_unit *unit = &file->units[number];
	Dwarf_Error error = NULL;
	Dwarf_Off root_at = 0;

	if (dwarf_get_cu_die_offset_given_cu_header_offset_b(file->debug, unit->at, unit->in_info,
							     &root_at, &error) != DW_DLV_OK)
		return libdwarf_failed(file, &error);
	return die_at(file, root_at, unit->in_info, ret);
}

struct error *die_at(const struct die_file *file, uint64_t offset, bool in_info,
		     struct Dwarf_Die_s **ret)
{
	Dwarf_Error error = NULL;

	if (dwarf_offdie_b(file->debug, offset, in_info, ret, &error) == DW_DLV_OK)
		return NULL;
	*ret = NULL;
	return libdwarf_failed(file, &error);
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

struct error *die_offset(const struct die_file *file, struct Dwarf_Die_s *die, uint64_t *ret,
			 bool *ret_in_info)
{
	Dwarf_Error error = NULL;
	Dwarf_Off offset = 0;

	if (dwarf_dieoffset(die, &offset, &error) != DW_DLV_OK)
		return libdwarf_failed(file, &error);
	*ret = offset;
	*ret_in_info = dwarf_get_die_infotypes_flag(die);
	return NULL;
}

struct error *die_tag(const struct die_file *file, struct Dwarf_Die_s *die, unsigned *ret)
{
	Dwarf_Error error = NULL;
	Dwarf_Half tag = 0;

	if (dwarf_tag(die, &tag, &error) != DW_DLV_OK)
		return libdwarf_failed(file, &error);
	*ret = tag;
	return NULL;
}

struct error *die_name(const struct die_file *file, struct Dwarf_Die_s *die, const char **ret)
{
	Dwarf_Error error = NULL;
	char *name = NULL;
	int result = dwarf_diename(die, &name, &error);

	if (result == DW_DLV_ERROR)
		return libdwarf_failed(file, &error);
	*ret = result == DW_DLV_OK ? name : NULL;
	return NULL;
}

struct error *die_has(const struct die_file *file, struct Dwarf_Die_s *die,
		      enum die_attribute attribute, bool *ret)
{
	Dwarf_Error error = NULL;
	Dwarf_Bool has = 0;

	if (dwarf_hasattr(die, (Dwarf_Half)attribute, &has, &error) != DW_DLV_OK)
		return libdwarf_failed(file, &error);
	*ret = has;
	return NULL;
}

/** *@a ret is NULL when there is none. */
static struct error *attribute_get(const struct die_file *file, Dwarf_Die die,
				   enum die_attribute code, Dwarf_Attribute *ret,
				   Dwarf_Half *ret_form)
{
	Dwarf_Error error = NULL;
	int result = dwarf_attr(die, (Dwarf_Half)code, ret, &error);

	if (result != DW_DLV_OK)
		*ret = NULL;
	if (result == DW_DLV_NO_ENTRY)
		return NULL;
	if (result != DW_DLV_OK || dwarf_whatform(*ret, ret_form, &error) != DW_DLV_OK)
		return libdwarf_failed(file, &error);
	return NULL;
}

struct error *die_number(const struct die_file *file, struct Dwarf_Die_s *die,
			 enum die_attribute attribute, bool *present, int64_t *ret)
{
	_cleanup_attribute_ Dwarf_Attribute got = NULL;
	Dwarf_Half form = 0;
	Dwarf_Error error = NULL;
	Dwarf_Signed value = 0;
	Dwarf_Unsigned magnitude = 0;
	int result;

	*present = false;
	struct error *failed = attribute_get(file, die, attribute, &got, &form);
	if (failed || !got)
		return failed;
	switch (form) {
	case DW_FORM_data1:
	case DW_FORM_data2:
	case DW_FORM_data4:
	case DW_FORM_data8:
	case DW_FORM_udata:
		result = dwarf_formudata(got, &magnitude, &error);
		value = (Dwarf_Signed)magnitude;
		break;
	case DW_FORM_sdata:
	case DW_FORM_implicit_const:
		result = dwarf_formsdata(got, &value, &error);
		break;
	default:
		return NULL;
	}
	if (result != DW_DLV_OK)
		return libdwarf_failed(file, &error);
	*present = true;
	*ret = value;
	return NULL;
}

/** Bytes of an expression; *@a ret is NULL when there is none, or a list in its place. */
static struct error *expression_get(const struct die_file *file, Dwarf_Die die,
				    enum die_attribute code, const unsigned char **ret,
				    size_t *ret_bytes)
{
	_cleanup_attribute_ Dwarf_Attribute attribute = NULL;
	Dwarf_Half form = 0;
	Dwarf_Error error = NULL;
	Dwarf_Ptr expression = NULL;
	Dwarf_Unsigned bytes = 0;
	Dwarf_Block *block = NULL;

	*ret = NULL;
	struct error *failed = attribute_get(file, die, code, &attribute, &form);
	if (failed || !attribute)
		return failed;
	switch (form) {
	case DW_FORM_exprloc:
		if (dwarf_formexprloc(attribute, &bytes, &expression, &error) != DW_DLV_OK)
			return libdwarf_failed(file, &error);
		*ret = expression;
		*ret_bytes = bytes;
		return NULL;
	case DW_FORM_block:
	case DW_FORM_block1:
	case DW_FORM_block2:
	case DW_FORM_block4:
		// Before DWARF 4. The block only describes; its bytes are those of the section.
		if (dwarf_formblock(attribute, &block, &error) != DW_DLV_OK)
			return libdwarf_failed(file, &error);
		*ret = block->bl_data;
		*ret_bytes = block->bl_len;
		dwarf_dealloc(file->debug, block, DW_DLA_BLOCK);
		return NULL;
	default:
		return NULL;
	}
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
	Dwarf_Error libdwarf_error = NULL;
	Dwarf_Addr address = 0;

	*present = false;
	struct error *error = expression_get(file, die, attribute, &bytes, &count);
	if (error || !bytes || count == 0)
		return error;
	error = die_address_bytes(file, die, &address_bytes);
	if (error)
		return error;
	if (bytes[0] == DW_OP_addr && address_bytes <= sizeof(address) && count > address_bytes) {
		// Little-endian, as every machine that is supported.
		memcpy(&address, bytes + 1, address_bytes);
		used = 1 + address_bytes;
	} else if (bytes[0] == DW_OP_addrx || bytes[0] == DW_OP_GNU_addr_index) {
		used = uleb_parse(bytes + 1, count - 1, &number);
		if (used == 0)
			return NULL;
		used++;
		if (dwarf_debug_addr_index_to_addr(die, number, &address, &libdwarf_error) !=
		    DW_DLV_OK)
			return libdwarf_failed(file, &libdwarf_error);
	} else {
		return NULL;
	}
	if (used < count && bytes[used] == DW_OP_plus_uconst) {
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
	error = expression_get(file, die, DIE_AT_DATA_MEMBER_LOCATION, &bytes, &count);
	if (error || !bytes || count < 2 || bytes[0] != DW_OP_plus_uconst)
		return error;
	*present = uleb_parse(bytes + 1, count - 1, ret) == count - 1;
	return NULL;
}

struct error *die_address_bytes(const struct die_file *file, struct Dwarf_Die_s *die, unsigned *ret)
{
	Dwarf_Error error = NULL;
	Dwarf_Half bytes = 0;

	if (dwarf_get_die_address_size(die, &bytes, &error) != DW_DLV_OK)
		return libdwarf_failed(file, &error);
	*ret = bytes;
	return NULL;
}

static struct error *die_of_signature(const struct die_file *file, Dwarf_Attribute attribute,
				      Dwarf_Die *ret)
{
	Dwarf_Error error = NULL;
	Dwarf_Sig8 signature;

	if (dwarf_formsig8(attribute, &signature, &error) != DW_DLV_OK)
		return libdwarf_failed(file, &error);
	for (size_t i = 0; i < file->unit_count; i++) {
		const struct die_unit *unit = &file->units[i];
		if (unit->has_type && memcmp(&unit->signature, &signature, sizeof(signature)) == 0)
			return die_at(file, unit->type_at, unit->in_info, ret);
	}
	return die_file_damaged(file, "the unit of a type is missing");
}

struct error *die_follow(const struct die_file *file, struct Dwarf_Die_s *die,
			 enum die_attribute attribute, struct Dwarf_Die_s **ret)
{
	_cleanup_attribute_ Dwarf_Attribute got = NULL;
	Dwarf_Half form = 0;
	Dwarf_Error error = NULL;
	Dwarf_Off offset = 0;

	*ret = NULL;
	struct error *failed = attribute_get(file, die, attribute, &got, &form);
	if (failed || !got)
		return failed;
	switch (form) {
	case DW_FORM_ref_sig8:
		return die_of_signature(file, got, ret);
	case DW_FORM_GNU_ref_alt:
	case DW_FORM_ref_sup4:
	case DW_FORM_ref_sup8:
		return error_create(ERROR_UNSUPPORTED,
				    "part of the debug information of %s is in a file that several "
				    "share (made by dwz -m), which is not read",
				    file->path);
	default:
		if (dwarf_global_formref(got, &offset, &error) != DW_DLV_OK)
			return libdwarf_failed(file, &error);
		return die_at(file, offset, dwarf_get_die_infotypes_flag(die), ret);
	}
}

struct error *die_child(const struct die_file *file, struct Dwarf_Die_s *die,
			struct Dwarf_Die_s **ret)
{
	Dwarf_Error error = NULL;
	int result = dwarf_child(die, ret, &error);

	if (result == DW_DLV_OK)
		return NULL;
	*ret = NULL;
	return result == DW_DLV_ERROR ? libdwarf_failed(file, &error) : NULL;
}

struct error *die_next(const struct die_file *file, struct Dwarf_Die_s **die)
{
	Dwarf_Error libdwarf_error = NULL;
	Dwarf_Die next = NULL;
	uint64_t from = 0, to = 0;
	bool in_info = false;
	int result = dwarf_siblingof_b(file->debug, *die, dwarf_get_die_infotypes_flag(*die), &next,
				       &libdwarf_error);

	if (result == DW_DLV_ERROR)
		return libdwarf_failed(file, &libdwarf_error);
	struct error *error = NULL;
	if (result == DW_DLV_OK) {
		error = die_offset(file, *die, &from, &in_info);
		if (!error)
			error = die_offset(file, next, &to, &in_info);
		// DW_AT_sibling of a damaged file may lead back.
		if (!error && to <= from)
			error = die_file_damaged(file, "a sibling lies before its elder");
	} else {
		next = NULL;
	}
	dwarf_dealloc_die(*die);
	*die = next;
	return error;
}
