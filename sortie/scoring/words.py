"""What the report says in sentences. Pure functions of a trace's JSON; nothing is HTML here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hub.pages.words import sentence
from sortie.scoring.findings import Finding

__all__ = [
    "alternatives", "decided", "goods", "happened", "news", "published", "truth_sentence",
]  # fmt: skip

Names = Mapping[str, str]
"""GTIN to product name."""
_HANDS = {"l": "left", "r": "right"}
_DONE = {"take": "took", "put_back": "put back", "touch": "touched"}


def goods(lines: Sequence[Mapping[str, Any]], names: Names) -> str:
    """Lines of a receipt or of the truth, in words, by name, so that two can be compared.

    >>> goods([{"gtin": "1", "quantity": 2}], {"1": "Cola"})
    '2 × Cola'
    """
    counts: dict[str, int] = {}
    for line in lines:
        counts[line["gtin"]] = counts.get(line["gtin"], 0) + line["quantity"]
    named = sorted((names.get(gtin, gtin), count) for gtin, count in counts.items() if count)
    return ", ".join(f"{count} × {name}" for name, count in named) or "nothing"


def happened(finding: Finding, names: Names) -> str:
    """What is wrong, in one line."""
    name = names.get(finding.gtin, finding.gtin)
    match finding.kind:
        case "missed":
            return f"{name} was not charged"
        case "wrong product":
            instead = names.get(finding.instead or "", finding.instead or "another product")
            return f"{name} was charged instead of {instead}"
        case "wrong person" if finding.act is not None and finding.decision is None:
            return f"{name} was charged to {finding.other}"
        case "wrong person":
            return f"{name} was charged here, {finding.other} took it"
        case _:
            back = finding.act is not None and finding.act.sign < 0
            return f"{name} was charged, but it was put back" if back else f"{name} was charged"


def truth_sentence(finding: Finding, names: Names, hands: Sequence[Mapping[str, Any]]) -> str:
    """The true act: who, when, what, where, with which hand."""
    act = finding.act
    if act is None:
        return "Nobody took or put back anything like it at this moment."
    action = act.action
    said = (
        f"At {act.t_s:.2f} s shopper-{act.shopper} {_DONE.get(action['kind'], action['kind'])} "
        f"{names.get(action['gtin'], action['gtin'])} with the {_HANDS[action['hand']]} hand: "
        f"{action['bay_id']}, slot {action['slot_id']}, {action['u_m']:.2f} m from the left"
    )
    inside = [
        hand
        for hand in hands
        if hand["shopper"] == act.shopper and hand["begin_s"] <= act.t_s <= hand["end_s"]
    ]
    if inside:
        said += f"; the hand was in the shelf from {inside[0]['begin_s']:.2f} s"
        said += f" to {inside[0]['end_s']:.2f} s"
    return said + "."


def published(reach: Mapping[str, Any], names: Names) -> list[str]:
    """What a node said about a reach, line by line."""
    said = []
    for hand in reach["hands"]:
        said.append(
            f"a hand from {hand['t_in_s']:.2f} to {hand['t_out_s']:.2f} s, {hand['u_m']:.2f} m "
            f"from the left at {hand['z_m']:.2f} m height; full going in {hand['held_in']:.0%}, "
            f"coming out {hand['held_out']:.0%}"
        )
    for change in reach["changes"]:
        action = change["action"]
        text = (
            f"the shelf from {change['u0_m']:.2f} to {change['u1_m']:.2f} m ({change['board_id']}) "
            f"looks taken {action['pick']:.0%}, put back {action['put_back']:.0%}, as before "
            f"{action['nothing']:.0%}"
        )
        if change["pieces"]:
            pieces = [f"{n} {share:.0%}" for n, share in enumerate(change["pieces"], 1)]
            text += f"; pieces {', '.join(pieces[:3])}"
        if change["products"]:
            text += f"; product {_products(change['products'], names)}"
        said.append(text)
    for step in reach["grams"]:
        said.append(
            f"plate {step['plate_id']} {step['delta_g']:+.0f} g (± {step['sd_g']:.1f}) "
            f"at {step['t_end_s']:.2f} s"
        )
    if not reach["camera_ok"]:
        said.append("no shelf camera saw the bay all through")
    if not reach["plates_ok"]:
        said.append("no plates weighed the bay all through")
    return said or ["a hand or a trembling plate, and nothing lasting"]


def alternatives(
    decisions: Sequence[Mapping[str, Any]], people: Mapping[str, str], names: Names
) -> list[tuple[str, float]]:
    """What the hub believed of a reach in the end: explanations with their probabilities, the
    likeliest first. Of what it was certain of, only the best and the rest are on record."""
    found: dict[str, float] = {}
    for decision in decisions:
        rows = decision["alternatives"] or [
            [
                decision["to_visit"], decision["gtin"], decision["quantity"],
                decision["probability"],
            ]
        ]  # fmt: skip
        for visit_id, gtin, quantity, probability in rows:
            label = _explained(visit_id, gtin, quantity, people, names)
            found[label] = max(found.get(label, 0.0), float(probability))
    ranked = sorted(found.items(), key=lambda row: (-row[1], row[0]))
    rest = 1.0 - sum(chance for _, chance in ranked)
    if len(decisions) == 1 and rest >= 0.005:
        ranked.append(("anything else", rest))
    return ranked


def decided(decision: Mapping[str, Any], people: Mapping[str, str], names: Names) -> str:
    """What became of a decision: charged, taken back, free, and why."""
    act = _explained(
        decision["to_visit"], decision["gtin"], decision["quantity"], people, names
    )  # fmt: skip
    if decision["kind"] == "decision.late":
        outcome = f"Known too late to charge: {act}"
    elif not decision["certain"]:
        outcome = f"Not charged, in doubt (a person would have to confirm): perhaps {act}"
    elif decision["to_visit"] is None or not decision["quantity"]:
        outcome = f"Nothing charged: {act}"
    elif decision["quantity"] > 0:
        outcome = f"Charged: {act}"
    else:
        outcome = f"Taken off the receipt: {act}"
    return f"{outcome}. Because: {decision['why']}."


def news(
    trace: Mapping[str, Any], visits: Sequence[str], names: Names, currency: str
) -> list[tuple[float, str]]:
    """What else the hub said about some visits, and about its sensors: store seconds and words."""
    return [
        (row["at_s"], sentence(row, names, currency)[0])
        for row in trace["news"]
        if row["visit_id"] in visits or row["visit_id"] is None
    ]


def _explained(
    visit_id: str | None,
    gtin: str | None,
    quantity: int,
    people: Mapping[str, str],
    names: Names,
) -> str:
    if gtin is None or quantity == 0:
        return "nothing was taken"
    who = "somebody unknown" if visit_id is None else people.get(visit_id, visit_id)
    did = "took" if quantity > 0 else "put back"
    return f"{who} {did} {abs(quantity)} × {names.get(gtin, gtin)}"


def _products(products: Sequence[Sequence[Any]], names: Names) -> str:
    named = [
        f"{'something else' if gtin is None else names.get(gtin, gtin)} {share:.0%}"
        for gtin, share in products[:3]
    ]
    return ", ".join(named)
