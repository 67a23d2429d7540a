# SPDX-License-Identifier: GPL-3.0-or-later
"""What calls code when it dies, and may the collector free it? has_finalizer() of Python 2's gcmodule.c,
has_legacy_finalizer() of Python 3's."""
from ..base.errors import Fault
from ..code.machine import Stopped
from ..read.structs import symbol_address

CLASSES_MAX = 1024
# _PyGC_PREV_MASK_FINALIZED, and _PyGC_REFS_MASK_FINALIZED before 3.8.
HEAD_FINALIZED = 1


class Finalizers:
    """Of one moment."""

    def __init__(self, python):
        self._python = python
        self._layout = python.layout
        self._memory = python.memory
        self._objects = python.objects
        self._wrapper_at = python.layout.type_at("PyWrapperDescr_Type")
        self._generator_at = python.layout.type_at("PyGen_Type")
        self._needs_finalizing = symbol_address("PyGen_NeedsFinalizing")
        self._old_classes = {}

    def kind(self, at, type_at):
        """What an object's type calls when it dies: "del" (a __del__), "legacy" (tp_del: never freed
        when in a cycle), "builtin" (code of C), None."""
        if type_at == self._objects.instance_at and type_at is not None:
            class_at = self._memory.word(at + self._layout.instance_class)
            return "del" if self._old_class_has(class_at) else None
        found = self._objects.type(type_at)
        if found is None:
            return None
        if found.finalizer is None:
            found.finalizer = (self._kind_of_type(found),)
        return found.finalizer[0]

    def _kind_of_type(self, found):
        layout, word = self._layout, self._memory.word
        has_del = word(found.at + layout.type_del)
        if layout.is_python2:
            if not has_del:
                return None
            if found.is_heap:
                return "del"
            return "builtin" if found.at == self._generator_at else "legacy"
        if has_del:
            return "legacy"
        if layout.type_finalize is None or not word(found.at + layout.type_finalize):
            return None
        method = self._method(found) if found.is_heap else 0
        # A tp_finalize in C shows in the class's dict as a wrapper around it.
        if not method or word(method + layout.object_type) == self._wrapper_at:
            return "builtin"
        return "del"

    def _method(self, found):
        """The __del__ that objects of a class would run, by its mro; 0 when there is none."""
        layout, memory = self._layout, self._memory
        mro_at = memory.word(found.at + layout.type_mro)
        count = min(memory.word(mro_at + layout.var_size), CLASSES_MAX) if mro_at else 0
        for class_at in memory.words(mro_at + layout.tuple_items, count) if count else ():
            method = self._objects.dict_get(memory.word(class_at + layout.type_dict), "__del__")
            if method:
                return method
        return 0

    def _old_class_has(self, class_at):
        """class_lookup() of Python 2's classobject.c, without recursion."""
        if class_at not in self._old_classes:
            layout, memory = self._layout, self._memory
            waiting, found, seen = [class_at], False, 0
            while waiting and not found and seen < CLASSES_MAX:
                seen += 1
                at = waiting.pop()
                found = bool(self._objects.dict_get(memory.word(at + layout.class_dict), "__del__"))
                bases = memory.word(at + layout.class_bases)
                count = memory.word(bases + layout.var_size) if bases else 0
                if count and count < CLASSES_MAX:
                    waiting += [base for base in memory.words(bases + layout.tuple_items, count)
                                if base]
            self._old_classes[class_at] = found
        return self._old_classes[class_at]

    def is_legacy(self, at, type_at):
        """Whether the collector will not free the object when it is unreachable, nor what it reaches."""
        layout, word = self._layout, self._memory.word
        if not layout.is_python2:
            return self.kind(at, type_at) == "legacy"
        if type_at == self._objects.instance_at:
            return bool(self._objects.dict_get(word(at + layout.instance_dict), "__del__")
                        or self.kind(at, type_at))
        found = self._objects.type(type_at)
        if found is None:
            return False
        if found.is_heap:
            return bool(word(type_at + layout.type_del))
        if type_at == self._generator_at:
            return self._generator_needs_it(at)
        return False

    def _generator_needs_it(self, at):
        """PyGen_NeedsFinalizing(): whether it stands in a try or with."""
        machine = self._python.edges.machine
        if machine is None or self._needs_finalizing is None:
            return False
        try:
            return bool(machine.call(self._needs_finalizing, at) & 0xffffffff)
        except Stopped as stopped:
            self._python.edges.unreadable[at] = str(stopped)
            return False

    def has_run(self, at):
        """Whether the object's finalizer was called already."""
        layout = self._layout
        offset = layout.gc_refs if layout.gc_refs is not None and not layout.is_python2 \
            else layout.gc_prev
        return bool(self._memory.word(at - layout.gc_head_bytes + offset) & HEAD_FINALIZED)

    def weak_references(self, graph):
        """[(number, address referred to)] of the weak references in a graph that have a callback."""
        layout, memory = self._layout, self._memory
        weak = {layout.type_at(name) for name in ("_PyWeakref_RefType", "_PyWeakref_ProxyType",
                                                  "_PyWeakref_CallableProxyType")} - {None}
        is_weak, found = {}, []
        for number, type_at in enumerate(graph.types):
            if type_at not in is_weak:
                is_weak[type_at] = self._derives(type_at, weak)
            if not is_weak[type_at]:
                continue
            at = graph.at[number]
            try:
                if memory.word(at + layout.weakref_callback):
                    found.append((number, memory.word(at + layout.weakref_object)))
            except Fault as fault:
                self._python.edges.unreadable[at] = str(fault)
        return found

    def _derives(self, type_at, wanted):
        for _ in range(64):
            if type_at in wanted:
                return True
            if not type_at:
                return False
            type_at = self._memory.word(type_at + self._layout.type_base)
        return False
