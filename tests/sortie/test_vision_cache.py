"""The cache of vision passes: whole or not at all, and bounded by bytes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import yaml

from edge.exchange import Observation
from sortie.day import DayPlan, _kept_pass, demo_store_path, simulate_day
from sortie.stores import store_digest
from sortie.vision_cache import PART_AGE_S_MAX, ObservationCache, code_digest, keep_newest
from store_sim.dials import Dials
from store_sim.scenarios import registry, script_text
from vision.observations import CeilingObservation

SCRIPT = """title one thing
cast one = gondolas
shopper ann bag

ann enter
ann take one
ann exit
"""


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


def test_the_code_digest_knows_the_scripts_of_the_cases() -> None:
    root = Path(registry.__file__).parent
    case = root / "cases" / "base-01.case"
    name = str(case.relative_to(root.parents[1]))
    before = code_digest.__wrapped__("store_sim")
    read = Path.read_bytes

    def edited(path: Path) -> bytes:
        return read(path) + (b"\n# edited" if str(path).endswith(name) else b"")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "read_bytes", edited)
        assert code_digest.__wrapped__("store_sim") != before
    assert code_digest.__wrapped__("store_sim") == before


def test_an_edited_script_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SORTIE_CACHE", str(tmp_path / "cache"))
    script = tmp_path / "mine.case"
    script.write_text(SCRIPT, encoding="utf-8")
    plan = DayPlan(demo_store_path(), str(script), 1, 1, "camera")
    cache, known = _kept_pass(plan, Dials(), {})
    assert known is None
    cache.store(seen(3))
    assert _kept_pass(plan, Dials(), {})[1] is not None
    script.write_text(SCRIPT.replace("ann take one", "ann wait 2"), encoding="utf-8")
    assert _kept_pass(plan, Dials(), {})[1] is None, "what it was before its edit is no answer"
    assert script_text("base-01") == "", "the table's scripts are part of the code"


def test_a_store_is_its_file_and_its_pictures(tmp_path: Path) -> None:
    raw = yaml.safe_load(demo_store_path().read_text(encoding="utf-8"))
    raw["products"][0]["pictures"] = ["front.jpg"]
    store = tmp_path / "store.yaml"
    store.write_text(yaml.safe_dump(raw), encoding="utf-8")
    digests = [store_digest(store)]
    for picture in (b"one", b"another"):
        (tmp_path / "front.jpg").write_bytes(picture)
        digests.append(store_digest(store))
    raw["products"][0]["pictures"] = []
    store.write_text(yaml.safe_dump(raw), encoding="utf-8")
    digests.append(store_digest(store))
    assert len(set(digests)) == len(digests)
    (tmp_path / "front.jpg").write_bytes(b"of nothing that is named")
    assert store_digest(store) == digests[-1]


def test_who_pulls_the_brokers_plug_in_a_script_does_it_in_lockstep_too(tmp_path: Path) -> None:
    script = tmp_path / "plug.case"
    pulled = SCRIPT.replace("ann take one", "ann tamper broker_down all 4\nann take one")
    script.write_text(pulled, encoding="utf-8")
    plan = DayPlan(demo_store_path(), str(script), 1, 1, "plates", cached=False)
    day = simulate_day(plan)
    assert day["faults"]["broker_downs"] == 1
    assert day["summary"]["exact_share"] == 1.0
