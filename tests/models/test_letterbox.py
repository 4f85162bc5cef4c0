"""Fitting frames into inputs, and boxes back into frames."""

from __future__ import annotations

import numpy as np
import pytest

from models.errors import ModelInputError
from models.letterbox import Letterbox, check_rgb, shrink


@pytest.mark.parametrize(
    ("frame", "size"),
    [((960, 540), (416, 256)), ((640, 360), (320, 192)), ((300, 500), (416, 256)),
     ((416, 256), (416, 256)), ((31, 17), (416, 256))],
)  # fmt: skip
def test_a_patch_comes_back_where_it_was(frame: tuple[int, int], size: tuple[int, int]) -> None:
    width, height = frame
    rgb = np.zeros((height, width, 3), np.uint8)
    x0, y0, x1, y1 = width // 4, height // 4, width // 2, height // 2
    rgb[y0:y1, x0:x1] = 255
    fit = Letterbox.of(width, height, *size)
    canvas = np.zeros((size[1], size[0], 3), np.uint8)
    fit.place(rgb, canvas)
    rows, columns = np.nonzero(canvas[:, :, 0] > 127)
    found = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], np.float32)
    pixel = max(width / size[0], height / size[1], 1.0)
    assert np.abs(fit.to_frame(found)[0] - (x0, y0, x1, y1)).max() <= 1.5 * pixel


def test_the_fit_keeps_proportions_and_is_centred() -> None:
    fit = Letterbox.of(960, 540, 416, 256)
    assert (fit.inner_width_px, fit.inner_height_px) == (416, 234)
    assert (fit.pad_left_px, fit.pad_top_px) == (0, 11)


def test_boxes_are_clipped_to_the_frame() -> None:
    fit = Letterbox.of(640, 360, 320, 192)
    boxes = fit.to_frame(np.array([[-40.0, -40.0, 500.0, 500.0]], np.float32))
    assert boxes.tolist() == [[0.0, 0.0, 640.0, 360.0]]


def test_shrinking_keeps_the_mean_of_fine_stripes() -> None:
    rgb = np.zeros((540, 960, 3), np.uint8)
    rgb[::2] = 200
    small = shrink(rgb, 416, 234)
    assert small.shape == (234, 416, 3)
    assert abs(float(small.mean()) - 100.0) < 2.0
    assert float(small.std()) < 2.0


@pytest.mark.parametrize(
    "bad",
    [np.zeros((10, 10), np.uint8), np.zeros((10, 10, 3), np.float32),
     np.zeros((0, 10, 3), np.uint8), np.zeros((10, 10, 4), np.uint8)],
)  # fmt: skip
def test_what_is_no_rgb_picture_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(ModelInputError, match="RGB"):
        check_rgb(bad)
