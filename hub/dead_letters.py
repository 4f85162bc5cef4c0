"""Messages that were refused, and why: kept for people to look at, in bounds."""

from __future__ import annotations

import re

from hub.effects import us
from hub.live import Live
from hub.store import tables as t
from hub.store.rows import Row, Rows, printable

__all__ = ["PER_MINUTE_MAX", "DeadLetters", "kind_of"]

BYTES_MAX = 65_536
REASON_MAX = 2_000
TOPIC_MAX = 512
PER_MINUTE_MAX = 1_000
"""Kept a minute of hub time, so that a stolen node cannot fill the disk; the rest is counted."""
_CODES = (
    re.compile(rb"()SORTIE(?:-STAFF)?:[0-9A-Z._-]{4,}", re.IGNORECASE),
    re.compile(rb'("code\\*"\s*:\s*)(?:\\*"(?:[^"\\]|\\.)*"?|[^\s,}]+)', re.IGNORECASE),
)
"""Entry codes and badges, by their form or by the name of their field."""


class DeadLetters:
    """Makes their rows."""

    def __init__(self) -> None:
        self._minute = 0
        self._kept = 0

    def keep(
        self, rows: Rows, live: Live, name: str, payload: bytes, now_s: float, reason: str
    ) -> None:
        """Counts a refused message, and adds its row to those of the next commit."""
        live.count("dead_letters")
        live.refused[kind_of(reason)] += 1
        row = self.row(name, payload, now_s, reason)
        if row is None:
            live.count("dead_letters_dropped")
        else:
            rows.insert(t.dead_letters, row)

    def row(self, name: str, payload: bytes, now_s: float, reason: str) -> Row | None:
        """The row of a refused message; None if enough are kept for this minute."""
        minute = int(now_s // 60)
        if minute != self._minute:
            self._minute, self._kept = minute, 0
        if self._kept >= PER_MINUTE_MAX:
            return None
        self._kept += 1
        return {
            "at_us": us(now_s),
            "topic": printable(name[:TOPIC_MAX]),
            "reason": _hushed(printable(reason).encode()).decode()[:REASON_MAX],
            "size": len(payload),
            "payload": _hushed(payload[:BYTES_MAX]),
        }


def _hushed(words: bytes) -> bytes:
    """A message without the codes that were shown to a gate: whoever has one may come in."""
    for form in _CODES:
        words = form.sub(rb"\1[code]", words)
    return words


def kind_of(reason: str) -> str:
    """The class of a reason, for counting: revoked, unknown, forged, broke_rules or malformed."""
    for words, kind in (
        ("is revoked", "revoked"),
        ("expected a node of the store file", "unknown"),
        ("on its topic, got", "forged"),
        ("broke the rules", "broke_rules"),
    ):
        if words in reason:
            return kind
    return "malformed"
