"""The sheet of a wall's markers: every marker is on it, in its true size, and can be found."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from contracts.store_file import load_store_file
from contracts.wall import Marker
from sortie.errors import UsageError
from sortie.stores import store_path
from sortie.wall_cmd import run_markers
from vision.markers import detect_markers
from vision.projection.print_sheet import DPI, marker_sheets


def test_printed_markers_are_found_in_their_size(tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    run_markers("wall-24", wall="", out=out)
    wall = load_store_file(store_path("wall-24")).walls[0]
    found: dict[int, float] = {}
    for page in sorted(tmp_path.glob("sheet*.png")):
        grey = cv2.imread(str(page), cv2.IMREAD_GRAYSCALE)
        assert grey is not None
        for number, corners in detect_markers(np.asarray(grey, np.uint8)).items():
            sides = np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1)
            found[number] = float(sides.mean()) * 25.4 / DPI
    assert set(found) == {one.marker for one in wall.markers}
    for one in wall.markers:
        assert found[one.marker] == pytest.approx(1000 * one.size_m, abs=0.5)


def test_many_large_markers_take_more_pages(tmp_path: Path) -> None:
    markers = [Marker(marker=n, size_m=0.12, centre_m=(0.1 * n, 0.0, 1.0)) for n in range(4)]
    sheets = marker_sheets(markers)
    assert len(sheets) == 4
    assert [list(detect_markers(page)) for page in sheets] == [[0], [1], [2], [3]]
    out = tmp_path / "sheet.pdf"
    run_markers("demo", wall="", out=out)
    assert out.read_bytes().startswith(b"%PDF")
    with pytest.raises(ValueError, match="at most 124 mm"):
        marker_sheets([Marker(marker=0, size_m=0.2, centre_m=(0.0, 0.0, 1.0))])


def test_what_cannot_be_printed_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected a name that ends in .pdf or .png"):
        run_markers("demo", wall="", out=tmp_path / "sheet.gif")
    with pytest.raises(UsageError, match=r"its walls \(wall-24\), got 'wall-9'"):
        run_markers("wall-24", wall="wall-9", out=tmp_path / "sheet.png")
    with pytest.raises(UsageError, match="there is no folder"):
        run_markers("demo", wall="", out=tmp_path / "no" / "sheet.png")
    with pytest.raises(UsageError, match="a store with a pick-up wall, got one without any"):
        run_markers("nano", wall="", out=tmp_path / "sheet.png")
