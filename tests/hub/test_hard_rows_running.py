"""Rows of the hard cases that are about running: each test is named after its row.

Nothing is lost, nothing counts twice, the hub lives, and the auditor finds the books in order.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from auditor.ledger import audit
from contracts import messages as m
from contracts.topics import TOPICS, topic
from hub.commands import TrustDevice
from hub.dead_letters import PER_MINUTE_MAX
from hub.driver import Driver
from hub.errors import HubHaltedError, RejectedError, StoreWriteError
from hub.store import tables as t
from hub.wallet.fake import FakeGateway
from sortie.broker import BrokerFiles, broker_command, write_broker_files
from sortie.supervisor import free_port, wait_for_port
from tests.hub.process_kit import DEADLINE_S, Process, Wire, environment_of, until

COLA, BREAD = "4006381333931", "5901234123457"
SMALL_BYTES = 1_500_000


def in_order(shop: Any) -> None:
    """The chains hold and the auditor finds nothing."""
    shop.hub.store.verify()
    findings = audit(shop.hub.export_json())
    assert {name: rows for name, rows in findings.items() if rows} == {}


# ---------------------------------------------------------------- disk full, I/O error, locked

FILLER = """
import resource, sys
from pathlib import Path
from hub.errors import StoreWriteError
from hub.store import tables as t
from hub.wallet.fake import FakeGateway
from hub.store.rows import Rows
from hub.store.service import Store
store = Store(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
position = 0
while True:
    rows = Rows()
    for _ in range(20):
        position += 1
        row = {"position": position, "at_us": 0, "kind": "x", "payload": "y" * 2000}
        rows.insert(t.commands, row)
    try:
        store.write(rows)
    except StoreWriteError as error:
        print(error)
        break
print(position, store.count(t.commands))
"""


def test_disk_full_of_a_file_that_may_grow_no_more(tmp_path: Path) -> None:
    """The kernel refuses to let the file grow: of the last commit nothing is there."""
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    done = subprocess.run(
        [sys.executable, "-c", FILLER, url, str(SMALL_BYTES)],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        cwd=Path(__file__).parents[2],
        check=True,
    )
    said, counts = done.stdout.splitlines()
    assert "nothing was stored" in said
    tried, stored = map(int, counts.split())
    assert stored == tried - 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of two megabytes; where nobody may mount one, the test has nothing to stand on."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)], capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("only root may mount a small disk; the limit on a file's size is tested above")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_disk_full_fails_closed_raises_the_alarm_and_mends(
    make_shop: Callable[..., Any], day: Any, small_disk: Path
) -> None:
    gateway = FakeGateway()
    shop = make_shop(str(small_disk / "hub.sqlite"), gateway=gateway)
    driver = Driver(shop.hub, lambda: shop.now_s)
    shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(COLA, True), (BREAD, True)])
    filler = small_disk / "somebody-elses"
    shop.play(day.script[:8], 1.2)
    before = shop.hub.export_json()
    free = os.statvfs(small_disk)
    filler.write_bytes(bytes(free.f_bavail * free.f_frsize))
    shop.now_s = 1.4
    batch = [(topic("events", store_id="tiny", device_id="node-shelf"), b"x" * 60_000)] * 20
    with pytest.raises(StoreWriteError, match=r"full|I/O"):
        shop.hub.ingest(batch, shop.now_s)
    with pytest.raises(HubHaltedError):
        shop.hub.ingest([row[1:] for row in day.script], shop.now_s)
    assert driver.readiness()["database"] is False
    filler.unlink()
    shop.hub.recover()
    after = shop.hub.export_json()
    assert {**after, "gateway": None} == {**before, "gateway": None}, "no half entry"
    shop.play(day.script, 20.0)
    assert len(shop.hub.export_json()["receipts"]) == 1
    in_order(shop)
    gateway.close()


def test_io_error_raises_the_alarm_and_nothing_is_acknowledged(
    make_shop: Callable[..., Any], day: Any
) -> None:
    shop = make_shop("hub.sqlite")
    writer = shop.hub.store._writer
    raw = writer.connection.driver_connection
    writer.rollback()
    # The database itself refuses in the middle of a commit.
    usual = raw.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 200)
    with pytest.raises(StoreWriteError):
        shop.hub.ingest([row[1:] for row in day.script], 1.0)
    assert shop.hub.halted is not None
    raw.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, usual)
    assert shop.hub.store.count(t.inbox) == 0
    shop.hub.recover()
    assert len(shop.hub.ingest([row[1:] for row in day.script], 1.0)) == 2


def test_database_locked_by_another_process(make_shop: Callable[..., Any], day: Any) -> None:
    shop = make_shop("hub.sqlite")
    shop.hub.store._writer.exec_driver_sql("PRAGMA busy_timeout=20")
    shop.hub.store._writer.commit()
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); "
            "c.execute('BEGIN EXCLUSIVE'); print('held', flush=True); sys.stdin.read()",
            shop.hub.store.url.removeprefix("sqlite:///"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(StoreWriteError, match="locked"):
        shop.hub.ingest([row[1:] for row in day.script], 1.0)
    assert shop.hub.halted is not None
    holder.kill()
    holder.communicate()
    shop.hub.recover()
    assert len(shop.hub.ingest([row[1:] for row in day.script], 1.0)) == 2
    assert shop.hub.store.count(t.inbox) == len(day.script)


# ---------------------------------------------------------------- hub down, broker SIGKILL


def test_hub_down_for_ten_minutes_with_more_than_a_thousand_messages_waiting(
    make_shop: Callable[..., Any], day: Any
) -> None:
    shop = make_shop("hub.sqlite")
    shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(COLA, True), (BREAD, True)])
    shop.play(day.script, 3.0)
    shop.hub.close()
    told = len(day.script)
    for index in range(1_200):
        at_s = 9.0 + index / 2
        day.step(at_s, "somebody", 3.0, 2.0)
        if index % 50 == 0:
            day.watermark(at_s)
    again = make_shop("hub.sqlite", gateway=shop.hub.gateway)
    again.now_s = 620.0
    waiting = [row[1:] for row in sorted(day.script, key=lambda row: row[0])]
    acks = again.hub.ingest(waiting, 620.0)
    assert len(waiting) > told + 1_000
    upto = {a.topic: m.HubAck.model_validate_json(a.payload).upto_seq for a in acks}
    assert max(upto.values()) == day.floor.sequence - 1
    again.play([], 700.0)
    export = again.hub.export_json()
    assert len(export["inbox"]) == len(day.script)
    assert [len(receipt["lines"]) for receipt in export["receipts"]] == [2]
    in_order(again)


@pytest.fixture
def files(tmp_path: Path) -> BrokerFiles:
    return write_broker_files(
        tmp_path / "broker",
        store_id="tiny",
        node_ids=["node-shelf", "node-floor"],
        port=free_port(),
    )


def test_broker_sigkill_and_the_nodes_send_again(
    tmp_path: Path, store_text: str, day: Any, files: BrokerFiles
) -> None:
    def begin() -> subprocess.Popen[bytes]:
        child = subprocess.Popen(broker_command(files), stderr=subprocess.DEVNULL)
        until(wait_for_port(files.port))
        return child

    for index in range(40):
        day.step(1.0 + index / 10, "somebody", 3.0, 2.0)
    broker = begin()
    environment = environment_of(
        tmp_path,
        store_text,
        port=0,
        mqtt_port=files.port,
        mqtt_username="hub",
        mqtt_password=files.passwords["hub"],
        rules__clock_wait_s=0,
    )
    hub = Process(environment, tmp_path / "log")
    wire = None
    try:
        hub.until_logged("hub.listening")
        wire = Wire(files.port, files.passwords["hub"])
        wire.send(day.script[:20])
        wire.wait(lambda: wire is not None and wire.acked("node-floor") >= 10)
        broker.kill()
        broker.wait(DEADLINE_S)
        wire.close()
        broker = begin()
        wire = Wire(files.port, files.passwords["hub"])

        def told() -> bool:
            assert wire is not None
            wire.send(day.script)
            return bool(wire.acked("node-floor") == day.floor.sequence - 1)

        until(told)
    finally:
        if wire is not None:
            wire.close()
        hub.child.kill()
        hub.child.wait(DEADLINE_S)
        broker.kill()
        broker.wait(DEADLINE_S)


# ---------------------------------------------------------------- rogue, revoked or stolen node


def dead(shop: Any) -> list[str]:
    """Why messages were refused."""
    return [row["reason"] for row in shop.hub.store.rows(t.dead_letters, "number")]


def test_rogue_revoked_or_stolen_node_is_refused_and_logged(
    make_shop: Callable[..., Any], day: Any
) -> None:
    shop = make_shop("hub.sqlite")
    shelf = [row[1:] for row in day.script if "node-shelf" in row[1]]
    shop.hub.ingest(shelf, 1.0)
    assert shop.hub.command(TrustDevice(device_id="node-shelf", trusted=False), 2.0)
    again = shop.hub.command(TrustDevice(device_id="node-shelf", trusted=False), 2.0)
    assert again.repeated
    before = shop.hub.export_json()["inbox"]
    day.script.clear()
    day.watermark(3.0)
    stolen = [row[1:] for row in day.script]
    forged = [(topic("events", store_id="tiny", device_id="node-floor"), stolen[0][1])]
    stranger = [(topic("events", store_id="tiny", device_id="stranger"), b"{}")]
    pong = [(topic("pong", store_id="tiny", device_id="node-shelf"), b"{}")]
    assert shop.hub.ingest([*stolen, *forged, *stranger, *pong], 3.0) == []
    assert shop.hub.export_json()["inbox"] == before
    assert "node-shelf is revoked" in dead(shop)[0]
    assert "expected device node-floor on its topic, got node-shelf" in dead(shop)[1]
    assert "node-shelf is revoked" in dead(shop)[3]
    digest = shop.hub.digest()
    shop.hub.recover()
    assert shop.hub.digest() == digest
    shop.hub.compact(3.5)
    shop.hub.recover()
    assert shop.hub.core.state.devices.all["node-shelf"].revoked
    shop.hub.command(TrustDevice(device_id="node-shelf", trusted=True), 4.0)
    acks = shop.hub.ingest(stolen, 4.0)
    assert m.HubAck.model_validate_json(acks[0].payload).upto_seq == 1
    kinds = [event["kind"] for event in shop.hub.export_json()["events"]]
    assert kinds[-2:] == ["device.revoked", "device.reinstated"]
    with pytest.raises(RejectedError, match="node-floor, node-shelf"):
        shop.hub.command(TrustDevice(device_id="stranger", trusted=False), 4.0)


def test_rogue_node_cannot_fill_the_disk_with_what_is_refused(shop: Any) -> None:
    name = topic("events", store_id="tiny", device_id="node-shelf")
    shop.hub.ingest([(name, b"no message")] * (PER_MINUTE_MAX + 50), 60.0)
    assert shop.hub.store.count(t.dead_letters) == PER_MINUTE_MAX
    assert shop.hub.live.counts["dead_letters_dropped"] == 50
    shop.hub.ingest([(name, b"no message")], 121.0)
    assert shop.hub.store.count(t.dead_letters) == PER_MINUTE_MAX + 1


# ---------------------------------------------------------------- malformed, huge, negative, NaN

ODD = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40)
    | st.sampled_from([1e308, -1e308, float("nan"), float("inf"), -1, 2**63, 2**200])
    | st.sampled_from(["\0", "\ud800", "9" * 400])
)  # fmt: skip
CHANNELS = sorted(TOPICS)
FUZZ = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def _places(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value."""
    yield here
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _places(inner, (*here, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _places(inner, (*here, index))


def _put(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    """The document with another value at a place."""
    if not place:
        return value
    copy = dict(document) if isinstance(document, dict) else list(document)
    copy[place[0]] = _put(document[place[0]], place[1:], value)
    return copy


@pytest.fixture
def samples(day: Any) -> list[dict[str, Any]]:
    """A good message of every kind."""
    day.shop(1.0, "t1", "code-one", [(COLA, True)])
    outage = m.SensorOutage(sensor_id="cam", kind="camera", bay_id="bay-a", blind=True, t_s=1.0)
    day.say(day.shelf, 9.0, outage)
    kinds: dict[str, dict[str, Any]] = {}
    for _, _, payload in day.script:
        document = json.loads(payload)
        kinds.setdefault(document["type"], document)
    assert len(kinds) == 7
    return list(kinds.values())


def _still_works(hub: Any, boot: str) -> None:
    """A good message is taken, and the database leads to the same state."""
    good = {
        "specversion": "1.0", "id": "x", "source": "s", "type": "sortie.node.watermark.v1",
        "time": "2026-01-01T00:00:00Z", "storeid": "tiny", "deviceid": "node-shelf",
        "bootid": boot, "sequence": 0, "monotonicus": 1, "configrevision": 1,
        "data": {"t_s": 1.0, "last_seq": 0},
    }  # fmt: skip
    acks = hub.ingest([json.dumps(good).encode()], 5.0)
    assert m.HubAck.model_validate_json(acks[0].payload).upto_seq == 0
    hub.tick(5.2)
    # What had no effect may be unstored; the export stores it.
    hub.export_json()
    digest = hub.digest()
    hub.recover()
    assert hub.digest() == digest


@FUZZ
@given(data=st.data())
def test_malformed_huge_negative_and_nan_payloads_are_dead_letters_and_the_hub_lives(
    make_shop: Callable[..., Any], samples: list[dict[str, Any]], data: Any
) -> None:
    shop = make_shop()
    sequences: dict[str, int] = {}
    for _ in range(data.draw(st.integers(1, 6))):
        document = data.draw(st.sampled_from(samples))
        device = document["deviceid"]
        document = {**document, "sequence": sequences.get(device, 0), "bootid": "fuzz"}
        sequences[device] = document["sequence"] + 1
        for _ in range(data.draw(st.integers(1, 2))):
            place = data.draw(st.sampled_from(sorted(_places(document), key=str)))
            document = _put(document, place, data.draw(ODD))
        payload = json.dumps(document).encode(errors="surrogatepass")
        if data.draw(st.booleans()):
            cut = data.draw(st.integers(0, len(payload)))
            payload = payload[:cut] + data.draw(st.binary(max_size=8)) + payload[cut:]
        channel = data.draw(st.sampled_from(CHANNELS))
        name = topic(channel, store_id="tiny", device_id=device)
        shop.hub.ingest([(name if channel != "events" else "", payload)], 2.0)
        shop.hub.tick(2.2)
    _still_works(shop.hub, "after")
    in_order(shop)
    shop.hub.close()


@FUZZ
@given(
    deliveries=st.lists(
        st.tuples(
            st.text(max_size=60)
            | st.builds(
                "sortie/v1/tiny/{}/{}".format,
                st.sampled_from(["node-shelf", "node-floor", "stranger", "+", "#"]),
                st.sampled_from([*CHANNELS, "none"]),
            ),
            st.binary(max_size=200) | st.just(b"[" * 50_000) | st.just(b'{"a":' * 5_000),
        ),
        max_size=8,
    )
)
def test_malformed_bytes_on_any_topic_leave_the_hub_alive(
    make_shop: Callable[..., Any], deliveries: list[tuple[str, bytes]]
) -> None:
    shop = make_shop()
    shop.hub.ingest(deliveries, 1.0)
    assert shop.hub.export_json()["dead_letters"]["count"] == len(deliveries)
    _still_works(shop.hub, "after")
    shop.hub.close()


def test_huge_batches_are_taken_in_commits_of_a_bounded_size(shop: Any) -> None:
    name = topic("events", store_id="tiny", device_id="node-shelf")
    huge = [(name, b"x" * 262_144)] * 600
    before = shop.hub.live.counts.get("commits", 0)
    shop.hub.ingest(huge, 1.0)
    assert shop.hub.live.counts["commits"] - before >= 3
    sizes = {len(row["payload"]) for row in shop.hub.store.rows(t.dead_letters)}
    assert sizes == {65_536}


HUGE = (2**63, 10**30, 10**400)


@pytest.mark.parametrize("huge", HUGE)
def test_numbers_that_no_column_holds_are_refused(shop: Any, huge: int) -> None:
    """Each where a message has a whole number of no fixed size."""
    hub = shop.hub
    topics = "sortie/v1/tiny/node-shelf"
    hub.ingest([_whole(0, m.NodeBorn(software="test", config_revision=1).model_dump())], 1.0)
    evidence = {
        "evidence_id": "e1", "sha256": "0" * 64, "media_type": "image/jpeg", "bytes": huge,
        "expires_s": 9.0,
    }  # fmt: skip
    reach = {
        "reach_id": "r1", "bay_id": "bay-a", "t_open_s": 1.0, "t_close_s": 2.0, "u_m": 0.1,
        "camera_ok": True, "plates_ok": True, "evidence": [evidence],
    }  # fmt: skip
    born = {"software": "test", "config_revision": huge}
    for sequence, (kind, data) in enumerate(
        [("sortie.reach.closed.v1", reach), ("sortie.node.born.v1", born)], 1
    ):
        hub.ingest([_whole(sequence, data, kind)], 2.0)
    for numbers in ((huge, 1), (1_000_000, huge)):
        pong = {"hub_us": numbers[0], "boot_id": "boot-1", "device_us": numbers[1]}
        hub.ingest([(f"{topics}/pong", json.dumps(pong).encode())], 2.0)
    for name in ("outbox_waiting", "cpu_share"):
        health = {"boot_id": "boot-1", "t_s": 1.0, name: huge}
        hub.ingest([(f"{topics}/health", json.dumps(health).encode())], 2.0)
    hub.tick(3.0)
    assert hub.halted is None
    hub.compact(4.0)
    hub.recover()


def _whole(sequence: int, data: Any, kind: str = "sortie.node.born.v1") -> bytes:
    return json.dumps(
        {
            "specversion": "1.0", "id": "x", "source": "s", "type": kind,
            "time": "2026-01-01T00:00:00Z", "storeid": "tiny", "deviceid": "node-shelf",
            "bootid": "boot-1", "sequence": sequence, "monotonicus": 1, "configrevision": 1,
            "data": data,
        }
    ).encode()  # fmt: skip
