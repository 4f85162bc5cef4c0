"""Readers at the gates that misread: a code comes wrong first and right a moment later.

>>> from store_sim.dials import GateDials
>>> reader = GateReader(GateDials(misread=1.0), seed=3)
>>> tries = reader.read(GateScan("entry", 12.0, "K7F3-99QX"))
>>> tries[-1][1], tries[0][1] == "K7F3-99QX", tries[0][0]
('K7F3-99QX', False, 12.0)

A misread code has one or two of its characters altered, or is cut short. It is never one that
somebody else could hold: digits turn into letters that look like them, and what is cut short
loses at least half.
"""

from __future__ import annotations

import numpy as np

from hardware.ports import GateScan
from store_sim.dials import GateDials

__all__ = ["TRIES_MAX", "GateReader"]

TRIES_MAX = 5
AGAIN_SHARE = 0.35
"""Share of tries after a misread one that are misread as well."""
AGAIN_S = (0.7, 1.5)
CUT_SHARE = 0.3
TWO_SHARE = 0.4
"""Share of altered codes in which two characters are wrong."""
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
LOOK_ALIKE = {
    "0": "O", "1": "I", "2": "Z", "3": "E", "4": "A", "5": "S", "6": "G", "7": "T", "8": "B",
    "9": "P",
}  # fmt: skip


class GateReader:
    """A reader with its faults. What it makes of a scan follows from the seed and from how many
    scans came before; a perfect reader draws nothing."""

    def __init__(self, dials: GateDials, seed: int) -> None:
        self._misread = dials.misread
        self._rng = np.random.default_rng([seed, 41])

    def read(self, scan: GateScan) -> list[tuple[float, str]]:
        """The reads that come of a scan as (t_s, code), in the order of time.

        The first is at the scan's time; the last has the right code, after at most TRIES_MAX - 1
        misread ones. An empty code cannot be misread.
        """
        t_s = scan.t_s
        reads: list[tuple[float, str]] = []
        if self._misread and scan.code:
            share = self._misread
            while len(reads) < TRIES_MAX - 1 and self._rng.random() < share:
                reads.append((t_s, self._wrong(scan.code)))
                t_s += float(self._rng.uniform(*AGAIN_S))
                share = AGAIN_SHARE
        reads.append((t_s, scan.code))
        return reads

    def _wrong(self, code: str) -> str:
        rng = self._rng
        if len(code) > 1 and rng.random() < CUT_SHARE:
            return code[: int(rng.integers(1, len(code) // 2 + 1))]
        characters = list(code)
        count = 2 if len(code) > 1 and rng.random() < TWO_SHARE else 1
        for place in rng.permutation(len(code))[:count].tolist():
            right = characters[place]
            others = LETTERS.replace(right.upper(), "")
            other = others[int(rng.integers(len(others)))]
            other = other.lower() if right.islower() else other
            characters[place] = LOOK_ALIKE.get(right, other)
        return "".join(characters)
