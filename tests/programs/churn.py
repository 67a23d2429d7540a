# SPDX-License-Identifier: GPL-3.0-or-later
"""Threads that allocate, free and collect without pause, around a population that never changes:
5,000 instances of Anchor in the oldest generation, 3,000 of Bare (which the collector does not track
before Python 3.8) and, for each of four threads, 200 of Young, replaced one after the other.

"go" starts the threads' work, "count" answers how often each went round, "stop" ends them and answers
the exceptions they met."""
import gc
import json
import random
import threading

import conversation

THREADS = 4
YOUNG = 200


class Anchor(object):
    def __init__(self, number):
        self.number = number
        self.links = [number]


class Bare(object):
    __slots__ = ()


class Young(object):
    pass


class Cyclic(object):
    def __init__(self):
        self.itself = self


anchors = [Anchor(number) for number in range(5000)]
bares = [Bare() for _ in range(3000)]
windows = [[Young() for _ in range(YOUNG)] for _ in range(THREADS)]
rounds = [0] * THREADS
errors = []
go = threading.Event()
ended = False


def generate(limit):
    for number in range(limit):
        yield number


def churn(window, place, chance):
    """One round: every kind of coming and going."""
    window[place % YOUNG] = Young()
    Cyclic()
    made = []
    # No comprehension: in some versions that makes a function, and their number shall not change.
    for number in range(chance.randrange(60)):
        made.append([number, float(number)])
    made.append({"number": place, "text": "text %d" % place, "list": []})
    made.append(("x" * chance.randrange(2000), place + 0.5, 2 ** 70 + place))
    made.append(set(range(chance.randrange(40))))
    generator = generate(3)
    next(generator)
    made.append(generator)
    del made[chance.randrange(len(made))]
    if place % 50 == 0:
        gc.collect(chance.randrange(3))


def work(index):
    go.wait()
    chance = random.Random(index)
    try:
        while not ended:
            churn(windows[index], rounds[index], chance)
            rounds[index] += 1
    except Exception as error:
        errors.append(repr(error))


def stop():
    global ended
    ended = True
    for thread in threads:
        thread.join()
    for _ in range(5):
        gc.collect()
    gc.disable()
    return json.dumps(errors)


threads = [threading.Thread(target=work, args=(index,)) for index in range(THREADS)]
for each in threads:
    each.daemon = True
    each.start()
for _ in range(5):
    gc.collect()
gc.set_threshold(200, 5, 5)
conversation.serve({"go": go.set, "count": lambda: json.dumps(rounds), "stop": stop},
                   collector=True)
