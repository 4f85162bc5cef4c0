"""Commands: what is asked of the hub from elsewhere than a node. Journaled, so that replay agrees.

Random tokens and codes are drawn outside and come in here; nothing below draws any.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, model_validator

from contracts.ids import BootId, DeviceId, Gtin, SlotId
from contracts.money import AMOUNT_MINOR_MAX
from hub.catalog.commands import (
    AddPromotion,
    CloseProduct,
    ConfirmAge,
    EndPromotion,
    LiftRecall,
    RecallProduct,
    ReopenProduct,
    SetAgeLimit,
    SetGoodsPolicy,
    SetSaleHours,
)
from hub.command import Command as _Base
from hub.command import Reply
from hub.devices.commands import GiveUpGap, TrustDevice
from hub.disputes.commands import DecideDispute, OpenDispute
from hub.inventory.commands import (
    ChangePlanogram,
    ConfirmMove,
    CountSlot,
    FindPieces,
    FinishRestocking,
    MoveStock,
    ReleaseNode,
    ResolveFind,
    StartRestocking,
)
from hub.parcels.commands import (
    AddParcel,
    CalibrateWall,
    CancelOrder,
    ClearAlarm,
    LoadRoute,
    MoveRoute,
    OpenAtWall,
    PlaceOrder,
    RecallOrder,
    ReleaseOrder,
    ReportMissing,
    ReturnGoods,
    ScanAtWall,
    StowParcel,
)
from hub.retention.commands import Forget
from hub.review.commands import DecideReview, SetAftercare
from hub.visits.commands import (
    ENTRIES_MAX,
    AddBadge,
    Adopt,
    AssignTrack,
    CodeJudged,
    EndVisit,
    GrowGroup,
    LetIn,
    OpenForTrack,
    RevokeBadge,
    SetSettling,
    SettleAtDesk,
    TapCard,
    VisitKey,
)
from hub.wallet.commands import (
    AddTip,
    BlockGiftCard,
    ClaimGiftCard,
    DecideChargeback,
    IssueGiftCard,
    OpenWallet,
    PayDebt,
    RedeemGiftCard,
    RetryRefund,
    SetOrder,
    SettleRefund,
    TopUp,
    UseGiftCard,
    WaiveDebt,
)
from hub.wallet.gateway import Outcome
from hub.wallet.gateway_commands import GatewayTold

__all__ = [
    "COMMAND",
    "RECALLED",
    "AddBadge",
    "AddParcel",
    "AddPromotion",
    "AddTip",
    "Adopt",
    "AssignTrack",
    "BlockGiftCard",
    "CalibrateWall",
    "CancelOrder",
    "ChangePlanogram",
    "ChangePrice",
    "ChangeVat",
    "ClaimGiftCard",
    "ClearAlarm",
    "CloseProduct",
    "CodeJudged",
    "Command",
    "ConfirmAge",
    "ConfirmMove",
    "CountSlot",
    "DecideChargeback",
    "DecideDispute",
    "DecideReview",
    "EndPromotion",
    "EndVisit",
    "FindPieces",
    "FinishRestocking",
    "Forget",
    "GatewayAnswered",
    "GatewayTold",
    "GiveUpGap",
    "GrowGroup",
    "IssueGiftCard",
    "LetIn",
    "LiftRecall",
    "LoadRoute",
    "MoveRoute",
    "MoveStock",
    "OpenAtWall",
    "OpenDispute",
    "OpenForTrack",
    "OpenVisit",
    "OpenWallet",
    "PayDebt",
    "PlaceOrder",
    "PongArrived",
    "Rebase",
    "Recall",
    "RecallOrder",
    "RecallProduct",
    "RedeemGiftCard",
    "RefundLine",
    "RefundVisit",
    "ReleaseNode",
    "ReleaseOrder",
    "RenewCode",
    "ReopenProduct",
    "Reply",
    "ReportMissing",
    "ResolveFind",
    "Restock",
    "Resume",
    "RetryRefund",
    "ReturnGoods",
    "RevokeBadge",
    "ScanAtWall",
    "SetAftercare",
    "SetAgeLimit",
    "SetGoodsPolicy",
    "SetOrder",
    "SetSaleHours",
    "SetSettling",
    "SettleAtDesk",
    "SettleRefund",
    "StartRestocking",
    "StowParcel",
    "TapCard",
    "Tick",
    "TopUp",
    "TrustDevice",
    "UseGiftCard",
    "WaiveDebt",
]


class OpenVisit(_Base):
    """A phone asks for a visit; the token is kept as its SHA-256.

    With `visit_key` the phone shows signed codes (hub.visits.codes), and `entries` people may come
    in on them one after another; the code itself is in no command. Without it `code` is good once.
    A wallet pays only where the SHA-256 of its secret is given.
    """

    kind: Literal["open_visit"] = "open_visit"
    token_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    code: Annotated[str, Field(min_length=8, max_length=200)] | None = None
    payer: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")] | None = None
    visit_key: VisitKey | None = None
    entries: Annotated[int, Field(ge=1, le=ENTRIES_MAX)] = 1
    wallet_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None

    @model_validator(mode="after")
    def _one_kind_of_code(self) -> OpenVisit:
        if (self.code is None) == (self.visit_key is None):
            raise ValueError("expected a code, or a visit_key for signed codes, and not both")
        if self.code is not None and self.entries != 1:
            raise ValueError("expected a visit_key for more than one entry, got a code")
        return self


class RenewCode(_Base):
    """The visit's time before the gate ran out: it begins anew, with a new code if it has one."""

    kind: Literal["renew_code"] = "renew_code"
    token_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    code: Annotated[str, Field(min_length=8, max_length=200)] | None = None


class RefundLine(_Base):
    """So many pieces of one receipt line."""

    line: Annotated[int, Field(ge=1, le=10_000)]
    quantity: Annotated[int, Field(ge=1, le=10_000)]


class RefundVisit(_Base):
    """Takes receipt lines back. The same `refund_id` again changes nothing."""

    kind: Literal["refund_visit"] = "refund_visit"
    refund_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,126}$")]
    visit_id: Annotated[str, Field(max_length=127)]
    lines: Annotated[tuple[RefundLine, ...], Field(min_length=1, max_length=1_000)]
    reason: Annotated[str, Field(max_length=200)] = ""


OnceKey = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""Under the same key a command is done once; what has no key is done each time."""


class ChangePrice(_Base):
    """A product costs something else from now on."""

    kind: Literal["change_price"] = "change_price"
    once_key: OnceKey | None = None
    gtin: Gtin
    price_minor: Annotated[int, Field(ge=0, le=AMOUNT_MINOR_MAX)]


class ChangeVat(_Base):
    """A product has another VAT rate from now on, as a share: 0.19."""

    kind: Literal["change_vat"] = "change_vat"
    once_key: OnceKey | None = None
    gtin: Gtin
    vat_rate: Annotated[Decimal, Field(ge=0, le=1, decimal_places=4)]


class Restock(_Base):
    """Staff put pieces on a shelf, or took some off."""

    kind: Literal["restock"] = "restock"
    once_key: OnceKey | None = None
    slot_id: SlotId
    gtin: Gtin
    quantity: Annotated[int, Field(ge=-10_000, le=10_000)]


class GatewayAnswered(_Base):
    """The payment gateway answered, or did not in time."""

    kind: Literal["gateway_answered"] = "gateway_answered"
    key: Annotated[str, Field(min_length=1, max_length=200)]
    outcome: Outcome
    reason: Annotated[str, Field(max_length=200)] = ""


class PongArrived(_Base):
    """A node answered a ping."""

    kind: Literal["pong"] = "pong"
    device_id: DeviceId
    boot_id: BootId
    hub_us: Annotated[int, Field(ge=0, le=2**53)]
    device_us: Annotated[int, Field(ge=0, le=2**53)]


class Tick(_Base):
    """Time passed."""

    kind: Literal["tick"] = "tick"


class Resume(_Base):
    """The hub was away and is back: waits that ran out meanwhile begin anew."""

    kind: Literal["resume"] = "resume"


class Recall(_Base):
    """A visit closed long ago comes back into memory, with what the database kept of it."""

    kind: Literal["recall"] = "recall"
    record: dict[str, Any]


class Rebase(_Base):
    """No visit is open: the attributor begins anew on the stock as it is, and so does replay."""

    kind: Literal["rebase"] = "rebase"


Command = (
    OpenVisit
    | RenewCode
    | RefundVisit
    | ChangePrice
    | ChangeVat
    | Restock
    | GatewayAnswered
    | GatewayTold
    | PongArrived
    | Tick
    | Resume
    | Rebase
    | Recall
    | Adopt
    | CodeJudged
    | TapCard
    | GrowGroup
    | LetIn
    | OpenForTrack
    | AssignTrack
    | EndVisit
    | AddBadge
    | RevokeBadge
    | SettleAtDesk
    | SetSettling
    | OpenDispute
    | DecideDispute
    | DecideReview
    | SetAftercare
    | AddPromotion
    | CloseProduct
    | ConfirmAge
    | EndPromotion
    | LiftRecall
    | RecallProduct
    | ReopenProduct
    | SetAgeLimit
    | SetGoodsPolicy
    | SetSaleHours
    | ChangePlanogram
    | ConfirmMove
    | CountSlot
    | FindPieces
    | FinishRestocking
    | MoveStock
    | ReleaseNode
    | ResolveFind
    | StartRestocking
    | Forget
    | GiveUpGap
    | TrustDevice
    | OpenWallet
    | SetOrder
    | TopUp
    | IssueGiftCard
    | BlockGiftCard
    | ClaimGiftCard
    | RedeemGiftCard
    | UseGiftCard
    | PayDebt
    | WaiveDebt
    | AddTip
    | RetryRefund
    | SettleRefund
    | DecideChargeback
    | PlaceOrder
    | RecallOrder
    | AddParcel
    | CancelOrder
    | ReleaseOrder
    | ReportMissing
    | StowParcel
    | ScanAtWall
    | OpenAtWall
    | CalibrateWall
    | ClearAlarm
    | ReturnGoods
    | LoadRoute
    | MoveRoute
)
COMMAND: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="kind")])
RECALLED = (
    RefundVisit,
    SettleAtDesk,
    GatewayTold,
    FindPieces,
    WaiveDebt,
    OpenDispute,
    DecideDispute,
    DecideReview,
    RetryRefund,
    SettleRefund,
)
"""Commands about a visit that may have been closed long ago."""
