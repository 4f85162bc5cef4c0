"""What a node remembers, bay by bay; and the program's exits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from contracts.geometry import Bay, Board, Camera, Intrinsics, Pose
from contracts.messages import ModelRef, NodeConfig, ReachClosed
from edge.errors import SnapshotError
from edge.memory import SHELF_REFRESH_S, NodeMemory
from hardware.rings import Cursor

ROOT = Path(__file__).parents[2]
BAYS = ("bay-a", "bay-b")


def _config(**changes: Any) -> NodeConfig:
    bays = tuple(
        Bay(
            bay_id=name,
            origin_m=(0.6, 4.05),
            facing_deg=-90.0,
            width_m=1.0,
            depth_m=0.4,
            height_m=2.1,
            boards=(Board(board_id=f"{name}-1", z_m=0.7, clearance_m=0.33),),
        )
        for name in BAYS
    )
    cameras = tuple(
        Camera(
            camera_id=f"cam-{name[-1]}",
            role="shelf",
            bay_id=name,
            fps=15,
            intrinsics=Intrinsics(width=96, height=54, fx=80, fy=80, cx=47.5, cy=26.5),
            pose=Pose(position_m=(1, 3, 2.7), look_at_m=(1, 3.1, 0), up=(0, 1, 0)),
            uri=f"shm://cam-{name[-1]}",
        )
        for name in BAYS
    )
    values: dict[str, Any] = {
        "revision": 1,
        "store_id": "demo",
        "node_id": "node-t",
        "cameras": cameras,
        "bays": bays,
    }
    return NodeConfig(**{**values, **changes})


def _snapshot(level: int, *cameras: str) -> dict[str, Any]:
    return {
        "schema": 1,
        "node_id": "node-t",
        "plates": {name: {"p": {"level_g": level}} for name in BAYS},
        "shelf": {name: {"seen": level} for name in cameras},
        "floor": [],
    }


def _update(memory: NodeMemory, level: int, quiet: set[str], *cameras: str) -> dict[str, bytes]:
    return memory.update(
        _snapshot(level, *cameras),
        quiet=quiet,
        now_s=float(level),
        scales={name: Cursor(1, level) for name in BAYS},
        gate=Cursor(2, level),
    )


def _closed(bay_id: str) -> ReachClosed:
    return ReachClosed(
        reach_id="r",
        bay_id=bay_id,
        t_open_s=0,
        t_close_s=1,
        u_m=0.5,
        camera_ok=True,
        plates_ok=True,
    )


def test_a_bay_under_way_keeps_its_older_part_and_place() -> None:
    memory = NodeMemory(_config())
    stored = _update(memory, 10, set(BAYS), "cam-a", "cam-b")
    stored |= _update(memory, 20, {"bay-b"})
    again = NodeMemory.load(stored.get, _config())
    assert again.core["plates"]["bay-a"] == {"p": {"level_g": 10}}
    assert again.core["plates"]["bay-b"] == {"p": {"level_g": 20}}
    assert again.scale_cursor("bay-a") == Cursor(1, 10)
    assert again.scale_cursor("bay-b") == Cursor(1, 20)
    assert again.gate_cursor == Cursor(2, 20)
    assert again.core["shelf"] == {"cam-a": {"seen": 10}, "cam-b": {"seen": 10}}


def test_a_part_never_taken_in_quiet_is_not_there() -> None:
    memory = NodeMemory(_config())
    again = NodeMemory.load(_update(memory, 10, {"bay-b"}, "cam-b").get, _config())
    assert list(again.core["plates"]) == ["bay-b"]
    assert again.scale_cursor("bay-a") is None


def test_a_shelf_is_taken_again_when_its_reach_was_told_and_now_and_then() -> None:
    memory = NodeMemory(_config())
    assert memory.cameras_due(BAYS, 0.0, all_of_them=False) == {"cam-a", "cam-b"}
    parts = _update(memory, 10, set(BAYS), "cam-a", "cam-b")
    assert set(parts) == {"node", "shelf:cam-a", "shelf:cam-b"}
    assert memory.cameras_due(BAYS, 11.0, all_of_them=False) == set()
    memory.told([_closed("bay-a")])
    assert memory.cameras_due({"bay-b"}, 12.0, all_of_them=False) == set()
    assert memory.cameras_due(BAYS, 12.0, all_of_them=False) == {"cam-a"}
    assert set(_update(memory, 13, set(BAYS), "cam-a")) == {"node", "shelf:cam-a"}
    assert memory.cameras_due(BAYS, 14.0, all_of_them=False) == set()
    later_s = 10.0 + SHELF_REFRESH_S
    assert memory.cameras_due(BAYS, later_s, all_of_them=False) == {"cam-b"}
    assert memory.cameras_due(BAYS, 14.0, all_of_them=True) == {"cam-a", "cam-b"}


def test_an_empty_or_damaged_memory() -> None:
    assert "node_id" not in NodeMemory.load(lambda _: None, _config()).core
    for stored in (b"", b"{}", b'{"schema": 9}', b"[1]", b"\xff"):
        with pytest.raises(SnapshotError, match="expected"):
            NodeMemory.load({"node": stored}.get, _config())


# ---------------------------------------------------------------- the program's exits


def _run(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if "SORTIE_NODE" not in name}
    return subprocess.run(
        [sys.executable, "-m", "edge.main"],
        env={**clean, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _environment(folder: Path) -> dict[str, str]:
    return {
        "SORTIE_NODE_STORE_ID": "demo",
        "SORTIE_NODE_NODE_ID": "node-t",
        "SORTIE_NODE_DATA_DIR": str(folder),
        "SORTIE_NODE_MQTT__PORT": "1",
    }


def test_wrong_settings_end_with_two_and_one_line(tmp_path: Path) -> None:
    done = _run({**_environment(tmp_path), "SORTIE_NODE_MQTT__PORT": "no"})
    assert done.returncode == 2
    assert done.stderr.startswith("SORTIE_NODE_MQTT__PORT: ")
    assert len(done.stderr.splitlines()) == 1


def test_other_weights_than_the_hub_names_end_with_one(tmp_path: Path) -> None:
    config = _config(models=(ModelRef(name="shelf", sha256="0" * 64),))
    (tmp_path / "config.json").write_text(config.model_dump_json())
    done = _run(_environment(tmp_path))
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"expected the weights shelf with sha256 {'0' * 64}, this node has ")
    assert "Traceback" not in done.stderr


def test_another_gallery_than_the_hub_names_ends_with_one(tmp_path: Path) -> None:
    config = _config(gallery_sha256="1" * 64)
    (tmp_path / "config.json").write_text(config.model_dump_json())
    gallery = tmp_path / "gallery.npz"
    environment = {**_environment(tmp_path), "SORTIE_NODE_GALLERY": str(gallery)}
    done = _run(environment)
    assert done.returncode == 1
    assert "cannot be read" in done.stderr.splitlines()[-1]
    gallery.write_bytes(b"other")
    done = _run(environment)
    assert done.returncode == 1
    assert "expected a gallery with sha256 1111" in done.stderr.splitlines()[-1]


def test_settings_reach_the_cached_file_format(tmp_path: Path) -> None:
    """A cached configuration of another node is left aside, said, and not served."""
    config = _config(node_id="node-x")
    (tmp_path / "config.json").write_text(json.dumps(config.model_dump(mode="json")))
    child = subprocess.Popen(
        [sys.executable, "-m", "edge.main"],
        env={**os.environ, **_environment(tmp_path)},
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stderr is not None
        assert "is of node node-x and is left aside" in child.stderr.readline()
        child.terminate()
        child.communicate(timeout=60)
        assert child.returncode == 0
    finally:
        child.kill()
