"""Two hubs, one PostgreSQL, a real broker: one dies or is stopped, the other goes on.

Nothing that was acknowledged is lost, nothing takes effect twice, the books are in order, and the
other owns the store within ten seconds. An owner that was stopped and wakes up neither stores nor
acknowledges anything.
"""

from __future__ import annotations

import math
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from auditor.ledger import audit
from sortie.broker import broker_command, write_broker_files
from sortie.supervisor import free_port, wait_for_port
from tests.hub.process_kit import DEADLINE_S, Process, Wire, environment_of, until

TAKEN_OVER_S = 10.0
SHOPPERS = 4
RESEND_S = 0.2
COLA, BREAD = "4006381333931", "5901234123457"


class Outbox(Wire):
    """Nodes: what happens is sent as it happens, and again until it is acknowledged."""

    def __init__(self, port: int, password: str, script: list[tuple[float, str, bytes]]) -> None:
        super().__init__(port, password)
        self.script = script
        self._began_s = time.monotonic()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def waiting(self) -> list[tuple[float, str, bytes]]:
        """What has happened and is not acknowledged."""
        return self.unacked(time.monotonic() - self._began_s)

    def unacked(self, now_s: float) -> list[tuple[float, str, bytes]]:
        """Of what happens until then, what is not acknowledged."""
        counts: dict[str, int] = {}
        found = []
        for row in [row for row in self.script if row[0] <= now_s]:
            device = row[1].split("/")[3]
            counts[device] = counts.get(device, -1) + 1
            if counts[device] > self.acked(device):
                found.append(row)
        return found

    def _send(self) -> None:
        while not self._stopping.wait(RESEND_S):
            self.send(self.waiting())

    def close(self) -> None:
        self._stopping.set()
        self._thread.join()
        super().close()


class Pair:
    """Two hubs of one store."""

    def __init__(self, folder: Path, store: str, url: str, broker: tuple[int, str]) -> None:
        self.hubs: dict[str, Process] = {}
        self.ports = {name: free_port() for name in ("one", "two")}
        self._gateway = folder / "gateway.sqlite"
        for name, port in self.ports.items():
            environment = environment_of(
                folder,
                store,
                port=port,
                database_url=url,
                owner_name=name,
                entry_keys_file=folder / "entry-keys.json",
                mqtt_port=broker[0],
                mqtt_username="hub",
                mqtt_password=broker[1],
                rules__settle_delay_s=0,
                # The shoppers' phones turn no codes: these must outlive a take-over.
                rules__code_overlap_s=DEADLINE_S,
                rules__clock_wait_s=0,
            )
            self.hubs[name] = Process(environment, folder / f"{name}.log", "tests.hub.hub_rig")
            self.hubs[name].until_logged("hub.listening" if name == "one" else "hub.standby")

    def ask(self, name: str, path: str) -> httpx.Response | None:
        """What a hub answers; None if it does not."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.ports[name]}{path}", timeout=5.0)
        except httpx.TransportError:
            return None

    def ready(self, name: str) -> bool:
        """Whether a hub owns the store and can work."""
        answer = self.ask(name, "/readyz")
        return answer is not None and answer.status_code == 200

    def hit(self, name: str, how: signal.Signals) -> None:
        """Sends a hub a signal between two writes of the gateway's file, which both hubs open: a
        gateway of its own would not stop because a hub that asks it does."""
        with closing(sqlite3.connect(self._gateway, timeout=DEADLINE_S)) as gateway:
            gateway.execute("BEGIN IMMEDIATE")
            self.hubs[name].child.send_signal(how)
            until(lambda: _state(self.hubs[name].child.pid) in "TZ")

    def export(self, name: str) -> dict[str, Any]:
        """What the auditor reads."""
        answer = self.ask(name, "/api/v1/audit/export")
        assert answer is not None
        found: dict[str, Any] = answer.json()
        return found

    def close(self) -> None:
        for hub in self.hubs.values():
            hub.child.send_signal(signal.SIGCONT)
            hub.child.kill()
            hub.child.wait(DEADLINE_S)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[tuple[int, str]]:
    port = free_port()
    files = write_broker_files(
        tmp_path / "broker", store_id="tiny", node_ids=["node-shelf", "node-floor"], port=port
    )
    child = subprocess.Popen(broker_command(files), stderr=subprocess.DEVNULL)
    until(wait_for_port(port))
    yield port, files.passwords["hub"]
    child.terminate()
    child.wait(DEADLINE_S)


@pytest.fixture
def pair(
    tmp_path: Path, store_text: str, postgres_url: Callable[[str], str], broker: tuple[int, str]
) -> Iterator[Pair]:
    made = Pair(tmp_path, store_text, postgres_url("hub"), broker)
    yield made
    made.close()


def _state(pid: int) -> str:
    """A process's state letter (proc(5))."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]


def _shoppers(pair: Pair, day: Any) -> None:
    """Visits of shoppers who come one after another, and the script of their day."""
    for index in range(SHOPPERS):
        url = f"http://127.0.0.1:{pair.ports['one']}/api/v1/phones/visits"
        opened = httpx.post(url).json()
        begin_s = 0.5 + 2.0 * index
        day.shop(begin_s, f"t{index}", opened["code"], [(COLA, True), (BREAD, True)])
    last_s = 5.0 + 2.0 * SHOPPERS
    day.watermark(last_s)
    day.step(last_s, "other", 3.0, 2.0)
    day.script.sort(key=lambda row: row[0])


def _settled(pair: Pair, name: str) -> bool:
    if not pair.ready(name):
        return False
    found = pair.export(name)
    return len(found["receipts"]) == SHOPPERS and all(
        hold["state"] in ("captured", "voided") for hold in found["holds"]
    )


def _check(export: dict[str, Any], day: Any) -> None:
    """Every message once, every shopper charged once, the books in order."""
    taken = [(row["device_id"], row["sequence"]) for row in export["inbox"]]
    assert len(taken) == len(set(taken)) == len(day.script)
    assert [len(receipt["lines"]) for receipt in export["receipts"]] == [2] * SHOPPERS
    assert {receipt["total_minor"] for receipt in export["receipts"]} == {119 + 249}
    assert export["gateway"]["captured_minor"] == SHOPPERS * (119 + 249)
    assert {name: rows for name, rows in audit(export).items() if rows} == {}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_the_other_hub_takes_over_and_nothing_is_lost_or_doubled(
    pair: Pair, day: Any, broker: tuple[int, str], how: signal.Signals
) -> None:
    assert pair.ready("one")
    standby = pair.ask("two", "/readyz")
    assert standby is not None
    assert (standby.status_code, standby.json()["role"]) == (503, "standby")
    alive, elsewhere = pair.ask("two", "/healthz"), pair.ask("two", "/api/v1/staff/state")
    assert alive is not None
    assert elsewhere is not None
    assert (alive.status_code, elsewhere.status_code) == (200, 503)
    _shoppers(pair, day)
    nodes = Outbox(*broker, day.script)
    try:
        nodes.wait(lambda: nodes.acked("node-shelf") > 5)
        pair.hit("one", how)
        assert until(lambda: pair.ready("two")) < TAKEN_OVER_S
        until(lambda: _settled(pair, "two") and not nodes.unacked(math.inf))
        if how is signal.SIGSTOP:
            _wake(pair, nodes)
        export = pair.export("two")
        _check(export, day)
        for device in ("node-shelf", "node-floor"):
            stored = [r["sequence"] for r in export["inbox"] if r["device_id"] == device]
            assert nodes.acked(device) == max(stored), "what was acknowledged is stored"
    finally:
        nodes.close()


def _wake(pair: Pair, nodes: Outbox) -> None:
    """The stopped owner goes on where it was, and must find that it is none any more."""
    heard = len(nodes.heard)
    pair.hubs["one"].child.send_signal(signal.SIGCONT)
    pair.hubs["one"].until_logged("hub.lease_lost")
    pair.hubs["one"].until_logged("hub.standby")
    until(lambda: pair.ready("two"))
    answer = pair.ask("one", "/readyz")
    assert answer is not None
    assert answer.json()["role"] == "standby"
    acks = [name for name, _ in nodes.heard[heard:] if name.endswith("/ack")]
    assert acks == [], "nobody sent anything, so that only the woken hub could have answered"


def test_a_hub_that_is_told_to_stop_hands_over_at_once(pair: Pair) -> None:
    assert pair.hubs["one"].end(signal.SIGTERM) == 0
    assert until(lambda: pair.ready("two")) < TAKEN_OVER_S
    assert pair.hubs["two"].said("epoch=2")
    assert pair.hubs["two"].end(signal.SIGTERM) == 0
