"""Scripts: a case as a few readable lines, played in any store that can cast it.

    title   picks, puts back and picks one at each gondola
    group   A
    winner  1.0
    cast    first second = gondolas
    shopper ann bag

    ann enter
    ann take first
    ann wait 0.8
    ann put first
    ann take second
    ann exit

Above stand what there is (`cast`, `shelf`, `swap`, `shopper`, `crowd`, `dial`, `mishap`, `space`,
`at-most`), below who does what: each shopper does the own lines in their order, all at the same
time; `meet` makes them wait for each other. `docs/scripts.md` lists every word. What cannot be
read, cast or done is refused with file, line and reason.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from contracts.store_file import StoreFile
from store_sim.dials import Dials, Mishap, turned
from store_sim.errors import ScenarioError, SimulatorError
from store_sim.scenarios.casting import CASTS, FILTERS, Part, cast
from store_sim.scenarios.easy import shopping_trip
from store_sim.scenarios.lines import VERBS
from store_sim.scenarios.targets import target_of
from store_sim.scenarios.words import Words
from store_sim.world.crowd import Ground
from store_sim.world.foreign import THINGS
from store_sim.world.scenario import Arrangement, Brought, Looks, Scenario, VisitPlan
from store_sim.world.verbs import Meet, Scripted, Verb, WalkTo

__all__ = ["Script", "parse_script", "read_script", "read_text"]

SCRIPT_BYTES_MAX = 100_000
RELATIONS = ("beside", "bay", "board", "other-bay", "fits")
CODES = ("none", "screenshot", "expired", "reused")
CROWD_GAP_S = 2.5
CROWD_SPACE_M = 0.66
CROWD_WALK_S = 12.0
CROWD_PATIENCE_S = 180.0


@dataclass(slots=True)
class Script:
    """A script that has been read; `build` casts it in a store."""

    name: str
    title: str = ""
    group: str = ""
    winner_f1: float | None = None
    head: list[Words] = field(default_factory=list)
    shoppers: dict[str, Words] = field(default_factory=dict)
    lines: list[tuple[str, Words]] = field(default_factory=list)

    def build(self, name: str, description: str, store: StoreFile, seed: int) -> Scenario:
        """The scenario in this store; ScenarioError with the line of what cannot be."""
        return _Builder(self, store, seed).scenario(name, description)

    def parts(self, store: StoreFile, seed: int) -> dict[str, Part]:
        """Which places play which parts, by their names in the script."""
        builder = _Builder(self, store, seed)
        builder.scenario(self.name, self.title)
        return builder.parts


def read_script(path: Path) -> Script:
    """A script from a file; ScenarioError names file and line."""
    return parse_script(read_text(path), path.name)


def read_text(path: Path) -> str:
    """What stands in a script's file; ScenarioError if it is no text or too long."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: expected a script as UTF-8 text: {error}") from error
    if len(text) > SCRIPT_BYTES_MAX:
        raise ScenarioError(f"{path}: expected at most {SCRIPT_BYTES_MAX} bytes, got {len(text)}")
    return text


def parse_script(text: str, name: str) -> Script:
    """Reads a script; `name` stands in the messages."""
    script = Script(name.removesuffix(".case"))
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.partition("#")[0].strip()
        if not bare:
            continue
        words = Words(f"{name}:{number}", bare.split())
        first = words.next("a word")
        if first == "title":
            script.title = bare.partition(" ")[2].strip()
        elif first == "group":
            script.group = words.one_of("a group", ("A", "B", "C", "D"))
        elif first == "winner":
            script.winner_f1 = words.number("the winner's F1")
        elif first in _HEADS:
            words.back()
            script.head.append(words)
        elif first == "shopper":
            who = words.next("a name")
            if who in script.shoppers:
                words.fail(f"expected each shopper once, got {who} again: two in one body")
            script.shoppers[who] = words
        elif first in script.shoppers:
            script.lines.append((first, words))
        else:
            known = ", ".join([*_HEADS, "title", "group", "winner", "shopper", *script.shoppers])
            words.fail(f"expected one of {known}, got {first!r}")
    if not script.title:
        raise ScenarioError(f"{name}: expected a line `title ...`, got none")
    if not script.lines and not any(words.peek() == "crowd" for words in script.head):
        raise ScenarioError(f"{name}: expected somebody to do something, got no such line")
    return script


class _Builder:
    """One casting of a script."""

    def __init__(self, script: Script, store: StoreFile, seed: int) -> None:
        self.script = script
        self.store = store
        self.seed = seed
        self.parts: dict[str, Part] = {}
        self.places = {who: place for place, who in enumerate(script.shoppers)}
        self.shelves: list[Arrangement] = []
        self.settings: list[str] = []
        self.mishaps: list[Mishap] = []
        self.space_m: float | None = None
        self.at_most: int | None = None
        self.crowd = 0
        self._rng = np.random.default_rng([seed, 13])

    def scenario(self, name: str, description: str) -> Scenario:
        """The whole scenario."""
        for words in self.script.head:
            words.restart()
            _HEADS[words.next("a word")](self, words)
            words.end()
        plans = tuple(self._plans())
        dials = turned(Dials(mishaps=tuple(self.mishaps)), *self.settings)
        return Scenario(
            name,
            description,
            lambda _: plans,
            at_most=self.at_most or max(1, len(plans)),
            space_m=self.space_m,
            shelves=tuple(self.shelves),
            dials=dials,
        )

    # -- the head

    def cast(self, words: Words) -> None:
        names = words.until("=")
        kind = words.one_of("a kind of cast", tuple(CASTS))
        filters = []
        while words.left:
            word = words.next("a filter")
            relation, _, other = word.partition(":")
            if (other and relation in RELATIONS and other in self.parts) or word in FILTERS:
                filters.append(word)
            else:
                words.fail(
                    f"expected one of {', '.join(FILTERS)}, or one of {', '.join(RELATIONS)} with "
                    f"a part cast above (beside:NAME), got {word!r}"
                )
        for one in names:
            if one in self.parts or one in self.places:
                words.fail(f"expected a new name for a part, got {one!r}")
        try:
            found = cast(kind, len(names), filters, self.store, self.parts, self._rng)
        except ScenarioError as error:
            words.fail(str(error))
        self.parts.update(zip(names, found, strict=True))

    def shelf(self, words: Words) -> None:
        part = words.part(self.parts)
        words.one_of("the word column", ("column",))
        column = words.whole("a column", 0, part.slot.facings - 1)
        words.one_of("=", ("=",))
        row = [words.part(self.parts).product.gtin for _ in range(words.left)]
        self.shelves.append(Arrangement(part.slot.slot_id, column, tuple(row)))

    def swap(self, words: Words) -> None:
        one, two = words.part(self.parts), words.part(self.parts)
        for here, there in ((one, two), (two, one)):
            for column in range(here.slot.facings):
                row = (there.product.gtin,) * here.slot.deep
                self.shelves.append(Arrangement(here.slot.slot_id, column, row))

    def dial(self, words: Words) -> None:
        setting = words.next("NAME=VALUE")
        try:
            turned(Dials(), setting)
        except SimulatorError as error:
            words.fail(str(error))
        self.settings.append(setting)

    def mishap(self, words: Words) -> None:
        kind = words.next("a mishap")
        target = target_of(words, self.parts, self.store)
        begin_s, end_s, amount = 0.0, 1e9, 1.0
        while words.left:
            what = words.one_of("from, to or amount", ("from", "to", "amount"))
            value = words.number("a number")
            if what == "from":
                begin_s = value
            elif what == "to":
                end_s = value
            else:
                amount = value
        document: dict[str, Any] = {
            "kind": kind, "target": target, "begin_s": begin_s, "end_s": end_s, "amount": amount,
        }  # fmt: skip
        try:
            self.mishaps.append(Mishap.model_validate(document))
        except ValueError as error:
            words.fail(f"expected a mishap of store_sim.dials, got {kind!r}: {error}")

    def space(self, words: Words) -> None:
        self.space_m = words.number("metres between two people")

    def most(self, words: Words) -> None:
        self.at_most = words.whole("how many are in the store at once", 1, 500)

    def crowd_of(self, words: Words) -> None:
        self.crowd = words.whole("how many people", 1, 500)

    # -- the plans

    def _plans(self) -> list[VisitPlan]:
        verbs: dict[str, list[Verb]] = {who: [] for who in self.places}
        for who, words in self.script.lines:
            words.restart()
            words.next("who")
            name = words.one_of("a verb", tuple(VERBS))
            times = words.named_whole("times", 1, 1, 50)
            verb = VERBS[name](words, self)
            words.end()
            verbs[who] += [Scripted(verb, words.where)] * times
        plans = []
        for who, words in self.script.shoppers.items():
            if verbs[who]:
                plans.append(self._plan(words, tuple(verbs[who])))
            else:
                words.fail(f"expected {who} to do something, got no line of {who}'s")
        waiting = _waiting_places(self.store, self.crowd)
        for k in range(self.crowd):
            rng = np.random.default_rng([self.seed, 14, k])
            enter, *trip = shopping_trip(self.store, rng)
            spread = WalkTo(at_m=waiting[k], patience_s=CROWD_WALK_S)
            together = Meet("everybody", self.crowd, CROWD_PATIENCE_S)
            trip = [enter, spread, together, *trip]
            plans.append(
                VisitPlan(round(0.5 + CROWD_GAP_S * k, 2), tuple(trip), rng.random() < 0.5)
            )
        return plans

    def _plan(self, words: Words, verbs: tuple[Verb, ...]) -> VisitPlan:
        words.restart()
        words.next("shopper")
        who = words.next("a name")
        fields: dict[str, Any] = {"not_before_s": 0.5 + 1.5 * self.places[who], "verbs": verbs}
        looks: dict[str, Any] = {"seed": None}
        brings: list[Brought] = []
        while words.left:
            word = words.one_of(
                "a word about a shopper",
                ("bag", "staff", "uniform", "child", "at", "like", "code", "pays", "brings"),
            )
            if word == "bag":
                fields["has_bag"] = True
            elif word == "staff":
                fields["staff"] = True
            elif word in ("uniform", "child"):
                looks[word] = True
            elif word == "at":
                fields["not_before_s"] = words.number("seconds")
            elif word == "like":
                looks["seed"] = 7_000 + 100 * self.seed + words.place(self.places)
            elif word == "code":
                fields["code"] = words.one_of("a kind of code", CODES)
                if words.peek() == "of":
                    words.next("of")
                    fields["code_of"] = words.place(self.places)
            elif word == "pays":
                fields["payer"] = words.place(self.places)
            else:
                brings.append(self._brought(words))
        if looks["seed"] is None and any(
            other.mentions("like", who) for other in self.script.shoppers.values()
        ):
            looks["seed"] = 7_000 + 100 * self.seed + self.places[who]
        return VisitPlan(**fields, looks=Looks(**looks), brings=tuple(brings))

    def _brought(self, words: Words) -> Brought:
        """`brings stone`, `brings stone=jar` (as heavy as the part), `brings jar` (new stock)."""
        thing, _, like = words.next("a thing").partition("=")
        if thing in self.parts:
            return Brought(self.parts[thing].product.gtin)
        if thing not in THINGS or (like and like not in self.parts):
            words.fail(
                f"expected one of {', '.join(THINGS)} (=PART for its weight), or a part, got "
                f"{thing!r}"
            )
        return Brought(THINGS[thing], self.parts[like].product.weight_g if like else None)


_HEADS = {
    "cast": _Builder.cast,
    "shelf": _Builder.shelf,
    "swap": _Builder.swap,
    "dial": _Builder.dial,
    "mishap": _Builder.mishap,
    "space": _Builder.space,
    "at-most": _Builder.most,
    "crowd": _Builder.crowd_of,
}


def _waiting_places(store: StoreFile, count: int) -> list[tuple[float, float]]:
    """Points all over the floor, off the shelves, the furthest from the way in first, so that a
    crowd that waits stands in nobody's way."""
    ground = Ground(store)
    (x0, y0), (x1, y1) = next(gate.line_m for gate in store.gates if gate.kind == "entry")
    middle = (0.5 * (x0 + x1), 0.5 * (y0 + y1))
    points = [
        (round(float(x), 3), round(float(y), 3))
        for x in np.arange(0.7, store.floor.width_m - 0.6, CROWD_SPACE_M)
        for y in np.arange(0.7, store.floor.depth_m - 0.6, CROWD_SPACE_M)
        if ground.clear(float(x), float(y)) and ground.near_front(float(x), float(y)) is None
    ]
    points.sort(key=lambda p: (-round(math.dist(p, middle), 6), p))
    return [points[k % len(points)] for k in range(count)]
