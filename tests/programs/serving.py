# SPDX-License-Identifier: GPL-3.0-or-later
"""A service that answers: two threads work all the time, the main one answers lines.
    count    how often each thread has gone round
    loops    makes a number of cycles
    collect  what gc.collect() returns"""
import gc
import json
import os
import threading
import time

import conversation


class Session(object):
    def __init__(self):
        self.itself = self


rounds = [0, 0]
cache = {"answer": 42}
# What is open, and must stay as it is.
reads, writes = os.pipe()


def work(number):
    while True:
        rounds[number] += 1
        sum(range(100))
        if number:
            time.sleep(0.0005)


def count():
    return json.dumps(rounds)


def loops(number="1000"):
    for _ in range(int(number)):
        Session()


def collect():
    return gc.collect()


for _number in range(2):
    _thread = threading.Thread(target=work, args=(_number,))
    _thread.daemon = True
    _thread.start()
conversation.serve({"count": count, "loops": loops, "collect": collect})
