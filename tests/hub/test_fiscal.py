"""The fiscal journal: made once, closed by day, signed, and every edit is named."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auditor.ledger import audit
from hub.chain import canonical
from hub.commands import RefundLine, RefundVisit
from hub.errors import ChainBrokenError, FiscalError
from hub.fiscal.archive import verify_archive, write_archive
from hub.fiscal.chain_of_keys import handover
from hub.fiscal.france import France
from hub.fiscal.journal import FiscalJournal, check_journal, entries_of
from hub.fiscal.keys import FiscalKey, load_key, make_key, valid_signature
from hub.fiscal.model import Draft, next_entry, resumed
from hub.fiscal.tables import fiscal_entries
from hub.reports.service import fiscal_status
from hub.store.rows import Rows

COLA, BREAD = "4006381333931", "5901234123457"
DAY_US = 86_400_000_000


@pytest.fixture
def key(tmp_path: Path) -> FiscalKey:
    return make_key(tmp_path / "fiscal.key")


@pytest.fixture
def sold(make_shop: Callable[..., Any], day: Any) -> Any:
    """A hub on a file after two sales and a refund."""
    shop = make_shop("hub.sqlite")
    visit_id = shop.open_visit("code-one")
    shop.open_visit("code-two")
    day.shop(1.0, "t1", "code-one", [(COLA, True), (COLA, True)])
    day.shop(8.0, "t2", "code-two", [(BREAD, True)])
    shop.play(day.script, 20.0)
    lines = (RefundLine(line=1, quantity=1),)
    shop.hub.command(RefundVisit(refund_id="r", visit_id=visit_id, lines=lines), 20.0)
    return shop


def _journal(shop: Any, key: FiscalKey) -> FiscalJournal:
    return FiscalJournal(shop.hub.store, shop.hub.core.state.store, key, France())


def _kinds(shop: Any) -> list[str]:
    return [entry.kind for entry in entries_of(shop.hub.store)]


def test_every_sale_and_correction_is_an_entry_once(sold: Any, key: FiscalKey) -> None:
    assert _journal(sold, key).catch_up(20_000_000) == 4
    assert _kinds(sold) == ["technical", "ticket", "ticket", "correction"]
    for _ in range(3):
        assert _journal(sold, key).catch_up(20_000_000) == 0
    assert list(check_journal(sold.hub.store)) == []
    entries = list(entries_of(sold.hub.store))
    ticket = entries[1].body
    assert ticket["gross_minor"] == 238
    assert ticket["rates"] == {"0.1900": [200, 38]}
    assert ticket["lines"] == [[COLA, "Cola", 2, 119, "0.1900", 238]]
    last = entries[-1].body
    assert last["rates"] == {"0.1900": [100, 19]}
    perpetual = last["totals"]["perpetual"]
    assert (perpetual["sales_minor"], perpetual["refunds_minor"]) == (238 + 249, 119)
    assert fiscal_status(sold.hub.store)["perpetual_sales_minor"] == 487


def test_days_months_and_years_are_closed(sold: Any, key: FiscalKey) -> None:
    journal = _journal(sold, key)
    journal.catch_up(20_000_000)
    assert journal.catch_up(DAY_US + 60_000_000) == 0, "not before the day is well over"
    assert journal.catch_up(DAY_US + 16 * 60_000_000) == 1
    assert journal.catch_up(366 * DAY_US) == 364 + 12 + 1
    assert journal.catch_up(366 * DAY_US) == 0
    closings = [e for e in entries_of(sold.hub.store) if e.kind == "closing"]
    first = closings[0].body
    assert (first["level"], first["period"]) == ("day", "1970-01-01")
    assert first["closed"]["sales_minor"] == 487
    assert first["closed"]["rates"] == {"0.0700": [233, 16], "0.1900": [100, 19]}
    year = next(e.body for e in closings if e.body["level"] == "year")
    months = [e.body for e in closings if e.body["level"] == "month"]
    assert year["period"] == "1970"
    assert len(months) == 12
    assert months[0]["closed"]["sales_minor"] == year["closed"]["sales_minor"] == 487
    assert months[1]["closed"]["sales_minor"] == 0
    assert closings[-1].body["totals"]["perpetual"]["sales_minor"] == 487
    assert list(check_journal(sold.hub.store)) == []


def test_it_goes_on_after_a_closing(sold: Any, key: FiscalKey, day: Any) -> None:
    journal = _journal(sold, key)
    journal.catch_up(2 * DAY_US)
    sold.now_s = 2 * 86_400.0
    sold.open_visit("code-three", now_s=sold.now_s)
    fresh = type(day)()
    fresh.shelf, fresh.floor, fresh.reaches = day.shelf, day.floor, day.reaches
    fresh.shop(sold.now_s + 1.0, "t3", "code-three", [(BREAD, True)])
    sold.play(fresh.script, sold.now_s + 20.0)
    assert journal.catch_up(round(sold.now_s * 1e6)) == 2, "the day before, and the sale"
    last = list(entries_of(sold.hub.store))[-1]
    assert last.day == "1970-01-03"
    assert last.body["totals"]["day"]["sales_minor"] == 249
    assert last.body["totals"]["year"]["sales_minor"] == 487 + 249
    assert list(check_journal(sold.hub.store)) == []


def test_two_at_once_make_each_entry_once(sold: Any, key: FiscalKey) -> None:
    first, second = _journal(sold, key), _journal(sold, key)
    assert first.catch_up(20_000_000) == 4
    assert second.catch_up(20_000_000) == 0
    assert len(_kinds(sold)) == 4


def test_small_batches_make_the_same_journal(
    sold: Any, key: FiscalKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.fiscal.journal.BATCH", 1)
    assert _journal(sold, key).catch_up(2 * DAY_US) == 5
    assert list(check_journal(sold.hub.store)) == []


def test_another_key_cannot_go_on(sold: Any, key: FiscalKey, tmp_path: Path) -> None:
    _journal(sold, key).catch_up(20_000_000)
    other = make_key(tmp_path / "other.key")
    with pytest.raises(FiscalError, match="that signs this journal"):
        _journal(sold, other)


def test_a_key_hands_over_to_another(sold: Any, key: FiscalKey, tmp_path: Path) -> None:
    store, layout = sold.hub.store, sold.hub.core.state.store
    journal = _journal(sold, key)
    second, third = make_key(tmp_path / "second.key"), make_key(tmp_path / "third.key")
    with pytest.raises(FiscalError, match="with entries"):
        journal.change_key(second, 20_000_000, reason="early")
    journal.catch_up(20_000_000)
    before = tmp_path / "before.zip"
    write_archive(store, layout, key, France(), before)
    assert journal.change_key(second, 21_000_000, reason="the safe was opened")
    assert not journal.change_key(second, 21_000_000, reason="again")
    assert journal.catch_up(2 * DAY_US) == 1, "the same journal goes on"
    with pytest.raises(FiscalError, match="that signs this journal"):
        _journal(sold, key)
    assert _journal(sold, second).change_key(third, 2 * DAY_US, reason="")
    assert _journal(sold, third).catch_up(3 * DAY_US) == 1
    with pytest.raises(FiscalError, match="never had"):
        _journal(sold, third).change_key(key, 3 * DAY_US, reason="")
    assert list(check_journal(store)) == []
    assert fiscal_status(store)["public_keys"] == [
        key.public_key, second.public_key, third.public_key,
    ]  # fmt: skip
    assert fiscal_status(store)["public_key"] == third.public_key
    for period in ("", "1970-01-01", "1970-01-02"):
        target = tmp_path / f"after-{period}.zip"
        write_archive(store, layout, third, France(), target, period=period)
        for known in (key, second, third):
            assert verify_archive(target, public_key=known.public_key).findings == ()
        assert verify_archive(target, public_key="00" * 32).findings != ()
    assert verify_archive(before, public_key=key.public_key).findings == ()
    with zipfile.ZipFile(before) as archive:
        assert "keys.jsonl" not in archive.namelist()
    findings = audit(sold.hub.export_json())
    assert {name: rows for name, rows in findings.items() if rows} == {}


def test_a_hand_over_that_the_key_did_not_sign_is_not_followed(
    sold: Any, key: FiscalKey, tmp_path: Path
) -> None:
    _journal(sold, key).catch_up(20_000_000)
    thief = make_key(tmp_path / "thief.key")
    # Who can write to the database, and has a key of their own, appends a hand-over to it.
    last = list(entries_of(sold.hub.store))[-1]
    body = handover(key.public_key, thief, "mine")
    draft = Draft("technical:key:2", "technical", 21_000_000, last.day, body)
    forged, _state = next_entry(resumed(last), draft, thief.sign)
    rows = Rows()
    named = {"previous_hash": forged.previous_hash, "hash": forged.hash}
    row = {**forged.row(), **named, "signature": forged.signature}
    rows.insert(fiscal_entries, {**row, "body": canonical(forged.body)})
    sold.hub.store.write(rows)
    with pytest.raises(FiscalError, match="without the signature"):
        _journal(sold, thief)
    assert any("without the signature" in row for row in check_journal(sold.hub.store))
    findings = audit(sold.hub.export_json())["fiscal keys hand over"]
    assert any("did not sign that" in row for row in findings)


def test_an_archive_with_a_forged_hand_over_is_found(
    sold: Any, key: FiscalKey, tmp_path: Path
) -> None:
    journal = _journal(sold, key)
    journal.catch_up(20_000_000)
    second = make_key(tmp_path / "second.key")
    journal.change_key(second, 21_000_000, reason="")
    path = tmp_path / "true.zip"
    write_archive(sold.hub.store, sold.hub.core.state.store, second, France(), path)

    def less(files: dict[str, bytes]) -> None:
        files["keys.jsonl"] = files["keys.jsonl"].splitlines()[0] + b"\n"

    def other(files: dict[str, bytes]) -> None:
        text = files["keys.jsonl"].replace(second.public_key.encode(), b"0" * 64)
        files["keys.jsonl"] = text

    for change in (less, other):
        findings = verify_archive(
            _forged(path, tmp_path / f"{change.__name__}.zip", change)
        ).findings
        assert any("keys.jsonl" in row for row in findings), findings


def test_a_clock_that_jumped_is_not_believed(sold: Any, key: FiscalKey) -> None:
    journal = _journal(sold, key)
    journal.catch_up(20_000_000)
    with pytest.raises(FiscalError, match="the clock says"):
        journal.catch_up(20_000 * DAY_US)
    assert _journal(sold, key).catch_up(DAY_US * 2) == 1, "nothing was written by the wrong clock"


def _edit(tmp_path: Path, statement: str) -> None:
    with sqlite3.connect(tmp_path / "hub.sqlite") as db:
        db.execute("PRAGMA foreign_keys=OFF")
        assert db.execute(statement).rowcount > 0
    db.close()


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE fiscal_entries SET body = replace(body, '238', '138') WHERE number = 2",
         "entry 2 (ledger:"),
        ("UPDATE fiscal_entries SET at_us = at_us + 1 WHERE number = 3", "entry 3 (ledger:"),
        ("UPDATE fiscal_entries SET signature = replace(signature, 'a', 'b') WHERE number = 4",
         "entry 4 (ledger:"),
        ("DELETE FROM fiscal_entries WHERE number = 2", "entries are missing"),
        ("DELETE FROM fiscal_entries WHERE number = 1", "entries are missing"),
        ("UPDATE fiscal_entries SET body = '{}' WHERE number = 3", "entry 3 (ledger:"),
        ("UPDATE fiscal_entries SET body = '[]' WHERE number = 1", "entry 1 (technical:"),
        ("UPDATE fiscal_entries SET body = 'no JSON' WHERE number = 4", "entry 4 (ledger:"),
        ("UPDATE fiscal_entries SET day = 'soon' WHERE number = 4", "entry 4 (ledger:"),
        ("UPDATE ledger_transactions SET hash = previous_hash WHERE kind = 'charge'",
         "ledger transaction"),
        ("DELETE FROM ledger_transactions WHERE kind = 'refund'", "it is gone"),
    ],
)  # fmt: skip
def test_an_edited_row_is_named(
    sold: Any, key: FiscalKey, tmp_path: Path, statement: str, named: str
) -> None:
    _journal(sold, key).catch_up(20_000_000)
    assert list(check_journal(sold.hub.store)) == []
    _edit(tmp_path, statement)
    findings = list(check_journal(sold.hub.store))
    assert any(named in row for row in findings), findings


@pytest.mark.parametrize("body", ["'{}'", "'no JSON'", "replace(body, '119', '118')"])
def test_it_does_not_go_on_behind_an_edited_entry(
    sold: Any, key: FiscalKey, tmp_path: Path, body: str
) -> None:
    """What it said would be signed again with the next entry: totals that nobody counted."""
    _journal(sold, key).catch_up(20_000_000)
    _edit(tmp_path, f"UPDATE fiscal_entries SET body = {body} WHERE number = 4")
    with pytest.raises(FiscalError, match="entry 4 of the journal as it was signed"):
        _journal(sold, key).catch_up(2 * DAY_US)
    with pytest.raises(FiscalError, match="entry 4 of the journal as it was signed"):
        fiscal_status(sold.hub.store)


def test_it_does_not_go_on_behind_an_edited_ledger(
    sold: Any, key: FiscalKey, tmp_path: Path
) -> None:
    _edit(tmp_path, "UPDATE ledger_entries SET amount_minor = 1 WHERE account = 'vat:0.1900'")
    for _ in range(2):
        with pytest.raises(ChainBrokenError, match="ledger_transactions row"):
            _journal(sold, key).catch_up(20_000_000)
    entries = list(entries_of(sold.hub.store))
    assert [entry.kind for entry in entries] == ["technical", "technical"]
    assert "ledger_transactions row" in entries[1].body["row"]


def test_an_archive_is_verified_by_itself(sold: Any, key: FiscalKey, tmp_path: Path) -> None:
    _journal(sold, key).catch_up(40 * DAY_US)
    layout = sold.hub.core.state.store
    for period, count in (("", 44), ("1970", 44), ("1970-02", 8), ("1970-01-01", 5)):
        target = tmp_path / f"archive-{period}.zip"
        made = write_archive(sold.hub.store, layout, key, France(), target, period=period)
        report = verify_archive(target, public_key=key.public_key)
        assert report.findings == (), (period, report.findings)
        assert report.entries == made.last - made.first + 1 == count
    again = tmp_path / "again.zip"
    write_archive(sold.hub.store, layout, key, France(), again, period="1970")
    assert again.read_bytes() == (tmp_path / "archive-1970.zip").read_bytes()
    foreign = verify_archive(again, public_key="00" * 32)
    assert "expected the public key" in foreign.findings[0]


def _forged(path: Path, target: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return target


def _less(files: dict[str, bytes]) -> None:
    files["entries.jsonl"] = files["entries.jsonl"].replace(b"238", b"138")


def _shorter(files: dict[str, bytes]) -> None:
    files["entries.jsonl"] = b"\n".join(files["entries.jsonl"].splitlines()[:-1]) + b"\n"


def _nonsense(files: dict[str, bytes]) -> None:
    files["entries.jsonl"] = b"[1, 2]\n{}\n" + files["entries.jsonl"]


def _renamed(files: dict[str, bytes]) -> None:
    manifest = json.loads(files["manifest.json"])
    files["manifest.json"] = json.dumps({**manifest, "name": "Other"}).encode()


def _added(files: dict[str, bytes]) -> None:
    files["more.txt"] = b"more"


def _without_readme(files: dict[str, bytes]) -> None:
    del files["README.txt"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (_less, "it was edited"),
        (_shorter, "expected to end with entry"),
        (_nonsense, "not an entry"),
        (_renamed, "manifest.json"),
        (_added, "more.txt"),
        (_without_readme, "README.txt"),
    ],
)
def test_a_forged_archive_is_found(
    sold: Any,
    key: FiscalKey,
    tmp_path: Path,
    change: Callable[[dict[str, bytes]], None],
    named: str,
) -> None:
    _journal(sold, key).catch_up(2 * DAY_US)
    path = tmp_path / "true.zip"
    write_archive(sold.hub.store, sold.hub.core.state.store, key, France(), path)
    findings = verify_archive(_forged(path, tmp_path / "forged.zip", change)).findings
    assert any(named in row for row in findings), findings


def test_an_archive_with_any_broken_bit_is_told_so(
    sold: Any, key: FiscalKey, tmp_path: Path
) -> None:
    """Six years on a medium are long."""
    _journal(sold, key).catch_up(20_000_000)
    path = tmp_path / "true.zip"
    write_archive(sold.hub.store, sold.hub.core.state.store, key, France(), path)
    data = path.read_bytes()
    unread = 0
    for place in range(30, len(data), 31):
        path.write_bytes(data[:place] + bytes([data[place] ^ 8]) + data[place + 1 :])
        try:
            verify_archive(path)
        except FiscalError:
            unread += 1
    assert unread > 50


@pytest.mark.parametrize(
    "edit",
    [{"number": "2"}, {"hash": None}, {"signature": 1}, {"day": "\ud800"}, {"previous_hash": [1]}],
)
def test_an_entry_of_another_kind_of_values_is_none(
    sold: Any, key: FiscalKey, tmp_path: Path, edit: dict[str, Any]
) -> None:
    _journal(sold, key).catch_up(20_000_000)
    path = tmp_path / "true.zip"
    write_archive(sold.hub.store, sold.hub.core.state.store, key, France(), path)

    def change(files: dict[str, bytes]) -> None:
        first, second, *others = files["entries.jsonl"].splitlines()
        row = json.dumps({**json.loads(second), **edit}).encode()
        files["entries.jsonl"] = b"\n".join([first, row, *others, b""])

    findings = verify_archive(_forged(path, tmp_path / "forged.zip", change)).findings
    assert any("line 2: not an entry" in row for row in findings), findings


def test_archives_that_cannot_be(sold: Any, key: FiscalKey, tmp_path: Path) -> None:
    layout = sold.hub.core.state.store

    def write(name: str, period: str = "") -> None:
        write_archive(sold.hub.store, layout, key, France(), tmp_path / name, period=period)

    with pytest.raises(FiscalError, match="there are none"):
        write("a.zip")
    _journal(sold, key).catch_up(20_000_000)
    with pytest.raises(FiscalError, match="there are none"):
        write("a.zip", "2020")
    with pytest.raises(FiscalError, match="expected a year"):
        write("a.zip", "soon")
    (tmp_path / "there.zip").write_bytes(b"x")
    with pytest.raises(FiscalError, match="exists"):
        write("there.zip")
    with pytest.raises(FiscalError, match="cannot be read"):
        verify_archive(tmp_path / "there.zip")
    with pytest.raises(FiscalError, match="cannot be read"):
        verify_archive(tmp_path / "not-there.zip")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as archive:
        archive.writestr("a", "b")
    with pytest.raises(FiscalError, match=r"manifest\.json"):
        verify_archive(tmp_path / "empty.zip")


def test_a_key_is_kept_like_a_key(tmp_path: Path) -> None:
    path = tmp_path / "k"
    made = make_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    again = load_key(path)
    assert again.public_key == made.public_key
    assert valid_signature(made.public_key, "x", again.sign("x"))
    assert not valid_signature(made.public_key, "y", again.sign("x"))
    assert not valid_signature("zz", "x", "00")
    with pytest.raises(FiscalError, match="exists"):
        make_key(path)
    path.chmod(0o644)
    with pytest.raises(FiscalError, match="chmod 600"):
        load_key(path)
    with pytest.raises(FiscalError, match="init"):
        load_key(tmp_path / "none")
    bad = tmp_path / "bad"
    bad.write_text("not a key")
    bad.chmod(0o600)
    with pytest.raises(FiscalError, match="cannot be read as one"):
        load_key(bad)


def test_the_journal_holds_no_secret_and_no_payer(sold: Any, key: FiscalKey) -> None:
    _journal(sold, key).catch_up(20_000_000)
    text = json.dumps([entry.row() for entry in entries_of(sold.hub.store)])
    assert "guest-" not in text
    assert "code-one" not in text
