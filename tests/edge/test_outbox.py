"""The outbox: what was stored survives, in order, within bounds, over boots and kills."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edge.errors import OutboxError, OutboxFullError
from edge.outbox import Outbox, OutboxSettings


def _open(tmp_path: Path, boot_id: str = "b1", settings: OutboxSettings | None = None) -> Outbox:
    return Outbox(tmp_path / "outbox.db", boot_id=boot_id, settings=settings)


def _full(outbox: Outbox) -> bool:
    # A call: the type checker believes that a property keeps the value it was compared with.
    return outbox.full


def _letters(outbox: Outbox) -> list[tuple[str, int, bytes]]:
    return [(row.boot_id, row.sequence, row.payload) for row in outbox.unacked(limit=10_000)]


def test_events_wait_in_order_until_they_are_confirmed(tmp_path: Path) -> None:
    outbox = _open(tmp_path)
    outbox.append([(0, b"a"), (1, b"bb")])
    outbox.append([(2, b"ccc")])
    assert (outbox.waiting, outbox.waiting_bytes) == (3, 6)
    assert _letters(outbox) == [("b1", 0, b"a"), ("b1", 1, b"bb"), ("b1", 2, b"ccc")]
    assert outbox.forget("b1", 1) == 2
    assert outbox.forget("b1", 1) == 0
    assert _letters(outbox) == [("b1", 2, b"ccc")]
    assert (outbox.waiting, outbox.waiting_bytes) == (1, 3)
    outbox.close()
    outbox.close()


def test_reading_goes_on_after_a_place(tmp_path: Path) -> None:
    outbox = _open(tmp_path)
    outbox.append([(n, bytes([n])) for n in range(10)])
    first = outbox.unacked(limit=4)
    second = outbox.unacked(after=first[-1].order, limit=4)
    assert [row.sequence for row in first + second] == list(range(8))
    assert outbox.waiting_upto(second[-1].order) == 8


def test_an_earlier_boots_tail_is_delivered_first_and_under_its_own_name(tmp_path: Path) -> None:
    first = _open(tmp_path, "b1")
    first.append([(0, b"x"), (1, b"y")])
    first.forget("b1", 0)
    first.close()
    second = _open(tmp_path, "b2")
    second.append([(0, b"z")])
    assert second.waiting == 2
    assert _letters(second) == [("b1", 1, b"y"), ("b2", 0, b"z")]
    assert second.forget("b2", 0) == 1
    assert second.forget("b1", 1) == 1
    assert second.waiting == 0
    second.close()


def test_an_ack_of_a_boot_that_nobody_knows_changes_nothing(tmp_path: Path) -> None:
    outbox = _open(tmp_path)
    outbox.append([(0, b"x")])
    assert outbox.forget("b9", 100) == 0
    assert outbox.waiting == 1


def test_a_used_boot_id_and_a_used_number_are_refused(tmp_path: Path) -> None:
    outbox = _open(tmp_path, "b1")
    outbox.append([(0, b"x")])
    with pytest.raises(OutboxError, match="expected new numbers for boot b1"):
        outbox.append([(1, b"y"), (0, b"again")])
    assert _letters(outbox) == [("b1", 0, b"x")]
    outbox.close()
    with pytest.raises(OutboxError, match="boot id never used before, got b1"):
        _open(tmp_path, "b1")


def test_only_one_process_may_open_it(tmp_path: Path) -> None:
    outbox = _open(tmp_path)
    with pytest.raises(OutboxError, match="another process of this node has it open"):
        _open(tmp_path, "b2")
    outbox.close()
    _open(tmp_path, "b2").close()


def test_full_is_visible_and_a_reserve_is_left_to_say_so(tmp_path: Path) -> None:
    outbox = _open(tmp_path, settings=OutboxSettings(rows_max=20, reserve_rows=4))
    outbox.append([(n, b"x") for n in range(19)])
    assert not _full(outbox)
    outbox.append([(19, b"x")])
    assert _full(outbox)
    outbox.append([(20, b"outage")])
    with pytest.raises(OutboxFullError, match=r"21 waiting of at most 20 .*check broker and hub"):
        outbox.append([(n, b"x") for n in range(21, 30)])
    assert outbox.waiting == 21
    outbox.forget("b1", 1)
    assert _full(outbox), "one or two places are not yet room again"
    outbox.forget("b1", 10)
    assert not _full(outbox)


def test_bytes_are_bounded_too(tmp_path: Path) -> None:
    outbox = _open(tmp_path, settings=OutboxSettings(bytes_max=65_536, reserve_rows=4))
    outbox.append([(0, b"x" * 65_536)])
    assert _full(outbox)
    with pytest.raises(OutboxFullError):
        outbox.append([(1, b"x" * 10_000)])
    assert outbox.waiting == 1


def test_full_is_known_again_after_a_restart(tmp_path: Path) -> None:
    settings = OutboxSettings(rows_max=16, reserve_rows=4)
    first = _open(tmp_path, "b1", settings)
    first.append([(n, b"x") for n in range(16)])
    first.close()
    second = _open(tmp_path, "b2", settings)
    assert _full(second)
    assert second.waiting == 16


def test_a_disk_without_room_is_full_and_keeps_what_it_had(tmp_path: Path) -> None:
    outbox = _open(tmp_path)
    outbox.append([(0, b"kept")])
    pages = outbox._db.execute("PRAGMA page_count").fetchone()[0]
    outbox._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(OutboxFullError, match="the disk takes no more"):
        outbox.append([(1, b"x" * 500_000)])
    assert _full(outbox)
    assert _letters(outbox) == [("b1", 0, b"kept")]
    outbox._db.execute("PRAGMA max_page_count = 1000000")
    outbox.append([(1, b"y")])
    assert not _full(outbox)
    assert [sequence for _, sequence, _ in _letters(outbox)] == [0, 1]


def test_state_is_saved_with_the_events_or_not_at_all(tmp_path: Path) -> None:
    outbox = _open(tmp_path)
    assert outbox.load_state("plates") is None
    outbox.append([(0, b"x")], {"plates": b"level-0"})
    with pytest.raises(OutboxError):
        outbox.append([(0, b"again")], {"plates": b"level-1"})
    assert outbox.load_state("plates") == b"level-0"
    outbox.save_state({"plates": b"level-2"})
    outbox.close()
    second = _open(tmp_path, "b2")
    assert second.load_state("plates") == b"level-2"
    assert second.waiting == 1


def test_a_file_that_is_no_outbox_is_told(tmp_path: Path) -> None:
    (tmp_path / "outbox.db").write_bytes(b"not a database at all" * 500)
    with pytest.raises(OutboxError, match=r"outbox.db: expected an outbox of this node"):
        _open(tmp_path)


def test_an_outbox_of_another_schema_is_told(tmp_path: Path) -> None:
    outbox = _open(tmp_path)
    outbox._db.execute("PRAGMA user_version = 99")
    outbox.close()
    with pytest.raises(OutboxError, match="expected an outbox of schema 1, got 99"):
        _open(tmp_path, "b2")


_APPENDER = """
import pathlib, sys
from edge.outbox import Outbox
outbox = Outbox(pathlib.Path(sys.argv[1]), boot_id="b1")
sequence = 0
while True:
    batch = [(sequence + k, b"%d" % (sequence + k) * 50) for k in range(3)]
    outbox.append(batch, {"last": b"%d" % (sequence + 2)})
    sequence += 3
    print(sequence - 1, flush=True)
"""


@pytest.mark.parametrize("kill_after", [1, 7, 23])
def test_what_was_stored_survives_sigkill(tmp_path: Path, kill_after: int) -> None:
    path = tmp_path / "outbox.db"
    child = subprocess.Popen(
        [sys.executable, "-c", _APPENDER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    promised = -1
    for _ in range(kill_after):
        promised = int(child.stdout.readline())
    child.send_signal(signal.SIGKILL)
    child.wait(30)
    child.stdout.close()
    outbox = Outbox(path, boot_id="b2")
    sequences = [row.sequence for row in outbox.unacked(limit=100_000)]
    assert sequences == list(range(len(sequences))), "whole batches, no hole"
    assert len(sequences) % 3 == 0
    assert sequences[-1] >= promised
    assert outbox.load_state("last") == b"%d" % sequences[-1]
    outbox.append([(0, b"next")])
    assert outbox.waiting == len(sequences) + 1
    outbox.close()


def test_a_torn_tail_loses_no_committed_event(tmp_path: Path) -> None:
    """A power cut in mid-write leaves half a frame at the end of the log."""
    path = tmp_path / "outbox.db"
    child = subprocess.Popen(
        [sys.executable, "-c", _APPENDER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    for _ in range(5):
        promised = int(child.stdout.readline())
    child.kill()
    child.wait(30)
    child.stdout.close()
    with (tmp_path / "outbox.db-wal").open("ab") as log:
        log.write(b"\x37" * 1500)
    outbox = Outbox(path, boot_id="b2")
    sequences = [row.sequence for row in outbox.unacked(limit=100_000)]
    assert sequences == list(range(len(sequences)))
    assert sequences[-1] >= promised
    outbox.close()
