// SPDX-License-Identifier: GPL-3.0-or-later
#include "support/py_eras.h"

#include "base/array.h"

/** There is no such member or type then. */
enum { NO = -1 };

/* clang-format off */
#define SIGNED(bytes) {.size_bytes = (bytes), .kind = LAYOUT_SIGNED}
#define UNSIGNED(bytes) {.size_bytes = (bytes), .kind = LAYOUT_UNSIGNED}
#define POINTER {.size_bytes = 8, .kind = LAYOUT_POINTER}
#define STRUCT(bytes) {.size_bytes = (bytes), .kind = LAYOUT_STRUCT}
#define ARRAY(bytes, count) \
	{.size_bytes = (bytes), .kind = LAYOUT_ARRAY, .element_count = (count)}
#define BITS(offset, count) \
	{.size_bytes = 4, .kind = LAYOUT_UNSIGNED, .bit_offset = (offset), .bit_count = (count)}

// Offsets in builds of 2.7.18, 3.6.15, 3.8.18, 3.11.7, 3.12.1 and 3.13.0 for x86-64.
static const struct {
	const char *type;
	const char *path;
	struct layout_member member;
	int32_t offset[PY_ERA_COUNT];
} members[] = {
	{"PyObject", "ob_refcnt", SIGNED(8), {0, 0, 0, 0, 0, 0}},
	{"PyObject", "ob_type", POINTER, {8, 8, 8, 8, 8, 8}},
	{"PyVarObject", "ob_size", SIGNED(8), {16, 16, 16, 16, 16, 16}},
	{"PyGC_Head", "gc.gc_next", POINTER, {0, 0, NO, NO, NO, NO}},
	{"PyGC_Head", "gc.gc_prev", POINTER, {8, 8, NO, NO, NO, NO}},
	{"PyGC_Head", "gc.gc_refs", SIGNED(8), {16, 16, NO, NO, NO, NO}},
	{"PyTypeObject", "tp_name", POINTER, {24, 24, 24, 24, 24, 24}},
	{"PyTypeObject", "tp_basicsize", SIGNED(8), {32, 32, 32, 32, 32, 32}},
	{"PyTypeObject", "tp_itemsize", SIGNED(8), {40, 40, 40, 40, 40, 40}},
	{"PyTypeObject", "tp_flags", SIGNED(8), {168, 168, 168, 168, 168, 168}},
	{"PyTypeObject", "tp_base", POINTER, {256, 256, 256, 256, 256, 256}},
	{"PyTypeObject", "tp_dict", POINTER, {264, 264, 264, 264, 264, 264}},
	{"PyTypeObject", "tp_mro", POINTER, {344, 344, 344, 344, 344, 344}},
	{"PyTypeObject", "tp_traverse", POINTER, {184, 184, 184, 184, 184, 184}},
	{"PyTypeObject", "tp_dealloc", POINTER, {48, 48, 48, 48, 48, 48}},
	{"PyTypeObject", "tp_dictoffset", SIGNED(8), {288, 288, 288, 288, 288, 288}},
	{"PyTypeObject", "tp_weaklistoffset", SIGNED(8), {208, 208, 208, 208, 208, 208}},
	{"PyTypeObject", "tp_del", POINTER, {376, 376, 376, 376, 376, 376}},
	{"PyTypeObject", "tp_finalize", POINTER, {NO, 392, 392, 392, 392, 392}},
	{"PyTypeObject", "tp_is_gc", POINTER, {328, 328, 328, 328, 328, 328}},
	{"PyMemberDef", "name", POINTER, {0, 0, 0, 0, 0, 0}},
	{"PyMemberDef", "type", SIGNED(4), {8, 8, 8, 8, 8, 8}},
	{"PyMemberDef", "offset", SIGNED(8), {16, 16, 16, 16, 16, 16}},
	{"PyTupleObject", "ob_item", ARRAY(8, 1), {24, 24, 24, 24, 24, 24}},
	{"PyWeakReference", "wr_object", POINTER, {16, 16, 16, 16, 16, 16}},
	{"PyWeakReference", "wr_callback", POINTER, {24, 24, 24, 24, 24, 24}},
	{"PyHeapTypeObject", "ht_name", POINTER, {856, 832, 848, 848, 856, 856}},
	{"PyDictObject", "ma_mask", SIGNED(8), {32, NO, NO, NO, NO, NO}},
	{"PyDictObject", "ma_table", POINTER, {40, NO, NO, NO, NO, NO}},
	{"PyDictObject", "ma_smalltable", ARRAY(192, 8), {56, NO, NO, NO, NO, NO}},
	{"PyDictEntry", "me_key", POINTER, {8, NO, NO, NO, NO, NO}},
	{"PyDictEntry", "me_value", POINTER, {16, NO, NO, NO, NO, NO}},
	{"PyListObject", "allocated", SIGNED(8), {32, 32, 32, 32, 32, 32}},
	{"PyListObject", "ob_item", POINTER, {24, 24, 24, 24, 24, 24}},
	{"PySetObject", "mask", SIGNED(8), {32, 32, 32, 32, 32, 32}},
	{"PySetObject", "table", POINTER, {40, 40, 40, 40, 40, 40}},
	{"PySetObject", "smalltable", ARRAY(128, 8), {56, 64, 64, 64, 64, 64}},
	{"PyUnicodeObject", "str", POINTER, {24, NO, NO, NO, NO, NO}},
	{"PyUnicodeObject", "length", SIGNED(8), {16, NO, NO, NO, NO, NO}},
	{"PyStringObject", "ob_sval", ARRAY(1, 1), {36, NO, NO, NO, NO, NO}},
	{"PyByteArrayObject", "ob_alloc", SIGNED(8), {32, 24, 24, 24, 24, 24}},
	{"PyLongObject", "ob_digit", ARRAY(4, 1), {24, 24, 24, 24, NO, NO}},
	{"PyIntObject", "ob_ival", SIGNED(8), {16, NO, NO, NO, NO, NO}},
	{"PyInstanceObject", "in_class", POINTER, {16, NO, NO, NO, NO, NO}},
	{"PyClassObject", "cl_dict", POINTER, {24, NO, NO, NO, NO, NO}},
	{"PyClassObject", "cl_name", POINTER, {32, NO, NO, NO, NO, NO}},
	{"PyInstanceObject", "in_dict", POINTER, {24, NO, NO, NO, NO, NO}},
	{"PyClassObject", "cl_bases", POINTER, {16, NO, NO, NO, NO, NO}},
	{"_intblock", "next", POINTER, {0, NO, NO, NO, NO, NO}},
	{"_intblock", "objects", ARRAY(984, 41), {8, NO, NO, NO, NO, NO}},
	{"_floatblock", "next", POINTER, {0, NO, NO, NO, NO, NO}},
	{"_floatblock", "objects", ARRAY(984, 41), {8, NO, NO, NO, NO, NO}},
	{"pool_header", "ref.count", UNSIGNED(4), {0, 0, 0, 0, 0, 0}},
	{"pool_header", "freeblock", POINTER, {8, 8, 8, 8, 8, 8}},
	{"pool_header", "szidx", UNSIGNED(4), {36, 36, 36, 36, 36, 36}},
	{"pool_header", "arenaindex", UNSIGNED(4), {32, 32, 32, 32, 32, 32}},
	{"pool_header", "nextoffset", UNSIGNED(4), {40, 40, 40, 40, 40, 40}},
	{"pool_header", "maxnextoffset", UNSIGNED(4), {44, 44, 44, 44, 44, 44}},
	{"arena_object", "address", UNSIGNED(8), {0, 0, 0, 0, 0, 0}},
	{"arena_object", "pool_address", POINTER, {8, 8, 8, 8, 8, 8}},
	{"gc_generation", "head", STRUCT(32), {0, 0, NO, NO, NO, NO}},
	{"gc_generation", "head", STRUCT(16), {NO, NO, 0, 0, 0, 0}},
	{"gc_generation", "threshold", SIGNED(4), {32, 32, 16, 16, 16, 16}},
	{"gc_generation", "count", SIGNED(4), {36, 36, 20, 20, 20, 20}},
	{"_is", "next", POINTER, {0, 0, 0, 0, 0, 7264}},
	{"_is", "tstate_head", POINTER, {8, 8, 8, NO, NO, NO}},
	{"_is", "sysdict", POINTER, {24, 32, 72, 904, 352, 7640}},
	{"_ts", "next", POINTER, {0, 8, 8, 8, 8, 8}},
	{"_ts", "thread_id", SIGNED(8), {144, 152, 176, 152, 136, 152}},
	{"PyHeapTypeObject", "ht_qualname", POINTER, {NO, 848, 864, 864, 872, 872}},
	{"PyHeapTypeObject", "ht_cached_keys", POINTER, {NO, 856, 872, 872, 880, 880}},
	{"PyDictObject", "ma_used", SIGNED(8), {24, 16, 16, 16, 16, 16}},
	{"PyDictObject", "ma_keys", POINTER, {NO, 32, 32, 32, 32, 32}},
	{"PyDictObject", "ma_values", POINTER, {NO, 40, 40, 40, 40, 40}},
	{"_dictkeysobject", "dk_refcnt", SIGNED(8), {NO, 0, 0, 0, 0, 0}},
	{"_dictkeysobject", "dk_size", SIGNED(8), {NO, 8, 8, NO, NO, NO}},
	{"_dictkeysobject", "dk_usable", SIGNED(8), {NO, 24, 24, 16, 16, 16}},
	{"_dictkeysobject", "dk_nentries", SIGNED(8), {NO, 32, 32, 24, 24, 24}},
	{"_dictkeysobject", "dk_indices", ARRAY(0, 0), {NO, 40, 40, 32, 32, 32}},
	{"PyDictKeyEntry", "me_key", POINTER, {NO, 8, 8, 8, 8, 8}},
	{"PyDictKeyEntry", "me_value", POINTER, {NO, 16, 16, 16, 16, 16}},
	{"PyASCIIObject", "length", SIGNED(8), {NO, 16, 16, 16, 16, 16}},
	{"PyASCIIObject", "state.kind", BITS(2, 3), {NO, 32, 32, 32, 32, 32}},
	{"PyASCIIObject", "state.compact", BITS(5, 1), {NO, 32, 32, 32, 32, 32}},
	{"PyASCIIObject", "state.ascii", BITS(6, 1), {NO, 32, 32, 32, 32, 32}},
	{"PyASCIIObject", "wstr", POINTER, {NO, 40, 40, 40, NO, NO}},
	{"PyCompactUnicodeObject", "utf8", POINTER, {NO, 56, 56, 56, 48, 48}},
	{"PyCompactUnicodeObject", "utf8_length", SIGNED(8), {NO, 48, 48, 48, 40, 40}},
	{"PyCompactUnicodeObject", "wstr_length", SIGNED(8), {NO, 64, 64, 64, NO, NO}},
	{"PyUnicodeObject", "data", STRUCT(8), {NO, 72, 72, 72, 56, 56}},
	{"PyBytesObject", "ob_sval", ARRAY(1, 1), {NO, 32, 32, 32, 32, 32}},
	{"_odictobject", "od_fast_nodes_size", SIGNED(8), {NO, 72, 72, 72, 72, 72}},
	{"dequeobject", "leftindex", SIGNED(8), {NO, 40, 40, 40, 40, 40}},
	{"BLOCK", "data", ARRAY(512, 64), {NO, 8, 8, 8, 8, 8}},
	{"PyGC_Head", "_gc_next", UNSIGNED(8), {NO, NO, 0, 0, 0, 0}},
	{"PyGC_Head", "_gc_prev", UNSIGNED(8), {NO, NO, 8, 8, 8, 8}},
	{"_gc_runtime_state", "enabled", SIGNED(4), {NO, NO, 12, 12, 12, 12}},
	{"_gc_runtime_state", "debug", SIGNED(4), {NO, NO, 16, 16, 16, 16}},
	{"_gc_runtime_state", "generations", ARRAY(72, 3), {NO, NO, 24, 24, 24, 24}},
	{"_gc_runtime_state", "permanent_generation", STRUCT(24), {NO, NO, 104, 104, 104, 104}},
	{"_gc_runtime_state", "collecting", SIGNED(4), {NO, NO, 200, 200, 200, 200}},
	{"_gc_runtime_state", "garbage", POINTER, {NO, NO, 208, 208, 208, 208}},
	{"pyruntimestate", "interpreters.head", POINTER, {NO, NO, 32, 40, 40, 632}},
	{"pyruntimestate", "gc", STRUCT(240), {NO, NO, 344, NO, NO, NO}},
	{"pyruntimestate", "ceval.gil", STRUCT(208), {NO, NO, 1152, 360, NO, NO}},
	{"pyruntimestate", "finalizing", POINTER, {NO, NO, 16, NO, NO, NO}},
	{"_gil_runtime_state", "last_holder", POINTER, {NO, NO, 8, 8, 8, 8}},
	{"_gil_runtime_state", "locked", STRUCT(4), {NO, NO, 16, 16, 16, 16}},
	{"_dictkeysobject", "dk_log2_size", UNSIGNED(1), {NO, NO, NO, 8, 8, 8}},
	{"_dictkeysobject", "dk_log2_index_bytes", UNSIGNED(1), {NO, NO, NO, 9, 9, 9}},
	{"_dictkeysobject", "dk_kind", UNSIGNED(1), {NO, NO, NO, 10, 10, 10}},
	{"_dictvalues", "values", ARRAY(8, 1), {NO, NO, NO, 0, 0, 8}},
	{"PyDictUnicodeEntry", "me_key", POINTER, {NO, NO, NO, 0, 0, 0}},
	{"PyDictUnicodeEntry", "me_value", POINTER, {NO, NO, NO, 8, 8, 8}},
	{"_is", "threads.head", POINTER, {NO, NO, NO, 16, 72, 7344}},
	{"_is", "gc", STRUCT(240), {NO, NO, NO, 648, 112, 7400}},
	{"pyruntimestate", "_finalizing", POINTER, {NO, NO, NO, 24, 24, 608}},
	{"_ts", "native_thread_id", UNSIGNED(8), {NO, NO, NO, 160, 144, 160}},
	{"PyObject", "ob_refcnt_split", ARRAY(8, 2), {NO, NO, NO, NO, 0, 0}},
	{"PyLongObject", "long_value.ob_digit", ARRAY(4, 1), {NO, NO, NO, NO, 24, 24}},
	{"PyLongObject", "long_value.lv_tag", UNSIGNED(8), {NO, NO, NO, NO, 16, 16}},
	{"_obmalloc_state", "mgmt.arenas", POINTER, {NO, NO, NO, NO, 512, 512}},
	{"_obmalloc_state", "mgmt.maxarenas", UNSIGNED(4), {NO, NO, NO, NO, 520, 520}},
	{"_is", "obmalloc", STRUCT(263248), {NO, NO, NO, NO, 3960, NO}},
	{"_is", "obmalloc", POINTER, {NO, NO, NO, NO, NO, 10800}},
	{"_is", "ceval.gil", POINTER, {NO, NO, NO, NO, 384, 16}},
	{"_dictvalues", "capacity", UNSIGNED(1), {NO, NO, NO, NO, NO, 0}},
	{"_dictvalues", "embedded", UNSIGNED(1), {NO, NO, NO, NO, NO, 2}},
	{"_dictvalues", "valid", UNSIGNED(1), {NO, NO, NO, NO, NO, 3}},
};

static const struct {
	const char *type;
	int32_t bytes[PY_ERA_COUNT];
} sizes[] = {
	{"PyObject", {16, 16, 16, 16, 16, 16}},
	{"PyVarObject", {24, 24, 24, 24, 24, 24}},
	{"PyGC_Head", {32, 32, 16, 16, 16, 16}},
	{"PyTypeObject", {392, 400, 416, 408, 416, 416}},
	{"PyHeapTypeObject", {872, 864, 880, 904, 920, 928}},
	{"PyDictObject", {248, 48, 48, 48, 48, 48}},
	{"PyDictEntry", {24, NO, NO, NO, NO, NO}},
	{"PyListObject", {40, 40, 40, 40, 40, 40}},
	{"PySetObject", {200, 200, 200, 200, 200, 200}},
	{"PyUnicodeObject", {48, 80, 80, 80, 64, 64}},
	{"PyStringObject", {40, NO, NO, NO, NO, NO}},
	{"PyByteArrayObject", {48, 56, 56, 56, 56, 56}},
	{"PyLongObject", {32, 32, 32, 32, 32, 32}},
	{"PyIntObject", {24, NO, NO, NO, NO, NO}},
	{"PyInstanceObject", {40, NO, NO, NO, NO, NO}},
	{"PyClassObject", {72, NO, NO, NO, NO, NO}},
	{"_intblock", {992, NO, NO, NO, NO, NO}},
	{"_floatblock", {992, NO, NO, NO, NO, NO}},
	{"pool_header", {48, 48, 48, 48, 48, 48}},
	{"arena_object", {48, 48, 48, 48, 48, 48}},
	{"gc_generation", {40, 48, 24, 24, 24, 24}},
	{"_is", {80, 120, 2720, 107752, 383552, 194968}},
	{"_ts", {168, 2272, 264, 360, 288, 304}},
	{"setentry", {16, 16, 16, 16, 16, 16}},
	{"Py_UNICODE", {4, 4, 4, 4, 4, NO}},
	{"PyFloatObject", {24, 24, 24, 24, 24, 24}},
	{"digit", {4, 4, 4, 4, 4, 4}},
	{"_dictkeysobject", {NO, 40, 40, 32, 32, 32}},
	{"PyDictKeyEntry", {NO, 24, 24, 24, 24, 24}},
	{"PyASCIIObject", {NO, 48, 48, 48, 40, 40}},
	{"PyCompactUnicodeObject", {NO, 72, 72, 72, 56, 56}},
	{"PyBytesObject", {NO, 40, 40, 40, 40, 40}},
	{"_odictobject", {NO, 112, 112, 112, 112, 112}},
	{"_odictnode", {NO, 32, 32, 32, 32, 32}},
	{"dequeobject", {NO, 80, 80, 216, 216, 216}},
	{"BLOCK", {NO, 528, 528, 528, 528, 528}},
	{"_gc_runtime_state", {NO, NO, 240, 240, 240, 240}},
	{"pyruntimestate", {NO, NO, 1464, 166688, 459944, 283320}},
	{"_gil_runtime_state", {NO, NO, 208, 208, 208, 208}},
	{"_dictvalues", {NO, NO, NO, 8, 8, 16}},
	{"PyDictOrValues", {NO, NO, NO, NO, 8, NO}},
	{"PyMemberDef", {40, 40, 40, 40, 40, 40}},
	{"PyTupleObject", {32, 32, 32, 32, 32, 32}},
	{"PyWeakReference", {56, 56, 56, 56, 64, 64}},
	{"PyDictUnicodeEntry", {NO, NO, NO, 16, 16, 16}},
	{"_obmalloc_state", {NO, NO, NO, NO, 263248, 263248}},
};
/* clang-format on */

const char *py_era_name(enum py_era era)
{
	static const char *const names[PY_ERA_COUNT] = {"2.7",  "3.6",  "3.8",
							"3.11", "3.12", "3.13"};

	return names[era];
}

void py_era_describe(enum py_era era, struct fake_layout *layout)
{
	for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
		struct layout_member member = members[i].member;
		if (members[i].offset[era] == NO)
			continue;
		member.offset_bytes = (uint32_t)members[i].offset[era];
		fake_layout_set_member(layout, members[i].type, members[i].path, &member);
	}
	for (size_t i = 0; i < ARRAY_COUNT(sizes); i++)
		if (sizes[i].bytes[era] != NO)
			fake_layout_set_size(layout, sizes[i].type, (uint64_t)sizes[i].bytes[era]);
}
