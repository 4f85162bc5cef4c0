"""News and time in one step: one commit of both, and nothing is lost where one of them fails."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts import messages as m
from contracts.codec import encode, envelope
from hub.errors import HubHaltedError, StoreWriteError
from hub.service import BATCH_MAX
from hub.store import tables
from tests.hub.conftest import locked

COLA, BREAD = "4006381333931", "5901234123457"
END_S = 30.0


def _watermarks(count: int) -> list[m.Message]:
    return [m.Watermark(t_s=0.1 * k, last_seq=k - 1) for k in range(count)]


def _news(messages: list[m.Message]) -> list[bytes]:
    """The messages of one boot of a node, from its first one on."""
    return [
        encode(
            envelope(
                message,
                store_id="tiny",
                device_id="node-shelf",
                boot_id="boot-1",
                sequence=number,
                monotonic_us=1,
                config_revision=1,
                time=datetime(2026, 1, 1, tzinfo=UTC),
            )
        )
        for number, message in enumerate(messages)
    ]


@pytest.mark.parametrize("snapshot_every", [20_000, 1])
def test_a_day_in_steps_is_the_day_of_news_and_ticks_with_fewer_commits(
    make_shop: Callable[..., Any], day: Any, snapshot_every: int
) -> None:
    day.shop(1.0, "t1", "code-one", [(COLA, True), (BREAD, True)])
    day.shop(4.0, "t2", "code-two", [(BREAD, True)])
    day.watermark(20.0)
    shops = [make_shop(name, snapshot_every=snapshot_every) for name in ("apart", "stepped")]
    for shop in shops:
        for code in ("code-one", "code-two"):
            shop.open_visit(code, now_s=0.0)
    shops[0].play(day.script, END_S)
    shops[1].play(day.script, END_S, in_steps=True)
    apart, stepped = (shop.outcome() for shop in shops)
    assert apart["receipts"]
    assert stepped == apart
    commits = [shop.hub.live.counts["commits"] for shop in shops]
    assert commits[1] < commits[0]
    digest = shops[1].hub.digest()
    shops[1].hub.recover()
    assert shops[1].hub.digest() == digest


def test_time_alone_that_changes_nothing_waits_for_a_commit(make_shop: Callable[..., Any]) -> None:
    shop = make_shop("hub.sqlite")
    shop.open_visit("code-one", now_s=0.0)
    commits = shop.hub.live.counts["commits"]
    for k in range(20):
        shop.hub.step([], 1.0 + k, tick=True)
    assert shop.hub.live.counts["commits"] == commits


def test_a_step_that_cannot_be_stored_answers_nothing_and_can_be_done_again(
    make_shop: Callable[..., Any], backend: str
) -> None:
    shop = make_shop("hub.sqlite")
    news = _news(_watermarks(3))
    with locked(shop, backend):
        with pytest.raises(StoreWriteError, match=r"locked|lock timeout"):
            shop.hub.step(news, 1.0, tick=True)
        with pytest.raises(HubHaltedError, match="recover"):
            shop.hub.step(news, 1.0, tick=True)
    shop.hub.recover()
    assert shop.hub.store.rows(tables.inbox, "position") == []
    acks = shop.hub.step(news, 2.0, tick=True)
    assert [m.HubAck.model_validate_json(a.payload).upto_seq for a in acks[:1]] == [2]
    assert len(shop.hub.store.rows(tables.inbox, "position")) == 3


def test_a_chunk_that_is_undone_takes_no_earlier_one_of_its_step_with_it(
    make_shop: Callable[..., Any], broken_outages: None
) -> None:
    shop = make_shop("hub.sqlite")
    count = 2 * BATCH_MAX
    messages = _watermarks(count)
    messages[BATCH_MAX + 9] = m.SensorOutage(
        sensor_id="cam", kind="camera", bay_id="bay-a", blind=True, t_s=1.0
    )
    acks = shop.hub.step(_news(messages), 1.0, tick=True)
    upto = [m.HubAck.model_validate_json(a.payload).upto_seq for a in acks if "/ack" in a.topic]
    assert max(upto) == count - 1
    stored = shop.hub.store.rows(tables.inbox, "position")
    assert [row["sequence"] for row in stored] == list(range(count))
    assert [row["sequence"] for row in stored if row["dead"]] == [BATCH_MAX + 9]
    digest = shop.hub.digest()
    shop.hub.recover()
    assert shop.hub.digest() == digest


def test_an_answer_of_the_gateway_is_stored_with_the_news_of_its_step(
    make_shop: Callable[..., Any], day: Any
) -> None:
    shop = make_shop("hub.sqlite")
    shop.hub._ask_inline = False
    visit_id = shop.open_visit("code-one", now_s=0.0)
    day.shop(1.0, "t1", "code-one", [(COLA, True)])
    shop.play(day.script, 2.0)
    request = shop.hub.asks.popleft()
    commits = shop.hub.live.counts["commits"]
    answer = shop.hub.ask_gateway(request)
    later = [(name, payload) for at_s, name, payload in day.script if 2.0 < at_s <= 3.0]
    shop.hub.step(later, 3.0, tick=True, answers=[answer, answer])
    assert later
    assert shop.hub.live.counts["commits"] == commits + 1
    assert shop.hub.core.state.visits[visit_id].stage == "shopping"
    digest = shop.hub.digest()
    shop.hub.recover()
    assert shop.hub.digest() == digest


def test_an_answer_that_a_bad_message_takes_with_it_is_asked_for_again(
    make_shop: Callable[..., Any], day: Any, broken_outages: None
) -> None:
    shop = make_shop("hub.sqlite")
    shop.hub._ask_inline = False
    shop.open_visit("code-one", now_s=0.0)
    day.shop(1.0, "t1", "code-one", [(COLA, True)])
    floor = [row for row in day.script if "node-floor" in row[1]]
    shop.play(floor, 2.0)
    request = shop.hub.asks.popleft()
    answer = shop.hub.ask_gateway(request)
    bad = m.SensorOutage(sensor_id="cam", kind="camera", bay_id="bay-a", blind=True, t_s=1.0)
    shop.hub.step(_news([bad]), 3.0, tick=True, answers=[answer])
    assert [asked.key for asked in shop.hub.asks] == [request.key]
    shop.hub.step([], 3.2, tick=True, answers=[shop.hub.ask_gateway(shop.hub.asks.popleft())])
    assert request.key not in shop.hub.core.state.asks
    assert len(shop.hub.store.rows(tables.ledger_transactions, "number")) >= 1
