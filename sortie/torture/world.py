"""One run of one seed: the shop, its nodes, the network, the broker, the hub, and what goes wrong.

    with World(seed, folder) as world:
        world.run()
    world.checks.violations, world.faults, world.trace

Virtual time in steps; the same seed makes the same steps, which `trace` is the digest of.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from random import Random

from contracts.topics import device_of
from edge.bus import Letter
from hub.errors import HubError
from hub.service import Outgoing
from hub.visits.atgate import TAP_AGAIN
from hub.wallet.fake import FakeGateway
from hub.wallet.gateway import GatewayRequest
from sortie.network_bus import NetworkBus
from sortie.torture.bank import AfterDispute, Bank, come_again
from sortie.torture.checks import OTHER_AMOUNT, Checks
from sortie.torture.clients import Clients
from sortie.torture.disk import Disk
from sortie.torture.entries import assign_ways
from sortie.torture.hubside import AwayError, HubSide
from sortie.torture.nodes import Node
from sortie.torture.people import crowd
from sortie.torture.plan import BUSY_S, Plan, gateway_plan
from sortie.torture.points import FailPoints, fail_points
from sortie.torture.shop import layout, with_wallet
from sortie.torture.troubles import Troubles
from sortie.torture.vfs import layered
from store_sim.dials import NetworkDials
from store_sim.network import Network

__all__ = ["CLOSED_WITHIN_S", "World"]

STEP_S = 0.5
BOOKS_EVERY = 40
"""Steps between two looks at the whole of the books; new rows are looked at in each step."""
CLOSED_WITHIN_S = 420.0
"""When faults have stopped and everybody is gone, every visit is closed and every queue empty
within so long."""
DEBT_EVERY = 3
"""In so many seeds there is one store whose payers owe what banks keep."""
FORGET_EVERY = 3
"""Of so many seeds one forgets what is personal of its visits in the end."""
START_S = 1_000.0
"""World seconds at the start: clocks that go back still say something above zero."""


class World:
    """See the module. `say` gets a line a step when something happens (`--trace`)."""

    def __init__(
        self,
        seed: int,
        folder: Path,
        *,
        busy_s: float = BUSY_S,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self.seed = seed
        self.plan = Plan.of(seed, busy_s)
        self.now_s = 0.0
        self.broker_up = True
        self.faults: Counter[str] = Counter()
        self._say = say
        self._trace = hashlib.sha256()
        self._lines: list[str] = []
        self._line_counts: Counter[str] = Counter()
        self.random = Random(f"world {seed}")
        self.points = FailPoints()
        self.network = Network(self.plan.network, seed)
        until_s = busy_s + (300.0 if self.plan.long else 0.0)
        self.shoppers = crowd(Random(f"people {seed}"), 6.0, until_s)
        assign_ways(self.shoppers, Random(f"ways {seed}"))
        come_again(self.shoppers, Random(f"again {seed}"))
        self.gateway = FakeGateway(
            faults=gateway_plan(seed, self.plan.gateway_share, self._calm, self.told)
        )
        disk = Disk(folder / "hub")
        after: AfterDispute = "debt" if seed % DEBT_EVERY == 0 else "block"
        store = with_wallet(after_dispute=after)
        self.side = HubSide(disk, self.gateway, self.points, self._source("hub"), store)
        self.bank = Bank(self._source("bank"), self.gateway, self.side, after=after, told=self.told)
        self.lines = {
            node.node_id: NetworkBus(self.network, node.node_id) for node in layout().nodes
        }
        self.nodes = {
            node.node_id: Node(
                node.node_id,
                Disk(folder / node.node_id),
                self.lines[node.node_id],
                self._source(node.node_id),
                self.shoppers,
            )
            for node in layout().nodes
        }
        self.checks = Checks(self.side)
        self.side.before_crash = self.checks.follower.close
        self.clients = Clients(
            self._source("clients"),
            self.shoppers,
            self.side,
            since_s=START_S,
            refused=self.checks.refused,
            told=self.told,
        )
        self.troubles = Troubles(self)
        self._stack = ExitStack()

    def __enter__(self) -> World:
        disks = [self.side.disk, *(node.disk for node in self.nodes.values())]
        self._stack.enter_context(layered(*disks))
        self._stack.enter_context(fail_points(self.points))
        self._stack.callback(self._close)
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    @property
    def trace(self) -> str:
        """SHA-256 over every step so far."""
        return self._trace.hexdigest()

    @property
    def visits(self) -> int:
        """Shoppers who were given a visit."""
        return len(self.clients.visits)

    def told(self, name: str) -> None:
        """Counts something that was done to the store."""
        self.faults[name] += 1
        self._lines.append(name)

    # -- the run ----------------------------------------------------------------------------

    def run(self) -> None:
        """The busy time, the calm after it, and the last checks. Whatever the hub raises without
        a cause is a finding, too."""
        try:
            while not self._over():
                self.step()
            self._last()
        except (HubError, AssertionError) as error:
            self.checks.found("the hub works", f"{type(error).__name__}: {error}")
        self._count()

    def step(self) -> None:
        """Half a second."""
        self.now_s += STEP_S
        self.checks.step += 1
        self.side.world_s = START_S + self.now_s
        self.troubles.step()
        self._hub_lives()
        self.clients.step(self.now_s, busy=not self._calm())
        self.bank.step(self.now_s, busy=not self._calm())
        for node in self.nodes.values():
            node.step(self.now_s)
        self._deliver()
        self._tick()
        self.checks.each_step()
        if self.checks.step % BOOKS_EVERY == 0:
            self.checks.books(untold=self.bank.untold)
            self.checks.acked(list(self.nodes.values()))
        self._note()

    def _over(self) -> bool:
        """Whether all is done, or the time for it is up."""
        last_s = max(one.exit_s for one in self.shoppers)
        if self.now_s - max(self.plan.end_s, last_s) > CLOSED_WITHIN_S:
            return True
        if not self._calm() or not self.side.up or self.now_s < last_s + 5.0:
            return False
        hub = self.side.hub
        if hub is None or hub.core.state.open_visits() or hub.core.state.asks:
            return False
        if self.bank.untold:
            return False
        nodes = self.nodes.values()
        for node in nodes:
            node.silent = True
        if any(not node.alive or node.outbox.waiting for node in nodes):
            return False
        return not hub.core.busy and not self.network.in_flight

    def _last(self) -> None:
        """What can only be judged when all is over."""
        checks = self.checks
        if not self.side.up:
            checks.found("the hub works", "it does not come back though nothing goes wrong")
            return
        checks.books()
        checks.acked(list(self.nodes.values()))
        export = checks.receipts(self.shoppers, self.clients.prices, since_s=START_S)
        self.faults["told_to_tap_again"] += sum(
            event["data"].get("reason") == TAP_AGAIN for event in export["events"]
        )
        for invariant, finding in self.bank.judge(export):
            checks.found(invariant, finding)
        checks.counts.update(self.bank.counts)
        if self.seed % FORGET_EVERY == 0 and self.clients.rooms.forget():
            checks.books()
        checks.over(list(self.nodes.values()), self.shoppers, self.gateway.totals())
        self._other_amount()
        checks.replay()
        self.told("row_edited")
        checks.edited(self.random.random())

    def _calm(self) -> bool:
        """Whether nothing goes wrong any more."""
        return self.now_s >= self.plan.end_s

    # -- one step ---------------------------------------------------------------------------

    def _hub_lives(self) -> None:
        """Opens a hub that is down and mends one that halted."""
        side = self.side
        if side.hub is None and side.world_s >= side.back_s:
            try:
                self.send(side.open())
            except AwayError:
                return
        side.mend()

    def _deliver(self) -> None:
        """What the network has brought: to the nodes, and to the hub if it is there."""
        up: list[tuple[str, bytes]] = []
        for letter in self.network.due(self.now_s):
            device_id, direction = letter.link
            if direction == "up":
                up.append((letter.address, letter.payload))
            elif self.nodes[device_id].alive:
                self.lines[device_id].arrived(Letter(letter.address, letter.payload))
        if not up:
            return
        try:
            self.send(self.side.ingest(up))
            self.side.passing("acked")
        except AwayError:
            self.faults["letters_nobody_took"] += len(up)

    def _tick(self) -> None:
        try:
            self.send(self.side.tick())
        except AwayError:
            return

    def send(self, messages: Iterable[Outgoing]) -> None:
        """What the hub says; without a broker it is lost, as in hub.mqtt."""
        for message in messages:
            device_id = device_of(message.topic)
            if self.broker_up and device_id in self.nodes:
                self.network.send(self.now_s, (device_id, "down"), message.topic, message.payload)

    def new_network(self) -> None:
        """A line on which nothing happens to anything; what was under way is sent again."""
        self._line_counts.update(self.network.counts)
        self.network = Network(NetworkDials(), self.seed)
        for line in self.lines.values():
            line.network = self.network

    # -- inside -----------------------------------------------------------------------------

    def _other_amount(self) -> None:
        """The gateway is asked once more for a hold, under its key, for another amount."""
        for visit in self.clients.visits:
            row = self.side.look(
                lambda hub, visit=visit: hub.core.state.wallets.accounts.get(visit)  # type: ignore[misc]
            )
            hold = None if row is None else row.card
            if row is None or hold is None or hold.state in ("asked", "refused"):
                # It may never have reached the gateway.
                continue
            self._ask_other(hold.key, row.payer, hold.amount_minor)
            return

    def _ask_other(self, key: str, payer: str, hold_minor: int) -> None:
        self.told("same_key_other_amount")
        self.checks.counts[OTHER_AMOUNT] += 1
        totals = self.gateway.totals()
        answer = self.gateway.ask(
            GatewayRequest(key, "hold", key, payer, hold_minor + 1, layout().currency)
        )
        if answer.outcome != "conflict" or self.gateway.totals() != totals:
            self.checks.found(OTHER_AMOUNT, f"{key}: the gateway answered {answer.outcome}")

    def _note(self) -> None:
        """Adds the step to the trace."""
        hub = self.side.hub
        head = ("", "", 0)
        if hub is not None:
            state = hub.core.state
            head = (state.log.head, state.wallets.ledger.head, len(state.open_visits()))
        waiting = [node.outbox.waiting if node.alive else -1 for node in self.nodes.values()]
        line = f"{self.now_s:.1f} {head} {waiting} {self.network.in_flight} {self._lines}"
        self._trace.update(line.encode())
        if self._say is not None and (self._lines or self.checks.step % BOOKS_EVERY == 0):
            self._say(
                f"{self.now_s:6.1f} s  hub {'up' if self.side.up else 'away':4}  "
                f"open {head[2]:2}  waiting {waiting}  {' '.join(self._lines)}"
            )
        self._lines.clear()

    def _count(self) -> None:
        """Adds up what was done by whom."""
        self._line_counts.update(self.network.counts)
        for name, count in self._line_counts.items():
            if name in ("dropped", "doubled", "reordered", "cuts", "cut", "lost", "overflowed"):
                self.faults[f"network_{name}"] += count
        if self.plan.network.delay_ms:
            self.faults["network_delayed"] += self._line_counts["delivered"]
        self.faults.update(self.points.happened)
        for name, disk in (("hub", self.side.disk), *((n, s.disk) for n, s in self.nodes.items())):
            place = "hub" if name == "hub" else "node"
            for fault, count in disk.happened.items():
                self.faults[f"{place}_{fault}"] += count
        for name, count in self.side.counts.items():
            self.faults[f"hub_{name}"] += count
        self.faults["lease_lost"] += self.side.turns.fenced
        self.faults["resent"] += sum(
            node.resent + (node.drain.resent if node.alive else 0) for node in self.nodes.values()
        )
        self.faults["outbox_over_1000"] += self.troubles.most_waiting > 1_000

    def _source(self, name: str) -> Random:
        """Chance of its own, so that one part's draws do not move another's."""
        return Random(f"{name} {self.seed}")

    def _close(self) -> None:
        self.checks.follower.close()
        self.side.close()
        for node in self.nodes.values():
            if node.alive:
                node.outbox.close()
        self.gateway.close()
