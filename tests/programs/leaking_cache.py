# SPDX-License-Identifier: GPL-3.0-or-later
"""An unbounded functools.lru_cache on a method: each call's instance is a key of the cache."""
import functools

import conversation


class Report(object):
    def __init__(self, number):
        self.rows = [number] * 50

    @functools.lru_cache(maxsize=None)
    def total(self, factor):
        return sum(self.rows) * factor


def request(number):
    return Report(number).total(2)


for request_number in range(500):
    request(request_number)
conversation.serve()
