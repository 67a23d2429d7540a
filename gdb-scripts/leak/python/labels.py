# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person calls a reference: ".child", "['key']", "[3]", ".__closure__"."""
from ..read import members
from ..base.errors import Fault
from .edges import signed

KEY_CHARS_MAX = 80
# Members whose name in Python is another one than in C.
NAMES = {
    "func_code": ".__code__", "func_globals": ".__globals__", "func_builtins": ".__builtins__",
    "func_name": ".__name__", "func_qualname": ".__qualname__", "func_defaults": ".__defaults__",
    "func_kwdefaults": ".__kwdefaults__", "func_doc": ".__doc__", "func_dict": ".__dict__",
    "func_closure": ".__closure__", "func_annotations": ".__annotations__",
    "func_module": ".__module__", "func_typeparams": ".__type_params__",
    "ob_ref": ".cell_contents", "im_func": ".__func__", "im_self": ".__self__",
    "m_self": ".__self__", "m_module": ".__module__", "cm_callable": ".__func__",
    "sm_callable": ".__func__", "d_type": ".__objclass__", "d_name": ".__name__",
    "d_qualname": ".__qualname__", "tp_dict": ".__dict__", "tp_bases": ".__bases__",
    "tp_base": ".__base__", "tp_mro": ".__mro__", "tp_subclasses": ".__subclasses__()",
    "ht_name": ".__name__", "ht_qualname": ".__qualname__", "ht_slots": ".__slots__",
    "ht_module": ".(module)", "md_dict": ".__dict__", "md_name": ".__name__",
    "in_class": ".__class__", "in_dict": ".__dict__", "cl_bases": ".__bases__",
    "cl_dict": ".__dict__", "cl_name": ".__name__", "traceback": ".__traceback__",
    "context": ".__context__", "cause": ".__cause__", "notes": ".__notes__",
    "wr_callback": ".__callback__", "wr_object": "()", "prop_get": ".fget", "prop_set": ".fset",
    "prop_del": ".fdel", "prop_doc": ".__doc__", "gi_name": ".__name__",
    "gi_qualname": ".__qualname__",
}


def of_member(name):
    return NAMES.get(name.rpartition(".")[2], "." + name)


class Labels:
    """Of one moment."""

    def __init__(self, python):
        self._python = python
        self._edges = python.edges
        self._memory = python.memory
        self._objects = python.objects

    def between(self, at, kind, to):
        """The label of the first reference from the object at @at to @to; "" when it has no name."""
        try:
            for target, label in self._labelled(at, kind):
                if target == to:
                    return label()
        except Fault:
            pass  # A reference without a name.
        return ""

    def all(self, at, kind):
        """[(address, label)] of all that the collector sees, in its order."""
        found = []
        for target, label in self._labelled(at, kind):
            try:
                found.append((target, label()))
            except Fault:
                found.append((target, ""))
        return found

    def _labelled(self, at, kind):
        """(address, function that gives the label) of what the collector sees of an object."""
        edges = self._edges
        plan = edges.plan(kind)
        readers = {edges.items_of_list: self._items, edges.items_of_tuple: self._items,
                   edges.entries_of_dict: self._entries}
        if plan.direct == edges.parts_of_instance:
            yield from self._instance(plan, at)
            if plan.base in readers:
                yield from readers[plan.base](plan, at, plan.base)
        elif plan.direct in readers:
            yield from readers[plan.direct](plan, at, plan.direct)
        else:
            yield from self._visited(plan, at, kind)

    @staticmethod
    def _say(text):
        return lambda: text

    def _items(self, plan, at, reader):
        layout, word = self._python.layout, self._memory.word
        count = max(signed(word(at + layout.var_size)), 0)
        items = at + layout.tuple_items if reader == self._edges.items_of_tuple \
            else word(at + layout.list_items)
        for place, to in enumerate(self._memory.words(items, count) if count else ()):
            if to:
                yield to, self._say("[%d]" % place)

    def _entries(self, plan, at, _reader):
        visited = set(self._edges.entries_of_dict(plan, at))
        for key, value in self._objects.dict_pairs(at):
            if key in visited:
                yield key, self._say(" key")
            if value in visited:
                yield value, lambda key=key: "[%s]" % self._python.reprs.of(key, KEY_CHARS_MAX)

    def _instance(self, plan, at):
        word = self._memory.word
        for offset, name_at in plan.slots:
            yield word(at + offset), lambda name_at=name_at: "." + self._memory.text(name_at)
        if plan.managed:
            values_at, dict_at = self._edges.attributes(plan, at)
            if values_at:
                yield from self._values(plan, values_at)
            if not (values_at and plan.inline):
                yield dict_at, self._say(".__dict__")
        elif plan.dict_offset:
            yield word(self._edges.dict_pointer(plan, at)), self._say(".__dict__")
        if plan.visits_type:
            yield plan.type.at, self._say(".__class__")

    def _values(self, plan, values_at):
        """By the names that the class shares out."""
        count = self._edges.value_count(plan, values_at)
        if not count:
            return
        entries_at, _, stride, to_key, _, _ = self._objects.shared_keys(plan.keys_at)
        values = self._memory.words(values_at + self._python.layout.values_values, count)
        for place, to in enumerate(values):
            key_at = entries_at + place * stride + to_key
            yield to, lambda key_at=key_at: "." + self._objects.attribute_name(
                self._memory.word(key_at))

    def _visited(self, plan, at, kind):
        """A visited reference has no name of its own, but may stand in a member that has one."""
        dict_at = self._edges.attribute_dict(at, kind)
        for place, to in enumerate(self._edges.visited(at, kind)):
            if to == dict_at:
                yield to, self._say(".__dict__")
            else:
                yield to, lambda to=to, place=place: self._of_visited(plan, at, kind, to, place)

    def _of_visited(self, plan, at, kind, to, place):
        word = self._memory.word
        for offset, count, _, name in members.owned_of(self._edges, plan):
            for number in range(count if name else 0):
                if word(at + offset + 8 * number) == to:
                    return of_member(name)
        for offset, name_at in plan.slots:
            if word(at + offset) == to:
                return "." + self._memory.text(name_at)
        if to == kind.at:
            return ".__class__"
        return "[%d]" % place if kind.name == "collections.deque" else ""
