"""The pages' process: `python -m hub.pages.main`, set by SORTIE_PAGES_* (see hub.pages.settings).

Serves the start page at / and the staff page at /staff, and talks to nothing but the hub's HTTP
API. Exit status 0 after a clean stop, 1 if it could not start; the last line on stderr says why.
"""

from __future__ import annotations

import errno
import importlib
import logging
import socket
import sys

import uvicorn

from hub.errors import SettingsError
from hub.pages.settings import PagesSettings, load_pages_settings

__all__ = ["main"]


def main() -> int:
    """Runs until it is told to stop; returns the exit status."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    # Requests carry visit ids; they are nobody's business in a log.
    logging.getLogger("httpx").setLevel(logging.ERROR)
    try:
        settings = load_pages_settings()
        listener = _listen(settings)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    try:
        _serve(settings, listener)
    finally:
        listener.close()
    return 0


def _serve(settings: PagesSettings, listener: socket.socket) -> None:
    servers: list[uvicorn.Server] = []

    def stopping() -> bool:
        return bool(servers) and servers[0].should_exit

    # Importing NiceGUI takes seconds: a taken port or a wrong setting is said before that.
    site = importlib.import_module("hub.pages.site")
    config = uvicorn.Config(
        site.create_site(settings, stopping),
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=3,
    )
    servers.append(uvicorn.Server(config))
    servers[0].run(sockets=[listener])


def _listen(settings: PagesSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(
                f"expected port {settings.port} on {settings.host} to be free, but it is taken; "
                "stop what uses it or set SORTIE_PAGES_PORT"
            ) from error
        raise SettingsError(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; "
            "set SORTIE_PAGES_HOST and SORTIE_PAGES_PORT"
        ) from error
    return listener


if __name__ == "__main__":
    sys.exit(main())
