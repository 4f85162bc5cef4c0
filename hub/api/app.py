"""The application: routes, errors as problems, and the phone's pages where they are installed."""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Callable
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import Response

from hub.accounts.seals import Seals, load_seals
from hub.accounts.service import Accounts
from hub.accounts.store import AccountStore
from hub.api.aftercare import aftercare_of
from hub.api.auth import Limiter, StaffAuth
from hub.api.disputes import dispute_routes
from hub.api.entries import entry_routes
from hub.api.evidence import evidence_routes
from hub.api.exits import exit_routes
from hub.api.gateway import CARDS_PER_MINUTE_MAX, gateway_routes
from hub.api.goods import goods_routes
from hub.api.hardening import Hardened, Recorded
from hub.api.idempotent import AnsweredBefore, Keyed
from hub.api.keys import key_routes
from hub.api.metrics import metric_routes
from hub.api.openapi import add_document, operation_id
from hub.api.orders import OPENS_PER_MINUTE_MAX, order_routes
from hub.api.owed import owed_routes
from hub.api.parcels import parcel_routes
from hub.api.people import own_routes, people_routes
from hub.api.phones import VISITS_PER_MINUTE_MAX, phone_routes
from hub.api.problems import add_problems
from hub.api.receipts import receipt_routes
from hub.api.reports import report_routes
from hub.api.resources import resource_routes
from hub.api.reviews import review_routes
from hub.api.staff import staff_routes
from hub.api.streams import Streams
from hub.api.tiles import TileStore, tile_routes
from hub.api.wallets import wallet_routes
from hub.api.walls import wall_routes
from hub.api.webhooks import make_sender, webhook_routes
from hub.driver import Driver
from hub.settings import LOOPBACK_NAMES, HubSettings, account_keys_path
from hub.webhooks.store import WebhookStore

__all__ = ["create_app"]


def create_app(driver: Driver, settings: HubSettings) -> FastAPI:
    """The hub's HTTP interface. `hub.pages.mount(app)` adds pages where that module exists."""
    app = FastAPI(
        title="Sortie hub",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
    )
    store = AccountStore(driver.hub.store.url)
    accounts = Accounts(
        store,
        session_s=settings.session_s,
        idle_s=settings.session_idle_s,
        totp_required=settings.factor_required,
        grace_steps=settings.totp_grace_steps,
        open_seals=_seals_of(account_keys_path(settings, driver.hub.store.url)),
    )
    auth = StaffAuth(settings, accounts, now=driver.now)
    app.state.accounts = accounts
    add_problems(app)
    app.add_exception_handler(AnsweredBefore, _again)
    app.add_middleware(Recorded, store=store, now=driver.now, count=driver.hub.live.count)
    app.add_middleware(
        Hardened,
        hosts=lambda: settings.hosts or (None if auth.needed else LOOPBACK_NAMES),
        body_bytes_max=settings.body_bytes_max,
    )
    _add_routes(app, driver, settings, auth)
    add_document(app)
    if importlib.util.find_spec("hub.pages") is not None:
        importlib.import_module("hub.pages").mount(app)
    return app


def _seals_of(path: Path | None) -> Callable[[], Seals]:
    """How the keys for second factors are had; a file that is there must be good."""
    if path is None:
        return Seals.fresh
    if path.exists():
        load_seals(path)
    return lambda: load_seals(path)


def _add_routes(app: FastAPI, driver: Driver, settings: HubSettings, auth: StaffAuth) -> None:
    streams = Streams(lambda: driver.version)
    app.state.streams = streams
    driver.happened = streams.news
    limiter = Limiter(VISITS_PER_MINUTE_MAX, 60.0, time.monotonic)
    keyed = Keyed(auth.accounts.store, driver.now)
    app.include_router(phone_routes(driver, streams, limiter))
    app.include_router(owed_routes(driver, auth, keyed))
    app.include_router(wallet_routes(driver, streams, auth, keyed))
    app.include_router(staff_routes(driver, streams, auth, settings, keyed))
    app.include_router(own_routes(driver, auth))
    app.include_router(people_routes(driver, auth))
    app.include_router(key_routes(driver, auth))
    app.include_router(resource_routes(driver, auth))
    webhooks = WebhookStore(auth.accounts.store, lambda: auth.accounts.seals)
    webhooks.seal_all()
    sender = app.state.sender = make_sender(driver, webhooks, settings)
    app.include_router(webhook_routes(driver, auth, webhooks, settings, sender))
    app.include_router(entry_routes(driver, settings, auth))
    app.include_router(goods_routes(driver, auth, keyed))
    aftercare = aftercare_of(driver, settings)
    app.state.errands = aftercare.errands
    app.include_router(receipt_routes(aftercare, auth))
    app.include_router(evidence_routes(aftercare, auth))
    app.include_router(dispute_routes(aftercare, auth))
    app.include_router(review_routes(aftercare, auth))
    app.include_router(exit_routes(aftercare, streams, auth))
    app.include_router(report_routes(driver, auth))
    opens = Limiter(OPENS_PER_MINUTE_MAX, 60.0, time.monotonic)
    app.include_router(order_routes(driver, settings, auth, keyed, opens))
    app.include_router(parcel_routes(driver, auth))
    app.include_router(wall_routes(driver, streams, auth, settings, keyed))
    cards = Limiter(CARDS_PER_MINUTE_MAX, 60.0, time.monotonic)
    app.include_router(gateway_routes(driver, settings, auth, cards))
    app.include_router(tile_routes(driver, settings, auth, TileStore(time.monotonic)))
    app.include_router(metric_routes(driver, streams, auth, settings))


async def _again(_request: Request, answered: Exception) -> Response:
    """What the first request under the same Idempotency-Key was answered."""
    assert isinstance(answered, AnsweredBefore)
    kept = answered.kept
    return Response(
        kept.answer,
        status_code=kept.status,
        media_type=kept.media_type,
        headers={"Idempotency-Replayed": "true"},
    )
