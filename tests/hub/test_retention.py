"""What is personal is forgotten on schedule, and the books still hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from auditor.ledger import audit
from hub.driver import Driver
from hub.errors import StoreTakenError, StoreWriteError
from hub.retention.job import cutoffs, look
from hub.retention.offline import retain_offline
from hub.retention.run import retain
from hub.retention.settings import Retention
from hub.rules import Rules
from hub.store import tables as t
from hub.store.lease import open_lease
from hub.store.verify import verify

COLA, BREAD = "4006381333931", "5901234123457"
DAY_S = 86_400.0
RULES = Rules(clock_wait_s=0.0)
KEEP = Retention(visits_days=90, payers_days=400, inputs_days=7, dead_letters_days=30)
END_S = 20.0


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def shop(make_shop: Callable[..., Any], day: Any) -> Any:
    """A hub that knows payers by numbers, after one visit, with another one about to begin."""
    made = make_shop("hub.sqlite", pseudonyms=True)
    made.open_visit("code-of-ada", payer="ada.lovelace")
    day.shop(1.0, "t1", "code-of-ada", [(COLA, True), (BREAD, True)])
    made.play(day.script, END_S)
    made.hub.ingest([("sortie/v1/tiny/node-shelf/events", b"no message at all")], END_S)
    return made


def test_payers_are_numbers_everywhere_but_in_one_table(shop: Any) -> None:
    document = json.dumps(shop.hub.export_json())
    assert "ada.lovelace" not in document
    (payer,) = shop.hub.store.rows(t.payers)
    assert payer["name"] == "ada.lovelace"
    assert f"wallet:{payer['payer_id']}" in document
    journal = [entry.payload for entry in shop.hub.store.journal(0)]
    assert not any("ada.lovelace" in payload for payload in journal)


def test_the_gateway_is_asked_for_the_payer_by_name(make_shop: Callable[..., Any]) -> None:
    asked: list[str] = []

    class Gateway:
        def ask(self, request: Any) -> Any:
            asked.append(request.payer)
            raise AssertionError

    shop = make_shop(pseudonyms=True)
    request = shop.hub.core.state
    number = shop.hub.payers.number("ada", shop.hub._rows, 1)
    shop.hub._commit()
    shop.hub.gateway, kept = Gateway(), shop.hub.gateway
    from hub.wallet.gateway import GatewayRequest

    question = GatewayRequest(
        key="k", kind="hold", hold_key="k", payer=number, amount_minor=1, currency="EUR"
    )
    with pytest.raises(AssertionError):
        shop.hub.ask_gateway(question)
    assert asked == ["ada"]
    shop.hub.gateway = kept
    assert request.visits == {}


def test_one_name_keeps_its_number_until_it_is_forgotten(shop: Any) -> None:
    shop.open_visit("code-of-ada-again", payer="ada.lovelace", now_s=END_S)
    shop.open_visit("code-of-charles", payer="charles", now_s=END_S)
    payers = {row["name"]: row["payer_id"] for row in shop.hub.store.rows(t.payers)}
    visits = {row["visit_id"]: row["payer"] for row in shop.hub.store.rows(t.visits)}
    assert sorted(visits.values()) == sorted([payers["ada.lovelace"]] * 2 + [payers["charles"]])
    shop.hub.recover()
    later_s = END_S + 401 * DAY_S
    retain(shop.hub, KEEP, later_s)
    assert shop.hub.store.rows(t.payers) == []
    shop.open_visit("code-much-later", payer="ada.lovelace", now_s=later_s)
    (again,) = shop.hub.store.rows(t.payers)
    assert again["payer_id"] != payers["ada.lovelace"]


def test_nothing_is_forgotten_before_its_time(shop: Any) -> None:
    due = look(shop.hub.store, cutoffs(KEEP, round((END_S + 6.9 * DAY_S) * 1e6)))
    assert due.total == 0
    before = shop.hub.digest()
    retain(shop.hub, KEEP, END_S + 6.9 * DAY_S)
    assert shop.hub.digest() == before


def test_each_kind_goes_at_its_own_time_and_the_run_is_an_event(shop: Any) -> None:
    def left() -> tuple[int, int, int]:
        store = shop.hub.store
        return store.count(t.inbox), store.count(t.dead_letters), store.count(t.payers)

    shop.hub.compact(END_S)
    retain(shop.hub, KEEP, END_S + 8 * DAY_S)
    assert left() == (0, 1, 1)
    retain(shop.hub, KEEP, END_S + 31 * DAY_S)
    assert left() == (0, 0, 1)
    retain(shop.hub, KEEP, END_S + 91 * DAY_S)
    events = [e for e in shop.hub.export_json()["events"] if e["kind"] == "retention.ran"]
    assert [event["data"]["visits"] for event in events] == [0, 0, 1]
    assert events[0]["data"]["messages"] > 10
    assert events[1]["data"]["dead_letters"] == 1


def test_a_forgotten_visit_keeps_its_books_and_loses_its_shopper(
    shop: Any, database: Callable[[str], str], attributor: Any, make_shop: Callable[..., Any]
) -> None:
    before = shop.hub.export_json()
    retain(shop.hub, KEEP, END_S + 91 * DAY_S)
    after = shop.hub.export_json()
    for part in ("transactions", "receipts", "holds", "prices"):
        assert after[part] == before[part]
    (visit,) = after["visits"]
    assert visit["tracks"] == []
    record = json.loads(shop.hub.store.rows(t.visits)[0]["record"])["visit"]
    assert (record["code"], record["tracks"], record["unclear"]) == ("", [], [])
    digest = shop.hub.digest()
    shop.hub.recover()
    assert shop.hub.digest() == digest
    again = make_shop("hub.sqlite", gateway=shop.hub.gateway, pseudonyms=True)
    assert verify(database("hub.sqlite"), attributor, RULES).findings == ()
    assert {name: rows for name, rows in audit(after).items() if rows} == {}
    assert len(again.hub.export_json()["receipts"]) == 1


def test_a_visit_that_left_memory_is_forgotten_too(
    make_shop: Callable[..., Any], day: Any, database: Callable[[str], str], attributor: Any
) -> None:
    rules = Rules(visits_final_kept=1)
    shop = make_shop("hub.sqlite", rules=rules)
    for index in range(3):
        shop.open_visit(f"code-number-{index}")
        day.shop(1.0 + 8 * index, f"t{index}", f"code-number-{index}", [(COLA, True)])
    day.watermark(40.0)
    shop.play(day.script, 45.0)
    assert len(shop.hub.core.state.visits) < 3
    retain(shop.hub, KEEP, 45.0 + 91 * DAY_S)
    assert {row["tracks"] for row in shop.hub.store.rows(t.visits)} == {"[]"}
    records = [json.loads(row["record"]) for row in shop.hub.store.rows(t.visits)]
    assert {record["visit"]["code"] for record in records} == {""}
    shop.hub.store.verify()
    again = retain(shop.hub, KEEP, 45.0 + 92 * DAY_S)
    assert again.visit_ids == ()
    assert verify(database("hub.sqlite"), attributor, rules).findings == ()


def test_somebody_in_the_store_is_not_forgotten(shop: Any, day: Any) -> None:
    late_s = END_S + 100 * DAY_S
    visit_id = shop.open_visit("code-of-charles", payer="charles", now_s=late_s)
    due = retain(shop.hub, KEEP, late_s + 1.0)
    assert visit_id not in due.visit_ids
    assert len(due.visit_ids) == 1
    digest = shop.hub.digest()
    shop.hub.recover()
    assert shop.hub.digest() == digest
    assert visit_id in shop.hub.core.state.by_code.values()


def test_a_run_that_cannot_write_halts_the_hub_and_is_done_again(
    shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_statements: Any) -> None:
        raise StoreWriteError("nothing was changed: disk full")

    monkeypatch.setattr(shop.hub.store, "run_all", full)
    with pytest.raises(StoreWriteError):
        retain(shop.hub, KEEP, END_S + 40 * DAY_S)
    assert "disk full" in shop.hub.halted
    monkeypatch.undo()
    shop.hub.recover()
    retain(shop.hub, KEEP, END_S + 40 * DAY_S)
    assert shop.hub.store.count(t.dead_letters) == 0


def test_a_closed_hubs_database_forgets_by_command(
    shop: Any, database: Callable[[str], str], attributor: Any, backend: str
) -> None:
    url = database("hub.sqlite")
    later_s = END_S + 91 * DAY_S
    dry = retain_offline(url, attributor, now_s=later_s, rules=RULES, dry_run=True)
    assert len(dry.visit_ids) == 1
    assert shop.hub.store.count(t.inbox) > 0
    if backend == "postgresql":
        owner = open_lease(url, "tiny", owner="a hub")
        assert owner.take()
        with pytest.raises(StoreTakenError, match="stop it first"):
            retain_offline(url, attributor, now_s=later_s, rules=RULES)
        owner.release()
    shop.hub.close()
    done = retain_offline(url, attributor, now_s=later_s, rules=RULES)
    assert done.visit_ids == dry.visit_ids
    assert retain_offline(url, attributor, now_s=later_s, rules=RULES).visit_ids == ()
    assert verify(url, attributor, RULES).findings == ()


@pytest.mark.parametrize("days", [3, 7, 30])
def test_snapshots_let_inputs_lie_for_as_long_as_the_settings_say(shop: Any, days: int) -> None:
    settings = KEEP.model_copy(update={"inputs_days": days})
    Driver(shop.hub, lambda: END_S, retention=settings).begin()

    def kept() -> int:
        return len([row for row in shop.hub.store.rows(t.inbox) if row["device_id"]])

    before = kept()
    assert before > 0
    shop.hub.compact(END_S + (days - 0.5) * DAY_S)
    assert kept() == before
    shop.hub.compact(END_S + (days + 0.5) * DAY_S)
    assert kept() == 0


def test_settings_have_their_bounds() -> None:
    with pytest.raises(ValueError, match="visits_days"):
        Retention(visits_days=-1)
    assert cutoffs(Retention(visits_days=1), 0).visits_us == -round(DAY_S * 1e6)
    assert all(field.description for field in Retention.model_fields.values())
