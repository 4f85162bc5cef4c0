"""Idempotency keys: what moves money or stock happens once, however often it is asked."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from hub.accounts.idempotency import (
    CLAIM_S,
    KEPT_S,
    Claim,
    InProgressError,
    Kept,
    KeyReusedError,
    claim,
    finish,
    release,
)
from hub.accounts.tables import idempotency_keys
from hub.commands import ChangePrice, RefundLine, RefundVisit, Restock
from hub.driver import Driver
from hub.errors import ConflictError
from hub.store import tables as t
from tests.hub.doors import COLA, Door

STOCK = {"slot_id": "s1", "gtin": COLA, "quantity": 4}
URL = "/api/v1/staff/stock"


@pytest.fixture
def door(make_shop: Callable[..., Any]) -> Door:
    made = Door(make_shop(), staff_accounts=True)
    made.staff()
    return made


def on_shelves(door: Door) -> int:
    return int(door.hub.core.state.stock.on_shelves(COLA))


def test_the_same_key_does_it_once_and_answers_the_same(door: Door) -> None:
    system = door.key("write:stock")
    before = on_shelves(door)
    key = {"Idempotency-Key": "delivery-77"}
    first = system.post(URL, json=STOCK, headers=key)
    again = system.post(URL, json=STOCK, headers={"Idempotency-Key": '"delivery-77"'})
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.content == first.content
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["idempotency-replayed"] == "true"
    assert on_shelves(door) == before + 4
    other = system.post(URL, json={**STOCK, "quantity": 5}, headers=key)
    assert (other.status_code, other.json()["type"]) == (422, "urn:sortie:problem:key-reused")
    assert on_shelves(door) == before + 4


def test_a_rate_of_vat_is_changed_once_after_the_answer_was_lost(door: Door) -> None:
    """The command itself remembers the key, as it does for prices and stock."""
    system, key = door.key("write:prices"), {"Idempotency-Key": "vat-2027"}
    body = {"gtin": COLA, "vat_rate": "0.0700"}
    assert system.post("/api/v1/staff/vat", json=body, headers=key).status_code == 200
    with door.accounts.store.write() as connection:
        connection.execute(idempotency_keys.delete())
    again = system.post("/api/v1/staff/vat", json=body, headers=key)
    assert (again.status_code, again.json()["repeated"]) == (200, True)


def test_a_key_needs_one_and_a_person_may(door: Door) -> None:
    missing = door.key("write:stock").post(URL, json=STOCK)
    assert missing.status_code == 400
    assert missing.json()["type"] == "urn:sortie:problem:idempotency-key-needed"
    clerk = door.browser("clerk")
    before = on_shelves(door)
    assert [clerk.post(URL, json=STOCK).status_code for _ in range(2)] == [200, 200]
    assert on_shelves(door) == before + 8


def test_keys_are_the_askers_own(door: Door) -> None:
    before = on_shelves(door)
    key = {"Idempotency-Key": "same"}
    for system in (door.key("write:stock"), door.key("write:stock")):
        assert system.post(URL, json=STOCK, headers=key).status_code == 200
    assert on_shelves(door) == before + 8


def test_what_was_refused_is_refused_again(door: Door) -> None:
    system, key = door.key("write:stock"), {"Idempotency-Key": "k"}
    wrong = {**STOCK, "slot_id": "s9"}
    first = system.post(URL, json=wrong, headers=key)
    again = system.post(URL, json=wrong, headers=key)
    assert (first.status_code, again.status_code) == (422, 422)
    assert again.content == first.content
    assert again.headers["content-type"] == "application/problem+json"


def test_what_was_in_conflict_may_be_asked_again_under_its_key(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refund is on its way, try again: who does so must not hear the same for three days."""
    system, key = door.key("write:stock"), {"Idempotency-Key": "k"}
    before, command = on_shelves(door), Driver.command

    def busy(_driver: Driver, _asked: Any) -> Any:
        raise ConflictError("something is on its way; try again later")

    monkeypatch.setattr(Driver, "command", busy)
    first = system.post(URL, json=STOCK, headers=key)
    assert (first.status_code, first.headers["retry-after"]) == (409, "1")
    monkeypatch.setattr(Driver, "command", command)
    assert system.post(URL, json=STOCK, headers=key).status_code == 200
    assert system.post(URL, json=STOCK, headers=key).headers["idempotency-replayed"] == "true"
    assert on_shelves(door) == before + 4


def test_twenty_at_once_move_stock_once(make_shop: Callable[..., Any]) -> None:
    door = Door(make_shop("hub.sqlite"), staff_accounts=True)
    door.staff()
    before, system = on_shelves(door), door.key("write:stock")
    bearer = dict(system.headers)

    def ask(_n: int) -> tuple[int, str]:
        mine = door.browser(own=False)
        headers = {**bearer, "Idempotency-Key": "once"}
        answer = mine.post(URL, json=STOCK, headers=headers)
        return answer.status_code, answer.text

    with ThreadPoolExecutor(20) as pool:
        said = list(pool.map(ask, range(20)))
    done = {text for status, text in said if status == 200}
    assert len(done) == 1
    assert {status for status, _ in said} <= {200, 409}
    assert on_shelves(door) == before + 4
    assert ask(0) == (200, done.pop())
    door.accounts.store.close()


def test_a_process_that_died_in_between_does_it_once(make_shop: Callable[..., Any]) -> None:
    """The command was committed, its answer was not kept: the next try finds it done."""
    shop = make_shop("hub.sqlite")
    door = Door(shop, staff_accounts=True)
    system = door.key("write:stock", "write:prices")
    who = f"key:{system.headers['Authorization'].split('_')[1]}"
    before, key = on_shelves(door), {"Idempotency-Key": "k"}
    assert system.post(URL, json=STOCK, headers=key).status_code == 200
    with door.accounts.store.write() as connection:
        connection.exec_driver_sql("UPDATE idempotency_keys SET status = NULL, answer = NULL")
    door.accounts.store.close()
    shop.hub.close()
    again = Door(make_shop("hub.sqlite"), staff_accounts=True)
    again.now_s = door.now_s
    late = again.browser(own=False)
    late.headers = system.headers
    waiting = late.post(URL, json=STOCK, headers=key)
    assert (waiting.status_code, waiting.headers["retry-after"]) == (409, "1")
    again.now_s += CLAIM_S + 1.0
    answer = late.post(URL, json=STOCK, headers=key)
    assert (answer.status_code, answer.json()["repeated"]) == (200, True)
    assert on_shelves(again) == before + 4
    assert who in [row[0] for row in again.audit()]
    again.accounts.store.close()


def test_claims_are_kept_for_days_and_then_forgotten(door: Door) -> None:
    store = door.accounts.store
    mine = Claim("anna", "k", "f" * 64)
    assert claim(store, mine, 0) is None
    with pytest.raises(InProgressError):
        claim(store, mine, 1)
    with pytest.raises(KeyReusedError):
        claim(store, Claim("anna", "k", "e" * 64), 1)
    release(store, mine)
    assert claim(store, mine, 1) is None
    finish(store, mine, Kept(200, "application/json", "{}"))
    release(store, mine)
    day_us = 86_400_000_000
    assert claim(store, mine, day_us + 1) == Kept(200, "application/json", "{}")
    assert claim(store, mine, round(KEPT_S * 1e6) + 2) is None


# ---------------------------------------------------------------------------- in the core


def test_commands_under_a_key_are_done_once_and_replay_so(make_shop: Callable[..., Any]) -> None:
    shop = make_shop("hub.sqlite")
    key = "a" * 64
    stock = Restock(slot_id="s1", gtin=COLA, quantity=4, once_key=key)
    price = ChangePrice(gtin=COLA, price_minor=99, once_key="b" * 64)
    replies = [
        shop.hub.command(command, 1.0 + n) for n, command in enumerate([stock, stock, price, price])
    ]
    assert [reply.repeated for reply in replies] == [False, True, False, True]
    events = [row["kind"] for row in shop.hub.export_json()["events"]]
    assert events.count("stock.restocked") == events.count("price.changed") == 1
    digest = shop.hub.digest()
    shop.hub.close()
    again = make_shop("hub.sqlite")
    assert again.hub.command(stock, 9.0).repeated
    assert again.hub.core.state.once == {key: None, "b" * 64: None}
    dumped = again.hub.core.dump()
    assert dumped["once"] == [key, "b" * 64]
    assert len(digest) == 64


def test_keys_survive_a_snapshot_and_old_ones_have_none(make_shop: Callable[..., Any]) -> None:
    shop = make_shop("hub.sqlite", snapshot_every=1)
    assert "once" not in shop.hub.core.dump()
    stock = Restock(slot_id="s1", gtin=COLA, quantity=4, once_key="a" * 64)
    shop.hub.command(stock, 1.0)
    for n in range(8):
        shop.hub.tick(2.0 + n)
    before = shop.hub.digest()
    assert shop.hub.store.count(t.snapshots) >= 1
    shop.hub.close()
    again = make_shop("hub.sqlite", snapshot_every=1)
    assert again.hub.command(stock, 20.0).repeated
    assert len(before) == 64


def test_a_refund_is_known_by_its_own_id(make_shop: Callable[..., Any], day: Any) -> None:
    shop = make_shop()
    shop.open_visit("code-one-0001")
    end_s = day.shop(1.0, "t1", "code-one-0001", [(COLA, True)])
    shop.play(day.script, end_s + 6.0)
    visit_id = next(iter(shop.hub.core.state.visits))
    lines = (RefundLine(line=1, quantity=1),)
    command = RefundVisit(refund_id="r", visit_id=visit_id, lines=lines)
    assert shop.hub.command(command, shop.now_s).amount_minor == 119
    assert shop.hub.command(command, shop.now_s).repeated


def test_a_gift_card_is_issued_once_and_its_code_is_kept_nowhere(
    make_shop: Callable[..., Any], tmp_path: Path
) -> None:
    """Whoever lost the answer has the same code again, though only a digest of it is stored."""
    shop = make_shop("hub.sqlite")
    door = Door(shop, staff_accounts=True)
    door.staff()
    url, key = "/api/v1/staff/gift-cards", {"Idempotency-Key": "card-1"}
    manager = door.browser("manager")
    first = manager.post(url, json={"amount_minor": 5000}, headers=key)
    again = manager.post(url, json={"amount_minor": 5000}, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    other = manager.post(url, json={"amount_minor": 6000}, headers=key)
    assert (other.status_code, len(door.hub.core.state.wallets.purses.cards)) == (409, 1)
    ring = shop.hub.entry_keys
    shop.hub.entry_keys = ring.turned()
    assert manager.post(url, json={"amount_minor": 5000}, headers=key).json() == first.json()
    code = first.json()["code"]
    door.accounts.store.close()
    shop.hub.close()
    kept = b"".join(path.read_bytes() for path in sorted(tmp_path.glob("hub.sqlite*")))
    assert b"issue_gift_card" in kept
    assert code.encode() not in kept
    assert code.replace("-", "").encode() not in kept
