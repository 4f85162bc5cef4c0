"""The auditor's export over HTTP: as it was at one moment, from disk, whatever the hub writes
meanwhile."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.commands import ChangePrice
from hub.driver import Driver
from hub.errors import StoreError
from hub.store import export
from hub.store.moment import moment_of
from tests.hub.doors import COLA, Door

URL = "/api/v1/audit/export"


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def busy(make_shop: Callable[..., Any], day: Any) -> Any:
    """A hub on disk after a visit that was paid and one that is under way."""
    shop = make_shop("hub.sqlite")
    for code in ("code-one", "code-two"):
        shop.open_visit(code)
    end_s = day.shop(1.0, "t1", "code-one", [(COLA, True), (COLA, True)])
    day.scan(end_s, "code-two")
    shop.play(day.script, end_s + 6.0)
    return shop


@pytest.fixture
def door(busy: Any) -> Iterator[Door]:
    made = Door(busy, staff_accounts=True)
    made.staff()
    yield made
    made.accounts.store.close()


def price(door: Door, minor: int) -> None:
    door.now_s += 1.0
    door.driver.command(ChangePrice(gtin=COLA, price_minor=minor))


def test_it_is_the_whole_document(busy: Any, door: Door) -> None:
    answer = door.known("admin").get(URL)
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["content-length"]) == len(answer.content)
    told = answer.json()
    # The export itself is in the audit log since.
    expected = json.loads(json.dumps(busy.hub.export_json()))
    assert expected["audit_log"][: len(told["audit_log"])] == told["audit_log"]
    assert told == {**expected, "audit_log": told["audit_log"]}
    assert "final" in {row["stage"] for row in told["visits"]}


def test_what_is_written_meanwhile_is_not_in_it(busy: Any, door: Door, monkeypatch: Any) -> None:
    price(door, 101)
    before = json.loads(json.dumps(busy.hub.export_json()))
    whole, written = export._whole, threading.Event()

    def meanwhile(row: Any) -> Any:
        # At the first row of the first part: every part after it is read later.
        if not written.is_set():
            written.set()
            other = threading.Thread(target=price, args=(door, 102))
            other.start()
            other.join(60.0)
            assert not other.is_alive(), "the hub does not wait for an export"
        return whole(row)

    monkeypatch.setattr(export, "_whole", meanwhile)
    told = door.known("admin").get(URL).json()
    assert written.is_set()
    monkeypatch.undo()
    for part in ("events", "prices", "inbox", "visits", "transactions"):
        assert told[part] == before[part], part
    assert busy.hub.export_json()["events"][-1]["data"]["price_minor"] == 102


def test_a_moment_is_pinned_and_let_go(busy: Any) -> None:
    store = busy.hub.store
    with moment_of(store) as reading:
        before = reading.heads()
        busy.open_visit("code-three")
        assert reading.heads() == before
        assert store.heads() != before
    with moment_of(store) as reading:
        assert reading.heads() == store.heads()


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_no_more_than_a_part_is_in_memory(busy: Any, monkeypatch: Any) -> None:
    rows: list[int] = []
    whole = export._whole

    def counted(row: Any) -> Any:
        rows.append(1)
        return whole(row)

    def in_memory(*_: Any) -> Any:
        raise AssertionError("the document is not made in memory")

    monkeypatch.setattr(export, "_whole", counted)
    monkeypatch.setattr(export, "export_json", in_memory)
    file = Driver(busy.hub, lambda: 0.0).exported()
    with file:
        assert json.loads(file.read())["schema"] == 1
    assert len(rows) > 20


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_full_disk_is_told_before_an_answer_begins(
    door: Door, monkeypatch: Any, tmp_path: Path
) -> None:
    names = {file.name for file in tmp_path.iterdir()}

    def full(_row: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "_whole", full)
    answer = door.known("admin").get(URL)
    assert (answer.status_code, "No space left" in answer.json()["detail"]) == (503, True)
    assert "room on disk" in answer.json()["detail"]
    with pytest.raises(StoreError):
        door.driver.exported()
    assert {file.name for file in tmp_path.iterdir()} == names
