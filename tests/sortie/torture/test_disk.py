"""Power loss: of what was not synced any sectors may be missing; what was answered is there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Literal

import pytest

from edge.errors import OutboxError
from edge.outbox import Outbox
from hub.attribution.engine import Engine
from hub.commands import ChangePrice, Restock
from hub.errors import HubError
from hub.service import Hub
from sortie.torture.disk import Disk
from sortie.torture.shop import layout, places
from sortie.torture.vfs import layered

CUTS = 40
GTIN = places()[0].gtin
SLOT = places()[0].slot_id


@contextmanager
def _disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path / "disk")
    with layered(disk):
        yield disk


def _open(disk: Disk) -> sqlite3.Connection:
    database = sqlite3.connect(disk.where / "x.sqlite", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    return database


def test_without_a_sync_a_commit_is_lost(tmp_path: Path) -> None:
    """The disk can tell the difference, or it would prove nothing."""
    lost = 0
    for seed in range(20):
        with _disk(tmp_path / str(seed)) as disk:
            database = _open(disk)
            database.execute("PRAGMA synchronous = OFF")
            database.execute("CREATE TABLE t (x)")
            database.execute("INSERT INTO t VALUES (1)")
            disk.die("power")
            database.close()
            disk.crash(Random(seed))
            lost += not _holds_one(disk)
    assert 0 < lost < 20, "some come through, some do not"


def _holds_one(disk: Disk) -> bool:
    try:
        with closing(_open(disk)) as again:
            return bool(again.execute("SELECT count(*) FROM t").fetchone()[0])
    except sqlite3.DatabaseError:
        # Without syncs the file may be anything: no table, or no database at all.
        return False


@pytest.mark.parametrize("fault", ["kill", "power"])
def test_with_full_syncs_what_was_committed_stays(
    tmp_path: Path, fault: Literal["kill", "power"]
) -> None:
    for seed in range(CUTS):
        random = Random(f"{fault} {seed}")
        with _disk(tmp_path / str(seed)) as disk:
            database = _open(disk)
            database.execute("PRAGMA synchronous = FULL")
            database.execute("CREATE TABLE t (x INTEGER PRIMARY KEY, y TEXT)")
            disk.arm(fault, after=random.randint(1, 60))
            done = 0
            with suppress(sqlite3.OperationalError):
                while True:
                    database.execute("BEGIN IMMEDIATE")
                    database.execute("INSERT INTO t VALUES (?, ?)", (done, "y" * 2_000))
                    database.execute("INSERT INTO t VALUES (?, 'twin')", (-1 - done,))
                    database.execute("COMMIT")
                    done += 1
            database.close()
            assert disk.dead == fault
            disk.crash(random)
            with closing(_open(disk)) as again:
                assert again.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
                found, twins = again.execute("SELECT sum(x >= 0), sum(x < 0) FROM t").fetchone()
                # One commit more may be there: it was on its way, and nobody was told.
                assert (found or 0) in (done, done + 1)
                assert found == twins, "no half commit"


def test_the_hub_keeps_what_it_answered_through_power_cuts(tmp_path: Path) -> None:
    """Prices and stock, one command after another; power goes at any write, sync or truncation."""
    with _disk(tmp_path) as disk:
        random = Random(7)
        prices: list[int] = []
        stock = 0
        now_s = 10.0
        for _ in range(CUTS):
            hub = None
            disk.arm("power", after=random.randint(1, 120))
            try:
                hub = Hub.open(
                    layout(), url=f"sqlite:///{disk.where / 'hub.sqlite'}", attributor=Engine
                )
                now_s += 1.0
                hub.start(now_s)
                while disk.dead is None:
                    now_s += 1.0
                    price = random.randint(1, 999)
                    hub.command(ChangePrice(gtin=GTIN, price_minor=price), now_s)
                    prices.append(price)
                    hub.command(Restock(slot_id=SLOT, gtin=GTIN, quantity=1), now_s)
                    stock += 1
            except HubError:
                assert disk.dead == "power", "nothing else goes wrong here"
            if hub is not None:
                hub.close()
            disk.crash(random)
            now_s, prices, stock = _still_there(disk, now_s, prices, stock)
    assert len(prices) > CUTS


def _still_there(
    disk: Disk, now_s: float, prices: list[int], stock: int
) -> tuple[float, list[int], int]:
    """The hub replays, its chains hold, and all that was answered is there; returns what is."""
    hub = Hub.open(layout(), url=f"sqlite:///{disk.where / 'hub.sqlite'}", attributor=Engine)
    try:
        hub.store.verify()
        export = hub.export_json()
        known = [
            row["price_minor"]
            for row in sorted(export["prices"], key=lambda row: row["from_us"])
            if row["gtin"] == GTIN
        ][1:]
        restocked = next(row["restocked"] for row in export["products"] if row["gtin"] == GTIN)
        assert known[: len(prices)] == prices
        assert len(known) <= len(prices) + 1, "at most the one that was on its way"
        assert restocked in (stock, stock + 1)
        return max(now_s, hub.core.state.now_s), known, restocked
    finally:
        hub.close()


def test_the_outbox_keeps_what_it_took_through_power_cuts(tmp_path: Path) -> None:
    with _disk(tmp_path) as disk:
        random = Random(3)
        stored: dict[str, int] = {}
        boots = 0
        for _ in range(CUTS):
            boots += 1
            boot_id = f"boot-{boots}"
            disk.arm("power", after=random.randint(1, 60))
            outbox = None
            sequence = 0
            try:
                outbox = Outbox(disk.where / "outbox", boot_id=boot_id)
                while disk.dead is None:
                    outbox.append([(sequence + k, b"x" * 300) for k in range(3)])
                    sequence += 3
                    stored[boot_id] = sequence
            except OutboxError:
                assert disk.dead == "power"
            if outbox is not None:
                outbox.close()
            disk.crash(random)
            boots += 1
            again = Outbox(disk.where / "outbox", boot_id=f"boot-{boots}")
            held: dict[str, list[int]] = {}
            for row in again.unacked(limit=100_000):
                held.setdefault(row.boot_id, []).append(row.sequence)
            again.close()
            for name, count in stored.items():
                # What was under way may have come through, but a step comes whole or not at all.
                assert len(held[name]) in (count, count + 3)
                assert held[name] == list(range(len(held[name])))
        assert sum(stored.values()) > CUTS


def test_a_full_disk_refuses_until_there_is_room(tmp_path: Path) -> None:
    with _disk(tmp_path) as disk:
        database = _open(disk)
        database.execute("CREATE TABLE t (x)")
        disk.arm("full", after=1)
        for _ in range(2):
            with pytest.raises(sqlite3.OperationalError, match="full"):
                database.execute("INSERT INTO t VALUES (1)")
        assert disk.faulty
        disk.mend()
        database.execute("INSERT INTO t VALUES (2)")
        assert database.execute("SELECT x FROM t").fetchall() == [(2,)]
        database.close()


def test_one_failing_write_fails_one_transaction(tmp_path: Path) -> None:
    with _disk(tmp_path) as disk:
        database = _open(disk)
        database.execute("CREATE TABLE t (x)")
        disk.arm("io", after=1)
        with pytest.raises(sqlite3.OperationalError, match="I/O"):
            database.execute("INSERT INTO t VALUES (1)")
        database.execute("INSERT INTO t VALUES (2)")
        assert database.execute("SELECT x FROM t").fetchall() == [(2,)]
        assert disk.happened == {"disk_io": 1}
        database.close()


def test_files_of_other_folders_do_not_pass(tmp_path: Path) -> None:
    with _disk(tmp_path) as disk:
        before = disk.operations
        with closing(sqlite3.connect(tmp_path / "other.sqlite")) as other:
            other.execute("CREATE TABLE t (x)")
        assert disk.operations == before
