"""Webhooks over HTTP: who is told what, what was sent, and sending it again.

Secrets are told in the answer that makes them. A key with the scope `webhooks` may do all of it.
"""

from __future__ import annotations

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from hub.api.auth import StaffAuth, note
from hub.api.paging import Cursor, Limit, Page, page_of, read_cursor
from hub.driver import Driver
from hub.effects import us
from hub.settings import HubSettings
from hub.store import tables as t
from hub.webhooks.addresses import URL_CHARS_MAX, check_url
from hub.webhooks.errors import UnknownWebhookError, WebhookError
from hub.webhooks.model import State, Subscription
from hub.webhooks.sender import HttpPost, Sender
from hub.webhooks.sign import new_secret
from hub.webhooks.store import WebhookStore

__all__ = ["make_sender", "webhook_routes"]

SUBSCRIPTIONS_MAX = 50
OVERLAP_S = 86_400.0
Id = Annotated[str, Path(pattern=r"^wh_[0-9a-f]{16}$")]
Kind = Annotated[str, Field(pattern=r"^(\*|[a-z_]{1,40}\.(\*|[a-z_.]{1,60}))$")]
Kinds = Annotated[list[Kind], Field(min_length=1, max_length=50)]
Url = Annotated[str, Field(min_length=8, max_length=URL_CHARS_MAX)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewWebhook(_Body):
    """Where to, and which kinds: `visit.settled`, `visit.*` or `*`. It begins with what happens
    from now on, or after the event `after`."""

    url: Url
    kinds: Kinds = ["*"]
    after: Annotated[int | None, Field(ge=0, le=2**53)] = None


class WebhookChange(_Body):
    """What may be changed; `active` after `disabled` begins where it stopped."""

    url: Url | None = None
    kinds: Kinds | None = None
    state: Annotated[State | None, Field(description="active or paused")] = None


class Replay(_Body):
    """From after which event everything is sent again."""

    after: Annotated[int, Field(ge=0, le=2**53)]


class WebhookRow(_Body):
    """A subscription without its secret. `waiting`: events after `position`, of any kind."""

    webhook_id: str
    url: str
    kinds: list[str]
    state: State
    position: int
    waiting: int
    tries: int
    next_try_us: int
    failing_since_us: int | None
    created_us: int


class WebhookMade(WebhookRow):
    """With the secret that messages are signed with, told once."""

    secret: str


class DeliveryRow(_Body):
    """One attempt: the receiver's status, or the fault instead of one."""

    number: int
    message_id: str
    event_number: int
    attempt: int
    at_us: int
    status: int | None
    fault: str


class Tested(_Body):
    """What the receiver answered to a test message."""

    delivered: bool
    status: int | None
    fault: str


def make_sender(driver: Driver, store: WebhookStore, settings: HubSettings) -> Sender:
    """The sender over the hub's event log."""

    def events(after: int, most: int) -> list[dict[str, Any]]:
        asked = select(t.events).where(t.events.c.number > after).order_by(t.events.c.number)
        return driver.stored(lambda store: store.select(asked.limit(most)))

    return Sender(
        store,
        events,
        HttpPost(private=settings.webhooks_private),
        store_id=driver.hub.core.state.store.store_id,
        now=driver.now,
        give_up_days=settings.webhooks_give_up_days,
        count=driver.hub.live.count,
    )


def webhook_routes(
    driver: Driver, auth: StaffAuth, store: WebhookStore, settings: HubSettings, sender: Sender
) -> APIRouter:
    """Routes under /api/v1/webhooks."""
    router = APIRouter(
        prefix="/api/v1/webhooks",
        tags=["webhooks"],
        dependencies=[Depends(auth.needs("admin", "webhooks"))],
    )

    @router.get("")
    def webhooks() -> list[WebhookRow]:
        """All subscriptions."""
        last = _last(driver)
        return [_row(row, last) for row in store.all()]

    @router.post("", status_code=201)
    def add(request: Request, body: NewWebhook) -> WebhookMade:
        """A new subscription."""
        note(request, target=body.url)
        check_url(body.url, private=settings.webhooks_private)
        if len(store.all()) >= SUBSCRIPTIONS_MAX:
            raise WebhookError(f"expected at most {SUBSCRIPTIONS_MAX} webhooks; remove one")
        last, now_us = _last(driver), us(driver.now())
        made = Subscription(
            f"wh_{secrets.token_hex(8)}", body.url, tuple(body.kinds), new_secret(), None, None,
            "active", last if body.after is None else min(body.after, last), 0, now_us, None,
            now_us,
        )  # fmt: skip
        store.add(made)
        return WebhookMade(**_row(made, last).model_dump(), secret=made.secret)

    @router.get("/{webhook_id}")
    def webhook(webhook_id: Id) -> WebhookRow:
        """One subscription."""
        return _row(_known(store, webhook_id), _last(driver))

    @router.patch("/{webhook_id}")
    def change(request: Request, webhook_id: Id, body: WebhookChange) -> WebhookRow:
        """Another address or other kinds; paused, or active again."""
        _known(store, webhook_id)
        values = body.model_dump(exclude_none=True)
        if body.url is not None:
            note(request, target=f"{webhook_id} {body.url}")
            check_url(body.url, private=settings.webhooks_private)
        if body.state == "disabled":
            raise WebhookError("expected active or paused; disabled is for the hub to say")
        if body.state == "active":
            values |= {"tries": 0, "next_try_us": us(driver.now()), "failing_since_us": None}
        if values:
            store.change(webhook_id, **values)
        return _row(_known(store, webhook_id), _last(driver))

    @router.delete("/{webhook_id}", status_code=204)
    def remove(webhook_id: Id) -> None:
        """Nothing is sent there any more."""
        _known(store, webhook_id)
        store.remove(webhook_id)

    _sending_routes(router, driver, store, sender)
    return router


def _sending_routes(router: APIRouter, driver: Driver, store: WebhookStore, sender: Sender) -> None:
    @router.post("/{webhook_id}/secret")
    def rotate(webhook_id: Id) -> WebhookMade:
        """A new secret; for a day messages are signed with the old one too."""
        found = _known(store, webhook_id)
        fresh = new_secret()
        until_us = us(driver.now() + OVERLAP_S)
        store.change(webhook_id, secret=fresh, old_secret=found.secret, old_until_us=until_us)
        shown = _row(_known(store, webhook_id), _last(driver))
        return WebhookMade(**shown.model_dump(), secret=fresh)

    @router.post("/{webhook_id}/test")
    def test(webhook_id: Id) -> Tested:
        """Sends a message of kind `webhook.test` now."""
        answer = sender.test(_known(store, webhook_id))
        return Tested(delivered=answer.good, status=answer.status, fault=answer.fault)

    @router.post("/{webhook_id}/replay")
    def replay(webhook_id: Id, body: Replay) -> WebhookRow:
        """Sends everything after an event again, under the same message ids."""
        _known(store, webhook_id)
        after = min(body.after, _last(driver))
        now_us = us(driver.now())
        store.change(webhook_id, position=after, tries=0, next_try_us=now_us)
        return _row(_known(store, webhook_id), _last(driver))

    @router.get("/{webhook_id}/deliveries")
    def deliveries(webhook_id: Id, limit: Limit = 50, cursor: Cursor = None) -> Page[DeliveryRow]:
        """What was sent, the newest first."""
        _known(store, webhook_id)
        before = read_cursor("deliveries", cursor, (int,))
        rows = store.deliveries(
            webhook_id, before=None if before is None else before[0], limit=limit + 1
        )
        return page_of("deliveries", rows, limit, ("number",), _delivery)


def _known(store: WebhookStore, webhook_id: str) -> Subscription:
    found = store.get(webhook_id)
    if found is None:
        raise UnknownWebhookError(f"expected a webhook, got {webhook_id}")
    return found


def _last(driver: Driver) -> int:
    return driver.read(lambda hub: hub.core.state.log.number)


def _row(item: Subscription, last: int) -> WebhookRow:
    return WebhookRow(
        webhook_id=item.subscription_id,
        url=item.url,
        kinds=list(item.kinds),
        state=item.state,
        position=item.position,
        waiting=max(0, last - item.position),
        tries=item.tries,
        next_try_us=item.next_try_us,
        failing_since_us=item.failing_since_us,
        created_us=item.created_us,
    )


def _delivery(row: dict[str, Any]) -> DeliveryRow:
    return DeliveryRow(**{name: row[name] for name in DeliveryRow.model_fields})
