"""The floor from above: bays, gates, cameras, people with their trails, arms and things."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

from PIL import Image, ImageDraw

from contracts.geometry import Bay, Camera
from contracts.store_file import Packaging, Slot, StoreFile
from store_sim.viewer.known import LEAVES_BOARD, MEETS_BOARD, Known, ShownAction
from store_sim.viewer.paint import (
    ACCENT,
    BACK,
    FAINT,
    INK,
    LINE,
    PANEL,
    QUIET,
    Canvas,
    arrow,
    dimmed,
    font,
    icon,
    polyline,
    shopper_rgb,
    shrunk,
)
from store_sim.viewer.snapshot import Person, Snapshot
from store_sim.world.stock import bay_point

__all__ = ["FloorPlan"]

SMOOTH = 2
"""Drawn so much larger than shown."""
OUTSIDE_M = 0.8
MARGIN_M = 0.25
TRAIL_S = 7.0
TRAIL_MAX = 200
BODY_M = 0.21
FLIGHT_S = 0.7
ENTRY = (92, 214, 140)
EXIT = (255, 138, 101)
FLOOR = (38, 46, 57)
SHELF = (74, 86, 104)


def _below_m(store: StoreFile) -> float:
    """Ground shown before the gates' wall: people wait there."""
    gates_low = any(min(y for _, y in gate.line_m) < 0.6 for gate in store.gates)
    return OUTSIDE_M if gates_low else MARGIN_M


class FloorPlan:
    """Draws the plan of one store into pictures of one size, `width` x `height` pixels."""

    def __init__(self, store: StoreFile, known: Known, width: int, height: int) -> None:
        self._store, self._known = store, known
        self._size = (width * SMOOTH, height * SMOOTH)
        floor = store.floor
        below = _below_m(store)
        self._scale = min(
            self._size[0] / (floor.width_m + 2 * MARGIN_M),
            self._size[1] / (floor.depth_m + MARGIN_M + below),
        )
        used = (floor.depth_m + MARGIN_M + below) * self._scale
        self._left = (self._size[0] - floor.width_m * self._scale) / 2
        self._base = (self._size[1] + used) / 2 - below * self._scale
        self._bays = {bay.bay_id: bay for bay in store.bays}
        self._slots = {slot.slot_id: slot for slot in store.slots}
        self._looks = {product.gtin: product.packaging for product in store.products}
        self._trails: dict[int, deque[tuple[float, float, float]]] = {}
        self._ground = self._draw_ground()

    @staticmethod
    def height_for(store: StoreFile, width: int) -> int:
        """How high a plan of this width is, without empty ground above and below."""
        floor = store.floor
        across, along = floor.width_m + 2 * MARGIN_M, floor.depth_m + MARGIN_M + _below_m(store)
        return math.ceil(width * along / across)

    def draw(self, snapshot: Snapshot) -> Image.Image:
        """The plan at one instant; instants come in the order of time."""
        image = self._ground.copy()
        canvas = ImageDraw.Draw(image)
        now = [one for one in self._known.actions if abs(one.t_s - snapshot.t_s) <= 1.2]
        for action in now:
            self._highlight(canvas, action)
        self._follow(snapshot)
        for shopper, trail in sorted(self._trails.items()):
            self._trail(canvas, shopper, trail, snapshot.t_s)
        for person in snapshot.people:
            self._person(canvas, person)
        by_shopper = {person.shopper: person for person in snapshot.people}
        for action in now:
            self._flight(canvas, action, by_shopper.get(action.shopper), snapshot.t_s)
        return shrunk(image, SMOOTH)

    def _at(self, x: float, y: float) -> tuple[float, float]:
        return (self._left + x * self._scale, self._base - y * self._scale)

    # -- what stands still

    def _draw_ground(self) -> Image.Image:
        image = Image.new("RGB", self._size, PANEL)
        canvas = ImageDraw.Draw(image)
        floor = self._store.floor
        canvas.rectangle(
            (*self._at(0, floor.depth_m), *self._at(floor.width_m, 0)), fill=FLOOR, outline=FAINT,
            width=2 * SMOOTH,
        )  # fmt: skip
        for metre in range(1, math.ceil(floor.width_m)):
            canvas.line((self._at(metre, 0), self._at(metre, floor.depth_m)), fill=LINE)
        for metre in range(1, math.ceil(floor.depth_m)):
            canvas.line((self._at(0, metre), self._at(floor.width_m, metre)), fill=LINE)
        for camera in self._store.cameras:
            self._camera(canvas, camera)
        for bay in self._store.bays:
            self._bay(canvas, bay)
        for gate in self._store.gates:
            rgb = ENTRY if gate.kind == "entry" else EXIT
            zone = [self._at(x, y) for x, y in gate.zone_m]
            canvas.polygon(zone, fill=dimmed(rgb, 0.86, FLOOR))
            (x0, y0), (x1, y1) = gate.line_m
            canvas.line((self._at(x0, y0), self._at(x1, y1)), fill=rgb, width=4 * SMOOTH)
            x, y = self._at((x0 + x1) / 2, min(y0, y1))
            canvas.text(
                (x, y + 7 * SMOOTH), "in" if gate.kind == "entry" else "out", fill=rgb,
                font=font(12 * SMOOTH, True), anchor="mt",
            )  # fmt: skip
        return image

    def _bay(self, canvas: Canvas, bay: Bay) -> None:
        corners = [(0.0, 0.0), (bay.width_m, 0.0), (bay.width_m, bay.depth_m), (0.0, bay.depth_m)]
        points = [self._at(*bay_point(bay, u, v, 0.0)[:2]) for u, v in corners]
        canvas.polygon(points, fill=SHELF)
        canvas.line((points[0], points[1]), fill=QUIET, width=2 * SMOOTH)
        if bay.door is not None:
            canvas.line((points[0], points[1]), fill=(140, 214, 255), width=3 * SMOOTH)
        middle = self._at(*bay_point(bay, bay.width_m / 2, bay.depth_m / 2, 0.0)[:2])
        canvas.text(middle, bay.bay_id, font=font(11 * SMOOTH, True), fill=INK, anchor="mm")

    def _camera(self, canvas: Canvas, camera: Camera) -> None:
        x, y, _ = camera.pose.position_m
        at = self._at(x, y)
        r = 3.5 * SMOOTH
        canvas.ellipse((at[0] - r, at[1] - r, at[0] + r, at[1] + r), outline=FAINT, width=SMOOTH)
        canvas.text(
            (at[0] + r + 2 * SMOOTH, at[1]), camera.camera_id, font=font(8 * SMOOTH), fill=FAINT,
            anchor="lm",
        )  # fmt: skip

    # -- what moves

    def _follow(self, snapshot: Snapshot) -> None:
        for person in snapshot.people:
            trail = self._trails.setdefault(person.shopper, deque(maxlen=TRAIL_MAX))
            trail.append((snapshot.t_s, person.x_m, person.y_m))
        for trail in self._trails.values():
            while trail and trail[0][0] < snapshot.t_s - TRAIL_S:
                trail.popleft()

    def _trail(
        self, canvas: Canvas, shopper: int, trail: Sequence[tuple[float, float, float]], t_s: float
    ) -> None:
        points = list(trail)
        for begin in range(0, max(0, len(points) - 1), 4):
            part = points[begin : begin + 5]
            age = min(1.0, (t_s - part[0][0]) / TRAIL_S)
            rgb = dimmed(shopper_rgb(shopper), 0.25 + 0.7 * age, FLOOR)
            polyline(canvas, [self._at(x, y) for _, x, y in part], rgb, 3 * SMOOTH)

    def _person(self, canvas: Canvas, person: Person) -> None:
        rgb = shopper_rgb(person.shopper)
        at = self._at(person.x_m, person.y_m)
        r = BODY_M * self._scale
        for side, (x, y, _) in sorted(person.hands.items()):
            if side in person.reaching:
                arrow(canvas, at, self._at(x, y), rgb, 3 * SMOOTH)
            elif math.hypot(x - person.x_m, y - person.y_m) > 0.3:
                canvas.line((at, self._at(x, y)), fill=dimmed(rgb, 0.3, FLOOR), width=3 * SMOOTH)
        if person.heading_rad is not None:
            nose = [
                (math.cos(person.heading_rad + a) * k, math.sin(person.heading_rad + a) * k)
                for a, k in ((0.0, 1.6), (0.75, 0.98), (-0.75, 0.98))
            ]
            canvas.polygon([(at[0] + r * x, at[1] - r * y) for x, y in nose], fill=rgb)
        canvas.ellipse(
            (at[0] - r, at[1] - r, at[0] + r, at[1] + r), fill=rgb, outline=BACK, width=2 * SMOOTH
        )
        canvas.text(at, str(person.shopper), font=font(12 * SMOOTH, True), fill=BACK, anchor="mm")
        self._things(canvas, person, at, r)

    def _things(self, canvas: Canvas, person: Person, at: tuple[float, float], r: float) -> None:
        size = 17 * SMOOTH
        x, y = at[0] + r + 4 * SMOOTH, at[1] + r
        for gtin in person.holding[:4]:
            look = self._look(gtin)
            if look is not None:
                icon(canvas, (x + size / 2, y), size, look)
                x += size * 0.9
        if person.bagged:
            canvas.text(
                (x + 3 * SMOOTH, y), f"+{person.bagged} bag", font=font(9 * SMOOTH, True),
                fill=QUIET, anchor="lm",
            )  # fmt: skip

    def _slot(self, action: ShownAction) -> tuple[Bay, Slot] | None:
        slot = self._slots.get(action.slot_id)
        return None if slot is None else (self._bays[slot.bay_id], slot)

    def _highlight(self, canvas: Canvas, action: ShownAction) -> None:
        found = self._slot(action)
        if found is None:
            return
        bay, slot = found
        corners = [(slot.u0_m, 0.0), (slot.u1_m, 0.0), (slot.u1_m, bay.depth_m),
                   (slot.u0_m, bay.depth_m)]  # fmt: skip
        points = [self._at(*bay_point(bay, u, v, 0.0)[:2]) for u, v in corners]
        canvas.line([*points, points[0]], fill=ACCENT, width=2 * SMOOTH, joint="curve")

    def _flight(
        self, canvas: Canvas, action: ShownAction, person: Person | None, t_s: float
    ) -> None:
        """The thing on its way between the board and the hand."""
        found, look = self._slot(action), self._look(action.gtin)
        if found is None or person is None or look is None:
            return
        bay, slot = found
        if action.kind in LEAVES_BOARD:
            share = (t_s - action.t_s + 0.1) / FLIGHT_S
        elif action.kind in MEETS_BOARD:
            share = 1.0 - (t_s - action.t_s + FLIGHT_S - 0.1) / FLIGHT_S
        else:
            return
        if not 0.0 <= share <= 1.0:
            return
        u_m = (slot.u0_m + slot.u1_m) / 2 if action.u_m is None else action.u_m
        board = self._at(*bay_point(bay, u_m, 0.12, 0.0)[:2])
        hand = person.hands.get(action.hand)
        end = self._at(person.x_m, person.y_m) if hand is None else self._at(hand[0], hand[1])
        eased = share * share * (3 - 2 * share)
        rise = math.sin(math.pi * share) * 16 * SMOOTH
        x = board[0] + (end[0] - board[0]) * eased
        y = board[1] + (end[1] - board[1]) * eased - rise
        r = 17 * SMOOTH
        canvas.ellipse((x - r, y - r, x + r, y + r), fill=BACK, outline=ACCENT, width=2 * SMOOTH)
        icon(canvas, (x, y), 24 * SMOOTH, look)

    def _look(self, gtin: str) -> Packaging | None:
        return self._looks.get(gtin)
