"""The hub's process: `python -m hub.main [--settings FILE.yaml]`.

Everything else comes from SORTIE_HUB_* (see hub.settings). Exit status 0 after a clean stop, 1 if
the hub failed while it ran, 2 if it could not start; the last line on stderr says why.
"""

from __future__ import annotations

import argparse
import errno
import logging
import socket
import sys
import time
from pathlib import Path

import structlog
import uvicorn

from contracts.errors import StoreFileError
from contracts.store_file import load_store_file
from hub.api.app import create_app
from hub.attribution.engine import Engine
from hub.commands import SetGoodsPolicy
from hub.driver import Driver, HubClock
from hub.errors import HubError, SettingsError
from hub.fiscal.keeper import keeping
from hub.memory import settle_collector
from hub.mqtt import HubMqtt
from hub.service import Hub
from hub.settings import HubSettings, keys_path, load_settings
from hub.visits.codes import load_keys
from hub.wallet.opening import OpenGateway, open_gateway

__all__ = ["main"]

FIRST_POLICY = SetGoodsPolicy(watch_stock=True, pieces_per_minute_max=600, beyond_stock_max=100)
"""What a new store begins with; staff may say otherwise, and then that stays. No shop's node moves
ten pieces a second, or takes a hundred within an hour that no shelf held."""


def main(arguments: list[str] | None = None) -> int:
    """Runs until it is told to stop; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m hub.main", description="The hub of a store.")
    parser.add_argument("--settings", type=Path, default=None, help="YAML file of settings")
    options = parser.parse_args(arguments)
    try:
        return _run(load_settings(options.settings))
    except (HubError, StoreFileError) as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _run(settings: HubSettings) -> int:
    layout = load_store_file(settings.store_file)
    listener = _listen(settings.host, settings.port)
    try:
        gateway = open_gateway(settings, layout)
    except HubError:
        listener.close()
        raise
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
        )
    except HubError:
        gateway.close()
        listener.close()
        raise
    faults: list[str] = []
    driver = Driver(hub, HubClock(at_least_s=hub.core.state.now_s), tick_s=settings.tick_s)
    bus = HubMqtt(settings, layout.store_id, on_news=driver.wake)
    app = create_app(driver, settings)
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=3)
    )

    def fatal(reason: str) -> None:
        faults.append(reason)
        server.should_exit = True

    settle_collector()
    driver.fatal = fatal
    app.state.streams.ended = lambda: server.should_exit
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        driver.begin()
        if not hub.core.state.shelves.policy.told:
            driver.command(FIRST_POLICY)
        bus.start()
    except BaseException:
        _close(hub, gateway, listener)
        raise
    driver.start(bus)
    app.state.errands.start()
    log = structlog.get_logger("hub")
    log.info("hub.listening", port=listener.getsockname()[1], store=layout.store_id)
    try:
        with keeping(settings, layout, driver.now) as app.state.fiscal:
            server.run(sockets=[listener])
    finally:
        app.state.errands.stop()
        driver.stop()
        bus.stop()
        _close(hub, gateway, listener)
    if faults:
        sys.stderr.write(f"{faults[0]}\n")
        return 1
    return 0


def _close(hub: Hub, gateway: OpenGateway, listener: socket.socket) -> None:
    hub.close()
    gateway.close()
    listener.close()


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
