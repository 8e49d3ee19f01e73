"""ICC profiles written from what a file says in numbers: primaries, white point and a transfer curve."""

from __future__ import annotations

import struct

Chromaticities = tuple[float, float, float, float, float, float, float, float]  # x, y of white, red, green, blue
Matrix = list[list[float]]

SRGB: Chromaticities = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
P3: Chromaticities = (0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
BT2020: Chromaticities = (0.3127, 0.329, 0.708, 0.292, 0.17, 0.797, 0.131, 0.046)
D50 = (0.9642, 1.0, 0.8249)  # of the profile connection space (ICC.1:2010, 7.2.16)
BRADFORD: Matrix = [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)  # g, a, b, c, d of para type 3


def profile(colours: Chromaticities, curve: tuple[float, ...]) -> bytes:
    """An ICC profile (version 4, matrix and curves). curve: (gamma,), or g, a, b, c, d of a parametric curve of type 3.

    Raises ValueError for primaries that span no triangle.
    """
    columns = _primaries(colours)
    kind = {1: 0, 5: 3}[len(curve)]
    para = b"para" + bytes(4) + struct.pack(">HH", kind, 0) + b"".join(map(_fixed, curve))
    text = b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", 2, 28) + "x".encode("utf-16-be")
    tags = [(b"desc", text), (b"cprt", text), (b"wtpt", _xyz(D50))]
    tags += [(name, _xyz(column)) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns)]
    tags += [(name, para) for name in (b"rTRC", b"gTRC", b"bTRC")]
    place, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, content in tags:
        content += bytes(-len(content) % 4)
        table += name + struct.pack(">II", place + len(body), len(content))
        body += content
    head = struct.pack(">II4s4s4s4s", place + len(body), 0, bytes([4, 0x30, 0, 0]), b"mntr", b"RGB ", b"XYZ ")
    head += struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + b"".join(map(_fixed, D50)) + bytes(48)
    return head + struct.pack(">I", len(tags)) + table + body


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(map(_fixed, values))


def _primaries(colours: Chromaticities) -> list[tuple[float, ...]]:
    """XYZ of red, green and blue, adapted to D50 (Bradford). Raises ValueError."""
    white, *primaries = [_from_xy(*colours[place : place + 2]) for place in (0, 2, 4, 6)]
    matrix = [list(row) for row in zip(*primaries)]
    shares = _times(_inverse(matrix), white)
    scaled = [[row[column] * shares[column] for column in range(3)] for row in matrix]
    there, here = _times(BRADFORD, D50), _times(BRADFORD, white)
    if min(here) <= 0:
        raise ValueError("its white point is not a colour")
    ratio = [[there[row] / here[row] if row == column else 0.0 for column in range(3)] for row in range(3)]
    adapted = _product(_inverse(BRADFORD), _product(ratio, _product(BRADFORD, scaled)))
    if max(abs(value) for row in adapted for value in row) > 4:
        raise ValueError("its primaries are not those of a display")
    return [tuple(row[column] for row in adapted) for column in range(3)]


def _from_xy(x: float, y: float) -> list[float]:
    if not (0 < y <= 1 and 0 <= x <= 1):
        raise ValueError("its primaries are not colours")
    return [x / y, 1.0, (1 - x - y) / y]


def _times(matrix: Matrix, vector: list[float] | tuple[float, ...]) -> list[float]:
    return [sum(a * b for a, b in zip(row, vector)) for row in matrix]


def _product(first: Matrix, second: Matrix) -> Matrix:
    return [[sum(a * b for a, b in zip(row, column)) for column in zip(*second)] for row in first]


def _inverse(matrix: Matrix) -> Matrix:
    (a, b, c), (d, e, f), (g, h, i) = matrix
    minors = [
        [e * i - f * h, c * h - b * i, b * f - c * e],
        [f * g - d * i, a * i - c * g, c * d - a * f],
        [d * h - e * g, b * g - a * h, a * e - b * d],
    ]
    determinant = a * minors[0][0] + b * minors[1][0] + c * minors[2][0]
    if abs(determinant) < 1e-9:
        raise ValueError("its primaries span no triangle")
    return [[value / determinant for value in row] for row in minors]
