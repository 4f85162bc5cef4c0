"""Orders, parcels and walls as values; nothing here decides.

A parcel goes expected -> stowed -> ready -> cued -> taken -> handed_over, and may become missing or
returned; see hub.parcels.service for who moves it. Times are hub seconds, places the wall's (u, z)
in metres.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from contracts.wall_messages import Mark

__all__ = [
    "PARCEL_STATES",
    "Alarm",
    "AlarmKind",
    "Item",
    "Order",
    "OrderState",
    "Outline",
    "Parcel",
    "ParcelState",
    "Parcels",
    "Refusal",
    "Route",
    "Seen",
    "Session",
    "SessionLook",
    "SessionState",
    "Stop",
    "Wall",
    "Who",
    "lean",
]

ParcelState = Literal[
    "expected", "stowed", "ready", "cued", "taken", "handed_over", "returned", "missing"
]
PARCEL_STATES: tuple[ParcelState, ...] = get_args(ParcelState)
OrderState = Literal["open", "collected", "expired", "cancelled"]
SessionState = Literal["reading", "showing", "taken", "wrong", "done", "refused", "ended"]
Who = Literal["customer", "staff", "route", "nobody"]
SessionLook = Literal["take_a", "take_b", "place"]
AlarmKind = Literal[
    "wrong_taken", "taken_by_nobody", "duplicate_label", "unknown_taken", "unpaid_taken",
    "handover_unseen", "guessed_at", "stands_again", "projector",
]  # fmt: skip
Refusal = Literal[
    "", "unknown", "forged", "other_store", "expired", "used", "cancelled", "collected",
    "order_expired", "not_ready", "elsewhere", "busy", "unpaid", "blind", "late", "wait",
]  # fmt: skip
"""Why a scan opened nothing, for pages to say in words."""
Outline = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Item:
    """So many pieces of one product in a parcel; prices include VAT, `vat_rate` as "0.1900"."""

    gtin: str
    quantity: int
    unit_price_minor: int = 0
    vat_rate: str = ""
    name: str = ""


@dataclass(slots=True)
class Parcel:
    """One parcel by its label's key. `due_minor` is what its items cost at pick-up, 0 if paid.

    `proof` is what was seen when it was taken: {order_id, session_id, thing_id, reads, taken_s}.
    `visit_id` is the sale that was charged for it, `handed_s` when it was handed over.
    """

    key: str
    label: str
    order_id: str
    items: tuple[Item, ...] = ()
    due_minor: int = 0
    size_m: tuple[float, float] | None = None
    state: ParcelState = "expected"
    wall_id: str | None = None
    thing_id: str | None = None
    changed_s: float = 0.0
    proof: dict[str, Any] = field(default_factory=dict)
    visit_id: str | None = None
    handed_s: float | None = None


@dataclass(slots=True)
class Order:
    """What one customer ordered. `payer` pays what is due; `token_sha256` is the customer's phone,
    `code_sha256` a code of the order's own. `released`: staff said that it waits for no more."""

    order_id: str
    payer: str
    placed_s: float
    deadline_s: float | None = None
    code_sha256: str | None = None
    token_sha256: str | None = None
    parcels: list[str] = field(default_factory=list)
    state: OrderState = "open"
    released: bool = False
    closed_s: float | None = None
    reason: str = ""
    returns: dict[str, str] = field(default_factory=dict)
    forgotten: bool = False


@dataclass(slots=True)
class Seen:
    """A thing at a wall as its node last told. `key` is what its label names, None while it counts
    as unread; `was` is what it named before. `stood_m` is where it stood last, None if it never
    did: then nobody has taken it from here. `mark_m`: where marks belong, if not on the whole face.
    `came_s` is when it first stood."""

    thing_id: str
    state: Literal["stands", "moves", "gone"]
    outline_m: Outline
    since_s: float
    seen_s: float
    hidden: bool = False
    text: str | None = None
    key: str | None = None
    was: str | None = None
    reads: int = 0
    contested: bool = False
    twins: tuple[str, ...] = ()
    v_m: float = 0.0
    stood_m: Outline | None = None
    came_s: float | None = None
    mark_m: Outline | None = None

    @property
    def name(self) -> str | None:
        """The parcel it is, also while its label is contested."""
        return self.key or self.was


@dataclass(slots=True)
class Alarm:
    """Something staff should look at. `key` and `thing_id` say what it is about."""

    number: int
    kind: AlarmKind
    at_s: float
    key: str | None = None
    thing_id: str | None = None
    session_id: str | None = None
    area_m: Outline | None = None


@dataclass(slots=True)
class Session:
    """Somebody at a wall. `keys` are the parcels shown here, `taken` those in their hands with the
    second they were taken, `wrong` the others they took (keys, or things without one). `sales` maps
    orders to the visit that is charged; those in `paying` wait for the gateway, those in `unpaid`
    were refused. `met`: it was seen that they came to the wall. `holder` is who of the staff it is,
    or the route."""

    session_id: str
    wall_id: str
    who: Who
    look: SessionLook
    began_s: float
    moved_s: float
    state: SessionState = "reading"
    orders: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    taken: dict[str, float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    sales: dict[str, str] = field(default_factory=dict)
    paying: list[str] = field(default_factory=list)
    unpaid: list[str] = field(default_factory=list)
    elsewhere: int = 0
    reason: Refusal = ""
    holder: str = ""
    placing: str | None = None
    place_m: Outline | None = None
    blind: bool = False
    met: bool = False
    left: list[str] = field(default_factory=list)
    over_s: float | None = None

    @property
    def live(self) -> bool:
        """Whether it still shows or judges anything."""
        return self.over_s is None and self.state not in ("refused", "ended")

    def forgive(self, name: str | None) -> bool:
        """What they took wrongly is back, or known of; whether it was theirs to answer for."""
        if name is None or name not in self.wrong:
            return False
        self.wrong.remove(name)
        return True


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop of a route: its name and the parcels that are left there."""

    name: str
    orders: tuple[str, ...]
    keys: tuple[str, ...]


@dataclass(slots=True)
class Route:
    """Stops in order; `at` is the one the van stands at, -1 before the first."""

    route_id: str
    wall_id: str
    stops: tuple[Stop, ...]
    at: int = -1
    left: dict[int, list[str]] = field(default_factory=dict)


@dataclass(slots=True)
class Wall:
    """What is known of one wall. `whole`: its node has told all there is since it was born.

    `somebody`: its node says that somebody is before it. `nobody_s`: since when nobody is, None if
    somebody is or nobody knows. `came_s`, `left_s`: when somebody came last, and when nobody was
    there any more. `marks` is what shall shine, as of `revision`; `shown` what became of it, by
    mark.
    """

    wall_id: str
    things: dict[str, Seen] = field(default_factory=dict)
    whole: bool = False
    somebody: bool = False
    nobody_s: float | None = None
    came_s: float | None = None
    left_s: float | None = None
    blind: dict[str, str] = field(default_factory=dict)
    projection: dict[str, dict[str, Any]] = field(default_factory=dict)
    revision: int = 0
    calibrate: int = 0
    marks: tuple[Mark, ...] = ()
    shown: dict[str, list[str]] = field(default_factory=dict)
    sessions: list[Session] = field(default_factory=list)
    numbered: int = 0
    alarms: dict[int, Alarm] = field(default_factory=dict)
    alarmed: int = 0
    guesses: list[float] = field(default_factory=list)

    def live(self) -> list[Session]:
        """Sessions that are on."""
        return [one for one in self.sessions if one.live]

    def standing(self, key: str) -> list[Seen]:
        """Things that stand here under this label, one if all is well."""
        return [one for one in self.things.values() if one.state == "stands" and one.name == key]


@dataclass(slots=True)
class Parcels:
    """All of it. `used` holds pick-up codes that opened something, until they would have run out;
    `holders` counts those by holder, so that the next code is another one."""

    orders: dict[str, Order] = field(default_factory=dict)
    all: dict[str, Parcel] = field(default_factory=dict)
    walls: dict[str, Wall] = field(default_factory=dict)
    routes: dict[str, Route] = field(default_factory=dict)
    used: dict[str, float] = field(default_factory=dict)
    holders: dict[str, int] = field(default_factory=dict)
    by_code: dict[str, str] = field(default_factory=dict)
    by_label: dict[str, str] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    """Walls whose marks or judgement may have changed in this step."""
    closed: set[str] = field(default_factory=set)
    """Orders that are over."""
    next_s: float | None = None
    """No order expires before; None while nobody has looked since orders changed."""

    def __bool__(self) -> bool:
        return bool(self.orders or self.routes or self.used or self.holders or self._known_walls())

    def _known_walls(self) -> list[Wall]:
        """Walls of which anything is known: whoever only asked about one has changed nothing."""
        return [wall for wall in self.walls.values() if wall != Wall(wall.wall_id)]

    def wall(self, wall_id: str) -> Wall:
        """What is known of a wall; made when something is first known of it."""
        found = self.walls.get(wall_id)
        if found is None:
            found = self.walls[wall_id] = Wall(wall_id)
        return found

    def of_order(self, order: Order) -> list[Parcel]:
        """The parcels of an order. Of one that was read back from the database a label may be
        another order's by now."""
        found = [self.all.get(key) for key in order.parcels]
        return [one for one in found if one is not None and one.order_id == order.order_id]

    def forget_code(self, order: Order) -> None:
        """An order's own code opens nothing any more, unless it is another order's by now."""
        code = order.code_sha256
        if code is not None and self.by_code.get(code) == order.order_id:
            del self.by_code[code]

    def name_of(self, gtin: str, reaches: Sequence[str]) -> str:
        """What an order called a product of its parcel; the GTIN where nobody knows better."""
        for reach in reaches:
            parcel = self.all.get(reach.removeprefix("parcel:"))
            for item in () if parcel is None else parcel.items:
                if item.gtin == gtin and item.name:
                    return item.name
        return gtin

    def dump(self) -> dict[str, Any]:
        """All of it as JSON values; parts that are empty are left out."""
        rows: dict[str, Any] = {
            "orders": [lean(one) for one in self.orders.values()],
            "parcels": [lean(one) for one in self.all.values()],
            "walls": [_wall_dump(one) for one in self._known_walls()],
            "routes": [_route_dump(one) for one in self.routes.values()],
            "used": dict(self.used),
            "holders": dict(self.holders),
            "labels": dict(self.by_label),
        }
        return {name: rows_ for name, rows_ in rows.items() if rows_}

    @classmethod
    def load(cls, dumped: Mapping[str, Any]) -> Parcels:
        """What `dump` described."""
        found = cls(used=dict(dumped.get("used", {})), holders=dict(dumped.get("holders", {})))
        for row in dumped.get("orders", ()):
            order = Order(**row)
            found.orders[order.order_id] = order
            if order.state != "open":
                found.closed.add(order.order_id)
            code = order.code_sha256
            if code is not None and (order.state == "open" or code not in found.by_code):
                found.by_code[code] = order.order_id
        for row in dumped.get("parcels", ()):
            found.all[row["key"]] = _parcel(row)
        found.by_label = dict(dumped.get("labels", {}))
        for row in dumped.get("walls", ()):
            found.walls[row["wall_id"]] = _wall(row)
        for row in dumped.get("routes", ()):
            stops = tuple(
                Stop(name, tuple(orders), tuple(keys)) for name, orders, keys in row["stops"]
            )
            left = {int(at): list(keys) for at, keys in row.get("left", {}).items()}
            found.routes[row["route_id"]] = Route(
                row["route_id"], row["wall_id"], stops, row["at"], left
            )
        return found


def lean(one: Any) -> dict[str, Any]:
    """A value's fields, those left out that are None or empty."""
    return {
        name: value
        for name, value in asdict(one).items()
        if value not in (None, "", [], {}, ()) and value is not False
    }


def _wall_dump(wall: Wall) -> dict[str, Any]:
    row = {
        item.name: getattr(wall, item.name)
        for item in fields(wall)
        if item.name not in ("things", "marks", "sessions", "alarms")
    }
    row["things"] = [lean(one) for one in wall.things.values()]
    row["marks"] = [one.model_dump(mode="json", exclude_none=True) for one in wall.marks]
    row["sessions"] = [lean(one) for one in wall.sessions]
    row["alarms"] = [lean(one) for one in wall.alarms.values()]
    return {name: value for name, value in row.items() if value or name == "wall_id"}


def _route_dump(route: Route) -> dict[str, Any]:
    stops = [[one.name, list(one.orders), list(one.keys)] for one in route.stops]
    left = {str(at): list(keys) for at, keys in sorted(route.left.items())}
    return {
        "route_id": route.route_id, "wall_id": route.wall_id, "stops": stops, "at": route.at,
        **({"left": left} if left else {}),
    }  # fmt: skip


def _parcel(row: Mapping[str, Any]) -> Parcel:
    values = dict(row)
    values["items"] = tuple(Item(**item) for item in row.get("items", ()))
    if values.get("size_m") is not None:
        values["size_m"] = tuple(values["size_m"])
    return Parcel(**values)


def _outline(points: Any) -> Outline | None:
    return None if points is None else tuple((u, z) for u, z in points)


def _wall(row: Mapping[str, Any]) -> Wall:
    values = dict(row)
    values["things"] = {one["thing_id"]: _seen(one) for one in row.get("things", ())}
    values["marks"] = tuple(Mark.model_validate(one) for one in row.get("marks", ()))
    values["sessions"] = [
        Session(**{**one, "place_m": _outline(one.get("place_m"))})
        for one in row.get("sessions", ())
    ]
    values["alarms"] = {
        one["number"]: Alarm(**{**one, "area_m": _outline(one.get("area_m"))})
        for one in row.get("alarms", ())
    }
    return Wall(**values)


def _seen(row: Mapping[str, Any]) -> Seen:
    values = dict(row)
    values["outline_m"] = _outline(row["outline_m"])
    values["stood_m"] = _outline(row.get("stood_m"))
    values["mark_m"] = _outline(row.get("mark_m"))
    values["twins"] = tuple(row.get("twins", ()))
    return Seen(**values)
