# SPDX-License-Identifier: GPL-3.0-or-later
"""For GDB: follows the collector's list of a CPython 3.11 as a person would in GDB's Python, by
gdb.Value and the types that GDB knows, and prints "walked objects references seconds" of a sample. Of each
object its type's name and its count are read, and the addresses it refers to when it is a list, a
tuple, a dict, or an instance of a class. Nothing is kept, and GDB's own start is not in the seconds.

    gdb -nx -batch -p PID -ex 'set $objects = 20000' -ex 'set $seconds = 20' -x gdb_walk.py
"""
import time

import gdb

MANAGED_DICT = 1 << 4
HEAP_TYPE = 1 << 9
OBJECT_EX = 16
GENERAL_KEYS = 0


def pointer_to(name):
    # Of a name that a file only declares GDB looks for the struct at every access: a millisecond each.
    return gdb.lookup_type(name).strip_typedefs().pointer()


class Walk:
    def __init__(self):
        self.char = gdb.lookup_type("char").pointer()
        self.object = pointer_to("PyObject")
        self.var_object = pointer_to("PyVarObject")
        self.gc_head = pointer_to("PyGC_Head")
        self.list = pointer_to("PyListObject")
        self.tuple = pointer_to("PyTupleObject")
        self.dict = pointer_to("PyDictObject")
        self.values = pointer_to("PyDictValues")
        self.heap_type = pointer_to("PyHeapTypeObject")
        self.heap_type_bytes = self.heap_type.target().sizeof
        self.member = pointer_to("PyMemberDef")
        self.entry = pointer_to("PyDictKeyEntry")
        self.text_entry = pointer_to("PyDictUnicodeEntry")
        self.referents = {"list": self.of_list, "tuple": self.of_tuple, "dict": self.of_dict}
        self.references = 0

    def met(self, value):
        if int(value):
            self.references += 1

    def of_list(self, thing):
        items = thing.cast(self.list)["ob_item"]
        for place in range(int(thing.cast(self.var_object)["ob_size"])):
            self.met(items[place])

    def of_tuple(self, thing):
        items = thing.cast(self.tuple)["ob_item"]
        for place in range(int(thing.cast(self.var_object)["ob_size"])):
            self.met(items[place])

    def of_dict(self, thing):
        table = thing.cast(self.dict)
        keys = table["ma_keys"]
        general = int(keys["dk_kind"]) == GENERAL_KEYS
        entries = (keys["dk_indices"].address.cast(self.char) +
                   (1 << int(keys["dk_log2_index_bytes"])))
        entries = entries.cast(self.entry if general else self.text_entry)
        split = int(table["ma_values"]) != 0
        for place in range(int(keys["dk_nentries"])):
            entry = entries[place]
            if split:
                self.met(table["ma_values"]["values"][place])
            elif int(entry["me_value"]):
                self.met(entry["me_key"])
                self.met(entry["me_value"])

    def of_instance(self, thing, type_of):
        flags = int(type_of["tp_flags"])
        if not flags & HEAP_TYPE:
            return
        self.met(type_of)
        if flags & MANAGED_DICT:
            values = thing.cast(self.values.pointer())[-4]
            if int(values):
                keys = type_of.cast(self.heap_type)["ht_cached_keys"]
                for place in range(int(keys["dk_nentries"])):
                    self.met(values["values"][place])
            else:
                self.met(thing.cast(self.object.pointer())[-3])
        count = int(type_of.cast(self.var_object)["ob_size"])
        slots = (type_of.cast(self.char) + self.heap_type_bytes).cast(self.member)
        for place in range(count):
            if int(slots[place]["type"]) == OBJECT_EX:
                at = thing.cast(self.char) + int(slots[place]["offset"])
                self.met(at.cast(self.object.pointer()).dereference())

    def look(self, thing):
        type_of = thing["ob_type"]
        name = type_of["tp_name"].string()
        int(thing["ob_refcnt"])
        referents = self.referents.get(name)
        if referents:
            referents(thing)
        elif name != "type":
            self.of_instance(thing, type_of)

    def run(self, objects_max, seconds_max):
        """The oldest generation; returns how many objects were met."""
        interpreter = gdb.parse_and_eval("_PyRuntime.interpreters.head")
        head = interpreter["gc"]["generations"][2]["head"].address
        begin = time.perf_counter()
        count = 0
        link = head["_gc_next"].cast(self.gc_head)
        while link != head and count < objects_max:
            self.look((link + 1).cast(self.object))
            link = link["_gc_next"].cast(self.gc_head)
            count += 1
            if time.perf_counter() - begin > seconds_max:
                break
        return count, time.perf_counter() - begin


def main():
    walk = Walk()
    count, seconds = walk.run(int(gdb.convenience_variable("objects")),
                              int(gdb.convenience_variable("seconds")))
    print("walked %d %d %.6f" % (count, walk.references, seconds))


main()
