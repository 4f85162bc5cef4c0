"""Nothing lost, nothing twice: duplicates, reorder, loss, crashes, restarts, edited rows."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from contracts import messages as m
from contracts.codec import encode, envelope
from contracts.topics import device_of
from hub import commands as c
from hub.errors import (
    ChainBrokenError,
    HubHaltedError,
    ReplayDivergedError,
    StoreError,
    StoreWriteError,
)
from hub.rules import Rules
from hub.service import Hub
from hub.store.rows import Rows
from hub.store.service import Store
from hub.wallet.fake import FakeGateway
from tests.hub.conftest import locked

COLA, BREAD = "4006381333931", "5901234123457"
ITEMS = [(COLA, True), (BREAD, True), (COLA, True), (COLA, False)]
END_S = 22.0


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _outcome(shop: Any) -> dict[str, Any]:
    """What must be the same whatever went wrong on the way."""
    document = shop.hub.export_json()
    return {
        "receipts": [
            (r["visit_id"], [(x["gtin"], x["quantity"], x["unit_price_minor"]) for x in r["lines"]])
            for r in document["receipts"]
        ],
        "balances": shop.hub.core.state.wallets.ledger.balances(),
        "holds": [(h["visit_id"], h["state"]) for h in document["holds"]],
        "stock": document["stock"],
        "gateway": document["gateway"],
        "review": [v["needs_review"] for v in document["visits"]],
    }


def _script(day: Any) -> list[tuple[float, str, bytes]]:
    day.shop(1.0, "t1", "code-one", ITEMS)
    day.shop(4.0, "t2", "code-two", [(BREAD, True)])
    day.watermark(14.0)
    day.step(14.0, "other", 3.0, 2.0)
    return list(day.script)


def _visits(shop: Any) -> None:
    for code in ("code-one", "code-two"):
        shop.open_visit(code)


class Network:
    """Delivers like nodes with outboxes: what is not acknowledged is sent again and again."""

    def __init__(self, script: list[tuple[float, str, bytes]], seed: int = 0) -> None:
        self.script = sorted(script, key=lambda row: row[0])
        self.acked: dict[tuple[str, str], int] = {}
        self.random = random.Random(seed)

    def due(self, now_s: float) -> list[tuple[str, bytes]]:
        return [(n, p) for t, n, p in self.script if t <= now_s and not self._done(p)]

    def _done(self, payload: bytes) -> bool:
        head = json.loads(payload)
        upto = self.acked.get((head["deviceid"], head["bootid"]), -1)
        return bool(head["sequence"] <= upto)

    def hear(self, outgoing: list[Any]) -> None:
        for item in outgoing:
            if item.topic.endswith("/ack"):
                ack = m.HubAck.model_validate_json(item.payload)
                self.acked[device_of(item.topic), ack.boot_id] = ack.upto_seq

    def run(self, shop: Any, until_s: float, *, bad: float = 0.0) -> None:
        """`bad`: how likely a message or an ack is lost, doubled or late at each try."""
        while shop.now_s < until_s:
            shop.now_s = round(shop.now_s + 0.2, 6)
            due = [row for row in self.due(shop.now_s) if self.random.random() >= bad]
            if bad:
                due += [row for row in due if self.random.random() < bad]
                self.random.shuffle(due)
            try:
                out = shop.hub.ingest(due, shop.now_s)
                if self.random.random() >= bad:
                    self.hear(out)
                shop.hub.tick(shop.now_s)
            except (HubHaltedError, StoreWriteError):
                shop.hub.recover()


@pytest.fixture
def calm(make_shop: Callable[..., Any], day: Any) -> tuple[Any, list[tuple[float, str, bytes]]]:
    """The undisturbed run and its script."""
    script = _script(day)
    shop = make_shop()
    _visits(shop)
    Network(script).run(shop, END_S)
    outcome = _outcome(shop)
    assert len(outcome["receipts"]) == 2
    return outcome, script


@pytest.mark.parametrize("seed", range(4))
def test_a_bad_network_changes_no_receipt(
    make_shop: Callable[..., Any], calm: Any, seed: int
) -> None:
    outcome, script = calm
    shop = make_shop()
    _visits(shop)
    Network(script, seed).run(shop, END_S + 10.0, bad=0.5)
    assert _outcome(shop) == outcome


class Flaky(Store):
    """A database that dies at one commit: before it is durable, or just after."""

    commits = 0
    dies_at = -1
    after = False

    def write(self, rows: Rows) -> None:
        self.commits += 1
        dies = self.commits == self.dies_at
        if dies and not self.after:
            raise StoreWriteError("killed before the commit")
        super().write(rows)
        if dies:
            raise StoreWriteError("killed after the commit, before the ack")


@pytest.mark.parametrize("after", [False, True])
def test_a_kill_at_a_commit_changes_no_receipt(
    make_shop: Callable[..., Any], calm: Any, monkeypatch: Any, after: bool
) -> None:
    outcome, script = calm
    monkeypatch.setattr("hub.service.Store", Flaky)
    counted = make_shop()
    _visits(counted)
    begun = counted.hub.store.commits
    Network(script).run(counted, END_S)
    commits = counted.hub.store.commits
    assert commits - begun > 30
    # Every fifth commit, to stay short; the two kinds of death begin at different ones.
    for dies_at in range(begun + 1 + 2 * after, commits + 1, 5):
        gateway = FakeGateway()
        shop = make_shop(gateway=gateway)
        _visits(shop)
        shop.hub.store.dies_at, shop.hub.store.after = dies_at, after
        Network(script).run(shop, END_S)
        assert _outcome(shop) == outcome, f"killed at commit {dies_at}"
        shop.hub.store.verify()
        gateway.close()


def test_a_restart_replays_to_the_same_state(make_shop: Callable[..., Any], day: Any) -> None:
    script = _script(day)
    first = make_shop("hub.sqlite")
    _visits(first)
    network = Network(script)
    network.run(first, 6.0)
    digest = first.hub.digest()
    first.hub.close()
    again = make_shop("hub.sqlite")
    assert again.hub.core.state.now_s == pytest.approx(6.0, abs=0.3)
    again.now_s = 6.0
    rebuilt = again.hub.digest()
    again.hub.recover()
    assert again.hub.digest() == rebuilt
    # Between the two lies only that the hub was away.
    assert digest != rebuilt
    network.run(again, END_S)
    assert len(_outcome(again)["receipts"]) == 2


def test_replay_gives_the_same_digest(make_shop: Callable[..., Any], day: Any) -> None:
    shop = make_shop()
    _visits(shop)
    Network(_script(day)).run(shop, END_S)
    shop.hub.command(c.Restock(slot_id="s1", gtin=COLA, quantity=3), END_S)
    digest = shop.hub.digest()
    for _ in range(2):
        shop.hub.recover()
        assert shop.hub.digest() == digest


def test_a_snapshot_bounds_the_replay_and_changes_nothing(
    make_shop: Callable[..., Any], day: Any, calm: Any
) -> None:
    outcome, script = calm
    shop = make_shop("hub.sqlite", snapshot_every=1)
    _visits(shop)
    Network(script).run(shop, END_S)
    snapshot = shop.hub.store.snapshot()
    assert snapshot is not None
    assert snapshot.position > 40
    assert list(shop.hub.store.journal(snapshot.position)) == []
    assert _outcome(shop) == outcome
    digest = shop.hub.digest()
    shop.hub.recover()
    assert shop.hub.digest() == digest
    shop.hub.close()
    again = make_shop("hub.sqlite")
    assert _outcome(again) == outcome


def test_a_hub_that_was_away_waits_its_grace_anew(make_shop: Callable[..., Any], day: Any) -> None:
    script = _script(day)
    first = make_shop("hub.sqlite")
    _visits(first)
    network = Network([row for row in script if "node-floor" in row[1] or row[0] < 0.5])
    network.run(first, 13.0)
    first.hub.close()
    again = make_shop("hub.sqlite")
    again.now_s = 613.0
    again.hub.start(613.0)
    network.script = script
    again.hub.tick(613.2)
    assert not again.hub.export_json()["receipts"]
    network.run(again, 620.0)
    assert sorted(len(lines) for _, lines in _outcome(again)["receipts"]) == [1, 2]


def test_a_hub_that_could_not_write_for_long_waits_its_grace_anew(
    make_shop: Callable[..., Any], day: Any, backend: str
) -> None:
    script = _script(day)
    shop = make_shop("hub.sqlite")
    _visits(shop)
    network = Network([row for row in script if "node-floor" in row[1] or row[0] < 0.5])
    network.run(shop, 13.0)
    lost = next(row for row in script if "node-shelf" in row[1] and row[0] >= 0.5)
    with locked(shop, backend), pytest.raises(StoreWriteError):
        shop.hub.ingest([lost[1:]], 13.2)
    shop.hub.recover(613.0)
    shop.now_s = 613.0
    network.script = script
    shop.hub.tick(613.2)
    assert not shop.hub.export_json()["receipts"]
    network.run(shop, 620.0)
    assert sorted(len(lines) for _, lines in _outcome(shop)["receipts"]) == [1, 2]


def test_the_hub_halts_when_it_cannot_write_and_goes_on_when_it_can(
    make_shop: Callable[..., Any], day: Any, backend: str
) -> None:
    shop = make_shop("hub.sqlite")
    name, payload = day.script[0][1:]
    with locked(shop, backend):
        with pytest.raises(StoreWriteError, match=r"locked|lock timeout"):
            shop.hub.ingest([(name, payload)], 1.0)
        with pytest.raises(HubHaltedError, match="recover"):
            shop.hub.tick(1.0)
    shop.hub.recover()
    acks = shop.hub.ingest([(name, payload)], 2.0)
    assert [m.HubAck.model_validate_json(a.payload).upto_seq for a in acks] == [0]


@pytest.mark.parametrize(
    ("table", "change", "named"),
    [
        ("events", "UPDATE events SET data = '{}' WHERE number = 3", "events row 3"),
        ("events", "UPDATE events SET at_us = at_us + 1 WHERE number = 2", "events row 2"),
        ("events", "DELETE FROM events WHERE number = 2", "events row 2"),
        (
            "ledger",
            "UPDATE ledger_entries SET amount_minor = amount_minor * 2 WHERE number = 2",
            "ledger_transactions row 2",
        ),
    ],
)
def test_a_row_edited_by_hand_is_named(
    make_shop: Callable[..., Any], day: Any, table: str, change: str, named: str
) -> None:
    shop = make_shop()
    _visits(shop)
    Network(_script(day)).run(shop, END_S)
    shop.hub.store.verify()
    with shop.hub.store._writer.begin():
        shop.hub.store._writer.execute(text(change))
    with pytest.raises(ChainBrokenError, match=named):
        shop.hub.store.verify()


def test_a_lost_input_is_noticed_at_start(make_shop: Callable[..., Any], day: Any) -> None:
    shop = make_shop("hub.sqlite")
    _visits(shop)
    Network(_script(day)).run(shop, END_S)
    with shop.hub.store._writer.begin():
        shop.hub.store._writer.execute(text("DELETE FROM commands WHERE kind = 'open_visit'"))
    with pytest.raises(ReplayDivergedError, match="expected the journal"):
        make_shop("hub.sqlite")


def test_one_message_that_breaks_the_rules_is_set_aside(
    make_shop: Callable[..., Any], calm: Any, broken_outages: None
) -> None:
    outcome, script = calm
    shop = make_shop()
    _visits(shop)
    network = Network(script)
    network.run(shop, END_S)
    outage = m.SensorOutage(sensor_id="cam", kind="camera", bay_id="bay-a", blind=True, t_s=1.0)
    item = envelope(
        outage,
        store_id="tiny",
        device_id="node-shelf",
        boot_id="boot-1",
        sequence=network.acked["node-shelf", "boot-1"] + 1,
        monotonic_us=1,
        config_revision=1,
        time=datetime(2026, 1, 1, tzinfo=UTC),
    )
    acks = shop.hub.ingest([encode(item)], END_S)
    assert m.HubAck.model_validate_json(acks[0].payload).upto_seq == item.sequence
    assert shop.hub.export_json()["dead_letters"]["count"] == 1
    assert _outcome(shop) == outcome
    shop.hub.recover()
    assert _outcome(shop) == outcome


GOOD = (
    b'{"specversion":"1.0","id":"x","source":"s","type":"%s","time":"2026-01-01T00:00:00Z",'
    b'"storeid":"tiny","deviceid":"%s","bootid":"b","sequence":%s,"monotonicus":1,'
    b'"configrevision":1,"data":%s}'
)


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("sortie/v1/tiny/node-shelf/events", b"not json"),
        ("sortie/v1/tiny/node-shelf/events", b"\xff\xfe"),
        ("sortie/v1/tiny/node-shelf/events", b"[" * 70_000),
        ("sortie/v1/tiny/node-shelf/events", b'{"specversion":"1.0"}'),
        ("", GOOD % (b"sortie.node.watermark.v1", b"node-shelf", b"-1", b"{}")),
        ("", GOOD % (b"sortie.node.watermark.v1", b"stranger", b"0", b"{}")),
        (
            "sortie/v1/tiny/node-floor/events",
            GOOD % (b"sortie.node.watermark.v1", b"node-shelf", b"0", b"{}"),
        ),
        ("sortie/v1/tiny/node-shelf/pong", b'{"hub_us": -1}'),
        ("sortie/v1/tiny/node-shelf/health", b"{}"),
        ("sortie/v1/tiny/node-shelf/died", b"null"),
        ("sortie/v1/tiny/stranger/died", b'{"boot_id":"b"}'),
        ("sortie/v1/tiny/node-shelf/ack", b"{}"),
        ("some/other/topic", b"{}"),
    ],
)
def test_what_cannot_be_understood_is_a_dead_letter(
    shop: Any, day: Any, name: str, payload: bytes
) -> None:
    assert shop.hub.ingest([(name, payload) if name else payload], 1.0) == []
    assert shop.hub.export_json()["dead_letters"]["count"] == 1
    assert shop.hub.live.counts["dead_letters"] == 1
    acks = shop.hub.ingest([row[1:] for row in day.script], 1.0)
    assert len(acks) == 2


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (b"sortie.node.watermark.v1", b'{"t_s": NaN}'),
        (b"sortie.node.watermark.v1", b'{"t_s": 1e999, "last_seq": 0}'),
        (b"sortie.node.watermark.v1", b'{"t_s": "soon"}'),
        (b"sortie.future.thing.v9", b"{}"),
        (b"sortie.hub.ack.v1", b'{"boot_id": "b", "upto_seq": 0}'),
    ],
)
def test_a_message_that_makes_no_sense_does_not_hold_up_its_followers(
    shop: Any, kind: bytes, data: bytes
) -> None:
    bad = GOOD % (kind, b"node-shelf", b"0", data)
    good = GOOD % (
        b"sortie.node.watermark.v1",
        b"node-shelf",
        b"1",
        b'{"t_s": 1.0, "last_seq": 0}',
    )
    acks = shop.hub.ingest([bad, good], 1.0)
    assert m.HubAck.model_validate_json(acks[0].payload).upto_seq == 1
    assert shop.hub.export_json()["dead_letters"]["count"] == 1
    digest = shop.hub.digest()
    shop.hub.recover()
    assert shop.hub.digest() == digest


def test_messages_behind_a_gap_wait_in_bounds(make_shop: Callable[..., Any], day: Any) -> None:
    shop = make_shop(rules=Rules(sequences_waiting_max=3))
    for index in range(6):
        day.watermark(1.0 + index)
    shelf = [row[1:] for row in day.script if "node-shelf" in row[1]]
    acks = shop.hub.ingest(shelf[1:], 9.0)
    assert m.HubAck.model_validate_json(acks[0].payload).upto_seq == -1
    assert shop.hub.live.counts["messages_full"] == 3
    acks = shop.hub.ingest(shelf[:1], 9.0)
    assert m.HubAck.model_validate_json(acks[0].payload).upto_seq == 3
    acks = shop.hub.ingest(shelf, 9.0)
    assert m.HubAck.model_validate_json(acks[0].payload).upto_seq == 6


def test_a_new_boot_takes_over_and_the_old_tail_still_counts(shop: Any, day: Any) -> None:
    visit_id = shop.open_visit("code-one")
    day.step(1.0, "t1", 1.0, 0.3, "born")
    day.scan(1.1, "code-one")
    day.step(2.0, "t1", 1.1, 3.4)
    day.reach(2.1, "t1", COLA)
    tail = [row for row in day.script if "node-shelf" in row[1] and row[0] > 2.0]
    script = [row for row in day.script if row not in tail]
    day.script.clear()
    day.shelf.boot_id, day.shelf.sequence = "boot-2", 0
    day.say(day.shelf, 4.0, m.NodeBorn(software="test", config_revision=1))
    day.step(5.0, "t1", 5.0, 1.0)
    day.step(5.5, "t1", 5.0, 0.1)
    day.watermark(7.0)
    script += day.script + [(6.5, name, payload) for _, name, payload in tail]
    shop.play(script, 12.0)
    receipt = next(r for r in shop.hub.export_json()["receipts"] if r["visit_id"] == visit_id)
    assert [x["gtin"] for x in receipt["lines"]] == [COLA]
    assert shop.hub.core.state.devices.all["node-shelf"].current == "boot-2"
    died = b'{"boot_id":"boot-1"}'
    shop.hub.ingest([("sortie/v1/tiny/node-shelf/died", died)], 12.0)
    assert shop.hub.live.nodes["node-shelf"].dead_boot == "boot-1"


def test_a_changed_store_file_is_taken_up_between_visits(
    make_shop: Callable[..., Any], layout: Any, day: Any
) -> None:
    shop = make_shop("hub.sqlite")
    url, factory = shop.hub.store.url, shop.hub.core.state.factory
    dearer = layout.model_copy(
        update={
            "products": (
                layout.products[0].model_copy(update={"price_minor": 150}),
                *layout.products[1:],
            )
        }
    )
    shop.open_visit("code-one")
    shop.hub.close()
    with pytest.raises(StoreError, match="open visit"):
        Hub.open(dearer, url=url, attributor=factory)
    old = make_shop("hub.sqlite")
    old.hub.tick(2_000.0)
    assert old.hub.export_json()["visits"][0]["stage"] == "expired"
    old.hub.close()
    new = Hub.open(dearer, url=url, attributor=factory)
    out = new.start(2_001.0)
    assert {item.topic.rsplit("/", 1)[1] for item in out} == {"config"}
    assert new.core.state.catalog.products[COLA].price_at(2_002.0) == 150
    prices = [row["price_minor"] for row in new.export_json()["prices"] if row["gtin"] == COLA]
    assert prices == [119, 150]
    digest = new.digest()
    new.recover()
    assert new.digest() == digest
    assert isinstance(new.gateway, FakeGateway)
    new.gateway.close()
    new.close()
