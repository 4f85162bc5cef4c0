"""Goods that are not simply sold: promotions, age limits, closed and recalled products."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from auditor.ledger import audit
from contracts.store_file import StoreFile, parse_store_file
from hub import commands as c
from hub.catalog.notices import exit_notice
from hub.errors import ConflictError, RejectedError, UnknownVisitError
from hub.replay import rebuild
from hub.views import mirror_view

COLA, BREAD, BEER = "4006381333931", "5901234123457", "96385074"


@pytest.fixture
def layout(store_text: str) -> StoreFile:
    """The tiny store with a beer that is sold from 18 on, but not at night."""
    beer = """  - gtin: "96385074"
    name: Beer
    brand: Brew
    size_label: 500 ml
    weight_g: 520
    weight_sd_g: 3
    price_minor: 150
    vat: full
    age_min: 18
    sale_hours: [{begin: "00:00", end: "22:00"}]
    packaging: *look
slots:
  - {slot_id: s3, bay_id: bay-a, board_id: b1, u0_m: 0.9, u1_m: 1.0, gtin: "96385074",
     facings: 1, deep: 4, low_at: 2}
"""
    return parse_store_file(store_text.replace("slots:\n", beer), name="tiny.yaml")


def percent(name: str = "ten", gtin: str = COLA, share: int = 1_000, **more: Any) -> c.AddPromotion:
    """A share off one product."""
    return c.AddPromotion(
        promotion_id=name, offer="percent", name=f"Offer {name}", gtins=(gtin,), percent_bp=share,
        **more,
    )  # fmt: skip


def walk(shop: Any, day: Any, items: list[str], *, start_s: float = 1.0, name: str = "one") -> str:
    """Opens a visit and plays it to its receipt."""
    visit_id: str = shop.open_visit(f"code-{name}")
    day.shop(start_s, f"t-{name}", f"code-{name}", [(gtin, True) for gtin in items])
    shop.play([row for row in day.script if row[0] >= shop.now_s], start_s + 19.0)
    return visit_id


def receipt(shop: Any, visit_id: str) -> dict[str, Any]:
    """The receipt as an auditor sees it."""
    found: dict[str, Any] = next(
        row for row in shop.hub.export_json()["receipts"] if row["visit_id"] == visit_id
    )
    return found


def visit_row(shop: Any, visit_id: str) -> dict[str, Any]:
    return next(v for v in shop.hub.export_json()["visits"] if v["visit_id"] == visit_id)


def data_of(shop: Any, kind: str) -> list[dict[str, Any]]:
    return [e["data"] for e in shop.hub.export_json()["events"] if e["kind"] == kind]


def findings(export: dict[str, Any]) -> dict[str, list[str]]:
    return {name: rows for name, rows in audit(export).items() if rows}


def same_after_replay(shop: Any) -> None:
    """The journal leads to the same state again."""
    shop.hub.export_json()
    state = shop.hub.core.state
    again = rebuild(shop.hub.store, state.store, state.factory, state.rules)
    assert again.dump() == shop.hub.core.dump()
    assert again.digest() == shop.hub.digest()


# ---------------------------------------------------------------------------- promotions


def test_charge_is_lines_plus_vat_less_promotions(shop: Any, day: Any) -> None:
    shop.hub.command(percent(), 0.5)
    visit_id = walk(shop, day, [COLA, COLA, BREAD])
    lines = receipt(shop, visit_id)["lines"]
    assert [
        (x["gtin"], x["discount_minor"], x["total_minor"], x["vat_minor"], x["promotions"])
        for x in lines
    ] == [(COLA, 24, 214, 34, ["ten"]), (BREAD, 0, 249, 16, [])]
    assert visit_row(shop, visit_id)["captured_minor"] == 463
    phone = mirror_view(shop.hub, visit_id)
    assert (phone["saved_minor"], phone["lines"][0]["offers"]) == (24, ["Offer ten"])
    assert findings(shop.hub.export_json()) == {}
    same_after_replay(shop)


def test_the_live_cart_shows_what_is_saved(shop: Any, day: Any) -> None:
    shop.hub.command(percent(share=5_000), 0.5)
    visit_id = shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(COLA, True)])
    shop.play(day.script, 3.4)
    phone = mirror_view(shop.hub, visit_id)
    assert phone["stage"] == "shopping"
    assert (phone["total_minor"], phone["saved_minor"]) == (59, 60)


def test_the_promotion_is_the_one_that_held_at_the_pick(shop: Any, day: Any) -> None:
    visit_id = shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(COLA, True), (COLA, True), (COLA, True)])
    shop.play(day.script, 2.9)
    shop.hub.command(percent(), 2.95)
    shop.play([row for row in day.script if row[0] > 2.9], 3.9)
    shop.hub.command(c.EndPromotion(promotion_id="ten"), 3.95)
    shop.play([row for row in day.script if row[0] > 3.9], 20.0)
    assert [(x["quantity"], x["discount_minor"]) for x in receipt(shop, visit_id)["lines"]] == [
        (3, 12)
    ]
    assert findings(shop.hub.export_json()) == {}


def test_part_refunds_of_a_discounted_line_sum_to_it(shop: Any, day: Any) -> None:
    shop.hub.command(
        c.AddPromotion(
            promotion_id="three", offer="n_for_m", name="3 for 2", gtins=(COLA,), take=3, pay=2
        ),
        0.5,
    )
    visit_id = walk(shop, day, [COLA, COLA, COLA])
    assert receipt(shop, visit_id)["total_minor"] == 238
    back = []
    for number in range(3):
        reply = shop.hub.command(
            c.RefundVisit(
                refund_id=f"r{number}", visit_id=visit_id,
                lines=(c.RefundLine(line=1, quantity=1),),
            ),
            21.0 + number,
        )  # fmt: skip
        back.append(reply.amount_minor)
    assert (sum(back), max(back) - min(back)) == (238, 1)
    phone = mirror_view(shop.hub, visit_id)
    assert phone["receipt"]["refunded_minor"] == 238
    ledger = shop.hub.core.state.wallets.ledger
    assert ledger.posted("revenue:0.1900") == ledger.posted("vat:0.1900") == 0
    with pytest.raises(RejectedError, match="at most 0 pieces"):
        shop.hub.command(
            c.RefundVisit(
                refund_id="r9", visit_id=visit_id, lines=(c.RefundLine(line=1, quantity=1),)
            ),
            30.0,
        )
    assert findings(shop.hub.export_json()) == {}


def test_a_promotion_is_added_once_and_the_same_id_means_the_same(shop: Any) -> None:
    shop.hub.command(percent(), 1.0)
    assert shop.hub.command(percent(), 2.0).repeated
    digest = shop.hub.digest()
    with pytest.raises(ConflictError, match="other content"):
        shop.hub.command(percent(share=2_000), 2.0)
    with pytest.raises(RejectedError, match="GTIN of this store"):
        shop.hub.command(percent("other", gtin="2000000011011"), 2.0)
    with pytest.raises(RejectedError, match="a promotion of this store"):
        shop.hub.command(c.EndPromotion(promotion_id="none"), 2.0)
    assert shop.hub.digest() == digest
    assert not shop.hub.command(c.EndPromotion(promotion_id="ten"), 3.0).repeated
    assert shop.hub.command(c.EndPromotion(promotion_id="ten"), 4.0).repeated
    with pytest.raises(ConflictError, match=r"is there until 3\.0, and not until None"):
        shop.hub.command(percent(), 5.0)
    shop.hub.core.state.hold_level(10)
    assert shop.hub.command(percent(), 6.0).repeated


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"offer": "percent", "gtins": (COLA,)}, "percent_bp above 0"),
        ({"offer": "amount", "gtins": (COLA,), "percent_bp": 5, "amount_minor": 5}, "percent_bp"),
        ({"offer": "n_for_m", "gtins": (COLA,), "take": 2, "pay": 2}, "1 <= pay < take"),
        ({"offer": "bundle", "gtins": (COLA,), "price_minor": 5}, "items for a bundle"),
        ({"offer": "bundle", "items": ((COLA, 1),), "price_minor": 5}, "at least two pieces"),
        (
            {"offer": "amount", "gtins": (COLA,), "amount_minor": 5, "from_s": 9, "until_s": 3},
            "until_s after",
        ),
        ({"offer": "percent", "gtins": (COLA, COLA), "percent_bp": 5}, "each product once"),
    ],
)
def test_a_promotion_that_makes_no_sense_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        c.AddPromotion(promotion_id="x", name="x", **values)


# ---------------------------------------------------------------------------- age


def test_without_an_id_age_restricted_goods_are_handed_back(shop: Any, day: Any) -> None:
    visit_id = shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(COLA, True), (BEER, True)])
    shop.play(day.script, 4.0)
    state = shop.hub.core.state
    phone = mirror_view(shop.hub, visit_id)
    assert phone["total_minor"] == 269
    assert [(n["kind"], n["name"], n["age_min"]) for n in phone["notices"]] == [("id", "Beer", 18)]
    assert exit_notice(state, state.visits[visit_id]) == "please show ID"
    shop.play([row for row in day.script if row[0] > 4.0], 20.0)
    assert [x["gtin"] for x in receipt(shop, visit_id)["lines"]] == [COLA]
    visit = visit_row(shop, visit_id)
    assert visit["needs_review"]
    assert visit["review_reasons"] == ["hand back 1 × Beer: it needs an ID that nobody saw"]
    assert exit_notice(state, state.visits[visit_id]) == "please hand back 1 × Beer"
    assert [row["lines"][0][:3] for row in data_of(shop, "visit.withheld")] == [[BEER, 1, "age"]]
    assert findings(shop.hub.export_json()) == {}
    same_after_replay(shop)


def test_an_id_that_was_seen_sells_them_and_nothing_of_it_is_kept(shop: Any, day: Any) -> None:
    visit_id = shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(BEER, True)])
    shop.play(day.script, 3.0)
    confirm = c.ConfirmAge(visit_id=visit_id, approve=True, role="clerk")
    shop.hub.command(confirm, 3.0)
    assert shop.hub.command(confirm, 3.0).repeated
    assert mirror_view(shop.hub, visit_id)["notices"] == []
    shop.play([row for row in day.script if row[0] > 3.0], 20.0)
    assert [x["gtin"] for x in receipt(shop, visit_id)["lines"]] == [BEER]
    assert not visit_row(shop, visit_id)["needs_review"]
    assert data_of(shop, "age.confirmed") == [{"approved": True, "role": "clerk"}]
    with pytest.raises(RejectedError, match="not settled yet"):
        shop.hub.command(c.ConfirmAge(visit_id=visit_id, approve=False), 21.0)
    with pytest.raises(UnknownVisitError):
        shop.hub.command(c.ConfirmAge(visit_id="v-none", approve=False), 21.0)


def test_an_id_that_says_no_counts_at_once(shop: Any, day: Any) -> None:
    visit_id = shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(BEER, True)])
    shop.play(day.script, 3.0)
    shop.hub.command(c.ConfirmAge(visit_id=visit_id, approve=False), 3.0)
    phone = mirror_view(shop.hub, visit_id)
    assert (phone["total_minor"], phone["notices"][0]["kind"]) == (0, "hand_back")


def test_a_setting_may_sell_without_an_id_and_then_somebody_looks(shop: Any, day: Any) -> None:
    shop.hub.command(c.SetGoodsPolicy(unproven_age="sell"), 0.1)
    assert shop.hub.command(c.SetGoodsPolicy(unproven_age="sell"), 0.2).repeated
    visit_id = walk(shop, day, [BEER])
    assert receipt(shop, visit_id)["total_minor"] == 150
    assert visit_row(shop, visit_id)["review_reasons"] == ["sold without an ID having been seen"]


def test_a_limit_set_at_runtime_tells_who_holds_the_product(shop: Any, day: Any) -> None:
    visit_id = shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(COLA, True)])
    shop.play(day.script, 3.0)
    shop.hub.command(c.SetAgeLimit(gtin=COLA, age_min=16), 3.0)
    assert data_of(shop, "cart.needs_id") == [{"gtin": COLA, "age_min": 16}]
    assert mirror_view(shop.hub, visit_id)["notices"][0]["kind"] == "id"
    shop.hub.command(c.SetAgeLimit(gtin=COLA, age_min=None), 3.0)
    assert mirror_view(shop.hub, visit_id)["notices"] == []


# ---------------------------------------------------------------------------- closed


def test_a_closed_product_is_not_charged_and_must_be_handed_back(shop: Any, day: Any) -> None:
    shop.hub.command(c.CloseProduct(gtin=COLA, reason="broken seals"), 0.5)
    visit_id = shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(COLA, True), (BREAD, True)])
    shop.play(day.script, 4.0)
    assert data_of(shop, "cart.not_for_sale") == [{"gtin": COLA, "why": "closed"}]
    notice = mirror_view(shop.hub, visit_id)["notices"][0]
    assert (notice["kind"], notice["reason"]) == ("closed", "broken seals")
    shop.play([row for row in day.script if row[0] > 4.0], 20.0)
    assert [x["gtin"] for x in receipt(shop, visit_id)["lines"]] == [BREAD]
    assert visit_row(shop, visit_id)["review_reasons"] == ["hand back 1 × Cola: it is not for sale"]
    assert findings(shop.hub.export_json()) == {}


def test_what_was_for_sale_at_the_pick_is_sold(shop: Any, day: Any) -> None:
    visit_id = shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(COLA, True)])
    shop.play(day.script, 3.0)
    close = c.CloseProduct(gtin=COLA, reason="counted")
    shop.hub.command(close, 3.0)
    assert shop.hub.command(close, 3.1).repeated
    shop.play([row for row in day.script if row[0] > 3.0], 20.0)
    assert receipt(shop, visit_id)["total_minor"] == 119
    shop.hub.command(c.ReopenProduct(gtin=COLA), 20.5)
    assert shop.hub.command(c.ReopenProduct(gtin=COLA), 20.6).repeated


def test_outside_its_hours_a_product_is_not_sold(shop: Any, day: Any) -> None:
    noon = ({"begin": "12:00", "end": "13:00"},)
    command = c.SetSaleHours.model_validate({"gtin": COLA, "hours": noon})
    shop.hub.command(command, 0.5)
    assert shop.hub.command(command, 0.6).repeated
    visit_id = walk(shop, day, [COLA])
    assert receipt(shop, visit_id)["lines"] == []
    assert data_of(shop, "visit.withheld")[0]["lines"][0][2] == "hours"


# ---------------------------------------------------------------------------- recalled


def test_a_recall_reaches_carts_shelves_and_receipts(shop: Any, day: Any) -> None:
    before = walk(shop, day, [COLA])
    holds = shop.open_visit("code-two")
    day.shop(21.0, "t2", "code-two", [(COLA, True), (BREAD, True)])
    shop.play([row for row in day.script if row[0] > shop.now_s], 24.0)
    recall = c.RecallProduct(
        recall_id="r1", gtin=COLA, batch="L-2041", reason="glass in it", days=30
    )
    shop.hub.command(recall, 24.0)
    assert shop.hub.command(recall, 24.1).repeated
    with pytest.raises(ConflictError):
        shop.hub.command(recall.model_copy(update={"batch": "L-9"}), 24.1)
    assert data_of(shop, "product.recalled")[0]["slots"] == ["s1"]
    notice = mirror_view(shop.hub, holds)["notices"][0]
    assert (notice["kind"], notice["reason"], notice["batch"]) == (
        "recalled", "glass in it", "L-2041",
    )  # fmt: skip
    shop.play([row for row in day.script if row[0] > 24.0], 45.0)
    assert [x["gtin"] for x in receipt(shop, holds)["lines"]] == [BREAD]
    bought = mirror_view(shop.hub, before)["notices"]
    assert [(n["kind"], n["reason"]) for n in bought] == [("recalled_bought", "glass in it")]
    assert findings(shop.hub.export_json()) == {}
    shop.hub.command(c.LiftRecall(recall_id="r1"), 46.0)
    assert shop.hub.command(c.LiftRecall(recall_id="r1"), 46.0).repeated
    after = walk(shop, day, [COLA], start_s=47.0, name="three")
    assert receipt(shop, after)["total_minor"] == 119
    assert mirror_view(shop.hub, after)["notices"] == []
    assert findings(shop.hub.export_json()) == {}
    same_after_replay(shop)


# ---------------------------------------------------------------------------- the auditor


@pytest.mark.parametrize(
    ("check", "spoil"),
    [
        ("receipts add up", lambda e: e["receipts"][0]["lines"][0].update(discount_minor=23)),
        ("receipts add up", lambda e: e["receipts"][0]["lines"][0].update(vat_minor=38)),
        (
            "discounts were promised",
            lambda e: e["receipts"][0]["lines"][0].update(promotions=["other"]),
        ),
        (
            "discounts were promised",
            lambda e: e["receipts"][0]["lines"][0].update(discount_minor=200, total_minor=38),
        ),
        ("charges match receipts", lambda e: e["receipts"][0]["lines"][0].update(quantity=1)),
        (
            "charges match receipts",
            lambda e: e["transactions"][1]["entries"][-1].__setitem__(1, -1),
        ),
        (
            "refunds are exact",
            lambda e: [
                x["data"].update(amount_minor=1)
                for x in e["events"]
                if x["kind"] == "visit.corrected"
            ],
        ),
        (
            "forbidden goods are not charged",
            lambda e: e["events"].insert(
                0,
                {
                    "number": 0, "at_us": 0, "kind": "product.recalled", "visit_id": None,
                    "previous_hash": "", "hash": "", "data": {"gtin": COLA, "recall_id": "r"},
                },
            ),
        ),
        (
            "counts agree",
            lambda e: e["events"].append(
                {
                    "number": 999, "at_us": 0, "kind": "stock.counted", "visit_id": None,
                    "previous_hash": "", "hash": "",
                    "data": {"slot_id": "s1", "counted": 2, "difference": 5},
                }
            ),
        ),
        ("stock is conserved", lambda e: e["products"][0].update(found=1)),
    ],
)  # fmt: skip
def test_every_check_of_goods_can_fail(
    shop: Any, day: Any, check: str, spoil: Callable[[dict[str, Any]], object]
) -> None:
    shop.hub.command(percent(), 0.5)
    visit_id = walk(shop, day, [COLA, COLA])
    lines = (c.RefundLine(line=1, quantity=1),)
    shop.hub.command(c.RefundVisit(refund_id="r", visit_id=visit_id, lines=lines), 21.0)
    export = shop.hub.export_json()
    assert findings(export) == {}
    spoil(export)
    assert check in findings(export)


def test_exports_of_before_promotions_are_in_order(shop: Any, day: Any) -> None:
    walk(shop, day, [COLA, BREAD])
    export = shop.hub.export_json()
    for row in export["receipts"]:
        for line in row["lines"]:
            del line["discount_minor"], line["promotions"]
    for row in export["products"]:
        del row["found"], row["removed"]
    assert findings(export) == {}
