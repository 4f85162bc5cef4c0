"""Three floats at a time, without numpy's cost of a call."""

from __future__ import annotations

import math

__all__ = ["Vec", "add", "blend", "cross", "norm", "scaled", "smooth", "sub", "unit"]

Vec = tuple[float, float, float]


def add(a: Vec, b: Vec) -> Vec:
    """a + b"""
    return (a[0] + b[0], a[1] + b[1], a[2] + b[2])


def sub(a: Vec, b: Vec) -> Vec:
    """a - b"""
    return (a[0] - b[0], a[1] - b[1], a[2] - b[2])


def scaled(a: Vec, k: float) -> Vec:
    """a k"""
    return (a[0] * k, a[1] * k, a[2] * k)


def blend(a: Vec, b: Vec, share: float) -> Vec:
    """a at share 0, b at share 1."""
    k = 1.0 - share
    return (a[0] * k + b[0] * share, a[1] * k + b[1] * share, a[2] * k + b[2] * share)


def cross(a: Vec, b: Vec) -> Vec:
    """a x b"""
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


def norm(a: Vec) -> float:
    """Length of a."""
    return math.sqrt(a[0] * a[0] + a[1] * a[1] + a[2] * a[2])


def unit(a: Vec) -> Vec:
    """a with length one; straight ahead for the null vector."""
    size = norm(a)
    return scaled(a, 1 / size) if size > 1e-12 else (1.0, 0.0, 0.0)


def smooth(share: float) -> float:
    """Minimum-jerk progress of a human reach (Flash and Hogan 1985): 0 to 1 for share 0 to 1."""
    s = min(1.0, max(0.0, share))
    return s * s * s * (10 - 15 * s + 6 * s * s)
