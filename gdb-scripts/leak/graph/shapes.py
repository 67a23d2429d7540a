# SPDX-License-Identifier: GPL-3.0-or-later
"""A shortest cycle within a component, and what it looks like in words: "Parent.child -> Child.parent".

A step from an object into its attribute dict is none, so that an object's shape is the same with slots,
with a dict and with values kept inline. A shape begins with an object that has a finalizer, and among
those with the reference whose name sorts first, so that equal cycles look equal in every process."""
from functools import cmp_to_key

SHOWN_MAX = 8
# A cycle with more hops begins where the search for it did, and only what is shown is named.
TURNED_MAX = 64
EXAMPLE_MAX = 16
LOOKS_MAX = 1 << 20
DICT_LABEL = ".__dict__"
LOCALS = "<locals>."


def shortest(targets, component, start, is_part, hops_max=None, looks_max=None):
    """(hops, [numbers]) of a shortest cycle through @start within its component (a set), breadth
    first; None where it would be longer than @hops_max."""
    came_from = {start: None}
    layer, hops, looks = [start], 0, 0
    while layer:
        if hops_max is not None and hops >= hops_max:
            return None
        following = []
        for first in layer:
            if looks_max is not None and looks > looks_max:
                return None
            # The attribute dicts that are met are no farther away: looked at together.
            together = [first]
            for number in together:
                for to in targets[number]:
                    looks += 1
                    if to == start:
                        return hops + 1, _trace(came_from, number)
                    if to in came_from or to not in component:
                        continue
                    came_from[to] = number
                    if is_part(to) and not is_part(number):
                        together.append(to)
                    else:
                        following.append(to)
        layer = following
        hops += 1
    return None


def _trace(came_from, number):
    path = []
    while number is not None:
        path.append(number)
        number = came_from[number]
    return path[::-1]


def short_name(name):
    """Without the module. "package.module.Class" does not tell where the module ends, so the outer
    class of a nested one is left out, too."""
    place = name.rfind(LOCALS)
    if place >= 0:
        return name[place + len(LOCALS):] or name
    return name.rpartition(".")[2] or name


def is_attribute(label):
    """Whether a label is "['name']": an attribute's, when it comes out of an attribute dict."""
    name = label[2:-2]
    if len(label) < 5 or not label.startswith("['") or not label.endswith("']"):
        return False
    return all(c == "_" or ord(c) >= 0x80 or c.isalnum() for c in name) and not "0" <= name[0] <= "9"


class Shape:
    """`text`, and the numbers of the objects in its order, attribute dicts left out."""

    def __init__(self, text, objects):
        self.text = text
        self.objects = objects[:EXAMPLE_MAX]


class Maker:
    """@name(number) and @label(from, to) describe objects; @finalizes(number), @is_part(number)."""

    def __init__(self, name, label, finalizes, is_part):
        self._name = name
        self._label = label
        self._finalizes = finalizes
        self._is_part = is_part

    def make(self, hops, path):
        turned = hops <= TURNED_MAX
        names = self._hops(path, TURNED_MAX if turned else SHOWN_MAX)
        if turned:
            names = self._turn(names)
            objects = [hop[0] for hop in names]
            count = len(names)
        else:
            objects = [number for place, number in enumerate(path)
                       if not place or not self._belongs(path[place - 1], number)]
            count = hops
        text = " -> ".join(name + label for _, name, label in names[:SHOWN_MAX])
        if count > SHOWN_MAX:
            text += " -> ... (%d more)" % (count - SHOWN_MAX)
        return Shape(text, objects)

    def _belongs(self, owner, number):
        return self._is_part(number) and not self._is_part(owner)

    def _hops(self, path, most):
        """[(number, name, label)]"""
        found, label = [], None
        for place, number in enumerate(path):
            following = path[(place + 1) % len(path)]
            is_inner = place > 0 and self._belongs(path[place - 1], number)
            if len(found) >= most and not is_inner:
                break
            is_folded = is_inner and label in ("", DICT_LABEL)
            before, label = label, self._label(number, following)
            if not is_folded:
                found.append((number, short_name(self._name(number)), label))
                continue
            # Out of the attribute dict of the last hop's object: a part of that.
            owner, name, text = found[-1]
            if before and is_attribute(label):
                text = text[:-len(DICT_LABEL)] + "." + label[2:-2]
            else:
                text += label
            found[-1] = owner, name, text
        return found

    def _turn(self, hops):
        def compare(left, right):
            for place in range(len(hops)):
                a = hops[(left + place) % len(hops)]
                b = hops[(right + place) % len(hops)]
                # By the references' names first, those without one last.
                a_key, b_key = (not a[2], a[2].encode(), a[1].encode()), \
                    (not b[2], b[2].encode(), b[1].encode())
                if a_key != b_key:
                    return -1 if a_key < b_key else 1
            return left - right

        starts = [place for place, hop in enumerate(hops) if self._finalizes(hop[0])]
        first = min(starts or range(len(hops)), key=cmp_to_key(compare))
        return hops[first:] + hops[:first]
