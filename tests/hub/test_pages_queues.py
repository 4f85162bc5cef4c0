"""View models of the review and dispute pages: order, keys, countdown, and nothing unescaped."""

from __future__ import annotations

from typing import Any

import pytest

from hub.pages.queues import (
    candidate_of_key,
    dispute_html,
    task_html,
    tasks,
    waiting_html,
)
from hub.pages.words import Palette

COLA, BREAD = "4006381333931", "5901234123457"
NAMES = {COLA: "Cola <script>", BREAD: "Bread"}


def line(reach: str, *alternatives: list[Any], visit: str = "v-1") -> dict[str, Any]:
    found = alternatives or ([visit, COLA, 1, "0.55"], [None, None, 0, "0.30"])
    return {
        "reach_id": reach,
        "line": 0,
        "to_visit": visit,
        "gtin": COLA,
        "quantity": 1,
        "certain": False,
        "why": "two <b>hands</b>",
        "alternatives": [list(one) for one in found],
    }


def visit(name: str = "v-1", stage: str = "left", **more: Any) -> dict[str, Any]:
    return {
        "visit_id": name,
        "stage": stage,
        "until_s": 100.0,
        "lines": [line("r1", visit=name)],
        "late": [],
        "decided": {},
        "evidence": [],
        **more,
    }


def queue(*visits: dict[str, Any], wait_s: float = 60.0) -> dict[str, Any]:
    return {"now_s": 50.0, "visits": list(visits), "policy": {"review_wait_s": wait_s}}


def test_keys_confirm_what_was_named_likeliest_first() -> None:
    row = line("r1", ["v-1", BREAD, 1, "0.2"], ["v-2", COLA, 1, "0.5"], [None, None, 0, "0.3"])
    row["to_visit"] = "v-2"
    task = tasks(queue(visit(lines=[row])), NAMES)[0]
    assert [(one.key, one.choice["gtin"]) for one in task.candidates] == [("1", COLA), ("2", BREAD)]
    assert candidate_of_key(task, "j") == (True, task.candidates[0].choice)
    assert candidate_of_key(task, "2") == (True, task.candidates[1].choice)
    assert candidate_of_key(task, "K") == (True, None)
    assert candidate_of_key(task, "0") == (True, None)
    for key in ("3", "x", "Enter", ""):
        assert candidate_of_key(task, key) == (False, None)


def test_what_is_decided_or_cannot_be_is_not_shown() -> None:
    assert tasks(queue(visit(decided={"r1/0": "nothing"})), NAMES) == []
    assert tasks(queue(visit(stage="expired")), NAMES) == []
    assert tasks(queue(visit(), wait_s=0.0), NAMES) == [], "nobody is asked"
    assert tasks(queue(visit(stage="final")), NAMES) == [], "nothing can be added any more"


def test_a_final_visit_shows_only_what_lowers_its_receipt() -> None:
    row = line("r9", ["v-1", BREAD, -1, "0.6"], ["v-2", BREAD, -1, "0.2"], ["v-1", COLA, 1, "0.2"])
    closed = visit(stage="final", lines=[], late=[row], until_s=None)
    found = tasks(queue(closed, wait_s=0.0), NAMES)
    assert [one.choice for one in found[0].candidates] == [
        {"visit_id": "v-1", "gtin": BREAD, "quantity": -1}
    ]
    assert "final: only down" in task_html(found[0], Palette(), 0.0)


def test_a_late_decision_that_is_sure_names_itself() -> None:
    row = {**line("r9"), "gtin": BREAD, "quantity": -1, "probability": "0.97", "alternatives": []}
    closed = visit(stage="final", lines=[], late=[row], until_s=None)
    assert [one.chance for one in tasks(queue(closed), NAMES)[0].candidates] == [0.97]


def test_a_task_counts_down_and_escapes() -> None:
    task = tasks(queue(visit()), NAMES)[0]
    html = task_html(task, Palette(), 35.0)
    assert "free in 1:05" in html
    assert "Cola &lt;script&gt;" in html
    assert "<b>hands" not in html
    assert 'class="word red"' in task_html(task, Palette(), 90.0)
    assert "0:00" in task_html(task, Palette(), 1000.0)
    assert "No pictures" in html


@pytest.mark.parametrize(
    ("state", "media_type", "said"),
    [
        ("here", "image/jpeg", '<img src="/evidence/ab"'),
        ("here", "video/mp4", '<video src="/evidence/ab"'),
        ("asked", "image/jpeg", "on its way"),
        ("missing", "image/jpeg", "no more"),
    ],
)
def test_pictures_by_how_they_stand(state: str, media_type: str, said: str) -> None:
    picture = {"reach_id": "r1", "sha256": "ab", "media_type": media_type, "state": state}
    other = {**picture, "reach_id": "r2", "sha256": "cd", "state": "here"}
    task = tasks(queue(visit(evidence=[picture, other])), NAMES)[0]
    html = task_html(task, Palette(), 0.0)
    assert said in html
    assert "cd" not in html


def test_the_rest_waits_with_its_time() -> None:
    found = tasks(queue(visit("v-1"), visit("v-2", until_s=None)), NAMES)
    assert "0:50" in waiting_html(found, 50.0)
    assert "Nothing else" in waiting_html([], 50.0)


def dispute(**more: Any) -> dict[str, Any]:
    return {
        "dispute_id": "d<1>", "visit_id": "v-1", "line": 1, "quantity": 1, "amount_minor": 119,
        "state": "open", "automatic": False, "by": "", "reason": "", "gtin": COLA,
        "name": "Cola <i>", "words": "not <mine>", "evidence": [],
        "decisions": [{"gtin": COLA, "quantity": 1, "certain": True, "probability": "0.99"}],
        **more,
    }  # fmt: skip


def test_a_dispute_says_how_it_stands() -> None:
    html = dispute_html(dispute(), "EUR", Palette())
    assert "waits for you" in html
    assert "not &lt;mine&gt;" in html
    assert "Cola &lt;i&gt;, €1.19" in html
    assert "<mine>" not in html
    closed = dispute(state="rejected", by="clerk", reason="<seen>")
    assert "stays as it is by clerk: &lt;seen&gt;" in dispute_html(closed, "EUR", Palette())
    waiting = dispute_html(dispute(automatic=True), "EUR", Palette())
    assert "as soon as the charge" in waiting
