# SPDX-License-Identifier: GPL-3.0-or-later
"""Threads whose hearts beat: "beats" answers how often each did so far, "digest N" the result of some
work on the whole population. Arguments: how many threads there are; how many more start threads that
end at once, one after the other."""
import hashlib
import json
import sys
import threading
import time

import conversation

THREADS, BREEDERS = int(sys.argv[1]), int(sys.argv[2])
POPULATION = 50000


class Cell(object):
    def __init__(self, number):
        self.number = number
        self.mark = [number]


cells = [Cell(number) for number in range(POPULATION)]
beats = [0] * (THREADS + BREEDERS)
ended = threading.Event()


def beat(index):
    while not ended.is_set():
        time.sleep(0.02)
        beats[index] += 1


def live_briefly(index):
    time.sleep(0.001)
    beats[index] += 1


def breed(index):
    while not ended.is_set():
        thread = threading.Thread(target=live_briefly, args=(index,))
        thread.start()
        thread.join()


def digest(seed):
    work = hashlib.sha256(seed.encode())
    for cell in cells:
        work.update(b"%d %d\n" % (cell.number, cell.mark[0]))
    return work.hexdigest()


hearts = [threading.Thread(target=beat if each < THREADS else breed, args=(each,))
          for each in range(THREADS + BREEDERS)]
for each in hearts:
    each.daemon = True
    each.start()
conversation.serve({"beats": lambda: json.dumps(beats), "digest": digest}, collector=True)
# Threads that still start others while the interpreter ends may crash it.
ended.set()
for each in hearts:
    each.join()
