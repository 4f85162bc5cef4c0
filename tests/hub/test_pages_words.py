"""What the pages say: money, names, sentences of events."""

from __future__ import annotations

import doctest
from datetime import UTC
from typing import Any

import pytest

from hub.pages import words
from hub.pages.words import COLOURS, Palette, clock, label, sentence, tone

NAMES = {"1": "Cola", "2": "Bread"}


def decision(**more: Any) -> dict[str, Any]:
    data = {
        "reach_id": "r1",
        "line": 0,
        "gtin": "1",
        "quantity": 1,
        "to_visit": "v-1",
        "probability": "0.984000",
        "certain": True,
        "why": "plates -350 g",
    }
    return {"kind": "decision.made", "visit_id": "v-1", "data": {**data, **more}}


def said(kind: str, **data: Any) -> str:
    return sentence({"kind": kind, "visit_id": "v-1", "data": data}, NAMES, "EUR")[0]


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(words).failed == 0


def test_a_decision_says_what_was_done_and_how_sure() -> None:
    assert sentence(decision(), NAMES, "EUR") == ("picked 1 × Cola (0.98)", "good")
    assert sentence(decision(quantity=-2), NAMES, "EUR")[0] == "put back 2 × Cola (0.98)"
    unsure = decision(certain=False, probability="0.61")
    text, look = sentence(unsure, NAMES, "EUR")
    assert text.startswith("may have picked 1 × Cola (0.61)")
    assert "not charged" in text
    assert look == "amber"


def test_decisions_that_change_nothing_or_come_late_say_so() -> None:
    nothing = decision(gtin=None, quantity=0, to_visit=None, probability="0.9")
    assert sentence(nothing, NAMES, "EUR")[0] == "a hand was in the shelf and took nothing (0.90)"
    late = {**decision(), "kind": "decision.late"}
    assert "too late to charge" in sentence(late, NAMES, "EUR")[0]
    revised = {**decision(), "kind": "decision.revised"}
    assert sentence(revised, NAMES, "EUR")[0].startswith("on second thought: picked")


def test_a_settlement_names_debt_and_review() -> None:
    facts = {
        "total_minor": 2380,
        "debt_minor": 380,
        "needs_review": True,
        "reasons": ["1 unclear reaches"],
        "lines": [["1", 20, 119, "0.1900", []]],
    }
    text, look = sentence({"kind": "visit.settled", "visit_id": "v", "data": facts}, NAMES, "EUR")
    assert text == (
        "final: 20 items, €23.80, of which €3.80 are a debt; to review: 1 unclear reaches"
    )
    assert look == "amber"


def test_events_of_money_and_store_are_sentences() -> None:
    assert said("hold.placed", amount_minor=5000) == "€50.00 reserved, not charged"
    assert said("visit.exited", how="exit", gate_id="g") == "walked out (over the exit line)"
    assert said("price.changed", gtin="1", price_minor=129) == "Cola costs €1.29 from now on"
    assert said("sensor.blind", sensor_id="cam-a", reason="") == ("cam-a is blind: no reason given")
    assert said("gateway.refused", reason="no funds") == ("the payment gateway said no: no funds")


def test_an_event_nobody_wrote_a_sentence_for_is_still_readable() -> None:
    assert said("parcel.weighed_by_hand") == "parcel weighed by hand"
    assert said("visit.relinked") == "was lost from sight and found again: –"


def test_a_format_sign_in_data_is_only_text() -> None:
    assert said("gateway.refused", reason="{gate_id} {0.__class__}").endswith(
        "{gate_id} {0.__class__}"
    )


def test_every_kind_the_hub_logs_has_a_sentence(pytestconfig: pytest.Config) -> None:
    """The hub's own source names the kinds; one without a sentence would read like code."""
    import re

    kinds = set()
    for path in (pytestconfig.rootpath / "hub").rglob("*.py"):
        if "pages" not in path.parts:
            for found in re.finditer(r'\.event\(\s*"([a-z]+\.[a-z_]+)"', path.read_text()):
                kinds.add(found[1])
    known = {*words._OF_VISITS, *words._OF_MONEY, *words._OF_THE_STORE, "visit.settled"}
    known.add("decision.reviewed")
    assert len(kinds) > 15
    assert kinds - known == set()


def test_names_are_ends_of_random_ids_and_times_are_told() -> None:
    assert label("v-0a2fddc94b63188fe22b") == "Shopper E22B"
    assert label(None) == "nobody known"
    assert clock(1_700_000_000_000_000, UTC) == "22:13:20"


def test_state_words_have_tones() -> None:
    assert [tone(word) for word in ("shopping", "checking 1 item", "final", "refused")] == [
        "plain",
        "amber",
        "good",
        "red",
    ]


def test_colours_stay_and_go_round() -> None:
    palette = Palette()
    first = [palette.of(f"v-{n}") for n in range(len(COLOURS))]
    assert sorted(first) == sorted(COLOURS)
    assert palette.of("v-0") == first[0]
    assert palette.of("v-new") == first[0]
    assert palette.of(None) not in COLOURS
