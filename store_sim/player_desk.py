"""Takes a person's commands to the avatar, and says what there is to see: the page's whole world.

    desk = PlayerDesk(world, Troubles(()), visit_of=phones.visit_of)
    desk.obey("page-1", parse_command({"act": "enter"}))
    desk.look()["you"]["stage"]        # "outside"

Pure but for the world it drives: no clock but the world's, no network, no threads. What `look`
shows is the simulator's own knowledge, for the person who plays; nodes and hub never see it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from contracts.geometry import Bay
from store_sim import player_commands as c
from store_sim.dials import Mishap
from store_sim.errors import BadCommandError, PlayerError, SeatTakenError
from store_sim.player import PlayerSeat, Steered
from store_sim.player_verbs import (
    DOING,
    SHELF_TRICKS,
    TRICKS,
    plan_of,
    put_down,
    trick_verb,
)
from store_sim.scene import JOINTS, BodyPose, Scene
from store_sim.tampering import Troubles, check_target
from store_sim.world import World, verbs
from store_sim.world.foreign import FOREIGN

__all__ = ["IDLE_S", "PlayerDesk", "Stage", "VisitOf"]

Stage = Literal["none", "outside", "inside", "leaving", "gone", "turned_away"]
"""Of the avatar: nobody yet, before the gate, in the store, walking out, out, not let in."""

IDLE_S = 180.0
"""Without a command for so long, the avatar walks out by itself."""
LEFT_ALONE_S = 30.0
"""After so long without a command anybody may take over."""
STAND_M = 0.66
NEAR_M = 1.3
SNAP_M = 1.2
SNAP_STEP_M = 0.12
PLOTTED_MAX = 4
_TIPS = (JOINTS.index("l_fingertip"), JOINTS.index("r_fingertip"))


class PhoneSeen(Protocol):
    """What the page needs of the avatar's phone."""

    @property
    def visit_id(self) -> str:
        """The hub's name of the visit."""
        ...

    @property
    def token(self) -> str:
        """The phone's secret."""
        ...


VisitOf = Callable[[int], PhoneSeen | None]
"""A shopper's visit at the hub, None while there is none."""


@dataclass(slots=True)
class _Visit:
    """One avatar from the gate to the street."""

    holder: str
    tour: bool
    shopper: int
    seat: PlayerSeat
    commanded_s: float
    stage: Stage = "outside"
    seen: bool = False
    held: Counter[str] = field(default_factory=Counter)
    before: Counter[str] = field(default_factory=Counter)
    plotted: list[c.Spoil] = field(default_factory=list)
    said: str = ""
    said_number: int = 0

    def say(self, text: str) -> None:
        """Something that the person should read."""
        self.said, self.said_number = text, self.said_number + 1


class PlayerDesk:
    """One avatar at a time in one world. `obey` and `look` are called on the world's thread."""

    def __init__(self, world: World, troubles: Troubles, *, visit_of: VisitOf) -> None:
        self._world = world
        self._troubles = troubles
        self._visit_of = visit_of
        self._names = {product.gtin: product.name for product in world.store.products}
        self._names |= {gtin: product.name for gtin, product in FOREIGN.items()}
        self._bays = {bay.bay_id: bay for bay in world.store.bays}
        self._slots_of: dict[str, list[str]] = {}
        self._home: dict[str, list[str]] = {}
        for slot in world.store.slots:
            self._slots_of.setdefault(slot.bay_id, []).append(slot.slot_id)
            self._home.setdefault(slot.gtin, []).append(slot.slot_id)
        self._visit: _Visit | None = None

    # -- commands

    def obey(self, holder: str, command: c.Command, *, tour: bool = False) -> dict[str, Any]:
        """Does what is asked, or begins to; PlayerError says why it cannot be.

        `holder` names the page; `tour` says that no person asks, so that any person may take over.
        """
        if isinstance(command, c.Come):
            self._come(holder, tour)
            return {"ok": True}
        visit = self._mine(holder, tour, take_over=isinstance(command, c.TakeOver))
        match command:
            case c.TakeOver() | c.Stop():
                visit.seat.clear()
            case c.Mend():
                visit.plotted.clear()
                self._troubles.mend()
            case c.Spoil():
                self._spoil(visit, command)
            case c.Leave():
                self._leave(visit)
            case _:
                self._inside(visit)
                self._move(visit, command)
        return {"ok": True}

    def _come(self, holder: str, tour: bool) -> None:
        visit = self._visit
        if visit is not None and visit.stage in ("outside", "inside", "leaving"):
            if visit.holder == holder:
                raise PlayerError("You are in the store already. Walk out before you come again.")
            raise SeatTakenError(_taken(visit))
        seat = PlayerSeat()
        index = self._world.admit(plan_of(seat))
        self._visit = _Visit(holder, tour, index, seat, self._world.t_s)

    def _mine(self, holder: str, tour: bool, *, take_over: bool) -> _Visit:
        visit = self._visit
        if visit is None or visit.stage in ("gone", "turned_away"):
            raise PlayerError("The avatar is not in the store. Come in first.")
        if visit.holder != holder:
            alone = self._world.t_s - visit.commanded_s > LEFT_ALONE_S
            if not take_over or not (visit.tour or alone):
                raise SeatTakenError(_taken(visit))
            visit.holder = holder
        visit.tour = tour
        visit.commanded_s = self._world.t_s
        return visit

    def _inside(self, visit: _Visit) -> None:
        if visit.stage == "outside":
            raise PlayerError("The avatar is still at the gate. One moment.")
        if visit.stage == "leaving":
            raise PlayerError("The avatar is walking out. Come in again afterwards.")

    def _move(self, visit: _Visit, command: c.Command) -> None:
        wheel = visit.seat.wheel
        match command:
            case c.Steer():
                wheel.steer(command.dx, command.dy, self._world.t_s)
            case c.Go():
                wheel.go(*self._standing(command.x_m, command.y_m))
            case c.GoBefore():
                bay = self._bays.get(command.bay_id)
                if bay is None:
                    raise BadCommandError(f"bay_id: no bay {command.bay_id!r} in this store")
                wheel.go(*_before(bay), math.radians(bay.facing_deg) + math.pi)
            case c.TakeOne():
                self._check_there(command.slot_id, command.column)
                visit.seat.ask(verbs.Take(command.slot_id, command.column))
            case c.PutDown():
                visit.seat.ask(self._put_down(visit, command))
            case c.Trick():
                visit.seat.ask(self._trick(visit, command))

    def _leave(self, visit: _Visit) -> None:
        self._inside(visit)
        visit.seat.clear()
        visit.seat.ask(verbs.Exit())

    def _spoil(self, visit: _Visit, command: c.Spoil) -> None:
        check_target(self._world.store, command.kind, command.target)
        if command.when == "now":
            self._begin(command)
        elif len(visit.plotted) >= PLOTTED_MAX:
            raise PlayerError(f"At most {PLOTTED_MAX} things can wait for a hand in the shelf.")
        else:
            visit.plotted.append(command)

    def _begin(self, command: c.Spoil) -> None:
        now_s = self._world.t_s
        self._troubles.add(
            Mishap(
                kind=command.kind,
                target=command.target,
                begin_s=now_s,
                end_s=now_s + command.seconds,
            )
        )

    def _trick(self, visit: _Visit, command: c.Trick) -> verbs.Verb:
        verb = trick_verb(command.trick, slot_id=command.slot_id, gtin=command.gtin)
        if command.trick in SHELF_TRICKS:
            self._check_there(str(command.slot_id), None)
        elif not visit.held:
            raise PlayerError("There is nothing in the hands to do this with. Take something.")
        return verb

    def _put_down(self, visit: _Visit, command: c.PutDown) -> verbs.Verb:
        gtin = command.gtin
        if visit.held[gtin] <= 0:
            name = self._names.get(gtin, gtin)
            raise PlayerError(f"The avatar does not carry {name}. Take it before you put it back.")
        homes = self._home.get(gtin)
        if not homes:
            raise PlayerError(f"{self._names[gtin]} has no place on these shelves.")
        if command.slot_id is not None and command.slot_id not in self._world.stock.places:
            raise BadCommandError(f"slot_id: no slot {command.slot_id!r} in this store")
        slot_id = command.slot_id or homes[0]
        if command.slot_id is not None and not self._has_room(slot_id):
            raise PlayerError("There is no room in that place. Take something away there first.")
        return put_down(slot_id, gtin=gtin, at_home=slot_id in homes)

    def _check_there(self, slot_id: str, column: int | None) -> None:
        place = self._world.stock.places.get(slot_id)
        if place is None:
            raise BadCommandError(f"slot_id: no slot {slot_id!r} in this store")
        if column is not None and column >= place.slot.facings:
            raise BadCommandError(
                f"column: slot {slot_id} has {place.slot.facings} columns, got {column}"
            )
        filled = self._world.stock.filled_columns(slot_id)
        if not filled or (column is not None and column not in filled):
            raise PlayerError(f"Nothing stands there any more ({place.product.name}).")

    def _has_room(self, slot_id: str) -> bool:
        stock = self._world.stock
        slot = stock.places[slot_id].slot
        return any(
            len(stock.columns[(slot_id, column)]) < slot.deep for column in range(slot.facings)
        )

    def _standing(self, x_m: float, y_m: float) -> tuple[float, float]:
        """The point itself, or the nearest one where somebody can stand."""
        floor, ground = self._world.store.floor, self._world.ground
        if not (0.0 <= x_m <= floor.width_m and 0.0 <= y_m <= floor.depth_m):
            raise BadCommandError(
                f"x_m, y_m: expected a point of the floor of {floor.width_m} m by "
                f"{floor.depth_m} m, got ({x_m:.2f}, {y_m:.2f})"
            )
        for ring in range(round(SNAP_M / SNAP_STEP_M) + 1):
            for part in range(max(1, 8 * ring)):
                angle = 2 * math.pi * part / max(1, 8 * ring)
                x = x_m + ring * SNAP_STEP_M * math.cos(angle)
                y = y_m + ring * SNAP_STEP_M * math.sin(angle)
                if ground.clear(x, y) and ground.indoors(x, y):
                    return x, y
        raise PlayerError("Nobody can stand there. Choose a free place on the floor.")

    # -- what there is to see

    def look(self) -> dict[str, Any]:
        """The world as the page shows it; see `tests/store_sim/test_player_desk.py` for a whole
        one. Call it a few times a second: it also notices what was done and who has left."""
        scene = self._world.scene()
        visit = self._visit
        body = None
        if visit is not None:
            body = next((one for one in scene.bodies if one.person_index == visit.shopper), None)
            self._follow(visit, body, scene)
        near = None if body is None else self._near_bay(body)
        return {
            "t_s": round(self._world.t_s, 2),
            "people": [_person(one, visit) for one in scene.bodies],
            "you": self._you(visit, scene, near),
            "shelf": {} if near is None else self._shelf(near),
            "mishaps": [
                {
                    "kind": one.kind,
                    "target": one.target,
                    "left_s": round(min(999.0, one.end_s - self._world.t_s), 1),
                }
                for one in self._troubles.at(self._world.t_s)
            ],
            "tricks": list(TRICKS),
        }

    @property
    def stage(self) -> Stage:
        """What has become of the avatar, as of the last look."""
        return "none" if self._visit is None else self._visit.stage

    @property
    def holder(self) -> str:
        """The page whose avatar it is; empty if there is none."""
        return "" if self._visit is None else self._visit.holder

    def _follow(self, visit: _Visit, body: BodyPose | None, scene: Scene) -> None:
        """What has become of the avatar since the last look."""
        doing = visit.seat.doing
        visit.seen = visit.seen or body is not None
        if body is None:
            # Before it was seen once it waits in the street for a free gate.
            if visit.seen and visit.stage not in ("gone", "turned_away"):
                visit.stage = "turned_away" if visit.stage == "outside" else "gone"
                visit.held = Counter()
            return
        if isinstance(doing, verbs.Exit):
            visit.stage = "leaving"
        elif doing is not None and not isinstance(doing, verbs.Enter):
            visit.stage = "inside"
        held = Counter(one.gtin for one in scene.loose_items if one.holder_index == visit.shopper)
        if visit.plotted:
            self._spring(
                visit, hand_in=self._hand_in(body), taken=held.total() > visit.held.total()
            )
        done = visit.seat.take_done()
        for verb in done:
            self._judge(visit, verb, held)
        if done or isinstance(doing, Steered):
            # What the next verb is measured by; a hand holds a thing before its verb has ended.
            visit.before = held
        visit.held = held
        idle_s = self._world.t_s - visit.commanded_s
        if visit.stage == "inside" and idle_s > IDLE_S and not visit.seat.waiting:
            visit.seat.ask(verbs.Exit())
            visit.say("Nobody was at the keys for three minutes: the avatar walks out.")

    def _spring(self, visit: _Visit, *, hand_in: bool, taken: bool) -> None:
        """Begins what was plotted for this moment."""
        now = [one for one in visit.plotted if (taken if one.when == "taken" else hand_in)]
        visit.plotted = [one for one in visit.plotted if one not in now]
        for one in now:
            self._begin(one)

    def _judge(self, visit: _Visit, verb: verbs.Verb, held: Counter[str]) -> None:
        """Says so where a hand came back without what it went for, or with it."""
        before, after = visit.before.total(), held.total()
        if isinstance(verb, verbs.Take) and after <= before:
            visit.say("The hand came back empty: somebody else was first, or it is out of reach.")
        elif isinstance(verb, verbs.PutBack) and after >= before:
            visit.say("It could not be put there: the place is full or out of reach.")

    def _you(self, visit: _Visit | None, scene: Scene, near: str | None) -> dict[str, Any]:
        if visit is None:
            return {"stage": "none", "busy": False, "doing": "", "waiting": 0, "carried": [],
                    "near_bay": None, "said": "", "said_number": 0, "tour": False,
                    "phone": None, "left_alone": False}  # fmt: skip
        phone = self._visit_of(visit.shopper)
        return {
            "stage": visit.stage,
            "shopper": visit.shopper,
            "busy": visit.seat.busy,
            "doing": self._doing(visit),
            "waiting": visit.seat.waiting,
            "carried": self._carried(visit, scene),
            "near_bay": near,
            "said": visit.said,
            "said_number": visit.said_number,
            "tour": visit.tour,
            "left_alone": self._world.t_s - visit.commanded_s > LEFT_ALONE_S,
            "phone": None if phone is None else {
                "visit_id": phone.visit_id, "token": phone.token
            },
        }  # fmt: skip

    def _doing(self, visit: _Visit) -> str:
        doing = visit.seat.doing
        if doing is None:
            return "coming in"
        if isinstance(doing, Steered):
            return "walking" if visit.seat.wheel.turning(self._world.t_s) else "standing"
        name = type(doing).__name__
        return DOING.get(name, name.lower())

    def _carried(self, visit: _Visit, scene: Scene) -> list[dict[str, Any]]:
        return [
            {
                "item": one.item_index,
                "gtin": one.gtin,
                "name": self._names.get(one.gtin, one.gtin),
                "where": one.state,
            }
            for one in scene.loose_items
            if one.holder_index == visit.shopper
        ]

    def _shelf(self, bay_id: str) -> dict[str, list[list[Any]]]:
        """Slot to its columns, each [GTIN of the front piece or null, pieces]."""
        stock = self._world.stock
        shown: dict[str, list[list[Any]]] = {}
        for slot_id in self._slots_of.get(bay_id, ()):
            columns = []
            for column in range(stock.places[slot_id].slot.facings):
                front = stock.front(slot_id, column)
                count = len(stock.columns[(slot_id, column)])
                columns.append([None if front is None else front.product.gtin, count])
            shown[slot_id] = columns
        return shown

    def _hand_in(self, body: BodyPose) -> bool:
        """Whether a fingertip is behind the front plane of a bay, within its width."""
        for tip in (body.joints_m[_TIPS[0]], body.joints_m[_TIPS[1]]):
            for bay in self._world.store.bays:
                ahead, u = _from_front(bay, float(tip[0]), float(tip[1]))
                if -bay.depth_m <= ahead < 0.0 and 0.0 <= u <= bay.width_m:
                    return True
        return False

    def _near_bay(self, body: BodyPose) -> str | None:
        x, y = float(body.joints_m[0, 0]), float(body.joints_m[0, 1])
        found = [(_front_m(bay, x, y), bay.bay_id) for bay in self._world.store.bays]
        far_m, bay_id = min(found)
        return bay_id if far_m <= NEAR_M else None


def _taken(visit: _Visit) -> str:
    who = "The tour has" if visit.tour else "Another page has"
    return f"{who} the avatar at the moment."


def _person(body: BodyPose, visit: _Visit | None) -> dict[str, Any]:
    joints = body.joints_m
    left = joints[5] - joints[9]
    # The left shoulder is a quarter turn to the left of where somebody faces.
    heading = math.atan2(float(left[1]), float(left[0])) - math.pi / 2
    return {
        "id": body.person_index,
        "x_m": round(float(joints[0, 0]), 3),
        "y_m": round(float(joints[0, 1]), 3),
        "heading_rad": round(math.remainder(heading, 2 * math.pi), 3),
        "you": visit is not None and body.person_index == visit.shopper,
    }


def _axes(bay: Bay) -> tuple[tuple[float, float], tuple[float, float]]:
    """Along the front and out of it, see contracts.geometry."""
    x, y = bay.normal
    return (-y, x), (x, y)


def _before(bay: Bay) -> tuple[float, float]:
    """Where somebody stands who looks at the middle of a bay."""
    along, out = _axes(bay)
    u = bay.width_m / 2
    return (
        bay.origin_m[0] + u * along[0] + STAND_M * out[0],
        bay.origin_m[1] + u * along[1] + STAND_M * out[1],
    )


def _from_front(bay: Bay, x: float, y: float) -> tuple[float, float]:
    """How far before a bay's front plane a floor point is, and how far along it."""
    along, out = _axes(bay)
    dx, dy = x - bay.origin_m[0], y - bay.origin_m[1]
    return dx * out[0] + dy * out[1], dx * along[0] + dy * along[1]


def _front_m(bay: Bay, x: float, y: float) -> float:
    """From a floor point before a bay to its front line; infinite behind it."""
    ahead, u = _from_front(bay, x, y)
    if ahead < 0.0:
        return math.inf
    return math.hypot(ahead, u - min(max(u, 0.0), bay.width_m))
