"""People and marks of a recording, from tracks and reaches: nearly, not to the pixel."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Camera
from contracts.store_file import StoreFile
from store_sim.render.camera import camera_array, project_points
from store_sim.viewer.known import LEAVES_BOARD, MEETS_BOARD, Known
from store_sim.viewer.snapshot import Mark, Person
from store_sim.world.stock import bay_point

__all__ = ["guessed_marks", "guessed_people"]

RADIUS_M = 0.24
HEIGHT_M = 1.72
HAND_M = 0.09
REACH_V_M = 0.10
BESIDE_S = 0.4
"""Where no reaches are known, a hand is in the shelf so long before and after an action."""
PIXELS_MIN = 4.0


def guessed_people(store: StoreFile, known: Known, t_s: float) -> tuple[Person, ...]:
    """Whoever a track knows of at this time, with the hand of a reach and what is carried."""
    people = []
    reaching = _reaching(store, known, t_s)
    for shopper, track in sorted((known.tracks or {}).items()):
        if not track[0, 0] <= t_s <= track[-1, 0]:
            continue
        x = float(np.interp(t_s, track[:, 0], track[:, 1]))
        y = float(np.interp(t_s, track[:, 0], track[:, 2]))
        hand = reaching.get(shopper)
        people.append(
            Person(
                shopper,
                x,
                y,
                heading_rad=_heading(track, t_s, (x, y), hand),
                hands={} if hand is None else {"r": hand},
                reaching=() if hand is None else ("r",),
                holding=_carried(known, shopper, t_s),
            )
        )
    return tuple(people)


def _heading(
    track: NDArray[np.float64],
    t_s: float,
    at: tuple[float, float],
    hand: tuple[float, float, float] | None,
) -> float | None:
    """Towards the shelf while reaching, else along the way of the last half second."""
    if hand is not None:
        return math.atan2(hand[1] - at[1], hand[0] - at[0])
    dx = at[0] - float(np.interp(t_s - 0.5, track[:, 0], track[:, 1]))
    dy = at[1] - float(np.interp(t_s - 0.5, track[:, 0], track[:, 2]))
    return math.atan2(dy, dx) if math.hypot(dx, dy) > 0.05 else None


def _reaching(store: StoreFile, known: Known, t_s: float) -> dict[int, tuple[float, float, float]]:
    places = [
        (one.shopper, one.bay_id, one.board_id, one.u_m)
        for one in known.reaches
        if one.begin_s <= t_s <= one.end_s
    ]
    if not known.reaches:
        places = [
            (one.shopper, one.bay_id, one.board_id, one.u_m)
            for one in known.actions
            if one.u_m is not None and abs(one.t_s - t_s) <= BESIDE_S
        ]
    bays = {bay.bay_id: bay for bay in store.bays}
    found = {}
    for shopper, bay_id, board_id, u_m in places:
        bay = bays.get(bay_id)
        if bay is None:
            continue
        z_m = next((one.z_m for one in bay.boards if one.board_id == board_id), bay.height_m / 2)
        found[shopper] = bay_point(bay, u_m, REACH_V_M, z_m + 0.1)
    return found


def _carried(known: Known, shopper: int, t_s: float) -> tuple[str, ...]:
    carried: list[str] = []
    for action in known.actions:
        if action.shopper != shopper or action.t_s > t_s:
            continue
        if action.kind in LEAVES_BOARD:
            carried.append(action.gtin)
        elif action.kind in MEETS_BOARD and action.gtin in carried:
            carried.remove(action.gtin)
    return tuple(carried)


def guessed_marks(camera: Camera, people: tuple[Person, ...]) -> tuple[Mark, ...]:
    """A box around a person's cylinder and around a reaching hand, as far as they are in view."""
    marks = []
    around = np.linspace(0.0, 2 * math.pi, 9)[:-1]
    ring = np.column_stack([np.cos(around), np.sin(around)])
    for person in people:
        base = np.array([person.x_m, person.y_m]) + RADIUS_M * ring
        feet = np.column_stack([base, np.zeros(8)])
        head = np.column_stack([base, np.full(8, HEIGHT_M)])
        marks += _mark(camera, "person", np.vstack([feet, head]), person.shopper)
        for side in person.reaching:
            tip = np.array(person.hands[side])
            corners = np.array(
                [[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64
            )
            marks += _mark(camera, "hand", tip + HAND_M * corners, person.shopper)
    return tuple(marks)


def _mark(
    camera: Camera,
    kind: str,
    points: NDArray[np.float64],
    shopper: int,
) -> list[Mark]:
    pixels, _ = project_points(camera_array(camera), points)
    if np.isnan(pixels).any():
        return []
    lens = camera.intrinsics
    x0, y0 = np.clip(pixels.min(axis=0), 0, [lens.width, lens.height]).tolist()
    x1, y1 = np.clip(pixels.max(axis=0), 0, [lens.width, lens.height]).tolist()
    if x1 - x0 < PIXELS_MIN or y1 - y0 < PIXELS_MIN:
        return []
    return [Mark(kind, (x0, y0, x1, y1), shopper)]
