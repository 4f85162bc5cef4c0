"""A gate scanner whose reads lie in a shared-memory ring. One ring serves all gates."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from pydantic import Field

from hardware.errors import BrokenSourceError, DeviceLostError
from hardware.ports import GateScan
from hardware.rings import Cursor, RingReader, RingWriter
from hardware.settings import DriverSettings

__all__ = ["GateRingWriter", "ShmGate", "ShmGateSettings"]

KIND = "scans"
SCAN_BYTES_MAX = 2048
SCANS_PER_READ_MAX = 64


class ShmGateSettings(DriverSettings):
    """Where the ring is, and which of its gates are wanted."""

    name: Annotated[str, Field(min_length=1, max_length=120, description="name of the ring")]
    root: Annotated[Path | None, Field(description="directory of rings; None: /dev/shm")] = None
    gate_ids: Annotated[tuple[str, ...], Field(description="wanted gates; empty: all")] = ()


class GateRingWriter:
    """Writes scans."""

    def __init__(
        self, name: str, *, stream_id: int, slots: int = 256, root: Path | None = None
    ) -> None:
        self._ring = RingWriter(
            name,
            payload_bytes=SCAN_BYTES_MAX,
            slots=slots,
            description={"kind": KIND},
            generation=stream_id,
            root=root,
        )

    def write(self, scan: GateScan) -> None:
        """Publishes one scan."""
        text = json.dumps({"gate_id": scan.gate_id, "code": scan.code}).encode()
        self._ring.publish(text, t_s=scan.t_s)

    def close(self) -> None:
        """Takes the ring away; closing twice is fine."""
        self._ring.close()


class ShmGate:
    """Reads scans. `dropped` counts scans that were overtaken before they were read."""

    def __init__(
        self,
        settings: ShmGateSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        resume: Cursor | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._ring: RingReader | None = RingReader(settings.name, root=settings.root, resume=resume)
        if self._ring.description.get("kind") != KIND:
            found = self._ring.description.get("kind")
            self.close()
            raise BrokenSourceError(
                f"shm://{settings.name}: expected a ring of {KIND}, got {found!r}; give the gate "
                "another name"
            )

    @property
    def dropped(self) -> int:
        """Scans lost."""
        return self._ring.lost if self._ring is not None else 0

    @property
    def cursor(self) -> Cursor:
        """Where to resume after a restart."""
        return self._open().cursor

    def read(self) -> tuple[GateScan, ...]:
        """Scans since the last call, at most SCANS_PER_READ_MAX."""
        scans = []
        now_s = self._clock()
        for record in self._open().pending(SCANS_PER_READ_MAX):
            try:
                fields = json.loads(bytes(record.payload))
                gate_id, code = str(fields["gate_id"]), str(fields["code"])
            except (ValueError, KeyError, TypeError) as error:
                raise BrokenSourceError(
                    f"shm://{self._settings.name}: expected a scan with gate_id and code, got "
                    f"{bytes(record.payload[:60])!r}; update the process that writes it"
                ) from error
            if not self._settings.gate_ids or gate_id in self._settings.gate_ids:
                scans.append(GateScan(gate_id, min(record.t_s, now_s), code))
        return tuple(scans)

    def close(self) -> None:
        """Lets the ring go; closing twice is fine."""
        if self._ring is not None:
            self._ring.close()
            self._ring = None

    def _open(self) -> RingReader:
        if self._ring is None:
            raise DeviceLostError(f"gate {self._settings.name} is closed; open it again")
        return self._ring
