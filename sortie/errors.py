"""Errors of the command line.

SortieError
├── UsageError          an argument cannot be used: says what was expected
├── PortTakenError      another program listens where the store wants to
├── ProcessFailedError  a supervised process ended by itself
├── HubAwayError        the hub of a lockstep store is down at the moment
└── MissingPartError    a system package or weight file is missing: says how to mend it
"""

from __future__ import annotations

__all__ = [
    "AwayError",
    "HubAwayError",
    "MissingPartError",
    "PortTakenError",
    "ProcessFailedError",
    "RefusalError",
    "SortieError",
    "UsageError",
]


class SortieError(Exception):
    """Something a user can mend; printed without a traceback, exit status 1."""


class UsageError(SortieError):
    """An argument cannot be used: says what was expected."""


class PortTakenError(SortieError):
    """Another program listens where the store wants to."""


class ProcessFailedError(SortieError):
    """A supervised process ended by itself."""


class HubAwayError(SortieError):
    """The hub of a lockstep store is down at the moment."""


class MissingPartError(SortieError):
    """A system package or weight file is missing: says how to mend it."""


class AwayError(SortieError):
    """A process of the demo that the play page needs does not answer."""


class RefusalError(SortieError):
    """Such a process says no: its HTTP status and its words."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
