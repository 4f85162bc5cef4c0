"""Small pieces of probability that the likelihoods share. All logarithms are natural."""

from __future__ import annotations

import math
from collections.abc import Iterable

__all__ = ["NEVER", "boxed", "clip", "log_sum", "normal", "with_floor"]

NEVER = -1e9
"""The logarithm of what cannot be; finite, so that sums of it stay comparable."""

_ROOT_2 = math.sqrt(2.0)
_ROOT_2PI = math.sqrt(2.0 * math.pi)


def clip(value: float, low: float, high: float) -> float:
    """The value, kept within bounds."""
    return low if value < low else high if value > high else value


def normal(x: float, variance: float) -> float:
    """Density of a centred Gaussian."""
    return math.exp(-0.5 * x * x / variance) / (_ROOT_2PI * math.sqrt(variance))


def with_floor(density: float, outlier_p: float, flat: float) -> float:
    """Log of a density that is trusted but for a share of outliers spread over `flat`."""
    return math.log((1.0 - outlier_p) * density + outlier_p * flat)


def boxed(x: float, low: float, high: float, sd: float) -> float:
    """Density at x of a uniform variable on [low, high] seen with Gaussian error `sd`."""
    upper = math.erf((x - low) / (sd * _ROOT_2))
    lower = math.erf((x - high) / (sd * _ROOT_2))
    return max(0.5 * (upper - lower), 0.0) / (high - low)


def log_sum(values: Iterable[float]) -> float:
    """Log of the sum of exponentials; NEVER for nothing."""
    terms = list(values)
    if len(terms) == 2:
        return _of_two(*terms)
    if not terms:
        return NEVER
    top = max(terms)
    if top <= NEVER:
        return NEVER
    return top + math.log(sum([math.exp(term - top) for term in terms]))


def _of_two(a: float, b: float) -> float:
    """`log_sum` of two, which most reaches have: one hand that was seen, one that was not."""
    top, other = (a, b) if a >= b else (b, a)
    return top + math.log(1.0 + math.exp(other - top)) if top > NEVER else NEVER
