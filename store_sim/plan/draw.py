"""Drawings of a store in metres: the floor from above and each bay from the front.

A drawing is a list of shapes with roles; what a role looks like is decided where it is written
(page.py as SVG, png.py as pixels). y points up in drawings.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from contracts.geometry import Bay, Gate
from contracts.store_file import StoreFile
from contracts.wall import Wall, wall_to_world
from store_sim.plan.check import StoreCheck
from store_sim.plan.coverage import HEAD_M, Eye, Floats, from_bay

__all__ = [
    "FLOOR_SCALE",
    "FRONT_SCALE",
    "Drawing",
    "Rgb",
    "Shape",
    "draw_bay",
    "draw_floor",
]

Rgb = tuple[int, int, int]
Point = tuple[float, float]

FLOOR_SCALE = ("no camera", "1 camera", "2 cameras", "3 or more")
"""Classes of the floor's heat: floor-0 to floor-3."""
FRONT_BOUNDS = (1e-9, 3.5, 6.0, 9.0)
FRONT_SCALE = ("not seen", "under 3.5 px/cm", "3.5 to 6", "6 to 9", "9 and more")
"""Classes of the shelf fronts' heat: front-0 to front-4."""
MARGIN_M = 0.35
PLATE_M = 0.022


@dataclass(frozen=True, slots=True)
class Shape:
    """`role` is what it is; `points` a closed polygon, or two ends of a line, or where a text is.

    `title` is told to who points at it or listens to it. `rgb` overrides the role's colour.
    """

    kind: str
    role: str
    points: tuple[Point, ...]
    text: str = ""
    title: str = ""
    size_m: float = 0.0
    anchor: str = "middle"
    rgb: Rgb | None = None


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a drawing is called, what it shows in words, its box in metres, its shapes in order."""

    name: str
    words: str
    low: Point
    high: Point
    shapes: tuple[Shape, ...]


def _rect(role: str, x0: float, y0: float, x1: float, y1: float, title: str = "",
          rgb: Rgb | None = None) -> Shape:  # fmt: skip
    corners = ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
    return Shape("area", role, corners, title=title, rgb=rgb)


def _area(role: str, points: Floats, title: str = "") -> Shape:
    return Shape("area", role, tuple((float(x), float(y)) for x, y in points[:, :2]), title=title)


def _text(role: str, at: Point, text: str, size_m: float, anchor: str = "middle") -> Shape:
    return Shape("text", role, (at,), text=text, size_m=size_m, anchor=anchor)


def _runs(classes: list[int]) -> Iterator[tuple[int, int, int]]:
    """(class, first, past the last) of equal neighbours."""
    at = 0
    for value, group in groupby(classes):
        count = len(list(group))
        yield value, at, at + count
        at += count


def draw_floor(check: StoreCheck) -> Drawing:
    """The floor from above: coverage at head height, bays, plates, cameras, gates, zones."""
    store = check.store
    wide, deep = store.floor.width_m, store.floor.depth_m
    text_m = max(0.1, min(0.2, 0.024 * max(wide, deep)))
    shapes = [_rect("room", 0.0, 0.0, wide, deep, "sales floor")]
    step = check.floor.step_m
    for row, cells in enumerate(check.floor.seen.tolist()):
        for value, first, last in _runs([min(3, cell) for cell in cells]):
            if value >= 0:
                y1 = min(deep, (row + 1) * step)
                box = (first * step, row * step, min(wide, last * step), y1)
                shapes.append(_rect(f"floor-{value}", *box))
    shapes.append(_rect("walls", 0.0, 0.0, wide, deep))
    shapes += _footprints(store)
    for bay in store.bays:
        shapes += _bay_from_above(store, bay, text_m)
    for wall in store.walls:
        shapes += _wall_from_above(wall, text_m)
    for gate in store.gates:
        shapes += _gate(gate, store, text_m)
    shapes += _cameras(store, text_m)
    shapes.append(Shape("line", "ruler", ((0.0, -MARGIN_M), (1.0, -MARGIN_M))))
    shapes.append(_text("small", (0.5, -MARGIN_M + 0.07), "1 m", text_m))
    words = (
        f"Plan of {store.name} from above, {wide:g} by {deep:g} metres: {len(store.bays)} bays, "
        f"{len(store.cameras)} cameras. Heads are seen by at least one ceiling camera over "
        f"{check.floor.share(1):.0%} of the floor, by two over {check.floor.share(2):.0%}."
    )
    low = (-MARGIN_M, -MARGIN_M - 0.15)
    return Drawing("Floor plan", words, low, (wide + MARGIN_M, deep + MARGIN_M), tuple(shapes))


def _footprints(store: StoreFile) -> list[Shape]:
    """What each ceiling camera sees at the height of heads, cut to the room."""
    found = []
    for camera in store.cameras:
        if camera.role == "ceiling":
            outline = Eye(camera).outline(HEAD_M)
            outline[:, 0] = np.clip(outline[:, 0], 0.0, store.floor.width_m)
            outline[:, 1] = np.clip(outline[:, 1], 0.0, store.floor.depth_m)
            title = f"{camera.camera_id}: picture at head height"
            found.append(_area("footprint", outline, title))
    return found


def _bay_from_above(store: StoreFile, bay: Bay, text_m: float) -> list[Shape]:
    w, d = bay.width_m, bay.depth_m
    box = from_bay(bay, np.array([[0, 0, 0], [w, 0, 0], [w, d, 0], [0, d, 0]], np.float64))
    plates = sum(plate.bay_id == bay.bay_id for plate in store.plates)
    title = f"{bay.bay_id}: {len(bay.boards)} boards, {plates} plates"
    shapes = [_area("bay", box, title)]
    edges = {
        plate.u0_m for plate in store.plates if plate.bay_id == bay.bay_id and plate.u0_m > 0.0
    }
    for u in sorted(edges):
        ends = from_bay(bay, np.array([[u, 0.02, 0.0], [u, d - 0.02, 0.0]]))
        shapes.append(_line("plate-edge", ends))
    shapes.append(_line("front", box[:2]))
    if bay.door == "glass":
        swing = [[w * math.cos(a), -w * math.sin(a), 0.0] for a in np.linspace(0, math.pi / 2, 13)]
        arc = from_bay(bay, np.array([[0.0, 0.0, 0.0], *swing]))
        shapes.append(_area("door", arc, f"{bay.bay_id}: where its door swings"))
    x, y = from_bay(bay, np.array([[w / 2, d / 2, 0.0]]))[0, :2]
    # A name stays within its bay, however the bay is turned.
    size_m = min(text_m, 1.7 * float(np.ptp(box[:, 0])) / len(bay.bay_id))
    shapes.append(_text("label", (float(x), float(y) - 0.35 * size_m), bay.bay_id, size_m))
    return shapes


def _wall_from_above(wall: Wall, text_m: float) -> list[Shape]:
    """A pick-up wall: its ground, its front, its cameras."""
    w, d = wall.width_m, wall.depth_m
    corners = [wall_to_world(wall, (u, v, 0.0)) for u, v in ((0, 0), (w, 0), (w, d), (0, d))]
    box = np.array(corners, np.float64)
    title = f"{wall.wall_id}: a wall for parcels, {len(wall.cameras)} cameras"
    shapes = [_area("bay", box, title), _line("front", box[:2])]
    for camera in wall.cameras:
        x, y, _ = camera.pose.position_m
        r = 0.05
        shapes.append(_rect("camera-shelf", x - r, y - r, x + r, y + r, camera.camera_id))
    x, y = box[:, :2].mean(axis=0)
    size_m = min(text_m, 1.7 * float(np.ptp(box[:, 0])) / len(wall.wall_id))
    shapes.append(_text("label", (float(x), float(y) - 0.35 * size_m), wall.wall_id, size_m))
    return shapes


def _line(role: str, ends: Floats, title: str = "") -> Shape:
    return Shape("line", role, tuple((float(x), float(y)) for x, y in ends[:, :2]), title=title)


def _gate(gate: Gate, store: StoreFile, text_m: float) -> list[Shape]:
    zone = np.array(gate.zone_m)
    line = np.array(gate.line_m)
    middle = zone.mean(axis=0)
    word = "in" if gate.kind == "entry" else "out"
    return [
        _area(f"zone-{gate.kind}", zone, f"{gate.gate_id}: zone of the {gate.kind}"),
        _line(f"gate-{gate.kind}", line, f"{gate.gate_id}: line of the {gate.kind}"),
        _text("label", (float(middle[0]), float(middle[1]) - 0.35 * text_m), word, text_m),
    ]


def _cameras(store: StoreFile, text_m: float) -> list[Shape]:
    shapes = []
    for camera in store.cameras:
        x, y, z = camera.pose.position_m
        title = (
            f"{camera.camera_id}: {camera.role} camera at {z:g} m, {camera.intrinsics.width} x "
            f"{camera.intrinsics.height} at {camera.fps:g} fps"
        )
        r = 0.055
        turn = [(math.cos(k * math.pi / 6), math.sin(k * math.pi / 6)) for k in range(12)]
        if camera.role == "shelf":
            turn = [(1.0, 1.0), (-1.0, 1.0), (-1.0, -1.0), (1.0, -1.0)]
        points = tuple((x + r * cos, y + r * sin) for cos, sin in turn)
        shapes.append(Shape("area", f"camera-{camera.role}", points, title=title))
        off_m = 0.09 if camera.role == "ceiling" else -0.09 - 0.6 * text_m
        shapes.append(_text("small", (x, y + off_m), camera.camera_id, 0.72 * text_m))
    return shapes


def draw_bay(check: StoreCheck, bay: Bay) -> Drawing:
    """A bay from the front: boards, goods, slots, plates, and how finely cameras see it."""
    store = check.store
    shapes = [_rect("back", 0.0, 0.0, bay.width_m, bay.height_m, bay.bay_id)]
    for board, covered in zip(bay.boards, check.of_bay(bay.bay_id), strict=True):
        rows, columns = covered.px_cm.shape
        high, wide = board.clearance_m / rows, bay.width_m / columns
        for row in range(rows):
            classes = np.searchsorted(FRONT_BOUNDS, covered.px_cm[row], side="right").tolist()
            z = board.z_m + row * high
            for value, first, last in _runs(classes):
                # Where no goods stand nobody needs to see.
                if value or row < covered.goods_rows:
                    box = (first * wide, z, last * wide, z + high)
                    shapes.append(_rect(f"front-{value}", *box))
    for board, covered in zip(bay.boards, check.of_bay(bay.bay_id), strict=True):
        shapes += _goods(store, bay, board.board_id, board.z_m)
        shapes.append(_rect("board", 0.0, board.z_m - 0.02, bay.width_m, board.z_m))
        for plate in store.plates:
            if (plate.bay_id, plate.board_id) == (bay.bay_id, board.board_id):
                z = board.z_m - 0.026
                box = (plate.u0_m + 0.004, z - PLATE_M, plate.u1_m - 0.004, z)
                shapes.append(_rect("plate", *box, title=f"plate {plate.plate_id}"))
        figure = f"{covered.median:.1f}" if covered.median > 0.0 else "unseen"
        at = (bay.width_m + 0.03, board.z_m + 0.02)
        shapes.append(_text("figure", at, figure, 0.075, "start"))
    shapes.append(_text("small", (bay.width_m + 0.03, bay.height_m - 0.02), "px/cm", 0.06, "start"))
    covers = check.of_bay(bay.bay_id)
    words = f"{bay.bay_id} from the front, {len(bay.boards)} boards. Median pixels per centimetre, "
    words += "from the lowest board: " + ", ".join(f"{each.median:.1f}" for each in covers) + "."
    return Drawing(
        bay.bay_id, words, (-0.04, -0.06), (bay.width_m + 0.26, bay.height_m + 0.05), tuple(shapes)
    )


def _goods(store: StoreFile, bay: Bay, board_id: str, z: float) -> list[Shape]:
    shapes = []
    for slot in store.slots:
        if (slot.bay_id, slot.board_id) != (bay.bay_id, board_id):
            continue
        product = store.product(slot.gtin)
        look = product.packaging
        title = f"{product.name}, {product.size_label}, {product.weight_g:g} g ({slot.slot_id})"
        pitch = (slot.u1_m - slot.u0_m) / slot.facings
        for facing in range(slot.facings):
            u = slot.u0_m + (facing + 0.5) * pitch
            half, high = look.width_m / 2, look.height_m
            neck = 0.72 * high if look.shape == "bottle" else high
            shapes.append(_rect("goods", u - half, z, u + half, z + neck, title, look.base_rgb))
            if look.shape == "bottle":
                cap = look.cap_rgb or look.accent_rgb
                shapes.append(
                    _rect("goods", u - 0.4 * half, z + neck, u + 0.4 * half, z + high, title, cap)
                )  # fmt: skip
            band = (u - half, z + 0.3 * neck, u + half, z + 0.62 * neck)
            shapes.append(_rect("goods", *band, title, look.accent_rgb))
        if slot.u0_m > 0.0:
            shapes.append(
                Shape("line", "slot-edge", ((slot.u0_m, z - 0.02), (slot.u0_m, z + 0.05)))
            )  # fmt: skip
    return shapes
