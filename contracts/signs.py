"""What a display at a gate shows: a few words to everybody who leaves, and nobody's name."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from contracts.base import Contract
from contracts.ids import GateId

__all__ = ["SIGNS_MAX", "ExitSign", "GateSigns", "Mark"]

SIGNS_MAX = 6
"""So many people's signs are shown at once; the others wait in their order."""


class Mark(Contract):
    """A neutral mark that the shopper's phone shows too."""

    colour: Literal["blue", "orange", "green", "purple", "red", "teal"]
    symbol: Literal["circle", "square", "triangle", "star", "diamond", "cross", "moon", "ring"]


class ExitSign(Contract):
    """One shopper's sign: "3 items, 7.40", "checking 1 item". `until_s`: hub seconds."""

    mark: Mark
    state: Literal["checking", "total", "final", "ask"]
    words: Annotated[str, Field(max_length=80)]
    more: Annotated[str, Field(max_length=80)] = ""
    until_s: float


class GateSigns(Contract):
    """Everything a gate's display shows now, in the order people left."""

    gate_id: GateId
    signs: Annotated[tuple[ExitSign, ...], Field(max_length=SIGNS_MAX)] = ()
    waiting: Annotated[int, Field(ge=0)] = 0
