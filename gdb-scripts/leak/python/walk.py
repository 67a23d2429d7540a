# SPDX-License-Identifier: GPL-3.0-or-later
"""Follows the lists of the collector through the mirror.

Each link is checked against the one back: the prev of an object must be where we came from. So no
walk can go in circles (where a circle closes, one object would need two prevs), and a list that is torn
(a stop in the middle of linking, a collection under way, damage) is noticed at the very object. Then
the rest is counted from the list's other end, and the report says what is missing.

While a collection is under way the links back hold the collector's numbers. Then the links forward alone are
followed, and addresses that were seen are remembered instead."""
from ..base.errors import Fault
from ..read.memory import BLOCK_MASK, BLOCK_SHIFT

# Objects of one list; no machine has as many.
OBJECTS_MAX = 1 << 34


class Torn:
    """A list that could not be followed: in which generation, at which object, why."""

    def __init__(self, generation, at, reason, forward, backward):
        self.generation = generation
        self.at = at
        self.reason = reason
        self.forward = forward
        self.backward = backward

    def __str__(self):
        return ("the collector's list %s is torn at 0x%x (%s): %d objects before it and %d after it "
                "were counted, those between are missing"
                % (self.generation.name, self.at, self.reason, self.forward, self.backward))


class Walk:
    """Objects of all lists: addresses and, in step with them, those of their types."""

    def __init__(self, layout, memory, collecting=False):
        self._memory = memory
        self._collecting = collecting
        self._mask = layout.link_mask
        self._next = layout.gc_next >> 3
        self._prev = layout.gc_prev >> 3
        self._type = (layout.gc_head_bytes + layout.object_type) >> 3
        self._head_bytes = layout.gc_head_bytes
        self.torn = []

    def types(self, generation):
        """The types of all objects of a list, an address each."""
        return self._follow(generation, False)[1]

    def objects(self, generation):
        """(addresses of all objects of a list, addresses of their types)"""
        links, types = self._follow(generation, True)
        return [at + self._head_bytes for at in links], types

    def _follow(self, generation, wants_links):
        """([links], [types]) of a list; without the former unless they are wanted."""
        head = generation.head
        types, links = [], []
        before, reason = head, None
        try:
            at = self._memory.word(head + (self._next << 3)) & self._mask
        except Fault as fault:
            self.torn.append(Torn(generation, head, str(fault), 0, 0))
            return links, types
        if self._collecting:
            return self._follow_forward(generation, at)
        while at != head and reason is None:
            try:
                at, before = self._run(at, before, head, types, links if wants_links else None)
                # It ended in front of one that needs a closer look, or at the head.
                if at != head:
                    at, before, reason = self._step(at, before, types, links, wants_links)
            except Fault as fault:
                reason = str(fault)
        if reason is not None:
            self._from_behind(generation, at, reason, types, links, wants_links)
        return links, types

    def _follow_forward(self, generation, at):
        word, mask = self._memory.word, self._mask
        types, links, seen, reason = [], [], set(), None
        try:
            while at != generation.head and reason is None:
                if not at or at & 7 or at in seen:
                    reason = "its link leads to 0x%x" % at
                    break
                kind = word(at + (self._type << 3))
                following = word(at + (self._next << 3)) & mask
                seen.add(at)
                types.append(kind)
                links.append(at)
                at = following
        except Fault as fault:
            reason = str(fault)
        if reason is not None:
            self.torn.append(Torn(generation, at, reason, len(types), 0))
        return links, types

    def _run(self, at, before, head, types, links):
        """The fast part: up to the head, a torn link, or an object that lies in two blocks or in one
        with holes. Returns that object's link and the one before it."""
        blocks, mask = self._memory.blocks, self._mask
        to_next, to_prev, to_type = self._next, self._prev, self._type
        add_type = types.append
        try:
            if links is None:
                while at != head:
                    words = blocks[at >> BLOCK_SHIFT]
                    place = (at & BLOCK_MASK) >> 3
                    if words[place + to_prev] & mask != before:
                        break
                    add_type(words[place + to_type])
                    before = at
                    at = words[place + to_next] & mask
            else:
                add_link = links.append
                while at != head:
                    words = blocks[at >> BLOCK_SHIFT]
                    place = (at & BLOCK_MASK) >> 3
                    if words[place + to_prev] & mask != before:
                        break
                    add_type(words[place + to_type])
                    add_link(at)
                    before = at
                    at = words[place + to_next] & mask
        except (KeyError, IndexError):
            pass  # _step() reads it word by word.
        return at, before

    def _step(self, at, before, types, links, wants_links):
        """One object, word by word. Returns its next, itself, and why it is no good or None."""
        word, mask = self._memory.word, self._mask
        if not at or at & 7:
            return at, before, "its link leads to 0x%x" % at
        back = word(at + (self._prev << 3)) & mask
        if back != before:
            return at, before, "its link back leads to 0x%x, not to 0x%x" % (back, before)
        kind = word(at + (self._type << 3))
        following = word(at + (self._next << 3)) & mask
        if len(types) >= OBJECTS_MAX:
            return at, before, "it has no end"
        types.append(kind)
        if wants_links:
            links.append(at)
        return following, at, None

    def _from_behind(self, generation, torn_at, reason, types, links, wants_links):
        """What lies behind the tear, from the list's end back to it."""
        word, mask, head = self._memory.word, self._mask, generation.head
        found_types, found_links, seen = [], [], set()
        behind = head
        try:
            at = word(head + (self._prev << 3)) & mask
            while at and not at & 7 and at != head and at not in seen:
                if word(at + (self._next << 3)) & mask != behind:
                    break
                kind = word(at + (self._type << 3))
                seen.add(at)
                found_types.append(kind)
                found_links.append(at)
                behind = at
                at = word(at + (self._prev << 3)) & mask
        except Fault:
            pass  # This end of the tear cannot be read; the number below tells how far it went.
        if at == head and behind != head:
            # All the way back to the head: these are all of them, whatever the links forward say.
            types.clear()
            links.clear()
        forward = len(types)
        types.extend(reversed(found_types))
        if wants_links:
            links.extend(reversed(found_links))
        self.torn.append(Torn(generation, torn_at, reason, forward, len(found_types)))
