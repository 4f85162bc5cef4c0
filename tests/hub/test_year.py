"""A year in the database: the one that is built verifies, and nothing reads all of it at once."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

from benchmarks.year_rows import make_year
from contracts.store_file import StoreFile, load_store_file
from hub.attribution.engine import Engine
from hub.retention.job import cutoffs, look
from hub.retention.settings import Retention
from hub.service import Hub
from hub.store.export import Part, export_json, export_parts, write_export
from hub.store.service import Store
from hub.store.verify import verify
from sortie.auditing import auditing
from sortie.stores import store_path

DAYS, VISITS, BLOCK = 120, 4, 2
END_S = 1_780_000_000.0


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A little year: so many days that the first of them are forgotten."""
    path = tmp_path_factory.mktemp("year") / "year.sqlite"
    layout = load_store_file(store_path("demo"))
    made = make_year(path, layout, days=DAYS, visits=VISITS, block=BLOCK, end_s=END_S)
    assert made.visits == DAYS * VISITS
    return path


@pytest.fixture
def again(year: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    path = tmp_path / "again.sqlite"
    with closing(sqlite3.connect(year)) as source, closing(sqlite3.connect(path)) as target:
        source.backup(target)
    return path


@pytest.fixture
def store(year: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{year}")
    yield opened
    opened.close()


def findings(path: Path) -> list[str]:
    """What verifying says, the auditor's checks included."""
    books: dict[str, list[str]] = {}

    def beside(store: Store, layout: StoreFile) -> AbstractContextManager[None]:
        return auditing(store, layout, books)

    report = verify(f"sqlite:///{path}", Engine, beside=beside)
    return [*report.findings, *(row for rows in books.values() for row in rows)]


def test_a_year_is_as_it_should_be(year: Path) -> None:
    assert findings(year) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("UPDATE events SET at_us = at_us + 1 WHERE number = 900", "events row"),
        ("UPDATE ledger_entries SET amount_minor = 7 WHERE number = 500 AND line = 0", "500"),
        ("UPDATE receipts SET number = 9999 WHERE number = 300", "number 301, not 300"),
        ("UPDATE products SET sold = sold + 1", "products row"),
        ("UPDATE snapshots SET digest = 'f'", "snapshots row"),
    ],
)
def test_a_changed_row_of_it_is_named(again: Path, change: str, named: str) -> None:
    with closing(sqlite3.connect(again)) as database:
        assert database.execute(change).rowcount
        database.commit()
    assert any(named in finding for finding in findings(again))


def test_what_was_looked_at_and_from_where_is_said(year: Path) -> None:
    said: list[str] = []
    report = verify(f"sqlite:///{year}", Engine, told=said.append)
    chains, state, shown = report.scope
    assert "from the first one on" in chains
    assert "the 0 inputs after it" in state
    assert f"the {DAYS * VISITS:,} visits" in shown
    assert "following the hash chains" in said


def test_checks_in_other_processes_find_what_they_find_in_this_one(again: Path) -> None:
    with closing(sqlite3.connect(again)) as database:
        database.execute("UPDATE receipts SET total_minor = total_minor + 1 WHERE number = 7")
        database.commit()
    store = Store(f"sqlite:///{again}")
    try:
        layout = load_store_file(store_path("demo"))
        here: dict[str, list[str]] = {}
        there: dict[str, list[str]] = {}
        done: list[str] = []
        with auditing(store, layout, here):
            assert here
        with auditing(store, layout, there, done.append, alone_events=0):
            assert not there
    finally:
        store.close()
    assert here == there
    assert list(here) == list(there)
    assert here["receipts add up"]
    assert len(done) == len(here)


def test_events_are_found_by_their_kinds(store: Store) -> None:
    events = export_parts(store, load_store_file(store_path("demo")), None)["events"]
    every = list(events)
    for kinds in (("visit.settled",), ("decision.",), ("visit.", "hold.placed"), ("no.such",)):
        exact = {kind for kind in kinds if not kind.endswith(".")}
        prefixes = tuple(kind for kind in kinds if kind.endswith("."))
        wanted = [
            event for event in every if event["kind"] in exact or event["kind"].startswith(prefixes)
        ]
        assert [event["number"] for event in events.only(kinds)] == [e["number"] for e in wanted]
        assert len(events.only(kinds)) == len(wanted)


def test_the_hub_goes_on_from_it(again: Path) -> None:
    hub = Hub.open(load_store_file(store_path("demo")), url=f"sqlite:///{again}", attributor=Engine)
    try:
        hub.start(END_S)
        state = hub.core.state
        assert len(state.visits) == DAYS * VISITS
        # Nobody who paid and left is in it.
        assert not any("guest-" in name for name in state.wallets.ledger.balances())
    finally:
        hub.close()


def test_an_export_is_the_same_whole_in_parts_and_in_a_file(store: Store, tmp_path: Path) -> None:
    layout = load_store_file(store_path("demo"))
    whole, parts = export_json(store, layout, None), export_parts(store, layout, None)
    write_export(tmp_path / "export.json", store, layout, None)
    assert (tmp_path / "export.json").read_text(encoding="utf-8") == json.dumps(whole)
    assert list(parts) == list(whole)
    for name, part in parts.items():
        if isinstance(part, Part):
            # As often as one likes, and it has a length.
            assert [len(list(part)) for _ in range(2)] == [len(part)] * 2 == [len(whole[name])] * 2
    assert [event["data"] for event in parts["events"]] == [e["data"] for e in whole["events"]]
    assert all(receipt["lines"] for receipt in whole["receipts"])


def test_retention_finds_nothing_that_it_has_erased(store: Store) -> None:
    due = look(store, cutoffs(Retention(), round(END_S * 1e6)))
    assert due.total == 0
    later = look(store, cutoffs(Retention(), round((END_S + 2 * 86_400) * 1e6)))
    assert 0 < len(later.visit_ids) <= 3 * VISITS
    assert later.counts["messages"] > 0


@pytest.mark.parametrize(
    "question",
    [
        "SELECT * FROM events WHERE kind = 'x' AND number < 9 ORDER BY number DESC LIMIT 5",
        "SELECT * FROM visits WHERE stage = 'left' ORDER BY opened_us DESC, visit_id DESC LIMIT 5",
        "SELECT * FROM visits WHERE needs_review = 1 ORDER BY opened_us, visit_id LIMIT 5",
        "SELECT visit_id FROM visits WHERE forgotten = 0 AND opened_us < 9",
        "SELECT count(*) FROM payers WHERE used_us < 9",
        "SELECT max(number) FROM receipts",
        "SELECT max(position) FROM commands",
    ],
)
def test_what_is_asked_of_what_grows_goes_by_an_index(year: Path, question: str) -> None:
    with closing(sqlite3.connect(year)) as database:
        plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {question}")]
    assert plan
    assert all("SEARCH" in step or "USING" in step for step in plan), plan
    assert not any("TEMP B-TREE" in step for step in plan), plan
