"""The base of all commands, and what a command comes to.

Each room declares its commands beside its rules; `hub.commands` gathers them into one union.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from hub.errors import ConflictError

__all__ = ["Command", "Reply", "repeated"]


class Command(BaseModel):
    """Something asked of the hub. Frozen and journaled: replay applies it again, so that a
    command, once released, keeps its fields; new ones have defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Reply(Command):
    """What a command came to. A command that cannot be done raises RejectedError instead."""

    visit_id: str | None = None
    amount_minor: int = 0
    repeated: bool = False
    payer: str | None = None


def repeated(what: str, before: object, now: object) -> Reply:
    """The answer to a command that came before; ConflictError if it says something else now."""
    if before != now:
        raise ConflictError(f"{what} was made before with other content")
    return Reply(repeated=True)
