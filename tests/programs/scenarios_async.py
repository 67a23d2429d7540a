# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenarios for collection.py: coroutines. Python 2 cannot read this file."""
import asyncio
import sys
import warnings

from scenario import Node, afterwards, kept, ring, scenario

warnings.simplefilter("ignore", RuntimeWarning)


async def wait_for(future, *things):
    local = list(things)
    await future
    return local


def new_loop():
    loop = asyncio.new_event_loop()
    afterwards.append(loop.close)
    kept.append(loop)
    return loop


@scenario
def a_coroutine_that_was_never_awaited():
    one = Node()
    one.coroutine = wait_for(None, one)


@scenario
def a_coroutine_that_waits():
    loop = new_loop()
    one = Node()
    one.future = loop.create_future()
    one.coroutine = wait_for(one.future, one)
    one.coroutine.send(None)


@scenario
def an_async_generator():
    async def generate(holder):
        try:
            yield holder
            yield 2
        finally:
            holder = None
    one = Node()
    one.generator = generate(one)
    one.step = one.generator.__anext__()
    try:
        one.step.send(None)
    except StopIteration:
        pass
    two = Node()
    two.generator = generate(two)
    two.step = two.generator.asend(None)


@scenario
def a_future_that_calls_back():
    loop = new_loop()
    future = loop.create_future()
    future.add_done_callback(lambda done: future)
    done = loop.create_future()
    done.set_result([done])
    # It logs what nobody asked for, unless told not to.
    failed = loop.create_future()
    failed.set_exception(ValueError(failed))
    failed.exception()


@scenario
def a_task_that_waits_for_what_nobody_sets():
    """Only the loop's set of tasks knows it, weakly."""
    loop = new_loop()
    loop.set_exception_handler(lambda *words: None)
    future = loop.create_future()
    task = loop.create_task(wait_for(future, future))
    loop.run_until_complete(asyncio.sleep(0))
    task.itself = task if hasattr(task, "__dict__") else None
    assert not task.done()


@scenario
def tasks_that_a_loop_still_runs():
    loop = new_loop()
    for _ in range(3):
        loop.create_task(wait_for(asyncio.sleep(1000), ring(Node, 2)))
    loop.run_until_complete(asyncio.sleep(0))

    def cancel():
        tasks = asyncio.all_tasks(loop) if sys.version_info >= (3, 7) \
            else asyncio.Task.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    afterwards.append(cancel)


@scenario
def a_loop_that_was_closed():
    loop = asyncio.new_event_loop()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    loop.itself = loop
