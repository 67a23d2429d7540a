# SPDX-License-Identifier: GPL-3.0-or-later
"""stats over records, the pictures it draws, and the console that records while nobody types."""

import json
import os
import re
import subprocess
import time
import xml.etree.ElementTree as ElementTree

import pytest

from support import png
from test_console import Terminal

SVG = "{http://www.w3.org/2000/svg}"
MIB = 1 << 20
BEGIN = 1795860000000
HEAD = {"leakinspect": "record", "format": 1, "time_ms": BEGIN, "pid": 4711, "start_ticks": 5,
        "runtime": "cpython", "version": "3.11.2", "build": "release",
        "program": "python3 <service>.py & co", "series": {"rss": "bytes", "objects": "count"}}
FAST = "--max-pause-share 100%"


def write(path, points, head=None):
    """A record of (seconds, rss, objects)."""
    lines = [head or HEAD] + [
        {"pid": 4711, "time_ms": BEGIN + int(at * 1000), "rss": rss, "objects": objects}
        for at, rss, objects in points]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def record(tmp_path):
    return write(tmp_path / "record", [(10 * i, 50 * MIB + i * MIB, 1000 + i) for i in range(31)])


@pytest.fixture
def growing(debian_python, start):
    return start("growing.py", debian_python)


@pytest.fixture
def terminal(leakinspect):
    opened = []

    def open_terminal(pid, *words, env=None):
        opened.append(Terminal(leakinspect, pid, words, env))
        return opened[-1]

    yield open_terminal
    for console in opened:
        console.stop()


def test_series_are_told_with_their_change(leakinspect, record):
    done = leakinspect.run("stats", "--record", record)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^rss +31 +50\.0 MiB +80\.0 MiB +\+30\.0 MiB +50\.0 MiB +80\.0 MiB$",
                     done.stdout, re.MULTILINE)
    assert re.search(r"^objects +31 +1,000 +1,030 +\+30 ", done.stdout, re.MULTILINE)
    assert ", over 5 min\n" in done.stdout
    # No terminal, no shapes.
    assert "TREND" not in done.stdout
    report = leakinspect("stats", "--record", record)
    assert report["target"]["pid"] == 4711 and report["target"]["version"] == "3.11.2"
    assert report["recording"]["recorded_ms"] == 300000
    assert report["series"][0]["change"] == 30 * MIB
    assert report["series"][1]["points"][-1] == {"time_ms": BEGIN + 300000, "value": 1030}


def test_one_series_is_told_point_by_point(leakinspect, record):
    report = leakinspect("stats", "--record", record, "rss")
    assert [row["name"] for row in report["series"]] == ["rss"]
    assert len(report["points"]) == 31
    assert report["points"][1] == {"time_ms": BEGIN + 10000, "value": 51 * MIB}
    text = leakinspect.run("stats", "-r", record, "rss", "-n", 2).stdout
    assert re.search(r"^[\d-]+ [\d:]+ +80\.0 MiB +\+1\.0 MiB$", text, re.MULTILINE)
    assert "(29 earlier points)" in text


def drawn(leakinspect, path, series, folder, style=""):
    """The SVG of a series, the root of its XML, and the pixels of its picture in the light or the
    dark: rsvg-convert knows no media queries, so that the dark rules are put in force by hand."""
    svg = folder / ("%s.svg" % series)
    report = leakinspect("stats", "--record", path, "-g", series, "-f", svg, "--force")
    assert report["chart"] == {"file": str(svg)}
    text = svg.read_text()
    root = ElementTree.fromstring(text)
    rules = re.search(r"@media \(prefers-color-scheme:dark\)\{(.*)\n\}\n</style>", text, re.DOTALL)
    if style == "dark":
        text = text.replace(rules.group(0), rules.group(1) + "</style>")
    (folder / "shown.svg").write_text(text)
    subprocess.run(["rsvg-convert", str(folder / "shown.svg"), "-o", str(folder / "shown.png")],
                   check=True, timeout=60)
    return text, root, png.pixels(str(folder / "shown.png"))


def texts(root, name):
    return [text.text for text in root.iter(SVG + "text") if text.get("class") == name]


@pytest.mark.parametrize("style, paper, line", [("light", (255, 255, 255), (0x0a, 0x5f, 0xd1)),
                                                ("dark", (0x0d, 0x11, 0x17), (0x58, 0xa6, 0xff))])
def test_a_chart_reads_well_alone(leakinspect, record, tmp_path, style, paper, line):
    text, root, pixels = drawn(leakinspect, record, "rss", tmp_path, style)
    # Alone: nothing is fetched, nothing is run.
    assert not re.search(r"<script|<image|href|url\(|@import|@font-face", text)
    assert texts(root, "title") == ["Resident memory (rss) of process 4711"]
    assert texts(root, "change") == ["+30.0 MiB in 5 min: from 50.0 MiB to 80.0 MiB"]
    assert texts(root, "value") == ["%d MiB" % mib for mib in range(50, 90, 10)]
    assert texts(root, "time") == ["0", "1 min", "2 min", "3 min", "4 min", "5 min"]
    assert texts(root, "note") == ["python3 <service>.py & co"]
    assert any(re.match(r"time since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}$", one.text or "")
               for one in root.iter(SVG + "text"))
    height, width = len(pixels), len(pixels[0])
    assert (width, height) == (860, 430)
    counts = {}
    for row in pixels:
        for pixel in row:
            counts[pixel] = counts.get(pixel, 0) + 1
    assert counts[paper] > width * height / 2
    # A line from the lower left to the upper right.
    where = [(x, y) for y, row in enumerate(pixels) for x, pixel in enumerate(row) if pixel == line]
    assert len(where) > 700
    first = [y for x, y in where if x < 100]
    last = [y for x, y in where if x > 800]
    assert min(first) > 300 and max(last) < 120
    # Axes, ticks, words.
    assert len(counts) > 50


CASES = {
    "one point": ([(0, 5 * MIB, 1)], "one point: 5.0 MiB"),
    "constant": ([(i, 5 * MIB, 1) for i in range(50)], "no change in 49 s: 5.0 MiB"),
    "nothing": ([(i, 0, 1) for i in range(50)], "no change in 49 s: 0 B"),
    "falling": ([(i, (90 - i) * MIB, 1) for i in range(50)],
                "-49.0 MiB in 49 s: from 90.0 MiB to 41.0 MiB"),
    "gaps": ([(i, None if i % 5 == 3 else i * MIB, 1) for i in range(50)],
             "+49.0 MiB in 49 s: from 0 B to 49.0 MiB"),
    "huge": ([(i * 86400 * 1000, 2 ** 62 + i * 2 ** 56, 1) for i in range(60)],
             "+3.7 EiB in 59000 d: from 4.0 EiB to 7.7 EiB"),
    "fast": ([(i / 1000, i * MIB, 1) for i in range(20)], "+19.0 MiB in 19 ms"),
    "long": ([(i, (800 if i != 12345 else 2000) * MIB + i % 7, 1) for i in range(30000)],
             "in 8 h 20 min: about 800.0 MiB"),
}


@pytest.mark.parametrize("case", CASES)
def test_every_series_can_be_drawn(leakinspect, tmp_path, case):
    points, change = CASES[case]
    path = write(tmp_path / "record", points)
    text, root, pixels = drawn(leakinspect, path, "rss", tmp_path)
    assert change in texts(root, "change")[0]
    assert len(text) < 200000
    blue = (0x0a, 0x5f, 0xd1)
    assert sum(row.count(blue) for row in pixels) >= 9, "nothing is drawn"
    if case == "long":
        # The one peak is there, in one column of pixels.
        assert sum(blue in row for row in pixels) > 150
    if case == "gaps":
        assert text.count("<path") == 10


def test_what_was_thinned_says_so(leakinspect, record, tmp_path):
    assert leakinspect("stats", "-r", record)["series"][0]["piece_ms"] is None
    long = write(tmp_path / "long", CASES["long"][0])
    rss = leakinspect("stats", "-r", long)["series"][0]
    assert rss["count"] == 30000 and rss["piece_ms"] > 1000
    assert 4000 < len(rss["points"]) <= 8192
    assert rss["max"] in [point["value"] for point in rss["points"]]
    assert "thinned: of each " in leakinspect.run("stats", "-r", long, "rss", "-n", 5).stdout


def test_a_chart_has_a_name_of_its_own_and_overwrites_nothing(leakinspect, record, tmp_path):
    done = leakinspect.run("stats", "-r", record, "-g", "rss", cwd=tmp_path)
    assert done.returncode == 0
    assert "wrote rss.svg" in done.stdout
    before = (tmp_path / "rss.svg").read_text()
    done = leakinspect.run("stats", "-r", record, "-g", "rss", cwd=tmp_path)
    assert done.returncode == 1 and "--force" in done.stderr
    assert (tmp_path / "rss.svg").read_text() == before
    assert leakinspect.run("stats", "-r", record, "-g", "rss", "--force",
                           cwd=tmp_path).returncode == 0
    assert sorted(os.listdir(tmp_path)) == ["record", "rss.svg"]


def test_a_full_disk_leaves_no_chart(leakinspect, record):
    done = leakinspect.run("stats", "-r", record, "-g", "rss", "-f", "/dev/full")
    assert done.returncode == 1
    assert "No space left" in done.stderr


def test_a_damaged_record_is_told_as_far_as_it_goes(leakinspect, record):
    whole = record.read_bytes()
    record.write_bytes(whole[:-30])
    report = leakinspect("stats", "-r", record)
    assert report["recording"]["points"] == 30
    assert report["problems"] == {"unreadable": 1, "truncated": 0, "texts": ["line 32: cut off"]}
    assert "unreadable: 1" in leakinspect.run("stats", "-r", record).stdout
    record.write_bytes(whole + b"\0" * 100000 + b"\n" + b"[" * 100000 + b"\n")
    report = leakinspect("stats", "-r", record)
    assert report["recording"]["points"] == 31
    assert report["problems"]["unreadable"] == 2


def test_a_hostile_record_can_do_no_harm(leakinspect, tmp_path):
    head = {**HEAD, "program": "\x1b[31m</text><script>\u202e" * 50, "version": "\x1b]0;owned\x07",
            "series": {"rss": "bytes", "../../x": "count", "\x1b[2J": "count"}}
    path = write(tmp_path / "record", [(0, 1, 1), (1, 2, 1)], head)
    done = leakinspect.run("stats", "-r", path, "-g", "rss", "-f", tmp_path / "rss.svg")
    assert done.returncode == 0
    svg = (tmp_path / "rss.svg").read_text()
    ElementTree.fromstring(svg)
    assert "<script" not in svg
    for text in (done.stdout, svg, leakinspect.run("stats", "-r", path).stdout):
        assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", text)


def test_several_processes_are_told_apart(leakinspect, tmp_path):
    path = write(tmp_path / "record", [(0, 1 * MIB, 1)])
    with path.open("a") as more:
        more.write(json.dumps({**HEAD, "pid": 4712}) + "\n")
        more.write(json.dumps({"pid": 4712, "time_ms": BEGIN, "rss": 9 * MIB}) + "\n")
        more.write(json.dumps({"pid": 4711, "time_ms": BEGIN + 1000, "rss": 2 * MIB}) + "\n")
    last = leakinspect("stats", "-r", path)
    assert last["target"]["pid"] == 4712 and last["series"][0]["last"] == 9 * MIB
    first = leakinspect("stats", "-r", path, "--process", 4711)
    assert first["target"]["pid"] == 4711 and first["series"][0]["last"] == 2 * MIB
    assert "1 other process in this file" in leakinspect.run("stats", "-r", path).stdout
    assert leakinspect.run("stats", "-r", path, "--process", 5).returncode == 1


@pytest.mark.parametrize("words, status, said", [
    ([], 2, "wants --record FILE"), (["rss"], 2, "wants --record FILE"),
    (["-r", "{}", "weight"], 2, "there are rss, objects"),
    (["-r", "{}", "rss", "pss"], 2, "one word too many"), (["-r", "{}", "-g"], 2, "wants NAME"),
    (["-r", "{}", "-f", "x"], 2, "-g NAME -f FILE"), (["--process", "5"], 2, "--process"),
    (["-r", "/nowhere"], 1, "cannot read '/nowhere'"), (["-r", "/"], 1, "is a directory"),
    (["-r", "/dev/zero"], 1, "no record"), (["-r", "/etc/passwd"], 1, "no record"),
])
def test_wrong_words_and_files_are_a_sentence(leakinspect, record, words, status, said):
    done = leakinspect.run("stats", *[word.format(record) for word in words])
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr


def test_the_console_records_while_nobody_types(terminal, growing, tmp_path):
    console = terminal(growing.pid, env={"LC_ALL": "C.UTF-8"})
    console.until_prompt()
    assert "nothing is recorded now" in console.ask("watch")
    assert "no point yet" in console.ask("stats")
    said = console.ask("watch 100ms " + FAST)
    assert "1 point from" in said and "recording every 100 ms" in said
    growing.ask("grow 1000")
    time.sleep(1.5)
    report = json.loads(console.ask("stats --json"))
    assert report["recording"]["running"] is True
    assert 5 <= report["recording"]["points"] < 40
    objects = {row["name"]: row for row in report["series"]}["objects"]
    assert objects["change"] >= 1000
    # What is typed meanwhile stays whole.
    console.child.send("types -q ")
    time.sleep(0.5)
    console.child.sendline("-n 1")
    assert re.search(r"^TYPE ", console.until_prompt().partition("\n")[2], re.MULTILINE)
    table = console.ask("stats")
    assert re.search(r"^objects .* [▁▂▃▄▅▆▇█]+$", table, re.MULTILINE)
    assert re.search(r"[▁▂▃▄▅▆▇█]{6,}", console.ask("stats rss"))
    assert "wrote" in console.ask("stats -g rss -f %s/rss.svg" % tmp_path)
    ElementTree.parse(tmp_path / "rss.svg")
    assert "ended: switched off" in console.ask("watch off")
    ended = json.loads(console.ask("stats --json"))
    time.sleep(0.4)
    assert json.loads(console.ask("stats --json"))["recording"] == ended["recording"]
    assert console.leave() == 0
    assert growing.is_alive() and growing.status("TracerPid") == "0"


def test_ctrl_c_drops_the_line_and_not_the_recording(terminal, growing):
    console = terminal(growing.pid)
    console.until_prompt()
    console.ask("watch 50ms " + FAST)
    for _ in range(5):
        console.child.send("types --nons")
        console.child.expect_exact("types --nons")
        console.child.sendintr()
        console.until_prompt()
    before = json.loads(console.ask("stats --json"))["recording"]["points"]
    time.sleep(0.5)
    after = json.loads(console.ask("stats --json"))["recording"]
    assert after["running"] and after["points"] > before
    assert console.leave() == 0
    assert growing.is_alive() and growing.status("TracerPid") == "0"


def test_what_was_recorded_outlives_the_process(terminal, growing, tmp_path):
    console = terminal(growing.pid)
    console.until_prompt()
    console.ask("watch 100ms %s --record %s/record" % (FAST, tmp_path))
    time.sleep(0.5)
    growing.finish()
    console.child.expect_exact("process %d has ended" % growing.pid)
    console.until_prompt()
    report = json.loads(console.ask("stats --json"))
    assert report["recording"]["points"] >= 2
    assert report["recording"]["ended"] == "the process has ended"
    assert console.leave() == 0
    assert (tmp_path / "record").read_text().splitlines()[-1].endswith(
        '"end":"the process has ended"}')


def test_leaving_the_console_ends_the_record(terminal, leakinspect, growing, tmp_path):
    console = terminal(growing.pid)
    console.until_prompt()
    console.ask("watch 1h --record %s/record" % tmp_path)
    assert console.leave() == 0
    report = leakinspect("stats", "-r", tmp_path / "record")
    assert report["recording"]["ended"] == "the console was left"


def test_a_record_that_cannot_be_written_is_told_at_the_prompt(terminal, growing):
    console = terminal(growing.pid)
    console.until_prompt()
    assert "No space left" in console.ask("watch 1s --record /dev/full")
    assert "nothing is recorded now" in console.ask("watch")
    assert console.leave() == 0


def test_scripts_record_between_and_while_they_wait_for_lines(leakinspect, growing):
    process = leakinspect.start("attach", growing.pid, stdin=subprocess.PIPE, bufsize=0,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        process.stdin.write(b"watch 50ms --max-pause-share 100 -q\n")
        time.sleep(1)
        said, complaint = process.communicate(b"stats --json\n", timeout=60)
    finally:
        process.kill()
    assert (process.returncode, complaint) == (0, b"")
    assert json.loads(said[said.index(b"{"):])["recording"]["points"] >= 4
    done = leakinspect.run("attach", growing.pid, "-c", "watch 1h -q", "-c", "stats --json -q")
    assert json.loads(done.stdout[done.stdout.index("{"):])["recording"]["points"] == 1
