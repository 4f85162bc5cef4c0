"""`sortie watch`: what it writes, and what it says about files that are no good."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest

from sortie.errors import UsageError
from sortie.watch_cmd import is_camera, run_watch, video_frames


def _write_video(path: Path, *, seconds: float = 4.0) -> None:
    import av

    options = {"movflags": "faststart"}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        rng = np.random.default_rng(0)
        for _ in range(round(seconds * 10)):
            picture = rng.integers(0, 255, (96, 160, 3)).astype(np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def _run(source: Path, json_file: Path | None = None) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    run_watch(str(source), json_file, out=out, err=err)
    return out.getvalue(), err.getvalue()


def test_a_video_gives_a_document(tmp_path: Path) -> None:
    video, result = tmp_path / "film.mp4", tmp_path / "out.json"
    _write_video(video)
    _, progress = _run(video, result)
    document = json.loads(result.read_text())
    assert document["frames"] == 40
    assert document["fps"] == pytest.approx(10, abs=0.01)
    assert document["events"] == []
    assert "40 frames" in progress


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.mp4: no such file"):
        _run(tmp_path / "none.mp4")


def test_a_folder_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="got a folder"):
        _run(tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello", bytes(range(256)) * 100])
def test_what_is_no_video_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="not a video"):
        _run(path, tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()


def test_a_truncated_video_says_how_far_it_goes_and_keeps_what_was_seen(tmp_path: Path) -> None:
    whole, cut, result = tmp_path / "film.mp4", tmp_path / "cut.mp4", tmp_path / "out.json"
    _write_video(whole)
    data = whole.read_bytes()
    cut.write_bytes(data[: len(data) * 6 // 10])
    with pytest.raises(UsageError, match=r"up to 2\.\d s") as caught:
        _run(cut, result)
    assert "cut.mp4" in str(caught.value)
    assert 15 <= json.loads(result.read_text())["frames"] < 30


def test_a_file_without_pictures_is_refused(tmp_path: Path) -> None:
    import av

    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        sound.rate = 8000
        for packet in [*stream.encode(sound), *stream.encode()]:
            container.mux(packet)
    with pytest.raises(UsageError, match="no video stream"):
        list(video_frames(path))


def test_the_folder_of_the_result_must_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        run_watch("film.mp4", tmp_path / "nowhere" / "out.json")


@pytest.mark.parametrize(
    ("source", "camera"),
    [
        ("0", True),
        ("usb:1", True),
        ("rtsp://host/a", True),
        ("/dev/video0", True),
        ("a.mp4", False),
    ],
)
def test_cameras_are_told_from_files(source: str, camera: bool) -> None:
    assert is_camera(source) is camera
