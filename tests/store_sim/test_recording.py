"""What is recorded comes back as it was; what is broken is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import yaml

from contracts.store_file import StoreFile, load_store_file
from store_sim.dials import Dials
from store_sim.errors import RecordingError, SimulatorError
from store_sim.recording import (
    Manifest,
    Simulation,
    record_simulation,
    shopper_code,
    shopper_of,
)
from store_sim.replay import RecordedStream, read_manifest
from store_sim.scenarios import build
from store_sim.stream import FrameClock, SensorTick, SimulatedStream, frame_clocks

DEMO = Path(__file__).parents[2] / "store_sim" / "stores" / "demo.yaml"
SECONDS = 9.0
SIMULATION = Simulation(scenario="easy-one", seed=5, shoppers=1)


def _small_store(folder: Path) -> Path:
    """The demo store with one shelf and one ceiling camera, small and slow."""
    document = yaml.safe_load(DEMO.read_text(encoding="utf-8"))
    cameras = [document["cameras"][0], document["cameras"][3]]
    for camera in cameras:
        size = camera["intrinsics"]
        camera["fps"] = camera["fps"] / 3
        share = size["width"] / 128
        for key in ("width", "fx", "fy", "cx", "cy"):
            size[key] = int(size[key] / share) if key == "width" else size[key] / share
        size["height"] = 72
    document["cameras"] = cameras
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def store_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _small_store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def recorded(store_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings") / "easy"
    record_simulation(folder, store_path, SIMULATION, duration_s=SECONDS)
    return folder


@pytest.fixture
def copy(recorded: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "copy"
    shutil.copytree(recorded, folder)
    return folder


def _simulated(store: StoreFile) -> list[SensorTick]:
    scenario = build(SIMULATION.scenario, store, SIMULATION.seed, SIMULATION.shoppers)
    stream = SimulatedStream(
        store, scenario, SIMULATION.seed, phone=lambda n: f"fresh-{n}", duration_s=SECONDS
    )
    return list(stream)


def _replay(folder: Path, **options: object) -> list[SensorTick]:
    return list(RecordedStream(folder, phone=lambda n: f"fresh-{n}", **options))  # type: ignore[arg-type]  # options by name


def test_a_replay_gives_what_the_simulation_gave(recorded: Path, store_path: Path) -> None:
    live = _simulated(load_store_file(store_path))
    replayed = _replay(recorded)
    assert [tick.t_s for tick in live] == [tick.t_s for tick in replayed]
    assert sum(len(tick.frames) for tick in live) > 50
    assert any(tick.scans for tick in live)
    for one, two in zip(live, replayed, strict=True):
        assert one.scans == two.scans
        assert [(f.camera_id, f.t_s, f.index) for f in one.frames] == [
            (f.camera_id, f.t_s, f.index) for f in two.frames
        ]
        assert one.scales is not None
        assert two.scales is not None
        assert one.scales.plate_ids == two.scales.plate_ids
        np.testing.assert_array_equal(one.scales.t_s, two.scales.t_s)
        np.testing.assert_array_equal(one.scales.grams, two.scales.grams)
        for a, b in zip(one.frames, two.frames, strict=True):
            error = np.abs(a.rgb.astype(int) - b.rgb.astype(int)).mean()
            assert error < 6.0, "H.264 loses a little, not the picture"


def test_a_simulation_is_the_same_twice(store_path: Path) -> None:
    store = load_store_file(store_path)
    for one, two in zip(_simulated(store), _simulated(store), strict=True):
        for a, b in zip(one.frames, two.frames, strict=True):
            np.testing.assert_array_equal(a.rgb, b.rgb)
        assert one.scans == two.scans


def test_a_camera_sees_the_same_whoever_else_is_asked_for(store_path: Path) -> None:
    store = load_store_file(store_path)
    name = store.cameras[1].camera_id
    scenario = build(SIMULATION.scenario, store, SIMULATION.seed, 1)
    alone = SimulatedStream(
        store, scenario, SIMULATION.seed, cameras=[name], plates=False, phone=str, duration_s=2.0
    )
    frames = [frame for tick in alone for frame in tick.frames]
    both = [frame for tick in _simulated(store) for frame in tick.frames if frame.camera_id == name]
    assert len(frames) > 3
    for a, b in zip(frames, both, strict=False):
        assert (a.t_s, a.index) == (b.t_s, b.index)
        np.testing.assert_array_equal(a.rgb, b.rgb)


def test_the_same_recording_twice_gives_the_same_files(
    recorded: Path, store_path: Path, tmp_path: Path
) -> None:
    again = record_simulation(tmp_path / "again", store_path, SIMULATION, duration_s=SECONDS)
    assert again == read_manifest(recorded)


def test_videos_play_in_a_browser(recorded: Path) -> None:
    manifest = read_manifest(recorded)
    assert manifest is not None
    for entry in manifest.cameras:
        path = recorded / entry.file
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            assert stream.codec_context.name == "h264"
            assert stream.codec_context.pix_fmt == "yuv420p"
            assert sum(1 for _ in container.decode(stream)) == entry.frames
        data = path.read_bytes()
        assert 0 < data.index(b"moov") < data.index(b"mdat"), "the index stands in front"


def test_sensors_can_be_chosen(recorded: Path) -> None:
    store = RecordedStream(recorded, phone=str).store
    name = store.cameras[1].camera_id
    ticks = _replay(recorded, cameras=[name], plates=False)
    assert {frame.camera_id for tick in ticks for frame in tick.frames} == {name}
    assert all(tick.scales is None for tick in ticks)
    ceilings = {
        frame.camera_id for tick in _replay(recorded, roles=["ceiling"]) for frame in tick.frames
    }
    assert ceilings == {camera.camera_id for camera in store.cameras if camera.role == "ceiling"}
    with pytest.raises(SimulatorError, match="got cam-z"):
        RecordedStream(recorded, phone=str, cameras=["cam-z"])


def test_each_replay_asks_for_fresh_codes(recorded: Path) -> None:
    asked: list[int] = []

    def phone(shopper: int) -> str | None:
        asked.append(shopper)
        return None

    stream = RecordedStream(recorded, phone=phone, cameras=())
    assert not any(tick.scans for tick in stream)
    assert asked == [0]
    assert not any(tick.scans for tick in stream)
    assert asked == [0, 0]
    text = (recorded / "gates.jsonl").read_text(encoding="utf-8")
    assert "code" not in json.loads(text.splitlines()[0])


def test_truth_stands_apart_and_is_not_opened(copy: Path) -> None:
    shutil.rmtree(copy / "truth")
    assert _replay(copy)


def test_a_recording_may_not_cover_another(recorded: Path, store_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"something that exists; remove it or choose"):
        record_simulation(recorded, store_path, SIMULATION, duration_s=1.0)


def test_a_failed_recording_leaves_nothing(
    store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("store_sim.recording.RecordingWriter.write", fail)
    with pytest.raises(KeyboardInterrupt):
        record_simulation(tmp_path / "new", store_path, SIMULATION, duration_s=1.0)
    assert list(tmp_path.iterdir()) == []


def test_a_badge_is_recorded_as_one(store_path: Path, tmp_path: Path) -> None:
    case = Simulation(scenario="staff-restocking-in-uniform", seed=7, shoppers=2)
    record_simulation(tmp_path / "staff", store_path, case, cameras=(), duration_s=12.0)
    lines = (tmp_path / "staff" / "gates.jsonl").read_text(encoding="utf-8").splitlines()
    scans = [json.loads(line) for line in lines]
    assert [(scan["shopper"], scan.get("staff")) for scan in scans] == [(0, True), (1, None)]
    stream = RecordedStream(tmp_path / "staff", phone=lambda shopper: f"code-{shopper}")
    codes = [scan.code for tick in stream for scan in tick.scans]
    assert codes == ["code-0", "code-1"]
    assert [stream.is_staff(shopper) for shopper in (0, 1)] == [True, False]


def test_placeholders_of_codes() -> None:
    assert shopper_of(shopper_code(12)) == 12
    assert shopper_of("a-real-code") is None
    assert shopper_of("shopper:x") is None


def test_frame_clocks_keep_their_rate_and_phase() -> None:
    clock = FrameClock(7.5, 2)
    assert [clock.tick_of(n) for n in range(4)] == [2, 10, 18, 26]
    odd = FrameClock(25.0, 1)
    ticks = [odd.tick_of(n) for n in range(26)]
    assert ticks[25] - ticks[0] == 60
    assert min(np.diff(ticks)) >= 2
    phases = [one.phase_ticks for one in frame_clocks(load_store_file(DEMO)).values()]
    assert phases == [1, 2, 3, 4, 1, 2, 3]


# ---------------------------------------------------------------- broken folders


def _cut(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))


def _lose_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    _cut(folder / "store.yaml")


def _edit(key: str, value: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "manifest.json"
        document = json.loads(path.read_text(encoding="utf-8"))
        document[key] = value
        path.write_text(json.dumps(document), encoding="utf-8")

    return change


@pytest.mark.parametrize(
    ("damage", "pattern"),
    [
        (lambda f: _cut(f / "cameras" / "cam-a.mp4"), r"cam-a.mp4: expected \d+ bytes, got \d+"),
        (lambda f: _flip(f / "cameras" / "cam-a.mp4"), r"cam-a.mp4: its SHA-256 is not that"),
        (lambda f: (f / "plates" / "0000.npz").unlink(), r"0000.npz: missing; the manifest names"),
        (lambda f: _cut(f / "gates.jsonl"), r"gates.jsonl: expected \d+ bytes"),
        (lambda f: _flip(f / "store.yaml"), r"store.yaml: its SHA-256"),
        (lambda f: _cut(f / "manifest.json"), r"manifest.json: expected JSON"),
        (_edit("schema_version", 9), r"expected schema_version 2 or older, got 9: a newer Sortie"),
        (_edit("cameras", "none"), r"manifest.json: cameras: "),
        (_edit("surprise", 1), r"manifest.json: surprise: "),
        (
            _edit("store", {"file": "../store.yaml", "bytes": 1, "sha256": "0" * 64}),
            r"expected files inside the folder",
        ),
        (_lose_manifest, r"store.yaml:\d+: "),
    ],
)
def test_a_broken_recording_is_refused_by_name(
    copy: Path, damage: Callable[[Path], None], pattern: str
) -> None:
    damage(copy)
    with pytest.raises(RecordingError, match=pattern):
        _replay(copy)


def test_a_video_with_fewer_frames_than_promised_is_told(copy: Path) -> None:
    """Even if nobody compares digests."""
    path = copy / "manifest.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["cameras"][0]["frames"] += 3
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(RecordingError, match=r"cam-a.mp4: expected \d+ frames, got \d+"):
        _replay(copy, verify=False)


def test_what_is_no_recording_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="expected a folder with a recording, got none; check"):
        _replay(tmp_path / "nowhere")
    with pytest.raises(RecordingError, match=r"one store file \(\*.yaml\) beside videos, got none"):
        _replay(tmp_path)
    (tmp_path / "half.partial").mkdir()
    with pytest.raises(RecordingError, match="never finished: record again"):
        _replay(tmp_path / "half")
    with pytest.raises(RecordingError, match="never finished; record it again"):
        _replay(tmp_path / "half.partial")


# ---------------------------------------------------------------- somebody's own folder


@pytest.fixture
def own(recorded: Path, store_path: Path, tmp_path: Path) -> Path:
    """Videos and a store file, nothing else."""
    folder = tmp_path / "own"
    folder.mkdir()
    shutil.copy(store_path, folder / "my-shop.yaml")
    for video in (recorded / "cameras").iterdir():
        shutil.copy(video, folder / video.name)
    return folder


def test_somebodys_own_folder_is_readable(own: Path) -> None:
    ticks = _replay(own)
    frames = [frame for tick in ticks for frame in tick.frames]
    assert {frame.camera_id for frame in frames} == {"cam-a", "ceil-1"}
    assert frames[0].t_s == 0.0
    assert all(tick.scales is None and not tick.scans for tick in ticks)
    assert SECONDS - 1 < ticks[-1].t_s <= SECONDS + 0.1


def test_somebodys_own_scans_and_plates_are_taken(own: Path, recorded: Path) -> None:
    gate = RecordedStream(recorded, phone=str).store.gates[0].gate_id
    line = json.dumps({"t_s": 1.0, "gate_id": gate, "code": "a-real-code"})
    (own / "gates.jsonl").write_text(line + "\n", encoding="utf-8")
    shutil.copytree(recorded / "plates", own / "plates")
    ticks = _replay(own)
    scans = [scan for tick in ticks for scan in tick.scans]
    assert [(scan.code, scan.t_s) for scan in scans] == [("a-real-code", 1.0)]
    rows = sum(len(tick.scales.t_s) for tick in ticks if tick.scales is not None)
    assert rows == round(SECONDS * 60)


@pytest.mark.parametrize(
    ("name", "content", "pattern"),
    [
        ("cam-q.mp4", b"x", r"expected videos named after cameras .* got cam-q; rename"),
        ("cam-a.mp4", b"no video", r"cam-a.mp4: expected a video"),
        ("gates.jsonl", b'{"t_s": 1}\n', r"gates.jsonl:1: expected t_s, gate_id and shopper"),
        ("gates.jsonl", b'\n{"t_s":1,"gate_id":"x","code":"c"}\n', r":2: expected a gate of the"),
        ("second.yaml", b"a: 1\n", r"one store file .* got my-shop.yaml, second.yaml"),
        ("plates/0000.npz", b"torn", r"0000.npz: expected arrays t_s and grams"),
    ],
)
def test_what_is_wrong_in_it_is_named(own: Path, name: str, content: bytes, pattern: str) -> None:
    (own / name).parent.mkdir(exist_ok=True)
    (own / name).write_bytes(content)
    with pytest.raises(RecordingError, match=pattern):
        _replay(own)


def test_a_video_of_another_size_is_told(own: Path) -> None:
    document = yaml.safe_load((own / "my-shop.yaml").read_text(encoding="utf-8"))
    document["cameras"][0]["intrinsics"]["width"] = 640
    (own / "my-shop.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    with pytest.raises(RecordingError, match=r"pictures of 640x72 .* got 128x72; correct"):
        _replay(own)


def test_a_folder_without_anything_to_see_is_told(own: Path) -> None:
    for video in own.glob("*.mp4"):
        video.unlink()
    with pytest.raises(RecordingError, match=r"such as cam-a.mp4\) or plates, got neither"):
        _replay(own)


def test_manifest_is_a_contract(recorded: Path) -> None:
    text = (recorded / "manifest.json").read_text(encoding="utf-8")
    manifest = Manifest.model_validate_json(text)
    simulation = manifest.simulation
    assert simulation is not None
    assert simulation.model_copy(update={"dials": None, "code": ""}) == SIMULATION
    assert simulation.dials == Dials()
    assert manifest.plates is not None
    assert manifest.plates.rows == SECONDS * 60
    assert manifest.duration_s == SECONDS
