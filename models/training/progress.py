"""A progress line for long loops: a bar on a terminal, a line now and then in a log file."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["track"]

T = TypeVar("T")
LINES_IN_LOG = 10
"""How many lines one loop writes where there is no terminal."""


def track(items: Iterable[T], total: int, title: str) -> Iterator[T]:
    """Yield `items`, showing on stderr how many of `total` are done."""
    if sys.stderr.isatty():
        columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task(title, total=total)
            for item in items:
                yield item
                progress.advance(task)
        return
    step = max(1, total // LINES_IN_LOG)
    for done, item in enumerate(items, start=1):
        yield item
        if done % step == 0 or done == total:
            print(f"{title}: {done}/{total}", file=sys.stderr, flush=True)
