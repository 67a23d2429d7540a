# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a heap look other than it is: anonymous classes, heaps of threads that have shrunk, and
library code that reuses memory of freed objects."""
import threading

import conversation

anonymous = [type("", (object,), {})() for _ in range(7)]
kept = []
done = threading.Event()
barrier = []


def burst(number):
    kept.append([("k%d" % index) * 300 for index in range(300)])
    gone = [("t%d" % index) * 300 for index in range(4000)]
    barrier.append(number)
    del gone
    done.wait()


threads = [threading.Thread(target=burst, args=(number,)) for number in range(3)]
for thread in threads:
    thread.daemon = True
    thread.start()
while len(barrier) < len(threads):
    done.wait(0.01)
# Each has let go of its strings by the time it waits for good.
done.wait(0.2)
conversation.serve()
