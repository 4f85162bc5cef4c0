"""One thing that a check has to say about a store, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "Level", "error", "warning"]

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`code` names the kind, `where` the part of the store file, `fix` what to do about it."""

    level: Level
    code: str
    where: str
    message: str
    fix: str


def error(code: str, where: str, message: str, fix: str) -> Finding:
    """Something with which the store cannot work."""
    return Finding("error", code, where, message, fix)


def warning(code: str, where: str, message: str, fix: str) -> Finding:
    """Something with which the store works less well."""
    return Finding("warning", code, where, message, fix)
