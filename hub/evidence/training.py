"""Reviewed pictures as training truth, where a setting says so: the picture and what it showed.

Nothing names a visit or a shopper: other people of the same reach are "a", "b" and so on. What
the folder holds stays under its quota; nothing is added above it, and `full` counts that.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hub.errors import StoreError

__all__ = ["TrainingFolder"]


class TrainingFolder:
    """One JSON label for each reviewed line, beside the pictures it is about."""

    def __init__(self, folder: Path, *, quota_bytes: int) -> None:
        self._folder = folder
        self._quota_bytes = quota_bytes
        self.full = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._bytes = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
        except OSError as error:
            raise StoreError(
                f"{folder}: cannot be used for training truth ({error.strerror}); set "
                "SORTIE_HUB_TRAINING_DIR"
            ) from error

    def keep(
        self,
        line: Mapping[str, Any],
        choice: Mapping[str, Any] | None,
        pictures: list[tuple[str, str, bytes]],
        *,
        decided_us: int,
    ) -> bool:
        """Keeps a reviewed line with its pictures as (sha256, media type, bytes); False if there
        are none or no room."""
        if not pictures:
            return False
        size = sum(len(data) for _sha, _kind, data in pictures)
        if self._bytes + size > self._quota_bytes:
            self.full += 1
            return False
        names: dict[str, str] = {}
        kept: list[str] = []
        label = {
            "schema": 1,
            "decided_us": decided_us,
            "truth": None if choice is None else _anonymous(choice, names),
            "candidates": [
                {**_anonymous(_candidate(one), names), "probability": one[3]}
                for one in line["alternatives"]
            ],
            "pictures": kept,
        }
        for sha256, media_type, data in pictures:
            name = f"{sha256}.{'jpg' if media_type == 'image/jpeg' else 'mp4'}"
            self._write(name, data)
            kept.append(name)
        text = json.dumps(label, indent=1, sort_keys=True)
        self._write(f"{pictures[0][0]}-{line['line']}.json", text.encode())
        self._bytes += size + len(text)
        return True

    def _write(self, name: str, data: bytes) -> None:
        fresh = self._folder / f"{name}.new"
        try:
            fresh.write_bytes(data)
            os.replace(fresh, self._folder / name)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise StoreError(f"{self._folder}: cannot be written ({error.strerror})") from error


def _candidate(row: list[Any]) -> dict[str, Any]:
    return {"visit_id": row[0], "gtin": row[1], "quantity": row[2]}


def _anonymous(one: Mapping[str, Any], names: dict[str, str]) -> dict[str, Any]:
    visit_id = one["visit_id"]
    who = None
    if visit_id is not None:
        who = names.setdefault(visit_id, chr(ord("a") + min(25, len(names))))
    return {"who": who, "gtin": one["gtin"], "quantity": one["quantity"]}
