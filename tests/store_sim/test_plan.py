"""Coverage is geometry that can be checked by hand; every finding can be had and names a fix."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from store_sim.plan import check_store, html_page, write_png
from store_sim.plan.coverage import HEAD_M, Eye, board_coverage, floor_coverage
from store_sim.plan.draw import draw_bay, draw_floor
from store_sim.plan.svg import svg
from tests.store_sim.stores_kit import NEW, Document, changed, shipped


def test_px_per_cm_is_focal_length_over_distance() -> None:
    store = shipped("demo")
    board = board_coverage(store)[0]
    camera = next(c for c in store.cameras if c.camera_id == "cam-a")
    x, y, z = camera.pose.position_m
    ahead = np.array(camera.pose.look_at_m) - np.array(camera.pose.position_m)
    ahead /= np.linalg.norm(ahead)
    point = np.array([1.1, 4.05, 0.35 + 0.5 * 0.33 / 13])
    depth = float((point - np.array([x, y, z])) @ ahead)
    assert board.px_cm[0, 20] == pytest.approx(0.01 * 800.0 / depth, rel=2e-3)
    assert board.px_cm.shape == (13, 40)


def test_a_ceiling_camera_covers_its_picture_at_head_height() -> None:
    def lone(document: Document) -> None:
        document["cameras"] = [c for c in document["cameras"] if c["camera_id"] == "ceil-1"]

    store = changed(lone)
    found = floor_coverage(store)
    far = 3.5 - HEAD_M
    x = (np.arange(found.seen.shape[1]) + 0.5) * found.step_m
    y = (np.arange(found.seen.shape[0]) + 0.5) * found.step_m
    across = np.abs(x - 1.5) <= 320 / 270 * far - 0.01
    along = np.abs(y - 1.3) <= 180 / 270 * far - 0.01
    surely = along[:, None] & across[None]
    assert (found.seen[surely] == 1).all()
    beyond = (np.abs(y - 1.3) > 180 / 270 * far + 0.01)[:, None] | (
        np.abs(x - 1.5) > 320 / 270 * far + 0.01
    )[None]
    assert (found.seen[beyond] <= 0).all()
    assert 0.2 < found.share(1) < 0.5
    assert found.share(2) == 0.0
    outline = Eye(store.cameras[0]).outline(HEAD_M)
    assert float(np.ptp(outline[:, 0])) == pytest.approx(640 / 270 * far, rel=1e-6)
    spots = found.blind_spots()
    assert spots[0][2] > 5.0
    assert sum(area for *_, area in spots) == pytest.approx(
        0.01 * int((found.seen == 0).sum()), abs=0.1
    )


def test_a_bay_hides_who_stands_behind_it() -> None:
    def island(document: Document) -> None:
        document["cameras"] = [c for c in document["cameras"] if c["camera_id"] == "ceil-1"]
        document["bays"][0]["origin_m"] = [1.0, 2.0]

    def high(document: Document) -> None:
        island(document)
        document["bays"][0]["height_m"] = 3.2

    low, tall = floor_coverage(changed(island)), floor_coverage(changed(high))
    assert tall.share(1) < low.share(1)


def test_the_front_is_not_seen_from_behind() -> None:
    def behind(document: Document) -> None:
        document["bays"][0]["origin_m"] = [0.6, 3.0]
        pose = document["cameras"][0]["pose"]
        pose["position_m"], pose["look_at_m"] = [1.1, 3.6, 2.7], [1.1, 3.2, 0.0]

    store = changed(behind)
    assert max(board.px_cm.max() for board in board_coverage(store)[:4]) == 0.0
    assert "shelf-blind" in {each.code for each in check_store(store).warnings}


def test_a_seam_between_pictures_is_found_where_it_is() -> None:
    """Rows 2.1 m apart see heads at 1.62 m everywhere, and cut those of tall people between."""
    (seam,) = (each for each in check_store(shipped("demo")).warnings if each.code == "floor-seam")
    assert "(3.0, 2.4)" in seam.message
    whole = floor_coverage(shipped("demo"), 1.85, 0.12)
    assert floor_coverage(shipped("demo"), 1.62).seen[23, 30] >= 1
    assert whole.seen[23, 30] == 0

    def nearer(document: Document) -> None:
        for camera in document["cameras"][5:]:
            pose = camera["pose"]
            pose["position_m"][1] = pose["look_at_m"][1] = 3.1

    assert "floor-seam" not in {each.code for each in check_store(changed(nearer)).warnings}


# ---------------------------------------------------------------- findings


def _set(path: str, value: object) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        *way, last = path.split(".")
        at: object = document
        for part in way:
            at = at[int(part)] if isinstance(at, list) else at[part]  # type: ignore[index]
        assert isinstance(at, dict)
        at[last] = value

    return change


def _unwatched(document: Document) -> None:
    document["cameras"] = [c for c in document["cameras"] if c["camera_id"] != "cam-a"]
    document["plates"] = [p for p in document["plates"] if p["board_id"] != "bay-a-1"]


ERRORS = {
    "bay-outside": _set("bays.0.origin_m", [-0.3, 4.05]),
    "bays-overlap": _set("bays.0.origin_m", [2.0, 4.0]),
    "bay-height": _set("bays.0.height_m", 3.9),
    "board-height": _set("bays.0.height_m", 1.2),
    "plate-outside": _set("plates.3.u1_m", 1.1),
    "plates-overlap": _set("plates.1.u0_m", 0.2),
    "slots-overlap": _set("slots.1.u0_m", 0.4),
    "too-wide": _set("slots.0.facings", 7),
    "too-deep": _set("slots.0.deep", 6),
    "too-tall": _set("products.0.packaging", {
        "shape": "bottle", "width_m": 0.085, "depth_m": 0.085, "height_m": 0.4,
        "base_rgb": [1, 2, 3], "accent_rgb": [4, 5, 6],
    }),
    "camera-outside": _set("cameras.3.pose.position_m", [1.5, 1.3, 4.5]),
    "camera-inside": _set("cameras.0.pose.position_m", [1.1, 4.3, 1.9]),
    "shelf-camera-aside": _set("cameras.0.pose.look_at_m", [1.1, 0.5, 1.0]),
    "ceiling-camera-aside": _set("cameras.3.pose.look_at_m", [1.4, 1.3, 9.0]),
    "gate-blocked": _set("bays.0.origin_m", [0.6, 1.2]),
    "gate-zone": _set("gates.0.zone_m", [[0, -3], [1, -3], [1, -2]]),
    "unreachable": _set("bays.0.facing_deg", 90.0),
    "unwatched": _unwatched,
}  # fmt: skip

WARNINGS = {
    "tight": _set("slots.0.u1_m", 0.345),
    "no-lift": _set("bays.0.boards", [
        {"board_id": "bay-a-1", "z_m": 0.35, "clearance_m": 0.29},
        {"board_id": "bay-a-2", "z_m": 0.7, "clearance_m": 0.33},
        {"board_id": "bay-a-3", "z_m": 1.05, "clearance_m": 0.33},
        {"board_id": "bay-a-4", "z_m": 1.4, "clearance_m": 0.45},
    ]),
    "clearance": _set("bays.0.boards", [
        {"board_id": "bay-a-1", "z_m": 0.35, "clearance_m": 0.5},
        {"board_id": "bay-a-2", "z_m": 0.7, "clearance_m": 0.33},
        {"board_id": "bay-a-3", "z_m": 1.05, "clearance_m": 0.33},
        {"board_id": "bay-a-4", "z_m": 1.4, "clearance_m": 0.45},
    ]),
    "plate-gap": _set("plates.1.u0_m", 0.3),
    "shelf-coarse": _set("cameras.0.intrinsics", {
        "width": 960, "height": 540, "fx": 500.0, "fy": 500.0, "cx": 479.5, "cy": 269.5,
    }),
    "narrow": _set("bays.1.origin_m", [2.5, 0.3 + 0.4]),
    "camera-low": _set("cameras.3.pose.position_m", [1.5, 1.3, 2.4]),
    "floor-blind": _set("cameras.3.intrinsics", {
        "width": 640, "height": 360, "fx": 700.0, "fy": 700.0, "cx": 319.5, "cy": 179.5,
    }),
    "gate-inland": _set("gates.0.line_m", [[0.5, 1.4], [1.5, 1.4]]),
    "gate-narrow": _set("gates.0.line_m", [[0.5, 0.0], [1.1, 0.0]]),
    "equal-weight": _set("name", "unchanged"),
}  # fmt: skip


@pytest.mark.parametrize("code", sorted(ERRORS))
def test_each_error_is_found_with_its_fix(code: str) -> None:
    assert code not in {each.code for each in check_store(shipped("demo")).errors}
    found = [each for each in check_store(changed(ERRORS[code])).errors if each.code == code]
    assert found, code
    assert all(each.where and each.message and each.fix for each in found)


@pytest.mark.parametrize("code", sorted(WARNINGS))
def test_each_warning_is_found_with_its_fix(code: str) -> None:
    found = [each for each in check_store(changed(WARNINGS[code])).warnings if each.code == code]
    assert found, code
    assert all(each.where and each.message and each.fix for each in found)


def test_bare_plates_are_told_board_by_board() -> None:
    def bare(document: Document) -> None:
        document["plates"] = [p for p in document["plates"] if p["board_id"] != "bay-b-2"]

    check = check_store(changed(bare))
    assert [each.where for each in check.warnings if each.code == "no-plates"] == ["bay-b-2"]


# ---------------------------------------------------------------- drawings


@pytest.mark.parametrize("name", ["demo", *NEW])
def test_drawings_show_everything_and_are_well_formed(name: str, tmp_path: Path) -> None:
    check = check_store(shipped(name))
    store = check.store
    plan = draw_floor(check)
    titles = {shape.title for shape in plan.shapes}
    for camera in store.cameras:
        assert any(title.startswith(f"{camera.camera_id}: ") for title in titles)
    texts = {shape.text for shape in plan.shapes}
    assert {bay.bay_id for bay in store.bays} <= texts
    plates = 0
    for number, bay in enumerate(store.bays):
        drawing = draw_bay(check, bay)
        plates += sum(shape.role == "plate" for shape in drawing.shapes)
        root = ET.fromstring(svg(drawing, key=f"b{number}"))
        assert root.attrib["role"] == "img"
        assert root.find("title") is not None
        assert root.find("desc") is not None
    assert plates == len(store.plates)
    page = html_page(check)
    assert "prefers-color-scheme: dark" in page
    assert not re.search(r"(src|href)=|https?:", page), "nothing is loaded from elsewhere"
    used = set(re.findall(r'<(?:polygon|line|text) class="([a-z0-9-]+)"', page))
    styled = set(re.findall(r"\.([a-z0-9-]+)", page.split("</style>")[0]))
    assert used <= styled
    ids = re.findall(r'id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    picture = tmp_path / "plan.png"
    write_png(check, picture)
    with Image.open(picture) as opened:
        assert opened.size[0] == 1600
        assert opened.size[1] > 900
        colours = opened.convert("RGB").getcolors(1 << 24)
    assert colours is not None
    assert len(colours) > 50
    assert math.isclose(sum(count for count, _ in colours), 1600 * opened.size[1])
