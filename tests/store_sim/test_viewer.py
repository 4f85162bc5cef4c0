"""The viewer shows what happened: where, by whom, in which pixels."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from PIL import ImageFont

from contracts.store_file import StoreFile, load_store_file, parse_store_file
from store_sim.errors import ViewError
from store_sim.recording import Simulation, record_simulation
from store_sim.scenarios import build
from store_sim.viewer import (
    MOSAIC_SIZE,
    Mosaic,
    RecordedShow,
    ShownAction,
    SimulatedShow,
    StripMaker,
    action_pictures,
    film,
    pictures_of_actions,
    sentence,
)
from store_sim.viewer.guess import guessed_marks, guessed_people
from store_sim.viewer.known import read_known
from store_sim.viewer.paint import ACCENT, fitted, font
from store_sim.viewer.pictures import cameras_of
from store_sim.viewer.plan import FloorPlan
from store_sim.viewer.shows import PlateCurves
from store_sim.viewer.snapshot import Snapshot, bay_of_point
from store_sim.viewer.strip import CurveStrip, _limits, _step
from store_sim.viewer.tile import Tiles, convex_hull

ONE = str(Path(__file__).parents[1] / "store_sim" / "fixtures" / "one.case")
KIOSK = Path(__file__).parent / "fixtures" / "recording-v1" / "store.yaml"
DEMO = Path(__file__).parents[2] / "store_sim" / "stores" / "demo.yaml"
SEED = 3
TAKE_S = 10.5333


def _kiosk_text() -> str:
    """The kiosk with cameras that see enough."""
    document = yaml.safe_load(KIOSK.read_text(encoding="utf-8"))
    for camera in document["cameras"]:
        camera["fps"] = 7.5
        camera["intrinsics"] = {
            "width": 192, "height": 192, "fx": 175.0, "fy": 175.0, "cx": 95.5, "cy": 95.5,
        }  # fmt: skip
    return yaml.safe_dump(document)


@pytest.fixture(scope="module")
def kiosk() -> StoreFile:
    return parse_store_file(_kiosk_text(), name="kiosk")


@pytest.fixture(scope="module")
def show(kiosk: StoreFile) -> SimulatedShow:
    return SimulatedShow(kiosk, build(ONE, kiosk, SEED, 1), SEED, duration_s=13.0)


@pytest.fixture(scope="module")
def snapshots(show: SimulatedShow) -> list[Snapshot]:
    return list(show)


def _at(snapshots: list[Snapshot], t_s: float) -> Snapshot:
    return min(snapshots, key=lambda one: abs(one.t_s - t_s))


class _Short:
    """A part of a show."""

    def __init__(self, show: SimulatedShow, snapshots: list[Snapshot]) -> None:
        self.title, self.store, self.known = show.title, show.store, show.known
        self.curves, self.duration_s = show.curves, show.duration_s
        self._snapshots = snapshots

    def __iter__(self) -> Iterator[Snapshot]:
        return iter(self._snapshots)


# ---------------------------------------------------------------- what is seen


def test_a_show_knows_what_happens_before_it_is_shown(show: SimulatedShow) -> None:
    assert [(one.t_s, one.shopper, one.kind) for one in show.known.actions] == [(TAKE_S, 0, "take")]
    assert show.known.visits[0].entered_s == pytest.approx(3.867, abs=1e-3)
    assert show.duration_s == pytest.approx(13.0, abs=0.05)
    assert show.curves.plate_ids == ("bay-a-1-p0", "bay-a-1-p1")
    before, after = (
        show.curves.grams[np.abs(show.curves.t_s - s).argmin()].sum()
        for s in (TAKE_S - 2, TAKE_S + 2)
    )
    assert before - after == pytest.approx(1044, abs=80), "a bottle left the plates"


def test_snapshots_come_tick_by_tick_and_the_same_again(
    show: SimulatedShow, snapshots: list[Snapshot]
) -> None:
    assert [one.t_s for one in snapshots[:3]] == pytest.approx([1 / 15, 2 / 15, 3 / 15])
    assert snapshots[-1].t_s == pytest.approx(13.0, abs=0.05)
    again = next(iter(show))
    np.testing.assert_array_equal(again.pictures["cam-a"], snapshots[0].pictures["cam-a"])
    assert again.marks == snapshots[0].marks


def test_marks_are_on_the_pixels_of_what_they_name(
    kiosk: StoreFile, snapshots: list[Snapshot]
) -> None:
    during = _at(snapshots, TAKE_S)
    kinds = [mark.kind for mark in during.marks["cam-a"]]
    assert kinds.count("person") == 1
    assert "hand" in kinds
    person = next(mark for mark in during.marks["cam-a"] if mark.kind == "person")
    empty = _at(snapshots, 0.1)
    assert empty.marks["cam-a"] == ()
    change = np.abs(during.pictures["cam-a"].astype(int) - empty.pictures["cam-a"].astype(int)).max(
        axis=2
    )
    x0, y0, x1, y1 = (round(value) for value in person.box)
    inside = change[y0:y1, x0:x1]
    outside = change.copy()
    outside[y0:y1, x0:x1] = 0
    assert (inside > 60).mean() > 0.3
    assert (outside > 60).mean() < 0.06, "what is left are shadows and the goods moved"


def test_an_item_is_marked_with_its_name_when_it_is_in_a_hand(
    kiosk: StoreFile, snapshots: list[Snapshot]
) -> None:
    gtin = kiosk.products[0].gtin
    before, after = _at(snapshots, TAKE_S - 1), _at(snapshots, TAKE_S + 0.6)
    assert not any(mark.kind == "item" for mark in before.marks["cam-a"])
    items = [mark for mark in after.marks["cam-a"] if mark.kind == "item"]
    assert [(mark.gtin, mark.shopper) for mark in items] == [(gtin, 0)]
    assert before.people[0].holding == ()
    assert after.people[0].holding == (gtin,)


def test_people_face_the_shelf_they_reach_into(kiosk: StoreFile, snapshots: list[Snapshot]) -> None:
    person = _at(snapshots, TAKE_S).people[0]
    assert person.shopper == 0
    assert person.reaching
    assert person.heading_rad == pytest.approx(np.pi / 2, abs=0.8)
    tip = person.hands[person.reaching[0]]
    bay = bay_of_point(kiosk, tip)
    assert bay is not None
    assert bay.bay_id == "bay-a"
    assert bay_of_point(kiosk, (tip[0], tip[1] - 1.0, tip[2])) is None
    assert _at(snapshots, 5.0).people[0].reaching == ()


def test_a_day_without_end_needs_one(kiosk: StoreFile) -> None:
    with pytest.raises(ViewError, match=r"expected a duration for scenario demo-day"):
        SimulatedShow(kiosk, build("demo-day", kiosk, 1, 1), 1)


# ---------------------------------------------------------------- how it is drawn


def _accents(rgb: NDArray[np.uint8]) -> int:
    return int((np.abs(rgb.astype(int) - np.array(ACCENT)).max(axis=2) < 12).sum())


def test_a_slot_is_outlined_when_something_happens_to_it(
    show: SimulatedShow, snapshots: list[Snapshot]
) -> None:
    tiles = Tiles(show.store, show.known.actions)
    counts = {
        t_s: _accents(np.asarray(tiles.draw(_at(snapshots, t_s), "cam-a", 480, 480)))
        for t_s in (5.0, TAKE_S, 12.9)
    }
    assert counts[TAKE_S] > 100
    assert counts[5.0] == counts[12.9] < 30
    assert tiles.sees("cam-a", "bay-a-1-l")
    assert not tiles.sees("cam-a", "no-such-slot")


def test_a_camera_without_a_picture_is_drawn_as_such(show: SimulatedShow) -> None:
    tiles = Tiles(show.store, ())
    blank = np.asarray(tiles.draw(Snapshot(0.0, {}, {}, ()), "cam-a", 200, 100))
    assert blank.shape == (100, 200, 3)
    assert len(np.unique(blank.reshape(-1, 3), axis=0)) > 1, "it says so"


def test_the_mosaic_changes_where_something_happens(
    show: SimulatedShow, snapshots: list[Snapshot]
) -> None:
    mosaic = Mosaic(show)
    frames = {t_s: mosaic.draw(_at(snapshots, t_s)) for t_s in (0.2, 5.0, TAKE_S, 12.9)}
    for frame in frames.values():
        assert frame.shape == (MOSAIC_SIZE[1], MOSAIC_SIZE[0], 3)
        assert frame.dtype == np.uint8
    plan = (slice(50, 500), slice(20, 580))
    caption = (slice(828, 870), slice(12, 1500))
    assert (frames[0.2][plan] != frames[5.0][plan]).any(), "somebody walks"
    assert (frames[TAKE_S][caption] != frames[5.0][caption]).any(), "the words change"
    assert _accents(frames[TAKE_S]) > 1.5 * _accents(frames[0.2])


def test_a_plan_shows_people_where_they_are(show: SimulatedShow, snapshots: list[Snapshot]) -> None:
    plan = FloorPlan(show.store, show.known, 400, FloorPlan.height_for(show.store, 400))
    standing = _at(snapshots, TAKE_S)
    before = np.asarray(plan.draw(_at(snapshots, 0.1))).astype(int)
    after = np.asarray(plan.draw(standing)).astype(int)
    rows, columns = np.nonzero(np.abs(after - before).max(axis=2) > 60)
    x_m, y_m = standing.people[0].x_m, standing.people[0].y_m
    floor = show.store.floor
    assert columns.mean() / 400 == pytest.approx((x_m + 0.25) / (floor.width_m + 0.5), abs=0.12)
    assert rows.mean() < 0.55 * after.shape[0], f"far from the gate, at {y_m} m"


@pytest.mark.parametrize("missing", [(), ("plates",)])
def test_curves_are_drawn_for_plates_under_the_slot(
    show: SimulatedShow, missing: tuple[str, ...]
) -> None:
    curves = show.curves
    if missing:
        curves = PlateCurves((), np.zeros(0), np.zeros((0, 0), np.float32))
    strip = CurveStrip(show.store, curves, 400, 200)
    quiet = np.asarray(strip.draw(None, 5.0))
    event = np.asarray(strip.draw(show.known.actions[0], TAKE_S + 1))
    assert quiet.shape == event.shape == (200, 400, 3)
    blue = (np.abs(event.astype(int) - (66, 165, 245)).max(axis=2) < 40).sum()
    assert (blue > 50) is not bool(missing)


def test_a_plate_that_gives_nothing_leaves_a_gap(show: SimulatedShow) -> None:
    grams = np.full_like(show.curves.grams, np.nan)
    strip = CurveStrip(
        show.store, PlateCurves(show.curves.plate_ids, show.curves.t_s, grams), 400, 200
    )
    assert np.asarray(strip.draw(show.known.actions[0], TAKE_S)).any()


def test_axes_hold_the_curves_and_are_cut_in_round_numbers() -> None:
    low, high = _limits([np.array([0.0, -700.0, np.nan]), np.array([3.0])])
    assert low < -700
    assert high > 20
    for span in (41.0, 70.0, 99.0, 100.0, 333.0, 1000.0, 9999.0):
        step = _step(span)
        assert 2 <= span / step <= 7
        assert str(int(step)).rstrip("0") in {"1", "2", "5"}


def test_a_hull_goes_around_all_points() -> None:
    square = np.array([[0, 0], [4, 0], [4, 4], [0, 4], [2, 2], [1, 3]], float)
    assert set(convex_hull(square)) == {(0, 0), (4, 0), (4, 4), (0, 4)}
    assert len(convex_hull(np.array([[1.0, 1.0], [1.0, 1.0]]))) == 1


def test_letters_are_found_without_the_systems_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    real = ImageFont.truetype

    def no_files(source: object, *rest: object, **named: object) -> object:
        if isinstance(source, str):
            raise OSError("cannot open resource")
        return real(source, *rest, **named)  # type: ignore[arg-type]  # passed on as it came

    font.cache_clear()
    monkeypatch.setattr(ImageFont, "truetype", no_files)
    try:
        assert font(13).getlength("shopper") > 10
    finally:
        font.cache_clear()


def test_long_words_are_cut() -> None:
    letters = font(12)
    assert fitted("short", letters, 500) == "short"
    cut = fitted("a very long name of a product", letters, 80)
    assert cut.endswith("…")
    assert letters.getlength(cut) <= 80


# ---------------------------------------------------------------- pictures of an action


def test_pictures_of_an_action_show_before_during_and_after(kiosk: StoreFile) -> None:
    scenario = build(ONE, kiosk, SEED, 1)
    action = ShownAction(TAKE_S, 0, "take", "bay-a-1-l", kiosk.products[0].gtin)
    pictures = action_pictures(kiosk, scenario, SEED, action, width_px=150)
    assert [name for name, _ in pictures] == ["cam-a"], "the other does not see the slot"
    rgb = pictures[0][1]
    assert rgb.shape == (150 + 26, 3 * 150 + 2 * 4, 3)
    before, during, after = (rgb[26:, x : x + 150].astype(int) for x in (0, 154, 308))
    assert np.abs(before - during).mean() > 2
    assert np.abs(during - after).mean() > 2
    again = action_pictures(kiosk, scenario, SEED, action, width_px=150)
    for (_, one), (_, two) in zip(pictures, again, strict=True):
        np.testing.assert_array_equal(one, two)


def test_strips_come_when_they_are_whole_and_the_rest_at_the_end(
    kiosk: StoreFile, snapshots: list[Snapshot]
) -> None:
    gtin = kiosk.products[0].gtin
    actions = [ShownAction(t_s, 0, "take", "bay-a-1-l", gtin) for t_s in (0.5, TAKE_S, 12.8, 99.0)]
    maker = StripMaker(kiosk, actions, cameras=1)
    assert maker.cameras == {"cam-a"}
    done = [strip for one in snapshots for strip in maker.feed(one)]
    assert [strip.action.t_s for strip in done] == [0.5, TAKE_S], "one of them began before 0"
    assert [strip.action.t_s for strip in maker.finish()] == [12.8], "99 s was never shown"
    assert list(maker.finish()) == []
    assert list(pictures_of_actions(kiosk, build(ONE, kiosk, SEED, 1), SEED, [])) == []


def test_cameras_of_an_action_see_its_slot_the_bays_own_first() -> None:
    store = load_store_file(DEMO)
    action = ShownAction(1.0, 0, "take", "bay-b-2-l", "x")
    assert cameras_of(store, action, 1) == ("cam-b",)
    assert len(cameras_of(store, action, 9)) == 3
    unknown = ShownAction(1.0, 0, "take", "no-such-slot", "x")
    assert cameras_of(store, unknown, 2) == ("cam-a", "cam-b")


# ---------------------------------------------------------------- recordings


def test_a_recording_is_shown_with_its_truth(kiosk: StoreFile, tmp_path: Path) -> None:
    path = tmp_path / "store.yaml"
    path.write_text(_kiosk_text(), encoding="utf-8")
    folder = tmp_path / "day"
    record_simulation(folder, path, Simulation(scenario=ONE, seed=SEED, shoppers=1))
    truth = folder / "truth"
    tracks = [
        {"t_s": t / 5, "shopper": 0, "x_m": 1.4, "y_m": 0.5 + 1.5 * min(1.0, t / 50)}
        for t in range(80)
    ]
    text = "".join(json.dumps(row) + "\n" for row in tracks)
    (truth / "tracks.jsonl").write_text(text, encoding="utf-8")
    reach = {
        "shopper": 0, "hand": "r", "bay_id": "bay-a", "board_id": "bay-a-1", "u_m": 0.4,
        "begin_s": 10.0, "end_s": 11.0, "actions": [0],
    }  # fmt: skip
    (truth / "reaches.jsonl").write_text(json.dumps(reach) + "\n", encoding="utf-8")
    show = RecordedShow(folder)
    assert show.missing == ()
    assert show.known.actions[0].t_s == TAKE_S
    assert len(show.curves.t_s) > 100
    seen = list(show)
    during, later = _at(seen, 10.5), _at(seen, 12.0)
    assert [person.reaching for person in during.people] == [("r",)]
    assert [person.reaching for person in later.people] == [()]
    assert later.people[0].holding == (kiosk.products[0].gtin,)
    kinds = {mark.kind for mark in during.marks["cam-a"]}
    assert kinds == {"person", "hand"}
    for mark in during.marks["ceil-1"]:
        x0, y0, x1, y1 = mark.box
        assert 0 <= x0 < x1 <= 192
        assert 0 <= y0 < y1 <= 192
    assert Mosaic(show).draw(during).shape == (MOSAIC_SIZE[1], MOSAIC_SIZE[0], 3)


def test_a_recording_of_schema_1_and_one_without_truth_are_shown(tmp_path: Path) -> None:
    show = RecordedShow(KIOSK.parent)
    assert [action.kind for action in show.known.actions] == ["take"]
    first = next(iter(show))
    assert first.people == (), "nobody wrote down where people were"
    assert read_known(tmp_path / "nowhere").actions == ()


def test_videos_alone_are_shown_to_their_end(tmp_path: Path) -> None:
    shutil.copy(KIOSK, tmp_path / "kiosk.yaml")
    shutil.copy(KIOSK.parent / "cameras" / "ceil-1.mp4", tmp_path / "ceil-1.mp4")
    (tmp_path / "times.json").write_text('{"ceil-1": 2.0}', encoding="utf-8")
    show = RecordedShow(tmp_path)
    assert show.duration_s == pytest.approx(22.0, abs=1.0)
    assert show.curves.plate_ids == ()
    assert "no video of camera cam-a" in show.missing[0]
    last = list(show)[-1]
    assert show.duration_s - 2.0 < last.t_s <= show.duration_s
    assert Mosaic(show).draw(last).shape == (MOSAIC_SIZE[1], MOSAIC_SIZE[0], 3)


def test_without_reaches_a_hand_is_in_the_shelf_around_an_action() -> None:
    store = load_store_file(KIOSK)
    known = read_known(KIOSK.parent / "truth")
    track = np.array([[0.0, 1.4, 1.8], [20.0, 1.4, 1.8]])
    known = type(known)(known.actions, known.visits, (), {0: track})
    (person,) = guessed_people(store, known, TAKE_S + 0.2)
    assert person.reaching == ("r",)
    assert person.heading_rad == pytest.approx(np.pi / 2, abs=0.3)
    (person,) = guessed_people(store, known, TAKE_S + 2.0)
    assert person.reaching == ()
    assert guessed_people(store, known, 21.0) == ()
    assert guessed_marks(store.cameras[1], (person,))


def test_a_truth_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "visits.jsonl").write_text('{"shopper": 0}\n{"shopper"', encoding="utf-8")
    with pytest.raises(ViewError, match=r"visits.jsonl:2: expected a JSON object with a shopper"):
        read_known(tmp_path)


def test_sentences() -> None:
    store = load_store_file(KIOSK)
    gtin = store.products[0].gtin
    told = {
        kind: sentence(store, ShownAction(1.0, 2, kind, "s", gtin, board_id="bay-a-1"))
        for kind in ("take", "put_back", "touch", "swap_behind")
    }
    name = "Quellbach Still Water 1 l"
    assert told == {
        "take": f"shopper 2 takes {name} from bay-a-1",
        "put_back": f"shopper 2 puts {name} back to bay-a-1",
        "touch": f"shopper 2 touches {name} on bay-a-1",
        "swap_behind": f"shopper 2 swap behind: {name}",
    }


# ---------------------------------------------------------------- the video


def test_a_film_plays_in_a_browser(
    show: SimulatedShow, snapshots: list[Snapshot], tmp_path: Path
) -> None:
    out = tmp_path / "film.mp4"
    part = _Short(show, snapshots[150:162])
    told: list[float] = []
    assert film(part, out, progress=told.append) == 12
    assert told == [one.t_s for one in snapshots[150:162]]
    assert [found.name for found in tmp_path.iterdir()] == ["film.mp4"]
    with av.open(str(out)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert (stream.width, stream.height) == MOSAIC_SIZE
        assert stream.average_rate == 15
        assert sum(1 for _ in container.decode(stream)) == 12
    data = out.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat"), "the index stands in front"


def test_a_film_that_fails_leaves_nothing(show: SimulatedShow, tmp_path: Path) -> None:
    class Broken(_Short):
        def __iter__(self) -> Iterator[Snapshot]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        film(Broken(show, []), tmp_path / "film.mp4")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ViewError, match=r"expected an existing folder, got .*nowhere; make it"):
        film(_Short(show, []), tmp_path / "nowhere" / "film.mp4")
