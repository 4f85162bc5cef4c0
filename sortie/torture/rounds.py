"""Kill rounds: real processes, real Mosquitto, real time, SIGKILL; round by round.

    document = run_rounds(20, seed=1)

People shop all the while. In each round the hub, the broker or a node is killed, at a moment of
chance or at a fail point, and comes back; then everything that nodes had stored by then must be
in the hub's database, and the books are audited. When the last round is over the doors close,
every visit must end, and receipts are held against the truth.
"""

from __future__ import annotations

import os
import signal
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import yaml

from sortie.errors import ProcessFailedError
from sortie.serve import StorePlan, StoreProcesses
from sortie.supervisor import Child, Supervisor
from sortie.torture.evidence import Books, Phones, node_child, read_status
from sortie.torture.hub_process import POINT
from sortie.torture.node_process import NodeWork, people
from sortie.torture.points import NAMES
from sortie.torture.run import scratch
from sortie.torture.shop import layout

__all__ = ["Rounds", "run_rounds"]

ROUND_S_MAX = 60.0
"""Within so long after a kill everything is back and has drained."""
END_S_MAX = 150.0
POLL_S = 0.05
KINDS = {"hub": 7, "broker": 3, "node": 3, "hub_and_node": 1}
POINTS = tuple(name for name in NAMES if name != "acked")
"""`acked` is a place of the simulation's own."""
CROWD_S = 8.0
"""So long a crowd for each round, at least."""


def run_rounds(
    rounds: int, *, seed: int = 1, tell: Callable[[str], None] = lambda _line: None
) -> dict[str, Any]:
    """So many rounds; the document of `sortie torture`, its `seeds` being rounds."""
    with scratch() as folder:
        one = Rounds(folder, rounds, seed, tell)
        try:
            one.begin()
            for number in range(1, rounds + 1):
                one.round(number)
            one.end()
        finally:
            one.close()
        return one.document()


class Rounds:
    """The processes of one run and what was found."""

    def __init__(self, folder: Path, rounds: int, seed: int, tell: Callable[[str], None]) -> None:
        store_file = folder / "store.yaml"
        store_file.write_text(yaml.safe_dump(layout().model_dump(mode="json")), encoding="utf-8")
        self._processes = StoreProcesses(
            StorePlan(store_path=store_file, folder=folder / "run", seed=seed)
        )
        self._supervisor = Supervisor(folder / "logs", say=lambda _line: None)
        self._folder = folder
        self._tell = tell
        self._random = Random(f"rounds {seed}")
        self._seed = seed
        self._crowd_s = 30.0 + rounds * CROWD_S
        self._done = 0
        self._faults: Counter[str] = Counter()
        self._node_ids = self._processes.node_ids
        self._boots: Counter[str] = Counter()
        self._point = ""
        self._stored: dict[str, int] = {}
        self._acked: dict[str, int] = {}
        self.shoppers = people(seed, self._crowd_s)
        self._books = Books(self._processes.folder / "hub.sqlite", folder / "copy.sqlite")

    # -- life -------------------------------------------------------------------------------

    def begin(self) -> None:
        """Broker, hub, nodes; then the doors open."""
        self._launch("broker")
        self._supervisor.wait_ready("broker")
        self._launch("hub")
        self._supervisor.wait_ready("hub")
        self._begin_s = time.time()
        self._phones = Phones(
            self._processes.hub_url, self._folder / "codes.jsonl", self.shoppers, self._begin_s
        )
        for node_id in self._node_ids:
            self._launch(node_id)
        self._until(self._heard_again(), "nodes that are heard")

    def round(self, number: int) -> None:
        """Kills, waits until all is well again, audits."""
        kind = self._random.choices(list(KINDS), list(KINDS.values()))[0]
        self._pause(self._random.uniform(0.0, 0.6))
        self._note()
        name = self._kill(kind)
        self._faults[f"killed_{name}"] += 1
        before = time.monotonic()
        self._until(self._all_up, f"everything after {name} was killed")
        self._until(self._heard_again(), f"news of every node after {name} was killed")
        self._books.look(self._acked)
        self._done += 1
        self._tell(
            f"round {number}: {name} killed, whole again after "
            f"{time.monotonic() - before:.1f} s, {len(self._books.violations)} violations"
        )

    def end(self) -> None:
        """The doors close; when everybody has left the books are judged for good."""
        self._phones.close()
        self._pause(1.0)
        limit_s = time.monotonic() + END_S_MAX
        while time.monotonic() < limit_s and not self._books.closed():
            self._pause(0.5)
        self._note()
        stored = dict(self._stored)
        self._until(lambda: self._all_up() and self._books.has(stored), "the last messages")
        for name in (*self._node_ids, "hub"):
            self._stop(name)
        self._books.judge(
            self.shoppers,
            stored=stored,
            since_s=self._begin_s,
            gateway=self._processes.folder / "gateway.sqlite",
        )

    def close(self) -> None:
        """Stops everything."""
        self._supervisor.stop()
        self._processes.close()

    def document(self) -> dict[str, Any]:
        """What was done and found."""
        return {
            "seeds": self._done,
            "visits": self._phones.opened,
            "faults": dict(sorted(self._faults.items())),
            "checks": dict(sorted(self._books.counts.items())),
            "violations": self._books.violations,
        }

    # -- killing ----------------------------------------------------------------------------

    def _kill(self, kind: str) -> str:
        """Kills what the lot fell on and starts it again; returns what that was."""
        if kind == "hub":
            return self._kill_hub()
        if kind == "hub_and_node":
            return f"{self._kill_hub()}_and_{self._kill_node()}"
        if kind == "node":
            return self._kill_node()
        self._sigkill("broker")
        self._launch("broker")
        return "broker"

    def _kill_node(self) -> str:
        node_id = self._random.choice(self._node_ids)
        self._sigkill(node_id)
        self._launch(node_id)
        return node_id

    def _kill_hub(self) -> str:
        """At once; the next one is to be killed again, at a point that it may come to soon."""
        self._sigkill("hub")
        self._point = f"{self._random.choice(POINTS)}:{self._random.randint(1, 12)}"
        self._launch("hub")
        return "hub"

    def _sigkill(self, name: str) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._supervisor.pid(name), signal.SIGKILL)
        self._supervisor.wait_ended(name)

    def _stop(self, name: str) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._supervisor.pid(name), signal.SIGTERM)
        self._supervisor.wait_ended(name)

    def _launch(self, name: str) -> None:
        self._supervisor.launch(self._child(name))

    def _child(self, name: str) -> Child:
        processes = self._processes
        if name == "broker":
            return processes.broker()
        if name == "hub":
            child = processes.hub()
            env = {
                **child.env,
                POINT: self._point,
                "SORTIE_HUB_SNAPSHOT_EVERY": "100",
                "SORTIE_HUB_RULES__CODE_TTL_S": "12",
                "SORTIE_HUB_RULES__RESERVE_S": "12",
                "SORTIE_HUB_RULES__CODE_LINGER_S": "5",
                "SORTIE_HUB_RULES__CLOCK_WAIT_S": "3",
            }
            command = [*child.command[:-1], "sortie.torture.hub_process"]
            return replace(child, command=command, env=env)
        work = NodeWork(
            node_id=name,
            seed=self._seed,
            begin_s=self._begin_s,
            crowd_s=self._crowd_s,
            folder=self._folder / name,
            codes=self._folder / "codes.jsonl",
            status=self._folder / f"{name}.json",
            port=processes.broker_files.port,
            password=processes.broker_files.passwords[name],
            boots=self._boots[name],
        )
        self._boots[name] += 1
        return node_child(work, self._folder / f"{name}.work")

    # -- waiting ----------------------------------------------------------------------------

    def _pause(self, for_s: float) -> None:
        """Real time passes; phones go on meanwhile."""
        limit_s = time.monotonic() + for_s
        while True:
            self._phones.step()
            left_s = limit_s - time.monotonic()
            if left_s <= 0:
                return
            time.sleep(min(left_s, POLL_S))

    def _until(self, holds: Callable[[], bool], what: str) -> None:
        limit_s = time.monotonic() + ROUND_S_MAX
        while not holds():
            if time.monotonic() > limit_s:
                raise ProcessFailedError(
                    f"expected {what} within {ROUND_S_MAX:.0f} s, it does not come; the hub's last "
                    f"words:\n{self._supervisor.last_words('hub')}"
                )
            self._pause(POLL_S)

    def _alive(self, name: str) -> bool:
        return self._supervisor.status(name) is None

    def _all_up(self) -> bool:
        """Everything runs and the hub serves; who was killed at a point of its start starts again
        without one."""
        for name in ("broker", "hub", *self._node_ids):
            if not self._alive(name):
                if name == "hub":
                    self._faults[f"killed_hub_at_{self._point.partition(':')[0]}"] += 1
                    self._point = ""
                self._launch(name)
                return False
        try:
            with urllib.request.urlopen(
                f"{self._processes.hub_url}/healthz", timeout=1.0
            ) as answer:
                return bool(answer.status == 200)
        except (OSError, ValueError):
            return False

    def _status(self, node_id: str) -> dict[str, Any]:
        return read_status(self._folder / f"{node_id}.json")

    def _note(self) -> None:
        """Keeps what nodes say that they stored and have confirmed: a killed one forgets it."""
        for node_id in self._node_ids:
            status = self._status(node_id)
            for name, kept in (("stored", self._stored), ("acked", self._acked)):
                for boot_id, upto in status[name].items():
                    kept[boot_id] = max(upto, kept.get(boot_id, -1))

    def _heard_again(self) -> Callable[[], bool]:
        """Whether the hub has confirmed something that each node stored after now."""
        self._note()
        before = dict(self._stored)

        def heard() -> bool:
            self._all_up()
            self._note()
            for node_id in self._node_ids:
                boot_id = f"{node_id}-{self._boots[node_id]}"
                if self._acked.get(boot_id, -1) <= before.get(boot_id, 0):
                    return False
            return True

        return heard
