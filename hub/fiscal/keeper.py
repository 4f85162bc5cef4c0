"""Keeps the fiscal journal while the hub runs: a thread with connections of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from contracts.store_file import StoreFile
from hub.errors import HubError, SettingsError
from hub.fiscal.france import France
from hub.fiscal.journal import FiscalJournal
from hub.fiscal.keys import load_key
from hub.settings import HubSettings
from hub.store.database import is_memory
from hub.store.service import Store

__all__ = ["FiscalKeeper", "keeping"]


@contextmanager
def keeping(
    settings: HubSettings, layout: StoreFile, now: Callable[[], float]
) -> Iterator[FiscalKeeper | None]:
    """Keeps the journal meanwhile, if the settings name a key. FiscalError if it cannot be used,
    SettingsError where the database would not outlive the journal."""
    if settings.fiscal_key_file is None:
        yield None
        return
    if is_memory(settings.database_url):
        raise SettingsError(
            "expected a database that outlives its process for a fiscal journal, got one in memory"
        )
    keeper = FiscalKeeper(
        settings.database_url,
        layout,
        settings.fiscal_key_file,
        every_s=settings.fiscal_every_s,
        now=now,
    )
    keeper.start()
    try:
        yield keeper
    finally:
        keeper.stop()


class FiscalKeeper:
    """Feeds the journal every so often. What goes wrong is logged and shown in `fault`."""

    def __init__(
        self,
        url: str,
        layout: StoreFile,
        key_file: Path,
        *,
        every_s: float,
        now: Callable[[], float],
    ) -> None:
        self._key = load_key(key_file)
        self._url = url
        self._layout = layout
        self._every_s = every_s
        self._now = now
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="hub-fiscal", daemon=True)
        self.fault: str | None = None

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def stop(self) -> None:
        """Ends; what is written is written."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def step(self, store: Store) -> None:
        """Feeds the journal once. HubError as FiscalJournal."""
        journal = FiscalJournal(store, self._layout, self._key, France())
        journal.catch_up(round(self._now() * 1e6))
        self.fault = None

    def _keep(self) -> None:
        log = structlog.get_logger("fiscal")
        store: Store | None = None
        while not self._stopping.is_set():
            try:
                store = store or Store(self._url)
                self.step(store)
            except HubError as error:
                if str(error) != self.fault:
                    log.error("fiscal.behind", error=str(error))
                self.fault = str(error)
            self._stopping.wait(self._every_s)
        if store is not None:
            store.close()
