"""What is printed on a thing, by many readings: one label, none yet, or readings that disagree."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.labels import LABEL_CHARS_MAX, label_key, sscc_of
from contracts.wall import Symbology

__all__ = ["Votes"]

COUNT_MAX = 1_000_000
MAJORITY = 4
"""The label was read so many times as often as any other, or it counts as unread."""
CORRECTED = ("qr", "datamatrix")
"""Symbols with error correction: together with an SSCC's check digit one reading is enough."""


@dataclass(slots=True)
class _Count:
    text: str
    symbology: Symbology
    reads: int


class Votes:
    """Readings of one thing. Two ways to write one key (contracts.labels) agree."""

    def __init__(self, reads_min: int) -> None:
        self._reads_min = reads_min
        self._counts: dict[str, _Count] = {}
        self._best: str | None = None
        self.odd = 0
        """Readings in a row that differ from the label."""

    def read(self, text: str, symbology: Symbology) -> None:
        """One more frame says so; what is no label at all is left out."""
        if not 0 < len(text.strip()) <= LABEL_CHARS_MAX:
            return
        key = label_key(text)
        count = self._counts.get(key)
        if count is None:
            count = self._counts[key] = _Count(text.strip(), symbology, 0)
        count.reads = min(count.reads + 1, COUNT_MAX)
        before = self._best
        best = max(self._counts, key=lambda one: self._counts[one].reads)
        if before is None or self._counts[best].reads > self._counts[before].reads:
            self._best = best
        self.odd = 0 if key == self._best else self.odd + 1

    @property
    def leader(self) -> str | None:
        """The key read most often, known or not."""
        return self._best

    @property
    def label(self) -> tuple[Symbology, str, int] | None:
        """Symbology, text and number of readings, None while too few agree."""
        if self._best is None:
            return None
        count = self._counts[self._best]
        sure = count.symbology in CORRECTED and sscc_of(count.text) is not None
        if count.reads < self._reads_min and not sure:
            return None
        return count.symbology, count.text, count.reads

    @property
    def contested(self) -> bool:
        """Whether readings disagree."""
        if self._best is None:
            return False
        reads = self._counts[self._best].reads
        rivals = [one.reads for key, one in self._counts.items() if key != self._best]
        return self.odd > 0 or any(reads < MAJORITY * one for one in rivals)
