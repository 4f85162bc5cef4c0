"""What is wrong with a receipt: each item, the true act behind it, and what the hub made of it.

    findings_of(row, document, trace)      # row: a visit of the day's document

The certain decisions that charged an account are put beside the true acts of the people it pays
for, the nearest in time at the same bay first. What is left over on either side explains the
difference between what is owed and what was charged. Times are store seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Act", "Finding", "Kind", "acts_of", "beliefs_of", "findings_of", "reaches_near"]

Kind = Literal["missed", "extra", "wrong product", "wrong person"]

SAME_S = 6.0
"""A decision and an act further apart are not about the same."""
NEAR_S = 1.5
REACHES_SHOWN_MAX = 3


@dataclass(frozen=True, slots=True)
class Act:
    """Something a hand truly did: `action` is the truth's line of it."""

    shopper: int
    action: Mapping[str, Any]

    @property
    def t_s(self) -> float:
        """When the item left or met the board."""
        return float(self.action["t_s"])

    @property
    def sign(self) -> int:
        """+1 taken, -1 put back, 0 only touched."""
        return {"take": 1, "put_back": -1}.get(str(self.action["kind"]), 0)


@dataclass(frozen=True, slots=True)
class Finding:
    """One wrong item. `gtin` is what is wrong; `instead` what a wrong product should have been.

    `act` is the true act it goes back to, `decision` what was charged or credited wrongly; either
    may be unknown. `other` names the other person of a wrong one.
    """

    kind: Kind
    gtin: str
    act: Act | None = None
    decision: Mapping[str, Any] | None = None
    instead: str | None = None
    other: str = ""

    @property
    def t_s(self) -> float | None:
        """When it happened, None if nothing tells."""
        if self.act is not None:
            return self.act.t_s
        return None if self.decision is None else float(self.decision["t_s"])

    @property
    def bay_id(self) -> str | None:
        """Where it happened, None if nothing tells."""
        if self.act is not None:
            return str(self.act.action["bay_id"])
        return None if self.decision is None else self.decision["bay_id"]


def acts_of(trace: Mapping[str, Any]) -> list[Act]:
    """All true acts of a day in the order of time."""
    acts = [Act(row["shopper"], action) for row in trace["truth"] for action in row["actions"]]
    return sorted(acts, key=lambda act: (act.t_s, act.shopper))


def beliefs_of(trace: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The last decision on each line of each reach, with the bay of the reach, by time."""
    bays = {reach["reach_id"]: reach["bay_id"] for reach in trace["reaches"]}
    last = {(row["reach_id"], row["line"]): row for row in trace["decisions"]}
    found = [{**row, "bay_id": bays.get(row["reach_id"])} for row in last.values()]
    return sorted(found, key=lambda row: (row["t_s"], row["reach_id"], row["line"]))


def reaches_near(
    trace: Mapping[str, Any], bay_id: str | None, t_s: float
) -> list[Mapping[str, Any]]:
    """What nodes published about a bay around a time, the nearest first, a few at most."""
    near = []
    for reach in trace["reaches"]:
        apart_s = max(reach["t_open_s"] - t_s, t_s - reach["t_close_s"], 0.0)
        if reach["bay_id"] == bay_id and apart_s <= NEAR_S:
            middle_s = abs(0.5 * (reach["t_open_s"] + reach["t_close_s"]) - t_s)
            said = bool(reach["grams"] or reach["changes"] or reach["hands"])
            near.append((not said, apart_s, middle_s, reach["reach_id"], reach))
    return [row[-1] for row in sorted(near, key=lambda row: row[:-1])[:REACHES_SHOWN_MAX]]


def findings_of(
    row: Mapping[str, Any], document: Mapping[str, Any], trace: Mapping[str, Any]
) -> list[Finding]:
    """The wrong items of one row, in the order of time; none for an exact one."""
    owed = Counter({line["gtin"]: line["quantity"] for line in row["truth"]})
    charged: Counter[str] = Counter()
    for line in row["receipt"]:
        charged[line["gtin"]] += line["quantity"]
    people = _people(row)
    left = _LeftOver(trace, people, _visits_of(row, people, trace))
    findings = [
        *(left.missed(gtin) for gtin in sorted((owed - charged).elements())),
        *(left.extra(gtin) for gtin in sorted((charged - owed).elements())),
    ]
    findings = _wrong_products(findings)
    named = [_wrong_person(finding, row, document, people, trace) for finding in findings]
    return sorted(named, key=lambda one: (one.t_s is None, one.t_s or 0.0, one.gtin))


def _people(row: Mapping[str, Any]) -> frozenset[int]:
    name = str(row["shopper"])
    own = {int(name.removeprefix("shopper-"))} if name.startswith("shopper-") else set()
    return frozenset(own | set(row["members"]))


def _visits_of(
    row: Mapping[str, Any], people: frozenset[int], trace: Mapping[str, Any]
) -> frozenset[str]:
    own = {row["visit_id"]} if row["visit_id"] else set()
    return frozenset(
        own | {name for name, visit in trace["visits"].items() if visit["shopper"] in people}
    )


class _LeftOver:
    """Acts of some people and decisions on their visits that do not explain each other."""

    def __init__(
        self, trace: Mapping[str, Any], people: frozenset[int], visits: frozenset[str]
    ) -> None:
        self._acts = [act for act in acts_of(trace) if act.shopper in people and act.sign]
        self._decisions: list[tuple[Mapping[str, Any], int]] = []
        for decision in beliefs_of(trace):
            if decision["to_visit"] in visits and decision["certain"] and decision["quantity"]:
                unexplained = abs(decision["quantity"])
                while unexplained and self._explain(decision):
                    unexplained -= 1
                self._decisions.append((decision, unexplained))

    def missed(self, gtin: str) -> Finding:
        """An item owed and not charged: a taking nobody told of, or a false put-back."""
        act = self._act(gtin, 1)
        decision = None if act is not None else self._decision(gtin, -1)
        return Finding("missed", gtin, act, decision)

    def extra(self, gtin: str) -> Finding:
        """An item charged and not owed: a put-back nobody told of, or a false taking."""
        act = self._act(gtin, -1)
        decision = None if act is not None else self._decision(gtin, 1)
        return Finding("extra", gtin, act, decision)

    def _explain(self, decision: Mapping[str, Any]) -> bool:
        """Takes the act that a decision tells of from those left over."""
        sign = 1 if decision["quantity"] > 0 else -1
        near = [
            (abs(act.t_s - decision["t_s"]), place)
            for place, act in enumerate(self._acts)
            if act.action["gtin"] == decision["gtin"]
            and act.sign == sign
            and act.action["bay_id"] == decision["bay_id"]
            and abs(act.t_s - decision["t_s"]) <= SAME_S
        ]
        if not near:
            return False
        del self._acts[min(near)[1]]
        return True

    def _act(self, gtin: str, sign: int) -> Act | None:
        for place, act in enumerate(self._acts):
            if act.action["gtin"] == gtin and act.sign == sign:
                return self._acts.pop(place)
        return None

    def _decision(self, gtin: str, sign: int) -> Mapping[str, Any] | None:
        for place, (decision, pieces) in enumerate(self._decisions):
            if pieces and decision["gtin"] == gtin and decision["quantity"] * sign > 0:
                self._decisions[place] = (decision, pieces - 1)
                return decision
        return None


def _wrong_products(findings: Sequence[Finding]) -> list[Finding]:
    """An item missed and another one charged for the same act are one wrong product."""
    rest = list(findings)
    for missed in [one for one in findings if one.kind == "missed" and one.act is not None]:
        near = [
            (abs((one.t_s or 0.0) - (missed.t_s or 0.0)), place, one)
            for place, one in enumerate(rest)
            if one.kind == "extra"
            and one.decision is not None
            and one.bay_id == missed.bay_id
            and abs((one.t_s or 0.0) - (missed.t_s or 0.0)) <= SAME_S
        ]
        if near:
            _, _, extra = min(near, key=lambda found: found[:2])
            rest.remove(missed)
            rest[rest.index(extra)] = Finding(
                "wrong product", extra.gtin, missed.act, extra.decision, instead=missed.gtin
            )
    return rest


def _wrong_person(
    finding: Finding,
    row: Mapping[str, Any],
    document: Mapping[str, Any],
    people: frozenset[int],
    trace: Mapping[str, Any],
) -> Finding:
    """The same finding, told as a wrong person where somebody else has what is missing here."""
    if finding.kind == "missed" and finding.act is not None:
        others = [other for other in document["visits"] if other is not row]
        for other in others:
            if _balance(other, finding.gtin) > 0 and _charged_for(finding.act, trace, people):
                return _named(finding, other["shopper"])
    if finding.kind == "extra" and finding.decision is not None:
        act = _true_act(finding.decision, people, acts_of(trace))
        if act is not None:
            return Finding(
                "wrong person", finding.gtin, act, finding.decision, other=f"shopper-{act.shopper}"
            )
    return finding


def _named(finding: Finding, other: str) -> Finding:
    return Finding("wrong person", finding.gtin, finding.act, finding.decision, other=other)


def _balance(row: Mapping[str, Any], gtin: str) -> int:
    """Pieces of an article charged above what is owed."""
    charged = sum(line["quantity"] for line in row["receipt"] if line["gtin"] == gtin)
    owed = sum(line["quantity"] for line in row["truth"] if line["gtin"] == gtin)
    return int(charged - owed)


def _charged_for(act: Act, trace: Mapping[str, Any], people: frozenset[int]) -> bool:
    """Whether the hub charged somebody else for an act."""
    return any(
        decision["certain"]
        and decision["quantity"] > 0
        and decision["gtin"] == act.action["gtin"]
        and decision["bay_id"] == act.action["bay_id"]
        and abs(decision["t_s"] - act.t_s) <= SAME_S
        and trace["visits"].get(decision["to_visit"], {}).get("shopper") not in people
        for decision in beliefs_of(trace)
        if decision["to_visit"] is not None
    )


def _true_act(
    decision: Mapping[str, Any], people: frozenset[int], acts: Iterable[Act]
) -> Act | None:
    """What somebody else did that a decision ascribes to these people."""
    near = [
        (abs(act.t_s - decision["t_s"]), act.shopper, act)
        for act in acts
        if act.shopper not in people
        and act.sign > 0
        and act.action["gtin"] == decision["gtin"]
        and act.action["bay_id"] == decision["bay_id"]
        and abs(act.t_s - decision["t_s"]) <= SAME_S
    ]
    return min(near, key=lambda found: found[:2])[2] if near else None
