# SPDX-License-Identifier: GPL-3.0-or-later
"""Types whose names would do something to a terminal or break a line, and "shop.Cart.Item", an honest
one with a dot, for completion. Ten instances of each. "bytes" makes more whose names are no UTF-8,
which only Python 2 takes (and the answer to "census" does not)."""
import conversation

NAMES = ["Red\033[31m", "Two\nLines", "Back\rwards", "Quote\"d", "Spa ce", "Bell\a", "-option"]
if str is not bytes:
    NAMES += ["Override\u202e", "Snake\U0001f40d", "C1\x9b31m"]

kept = []


def make(names, module="shop"):
    for name in names:
        kept.append([type(name, (object,), {"__module__": module})() for _ in range(10)])


make(NAMES)
make(["Item"], "shop.Cart")
conversation.serve({"bytes": lambda: make(["Bytes\xff\xfe", "Cut\xe2\x82"])})
