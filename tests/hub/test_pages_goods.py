"""The stock page's view models: the hub's JSON in, what staff read out. The hub is a real one."""

from __future__ import annotations

import re
from typing import Any

from hub import commands as c
from hub.inventory.views import alerts, goods_view, stock_view
from hub.pages.goods import Goods, alert_key, buyers_html
from hub.pages.shown import refund_minor
from hub.views import mirror_view

COLA, BREAD = "4006381333931", "5901234123457"


def shown(shop: Any) -> Goods:
    """What the page would have asked this hub for."""
    state = shop.hub.core.state
    return Goods(stock_view(state), goods_view(state), alerts(state), "EUR")


def text(html: str) -> str:
    """What is to be read in HTML."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).strip()


def test_a_slot_has_a_bar_and_says_what_is_wrong(shop: Any) -> None:
    shop.hub.command(c.CountSlot(count_id="c1", slot_id="s1", gtin=COLA, counted=1), 1.0)
    shop.hub.command(c.CountSlot(count_id="c2", slot_id="s2", gtin=BREAD, counted=0), 1.0)
    cards = {key: html for key, html, _ in shown(shop).slot_cards()}
    assert text(cards["s1"]) == "Cola s1 low 1 / 6"
    assert 'style="width:17%"' in cards["s1"]
    assert "bar fill amber" in cards["s1"]
    assert text(cards["s2"]) == "Bread s2 empty 0 / 6"
    shop.hub.command(c.RecallProduct(recall_id="r", gtin=COLA, reason="glass"), 2.0)
    shop.hub.command(c.CloseProduct(gtin=BREAD, reason="mould"), 2.0)
    cards = {key: html for key, html, _ in shown(shop).slot_cards()}
    assert "called back" in text(cards["s1"])
    assert "closed" in text(cards["s2"])


def test_a_product_says_where_its_pieces_are(shop: Any) -> None:
    shop.hub.command(c.CountSlot(count_id="c1", slot_id="s1", gtin=COLA, counted=3), 1.0)
    shop.hub.command(c.FindPieces(find_id="f", gtin=COLA, quantity=1), 1.0)
    shop.hub.command(c.SetAgeLimit(gtin=COLA, age_min=16), 1.0)
    cards = {key: html for key, html, _ in shown(shop).product_cards()}
    assert text(cards[COLA]) == (
        "Cola from 16 €1.19 3 on shelves · 0 in carts · 0 sold · 2 missing · 1 found"
    )


def test_offers_say_what_they_are_and_whether_they_hold_now(shop: Any) -> None:
    shop.hub.command(
        c.AddPromotion.model_validate(
            {
                "promotion_id": "p", "offer": "percent", "name": "Happy <hour>", "gtins": [COLA],
                "percent_bp": 1000, "visit_max": 2, "hours": [{"begin": "17:00", "end": "19:00"}],
            }
        ),
        1.0,
    )  # fmt: skip
    key, html, _ = shown(shop).offer_cards()[0]
    assert key == "p"
    assert text(html) == (
        "Happy &lt;hour&gt; not now share off · Cola · 17:00 to 19:00 · at most 2 a visit"
    )
    shop.hub.command(c.EndPromotion(promotion_id="p"), 2.0)
    assert shown(shop).offer_cards() == []


def test_what_is_called_back_says_why_and_who_bought_it(shop: Any) -> None:
    recall = c.RecallProduct(recall_id="r", gtin=COLA, reason="glass", batch="L<1>", days=30)
    shop.hub.command(recall, 1.0)
    html = shown(shop).recall_cards()[0][1]
    assert text(html) == "Cola called back glass · batch L&lt;1&gt; · bought within 30 days"
    shop.hub.command(c.LiftRecall(recall_id="r"), 2.0)
    assert "sold again" in text(shown(shop).recall_cards()[0][1])
    row = {"visit_id": "v-1234abcd", "issued_us": 0, "quantity": 2}
    said = text(buyers_html({"receipts": [row], "count": 3}))
    assert said.startswith("3 receipts")
    assert "Shopper ABCD · 2 pieces" in said
    assert said.endswith("and 2 before that")


def test_restocking_finds_and_strays_are_told(shop: Any, day: Any) -> None:
    shop.hub.command(c.StartRestocking(session_id="r1"), 0.5)
    day.reach(1.0, "nobody", COLA, pick=False)
    shop.play(day.script, 3.0)
    for number, quantity in enumerate((2, 90)):
        shop.hub.command(
            c.MoveStock(
                session_id="r1", move_id=f"m{number}", slot_id="s1", gtin=COLA, quantity=quantity
            ),
            3.0,
        )
    shop.hub.command(c.FindPieces(find_id="f", gtin=BREAD, quantity=1, where="a chair"), 3.0)
    goods = shown(shop)
    assert text(goods.session_cards()[0][1]) == (
        "+2 × Cola in s1 +90 × Cola in s1 waits for a second look Cola in s1: 2 told, 1 seen"
    )
    assert text(goods.find_cards()[0][1]) == "1 × Bread a chair"
    assert text(goods.misplaced_html()) == "Everything is where it belongs."
    assert text(goods.alert_cards()[0][1]) == "Too many to be true? 90 × Cola for s1"
    shop.hub.command(c.ChangePlanogram(slot_id="s2", gtin=COLA, facings=2, deep=2), 60.0)
    shop.hub.command(c.CloseProduct(gtin=COLA, reason="x"), 130.0)
    misplaced = text(shown(shop).misplaced_html())
    assert misplaced == "6 × Bread in s2 belongs to no slot, for 1 min"


def test_every_alert_has_words_a_key_and_a_tone(shop: Any, day: Any) -> None:
    shop.hub.command(c.SetAgeLimit(gtin=BREAD, age_min=18), 0.1)
    visit_id = shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(COLA, True), (BREAD, True)])
    shop.play(day.script, 4.0)
    shop.hub.command(c.RecallProduct(recall_id="r", gtin=COLA, reason="glass"), 4.0)
    goods = shown(shop)
    who = f"Shopper {visit_id[-4:].upper()}"
    assert [text(html) for _, html, _ in goods.alert_cards()] == [
        f"{who} has 1 × Cola, which was called back",
        "Take off the shelf, it was called back: Cola in s1",
        "An ID must be seen: 1 × Bread, from 18 on",
    ]
    assert len({alert_key(row) for row in goods.alerts}) == 3
    assert [pressed for _, _, pressed in goods.alert_cards()] == [False, False, True]
    shop.play([row for row in day.script if row[0] > 4.0], 20.0)
    said = [text(html) for _, html, _ in shown(shop).alert_cards()]
    assert f"{who} must hand back 1 × Cola" in said
    assert f"{who} must hand back 1 × Bread" in said


def test_what_goes_back_is_reckoned_as_the_hub_does(shop: Any, day: Any) -> None:
    shop.hub.command(
        c.AddPromotion(
            promotion_id="three", offer="n_for_m", name="3 for 2", gtins=(COLA,), take=3, pay=2
        ),
        0.5,
    )
    visit_id = shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(COLA, True)] * 3)
    shop.play(day.script, 20.0)
    for number in range(3):
        expected = refund_minor(mirror_view(shop.hub, visit_id), {1: 1})
        command = c.RefundVisit(
            refund_id=f"r{number}", visit_id=visit_id, lines=(c.RefundLine(line=1, quantity=1),)
        )
        assert shop.hub.command(command, 21.0 + number).amount_minor == expected
