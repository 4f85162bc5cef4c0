"""What went into the core, in order: the journal that replay reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["JournalEntry", "Snapshot"]


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One input. `payload` is the envelope's or the command's JSON."""

    position: int
    at_us: int
    source: Literal["inbox", "command"]
    kind: str
    payload: str
    dead: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole state at a moment when nobody was in the store."""

    position: int
    at_us: int
    digest: str
    state: str
