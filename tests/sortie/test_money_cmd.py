"""`sortie hub vat|reconcile|fiscal`: what they print, write and refuse."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from contracts.store_file import load_store_file
from hub.attribution.engine import Engine
from hub.commands import ChangePrice
from hub.errors import FiscalError, RejectedError, SettingsError, StoreError
from hub.service import Hub
from hub.wallet.fake import FakeGateway
from hub.wallet.service import ChargeLine
from sortie.day import demo_store_path
from sortie.errors import UsageError
from sortie.hub_cmd import hub_app

RUNNER = CliRunner()


def _run(*arguments: object) -> Result:
    return RUNNER.invoke(hub_app, [str(word) for word in arguments])


@pytest.fixture
def books(tmp_path: Path) -> Path:
    """A folder with a hub's database and its gateway's books, after one sale of today."""
    layout = load_store_file(demo_store_path())
    gateway = FakeGateway(str(tmp_path / "gateway.sqlite"))
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    hub = Hub.open(layout, url=url, attributor=Engine, gateway=gateway)
    hub.start(0.0)
    wallets, effects = hub.core.state.wallets, hub.core.state.effects
    at_us = round(time.time() * 1e6)
    wallets.ask_hold("v-1", "p", 2_000)
    effects.transactions.append(wallets.place_hold("v-1", at_us=at_us))
    line = ChargeLine(1, layout.products[0].gtin, 2, 119, "0.1900")
    made = wallets.charge("v-1", [line], at_us=at_us)
    assert made is not None
    effects.transactions.append(made)
    hub.command(ChangePrice(gtin=layout.products[0].gtin, price_minor=120), 1.0)
    hub.close()
    gateway.close()
    return tmp_path


def _url(books: Path) -> str:
    return f"sqlite:///{books / 'hub.sqlite'}"


def _today() -> str:
    return time.strftime("%Y-%m-%d", time.gmtime())


def test_vat_of_a_day(books: Path) -> None:
    json_file, html_file = books / "vat.json", books / "vat.html"
    made = _run(
        "vat", "--database", _url(books), "--day", _today()[:7], "--json", json_file, "--html",
        html_file,
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    assert "1 sales, 0 refunds" in made.output
    report = json.loads(json_file.read_text())
    assert report["total"]["due"] == {"gross_minor": 238, "net_minor": 200, "vat_minor": 38}
    assert "2.38" in html_file.read_text()


def test_bad_input_of_vat(books: Path) -> None:
    assert isinstance(
        _run("vat", "--database", _url(books), "--day", "soon").exception, RejectedError
    )
    none = _run("vat", "--database", f"sqlite:///{books / 'none'}", "--day", "2026-01-01")
    assert isinstance(none.exception, StoreError)
    assert not (books / "none").exists()
    memory = _run("vat", "--database", "sqlite:///:memory:", "--day", "2026-01-01")
    assert isinstance(memory.exception, StoreError)
    nowhere = books / "no" / "folder.json"
    lost = _run("vat", "--database", _url(books), "--day", "2026", "--json", nowhere)
    assert isinstance(lost.exception, UsageError)
    assert _run("vat", "--database", _url(books)).exit_code == 2


def test_reconcile_agrees_and_tells_a_difference(books: Path) -> None:
    file, out = books / "gateway.sqlite", books / "out.json"
    base = ("reconcile", "--database", _url(books), "--gateway-file", file, "--json", out)
    well = _run(*base)
    assert well.exit_code == 0, well.output
    assert "books and gateway agree" in well.output
    with sqlite3.connect(file) as db:
        db.execute("INSERT INTO holds VALUES ('v-7:hold', 'p', 'EUR', 500, 'captured', 300, 0)")
    db.close()
    told = _run(*base)
    assert told.exit_code == 1
    assert "visit v-7: unknown in the books" in told.output
    assert "refund 3.00 at the gateway" in told.output
    document = json.loads(out.read_text())
    assert document["agrees"] is False
    assert document["differences"][0]["hold_key"] == "v-7:hold"


def test_reconcile_finds_the_gateway_of_the_settings(
    books: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = books / "hub.yaml"
    settings.write_text(
        f"store_file: {demo_store_path()}\ngateway_file: {books / 'gateway.sqlite'}\n"
    )
    base = ("reconcile", "--database", _url(books), "--settings", settings)
    assert _run(*base).exit_code == 0
    monkeypatch.setenv("SORTIE_HUB_GATEWAY", "stripe")
    assert isinstance(_run(*base).exception, SettingsError)


def test_bad_input_of_reconcile(books: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SORTIE_HUB_STORE_FILE", raising=False)
    absent = books / "none.sqlite"
    lost = _run("reconcile", "--database", _url(books), "--gateway-file", absent)
    assert isinstance(lost.exception, UsageError)
    assert not absent.exists()
    none = _run("reconcile", "--database", f"sqlite:///{absent}", "--gateway-file", absent)
    assert isinstance(none.exception, StoreError)


def test_the_fiscal_journal_from_key_to_archive(books: Path) -> None:
    key, archive = books / "fiscal.key", books / "all.zip"
    made = _run("fiscal", "init", key)
    assert made.exit_code == 0, made.output
    public = made.output.split()[-1]
    common = ("--database", _url(books), "--key", key)
    assert "2 new entries" in _run("fiscal", "run", *common).output
    assert "0 new entries" in _run("fiscal", "run", *common).output
    assert _run("fiscal", "archive", archive, *common).exit_code == 0
    second = books / "again.zip"
    assert _run("fiscal", "archive", second, *common).exit_code == 0
    assert second.read_bytes() == archive.read_bytes()
    out = books / "verified.json"
    well = _run("fiscal", "verify", archive, "--public-key", public, "--json", out)
    assert well.exit_code == 0, well.output
    assert "2 entries" in well.output
    assert json.loads(out.read_text())["findings"] == []
    assert _run("fiscal", "verify", archive, "--public-key", "0" * 64).exit_code == 1
    check = _run("fiscal", "check", "--database", _url(books))
    assert check.exit_code == 0, check.output
    assert "3 entries" in check.output, "the archive is noted, once"
    with sqlite3.connect(books / "hub.sqlite") as db:
        db.execute("UPDATE fiscal_entries SET kind = 'technical' WHERE number = 2")
    db.close()
    bad = _run("fiscal", "check", "--database", _url(books))
    assert bad.exit_code == 1
    assert "entry 2 (ledger:" in bad.output


def test_the_fiscal_journal_gets_another_key(books: Path) -> None:
    old, new, archive = books / "old.key", books / "new.key", books / "all.zip"
    first = _run("fiscal", "init", old).output.split()[-1]
    on = ("--database", _url(books))
    early = _run("fiscal", "change-key", new, *on, "--key", old)
    assert isinstance(early.exception, FiscalError), "there are no entries yet"
    assert not new.exists(), "nothing is left lying about"
    assert _run("fiscal", "run", *on, "--key", old).exit_code == 0
    wish = ("fiscal", "change-key", new, *on, "--key", old, "--reason", "the safe was opened")
    made = _run(*wish)
    assert made.exit_code == 0, made.output
    second = made.output.split()[-1]
    assert second != first
    assert "has this key already" in _run(*wish).output
    assert isinstance(_run("fiscal", "run", *on, "--key", old).exception, FiscalError)
    assert "0 new entries" in _run("fiscal", "run", *on, "--key", new).output
    assert _run("fiscal", "check", *on).exit_code == 0
    assert _run("fiscal", "archive", archive, *on, "--key", new).exit_code == 0
    for known in (first, second):
        assert _run("fiscal", "verify", archive, "--public-key", known).exit_code == 0
    thief = books / "thief.key"
    assert _run("fiscal", "init", thief).exit_code == 0
    refused = _run("fiscal", "change-key", books / "third.key", *on, "--key", thief)
    assert isinstance(refused.exception, FiscalError)
    assert not (books / "third.key").exists()


def test_a_hand_over_that_was_cut_off_is_done_by_the_next_try(books: Path) -> None:
    old, new = books / "old.key", books / "new.key"
    on = ("--database", _url(books))
    for key in (old, new):
        assert _run("fiscal", "init", key).exit_code == 0
    assert _run("fiscal", "run", *on, "--key", old).exit_code == 0
    assert _run("fiscal", "change-key", new, *on, "--key", old).exit_code == 0
    assert "0 new entries" in _run("fiscal", "run", *on, "--key", new).output


def test_bad_input_of_fiscal(books: Path) -> None:
    def error(*words: Any) -> BaseException | None:
        return _run("fiscal", *words).exception

    key = books / "fiscal.key"
    assert isinstance(error("run", "--database", _url(books), "--key", key), FiscalError)
    assert _run("fiscal", "init", key).exit_code == 0
    assert isinstance(error("init", key), FiscalError)
    assert isinstance(error("init", books / "no" / "folder"), FiscalError)
    missing = f"sqlite:///{books / 'none'}"
    assert isinstance(error("run", "--database", missing, "--key", key), StoreError)
    assert isinstance(error("check", "--database", missing), StoreError)
    target = books / "a.zip"
    common = ("archive", target, "--database", _url(books), "--key", key)
    assert isinstance(error(*common), FiscalError), "there are no entries yet"
    assert isinstance(error(*common, "--period", "soon"), FiscalError)
    assert isinstance(error("verify", books / "hub.sqlite"), FiscalError)
    assert not target.exists()
