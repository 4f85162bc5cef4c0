"""The hub's process: `python -m hub.main [--settings FILE.yaml]`.

Everything else comes from SORTIE_HUB_* (see hub.settings). Where another hub owns the store in
PostgreSQL, this one stands by (hub.standby) and takes over when that one is gone. Exit status 0
after a clean stop, 1 if the hub failed while it ran, 2 if it could not start; the last line on
stderr says why.
"""

from __future__ import annotations

import argparse
import errno
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import structlog
import uvicorn

from contracts.errors import StoreFileError
from contracts.store_file import StoreFile, load_store_file
from hub.api.app import create_app
from hub.attribution.engine import Engine
from hub.commands import SetGoodsPolicy
from hub.driver import Driver, HubClock
from hub.errors import HubError, LeaseLostError, SettingsError
from hub.fiscal.keeper import keeping
from hub.logs import configure_logs
from hub.memory import settle_collector
from hub.mqtt import HubMqtt
from hub.service import Hub
from hub.settings import HubSettings, keys_path, load_settings
from hub.standby import LeaseKeeper, wait_for_lease
from hub.store.lease import Lease, open_lease
from hub.visits.codes import load_keys
from hub.visits.commands import SetSettling
from hub.wallet.opening import open_gateway

__all__ = ["main"]

FIRST_SETTLING = SetSettling(by_place=True)
"""Who leaves need not wait for nodes that they have long walked away from."""
FIRST_POLICY = SetGoodsPolicy(watch_stock=True, pieces_per_minute_max=600, beyond_stock_max=100)
"""What a new store begins with; staff may say otherwise, and then that stays. No shop's node moves
ten pieces a second, or takes a hundred within an hour that no shelf held."""


def main(arguments: list[str] | None = None) -> int:
    """Runs until it is told to stop; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m hub.main", description="The hub of a store.")
    parser.add_argument("--settings", type=Path, default=None, help="YAML file of settings")
    options = parser.parse_args(arguments)
    try:
        settings = load_settings(options.settings)
        configure_logs(settings.log_format)
        return _run(settings)
    except (HubError, StoreFileError) as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _run(settings: HubSettings) -> int:
    layout = load_store_file(settings.store_file)
    listener = _listen(settings.host, settings.port)
    owner = settings.owner_name or f"{socket.gethostname()}:{os.getpid()}"
    try:
        lease = open_lease(
            settings.database_url, layout.store_id, owner=owner, ttl_s=settings.lease_ttl_s
        )
        try:
            with _ended_by_signal():
                while wait_for_lease(lease, listener):
                    with LeaseKeeper(lease, settings.lease_ttl_s / 3) as keeper:
                        code = _own(settings, layout, listener, lease, keeper)
                    if code is not None:
                        return code
                return 0
        finally:
            lease.release()
    finally:
        listener.close()


def _own(
    settings: HubSettings,
    layout: StoreFile,
    listener: socket.socket,
    lease: Lease,
    keeper: LeaseKeeper,
) -> int | None:
    """Runs the hub of a store that is ours; the exit status, None if another hub has it now."""
    with closing(open_gateway(settings, layout)) as gateway:
        keys_file = keys_path(settings)
        try:
            hub = Hub.open(
                layout,
                url=settings.database_url,
                attributor=Engine,
                gateway=gateway,
                rules=settings.rules,
                ask_inline=False,
                snapshot_every=settings.snapshot_every,
                entry_keys=None if keys_file is None else load_keys(keys_file, time.time()),
                lease=lease,
                pseudonyms=settings.payer_numbers,
            )
            with closing(hub):
                return _serve(settings, hub, listener, keeper)
        except LeaseLostError:
            return None


def _serve(
    settings: HubSettings, hub: Hub, listener: socket.socket, keeper: LeaseKeeper
) -> int | None:
    store_id = hub.core.state.store.store_id
    faults: list[str] = []
    lost: list[str] = []
    clock = HubClock(at_least_s=hub.core.state.now_s)
    driver = Driver(hub, clock, tick_s=settings.tick_s, retention=settings.retention)
    bus = HubMqtt(settings, store_id, on_news=driver.wake, owner=lambda: driver.owner)
    app = create_app(driver, settings)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=3,
        )
    )

    def end(words: list[str], reason: str) -> None:
        words.append(reason)
        server.should_exit = True

    settle_collector()
    driver.fatal = partial(end, faults)
    driver.lost = partial(end, lost)
    keeper.on_lost = driver.lose
    app.state.streams.ended = lambda: server.should_exit
    driver.begin()
    if not hub.core.state.shelves.policy.told:
        driver.command(FIRST_POLICY)
    if not hub.core.state.by_place:
        driver.command(FIRST_SETTLING)
    bus.start()
    try:
        driver.start(bus)
        app.state.errands.start()
        app.state.sender.start()
        log = structlog.get_logger("hub")
        port = listener.getsockname()[1]
        log.info("hub.listening", port=port, store=store_id, epoch=hub.store.lease.epoch)
        # The server closes what it is given; a standby needs the listener again.
        with keeping(settings, hub.core.state.store, driver.now) as app.state.fiscal:
            server.run(sockets=[listener.dup()])
    finally:
        app.state.sender.stop()
        app.state.errands.stop()
        driver.stop()
        bus.stop()
        app.state.accounts.store.close()
    if faults:
        sys.stderr.write(f"{faults[0]}\n")
        return 1
    return None if lost else 0


@contextmanager
def _ended_by_signal() -> Iterator[None]:
    """SIGTERM unwinds the process as an interrupt does, so that the lease is given back."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _listen(host: str, port: int) -> socket.socket:
    """The socket, taken before anything else is opened, so that a taken port costs nothing."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(
                f"port {port} on {host} is taken; stop what uses it or set SORTIE_HUB_PORT"
            ) from error
        raise SettingsError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listener


if __name__ == "__main__":
    sys.exit(main())
