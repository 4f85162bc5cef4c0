"""What is asked of the visits' room: judged codes, taps, entries by staff, groups, badges."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from contracts.ids import BootId, DeviceId, GateId, TrackId
from hub.command import Command

__all__ = [
    "ENTRIES_MAX",
    "AddBadge",
    "Adopt",
    "AssignTrack",
    "CodeJudged",
    "EndVisit",
    "GrowGroup",
    "LetIn",
    "OpenForTrack",
    "RevokeBadge",
    "SetSettling",
    "SettleAtDesk",
    "TapCard",
    "Verdict",
    "VisitKey",
]

ENTRIES_MAX = 20
"""People on one payer."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
VisitKey = Annotated[str, Field(pattern=r"^[0-9a-f]{20}$")]
"""80 random bits, drawn outside: a visit's id is "v-" and these."""
VisitId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,126}$")]
StaffName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@-]{0,62}$")]
Reason = Annotated[str, Field(min_length=1, max_length=200)]
Verdict = Literal["good", "forged", "other_store"]


class Adopt(Command):
    """From here on the rules of this level hold; a journal without it goes by the first ones."""

    kind: Literal["adopt"] = "adopt"
    level: Annotated[int, Field(ge=1, le=1_000)]


class CodeJudged(Command):
    """What the signature of a scanned code says, judged where the key is.

    It names the message that carries the scan, and comes before it. The core itself has no key.
    """

    kind: Literal["code_judged"] = "code_judged"
    device_id: DeviceId
    boot_id: BootId
    sequence: Annotated[int, Field(ge=0, le=2**53)]
    verdict: Verdict
    visit_id: VisitId | None = None
    entry: Annotated[int, Field(ge=0, le=255)] = 0
    until_s: Annotated[float, Field(ge=0)] = 0.0


class TapCard(Command):
    """A card was held to a gate's terminal, which gave an opaque token for it, never its number.

    The same `tap_id` again changes nothing.
    """

    kind: Literal["tap_card"] = "tap_card"
    tap_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,126}$")]
    gate_id: GateId
    card: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{7,99}$")]
    visit_key: VisitKey
    token_sha256: Sha256


class GrowGroup(Command):
    """So many people in all may come in on this visit's payer."""

    kind: Literal["grow_group"] = "grow_group"
    token_sha256: Sha256
    entries: Annotated[int, Field(ge=1, le=ENTRIES_MAX)]


class LetIn(Command):
    """Staff let somebody in at a gate: a customer who pays at the desk, or staff themselves."""

    kind: Literal["let_in"] = "let_in"
    visit_key: VisitKey
    token_sha256: Sha256
    gate_id: GateId
    who: Literal["shopper", "staff"] = "shopper"
    by: StaffName
    reason: Reason


class OpenForTrack(Command):
    """Staff give a body without a visit one: it pays at the desk, or it is staff."""

    kind: Literal["open_for_track"] = "open_for_track"
    visit_key: VisitKey
    token_sha256: Sha256
    track_id: TrackId
    who: Literal["shopper", "staff"] = "shopper"
    by: StaffName
    reason: Reason


class AssignTrack(Command):
    """Staff say whose this body is: it joins the visit, with all that it took."""

    kind: Literal["assign_track"] = "assign_track"
    visit_id: VisitId
    track_id: TrackId
    by: StaffName


class EndVisit(Command):
    """Staff say that everybody of a visit has left, by a way that no gate sees."""

    kind: Literal["end_visit"] = "end_visit"
    visit_id: VisitId
    by: StaffName
    reason: Reason


class AddBadge(Command):
    """A badge opens staff visits from now on; its code is kept as its SHA-256."""

    kind: Literal["add_badge"] = "add_badge"
    badge_sha256: Sha256
    holder: StaffName
    by: StaffName


class RevokeBadge(Command):
    """The badges of a holder open nothing any more."""

    kind: Literal["revoke_badge"] = "revoke_badge"
    holder: StaffName
    by: StaffName


class SetSettling(Command):
    """`by_place`: a node is waited for up to when the shopper was last near its bays, not up to the
    exit. A store that was never told waits for all of them up to the exit."""

    kind: Literal["set_settling"] = "set_settling"
    by_place: bool


class SettleAtDesk(Command):
    """What a visit owes was paid at the desk. The same `payment_id` again changes nothing."""

    kind: Literal["settle_at_desk"] = "settle_at_desk"
    payment_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,126}$")]
    visit_id: VisitId
    method: Literal["cash", "card"]
    amount_minor: Annotated[int, Field(ge=1, le=10**12)]
    by: StaffName
