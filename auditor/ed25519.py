"""Is a signature of Ed25519 good: RFC 8032, section 5.1.7, as it is written there.

Slow (some milliseconds each), short, and nobody else's code: what the auditor needs to follow a
journal from one key to the next. It signs nothing, so that no secret can leak through its times.
"""

from __future__ import annotations

import hashlib

__all__ = ["is_signed"]

P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)
"""A square root of -1."""
Point = tuple[int, int, int, int]
"""Extended coordinates X, Y, Z, T with x = X/Z, y = Y/Z, x * y = T/Z."""


def is_signed(public_key: str, text: str, signature: str) -> bool:
    """Whether a signature of a text is a public key's; both in hexadecimal. False for what is no
    key or no signature."""
    try:
        key, mark = bytes.fromhex(public_key), bytes.fromhex(signature)
    except ValueError:
        return False
    if len(key) != 32 or len(mark) != 64:
        return False
    a, r = _point(key), _point(mark[:32])
    s = int.from_bytes(mark[32:], "little")
    if a is None or r is None or s >= Q:
        return False
    h = int.from_bytes(hashlib.sha512(mark[:32] + key + text.encode()).digest(), "little") % Q
    return _same(_times(s, BASE), _sum(r, _times(h, a)))


def _sum(a: Point, b: Point) -> Point:
    e = (a[1] - a[0]) * (b[1] - b[0]) % P
    f = (a[1] + a[0]) * (b[1] + b[0]) % P
    g = 2 * a[3] * b[3] * D % P
    h = 2 * a[2] * b[2] % P
    w, x, y, z = f - e, h - g, h + g, f + e
    return w * x % P, y * z % P, x * y % P, w * z % P


def _times(factor: int, point: Point) -> Point:
    made: Point = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            made = _sum(made, point)
        point = _sum(point, point)
        factor >>= 1
    return made


def _same(a: Point, b: Point) -> bool:
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def _point(data: bytes) -> Point | None:
    """A point from its 32 bytes: y, and the lowest bit of x in the highest of all."""
    number = int.from_bytes(data, "little")
    y, odd = number & (2**255 - 1), number >> 255
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and odd):
        return None
    x = P - x if x & 1 != odd else x
    return x, y, 1, x * y % P


_BASE_Y = 4 * pow(5, P - 2, P) % P
_FOUND = _point(_BASE_Y.to_bytes(32, "little"))
assert _FOUND is not None
BASE: Point = _FOUND
