"""A wall drawn for tests: boxes with labels, markers, people as blobs, and light thrown at it.

Far simpler than store_sim.wall, and independent of it: faces are rectangles parallel to the wall
(turned in their plane, slanted about the upright), painted back to front.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
import zxingcpp
from numpy.typing import NDArray

from contracts.geometry import Board, Camera, Intrinsics, Pose
from contracts.ids import gtin_check_digit
from contracts.wall import LabelPrint, Marker, Wall
from vision.wall import WallLens, marker_corners_m

Rgb = NDArray[np.uint8]

SIZES = {"qr": 29, "datamatrix": 16, "code128": 145}
MODULES_MM = {"qr": 3.0, "datamatrix": 3.0, "code128": 1.2}
TEXTS = {
    "qr": "https://id.gs1.org/00/{}",
    "datamatrix": "00{}",
    "code128": "00{}",
}


@dataclass(frozen=True)
class Picture:
    t_s: float
    rgb: Rgb


def sscc(n: int) -> str:
    """An SSCC with its check digit."""
    body = f"3401234500{n:07d}"
    return body + str(gtin_check_digit(body))


@dataclass(frozen=True)
class Drawn:
    """A box: the centre (u, v, z) of its face, its size, what its label says (None: none)."""

    centre: tuple[float, float, float]
    size: tuple[float, float] = (0.20, 0.16)
    text: str | None = None
    symbology: str = "qr"
    colour: tuple[int, int, int] = (168, 128, 84)
    roll_deg: float = 0.0
    yaw_deg: float = 0.0
    label_off: tuple[float, float] = (0.02, 0.01)
    seed: int = 0

    def at(self, u: float, v: float, z: float) -> Drawn:
        return replace(self, centre=(u, v, z))

    def corners(self) -> NDArray[np.float64]:
        w, h = self.size[0] / 2, self.size[1] / 2
        return self._placed(np.array([[-w, h], [w, h], [w, -h], [-w, -h]]))

    def _placed(self, flat: NDArray[np.float64]) -> NDArray[np.float64]:
        roll, yaw = math.radians(self.roll_deg), math.radians(self.yaw_deg)
        x = flat[:, 0] * math.cos(roll) + flat[:, 1] * math.sin(roll)
        z = -flat[:, 0] * math.sin(roll) + flat[:, 1] * math.cos(roll)
        u, v, c = self.centre
        return np.stack([u + x * math.cos(yaw), v + x * math.sin(yaw), c + z], axis=1)


def parcel(n: int, u: float, z: float, *, symbology: str = "qr", v: float = 0.02) -> Drawn:
    """A labelled box that stands on a board."""
    tones = ((168, 128, 84), (190, 150, 100), (120, 92, 66), (226, 224, 220), (70, 90, 140))
    wide = 0.19 + 0.02 * (n % 3)
    return Drawn(
        (u, v, z), (wide, 0.15 + 0.01 * (n % 4)), TEXTS[symbology].format(sscc(n)), symbology,
        tones[n % len(tones)], seed=n,
    )  # fmt: skip


def wall(*, cameras: int = 1, width: int = 1920, height: int = 1080) -> Wall:
    """1.8 m by 1.1 m, three boards, four markers; cameras 1.7 m in front of it."""
    eyes = []
    for k in range(cameras):
        x = 0.9 + 0.5 * (k - (cameras - 1) / 2)
        eyes.append(
            Camera(
                camera_id=f"eye-{k + 1}", role="wall", fps=5,
                intrinsics=Intrinsics(
                    width=width, height=height, fx=1650 * width / 1920, fy=1650 * width / 1920,
                    cx=(width - 1) / 2, cy=(height - 1) / 2,
                ),
                pose=Pose(
                    position_m=(1.75, x, 1.35), look_at_m=(0.0, 0.9, 1.2), up=(0.0, 0.0, 1.0)
                ),
            )
        )  # fmt: skip
    return Wall(
        wall_id="wall-1", origin_m=(0.0, 0.0), facing_deg=0.0, width_m=1.8, height_m=1.8,
        depth_m=0.35,
        boards=tuple(
            Board(board_id=f"b{k}", z_m=0.78 + 0.3 * k, clearance_m=0.26) for k in range(3)
        ),
        markers=tuple(
            Marker(marker=k, size_m=0.06, centre_m=(u, v, z))
            for k, (u, v, z) in enumerate(
                [(0.06, 0.0, 1.66), (1.74, 0.0, 1.66), (0.06, 0.34, 0.86), (1.74, 0.34, 0.86)]
            )
        ),
        labels=tuple(
            LabelPrint(
                symbology=kind, modules=SIZES[kind],
                module_mm=MODULES_MM[kind],
            )
            for kind in ("qr", "datamatrix", "code128")
        ),
        px_per_module_min=1.0,
        cameras=tuple(eyes),
    )  # fmt: skip


def symbol(text: str, symbology: str) -> NDArray[np.uint8]:
    """Modules, 0 dark and 255 light, one pixel each; a row of bars is 40 high."""
    formats = zxingcpp.BarcodeFormat
    kind = {"qr": formats.QRCode, "code128": formats.Code128, "datamatrix": formats.DataMatrix}
    options: dict[str, dict[str, Any]] = {
        "qr": {"ec_level": "M"}, "code128": {}, "datamatrix": {"force_square": True}
    }  # fmt: skip
    made = zxingcpp.create_barcode(text, kind[symbology], **options[symbology])
    return np.asarray(np.array(made.to_image(scale=1, add_quiet_zones=False)), np.uint8)


@dataclass
class Stage:
    """What one camera sees. `boxes` by name; `people` polygons of full pixels with a colour;
    `lights` (mask painter colour, polygon) added as light; `gain` of the room's light; `shift_px`
    how far the camera was pushed."""

    place: Wall
    camera: int = 0
    boxes: dict[str, Drawn] = field(default_factory=dict)
    people: list[tuple[NDArray[np.float64], tuple[int, int, int]]] = field(default_factory=list)
    lights: list[tuple[NDArray[np.float64], tuple[float, float, float]]] = field(
        default_factory=list
    )
    gain: float = 1.0
    shift_px: tuple[float, float] = (0.0, 0.0)
    blur_px: float = 0.6
    noise: float = 1.5
    t_s: float = 0.0

    def __post_init__(self) -> None:
        self.lens = WallLens(self.place.cameras[self.camera], self.place)
        self._rng = np.random.default_rng(7)
        size = (self.lens.height, self.lens.width, 1)
        self._grain = [
            np.repeat(self._rng.normal(0, self.noise, size).astype(np.float32), 3, axis=2)
            for _ in range(3)
        ]
        self._still: tuple[object, NDArray[np.float32]] | None = None
        self._back = self._background()
        self._cache: dict[Drawn, tuple[Rgb, NDArray[np.uint8], tuple[int, int]]] = {}

    def _background(self) -> Rgb:
        width, height = self.lens.width, self.lens.height
        rng = np.random.default_rng(3)
        coarse = rng.normal(0, 3, (height // 40, width // 40)).astype(np.float32)
        shade = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        back = np.clip(np.array([176, 180, 184]) + shade[..., None], 0, 255).astype(np.uint8)
        for board in self.place.boards:
            edge = [[0, 0, board.z_m], [1.8, 0, board.z_m], [1.8, 0, board.z_m - 0.025]]
            self._fill(back, np.array([*edge, [0, 0, board.z_m - 0.025]]), (222, 220, 212))
        words = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50)
        for marker in self.place.markers:
            bits = cv2.aruco.generateImageMarker(words, marker.marker, 48)
            sheet = cv2.copyMakeBorder(bits, 8, 8, 8, 8, cv2.BORDER_CONSTANT, value=255)
            whole = marker_corners_m(marker)
            centre = whole.mean(axis=0)
            self._paste(back, np.asarray(cv2.cvtColor(sheet, cv2.COLOR_GRAY2RGB), np.uint8),
                        centre + (whole - centre) * (64 / 48))  # fmt: skip
        return back

    def _fill(self, picture: Rgb, corners: NDArray[np.float64], colour: tuple[int, ...]) -> None:
        points = np.round(self.lens.pixels(corners) * 16).astype(np.int32)
        cv2.fillConvexPoly(picture, points, colour, cv2.LINE_AA, 4)

    def _paste(self, picture: Rgb, texture: Rgb, corners: NDArray[np.float64]) -> None:
        _lay(picture, *self._warped(texture, corners))

    def _warped(
        self, texture: Rgb, corners: NDArray[np.float64]
    ) -> tuple[Rgb, NDArray[np.uint8], tuple[int, int]]:
        """The texture as the camera sees it, four samples a pixel each way."""
        pixels = self.lens.pixels(corners)
        low = np.maximum(np.floor(pixels.min(axis=0)).astype(int) - 1, 0)
        high = np.ceil(pixels.max(axis=0)).astype(int) + 2
        high = np.minimum(high, [self.lens.width, self.lens.height])
        size = np.maximum(high - low, 1)
        fine = 4
        to = ((pixels - low + 0.5) * fine - 0.5).astype(np.float32)
        h, w = texture.shape[:2]
        source = np.array([[-0.5, -0.5], [w - 0.5, -0.5], [w - 0.5, h - 0.5], [-0.5, h - 0.5]],
                          np.float32)  # fmt: skip
        matrix = cv2.getPerspectiveTransform(source, to)
        big = (int(size[0]) * fine, int(size[1]) * fine)
        patch = cv2.warpPerspective(texture, matrix, big, flags=cv2.INTER_NEAREST,
                                    borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
        mask = np.zeros((big[1], big[0]), np.uint8)
        cv2.fillConvexPoly(mask, np.round(to).astype(np.int32), 255)
        out = (int(size[0]), int(size[1]))
        return (
            np.asarray(cv2.resize(patch, out, interpolation=cv2.INTER_AREA), np.uint8),
            np.asarray(cv2.resize(mask, out, interpolation=cv2.INTER_AREA), np.uint8),
            (int(low[0]), int(low[1])),
        )

    def _box(self, picture: Rgb, box: Drawn) -> None:
        if box not in self._cache:
            self._cache[box] = self._warped(texture_of(box), box.corners())
        _lay(picture, *self._cache[box])

    def picture(self) -> Picture:
        """The next frame, a fifth of a second later."""
        self.t_s = round(self.t_s + 0.2, 3)
        now = (tuple(self.boxes.values()), len(self.people), self.gain, len(self.lights),
               self.shift_px, self.blur_px)  # fmt: skip
        if self._still is None or self._still[0] != now:
            self._still = (now, self._drawn())
        grain = self._grain[int(self._rng.integers(len(self._grain)))]
        return Picture(
            self.t_s, np.asarray(cv2.add(self._still[1], grain, dtype=cv2.CV_8U), np.uint8)
        )

    def _drawn(self) -> NDArray[np.float32]:
        picture = self._back.copy()
        for box in sorted(self.boxes.values(), key=lambda one: -one.centre[1]):
            self._box(picture, box)
        for polygon, colour in self.people:
            cv2.fillPoly(picture, [np.round(polygon).astype(np.int32)], colour, cv2.LINE_AA)
        if self.blur_px > 0:
            picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), self.blur_px), np.uint8)
        seen = picture.astype(np.float32) * np.float32(self.gain)
        for polygon, light in self.lights:
            mask = np.zeros(picture.shape[:2], np.float32)
            cv2.polylines(mask, [np.round(polygon).astype(np.int32)], True, 1.0, 9, cv2.LINE_AA)
            seen += mask[..., None] * (picture.astype(np.float32) * np.array(light, np.float32))
        if self.shift_px != (0.0, 0.0):
            matrix = np.array([[1, 0, self.shift_px[0]], [0, 1, self.shift_px[1]]], np.float32)
            size = (self.lens.width, self.lens.height)
            seen = np.asarray(cv2.warpAffine(seen, matrix, size), np.float32)
        return seen

    def ring(self, name: str, light: tuple[float, float, float]) -> NDArray[np.float64]:
        """Throws a ring around the face of a box; its polygon in pixels."""
        box = self.boxes[name]
        middle = self.lens.pixels(np.array([box.centre]))[0]
        turn = np.linspace(0, 2 * math.pi, 48, endpoint=False)
        polygon: NDArray[np.float64] = middle + 70 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
        self.lights.append((polygon, light))
        return polygon


def _lay(picture: Rgb, patch: Rgb, mask: NDArray[np.uint8], at: tuple[int, int]) -> None:
    """Lays a patch over a picture where its mask is."""
    x, y = at
    cut = picture[y : y + patch.shape[0], x : x + patch.shape[1]]
    weight = mask[..., None].astype(np.float32) / 255
    cut[:] = (patch * weight + cut * (1 - weight)).astype(np.uint8)


def texture_of(box: Drawn) -> Rgb:
    """The face, one millimetre a pixel: its colour with a little grain, a strip of tape, and the
    label on white paper."""
    w, h = round(box.size[0] * 1000), round(box.size[1] * 1000)
    rng = np.random.default_rng(box.seed)
    grain = cv2.resize(rng.normal(0, 4, (h // 6 + 1, w // 6 + 1)).astype(np.float32), (w, h))
    face = np.clip(np.array(box.colour) + grain[..., None], 0, 255).astype(np.uint8)
    if box.text is None:
        face[h // 3 : h // 3 + 12] = (90, 60, 40)
        return face
    module = MODULES_MM[box.symbology]
    bits = symbol(box.text, box.symbology)
    wide = round(bits.shape[1] * module)
    high = 30 if box.symbology == "code128" else round(bits.shape[0] * module)
    code = cv2.resize(bits, (wide, high), interpolation=cv2.INTER_NEAREST)
    x = round((w - wide) / 2 + box.label_off[0] * 1000)
    y = round((h - high) / 2 - box.label_off[1] * 1000)
    pad = 10
    face[max(0, y - pad) : y + high + pad, max(0, x - pad) : x + wide + pad] = 245
    face[y : y + high, x : x + wide] = code[: h - y, : w - x, None]
    return face


def filled(count: int, *, symbologies: tuple[str, ...] = ("qr",)) -> dict[str, Drawn]:
    """So many parcels on three boards, left to right."""
    boxes = {}
    for n in range(count):
        row, column = divmod(n, -(-count // 3))
        box = parcel(
            n + 1, 0.16 + column * 1.5 / max(1, -(-count // 3) - 1), 0.0,
            symbology=symbologies[n % len(symbologies)], v=0.02 + 0.03 * (n % 3),
        )  # fmt: skip
        z = 0.78 + 0.3 * row + box.size[1] / 2
        boxes[f"p{n + 1}"] = box.at(box.centre[0], box.centre[1], z)
    return boxes
