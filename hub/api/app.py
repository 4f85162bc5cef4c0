"""The application: routes, errors as JSON, and the phone's pages where they are installed."""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Callable

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.datastructures import MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.api.aftercare import aftercare_of
from hub.api.auth import Limiter, StaffAuth
from hub.api.disputes import dispute_routes
from hub.api.entries import entry_routes
from hub.api.evidence import evidence_routes
from hub.api.exits import exit_routes
from hub.api.gateway import CARDS_PER_MINUTE_MAX, gateway_routes
from hub.api.goods import goods_routes
from hub.api.metrics import metric_routes
from hub.api.phones import VISITS_PER_MINUTE_MAX, phone_routes
from hub.api.receipts import receipt_routes
from hub.api.reports import report_routes
from hub.api.reviews import review_routes
from hub.api.staff import staff_routes
from hub.api.streams import Streams
from hub.api.tiles import TileStore, tile_routes
from hub.api.wallets import wallet_routes
from hub.driver import Driver
from hub.errors import (
    ConflictError,
    HubHaltedError,
    LedgerError,
    RejectedError,
    StoreError,
    UnknownVisitError,
    UnknownWalletError,
)
from hub.settings import HubSettings

__all__ = ["create_app"]

LOOPBACK_NAMES = ["127.0.0.1", "localhost", "[::1]", "testserver"]
_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "SAMEORIGIN"),
)
_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (UnknownVisitError, 404),
    (UnknownWalletError, 404),
    (ConflictError, 409),
    (RejectedError, 422),
    (LedgerError, 422),
    (HubHaltedError, 503),
    (StoreError, 503),
)


def create_app(driver: Driver, settings: HubSettings) -> FastAPI:
    """The hub's HTTP interface. `hub.pages.mount(app)` adds pages where that module exists."""
    app = FastAPI(title="Sortie hub", version="1")
    auth = StaffAuth(settings)
    streams = Streams(lambda: driver.version)
    app.state.streams = streams
    if not auth.needed:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=LOOPBACK_NAMES)
    for kind, status in _STATUS:
        app.add_exception_handler(kind, _answer(status))
    app.add_middleware(_Hardened)
    limiter = Limiter(VISITS_PER_MINUTE_MAX, 60.0, time.monotonic)
    app.include_router(phone_routes(driver, streams, limiter))
    app.include_router(wallet_routes(driver, streams, auth))
    app.include_router(staff_routes(driver, streams, auth))
    app.include_router(entry_routes(driver, settings, auth))
    app.include_router(goods_routes(driver, auth))
    app.include_router(tile_routes(driver, settings, auth, TileStore(time.monotonic)))
    aftercare = aftercare_of(driver, settings)
    app.state.errands = aftercare.errands
    app.include_router(receipt_routes(aftercare, auth))
    app.include_router(evidence_routes(aftercare, auth))
    app.include_router(dispute_routes(aftercare, auth))
    app.include_router(review_routes(aftercare, auth))
    app.include_router(exit_routes(aftercare, streams, auth))
    app.include_router(metric_routes(driver, streams))
    app.include_router(report_routes(driver, auth))
    cards = Limiter(CARDS_PER_MINUTE_MAX, 60.0, time.monotonic)
    app.include_router(gateway_routes(driver, settings, auth, cards))
    if importlib.util.find_spec("hub.pages") is not None:
        importlib.import_module("hub.pages").mount(app)
    return app


def _answer(status: int) -> Callable[[Request, Exception], JSONResponse]:
    def answer(_request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status_code=status)

    return answer


class _Hardened:
    """Adds headers to every answer; plain ASGI, so that streams pass through untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS:
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, hardened if scope["type"] == "http" else send)
