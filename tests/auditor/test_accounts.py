"""Who owes what: groups, staff, tag-alongs, people turned away; truth of both schemas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from auditor.errors import UnreadableError
from auditor.read import TrueVisit, read_truth
from auditor.report import document, score_day, summary_of_days
from auditor.score import VisitScore, summarise

COLA, WATER, STONE = "4006381333931", "2000000011011", "9900000000001"
PRICES = {COLA: 150, WATER: 90}


def shopper(
    index: int, kept: dict[str, int], *, payer: int | str | None = "self", **more: Any
) -> TrueVisit:
    """Somebody who came in at 1 s and left at 6 s, with a phone, and pays for themselves."""
    said: dict[str, Any] = {
        "visit_id": f"v{index}", "entered_s": 1.0, "left_s": 6.0, "code": f"code-{index}", **more,
    }  # fmt: skip
    return TrueVisit(
        index,
        kept=kept,
        actions=len(kept),
        payer=index if payer == "self" else payer,  # type: ignore[arg-type]
        **said,
    )


def export(
    receipts: dict[str, dict[str, int]], *, wallets: dict[str, str] | None = None
) -> dict[str, Any]:
    """An export with these receipts, each issued at 9 s, on a wallet per visit if none is named."""
    return {
        "schema": 1,
        "currency": "EUR",
        "visits": [
            {
                "visit_id": visit_id,
                "payer": (wallets or {}).get(visit_id, f"wallet of {visit_id}"),
                "stage": "final",
                "needs_review": False,
                "exited_us": 6_000_000,
            }
            for visit_id in ("v0", "v1", "v2", "ghost")
        ],
        "receipts": [
            {
                "visit_id": visit_id,
                "issued_us": 9_000_000,
                "total_minor": sum(PRICES[gtin] * count for gtin, count in goods.items()),
                "charged_minor": sum(PRICES[gtin] * count for gtin, count in goods.items()),
                "debt_minor": 0,
                "lines": [
                    {
                        "line": number,
                        "gtin": gtin,
                        "quantity": count,
                        "unit_price_minor": PRICES[gtin],
                        "total_minor": PRICES[gtin] * count,
                        "vat_rate": "0.19",
                        "vat_minor": 0,
                        "reaches": [],
                    }
                    for number, (gtin, count) in enumerate(goods.items(), 1)
                ],
            }
            for visit_id, goods in receipts.items()
        ],
        "prices": [
            {"gtin": gtin, "from_us": 0, "price_minor": price} for gtin, price in PRICES.items()
        ],
        **{part: [] for part in ("events", "transactions", "holds", "products", "stock", "inbox")},
    }


def by_shopper(scores: list[VisitScore]) -> dict[str, VisitScore]:
    """Rows by name, each name once."""
    found = {score.shopper: score for score in scores}
    assert len(found) == len(scores)
    return found


def test_a_group_pays_through_one() -> None:
    truth = [
        shopper(0, {COLA: 1}, left_s=5.0),
        shopper(1, {WATER: 2, COLA: 1}, payer=0, left_s=7.5),
    ]
    scores = by_shopper(score_day(truth, export({"v0": {COLA: 2, WATER: 2}})))
    assert list(scores) == ["shopper-0"]
    payer = scores["shopper-0"]
    assert payer.exact
    assert payer.members == (1,)
    assert payer.time_to_receipt_s == 1.5, "counted from the last of the group"
    summary = summarise(list(scores.values()))
    assert (summary.visits, summary.items, summary.f1) == (1, 4, 1.0)


def test_a_member_charged_on_a_wallet_of_their_own_is_overcharged() -> None:
    truth = [shopper(0, {}), shopper(1, {WATER: 1}, payer=0)]
    scores = by_shopper(score_day(truth, export({"v0": {}, "v1": {WATER: 1}})))
    assert scores["shopper-0"].undercharged_minor == 90
    assert scores["shopper-1"].overcharged_minor == 90
    summary = summarise(list(scores.values()))
    assert (summary.visits, summary.exact_share) == (2, 0.0)
    assert summary.association_accuracy == 0.0


def test_receipts_made_out_to_the_payers_wallet_are_the_payers() -> None:
    truth = [shopper(0, {COLA: 1}), shopper(1, {WATER: 1}, payer=0)]
    day = export(
        {"v0": {COLA: 1}, "v1": {WATER: 1}}, wallets={"v0": "family", "v1": "family"}
    )  # fmt: skip
    scores = by_shopper(score_day(truth, day))
    assert list(scores) == ["shopper-0"]
    assert scores["shopper-0"].exact
    assert scores["shopper-0"].total_minor == 240


def test_two_visits_on_one_wallet_are_two_accounts() -> None:
    """Both come in by codes of their own and answer for themselves; the same wallet pays."""
    truth = [shopper(0, {COLA: 1}), shopper(1, {})]
    day = export({"v0": {COLA: 1}}, wallets={"v0": "friends", "v1": "friends"})
    scores = by_shopper(score_day(truth, day))
    assert scores["shopper-0"].exact
    assert scores["shopper-1"].exact
    swapped = by_shopper(score_day([shopper(0, {}), shopper(1, {COLA: 1})], day))
    assert swapped["shopper-0"].overcharged_minor == 150
    assert swapped["shopper-1"].undercharged_minor == 150


def test_what_staff_take_is_charged_to_nobody() -> None:
    truth = [
        shopper(0, {COLA: 1}),
        shopper(1, {WATER: 3}, payer=None, staff=True, code=None, visit_id=None),
    ]
    right = by_shopper(score_day(truth, export({"v0": {COLA: 1}})))
    assert right["shopper-1"].exact
    assert not right["shopper-1"].counted
    summary = summarise(list(right.values()))
    assert (summary.visits, summary.items, summary.f1, summary.exact_share) == (1, 1, 1.0, 1.0)
    wrong = by_shopper(score_day(truth, export({"v0": {COLA: 1, WATER: 1}})))
    assert wrong["shopper-0"].overcharged_minor == 90
    summary = summarise(list(wrong.values()))
    assert summary.precision == 0.5
    assert summary.recall == 1.0, "what nobody owes for cannot be missed"
    assert summary.association_accuracy == 0.5, "the right product of the wrong person"


def test_a_receipt_for_staff_is_a_visit_and_an_overcharge() -> None:
    truth = [shopper(1, {WATER: 1}, payer=None, staff=True)]
    (score,) = score_day(truth, export({"v1": {WATER: 1}}))
    assert score.counted
    assert (score.exact, score.overcharged_minor) == (False, 90)


def test_a_tag_along_is_no_visit_but_one_turned_away_is() -> None:
    truth = [
        shopper(0, {COLA: 1}),
        shopper(1, {COLA: 1}, payer=None, code=None, visit_id=None, entered_s=None),
        shopper(2, {}, payer=None, code="expired", visit_id="v2"),
    ]
    scores = by_shopper(score_day(truth, export({"v0": {COLA: 1}})))
    assert [score.counted for score in scores.values()] == [True, False, True]
    assert all(score.exact for score in scores.values())
    assert summarise(list(scores.values())).visits == 2


def test_who_never_got_in_and_showed_nothing_is_no_row() -> None:
    truth = [shopper(0, {}, entered_s=None, code=None)]
    assert score_day(truth, export({})) == []


def test_an_account_is_judged_when_its_payer_has_left() -> None:
    truth = [shopper(0, {COLA: 1}, left_s=None), shopper(1, {WATER: 1}, payer=0)]
    assert score_day(truth, export({"v0": {WATER: 1}})) == []


def test_a_receipt_nobody_earned_is_an_overcharge() -> None:
    (score,) = score_day([], export({"ghost": {COLA: 1}}))
    assert (score.shopper, score.overcharged_minor, score.counted) == ("nobody", 150, True)


def test_what_the_store_does_not_sell_is_owed_by_nobody() -> None:
    (score,) = score_day([shopper(0, {STONE: 1, COLA: 1})], export({"v0": {COLA: 1}}))
    assert score.exact


def test_days_put_together_keep_who_counts() -> None:
    truth = [shopper(0, {COLA: 1}), shopper(1, {COLA: 1}, payer=None, staff=True, visit_id=None)]
    day = export({"v0": {COLA: 2}})
    one = document(
        score_day(truth, day), day, sensors="both", seed=1, models={}, cpu_s=0.0, store_s=0.0
    )
    both = summary_of_days({"1": one, "2": one})
    assert (both["visits"], both["items"], both["association_accuracy"]) == (2, 2, 0.5)
    assert one["summary"]["association_accuracy"] == 0.5


def folder_of(folder: Path, *rows: dict[str, Any]) -> Path:
    """A truth folder with these lines."""
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "visits.jsonl").write_text(lines, encoding="utf-8")
    (folder / "phones.jsonl").write_text('{"shopper": 1, "visit_id": "v1"}\n', encoding="utf-8")
    return folder


PLAIN = {"shopper": 1, "entered_s": 1.0, "left_s": 6.0, "kept": {COLA: 1}, "actions": [{}]}


def test_truth_of_schema_1_means_everybody_pays_for_themselves(tmp_path: Path) -> None:
    (one,) = read_truth(folder_of(tmp_path, {"schema": 1, **PLAIN}))
    assert (one.payer, one.staff, one.code, one.actions) == (1, False, None, 1)


def test_truth_of_schema_2_names_payer_and_staff(tmp_path: Path) -> None:
    rows = (
        {"schema": 2, **PLAIN, "payer": 0, "staff": False, "code": "group"},
        {"schema": 2, **PLAIN, "shopper": 0, "payer": None, "staff": True, "code": None},
    )
    staff, member = read_truth(folder_of(tmp_path, *rows))
    assert (staff.payer, staff.staff, staff.visit_id) == (None, True, None)
    assert (member.payer, member.code, member.visit_id) == (0, "group", "v1")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"schema": 3, **PLAIN}, r"visits.jsonl:1: expected truth of schema 1 or 2, got 3"),
        ({"schema": 2, **PLAIN}, r"expected payer and staff; \['payer', 'staff'\] missing"),
        ({"schema": 2, **PLAIN, "payer": "me", "staff": False}, "expected a shopper's index"),
    ],
)
def test_truth_that_cannot_be_read_says_why(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    with pytest.raises(UnreadableError, match=said):
        read_truth(folder_of(tmp_path, row))
