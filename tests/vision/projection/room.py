"""Synthetic optics: a wall with boxes, a camera that sees it, a projector whose light falls on it.

Everything is flat rectangles. What a camera pixel sees and which projector pixel lights it is
worked out once per scene; a picture is then a look-up. Light is linear; cameras and projectors
answer with a power of 2.2, as real ones do.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Board, Camera, Intrinsics, Pose
from contracts.wall import LabelPrint, Marker, Projector, Wall
from contracts.wall_messages import LabelRead, Thing
from vision.markers import MARKER_DICTIONARY
from vision.projection.model import Floats, Optics

GAMMA = 2.2
TONES = np.float32(255) * np.linspace(0, 1, 1 << 14, dtype=np.float32) ** np.float32(1 / GAMMA)
"""Grey of as many steps of light: powers of two million pixels take most of a test's time."""
LIGHT = (np.arange(256, dtype=np.float32) / 255) ** np.float32(GAMMA)
NOISE_PX = 61
"""Pictures take their noise from places so far apart in one larger picture of it."""
CAMERA = Intrinsics(width=960, height=540, fx=675, fy=675, cx=479.5, cy=269.5)
PROJECTOR = Intrinsics(width=960, height=540, fx=675, fy=675, cx=479.5, cy=269.5)
MARKERS = (
    (0, (0.08, 0.0, 0.47)), (1, (1.12, 0.0, 0.47)), (2, (0.08, 0.35, 1.62)),
    (3, (1.12, 0.35, 1.62)), (4, (0.6, 0.0, 1.05)), (5, (0.6, 0.35, 1.64)),
)  # fmt: skip


def a_wall(**changed: object) -> Wall:
    """A wall 1.2 m wide in a world turned and shifted, one camera and one projector 1.5 m before
    it."""
    values: dict[str, object] = {
        "wall_id": "wall-1",
        "origin_m": (2.0, 3.0),
        "facing_deg": -90.0,
        "width_m": 1.2,
        "height_m": 1.8,
        "depth_m": 0.35,
        "boards": (
            Board(board_id="b-1", z_m=0.55, clearance_m=0.45),
            Board(board_id="b-2", z_m=1.1, clearance_m=0.45),
        ),
        "markers": tuple(Marker(marker=n, size_m=0.08, centre_m=at) for n, at in MARKERS),
        "labels": (LabelPrint(symbology="qr", modules=25, module_mm=4.0),),
        "px_per_module_min": 1.0,
        "cameras": (
            Camera(
                camera_id="cam-1", role="wall", fps=5, intrinsics=CAMERA,
                pose=Pose(position_m=(2.6, 1.5, 1.5), look_at_m=(2.6, 3.0, 1.1), up=(0, 0, 1)),
            ),
        ),
        "projectors": (
            Projector(
                projector_id="beam-1", intrinsics=PROJECTOR,
                pose=Pose(position_m=(2.9, 1.5, 1.95), look_at_m=(2.6, 3.1, 1.1), up=(0, 0, 1)),
            ),
        ),
    }  # fmt: skip
    return Wall.model_validate({**values, **changed})


def bumped(optics: Optics, rng: np.random.Generator, *, m: float, deg: float) -> Optics:
    """The same lens shifted and turned by about so much."""
    turn, _ = cv2.Rodrigues(rng.normal(0, np.radians(deg), 3))
    place = optics.position + rng.normal(0, m, 3)
    rotation = np.asarray(turn, np.float64) @ optics.rotation
    return replace(optics, rotation=rotation, shift=-rotation @ place)


@dataclass
class Box:
    """A box that stands with its front at depth `v`; `yaw` turns it about its front's middle."""

    thing_id: str
    u: float
    z: float
    v: float
    width: float
    height: float
    albedo: tuple[float, float, float] = (0.55, 0.42, 0.3)
    yaw_deg: float = 0.0
    twins: tuple[str, ...] = ()
    label: str = "340123450000000017"
    look: NDArray[np.uint8] | None = None

    @property
    def corners(self) -> Floats:
        """(4, 3): the front's corners, clockwise from the top left."""
        a = np.radians(self.yaw_deg)
        half = np.array([np.cos(a), np.sin(a), 0]) * self.width / 2
        up = np.array([0, 0, self.height / 2])
        centre = np.array([self.u, self.v, self.z])
        return np.stack(
            [centre - half + up, centre + half + up, centre + half - up, centre - half - up]
        )

    def thing(self, t_s: float, **changed: object) -> Thing:
        """What the node would say about it."""
        values: dict[str, object] = {
            "thing_id": self.thing_id,
            "state": "stands",
            "label": LabelRead(symbology="qr", text=self.label, reads=3),
            "outline_m": tuple((float(u), float(z)) for u, _, z in self.corners),
            "v_m": self.v,
            "since_s": 0.0,
            "seen_s": t_s,
        }
        return Thing.model_validate({**values, **changed})


def boxes(rng: np.random.Generator, count: int = 8) -> list[Box]:
    """Boxes on two boards, side by side."""
    found = []
    for k in range(count):
        column, board = k % 4, k // 4
        width, height = rng.uniform(0.14, 0.22), rng.uniform(0.15, 0.3)
        found.append(
            Box(
                f"thing-{k}",
                0.18 + 0.28 * column,
                (0.55, 1.1)[board] + height / 2,
                rng.uniform(-0.02, 0.16),
                width,
                height,
                albedo=tuple(rng.uniform(0.15, 0.8, 3)),
                label=f"LABEL-{k}",
            )
        )
    return found


@dataclass(frozen=True)
class _Map:
    """Of every camera pixel: `albedo` (H, W, 3), projector pixel `at` (H, W, 2; far off where none
    lights it), `facing`, how much of the light comes at that slant (H, W), and the box's number + 1
    as `owner` (H, W)."""

    albedo: NDArray[np.float32]
    at: NDArray[np.float32]
    facing: NDArray[np.float32]
    owner: NDArray[np.int64]


@dataclass
class Room:
    """`truth`: where the projector really is. `lit` what it throws; `ambient` room light."""

    wall: Wall
    boxes: list[Box]
    truth: Optics
    ambient: float = 0.25
    lamp: float = 0.9
    noise: float = 1.5
    covered: frozenset[int] = frozenset()
    seed: int = 0
    lit: NDArray[np.uint8] | None = None
    blocked: tuple[float, float, float, float] | None = None
    _map: _Map | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        one = self.wall.cameras[0]
        self.camera = Optics.of(self.wall, one.intrinsics, one.pose)
        self._rng = np.random.default_rng(self.seed)
        width, height = self.camera.size
        size = (height + NOISE_PX, width + NOISE_PX, 1)
        self._grain = self._rng.normal(0, 1, size).astype(np.float32)

    def changed(self) -> None:
        """Boxes or projector moved: what is seen has to be worked out anew."""
        self._map = None

    def picture(self) -> NDArray[np.uint8]:
        """What the camera sees now, RGB (H, W, 3)."""
        light = self.ambient + self.lamp * self.fallen()
        seen = cv2.GaussianBlur(self._mapped().albedo * light, (0, 0), 0.7)
        if self.blocked is not None:
            x0, y0, x1, y1 = (int(one) for one in self.blocked)
            seen[y0:y1, x0:x1] = 0.05
        steps = np.clip(seen, 0, 1) * np.float32(len(TONES) - 1)
        y, x = self._rng.integers(0, NOISE_PX, 2)
        high, wide = steps.shape[:2]
        noise = np.float32(self.noise) * self._grain[y : y + high, x : x + wide]
        return np.clip(TONES[steps.astype(np.uint16)] + noise, 0, 255).astype(np.uint8)

    def fallen(self) -> NDArray[np.float32]:
        """The projector's light on what every camera pixel sees, (H, W, 3)."""
        there = self._mapped()
        if self.lit is None or not self.lit.any():
            return np.zeros((*there.facing.shape, 3), np.float32)
        x, y = there.at[..., 0], there.at[..., 1]
        fallen = cv2.remap(LIGHT[self.lit], x, y, cv2.INTER_LINEAR, borderValue=0)
        return np.asarray(there.facing[..., None] * fallen, np.float32)

    def lit_in(self, channel: int) -> dict[str, int]:
        """How many camera pixels of each box ("wall" for all else) are lit in one colour and in
        hardly any other."""
        light = self.fallen()
        others = light.sum(axis=2) - light[..., channel]
        owners = self._mapped().owner[(light[..., channel] > 0.12) & (others < light[..., channel])]
        names = ["wall", *(box.thing_id for box in self.boxes)]
        return {names[k]: int((owners == k).sum()) for k in np.unique(owners)}

    def grey(self) -> NDArray[np.uint8]:
        """The same in grey (H, W)."""
        return np.asarray(cv2.cvtColor(self.picture(), cv2.COLOR_RGB2GRAY), np.uint8)

    def _faces(self) -> list[tuple[Floats, Floats]]:
        """Rectangles (4, 3) with their looks (h, w, 3), from all that stands there."""
        width, depth, top = self.wall.width_m, self.wall.depth_m, self.wall.height_m
        flat = np.full((1, 1, 3), 0.65)
        found = [(_rectangle(0, width, 0, top, depth), flat)]
        for board in self.wall.boards:
            found.append((_rectangle(0, width, board.z_m - 0.03, board.z_m, 0.0), flat * 0.9))
        for marker in self.wall.markers:
            u, v, z = marker.centre_m
            half = marker.size_m * 0.65
            paper = _rectangle(u - half, u + half, z - half, z + half, v - 0.0005)
            look = np.full((1, 1, 3), 0.3) if marker.marker in self.covered else _paper(marker)
            found.append((paper, look))
        for box in self.boxes:
            if box.look is not None:
                found.append((box.corners, np.repeat(0.05 + box.look[..., None] / 300.0, 3, 2)))
                continue
            look = np.tile(np.array(box.albedo), (40, 40, 1))
            look[8:16, 6:18] = 0.85
            look[9:15:2, 7:17:2] = 0.1
            found.append((box.corners, look))
        return found

    def _mapped(self) -> _Map:
        if self._map is None:
            self._map = self._work_out()
        return self._map

    def _work_out(self) -> _Map:
        width, height = self.camera.size
        pixels = np.column_stack([one.ravel() for one in np.mgrid[0:height, 0:width][::-1]])
        ways = self.camera.rays(pixels.astype(np.float64))
        far = np.full(len(ways), np.inf)
        albedo = np.full((len(ways), 3), 0.2)
        normal = np.zeros((len(ways), 3))
        faces = self._faces()
        owner = np.zeros(len(ways), np.int64)
        for number, (corners, look) in enumerate(faces, 1 + len(self.boxes) - len(faces)):
            about = _about(self.camera.project(corners), pixels)
            hit, s, t = _meet(self.camera.position, ways[about], corners)
            nearer = np.isfinite(hit) & (hit < far[about])
            near = about[nearer]
            far[near] = hit[nearer]
            owner[near] = max(0, number)
            rows = np.clip((t[nearer] * look.shape[0]).astype(int), 0, look.shape[0] - 1)
            columns = np.clip((s[nearer] * look.shape[1]).astype(int), 0, look.shape[1] - 1)
            albedo[near] = look[rows, columns]
            across = np.cross(corners[1] - corners[0], corners[3] - corners[0])
            normal[near] = across / np.linalg.norm(across)
        seen = np.isfinite(far)
        points = self.camera.position + ways * np.where(seen, far, 10.0)[:, None]
        at = np.nan_to_num(self.truth.project(points), nan=-1e4)
        away = points - self.truth.position
        reach = np.linalg.norm(away, axis=1)
        facing = np.abs((normal * away).sum(axis=1)) / reach * (1.5 / reach) ** 2
        for corners, _ in faces:
            about = _about(self.truth.project(corners), at)
            ahead = away[about] / reach[about, None]
            hit, _, _ = _meet(self.truth.position, ahead, corners)
            facing[about[np.isfinite(hit) & (hit < reach[about] - 0.004)]] = 0.0
        facing[~seen] = 0.0
        shape = (height, width)
        return _Map(
            albedo.reshape(*shape, 3).astype(np.float32),
            at.reshape(*shape, 2).astype(np.float32),
            facing.reshape(shape).astype(np.float32),
            owner.reshape(shape),
        )


def _about(corners_px: Floats, pixels: Floats) -> NDArray[np.int64]:
    """Which of the pixels (N, 2) a face with these corners (4, 2) can cover: all, where one of them
    is behind the lens."""
    if not np.isfinite(corners_px).all():
        return np.arange(len(pixels))
    low, high = corners_px.min(axis=0) - 2.0, corners_px.max(axis=0) + 2.0
    return np.flatnonzero(((pixels >= low) & (pixels <= high)).all(axis=1))


def _rectangle(u0: float, u1: float, z0: float, z1: float, v: float) -> Floats:
    return np.array([[u0, v, z1], [u1, v, z1], [u1, v, z0], [u0, v, z0]])


def _paper(marker: Marker) -> Floats:
    """A marker's black square on white paper 1.3 times as large."""
    side = 160
    dictionary = cv2.aruco.getPredefinedDictionary(MARKER_DICTIONARY)
    square = cv2.aruco.generateImageMarker(dictionary, marker.marker, side)
    paper = np.full((208, 208), 255, np.uint8)
    paper[24 : 24 + side, 24 : 24 + side] = square
    return np.repeat((0.05 + 0.8 * paper / 255.0)[..., None], 3, axis=2)


def _meet(start: Floats, ways: Floats, corners: Floats) -> tuple[Floats, Floats, Floats]:
    """How far along rays (N, 3) a rectangle is met (inf where not), and where on it: across and
    down, 0..1."""
    across, down = corners[1] - corners[0], corners[3] - corners[0]
    normal = np.cross(across, down)
    with np.errstate(divide="ignore", invalid="ignore"):
        hit = ((corners[0] - start) @ normal) / (ways @ normal)
        at = start + ways * hit[:, None] - corners[0]
        s, t = at @ across / (across @ across), at @ down / (down @ down)
    good = (hit > 0) & (s >= 0) & (s <= 1) & (t >= 0) & (t <= 1)
    return np.where(good, hit, np.inf), np.nan_to_num(s), np.nan_to_num(t)


__all__ = ["Box", "Room", "a_wall", "boxes", "bumped"]
