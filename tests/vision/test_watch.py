"""Picks and put-backs on real footage, and on scenes drawn so that the answer is known."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vision.errors import FrameError
from vision.watch import Watcher, WatchEvent

Frames = list[tuple[float, NDArray[np.uint8]]]
VIDEO = Path(__file__).resolve().parents[3] / "shared" / "realdata" / "video"
BOTTLE, PEOPLE = "bottle-shelf-15s.mp4", "one-by-one-person-detection.mp4"
WORK = (320, 180)
PICK_S, PUT_BACK_S, LENGTH_S = 6.9, 13.2, 15.0


def _decode(name: str) -> Frames:
    import av

    path = VIDEO / name
    if not path.exists():
        if os.environ.get("CI"):
            pytest.fail(f"the real footage must be beside the checkout in CI: {path} is missing")
        pytest.skip(f"no real footage beside this checkout: {path} is missing")
    with av.open(str(path)) as container:
        return [
            (
                float(frame.time or 0.0),
                np.asarray(frame.reformat(*WORK, format="rgb24").to_ndarray(), np.uint8),
            )
            for frame in container.decode(video=0)
        ]


@pytest.fixture(scope="session")
def bottle() -> Frames:
    return _decode(BOTTLE)


@pytest.fixture(scope="session")
def people() -> Frames:
    return _decode(PEOPLE)


def _watch(frames: Iterable[tuple[float, NDArray[np.uint8]]]) -> list[WatchEvent]:
    watcher = Watcher()
    events = [event for t_s, rgb in frames for event in watcher.step(t_s, rgb)]
    return sorted([*events, *watcher.finish()], key=lambda event: event.t_s)


def _expect(
    events: list[WatchEvent], expected: list[tuple[str, float]], *, within_s: float = 1.0
) -> None:
    assert [event.action for event in events] == [action for action, _ in expected], events
    for event, (_, t_s) in zip(events, expected, strict=True):
        assert event.t_s == pytest.approx(t_s, abs=within_s)
        assert event.quantity == 1
        assert event.confidence > 0.7


def _reversed(frames: Frames) -> Frames:
    return [(t_s, rgb) for (t_s, _), (_, rgb) in zip(frames, frames[::-1], strict=True)]


# ---------------------------------------------------------------- the bottle clip


def test_the_bottle_is_taken_and_put_back(bottle: Frames) -> None:
    events = _watch(bottle)
    _expect(events, [("pick", PICK_S), ("put_back", PUT_BACK_S)])
    for event in events:
        x0, y0, x1, y1 = event.box
        assert 15 <= x0 < 40
        assert 50 < x1 <= 75
        assert 40 <= y0 < 70
        assert 140 < y1 <= 170


def test_reversed_the_roles_swap(bottle: Frames) -> None:
    expected = [("pick", LENGTH_S - PUT_BACK_S), ("put_back", LENGTH_S - PICK_S)]
    _expect(_watch(_reversed(bottle)), expected)


def test_mirrored(bottle: Frames) -> None:
    events = _watch((t_s, np.ascontiguousarray(rgb[:, ::-1])) for t_s, rgb in bottle)
    _expect(events, [("pick", PICK_S), ("put_back", PUT_BACK_S)])
    assert min(event.box[0] for event in events) > 240


def test_played_twice(bottle: Frames) -> None:
    events = _watch([*bottle, *((t_s + LENGTH_S, rgb) for t_s, rgb in bottle)])
    _expect(
        events,
        [
            ("pick", PICK_S),
            ("put_back", PUT_BACK_S),
            ("pick", LENGTH_S + PICK_S),
            ("put_back", LENGTH_S + PUT_BACK_S),
        ],
    )


def test_at_half_the_speed(bottle: Frames) -> None:
    slow = [(2 * t_s + half / 15, rgb) for t_s, rgb in bottle[::2] for half in (0, 1)]
    expected = [("pick", 2 * PICK_S), ("put_back", 2 * PUT_BACK_S)]
    _expect(_watch(slow), expected, within_s=2.0)


@pytest.mark.parametrize("gain", [0.6, 1.5])
def test_brighter_and_darker(bottle: Frames, gain: float) -> None:
    table = np.clip(np.arange(256) * gain, 0, 255).astype(np.uint8)
    events = _watch((t_s, table[rgb]) for t_s, rgb in bottle)
    _expect(events, [("pick", PICK_S), ("put_back", PUT_BACK_S)])


@pytest.mark.parametrize("cast", [(1.2, 1.0, 0.7), (0.6, 0.9, 1.2)])
def test_under_a_colour_cast(bottle: Frames, cast: tuple[float, float, float]) -> None:
    gains = np.array(cast, np.float32)
    events = _watch((t_s, np.clip(rgb * gains, 0, 255).astype(np.uint8)) for t_s, rgb in bottle)
    _expect(events, [("pick", PICK_S), ("put_back", PUT_BACK_S)])


@pytest.mark.parametrize("every", [4, 6])
def test_at_five_and_eight_frames_a_second(bottle: Frames, every: int) -> None:
    _expect(_watch(bottle[::every]), [("pick", PICK_S), ("put_back", PUT_BACK_S)])


def test_with_noise_and_shake(bottle: Frames) -> None:
    rng = np.random.default_rng(7)

    def shaken() -> Iterator[tuple[float, NDArray[np.uint8]]]:
        for t_s, rgb in bottle:
            dx, dy = rng.normal(0, 0.7, 2)
            matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
            moved = cv2.warpAffine(rgb, matrix, WORK, borderMode=cv2.BORDER_REPLICATE)
            yield t_s, np.clip(moved + rng.normal(0, 5, moved.shape), 0, 255).astype(np.uint8)

    _expect(_watch(shaken()), [("pick", PICK_S), ("put_back", PUT_BACK_S)])


def test_light_that_steps_in_between(bottle: Frames) -> None:
    frames = [
        (t_s, rgb if t_s < 9 else (rgb * np.float32(0.65)).astype(np.uint8)) for t_s, rgb in bottle
    ]
    _expect(_watch(frames), [("pick", PICK_S), ("put_back", PUT_BACK_S)])


# ---------------------------------------------------------------- people are no goods


def test_people_who_come_stand_and_go_are_no_events(people: Frames) -> None:
    assert _watch(people) == []


def test_people_walking_backwards_are_no_events(people: Frames) -> None:
    assert _watch(_reversed(people)[::2]) == []


# ---------------------------------------------------------------- drawn scenes

ROOM = (360, 640, 3)


def _room() -> NDArray[np.uint8]:
    rng = np.random.default_rng(3)
    small = rng.integers(60, 200, (9, 16, 3)).astype(np.uint8)
    room = cv2.resize(small, (640, 360), interpolation=cv2.INTER_CUBIC)
    room[250:262] = (90, 60, 40)
    return np.asarray(room, np.uint8)


def _item(room: NDArray[np.uint8], x: int, y: int) -> None:
    cv2.rectangle(room, (x, y), (x + 50, y + 90), (200, 40, 40), -1)
    cv2.rectangle(room, (x + 6, y + 20), (x + 44, y + 50), (240, 240, 220), -1)
    cv2.line(room, (x + 10, y + 35), (x + 40, y + 35), (20, 20, 20), 3)


def _arm(room: NDArray[np.uint8], x: int, y: int) -> None:
    cv2.line(room, (x, y), (x, -20), (205, 160, 135), 34)
    cv2.circle(room, (x, y), 26, (205, 160, 135), -1)


def _film(*, items: dict[str, tuple[int, int]], script: list[tuple[float, float, str]]) -> Frames:
    """A film at 10 Hz. `script`: (from, to, what): an arm that comes to an item in the first
    quarter of the time and goes in the last, 'take NAME', 'put NAME' or 'touch NAME'."""
    frames: Frames = []
    there = {name for name in items if not any(line[2] == f"put {name}" for line in script)}
    for index in range(round((max(end for _, end, _ in script) + 3) * 10)):
        t_s = index / 10
        picture = _room()
        arm: tuple[int, int] | None = None
        carried: str | None = None
        for begin, end, what in script:
            verb, name = what.split()
            if not begin <= t_s <= end:
                continue
            part = (t_s - begin) / (end - begin)
            depth = min(1.0, 4 * part, 4 * (1 - part))
            x, y = items[name]
            arm = (x + 25, int(-60 + depth * (y + 60)))
            holds = (verb == "take" and part > 0.7) or (verb == "put" and part < 0.3)
            carried = name if holds else None
            if verb == "take" and part > 0.7:
                there.discard(name)
            if verb == "put" and part >= 0.3:
                there.add(name)
        for name in sorted(there):
            _item(picture, *items[name])
        if arm is not None:
            if carried is not None:
                _item(picture, arm[0] - 25, arm[1])
            _arm(picture, *arm)
        frames.append((t_s, picture))
    return frames


SHELF = {"left": (120, 160), "middle": (290, 160), "right": (460, 160)}


def test_several_items_one_after_another() -> None:
    script = [(2.0, 4.0, "take left"), (7.0, 9.0, "take right"), (12.0, 14.0, "take middle")]
    events = _watch(_film(items=SHELF, script=script))
    assert [event.action for event in events] == ["pick", "pick", "pick"]
    assert [round(event.box[0], -1) for event in events] == [120, 460, 290]


def test_an_item_that_is_only_touched_is_no_event() -> None:
    assert _watch(_film(items=SHELF, script=[(2.0, 4.0, "touch middle")])) == []


def test_an_item_put_on_an_empty_place_is_put_back() -> None:
    events = _watch(_film(items=SHELF, script=[(2.0, 5.0, "put middle")]))
    assert [event.action for event in events] == ["put_back"]


def test_an_item_that_vanishes_by_itself_is_no_event() -> None:
    frames = _film(items=SHELF, script=[(2.0, 4.0, "touch middle")])
    empty = _room()
    _item(empty, *SHELF["left"])
    assert _watch([*frames, *((10 + k / 10, empty) for k in range(80))]) == []


def test_a_camera_that_is_turned_starts_anew() -> None:
    frames = _film(items=SHELF, script=[(2.0, 4.0, "take left")])
    turned = [(t_s + 10, np.ascontiguousarray(rgb[::-1])) for t_s, rgb in frames]
    events = _watch([*frames, *turned])
    assert [event.action for event in events] == ["pick", "pick"]


def test_frames_must_be_frames_in_order() -> None:
    watcher = Watcher()
    frame = np.zeros(ROOM, np.uint8)
    watcher.step(1.0, frame)
    with pytest.raises(FrameError, match="order of time"):
        watcher.step(0.5, frame)
    with pytest.raises(FrameError, match="uint8"):
        watcher.step(2.0, frame.astype(np.float32))
    with pytest.raises(FrameError, match="one size"):
        watcher.step(2.0, np.zeros((100, 100, 3), np.uint8))
