"""Floor tracks of scripted people seen by four cameras that overlap and are not in step."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from contracts.geometry import Camera, Gate, Intrinsics, Pose
from contracts.messages import TrackSegment
from vision.floor import FloorSettings, FloorTracker
from vision.observations import CeilingObservation

WIDTH_M, DEPTH_M = 6.0, 4.5
CAMERAS = {
    "c1": (1.5, 1.3),
    "c2": (4.5, 1.3),
    "c3": (1.5, 3.4),
    "c4": (4.5, 3.4),
}
CEILING_M, HEAD_M = 3.5, 1.62
FPS = 7.5
GATES = (
    Gate(
        gate_id="entry",
        kind="entry",
        line_m=((0.5, 0.0), (1.5, 0.0)),
        zone_m=((0.3, 0.0), (1.7, 0.0), (1.7, 1.0), (0.3, 1.0)),
    ),
    Gate(
        gate_id="exit",
        kind="exit",
        line_m=((4.5, 0.25), (5.5, 0.25)),
        zone_m=((4.3, 0.0), (5.7, 0.0), (5.7, 1.0), (4.3, 1.0)),
    ),
)
EYES = tuple(
    Camera(
        camera_id=name,
        role="ceiling",
        fps=FPS,
        intrinsics=Intrinsics(width=640, height=360, fx=270, fy=270, cx=319.5, cy=179.5),
        pose=Pose(position_m=(x, y, CEILING_M), look_at_m=(x, y, 0.0), up=(0.0, 1.0, 0.0)),
    )
    for name, (x, y) in CAMERAS.items()
)
Path = Callable[[float], tuple[float, float] | None]


@dataclass
class Person:
    """Where somebody is at a time (None: not in the store), how tall, in what colour."""

    path: Path
    stature_off_m: float = 0.0
    colour: tuple[float, float, float] = (120.0, 120.0, 120.0)
    hidden: list[tuple[float, float]] = field(default_factory=list)
    hand: bool = False


@dataclass
class Store:
    """Four cameras with noise, misses and their own phase."""

    people: list[Person]
    seed: int = 0
    miss: float = 0.05

    def observations(self, start_s: float, stop_s: float) -> list[CeilingObservation]:
        found = []
        for index, (name, at) in enumerate(CAMERAS.items()):
            phase = index * 0.031
            first = int(np.ceil((start_s - phase) * FPS - 1e-9))
            last = int(np.ceil((stop_s - phase) * FPS - 1e-9))
            for frame in range(first, last):
                found.append(self._frame(name, at, frame / FPS + phase, frame))
        return found

    def _frame(
        self, name: str, at: tuple[float, float], t_s: float, frame: int
    ) -> CeilingObservation:
        rng = np.random.default_rng([self.seed, frame, sum(map(ord, name))])
        heads, wrists, colours = [], [], []
        for person in self.people:
            where = person.path(t_s)
            if where is None or rng.random() < self.miss:
                continue
            if any(begin <= t_s < end for begin, end in person.hidden):
                continue
            offset = np.array(where) - np.array(at)
            scale = (CEILING_M - HEAD_M) / (CEILING_M - HEAD_M - person.stature_off_m)
            seen = np.array(at) + offset * scale + rng.normal(0, 0.03, 2)
            if abs(seen[0] - at[0]) > 2.2 or abs(seen[1] - at[1]) > 1.25:
                continue
            tangent = float(np.hypot(*offset)) / (CEILING_M - HEAD_M)
            heads.append([*seen, float(np.hypot(0.05, 0.11 * tangent)), rng.uniform(0.5, 0.95)])
            colours.append(np.array(person.colour) + rng.normal(0, 8, 3))
            if person.hand:
                wrists.append([where[0], where[1] + 0.5, 0.2, 0.7])
        return CeilingObservation(
            camera_id=name,
            t_s=t_s,
            heads=np.array(heads).reshape(-1, 4),
            wrists=np.array(wrists).reshape(-1, 4),
            colours=np.array(colours, np.float32).reshape(-1, 3),
        )


def run(
    store: Store, until_s: float, tracker: FloorTracker | None = None, start_s: float = 0.0
) -> list[TrackSegment]:
    tracker = tracker or FloorTracker(WIDTH_M, DEPTH_M, prefix="n", gates=GATES)
    segments: list[TrackSegment] = []
    for index in range(round(start_s * 15), round(until_s * 15)):
        seen = store.observations(index / 15, (index + 1) / 15)
        segments += tracker.step((index + 1) / 15, seen)
    return segments


def of_state(segments: list[TrackSegment], state: str) -> list[TrackSegment]:
    return [segment for segment in segments if segment.state == state]


def errors_m(segments: list[TrackSegment], track_id: str, path: Path) -> NDArray[np.float64]:
    gaps = []
    for segment in segments:
        if segment.track_id == track_id:
            for point in segment.points:
                where = path(point.t_s)
                if where is not None:
                    gaps.append(np.hypot(point.x_m - where[0], point.y_m - where[1]))
    return np.array(gaps)


def line(*stops: tuple[float, float, float]) -> Path:
    """Walks straight between (t, x, y); not there before the first and after the last."""
    t, x, y = (np.array(column) for column in zip(*stops, strict=True))

    def at(t_s: float) -> tuple[float, float] | None:
        if not t[0] <= t_s <= t[-1]:
            return None
        return float(np.interp(t_s, t, x)), float(np.interp(t_s, t, y))

    return at


def test_one_person_under_four_cameras_is_one_track() -> None:
    path = line((1, 1, 0), (4, 1.2, 3.2), (10, 1.2, 3.2), (14, 5, 3.4), (20, 5, 3.4), (24, 5, 0))
    for seed, off in ((0, 0.0), (1, 0.18), (2, -0.2)):
        segments = run(Store([Person(path, off)], seed), 30)
        assert len(of_state(segments, "born")) == 1
        assert of_state(segments, "lost") == []
        assert [segment.track_id for segment in of_state(segments, "ended")] == ["n-0"]
        error = errors_m(segments, "n-0", path)
        assert np.quantile(error, 0.9) < 0.25
        assert len(error) > 23 * 3.5


def test_published_spread_is_honest() -> None:
    path = line((0, 3, 2.4), (30, 3, 2.4))
    scores = []
    for seed in range(8):
        off = float(np.random.default_rng(seed).normal(0, 0.1))
        segments = run(Store([Person(path, off)], seed), 10)
        for segment in segments:
            for point in segment.points:
                scores.append(np.hypot(point.x_m - 3, point.y_m - 2.4) / point.sd_m)
    assert np.quantile(scores, 0.9) < 4.0


def test_crossing_people_keep_their_tracks() -> None:
    kept = 0
    for seed in range(10):
        one = line((0, 1, 2.0), (6, 5, 2.4))
        two = line((0, 5, 2.3), (6, 1, 2.1))
        store = Store(
            [
                Person(one, 0.05, (200, 40, 40)),
                Person(two, -0.05, (40, 60, 200)),
            ],
            seed,
        )
        segments = run(store, 6)
        assert len(of_state(segments, "born")) == 2
        firsts: dict[str, float] = {}
        lasts: dict[str, float] = {}
        for segment in segments:
            for point in segment.points:
                firsts.setdefault(segment.track_id, point.x_m)
                lasts[segment.track_id] = point.x_m
        kept += all(abs(firsts[name] - lasts[name]) > 2.5 for name in firsts)
    assert kept >= 9


def test_two_who_stand_close_stay_two() -> None:
    one = line((0, 1, 3.3), (3, 2.8, 3.5), (20, 2.8, 3.5))
    two = line((0, 5, 3.3), (3, 3.22, 3.5), (20, 3.22, 3.5))
    for seed in range(4):
        store = Store([Person(one, 0.1), Person(two, -0.1)], seed)
        segments = run(store, 20)
        assert len(of_state(segments, "born")) == 2
        assert of_state(segments, "ended") + of_state(segments, "lost") == []


def test_a_miss_of_two_seconds_keeps_the_track() -> None:
    path = line((0, 1.2, 1.0), (3, 1.2, 3.4), (20, 1.2, 3.4))
    store = Store([Person(path, 0.1, hidden=[(8.0, 10.0), (13.0, 16.0)])], 3)
    segments = run(store, 20)
    assert len(of_state(segments, "born")) == 1
    assert of_state(segments, "lost") == []
    assert errors_m(segments, "n-0", path).max() < 0.4


def test_a_long_miss_loses_and_links() -> None:
    path = line((0, 1.2, 1.5), (3, 1.2, 3.2), (30, 1.6, 3.3))
    store = Store([Person(path, 0.0, (30, 150, 60), hidden=[(8.0, 15.0)])], 4)
    segments = run(store, 25)
    assert [segment.track_id for segment in of_state(segments, "lost")] == ["n-0"]
    born = of_state(segments, "born")
    assert [segment.track_id for segment in born] == ["n-0", "n-1"]
    assert born[1].linked_from == "n-0"


def test_a_link_needs_the_same_clothes() -> None:
    first = line((0, 1.2, 1.5), (8, 1.2, 3.2))
    second = line((14, 1.4, 3.2), (25, 1.6, 3.3))
    store = Store([Person(first, 0.0, (30, 150, 60)), Person(second, 0.0, (220, 210, 200))], 4)
    born = of_state(run(store, 25), "born")
    assert [segment.linked_from for segment in born] == [None, None]


def test_whoever_enters_after_somebody_is_lost_is_somebody_else() -> None:
    first = line((0, 1.2, 1.5), (8, 1.0, 1.3))
    second = line((14, 1.0, 0.1), (16, 1.0, 1.5), (25, 1.6, 3.3))
    born = of_state(run(Store([Person(first), Person(second)], 4), 25), "born")
    assert [segment.linked_from for segment in born] == [None, None]


def test_four_people_shop() -> None:
    swaps = births = 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        people = []
        for index in range(4):
            t, x, y = 1.0 + 2.5 * index, 1.0, 0.05
            stops = [(t, x, y)]
            for _ in range(5):
                goal = (rng.uniform(0.7, 5.3), rng.choice([3.5, 3.55, 3.3]))
                t += float(np.hypot(goal[0] - x, goal[1] - y)) / 1.1
                x, y = goal
                stops.append((t, x, y))
                t += rng.uniform(2, 5)
                stops.append((t, x, y))
            t += float(np.hypot(5.0 - x, y)) / 1.1
            stops.append((t, 5.0, 0.0))
            colour = rng.uniform(30, 220, 3)
            people.append(Person(line(*stops), rng.normal(0, 0.08), tuple(colour)))
        segments = run(Store(people, seed), 60)
        births += len(of_state(segments, "born"))
        for name in {segment.track_id for segment in segments}:
            owners = set()
            for segment in segments:
                for point in segment.points:
                    if segment.track_id != name or point.sd_m > 0.15:
                        continue
                    spots = [(p, person.path(point.t_s)) for p, person in enumerate(people)]
                    near = [
                        (np.hypot(point.x_m - at[0], point.y_m - at[1]), p)
                        for p, at in spots
                        if at is not None
                    ]
                    near.sort()
                    if near and near[0][0] < 0.3 and (len(near) < 2 or near[1][0] > 0.6):
                        owners.add(near[0][1])
            swaps += max(0, len(owners) - 1)
    assert births <= 26
    assert swaps <= 2


def test_clutter_that_flickers_is_nobody() -> None:
    tracker = FloorTracker(WIDTH_M, DEPTH_M, prefix="n")
    rng = np.random.default_rng(0)
    segments: list[TrackSegment] = []
    for index in range(300):
        heads = np.zeros((0, 4))
        if rng.random() < 0.1:
            heads = np.array([[rng.uniform(0, 6), rng.uniform(0, 4.5), 0.1, 0.6]])
        seen = CeilingObservation(
            camera_id="c1",
            t_s=index / FPS,
            heads=heads,
            wrists=np.zeros((0, 4)),
            colours=np.zeros((len(heads), 3), np.float32),
        )
        segments += tracker.step(index / FPS, [seen])
    assert segments == []


def test_wrists_go_to_the_body_within_reach() -> None:
    people = [
        Person(line((0, 1.5, 3.0), (10, 1.5, 3.0)), hand=True),
        Person(line((0, 4.5, 3.0), (10, 4.5, 3.0))),
    ]
    segments = run(Store(people, 1), 5)
    owners = {segment.track_id for segment in segments if segment.wrists}
    assert len(owners) == 1
    name = owners.pop()
    wrists = [wrist for segment in segments for wrist in segment.wrists]
    assert len(wrists) > 20
    assert all(abs(wrist.x_m - 1.5) < 0.1 and abs(wrist.y_m - 3.5) < 0.1 for wrist in wrists)
    points = [point for one in segments if one.track_id == name for point in one.points]
    assert abs(points[-1].x_m - 1.5) < 0.2


def test_news_come_at_a_bounded_rate_and_in_order() -> None:
    path = line((0, 1.2, 1.0), (20, 4.8, 3.4))
    segments = run(Store([Person(path)], 3), 20)
    times = [point.t_s for segment in segments for point in segment.points]
    assert times == sorted(times)
    assert 3.5 <= len(times) / 20 <= 6.0
    gaps = np.diff(times)
    assert gaps.max() <= 0.35


def test_a_blind_camera_says_nothing_about_people() -> None:
    tracker = FloorTracker(WIDTH_M, DEPTH_M, FloorSettings(), prefix="n")
    path = line((0, 3.0, 2.4), (20, 3.0, 2.4))
    store = Store([Person(path)], 1, miss=0.0)
    run(store, 3, tracker)
    dark = CeilingObservation(
        camera_id="c1",
        t_s=3.1,
        heads=np.array([[0.5, 0.5, 0.1, 0.9]]),
        wrists=np.zeros((0, 4)),
        colours=np.zeros((1, 3), np.float32),
        blind="black picture",
    )
    for index in range(6):
        tracker.step(3.1 + index * 0.1, [dark])
    assert len(tracker.open_tracks()) == 1


@pytest.mark.parametrize("count", [12, 20])
def test_a_crowd_is_counted(count: int) -> None:
    rng = np.random.default_rng(count)
    spots: list[tuple[float, float]] = []
    while len(spots) < count:
        spot = (rng.uniform(0.3, 5.7), rng.uniform(0.4, 4.0))
        if all(np.hypot(spot[0] - x, spot[1] - y) > 0.55 for x, y in spots):
            spots.append(spot)
    people = [
        Person(line((0, *spot), (9, *spot)), rng.normal(0, 0.07), tuple(rng.uniform(30, 220, 3)))
        for spot in spots
    ]
    tracker = FloorTracker(WIDTH_M, DEPTH_M, prefix="n")
    run(Store(people, 2), 6, tracker)
    assert abs(len(tracker.open_tracks()) - count) <= 1


def test_a_restarted_tracker_links_to_who_was_there() -> None:
    one = line((0, 1.2, 3.0), (30, 1.5, 3.2))
    two = line((0, 4.6, 3.0), (30, 4.3, 3.2))
    store = Store([Person(one, 0.0, (200, 40, 40)), Person(two, 0.0, (40, 40, 200))], 4)
    before = FloorTracker(WIDTH_M, DEPTH_M, prefix="a", gates=GATES)
    run(store, 8, before)
    names = {track.x_m < 3: track.track_id for track in before.open_tracks()}
    after = FloorTracker(WIDTH_M, DEPTH_M, prefix="b", gates=GATES)
    after.restore(json.loads(json.dumps(before.snapshot())))
    segments = run(store, 15, after, start_s=11)
    assert {segment.track_id for segment in of_state(segments, "lost")} == set(names.values())
    links = {
        segment.points[0].x_m < 3: segment.linked_from for segment in of_state(segments, "born")
    }
    assert links == names


def with_cameras() -> FloorTracker:
    return FloorTracker(WIDTH_M, DEPTH_M, prefix="n", gates=GATES, cameras=EYES)


def test_who_crouches_between_two_cameras_is_one_person() -> None:
    path = line((0, 2.9, 1.0), (5, 3.0, 2.3), (20, 3.0, 2.3))
    for seed in range(4):
        crouched = Person(path, stature_off_m=-0.3)
        segments = run(Store([crouched], seed), 15, with_cameras())
        assert len(of_state(segments, "born")) == 1
        error = errors_m(segments, "n-0", path)
        assert np.quantile(error[20:], 0.9) < 0.2


def test_what_only_one_of_two_cameras_sees_is_nobody() -> None:
    tracker = with_cameras()
    segments: list[TrackSegment] = []
    for index in range(40):
        t_s = index / FPS
        ghost = np.array([[3.0, 1.6, 0.1, 0.16]])
        seen = [
            CeilingObservation(
                camera_id=name,
                t_s=t_s + 0.01 * place,
                heads=ghost if name == "c1" else np.zeros((0, 4)),
                wrists=np.zeros((0, 4)),
                colours=np.full((1 if name == "c1" else 0, 3), 90, np.float32),
            )
            for place, name in enumerate(CAMERAS)
        ]
        segments += tracker.step(t_s + 0.05, seen)
    assert of_state(segments, "born") == []


def test_the_older_name_goes_on_with_the_person() -> None:
    """The track runs off after a false head; the person goes on under the name it had."""
    path = line((0, 1.0, 0.3), (4, 1.5, 3.0), (30, 1.5, 3.0))
    store = Store([Person(path)], 2)
    tracker = with_cameras()
    segments: list[TrackSegment] = []
    for index in range(15 * 24):
        now = (index + 1) / 15
        seen = store.observations(index / 15, now)
        if 8.0 <= now < 9.0:
            # For a second the cameras see a head that moves off, not the person.
            off = np.array([[1.5 + 0.9 * (now - 8.0), 3.0 - 0.3 * (now - 8.0), 0.08, 0.9]])
            seen = [
                CeilingObservation(
                    one.camera_id, one.t_s, off, one.wrists, np.full((1, 3), 120, np.float32)
                )
                for one in seen
                if one.camera_id == "c3"
            ]
        segments += tracker.step(now, seen)
    alive = tracker.open_tracks()
    assert [track.track_id for track in alive] == ["n-0"]
    assert np.hypot(alive[0].x_m - 1.5, alive[0].y_m - 3.0) < 0.2


@dataclass
class Seen:
    """One camera's frame, by hand: rows of x, y, spread, score and their colours."""

    rows: list[tuple[float, float, float, float]]
    colours: list[tuple[float, float, float]]

    def at(self, t_s: float) -> CeilingObservation:
        return CeilingObservation(
            camera_id="c1",
            t_s=t_s,
            heads=np.array(self.rows).reshape(-1, 4),
            wrists=np.zeros((0, 4)),
            colours=np.array(self.colours, np.float32).reshape(-1, 3),
        )


RED, BLUE = (190.0, 40.0, 40.0), (40.0, 40.0, 190.0)


def test_a_body_without_a_head_beside_a_head_is_somebody() -> None:
    """Both are seen with heads first; then one stands still, head unseen, close to the other."""
    tracker = FloorTracker(WIDTH_M, DEPTH_M, prefix="n")
    segments: list[TrackSegment] = []
    for index in range(60):
        spread = 0.06 if index < 15 else 0.2
        seen = Seen([(1.2, 1.9, spread, 0.7), (0.65, 1.35, 0.06, 0.9)], [RED, BLUE])
        segments += tracker.step(index / FPS + 0.05, [seen.at(index / FPS)])
    assert len(of_state(segments, "born")) == 2
    assert of_state(segments, "ended") == []
    assert len(tracker.open_tracks()) == 2


def test_a_track_does_not_jump_to_other_clothes() -> None:
    """Somebody is missed for a while, and a false head appears 0.65 m away."""
    tracker = FloorTracker(WIDTH_M, DEPTH_M, prefix="n")
    for index in range(30):
        tracker.step(index / FPS + 0.05, [Seen([(1.2, 1.9, 0.06, 0.8)], [RED]).at(index / FPS)])
    (track,) = tracker.open_tracks()
    for index in range(30, 33):
        seen = Seen([(1.85, 1.9, 0.06, 0.6)], [BLUE])
        tracker.step(index / FPS + 0.05, [seen.at(index / FPS)])
    (same,) = [one for one in tracker.open_tracks() if one.track_id == track.track_id]
    assert abs(same.x_m - 1.2) < 0.2
