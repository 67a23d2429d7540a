/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TARGETS_CPYTHON_LAYOUT_H
#define TARGETS_CPYTHON_LAYOUT_H

/*
 * Every field of CPython's structs that the adapter reads, by name, with where it lies in the
 * interpreter at hand. Filled once from debug information and checked as untrusted input; afterwards
 * getters cannot fail. Behaviour follows from which members exist (`present`); what no member tells
 * (type flags whose bits were given another meaning) is decided in layout.c and nowhere else.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "debug/layout.h"
#include "debug/module.h"

struct py_field {
	uint32_t offset;
	uint32_t size;
	uint32_t element_count;
	uint8_t bit_offset;
	uint8_t bit_count;
	bool present;
	bool is_pointer;
};

/*
 * X(name, need, where): `need` is R (required) or O (may be absent); `where` lists "type:path"
 * alternatives, the first present one counts.
 */
/* clang-format off */
#define PY_FIELDS(X) \
	/* Only in free-threaded builds, which have no lists of the collector. */ \
	X(object_tid, false, "PyObject:ob_tid") \
	X(object_refcnt, true, "PyObject:ob_refcnt") \
	X(object_type, true, "PyObject:ob_type") \
	/* Only where an object can be immortal (PEP 683). */ \
	X(object_refcnt_split, false, "PyObject:ob_refcnt_split") \
	X(var_size, true, "PyVarObject:ob_size") \
	X(gc_next, true, "PyGC_Head:_gc_next|PyGC_Head:gc.gc_next") \
	X(gc_prev, true, "PyGC_Head:_gc_prev|PyGC_Head:gc.gc_prev") \
	X(gc_refs, false, "PyGC_Head:gc.gc_refs") \
	X(type_name, true, "PyTypeObject:tp_name") \
	X(type_basicsize, true, "PyTypeObject:tp_basicsize") \
	X(type_itemsize, true, "PyTypeObject:tp_itemsize") \
	X(type_flags, true, "PyTypeObject:tp_flags") \
	X(type_base, true, "PyTypeObject:tp_base") \
	X(type_dict, true, "PyTypeObject:tp_dict") \
	X(type_mro, true, "PyTypeObject:tp_mro") \
	X(type_traverse, true, "PyTypeObject:tp_traverse") \
	X(type_dealloc, true, "PyTypeObject:tp_dealloc") \
	X(type_dictoffset, true, "PyTypeObject:tp_dictoffset") \
	X(type_weaklistoffset, true, "PyTypeObject:tp_weaklistoffset") \
	X(type_del, true, "PyTypeObject:tp_del") \
	X(type_finalize, false, "PyTypeObject:tp_finalize") \
	X(type_is_gc, true, "PyTypeObject:tp_is_gc") \
	/* The descriptions of slots, which stand behind a class object. */ \
	X(memberdef_type, true, "PyMemberDef:type") \
	X(memberdef_offset, true, "PyMemberDef:offset") \
	X(memberdef_name, true, "PyMemberDef:name") \
	X(heaptype_name, true, "PyHeapTypeObject:ht_name") \
	X(heaptype_qualname, false, "PyHeapTypeObject:ht_qualname") \
	X(heaptype_cached_keys, false, "PyHeapTypeObject:ht_cached_keys") \
	/* From 3.3: a keys object of its own, shared between the instances of a class. */ \
	X(dict_keys, false, "PyDictObject:ma_keys") \
	X(dict_used, true, "PyDictObject:ma_used") \
	X(dict_values, false, "PyDictObject:ma_values") \
	/* Python 2: one open-addressed table of entries. */ \
	X(dict_mask, false, "PyDictObject:ma_mask") \
	X(dict_table, false, "PyDictObject:ma_table") \
	X(dict_smalltable, false, "PyDictObject:ma_smalltable") \
	/* OrderedDict, in C from 3.5 on. */ \
	X(odict_fast_nodes_size, false, "_odictobject:od_fast_nodes_size") \
	X(keys_refcnt, false, "_dictkeysobject:dk_refcnt") \
	X(keys_size, false, "_dictkeysobject:dk_size") \
	X(keys_log2_size, false, "_dictkeysobject:dk_log2_size") \
	X(keys_log2_index_bytes, false, "_dictkeysobject:dk_log2_index_bytes") \
	X(keys_kind, false, "_dictkeysobject:dk_kind") \
	X(keys_lookup, false, "_dictkeysobject:dk_lookup") \
	X(keys_usable, false, "_dictkeysobject:dk_usable") \
	X(keys_nentries, false, "_dictkeysobject:dk_nentries") \
	X(keys_indices, false, "_dictkeysobject:dk_indices") \
	/* From 3.11 a struct of its own; before, a bare array of pointers. */ \
	X(values_values, false, "_dictvalues:values") \
	/* From 3.13: the values of an instance stand behind it. */ \
	X(values_valid, false, "_dictvalues:valid") \
	X(values_embedded, false, "_dictvalues:embedded") \
	X(values_capacity, false, "_dictvalues:capacity") \
	X(entry_key, true, "PyDictKeyEntry:me_key|PyDictEntry:me_key") \
	X(entry_value, true, "PyDictKeyEntry:me_value|PyDictEntry:me_value") \
	X(unicode_entry_key, false, "PyDictUnicodeEntry:me_key") \
	X(unicode_entry_value, false, "PyDictUnicodeEntry:me_value") \
	X(list_items, true, "PyListObject:ob_item") \
	X(list_allocated, true, "PyListObject:allocated") \
	X(tuple_items, true, "PyTupleObject:ob_item") \
	X(weakref_object, true, "PyWeakReference:wr_object") \
	X(weakref_callback, true, "PyWeakReference:wr_callback") \
	X(set_mask, true, "PySetObject:mask") \
	X(set_table, true, "PySetObject:table") \
	X(set_smalltable, true, "PySetObject:smalltable") \
	X(ascii_length, false, "PyASCIIObject:length") \
	X(ascii_kind, false, "PyASCIIObject:state.kind") \
	X(ascii_compact, false, "PyASCIIObject:state.compact") \
	X(ascii_ascii, false, "PyASCIIObject:state.ascii") \
	X(ascii_wstr, false, "PyASCIIObject:wstr") \
	X(compact_utf8, false, "PyCompactUnicodeObject:utf8") \
	X(compact_utf8_length, false, "PyCompactUnicodeObject:utf8_length") \
	X(compact_wstr_length, false, "PyCompactUnicodeObject:wstr_length") \
	X(unicode_data, false, "PyUnicodeObject:data") \
	/* Python 2's unicode: an array of Py_UNICODE apart. */ \
	X(unicode_str, false, "PyUnicodeObject:str") \
	X(unicode_length, false, "PyUnicodeObject:length") \
	X(bytes_data, true, "PyBytesObject:ob_sval|PyStringObject:ob_sval") \
	X(bytearray_alloc, true, "PyByteArrayObject:ob_alloc") \
	X(long_digits, true, "PyLongObject:long_value.ob_digit|PyLongObject:ob_digit|_longobject:ob_digit") \
	X(long_tag, false, "PyLongObject:long_value.lv_tag") \
	/* Python 2 only, as are old-style instances and the blocks of int and float. */ \
	X(int_value, false, "PyIntObject:ob_ival") \
	X(instance_class, false, "PyInstanceObject:in_class") \
	X(instance_dict, false, "PyInstanceObject:in_dict") \
	X(class_bases, false, "PyClassObject:cl_bases") \
	X(class_dict, false, "PyClassObject:cl_dict") \
	X(class_name, false, "PyClassObject:cl_name") \
	X(intblock_next, false, "_intblock:next") \
	X(intblock_objects, false, "_intblock:objects") \
	X(floatblock_next, false, "_floatblock:next") \
	X(floatblock_objects, false, "_floatblock:objects") \
	X(deque_leftindex, false, "dequeobject:leftindex") \
	X(deque_len, false, "dequeobject:len") \
	X(deque_block_data, false, "BLOCK:data") \
	X(pool_count, true, "pool_header:ref.count") \
	X(pool_freeblock, true, "pool_header:freeblock") \
	X(pool_szidx, true, "pool_header:szidx") \
	X(pool_nextoffset, true, "pool_header:nextoffset") \
	X(pool_maxnextoffset, true, "pool_header:maxnextoffset") \
	X(arena_address, true, "arena_object:address") \
	X(arena_pool_address, true, "arena_object:pool_address") \
	X(obmalloc_arenas, false, "_obmalloc_state:mgmt.arenas") \
	X(obmalloc_maxarenas, false, "_obmalloc_state:mgmt.maxarenas") \
	X(generation_head, true, "gc_generation:head") \
	X(generation_threshold, true, "gc_generation:threshold") \
	X(generation_count, true, "gc_generation:count") \
	X(gc_enabled, false, "_gc_runtime_state:enabled") \
	X(gc_debug, false, "_gc_runtime_state:debug") \
	X(gc_generations, false, "_gc_runtime_state:generations") \
	X(gc_young, false, "_gc_runtime_state:young") \
	X(gc_old, false, "_gc_runtime_state:old") \
	X(gc_permanent, false, "_gc_runtime_state:permanent_generation") \
	X(gc_collecting, false, "_gc_runtime_state:collecting") \
	X(gc_garbage, false, "_gc_runtime_state:garbage") \
	X(gc_callbacks, false, "_gc_runtime_state:callbacks") \
	/* What gc.get_stats() tells (3.4), one for each generation. */ \
	X(gc_stats, false, "_gc_runtime_state:generation_stats") \
	X(stats_collections, false, "gc_generation_stats:collections") \
	X(stats_collected, false, "gc_generation_stats:collected") \
	X(stats_uncollectable, false, "gc_generation_stats:uncollectable") \
	X(interp_next, true, "_is:next") \
	X(interp_tstate_head, true, "_is:threads.head|_is:tstate_head") \
	X(interp_sysdict, true, "_is:sysdict") \
	X(interp_gc, false, "_is:gc") \
	X(interp_obmalloc, false, "_is:obmalloc") \
	X(interp_gil, false, "_is:ceval.gil") \
	X(interp_reftotal, false, "_is:object_state.reftotal") \
	X(runtime_interpreters, false, "pyruntimestate:interpreters.head") \
	X(runtime_gc, false, "pyruntimestate:gc") \
	X(runtime_gil, false, "pyruntimestate:ceval.gil") \
	X(runtime_finalizing, false, "pyruntimestate:_finalizing|pyruntimestate:finalizing") \
	X(tstate_next, true, "_ts:next") \
	X(tstate_thread_id, true, "_ts:thread_id") \
	X(tstate_native_thread_id, false, "_ts:native_thread_id") \
	/* From 3.11: running functions have their values on a stack of the thread's. */ \
	X(tstate_datastack_top, false, "_ts:datastack_top") \
	X(tstate_datastack_limit, false, "_ts:datastack_limit") \
	/* Set while another thread waits for the GIL; from 3.13 on a bit of the second. */ \
	X(runtime_gil_drop, false, "pyruntimestate:ceval.gil_drop_request") \
	X(interp_gil_drop, false, "_is:ceval.gil_drop_request") \
	X(tstate_eval_breaker, false, "_ts:eval_breaker") \
	X(gil_last_holder, false, "_gil_runtime_state:last_holder") \
	X(gil_locked, false, "_gil_runtime_state:locked") \
	X(gil_mutex, false, "_gil_runtime_state:mutex") \
	X(gil_cond, false, "_gil_runtime_state:cond") \
	X(gil_switch_mutex, false, "_gil_runtime_state:switch_mutex") \
	X(gil_switch_cond, false, "_gil_runtime_state:switch_cond") \
	/* describe */ \
	X(set_used, false, "PySetObject:used") \
	X(set_entry_key, false, "setentry:key") \
	X(set_entry_hash, false, "setentry:hash") \
	X(deque_leftblock, false, "dequeobject:leftblock") \
	X(deque_rightblock, false, "dequeobject:rightblock") \
	X(deque_maxlen, false, "dequeobject:maxlen") \
	X(deque_block_rightlink, false, "BLOCK:rightlink") \
	X(defaultdict_factory, false, "defdictobject:default_factory") \
	X(bytearray_start, false, "PyByteArrayObject:ob_start|PyByteArrayObject:ob_bytes") \
	X(float_value, false, "PyFloatObject:ob_fval") \
	X(complex_real, false, "PyComplexObject:cval.real") \
	X(complex_imag, false, "PyComplexObject:cval.imag") \
	X(function_name, false, "PyFunctionObject:func_qualname|PyFunctionObject:func_name") \
	X(function_bare_name, false, "PyFunctionObject:func_name") \
	X(module_name, false, "PyModuleObject:md_name") \
	X(module_dict, false, "PyModuleObject:md_dict") \
	X(method_function, false, "PyMethodObject:im_func") \
	X(method_self, false, "PyMethodObject:im_self") \
	X(method_class, false, "PyMethodObject:im_class") \
	X(cfunction_def, false, "PyCFunctionObject:m_ml") \
	X(cfunction_self, false, "PyCFunctionObject:m_self") \
	X(method_def_name, false, "PyMethodDef:ml_name") \
	X(generator_name, false, "PyGenObject:gi_qualname") \
	X(generator_code, false, "PyGenObject:gi_code") \
	X(cell_value, false, "PyCellObject:ob_ref") \
	X(exception_args, false, "PyBaseExceptionObject:args") \
	X(slice_start, false, "PySliceObject:start") \
	X(slice_stop, false, "PySliceObject:stop") \
	X(slice_step, false, "PySliceObject:step") \
	X(range_start, false, "rangeobject:start") \
	X(range_stop, false, "rangeobject:stop") \
	X(range_step, false, "rangeobject:step") \
	/* Python 2's xrange: three longs of C. */ \
	X(range_len, false, "rangeobject:len") \
	X(descr_type, false, "PyDescrObject:d_type") \
	X(descr_name, false, "PyDescrObject:d_name") \
	X(code_name, false, "PyCodeObject:co_name") \
	X(code_qualname, false, "PyCodeObject:co_qualname") \
	X(code_filename, false, "PyCodeObject:co_filename") \
	X(code_firstlineno, false, "PyCodeObject:co_firstlineno") \
	/* Which instruction is on which line: co_lnotab up to 3.9. */ \
	X(code_lnotab, false, "PyCodeObject:co_lnotab") \
	X(code_linetable, false, "PyCodeObject:co_linetable") \
	/* From 3.11 on the instructions stand in the code object itself. */ \
	X(code_instructions, false, "PyCodeObject:co_code_adaptive") \
	X(frame_code, false, "_frame:f_code") \
	X(frame_lasti, false, "_frame:f_lasti") \
	/* From 3.11 on a frame object only points to what is on the thread's stack of frames. */ \
	X(frame_iframe, false, "_frame:f_frame") \
	X(iframe_code, false, "_PyInterpreterFrame:f_code|_PyInterpreterFrame:f_executable") \
	X(iframe_instruction, false, "_PyInterpreterFrame:prev_instr|_PyInterpreterFrame:instr_ptr") \
	/* frames */ \
	X(tstate_frame, false, "_ts:frame") \
	/* From 3.11 to 3.12 there is a struct on C's stack between; then none again. */ \
	X(tstate_cframe, false, "_ts:cframe") \
	X(cframe_current, false, "_PyCFrame:current_frame") \
	X(tstate_current_frame, false, "_ts:current_frame") \
	X(frame_back, false, "_frame:f_back") \
	X(frame_generator, false, "_frame:f_gen") \
	X(frame_valuestack, false, "_frame:f_valuestack") \
	/* Up to 3.10: variables, cells, free variables, in this order. */ \
	X(frame_values, false, "_frame:f_localsplus") \
	/* Numbers of its `try` blocks, right before its variables. */ \
	X(frame_blocks, false, "_frame:f_blockstack") \
	X(frame_data, false, "_frame:_f_frame_data") \
	/* Whether it runs: a flag up to 3.9 (not in 2.7), a height below 0 in 3.10. */ \
	X(frame_executing, false, "_frame:f_executing") \
	X(frame_stackdepth, false, "_frame:f_stackdepth") \
	X(iframe_previous, false, "_PyInterpreterFrame:previous") \
	X(iframe_function, false, "_PyInterpreterFrame:f_func|_PyInterpreterFrame:f_funcobj") \
	X(iframe_locals, false, "_PyInterpreterFrame:f_locals") \
	X(iframe_object, false, "_PyInterpreterFrame:frame_obj") \
	X(iframe_stacktop, false, "_PyInterpreterFrame:stacktop") \
	X(iframe_owner, false, "_PyInterpreterFrame:owner") \
	X(iframe_values, false, "_PyInterpreterFrame:localsplus") \
	X(generator_iframe, false, "PyGenObject:gi_iframe") \
	X(code_flags, false, "PyCodeObject:co_flags") \
	X(code_nlocalsplus, false, "PyCodeObject:co_nlocalsplus") \
	X(code_stacksize, false, "PyCodeObject:co_stacksize") \
	X(code_localsplusnames, false, "PyCodeObject:co_localsplusnames") \
	X(code_localspluskinds, false, "PyCodeObject:co_localspluskinds") \
	/* Up to 3.10: the same in three tuples. */ \
	X(code_varnames, false, "PyCodeObject:co_varnames") \
	X(code_cellvars, false, "PyCodeObject:co_cellvars") \
	X(code_freevars, false, "PyCodeObject:co_freevars") \
	/* Memory that is kept for later, and memory that holds nothing. */ \
	X(deque_free_blocks, false, "dequeobject:freeblocks") \
	X(deque_free_count, false, "dequeobject:numfreeblocks") \
	X(interp_free_keys, false, "_is:dict_state.keys_free_list|_is:object_state.freelists.dictkeys.items") \
	X(interp_free_keys_count, false, "_is:dict_state.keys_numfree|_is:object_state.freelists.dictkeys.numfree") \
	/* From 3.12 on; a variable of its own before. */ \
	X(interp_interned, false, "_is:cached_objects.interned_strings") \
	/* From 3.10 on; a variable of its own before. */ \
	X(interp_method_cache, false, "_is:types.type_cache.hashtable|_is:type_cache.hashtable") \
	X(method_cache_name, false, "type_cache_entry:name|method_cache_entry:name") \
	/* Addresses of functions, never written: 3.6.2 and later keep them for those who know 3.6.0; 3.7. */ \
	X(tstate_extra_functions, false, "_ts:_preserve_36_ABI_2") \
	X(interp_extra_functions, false, "_is:co_extra_freefuncs") \
	X(lock_handle, false, "lockobject:lock_lock") \
	X(rlock_handle, false, "rlockobject:rlock_lock") \
	/* What a thread's state owns; PyThreadState_Clear() of Python/pystate.c. */ \
	X(tstate_profileobj, false, "_ts:c_profileobj") \
	X(tstate_traceobj, false, "_ts:c_traceobj") \
	X(tstate_curexc_type, false, "_ts:curexc_type") \
	X(tstate_curexc_value, false, "_ts:curexc_value") \
	X(tstate_curexc_traceback, false, "_ts:curexc_traceback") \
	X(tstate_current_exception, false, "_ts:current_exception") \
	X(tstate_exc_type, false, "_ts:exc_state.exc_type|_ts:exc_type") \
	X(tstate_exc_value, false, "_ts:exc_state.exc_value|_ts:exc_value") \
	X(tstate_exc_traceback, false, "_ts:exc_state.exc_traceback|_ts:exc_traceback") \
	X(tstate_dict, false, "_ts:dict") \
	X(tstate_async_exc, false, "_ts:async_exc") \
	X(tstate_coroutine_wrapper, false, "_ts:coroutine_wrapper") \
	X(tstate_asyncgen_firstiter, false, "_ts:async_gen_firstiter") \
	X(tstate_asyncgen_finalizer, false, "_ts:async_gen_finalizer") \
	X(tstate_context, false, "_ts:context") \
	/* A weak reference to the thread's lock, up to 3.12 (Modules/_threadmodule.c). */ \
	X(tstate_on_delete_data, false, "_ts:on_delete_data") \
	X(tstate_local_key, false, "_ts:threading_local_key") \
	X(tstate_local_sentinel, false, "_ts:threading_local_sentinel") \
	X(tstate_asyncio_loop, false, "_PyThreadStateImpl:asyncio_running_loop")

/* X(name, required, types): sizes in bytes, 0 when there is no such type. */
#define PY_SIZES(X) \
	X(gc_head, true, "PyGC_Head") \
	X(type, true, "PyTypeObject") \
	X(heaptype, true, "PyHeapTypeObject") \
	X(memberdef, true, "PyMemberDef") \
	/* 3.12 alone: one word for the dict or the values of an instance. */ \
	X(dict_or_values, false, "PyDictOrValues") \
	X(keys, false, "_dictkeysobject") \
	X(entry, true, "PyDictKeyEntry|PyDictEntry") \
	X(unicode_entry, false, "PyDictUnicodeEntry") \
	X(set_entry, true, "setentry") \
	X(ascii, false, "PyASCIIObject") \
	X(compact, false, "PyCompactUnicodeObject") \
	X(unicode, true, "PyUnicodeObject") \
	X(py_unicode, false, "Py_UNICODE") \
	X(intblock, false, "_intblock") \
	X(floatblock, false, "_floatblock") \
	X(int_object, false, "PyIntObject") \
	X(float_object, true, "PyFloatObject") \
	X(deque_block, false, "BLOCK") \
	X(odict_node, false, "_odictnode") \
	X(digit, true, "digit") \
	X(pool_header, true, "pool_header") \
	X(arena, true, "arena_object") \
	X(generation, true, "gc_generation") \
	X(method_cache_entry, false, "type_cache_entry|method_cache_entry") \
	X(generation_stats, false, "gc_generation_stats")

/* X(name, variable, type): addresses in the process, 0 when there is none. */
#define PY_VARIABLES(X) \
	X(runtime, "_PyRuntime", NULL) \
	X(interp_head, "interp_head", "_is") \
	X(arenas, "arenas", "arena_object") \
	X(maxarenas, "maxarenas", NULL) \
	X(generations, "generations", "gc_generation") \
	X(collecting, "collecting", NULL) \
	X(gc_enabled, "enabled", NULL) \
	X(gc_debug, "debug", NULL) \
	X(gc_garbage, "garbage", NULL) \
	X(gc_callbacks, "callbacks", NULL) \
	X(gc_stats, "generation_stats", "gc_generation_stats") \
	X(int_blocks, "block_list", "_intblock") \
	X(float_blocks, "block_list", "_floatblock") \
	X(free_keys, "keys_free_list", NULL) \
	X(free_keys_count, "numfreekeys", NULL) \
	X(deque_free_blocks, "freeblocks", NULL) \
	X(deque_free_count, "numfreeblocks", NULL) \
	X(gil_last_holder, "gil_last_holder", NULL) \
	X(gil_locked, "gil_locked", NULL) \
	X(gil_drop, "gil_drop_request", NULL) \
	X(gil_mutex, "gil_mutex", NULL) \
	X(gil_cond, "gil_cond", NULL) \
	X(gil_switch_mutex, "switch_mutex", NULL) \
	X(gil_switch_cond, "switch_cond", NULL) \
	X(current_tstate, "_PyThreadState_Current", NULL) \
	X(interpreter_lock, "interpreter_lock", NULL) \
	X(finalizing, "_Py_Finalizing", NULL) \
	X(ref_total, "_Py_RefTotal", NULL) \
	X(interned, "interned", NULL) \
	X(method_cache, "method_cache", "method_cache_entry") \
	X(type_type, "PyType_Type", NULL) \
	X(list_type, "PyList_Type", NULL) \
	X(tuple_type, "PyTuple_Type", NULL) \
	X(dict_type, "PyDict_Type", NULL) \
	X(generator_type, "PyGen_Type", NULL) \
	X(coroutine_type, "PyCoro_Type", NULL) \
	X(asyncgen_type, "PyAsyncGen_Type", NULL) \
	X(frame_type, "PyFrame_Type", NULL) \
	X(module_type, "PyModule_Type", NULL) \
	X(wrapper_descriptor_type, "PyWrapperDescr_Type", NULL) \
	X(weakref_type, "_PyWeakref_RefType", NULL) \
	X(odict_type, "PyODict_Type", NULL) \
	X(set_type, "PySet_Type", NULL) \
	X(frozenset_type, "PyFrozenSet_Type", NULL) \
	X(bytearray_type, "PyByteArray_Type", NULL) \
	X(instance_type, "PyInstance_Type", NULL) \
	X(int_type, "PyInt_Type", NULL) \
	X(float_type, "PyFloat_Type", NULL)
/* clang-format on */

/** Where an instance has its attributes when its type has Py_TPFLAGS_MANAGED_DICT. */
enum py_managed {
	PY_MANAGED_NONE,
	/** A pointer to the dict three words before the object, one to the values four before. */
	PY_MANAGED_APART,
	/** One word, three before the object: the dict, or the values with the lowest bit set. */
	PY_MANAGED_TAGGED,
	/** The dict three words before the object, the values behind it. */
	PY_MANAGED_INLINE,
};

struct py_layout {
	struct {
#define X(name, required, where) struct py_field name;
		PY_FIELDS(X)
#undef X
	} f;
	struct {
#define X(name, required, types) uint32_t name;
		PY_SIZES(X)
#undef X
	} size;
	struct {
#define X(name, variable, type) addr_t name;
		PY_VARIABLES(X)
#undef X
	} var;
	/** Sizes in bytes of the variables. */
	struct {
#define X(name, variable, type) uint32_t name;
		PY_VARIABLES(X)
#undef X
	} var_size;

	/** PyGen_NeedsFinalizing(), of Python 2; 0 when there is none. */
	addr_t gen_needs_finalizing_at;
	/** PyGILState_Ensure(); 0 when there is none. */
	addr_t gil_ensure_at;
	/** The bit of a thread's eval_breaker that asks for the GIL; 0 where there is none. */
	uint64_t gil_drop_bit;
	/** Type flags under which two words stand before the collector's head (3.11 and later). */
	uint64_t preheader_flags;
	/** Py_TPFLAGS_MANAGED_DICT, Py_TPFLAGS_INLINE_VALUES; 0 where there are none. */
	uint64_t managed_dict_flag;
	uint64_t inline_values_flag;
	enum py_managed managed;
	/** Python 3 below 3.8 keeps a "finalized" bit below the collector's reference count. */
	uint32_t gc_refs_shift;
	/** What int.__sizeof__() counts at least: from 3.11 on room for one digit is always told. */
	uint32_t long_digits_min;
	/** Objects can be immortal: their reference count is below 0 as an int32 (PEP 683). */
	bool has_immortals;
	bool is_python2;
	bool is_debug;
};

/** Bits of tp_flags that mean the same in every version. */
enum {
	PY_TYPE_HEAP = 1 << 9,
	PY_TYPE_GC = 1 << 14,
	PY_TYPE_LONG = 1 << 24,
	PY_TYPE_LIST = 1 << 25,
	PY_TYPE_TUPLE = 1 << 26,
	PY_TYPE_BYTES = 1 << 27,
	PY_TYPE_UNICODE = 1 << 28,
	PY_TYPE_DICT = 1 << 29,
};
static const uint64_t PY_TYPE_TYPE = 1U << 31;

/** No struct of CPython's that is read here is larger; what debug information says beyond it is
 *  refused. */
enum { PY_STRUCT_BYTES_MAX = 4 << 20 };

/**
 * Fills *@a ret from the layouts of @a python, and of the modules of @a modules that hold types which
 * some builds keep in a shared object of their own (_collections). ERROR_UNSUPPORTED when something
 * required is absent, naming it.
 */
MUST_USE struct error *py_layout_load(struct module *python, struct module_list *modules,
				      struct py_layout *ret);

/** The same from @a source alone; variables are @a bias bytes behind where it has them. */
MUST_USE struct error *py_layout_fill(struct layout_source *source, addr_t bias,
				      struct py_layout *ret);

/** The unsigned value of @a field, at most 8 bytes of it, in a copy of the struct at @a base. */
static inline uint64_t py_get(const void *base, struct py_field field)
{
	const unsigned char *at = (const unsigned char *)base + field.offset;
	uint64_t value = 0;

	// The usual sizes apart: a copy of known length is one instruction.
	if (field.size == sizeof(uint64_t)) {
		memcpy(&value, at, sizeof(uint64_t));
	} else if (field.size == sizeof(uint32_t)) {
		memcpy(&value, at, sizeof(uint32_t));
		if (field.bit_count)
			value = value >> field.bit_offset & ((1U << field.bit_count) - 1);
	} else {
		memcpy(&value, at, field.size > sizeof(value) ? sizeof(value) : field.size);
		if (field.bit_count)
			value = value >> field.bit_offset & ((1U << field.bit_count) - 1);
	}
	return value;
}

/** The same as a signed number. */
static inline int64_t py_get_signed(const void *base, struct py_field field)
{
	uint64_t value = py_get(base, field);

	return field.size == 4 ? (int32_t)value : (int64_t)value;
}

#endif
