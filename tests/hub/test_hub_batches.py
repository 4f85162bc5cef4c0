"""Several events in one letter: the same day as one by one, and batches that are none."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any

import pytest

from contracts import messages as m
from contracts.codec import joined
from contracts.envelope import BATCH_EVENTS_MAX
from contracts.topics import device_of, topic
from hub.driver import TICK_PAUSE_S, Driver
from hub.store import tables

COLA, BREAD = "4006381333931", "5901234123457"
Script = list[tuple[float, str, bytes]]


def _in_batches(script: Script) -> Script:
    """What a node says in one second goes into one letter, sent at the second's end."""
    ordered = sorted(script, key=lambda row: row[0])
    batches = []
    for (second, name), rows in groupby(ordered, key=lambda row: (int(row[0]), row[1])):
        part = [payload for _, _, payload in rows]
        name = topic("batch", store_id="tiny", device_id=device_of(name))
        batches.append((second + 1.0, name, joined(part)))
    return batches


def _played(shop: Any, script: Script, batched: bool) -> dict[str, Any]:
    for code in ("code-one", "code-two"):
        shop.open_visit(code, now_s=0.0)
    shop.play(_in_batches(script) if batched else script, 30.0)
    found: dict[str, Any] = shop.outcome()
    return found


def test_batches_give_the_day_that_single_letters_give(
    make_shop: Callable[..., Any], day: Any
) -> None:
    day.shop(1.0, "t1", "code-one", [(COLA, True), (BREAD, True)])
    day.shop(4.0, "t2", "code-two", [(BREAD, True)])
    day.watermark(20.0)
    single = _played(make_shop("single"), day.script, batched=False)
    batched = _played(make_shop("batched"), day.script, batched=True)
    assert single["receipts"]
    assert batched == single


def test_a_batch_twice_takes_effect_once(shop: Any, day: Any) -> None:
    day.watermark(2.0)
    batch = _in_batches(day.script)
    shop.play(batch, 4.0)
    stored = shop.hub.export_json()["inbox"]
    shop.play([(5.0, name, payload) for _, name, payload in batch], 6.0)
    assert shop.hub.export_json()["inbox"] == stored


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"\n".join([b"{}"] * (BATCH_EVENTS_MAX + 1)), "at most 64 lines, got 65"),
        (b"x" * 70_000, "at most 65536 bytes, got 70000"),
        (b"", "expected a CloudEvents envelope"),
    ],
)
def test_what_is_no_batch_is_a_dead_letter(shop: Any, payload: bytes, reason: str) -> None:
    name = topic("batch", store_id="tiny", device_id="node-shelf")
    assert shop.hub.ingest([(name, payload)], 1.0) == []
    letters = shop.hub.store.rows(tables.dead_letters, "number")
    assert len(letters) == 1
    assert reason in letters[0]["reason"]


def test_one_bad_line_does_not_hold_up_the_others(shop: Any, day: Any) -> None:
    day.watermark(2.0)
    name = topic("batch", store_id="tiny", device_id=device_of(day.script[0][1]))
    good = [payload for _, n, payload in day.script if device_of(n) == device_of(name)]
    acks = shop.hub.ingest([(name, joined([good[0], b"{nonsense", *good[1:]]))], 3.0)
    upto = m.HubAck.model_validate_json(acks[-1].payload).upto_seq
    assert upto == len(good) - 1
    assert len(shop.hub.store.rows(tables.dead_letters, "number")) == 1


def test_under_load_decisions_are_shared(make_shop: Callable[..., Any]) -> None:
    shop = make_shop()
    now_s = [100.0]
    driver = Driver(shop.hub, lambda: now_s[0])
    driver.begin()
    ticks: list[float] = []
    tick = shop.hub.tick

    def counted(now: float) -> Any:
        ticks.append(now)
        return tick(now)

    shop.hub.tick = counted
    for _ in range(100):
        now_s[0] += 0.001
        driver.step()
    assert len(ticks) <= 0.1 / TICK_PAUSE_S + 1
    now_s[0] += TICK_PAUSE_S
    driver.step()
    assert ticks[-1] == now_s[0]
