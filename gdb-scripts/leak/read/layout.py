# SPDX-License-Identifier: GPL-3.0-or-later
"""Every member of CPython's structs that is read, by a name of ours, with where it lies in the
interpreter at hand. What differs between versions follows from which members exist (None: absent);
what no member tells is decided in Layout._derive() and nowhere else."""
from ..base.errors import LeakError
from .members import Members
from .structs import Structs, symbol_address

# name: the members to try, one after the other ("type:path").
REQUIRED = {
    "object_refcnt": ["PyObject:ob_refcnt"],
    "object_type": ["PyObject:ob_type"],
    "var_size": ["PyVarObject:ob_size"],
    "gc_next": ["PyGC_Head:_gc_next", "PyGC_Head:gc.gc_next"],
    "gc_prev": ["PyGC_Head:_gc_prev", "PyGC_Head:gc.gc_prev"],
    "type_name": ["PyTypeObject:tp_name"],
    "type_basicsize": ["PyTypeObject:tp_basicsize"],
    "type_itemsize": ["PyTypeObject:tp_itemsize"],
    "type_flags": ["PyTypeObject:tp_flags"],
    "type_base": ["PyTypeObject:tp_base"],
    "type_dict": ["PyTypeObject:tp_dict"],
    "type_mro": ["PyTypeObject:tp_mro"],
    "type_traverse": ["PyTypeObject:tp_traverse"],
    "type_dealloc": ["PyTypeObject:tp_dealloc"],
    "type_alloc": ["PyTypeObject:tp_alloc"],
    "type_new": ["PyTypeObject:tp_new"],
    "type_repr": ["PyTypeObject:tp_repr"],
    "type_dictoffset": ["PyTypeObject:tp_dictoffset"],
    "type_weaklistoffset": ["PyTypeObject:tp_weaklistoffset"],
    "type_del": ["PyTypeObject:tp_del"],
    "type_is_gc": ["PyTypeObject:tp_is_gc"],
    "heaptype_name": ["PyHeapTypeObject:ht_name"],
    "member_type": ["PyMemberDef:type"],
    "member_offset": ["PyMemberDef:offset"],
    "member_name": ["PyMemberDef:name"],
    "dict_used": ["PyDictObject:ma_used"],
    "entry_key": ["PyDictKeyEntry:me_key", "PyDictEntry:me_key"],
    "entry_value": ["PyDictKeyEntry:me_value", "PyDictEntry:me_value"],
    "list_items": ["PyListObject:ob_item"],
    "tuple_items": ["PyTupleObject:ob_item"],
    "set_mask": ["PySetObject:mask"],
    "set_table": ["PySetObject:table"],
    "weakref_object": ["PyWeakReference:wr_object"],
    "weakref_callback": ["PyWeakReference:wr_callback"],
    "bytes_data": ["PyBytesObject:ob_sval", "PyStringObject:ob_sval"],
    "long_digits": ["PyLongObject:long_value.ob_digit", "PyLongObject:ob_digit",
                    "struct _longobject:ob_digit"],
    "generation_head": ["struct gc_generation:head"],
    "interp_next": ["PyInterpreterState:next"],
    "interp_sysdict": ["PyInterpreterState:sysdict"],
    "interp_threads": ["PyInterpreterState:threads.head", "PyInterpreterState:tstate_head"],
    "tstate_next": ["PyThreadState:next"],
}
OPTIONAL = {
    # Only in free-threaded builds, which have no lists of the collector.
    "object_tid": ["PyObject:ob_tid"],
    # Only where an object can be immortal (PEP 683).
    "object_refcnt_split": ["PyObject:ob_refcnt_split", "PyObject:ob_refcnt_full"],
    "gc_refs": ["PyGC_Head:gc.gc_refs"],
    "type_finalize": ["PyTypeObject:tp_finalize"],
    "heaptype_qualname": ["PyHeapTypeObject:ht_qualname"],
    "heaptype_cached_keys": ["PyHeapTypeObject:ht_cached_keys"],
    "dict_keys": ["PyDictObject:ma_keys"],
    "dict_values": ["PyDictObject:ma_values"],
    "dict_mask": ["PyDictObject:ma_mask"],
    "dict_table": ["PyDictObject:ma_table"],
    "keys_size": ["struct _dictkeysobject:dk_size"],
    "keys_log2_size": ["struct _dictkeysobject:dk_log2_size"],
    "keys_log2_index_bytes": ["struct _dictkeysobject:dk_log2_index_bytes"],
    "keys_kind": ["struct _dictkeysobject:dk_kind"],
    "keys_lookup": ["struct _dictkeysobject:dk_lookup"],
    "keys_nentries": ["struct _dictkeysobject:dk_nentries"],
    "keys_indices": ["struct _dictkeysobject:dk_indices"],
    "values_values": ["struct _dictvalues:values"],
    "values_valid": ["struct _dictvalues:valid"],
    "values_embedded": ["struct _dictvalues:embedded"],
    "values_capacity": ["struct _dictvalues:capacity"],
    "unicode_entry_key": ["PyDictUnicodeEntry:me_key"],
    "unicode_entry_value": ["PyDictUnicodeEntry:me_value"],
    "ascii_length": ["PyASCIIObject:length"],
    "ascii_kind": ["PyASCIIObject:state.kind"],
    "ascii_compact": ["PyASCIIObject:state.compact"],
    "ascii_ascii": ["PyASCIIObject:state.ascii"],
    "unicode_data": ["PyUnicodeObject:data"],
    # Python 2's unicode: an array of Py_UNICODE apart.
    "unicode_str": ["PyUnicodeObject:str"],
    "unicode_length": ["PyUnicodeObject:length"],
    "int_value": ["PyIntObject:ob_ival"],
    "long_tag": ["PyLongObject:long_value.lv_tag"],
    "float_value": ["PyFloatObject:ob_fval"],
    "instance_class": ["PyInstanceObject:in_class"],
    "instance_dict": ["PyInstanceObject:in_dict"],
    "class_bases": ["PyClassObject:cl_bases"],
    "class_dict": ["PyClassObject:cl_dict"],
    "class_name": ["PyClassObject:cl_name"],
    "function_name": ["PyFunctionObject:func_qualname", "PyFunctionObject:func_name"],
    "method_function": ["PyMethodObject:im_func"],
    "method_self": ["PyMethodObject:im_self"],
    "cfunction_def": ["PyCFunctionObject:m_ml"],
    "cfunction_self": ["PyCFunctionObject:m_self"],
    "method_def_name": ["PyMethodDef:ml_name"],
    "module_dict": ["PyModuleObject:md_dict"],
    "cell_value": ["PyCellObject:ob_ref"],
    "set_entry_key": ["setentry:key"],
    "set_entry_hash": ["setentry:hash"],
    "generation_threshold": ["struct gc_generation:threshold"],
    "generation_count": ["struct gc_generation:count"],
    "gc_enabled": ["struct _gc_runtime_state:enabled"],
    "gc_debug": ["struct _gc_runtime_state:debug"],
    "gc_collecting": ["struct _gc_runtime_state:collecting"],
    "gc_garbage": ["struct _gc_runtime_state:garbage"],
    "gc_generations": ["struct _gc_runtime_state:generations"],
    "gc_young": ["struct _gc_runtime_state:young"],
    "gc_old": ["struct _gc_runtime_state:old"],
    "gc_permanent": ["struct _gc_runtime_state:permanent_generation"],
    "interp_gc": ["PyInterpreterState:gc"],
    "runtime_interpreters": ["_PyRuntimeState:interpreters.head"],
    "runtime_gc": ["_PyRuntimeState:gc"],
    "runtime_current_thread": ["_PyRuntimeState:gilstate.tstate_current"],
    "interp_obmalloc": ["PyInterpreterState:obmalloc"],
    "obmalloc_arenas": ["struct _obmalloc_state:mgmt.arenas"],
    "obmalloc_maxarenas": ["struct _obmalloc_state:mgmt.maxarenas"],
    "arena_address": ["struct arena_object:address"],
    "arena_pool_address": ["struct arena_object:pool_address"],
    "pool_count": ["struct pool_header:ref.count"],
    "pool_freeblock": ["struct pool_header:freeblock"],
    "pool_szidx": ["struct pool_header:szidx"],
    "pool_arenaindex": ["struct pool_header:arenaindex"],
    "pool_nextoffset": ["struct pool_header:nextoffset"],
    "pool_maxnextoffset": ["struct pool_header:maxnextoffset"],
    "thread_id": ["PyThreadState:thread_id"],
    "thread_native_id": ["PyThreadState:native_thread_id"],
    "thread_frame": ["PyThreadState:frame"],
    "thread_cframe": ["PyThreadState:cframe"],
    "thread_current_frame": ["PyThreadState:current_frame"],
    "cframe_current": ["_PyCFrame:current_frame", "CFrame:current_frame"],
    "frame_back": ["PyFrameObject:f_back"],
    "frame_code": ["PyFrameObject:f_code"],
    "frame_lasti": ["PyFrameObject:f_lasti"],
    "iframe_previous": ["_PyInterpreterFrame:previous"],
    "iframe_code": ["_PyInterpreterFrame:f_executable", "_PyInterpreterFrame:f_code"],
    "iframe_owner": ["_PyInterpreterFrame:owner"],
    "iframe_instruction": ["_PyInterpreterFrame:instr_ptr", "_PyInterpreterFrame:prev_instr"],
    "iframe_locals": ["_PyInterpreterFrame:localsplus"],
    "code_name": ["PyCodeObject:co_qualname", "PyCodeObject:co_name"],
    "code_file": ["PyCodeObject:co_filename"],
    "code_firstline": ["PyCodeObject:co_firstlineno"],
    "code_names": ["PyCodeObject:co_localsplusnames"],
}
SIZES = {
    "gc_head_bytes": ["PyGC_Head"],
    "type_bytes": ["PyTypeObject"],
    "entry_bytes": ["PyDictKeyEntry", "PyDictEntry"],
    "unicode_entry_bytes": ["PyDictUnicodeEntry"],
    "member_bytes": ["PyMemberDef"],
    "ascii_bytes": ["PyASCIIObject"],
    "compact_bytes": ["PyCompactUnicodeObject"],
    "generation_bytes": ["struct gc_generation"],
    "pool_header_bytes": ["struct pool_header"],
    "arena_bytes": ["struct arena_object"],
    "set_entry_bytes": ["setentry"],
    "digit_bytes": ["digit"],
    "code_unit_bytes": ["_Py_CODEUNIT"],
    "unicode_unit_bytes": ["Py_UNICODE"],
}
REQUIRED_SIZES = ("gc_head_bytes", "type_bytes", "entry_bytes", "member_bytes", "generation_bytes")

# Include/object.h: bits of tp_flags that every version has.
HEAP_TYPE = 1 << 9
HAVE_GC = 1 << 14
INT_SUBCLASS = 1 << 23
LONG_SUBCLASS = 1 << 24
LIST_SUBCLASS = 1 << 25
TUPLE_SUBCLASS = 1 << 26
BYTES_SUBCLASS = 1 << 27
UNICODE_SUBCLASS = 1 << 28
DICT_SUBCLASS = 1 << 29
TYPE_SUBCLASS = 1 << 31

INSTALL = ("Install it (Debian: apt install python3.11-dbg, of just this version; `info sharedlibrary` tells "
           "what GDB has read). Of a core file GDB needs the program too (`gdb PYTHON CORE`), and of a "
           "truncated one it may find no libraries")


class Layout:
    """Offsets as attributes, and `fields` with everything that is known of each."""

    def __init__(self, structs=None):
        self.structs = structs or Structs()
        self.fields = {}
        for table in (REQUIRED, OPTIONAL):
            for name, paths in table.items():
                field = self.structs.field(*paths)
                self.fields[name] = field
                setattr(self, name, None if field is None else field.offset)
        for name, types in SIZES.items():
            setattr(self, name, self.structs.size(*types))
        self._check()
        self._derive()
        self.members = Members(self.structs)

    def _check(self):
        if self.structs.type("PyObject") is None or self.structs.type("PyTypeObject") is None:
            raise LeakError("GDB knows no PyObject here: this is no Python, or its debug information "
                            "is missing. " + INSTALL)
        if self.object_tid is not None:
            raise LeakError("this is a free-threaded build of CPython, which keeps no lists of "
                            "tracked objects; leak reads builds with a GIL")
        if self.fields["object_type"] is not None and self.fields["object_type"].size != 8:
            raise LeakError("leak reads 64-bit programs; pointers of this one have %d bytes"
                            % self.fields["object_type"].size)
        missing = [REQUIRED[name][0].replace(":", ".") for name in REQUIRED
                   if self.fields[name] is None]
        missing += [SIZES[name][0] for name in REQUIRED_SIZES if not getattr(self, name)]
        if missing:
            raise LeakError("GDB knows PyObject here, perhaps from an extension module, but not %s: the "
                            "debug information of the interpreter itself is missing, or this is no "
                            "CPython 2.7 or 3.6 and later. %s" % (", ".join(missing[:3]), INSTALL))

    def _derive(self):
        """What the flags of a type mean is in no debug information. Include/object.h: bit 4 is
        Py_TPFLAGS_MANAGED_DICT from 3.11 on, where values have a struct of their own; bit 3 is
        Py_TPFLAGS_MANAGED_WEAKREF from 3.12 on, where objects can be immortal; bit 2 is
        Py_TPFLAGS_INLINE_VALUES from 3.13 on, where values say whether they are valid."""
        self.is_python2 = self.int_value is not None
        self.has_immortals = self.object_refcnt_split is not None
        self.managed_dict = 1 << 4 if self.values_values is not None else 0
        self.managed_weakref = 1 << 3 if self.has_immortals else 0
        self.inline_values = 1 << 2 if self.values_valid is not None else 0
        self.preheader_flags = self.managed_dict | self.managed_weakref
        # From 3.12 on one word before the object is a dict or, with its lowest bit set, values.
        self.values_are_tagged = (self.structs.type("PyDictOrValues") is not None
                                  and not self.inline_values)
        # From 3.14 on the links' lowest bits are flags; prev's are since 3.8.
        self.link_mask = ~7

    def type_at(self, name):
        """Address of a type object of the interpreter itself ("PyList_Type"), None when absent."""
        return symbol_address(name)
