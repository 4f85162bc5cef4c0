"""Live streams look at the hub when what they watch has changed, and else leave it alone."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any

import pytest

from hub.api import streams as module
from hub.api.streams import Streams
from hub.catalog.commands import CloseProduct
from hub.driver import Driver
from hub.effects import Attempt, Effects
from hub.live import SEEN_S, VISITS_MAX, Live
from hub.views import staff_view
from hub.wallet.gateway import GatewayRequest
from tests.hub.conftest import BREAD, COLA
from tests.hub.visits_kit import play


def test_only_the_visits_concerned_count_as_changed(kept: Any, day: Any) -> None:
    ann, ben = kept.open_visit("code-ann"), kept.open_visit("code-ben")
    live = kept.hub.live
    day.step(1.0, "t1", 1.0, 0.3, "born")
    day.scan(1.1, "code-ann")
    day.step(1.5, "t1", 1.0, 0.8)
    day.step(2.0, "t1", 1.1, 3.4)
    play(kept, day, 3.0)
    before = live.visit_version(ann), live.visit_version(ben), live.version
    day.step(3.1, "t1", 1.2, 3.4)
    play(kept, day, 3.4)
    assert (live.visit_version(ann), live.visit_version(ben)) == before[:2]
    assert live.version > before[2], "pages that show the floor see it"
    day.reach(3.5, "t1", COLA)
    play(kept, day, 5.0)
    assert live.visit_version(ann) > before[0]
    assert live.visit_version(ben) == before[1]
    seen = live.visit_version(ben)
    kept.hub.command(CloseProduct(gtin=COLA, reason="broken"), kept.now_s)
    assert live.visit_version(ben) > seen, "what concerns goods concerns every cart"


def test_a_doubt_is_a_change_of_whom_it_names(kept: Any, day: Any) -> None:
    ann = kept.open_visit("code-ann")
    day.step(1.0, "t1", 1.0, 0.3, "born")
    day.scan(1.1, "code-ann")
    day.step(1.5, "t1", 1.0, 0.8)
    day.step(2.0, "t1", 1.1, 3.4)
    play(kept, day, 3.0)
    before = kept.hub.live.visit_version(ann)
    day.reach(3.1, "t1", BREAD, sure=False)
    play(kept, day, 4.2)
    assert kept.hub.live.visit_version(ann) > before


def test_an_attempt_is_its_visits_and_memory_is_bounded() -> None:
    live = Live()
    request = GatewayRequest("k", "hold", "k", "p", 100, "EUR")
    live.happened(Effects(attempts={"k": Attempt(request, "v1", 1, None)}))
    first = live.visit_version("v1")
    assert first > live.visit_version("v2") == 0
    for start in range(0, VISITS_MAX, 500):
        live.happened(Effects(visits={f"w{k}" for k in range(start, start + 500)}))
    assert live.visit_version("v1") > first, "beyond the bound all count as changed"
    assert live.visit_version("anybody") == live.visit_version("v1")


def test_what_is_kept_of_a_visit_is_what_a_fresh_look_shows(kept: Any, day: Any) -> None:
    kept.open_visit("code-ann")
    kept.open_visit("code-ben")
    day.shop(1.0, "t1", "code-ann", [(COLA, True), (BREAD, True), (COLA, False)])
    day.step(1.2, "t2", 1.0, 0.3, "born")
    day.scan(1.3, "code-ben")
    live = kept.hub.live
    words = set()
    for number in range(1, 60):
        until_s = round(number * 0.2, 6)
        kept.play([row for row in day.script if until_s - 0.2 <= row[0] < until_s], until_s)
        if number == 16:
            kept.hub.command(CloseProduct(gtin=BREAD, reason="broken"), kept.now_s)
        seen = staff_view(kept.hub, kept.now_s)
        mine, live._kept = live._kept, {}
        assert staff_view(kept.hub, kept.now_s) == seen
        live._kept = mine
        words |= {(visit["state"], len(visit["lines"])) for visit in seen["visits"]}
    assert {("shopping", 0), ("shopping", 1), ("checking 1 item", 0), ("final", 0)} <= words


def test_a_visit_is_only_made_anew_when_something_happened_to_it() -> None:
    live = Live()
    made: list[str] = []

    def look(visit_id: str, now_s: float, sign: str = "shopping") -> None:
        def make() -> dict[str, Any]:
            made.append(visit_id)
            return {}

        live.seen(visit_id, sign, now_s, make)

    for now_s in (0.0, 1.0, 2.0):
        look("v1", now_s)
        look("v2", now_s)
    assert made == ["v1", "v2"]
    live.happened(Effects(visits={"v1"}))
    look("v1", 2.1)
    look("v2", 2.1)
    assert made == ["v1", "v2", "v1"]
    look("v2", 2.2, "left")
    assert made[3:] == ["v2"], "its stage is another one"
    look("v1", 2.1 + SEEN_S)
    assert made[4:] == ["v1"], "what a moment makes of it is looked at now and then"
    live.changed_all()
    look("v1", 2.2 + SEEN_S)
    assert made[5:] == ["v1"]
    live.forget_seen(["v2"])
    look("v1", 2.3 + SEEN_S)
    look("v2", 2.3)
    assert made[6:] == ["v1", "v2"]
    look("v1", 2.4 + SEEN_S)
    assert len(made) == 8


async def _run(
    streams: Streams,
    reads: list[int],
    version: Callable[[], int] | None,
    looks: int,
    clock: list[int],
    each: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
    *,
    same: bool = False,
) -> list[str]:
    def read() -> dict[str, Any]:
        reads.append(clock[0])
        return {"n": 0 if same else len(reads)}

    async def pause(_seconds: float) -> None:
        clock[0] += 1
        each(clock[0])
        if clock[0] >= looks:
            streams.ended = lambda: True

    async def wait(_self: Streams, most_s: float, *_watched: object) -> float:
        await pause(most_s)
        return most_s

    monkeypatch.setattr(asyncio, "sleep", pause)
    monkeypatch.setattr(Streams, "_pause", wait)
    response = streams.states(read, event="visit", version=version)
    return [str(chunk) async for chunk in response.body_iterator]


def test_a_stream_reads_when_its_own_version_rises(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, own = [0], [0]
    streams = Streams(lambda: whole[0])
    reads: list[int] = []

    def each(look: int) -> None:
        whole[0] += 1
        own[0] += look == 5

    asyncio.run(_run(streams, reads, lambda: own[0], 9, [0], each, monkeypatch))
    assert reads == [0, 5], "others' changes do not concern it"


def test_it_looks_again_now_and_then_while_the_hub_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [0]
    streams = Streams(lambda: whole[0])
    reads: list[int] = []
    looks = math.ceil(module.AGAIN_S / module.POLL_OWN_S)

    def each(_look: int) -> None:
        whole[0] += 1

    asyncio.run(_run(streams, reads, lambda: 0, 2 * looks + 5, [0], each, monkeypatch))
    assert len(reads) == 3
    assert reads[1] == pytest.approx(looks, abs=1)
    still: list[int] = []
    streams.ended = lambda: False
    asyncio.run(_run(streams, still, lambda: 0, 2 * looks, [0], lambda _l: None, monkeypatch))
    assert still == [0], "where nothing happens at all there is nothing to look at"


def test_a_look_that_finds_nothing_new_is_no_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [0]
    streams = Streams(lambda: whole[0])
    looks = 2 * math.ceil(module.HEARTBEAT_S / module.POLL_OWN_S) + 5

    def each(_look: int) -> None:
        whole[0] += 1

    reads: list[int] = []
    run = _run(streams, reads, lambda: 0, looks, [0], each, monkeypatch, same=True)
    chunks = asyncio.run(run)
    assert len(reads) > 3
    assert [chunk.split("\n")[0] for chunk in chunks] == [
        "event: visit", ": still here", ": still here",
    ]  # fmt: skip


def test_who_watches_one_thing_is_woken_when_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_OWN_S", 3_600.0)
    monkeypatch.setattr(module, "PAUSE_OWN_S", 0.0)
    own, other = [0], [0]
    streams = Streams(lambda: own[0] + other[0])
    reads: list[int] = []

    def read() -> dict[str, Any]:
        reads.append(own[0])
        return {"n": own[0]}

    async def watched() -> list[str]:
        response = streams.states(read, event="visit", version=lambda: own[0])
        chunks = aiter(response.body_iterator)
        found = [str(await anext(chunks))]
        for number in range(1, 4):
            coming = asyncio.ensure_future(anext(chunks))
            while not streams._waiting:
                await asyncio.sleep(0)
            other[0] += 1
            # The writer is another thread.
            await asyncio.to_thread(streams.news)
            await asyncio.sleep(0)
            assert not coming.done(), "what happens to others wakes nobody"
            own[0] = number
            await asyncio.to_thread(streams.news)
            found.append(str(await coming))
        return found

    found = asyncio.run(watched())
    assert [f'"n": {number}' in chunk for number, chunk in enumerate(found)] == [True] * 4
    assert reads == [0, 1, 2, 3]
    streams.news()


def test_the_driver_tells_of_whatever_may_have_changed_something(shop: Any) -> None:
    told: list[int] = []
    driver = Driver(shop.hub, lambda: shop.now_s)
    driver.happened = lambda: told.append(driver.version)
    before = driver.version
    driver.command(CloseProduct(gtin=COLA, reason="broken"))
    assert told == [driver.version] != [before]
    driver.step()
    assert len(told) == 2


def test_without_a_version_of_its_own_it_watches_the_whole_hub(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = [0]
    streams = Streams(lambda: whole[0])
    reads: list[int] = []

    def each(look: int) -> None:
        whole[0] += look % 3 == 0

    asyncio.run(_run(streams, reads, None, 8, [0], each, monkeypatch))
    assert reads == [0, 3, 6]
