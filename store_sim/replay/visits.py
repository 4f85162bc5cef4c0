"""The truth of a recording, handed on to the auditor and not looked into."""

from __future__ import annotations

import json
from pathlib import Path

from store_sim.replay.faults import Faults

__all__ = ["read_visits"]


def read_visits(folder: Path, *, lenient: bool) -> tuple[str | None, tuple[str, ...]]:
    """The text of truth/visits.jsonl, and what of it is missing.

    None where nobody knows the truth. A recording of ours in which nobody has left has no such
    file but a manifest; its text is empty. Lines that are torn are left out, or, not `lenient`,
    refused as RecordingError.
    """
    path = folder / "truth" / "visits.jsonl"
    if not path.is_file():
        known = path.parent.is_dir() and (folder / "manifest.json").is_file()
        return ("" if known else None), ()
    faults = Faults(lenient)
    whole = []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        if _is_object(line):
            whole.append(line + "\n")
        elif line.strip():
            faults.tell(
                f"{path}:{number}: expected a visit as a JSON object, got {line[:60]!r}; copy the "
                "recording again",
                then="that visit is not scored",
            )
    return "".join(whole), faults.found


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
