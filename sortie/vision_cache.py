"""The vision pass of a simulated day, kept between runs.

What the pipelines say about a frame depends on the pixels, the weights and the code of vision,
models and simulator, never on the sensor set. The key is made of all of these, so that a stale
answer cannot be found.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path

from vision.observations import CeilingObservation, ShelfObservation

__all__ = ["ObservationCache", "cache_folder", "code_digest"]

Observation = ShelfObservation | CeilingObservation
CACHED_PACKAGES = ("contracts", "models", "store_sim", "vision")
FORMAT = 1
FILES_MAX = 200
"""Days kept; the oldest go first."""


def cache_folder() -> Path:
    """$SORTIE_CACHE, or the user's cache folder."""
    configured = os.environ.get("SORTIE_CACHE")
    if configured:
        return Path(configured)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "sortie"


def code_digest() -> str:
    """SHA-256 over the sources that decide what the vision pass says."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for package in CACHED_PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            if "training" in path.parts:
                continue
            digest.update(str(path.relative_to(root)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


class ObservationCache:
    """One day's observations by camera, in the order of their frames."""

    def __init__(self, parts: Mapping[str, str], *, folder: Path | None = None) -> None:
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
        kept = sorted(self._folder.glob("*.pickle.gz"), key=lambda path: path.stat().st_mtime)
        for path in kept[:-FILES_MAX]:
            path.unlink(missing_ok=True)
