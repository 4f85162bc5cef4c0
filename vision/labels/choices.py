"""From how well each slot fits each pattern to the best text that keeps its checks.

What comes in are rows (patterns,) of correlations, one a slot; what goes out is the best text with
its margin: by how much its slots add up to more than those of the best other text.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vision.labels.bars import (
    CODE39_CHARS,
    PARITIES,
    UPC_E_PARITIES,
    code128_text,
    upc_e_expanded,
)

__all__ = ["CHOICES", "Choice"]

Floats = NDArray[np.float64]
Choice = tuple[str, list[int], float]
"""A text, which pattern each slot holds, and the margin to the next best text."""


def _two_best(
    scores: Floats, weights: tuple[int, ...], residue: int
) -> list[tuple[float, list[int]]]:
    """The best two rows of digits whose weighted sum is `residue` modulo 10; scores are
    (places, 10)."""
    held: list[list[tuple[float, list[int]]]] = [[] for _ in range(10)]
    held[0] = [(0.0, [])]
    for row, weight in zip(scores, weights, strict=True):
        after: list[list[tuple[float, list[int]]]] = [[] for _ in range(10)]
        likely = np.argsort(-row)[:6]
        for rest in range(10):
            for total, digits in held[rest]:
                for digit in likely:
                    into = (rest + weight * int(digit)) % 10
                    after[into].append((total + float(row[digit]), [*digits, int(digit)]))
        held = [sorted(ways, key=lambda one: -one[0])[:2] for ways in after]
    return held[residue % 10]


def _choose(options: list[tuple[float, str, list[int]]]) -> Choice | None:
    """The best of several texts, and its margin to the best of another text."""
    options.sort(key=lambda one: -one[0])
    if not options:
        return None
    best, text, picked = options[0]
    other = next((score for score, also, _ in options[1:] if also != text), best - 9.0)
    return text, picked, best - other


def _ean13(rows: list[Floats]) -> Choice | None:
    left, right = np.array(rows[1:7]), np.array(rows[8:14])
    options = []
    for first, parity in enumerate(PARITIES):
        chosen = np.array(
            [row[10:] if side == "G" else row[:10] for row, side in zip(left, parity, strict=True)]
        )
        found = _two_best(np.vstack([chosen, right]), (3, 1) * 6, -first)
        for score, digits in found:
            text = str(first) + "".join(map(str, digits))
            picked = [d + 10 * (side == "G") for d, side in zip(digits[:6], parity, strict=True)]
            options.append((score, text, [0, *picked, 0, *digits[6:], 0]))
    return _choose(options)


def _ean8(rows: list[Floats]) -> Choice | None:
    found = _two_best(np.array([*rows[1:5], *rows[6:10]]), (3, 1) * 4, 0)
    return _choose(
        [
            (score, "".join(map(str, digits)), [0, *digits[:4], 0, *digits[4:], 0])
            for score, digits in found
        ]
    )


def _upc_e(rows: list[Floats]) -> Choice | None:
    """UPC-E's check digit is that of its UPC-A, and stands in the parities only."""
    middle = np.array(rows[1:7])
    options = []
    for check, zero in enumerate(UPC_E_PARITIES):
        for system in "01":
            parity = zero if system == "0" else zero.translate(str.maketrans("GL", "LG"))
            chosen = np.array(
                [row[10:] if s == "G" else row[:10] for row, s in zip(middle, parity, strict=True)]
            )
            for score, digits in _upc_e_rows(chosen, system, check):
                text = system + "".join(map(str, digits)) + str(check)
                picked = [d + 10 * (s == "G") for d, s in zip(digits, parity, strict=True)]
                options.append((score, text, [0, *picked, 0]))
    return _choose(options)


def _upc_e_rows(scores: Floats, system: str, check: int) -> list[tuple[float, list[int]]]:
    """The best two rows of six digits with this check digit: which digits weigh how much depends
    on the last one."""
    found: list[tuple[float, list[int]]] = []
    for last in range(10):
        # Weights follow from where the expansion puts each of the first five digits.
        probe = [upc_e_expanded(f"{system}{'0' * k}1{'0' * (4 - k)}{last}0") for k in range(5)]
        plain = upc_e_expanded(f"{system}00000{last}0")
        base = sum((3, 1)[i % 2] * int(digit) for i, digit in enumerate(plain[:11]))
        weights = tuple(
            sum((3, 1)[i % 2] * int(d) for i, d in enumerate(one[:11])) - base for one in probe
        )
        for score, digits in _two_best(scores[:5], weights, -base - check):
            found.append((score + float(scores[5][last]), [*digits, last]))
    return sorted(found, key=lambda one: -one[0])[:2]


def _code128(rows: list[Floats]) -> Choice | None:
    """The best characters, mended by the check character where one of them is in doubt."""
    inner = rows[1:-1]
    picked = [int(row.argmax()) for row in inner]
    start = int(rows[0].argmax())
    doubt = [float(np.diff(np.sort(row)[-2:])[0]) for row in inner]
    text = code128_text((103 + start, *picked))
    if text is None:
        return None
    # Any other text that keeps the check differs in two characters at least.
    margin = float(sum(sorted(doubt)[:2]))
    return text, [start, *picked, 0], margin


def _plain(rows: list[Floats]) -> tuple[list[int], float]:
    """The best patterns of codes without a check: the least doubt of any is the margin."""
    inner = rows[1:-1]
    doubt = [float(np.diff(np.sort(row)[-2:])[0]) for row in inner]
    return [int(row.argmax()) for row in inner], min(doubt)


def _code39(rows: list[Floats]) -> Choice | None:
    picked, margin = _plain(rows)
    return "".join(CODE39_CHARS[k] for k in picked), [0, *picked, 0], margin


def _itf(rows: list[Floats]) -> Choice | None:
    picked, margin = _plain(rows)
    return "".join(f"{k:02d}" for k in picked), [0, *picked, 0], margin


CHOICES: dict[str, Callable[[list[Floats]], Choice | None]] = {
    "ean13": _ean13, "ean8": _ean8, "upc_e": _upc_e, "code128": _code128, "code39": _code39,
    "itf": _itf,
}  # fmt: skip
"""By format: what makes a text of rows; None where no text keeps the checks."""
