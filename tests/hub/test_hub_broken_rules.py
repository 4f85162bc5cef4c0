"""A bug in the rules: what it meets is set aside, and what it half did is undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from contracts import messages as m
from contracts.codec import encode
from hub import commands as c
from hub.core import HANDLERS
from hub.devices import service as devices
from hub.errors import HubHaltedError, LedgerError
from tests.hub.conftest import Node

COLA = "4006381333931"

OUTAGE = m.SensorOutage(sensor_id="cam", kind="camera", bay_id="bay-a", blind=True, t_s=1.0)
MARK = m.Watermark(t_s=1.0, last_seq=0)


def news(sequence: int, message: m.Message) -> tuple[str, bytes]:
    return Node("node-shelf", sequence=sequence).wrap(message, 1e-6)


@pytest.fixture(params=[ValueError, LedgerError, KeyError])
def broken(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes in that a sensor is blind fails, half done."""
    real = devices.apply_message

    def breaks(state: Any, device: Any, boot: Any, item: Any, message: Any) -> None:
        real(state, device, boot, item, message)
        if isinstance(message, m.SensorOutage):
            raise request.param("a bug")

    monkeypatch.setattr(devices, "apply_message", breaks)


def acked(out: list[Any]) -> int:
    return next(
        m.HubAck.model_validate_json(item.payload).upto_seq
        for item in out
        if item.topic.endswith("/ack")
    )


def reasons(shop: Any) -> list[str]:
    with shop.hub.store.reading() as reading:
        rows = reading.exec_driver_sql("SELECT reason FROM dead_letters")
        return [row[0] for row in rows]


@pytest.mark.usefixtures("broken")
def test_whatever_a_message_raises_it_is_set_aside_whole(make_shop: Callable[..., Any]) -> None:
    shop = make_shop("hub.sqlite")
    out = shop.hub.ingest([news(0, MARK), news(1, OUTAGE), news(2, MARK)], 1.0)
    assert acked(out) == 2
    assert shop.hub.core.state.blind == {}
    assert ["broke the rules" in reason for reason in reasons(shop)] == [True]
    digest = shop.hub.digest()
    shop.hub.recover()
    assert shop.hub.digest() == digest


@pytest.mark.usefixtures("broken")
def test_a_message_that_waited_for_its_clock_is_set_aside_when_it_breaks_the_rules(
    make_shop: Callable[..., Any],
) -> None:
    shop = make_shop("hub.sqlite", patient=True)
    shop.hub.ingest([news(0, MARK), news(1, OUTAGE)], 1.0)
    with pytest.raises((ValueError, LedgerError, KeyError), match="a bug"):
        shop.hub.step([], 15.0, tick=True)
    shop.hub.step([], 16.0, tick=True)
    assert shop.hub.core.state.blind == {}
    assert ["broke the rules" in reason for reason in reasons(shop)] == [True]
    assert acked(shop.hub.step([news(2, MARK)], 17.0, tick=True)) == 2
    shop.hub.recover()
    assert shop.hub.core.state.blind == {}


@pytest.mark.usefixtures("broken")
def test_the_answer_to_a_ping_comes_through_where_what_waited_for_it_breaks_the_rules(
    make_shop: Callable[..., Any],
) -> None:
    shop = make_shop("hub.sqlite", patient=True)
    shop.hub.ingest([news(0, MARK), news(1, OUTAGE), news(2, MARK)], 1.0)
    pong = m.ClockPong(hub_us=1_900_000, boot_id="boot-1", device_us=1_000_000)
    shop.hub.ingest([("sortie/v1/tiny/node-shelf/pong", encode(pong))], 2.0)
    boot = shop.hub.core.state.devices.all["node-shelf"].boots["boot-1"]
    assert boot.clock.best is not None
    assert shop.hub.halted is None
    assert (boot.held, boot.watermark_s is None) == ([], False)
    assert ["broke the rules" in reason for reason in reasons(shop)] == [True]
    digest = shop.hub.digest()
    shop.hub.recover()
    assert shop.hub.digest() == digest


@pytest.mark.parametrize("kind", [KeyError, LedgerError])
def test_of_a_command_that_breaks_the_rules_nothing_is_ever_stored(
    make_shop: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    shop = make_shop("hub.sqlite")
    digest = shop.hub.digest()
    real = HANDLERS[c.CountSlot]

    def breaks(state: Any, command: Any) -> Any:
        real(state, command)
        raise kind("a bug")

    monkeypatch.setitem(HANDLERS, c.CountSlot, breaks)
    with pytest.raises(kind, match="a bug"):
        shop.hub.command(c.CountSlot(count_id="c1", slot_id="s1", gtin=COLA, counted=2), 1.0)
    with pytest.raises(HubHaltedError, match="broke the rules"):
        shop.hub.tick(2.0)
    shop.hub.recover()
    assert shop.hub.digest() == digest
    shop.hub.command(c.SetSettling(by_place=True), 3.0)
    shop.hub.recover()
    assert shop.hub.core.state.stock.on_shelves(COLA) == 6
