# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects to draw. "facts" answers where they are; "edges ADDRESS..." answers what gc.get_referents()
says of the references among these, an attribute dict being its object; "crowd N" makes an object that N
others refer to and one dict."""
import gc
import json
import sys

import conversation


class Parent(object):
    def __del__(self):
        pass


class Child(object):
    pass


class Leaf(object):
    pass


class Crowded(object):
    pass


class Item(object):
    __slots__ = ("owner",)

    def __init__(self, owner):
        self.owner = owner


# Names that would end a string, begin markup, move a cursor or fill the page.
hostile = [type(name, (object,), {}) for name in (
    'quote"];evil[label="', "back\\slash\\N\\l", "new\nline", "<b>bold</b>&amp;&#60;",
    "\x1b[31mred", "}; digraph x {", "y" * 5000)]

parent, child, leaf = Parent(), Child(), Leaf()
parent.child = child
child.parent = parent
child.leaf = leaf
child.leaves = [leaf, leaf]
table = {"the leaf": leaf, 'say "hi"\n<&>': child}
odd = [kind() for kind in hostile]
odd[0].next = odd[1]
setattr(odd[1], 'x"\\\n&lt;', odd[0])
crowd = []
kinds = (Parent, Child, Leaf, list, tuple, dict)
by_address = {"parent": parent, "child": child, "leaf": leaf, "table": table}


def facts():
    return json.dumps({name: hex(id(thing)).rstrip("L") for name, thing in by_address.items()})


def referents(thing):
    """Those of its attribute dict are its own. That of a module is its, too."""
    found = []
    for one in gc.get_referents(thing):
        if type(one) is dict and one is getattr(thing, "__dict__", None):
            found.extend(gc.get_referents(one))
        else:
            found.append(one)
    return found


def edges(*addresses):
    """[[from, to]] among the objects at these addresses, without references to an own class."""
    wanted = {int(address, 16) for address in addresses}
    things = {}
    for thing in gc.get_objects():
        for one in [thing] + gc.get_referents(thing):
            if id(one) in wanted:
                things[id(one)] = one
    dicts = {id(thing.__dict__): thing for thing in things.values() if type(thing) is type(sys)}
    pairs = set()
    for thing in things.values():
        for one in referents(thing):
            one = dicts.get(id(one), one)
            if id(one) in things and one is not type(thing):
                pairs.add((hex(id(thing)).rstrip("L"), hex(id(one)).rstrip("L")))
    return json.dumps(sorted(pairs))


def make_crowd(count):
    crowded = Crowded()
    crowd.extend(Item(crowded) for _ in range(int(count)))
    by_address["crowded"] = crowded
    return hex(id(crowded)).rstrip("L")


conversation.serve({"facts": facts, "edges": edges, "crowd": make_crowd})
