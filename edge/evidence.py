"""Evidence: what a camera saw before, during and after a reach, kept on the node and blurred.

A short memory holds small recent pictures of each camera. When a reach closes, three of them make
a strip, heads blurred, and the strip goes to the node's disk. The event carries its id and
SHA-256; the file stays until it expires or the quota pushes it out, the oldest first.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from contracts.messages import Evidence
from edge.errors import EvidenceError
from edge.exchange import EvidenceRequest
from edge.pictures import blur_boxes, encode_jpeg, shrink
from hardware.ports import Frame

__all__ = ["EvidenceSettings", "EvidenceStore", "FrameMemory", "Glimpse", "make_strip"]

_FILE = re.compile(r"^(\d{10,12})-([a-z0-9-]{1,64})\.jpg$")
GAP_PX = 4


class EvidenceSettings(BaseModel):
    """How much is kept, and for how long."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    quota_bytes: Annotated[int, Field(ge=100_000, description="on disk; the oldest go first")] = (
        200_000_000
    )
    keep_s: Annotated[float, Field(gt=0, le=90 * 86_400, description="then it is deleted")] = (
        72 * 3600.0
    )
    width_px: Annotated[int, Field(ge=64, le=1920, description="of one picture")] = 320
    memory_s: Annotated[float, Field(gt=0, le=120, description="recent pictures in memory")] = 30.0
    memory_fps: Annotated[float, Field(gt=0, le=30, description="while something moves")] = 4.0
    idle_fps: Annotated[float, Field(gt=0, le=30, description="while nothing moves")] = 0.5
    head_memory_s: Annotated[
        float, Field(ge=0, le=5, description="heads seen so shortly before or after are blurred")
    ] = 0.6


@dataclass(frozen=True, slots=True)
class Glimpse:
    """A small picture and where heads are in it, in its own pixels."""

    t_s: float
    rgb: NDArray[np.uint8]
    heads_px: NDArray[np.float32]


class FrameMemory:
    """Recent small pictures of one camera; bounded in time and number; safe between threads."""

    def __init__(self, settings: EvidenceSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        count = int(settings.memory_s * settings.memory_fps) + 2
        self._glimpses: deque[Glimpse] = deque(maxlen=count)

    def add(self, frame: Frame, heads_px: NDArray[np.float32], *, active: bool) -> None:
        """Keeps the frame, made small, if the last one kept is old enough."""
        fps = self._settings.memory_fps if active else self._settings.idle_fps
        with self._lock:
            last_s = self._glimpses[-1].t_s if self._glimpses else -np.inf
        if frame.t_s - last_s < 1 / fps - 1e-6:
            return
        small = shrink(frame.rgb, self._settings.width_px)
        scale = small.shape[1] / frame.rgb.shape[1]
        glimpse = Glimpse(frame.t_s, small, heads_px.astype(np.float32) * np.float32(scale))
        with self._lock:
            self._glimpses.append(glimpse)
            while self._glimpses and frame.t_s - self._glimpses[0].t_s > self._settings.memory_s:
                self._glimpses.popleft()

    def between(self, t0_s: float, t1_s: float) -> tuple[Glimpse, ...]:
        """What is kept from `t0_s` to `t1_s`, and the last picture before that."""
        with self._lock:
            kept = tuple(self._glimpses)
        inside = tuple(one for one in kept if t0_s <= one.t_s <= t1_s)
        before = [one for one in kept if one.t_s < t0_s]
        return (before[-1], *inside) if before else inside


def make_strip(
    glimpses: tuple[Glimpse, ...], t0_s: float, t1_s: float, *, head_memory_s: float
) -> bytes:
    """JPEG of three pictures side by side: before, during, after. EvidenceError if there is none.

    A head that the detector missed in one picture is mostly seen in its neighbours, so the boxes
    of pictures close in time are blurred too.
    """
    if not glimpses:
        raise EvidenceError(f"expected pictures from {t0_s:.1f} s to {t1_s:.1f} s, got none")
    middle_s = (t0_s + t1_s) / 2
    during = min(glimpses, key=lambda one: abs(one.t_s - middle_s))
    parts = []
    for one in (glimpses[0], during, glimpses[-1]):
        picture = one.rgb.copy()
        for other in glimpses:
            if abs(other.t_s - one.t_s) <= head_memory_s:
                blur_boxes(picture, other.heads_px)
        parts.append(picture)
    height = max(part.shape[0] for part in parts)
    width = sum(part.shape[1] for part in parts) + GAP_PX * (len(parts) - 1)
    strip = np.full((height, width, 3), 255, np.uint8)
    left = 0
    for part in parts:
        strip[: part.shape[0], left : left + part.shape[1]] = part
        left += part.shape[1] + GAP_PX
    return encode_jpeg(strip)


class EvidenceStore:
    """Evidence on disk. File names carry the day of expiry, so that nothing else must be kept.

    `unix_s` reads the wall clock: an expiry must outlive a restart, which monotonic time does not.
    """

    def __init__(
        self, folder: Path, settings: EvidenceSettings, *, unix_s: Callable[[], float]
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._unix_s = unix_s
        self.expelled = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EvidenceError(
                f"{folder}: cannot be made ({error.strerror}); check the node's data folder"
            ) from error
        self._sizes = {name: size for name, size in self._scan() if _FILE.match(name)}
        self.sweep()

    @property
    def bytes_kept(self) -> int:
        """What is on disk."""
        return sum(self._sizes.values())

    def keep(
        self, request: EvidenceRequest, memory: FrameMemory, *, evidence_id: str, now_s: float
    ) -> Evidence:
        """Makes the strip of a request and stores it; EvidenceError if that is not possible.

        The Evidence names its expiry on the node's monotonic clock, `now_s` being now.
        """
        settings = self._settings
        data = make_strip(
            memory.between(request.t0_s, request.t1_s),
            request.t0_s,
            request.t1_s,
            head_memory_s=settings.head_memory_s,
        )
        name = f"{int(self._unix_s() + settings.keep_s)}-{evidence_id}.jpg"
        if not _FILE.match(name):
            raise EvidenceError(f"expected an evidence id of a-z, 0-9 and '-', got {evidence_id!r}")
        if len(data) > settings.quota_bytes:
            raise EvidenceError(
                f"expected evidence within the quota of {settings.quota_bytes} bytes, got "
                f"{len(data)}; raise the quota or make pictures smaller"
            )
        fresh = self._folder / (name + ".new")
        try:
            fresh.write_bytes(data)
            os.replace(fresh, self._folder / name)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise EvidenceError(
                f"{self._folder / name}: cannot be written ({error.strerror}); make room"
            ) from error
        self._sizes[name] = len(data)
        self.sweep()
        return Evidence(
            evidence_id=evidence_id,
            sha256=hashlib.sha256(data).hexdigest(),
            media_type="image/jpeg",
            bytes=len(data),
            expires_s=now_s + settings.keep_s,
        )

    def read(self, evidence_id: str) -> bytes:
        """The stored picture; EvidenceError if it is gone."""
        for name in self._sizes:
            found = _FILE.match(name)
            if found is not None and found.group(2) == evidence_id:
                try:
                    return (self._folder / name).read_bytes()
                except OSError:
                    break
        raise EvidenceError(
            f"evidence {evidence_id}: not here any more; it expired or the quota pushed it out"
        )

    def sweep(self) -> int:
        """Deletes what expired, then the oldest above the quota; how many files that were."""
        now = self._unix_s()
        ordered = sorted(self._sizes)
        total = self.bytes_kept
        gone = 0
        for name in ordered:
            expired = int(name.split("-", 1)[0]) <= now
            if not expired and total <= self._settings.quota_bytes:
                break
            total -= self._sizes.pop(name)
            (self._folder / name).unlink(missing_ok=True)
            gone += 1
            if not expired:
                self.expelled += 1
        return gone

    def _scan(self) -> list[tuple[str, int]]:
        found = []
        for path in sorted(self._folder.iterdir()):
            if path.name.endswith(".new"):
                # Half written when the node was killed; no event names it.
                path.unlink(missing_ok=True)
            elif path.is_file():
                found.append((path.name, path.stat().st_size))
        return found
