# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects in every generation: 3,000 instances of Frozen in the permanent one (gc.freeze()), 2,000 of
Old in the oldest, 1,000 of Middle in the one before, 500 of Young in the youngest.
"frozen" asks for gc.get_freeze_count(), the objects that gc.get_objects() leaves out."""
import gc

import conversation


class Frozen(object):
    pass


class Old(object):
    pass


class Middle(object):
    pass


class Young(object):
    pass


kept = {}
gc.disable()
kept["frozen"] = [Frozen() for _ in range(3000)]
for _ in range(5):
    gc.collect()
if hasattr(gc, "freeze"):
    gc.freeze()
kept["old"] = [Old() for _ in range(2000)]
gc.collect()
kept["middle"] = [Middle() for _ in range(1000)]
gc.collect(0)
kept["young"] = [Young() for _ in range(500)]
# With the collector left as it is: it is off, and serve() would collect everything into one.
conversation.serve({"frozen": getattr(gc, "get_freeze_count", lambda: 0)}, collector=True)
