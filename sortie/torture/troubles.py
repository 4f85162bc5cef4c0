"""Does what the plan says goes wrong, when its time comes, and puts it right again."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from contracts import messages as m
from contracts.codec import encode
from contracts.topics import topic
from hub.errors import HubError
from hub.service import Hub
from sortie.torture.junk import malformed, rogue
from sortie.torture.nodes import Node, Parted
from sortie.torture.people import Shopper
from sortie.torture.plan import Trouble
from sortie.torture.points import Killed
from sortie.torture.shop import layout

if TYPE_CHECKING:
    from sortie.torture.world import World

__all__ = ["Troubles"]

JUMP_S = (-4.0, 4.0)
UTC_JUMP_S = 500.0
AFTER_JUMP_S = 90.0
"""So long after a clock jumped times of before and after may be taken for each other's."""
SECOND_HUB_LETTERS = 8


class Troubles:
    """The plan at work. `most_waiting` is the most that all outboxes held together."""

    def __init__(self, world: World) -> None:
        self.most_waiting = 0
        self._world = world
        self._random = Random(f"troubles {world.seed}")
        self._left = list(world.plan.troubles)
        self._mending: list[tuple[float, Callable[[], None]]] = []
        self._calmed = False
        self._cuts: dict[str, tuple[str, ...]] = {}
        self._do: dict[str, Callable[[Trouble], None]] = {
            "partition": self._partition,
            "broker_kill": self._broker_kill,
            "hub_away": lambda t: self._hub_away(t.for_s),
            "hub_point": lambda t: world.points.arm(t.point, count=1 + t.count % 5),
            "hub_disk_kill": lambda t: world.side.disk.arm("kill", after=t.count),
            "hub_disk_power": lambda t: world.side.disk.arm("power", after=t.count),
            "hub_opening_kill": lambda t: self._opening(t, power=False),
            "hub_opening_power": lambda t: self._opening(t, power=True),
            "hub_disk_full": lambda t: self._disk(world.side.disk, "full", t),
            "hub_disk_io": lambda t: self._disk(world.side.disk, "io", t),
            "hub_locked": self._locked,
            "second_hub": self._second_hub,
            "node_kill": lambda t: self._node(t).fall(world.now_s, t.for_s),
            "node_disk_kill": lambda t: self._node(t).disk.arm("kill", after=1 + t.count % 20),
            "node_disk_power": lambda t: self._node(t).disk.arm("power", after=1 + t.count % 20),
            "node_disk_full": lambda t: self._disk(self._node(t).disk, "full", t),
            "node_clock_jump": self._node_clock,
            "node_wall_jump": self._node_wall,
            "hub_clock_back": lambda t: self._hub_clock(-UTC_JUMP_S, t),
            "hub_clock_forward": lambda t: self._hub_clock(UTC_JUMP_S, t),
            "old_death": self._old_death,
            "malformed": self._malformed,
            "rogue": self._rogue,
            "scan_twice": self._scan_twice,
            "exit_twice": self._exit_twice,
            "track_lost": self._track_lost,
        }

    def step(self) -> None:
        """Begins what is due and ends what is over."""
        now_s = self._world.now_s
        while self._left and self._left[0].t_s <= now_s:
            trouble = self._left.pop(0)
            self._world.told(trouble.name)
            self._do[trouble.name](trouble)
        over = [row for row in self._mending if row[0] <= now_s]
        for row in over:
            self._mending.remove(row)
            row[1]()
        if not self._calmed and now_s >= self._world.plan.end_s:
            self._calmed = True
            self._calm_down()
        waiting = sum(n.outbox.waiting for n in self._world.nodes.values() if n.alive)
        self.most_waiting = max(self.most_waiting, waiting)

    def _calm_down(self) -> None:
        world = self._world
        for _, mend in self._mending:
            mend()
        self._mending.clear()
        world.points.disarm()
        world.side.disk.mend()
        world.new_network()
        for node in world.nodes.values():
            node.disk.mend()

    def _later(self, for_s: float, mend: Callable[[], None]) -> None:
        self._mending.append((self._world.now_s + for_s, mend))

    def _node(self, trouble: Trouble) -> Node:
        nodes = list(self._world.nodes.values())
        return nodes[int(trouble.lot * len(nodes))]

    # -- lines ------------------------------------------------------------------------------

    def _partition(self, trouble: Trouble) -> None:
        """Some nodes are cut off, each in one way or both; they come back in another order."""
        for node_id in self._world.nodes:
            if self._random.random() < 0.6:
                ways = self._random.choice((("up",), ("down",), ("up", "down")))
                self._cuts[node_id] = ways
                self._world.told(f"cut_{'_and_'.join(ways)}")
                self._later(
                    trouble.for_s * self._random.uniform(0.3, 1.0),
                    lambda node_id=node_id: self._join(node_id),  # type: ignore[misc]
                )
        self._close_links()

    def _join(self, node_id: str) -> None:
        self._cuts.pop(node_id, None)
        self._close_links()

    def _close_links(self) -> None:
        self._world.network.close(
            (node_id, way)  # type: ignore[misc]
            for node_id, ways in self._cuts.items()
            for way in ways
        )

    def _broker_kill(self, trouble: Trouble) -> None:
        """All that is under way is lost; nodes and hub connect anew when it is back."""
        self._broker(False)
        self._world.network.lose_all()
        self._later(trouble.for_s, lambda: self._broker(True))

    def _broker(self, up: bool) -> None:
        self._world.broker_up = up
        for line in self._world.lines.values():
            line.broker(up)

    # -- the hub ----------------------------------------------------------------------------

    def _hub_away(self, for_s: float) -> None:
        self._world.side.kill(for_s)

    def _opening(self, trouble: Trouble, *, power: bool) -> None:
        """Killed now, and once more while it opens: migrates, replays, starts."""
        self._world.side.kill(1.0, power=power)
        self._world.side.disk.arm("power" if power else "kill", after=trouble.count)

    def _disk(self, disk: object, fault: str, trouble: Trouble) -> None:
        disk.arm(fault, after=1 + trouble.count % 30)  # type: ignore[attr-defined]
        self._later(trouble.for_s, disk.mend)  # type: ignore[attr-defined]

    def _locked(self, trouble: Trouble) -> None:
        if self._world.side.lock():
            self._later(min(trouble.for_s, 4.0), self._world.side.unlock)

    def _hub_clock(self, by_s: float, trouble: Trouble) -> None:
        """UTC is set while the hub is down."""
        side = self._world.side
        side.utc_jump_s += by_s
        self._dim("the hub's clock was set", trouble.t_s)
        side.kill(1.0)

    def _second_hub(self, _trouble: Trouble) -> None:
        """Another hub on the same database, as after a fail-over that the first did not notice.

        Both take the same messages; whatever comes of it, nothing may be lost or doubled.
        """
        side = self._world.side
        if not side.up:
            return
        try:
            other = side.open_hub()
        except HubError:
            # It has taken the lease and cannot read the database: the first one is fenced off.
            self._world.told("second_hub_refused")
            side.contested()
            return
        except Killed:
            self._both_killed()
            return
        killed = False
        try:
            self._work(other)
        except HubError:
            self._world.told("second_hub_fenced")
        except Killed:
            killed = True
            side.disk.die("kill")
        finally:
            other.close()
        if killed:
            self._both_killed()
        else:
            side.contested()

    def _both_killed(self) -> None:
        """A fail point meant for the first hub was passed by the second: their machine is gone."""
        self._world.told("second_hub_killed")
        self._world.side.kill(1.0)

    def _work(self, other: Hub) -> None:
        side = self._world.side
        other.start(side.clock())
        letters = []
        for node in self._world.nodes.values():
            if node.alive:
                rows = node.outbox.unacked(limit=SECOND_HUB_LETTERS)
                name = topic("events", store_id=layout().store_id, device_id=node.node_id)
                letters += [(name, row.payload) for row in rows]
        out = other.ingest(letters, side.clock())
        out += other.tick(side.clock())
        self._world.send(out)

    # -- nodes ------------------------------------------------------------------------------

    def _node_clock(self, trouble: Trouble) -> None:
        self._dim("a node's clock jumped", trouble.t_s)
        self._node(trouble).jump(self._random.uniform(*JUMP_S))

    def _node_wall(self, trouble: Trouble) -> None:
        """What a node believes of UTC is never trusted for order."""
        self._node(trouble).wall_jump_s = self._random.uniform(-86_400.0, 86_400.0)

    def _dim(self, why: str, t_s: float) -> None:
        for one in self._world.shoppers:
            if one.path[0][0] - 5.0 <= t_s + AFTER_JUMP_S and one.exit_s >= t_s - 30.0:
                one.dim = why

    def _old_death(self, trouble: Trouble) -> None:
        """The broker tells of a death that is long past."""
        node = self._node(trouble)
        boot = next(iter(node.stored), None)
        if boot is not None:
            name = topic("died", store_id=layout().store_id, device_id=node.node_id)
            payload = encode(m.NodeDied(boot_id=boot))
            self._world.network.send(self._world.now_s, (node.node_id, "up"), name, payload)

    # -- people and strangers ---------------------------------------------------------------

    def _malformed(self, trouble: Trouble) -> None:
        self._world.checks.ignored(malformed(self._random, self._node(trouble).node_id))

    def _rogue(self, trouble: Trouble) -> None:
        self._world.checks.ignored(rogue(self._random, self._node(trouble).node_id))

    def _inside(self) -> list[Shopper]:
        now_s = self._world.now_s
        return [
            one
            for one in self._world.shoppers
            if one.scan_s + 1.0 < now_s < one.exit_s and not one.turned_away and one.code
        ]

    def _scan_twice(self, _trouble: Trouble) -> None:
        """A picture of somebody's code at the gate, after its owner."""
        floor = self._world.nodes["node-floor"]
        # Only of codes that were read: a code that nobody read is still good for whoever shows it.
        for one in [one for one in self._inside() if one.scanned]:
            floor.say(
                m.GateScanned(
                    gate_id="entry",
                    code=one.code,
                    t_s=floor.device_us(self._world.now_s) / 1e6,
                )
            )

    def _exit_twice(self, _trouble: Trouble) -> None:
        """Who has left is seen leaving once more, over the same line."""
        floor = self._world.nodes["node-floor"]
        now_s = self._world.now_s
        gone = [one for one in self._world.shoppers if one.exit_s < now_s and one.track_id]
        for one in gone[-2:]:
            t_s = floor.device_us(now_s) / 1e6
            points = tuple(
                m.TrackPoint(t_s=t_s - 0.2 + 0.2 * step, x_m=7.0, y_m=0.6 - 0.5 * step, sd_m=0.1)
                for step in (0, 1)
            )
            segment = m.TrackSegment(track_id=str(one.track_id), state="ended", points=points)
            floor.say(m.FloorTracksMoved(t_s=t_s, segments=(segment,)))

    def _track_lost(self, trouble: Trouble) -> None:
        """The ceiling loses somebody for a while and knows them again."""
        floor = self._world.nodes["node-floor"]
        now_s = self._world.now_s
        for one in self._inside()[:1]:
            end_s = now_s + 0.5 + trouble.lot * 2.0
            floor.parted.setdefault(one.number, Parted(now_s, end_s))
