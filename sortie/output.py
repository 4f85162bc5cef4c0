"""What a command writes: files, checked before the work and written whole or not at all; lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from sortie.errors import UsageError

__all__ = ["check_output", "whole_lines", "write_json", "write_output"]


def check_output(option: str, path: Path | None) -> None:
    """Told before the work, not after it: UsageError if nothing could be written there."""
    if path is None:
        return
    if not path.parent.is_dir():
        raise UsageError(f"{option} {path}: there is no folder {path.parent}; make it")
    if path.is_dir():
        raise UsageError(
            f"{option} {path}: cannot be written, expected the name of a file, got a folder"
        )


def write_output(option: str, path: Path, data: str | bytes) -> None:
    """Writes beside the place and moves it there; UsageError if that cannot be."""
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_bytes(data.encode() if isinstance(data, str) else data)
        partial.replace(path)
    except OSError as error:
        raise UsageError(f"{option} {path}: cannot be written ({error.strerror})") from error


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Writes what `--json` asked for."""
    write_output("--json", path, json.dumps(document, indent=1) + "\n")


def whole_lines(*, stderr: bool = False) -> Console:
    """A console that keeps lines whole, so that they can be searched for."""
    return Console(stderr=stderr, highlight=False, soft_wrap=True)
