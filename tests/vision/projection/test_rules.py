"""What a node refuses to light, whatever the hub asks for."""

from __future__ import annotations

import math
from typing import Any

import pytest

from contracts.labels import element_string
from contracts.wall_messages import LabelRead, Mark, Thing
from vision.projection.rules import why_withheld
from vision.projection.settings import BeamSettings

SSCC = "340123450000000017"
FACE = ((0.1, 0.5), (0.3, 0.5), (0.3, 0.7), (0.1, 0.7))


def label(text: str = SSCC) -> LabelRead:
    return LabelRead(symbology="qr", text=text, reads=3)


def thing(thing_id: str = "a", **changed: Any) -> Thing:
    values: dict[str, Any] = {
        "thing_id": thing_id, "state": "stands", "label": label(), "outline_m": FACE,
        "since_s": 0.0, "seen_s": 99.9,
    }  # fmt: skip
    return Thing.model_validate({**values, **changed})


def why(look: str, *things: Thing, lit_s: float = math.inf, **mark: Any) -> str | None:
    values = {"mark_id": "m", "look": look, "thing_id": "a", "label_text": SSCC, **mark}
    return why_withheld(
        Mark.model_validate(values),
        {one.thing_id: one for one in things},
        now_s=100.0,
        settings=BeamSettings(),
        lit_s=lit_s,
    )


@pytest.mark.parametrize("look", ["take_a", "take_b", "not_this", "wrong", "look"])
def test_what_stands_with_its_label_may_be_lit(look: str) -> None:
    assert why(look, thing(), thing("b", label=label("OTHER"))) is None


INVITED = [
    ([], "not there"),
    ([thing(state="gone")], "not there"),
    ([thing(state="moves")], "moved"),
    ([thing(label=None)], "no label"),
    ([thing(contested=True)], "disagree"),
    ([thing(label=label("OTHER"))], "another label"),
    ([thing(label=label(element_string(SSCC)))], "another label"),
    ([thing(twins=("b",))], "same label"),
    ([thing(), thing("b")], "same label"),
    ([thing(), thing("b", label=label(element_string(SSCC)))], "same label"),
    ([thing(hidden=True, seen_s=97.0)], "not seen for more than 2 s"),
    ([thing(seen_s=97.0)], "not seen for more than 2 s"),
]


@pytest.mark.parametrize(("things", "reason"), INVITED)
@pytest.mark.parametrize("look", ["take_a", "take_b"])
def test_nothing_in_doubt_invites(look: str, things: list[Thing], reason: str) -> None:
    found = why(look, *things)
    assert found is not None
    assert reason in found


def test_a_twin_that_is_gone_or_a_short_shadow_is_no_doubt() -> None:
    assert why("take_a", thing(), thing("b", state="gone")) is None
    assert why("take_a", thing(hidden=True, seen_s=98.5)) is None


def test_warnings_follow_a_thing_that_moves_and_need_no_label() -> None:
    moving = thing(state="moves", label=None, contested=True)
    assert why("wrong", moving, label_text=None) is None
    assert why("not_this", moving, label_text=None) is None
    assert why("look", moving, label_text=None) == "the thing is being moved"
    lost = thing(state="moves", seen_s=97.0)
    assert why("wrong", lost, label_text=None) is not None


def test_a_place_needs_no_thing() -> None:
    assert why("place", thing_id=None, label_text=None, area_m=FACE) is None


def test_what_shone_and_is_hidden_since_goes_dark_sooner() -> None:
    """Whoever is in front of it may be lifting it."""
    hidden = thing(hidden=True, seen_s=99.4)
    assert why("take_a", hidden, lit_s=99.0) == "somebody is in front of the thing"
    assert why("take_a", thing(hidden=True, seen_s=99.6), lit_s=99.0) is None
    assert why("take_a", thing(seen_s=99.4), lit_s=99.0) is None
    assert why("not_this", hidden, lit_s=99.0) is None


def test_what_was_hidden_before_it_shone_is_lit_for_as_long_as_it_may_be() -> None:
    assert why("take_a", thing(hidden=True, seen_s=98.5), lit_s=99.0) is None
