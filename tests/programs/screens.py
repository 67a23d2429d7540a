# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person looks at in a session at the console: 200 items that name their owner, which nobody else
does. "leak N" leaves N pairs to the collector; "grow N" makes N objects more, so that a look takes a
while; "late" makes one of a type that had none."""
import conversation


class Owner(object):
    pass


class Item(object):
    __slots__ = ("owner",)

    def __init__(self, owner):
        self.owner = owner


class Parent(object):
    def __del__(self):
        pass


class Child(object):
    pass


class Late(object):
    pass


def make_items():
    owner = Owner()
    return [Item(owner) for _ in range(200)]


items = make_items()
more = []


def grow(count):
    more.extend([[number] for number in range(int(count))])


def leak(count):
    for _ in range(int(count)):
        parent, child = Parent(), Child()
        parent.child, child.parent = child, parent


def late():
    more.append(Late())


conversation.serve({"leak": leak, "grow": grow, "late": late})
