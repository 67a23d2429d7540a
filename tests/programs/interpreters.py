# SPDX-License-Identifier: GPL-3.0-or-later
"""Three interpreters beside the main one, each with 1,111 instances of its own class Inner, tracked,
and the main one with 2,222 of Outer. Says "ready none" where a Python cannot make interpreters."""
import gc

import conversation

try:
    import _interpreters as interpreters
except ImportError:
    try:
        import _xxsubinterpreters as interpreters
    except ImportError:
        interpreters = None

SCRIPT = """
class Inner(object):
    pass

kept = [Inner() for _ in range(1111)]
"""


class Outer(object):
    pass


gc.disable()
kept = [Outer() for _ in range(2222)]
if interpreters:
    # In some versions an interpreter ends when nobody holds its id any more.
    made = [interpreters.create() for _ in range(3)]
    for interpreter in made:
        # An exception in there comes back as a value in the newer ones.
        failed = interpreters.run_string(interpreter, SCRIPT)
        assert failed is None, failed
conversation.serve(ready="three" if interpreters else "none")
