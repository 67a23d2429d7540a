# SPDX-License-Identifier: GPL-3.0-or-later
"""The references that are found are those that the interpreter's own collector sees: for every
tracked object of a heap with one of everything in it, the same ones, each as often."""

import collections
import json
import sqlite3

import pytest

from support.target import Target

# Types that are not exact, with the reason.
KNOWN = {
}
EXACT = 0.999
# Of how many types objects must have taken part.
TYPES_MIN = 350
SHOWN = 3


class Truth:
    """What the program wrote: references {address: sorted addresses}, names {address: type}."""

    def __init__(self, path):
        with open(path, encoding="ascii") as written:
            *lines, names = written.read().splitlines()
        names = json.loads(names)
        self.references, self.names = {}, {}
        for line in lines:
            at, kind, *to = [int(word, 16) for word in line.split()]
            self.references[at] = sorted(to)
            self.names[at] = names[kind]


class Export:
    """What was exported: the same, of edges that the collector sees."""

    def __init__(self, path):
        database = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
        self.addresses, self.names, self.tracked, self.generations = {}, {}, set(), {}
        for number, address, name, tracked, generation in database.execute(
                "SELECT o.id, o.address, t.name, o.tracked, o.generation"
                " FROM objects o JOIN types t ON t.id = o.type"):
            at = int(address, 16)
            self.addresses[number] = at
            self.names[at] = name
            self.generations[at] = generation
            if tracked:
                self.tracked.add(at)
        references = collections.defaultdict(list)
        for source, target in database.execute("SELECT src, dst FROM refs WHERE kind = 'gc'"):
            references[self.addresses[source]].append(self.addresses[target])
        self.references = {at: sorted(to) for at, to in references.items()}
        database.close()

    def name(self, at):
        return "%#x %s" % (at, self.names.get(at, "(not in the export)"))


@pytest.fixture(scope="module")
def heaps(leakinspect, tmp_path_factory):
    """heaps(interpreter) -> what the program said, the export, what the program said after that;
    made once for each interpreter."""
    seen = {}

    def look(interpreter):
        if interpreter.name not in seen:
            seen.clear()
            folder = tmp_path_factory.mktemp("edges")
            written, exported = folder / "referents", folder / "heap.sqlite"
            target = Target("edges.py", interpreter, args=[written])
            try:
                assert target.ready == "", "a part of the heap could not be made"
                count = int(target.ask("look"))
                before = Truth(written)
                assert count == len(before.references)
                done = leakinspect.run("export", target.pid, "-o", exported)
                assert done.returncode == 0, done.stderr
                target.ask("look")
                seen[interpreter.name] = before, Export(exported), Truth(written)
            finally:
                target.stop()
        return seen[interpreter.name]
    return look


def test_the_program_itself_sees_the_same_references_before_and_after(interpreter, heaps):
    before, _, after = heaps(interpreter)
    changed = {before.names[at] for at, to in before.references.items()
               if after.references.get(at) != to}
    appeared = {after.names[at] for at in set(after.references) - set(before.references)}
    assert (changed, appeared) == (set(), set())
    # A heap worth the name.
    assert len(set(before.names.values())) >= TYPES_MIN
    assert len(before.references) > 25000


def explained(different, names, export, truth):
    """Text: by type, how many are different, and examples with what is missing and what is extra."""
    by_type = collections.defaultdict(list)
    for at in different:
        by_type[names[at]].append(at)
    lines = []
    for name, found in sorted(by_type.items(), key=lambda item: (-len(item[1]), item[0])):
        total = sum(1 for other in names.values() if other == name)
        lines.append("%s: %d of %d differ" % (name, len(found), total))
        for at in found[:SHOWN]:
            expected = collections.Counter(truth.references[at])
            got = collections.Counter(export.references.get(at, []))
            lines.append("    %#x is in the export as %s" % (at, export.name(at)))
            for word, these in (("missing", expected - got), ("extra", got - expected)):
                lines += ["        %s %d times %s" % (word, count, export.name(to))
                          for to, count in list(these.items())[:SHOWN]]
    return "\n".join(lines)


def test_the_references_of_every_tracked_object_are_those_the_collector_sees(interpreter, heaps):
    before, export, after = heaps(interpreter)
    # Those that changed meanwhile (there are none, says the test above) would prove nothing.
    compared = [at for at, to in before.references.items() if after.references.get(at) == to]
    different = [at for at in compared
                 if export.references.get(at, []) != before.references[at]]
    text = explained(different, before.names, export, before)
    unexplained = [at for at in different if before.names[at] not in KNOWN]
    exact = 1 - len(different) / len(compared)
    text = "%d objects of %d, exact: %.4f %%\n%s" % (len(different), len(compared), exact * 100, text)
    assert exact >= EXACT, text
    assert not unexplained, text


def test_the_tracked_objects_are_those_of_the_program(interpreter, heaps):
    before, export, _ = heaps(interpreter)
    missing = collections.Counter(before.names[at] for at in before.references
                                  if at not in export.tracked)
    assert not missing
    wrong = {(before.names[at], export.names[at]) for at in before.references
             if before.names[at] != export.names[at]}
    # An instance of an old-style class goes by its class's name.
    assert {pair for pair in wrong if pair[0] != "instance"} == set()


def test_every_reference_has_a_kind_and_leads_from_object_to_object(debian_python, start, leakinspect,
                                                                   tmp_path):
    target = start("idle.py", debian_python)
    exported = tmp_path / "heap.sqlite"
    done = leakinspect.run("export", target.pid, "-o", exported)
    assert done.returncode == 0, done.stderr
    with sqlite3.connect(exported) as database:
        kinds = {kind for kind, in database.execute("SELECT DISTINCT kind FROM refs")}
        assert "gc" in kinds and kinds <= {"gc", "owned", "guess", "weak"}
        (lost,), = database.execute(
            "SELECT count(*) FROM refs WHERE src NOT IN (SELECT id FROM objects)"
            " OR dst NOT IN (SELECT id FROM objects)")
        assert lost == 0
        (lost,), = database.execute(
            "SELECT count(*) FROM objects WHERE type NOT IN (SELECT id FROM types)")
        assert lost == 0
