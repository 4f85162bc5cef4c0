"""Which sources pay a visit, and asking them: at the gate, while shopping, at settlement.

A payer without a wallet has a card and nothing else: one hold, one capture. A wallet's sources are
used in its order; balances are reserved at once in the ledger, the gateway is asked for the rest
only. What a visit takes above what it holds is asked for while it shops, and at settlement.
"""

from __future__ import annotations

from hub.effects import us
from hub.state import HubState
from hub.visits.model import Visit
from hub.wallet.account import Account, Leg, Source
from hub.wallet.bank import kept_out
from hub.wallet.gateway import AskKind, GatewayRequest
from hub.wallet.sales import amount_text

__all__ = [
    "ask_leg",
    "covered",
    "extra_answered",
    "let_go",
    "note",
    "pay_from_balance",
    "release",
    "reserve",
    "resolve",
    "settle_debt",
    "sources_of",
    "told_held",
    "watch",
]

Part = tuple[Source, str, int]


def sources_of(state: HubState, visit: Visit, need_minor: int) -> tuple[list[Part], int]:
    """Who pays how much of `need_minor`, in the shopper's order, and what nobody pays."""
    purses = state.wallets.purses
    purse = purses.all.get(visit.payer)
    # Who was let in at the desk pays there and has no card that could be asked.
    own = ["card"] if visit.channel != "desk" else []
    names = _visit_cards(state, visit) + (own if purse is None else purse.order)
    parts: list[Part] = []
    for name in dict.fromkeys(names):
        if need_minor <= 0:
            break
        if name == "card":
            parts.append(("card", "clearing", need_minor))
            return parts, 0
        kind: Source = "stored" if name == "stored" else "gift"
        account = f"stored:{visit.payer}" if kind == "stored" else name
        amount_minor = min(need_minor, _spendable(state, account))
        if amount_minor > 0:
            parts.append((kind, account, amount_minor))
            need_minor -= amount_minor
    return parts, max(0, need_minor)


def _visit_cards(state: HubState, visit: Visit) -> list[str]:
    """Gift cards that were given for this visit alone, before its gate and after. One that a
    wallet has claimed since is that wallet's."""
    purses = state.wallets.purses
    waiting = purses.visit_cards.get(visit.visit_id, [])
    account = state.wallets.accounts.get(visit.visit_id)
    legs = [] if account is None else account.legs
    used = [leg.account.removeprefix("gift:") for leg in legs if leg.source == "gift"]
    return [
        f"gift:{card_id}"
        for card_id in [*waiting, *used]
        if purses.cards[card_id].payer is None
        or (card_id in waiting and purses.cards[card_id].payer == visit.payer)
    ]


def _spendable(state: HubState, account: str) -> int:
    card = state.wallets.purses.cards.get(account.removeprefix("gift:"))
    if account.startswith("gift:") and (card is None or card.refusal(state.now_s)):
        return 0
    return state.wallets.ledger.spendable(account)


# -- at the gate --------------------------------------------------------------------------


def reserve(state: HubState, visit: Visit, need_minor: int | None = None) -> tuple[str, str]:
    """Asks a visit's sources for the store's hold, or for another amount that must be had;
    ("asked" | "ready" | "refused", reason)."""
    wallet, currency = state.store.wallet, state.store.currency
    if kept_out(state.chargebacks.values(), visit.payer):
        return "refused", "a payment is disputed at the bank; ask the staff"
    owed_minor = state.wallets.ledger.posted(f"debt:{visit.payer}")
    if wallet.debt_block_minor is not None and owed_minor > wallet.debt_block_minor:
        owed = amount_text(owed_minor, currency, level=state.level)
        return "refused", f"{owed} are still owed; pay them first"
    hold_minor = wallet.hold_minor if need_minor is None else need_minor
    parts, missing_minor = sources_of(state, visit, hold_minor)
    if missing_minor:
        where = "reserved at the gate" if need_minor is None else "to be paid"
        return "refused", (
            f"{amount_text(hold_minor, currency, level=state.level)} are {where}, "
            f"{amount_text(missing_minor, currency, level=state.level)} of them are not covered; "
            "top up, or let the card pay too"
        )
    account = state.wallets.open(visit.visit_id, visit.payer, parts)
    state.wallets.purses.visit_cards.pop(visit.visit_id, None)
    for leg in account.legs:
        if leg.source != "card":
            _place(state, visit, leg)
    card = account.card
    if card is None:
        return "ready", ""
    ask_leg(state, visit, card, "hold")
    return "asked", ""


def release(state: HubState, visit: Visit) -> None:
    """The card said no at the gate: what balances had reserved is free again."""
    account = state.wallets.account(visit.visit_id)
    for leg in account.legs:
        if leg.state == "held":
            _void(state, visit, leg)


def told_held(state: HubState, visit: Visit) -> None:
    """It is told that all is held that was asked for, and where."""
    account = state.wallets.account(visit.visit_id)
    state.event("hold.placed", visit.visit_id, amount_minor=account.hold_minor)
    if not account.classic:
        parts = [[leg.account, leg.amount_minor] for leg in account.legs]
        state.event("hold.split", visit.visit_id, parts=parts)


def let_go(state: HubState, visit: Visit) -> None:
    """Nothing is charged: every source gets back what it holds, the card by the gateway."""
    account = state.wallets.accounts.get(visit.visit_id)
    for leg in () if account is None else account.legs:
        if leg.state == "held" and leg.source == "card":
            ask_leg(state, visit, leg, "void")
        elif leg.state == "held":
            _void(state, visit, leg)
    note(state, visit.visit_id)


def ask_leg(
    state: HubState,
    visit: Visit,
    leg: Leg,
    kind: AskKind,
    amount_minor: int = 0,
    *,
    wait_s: float = 0.0,
) -> None:
    """Asks the gateway something about a leg, under the key of that question, or so much later."""
    hold_id = state.wallets.account(visit.visit_id).hold_id
    key = leg.key if kind == "hold" else f"{visit.visit_id}:{kind}{leg.key.removeprefix(hold_id)}"
    state.ask(
        visit.visit_id,
        GatewayRequest(
            key=key,
            kind=kind,
            hold_key=leg.key,
            payer=visit.payer,
            amount_minor=amount_minor or leg.amount_minor,
            currency=state.store.currency,
        ),
        wait_s=wait_s,
    )


def _place(state: HubState, visit: Visit, leg: Leg) -> None:
    state.effects.transactions.append(
        state.wallets.place_hold(visit.visit_id, at_us=us(state.now_s), key=leg.key)
    )
    _touch(state, leg)


def _void(state: HubState, visit: Visit, leg: Leg) -> None:
    state.effects.transactions.append(
        state.wallets.void_hold(visit.visit_id, at_us=us(state.now_s), key=leg.key)
    )
    _touch(state, leg)


def _touch(state: HubState, leg: Leg) -> None:
    """A balance changed: its row is written anew."""
    kind, _, name = leg.account.partition(":")
    if kind == "gift":
        state.effects.cards.add(name)
    elif kind == "stored":
        state.effects.purses.add(name)


# -- while shopping -----------------------------------------------------------------------


def watch(state: HubState) -> None:
    """Asks for more where a cart that just changed comes near what is held."""
    wallet = state.store.wallet
    if not wallet.topup_minor:
        return
    for visit_id in sorted(state.effects.visits):
        visit = state.visits.get(visit_id)
        account = state.wallets.accounts.get(visit_id)
        if visit is None or visit.stage not in ("shopping", "left") or account is None:
            continue
        if account.state != "held" or not _may_extend(state, account):
            continue
        quantities = state.attributor.cart(visit_id)
        lines = state.carts.lines(visit_id, quantities, state.catalog)
        total_minor = sum(line.gross_minor for line in lines)
        need_minor = total_minor + wallet.topup_margin_minor - account.hold_minor
        if total_minor and need_minor > 0:
            _extend(state, visit, max(need_minor, wallet.topup_minor))


def _may_extend(state: HubState, account: Account) -> bool:
    extra = [leg for leg in account.sale if leg.purpose in ("extra", "debt")]
    return (
        not account.refused_extra
        and not any(leg.state == "asked" for leg in extra)
        and sum(leg.source == "card" for leg in extra) < state.store.wallet.topups_max
    )


def _extend(state: HubState, visit: Visit, need_minor: int) -> None:
    for source, name, amount_minor in sources_of(state, visit, need_minor)[0]:
        leg = state.wallets.add_leg(visit.visit_id, source, name, amount_minor, "extra")
        if source == "card":
            state.event("hold.extension_asked", visit.visit_id, amount_minor=amount_minor)
            ask_leg(state, visit, leg, "hold")
        else:
            _place(state, visit, leg)
            state.event("hold.extended", visit.visit_id, amount_minor=amount_minor, source=source)


# -- at settlement ------------------------------------------------------------------------


def resolve(state: HubState, visit: Visit) -> None:
    """Every leg of a settled visit ends: captured in order as far as it was charged, or let go."""
    account = state.wallets.account(visit.visit_id)
    tabbed = _tab_takes(state, account)
    for leg in list(account.sale):
        if leg.state != "held":
            continue
        if leg.source != "card":
            _resolve_balance(state, visit, leg)
        elif not leg.charged_minor:
            ask_leg(state, visit, leg, "void")
        elif tabbed:
            _to_tab(state, visit, leg)
        else:
            ask_leg(state, visit, leg, "capture", leg.charged_minor)
    _moved(state, visit, "visit", -account.total_minor)
    if account.debt_minor:
        settle_debt(state, visit)
    note(state, visit.visit_id)


def _moved(state: HubState, visit: Visit, kind: str, amount_minor: int) -> None:
    """A row for the wallet's list of latest movements."""
    purse = state.wallets.purses.all.get(visit.payer)
    if purse is not None and amount_minor:
        purse.moved(state.now_s, kind, amount_minor, visit_id=visit.visit_id)


def _resolve_balance(state: HubState, visit: Visit, leg: Leg) -> None:
    if not leg.charged_minor:
        _void(state, visit, leg)
        return
    state.effects.transactions.append(
        state.wallets.capture(visit.visit_id, at_us=us(state.now_s), key=leg.key)
    )
    _touch(state, leg)
    visit.receipt_s = state.now_s
    state.event(
        "balance.captured", visit.visit_id, amount_minor=leg.captured_minor, source=leg.account
    )


def _tab_takes(state: HubState, account: Account) -> bool:
    """Whether what the card would pay is so little that it waits on the payer's tab."""
    most = state.store.wallet.tab_visit_minor_max
    purse = state.wallets.purses.all.get(account.payer)
    if purse is None or not most or account.debt_minor or purse.debts:
        return False
    charged = sum(leg.charged_minor for leg in account.sale if leg.source == "card")
    return 0 < charged <= most


def _to_tab(state: HubState, visit: Visit, leg: Leg) -> None:
    amount_minor = leg.charged_minor
    state.effects.transactions.append(
        state.wallets.to_tab(visit.visit_id, leg.key, at_us=us(state.now_s))
    )
    state.wallets.purses.add_to_tab(visit.payer, visit.visit_id, amount_minor, state.now_s)
    visit.receipt_s = state.now_s
    state.event("tab.charged", visit.visit_id, amount_minor=amount_minor)
    ask_leg(state, visit, leg, "void")


def settle_debt(state: HubState, visit: Visit) -> None:
    """What was taken above the holds is asked of the sources before it stays a debt."""
    account = state.wallets.account(visit.visit_id)
    card_asked = any(leg.state == "asked" for leg in account.sale)
    for source, name, amount_minor in sources_of(state, visit, account.debt_minor)[0]:
        if source != "card":
            pay_from_balance(state, visit, source, name, amount_minor)
        elif state.store.wallet.topup_minor and not card_asked and _may_extend(state, account):
            leg = state.wallets.add_leg(visit.visit_id, source, name, amount_minor, "debt")
            state.event("hold.extension_asked", visit.visit_id, amount_minor=amount_minor)
            ask_leg(state, visit, leg, "hold")


def pay_from_balance(
    state: HubState, visit: Visit, source: Source, name: str, amount_minor: int
) -> None:
    """A balance pays a part of a debt at once."""
    state.effects.transactions.append(
        state.wallets.pay_debt(visit.visit_id, source, name, amount_minor, at_us=us(state.now_s))
    )
    account = state.wallets.account(visit.visit_id)
    _touch(state, account.legs[-1])
    state.event("debt.paid", visit.visit_id, amount_minor=amount_minor, source=name)
    _moved(state, visit, "debt_paid", -amount_minor)
    note(state, visit.visit_id)


# -- answers of the gateway ---------------------------------------------------------------


def extra_answered(state: HubState, visit: Visit, leg: Leg, *, approved: bool, reason: str) -> None:
    """The gateway's word on a hold that was not the entry's."""
    if leg.purpose == "again":
        _again_answered(state, visit, leg, approved=approved)
    elif approved:
        _place(state, visit, leg)
        _use(state, visit, leg)
    else:
        state.wallets.refuse_hold(visit.visit_id, leg.key)
        if leg.purpose != "tip":
            state.wallets.account(visit.visit_id).refused_extra = reason[:200]
        state.event(
            "tip.refused" if leg.purpose == "tip" else "hold.extension_refused",
            visit.visit_id,
            amount_minor=leg.amount_minor,
            reason=reason,
        )
    note(state, visit.visit_id)


def _again_answered(state: HubState, visit: Visit, leg: Leg, *, approved: bool) -> None:
    if approved:
        state.wallets.hold_again_placed(visit.visit_id, leg.key)
        state.event("hold.placed", visit.visit_id, amount_minor=leg.amount_minor)
        ask_leg(state, visit, leg, "capture", leg.charged_minor)
        return
    amount_minor = leg.charged_minor
    state.effects.transactions.append(
        state.wallets.capture_failed(visit.visit_id, at_us=us(state.now_s), key=leg.key)
    )
    state.count("captures_failed")
    state.event("debt.recorded", visit.visit_id, amount_minor=amount_minor)


def _use(state: HubState, visit: Visit, leg: Leg) -> None:
    """A hold that came: kept for the cart, or taken for what is owed, or let go."""
    account = state.wallets.account(visit.visit_id)
    at_us = us(state.now_s)
    if leg.purpose == "tip":
        state.effects.transactions.append(
            state.wallets.tip(visit.visit_id, leg.amount_minor, at_us=at_us, key=leg.key)
        )
        ask_leg(state, visit, leg, "capture", leg.charged_minor)
        return
    state.event("hold.extended", visit.visit_id, amount_minor=leg.amount_minor, source="card")
    if not account.settled:
        return
    amount_minor = min(leg.amount_minor, account.debt_minor)
    if not amount_minor:
        ask_leg(state, visit, leg, "void")
        return
    state.effects.transactions.append(
        state.wallets.cover_debt(visit.visit_id, leg.key, amount_minor, at_us=at_us)
    )
    ask_leg(state, visit, leg, "capture", amount_minor)
    if account.debt_minor:
        settle_debt(state, visit)


def covered(state: HubState, visit: Visit, leg: Leg) -> None:
    """A leg was captured: tells what it was for."""
    if leg.purpose == "tip":
        state.event("tip.captured", visit.visit_id, amount_minor=leg.captured_minor)
        _moved(state, visit, "tip", -leg.captured_minor)
    elif leg.purpose == "debt":
        state.event("debt.paid", visit.visit_id, amount_minor=leg.captured_minor, source="card")
        _moved(state, visit, "debt_paid", -leg.captured_minor)
    note(state, visit.visit_id)


def note(state: HubState, visit_id: str) -> None:
    """A visit's account changed: its rows are written anew, and its wallet's debts follow."""
    state.effects.visits.add(visit_id)
    account = state.wallets.accounts.get(visit_id)
    purse = None if account is None else state.wallets.purses.all.get(account.payer)
    if account is None or purse is None:
        return
    if account.debt_minor:
        purse.debts[visit_id] = account.debt_minor
    else:
        purse.debts.pop(visit_id, None)
    state.effects.purses.add(purse.payer)
