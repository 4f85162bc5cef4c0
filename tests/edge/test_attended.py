"""Whether anybody is before a wall, over several cameras and over a moment."""

from __future__ import annotations

import pytest

from edge.attended import GONE_S, Attended
from vision.wall import WallObservation
from vision.wall.wallmap import FRESH_S

FRAME_S = 0.2


class Watched:
    """A wall with cameras, a picture of each every fifth of a second, and what was told."""

    def __init__(self) -> None:
        self.made = Attended()
        self.now_s = 10.0
        self.told: list[tuple[float, bool]] = []

    def run(self, seconds: float, **cameras: bool | str) -> list[bool]:
        """So long each camera sees somebody (True), nobody (False), or is blind (why); what was
        told meanwhile."""
        before = len(self.told)
        for _ in range(round(seconds / FRAME_S)):
            self.now_s = round(self.now_s + FRAME_S, 3)
            news = self.made.step(self.now_s, [self._sight(k, v) for k, v in cameras.items()])
            if news is not None:
                self.told.append((self.now_s, news))
        return [somebody for _, somebody in self.told[before:]]

    def _sight(self, camera: str, seen: bool | str) -> WallObservation:
        blind = seen if isinstance(seen, str) else None
        # What a blind camera saw last counts for nothing.
        return WallObservation(
            camera, "wall-1", self.now_s, active=True, blind=blind, somebody=seen is not False
        )


def test_it_is_told_once_and_then_when_it_changes() -> None:
    wall = Watched()
    assert wall.run(3.0, left=False) == [False]
    assert wall.run(3.0, left=True) == [True]
    assert wall.run(3.0, left=False) == [False]


def test_somebody_is_told_at_once_and_nobody_after_a_moment() -> None:
    wall = Watched()
    wall.run(2.0, left=False)
    came_s = wall.now_s
    wall.run(2.0, left=True)
    gone_s = wall.now_s
    wall.run(2.0, left=False)
    assert [round(at_s, 3) for at_s, _ in wall.told[1:]] == [
        round(came_s + FRAME_S, 3), round(gone_s + GONE_S, 3)
    ]  # fmt: skip


def test_who_is_out_of_sight_for_less_than_a_moment_has_not_gone() -> None:
    wall = Watched()
    wall.run(2.0, left=True)
    for _ in range(5):
        assert wall.run(GONE_S - FRAME_S, left=False) == []
        assert wall.run(FRAME_S, left=True) == []


def test_any_camera_that_sees_somebody_is_enough() -> None:
    wall = Watched()
    wall.run(2.0, left=False, right=False)
    assert wall.run(3.0, left=False, right=True) == [True]
    assert wall.run(3.0, left=True, right=False) == []
    assert wall.run(3.0, left=False, right=False) == [False]


def test_a_blind_camera_says_nothing_and_another_goes_on() -> None:
    wall = Watched()
    wall.run(2.0, left=True, right=False)
    assert wall.run(3.0, left="covered", right=False) == [False]
    assert wall.run(3.0, left="covered", right=True) == [True]


@pytest.mark.parametrize("somebody", [True, False])
def test_while_all_are_blind_nothing_is_said(somebody: bool) -> None:
    wall = Watched()
    assert wall.run(3.0, left=somebody) == [somebody]
    assert wall.run(30.0, left="covered") == []
    assert wall.run(GONE_S - FRAME_S, left=False) == []
    assert wall.run(3.0, left=False) == ([False] if somebody else [])


def test_a_wall_that_was_blind_from_the_start_says_nothing() -> None:
    assert Watched().run(30.0, left="black picture") == []


def test_a_camera_that_gives_no_pictures_sees_nothing() -> None:
    wall = Watched()
    wall.run(2.0, left=True, right=False)
    # The left one is cut off while somebody stands there: it stands for nobody for good.
    assert wall.run(FRESH_S + GONE_S + FRAME_S, right=False) == [False]
    assert wall.run(30.0) == []
