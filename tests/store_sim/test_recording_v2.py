"""Versions of the format, frames off the beat, recordings cut short, and folders of one's own."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contracts.store_file import load_store_file
from hardware.ports import Frame, ScaleBatch
from store_sim.dials import Dials, LightDials
from store_sim.errors import RecordingError
from store_sim.recording import (
    Manifest,
    RecordingWriter,
    Simulation,
    read_manifest,
    record_simulation,
    upgraded,
)
from store_sim.recording.manifest import UPGRADES
from store_sim.replay import RecordedStream, read_visits
from store_sim.stream import STEP_HZ, SensorTick

TRUTH = [f"truth/{name}.jsonl" for name in ("plates", "reaches", "tracks", "visits")]
ONE = str(Path(__file__).parents[1] / "store_sim" / "fixtures" / "one.case")
FIXTURES = Path(__file__).parent / "fixtures"
V1 = FIXTURES / "recording-v1"
"""A whole visit in a tiny store, recorded by the last code that wrote schema 1."""
STORE = V1 / "store.yaml"
SECONDS = 18.0


def _replay(folder: Path, **options: Any) -> tuple[RecordedStream, list[SensorTick]]:
    stream = RecordedStream(folder, phone=lambda n: f"fresh-{n}", **options)
    return stream, list(stream)


def _frames(ticks: list[SensorTick], camera_id: str) -> list[Frame]:
    return [frame for tick in ticks for frame in tick.frames if frame.camera_id == camera_id]


def _rows(ticks: list[SensorTick]) -> int:
    return sum(len(tick.scales.t_s) for tick in ticks if tick.scales is not None)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings") / "visit"
    record_simulation(
        folder, STORE, Simulation(scenario=ONE, seed=3, shoppers=1), duration_s=SECONDS
    )
    return folder


@pytest.fixture
def copy(recorded: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "copy"
    shutil.copytree(recorded, folder)
    return folder


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Two videos and a store file."""
    folder = tmp_path / "own"
    folder.mkdir()
    for name in ("cam-a", "ceil-1"):
        shutil.copy(V1 / "cameras" / f"{name}.mp4", folder / f"{name}.mp4")
    shutil.copy(STORE, folder / "kiosk.yaml")
    return folder


# ---------------------------------------------------------------- versions


def test_a_recording_of_schema_1_replays() -> None:
    stream, ticks = _replay(V1)
    assert stream.missing == ()
    manifest = stream.manifest
    assert manifest is not None
    assert manifest.schema_version == 2
    assert manifest.simulation is not None
    assert manifest.simulation.dials == Dials()
    assert [entry.file for entry in manifest.truth] == ["truth/visits.jsonl"]
    assert manifest.digests is None
    frames = _frames(ticks, "cam-a")
    assert [frame.t_s for frame in frames[:3]] == [1 / 60, 31 / 60, 61 / 60]
    assert len(frames) == 40
    assert _rows(ticks) == 1176
    scans = [scan for tick in ticks for scan in tick.scans]
    assert [(scan.gate_id, scan.code) for scan in scans] == [("gate-in", "fresh-0")]


def test_a_simulation_replays_as_its_schema_1_recording_does(tmp_path: Path) -> None:
    """The same sensors, whatever the format: pictures to what H.264 loses, the rest exactly."""
    folder = tmp_path / "again"
    record_simulation(folder, STORE, Simulation(scenario=ONE, seed=3, shoppers=1))
    _, old = _replay(V1)
    _, new = _replay(folder)
    assert [tick.t_s for tick in old] == [tick.t_s for tick in new]
    for one, two in zip(old, new, strict=True):
        assert one.scans == two.scans
        assert [(f.camera_id, f.t_s) for f in one.frames] == [
            (f.camera_id, f.t_s) for f in two.frames
        ]
        if one.scales is not None:
            assert two.scales is not None
            np.testing.assert_array_equal(one.scales.grams, two.scales.grams)


def test_upgrades_are_pure_and_lead_to_the_present_schema() -> None:
    document = json.loads((V1 / "manifest.json").read_text(encoding="utf-8"))
    before = json.dumps(document)
    made = upgraded(document, name="m")
    assert json.dumps(document) == before
    assert Manifest.model_validate(made).schema_version == 2
    assert sorted(UPGRADES) == [1]
    assert upgraded(made, name="m") == made


@pytest.mark.parametrize(
    ("version", "pattern"),
    [
        (3, r"expected schema_version 2 or older, got 3: a newer Sortie recorded it; update this"),
        (0, r"expected a schema_version from 1 to 2, got 0; copy"),
        ("2", r"expected a schema_version from 1 to 2, got '2'; copy"),
        (None, r"got None; copy"),
        (True, r"got True; copy"),
    ],
)
@pytest.mark.parametrize("lenient", [False, True])
def test_other_versions_are_refused(
    copy: Path, version: object, pattern: str, lenient: bool
) -> None:
    path = copy / "manifest.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["schema_version"] = version
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(RecordingError, match=pattern):
        _replay(copy, lenient=lenient)


def test_the_manifest_says_what_is_there(recorded: Path, tmp_path: Path) -> None:
    manifest = read_manifest(recorded)
    assert manifest is not None
    assert manifest.digests is not None
    assert [entry.file for entry in manifest.truth] == TRUTH
    assert [(c.codec, c.on_ticks, c.first_t_s) for c in manifest.cameras] == [
        ("h264", True, 1 / 60),
        ("h264", True, 2 / 60),
    ]
    assert manifest.cameras[1].last_t_s == pytest.approx(17 + 2 / 60)
    assert not (recorded / "times.json").exists()
    again = record_simulation(
        tmp_path / "again",
        STORE,
        Simulation(scenario=ONE, seed=4, shoppers=1),
        duration_s=SECONDS,
    )
    assert again.digests is not None
    for one, two in zip(
        manifest.digests.model_dump().values(), again.digests.model_dump().values(), strict=True
    ):
        assert one != two, "another seed gives other frames, grams and truth"


def test_dials_asked_for_stand_in_the_manifest(tmp_path: Path) -> None:
    dials = Dials(light=LightDials(dim=0.25))
    simulation = Simulation(scenario=ONE, seed=3, shoppers=1, dials=dials)
    manifest = record_simulation(tmp_path / "dim", STORE, simulation, duration_s=2.0)
    assert manifest.simulation is not None
    assert manifest.simulation.dials == dials
    assert read_manifest(tmp_path / "dim") == manifest


# ---------------------------------------------------------------- frames off the beat


def _write(folder: Path, times_s: list[float]) -> Manifest:
    store = load_store_file(STORE)
    camera = store.cameras[0]
    writer = RecordingWriter(folder, store, STORE.read_text(encoding="utf-8"), cameras=(camera,))
    try:
        for index, t_s in enumerate(times_s):
            rgb = np.full((32, 32, 3), 10 * index, np.uint8)
            tick_s = math.ceil(t_s * STEP_HZ) / STEP_HZ
            writer.write(SensorTick(tick_s, (Frame("cam-a", t_s, index, rgb),)))
    except RecordingError:
        writer.abandon()
        raise
    return writer.close()


def test_frames_that_jitter_and_drop_keep_their_times(tmp_path: Path) -> None:
    times_s = [0.1034, 0.181717, 0.2, 1.733333, 1.733334, 9.0]
    manifest = _write(tmp_path / "odd", times_s)
    assert [entry.on_ticks for entry in manifest.cameras] == [False]
    _, ticks = _replay(tmp_path / "odd")
    frames = _frames(ticks, "cam-a")
    assert [frame.t_s for frame in frames] == pytest.approx(times_s, abs=1e-6)
    for tick in ticks:
        assert all(
            tick.t_s - 1 / 15 - 1e-6 <= frame.t_s <= tick.t_s + 1e-6 for frame in tick.frames
        )


def test_frames_on_ticks_keep_them_exactly_though_some_drop(tmp_path: Path) -> None:
    times_s = [7 / 60, 11 / 60, 19 / 60, 20 / 60, 301 / 60]
    assert _write(tmp_path / "even", times_s).cameras[0].on_ticks
    _, ticks = _replay(tmp_path / "even")
    assert [frame.t_s for frame in _frames(ticks, "cam-a")] == times_s


def test_frames_of_one_moment_are_kept_and_those_that_go_back_are_refused(tmp_path: Path) -> None:
    _write(tmp_path / "twice", [0.5, 0.5, 0.5])
    _, ticks = _replay(tmp_path / "twice")
    assert [frame.t_s for frame in _frames(ticks, "cam-a")] == pytest.approx([0.5] * 3, abs=3e-6)
    with pytest.raises(RecordingError, match=r"in the order of time, got one of 0.4\d* s after"):
        _write(tmp_path / "back", [0.5, 0.4])
    assert not (tmp_path / "back").exists()
    assert not (tmp_path / "back.partial").exists()


# ---------------------------------------------------------------- cut short


def _cut(path: Path, share: float = 0.5) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-40] ^= 0xFF
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(
    ("damage", "pattern"),
    [
        (lambda f: (f / "cameras/cam-a.mp4").unlink(), r"cam-a.mp4: missing; .*: left out"),
        (lambda f: _cut(f / "cameras/cam-a.mp4"), r"cam-a.mp4: expected \d+ bytes, got \d+"),
        (lambda f: _cut(f / "cameras/cam-a.mp4"), r"cut off.*: cam-a ends at \d+\.\d s"),
        (lambda f: _cut(f / "cameras/cam-a.mp4", 0.01), r": replayed without cam-a"),
        (lambda f: (f / "plates/0000.npz").unlink(), r"0000.npz: missing; .*: left out"),
        (lambda f: _cut(f / "plates/0000.npz", 0.8), r"cut after its last whole row, \d+"),
        (lambda f: _flip(f / "plates/0000.npz"), r"SHA-256 is not that .*: replayed as it is"),
        (lambda f: _cut(f / "gates.jsonl"), r"gates.jsonl:1: expected t_s.*: left out"),
        (lambda f: _cut(f / "manifest.json"), r"expected JSON.*: replayed without it"),
    ],
)
def test_what_can_be_replayed_is_and_what_is_missing_is_named(
    copy: Path, damage: Callable[[Path], object], pattern: str
) -> None:
    damage(copy)
    stream, ticks = _replay(copy, lenient=True)
    assert any(frame for frame in _frames(ticks, "ceil-1"))
    assert len(_frames(ticks, "ceil-1")) == 18, "the other camera plays to its end"
    found = [text for text in stream.missing if _matches(pattern, text)]
    assert len(found) == 1, stream.missing
    told = stream.missing
    list(stream)
    assert stream.missing == told, "a second run names nothing twice"
    with pytest.raises(RecordingError):
        _replay(copy)


def _matches(pattern: str, text: str) -> bool:
    try:
        with pytest.raises(RecordingError, match=pattern):
            raise RecordingError(text)
    except AssertionError:
        return False
    return True


def test_torn_plates_give_their_whole_rows(copy: Path) -> None:
    _, whole = _replay(copy, cameras=[])
    _cut(copy / "plates/0000.npz", 0.8)
    _, torn = _replay(copy, cameras=[], lenient=True)
    assert 0 < _rows(torn) < _rows(whole)
    pairs = [(a.scales, b.scales) for a, b in zip(whole, torn, strict=True) if b.scales is not None]
    for full, part in pairs:
        assert full is not None
        assert part is not None
        np.testing.assert_array_equal(full.grams[: len(part.grams)], part.grams)


def test_torn_plates_that_were_not_compressed_do_too(own: Path, recorded: Path) -> None:
    with np.load(recorded / "plates/0000.npz") as chunk:
        t_s, grams = chunk["t_s"], chunk["grams"]
    (own / "plates").mkdir()
    np.savez(own / "plates/0000.npz", t_s=t_s, grams=grams)
    _cut(own / "plates/0000.npz", 0.9)
    stream, ticks = _replay(own, lenient=True, cameras=["cam-a"])
    assert 0 < _rows(ticks) < len(t_s)
    assert any("cut after its last whole row" in text for text in stream.missing)


def test_a_recording_whose_writer_was_killed_replays_what_was_written(
    recorded: Path, tmp_path: Path
) -> None:
    """Fragments of videos, whole chunks of plates, lines of scans; nobody closed anything."""
    store = load_store_file(STORE)
    source = list(RecordedStream(recorded, phone=lambda n: f"shopper:{n}"))
    writer = RecordingWriter(
        tmp_path / "new", store, STORE.read_text(encoding="utf-8"), cameras=store.cameras
    )
    for tick in source:
        writer.write(tick)
    left = tmp_path / "left.partial"
    shutil.copytree(tmp_path / "new.partial", left)
    writer.abandon()
    with pytest.raises(RecordingError, match="never finished; record it again"):
        _replay(left)
    stream, ticks = _replay(left, lenient=True)
    frames = _frames(ticks, "cam-a")
    assert 12 <= len(frames) < 36, "all but what was not in a fragment yet"
    assert frames[0].t_s == pytest.approx(1 / 60, abs=1e-6)
    assert [scan.code for tick in ticks for scan in tick.scans] == ["fresh-0"]
    assert "never finished: replayed as far as it was written" in stream.missing[0]
    assert list(stream)


def test_nothing_at_all_is_refused_even_leniently(copy: Path) -> None:
    for path in [*copy.glob("cameras/*"), *copy.glob("plates/*")]:
        path.unlink()
    with pytest.raises(RecordingError, match="or plates, got neither"):
        _replay(copy, lenient=True, plates=False)


def test_scales_stay_whole_batches(recorded: Path) -> None:
    _, ticks = _replay(recorded, cameras=[])
    batches = [tick.scales for tick in ticks if tick.scales is not None]
    assert all(isinstance(batch, ScaleBatch) and len(batch.t_s) == 4 for batch in batches)


def test_torn_truth_is_cut_to_whole_lines(copy: Path, own: Path) -> None:
    path = copy / "truth/visits.jsonl"
    text = path.read_text(encoding="utf-8")
    assert read_visits(copy, lenient=False) == (text, ())
    path.write_text(text + text[:70], encoding="utf-8")
    kept, missing = read_visits(copy, lenient=True)
    assert kept == text
    assert len(missing) == 1
    assert "visits.jsonl:2: expected a visit" in missing[0]
    with pytest.raises(RecordingError, match=r"visits.jsonl:2: expected a visit"):
        read_visits(copy, lenient=False)
    path.unlink()
    assert read_visits(copy, lenient=False) == ("", ())
    assert read_visits(own, lenient=True) == (None, ())
