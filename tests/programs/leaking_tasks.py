# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks that wait for ever, kept in a set from which a callback would take them when they are done."""
import asyncio
import threading

import conversation

BACKGROUND = set()
READY = threading.Event()


class Job(object):
    def __init__(self, number):
        self.body = "job %d " % number * 30


async def work(job, answer):
    await answer
    return job


async def begin(loop):
    for number in range(500):
        task = loop.create_task(work(Job(number), loop.create_future()))
        BACKGROUND.add(task)
        task.add_done_callback(BACKGROUND.discard)
    await asyncio.sleep(0.05)
    READY.set()
    await asyncio.sleep(600)


def run():
    loop = asyncio.new_event_loop()
    loop.run_until_complete(begin(loop))


thread = threading.Thread(target=run)
thread.daemon = True
thread.start()
READY.wait()
conversation.serve()
