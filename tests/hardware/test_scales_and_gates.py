"""Plates and gate scanners over shared memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hardware.errors import BrokenSourceError, DeviceLostError
from hardware.gates import GateRingWriter, ShmGate, ShmGateSettings
from hardware.ports import GateScan
from hardware.scales import ScaleRingWriter, ShmScale, ShmScaleSettings

PLATES = ("p0", "p1", "p2")


def _rows(first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    t_s = np.arange(first, first + count, dtype=np.float64)
    grams = (np.arange(3, dtype=np.float32) * 100 + t_s[:, None]).astype(np.float32)
    return t_s, grams


def test_readings_come_whole_and_in_the_order_of_the_wanted_plates(tmp_path: Path) -> None:
    writer = ScaleRingWriter("s", plate_ids=PLATES, stream_id=1, root=tmp_path)
    settings = ShmScaleSettings(name="s", root=tmp_path, plate_ids=("p2", "p0"))
    scale = ShmScale(settings, clock=lambda: 1e6)
    assert scale.read() is None
    writer.write(*_rows(0, 5))
    batch = scale.read()
    assert batch is not None
    assert batch.plate_ids == ("p2", "p0")
    assert batch.t_s.tolist() == [0, 1, 2, 3, 4]
    assert batch.grams.dtype == np.float32
    assert batch.grams[:, 0].tolist() == [200, 201, 202, 203, 204]
    assert batch.grams[:, 1].tolist() == [0, 1, 2, 3, 4]
    assert scale.read() is None
    scale.close()
    scale.close()
    with pytest.raises(DeviceLostError):
        scale.read()
    writer.close()


def test_a_silent_plate_stays_nan(tmp_path: Path) -> None:
    writer = ScaleRingWriter("s", plate_ids=PLATES, stream_id=1, root=tmp_path)
    scale = ShmScale(ShmScaleSettings(name="s", root=tmp_path))
    t_s, grams = _rows(0, 1)
    grams[0, 1] = np.nan
    writer.write(t_s, grams)
    batch = scale.read()
    assert batch is not None
    assert np.isnan(batch.grams[0]).tolist() == [False, True, False]
    writer.close()


def test_a_slow_reader_loses_the_oldest_rows_and_counts_them(tmp_path: Path) -> None:
    writer = ScaleRingWriter("s", plate_ids=PLATES, stream_id=1, slots=8, root=tmp_path)
    scale = ShmScale(ShmScaleSettings(name="s", root=tmp_path), clock=lambda: 1e6)
    writer.write(*_rows(0, 20))
    batch = scale.read()
    assert batch is not None
    assert batch.t_s.tolist() == list(range(13, 20))
    assert scale.dropped == 13
    writer.close()


def test_a_restarted_node_reads_on_where_it_stopped(tmp_path: Path) -> None:
    writer = ScaleRingWriter("s", plate_ids=PLATES, stream_id=1, root=tmp_path)
    settings = ShmScaleSettings(name="s", root=tmp_path)
    first = ShmScale(settings, clock=lambda: 1e6)
    writer.write(*_rows(0, 3))
    assert first.read() is not None
    cursor = first.cursor
    first.close()
    writer.write(*_rows(3, 2))
    batch = ShmScale(settings, clock=lambda: 1e6, resume=cursor).read()
    assert batch is not None
    assert batch.t_s.tolist() == [3, 4]
    writer.close()


def test_a_restarted_writer_may_order_plates_otherwise(tmp_path: Path) -> None:
    writer = ScaleRingWriter("s", plate_ids=PLATES, stream_id=1, root=tmp_path)
    settings = ShmScaleSettings(name="s", root=tmp_path, plate_ids=("p1",))
    scale = ShmScale(settings, clock=lambda: 1e6)
    writer.close()
    second = ScaleRingWriter("s", plate_ids=("p2", "p1"), stream_id=2, root=tmp_path)
    second.write(np.array([7.0]), np.array([[1.0, 2.0]], np.float32))
    batch = scale.read()
    assert batch is not None
    assert batch.grams.tolist() == [[2.0]]
    second.close()


def test_missing_plates_are_named(tmp_path: Path) -> None:
    writer = ScaleRingWriter("s", plate_ids=PLATES, stream_id=1, root=tmp_path)
    with pytest.raises(BrokenSourceError, match=r"expected plates p9.*check the store file"):
        ShmScale(ShmScaleSettings(name="s", root=tmp_path, plate_ids=("p9",)))
    writer.close()


def test_wrong_rows_are_refused_at_the_writer(tmp_path: Path) -> None:
    writer = ScaleRingWriter("s", plate_ids=PLATES, stream_id=1, root=tmp_path)
    with pytest.raises(BrokenSourceError, match=r"shape \(1, 3\)"):
        writer.write(np.array([0.0]), np.zeros((1, 2), np.float32))
    writer.close()


def test_scans_come_once_and_only_of_wanted_gates(tmp_path: Path) -> None:
    writer = GateRingWriter("g", stream_id=1, root=tmp_path)
    gate = ShmGate(ShmGateSettings(name="g", root=tmp_path, gate_ids=("in",)), clock=lambda: 5.0)
    writer.write(GateScan("in", 4.0, "code-é"))
    writer.write(GateScan("out", 4.5, "other"))
    assert gate.read() == (GateScan("in", 4.0, "code-é"),)
    assert gate.read() == ()
    cursor = gate.cursor
    gate.close()
    writer.write(GateScan("in", 4.9, "again"))
    resumed = ShmGate(ShmGateSettings(name="g", root=tmp_path), clock=lambda: 5.0, resume=cursor)
    assert [scan.code for scan in resumed.read()] == ["again"]
    writer.close()


def test_a_gate_refuses_a_ring_of_plates(tmp_path: Path) -> None:
    writer = ScaleRingWriter("g", plate_ids=PLATES, stream_id=1, root=tmp_path)
    with pytest.raises(BrokenSourceError, match="expected a ring of scans"):
        ShmGate(ShmGateSettings(name="g", root=tmp_path))
    writer.close()
