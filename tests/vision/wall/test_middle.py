"""Where marks belong on a face: about the label, whatever the outline holds besides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.wall.middle import BEYOND_M, about_label, mark_of
from vision.wall.records import Corners


def box(u: float, z: float, wide: float, high: float) -> Corners:
    """Corners about a middle."""
    a, b = wide / 2, high / 2
    return ((u - a, z + b), (u + a, z + b), (u + a, z - b), (u - a, z - b))


def spans(corners: Corners | None) -> tuple[float, float, float, float]:
    """From and to along u, from and to along z."""
    assert corners is not None
    us, zs = zip(*corners, strict=True)
    return min(us), max(us), min(zs), max(zs)


def test_an_outline_of_two_boxes_is_cut_to_the_one_with_the_label() -> None:
    two, label = box(0.2, 0.1, 0.4, 0.2), box(0.1, 0.1, 0.08, 0.08)
    assert spans(about_label(two, label)) == pytest.approx((0.0, 0.2, 0.0, 0.2))


def test_an_outline_that_holds_less_than_the_label_does_not_cut_it() -> None:
    found = spans(about_label(box(0.5, 0.5, 0.04, 0.3), box(0.52, 0.5, 0.1, 0.05)))
    half = 0.05 + BEYOND_M
    assert found == pytest.approx((0.52 - half, 0.52 + half, 0.35, 0.65))


def test_a_label_beside_its_outline_is_marked_alone() -> None:
    found = spans(about_label(box(0.2, 0.2, 0.1, 0.1), box(0.6, 0.2, 0.1, 0.04)))
    assert found == pytest.approx((0.53, 0.67, 0.15, 0.25))


@pytest.mark.parametrize(
    ("other", "spanned"),
    [
        (box(0.34, 0.1, 0.08, 0.08), (0.05, 0.25, 0.0, 0.2)),  # beside it
        (box(0.15, 0.24, 0.08, 0.08), (0.0, 0.3, 0.03, 0.17)),  # above it
        (box(0.2, 0.1, 0.08, 0.08), (0.0, 0.3, 0.0, 0.2)),  # upon it: one of them is wrong
        (box(0.34, 0.31, 0.08, 0.08), (0.0, 0.3, 0.0, 0.2)),  # aslant, met by no side
        (box(0.6, 0.1, 0.08, 0.08), (0.0, 0.3, 0.0, 0.2)),  # farther than it would reach
        (box(0.22, 0.1, 0.02, 0.08), (0.095, 0.205, 0.0, 0.2)),  # so near that little is between
    ],
)
def test_half_of_what_is_between_two_labels_is_each_ones(
    other: Corners, spanned: tuple[float, float, float, float]
) -> None:
    """The outline holds the neighbour's box as well (`moved-after-cue/5066`: a ring on it)."""
    wide, label = box(0.25, 0.1, 0.5, 0.2), box(0.15, 0.1, 0.1, 0.08)
    assert spans(mark_of(wide, label, [other])) == pytest.approx(spanned)
    assert spans(mark_of(wide, label, [other, box(5.0, 5.0, 0.1, 0.1)])) == pytest.approx(spanned)


def test_outlines_of_many_corners_are_taken_as_the_box_round_them() -> None:
    eight = tuple(
        (0.5 + 0.1 * float(np.cos(turn)), 0.5 + 0.1 * float(np.sin(turn)))
        for turn in np.linspace(0, 2 * np.pi, 8, endpoint=False)
    )
    assert about_label(eight, box(0.5, 0.5, 0.05, 0.05)) is not None


@pytest.mark.parametrize(
    "outline", [box(0.5, 0.5, 0.2, 0.001), ((0.0, 0.0), (0.2, 0.2), (0.2, 0.2), (0.0, 0.0))]
)
def test_a_line_is_no_face(outline: Corners) -> None:
    assert about_label(outline, box(0.5, 0.5, 0.05, 0.05)) is None


@given(
    turn=st.floats(0, 7),
    wide=st.floats(0.05, 0.5),
    high=st.floats(0.05, 0.5),
    at=st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)),
)
def test_the_label_is_in_the_middle_and_inside(
    turn: float, wide: float, high: float, at: tuple[float, float]
) -> None:
    """Of a label that lies on its face: the mark has its middle, holds it and keeps to the face
    where the label does not end at an edge."""
    turned = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    label = np.array(box(at[0] * wide / 2, at[1] * high / 2, 0.1 * wide, 0.1 * high))
    face = np.array(box(0.0, 0.0, wide, high))
    found = about_label(
        tuple(map(tuple, face @ turned + 1.0)), tuple(map(tuple, label @ turned + 1.0))
    )
    assert found is not None
    back = (np.array(found) - 1.0) @ turned.T
    assert back.mean(axis=0) == pytest.approx(label.mean(axis=0), abs=1e-4)
    assert (back.min(axis=0) <= label.min(axis=0) + 1e-4).all()
    assert (back.max(axis=0) >= label.max(axis=0) - 1e-4).all()
    over = np.maximum(back.max(axis=0) - face.max(axis=0), face.min(axis=0) - back.min(axis=0))
    assert (over <= BEYOND_M + 0.05 * np.array([wide, high]) + 1e-4).all()
