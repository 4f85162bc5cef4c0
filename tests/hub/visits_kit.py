"""What tests of visits share: ways in and out, and what the hub then says."""

from __future__ import annotations

import hashlib
from typing import Any

from hub.commands import LetIn, OpenVisit
from hub.visits.commands import TapCard
from hub.visits.judging import entry_code

__all__ = [
    "code_of",
    "enter",
    "group",
    "keys",
    "kinds",
    "let_in",
    "of_kind",
    "play",
    "tap",
    "visit_of",
    "walk_in",
    "walk_out",
]


def keys(name: str) -> dict[str, str]:
    """What is drawn outside for a visit."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    return {"visit_key": digest[:20], "token_sha256": digest}


def visit_of(shop: Any, visit_id: str | None) -> Any:
    return shop.hub.core.state.visits[visit_id]


def kinds(shop: Any) -> list[str]:
    return [event.kind for event in shop.hub.live.feed]


def of_kind(shop: Any, kind: str) -> list[Any]:
    return [event for event in shop.hub.live.feed if event.kind == kind]


def code_of(shop: Any, visit_id: str) -> str:
    hub = shop.hub
    found = entry_code(
        hub.entry_keys, hub.core.state.rules, "tiny", visit_of(shop, visit_id), shop.now_s
    )
    assert found is not None
    return found[0]


def walk_in(day: Any, at_s: float, track: str) -> None:
    """A body from the gate to the shelf."""
    day.step(at_s, track, 1.0, 0.3, "born")
    day.step(at_s + 0.5, track, 1.0, 0.8)
    day.step(at_s + 1.0, track, 1.1, 3.4)


def walk_out(day: Any, at_s: float, track: str) -> None:
    """A body from the shelf over the exit line."""
    day.step(at_s, track, 1.1, 3.4)
    day.step(at_s + 0.5, track, 5.0, 1.2)
    day.step(at_s + 1.0, track, 5.0, 0.6)
    day.step(at_s + 1.5, track, 5.0, 0.1)


def play(shop: Any, day: Any, until_s: float) -> None:
    shop.play(day.script, until_s)
    day.script.clear()


def let_in(shop: Any, name: str = "cash", who: str = "shopper") -> Any:
    command = LetIn.model_validate(
        {**keys(name), "gate_id": "entry", "who": who, "by": "carla", "reason": "no phone"}
    )
    return shop.hub.command(command, shop.now_s)


def tap(shop: Any, name: str, card: str = "tok_ann_visa", gate_id: str = "entry") -> Any:
    command = TapCard(tap_id=name, gate_id=gate_id, card=card, **keys(name))
    return shop.hub.command(command, shop.now_s)


def group(shop: Any, entries: int = 2) -> str:
    command = OpenVisit(**keys("anna"), payer="anna", entries=entries)
    return str(shop.hub.command(command, shop.now_s).visit_id)


def enter(shop: Any, day: Any, visit_id: str, track: str) -> None:
    """Scans what the phone shows now, and walks in."""
    at_s = shop.now_s
    day.step(at_s + 0.2, track, 1.0, 0.3, "born")
    day.scan(at_s + 0.3, code_of(shop, visit_id))
    day.step(at_s + 0.6, track, 1.0, 0.8)
    day.step(at_s + 1.2, track, 1.1 if track == "t1" else 2.4, 3.4)
    play(shop, day, at_s + 2.0)
