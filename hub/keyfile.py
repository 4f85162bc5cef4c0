"""Files with a key in them: for their owner only, and on the disk before anybody relies on them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["beside", "write_new"]


def write_new(path: Path, data: bytes) -> None:
    """Writes a file that is not there yet; FileExistsError if it is, OSError if it cannot be."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def beside(path: Path, data: bytes) -> Iterator[Path]:
    """A whole file next to `path`, to be renamed or linked to it; no other trace of it is left."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        write_new(part, data)
        yield part
    finally:
        part.unlink(missing_ok=True)
