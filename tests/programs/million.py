# SPDX-License-Identifier: GPL-3.0-or-later
"""A million objects of a few types."""
import conversation


class Thing(object):
    __slots__ = ("number", "other")

    def __init__(self, number, other):
        self.number = number
        self.other = other


kept = [Thing(number / 2.0, [number + 1000000]) for number in range(250000)]
conversation.serve()
