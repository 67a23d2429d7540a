# SPDX-License-Identifier: GPL-3.0-or-later
"""Core files as they come from production: laid out as the kernel does, and cut short."""
import struct

HEADER, PROGRAM_HEADER = 64, struct.Struct("<IIQQQQQQ")
PT_NOTE = 4


def as_kernel_writes_it(path):
    """Rewrites a core of GDB's: registers first, memory behind them, no section headers. (GDB puts what
    describes the core at its end, and takes no such file for a core when that is missing.)"""
    with open(path, "rb") as file:
        data = file.read()
    offset = struct.unpack_from("<Q", data, 32)[0]
    count = struct.unpack_from("<H", data, 56)[0]
    headers = [list(PROGRAM_HEADER.unpack_from(data, offset + place * PROGRAM_HEADER.size))
               for place in range(count)]
    headers.sort(key=lambda header: header[0] != PT_NOTE)
    head = bytearray(data[:HEADER])
    struct.pack_into("<QQ", head, 32, HEADER, 0)
    struct.pack_into("<HHH", head, 58, 0, 0, 0)
    at = HEADER + count * PROGRAM_HEADER.size
    at += -at % 4096
    pieces = []
    for header in headers:
        kind, _, begin, _, _, size, _, _ = header
        if kind != PT_NOTE and at % 4096:
            pieces.append(b"\0" * (-at % 4096))
            at += -at % 4096
        pieces.append(data[begin:begin + size])
        header[2] = at
        at += size
    with open(path, "wb") as file:
        file.write(head)
        for header in headers:
            file.write(PROGRAM_HEADER.pack(*header))
        file.write(b"\0" * (-file.tell() % 4096))
        for piece in pieces:
            file.write(piece)


def cut(path, percent):
    """Leaves so much of the file."""
    with open(path, "r+b") as file:
        file.truncate(file.seek(0, 2) * percent // 100)
