"""Pick-up codes: signed as entry codes are, for one store and for pick-up only, good once.

    code = pickup_code(ring, "tiny", holder, used=0, now_s=now_s)
    judge_pickup(ring, "tiny", code)         # verdict "good", holder, entry and end

The audience that is signed is store and purpose, so that an entry code opens no wall and a pick-up
code no gate. A holder is the first twenty digits of the SHA-256 of a phone's token: whoever has
the token has the code, and nobody learns the token from it. See docs/decisions/0007.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from contracts.labels import LABEL_CHARS_MAX, sscc_of
from hub.rules import Rules
from hub.visits.codes import CODE_PREFIX, EntryPass, KeyRing, code_times, judge, make_code
from hub.visits.commands import Verdict

__all__ = ["PICKUP_PREFIX", "PickupJudged", "digest_of", "holder_of", "judge_pickup", "pickup_code"]

PICKUP_PREFIX = "SORTIE-PICKUP:"
_PURPOSE = "/pickup"
CLAIMED = 20
"""Shorter texts behind the prefix are no codes of ours."""


@dataclass(frozen=True, slots=True)
class PickupJudged:
    """What a scanned pick-up code is worth; the rest is set only where the signature is good."""

    verdict: Verdict
    holder: str = ""
    entry: int = 0
    until_s: float = 0.0


def holder_of(token_sha256: str) -> str:
    """What a code names its phone by."""
    return token_sha256[:20]


def pickup_code(
    ring: KeyRing, rules: Rules, store_id: str, holder: str, *, used: int, now_s: float
) -> tuple[str, float]:
    """The code that a phone shows now, and when it turns. `used`: how many of the holder's codes
    have opened something, so that the next one is another code."""
    turns_s, until_s = code_times(rules, now_s)
    signed = make_code(ring, store_id + _PURPOSE, EntryPass(f"v-{holder}", used % 256, until_s))
    return PICKUP_PREFIX + signed.removeprefix(CODE_PREFIX), turns_s


def judge_pickup(ring: KeyRing, store_id: str, code: str) -> PickupJudged | None:
    """What a signed code says; None for a text that claims to be none. An entry code is one of
    ours and not for here: it is as good as forged."""
    text = code.strip()
    if text.startswith(CODE_PREFIX):
        return PickupJudged("forged")
    if not text.startswith(PICKUP_PREFIX) or len(text) < len(PICKUP_PREFIX) + CLAIMED:
        return None
    judged = judge(ring, store_id + _PURPOSE, CODE_PREFIX + text.removeprefix(PICKUP_PREFIX))
    found = judged.entry_pass
    if found is None:
        return PickupJudged(judged.verdict)
    return PickupJudged(
        judged.verdict, found.visit_id.removeprefix("v-"), found.entry, float(found.until_s)
    )


def digest_of(code: str) -> str:
    """The SHA-256 that journal and core know a scanned text by: of a parcel's SSCC however it is
    written, of anything else as it is."""
    text = code.strip()
    sscc = sscc_of(text) if len(text) <= LABEL_CHARS_MAX else None
    return hashlib.sha256((text if sscc is None else f"sscc:{sscc}").encode()).hexdigest()
