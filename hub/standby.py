"""Waiting for a store that another hub owns.

A standby answers /healthz (it lives) and /readyz (it is not ready, and why), and everything else
with 503: no page, phone or node is served by two hubs. It asks for the lease every second.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from hub.errors import LeaseLostError, StoreError, StoreTakenError
from hub.store.lease import Lease

__all__ = ["LeaseKeeper", "standby_app", "wait_for_lease"]

ASK_S = 1.0
RETRY_AFTER = {"Retry-After": "5", "Cache-Control": "no-store"}
STANDBY = {"ready": False, "role": "standby"}


class LeaseKeeper:
    """Renews a lease from a thread of its own for as long as the block lasts: a replay or a slow
    disk must not cost a hub its store. `on_lost` is called once, when another hub has it."""

    def __init__(self, lease: Lease, every_s: float) -> None:
        self.on_lost: Callable[[LeaseLostError], None] = lambda error: None
        self._lease = lease
        self._every_s = every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="hub-lease", daemon=True)

    def __enter__(self) -> LeaseKeeper:
        self._thread.start()
        return self

    def __exit__(self, *_how: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _keep(self) -> None:
        while not self._stopping.wait(self._every_s):
            try:
                self._lease.renew()
            except LeaseLostError as error:
                self.on_lost(error)
                return
            except StoreError as error:
                structlog.get_logger("hub").warning("hub.lease_not_renewed", error=str(error))


def standby_app(reason: Callable[[], str]) -> Starlette:
    """What a standby answers; `reason` says why it does not own the store."""

    async def alive(_request: Request) -> JSONResponse:
        return JSONResponse({"ok": True, "role": "standby"})

    async def ready(_request: Request) -> JSONResponse:
        return JSONResponse({**STANDBY, "reason": reason()}, 503, headers=RETRY_AFTER)

    async def elsewhere(_request: Request) -> JSONResponse:
        detail = "this hub is a standby; ask the one that owns the store"
        return JSONResponse({"detail": detail}, 503, headers=RETRY_AFTER)

    methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    return Starlette(
        routes=[
            Route("/healthz", alive),
            Route("/readyz", ready),
            Route("/{path:path}", elsewhere, methods=methods),
        ]
    )


def wait_for_lease(lease: Lease, listener: socket.socket) -> bool:
    """Takes the lease, and serves as a standby until that succeeds; False if the process is told
    to stop first. A database that is away is waited for too. StoreTakenError as the lease's."""
    log = structlog.get_logger("hub")
    reason = _asked(lease)
    if reason is None:
        return True
    log.info("hub.standby", reason=reason, port=listener.getsockname()[1])
    said = [reason]
    stopping = threading.Event()
    server = uvicorn.Server(
        uvicorn.Config(
            standby_app(lambda: said[0]),
            log_config=None,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=1,
            lifespan="off",
        )
    )

    def ask() -> None:
        while not stopping.wait(ASK_S):
            answer = _asked(lease)
            if answer is None:
                server.should_exit = True
                return
            said[0] = answer

    asking = threading.Thread(target=ask, name="hub-standby", daemon=True)
    asking.start()
    try:
        # The server closes what it is given; the listener is needed again.
        server.run(sockets=[listener.dup()])
    finally:
        stopping.set()
        asking.join()
    return lease.held


def _asked(lease: Lease) -> str | None:
    """Why the lease is not ours; None if it is. StoreTakenError: waiting would not help."""
    try:
        return None if lease.take() else "another hub owns the store"
    except StoreTakenError:
        raise
    except StoreError as error:
        return str(error)
