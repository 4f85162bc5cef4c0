"""Evidence on the hub's disk: under a quota, with an expiry, each file named by its digest."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

from hub.errors import RejectedError, StoreError

__all__ = ["EvidenceFolder"]

_FILE = re.compile(r"^(\d{10,12})-([0-9a-f]{64})\.(jpg|mp4)$")
_ENDING = {"image/jpeg": "jpg", "video/mp4": "mp4"}
_MAGIC = {"jpg": (0, b"\xff\xd8\xff"), "mp4": (4, b"ftyp")}


class EvidenceFolder:
    """`unix_s` reads the wall clock: names carry the day of expiry, so that nothing else is kept.

    The oldest go first when the quota is full; `expelled` counts them.
    """

    def __init__(
        self, folder: Path, *, quota_bytes: int, keep_s: float, unix_s: Callable[[], float]
    ) -> None:
        self._folder = folder
        self._quota_bytes = quota_bytes
        self._keep_s = keep_s
        self._unix_s = unix_s
        self.expelled = 0
        try:
            found = folder.iterdir() if folder.exists() else ()
            names = sorted(path for path in found if path.is_file())
        except OSError as error:
            raise StoreError(
                f"{folder}: cannot be used for evidence ({error.strerror}); "
                "set SORTIE_HUB_EVIDENCE_DIR"
            ) from error
        self._sizes: dict[str, int] = {}
        for path in names:
            if path.name.endswith(".new"):
                path.unlink(missing_ok=True)
            elif _FILE.match(path.name):
                self._sizes[path.name] = path.stat().st_size
        self.sweep()

    @property
    def bytes_kept(self) -> int:
        """What is on disk."""
        return sum(self._sizes.values())

    def keep(self, data: bytes, *, sha256: str, media_type: str) -> None:
        """Stores a piece; RejectedError if it is not what was announced, StoreError if the disk
        says no."""
        digest = hashlib.sha256(data).hexdigest()
        if digest != sha256:
            raise RejectedError(f"expected evidence with sha256 {sha256}, got {digest}")
        ending = _ENDING[media_type]
        at, magic = _MAGIC[ending]
        if not data[at:].startswith(magic):
            raise RejectedError(f"expected {media_type}, got something else")
        if len(data) > self._quota_bytes:
            raise RejectedError(f"expected at most {self._quota_bytes} bytes, got {len(data)}")
        if self._name(sha256) is not None:
            return
        name = f"{int(self._unix_s() + self._keep_s)}-{sha256}.{ending}"
        fresh = self._folder / f"{name}.new"
        try:
            # Only a hub that was sent something has a folder.
            self._folder.mkdir(parents=True, exist_ok=True)
            fresh.write_bytes(data)
            os.replace(fresh, self._folder / name)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise StoreError(f"{self._folder}: evidence cannot be written ({error})") from error
        self._sizes[name] = len(data)
        self.sweep()

    def read(self, sha256: str) -> tuple[bytes, str] | None:
        """A piece and its media type; None if it is not here."""
        name = self._name(sha256)
        if name is None:
            return None
        try:
            data = (self._folder / name).read_bytes()
        except OSError:
            return None
        if hashlib.sha256(data).hexdigest() != sha256:
            return None
        return data, "image/jpeg" if name.endswith("jpg") else "video/mp4"

    def sweep(self) -> int:
        """Deletes what expired, then the oldest above the quota; how many files that were."""
        now, gone = self._unix_s(), 0
        total = self.bytes_kept
        for name in sorted(self._sizes):
            expired = int(name.split("-", 1)[0]) <= now
            if not expired and total <= self._quota_bytes:
                break
            total -= self._sizes.pop(name)
            (self._folder / name).unlink(missing_ok=True)
            gone += 1
            self.expelled += not expired
        return gone

    def _name(self, sha256: str) -> str | None:
        return next((name for name in self._sizes if name.split("-", 1)[1][:64] == sha256), None)
