# SPDX-License-Identifier: GPL-3.0-or-later
"""watch of several processes: those that are named, and the workers of a server, which come and go."""

import os
import re
import signal
import subprocess

import pytest

from support.watching import FAST, get, samples, wait_for

KEPT = "__main__.Kept"


@pytest.fixture
def prefork(debian_python, start):
    return start("prefork.py", debian_python)


def processes_of(report):
    return {row["pid"]: row for row in report["processes"]}


def pids_at(url):
    """Who is told of at the moment."""
    status, _, text = get(url)
    found = samples(text) if status == 200 else {}
    return {int(labels[0]) for name, labels in found if name == "leakinspect_up"}


def test_several_processes_have_rows_of_their_own(debian_python, start, leakinspect):
    targets = [start("growing.py", debian_python) for _ in range(3)]
    pids = [target.pid for target in targets]
    objects = {pid: leakinspect("types", pid)["total"]["count"] for pid in pids}
    report = leakinspect("watch", *pids, "-c", 2, *FAST)
    found = processes_of(report)
    assert sorted(found) == sorted(pids)
    for pid in pids:
        assert found[pid]["objects"] == objects[pid]
        assert (found[pid]["points"], found[pid]["child"]) == (2, False)
        assert found[pid]["ended"] == "all points were taken"
    # What a watch of one tells is of the first.
    assert report["target"]["pid"] == pids[0] and report["recording"]["points"] == 2
    text = leakinspect.run("watch", *pids, "-c", 2, *FAST).stdout
    assert re.search(r"^TIME +PID +RSS +VSS +PSS +OBJECTS +GARBAGE +PAUSE$", text, re.MULTILINE)
    for pid in pids:
        assert len(re.findall(r"^\d\d:\d\d:\d\d +%d " % pid, text, re.MULTILINE)) == 2


def test_types_are_told_process_by_process(debian_python, start, watching, tmp_path):
    targets = [start("growing.py", debian_python) for _ in range(2)]
    one = watching(*[target.pid for target in targets], *FAST, "--json", "--listen", "0")
    url = one.url()
    wait_for(lambda: len(pids_at(url)) == 2, "points")
    for count, target in enumerate(targets, 1):
        target.ask("grow %d" % (count * 100))
    wait_for(lambda: all(samples(get(url)[2]).get(
        ("leakinspect_type_growth_objects", (str(target.pid), KEPT))) == count * 100
        for count, target in enumerate(targets, 1)), "growth")
    rows = {row["pid"]: row for row in one.report()["types"] if row["name"] == KEPT}
    assert [rows[target.pid]["instances"] for target in targets] == [100, 200]


def test_one_that_ends_ends_no_other(debian_python, start, watching):
    targets = [start("growing.py", debian_python) for _ in range(3)]
    one = watching(*[target.pid for target in targets], *FAST, "--json", "--listen", "0")
    url = one.url()
    wait_for(lambda: len(pids_at(url)) == 3, "points")
    # The first, and one by force.
    targets[0].finish()
    targets[2].stop()
    wait_for(lambda: pids_at(url) == {targets[1].pid}, "ends")
    points = samples(get(url)[2])["leakinspect_points_total", (str(targets[1].pid),)]
    wait_for(lambda: samples(get(url)[2])["leakinspect_points_total", (str(targets[1].pid),)]
             > points + 2, "points")
    report = one.report()
    found = processes_of(report)
    assert found[targets[0].pid]["ended"] == found[targets[2].pid]["ended"] == "the process has ended"
    assert found[targets[1].pid]["ended"] == "interrupted"


def test_it_ends_when_all_have_ended(debian_python, start, watching):
    targets = [start("growing.py", debian_python) for _ in range(2)]
    one = watching(*[target.pid for target in targets], "-i", "1h", "--listen", "0")
    wait_for(lambda url=one.url(): len(pids_at(url)) == 2, "points")
    for target in targets:
        target.finish()
    status, out, _ = one.end(None)
    assert status == 0
    assert out.count("is not watched any more: the process has ended") == 2


def test_one_that_runs_another_program_is_watched_no_more(debian_python, start, watching, tmp_path):
    target = start("growing.py", debian_python)
    path = tmp_path / "leak.prom"
    one = watching(target.pid, "-i", "1h", "--json", "--metrics", path)
    wait_for(path.exists, "point")
    target.tell("become")
    recording = one.report(None)["recording"]
    assert (recording["ended"], recording["points"]) == ("it runs another program now", 1)
    assert samples(path.read_text(encoding="utf-8"))["leakinspect_processes", ()] == 0


def test_of_several_one_that_runs_another_program_is_dropped(debian_python, start, watching):
    targets = [start("growing.py", debian_python) for _ in range(2)]
    one = watching(*[target.pid for target in targets], *FAST, "--listen", "0")
    url = one.url()
    wait_for(lambda: len(pids_at(url)) == 2, "points")
    targets[0].tell("become")
    wait_for(lambda: pids_at(url) == {targets[1].pid}, "end")
    status, out, _ = one.end()
    assert status == 0
    assert out.count("process %d is not watched any more: it runs another program now"
                     % targets[0].pid) == 1


def test_a_process_that_cannot_be_watched_is_named_once(debian_python, start, leakinspect):
    target = start("growing.py", debian_python)
    other = subprocess.Popen(["sleep", "600"])
    try:
        done = leakinspect.run("watch", target.pid, other.pid, *FAST)
    finally:
        other.kill()
        other.wait()
    assert done.returncode != 0
    assert done.stderr.count("process %d" % other.pid) == 1
    zombie = subprocess.Popen(["true"])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    done = leakinspect.run("watch", target.pid, zombie.pid, *FAST)
    zombie.wait()
    assert "process %d (" % zombie.pid in done.stderr
    assert done.stderr.count("process %d" % zombie.pid) == 1


def test_workers_are_found_and_counted(prefork, leakinspect):
    workers = list(map(int, prefork.ask("spawn 3").split()))
    report = leakinspect("watch", prefork.pid, "--children", "-c", 3, *FAST)
    found = processes_of(report)
    assert sorted(found) == sorted([prefork.pid, *workers])
    assert not found[prefork.pid]["child"] and all(found[pid]["child"] for pid in workers)
    assert all(found[pid]["points"] >= 1 and found[pid]["objects"] > 1000 for pid in workers)
    assert all(found[pid]["pause_share"] is None or found[pid]["pause_share"] > 0
               for pid in workers)
    for pid in workers:
        with open("/proc/%d/status" % pid, encoding="ascii") as status:
            assert "TracerPid:\t0\n" in status.read()


def test_workers_come_and_go(prefork, watching):
    first = int(prefork.ask("spawn 1"))
    one = watching(prefork.pid, "--children", *FAST, "--json", "--listen", "0")
    url = one.url()
    wait_for(lambda: pids_at(url) == {prefork.pid, first}, "first worker")
    second = int(prefork.ask("spawn 1"))
    wait_for(lambda: pids_at(url) == {prefork.pid, first, second}, "second worker")
    assert int(prefork.ask("retire")) == first
    wait_for(lambda: pids_at(url) == {prefork.pid, second}, "going")
    assert int(prefork.ask("kill")) == second
    wait_for(lambda: pids_at(url) == {prefork.pid}, "death")
    third = int(prefork.ask("spawn 1"))
    wait_for(lambda: pids_at(url) == {prefork.pid, third}, "third worker")
    found = samples(get(url)[2])
    assert found["leakinspect_processes_opened_total", ()] == 4
    assert found["leakinspect_processes_ended_total", ()] == 2
    rows = processes_of(one.report())
    assert {pid: row["ended"] for pid, row in rows.items()} == {
        prefork.pid: "interrupted", first: "the process has ended",
        second: "the process has ended", third: "interrupted"}


def test_who_comes_and_goes_is_said(prefork, watching):
    one = watching(prefork.pid, "--children", *FAST, "--listen", "0")
    url = one.url()
    wait_for(lambda: pids_at(url) == {prefork.pid}, "point")
    worker = int(prefork.ask("spawn 1"))
    wait_for(lambda: worker in pids_at(url), "worker")
    prefork.ask("retire")
    wait_for(lambda: worker not in pids_at(url), "going")
    status, out, err = one.end()
    assert (status, err) == (0, "")
    assert re.search(r"^\d\d:\d\d:\d\d  process %d is watched, too: .*prefork\.py$" % worker, out,
                     re.MULTILINE)
    assert re.search(r"^\d\d:\d\d:\d\d  process %d is not watched any more: the process has ended$"
                     % worker, out, re.MULTILINE)
    assert re.search(r"^\d\d:\d\d:\d\d +%d +[\d.]+ MiB" % worker, out, re.MULTILINE)


def test_children_of_children_are_found(prefork, watching):
    worker = int(prefork.ask("spawn 1"))
    grandchild = int(prefork.ask("deep"))
    one = watching(prefork.pid, "--children", *FAST, "--json", "--listen", "0")
    wait_for(lambda url=one.url(): pids_at(url) == {prefork.pid, worker, grandchild}, "all three")
    assert grandchild in processes_of(one.report())


def test_a_child_that_is_no_python_is_told_once_and_left_alone(prefork, watching):
    worker = int(prefork.ask("spawn 1"))
    other = int(prefork.ask("other"))
    one = watching(prefork.pid, "--children", *FAST)
    # Not before it is old enough to be what it will be.
    said = []
    while not said or "is not watched:" not in said[-1]:
        said.append(one.process.stdout.readline())
        assert said[-1]
    for _ in range(40):
        said.append(one.process.stdout.readline())
    status, out, _ = one.end()
    assert status == 0
    out = "".join(said) + out
    assert out.count("process %d is not watched: " % other) == 1
    assert "process %d is not watched" % worker not in out


def test_growth_of_workers_is_told(prefork, watching):
    workers = list(map(int, prefork.ask("spawn 2").split()))
    one = watching(prefork.pid, "--children", *FAST, "--json", "--listen", "0")
    url = one.url()
    wait_for(lambda: len(pids_at(url)) == 3, "workers")
    prefork.ask("grow 250")
    wait_for(lambda: all(samples(get(url)[2]).get(
        ("leakinspect_type_growth_objects", (str(pid), KEPT))) == 250 for pid in workers), "growth")
    rows = {row["pid"]: row["instances"] for row in one.report()["types"] if row["name"] == KEPT}
    assert rows == {pid: 250 for pid in workers}


def test_the_memory_of_the_watch_does_not_grow_with_those_that_were(prefork, watching):
    one = watching(prefork.pid, "--children", *FAST, "--json", "--listen", "0")
    url = one.url()
    wait_for(lambda: pids_at(url) == {prefork.pid}, "point")

    def resident():
        with open("/proc/%d/status" % one.process.pid, encoding="ascii") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))

    def open_files():
        return len(os.listdir("/proc/%d/fd" % one.process.pid))

    def come_and_go():
        workers = set(map(int, prefork.ask("spawn 4").split()))
        wait_for(lambda: workers <= pids_at(url), "workers")
        for _ in workers:
            prefork.ask("retire")
        wait_for(lambda: pids_at(url) == {prefork.pid}, "going")

    for _ in range(5):
        come_and_go()
    before = resident()
    for _ in range(20):
        come_and_go()
    assert resident() < before * 1.1 + 512
    # The one session that is left, between two of its points.
    wait_for(lambda: open_files() < 16, "closing")
    report = one.report()
    # The last of them have a row, and the others are counted.
    assert 64 <= len(report["processes"]) <= 66
    assert any("101 processes were watched" in note for note in report["notes"])


def test_each_has_a_record_of_its_own(prefork, leakinspect, tmp_path):
    worker = int(prefork.ask("spawn 1"))
    leakinspect("watch", prefork.pid, "--children", "-c", 3, *FAST, "--record",
                tmp_path / "%p.record")
    assert sorted(os.listdir(tmp_path)) == sorted(["%d.record" % prefork.pid,
                                                   "%d.record" % worker])
    report = leakinspect("stats", "--record", tmp_path / ("%d.record" % worker))
    assert report["target"]["pid"] == worker


@pytest.mark.parametrize("words, status, said", [
    (["4000000"], 1, "no process 4000000"), (["4000000"], 1, "an interval has a unit, as 4000000s"), (["{pid}"], 2, "named twice"),
    (["0"], 2, "no process id"), (["99999999999999"], 2, "no process id"),
    (["--children", "--record", "/tmp/none"], 2, "%p"),
    (["{other}"], 4, "process {other}: not a process of a runtime"),
])
def test_wrong_processes_are_refused(prefork, leakinspect, words, status, said):
    other = prefork.ask("other")
    words = [word.format(pid=prefork.pid, other=other) for word in words]
    done = leakinspect.run("watch", prefork.pid, *words)
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    assert said.format(other=other) in done.stderr
    assert prefork.status("TracerPid") == "0"


def test_ctrl_c_lets_all_of_them_go(prefork, watching):
    workers = list(map(int, prefork.ask("spawn 3").split()))
    for _ in range(5):
        one = watching(prefork.pid, "--children", *FAST, "--listen", "0")
        wait_for(lambda url=one.url(): len(pids_at(url)) == 4, "workers")
        assert one.end(signal.SIGINT)[0] == 0
        for pid in [prefork.pid, *workers]:
            with open("/proc/%d/status" % pid, encoding="ascii") as status:
                text = status.read()
            assert "TracerPid:\t0\n" in text and re.search(r"State:\t[SR]", text)


def test_a_killed_watch_leaves_them_running(prefork, watching):
    workers = list(map(int, prefork.ask("spawn 3").split()))
    one = watching(prefork.pid, "--children", *FAST, "--listen", "0")
    wait_for(lambda url=one.url(): len(pids_at(url)) == 4, "workers")
    one.process.kill()
    one.process.wait()
    assert prefork.ask("grow 1") == "ok"
    assert prefork.is_alive() and len(workers) == 3
    assert subprocess.run(["pgrep", "-P", str(prefork.pid)], capture_output=True, text=True,
                          check=True).stdout.split() == [str(pid) for pid in sorted(workers)]
