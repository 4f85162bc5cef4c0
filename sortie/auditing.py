"""The auditor's checks of a hub's database, several at once where there is much to read.

Each worker is a process of its own that reads the file by itself; which one takes which check is
whoever is free.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TYPE_CHECKING

from auditor.ledger import CHECKS, findings_of
from auditor.sums import Books
from hub.fiscal.journal import check_journal

if TYPE_CHECKING:
    from contracts.store_file import StoreFile
    from hub.store.service import Store

__all__ = ["FISCAL", "auditing"]

FISCAL = "fiscal journal signed"
ALONE_EVENTS = 100_000
"""With fewer events the checks are done before a second process has begun."""
WORKERS_MAX = 4
_OPENED: list[tuple[Store, Books]] = []
"""In a worker: what it reads."""


@contextmanager
def auditing(
    store: Store,
    layout: StoreFile,
    found: dict[str, list[str]],
    told: Callable[[str], None] = lambda _words: None,
    *,
    alone_events: int = ALONE_EVENTS,
) -> Iterator[None]:
    """Puts each check's findings into `found` by its name; all are in when the context ends.

    Where there are more than `alone_events` other processes work while the context's body does:
    the database must be a file that nobody writes to.
    """
    names = [*CHECKS, FISCAL]
    if store.heads()[0][0] < alone_events:
        books = _books(store, layout)
        found.update((name, _judged(store, books, name)) for name in names)
        yield
        return
    workers = min(WORKERS_MAX, os.cpu_count() or 1)
    pool = ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_open, initargs=(store.url,)
    )
    try:
        waiting = {pool.submit(_judged_here, name): name for name in names}
        yield
        results = {}
        for number, done in enumerate(as_completed(waiting), 1):
            results[waiting[done]] = done.result()
            told(f"auditing: {number} of {len(names)} checks")
        found.update((name, results[name]) for name in names)
    finally:
        pool.shutdown(cancel_futures=True)


def _books(store: Store, layout: StoreFile) -> Books:
    from hub.store.export import export_parts

    # The payment gateway's own totals are compared where it is asked, not from a file.
    return Books(export_parts(store, layout, None))


def _judged(store: Store, books: Books, name: str) -> list[str]:
    return list(check_journal(store)) if name == FISCAL else findings_of(name, books)


def _open(url: str) -> None:
    from hub.memory import settle_collector
    from hub.replay import stored_layout
    from hub.store.service import Store

    store = Store(url)
    _OPENED.append((store, _books(store, stored_layout(store))))
    settle_collector()


def _judged_here(name: str) -> list[str]:
    store, books = _OPENED[0]
    return _judged(store, books, name)
