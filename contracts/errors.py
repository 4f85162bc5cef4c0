"""Errors of the contracts package.

ContractError
├── InvalidMessageError      a payload does not follow its message type
├── UnknownMessageError      a message type this version does not know
└── StoreFileError           a store file is broken; names file, line and field
"""

from __future__ import annotations

__all__ = ["ContractError", "InvalidMessageError", "StoreFileError", "UnknownMessageError"]


class ContractError(Exception):
    """Something from outside does not follow the contract."""


class InvalidMessageError(ContractError):
    """A payload does not follow its message type."""


class UnknownMessageError(ContractError):
    """A message type this version does not know."""


class StoreFileError(ContractError):
    """A store file is broken; the message names file, line and field."""
