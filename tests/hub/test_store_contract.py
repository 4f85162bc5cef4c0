"""What every store promises, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import create_engine

from contracts import messages as m
from hub.chain import GENESIS, link
from hub.errors import (
    ChainBrokenError,
    HubHaltedError,
    LeaseLostError,
    StoreError,
    StoreWriteError,
)
from hub.store import service
from hub.store import tables as t
from hub.store.lease import NoLease
from hub.store.rows import Rows
from hub.store.service import Store


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(database: Callable[[str], str]) -> str:
    return database("store.sqlite")


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = Store(url)
    yield opened
    opened.close()


def message(position: int, sequence: int | None = None, **more: Any) -> dict[str, Any]:
    """A row of the inbox."""
    row = {
        "position": position,
        "device_id": "node",
        "boot_id": "boot",
        "sequence": position if sequence is None else sequence,
        "received_us": position * 1_000,
        "dead": False,
        "payload": f'{{"n":{position}}}',
    }
    return {**row, **more}


def command(position: int, kind: str = "tick") -> dict[str, Any]:
    """A row of the commands."""
    return {"position": position, "at_us": position * 1_000, "kind": kind, "payload": "{}"}


def events(count: int, first: int = 1, previous: str = GENESIS) -> list[dict[str, Any]]:
    """Chained events."""
    rows = []
    for number in range(first, first + count):
        content = {"number": number, "at_us": 1, "kind": "k", "visit_id": None, "data": {"n": "ü"}}
        digest = link(previous, content)
        rows.append({**content, "data": '{"n":"ü"}', "previous_hash": previous, "hash": digest})
        previous = digest
    return rows


def filled(*parts: tuple[Any, list[dict[str, Any]]]) -> Rows:
    """Rows to insert."""
    rows = Rows()
    for table, some in parts:
        for row in some:
            rows.insert(table, row)
    return rows


def test_a_commit_is_whole_or_not_there(store: Store) -> None:
    store.write(filled((t.inbox, [message(1)]), (t.events, events(1))))
    more = events(2, 2, store.heads()[0][1])
    with pytest.raises(StoreWriteError, match="nothing was stored"):
        # The last row breaks a rule, the ones before it do not.
        store.write(filled((t.inbox, [message(2)]), (t.events, [*more, more[0]])))
    assert store.count(t.inbox) == store.count(t.events) == 1
    assert store.last_position() == 1
    store.write(filled((t.inbox, [message(2)]), (t.events, more)))
    assert store.heads()[0][0] == 3


def test_one_message_of_a_boot_is_stored_once(store: Store) -> None:
    store.write(filled((t.inbox, [message(1, 7)])))
    with pytest.raises(StoreWriteError):
        store.write(filled((t.inbox, [message(2, 8), message(3, 7)])))
    assert [row["sequence"] for row in store.rows(t.inbox, "position")] == [7]
    store.write(filled((t.inbox, [message(2, 7, boot_id="other")])))


def test_inputs_come_back_in_their_order_page_by_page(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "READ_CHUNK", 7)
    inbox = [message(k) for k in range(1, 60) if k % 3]
    others = [command(k) for k in range(1, 60) if not k % 3]
    store.write(filled((t.inbox, inbox), (t.commands, others)))
    entries = list(store.journal(4))
    assert [entry.position for entry in entries] == list(range(5, 60))
    assert {e.source for e in entries if e.position % 3 == 0} == {"command"}
    assert [e.payload for e in entries if e.position == 5] == ['{"n":5}']
    assert store.last_position() == 59


def test_a_dead_message_is_marked_and_an_unknown_one_is_not(store: Store) -> None:
    store.write(filled((t.inbox, [message(1), message(2)])))
    assert store.mark_dead("node", "boot", 2)
    assert not store.mark_dead("node", "boot", 99)
    assert [entry.dead for entry in store.journal(0)] == [False, True]


def test_pruning_keeps_what_a_replay_needs(store: Store) -> None:
    snapshots = [{"position": p, "at_us": 1, "digest": "d", "state": "{}"} for p in (0, 4)]
    store.write(
        filled(
            (t.inbox, [message(1), message(3), message(6)]),
            (t.commands, [command(2), command(4, "open_visit"), command(5)]),
            (t.snapshots, snapshots),
        )
    )
    store.prune(4, inbox_before_us=2_000)
    assert [row["position"] for row in store.rows(t.inbox, "position")] == [3, 6]
    assert [row["position"] for row in store.rows(t.commands, "position")] == [4, 5]
    found = store.snapshot()
    assert found is not None
    assert found.position == 4
    assert store.count(t.snapshots) == 1


def test_the_last_of_two_values_stands(store: Store) -> None:
    key = {"device_id": "d", "boot_id": "b"}
    for offset in (1, 2**53):
        rows = Rows()
        rows.upsert(t.clocks, {**key, "offset_us": 5, "sd_us": 1, "at_us": 0})
        rows.upsert(t.clocks, {**key, "offset_us": offset, "sd_us": 1, "at_us": 0})
        store.write(rows)
    assert [row["offset_us"] for row in store.rows(t.clocks)] == [2**53]


def test_heads_are_those_of_the_chains(store: Store) -> None:
    assert store.heads() == ((0, GENESIS), (0, GENESIS))
    rows = events(3)
    store.write(filled((t.events, rows)))
    assert store.heads() == ((3, rows[-1]["hash"]), (0, GENESIS))
    store.verify()
    store.write(filled((t.events, [{**events(1, 5)[0]}])))
    with pytest.raises(ChainBrokenError, match="events row 4"):
        store.verify()


def test_bytes_and_letters_come_back_as_they_were(store: Store) -> None:
    payload = bytes(range(256))
    words = "naïve \N{SNOWMAN} \N{GRINNING FACE}"
    row = {"at_us": 2**53, "topic": words, "reason": words, "size": 256, "payload": payload}
    store.write(filled((t.dead_letters, [row, row])))
    found = store.rows(t.dead_letters, "number")
    assert [r["number"] for r in found] == [1, 2]
    assert bytes(found[0]["payload"]) == payload
    assert found[1]["reason"] == words


def test_words_that_no_database_takes_do_not_halt_the_hub(
    make_shop: Callable[..., Any], day: Any
) -> None:
    """PostgreSQL takes no NUL, and neither takes half a surrogate pair."""
    shop = make_shop()
    odd = json.dumps({"boot_id": "b\0\ud800", "upto": "\0"}).encode()
    raw = b'{"boot_id": "b\0"}'
    for name in ("sortie/v1/tiny/node-shelf/died", "sortie/v1/tiny/node-\0shelf/pong", "a\0b"):
        for payload in (odd, raw, b"\0", b'"\xed\xa0\x80"'):
            assert shop.hub.ingest([(name, payload)], 1.0) == []
    assert shop.hub.export_json()["dead_letters"]["count"] == 12
    day.scan(1.0, "CODE-TO-BE-REPLACED")
    for escaped in (b"\\u0000-NUL-IN-A-CODE", b"\\ud800-HALF-A-CHARACTER"):
        script = [
            (
                n,
                p.replace(b"CODE-TO-BE-REPLACED", escaped).replace(
                    b"boot-1", b"boot" + escaped[2:6]
                ),
            )
            for _, n, p in day.script
        ]
        assert len(shop.hub.ingest(script, 1.0)) == 2
    digest = shop.hub.digest()
    shop.hub.recover()
    assert shop.hub.digest() == digest


def test_a_store_that_is_busy_stores_nothing_and_says_so(store: Store, backend: str) -> None:
    other = create_engine(store.url)
    impatient = "PRAGMA busy_timeout=1" if backend == "sqlite" else "SET lock_timeout = 50"
    store._writer.exec_driver_sql(impatient)
    store._writer.commit()
    with other.connect() as blocker:
        blocker.exec_driver_sql(
            "BEGIN IMMEDIATE" if backend == "sqlite" else "LOCK TABLE inbox IN EXCLUSIVE MODE"
        )
        with pytest.raises(StoreWriteError, match=r"locked|lock timeout"):
            store.write(filled((t.inbox, [message(1)])))
        blocker.rollback()
    other.dispose()
    assert store.count(t.inbox) == 0
    store.write(filled((t.inbox, [message(1)])))


def test_a_full_disk_stores_nothing_and_says_so(store: Store, backend: str) -> None:
    big = [message(k, payload="x" * 4_000) for k in range(1, 200)]
    if backend == "sqlite":
        pages = store._writer.exec_driver_sql("PRAGMA page_count").scalar_one()
        store._writer.exec_driver_sql(f"PRAGMA max_page_count={pages + 20}")
        store._writer.commit()
    else:
        # PostgreSQL reports a full disk as an error of this class; a trigger raises the same.
        with store._writer.begin():
            store._writer.exec_driver_sql(
                "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                "IF NEW.position > 100 THEN RAISE EXCEPTION 'No space left on device' "
                "USING ERRCODE = 'disk_full'; END IF; RETURN NEW; END $$"
            )
            store._writer.exec_driver_sql(
                "CREATE TRIGGER full_disk BEFORE INSERT ON inbox FOR EACH ROW "
                "EXECUTE FUNCTION full_disk()"
            )
    with pytest.raises(StoreWriteError, match=r"full|No space left"):
        store.write(filled((t.inbox, big), (t.events, events(2))))
    assert store.count(t.inbox) == store.count(t.events) == 0
    assert store.last_position() == 0
    store.write(filled((t.inbox, [message(1)])))


class _Refused(NoLease):
    def fence(self, connection: Any) -> None:
        raise LeaseLostError("another hub has it")


def test_without_its_lease_nothing_is_stored(store: Store) -> None:
    store.write(filled((t.inbox, [message(1)])))
    store.lease = _Refused()
    for attempt in (
        lambda: store.write(filled((t.inbox, [message(2)]))),
        lambda: store.mark_dead("node", "boot", 1),
        lambda: store.prune(5, 1 << 60),
    ):
        with pytest.raises(LeaseLostError):
            attempt()
    assert [row["dead"] for row in store.rows(t.inbox)] == [False]


def test_an_older_program_leaves_a_newer_database_alone(store: Store, url: str) -> None:
    with store._writer.begin():
        store._writer.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="newer program"):
        Store(url)


# ---------------------------------------------------------------- PostgreSQL's own


def _end_sessions(url: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    engine.dispose()


@pytest.mark.parametrize("backend", ["postgresql"])
def test_a_lost_connection_stores_nothing_and_the_next_commit_finds_a_new_one(
    store: Store,
) -> None:
    store.write(filled((t.inbox, [message(1)])))
    _end_sessions(store.url)
    with pytest.raises(StoreWriteError, match="nothing was stored"):
        store.write(filled((t.inbox, [message(2)])))
    assert store.count(t.inbox) == 1
    store.write(filled((t.inbox, [message(2)])))
    assert store.count(t.inbox) == 2


@pytest.mark.parametrize("backend", ["postgresql"])
@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_a_hub_recovers_when_its_server_was_restarted(
    make_shop: Callable[..., Any], day: Any, postgres: Any, how: str
) -> None:
    shop = make_shop("hub")
    shop.open_visit("code-one")
    before = shop.hub.digest()
    name, payload = day.script[0][1:]
    postgres.stop(how)
    try:
        with pytest.raises(StoreWriteError):
            shop.hub.ingest([(name, payload)], 1.0)
        with pytest.raises(StoreError):
            shop.hub.recover()
        with pytest.raises(HubHaltedError):
            shop.hub.tick(1.0)
    finally:
        postgres.start()
    shop.hub.recover()
    assert shop.hub.digest() == before
    acks = shop.hub.ingest([(name, payload)], 2.0)
    assert [m.HubAck.model_validate_json(a.payload).upto_seq for a in acks] == [0]
    assert shop.hub.export_json()["inbox"][0]["sequence"] == 0


def test_two_programs_may_make_the_tables_at_once(postgres: Any) -> None:
    name = postgres.create()
    faults: list[StoreError] = []

    def make() -> None:
        try:
            Store(postgres.url(name)).close()
        except StoreError as error:
            faults.append(error)

    threads = [threading.Thread(target=make) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    postgres.drop(name)
