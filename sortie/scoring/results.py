"""What has been scored already, one file a run, so that a scoring goes on where it stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sortie.vision_cache import cache_folder, keep_newest

__all__ = ["RESULTS_BYTES_MAX", "Results"]

RESULTS_BYTES_MAX = 1024**3
"""Of all results and pictures kept; those used longest ago go first."""


class Results:
    """JSON documents by key. A reader never sees half of one."""

    def __init__(self, folder: Path | None = None, *, bytes_max: int = RESULTS_BYTES_MAX) -> None:
        self.folder = folder or cache_folder() / "scores"
        self._bytes_max = bytes_max

    def load(self, key: str) -> dict[str, Any] | None:
        """The document, None if there is none or its file is torn."""
        path = self._path(key)
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            os.utime(path)
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def save(self, key: str, document: Mapping[str, Any]) -> None:
        """Keeps a document."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._path(key)
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(document), encoding="utf-8")
        part.replace(path)

    def trim(self) -> int:
        """Takes the oldest away until all fit in their bound; returns how many went."""
        return keep_newest(self.folder, "*.json", self._bytes_max)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.json"
