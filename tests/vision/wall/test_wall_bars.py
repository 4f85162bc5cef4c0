"""Codes of bars of which a part is read: where the label is does not depend on the part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tests.vision.wall.drawing import parcel
from tests.vision.wall.watching import PLACE, Watch
from vision.labels import Code, Roi
from vision.wall import WallCamera

Corners = NDArray[np.float32]


class Told:
    """Reads what it is told to read, wherever it is asked to look."""

    def __init__(self) -> None:
        self.polygon: Corners | None = None
        self.text = ""

    def read(self, gray: NDArray[np.uint8], rois: Sequence[Roi] | None = None) -> tuple[Code, ...]:
        if self.polygon is None:
            return ()
        return (Code(self.text, "code128", self.polygon, "code128"),)


def bars_of(watch: Watch, begin: float, end: float) -> Corners:
    """So much of the height of the bars on the box."""
    tl, tr, br, bl = watch.stage.lens.pixels(watch.stage.boxes["a"].corners())
    middle = (tl + tr + br + bl) / 4
    rows = [tl + share * (bl - tl) for share in (begin, end)]
    across = tr - tl
    corners = np.array([rows[0], rows[0] + across, rows[1] + across, rows[1]])
    return np.asarray(middle + 0.6 * (corners - middle), np.float32)


def watched() -> tuple[Watch, Told]:
    watch = Watch({"a": parcel(1, 0.9, 1.16, symbology="code128")}, start_s=0.0)
    told = Told()
    told.text = watch.stage.boxes["a"].text or ""
    watch.eye = WallCamera(PLACE.cameras[0], PLACE, reader=told)
    return watch, told


def label_m(watch: Watch) -> NDArray[np.float64]:
    assert watch.last is not None
    (sight,) = watch.last.sights
    assert sight.label_m is not None
    return np.asarray(np.mean(sight.label_m, axis=0), np.float64)


def test_a_hand_before_some_of_the_bars_leaves_the_label_where_it_is() -> None:
    watch, told = watched()
    told.polygon = bars_of(watch, 0.0, 1.0)
    watch.run(2.0)
    before = label_m(watch)
    hidden = bars_of(watch, 0.3, 1.2).astype(np.float64)
    watch.stage.people = [(hidden, (60, 70, 90))]
    told.polygon = bars_of(watch, 0.0, 0.3)
    watch.run(4.0)
    assert np.allclose(label_m(watch), before, atol=0.002)


def test_a_label_of_which_a_part_was_read_is_known_whole_as_soon_as_it_is_read_whole() -> None:
    watch, told = watched()
    told.polygon = bars_of(watch, 0.0, 0.3)
    watch.run(2.0)
    part = label_m(watch)
    told.polygon = bars_of(watch, 0.0, 1.0)
    watch.run(6.0)
    assert part[1] - label_m(watch)[1] > 0.02
