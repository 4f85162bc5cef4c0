"""Ways in other than a phone's one-time code: signed codes, groups, cards, badges, the desk, and
behind somebody else.

Who comes in how is drawn from the seed before anybody comes. Whoever is not let in in time walks
in all the same, as people do; what they take is nobody's.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from hub import commands as c
from hub.errors import RejectedError
from hub.visits.codes import BADGE_PREFIX, EntryPass, make_code
from sortie.torture.hubside import KEYS, AwayError, HubSide
from sortie.torture.people import Shopper, sha256, token_of
from sortie.torture.shop import layout

__all__ = ["WAYS", "Entries", "assign_ways"]

WAYS = {"code": 10, "signed": 4, "group": 3, "card": 2, "badge": 1, "desk": 2, "behind": 1}
"""How often each is drawn against the others; in a group the next shopper follows."""
OPEN_S = 90
AT_GATE_S = 0.5
TWICE_SHARE = 0.4


def assign_ways(shoppers: list[Shopper], random: Random) -> None:
    """Says of everybody how they come in."""
    names, weights = list(WAYS), list(WAYS.values())
    for one, after in zip(shoppers, [*shoppers[1:], None], strict=True):
        if one.way == "follows":
            continue
        one.way = random.choices(names, weights)[0]
        if one.way == "group":
            if after is None:
                one.way = "signed"
            else:
                after.way = "follows"


class Entries:
    """Lets people in until the hub has said that it is done, or they are through the gate."""

    def __init__(
        self,
        random: Random,
        side: HubSide,
        visits: dict[str, Shopper],
        *,
        told: Callable[[str], None],
    ) -> None:
        self._random = random
        self._side = side
        self._visits = visits
        self._told = told
        self._badges: list[str] = []
        self._refused: set[int] = set()

    def done(self, one: Shopper, now_s: float, shoppers: list[Shopper]) -> bool:
        """Tries once more; whether nothing is left to do for this one."""
        if one.way == "behind":
            self._told("walked_in_behind")
            return True
        at_gate = one.way in ("card", "desk")
        if at_gate and now_s < one.scan_s:
            return False
        if now_s > one.scan_s + (AT_GATE_S if at_gate else -AT_GATE_S):
            if not at_gate:
                one.turned_away = True
            elif one.number not in self._refused:
                one.dim = "the hub did not answer at the gate"
            self._told("turned_away")
            return True
        try:
            if one.way == "card":
                self._tap(one)
            elif one.way == "desk":
                self._let_in(one)
            elif one.way == "badge":
                self._badge(one)
            elif one.way == "follows":
                self._follow(one, shoppers[one.number - 1])
            else:
                self._sign(one, 2 if one.way == "group" else 1)
        except AwayError:
            return False
        except RejectedError:
            self._told(f"{one.way}_not_let_in")
            if at_gate:
                # As long as they stand there they try again, as the gate tells them to.
                self._refused.add(one.number)
                return False
            one.turned_away = True
        return True

    # -- phones -----------------------------------------------------------------------------

    def _sign(self, one: Shopper, entries: int) -> None:
        token, key = token_of(one), _key(one)
        try:
            self._side.command(
                c.OpenVisit(token_sha256=token, visit_key=key, payer=one.payer, entries=1)
            )
        except RejectedError:
            # The answer to an earlier try was lost; the phone finds its visit by its token.
            self._side.look(lambda hub: hub.core.state.by_token[token])
        self._told("signed_opened")
        self._is(one, f"v-{key}")
        if entries > 1:
            self._side.command(c.GrowGroup(token_sha256=token, entries=entries))
            self._told("group_grown")
        self._show(one, f"v-{key}", 0)

    def _follow(self, one: Shopper, leader: Shopper) -> None:
        if leader.turned_away or leader.visit_id is None:
            one.turned_away = True
            return
        one.visit_id = leader.visit_id
        self._show(one, leader.visit_id, 1)
        self._told("group_followed")

    def _show(self, one: Shopper, visit_id: str, entry: int) -> None:
        until_s = int(self._side.clock()) + OPEN_S
        one.code = make_code(KEYS, layout().store_id, EntryPass(visit_id, entry, until_s))

    # -- the gate ---------------------------------------------------------------------------

    def _tap(self, one: Shopper) -> None:
        declined = one.payer is not None and one.payer.startswith("declined")
        tap = c.TapCard(
            tap_id=f"tap-{one.number}",
            gate_id="entry",
            card=f"{'declined' if declined else 'token'}-card-{one.number}",
            visit_key=_key(one),
            token_sha256=token_of(one),
        )
        self._is(one, f"v-{_key(one)}")
        self._side.command(tap)
        self._told("card_tapped")
        if self._random.random() < TWICE_SHARE:
            again = self._side.command(tap)
            if not again.repeated:
                raise AssertionError(f"{tap.tap_id} let somebody in twice")
            self._told("card_tapped_twice")

    def _let_in(self, one: Shopper) -> None:
        known = self._side.look(lambda hub: f"v-{_key(one)}" in hub.core.state.visits)
        self._is(one, f"v-{_key(one)}")
        if not known:
            self._side.command(
                c.LetIn(
                    visit_key=_key(one),
                    token_sha256=token_of(one),
                    gate_id="entry",
                    by="clerk",
                    reason="pays at the desk",
                )
            )
        self._told("let_in_by_staff")

    def _badge(self, one: Shopper) -> None:
        """Somebody of the staff, with a badge that is good from now on."""
        code = f"{BADGE_PREFIX}BADGE{one.number}"
        digest = sha256(code)
        if self._badges and self._random.random() < TWICE_SHARE:
            self._side.command(c.RevokeBadge(holder=self._badges.pop(), by="admin"))
            self._told("badge_revoked")
        known = self._side.look(lambda hub: digest in hub.core.state.badges)
        if not known:
            holder = f"staff-{one.number}"
            self._side.command(c.AddBadge(badge_sha256=digest, holder=holder, by="admin"))
            self._badges.append(holder)
        self._told("badge_added")
        one.code = code

    def _is(self, one: Shopper, visit_id: str) -> None:
        one.visit_id = visit_id
        self._visits[visit_id] = one


def _key(one: Shopper) -> str:
    return sha256(f"visit {one.number}")[:20]
