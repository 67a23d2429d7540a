# SPDX-License-Identifier: GPL-3.0-or-later
"""The inspected process of the bench: the heap of a service that holds sessions, so many objects in
all, with a heartbeat inside. A session is ten objects: a Session, an Event with slots, a list, a dict
and a tuple, which the collector tracks, and an int, two strings and two floats, which it does not
(until Python 3.10 the Session's own dictionary is one more). Then sessions at random places give way
to new ones, a fifth of them all, and the collector runs, so that neither addresses nor the
collector's lists are in the order in which things were made.

Lines of standard input: "counter" answers the seconds that collections.Counter over
gc.get_objects() takes here, and the count; "referents" those of asking each of them what it refers to;
"pass" those of touching each session's objects, which writes
their reference counts; "anchor" answers the address of a Session; "watch" starts watching the heartbeat and "seen" answers the seconds of
its longest gap since, and of its usual one."""
import collections
import gc
import random
import signal
import sys
import threading
import time

signal.alarm(1800)
clock = getattr(time, "perf_counter", time.time)
TAGS = ["new", "paid", "mobile", "beta"]


class Event(object):
    __slots__ = ("session", "page")

    def __init__(self, session, page):
        self.session = session
        self.page = page


class Session(object):
    def __init__(self, number):
        self.number = 1000000 + number
        self.user = "user-%d" % number
        self.started = number * 0.37
        self.tags = [TAGS[number % 4], TAGS[number % 3]]
        self.last = Event(self, "/page/%d" % number)
        self.state = {"event": self.last, "tags": self.tags, "retries": 0}
        self.place = (self.last, number * 0.5)


class Heartbeat(threading.Thread):
    """Beats every 0.2 ms and remembers the longest gap between two beats."""

    def __init__(self):
        threading.Thread.__init__(self)
        self.daemon = True
        self.longest = 0.0
        self.gaps = []

    def run(self):
        last = clock()
        while True:
            time.sleep(0.0002)
            now = clock()
            gap = now - last
            last = now
            if gap > self.longest:
                self.longest = gap
            if len(self.gaps) < 2000:
                self.gaps.append(gap)

    def watch(self):
        self.gaps = []
        self.longest = 0.0


def count():
    begin = clock()
    counts = collections.Counter(type(thing).__name__ for thing in gc.get_objects())
    return clock() - begin, sum(counts.values())


def referents():
    begin = clock()
    for thing in gc.get_objects():
        gc.get_referents(thing)
    return clock() - begin


def touch_all(sessions):
    begin = clock()
    for session in sessions:
        for thing in (session.user, session.tags, session.last, session.state, session.place):
            pass
    return clock() - begin


def main():
    chance = random.Random(1)
    gc.disable()
    sessions = [Session(number) for number in range(int(sys.argv[1]) // 10)]
    for number in range(len(sessions) // 5):
        sessions[chance.randrange(len(sessions))] = Session(number)
    # The sessions that gave way are cycles.
    gc.collect()
    gc.collect()
    heartbeat = Heartbeat()
    heartbeat.start()
    print("ready")
    sys.stdout.flush()
    while True:
        line = sys.stdin.readline().strip()
        if not line:
            break
        if line == "counter":
            print("%.9f %d" % count())
        elif line == "referents":
            print("%.9f" % referents())
        elif line == "pass":
            print("%.9f" % touch_all(sessions))
        elif line == "anchor":
            print("0x%x" % id(sessions[0]))
        elif line == "watch":
            heartbeat.watch()
            print("ok")
        elif line == "seen":
            gaps = sorted(heartbeat.gaps)
            print("%.9f %.9f" % (heartbeat.longest, gaps[len(gaps) // 2] if gaps else 0))
        sys.stdout.flush()


main()
