# SPDX-License-Identifier: GPL-3.0-or-later
"""watch --metrics and --listen: what a Prometheus, a node_exporter and their own checks make of it."""

import os
import re
import signal
import socket
import stat
import subprocess
import time

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from support.watching import FAST, Prometheus, Server, free_port, get, samples, wait_for

OPENMETRICS = "application/openmetrics-text"
KEPT = "__main__.Kept"


@pytest.fixture
def growing(debian_python, start):
    return start("growing.py", debian_python)


@pytest.fixture
def serve():
    """serve(Server's class, ...) -> one that is stopped when the test ends."""
    started = []

    def start(kind, *words):
        started.append(kind(*words))
        return started[-1]

    yield start
    for one in started:
        one.stop()


def check(text):
    """promtool has nothing to say about it."""
    done = subprocess.run(["promtool", "check", "metrics"], input=text.encode(),
                          capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def text_of(path):
    """As it is: a label may have a carriage return in it."""
    return path.read_bytes().decode()


def scraped(url, name, *labels):
    status, _, text = get(url)
    return samples(text).get((name, labels)) if status == 200 else None


def test_a_prometheus_tells_the_type_that_grows(growing, watching, serve, tmp_path):
    url = watching(growing.pid, *FAST, "--listen", "0").url()
    prometheus = serve(Prometheus, url, tmp_path)
    pid = str(growing.pid)
    wait_for(lambda: prometheus.query('leakinspect_up{pid="%s"} == 1' % pid), "scrape")
    growing.ask("grow 1000")
    growth = 'leakinspect_type_growth_objects{pid="%s",type="%s"}' % (pid, KEPT)
    assert wait_for(lambda: prometheus.query(growth + " == 1000"), "growth")[0][0]["type"] == KEPT
    assert prometheus.query('topk(1, leakinspect_type_growth_objects{type!~"dict|float|int|list"})'
                            )[0][0]["type"] == KEPT
    assert prometheus.query('up{job="leakinspect"}')[0][1] == 1
    # Types of metrics came with it: Prometheus asks for OpenMetrics.
    assert '"counter"' in get(prometheus.url + "api/v1/metadata?metric=leakinspect_stops")[2]
    assert growing.is_alive()


def test_promtool_and_the_strict_parser_accept_both_texts(growing, watching, tmp_path):
    path = tmp_path / "leak.prom"
    url = watching(growing.pid, *FAST, "--listen", "127.0.0.1:0", "--metrics", path).url()
    wait_for(lambda: get(url)[0] == 200, "point")
    growing.ask("grow 100")
    wait_for(lambda: scraped(url, "leakinspect_type_growth_objects", str(growing.pid), KEPT) == 100,
             "growth")
    status, kind, text = get(url)
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    check(text)
    check(text_of(path))
    status, kind, text = get(url, accept=OPENMETRICS)
    assert (status, kind) == (200, OPENMETRICS + "; version=1.0.0; charset=utf-8")
    families = {family.name: family.type for family in text_string_to_metric_families(text)}
    assert families["leakinspect_stops"] == "counter"
    assert families["process_resident_memory_bytes"] == "gauge"


def test_the_figures_are_those_of_the_process(growing, leakinspect, tmp_path):
    path = tmp_path / "leak.prom"
    growing.ask("litter 7")
    types = leakinspect("types", growing.pid)
    report = leakinspect("watch", growing.pid, "-c", 2, *FAST, "--metrics", path)
    found = samples(text_of(path))
    pid = str(growing.pid)
    assert found["leakinspect_objects", (pid,)] == types["total"]["count"]
    assert found["leakinspect_objects_bytes", (pid,)] == types["total"]["size"]
    assert found["leakinspect_gc_garbage_objects", (pid,)] == 7
    assert found["leakinspect_points_total", (pid,)] == 2
    assert found["leakinspect_stops_total", (pid,)] == report["target"]["stops"]
    assert found["leakinspect_pause_seconds_total", (pid,)] == pytest.approx(
        report["target"]["pause_total_ms"] / 1e3)
    assert found["process_resident_memory_bytes", (pid,)] == int(
        growing.status("VmRSS").split()[0]) * 1024
    began = os.stat("/proc/%s" % pid).st_mtime
    assert abs(found["process_start_time_seconds", (pid,)] - began) < 30
    biggest = [row["name"] for row in types["types"][:20]]
    for row in types["types"][:20]:
        assert found["leakinspect_type_objects", (pid, row["name"])] == row["count"]
        assert found["leakinspect_type_bytes", (pid, row["name"])] == row["size"]
    assert len([key for key in found if key[0] == "leakinspect_type_objects"]) == len(biggest)


def test_collections_are_what_the_interpreter_says(interpreter, start, leakinspect, tmp_path):
    target = start("growing.py", interpreter)
    path = tmp_path / "leak.prom"
    target.ask("cycles 100")
    stats = target.ask_json("stats")
    leakinspect("watch", target.pid, "-c", 1, *FAST, "--metrics", path)
    found = samples(text_of(path))
    for key in ("collections", "objects_collected", "objects_uncollectable"):
        told = {labels[1]: value for (name, labels), value in found.items()
                if name == "python_gc_%s_total" % key}
        # Python 2 counts nothing of it.
        assert told == {str(number): row[key.replace("objects_", "")]
                        for number, row in enumerate(stats or [])}
    assert stats is None or any(row["collected"] >= 100 for row in stats)
    check(text_of(path))


def test_the_biggest_and_the_most_grown_are_told_and_no_more(growing, watching):
    url = watching(growing.pid, *FAST, "--listen", ":0", "--top", "2").url()
    wait_for(lambda: get(url)[0] == 200, "point")
    growing.ask("grow 10")
    pid = str(growing.pid)
    wait_for(lambda: scraped(url, "leakinspect_type_growth_objects", pid, KEPT) == 10, "growth")
    names = {key[1][1] for key in samples(get(url)[2]) if key[0] == "leakinspect_type_objects"}
    assert KEPT in names and 3 <= len(names) <= 4


def test_a_file_is_whole_at_every_instant(growing, watching, tmp_path):
    folder = tmp_path / "collector"
    folder.mkdir()
    path = folder / "leak.prom"
    watching(growing.pid, *FAST, "--metrics", path)
    wait_for(path.exists, "file")
    inodes = set()
    end = time.monotonic() + 2
    while time.monotonic() < end:
        with open(path, encoding="utf-8") as file:
            inodes.add(os.fstat(file.fileno()).st_ino)
            text = file.read()
        assert text.endswith("\n# EOF\n")
        # What lies beside it for an instant is nothing that node_exporter reads.
        assert [name for name in os.listdir(folder) if name.endswith(".prom")] == ["leak.prom"]
    assert len(inodes) > 1
    assert stat.S_IMODE(path.stat().st_mode) & 0o444 == 0o444


def test_node_exporter_reads_the_file(growing, leakinspect, serve, tmp_path):
    leakinspect("watch", growing.pid, "-c", 2, *FAST, "--metrics", tmp_path / "leak.prom")
    port = free_port()
    serve(Server, ["prometheus-node-exporter", "--collector.disable-defaults",
                   "--collector.textfile", "--collector.textfile.directory=%s" % tmp_path,
                   "--web.listen-address=127.0.0.1:%d" % port], tmp_path)

    def answer():
        try:
            return get("http://127.0.0.1:%d/metrics" % port)
        except OSError:
            return None
    status, _, text = wait_for(answer, "answer")
    # It has metrics called process_... of its own, and refuses to answer where another's differ in help.
    assert status == 200, text
    assert 'process_resident_memory_bytes{pid="%d"}' % growing.pid in text
    assert re.search(r"^process_resident_memory_bytes \d", text, re.MULTILINE)
    assert "# TYPE leakinspect_stops_total counter" in text
    assert "node_textfile_scrape_error 0" in text


def test_a_scrape_stops_nobody(growing, watching):
    url = watching(growing.pid, "-i", "1h", "--listen", "0").url()
    wait_for(lambda: get(url)[0] == 200, "point")
    before = samples(get(url)[2])["leakinspect_stops_total", (str(growing.pid),)]
    texts = {get(url)[2] for _ in range(50)}
    assert len(texts) == 1
    assert samples(texts.pop())["leakinspect_stops_total", (str(growing.pid),)] == before


def test_what_is_no_scrape_gets_a_word(growing, watching):
    url = watching(growing.pid, *FAST, "--listen", "0").url()
    wait_for(lambda: get(url)[0] == 200, "point")
    assert get(url.replace("/metrics", "/"))[0] == 404
    assert get(url + "/../../etc/passwd")[0] == 404
    assert get(url, method="DELETE")[0] == 405
    assert get(url, method="HEAD")[0] == 200
    host, port = url.split("/")[2].split(":")
    with socket.create_connection((host, int(port)), timeout=30) as one:
        one.sendall(b"\0\1\2 HTTP\r\n\r\n" * 1000)
    assert get(url)[0] == 200


def test_many_clients_that_say_nothing_are_bounded(growing, watching):
    one = watching(growing.pid, *FAST, "--listen", "0")
    url = one.url()
    host, port = url.split("/")[2].split(":")
    clients = [socket.create_connection((host, int(port)), timeout=30) for _ in range(40)]
    try:
        # Some that say nothing shut out nobody.
        begin = time.monotonic()
        wait_for(lambda: get(url)[0] == 200, "answer")
        assert time.monotonic() - begin < 2
        clients += [socket.create_connection((host, int(port)), timeout=30) for _ in range(60)]
        # They are let go after three seconds; the watch goes on meanwhile.
        assert len(os.listdir("/proc/%d/fd" % one.process.pid)) < 96
    finally:
        for client in clients:
            client.close()
    wait_for(lambda: get(url)[0] == 200, "answer")


def test_it_listens_on_loopback_alone_unless_told(growing, watching):
    for word in ("0", ":0"):
        one = watching(growing.pid, *FAST, "--listen", word)
        url = one.url()
        assert url.startswith("http://127.0.0.1:")
        wait_for(lambda url=url: get(url)[0] == 200, "point")
        assert one.end()[0] == 0


def test_loopback_of_the_new_internet(growing, watching):
    try:
        with socket.socket(socket.AF_INET6) as one:
            one.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 here")
    url = watching(growing.pid, *FAST, "--listen", "[::1]:0").url()
    assert re.fullmatch(r"http://\[::1\]:\d+/metrics", url)
    wait_for(lambda: get(url)[0] == 200, "answer")


def test_a_port_that_is_taken_is_told_before_the_process_is_stopped(growing, leakinspect):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = leakinspect.run("watch", growing.pid, "--listen", taken.getsockname()[1])
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot listen at 127.0.0.1 port" in done.stderr


@pytest.mark.parametrize("words, said", [
    (["--listen", "here"], "--listen wants"), (["--listen", "1.2.3.4"], "--listen wants"),
    (["--listen", ":99999"], "--listen wants"), (["--listen", "::1"], "--listen wants"),
    (["--top", "0"], "--top wants"), (["--top", "501"], "--top wants"),
])
def test_wrong_words_are_status_2(growing, leakinspect, words, said):
    done = leakinspect.run("watch", growing.pid, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_file_that_cannot_be_written_is_an_error(growing, leakinspect, tmp_path):
    done = leakinspect.run("watch", growing.pid, *FAST, "--metrics", tmp_path / "none" / "leak.prom")
    assert done.returncode == 1
    assert "cannot write" in done.stderr
    assert growing.status("TracerPid") == "0"


def test_a_folder_that_goes_away_later_is_told_and_ends_nothing(growing, watching, tmp_path):
    folder = tmp_path / "collector"
    folder.mkdir()
    path = folder / "leak.prom"
    one = watching(growing.pid, *FAST, "--metrics", path)
    wait_for(path.exists, "file")
    folder.rename(tmp_path / "elsewhere")
    time.sleep(1)
    status, out, _ = one.end()
    assert status == 0
    assert len(re.findall(r"^\d\d:\d\d:\d\d  cannot write", out, re.MULTILINE)) == 1
    assert re.search(r"^the metrics could not be written \d+ times: cannot write", out, re.MULTILINE)


def test_what_has_ended_is_told_of_no_more(growing, leakinspect, tmp_path):
    path = tmp_path / "leak.prom"
    process = leakinspect.start("watch", growing.pid, *FAST, "--metrics", path,
                                stdout=subprocess.DEVNULL)
    wait_for(path.exists, "file")
    growing.finish()
    assert process.wait(60) == 0
    found = samples(text_of(path))
    assert found["leakinspect_processes", ()] == 0
    assert found["leakinspect_processes_ended_total", ()] == 1
    assert not [key for key in found if key[1]]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_watch_that_is_stopped_leaves_no_figures_behind(growing, watching, tmp_path, number):
    path = tmp_path / "leak.prom"
    one = watching(growing.pid, "-i", "1h", "--metrics", path)
    wait_for(path.exists, "file")
    assert samples(text_of(path))["leakinspect_processes", ()] == 1
    assert one.end(number)[0] == 0
    found = samples(text_of(path))
    assert found == {("leakinspect_processes", ()): 0, ("leakinspect_processes_opened_total", ()): 1,
                     ("leakinspect_processes_ended_total", ()): 1}
    check(text_of(path))


def test_after_all_points_the_last_one_stays(debian_python, start, leakinspect, tmp_path):
    pids = [start("growing.py", debian_python).pid for _ in range(2)]
    path = tmp_path / "leak.prom"
    report = leakinspect("watch", *pids, "-c", 1, *FAST, "--metrics", path)
    assert {row["ended"] for row in report["processes"]} == {"all points were taken"}
    found = samples(text_of(path))
    assert found["leakinspect_processes", ()] == 2
    assert found["leakinspect_processes_ended_total", ()] == 0
    assert all(found["leakinspect_up", (str(pid),)] == 1 for pid in pids)


def test_without_stops_there_is_memory_alone(growing, leakinspect, tmp_path):
    path = tmp_path / "leak.prom"
    leakinspect("watch", growing.pid, "-c", 2, *FAST, "--no-stop", "--metrics", path)
    found = samples(text_of(path))
    pid = str(growing.pid)
    assert found["leakinspect_up", (pid,)] == 1 and found["leakinspect_stops_total", (pid,)] == 0
    assert ("leakinspect_objects", (pid,)) not in found
    check(text_of(path))


def test_hostile_names_of_types_break_no_text(debian_python, start, leakinspect, tmp_path):
    target = start("hostile_names.py", debian_python)
    path = tmp_path / "leak.prom"
    leakinspect("watch", target.pid, "-c", 2, *FAST, "--top", "500", "--metrics", path)
    check(text_of(path))
    assert len(samples(text_of(path))) > 300


def test_signals_end_it_while_it_serves(growing, watching):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        one = watching(growing.pid, "-i", "1h", "--listen", "0")
        url = one.url()
        wait_for(lambda url=url: get(url)[0] == 200, "answer")
        begin = time.monotonic()
        assert one.end(number)[0] == 0
        assert time.monotonic() - begin < 10
    assert growing.is_alive() and growing.status("TracerPid") == "0"


def test_types_are_told_at_the_end(growing, watching, leakinspect, tmp_path):
    record = tmp_path / "record"
    one = watching(growing.pid, *FAST, "--record", record, "--json")
    wait_for(lambda: record.exists() and record.read_text().count("rss") > 1, "points")
    for step in range(3):
        growing.ask("grow 100")
        count = record.read_text().count("\n")
        wait_for(lambda: record.read_text().count("\n") > count + 1, "points after step %d" % step)
    report = one.report()
    row = [row for row in report["types"] if row["name"] == KEPT][0]
    assert (row["count"], row["instances"], row["trend"]) == (300, 300, "grows")
    assert row["size"] > 300 * 16 and row["per_minute"] > 300
    text = leakinspect.run("watch", growing.pid, "-c", 2, *FAST, "--types").stdout
    assert re.search(r"^(?:types: none|TYPE +COUNT +GROWTH +PER MINUTE +SIZE +TREND)$", text,
                     re.MULTILINE)
    assert "TREND" not in leakinspect.run("watch", growing.pid, "-c", 2, *FAST).stdout


def test_a_file_of_another_kind_is_not_overwritten(growing, leakinspect, tmp_path):
    precious = tmp_path / "precious"
    words = ["watch", growing.pid, "-c", "1", "--metrics", precious]
    precious.write_text("all my work\n")
    done = leakinspect.run(*words)
    assert done.returncode == 1 and "--force" in done.stderr
    assert precious.read_text() == "all my work\n"
    for options in (["--force"], []):
        assert leakinspect.run(*words, *options).returncode == 0
        assert "leakinspect_objects" in precious.read_text()
