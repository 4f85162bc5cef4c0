"""Killed at every single write and sync of a visit: what was answered stays, and all ends alike.

The whole of a visit on one hub: code, hold, two pieces, exit, capture, a price, a refund. Each run
is killed once, one write later than the run before; whoever got no answer asks again.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, Literal

from auditor.ledger import audit
from contracts import messages as m
from contracts.codec import encode, envelope
from hub.attribution.engine import Engine
from hub.command import Command
from hub.commands import ChangePrice, OpenVisit, RefundLine, RefundVisit, Restock
from hub.errors import ConflictError, HubError, RejectedError
from hub.rules import Rules
from hub.service import Hub
from hub.wallet.fake import FakeGateway
from sortie.torture.disk import Disk
from sortie.torture.run import scratch
from sortie.torture.shop import closed, layout, places
from sortie.torture.vfs import layered

BOUNDARIES_MIN = 100
PLACE = places()[0]
CODE = "code-of-the-one-visit"
VISIT = "v-" + hashlib.sha256(CODE.encode()).hexdigest()[:20]
RULES = Rules(clock_wait_s=0.0)


@dataclass
class Script:
    """What is asked of the hub, in order: a command, or all letters so far and a tick."""

    asks: list[tuple[float, Command | int]] = field(default_factory=list)
    letters: list[bytes] = field(default_factory=list)
    now_s: float = 100.0
    numbers: dict[str, int] = field(default_factory=dict)

    def ask(self, command: Command) -> None:
        """Somebody asks for something."""
        self.now_s += 0.5
        self.asks.append((self.now_s, command))

    def send(self) -> None:
        """Letters arrive, with all before them: nobody knows which ones were taken."""
        self.now_s += 0.5
        self.asks.append((self.now_s, len(self.letters)))

    def say(self, device_id: str, message: m.Message) -> None:
        """The next letter of a node."""
        number = self.numbers.get(device_id, 0)
        self.numbers[device_id] = number + 1
        item = envelope(
            message,
            store_id=layout().store_id,
            device_id=device_id,
            boot_id="boot",
            sequence=number,
            monotonic_us=round(self.now_s * 1e6),
            config_revision=1,
            time=datetime(2026, 1, 1, tzinfo=UTC),
        )
        self.letters.append(encode(item))

    def walk(self, x_m: float, y_m: float, state: Literal["born", "alive"] = "alive") -> None:
        """The one shopper goes there."""
        self.now_s += 0.5
        point = m.TrackPoint(t_s=self.now_s, x_m=x_m, y_m=y_m, sd_m=0.1)
        segment = m.TrackSegment(track_id="t", state=state, points=(point,))
        self.say("node-floor", m.FloorTracksMoved(t_s=self.now_s, segments=(segment,)))


def _visit() -> Script:
    script = Script()
    script.ask(OpenVisit(token_sha256="a" * 64, code=CODE, payer="somebody"))
    for node in layout().nodes:
        script.say(node.node_id, m.NodeBorn(software="t", config_revision=1, floor=node.floor))
    script.walk(1.0, 0.4, "born")
    script.say("node-floor", m.GateScanned(gate_id="entry", code=CODE, t_s=script.now_s))
    script.send()
    for number in range(2):
        begin_s = script.now_s
        for _ in range(4):
            script.walk(PLACE.x_m, PLACE.y_m)
        reach = closed(
            PLACE, f"r{number}", quantity=1, clear=True,
            t_in_s=begin_s + 0.5, t_out_s=begin_s + 1.5,
        )  # fmt: skip
        script.say(PLACE.node_id, reach)
        script.send()
    for x_m, y_m in ((4.0, 2.0), (7.0, 2.0), (7.0, 0.6), (7.0, 0.05)):
        script.walk(x_m, y_m)
    script.now_s += 2.0
    for node in layout().nodes:
        last = script.numbers[node.node_id] - 1
        script.say(node.node_id, m.Watermark(t_s=script.now_s, last_seq=last))
    for _ in range(6):
        script.send()
    script.ask(Restock(slot_id=places()[3].slot_id, gtin=places()[3].gtin, quantity=0))
    script.ask(ChangePrice(gtin=places()[5].gtin, price_minor=77))
    script.ask(
        RefundVisit(refund_id="one", visit_id=VISIT, lines=(RefundLine(line=1, quantity=1),))
    )
    script.send()
    return script


def _play(script: Script, disk: Disk, gateway: FakeGateway) -> tuple[dict[str, Any], int]:
    """Asks everything until it is answered; the export at the end, and how often the disk was used
    until then."""
    hub = None
    for now_s, what in script.asks:
        while True:
            try:
                if hub is None:
                    hub = _open(disk, gateway)
                    hub.start(now_s)
                _ask(hub, script, what, now_s)
            except HubError:
                assert disk.dead is not None, "nothing else goes wrong here"
            if disk.dead is None:
                break
            if hub is not None:
                hub.close()
                hub = None
            disk.crash(Random(now_s))
    assert hub is not None
    operations = disk.operations
    disk.mend()
    export, digest = hub.export_json(), hub.digest()
    hub.close()
    again = _open(disk, gateway)
    assert again.digest() == digest
    again.close()
    return export, operations


def _open(disk: Disk, gateway: FakeGateway) -> Hub:
    url = f"sqlite:///{disk.where / 'hub.sqlite'}"
    return Hub.open(layout(), url=url, attributor=Engine, gateway=gateway, rules=RULES)


def _ask(hub: Hub, script: Script, what: Command | int, now_s: float) -> None:
    if isinstance(what, int):
        hub.ingest(script.letters[:what], now_s)
        hub.tick(now_s)
        return
    try:
        hub.command(what, now_s)  # type: ignore[arg-type]
    except ConflictError:
        # It was done already, and the answer was lost.
        return
    except RejectedError:
        if isinstance(what, ChangePrice):
            # Done already: a price holds from one moment on only once.
            return
        # The gateway is asked again first.
        hub.tick(now_s)
        hub.command(what, now_s)  # type: ignore[arg-type]


def _outcome(export: dict[str, Any]) -> dict[str, Any]:
    """What must be the same whatever happened on the way."""
    return {
        "receipts": [
            (row["visit_id"], row["total_minor"], row["charged_minor"], len(row["lines"]))
            for row in export["receipts"]
        ],
        "transactions": [(row["tx_id"], row["entries"]) for row in export["transactions"]],
        "holds": export["holds"],
        "gateway": export["gateway"],
        "stock": export["stock"],
        "inbox": len(export["inbox"]),
    }


def test_a_visit_survives_a_kill_at_every_write(tmp_path: Path) -> None:
    """By a kill at every other one, and by a loss of power at those between."""
    script = _visit()
    template = tmp_path / "template"
    disk = Disk(template)
    hub = _open(disk, FakeGateway())
    hub.close()
    with scratch() as folder:
        expected, operations = _one(folder / "clean", template, script, None, 0)
        assert expected["receipts"] == [(VISIT, 238, 238, 1)]
        assert expected["gateway"]["refunded_minor"] == 119
        assert operations >= BOUNDARIES_MIN
        for after in range(1, operations + 1):
            fault: Literal["kill", "power"] = "power" if after % 2 else "kill"
            found, _ = _one(folder / str(after), template, script, fault, after)
            assert found == expected, f"{fault} at operation {after} of {operations}"
            shutil.rmtree(folder / str(after))


def _one(
    folder: Path,
    template: Path,
    script: Script,
    fault: Literal["kill", "power"] | None,
    after: int,
) -> tuple[dict[str, Any], int]:
    """One run on a copy of an empty hub's database; its outcome and how often the disk was used."""
    shutil.copytree(template, folder)
    disk, gateway = Disk(folder), FakeGateway()
    with layered(disk):
        if fault is not None:
            disk.arm(fault, after=after)
        export, operations = _play(script, disk, gateway)
        gateway.close()
    assert {name: rows for name, rows in audit(export).items() if rows} == {}
    return _outcome(export), operations
