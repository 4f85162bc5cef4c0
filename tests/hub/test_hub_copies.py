"""Backups, putting them back, and a check that names what was changed by hand."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from hub.errors import StoreError
from hub.rules import Rules
from hub.store.copies import backup, restore
from hub.store.verify import verify

COLA, BREAD = "4006381333931", "5901234123457"
RULES = Rules(clock_wait_s=0.0)


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def busy(make_shop: Callable[..., Any], day: Any) -> Any:
    """A hub on a file after two visits, a third one under way."""
    shop = make_shop("hub.sqlite")
    for code in ("code-one", "code-two", "code-three"):
        shop.open_visit(code)
    day.shop(1.0, "t1", "code-one", [(COLA, True), (BREAD, True), (COLA, False)])
    day.shop(4.0, "t2", "code-two", [(BREAD, True)])
    day.watermark(14.0)
    day.step(14.0, "t3", 1.0, 0.3, "born")
    day.scan(14.1, "code-three")
    day.step(14.5, "t3", 1.0, 0.8)
    shop.play(day.script, 16.0)
    return shop


@pytest.fixture
def url(busy: Any) -> str:
    return str(busy.hub.store.url)


def _change(url: str, statement: str) -> int:
    """Edits a database behind the hub's back; how many rows that touched."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            return connection.exec_driver_sql(statement.replace("%", "%%")).rowcount
    finally:
        engine.dispose()


def test_a_backup_is_the_hub_as_it_was(
    busy: Any,
    url: str,
    tmp_path: Path,
    make_shop: Callable[..., Any],
    attributor: Any,
    database: Callable[[str], str],
) -> None:
    saved = tmp_path / "monday.sqlite"
    copied = backup(url, saved)
    before = busy.hub.digest()
    assert copied.events == busy.hub.store.heads()[0]
    assert copied.rows["receipts"] == 2
    assert sorted(p.name for p in tmp_path.glob("*monday*")) == ["monday.sqlite"]
    busy.open_visit("code-after")
    assert restore(saved, database("again.sqlite")) == copied
    again = make_shop("again.sqlite", gateway=busy.hub.gateway)
    report = verify(database("again.sqlite"), attributor, RULES)
    assert report.findings == ()
    kinds = [row["kind"] for row in again.hub.export_json()["events"]]
    assert kinds[-1] == "hub.resumed", "it went on from the moment of the backup"
    assert len(kinds) == copied.events[0] + 1
    assert before != again.hub.digest()
    assert again.hub.export_json()["receipts"] == busy.hub.export_json()["receipts"]


def test_what_is_true_is_found_true_while_the_hub_runs(
    busy: Any, url: str, attributor: Any
) -> None:
    said: list[str] = []
    report = verify(url, attributor, RULES, told=said.append)
    assert report.findings == ()
    assert report.counts["visits"] == 3
    assert report.counts["projections"] > 5
    assert "rebuilding the state from its inputs" in said
    busy.open_visit("code-four")


EDITS = {
    "an event": (
        "UPDATE events SET data = replace(data, '\"total_minor\":249', '\"total_minor\":1') "
        "WHERE kind = 'visit.settled' AND data LIKE '%\"total_minor\":249%'",
        "events row",
    ),
    "a transaction": ("UPDATE ledger_transactions SET kind = 'gift' WHERE number = 2",
                      "ledger_transactions row 2"),
    "an entry": ("UPDATE ledger_entries SET amount_minor = amount_minor + 1 "
                 "WHERE number = 3 AND line = 0", "ledger_transactions row 3"),
    "a lost event": ("DELETE FROM events WHERE number = 4", "events row 4"),
    "a stock count": ("UPDATE stock SET on_hand = on_hand + 1 WHERE slot_id = 's1'",
                      "stock row s1/4006381333931: expected on_hand"),
    "a hold": ("UPDATE holds SET captured_minor = 1 WHERE captured_minor > 1",
               "expected captured_minor"),
    "what a visit came to": ("UPDATE visits SET total_minor = 5 WHERE stage = 'final'",
                             "expected total_minor"),
    "a message": ("UPDATE inbox SET payload = replace(payload, '\"entry\"', '\"exit\"')",
                  "expected the journal to lead to event"),
    "a snapshot": ("UPDATE snapshots SET digest = 'f00'", "snapshots row 0: expected digest"),
}  # fmt: skip


@pytest.mark.parametrize("what", EDITS)
def test_a_row_edited_by_hand_is_named(busy: Any, url: str, attributor: Any, what: str) -> None:
    statement, words = EDITS[what]
    assert _change(url, statement) > 0
    report = verify(url, attributor, RULES)
    assert any(words in finding for finding in report.findings), report.findings


def test_what_cannot_be_copied_is_refused_and_nothing_is_left(
    busy: Any, url: str, tmp_path: Path
) -> None:
    saved = tmp_path / "saved.sqlite"
    with pytest.raises(StoreError, match="in memory"):
        backup("sqlite:///:memory:", saved)
    with pytest.raises(StoreError, match=r"nothing\.sqlite is not there"):
        backup(f"sqlite:///{tmp_path / 'nothing.sqlite'}", saved)
    with pytest.raises(StoreError, match="expected the folder"):
        backup(url, tmp_path / "no" / "saved.sqlite")
    other = tmp_path / "other.sqlite"
    sqlite3.connect(other).execute("CREATE TABLE mine (a)").connection.close()
    with pytest.raises(StoreError, match="holds no hub's tables"):
        backup(f"sqlite:///{other}", saved)
    noise = tmp_path / "noise.sqlite"
    noise.write_bytes(b"no database at all, but long enough to look at" * 100)
    with pytest.raises(StoreError, match="can be read"):
        restore(noise, f"sqlite:///{tmp_path / 'new.sqlite'}")
    backup(url, saved)
    with pytest.raises(StoreError, match="expected a new file"):
        backup(url, saved)
    with pytest.raises(StoreError, match="expected an empty database"):
        restore(saved, url)
    with pytest.raises(StoreError, match="is not there"):
        restore(tmp_path / "lost.sqlite", url)
    assert [p.name for p in tmp_path.glob(".*")] == []


def test_a_database_of_another_version_is_not_read_as_ours(
    busy: Any, url: str, tmp_path: Path
) -> None:
    _change(url, "UPDATE alembic_version SET version_num = '0000'")
    with pytest.raises(StoreError, match=r"expected schema .* has 0000"):
        backup(url, tmp_path / "saved.sqlite")
