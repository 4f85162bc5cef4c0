"""Reaches: hands, changes of the shelf and gram steps of one bay that belong to one act.

A reach opens when a hand is in the shelf or plates begin to move, and closes when all that can be
known of it is known: plates have settled and the camera has seen the place again, or patience has
ended. Evidence joins a reach when it agrees in place (board, and along the board) and in time; a
step or a change that no hand explains becomes a reach of its own. Two steps of one plate with a
rest between them are two acts of the same hand, hence two reaches.

Late evidence of an act that was already told is dropped, so that nothing is told twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from contracts.geometry import Bay, Plate
from contracts.messages import (
    FacingChange,
    GramStep,
    HandSeen,
    OpenReach,
    ReachClosed,
    ReachOpened,
)
from vision.observations import OpenHand, PlateNews, ShelfObservation
from vision.reach_parts import Act, Hand, Stir
from vision.reach_settings import ReachSettings

__all__ = ["ReachBuilder"]

BODY_SD_M = 0.2
"""Spread of the head's floor point of a hand that is still in the shelf."""


class ReachBuilder:
    """Joins the evidence of one bay. Deterministic; ids are `BAY-PREFIX-N`."""

    def __init__(
        self,
        bay: Bay,
        plates: Sequence[Plate],
        settings: ReachSettings | None = None,
        *,
        prefix: str = "r",
    ) -> None:
        self._bay = bay
        self._set = settings or ReachSettings()
        self._prefix = prefix
        self._count = 0
        self._z = {board.board_id: board.z_m for board in bay.boards}
        self._plates = {one.plate_id: one for one in plates if one.bay_id == bay.bay_id}
        self._hands: dict[str, Hand] = {}
        self._acts: list[Act] = []
        self._told: list[Act] = []
        self._stir: Stir | None = None
        self._moving: dict[str, float] = {}
        self._covered_s: float | None = None

    # ------------------------------------------------------------ outside

    def step(
        self,
        now_s: float,
        observations: Sequence[ShelfObservation],
        plate_news: PlateNews | None,
        camera_on: bool,
        plates_on: bool,
    ) -> tuple[ReachOpened | ReachClosed, ...]:
        """Reaches that opened or closed with this step; `now_s` does not go back."""
        out: list[ReachOpened | ReachClosed] = []
        for seen in observations:
            self._covered_s = seen.covered_since_s
            out += self._open_hands(seen)
            self._close_hands(seen)
        if not camera_on:
            self._covered_s = None
            self._lose_hands(now_s)
        if plates_on and plate_news is not None:
            self._moving = dict(plate_news.moving)
            out += self._stirred(now_s)
            for step in sorted(plate_news.steps, key=lambda s: (-abs(s.delta_g), s.plate_id)):
                self._take_step(step, now_s)
        elif not plates_on:
            self._moving = {}
        for seen in observations:
            for change in seen.changes:
                self._take_change(change, now_s)
        out += self._close_ripe(now_s, camera_on=camera_on, plates_on=plates_on)
        self._told = [act for act in self._told if now_s - act.t1_s < self._set.memory_s]
        return tuple(out)

    def open_reaches(self) -> tuple[OpenReach, ...]:
        """Reaches begun and not ended, the oldest first."""
        found: dict[str, OpenReach] = {}

        def add(reach_id: str | None, t_open_s: float, u_m: float) -> None:
            if reach_id is not None and reach_id not in found:
                found[reach_id] = OpenReach(
                    reach_id=reach_id, bay_id=self._bay.bay_id, t_open_s=max(0.0, t_open_s), u_m=u_m
                )

        for act in self._acts:
            add(act.reach_id, act.t0_s, act.u_m)
        for hand in self._hands.values():
            add(hand.reach_id, hand.t_in_s, hand.u_m)
        if self._stir is not None:
            add(self._stir.reach_id, self._stir.t_open_s, self._stir.u_m)
        return tuple(sorted(found.values(), key=lambda one: (one.t_open_s, one.reach_id)))

    def unnamed_since_s(self) -> float | None:
        """When the earliest evidence began that waits to be told and has no reach yet."""
        return min((act.t0_s for act in self._acts if act.reach_id is None), default=None)

    # ------------------------------------------------------------ hands

    def _open_hands(self, seen: ShelfObservation) -> Iterator[ReachOpened]:
        for one in seen.open_hands:
            hand = self._hands.get(one.hand_id)
            if hand is None:
                hand = self._new_hand(one)
                if hand.reach_id is None:
                    hand.reach_id = self._next_id()
                    yield self._opened(hand.reach_id, one.t_in_s, one.u_m, one.z_m, hand.body)
            elif hand.seen is None:
                hand.u_m, hand.z_m = one.u_m, one.z_m
                if one.body_x_m is not None and one.body_y_m is not None:
                    hand.body = (one.body_x_m, one.body_y_m)

    def _new_hand(self, one: OpenHand) -> Hand:
        hand = Hand(one.hand_id, one.t_in_s, one.u_m, one.z_m, None)
        if one.body_x_m is not None and one.body_y_m is not None:
            hand.body = (one.body_x_m, one.body_y_m)
        if self._stir is not None and abs(self._stir.u_m - one.u_m) <= self._set.hand_m:
            # The plates said first that somebody reaches there.
            hand.reach_id = self._stir.reach_id
            hand.t_in_s = min(hand.t_in_s, self._stir.t_open_s)
            self._stir = None
        self._hands[one.hand_id] = hand
        while len(self._hands) > self._set.hands_max:
            self._hands.pop(next(iter(self._hands)))
        return hand

    def _close_hands(self, seen: ShelfObservation) -> None:
        for one in seen.hands_closed:
            hand = self._hands.get(one.hand_id)
            if hand is None:
                hand = Hand(one.hand_id, one.t_in_s, one.u_m, one.z_m, None)
                self._hands[one.hand_id] = hand
            hand.seen = one
            hand.u_m, hand.z_m = one.u_m, one.z_m

    def _lose_hands(self, now_s: float) -> None:
        """The camera went blind: hands it saw inside are taken to leave now."""
        for hand in self._hands.values():
            if hand.seen is None:
                hand.seen = HandSeen(
                    hand_id=hand.name,
                    t_in_s=max(0.0, hand.t_in_s),
                    t_out_s=max(0.0, now_s),
                    u_m=hand.u_m,
                    z_m=hand.z_m,
                    sd_u_m=0.15,
                    sd_z_m=0.5,
                    body_x_m=None if hand.body is None else hand.body[0],
                    body_y_m=None if hand.body is None else hand.body[1],
                )

    # ------------------------------------------------------------ plates and changes

    def _stirred(self, now_s: float) -> Iterator[ReachOpened]:
        """Plates move and neither a hand nor an act explains it: a reach is under way."""
        unexplained = {
            name: since
            for name, since in self._moving.items()
            if name in self._plates and not self._explained(self._plates[name], since)
        }
        if not unexplained:
            return
        since = min(unexplained.values())
        middle = [self._middle(self._plates[name]) for name in sorted(unexplained)]
        u_m = sum(middle) / len(middle)
        if self._stir is None:
            first = self._plates[min(unexplained, key=lambda name: (unexplained[name], name))]
            self._stir = Stir(self._next_id(), since, u_m, set(unexplained))
            z_m = self._z[first.board_id]
            yield self._opened(self._stir.reach_id, min(since, now_s), u_m, z_m, None)
        else:
            self._stir.plates |= set(unexplained)

    def _explained(self, plate: Plate, since_s: float) -> bool:
        u_m = self._middle(plate)
        near_hand = any(
            abs(hand.u_m - u_m) <= self._set.hand_m
            and (hand.seen is None or hand.seen.t_out_s + self._set.hand_s >= since_s)
            for hand in self._hands.values()
        )
        return near_hand or any(
            act.board_id == plate.board_id and act.t1_s + self._set.rest_s >= since_s
            for act in self._acts
        )

    def _take_step(self, step: GramStep, now_s: float) -> None:
        plate = self._plates.get(step.plate_id)
        if plate is None:
            return
        u_m = self._middle(plate)
        for act in self._acts:
            together = (
                bool(act.steps)
                and step.t_start_s <= act.t1_s + self._set.together_s
                and step.t_end_s >= act.t0_s - self._set.together_s
            )
            echo = abs(step.delta_g) <= self._set.echo_share * act.biggest_g
            near = act.board_id == plate.board_id and abs(act.u_m - u_m) <= self._set.place_m
            if together and (echo or (near and not act.is_over_before(step, self._set.rest_s))):
                self._add_step(act, step, u_m)
                return
        for act in self._acts:
            seen_first = not act.steps and any(
                change.board_id == plate.board_id
                and change.t_before_s - self._set.together_s <= step.t_end_s
                and step.t_start_s <= change.t_after_s
                for change in act.changes
            )
            if seen_first and abs(act.u_m - u_m) <= self._set.place_m:
                act.t0_s, act.t1_s = step.t_start_s, step.t_end_s
                self._add_step(act, step, u_m)
                return
        if any(self._is_echo_of_told(step, act) for act in self._told):
            return
        act = self._new_act(plate.board_id, u_m, step.t_start_s, step.t_end_s, now_s)
        act.steps.append(step)

    def _add_step(self, act: Act, step: GramStep, u_m: float) -> None:
        if len(act.steps) >= self._set.steps_max:
            return
        mass = sum(abs(one.delta_g) for one in act.steps)
        share = abs(step.delta_g) / max(1e-9, mass + abs(step.delta_g))
        if act.steps and abs(step.delta_g) > self._set.echo_share * act.biggest_g:
            act.u_m += share * (u_m - act.u_m)
        act.steps.append(step)
        act.t0_s = min(act.t0_s, step.t_start_s)
        act.t1_s = max(act.t1_s, step.t_end_s)

    def _is_echo_of_told(self, step: GramStep, act: Act) -> bool:
        return (
            abs(step.delta_g) <= self._set.echo_share * act.biggest_g
            and step.t_start_s <= act.t1_s + self._set.together_s
            and step.t_end_s >= act.t0_s - self._set.together_s
        )

    def _take_change(self, change: FacingChange, now_s: float) -> None:
        u_m = 0.5 * (change.u0_m + change.u1_m)
        open_act = self._best_act(self._acts, change, u_m)
        if open_act is not None:
            open_act.changes.append(change)
            return
        told = self._best_act(self._told, change, u_m)
        if told is not None and told.steps and not told.changes:
            # The grams of this act were told when its patience ended; this is the same act.
            told.changes.append(change)
            return
        begin_s, end_s = self._bracket(change, u_m)
        act = self._new_act(change.board_id, u_m, begin_s, end_s, now_s)
        act.changes.append(change)

    def _best_act(self, acts: Sequence[Act], change: FacingChange, u_m: float) -> Act | None:
        """The act that this change may be the sight of: same place, within its bracket."""
        found: list[tuple[bool, bool, float, Act]] = []
        for act in acts:
            fits = (
                change.t_before_s - self._set.together_s <= act.t1_s
                and act.t0_s <= change.t_after_s + self._set.together_s
            )
            apart_m = abs(act.u_m - u_m)
            other_board = act.board_id != change.board_id
            taken = any(
                one.board_id == change.board_id and abs(one.u0_m - change.u0_m) > 0.02
                for one in act.changes
            )
            near_m = self._set.place_m if not other_board else self._set.same_m
            if fits and apart_m <= near_m and act.steps and not (other_board and act.changes):
                found.append((other_board, taken, apart_m, act))
        return min(found, key=lambda row: row[:3])[3] if found else None

    def _bracket(self, change: FacingChange, u_m: float) -> tuple[float, float]:
        """When a change without grams happened: while the likeliest hand was in the shelf."""
        hands = [
            hand
            for hand in self._hands.values()
            if abs(hand.u_m - u_m) <= self._set.hand_m
            and hand.t_in_s <= change.t_after_s
            and (hand.seen is None or hand.seen.t_out_s >= change.t_before_s - self._set.hand_s)
        ]
        if not hands:
            return change.t_before_s, change.t_after_s
        nearest = min(hands, key=lambda hand: (abs(hand.u_m - u_m), hand.t_in_s))
        end_s = change.t_after_s if nearest.seen is None else nearest.seen.t_out_s
        return max(nearest.t_in_s, change.t_before_s), max(nearest.t_in_s, end_s)

    def _new_act(self, board_id: str, u_m: float, t0_s: float, t1_s: float, found_s: float) -> Act:
        act = Act(None, t0_s, t1_s, board_id, u_m, found_s)
        hand = self._nearest_hand(act)
        if hand is not None and hand.reach_id is not None and hand.acts == 0:
            act.reach_id = hand.reach_id
        elif self._stir is not None and abs(self._stir.u_m - u_m) <= self._set.hand_m:
            act.reach_id, self._stir = self._stir.reach_id, None
        if hand is not None:
            hand.acts += 1
        self._acts.append(act)
        return act

    # ------------------------------------------------------------ closing

    def _close_ripe(
        self, now_s: float, *, camera_on: bool, plates_on: bool
    ) -> Iterator[ReachOpened | ReachClosed]:
        kept: list[Act] = []
        for act in self._acts:
            if not self._is_ripe(act, now_s, camera_on=camera_on, plates_on=plates_on):
                kept.append(act)
                continue
            if act.reach_id is None:
                act.reach_id = self._next_id()
                z_m = self._z[act.board_id]
                yield self._opened(act.reach_id, act.t0_s, act.u_m, z_m, None)
            yield self._closed(act, camera_on=camera_on, plates_on=plates_on)
            for hand in self._hands.values():
                if hand.reach_id == act.reach_id:
                    hand.reach_id = None
            self._told.append(act)
        self._acts = kept
        yield from self._close_touches(now_s, camera_on=camera_on, plates_on=plates_on)
        if self._stir is not None and not (self._stir.plates & set(self._moving)):
            yield self._touch(
                self._stir.reach_id, self._stir.t_open_s, now_s, self._stir.u_m, None,
                camera_on=camera_on, plates_on=plates_on,
            )  # fmt: skip
            self._stir = None

    def _is_ripe(self, act: Act, now_s: float, *, camera_on: bool, plates_on: bool) -> bool:
        waited_s = now_s - act.t1_s
        if waited_s >= self._set.covered_s_max:
            return True
        board_moves = any(
            self._plates[name].board_id == act.board_id and since <= act.t1_s + self._set.rest_s
            for name, since in self._moving.items()
            if name in self._plates
        )
        plates_done = not plates_on or (
            not board_moves and now_s - act.found_s >= self._set.settle_s
        )
        hand_in = any(
            hand.seen is None and abs(hand.u_m - act.u_m) <= self._set.hand_m
            for hand in self._hands.values()
        )
        covered = hand_in or (self._covered_s is not None and self._covered_s <= act.t1_s)
        camera_done = not camera_on or bool(act.changes) or not covered
        if not camera_on or act.changes:
            return plates_done and now_s - act.found_s >= self._set.settle_s
        if camera_done:
            return plates_done and waited_s >= self._set.look_s
        return False

    def _close_touches(
        self, now_s: float, *, camera_on: bool, plates_on: bool
    ) -> Iterator[ReachClosed]:
        """Hands that have left, with nothing found: a touch, once nothing can come any more."""
        for name, hand in list(self._hands.items()):
            if hand.seen is None:
                continue
            waited_s = now_s - hand.seen.t_out_s
            covered = self._covered_s is not None and self._covered_s <= hand.seen.t_out_s
            busy = any(
                abs(self._middle(self._plates[plate_id]) - hand.u_m) <= self._set.hand_m
                for plate_id in self._moving
                if plate_id in self._plates
            )
            needed_s = self._set.covered_s_max if covered or busy else self._set.look_s
            if waited_s < needed_s or self._serves_open_act(hand):
                continue
            del self._hands[name]
            if hand.acts == 0 and hand.reach_id is not None:
                yield self._touch(
                    hand.reach_id, hand.t_in_s, hand.seen.t_out_s, hand.u_m, hand.seen,
                    camera_on=camera_on, plates_on=plates_on,
                )  # fmt: skip

    def _serves_open_act(self, hand: Hand) -> bool:
        return any(hand in self._hands_of(act) for act in self._acts)

    def _hands_of(self, act: Act) -> list[Hand]:
        """Hands that were there when it happened, the nearest first."""
        found = [
            hand
            for hand in self._hands.values()
            if abs(hand.u_m - act.u_m) <= self._set.hand_m
            and hand.t_in_s <= act.t1_s + self._set.hand_s
            and (hand.seen is None or hand.seen.t_out_s >= act.t0_s - self._set.hand_s)
        ]
        return sorted(found, key=lambda hand: (abs(hand.u_m - act.u_m), hand.t_in_s, hand.name))

    def _nearest_hand(self, act: Act) -> Hand | None:
        found = self._hands_of(act)
        return found[0] if found else None

    # ------------------------------------------------------------ messages

    def _opened(
        self,
        reach_id: str,
        t_s: float,
        u_m: float,
        z_m: float | None,
        body: tuple[float, float] | None,
    ) -> ReachOpened:
        return ReachOpened(
            reach_id=reach_id,
            bay_id=self._bay.bay_id,
            t_s=max(0.0, t_s),
            u_m=u_m,
            z_m=z_m,
            body_x_m=None if body is None else body[0],
            body_y_m=None if body is None else body[1],
        )

    def _closed(self, act: Act, *, camera_on: bool, plates_on: bool) -> ReachClosed:
        hands = [self._as_seen(hand, act) for hand in self._hands_of(act)[: self._set.hands_told]]
        return ReachClosed(
            reach_id=act.reach_id or "",
            bay_id=self._bay.bay_id,
            t_open_s=max(0.0, act.t0_s),
            t_close_s=max(0.0, act.t1_s),
            u_m=act.u_m,
            z_m=self._z[act.board_id] + 0.1,
            sd_u_m=0.05 if act.changes else 0.1,
            hands=tuple(hands),
            changes=tuple(act.changes[: self._set.changes_max]),
            grams=tuple(act.steps),
            camera_ok=camera_on,
            plates_ok=plates_on,
        )

    def _as_seen(self, hand: Hand, act: Act) -> HandSeen:
        """What is known of a hand, also of one that is still in the shelf for its next act."""
        if hand.seen is not None:
            return hand.seen
        return HandSeen(
            hand_id=hand.name,
            t_in_s=max(0.0, hand.t_in_s),
            t_out_s=max(0.0, hand.t_in_s, act.t1_s),
            u_m=hand.u_m,
            z_m=hand.z_m,
            sd_u_m=0.12,
            sd_z_m=0.4,
            body_x_m=None if hand.body is None else hand.body[0],
            body_y_m=None if hand.body is None else hand.body[1],
            body_sd_m=BODY_SD_M,
        )

    def _touch(
        self,
        reach_id: str,
        t_open_s: float,
        t_close_s: float,
        u_m: float,
        seen: HandSeen | None,
        *,
        camera_on: bool,
        plates_on: bool,
    ) -> ReachClosed:
        return ReachClosed(
            reach_id=reach_id,
            bay_id=self._bay.bay_id,
            t_open_s=max(0.0, t_open_s),
            t_close_s=max(0.0, t_open_s, t_close_s),
            u_m=u_m,
            z_m=None if seen is None else seen.z_m,
            hands=() if seen is None else (seen,),
            camera_ok=camera_on,
            plates_ok=plates_on,
        )

    def _next_id(self) -> str:
        self._count += 1
        return f"{self._bay.bay_id}-{self._prefix}-{self._count}"

    @staticmethod
    def _middle(plate: Plate) -> float:
        return 0.5 * (plate.u0_m + plate.u1_m)
