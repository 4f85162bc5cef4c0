"""A node that starts again and again: what it said in a boot long forgotten, said once more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select

from contracts import messages as m
from hub.rules import Rules
from hub.store import tables as t
from tests.hub.conftest import Node

KEPT = 3


def borns(count: int) -> list[tuple[str, bytes]]:
    """The first two messages of so many boots, one boot after the other."""
    said = []
    for number in range(count):
        node = Node("node-shelf", f"boot-{number}")
        said.append(node.wrap(m.NodeBorn(software="test", config_revision=1), 1.0))
        said.append(node.wrap(m.Watermark(t_s=1.0, last_seq=0), 1.0))
    return said


@pytest.fixture
def shop(make_shop: Callable[..., Any]) -> Any:
    return make_shop("hub.sqlite", rules=Rules(boots_max=KEPT))


def stored(shop: Any) -> int:
    asked = select(func.count().label("n")).select_from(t.inbox)
    return int(shop.hub.store.select(asked)[0]["n"])


@pytest.mark.parametrize("which", [slice(0, 1), slice(1, 2), slice(0, 2)])
def test_what_was_stored_is_not_taken_again_and_stops_nobody(shop: Any, which: slice) -> None:
    said = borns(KEPT + 2)
    shop.hub.ingest(said, 2.0)
    assert "boot-0" not in shop.hub.core.state.devices.all["node-shelf"].boots
    before, digest = stored(shop), shop.hub.digest()
    out = shop.hub.ingest(said[which], 3.0)
    assert shop.hub.halted is None
    assert (stored(shop), shop.hub.digest()) == (before, digest)
    acks = [one for one in out if one.topic.endswith("/ack")]
    assert [b'"upto_seq":1' in one.payload for one in acks] == [True], "or it is sent for ever"
