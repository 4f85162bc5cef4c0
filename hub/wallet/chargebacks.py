"""Disputes at the bank in the books: what the bank holds, what it keeps, and who is let in.

    the bank takes the money          disputed, fees / clearing
    and keeps it                      chargeback / disputed     (or the payer's debt, by a setting)
    or gives it back                  clearing / disputed
    without having taken it before    chargeback / clearing     a gateway that tells only the end

A loss is no refund of the sale: revenue and VAT stay until lines are given back. Then what the
bank took goes back first, since the shopper has it already. The books follow what the gateway has
told in all, so that the same news again, or older news after newer, book nothing.
"""

from __future__ import annotations

from hub.command import Reply
from hub.effects import us
from hub.errors import RejectedError
from hub.state import HubState
from hub.wallet.account import Account, Leg
from hub.wallet.bank import Chargeback, Decision
from hub.wallet.commands import DecideChargeback
from hub.wallet.funding import note
from hub.wallet.gateway_commands import GatewayTold

__all__ = ["CHARGEBACKS_MAX", "at_bank", "decide", "of_hold", "take"]

CHARGEBACKS_MAX = 50_000
"""Disputes that are known, all of them for good; what is told beyond is logged and not booked."""


def take(state: HubState, command: GatewayTold) -> bool:
    """Takes news of a dispute in; whether they were news."""
    if command.dispute_id is None:
        return False
    record = state.chargebacks.get(command.dispute_id)
    fresh = record is None
    if record is None:
        if len(state.chargebacks) >= CHARGEBACKS_MAX:
            state.count("chargebacks_unbooked")
            return False
        record = _opened(state, command, command.dispute_id)
    before = _facts(record)
    _learn(record, command)
    if _facts(record) == before and not fresh:
        return False
    record.changed_s = state.now_s
    _book(state, record)
    state.effects.chargebacks.add(record.dispute_id)
    return True


def decide(state: HubState, command: DecideChargeback) -> Reply:
    """Staff let a payer in again, or keep them out for good."""
    record = state.chargebacks.get(command.dispute_id)
    if record is None:
        raise RejectedError(f"expected a dispute at a bank, got {command.dispute_id}")
    wanted: Decision = "let_in" if command.let_in else "kept_out"
    if record.decision == wanted:
        return Reply(visit_id=record.visit_id or None, repeated=True)
    record.decision, record.by = wanted, command.by
    record.changed_s = state.now_s
    state.effects.chargebacks.add(record.dispute_id)
    state.event(
        "chargeback.decided",
        record.visit_id or None,
        dispute_id=record.dispute_id,
        let_in=command.let_in,
        by=command.by,
        reason=command.reason,
    )
    return Reply(visit_id=record.visit_id or None)


def at_bank(state: HubState, account: Account) -> str:
    """A dispute in which a bank holds money of a visit and has not decided; empty if none."""
    if not state.chargebacks:
        return ""
    keys = {leg.paid_by or leg.key for leg in account.legs}
    return next(
        (
            one.dispute_id
            for one in state.chargebacks.values()
            if one.hold_key in keys and one.state == "open" and one.taken_minor
        ),
        "",
    )


def of_hold(state: HubState, hold_key: str) -> bool:
    """Whether a hold's payment was disputed and is not won: the bank may have paid it back."""
    return any(
        one.hold_key == hold_key and one.state != "won" for one in state.chargebacks.values()
    )


# -- inside -----------------------------------------------------------------------------------


def _opened(state: HubState, command: GatewayTold, dispute_id: str) -> Chargeback:
    visit = state.visits.get(command.visit_id)
    payer = command.hold_key.rpartition(":pay:")[0] if visit is None else visit.payer
    record = Chargeback(
        dispute_id=dispute_id,
        hold_key=command.hold_key,
        visit_id="" if visit is None else visit.visit_id,
        payer=payer,
        amount_minor=command.amount_minor,
        opened_s=state.now_s,
        changed_s=0.0,
        reason=command.reason,
        blocks=state.store.wallet.after_dispute == "block",
    )
    state.chargebacks[dispute_id] = record
    return record


def _facts(record: Chargeback) -> tuple[object, ...]:
    return (
        record.state,
        record.withdrawn_minor,
        record.returned_minor,
        record.fee_minor,
        record.fee_back_minor,
    )


def _learn(record: Chargeback, command: GatewayTold) -> None:
    """Adds what is told to what is known; sums only grow."""
    withdrawn, returned = command.withdrawn_minor or 0, command.returned_minor or 0
    if command.fact == "dispute_withdrawn" and not withdrawn:
        withdrawn = command.amount_minor
    if command.fact == "dispute_reinstated" and not returned:
        returned = withdrawn or command.amount_minor
    if command.fact in ("dispute_won", "dispute_lost"):
        record.state = "won" if command.fact == "dispute_won" else "lost"
    record.withdrawn_minor = max(record.withdrawn_minor, withdrawn)
    record.returned_minor = max(record.returned_minor, returned)
    if command.fact == "dispute_lost" and not record.withdrawn_minor:
        record.withdrawn_minor = command.amount_minor
    if command.fact == "dispute_won" and not record.returned_minor:
        record.returned_minor = record.withdrawn_minor
    record.fee_minor = max(record.fee_minor, command.fee_minor or 0)
    record.fee_back_minor = max(record.fee_back_minor, command.fee_back_minor or 0)


def _book(state: HubState, record: Chargeback) -> None:
    """Brings the ledger to what is known."""
    taken = record.taken_minor
    bank = taken if record.state == "open" else 0
    loss = taken - bank
    fee = record.fee_minor - record.fee_back_minor
    more_loss = loss - record.lost_booked_minor - record.owed_booked_minor
    more_taken = bank - record.bank_booked_minor + more_loss
    owed = _owed(state, record, more_loss)
    moved = {
        "disputed": bank - record.bank_booked_minor,
        "chargeback": more_loss - owed,
        f"debt:{record.payer}": owed,
        "fees": fee - record.fee_booked_minor,
    }
    if not any(moved.values()):
        return
    record.steps += 1
    transaction = state.wallets.bank_moved(
        f"dispute:{record.dispute_id}:{record.steps}",
        record.visit_id,
        moved,
        at_us=us(state.now_s),
    )
    state.effects.transactions.append(transaction)
    record.bank_booked_minor = bank
    record.lost_booked_minor += more_loss - owed
    record.owed_booked_minor += owed
    record.fee_booked_minor = fee
    _spread(state, record, more_taken, more_loss - owed, owed)
    visit = state.visits.get(record.visit_id)
    if visit is not None and record.lost_booked_minor < 0:
        visit.mark_review("the bank gave back what its payer had paid again meanwhile")
    state.event(
        "chargeback.booked",
        record.visit_id or None,
        dispute_id=record.dispute_id,
        state=record.state,
        at_bank_minor=bank,
        lost_minor=loss,
        fee_minor=fee,
    )


def _owed(state: HubState, record: Chargeback, more_loss: int) -> int:
    """What of a loss the payer owes, by the store's setting; of one that came back, what is still
    owed."""
    account = state.wallets.accounts.get(record.visit_id)
    leg = None if account is None else account.leg(record.hold_key)
    if account is None or leg is None or leg.purpose == "tip":
        return 0
    if more_loss > 0:
        return more_loss if state.store.wallet.after_dispute == "debt" else 0
    return -min(-more_loss, record.owed_booked_minor, account.debt_minor)


def _spread(state: HubState, record: Chargeback, taken: int, lost: int, owed: int) -> None:
    """The accounts of the visits whose payment it is learn what the bank has of them. A tab's hold
    paid several, all of which hub.recalling has brought back to memory."""
    found = [
        (account, leg)
        for account in state.wallets.accounts.values()
        for leg in account.legs
        if record.hold_key == (leg.paid_by or leg.key)
    ]
    for account, leg in found:
        share = _share(leg, taken)
        taken -= share
        leg.lost_minor += share
        # Of a loss that came back, lines that were given back meanwhile have used a part up.
        loss = min(lost, leg.lost_minor) if lost > 0 else max(lost, -account.lost_minor)
        lost -= loss
        if leg.purpose != "tip":
            account.lost_minor += loss
        if record.visit_id == account.visit_id:
            account.debt_minor += owed
            account.charged_minor -= owed
        note(state, account.visit_id)


def _share(leg: Leg, taken: int) -> int:
    if taken > 0:
        return min(taken, max(0, leg.captured_minor - leg.lost_minor))
    return max(taken, -leg.lost_minor)
