// SPDX-License-Identifier: GPL-3.0-or-later
#include "debug/die.h"

#include <dwarf.h>
#include <errno.h>
#include <fcntl.h>
#include <libdwarf.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "debug/range_lists.h"

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

struct error *die_file_open(const char *path, struct die_file **ret)
{
	Dwarf_Error libdwarf_error = NULL;
	struct error *error = die_file_check(path);

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
	else
		error = range_lists_check(file->fd, path);
	if (error) {
		die_file_close(file);
		return error;
	}
	if (debug_open(file->fd, &file->debug, &libdwarf_error) != DW_DLV_OK)
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

struct error *die_unit_offset(const struct die_file *file, struct Dwarf_Die_s *die, uint64_t *ret)
{
	Dwarf_Error error = NULL;
	Dwarf_Off offset = 0;

	if (dwarf_CU_dieoffset_given_die(die, &offset, &error) != DW_DLV_OK)
		return libdwarf_failed(file, &error);
	*ret = offset;
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

struct error *die_expression(const struct die_file *file, struct Dwarf_Die_s *die,
			     enum die_attribute code, const unsigned char **ret, size_t *ret_bytes)
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

struct error *die_indexed_address(const struct die_file *file, struct Dwarf_Die_s *die,
				  uint64_t number, addr_t *ret)
{
	Dwarf_Error error = NULL;
	Dwarf_Addr address = 0;

	if (dwarf_debug_addr_index_to_addr(die, number, &address, &error) != DW_DLV_OK)
		return libdwarf_failed(file, &error);
	*ret = address;
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

static void ranges_free(Dwarf_Debug debug, Dwarf_Ranges *list, Dwarf_Signed count)
{
#ifdef DW_LIBDWARF_VERSION_MAJOR
	dwarf_dealloc_ranges(debug, list, count);
#else
	dwarf_ranges_dealloc(debug, list, count);
#endif
}

/** Up to DWARF 4: pairs, added to @a base until one says what they are added to from there on. */
static struct error *pairs_read(const struct die_file *file, Dwarf_Die die, Dwarf_Off offset,
				addr_t base, struct die_ranges *into)
{
	Dwarf_Error error = NULL;
	Dwarf_Ranges *list = NULL;
	Dwarf_Signed count = 0;
	Dwarf_Unsigned bytes = 0;
	struct error *failed = NULL;

	if (dwarf_get_ranges_b(file->debug, offset, die, &offset, &list, &count, &bytes, &error) !=
	    DW_DLV_OK)
		return libdwarf_failed(file, &error);
	for (Dwarf_Signed i = 0; !failed && i < count; i++) {
		if (list[i].dwr_type == DW_RANGES_ADDRESS_SELECTION)
			base = list[i].dwr_addr2;
		else if (list[i].dwr_type == DW_RANGES_ENTRY)
			failed = die_ranges_add(file, into, base + list[i].dwr_addr1,
						base + list[i].dwr_addr2);
	}
	ranges_free(file->debug, list, count);
	return failed;
}

/** DWARF 5. */
static struct error *range_list_read(const struct die_file *file, Dwarf_Attribute attribute,
				     Dwarf_Half form, Dwarf_Unsigned where, struct die_ranges *into)
{
	Dwarf_Error error = NULL;
	Dwarf_Rnglists_Head head = NULL;
	Dwarf_Unsigned count = 0, at = 0, raw1, raw2, start = 0, end = 0;
	struct error *failed = NULL;

	if (dwarf_rnglists_get_rle_head(attribute, form, where, &head, &count, &at, &error) !=
	    DW_DLV_OK)
		return libdwarf_failed(file, &error);
	for (Dwarf_Unsigned i = 0; !failed && i < count; i++) {
		unsigned bytes = 0, kind = 0;
		Dwarf_Bool unknown = false;
		if (dwarf_get_rnglists_entry_fields_a(head, i, &bytes, &kind, &raw1, &raw2,
						      &unknown, &start, &end, &error) != DW_DLV_OK)
			failed = libdwarf_failed(file, &error);
		else if (!unknown && kind != DW_RLE_end_of_list && kind != DW_RLE_base_address &&
			 kind != DW_RLE_base_addressx)
			failed = die_ranges_add(file, into, start, end);
	}
	dwarf_dealloc_rnglists_head(head);
	return failed;
}

struct error *die_low_pc(const struct die_file *file, struct Dwarf_Die_s *die, bool *present,
			 addr_t *ret, addr_t *ret_end)
{
	Dwarf_Error error = NULL;
	Dwarf_Addr low = 0, high = 0;
	Dwarf_Half form = 0;
	enum Dwarf_Form_Class form_class = DW_FORM_CLASS_ADDRESS;
	int result = dwarf_lowpc(die, &low, &error);

	*present = result == DW_DLV_OK;
	if (result == DW_DLV_OK)
		result = dwarf_highpc_b(die, &high, &form, &form_class, &error);
	if (result == DW_DLV_ERROR)
		return libdwarf_failed(file, &error);
	*ret = low;
	*ret_end = form_class == DW_FORM_CLASS_CONSTANT ? low + high : high;
	return NULL;
}

struct error *die_range_list(const struct die_file *file, struct Dwarf_Die_s *die, addr_t base,
			     struct die_ranges *into)
{
	_cleanup_attribute_ Dwarf_Attribute got = NULL;
	Dwarf_Half form = 0, version = 0, offset_bytes = 0;
	Dwarf_Error error = NULL;
	Dwarf_Unsigned where = 0;
	struct error *failed = attribute_get(file, die, DIE_AT_RANGES, &got, &form);

	if (failed || !got)
		return failed;
	int result = form == DW_FORM_sec_offset ? dwarf_global_formref(got, &where, &error)
						: dwarf_formudata(got, &where, &error);
	if (result != DW_DLV_OK)
		return libdwarf_failed(file, &error);
	dwarf_get_version_of_die(die, &version, &offset_bytes);
	return version >= 5 ? range_list_read(file, got, form, where, into)
			    : pairs_read(file, die, where, base, into);
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
