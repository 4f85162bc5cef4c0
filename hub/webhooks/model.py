"""When to send what to whom: pure steps over a subscription. Times are microseconds.

A subscription is sent one event at a time, in the order of the log, and goes on to the next only
after a 2xx answer. After a failure it waits, twice as long each time up to an hour, a little more
or less by a number drawn outside; after days of failures it is switched off and says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

__all__ = ["Answer", "Subscription", "answered", "body_of", "message_id", "wants"]

FIRST_WAIT_US = 5_000_000
MOST_WAIT_US = 3_600_000_000
State = Literal["active", "paused", "disabled"]


@dataclass(frozen=True, slots=True)
class Subscription:
    """One receiver. `position` is the number of the last event that is done with."""

    subscription_id: str
    url: str
    kinds: tuple[str, ...]
    secret: str
    old_secret: str | None
    old_until_us: int | None
    state: State
    position: int
    tries: int
    next_try_us: int
    failing_since_us: int | None
    created_us: int

    def secrets_at(self, now_us: int) -> list[str]:
        """The secrets to sign with: the old one too while it is being changed. None where the
        keys that open them are lost."""
        old = self.old_secret
        if old is not None and self.old_until_us is not None and now_us < self.old_until_us:
            return [one for one in (self.secret, old) if one]
        return [self.secret] if self.secret else []


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an attempt: an HTTP status, or a fault instead of one."""

    status: int | None
    fault: str = ""

    @property
    def good(self) -> bool:
        """Whether the receiver has it."""
        return self.status is not None and 200 <= self.status < 300


def wants(subscription: Subscription, kind: str) -> bool:
    """Whether an event of this kind is for it: `visit.settled`, `visit.*` or `*`."""
    return any(
        wanted in ("*", kind) or (wanted.endswith(".*") and kind.startswith(wanted[:-1]))
        for wanted in subscription.kinds
    )


def answered(
    before: Subscription, number: int, answer: Answer, now_us: int, *, share: float, give_up_us: int
) -> Subscription:
    """The subscription after an attempt for the event of this number; `share` is drawn outside,
    from 0 to 1. A receiver that says 410 wants no more."""
    if answer.good:
        return replace(before, position=number, tries=0, next_try_us=now_us, failing_since_us=None)
    since_us = before.failing_since_us if before.failing_since_us is not None else now_us
    wait_us = min(MOST_WAIT_US, FIRST_WAIT_US * 2 ** min(before.tries, 30))
    over = now_us - since_us >= give_up_us or answer.status == 410
    return replace(
        before,
        state="disabled" if over else before.state,
        tries=before.tries + 1,
        next_try_us=now_us + round(wait_us * (0.8 + 0.4 * share)),
        failing_since_us=since_us,
    )


def message_id(store_id: str, number: int) -> str:
    """The same for every attempt at an event, so that a receiver can tell a repetition."""
    return f"evt_{store_id}_{number}"


def body_of(store_id: str, event: Mapping[str, Any], data: Mapping[str, Any]) -> bytes:
    """The payload: what happened, when, to which visit; `data` without what is personal."""
    at = datetime.fromtimestamp(event["at_us"] / 1e6, UTC).isoformat().replace("+00:00", "Z")
    payload = {
        "type": event["kind"],
        "timestamp": at,
        "data": {
            "store_id": store_id,
            "number": event["number"],
            "visit_id": event["visit_id"],
            **data,
        },
    }
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()
