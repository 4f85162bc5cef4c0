"""Commands about what is sold: promotions, age limits, closed and recalled products."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from contracts.hours import Hours
from contracts.ids import Gtin
from contracts.money import AMOUNT_MINOR_MAX
from hub.command import Command

__all__ = [
    "AddPromotion",
    "CloseProduct",
    "ConfirmAge",
    "EndPromotion",
    "LiftRecall",
    "RecallProduct",
    "ReopenProduct",
    "Role",
    "SetAgeLimit",
    "SetGoodsPolicy",
    "SetSaleHours",
]

OfferId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
Role = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$", description="as whom it was done, not by whom")
]
Reason = Annotated[str, Field(min_length=1, max_length=200)]
VisitId = Annotated[str, Field(max_length=127)]


class AddPromotion(Command):
    """A promotion begins. The same id with the same content again changes nothing.

    percent needs gtins and percent_bp; amount needs gtins and amount_minor; n_for_m needs gtins,
    take and pay; bundle needs items and price_minor. Times are hub seconds; from_s None is now.
    """

    kind: Literal["add_promotion"] = "add_promotion"
    promotion_id: OfferId
    offer: Literal["percent", "amount", "n_for_m", "bundle"]
    name: Annotated[str, Field(min_length=1, max_length=80)]
    gtins: Annotated[tuple[Gtin, ...], Field(max_length=200)] = ()
    percent_bp: Annotated[int, Field(ge=0, le=10_000, description="basis points off")] = 0
    amount_minor: Annotated[int, Field(ge=0, le=AMOUNT_MINOR_MAX)] = 0
    take: Annotated[int, Field(ge=0, le=12)] = 0
    pay: Annotated[int, Field(ge=0, le=11)] = 0
    items: Annotated[
        tuple[tuple[Gtin, Annotated[int, Field(ge=1, le=12)]], ...], Field(max_length=8)
    ] = ()
    price_minor: Annotated[int, Field(ge=0, le=AMOUNT_MINOR_MAX)] = 0
    from_s: Annotated[float, Field(ge=0)] | None = None
    until_s: Annotated[float, Field(ge=0)] | None = None
    hours: Annotated[tuple[Hours, ...], Field(max_length=14)] = ()
    visit_max: Annotated[int, Field(ge=1, le=1_000)] | None = None
    combinable: bool = False

    @model_validator(mode="after")
    def _whole(self) -> AddPromotion:
        sets = self.offer == "bundle"
        if sets != bool(self.items) or sets == bool(self.gtins):
            raise ValueError("expected items for a bundle, and gtins for everything else")
        named = [gtin for gtin, _ in self.items] if sets else list(self.gtins)
        if len(set(named)) != len(named):
            raise ValueError(f"expected each product once, got {', '.join(named)}")
        if sets and sum(count for _, count in self.items) < 2:
            raise ValueError("expected a bundle of at least two pieces")
        if (self.offer == "percent") != (self.percent_bp > 0):
            raise ValueError("expected percent_bp above 0 for a percent offer, and for no other")
        if (self.offer == "amount") != (self.amount_minor > 0):
            raise ValueError("expected amount_minor above 0 for an amount offer, and for no other")
        if self.offer == "n_for_m" and not 1 <= self.pay < self.take:
            raise ValueError(f"expected 1 <= pay < take, got take {self.take}, pay {self.pay}")
        if self.offer != "n_for_m" and (self.take or self.pay):
            raise ValueError(f"expected no take and pay for a {self.offer} offer")
        if not sets and self.price_minor:
            raise ValueError("expected price_minor for a bundle only")
        if None not in (self.from_s, self.until_s) and (self.until_s or 0) <= (self.from_s or 0):
            raise ValueError(f"expected until_s after {self.from_s}, got {self.until_s}")
        return self


class EndPromotion(Command):
    """A promotion ends now; what was picked before keeps it."""

    kind: Literal["end_promotion"] = "end_promotion"
    promotion_id: OfferId


class SetAgeLimit(Command):
    """A product may be bought from this age on; None lifts the limit."""

    kind: Literal["set_age_limit"] = "set_age_limit"
    gtin: Gtin
    age_min: Annotated[int, Field(ge=1, le=99)] | None


class SetSaleHours(Command):
    """A product is sold in these hours of the store's zone only; none: always."""

    kind: Literal["set_sale_hours"] = "set_sale_hours"
    gtin: Gtin
    hours: Annotated[tuple[Hours, ...], Field(max_length=14)]


class CloseProduct(Command):
    """A product is not for sale from now on."""

    kind: Literal["close_product"] = "close_product"
    gtin: Gtin
    reason: Reason


class ReopenProduct(Command):
    """A closed product is for sale again."""

    kind: Literal["reopen_product"] = "reopen_product"
    gtin: Gtin


class RecallProduct(Command):
    """A product is called back: not sold from now on, and who bought it in `days` is told."""

    kind: Literal["recall_product"] = "recall_product"
    recall_id: OfferId
    gtin: Gtin
    batch: Annotated[str, Field(max_length=200)] = ""
    reason: Reason
    days: Annotated[int, Field(ge=0, le=3_650)] = 90


class LiftRecall(Command):
    """What was called back is off the shelves: the product is sold again."""

    kind: Literal["lift_recall"] = "lift_recall"
    recall_id: OfferId


class ConfirmAge(Command):
    """Staff looked at an ID: old enough, or not. Nothing but that is kept."""

    kind: Literal["confirm_age"] = "confirm_age"
    visit_id: VisitId
    approve: bool
    role: Role = "staff"


class SetGoodsPolicy(Command):
    """How the store deals with goods. What is left out stays as it is.

    `unproven_age`: what becomes of age-limited pieces when nobody saw an ID: not sold and handed
    back, or sold and looked at. `watch_stock`: slots that run low or out are told as events.
    `low_percent`: low is this share of a slot's capacity, where the slot says nothing itself.
    `pieces_per_minute_max` and `beyond_stock_max` (pieces an hour that no shelf held): a node
    that moves more is quarantined; 0 is no bound.
    """

    kind: Literal["set_goods_policy"] = "set_goods_policy"
    unproven_age: Literal["hand_back", "sell"] | None = None
    watch_stock: bool | None = None
    low_percent: Annotated[int, Field(ge=0, le=100)] | None = None
    pieces_per_minute_max: Annotated[int, Field(ge=0, le=100_000)] | None = None
    beyond_stock_max: Annotated[int, Field(ge=0, le=100_000)] | None = None
