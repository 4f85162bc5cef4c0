"""What the driver owes the broker, whatever becomes of what it took."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hub.driver import Driver
from hub.errors import StoreWriteError
from hub.mqtt import Arrived
from tests.hub.after_kit import Bus

HUB_ACK = "/ack"


def test_what_could_not_be_stored_takes_no_room_at_the_broker(
    make_shop: Callable[..., Any], day: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = make_shop("hub.sqlite")
    bus = Bus()
    driver = Driver(shop.hub, now=lambda: 1.0, bus=bus)

    def full(rows: Any) -> None:
        raise StoreWriteError("the disk is full")

    bus.waiting = [Arrived(t, payload, mid, 1) for mid, (_, t, payload) in enumerate(day.script)]
    with monkeypatch.context() as broken:
        broken.setattr(shop.hub.store, "write", full)
        with pytest.raises(StoreWriteError):
            driver.step()
    assert bus.acked == [0, 1]
    assert not [item for item in bus.sent if item.topic.endswith(HUB_ACK)]
    shop.hub.recover()
    bus.waiting = [Arrived(t, payload, mid, 1) for mid, (_, t, payload) in enumerate(day.script)]
    driver.step()
    assert len([item for item in bus.sent if item.topic.endswith(HUB_ACK)]) == 2
