"""Plates of a recording: chunks of readings, torn ones up to their last whole row."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from contracts.store_file import StoreFile
from store_sim.errors import RecordingError
from store_sim.recording.manifest import Manifest
from store_sim.replay.faults import Faults
from store_sim.replay.folder import STORE_S_MAX

__all__ = ["PlateLogReader", "PlateReadings", "Plates", "Rows", "plate_rows", "plates_of"]

Rows = tuple[NDArray[np.float64], NDArray[np.float32]]
LOG_NAME = "plates.csv"
_LOCAL_FILE = b"PK\x03\x04"
_HEADER_BYTES = 30
_DEFLATED = 8


class PlateReadings(Protocol):
    """What a reader of plate logs gives: `t_s` (N,) float64, `grams` (N, P) float32."""

    @property
    def plate_ids(self) -> tuple[str, ...]: ...
    @property
    def t_s(self) -> NDArray[np.float64]: ...
    @property
    def grams(self) -> NDArray[np.float32]: ...


PlateLogReader = Callable[[Path], PlateReadings]


@dataclass(frozen=True, slots=True)
class Plates:
    """Where the readings are: chunks in files, or rows read already."""

    plate_ids: tuple[str, ...]
    chunks: tuple[Path, ...] = ()
    log: Path | None = None
    rows: Rows | None = None


def plates_of(
    folder: Path, manifest: Manifest | None, store: StoreFile, read_log: PlateLogReader | None
) -> Plates | None:
    """The plates of a folder; None if there are none. RecordingError for what does not fit."""
    if manifest is not None:
        if manifest.plates is None:
            return None
        chunks = tuple(folder / chunk.file for chunk in manifest.plates.chunks)
        return Plates(manifest.plates.plate_ids, chunks)
    own = tuple(plate.plate_id for plate in store.plates)
    chunks = tuple(sorted((folder / "plates").glob("*.npz")))
    log = folder / LOG_NAME
    if not log.is_file():
        return Plates(own, chunks) if chunks else None
    if chunks:
        raise RecordingError(
            f"{folder}: expected {LOG_NAME} or plates/*.npz, got both; remove one of them"
        )
    return Plates(own, log=log, rows=_logged_rows(log, own, read_log or _plain_log))


def plate_rows(plates: Plates, faults: Faults) -> Iterator[Rows]:
    """Chunks of readings in the order of time, each with at least one row."""
    last_s = 0.0
    for path, found in _chunks(plates, faults):
        t_s, grams = found
        if not len(t_s):
            continue
        if not (np.all(np.isfinite(t_s)) and t_s[0] >= 0.0 and t_s[-1] <= STORE_S_MAX):
            faults.tell(
                f"{path}: expected times in seconds from the beginning, 0 to {STORE_S_MAX:.0f}, "
                f"got {t_s[0]} to {t_s[-1]}; subtract when the recording began",
                then="left out",
            )
        elif t_s[0] < last_s or np.any(np.diff(t_s) < 0):
            faults.tell(f"{path}: expected times that rise, got some that fall", then="left out")
        else:
            last_s = float(t_s[-1])
            yield t_s, grams


def _chunks(plates: Plates, faults: Faults) -> Iterator[tuple[Path, Rows]]:
    if plates.log is not None and plates.rows is not None:
        yield plates.log, plates.rows
    for path in plates.chunks:
        found = _read_chunk(path, len(plates.plate_ids), faults)
        if found is not None:
            yield path, found


def _plain_log(path: Path) -> PlateReadings:
    # Imported here: few folders hold a log, and reading one needs its own machinery.
    from store_sim.plate_log import read_plate_log

    return read_plate_log(path)


def _logged_rows(path: Path, plate_ids: tuple[str, ...], read_log: PlateLogReader) -> Rows:
    """The log's readings in the order of the store's plates, NaN for plates it knows nothing of."""
    log = read_log(path)
    strangers = sorted(set(log.plate_ids) - set(plate_ids))
    if strangers:
        raise RecordingError(
            f"{path}: expected plates of the store file ({', '.join(plate_ids[:8])}"
            f"{', …' if len(plate_ids) > 8 else ''}), got {', '.join(strangers[:8])}; rename them"
        )
    grams = np.full((len(log.t_s), len(plate_ids)), np.nan, np.float32)
    place = {plate_id: column for column, plate_id in enumerate(plate_ids)}
    for column, plate_id in enumerate(log.plate_ids):
        grams[:, place[plate_id]] = log.grams[:, column]
    return log.t_s.astype(np.float64), grams


def _read_chunk(path: Path, plates: int, faults: Faults) -> Rows | None:
    if not path.is_file():
        return None
    try:
        # Opened here: numpy leaves a torn file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as chunk:
            t_s, grams = chunk["t_s"], chunk["grams"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        saved = None if zipfile.is_zipfile(path) else _whole_rows(path.read_bytes())
        kept = "left out" if saved is None else f"cut after its last whole row, {len(saved[0])}"
        faults.tell(
            f"{path}: expected arrays t_s and grams, got a file without or a torn one ({error}); "
            "copy it again",
            then=kept,
            cause=error,
        )
        if saved is None:
            return None
        t_s, grams = saved
    if t_s.ndim != 1 or grams.shape != (len(t_s), plates):
        faults.tell(
            f"{path}: expected t_s (N,) and grams (N, {plates}), got {t_s.shape} and "
            f"{grams.shape}; the columns are the store file's plates in its order",
            then="left out",
        )
        return None
    return t_s.astype(np.float64), grams.astype(np.float32)


def _whole_rows(data: bytes) -> Rows | None:
    """t_s and grams of an .npz file that was cut off, as far as both go; None if nothing is left.

    A cut file has lost the list of its members, which stands last, but not their beginnings.
    """
    arrays: dict[str, NDArray[np.generic]] = {}
    place = data.find(_LOCAL_FILE)
    while place >= 0:
        begin = place + _HEADER_BYTES
        if begin > len(data):
            break
        named = int.from_bytes(data[place + 26 : place + 28], "little")
        extra = int.from_bytes(data[place + 28 : place + 30], "little")
        name = data[begin : begin + named].decode("ascii", "replace").removesuffix(".npy")
        body = data[begin + named + extra :]
        if int.from_bytes(data[place + 8 : place + 10], "little") == _DEFLATED:
            body = _inflated(body)
        array = _leading_rows(body)
        if array is None:
            break
        arrays[name] = array
        place = data.find(_LOCAL_FILE, begin)
    if "t_s" not in arrays or "grams" not in arrays:
        return None
    rows = min(len(arrays["t_s"]), len(arrays["grams"]))
    if rows == 0:
        return None
    return arrays["t_s"][:rows].astype(np.float64), arrays["grams"][:rows].astype(np.float32)


def _inflated(body: bytes) -> bytes:
    """What a deflated stream gives until it ends or breaks."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    out = io.BytesIO()
    for begin in range(0, len(body), 4096):
        if inflater.eof:
            break
        try:
            out.write(inflater.decompress(body[begin : begin + 4096]))
        except zlib.error:
            break
    return out.getvalue()


def _leading_rows(body: bytes) -> NDArray[np.generic] | None:
    """The whole rows at the beginning of an .npy file."""
    file = io.BytesIO(body)
    try:
        if np.lib.format.read_magic(file) != (1, 0):
            return None
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    except ValueError:
        return None
    if fortran or dtype.hasobject or not shape:
        return None
    row = dtype.itemsize * math.prod(shape[1:])
    if row == 0:
        return None
    rows = min(shape[0], (len(body) - file.tell()) // row)
    found = np.frombuffer(body, dtype, rows * math.prod(shape[1:]), file.tell())
    return found.reshape(rows, *shape[1:])
