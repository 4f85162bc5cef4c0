"""How the hub's JSON is said to people: money, names, colours, sentences. Pure functions.

Events are rows of the hub's log: {number, at_us, kind, visit_id, data}; see hub.state for what a
decision's data holds.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, Literal

from contracts.money import minor_places

__all__ = [
    "COLOURS",
    "Palette",
    "Tone",
    "act",
    "age",
    "clock",
    "label",
    "money",
    "sentence",
    "tone",
]

Tone = Literal["plain", "good", "amber", "red"]
Event = Mapping[str, Any]
Names = Mapping[str, str]
"""GTIN to product name."""

COLOURS = (
    "#2563eb", "#d9480f", "#0d8f6f", "#9333ea", "#c2255c", "#0e7490", "#a16207", "#4d7c0f",
)  # fmt: skip
"""Told apart on light and dark ground, with white text readable on each."""
REMEMBERED_MAX = 500
NOBODY = "#7b8580"
_SIGNS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}


DESK_PAGES = (
    ("Start page", "/"),
    ("Store", "/staff"),
    ("Stock", "/stock"),
    ("Pick-up", "/staff/walls"),
    ("Review", "/staff/review"),
    ("Disputes", "/staff/disputes"),
    ("Wallets", "/staff/wallets"),
    ("Money", "/money"),
)
"""The pages for staff and their paths, in the order in which they are linked."""


def money(minor: int, currency: str) -> str:
    """Minor units as text.

    >>> money(1456, "EUR"), money(-5, "EUR"), money(300, "JPY"), money(12345, "CHF")
    ('€14.56', '-€0.05', '¥300', 'CHF 123.45')
    """
    digits = minor_places(currency)
    sign = "-" if minor < 0 else ""
    whole, rest = divmod(abs(minor), 10**digits)
    text = f"{whole:,}" + (f".{rest:0{digits}d}" if digits else "")
    unit = _SIGNS.get(currency, f"{currency} ")
    return f"{sign}{unit}{text}"


def label(visit_id: str | None) -> str:
    """A visit's short name: the end of its random id, which says nothing about anybody."""
    return "nobody known" if visit_id is None else f"Shopper {visit_id[-4:].upper()}"


def tone(word: str) -> Tone:
    """The colour of a state's words."""
    if word.startswith("checking"):
        return "amber"
    if word in ("refused", "expired"):
        return "red"
    return "good" if word in ("final", "corrected") else "plain"


def age(seconds: float | None) -> str:
    """How long ago, as short as it can be said.

    >>> age(None), age(0.24), age(8.6), age(75), age(7300)
    ('never', '0.2 s', '9 s', '1 min', '2 h')
    """
    if seconds is None:
        return "never"
    if seconds < 2:
        return f"{max(0.0, seconds):.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds // 60:.0f} min" if seconds < 3600 else f"{seconds // 3600:.0f} h"


def clock(at_us: int, zone: tzinfo | None = None) -> str:
    """Hub microseconds as a time of day; `zone` None is the machine's own."""
    moment = datetime.fromtimestamp(at_us / 1e6, UTC)
    return moment.astimezone(zone).strftime("%H:%M:%S")


def act(data: Mapping[str, Any], names: Names) -> str:
    """What a decision says was done.

    >>> act({"gtin": "1", "quantity": 2, "certain": True}, {"1": "Cola"})
    'picked 2 × Cola'
    >>> act({"gtin": "1", "quantity": -1, "certain": False}, {"1": "Cola"})
    'may have put back 1 × Cola'
    """
    gtin, quantity = data.get("gtin"), int(data.get("quantity") or 0)
    if gtin is None or quantity == 0:
        return "took nothing" if data.get("certain", True) else "may have taken nothing"
    done = f"{abs(quantity)} × {names.get(gtin, gtin)}"
    if data.get("certain", True):
        return f"{'picked' if quantity > 0 else 'put back'} {done}"
    return f"may have {'picked' if quantity > 0 else 'put back'} {done}"


def sentence(event: Event, names: Names, currency: str) -> tuple[str, Tone]:
    """An event in words, without the name of its shopper, and how it should look."""
    kind, data = str(event["kind"]), event["data"]
    if kind.startswith("decision."):
        return _decision(kind, data, names)
    for table in (_OF_VISITS, _OF_MONEY, _OF_THE_STORE):
        if kind in table:
            text, look = table[kind]
            return text.format_map(_Facts(data, names, currency)), look
    if kind == "visit.settled":
        return _settled(data, currency)
    return kind.replace(".", " ").replace("_", " "), "plain"


def _decision(kind: str, data: Mapping[str, Any], names: Names) -> tuple[str, Tone]:
    said = f"{act(data, names)} ({float(data['probability']):.2f})"
    if data["to_visit"] is None and not data["quantity"]:
        return f"a hand was in the shelf and {said}", "plain"
    if kind == "decision.late":
        return f"{said}, known too late to charge", "amber"
    if kind == "decision.reviewed":
        return f"staff looked: {act(data, names)}", "good"
    if not data["certain"]:
        return f"{said}: not charged unless a person confirms it", "amber"
    return (f"on second thought: {said}" if kind == "decision.revised" else said), "good"


def _settled(data: Mapping[str, Any], currency: str) -> tuple[str, Tone]:
    count = sum(int(line[1]) for line in data["lines"])
    said = f"final: {count} item{'' if count == 1 else 's'}, {money(data['total_minor'], currency)}"
    if data["debt_minor"]:
        said += f", of which {money(data['debt_minor'], currency)} are a debt"
    if data["needs_review"]:
        return f"{said}; to review: {', '.join(data['reasons'])}", "amber"
    return said, "good"


_OF_VISITS: dict[str, tuple[str, Tone]] = {
    "visit.opened": ("began a visit", "plain"),
    "visit.let_in": ("was let in by {by}: {reason_said}", "plain"),
    "visit.group_sized": ("comes with {entries} people on one payer", "plain"),
    "visit.track_assigned": ("is also the person on track {track_id}, says {by}", "plain"),
    "visit.member_left": ("one of the group walked out ({how_said})", "plain"),
    "visit.member_lost": ("one of the group was lost from sight: {reason_said}", "red"),
    "visit.ended_by_staff": ("has left, says {by}: {reason_said}", "plain"),
    "entry.joined": ("person {member} of the group came in at {gate_id}", "plain"),
    "entry.tag_along_explained": ("is the person who tagged along on {track_id}", "good"),
    "staff.came_in": ("{holder} of staff came in at {gate_id}", "plain"),
    "staff.left": ("staff left ({how_said})", "plain"),
    "visit.code_renewed": ("asked for a new code", "plain"),
    "visit.expired": ("nobody used the code", "plain"),
    "entry.scanned": ("scanned in at {gate_id}", "plain"),
    "entry.refused": ("was refused at the gate: {reason}", "red"),
    "visit.bound": ("is the person on track {track_id}", "plain"),
    "visit.relinked": ("was lost from sight and found again: {why}", "plain"),
    "visit.lost": ("was lost from sight: {reason}", "red"),
    "visit.exited": ("walked out ({how_said})", "plain"),
    "review.opened": ("waits for staff to look at what is unclear", "amber"),
    "review.closed": ("review is over: {why}", "plain"),
    "review.noted": ("staff looked at it after the receipt: {choice}", "plain"),
    "dispute.opened": ("disputes {quantity} × {product}, {amount}", "amber"),
    "dispute.upheld": ("dispute upheld by {by}: {amount} back", "good"),
    "dispute.rejected": ("dispute rejected by {by}: {reason_said}", "amber"),
    "dispute.closed": ("dispute answered by a refund", "good"),
    "dispute.waits_for_staff": ("dispute could not be refunded at once and waits", "amber"),
    "visit.corrected": ("gets {amount} back: {reason_said}", "good"),
}
_OF_MONEY: dict[str, tuple[str, Tone]] = {
    "hold.placed": ("{amount} reserved, not charged", "plain"),
    "hold.captured": ("{amount} charged to the wallet", "good"),
    "hold.voided": ("nothing to charge, the reserve is free again", "good"),
    "debt.recorded": ("{amount} could not be charged and is a debt", "amber"),
    "debt.paid_at_desk": ("{amount} were paid at the desk ({method})", "good"),
    "refund.paid": ("{amount} were paid back", "good"),
    "refund.unpaid": ("{amount} must be paid back another way", "red"),
    "refund.tried_again": ("{by} asks for the refund of {amount} again", "plain"),
    "refund.settled": ("{by} settled the refund of {amount} ({how}): {reason_said}", "good"),
    "gateway.disputed": ("the payment of {amount} is disputed at the bank", "red"),
    "gateway.dispute_withdrawn": ("the bank holds {amount} until it decides", "amber"),
    "gateway.dispute_reinstated": ("the bank gave {amount} back", "good"),
    "gateway.dispute_won": ("the bank decided for the store about {amount}", "good"),
    "gateway.dispute_lost": ("the bank took {amount} back", "red"),
    "gateway.refund_failed": ("the refund of {amount} did not reach the payer", "red"),
    "chargeback.booked": ("what the bank holds and keeps is in the books", "plain"),
    "chargeback.decided": ("{by} decided who is let in: {reason_said}", "plain"),
    "gateway.refused": ("the payment gateway said no: {reason_said}", "red"),
    "hold.split": ("several sources hold it", "plain"),
    "hold.extension_asked": ("the cart outgrows the hold: {amount} more are asked for", "plain"),
    "hold.extended": ("{amount} more reserved, not charged", "plain"),
    "hold.extension_refused": ("no more can be reserved: {reason_said}", "amber"),
    "hold.expired": ("the reserve ran out: {amount} are asked for anew", "amber"),
    "balance.captured": ("{amount} paid from {source_said}", "good"),
    "debt.payment_asked": ("pays a debt of {amount}", "plain"),
    "debt.paid": ("a debt of {amount} is paid", "good"),
    "debt.waived": ("a debt of {amount} was let go: {reason_said}", "good"),
    "tab.charged": ("{amount} wait on the tab", "plain"),
    "tab.asked": ("a tab of {amount} is collected", "plain"),
    "tab.captured": ("a tab of {amount} was collected", "good"),
    "tab.refused": ("a tab of {amount} could not be collected: {reason_said}", "amber"),
    "tab.paid": ("{amount} from the tab are paid", "good"),
    "tip.added": ("gives a tip of {amount}", "plain"),
    "tip.captured": ("a tip of {amount} is paid", "good"),
    "tip.refused": ("a tip of {amount} was refused: {reason_said}", "amber"),
    "tip.failed": ("a tip of {amount} could not be charged", "amber"),
    "topup.asked": ("a wallet asks for {amount} from its card", "plain"),
    "topup.captured": ("a wallet has {amount} more", "good"),
    "topup.refused": ("a wallet's card said no: {reason_said}", "amber"),
    "wallet.opened": ("a wallet was opened", "plain"),
    "wallet.ordered": ("a wallet's sources have a new order", "plain"),
    "gift.issued": ("gift card {card_id} was issued for {amount}", "plain"),
    "gift.claimed": ("gift card {card_id} was put on a wallet", "plain"),
    "gift.redeemed": ("gift card {card_id} became balance", "plain"),
    "gift.used": ("pays with gift card {card_id}", "plain"),
    "gift.blocked": ("gift card {card_id} was blocked", "amber"),
    "gift.unblocked": ("gift card {card_id} may be used again", "plain"),
}
_OF_THE_STORE: dict[str, tuple[str, Tone]] = {
    "device.born": ("{device_id} started", "plain"),
    "device.gap": ("some of what {device_id} said is missing for good", "amber"),
    "device.revoked": ("what {device_id} says does not count any more", "amber"),
    "device.reinstated": ("what {device_id} says counts again", "good"),
    "retention.ran": ("what was due was forgotten, {visits} visits among it", "plain"),
    "sensor.blind": ("{sensor_id} is blind: {reason_said}", "red"),
    "sensor.back": ("{sensor_id} sees again", "good"),
    "entry.tagged_along": ("somebody came in at {gate_id} behind a shopper, on {track_id}", "red"),
    "gate.guessed_at": ("somebody tries codes out at {gate_id}", "red"),
    "badge.added": ("a staff badge for {holder}", "plain"),
    "badge.revoked": ("the staff badge of {holder} opens nothing any more", "amber"),
    "price.changed": ("{product} costs {price} from now on", "plain"),
    "vat.changed": ("{product} has a VAT rate of {vat_rate} from now on", "plain"),
    "stock.restocked": ("{quantity} × {product} put into {slot_id}", "plain"),
    "aftercare.set": ("{by} changed reviews and automatic refunds", "plain"),
    "hub.resumed": ("the hub took up its work again", "plain"),
}
_OF_THE_STORE |= {
    "promotion.added": ("the offer “{name}” holds", "plain"),
    "promotion.ended": ("the offer {promotion_id} has ended", "plain"),
    "product.age_limited": ("{product} is sold from the age of {age_min} on", "plain"),
    "product.hours_set": ("{product} is sold at other hours", "plain"),
    "product.closed": ("{product} is not for sale: {reason_said}", "amber"),
    "product.reopened": ("{product} is for sale again", "plain"),
    "product.recalled": ("{product} is called back: {reason_said}", "red"),
    "recall.lifted": ("{product} is sold again after its recall", "plain"),
    "settling.set": ("what an exit waits for was changed", "plain"),
    "policy.set": ("the rules for goods were changed", "plain"),
    "cart.not_for_sale": ("has {product}, which is not for sale", "red"),
    "cart.needs_id": ("has {product}: an ID must be seen", "amber"),
    "age.confirmed": ("showed an ID: {approved_said}", "plain"),
    "visit.withheld": ("carried out what is not sold; it is not charged", "red"),
    "stock.counted": ("{counted} × {product} counted in {slot_id} ({difference:+d})", "plain"),
    "stock.ran_out": ("{slot_id} has no {product} left", "red"),
    "stock.low": ("{slot_id} has {on_hand} × {product} left", "amber"),
    "stock.filled": ("{slot_id} has {on_hand} × {product} again", "good"),
    "stock.found": ("{quantity} × {product} found", "plain"),
    "find.resolved": ("{quantity} found × {product} went to {place_said}", "plain"),
    "restocking.started": ("restocking began", "plain"),
    "restocking.moved": ("{quantity:+d} × {product} in {slot_id}", "plain"),
    "restocking.held": ("{quantity} × {product} for {slot_id}: too many to be true?", "amber"),
    "restocking.confirmed": ("{quantity} × {product} for {slot_id} are right", "plain"),
    "restocking.dropped": ("{quantity} × {product} for {slot_id} were a mistake", "plain"),
    "restocking.finished": ("restocking is done", "plain"),
    "planogram.changed": ("{slot_id} is for {product} now", "plain"),
    "node.quarantined": ("{device_id} is not believed any more: {reason_said}", "red"),
    "node.released": ("{device_id} is believed again", "good"),
}
_OF_THE_STORE |= {
    "order.placed": ("order {order_id} is expected", "plain"),
    "order.ready": ("{parcels} parcels of order {order_id} may be fetched", "good"),
    "order.released": ("order {order_id} was released", "plain"),
    "order.collected": ("order {order_id} is collected", "good"),
    "order.cancelled": ("order {order_id} is off: {reason_said}", "amber"),
    "order.expired": ("nobody fetched order {order_id} in time", "amber"),
    "parcel.expected": ("{parcel} of order {order_id} will come", "plain"),
    "parcel.stowed": ("{parcel} stands on {wall_id}", "plain"),
    "parcel.ready": ("{parcel} waits on {wall_id}", "plain"),
    "parcel.cued": ("{parcel} is shown to its customer", "plain"),
    "parcel.taken": ("{parcel} was taken from {wall_id}", "plain"),
    "parcel.put_back": ("{parcel} was put back on {wall_id}", "good"),
    "parcel.handed_over": ("{parcel} of order {order_id} was handed over", "good"),
    "parcel.returned": ("{parcel} of order {order_id} came back", "plain"),
    "parcel.missing": ("nobody finds {parcel} of order {order_id}", "red"),
    "pickup.opened": ("somebody is served at {wall_id}", "plain"),
    "pickup.refused": ("a scan at {wall_id} opened nothing: {reason_said}", "amber"),
    "pickup.payment_asked": ("asked to pay {amount} for order {order_id}", "plain"),
    "pickup.unpaid": ("order {order_id} must be paid at the desk: {reason_said}", "amber"),
    "pickup.ended": ("whoever was served at {wall_id} has gone", "plain"),
    "wall.alarm": ("look at {wall_id}: {alarm_said}", "red"),
    "wall.alarm_cleared": ("{wall_id}: {alarm_said}: {outcome}", "good"),
    "wall.blind": ("{sensor_id} of {wall_id} sees nothing: {reason_said}", "red"),
    "wall.sees": ("{sensor_id} of {wall_id} sees again", "good"),
    "wall.projection": ("projector {projector_id} of {wall_id} is {state}", "plain"),
    "wall.calibration_asked": ("{wall_id} calibrates its projectors", "plain"),
    "route.loaded": ("route {route_id} has {stops} stops", "plain"),
    "route.moved": ("route {route_id} is at stop {stop}", "plain"),
}
_SOURCES = {"stored": "the balance", "gift": "a gift card", "tab": "the tab"}
_HOW = {
    "exit": "over the exit line",
    "lost_in_exit_zone": "last seen at the exit",
    "left_by_entry": "by the entry",
    "lost": "out of sight",
    "by_staff": "as staff said",
}


class _Facts(dict[str, Any]):
    """An event's data with what is made of it; a fact that is missing reads as a dash."""

    def __init__(self, data: Mapping[str, Any], names: Names, currency: str) -> None:
        super().__init__(data)
        for key, name in (("amount_minor", "amount"), ("price_minor", "price")):
            if isinstance(data.get(key), int):
                self[name] = money(data[key], currency)
        self["product"] = names.get(str(data.get("gtin")), str(data.get("gtin")))
        self["reason_said"] = data.get("reason") or "no reason given"
        self["approved_said"] = "old enough" if data.get("approved") else "not old enough"
        self["place_said"] = data.get("slot_id") or "where nothing is sold"
        source = str(data.get("source", "")).partition(":")[0]
        self["source_said"] = _SOURCES.get(source, "the wallet")
        self["alarm_said"] = str(data.get("alarm")).replace("_", " ")
        self["how_said"] = _HOW.get(str(data.get("how")), str(data.get("how")))

    def __missing__(self, key: str) -> str:
        return "–"


class Palette:
    """Gives each visit a colour; the one that was given longest ago comes next."""

    def __init__(self) -> None:
        self._given: OrderedDict[str, str] = OrderedDict()
        self._next = 0

    def of(self, visit_id: str | None) -> str:
        """The visit's colour; grey for somebody the hub does not know."""
        if visit_id is None:
            return NOBODY
        if visit_id not in self._given:
            self._given[visit_id] = COLOURS[self._next % len(COLOURS)]
            self._next += 1
            while len(self._given) > REMEMBERED_MAX:
                self._given.popitem(last=False)
        return self._given[visit_id]
