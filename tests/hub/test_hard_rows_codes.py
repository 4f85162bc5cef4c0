"""The rows of HARD_CASES.md C about codes at gates, by their names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from contracts import messages as m
from hub.dead_letters import DeadLetters
from hub.settings import HubSettings, keys_path
from hub.store import tables as t
from tests.hub.visits_kit import code_of, enter, group, kinds, of_kind, play, visit_of, walk_out

COLA = "4006381333931"


def refusals(shop: Any) -> list[str]:
    return [event.data["reason"] for event in of_kind(shop, "entry.refused")]


def test_qr_screenshot_shown_after_its_owner(kept: Any, day: Any) -> None:
    visit_id = group(kept, 1)
    picture = code_of(kept, visit_id)
    enter(kept, day, visit_id, "t1")
    day.step(kept.now_s + 0.1, "t2", 1.0, 0.3, "born")
    day.scan(kept.now_s + 0.2, picture)
    play(kept, day, kept.now_s + 1.0)
    assert refusals(kept) == ["code used before"]
    assert visit_of(kept, visit_id).tracks == ["t1"]


def test_qr_screenshot_shown_before_its_owner_lets_one_in(kept: Any, day: Any) -> None:
    """A friend who was sent the picture shops on the owner's wallet; the owner is told at once."""
    visit_id = group(kept, 1)
    picture = code_of(kept, visit_id)
    day.step(0.2, "t2", 1.0, 0.3, "born")
    day.scan(0.3, picture)
    day.step(0.6, "t2", 1.0, 0.8)
    day.scan(1.0, picture)
    play(kept, day, 2.0)
    assert refusals(kept) == ["code used before"]
    assert kinds(kept).count("hold.placed") == 1


def test_qr_screenshot_of_a_minute_ago(kept: Any, day: Any) -> None:
    visit_id = group(kept, 1)
    picture = code_of(kept, visit_id)
    day.scan(60.0, picture)
    play(kept, day, 61.0)
    assert refusals(kept) == ["code expired"]
    # The phone itself shows another one by now, which is good.
    enter(kept, day, visit_id, "t1")
    assert visit_of(kept, visit_id).stage == "shopping"


def test_reused_qr_after_the_visit_is_over(kept: Any, day: Any) -> None:
    visit_id = group(kept, 1)
    picture = code_of(kept, visit_id)
    enter(kept, day, visit_id, "t1")
    walk_out(day, kept.now_s + 0.5, "t1")
    day.watermark(kept.now_s + 3.0)
    day.scan(kept.now_s + 8.0, picture)
    play(kept, day, kept.now_s + 9.0)
    assert visit_of(kept, visit_id).stage == "final"
    assert refusals(kept) == ["code used before"]


def test_code_used_at_two_gates_at_once(kept: Any, day: Any) -> None:
    code = code_of(kept, group(kept, 1))
    for node in (day.shelf, day.floor):
        day.say(node, 1.0, m.GateScanned(gate_id="entry", code=code, t_s=1.0))
    play(kept, day, 2.0)
    assert kinds(kept).count("entry.scanned") == 1
    assert refusals(kept) == ["code used before"]


@pytest.mark.parametrize(
    ("url", "given", "path"),
    [
        ("sqlite:///run/hub.sqlite", None, Path("run/hub.entry-keys.json")),
        ("sqlite:////var/hub.sqlite", None, Path("/var/hub.entry-keys.json")),
        ("sqlite:///:memory:", None, None),
        ("sqlite://", None, None),
        ("postgresql+psycopg://hub@db/store", None, Path("entry-keys.json")),
        ("postgresql+psycopg://hub@db/store", Path("/k.json"), Path("/k.json")),
    ],
)
def test_the_keys_lie_beside_the_database_and_not_in_it(
    url: str, given: Path | None, path: Path | None
) -> None:
    settings = HubSettings(store_file=Path("x"), database_url=url, entry_keys_file=given)
    assert keys_path(settings) == path


@pytest.mark.parametrize(
    "broken",
    [
        lambda data: {**data, "t_s": "soon"},
        lambda data: {**data, "surprise": data["code"]},
        lambda data: {"gate_id": data["code"], "code": 7, "t_s": 0.5},
        lambda data: {data["code"]: 1},
    ],
)
def test_a_scan_that_cannot_be_read_leaves_no_code_behind(kept: Any, day: Any, broken: Any) -> None:
    code = code_of(kept, group(kept, 1))
    day.scan(0.5, code)
    at_s, name, payload = day.script.pop()
    envelope = json.loads(payload)
    envelope["data"] = broken(envelope["data"])
    day.script.append((at_s, name, json.dumps(envelope).encode()))
    play(kept, day, 1.0)
    kept.hub.export_json()
    store = kept.hub.store
    inbox = [row["payload"] for row in store.select(select(t.inbox))]
    refused = [str(row) for row in store.select(select(t.dead_letters))]
    assert len(refused) == 1, "it is counted and shown to people"
    assert code not in "".join((*inbox, *refused))
    assert "entry.scanned" not in kinds(kept)


@pytest.mark.parametrize(
    "payload",
    [
        '{"data": {"code": "CANARY, with } and \\" in it", "t_s": 1}',
        '{"data": {"code" : "CANARY',
        '{"data": {"code": CANARY',
        "words SORTIE:CANARYCANARY",
        '"{\\"code\\": \\"CANARY\\"}"',
        "sortie-staff:canary0canary",
    ],
)
def test_refused_messages_are_kept_without_codes(payload: str) -> None:
    row = DeadLetters().row("a/topic", payload.encode(), 0.0, f"expected JSON, got {payload}")
    assert row is not None
    assert "canary" not in str(row).casefold()
    assert row["size"] == len(payload)
    assert "[code]" in str(row)
