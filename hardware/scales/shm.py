"""A bank of plates whose readings lie in a shared-memory ring, like a load-cell controller's
buffer: a node that was away reads on where it stopped, as far back as the ring reaches."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hardware.errors import BrokenSourceError, DeviceLostError
from hardware.ports import ScaleBatch
from hardware.rings import Cursor, RingReader, RingWriter
from hardware.settings import DriverSettings

__all__ = ["ScaleRingWriter", "ShmScale", "ShmScaleSettings"]

KIND = "plates"


class ShmScaleSettings(DriverSettings):
    """Where the ring is, and which of its plates are wanted."""

    name: Annotated[str, Field(min_length=1, max_length=120, description="name of the ring")]
    root: Annotated[Path | None, Field(description="directory of rings; None: /dev/shm")] = None
    plate_ids: Annotated[tuple[str, ...], Field(description="wanted plates; empty: all")] = ()
    rows_max: Annotated[int, Field(ge=1, le=100_000, description="rows of one batch")] = 4096


class ScaleRingWriter:
    """Writes rows of grams; 4096 rows are 68 s at 60 Hz."""

    def __init__(
        self,
        name: str,
        *,
        plate_ids: tuple[str, ...],
        stream_id: int,
        slots: int = 4096,
        root: Path | None = None,
    ) -> None:
        self._count = len(plate_ids)
        self._ring = RingWriter(
            name,
            payload_bytes=4 * len(plate_ids),
            slots=slots,
            description={"kind": KIND, "plate_ids": list(plate_ids)},
            generation=stream_id,
            root=root,
        )

    def write(self, batch_t_s: NDArray[np.float64], grams: NDArray[np.float32]) -> None:
        """Publishes rows: `batch_t_s` (N,) float64 seconds, `grams` (N, P) float32."""
        if grams.shape != (len(batch_t_s), self._count) or grams.dtype != np.float32:
            raise BrokenSourceError(
                f"expected float32 grams of shape ({len(batch_t_s)}, {self._count}), got "
                f"{grams.dtype} {grams.shape}"
            )
        for t_s, row in zip(batch_t_s, grams, strict=True):
            self._ring.publish(row.tobytes(), t_s=float(t_s))

    def close(self) -> None:
        """Takes the ring away; closing twice is fine."""
        self._ring.close()


class ShmScale:
    """Reads plates. `dropped` counts rows that were overtaken before they were read."""

    def __init__(
        self,
        settings: ShmScaleSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        resume: Cursor | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._ring: RingReader | None = RingReader(settings.name, root=settings.root, resume=resume)
        self._attachments = 0
        self._choose(self._ring)

    @property
    def dropped(self) -> int:
        """Rows lost."""
        return self._ring.lost if self._ring is not None else 0

    @property
    def cursor(self) -> Cursor:
        """Where to resume after a restart."""
        return self._open().cursor

    def read(self) -> ScaleBatch | None:
        """All readings since the last call, at most `rows_max` rows; None if none."""
        ring = self._open()
        records = ring.pending(self._settings.rows_max)
        self._choose(ring)
        if not records:
            return None
        now_s = self._clock()
        width = 4 * self._width
        whole = [record for record in records if record.payload.size == width]
        if not whole:
            raise BrokenSourceError(
                f"shm://{self._settings.name}: expected rows of {width} bytes, got "
                f"{records[0].payload.size}; restart the process that writes them"
            )
        grams = np.concatenate([record.payload for record in whole]).view(np.float32)
        rows = grams.reshape(len(whole), self._width)[:, self._columns]
        t_s = np.minimum(np.array([record.t_s for record in whole], np.float64), now_s)
        return ScaleBatch(self._plate_ids, t_s, np.ascontiguousarray(rows))

    def close(self) -> None:
        """Lets the ring go; closing twice is fine."""
        if self._ring is not None:
            self._ring.close()
            self._ring = None

    def _open(self) -> RingReader:
        if self._ring is None:
            raise DeviceLostError(f"scale {self._settings.name} is closed; open it again")
        return self._ring

    def _choose(self, ring: RingReader) -> None:
        """Columns of the wanted plates, again after the writer was restarted."""
        if ring.attachments == self._attachments:
            return
        self._attachments = ring.attachments
        if ring.description.get("kind") != KIND:
            raise BrokenSourceError(
                f"shm://{self._settings.name}: expected a ring of {KIND}, got "
                f"{ring.description.get('kind')!r}; give the scale another name"
            )
        given = [str(plate_id) for plate_id in ring.description["plate_ids"]]
        wanted = self._settings.plate_ids or tuple(given)
        missing = sorted(set(wanted) - set(given))
        if missing:
            raise BrokenSourceError(
                f"shm://{self._settings.name}: expected plates {', '.join(missing[:5])}, which "
                f"the ring does not have ({len(given)} plates); check the store file"
            )
        places = {plate_id: index for index, plate_id in enumerate(given)}
        self._width = len(given)
        self._plate_ids = tuple(wanted)
        self._columns = np.array([places[plate_id] for plate_id in wanted], np.intp)
