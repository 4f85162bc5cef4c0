"""Shoppers as a hub sees them: one after another comes in, takes two things, pays and leaves.

    crowd = Crowd(hub, layout, begin_s=0.0)
    spent = crowd.visit()          # what each step cost
    crowd.restock()                # at the day's end

The nodes are made up, the hub, its attribution and its money are real. Ticks come five times a
second of the hub's time, as in the process.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.hub import closed_reach
from benchmarks.letters import Letters
from benchmarks.rig import before, middle
from contracts import messages as m
from contracts.geometry import Gate
from contracts.store_file import Slot, StoreFile
from hub import commands as c
from hub.service import Hub
from hub.views import phone_view

__all__ = ["Crowd", "Spent"]

TICK_S = 0.2
WAIT_S = 60.0
ITEMS = 2
KEPT_BACK = 1
"""Pieces that stay in every slot, so that no hand finds it empty."""


@dataclass(frozen=True, slots=True)
class Spent:
    """A step of a visit: hub seconds as the shopper waits, CPU milliseconds that it cost."""

    step: str
    waited_s: float
    cpu_ms: float


class Crowd:
    """Plays visits on a started hub; `name` tells its ids and boots from those of others."""

    def __init__(self, hub: Hub, layout: StoreFile, *, begin_s: float, name: str = "a") -> None:
        self.hub = hub
        self.now_s = begin_s
        self._layout = layout
        self._name = name
        self._floor = next(node.node_id for node in layout.nodes if node.floor)
        self._shelf = next(node.node_id for node in layout.nodes if node.bays)
        self._letters = Letters(layout, f"bench-{name}")
        self._count = 0
        self._reaches = 0
        self._sold: dict[str, int] = {}
        for device in dict.fromkeys((self._floor, self._shelf)):
            born = m.NodeBorn(software="bench", config_revision=1, floor=device == self._floor)
            self._say(device, born)

    def visit(self) -> list[Spent]:
        """One visit from the phone's wish to the captured receipt; RuntimeError if a step fails."""
        self._count += 1
        code = f"code-{self._name}-{self._count:06d}-{hashlib.sha256(b'x').hexdigest()[:8]}"
        track = f"t-{self._name}-{self._count}"
        entry, leaving = self._gate("entry"), self._gate("exit")
        token = hashlib.sha256(code.encode()).hexdigest()
        spent: list[Spent] = []

        def enter() -> str:
            x_m, y_m = middle(entry)
            visit_id = self._open(token, code)
            self._step(track, x_m, y_m, "born")
            self._say(self._floor, m.GateScanned(gate_id=entry.gate_id, code=code, t_s=self.now_s))
            self._step(track, x_m, y_m + 0.5)
            return visit_id

        visit_id = self._timed("entry", spent, enter, lambda name: self._stage(name) == "shopping")
        for number in range(ITEMS):
            slot = self._layout.slots[(self._count * ITEMS + number) % len(self._layout.slots)]
            self._pick(track, slot, visit_id, number + 1, spent)

        def leave() -> str:
            x_m = middle(leaving)[0]
            for y_m in (1.2, 0.6, 0.1):
                self._step(track, x_m, y_m)
                self._tick()
            self._step(track, x_m, 0.0, "ended")
            return visit_id

        self._timed("receipt", spent, leave, self._paid)
        return spent

    def restock(self) -> None:
        """Staff put back what was sold."""
        session = f"round-{self._name}-{self._count:06d}"
        self.hub.command(c.StartRestocking(session_id=session), self.now_s)
        for slot_id, quantity in sorted(self._sold.items()):
            slot = next(slot for slot in self._layout.slots if slot.slot_id == slot_id)
            move = c.MoveStock(
                session_id=session,
                move_id=f"{session}-{slot_id}",
                slot_id=slot_id,
                gtin=slot.gtin,
                quantity=quantity,
            )
            self.hub.command(move, self.now_s)
        self.hub.command(c.FinishRestocking(session_id=session), self.now_s)
        self._sold.clear()
        self._tick()

    # -- inside ---------------------------------------------------------------------------

    def _open(self, token: str, code: str) -> str:
        command = c.OpenVisit(token_sha256=token, code=code)
        return str(self.hub.command(command, self.now_s).visit_id)

    def _pick(self, track: str, slot: Slot, visit_id: str, pieces: int, spent: list[Spent]) -> None:
        if self.hub.core.state.stock.shelf[slot.slot_id, slot.gtin] <= KEPT_BACK:
            self.restock()
        bay = next(bay for bay in self._layout.bays if bay.bay_id == slot.bay_id)
        x_m, y_m = before(bay, slot)
        self._reaches += 1
        name = f"reach-{self._name}-{self._reaches:08d}"
        at_s = self.now_s

        def reach() -> str:
            opened = m.ReachOpened(
                reach_id=name, bay_id=slot.bay_id, t_s=at_s, u_m=slot.u0_m + 0.15
            )
            self._say(self._shelf, opened)
            self._say(self._shelf, closed_reach(name, slot, x_m, at_s, body_y_m=y_m))
            self._mark(at_s + 0.2)
            return visit_id

        for _ in range(2):
            self._step(track, x_m, y_m)
            self._tick()
        self._step(track, x_m, y_m)
        at_s = self.now_s
        self._timed("cart", spent, reach, lambda name: self._in_cart(name) == pieces)
        self._sold[slot.slot_id] = self._sold.get(slot.slot_id, 0) + 1

    def _timed(
        self,
        step: str,
        spent: list[Spent],
        act: Callable[[], str],
        done: Callable[[str], bool],
    ) -> str:
        """Does a step and lets time pass until it has come to something."""
        began_s, cpu_s = self.now_s, time.process_time()
        visit_id = act()
        while not done(visit_id):
            if self.now_s > began_s + WAIT_S:
                raise RuntimeError(f"expected the {step} of {visit_id} within {WAIT_S:.0f} s")
            self._tick()
        cpu_ms = 1e3 * (time.process_time() - cpu_s)
        spent.append(Spent(step, self.now_s - began_s, cpu_ms))
        return visit_id

    def _stage(self, visit_id: str) -> str:
        return self.hub.core.state.visits[visit_id].stage

    def _in_cart(self, visit_id: str) -> int:
        state = self.hub.core.state
        view = phone_view(self.hub, state.visits[visit_id], state.wallets.accounts.get(visit_id))
        return sum(line["quantity"] for line in view["lines"])

    def _paid(self, visit_id: str) -> bool:
        account = self.hub.core.state.wallets.accounts.get(visit_id)
        return account is not None and account.state == "captured"

    def _gate(self, kind: str) -> Gate:
        return next(gate for gate in self._layout.gates if gate.kind == kind)

    def _step(self, track: str, x_m: float, y_m: float, state: str = "alive") -> None:
        point = m.TrackPoint(t_s=self.now_s, x_m=x_m, y_m=y_m, sd_m=0.1)
        segment = m.TrackSegment.model_validate(
            {"track_id": track, "state": state, "points": (point,)}
        )
        self._say(self._floor, m.FloorTracksMoved(t_s=self.now_s, segments=(segment,)))

    def _mark(self, at_s: float) -> None:
        last = self._letters.latest[self._shelf]
        self._say(self._shelf, m.Watermark(t_s=at_s, last_seq=last))

    def _tick(self) -> None:
        self.now_s = round(self.now_s + TICK_S, 6)
        self._mark(self.now_s)
        self.hub.tick(self.now_s)

    def _say(self, device: str, message: m.Message) -> None:
        payload = self._letters.wrapped(device, message, round(self.now_s * 1e6))
        self.hub.ingest([(self._letters.channel(device), payload)], self.now_s)
