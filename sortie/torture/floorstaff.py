"""Staff on the floor: they move facings while people shop, say whose a body is that came in without
a visit, and end the visits of people who left by a door that no gate sees."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from hub import commands as c
from hub.service import Hub
from hub.visits.model import Visit
from sortie.torture.asking import Asks
from sortie.torture.hubside import AwayError, HubSide
from sortie.torture.people import Shopper, sha256
from sortie.torture.shop import DEEP, FACINGS, places

__all__ = ["FloorStaff"]

AWAY_FROM_SHELF_S = 0.8
"""Who leaves by the back door has had empty hands for so long."""
FIRST_SEEN_S = 1.0
"""Whose track began later was on another one before, with what they took then."""


class FloorStaff:
    """What they do, one thing a call."""

    def __init__(
        self,
        random: Random,
        side: HubSide,
        visits: dict[str, Shopper],
        shoppers: Sequence[Shopper],
        *,
        ask: Asks,
        since_s: float,
    ) -> None:
        self._random = random
        self._side = side
        self._visits = visits
        self._shoppers = shoppers
        self._ask = ask
        self._since_s = since_s
        self._made = 0
        self._moved: list[tuple[str, str]] = []

    def move_facing(self, _now_s: float) -> None:
        """A slot is for another product, or for as many in another way; later it is as it was.

        What stands there stays: whoever takes it pays for what it is.
        """
        if self._moved and self._random.random() < 0.5:
            slot_id, gtin = self._moved.pop()
            facings, deep = FACINGS, DEEP
        else:
            place = self._random.choice(places())
            other = self._random.choice(places())
            self._moved.append((place.slot_id, place.gtin))
            slot_id, gtin = place.slot_id, self._random.choice((place.gtin, other.gtin))
            facings, deep = self._random.choice(((2, 6), (5, 3), (1, 1)))
        command = c.ChangePlanogram(slot_id=slot_id, gtin=gtin, facings=facings, deep=deep)
        self._ask("facing_moved", command)

    def own_up(self, now_s: float) -> None:
        """Somebody in the store has no visit: staff open one, or say whom they belong to."""
        found = self._side.look(lambda hub: [o for o in self._shoppers if _stray(hub, o, now_s)])
        if not found:
            return
        one = self._random.choice(found)
        first_s = self._side.look(lambda hub: hub.core.state.floor.tracks[one.track_id].born_s)  # type: ignore[index]
        if first_s - self._since_s > one.path[0][0] + FIRST_SEEN_S:
            one.dim = "staff knew a body that had come in as another one"
        hosts = self._side.look(lambda hub: [o for o in self._shoppers if _alone(hub, o)])
        if hosts and self._random.random() < 0.5:
            self._assign(one, self._random.choice(hosts))
        else:
            self._open(one)

    def back_door(self, now_s: float) -> None:
        """Somebody leaves where no gate is, with what they have; staff saw it."""
        found = self._side.look(
            lambda hub: [o for o in self._shoppers if _alone(hub, o) and _idle(o, now_s)]
        )
        if not found:
            return
        one = self._random.choice(found)
        _cut(one, now_s)
        self._ask(
            "ended_by_staff",
            c.EndVisit(visit_id=str(one.visit_id), by="clerk", reason="went out by the back door"),
            once=True,
        )

    # -- inside -----------------------------------------------------------------------------

    def _open(self, one: Shopper) -> None:
        self._made += 1
        key = sha256(f"opened for {self._made}")[:20]
        command = c.OpenForTrack(
            visit_key=key,
            token_sha256=sha256(f"token of {key}"),
            track_id=str(one.track_id),
            by="clerk",
            reason="came in without a visit",
        )
        before, one.visit_id = one.visit_id, f"v-{key}"
        self._visits[f"v-{key}"] = one

        def then(done: bool) -> None:
            # Refused as done already: the answer to an earlier try was lost.
            if not done and not self._is_there(one, f"v-{key}"):
                one.visit_id = before

        self._ask("opened_for_track", command, then=then)

    def _assign(self, one: Shopper, host: Shopper) -> None:
        before, one.visit_id = one.visit_id, host.visit_id
        command = c.AssignTrack(visit_id=str(host.visit_id), track_id=str(one.track_id), by="clerk")

        def then(done: bool) -> None:
            if done:
                one.scanned = host.scanned = True
                one.dim = one.dim or host.dim
            else:
                one.visit_id = before

        self._ask("track_assigned", command, once=True, then=then)

    def _is_there(self, one: Shopper, visit_id: str) -> bool:
        try:
            return self._side.look(lambda hub: visit_id in hub.core.state.visits)
        except AwayError:
            one.dim = "nobody knows whether staff opened it"
            return True


def _stray(hub: Hub, one: Shopper, now_s: float) -> bool:
    """Whether somebody is seen in the store and has no visit and never had."""
    state = hub.core.state
    track = state.floor.tracks.get(one.track_id or "")
    visit = state.visits.get(one.visit_id or "")
    return (
        one.at(now_s) is not None
        and not one.turned_away
        and track is not None
        and track.visit_id is None
        and track.lost_s is None
        and (visit is None or visit.stage == "refused")
    )


def _alone(hub: Hub, one: Shopper) -> bool:
    """Whether somebody is in the store on a visit that is theirs alone."""
    visit: Visit | None = hub.core.state.visits.get(one.visit_id or "")
    return (
        visit is not None
        and visit.stage == "shopping"
        and visit.kind == "shopper"
        and visit.entries == 1
        and not visit.companions
    )


def _idle(one: Shopper, now_s: float) -> bool:
    """Whether somebody is inside, away from the gates, and has no hand at a shelf."""
    at = one.at(now_s)
    return (
        at is not None
        and at[1] > 1.0
        and not any(
            act.t_in_s - AWAY_FROM_SHELF_S < now_s < act.t_out_s + AWAY_FROM_SHELF_S
            for act in one.acts
        )
    )


def _cut(one: Shopper, now_s: float) -> None:
    """Their way ends here."""
    x_m, y_m = one.at(now_s) or one.path[-1][1:]
    kept = [point for point in one.path if point[0] < now_s]
    one.path = [*kept, (now_s, x_m, y_m)]
