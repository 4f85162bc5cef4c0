"""The ring: order, loss, torn records, restarted and rival writers, two processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hardware.errors import BrokenSourceError, DeviceBusyError, DeviceOpenError
from hardware.rings import Cursor, RingReader, RingWriter


def _writer(root: Path, *, generation: int = 1, slots: int = 4) -> RingWriter:
    return RingWriter(
        "test",
        payload_bytes=8,
        slots=slots,
        description={"kind": "numbers"},
        generation=generation,
        root=root,
    )


def _number(value: int) -> bytes:
    return value.to_bytes(8, "little")


def _values(reader: RingReader) -> list[int]:
    return [int.from_bytes(bytes(record.payload), "little") for record in reader.pending(100)]


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[RingWriter]:
    writer = _writer(tmp_path)
    yield writer
    writer.close()


def test_records_come_in_order_and_once(writer: RingWriter, tmp_path: Path) -> None:
    reader = RingReader("test", root=tmp_path)
    for value in range(3):
        writer.publish(_number(value), t_s=float(value))
    assert _values(reader) == [0, 1, 2]
    assert _values(reader) == []
    assert reader.lost == 0
    assert reader.description == {"kind": "numbers"}


def test_overtaken_records_are_counted(writer: RingWriter, tmp_path: Path) -> None:
    reader = RingReader("test", root=tmp_path)
    for value in range(10):
        writer.publish(_number(value), t_s=0.0)
    assert _values(reader) == [7, 8, 9]
    assert reader.lost == 7


def test_newest_skips_and_counts(writer: RingWriter, tmp_path: Path) -> None:
    reader = RingReader("test", root=tmp_path)
    for value in range(3):
        writer.publish(_number(value), t_s=0.5 + value)
    record = reader.newest()
    assert record is not None
    assert (record.number, record.t_s) == (2, 2.5)
    assert reader.lost == 2
    assert reader.newest() is None


def test_a_record_being_written_is_not_read(writer: RingWriter, tmp_path: Path) -> None:
    reader = RingReader("test", root=tmp_path)
    for value in range(4):
        writer.publish(_number(value), t_s=0.0)
    # The writer overwrites record 0 now; record 0 is torn and must not be given.
    writer.begin()[:] = 255
    assert _values(reader) == [1, 2, 3]
    assert reader.lost == 1
    writer.commit(t_s=1.0)
    assert _values(reader) == [2**64 - 1]


def test_reader_resumes_where_a_cursor_says(writer: RingWriter, tmp_path: Path) -> None:
    first = RingReader("test", root=tmp_path)
    writer.publish(_number(1), t_s=0.0)
    assert _values(first) == [1]
    cursor = first.cursor
    first.close()
    writer.publish(_number(2), t_s=0.0)
    assert _values(RingReader("test", root=tmp_path, resume=cursor)) == [2]
    assert _values(RingReader("test", root=tmp_path)) == []


def test_reader_follows_a_restarted_writer(writer: RingWriter, tmp_path: Path) -> None:
    reader = RingReader("test", root=tmp_path)
    writer.publish(_number(1), t_s=0.0)
    writer.close()
    assert _values(reader) == [1]
    assert _values(reader) == []
    second = _writer(tmp_path, generation=2)
    second.publish(_number(5), t_s=0.0)
    assert _values(reader) == [5]
    assert reader.attachments == 2
    assert reader.cursor == Cursor(2, 1)
    second.close()


def test_cursor_of_an_earlier_writer_gives_all_of_the_new_one(tmp_path: Path) -> None:
    second = _writer(tmp_path, generation=2)
    second.publish(_number(5), t_s=0.0)
    assert _values(RingReader("test", root=tmp_path, resume=Cursor(1, 77))) == [5]
    second.close()


def test_second_writer_is_refused(writer: RingWriter, tmp_path: Path) -> None:
    with pytest.raises(DeviceBusyError, match="only writer"):
        _writer(tmp_path, generation=2)


def test_missing_ring_names_uri_and_fix(tmp_path: Path) -> None:
    with pytest.raises(DeviceOpenError, match=r"shm://nobody: .*start the process"):
        RingReader("nobody", root=tmp_path)


def test_a_name_cannot_leave_the_directory(tmp_path: Path) -> None:
    with pytest.raises(DeviceOpenError, match="expected a name"):
        RingReader("../etc/passwd", root=tmp_path)


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 8192])
def test_a_file_that_is_no_ring_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "sortie-test.ring").write_bytes(content)
    with pytest.raises((DeviceOpenError, BrokenSourceError), match="shm://test"):
        RingReader("test", root=tmp_path)


def test_too_long_a_record_is_refused(writer: RingWriter) -> None:
    with pytest.raises(BrokenSourceError, match="at most 8 bytes, got 9"):
        writer.publish(b"123456789", t_s=0.0)


_FILL = """
import pathlib, sys
from hardware.rings import RingWriter
writer = RingWriter(
    "race", payload_bytes=65536, slots=3, description={}, generation=1,
    root=pathlib.Path(sys.argv[1]),
)
print("ready", flush=True)
sys.stdin.readline()
for value in range(int(sys.argv[2])):
    writer.begin()[:] = value % 251
    writer.commit(t_s=float(value))
print("done", flush=True)
sys.stdin.readline()
writer.close()
"""


def test_no_torn_record_between_two_processes(tmp_path: Path) -> None:
    count = 3000
    child = subprocess.Popen(
        [sys.executable, "-c", _FILL, str(tmp_path), str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        reader = RingReader("race", root=tmp_path)
        child.stdin.write("go\n")
        child.stdin.flush()
        last = -1
        while last < count - 1:
            assert child.poll() is None
            record = reader.newest()
            if record is None:
                continue
            assert record.number > last
            last = record.number
            assert np.all(record.payload == last % 251)
            assert record.t_s == last
        reader.close()
        child.communicate("end\n", timeout=60)
        assert child.returncode == 0
    finally:
        child.kill()


def test_the_ring_outlives_a_reader_process(writer: RingWriter, tmp_path: Path) -> None:
    """The trap of multiprocessing.shared_memory: a reader's end must not remove the segment."""
    code = (
        "import sys, pathlib; from hardware.rings import RingReader; "
        "RingReader('test', root=pathlib.Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=60)
    reader = RingReader("test", root=tmp_path)
    writer.publish(_number(9), t_s=0.0)
    assert _values(reader) == [9]
