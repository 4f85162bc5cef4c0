"""Random stores: floor, bays, boards, products with invented art, goods on the shelves, cameras."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Bay, Board, Camera, Gate, Intrinsics, Pose
from contracts.ids import gtin_check_digit
from contracts.money import VatRate
from contracts.store_file import (
    Floor,
    LabelPicture,
    Node,
    Packaging,
    Product,
    Shape,
    Slot,
    StoreFile,
    Wallet,
)
from store_sim.render.looks import Light, Look
from store_sim.render.raster import StoreModel, store_model
from store_sim.render.static import bay_axes
from store_sim.render.textures import FLOORS, WALLS
from store_sim.scene import ItemPose
from store_sim.world.hold import rotation_z

__all__ = [
    "RandomWorld",
    "ShelfPlace",
    "camera_of",
    "random_light",
    "random_product",
    "random_world",
]

Floats = NDArray[np.float64]
Rng = np.random.Generator

_STOCK_MAX = 40
_MOTIFS = ("plain", "stripes", "dots", "rings", "leaf", "star", "wave", "checks")
_SYLLABLES = (
    "al", "ber", "co", "da", "el", "fri", "go", "hal", "in", "jo", "ka", "lu", "mar", "no", "or",
    "pe", "qui", "ro", "sol", "ta", "um", "vi", "wal", "xe", "ya", "zo",
)  # fmt: skip
_WORDS = (
    "Water", "Flakes", "Tea", "Coffee", "Rice", "Soup", "Beans", "Cream", "Juice", "Cocoa", "Oil",
    "Honey", "Salt", "Pasta", "Lemon", "Mint", "Berry", "Classic", "Fresh", "Dark", "Light",
    "Extra",
)  # fmt: skip
_PICTURES: tuple[LabelPicture, ...] = get_args(LabelPicture)
_ROUND = frozenset(("can", "bottle", "jar", "tub", "clear_bottle", "tube"))
_CLEAR = frozenset(("jar", "clear_bottle", "tray", "net"))
_SHAPE_SHARE: dict[Shape, float] = {
    "box": 0.22, "can": 0.13, "bottle": 0.13, "bag": 0.09, "pouch": 0.07, "jar": 0.06,
    "tub": 0.06, "carton": 0.07, "clear_bottle": 0.08, "tray": 0.04, "tube": 0.03, "net": 0.02,
}  # fmt: skip
"""How often each is drawn; lumps are nobody's packaging."""
Span = tuple[float, float]
_SIZES_M: dict[Shape, tuple[Span, Span, Span]] = {
    "box": ((0.05, 0.20), (0.03, 0.10), (0.05, 0.28)),
    "can": ((0.05, 0.10), (1.0, 1.0), (0.05, 0.18)),
    "bottle": ((0.05, 0.10), (0.7, 1.0), (0.16, 0.32)),
    "bag": ((0.13, 0.24), (0.05, 0.10), (0.16, 0.30)),
    "pouch": ((0.10, 0.18), (0.05, 0.09), (0.14, 0.26)),
    "jar": ((0.06, 0.10), (1.0, 1.0), (0.08, 0.18)),
    "tub": ((0.07, 0.12), (0.8, 1.0), (0.05, 0.12)),
    "carton": ((0.06, 0.10), (0.06, 0.10), (0.16, 0.26)),
    "clear_bottle": ((0.06, 0.10), (0.8, 1.0), (0.18, 0.32)),
    "tray": ((0.12, 0.24), (0.10, 0.18), (0.03, 0.08)),
    "tube": ((0.04, 0.07), (0.7, 0.9), (0.12, 0.20)),
    "net": ((0.12, 0.20), (0.08, 0.12), (0.10, 0.18)),
}
"""Ranges of width, depth (of round things: as a share of the width) and height."""
_SIZES = ("250 g", "500 g", "1 kg", "0.33 l", "0.5 l", "1 l", "12 pcs", "75 g")


@dataclass(frozen=True, slots=True)
class ShelfPlace:
    """One piece on a shelf: where it stands in its bay, and whether it is in front."""

    index: int
    bay: int
    board: int
    u_m: float
    v_m: float
    yaw_rad: float
    product: Product
    front: bool


@dataclass(frozen=True, slots=True)
class RandomWorld:
    """A store with goods on its shelves and what its surfaces and lamps look like."""

    store: StoreFile
    model: StoreModel
    light: Light
    places: tuple[ShelfPlace, ...]
    poses: dict[int, tuple[ShelfPlace, ItemPose]] = field(default_factory=dict, compare=False)

    def item(self, place: ShelfPlace) -> ItemPose:
        """The pose of a piece on its shelf; the same object as long as it stays where it was."""
        known = self.poses.get(place.index)
        if known is not None and known[0] is place:
            return known[1]
        pose = self._pose(place)
        self.poses[place.index] = (place, pose)
        return pose

    def _pose(self, place: ShelfPlace) -> ItemPose:
        bay = self.store.bays[place.bay]
        origin, u_axis, normal = bay_axes(bay)
        base = origin + u_axis * place.u_m - normal * place.v_m
        base[2] = bay.boards[place.board].z_m
        turn = math.atan2(u_axis[1], u_axis[0]) + place.yaw_rad
        return ItemPose(place.index, place.product.gtin, base, rotation_z(turn), "shelf")

    def items(self) -> tuple[ItemPose, ...]:
        """All pieces on the shelves."""
        return tuple(self.item(place) for place in self.places)


def _colour(rng: Rng) -> tuple[int, int, int]:
    """Any colour, with the pale, dark and strong ones that packaging likes."""
    kind = rng.random()
    if kind < 0.2:
        level = int(rng.choice([18, 40, 225, 245]))
        r, g, b = (int(np.clip(level + d, 0, 255)) for d in rng.integers(-12, 13, 3))
        return (r, g, b)
    hue, sat = rng.uniform(0, 6), rng.uniform(0.25, 1.0)
    value = rng.uniform(70, 250)
    wheel = np.clip(np.abs((hue + np.array([0.0, 4.0, 2.0])) % 6 - 3) - 1, 0, 1)
    r, g, b = (int(c) for c in value * (1 - sat * (1 - wheel)))
    return (r, g, b)


def _word(rng: Rng) -> str:
    picked = rng.integers(0, len(_SYLLABLES), int(rng.integers(2, 4)))
    return "".join(_SYLLABLES[k] for k in picked).capitalize()


def random_product(rng: Rng, number: int) -> Product:
    """An article nobody sells; `number` makes its GTIN (in the in-store range 20-29)."""
    digits = f"29{number % 10**10:010d}"
    shapes = tuple(_SHAPE_SHARE)
    shape = shapes[int(rng.choice(len(shapes), p=tuple(_SHAPE_SHARE.values())))]
    width, depth, height = _size(rng, shape)
    brand = _word(rng)
    words = [_WORDS[k] for k in rng.integers(0, len(_WORDS), 2)]
    return Product(
        gtin=digits + str(gtin_check_digit(digits)),
        name=f"{brand} {words[0]} {words[1]}",
        brand=brand,
        size_label=_SIZES[int(rng.integers(len(_SIZES)))],
        weight_g=500.0,
        weight_sd_g=3.0,
        price_minor=199,
        vat="standard",
        packaging=Packaging(
            shape=shape,
            width_m=round(float(width), 4),
            depth_m=round(float(depth), 4),
            height_m=round(float(height), 4),
            base_rgb=_colour(rng),
            accent_rgb=_colour(rng),
            motif=_MOTIFS[int(rng.integers(len(_MOTIFS)))],
            cap_rgb=_colour(rng),
            picture=_PICTURES[int(rng.integers(len(_PICTURES)))] if rng.random() < 0.6 else None,
            fill_rgb=_colour(rng) if shape in _CLEAR else None,
        ),
    )


def _size(rng: Rng, shape: Shape) -> tuple[float, float, float]:
    """Width, depth and height of a packaging, in metres."""
    (w0, w1), (d0, d1), (h0, h1) = _SIZES_M[shape]
    width, height = float(rng.uniform(w0, w1)), float(rng.uniform(h0, h1))
    # Round things are as deep as they are wide, or a little flat: depths of these are shares.
    depth = float(rng.uniform(d0, d1))
    return width, width * depth if shape in _ROUND else depth, height


def random_light(rng: Rng) -> Light:
    """Lamps from a dim storeroom to a sunny window."""
    tint = np.exp(rng.normal(0, 0.03, 3) + rng.normal(0, 0.05) * np.array([1.0, 0.1, -1.0]))
    around = rng.uniform(0, 2 * math.pi)
    low = rng.uniform(0.25, 1.4)
    return Light(
        ambient=float(rng.uniform(0.45, 0.88)),
        sun=float(rng.uniform(0.15, 0.75)),
        sun_direction=(math.cos(around), math.sin(around), float(low)),
        fill=float(rng.uniform(0.0, 0.35)),
        fill_direction=(float(rng.normal()), float(rng.normal()), 0.3),
        bounce=float(rng.uniform(0.0, 0.2)),
        height_gain=float(rng.uniform(-0.06, 0.14)),
        shelf_dark=float(rng.uniform(0.08, 0.55)),
        shadow=float(rng.uniform(0.1, 0.65)),
        lean=(float(rng.normal(0, 0.2)), float(rng.normal(0, 0.2))),
        tint=(float(tint[0]), float(tint[1]), float(tint[2])),
    )


def _grey(rng: Rng, low: float, high: float) -> tuple[int, int, int]:
    level = rng.uniform(low, high)
    r, g, b = (int(np.clip(level * c, 0, 255)) for c in np.exp(rng.normal(0, 0.05, 3)))
    return (r, g, b)


def _look(rng: Rng) -> Look:
    def surface() -> tuple[int, int, int]:
        return _grey(rng, 70, 235) if rng.random() < 0.75 else _colour(rng)

    kind = FLOORS[int(rng.integers(len(FLOORS)))]
    brown = (int(rng.uniform(110, 200)), int(rng.uniform(70, 140)), int(rng.uniform(35, 95)))
    return Look(
        seed=int(rng.integers(1 << 31)),
        floor=kind,
        floor_rgb=brown if kind == "wood" else surface(),
        wall=WALLS[int(rng.integers(len(WALLS)))],
        wall_rgb=surface(),
        far_wall=WALLS[int(rng.integers(len(WALLS)))],
        far_wall_rgb=surface(),
        shelf_rgb=_grey(rng, 60, 245) if rng.random() < 0.85 else brown,
        back_rgb=surface(),
        upright_rgb=_grey(rng, 30, 220),
        rail_rgb=surface() if rng.random() < 0.5 else _colour(rng),
        header_rgb=_colour(rng),
        labels=bool(rng.random() < 0.8),
        board_thickness_m=float(rng.uniform(0.012, 0.04)),
        rail_height_m=float(rng.uniform(0.015, 0.055)),
        side_panels=bool(rng.random() < 0.3),
        floor_repeat_m=float(rng.uniform(0.7, 2.4)),
        clutter=int(rng.choice([0, 0, 1, 3, 6])),
    )


def _bays(rng: Rng, width: float, depth: float) -> tuple[Bay, ...]:
    count = int(rng.choice([1, 1, 2, 3]))
    bays = []
    x = float(rng.uniform(0.3, 0.9))
    plane = depth - float(rng.uniform(0.40, 0.62))
    for b in range(count):
        wide = float(rng.uniform(0.8, 1.6))
        if x + wide > width - 0.1:
            break
        rows = int(rng.choice([1, 2, 3, 4, 5, 6], p=(0.08, 0.10, 0.22, 0.30, 0.20, 0.10)))
        low = float(rng.uniform(0.15, 0.5)) if rows > 1 else float(rng.uniform(0.6, 1.1))
        high = float(rng.uniform(1.2, 1.65)) if rows > 1 else low
        levels = np.linspace(low, high, rows) + rng.normal(0, 0.02, rows)
        levels = np.maximum.accumulate(levels + np.arange(rows) * 1e-3)
        top = float(high + rng.uniform(0.3, 0.6))
        roofs = [*levels[1:] - 0.03, top]
        bays.append(
            Bay(
                bay_id=f"bay-{b}",
                origin_m=(round(x, 4), round(plane, 4)),
                facing_deg=-90.0,
                width_m=round(wide, 4),
                depth_m=round(float(rng.uniform(0.28, depth - plane - 0.02)), 4)
                if depth - plane > 0.32
                else 0.28,
                height_m=round(max(top, levels[-1] + 0.3), 4),
                boards=tuple(
                    Board(
                        board_id=f"bay-{b}-{k}",
                        z_m=round(float(z), 4),
                        clearance_m=round(max(0.08, float(roof - z)), 4),
                    )
                    for k, (z, roof) in enumerate(zip(levels, roofs, strict=True))
                ),
            )
        )
        x += wide + (0.02 if rng.random() < 0.5 else float(rng.uniform(0.1, 0.9)))
    return tuple(bays)


def _stock(
    rng: Rng, bays: Sequence[Bay], products: Sequence[Product]
) -> tuple[list[Slot], list[ShelfPlace]]:
    slots: list[Slot] = []
    places: list[ShelfPlace] = []
    fill = float(rng.choice([0.35, 0.8, 0.95, 1.0]))
    wobble = float(rng.choice([0.0, 0.4, 1.0]))
    for b, bay in enumerate(bays):
        for k, board in enumerate(bay.boards):
            cuts = int(rng.integers(1, 5))
            edges = np.linspace(0.0, bay.width_m, cuts + 1)
            for s in range(cuts):
                fitting = [p for p in products if p.packaging.height_m < board.clearance_m - 0.02]
                if not fitting:
                    continue
                product = fitting[int(rng.integers(len(fitting)))]
                u0, u1 = float(edges[s]), float(edges[s + 1])
                slots.append(
                    Slot(
                        slot_id=f"bay-{b}-{k}-{s}", bay_id=bay.bay_id, board_id=board.board_id,
                        u0_m=round(u0, 4), u1_m=round(u1, 4), gtin=product.gtin, facings=1, deep=1,
                    )
                )  # fmt: skip
                _column(rng, places, (b, k), (u0, u1), bay, product, fill, wobble)
    return slots, places


def _column(
    rng: Rng,
    places: list[ShelfPlace],
    at: tuple[int, int],
    span: tuple[float, float],
    bay: Bay,
    product: Product,
    fill: float,
    wobble: float,
) -> None:
    """Fills a slot: facings side by side, pieces one behind the other, some places empty."""
    look = product.packaging
    room = span[1] - span[0]
    facings = max(1, min(12, int(room / (look.width_m + float(rng.uniform(0.004, 0.05))))))
    pitch = room / facings
    if pitch < look.width_m * 0.9:
        return
    deep_max = max(1, min(4, int((bay.depth_m - 0.02) / (look.depth_m + 0.006))))
    for f in range(facings):
        deep = int(rng.integers(1, deep_max + 1)) if wobble else deep_max
        if rng.random() > fill:
            deep -= 1
        # What is left of a column stands at the back as often as it was pulled to the front.
        start = deep_max - deep if rng.random() < 0.7 else 0
        for d in range(deep):
            step = start + d
            slack = max(0.0, pitch - look.width_m) * 0.5
            places.append(
                ShelfPlace(
                    index=len(places),
                    bay=at[0],
                    board=at[1],
                    u_m=span[0]
                    + (f + 0.5) * pitch
                    + float(rng.uniform(-0.5, 0.5)) * slack * wobble,
                    v_m=0.012 + look.depth_m * (step + 0.5) + 0.005 * step
                    + float(rng.uniform(0, 0.015)) * wobble,
                    yaw_rad=float(rng.normal(0, 0.10)) * wobble,
                    product=product,
                    front=d == 0,
                )
            )  # fmt: skip


def drawn_products(rng: Rng, stock: list[Product]) -> list[Product]:
    """Products for one store: some new, which join `stock`, and some of the stock.

    Drawing the art of a product costs more than a picture, so products serve several stores; the
    oldest leave when there are more than _STOCK_MAX.
    """
    base = int(rng.integers(0, 10**9)) * 10
    new = [random_product(rng, base + k) for k in range(3 if stock else 6)]
    stock += new
    del stock[:-_STOCK_MAX]
    order = rng.permutation(len(stock))[: int(rng.integers(3, 10))]
    chosen = {p.gtin: p for p in [*new, *(stock[int(k)] for k in order)]}
    return list(chosen.values())


def random_world(rng: Rng, products: Sequence[Product]) -> RandomWorld:
    """A store that sells `products`."""
    width, depth = float(rng.uniform(3.0, 7.5)), float(rng.uniform(2.6, 5.5))
    bays = _bays(rng, width, depth)
    slots, places = _stock(rng, bays, products)
    if not slots:
        slots = [
            Slot(
                slot_id="bay-0-0-0", bay_id=bays[0].bay_id, board_id=bays[0].boards[0].board_id,
                u0_m=0.0, u1_m=bays[0].width_m, gtin=products[0].gtin, facings=1, deep=1,
            )
        ]  # fmt: skip
    gates = tuple(
        Gate(
            gate_id=f"gate-{kind}",
            kind=kind,
            line_m=((x, 0.1), (x + 0.6, 0.1)),
            zone_m=((x, 0.0), (x + 0.6, 0.0), (x + 0.6, 0.6)),
        )
        for kind, x in (("entry", 0.3), ("exit", max(1.0, width - 1.0)))
    )
    store = StoreFile(
        schema_version=1,
        store_id="random",
        name="Random",
        currency="EUR",
        vat_rates={product.vat: _VAT for product in products},
        wallet=Wallet(hold_minor=5000),
        floor=Floor(
            width_m=round(width, 3), depth_m=round(depth, 3),
            ceiling_m=round(float(rng.uniform(2.6, 4.2)), 3),
        ),
        bays=bays,
        gates=gates,
        nodes=(Node(node_id="node", floor=True, bays=tuple(b.bay_id for b in bays), gates=True),),
        products=tuple(products),
        slots=tuple(slots),
    )  # fmt: skip
    look = _look(rng)
    return RandomWorld(store, store_model(store, look), random_light(rng), tuple(places))


_VAT: VatRate = Decimal("0.19")


def camera_of(
    position: Sequence[float],
    look_at: Sequence[float],
    up: Sequence[float],
    focal_px: float,
    size: tuple[int, int],
    role: Literal["shelf", "ceiling"],
    bay_id: str | None,
) -> Camera:
    """A camera with the principal point in the middle of the picture."""
    w, h = size

    def vec(v: Sequence[float]) -> tuple[float, float, float]:
        return (round(float(v[0]), 4), round(float(v[1]), 4), round(float(v[2]), 4))

    return Camera(
        camera_id="cam",
        role=role,
        bay_id=bay_id,
        fps=10.0,
        intrinsics=Intrinsics(
            width=w,
            height=h,
            fx=float(focal_px),
            fy=float(focal_px),
            cx=(w - 1) / 2,
            cy=(h - 1) / 2,
        ),
        pose=Pose(position_m=vec(position), look_at_m=vec(look_at), up=vec(up)),
    )
