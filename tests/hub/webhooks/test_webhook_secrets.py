"""The secrets that messages are signed with are sealed in the database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from hub.accounts.seals import Seals
from hub.webhooks.sender import NO_KEY
from hub.webhooks.sign import new_secret, verified
from hub.webhooks.store import WebhookStore
from hub.webhooks.tables import webhook_subscriptions
from tests.hub.doors import Door
from tests.hub.webhooks.test_webhooks import Receiver, drain, hooks, prices, sender_of, subscribe


@pytest.fixture
def door(make_shop: Callable[..., Any]) -> Door:
    made = Door(make_shop("hub.db"), staff_accounts=True)
    made.staff()
    return made


def kept(door: Door) -> dict[str, Any]:
    """The row as it stands in the database."""
    return door.accounts.store.read(select(webhook_subscriptions))[0]


def write(door: Door, **values: Any) -> None:
    with door.accounts.store.write() as connection:
        connection.execute(update(webhook_subscriptions).values(**values))


def test_no_secret_is_in_the_database_and_messages_are_signed(door: Door, tmp_path: Path) -> None:
    made, receiver = subscribe(door), Receiver()
    fresh = door.known("admin").post(f"/api/v1/webhooks/{made['webhook_id']}/secret").json()
    for secret in (made["secret"], fresh["secret"]):
        for file in tmp_path.glob("hub.db*"):
            assert secret.encode() not in file.read_bytes()
    prices(door, 1)
    drain(sender_of(door, receiver))
    headers, body = receiver.got[-1]
    assert all(verified(one["secret"], headers, body, door.now_s) for one in (made, fresh))


def test_what_an_older_hub_left_in_the_plain_is_sealed_at_the_start(
    make_shop: Callable[..., Any],
) -> None:
    shop = make_shop("hub.db")
    door = Door(shop, staff_accounts=True)
    door.staff()
    subscribe(door)
    plain, old = new_secret(), new_secret()
    write(door, secret=plain, old_secret=old, old_until_us=10**18)
    assert hooks(door).all()[0].secrets_at(0) == [plain, old]
    door.accounts.store.close()
    again = Door(shop, staff_accounts=True)
    row = kept(again)
    assert not {plain, old} & {row["secret"], row["old_secret"]}
    assert hooks(again).all()[0].secrets_at(0) == [plain, old]
    assert hooks(again).seal_all() == 0, "what is sealed stays as it is"


def test_a_new_key_seals_what_the_old_one_sealed(door: Door) -> None:
    one, two = b"1" * 32, b"2" * 32
    door.accounts.seals = Seals([one])
    made = subscribe(door)
    door.accounts.seals = Seals([two, one])
    assert hooks(door).seal_all() == 1
    only = WebhookStore(door.accounts.store, lambda: Seals([two]))
    assert only.all()[0].secret == made["secret"]


def test_a_lost_key_sends_nothing_unsigned_and_loses_nothing(door: Door) -> None:
    made, receiver = subscribe(door), Receiver()
    seals, before = door.accounts.seals, kept(door)["secret"]
    door.accounts.seals = Seals.fresh()
    assert hooks(door).seal_all() == 0
    assert kept(door)["secret"] == before
    prices(door, 1)
    drain(sender_of(door, receiver))
    assert receiver.got == []
    url = f"/api/v1/webhooks/{made['webhook_id']}"
    tested = door.known("admin").post(f"{url}/test").json()
    assert (tested["delivered"], tested["fault"]) == (False, NO_KEY)
    door.accounts.seals = seals
    door.now_s += 6.0
    drain(sender_of(door, receiver))
    headers, body = receiver.got[-1]
    assert verified(made["secret"], headers, body, door.now_s)


def test_a_row_moved_to_another_webhook_signs_nothing(door: Door) -> None:
    subscribe(door)
    write(door, subscription_id="wh_0000000000000000")
    assert hooks(door).all()[0].secrets_at(0) == []
