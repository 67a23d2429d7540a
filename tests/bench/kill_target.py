# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes to be cloned by a leakinspect that is killed on the way: kill_target.py KIND COUNTS. Each
thread does one thing over and over and checks its effect. COUNTS is a file of 64-bit numbers: how often
thread N has done its own at 3 * N, then how often an effect was lost, wrong or there twice, then how often
a call was cut short (EINTR). Says "ready" and the number of threads."""
import ctypes
import errno
import math
import mmap
import os
import select
import signal
import struct
import sys
import threading
import time

PR_SET_PDEATHSIG = 1
THREADS_MAX = 64
NUMBER = struct.Struct("<Q")
FIELDS = 3
DONE, WRONG, CUT = range(FIELDS)
libc = ctypes.CDLL(None, use_errno=True)


class Timespec(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


class Counts:
    """Those of one thread."""

    def __init__(self, shared, thread):
        self._shared = shared
        self._at = FIELDS * 8 * thread

    def add(self, field):
        at = self._at + 8 * field
        value, = NUMBER.unpack_from(self._shared, at)
        NUMBER.pack_into(self._shared, at, value + 1)

    def note(self, right):
        if not right:
            self.add(WRONG)
        self.add(DONE)


def cut_short(counts, result):
    """Of a call of the C library that Python would have made again."""
    if result == 0:
        return False
    if ctypes.get_errno() == errno.EINTR:
        counts.add(CUT)
    else:
        counts.add(WRONG)
    return True


def sleep(counts):
    """A sleep that Python makes again, the plain one, a wait for nothing: none is to be too short."""
    span = 0.002
    request = Timespec(0, int(span * 1e9))

    def plainly():
        return libc.nanosleep(ctypes.byref(request), None)

    def wait():
        return libc.poll(None, 0, int(span * 1e3))

    while True:
        for call in (lambda: time.sleep(span) or 0, plainly, wait):
            begin = time.monotonic()
            cut = cut_short(counts, call())
            counts.note(cut or time.monotonic() - begin >= span)


def compute(counts):
    """A register that is not put back shows in one of the two results."""
    while True:
        counts.note(math.fsum(math.sqrt(i) for i in range(300))
                    == math.fsum(math.sqrt(i) for i in range(300)))


def write_into(descriptor):
    """All numbers in turn, one for each call."""
    def work(counts):
        number = 0
        while True:
            counts.note(os.write(descriptor, NUMBER.pack(number)) == NUMBER.size)
            number += 1
    return work


def read_from(descriptor):
    """What was written, in order, each number once."""
    def work(counts):
        due = 0
        while True:
            data = os.read(descriptor, 128 * NUMBER.size)
            for number, in NUMBER.iter_unpack(data):
                counts.note(number == due)
                due = number + 1
    return work


def append(path):
    """A file is as long as what was written to it."""
    def work(counts):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        while True:
            os.ftruncate(descriptor, 0)
            for number in range(512):
                os.write(descriptor, NUMBER.pack(number))
            data = os.pread(descriptor, 1 << 16, 0)
            counts.note([number for number, in NUMBER.iter_unpack(data)] == list(range(512)))
            time.sleep(0.001)
    return work


def echo(counts):
    """Each number through a pipe of its own, and no second one behind it."""
    reads, writes = os.pipe()
    number = 0
    while True:
        os.write(writes, NUMBER.pack(number))
        ready, _, _ = select.select([reads], [], [], 5)
        data = os.read(reads, 1 << 12) if ready else b""
        counts.note(data == NUMBER.pack(number))
        number += 1
        time.sleep(0.005)


def wait_for_event(counts):
    event = threading.Event()
    while True:
        begin = time.monotonic()
        counts.note(not event.wait(0.005) and time.monotonic() - begin >= 0.005)


def wait_for_poll(counts):
    waiter = select.epoll()
    while True:
        counts.note(waiter.poll(0.005) == [])


def works_of(kind, path):
    if kind == "sleep":
        return [sleep]
    if kind == "compute":
        return [compute]
    if kind == "io":
        reads, writes = os.pipe()
        return [write_into(writes), read_from(reads), append(path + ".file")]
    return [(echo, sleep, wait_for_event, wait_for_poll, echo)[number % 5] for number in range(50)]


def run(work, counts):
    """Without end; with an error that nobody expects the whole process ends."""
    try:
        work(counts)
    finally:
        sys.stderr.write("%s: %r\n" % (work.__name__, sys.exc_info()[1]))
        os._exit(3)


def main():
    kind, path = sys.argv[1:]
    # Ends with whoever looks at it.
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    with open(path, "r+b") as file:
        shared = mmap.mmap(file.fileno(), FIELDS * 8 * THREADS_MAX)
    works = works_of(kind, path)
    for number, work in enumerate(works):
        if number:
            threading.Thread(target=run, args=(work, Counts(shared, number))).start()
    print("ready %d" % len(works), flush=True)
    run(works[0], Counts(shared, 0))


if __name__ == "__main__":
    main()
