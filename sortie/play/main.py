"""The play page's process: `python -m sortie.play.main`, set by SORTIE_PLAY_*.

Exit status 0 after a clean stop, 1 if it could not start; the last line on stderr says why.
"""

from __future__ import annotations

import logging
import sys

import uvicorn

from sortie.errors import SortieError
from sortie.play.server import create_app
from sortie.play.settings import load_play_settings

__all__ = ["main"]

HOST = "127.0.0.1"


def main() -> int:
    """Runs until it is told to stop; returns the exit status."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    # Requests carry tokens and visit ids; they are nobody's business in a log.
    logging.getLogger("httpx").setLevel(logging.ERROR)
    try:
        settings = load_play_settings()
    except SortieError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    servers: list[uvicorn.Server] = []

    def stopping() -> bool:
        return bool(servers) and servers[0].should_exit

    config = uvicorn.Config(
        create_app(settings, stopping),
        host=HOST,
        port=settings.port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=3,
    )
    servers.append(uvicorn.Server(config))
    servers[0].run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
