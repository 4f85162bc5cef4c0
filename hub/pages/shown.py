"""View models: from the hub's JSON to what the staff and start pages show. Pure functions.

`Snapshot` holds what the hub said last; everything else is made from it. Shares are 0 to 1,
places are shares of the floor with the far wall on top.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import cos, dist, radians, sin
from typing import Any

from hub.pages.words import Palette, Tone, act, age, clock, label, money, sentence, tone

__all__ = [
    "Act",
    "Belief",
    "Cart",
    "CartLine",
    "Fact",
    "FeedRow",
    "Person",
    "Snapshot",
    "belief",
    "carts",
    "chances",
    "counters",
    "facts",
    "feed_rows",
    "front_distance_m",
    "near_bay",
    "people",
    "refund_minor",
    "refundable",
]

CLOSED_SHOWN = 8
_STATUS_TONES: Mapping[str, Tone] = {
    "exiting": "plain",
    "in review": "amber",
    "settling": "plain",
    "disputed": "amber",
    "unpaid": "red",
}
"""How a visit stands, where that says more than the shopper's word."""
FEED_SHOWN = 60
ACTS_SHOWN = 5
FRAME_AGE_S_MAX = 2.0
HEARD_AGE_S_MAX = 5.0
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the hub said last. Without a state, nothing has been heard yet."""

    state: Json | None = None
    layout: Json | None = None
    events: Sequence[Json] = ()
    review: Sequence[Json] = ()
    connected: bool = False
    fault: str = ""

    @property
    def names(self) -> Mapping[str, str]:
        """GTIN to product name."""
        return {} if self.layout is None else self.layout["products"]

    @property
    def currency(self) -> str:
        """ISO 4217."""
        return "EUR" if self.layout is None else str(self.layout["currency"])

    @property
    def exits(self) -> Sequence[str]:
        """Gates through which people leave; a display hangs at each."""
        gates = () if self.layout is None else self.layout["gates"]
        return [gate["gate_id"] for gate in gates if gate["kind"] == "exit"]

    @property
    def walls(self) -> Sequence[str]:
        """Pick-up walls; a kiosk stands at each."""
        walls = () if self.layout is None else self.layout.get("walls", ())
        return [str(wall["wall_id"]) for wall in walls]

    @property
    def visits(self) -> Sequence[Json]:
        """All visits the hub shows, closed ones first."""
        return () if self.state is None else self.state["visits"]

    def visit(self, visit_id: str | None) -> Json | None:
        """One of them."""
        return next((row for row in self.visits if row["visit_id"] == visit_id), None)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody on the floor; `left` and `top` are shares of the plan's width and height."""

    track_id: str
    visit_id: str | None
    label: str
    colour: str
    left: float
    top: float


@dataclass(frozen=True, slots=True)
class CartLine:
    """A line of a cart; `chance` is how sure the least sure of its picks is."""

    name: str
    quantity: int
    total: str
    chance: float | None


@dataclass(frozen=True, slots=True)
class Cart:
    """One visit as a card."""

    visit_id: str
    label: str
    colour: str
    word: str
    tone: Tone
    open: bool
    lines: tuple[CartLine, ...]
    total: str
    notes: tuple[tuple[str, Tone], ...]


@dataclass(frozen=True, slots=True)
class FeedRow:
    """One event as a sentence."""

    number: int
    at: str
    who: str
    colour: str
    said: str
    why: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class Act:
    """A decision as the belief pane shows it; alternatives where it is unclear."""

    said: str
    chance: float
    certain: bool
    why: str
    others: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Belief:
    """What the hub believes of one visit."""

    cart: Cart
    doing: str
    acts: tuple[Act, ...]


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of health or a counter."""

    name: str
    said: str
    tone: Tone
    details: tuple[str, ...] = field(default=())


def people(shot: Snapshot, palette: Palette) -> list[Person]:
    """Everybody a ceiling camera follows now."""
    if shot.state is None or shot.layout is None:
        return []
    floor = shot.layout["floor"]
    return [
        Person(
            row["track_id"],
            row["visit_id"],
            str(row["visit_id"])[-4:].upper() if row["visit_id"] else "?",
            palette.of(row["visit_id"]),
            _clip(row["x_m"] / floor["width_m"]),
            _clip(1.0 - row["y_m"] / floor["depth_m"]),
        )
        for row in shot.state["tracks"]
    ]


def chances(events: Sequence[Json]) -> dict[tuple[str, str], float]:
    """Per visit and product, how sure the hub is of the least sure pick that counts."""
    latest = {
        (row["data"]["reach_id"], row["data"]["line"]): row["data"]
        for row in events
        if row["kind"].startswith("decision.") and row["kind"] != "decision.late"
    }
    found: dict[tuple[str, str], float] = {}
    for data in latest.values():
        if data["certain"] and data["to_visit"] and data["gtin"] and data["quantity"] > 0:
            key = (data["to_visit"], data["gtin"])
            found[key] = min(found.get(key, 1.0), float(data["probability"]))
    return found


def carts(shot: Snapshot, palette: Palette) -> list[Cart]:
    """Open visits, the newest first, then the latest closed ones."""
    sure = chances(shot.events)
    rows = list(reversed(shot.visits))
    is_open = [row for row in rows if _open(row)]
    closed = [row for row in rows if not _open(row)][:CLOSED_SHOWN]
    return [_cart(shot, row, palette, sure) for row in (*is_open, *closed)]


def feed_rows(shot: Snapshot, palette: Palette) -> list[FeedRow]:
    """The latest events as sentences, the newest first."""
    rows = []
    for event in reversed(shot.events[-FEED_SHOWN:]):
        said, look = sentence(event, shot.names, shot.currency)
        visit_id = event["visit_id"]
        # Who is not known only matters where something was taken.
        nobody = visit_id is None and not event["data"].get("quantity")
        rows.append(
            FeedRow(
                event["number"],
                clock(event["at_us"]),
                "" if nobody else label(visit_id),
                palette.of(visit_id),
                said,
                str(event["data"].get("why", "")),
                look,
            )
        )
    return rows


def belief(shot: Snapshot, visit_id: str | None, palette: Palette) -> Belief | None:
    """One visit's cart, what its shopper seems to be doing, and its latest decisions."""
    row = shot.visit(visit_id)
    if row is None or visit_id is None:
        return None
    latest: dict[tuple[str, int], Json] = {}
    for event in shot.events:
        data = event["data"]
        if event["kind"].startswith("decision.") and _concerns(data, visit_id):
            latest.pop((data["reach_id"], data["line"]), None)
            latest[data["reach_id"], data["line"]] = data
    acts = [_act(data, visit_id, shot.names) for data in reversed(latest.values())]
    return Belief(
        _cart(shot, row, palette, chances(shot.events)), _doing(shot, row), tuple(acts[:ACTS_SHOWN])
    )


def facts(shot: Snapshot) -> list[Fact]:
    """Health: the hub itself, its broker, every node with its cameras, and what is blind."""
    if shot.state is None:
        return [Fact("Hub", shot.fault or "nothing heard yet", "red")]
    state = shot.state
    alarm = state["alarm"] or state["halted"]
    rows = [
        Fact(
            "Hub",
            f"halted: {alarm}" if alarm else ("running" if shot.connected else shot.fault),
            "red" if alarm or not shot.connected else "good",
        ),
        Fact(
            "Broker",
            "connected" if state["broker"] else "not connected: nodes keep what they see",
            "good" if state["broker"] else "red",
        ),
    ]
    rows += [_node(row) for row in state["devices"]]
    rows += [
        Fact(row["sensor_id"], f"blind ({row['kind']}): its zone cannot be judged", "red")
        for row in state["blind"]
    ]
    return rows


def counters(shot: Snapshot) -> list[Fact]:
    """The numbers on top of the staff page."""
    if shot.state is None:
        return []
    state = shot.state
    inside = sum(row["stage"] in ("binding", "shopping") for row in shot.visits)
    behind = len(state.get("tagged_along", ()))
    debt_minor = sum(row["debt_minor"] for row in shot.visits)
    sold_minor = sum(row["captured_minor"] for row in shot.visits)
    dead = int(state["counters"].get("dead_letters", 0))
    review = len(shot.review)
    return [
        Fact("in the store", str(inside), "plain"),
        Fact("tagged along", str(behind), "red" if behind else "plain"),
        Fact("codes waiting", str(state["waiting_codes"]), "plain"),
        Fact("charged lately", money(sold_minor, shot.currency), "plain"),
        Fact("to review", str(review), "amber" if review else "plain"),
        Fact("debts", money(debt_minor, shot.currency), "amber" if debt_minor else "plain"),
        Fact("dead letters", str(dead), "red" if dead else "plain"),
    ]


def refundable(phone: Json) -> list[tuple[int, str, int, int]]:
    """What may be given back of a receipt: (line, name, pieces left, minor units a piece).

    `phone` is the visit as its phone shows it; before its receipt nothing can be given back.
    """
    receipt = phone["receipt"]
    if receipt is None:
        return []
    gone = {row["line"]: row["quantity"] for row in receipt["refunded"]}
    return [
        (line["line"], line["name"], left, line["unit_price_minor"])
        for line in phone["lines"]
        if (left := line["quantity"] - gone.get(line["line"], 0)) > 0
    ]


def refund_minor(phone: Json, wanted: Mapping[int, int]) -> int:
    """What so many pieces of receipt lines bring back, as the hub reckons it: a line that was
    discounted goes back in parts that sum to what was paid for it."""
    receipt = phone["receipt"]
    gone = {} if receipt is None else {x["line"]: x["quantity"] for x in receipt["refunded"]}
    total = 0
    for line in phone["lines"]:
        left = line["quantity"] - gone.get(line["line"], 0)
        after = left - wanted.get(line["line"], 0)
        total += _part(line, left) - _part(line, after)
    return total


# ---------------------------------------------------------------------------- inside


def _part(line: Json, count: int) -> int:
    """The share of a line's price that so many of its pieces have, rounded half up."""
    quantity = int(line["quantity"])
    return (2 * int(line["total_minor"]) * count + quantity) // (2 * quantity)


def _clip(share: float) -> float:
    return min(1.0, max(0.0, share))


def _open(row: Json) -> bool:
    return row["stage"] not in ("final", "refused", "expired")


def _cart(
    shot: Snapshot, row: Json, palette: Palette, sure: Mapping[tuple[str, str], float]
) -> Cart:
    visit_id = row["visit_id"]
    return Cart(
        visit_id,
        label(visit_id),
        palette.of(visit_id),
        row["state"],
        tone(row["state"]),
        _open(row),
        tuple(
            CartLine(
                line["name"],
                line["quantity"],
                money(line["total_minor"], shot.currency),
                sure.get((visit_id, line["gtin"])),
            )
            for line in row["lines"]
        ),
        money(row["total_minor"], shot.currency),
        tuple(_notes(row, shot.currency)),
    )


def _notes(row: Json, currency: str) -> list[tuple[str, Tone]]:
    notes: list[tuple[str, Tone]] = []
    if (stands := str(row.get("status"))) in _STATUS_TONES:
        notes.append((stands, _STATUS_TONES[stands]))
    if row["unclear"] and _open(row):
        notes.append((f"checking {row['unclear']}: free unless it becomes clear", "amber"))
    if row["debt_minor"]:
        notes.append((f"debt {money(row['debt_minor'], currency)}", "red"))
    if row["refunded_minor"]:
        notes.append((f"given back {money(row['refunded_minor'], currency)}", "good"))
    if row["refusal"]:
        notes.append((f"refused: {row['refusal']}", "red"))
    for notice in row.get("notices", ()):
        if notice["kind"] == "id":
            notes.append((f"{notice['name']}: an ID must be seen", "amber"))
        elif notice["kind"] in ("closed", "recalled"):
            notes.append((f"{notice['name']} is not for sale", "red"))
    notes += [(reason, "amber") for reason in row["reasons"]]
    return notes


def _concerns(data: Json, visit_id: str) -> bool:
    return data["to_visit"] == visit_id or (
        not data["certain"] and any(other[0] == visit_id for other in data["alternatives"])
    )


def _act(data: Json, visit_id: str, names: Mapping[str, str]) -> Act:
    others = tuple(
        (
            act({"gtin": gtin, "quantity": quantity}, names)
            + ("" if who == visit_id or not quantity else f", {label(who)}"),
            float(chance),
        )
        for who, gtin, quantity, chance in data["alternatives"][:4]
    )
    said = act(data, names)
    if data["to_visit"] != visit_id:
        said = f"{label(data['to_visit'])} {said}"
    return Act(
        said,
        float(data["probability"]),
        bool(data["certain"]),
        str(data["why"]),
        () if data["certain"] else others,
    )


def _doing(shot: Snapshot, row: Json) -> str:
    """What the shopper seems to be doing, from positions and open reaches."""
    if row["stage"] == "entering":
        return "Scanned in; asking the wallet to reserve."
    if row["stage"] == "binding":
        return "Scanned in; looking for the person at the gate."
    if row["stage"] == "left":
        return "Has left; waiting for the last news of the shelves."
    if row["stage"] != "shopping":
        return "The visit is over."
    bay_id = near_bay(shot, row["at_m"])
    if bay_id is None:
        return "Walking."
    assert shot.state is not None
    open_here = [r for r in shot.state["reaches"] if r["bay_id"] == bay_id]
    where = bay_id.replace("-", " ")
    if any(not reach["closed"] for reach in open_here):
        return f"A hand is in {where}."
    if open_here:
        return f"A hand was in {where}; weighing what that means."
    return f"Standing at {where}."


def near_bay(shot: Snapshot, at_m: Sequence[float] | None) -> str | None:
    """The bay within reach of a floor point; None if there is none."""
    if at_m is None or shot.layout is None:
        return None
    found = []
    for bay in shot.layout["bays"]:
        far_m = front_distance_m(bay, (at_m[0], at_m[1]))
        if far_m <= 1.2:
            found.append((far_m, str(bay["bay_id"])))
    return min(found)[1] if found else None


def front_distance_m(bay: Json, point: tuple[float, float]) -> float:
    """From a floor point to the bay's front line; see contracts.geometry for the bay's frame."""
    a = radians(bay["facing_deg"])
    along = (-sin(a), cos(a))
    x_m, y_m = point[0] - bay["origin_m"][0], point[1] - bay["origin_m"][1]
    u_m = min(max(x_m * along[0] + y_m * along[1], 0.0), bay["width_m"])
    return dist((x_m, y_m), (u_m * along[0], u_m * along[1]))


def _node(row: Json) -> Fact:
    health = row["health"]
    heard_s = row["heard_s_ago"]
    if not row["alive"]:
        said: str = "down" if row["boot_id"] else "never heard of"
        return Fact(row["device_id"], said, "red")
    details = []
    look: Tone = "good" if heard_s is not None and heard_s <= HEARD_AGE_S_MAX else "amber"
    if health is not None:
        for camera in health["cameras"]:
            age_s = camera["last_frame_age_s"]
            ok = camera["ok"] and age_s is not None and age_s <= FRAME_AGE_S_MAX
            look = look if ok else "red"
            state = "" if ok else " · no picture"
            details.append(
                f"{camera['camera_id']}: {camera['fps']:.1f} fps, last frame {age(age_s)}{state}"
            )
        if health["plates_age_s"] is not None:
            details.append(f"plates: last reading {age(health['plates_age_s'])}")
        waiting = health["outbox_waiting"]
        details.append(f"outbox: {waiting} waiting{', FULL' if health['outbox_full'] else ''}")
        details.append(f"CPU {health['cpu_share']:.0%}")
    if row["behind_gap"]:
        details.append(f"{row['behind_gap']} messages wait behind a gap")
    return Fact(row["device_id"], f"heard {age(heard_s)} ago", look, tuple(details))
