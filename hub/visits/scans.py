"""Codes at gates: what a scan opens, or why the gate stays shut.

The signature of a code was judged where the key is, before the message came in (CodeJudged); here
is decided whether the code is still good: at an entry gate, in time, and not used before. Codes
without a signature, of older journals and of simulated days, are known by their SHA-256.
"""

from __future__ import annotations

import hashlib

from hub.commands import Reply
from hub.errors import ConflictError, RejectedError
from hub.levels import NUMBERED_LEVEL
from hub.state import HubState
from hub.visits.codes import code_digest
from hub.visits.commands import AddBadge, Adopt, CodeJudged, RevokeBadge
from hub.visits.entry import admit_new, ask_hold, enter_more
from hub.visits.model import Visit

__all__ = [
    "MessageKey",
    "add_badge",
    "adopt",
    "code_judged",
    "is_entry",
    "refuse",
    "revoke_badge",
    "scanned",
]

MessageKey = tuple[str, str, int]
"""Device, boot and sequence."""
JUDGED_MAX = 8_192
GUESS_WINDOW_S = 60.0


def adopt(state: HubState, command: Adopt) -> Reply:
    """The rules of a level hold from here on."""
    state.hold_level(max(state.level, command.level))
    return Reply()


def code_judged(state: HubState, command: CodeJudged) -> Reply:
    """Keeps what a signature says until the message with the scan takes effect."""
    state.judged[command.device_id, command.boot_id, command.sequence] = command
    if len(state.judged) > JUDGED_MAX:
        del state.judged[next(iter(state.judged))]
    return Reply(visit_id=command.visit_id)


def scanned(
    state: HubState,
    gate_id: str,
    code: str,
    t_s: float,
    sd_s: float,
    message: MessageKey,
    *,
    undated: str | None = None,
) -> None:
    """A code was read at a gate: if it is good, a hold is asked for and the entry waits for it.
    `undated`: see hub.visits.model.Body."""
    judged = state.judged.pop(message, None)
    digest = code_digest(code)
    holder = state.badges.get(digest)
    if holder is not None:
        _badge_scanned(state, gate_id, holder, t_s, message, undated)
        return
    known = judged.visit_id if judged is not None else state.by_code.get(digest)
    visit = state.visits.get(known or "")
    late_s = 3 * sd_s
    if not is_entry(state, gate_id):
        refusal = "not an entry gate"
    elif judged is not None:
        refusal = _signed_refusal(state, visit, judged, gate_id, t_s - late_s)
    elif visit is None:
        refusal = "code unknown or used before"
    else:
        refusal = "code expired" if t_s > visit.code_expires_s + late_s else ""
    if refusal or visit is None:
        refuse(state, gate_id, refusal)
        return
    state.by_code.pop(digest, None)
    if visit.signed:
        if judged is not None and state.level >= NUMBERED_LEVEL:
            visit.entered = max(visit.entered, judged.entry)
        visit.entered += 1
    if visit.stage == "issued":
        visit.undated = undated
        ask_hold(state, visit, gate_id, t_s)
    else:
        enter_more(state, visit, gate_id, t_s, undated=undated)


def refuse(state: HubState, gate_id: str, reason: str) -> None:
    """The gate stays shut. The code itself is a secret and stays out of the log."""
    state.count("entries_refused")
    state.event("entry.refused", None, gate_id=gate_id, reason=reason)


def is_entry(state: HubState, gate_id: str) -> bool:
    """Whether somebody may come in there."""
    return any(gate.gate_id == gate_id and gate.kind == "entry" for gate in state.store.gates)


def add_badge(state: HubState, command: AddBadge) -> Reply:
    """A badge opens visits of staff from now on."""
    if command.badge_sha256 in state.badges:
        raise ConflictError("expected a new badge, got one that is in use")
    state.badges[command.badge_sha256] = command.holder
    state.event("badge.added", None, holder=command.holder, by=command.by)
    return Reply()


def revoke_badge(state: HubState, command: RevokeBadge) -> Reply:
    """A holder's badges open nothing any more; who is inside stays known as staff."""
    held = [digest for digest, holder in state.badges.items() if holder == command.holder]
    if not held:
        raise ConflictError(f"expected the holder of a badge, got {command.holder}")
    for digest in held:
        del state.badges[digest]
    state.event("badge.revoked", None, holder=command.holder, by=command.by)
    return Reply()


def _signed_refusal(
    state: HubState, visit: Visit | None, judged: CodeJudged, gate_id: str, earliest_s: float
) -> str:
    """Why a signed code opens nothing; empty if it does. `earliest_s`: when it was scanned, the
    clock's error in its favour."""
    if judged.verdict == "forged":
        _guessed(state, gate_id)
        return "code forged"
    if judged.verdict == "other_store":
        return "code of another store"
    if visit is None or judged.entry < visit.entered or visit.stage in ("left", "final"):
        return "code used before"
    if visit.stage == "refused":
        return "payment refused"
    if visit.stage == "expired" or earliest_s > judged.until_s:
        return "code expired"
    if visit.stage == "issued" and earliest_s > visit.code_expires_s:
        return "code expired"
    return "" if judged.entry < visit.entries else "code for more people than the group has"


def _guessed(state: HubState, gate_id: str) -> None:
    """Somebody tries codes out: staff should look at the gate."""
    since_s = state.now_s - GUESS_WINDOW_S
    tries = [t_s for t_s in state.guesses.get(gate_id, ()) if t_s > since_s]
    tries.append(state.now_s)
    if len(tries) >= state.rules.guesses_max:
        state.event("gate.guessed_at", None, gate_id=gate_id, tries=len(tries))
        tries = []
    state.guesses[gate_id] = tries
    if not tries:
        del state.guesses[gate_id]


def _badge_scanned(
    state: HubState,
    gate_id: str,
    holder: str,
    t_s: float,
    message: MessageKey,
    undated: str | None,
) -> None:
    """Staff come in: their body is known, and nothing is held or charged."""
    payer = f"staff:{holder}"
    if not is_entry(state, gate_id):
        refuse(state, gate_id, "not an entry gate")
        return
    if any(visit.payer == payer for visit in state.open_visits()):
        refuse(state, gate_id, "badge is inside already")
        return
    name = hashlib.sha256("/".join(map(str, message)).encode()).hexdigest()
    visit = Visit(
        visit_id=f"v-{name[:20]}",
        payer=payer,
        # Nobody can have the token: no address takes one with blanks.
        token_sha256=hashlib.sha256(f"no token of {name}".encode()).hexdigest(),
        code="",
        code_expires_s=t_s,
        opened_s=state.now_s,
        stage="binding",
        gate_id=gate_id,
        scanned_s=t_s,
        kind="staff",
        channel="badge",
        undated=undated,
    )
    try:
        admit_new(state, visit)
    except RejectedError:
        refuse(state, gate_id, "the store is full")
        return
    state.event("visit.opened", visit.visit_id, payer=payer)
    state.event("staff.came_in", visit.visit_id, gate_id=gate_id, holder=holder)
