"""Camera faults: what arrives, when, and that mishaps begin and end where they should."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

import store_sim
from contracts.store_file import StoreFile, load_store_file
from hardware.ports import Frame
from store_sim.camera_faults import CameraFeed, Draw, Turn
from store_sim.dials import CAMERA_MISHAPS, CameraDials, Dials, LensDials, Mishap, MishapKind
from store_sim.scenarios import build
from store_sim.stream import SimulatedStream
from store_sim.world import TICK_HZ

DEMO = Path(store_sim.__file__).parent / "stores" / "demo.yaml"
SIZE = (64, 36)
Rgb = NDArray[np.uint8]


def picture(k: int) -> Rgb:
    rng = np.random.default_rng(k)
    return rng.integers(60, 200, (SIZE[1], SIZE[0], 3)).astype(np.uint8)


class Scene:
    """Draws a new picture at each call, like a renderer into the same array."""

    def __init__(self) -> None:
        self.drawn = 0
        self.turns: list[Turn | None] = []
        self._array = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)

    def draw(self, turn: Turn | None) -> Rgb:
        self.drawn += 1
        self.turns.append(turn)
        self._array[:] = picture(self.drawn)
        return self._array


def run(
    dials: Dials, count: int = 60, *, seed: int = 4, draw: Draw | None = None, every: int = 4
) -> list[Frame]:
    """The frames that arrive of `count` exposures, copied."""
    feed = CameraFeed("cam", SIZE, TICK_HZ / every, dials, seed=seed)
    chosen = draw or Scene().draw
    found = []
    for tick in range(count * every + 200):
        if tick % every == 0 and tick < count * every:
            feed.expose(tick, tick // every, dials.mishaps, chosen)
        frame = feed.arrived(tick)
        if frame is not None:
            found.append(Frame(frame.camera_id, frame.t_s, frame.index, frame.rgb.copy()))
    return found


def with_mishap(kind: MishapKind, amount: float = 1.0, target: str = "cam") -> Dials:
    return Dials(mishaps=(Mishap(kind=kind, target=target, begin_s=1.0, end_s=2.0, amount=amount),))


def test_a_camera_without_faults_gives_every_picture_at_its_tick() -> None:
    frames = run(Dials())
    assert [frame.index for frame in frames] == list(range(60))
    assert [frame.t_s for frame in frames] == [4 * k / TICK_HZ for k in range(60)]
    assert all((frame.rgb == picture(k + 1)).all() for k, frame in enumerate(frames))


@pytest.mark.parametrize("jitter_ms", [40.0, 300.0, 1500.0])
def test_jitter_makes_frames_late_and_never_overtakes(jitter_ms: float) -> None:
    frames = run(Dials(camera=CameraDials(jitter_ms=jitter_ms)), 200)
    assert [frame.index for frame in frames] == list(range(200)), "none is lost"
    stamps = [frame.t_s for frame in frames]
    assert all(a < b for a, b in pairwise(stamps))
    late = [frame.t_s - 4 * frame.index / TICK_HZ for frame in frames]
    assert min(late) >= 0.0
    assert 0.5e-3 * jitter_ms < max(late) <= 1e-3 * jitter_ms + 1e-9
    assert np.std(late) > 0.05e-3 * jitter_ms
    assert all((frame.rgb == picture(k + 1)).all() for k, frame in enumerate(frames))


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_share_of_the_frames_is_lost_and_the_index_says_so(share: float) -> None:
    frames = run(Dials(camera=CameraDials(dropped=share)), 600)
    assert len(frames) == pytest.approx(600 * (1 - share), abs=50)
    indexes = [frame.index for frame in frames]
    assert indexes == sorted(set(indexes))
    assert indexes == [f.index for f in run(Dials(camera=CameraDials(dropped=share)), 600)]
    other = run(Dials(camera=CameraDials(dropped=share)), 600, seed=5)
    assert indexes != [f.index for f in other]


def _same(a: Frame, b: Frame) -> bool:
    return a.t_s == b.t_s and bool((a.rgb == b.rgb).all())


@pytest.mark.parametrize("kind", CAMERA_MISHAPS)
def test_a_mishap_begins_and_ends_exactly(kind: MishapKind) -> None:
    plain = {frame.index: frame for frame in run(Dials(), draw=lambda turn: still(turn))}
    found = {frame.index: frame for frame in run(with_mishap(kind), draw=lambda turn: still(turn))}
    for index, frame in plain.items():
        inside = 15 <= index < 30
        if kind == "dropping":
            assert (index in found) != inside
        elif kind == "frozen":
            assert _same(found[index], frame), "a still scene looks the same"
        else:
            assert _same(found[index], frame) != inside, index


def still(turn: Turn | None) -> Rgb:
    return picture(0) if turn is None else picture(1)


@pytest.mark.parametrize("kind", CAMERA_MISHAPS)
def test_a_mishap_of_another_camera_does_nothing(kind: MishapKind) -> None:
    plain, found = run(Dials()), run(with_mishap(kind, target="other"))
    assert all(_same(a, b) for a, b in zip(plain, found, strict=True))
    scene, shown = Scene(), Scene()
    plain = run(Dials(), draw=lambda turn: still(turn) if turn else scene.draw(turn))
    everywhere = run(
        with_mishap(kind, target=""),
        draw=lambda turn: still(turn) if turn else shown.draw(turn),
    )
    assert len(everywhere) != len(plain) or not all(map(_same, plain, everywhere))


@pytest.mark.parametrize("kind", CAMERA_MISHAPS)
def test_mishaps_repeat_by_seed(kind: MishapKind) -> None:
    assert all(map(_same, run(with_mishap(kind)), run(with_mishap(kind))))


def test_a_frozen_camera_shows_the_last_picture_with_new_times() -> None:
    scene = Scene()
    frames = run(with_mishap("frozen"), draw=scene.draw)
    assert [frame.index for frame in frames] == list(range(60))
    assert all((frame.rgb == frames[14].rgb).all() for frame in frames[15:30])
    assert (frames[30].rgb != frames[14].rgb).any()
    assert scene.drawn == 45, "what is not seen is not drawn"


def test_a_black_frame_is_black() -> None:
    assert all(not frame.rgb.any() for frame in run(with_mishap("black"))[15:30])


def test_a_cloth_darkens_by_its_amount() -> None:
    levels = [run(with_mishap("covered", amount))[20].rgb.mean() for amount in (0.0, 0.5, 1.0)]
    assert levels[0] > levels[1] > levels[2]
    assert 3.0 < levels[2] < 40.0, "a little light leaks in"
    first, second = (frame.rgb for frame in run(with_mishap("covered"))[20:22])
    assert (first != second).any(), "the sensor's noise goes on"


def test_a_lens_out_of_focus_has_no_edges() -> None:
    edges = [
        float(np.abs(np.diff(run(with_mishap("defocused", amount))[20].rgb.astype(int), axis=1))
              .mean())
        for amount in (0.0, 0.5, 1.0)
    ]  # fmt: skip
    assert edges[0] > edges[1] > edges[2]


def test_a_torch_burns_the_picture() -> None:
    burnt = [
        float((run(with_mishap("blinded", amount))[20].rgb > 250).mean())
        for amount in (0.0, 0.5, 1.0)
    ]
    assert burnt[0] == 0.0
    assert burnt[0] < burnt[1] < burnt[2]


def test_a_turned_camera_looks_elsewhere_by_its_amount() -> None:
    def turns(amount: float) -> list[Turn | None]:
        scene = Scene()
        run(with_mishap("turned", amount), draw=scene.draw)
        return scene.turns

    whole, half = turns(1.0), turns(0.5)
    assert whole[:15] == [None] * 15
    assert whole[30:] == [None] * 30
    turn, less = whole[15], half[15]
    assert turn is not None
    assert less is not None
    assert min(abs(v) for v in turn) > 5.0
    assert less == pytest.approx((turn[0] / 2, turn[1] / 2))
    assert set(whole[15:30]) == {turn}


def test_the_codec_runs_behind_everything() -> None:
    plain = run(Dials(), 8)
    coded = run(Dials(lens=LensDials(h264_crf=30)), 8)
    assert [frame.t_s for frame in coded] == [frame.t_s for frame in plain]
    assert all(not (a.rgb == b.rgb).all() for a, b in zip(coded, plain, strict=True))


@pytest.fixture(scope="module")
def small_store(tmp_path_factory: pytest.TempPathFactory) -> StoreFile:
    """The demo store with two small cameras."""
    document = yaml.safe_load(DEMO.read_text(encoding="utf-8"))
    chosen = [document["cameras"][1], document["cameras"][5]]
    for camera in chosen:
        camera["intrinsics"] = {
            "width": 64, "height": 36, "fx": 40, "fy": 40, "cx": 31.5, "cy": 17.5,
        }  # fmt: skip
    document["cameras"] = chosen
    path = tmp_path_factory.mktemp("store") / "small.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return load_store_file(path)


def stream(
    store: StoreFile,
    dials: Dials | None = None,
    tampered: tuple[Mishap, ...] = (),
    seconds: float = 3.0,
) -> list[Frame]:
    run = SimulatedStream(
        store, build("easy-one", store, 2, 1), 2, plates=False, phone=str, duration_s=seconds,
        dials=dials,
    )  # fmt: skip
    for mishap in tampered:
        run.world.tamper(mishap)
    return [frame for tick in run for frame in tick.frames]


def test_a_stream_keeps_frames_in_the_order_of_time_under_jitter(small_store: StoreFile) -> None:
    frames = stream(small_store, Dials(camera=CameraDials(jitter_ms=300.0)))
    stamps = [frame.t_s for frame in frames]
    assert stamps == sorted(stamps)
    for name in ("cam-b", "ceil-3"):
        own = [frame.t_s for frame in frames if frame.camera_id == name]
        assert len(own) > 15
        assert all(a < b for a, b in pairwise(own))


def test_fps_overrides_the_store_file(small_store: StoreFile) -> None:
    frames = stream(small_store, Dials(camera=CameraDials(fps=5.0)), seconds=4.0)
    for name in ("cam-b", "ceil-3"):
        assert sum(frame.camera_id == name for frame in frames) == 20


def test_tampering_is_asked_at_each_moment(small_store: StoreFile) -> None:
    black = Mishap(kind="black", target="cam-b", begin_s=1.0, end_s=2.0)
    frames = [f for f in stream(small_store, tampered=(black,)) if f.camera_id == "cam-b"]
    assert frames
    for frame in frames:
        assert (not frame.rgb.any()) == (1.0 <= frame.t_s < 2.0)


def test_a_turned_camera_of_a_store_comes_back(small_store: StoreFile) -> None:
    mishap = Mishap(kind="turned", begin_s=1.0, end_s=2.0)
    found, plain = stream(small_store, Dials(mishaps=(mishap,))), stream(small_store)
    for a, b in zip(found, plain, strict=True):
        away = np.abs(a.rgb.astype(int) - b.rgb).mean()
        assert (away > 8.0) if 1.0 <= a.t_s < 2.0 else (away == 0.0)


def test_a_scenario_brings_its_own_dials(small_store: StoreFile) -> None:
    scenario = replace(
        build("easy-one", small_store, 2, 1), dials=Dials(camera=CameraDials(dropped=1.0))
    )
    silent = SimulatedStream(small_store, scenario, 2, plates=False, phone=str, duration_s=1.0)
    assert not any(tick.frames for tick in silent)
    asked = SimulatedStream(
        small_store, scenario, 2, plates=False, phone=str, duration_s=1.0, dials=Dials()
    )
    assert any(tick.frames for tick in asked)
