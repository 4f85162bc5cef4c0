"""Where the key is: judging scanned codes, and the codes and tokens that phones and people get."""

from __future__ import annotations

import hashlib

from contracts.codec import encode, message_of
from contracts.envelope import Envelope
from contracts.errors import ContractError
from contracts.messages import GateScanned, WallScanned
from hub.parcels.codes import digest_of, judge_pickup
from hub.rules import Rules
from hub.visits.codes import (
    HASHED_PREFIX,
    EntryPass,
    KeyRing,
    claim_codes,
    code_digest,
    code_times,
    is_signed,
    judge,
    make_code,
)
from hub.visits.commands import CodeJudged
from hub.visits.model import Visit

__all__ = ["claim_of", "entry_code", "judged_scan"]


def judged_scan(
    ring: KeyRing, item: Envelope, payload: bytes
) -> tuple[CodeJudged | None, Envelope, bytes]:
    """What the signature of a scanned code says, None for a code that claims none; and the message
    with the SHA-256 of the code in its place, so that neither journal nor core has any code."""
    try:
        message = message_of(item)
    except ContractError:
        # The core counts it as unread. What cannot be read may hold a code all the same.
        fields = (WallScanned if item.type == WallScanned.TYPE else GateScanned).model_fields
        without = item.model_copy(update={"data": dict.fromkeys(fields)})
        return None, without, encode(without)
    if not isinstance(message, GateScanned | WallScanned):
        return None, item, payload
    # Whatever a node sends is hashed, also what looks hashed: nobody gets in with a hash.
    at_wall = isinstance(message, WallScanned)
    digest = (
        digest_of(message.code) if at_wall else hashlib.sha256(message.code.encode()).hexdigest()
    )
    hidden = message.model_copy(update={"code": HASHED_PREFIX + digest})
    held: object = item.data
    whole = isinstance(held, GateScanned | WallScanned)
    data = hidden if whole else hidden.model_dump(mode="json")
    without = item.model_copy(update={"data": data})
    judged = (_pickup if at_wall else _judged)(ring, item, message.code)
    return judged, without, encode(without)


def _pickup(ring: KeyRing, item: Envelope, code: str) -> CodeJudged | None:
    """The same of a code for a wall: its phone stands where a visit stands in an entry's."""
    judged = judge_pickup(ring, item.storeid, code)
    if judged is None:
        return None
    return CodeJudged(
        device_id=item.deviceid,
        boot_id=item.bootid,
        sequence=item.sequence,
        verdict=judged.verdict,
        visit_id=f"v-{judged.holder}" if judged.holder else None,
        entry=judged.entry,
        until_s=judged.until_s,
    )


def _judged(ring: KeyRing, item: Envelope, code: str) -> CodeJudged | None:
    if not is_signed(code):
        return None
    judged = judge(ring, item.storeid, code)
    found = judged.entry_pass
    return CodeJudged(
        device_id=item.deviceid,
        boot_id=item.bootid,
        sequence=item.sequence,
        verdict=judged.verdict,
        visit_id=None if found is None else found.visit_id,
        entry=0 if found is None else found.entry,
        until_s=0.0 if found is None else float(found.until_s),
    )


def entry_code(
    ring: KeyRing, rules: Rules, store_id: str, visit: Visit, now_s: float
) -> tuple[str, float] | None:
    """The code a phone shows now, and when it turns; None while it has nothing to show."""
    if not visit.signed:
        return (visit.code, visit.code_expires_s) if visit.stage == "issued" else None
    more = visit.stage in ("entering", "binding", "shopping") and visit.entered < visit.entries
    if not more and (visit.stage != "issued" or now_s > visit.code_expires_s):
        return None
    turns_s, until_s = code_times(rules, now_s)
    entry_pass = EntryPass(visit.visit_id, visit.entered, until_s)
    return make_code(ring, store_id, entry_pass), turns_s


def claim_of(ring: KeyRing, visit: Visit) -> str | None:
    """The token of a visit without a phone, for whoever may hand it out; None if there is none."""
    claims = claim_codes(ring, visit.visit_id)
    return next((one for one in claims if code_digest(one) == visit.token_sha256), None)
