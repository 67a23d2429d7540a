# SPDX-License-Identifier: GPL-3.0-or-later
"""Few objects that hold each other in known ways. "facts" answers where they are and what Python
says of them; "late" makes an object of a type that had none; "leak" answers how many objects it has
made that only forgotten references keep, or null where it cannot make any."""
import json
import sys

import conversation


class Item(object):
    def __del__(self):
        pass


class Cart(object):
    pass


class Late(object):
    pass


class Leaked(object):
    pass


item = Item()
cart = Cart()
cart.first = item
cart.items = [item, item]
table = {"the item": item}
late = []


def facts():
    return json.dumps({
        "item": hex(id(item)), "cart": hex(id(cart)), "table": hex(id(table)),
        "items": hex(id(cart.items)), "item_size": sys.getsizeof(item),
        # Less the argument of getrefcount() itself.
        "item_refcount": sys.getrefcount(item) - 1,
    }).replace('L"', '"')


def make_late():
    late.append(Late())


def leak():
    try:
        import ctypes
    except ImportError:
        return "null"
    for _ in range(7):
        leaked = Leaked()
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(leaked))
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(leaked))
        del leaked
    return "7"


conversation.serve({"facts": facts, "late": make_late, "leak": leak})
