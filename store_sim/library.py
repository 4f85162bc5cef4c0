"""The pinned library: recordings that are generated, not stored. Only seeds and digests are kept.

`library.json` beside this module lists recipes (store, scenario, seed, shoppers, seconds) and what
they must give: digests of frames before any codec, of plates, and of the truth. Whoever runs a
recipe, on whatever supported Python, gets the same recording, or learns where it first differs.

>>> [recipe.name for recipe in recipes()][:3]
['smoke', 'easy', 'base-01']

Where a change to the simulator is meant, `sortie library pin` writes the new digests.
"""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field, ValidationError

from contracts.base import Contract
from contracts.store_file import StoreFile, load_store_file
from store_sim.digest import SensorDigest, file_sha256, truth_files, truth_sha256
from store_sim.errors import LibraryError, ScenarioError
from store_sim.recording import Manifest, Simulation, record_simulation, shown_by
from store_sim.scenarios import CASES, build
from store_sim.stream import SimulatedStream
from store_sim.truth import TruthWriter

__all__ = [
    "LIBRARY_FILE",
    "Entry",
    "Library",
    "Made",
    "Recipe",
    "chosen",
    "differences",
    "generate",
    "make_recording",
    "pinned",
    "read_library",
    "recipes",
    "write_library",
]

LIBRARY_FILE = Path(__file__).parent / "library.json"
STORES = Path(__file__).parent / "stores"
SEED = 1
CASE_S_MAX = 180
"""A case is pinned up to here: some wait for an hour, in which nothing new comes to pass."""
SHORT = 16
"""Hexadecimal digits kept of a digest that only tells which of several things differs."""
ENTRIES_MAX = 1000
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
R = TypeVar("R", bound="Recipe")
Progress = Callable[[float], None]


class Recipe(Contract):
    """What to simulate. `store` is a file of `stores/` without its suffix; `duration_s` is None
    for a scenario that is played to its end."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=80)]
    store: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=80)]
    scenario: str
    seed: Annotated[int, Field(ge=0)]
    shoppers: Annotated[int, Field(ge=1)]
    duration_s: Annotated[float | None, Field(gt=0)] = None


class Entry(Recipe):
    """A recipe and what it gave when it was pinned.

    `cameras` and `truth` map camera ids and names of truth files to the beginnings of their
    digests; `frame_marks` and `plate_marks` are those of store_sim.digest.SensorDigest in base64:
    they tell where a run differs, the three digests tell that it does.
    """

    frames_sha256: Sha256
    plates_sha256: Sha256
    truth_sha256: Sha256
    cameras: dict[str, str]
    truth: dict[str, str]
    frame_marks: str
    plate_marks: str


class Library(Contract):
    """`library.json`."""

    schema_version: Literal[1]
    entries: Annotated[tuple[Entry, ...], Field(max_length=ENTRIES_MAX)]


@dataclass(frozen=True, slots=True)
class Made:
    """An entry that was just made. `ticks` are the ends of ticks in seconds, `seen` the cameras
    that gave a frame in each, with its time."""

    entry: Entry
    ticks: tuple[float, ...]
    seen: tuple[tuple[tuple[str, float], ...], ...]


@cache
def recipes() -> tuple[Recipe, ...]:
    """All recipes there should be an entry for: some seconds that every test run can afford, an
    easy day, and each hard case once, in the first store that can play it (the demo store, if it
    can)."""
    found = [
        Recipe(name="smoke", store="demo", scenario="base-01", seed=SEED, shoppers=1, duration_s=8),
        Recipe(name="easy", store="demo", scenario="easy", seed=SEED, shoppers=4),
    ]
    for name in CASES:
        store = _store_that_plays(name)
        found.append(
            Recipe(
                name=name, store=store, scenario=name, seed=SEED, shoppers=1, duration_s=CASE_S_MAX
            )
        )
    return tuple(found)


@cache
def _shipped() -> dict[str, StoreFile]:
    """The stores of this package by name, the demo store first."""
    names = ["demo", *sorted(path.stem for path in STORES.glob("*.yaml") if path.stem != "demo")]
    return {name: load_store_file(STORES / f"{name}.yaml") for name in names}


def _store_that_plays(scenario: str) -> str:
    faults = []
    for name, store in _shipped().items():
        try:
            build(scenario, store, SEED, 1).day(0)
        except ScenarioError as error:
            faults.append(f"{name}: {error}")
        else:
            return name
    raise ScenarioError(f"no store of {STORES} can play {scenario}: {'; '.join(faults)}")


def read_library(path: Path = LIBRARY_FILE) -> tuple[Entry, ...]:
    """The entries by name; LibraryError if the file cannot be read, none if there is no file."""
    if not path.exists():
        return ()
    try:
        library = Library.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        fault = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise LibraryError(
            f"{path}: expected a library of schema_version 1, got something else ({fault}); check "
            "it out again"
        ) from error
    return library.entries


def write_library(entries: Sequence[Entry], path: Path = LIBRARY_FILE) -> None:
    """Writes the entries by name, all at once."""
    library = Library(
        schema_version=1, entries=tuple(sorted(entries, key=lambda entry: entry.name))
    )
    partial = path.with_name(path.name + ".partial")
    text = json.dumps(library.model_dump(mode="json"), indent=1) + "\n"
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def chosen(found: Sequence[R], pattern: str) -> tuple[R, ...]:
    """Those whose name matches a pattern such as "base-*"; LibraryError if there is none."""
    kept = tuple(one for one in found if fnmatchcase(one.name, pattern))
    if not kept:
        names = ", ".join(one.name for one in found) or "none yet: pin some"
        raise LibraryError(f"expected a name or pattern of {names}; got {pattern!r}")
    return kept


def generate(recipe: Recipe, *, progress: Progress = lambda _t: None) -> Made:
    """Simulates a recipe with all sensors and takes its digests; nothing is kept on disk."""
    store = load_store_file(_store_path(recipe))
    scenario = build(recipe.scenario, store, recipe.seed, recipe.shoppers)
    digest = SensorDigest(tuple(plate.plate_id for plate in store.plates))
    ticks, seen = [], []
    with tempfile.TemporaryDirectory(prefix="sortie-library-") as folder:
        truth = Path(folder)
        stream = SimulatedStream(
            store,
            scenario,
            recipe.seed,
            phone=lambda shopper: shown_by(stream.world, shopper),
            truth=TruthWriter(truth),
            duration_s=recipe.duration_s,
        )
        for tick in stream:
            digest.add(tick)
            ticks.append(tick.t_s)
            seen.append(tuple((frame.camera_id, frame.t_s) for frame in tick.frames))
            progress(tick.t_s)
        entry = Entry(
            **Recipe.model_validate(
                recipe.model_dump(include=set(Recipe.model_fields))
            ).model_dump(),
            frames_sha256=digest.frames_sha256,
            plates_sha256=digest.plates_sha256,
            truth_sha256=truth_sha256(truth),
            cameras={name: whole[:SHORT] for name, whole in digest.cameras.items()},
            truth={name: file_sha256(truth / name)[:SHORT] for name in truth_files(truth)},
            frame_marks=base64.b64encode(digest.frame_marks).decode(),
            plate_marks=base64.b64encode(digest.plate_marks).decode(),
        )
    return Made(entry, tuple(ticks), tuple(seen))


def differences(entry: Entry, made: Made) -> tuple[str, ...]:
    """What a run gave that is not what was pinned, a sentence each; none if all is the same."""
    now = made.entry
    lines = []
    was_ticks, ticks = len(_bytes(entry.plate_marks)), len(made.ticks)
    if was_ticks != ticks:
        lines.append(f"length: was {was_ticks} ticks, is {ticks}")
    if entry.frames_sha256 != now.frames_sha256:
        lines.append(_frames_line(entry, made))
    if entry.plates_sha256 != now.plates_sha256:
        place = _first(_bytes(entry.plate_marks), _bytes(now.plate_marks))
        when = "at the end" if place is None else f"in the tick up to {_at(made, place):.3f} s"
        lines.append(f"plates: first differ {when}")
    if entry.truth_sha256 != now.truth_sha256:
        files = _changed(entry.truth, now.truth)
        lines.append(f"truth: {', '.join(files)} {'differs' if len(files) == 1 else 'differ'}")
    return tuple(lines)


def _frames_line(entry: Entry, made: Made) -> str:
    changed = _changed(entry.cameras, made.entry.cameras)
    line = f"frames: {len(changed)} of {len(made.entry.cameras)} cameras differ"
    place = _first(_bytes(entry.frame_marks), _bytes(made.entry.frame_marks))
    if place is None or place >= len(made.seen):
        return f"{line} ({', '.join(changed)}), first at the end"
    # The mark is of the whole tick: of its frames, those of a camera that differs are meant.
    first = [f"{name} at {t_s:.3f} s" for name, t_s in made.seen[place] if name in changed]
    where = " or ".join(first) or f"in the tick up to {_at(made, place):.3f} s"
    return f"{line} ({', '.join(changed)}), first {where}"


def _changed(was: dict[str, str], now: dict[str, str]) -> list[str]:
    return [name for name in sorted({*was, *now}) if was.get(name) != now.get(name)]


def _first(was: bytes, now: bytes) -> int | None:
    """The first place where two strings differ; None if one goes on where the other ends."""
    pairs = enumerate(zip(was, now, strict=False))
    return next((place for place, (one, other) in pairs if one != other), None)


def _at(made: Made, place: int) -> float:
    return made.ticks[min(place, len(made.ticks) - 1)]


def _bytes(marks: str) -> bytes:
    return base64.b64decode(marks)


def pinned(entries: Sequence[Entry], new: Sequence[Entry]) -> tuple[Entry, ...]:
    """The entries with the new ones in the place of those of their names, and without those that
    no recipe asks for any more."""
    wanted = {recipe.name for recipe in recipes()}
    by_name = {entry.name: entry for entry in [*entries, *new]}
    return tuple(by_name[name] for name in sorted(by_name) if name in wanted)


def make_recording(
    recipe: Recipe, folder: Path, *, progress: Progress = lambda _t: None
) -> Manifest:
    """Records a recipe into `folder`."""
    return record_simulation(
        folder,
        _store_path(recipe),
        Simulation(scenario=recipe.scenario, seed=recipe.seed, shoppers=recipe.shoppers),
        duration_s=recipe.duration_s,
        progress=progress,
    )


def _store_path(recipe: Recipe) -> Path:
    path = STORES / f"{recipe.store}.yaml"
    if not path.is_file():
        names = ", ".join(sorted(one.stem for one in STORES.glob("*.yaml")))
        raise LibraryError(f"{recipe.name}: expected a store of {names}; got {recipe.store}")
    return path
