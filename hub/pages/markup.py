"""HTML and SVG of the panes. Every text is escaped here, once; nothing else makes markup."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import cos, radians, sin

from hub.pages.shown import Act, Belief, Cart, Fact, FeedRow, Json, Person, Snapshot
from hub.pages.words import DESK_PAGES, Palette, act, label

__all__ = [
    "acts_html",
    "cart_html",
    "carts_html",
    "counters_html",
    "dot_html",
    "facts_html",
    "feed_html",
    "plan_svg",
    "review_html",
    "trails_svg",
    "ways_html",
]

CM = 100.0


def ways_html(hub_url: str, exits: Sequence[str], walls: Sequence[str] = ()) -> str:
    """Links to every page there is: staff's, a phone's, the display of each exit and the kiosk of
    each wall."""
    ways = [(name, path) for name, path in DESK_PAGES if path != "/"]
    ways += [("Phone", f"{hub_url}/phone/"), ("Wallet", f"{hub_url}/phone/wallet.html")]
    ways += [(f"Display at {gate}", f"{hub_url}/exit/{gate}") for gate in exits]
    if walls:
        ways.append(("Parcels", f"{hub_url}/phone/parcels.html"))
    ways += [(f"Kiosk at {wall}", f"{hub_url}/kiosk/{wall}") for wall in walls]
    return "".join(
        f'<a href="{escape(path, quote=True)}">{escape(name)}</a>' for name, path in ways
    )


def plan_svg(layout: Json, state: Json | None) -> str:
    """The floor plan: bays, gates and cameras; what is open or blind stands out."""
    width, depth = layout["floor"]["width_m"], layout["floor"]["depth_m"]
    reaching = {reach["bay_id"] for reach in (state or {}).get("reaches", ())}
    blind = {row["sensor_id"] for row in (state or {}).get("blind", ())}
    parts = [f'<rect class="floor" width="{width * CM:.0f}" height="{depth * CM:.0f}" rx="8"/>']
    for gate in layout["gates"]:
        parts.append(_gate(gate, depth))
    for bay in layout["bays"]:
        parts.append(_bay(bay, depth, bay["bay_id"] in reaching))
    for camera in layout["cameras"]:
        parts.append(_camera(camera, depth, camera["camera_id"] in blind))
    return (
        f'<svg class="plan" role="img" aria-label="Floor plan of the store" '
        f'viewBox="0 0 {width * CM:.0f} {depth * CM:.0f}">{"".join(parts)}</svg>'
    )


def trails_svg(layout: Json, state: Json, palette: Palette) -> str:
    """Where everybody walked in the last seconds."""
    width, depth = layout["floor"]["width_m"], layout["floor"]["depth_m"]
    lines = []
    for track in state["tracks"]:
        points = [*track["trail"], [track["x_m"], track["y_m"]]]
        text = " ".join(f"{x * CM:.0f},{(depth - y) * CM:.0f}" for x, y in points)
        lines.append(f'<polyline points="{text}" stroke="{palette.of(track["visit_id"])}"/>')
    return (
        f'<svg class="trails" aria-hidden="true" '
        f'viewBox="0 0 {width * CM:.0f} {depth * CM:.0f}">{"".join(lines)}</svg>'
    )


def _bay(bay: Json, depth: float, reaching: bool) -> str:
    a = radians(bay["facing_deg"])
    ox, oy = bay["origin_m"]
    corners = []
    for u, v in (
        (0, 0),
        (bay["width_m"], 0),
        (bay["width_m"], bay["depth_m"]),
        (0, bay["depth_m"]),
    ):
        x, y = ox - u * sin(a) - v * cos(a), oy + u * cos(a) - v * sin(a)
        corners.append((x * CM, (depth - y) * CM))
    points = " ".join(f"{x:.0f},{y:.0f}" for x, y in corners)
    x = sum(corner[0] for corner in corners) / 4
    y = sum(corner[1] for corner in corners) / 4
    look = "bay reaching" if reaching else "bay"
    name = escape(str(bay["bay_id"]).replace("-", " "))
    return (
        f'<polygon class="{look}" points="{points}"/>'
        f'<text x="{x:.0f}" y="{y + 5:.0f}">{name}</text>'
    )


def _gate(gate: Json, depth: float) -> str:
    zone = " ".join(f"{x * CM:.0f},{(depth - y) * CM:.0f}" for x, y in gate["zone_m"])
    (x0, y0), (x1, y1) = gate["line_m"]
    middle = 50 * (x0 + x1), (depth - max(y for _, y in gate["zone_m"]) / 2) * CM
    word = "in" if gate["kind"] == "entry" else "out"
    # A gate in the wall itself is drawn just inside the plan.
    top0, top1 = (min(depth - y, depth - 0.04) * CM for y in (y0, y1))
    return (
        f'<polygon class="zone {word}" points="{zone}"/>'
        f'<line class="gate {word}" x1="{x0 * CM:.0f}" y1="{top0:.0f}" '
        f'x2="{x1 * CM:.0f}" y2="{top1:.0f}"/>'
        f'<text x="{middle[0]:.0f}" y="{middle[1] + 5:.0f}">{word}</text>'
    )


def _camera(camera: Json, depth: float, blind: bool) -> str:
    x, y = camera["position_m"][0] * CM, (depth - camera["position_m"][1]) * CM
    look = "camera blind" if blind else "camera"
    return (
        f'<g class="{look}"><title>{escape(camera["camera_id"])}</title>'
        f'<circle cx="{x:.0f}" cy="{y:.0f}" r="7"/><circle class="lens" cx="{x:.0f}" '
        f'cy="{y:.0f}" r="2.5"/></g>'
    )


def _chip(cart: Cart) -> str:
    return (
        f'<span class="who"><i style="background:{cart.colour}"></i>{escape(cart.label)}</span>'
        f'<span class="word {cart.tone}">{escape(cart.word)}</span>'
    )


def _bar(chance: float) -> str:
    return (
        f'<span class="bar" role="img" aria-label="probability {chance:.2f}">'
        f'<i style="width:{100 * chance:.0f}%"></i></span><b class="chance">{chance:.2f}</b>'
    )


def cart_html(cart: Cart, *, head: bool = True) -> str:
    """One cart: lines, total, notes."""
    rows = "".join(
        f'<li><span class="count">{line.quantity}×</span><span>{escape(line.name)}</span>'
        f'<span class="sure">{"" if line.chance is None else f"{line.chance:.2f}"}</span>'
        f'<span class="money">{escape(line.total)}</span></li>'
        for line in cart.lines
    )
    if not rows:
        rows = '<li class="none">nothing in it</li>'
    notes = "".join(f'<p class="note {tone}">{escape(text)}</p>' for text, tone in cart.notes)
    top = f'<header class="pair">{_chip(cart)}</header>' if head else ""
    return (
        f'<article class="cart{"" if cart.open else " closed"}" '
        f'data-visit="{escape(cart.visit_id)}">{top}<ul class="lines">{rows}</ul>'
        f'<p class="pair sum"><span>total</span><b>{escape(cart.total)}</b></p>{notes}</article>'
    )


def carts_html(carts: Sequence[Cart]) -> str:
    """All carts, or the sentence that there are none."""
    if not carts:
        return '<p class="quiet">Nobody has come in yet. Carts fill here as hands reach.</p>'
    return "".join(cart_html(cart) for cart in carts)


def acts_html(belief: Belief) -> str:
    """Who is followed, what the shopper does now, and what was decided."""
    acts = "".join(_act_html(row) for row in belief.acts)
    if not acts:
        acts = '<li class="none">No reach of this visit yet.</li>'
    return (
        f'<div class="pair">{_chip(belief.cart)}</div>'
        f'<p class="doing">{escape(belief.doing)}</p><ol class="acts">{acts}</ol>'
    )


def _act_html(row: Act) -> str:
    others = "".join(
        f'<li><span>{escape(said)}</span><span class="sure">{chance:.2f}</span></li>'
        for said, chance in row.others
    )
    mark = "" if row.certain else '<span class="word amber">not sure: free</span>'
    return (
        f'<li class="{"sure-act" if row.certain else "unsure"}"><div class="pair">'
        f'<span class="said">{escape(row.said)}</span>{mark}</div>'
        f'<div class="pair thin">{_bar(row.chance)}</div><p class="why">{escape(row.why)}</p>'
        f"{f'<ul class=others>{others}</ul>' if others else ''}</li>"
    )


def feed_html(rows: Sequence[FeedRow]) -> str:
    """The event feed, the newest first."""
    if not rows:
        return '<p class="quiet">Nothing has happened yet.</p>'
    items = []
    for row in rows:
        who = (
            f'<span class="who"><i style="background:{row.colour}"></i>{escape(row.who)}</span> '
            if row.who
            else ""
        )
        why = f'<p class="why">{escape(row.why)}</p>' if row.why else ""
        items.append(
            f'<li class="{row.tone}" data-number="{row.number}"><time>{row.at}</time>'
            f"<div>{who}{escape(row.said)}{why}</div></li>"
        )
    return f'<ol class="feed">{"".join(items)}</ol>'


def facts_html(rows: Sequence[Fact]) -> str:
    """Health as a list with lights."""
    items = "".join(
        f'<li class="{row.tone}"><i class="light"></i><b>{escape(row.name)}</b>'
        f"<span>{escape(row.said)}</span>"
        + "".join(f"<small>{escape(detail)}</small>" for detail in row.details)
        + "</li>"
        for row in rows
    )
    return f'<ul class="health">{items}</ul>'


def counters_html(rows: Sequence[Fact]) -> str:
    """The strip of numbers."""
    return "".join(
        f'<div class="counter {row.tone}"><b>{escape(row.said)}</b>'
        f"<span>{escape(row.name)}</span></div>"
        for row in rows
    )


def dot_html(person: Person) -> str:
    """The name beside a dot."""
    return f'<i style="background:{person.colour}"></i><span>{escape(person.label)}</span>'


def review_html(row: Json, shot: Snapshot) -> str:
    """Why a visit is to be looked at, and what its unclear reaches could have been."""
    lines = []
    for line in row["lines"]:
        others = "".join(
            f"<li><span>{escape(_other(other, shot))}</span>"
            f'<span class="sure">{float(other[3]):.2f}</span></li>'
            for other in line["alternatives"]
        )
        said = escape(f"{label(line['to_visit'])} {act(line, shot.names)}")
        lines.append(
            f'<li class="unsure"><span class="said">{said}</span>'
            f'<p class="why">{escape(str(line["why"]))}</p><ul class="others">{others}</ul></li>'
        )
    reasons = "".join(f'<p class="note amber">{escape(text)}</p>' for text in row["reasons"])
    return f'{reasons}<ol class="acts">{"".join(lines)}</ol>'


def _other(other: Sequence[object], shot: Snapshot) -> str:
    who = label(str(other[0]) if other[0] else None)
    return f"{who}: {act({'gtin': other[1], 'quantity': other[2]}, shot.names)}"
