"""What was told: revisions of decisions, and the carts that follow from the certain ones."""

from __future__ import annotations

from collections.abc import Container, Sequence

from hub.attribution.decisions import (
    Verdict,
    cart_chances,
    clear_count,
    demote,
    share_out,
    verdicts_of,
)
from hub.attribution.joint import Group
from hub.attribution.lives import Live, is_visit
from hub.attribution.model import Alternative, Decision
from hub.attribution.settings import AttributionSettings
from hub.attribution.stock import Layout, Ledger

__all__ = ["Teller"]


class Teller:
    """Tells what changed, and keeps carts that never fall below zero.

    `doubts_nobody`, `doubts_returns`: see hub.attribution.model.Attributor.
    """

    def __init__(self, layout: Layout, settings: AttributionSettings) -> None:
        self._layout = layout
        self._settings = settings
        self._told: dict[str, list[Decision]] = {}
        self._carts: dict[tuple[str, str], int] = {}
        self._judged: dict[tuple[tuple[str, int], ...], list[list[Verdict]]] = {}
        self.doubts_nobody = False
        self.doubts_returns = False

    def tell(
        self,
        lives: Sequence[Live],
        groups: Sequence[Group],
        ledger: Ledger,
        gone: Container[str],
    ) -> list[Decision]:
        """The decisions on live reaches that are new or differ from what was told."""
        judged = {}
        verdicts: dict[str, list[Verdict]] = {}
        for group in groups:
            key = group.key
            known = self._judged.get(key)
            if known is None:
                known = [
                    verdicts_of(
                        group, index, self._layout, self._settings, gone,
                        doubts_nobody=self.doubts_nobody, doubts_returns=self.doubts_returns,
                    )
                    for index in range(len(group.lives))
                ]  # fmt: skip
                known = share_out(group, known, self._layout, self._settings, gone)
            judged[key] = known
            for live, lines in zip(group.lives, known, strict=True):
                verdicts[live.reach_id] = list(lines)
        self._judged = judged
        self._check_carts(verdicts, lives, groups, ledger)
        news: list[Decision] = []
        for live in lives:
            news.extend(self._news(live.reach_id, verdicts[live.reach_id], gone))
        return news

    def charged(self, reach_id: str) -> tuple[tuple[str, str, int], ...]:
        """What the last told decisions on a reach put into carts: visit, article, pieces."""
        found = []
        for decision in self._told.get(reach_id, ()):
            key = _charged(decision)
            if key is not None:
                found.append((*key, decision.best.quantity))
        return tuple(sorted(found))

    def settled(self, reach_id: str) -> list[Decision]:
        """No revision of this reach will follow but `late` ones; its part of the cart stays.
        Returns what was told last."""
        return self._told.pop(reach_id, [])

    def late(self, decisions: Sequence[Decision], gone: Container[str]) -> None:
        """Settled reaches that were nobody's are a visit's after all."""
        for decision in decisions:
            self._move_cart(decision, 1, gone)

    def forget(self, visit_id: str) -> None:
        """The visit is over; it has no cart any more."""
        for key in [key for key in self._carts if key[0] == visit_id]:
            del self._carts[key]
        self._judged.clear()

    def cart(self, visit_id: str) -> dict[str, int]:
        """GTIN to quantity, sorted by GTIN."""
        found = [
            (gtin, count)
            for (visit, gtin), count in self._carts.items()
            if visit == visit_id and count > 0
        ]
        return dict(sorted(found))

    @property
    def size(self) -> int:
        """Reaches whose decisions are remembered."""
        return len(self._told)

    # ------------------------------------------------------------ carts

    def _check_carts(
        self,
        verdicts: dict[str, list[Verdict]],
        lives: Sequence[Live],
        groups: Sequence[Group],
        ledger: Ledger,
    ) -> None:
        """Takes back certainty where a cart would be short, or a put-back may have emptied it."""
        lines: dict[tuple[str, str], list[tuple[str, int]]] = {}
        for live in lives:
            for number, verdict in enumerate(verdicts[live.reach_id]):
                best = verdict.best
                if verdict.certain and best.visit_id is not None and best.gtin is not None:
                    key = (best.visit_id, best.gtin)
                    lines.setdefault(key, []).append((live.reach_id, number))
        doubtful = {(owner, gtin) for live in lives for owner, gtin in live.puts if is_visit(owner)}
        live_charge = self._live_charge()
        for key, where in sorted(lines.items()):
            settled = self._carts.get(key, 0) - live_charge.get(key, 0)
            if key in doubtful:
                chances = cart_chances(groups, *key, ledger.balance(*key))
                limit = clear_count(chances, self._settings.beliefs.certain_p)
                _bound_picks(verdicts, where, settled, limit)
            _bound_put_backs(verdicts, where, settled)

    def _live_charge(self) -> dict[tuple[str, str], int]:
        """What told decisions that may still be revised put into carts."""
        charge: dict[tuple[str, str], int] = {}
        for decisions in self._told.values():
            for decision in decisions:
                key = _charged(decision)
                if key is not None:
                    charge[key] = charge.get(key, 0) + decision.best.quantity
        return charge

    def _move_cart(self, decision: Decision, sign: int, gone: Container[str]) -> None:
        key = _charged(decision)
        if key is None or key[0] in gone:
            return
        count = self._carts.get(key, 0) + sign * decision.best.quantity
        if count != 0:
            self._carts[key] = count
        else:
            self._carts.pop(key, None)

    # ------------------------------------------------------------ revisions

    def _news(self, reach_id: str, verdicts: list[Verdict], gone: Container[str]) -> list[Decision]:
        """The decisions on a reach that differ from what was told."""
        known = self._told.setdefault(reach_id, [])
        nothing = Alternative(None, None, 0, None, 1.0)
        lines = list(verdicts)
        for old in known[len(verdicts) :]:
            lines.append(
                Verdict(reach_id, old.line, old.t_s, nothing, True, (), "seen as fewer articles")
            )
        news = []
        for number, verdict in enumerate(lines):
            if number >= len(known):
                decision = verdict.revised(0)
                known.append(decision)
            elif self._differs(known[number], verdict):
                decision = verdict.revised(known[number].revision + 1)
                self._move_cart(known[number], -1, gone)
                known[number] = decision
            else:
                continue
            self._move_cart(decision, 1, gone)
            news.append(decision)
        return news

    def _differs(self, told: Decision, verdict: Verdict) -> bool:
        if told.certain != verdict.certain or _core(told.best) != _core(verdict.best):
            return True
        if verdict.certain:
            return False
        before = {_core(a): a.probability for a in told.alternatives}
        moved = max(
            (abs(before.get(_core(a), 0.0) - a.probability) for a in verdict.alternatives),
            default=0.0,
        )
        return moved >= self._settings.beliefs.news_p


def _bound_picks(
    verdicts: dict[str, list[Verdict]],
    where: list[tuple[str, int]],
    settled: int,
    limit: int,
) -> None:
    """Not more in the cart than is clear; the latest picks go first."""
    count = settled + sum(verdicts[reach_id][n].best.quantity for reach_id, n in where)
    for reach_id, number in reversed(where):
        verdict = verdicts[reach_id][number]
        if count <= limit:
            return
        if verdict.best.quantity > 0:
            count -= verdict.best.quantity
            verdicts[reach_id][number] = demote(verdict, "it may have been put back")


def _bound_put_backs(
    verdicts: dict[str, list[Verdict]], where: list[tuple[str, int]], settled: int
) -> None:
    """A cart is never short: a put-back of what was never charged moves nothing."""
    count = settled
    for reach_id, number in where:
        verdict = verdicts[reach_id][number]
        if not verdict.certain:
            continue
        count += verdict.best.quantity
        if count < 0:
            count -= verdict.best.quantity
            verdicts[reach_id][number] = demote(verdict, "its taking was not charged")


def _charged(decision: Decision) -> tuple[str, str] | None:
    """The cart line a decision moves, None if it moves none."""
    best = decision.best
    if not decision.certain or best.visit_id is None or best.gtin is None or best.quantity == 0:
        return None
    return (best.visit_id, best.gtin)


def _core(alternative: Alternative) -> tuple[str | None, str | None, int, str | None]:
    return (alternative.visit_id, alternative.gtin, alternative.quantity, alternative.slot_id)
