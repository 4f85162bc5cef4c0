"""What a shopper still owes and how it ends; and the tip, the one thing given on top."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.command import Reply
from hub.effects import us
from hub.errors import ConflictError, RejectedError, UnknownVisitError
from hub.state import HubState
from hub.visits.model import Visit
from hub.wallet.account import Account, done_before
from hub.wallet.commands import AddTip, PayDebt, WaiveDebt
from hub.wallet.funding import ask_leg, covered, note, pay_from_balance, sources_of
from hub.wallet.purses import payer_of
from hub.wallet.sales import amount_text

__all__ = ["add_tip", "may_pay", "pay_debt", "tip_left_s", "waive_debt"]

PAY_IDS_MAX = 20
"""Attempts to pay or waive one visit's debt."""


def pay_debt(state: HubState, command: PayDebt) -> Reply:
    """Pays what a visit owes, from the stored balance at once or by a new hold and its capture."""
    visit = _allowed(state, command)
    account = state.wallets.account(visit.visit_id)
    if done_before(account.pay_ids, command.pay_id, command.source):
        return Reply(visit_id=visit.visit_id, repeated=True)
    if not account.settled or account.busy:
        raise ConflictError(f"expected {visit.visit_id} to wait for no answer; try again later")
    if any(ask.visit_id == visit.visit_id for ask in state.asks.values()):
        raise ConflictError(f"a refund of {visit.visit_id} is on its way; try again later")
    amount_minor = account.debt_minor
    if not amount_minor:
        raise RejectedError(f"expected a visit that owes something, {visit.visit_id} does not")
    if command.source == "stored":
        name = f"stored:{visit.payer}"
        has_minor = state.wallets.ledger.spendable(name)
        if has_minor < amount_minor:
            currency = state.store.currency
            raise RejectedError(
                f"expected a balance of {amount_text(amount_minor, currency)}, it is "
                f"{amount_text(has_minor, currency)}; top up first"
            )
        _remember(account, command.pay_id, command.source)
        pay_from_balance(state, visit, "stored", name, amount_minor)
        return Reply(visit_id=visit.visit_id, amount_minor=amount_minor)
    if visit.channel == "desk":
        raise RejectedError("expected a visit with a card, this one is paid at the desk")
    _remember(account, command.pay_id, command.source)
    account.refused_extra = ""
    leg = state.wallets.add_leg(visit.visit_id, "card", "clearing", amount_minor, "debt")
    state.event("debt.payment_asked", visit.visit_id, amount_minor=amount_minor)
    ask_leg(state, visit, leg, "hold")
    return Reply(visit_id=visit.visit_id, amount_minor=amount_minor)


def waive_debt(state: HubState, command: WaiveDebt) -> Reply:
    """Staff let go of what a visit owes."""
    visit = state.visit(command.visit_id)
    account = state.wallets.account(visit.visit_id)
    if done_before(account.pay_ids, command.waive_id, "waive"):
        return Reply(visit_id=visit.visit_id, repeated=True)
    if account.busy:
        raise ConflictError(f"expected {visit.visit_id} to wait for no answer; try again later")
    amount_minor = account.debt_minor
    if not amount_minor:
        raise RejectedError(f"expected a visit that owes something, {visit.visit_id} does not")
    _remember(account, command.waive_id, "waive")
    state.effects.transactions.append(
        state.wallets.waive_debt(visit.visit_id, at_us=us(state.now_s))
    )
    state.event("debt.waived", visit.visit_id, amount_minor=amount_minor, reason=command.reason)
    note(state, visit.visit_id)
    return Reply(visit_id=visit.visit_id, amount_minor=amount_minor)


def add_tip(state: HubState, command: AddTip) -> Reply:
    """A tip through the shopper's sources, once a visit, for a while after the exit."""
    visit = state.visit_by_token(command.token_sha256)
    account = state.wallets.accounts.get(visit.visit_id)
    if account is not None and account.tip_id:
        if (account.tip_id, account.tip_minor) != (command.tip_id, command.amount_minor):
            raise ConflictError(f"expected one tip a visit, {visit.visit_id} has one already")
        return Reply(visit_id=visit.visit_id, repeated=True)
    most_minor = state.store.wallet.tip_minor_max
    if tip_left_s(state, visit) <= 0 or account is None:
        raise RejectedError(
            "expected a visit that has left not long ago, in a store that takes tips"
        )
    if command.amount_minor > most_minor:
        raise RejectedError(
            f"expected a tip of at most {amount_text(most_minor, state.store.currency)}"
        )
    parts, missing_minor = sources_of(state, visit, command.amount_minor)
    if missing_minor:
        raise RejectedError(
            f"expected a balance that covers the tip, "
            f"{amount_text(missing_minor, state.store.currency)} are missing"
        )
    account.tip_id, account.tip_minor = command.tip_id, command.amount_minor
    at_us = us(state.now_s)
    state.event("tip.added", visit.visit_id, amount_minor=command.amount_minor)
    for source, name, amount_minor in parts:
        if source == "card":
            leg = state.wallets.add_leg(visit.visit_id, "card", name, amount_minor, "tip")
            ask_leg(state, visit, leg, "hold")
            continue
        state.effects.transactions.append(
            state.wallets.tip(visit.visit_id, amount_minor, at_us=at_us, source=name)
        )
        covered(state, visit, account.legs[-1])
        if source == "gift":
            state.effects.cards.add(name.removeprefix("gift:"))
    note(state, visit.visit_id)
    return Reply(visit_id=visit.visit_id, amount_minor=command.amount_minor)


def tip_left_s(state: HubState, visit: Visit) -> float:
    """For how many seconds a tip may still be given; 0 if none may."""
    wallet = state.store.wallet
    if not wallet.tip_minor_max or visit.stage != "final" or visit.exited_s is None:
        return 0.0
    if visit.exit_kind == "unseen":
        return 0.0
    return max(0.0, visit.exited_s + wallet.tip_window_s - state.now_s)


def may_pay(visit: Mapping[str, Any], command: PayDebt) -> bool:
    """Whether a stored visit is of whoever asks: only then is it called back into memory."""
    payer = None if command.wallet_sha256 is None else payer_of(command.wallet_sha256)
    return bool(command.token_sha256 == visit["token_sha256"] or payer == visit["payer"])


def _allowed(state: HubState, command: PayDebt) -> Visit:
    """The visit, if whoever asks has its token or its payer's wallet; unknown to all others."""
    visit = state.visits.get(command.visit_id)
    purse = None if visit is None else state.wallets.purses.all.get(visit.payer)
    if visit is not None and command.wallet_sha256 is not None and purse is not None:
        if command.wallet_sha256 == purse.secret_sha256:
            return visit
    elif visit is not None and command.token_sha256 == visit.token_sha256:
        if command.source == "stored" and purse is not None:
            raise RejectedError("expected the wallet itself to spend its balance; pay there")
        return visit
    raise UnknownVisitError(f"expected a visit of your own, got {command.visit_id}")


def _remember(account: Account, name: str, content: str) -> None:
    if len(account.pay_ids) >= PAY_IDS_MAX:
        raise RejectedError(
            f"expected at most {PAY_IDS_MAX} attempts on {account.visit_id}; ask the staff"
        )
    account.pay_ids.append(f"{name}={content}")
