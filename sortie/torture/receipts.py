"""Receipts against the truth: what people took, as far as nodes could store it, at what price.

A visit that says itself that something is not known (in review, lost) may charge less; none may
charge what was never taken. Visits that were in the store when a clock jumped are not judged.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from hub.wallet.told import WORDS
from sortie.torture.clients import Prices
from sortie.torture.people import Shopper

__all__ = ["CARTS", "GROUPS", "NEVER_MORE", "OWN_BODIES", "PRICES", "Receipts"]

PRICE_SLACK_S = 3.0
"""Who took something so near to a change of its price may have seen either."""
CARTS = "carts equal the truth"
GROUPS = "a group pays for all of its people"
NEVER_MORE = "nobody pays for more than was taken"
OWN_BODIES = "a visit has its own people's bodies"
PRICES = "prices as at the pick"
TRACK = re.compile(r":t([0-9]+)x?$")
BANKS = frozenset(WORDS.values())
"""Why staff look at a visit that was settled long before: its receipt is as good as any."""
STAFF = "staff:staff-"


class Receipts:
    """Judges all receipts of an export. `counts` by check, `findings` as (invariant, sentence)."""

    def __init__(
        self,
        export: Mapping[str, Any],
        shoppers: Sequence[Shopper],
        prices: Prices,
        withheld: Mapping[str, list[dict[str, Any]]],
        *,
        since_s: float,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.findings: list[tuple[str, str]] = []
        self._prices = prices
        self._decided = {
            event["data"]["reach_id"]: event["data"]["t_us"] / 1e6 - since_s
            for event in export["events"]
            if event["kind"].startswith("decision.")
        }
        owners: dict[str | None, list[Shopper]] = {}
        for one in shoppers:
            owners.setdefault(one.visit_id, []).append(one)
        self._bodies(export, shoppers, owners)
        receipts = {row["visit_id"]: row for row in export["receipts"]}
        for visit in export["visits"]:
            group, receipt = owners.get(visit["visit_id"]), receipts.get(visit["visit_id"])
            if group is not None and receipt is not None:
                self._judge(group, visit, receipt, withheld.get(visit["visit_id"], []))

    def _bodies(
        self,
        export: Mapping[str, Any],
        shoppers: Sequence[Shopper],
        owners: Mapping[str | None, list[Shopper]],
    ) -> None:
        """Every body that a visit was given, by whatever the hub went by, is one of its people."""
        payers = {visit["visit_id"]: visit["payer"] for visit in export["visits"]}
        for event in export["events"]:
            if event["kind"] not in ("visit.bound", "visit.relinked"):
                continue
            found = TRACK.search(event["data"]["track_id"])
            visit_id, payer = event["visit_id"], payers.get(event["visit_id"]) or ""
            group = owners.get(visit_id, [])
            if payer.startswith(STAFF):
                group = [shoppers[int(payer.removeprefix(STAFF))]]
            if found is None or any(one.dim for one in (*group, shoppers[int(found[1])])):
                continue
            self.counts[OWN_BODIES] += 1
            if all(one.number != int(found[1]) for one in group):
                whose = ", ".join(str(one.number) for one in group) or "nobody"
                self.findings.append(
                    (OWN_BODIES, f"visit {visit_id} of shopper {whose} has {event['data']}")
                )

    def _judge(
        self,
        group: list[Shopper],
        visit: dict[str, Any],
        receipt: dict[str, Any],
        withheld: list[dict[str, Any]],
    ) -> None:
        dim = next((one.dim for one in group if one.dim), "")
        if len(group) > 1 and not all(one.scanned for one in group):
            dim = "somebody of a group was not seen at the gate"
        if dim:
            self.counts[f"(carts not known: {dim})"] += 1
            return
        charged: Counter[str] = Counter()
        for line in receipt["lines"]:
            charged[line["gtin"]] += line["quantity"]
            self._price(visit["visit_id"], line)
        must: Counter[str] = Counter()
        may: Counter[str] = Counter()
        taken: Counter[str] = Counter()
        for one in group:
            for known, part in zip((must, may), one.expected(), strict=True):
                known.update(part)
            for act in one.acts:
                if act.quantity > 0 and act.told is not None:
                    taken[act.place.gtin] += act.quantity
        name = f"visit {visit['visit_id']} of shopper {', '.join(str(o.number) for o in group)}"
        self.counts[NEVER_MORE] += 1
        if charged - taken:
            self.findings.append(
                (NEVER_MORE, f"{name}: charged {dict(charged)}, took {dict(taken)}")
            )
        if visit["lost"] or not BANKS.issuperset(visit["review_reasons"]):
            self.counts["(carts in review)"] += 1
            return
        for row in withheld:
            # Carried out, and not to be sold: it is on no receipt, and staff are told.
            charged[row["gtin"]] += row["quantity"]
        self.counts[CARTS] += 1
        self.counts[GROUPS] += len(group) > 1
        if must - charged or charged - may:
            up_to = f" to {dict(may)}" if may != must else ""
            self.findings.append(
                (CARTS, f"{name}: charged {dict(charged)}, expected {dict(must)}{up_to}")
            )

    def _price(self, visit_id: str, line: dict[str, Any]) -> None:
        self.counts[PRICES] += 1
        allowed: set[int] = set()
        for reach in line["reaches"]:
            if reach in self._decided:
                allowed |= self._prices.at(line["gtin"], self._decided[reach], PRICE_SLACK_S)
        if line["unit_price_minor"] not in allowed:
            self.findings.append(
                (
                    PRICES,
                    f"visit {visit_id}: {line['gtin']} for {line['unit_price_minor']}, expected "
                    f"one of {sorted(allowed)}",
                )
            )
