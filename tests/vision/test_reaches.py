"""Reaches: what belongs to one act is told as one, once; what does not is told apart."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from contracts.geometry import Bay, Board, Plate
from contracts.messages import (
    ActionLikelihood,
    FacingChange,
    GramStep,
    HandSeen,
    ReachClosed,
    ReachOpened,
)
from vision.observations import OpenHand, PlateNews, ShelfObservation
from vision.reaches import ReachBuilder

BAY = Bay(
    bay_id="bay-a", origin_m=(0.6, 4.05), facing_deg=-90, width_m=1.0, depth_m=0.4, height_m=2.1,
    boards=tuple(
        Board(board_id=f"bay-a-{n}", z_m=z, clearance_m=0.33)
        for n, z in enumerate((0.35, 0.70, 1.05, 1.40), start=1)
    ),
)  # fmt: skip
PLATES = tuple(
    Plate(
        plate_id=f"bay-a-{row}-p{n}", bay_id="bay-a", board_id=f"bay-a-{row}",
        u0_m=n / 4, u1_m=(n + 1) / 4,
    )
    for row in (1, 2, 3, 4) for n in range(4)
)  # fmt: skip


def _open_hand(name: str, t_in_s: float, u_m: float) -> OpenHand:
    return OpenHand(name, t_in_s, u_m, 1.1, 1.0, 3.4)


def _hand(name: str, t_in_s: float, t_out_s: float, u_m: float) -> HandSeen:
    return HandSeen(
        hand_id=name, t_in_s=t_in_s, t_out_s=t_out_s, u_m=u_m, z_m=1.1, sd_u_m=0.05, sd_z_m=0.3,
        body_x_m=1.0, body_y_m=3.4,
    )  # fmt: skip


def _change(u_m: float, before_s: float, after_s: float, board: int = 3) -> FacingChange:
    return FacingChange(
        board_id=f"bay-a-{board}", u0_m=u_m - 0.04, u1_m=u_m + 0.04,
        t_before_s=before_s, t_after_s=after_s,
        action=ActionLikelihood(pick=0.0, put_back=-4.0, nothing=-3.0),
    )  # fmt: skip


def _step(plate: str, start_s: float, grams: float) -> GramStep:
    return GramStep(
        plate_id=plate, t_start_s=start_s, t_end_s=start_s + 0.3, delta_g=grams, sd_g=1.5
    )


class _Run:
    """Steps a builder at 10 Hz; evidence is given by the time at which it is found."""

    def __init__(self, *, camera: bool = True, plates: bool = True) -> None:
        self.builder = ReachBuilder(BAY, PLATES, prefix="boot1")
        self.camera, self.plates = camera, plates
        self.hands: list[HandSeen] = []
        self.changes: list[tuple[float, FacingChange]] = []
        self.steps: list[tuple[float, GramStep]] = []
        self.moving: list[tuple[float, float, str]] = []
        self.covered: tuple[float, float] | None = None
        self.said: list[tuple[float, ReachOpened | ReachClosed]] = []

    def play(self, until_s: float) -> _Run:
        for index in range(1, round(until_s * 10) + 1):
            t_s, last_s = index / 10, (index - 1) / 10
            seen: Sequence[ShelfObservation] = ()
            if self.camera:
                covered = self.covered
                hidden = covered is not None and covered[0] <= t_s < covered[1]
                seen = (
                    ShelfObservation(
                        camera_id="cam-a", bay_id="bay-a", t_s=t_s, active=True,
                        open_hands=tuple(
                            _open_hand(hand.hand_id, hand.t_in_s, hand.u_m)
                            for hand in self.hands if hand.t_in_s <= t_s < hand.t_out_s
                        ),
                        hands_closed=tuple(
                            hand for hand in self.hands if last_s < hand.t_out_s <= t_s
                        ),
                        changes=tuple(one for at, one in self.changes if last_s < at <= t_s),
                        covered_since_s=covered[0] if hidden and covered else None,
                    ),
                )  # fmt: skip
            news = PlateNews(
                "bay-a", t_s,
                steps=tuple(one for at, one in self.steps if last_s < at <= t_s),
                moving=tuple(
                    (plate, since) for since, end, plate in self.moving if since <= t_s < end
                ),
            )  # fmt: skip
            out = self.builder.step(
                t_s, seen, news if self.plates else None, self.camera, self.plates
            )
            self.said += [(t_s, one) for one in out]
        return self

    @property
    def opened(self) -> list[ReachOpened]:
        return [one for _, one in self.said if isinstance(one, ReachOpened)]

    @property
    def closed(self) -> list[ReachClosed]:
        return [one for _, one in self.said if isinstance(one, ReachClosed)]


def test_hand_grams_and_change_of_one_place_are_one_reach() -> None:
    run = _Run()
    run.hands = [_hand("h1", 2.0, 3.5, 0.4)]
    run.moving = [(2.5, 3.2, "bay-a-3-p1")]
    run.steps = [(3.2, _step("bay-a-3-p1", 2.5, -250.0))]
    run.changes = [(4.0, _change(0.42, 1.9, 3.9))]
    run.play(14)
    (reach,) = run.closed
    assert [one.reach_id for one in run.opened] == [reach.reach_id] == ["bay-a-boot1-1"]
    assert [hand.hand_id for hand in reach.hands] == ["h1"]
    assert [step.delta_g for step in reach.grams] == [-250.0]
    assert len(reach.changes) == 1
    assert reach.u_m == pytest.approx(0.4, abs=0.05)
    assert (reach.camera_ok, reach.plates_ok) == (True, True)
    assert run.builder.open_reaches() == ()


@pytest.mark.parametrize(("camera", "plates"), [(True, False), (False, True)])
def test_one_sensor_alone_is_enough(camera: bool, plates: bool) -> None:
    run = _Run(camera=camera, plates=plates)
    run.hands = [_hand("h1", 2.0, 3.5, 0.4)]
    run.steps = [(3.2, _step("bay-a-3-p1", 2.5, -250.0))]
    run.changes = [(4.0, _change(0.42, 1.9, 3.9))]
    run.play(14)
    (reach,) = run.closed
    assert len(run.opened) == 1
    assert (bool(reach.hands), len(reach.changes), len(reach.grams)) == (camera, camera, plates)
    assert (reach.camera_ok, reach.plates_ok) == (camera, plates)


def test_two_people_at_two_places_are_two_reaches() -> None:
    run = _Run()
    run.hands = [_hand("h1", 2.0, 3.5, 0.1), _hand("h2", 2.1, 3.6, 0.9)]
    run.steps = [(3.2, _step("bay-a-3-p0", 2.5, -250.0)), (3.3, _step("bay-a-3-p3", 2.6, -400.0))]
    run.changes = [(4.0, _change(0.12, 1.9, 3.9)), (4.1, _change(0.88, 1.9, 4.0))]
    run.play(14)
    told = {reach.hands[0].hand_id: reach for reach in run.closed}
    assert sorted(told) == ["h1", "h2"]
    assert told["h1"].grams[0].delta_g == -250.0
    assert told["h2"].grams[0].delta_g == -400.0
    assert [len(reach.changes) for reach in run.closed] == [1, 1]


def test_picks_one_after_another_from_one_plate_stay_apart() -> None:
    run = _Run()
    run.hands = [_hand("h1", 2.0, 6.0, 0.4)]
    run.steps = [(3.0, _step("bay-a-3-p1", 2.5, -250.0)), (5.2, _step("bay-a-3-p1", 4.7, -250.0))]
    # The camera tells a change in the frame in which the place is clear again.
    run.covered = (2.0, 6.6)
    run.changes = [(6.6, _change(0.42, 1.9, 6.5))]
    run.play(16)
    assert [len(reach.grams) for reach in run.closed] == [1, 1]
    assert len({reach.reach_id for reach in run.closed}) == 2
    assert sum(len(reach.changes) for reach in run.closed) == 1
    assert all(reach.hands for reach in run.closed)


def test_one_bag_on_two_plates_is_one_reach() -> None:
    run = _Run(camera=False)
    run.steps = [(3.2, _step("bay-a-2-p1", 2.5, -57.0)), (3.2, _step("bay-a-2-p2", 2.52, -48.0))]
    run.play(14)
    (reach,) = run.closed
    assert sorted(step.delta_g for step in reach.grams) == [-57.0, -48.0]


def test_a_hand_that_takes_nothing_is_told_as_a_touch() -> None:
    run = _Run()
    run.hands = [_hand("h1", 2.0, 3.5, 0.4)]
    run.play(14)
    (reach,) = run.closed
    assert (reach.changes, reach.grams) == ((), ())
    assert [hand.hand_id for hand in reach.hands] == ["h1"]
    assert len(run.opened) == 1


def test_a_change_and_a_step_without_a_hand_are_reaches_of_their_own() -> None:
    run = _Run()
    run.changes = [(4.0, _change(0.1, 1.9, 3.9, board=1))]
    run.steps = [(8.0, _step("bay-a-4-p3", 7.5, 120.0))]
    run.play(20)
    assert [(len(r.changes), len(r.grams)) for r in run.closed] == [(1, 0), (0, 1)]
    assert len(run.opened) == 2


def test_while_the_place_is_covered_the_reach_waits_but_not_for_ever() -> None:
    run = _Run()
    run.hands = [_hand("h1", 2.0, 3.5, 0.4)]
    run.steps = [(3.2, _step("bay-a-3-p1", 2.5, -250.0))]
    run.covered = (2.0, 7.2)
    run.changes = [(7.2, _change(0.42, 1.9, 7.1))]
    run.play(20)
    (reach,) = run.closed
    assert len(reach.changes) == 1
    assert run.said[-1][0] >= 7.2

    late = _Run()
    late.hands, late.steps, late.covered = run.hands, run.steps, (2.0, 60.0)
    late.play(20)
    (reach,) = late.closed
    assert reach.changes == ()
    assert late.said[-1][0] < 13.0


def test_late_sight_of_grams_already_told_is_not_told_again() -> None:
    run = _Run()
    run.hands = [_hand("h1", 2.0, 3.5, 0.4)]
    run.steps = [(3.2, _step("bay-a-3-p1", 2.5, -250.0))]
    run.covered = (2.0, 30.0)
    run.changes = [(25.0, _change(0.42, 1.9, 24.9))]
    run.play(40)
    assert [(len(r.changes), len(r.grams)) for r in run.closed] == [(0, 1)]


def test_an_open_reach_is_named_until_it_closes() -> None:
    run = _Run()
    run.hands = [_hand("h1", 2.0, 5.0, 0.4)]
    run.play(4)
    (open_reach,) = run.builder.open_reaches()
    assert open_reach.reach_id == run.opened[0].reach_id
    assert open_reach.t_open_s == pytest.approx(2.0)


def test_the_same_evidence_gives_the_same_words() -> None:
    def once() -> list[tuple[float, ReachOpened | ReachClosed]]:
        run = _Run()
        run.hands = [_hand("h1", 2.0, 3.5, 0.1), _hand("h2", 2.1, 3.6, 0.9)]
        run.steps = [(3.2, _step("bay-a-3-p0", 2.5, -250.0))]
        run.changes = [(4.0, _change(0.12, 1.9, 3.9)), (4.1, _change(0.88, 1.9, 4.0))]
        return run.play(14).said

    assert once() == once()


def test_a_plate_that_shook_through_two_acts_belongs_to_the_second() -> None:
    """Put back onto one plate, taken again from it and from its neighbour two seconds later; the
    neighbour did not come to rest in between."""
    run = _Run(camera=False)
    bridged = GramStep(plate_id="bay-a-3-p0", t_start_s=2.2, t_end_s=5.2, delta_g=-280.0, sd_g=1.0)
    run.moving = [(2.2, 5.3, "bay-a-3-p0")]
    run.steps = [
        (2.9, _step("bay-a-3-p1", 2.2, 548.0)),
        (5.3, bridged),
        (5.4, _step("bay-a-3-p1", 4.7, -268.0)),
    ]
    run.play(16)
    totals = [sum(step.delta_g for step in reach.grams) for reach in run.closed]
    assert totals == [548.0, -548.0]


def test_what_is_pushed_from_plate_to_plate_stays_one_reach() -> None:
    run = _Run(camera=False)
    run.steps = [(3.0, _step("bay-a-3-p0", 2.2, 200.0)), (3.0, _step("bay-a-3-p1", 2.2, -200.0))]
    run.play(14)
    assert [sum(step.delta_g for step in reach.grams) for reach in run.closed] == [0.0]
