"""Who may write: one hub at a time, fenced in the very transaction of every commit."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from hub.commands import OpenVisit
from hub.errors import HubHaltedError, LeaseLostError, StoreError, StoreTakenError
from hub.service import Hub
from hub.store import tables as t
from hub.store.lease import FileLease, NoLease, RowLease, open_lease
from hub.store.rows import Rows
from hub.store.service import Store
from tests.hub.process_kit import until

SHORT_S = 1.0
LONG_S = 60.0


@pytest.fixture
def url(postgres_url: Callable[[str], str]) -> str:
    return postgres_url("shared")


@pytest.fixture
def lease_of(url: str) -> Iterator[Callable[..., RowLease]]:
    made: list[RowLease] = []

    def make(owner: str, ttl_s: float = LONG_S, **more: Any) -> RowLease:
        made.append(RowLease(url, "tiny", owner=owner, ttl_s=ttl_s, **more))
        return made[-1]

    yield make
    for lease in made:
        lease.release()


def expire(url: str) -> None:
    """Time passes for the lease, by the database's clock."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE leases SET expires_us = 1"))
    engine.dispose()


def tick(position: int) -> Rows:
    """Something to store."""
    rows = Rows()
    rows.insert(t.commands, {"position": position, "at_us": 0, "kind": "tick", "payload": "{}"})
    return rows


def test_one_hub_has_it_until_it_gives_it_back(lease_of: Callable[..., RowLease]) -> None:
    first, second = lease_of("first"), lease_of("second")
    assert first.take()
    assert not second.take()
    assert (first.held, second.held) == (True, False)
    first.renew()
    first.release()
    assert (first.held, second.held) == (False, False)
    assert second.take()
    assert second.epoch == first.epoch + 1
    with pytest.raises(LeaseLostError, match="another hub has it"):
        first.renew()


def test_of_many_that_ask_at_once_one_gets_it(lease_of: Callable[..., RowLease]) -> None:
    leases = [lease_of(f"hub-{k}") for k in range(4)]
    got: list[bool] = []
    threads = [threading.Thread(target=lambda one=one: got.append(one.take())) for one in leases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [False, False, False, True]


def test_one_that_ran_out_and_that_nobody_took_goes_on(
    lease_of: Callable[..., RowLease], url: str
) -> None:
    now = [0.0]
    lease = lease_of("first", now=lambda: now[0])
    assert lease.take()
    now[0] = LONG_S
    overdue = not lease.held
    assert overdue, "nothing may be acknowledged without asking again"
    expire(url)
    store = Store(url, lease)
    store.write(tick(1))
    lease.renew()
    assert lease.held
    store.close()


def test_who_lost_it_stores_nothing(lease_of: Callable[..., RowLease], url: str) -> None:
    old, new = lease_of("old"), lease_of("new")
    assert old.take()
    sleeper = Store(url, old)
    sleeper.write(tick(1))
    expire(url)
    assert new.take()
    owner = Store(url, new)
    with pytest.raises(LeaseLostError, match="nothing was stored"):
        sleeper.write(tick(2))
    with pytest.raises(LeaseLostError):
        sleeper.prune(9, 0)
    owner.write(tick(2))
    assert [row["position"] for row in owner.rows(t.commands)] == [1, 2]
    for store in (sleeper, owner):
        store.close()


@pytest.mark.parametrize("rows", [1, 3])
def test_an_owner_that_stops_inside_a_transaction_keeps_nobody_waiting(
    lease_of: Callable[..., RowLease], url: str, rows: int
) -> None:
    """Several rows are a batch, after which the server's own timeout does not run."""
    old, new = lease_of("old", ttl_s=SHORT_S), lease_of("new", ttl_s=SHORT_S)
    assert old.take()
    engine = create_engine(url)
    connection = engine.connect()
    transaction = connection.begin()
    old.fence(connection)
    statement = text("INSERT INTO commands VALUES (:position, 0, 'tick', '{}')")
    connection.execute(statement, [{"position": number + 1} for number in range(rows)])

    def taken() -> bool:
        try:
            return new.take()
        except StoreError:
            return False

    assert until(taken) < 2 * SHORT_S + 5.0
    with pytest.raises(Exception, match=r"idle-in-transaction|terminating|closed"):
        transaction.commit()
    connection.invalidate()
    connection.close()
    engine.dispose()
    store = Store(url, new)
    assert store.count(t.commands) == 0, "what was not committed is not there"
    store.close()


def test_a_hub_whose_lease_is_lost_halts_and_the_other_goes_on(
    lease_of: Callable[..., RowLease], url: str, make_shop: Callable[..., Any], layout: Any
) -> None:
    old, new = lease_of("old"), lease_of("new")
    assert old.take()
    factory = make_shop().hub.core.state.factory
    first = Hub.open(layout, url=url, attributor=factory, lease=old)
    first.start(0.0)
    first.tick(1.0)
    expire(url)
    assert new.take()
    second = Hub.open(layout, url=url, attributor=factory, lease=new)
    second.start(2.0)
    with pytest.raises(LeaseLostError):
        _open_visit(first)
    with pytest.raises(HubHaltedError):
        first.tick(4.0)
    visit_id = _open_visit(second)
    assert [row["visit_id"] for row in second.export_json()["visits"]] == [visit_id]
    second.store.verify()
    for hub in (first, second):
        hub.close()
        gateway: Any = hub.gateway
        gateway.close()


def _open_visit(hub: Hub) -> str:
    reply = hub.command(OpenVisit(token_sha256="a" * 64, code="code-0123456"), 3.0)
    return str(reply.visit_id)


def test_a_database_that_is_away_is_told_apart_from_one_that_is_taken() -> None:
    away = RowLease("postgresql+psycopg://u:pass-word@127.0.0.1:9/none", "tiny", owner="one")
    with pytest.raises(StoreError, match="cannot be asked for") as error:
        away.take()
    assert "pass-word" not in str(error.value)
    away.release()


# ---------------------------------------------------------------- SQLite

HOLDER = """
import sys
from pathlib import Path
from hub.store.lease import FileLease
lease = FileLease(Path(sys.argv[1]))
print(lease.take(), flush=True)
sys.stdin.read()
"""


def test_a_file_is_for_one_hub_and_free_when_that_one_dies(tmp_path: Path) -> None:
    database = tmp_path / "hub.sqlite"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "True\n"
    mine = open_lease(f"sqlite:///{database}", "tiny", owner="me")
    with pytest.raises(StoreTakenError, match=rf"process {holder.pid}\); stop that one"):
        mine.take()
    assert not mine.held
    holder.kill()
    holder.communicate()
    assert mine.take()
    store = Store(f"sqlite:///{database}", mine)
    store.write(tick(1))
    mine.release()
    with pytest.raises(LeaseLostError):
        store.write(tick(2))
    store.close()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    lease = FileLease(tmp_path / "none" / "hub.sqlite")
    with pytest.raises(StoreError, match="make its folder"):
        lease.take()


def test_memory_needs_none() -> None:
    lease = open_lease("sqlite:///:memory:", "tiny", owner="me")
    assert isinstance(lease, NoLease)
    assert lease.take()
