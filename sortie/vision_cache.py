"""The vision pass of a simulated day, kept between runs.

What the pipelines say about a frame depends on the pixels, the weights and the code of vision,
models, simulator and node, never on the sensor set. The key is made of all of these, so that a
stale answer cannot be found.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import pickle
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from edge.exchange import Observation

__all__ = ["VISION_BYTES_MAX", "ObservationCache", "cache_folder", "code_digest", "keep_newest"]

CODE = ("*.py", "*.case")
VISION_SOURCES = ("contracts", "edge", "models", "sortie/gallery.py", "store_sim", "vision")
FORMAT = 1
VISION_BYTES_MAX = 2 * 1024**3
"""Of all days kept (a store minute of seven cameras takes about 200 KB); the oldest go first."""
PART_AGE_S_MAX = 3600.0
"""A half-written file so old was left by a process that was stopped."""


def cache_folder() -> Path:
    """$SORTIE_CACHE, or the user's cache folder."""
    configured = os.environ.get("SORTIE_CACHE")
    if configured:
        return Path(configured)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "sortie"


@cache
def code_digest(*sources: str) -> str:
    """SHA-256 over the sources (packages or files, from the root of the tree) as they were when
    first asked for, the scripts of the cases with them; without any, over those that decide what
    the vision pass says."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for source in sources or VISION_SOURCES:
        where = root / source
        found = [where] if where.is_file() else sorted(p for s in CODE for p in where.rglob(s))
        for path in found:
            if "training" in path.parts:
                continue
            digest.update(str(path.relative_to(root)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def keep_newest(folder: Path, pattern: str, bytes_max: int) -> int:
    """Takes the files that were used longest ago away until the rest fits; returns how many.

    Files that other processes take away meanwhile are no fault.
    """
    found = []
    for path in folder.glob(pattern):
        try:
            state = path.stat()
        except FileNotFoundError:
            continue
        found.append((state.st_mtime, state.st_size, path))
    gone, total = 0, sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= bytes_max:
            break
        path.unlink(missing_ok=True)
        total -= size
        gone += 1
    for path in folder.glob("*.part"):
        try:
            if time.time() - path.stat().st_mtime > PART_AGE_S_MAX:
                path.unlink()
        except FileNotFoundError:
            continue
    return gone


class ObservationCache:
    """One day's observations by camera, in the order of their frames."""

    def __init__(
        self,
        parts: Mapping[str, str],
        *,
        folder: Path | None = None,
        bytes_max: int = VISION_BYTES_MAX,
    ) -> None:
        self._bytes_max = bytes_max
        self._folder = (folder or cache_folder()) / "vision"
        key = hashlib.sha256(repr(sorted({**parts, "format": str(FORMAT)}.items())).encode())
        self._path = self._folder / f"{key.hexdigest()}.pickle.gz"

    def load(self) -> dict[str, list[Observation]] | None:
        """The observations, None if this day has not been seen or its file is torn."""
        try:
            with gzip.open(self._path, "rb") as file:
                found = pickle.load(file)
        except (OSError, EOFError, pickle.UnpicklingError):
            return None
        if not isinstance(found, dict):
            return None
        os.utime(self._path)
        return found

    def store(self, observations: Mapping[str, Sequence[Observation]]) -> None:
        """Keeps a whole day; a reader never sees half of it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        part = self._path.with_suffix(f".{os.getpid()}.part")
        with gzip.open(part, "wb", compresslevel=3) as file:
            pickle.dump({name: list(seen) for name, seen in observations.items()}, file)
        part.replace(self._path)
        keep_newest(self._folder, "*.pickle.gz", self._bytes_max)
