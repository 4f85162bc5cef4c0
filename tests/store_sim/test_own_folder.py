"""Anybody's own folder: videos and a store file, and what else there may be."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from hardware.ports import Frame
from store_sim.errors import RecordingError
from store_sim.replay import RecordedStream
from store_sim.stream import SensorTick

V1 = Path(__file__).parent / "fixtures" / "recording-v1"
STORE = V1 / "store.yaml"


def _replay(folder: Path, **options: Any) -> tuple[RecordedStream, list[SensorTick]]:
    stream = RecordedStream(folder, phone=lambda n: f"fresh-{n}", **options)
    return stream, list(stream)


def _frames(ticks: list[SensorTick], camera_id: str) -> list[Frame]:
    return [frame for tick in ticks for frame in tick.frames if frame.camera_id == camera_id]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Two videos and a store file."""
    folder = tmp_path / "own"
    folder.mkdir()
    for name in ("cam-a", "ceil-1"):
        shutil.copy(V1 / "cameras" / f"{name}.mp4", folder / f"{name}.mp4")
    shutil.copy(STORE, folder / "kiosk.yaml")
    return folder


def _video(path: Path, times_s: list[float], *, size: tuple[int, int], turn: int = 0) -> None:
    """A video with a bright upper left corner, its frames at these times."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "5", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = size[0], size[1], "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        if turn:
            stream.set_display_rotation(turn)
        rgb: NDArray[np.uint8] = np.zeros((size[1], size[0], 3), np.uint8)
        rgb[: size[1] // 2, : size[0] // 2] = 250
        for t_s in times_s:
            picture = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            picture.pts, picture.time_base = round(t_s * 1000), Fraction(1, 1000)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def test_videos_may_begin_at_different_times(own: Path) -> None:
    (own / "times.json").write_text('{"ceil-1": 3.5}', encoding="utf-8")
    _, ticks = _replay(own)
    assert _frames(ticks, "cam-a")[0].t_s == 0.0
    assert _frames(ticks, "ceil-1")[0].t_s == 3.5
    assert _frames(ticks, "ceil-1")[-1].t_s == pytest.approx(22.5)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ('{"cam-q": 1}', r"times.json: expected cameras of the store file \(cam-a, ceil-1\), got"),
        ('{"cam-a": -1}', r"times.json: cam-a: expected seconds from 0 to \d+, got -1; where all"),
        ('{"cam-a": "1"}', r"cam-a: expected seconds"),
        ('{"cam-a": NaN}', r"cam-a: expected seconds"),
        ("[1]", r"times.json: expected an object of cameras and seconds, got list"),
        ("{", r"times.json: expected JSON such as"),
    ],
)
def test_times_that_make_no_sense_are_named(own: Path, text: str, pattern: str) -> None:
    (own / "times.json").write_text(text, encoding="utf-8")
    with pytest.raises(RecordingError, match=pattern):
        _replay(own)


def test_a_varying_frame_rate_is_kept(own: Path) -> None:
    times_s = [0.0, 0.033, 0.4, 0.41, 2.25]
    _video(own / "cam-a.mp4", times_s, size=(32, 32))
    _, ticks = _replay(own, cameras=["cam-a"])
    assert [frame.t_s for frame in _frames(ticks, "cam-a")] == pytest.approx(times_s, abs=1e-3)


@pytest.mark.parametrize(
    ("turn", "corner"), [(0, (0, 0)), (90, (1, 0)), (-90, (0, 1)), (180, (1, 1))]
)
def test_a_video_that_a_phone_notes_as_turned_is_turned(
    own: Path, turn: int, corner: tuple[int, int]
) -> None:
    """`turn` is how far a player turns it, against the clock; the bright corner goes with it."""
    document = STORE.read_text(encoding="utf-8")
    old = "intrinsics: {width: 32, height: 32, fx: 30.0"
    upright = (64, 32) if turn % 180 == 0 else (32, 64)
    assert old in document
    new = f"intrinsics: {{width: {upright[0]}, height: {upright[1]}, fx: 30.0"
    (own / "kiosk.yaml").write_text(document.replace(old, new), encoding="utf-8")
    _video(own / "cam-a.mp4", [0.0, 0.1], size=(64, 32), turn=turn)
    _, ticks = _replay(own, cameras=["cam-a"])
    rgb = _frames(ticks, "cam-a")[0].rgb
    assert rgb.shape == (upright[1], upright[0], 3)
    assert rgb.flags.c_contiguous
    h, w = rgb.shape[0] // 2, rgb.shape[1] // 2
    means = {
        (row, column): rgb[row * h : (row + 1) * h, column * w : (column + 1) * w].mean()
        for row in (0, 1)
        for column in (0, 1)
    }
    assert max(means, key=lambda place: means[place]) == corner


def test_two_videos_of_a_camera_are_refused(own: Path) -> None:
    (own / "cameras").mkdir()
    shutil.copy(own / "cam-a.mp4", own / "cameras/cam-a.mkv")
    with pytest.raises(RecordingError, match=r"one video of camera cam-a, got cam-a.mp4 and cam-a"):
        _replay(own)


def test_a_camera_without_video_is_named(own: Path) -> None:
    (own / "ceil-1.mp4").unlink()
    stream, ticks = _replay(own, lenient=True)
    assert _frames(ticks, "cam-a")
    assert any("no video of camera ceil-1" in text for text in stream.missing)
    assert _replay(own)[0].missing == ()


@dataclass(frozen=True)
class Log:
    plate_ids: tuple[str, ...]
    t_s: NDArray[np.float64]
    grams: NDArray[np.float32]


def _log(*plate_ids: str) -> Log:
    grams = np.arange(20, dtype=np.float32).reshape(-1, len(plate_ids))
    return Log(plate_ids, np.arange(len(grams)) / 10.0, grams)


def test_a_plain_log_of_plates_is_put_in_the_stores_order(own: Path) -> None:
    (own / "plates.csv").write_text("read by the reader given\n", encoding="utf-8")
    log = _log("bay-a-1-p1")
    stream, ticks = _replay(own, read_log=lambda path: log, cameras=["cam-a"])
    parts = [tick.scales for tick in ticks if tick.scales is not None]
    assert parts[0].plate_ids == ("bay-a-1-p0", "bay-a-1-p1")
    grams = np.concatenate([part.grams for part in parts])
    assert np.isnan(grams[:, 0]).all(), "a plate that the log lacks gave no reading"
    np.testing.assert_array_equal(grams[:, 1], np.arange(20))
    assert stream.missing == ()


def test_a_log_that_does_not_fit_is_refused(own: Path) -> None:
    (own / "plates.csv").touch()
    with pytest.raises(RecordingError, match=r"plates.csv: expected plates of .* got p9; rename"):
        _replay(own, read_log=lambda path: _log("p9"))
    dated = Log(("bay-a-1-p0",), np.array([1.7e9, 1.7e9 + 1]), np.zeros((2, 1), np.float32))
    with pytest.raises(RecordingError, match=r"seconds from the beginning, .* subtract when the"):
        _replay(own, read_log=lambda path: dated)
    (own / "plates").mkdir()
    np.savez(own / "plates/0000.npz", t_s=np.zeros(1), grams=np.zeros((1, 2), np.float32))
    with pytest.raises(RecordingError, match=r"plates.csv or plates/\*.npz, got both"):
        _replay(own, read_log=lambda path: _log("bay-a-1-p0"))


def test_a_plain_log_is_read_by_the_simulators_own_reader(own: Path) -> None:
    lines = [f"{t / 10},bay-a-1-p0,{100 + t}" for t in range(30)]
    text = "\n".join(["t_s,plate,weight_g", *lines]) + "\n"
    (own / "plates.csv").write_text(text, encoding="utf-8")
    _, ticks = _replay(own, cameras=["cam-a"])
    parts = [tick.scales for tick in ticks if tick.scales is not None]
    grams = np.concatenate([part.grams for part in parts])
    assert 100.0 <= np.nanmin(grams[:, 0]) < np.nanmax(grams[:, 0]) <= 129.0


@pytest.mark.parametrize(
    "line",
    [
        '{"t_s": NaN, "gate_id": "gate-in", "code": "c"}',
        '{"t_s": -1, "gate_id": "gate-in", "code": "c"}',
    ],
)
def test_scans_out_of_time_are_refused_and_never_waited_for(own: Path, line: str) -> None:
    (own / "gates.jsonl").write_text(line + "\n", encoding="utf-8")
    with pytest.raises(RecordingError, match=r"gates.jsonl:1: expected t_s.* in seconds from the"):
        _replay(own)


def test_readings_without_a_time_are_refused_and_never_waited_for(own: Path) -> None:
    (own / "plates").mkdir()
    t_s = np.array([0.0, np.nan])
    np.savez(own / "plates/0000.npz", t_s=t_s, grams=np.zeros((2, 2), np.float32))
    with pytest.raises(RecordingError, match=r"0000.npz: expected times in seconds"):
        _replay(own)
