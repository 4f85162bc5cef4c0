"""Sends webhooks: one round at a time over all subscriptions, driven by a thread of the hub.

    sender = Sender(store, events, post, store_id=…, now=driver.now, …)
    while sender.step(): ...          # whether anything was sent
    sender.start(); sender.stop()     # the same, as a thread

The event log is the outbox: what is committed is sent, at least once and in order, and where a
subscription has got to is in the database, so that a restart goes on there.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

import httpx
import structlog

from hub.effects import us
from hub.events import newest
from hub.personal import public_data
from hub.webhooks.addresses import Resolve, resolve, target_of
from hub.webhooks.errors import AddressRefusedError
from hub.webhooks.model import Answer, Subscription, answered, body_of, message_id, wants
from hub.webhooks.sign import headers_of
from hub.webhooks.store import WebhookStore

__all__ = ["Events", "HttpPost", "Post", "Sender"]

EVENTS_AT_ONCE = 200
SENT_A_ROUND_MAX = 50
"""To one receiver, before the next has its turn."""
POLL_S = 0.5
TIMEOUT_S = 10.0
"""So long a receiver may say nothing."""
MOST_S = 15.0
"""So long an attempt may take: who says a little now and then must not keep all others waiting."""
DAY_US = 86_400_000_000
NO_KEY = "the account keys that open its secret are lost: put their file back or make a new secret"
Row = Mapping[str, Any]
Events = Callable[[int, int], list[dict[str, Any]]]
"""Rows of the event log after a number, so many at most."""


class Post(Protocol):
    """Sends one message."""

    def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """What came of it; never raises for what a receiver does."""
        ...


class HttpPost:
    """Over HTTP, to a judged address, without redirects, for MOST_S at most and what a receiver's
    next word then takes."""

    def __init__(
        self,
        *,
        private: bool,
        resolve: Resolve = resolve,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._private = private
        self._resolve = resolve
        self._transport = transport
        self._made: httpx.Client | None = None

    @property
    def _client(self) -> httpx.Client:
        """Made at the first message: certificates take time to read, and most stores send none."""
        if self._made is None or self._made.is_closed:
            self._made = httpx.Client(
                timeout=TIMEOUT_S,
                follow_redirects=False,
                trust_env=False,
                transport=self._transport,
            )
        return self._made

    def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Sends it."""
        client = self._client
        # A timeout of the client begins anew with every byte that comes.
        late = threading.Timer(MOST_S, client.close)
        late.daemon = True
        late.start()
        try:
            target = target_of(url, private=self._private, resolve=self._resolve)
            sent = {
                **headers,
                "Host": target.host_header,
                "Content-Type": "application/json",
                "User-Agent": "sortie-hub",
            }
            with client.stream(
                "POST",
                target.url,
                content=body,
                headers=sent,
                extensions={"sni_hostname": target.host},
            ) as answer:
                # What the receiver says is not kept; its status is the answer.
                return Answer(answer.status_code)
        except AddressRefusedError as error:
            return Answer(None, str(error))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, RuntimeError) as error:
            # RuntimeError: the client was closed under it.
            return Answer(None, "TooSlow" if client.is_closed else type(error).__name__)
        finally:
            late.cancel()

    def close(self) -> None:
        """Closes connections."""
        if self._made is not None:
            self._made.close()


class Sender:
    """All subscriptions of a store."""

    def __init__(
        self,
        store: WebhookStore,
        events: Events,
        post: Post,
        *,
        store_id: str,
        now: Callable[[], float],
        give_up_days: float,
        share: Callable[[], float] = random.random,
        count: Callable[[str], None] = lambda name: None,
    ) -> None:
        self._store = store
        self._events = events
        self._post = post
        self._store_id = store_id
        self._now = now
        self._give_up_us = round(give_up_days * DAY_US)
        self._share = share
        self._count = count
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def step(self) -> bool:
        """One round; whether anything was sent, so that more may be waiting."""
        sent = False
        for subscription in self._store.all():
            if subscription.state == "active" and subscription.next_try_us <= us(self._now()):
                sent = self._serve(subscription) or sent
        return sent

    def test(self, subscription: Subscription) -> Answer:
        """Sends a message that says it is a test; nothing of the subscription changes."""
        now_us = us(self._now())
        event = {"kind": "webhook.test", "at_us": now_us, "number": 0, "visit_id": None}
        body = body_of(self._store_id, event, {})
        return self._send(subscription, f"test_{self._store_id}_{now_us}", body, now_us)

    def _serve(self, subscription: Subscription) -> bool:
        sent = 0
        while rows := self._events(subscription.position, EVENTS_AT_ONCE):
            for row in rows:
                if sent == SENT_A_ROUND_MAX or self._stopping.is_set():
                    return sent > 0
                if not wants(subscription, row["kind"]):
                    continue
                after = self._deliver(subscription, row)
                sent += 1
                if after.position == subscription.position:
                    return True
                subscription = after
            if subscription.position < rows[-1]["number"]:
                subscription = self._passed(subscription, rows[-1]["number"])
        return sent > 0

    def _passed(self, subscription: Subscription, number: int) -> Subscription:
        """Nothing up to here is for it."""
        self._store.passed(subscription, number)
        return replace(subscription, position=number)

    def _deliver(self, before: Subscription, row: Row) -> Subscription:
        now_us = us(self._now())
        name = message_id(self._store_id, row["number"])
        data = newest(row["kind"], json.loads(row["data"]))
        body = body_of(self._store_id, row, public_data(row["kind"], data))
        answer = self._send(before, name, body, now_us)
        after = answered(
            before, row["number"], answer, now_us,
            share=self._share(), give_up_us=self._give_up_us,
        )  # fmt: skip
        self._store.delivered(
            before, after, message_id=name, number=row["number"], answer=answer, now_us=now_us
        )
        if after.state == "disabled":
            self._count("webhooks_disabled")
            structlog.get_logger("hub").error(
                "webhook.disabled", subscription=before.subscription_id, tries=after.tries
            )
        return after

    def _send(self, to: Subscription, name: str, body: bytes, now_us: int) -> Answer:
        keys = to.secrets_at(now_us)
        if not keys:
            return Answer(None, NO_KEY)
        headers = headers_of(keys, name, now_us // 1_000_000, body)
        return self._post(to.url, headers, body)

    # -- as a thread ----------------------------------------------------------------------

    def start(self) -> None:
        """Sends from now on."""
        self._thread = threading.Thread(target=self._run, name="hub-webhooks", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stops; what was not answered is sent again after the next start."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(TIMEOUT_S + POLL_S)

    def _run(self) -> None:
        log = structlog.get_logger("hub")
        while not self._stopping.is_set():
            try:
                busy = self.step()
            except Exception as error:  # noqa: BLE001 - the edge of a thread
                self._count("webhooks_failed")
                log.error("webhooks.failed", error=repr(error))
                busy = False
            if not busy:
                self._stopping.wait(POLL_S)
