"""The pinned library: what is made anew is what was pinned, and where it is not, one is told."""

from __future__ import annotations

import base64
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from hardware.ports import Frame, ScaleBatch
from sortie import library_cmd
from store_sim.digest import SensorDigest, truth_sha256
from store_sim.errors import LibraryError
from store_sim.library import (
    LIBRARY_FILE,
    Entry,
    Made,
    Recipe,
    chosen,
    differences,
    generate,
    make_recording,
    pinned,
    read_library,
    recipes,
    write_library,
)
from store_sim.recording import read_manifest
from store_sim.scenarios import CASES
from store_sim.stream import SensorTick

SHORT = Recipe(name="smoke", store="demo", scenario="base-01", seed=5, shoppers=1, duration_s=0.4)


@pytest.fixture(scope="module")
def made() -> Made:
    return generate(SHORT)


def test_the_smoke_entry_is_made_as_it_was_pinned() -> None:
    """A few seconds of all seven cameras and 48 plates, on whatever Python runs this."""
    (entry,) = chosen(read_library(), "smoke")
    assert differences(entry, generate(entry)) == ()


def test_every_case_has_a_recipe_and_every_entry_one_too() -> None:
    names = [recipe.name for recipe in recipes()]
    assert names == ["smoke", "easy", *CASES]
    by_name = {recipe.name: recipe for recipe in recipes()}
    for entry in read_library():
        recipe = by_name[entry.name].model_dump()
        assert {name: value for name, value in entry.model_dump().items() if name in recipe} == (
            recipe
        )


def test_only_seeds_and_digests_are_kept() -> None:
    size = LIBRARY_FILE.stat().st_size
    assert size < 6000 * len(read_library())


def test_a_recording_of_a_recipe_has_its_digests(made: Made, tmp_path: Path) -> None:
    manifest = make_recording(SHORT, tmp_path / "day")
    assert manifest.digests is not None
    assert manifest.digests.frames_sha256 == made.entry.frames_sha256
    assert manifest.digests.plates_sha256 == made.entry.plates_sha256
    assert manifest.digests.truth_sha256 == made.entry.truth_sha256
    assert read_manifest(tmp_path / "day") == manifest


def test_the_same_twice_differs_in_nothing_and_another_seed_in_all(made: Made) -> None:
    assert differences(made.entry, generate(SHORT)) == ()
    other = generate(SHORT.model_copy(update={"seed": 6}))
    frames, plates, *_ = differences(made.entry, other)
    assert frames.startswith("frames: 7 of 7 cameras differ (cam-a, ")
    assert "first cam-a at 0.017 s" in frames
    assert plates == "plates: first differ in the tick up to 0.067 s"


# ---------------------------------------------------------------- where two runs part


def _ticks(*, change: int | None = None, camera: str = "cam-b") -> list[SensorTick]:
    """Ten ticks of two cameras and one plate; from tick `change` on, a pixel or a gram differs."""
    ticks = []
    for place in range(10):
        t_s = (place + 1) / 15
        frames = []
        for name in ("cam-a", "cam-b"):
            rgb = np.full((2, 2, 3), place, np.uint8)
            if change is not None and place >= change and name == camera:
                rgb[0, 0, 0] += 1
            frames.append(Frame(name, t_s - 1 / 60, place, rgb))
        grams = np.full((4, 1), place, np.float32)
        if change is not None and place >= change and camera == "plate":
            grams += 1
        scales = ScaleBatch(("p0",), t_s + np.arange(-3, 1) / 60, grams)
        ticks.append(SensorTick(t_s, tuple(frames), scales))
    return ticks


def _made(ticks: list[SensorTick], truth: dict[str, str] | None = None) -> Made:
    digest = SensorDigest(("p0",))
    for tick in ticks:
        digest.add(tick)
    entry = Entry(
        **SHORT.model_dump(),
        frames_sha256=digest.frames_sha256,
        plates_sha256=digest.plates_sha256,
        truth_sha256="0" * 64 if truth is None else "1" * 64,
        cameras={name: whole[:16] for name, whole in digest.cameras.items()},
        truth=truth or {"visits.jsonl": "a"},
        frame_marks=base64.b64encode(digest.frame_marks).decode(),
        plate_marks=base64.b64encode(digest.plate_marks).decode(),
    )
    seen = [tuple((frame.camera_id, frame.t_s) for frame in tick.frames) for tick in ticks]
    return Made(entry, tuple(tick.t_s for tick in ticks), tuple(seen))


def test_the_first_frame_that_differs_is_named() -> None:
    was = _made(_ticks())
    now = _made(_ticks(change=6))
    assert differences(was.entry, now) == (
        "frames: 1 of 2 cameras differ (cam-b), first cam-b at 0.450 s",
    )


def test_the_first_reading_that_differs_is_named() -> None:
    was = _made(_ticks())
    now = _made(_ticks(change=3, camera="plate"))
    assert differences(was.entry, now) == ("plates: first differ in the tick up to 0.267 s",)


def test_a_shorter_run_is_told_and_so_is_another_truth() -> None:
    was = _made(_ticks())
    now = _made(_ticks()[:8], truth={"visits.jsonl": "b", "tracks.jsonl": "c"})
    assert differences(was.entry, now) == (
        "length: was 10 ticks, is 8",
        "frames: 2 of 2 cameras differ (cam-a, cam-b), first at the end",
        "plates: first differ at the end",
        "truth: tracks.jsonl, visits.jsonl differ",
    )


def test_a_missing_reading_has_one_pattern() -> None:
    """NaN has many; which one a processor gives is nobody's business."""
    one, two = SensorDigest(("p0",)), SensorDigest(("p0",))
    plain = np.array([[np.nan]], np.float32)
    odd = np.array([[0xFFC00001]], np.uint32).view(np.float32)
    assert np.isnan(odd).all()
    for digest, grams in ((one, plain), (two, odd)):
        digest.add(SensorTick(1 / 15, (), ScaleBatch(("p0",), np.array([0.05]), grams)))
    assert one.plates_sha256 == two.plates_sha256


def test_digests_tell_cameras_times_and_truth_apart(tmp_path: Path) -> None:
    rgb = np.zeros((2, 2, 3), np.uint8)
    found = set()
    for name, t_s in (("cam-a", 0.1), ("cam-b", 0.1), ("cam-a", 0.2)):
        digest = SensorDigest(())
        digest.add(SensorTick(0.2, (Frame(name, t_s, 0, rgb),)))
        found.add(digest.frames_sha256)
    assert len(found) == 3
    assert truth_sha256(tmp_path) == truth_sha256(tmp_path / "nowhere")
    empty = truth_sha256(tmp_path)
    (tmp_path / "visits.jsonl").write_text("{}\n", encoding="utf-8")
    assert truth_sha256(tmp_path) != empty


# ---------------------------------------------------------------- the file


def test_the_file_is_read_as_it_was_written(made: Made, tmp_path: Path) -> None:
    path = tmp_path / "library.json"
    assert read_library(path) == ()
    other = made.entry.model_copy(update={"name": "easy"})
    write_library([made.entry, other], path)
    assert read_library(path) == (other, made.entry)
    assert [found.name for found in tmp_path.iterdir()] == ["library.json"]


def test_pinning_replaces_and_forgets(made: Made) -> None:
    old = made.entry.model_copy(update={"frames_sha256": "0" * 64})
    gone = made.entry.model_copy(update={"name": "no-such-recipe"})
    assert pinned([old, gone], [made.entry]) == (made.entry,)


@pytest.mark.parametrize("text", ["", "{}", '{"schema_version": 2, "entries": []}', "[]"])
def test_a_file_that_is_no_library_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "library.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LibraryError, match=r"library.json: expected a library of schema_version 1"):
        read_library(path)


def test_unknown_names_and_stores_are_told() -> None:
    with pytest.raises(LibraryError, match=r"expected a name or pattern of smoke, easy, .* 'x'"):
        chosen(recipes(), "x")
    with pytest.raises(LibraryError, match=r"smoke: expected a store of .*demo.*; got nowhere"):
        generate(SHORT.model_copy(update={"store": "nowhere"}))


# ---------------------------------------------------------------- the command


def _console() -> Console:
    return Console(file=StringIO(), width=200)


def _text(console: Console) -> str:
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_verify_says_what_differs(made: Made, tmp_path: Path) -> None:
    path = tmp_path / "library.json"
    wrong = made.entry.model_copy(update={"name": "easy", "plates_sha256": "0" * 64})
    write_library([made.entry, wrong], path)
    console = _console()
    assert library_cmd.verify("smoke", jobs=1, path=path, console=console)
    assert "same smoke" in _text(console)
    console = _console()
    assert not library_cmd.verify("*", jobs=2, path=path, console=console), "in two processes"
    assert "differs easy\n  plates: first differ at the end" in _text(console)


def test_pin_writes_what_is_made_now(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "library.json"
    monkeypatch.setattr(library_cmd, "recipes", lambda: (SHORT,))
    console = _console()
    library_cmd.pin("*", jobs=1, path=path, console=console)
    assert read_library(path) == (made.entry,)
    assert "smoke: new" in _text(console)
    write_library(
        [made.entry.model_copy(update={"truth_sha256": "0" * 64, "truth": {"x": "y"}})], path
    )
    library_cmd.pin("smoke", jobs=1, path=path, console=console)
    assert "smoke: truth: x differs" in _text(console)
    assert read_library(path) == (made.entry,)


def test_make_records_and_says_whether_it_is_what_was_pinned(made: Made, tmp_path: Path) -> None:
    path = tmp_path / "library.json"
    write_library([made.entry], path)
    console = _console()
    library_cmd.make("smoke", tmp_path / "one", path=path, console=console)
    assert "7 cameras" in _text(console)
    assert "not what was pinned" not in _text(console)
    write_library([made.entry.model_copy(update={"truth_sha256": "0" * 64})], path)
    library_cmd.make("smoke", tmp_path / "two", path=path, console=console)
    assert "it is not what was pinned: sortie library verify smoke" in _text(console)
