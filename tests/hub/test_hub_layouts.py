"""A store file that changed: products and slots go and come again, and the books still add up."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from auditor.ledger import audit
from contracts import messages as m
from contracts.store_file import StoreFile, parse_store_file
from hub import commands as c
from hub.attribution.engine import Engine
from hub.inventory.views import stock_view
from hub.levels import LEVEL
from hub.service import Hub
from hub.store.verify import verify
from hub.views import phone_view

COLA, BREAD = "4006381333931", "5901234123457"


def changed(store_text: str, *swaps: tuple[str, str]) -> StoreFile:
    for old, new in swaps:
        assert old in store_text
        store_text = store_text.replace(old, new)
    return parse_store_file(store_text, name="changed.yaml")


def without_cola(store_text: str) -> StoreFile:
    """Bread stands in its slot, and it is no product any more."""
    begin = store_text.index(f'  - gtin: "{COLA}"')
    cola = store_text[begin : store_text.index(f'  - gtin: "{BREAD}"')]
    look = cola[cola.index("packaging") :].rstrip()
    return changed(
        store_text,
        ("packaging: *look", look),
        (cola, ""),
        (f'gtin: "{COLA}",', f'gtin: "{BREAD}",'),
    )


def begun(url: str, layout: StoreFile, now_s: float) -> Hub:
    hub = Hub.open(layout, url=url, attributor=Engine)
    hub.start(now_s)
    return hub


def in_order(hub: Hub, url: str) -> None:
    """Nothing is found by the auditor, by the hub's own check, and a replay gives the same."""
    findings = audit(hub.export_json())
    assert [row for rows in findings.values() for row in rows] == []
    assert verify(url, Engine).findings == ()
    digest = hub.digest()
    hub.recover()
    assert hub.digest() == digest


def test_a_slot_gets_another_product_and_the_old_one_is_no_longer_sold(
    tmp_path: Any, layout: StoreFile, store_text: str
) -> None:
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    begun(url, layout, 1.0).close()
    with closing(begun(url, without_cola(store_text), 2.0)) as hub:
        assert hub.core.state.stock.on_shelves(BREAD) == 12
        in_order(hub, url)


def test_a_slot_is_taken_out_of_the_store_and_its_product_stays(
    tmp_path: Any, layout: StoreFile, store_text: str
) -> None:
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    begun(url, layout, 1.0).close()
    second = store_text[store_text.index("  - {slot_id: s2") :]
    third = second.replace("s2", "s3").replace("u0_m: 0.5", "u0_m: 0.75")
    both = changed(store_text, (second, second.replace("u1_m: 1.0", "u1_m: 0.75") + third))
    with closing(begun(url, both, 2.0)) as hub:
        assert hub.core.state.stock.on_shelves(BREAD) == 12
        in_order(hub, url)
    with closing(begun(url, layout, 3.0)) as hub:
        assert hub.core.state.stock.on_shelves(BREAD) == 6
        in_order(hub, url)


def test_pieces_of_a_product_that_is_no_longer_sold_are_taken_out_by_staff(
    tmp_path: Any, layout: StoreFile, store_text: str
) -> None:
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    begun(url, layout, 1.0).close()
    with closing(begun(url, without_cola(store_text), 2.0)) as hub:
        left = c.CountSlot(count_id="c1", slot_id="s1", gtin=COLA, counted=5)
        hub.command(left, 3.0)
        hub.tick(4.0)
        in_order(hub, url)
        hub.command(c.StartRestocking(session_id="r1"), 5.0)
        out = c.MoveStock(session_id="r1", move_id="m1", slot_id="s1", gtin=COLA, quantity=-5)
        hub.command(out, 6.0)
        hub.tick(7.0)
        assert stock_view(hub.core.state)["misplaced"] == []
        in_order(hub, url)


def test_a_product_that_comes_back_at_another_price_has_its_old_prices_before_that(
    tmp_path: Any, layout: StoreFile, store_text: str
) -> None:
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    begun(url, layout, 10.0).close()
    begun(url, without_cola(store_text), 20.0).close()
    back = changed(store_text, ("price_minor: 119", "price_minor: 135"))
    with closing(begun(url, back, 30.0)) as hub:
        product = hub.core.state.catalog.products[COLA]
        assert (product.price_at(15.0), product.price_at(31.0)) == (119, 135)
        prices = [row for row in hub.export_json()["prices"] if row["gtin"] == COLA]
        assert [row["price_minor"] for row in prices] == [119, 135]
        in_order(hub, url)


def test_a_phone_shows_the_receipt_of_a_product_that_is_no_longer_sold(
    make_shop: Callable[..., Any], day: Any, store_text: str
) -> None:
    shop = make_shop("hub.sqlite")
    visit_id = shop.open_visit("code-one", now_s=0.0)
    day.shop(1.0, "t1", "code-one", [(COLA, True)])
    shop.play(day.script, 30.0)
    url, state = shop.hub.store.url, shop.hub.core.state
    shop.hub.close()
    changed_file = without_cola(store_text)
    with closing(
        Hub.open(changed_file, url=url, attributor=state.factory, rules=state.rules)
    ) as hub:
        hub.start(40.0)
        visit = hub.core.state.visits[visit_id]
        account = hub.core.state.wallets.accounts[visit_id]
        shown = phone_view(hub, visit, account, 41.0)
        assert [line["gtin"] for line in shown["lines"]] == [COLA]


@pytest.mark.parametrize(("level", "open_reaches"), [(LEVEL, 0), (10, 1)])
def test_a_node_that_died_in_a_reach_does_not_keep_its_store_file_for_ever(
    make_shop: Callable[..., Any], layout: StoreFile, day: Any, level: int, open_reaches: int
) -> None:
    shop = make_shop("hub.sqlite")
    shop.hub.core.state.hold_level(level)
    reach = m.OpenReach(reach_id="r1", bay_id="bay-a", t_open_s=1.0, u_m=0.2)
    day.say(day.shelf, 1.0, m.ReachOpened(reach_id="r1", bay_id="bay-a", t_s=1.0, u_m=0.2))
    day.say(day.shelf, 2.0, m.Watermark(t_s=2.0, last_seq=1, open_reaches=(reach,)))
    shop.play(day.script, 3.0)
    shop.hub.tick(600.0)
    assert len(shop.hub.core.state.reaches) == 1, "it may only be cut off"
    shop.hub.tick(1_000.0)
    assert len(shop.hub.core.state.reaches) == open_reaches
    assert shop.hub.core.quiet == (not open_reaches)
