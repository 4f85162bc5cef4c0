"""Products of the store file that have no slot yet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auditor.ledger import audit
from contracts.store_file import StoreFile
from hub import commands as c
from hub.attribution.engine import Engine
from hub.rules import Rules
from hub.service import Hub
from hub.wallet.gateway import PaymentGateway
from tests.hub.conftest import NearestAttributor

TEA = "4000417025005"


def _with_tea(layout: StoreFile) -> StoreFile:
    """Tea has no slot yet."""
    tea = layout.products[0].model_copy(update={"gtin": TEA, "name": "Tea"})
    return layout.model_copy(update={"products": (*layout.products, tea)})


def _taken_up(
    url: str, layout: StoreFile, attributor: Any, gateway: PaymentGateway | None = None
) -> Hub:
    rules = Rules(clock_wait_s=0.0)
    hub = Hub.open(layout, url=url, attributor=attributor, gateway=gateway, rules=rules)
    hub.start(100.0)
    return hub


@pytest.mark.parametrize("at_first", [True, False])
def test_a_product_that_has_no_slot_yet_is_given_one_by_staff(
    make_shop: Callable[..., Any], layout: StoreFile, tmp_path: Path, at_first: bool
) -> None:
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    if not at_first:
        make_shop("hub.sqlite").hub.close()
    hub = _taken_up(url, _with_tea(layout), Engine)
    hub.command(c.ChangePlanogram(slot_id="s2", gtin=TEA, facings=2, deep=3), 101.0)
    hub.command(c.Restock(slot_id="s2", gtin=TEA, quantity=4), 102.0)
    document = hub.export_json()
    assert {name: row for name, row in audit(document).items() if row} == {}
    tea = next(row for row in document["products"] if row["gtin"] == TEA)
    assert (tea["initial"], tea["restocked"]) == (0, 4)
    hub.close()


def test_a_product_without_a_slot_is_sold_where_it_lies(
    make_shop: Callable[..., Any], layout: StoreFile, day: Any
) -> None:
    shop = make_shop("hub.sqlite")
    url, gateway = shop.hub.store.url, shop.hub.gateway
    shop.hub.close()
    shop.hub = _taken_up(url, _with_tea(layout), NearestAttributor, gateway)
    shop.now_s = 100.0
    visit_id = shop.open_visit("code-one")
    day.script.clear()
    day.shelf.sequence = day.floor.sequence = 0
    day.born(100.0)
    day.shop(101.0, "t1", "code-one", [(TEA, True)])
    shop.play(day.script, 140.0)
    assert shop.hub.core.state.visits[visit_id].stage == "final"
    assert {name: row for name, row in audit(shop.hub.export_json()).items() if row} == {}
    shop.hub.close()
