"""Wallets, goods, disputes, reviews, restocking: what else people ask of the hub, each until it is
answered, many of it twice, some of it by two at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from random import Random

from hub import commands as c
from hub.command import Command
from hub.errors import ConflictError, RejectedError
from hub.review.commands import Choice
from hub.service import Hub
from hub.visits.model import Visit
from sortie.torture.asking import Asking
from sortie.torture.floorstaff import FloorStaff
from sortie.torture.hubside import AwayError, HubSide
from sortie.torture.people import Shopper, sha256
from sortie.torture.shop import layout, places

__all__ = ["Rooms"]

EVERY_S = 1.5
GIFT_SHARE = 0.35
WALLETS = 5
REVIEW_WAITS_S = (0.0, 0.0, 4.0, 20.0)
NODE_BACK_S = 4.0


class Rooms:
    """Asks of its own accord, a few things at a time. `wallets` were confirmed by the hub."""

    def __init__(
        self,
        random: Random,
        side: HubSide,
        visits: dict[str, Shopper],
        shoppers: Sequence[Shopper],
        *,
        since_s: float,
        refused: Callable[[Command, type[RejectedError]], None],
        told: Callable[[str], None],
    ) -> None:
        self.wallets: list[str] = []
        self._random = random
        self._side = side
        self._asking = Asking(random, side, told=told)
        self._ask = self._asking.ask
        self._shoppers = shoppers
        self._floor = FloorStaff(random, side, visits, shoppers, ask=self._ask, since_s=since_s)
        self._refused = refused
        self._told = told
        self._next_s = 1.0
        self._number = 0
        self._cards: list[str] = []
        self._presents: list[str] = []
        self._promotions: list[str] = []
        self._recalls: list[str] = []
        self._sessions: list[str] = []
        self._finds: list[str] = []
        self._disputes: list[tuple[str, str]] = []
        self._untrusted: dict[str, float] = {}
        review_s = random.choice(REVIEW_WAITS_S)
        small = random.choice((0, 0, 300))
        self._ask(
            "aftercare_set",
            c.SetAftercare(
                review_wait_s=review_s,
                refund_line_minor=small,
                refund_payer_day_minor=2 * small,
                refund_payer_day_count=3 if small else 0,
                refund_store_day_minor=5 * small,
            ),
        )

    def step(self, now_s: float, *, busy: bool) -> None:
        """Asks again what nobody answered, and something new if it is time."""
        self._asking.step()
        for node_id, back_s in list(self._untrusted.items()):
            if now_s >= back_s or not busy:
                del self._untrusted[node_id]
                self._ask("node_trusted", c.TrustDevice(device_id=node_id, trusted=True))
        if not busy or now_s < self._next_s:
            return
        self._next_s = now_s + self._random.uniform(0.5, 1.5) * EVERY_S
        work = self._random.choice(
            (
                self._wallet, self._wallet, self._gift, self._gift, self._after, self._after,
                self._debt, self._debt, self._offer, self._goods, self._stock, self._session,
                self._dispute, self._dispute, self._review, self._review, self._node,
                self._floor.move_facing, self._floor.own_up, self._floor.back_door,
            )
        )  # fmt: skip
        try:
            work(now_s)
        except AwayError:
            self._told("rooms_unanswered")

    def opened(self, token_sha256: str) -> None:
        """A phone has a visit: now and then a gift card is to pay for it, and others want the
        same card at the same moment."""
        if self._random.random() >= GIFT_SHARE:
            return
        card = self._name("present")
        code, amount = sha256(card), self._random.choice((60, 150, 400))
        issue = c.IssueGiftCard(card_id=card, code_sha256=code, amount_minor=amount)
        self._ask("gift_issued", issue, once=True)
        use = c.UseGiftCard(token_sha256=token_sha256, code_sha256=code)
        self._ask("gift_used", use, once=True)
        self._presents.append(code)

    def forget(self) -> bool:
        """Closed visits lose what is personal; False if nobody answers."""
        try:
            final = [v.visit_id for v in self._side.look(_final)]
            self._side.command(c.Forget(visit_ids=tuple(final[: len(final) // 2 + 1]), counts={}))
        except AwayError:
            return False
        self._told("visits_forgotten")
        return True

    def _name(self, what: str) -> str:
        self._number += 1
        return f"{what}-{self._number}"

    def _look(self, work: Callable[[Hub], Iterable[Visit]]) -> Visit | None:
        found = list(self._side.look(work))
        return self._random.choice(found) if found else None

    # -- wallets ----------------------------------------------------------------------------

    def _wallet(self, _now_s: float) -> None:
        if len(self.wallets) < WALLETS and self._random.random() < 0.6:
            wallet = sha256(f"wallet {self._number}")
            self._number += 1
            opening = c.OpenWallet(wallet_sha256=wallet)
            self._ask(
                "wallet_opened", opening, once=True, then=lambda done: self._has(wallet, done)
            )
            return
        if not self.wallets:
            return
        wallet = self._random.choice(self.wallets)
        if self._random.random() < 0.3:
            order = self._random.choice((("stored", "card"), ("card", "stored"), ("card",)))
            self._ask("wallet_ordered", c.SetOrder(wallet_sha256=wallet, order=order))
            return
        amount = self._random.choice((300, 1_000, 5_000))
        command = c.TopUp(wallet_sha256=wallet, topup_id=self._name("top"), amount_minor=amount)
        self._ask_and_other("topped_up", command, amount_minor=amount + 1)

    def _has(self, wallet: str, done: bool) -> None:
        if done:
            self.wallets.append(wallet)

    def _ask_and_other(self, wish: str, command: Command, **other: object) -> None:
        """Asks, and when it is done for something else under the same id: that is a conflict."""
        if self._ask(wish, command, once=True):
            self._refused(command.model_copy(update=dict(other)), ConflictError)

    def _gift(self, _now_s: float) -> None:
        if not self._cards or self._random.random() < 0.4:
            card = self._name("card")
            self._cards.append(card)
            amount = self._random.choice((150, 800, 3_000))
            command = c.IssueGiftCard(
                card_id=card, code_sha256=sha256(card), amount_minor=amount,
                how=self._random.choice(("sold", "given")),
            )  # fmt: skip
            self._ask_and_other("gift_issued", command, amount_minor=amount + 1)
            return
        if self._presents and self.wallets and self._random.random() < 0.5:
            code = self._random.choice(self._presents[-3:])
            wallet = self._random.choice(self.wallets)
            redeem = c.RedeemGiftCard(wallet_sha256=wallet, code_sha256=code)
            self._ask("gift_redeemed", redeem, once=True)
            return
        card = self._random.choice(self._cards)
        roll = self._random.random()
        waiting = self._look(lambda hub: [v for v in hub.core.state.visits.values()
                                          if v.stage == "issued"])  # fmt: skip
        if roll < 0.35 and waiting is not None:
            self._ask("gift_used", c.UseGiftCard(
                token_sha256=waiting.token_sha256, code_sha256=sha256(card)))  # fmt: skip
        elif roll < 0.9 and self.wallets:
            spend = self._random.choice((c.ClaimGiftCard, c.RedeemGiftCard, c.RedeemGiftCard))
            for wallet in self._random.sample(self.wallets, min(2, len(self.wallets))):
                # Two who know the code want it at the same moment.
                name = "gift_claimed" if spend is c.ClaimGiftCard else "gift_redeemed"
                wish = spend(wallet_sha256=wallet, code_sha256=sha256(card))
                self._ask(name, wish, once=True)
        else:
            blocked = self._random.random() < 0.5
            self._ask("gift_blocked", c.BlockGiftCard(card_id=card, blocked=blocked))

    def _after(self, _now_s: float) -> None:
        """A tip."""
        visit = self._look(_final)
        if visit is None:
            return
        amount = self._random.choice((50, 200, 10_000))
        tip = c.AddTip(
            token_sha256=visit.token_sha256, tip_id=self._name("tip"), amount_minor=amount
        )
        self._ask("tipped", tip, once=True)
        self._ask("tipped", tip.model_copy(update={"tip_id": self._name("tip")}))

    def _debt(self, _now_s: float) -> None:
        visit = self._look(_owing)
        if visit is None:
            return
        roll = self._random.random()
        if visit.channel == "desk" or roll < 0.3:
            owed = self._side.look(lambda hub: hub.core.state.wallets.accounts[visit.visit_id])
            amount = self._random.choice((owed.debt_minor, max(1, owed.debt_minor // 2)))
            for name in (self._name("desk"), self._name("desk-rival")):
                command = c.SettleAtDesk(
                    payment_id=name, visit_id=visit.visit_id, amount_minor=amount, by="staff",
                    method=self._random.choice(("cash", "card")),
                )  # fmt: skip
                self._ask("paid_at_desk", command, once=True)
        elif roll < 0.45:
            waive = c.WaiveDebt(visit_id=visit.visit_id, waive_id=self._name("waive"))
            self._ask("debt_waived", waive, once=True)
        else:
            for name in (self._name("pay"), self._name("pay-rival")):
                pay = c.PayDebt(
                    visit_id=visit.visit_id, pay_id=name, token_sha256=visit.token_sha256
                )
                self._ask("debt_paid", pay, once=True)

    # -- goods ------------------------------------------------------------------------------

    def _offer(self, _now_s: float) -> None:
        if self._promotions and self._random.random() < 0.4:
            name = self._promotions.pop()
            self._ask("promotion_ended", c.EndPromotion(promotion_id=name))
            return
        name = self._name("offer")
        self._promotions.append(name)
        gtins = tuple({place.gtin: None for place in self._random.sample(places(), 3)})
        several = self._random.random() < 0.5
        kind = {"take": 2, "pay": 1} if several else {"percent_bp": 2_500}
        command = c.AddPromotion.model_validate(
            {"promotion_id": name, "offer": "n_for_m" if several else "percent", "name": "Offer",
             "gtins": gtins, "combinable": self._random.random() < 0.5, **kind}
        )  # fmt: skip
        self._ask_and_other("promotion_added", command, name="Another offer")

    def _goods(self, _now_s: float) -> None:
        gtin = self._random.choice(places()).gtin
        roll = self._random.random()
        if roll < 0.25:
            self._ask("product_closed", c.CloseProduct(gtin=gtin, reason="test"))
        elif roll < 0.5:
            self._ask("product_reopened", c.ReopenProduct(gtin=gtin))
        elif roll < 0.65:
            age = self._random.choice((None, 16, 18))
            self._ask("age_limit_set", c.SetAgeLimit(gtin=gtin, age_min=age))
        elif roll < 0.8:
            visit = self._look(_shopping)
            if visit is not None:
                approve = self._random.random() < 0.7
                self._ask("age_confirmed", c.ConfirmAge(visit_id=visit.visit_id, approve=approve))
        elif self._recalls and roll < 0.9:
            self._ask("recall_lifted", c.LiftRecall(recall_id=self._recalls.pop()))
        else:
            self._recalls.append(self._name("recall"))
            command = c.RecallProduct(recall_id=self._recalls[-1], gtin=gtin, reason="glass in it")
            self._ask("product_recalled", command, once=True)

    def _stock(self, _now_s: float) -> None:
        place = self._random.choice(places())
        roll = self._random.random()
        if roll < 0.5:
            shelf = self._side.look(lambda hub: dict(hub.core.state.stock.shelf))
            counted = max(10, shelf[place.slot_id, place.gtin] + self._random.randint(-2, 4))
            command = c.CountSlot(
                count_id=self._name("count"), slot_id=place.slot_id, gtin=place.gtin,
                counted=counted, confirmed=True,
            )  # fmt: skip
            self._ask_and_other("slot_counted", command, counted=counted + 1)
        elif self._finds and roll < 0.75:
            found = self._finds.pop()
            slot = self._random.choice((None, place.slot_id))
            self._ask("find_resolved", c.ResolveFind(find_id=found, slot_id=slot))
        else:
            self._finds.append(self._name("find"))
            find = c.FindPieces(find_id=self._finds[-1], gtin=place.gtin, quantity=1)
            self._ask("pieces_found", find, once=True)

    def _session(self, _now_s: float) -> None:
        if not self._sessions:
            self._sessions.append(self._name("session"))
            start = c.StartRestocking(session_id=self._sessions[-1])
            self._ask("restocking_began", start, once=True)
            return
        session = self._sessions[-1]
        if self._random.random() < 0.3:
            self._sessions.pop()
            self._ask("restocking_ended", c.FinishRestocking(session_id=session), once=True)
            return
        place = self._random.choice(places())
        quantity = self._random.choice((-2, 3, 6, 90))
        move = c.MoveStock(
            session_id=session, move_id=self._name("move"), slot_id=place.slot_id,
            gtin=place.gtin, quantity=quantity,
        )  # fmt: skip
        self._ask("stock_moved", move, once=True)
        approve = self._random.random() < 0.5
        confirm = c.ConfirmMove(session_id=session, move_id=move.move_id, approve=approve)
        self._ask("move_confirmed", confirm)

    # -- after the exit ---------------------------------------------------------------------

    def _dispute(self, _now_s: float) -> None:
        if self._disputes and self._random.random() < 0.5:
            dispute_id, visit_id = self._disputes.pop()
            for uphold in self._random.sample((True, False), 2):
                # Two of the staff decide, each otherwise.
                decide = c.DecideDispute(
                    dispute_id=dispute_id, visit_id=visit_id, uphold=uphold, reason="looked",
                    by="clerk-a" if uphold else "clerk-b",
                )  # fmt: skip
                self._ask("dispute_decided", decide, once=True)
            return
        visit = self._look(lambda hub: [v for v in _final(hub) if v.lines])
        if visit is None:
            return
        line = self._random.choice(visit.lines)
        name = self._name("dispute")
        self._disputes.append((name, visit.visit_id))
        command = c.OpenDispute(
            dispute_id=name, visit_id=visit.visit_id, line=line.line, quantity=1
        )
        self._ask_and_other("dispute_opened", command, quantity=2)

    def _review(self, _now_s: float) -> None:
        """Staff look at an unclear line, and see what is true."""
        found = self._side.look(
            lambda hub: [
                (v.visit_id, d.reach_id, d.line)
                for v in hub.core.state.open_visits()
                if v.stage in ("shopping", "left")
                for d in hub.core.state.carts.unclear(v.visit_id, 0.1)
            ]
        )
        if not found:
            return
        visit_id, reach_id, line = self._random.choice(found)
        choice = self._truth(reach_id) if line == 0 else None
        command = c.DecideReview(
            review_id=self._name("review"), visit_id=visit_id, reach_id=reach_id, line=line,
            choice=choice,
        )  # fmt: skip
        self._ask("review_decided", command, once=True)
        other = command.model_copy(update={"review_id": self._name("review")})
        self._ask("review_decided", other)

    def _truth(self, reach_id: str) -> Choice | None:
        """Whose a hand was: also somebody's on another visit, or of whom no visit is known."""
        visits = self._side.look(lambda hub: set(hub.core.state.visits))
        for one in self._shoppers:
            for act in one.acts:
                if act.told == reach_id:
                    owner = one.visit_id if one.visit_id in visits else None
                    return Choice(visit_id=owner, gtin=act.place.gtin, quantity=act.quantity)
        return None

    def _node(self, now_s: float) -> None:
        """A node is not believed for a while."""
        if self._untrusted or self._random.random() < 0.7:
            return
        node_id = self._random.choice(layout().nodes).node_id
        self._untrusted[node_id] = now_s + NODE_BACK_S
        self._ask("node_revoked", c.TrustDevice(device_id=node_id, trusted=False))


def _final(hub: Hub) -> list[Visit]:
    return [v for v in hub.core.state.visits.values() if v.stage == "final" and v.kind != "staff"]


def _shopping(hub: Hub) -> list[Visit]:
    return [v for v in hub.core.state.open_visits() if v.stage == "shopping"]


def _owing(hub: Hub) -> list[Visit]:
    accounts = hub.core.state.wallets.accounts
    return [v for v in _final(hub) if v.visit_id in accounts and accounts[v.visit_id].debt_minor]
