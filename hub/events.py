"""Every kind of event of the hub's log, in its newest version, and the way from older ones.

    KINDS["visit.settled"].fields        # the fields of its data, by name
    newest("visit.settled", data)        # data of any version, as the newest version says it

An event of a version above 1 carries the version as `v` in its data: the hash of an event is taken
of what was written, so that old events verify as they are, for ever. Whoever reads events (exports,
pages, feeds, the auditor's document) reads them through `newest`; only the hash chain looks at the
rows themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hub.errors import StoreError

__all__ = ["KINDS", "VERSION_FIELD", "Kind", "Older", "newest", "written"]

VERSION_FIELD = "v"
Data = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Older:
    """A version that was written until the rules' level `until` (HubState.level), and how its data
    becomes the next version's."""

    fields: tuple[str, ...]
    until: int
    upcast: Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of event: what it says happened, the fields of its newest version, and the versions
    before it, oldest first."""

    says: str
    fields: tuple[str, ...] = ()
    older: tuple[Older, ...] = ()

    @property
    def version(self) -> int:
        """The newest version."""
        return len(self.older) + 1


def written(kind: str, data: Data, level: int) -> Data:
    """Data of the newest version as it is written at a level of the rules.

    A journal of before a version leads to the events that it led to then: fields that came later
    are left out there.
    """
    known = KINDS.get(kind)
    if known is None or not known.older:
        return data
    for number, version in enumerate(known.older, 1):
        if level < version.until:
            kept = {name: data[name] for name in version.fields}
            return kept if number == 1 else {**kept, VERSION_FIELD: number}
    return {**data, VERSION_FIELD: known.version}


def newest(kind: str, data: Data) -> dict[str, Any]:
    """An event's data in its kind's newest version, without the version's field.

    Kinds that are not in the table stay as they are. StoreError for a version that this hub does
    not know: a newer hub wrote it.
    """
    found = dict(data)
    known = KINDS.get(kind)
    if known is None:
        return found
    version = found.pop(VERSION_FIELD, 1)
    if not isinstance(version, int) or not 1 <= version <= known.version:
        raise StoreError(
            f"expected {kind} of version 1 to {known.version}, got {version!r}; start the newer "
            "hub that wrote it"
        )
    for step in known.older[version - 1 :]:
        found = step.upcast(found)
    return found


def _one_member(data: dict[str, Any]) -> dict[str, Any]:
    """Before groups every visit was one person's."""
    return {**data, "member": 1}


_DECISION = (
    "reach_id", "line", "revision", "t_us", "gtin", "quantity", "slot_id", "to_visit",
    "probability", "certain", "why", "alternatives",
)  # fmt: skip
_MOVE = ("session_id", "move_id", "slot_id", "gtin", "quantity", "role")
_PARCEL = ("order_id", "parcel")
_WALL_SENSOR = ("wall_id", "sensor_id", "t_us", "reason")
KINDS: Mapping[str, Kind] = {
    "visit.opened": Kind("a visit began; nobody has come in on it yet", ("payer",)),
    "visit.code_renewed": Kind("its time before the gate began anew"),
    "visit.expired": Kind("nobody came in on it in time"),
    "visit.group_sized": Kind("so many people may come in on it", ("entries",)),
    "visit.let_in": Kind("staff opened it for somebody", ("gate_id", "who", "by", "reason")),
    "visit.bound": Kind(
        "a body on the floor is the visit's member of that number",
        ("track_id", "t_us", "member"),
        older=(Older(("track_id", "t_us"), 1, _one_member),),
    ),
    "visit.relinked": Kind(
        "a lost body was found again", ("from_track", "track_id", "t_us", "why")
    ),
    "visit.track_assigned": Kind("staff said that a body is the visit's", ("track_id", "by")),
    "visit.lost": Kind("its last body was lost for good", ("reason",)),
    "visit.member_lost": Kind("one of its bodies was lost for good", ("reason",)),
    "visit.member_left": Kind("one of its bodies left", ("track_id", "how", "gate_id", "t_us")),
    "visit.ended_by_staff": Kind("staff said that all of it has left", ("by", "reason")),
    "visit.exited": Kind("its last body left", ("how", "gate_id", "t_us")),
    "visit.settled": Kind(
        "its cart is final and charged",
        (
            "total_minor",
            "charged_minor",
            "debt_minor",
            "currency",
            "needs_review",
            "reasons",
            "lines",
            "unclear",
        ),
    ),
    "visit.corrected": Kind(
        "lines were given back", ("refund_id", "amount_minor", "paid_back_minor", "lines", "reason")
    ),
    "entry.scanned": Kind("its first body is at a gate", ("gate_id", "t_us")),
    "entry.joined": Kind("one more body came in on it", ("gate_id", "t_us", "member")),
    "entry.refused": Kind("a gate stayed shut", ("gate_id", "reason")),
    "entry.tagged_along": Kind(
        "a body came in that nothing explains", ("gate_id", "track_id", "t_us")
    ),
    "entry.tag_along_explained": Kind("such a body has a visit after all", ("track_id",)),
    "gate.guessed_at": Kind("many forged codes at one gate", ("gate_id", "tries")),
    "staff.came_in": Kind("a badge let its holder in", ("gate_id", "holder")),
    "staff.left": Kind("a visit of staff is over", ("how",)),
    "badge.added": Kind("a badge opens visits of staff", ("holder", "by")),
    "badge.revoked": Kind("the badges of a holder open nothing", ("holder", "by")),
    "decision.made": Kind("who took what at one reach", _DECISION),
    "decision.revised": Kind("the same reach, on second thought", _DECISION),
    "decision.late": Kind("a reach of a visit that is over", _DECISION),
    "decision.reviewed": Kind(
        "staff said who took what at a reach that was unclear", (*_DECISION, "review_id", "by")
    ),
    "review.opened": Kind("a visit that left waits for staff", ("until_us", "lines")),
    "review.closed": Kind("it waits no more", ("why", "not_charged")),
    "review.noted": Kind(
        "staff looked at a reach after the receipt",
        ("reach_id", "line", "choice", "review_id", "by", "amount_minor"),
    ),
    "dispute.opened": Kind(
        "a shopper says that pieces are not theirs; the limits are those of that moment",
        (
            "dispute_id",
            "line",
            "gtin",
            "quantity",
            "amount_minor",
            "automatic",
            "limit_line_minor",
            "limit_payer_minor",
            "limit_payer_count",
            "limit_store_minor",
        ),
    ),
    "dispute.upheld": Kind(
        "the pieces were given back", ("dispute_id", "by", "reason", "refund_id", "amount_minor")
    ),
    "dispute.rejected": Kind("the line stays as it is", ("dispute_id", "by", "reason")),
    "dispute.closed": Kind("a refund has answered it", ("dispute_id", "refund_id")),
    "dispute.waits_for_staff": Kind("it could not be refunded at once", ("dispute_id",)),
    "aftercare.set": Kind(
        "staff set reviews and automatic refunds",
        (
            "by",
            "review_wait_s",
            "refund_line_minor",
            "refund_payer_day_minor",
            "refund_payer_day_count",
            "refund_store_day_minor",
        ),
    ),
    "hold.placed": Kind("the gateway holds the amount", ("amount_minor",)),
    "hold.captured": Kind("the gateway paid the charge", ("amount_minor",)),
    "hold.voided": Kind("the hold is free again", ("amount_minor",)),
    "gateway.hold_gone": Kind("the gateway let a hold go", ("hold_key", "amount_minor", "reason")),
    "gateway.disputed": Kind(
        "the payer disputes the payment at the bank", ("hold_key", "amount_minor", "reason")
    ),
    "gateway.dispute_withdrawn": Kind(
        "the bank took a disputed payment until it decides", ("hold_key", "amount_minor", "reason")
    ),
    "gateway.dispute_reinstated": Kind(
        "the bank gave a disputed payment back", ("hold_key", "amount_minor", "reason")
    ),
    "gateway.dispute_won": Kind(
        "a dispute ended for the store", ("hold_key", "amount_minor", "reason")
    ),
    "gateway.dispute_lost": Kind(
        "the bank took a payment back", ("hold_key", "amount_minor", "reason")
    ),
    "chargeback.booked": Kind(
        "the books have what a bank holds, keeps and took as a fee",
        ("dispute_id", "state", "at_bank_minor", "lost_minor", "fee_minor"),
    ),
    "chargeback.decided": Kind(
        "staff let a payer in again, or keep them out", ("dispute_id", "let_in", "by", "reason")
    ),
    "gateway.refund_failed": Kind(
        "a refund did not reach the payer", ("hold_key", "amount_minor", "reason")
    ),
    "debt.recorded": Kind("a charge could not be had", ("amount_minor",)),
    "debt.paid_at_desk": Kind(
        "a debt was paid at the desk", ("payment_id", "method", "amount_minor", "by")
    ),
    "hold.split": Kind("several sources hold it", ("parts",)),
    "hold.extension_asked": Kind("the cart outgrows the hold", ("amount_minor",)),
    "hold.extended": Kind("more is held", ("amount_minor", "source")),
    "hold.extension_refused": Kind("no more can be held", ("amount_minor", "reason")),
    "hold.expired": Kind("a hold ran out and is asked anew", ("amount_minor",)),
    "balance.captured": Kind("a balance paid its part", ("amount_minor", "source")),
    "debt.payment_asked": Kind("a card is asked for a debt", ("amount_minor",)),
    "debt.paid": Kind("a debt is paid", ("amount_minor", "source")),
    "debt.waived": Kind("staff let a debt go", ("amount_minor", "reason")),
    "tab.charged": Kind("a small charge waits on the tab", ("amount_minor",)),
    "tab.asked": Kind("a card is asked for a tab", ("payer", "key", "amount_minor")),
    "tab.captured": Kind("a tab is paid", ("payer", "key", "amount_minor")),
    "tab.refused": Kind("a tab could not be had", ("payer", "key", "amount_minor", "reason")),
    "tab.paid": Kind("a visit's share of a tab is paid", ("amount_minor",)),
    "tip.added": Kind("a tip is given", ("amount_minor",)),
    "tip.captured": Kind("a part of a tip is paid", ("amount_minor",)),
    "tip.refused": Kind("a card refused a tip", ("amount_minor", "reason")),
    "tip.failed": Kind("a tip could not be charged", ("amount_minor",)),
    "topup.asked": Kind("a card is asked for a balance", ("payer", "key", "amount_minor")),
    "topup.captured": Kind("a balance is topped up", ("payer", "key", "amount_minor")),
    "topup.refused": Kind("a balance is not", ("payer", "key", "amount_minor", "reason")),
    "wallet.opened": Kind("a wallet was opened", ("payer",)),
    "wallet.ordered": Kind("a wallet's sources have an order", ("payer", "order")),
    "gift.issued": Kind("staff made a gift card", ("card_id", "amount_minor")),
    "gift.claimed": Kind("a card is a wallet's alone", ("card_id", "payer")),
    "gift.redeemed": Kind("a card became balance", ("card_id", "payer")),
    "gift.used": Kind("a card pays for one visit", ("card_id",)),
    "gift.blocked": Kind("a card pays nothing", ("card_id",)),
    "gift.unblocked": Kind("a card may pay again", ("card_id",)),
    "refund.paid": Kind("the gateway paid a refund", ("amount_minor",)),
    "refund.unpaid": Kind("a refund must be paid another way", ("amount_minor",)),
    "refund.tried_again": Kind("staff ask the gateway again", ("refund_key", "amount_minor", "by")),
    "refund.settled": Kind(
        "staff say how it was paid", ("refund_key", "amount_minor", "how", "by", "reason")
    ),
    "gateway.refused": Kind("the gateway said no", ("key", "outcome", "reason")),
    "device.born": Kind("a node began to run", ("device_id", "boot_id")),
    "device.gap": Kind(
        "what a node said between two numbers, both included, is missing for good",
        ("device_id", "boot_id", "from_seq", "upto_seq"),
    ),
    "device.revoked": Kind("what a node says does not count any more", ("device_id",)),
    "device.reinstated": Kind("what a node says counts again", ("device_id",)),
    "retention.ran": Kind(
        "what was due was forgotten, how many of each",
        ("visits", "payers", "messages", "commands", "dead_letters"),
    ),
    "sensor.blind": Kind(
        "a sensor sees nothing",
        ("device_id", "sensor_id", "sensor", "bay_id", "t_us", "reason"),
    ),
    "sensor.back": Kind(
        "a sensor sees again",
        ("device_id", "sensor_id", "sensor", "bay_id", "t_us", "reason"),
    ),
    "price.changed": Kind("a product costs something else", ("gtin", "price_minor")),
    "vat.changed": Kind("a product has another VAT rate", ("gtin", "vat_rate")),
    "stock.restocked": Kind("pieces came onto a shelf, or off it", ("slot_id", "gtin", "quantity")),
    "promotion.added": Kind(
        "a promotion holds from then on",
        (
            "promotion_id",
            "offer",
            "name",
            "gtins",
            "percent_bp",
            "amount_minor",
            "take",
            "pay",
            "items",
            "price_minor",
            "hours",
            "visit_max",
            "combinable",
            "from_us",
            "until_us",
        ),
    ),
    "promotion.ended": Kind("no pick from then on has it", ("promotion_id",)),
    "product.age_limited": Kind("sold from this age on", ("gtin", "age_min")),
    "product.hours_set": Kind("sold in these hours only", ("gtin", "hours")),
    "product.closed": Kind("not for sale", ("gtin", "reason")),
    "product.reopened": Kind("for sale again", ("gtin",)),
    "product.recalled": Kind(
        "called back", ("recall_id", "gtin", "batch", "reason", "days", "slots")
    ),
    "recall.lifted": Kind("sold again after its recall", ("recall_id", "gtin")),
    "settling.set": Kind("what an exit waits for was changed", ("by_place",)),
    "policy.set": Kind(
        "how the store deals with goods",
        (
            "unproven_age",
            "watch_stock",
            "low_percent",
            "pieces_per_minute_max",
            "beyond_stock_max",
        ),
    ),
    "cart.not_for_sale": Kind("somebody holds what is not sold", ("gtin", "why")),
    "cart.needs_id": Kind("somebody holds what needs an ID", ("gtin", "age_min")),
    "age.confirmed": Kind("an ID was looked at", ("approved", "role")),
    "visit.withheld": Kind("carried out, not sold and not charged", ("lines",)),
    "stock.counted": Kind(
        "a slot was counted", ("count_id", "slot_id", "gtin", "counted", "role", "difference")
    ),
    "stock.ran_out": Kind("a slot holds nothing of its product", ("slot_id", "gtin", "on_hand")),
    "stock.low": Kind("a slot is low", ("slot_id", "gtin", "on_hand", "low_at")),
    "stock.filled": Kind("a slot is low no more", ("slot_id", "gtin", "on_hand")),
    "stock.found": Kind(
        "pieces lay about or came back", ("find_id", "gtin", "quantity", "where", "role")
    ),
    "find.resolved": Kind(
        "found pieces were shelved or kept", ("find_id", "gtin", "quantity", "slot_id", "role")
    ),
    "restocking.started": Kind("staff begin to fill shelves", ("session_id", "role")),
    "restocking.moved": Kind("pieces went in or out", _MOVE),
    "restocking.held": Kind("too many to be true, until confirmed", _MOVE),
    "restocking.confirmed": Kind("it was true", _MOVE),
    "restocking.dropped": Kind("it was a mistake", _MOVE),
    "restocking.finished": Kind(
        "shelves are filled", ("session_id", "moves", "dropped", "differences")
    ),
    "planogram.changed": Kind(
        "a slot is for another product",
        ("slot_id", "gtin", "facings", "deep", "low_at", "before"),
    ),
    "node.quarantined": Kind("a node moves more than can be", ("device_id", "reason")),
    "node.released": Kind("it is believed again", ("device_id",)),
    "order.placed": Kind(
        "an order is expected here", ("order_id", "payer", "due_minor", "deadline_us")
    ),
    "order.ready": Kind("it may be fetched", ("order_id", "parcels")),
    "order.released": Kind(
        "staff let it be fetched as far as it is here", ("order_id", "by", "deadline_us")
    ),
    "order.collected": Kind("all that there was of it is fetched", ("order_id",)),
    "order.cancelled": Kind("it is off", ("order_id", "by", "reason")),
    "order.expired": Kind("nobody fetched it in time", ("order_id",)),
    "parcel.expected": Kind(
        "a parcel of an order will come", ("order_id", "parcel", "due_minor", "items")
    ),
    "parcel.stowed": Kind("it stands on a wall", (*_PARCEL, "wall_id", "thing_id")),
    "parcel.ready": Kind("it waits for its customer", (*_PARCEL, "wall_id")),
    "parcel.cued": Kind("its customer is shown it", (*_PARCEL, "session_id", "back")),
    "parcel.taken": Kind(
        "it was lifted off a wall",
        (*_PARCEL, "wall_id", "session_id", "thing_id", "t_us", "right"),
    ),
    "parcel.put_back": Kind(
        "it was taken wrongly and stands again", (*_PARCEL, "wall_id", "thing_id")
    ),
    "parcel.handed_over": Kind(
        "its customer has it; this is the proof",
        (*_PARCEL, "wall_id", "session_id", "thing_id", "reads", "taken_us", "how", "by"),
    ),
    "parcel.returned": Kind(
        "it came back, or goes back", (*_PARCEL, "return_id", "refund_minor", "by")
    ),
    "parcel.missing": Kind("nobody knows where it is", (*_PARCEL, "by")),
    "pickup.opened": Kind(
        "somebody is served at a wall",
        ("session_id", "wall_id", "who", "look", "orders", "parcels"),
    ),
    "pickup.refused": Kind("a scan at a wall opened nothing", ("wall_id", "reason")),
    "pickup.payment_asked": Kind(
        "what is due is asked for", ("order_id", "session_id", "amount_minor")
    ),
    "pickup.unpaid": Kind("it could not be had; the desk takes it", ("order_id", "reason")),
    "pickup.ended": Kind(
        "who was served has gone; left: what still stands",
        ("session_id", "wall_id", "state", "reason", "taken", "left", "wrong"),
    ),
    "wall.alarm": Kind(
        "staff should look",
        ("wall_id", "number", "alarm", "parcel", "thing_id", "session_id"),
    ),
    "wall.alarm_cleared": Kind(
        "they have, or it mended itself", ("wall_id", "number", "alarm", "outcome", "by")
    ),
    "wall.blind": Kind("a camera of a wall sees nothing", _WALL_SENSOR),
    "wall.sees": Kind("it sees again", _WALL_SENSOR),
    "wall.projection": Kind(
        "a projector hits or does not",
        ("wall_id", "projector_id", "state", "residual_um", "reason"),
    ),
    "wall.calibration_asked": Kind("staff ask for a calibration", ("wall_id", "by")),
    "route.loaded": Kind("a van has stops", ("route_id", "wall_id", "stops", "parcels")),
    "route.moved": Kind(
        "the van is at another stop; left: what was not delivered at the one before",
        ("route_id", "stop", "name", "left", "by"),
    ),
    "hub.resumed": Kind("the hub was away and is back"),
}
"""Kind to its newest version. A field that is added, changed or dropped makes a new version, and
the version before it an `Older` one."""
