# SPDX-License-Identifier: GPL-3.0-or-later
"""Strongly connected components: R. Tarjan, "Depth-first search and linear graph algorithms" (1972), with
a stack of our own, for a chain of a million links must not use Python's.

Objects that nothing refers to, or that refer to nothing, are in no circle; they are taken off first, and
what they were the only link of next, as most of a heap goes that way."""


def trim(targets):
    """A byte per object: it may be in a circle."""
    count = len(targets)
    stays = bytearray(b"\1") * count
    incoming = [0] * count
    for outgoing in targets:
        for to in outgoing:
            incoming[to] += 1
    waiting = [number for number in range(count) if not incoming[number]]
    while waiting:
        number = waiting.pop()
        stays[number] = 0
        for to in targets[number]:
            incoming[to] -= 1
            if not incoming[to]:
                waiting.append(to)
    # The other way round: who leads nowhere. References back are found in one pass over those left.
    back = {}
    outgoing = [0] * count
    waiting = []
    for number in range(count):
        if not stays[number]:
            continue
        for to in targets[number]:
            if stays[to]:
                outgoing[number] += 1
                back.setdefault(to, []).append(number)
        if not outgoing[number]:
            waiting.append(number)
    while waiting:
        number = waiting.pop()
        stays[number] = 0
        for source in back.get(number, ()):
            outgoing[source] -= 1
            if not outgoing[source] and stays[source]:
                waiting.append(source)
    return stays


def find(targets, progress=None):
    """Components of two objects and more, and single ones that refer to themselves, each a sorted list
    of numbers; in the order of their smallest."""
    stays = trim(targets)
    count = len(targets)
    order = [0] * count
    low = [0] * count
    is_open = bytearray(count)
    found, path, clock = [], [], 0
    for start in range(count):
        if order[start] or not stays[start]:
            continue
        clock += 1
        order[start] = low[start] = clock
        path.append(start)
        is_open[start] = 1
        calls = [(start, iter(targets[start]))]
        while calls:
            number, rest = calls[-1]
            for to in rest:
                if not stays[to]:
                    continue
                if not order[to]:
                    clock += 1
                    order[to] = low[to] = clock
                    path.append(to)
                    is_open[to] = 1
                    calls.append((to, iter(targets[to])))
                    break
                if is_open[to] and order[to] < low[number]:
                    low[number] = order[to]
            else:
                calls.pop()
                if calls and low[number] < low[calls[-1][0]]:
                    low[calls[-1][0]] = low[number]
                if low[number] == order[number]:
                    _close(number, path, is_open, targets, found)
        if progress and not start & 0xfff:
            progress.step(start, count)
    found.sort(key=lambda members: members[0])
    return found


def _close(number, path, is_open, targets, found):
    """The component of @number is complete: all of the path from it on."""
    place = len(path) - 1
    while path[place] != number:
        place -= 1
    members = path[place:]
    del path[place:]
    for member in members:
        is_open[member] = 0
    if len(members) > 1 or number in targets[number]:
        members.sort()
        found.append(members)
