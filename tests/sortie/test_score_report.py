"""The report of a scoring: what is wrong with a receipt, and what the page shows of it."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from contracts.store_file import load_store_file
from edge.core import NodeCore
from sortie.day import DayPlan, demo_store_path, simulate_day
from sortie.scoring import failures, illustrate
from sortie.scoring.cards import Spot, cards_of
from sortie.scoring.charts import curves, score_strip
from sortie.scoring.findings import Finding, findings_of, reaches_near
from sortie.scoring.page import render_page
from sortie.scoring.pictures import PictureTask, draw
from sortie.scoring.plan import Request, Run
from sortie.scoring.results import Results
from sortie.scoring.runner import Scored, score
from sortie.scoring.summary import document_of
from sortie.scoring.words import alternatives, decided, happened, published
from tests.sortie.score_kit import without_vision

COLA, WATER = "1111", "2222"
NAMES = {COLA: "Cola", WATER: "Water <still>"}
PIXEL = base64.b64encode(b"no picture, but as long as a small one").decode()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("SORTIE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


# ---------------------------------------------------------------- what is wrong


def act(t_s: float, kind: str, gtin: str, bay: str = "bay-a") -> dict[str, Any]:
    """A line of the truth."""
    return {
        "t_s": t_s, "kind": kind, "gtin": gtin, "bay_id": bay, "slot_id": f"{bay}-1-l",
        "board_id": f"{bay}-1", "u_m": 0.3, "hand": "r", "item_index": 1,
    }  # fmt: skip


class Day:
    """A day of two shoppers put together by hand: what they did, and what the hub decided."""

    def __init__(self, *truths: list[dict[str, Any]]) -> None:
        self.trace: dict[str, Any] = {
            "visits": {
                f"v{number}": {"shopper": number, "wallet": str(number), "opened_s": 0.0}
                for number in range(len(truths))
            },
            "truth": [
                {"shopper": number, "actions": actions} for number, actions in enumerate(truths)
            ],
            "hands": [],
            "reaches": [],
            "decisions": [],
            "news": [],
        }
        self.document: dict[str, Any] = {"visits": []}

    def decide(
        self, t_s: float, visit: str | None, gtin: str, quantity: int = 1, **more: Any
    ) -> None:
        """A reach and the hub's last word on it."""
        reach_id = f"r{len(self.trace['reaches'])}"
        self.trace["reaches"].append(
            {
                "node": "node-shelf", "reach_id": reach_id, "bay_id": more.pop("bay", "bay-a"),
                "t_open_s": t_s - 0.5, "t_close_s": t_s + 0.5, "u_m": 0.3, "z_m": None,
                "camera_ok": True, "plates_ok": True, "hands": [], "changes": [], "grams": [],
            }
        )  # fmt: skip
        self.trace["decisions"].append(
            {
                "kind": "decision.made", "at_s": t_s + 1, "t_s": t_s, "reach_id": reach_id,
                "line": 0, "revision": 0, "gtin": gtin, "quantity": quantity, "slot_id": None,
                "to_visit": visit, "probability": "0.990000", "certain": True,
                "why": "plates -330 g", "alternatives": [], **more,
            }
        )  # fmt: skip

    def row(
        self, shopper: int, truth: dict[str, int], charged: dict[str, int], **more: Any
    ) -> dict[str, Any]:
        """A row of the day's document."""
        row = {
            "shopper": f"shopper-{shopper}",
            "visit_id": f"v{shopper}",
            "truth": [{"gtin": gtin, "quantity": count} for gtin, count in truth.items()],
            "receipt": [{"gtin": gtin, "quantity": count} for gtin, count in charged.items()],
            "members": [],
            **more,
        }
        self.document["visits"].append(row)
        return row

    def findings(self, row: dict[str, Any]) -> list[Finding]:
        """What is wrong with one of the rows."""
        return findings_of(row, self.document, self.trace)


def test_the_taking_that_nobody_charged_is_the_one_missed() -> None:
    day = Day([act(10.0, "take", COLA), act(20.0, "take", COLA)])
    day.decide(10.3, "v0", COLA)
    (finding,) = day.findings(day.row(0, {COLA: 2}, {COLA: 1}))
    assert (finding.kind, finding.gtin, finding.t_s) == ("missed", COLA, 20.0)
    assert happened(finding, NAMES) == "Cola was not charged"


def test_a_put_back_that_nobody_saw_is_what_is_extra() -> None:
    day = Day([act(10.0, "take", COLA), act(15.0, "put_back", COLA)])
    day.decide(10.3, "v0", COLA)
    (finding,) = day.findings(day.row(0, {}, {COLA: 1}))
    assert (finding.kind, finding.t_s) == ("extra", 15.0)
    assert happened(finding, NAMES) == "Cola was charged, but it was put back"


def test_a_false_put_back_is_what_is_missed() -> None:
    day = Day([act(10.0, "take", COLA)])
    day.decide(10.3, "v0", COLA)
    day.decide(30.0, "v0", COLA, -1)
    (finding,) = day.findings(day.row(0, {COLA: 1}, {}))
    assert (finding.kind, finding.act, finding.t_s) == ("missed", None, 30.0)


def test_one_product_for_another_is_one_finding() -> None:
    day = Day([act(10.0, "take", COLA)])
    day.decide(10.4, "v0", WATER)
    (finding,) = day.findings(day.row(0, {COLA: 1}, {WATER: 1}))
    assert (finding.kind, finding.gtin, finding.instead) == ("wrong product", WATER, COLA)
    assert finding.t_s == 10.0
    assert happened(finding, NAMES) == "Water <still> was charged instead of Cola"


def test_two_products_at_different_bays_are_two_findings() -> None:
    day = Day([act(10.0, "take", COLA)])
    day.decide(10.4, "v0", WATER, bay="bay-b")
    kinds = {finding.kind for finding in day.findings(day.row(0, {COLA: 1}, {WATER: 1}))}
    assert kinds == {"missed", "extra"}


def test_the_wrong_person_is_named_on_both_receipts() -> None:
    day = Day([act(10.0, "take", COLA)], [])
    day.decide(10.4, "v1", COLA)
    owed, charged = day.row(0, {COLA: 1}, {}), day.row(1, {}, {COLA: 1})
    (missed,), (extra,) = day.findings(owed), day.findings(charged)
    assert (missed.kind, missed.other) == ("wrong person", "shopper-1")
    assert (extra.kind, extra.other, extra.t_s) == ("wrong person", "shopper-0", 10.0)
    assert happened(missed, NAMES) == "Cola was charged to shopper-1"
    assert happened(extra, NAMES) == "Cola was charged here, shopper-0 took it"


def test_what_a_member_of_the_group_took_is_looked_for_at_the_member() -> None:
    day = Day([act(10.0, "take", COLA)], [act(12.0, "take", WATER)])
    day.decide(10.2, "v0", COLA)
    row = day.row(0, {COLA: 1, WATER: 1}, {COLA: 1}, members=[1])
    (finding,) = day.findings(row)
    assert finding.act is not None
    assert (finding.kind, finding.act.shopper) == ("missed", 1)


def test_nothing_is_wrong_with_an_exact_receipt_and_something_with_one_nobody_explains() -> None:
    day = Day([])
    assert day.findings(day.row(0, {COLA: 1}, {COLA: 1})) == []
    (finding,) = day.findings(day.row(0, {}, {COLA: 1}))
    assert (finding.kind, finding.t_s, finding.bay_id) == ("extra", None, None)


def test_reaches_of_the_bay_around_the_moment_are_shown_the_telling_ones_first() -> None:
    day = Day([])
    for t_s in (5.0, 10.0, 10.2, 14.0):
        day.decide(t_s, None, COLA)
    day.decide(10.0, None, COLA, bay="bay-b")
    day.trace["reaches"][2]["grams"] = [{"plate_id": "p"}]
    near = [reach["reach_id"] for reach in reaches_near(day.trace, "bay-a", 10.0)]
    assert near == ["r2", "r1"]


# ---------------------------------------------------------------- in words


def test_beliefs_are_told_with_what_is_left_for_anything_else() -> None:
    day = Day([])
    day.decide(5.0, "v0", COLA)
    people = {"v0": "shopper-0"}
    (sure,) = day.trace["decisions"]
    told = alternatives([sure], people, NAMES)
    assert [label for label, _ in told] == ["shopper-0 took 1 × Cola", "anything else"]
    assert told[1][1] == pytest.approx(0.01)
    assert decided(sure, people, NAMES) == (
        "Charged: shopper-0 took 1 × Cola. Because: plates -330 g."
    )
    doubt = {
        **sure,
        "certain": False,
        "alternatives": [["v0", COLA, 1, "0.6"], [None, None, 0, "0.4"]],
    }
    assert alternatives([doubt], people, NAMES) == [
        ("shopper-0 took 1 × Cola", 0.6), ("nothing was taken", 0.4),
    ]  # fmt: skip
    assert decided(doubt, people, NAMES).startswith("Not charged, in doubt")


def test_what_was_published_is_told_as_shares() -> None:
    reach = {
        "hands": [
            {"t_in_s": 1.0, "t_out_s": 2.0, "u_m": 0.3, "z_m": 1.1, "held_in": 0.1, "held_out": 0.9}
        ],
        "changes": [
            {
                "board_id": "b", "u0_m": 0.2, "u1_m": 0.4, "pieces": [0.9, 0.1],
                "action": {"pick": 0.95, "put_back": 0.01, "nothing": 0.04},
                "products": [[COLA, 0.7], [None, 0.3]],
            }
        ],
        "grams": [{"plate_id": "p1", "delta_g": -331.2, "sd_g": 2.0, "t_end_s": 2.5}],
        "camera_ok": True, "plates_ok": False,
    }  # fmt: skip
    hand, change, grams, blind = published(reach, NAMES)
    assert "full going in 10%, coming out 90%" in hand
    assert "looks taken 95%" in change
    assert "product Cola 70%, something else 30%" in change
    assert "plate p1 -331 g" in grams
    assert blind == "no plates weighed the bay all through"


# ---------------------------------------------------------------- the page


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    """base-01 with plates (exact) and without any eyes for the shelf (nothing charged)."""
    folder = tmp_path_factory.mktemp("day")
    request = Request(demo_store_path(), ("base-01",), (3,), sensors=("camera", "plates"))
    with pytest.MonkeyPatch.context() as monkeypatch:
        without_vision(monkeypatch, folder)
        return score(request, results=Results(folder / "scores"))


@pytest.fixture
def results(cache: Path) -> Results:
    """Where pictures are kept."""
    return Results(cache / "scores")


def drawn_by_nobody(task: PictureTask) -> dict[Spot, dict[str, Any]]:
    """Pictures and curves of the right form that nobody drew."""
    return {
        spot: {
            "in_step": True,
            "frames": [
                {"camera_id": "cam-x", "role": "shelf", "when": when, "t_s": spot.t_s,
                 "mark": [0.5, 0.25], "webp": PIXEL}
                for when in ("before", "at", "after")
            ],
            "curves": [
                {"plate_id": "plate-x", "own": True,
                 "points": [[spot.t_s - 1, 0.0], [spot.t_s, -10.0], [spot.t_s + 1, -330.0]]}
            ],
        }
        for spot in task.spots
    }  # fmt: skip


def page_of(scored: Scored, results: Results) -> str:
    """The report."""
    store = load_store_file(demo_store_path())
    return render_page(scored, document_of(scored), store, jobs=1, results=results)


def test_the_page_explains_a_wrong_receipt(
    monkeypatch: pytest.MonkeyPatch, scored: Scored, results: Results
) -> None:
    monkeypatch.setattr(illustrate, "draw", drawn_by_nobody)
    (card,), more = cards_of(scored, load_store_file(demo_store_path()))
    assert more == 0
    assert [set(moment.findings) for moment in card.moments] == [{"camera"}] * 3
    page = page_of(scored, results)
    truth = scored.traces[Run("base-01", 3, "camera")]["truth"][0]["actions"]
    store = load_store_file(demo_store_path())
    for action in truth:
        name = store.product(action["gtin"]).name
        assert f"{name} was not charged" in page
        assert f"At {action['t_s']:.2f} s shopper-0 took {name} with the" in page
        assert f"slot {action['slot_id']}" in page
    assert "Published by" in page or "No node published a reach" in page
    assert page.count(f"data:image/webp;base64,{PIXEL}") == 9
    assert page.count('<svg class="curves"') == 3
    assert "left:50.0%;top:25.0%" in page
    assert "undercharged" in page
    assert "✓ exact" in page, "the plates' receipt stands beside it"
    assert "base-01" in page
    assert "0.000" in page


def test_the_page_needs_nothing_else(
    monkeypatch: pytest.MonkeyPatch, scored: Scored, results: Results
) -> None:
    monkeypatch.setattr(illustrate, "draw", drawn_by_nobody)
    page = page_of(scored, results)
    assert re.findall(r"(?:src|href)=[\"'](?!data:|#)[^\"']*", page) == []
    assert "url(" not in page
    assert "<script" not in page
    assert "@import" not in page
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page


def test_pictures_have_a_bound_and_the_page_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, scored: Scored, results: Results
) -> None:
    monkeypatch.setattr(illustrate, "draw", drawn_by_nobody)
    monkeypatch.setattr(failures, "IMAGE_BYTES_MAX", 3 * len(PIXEL))
    page = page_of(scored, results)
    assert page.count("data:image/webp") == 3
    assert "Left out of this report: Pictures of 2 moments" in page


def test_a_fault_in_drawing_costs_the_pictures_only(
    monkeypatch: pytest.MonkeyPatch, scored: Scored, results: Results
) -> None:

    def broken(task: PictureTask) -> dict[Spot, dict[str, Any]]:
        raise OSError("no <ink>")

    monkeypatch.setattr(illustrate, "draw", broken)
    page = page_of(scored, results)
    assert "No pictures: OSError: no &lt;ink&gt;" in page
    assert "was not charged" in page


def test_moments_are_drawn_case_by_case_and_kept(
    monkeypatch: pytest.MonkeyPatch, scored: Scored, results: Results
) -> None:
    tasks: list[PictureTask] = []

    def draw_some(task: PictureTask) -> dict[Spot, dict[str, Any]]:
        tasks.append(task)
        return drawn_by_nobody(task)

    monkeypatch.setattr(illustrate, "draw", draw_some)
    monkeypatch.setattr(illustrate, "SPOTS_MAX", 2)
    page = page_of(scored, results)
    assert [len(task.spots) for task in tasks] == [2]
    assert "there are more moments than are drawn" in page
    monkeypatch.setattr(illustrate, "SPOTS_MAX", 100)
    page_of(scored, results)
    page_of(scored, results)
    assert [len(task.spots) for task in tasks] == [2, 1], "what is drawn is kept"


def test_charts_say_in_words_what_they_show() -> None:
    row = {"f1": 0.8, "f1_interval": [0.6, 0.9], "items": 12}
    strip = score_strip({"both": row, "plates": row}, 0.67)
    assert 'aria-label="F1: both 0.800, plates 0.800, winner 0.67"' in strip
    assert strip.count('class="whisker"') == 2
    assert "95 % 0.600 to 0.900, n = 12" in strip
    assert "winner" not in score_strip({"both": row}, None)
    assert curves([], 5.0) == ""
    drawn = curves([{"plate_id": "<p>", "points": [[1.0, 0.0], [2.0, -500.0]]}], 1.5)
    assert "&lt;p&gt;" in drawn
    assert "<p>" not in drawn
    assert "-400 g" in drawn


# ---------------------------------------------------------------- with eyes


@pytest.fixture(scope="module")
def slow_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo store with two slow cameras: one above a shelf, one on the ceiling."""
    document = yaml.safe_load(demo_store_path().read_text(encoding="utf-8"))
    document["cameras"] = [document["cameras"][0], document["cameras"][3]]
    for camera in document["cameras"]:
        camera["fps"] = 2.0
    path = tmp_path_factory.mktemp("store") / "slow.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def test_a_moment_is_drawn_again_as_it_was(
    monkeypatch: pytest.MonkeyPatch, cache: Path, slow_store: Path
) -> None:
    without_vision(monkeypatch, cache)
    request = Request(slow_store, ("base-01",), (3,), sensors=("camera",))
    scored = score(request, results=Results(cache / "scores"))
    store = load_store_file(slow_store)
    (card,), _ = cards_of(scored, store)
    run = request.runs[0]
    trace = scored.traces[run]
    moment = next(one for one in card.moments if one.spot and one.spot.bay_id == "bay-a")
    assert moment.spot is not None
    opened_s = {0: trace["visits"][card.visit_id]["opened_s"]}
    task = PictureTask(request, run, (moment.spot,), opened_s, trace["truth"])
    drawn = draw(task)[moment.spot]
    assert drawn["in_step"]
    shelf, ceiling = (camera.camera_id for camera in store.cameras)
    assert [(frame["camera_id"], frame["when"]) for frame in drawn["frames"]] == [
        (camera, when) for camera in (shelf, ceiling) for when in ("before", "at", "after")
    ]
    pictures = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(frame["webp"])))).astype(int)
        for frame in drawn["frames"]
    ]
    assert np.abs(pictures[0] - pictures[2]).max() > 60, "somebody moves"
    x, y = drawn["frames"][0]["mark"]
    assert 0.0 < x < 1.0
    assert 0.0 < y < 1.0
    assert moment.first.act is not None
    product = store.product(moment.first.act.action["gtin"])
    assert drawn["curves"][0]["own"]
    gone_g = sum(plate["points"][-1][1] for plate in drawn["curves"])
    assert gone_g == pytest.approx(-product.weight_g, rel=0.1, abs=10.0)


def test_whom_the_hub_refused_is_refused_again(
    monkeypatch: pytest.MonkeyPatch, cache: Path, slow_store: Path
) -> None:
    without_vision(monkeypatch, cache)
    request = Request(slow_store, ("qr-screenshot",), (3,), sensors=("camera",))
    results = Results(cache / "scores")
    scored = score(request, results=results)
    cards, _ = cards_of(scored, load_store_file(slow_store))
    spot = next(one.spot for card in cards for one in card.moments if one.spot is not None)
    task = illustrate._job(scored, "qr-screenshot", 3, [(spot, "key")], results).task
    assert task.refused, "somebody shows another's code"
    assert draw(task)[spot]["in_step"]
    late = replace(task.spots[0], t_s=90.0)
    assert draw(replace(task, spots=(late,)))[late]["in_step"], "nobody who was sent away shops"
    other = draw(replace(task, spots=(late,), refused=()))[late]
    assert not other["in_step"], "a day on which all get in is another"


def test_a_day_seen_once_is_not_looked_at_again(
    monkeypatch: pytest.MonkeyPatch, slow_store: Path, cache: Path
) -> None:
    plan = DayPlan(slow_store, "base-01", 3, 1, "plates")
    first = simulate_day(plan)
    assert len(list((cache / "vision").glob("*.pickle.gz"))) == 1

    def blind(*_: Any) -> None:
        raise AssertionError("a frame was looked at again")

    monkeypatch.setattr(NodeCore, "perceive", blind)
    assert simulate_day(plan)["visits"] == first["visits"]
    with pytest.raises(AssertionError, match="looked at again"):
        simulate_day(replace(plan, dials=("light.dim=0.5",)))
