"""The verbs of a script: from the words of a line to a verb of the world."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from contracts.store_file import StoreFile
from store_sim.scenarios.casting import Part
from store_sim.scenarios.targets import target_of
from store_sim.scenarios.words import Words
from store_sim.world import verbs
from store_sim.world.foreign import THINGS

__all__ = ["VERBS", "Stage"]


class Stage(Protocol):
    """What a line may refer to."""

    parts: dict[str, Part]
    places: dict[str, int]
    store: StoreFile


def _hand(words: Words) -> Any:
    hand = words.named("hand")
    if hand not in (None, "l", "r"):
        words.fail(f"expected hand=l or hand=r, got {hand!r}")
    return hand


def _column(words: Words, part: Part) -> int | None:
    value = words.named("column")
    if value is None:
        return None
    if not value.isdigit() or int(value) >= part.slot.facings:
        words.fail(f"expected a column from 0 to {part.slot.facings - 1}, got {value!r}")
    return int(value)


def _stand(words: Words, part: Part) -> float | None:
    """`stand=0.3`: before three tenths of the bay's width, from the left."""
    share = words.named_number("stand", None)
    if share is not None and share > 1.0:
        words.fail(f"expected stand= as a share of the bay's width, got {share}")
    return None if share is None else share * part.bay.width_m


def _thing(words: Words, stage: Stage) -> str:
    """A part, or something that was brought along: its GTIN."""
    word = words.next("a part or a thing")
    if word in stage.parts:
        return stage.parts[word].product.gtin
    if word not in THINGS:
        words.fail(f"expected a part ({', '.join(stage.parts)}) or a thing brought, got {word!r}")
    return THINGS[word]


def _enter(words: Words, stage: Stage) -> verbs.Verb:
    return verbs.Enter(words.named("gate"))


def _exit(words: Words, stage: Stage) -> verbs.Verb:
    return verbs.Exit(words.named("gate"))


def _wait(words: Words, stage: Stage) -> verbs.Verb:
    return verbs.Wait(words.number("seconds"))


def _look(words: Words, stage: Stage) -> verbs.Verb:
    part = words.part(stage.parts)
    return verbs.Look(part.slot.slot_id, words.optional("seconds", 1.5))


def _walk(words: Words, stage: Stage) -> verbs.Verb:
    if words.peek() == "unseen":
        words.next("unseen")
        return verbs.WalkTo(unseen=True)
    if words.peek() == "at":
        words.next("at")
        return verbs.WalkTo(at_m=(words.number("x in metres"), words.number("y in metres")))
    part = words.part(stage.parts)
    return verbs.WalkTo(part.slot.slot_id, u_m=_stand(words, part))


def _meet(words: Words, stage: Stage) -> verbs.Verb:
    name = words.next("the meeting's name")
    parties = 2 if words.peek() is None else words.whole("how many meet", 2, 50)
    return verbs.Meet(name, parties)


def _reach(words: Words, stage: Stage) -> verbs.Verb:
    part = words.part(stage.parts)
    return verbs.Reach(
        part.slot.slot_id, _column(words, part), _hand(words), stand_u_m=_stand(words, part)
    )


def _hover(words: Words, stage: Stage) -> verbs.Verb:
    part = words.part(stage.parts)
    return verbs.Reach(
        part.slot.slot_id, _column(words, part), _hand(words), True, _stand(words, part)
    )


def _take(words: Words, stage: Stage) -> verbs.Verb:
    part = words.part(stage.parts)
    place, gtin = part, part.product.gtin
    if words.peek() == "from":
        words.next("from")
        place = words.part(stage.parts)
    into_bag = words.peek() == "into-bag"
    if into_bag:
        words.next("into-bag")
    return verbs.Take(
        place.slot.slot_id,
        _column(words, place),
        _hand(words),
        pace=words.named_number("pace", 1.0) or 1.0,
        count=words.named_whole("count", 1, 1, 3),
        stand_u_m=_stand(words, place),
        into_bag=into_bag,
        gtin=gtin,
    )


def _both(words: Words, stage: Stage) -> verbs.Verb:
    left, right = words.part(stage.parts), words.part(stage.parts)
    return verbs.TakeBoth(left.slot.slot_id, right.slot.slot_id)


def _hold(words: Words, stage: Stage) -> verbs.Verb:
    part = words.part(stage.parts)
    seconds = words.number("seconds")
    how = set()
    while words.peek() is not None:
        how.add(words.one_of("lift or leave", ("lift", "leave")))
    return verbs.HoldOnShelf(
        part.slot.slot_id, seconds, _column(words, part), "lift" in how, "leave" not in how
    )


def _put(words: Words, stage: Stage) -> verbs.Verb:
    word = words.peek()
    gtin = _thing(words, stage)
    if words.peek() == "at":
        words.next("at")
        place = words.part(stage.parts)
    elif word in stage.parts:
        place = stage.parts[word]
    else:
        words.fail(f"expected `at PART` to say where {word} is put")
    return verbs.PutBack(
        place.slot.slot_id,
        _column(words, place),
        _hand(words),
        pace=words.named_number("pace", 1.0) or 1.0,
        gtin=None if gtin == place.product.gtin else gtin,
        stand_u_m=_stand(words, place),
    )


def _carry(words: Words, stage: Stage) -> verbs.Verb:
    return verbs.Carry("l" if words.one_of("a hand", ("l", "r")) == "l" else "r")


def _give(words: Words, stage: Stage) -> verbs.Verb:
    gtin = _thing(words, stage)
    words.one_of("to", ("to",))
    return verbs.HandOver(words.place(stage.places), gtin)


def _exchange(words: Words, stage: Stage) -> verbs.Verb:
    give = _thing(words, stage)
    words.one_of("for", ("for",))
    get = _thing(words, stage)
    words.one_of("with", ("with",))
    return verbs.Exchange(words.place(stage.places), give, get)


def _slip(words: Words, stage: Stage) -> verbs.Verb:
    gtin = _thing(words, stage)
    words.one_of("into", ("into",))
    return verbs.SlipInto(words.place(stage.places), gtin)


def _swap_behind(words: Words, stage: Stage) -> verbs.Verb:
    return verbs.SwapBehind(words.optional("seconds", 1.2))


def _swap_clothes(words: Words, stage: Stage) -> verbs.Verb:
    words.one_of("with", ("with",))
    return verbs.SwapClothes(words.place(stage.places))


def _drop(words: Words, stage: Stage) -> verbs.Verb:
    return verbs.Drop(_thing(words, stage))


def _pick_up(words: Words, stage: Stage) -> verbs.Verb:
    return verbs.PickUp(_thing(words, stage))


def _hide(words: Words, stage: Stage) -> verbs.Verb:
    other = words.place(stage.places)
    return verbs.HideBehind(other, words.optional("seconds", 3.0))


def _crouch(words: Words, stage: Stage) -> verbs.Verb:
    return verbs.Crouch(words.optional("seconds", 2.0))


def _lean(words: Words, stage: Stage) -> verbs.Verb:
    part = words.part(stage.parts)
    return verbs.Lean(part.slot.slot_id, words.optional("seconds", 3.0))


def _tamper(words: Words, stage: Stage) -> verbs.Verb:
    kind: Any = words.next("a mishap")
    target = target_of(words, stage.parts, stage.store)
    return verbs.Tamper(kind, target, words.optional("seconds", 10.0))


VERBS: Final[Mapping[str, Callable[[Words, Stage], verbs.Verb]]] = {
    "enter": _enter,
    "exit": _exit,
    "wait": _wait,
    "look": _look,
    "walk": _walk,
    "meet": _meet,
    "reach": _reach,
    "hover": _hover,
    "take": _take,
    "take-both": _both,
    "hold": _hold,
    "put": _put,
    "carry": _carry,
    "give": _give,
    "exchange": _exchange,
    "slip": _slip,
    "swap-behind": _swap_behind,
    "swap-clothes": _swap_clothes,
    "drop": _drop,
    "pick-up": _pick_up,
    "hide-behind": _hide,
    "crouch": _crouch,
    "lean": _lean,
    "tamper": _tamper,
}
"""The verbs of scripts."""
