"""A node without pixels as a process of its own: `python -m sortie.torture.node_process FILE`.

Outbox, drain and MQTT are production's; what is seen is what the crowd of a seed truly does. The
file is a `NodeWork`. Codes of shoppers come in lines of a file, as they are given out; how things
stand goes out to another, after every step.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from pathlib import Path
from random import Random

from pydantic import BaseModel, ConfigDict, SecretStr

from contracts.codec import encode
from contracts.messages import NodeDied
from contracts.topics import topic
from edge.bus import Letter
from edge.mqtt import MqttBus, MqttSettings
from sortie.torture.disk import Disk
from sortie.torture.nodes import Node
from sortie.torture.people import Shopper, crowd
from sortie.torture.shop import layout

__all__ = ["NodeWork", "people", "run"]

STEP_S = 0.25
BAYS_MAX = 1
"""Real time: nobody waits for those who walk about for long."""


class NodeWork(BaseModel):
    """What a node process is told. `begin_s` is UTC; `boots` is how often it started before."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    node_id: str
    seed: int
    begin_s: float
    crowd_s: float
    folder: Path
    codes: Path
    status: Path
    port: int
    password: SecretStr
    boots: int


class _Line(MqttBus):
    """The production connection, for sortie.torture.nodes."""

    now_s = 0.0

    def opened(self) -> None:
        """The process has one connection; the broker counts it."""


class _Codes:
    """Lines of `[number, code]`; without a code a shopper stays outside."""

    def __init__(self, path: Path, shoppers: list[Shopper]) -> None:
        self._path = path
        self._shoppers = shoppers
        self._read = 0
        for one in shoppers:
            one.turned_away = True

    def step(self) -> None:
        """Takes what was written since."""
        if not self._path.exists():
            return
        lines = self._path.read_text(encoding="utf-8").splitlines()
        for line in lines[self._read :]:
            number, code = json.loads(line)
            self._shoppers[number].code = code
            self._shoppers[number].turned_away = not code
        self._read = len(lines)


def people(seed: int, crowd_s: float) -> list[Shopper]:
    """Who comes, as every process of a run knows it."""
    return crowd(Random(f"people {seed}"), 6.0, crowd_s, bays_max=BAYS_MAX)


def run(path: Path) -> int:
    """Until it is told to stop."""
    work = NodeWork.model_validate_json(path.read_text(encoding="utf-8"))
    shoppers = people(work.seed, work.crowd_s)
    codes = _Codes(work.codes, shoppers)
    topics = {
        name: topic(name, store_id=layout().store_id, device_id=work.node_id)
        for name in ("ack", "ping", "died")
    }
    boot_id = f"{work.node_id}-{work.boots + 1}"
    news = threading.Event()
    line = _Line(
        MqttSettings(port=work.port, username=work.node_id, password=work.password),
        client_id=work.node_id,
        will=Letter(topics["died"], encode(NodeDied(boot_id=boot_id))),
        on_news=news.set,
    )
    line.subscribe((topics["ack"], topics["ping"]))
    node = Node(work.node_id, Disk(work.folder), line, Random(boot_id), shoppers, boots=work.boots)
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    codes.step()
    node.boot(time.time() - work.begin_s)
    line.start()
    while not stopping.is_set():
        codes.step()
        node.step(time.time() - work.begin_s)
        _tell(work.status, node)
        news.wait(STEP_S)
        news.clear()
    line.close()
    node.outbox.close()
    return 0


def _tell(path: Path, node: Node) -> None:
    """Whole or not at all."""
    partial = path.with_suffix(".partial")
    standing = {"stored": node.stored, "acked": node.acked}
    partial.write_text(json.dumps(standing), encoding="utf-8")
    partial.replace(path)


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1])))
