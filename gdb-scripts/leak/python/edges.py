# SPDX-License-Identifier: GPL-3.0-or-later
"""Which references has an object? What the collector sees of it, its own tp_traverse tells (machine.py).
Lists, tuples, dicts and instances of classes are so many that their layouts are read directly; the
first few of each type are compared with what their tp_traverse visits, and where the two differ, it
alone is asked. Where code cannot be followed, the struct's members stand in for it (members.py), and
the report says for which types."""
from ..read import layout as flags
from ..read import members
from ..base.errors import Fault
from ..code.machine import Machine, Stopped, Unreadable
from ..read.structs import symbol_address

# More items than any real object has; a corrupt one ends here.
ITEMS_MAX = 1 << 28
SLOTS_MAX = 4096
# Objects of each type, and of each way to keep attributes, that are compared.
TRIALS = 3
# structmember.h: a slot of a class written in Python.
MEMBER_OBJECT_EX = 16
# SHARED_KEYS_MAX_SIZE of Objects/dictobject.c.
SHARED_KEYS_MAX = 30
WORD = 8
CONTAINERS = ("PyList_Type", "PyTuple_Type", "PyDict_Type", "PySet_Type", "PyFrozenSet_Type",
              "PyUnicode_Type", "PyBytes_Type", "PyString_Type", "PyByteArray_Type", "PyLong_Type",
              "PyInt_Type")


class Plan:
    """How the references of a type's objects are found."""

    __slots__ = ("type", "direct", "slots", "base", "dict_offset", "managed", "inline", "keys_at",
                 "trials", "visits_type", "struct")

    def __init__(self, kind):
        self.type = kind
        # A method of Edges that reads the layout; None: the tp_traverse is run.
        self.direct = None
        self.slots = ()
        self.base = None
        self.dict_offset = 0
        self.managed = self.inline = False
        self.keys_at = 0
        # {how it keeps its attributes: objects still to be compared}
        self.trials = {}
        self.visits_type = kind.is_heap
        self.struct = None


class Edges:
    """Of one moment."""

    def __init__(self, python):
        self.python = python
        self.layout = python.layout
        self.memory = python.memory
        self.objects = python.objects
        self.machine = None
        if Machine.is_supported():
            self.machine = Machine(python.memory, python.runtime.current_thread())
        # Types whose code could not be followed: {name: why}.
        self.substituted = {}
        # Objects whose references could not be read: {address: why}.
        self.unreadable = {}
        # What of dicts is visited, by the kind of their table.
        self._visits_keys = {}
        at = self.layout.type_at
        self._list, self._tuple, self._dict = (self._traverse_of(at(name)) for name in
                                               ("PyList_Type", "PyTuple_Type", "PyDict_Type"))
        self._containers = {at(name) for name in CONTAINERS} - {None}
        self._module = at("PyModule_Type")
        self._subtype = symbol_address("subtype_traverse")

    def known_size(self, type_at):
        """Up to which size objects of a type, or of the builtin one that it derives from, are known
        through and through: all that they refer to stands in their items. 0 for other types."""
        for _ in range(64):
            if not type_at:
                return 0
            if type_at in self._containers:
                return self.memory.word(type_at + self.layout.type_basicsize)
            type_at = self.memory.word(type_at + self.layout.type_base)
        return 0

    def is_object(self, at):
        """Whether a word that may be a reference leads to something like an object."""
        try:
            return (self.objects.type_of(at) is not None
                    and 0 < self.memory.word(at + self.layout.object_refcnt))
        except Fault:
            return False

    def _traverse_of(self, type_at):
        return self.memory.word(type_at + self.layout.type_traverse) if type_at else None

    # Plans.

    def plan(self, kind):
        if kind.plan is None:
            kind.plan = self._make_plan(kind)
        return kind.plan

    def _make_plan(self, kind):
        plan = Plan(kind)
        plan.direct = self._reader(kind.traverse)
        if plan.direct is None and kind.is_heap and kind.traverse and kind.traverse == self._subtype:
            self._plan_instance(plan)
        elif kind.flags & self.layout.managed_dict:
            plan.managed = True
        elif not kind.flags & flags.TYPE_SUBCLASS and kind.at != self._module:
            plan.dict_offset = signed(self.memory.word(kind.at + self.layout.type_dictoffset))
        return plan

    def _reader(self, traverse):
        if not traverse:
            return self._nothing
        return {self._list: self.items_of_list, self._tuple: self.items_of_tuple,
                self._dict: self.entries_of_dict}.get(traverse)

    def _plan_instance(self, plan):
        """subtype_traverse(): slots of the classes up to the first base that is none, what that base
        visits, and the attributes."""
        layout, word, kind = self.layout, self.memory.word, plan.type
        base, slots, traverse = kind.at, [], kind.traverse
        for _ in range(64):
            slots += self._slots_of(base, kind.basicsize)
            base = word(base + layout.type_base)
            traverse = word(base + layout.type_traverse) if base else 0
            if traverse != kind.traverse:
                break
        reader = self._reader(traverse)
        plan.slots, plan.base = slots, reader
        plan.managed = bool(kind.flags & layout.managed_dict)
        plan.inline = bool(kind.flags & layout.inline_values)
        own = signed(word(kind.at + layout.type_dictoffset))
        if not plan.managed and own != (signed(word(base + layout.type_dictoffset)) if base else 0):
            plan.dict_offset = own
        if layout.heaptype_cached_keys is not None:
            plan.keys_at = word(kind.at + layout.heaptype_cached_keys)
        if reader is not None:
            plan.direct = self.parts_of_instance

    def _slots_of(self, class_at, basicsize):
        """[(offset, address of the name)] of the slots that a class itself has: PyMemberDefs behind
        the class object (PyHeapType_GET_MEMBERS())."""
        layout, memory = self.layout, self.memory
        count = memory.word(class_at + layout.var_size)
        meta_at = memory.word(class_at + layout.object_type)
        at = class_at + memory.word(meta_at + layout.type_basicsize)
        found = []
        for place in range(count if count <= SLOTS_MAX else 0):
            data = memory.read(at + place * layout.member_bytes, layout.member_bytes)
            offset = layout.fields["member_offset"].value(data)
            if layout.fields["member_type"].value(data) == MEMBER_OBJECT_EX and offset < basicsize:
                found.append((offset, layout.fields["member_name"].value(data)))
        return found

    # What the collector sees.

    def visited(self, at, kind):
        """Addresses of what the collector sees of an object, each as often as it is visited."""
        plan = self.plan(kind)
        try:
            if plan.direct is None:
                return self._run(plan, at)
            found = plan.direct(plan, at)
        except Fault as fault:
            self.unreadable[at] = str(fault)
            return []
        if self.machine is not None and kind.traverse:
            way = self._way(plan, at) if plan.managed else 0
            left = plan.trials.get(way, TRIALS)
            if left:
                plan.trials[way] = left - 1
                return self._compare(plan, at, found)
        return found

    def _run(self, plan, at):
        kind = plan.type
        if self.machine is not None and kind.name not in self.substituted:
            try:
                return self.machine.visits(kind.traverse, at)
            except Unreadable as fault:
                self.unreadable[at] = str(fault)
                return self.machine.visited
            except Stopped as stopped:
                self.substituted[kind.name] = str(stopped)
        elif self.machine is None:
            self.substituted[kind.name] = "code of this machine is not followed"
        try:
            return [to for to, _, _ in members.references(self, plan, at)]
        except Fault as fault:
            self.unreadable[at] = str(fault)
            return []

    def _compare(self, plan, at, found):
        """@found beside what the type's own code visits, which is right where they differ."""
        try:
            visited = self.machine.visits(plan.type.traverse, at)
        except Stopped:
            return found
        if sorted(visited) == sorted(found):
            return found
        own = plan.type.at
        if plan.base is not None and plan.visits_type != (own in visited):
            # Whether an instance visits its class has changed between patch releases.
            plan.visits_type = own in visited
            found = plan.direct(plan, at)
            if sorted(visited) == sorted(found):
                return found
        plan.direct = None
        return visited

    def _way(self, plan, at):
        """In which way an object keeps its attributes: as values, in a dict, neither."""
        word = self.memory.word(at - 3 * WORD)
        if plan.inline:
            return bool(word), self._inline_values(plan, at) is not None
        return bool(word), word & 1, self.layout.values_are_tagged or bool(
            self.memory.word(at - 4 * WORD))

    # Layouts that are read directly.

    def _nothing(self, _plan, _at):
        return []

    def _size_of(self, at):
        count = signed(self.memory.word(at + self.layout.var_size))
        if count > ITEMS_MAX:
            raise Fault(at)
        return max(count, 0)

    def items_of_list(self, _plan, at):
        count = self._size_of(at)
        if not count:
            return []
        items = self.memory.words(self.memory.word(at + self.layout.list_items), count)
        return items if 0 not in items else [item for item in items if item]

    def items_of_tuple(self, _plan, at):
        items = self.memory.words(at + self.layout.tuple_items, self._size_of(at))
        return items if 0 not in items else [item for item in items if item]

    def entries_of_dict(self, _plan, at):
        """dict_traverse() visits values, and keys where the table may hold anything but strings. Keys
        of a split table are the class's."""
        objects = self.objects
        entries_at, count, stride, to_key, to_value, values_at, kind = objects.dict_table(at)
        if not count:
            return []
        step = stride >> 3
        if values_at:
            if self._is_embedded(values_at):
                return []  # Its instance visits them.
            return [value for value in self.memory.words(values_at, count) if value]
        words = self.memory.words(entries_at, count * step)
        values = words[to_value >> 3::step]
        if kind not in self._visits_keys:
            self._learn_keys(at, kind, sum(1 for value in values if value))
        if not self._visits_keys.get(kind, True):
            return values if 0 not in values else [value for value in values if value]
        found = []
        for key, value in zip(words[to_key >> 3::step], values):
            if value and key:
                found += (key, value)
        return found

    def _is_embedded(self, values_at):
        field = self.layout.fields["values_embedded"]
        if field is None:
            return False
        return bool(self.memory.read(values_at - self.layout.values_values + field.offset, 1)[0])

    def _learn_keys(self, at, kind, pairs):
        """Which kind of table this is, dict's own traversal tells."""
        if not pairs or self.machine is None:
            return
        try:
            self._visits_keys[kind] = len(self.machine.visits(self._dict, at)) == 2 * pairs
        except Stopped:
            pass  # The next dict of this kind may do; until then keys count as visited.

    def parts_of_instance(self, plan, at):
        word = self.memory.word
        found = [word(at + offset) for offset, _ in plan.slots]
        if plan.managed:
            found += self._managed(plan, at)
        elif plan.dict_offset:
            found.append(word(self.dict_pointer(plan, at)))
        if plan.visits_type:
            found.append(plan.type.at)
        if plan.base is not None:
            found += plan.base(plan, at)
        return found if 0 not in found else [to for to in found if to]

    def _managed(self, plan, at):
        """Attributes of 3.11 and later, in the words before the object: values, or a dict."""
        values_at, dict_at = self.attributes(plan, at)
        if values_at:
            count = self.value_count(plan, values_at)
            found = self.memory.words(values_at + self.layout.values_values, count) if count else []
            # While the values that are part of an instance are valid, it visits no dict.
            return found if plan.inline else found + [dict_at]
        return [dict_at]

    def attributes(self, plan, at):
        """(address of the values or 0, address of the dict or 0) of an instance that the interpreter
        keeps the attributes of."""
        word = self.memory.word(at - 3 * WORD)
        if plan.inline:
            return self._inline_values(plan, at) or 0, word
        if self.layout.inline_values:
            return 0, word
        if self.layout.values_are_tagged:
            return (word + 1, 0) if word & 1 else (0, word)
        return self.memory.word(at - 4 * WORD), word

    def _inline_values(self, plan, at):
        """Where they are, None when they are not valid."""
        values_at = at + plan.type.basicsize
        head = self.memory.read(values_at, self.layout.values_values)
        return values_at if self.layout.fields["values_valid"].value(head) else None

    def value_count(self, plan, values_at):
        limit = SHARED_KEYS_MAX
        if plan.inline:
            head = self.memory.read(values_at, self.layout.values_values)
            limit = self.layout.fields["values_capacity"].value(head)
        return min(self.objects.shared_keys(plan.keys_at)[1], limit) if plan.keys_at else 0

    def attribute_dict(self, at, kind):
        """The dict that a person counts as a part of the object; 0 when it has none now."""
        plan, word = self.plan(kind), self.memory.word
        if plan.managed:
            found = word(at - 3 * WORD)
            return 0 if found & 1 else found
        if plan.dict_offset:
            pointer = self.dict_pointer(plan, at)
            return word(pointer) if pointer else 0
        if kind.at == self.objects.instance_at:
            return word(at + self.layout.instance_dict)
        if kind.flags & flags.TYPE_SUBCLASS:
            return word(at + self.layout.type_dict)
        return 0

    def dict_pointer(self, plan, at):
        """_PyObject_GetDictPtr(): a negative offset counts from the end of a variable object."""
        if plan.dict_offset > 0:
            return at + plan.dict_offset
        count = abs(signed(self.memory.word(at + self.layout.var_size)))
        if count > ITEMS_MAX:
            raise Fault(at)
        size = plan.type.basicsize + count * plan.type.itemsize
        return at + (size + WORD - 1) // WORD * WORD + plan.dict_offset


def signed(word):
    return word - (1 << 64) if word >> 63 else word
