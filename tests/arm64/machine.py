#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the unit tests that trace on an emulated aarch64 machine (qemu-system-aarch64).

    tests/arm64/machine.py FOLDER BUILD [TEST ...]

FOLDER has the libraries (sysroot/) and a kernel (kernel/), BUILD the tests. The machine starts from an archive
with them and nothing else: no disk, no network. It prints a line for each test, and is switched off.
"""

import glob
import os
import re
import stat
import subprocess
import sys
import tempfile

# All that stop, read or clone another process.
TESTS = ["test_inject_frames", "test_clone", "test_clone_collect", "test_clone_run", "test_live",
         "test_mirror", "test_pause", "test_pause_calls", "test_pause_events", "test_process",
         "test_session", "test_session_graph"]
LIBRARIES = ["libc.so.6", "libm.so.6", "libdwarf.so.1", "libelf.so.1", "libreadline.so.8",
             "libtinfo.so.6", "libjansson.so.4", "libsqlite3.so.0", "libcmocka.so.0",
             "libz.so.1", "libgcc_s.so.1",
             # libmicrohttpd, and what it can do with TLS, which nobody asks it for.
             "libmicrohttpd.so.12", "libgnutls.so.30", "libp11-kit.so.0", "libidn2.so.0",
             "libunistring.so.2", "libtasn1.so.6", "libnettle.so.8", "libhogweed.so.6",
             "libgmp.so.10", "libffi.so.8"]
LIBRARY_FOLDER = "lib/aarch64-linux-gnu"
SECONDS_MAX = 900
# test_clone ends whoever clones at each of some hundred system calls: here at each of so many.
KILL_STEP = os.environ.get("LEAKINSPECT_KILL_STEP", "97")

INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin HOME=/tmp LEAKINSPECT_KILL_STEP=@KILL_STEP@
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
ip link set lo up
for test in @TESTS@; do
	/tests/$test
	echo "STATUS $test $?"
done
poweroff -f
"""
PASSWD = "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"


class Archive:
    """A newc archive (Documentation/driver-api/early-userspace/buffer-format.rst)."""

    def __init__(self, file):
        self.file = file
        self.count = 0

    def add(self, name, mode, data=b"", device=(0, 0)):
        self.count += 1
        words = (self.count, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name) + 1, 0)
        self._put(b"070701" + b"".join(b"%08X" % word for word in words) + name.encode() + b"\0")
        self._put(data)

    def _put(self, data):
        self.file.write(data + b"\0" * (-len(data) % 4))

    def add_file(self, name, path):
        with open(path, "rb") as file:
            self.add(name, stat.S_IFREG | 0o755, file.read())


def write_archive(file, folder, build, tests):
    root = os.path.join(folder, "sysroot")
    archive = Archive(file)
    for name in ("bin", "dev", "etc", "lib", LIBRARY_FOLDER, "proc", "sys", "tests", "tmp"):
        archive.add(name, stat.S_IFDIR | 0o755)
    archive.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    init = INIT.replace("@TESTS@", " ".join(tests)).replace("@KILL_STEP@", KILL_STEP)
    archive.add("init", stat.S_IFREG | 0o755, init.encode())
    archive.add("etc/passwd", stat.S_IFREG | 0o644, PASSWD.encode())
    archive.add_file("bin/busybox", os.path.join(root, "bin/busybox"))
    archive.add_file("lib/ld-linux-aarch64.so.1", os.path.join(root, "lib/ld-linux-aarch64.so.1"))
    for name in LIBRARIES:
        found = [path for place in ("lib", "usr/lib")
                 for path in glob.glob(os.path.join(root, place, "aarch64-linux-gnu", name))]
        archive.add_file(os.path.join(LIBRARY_FOLDER, name), found[0])
    for test in tests:
        archive.add_file("tests/" + test, os.path.join(build, "tests/unit", test))
    archive.add("TRAILER!!!", 0)


def run_machine(folder, archive):
    """All lines that the machine printed."""
    [kernel] = glob.glob(os.path.join(folder, "kernel/boot/vmlinuz-*"))
    # SME's state is not restored by a frame of ours, and kernels differ in having it.
    command = ["qemu-system-aarch64", "-M", "virt", "-cpu", "max,sme=off,pauth-impdef=on",
               "-smp", "2", "-m", "1G", "-nic", "none", "-nographic", "-no-reboot",
               "-kernel", kernel, "-initrd", archive,
               "-append", "console=ttyAMA0 panic=-1 quiet"]
    lines = []
    with subprocess.Popen(["timeout", str(SECONDS_MAX)] + command, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace") as machine:
        for line in machine.stdout:
            print(line.rstrip(), flush=True)
            lines.append(line.rstrip())
    return lines


def main(arguments):
    folder, build, *tests = arguments
    tests = tests or TESTS
    with tempfile.NamedTemporaryFile(suffix=".cpio") as archive:
        write_archive(archive, folder, build, tests)
        archive.flush()
        lines = run_machine(folder, archive.name)
    ended = dict(match.groups() for match in
                 (re.fullmatch(r"STATUS (\S+) (\d+)", line) for line in lines) if match)
    bad = [test for test in tests if ended.get(test) != "0"]
    for test in bad:
        print(f"arm64: {test}: " + ("failed" if test in ended else "did not end"))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
