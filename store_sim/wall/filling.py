"""How a wall is filled: places on its boards and hooks, and a parcel for each, by seed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from contracts.wall import LabelPrint, Wall
from store_sim.wall.codes import label_text, sscc
from store_sim.wall.errors import WallSimError
from store_sim.wall.parcels import Kind, ParcelPose, SimParcel
from store_sim.wall.prints import PrintDials, label_size_mm, make_label

__all__ = ["Filling", "Place", "Spot", "fill", "most_parcels", "places_of", "stand_at"]

_GAP_M = 0.014
_EDGE_M = 0.05
"""So much of a wall's sides stays free for posts and what is printed on them."""
_HANG_M = 0.1
"""How far below its hook a bag's face begins."""
_STANDING: tuple[Kind, ...] = ("box", "box", "white_box", "envelope", "mailer")
"""What stands on boards, the usual one twice."""
_RGB: dict[Kind, tuple[tuple[int, int, int], ...]] = {
    "box": ((172, 132, 90), (186, 148, 104), (158, 118, 78), (196, 160, 118)),
    "white_box": ((226, 226, 222), (70, 72, 78), (206, 188, 196), (52, 84, 120)),
    "envelope": ((206, 168, 104), (230, 228, 220), (186, 152, 102)),
    "mailer": ((128, 130, 136), (226, 228, 230), (46, 48, 54), (150, 190, 178), (206, 150, 160)),
    "bag": ((176, 138, 96), (232, 230, 222), (60, 92, 70)),
}


@dataclass(frozen=True, slots=True)
class Place:
    """A place for one parcel: the stretch of a board, or a hook. `z_m` is the board's face or the
    hook's height, `high_m` the height that is free."""

    name: str
    u0_m: float
    u1_m: float
    z_m: float
    high_m: float
    hook_v_m: float | None = None


@dataclass(frozen=True, slots=True)
class Filling:
    """What is wanted: how many parcels, which labels (None: the wall's, in turn), how turned
    labels are (degrees, at most), how far parcels are turned, the prints' faults, how
    glossy. `spare`: places that stay empty."""

    parcels: int
    spare: int = 0
    labels: tuple[str, ...] | None = None
    label_deg_max: float = 12.0
    right_angles: float = 0.25
    yaw_deg_max: float = 8.0
    tilt_deg_max: float = 10.0
    dials: PrintDials = field(default_factory=PrintDials)
    gloss: float = 0.0


@dataclass(frozen=True, slots=True)
class Spot:
    """A parcel and where it stands."""

    parcel: SimParcel
    pose: ParcelPose
    place: Place


def _widest_mm(kinds: list[LabelPrint]) -> float:
    return max(label_size_mm(kind)[0] for kind in kinds)


def _most_on_board(wall: Wall, kinds: list[LabelPrint]) -> int:
    """How many parcels with any of these labels stand on one board."""
    least = _widest_mm(kinds) / 1000 + _GAP_M
    return int((wall.width_m - 2 * _EDGE_M) / (least + _GAP_M) + 1e-6)


def _kinds(wall: Wall, labels: tuple[str, ...] | None) -> list[LabelPrint]:
    """The wall's labels that are wanted; WallSimError if it has none of them."""
    kinds = [one for one in wall.labels if labels is None or one.symbology in labels]
    if not kinds:
        raise WallSimError(
            f"wall {wall.wall_id}: expected a wall with labels {labels}, got "
            f"{[one.symbology for one in wall.labels]}; take another wall or another case"
        )
    return kinds


def most_parcels(wall: Wall, labels: tuple[str, ...] | None = None) -> int:
    """How many parcels a wall has room for."""
    return _most_on_board(wall, _kinds(wall, labels)) * len(wall.boards) + len(wall.hooks)


def places_of(wall: Wall, kinds: list[LabelPrint], wanted: int) -> list[Place]:
    """Places for `wanted` parcels: hooks first come with bags, the rest is cut from the boards,
    evenly; WallSimError if the wall has not room for so many."""
    hooks = []
    between = min(
        [b.u_m - a.u_m for a, b in pairwise(sorted(wall.hooks, key=lambda one: one.u_m))] + [0.3]
    )
    for one in wall.hooks:
        below = [b.z_m + b.clearance_m for b in wall.boards if b.z_m < one.z_m]
        high = min(0.42, one.z_m - _HANG_M - max([*below, 0.1]))
        v = wall.depth_m - one.reach_m
        half = between / 2
        hooks.append(Place(one.hook_id, one.u_m - half, one.u_m + half, one.z_m, high, v))
    most = _most_on_board(wall, kinds)
    hung = min(len(hooks), max(wanted - most * len(wall.boards), round(wanted * 0.25)))
    rest = wanted - hung
    if rest > most * len(wall.boards):
        raise WallSimError(
            f"wall {wall.wall_id}: expected at most {most * len(wall.boards) + len(hooks)} parcels "
            f"with labels {_widest_mm(kinds):.0f} mm wide, got {wanted}; add boards or hooks"
        )
    places = hooks[:hung]
    for row, board in enumerate(wall.boards):
        share = rest // len(wall.boards) + (row < rest % len(wall.boards))
        width = (wall.width_m - 2 * _EDGE_M) / max(1, share)
        places += [
            Place(f"{board.board_id}-{k}", _EDGE_M + k * width, _EDGE_M + (k + 1) * width,
                  board.z_m, board.clearance_m)
            for k in range(share)
        ]  # fmt: skip
    return places


def fill(wall: Wall, filling: Filling, seed: int) -> tuple[tuple[Spot, ...], tuple[Place, ...]]:
    """A wall's parcels and where they stand, and all places; every seed another filling."""
    rng = np.random.default_rng([seed, 9_001])
    kinds = _kinds(wall, filling.labels)
    places = places_of(wall, kinds, filling.parcels + filling.spare)
    base = int(rng.integers(1_000_000, 900_000_000))
    order = rng.permutation(len(places))
    spots = []
    for index in range(filling.parcels):
        place = places[int(order[index])]
        key = sscc(base + 7 * index + int(rng.integers(6)))
        kind = kinds[index % len(kinds)]
        spots.append(_spot(wall, filling, place, kind, index, key, rng))
    return tuple(spots), tuple(places)


def _spot(
    wall: Wall, filling: Filling, place: Place, kind: LabelPrint, index: int, key: str,
    rng: np.random.Generator,
) -> Spot:  # fmt: skip
    label = make_label(kind, key, rng, filling.dials)
    lw, lh = label.width_mm / 1000, label.height_mm / 1000
    hangs = place.hook_v_m is not None
    what: Kind = "bag" if hangs else _STANDING[int(rng.integers(len(_STANDING)))]
    room_w, room_h = place.u1_m - place.u0_m - _GAP_M, place.high_m - 0.01
    angle = _label_angle(filling, (lw, lh), (room_w, room_h), rng)
    need_w, need_h = _turned_size(lw, lh, angle)
    w = float(rng.uniform(min(need_w + 0.012, room_w), min(room_w, need_w + 0.14)))
    h = float(rng.uniform(min(need_h + 0.012, room_h), min(room_h, need_h + 0.16)))
    thin = what in ("envelope", "mailer")
    deep = float(
        rng.uniform(0.012, 0.03) if thin else rng.uniform(0.08, min(0.2, wall.depth_m - 0.06))
    )
    if hangs:
        deep = float(rng.uniform(0.05, 0.09))
    size = (round(w, 3), round(h, 3), round(deep, 3))
    free_x, free_y = max(0.0, (w - need_w) / 2 - 0.004), max(0.0, (h - need_h) / 2 - 0.004)
    # What stands deep is hidden above by the board over it, so labels sit rather low.
    at = (float(rng.uniform(-free_x, free_x)), float(rng.uniform(-free_y, 0.3 * free_y)))
    choices = _RGB[what]
    parcel = SimParcel(
        index=index, key=key, text=label_text(kind.symbology, key), symbology=kind.symbology,
        kind=what, size_m=size, rgb=choices[int(rng.integers(len(choices)))], label=label,
        label_at=(round(at[0], 4), round(at[1], 4)), label_deg=angle, gloss=filling.gloss,
        hangs=hangs,
    )  # fmt: skip
    return Spot(parcel, stand_at(wall, place, parcel, rng, filling), place)


def _label_angle(
    filling: Filling,
    label: tuple[float, float],
    room: tuple[float, float],
    rng: np.random.Generator,
) -> float:
    """Degrees clockwise: nearly upright, or a quarter turn, as far as the label still fits."""
    angle = float(rng.uniform(-filling.label_deg_max, filling.label_deg_max))
    if rng.random() < filling.right_angles:
        angle += float(rng.choice([-90.0, 90.0]))
    for candidate in (angle, angle * 0.5, float(np.sign(angle)) * 90.0, angle * 0.2, 0.0):
        need = _turned_size(*label, candidate)
        if need[0] + 0.01 <= room[0] and need[1] + 0.01 <= room[1]:
            return round(candidate, 2)
    return 0.0


def _turned_size(width: float, height: float, deg: float) -> tuple[float, float]:
    a = math.radians(deg)
    c, s = abs(math.cos(a)), abs(math.sin(a))
    return width * c + height * s, width * s + height * c


def stand_at(
    wall: Wall,
    place: Place,
    parcel: SimParcel,
    rng: np.random.Generator,
    filling: Filling | None = None,
) -> ParcelPose:
    """A pose for a parcel in a place, within it and not through board or wall."""
    filling = filling or Filling(1)
    w, h, d = parcel.size_m
    if place.hook_v_m is not None:
        yaw = float(rng.uniform(-1, 1) * min(filling.yaw_deg_max, 6.0))
        v = place.hook_v_m - d / 2 + 0.02
        middle = (place.u0_m + place.u1_m) / 2
        return ParcelPose(
            (round(middle, 4), round(v, 4), round(place.z_m - _HANG_M - h / 2, 4)), yaw
        )
    thin = parcel.kind in ("envelope", "mailer")
    tilt = float(rng.uniform(0.25, 1.0) * filling.tilt_deg_max) if thin else 0.0
    spare = max(0.0, place.u1_m - place.u0_m - _GAP_M - w)
    turn = math.degrees(math.asin(min(0.5, spare / max(0.05, d + 0.02))))
    yaw = float(rng.uniform(-1, 1) * min(filling.yaw_deg_max, turn))
    wide = w * math.cos(math.radians(yaw)) + d * abs(math.sin(math.radians(yaw)))
    free = max(0.0, place.u1_m - place.u0_m - _GAP_M - wide) / 2
    u = (place.u0_m + place.u1_m) / 2 + float(rng.uniform(-free, free))
    # As deep as the wall lets it, and not so deep that the board above hides the label.
    top = parcel.label_at[1] + (0.0 if parcel.label is None else parcel.label.height_mm / 2000)
    clear = max(0.0, place.high_m - (h / 2 + top))
    lean = h * math.sin(math.radians(tilt))
    back = min(0.15, wall.depth_m - d - lean / 2 - 0.01, 0.9 * clear + 0.01)
    v = float(rng.uniform(-0.06, max(-0.05, back)))
    z = place.z_m + h / 2 * math.cos(math.radians(tilt)) + 0.001
    return ParcelPose((round(u, 4), round(v, 4), round(z, 4)), round(yaw, 2), round(tilt, 2))
