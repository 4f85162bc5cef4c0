"""The cache of vision passes: whole or not at all, and bounded by bytes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from sortie.vision_cache import (
    PART_AGE_S_MAX,
    Observation,
    ObservationCache,
    code_digest,
    keep_newest,
)
from vision.observations import CeilingObservation


def seen(count: int) -> dict[str, list[Observation]]:
    """A day of one camera; its heads do not compress."""
    rng = np.random.default_rng(count)
    return {
        "ceil-1": [
            CeilingObservation(
                "ceil-1", float(t), rng.random((20, 4)), np.zeros((0, 4)),
                np.zeros((20, 3), np.float32),
            )
            for t in range(count)
        ]
    }  # fmt: skip


def test_a_day_comes_back_as_it_was(tmp_path: Path) -> None:
    cache = ObservationCache({"seed": "1"}, folder=tmp_path)
    assert cache.load() is None
    cache.store(seen(3))
    found = ObservationCache({"seed": "1"}, folder=tmp_path).load()
    assert found is not None
    assert [one.t_s for one in found["ceil-1"]] == [0.0, 1.0, 2.0]
    assert ObservationCache({"seed": "2"}, folder=tmp_path).load() is None


def test_a_torn_day_is_not_there(tmp_path: Path) -> None:
    cache = ObservationCache({"seed": "1"}, folder=tmp_path)
    cache.store(seen(50))
    (path,) = (tmp_path / "vision").glob("*.gz")
    path.write_bytes(path.read_bytes()[:1_000])
    assert cache.load() is None


def test_days_are_bounded_by_bytes_and_those_used_longest_ago_go_first(tmp_path: Path) -> None:
    caches = [ObservationCache({"seed": str(n)}, folder=tmp_path) for n in range(3)]
    for number, cache in enumerate(caches):
        before = set((tmp_path / "vision").glob("*.gz"))
        cache.store(seen(20))
        (path,) = set((tmp_path / "vision").glob("*.gz")) - before
        os.utime(path, (number, number))
        size = path.stat().st_size
    assert caches[0].load() is not None
    ObservationCache({"seed": "9"}, folder=tmp_path, bytes_max=round(2.5 * size)).store(seen(20))
    there = [cache.load() is not None for cache in caches]
    assert there == [True, False, False], "the one that was read is newer than the others"


def test_half_written_files_of_the_past_are_cleared_away(tmp_path: Path) -> None:
    old, young = tmp_path / "old.1.part", tmp_path / "young.2.part"
    for path in (old, young):
        path.write_bytes(b"half")
    age_s = young.stat().st_mtime - PART_AGE_S_MAX - 5
    os.utime(old, (age_s, age_s))
    assert keep_newest(tmp_path, "*.json", 0) == 0
    assert not old.exists()
    assert young.exists()


def test_the_code_digest_knows_which_code() -> None:
    assert code_digest("hub") != code_digest("auditor") != code_digest()
    assert code_digest("hub") == code_digest("hub")
