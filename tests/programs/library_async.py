# SPDX-License-Identifier: GPL-3.0-or-later
"""More for library_objects.kept: coroutines and asyncio, waiting. Python 2 cannot read this file."""
import asyncio
import sys
import types
import warnings

from library_objects import Plain, kept, part

warnings.simplefilter("ignore", RuntimeWarning)


async def wait_for(future, *things):
    local = list(things)
    async with Managed(local) as managed:
        return [local, managed, await future]


class Managed:
    def __init__(self, thing):
        self.thing = thing

    async def __aenter__(self):
        return self

    async def __aexit__(self, *words):
        pass


async def count(limit):
    for number in range(limit):
        try:
            yield [number]
        finally:
            pass


async def outer(future, inner=[]):
    return [x async for x in count(2)] + [await wait_for(future, inner)]


@types.coroutine
def old_way(future):
    return (yield from future)


def step(coroutine):
    try:
        coroutine.send(None)
    except (StopIteration, StopAsyncIteration):
        pass
    return coroutine


@part
def coroutines():
    loop = asyncio.new_event_loop()
    new = loop.create_future
    kept.extend([wait_for(None), step(wait_for(new(), [1])), step(outer(new())),
                 step(old_way(new())), step(wait_for(new()).__await__()), outer(new()).__await__()])
    iterator = new().__iter__()
    next(iterator)
    kept.append(iterator)
    for steps in range(3):
        generator = count(5)
        for _ in range(steps):
            step(generator.__anext__())
        kept.extend([generator, generator.__anext__(), generator.asend(None),
                     generator.athrow(ValueError), generator.aclose()])
    kept.append(loop)
    if sys.version_info >= (3, 10):
        kept.append(anext(count(3), [1]))  # noqa: F821
        kept.append(step(anext(count(3), [1]).__await__()))  # noqa: F821


@part
def tasks():
    loop = asyncio.new_event_loop()
    futures = [loop.create_future() for _ in range(10)]
    failed, cancelled = loop.create_future(), loop.create_future()
    failed.set_exception(ValueError([1]))
    failed.exception()
    cancelled.cancel()
    done = loop.create_future()
    done.set_result([done])
    futures[0].add_done_callback(max)
    futures[1].add_done_callback(max)
    futures[1].add_done_callback(Plain().method)
    futures[2].add_done_callback(futures[1].cancel)
    made = [loop.create_task(outer(future)) for future in futures]
    made += [loop.create_task(asyncio.wait_for(future, 1000)) for future in futures[:3]]
    made += [loop.create_task(asyncio.sleep(1000)), loop.create_task(asyncio.sleep(0, [1]))]

    async def more():
        queue, lock, event = asyncio.Queue(), asyncio.Lock(), asyncio.Event()
        kept.extend([queue, lock, event, asyncio.Semaphore(1), asyncio.Condition()])
        async with lock:
            await asyncio.gather(queue.get(), event.wait(), asyncio.shield(futures[3]))
    made.append(loop.create_task(more()))
    cut = loop.create_task(outer(futures[4]))
    loop.run_until_complete(asyncio.sleep(0.01))
    cut.cancel()
    loop.run_until_complete(asyncio.sleep(0.01))
    kept.extend([loop, futures, failed, cancelled, done, made, cut, loop.call_later(1000, max, [1]),
                 loop.call_soon(max, [2]), asyncio.StreamReader(loop=loop)])
    # A task that did not begin: its step waits in the loop.
    kept.append(loop.create_task(outer(futures[5])))
