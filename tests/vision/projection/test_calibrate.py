"""Structured light read back, and the projector's place by it, in synthetic optics."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from contracts.wall import Marker, Wall
from tests.vision.projection.room import MARKERS, Box, Room, a_wall, boxes, bumped
from vision.errors import CalibrationError, FrameError
from vision.projection.board import BoardPrint, see_board
from vision.projection.calibrate import Calibration, calibrate, see_markers
from vision.projection.markers import camera_from_markers
from vision.projection.model import Optics
from vision.projection.patterns import CodeReading, PatternDecoder, draw_pattern, sequence
from vision.wall.geometry import marker_corners_m


def nominal_of(wall: Wall) -> Optics:
    return Optics.of(wall, wall.projectors[0].intrinsics, wall.projectors[0].pose)


def off_by_much(wall: Wall, seed: int) -> Optics:
    """The projector as it truly hangs: 3 cm and 2 degrees off its file, its lens a little too."""
    rng = np.random.default_rng(seed)
    hung = bumped(nominal_of(wall), rng, m=0.03, deg=2.0)
    return replace(
        hung,
        focal=hung.focal * (1 + rng.normal(0, 0.015)),
        centre=hung.centre + rng.normal(0, 8, 2),
        distortion=(float(rng.normal(0, 0.01)), 0.0, 0.0, 0.0, 0.0),
    )


def read(room: Room, *passing: int) -> CodeReading:
    """All patterns thrown and captured; somebody is before the markers `passing` in some."""
    decoder = PatternDecoder(room.truth.size)
    for number, pattern in enumerate(sequence(room.truth.size)):
        room.lit = draw_pattern(pattern, room.truth.size)
        seen = room.grey()
        for marker in room.wall.markers if 8 <= number < 14 else ():
            if marker.marker in passing:
                corners = np.rint(room.camera.project(marker_corners_m(marker))).astype(int)
                (x0, y0), (x1, y1) = corners.min(axis=0) - 20, corners.max(axis=0) + 20
                seen[y0:y1, x0:x1] = 60 + 5 * number
        decoder.add(seen)
    return decoder.result()


def solve(room: Room, *passing: int) -> Calibration:
    sighting, _ = see_markers(room.wall, room.camera, read(room, *passing))
    return calibrate(nominal_of(room.wall), [sighting])


def test_every_lit_pixel_is_read_to_a_fraction_whatever_its_colour() -> None:
    size = (320, 200)
    rng = np.random.default_rng(3)
    rows, columns = np.mgrid[0:300, 0:500].astype(np.float32)
    x, y = 0.62 * columns + 0.03 * rows + 4.3, 0.02 * columns + 0.6 * rows + 3.9
    shade = cv2.GaussianBlur(rng.uniform(0, 1, (300, 500)).astype(np.float32), (0, 0), 3)
    shade = 0.15 + 0.7 * (shade - shade.min()) / (shade.max() - shade.min())
    decoder = PatternDecoder(size)
    for pattern in sequence(size):
        lit = draw_pattern(pattern, size)[..., 0].astype(np.float32)
        seen = shade * (40 + 0.5 * cv2.remap(lit, x, y, cv2.INTER_LINEAR))
        seen[:, 470:] = 60.0
        decoder.add(np.clip(seen + rng.normal(0, 1.5, seen.shape), 0, 255).astype(np.uint8))
    reading = decoder.result()
    assert not reading.trusted[:, 470:].any()
    within = (x > 0) & (x < size[0] - 1) & (y > 0) & (y < size[1] - 1)
    within[:, 465:] = False
    assert reading.trusted[within].mean() > 0.99
    apart = np.hypot(reading.at[..., 0] - x, reading.at[..., 1] - y)[within & reading.trusted]
    assert np.percentile(apart, 95) < 0.6
    assert apart.max() < 4.0


def test_captures_must_be_whole_and_of_one_size() -> None:
    decoder = PatternDecoder((64, 48))
    decoder.add(np.zeros((30, 40), np.uint8))
    with pytest.raises(FrameError, match=r"number 2, uint8 of shape \(31, 40\); keep"):
        decoder.add(np.zeros((31, 40), np.uint8))
    with pytest.raises(FrameError, match="expected 22 captures, got 1"):
        decoder.result()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_projector_that_hangs_elsewhere_is_found_to_a_millimetre(seed: int) -> None:
    wall = a_wall()
    truth = off_by_much(wall, seed)
    room = Room(wall, boxes(np.random.default_rng(seed)), truth, seed=seed)
    found = solve(room)
    faces = np.array([box.corners.mean(axis=0) for box in room.boxes])
    wrong_px = np.linalg.norm(nominal_of(wall).project(faces) - truth.project(faces), axis=1)
    assert np.median(wrong_px) > 10.0
    off_px = np.linalg.norm(found.model.project(faces) - truth.project(faces), axis=1)
    assert off_px.max() * truth.mm_per_px(faces[0]) < 1.0
    assert found.residual_mm_p50 < found.residual_mm < 5.0
    assert found.points >= 100


@pytest.mark.parametrize("passing", [(3,), (0, 4)])
def test_who_passes_before_a_few_markers_while_stripes_are_thrown_spoils_nothing(
    passing: tuple[int, ...],
) -> None:
    wall = a_wall()
    truth = off_by_much(wall, 2)
    room = Room(wall, boxes(np.random.default_rng(2)), truth, seed=2)
    found = solve(room, *passing)
    assert found.residual_mm < 5.0
    faces = np.array([box.corners.mean(axis=0) for box in room.boxes])
    off_px = np.linalg.norm(found.model.project(faces) - truth.project(faces), axis=1)
    assert off_px.max() * truth.mm_per_px(faces[0]) < 1.5


def test_who_passes_before_half_of_the_markers_spoils_it() -> None:
    wall = a_wall()
    room = Room(wall, boxes(np.random.default_rng(2)), off_by_much(wall, 2), seed=2)
    assert solve(room, 0, 3, 4).residual_mm > 20.0


def test_markers_that_agree_on_one_line_only_are_a_board_not_found() -> None:
    wall = a_wall()
    room = Room(wall, boxes(np.random.default_rng(2)), off_by_much(wall, 2), seed=2)
    sighting, _ = see_markers(wall, room.camera, read(room, 0, 4))
    # Of these five markers two were passed; the others are in one row, seen by two cameras.
    five = tuple(one for one in sighting.patches if one.name != "marker 1")
    few = replace(sighting, patches=five)
    with pytest.raises(CalibrationError, match=r"not all on one line, got marker 2, "):
        calibrate(nominal_of(wall), [few, few])


def test_a_full_wall_tells_more_than_its_markers() -> None:
    """Surfaces of unknown depth count: without them the same markers tell less."""
    wall = a_wall()
    truth = off_by_much(wall, 5)
    room = Room(wall, boxes(np.random.default_rng(5)), truth, seed=5, noise=2.5)
    sighting, _ = see_markers(wall, room.camera, read(room))
    few = replace(sighting, patches=sighting.patches[:3])
    bare = replace(few, ways=few.ways[:0], lit_by=few.lit_by[:0])
    faces = np.array([box.corners.mean(axis=0) for box in room.boxes])

    def off_px(model: Optics) -> float:
        return float(np.linalg.norm(model.project(faces) - truth.project(faces), axis=1).max())

    with_rays = off_px(calibrate(nominal_of(wall), [few]).model)
    without = off_px(calibrate(nominal_of(wall), [bare]).model)
    assert with_rays < without


def test_covered_markers_are_a_board_not_found() -> None:
    wall = a_wall()
    room = Room(wall, [], nominal_of(wall), covered=frozenset({0, 1, 2, 3}))
    room.lit = np.full((540, 960, 3), 255, np.uint8)
    lit = room.grey()
    nowhere = np.zeros((540, 960, 2), np.float32)
    reading = CodeReading(nowhere, np.zeros((540, 960), np.bool_), lit, lit)
    with pytest.raises(CalibrationError, match=r"board not found.*got 2; not seen: 0, 1, 2, 3;"):
        see_markers(wall, room.camera, reading)


def test_markers_lit_on_one_line_only_are_a_board_not_found() -> None:
    wall = a_wall()
    away = bumped(nominal_of(wall), np.random.default_rng(1), m=0.0, deg=0.0)
    aside = replace(away, centre=away.centre + np.array([0.0, 420.0]))
    room = Room(wall, [], aside)
    with pytest.raises(
        CalibrationError, match=r"board not found: .*not all on one line, got marker 2, "
    ):
        solve(room)


def test_a_marker_that_was_moved_is_named() -> None:
    wall = a_wall()
    places = dict(MARKERS)
    places[3] = (1.02, 0.35, 1.62)
    moved = tuple(Marker(marker=n, size_m=0.08, centre_m=at) for n, at in places.items())
    really = a_wall(markers=moved)
    camera = Optics.of(wall, wall.cameras[0].intrinsics, wall.cameras[0].pose)
    found = {one.marker: camera.project(marker_corners_m(one)) for one in really.markers}
    with pytest.raises(CalibrationError, match="marker 3 most"):
        camera_from_markers(wall, camera, found)


def test_a_camera_that_hangs_elsewhere_is_put_right_by_the_markers() -> None:
    wall = a_wall()
    camera = Optics.of(wall, wall.cameras[0].intrinsics, wall.cameras[0].pose)
    hung = bumped(camera, np.random.default_rng(2), m=0.01, deg=0.5)
    found = {one.marker: hung.project(marker_corners_m(one)) for one in wall.markers}
    put_right, off_px = camera_from_markers(wall, camera, found)
    assert off_px < 0.01
    assert np.allclose(put_right.position, hung.position, atol=1e-4)


def test_a_board_at_several_places_is_the_other_way() -> None:
    wall = a_wall()
    truth = off_by_much(wall, 8)
    board = BoardPrint(square_m=0.06, marker_m=0.045)
    look = board.drawn.generateImage((700, 500), marginSize=0)
    places = (
        (0.25, 0.75, -0.1, 20.0), (0.9, 0.9, 0.1, -25.0), (0.6, 1.4, 0.25, 10.0),
        (0.5, 1.1, -0.2, 0.0),
    )  # fmt: skip
    sightings = []
    for k, (u, z, v, yaw) in enumerate(places):
        propped = Box("board", u, z, v, 0.42, 0.30, yaw_deg=yaw, look=look)
        room = Room(wall, [propped], truth, seed=k)
        sightings.append(see_board(board, room.camera, read(room), f"board {k + 1}"))
    found = calibrate(nominal_of(wall), sightings)
    faces = np.array([[u, 0.05, z] for u in (0.2, 0.6, 1.0) for z in (0.7, 1.1, 1.5)])
    off_px = np.linalg.norm(found.model.project(faces) - truth.project(faces), axis=1)
    assert np.percentile(off_px, 95) * truth.mm_per_px(faces[0]) < 5.0
    bare = Room(wall, [], truth)
    bare.lit = np.full((540, 960, 3), 255, np.uint8)
    grey = bare.grey()
    nowhere = CodeReading(np.zeros((540, 960, 2), np.float32), grey > 255, grey, grey)
    with pytest.raises(CalibrationError, match=r"board not found: board 1: .*got 0; turn it"):
        see_board(board, bare.camera, nowhere, "board 1")
