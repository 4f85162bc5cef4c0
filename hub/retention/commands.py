"""The command that forgets; see hub.retention.service."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hub.command import Command

__all__ = ["VISITS_MAX", "Forget"]

VISITS_MAX = 5_000
"""Visits one run forgets; the next run goes on."""


class Forget(Command):
    """The time of some closed visits is up. `counts`: what else this run erases, by kind."""

    kind: Literal["forget"] = "forget"
    visit_ids: Annotated[tuple[str, ...], Field(max_length=VISITS_MAX)]
    order_ids: Annotated[tuple[str, ...], Field(max_length=VISITS_MAX)] = ()
    counts: Annotated[dict[str, int], Field(default_factory=dict)]
