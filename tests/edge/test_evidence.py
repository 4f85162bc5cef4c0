"""Evidence: three pictures, blurred heads, a quota, an expiry, a digest."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.errors import EvidenceError
from edge.evidence import EvidenceSettings, EvidenceStore, FrameMemory, make_strip
from edge.exchange import EvidenceRequest
from edge.pictures import blur_boxes, draw_boxes, encode_jpeg, shrink
from hardware.ports import Frame

NONE = np.zeros((0, 4), np.float32)
SETTINGS = EvidenceSettings(width_px=64, memory_fps=10.0, memory_s=5.0, idle_fps=1.0)
REQUEST = EvidenceRequest("reach-1", "cam-a", 1.0, 2.0)


def _frame(t_s: float, value: int | NDArray[np.uint8] = 100) -> Frame:
    rgb = value if isinstance(value, np.ndarray) else np.full((36, 64, 3), value, np.uint8)
    return Frame("cam-a", t_s, 0, rgb)


def _memory(*times: float) -> FrameMemory:
    memory = FrameMemory(SETTINGS)
    for t_s in times:
        memory.add(_frame(t_s, round(t_s * 50)), NONE, active=True)
    return memory


def _decode(data: bytes) -> NDArray[np.uint8]:
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert bgr is not None
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def _checkers() -> NDArray[np.uint8]:
    grid = (np.indices((36, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    return np.repeat(grid[..., None], 3, axis=2)


class Wall:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def test_the_strip_shows_before_during_and_after(tmp_path: Path) -> None:
    memory = _memory(0.2, 0.8, 1.2, 1.5, 1.9, 2.5)
    store = EvidenceStore(tmp_path, SETTINGS, unix_s=Wall())
    evidence = store.keep(REQUEST, memory, evidence_id="e-1", now_s=10.0)
    data = store.read("e-1")
    assert evidence.sha256 == hashlib.sha256(data).hexdigest()
    assert evidence.bytes == len(data) == store.bytes_kept
    assert evidence.expires_s == 10.0 + SETTINGS.keep_s
    strip = _decode(data)
    assert strip.shape == (36, 3 * 64 + 2 * 4, 3)
    shades = [int(strip[18, x].mean()) for x in (32, 68 + 32, 136 + 32)]
    np.testing.assert_allclose(shades, [40, 75, 95], atol=3)


def test_heads_are_blurred_in_it_even_where_the_detector_missed_one() -> None:
    memory = FrameMemory(SETTINGS)
    head = np.array([[20, 8, 40, 28]], np.float32)
    memory.add(_frame(1.0, _checkers()), head, active=True)
    memory.add(_frame(1.5, _checkers()), NONE, active=True)
    strip = _decode(make_strip(memory.between(0.0, 3.0), 0.0, 3.0, head_memory_s=0.6))
    for left in (0, 68, 136):
        inside = strip[10:26, left + 22 : left + 38].astype(int)
        outside = strip[10:26, left + 50 : left + 62].astype(int)
        assert inside.std() < 25
        assert outside.std() > 60


def test_a_head_box_grows_and_may_reach_over_the_edge() -> None:
    rgb = _checkers()
    blur_boxes(rgb, np.array([[-20, -20, 8, 8], [200, 200, 240, 240]], np.float32))
    assert rgb[:13, :13].astype(int).std() < 30
    assert rgb[20:, 20:].std() > 100


def test_blurring_follows_the_smaller_size() -> None:
    memory = FrameMemory(SETTINGS)
    big = np.repeat(np.repeat(_checkers(), 4, axis=0), 4, axis=1)
    memory.add(_frame(1.0, big), np.array([[80, 32, 160, 112]], np.float32), active=True)
    glimpse = memory.between(0.0, 2.0)[0]
    assert glimpse.rgb.shape == (36, 64, 3)
    assert glimpse.heads_px.tolist() == [[20, 8, 40, 28]]


def test_memory_is_bounded_and_idle_pictures_are_rare() -> None:
    memory = FrameMemory(SETTINGS)
    for number in range(1000):
        memory.add(_frame(number / 100), NONE, active=True)
    kept = memory.between(0.0, 100.0)
    assert len(kept) <= 52
    assert kept[-1].t_s - kept[0].t_s <= 5.0 + 1e-9
    quiet = FrameMemory(SETTINGS)
    for number in range(100):
        quiet.add(_frame(number / 20), NONE, active=False)
    assert len(quiet.between(0.0, 100.0)) == 5


def test_no_picture_is_an_error_of_its_own(tmp_path: Path) -> None:
    store = EvidenceStore(tmp_path, SETTINGS, unix_s=Wall())
    with pytest.raises(EvidenceError, match=r"pictures from 1.0 s to 2.0 s, got none"):
        store.keep(REQUEST, FrameMemory(SETTINGS), evidence_id="e-1", now_s=0.0)


def test_what_expired_is_deleted_also_after_a_restart(tmp_path: Path) -> None:
    wall = Wall()
    store = EvidenceStore(tmp_path, SETTINGS, unix_s=wall)
    store.keep(REQUEST, _memory(1.0), evidence_id="e-1", now_s=0.0)
    wall.now += SETTINGS.keep_s / 2
    store.keep(REQUEST, _memory(1.0), evidence_id="e-2", now_s=0.0)
    wall.now += SETTINGS.keep_s / 2 + 1
    again = EvidenceStore(tmp_path, SETTINGS, unix_s=wall)
    with pytest.raises(EvidenceError, match="evidence e-1: not here any more"):
        again.read("e-1")
    assert again.read("e-2")
    assert len(list(tmp_path.iterdir())) == 1


def test_the_quota_pushes_the_oldest_out(tmp_path: Path) -> None:
    wall = Wall()
    noise = np.random.default_rng(3)
    settings = SETTINGS.model_copy(update={"quota_bytes": 100_000, "width_px": 200})
    store = EvidenceStore(tmp_path, settings, unix_s=wall)
    memory = FrameMemory(settings)
    rgb = noise.integers(0, 255, (160, 200, 3), np.uint8)
    memory.add(_frame(1.0, rgb), NONE, active=True)
    for number in range(6):
        wall.now += 10
        store.keep(REQUEST, memory, evidence_id=f"e-{number}", now_s=0.0)
        assert store.bytes_kept <= 100_000
    assert store.expelled > 0
    assert store.read("e-5")
    with pytest.raises(EvidenceError):
        store.read("e-0")
    on_disk = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert on_disk == store.bytes_kept


def test_half_written_and_foreign_files(tmp_path: Path) -> None:
    (tmp_path / "1700000000-e-9.jpg.new").write_bytes(b"half")
    (tmp_path / "notes.txt").write_bytes(b"not ours")
    store = EvidenceStore(tmp_path, SETTINGS, unix_s=Wall())
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    assert store.bytes_kept == 0
    with pytest.raises(EvidenceError, match="evidence id"):
        store.keep(REQUEST, _memory(1.0), evidence_id="../e", now_s=0.0)


def test_pictures_shrink_and_boxes_are_drawn() -> None:
    rgb = np.zeros((90, 160, 3), np.uint8)
    draw_boxes(
        rgb,
        np.array([[10, 10, 50, 50]], np.float32),
        np.array([1], np.int32),
        ((9, 9, 9), (0, 255, 0)),
    )
    assert rgb[10, 30].tolist() == [0, 255, 0]
    assert rgb[30, 30].tolist() == [0, 0, 0]
    small = shrink(rgb, 80)
    assert small.shape == (45, 80, 3)
    same = shrink(small, 200)
    assert same is not small
    assert same.shape == small.shape
    assert _decode(encode_jpeg(small)).shape == (45, 80, 3)
