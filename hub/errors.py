"""Errors of the hub.

HubError
├── RejectedError            a command cannot be done; nothing changed
│   ├── UnknownVisitError    no visit by that id or token
│   ├── UnknownWalletError   no wallet by that secret or payer, no gift card by that code or id
│   ├── UnknownParcelError   no order, parcel, wall, alarm or route by that id
│   └── ConflictError        the same key with other content, or a second settlement
├── StockError               pieces would appear or vanish, or be fewer than none
├── LedgerError              money would not balance, or would break a rule; nothing was written
├── GatewayTimeoutError      the payment gateway gave no answer; ask again under the same key
├── GatewaySetupError        the payment gateway refuses the hub itself: its key or its settings
├── FiscalError              the fiscal journal or its archive cannot be trusted, made or read
├── StoreError               the database cannot be read or written
│   ├── StoreWriteError      a commit failed; nothing of it is stored
│   │   └── LeaseLostError   another hub owns the store now; this one must not go on
│   ├── StoreTakenError      another hub has the database open
│   ├── ChainBrokenError     a row of a hash chain was changed after it was written
│   └── ReplayDivergedError  the journal no longer leads to the events that are recorded
├── HubHaltedError           an earlier write failed; recover before anything else
└── SettingsError            the process cannot start with these settings
"""

from __future__ import annotations

__all__ = [
    "ChainBrokenError",
    "ConflictError",
    "FiscalError",
    "GatewaySetupError",
    "GatewayTimeoutError",
    "HubError",
    "HubHaltedError",
    "LeaseLostError",
    "LedgerError",
    "RejectedError",
    "ReplayDivergedError",
    "SettingsError",
    "StockError",
    "StoreError",
    "StoreTakenError",
    "StoreWriteError",
    "UnknownParcelError",
    "UnknownVisitError",
    "UnknownWalletError",
]


class HubError(Exception):
    """Anything the hub refuses or cannot do."""


class RejectedError(HubError):
    """A command cannot be done; nothing changed."""


class UnknownVisitError(RejectedError):
    """No visit by that id or token."""


class UnknownWalletError(RejectedError):
    """No wallet by that secret or payer, no gift card by that code or id."""


class UnknownParcelError(RejectedError):
    """No order, parcel, wall, alarm or route by that id."""


class ConflictError(RejectedError):
    """The same key with other content, or something that may happen once only."""


class StockError(HubError):
    """Pieces would appear or vanish, or a place would hold fewer than none."""


class LedgerError(HubError):
    """Money would not balance, or would break a rule; nothing was written."""


class GatewayTimeoutError(HubError):
    """The payment gateway gave no answer; ask again under the same key."""


class GatewaySetupError(HubError):
    """The payment gateway refuses the hub itself: its key or its settings are wrong."""


class FiscalError(HubError):
    """The fiscal journal or its archive cannot be trusted, made or read."""


class StoreError(HubError):
    """The database cannot be read or written."""


class StoreWriteError(StoreError):
    """A commit failed; nothing of it is stored."""


class LeaseLostError(StoreWriteError):
    """Another hub owns the store now; this one must not go on."""


class StoreTakenError(StoreError):
    """Another hub has the database open."""


class ChainBrokenError(StoreError):
    """A row of a hash chain was changed after it was written."""


class ReplayDivergedError(StoreError):
    """The journal no longer leads to the events that are recorded."""


class HubHaltedError(HubError):
    """An earlier write failed; recover before anything else."""


class SettingsError(HubError):
    """The process cannot start with these settings."""
