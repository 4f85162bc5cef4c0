"""What is asked of the parcels' room: orders, scans, stowing, returns, routes, staff's answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from contracts.ids import Gtin, ScannerId, WallId
from contracts.labels import LABEL_CHARS_MAX, label_key
from contracts.money import AMOUNT_MINOR_MAX
from hub.command import Command

__all__ = [
    "AddParcel",
    "CalibrateWall",
    "CancelOrder",
    "ClearAlarm",
    "LoadRoute",
    "MoveRoute",
    "OpenAtWall",
    "OrderedItem",
    "OrderedParcel",
    "PlaceOrder",
    "RecallOrder",
    "ReleaseOrder",
    "ReportMissing",
    "ReturnGoods",
    "RouteStop",
    "ScanAtWall",
    "StowParcel",
]

OrderId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def _label(text: str) -> str:
    label_key(text)
    return text.strip()


Label = Annotated[str, Field(min_length=1, max_length=LABEL_CHARS_MAX), AfterValidator(_label)]
Key = Annotated[str, Field(pattern=r"^(sscc|text):.+$", max_length=LABEL_CHARS_MAX + 5)]
"""What names a parcel: contracts.labels.label_key of its label."""
StaffName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@-]{0,62}$")]
Reason = Annotated[str, Field(max_length=200)]
ActId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,126}$")]
Amount = Annotated[int, Field(ge=0, le=AMOUNT_MINOR_MAX)]
Metre = Annotated[float, Field(gt=0, le=5)]
PARCELS_MAX = 100
"""In one order."""
STOPS_MAX = 500


class OrderedItem(Command):
    """So many pieces of a product. Price, VAT rate and name are the catalogue's where they are not
    given; they count only where the parcel is paid at pick-up."""

    gtin: Gtin
    quantity: Annotated[int, Field(ge=1, le=10_000)] = 1
    unit_price_minor: Amount | None = None
    vat_rate: Annotated[str, Field(pattern=r"^[01](\.[0-9]{1,4})?$")] | None = None
    name: Annotated[str, Field(max_length=80)] = ""


class OrderedParcel(Command):
    """A parcel of an order. `due_minor` is what its customer pays at pick-up: what its items cost
    together, or, without items, any amount at `vat_rate`."""

    label: Label
    items: Annotated[tuple[OrderedItem, ...], Field(max_length=200)] = ()
    due_minor: Amount = 0
    vat_rate: Annotated[str, Field(pattern=r"^[01](\.[0-9]{1,4})?$")] | None = None
    size_m: Annotated[tuple[Metre, Metre], Field(description="width, height")] | None = None


class PlaceOrder(Command):
    """An order is expected at the store. The same again changes nothing.

    Its customer is known by a wallet (the SHA-256 of its secret), by a phone (`token_sha256`), by
    a code of the order's own (`code_sha256`), or by several of them; `payer` pays what is due.
    """

    kind: Literal["place_order"] = "place_order"
    order_id: OrderId
    payer: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,62}$")] | None = None
    wallet_sha256: Sha256 | None = None
    token_sha256: Sha256 | None = None
    code_sha256: Sha256 | None = None
    due_minor: Amount | None = None
    deadline_s: Annotated[float, Field(ge=0, le=1e11)] | None = None
    parcels: Annotated[tuple[OrderedParcel, ...], Field(max_length=PARCELS_MAX)] = ()

    @model_validator(mode="after")
    def _of_somebody(self) -> PlaceOrder:
        if not (self.wallet_sha256 or self.token_sha256 or self.code_sha256):
            raise ValueError("expected a wallet, a phone or a code, got none of them")
        return self


class AddParcel(Command):
    """One more parcel of an order is expected."""

    kind: Literal["add_parcel"] = "add_parcel"
    order_id: OrderId
    parcel: OrderedParcel


class CancelOrder(Command):
    """An order is off: what shines for it is dark at once."""

    kind: Literal["cancel_order"] = "cancel_order"
    order_id: OrderId
    by: StaffName = "staff"
    reason: Reason = ""


class ReleaseOrder(Command):
    """What has been stowed of an order may be fetched, whatever of it is still expected. A new
    `deadline_s` lengthens its time, also of one that has expired."""

    kind: Literal["release_order"] = "release_order"
    order_id: OrderId
    by: StaffName = "staff"
    deadline_s: Annotated[float, Field(ge=0, le=1e11)] | None = None


class ReportMissing(Command):
    """Staff do not find a parcel; the rest of its order need not wait for it."""

    kind: Literal["report_missing"] = "report_missing"
    key: Key
    by: StaffName = "staff"


class StowParcel(Command):
    """Staff are about to put a parcel on a wall: where to is shown there."""

    kind: Literal["stow_parcel"] = "stow_parcel"
    key: Key
    wall_id: WallId
    by: StaffName = "staff"


class ScanAtWall(Command):
    """A code was read at a wall that no node serves the scanner of: a kiosk's page.

    `code_sha256` is of the label's key where the code is a label (hub.parcels.codes.digest_of).
    What a signed code says was judged where the key is: `verdict` is None for a code without.
    """

    kind: Literal["scan_at_wall"] = "scan_at_wall"
    wall_id: WallId
    scanner_id: ScannerId | None = None
    code_sha256: Sha256
    verdict: Literal["good", "forged", "other_store"] | None = None
    holder: Annotated[str, Field(max_length=64)] = ""
    entry: Annotated[int, Field(ge=0, le=255)] = 0
    until_s: Annotated[float, Field(ge=0)] = 0.0


class OpenAtWall(Command):
    """A phone opens a wall for its orders."""

    kind: Literal["open_at_wall"] = "open_at_wall"
    wall_id: WallId
    token_sha256: Sha256


class CalibrateWall(Command):
    """Staff ask for a calibration of a wall's projectors."""

    kind: Literal["calibrate_wall"] = "calibrate_wall"
    wall_id: WallId
    by: StaffName = "staff"


class ClearAlarm(Command):
    """Staff have looked. `outcome` says what became of the parcel that the alarm is about."""

    kind: Literal["clear_alarm"] = "clear_alarm"
    wall_id: WallId
    number: Annotated[int, Field(ge=1)]
    outcome: Literal["seen", "handed_over", "missing"] = "seen"
    by: StaffName = "staff"


class ReturnGoods(Command):
    """A customer brought parcels back. The same `return_id` again changes nothing."""

    kind: Literal["return_goods"] = "return_goods"
    return_id: ActId
    order_id: OrderId
    keys: Annotated[tuple[Key, ...], Field(min_length=1, max_length=PARCELS_MAX)]
    refund: bool = True
    by: StaffName = "staff"
    reason: Reason = ""


class RecallOrder(Command):
    """The hub reads a closed order back from its database: something is asked of it."""

    kind: Literal["recall_order"] = "recall_order"
    record: dict[str, Any]


class RouteStop(Command):
    """One stop of a route: orders, or labels of parcels, or both."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    orders: Annotated[tuple[OrderId, ...], Field(max_length=PARCELS_MAX)] = ()
    labels: Annotated[tuple[Label, ...], Field(max_length=PARCELS_MAX)] = ()


class LoadRoute(Command):
    """The stops that a van drives to, in order. Under a known id it replaces the route, if that has
    not begun."""

    kind: Literal["load_route"] = "load_route"
    route_id: OrderId
    wall_id: WallId
    stops: Annotated[tuple[RouteStop, ...], Field(min_length=1, max_length=STOPS_MAX)]
    by: StaffName = "staff"


class MoveRoute(Command):
    """The van is at its next stop, or at the one before. `at` is where it is thought to stand, so
    that a tap that comes twice moves it once; the last stop's next ends the route."""

    kind: Literal["move_route"] = "move_route"
    route_id: OrderId
    at: Annotated[int, Field(ge=-1, le=STOPS_MAX)]
    back: bool = False
    by: StaffName = "staff"
