"""A disk that fails when it is told to, and what is left of it after a crash.

    disk = Disk(folder)
    with layered(disk):
        disk.arm("power", after=7)       # at the seventh write, sync, truncation or deletion
        ...                              # from then on nothing is done any more: disk.dead
        disk.crash(random)               # files as a machine finds them when it starts again

Faults: "kill" (the process is gone, what it wrote is in the system's hands), "power" (and of what
was not synced any sectors may be missing), "full" (writes refused until `mend`), "io" (one
operation fails). A write that was under way when the power went may be torn between sectors.

The model of the medium is the one SQLite states: a sync makes all before it durable; without one,
each sector of each write may or may not have reached the medium, in any order; a write never
harms bytes beside it. A deletion is durable at once.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Literal

from sortie.torture.vfs import FULL, IO_ERROR, OK

__all__ = ["Disk", "DiskFault"]

DiskFault = Literal["kill", "power", "full", "io"]
SECTOR_BYTES = 512


@dataclass(slots=True)
class _File:
    """What is durable of a file, and what has been done to it since, in order."""

    durable: bytearray
    since: list[tuple[int, bytes | None]] = field(default_factory=list)


@dataclass
class Disk:
    """One machine's files in one folder. See the module."""

    where: Path
    dead: DiskFault | None = None
    happened: Counter[str] = field(default_factory=Counter)
    operations: int = 0
    _files: dict[str, _File] = field(default_factory=dict)
    _armed: DiskFault | None = None
    _left: int = 0
    _full: bool = False
    _failed: bool = False

    def __post_init__(self) -> None:
        self.where.mkdir(parents=True, exist_ok=True)
        self.folder = str(self.where.resolve()) + os.sep

    # -- what the simulation does -----------------------------------------------------------

    def arm(self, fault: DiskFault, *, after: int) -> None:
        """The fault comes at the operation of this number from now, 1 for the next."""
        self._armed, self._left = fault, after

    def mend(self) -> None:
        """Nothing is armed any more and there is room again."""
        self._armed, self._full, self._failed = None, False, False

    @property
    def faulty(self) -> bool:
        """Whether a write may fail now, or did since the last `mend`."""
        return self._full or self._failed or self._armed is not None

    def die(self, fault: Literal["kill", "power"]) -> None:
        """Now, between two operations."""
        self.dead = fault
        self._armed = None

    def crash(self, random: Random) -> None:
        """The process is gone (its connections are closed): leaves the files as it left them."""
        if self.dead == "power":
            for path, file in self._files.items():
                _lose(file, random)
                Path(path).write_bytes(file.durable)
        self.dead = None
        self.mend()

    # -- what SQLite does -------------------------------------------------------------------

    def opened(self, path: str) -> None:
        """Takes a file's content as durable when it is first met."""
        if path not in self._files:
            self._files[path] = _File(bytearray(Path(path).read_bytes()))

    def write(self, path: str, offset: int, data: bytes) -> int:
        """See LayeredFiles."""
        code = self._operation("write")
        if code == OK or self.dead == "power":
            # What was under way when the power went may have reached the medium in part.
            self._files[path].since.append((offset, data))
        return code

    def truncate(self, path: str, size: int) -> int:
        """See LayeredFiles."""
        code = self._operation("truncate")
        if code == OK:
            self._files[path].since.append((size, None))
        return code

    def sync(self, path: str) -> int:
        """See LayeredFiles."""
        code = self._operation("sync")
        if code == OK:
            file = self._files[path]
            for at, data in file.since:
                _do(file.durable, at, data)
            file.since.clear()
        return code

    def delete(self, path: str) -> int:
        """See LayeredFiles."""
        code = self._operation("delete")
        if code == OK:
            self._files.pop(path, None)
        return code

    def _operation(self, kind: str) -> int:
        if self.dead is not None:
            return IO_ERROR
        self.operations += 1
        if self._full and kind == "write":
            return FULL
        if self._armed is None:
            return OK
        self._left -= 1
        if self._left > 0:
            return OK
        fault, self._armed = self._armed, None
        self.happened[f"disk_{fault}"] += 1
        if fault in ("kill", "power"):
            self.dead = fault
        self._failed = True
        if fault == "full":
            self._full = True
            return FULL if kind == "write" else OK
        return IO_ERROR


def _do(content: bytearray, at: int, data: bytes | None) -> None:
    if data is None:
        del content[at:]
        return
    if len(content) < at:
        content.extend(bytes(at - len(content)))
    content[at : at + len(data)] = data


def _lose(file: _File, random: Random) -> None:
    """Of what was not synced any part may be there: nothing, all, what came first, or any."""
    how = random.choice(("none", "all", "first", "any"))
    kept = {"none": 0, "all": len(file.since), "any": len(file.since)}.get(
        how, random.randint(0, len(file.since))
    )
    for at, data in file.since[:kept]:
        if data is None:
            if how != "any" or random.random() < 0.5:
                _do(file.durable, at, None)
            continue
        for begin in range(0, len(data), SECTOR_BYTES):
            if how != "any" or random.random() < 0.5:
                _do(file.durable, at + begin, data[begin : begin + SECTOR_BYTES])
    file.since.clear()
