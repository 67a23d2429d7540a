# SPDX-License-Identifier: GPL-3.0-or-later
"""The pixels of a PNG as rsvg-convert writes it: eight bits, RGB or RGBA, not interlaced."""

import struct
import zlib


def _chunks(data):
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at = 8
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        yield kind, data[at + 8:at + 8 + length]
        at += length + 12


def _paeth(left, up, corner):
    guess = left + up - corner
    return min((left, up, corner), key=lambda value: abs(guess - value))


def _unfilter(kind, line, before, step):
    """One line of bytes; filters of PNG 1.2, section 6."""
    for i, value in enumerate(line):
        left = line[i - step] if i >= step else 0
        up = before[i]
        corner = before[i - step] if i >= step else 0
        line[i] = (value + (0, left, up, (left + up) // 2, _paeth(left, up, corner))[kind]) & 255


def pixels(path):
    """[[(red, green, blue)]], line by line."""
    with open(path, "rb") as file:
        chunks = list(_chunks(file.read()))
    width, height, depth, color, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[0][1])
    assert (depth, interlaced) == (8, 0) and color in (2, 6)
    step = 4 if color == 6 else 3
    data = zlib.decompress(b"".join(chunk for kind, chunk in chunks if kind == b"IDAT"))
    before = bytearray(width * step)
    lines = []
    for number in range(height):
        start = number * (width * step + 1)
        line = bytearray(data[start + 1:start + 1 + width * step])
        if data[start]:
            _unfilter(data[start], line, before, step)
        lines.append([tuple(line[x:x + 3]) for x in range(0, width * step, step)])
        before = line
    return lines
