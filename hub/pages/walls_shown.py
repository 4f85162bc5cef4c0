"""View models of the page of pick-up walls: the hub's JSON in, drawings and cards out. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from hub.pages.shown import Fact
from hub.pages.walls_svg import MarkDrawn, ThingDrawn, look_svg, wall_svg
from hub.pages.walls_words import (
    ALARM_TONES,
    LOOKS,
    ORDER_STATES,
    PARCEL_STATES,
    alarm_words,
    due_words,
    key_tail,
    order_tail,
    projector_words,
    session_words,
)
from hub.pages.words import age, clock, money

__all__ = [
    "WallShown",
    "legend_html",
    "order_cards",
    "parcel_cards",
    "route_html",
]

Json = Mapping[str, Any]
GONE = ("handed_over", "returned")
"""States of parcels that staff have nothing to do with any more."""
Card = tuple[str, str, bool]
"""Key, HTML, whether there is something to press."""


class WallShown:
    """One wall as the hub describes it to staff."""

    def __init__(self, view: Json) -> None:
        self.view = view
        self.now_s = float(view["now_s"])

    @property
    def cameras(self) -> list[str]:
        """Cameras that see it."""
        return [str(one) for one in self.view["layout"]["cameras"]]

    def drawing(self) -> str:
        """The wall with what stands and what shines there."""
        rows = [row for row in self.view["things"] if row["state"] != "gone"]
        named = Counter(row["key"] for row in rows if row["key"] and row["state"] == "stands")
        things = [self._thing(row, named[row["key"]] > 1) for row in rows]
        shining = sum(one.mark is not None and one.mark.state != "withheld" for one in things)
        places = [_place(row) for row in self.view["marks"] if row["area_m"] is not None]
        words = f"{len(things)} things on the wall, {shining} of them lit"
        return wall_svg(self.view["layout"], [*places, *things], words)

    def _thing(self, row: Json, twin: bool) -> ThingDrawn:
        parcel = row["parcel"]
        # A parcel whose label is contested is still followed under the name that it had.
        key = row["key"] or (parcel["key"] if parcel else None)
        looks = [
            look
            for look, holds in (
                ("moves", row["state"] == "moves"),
                ("hidden", row["hidden"]),
                ("unknown", not key),
                ("twin", twin or row["twins"]),
                ("contested", row["contested"]),
                ("strange", key and parcel is None),
            )
            if holds
        ]
        order = order_tail(parcel["order_id"]) if parcel else ""
        mark = None
        if row["look"] is not None:
            mark = MarkDrawn(str(row["look"]), row["mark"], str(row["mark_reason"]))
        return ThingDrawn(
            key=str(row["thing_id"]),
            outline_m=row["outline_m"],
            mark_m=row["mark_m"],
            lines=tuple(line for line in (key_tail(key) if key else "?", order) if line),
            told=self._told(row, parcel, key, twin=twin or bool(row["twins"])),
            looks=tuple(looks),
            mark=mark,
        )

    def _told(self, row: Json, parcel: Json | None, key: str | None, *, twin: bool) -> str:
        """What is said of a thing when it is pointed at."""
        seen = age(max(0.0, self.now_s - float(row["seen_s"])))
        said = [key or "no label was read", str(row["state"])]
        if row["hidden"]:
            said.append("hidden")
        if row["contested"]:
            said.append("frames disagree about its label: not shown to anybody")
        if twin:
            said.append("another has the same label: neither is shown to anybody")
        if parcel is None:
            said.append("no parcel of this store" if key else "unknown")
        else:
            said += [f"order {parcel['order_id']}", str(parcel["state"]).replace("_", " ")]
        return ", ".join([*said, f"seen {seen} ago"])

    # -- who is there, and what is wrong --------------------------------------------------

    def alarm_cards(self) -> list[Card]:
        """What staff should look at, the newest first."""
        rows = sorted(self.view["alarms"], key=lambda row: -int(row["number"]))
        return [
            (
                str(row["number"]),
                f'<p class="alert {ALARM_TONES.get(row["kind"], "amber")}" role="alert" '
                f'data-kind="{escape(str(row["kind"]), quote=True)}">'
                f"{escape(alarm_words(row))} "
                f"<small>{age(max(0.0, self.now_s - float(row['at_s'])))} ago</small></p>",
                True,
            )
            for row in rows
        ]

    def session_cards(self) -> list[Card]:
        """Who is at the wall now, as a symbol, with what was taken."""
        return [
            (str(row["session_id"]), _session_html(row), False)
            for row in self.view["sessions"]
            if row["state"] != "ended"
        ]

    def facts(self) -> list[Fact]:
        """Cameras and projectors of the wall, as lights."""
        judged = {row["projector_id"]: row for row in self.view["projection"]}
        facts = []
        for name in self.view["layout"]["projectors"]:
            row = judged.get(name, {"state": "unheard", "residual_mm": None, "reason": ""})
            said, tone = projector_words(row["state"], row["residual_mm"], row["reason"])
            facts.append(Fact(str(name), said, tone))
        if self.view["node_dead"] or not self.view["node_heard"]:
            facts.append(Fact("Node", "does not answer; nothing is shown", "red"))
        elif not self.view["whole"]:
            facts.append(
                Fact("Node", "has not told yet what stands here; nothing is shown", "amber")
            )
        blind = {row["sensor_id"]: row["reason"] for row in self.view["blind_sensors"]}
        for camera in self.cameras:
            if camera in blind:
                said = f"blocked: {blind[camera] or 'sees nothing'}; what it saw is not shown"
                facts.append(Fact(camera, said, "red"))
            else:
                facts.append(Fact(camera, "sees", "good"))
        return facts


def _place(row: Json) -> ThingDrawn:
    return ThingDrawn(
        key=str(row["mark_id"]),
        outline_m=row["area_m"],
        told=LOOKS.get(str(row["look"]), ""),
        looks=("free",),
        mark=MarkDrawn(str(row["look"]), row["state"], str(row["reason"])),
    )


def _session_html(row: Json) -> str:
    said, tone = session_words(row)
    look = "place" if row["placing"] else "look" if row["who"] == "staff" else row["look"]
    who = {"customer": "Somebody", "staff": "Staff", "route": "A driver"}.get(row["who"], "Nobody")
    orders = ", ".join(order_tail(one) for one in row["orders"])
    marks = dict.fromkeys(row["keys"], "waits")
    marks |= dict.fromkeys(row["left_keys"], "left behind")
    marks |= dict.fromkeys(row["taken_keys"], "taken")
    marks |= dict.fromkeys(row["wrong_keys"], "not theirs")
    if row["placing"]:
        marks[row["placing"]] = "is being stowed"
    lines = "".join(
        f'<li><span class="said">{escape(key_tail(key))}</span><span>{word}</span></li>'
        for key, word in marks.items()
    )
    whose = f"{who} · order {escape(orders)}" if orders else who
    symbol = look_svg(str(look), LOOKS.get(str(look), "")) if look else "<i></i>"
    return (
        f'<div class="at-wall" data-state="{escape(str(row["state"]), quote=True)}">'
        f'{symbol}<div><div class="pair"><b>{whose}</b>'
        f'<span class="word {tone}">{escape(said)}</span></div>'
        f'<ul class="others">{lines}</ul></div></div>'
    )


def legend_html() -> str:
    """What each mark says."""
    rows = "".join(
        f"<li>{look_svg(look, look)}<span>{escape(words)}</span></li>"
        for look, words in LOOKS.items()
    )
    return (
        f'<ul class="legend">{rows}'
        "<li><i></i><span>dashed: withheld by the node, with its reason</span></li></ul>"
    )


def parcel_cards(rows: Sequence[Json], currency: str) -> list[Card]:
    """Parcels with where and how they are."""
    return [
        (str(row["key"]), _parcel_html(row, currency), row["state"] not in GONE) for row in rows
    ]


def _parcel_html(row: Json, currency: str) -> str:
    state = str(row["state"])
    due = f"{money(row['due_minor'], currency)} due" if row.get("due_minor") else ""
    where = str(row["wall_id"]) if row.get("wall_id") else ""
    more = " · ".join(one for one in (f"order {row['order_id']}", where, due) if one)
    return (
        f'<div class="pair" data-parcel="{escape(str(row["key"]), quote=True)}">'
        f'<b title="{escape(str(row["label"]), quote=True)}">{escape(key_tail(row["key"]))}</b>'
        f'<span class="word {PARCEL_STATES.get(state, "plain")}">'
        f'{escape(state.replace("_", " "))}</span></div><p class="why">{escape(more)}</p>'
    )


def order_cards(rows: Sequence[Json], now_s: float) -> list[Card]:
    """Orders, those whose time runs out first on top."""
    last = float("inf")
    ranked = sorted(
        rows,
        key=lambda row: (
            row["state"] != "open",
            last if row["deadline_s"] is None else row["deadline_s"],
            row["order_id"],
        ),
    )
    return [(str(row["order_id"]), _order_html(row, now_s), True) for row in ranked]


def _order_html(row: Json, now_s: float) -> str:
    state = str(row["state"])
    said, tone = due_words(row["deadline_s"], now_s)
    if state != "open":
        said, tone = f"placed {clock(round(1e6 * row['placed_s']))}", "plain"
    parcels = row["parcels"]
    here = sum(one["state"] in ("ready", "cued") for one in parcels)
    count = f"{len(parcels)} parcel{'' if len(parcels) == 1 else 's'}, {here} ready"
    return (
        f'<div class="pair" data-order="{escape(str(row["order_id"]), quote=True)}">'
        f"<b>{escape(str(row['order_id']))}</b>"
        f'<span class="word {ORDER_STATES.get(state, "plain")}">{escape(state)}</span></div>'
        f'<p class="why">{escape(count)} · <span class="{tone}">{escape(said)}</span></p>'
    )


def route_html(route: Json) -> str:
    """Stops in order, the one the van stands at, and what was left behind."""
    rows = []
    for place, stop in enumerate(route["stops"]):
        look = "here" if place == route["at"] else "past" if place < route["at"] else ""
        left = f'<span class="word amber">{len(stop["left"])} left behind</span>'
        rows.append(
            f'<li class="{look}"><span>{place + 1}. {escape(str(stop["name"]))}</span>'
            f"{left if stop['left'] else ''}</li>"
        )
    return f'<p><b>{escape(str(route["route_id"]))}</b></p><ol class="stops">{"".join(rows)}</ol>'
