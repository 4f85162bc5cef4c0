"""Wallets and gift cards: opened, ordered, topped up; issued, claimed, redeemed, blocked."""

from __future__ import annotations

from hub.command import Reply
from hub.effects import us
from hub.errors import ConflictError, RejectedError, UnknownWalletError
from hub.state import HubState
from hub.wallet.commands import (
    BlockGiftCard,
    ClaimGiftCard,
    IssueGiftCard,
    OpenWallet,
    RedeemGiftCard,
    SetOrder,
    TopUp,
    UseGiftCard,
)
from hub.wallet.model import Entry
from hub.wallet.payments import start_topup
from hub.wallet.purses import CARDS_MAX, GiftCard, Purse, payer_of
from hub.wallet.sales import amount_text, pair

__all__ = [
    "block_gift_card",
    "claim_gift_card",
    "issue_gift_card",
    "open_wallet",
    "payer_for",
    "redeem_gift_card",
    "set_order",
    "top_up",
    "use_gift_card",
]

WALLETS_MAX = 1_000_000
CARDS_ISSUED_MAX = 1_000_000


def payer_for(state: HubState, payer: str | None, wallet_sha256: str | None) -> str | None:
    """Who pays a visit that is about to be opened: a wallet pays only if its secret was given."""
    purses = state.wallets.purses
    if wallet_sha256 is not None:
        purse = purses.of_secret(wallet_sha256)
        if payer not in (None, purse.payer):
            raise RejectedError("expected the wallet's own name as payer, or none")
        return purse.payer
    if payer is not None and payer in purses.all:
        raise RejectedError("expected the wallet's secret to open a visit on it")
    return payer


def open_wallet(state: HubState, command: OpenWallet) -> Reply:
    """A new, empty wallet: its card pays."""
    purses = state.wallets.purses
    payer = payer_of(command.wallet_sha256)
    if payer in purses.all:
        return Reply(payer=payer, repeated=True)
    if len(purses.all) >= WALLETS_MAX:
        raise RejectedError(f"expected fewer than {WALLETS_MAX} wallets")
    purses.add(Purse(payer, command.wallet_sha256, state.now_s))
    state.effects.purses.add(payer)
    state.event("wallet.opened", None, payer=payer)
    return Reply(payer=payer)


def set_order(state: HubState, command: SetOrder) -> Reply:
    """The sources that pay, in their order."""
    purse = state.wallets.purses.of_secret(command.wallet_sha256)
    known = {"card", "stored", *(f"gift:{card_id}" for card_id in purse.cards)}
    order = list(command.order)
    strange = [name for name in order if name not in known]
    if strange or len(set(order)) != len(order):
        raise RejectedError(f"expected each of {sorted(known)} at most once, got {order}")
    if order == purse.order:
        return Reply(payer=purse.payer, repeated=True)
    purse.order = order
    state.effects.purses.add(purse.payer)
    state.event("wallet.ordered", None, payer=purse.payer, order=list(order))
    return Reply(payer=purse.payer)


def top_up(state: HubState, command: TopUp) -> Reply:
    """Asks the card; the balance has the money when the gateway has captured it."""
    purse = state.wallets.purses.of_secret(command.wallet_sha256)
    name, content = f"topup/{command.topup_id}", str(command.amount_minor)
    if _repeated(purse, name, content):
        return Reply(payer=purse.payer, repeated=True)
    most_minor = state.store.wallet.balance_minor_max
    account = f"stored:{purse.payer}"
    ledger = state.wallets.ledger
    coming_minor = state.wallets.purses.coming_minor(purse.payer)
    if coming_minor + command.amount_minor - ledger.posted(account) > most_minor:
        raise RejectedError(
            f"expected a balance of at most {amount_text(most_minor, state.store.currency)}"
        )
    purse.remember(name, content)
    start_topup(state, purse, command.amount_minor)
    return Reply(payer=purse.payer, amount_minor=command.amount_minor)


def issue_gift_card(state: HubState, command: IssueGiftCard) -> Reply:
    """A new card: the store owes its amount to whoever has the code."""
    purses = state.wallets.purses
    known = purses.cards.get(command.card_id)
    if known is not None:
        same = (known.code_sha256, known.amount_minor, known.how, known.expires_s) == (
            command.code_sha256,
            command.amount_minor,
            command.how,
            command.expires_s,
        )
        if not same:
            raise ConflictError(f"card {command.card_id} was issued before with other content")
        return Reply(amount_minor=known.amount_minor, repeated=True)
    if command.code_sha256 in purses.by_code:
        raise ConflictError("expected a new code, got one that is in use")
    if len(purses.cards) >= CARDS_ISSUED_MAX:
        raise RejectedError(f"expected fewer than {CARDS_ISSUED_MAX} cards")
    if command.amount_minor > state.store.wallet.balance_minor_max:
        most = amount_text(state.store.wallet.balance_minor_max, state.store.currency)
        raise RejectedError(f"expected a card of at most {most}")
    if command.expires_s is not None and command.expires_s <= state.now_s:
        raise RejectedError("expected a card that expires in the future")
    card = GiftCard(
        command.card_id,
        command.code_sha256,
        command.amount_minor,
        command.how,
        state.now_s,
        command.expires_s,
    )
    entries = pair(f"issued:{command.how}", card.account, command.amount_minor)
    _post(state, f"{card.account}:issued", "gift_issued", entries)
    purses.issue(card)
    state.effects.cards.add(card.card_id)
    state.event("gift.issued", None, card_id=card.card_id, amount_minor=card.amount_minor)
    return Reply(amount_minor=card.amount_minor)


def block_gift_card(state: HubState, command: BlockGiftCard) -> Reply:
    """A blocked card pays nothing; what it had reserved before stays reserved."""
    card = state.wallets.purses.cards.get(command.card_id)
    if card is None:
        raise UnknownWalletError(f"expected a gift card, got {command.card_id}")
    if card.blocked == command.blocked:
        return Reply(repeated=True)
    card.blocked = command.blocked
    state.effects.cards.add(card.card_id)
    state.event("gift.blocked" if card.blocked else "gift.unblocked", None, card_id=card.card_id)
    return Reply()


def claim_gift_card(state: HubState, command: ClaimGiftCard) -> Reply:
    """The card is the wallet's from now on, and the first of its sources."""
    purse = state.wallets.purses.of_secret(command.wallet_sha256)
    card = _card(state, command.code_sha256)
    if card.payer == purse.payer and card.card_id in purse.cards:
        return Reply(payer=purse.payer, repeated=True)
    _free(state, card)
    if len(purse.cards) >= CARDS_MAX:
        raise RejectedError(f"expected at most {CARDS_MAX} cards on a wallet; redeem one first")
    card.payer = purse.payer
    purse.cards.append(card.card_id)
    purse.order.insert(0, card.account)
    _changed(state, purse, card)
    left_minor = state.wallets.ledger.spendable(card.account)
    state.event("gift.claimed", None, card_id=card.card_id, payer=purse.payer)
    return Reply(payer=purse.payer, amount_minor=left_minor)


def redeem_gift_card(state: HubState, command: RedeemGiftCard) -> Reply:
    """All that is left on the card becomes stored balance, once."""
    purse = state.wallets.purses.of_secret(command.wallet_sha256)
    card = _card(state, command.code_sha256)
    if card.redeemed and card.payer == purse.payer:
        return Reply(payer=purse.payer, repeated=True)
    if card.payer != purse.payer:
        _free(state, card)
    elif refusal := card.refusal(state.now_s):
        raise RejectedError(refusal)
    ledger = state.wallets.ledger
    left_minor = ledger.spendable(card.account)
    if left_minor != -ledger.posted(card.account):
        raise ConflictError("a part of the card is reserved for a visit; try again later")
    if left_minor <= 0:
        raise RejectedError("expected a card with something on it, this one is empty")
    entries = pair(card.account, f"stored:{purse.payer}", left_minor)
    _post(state, f"{card.account}:redeemed", "gift_redeemed", entries)
    card.payer, card.redeemed = purse.payer, True
    if card.card_id in purse.cards:
        purse.cards.remove(card.card_id)
        purse.order = [name for name in purse.order if name != card.account] or ["card"]
    if "stored" not in purse.order:
        purse.order.insert(0, "stored")
    purse.moved(state.now_s, "redeemed", left_minor)
    _changed(state, purse, card)
    state.event("gift.redeemed", None, card_id=card.card_id, payer=purse.payer)
    return Reply(payer=purse.payer, amount_minor=left_minor)


def use_gift_card(state: HubState, command: UseGiftCard) -> Reply:
    """The card pays first for one visit that stands before its gate."""
    visit = state.visit_by_token(command.token_sha256)
    if visit.stage != "issued":
        raise ConflictError(f"expected a visit before its gate, this one is {visit.stage}")
    card = _card(state, command.code_sha256)
    listed = state.wallets.purses.visit_cards.get(visit.visit_id, [])
    if card.card_id in listed:
        return Reply(visit_id=visit.visit_id, repeated=True)
    if card.payer != visit.payer:
        _free(state, card)
    if len(listed) >= CARDS_MAX:
        raise RejectedError(f"expected at most {CARDS_MAX} cards on a visit")
    state.wallets.purses.visit_cards[visit.visit_id] = [*listed, card.card_id]
    left_minor = state.wallets.ledger.spendable(card.account)
    state.event("gift.used", visit.visit_id, card_id=card.card_id)
    return Reply(visit_id=visit.visit_id, amount_minor=left_minor)


def _card(state: HubState, code_sha256: str) -> GiftCard:
    card_id = state.wallets.purses.by_code.get(code_sha256)
    if card_id is None:
        raise UnknownWalletError("expected the code of a gift card, got one that is unknown")
    return state.wallets.purses.cards[card_id]


def _free(state: HubState, card: GiftCard) -> None:
    """RejectedError if a card is somebody's, used up, blocked or expired."""
    if card.payer is not None:
        raise ConflictError("expected a card that no wallet has claimed or redeemed")
    if refusal := card.refusal(state.now_s):
        raise RejectedError(refusal)
    if state.wallets.ledger.spendable(card.account) <= 0:
        raise RejectedError("expected a card with something on it, this one is empty")


def _repeated(purse: Purse, name: str, content: str) -> bool:
    known = purse.ids.get(name)
    if known is not None and known != content:
        raise ConflictError(f"{name.split('/', 1)[1]} was used before with another amount")
    return known is not None


def _changed(state: HubState, purse: Purse, card: GiftCard) -> None:
    state.effects.purses.add(purse.payer)
    state.effects.cards.add(card.card_id)


def _post(state: HubState, tx_id: str, kind: str, entries: tuple[Entry, ...]) -> None:
    state.effects.transactions.append(
        state.wallets.ledger.write(
            tx_id=tx_id,
            at_us=us(state.now_s),
            phase="posted",
            kind=kind,
            visit_id="",
            entries=entries,
        )
    )
