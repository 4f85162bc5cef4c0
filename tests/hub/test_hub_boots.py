"""What still comes of boots that the hub has forgotten, because the node had hundreds since."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from contracts import messages as m
from hub.rules import Rules
from tests.hub.conftest import Node

BOOTS = 5


def news(boot: str, sequence: int) -> tuple[str, bytes]:
    born = m.NodeBorn(software="test", config_revision=1)
    said = born if sequence == 0 else m.Watermark(t_s=1.0, last_seq=sequence - 1)
    return Node("node-shelf", boot, sequence=sequence).wrap(said, 1e-6)


def told(out: list[Any]) -> list[tuple[str, int]]:
    acks = [m.HubAck.model_validate_json(o.payload) for o in out if o.topic.endswith("/ack")]
    return [(ack.boot_id, ack.upto_seq) for ack in acks]


def test_what_comes_again_of_a_boot_that_was_forgotten_takes_no_effect_and_is_acknowledged(
    make_shop: Callable[..., Any],
) -> None:
    shop = make_shop("hub.sqlite", rules=Rules(boots_max=2))
    for k in range(BOOTS):
        shop.hub.ingest([news(f"boot-{k}", n) for n in range(3)], 1.0 + k)
    digest = shop.hub.digest()
    for now_s in (10.0, 11.0):
        assert told(shop.hub.ingest([news("boot-0", n) for n in (1, 0, 2)], now_s)) == [
            ("boot-0", 2)
        ]
    assert shop.hub.halted is None
    assert shop.hub.digest() == digest
    assert shop.hub.core.state.devices.all["node-shelf"].current == f"boot-{BOOTS - 1}"
    assert told(shop.hub.ingest([news("boot-new", 0)], 12.0)) == [("boot-new", 0)]


def test_what_a_forgotten_boot_had_not_told_yet_is_a_dead_letter(
    make_shop: Callable[..., Any],
) -> None:
    shop = make_shop("hub.sqlite", rules=Rules(boots_max=2))
    for k in range(BOOTS):
        shop.hub.ingest([news(f"boot-{k}", n) for n in range(3)], 1.0 + k)
    out = shop.hub.ingest([news("boot-0", n) for n in (2, 3, 4)], 10.0)
    assert told(out) == [("boot-0", 4)]
    assert shop.hub.export_json()["dead_letters"]["count"] == 2
    assert {row["sequence"] for row in shop.hub.export_json()["inbox"]} == {0, 1, 2}


def again(shop: Any, sequences: tuple[int, ...], begin_s: float, end_s: float) -> list[Any]:
    """The same messages every twenty seconds; what the hub confirmed last."""
    out: list[Any] = []
    now_s = begin_s
    while now_s < end_s:
        out = told(shop.hub.ingest([news("boot-0", n) for n in sequences], now_s))
        now_s += 20.0
    return out


def test_what_nobody_has_any_more_is_not_waited_for_for_ever(
    make_shop: Callable[..., Any], day: Any
) -> None:
    shop = make_shop("hub.sqlite")
    shop.hub.ingest([news("boot-0", n) for n in (0, 1, 2)], 1.0)
    visit_id = shop.open_visit("code-one", now_s=900.0)
    day.step(900.1, "t1", 1.0, 0.3, "born")
    day.scan(900.2, "code-one")
    shop.hub.ingest([(name, payload) for _, name, payload in day.script], 900.5)
    shop.hub.tick(901.0)
    assert again(shop, (6, 7), 901.0, 1400.0) == [("boot-0", 2)]
    assert not shop.hub.core.quiet
    assert again(shop, (6, 7), 1400.0, 1640.0) == [("boot-0", 7)]
    events = shop.hub.export_json()["events"]
    gap = next(row["data"] for row in events if row["kind"] == "device.gap")
    assert (gap["from_seq"], gap["upto_seq"]) == (3, 5)
    assert "node-shelf" in shop.hub.core.state.visits[visit_id].review_reasons[0]
    digest = shop.hub.digest()
    shop.hub.recover()
    assert shop.hub.digest() == digest


def test_a_gap_that_is_filled_in_the_end_was_waited_for(make_shop: Callable[..., Any]) -> None:
    shop = make_shop("hub.sqlite")
    shop.hub.ingest([news("boot-0", n) for n in (0, 1, 2, 6, 7)], 1.0)
    assert again(shop, (6, 7), 2.0, 500.0) == [("boot-0", 2)]
    assert again(shop, (4, 6, 7), 500.0, 1000.0) == [("boot-0", 2)]
    assert again(shop, (3, 4, 5), 1000.0, 1010.0) == [("boot-0", 7)]
    assert not [e for e in shop.hub.export_json()["events"] if e["kind"] == "device.gap"]
