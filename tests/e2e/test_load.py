# SPDX-License-Identifier: GPL-3.0-or-later
"""A load that is repeated: what each iteration leaves behind, to the object, and what grows with them."""

import json
import re
import signal
import subprocess
import time

import pytest

# The instances that one leak() of programs/iterations.py leaves behind.
LEAKED = {"__main__.ClassicLeakable": 1, "__main__.Leakable": 1, "tuple": 1, "float": 1}


def asks(port, word):
    """A command that has the program do one thing, and ends when it is done."""
    return ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/%d; echo %s >&3; read -r answer <&3; "
                          "test $answer = done" % (port, word)]


@pytest.fixture
def service(interpreter, start):
    return start("iterations.py", interpreter, reads=False)


@pytest.fixture
def debian_service(debian_python, start):
    return start("iterations.py", debian_python, reads=False)


def load(leakinspect, service, word, *options):
    """The JSON document of a load of one word."""
    return leakinspect("load", service.pid, *options, "--", *asks(int(service.ready), word))


def changes(iteration, key="instances"):
    return {row["name"]: row[key] for row in iteration["types"] if row[key]}


def leaked_of(interpreter):
    """With a dict for each instance until 3.10; from 3.11 on attributes are in the instance itself."""
    return dict(LEAKED, **({} if interpreter.version >= (3, 11) else {"dict": 2}))


def test_an_iteration_leaves_exactly_what_it_leaks(interpreter, service, leakinspect):
    expected = leaked_of(interpreter)
    report = load(leakinspect, service, "leak", "-N", "4")
    assert [iteration["n"] for iteration in report["iterations"]] == [1, 2, 3, 4]
    assert [iteration["warm_up"] for iteration in report["iterations"]] == [True] + 3 * [False]
    for iteration in report["iterations"][2:]:
        assert iteration["command"]["exit"] == 0
        assert iteration["exact"]
        assert changes(iteration) == expected
        refs = changes(iteration, "refs")
        # Each new object is held once; what they hold themselves are strings and their classes.
        assert {name: refs.pop(name) for name in expected} == expected
        classes = sum(refs.pop(name, 0) for name in ("type", "classobj"))
        assert classes == 2
        assert set(refs) <= {"str"} and refs.get("str", 0) in (0, 2, 4)
        assert iteration["change"] == sum(changes(iteration, "refs").values()) \
            or interpreter.name == "python3.11d-debian"
    growing = {row["name"]: row for row in report["verdict"]["growing"]}
    assert {name: row["per_iteration"] for name, row in growing.items()} == expected
    assert {row["confidence"] for row in growing.values()} == {1.0}


def test_an_iteration_that_leaks_nothing_changes_nothing(service, leakinspect):
    report = load(leakinspect, service, "nothing", "-N", "5")
    assert [iteration["change"] for iteration in report["iterations"][2:]] == [0, 0, 0]
    assert [iteration["types"] for iteration in report["iterations"][2:]] == [[], [], []]
    assert report["verdict"] == {"growing": [], "waiting": [], "steps": 4}


def test_names_that_only_a_cache_keeps_are_no_growth(service, leakinspect):
    report = load(leakinspect, service, "lookup", "-N", "5")
    for iteration in report["iterations"][2:]:
        assert "str" not in changes(iteration) and "unicode" not in changes(iteration)
    assert report["verdict"]["growing"] == []


def test_what_swings_does_not_grow(debian_service, leakinspect):
    report = load(leakinspect, debian_service, "swing", "-N", "6")
    swings = [changes(iteration)["__main__.Leakable"] for iteration in report["iterations"]]
    assert swings == [10, -10, 10, -10, 10, -10]
    assert report["verdict"]["growing"] == []


def test_a_debug_build_tells_its_own_total(debug_python, start, leakinspect):
    service = start("iterations.py", debug_python, reads=False)
    report = load(leakinspect, service, "leak", "-N", "3")
    last = report["iterations"][-1]
    assert last["sys_refcount"] != last["sum_refcount"]
    assert last["sys_refcount"] == leakinspect("types", service.pid)["ref_total"]
    said = leakinspect.run("load", service.pid, "-N", "1", "--",
                           *asks(int(service.ready), "nothing")).stdout
    assert "release build" not in said


def test_people_read_the_form_they_know(debian_service, leakinspect):
    words = asks(int(debian_service.ready), "leak")
    shown = leakinspect.run("load", debian_service.pid, "-N", "3", "-v", "--per", "2", "--",
                            *words).stdout
    assert re.search(
        r"\nIteration 3\n"
        r"  ran: bash -c '.*' \(exit 0\) in \d\.\d{3} seconds\n"
        r"  sum detail refcount=\d+ +sys refcount=\d+ +change=6 \(3\.00 per request\)\n"
        r"    Leak details, changes in instances and refcounts by type/class:\n"
        r"    type/class {47}insts   refs  per request\n"
        r"    -{55}  -----   ----  -----------\n"
        r"(    \S+ +-?\d+ +-?\d+ +-?\d+\.\d\d\n)+"
        r"    -{55}  -----   ----  -----------\n"
        r"    total +4 +6 +2\.00\n", shown), shown
    assert "release build, which keeps no total of its own" in shown
    plain = leakinspect.run("load", debian_service.pid, "-N", "3", "--", *words).stdout
    assert "Leak details" not in plain and len(re.findall("change=6\n", plain)) >= 2
    assert re.search(r"GROWING TYPE +PER ITERATION +CONFIDENCE", plain)


def test_each_iteration_is_shown_when_it_ends(debian_service, leakinspect):
    words = ["bash", "-c", "sleep 0.5"]
    process = leakinspect.start("load", debian_service.pid, "-N", "3", "--", *words,
                                stdout=subprocess.PIPE, text=True)
    while not process.stdout.readline().startswith("  sum detail"):
        pass
    assert process.poll() is None
    rest = process.communicate(timeout=60)[0]
    assert process.returncode == 0 and "Iteration 3" in rest


def test_ab_on_the_demo_leaks_one_of_each_per_request(start_demo, leakinspect):
    demo = start_demo()
    command = ["ab", "-q", "-n", "100", "-c", "4"]
    report = leakinspect("load", demo.pid, "-N", "4", "--per", "100", "--",
                         *command, demo.url + "cycle")
    growing = {row["name"]: row for row in report["verdict"]["growing"]}
    for name in ("leak_demo.Parent", "leak_demo.Child"):
        assert growing[name]["per_request"] == 1.0
        assert growing[name]["per_iteration"] == 100.0
        assert [changes(iteration)[name] for iteration in report["iterations"]] == 4 * [100]
    for page in ("ok", "fixed"):
        report = leakinspect("load", demo.pid, "-N", "4", "--per", "100", "--",
                             *command, demo.url + page)
        assert report["verdict"]["growing"] == [], page


def test_urls_come_by_what_they_leak(start_demo, leakinspect, tmp_path):
    demo = start_demo()
    urls = tmp_path / "urls.txt"
    urls.write_text("# what the demo has\n\n%s\n" % "\n".join(
        demo.url + page for page in ("ok", "global", "fixed", "session", "cycle")))
    report = leakinspect("load", demo.pid, "--urls", urls, "-N", "3", "--per", "40", "--",
                         "ab", "-q", "-n", "40", "{url}")
    assert len(report["iterations"]) == 15
    assert report["iterations"][3]["page_id"] == "/global"
    ranked = [row["url"][len(demo.url):] for row in report["urls"]]
    # A request that a session keeps drags a dozen others along; a cycle is two and their payload.
    assert ranked[:3] == ["session", "cycle", "global"] and set(ranked[3:]) == {"ok", "fixed"}
    assert "leak_demo.Visit" in report["urls"][2]["types"]
    assert report["urls"][1]["per_request"] == 3.0
    assert [row["objects"] for row in report["urls"][3:]] == [0.0, 0.0]
    assert {row["page_id"] for row in report["verdict"]["growing"]} == {
        "/session", "/cycle", "/global"}


def test_three_of_two_hundred_are_found_by_halves(start_demo, leakinspect, tmp_path):
    demo = start_demo()
    pages = ["ok?%d" % number for number in range(200)]
    leaking = {17: "cycle?17", 18: "global?18", 166: "session?166"}
    for number, page in leaking.items():
        pages[number] = page
    urls = tmp_path / "urls.txt"
    urls.write_text("".join("%s%s\n" % (demo.url, page) for page in pages))
    report = leakinspect("load", demo.pid, "--urls", urls, "--bisect", "--per", "10",
                         "--fail-on", "growth", "--", "ab", "-q", "-n", "10", "-c", "2", "{url}",
                         timeout=600, status=3)
    assert {row["url"] for row in report["urls"]} == {demo.url + page for page in leaking.values()}
    assert report["bisect"]["urls"] == 200 and report["bisect"]["leaking"] == 3
    assert report["bisect"]["runs"] <= 40
    runs = report["iterations"]
    assert [run["n"] for run in runs] == list(range(1, report["bisect"]["runs"] + 1))
    assert [run["warm_up"] for run in runs] == [True] + [False] * (len(runs) - 1)


def test_the_exit_status_tells_growth_apart(debian_service, leakinspect):
    def status(word):
        return leakinspect.run("load", debian_service.pid, "-N", "3", "--fail-on", "growth", "--",
                               *asks(int(debian_service.ready), word)).returncode

    assert status("leak") == 3
    assert status("nothing") == 0
    # Cycles that wait for the collector are none.
    assert status("cycle") == 0


def test_a_test_that_was_not_run_is_not_passed(debian_service, leakinspect):
    for words in (["-N", "4", "--fail-on", "growth", "--", "false"],
                  ["-N", "2", "--fail-on", "growth", "--", "true"],
                  ["-N", "4", "--", "false"]):
        assert leakinspect.run("load", debian_service.pid, *words).returncode == 1, words


def test_what_waits_for_the_collector_does_not_grow(interpreter, service, leakinspect):
    report = load(leakinspect, service, "cycle", "-N", "4")
    grown = [changes(iteration)["__main__.Leakable"] for iteration in report["iterations"]]
    assert report["verdict"]["growing"] == []
    waiting = {row["name"]: row["per_iteration"] for row in report["verdict"]["waiting"]}
    # Unless it was collected in between.
    assert grown != 4 * [10] or waiting["__main__.Leakable"] == 10.0
    # With the collector disabled nobody frees them.
    for word in ("disable", "cycle"):
        report = load(leakinspect, service, word, "-N", "4")
    assert {row["name"] for row in report["verdict"]["growing"]} >= {"__main__.Leakable"}
    assert report["verdict"]["waiting"] == []


def test_a_command_that_fails_is_told(debian_service, leakinspect):
    said = leakinspect.run("load", debian_service.pid, "-N", "2", "--", "bash", "-c",
                           "echo no such host >&2; exit 7")
    assert said.returncode == 1 and "(exit 7)" in said.stdout
    assert "2 of 2 runs of the command failed; the last one said: no such host" in said.stdout
    killed = leakinspect("load", debian_service.pid, "-N", "1", "--", "bash", "-c", "kill -9 $$",
                         status=1)
    assert killed["iterations"][0]["command"]["exit"] == 128 + signal.SIGKILL


@pytest.mark.parametrize("words, complaint", [
    (["-N", "2"], "load wants -- COMMAND"),
    (["-N", "0", "--", "true"], "-N wants a number from 1"),
    (["--", "no-such-program"], "there is no program 'no-such-program' on PATH"),
    (["--bisect", "--", "true"], "--bisect is for --urls"),
    (["--", "ab", "{url}"], "{url} is for --urls"),
    (["--urls", "/dev/null", "--", "ab"], "wants {url}"),
    (["--urls", "/dev/null", "--", "ab", "{url}"], "has no URL in it"),
    (["--per", "0", "--", "true"], "--per wants a number from 1"),
    (["--settle", "soon", "--", "true"], "'soon' is no time"),
    (["--scoreboard", "a-%x", "--", "true"], "%"),
    (["--fail-on", "doom", "--", "true"], "--fail-on wants one of growth"),
])
def test_wrong_words_are_told(words, complaint, debian_service, leakinspect):
    done = leakinspect.run("load", debian_service.pid, *words)
    assert done.returncode in (1, 2) and complaint in done.stderr
    assert done.stdout == ""


def test_a_process_that_ends_under_load_is_told(debian_service, leakinspect):
    done = leakinspect.run("load", debian_service.pid, "-N", "3", "--", "bash", "-c",
                           "kill -9 %d" % debian_service.pid)
    assert done.returncode == 1 and "has ended" in done.stderr


def test_ctrl_c_ends_the_load_and_its_command(debian_service, leakinspect):
    process = leakinspect.start("load", debian_service.pid, "--", "sleep", "1000",
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    sleeping = ["pgrep", "-P", str(process.pid), "-x", "sleep"]
    deadline = time.monotonic() + 60
    while not (found := subprocess.run(sleeping, capture_output=True, text=True,
                                       check=False).stdout):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 1
    assert subprocess.run(["kill", "-0", found.strip()], check=False,
                          capture_output=True).returncode != 0
    assert debian_service.is_alive() and debian_service.status("TracerPid") == "0"


def test_ctrl_c_after_some_iterations_tells_what_there_is(debian_service, leakinspect):
    process = leakinspect.start("load", debian_service.pid, "-N", "1000", "--",
                                *asks(int(debian_service.ready), "leak"),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.stdout.readline() != "Iteration 5\n":
        pass
    process.send_signal(signal.SIGINT)
    shown, complaints = process.communicate(timeout=60)
    assert process.returncode == 1 and complaints == ""
    assert "interrupted: this is of the iterations until then" in shown
    assert re.search(r"^__main__.Leakable +1\.000 +1\.000 ", shown, re.MULTILINE)


def test_a_process_that_grows_by_itself_is_not_searched_by_halves(debian_python, start, leakinspect,
                                                                  tmp_path):
    target = start("always_growing.py", debian_python, reads=False)
    (tmp_path / "urls").write_text("a\nb\n")
    done = leakinspect.run("load", target.pid, "--urls", tmp_path / "urls", "--bisect",
                           "--settle", "200ms", "--", "true", "{url}")
    assert done.returncode == 1
    assert re.search(r"grows by itself, by \d+ of __main__\.Grown", done.stderr)


def test_a_stopped_process_is_not_said_to_rest(debian_service, leakinspect):
    report = leakinspect("load", debian_service.pid, "-N", "1", "--settle", "300ms", "--",
                         "kill", "-STOP", debian_service.pid)
    assert report["iterations"][0]["at_rest"] is False
    debian_service._process.send_signal(signal.SIGCONT)


SCOREBOARD = re.compile(r"\d+\.0\n(?:\d+ <(?:class|type) '[^'\n]+'>\n)+\Z")
LEAK_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (\S+) (-?\d+\.\d\d)Mb"
                       r"(?: (<(?:class|type) '[^'\n]+'>=\d+(?:; <(?:class|type) '[^'\n]+'>=\d+)*))?")
MEMORY_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d (\S+) - (\d+\.\d{6}) (\d+) (\d+) (\d+) (\d+)")


@pytest.mark.parametrize("interpreter", ["python2.7", "python3.13"], indirect=True)
def test_the_logs_have_the_forms_of_old(service, interpreter, leakinspect, tmp_path):
    board, leaks, memory = (tmp_path / name for name in ("board-%d.txt", "leaks", "memory"))
    load(leakinspect, service, "leak", "-N", "50", "--pageid", "the shop:+index",
         "--scoreboard", board, "--leak-log", leaks, "--memory-log", memory)
    text = (tmp_path / ("board-%d.txt" % service.pid)).read_text()
    assert SCOREBOARD.match(text), text[:300]
    counts = [int(line.split()[0]) for line in text.splitlines()[1:]]
    assert counts == sorted(counts, reverse=True)
    word = "type" if interpreter.version < (3,) else "class"
    assert "\n50 <%s '__main__.Leakable'>\n" % word in text
    lines = leaks.read_text().splitlines()
    assert len(lines) == 50
    for line in lines[2:]:
        found = LEAK_LINE.fullmatch(line)
        assert found and found.group(1) == "the_shop:+index", line
        assert "<%s '__main__.Leakable'>=1" % word in found.group(3).split("; ")
    lines = memory.read_text().splitlines()
    assert len(lines) == 50
    before = None
    for line in lines:
        found = MEMORY_LINE.fullmatch(line)
        assert found and found.group(1) == "the_shop:+index", line
        assert before is None or before == found.group(3, 4)
        before = found.group(5, 6)
        assert int(found.group(3)) >= int(found.group(4)) > 0


def test_a_file_of_another_kind_is_no_scoreboard(debian_service, leakinspect, tmp_path):
    precious = tmp_path / "precious"
    words = ["load", debian_service.pid, "-N", "1", "--scoreboard", precious]
    precious.write_text("all my work\n")
    done = leakinspect.run(*words, "--", "true")
    assert done.returncode == 1 and "--force" in done.stderr
    assert precious.read_text() == "all my work\n"
    # Its own is written anew, and another's when that is asked for.
    for options in (["--force"], []):
        assert leakinspect.run(*words, *options, "--", "true").returncode == 0
        assert SCOREBOARD.match(precious.read_text())


def test_no_log_is_written_unasked(debian_service, leakinspect, tmp_path):
    leakinspect.run("load", debian_service.pid, "-N", "2", "--", "true", cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_console_loads_too(debian_service, leakinspect):
    words = asks(int(debian_service.ready), "leak")
    line = "load -N 3 --json -- %s" % " ".join('"%s"' % word for word in words)
    done = leakinspect.run("attach", debian_service.pid, "-c", line)
    assert done.returncode == 0, done.stderr
    growing = json.loads(done.stdout[done.stdout.index("{"):])["verdict"]["growing"]
    assert {row["name"] for row in growing} == set(LEAKED)
