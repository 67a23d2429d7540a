# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a process is as it was before somebody had it cloned."""
import os
import time


def children(pid):
    """Ids of the children of all threads, ended ones too. Those of a thread that ends meanwhile may be missed."""
    found = []
    for task in os.listdir("/proc/%d/task" % pid):
        try:
            with open("/proc/%d/task/%s/children" % (pid, task), encoding="ascii") as file:
                found += file.read().split()
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def is_as_before(target):
    return (target.status("TracerPid") == "0" and int(target.status("SigBlk"), 16) == 0
            and children(target.pid) == [])


def assert_as_before(target):
    """Soon: when leakinspect was killed, its keeper comes once more."""
    assert target.is_alive()
    end = time.monotonic() + 5
    while not is_as_before(target) and time.monotonic() < end:
        time.sleep(0.005)
    assert target.status("TracerPid") == "0"
    assert int(target.status("SigBlk"), 16) == 0
    assert children(target.pid) == []
