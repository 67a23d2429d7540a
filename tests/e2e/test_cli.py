# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: what it accepts and refuses, where its answers go, and what it exits with."""

import json
import os
import re
import signal
import stat
import subprocess

import pytest

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@pytest.fixture
def idle(debian_python, start):
    return start("idle.py", debian_python)


def one_line_and_hint(stderr):
    """The sentence of a usage error; what follows is the hint and nothing else."""
    sentence, hint = stderr.splitlines()
    assert sentence.startswith("leakinspect: ")
    assert re.fullmatch(r"try 'leakinspect help( \w+)?'", hint)
    return sentence


@pytest.mark.parametrize("words", [
    [], ["--json"], ["tpyes", "1"], ["4711"], ["types"], ["types", "0"], ["types", "nobody"],
    ["types", "1", "2"], ["types", "1", "--sort", "weight"], ["types", "1", "-n", "many"],
    ["types", "1", "--nonsense"], ["types", "1", "-o"], ["attach", "1", "--json"], ["quit"],
    ["help", "nonsense"], ["help", "types", "info"], ["show", "1"], ["show", "1", "0xg"],
    ["refs", "1"], ["refs", "1", "--leaked", "dict"], ["referrers", "1"], ["export", "1"],
    ["cycles", "1", "--state", "lost"], ["refresh", "1"]])
def test_wrong_words_are_one_sentence_and_a_hint_and_status_2(leakinspect, words):
    done = leakinspect.run(*words)
    assert done.returncode == 2
    assert done.stdout == ""
    one_line_and_hint(done.stderr)


def test_a_mistyped_verb_is_told_the_nearest_one(leakinspect):
    done = leakinspect.run("tpyes", "1")
    assert "did you mean 'types'?" in one_line_and_hint(done.stderr)


def test_help_is_on_stdout_and_tells_every_verb(leakinspect):
    done = leakinspect.run("help")
    assert (done.returncode, done.stderr) == (0, "")
    for verb in ("attach", "types", "info", "threads", "cycles", "garbage", "show", "refs", "referrers",
                 "export", "help", "version"):
        assert re.search(r"^  %s +\S" % verb, done.stdout, re.MULTILINE), verb
    assert leakinspect.run("--help").stdout == done.stdout


@pytest.mark.parametrize("verb", ["attach", "types", "info", "cycles", "garbage", "show", "refs",
                                  "referrers", "export", "help", "version"])
def test_help_of_a_verb_can_be_asked_for_in_three_ways(leakinspect, verb):
    asked = [leakinspect.run(*words) for words in (["help", verb], [verb, "--help"],
                                                   ["-h", verb])]
    assert [done.returncode for done in asked] == [0, 0, 0]
    assert asked[0].stdout.startswith("usage: leakinspect " + verb)
    assert asked[0].stdout == asked[1].stdout == asked[2].stdout


def test_version_can_be_asked_for_as_verb_and_as_option(leakinspect):
    done = leakinspect.run("version")
    assert re.fullmatch(r"leakinspect \d+\.\d+\.\d+\n", done.stdout)
    assert leakinspect.run("--version").stdout == done.stdout
    assert leakinspect.run("types", "--version").stdout == done.stdout


@pytest.mark.parametrize("verb", ["types", "info"])
def test_json_is_one_document_with_the_head_of_the_contract(leakinspect, idle, verb):
    done = leakinspect.run(verb, idle.pid, "--json", "-v")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert report["verb"] == verb
    assert report["problems"] == {"unreadable": 0, "truncated": 0}
    target = report["target"]
    assert target["pid"] == idle.pid
    assert target["core"] is None
    assert target["runtime"] == "cpython"
    assert re.match(r"3\.11\.\d+", target["version"])
    assert target["build"] == "release"
    assert isinstance(target["snapshot"], str)
    assert 0 < target["pause_ms"] <= target["pause_total_ms"]
    assert os.path.exists(target["debug_info"])
    assert target["stops"] >= 1


def test_options_may_stand_anywhere(leakinspect, idle):
    lines = [["types", "--json", "-n", 3, "--sort", "size", idle.pid],
             ["types", idle.pid, "-n3", "--sort=size", "--json"],
             ["--json", "--sort", "size", "types", "-p", idle.pid, "--limit", 3],
             ["-n", 3, "types", "--json", "--sort", "size", "--", idle.pid]]
    answers = [json.loads(leakinspect.run(*line).stdout) for line in lines]
    for answer in answers:
        assert answer["types"] == answers[0]["types"]
        assert len(answer["types"]) == 3
    sizes = [row["size"] for row in answers[0]["types"]]
    assert sizes == sorted(sizes, reverse=True)


def test_what_a_limit_leaves_out_is_summed_up(leakinspect, idle):
    whole = leakinspect("types", idle.pid)
    cut = leakinspect("types", idle.pid, "-n", 5)
    assert cut["types"] == whole["types"][:5]
    assert cut["total"] == whole["total"]
    rest = whole["types"][5:]
    assert cut["rest"].pop("types") == len(rest)
    assert cut["rest"] == {key: sum(row[key] for row in rest) for key in cut["rest"]}
    assert "rest" not in whole
    text = leakinspect.run("types", idle.pid, "-n", 5).stdout
    assert "\n(%d more types) " % len(rest) in text


def test_the_last_lines_of_a_table_tell_the_pause_and_what_was_not_read(leakinspect, idle):
    done = leakinspect.run("types", idle.pid)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0].startswith("process %d: cpython 3.11." % idle.pid)
    assert lines[-1] == "everything was read"
    assert re.match(r"the process stood still for [\d.]+ (us|ms|s)\b", lines[-2])
    assert leakinspect.run("types", idle.pid, "-q").stdout.splitlines()[-1].startswith("total ")


def test_output_goes_to_a_new_file_and_stdout_stays_empty(leakinspect, idle, tmp_path):
    answer = tmp_path / "answer.json"
    done = leakinspect.run("types", idle.pid, "--json", "-o", answer)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert json.loads(answer.read_text())["verb"] == "types"
    assert os.listdir(tmp_path) == ["answer.json"]


def test_output_overwrites_only_when_forced(leakinspect, idle, tmp_path):
    answer = tmp_path / "answer"
    answer.write_text("precious")
    done = leakinspect.run("types", idle.pid, "-o", answer)
    assert done.returncode == 1
    assert "--force" in done.stderr
    assert answer.read_text() == "precious"
    assert leakinspect.run("types", idle.pid, "-o", answer, "--force").returncode == 0
    assert "total" in answer.read_text()
    assert os.listdir(tmp_path) == ["answer"]


def test_output_of_a_failure_leaves_nothing(leakinspect, tmp_path, idle):
    idle.stop()
    done = leakinspect.run("types", idle.pid, "-o", tmp_path / "answer")
    assert done.returncode == 1
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("words", [["-o", "nowhere/answer"], ["-o", "."]])
def test_output_that_cannot_be_written_is_told(leakinspect, idle, tmp_path, words):
    done = leakinspect.run("types", idle.pid, *words, cwd=tmp_path)
    assert done.returncode == 1
    assert words[1] in done.stderr


def test_a_full_disk_is_told(leakinspect, idle):
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([leakinspect.path, "types", str(idle.pid)], stdout=full, text=True,
                              stderr=subprocess.PIPE, env=leakinspect.environment(), timeout=60,
                              check=False)
    assert done.returncode == 1
    assert "No space left" in done.stderr


def test_a_reader_that_goes_away_is_an_error_and_no_signal(leakinspect, idle):
    ours, theirs = os.pipe()
    os.close(ours)
    process = leakinspect.start("types", idle.pid, stdout=theirs, stderr=subprocess.PIPE,
                                text=True)
    os.close(theirs)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert "Broken pipe" in said


def test_no_process_is_status_1_and_names_the_process(leakinspect, idle):
    idle.stop()
    done = leakinspect.run("types", idle.pid)
    assert done.returncode == 1
    assert done.stdout == ""
    assert str(idle.pid) in done.stderr


def test_a_process_without_a_runtime_is_status_4(leakinspect):
    with subprocess.Popen(["sleep", "60"]) as process:
        done = leakinspect.run("types", process.pid)
        process.kill()
    assert done.returncode == 4
    assert "cpython" in done.stderr


def test_what_is_no_core_file_is_status_4(leakinspect, tmp_path):
    core = tmp_path / "core"
    core.write_bytes(b"\x7fELF")
    done = leakinspect.run("types", core)
    assert done.returncode == 4
    assert "is not a core file that can be read" in done.stderr


@pytest.mark.parametrize("interpreter", ["python2.7", "python3.11-debian"], indirect=True)
def test_names_of_types_can_do_no_harm(interpreter, start, leakinspect):
    target = start("hostile_names.py", interpreter)
    if interpreter.version[0] == 2:
        target.ask("bytes")
    report = leakinspect("types", target.pid, "--filter", "shop.*")
    found = {row["name"]: row["count"] for row in report["types"]}
    assert found["shop.Red\033[31m"] == 10
    assert found["shop.Two\nLines"] == 10
    assert found["shop.Cart.Item"] == 10
    if interpreter.version[0] == 2:
        assert found["shop.Bytes\\xff\\xfe"] == 10
    text = leakinspect.run("types", target.pid, "--filter", "shop").stdout
    assert re.search(r"^shop\.Red\\x1b\[31m +10 ", text, re.MULTILINE)
    assert re.search(r"^shop\.Two\\x0aLines +10 ", text, re.MULTILINE)
    assert all(character >= " " or character == "\n" for character in text)
    assert "\x9b" not in text and "\u202e" not in text


def test_ctrl_c_ends_it_with_status_1_and_the_process_goes_on(leakinspect, debian_python, start):
    target = start("churn.py", debian_python)
    for _ in range(20):
        process = leakinspect.start("types", target.pid, stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL)
        process.send_signal(signal.SIGINT)
        # Before it has installed its handler, the signal ends it at once.
        assert process.wait(60) in (0, 1, -signal.SIGINT)
    assert target.is_alive()
    assert target.status("TracerPid") == "0"


def test_the_manual_tells_the_verbs_and_options_that_there_are(leakinspect):
    path = os.path.join(REPOSITORY, "inspector", "leakinspect.1")
    with open(path, encoding="utf-8") as manual:
        text = manual.read()
    written = text.split(".\\\" BEGIN VERBS\n")[1].split(".\\\" END VERBS")[0]
    # To mend it: put what `leakinspect help --man` prints between the two marks.
    assert written == leakinspect.run("help", "--man").stdout
    assert '"%s"' % leakinspect.run("version").stdout.strip() in text


def test_the_news_begin_with_this_version(leakinspect):
    with open(os.path.join(REPOSITORY, "inspector", "NEWS.md"), encoding="utf-8") as news:
        first = re.search(r"^## (\S+)", news.read(), re.MULTILINE).group(1)
    assert leakinspect.run("version").stdout == "leakinspect %s\n" % first


COMPLETION = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
compopt() { :; }
_leakinspect
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completed(leakinspect, *words):
    script = os.path.join(REPOSITORY, "inspector", "completion.bash")
    done = subprocess.run(["bash", "-c", COMPLETION, "bash", script, leakinspect.path, *words],
                          capture_output=True, text=True, timeout=60, check=True,
                          env=leakinspect.environment())
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_completes_what_the_program_understands(leakinspect, idle, tmp_path):
    assert completed(leakinspect, "ty") == ["types"]
    assert completed(leakinspect, "types", "--so") == ["--sort"]
    sorts = ["count", "tracked", "size", "refs", "name"]
    assert completed(leakinspect, "types", "--sort", "") == sorts
    assert completed(leakinspect, "types", "--sort", "=") == sorts
    assert completed(leakinspect, "types", "--sort", "=", "s") == ["size"]
    assert completed(leakinspect, "help", "inf") == ["info"]
    assert str(idle.pid) in completed(leakinspect, "types", "")
    (tmp_path / "answer.json").write_text("")
    assert completed(leakinspect, "types", "1", "-o", "%s/ans" % tmp_path) == [
        "%s/answer.json" % tmp_path]


def test_the_answer_is_readable_as_the_umask_says(leakinspect, idle, tmp_path):
    answer = tmp_path / "answer"
    leakinspect.run("types", idle.pid, "-o", answer, umask=0o027)
    assert stat.S_IMODE(answer.stat().st_mode) == 0o640
