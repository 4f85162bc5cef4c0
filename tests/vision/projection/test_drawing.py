"""Forms of marks: within the face, told apart by form, and clear of other things."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.wall_messages import MarkLook
from tests.vision.projection.room import a_wall
from vision.projection.draw import Raster, add_light, on_plane, raster
from vision.projection.model import Floats, Optics
from vision.projection.shapes import COLOURS, disc, inset, shape

LOOKS: tuple[MarkLook, ...] = ("take_a", "take_b", "not_this", "wrong", "place", "look")
FACE = ((0.4, 0.9), (0.7, 0.9), (0.7, 1.15), (0.4, 1.15))


def projector() -> Optics:
    wall = a_wall()
    return Optics.of(wall, wall.projectors[0].intrinsics, wall.projectors[0].pose)


def drawn(look: MarkLook, face: tuple[tuple[float, float], ...] = FACE, v_m: float = 0.1) -> Raster:
    found = raster(shape(look, face, stroke_m=0.012, margin_m=0.006), v_m, projector())
    assert found is not None
    return found


def inside(polygon: Floats, cover: Raster, grow_px: float) -> bool:
    """Whether all that is lit lies in a polygon (K, 2) px, or that near to it."""
    rows, columns = np.nonzero(cover.cover > 40)
    line = polygon.astype(np.float32)
    return all(
        cv2.pointPolygonTest(line, (float(x + cover.x), float(y + cover.y)), True) >= -grow_px
        for x, y in zip(columns, rows, strict=True)
    )


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(LOOKS),
    st.floats(0.08, 0.3),
    st.floats(0.08, 0.3),
    st.floats(-60, 60),
    st.floats(0.7, 1.0),
    st.integers(3, 8),
    st.floats(-0.05, 0.3),
)
def test_no_light_leaves_the_face(
    look: MarkLook, wide: float, high: float, turn: float, taper: float, corners: int, v_m: float
) -> None:
    a = np.arange(corners) * 2 * np.pi / corners + np.pi / 4
    flat = np.stack([np.cos(a) * wide / 2, np.sin(a) * high / 2], axis=1)
    flat[:, 0] *= np.where(flat[:, 1] > 0, taper, 1.0)
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    face = flat @ np.array([[c, s], [-s, c]]) + [0.6, 1.0]
    outline = tuple((float(u), float(z)) for u, z in face)
    form = shape(look, outline, stroke_m=0.012, margin_m=0.006)
    found = raster(form, v_m, projector())
    assert found is not None
    assert found.cover.max() > 150
    assert inside(projector().project(on_plane(face, v_m)), found, 1.0)


def test_a_form_is_right_through_a_slanted_bent_lens() -> None:
    """The dot of a ring is where the middle of the face is, at its depth."""
    wall = a_wall()
    lens = wall.projectors[0].intrinsics.model_copy(
        update={"distortion": (-0.1, 0.02, 0.001, 0.002, 0.0)}
    )
    bent = Optics.of(wall, lens, wall.projectors[0].pose)
    for v_m in (-0.1, 0.0, 0.3):
        found = raster(disc((0.2, 1.4), 0.02), v_m, bent)
        assert found is not None
        rows, columns = np.nonzero(found.cover > 127)
        middle = np.array([columns.mean() + found.x, rows.mean() + found.y])
        meant = bent.project(np.array([[0.2, v_m, 1.4]]))[0]
        assert np.linalg.norm(middle - meant) < 0.6


def test_looks_are_told_apart_without_colour() -> None:
    covers = {look: drawn(look).cover.astype(float) for look in LOOKS}
    for a in LOOKS:
        for b in LOOKS:
            if a < b and {a, b} != {"wrong", "look"}:
                one, other = covers[a], covers[b]
                height = min(one.shape[0], other.shape[0])
                width = min(one.shape[1], other.shape[1])
                cut = (slice(0, height), slice(0, width))
                same = np.corrcoef(one[cut].ravel(), other[cut].ravel())[0, 1]
                assert same < 0.8, (a, b)
    # A red frame blinks and a white one does not: brightness tells those two apart.
    assert sum(COLOURS["wrong"]) < sum(COLOURS["look"])


def test_the_middle_of_a_ring_stays_free_for_the_label() -> None:
    ring = drawn("take_a").cover
    height, width = ring.shape
    middle = ring[height // 4 : -height // 4, width // 4 : -width // 4]
    assert (middle > 40).mean() < 0.06
    assert ring[height // 2, width // 2] == 255


def test_lines_are_twelve_millimetres_wide() -> None:
    frame = drawn("look")
    width_mm = projector().mm_per_px(np.array([0.55, 0.1, 1.0]))
    row = frame.cover[frame.cover.shape[0] // 2].astype(float) / 255
    assert row.sum() * width_mm / 2 == pytest.approx(12.0, abs=2.0)


def test_what_is_in_the_way_stays_dark() -> None:
    form = shape("take_a", FACE, stroke_m=0.012, margin_m=0.006)
    lens = projector()
    other = lens.project(on_plane(np.array([(0.6, 0.8), (0.8, 0.8), (0.8, 1.3), (0.6, 1.3)]), 0.05))
    cut = raster(form, 0.1, lens, without=[other])
    whole = raster(form, 0.1, lens)
    assert cut is not None
    assert whole is not None
    assert 0.3 < cut.share < 0.85
    rows, columns = np.nonzero(cut.cover > 40)
    line = other.astype(np.float32)
    assert not any(
        cv2.pointPolygonTest(line, (float(x + cut.x), float(y + cut.y)), True) > 0.5
        for x, y in zip(columns, rows, strict=True)
    )


def test_what_the_lens_does_not_show_is_not_drawn() -> None:
    far = tuple((u + 9.0, z) for u, z in FACE)
    assert raster(shape("look", far, stroke_m=0.012, margin_m=0.0), 0.1, projector()) is None


def test_an_outline_smaller_than_its_margin_keeps_a_middle() -> None:
    tiny = np.array([(0.0, 0.0), (0.01, 0.0), (0.01, 0.01), (0.0, 0.01)])
    left = inset(tiny, 0.02)
    assert np.allclose(left.mean(axis=0), (0.005, 0.005))
    assert (left.min(axis=0) > 0).all()
    assert (left.max(axis=0) < 0.01).all()


def test_of_two_lights_the_brighter_one_stays() -> None:
    picture = np.zeros((540, 960, 3), np.uint8)
    one = drawn("look")
    add_light(picture, one, (0, 200, 0))
    add_light(picture, one, (90, 90, 90))
    assert picture.max(axis=(0, 1)).tolist() == [90, 200, 90]
