"""A small world with a free seat, for tests of everything that a person at the page can do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from contracts.store_file import StoreFile, load_store_file
from store_sim.player_commands import parse_command
from store_sim.player_desk import PlayerDesk
from store_sim.tampering import Troubles
from store_sim.world import Scenario, VisitPlan, World
from store_sim.world.verbs import Enter, Exit

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "store_sim" / "stores" / "demo.yaml"
TICK_S = 1 / 60 + 1e-6
LOOK_TICKS = 6
NOBODY = VisitPlan(3e7, (Enter(), Exit()))


class Phone:
    """What the hub gave the avatar's phone."""

    visit_id = "visit-of-the-avatar"
    token = "a-token-that-nobody-guesses"


class Table:
    """A world that nobody else shops in, and the desk of its page. `run` lets time pass."""

    def __init__(self, store: StoreFile | None = None, *, code: str | None = "code") -> None:
        self.store = store or load_store_file(DEMO)
        scenario = Scenario("empty", "nobody comes for a year", lambda _day: (NOBODY,))
        self.world = World(self.store, scenario, seed=1, phone=lambda _index: code)
        self.troubles = Troubles(())
        self.desk = PlayerDesk(self.world, self.troubles, visit_of=lambda _index: Phone())

    def ask(self, seat: str = "page", *, tour: bool = False, **command: Any) -> dict[str, Any]:
        """A command of a page."""
        return self.desk.obey(seat, parse_command(command), tour=tour)

    def run(
        self, seconds: float, until: Callable[[dict[str, Any]], bool] = lambda _seen: False
    ) -> dict[str, Any]:
        """Lets time pass until something is so, at most so long; what there is to see then."""
        end_s = self.world.t_s + seconds
        seen = self.desk.look()
        while self.world.t_s < end_s and not until(seen):
            for _ in range(LOOK_TICKS):
                self.world.advance(self.world.t_s + TICK_S)
            seen = self.desk.look()
        return seen

    def come_in(self, seat: str = "page", *, tour: bool = False) -> dict[str, Any]:
        """Comes in and stands in the store."""
        self.ask(seat, tour=tour, act="enter")
        seen = self.run(40.0, lambda seen: rests(seen))
        assert rests(seen), seen["you"]
        return seen

    def do(self, **command: Any) -> dict[str, Any]:
        """A command, and the time that it takes."""
        self.ask(**command)
        self.run(0.3)
        return self.run(60.0, rests)

    @property
    def here(self) -> tuple[float, float]:
        """Where the avatar is."""
        me = next(one for one in self.desk.look()["people"] if one["you"])
        return me["x_m"], me["y_m"]


def rests(seen: dict[str, Any]) -> bool:
    """Whether the avatar is in the store and does nothing."""
    you = seen["you"]
    return you["stage"] == "inside" and not you["busy"] and you["doing"] == "standing"


def carried(seen: dict[str, Any]) -> list[str]:
    """GTINs of what the avatar carries, sorted."""
    return sorted(one["gtin"] for one in seen["you"]["carried"])
