# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that keep their attributes in every way there is. "names" answers their names; "facts NAME"
{"address", "refcount", "attributes": {name: [address, type]}} as Python itself says."""
import json
import sys
import types

import conversation


class Plain(object):
    def __init__(self):
        self.text = "some text"
        self.number = 12345678901234567890
        self.items = [1, 2, 3]
        self.nothing = None


class Slotted(object):
    __slots__ = ("first", "second", "unset")

    def __init__(self):
        self.first = ["first"]
        self.second = {"second": 2}


class Both(Slotted):
    __slots__ = ("__dict__", "third")


class Many(object):
    pass


class Listed(list):
    pass


class Old:
    pass


def function():
    pass


plain, slotted, both, many, listed, old = Plain(), Slotted(), Both(), Many(), Listed([1]), Old()
both.third = ("third",)
both.fourth = "in the dict"
for number in range(50):
    setattr(many, "attribute_%d" % number, [number])
listed.extra = "an attribute of a list"
old.style = "old"
plain.__dict__["no name"] = ["strange"]
shared_dict = Plain()
shared_dict.__dict__
function.attribute = ["of a function"]
module = types.ModuleType("shop")
module.value = ["of a module"]
held = [plain, plain, (plain,)]
table = {"key": plain, "other": plain}
holder = Plain()
holder.child = plain
slotted.first = plain
objects = {"plain": plain, "slotted": slotted, "both": both, "many": many, "listed": listed,
           "old": old, "shared_dict": shared_dict, "module": module, "function": function}


def own_attributes(thing):
    found = dict(getattr(thing, "__dict__", {}))
    for kind in type(thing).__mro__ if isinstance(thing, object) and type(thing) is not type(Old) \
            else ():
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name != "__dict__" and hasattr(thing, name):
                found[name] = getattr(thing, name)
    return found


def facts(name):
    thing = objects[name]
    # Less those of this function, of the argument and of "thing" itself.
    count = sys.getrefcount(thing) - 2
    attributes = own_attributes(thing)
    return json.dumps({
        "address": "0x%x" % id(thing), "refcount": count,
        "attributes": {key: ["0x%x" % id(attributes[key]), conversation.type_name(
            type(attributes[key]))] for key in attributes}})


conversation.serve({"facts": facts, "names": lambda: json.dumps(sorted(objects))})
