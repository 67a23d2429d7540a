# SPDX-License-Identifier: GPL-3.0-or-later
"""The leaking service of demo/: each URL leaves behind what demo/README.md says, as the service's own
/stats tells, under real load from ab; and its README's commands print what stands there."""

import os
import re
import signal
import socket
import subprocess
import time
import urllib.error

import pytest

from support.demo import PROGRAM, REPOSITORY, REQUESTS

README = os.path.join(REPOSITORY, "demo", "README.md")


def changes(before, after):
    """What there is more, or less, of: {type: difference}."""
    both = set(before) | set(after)
    return {name: after.get(name, 0) - before.get(name, 0) for name in both
            if after.get(name, 0) != before.get(name, 0)}


def of_the_demo(types):
    """The demo's own leaks, without what serves the requests."""
    return {name: count for name, count in types.items()
            if name.startswith("leak_demo.") and name not in ("leak_demo.Server",
                                                               "leak_demo.Handler")}


def test_five_hundred_requests_leave_a_thousand_objects_that_no_collection_frees(start_demo):
    demo = start_demo()
    demo.load("cycle")
    assert of_the_demo(demo.stats()["types"]) == {"leak_demo.Parent": 500, "leak_demo.Child": 500}
    for _ in range(3):
        collected = demo.stats("collect")
        assert collected["garbage"] == 1000
        assert collected["garbage_by_type"] == {"leak_demo.Parent": 500, "leak_demo.Child": 500}
        assert of_the_demo(collected["types"]) == {"leak_demo.Parent": 500,
                                                   "leak_demo.Child": 500}
    assert collected["requests"]["/cycle"] == 500


@pytest.mark.parametrize("page, left", [
    ("ok", {}),
    ("fixed", {}),
    ("cycle", {"leak_demo.Parent": 500, "leak_demo.Child": 500}),
    ("pending", {"leak_demo.PendingParent": 500, "leak_demo.PendingChild": 500}),
    ("global", {"leak_demo.Visit": 500}),
])
def test_a_page_leaves_what_it_promises_and_nothing_else(start_demo, page, left):
    demo = start_demo("--no-gc")
    demo.load("ok", 50)  # fills what caches there are
    before = demo.types_at_rest()
    demo.load(page)
    after = demo.types_at_rest()
    different = [changes(one, other) for one in before for other in after]
    assert left in different, min(different, key=len)


def test_a_session_keeps_the_request_and_all_that_served_it(start_demo):
    demo = start_demo()
    demo.load("session", 100)
    types = demo.stats()["types"]
    assert of_the_demo(types) == {"leak_demo.Request": 100}
    assert types["ValueError"] == 100
    assert types["traceback"] == 200
    for name in ("leak_demo.Handler", "socket.socket", "threading.Thread"):
        assert types[name] >= 100


def test_a_collection_frees_what_was_only_pending(start_demo):
    demo = start_demo("--no-gc")
    demo.load("pending")
    assert not demo.stats()["gc_enabled"]
    collected = demo.stats("collect")
    assert collected["garbage"] == 0
    assert of_the_demo(collected["types"]) == {}


def test_a_leak_shows_in_the_memory_of_the_process(start_demo):
    demo = start_demo()
    demo.load("ok", 50)
    before = demo.stats()["rss"]
    demo.load("cycle")
    assert demo.stats()["rss"] - before > REQUESTS * 10000 * 0.9


@pytest.mark.parametrize("page", ["cycle", "pending", "global", "session"])
def test_leakinspect_and_the_service_count_the_same(start_demo, leakinspect, page):
    demo = start_demo("--no-gc")
    demo.load(page)
    time.sleep(0.2)  # the last thread ends
    report = leakinspect("types", demo.pid)
    seen = {row["name"]: row["tracked"] for row in report["types"]}
    known = demo.stats()["types"]
    assert of_the_demo(seen) == of_the_demo(known)
    assert of_the_demo(seen)
    assert seen["leak_demo.Server"] == 1


def cycles_of_the_demo(leakinspect, demo):
    """{(shape, state): (cycles, objects)} of the demo's own classes, without the module's name."""
    time.sleep(0.2)  # the last thread ends
    return {(row["shape"].replace("leak_demo.", ""), row["state"]): (row["count"], row["objects"])
            for row in leakinspect("cycles", demo.pid)["cycles"]
            if any(name in row["shape"] for name in ("Parent", "Child"))}


def test_five_hundred_cycles_are_found_before_and_after_a_collection(start_demo, leakinspect):
    demo = start_demo("--no-gc")
    demo.load("cycle")
    found = {("Parent.child -> Child.parent", "uncollectable"): (500, 1000)}
    assert cycles_of_the_demo(leakinspect, demo) == found
    assert demo.stats("collect")["garbage"] == 1000
    assert cycles_of_the_demo(leakinspect, demo) == found
    garbage = leakinspect("garbage", demo.pid)
    assert garbage["garbage"] == 1000
    assert {row["name"]: row["count"] for row in garbage["garbage_by_type"]} == {
        "leak_demo.Parent": 500, "leak_demo.Child": 500}


def test_five_hundred_pending_cycles_are_found_and_none_after_a_collection(start_demo, leakinspect):
    demo = start_demo("--no-gc")
    demo.load("pending")
    assert cycles_of_the_demo(leakinspect, demo) == {
        ("PendingParent.child -> PendingChild.parent", "pending"): (500, 1000)}
    demo.stats("collect")
    assert cycles_of_the_demo(leakinspect, demo) == {}


def test_the_fixed_page_leaves_no_cycle(start_demo, leakinspect):
    demo = start_demo("--no-gc")
    demo.load("fixed")
    assert cycles_of_the_demo(leakinspect, demo) == {}


def test_an_idle_service_that_gave_memory_back_is_read_whole(start_demo, leakinspect):
    demo = start_demo()
    demo.load("cycle")
    # The reports are large, and made in the threads' own arenas of malloc: those shrink again.
    for _ in range(5):
        demo.stats("collect")
    time.sleep(0.2)  # the last thread ends
    report = leakinspect("types", demo.pid)
    assert report["problems"] == {"unreadable": 0, "truncated": 0}
    assert report["target"]["consistent"], report["target"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(start_demo, number):
    demo = start_demo()
    for page in ("cycle", "pending", "global", "session"):
        demo.load(page, 20)
    assert demo.stop(number) == (0, "")


def test_it_ends_cleanly_under_load(start_demo):
    demo = start_demo()
    with subprocess.Popen(["ab", "-q", "-r", "-n", "100000", "-c", "4", demo.url + "ok"],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as load:
        time.sleep(0.3)
        status = demo.stop()
        load.kill()
    assert status == (0, "")


def test_a_client_that_leaves_early_is_no_line_on_standard_error(start_demo):
    demo = start_demo()
    port = int(demo.url.rstrip("/").rpartition(":")[2])
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", port)) as client:
            # Closing with a reset: no polite end of the connection.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.sendall(b"GET /stats HTTP/1.0\r\n\r\n")
    demo.get("ok")
    assert demo.stop() == (0, "")


def test_an_unknown_page_is_not_found_and_the_root_lists_all(start_demo):
    demo = start_demo()
    with pytest.raises(urllib.error.HTTPError) as caught:
        demo.get("nothing-here")
    assert caught.value.code == 404
    assert "/cycle\n" in demo.get("")


def run(*words):
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=60,
                          check=False, stdin=subprocess.DEVNULL)


def test_help_names_every_page(start_demo):
    done = run("--help")
    assert done.returncode == 0
    pages = [line for line in start_demo().get("").split("\n") if line]
    assert len(pages) == 8
    for page in pages:
        assert page + " " in done.stdout


@pytest.mark.parametrize("words", [["--port"], ["--port", "x"], ["--port", "65536"],
                                   ["--port", "-1"], ["--port", ""], ["--nonsense"], ["word"]])
def test_wrong_words_are_told_and_are_status_2(words):
    done = run(*words)
    assert done.returncode == 2
    assert "leak_demo: " in done.stderr


def test_a_port_in_use_is_told(start_demo):
    port = start_demo().url.rstrip("/").rpartition(":")[2]
    done = run("--port", port)
    assert done.returncode == 1
    assert done.stderr == ("leak_demo: 127.0.0.1:%s: Address already in use; "
                           "--port 0 takes a free port\n" % port)


def test_the_stock_version_leaves_998_objects_where_the_language_leaves_any(interpreter):
    script = os.path.join(REPOSITORY, "demo", "leak_demo.py")
    with subprocess.Popen([*interpreter.command, script], stdout=subprocess.PIPE,
                          text=True) as process:
        try:
            said = []
            while not said or not said[-1].startswith("ready: "):
                said.append(process.stdout.readline())
                assert said[-1], "it ended early: %r" % said
        finally:
            process.kill()
    assert "pid %d," % process.pid in said[-1]
    if interpreter.version < (3, 4):
        assert "500 Parent and 500 Child alive, 998 objects in gc.garbage" in said[1]
    else:
        assert "1 Parent and 1 Child alive, 0 objects in gc.garbage" in said[1]
        assert "this Python frees such a cycle" in said[2]


# The README

def console_lines():
    """[(command, [lines it prints])] of the blocks marked as console."""
    commands = []
    with open(README, encoding="utf-8") as readme:
        for block in re.findall(r"^```console\n(.*?)^```", readme.read(), re.DOTALL | re.MULTILINE):
            for line in block.splitlines():
                if line.startswith("$ "):
                    commands.append((line[2:], []))
                else:
                    commands[-1][1].append(line)
    return commands


def words_of(line):
    """A line's words; which pid, port or address it was does not matter."""
    return re.sub(r"pid \d+", "pid N", re.sub(r"127\.0\.0\.1:\d+", "ADDRESS", line)).split()


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def test_the_commands_of_the_readme_print_what_it_says(leakinspect, tmp_path):
    commands = console_lines()
    assert len(commands) > 8
    port = free_port()
    script = ["set -e", "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT"]
    for number, (command, _) in enumerate(commands):
        command = command.replace(":8000", ":%d" % port).replace("--port 8000", "--port %d" % port)
        command = command.replace("build/leakinspect", leakinspect.path)
        if command.startswith("make "):
            continue  # it is what got us here
        output = tmp_path / str(number)
        if command.endswith(" &"):
            # A person sees that it is ready before typing on.
            script.append("%s >%s 2>&1 &" % (command[:-2], output))
            script.append("until grep -q ready %s; do kill -0 $!; sleep 0.1; done" % output)
        elif command.startswith("kill "):
            script.append("%s; wait $!" % command)
        else:
            script.append("%s >%s 2>&1" % (command, output))
    done = subprocess.run(["bash", "-c", "\n".join(script)], cwd=REPOSITORY, timeout=300,
                          env=leakinspect.environment(), capture_output=True, text=True,
                          check=False, stdin=subprocess.DEVNULL)
    printed = {number: (tmp_path / str(number)).read_text() if (tmp_path / str(number)).exists()
               else "" for number in range(len(commands))}
    assert done.returncode == 0, done.stderr
    for number, (command, expected) in enumerate(commands):
        said = [words_of(line) for line in printed[number].splitlines()]
        for line in expected:
            assert words_of(line) in said, "%s\nprinted\n%s" % (command, printed[number])


# make demo

def run_demo(leakinspect, **options):
    return subprocess.Popen([os.path.join(REPOSITORY, "demo", "run.sh")], text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE,
                            env=dict(leakinspect.environment(), LEAKINSPECT=leakinspect.path),
                            **options)


def is_there(pid):
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def pid_in(line):
    return int(re.search(r" pid (\d+)$", line).group(1))


def test_make_demo_shows_the_leak_and_leaves_no_process(leakinspect):
    with run_demo(leakinspect) as script:
        said, errors = script.communicate(timeout=300)
    assert script.returncode == 0, said + errors
    assert errors == ""
    assert re.search(r"^Complete requests: +500$", said, re.MULTILINE)
    for name in ("leak_demo.Parent", "leak_demo.Child"):
        assert re.search(r"^ *%s +500\b" % re.escape(name), said, re.MULTILINE), said
    assert re.search(r"^Memory .* [\d.]+ MiB before, [\d.]+ MiB after 500 requests$", said,
                     re.MULTILINE)
    for line in ("demo/leak_demo &", "ab -n 500 http://127.0.0.1:8000/cycle",
                 "build/leakinspect types $!"):
        assert "\n    %s\n" % line in said
    ready = next(line for line in said.splitlines() if line.startswith("leak_demo: ready"))
    assert not is_there(pid_in(ready))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_make_demo_cut_short_leaves_no_process(leakinspect, number):
    # As from a terminal: a group of its own, all of which a Ctrl-C reaches.
    with run_demo(leakinspect, start_new_session=True) as script:
        line = ""
        while not line.startswith("leak_demo: ready"):
            line = script.stdout.readline()
            assert line, script.stderr.read()
        if number == signal.SIGINT:
            os.killpg(script.pid, number)
        else:
            script.send_signal(number)
        pid = pid_in(line.rstrip())
        script.wait(timeout=60)
        end = time.monotonic() + 60
        while is_there(pid) and time.monotonic() < end:
            time.sleep(0.05)
        assert not is_there(pid)
    assert script.returncode != 0
