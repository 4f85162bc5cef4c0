"""The joint attribution engine: an `Attributor`. Pure, deterministic, bounded.

    engine = Engine(ground, AttributionSettings())
    engine.bind(visit_id="v1", track_id="t7", t_s=3.0)
    engine.track(segment)
    engine.closed(reach, t_sd_s=0.01)
    for decision in engine.decide(now_s=12.0): ...

A closed reach waits until the floor is known past it (or `track_wait_s`), then joins the live
reaches: those that later news may still change. `decide` brings them up to date, solves the
groups that changed, tells what differs from what was told, and settles what is old and clear.
The order in which news arrives does not matter as long as nothing it concerns has been settled.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.messages import ReachClosed, ReachOpened
from hub.attribution.choices import explain
from hub.attribution.evidence import UNSEEN_HAND, Evidence
from hub.attribution.joint import Group, begun, key_of, partition, solve, without
from hub.attribution.lives import Live, is_visit
from hub.attribution.looks import Sighting, sighting_of_hand
from hub.attribution.model import Alternative, Decision, FloorNews, Ground
from hub.attribution.nameless import Nameless
from hub.attribution.people import ANONYMOUS, Floor
from hub.attribution.settings import AttributionSettings
from hub.attribution.stock import Layout, Ledger, Move
from hub.attribution.telling import Teller

__all__ = ["Engine"]

TIDY_EVERY_S = 20.0
"""How often old points and settled stock are folded."""
SETTLE_EVERY_S = 1.0
"""How often reaches are looked over for being old and clear."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    reach: ReachClosed
    t_sd_s: float


class Engine:
    """Who took what, jointly. See hub.attribution.model.Attributor for the calls."""

    def __init__(self, ground: Ground, settings: AttributionSettings | None = None) -> None:
        self._settings = settings if settings is not None else AttributionSettings()
        self._limits = self._settings.limits
        self._lead_s = self._limits.track_lead_s
        self._layout = Layout(ground)
        self._ledger = Ledger(self._layout)
        self._floor = Floor(self._settings.people, self._limits)
        self._open: OrderedDict[str, float] = OrderedDict()
        self._known: OrderedDict[str, None] = OrderedDict()
        self._waiting: dict[str, _Waiting] = {}
        self._lives: list[Live] = []
        self._groups: list[Group] = []
        self._stale: set[str] = set()
        self._gone: OrderedDict[str, None] = OrderedDict()
        self._teller = Teller(self._layout, self._settings)
        self.names_late = False
        self.binds_narrowly = False
        self.doubts_nobody = False
        self.doubts_returns = False
        self._nameless = Nameless(self._limits.told_max)
        self._named: list[Decision] = []
        self._changed = False
        self._versions = 0
        self._tidied_s = float("-inf")
        self._settled_s = float("-inf")

    # ------------------------------------------------------------ news

    def bind(self, *, visit_id: str, track_id: str, t_s: float) -> None:
        """The body on this floor track is this visit from `t_s` on (also after a re-link)."""
        if not self._floor.bind(visit_id, track_id, t_s):
            return
        edge_s = self._settings.people.edge_s
        anonymous = ANONYMOUS + track_id
        names = self._floor.names_of(track_id)
        for live in self._lives:
            if live.t_s < t_s - edge_s and anonymous not in live.owners:
                continue
            if not (self.binds_narrowly and names.isdisjoint(live.named)):
                self._stale.add(live.reach_id)
        if self.names_late and visit_id not in self._gone:
            self._ledger.rename(anonymous, visit_id, t_s - edge_s)
            self._named += self._nameless.named(anonymous, visit_id, t_s - edge_s)

    def end(self, *, visit_id: str, t_s: float) -> None:
        """The visit left the store; it can take nothing after `t_s`."""
        self._floor.end(visit_id, t_s)
        for live in self._lives:
            if live.t_s >= t_s and visit_id in live.owners:
                self._stale.add(live.reach_id)

    def forget(self, *, visit_id: str) -> None:
        """The visit is settled: its decisions are final and evidence may be dropped."""
        self._settle_visit(visit_id)
        self._gone[visit_id] = None
        while len(self._gone) > self._limits.told_max:
            self._gone.popitem(last=False)
        self._ledger.forget(visit_id)
        self._floor.forget(visit_id)
        self._teller.forget(visit_id)
        self._changed = True

    def track(self, segment: FloorNews) -> None:
        """News of a floor track, its times in hub seconds."""
        span = self._floor.add(segment)
        if span is None:
            return
        first_s, last_s = span
        for live in reversed(self._lives):
            if live.t_s + self._lead_s < first_s:
                # They stand in the order of their ends: none before it concerns news so late.
                break
            if live.t0_s - 1.0 <= last_s:
                self._stale.add(live.reach_id)

    def opened(self, reach: ReachOpened) -> None:
        """A reach began (hub time): somebody may be taking something."""
        if reach.reach_id in self._known:
            return
        self._open[reach.reach_id] = reach.t_s
        while len(self._open) > self._limits.opened_max:
            self._open.popitem(last=False)

    def closed(self, reach: ReachClosed, *, t_sd_s: float) -> None:
        """A reach ended (hub time); `t_sd_s` is the clock's uncertainty. A second one is ignored.

        A reach of a bay the store does not have, or of which nobody knows when it was, is told as
        uncertain and moves nothing.
        """
        self._open.pop(reach.reach_id, None)
        if reach.reach_id in self._known:
            return
        self._known[reach.reach_id] = None
        while len(self._known) > self._limits.told_max:
            self._known.popitem(last=False)
        self._waiting[reach.reach_id] = _Waiting(reach, t_sd_s)

    # ------------------------------------------------------------ decisions

    def decide(self, *, now_s: float) -> tuple[Decision, ...]:
        """Decisions that are new or differ from what was last returned for their line."""
        told = self._admit(now_s)
        if self._named:
            self._teller.late(self._named, self._gone)
            told.extend(self._named)
            self._named = []
        if self._changed or self._stale:
            self._refresh()
            self._solve()
            self._teller.doubts_nobody = self.doubts_nobody
            self._teller.doubts_returns = self.doubts_returns
            told.extend(self._teller.tell(self._lives, self._groups, self._ledger, self._gone))
            self._changed = False
        if now_s - self._settled_s >= SETTLE_EVERY_S:
            self._settled_s = now_s
            self._settle_old(now_s)
        if now_s - self._tidied_s >= TIDY_EVERY_S:
            self._tidied_s = now_s
            oldest_open_s = min(self._open.values(), default=now_s)
            self._floor.tidy(min(now_s, oldest_open_s))
            self._ledger.compact(now_s - self._limits.live_s)
        return tuple(told)

    def cart(self, visit_id: str) -> dict[str, int]:
        """GTIN to quantity by certain decisions, after what was put back."""
        return self._teller.cart(visit_id)

    @property
    def size(self) -> dict[str, int]:
        """How much is in memory, for health pages and tests of bounds."""
        return {
            "open": len(self._open),
            "waiting": len(self._waiting),
            "live": len(self._lives),
            "hypotheses": sum(len(group.hypotheses) for group in self._groups),
            "points": self._floor.size,
            "ledger": self._ledger.size,
            "told": self._teller.size,
        }

    # ------------------------------------------------------------ steps of decide

    def _admit(self, now_s: float) -> list[Decision]:
        """Takes in waiting reaches whose floor is known, in time order."""
        strange: list[Decision] = []
        ready = [
            waiting
            for waiting in self._waiting.values()
            if self._floor.known_until_s >= waiting.reach.t_close_s + self._limits.track_lead_s
            or now_s >= waiting.reach.t_close_s + self._limits.track_wait_s
        ]
        ready.sort(key=lambda w: (w.reach.t_close_s, w.reach.reach_id))
        for waiting in ready:
            reach = waiting.reach
            del self._waiting[reach.reach_id]
            if reach.bay_id not in self._layout.bays:
                why = f"expected a bay of the store, got {reach.bay_id}"
                strange.append(_strange(reach, f"{why}; check the node's configuration"))
                continue
            if math.isinf(waiting.t_sd_s):
                strange.append(_strange(reach, "nobody knew the clock of who told of it"))
                continue
            self._join(waiting)
        return strange

    def _join(self, waiting: _Waiting) -> None:
        reach = waiting.reach
        self._changed = True
        evidence = Evidence(self._layout, self._settings, reach, waiting.t_sd_s)
        live = Live(
            reach_id=reach.reach_id,
            bay_id=reach.bay_id,
            t0_s=reach.t_open_s,
            t_s=reach.t_close_s,
            t_sd_s=waiting.t_sd_s,
            evidence=evidence,
            who={},
            choices=(),
            version=0,
            hands=frozenset(hand.hand_id for hand in reach.hands),
        )
        if self._lives and _when(live) < _when(self._lives[-1]):
            self._lives.append(live)
            self._lives.sort(key=_when)
            self._stale.add(live.reach_id)
            return
        self._explain(live)
        self._lives.append(live)

    def _refresh(self) -> None:
        """Explains again what news concerns, and what came after it and may build on it."""
        if not self._stale:
            return
        owners: set[str] = set()
        bays: set[str] = set()
        for live in self._lives:
            if live.reach_id not in self._stale and not (
                live.bay_id in bays or live.owners & owners
            ):
                continue
            before = (live.takes, live.strays)
            known = live.owners
            self._explain(live)
            if (live.takes, live.strays) != before:
                owners |= live.owners | known
                bays.add(live.bay_id)
        self._stale.clear()

    def _explain(self, live: Live) -> None:
        live.who = self._who(live)
        live.several = self._floor.several(live.t_s)
        live.choices = explain(
            self._layout,
            self._settings,
            live.evidence,
            live.who,
            _Before(self._ledger, self._lives, live, self._layout),
            live.t_s,
        )
        self._versions += 1
        live.version = self._versions
        live.index(self._layout)

    def _who(self, live: Live) -> dict[int, dict[str | None, float]]:
        """Owners of each hand of a reach, the unseen one included."""
        reach = live.evidence.reach
        bay = self._layout.bays[reach.bay_id]
        starts = [step.t_start_s for step in reach.grams] or [reach.t_open_s]
        ends = [step.t_end_s for step in reach.grams] or [reach.t_close_s]
        unseen = Sighting(
            bay=bay,
            u_m=reach.u_m,
            sd_u_m=reach.sd_u_m,
            t0_s=min(starts),
            t1_s=max(ends),
            t_sd_s=live.t_sd_s,
        )
        who = {UNSEEN_HAND: self._floor.who(unseen)}
        for index, hand in enumerate(reach.hands):
            who[index] = self._floor.who(sighting_of_hand(bay, hand, live.t_sd_s))
        return who

    def _solve(self) -> None:
        """Solves the groups whose reaches changed; the others stand as they are."""
        solved = {group.key: group for group in self._groups}
        groups = []
        for lives in partition(self._lives, self._layout):
            known = solved.get(key_of(lives))
            if known is None:
                beams = begun(self._groups, lives)
                known = solve(lives, self._ledger, self._layout, self._settings, beams)
            groups.append(known)
        self._groups = groups

    # ------------------------------------------------------------ settling

    def _settle_old(self, now_s: float) -> None:
        """Settles what is old and clear, and the oldest where bounds are reached."""
        for live in list(self._lives):
            age_s = now_s - live.t_s
            if age_s < self._limits.freeze_after_s:
                break
            group, index = self._group_of(live)
            chances = group.chances(index)
            chosen = self._choose(live, chances)
            owners = [move.owner for move in live.choices[chosen].moves]
            named = all(is_visit(owner) for owner in owners)
            if age_s >= self._limits.live_s or (
                named and chances[chosen] >= self._settings.beliefs.frozen_p
            ):
                self._settle(live, group, index, chosen)
        while len(self._lives) > self._limits.live_max:
            self._settle_best(self._lives[0])
        for group in list(self._groups):
            for live in group.lives[: max(len(group.lives) - self._limits.group_max, 0)]:
                self._settle_best(live)

    def _settle_visit(self, visit_id: str) -> None:
        """Settles what is most likely a leaving visit's own."""
        for live in list(self._lives):
            if visit_id not in live.owners:
                continue
            group, index = self._group_of(live)
            share = sum(
                chance
                for chosen, chance in group.chances(index).items()
                if any(move.owner == visit_id for move in live.choices[chosen].moves)
            )
            others = any(
                owner != visit_id
                and (is_visit(owner) or self.names_late)
                and owner not in self._gone
                for owner in live.owners
            )
            if share >= 0.5 or not others:
                self._settle_best(live)

    def _settle_best(self, live: Live) -> None:
        group, index = self._group_of(live)
        chances = group.chances(index)
        self._settle(live, group, index, self._choose(live, chances))

    def _choose(self, live: Live, chances: dict[int, float]) -> int:
        """The likeliest explanation of those that say what was told, so that what is settled on
        one reach is not charged once more on another."""
        told = self._teller.charged(live.reach_id)
        numbers = sorted(chances)
        if told:
            # Nothing told leaves all open: who was not charged may have taken it all the same.
            numbers = [n for n in numbers if _charges(live.choices[n].moves) == told] or numbers
        return max(numbers, key=lambda number: chances[number])

    def _settle(self, live: Live, group: Group, index: int, chosen: int) -> None:
        for move in live.choices[chosen].moves:
            # A forgotten visit has no cart, but what it moved on the shelf stays moved.
            self._ledger.add(move._replace(owner=None) if move.owner in self._gone else move)
        told = self._teller.settled(live.reach_id)
        if self.names_late:
            clear = group.chances(index)[chosen] >= self._settings.beliefs.certain_p
            self._nameless.keep(live.choices[chosen].moves, told, clear=clear)
        self._lives.remove(live)
        self._stale.discard(live.reach_id)
        self._groups.remove(group)
        rest = without(group, index, chosen)
        if rest is not None:
            self._groups.append(rest)

    def _group_of(self, live: Live) -> tuple[Group, int]:
        for group in self._groups:
            if group.first_s <= live.t_s <= group.last_s:
                for index, other in enumerate(group.lives):
                    if other is live:
                        return group, index
        # A reach that joined after the last solve stands alone until the next one.
        group = solve((live,), self._ledger, self._layout, self._settings)
        self._groups.append(group)
        return group, 0


def _strange(reach: ReachClosed, why: str) -> Decision:
    """What is told of a reach that says nothing of any cart."""
    best = Alternative(None, None, 0, None, 0.0)
    return Decision(
        reach_id=reach.reach_id,
        line=0,
        revision=0,
        t_s=reach.t_close_s,
        best=best,
        certain=False,
        alternatives=(best,),
        why=why,
    )


def _charges(moves: Sequence[Move]) -> tuple[tuple[str, str, int], ...]:
    """What moves put into the carts of visits, as Teller.charged tells it."""
    return tuple(sorted((str(m.owner), m.gtin, m.quantity) for m in moves if is_visit(m.owner)))


class _Before:
    """What may be where just before a reach, over the ledger and all live reaches before it."""

    def __init__(self, ledger: Ledger, lives: list[Live], live: Live, layout: Layout) -> None:
        self._ledger = ledger
        self._t_s = live.t_s
        when = _when(live)
        self._lives = [other for other in lives if _when(other) < when]
        self._layout = layout

    def strays_at(self, place: int) -> list[str]:
        """Articles that may stand at a place where the planogram does not have them."""
        found = {
            gtin
            for gtin in self._ledger.strays_at(place)
            if self._ledger.stock(place, gtin, self._t_s) > 0
        }
        found.update(g for live in self._lives for at, g in live.strays if at == place)
        return sorted(found)

    def may_hold(self, owner: str) -> list[tuple[str, int]]:
        """Articles an owner may hold, with the most pieces of each."""
        most: dict[str, int] = {}
        for gtin in self._ledger.gtins_of(owner):
            held = self._ledger.held(owner, gtin, self._t_s)
            if held > 0:
                most[gtin] = held
        for live in self._lives:
            if owner in live.owners:
                for (who, gtin), count in live.takes.items():
                    if who == owner:
                        most[gtin] = most.get(gtin, 0) + count
        return sorted(most.items())


def _when(live: Live) -> tuple[float, str]:
    return (live.t_s, live.reach_id)
