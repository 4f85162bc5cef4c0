"""Banks: payers who dispute what they paid, banks that decide, refunds that fail after all; and
the staff who look after both.

What a bank does is in the gateway's books at once. The hub hears of it as in production, by the
gateway's news: they come late, in any order, many of them twice, each until the hub has answered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from hub import commands as c
from hub.service import Hub
from hub.wallet.account import Payout
from hub.wallet.fake import FakeGateway
from hub.wallet.gateway_commands import Fact
from sortie.torture.asking import Asking
from sortie.torture.hubside import AwayError, HubSide
from sortie.torture.people import Shopper

__all__ = ["AGAIN_AFTER", "BACK", "BOOKED", "OUT", "AfterDispute", "Bank", "come_again"]

EVERY_S = 2.0
LATE_S = 6.0
FEES_MINOR = (0, 15)
AGAIN_SHARE = 0.3
AGAIN_AFTER = 6
"""So many came between two visits of one payer, at least."""
REFUSED = ("declined", "expired")
OUTSIDE = ("issued", "entering", "refused", "expired")
BOOKED = "a dispute is in the books as the bank tells it"
BACK = "a refund that failed is owed again, once"
OUT = "who disputes waits until staff decide"
AfterDispute = Literal["block", "debt"]


def come_again(shoppers: Sequence[Shopper], random: Random) -> None:
    """Some of those who come later pay as somebody did who was there before."""
    for one in shoppers[AGAIN_AFTER:]:
        before = random.choice(shoppers[: one.number - AGAIN_AFTER + 1])
        if random.random() < AGAIN_SHARE and (before.payer or "").startswith("payer-"):
            one.payer = before.payer


@dataclass(slots=True)
class _Dispute:
    dispute_id: str
    hold_key: str
    taken_minor: int
    fee_minor: int
    state: str = "open"

    @property
    def visit_id(self) -> str:
        """The visit, or the wallet, whose payment it is."""
        return self.hold_key.split(":", 1)[0]


class Bank:
    """All banks. `after` is what the store does with who disputes."""

    def __init__(
        self,
        random: Random,
        gateway: FakeGateway,
        side: HubSide,
        *,
        after: AfterDispute,
        told: Callable[[str], None],
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._random = random
        self._gateway = gateway
        self._side = side
        self._after = after
        self._told = told
        self._asking = Asking(random, side, told=told)
        self._next_s = EVERY_S
        self._number = 0
        self._disputes: dict[str, _Dispute] = {}
        self._failed: list[str] = []
        self._news: list[tuple[float, c.GatewayTold]] = []

    @property
    def untold(self) -> bool:
        """Whether the hub has not heard all that banks did."""
        return bool(self._news or self._asking.waiting)

    def step(self, now_s: float, *, busy: bool) -> None:
        """Tells what is due, and does something new if it is time."""
        self._asking.step()
        for row in [row for row in self._news if row[0] <= now_s]:
            self._news.remove(row)
            self._asking.ask(f"bank_{row[1].fact}", row[1], once=True)
        if not busy or now_s < self._next_s:
            return
        self._next_s = now_s + self._random.uniform(0.5, 1.5) * EVERY_S
        work = self._random.choice(
            (self._dispute, self._dispute, self._end, self._end, self._fail, self._fail,
             self._fail, self._mend, self._mend, self._mend, self._decide)
        )  # fmt: skip
        try:
            work(now_s)
        except AwayError:
            self._told("bank_unanswered")

    # -- what banks do ----------------------------------------------------------------------

    def _dispute(self, now_s: float) -> None:
        """A payer wants a payment back, or a part of it: the bank takes it, and a fee."""
        known = {one.hold_key for one in self._disputes.values()}
        paid = [h for h in self._gateway.holds() if h.captured_minor and h.hold_key not in known]
        if not paid:
            return
        hold = self._random.choice(paid)
        whole = self._random.random() < 0.6
        wanted = hold.captured_minor if whole else self._random.randint(1, hold.captured_minor)
        fee = self._random.choice(FEES_MINOR)
        name = self._name("dp")
        taken = self._gateway.dispute(name, hold.hold_key, wanted, fee)
        one = self._disputes[name] = _Dispute(name, hold.hold_key, taken, fee)
        self._tell(now_s, self._about(one, "disputed", money=False))
        self._tell(now_s, self._about(one, "dispute_withdrawn"))

    def _end(self, now_s: float) -> None:
        """A bank decides: the money comes back, or does not."""
        still_open = [one for one in self._disputes.values() if one.state == "open"]
        if not still_open:
            return
        one = self._random.choice(still_open)
        won = self._random.random() < 0.5
        self._gateway.decide_dispute(one.dispute_id, won=won)
        one.state = "won" if won else "lost"
        end: Fact = "dispute_won" if won else "dispute_lost"
        self._tell(now_s, self._about(one, end, money=self._random.random() < 0.5))
        if won:
            self._tell(now_s, self._about(one, "dispute_reinstated"))

    def _about(self, one: _Dispute, fact: Fact, *, money: bool = True) -> c.GatewayTold:
        """News of a dispute; with money what moved in all by then."""
        moved = {
            "withdrawn_minor": one.taken_minor,
            "returned_minor": one.taken_minor if one.state == "won" else 0,
            "fee_minor": one.fee_minor,
            "fee_back_minor": 0,
        }
        return c.GatewayTold(
            fact_id=f"{one.dispute_id}:{fact}",
            fact=fact,
            visit_id=one.visit_id,
            hold_key=one.hold_key,
            amount_minor=one.taken_minor,
            dispute_id=one.dispute_id,
            **(moved if money else {}),
        )

    def _fail(self, now_s: float) -> None:
        """A refund that the gateway had paid does not reach the payer after all."""
        paid = [one for one in self._gateway.refunds() if one.key not in self._failed]
        if not paid:
            return
        one = self._random.choice(paid)
        self._gateway.fail_refund(one.key)
        self._failed.append(one.key)
        told = c.GatewayTold(
            fact_id=f"{self._name('re')}:failed",
            fact="refund_failed",
            visit_id=one.hold_key.split(":", 1)[0],
            hold_key=one.hold_key,
            amount_minor=one.amount_minor,
            refund_key=one.key,
        )
        self._tell(now_s, told)

    def _tell(self, now_s: float, news: c.GatewayTold) -> None:
        self._news.append((now_s + self._random.uniform(0.0, LATE_S), news))

    # -- what staff do ----------------------------------------------------------------------

    def _mend(self, _now_s: float) -> None:
        """Two of the staff look after a refund that waits: again, or in another way."""
        found = self._side.look(_waiting_refunds)
        if not found:
            return
        visit_id, payout = self._random.choice(found)
        for by in ("clerk-a", "clerk-b"):
            # Whether one without an answer was paid nobody knows here: it is asked about again.
            if payout.reason in REFUSED and self._random.random() < 0.5:
                how = self._random.choice(("cash", "transfer"))
                settle = c.SettleRefund(
                    visit_id=visit_id, refund_key=payout.key, settle_id=self._name("settle"),
                    how=how, by=by,
                )  # fmt: skip
                self._asking.ask("refund_settled_by_hand", settle, once=True)
            else:
                retry = c.RetryRefund(
                    visit_id=visit_id, refund_key=payout.key, retry_id=self._name("retry"), by=by
                )
                self._asking.ask("refund_retried", retry, once=True)

    def _decide(self, _now_s: float) -> None:
        """Staff let a payer in again, or keep them out."""
        known = self._side.look(lambda hub: sorted(hub.core.state.chargebacks))
        if known:
            decide = c.DecideChargeback(
                dispute_id=self._random.choice(known), let_in=self._random.random() < 0.5,
                by="clerk", reason="looked",
            )  # fmt: skip
            self._asking.ask("bank_dispute_decided", decide, once=True)

    def _name(self, what: str) -> str:
        self._number += 1
        return f"{what}-{self._number}"

    # -- at the end -------------------------------------------------------------------------

    def judge(self, export: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Findings as (invariant, sentence), when the hub has heard everything."""
        yield from ((BOOKED, finding) for finding in self._booked(export))
        yield from ((BACK, finding) for finding in self._owed_again(export))
        yield from ((OUT, finding) for finding in self._kept_out(export))

    def _booked(self, export: Mapping[str, Any]) -> Iterator[str]:
        rows = {row["dispute_id"]: row for row in export["chargebacks"]}
        for name, one in self._disputes.items():
            self.counts[BOOKED] += 1
            row = rows.get(name, {})
            has = tuple(
                row.get(part)
                for part in ("state", "withdrawn_minor", "returned_minor", "fee_minor")
            )
            back = one.taken_minor if one.state == "won" else 0
            told = (one.state, one.taken_minor, back, one.fee_minor)
            if has != told:
                yield f"dispute {name} of {one.hold_key}: the hub has {has}, the bank {told}"

    def _owed_again(self, export: Mapping[str, Any]) -> Iterator[str]:
        booked = Counter(
            row["tx_id"] for row in export["transactions"] if row["kind"] == "refund_failed"
        )
        for key in self._failed:
            self.counts[BACK] += 1
            count = booked[key.replace(":refund:", ":refund_failed:", 1)]
            if count != 1:
                yield f"refund {key} failed once and is owed again {count} times"

    def _kept_out(self, export: Mapping[str, Any]) -> Iterator[str]:
        """By the order of events alone, whatever a visit's clock says."""
        door = _Door(export, self._disputes, blocks=self._after == "block")
        for event in export["events"]:
            kind, visit_id = event["kind"], event["visit_id"]
            if kind == "entry.scanned":
                self.counts[OUT] += bool(door.out)
                door.scanned(visit_id)
            elif kind == "chargeback.decided" or kind.startswith("gateway.dispute"):
                door.moved(kind, event["data"])
        for visit in export["visits"]:
            name = door.suspects.get(visit["visit_id"])
            if name and visit["stage"] not in OUTSIDE:
                yield f"visit {visit['visit_id']} came in while {name} kept its payer out"


class _Door:
    """Who is kept out, event by event. `out` names their payers by dispute, `suspects` the dispute
    of visits that were scanned meanwhile."""

    def __init__(
        self, export: Mapping[str, Any], disputes: Mapping[str, _Dispute], *, blocks: bool
    ) -> None:
        self.out: dict[str, str] = {}
        self.suspects: dict[str, str] = {}
        self._payers = {visit["visit_id"]: visit["payer"] for visit in export["visits"]}
        self._by_hold = {one.hold_key: one for one in disputes.values()}
        self._disputes = disputes
        self._blocks = blocks
        self._final: set[str] = set()

    def scanned(self, visit_id: str) -> None:
        """Somebody is at the gate."""
        payer = self._payers[visit_id]
        self.suspects[visit_id] = next((n for n, who in self.out.items() if who == payer), "")

    def moved(self, kind: str, data: Mapping[str, Any]) -> None:
        """Staff decided, or a bank told something."""
        decided = kind == "chargeback.decided"
        one = self._disputes[data["dispute_id"]] if decided else self._by_hold[data["hold_key"]]
        if one.dispute_id in self._final and not decided:
            return
        won = kind == "gateway.dispute_won"
        if decided or won:
            # What a bank tells later of one that was won moves money, and keeps nobody out.
            self._final.add(one.dispute_id)
        if not data["let_in"] if decided else self._blocks and not won:
            self.out[one.dispute_id] = self._payers.get(one.visit_id, one.visit_id)
            return
        self.out.pop(one.dispute_id, None)
        # Who is let in again may come in on the scan of before.
        self.suspects = {who: name for who, name in self.suspects.items() if name in self.out}


def _waiting_refunds(hub: Hub) -> list[tuple[str, Payout]]:
    return [
        (account.visit_id, payout)
        for account in hub.core.state.wallets.accounts.values()
        for payout in account.payouts
        if payout.open
    ]
