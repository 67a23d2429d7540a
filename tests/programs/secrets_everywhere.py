# SPDX-License-Identifier: GPL-3.0-or-later
"""A secret, and a number that is one, in every place in which a value can stand. Argument: the secret,
which is no text of this file. "objects" answers the addresses of what holds it."""
import collections
import functools
import json
import sys
import threading

import conversation

SECRET = sys.argv[1]
NUMBER = int(sys.argv[2])
waiting = threading.Lock()
waiting.acquire()


class Account(object):
    note = SECRET

    def __init__(self):
        self.password = SECRET
        self.pin = NUMBER
        self.history = [SECRET, SECRET.encode("ascii"), bytearray(SECRET.encode("ascii"))]
        self.by_name = {SECRET: 1, (SECRET, NUMBER): [SECRET], NUMBER: {SECRET: SECRET},
                        SECRET + " of bob": self, SECRET.encode("ascii"): 3, float(NUMBER): 4}
        self.unique = set([SECRET, NUMBER])
        self.frozen = frozenset([SECRET])
        self.queue = collections.deque([SECRET], 10)
        self.defaults = collections.defaultdict(list, {SECRET: [SECRET]})
        self.ordered = collections.OrderedDict([(SECRET, SECRET)])
        self.error = ValueError(SECRET, NUMBER)
        self.one = KeyError(SECRET)
        self.part = slice(SECRET, NUMBER)
        self.span = range(NUMBER) if sys.version_info[0] > 2 else xrange(NUMBER)  # noqa: F821
        self.number = complex(NUMBER, NUMBER)
        self.fraction = float(NUMBER) / 4
        self.bound = SECRET.upper
        self.later = functools.partial(len, SECRET)
        self.point = Point(SECRET, NUMBER)
        self.derived = Text(SECRET)
        self.wide = SECRET + u"\u20ac"
        self.again = self
        self.closed = lambda given=SECRET: (given, self)


Point = collections.namedtuple("Point", "x y")


class Text(str):
    pass


class Pending(object):
    def __del__(self):
        pass


def wait(request):
    held = SECRET + " in a variable"
    waiting.acquire()
    return held, request


def cycle():
    first, second = Pending(), Pending()
    first.others = {SECRET: second}
    second.others = {NUMBER: first}


account = Account()
account.__dict__[SECRET + " with blanks"] = SECRET
accounts = {SECRET: account, "plain": [account]}
table = {SECRET: accounts, NUMBER: account}
cycle()
thread = threading.Thread(target=wait, args=(SECRET,))
thread.daemon = True
thread.start()
with open("/proc/self/task/%s/comm" % sorted(__import__("os").listdir("/proc/self/task"))[-1],
          "w") as comm:
    comm.write(SECRET[:15])


def objects():
    found = [account, accounts, table, account.__dict__, SECRET, Account]
    found += [getattr(account, name) for name in vars(account) if " " not in name]
    return json.dumps(sorted(set("0x%x" % id(thing) for thing in found)))


conversation.serve({"objects": objects})
