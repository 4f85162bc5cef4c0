"""A visit from scan to receipt, through the facade."""

from __future__ import annotations

from typing import Any

COLA, BREAD = "4006381333931", "5901234123457"


def _visit(shop: Any, visit_id: str) -> dict[str, Any]:
    return next(v for v in shop.hub.export_json()["visits"] if v["visit_id"] == visit_id)


def test_a_shopper_pays_for_what_was_taken(shop: Any, day: Any) -> None:
    visit_id = shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(COLA, True), (BREAD, True), (BREAD, False), (COLA, True)])
    shop.play(day.script, 20.0)
    visit = _visit(shop, visit_id)
    assert visit["stage"] == "final"
    assert visit["total_minor"] == visit["captured_minor"] == 238
    assert not visit["needs_review"]
    receipt = shop.hub.export_json()["receipts"][0]
    assert [(x["gtin"], x["quantity"], x["vat_minor"]) for x in receipt["lines"]] == [(COLA, 2, 38)]
    assert shop.hub.gateway.totals().captured_minor == 238
    assert shop.hub.core.state.wallets.ledger.posted("clearing") == 238
