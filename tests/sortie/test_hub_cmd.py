"""`sortie hub`: what it prints and its exit status; what it does is under tests/hub."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from contracts.store_file import load_store_file
from hub import commands as c
from hub.attribution.engine import Engine
from hub.errors import StoreError, StoreTakenError
from hub.service import Hub
from hub.store.lease import open_lease
from sortie.day import demo_store_path
from sortie.hub_cmd import hub_app

RUNNER = CliRunner()
COLA = "2000000013015"


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A hub's database after a delivery and a change of price."""
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    hub = Hub.open(load_store_file(demo_store_path()), url=url, attributor=Engine)
    hub.start(0.0)
    hub.command(c.Restock(slot_id="bay-a-3-l", gtin=COLA, quantity=2), 1.0)
    hub.command(c.ChangePrice(gtin=COLA, price_minor=129), 2.0)
    hub.close()
    return url


def test_a_database_goes_to_a_file_and_comes_back(url: str, tmp_path: Path) -> None:
    saved, again = tmp_path / "saved.sqlite", f"sqlite:///{tmp_path / 'again.sqlite'}"
    made = RUNNER.invoke(hub_app, ["backup", str(saved), "--database", url])
    assert made.exit_code == 0, made.output
    assert "last event 2 " in made.output
    put = RUNNER.invoke(hub_app, ["restore", str(saved), "--database", again])
    assert put.exit_code == 0, put.output
    assert made.output.splitlines()[1:] == put.output.splitlines()[1:]
    well = RUNNER.invoke(hub_app, ["verify", "--database", again])
    assert well.exit_code == 0, well.output
    assert "all is as it should be" in well.output
    twice = RUNNER.invoke(hub_app, ["backup", str(saved), "--database", url])
    assert isinstance(twice.exception, StoreError)


def test_verify_names_what_is_wrong_and_fails(url: str, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "hub.sqlite") as connection:
        connection.execute("UPDATE products SET sold = 7 WHERE gtin = ?", (COLA,))
    connection.close()
    found = tmp_path / "found.json"
    result = RUNNER.invoke(hub_app, ["verify", "--database", url, "--json", str(found)])
    assert result.exit_code == 1
    assert f"products row {COLA}: expected sold 0, the row has 7" in result.output.replace(
        "\n", " "
    )
    report = json.loads(found.read_text(encoding="utf-8"))
    assert len(report["findings"]) == 1
    assert [rows for rows in report["audit"].values() if rows], "the auditor sees it by itself"


def test_rebuild_writes_what_was_wrong_anew(url: str, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "hub.sqlite") as connection:
        connection.execute("UPDATE products SET sold = 7 WHERE gtin = ?", (COLA,))
        connection.execute("DELETE FROM stock WHERE slot_id = 'bay-a-3-l'")
    connection.close()
    result = RUNNER.invoke(hub_app, ["rebuild", "--database", url])
    assert result.exit_code == 0, result.output
    assert f"products row {COLA}: expected sold 0, the row has 7" in result.output
    assert "there is none" in result.output
    assert "2 written anew" in result.output
    again = RUNNER.invoke(hub_app, ["rebuild", "--database", url])
    assert "nothing differed" in again.output
    assert RUNNER.invoke(hub_app, ["verify", "--database", url]).exit_code == 0


def test_rebuild_writes_nothing_on_a_log_that_was_edited(url: str, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "hub.sqlite") as connection:
        connection.execute("UPDATE products SET sold = 7 WHERE gtin = ?", (COLA,))
        connection.execute("UPDATE events SET kind = 'gift' WHERE number = 1")
    connection.close()
    result = RUNNER.invoke(hub_app, ["rebuild", "--database", url])
    assert isinstance(result.exception, StoreError)
    connection = sqlite3.connect(tmp_path / "hub.sqlite")
    (sold,) = connection.execute("SELECT sold FROM products WHERE gtin = ?", (COLA,)).fetchone()
    connection.close()
    assert sold == 7
    nowhere = RUNNER.invoke(hub_app, ["rebuild", "--database", f"sqlite:///{tmp_path / 'no'}"])
    assert "is not there" in str(nowhere.exception)
    assert not (tmp_path / "no").exists()


def test_rebuild_writes_nothing_while_a_hub_has_the_database(url: str, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "hub.sqlite") as connection:
        connection.execute("UPDATE products SET sold = 7 WHERE gtin = ?", (COLA,))
    connection.close()
    running = open_lease(url, "demo", owner="till-1")
    assert running.take()
    result = RUNNER.invoke(hub_app, ["rebuild", "--database", url])
    assert isinstance(result.exception, StoreTakenError)
    running.release()
    assert "1 written anew" in RUNNER.invoke(hub_app, ["rebuild", "--database", url]).output


def test_rebuild_makes_nothing_in_a_database_that_is_no_hubs(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "other.sqlite") as connection:
        connection.execute("CREATE TABLE mine (n INTEGER)")
    connection.close()
    result = RUNNER.invoke(
        hub_app, ["rebuild", "--database", f"sqlite:///{tmp_path / 'other.sqlite'}"]
    )
    assert "holds no hub's tables" in str(result.exception)
    connection = sqlite3.connect(tmp_path / "other.sqlite")
    names = connection.execute("SELECT name FROM sqlite_master").fetchall()
    connection.close()
    assert names == [("mine",)]
