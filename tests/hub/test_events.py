"""Events by version: the table of kinds, upcasts, and a database of the first version."""

from __future__ import annotations

import ast
import gzip
import hashlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import hub
from auditor.ledger import audit
from hub import events
from hub.errors import StoreError
from hub.events import KINDS, Kind, Older, newest, written
from hub.levels import LEVEL
from hub.rules import Rules
from hub.store.verify import verify

COLA, BREAD = "4006381333931", "5901234123457"
FIRST = Path(__file__).parent / "data" / "hub-0001.sqlite.gz"
"""A database of the hub before signed codes: one visit final and corrected, one refused, one in the
store with a cola picked at 1.39, one phone with an unsigned code; after a snapshot."""


def said_in_source() -> list[tuple[str, set[str], bool]]:
    """(kind, fields, whether others may come) of every `.event(` call of the hub's source."""
    found = []
    for path in Path(hub.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "event"
                and node.args
            ):
                continue
            names = {keyword.arg for keyword in node.keywords if keyword.arg is not None}
            more = any(keyword.arg is None for keyword in node.keywords)
            for part in ast.walk(node.args[0]):
                if isinstance(part, ast.Constant) and "." in str(part.value):
                    found += [(kind, names, more) for kind in _kinds_of(str(part.value), names)]
    return found


def _kinds_of(said: str, names: set[str]) -> list[str]:
    """The kind itself; for the beginning of one, as in f"gateway.{fact}", all with these fields."""
    if not said.endswith("."):
        return [said]
    begun = [k for k, kind in KINDS.items() if k.startswith(said) and names == set(kind.fields)]
    return begun or [said]


def test_every_kind_that_is_said_is_listed_with_exactly_its_fields() -> None:
    said = said_in_source()
    assert len(said) > 30
    for kind, names, more in said:
        assert kind in KINDS, f"{kind} is not in hub.events.KINDS"
        if not more:
            assert names == set(KINDS[kind].fields), kind
    decisions = {"decision.made", "decision.revised", "decision.late"}
    assert set(KINDS) - {kind for kind, _names, _more in said} <= decisions


def test_every_kind_says_what_happened() -> None:
    for name, kind in KINDS.items():
        assert kind.says, name
        assert events.VERSION_FIELD not in kind.fields
        for older in kind.older:
            assert set(newest(name, dict.fromkeys(older.fields))) <= set(kind.fields)


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind of three versions: at first in whole euros, then in cents, then with its currency."""

    def cents(data: dict[str, Any]) -> dict[str, Any]:
        return {"amount_minor": 100 * data["amount"]}

    def currency(data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "currency": "EUR"}

    kind = Kind(
        "money moved",
        ("amount_minor", "currency"),
        (Older(("amount",), 1, cents), Older(("amount_minor",), 2, currency)),
    )
    monkeypatch.setattr(events, "KINDS", {"money.moved": kind})


@pytest.mark.usefixtures("three")
def test_every_version_reads_as_the_newest() -> None:
    now = {"amount_minor": 500, "currency": "EUR"}
    assert newest("money.moved", {"amount": 5}) == now
    assert newest("money.moved", {"amount_minor": 500, "v": 2}) == now
    assert newest("money.moved", {**now, "v": 3}) == now
    for version in (0, 4, "3", None):
        with pytest.raises(StoreError, match="version 1 to 3"):
            newest("money.moved", {"v": version})
    assert newest("somebody.elses", {"v": 9}) == {"v": 9}


@pytest.mark.usefixtures("three")
def test_a_journal_of_before_a_version_says_what_it_said() -> None:
    data = {"amount": 5, "amount_minor": 500, "currency": "EUR"}
    assert written("money.moved", data, 0) == {"amount": 5}
    assert written("money.moved", data, 1) == {"amount_minor": 500, "v": 2}
    assert written("money.moved", data, 2) == {**data, "v": 3}
    assert written("somebody.elses", data, 0) == data


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """The first version's database, as a file that may be written."""
    path = tmp_path / "first.sqlite"
    path.write_bytes(gzip.decompress(FIRST.read_bytes()))
    return path


def test_a_database_of_the_first_version_goes_on(
    first: Path, make_shop: Callable[..., Any], day: Any, attributor: Any
) -> None:
    before = sqlite3.connect(first)
    rows = before.execute("SELECT number, data, hash FROM events ORDER BY number").fetchall()
    before.close()
    assert any(json.loads(data).keys() == {"track_id", "t_us"} for _n, data, _h in rows)
    shop = make_shop("first.sqlite")
    hub = shop.hub
    assert hub.core.state.level == LEVEL
    assert verify(f"sqlite:///{first}", attributor, Rules(clock_wait_s=0.0)).findings == ()
    export = hub.export_json()
    assert {name: found for name, found in audit(export).items() if found} == {}
    # Old events are what they were, and read as the newest version.
    assert [event["hash"] for event in export["events"]][: len(rows)] == [row[2] for row in rows]
    bound = [event for event in export["events"] if event["kind"] == "visit.bound"]
    assert all(event["data"]["member"] == 1 for event in bound)
    assert all("member" not in event["written"] for event in bound)
    # The one in the store walks out, and the phone's unsigned code still opens the gate.
    (inside,) = [v for v in hub.core.state.visits.values() if v.stage == "shopping"]
    (phone,) = [v for v in hub.core.state.visits.values() if v.stage == "issued"]
    shop.now_s = 26.0
    day.script.clear()
    day.shelf.sequence, day.floor.sequence = 12, 21
    day.step(27.0, "t3", 5.0, 1.2)
    day.step(27.5, "t3", 5.0, 0.1)
    day.step(28.0, "t4", 1.0, 0.3, "born")
    day.scan(28.1, "code-of-cy")
    day.step(28.5, "t4", 1.0, 0.8)
    day.watermark(30.0)
    shop.play(day.script, 33.0)
    assert [(line.gtin, line.unit_price_minor) for line in inside.lines] == [(COLA, 139)]
    assert phone.stage == "shopping"
    late = [e for e in hub.export_json()["events"] if e["kind"] == "visit.bound"][-1]
    assert late["written"] == {**late["data"], "v": 2}
    assert {name: found for name, found in audit(hub.export_json()).items() if found} == {}
    stages = {visit.visit_id: visit.stage for visit in hub.core.state.visits.values()}
    hub.close()
    again = make_shop("first.sqlite").hub.core.state.visits.values()
    assert {visit.visit_id: visit.stage for visit in again} == stages


def test_an_event_of_the_first_version_that_was_edited_is_found(
    first: Path, attributor: Any
) -> None:
    connection = sqlite3.connect(first)
    connection.execute(
        "UPDATE events SET data = replace(data, 't1', 't7') WHERE kind = 'visit.bound'"
    )
    connection.commit()
    connection.close()
    findings = verify(f"sqlite:///{_migrated(first)}", attributor, Rules(clock_wait_s=0.0)).findings
    assert any("events row" in finding for finding in findings)


def _migrated(path: Path) -> Path:
    from hub.store.service import Store

    Store(f"sqlite:///{path}").close()
    return path


def test_the_fixture_is_the_one_that_was_pinned() -> None:
    digest = hashlib.sha256(gzip.decompress(FIRST.read_bytes())).hexdigest()
    assert digest == PINNED


PINNED = "e1a18e0d62901541ca350db1cdb885b10c9dc3d655de62ff49cc68d4624252e7"
