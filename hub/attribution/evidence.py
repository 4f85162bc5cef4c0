"""How well one reach's sensors fit what may have happened at the shelf, whoever did it.

An explanation is a set of lines: so many pieces of an article out of (or into) a place. Each
sensor adds a log-likelihood; absent sensors add nothing. Places are weighed against a uniform
density over the bay, so that a sharp place speaks for the slots it names and against the others,
and not for something having happened.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

from contracts.messages import FacingChange, HandSeen, ProductScores, ReachClosed
from hub.attribution.chances import NEVER, boxed, clip, with_floor
from hub.attribution.grams import Grams, Line
from hub.attribution.settings import AttributionSettings
from hub.attribution.stock import Layout, Place

__all__ = ["UNSEEN_HAND", "Evidence", "Line"]

UNSEEN_HAND = -1
"""Index of the hand that no camera saw."""
SAME_ACT_S = 0.3
"""Slack between the change of one reach and the time of another that may be the same act."""
HAND_REACH_M = 0.15
"""Half the stretch about a hand where a picture may look changed although nothing changed."""
SPURIOUS_AT_HAND_P = 0.8
"""Share of spurious changes that lie there."""
COVERED_M = 0.05
"""A changed stretch that reaches so far into a place would not show a second one there."""
LEAST_POINT_SHARE = 0.2
"""Places that get less than this share of the best one's pointing are not looked at."""


class Evidence:
    """The likelihoods of one reach; all methods are pure functions of the reach."""

    def __init__(
        self, layout: Layout, settings: AttributionSettings, reach: ReachClosed, t_sd_s: float
    ) -> None:
        self.reach = reach
        self._layout = layout
        self._plates = settings.plates
        self._camera = settings.camera
        self._habits = settings.habits
        self._t_sd_s = t_sd_s
        self.places = layout.by_bay[reach.bay_id]
        self._bay = layout.bays[reach.bay_id]
        self.grams = Grams(layout, settings.plates, reach)
        self._board_areas = self._bay.width_m * len(self._bay.boards)
        self._named: dict[int, dict[str | None, float]] = {}
        self._by_hand: dict[tuple[int, int, bool], float] = {}
        self._by_line: dict[Line, float] = {}
        self._by_change: dict[tuple[int, int, bool], float] = {}
        self._by_pieces: dict[tuple[int, int], float] = {}
        self._by_act: dict[tuple[int, bool, bool], float] = {}
        seen_p = self._camera.seen_p
        self._seen_nats = (math.log(1.0 - seen_p), math.log(seen_p))
        self._missed_nats = math.log(self._camera.hand_missed_p)
        self._spurious = [
            math.log(self._camera.spurious_p)
            + self._spurious_product(change)
            + self._spurious_place(change)
            for change in reach.changes
        ]
        self.nothing = self.of_shelf(())
        self._idle = [
            self._hand_acts(hand, takes=False, puts=False) + self._behind(hand)
            for hand in reach.hands
        ]

    # ------------------------------------------------------------ the shelf

    def of_shelf(self, lines: Sequence[Line]) -> float:
        """Log-likelihood of grams and of changes of the shelf under an explanation."""
        if len(lines) != 1:
            return self.grams.of_grams(lines) + self.of_changes(lines)
        known = self._by_line.get(lines[0])
        if known is None:
            known = self._by_line[lines[0]] = self.grams.of_grams(lines) + self.of_changes(lines)
        return known

    def of_changes(self, lines: Sequence[Line]) -> float:
        """Log-likelihood of the stretches of shelf that looked different afterwards."""
        if len(lines) == 1:
            return self._of_changes_by(lines[0])
        total = 0.0
        seen = [False] * len(lines)
        for change, best in zip(self.reach.changes, self._spurious, strict=True):
            shown: list[int] = []
            for index, line in enumerate(lines):
                also = self._shown(change, index, lines)
                pieces = sum(abs(lines[k].quantity) for k in also)
                match = self._match(change, line, pieces)
                if match > best:
                    best, shown = match, also
            total += best
            for index in shown:
                seen[index] = True
        if self.reach.camera_ok:
            for was_seen in seen:
                total += self._seen_nats[was_seen]
        return total

    def _of_changes_by(self, line: Line) -> float:
        """`of_changes` under a single line."""
        total = 0.0
        seen = False
        for change, best in zip(self.reach.changes, self._spurious, strict=True):
            match = self._match(change, line)
            if match > best:
                best, seen = match, True
            total += best
        return total + self._seen_nats[seen] if self.reach.camera_ok else total

    def _shown(self, change: FacingChange, told: int, lines: Sequence[Line]) -> list[int]:
        """The lines that a change shows if it tells of one: this one, and those of the same kind
        into whose places the stretch reaches so far that all look like one."""
        line = lines[told]
        found = [told]
        if len(lines) == 1:
            return found
        for index, other in enumerate(lines):
            place = self._layout.places[other.place]
            shared_m = min(change.u1_m, place.u1_m) - max(change.u0_m, place.u0_m)
            alike = (other.quantity > 0) == (line.quantity > 0)
            if (
                index != told
                and alike
                and place.board_id == change.board_id
                and shared_m >= COVERED_M
            ):
                found.append(index)
        return found

    def of_second_sight(self, line: Line, other: Evidence) -> float:
        """Log ratio of this reach being the same act as a line that another reach tells of, to
        this reach being nothing: what it saw, and what the other one then did not miss."""
        total = 0.0
        if self.reach.changes:
            if all(not _at_once(change, other.reach) for change in self.reach.changes):
                return NEVER
            total += sum(
                max(0.0, self._match(change, line) - spurious)
                for change, spurious in zip(self.reach.changes, self._spurious, strict=True)
            )
            if not other.reach.changes and other.reach.camera_ok:
                seen_p = self._camera.seen_p
                total += math.log(seen_p / (1.0 - seen_p))
        elif all(not _at_once(change, self.reach) for change in other.reach.changes):
            return NEVER
        if self.reach.grams:
            if other.reach.grams:
                return NEVER
            total += self.grams.of_grams((line,)) - self.grams.null_total
            total -= other.grams.of_grams((line,))
        return total + math.log(self._habits.told_twice_p)

    def _spurious_product(self, change: FacingChange) -> float:
        """What stands there by the planogram also looks like itself when nothing happened."""
        middle_m = 0.5 * (change.u0_m + change.u1_m)
        place = self._layout.nearest(self.reach.bay_id, change.board_id, middle_m)
        return 0.0 if place is None else self._product(change.products, place.gtin)

    def _spurious_place(self, change: FacingChange) -> float:
        """What looks changed for no reason does so about the hand, if one was seen."""
        middle_m = 0.5 * (change.u0_m + change.u1_m)
        board = next((b for b in self._bay.boards if b.board_id == change.board_id), None)
        if board is None or not self.reach.hands:
            return 0.0
        share = SPURIOUS_AT_HAND_P
        best = 0.0
        for hand in self.reach.hands:
            low_m, high_m = hand.u_m - HAND_REACH_M, hand.u_m + HAND_REACH_M
            along = boxed(middle_m, low_m, high_m, self._camera.place_sd_m)
            up = boxed(hand.z_m, board.z_m, board.z_m + board.clearance_m, hand.sd_z_m)
            best = max(best, along * up * board.clearance_m)
        return math.log(share * best * self._board_areas + 1.0 - share)

    def _match(self, change: FacingChange, line: Line, pieces: int | None = None) -> float:
        """Log ratio of a change under a line to the same under nothing, place included.

        `pieces` are those it tells of, where it may show another line's, too.
        """
        place = self._layout.places[line.place]
        if place.board_id != change.board_id:
            return NEVER
        key = (id(change), line.place, line.quantity > 0)
        total = self._by_change.get(key)
        if total is None:
            total = self._by_change[key] = self._changed_at(change, place, line.quantity)
        count = pieces or abs(line.quantity)
        looks = self._by_pieces.get((id(change), count))
        if looks is None:
            looks = self._by_pieces[id(change), count] = self._pieces(change, count)
        return total + looks + self._product(change.products, line.gtin)

    def _changed_at(self, change: FacingChange, place: Place, quantity: int) -> float:
        """Log ratio of a change at a place of its board, pieces taken or put, to one of nothing."""
        trust = self._camera
        middle_m = 0.5 * (change.u0_m + change.u1_m)
        density = boxed(middle_m, place.u0_m, place.u1_m, trust.place_sd_m)
        total = with_floor(density * self._board_areas, trust.place_outlier_p, 1.0)
        act = change.action.pick if quantity > 0 else change.action.put_back
        limit = trust.action_limit
        return total + trust.temper * clip(act - change.action.nothing, -limit, limit)

    def _pieces(self, change: FacingChange, quantity: int) -> float:
        """Log ratio of a quantity to what quantities usually look like.

        Of pieces taken at once some stood one behind the other: these look like one.
        """
        pieces = change.pieces
        if not pieces:
            return 0.0
        trust = self._camera
        least = min(pieces) - 2.0
        behind_p = self._habits.behind_p
        looks = []
        for k in range(max(quantity, len(self._habits.quantity_p))):
            apart = clip((pieces[k] if k < len(pieces) else least) - pieces[0], -50, 50)
            looks.append(1.0 if k == 0 else behind_p + (1.0 - behind_p) * math.exp(apart))
        usual = sum(p * look for p, look in zip(self._habits.quantity_p, looks, strict=False))
        ratio = math.log(looks[quantity - 1] / usual)
        return clip(ratio, -trust.pieces_limit, trust.pieces_limit)

    def _product(self, scores: ProductScores, gtin: str) -> float:
        """Log ratio of an article to the average article of the store."""
        if not scores.top:
            return 0.0
        named = self._named.get(id(scores))
        if named is None:
            named = self._named[id(scores)] = self._ratios(scores)
        return named.get(gtin, named[None])

    def _ratios(self, scores: ProductScores) -> dict[str | None, float]:
        """Log ratios of the named articles and, under None, of any other."""
        trust = self._camera
        articles = max(len(self._layout.articles), 1)
        best = max(scores.other, max(entry.log_likelihood for entry in scores.top))
        mass = max(articles - len(scores.top), 0) * math.exp(scores.other - best)
        mass += sum(math.exp(entry.log_likelihood - best) for entry in scores.top)
        # Nothing is left of it where all articles are named and something else fits far better.
        least = best + math.log(max(mass, sys.float_info.min) / articles)
        limit = trust.product_limit
        ratios: dict[str | None, float] = {
            entry.gtin: trust.temper * clip(entry.log_likelihood - least, -limit, limit)
            for entry in scores.top
        }
        ratios[None] = trust.temper * clip(scores.other - least, -limit, limit)
        return ratios

    def where_m(self, line: Line) -> float | None:
        """Where along the bay a line was done: as a change of the shelf shows it, else the plates;
        None if neither does."""
        place = self._layout.places[line.place]
        for change in self.reach.changes:
            middle_m = 0.5 * (change.u0_m + change.u1_m)
            if change.board_id == place.board_id and place.u0_m <= middle_m <= place.u1_m:
                return middle_m
        return self.grams.centre_m(place, line.quantity)

    # ------------------------------------------------------------ the hands

    def of_hand(self, hand: int, lines: Sequence[Line]) -> float:
        """Log ratio of a hand having done these lines to its having done nothing."""
        if hand == UNSEEN_HAND:
            if not self.reach.hands or not self.reach.camera_ok:
                return 0.0
            return self._missed_nats
        seen = self.reach.hands[hand]
        if len(lines) == 1:
            takes, puts = lines[0].quantity > 0, lines[0].quantity < 0
        else:
            takes = any(line.quantity > 0 for line in lines)
            puts = any(line.quantity < 0 for line in lines)
        act = (hand, takes, puts)
        acts = self._by_act.get(act)
        if acts is None:
            acts = self._by_act[act] = self._hand_acts(seen, takes=takes, puts=puts)
        total = acts - self._idle[hand]
        for line in lines:
            total += self._product(seen.products, line.gtin)
            key = (hand, line.place, line.quantity > 0)
            where = self._by_hand.get(key)
            if where is None:
                where = self._hand_place(seen, self._layout.places[line.place])
                where += self._hand_time(seen, line)
                self._by_hand[key] = where
            total += where
        return total

    def _behind(self, hand: HandSeen) -> float:
        """An empty hand shows what stands behind it, which must not speak for a pick of it."""
        inside = [
            place
            for place in self.places
            if place.u0_m <= hand.u_m < place.u1_m and place.z0_m <= hand.z_m < place.z1_m
        ]
        return max(self._product(hand.products, inside[0].gtin), 0.0) if inside else 0.0

    def _hand_acts(self, hand: HandSeen, *, takes: bool, puts: bool) -> float:
        """What was in the hand before and after, given what it did."""
        trust = self._camera
        sure = trust.held_certainty
        held_in = clip(hand.held_in, 1.0 - sure, sure)
        held_out = clip(hand.held_out, 1.0 - sure, sure)
        again = trust.held_again_p
        if takes and puts:
            joint = held_in * held_out
        elif takes:
            joint = ((1.0 - again) * (1.0 - held_in) + again * held_in) * held_out
        elif puts:
            joint = held_in * ((1.0 - again) * (1.0 - held_out) + again * held_out)
        else:
            joint = 0.7 * (1.0 - held_in) * (1.0 - held_out) + 0.3 * held_in * held_out
        # A probability of one half says nothing: four is the inverse of that joint.
        return trust.temper * math.log(4.0 * joint)

    def _hand_place(self, hand: HandSeen, place: Place) -> float:
        trust = self._camera
        along = boxed(hand.u_m, place.u0_m, place.u1_m, math.hypot(hand.sd_u_m, trust.hand_u_sd_m))
        up = boxed(hand.z_m, place.z0_m, place.z1_m, math.hypot(hand.sd_z_m, trust.hand_z_sd_m))
        ratio = along * up * self._bay.width_m * self._bay.height_m
        return with_floor(ratio, trust.hand_outlier_p, 1.0)

    def _hand_time(self, hand: HandSeen, line: Line) -> float:
        """Steps and changes at the place happen while the hand is in, or soon after."""
        trust = self._camera
        place = self._layout.places[line.place]
        slack_s = trust.late_s + self._t_sd_s
        spans = [
            (step.t_start_s, step.t_end_s)
            for u_m, _, _, step in self.grams.steps.get(place.board_id, ())
            if place.u0_m <= u_m <= place.u1_m and step.delta_g * line.quantity < 0.0
        ]
        spans += [
            (change.t_before_s, change.t_after_s)
            for change in self.reach.changes
            if change.board_id == place.board_id
            and change.u0_m < place.u1_m
            and change.u1_m > place.u0_m
        ]
        gap_s = max(
            (max(start_s - hand.t_out_s, hand.t_in_s - end_s) for start_s, end_s in spans),
            default=0.0,
        )
        return -trust.late_nats * clip(gap_s / slack_s, 0.0, 1.0)

    # ------------------------------------------------------------ where to look

    def likely_places(self, count: int) -> list[Place]:
        """Places of the bay in the order in which the sensors point at them, at most `count`.

        Places that hardly anything points at are left out, but never the two best.
        """
        pointed = [(-self._points_at(place), place.index, place) for place in self.places]
        pointed.sort(key=lambda entry: entry[:2])
        least = LEAST_POINT_SHARE * pointed[0][0] if pointed else 0.0
        return [
            place
            for rank, (score, _, place) in enumerate(pointed[:count])
            if rank < 2 or score <= least
        ]

    def _points_at(self, place: Place) -> float:
        score = 0.0
        for u_m, half_m, _, step in self.grams.steps.get(place.board_id, ()):
            away_m = max(place.u0_m - u_m, u_m - place.u1_m, 0.0)
            if away_m <= half_m + 0.01:
                score += min(abs(step.delta_g) / self._plates.wobble_sd_g, 20.0) / (
                    1.0 + 10.0 * away_m
                )
        for change in self.reach.changes:
            if change.board_id == place.board_id:
                middle_m = 0.5 * (change.u0_m + change.u1_m)
                away_m = max(place.u0_m - middle_m, middle_m - place.u1_m, 0.0)
                score += 12.0 / (1.0 + 20.0 * away_m)
        for hand in self.reach.hands:
            score += self._hand_place(hand, place) + math.log(1.0 / self._camera.hand_outlier_p)
        if not self.reach.hands:
            away_m = max(place.u0_m - self.reach.u_m, self.reach.u_m - place.u1_m, 0.0)
            score += 2.0 / (1.0 + away_m / self.reach.sd_u_m)
        return score


def _at_once(change: FacingChange, reach: ReachClosed) -> bool:
    """Whether a change can be the sight of what a reach did: within its bracket of time."""
    return (
        change.t_before_s - SAME_ACT_S <= reach.t_close_s
        and reach.t_open_s <= change.t_after_s + SAME_ACT_S
    )
