# SPDX-License-Identifier: GPL-3.0-or-later
"""`graph`: pictures of who holds an object, read back and compared with what the program says."""

import json
import os
import re
import stat
import struct
import subprocess
import time
import xml.etree.ElementTree
import zlib

import pytest

ADDRESS = re.compile(r"0x[0-9a-f]+$")


@pytest.fixture
def target(interpreter, start):
    return start("pictures.py", interpreter)


@pytest.fixture
def one(debian_python, start):
    return start("pictures.py", debian_python)


class Picture:
    """What Graphviz itself reads in a file of DOT."""

    def __init__(self, path):
        said = subprocess.run(["dot", "-Tdot_json", str(path)], check=True, capture_output=True)
        document = json.loads(said.stdout)
        names = [node["name"] for node in document["objects"]]
        self.nodes = {node["name"]: node for node in document["objects"]}
        self.edges = {}
        for edge in document.get("edges", []):
            self.edges[names[edge["tail"]], names[edge["head"]]] = edge
        self.objects = [name for name in names if ADDRESS.match(name)]
        self.title = document["label"]

    def between_objects(self, *, gc_only=False):
        """[[from, to]] of references among objects, sorted."""
        return sorted([tail, head] for (tail, head), edge in self.edges.items()
                      if ADDRESS.match(tail) and ADDRESS.match(head) and not
                      (gc_only and (edge.get("style") or edge.get("arrowhead"))))


@pytest.fixture
def draw(leakinspect, tmp_path):
    def draw_picture(pid, *words):
        path = tmp_path / "picture.dot"
        report = leakinspect("graph", pid, *words, "-o", path, "--force")
        picture = Picture(path)
        assert report["objects"] == len(picture.objects)
        return picture
    return draw_picture


@pytest.mark.parametrize("words", [("--referrers",), ("--refs",), ("--refs", "--referrers")])
def test_edges_are_those_that_gc_tells(draw, target, words):
    facts = target.ask_json("facts")
    picture = draw(target.pid, facts["child"], *words, "--depth", 2, "--breadth", 100)
    assert facts["child"] in picture.objects
    expected = target.ask_json("edges " + " ".join(picture.objects))
    drawn = picture.between_objects()
    assert [pair for pair in expected if pair not in drawn] == []
    # What the collector does not see looks different.
    assert [pair for pair in picture.between_objects(gc_only=True) if pair not in expected] == []
    if "--refs" in words:
        assert [facts["child"], facts["parent"]] in drawn
        assert [facts["child"], facts["leaf"]] in drawn
    if "--referrers" in words:
        assert [facts["table"], facts["child"]] in drawn
        assert picture.edges[facts["parent"], facts["child"]]["label"] == ".child"


def test_a_cycle_is_its_objects_and_who_holds_them(draw, target):
    facts = target.ask_json("facts")
    picture = draw(target.pid, "__main__.Parent", "--cycle", "--breadth", 3)
    assert "Parent.child -> Child.parent" in picture.title
    there, back = facts["parent"], facts["child"]
    assert picture.edges[there, back]["color"] == picture.edges[back, there]["color"]
    assert picture.edges[there, back]["label"] == ".child"
    assert picture.edges[back, there]["label"] == ".parent"
    assert "finalizer: " in picture.nodes[there]["label"]
    assert picture.nodes[there]["fillcolor"] != picture.nodes[back]["fillcolor"] == "white"
    assert picture.nodes[there]["penwidth"] == "3"


def test_the_example_of_a_row_of_cycles(leakinspect, draw, one):
    rows = leakinspect("cycles", one.pid)["cycles"]
    picture = draw(one.pid, "--cycle")
    assert set(rows[0]["example"]) <= set(picture.objects)
    assert rows[0]["shape"] in picture.title
    done = leakinspect.run("graph", one.pid, "--cycle", "--row", 1000, "-o", "/tmp/none.dot")
    assert done.returncode == 1 and "no row 1000" in done.stderr


def test_roots_are_named_and_of_their_own_shape(draw, target):
    picture = draw(target.pid, "__main__.Leaf", "--depth", 5, "--breadth", 20)
    roots = [node for name, node in picture.nodes.items() if name.startswith("root ")]
    assert "module __main__" in [node["label"] for node in roots]
    assert {node["shape"] for node in roots} & {"box", None} == set()


def test_a_crowd_of_holders_is_cut_and_counted(leakinspect, draw, target):
    crowded = target.ask("crowd 100000")
    started = time.monotonic()
    picture = draw(target.pid, crowded)
    assert time.monotonic() - started < 60
    assert len(picture.objects) < 40
    (more,) = [node["label"] for name, node in picture.nodes.items()
               if name == "holders of " + crowded]
    holders = [tail for tail, head in picture.edges if head == crowded and ADDRESS.match(tail)]
    assert len(holders) == 5
    assert any("Item" not in picture.nodes[holder]["label"] for holder in holders)
    found = re.match(r"\.\.\. ([\d,]+) more\\n([\d,]+) __main__.Item$", more)
    items = [holder for holder in holders if "__main__.Item" in picture.nodes[holder]["label"]]
    assert int(found.group(2).replace(",", "")) == 100000 - len(items), more


def test_hostile_names_are_text(leakinspect, draw, one, tmp_path):
    types = leakinspect("types", one.pid, "--filter", "__main__.")["types"]
    names = [row["name"] for row in types if re.search(r'quote|back|new\nl|<b>|31m|digraph|yyy',
                                                      row["name"])]
    assert len(names) == 7
    odd = [leakinspect("refs", one.pid, name)["object"]["address"] for name in names]
    picture = draw(one.pid, *odd, "--refs", "--referrers", "--depth", 1, "--breadth", 50)
    assert set(odd) <= set(picture.objects)
    for node in picture.nodes.values():
        assert len(node["label"]) < 400
    svg, png = tmp_path / "odd.svg", tmp_path / "odd.png"
    leakinspect("graph", one.pid, *odd, "-o", svg)
    leakinspect("graph", one.pid, *odd, "-o", png)
    text = "".join(xml.etree.ElementTree.parse(svg).getroot().itertext())
    assert '__main__.quote"];evil[label="' in text
    assert "__main__.back\\slash\\N\\l" in text
    assert "__main__.<b>bold</b>&amp;&#60;" in text
    assert "__main__.\\x1b[31mred" in text
    assert "yyyy" in text and "y" * 60 not in text


def test_an_svg_is_xml_with_every_object(leakinspect, one, tmp_path):
    facts = one.ask_json("facts")
    path = tmp_path / "cart.svg"
    report = leakinspect("graph", one.pid, facts["leaf"], "-o", path)
    assert report["format"] == "svg"
    root = xml.etree.ElementTree.parse(path).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert facts["leaf"] in "".join(root.itertext())


def pixels(path):
    """All bytes of a PNG's lines, unfiltered or not: enough to tell whether it is blank."""
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    at, data = 8, b""
    while at < len(content):
        length, kind = struct.unpack(">I4s", content[at:at + 8])
        if kind == b"IDAT":
            data += content[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, height = struct.unpack(">II", content[at + 8:at + 16])
        at += 12 + length
    return width, height, zlib.decompress(data)


def test_a_png_is_not_blank(leakinspect, one, tmp_path):
    path = tmp_path / "pair.PNG"
    leakinspect("graph", one.pid, "--cycle", "-o", path)
    width, height, data = pixels(path)
    assert width > 200 and height > 80
    assert len(set(data)) > 20


def test_without_dot_there_is_a_sentence_and_no_stop(leakinspect, one, tmp_path):
    path = tmp_path / "cart.svg"
    done = leakinspect.run("graph", one.pid, "__main__.Leaf", "-o", path,
                           env={"PATH": str(tmp_path)})
    assert (done.returncode, done.stdout) == (1, "")
    assert "graphviz" in done.stderr and "-o FILE.dot" in done.stderr
    assert list(tmp_path.iterdir()) == []
    done = leakinspect.run("graph", one.pid, "__main__.Leaf", "-o", tmp_path / "cart.dot",
                           env={"PATH": ""})
    assert done.returncode == 0


def fake_dot(folder, script):
    program = folder / "bin" / "dot"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n" + script)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return str(program.parent)


def test_a_dot_that_fails_is_told_and_leaves_no_file(leakinspect, one, tmp_path):
    folder = fake_dot(tmp_path, "echo 'no such font' >&2; exit 3\n")
    done = leakinspect.run("graph", one.pid, "__main__.Leaf", "-o", tmp_path / "x.png",
                           env={"PATH": folder})
    assert done.returncode == 1
    assert "(status 3): no such font" in done.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["bin"]


def test_a_dot_that_hangs_ends_with_ctrl_c(leakinspect, one, tmp_path):
    folder = fake_dot(tmp_path, "echo $$ > '%s'; exec sleep 1000\n" % (tmp_path / "pid"))
    environment = {"PATH": folder + ":" + os.environ["PATH"]}
    process = leakinspect.start("graph", one.pid, "__main__.Leaf", "-o", tmp_path / "x.png",
                                env=environment, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.01)
    process.send_signal(2)
    assert b"interrupted" in process.communicate(timeout=30)[1]
    assert process.returncode == 1
    assert not os.path.exists("/proc/" + (tmp_path / "pid").read_text().strip())
    assert not (tmp_path / "x.png").exists()


def test_wrong_words_are_told(leakinspect, one, tmp_path):
    def said(*words, file="x.dot"):
        done = leakinspect.run("graph", one.pid, *words, "-o", tmp_path / file)
        assert done.returncode == 2
        return done.stderr

    assert "wants OBJECT" in said()
    assert "tells no format" in said("__main__.Leaf", file="x.gif")
    assert "--row goes with --cycle" in said("__main__.Leaf", "--row", "2")
    assert "from 1" in said("__main__.Leaf", "--breadth", "0")
    done = leakinspect.run("graph", one.pid, "__main__.Leaf", "--cycle", "-o", tmp_path / "y.dot")
    assert done.returncode == 1 and "no cycle goes through" in done.stderr
    done = leakinspect.run("graph", one.pid, "__main__.Leaf")
    assert done.returncode == 2 and "wants -o FILE" in done.stderr
