"""What cameras of a wall see: labels that decode, markers where the file says, light that falls
where geometry says, shadows, and the same bytes twice."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import zxingcpp
from numpy.typing import NDArray
from pyzbar import pyzbar

from contracts.wall import px_per_module, wall_to_world
from store_sim.wall import WallWorld
from store_sim.wall.faces import PARCEL_ID
from store_sim.wall.figures import PERSON_ID
from store_sim.wall.frame import optic, world_to_wall
from store_sim.wall.parcels import frame_of, label_corners
from tests.store_sim.wall.wall_kit import TrueDriver, store_named, world_of

Picture = NDArray[np.uint8]


def _read(rgb: Picture) -> set[str]:
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    found = zxingcpp.read_barcodes(grey, text_mode=zxingcpp.TextMode.Plain)
    return {one.text.removeprefix("\x1d") for one in found}


@pytest.mark.parametrize(
    ("store", "case", "least"),
    [("demo", "labels-12", 11), ("wall-24", "labels-24", 22), ("wall-4k", "code128", 6)],
)
def test_labels_of_a_wall_decode_at_the_px_its_file_states(
    store: str, case: str, least: int
) -> None:
    world = world_of(store, case, 5)
    wanted = {one.text for one in world.truth.parcels if one.text is not None}
    read = {text for frame in world.frames(0.0) for text in _read(frame.rgb)}
    assert len(read & wanted) >= least
    assert read <= wanted, "nothing is read that is not printed"
    stand = {one.name: one for one in world.truth.parcels}
    assert all(one.state == "stands" for one in stand.values())


def test_pyzbar_reads_what_it_can_read() -> None:
    world = world_of("demo", "qr", 6)
    wanted = {one.text for one in world.truth.parcels}
    greys = [cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2GRAY) for frame in world.frames(0.0)]
    read = {one.data.decode() for grey in greys for one in pyzbar.decode(grey)}
    assert len(read & wanted) >= 10
    assert read <= wanted


@pytest.mark.parametrize("name", ["demo", "wall-24", "wall-4k", "van", "wall-strips"])
def test_symbols_lie_where_geometry_says_and_as_finely(name: str) -> None:
    """The corners a reader finds are within a module of the true ones, and px a module in the
    picture are those of contracts.wall, foreshortened by no more than the parcel's turn."""
    world = world_of(
        name, "van-stop" if name == "van" else "labels-12" if name == "demo" else "qr", 2
    )
    found = 0
    for frame, camera in zip(world.frames(0.0), world.wall.cameras, strict=True):
        lens = optic(world.wall, camera.intrinsics, camera.pose)
        grey = cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2GRAY)
        texts = {}
        for one in zxingcpp.read_barcodes(grey, text_mode=zxingcpp.TextMode.Plain):
            place = one.position
            corners = (place.top_left, place.top_right, place.bottom_right, place.bottom_left)
            texts[one.text.removeprefix("\x1d")] = np.array([(at.x, at.y) for at in corners])
        for parcel, pose in world.standing().values():
            if parcel.text not in texts or parcel.symbology != "qr":
                continue
            true, _ = lens.pixels(label_corners(parcel, pose))
            kind = next(one for one in world.wall.labels if one.symbology == "qr")
            px = np.linalg.norm(true[1] - true[0]) / kind.modules
            assert np.abs(texts[parcel.text] - true).max() < 1.5 * px
            stated = px_per_module(world.wall, camera, kind, (pose.at_m[0], pose.at_m[2]))
            assert 0.75 * stated < px < 1.5 * stated
            found += 1
    assert found >= 2


def test_markers_are_found_where_the_file_says() -> None:
    world = world_of("demo", "labels-12", 1)
    camera = world.wall.cameras[0]
    lens = optic(world.wall, camera.intrinsics, camera.pose)
    frame, *_ = world.frames(0.0)
    detector = cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50))
    corners, ids, _ = detector.detectMarkers(cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2GRAY))
    at = {int(k): quad.reshape(4, 2) for k, quad in zip(ids.ravel(), corners, strict=True)}
    assert set(at) == {one.marker for one in world.wall.markers}
    for marker in world.wall.markers:
        u, v, z = marker.centre_m
        half = marker.size_m / 2
        true, _ = lens.pixels(
            np.array(
                [(u + a * half, v, z + b * half) for a, b in ((-1, 1), (1, 1), (1, -1), (-1, -1))]
            )
        )
        assert np.abs(at[marker.marker] - true).max() < 2.0


def test_the_walls_frame_is_that_of_the_contracts() -> None:
    wall = store_named("demo").walls[0]
    for point in ((0.1, -0.2, 0.9), (1.2, 0.3, 1.7)):
        assert world_to_wall(wall, wall_to_world(wall, point)) == pytest.approx(point)


def _lit(world: WallWorld, picture: Picture | None) -> NDArray[np.float64]:
    """How much brighter the first camera's picture is, noise averaged out over a few frames."""
    sums = []
    k = round(world.t_s * 5)
    for shown in (None, picture):
        world.show(world.beams[0].projector_id, shown)
        total = np.zeros((1080, 1920))
        for _ in range(4):
            k += 1
            total += world.frames(k / 5)[0].rgb[..., 1]
        sums.append(total / 4)
    return np.asarray(sums[1] - sums[0])


def test_projected_light_falls_where_geometry_says() -> None:
    """A white square on each parcel's middle: its centre of light is within a pixel of where the
    ray from the projector's true place meets the front."""
    world = world_of("demo", "labels-12", 3)
    world.frames(0.0)
    beam, eye = world.beams[0], world.wall.cameras[0]
    lens = optic(world.wall, eye.intrinsics, eye.pose)
    height, width = beam.size[1], beam.size[0]
    picture = np.zeros((height, width, 3), np.uint8)
    wanted = []
    for parcel, pose in world.standing().values():
        (at,), _ = beam.optic.pixels(np.array([pose.at_m]))
        x, y = (int(v) for v in np.rint(at))
        picture[y - 4 : y + 5, x - 4 : x + 5] = 255
        # The middle of that square is not quite the parcel's: follow its own ray to the front.
        wanted.append((parcel, pose, (x, y)))
    lit = _lit(world, picture)
    for _, pose, (x, y) in wanted:
        ray = beam.optic.point_at(x, y, 1.0) - beam.optic.cam[9:12]
        out = frame_of(pose)[2]
        t = ((np.array(pose.at_m) - beam.optic.cam[9:12]) @ out) / (ray @ out)
        (true,), _ = lens.pixels(np.array([beam.optic.cam[9:12] + t * ray]))
        cx, cy = (int(v) for v in np.rint(true))
        part = np.clip(lit[cy - 14 : cy + 15, cx - 14 : cx + 15], 0, None)
        share = part > 0.4 * part.max()
        rows, columns = share.nonzero()
        assert share.sum() > 40
        middle = (
            (columns.min() + columns.max()) / 2 + cx - 14,
            (rows.min() + rows.max()) / 2 + cy - 14,
        )
        assert np.hypot(middle[0] - true[0], middle[1] - true[1]) < 1.0


def test_light_does_not_pass_through_a_person_or_a_box() -> None:
    world = world_of("demo", "labels-12", 4)
    driver = TrueDriver(world, frames=True)
    while not world.truth.takings():
        driver.tick()
    eye = world._stage.eyes[0]
    width, height = world.beams[0].size
    levels = []
    for picture in (None, np.full((height, width, 3), 255, np.uint8)):
        world.show(world.beams[0].projector_id, picture)
        world._stage._draw()
        levels.append(eye._clean[..., 1] / 16.0)
    lit = levels[1] - levels[0]
    (beam,) = world.beams
    # In the shadow: points of the wall that the projector's ray reaches only through something.
    points = eye.optic.cam[9:12] + eye.depth[..., None] * (
        eye.optic.rays[..., :1] * eye.optic.cam[0:3] + eye.optic.rays[..., 1:] * eye.optic.cam[3:6]
        + eye.optic.cam[6:9]
    )  # fmt: skip
    at, ahead = beam.optic.pixels(points.reshape(-1, 3))
    inside: Any = (at > 2).all(axis=1) & (at < (width - 3, height - 3)).all(axis=1)
    columns, rows = np.rint(np.where(inside[:, None], at, 0)).astype(int).T
    gap = (ahead - beam.shadow[rows, columns]).reshape(eye.depth.shape)
    wall: Any = np.asarray(eye.ids == 0) & inside.reshape(eye.depth.shape)
    dark, bright = wall & (gap > 0.1), wall & (gap < 0.002)
    assert dark.sum() > 2000
    assert np.percentile(lit[dark], 90) < 3.0
    assert np.percentile(lit[bright], 10) > 10.0
    assert (eye.ids >= PERSON_ID).any(), "somebody stands there"
    assert ((eye.ids >= PARCEL_ID) & (eye.ids < PERSON_ID)).any()


def test_two_runs_give_the_same_bytes() -> None:
    def run() -> list[bytes]:
        world = world_of("demo", "wrong-taken", 9)
        driver = TrueDriver(world)
        found = []
        while world.t_s < 8.0:
            driver.tick()
            if driver.k % 4 == 0:
                found += [frame.rgb.tobytes() for frame in world.frames(world.t_s)]
        return found

    assert run() == run()


def test_what_is_drawn_step_by_step_is_what_is_drawn_at_once() -> None:
    """After a taking the picture is that of a wall filled without the parcel, noise apart."""
    world = world_of("demo", "labels-12", 8)
    driver = TrueDriver(world, frames=True)
    while not any(deed.kind == "leave" for deed in world.truth.log):
        driver.tick()
    world.show(world.beams[0].projector_id, None)
    world.frames((driver.k + 1) / 5)
    eye = world._stage.eyes[0]
    faces = world._stage._all_faces()
    before = eye._clean.copy()
    eye.stand(faces)
    eye.light([(0, 0, 1920, 1080)], [])
    assert (before == eye._clean).all()


def test_a_blurred_lens_blurs_and_a_blocked_one_is_dark() -> None:
    def sharpness(case: str) -> float:
        frame, *_ = world_of("demo", case, 7).frames(0.0)
        grey = frame.rgb[..., 1].astype(float)
        return float(np.abs(np.diff(cv2.GaussianBlur(grey, (3, 3), 0), axis=1)).max())

    assert sharpness("blurred") < 0.8 * sharpness("labels-12")
    world = world_of("demo", "camera-blocked", 7)
    driver = TrueDriver(world)
    while not any("block begins" in words for _, words in world.truth.notes):
        driver.tick()
    frame, *_ = world.frames(world.t_s)
    assert frame.rgb.mean() < 40


def test_covered_markers_are_not_there() -> None:
    frame, *_ = world_of("demo", "board-not-found", 3).frames(0.0)
    detector = cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50))
    _, ids, _ = detector.detectMarkers(cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2GRAY))
    assert ids is None
