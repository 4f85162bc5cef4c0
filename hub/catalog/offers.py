"""What the store promises and forbids: promotions, age limits, hours of sale, recalls.

Everything of it is told by commands or by the store file; a store that never used any of it has
an empty `dump`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from contracts.hours import Hours
from contracts.store_file import StoreFile
from hub.catalog.promotions import Piece, Promotion, Saving, best_savings
from hub.errors import ConflictError, RejectedError

__all__ = ["AgeProof", "Offers", "Recall", "Why"]

Why = Literal["closed", "hours", "recalled", "age"]
PROMOTIONS_MAX = 1_000
ENDED_KEPT_S = 7 * 86_400.0
"""What ended longer ago cannot have been seen at a pick of a visit that is still open."""
SAVED_MAX = 512
"""Carts whose savings are remembered: views ask again and again for what has not changed."""
CHANGES_KEPT = 20
"""Changes of hours, and times of being closed, that are remembered a product."""
RECALLS_MAX = 1_000
PROOFS_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Recall:
    """A product called back at `at_s`; `lifted_s` is when it was sold again."""

    recall_id: str
    gtin: str
    batch: str
    reason: str
    days: int
    at_s: float
    lifted_s: float | None = None


@dataclass(frozen=True, slots=True)
class AgeProof:
    """That an ID was looked at: enough or not, as whom, and when. Nothing of the ID."""

    approved: bool
    role: str
    at_s: float


@dataclass(slots=True)
class Offers:
    """The state of all that. `unproven_age` says what becomes of pieces without an ID."""

    zone: str = "UTC"
    unproven_age: Literal["hand_back", "sell"] = "hand_back"
    file_ages: dict[str, int] = field(default_factory=dict)
    file_hours: dict[str, tuple[Hours, ...]] = field(default_factory=dict)
    ages: dict[str, int | None] = field(default_factory=dict)
    hours: dict[str, list[tuple[float, tuple[Hours, ...]]]] = field(default_factory=dict)
    closed: dict[str, list[list[Any]]] = field(default_factory=dict)
    promotions: dict[str, Promotion] = field(default_factory=dict)
    recalls: dict[str, Recall] = field(default_factory=dict)
    proofs: dict[str, AgeProof] = field(default_factory=dict)
    _saved: dict[tuple[Piece, ...], list[Saving]] = field(
        default_factory=dict, repr=False, compare=False
    )

    @classmethod
    def of(cls, store: StoreFile) -> Offers:
        """What the store file says."""
        return cls(
            zone=store.time_zone,
            file_ages={p.gtin: p.age_min for p in store.products if p.age_min is not None},
            file_hours={p.gtin: p.sale_hours for p in store.products if p.sale_hours},
        )

    # -- reading --------------------------------------------------------------------------

    @property
    def plain(self) -> bool:
        """Whether everything is simply sold, as in most stores at most times."""
        return not (
            self.recalls
            or self.closed
            or self.hours
            or self.ages
            or self.file_hours
            or self.file_ages
        )

    def age_min(self, gtin: str) -> int | None:
        """From which age on a product is sold; None for everybody."""
        return self.ages[gtin] if gtin in self.ages else self.file_ages.get(gtin)

    def hours_of(self, gtin: str, t_s: float) -> tuple[Hours, ...]:
        """In which hours a product was sold as of a time; empty for always."""
        for from_s, hours in reversed(self.hours.get(gtin, [])):
            if from_s <= t_s:
                return hours
        return self.file_hours.get(gtin, ())

    def set_hours(self, gtin: str, hours: tuple[Hours, ...], *, now_s: float) -> None:
        """From now on a product is sold in these hours."""
        rows = self.hours.setdefault(gtin, [])
        rows.append((now_s, hours))
        del rows[:-CHANGES_KEPT]

    def closed_reason(self, gtin: str, t_s: float) -> str | None:
        """Why a product was closed at a time, None if it was not."""
        for from_s, until_s, reason in self.closed.get(gtin, ()):
            if from_s <= t_s and (until_s is None or t_s < until_s):
                return str(reason)
        return None

    def recall_of(self, gtin: str) -> Recall | None:
        """The recall that keeps a product from being sold now."""
        found = [r for r in self.recalls.values() if r.gtin == gtin and r.lifted_s is None]
        return found[-1] if found else None

    def recalls_bought(self, gtin: str, t_s: float) -> list[Recall]:
        """Recalls that concern who bought a product at a time."""
        return [
            recall
            for recall in self.recalls.values()
            if recall.gtin == gtin and recall.at_s - recall.days * 86_400 <= t_s
            and t_s <= (recall.lifted_s if recall.lifted_s is not None else recall.at_s)
        ]  # fmt: skip

    def forbids(self, gtin: str, t_s: float) -> Why | None:
        """Why a piece picked at a time may not be sold, whoever has it."""
        if self.plain:
            return None
        if self.recall_of(gtin) is not None:
            return "recalled"
        if self.closed_reason(gtin, t_s) is not None:
            return "closed"
        hours = self.hours_of(gtin, t_s)
        if hours and not any(window.holds(t_s, self.zone) for window in hours):
            return "hours"
        return None

    def age_unproven(self, visit_id: str, gtin: str) -> bool:
        """Whether an ID is still to be seen, or was and said no."""
        if self.age_min(gtin) is None:
            return False
        proof = self.proofs.get(visit_id)
        return proof is None or not proof.approved

    def not_sold(self, visit_id: str, gtin: str, t_s: float, *, final: bool) -> Why | None:
        """Why a piece is not charged to a visit: forbidden at all, or, once the visit is over,
        because of age. An ID that said no counts at once."""
        why = self.forbids(gtin, t_s)
        if why is not None or not self.age_unproven(visit_id, gtin):
            return why
        proof = self.proofs.get(visit_id)
        refused = proof is not None and not proof.approved
        return "age" if refused or (final and self.unproven_age == "hand_back") else None

    def savings(self, picks: Sequence[tuple[str, int, float]]) -> list[Saving]:
        """What promotions take off pieces, as (GTIN, price, time of the pick), one by one."""
        if not self.promotions:
            return [Saving()] * len(picks)
        by_gtin: dict[str, list[Promotion]] = {}
        for promotion in self.promotions.values():
            for gtin in promotion.products():
                by_gtin.setdefault(gtin, []).append(promotion)
        pieces = [
            Piece(
                gtin,
                price_minor,
                tuple(p.promotion_id for p in by_gtin.get(gtin, ()) if p.valid_at(t_s)),
            )
            for gtin, price_minor, t_s in picks
        ]
        key = tuple(pieces)
        if key not in self._saved:
            while len(self._saved) >= SAVED_MAX:
                del self._saved[next(iter(self._saved))]
            self._saved[key] = best_savings(pieces, self.promotions)
        return self._saved[key]

    # -- changing -------------------------------------------------------------------------

    def add(self, promotion: Promotion, *, now_s: float) -> bool:
        """Takes a promotion up; False if it was there, ConflictError if it was another one."""
        known = self.promotions.get(promotion.promotion_id)
        if known is not None:
            if replace(known, until_s=promotion.until_s, from_s=promotion.from_s) != promotion:
                raise ConflictError(
                    f"promotion {promotion.promotion_id} is there with other content; take "
                    "another id, and end the old one"
                )
            return False
        kept = {
            name: one
            for name, one in self.promotions.items()
            if one.until_s is None or one.until_s > now_s - ENDED_KEPT_S
        }
        if len(kept) >= PROMOTIONS_MAX:
            raise RejectedError(f"expected at most {PROMOTIONS_MAX} promotions; end some first")
        self.promotions = {**kept, promotion.promotion_id: promotion}
        self._saved.clear()
        return True

    def end(self, promotion_id: str, *, now_s: float) -> bool:
        """Ends a promotion; False if it has ended."""
        promotion = self.promotions.get(promotion_id)
        if promotion is None:
            raise RejectedError(f"expected a promotion of this store, got {promotion_id}")
        if promotion.until_s is not None and promotion.until_s <= now_s:
            return False
        self.promotions[promotion_id] = replace(promotion, until_s=now_s)
        return True

    def prove(self, visit_id: str, proof: AgeProof) -> None:
        """Keeps that an ID was looked at."""
        self.proofs.pop(visit_id, None)
        self.proofs[visit_id] = proof
        while len(self.proofs) > PROOFS_MAX:
            del self.proofs[next(iter(self.proofs))]

    # -- keeping --------------------------------------------------------------------------

    def dump(self) -> dict[str, Any]:
        """What commands made of it, as JSON values; empty if none did anything."""
        made: dict[str, Any] = {
            "ages": dict(sorted(self.ages.items())),
            "hours": {
                gtin: [[from_s, _hours_rows(hours)] for from_s, hours in rows]
                for gtin, rows in sorted(self.hours.items())
            },
            "closed": dict(sorted(self.closed.items())),
            "promotions": [_promotion_row(one) for one in self.promotions.values()],
            "recalls": [asdict(recall) for recall in self.recalls.values()],
            "proofs": {name: asdict(proof) for name, proof in self.proofs.items()},
        }
        if self.unproven_age != "hand_back":
            made["unproven_age"] = self.unproven_age
        return {name: value for name, value in made.items() if value}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes in what `dump` described."""
        self.unproven_age = state.get("unproven_age", "hand_back")
        self.ages = dict(state.get("ages", {}))
        self.hours = {
            gtin: [(from_s, _hours(hours)) for from_s, hours in rows]
            for gtin, rows in _items(state, "hours")
        }
        self.closed = {gtin: [list(r) for r in rows] for gtin, rows in _items(state, "closed")}
        self.promotions = {
            row["promotion_id"]: _promotion(row) for row in state.get("promotions", ())
        }
        self._saved.clear()
        self.recalls = {row["recall_id"]: Recall(**row) for row in state.get("recalls", ())}
        self.proofs = {name: AgeProof(**row) for name, row in _items(state, "proofs")}


def _items(state: Mapping[str, Any], name: str) -> list[tuple[str, Any]]:
    return list(state.get(name, {}).items())


def _hours_rows(hours: Sequence[Hours]) -> list[dict[str, Any]]:
    return [window.model_dump(mode="json") for window in hours]


def _hours(rows: Sequence[Any]) -> tuple[Hours, ...]:
    return tuple(Hours.model_validate(row) for row in rows)


def _promotion_row(promotion: Promotion) -> dict[str, Any]:
    row = asdict(promotion)
    row["hours"] = _hours_rows(promotion.hours)
    return row


def _promotion(row: Mapping[str, Any]) -> Promotion:
    return Promotion(
        **{
            **row,
            "gtins": tuple(row["gtins"]),
            "items": tuple((gtin, count) for gtin, count in row["items"]),
            "hours": _hours(row["hours"]),
        }
    )
