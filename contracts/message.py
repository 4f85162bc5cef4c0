"""The base of every message."""

from __future__ import annotations

from typing import ClassVar

from contracts.base import Contract

__all__ = ["Message"]


class Message(Contract):
    """A message type; TYPE is its CloudEvents `type`."""

    TYPE: ClassVar[str] = ""
