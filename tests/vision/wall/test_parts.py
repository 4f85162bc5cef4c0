"""Half of a label, in a hand that carries it off, is told from halves of other labels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vision.wall.follow import PART_MIN
from vision.wall.parts import Part, find_part

Gray = NDArray[np.uint8]
Mask = NDArray[np.bool_]
AT = (100, 90)
SIDE = 84
MODULES = 21
CORNERS = ((0, 0), (0, 14), (14, 0))


def code(seed: int) -> Gray:
    """What codes of one kind have in common is in three corners; the rest is their own."""
    cells = np.random.default_rng(seed).integers(0, 2, (MODULES, MODULES)).astype(np.uint8)
    for row, column in CORNERS:
        cells[row : row + 7, column : column + 7] = 1
        cells[row + 1 : row + 6, column + 1 : column + 6] = 0
        cells[row + 2 : row + 5, column + 2 : column + 5] = 1
    picture = cv2.resize(235 - 195 * cells, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.2), np.uint8)


def held(label: Gray, at: tuple[int, int], *, scale: float = 1.0, hidden: float = 0.45) -> Gray:
    """A picture of a label that is somewhere else, so much larger, its right part behind a hand."""
    noise = np.random.default_rng(7).normal(0, 4, (300, 320))
    picture = np.full((300, 320), 120.0) + noise
    side = round(SIDE * scale)
    larger = cv2.resize(label, (side, side), interpolation=cv2.INTER_LINEAR)
    picture[at[1] : at[1] + side, at[0] : at[0] + side] = larger
    picture[at[1] : at[1] + side, at[0] + round(side * (1 - hidden)) : at[0] + side] = 96
    return np.clip(picture, 0, 255).astype(np.uint8)


def found(label: Gray, picture: Gray, *rivals: Gray, printed: Mask | None = None) -> Part | None:
    if printed is None:
        printed = np.ones(label.shape, np.bool_)
    return find_part(label, printed, AT, picture, 70, rivals)


OTHERS = tuple(code(seed) for seed in range(2, 9))


@pytest.mark.parametrize("scale", [1.0, 1.08, 1.2])
def test_half_of_it_is_found_where_it_is_carried_to(scale: float) -> None:
    part = found(code(1), held(code(1), (140, 120), scale=scale), *OTHERS)
    assert part is not None
    assert part.alike > 0.8
    assert part.ahead > 0.2
    grown = (scale - 1) * SIDE / 2
    assert part.shift == pytest.approx([40 + grown, 30 + grown], abs=4)


@pytest.mark.parametrize(("contrast", "there"), [(0.6, True), (0.1, False)])
def test_a_faint_likeness_in_plain_cloth_is_no_label(contrast: float, there: bool) -> None:
    """In the shade a label keeps most of its black and white; a seam never had any."""
    faint = 60 + contrast * (code(1).astype(np.float64) - 137)
    picture = np.full((300, 320), 60, np.uint8)
    picture[120 : 120 + SIDE, 140 : 140 + SIDE] = np.clip(faint, 0, 255).astype(np.uint8)
    assert (found(code(1), picture, *OTHERS) is not None) is there


@pytest.mark.parametrize("printed", [True, False])
def test_light_and_shade_alone_are_no_label(*, printed: bool) -> None:
    """An arm or a face is dark and bright where a label in the shade of a shelf is."""
    shade = 128 + np.linspace(-85, 85, SIDE)[:, None] + np.zeros((SIDE, SIDE))
    label = shade + 0.3 * (code(1).astype(np.float64) - 137)
    there = np.clip(label if printed else shade, 0, 255).astype(np.uint8)
    known = np.clip(label, 0, 255).astype(np.uint8)
    assert (found(known, held(there, (140, 120)), *OTHERS) is not None) is printed


@pytest.mark.parametrize("printed", [True, False])
def test_the_edge_of_paper_that_hangs_slanted_is_no_print(*, printed: bool) -> None:
    """A hand's edge runs across in the same way; what is printed is not there."""
    corner = np.add.outer(np.arange(SIDE), np.arange(SIDE)) < SIDE
    paper = np.where(corner, 40.0, 220.0)
    label = paper + np.where(corner, 0.0, 0.12 * (code(1).astype(np.float64) - 235))
    known = np.clip(label, 0, 255).astype(np.uint8)
    there = np.clip(label if printed else paper, 0, 255).astype(np.uint8)
    part = found(known, held(there, (140, 120), hidden=0.0), *OTHERS, printed=~corner)
    assert (part is not None) is printed


def test_half_of_another_is_like_another() -> None:
    for stranger in OTHERS:
        part = found(code(1), held(stranger, (140, 120)), *OTHERS)
        assert part is None or part.ahead < 0


def test_half_of_a_stranger_is_ahead_of_nobody() -> None:
    """A code that nobody knows has corners like all of them."""
    for seed in range(20, 40):
        part = found(code(1), held(code(seed), (140, 120)), *OTHERS)
        assert part is None or part.alike < PART_MIN or part.ahead < 0.12


def test_half_of_it_beside_the_rest_of_another_is_another() -> None:
    """Codes of one sender begin alike; a hand hides the rest of one, or leaves it in sight."""
    begins_alike = code(30)
    begins_alike[: round(0.44 * SIDE)] = code(1)[: round(0.44 * SIDE)]
    for label, denied in ((begins_alike, True), (code(1), False)):
        part = found(code(1), held(label, (140, 120), hidden=0.0), *OTHERS)
        assert part is not None
        assert part.alike > 0.9
        assert part.denied is denied
    behind = held(begins_alike, (140, 120), hidden=0.0)
    behind[120 + round(0.44 * SIDE) : 120 + SIDE] = 96
    part = found(code(1), behind, *OTHERS)
    assert part is not None
    assert not part.denied


def test_a_bare_picture_and_a_small_label_tell_nothing() -> None:
    assert found(code(1), np.full((300, 320), 120, np.uint8)) is None
    small = cv2.resize(code(1), (20, 20), interpolation=cv2.INTER_AREA)
    assert found(np.asarray(small, np.uint8), held(code(1), AT)) is None
