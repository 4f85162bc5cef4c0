"""The seat between a person at a page and a shopper of the world.

    seat = PlayerSeat()
    index = admit(world, seat.plan())
    seat.ask(Take("bay-a-3-l"))

The world draws the seat's verbs one by one, each when the one before is done. While nobody asks
for anything the seat gives `Steered`: the avatar goes where the keys lead and stands still when
they are let go. What a hand is asked to do comes before walking on: it ends a walk at once.

A seat is driven on the world's thread alone; `store_sim.control` brings commands there.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from store_sim.errors import PlayerError
from store_sim.world.acts import walk
from store_sim.world.perform import PERFORMERS
from store_sim.world.shopper import Shopper
from store_sim.world.verbs import Verb
from store_sim.world.world import World

__all__ = ["PENDING_MAX", "PlayerSeat", "Steered", "Wheel"]

PENDING_MAX = 12
"""Verbs that may wait; more are refused, so that nobody loses track of the avatar."""
DONE_MAX = 64
STEER_S = 0.5
"""A key that is held is told again and again; a page that vanished steers no longer than this."""
AHEAD_M = 0.9
FEEL_M = 0.06


class Wheel:
    """Where to walk: a direction as long as a key is held, or a point of the floor."""

    def __init__(self) -> None:
        self.target: tuple[float, float, float | None] | None = None
        self._way = (0.0, 0.0)
        self._until_s = -math.inf

    def steer(self, dx: float, dy: float, t_s: float) -> None:
        """A key leads this way; (0, 0) lets go, and ends a walk to a point too."""
        self.target = None
        size = math.hypot(dx, dy)
        self._way = (0.0, 0.0) if size < 1e-6 else (dx / size, dy / size)
        self._until_s = t_s + STEER_S if size >= 1e-6 else -math.inf

    def go(self, x_m: float, y_m: float, heading_rad: float | None = None) -> None:
        """Walk to a point, and turn there if a heading is given."""
        self._until_s = -math.inf
        self.target = (x_m, y_m, heading_rad)

    def stop(self) -> None:
        """Stand still."""
        self._until_s, self.target = -math.inf, None

    def way(self, t_s: float) -> tuple[float, float] | None:
        """The direction of the key that is held, a unit vector; None if none is."""
        return self._way if t_s < self._until_s else None

    def turning(self, t_s: float) -> bool:
        """Whether there is anywhere to go."""
        return self.target is not None or self.way(t_s) is not None


@dataclass(frozen=True, slots=True)
class Steered(Verb):
    """Go where a person leads, until that person's hands have something to do."""

    seat: PlayerSeat


class PlayerSeat(Iterator[Verb]):
    """An endless plan whose verbs a person asks for one by one.

    `doing` is the verb that is performed; None before the first.
    """

    def __init__(self) -> None:
        self.wheel = Wheel()
        self.doing: Verb | None = None
        self._waiting: deque[Verb] = deque()
        self._done: deque[Verb] = deque(maxlen=DONE_MAX)

    def __next__(self) -> Verb:
        if self.doing is not None and not isinstance(self.doing, Steered):
            self._done.append(self.doing)
        self.doing = self._waiting.popleft() if self._waiting else Steered(self)
        return self.doing

    def ask(self, *verbs: Verb) -> None:
        """These come next, in this order; PlayerError if too many wait."""
        if len(self._waiting) + len(verbs) > PENDING_MAX:
            raise PlayerError(
                f"expected at most {PENDING_MAX} things to wait for the avatar, got more; "
                "wait until some are done"
            )
        self.wheel.stop()
        self._waiting.extend(verbs)

    def clear(self) -> None:
        """Forgets what has not begun."""
        self._waiting.clear()
        self.wheel.stop()

    def take_done(self) -> list[Verb]:
        """Verbs that were performed since the last call, steering left out."""
        done = list(self._done)
        self._done.clear()
        return done

    @property
    def waiting(self) -> int:
        """How many verbs have not begun."""
        return len(self._waiting)

    @property
    def busy(self) -> bool:
        """Whether the avatar does something that keys do not interrupt, or is about to."""
        return bool(self._waiting) or not isinstance(self.doing, Steered)


def _steered(world: World, shopper: Shopper, verb: Steered) -> Iterator[None]:
    """Performs Steered: ends as soon as a verb waits."""
    seat = verb.seat
    while not seat.waiting:
        if seat.wheel.way(world.t_s) is not None:
            yield from _led(world, shopper, seat)
        elif seat.wheel.target is not None:
            yield from _sent(world, shopper, seat)
        else:
            yield


def _led(world: World, shopper: Shopper, seat: PlayerSeat) -> Iterator[None]:
    """Walks while a key is held, along a wall where the straight way is barred."""
    _let_go(world, shopper)
    while not seat.waiting and (way := seat.wheel.way(world.t_s)) is not None:
        shopper.goal = _ahead(world, shopper, way)
        # Standing before a wall is what the person wants: nobody is stuck.
        shopper.stuck_s = 0.0
        yield
    shopper.goal = None


def _sent(world: World, shopper: Shopper, seat: PlayerSeat) -> Iterator[None]:
    """Walks to a point in the world's own way, until something else is wanted."""
    target = seat.wheel.target
    if target is None:
        return
    _let_go(world, shopper)
    for _ in walk(world, shopper, *target):
        yield
        held = seat.wheel.way(world.t_s) is not None
        if seat.waiting or held or seat.wheel.target is not target:
            break
    else:
        seat.wheel.target = None
    shopper.goal = None
    shopper.detour = None
    shopper.sidesteps = False


def _let_go(world: World, shopper: Shopper) -> None:
    """Gives up the place before the shelf and what was looked at."""
    world.leave_spot(shopper)
    shopper.sidesteps = False
    shopper.detour = None
    shopper.goal_heading = None
    shopper.look_at = None
    shopper.lean_goal = 0.0


def _ahead(world: World, shopper: Shopper, way: tuple[float, float]) -> tuple[float, float] | None:
    """A point to walk to in this direction; None where no foot can be set."""
    dx, dy = way
    for x, y in ((dx, dy), (dx, 0.0), (0.0, dy)):
        if abs(x) + abs(y) < 0.2:
            continue
        near = (shopper.x + FEEL_M * x, shopper.y + FEEL_M * y)
        if world.ground.clear(*near) and world.ground.indoors(*near):
            return (shopper.x + AHEAD_M * x, shopper.y + AHEAD_M * y)
    return None


PERFORMERS[Steered] = _steered
