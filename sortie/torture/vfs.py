"""A layer under SQLite: every write, sync, truncation and deletion of chosen files passes here.

    with layered(disk): ...     # files under disk.folder now go through the disk

SQLite's own "virtual file system" is the seam, so that Python's sqlite3, SQLAlchemy, the hub's
store and a node's outbox run as they are. The layer is the system's file system with three of a
file's methods and two of the system's replaced, through ctypes, in the very library that Python's
sqlite3 module uses. Files of other folders never come here and cost nothing.

UnlayeredError if this Python's SQLite cannot be reached so (some builds hide it).
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int64, c_void_p
from typing import Any, Protocol

from sortie.errors import UsageError

__all__ = ["FULL", "IO_ERROR", "OK", "LayeredFiles", "layered"]

OK, FULL, IO_ERROR = 0, 13, 778
"""SQLite's result codes: fine, the disk is full, an I/O error in a write."""
NAME = b"sortie-torture"
DURABLE = 0x100 | 0x800 | 0x80000
"""Kinds of files that must outlive a crash: the database, its rollback journal and its log."""


class LayeredFiles(Protocol):
    """Who decides what becomes of a file's bytes. Each call returns a result code; when it is not
    OK the operation is not done."""

    folder: str

    def opened(self, path: str) -> None:
        """A file is about to be written to."""
        ...

    def write(self, path: str, offset: int, data: bytes) -> int:
        """Bytes are written."""
        ...

    def truncate(self, path: str, size: int) -> int:
        """A file is cut to a size."""
        ...

    def sync(self, path: str) -> int:
        """A file's bytes are to reach the medium."""
        ...

    def delete(self, path: str) -> int:
        """A file is deleted."""
        ...


# Names stay addresses: an open file keeps the very pointer that it was opened with.
_OPEN = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)
_DELETE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int)
_SLEEP = CFUNCTYPE(c_int, c_void_p, c_int)
_WRITE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
_TRUNCATE = CFUNCTYPE(c_int, c_void_p, c_int64)
_SYNC = CFUNCTYPE(c_int, c_void_p, c_int)


class _Vfs(Structure):
    _fields_ = (
        ("version", c_int),
        ("file_size", c_int),
        ("path_max", c_int),
        ("next", c_void_p),
        ("name", c_char_p),
        ("app_data", c_void_p),
        ("open", _OPEN),
        ("delete", _DELETE),
        *((name, c_void_p) for name in ("access", "full_path", "dl_open", "dl_error", "dl_sym")),
        *((name, c_void_p) for name in ("dl_close", "randomness")),
        ("sleep", _SLEEP),
        *((name, c_void_p) for name in ("time", "last_error", "time_64", "set_call", "get_call")),
        ("next_call", c_void_p),
    )


class _Methods(Structure):
    _fields_ = (
        ("version", c_int),
        ("close", c_void_p),
        ("read", c_void_p),
        ("write", _WRITE),
        ("truncate", _TRUNCATE),
        ("sync", _SYNC),
        *(
            (name, c_void_p)
            for name in (
                "size", "lock", "unlock", "reserved", "control", "sector", "traits", "shm_map",
                "shm_lock", "shm_barrier", "shm_unmap", "fetch", "unfetch",
            )
        ),
    )  # fmt: skip


class _File(Structure):
    _fields_ = (("methods", POINTER(_Methods)),)


class _Layer:
    """The replaced functions; must outlive every file that was opened through it."""

    def __init__(self, library: Any, default: Any) -> None:
        self.library = library
        self.disks: list[LayeredFiles] = []
        self._default = default
        self._files: dict[int, tuple[LayeredFiles, str]] = {}
        self._patched: dict[int, tuple[_Methods, _Methods]] = {}
        self.vfs = _Vfs()
        ctypes.pointer(self.vfs)[0] = default
        self.vfs.name = NAME
        self.vfs.open = _OPEN(self._open)
        self.vfs.delete = _DELETE(self._delete)
        # Nobody waits for a lock in real time: who holds one here is in the same thread.
        self.vfs.sleep = _SLEEP(lambda _vfs, micros: micros)

    def disk_of(self, path: str) -> LayeredFiles | None:
        """Whose folder a file is in."""
        return next((disk for disk in self.disks if path.startswith(disk.folder)), None)

    def _open(
        self, _vfs: int, name: int | None, file: int, flags: int, out_flags: int | None
    ) -> int:
        code = int(
            self._default.open(ctypes.addressof(self._default), name, file, flags, out_flags)
        )
        if code != OK or name is None or not flags & DURABLE:
            return code
        path = ctypes.string_at(name).decode()
        disk = self.disk_of(path)
        if disk is not None:
            disk.opened(path)
            self._files[file] = (disk, path)
            opened = ctypes.cast(file, POINTER(_File)).contents
            opened.methods = ctypes.pointer(self._methods(opened.methods.contents))
        return code

    def _delete(self, _vfs: int, name: int, sync_folder: int) -> int:
        path = ctypes.string_at(name).decode()
        disk = self.disk_of(path)
        code = OK if disk is None else disk.delete(path)
        if code != OK:
            return code
        return int(self._default.delete(ctypes.addressof(self._default), name, sync_folder))

    def _methods(self, known: _Methods) -> _Methods:
        """The system's methods with ours in place of three; one set per set of theirs."""
        address = ctypes.addressof(known)
        if address not in self._patched:
            ours = _Methods()
            ctypes.pointer(ours)[0] = known
            ours.write = _WRITE(self._writer(known))
            ours.truncate = _TRUNCATE(self._truncater(known))
            ours.sync = _SYNC(self._syncer(known))
            self._patched[address] = (ours, known)
        return self._patched[address][0]

    def _writer(self, known: _Methods) -> Any:
        def write(file: int, data: int, size: int, offset: int) -> int:
            disk, path = self._files[file]
            code = disk.write(path, offset, ctypes.string_at(data, size))
            return code if code != OK else int(known.write(file, data, size, offset))

        return write

    def _truncater(self, known: _Methods) -> Any:
        def truncate(file: int, size: int) -> int:
            disk, path = self._files[file]
            code = disk.truncate(path, size)
            return code if code != OK else int(known.truncate(file, size))

        return truncate

    def _syncer(self, known: _Methods) -> Any:
        def sync(file: int, flags: int) -> int:
            disk, path = self._files[file]
            code = disk.sync(path)
            # The disk's own word counts; to wait for the real medium would prove nothing here.
            return code if code != OK else int(known.sync(file, flags))

        return sync


_layer: _Layer | None = None


@contextmanager
def layered(*disks: LayeredFiles) -> Iterator[None]:
    """Files in the disks' folders that are opened from now on go through them."""
    layer = _the_layer()
    layer.disks.extend(disks)
    try:
        yield
    finally:
        for disk in disks:
            layer.disks.remove(disk)


def _the_layer() -> _Layer:
    """Made once a process and never taken away: an open file may still need it."""
    global _layer
    if _layer is None:
        library = _library()
        library.sqlite3_vfs_find.restype = POINTER(_Vfs)
        library.sqlite3_vfs_find.argtypes = [c_char_p]
        library.sqlite3_vfs_register.argtypes = [POINTER(_Vfs), c_int]
        made = _Layer(library, library.sqlite3_vfs_find(None).contents)
        if library.sqlite3_vfs_register(ctypes.byref(made.vfs), 1) != OK:
            raise UsageError("expected SQLite to take another file system, it refused")
        _layer = made
    return _layer


def _library() -> Any:
    import _sqlite3

    try:
        library = ctypes.CDLL(_sqlite3.__file__)
        _ = library.sqlite3_vfs_register
    except (AttributeError, OSError) as error:
        raise UsageError(
            f"expected a Python whose sqlite3 module shows SQLite's own functions, got {error}; "
            "use a Python that links the system's libsqlite3"
        ) from error
    return library
