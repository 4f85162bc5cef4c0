"""A ring of records in shared memory: one writer, many readers, nobody waits for anybody.

The ring is a plain file under /dev/shm, mapped by both sides. (The standard library's
shared_memory is not used: before Python 3.13 the resource tracker of a *reader* removes the
segment when the reader ends, and takes it from everybody else.)

Layout, little endian: a header (magic, sizes, generation, count of published records, the length
of a JSON description, the description), padded to whole pages, then `slots` slots of 64 bytes of
slot header and the payload. Record k lives in slot k % slots. A slot's sequence word is 2k + 1
while record k is being written and 2k + 2 once it is whole (a sequence lock: Lameter, "Effective
synchronization on Linux/NUMA systems", 2005); a reader copies, looks at the word again and throws
the copy away if the word moved.

A restarted writer puts a new file in the place of the old one; readers notice that the name now
leads to another file and attach to it. The slowest reader loses records, never the writer: what
was overtaken is counted.

>>> import tempfile, pathlib
>>> root = pathlib.Path(tempfile.mkdtemp())
>>> writer = RingWriter("doc", payload_bytes=8, slots=4, description={}, root=root, generation=1)
>>> reader = RingReader("doc", root=root)
>>> _ = writer.publish(b"12345678", t_s=1.0)
>>> reader.newest().t_s
1.0
>>> reader.close(); writer.close()
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import re
import struct
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hardware.errors import BrokenSourceError, DeviceBusyError, DeviceOpenError

__all__ = ["Cursor", "Record", "RingReader", "RingWriter", "shared_memory_root"]

MAGIC = b"SORTIER1"
PAGE_BYTES = 4096
SLOT_HEADER_BYTES = 64
DESCRIPTION_BYTES_MAX = 1_000_000
RING_BYTES_MAX = 1 << 30
COPY_ATTEMPTS_MAX = 4
_HEADER = struct.Struct("<8sIIQQQI")  # magic, version, slots, payload, generation, count, length
_COUNT_OFFSET = 32
_VERSION = 1
_NAME = re.compile(r"^[a-z0-9][a-z0-9_.-]{0,120}$")
_fence_lock = threading.Lock()


def shared_memory_root() -> Path:
    """/dev/shm where the system has it, else the directory for temporary files."""
    shm = Path("/dev/shm")
    return shm if shm.is_dir() and os.access(shm, os.W_OK) else Path(tempfile.gettempdir())


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in one writer's stream: the next record to read of one generation."""

    generation: int
    next_record: int


@dataclass(frozen=True, slots=True)
class Record:
    """One record: `payload` is the reader's own copy."""

    number: int
    t_s: float
    payload: NDArray[np.uint8]


def _fence() -> None:
    # A lock that is taken and given back orders memory on every processor that Python runs on;
    # x86 would not need it, ARM does.
    with _fence_lock:
        pass


def _path(name: str, root: Path | None) -> Path:
    if not _NAME.match(name):
        raise DeviceOpenError(
            f"shm://{name}: expected a name of a-z, 0-9, '_', '.', '-'; rename the source"
        )
    return (root or shared_memory_root()) / f"sortie-{name}.ring"


class _Mapping:
    """The mapped file and numpy views of its words."""

    def __init__(self, memory: mmap.mmap, header_bytes: int, slots: int, payload: int) -> None:
        self._memory = memory
        self.slots = slots
        self.payload_bytes = payload
        stride = -(-(SLOT_HEADER_BYTES + payload) // SLOT_HEADER_BYTES) * SLOT_HEADER_BYTES
        self.count: NDArray[np.uint64] = np.frombuffer(memory, np.uint64, 1, _COUNT_OFFSET)
        body = np.frombuffer(memory, np.uint8, slots * stride, header_bytes).reshape(slots, stride)
        self.words: NDArray[np.uint64] = body[:, :8].view(np.uint64)
        self.times: NDArray[np.float64] = body[:, 8:16].view(np.float64)
        self.lengths: NDArray[np.uint64] = body[:, 16:24].view(np.uint64)
        self.payloads: NDArray[np.uint8] = body[:, SLOT_HEADER_BYTES : SLOT_HEADER_BYTES + payload]

    def close(self) -> None:
        # Views keep the mapping alive; without them it goes with the last reference.
        for name in ("count", "words", "times", "lengths", "payloads"):
            if hasattr(self, name):
                delattr(self, name)
        try:
            self._memory.close()
        except BufferError:
            # A caller still holds a view of a record being written; the mapping ends with it.
            return


class RingWriter:
    """The only writer of a ring. DeviceBusyError if another process writes to the same name.

    `generation` tells two writers of the same name apart and is chosen by the caller (a clock
    reading or a random number); `description` is JSON that readers get.
    """

    def __init__(
        self,
        name: str,
        *,
        payload_bytes: int,
        slots: int,
        description: dict[str, Any],
        generation: int,
        root: Path | None = None,
    ) -> None:
        self._path = _path(name, root)
        self._mapping: _Mapping | None = None
        text = json.dumps(description, separators=(",", ":")).encode()
        header = -(-(_HEADER.size + len(text)) // PAGE_BYTES) * PAGE_BYTES
        stride = -(-(SLOT_HEADER_BYTES + payload_bytes) // SLOT_HEADER_BYTES) * SLOT_HEADER_BYTES
        total = header + stride * slots
        if len(text) > DESCRIPTION_BYTES_MAX or total > RING_BYTES_MAX or slots < 2:
            raise DeviceOpenError(
                f"shm://{name}: expected 2 slots or more, a description of at most "
                f"{DESCRIPTION_BYTES_MAX} bytes and {RING_BYTES_MAX} bytes in all, got {slots} "
                f"slots, {len(text)} and {total}; use fewer slots or smaller records"
            )
        self._lock_fd = self._lock(name)
        fresh = self._path.with_suffix(f".{os.getpid()}.new")
        try:
            with fresh.open("w+b") as file:
                file.truncate(total)
                file.write(
                    _HEADER.pack(MAGIC, _VERSION, slots, payload_bytes, generation, 0, len(text))
                )
                file.write(text)
                file.flush()
                memory = mmap.mmap(file.fileno(), total)
                self._inode = os.fstat(file.fileno()).st_ino
            os.replace(fresh, self._path)
        except OSError as error:
            os.close(self._lock_fd)
            raise DeviceOpenError(
                f"shm://{name}: {total} bytes cannot be mapped at {self._path} "
                f"({error.strerror}); free shared memory or use fewer slots"
            ) from error
        self._mapping = _Mapping(memory, header, slots, payload_bytes)
        self._published = 0

    def _lock(self, name: str) -> int:
        lock_path = self._path.with_suffix(".lock")
        try:
            descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise DeviceOpenError(
                f"shm://{name}: {lock_path} cannot be opened ({error.strerror}); "
                "check who may write there"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise DeviceBusyError(
                f"shm://{name}: expected to be the only writer, but another process writes to "
                f"{self._path}; stop it or use another name"
            ) from error
        return descriptor

    @property
    def published(self) -> int:
        """How many records were published."""
        return self._published

    def begin(self) -> NDArray[np.uint8]:
        """The payload of the next record, to be filled in place and given to `commit`."""
        mapping = self._open()
        number = self._published
        slot = number % mapping.slots
        mapping.words[slot, 0] = 2 * number + 1
        _fence()
        payload: NDArray[np.uint8] = mapping.payloads[slot]
        return payload

    def commit(self, *, t_s: float, length: int | None = None) -> int:
        """Publishes the record begun; its number."""
        mapping = self._open()
        number = self._published
        slot = number % mapping.slots
        mapping.times[slot, 0] = t_s
        mapping.lengths[slot, 0] = mapping.payload_bytes if length is None else length
        _fence()
        mapping.words[slot, 0] = 2 * number + 2
        _fence()
        self._published = number + 1
        mapping.count[0] = self._published
        return number

    def publish(self, payload: bytes | NDArray[np.uint8], *, t_s: float) -> int:
        """Publishes a whole record; its number."""
        data = np.frombuffer(payload, np.uint8) if isinstance(payload, bytes) else payload.ravel()
        space = self.begin()
        if data.size > space.size:
            raise BrokenSourceError(
                f"{self._path.name}: expected at most {space.size} bytes, got {data.size}"
            )
        space[: data.size] = data
        return self.commit(t_s=t_s, length=data.size)

    def close(self) -> None:
        """Takes the name away and gives the lock back; closing twice is fine."""
        if self._mapping is None:
            return
        self._mapping.close()
        self._mapping = None
        try:
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()
        except FileNotFoundError:
            pass
        os.close(self._lock_fd)

    def _open(self) -> _Mapping:
        if self._mapping is None:
            raise BrokenSourceError(f"{self._path.name}: the writer is closed; open a new one")
        return self._mapping


class RingReader:
    """One reader of a ring. `lost` counts records that were overtaken before they were read.

    Without `resume` a reader begins with the records that come after it attached; with a cursor
    of the same generation it goes on from there, as far as the ring still holds the records.
    """

    def __init__(
        self, name: str, *, root: Path | None = None, resume: Cursor | None = None
    ) -> None:
        self._name = name
        self._path = _path(name, root)
        self._mapping: _Mapping | None = None
        self._closed = False
        self._next = 0
        self.lost = 0
        self.attachments = 0
        self._attach(resume)

    @property
    def description(self) -> dict[str, Any]:
        """What the writer says about its records."""
        return self._description

    @property
    def cursor(self) -> Cursor:
        """Where this reader stands."""
        return Cursor(self._generation, self._next)

    def newest(self) -> Record | None:
        """The newest record not read before; those in between count as lost."""
        for _ in range(COPY_ATTEMPTS_MAX):
            mapping = self._current()
            count = int(mapping.count[0])
            if count <= self._next:
                return None
            record = self._copy(mapping, count - 1)
            if record is not None:
                self.lost += record.number - self._next
                self._next = record.number + 1
                return record
        return None

    def pending(self, limit: int) -> list[Record]:
        """Up to `limit` records not read before, oldest first."""
        mapping = self._current()
        count = int(mapping.count[0])
        oldest = max(0, count - mapping.slots + 1)
        if self._next < oldest:
            self.lost += oldest - self._next
            self._next = oldest
        records: list[Record] = []
        while self._next < count and len(records) < limit:
            record = self._copy(mapping, self._next)
            if record is None:
                self.lost += 1
            else:
                records.append(record)
            self._next += 1
        return records

    def close(self) -> None:
        """Lets the mapping go; closing twice is fine."""
        self._closed = True
        if self._mapping is not None:
            self._mapping.close()
            self._mapping = None

    def _copy(self, mapping: _Mapping, number: int) -> Record | None:
        slot = number % mapping.slots
        whole = 2 * number + 2
        if int(mapping.words[slot, 0]) != whole:
            return None
        _fence()
        length = min(int(mapping.lengths[slot, 0]), mapping.payload_bytes)
        t_s = float(mapping.times[slot, 0])
        payload = mapping.payloads[slot, :length].copy()
        _fence()
        if int(mapping.words[slot, 0]) != whole:
            return None
        return Record(number, t_s, payload)

    def _current(self) -> _Mapping:
        """The mapping, of the new writer if there is one and the old one's records are read."""
        if self._closed or self._mapping is None:
            raise BrokenSourceError(f"shm://{self._name}: the reader is closed; open a new one")
        if int(self._mapping.count[0]) > self._next:
            return self._mapping
        try:
            inode = self._path.stat().st_ino
        except FileNotFoundError:
            return self._mapping
        if inode != self._inode:
            self._attach(Cursor(-1, 0))
        return self._mapping

    def _attach(self, resume: Cursor | None) -> None:
        try:
            with self._path.open("rb") as file:
                inode = os.fstat(file.fileno()).st_ino
                size = os.fstat(file.fileno()).st_size
                memory = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise DeviceOpenError(
                f"shm://{self._name}: {self._path} cannot be opened ({reason}); "
                "start the process that writes it"
            ) from error
        mapping, description, generation = self._validate(memory, size)
        if self._mapping is not None:
            self._mapping.close()
        self._mapping = mapping
        self._inode = inode
        self._description = description
        self._generation = generation
        self.attachments += 1
        if resume is None:
            self._next = int(mapping.count[0])
        elif resume.generation == generation:
            self._next = min(resume.next_record, int(mapping.count[0]))
        else:
            # A writer that started after the cursor was saved: all it has published is new.
            self._next = 0

    def _validate(self, memory: mmap.mmap, size: int) -> tuple[_Mapping, dict[str, Any], int]:
        fault = "a header of this version"
        if size >= PAGE_BYTES:
            magic, version, slots, payload, generation, _, length = _HEADER.unpack_from(memory)
            header = -(-(_HEADER.size + length) // PAGE_BYTES) * PAGE_BYTES
            stride = -(-(SLOT_HEADER_BYTES + payload) // SLOT_HEADER_BYTES) * SLOT_HEADER_BYTES
            if magic == MAGIC and version == _VERSION:
                fault = f"{header + slots * stride} bytes, got {size}"
                if header + slots * stride == size:
                    description = json.loads(bytes(memory[_HEADER.size : _HEADER.size + length]))
                    return _Mapping(memory, header, slots, payload), description, generation
        memory.close()
        raise BrokenSourceError(
            f"shm://{self._name}: expected {fault} in {self._path}; remove the file and restart "
            "the process that writes it"
        )
