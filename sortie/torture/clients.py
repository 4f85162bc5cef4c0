"""Phones and staff: they ask for what they want until they know that it was done, all of it twice.

What was asked and answered is kept here, apart from the hub, so that it can be held against it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from hub.command import Command
from hub.commands import ChangePrice, OpenVisit, RefundLine, RefundVisit, RenewCode, Restock
from hub.errors import ConflictError, RejectedError
from hub.visits.model import Visit
from sortie.torture.entries import Entries
from sortie.torture.hubside import AwayError, HubSide
from sortie.torture.people import Shopper, token_of
from sortie.torture.rooms import Rooms
from sortie.torture.shop import PRICES_MINOR, places

__all__ = ["Clients", "Prices"]

OPEN_BEFORE_S = 3.0
STAFF_EVERY_S = 4.0
REPEATED_SHARE = 0.4
Told = Callable[[str], None]


@dataclass
class Prices:
    """What each product may have cost when: from the time a change was asked for, the new price
    may hold; from the time it was confirmed, the old one may not."""

    changes: dict[str, list[tuple[float, float, int]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for place, price in zip(places(), PRICES_MINOR, strict=True):
            self.changes[place.gtin] = [(0.0, 0.0, price)]

    def asked(self, gtin: str, price_minor: int, t_s: float) -> int:
        """A change is asked for; returns its number for `confirmed`."""
        self.changes[gtin].append((t_s, float("inf"), price_minor))
        return len(self.changes[gtin]) - 1

    def confirmed(self, gtin: str, number: int, t_s: float) -> None:
        """The hub said that it is done."""
        begin_s, _, price = self.changes[gtin][number]
        self.changes[gtin][number] = (begin_s, t_s, price)

    def at(self, gtin: str, t_s: float, slack_s: float) -> set[int]:
        """Prices that a piece taken about then may have cost."""
        found: set[int] = set()
        for begin_s, sure_s, price in self.changes[gtin]:
            if begin_s > t_s + slack_s:
                break
            if sure_s <= t_s - slack_s:
                found.clear()
            found.add(price)
        return found


@dataclass
class _Refund:
    refund_id: str
    visit_id: str
    lines: tuple[RefundLine, ...]
    done: bool = False


class Clients:
    """All of them. `refused(command)` sees to it that a refusal changes nothing."""

    def __init__(
        self,
        random: Random,
        shoppers: list[Shopper],
        side: HubSide,
        *,
        since_s: float,
        refused: Callable[[Command, type[RejectedError]], None],
        told: Told,
    ) -> None:
        self.prices = Prices()
        self.refunded: Counter[str] = Counter()
        self.visits: dict[str, Shopper] = {}
        self.restocked: Counter[str] = Counter()
        self._random = random
        self._shoppers = shoppers
        self._side = side
        self._refused = refused
        self._told = told
        self._next = 0
        self._staff_s = STAFF_EVERY_S
        self._refunds: list[_Refund] = []
        self._waiting: list[Shopper] = []
        self.rooms = Rooms(
            random, side, self.visits, shoppers, since_s=since_s, refused=refused, told=told
        )
        self._entries = Entries(random, side, self.visits, told=told)

    def step(self, now_s: float, *, busy: bool) -> None:
        """Phones first, then staff; those whom nobody answered ask again."""
        while (
            self._next < len(self._shoppers)
            and self._shoppers[self._next].path[0][0] - OPEN_BEFORE_S <= now_s
        ):
            self._waiting.append(self._shoppers[self._next])
            self._next += 1
        for one in list(self._waiting):
            if one.way == "code":
                self._phone(one, now_s)
            elif self._entries.done(one, now_s, self._shoppers):
                self._waiting.remove(one)
        if busy and now_s >= self._staff_s:
            self._staff_s = now_s + self._random.uniform(0.5, 1.5) * STAFF_EVERY_S
            self._staff(now_s)
        self.rooms.step(now_s, busy=busy)
        for refund in self._refunds:
            if not refund.done:
                self._pay_back(refund)

    # -- phones -----------------------------------------------------------------------------

    def _phone(self, one: Shopper, now_s: float) -> None:
        """Opens the visit before the gate; without one nobody goes in."""
        if now_s >= one.scan_s - 0.5:
            self._waiting.remove(one)
            one.turned_away = True
            self._told("turned_away")
            return
        token = token_of(one)
        code = f"code-{one.number}-first"
        wallet = None
        if one.payer is None and self.rooms.wallets and one.number % 2:
            wallet = self.rooms.wallets[one.number % len(self.rooms.wallets)]
        opening = OpenVisit(token_sha256=token, code=code, payer=one.payer, wallet_sha256=wallet)
        try:
            reply = self._side.command(opening)
            visit_id = str(reply.visit_id)
        except AwayError:
            return
        except ConflictError:
            # The answer to an earlier try was lost: the phone finds its visit by its token.
            try:
                visit_id = self._side.look(lambda hub: hub.core.state.by_token[token])
            except AwayError:
                return
        if self._random.random() < REPEATED_SHARE:
            self._told("open_twice")
            self._refused(opening, ConflictError)
        if self._random.random() < REPEATED_SHARE / 2:
            renewed = f"code-{one.number}-second"
            try:
                self._side.command(RenewCode(token_sha256=token, code=renewed))
                self._told("code_renewed")
                code = renewed
            except AwayError:
                # Either code may be the good one: the phone shows what the hub says later.
                self._told("renewal_unanswered")
                one.turned_away = True
            except ConflictError:
                code = renewed
        self._waiting.remove(one)
        one.code, one.visit_id = code, visit_id
        self.visits[visit_id] = one
        self.rooms.opened(token)

    # -- staff ------------------------------------------------------------------------------

    def _staff(self, now_s: float) -> None:
        work = self._random.choice(
            (self._change_price, self._restock, self._refund, self._refund, self._nonsense)
        )
        try:
            work(now_s)
        except AwayError:
            self._told("staff_unanswered")

    def _change_price(self, now_s: float) -> None:
        gtin = self._random.choice(places()).gtin
        price = self._random.randint(1, 900)
        number = self.prices.asked(gtin, price, now_s)
        self._side.command(ChangePrice(gtin=gtin, price_minor=price))
        self.prices.confirmed(gtin, number, now_s)
        self._told("price_changed")

    def _restock(self, _now_s: float) -> None:
        place = self._random.choice(places())
        quantity = self._random.choice((-3, 5, 10))
        try:
            self._side.command(Restock(slot_id=place.slot_id, gtin=place.gtin, quantity=quantity))
        except RejectedError:
            self._told("restock_refused")
            return
        self._told("restocked")

    def _refund(self, _now_s: float) -> None:
        """Some pieces of a receipt go back; one in three is asked for while another is paid."""
        final = self._side.look(
            lambda hub: [
                v for v in hub.core.state.visits.values() if v.stage == "final" and v.lines
            ]
        )
        if not final:
            return
        visit = self._random.choice(final)
        line = self._random.choice(visit.lines)
        left = line.quantity - visit.refunded.get(line.line, 0)
        if left <= 0:
            self._too_much(visit, line.line)
            return
        refund = _Refund(
            f"refund-{len(self._refunds)}",
            visit.visit_id,
            (RefundLine(line=line.line, quantity=self._random.randint(1, left)),),
        )
        self._refunds.append(refund)
        self._pay_back(refund)
        if self._random.random() < REPEATED_SHARE:
            self._told("refund_raced")
            rival = _Refund(f"{refund.refund_id}-rival", visit.visit_id, refund.lines)
            self._refunds.append(rival)
            self._pay_back(rival)

    def _pay_back(self, refund: _Refund) -> None:
        command = RefundVisit(
            refund_id=refund.refund_id, visit_id=refund.visit_id, lines=refund.lines, reason="test"
        )
        try:
            reply = self._side.command(command)
        except AwayError:
            return
        except RejectedError:
            # More than is left, or another one is on its way: this one will never be.
            refund.done = True
            self._told("refund_refused")
            return
        refund.done = True
        self._told("refund_repeated" if reply.repeated else "refunded")
        if self._random.random() < REPEATED_SHARE:
            try:
                again = self._side.command(command)
            except AwayError:
                return
            if not again.repeated or again.amount_minor:
                raise AssertionError(f"refund {refund.refund_id} was made twice")
            self._told("refund_twice")
            other = tuple(
                RefundLine(line=line.line, quantity=line.quantity + 1) for line in refund.lines
            )
            self._refused(command.model_copy(update={"lines": other}), ConflictError)

    def _too_much(self, visit: Visit, line: int) -> None:
        self._told("refund_above_receipt")
        self._refused(
            RefundVisit(
                refund_id=f"greedy-{self._random.random()}",
                visit_id=visit.visit_id,
                lines=(RefundLine(line=line, quantity=1),),
            ),
            RejectedError,
        )

    def _nonsense(self, _now_s: float) -> None:
        place = places()[0]
        self._told("nonsense")
        self._refused(
            self._random.choice(
                (
                    ChangePrice(gtin="4006381333931", price_minor=1),
                    Restock(slot_id="nowhere", gtin=place.gtin, quantity=1),
                    Restock(slot_id=place.slot_id, gtin=place.gtin, quantity=-10_000),
                    RenewCode(token_sha256="0" * 64, code="code-of-nobody"),
                    RefundVisit(
                        refund_id="nobody",
                        visit_id="v-none",
                        lines=(RefundLine(line=1, quantity=1),),
                    ),
                )
            ),
            RejectedError,
        )
