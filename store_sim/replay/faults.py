"""What is wrong with a recording: refused at once, or noted and played around."""

from __future__ import annotations

from store_sim.errors import RecordingError

__all__ = ["FAULTS_MAX", "Faults"]

FAULTS_MAX = 100
"""Faults named of one recording; those beyond it are left unsaid."""


class Faults:
    """Collects faults; strict (not `lenient`), the first one ends it as RecordingError."""

    def __init__(self, lenient: bool) -> None:
        self.lenient = lenient
        self._found: list[str] = []

    @property
    def found(self) -> tuple[str, ...]:
        """All faults so far, in the order in which they were met."""
        return tuple(self._found)

    def tell(self, message: str, *, then: str = "", cause: Exception | None = None) -> None:
        """A fault, and `then` what is done about it when it is not refused."""
        if not self.lenient:
            raise RecordingError(message) from cause
        text = f"{message}: {then}" if then else message
        if text not in self._found and len(self._found) < FAULTS_MAX:
            self._found.append(text)
