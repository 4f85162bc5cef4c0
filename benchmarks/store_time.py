"""The same 240 phones in store time: what the hub itself lets people wait, on any machine.

    python -m benchmarks.store_time [--json FILE]

The play of benchmarks.phones goes through a hub and its driver in this process, and time stands
still while they work: a wait is what messages, watermarks and the hub's own pauses add up to, and
comes out the same on every machine. Broker, network and the pause of a stream are not in it, CPU
is counted beside it; a staff page looks ten times a second.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

from benchmarks.crowd import big_store
from benchmarks.listeners import Seen
from benchmarks.phones import BOOT, COPIES, Nodes, Play, printed, waits
from contracts import messages as m
from contracts.codec import encode
from contracts.store_file import StoreFile
from hub.attribution.engine import Engine
from hub.commands import OpenVisit
from hub.driver import Driver
from hub.main import FIRST_POLICY, FIRST_SETTLING
from hub.memory import settle_collector
from hub.mqtt import Arrived
from hub.service import Hub, Outgoing
from hub.views import phone_view

__all__ = ["StoreTime", "measure"]

BEGIN_S = 1_000.0
HUB_S = 1_700_000_000.0
"""What the hub's clock has more than the nodes'."""
STAFF_S = 0.1


class _Bus:
    """A broker that takes no time; nodes answer pings at once."""

    connected = True
    dropped = 0
    sessions = 1

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.waiting: list[Arrived] = []

    def deliver(self, name: str, payload: bytes) -> None:
        """A node has sent something."""
        self.waiting.append(Arrived(name, payload, 0, 1))

    def take(self, most: int) -> list[Arrived]:
        """What has arrived."""
        taken, self.waiting = self.waiting[:most], self.waiting[most:]
        return taken

    def acknowledge(self, arrived: object) -> None:
        """Nobody waits for it."""

    def publish(self, outgoing: object) -> None:
        """Answers pings."""
        for item in outgoing if isinstance(outgoing, list) else ():
            if isinstance(item, Outgoing) and item.topic.endswith("/ping"):
                hub_us = m.ClockPing.model_validate_json(item.payload).hub_us
                device_us = round(self._now() * 1e6)
                pong = m.ClockPong(hub_us=hub_us, boot_id=BOOT, device_us=device_us)
                self.deliver(item.topic.removesuffix("ping") + "pong", encode(pong))


class StoreTime:
    """A hub with its driver in a time that passes when it is told to; its phones, and what each
    showed when."""

    def __init__(self, layout: StoreFile) -> None:
        self.hub = Hub.open(layout, attributor=Engine, ask_inline=False)
        self.seen: dict[int, Seen] = {}
        self.staff_cpu_s, self.staff_looks = 0.0, 0
        self._now_s = BEGIN_S
        self._staff_at_s = 0.0
        self._visits: dict[int, str] = {}
        self._versions: dict[int, int] = {}
        self._driver = Driver(self.hub, lambda: HUB_S + self._now_s)
        self._driver.begin()
        self._driver.command(FIRST_POLICY)
        self._driver.command(FIRST_SETTLING)
        self.bus = self._driver.bus = _Bus(self.now)

    def now(self) -> float:
        """The nodes' time."""
        return self._now_s

    def sleep_until(self, at_s: float) -> None:
        """The hub does what is to be done until then, each thing at its moment."""
        while self.bus.waiting or self._tick_at_s <= at_s:
            if not self.bus.waiting:
                self._now_s = max(self._now_s, self._tick_at_s)
            self._step()
        self._now_s = max(self._now_s, at_s)

    def ask(self, number: int) -> None:
        """A phone opens a visit."""
        token = hashlib.sha256(f"token {number}".encode()).hexdigest()
        reply = self._driver.command(OpenVisit(token_sha256=token, code=self.code(number)))
        self._visits[number] = str(reply.visit_id)
        self.seen[number] = Seen()

    def code(self, number: int) -> str:
        """What it shows at the gate."""
        return f"code-{number:06d}-in-store-time"

    @property
    def _tick_at_s(self) -> float:
        # A microsecond more than exactly: the hub's time is whole microseconds.
        return self._driver.due_s - HUB_S + 1e-6

    def _step(self) -> None:
        self._driver.step()
        while self.hub.asks:
            self._driver.command(self.hub.ask_gateway(self.hub.asks.popleft()))
        state = self.hub.core.state
        for number, visit_id in self._visits.items():
            version = self._driver.visit_version(visit_id)
            visit = state.visits.get(visit_id)
            if version != self._versions.get(number) and visit is not None:
                self._versions[number] = version
                account = state.wallets.accounts.get(visit_id)
                self.seen[number].take(self._now_s, phone_view(self.hub, visit, account))
        if self._now_s >= self._staff_at_s:
            self._staff_at_s = self._now_s + STAFF_S
            began_s = time.process_time()
            self._driver.staff()
            self.staff_cpu_s += time.process_time() - began_s
            self.staff_looks += 1


def measure() -> dict[str, float]:
    """The figures; see the module's first lines."""
    layout = big_store(COPIES)
    store = StoreTime(layout)
    settle_collector()
    nodes = Nodes(layout, store.bus.deliver, store)
    play = Play(layout, nodes, store, store)
    store.ask(0)
    began_s, cpu_s = store.now(), time.process_time()
    play.run(time.process_time)
    cpu_s = time.process_time() - cpu_s
    passed_s = store.now() - began_s
    store.hub.close()
    return {
        "phones": len(store.seen),
        "events": nodes.sent,
        **waits(play.people, store.seen),
        "store_s": round(passed_s, 1),
        "cpu_share": round(cpu_s / passed_s, 3),
        "staff_look_ms": round(1e3 * store.staff_cpu_s / store.staff_looks, 2),
    }


def main() -> None:
    """Prints the figures, and writes them as JSON if asked."""
    printed("240 phones in store time.", measure)


if __name__ == "__main__":
    main()
