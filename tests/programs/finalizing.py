# SPDX-License-Identifier: GPL-3.0-or-later
"""On "end" the interpreter begins to end, and one of the last objects says "finalizing" and waits for
another line while it is being torn down."""
import os
import sys

import conversation


class Last(object):
    # Bound here, as the module may be empty by then.
    def __del__(self, say=conversation.say, read=os.read):
        say("finalizing")
        read(0, 1)


last = Last()
conversation.serve({"end": sys.exit})
