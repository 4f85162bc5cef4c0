"""Fail points: named places in production code where a process may be killed.

    with fail_points(points):
        points.arm("commit.after", count=3)     # the third time it comes there
        ...                                     # Killed is raised

They are put around functions of production code from outside; nothing in the hub knows of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from hub import service
from hub.store.service import Store
from hub.wallet.fake import FakeGateway

__all__ = ["NAMES", "FailPoints", "Killed", "fail_points"]

NAMES = (
    "commit.before", "commit.after", "prune.before", "prune.after", "snapshot", "rebuild",
    "gateway.before", "gateway.after", "acked",
)  # fmt: skip


class Killed(BaseException):
    """The process is gone. No Exception: nothing may handle it but who kills."""


def _raise(name: str) -> None:
    raise Killed(name)


@dataclass(slots=True)
class FailPoints:
    """Which point kills at which of its times; one at a time. `kill` is what is done there."""

    kill: Callable[[str], None] = _raise
    happened: Counter[str] = field(default_factory=Counter)
    passed: Counter[str] = field(default_factory=Counter)
    _armed: str | None = None
    _left: int = 0

    def arm(self, name: str, *, count: int = 1) -> None:
        """Kills when the point is passed for this time from now."""
        if name not in NAMES:
            raise ValueError(f"expected one of {', '.join(NAMES)}, got {name!r}")
        self._armed, self._left = name, count

    def disarm(self) -> None:
        """Nothing is killed."""
        self._armed = None

    def passing(self, name: str) -> None:
        """A process is at this place."""
        self.passed[name] += 1
        if name == self._armed:
            self._left -= 1
            if self._left <= 0:
                self._armed = None
                self.happened[f"kill_at_{name}"] += 1
                self.kill(name)


@contextmanager
def fail_points(points: FailPoints) -> Iterator[None]:
    """Puts the points into commits, snapshots, rebuilding and the gateway while this lasts."""
    with ExitStack() as stack:
        for owner, name, before, after in (
            (Store, "write", "commit.before", "commit.after"),
            (Store, "prune", "prune.before", "prune.after"),
            (service, "snapshot_row", "snapshot", None),
            (service, "rebuild", None, "rebuild"),
            (FakeGateway, "ask", "gateway.before", "gateway.after"),
        ):
            around = _around(points, getattr(owner, name), before, after)
            stack.enter_context(patch.object(owner, name, around))
        yield


def _around(
    points: FailPoints, function: Callable[..., Any], before: str | None, after: str | None
) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        if before is not None:
            points.passing(before)
        result = function(*args, **kwargs)
        if after is not None:
            points.passing(after)
        return result

    return call
