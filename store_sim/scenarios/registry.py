"""The table of scenarios: generated days, and the hard cases by name.

A case is a script in `cases/NAME.case` and belongs to a group of HARD_CASES (A the AutoCheckout
2020 re-enactments, B people, C adversarial, D sensors and light). `winner_f1` is what the winner
of that competition reached. Scripts are read when they are first asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Literal, cast

from contracts.store_file import StoreFile
from store_sim.errors import ScenarioError, UnknownScenarioError
from store_sim.scenarios import easy, hard
from store_sim.scenarios.script import Script, read_script, read_text
from store_sim.world.scenario import Scenario

__all__ = [
    "CASES",
    "GENERATED",
    "SCENARIOS",
    "SHOPPERS_MAX",
    "Builder",
    "Case",
    "Entry",
    "Group",
    "build",
    "script_text",
]

SHOPPERS_MAX = 100_000
SUFFIX = ".case"

Builder = Callable[[str, str, StoreFile, int, int], Scenario]
"""(name, description, store, seed, shoppers) to a scenario."""
Group = Literal["A", "B", "C", "D"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One scenario. A script has its own number of shoppers and ignores what is asked for."""

    description: str
    builder: Builder


@dataclass(frozen=True, slots=True)
class Case(Entry):
    """A hard case."""

    group: Group
    winner_f1: float | None
    script: Script


class _Cases(Mapping[str, Case]):
    """The scripts of `cases/`, in the order of group and name."""

    def __getitem__(self, name: str) -> Case:
        return _read_cases()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_read_cases())

    def __len__(self) -> int:
        return len(_read_cases())


class _Scenarios(Mapping[str, Entry]):
    """Generated days, then the cases."""

    def __getitem__(self, name: str) -> Entry:
        return GENERATED[name] if name in GENERATED else CASES[name]

    def __iter__(self) -> Iterator[str]:
        yield from GENERATED
        yield from CASES

    def __len__(self) -> int:
        return len(GENERATED) + len(CASES)


GENERATED: dict[str, Entry] = {
    "easy": Entry(
        "up to four shoppers at once, picks and put-backs in place, no adversary",
        easy.easy,
    ),
    "easy-one": Entry("easy shopping, one shopper at a time", easy.easy_one),
    "demo-day": Entry("a lively ten-minute store day that begins again", easy.demo_day),
    "random": Entry(
        "a random day; random:DIFFICULTY,ADVERSARIAL sets both dials (0 to 1, 0 to 0.4)",
        hard.random_day,
    ),
}

CASES: Mapping[str, Case] = _Cases()
"""The hard cases by name."""

SCENARIOS: Mapping[str, Entry] = _Scenarios()
"""All scenarios by name: generated days and hard cases."""


def build(name: str, store: StoreFile, seed: int, shoppers: int) -> Scenario:
    """The scenario of a name, or of a script's file (*.case).

    `shoppers` is the number of visits of a generated scenario. UnknownScenarioError lists the
    names there are; ScenarioError says what the store lacks, or which line of a script cannot be.
    """
    if not 1 <= shoppers <= SHOPPERS_MAX:
        raise ScenarioError(f"expected 1 to {SHOPPERS_MAX} shoppers, got {shoppers}")
    if name.endswith(SUFFIX):
        script = read_script(Path(name))
        return script.build(script.name, script.title, store, seed)
    entry = SCENARIOS.get(name.partition(":")[0])
    if entry is None:
        raise UnknownScenarioError(
            f"expected one of {', '.join(sorted(SCENARIOS))}, or a script's file (*{SUFFIX}), got "
            f"scenario {name!r}"
        )
    return entry.builder(name, entry.description, store, seed, shoppers)


def script_text(name: str) -> str:
    """The text of the script's file (*.case) that a name stands for, else empty: what the table
    holds is part of the code. ScenarioError as `build`."""
    return read_text(Path(name)) if name.endswith(SUFFIX) else ""


@lru_cache(maxsize=1)
def _read_cases() -> dict[str, Case]:
    folder = Path(str(files("store_sim"))) / "scenarios" / "cases"
    scripts = [read_script(path) for path in sorted(folder.glob(f"*{SUFFIX}"))]
    scripts.sort(key=lambda script: (script.group, script.name))
    return {script.name: _case(script) for script in scripts}


def _case(script: Script) -> Case:
    def play(name: str, description: str, store: StoreFile, seed: int, shoppers: int) -> Scenario:
        return script.build(name, description, store, seed)

    return Case(script.title, play, cast(Group, script.group), script.winner_f1, script)
