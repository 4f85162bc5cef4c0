"""Subscriptions and what was sent, in the database beside the accounts. The secrets that messages
are signed with are sealed there; one that no key opens any more is empty and signs nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import delete, insert, select, update

from hub.accounts.seals import Seals
from hub.accounts.store import AccountStore
from hub.webhooks.model import Answer, Subscription
from hub.webhooks.tables import webhook_deliveries, webhook_subscriptions

__all__ = ["DELIVERIES_KEPT", "WebhookStore"]

DELIVERIES_KEPT = 10_000
"""Rows of the delivery log; older ones are forgotten."""
PRUNE_EVERY = 100
SECRETS = ("secret", "old_secret")


class WebhookStore:
    """Each call one transaction."""

    def __init__(self, store: AccountStore, open_seals: Callable[[], Seals]) -> None:
        self._store = store
        self._open_seals = open_seals

    def seal_all(self) -> int:
        """Seals what an older hub left in the plain, and anew what a former key sealed; how many
        subscriptions that were."""
        rows = self._store.read(select(webhook_subscriptions))
        changed = 0
        for row in rows:
            name = row["subscription_id"]
            kept = {one: row[one] for one in SECRETS if row[one] is not None}
            if not any(self._open_seals().loose(_bound(name), value) for value in kept.values()):
                continue
            loaded = self._loaded(row)
            plain = {one: getattr(loaded, one) for one in kept}
            # A secret that no key opens stays as it is: the key may come back.
            if all(plain.values()) and self.change(name, **plain):
                changed += 1
        return changed

    def all(self) -> list[Subscription]:
        """All subscriptions, the oldest first."""
        column = webhook_subscriptions.c
        rows = self._store.read(
            select(webhook_subscriptions).order_by(column.created_us, column.subscription_id)
        )
        return [self._loaded(row) for row in rows]

    def get(self, subscription_id: str) -> Subscription | None:
        """One of them."""
        column = webhook_subscriptions.c.subscription_id
        rows = self._store.read(select(webhook_subscriptions).where(column == subscription_id))
        return self._loaded(rows[0]) if rows else None

    def add(self, subscription: Subscription) -> None:
        """A new one."""
        with self._store.write() as connection:
            connection.execute(insert(webhook_subscriptions), [self._row(subscription)])

    def change(self, subscription_id: str, **values: Any) -> bool:
        """Writes fields over; False if there is no such subscription."""
        if "kinds" in values:
            values["kinds"] = json.dumps(list(values["kinds"]))
        values |= self._sealed(subscription_id, values)
        column = webhook_subscriptions.c.subscription_id
        with self._store.write() as connection:
            done = connection.execute(
                update(webhook_subscriptions).where(column == subscription_id).values(**values)
            )
            return bool(done.rowcount)

    def remove(self, subscription_id: str) -> bool:
        """Forgets one, with its deliveries."""
        column = webhook_subscriptions.c.subscription_id
        with self._store.write() as connection:
            log = webhook_deliveries.c.subscription_id == subscription_id
            connection.execute(delete(webhook_deliveries).where(log))
            gone = connection.execute(
                delete(webhook_subscriptions).where(column == subscription_id)
            )
            return bool(gone.rowcount)

    def passed(self, before: Subscription, number: int) -> None:
        """Nothing up to an event is for it; where it was put by hand meanwhile it stays."""
        column = webhook_subscriptions.c
        with self._store.write() as connection:
            connection.execute(
                update(webhook_subscriptions)
                .where(column.subscription_id == before.subscription_id)
                .where(column.position == before.position)
                .values(position=number)
            )

    def delivered(
        self,
        before: Subscription,
        after: Subscription,
        *,
        message_id: str,
        number: int,
        answer: Answer,
        now_us: int,
    ) -> None:
        """An attempt and how far the subscription is now, together. What was changed by hand
        meanwhile stays: only the progress is written, and only from where the attempt began."""
        column = webhook_subscriptions.c
        progress = ("position", "tries", "next_try_us", "failing_since_us")
        values = {name: getattr(after, name) for name in progress}
        if after.state != before.state:
            values["state"] = after.state
        with self._store.write() as connection:
            connection.execute(
                update(webhook_subscriptions)
                .where(column.subscription_id == before.subscription_id)
                .where(column.position == before.position)
                .values(**values)
            )
            row = {
                "subscription_id": before.subscription_id,
                "message_id": message_id,
                "event_number": number,
                "attempt": before.tries + 1,
                "at_us": now_us,
                "status": answer.status,
                "fault": answer.fault[:200],
            }
            written = connection.execute(insert(webhook_deliveries).values(**row))
            key = written.inserted_primary_key
            last = 0 if key is None else int(key[0])
            if last % PRUNE_EVERY == 0:
                old = webhook_deliveries.c.number <= last - DELIVERIES_KEPT
                connection.execute(delete(webhook_deliveries).where(old))

    def deliveries(
        self, subscription_id: str, *, before: int | None, limit: int
    ) -> list[dict[str, Any]]:
        """What was sent, the newest first."""
        column = webhook_deliveries.c
        asked = select(webhook_deliveries).where(column.subscription_id == subscription_id)
        if before is not None:
            asked = asked.where(column.number < before)
        return self._store.read(asked.order_by(column.number.desc()).limit(limit))

    def _row(self, subscription: Subscription) -> dict[str, Any]:
        values = {**asdict(subscription), "kinds": json.dumps(list(subscription.kinds))}
        return {**values, **self._sealed(subscription.subscription_id, values)}

    def _sealed(self, name: str, values: dict[str, Any]) -> dict[str, str]:
        """The secrets among some values, as they are kept."""
        given = {one: values[one] for one in SECRETS if values.get(one) is not None}
        return {one: self._open_seals().wrap(_bound(name), text) for one, text in given.items()}

    def _loaded(self, row: dict[str, Any]) -> Subscription:
        values = {item.name: row[item.name] for item in fields(Subscription)}
        bound = _bound(row["subscription_id"])
        for one in SECRETS:
            if values[one] is not None:
                values[one] = self._open_seals().unwrap(bound, values[one]) or ""
        return Subscription(**{**values, "kinds": tuple(json.loads(row["kinds"]))})


def _bound(subscription_id: str) -> str:
    return f"sortie webhook {subscription_id}"
