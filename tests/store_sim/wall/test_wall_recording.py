"""A recording of a wall gives back what was seen, scanned and thrown, in order."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import zxingcpp

from store_sim.errors import RecordingError
from store_sim.wall import WallScan
from store_sim.wall.picture import cue_picture
from store_sim.wall.recording import RecordedWall, WallRecorder
from tests.store_sim.wall.wall_kit import world_of


def test_a_wall_is_recorded_and_replayed(tmp_path: Path) -> None:
    world = world_of("demo", "labels-12", 4)
    order = world.orders[0]
    world.give_code(order.order_id, "a code")
    recorder = WallRecorder(world, tmp_path)
    times: list[float] = []
    scanned: list[WallScan] = []
    thrown = None
    for k in range(1, 200):
        recorder.step(k / 5)
        times += [frame.t_s for frame in recorder.frames(k / 5)]
        scanned += recorder.scans()
        if scanned:
            thrown = cue_picture(world, order.indexes, (0, 255, 60)) if thrown is None else thrown
            recorder.show("wall-1-beam", thrown)
            recorder.show("wall-1-beam", thrown)
        if world.truth.takings():
            break
    recorder.show("wall-1-beam", None)
    recorder.close()
    recorded = RecordedWall(tmp_path)
    assert recorded.wall == world.wall
    assert recorded.orders[0]["order_id"] == order.order_id
    events = list(recorded)
    assert [event.t_s for event in events] == sorted(event.t_s for event in events)
    frames = [event.frame for event in events if event.frame is not None]
    assert [frame.t_s for frame in frames] == pytest.approx(times, abs=1e-5)
    assert [event.scan for event in events if event.scan is not None] == scanned
    shown = [event for event in events if event.kind == "shown"]
    assert len(shown) == 2
    assert thrown is not None
    assert shown[0].picture is not None
    assert np.array_equal(shown[0].picture, thrown)
    assert shown[1].picture is None
    # Labels survive the codec.
    wanted = {one.text for one in world.truth.parcels}
    read = {one.text for one in zxingcpp.read_barcodes(np.ascontiguousarray(frames[0].rgb[..., 1]),
            text_mode=zxingcpp.TextMode.Plain)}  # fmt: skip
    assert len({text.removeprefix("\x1d") for text in read} & wanted) >= 9
    deeds = (tmp_path / "truth" / "deeds.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["kind"] for line in deeds] == ["take"]
    with pytest.raises(RecordingError, match="expected no recording there"):
        WallRecorder(world, tmp_path)


def test_lamps_are_recorded_and_replayed(tmp_path: Path) -> None:
    world = world_of("wall-strips", "lamps", 4)
    recorder = WallRecorder(world, tmp_path)
    colours = np.zeros((90, 3), np.uint8)
    colours[3] = (0, 255, 40)
    recorder.step(0.4)
    recorder.frames(0.4)
    recorder.show_lamps("wall-strips-low", colours)
    recorder.close()
    (event,) = [event for event in RecordedWall(tmp_path) if event.kind == "lamps"]
    assert (event.t_s, event.light_id) == (0.4, "wall-strips-low")
    assert event.picture is not None
    assert np.array_equal(event.picture, colours)


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"wall\.json"):
        RecordedWall(tmp_path)
    (tmp_path / "wall.json").write_text('{"schema": 9}', encoding="utf-8")
    with pytest.raises(RecordingError, match="expected schema 1, got 9"):
        RecordedWall(tmp_path)
