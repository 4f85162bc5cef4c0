"""Reads logs of plates that others wrote: plain CSV with a row for each reading.

    log = read_plate_log(Path("plates.csv"))
    log.t_s, log.grams        # (N,) seconds, (N, P) grams, column p is log.plate_ids[p]

The header names the columns `t_s`, `plate` and `weight_g` (or `t_ms`, `weight_kg`); others are
passed over. Columns may stand in any order, be separated by comma, semicolon or tab, and numbers
may have a decimal comma where that does not separate columns. Rows may stand in any order. A weight
that is empty, `nan` or `null` is no reading. Times are seconds or milliseconds from anywhere, also
since 1970. A few rows that cannot be read are left out, counted and said; many are an error.

A folder for `sortie replay` may hold such a file: `write_plate_chunks` turns it into the plates of
a recording, as `store_sim.recording` writes them.
"""

from __future__ import annotations

import csv
import io
import math
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from store_sim.errors import RecordingError

__all__ = ["PlateLog", "read_plate_log", "write_plate_chunks"]

Floats = NDArray[np.float64]

CHUNK_CHARACTERS = 1_000_000
ROWS_MAX = 100_000_000
PLATES_MAX = 5000
CELLS_MAX = 250_000_000
BAD_SHARE_MAX = 0.02
HEADER_CHARACTERS_MAX = 10_000
CHUNK_ROWS = 3600
MISSING = frozenset(("", "nan", "null", "none", "na", "n/a", "-", "nil"))
TIMES = {"t_s": 1.0, "t_ms": 1e-3}
WEIGHTS = {"weight_g": 1.0, "weight_kg": 1000.0}
EXAMPLE = "t_s,plate,weight_g"


@dataclass(frozen=True)
class PlateLog:
    """Readings in rows: `t_s` (N,) float64 seconds that rise, `grams` (N, P) float32, NaN where a
    plate gave none. `rows` were read; `bad_rows` were left out, the first as `first_bad` says;
    `notes` say what was made of the file."""

    plate_ids: tuple[str, ...]
    t_s: Floats
    grams: NDArray[np.float32]
    rows: int = 0
    bad_rows: int = 0
    first_bad: str = ""
    notes: tuple[str, ...] = ()


@dataclass
class _Columns:
    """What the header says: places of the columns, and how to read numbers."""

    delimiter: str
    count: int
    t: int
    plate: int
    weight: int
    t_unit: float
    weight_unit: float


@dataclass
class _Rows:
    """Rows under way, in the order of the file."""

    names: dict[str, int] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)
    t: list[Floats] = field(default_factory=list)
    plate: list[NDArray[np.int32]] = field(default_factory=list)
    weight: list[Floats] = field(default_factory=list)
    good: int = 0
    bad: int = 0
    first_bad: str = ""

    def code(self, raw: str) -> int:
        """The column of a plate; ids are names without the blanks around them."""
        place = self.names.get(raw)
        if place is None:
            plate_id = raw.strip()
            place = self.ids.setdefault(plate_id, len(self.ids))
            self.names[raw] = place
        return place


def read_plate_log(path: Path, on_progress: Callable[[float, int], None] | None = None) -> PlateLog:
    """Reads a log. `on_progress` is told the share of the file and the rows that are read.

    Raises RecordingError with the line's number for a file that is missing, empty, not text,
    without the columns, or with too many rows that cannot be read.
    """
    size = _checked_size(path)
    rows = _Rows()
    try:
        encoding = _encoding(path)
        with (
            path.open("rb") as raw,
            io.TextIOWrapper(raw, encoding=encoding, errors="backslashreplace") as file,
        ):
            columns, line = _read_header(path, file)
            while chunk := file.read(CHUNK_CHARACTERS):
                chunk += file.readline()
                if not _read_whole(chunk, columns, rows):
                    _read_rows(chunk, columns, rows, line)
                line += chunk.count("\n")
                _check(path, rows, final=False)
                if on_progress is not None:
                    on_progress(min(1.0, raw.tell() / size), rows.good)
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read ({error.strerror})") from error
    _check(path, rows, final=True)
    return _table(path, columns, rows)


def _checked_size(path: Path) -> int:
    if path.is_dir():
        raise RecordingError(f"{path}: expected a CSV file, got a folder")
    if not path.exists():
        raise RecordingError(f"{path}: no such file; give a CSV file with {EXAMPLE}")
    size = path.stat().st_size
    if size == 0:
        raise RecordingError(f"{path}: the file is empty; expected a header such as {EXAMPLE}")
    return size


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if b"\0" in head:
        raise RecordingError(
            f"{path}: not a text file; expected CSV with a header such as {EXAMPLE}"
        )
    return "utf-8-sig"


def _read_header(path: Path, file: IO[str]) -> tuple[_Columns, int]:
    """The columns, and the number of the first line after the header."""
    number, text = 0, ""
    while not text.strip() or text.lower().startswith("sep="):
        text = file.readline(HEADER_CHARACTERS_MAX)
        number += 1
        if not text:
            raise RecordingError(f"{path}: holds no text; expected a header such as {EXAMPLE}")
    for delimiter in (",", ";", "\t"):
        names = [one.strip().lower() for one in next(csv.reader([text], delimiter=delimiter), [])]
        time = next((one for one in TIMES if one in names), None)
        weight = next((one for one in WEIGHTS if one in names), None)
        if time and weight and "plate" in names:
            places = (names.index(time), names.index("plate"), names.index(weight))
            units = (TIMES[time], WEIGHTS[weight])
            return _Columns(delimiter, len(names), *places, *units), number + 1
    wanted = {"t_s": TIMES, "plate": ("plate",), "weight_g": WEIGHTS}
    found = text.lower()
    missing = [one for one, same in wanted.items() if not any(name in found for name in same)]
    lacking = f"no column {' and no '.join(missing)}" if missing else "columns run together"
    raise RecordingError(
        f"{path}, line {number}: expected a header with t_s, plate and weight_g (or weight_kg), "
        f"separated by comma, semicolon or tab; got {text.strip()[:80]!r}: {lacking}"
    )


def _read_whole(chunk: str, columns: _Columns, rows: _Rows) -> bool:
    """Reads lines all at once; False, and nothing read, if one is out of the ordinary."""
    text = chunk if chunk.endswith("\n") else chunk + "\n"
    count = text.count("\n")
    if '"' in text or text.count(columns.delimiter) != count * (columns.count - 1):
        return False
    fields = text.replace("\n", columns.delimiter).split(columns.delimiter)
    t = _numbers(fields[columns.t : -1 : columns.count], columns.delimiter)
    weight = _numbers(fields[columns.weight : -1 : columns.count], columns.delimiter)
    if t is None or weight is None or not np.isfinite(t).all() or np.isinf(weight).any():
        return False
    names = fields[columns.plate : -1 : columns.count]
    if len(names) != count or len(t) != count or len(weight) != count:
        return False
    distinct = set(names)
    if not all(map(str.strip, distinct)):
        return False
    # In the order of the file, so that plates come in the order in which the log names them.
    for name in dict.fromkeys(names) if distinct - rows.names.keys() else ():
        rows.code(name)
    plate = np.fromiter(map(rows.names.__getitem__, names), np.int32, count)
    _add(rows, columns, t, plate, weight)
    return True


def _numbers(texts: list[str], delimiter: str) -> Floats | None:
    """The numbers of a column, NaN for what is missing; None if one is no number."""
    if delimiter != ",":
        joined = "\n".join(texts)
        if "," in joined and "." not in joined:
            texts = joined.replace(",", ".").split("\n")
    try:
        return np.fromiter(map(float, texts), np.float64, len(texts))
    except ValueError:
        pass
    try:
        values = (_number(one, delimiter) for one in texts)
        return np.fromiter(values, np.float64, len(texts))
    except ValueError:
        return None


def _number(text: str, delimiter: str) -> float:
    """A number; NaN for one that is missing. ValueError for anything else."""
    if text.strip().lower() in MISSING:
        return math.nan
    if delimiter != "," and text.count(",") == 1 and "." not in text:
        text = text.replace(",", ".")
    return float(text)


def _read_rows(chunk: str, columns: _Columns, rows: _Rows, line: int) -> None:
    """Reads a chunk line by line; what cannot be read is counted, the first said."""
    t, plate, weight = array("d"), array("i"), array("d")
    for number, text in enumerate(chunk.splitlines(), line):
        if not text.strip():
            continue
        try:
            values = _row(text, columns)
        except ValueError as error:
            rows.bad += 1
            rows.first_bad = rows.first_bad or f"line {number}: {error}"
            continue
        t.append(values[0])
        plate.append(rows.code(values[1]))
        weight.append(values[2])
    arrays = np.array(t), np.array(plate, np.int32), np.array(weight)
    _add(rows, columns, *arrays)


def _row(text: str, columns: _Columns) -> tuple[float, str, float]:
    try:
        fields = next(csv.reader([text], delimiter=columns.delimiter, strict=True))
    except csv.Error as error:
        raise ValueError(f"expected a row of CSV, got {text[:60]!r} ({error})") from error
    if len(fields) <= max(columns.t, columns.plate, columns.weight):
        raise ValueError(f"expected {columns.count} fields, got {len(fields)}: {text[:60]!r}")
    numbers = []
    for name, place in (("time", columns.t), ("weight", columns.weight)):
        try:
            numbers.append(_number(fields[place], columns.delimiter))
        except ValueError:
            got = fields[place][:40]
            raise ValueError(f"expected a number for the {name}, got {got!r}") from None
    if not math.isfinite(numbers[0]):
        raise ValueError(f"expected a time, got {fields[columns.t][:40]!r}")
    if math.isinf(numbers[1]):
        raise ValueError(f"expected a weight, got {fields[columns.weight][:40]!r}")
    if not fields[columns.plate].strip():
        raise ValueError("expected the name of a plate, got nothing")
    return numbers[0], fields[columns.plate], numbers[1]


def _add(
    rows: _Rows, columns: _Columns, t: Floats, plate: NDArray[np.int32], weight: Floats
) -> None:
    rows.good += len(t)
    rows.t.append(t * columns.t_unit if columns.t_unit != 1.0 else t)
    rows.plate.append(plate)
    rows.weight.append(weight * columns.weight_unit if columns.weight_unit != 1.0 else weight)


def _check(path: Path, rows: _Rows, *, final: bool) -> None:
    total = rows.good + rows.bad
    if rows.bad > (BAD_SHARE_MAX if final else 0.5) * total and (final or total > 1000):
        raise RecordingError(
            f"{path}, {rows.first_bad}; {rows.bad} of {total} rows cannot be read: mend the file"
        )
    if len(rows.ids) > PLATES_MAX:
        raise RecordingError(
            f"{path}: expected at most {PLATES_MAX} plates, got more; is the column `plate` right?"
        )
    if total > ROWS_MAX:
        raise RecordingError(f"{path}: expected at most {ROWS_MAX} rows, got more; cut the log")
    if final and not rows.good:
        raise RecordingError(f"{path}: expected rows after the header, got none")


def _table(path: Path, columns: _Columns, rows: _Rows) -> PlateLog:
    """Rows of readings that were taken together, one column for each plate."""
    t, weight = np.concatenate(rows.t), np.concatenate(rows.weight)
    plate = np.concatenate(rows.plate)
    rows.t, rows.plate, rows.weight = [], [], []
    notes: list[str] = []
    t = _in_seconds(t, plate, notes)
    stamps, row = _stamps(t, plate)
    if len(stamps) * len(rows.ids) > CELLS_MAX:
        raise RecordingError(
            f"{path}: {len(stamps)} times of {len(rows.ids)} plates are too many to hold; cut the "
            "log into shorter ones"
        )
    cells = row * len(rows.ids) + plate
    read = np.isfinite(weight)
    if not read.all():
        notes.append(f"{int(np.count_nonzero(~read))} rows hold no weight")
    grams = np.full(len(stamps) * len(rows.ids), np.nan, np.float32)
    cells, weight = cells[read], weight[read]
    grams[cells] = weight
    again = len(cells) - int(np.count_nonzero(np.isfinite(grams)))
    if again:
        # Several readings of a plate at one time: their mean.
        sums = np.bincount(cells, weight, len(grams))
        counts = np.bincount(cells, minlength=len(grams))
        many = counts > 1
        grams[many] = (sums[many] / counts[many]).astype(np.float32)
    return PlateLog(
        plate_ids=tuple(rows.ids),
        t_s=stamps,
        grams=grams.reshape(len(stamps), len(rows.ids)),
        rows=rows.good,
        bad_rows=rows.bad,
        first_bad=rows.first_bad,
        notes=tuple(notes),
    )


def _in_seconds(t: Floats, plate: NDArray[np.int32], notes: list[str]) -> Floats:
    """Times in seconds: those since 1970 say their unit by their size, others by their steps."""
    size = float(np.median(t))
    for least, unit, name in ((1e17, 1e-9, "nano"), (1e14, 1e-6, "micro"), (1e11, 1e-3, "milli")):
        if size > least:
            notes.append(f"times are {name}seconds since 1970")
            return t * unit
    step = _period(t, plate)
    if 4.0 <= step <= 1000.0 and size < 1e9 and np.all(t[:100_000] == np.rint(t[:100_000])):
        notes.append(f"times step by {step:.0f}: taken as milliseconds")
        return t * 1e-3
    return t


def _period(t: Floats, plate: NDArray[np.int32]) -> float:
    """The usual time from one reading of a plate to its next."""
    first = t[plate == plate[0]]
    steps = np.diff(np.unique(first))
    return float(np.median(steps)) if len(steps) else 0.0


def _stamps(t: Floats, plate: NDArray[np.int32]) -> tuple[Floats, NDArray[np.int64]]:
    """Times of rows (N,) and the row of each reading.

    Plates that are read together share their times. Where they do not (each gateway has its
    clock), readings are put together that fall into the same period.
    """
    if np.all(t[1:] >= t[:-1]):
        new = np.concatenate([[True], t[1:] > t[:-1]])
        stamps, row = t[new], np.cumsum(new) - 1
    else:
        stamps, row = np.unique(t, return_inverse=True)
    most = int(np.bincount(plate).max())
    if len(stamps) <= 1.5 * most + 2:
        return stamps, row.astype(np.int64)
    periods = [_period(t[plate == p], plate[plate == p]) for p in np.unique(plate)[:50]]
    usual = [one for one in periods if one > 0]
    period = min(usual) if usual else 1.0
    slot = np.floor((t - t.min()) / period + 0.5).astype(np.int64)
    slots, row = np.unique(slot, return_inverse=True)
    return t.min() + period * slots, row.astype(np.int64)


def write_plate_chunks(
    log: PlateLog, folder: Path, plate_ids: Sequence[str], *, begin_s: float | None = None
) -> tuple[Path, ...]:
    """Writes a log as `plates/*.npz` of a recording: `t_s` from 0, `grams` in the store's order.

    `plate_ids` are the store's plates; those that the log lacks read NaN. `begin_s` is the time of
    the log at which the recording's videos begin, None: its first reading; what came before it is
    left out. Raises RecordingError if the log has plates that the store does not know.
    """
    places = {plate_id: place for place, plate_id in enumerate(plate_ids)}
    unknown = [one for one in log.plate_ids if one not in places]
    if unknown:
        raise RecordingError(
            f"the log has plates that the store file does not: {', '.join(unknown[:5])}; name them "
            f"as there, for example {', '.join(list(places)[:3])}"
        )
    begin = float(log.t_s[0]) if begin_s is None else begin_s
    (folder / "plates").mkdir(parents=True, exist_ok=True)
    return tuple(_chunks(log, folder / "plates", places, begin))


def _chunks(log: PlateLog, folder: Path, places: dict[str, int], begin_s: float) -> Iterator[Path]:
    columns = [places[one] for one in log.plate_ids]
    first = int(np.searchsorted(log.t_s, begin_s))
    for number, start in enumerate(range(first, len(log.t_s), CHUNK_ROWS)):
        t_s = log.t_s[start : start + CHUNK_ROWS] - begin_s
        grams = np.full((len(t_s), len(places)), np.nan, np.float32)
        grams[:, columns] = log.grams[start : start + CHUNK_ROWS]
        path = folder / f"{number:04d}.npz"
        np.savez_compressed(path, t_s=t_s, grams=grams)
        yield path
