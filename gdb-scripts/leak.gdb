# SPDX-License-Identifier: GPL-3.0-or-later
#
# The GDB companion of leakinspect: which objects fill the memory of a Python process or core file.
#
#   gdb -x gdb-scripts/leak.gdb -p PID          or, inside GDB:   source gdb-scripts/leak.gdb
#
# then `leak` or `help leak`. This file only finds the package beside it and loads it.

python
def _leak_load():
    import os
    import sys

    if sys.version_info < (3, 6):
        raise gdb.GdbError("leak needs a GDB with Python 3.6 or later; this one has %s"
                           % sys.version.split()[0])

    def candidates():
        # GDB does not tell a script of its own language where it lies, but keeps it open
        # while it runs it.
        for number in sorted(os.listdir("/proc/self/fd"), key=int, reverse=True):
            try:
                path = os.readlink("/proc/self/fd/" + number)
            except OSError:
                continue  # The one that listed the directory is closed by now.
            if path.endswith("/leak.gdb"):
                yield os.path.dirname(path)
        # Where `make install` puts it, for PREFIX=/usr/local and /usr; the latter is also GDB's own.
        yield "/usr/local/share/gdb/leakinspect"
        yield os.path.join(os.path.dirname(gdb.PYTHONDIR), "leakinspect")

    for folder in candidates():
        if os.path.isfile(os.path.join(folder, "leak", "__init__.py")):
            break
    else:
        raise gdb.GdbError("the package `leak` is not beside leak.gdb; load it from a clone of "
                           "leakinspect with `source .../gdb-scripts/leak.gdb`, or run `make install`")
    # No folder of compiled files is to appear in a clone of the sources.
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.path.insert(0, folder)
    try:
        # Loaded once more, it is read anew: an edited file counts.
        if hasattr(sys.modules.get("leak"), "unload"):
            sys.modules["leak"].unload()
        for name in [name for name in sys.modules if name == "leak" or name.startswith("leak.")]:
            del sys.modules[name]
        import leak
        leak.load()
    finally:
        sys.path.remove(folder)
        sys.dont_write_bytecode = before

try:
    _leak_load()
finally:
    del _leak_load
end
